# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One verdict per leaver, given on what was read last and never better than that."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils._results import results as join
from fakes.people import SWITCHES
from fakes.records import (
    ACCOUNT,
    STEPS,
    P,
    S,
    all_steps,
    doors,
    problem,
    read_record,
    run_of,
    step_record,
    unknown_record,
)

JANE = "jane.doe"
OPEN, SHUT = read_record(JANE), read_record(JANE, state="shut")
# What a step looks at, as the evidence has it.
FACTS = {
    "password": {"last_password_change_date_time": SHUT["last_password_change_date_time"]},
    "sessions": {"sign_in_sessions_valid_from_date_time": SHUT["sign_in_sessions_valid_from_date_time"]},
    "signin": {"account_enabled": False},
    "protocols": SHUT["mailbox_protocols"],
}


def one(opening, **more):
    (result,) = join([opening], **{"steps": STEPS, **more})
    return result


def test_a_user_who_went_through_all_steps_and_was_read_as_shut_is_contained():
    result = one(OPEN, runs=all_steps(JANE), closing=[SHUT])

    assert (result["status"], result["contained"]) == ("contained", True)
    assert (result["open"], result["unconfirmed"], result["not_looked_at"]) == ([], [], [])
    assert [entry["status"] for entry in result["steps"].values()] == ["verified"] * 4
    assert list(result["steps"]) == list(STEPS)


def test_what_the_steps_say_counts_less_than_what_was_read_last():
    result = one(OPEN, runs=all_steps(JANE), closing=[OPEN])

    assert (result["status"], result["contained"]) == ("open", False)
    assert result["open"] == [*ACCOUNT, *SWITCHES]


def test_without_a_closing_read_the_opening_one_counts_and_nobody_is_called_contained_for_nothing():
    assert one(OPEN, runs=all_steps(JANE), closing=[])["contained"] is False


def test_a_step_that_failed_keeps_its_error_and_the_later_ones_their_success():
    runs = all_steps(JANE, sessions="failed")

    result = one(OPEN, runs=runs, closing=[read_record(JANE, doors={**doors("shut"), "sessions": "open"})])

    assert (result["status"], result["open"]) == ("failed", ["sessions"])
    assert [entry["status"] for entry in result["steps"].values()] == ["verified", "failed", "verified", "verified"]
    assert result["steps"]["sessions"]["error"]["message"] == "It did not work."


def test_a_failed_step_whose_door_is_read_as_shut_is_not_a_failure():
    result = one(OPEN, runs=all_steps(JANE, signin="failed"), closing=[SHUT])

    assert (result["status"], result["contained"]) == ("contained", True)
    assert result["steps"]["signin"]["status"] == "failed"


@pytest.mark.parametrize(
    "result", [{"users": [], "msg": "no token"}, {"msg": "no token"}, {"users": [], "error": problem("x", "no token")}]
)
def test_a_module_without_records_fails_everyone_who_was_to_go_through_it(result):
    ann, bob, done = read_record("ann"), read_record("bob"), read_record("done", state="shut")
    run = {"step": "signin", "users": [{"user": ann["id"]}, {"user": bob["id"], "left_at": "x"}], "result": result}

    results = join([ann, bob, done], steps=STEPS, runs=[run], closing=[ann, bob])

    assert [entry["status"] for entry in results] == ["failed", "failed", "contained"]
    for entry in results[:2]:
        assert entry["steps"]["signin"]["status"] == "failed"
        assert "no token" in entry["steps"]["signin"]["error"]["message"]


def test_a_door_that_was_written_and_never_seen_shut_is_unconfirmed_not_open():
    last = read_record(JANE, doors={**doors("shut"), "signin": "open"})

    result = one(OPEN, runs=all_steps(JANE, signin="accepted"), closing=[last])

    assert (result["status"], result["contained"]) == ("unconfirmed", False)
    assert (result["open"], result["unconfirmed"]) == ([], ["signin"])


@pytest.mark.parametrize("step", STEPS)
def test_accepted_and_later_read_as_shut_is_verified_by_that_reading(step):
    shut_by = "2026-11-20T16:00:02Z"
    last = {**SHUT, "surely_shut_by": {"password": shut_by, "sessions": shut_by}}

    result = one(OPEN, runs=all_steps(JANE, **{step: "accepted"}), closing=[last])

    assert result["contained"] is True
    entry = result["steps"][step]
    assert (entry["status"], entry["after"]) == ("verified", FACTS[step])
    assert entry["effective_by"] == (shut_by if step in ("password", "sessions") else None)


