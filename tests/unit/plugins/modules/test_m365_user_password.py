# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""m365_user_password: who needs a reset, what is sent, and that nobody ever learns it."""

from __future__ import annotations

import string

import pytest

from fakes.clock import NOW, iso, later, moment
from fakes.people import crowd, guest, locked, person
from fakes.turns import (
    administrators,
    fault,
    find,
    find_by_address,
    find_deleted,
    forbidden,
    graph_error,
    mastered_on_premises,
    read,
    reset,
    roles,
)

MODULE = "m365_user_password"
JANE = person("jane.doe")
RESET = {**JANE, "lastPasswordChangeDateTime": later()}
UPN = "jane.doe@contoso.com"
GIVEN = "Welcome-back.2026"


def passwords(lab) -> list[str]:
    return [sent.body["passwordProfile"]["password"] for sent in lab.wire.writes]


def test_a_reset_is_sent_alone_and_seen_by_its_moment(lab):
    lab.wire.expect_each(find(JANE), administrators(), reset(JANE), read(RESET))

    reported = lab.run(MODULE, users=UPN)

    assert (reported.user["status"], reported.changed, reported.failed) == ("verified", True, False)
    assert reported.user["before"] == {"last_password_change_date_time": "2026-03-02T08:00:00Z"}
    assert reported.user["after"] == {"last_password_change_date_time": later()}
    assert reported.user["written_at"] == later()
    # Surely shut only an hour after the sign-out, which is yet to come.
    assert reported.user["effective_by"] is None


def test_a_reset_of_somebody_whose_roles_were_just_read_takes_no_more_than_the_write_and_its_proof(lab):
    lab.wire.expect_each(find(JANE), reset(JANE), read(RESET))

    reported = lab.run(MODULE, users=[{"user": UPN, "directory_roles": []}])

    assert reported.statuses == ["verified"]


def test_without_verify_timeout_a_reset_is_not_read_back_and_promises_nothing(lab):
    lab.wire.expect_each(find(JANE), administrators(), reset(JANE))

    reported = lab.run(MODULE, users=UPN, verify_timeout=0)

    assert (reported.user["status"], reported.user["after"]) == ("accepted", None)
    assert (reported.user["written_at"], reported.user["effective_by"]) == (later(), None)


# --- already so ---

P = NOW.replace(hour=12)


def after(seconds: float) -> str:
    return iso(P.fromtimestamp(P.timestamp() + seconds, P.tzinfo))


@pytest.mark.parametrize(
    ("sessions", "left_at", "done"),
    [
        pytest.param(after(-1), None, False, id="the sign-out came first"),
        pytest.param(after(0), None, False, id="P is S: which came first cannot be decided"),
        pytest.param(after(1), None, True, id="signed out a second later"),
        pytest.param(after(3600), None, True, id="signed out an hour later"),
        pytest.param(after(3601), None, False, id="signed out just over an hour later"),
        pytest.param(after(5), after(-1), True, id="left before the reset"),
        pytest.param(after(5), after(0), True, id="left at the moment of the reset"),
        pytest.param(after(5), after(1), False, id="left after the reset"),
        pytest.param(after(5), after(5), False, id="left between reset and sign-out"),
        pytest.param(after(3601), after(-1), False, id="known left_at does not stretch the hour"),
        pytest.param(None, None, False, id="never signed out"),
    ],
)
@pytest.mark.parametrize("enabled", [False, True])
def test_a_reset_is_left_out_only_where_blocked_and_the_trace_of_our_order_is_seen(
    lab, sessions, left_at, done, enabled
):
    jane = person(
        "jane.doe",
        lastPasswordChangeDateTime=after(0),
        signInSessionsValidFromDateTime=sessions,
        accountEnabled=enabled,
    )
    lab.wire.expect(find(jane))
    if enabled or not done:
        lab.wire.expect(administrators())

    reported = lab.run(MODULE, check=True, users=UPN, left_at=left_at)

    assert reported.statuses == ["unchanged" if done and not enabled else "planned"]


def test_a_user_without_any_password_moment_is_reset(lab):
    jane = {**JANE, "lastPasswordChangeDateTime": None, "accountEnabled": False}
    lab.wire.expect_each(
        find(jane), administrators(), reset(JANE), read({**jane, "lastPasswordChangeDateTime": later()})
    )

    assert lab.run(MODULE, users=UPN).statuses == ["verified"]


