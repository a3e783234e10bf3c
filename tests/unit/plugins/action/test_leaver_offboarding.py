# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The phases of a run, one after the other, on what the role's tasks register."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleError

from ansible_collections.m365.offboarding.plugins.action.leaver_offboarding import ActionModule
from ansible_collections.m365.offboarding.tests.unit.plugins.lab import acting
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.records import STEPS, all_steps, problem, read_record

JANE, MILES = read_record("jane.doe"), read_record("miles.obrien")


class Run:
    """A run of the role: what its tasks have registered so far, by host."""

    def __init__(self, *hosts, check_mode=False):
        self.hosts = {host: {} for host in hosts or ("localhost",)}
        self.first = next(iter(self.hosts))
        self.check_mode = check_mode

    def act(self, phase, host=None, **arguments):
        host = host or self.first
        known = {
            **self.hosts[host],
            "inventory_hostname": host,
            "ansible_play_hosts_all": list(self.hosts),
            "hostvars": SimpleNamespace(raw_get=self.hosts.get),
        }
        return acting.act(
            ActionModule, "leaver_offboarding", known, check_mode=self.check_mode, phase=phase, **arguments
        )

    def put(self, name, result, host=None):
        for one in [host] if host else self.hosts:
            self.hosts[one][f"__offboard_employee_{name}"] = result

    def validate(self, host=None, *, playbook="", **variables):
        host = host or self.first
        self.hosts[host] |= {f"offboard_employee_{name}": value for name, value in variables.items()}
        told = self.act("validate", host, playbook=playbook)
        self.put("asked", told, host)
        return told

    def begin(self, *records, host=None):
        self.put("opening", {"users": list(records), "check_mode": self.check_mode}, host)
        self.put("plan", self.act("plan", host), host)

    def record(self, **arguments):
        self.put("journal", self.act("record", **arguments))

    def shut(self, number, name, closing="shut"):
        """Go through all steps and the closing read of a batch."""
        for step, told in zip(STEPS, all_steps(name), strict=True):
            self.put(step, told["result"])
        self.put("closing", {"users": [read_record(name, state=closing)]})
        told = self.act("join", batch=number)
        self.put("state", told)
        return told

    def leavers(self, host=None):
        return self.act("conclude", host)["records"]


def statuses(leaver):
    return [entry["status"] for entry in leaver["steps"].values()]


def test_a_run_from_its_variables_to_its_results(tmp_path):
    run, path = Run(), tmp_path / "a.json"
    run.validate(leavers=JANE["user"], report_path=str(path))
    run.begin(JANE)
    run.record()
    (left,) = json.loads(path.read_text())["hosts"]["localhost"]["leavers"]
    assert set(statuses(left)) == {"pending"}

    for number, told in enumerate(all_steps("jane.doe"), 1):
        run.put(told["step"], told["result"])
        run.record(batch=1, step=told["step"])
        whole = json.loads(path.read_text())
        assert whole["complete"] is False
        (left,) = whole["hosts"]["localhost"]["leavers"]
        assert statuses(left) == ["verified"] * number + ["pending"] * (len(STEPS) - number)
    assert set(run.act("digest", batch=1)["written"]) == {JANE["id"]}
    told = run.shut(1, "jane.doe")
    assert told["msg"] == "1 of 1 leavers done, 0 left; 0 with an open door."

    outcome = run.act("conclude")
    assert [one["status"] for one in outcome["records"]] == ["contained"]
    assert (outcome["failures"], outcome["table"][0]) == ([], "1 of 1 leaver is contained")
    assert outcome["ansible_stats"]["data"]["m365_offboarding"]["localhost"]["contained"] == [JANE["id"]]
    assert run.act("evidence")["files"] == {"localhost": [str(path)]}
    whole = json.loads(path.read_text())
    assert whole["complete"] is True
    assert whole["hosts"]["localhost"]["leavers"] == outcome["records"]


def test_in_check_mode_only_the_end_is_written(tmp_path):
    run, path = Run(check_mode=True), tmp_path / "a.json"
    run.validate(leavers=JANE["user"], report_path=str(path))
    run.begin(JANE)
    run.record()
    assert not path.exists()

    assert run.act("conclude")["ansible_stats"]["data"]["m365_offboarding"]["localhost"]["dry_run"] is True
    run.act("evidence")
    assert json.loads(path.read_text())["check_mode"] is True


def test_leavers_go_in_batches_and_the_rest_keeps_its_place():
    run = Run()
    run.validate(leavers=[JANE["user"], MILES["user"]], batch_size=1)
    run.begin(JANE, MILES)
    batches = run.hosts["localhost"]["__offboard_employee_plan"]["batches"]
    assert [[one["user"] for one in batch] for batch in batches] == [[JANE["id"]], [MILES["id"]]]
    run.record()
    run.shut(2, "miles.obrien")

    assert [one["status"] for one in run.leavers()] == ["open", "contained"]


