# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The phases of a run, one after the other, on what the role's tasks register."""

from __future__ import annotations

import hashlib
import json
from types import SimpleNamespace
from unittest import mock

import pytest
from ansible.errors import AnsibleError

from ansible_collections.m365.offboarding.plugins.action.leaver_offboarding import ActionModule
from ansible_collections.m365.offboarding.plugins.plugin_utils import _cores
from ansible_collections.m365.offboarding.plugins.plugin_utils._carried import MOST_PLAIN, decoded
from ansible_collections.m365.offboarding.plugins.plugin_utils._in_process import InProcess
from ansible_collections.m365.offboarding.plugins.plugin_utils._journal import CLOSING_READ, STEP_OF
from fakes import acting
from fakes.records import STEPS, all_steps, problem, read_record

JANE, MILES = read_record("jane.doe"), read_record("miles.obrien")

TENANT = {"tenant_id": "0e0b5e0e-0000-4000-8000-00000000000a"}


class OffboardingRun:
    """A run of the role: what its tasks have registered so far, by host."""

    def __init__(self, *hosts, check_mode=False, strategy="linear"):
        self.strategy = strategy
        self.hosts = {host: {} for host in hosts or ("localhost",)}
        self.first = next(iter(self.hosts))
        self.check_mode = check_mode

    def act(self, phase, host=None, **arguments):
        host = host or self.first
        return acting.act(
            ActionModule,
            "leaver_offboarding",
            self._known(host),
            check_mode=self.check_mode,
            strategy=self.strategy,
            phase=phase,
            **arguments,
        )

    def _known(self, host):
        return {
            **self.hosts[host],
            "inventory_hostname": host,
            "ansible_play_hosts_all": list(self.hosts),
            "hostvars": SimpleNamespace(raw_get=self.hosts.get),
        }

    def put(self, name, result, host=None):
        for one in [host] if host else self.hosts:
            self.hosts[one][f"__offboard_employee_{name}"] = result

    def validate(self, host=None, *, playbook="", purpose="offboard", **variables):
        host = host or self.first
        self.hosts[host] |= {f"offboard_employee_{name}": value for name, value in variables.items()}
        reported = self.act("validate", host, playbook=playbook, purpose=purpose)
        self.put("request", reported, host)
        return reported

    def begin(self, *records, host=None, **facts):
        self.put("opening", {"users": list(records), "check_mode": self.check_mode, **facts}, host)
        self.put("opening", self.act("plan", host), host)

    def step(self, step, result=None, host=None, number=1):
        """Go through a step, which first puts on record what is known by then; the step itself does nothing."""
        host = host or self.first
        known = acting.magic({**self._known(host), "__offboard_employee_number": number})
        journal, _arguments = before(step, known, check_mode=self.check_mode, strategy=self.strategy)
        self.put(step, {**(result or {}), "journal": journal}, host)
        return journal

    def look_again(self, *records, number=1):
        """Read the doors of a batch again; return what the read waits for."""
        known = acting.magic({**self._known(self.first), "__offboard_employee_number": number})
        journal, arguments = before(CLOSING_READ, known, check_mode=self.check_mode, strategy=self.strategy)
        self.put("closing", {"users": list(records), "journal": journal})
        return arguments["written"]

    def shut(self, number, name, closing="shut"):
        """Go through all steps and the closing read of a batch."""
        for step, reported in zip(STEPS, all_steps(name), strict=True):
            self.step(step, reported["result"], number=number)
        self.look_again(read_record(name, state=closing), number=number)
        reported = self.act("batch_done", batch=number)
        self.put("state", reported)
        return reported

    def leavers(self, host=None):
        reported = self.act("conclude", host)
        # Many are a fact before ansible-core 2.19.
        return reported.get("leavers") or reported.get("ansible_facts", {}).get("offboard_employee_result", [])


def before(step, known, *, check_mode=False, strategy="linear"):
    """Return what the module of a step puts on record before it begins, and the arguments that it is given."""
    (module,) = [module for module, taken in STEP_OF.items() if taken == step] or [step]
    task = acting.a_task(f"m365.offboarding.{module}", check_mode=check_mode, strategy=strategy)
    return InProcess(task, *[mock.MagicMock()] * 5)._keep(known), task.args


