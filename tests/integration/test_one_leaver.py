# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One leaver from end to end: check, read, do, read, again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from simulator import Tenant

from .support import OFFBOARD, STEPS, SWITCHES, Player, moment, open_doors, snapshot, touched, writes

pytestmark = pytest.mark.both_ways


def test_offboarding_one_leaver(tenant: Tenant, play: Player) -> None:
    jane = tenant.directory.user("jane")
    before = snapshot(tenant)

    checked = play(OFFBOARD, "--check", "--diff", leavers=jane.upn)

    assert tenant.journal.writes() == []
    assert touched(before, tenant) == set()
    assert checked.returncode == 2
    assert checked.recap()["changed"] == 4
    assert {step: entry["status"] for step, entry in checked.leaver()["steps"].items()} == dict.fromkeys(
        STEPS, "planned"
    )
    assert not checked.leaver()["contained"]
    assert checked.leaver()["open"] == open_doors(jane)
    assert '"account_enabled": false' in checked.stdout
    assert checked.stdout.count("(time of the write)") == 2

    done = play(OFFBOARD, leavers=jane.upn)

    assert done.returncode == 0, done.output
    assert done.recap()["changed"] == 4
    assert touched(before, tenant) == {"jane"}
    assert writes(tenant) == [("jane", step) for step in STEPS]
    assert jane["accountEnabled"] is False
    assert len(jane.passwords) == 1
    assert not jane.sessions_alive
    assert moment(jane["signInSessionsValidFromDateTime"]) > moment(jane["lastPasswordChangeDateTime"])
    assert moment(jane["lastPasswordChangeDateTime"]) > moment(before["jane"]["properties"]["createdDateTime"])
    assert {name: jane.mailbox[switch] for name, switch in SWITCHES.items()} == {
        **dict.fromkeys(SWITCHES, False),
        "smtp_auth": True,  # SmtpClientAuthenticationDisabled
    }
    leaver = done.leaver()
    assert leaver["contained"]
    assert (leaver["open"], leaver["unconfirmed"], leaver["error"]) == ([], [], None)
    assert (leaver["user"], leaver["id"], leaver["user_principal_name"]) == (jane.upn, jane.id, jane.upn)
    steps = leaver["steps"]
    assert {step: entry["status"] for step, entry in steps.items()} == dict.fromkeys(STEPS, "verified")
    surely = {step: moment(entry["effective_by"]) for step, entry in steps.items()}
    revoked = moment(jane["signInSessionsValidFromDateTime"])
    assert surely == {
        "password": revoked + timedelta(hours=1),
        "sessions": revoked + timedelta(hours=1),
        "signin": moment(steps["signin"]["written_at"]) + timedelta(hours=24),
        "protocols": moment(steps["protocols"]["written_at"]) + timedelta(minutes=30),
    }
    assert done.table()[:2] == ["1 of 1 leaver is contained", "jane.doe@contoso.com  contained"]
    assert done.reported() == {
        "_run": {
            "m365_offboarding": {
                "localhost": {"contained": [jane.id], "not_contained": [], "accepted": [], "unknown": 0, "error": None}
            }
        }
    }

    tenant.journal.clear()
    before = snapshot(tenant)

    again = play(OFFBOARD, leavers=jane.upn)

    assert again.returncode == 0
    assert again.recap()["changed"] == 0
    assert tenant.journal.writes() == []
    assert touched(before, tenant) == set()
    assert again.leaver()["contained"]
    assert {step: entry["status"] for step, entry in again.leaver()["steps"].items()} == dict.fromkeys(
        STEPS, "unchanged"
    )