def test_a_step_of_another_batch_says_nothing_about_this_one(tmp_path):
    run, path = Run(), tmp_path / "a.json"
    run.validate(leavers=[JANE["user"], MILES["user"]], batch_size=1, report_path=str(path))
    run.begin(JANE, MILES)
    run.record()
    run.put("password", all_steps("miles.obrien")[0]["result"])
    run.record(batch=1, step="password")

    (jane, _miles) = json.loads(path.read_text())["hosts"]["localhost"]["leavers"]
    assert set(statuses(jane)) == {"pending"}


def test_a_run_does_not_take_up_the_record_of_the_run_before(tmp_path):
    run = Run()
    for _again in range(2):
        run.validate(leavers=JANE["user"], report_path=str(tmp_path / "a.json"))
        run.begin(JANE)
        run.record()
        run.act("evidence")

    assert len(list(tmp_path.iterdir())) == 2


def test_a_look_that_was_skipped_found_nobody():
    run = Run()
    run.validate(leavers=[])
    run.put("opening", {"skipped": True})
    run.put("plan", run.act("plan"))
    run.record()

    outcome = run.act("conclude")
    assert (outcome["records"], outcome["table"]) == ([], ["Nobody is due to leave"])
    assert outcome["failures"][0].startswith("Nobody is due to leave")


def test_a_tenant_that_cannot_be_looked_at_fails_with_its_error():
    run = Run()
    run.validate(leavers=JANE["user"])
    run.put("opening", {"msg": "no token", "error": problem("no_token", "There is no token.")})
    run.put("plan", run.act("plan"))
    run.record()

    outcome = run.act("conclude")
    assert outcome["table"] == []
    assert outcome["failures"][0].startswith("There is no token.")
    assert outcome["ansible_stats"]["data"]["m365_offboarding"]["localhost"]["error"] == "no_token"


# --- several hosts ---


def test_hosts_share_a_file_and_one_that_fell_out_stands_in_it(tmp_path):
    run, both, own = Run("a", "b", "c"), tmp_path / "both.json", tmp_path / "own.JSON"
    run.validate("a", leavers=JANE["user"], report_path=[str(both)])
    run.validate("b", leavers=MILES["user"], report_path=[str(both), str(own)])
    run.begin(JANE, host="a")
    run.begin(MILES, host="b")
    run.record()

    assert run.act("evidence")["files"] == {"a": [str(both)], "b": [str(both), str(own)]}
    told = json.loads(both.read_text())["hosts"]
    assert {host: one["error"] and one["error"]["code"] for host, one in told.items()} == {
        "a": None,
        "b": None,
        "c": "not_reached",
    }
    assert list(json.loads(own.read_text())["hosts"]) == ["b", "c"]
    assert [one["user"] for one in run.leavers("b")] == [MILES["user"]]


def test_a_tenant_whose_results_cannot_be_joined_stops_no_other():
    run = Run("a", "b")
    broken = {name: value for name, value in JANE.items() if name != "doors"}
    run.validate("a", leavers=JANE["user"])
    run.validate("b", leavers=MILES["user"])
    run.begin(JANE, host="a")
    run.begin(MILES, host="b")
    run.put("opening", {"users": [broken]}, "a")
    run.record(batch=1, step="password")
    run.put("state", run.act("join", "a", batch=1), "a")

    assert run.act("conclude", "a")["failures"][0].startswith(
        "What was done in a could not be put on record (KeyError)"
    )
    assert [one["status"] for one in run.leavers("b")] == ["open"]


def test_between_batches_every_format_is_written_and_between_steps_json_alone(tmp_path):
    run, paths = Run(), [str(tmp_path / "a.json"), str(tmp_path / "a.html")]
    run.validate(leavers=[JANE["user"], MILES["user"]], batch_size=1, report_path=paths)
    run.begin(JANE, MILES)
    run.record()
    assert not (tmp_path / "a.html").exists()

    run.shut(1, "jane.doe")
    run.record(batch=1)
    assert (tmp_path / "a.html").exists()

    (tmp_path / "a.html").write_text("")
    run.shut(2, "miles.obrien")
    run.record(batch=2)
    assert (tmp_path / "a.html").read_text() == ""
    # Always the same files.
    run.act("evidence")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.html", "a.json"]
    assert json.loads((tmp_path / "a.json").read_text())["complete"] is True


