# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which file is believed, and which users to look at."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils import _files, _restore_files
from ansible_collections.m365.offboarding.plugins.plugin_utils._carried import decoded
from ansible_collections.m365.offboarding.plugins.plugin_utils._restore_request import restore_request
from fakes.people import person
from fakes.restoring import evidence, shut_out


def read(leavers, path="", host="", job=""):
    """Ask with what the role hands over."""
    return restore_request(leavers, evidence=path, host=host, job=job)


JANE, BOB = person("jane.doe"), person("bob")
UPN = "jane.doe@contoso.com"
GOOD = evidence(shut_out(), shut_out("bob"))


@pytest.fixture
def written(tmp_path):
    """Return a function that writes evidence, or bytes, and gives the path."""

    def write(content):
        path = tmp_path / "evidence.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return str(path)

    return write


def without(*path):
    content = copy.deepcopy(GOOD)
    holder = content
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    return content


def having(value, *path):
    content = copy.deepcopy(GOOD)
    holder = content
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return content


def test_a_leaver_is_looked_at_by_name_and_by_the_object_id_of_the_evidence(written):
    reported = read([UPN], written(GOOD), "localhost")

    assert (reported["error"], reported["names"], reported["read"]) == (None, [UPN], [UPN, JANE["id"]])
    assert (reported["left_out"], reported["job"]) == ([], "")
    (run,) = decoded(reported["evidence"])
    assert [one["user"] for one in run["hosts"]["localhost"]["leavers"]] == [UPN, "bob@contoso.com"]


@pytest.mark.parametrize("name", [UPN.upper(), JANE["id"].upper(), f" {UPN} "])
def test_names_are_known_in_any_case(written, name):
    reported = read([name], written(GOOD), "localhost")

    assert reported["names"] == [name.strip()]
    assert [one.lower() for one in reported["read"]] in ([UPN, JANE["id"]], [JANE["id"]])


def test_several_in_one_text_are_several(written):
    assert read(f"{UPN}, bob@contoso.com\n", written(GOOD), "localhost")["names"] == [UPN, "bob@contoso.com"]


def test_with_another_host_all_entries_are_candidates_until_the_tenant_is_known(written):
    content = having({"tenant_id": None, "leavers": [shut_out(id=BOB["id"])]}, "hosts", "other")

    assert read([UPN], written(content), "elsewhere")["read"] == [UPN, JANE["id"], BOB["id"]]
    assert read([UPN], written(content), "localhost")["read"] == [UPN, JANE["id"]]


def test_a_user_who_is_in_no_evidence_is_looked_at_by_name(written):
    content = evidence(shut_out(id=None))

    assert read([UPN, "ann@contoso.com"], written(content), "localhost")["read"] == [UPN, "ann@contoso.com"]


def test_without_a_file_the_names_are_all_there_is():
    reported = read([UPN], "", "localhost")

    assert (reported["error"], reported["names"], reported["read"], reported["evidence"]) == (None, [UPN], [UPN], None)


def test_evidence_of_a_run_that_was_cut_off_is_evidence(written):
    assert read([UPN], written(having(False, "complete")), "localhost")["error"] is None


def test_what_was_closed_besides_is_kept(written):
    (run,) = decoded(read([UPN], written(closed_besides()), "localhost")["evidence"])

    leaver, _bob = run["hosts"]["localhost"]["leavers"]
    assert leaver["also"]["forwarding"]["objects"][0]["before"] == {"enabled": True}


def test_a_byte_order_mark_of_an_editor_does_not_matter(written):
    assert read([UPN], written(b"\xef\xbb\xbf" + json.dumps(GOOD).encode()), "localhost")["error"] is None


LEAVER = ("hosts", "localhost", "leavers", 0)


def closed_besides(facts=None, **entry):
    """Return evidence of a leaver whose only inbox rule was disabled, but for these facts."""
    rule = {"key": "1", "kind": "inbox_rule", "name": None, "status": "verified"}
    rule |= {"before": {"enabled": True}, "after": {"enabled": False}, "error": None, **(facts or {})}
    return having({"forwarding": {"status": "verified", "objects": [rule], **entry}}, *LEAVER, "also")


