# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Forwarding that leads outside, on the same bad days: what is called off is off, and it comes back from the record."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ansible_collections.m365.offboarding.plugins.module_utils._topics import Forwarding
from ansible_collections.m365.offboarding.plugins.modules.exo_mailbox_forwarding import SwitchForwarding
from simulator.directory import User
from simulator.exchange_errors import SHAPES, TRANSIENT, error_body
from simulator.faults import Fault
from simulator.residual import recipient

from .world import Killed, World, world

OUTSIDE = "collector@example.net"
FLORA, IDA, RUDI = "flora.forwarder@contoso.com", "ida.inside@contoso.com", "rudi.ruler@contoso.com"
EVERYBODY = [FLORA, IDA, RUDI]
WRITES = ("Set-Mailbox", "Disable-InboxRule")


@pytest.fixture
def w() -> Iterator[World]:
    with world() as made:
        arrange(made)
        yield made


def arrange(w: World) -> None:
    """Everything that forwards, in three mailboxes: outside, inside, hidden, and by a contact's name."""
    directory = w.tenant.directory
    directory.user(FLORA).residual.rules = [
        {"displayName": "Hidden", "hidden": True, "actions": {"redirectTo": [recipient(OUTSIDE)]}},
        {"displayName": "Contact", "actions": {"forwardTo": [recipient("carl.contact@example.net")]}},
    ]
    ida = directory.user(IDA).residual
    ida.rules += [{"displayName": "Odd", "supported": False}, {"displayName": "Sort", "actions": {"delete": True}}]
    directory.user(RUDI).residual.forwarding = {"ForwardingAddress": "Carl Contact", "DeliverToMailboxAndForward": True}


def close(w: World, *, check_mode: bool = False, **also: t.Any) -> list[dict[str, t.Any]]:
    """Run the module; a fault that ends it as a whole leaves no record, as in the role."""
    step = SwitchForwarding(None, Forwarding(**also))
    return w._module(lambda: w._step(step, EVERYBODY, w.verify_timeout, check_mode=check_mode))["users"]


