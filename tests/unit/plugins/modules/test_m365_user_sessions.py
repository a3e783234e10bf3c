# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""m365_user_sessions: who needs a sign-out, the wait for Microsoft's clock, and what proves a write."""

from __future__ import annotations

import datetime

import pytest

from fakes.clock import NOW, iso, later
from fakes.people import guest, locked, person
from fakes.turns import fault, find, forbidden, read, revoke, roles
from fakes.wire import Reply

MODULE = "m365_user_sessions"
JANE = person("jane.doe")
SIGNED_OUT = {**JANE, "signInSessionsValidFromDateTime": later()}
UPN = "jane.doe@contoso.com"


def test_a_sign_out_is_seen_by_its_moment(lab):
    lab.wire.expect_each(find(JANE), revoke(JANE), read(SIGNED_OUT))

    reported = lab.run(MODULE, users=UPN)

    assert (reported.user["status"], reported.changed, reported.failed) == ("verified", True, False)
    assert reported.user["before"] == {"sign_in_sessions_valid_from_date_time": "2026-03-02T07:59:00Z"}
    assert reported.user["after"] == {"sign_in_sessions_valid_from_date_time": later()}
    assert reported.user["effective_by"] == later(hours=1)
    assert "Outlook on the web may stay usable" in reported.user["note"]
    assert lab.clock.naps == []


# --- already so ---

S = NOW.replace(hour=12)


def before(seconds: float) -> str:
    return iso(S - datetime.timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("password", "left_at", "done"),
    [
        pytest.param(before(-1), None, False, id="the password changed after the sign-out"),
        pytest.param(before(0), None, False, id="S is P: which came first cannot be decided"),
        pytest.param(before(1), None, True, id="signed out a second after the reset"),
        pytest.param(before(3600), None, True, id="signed out an hour after the reset"),
        pytest.param(before(3601), None, False, id="signed out just over an hour after the reset"),
        pytest.param(before(86400), before(1), True, id="left before the sign-out, however old the password"),
        pytest.param(before(5), before(0), True, id="left at the moment of the sign-out"),
        pytest.param(before(5), before(-1), False, id="left after the sign-out"),
        pytest.param(before(0), before(9), False, id="left_at does not make P = S provable"),
        pytest.param(None, None, False, id="no moment of the password"),
    ],
)
@pytest.mark.parametrize("enabled", [False, True])
def test_a_sign_out_is_left_out_only_where_blocked_and_the_moments_prove_it(lab, password, left_at, done, enabled):
    jane = person(
        "jane.doe", lastPasswordChangeDateTime=password, signInSessionsValidFromDateTime=iso(S), accountEnabled=enabled
    )
    lab.wire.expect(find(jane))

    reported = lab.run(MODULE, check=True, users=UPN, left_at=left_at)

    assert reported.statuses == ["unchanged" if done and not enabled else "planned"]


def test_what_is_so_already_says_when_it_is_surely_shut(lab):
    lab.wire.expect(find(locked()))

    reported = lab.run(MODULE, users=UPN)

    assert (reported.statuses, reported.user["effective_by"]) == (["unchanged"], later(2))


def test_force_signs_out_again(lab):
    jane = locked()
    lab.wire.expect_each(find(jane), revoke(jane), read({**jane, "signInSessionsValidFromDateTime": later()}))

    assert lab.run(MODULE, users=UPN, force=True).statuses == ["verified"]


def test_a_guest_has_no_sessions_here(lab):
    ann = guest("ann")
    lab.wire.expect(find(ann))

    reported = lab.run(MODULE, users=ann["userPrincipalName"])

    assert (reported.statuses, reported.failed) == (["not_applicable"], False)
    assert "home tenant" in reported.user["note"]


def test_a_user_who_leaves_later_is_not_due(lab):
    lab.wire.expect(find(JANE))

    assert lab.run(MODULE, users=UPN, left_at=later(hours=1)).statuses == ["not_due"]


# --- Microsoft's clock ---


@pytest.mark.parametrize(
    ("reset_ago", "waits"),
    [(0, [1.0]), (1, []), (60, []), (-1, [2.0]), (-3600, [5.0])],
    ids=["this second", "a second ago", "long ago", "a second ahead of Date", "absurdly ahead"],
)
def test_the_sign_out_waits_until_microsofts_clock_is_a_whole_second_past_the_reset(lab, reset_ago, waits):
    jane = {**JANE, "lastPasswordChangeDateTime": later(-reset_ago)}
    out = {**jane, "signInSessionsValidFromDateTime": later(max(sum(waits), 1 - reset_ago))}
    lab.wire.expect_each(find(jane), revoke(jane), read(out))

    assert lab.run(MODULE, users=UPN).statuses == ["verified"]
    assert lab.clock.naps == waits