STEP = (*LEAVER, "steps", "signin")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param(b"", "is not JSON", id="empty"),
        pytest.param(b"{", "is not JSON", id="half"),
        pytest.param(b"\xff\xfe{", "not UTF-8 text", id="UTF-16"),
        pytest.param(b"[" * 100_000, "nested too deeply", id="deep"),
        pytest.param(b"null", "the file is not a mapping", id="null"),
        pytest.param(b"[]", "the file is not a mapping", id="a list"),
        pytest.param(b"{}", "its format is not m365.offboarding/evidence", id="nothing in it"),
        pytest.param(having("m365.offboarding/report", "format"), "its format is not", id="another format"),
        pytest.param(having(2, "version"), "its version is not 1", id="a later version"),
        pytest.param(having("1", "version"), "its version is not 1", id="a version as text"),
        pytest.param(having(True, "version"), "its version is not 1", id="true for a version"),
        pytest.param(without("purpose"), "the file lacks 'purpose'", id="no purpose"),
        pytest.param(having("audit", "purpose"), "it is of an audit", id="an audit"),
        pytest.param(having(True, "check_mode"), "written in check mode", id="check mode"),
        pytest.param(having("no", "check_mode"), "the file.check_mode is not true or false", id="a text for a boolean"),
        pytest.param(having([], "hosts"), "the file.hosts is not a mapping", id="hosts as a list"),
        pytest.param(having(None, "hosts", "localhost"), "hosts['localhost'] is not a mapping", id="no host"),
        pytest.param(having(5, "hosts", "localhost", "tenant_id"), "tenant_id is not a text or null", id="tenant"),
        pytest.param(without("hosts", "localhost", "tenant_id"), "lacks 'tenant_id'", id="no tenant"),
        pytest.param(having({}, "hosts", "localhost", "leavers"), "leavers is not a list", id="leavers"),
        pytest.param(having("jane", *LEAVER), "leavers[0] is not a mapping", id="a leaver as text"),
        pytest.param(without(*LEAVER, "id"), "leavers[0] lacks 'id'", id="no id"),
        pytest.param(having(5, *LEAVER, "id"), "leavers[0].id is not a text or null", id="a number as id"),
        pytest.param(having(None, *LEAVER, "user"), "leavers[0].user is not a text", id="no user"),
        pytest.param(having([], *LEAVER, "steps"), "leavers[0].steps is not a mapping", id="steps as a list"),
        pytest.param(having({}, *LEAVER, "steps", "licence"), "contains an unknown step", id="another step"),
        pytest.param(having("blocked", *STEP), "steps.signin is not a mapping", id="a step as text"),
        pytest.param(without(*STEP, "status"), "steps.signin lacks 'status'", id="no status"),
        pytest.param(having(True, *STEP, "before"), "steps.signin.before is not a mapping or null", id="before"),
        pytest.param(
            having("yes", *STEP, "before", "account_enabled"),
            "before[0] is not true or false or null",
            id="a text for a switch",
        ),
        pytest.param(
            having(1, *LEAVER, "steps", "protocols", "after", "owa"), "after[1] is not true or false or null", id="1"
        ),
        pytest.param(
            having(True, *LEAVER, "steps", "password", "after", "last_password_change_date_time"),
            "is not a text or null",
            id="true for a moment",
        ),
        pytest.param(having("broken", *STEP, "error"), "error is not a mapping or null", id="an error as text"),
        pytest.param(having([], *LEAVER, "also"), "leavers[0].also is not a mapping", id="closed besides as a list"),
        pytest.param(having({"licence": {}}, *LEAVER, "also"), "also contains an unknown step", id="a licence"),
        pytest.param(closed_besides(objects={}), "also.forwarding.objects is not a list", id="objects as a mapping"),
        pytest.param(closed_besides(objects=["1"]), "objects[0] is not a mapping", id="an object as text"),
        *(
            pytest.param(closed_besides({name: value}), f"objects[0].{name} is not", id=f"an object's {name}")
            for name, value in (
                ("key", 1),
                ("kind", None),
                ("status", []),
                ("before", "on"),
                ("after", 0),
                ("name", {}),
            )
        ),
    ],
)
def test_what_is_not_evidence_is_not_believed_and_the_place_is_named(written, content, text):
    reported = read([UPN], written(content), "localhost")

    assert text in reported["error"]
    assert "evidence.json" in reported["error"]
    assert reported["evidence"] is None