def reopen(w: World, reported: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    wanted = {one["user"]: one["objects"] for one in reported}
    return w._step(SwitchForwarding(wanted, Forwarding()), EVERYBODY, w.verify_timeout)


def leaks(user: User) -> set[str]:
    """What of a mailbox leads outside, by what the tenant itself knows; no lag, no fault, none of our code."""
    facts = user.residual
    found = {name for name in ("ForwardingSmtpAddress", "ForwardingAddress") if facts.forwarding.get(name)}
    found -= {"ForwardingAddress"} if facts.forwarding.get("ForwardingAddress") == "jane" else set()
    for rule in facts.rules:
        text = str(rule.get("actions"))
        if rule.get("isEnabled", True) and ("example.net" in text or "example.org" in text or "supported" in rule):
            found.add(str(rule["displayName"]))
    return found


def state(w: World) -> dict[str, t.Any]:
    """Everything that forwards or could, as the tenant knows it."""
    reported = {}
    for name in EVERYBODY:
        facts = w.tenant.directory.user(name).residual
        forwarding = {key: value for key, value in facts.forwarding.items() if value}
        reported[name] = forwarding, [(one.get("displayName"), one.get("isEnabled", True)) for one in facts.rules]
    return reported


def check(w: World, reported: list[dict[str, t.Any]]) -> None:
    """No false claim and no silent write."""
    for one in reported:
        user = w.tenant.directory.user(one["user"])
        if one["status"] in ("verified", "unchanged"):
            assert not leaks(user), f"{one['user']} is called {one['status']}: {leaks(user)}"
    assert not w.tenant.crashes


def settled(w: World) -> None:
    """The fault is over: a plain second run ends with nothing left, a third writes nothing."""
    w.tenant.faults.clear()
    w.tenant.directory.replica_lag = 0
    w.clock.advance(600)
    reported = close(w)
    assert {one["status"] for one in reported} <= {"verified", "unchanged"}, reported
    assert not any(leaks(w.tenant.directory.user(name)) for name in EVERYBODY)
    writes = len(w.tenant.journal.writes())
    assert {one["status"] for one in close(w)} == {"unchanged"}
    assert len(w.tenant.journal.writes()) == writes


def test_check_read_do_read_again(w: World) -> None:
    before = state(w)
    foretold = close(w, check_mode=True)
    assert state(w) == before
    reported = close(w)
    assert [one["status"] for one in reported] == ["verified"] * 3
    assert [one["before"] for one in reported] == [one["before"] for one in foretold]
    assert [one["after"] for one in reported] == [one["after"] for one in foretold]
    check(w, reported)
    # What stays inside stays as it was.
    assert w.tenant.directory.user(IDA).residual.forwarding["ForwardingAddress"] == "jane"
    assert ("To Jane", True) in state(w)[IDA][1]
    assert ("Colleague", True) in state(w)[RUDI][1]
    settled(w)


def test_the_audit_sees_what_the_module_closes(w: World) -> None:
    """The audit asks Graph, which shows no hidden rules; all that it reports is closed, and then it reports nothing."""
    before = audit(w, "auditor-residual")
    assert before[FLORA] == before[RUDI] == "found"
    close(w)
    assert audit(w, "auditor-residual") == dict.fromkeys(EVERYBODY, "none")


def audit(w: World, app: str) -> dict[str, str]:
    from ansible_collections.m365.offboarding.plugins.module_utils import _residual
    from ansible_collections.m365.offboarding.plugins.module_utils._user_input import parse_users

    readings = w.readings(app)
    leavers = readings.resolve(parse_users(list(EVERYBODY)))
    reported = _residual.residual_access(readings, leavers, ["forwarding"])
    return {leaver.name: topics["forwarding"]["state"] for leaver, topics in zip(leavers, reported, strict=True)}


def test_inside_too_where_it_is_asked_for(w: World) -> None:
    reported = close(w, internal=True)
    assert [one["status"] for one in reported] == ["verified"] * 3
    assert not any(forwarding for forwarding, _rules in state(w).values())
    still = {name for _forwarding, rules in state(w).values() for name, enabled in rules if enabled}
    assert still == {"Sort", *(f"Sort {number}" for number in range(8))}


@pytest.mark.parametrize("also", [{}, {"internal": True}])
def test_it_comes_back_from_the_record(w: World, also: dict[str, t.Any]) -> None:
    before = state(w)
    reported = close(w, **also)
    assert state(w) != before
    back = reopen(w, reported)
    assert [one["status"] for one in back] == ["verified"] * 3
    now = state(w)
    # A recipient comes back by its address, which means the same one.
    for name in (IDA, RUDI):
        before[name][0].pop("ForwardingAddress", None)
        assert now[name][0].pop("ForwardingAddress", None) in (
            "jane.doe@contoso.com",
            "carl.contact@example.net",
            "jane",
        )
    assert now == before
    writes = len(w.tenant.journal.writes())
    assert {one["status"] for one in reopen(w, reported)} == {"unchanged"}
    assert len(w.tenant.journal.writes()) == writes


# --- the fault table ---


@pytest.mark.parametrize("applied", [False, True], ids=["lost", "done"])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("cmdlet", WRITES)
def test_5xx_to_a_write_is_looked_at_before_it_is_repeated(w: World, cmdlet: str, status: int, applied: bool) -> None:
    rule = w.tenant.faults.add(
        Fault(listener="exchange", cmdlet=cmdlet, nth=1, status=status, apply_first=applied, body="<html>gone</html>")
    )
    reported = close(w)
    assert [one["status"] for one in reported] == ["verified"] * 3
    assert rule.struck == 1
    twice = [entry for entry in w.tenant.journal.writes() if entry.cmdlet == cmdlet]
    assert len(twice) == {"Set-Mailbox": 2, "Disable-InboxRule": 5}[cmdlet] + (not applied)
    settled(w)


@pytest.mark.parametrize("applied", [False, True], ids=["lost", "done"])
@pytest.mark.parametrize("kind", TRANSIENT)
@pytest.mark.parametrize("cmdlet", WRITES)
def test_a_write_is_sent_again_after_an_exception_that_passes(w: World, cmdlet: str, kind: str, applied: bool) -> None:
    status = (200, 400, 500)[len(kind) % 3]
    body = error_body(kind, "Not now.", SHAPES[len(kind) % len(SHAPES)])
    rule = w.tenant.faults.add(
        Fault(listener="exchange", cmdlet=cmdlet, nth=1, status=status, body=body, apply_first=applied)
    )
    assert [one["status"] for one in close(w)] == ["verified"] * 3
    assert rule.struck == 1
    settled(w)


@pytest.mark.parametrize("what", [{"status": 429, "headers": {"Retry-After": "7"}}, {"close": "after"}, {"drop": True}])
@pytest.mark.parametrize("cmdlet", WRITES)
def test_throttled_cut_off_or_left_out(w: World, cmdlet: str, what: dict[str, t.Any]) -> None:
    where = {"batch": "outer", "nth": 3} if "close" in what else {"cmdlet": cmdlet, "nth": 1}
    w.tenant.faults.add(Fault(listener="exchange", **where, **what))
    assert [one["status"] for one in close(w)] == ["verified"] * 3
    assert not w.sent_too_early()
    settled(w)


@pytest.mark.parametrize("cmdlet", ["Get-Mailbox", "Get-InboxRule", "Get-AcceptedDomain", "Get-Recipient"])
@pytest.mark.parametrize(
    "what",
    [
        {"status": 403, "nul_gzip": True},
        {"status": 200, "body": error_body("x.SomethingException", "No.", "adminapi")},
        {"status": 200, "body": {"value": [{}]}},
        {"status": 200, "body": "<html>sign in to the proxy</html>"},
    ],
)
def test_what_cannot_be_read_is_not_called_off(w: World, cmdlet: str, what: dict[str, t.Any]) -> None:
    rule = w.tenant.faults.add(Fault(listener="exchange", cmdlet=cmdlet, **what))
    before = state(w)
    reported = close(w)
    check(w, reported)
    assert rule.struck
    unreported = [one for one in reported if one["status"] in ("verified", "unchanged")]
    # If no recipient has that name, it is treated as outside.
    if cmdlet == "Get-Recipient" and what.get("body") == {"value": [{}]}:
        assert [one["status"] for one in reported] == ["verified"] * 3
    else:
        assert len(unreported) < 3
        assert all(one["error"]["message"] for one in reported if one["status"] == "failed")
    if cmdlet == "Get-AcceptedDomain":
        assert ("To Jane", True) in state(w)[IDA][1]
        assert state(w)[RUDI] == before[RUDI]
    settled(w)


def test_an_application_that_may_only_read_changes_nothing(w: World) -> None:
    app = w.tenant.app("offboarding")
    app.roles = frozenset({"User Administrator", "Global Reader"})
    reported = close(w)
    assert {one["status"] for one in reported} == {"failed"}
    hints = [str(one["error"]["hint"]) for one in reported]
    # Flora's address outside was read, and could not be written; of Ida only the rules could not be read.
    assert "writing Exchange Administrator or Mail Recipients" in hints[0]
    assert "Get-InboxRule needs the Exchange role Mail Recipients or User Options" in hints[1]
    assert not w.tenant.journal.applied()


def test_replicas_that_lag_are_read_until_they_show_it(w: World) -> None:
    w.tenant.directory.replica_lag = 10
    assert [one["status"] for one in close(w)] == ["verified"] * 3
    settled(w)


def test_what_a_replica_does_not_show_in_time_is_not_called_verified(w: World) -> None:
    w.tenant.directory.replica_lag = 3600
    assert [one["status"] for one in close(w)] == ["accepted"] * 3
    settled(w)


# --- schedules with kills ---

_WHERE = st.sampled_from(
    [
        {},
        {"writes": True},
        {"writes": False},
        *(
            {"cmdlet": name}
            for name in (*WRITES, "Get-Mailbox", "Get-InboxRule", "Get-AcceptedDomain", "Get-Recipient")
        ),
        {"batch": True},
        {"batch": "outer"},
    ]
)
_WHAT = st.sampled_from(
    [
        {"status": 429, "headers": {"Retry-After": "2"}},
        *({"status": status, "apply_first": first} for status in (500, 503, 504) for first in (False, True)),
        {"close": "before"},
        {"close": "after"},
        {"truncate": 20},
        {"status": 200, "body": {}},
        {"status": 403, "nul_gzip": True},
        {"drop": True},
        {"duplicate": True},
        *({"status": 200, "body": error_body(TRANSIENT[n], "Not now.", shape)} for n, shape in enumerate(SHAPES)),
        {"status": 400, "body": error_body("x.SomethingException", "No.", "details")},
    ]
)
_FAULTS = st.lists(
    st.builds(
        lambda where, what, first, more: {**where, **what, "nth": (first, first + more)},
        _WHERE,
        _WHAT,
        st.integers(1, 8),
        st.integers(0, 4),
    ),
    max_size=4,
)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(faults=_FAULTS, lag=st.sampled_from([0.0, 0.0, 5.0, 60.0]), killed_after=st.none() | st.integers(1, 12))
def test_schedules(faults: list[dict[str, t.Any]], lag: float, killed_after: int | None) -> None:
    """Whatever happens, and wherever the run is killed: no false claim, and the next run completes it."""
    with world(retry_timeout=60) as w:
        arrange(w)
        inside = state(w)[IDA][0]
        w.tenant.directory.replica_lag = lag
        w.tenant.faults.add(
            Fault(listener="entra", path="never"), *(Fault(listener="exchange", **one) for one in faults)
        )
        send, sent = w.network.send, []

        def perhaps(request: t.Any, **options: t.Any) -> t.Any:
            sent.append(request)
            if killed_after is not None and len(sent) > killed_after:
                raise Killed
            return send(request, **options)

        w.network.send = perhaps  # type: ignore[method-assign]
        with contextlib.suppress(Killed):
            check(w, close(w))
        w.network.send = send  # type: ignore[method-assign]
        settled(w)
        assert state(w)[IDA][0] == inside, "forwarding inside was turned off"
