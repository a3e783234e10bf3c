# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the closing read must know to tell a late reading from one that shows the writes."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils._written import (
    CHANGED,
    SHOWN,
    STALE,
    UNREAD,
    compare,
    is_stale,
)
from ansible_collections.m365.offboarding.plugins.plugin_utils._results import written
from fakes.records import all_steps, doors, problem, read_record, run_of, step_record, unknown_record

JANE = "jane.doe"
OPEN, SHUT = read_record(JANE), read_record(JANE, state="shut")
ID = OPEN["id"]
BEFORE, RESET, LATER = "2026-11-01T08:00:00Z", "2026-11-20T16:00:00Z", "2026-11-20T16:00:02Z"


def reading(password=RESET, sessions="2026-11-20T16:00:01Z", **facts):
    return read_record(
        JANE,
        state="shut",
        last_password_change_date_time=password,
        sign_in_sessions_valid_from_date_time=sessions,
        **facts,
    )


def reset(status="verified", after=RESET, written_at=RESET):
    facts = {"last_password_change_date_time": after} if after else None
    return step_record(
        JANE, status, before={"last_password_change_date_time": BEFORE}, after=facts, written_at=written_at
    )


def signed_out(status="accepted", before=RESET, after=None, written_at="2026-11-20T16:00:01Z"):
    facts = {"sign_in_sessions_valid_from_date_time": after} if after else None
    return step_record(
        JANE, status, before={"sign_in_sessions_valid_from_date_time": before}, after=facts, written_at=written_at
    )


@pytest.mark.parametrize("status", ["unchanged", "verified", "accepted"])
def test_what_is_done_is_reported_under_the_given_name_in_any_case(status):
    record = {**step_record(JANE, status), "user": ID.upper(), "id": None}

    assert set(written([run_of("signin", record)])) == {ID}


@pytest.mark.parametrize("status", ["failed", "refused", "planned", "not_due", "not_applicable"])
def test_what_is_not_done_is_not_waited_for(status):
    assert written(all_steps(JANE, status)) == {}


def test_a_module_without_records_has_written_nothing():
    assert written([{"step": "signin", "users": [{"user": ID}], "result": {"msg": "no token"}}]) == {}


@pytest.mark.parametrize(
    ("step", "read", "says"),
    [
        (reset(), reading(), SHOWN),
        (reset(), reading(password=BEFORE), STALE),
        (reset(), reading(password=None), STALE),
        (reset(), reading(password=LATER), CHANGED),
        (reset("unchanged"), reading(), SHOWN),
        (reset("unchanged"), reading(password=LATER), CHANGED),
        # Accepted: the reset was never seen, so its own moment is not known.
        (reset("accepted", after=BEFORE), reading(), SHOWN),
        (reset("accepted", after=None), reading(password=BEFORE), STALE),
        (reset("accepted", after=None), reading(password="2026-11-20T16:00:01Z"), SHOWN),
        (reset("accepted", after=None), reading(password=LATER), CHANGED),
        (reset(), unknown_record(), UNREAD),
    ],
)
def test_a_password_is_the_one_that_was_set_or_an_older_reading_or_somebody_elses(step, read, says):
    assert compare("password", step, read) == says


@pytest.mark.parametrize(
    ("step", "read", "says"),
    [
        (signed_out(), reading(), SHOWN),
        # The reset has moved it to its own second: that alone is not a sign-out.
        (signed_out(), reading(sessions=RESET), STALE),
        (signed_out(before=BEFORE), reading(sessions=RESET), STALE),
        (signed_out(), reading(password="2026-11-20T16:00:03Z", sessions="2026-11-20T16:00:03Z"), CHANGED),
        (signed_out("verified", after="2026-11-20T16:00:01Z"), reading(), SHOWN),
        (signed_out("verified", after="2026-11-20T16:00:01Z"), reading(sessions=RESET), STALE),
        (signed_out("unchanged", after="2026-11-20T16:00:01Z"), reading(), SHOWN),
    ],
)
def test_a_sign_out_is_later_than_what_was_found_and_than_the_reset(step, read, says):
    assert compare("sessions", step, read) == says


@pytest.mark.parametrize(
    ("states", "says"),
    [
        (doors("shut"), SHOWN),
        ({**doors("shut"), "owa": "open"}, STALE),
        ({**doors("shut"), "owa": "unknown"}, UNREAD),
        (doors("not_applicable"), STALE),
    ],
)
def test_protocols_are_shown_when_each_is_off(states, says):
    step = step_record(JANE, "accepted", before={"owa": True})

    assert compare("protocols", step, reading(doors=states)) == says


def test_without_a_mailbox_before_and_after_nothing_is_stale():
    step = step_record(JANE, "unchanged", before=None)

    assert compare("protocols", step, reading(doors=doors("not_applicable"))) == SHOWN


def test_user_and_mailbox_are_read_again_each_by_itself():
    reported = written(all_steps(JANE, "accepted"))[ID]

    assert is_stale(reported, SHUT) == (False, False)
    assert is_stale(reported, {**SHUT, "account_enabled": True}) == (True, False)
    assert is_stale(reported, {**SHUT, "doors": {**doors("shut"), "owa": "open"}}) == (False, True)


@pytest.mark.parametrize(("code", "again"), [("not_found", True), ("deleted", False), ("http_503", False)])
def test_only_users_that_a_replica_may_not_know_yet_are_looked_for_again(code, again):
    reported = written(all_steps(JANE))[ID]
    gone = {**unknown_record(), "user": ID, "error": problem(code, "It is not there.")}

    assert is_stale(reported, gone) == (again, False)
    assert is_stale({}, gone) == (False, False)