def test_what_is_so_already_says_when_it_is_surely_shut(lab):
    jane = locked()
    lab.wire.expect(find(jane))

    reported = lab.run(MODULE, users=UPN)

    assert (reported.user["status"], reported.changed) == ("unchanged", False)
    assert reported.user["effective_by"] == later(2)


def test_force_resets_even_what_is_so_already(lab):
    jane = locked()
    lab.wire.expect_each(
        find(jane), administrators(), reset(jane), read({**jane, "lastPasswordChangeDateTime": later()})
    )

    assert lab.run(MODULE, users=UPN, force=True).statuses == ["verified"]


def test_a_user_who_leaves_later_is_not_due(lab):
    lab.wire.expect(find(JANE))

    assert lab.run(MODULE, users=UPN, left_at=later(hours=1)).statuses == ["not_due"]


def test_a_users_own_left_at_beats_the_common_one(lab):
    ann, bob = crowd(2)
    lab.wire.expect(find(ann), find(bob))

    users = [{"user": ann["userPrincipalName"], "left_at": later(hours=2)}, bob["userPrincipalName"]]
    reported = lab.run(MODULE, users=users, left_at=later(hours=1))

    assert later(hours=2) in reported.users[0]["note"]
    assert later(hours=1) in reported.users[1]["note"]


def test_a_guest_has_no_password_here(lab):
    ann = guest("ann")
    lab.wire.expect(find(ann))

    reported = lab.run(MODULE, users=ann["userPrincipalName"])

    assert (reported.user["status"], reported.changed, reported.failed) == ("not_applicable", False, False)
    assert "home tenant" in reported.user["note"]


def test_a_synced_account_is_tried_and_fails_with_the_note(lab):
    synced = {**JANE, "onPremisesSyncEnabled": True}
    lab.wire.expect_each(find(synced), administrators(), reset(JANE).but(mastered_on_premises()))

    reported = lab.run(MODULE, users=UPN)

    assert reported.statuses == ["failed"]
    assert "disable it in Active Directory too" in reported.user["note"]
    assert "Active Directory" in reported.user["error"]["hint"]


def test_the_password_of_a_synced_account_is_given_at_home(lab):
    synced = {**JANE, "onPremisesSyncEnabled": True}
    lab.wire.expect_each(find(synced), reset(JANE, GIVEN).but(mastered_on_premises()))

    reported = lab.run(MODULE, users=UPN, password=GIVEN)

    assert reported.statuses == ["failed"]
    assert "its password is set there" in reported.user["note"]
    assert "disable" not in reported.user["note"]


def test_forbidden_since_the_token_lacks_the_permission(lab):
    lab.entra.permissions["https://graph.microsoft.com"] = ("User.Read.All", "User.ReadWrite.All")
    lab.wire.expect_each(find(JANE), administrators(), reset(JANE).but(forbidden()), roles(JANE))

    reported = lab.run(MODULE, users=UPN)

    assert "lacks the permission User-PasswordProfile.ReadWrite.All" in reported.user["error"]["hint"]


def test_the_last_global_administrator_keeps_the_password_unless_one_is_given(lab):
    lab.wire.expect_each(find(JANE), administrators(JANE))
    assert lab.run(MODULE, users=UPN).statuses == ["refused"]

    lab.wire.expect_each(find(JANE), reset(JANE, GIVEN), read(RESET))
    assert lab.run(MODULE, users=UPN, password=GIVEN).statuses == ["verified"]


# --- the password itself ---


def test_generated_passwords_are_long_mixed_distinct_and_never_shown(lab):
    everybody = crowd(25)
    lab.wire.expect(*map(find, everybody))
    lab.wire.expect(administrators())
    lab.wire.expect(*map(reset, everybody))
    lab.wire.expect(*[read({**one, "lastPasswordChangeDateTime": later()}) for one in everybody])

    reported = lab.run(MODULE, users=[one["userPrincipalName"] for one in everybody], verbosity=4)

    sent = passwords(lab)
    assert set(reported.statuses) == {"verified"}
    assert len(set(sent)) == 25
    for password in sent:
        assert len(password) == 32
        for characters in (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation):
            assert set(password) & set(characters)
        assert password not in reported.output
        assert "leaver" not in password.lower()


def test_an_unknown_outcome_is_followed_by_the_same_password(lab):
    lab.wire.expect_each(find(JANE), administrators(), reset(JANE).but(fault(503)), read(JANE))
    lab.wire.expect_each(reset(JANE), read(RESET))

    assert lab.run(MODULE, users=UPN).statuses == ["verified"]
    first, second = passwords(lab)
    assert first == second