# --- validation ---


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"batch_size": 0}, "offboard_employee_batch_size must be 1 or more"),
        ({"steps": []}, "must name a step"),
        ({"protocols": ["fax"]}, "unknown protocols: fax"),
        ({"report_path": "a.pdf"}, "this cannot be written: a.pdf"),
        ({"report_path": "/dev/null/a.json"}, "The report /dev/null/a.json cannot be written"),
        ({"since": "nowhere.json"}, "nowhere.json does not exist."),
        ({"leavers_file": "."}, "is not a file."),
        ({"leavers_file": " "}, "leavers_file must be the path of a file."),
        ({"blocked": "perhaps"}, "offboard_employee_blocked"),
        ({"leaver_file": "a.csv"}, "did you mean offboard_employee_leavers_file?"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(variables, text):
    told = Run().validate(leavers="a@contoso.com", **variables)

    assert told["failed"] is True
    assert text in told["msg"]


def test_everything_that_is_wrong_is_said_at_once():
    told = Run().validate(leavers="a@contoso.com", batch_size=0, report_path="a.pdf", since="nowhere.json")

    assert [text for text in ("batch_size", "a.pdf", "nowhere.json") if text not in told["msg"]] == []


def test_a_report_in_the_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "a.json").mkdir()

    assert "cannot be written" in Run().validate(report_path=str(tmp_path / "a.json"))["msg"]
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


def test_leavers_of_a_list_and_of_a_file_add_up(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("user,left_at\nb@contoso.com,2026-03-01T17:00:00Z\nc@contoso.com,\n")

    told = Run().validate(leavers=["a@contoso.com"], leavers_file=str(path))

    b, c = {"user": "b@contoso.com", "left_at": "2026-03-01T17:00:00Z"}, {"user": "c@contoso.com"}
    assert told["named"] == ["a@contoso.com", b, c]
    assert told["msg"] == f"{path}: 2 rows, 1 of them with a date (left_at)"


@pytest.mark.parametrize(
    ("leavers", "named"),
    [
        *((nobody, []) for nobody in ("", [""], [None], [], None)),
        ("a@contoso.com, b@contoso.com", ["a@contoso.com, b@contoso.com"]),
        ({"user": "a@contoso.com"}, [{"user": "a@contoso.com"}]),
        (["a@contoso.com", None], ["a@contoso.com", None]),
        (4711, [4711]),
    ],
)
def test_leavers_as_people_write_them(leavers, named):
    assert Run().validate(leavers=leavers)["named"] == named


@pytest.mark.parametrize(
    ("variables", "allowed"),
    [
        ({"blocked": True}, True),
        ({"group": "Leavers"}, True),
        ({"group": "Leavers", "leavers": ["a@contoso.com"]}, False),
        ({}, False),
        ({"blocked": True, "allow_empty": False}, False),
        ({"allow_empty": "yes"}, True),
    ],
)
def test_a_search_may_find_nobody_and_a_list_may_not(variables, allowed):
    assert Run().validate(**variables)["allow_empty"] is allowed


def test_the_playbooks_own_variables_win_unless_they_are_empty():
    run = Run()
    run.hosts["localhost"] = {"leavers": "jane@contoso.com", "leavers_group": "", "leavers_blocked": "true"}
    own = {"leavers": ["john@contoso.com"], "group": "Leavers"}

    told = run.validate(playbook="audit", **own)

    assert (told["named"], told["group"], told["blocked"]) == (["jane@contoso.com"], "Leavers", True)
    # In a play of somebody else's, they are somebody else's.
    assert Run().validate(**own)["named"] == ["john@contoso.com"]


def test_what_files_and_the_tenant_say_is_never_a_template(tmp_path):
    run, path = Run(), tmp_path / "a.csv"
    path.write_text("user\n{{ 7 * 7 }}@contoso.com\n")

    told = run.validate(leavers_file=str(path))
    run.begin(read_record("jane.doe", display_name="{{ 7 * 7 }}"))
    run.record()

    assert not acting.is_template(told["named"][0]["user"])
    assert not acting.is_template(run.leavers()[0]["display_name"])


def test_the_earlier_evidence_travels_with_the_run(tmp_path):
    run, path = Run(), tmp_path / "since.json"
    run.validate(leavers=JANE["user"], report_path=str(path))
    run.begin(JANE)
    run.record()
    run.act("evidence")

    again = Run()
    again.validate(leavers=JANE["user"], since=str(path))
    path.unlink()
    again.begin(JANE)
    again.record()

    assert again.leavers()[0]["since"] == {"newly_open": [], "newly_shut": [], "new": False}


def test_an_argument_that_does_not_exist_is_refused():
    with pytest.raises(AnsibleError, match="unknown"):
        Run().act("plan", unknown=1)