def test_no_complaint_quotes_the_file(written):
    """Whatever somebody names by mistake may hold a secret."""
    secret = "Correct-Horse-7"
    contents = [
        secret.encode(),
        json.dumps({secret: secret}).encode(),
        having(secret, "format"),
        having(secret, "purpose"),
        having({secret: 5}, *STEP, "before"),
        having({}, *LEAVER, "steps", secret),
        b"9" * 5000,
    ]

    for content in contents:
        reported = read([UPN], written(content), "localhost")
        assert reported["error"], content
        assert secret not in reported["error"]


def test_a_file_that_cannot_be_read_is_reported(tmp_path, monkeypatch):
    assert "No such file" in read([UPN], str(tmp_path / "no.json"), "localhost")["error"]
    assert f"The folder {tmp_path} contains no .json file" in read([UPN], str(tmp_path), "localhost")["error"]
    assert "is not a file" in read([UPN], "/dev/zero", "localhost")["error"]
    assert "is not a path" in read([UPN], [5], "localhost")["error"]
    monkeypatch.setattr(_files.read_bytes, "__defaults__", (1024**2, None))
    (tmp_path / "large.json").write_bytes(b" " * (1024**2 + 1))
    assert "is larger than 1,048,576 bytes" in read([UPN], str(tmp_path / "large.json"), "localhost")["error"]


# --- several files ---


def test_a_folder_is_all_its_evidence_and_what_is_none_is_named(tmp_path):
    good = {"b.json": GOOD, "a.JSON": evidence(shut_out("ann"))}
    bad = {
        "audit.json": (having("audit", "purpose"), "of an audit"),
        "check.json": (having(True, "check_mode"), "in check mode"),
        "cut.json": ({**evidence(), "complete": False}, "cut off before it had read any user"),
        "empty.json": (evidence(), "it holds no leaver"),
        "half.json": ("{", "is not JSON"),
        "later.json": (having(2, "version"), "its version is not 1"),
    }
    for name, content in {**good, **{name: content for name, (content, _text) in bad.items()}}.items():
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    (tmp_path / "b.html").write_text("no evidence, and nobody says so")
    (tmp_path / ".b.json").write_text("a draft")

    reported = read([UPN], str(tmp_path), "localhost")

    assert reported["error"] is None
    assert sorted(run["path"] for run in decoded(reported["evidence"])) == sorted(str(tmp_path / name) for name in good)
    assert len(reported["left_out"]) == len(bad)
    for name, (_content, text) in bad.items():
        (sentence,) = [one for one in reported["left_out"] if name in one]
        assert text in sentence


def test_a_folder_in_which_nothing_is_evidence_is_refused_with_all_reasons(tmp_path):
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text("[]")

    reported = read([UPN], str(tmp_path), "localhost")

    assert "a.json is not JSON" in reported["error"]
    assert "b.json cannot be used" in reported["error"]


@pytest.mark.parametrize("given", ["list", "comma", "lines", "twice"])
def test_several_files_are_named_in_a_list_or_a_text(tmp_path, given):
    paths = [str(tmp_path / "a, of monday.json"), str(tmp_path / "b.json")]
    if given in ("comma", "lines"):
        paths[0] = str(tmp_path / "a.json")
    for path in paths:
        Path(path).write_text(json.dumps(GOOD))
    value = {
        "list": paths,
        "comma": ", ".join(paths),
        "lines": "\n".join([*paths, ""]),
        "twice": [*paths, str(tmp_path / "." / "b.json")],
    }[given]

    assert [run["path"] for run in decoded(read([UPN], value, "localhost")["evidence"])] == paths


def test_a_named_file_that_is_not_evidence_stops_all_others(tmp_path):
    (tmp_path / "good.json").write_text(json.dumps(GOOD))
    (tmp_path / "audit.json").write_text(json.dumps(having("audit", "purpose")))
    good, audit = str(tmp_path / "good.json"), str(tmp_path / "audit.json")

    assert "No such file" in read([UPN], [good, str(tmp_path / "typo.json")], "localhost")["error"]
    reported = read([UPN], [good, audit], "localhost")
    assert (reported["error"], len(reported["left_out"])) == (None, 1)