def test_the_time_that_answers_take_counts_towards_that_wait(lab):
    jane = {**JANE, "lastPasswordChangeDateTime": later(1)}
    slow = find(jane).but(Reply(json={"value": [jane]}, takes=1.5))
    lab.wire.expect_each(slow, revoke(jane), read({**jane, "signInSessionsValidFromDateTime": later(2)}))

    assert lab.run(MODULE, users=UPN).statuses == ["verified"]
    # Date says 16:00:01, cut to the second; a whole second past 16:00:01 is one second away.
    assert lab.clock.naps == [1.0]


def test_a_sign_out_is_not_seen_while_it_is_not_later_than_the_last_reset(lab):
    jane = {**JANE, "lastPasswordChangeDateTime": later(-1)}
    same = {**jane, "signInSessionsValidFromDateTime": later(-1)}
    past = {**jane, "signInSessionsValidFromDateTime": later()}
    lab.wire.expect_each(find(jane), revoke(jane), read(same), read(past))

    assert lab.run(MODULE, users=UPN).statuses == ["verified"]


# --- answers ---


@pytest.mark.parametrize(
    "reply",
    [Reply(204), Reply(200, {"value": True}), Reply(200, {"value": False}), Reply(202, {}), Reply(200)],
    ids=["204", "200 true", "200 false", "202", "200 empty"],
)
def test_any_2xx_is_a_sign_out(lab, reply):
    lab.wire.expect_each(find(JANE), revoke(JANE).but(reply), read(SIGNED_OUT))

    assert lab.run(MODULE, users=UPN).statuses == ["verified"]


def test_a_sign_out_that_is_not_seen_in_time_is_accepted_and_no_moment_is_promised(lab):
    lab.wire.expect_each(find(JANE), revoke(JANE), read(JANE), read(JANE))

    reported = lab.run(MODULE, users=UPN, verify_timeout=0.5)

    assert (reported.user["status"], reported.failed) == ("accepted", False)
    # The S that was read is that of March: an hour after it proves nothing.
    assert reported.user["effective_by"] is None
    assert reported.user["after"] == reported.user["before"]


def test_without_verify_timeout_a_sign_out_is_not_read_back_and_promises_nothing(lab):
    lab.wire.expect_each(find(JANE), revoke(JANE))

    reported = lab.run(MODULE, users=UPN, verify_timeout=0)

    assert (reported.user["status"], reported.user["after"]) == ("accepted", None)
    assert (reported.user["written_at"], reported.user["effective_by"]) == (later(), None)


def test_a_sign_out_whose_answer_is_lost_is_looked_for_before_it_is_repeated(lab):
    lab.wire.expect_each(find(JANE), revoke(JANE).but(fault(504)), read(SIGNED_OUT))

    assert lab.run(MODULE, users=UPN).statuses == ["verified"]
    assert len(lab.wire.writes) == 1


def test_forbidden_since_the_token_lacks_the_permission(lab):
    lab.entra.permissions["https://graph.microsoft.com"] = ("User.Read.All",)
    lab.wire.expect_each(find(JANE), revoke(JANE).but(forbidden()), roles(JANE))

    reported = lab.run(MODULE, users=UPN)

    assert "lacks the permission User.RevokeSessions.All" in reported.user["error"]["hint"]


@pytest.mark.parametrize("permission", ["User.ReadWrite.All", "Directory.ReadWrite.All"])
def test_a_larger_permission_is_not_called_missing(lab, permission):
    lab.entra.permissions["https://graph.microsoft.com"] = ("User.Read.All", permission)
    lab.wire.expect_each(find(JANE), revoke(JANE).but(forbidden()), roles(JANE))

    assert "lacks" not in lab.run(MODULE, users=UPN).user["error"]["hint"]


def test_check_mode_foretells_and_reads_only(lab):
    lab.wire.expect(find(JANE))

    reported = lab.run(MODULE, check=True, users=UPN)

    assert (reported.statuses, reported.changed) == (["planned"], True)
    assert reported.user["after"] == {"sign_in_sessions_valid_from_date_time": None}
    assert "time of the write" in str(reported.result["diff"]["after"])


def test_a_synced_account_can_be_signed_out_in_the_cloud_and_needs_no_other_note(lab):
    synced = {**JANE, "onPremisesSyncEnabled": True}
    lab.wire.expect_each(find(synced), revoke(JANE), read({**synced, "signInSessionsValidFromDateTime": later()}))

    reported = lab.run(MODULE, users=UPN)

    assert reported.statuses == ["verified"]
    assert "Outlook on the web" in reported.user["note"]