def statuses(leaver):
    return [entry["status"] for entry in leaver["steps"].values()]


def test_a_run_from_its_variables_to_its_results(tmp_path):
    run, path = OffboardingRun(), tmp_path / "a.json"
    run.validate(leavers=JANE["user"], report_path=str(path))
    run.begin(JANE)

    def kept():
        whole = json.loads(path.read_text())
        assert whole["complete"] is False
        (left,) = whole["hosts"]["localhost"]["leavers"]
        return statuses(left)

    for number, reported in enumerate(all_steps("jane.doe")):
        run.step(reported["step"], reported["result"])
        # Before a step, all steps before it are in the file.
        assert kept() == ["verified"] * number + ["pending"] * (len(STEPS) - number)
    assert set(run.look_again()) == {JANE["id"]}
    assert kept() == ["verified"] * len(STEPS)
    reported = run.shut(1, "jane.doe")
    assert reported["msg"] == "1 of 1 leavers done, 0 left; 0 with an open door."

    outcome, leavers = run.act("conclude"), run.leavers()
    assert [one["status"] for one in leavers] == ["contained"]
    assert (outcome["failures"], outcome["table"][0]) == ([], "1 of 1 leaver is contained")
    assert outcome["ansible_stats"]["data"]["m365_offboarding"]["localhost"]["contained"] == [JANE["id"]]
    assert run.act("evidence")["files"] == {"localhost": [str(path)]}
    whole = json.loads(path.read_text())
    assert whole["complete"] is True
    assert whole["hosts"]["localhost"]["leavers"] == leavers


def test_in_check_mode_only_the_end_is_written(tmp_path):
    run, path = OffboardingRun(check_mode=True), tmp_path / "a.json"
    run.validate(leavers=JANE["user"], report_path=str(path))
    run.begin(JANE)
    assert run.step("password") == {}
    assert not path.exists()

    assert run.act("conclude")["ansible_stats"]["data"]["m365_offboarding"]["localhost"]["dry_run"] is True
    run.act("evidence")
    assert json.loads(path.read_text())["check_mode"] is True


def test_leavers_go_in_batches_and_the_rest_keeps_its_place():
    run = OffboardingRun()
    run.validate(leavers=[JANE["user"], MILES["user"]], batch_size=1)
    run.begin(JANE, MILES)
    batches = run.hosts["localhost"]["__offboard_employee_opening"]["batches"]
    assert [[one["user"] for one in batch] for batch in batches] == [[JANE["id"]], [MILES["id"]]]
    run.shut(2, "miles.obrien")

    assert [one["status"] for one in run.leavers()] == ["open", "contained"]


@pytest.mark.parametrize("others", [0, MOST_PLAIN])
def test_after_the_plan_only_the_records_of_batches_are_kept_each_apart(others):
    run = OffboardingRun()
    run.validate(leavers=[JANE["user"], MILES["user"]], batch_size=1)
    run.begin(JANE, *(read_record(f"x{number}", state="shut") for number in range(others)), MILES)
    opening = run.hosts["localhost"]["__offboard_employee_opening"]

    assert opening["opening"]["users"] == []
    assert [decoded(part) for part in opening["read"]] == [[[0, JANE]], [[others + 1, MILES]]]
    assert [isinstance(part, str) for part in opening["read"]] == [others > 0] * 2
    run.shut(2, "miles.obrien")
    assert [one["status"] for one in run.leavers()] == ["open", *["contained"] * (others + 1)]


def test_a_step_of_another_batch_says_nothing_about_this_one(tmp_path):
    run, path = OffboardingRun(), tmp_path / "a.json"
    run.validate(leavers=[JANE["user"], MILES["user"]], batch_size=1, report_path=str(path))
    run.begin(JANE, MILES)
    run.put("password", all_steps("miles.obrien")[0]["result"])
    run.step("sessions")

    (jane, _miles) = json.loads(path.read_text())["hosts"]["localhost"]["leavers"]
    assert set(statuses(jane)) == {"pending"}


