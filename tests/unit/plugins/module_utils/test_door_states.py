# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which doors are open: every moment at which the answer turns, and what nobody could read."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils._door_states import (
    door_states,
    note_for,
    observed,
    surely_shut,
)
from ansible_collections.m365.offboarding.plugins.module_utils._doors import PROTOCOLS, STEPS, Mailbox, Protocols
from ansible_collections.m365.offboarding.plugins.module_utils._errors import OffboardingError
from ansible_collections.m365.offboarding.plugins.module_utils._graph import User
from ansible_collections.m365.offboarding.plugins.module_utils._tenant import Leaver
from ansible_collections.m365.offboarding.plugins.module_utils._user_input import RequestedUser
from fakes.clock import NOW
from fakes.people import person

SECOND = datetime.timedelta(seconds=1)
HOUR = datetime.timedelta(hours=1)
ALL = Protocols()


def leaver(*, left_at=None, mailbox=None, mailbox_read=True, mailbox_error=None, **properties) -> Leaver:
    user = dataclasses.replace(User.from_json(person("jane.doe")), **{"account_enabled": False, **properties})
    return Leaver(
        RequestedUser(user.user_principal_name),
        user,
        left_at=left_at,
        mailbox=mailbox,
        mailbox_read=mailbox_read,
        mailbox_error=mailbox_error,
    )


def account(one: Leaver) -> dict[str, str]:
    return door_states(one, ("password", "sessions", "signin"), ALL)


# Reset, sign-out and leave date, as seconds from now; whether the password, and the sessions, are shut thereby.
MOMENTS = [
    pytest.param(0, 1, None, True, True, id="reset, then signed out"),
    pytest.param(0, 3600, None, True, True, id="signed out an hour later"),
    pytest.param(0, 3601, None, False, False, id="signed out more than an hour later: not our order"),
    pytest.param(0, 0, None, False, False, id="both at once: the sign-out was not after it"),
    pytest.param(1, 0, None, False, False, id="reset after the sign-out"),
    pytest.param(None, 1, None, False, False, id="never reset"),
    pytest.param(0, None, None, False, False, id="never signed out"),
    pytest.param(None, None, None, False, False, id="neither"),
    pytest.param(0, 1, 0, True, True, id="reset at the moment of leaving"),
    pytest.param(0, 1, 1, False, True, id="signed out at the moment of leaving, reset before"),
    pytest.param(0, 1, 2, False, False, id="both before leaving"),
    pytest.param(0, 3601, 0, False, True, id="signed out late, but after leaving"),
    pytest.param(0, 3601, -9, False, True, id="signed out late, well after leaving"),
    pytest.param(1, 0, -9, False, False, id="reset after the sign-out, both after leaving"),
    pytest.param(0, 0, -9, False, False, id="both at once, after leaving"),
]


@pytest.mark.parametrize(("reset", "revoked", "left", "password", "sessions"), MOMENTS)
def test_reset_and_sign_out_shut_their_doors_in_our_order_and_time(reset, revoked, left, password, sessions):
    at = [None if seconds is None else NOW + seconds * SECOND for seconds in (reset, revoked, left)]
    one = leaver(password_changed=at[0], sessions_valid_from=at[1], left_at=at[2])
    state = {True: "shut", False: "open"}

    assert account(one) == {"password": state[password], "sessions": state[sessions], "signin": "shut"}


# The same of a synced account, whose password only Active Directory sets.
SYNCED_MOMENTS = [
    pytest.param(0, 1, None, True, True, id="no leave date: reset, then signed out"),
    pytest.param(0, 3601, None, False, False, id="no leave date: signed out more than an hour later"),
    pytest.param(0, 0, None, False, False, id="no leave date: both at once"),
    pytest.param(0, 3601, 0, True, True, id="reset at the moment of leaving, signed out late"),
    pytest.param(0, 360_000, -9, True, True, id="reset after leaving, signed out days later"),
    pytest.param(0, 360_000, 1, False, True, id="reset a second before leaving, signed out days later"),
    pytest.param(0, 0, -9, True, False, id="reset after leaving, and not signed out since"),
    pytest.param(1, 0, -9, True, False, id="reset after leaving and after the sign-out"),
    pytest.param(0, None, -9, True, False, id="reset after leaving, never signed out"),
    pytest.param(None, 1, -9, False, False, id="never reset"),
    pytest.param(0, 1, 2, False, False, id="both before leaving"),
]


@pytest.mark.parametrize(("reset", "revoked", "left", "password", "sessions"), SYNCED_MOMENTS)
def test_a_synced_password_is_shut_when_it_was_set_after_leaving(reset, revoked, left, password, sessions):
    at = [None if seconds is None else NOW + seconds * SECOND for seconds in (reset, revoked, left)]
    one = leaver(synced=True, password_changed=at[0], sessions_valid_from=at[1], left_at=at[2])
    state = {True: "shut", False: "open"}

    assert account(one) == {"password": state[password], "sessions": state[sessions], "signin": "shut"}
    # Whoever can sign in can change the password again.
    for enabled, signin in ((True, "open"), (None, "unknown")):
        free = dataclasses.replace(one, user=dataclasses.replace(one.known, account_enabled=enabled))
        assert account(free) == {"password": "open", "sessions": "open", "signin": signin}


@pytest.mark.parametrize(("enabled", "signin"), [(True, "open"), (None, "unknown"), (False, "shut")])
def test_no_moment_proves_anything_while_sign_in_is_not_blocked(enabled, signin):
    one = leaver(account_enabled=enabled, password_changed=NOW, sessions_valid_from=NOW + SECOND)
    timed = "shut" if enabled is False else "open"

    assert account(one) == {"password": timed, "sessions": timed, "signin": signin}