def test_a_job_is_found_by_its_number_inside_a_file(tmp_path):
    (tmp_path / "offboard-7.json").write_text(json.dumps({**GOOD, "run": {"job_id": "8"}}))

    assert read([UPN], str(tmp_path), "localhost", 8)["error"] is None
    assert (
        "No evidence comes from a job or workflow with the number 7"
        in read([UPN], str(tmp_path), "localhost", "7")["error"]
    )
    assert "needs restore_employee_evidence" in read([UPN], "", "localhost", "7")["error"]


def of_awx(started_at, job, workflow):
    return {**GOOD, "run": {"started_at": started_at, "job_id": job, "workflow_job_id": workflow}}


def test_a_workflow_is_found_by_the_number_that_people_see(tmp_path):
    """A survey gives an integer, the evidence holds texts, and the job's own number is used as before."""
    (tmp_path / "offboard-4711.json").write_text(json.dumps(of_awx("2026-11-16T10:00:00Z", "4711", "4709")))
    (tmp_path / "by-hand.json").write_text(json.dumps(of_awx("2026-11-17T10:00:00Z", "4713", None)))

    for number in (4709, "4709", 4711, " 4711 "):
        assert read([UPN], str(tmp_path), "localhost", number)["error"] is None, number
    # The dry run of the same workflow leaves no evidence, and "None" is not a number.
    for number in (4710, "None", "470"):
        assert f"a job or workflow with the number {number}." in read([UPN], str(tmp_path), job=number)["error"]


def test_the_number_of_a_job_and_of_another_workflow_is_refused_naming_both(tmp_path):
    (tmp_path / "old.json").write_text(json.dumps(of_awx("2025-03-01T10:00:00Z", "9", "7")))
    (tmp_path / "new.json").write_text(json.dumps(of_awx("2026-11-16T10:00:00Z", "7", "5")))

    error = read([UPN], str(tmp_path), "localhost", 7)["error"]

    assert f"7 is the number of a job ({tmp_path}/new.json, 2026-11-16T10:00:00Z)" in error
    assert f"and of a workflow ({tmp_path}/old.json, 2025-03-01T10:00:00Z)" in error
    assert "nothing was sent" in error
    # The other number of each identifies one of them.
    assert [read([UPN], str(tmp_path), "localhost", number)["error"] for number in (9, 5)] == [None, None]


@pytest.mark.parametrize(
    ("leavers", "text"),
    [
        ([], "restore_employee_leavers is empty"),
        (["Jane Doe"], "'Jane Doe' is neither a user principal name nor an object ID"),
        ([UPN, 5], "restore_employee_leavers[1]: int instead of a name"),
        ([None, ""], "restore_employee_leavers[0]: empty; restore_employee_leavers[1]: empty"),
    ],
)
def test_invalid_leavers_are_refused_before_the_file_is_read(leavers, text):
    assert text in read(leavers, "/nowhere", "localhost")["error"]


def test_a_malformed_name_among_others_is_that_leavers_alone(written):
    reported = read(["Jane Doe", UPN, "jane@"], written(GOOD), "localhost")

    assert (reported["error"], reported["names"], reported["read"]) == (None, [UPN], [UPN, JANE["id"]])
    assert reported["malformed"] == [
        {"user": name, "complaint": f"{name!r} is neither a user principal name nor an object ID."}
        for name in ("Jane Doe", "jane@")
    ]


def test_malformed_names_alone_are_all_reported():
    reported = read("Jane Doe, jane@", "", "localhost")

    assert reported["error"] == (
        "'Jane Doe' is neither a user principal name nor an object ID. "
        "'jane@' is neither a user principal name nor an object ID. Nothing was sent."
    )


def test_texts_of_a_file_are_shown_without_unwanted_characters(written):
    content = copy.deepcopy(GOOD)
    for entry in content["hosts"].values():
        entry["leavers"][0]["display_name"] = "Jane \x1b[2J\ud83d"

    runs, _left_out = _restore_files.runs_to_undo(written(content))

    names = [entry["leavers"][0]["display_name"] for run in runs for entry in run["hosts"].values()]
    assert set(names) == {"Jane \ufffd[2J\ufffd"}