def test_a_run_does_not_take_up_the_record_of_the_run_before(tmp_path):
    run = OffboardingRun()
    for _again in range(2):
        run.validate(leavers=JANE["user"], report_path=str(tmp_path / "a.json"))
        run.begin(JANE)
        run.act("evidence")

    assert len(list(tmp_path.glob("*.json"))) == 2


def test_a_look_that_was_skipped_found_nobody():
    run = OffboardingRun()
    run.validate(leavers=[])
    run.put("opening", {"skipped": True})
    run.put("opening", run.act("plan"))

    outcome = run.act("conclude")
    assert (run.leavers(), outcome["table"]) == ([], ["No leavers"])
    assert outcome["failures"][0].startswith("No leavers")


def test_warnings_of_a_read_that_is_kept_out_of_the_log_are_shown_by_the_plan():
    """ansible-core before 2.19 hides them with the results; later it shows them, and registers them as objects."""
    run = OffboardingRun()
    run.validate(leavers=JANE["user"])
    run.put("opening", {"users": [JANE], "warnings": ["protected_users: x@contoso.com was not found.", object()]})

    assert run.act("plan")["warnings"] == ["protected_users: x@contoso.com was not found."]


def test_a_tenant_that_cannot_be_looked_at_fails_with_its_error():
    run = OffboardingRun()
    run.validate(leavers=JANE["user"])
    run.put("opening", {"msg": "no token", "error": problem("no_token", "There is no token.")})
    run.put("opening", run.act("plan"))

    outcome = run.act("conclude")
    assert outcome["table"] == ["No user was read; nothing was sent"]
    assert outcome["failures"][0].startswith("There is no token.")
    assert outcome["ansible_stats"]["data"]["m365_offboarding"]["localhost"]["error"] == "no_token"


# --- several hosts ---


def test_hosts_share_a_file_and_one_that_fell_out_stands_in_it(tmp_path):
    run, both, own = OffboardingRun("a", "b", "c"), tmp_path / "both.json", tmp_path / "own.JSON"
    run.validate("a", leavers=JANE["user"], report_path=[str(both)])
    run.validate("b", leavers=MILES["user"], report_path=[str(both), str(own)])
    run.begin(JANE, host="a")
    run.begin(MILES, host="b")
    # One host writes for all.
    assert set(run.step("password", host="a")) == {"a", "b"}
    assert run.step("password", host="b") == {}

    assert run.act("evidence")["files"] == {"a": [str(both)], "b": [str(both), str(own)]}
    reported = json.loads(both.read_text())["hosts"]
    assert {host: one["error"] and one["error"]["code"] for host, one in reported.items()} == {
        "a": None,
        "b": None,
        "c": "not_reached",
    }
    assert list(json.loads(own.read_text())["hosts"]) == ["b", "c"]
    assert [one["user"] for one in run.leavers("b")] == [MILES["user"]]


@pytest.mark.parametrize("strategy", ["free", "ansible.builtin.host_pinned"])
def test_hosts_that_do_not_wait_for_each_other_share_a_file(tmp_path, monkeypatch, strategy):
    """One host is at its end before the next begins: nothing that is known of either is lost."""
    (tmp_path / "local").mkdir()
    monkeypatch.setattr("ansible.constants.DEFAULT_LOCAL_TMP", str(tmp_path / "local"))
    run, both, own = OffboardingRun("a", "b", "c", strategy=strategy), tmp_path / "both.json", tmp_path / "own.json"

    def reported():
        hosts = json.loads(both.read_text())
        return hosts["complete"], {
            host: (len(one["leavers"]), bool(one["error"])) for host, one in hosts["hosts"].items()
        }

    run.validate("a", leavers=JANE["user"], report_path=[str(both)])
    run.begin(JANE, host="a")
    run.step("password", host="a")
    assert reported() == (False, {"a": (1, False)})
    assert run.act("evidence", "a")["files"] == {"a": [str(both)]}
    # The other hosts have not come, or never will: as with any other strategy, the file says so.
    assert reported() == (True, {"a": (1, False), "b": (0, True), "c": (0, True)})

    run.validate("b", leavers=MILES["user"], report_path=[str(both), str(own)])
    run.begin(MILES, host="b")
    run.step("password", host="b")
    assert reported() == (False, {"a": (1, False), "b": (1, False)})
    assert run.act("evidence", "b")["files"] == {"b": [str(both), str(own)]}

    assert reported() == (True, {"a": (1, False), "b": (1, False), "c": (0, True)})
    assert sorted(one.name for one in tmp_path.iterdir() if one.suffix != ".sha256") == [
        "both.json",
        "local",
        "own.json",
    ]
    # The same host runs the role once more: a run of its own, with a file of its own.
    run.validate("b", leavers=MILES["user"], report_path=[str(both)])
    run.begin(MILES, host="b")
    ((_host, (again,)),) = run.act("evidence", "b")["files"].items()
    assert again != str(both)


