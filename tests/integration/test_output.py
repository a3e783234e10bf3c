# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much a run shows at default verbosity, with Ansible's default callback."""

from __future__ import annotations

from pathlib import Path

from simulator import Tenant

from .support import OFFBOARD, RESTORE, Played, Player

# Lines with text, the names of tasks and the play's recap among them: the most that a run may show.
ONE_LEAVER, TWENTY_LEAVERS, RESTORED = 45, 60, 60
# Ansible 2.19 and newer shows where a task failed.
FAILED = 8


def _lines(played: Played) -> list[str]:
    return [line for line in played.output.splitlines() if line.strip()]


def test_the_output_of_one_leaver_fits_on_a_screen(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    jane, path = tenant.directory.user("jane"), tmp_path / "jane.json"

    done = play(OFFBOARD, leavers=jane.upn, offboard_employee_report_path=str(path))
    again = play(OFFBOARD, leavers=jane.upn)
    restored = play(RESTORE, leavers=jane.upn, evidence=str(path))

    assert (done.returncode, again.returncode, restored.returncode) == (0, 0, 0)
    assert len(_lines(done)) <= ONE_LEAVER
    # Nobody goes through the steps.
    assert len(_lines(again)) < len(_lines(done))
    assert len(_lines(restored)) <= RESTORED
    # The four modules are shown in Microsoft's order, and the table is the last that says anything.
    shown = "\n".join(_lines(done))
    steps = ["Reset the passwords", "Sign out of all sessions", "Block sign-in", "Turn off the mailbox protocols"]
    places = [shown.index(f" : {name}]") for name in [*steps, "Read the doors of this batch again"]]
    assert sorted(places) == places
    assert all(line in shown for line in done.table())


def test_the_output_of_twenty_leavers_has_a_line_for_each(tenant: Tenant, play: Player) -> None:
    before = set(tenant.directory.users)
    tenant.directory.add_crowd(20, group="leavers-mail")
    leavers = [user.upn for key, user in tenant.directory.users.items() if key not in before]
    assert len(leavers) == 20

    # It may read, and nothing else.
    failed = play(OFFBOARD, app="auditor", leavers=leavers)
    done = play(OFFBOARD, leavers=leavers)

    assert (failed.returncode, done.returncode) == (2, 0)
    assert len(_lines(done)) <= TWENTY_LEAVERS
    assert len(done.table()) == 21
    assert len(_lines(failed)) <= TWENTY_LEAVERS + FAILED
    # The same of everybody is said once, and everybody is named.
    (sentence, *_reasons) = failed.failure().splitlines()
    assert all(name in sentence for name in leavers)