@pytest.mark.parametrize("state", ["open", "unknown"])
def test_accepted_with_one_protocol_that_is_not_read_as_shut_stays_accepted(state):
    last = read_record(JANE, doors={**doors("shut"), "owa": state})

    result = one(OPEN, runs=all_steps(JANE, protocols="accepted"), closing=[last])

    assert result["steps"]["protocols"]["status"] == "accepted"
    assert (result["open"], result["unconfirmed"]) == ([], ["owa"])


@pytest.mark.parametrize(("moment", "status"), [("2026-11-20T15:00:03Z", "verified"), (S, "accepted")])
def test_a_sign_out_is_seen_by_its_moment_where_sign_in_is_still_open(moment, status):
    found = {"sign_in_sessions_valid_from_date_time": S}
    last = read_record(JANE, sign_in_sessions_valid_from_date_time=moment)
    runs = [run_of("sessions", step_record(JANE, "accepted", before=found)), *all_steps(JANE, signin="failed")[2:]]

    result = one(OPEN, runs=runs, closing=[last])

    assert result["steps"]["sessions"]["status"] == status
    assert ("sessions" in result["open"]) is (status == "verified")


def test_accepted_without_a_closing_read_stays_accepted():
    assert one(OPEN, runs=all_steps(JANE, signin="accepted"))["steps"]["signin"]["status"] == "accepted"


def test_a_door_that_could_not_be_read_is_unconfirmed():
    last = read_record(JANE, doors={**doors("shut", ACCOUNT), "owa": "unknown"})

    result = one(OPEN, runs=all_steps(JANE), closing=[last])

    assert (result["contained"], result["unconfirmed"]) == (False, ["owa"])


@pytest.mark.parametrize("left_out", STEPS)
def test_a_user_who_has_a_step_left_out_is_never_contained(left_out):
    steps = tuple(step for step in STEPS if step != left_out)
    record = read_record(JANE, doors=doors("shut", steps))

    result = one(record, steps=steps)

    assert (result["status"], result["contained"]) == ("partial", False)
    assert result["not_looked_at"] == [left_out]
    assert left_out not in result["steps"]


# --- audits: a first read and nothing else ---


def test_an_audit_reports_open_doors_as_planned():
    result = one(OPEN)

    assert (result["status"], result["contained"]) == ("open", False)
    assert [entry["status"] for entry in result["steps"].values()] == ["planned"] * 4


def test_an_audit_of_a_user_who_is_shut_is_unchanged_and_contained():
    record = read_record(JANE, state="shut", surely_shut_by={"password": "2026-11-20T16:00:02Z"})

    result = one(record)

    assert (result["status"], result["contained"]) == ("contained", True)
    assert [entry["status"] for entry in result["steps"].values()] == ["unchanged"] * 4
    assert result["steps"]["password"]["effective_by"] == "2026-11-20T16:00:02Z"


def test_an_audit_of_a_user_without_such_doors_is_not_applicable_and_contained():
    states = {**doors("not_applicable"), "signin": "shut"}

    result = one(read_record(JANE, doors=states))

    assert result["contained"] is True
    assert result["steps"]["password"]["status"] == result["steps"]["protocols"]["status"] == "not_applicable"


def test_an_audit_of_a_mailbox_that_could_not_be_read_fails_that_step():
    error = problem("http_403", "Could not read the mailbox.")
    states = {**doors("shut", ACCOUNT), **doors("unknown", ("protocols",))}

    result = one(read_record(JANE, doors=states, status="failed", error=error))

    assert (result["status"], result["contained"]) == ("failed", False)
    assert result["steps"]["protocols"]["status"] == "failed"
    assert result["steps"]["signin"]["status"] == "unchanged"


# --- who did not go through ---


def test_a_user_who_is_refused_is_read_and_reported_and_open_counts_as_open():
    error = problem("protected", "It is protected.")

    result = one(OPEN, refused={OPEN["id"]: error})

    assert (result["status"], result["contained"], result["error"]) == ("refused", False, error)
    assert result["open"] == [*ACCOUNT, *SWITCHES]
    assert {entry["status"] for entry in result["steps"].values()} == {"refused"}


def test_a_refused_leaver_has_shut_doors_unchanged():
    record = read_record(JANE, doors={**doors("shut"), "signin": "open"})

    result = one(record, refused={record["id"]: problem("administrator", "Holds a role.")})

    statuses = {step: entry["status"] for step, entry in result["steps"].items()}
    assert statuses == {"password": "unchanged", "sessions": "unchanged", "signin": "refused", "protocols": "unchanged"}


def test_a_refusal_by_a_step_itself_is_a_refusal():
    runs = [run_of("signin", step_record(JANE, "refused"))]

    assert one(OPEN, runs=runs, closing=[OPEN])["status"] == "refused"