def test_a_tenant_whose_results_cannot_be_joined_stops_no_other():
    run = OffboardingRun("a", "b")
    broken = {name: value for name, value in JANE.items() if name != "doors"}
    run.validate("a", leavers=JANE["user"])
    run.validate("b", leavers=MILES["user"])
    run.begin(JANE, host="a")
    run.begin(MILES, host="b")
    run.hosts["a"]["__offboard_employee_opening"]["read"] = [[[0, broken]]]
    run.step("sessions", host="a")
    run.put("state", run.act("batch_done", "a", batch=1), "a")

    assert run.act("conclude", "a")["failures"][0].startswith("The results of a could not be recorded (KeyError)")
    assert [one["status"] for one in run.leavers("b")] == ["open"]


def test_the_first_host_that_goes_through_a_step_writes_for_all(tmp_path):
    run, path = OffboardingRun("a", "b"), tmp_path / "a.json"
    run.validate("a", leavers=JANE["user"], report_path=str(path), steps=["signin"])
    run.validate("b", leavers=MILES["user"], report_path=str(path))
    run.begin(JANE, host="a")
    run.begin(MILES, host="b")

    # The task is skipped on the first host.
    assert set(run.step("password", all_steps("miles.obrien")[0]["result"], host="b")) == {"a", "b"}
    assert set(run.step("signin", host="a")) == {"a", "b"}
    assert run.step("signin", host="b") == {}
    reported = {host: one["leavers"][0] for host, one in json.loads(path.read_text())["hosts"].items()}
    assert reported["b"]["steps"]["password"]["status"] == "verified"
    assert [one.name for one in tmp_path.glob("*.json")] == ["a.json"]


def test_a_module_outside_the_batches_of_the_role_puts_nothing_on_record(tmp_path):
    run = OffboardingRun()
    run.validate(leavers=JANE["user"], report_path=str(tmp_path / "a.json"))
    run.begin(JANE)

    known = acting.magic(run._known("localhost"))
    assert before("password", known) == ({}, {})
    known["__offboard_employee_number"] = 1
    assert before("m365_deleted_user", known) == ({}, {})
    assert list(tmp_path.iterdir()) == []


def test_between_batches_every_format_is_written_and_between_steps_json_alone(tmp_path):
    run, paths = OffboardingRun(), [str(tmp_path / "a.json"), str(tmp_path / "a.html")]
    run.validate(leavers=[JANE["user"], MILES["user"]], batch_size=1, report_path=paths)
    run.begin(JANE, MILES)
    run.step("password")
    assert not (tmp_path / "a.html").exists()

    run.shut(1, "jane.doe")
    assert (tmp_path / "a.html").exists()

    (tmp_path / "a.html").write_text("")
    run.shut(2, "miles.obrien")
    assert (tmp_path / "a.html").read_text() == ""
    # Always the same files.
    run.act("evidence")
    names = sorted(one.name for one in tmp_path.iterdir())
    assert names == ["a.html", "a.html.sha256", "a.json", "a.json.sha256"]
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
        ({"since": "nowhere.json"}, "The evidence nowhere.json cannot be read: No such file or directory."),
        ({"leavers_file": "."}, "is not a file."),
        ({"leavers_file": " "}, "leavers_file must be the path of a file."),
        ({"blocked": "perhaps"}, "offboard_employee_blocked"),
        ({"leaver_file": "a.csv"}, "did you mean offboard_employee_leavers_file?"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(variables, text):
    reported = OffboardingRun().validate(leavers="a@contoso.com", **variables)

    assert reported["failed"] is True
    assert text in reported["msg"]


def test_everything_that_is_wrong_is_said_at_once():
    reported = OffboardingRun().validate(
        leavers="a@contoso.com", batch_size=0, report_path="a.pdf", since="nowhere.json"
    )

    assert [text for text in ("batch_size", "a.pdf", "nowhere.json") if text not in reported["msg"]] == []


def test_a_report_in_the_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "a.json").mkdir()

    assert "cannot be written" in OffboardingRun().validate(report_path=str(tmp_path / "a.json"))["msg"]
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


