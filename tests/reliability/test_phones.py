# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Phones on bad days: blocked is what the mailbox says, nothing is wiped unasked, and nothing twice."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils import _residual
from ansible_collections.m365.offboarding.plugins.module_utils._user_input import parse_users
from ansible_collections.m365.offboarding.plugins.modules.m365_user_devices import SwitchDevices
from simulator.exchange_errors import SHAPES, TRANSIENT, error_body
from simulator.faults import Fault

from .world import World, world

PHIL, FLORA = "phil.phone@contoso.com", "flora.forwarder@contoso.com"
# Phil has three phones, one of which the organization blocks already.
OPEN = 2


@pytest.fixture
def w() -> Iterator[World]:
    with world() as made:
        for phone in made.tenant.directory.user("phone").residual.phones:
            phone["ClientVersion"] = "16.1"
        yield made


def close(w: World, *, wipe: bool = False, check_mode: bool = False) -> list[dict[str, t.Any]]:
    return w._step(SwitchDevices(None, wipe=wipe), [PHIL, FLORA], w.verify_timeout, check_mode=check_mode)


def blocked(w: World) -> int:
    mailbox = w.tenant.directory.user("phone").mailbox
    assert mailbox is not None
    return len(mailbox["ActiveSyncBlockedDeviceIDs"])


def wiped(w: World) -> int:
    phones = w.tenant.directory.user("phone").residual.phones
    assert not any("DeviceWipeRequestTime" in phone for phone in phones), "a whole phone was wiped"
    return sum("AccountOnlyDeviceWipeRequestTime" in phone for phone in phones)


def audit(w: World) -> str:
    readings = w.readings("auditor-residual")
    (reported,) = _residual.residual_access(readings, readings.resolve(parse_users([PHIL])), ["phones"])
    return str(reported["phones"]["state"])


def test_check_read_do_read_again_and_the_audit(w: World) -> None:
    assert audit(w) == "found"
    foretold = close(w, check_mode=True)
    assert (blocked(w), wiped(w)) == (0, 0)
    reported = close(w)
    assert [one["status"] for one in reported] == ["verified", "unchanged"]
    assert reported[0]["after"] == foretold[0]["after"]
    assert (blocked(w), wiped(w), audit(w)) == (OPEN, 0, "none")
    w.tenant.directory.phones_connected = True
    writes = len(w.tenant.journal.writes())
    assert {one["status"] for one in close(w)} == {"unchanged"}
    assert (audit(w), len(w.tenant.journal.writes())) == ("none", writes)


def test_each_phone_is_wiped_once_and_before_it_is_blocked(w: World) -> None:
    assert close(w, wipe=True)[0]["status"] == "verified"
    assert (blocked(w), wiped(w)) == (OPEN, 3)
    order = [entry.cmdlet for entry in w.tenant.journal.writes()]
    assert order == ["Clear-MobileDevice"] * 3 + ["Set-CASMailbox"] * OPEN
    assert {one["status"] for one in close(w, wipe=True)} == {"unchanged"}
    assert len(w.tenant.journal.writes()) == 3 + OPEN


def test_phones_come_back_and_a_wipe_does_not(w: World) -> None:
    reported = close(w, wipe=True)
    wanted = {PHIL: reported[0]["objects"]}
    back = w._step(SwitchDevices(wanted), [PHIL], w.verify_timeout)
    assert (blocked(w), wiped(w)) == (0, 3)
    assert back[0]["status"] == "verified"
    assert "cannot be undone" in back[0]["note"]


@pytest.mark.parametrize("applied", [False, True], ids=["lost", "done"])
@pytest.mark.parametrize(
    "what",
    [
        *({"status": status, "body": "<html>gone</html>"} for status in (500, 503, 504)),
        *({"status": 400, "body": error_body(kind, "Not now.", SHAPES[n])} for n, kind in enumerate(TRANSIENT[:3])),
    ],
)
@pytest.mark.parametrize("cmdlet", ["Clear-MobileDevice", "Set-CASMailbox"])
def test_a_write_that_may_have_been_done_is_looked_at_first(
    w: World, cmdlet: str, what: dict[str, t.Any], applied: bool
) -> None:
    rule = w.tenant.faults.add(Fault(listener="exchange", cmdlet=cmdlet, nth=1, apply_first=applied, **what))
    assert close(w, wipe=True)[0]["status"] == "verified"
    assert (rule.struck, blocked(w), wiped(w)) == (1, OPEN, 3)
    sent = [entry for entry in w.tenant.journal.writes() if entry.cmdlet == cmdlet]
    assert len(sent) == {"Clear-MobileDevice": 3, "Set-CASMailbox": OPEN}[cmdlet] + (not applied)


@pytest.mark.parametrize("cmdlet", ["Get-MobileDevice", "Get-MobileDeviceStatistics", "Get-CASMailbox"])
@pytest.mark.parametrize(
    "what",
    [
        {"status": 403, "nul_gzip": True},
        {"status": 200, "body": error_body("x.SomethingException", "No.", "adminapi")},
        {"status": 200, "body": {"value": [{}]}},
    ],
)
def test_what_cannot_be_read_is_not_called_blocked(w: World, cmdlet: str, what: dict[str, t.Any]) -> None:
    rule = w.tenant.faults.add(Fault(listener="exchange", cmdlet=cmdlet, **what))
    reported = close(w, wipe=True)
    assert rule.struck
    assert reported[0]["status"] == "failed"
    assert reported[0]["error"]["message"]
    w.tenant.faults.clear()
    assert close(w, wipe=True)[0]["status"] in ("verified", "unchanged")
    assert (blocked(w), wiped(w)) == (OPEN, 3)


def test_replicas_that_lag(w: World) -> None:
    w.tenant.directory.replica_lag = 10
    assert close(w, wipe=True)[0]["status"] == "verified"
    assert len(w.tenant.journal.writes()) == 3 + OPEN