@pytest.mark.parametrize("enabled", [True, False])
def test_a_guests_password_and_sessions_are_not_doors_of_this_tenant(enabled):
    one = leaver(user_principal_name="jane_example.org#EXT#@contoso.com", account_enabled=enabled)

    assert account(one) == {
        "password": "not_applicable",
        "sessions": "not_applicable",
        "signin": "open" if enabled else "shut",
    }


@pytest.mark.parametrize("step", STEPS)
def test_only_the_doors_of_the_steps_are_reported(step):
    doors = set(door_states(leaver(), [step], ALL))

    assert doors == (set(PROTOCOLS) if step == "protocols" else {step})


def test_a_protocol_is_shut_when_it_is_known_to_be_off():
    mailbox = Mailbox({"owa": False, "pop": True, "imap": None})
    named = Protocols.parse(["owa", "pop", "imap", "ews"])

    assert door_states(leaver(mailbox=mailbox), ["protocols"], ALL) == {"owa": "shut", "pop": "open", "imap": "open"}
    # What was named and this tenant does not have is reported, too.
    assert door_states(leaver(mailbox=mailbox), ["protocols"], named) == {
        "owa": "shut",
        "pop": "open",
        "imap": "open",
        "ews": "not_applicable",
    }


@pytest.mark.parametrize(
    ("read", "error", "state"),
    [
        (True, None, "not_applicable"),
        (False, None, "unknown"),
        (True, OffboardingError("Exchange is down."), "unknown"),
    ],
)
def test_without_a_mailbox_the_protocols_are_not_doors_unless_nobody_could_look(read, error, state):
    one = leaver(mailbox_read=read, mailbox_error=error, has_exchange_plan=False)

    assert set(door_states(one, ["protocols"], ALL).values()) == {state}
    assert observed(one, "protocols", ALL) is None


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, "unknown"),
        ({"synced": True}, "not_applicable"),
        ({"user_principal_name": "j_x.org#EXT#@contoso.com"}, "not_applicable"),
        ({"has_exchange_plan": False}, "not_applicable"),
    ],
    ids=["cloud", "synced", "guest", "no plan"],
)
def test_a_user_of_the_cloud_who_has_a_plan_may_yet_get_a_mailbox(facts, state):
    one = leaver(**{"has_exchange_plan": True, "synced": False, **facts})

    assert set(door_states(one, ["protocols"], ALL).values()) == {state}


def test_what_is_observed_are_the_facts_of_the_step():
    mailbox = Mailbox({"owa": False, "pop": None})
    one = leaver(password_changed=NOW, sessions_valid_from=NOW + SECOND, mailbox=mailbox)

    assert [observed(one, step, ALL) for step in STEPS] == [
        {"last_password_change_date_time": "2026-11-20T16:00:00Z"},
        {"sign_in_sessions_valid_from_date_time": "2026-11-20T16:00:01Z"},
        {"account_enabled": False},
        {"owa": False, "pop": None},
    ]


def test_it_is_surely_shut_an_hour_after_the_sign_out():
    assert surely_shut(leaver(sessions_valid_from=NOW)) == NOW + HOUR
    assert surely_shut(leaver(sessions_valid_from=None)) is None
    # A synced password may be set after the sign-out.
    assert surely_shut(leaver(password_changed=NOW + SECOND, sessions_valid_from=NOW)) == NOW + SECOND + HOUR


NO_MAILBOX = "No Exchange Online mailbox."
ELSEWHERE = f"{NO_MAILBOX} It may be on-premises: turn its protocols off there."
AWAITED = "No Exchange Online mailbox was found although the user has an enabled Exchange plan"
SYNCED = "Synced from Active Directory: disable it in Active Directory too"
LINGERS = "Outlook on the web may stay usable"
GUEST = "Guest: password and sessions live in the home tenant"


@pytest.mark.parametrize(
    ("state", "notes"),
    [
        pytest.param({"mailbox": Mailbox({})}, [None, LINGERS, None, None], id="cloud"),
        pytest.param({"mailbox_read": False}, [None, LINGERS, None, None], id="mailbox not read"),
        pytest.param(
            {"mailbox_error": OffboardingError("down")}, [None, LINGERS, None, None], id="mailbox cannot be read"
        ),
        pytest.param({"synced": True}, [SYNCED, LINGERS, SYNCED, ELSEWHERE], id="synced, mailbox elsewhere"),
        pytest.param(
            {"synced": True, "mailbox": Mailbox({})}, [SYNCED, LINGERS, SYNCED, None], id="synced, mailbox here"
        ),
        pytest.param(
            {"has_mail": True, "has_exchange_plan": False}, [None, LINGERS, None, ELSEWHERE], id="mail without a plan"
        ),
        pytest.param(
            {"has_mail": True, "has_exchange_plan": True},
            [None, LINGERS, None, AWAITED],
            id="a plan, no mailbox yet",
        ),
        pytest.param(
            {"has_mail": False, "has_exchange_plan": False}, [None, LINGERS, None, NO_MAILBOX], id="no mail at all"
        ),
        pytest.param(
            {"user_principal_name": "j_x.org#EXT#@contoso.com", "mailbox": Mailbox({})},
            [GUEST, GUEST, None, None],
            id="guest",
        ),
    ],
)
def test_notes_say_what_a_person_must_know(state, notes):
    one = leaver(**{"synced": False, "has_mail": False, "has_exchange_plan": False, **state})
    reported = [note_for(one, step) for step in STEPS]

    assert [note is None for note in reported] == [note is None for note in notes]
    assert all((note or "").startswith(start or "") for note, start in zip(reported, notes, strict=True))
    assert reported[3] in (None, NO_MAILBOX, ELSEWHERE) or notes[3] == AWAITED
    assert reported[3] == notes[3] or notes[3] == AWAITED