def test_leavers_of_a_list_and_of_a_file_add_up(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("user,left_at\nb@contoso.com,2026-03-01T17:00:00Z\nc@contoso.com,\n")

    reported = OffboardingRun().validate(leavers=["a@contoso.com"], leavers_file=str(path))

    b, c = {"user": "b@contoso.com", "left_at": "2026-03-01T17:00:00Z"}, {"user": "c@contoso.com"}
    assert reported["named"] == ["a@contoso.com", b, c]
    assert reported["msg"] == f"{path}: 2 rows, 1 of them with a date (left_at)"

    path.write_text("user\nb@contoso.com\n")

    assert OffboardingRun().validate(leavers_file=str(path))["msg"] == f"{path}: 1 row, 0 of them with a date (left_at)"


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
    assert OffboardingRun().validate(leavers=leavers)["named"] == named


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
    assert OffboardingRun().validate(**variables)["allow_empty"] is allowed


def test_the_playbooks_own_variables_win_unless_they_are_empty():
    run = OffboardingRun()
    run.hosts["localhost"] = {"leavers": "jane@contoso.com", "leavers_group": "", "leavers_blocked": "true"}
    own = {"leavers": ["john@contoso.com"], "group": "Leavers"}

    reported = run.validate(playbook="audit", **own)

    assert (reported["named"], reported["group"], reported["blocked"]) == (["jane@contoso.com"], "Leavers", True)
    # In a play of somebody else's, they are somebody else's.
    assert OffboardingRun().validate(**own)["named"] == ["john@contoso.com"]


def test_what_files_and_the_tenant_say_is_never_a_template(tmp_path):
    run, path = OffboardingRun(), tmp_path / "a.csv"
    path.write_text("user\n{{ 7 * 7 }}@contoso.com\n")

    reported = run.validate(leavers_file=str(path))
    run.begin(read_record("jane.doe", display_name="{{ 7 * 7 }}"))

    assert not acting.is_template(reported["named"][0]["user"])
    assert not acting.is_template(run.leavers()[0]["display_name"])


def test_the_earlier_evidence_travels_with_the_run(tmp_path):
    run, path = OffboardingRun(), tmp_path / "since.json"
    run.validate(leavers=JANE["user"], report_path=str(path))
    run.begin(JANE, automation=TENANT)
    run.act("evidence")

    again = OffboardingRun()
    again.validate(leavers=JANE["user"], since=str(path))
    path.unlink()
    again.begin(JANE, automation=TENANT)

    since = again.leavers()[0]["since"]
    assert {name: since[name] for name in ("newly_open", "newly_shut", "new")} == {
        "newly_open": [],
        "newly_shut": [],
        "new": False,
    }
    assert since["still_open"] == JANE["open"]


# --- exceptions, and what fails a run ---

ACCEPTED = {"doors": "all", "reason": "Handover.", "accepted_by": "Chris Cio", "until": "2999-12-31"}


def audited(*records, **variables):
    """Return what a run of the audit concludes."""
    run = OffboardingRun()
    run.validate(leavers=[one["user"] for one in records], **variables)
    run.put("opening", {"users": list(records), "check_mode": False})
    run.put("opening", run.act("plan"))
    return run.act("conclude")


def test_an_accepted_leaver_is_reported_and_does_not_fail_and_is_shut_like_any_other(tmp_path):
    exceptions = [{"user": JANE["user"], **ACCEPTED}, {"user": "jnae.doe@contoso.com", **ACCEPTED}]
    outcome = audited(JANE, exceptions=exceptions)
    assert (outcome["failures"], outcome["table"][0]) == ([], "0 of 1 leaver is contained, 1 accepted")
    assert "The exception for jnae.doe@contoso.com matches nobody" in " ".join(outcome["table"])
    assert outcome["ansible_stats"]["data"]["m365_offboarding"]["localhost"]["accepted"] == [JANE["id"]]

    run, path = OffboardingRun(), tmp_path / "a.json"
    run.validate(leavers=JANE["user"], exceptions=exceptions, report_path=str(path))
    run.begin(JANE)
    assert [
        [one["user"] for one in batch] for batch in run.hosts["localhost"]["__offboard_employee_opening"]["batches"]
    ] == [[JANE["id"]]]
    run.shut(1, "jane.doe")
    run.act("evidence")
    host = json.loads(path.read_text())["hosts"]["localhost"]
    assert (host["leavers"][0]["status"], host["leavers"][0]["accepted"]) == ("contained", [])
    assert [(one["state"], one["leavers"]) for one in host["exceptions"]] == [
        ("in_force", [JANE["id"]]),
        ("unmatched", []),
    ]


def test_exceptions_come_from_a_file_as_well_whose_lines_are_named(tmp_path):
    path = tmp_path / "exceptions.yml"
    path.write_text(json.dumps([{"user": JANE["user"], **ACCEPTED}]))
    assert audited(JANE, exceptions_file=str(path))["failures"] == []
    path.write_text(f"- user: {JANE['user']}\n  doors: all\n")
    for how in ({"exceptions_file": str(path)}, {"exceptions": [{"user": JANE["user"]}]}, {"exceptions": "all"}):
        reported = OffboardingRun().validate(leavers=JANE["user"], playbook="audit", purpose="audit", **how)
        assert reported["failed"]
        assert "exceptions" in reported["msg"]
    # An offboarding goes on without exceptions.
    for file, reason in (
        (path, "line 1 (entry 1): it lacks reason, accepted_by"),
        (tmp_path / "x.csv", "does not exist"),
    ):
        request = OffboardingRun().validate(leavers=JANE["user"], exceptions_file=str(file))
        assert (request["exceptions"], request["mailbox_types"]) == ([], False)
        assert reason in request["exceptions_error"]


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"blocked": True}, True),
        ({"exceptions": [{"user": JANE["user"], **ACCEPTED}]}, False),
        ({"exceptions": [{"kind": "RoomMailbox", **ACCEPTED}]}, True),
    ],
)
def test_types_of_mailboxes_are_read_where_they_may_decide(variables, wanted):
    assert OffboardingRun().validate(leavers=JANE["user"], **variables)["mailbox_types"] is wanted