def test_a_user_who_leaves_later_is_not_due_and_no_failure():
    result = one(read_record(JANE, due=False, left_at="2026-12-01T00:00:00Z"))

    assert (result["status"], result["contained"]) == ("not_due", False)
    assert {entry["status"] for entry in result["steps"].values()} == {"not_due"}


def test_a_name_that_means_nobody_is_failed_and_never_contained():
    result = one(unknown_record())

    assert (result["status"], result["contained"]) == ("failed", False)
    assert {entry["status"] for entry in result["steps"].values()} == {"failed"}
    assert result["error"]["code"] == "not_found"


# --- what was read last, or was not ---


def test_a_user_who_was_written_to_and_not_found_again_is_unconfirmed_and_failed():
    gone = {**unknown_record(), "user": OPEN["id"]}

    result = one(OPEN, runs=all_steps(JANE), closing=[gone])

    assert (result["status"], result["contained"], result["open"]) == ("failed", False, [])
    assert result["unconfirmed"] == [*ACCOUNT, *SWITCHES]
    assert result["reasons"] == [{"doors": result["unconfirmed"], "reason": gone["error"]["message"]}]
    assert result["error"] == gone["error"]


def test_a_user_who_was_written_to_and_not_read_again_is_not_shown_as_before():
    result = one(OPEN, runs=all_steps(JANE), closing=[])

    assert (result["status"], result["open"]) == ("failed", [])
    assert result["unconfirmed"] == [*ACCOUNT, *SWITCHES]
    assert "not read again" in result["reasons"][0]["reason"]


def test_a_door_that_does_not_exist_stays_so_without_a_closing_read():
    record = read_record(JANE, doors={**doors("open", ACCOUNT), **doors("not_applicable", ("protocols",))})

    assert one(record, runs=all_steps(JANE), closing=[])["unconfirmed"] == list(ACCOUNT)


def test_a_user_who_is_found_among_the_deleted_is_deleted_and_not_open():
    gone = {**unknown_record(), "user": OPEN["id"], "error": problem("deleted", "It was deleted.")}
    runs = all_steps(JANE, protocols="failed")

    result = one(OPEN, runs=runs, closing=[gone])

    assert (result["status"], result["contained"]) == ("deleted", False)
    assert (result["open"], result["unconfirmed"]) == ([], [])
    assert result["error"]["code"] == "deleted"


def test_a_user_who_was_deleted_before_the_run_is_deleted_and_did_not_fail():
    gone = {**unknown_record(), "error": problem("deleted", "It was deleted.")}

    result = one(gone)

    assert (result["status"], result["contained"]) == ("deleted", False)
    assert (result["open"], result["unconfirmed"]) == ([], [])
    assert result["error"]["code"] == "deleted"
    assert {entry["status"] for entry in result["steps"].values()} == {"not_applicable"}


@pytest.mark.parametrize("code", ["not_found", "newer_account", "other_account", "http_503", "ambiguous"])
def test_whoever_is_not_there_for_another_reason_failed(code):
    assert one({**unknown_record(), "error": problem(code, "No.")})["status"] == "failed"


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_found_nobody_fails_by_the_name_that_was_asked_for(step):
    """The record of a name that was not found has no id: it must be joined all the same."""
    runs = all_steps(JANE)
    lost = {**step_record(JANE, "failed"), "id": None, "user_principal_name": None, "user": OPEN["id"].upper()}
    runs[STEPS.index(step)] = run_of(step, lost)

    result = one(OPEN, runs=runs, closing=[OPEN])

    assert result["status"] == "failed"
    assert result["steps"][step]["status"] == "failed"
    assert result["steps"][step]["error"]["message"] == "It did not work."
    assert "planned" not in {entry["status"] for entry in result["steps"].values()}


def test_a_leaver_left_out_by_a_step_is_failed():
    runs = all_steps(JANE)
    runs[2]["result"]["users"] = []

    result = one(OPEN, runs=runs, closing=[OPEN])

    assert (result["status"], result["steps"]["signin"]["status"]) == ("failed", "failed")
    assert result["steps"]["signin"]["error"]["code"] == "no_records"


@pytest.mark.parametrize("code", ["http_503", "not_found"])
def test_a_mailbox_that_could_not_be_read_at_the_end_is_reported_with_the_reason(code):
    error = problem(code, "Could not read the mailbox.")
    states = {**doors("shut", ACCOUNT), **doors("unknown", ("protocols",))}
    last = read_record(JANE, doors=states, status="failed", error=error)
    last["account_enabled"] = False

    result = one(OPEN, runs=all_steps(JANE, protocols="accepted"), closing=[last])

    assert (result["status"], result["unconfirmed"]) == ("failed", list(SWITCHES))
    assert result["reasons"] == [{"doors": list(SWITCHES), "reason": "Could not read the mailbox."}]