def test_a_reset_that_was_carried_out_although_its_answer_was_a_fault_is_not_repeated(lab):
    lab.wire.expect_each(find(JANE), administrators(), reset(JANE).but(fault(500)), read(RESET))

    reported = lab.run(MODULE, users=UPN)

    assert reported.statuses == ["verified"]
    assert len(passwords(lab)) == 1


def test_a_reset_waits_until_its_moment_can_be_told_from_the_last_one(lab):
    fresh = {**JANE, "lastPasswordChangeDateTime": later()}
    lab.wire.expect_each(
        find(fresh), administrators(), reset(JANE), read({**JANE, "lastPasswordChangeDateTime": later(1)})
    )

    assert lab.run(MODULE, users=UPN).statuses == ["verified"]
    assert lab.clock.naps == [1.0]


def test_a_password_that_microsoft_refuses_is_not_shown(lab):
    refusal = reset(JANE).but(
        graph_error(400, "Request_BadRequest", "It does not comply with complexity requirements.")
    )
    lab.wire.expect_each(find(JANE), administrators(), refusal)

    reported = lab.run(MODULE, users=UPN, verbosity=4)

    assert reported.statuses == ["failed"]
    assert passwords(lab)[0] not in reported.output


def test_a_given_password_is_sent_masked_and_implies_force(lab):
    jane = locked()
    moved = {**jane, "lastPasswordChangeDateTime": later()}
    lab.wire.expect_each(find(jane), reset(jane, GIVEN), read(moved))

    reported = lab.run(MODULE, users=UPN, password=GIVEN, verbosity=4)

    assert reported.statuses == ["verified"]
    assert GIVEN not in reported.output


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("", "8 to 256"),
        ("Ab1-xyz", "8 to 256"),
        ("Ab1-" * 64 + "x", "8 to 256"),
        ("alllowercase1", "three of"),
        ("UPPER-ONLY-", "three of"),
        ("Pässword-1", "unaccented"),
        ("Tab\there-1", "unaccented"),
        ("Xx1-jane-2", "name"),
        ("xJANE-12345", "name"),
    ],
)
def test_a_given_password_that_breaks_the_rules_is_refused_before_anything_is_sent(lab, password, rule):
    reported = lab.run(MODULE, users=UPN, password=password)

    assert reported.failed
    assert rule in reported.msg
    assert not lab.wire.outer
    assert not password or password not in reported.output


@pytest.mark.parametrize("password", ["Ab1-wxyz", "abcdefg1-", "ABCDEFG1-", "Ab1-" * 64, "With blank 1"])
def test_a_given_password_that_keeps_the_rules_is_taken(lab, password):
    lab.wire.expect_each(find(JANE), reset(JANE, password), read(RESET))

    assert lab.run(MODULE, users=UPN, password=password).statuses == ["verified"]


def test_a_given_password_is_for_one_user_only(lab):
    reported = lab.run(MODULE, users=[UPN, "bob@contoso.com"], password=GIVEN)

    assert reported.failed
    assert "one user only" in reported.msg
    assert not lab.wire.outer


def test_the_same_user_twice_is_still_one_user_for_a_given_password(lab):
    lab.wire.expect_each(find(JANE), reset(JANE, GIVEN), read(RESET))

    assert lab.run(MODULE, users=[UPN, UPN.upper()], password=GIVEN).statuses == ["verified"]


def test_check_mode_says_that_the_moment_would_move_and_makes_no_password(lab):
    lab.wire.expect_each(find(JANE), administrators())

    reported = lab.run(MODULE, check=True, users=UPN)

    assert (reported.statuses, reported.changed) == (["planned"], True)
    assert reported.user["after"] == {"last_password_change_date_time": None}
    assert reported.result["diff"]["after"][UPN] != reported.result["diff"]["before"][UPN]


def test_nobody_is_created_for_an_unknown_name(lab):
    lab.wire.expect_each(
        find("nobody@contoso.com"), find_deleted("nobody@contoso.com"), find_by_address("nobody@contoso.com")
    )

    reported = lab.run(MODULE, users="nobody@contoso.com")

    assert (reported.statuses, reported.changed, reported.failed) == (["failed"], False, True)


def test_moments_are_microsofts_and_the_controllers_clock_does_not_count(lab):
    # The simulated Microsoft lives in November 2026, whatever the clock of this machine says.
    lab.wire.expect_each(find(JANE), administrators(), reset(JANE), read(RESET))

    reported = lab.run(MODULE, users=UPN, left_at=later())

    assert moment(reported.user["written_at"]) == NOW