@pytest.mark.parametrize(
    ("fail_on", "fails"), [(None, True), (["open"], True), ("new,failed", True), (["failed"], False)]
)
def test_the_role_fails_on_what_was_chosen(fail_on, fails):
    chosen = {} if fail_on is None else {"fail_on": fail_on}
    assert bool(audited(JANE, **chosen)["failures"]) is fails


@pytest.mark.parametrize("fail_on", [[], "", ["opened"], {"new": True}])
def test_a_choice_that_is_empty_or_unknown_is_refused(fail_on):
    reported = OffboardingRun().validate(leavers=JANE["user"], fail_on=fail_on)
    assert reported["failed"]
    assert "offboard_employee_fail_on" in reported["msg"]


def test_an_argument_that_does_not_exist_is_refused():
    with pytest.raises(AnsibleError, match="unknown"):
        OffboardingRun().act("plan", unknown=1)


# --- what an auditor asks ---


def test_reason_and_ticket_stand_in_the_evidence_and_checksums_are_reported(tmp_path):
    run, path = OffboardingRun(), tmp_path / "a.json"
    run.validate(
        playbook="offboard", leavers=JANE["user"], report_path=str(path), reason="Left", ticket=4711, approved_by="Olga"
    )
    run.hosts["localhost"] |= {"tower_job_id": 7, "tower_workflow_job_id": 6, "tower_user_name": "sam"}
    run.begin(JANE)

    reported = run.act("evidence")

    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert reported["lines"] == {"localhost": [f"Report: {path} (SHA-256 {digest})"]}
    assert reported["ansible_stats"] == {
        "data": {"m365_offboarding_7": {"localhost": {"sha256": [digest]}}},
        "per_host": False,
        "aggregate": True,
    }
    facts = json.loads(path.read_text())["run"]
    names = ("job_id", "workflow_job_id", "launched_by", "os_user", "reason", "ticket", "approved_by")
    assert [facts[name] for name in names] == ["7", "6", "sam", None, "Left", "4711", "Olga"]


