# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Microsoft's clients and ours see what the other one did: on one tenant, each by its own means."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.support import AUDIT, OFFBOARD, SWITCHES, Player

from clients.microsoft import lock_with_msgraph_sdk, read_with_msgraph_sdk
from simulator import Tenant

MILES = "miles.o'brien@contoso.com"


@pytest.fixture
def play(tenant: Tenant, tmp_path: Path) -> Player:
    return Player(tenant, tmp_path)


def test_what_msgraph_sdk_locks_our_audit_finds_shut(tenant: Tenant, play: Player) -> None:
    assert set(play(AUDIT, app="auditor", leavers=[MILES]).leaver()["open"]) == {
        "password",
        "sessions",
        "signin",
        *SWITCHES,
    }
    lock_with_msgraph_sdk(tenant, MILES)
    audit = play(AUDIT, app="auditor", leavers=[MILES])
    assert set(audit.leaver()["open"]) == set(SWITCHES), "Microsoft's SDK for Graph cannot shut a mailbox"
    assert not audit.leaver()["contained"]

    writes = len(tenant.journal.writes())
    done = play(OFFBOARD, leavers=[MILES])
    assert done.leaver()["contained"]
    assert [entry.cmdlet for entry in tenant.journal.writes()[writes:]] == ["Set-CASMailbox"], "a lock was done again"


def test_what_our_role_locks_msgraph_sdk_reads_as_locked(tenant: Tenant, play: Player) -> None:
    before = read_with_msgraph_sdk(tenant, MILES)
    assert play(OFFBOARD, leavers=[MILES]).leaver()["contained"]
    after = read_with_msgraph_sdk(tenant, MILES)
    assert (before.account_enabled, after.account_enabled) == (True, False)
    assert before.password_changed < after.password_changed < after.sessions_valid_from