def reset_at(moment, status="verified", **facts):
    before = {"last_password_change_date_time": "2026-11-01T08:00:00Z"}
    after = {"last_password_change_date_time": moment}
    return [run_of("password", step_record(JANE, status, before=before, after=after, **facts)), *all_steps(JANE)[1:]]


@pytest.mark.parametrize(
    ("reset", "status", "verdict"),
    [
        (P, "verified", "contained"),
        ("2026-11-20T14:59:58Z", "verified", "open"),
        ("2026-11-20T14:59:59Z", "verified", "open"),
        ("2026-11-20T14:59:59Z", "unchanged", "open"),
        ("2026-11-20T15:00:01Z", "verified", "unconfirmed"),
    ],
)
def test_another_password_than_the_one_that_the_step_wrote_is_open(reset, status, verdict):
    result = one(OPEN, runs=reset_at(reset, status), closing=[SHUT])

    assert (result["status"], result["contained"]) == (verdict, verdict == "contained")
    assert result["open"] == (["password"] if verdict == "open" else [])
    assert result["unconfirmed"] == (["password"] if verdict == "unconfirmed" else [])
    if verdict == "open":
        assert f"changed again at {P}" in result["reasons"][0]["reason"]
        assert reset in result["reasons"][0]["reason"]


def test_an_older_trace_is_not_a_reset_of_this_run():
    """The employee changed the password minutes ago, and our reset failed: block and sign-out make it look like ours."""
    opening = read_record(JANE)
    runs = all_steps(JANE, password="failed")

    result = one(opening, runs=runs, closing=[SHUT])

    assert (result["status"], result["open"]) == ("failed", ["password"])
    assert result["reasons"] == [{"doors": ["password"], "reason": "It did not work."}]


def test_the_reason_of_a_write_that_did_not_show_names_its_time():
    last = read_record(JANE, doors={**doors("shut"), "signin": "open"})

    result = one(OPEN, runs=all_steps(JANE, signin="accepted"), closing=[last])

    (reason,) = [entry["reason"] for entry in result["reasons"] if entry["doors"] == ["signin"]]
    assert "2026-11-20T16:00:00Z" in reason
    assert "within verify_timeout" in reason


def test_a_mailbox_that_is_gone_at_the_end_proves_nothing():
    last = read_record(JANE, state="shut", doors={**doors("shut", ACCOUNT), **doors("not_applicable", ("protocols",))})
    record = step_record(JANE, "accepted", before=dict.fromkeys(SWITCHES, True))

    result = one(OPEN, runs=[*all_steps(JANE)[:3], run_of("protocols", record)], closing=[last])

    assert (result["status"], result["unconfirmed"]) == ("unconfirmed", list(SWITCHES))


# --- facts ---


def test_facts_and_notes_of_the_steps_go_into_the_evidence():
    record = step_record(
        JANE,
        "verified",
        before={"account_enabled": True},
        after={"account_enabled": False},
        effective_by="2026-11-21T16:00:00Z",
        request_id="5f0b6a5e-4c0e-4a3e-8a57-0e8a54c1c7b2",
        note="A note.",
    )

    entry = one(OPEN, runs=[run_of("signin", record)], closing=[SHUT])["steps"]["signin"]

    assert entry == {
        "status": "verified",
        "done": "blocked now",
        "before": {"account_enabled": True},
        "after": {"account_enabled": False},
        "written_at": "2026-11-20T16:00:00Z",
        "effective_by": "2026-11-21T16:00:00Z",
        "request_id": "5f0b6a5e-4c0e-4a3e-8a57-0e8a54c1c7b2",
        "note": "A note.",
        "error": None,
    }


def test_the_password_is_surely_shut_by_the_time_that_the_closing_read_knows():
    closing = read_record(JANE, state="shut", surely_shut_by={"password": "2026-11-20T17:00:02Z"})

    result = one(OPEN, runs=all_steps(JANE), closing=[closing])

    assert result["steps"]["password"]["effective_by"] == "2026-11-20T17:00:02Z"


def test_in_check_mode_doors_stay_open_and_planned():
    result = one(OPEN, runs=all_steps(JANE, "planned"), closing=[OPEN])

    assert (result["status"], result["contained"]) == ("open", False)
    assert {entry["status"] for entry in result["steps"].values()} == {"planned"}


def test_everybody_has_one_result_in_the_order_asked_for():
    names = ["cid", "ann", "bob"]

    results = join(
        [read_record(name) for name in names], steps=STEPS, closing=[read_record(name) for name in sorted(names)]
    )

    assert [result["user"] for result in results] == [f"{name}@contoso.com" for name in names]