def test_the_earlier_evidence_is_a_link_of_the_chain_and_hosts_that_share_a_file_share_it(tmp_path):
    run = OffboardingRun("a", "b")
    monday = tmp_path / "monday.json"
    for host in ("a", "b"):
        run.validate(host, leavers=JANE["user"], report_path=str(monday))
        run.begin(JANE, host=host)
    run.act("evidence")
    link = {"file": "monday.json", "sha256": hashlib.sha256(monday.read_bytes()).hexdigest()}

    for host in ("a", "b"):
        run.validate(host, since=str(monday), report_path=str(tmp_path / "tuesday.json"))
        run.begin(JANE, host=host)
    run.act("evidence")

    assert json.loads(monday.read_text())["chain"] == []
    assert json.loads((tmp_path / "tuesday.json").read_text())["chain"] == [link]


@pytest.mark.parametrize(("purpose", "fails"), [("audit", True), ("offboard", False)])
def test_a_leaver_who_was_late_fails_an_audit_until_the_evidence_says_so(tmp_path, purpose, fails):
    left = {"left_at": "2026-11-20T12:00:00Z"}
    shut = read_record("jane.doe", state="shut", **left)

    def play(record, path, **given):
        run = OffboardingRun()
        run.validate(leavers=JANE["user"], contain_within="2h", report_path=str(tmp_path / path), **given)
        run.hosts["localhost"]["__offboard_employee_request"]["purpose"] = purpose
        run.begin(record, read_at="2026-11-21T00:00:00Z", automation=TENANT)
        outcome = run.act("conclude")
        run.act("evidence")
        return outcome["failures"]

    # The password of these records was reset at 15:00, three hours after leaving.
    assert bool(play(shut, "first.json")) is fails
    assert play(shut, "second.json", since=str(tmp_path / "first.json")) == []
    opened = play(read_record("jane.doe", **left), "third.json", since=str(tmp_path / "first.json"))
    assert ("late: not contained, and the period is over" in opened[0]) is fails


def test_a_period_that_is_none_is_refused_before_anything_is_sent():
    reported = OffboardingRun().validate(leavers=JANE["user"], contain_within="4 hours")

    assert reported["failed"] is True
    assert reported["msg"].startswith("contain_within is '4 hours'")


def test_the_results_of_many_replace_those_of_an_earlier_run_on_an_old_core(monkeypatch):
    """A variable that was set beats a fact: the results of the earlier run would stay."""
    monkeypatch.setattr(_cores, "_IS_OLD", True)
    monkeypatch.setattr(_cores, "_MOST_AS_TEXT", 0)
    run = OffboardingRun()
    run.validate(purpose="audit", leavers=["jane.doe@contoso.com"])
    run.begin(JANE)
    first = run.act("conclude")
    assert "leavers" not in first
    (leaver,) = first["ansible_facts"]["offboard_employee_result"]

    run.hosts["localhost"]["offboard_employee_result"] = []
    again = run.act("conclude")

    assert "ansible_facts" not in again
    assert [one["user"] for one in again["leavers"]] == [leaver["user"]] == ["jane.doe@contoso.com"]
