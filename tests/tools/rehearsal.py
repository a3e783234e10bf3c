# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Offboard one leaver on a simulated tenant, with an installed Ansible and collection; check what the tenant shows, not Ansible."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from simulator.directory import User
from simulator.server import Tenant

LEAVER = "jane.doe@contoso.com"
_IN_ORDER = ["passwordProfile", "revokeSignInSessions", "accountEnabled", "Set-CASMailbox"]
_WARNED = re.compile(r"\[(?:WARNING|DEPRECATION WARNING|ERROR)\]: .*")


def offboard(programs: Path, collections: Path, folder: Path) -> list[str]:
    """Offboard a leaver twice, then audit with a credential that can only read; return the problems."""
    folder.mkdir(parents=True, exist_ok=True)
    problems: list[str] = []
    with Tenant() as tenant:
        leaver = tenant.directory.user(LEAVER)
        if len(_open(leaver)) < len(_DOORS):
            problems.append("a door is shut before the first run, so the run proves nothing")
        for playbook, app in (("offboard", "offboarding"), ("offboard", "offboarding"), ("audit", "auditor")):
            environment = _environment(programs, collections, folder) | tenant.environment_of(app)
            problems += _play(programs, folder, environment, playbook)
            problems += [f"after {playbook}: {each}" for each in _open(leaver)]
            problems += [f"after {playbook}: {each}" for each in _journal(tenant)]
        problems += [f"the simulator crashed: {crash}" for crash in tenant.crashes]
    return problems


def _environment(programs: Path, collections: Path, folder: Path) -> dict[str, str]:
    """Return the whole environment of a run: nothing from this checkout or from the user."""
    return {
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "PATH": os.pathsep.join([str(programs), "/usr/local/bin", "/usr/bin", "/bin"]),
    }


def _play(programs: Path, folder: Path, environment: dict[str, str], playbook: str) -> list[str]:
    command = [str(programs / "ansible-playbook"), f"m365.offboarding.{playbook}", "-e", f"leavers={LEAVER}"]
    ran = subprocess.run(
        [*command, "-e", f"offboard_employee_report_path={folder / playbook}.json"],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    said = f"{ran.stdout}\n{ran.stderr}"
    problems = [f"{playbook} warns: {warning}" for warning in sorted(set(_WARNED.findall(said)))]
    if ran.returncode:
        problems.append(f"{playbook} ended with {ran.returncode}:\n{said}")
    if not (folder / f"{playbook}.json").is_file():
        problems.append(f"{playbook} left no evidence")
    return problems


def _switches(leaver: User) -> set[str]:
    """Return the switches of the mailbox that are on. ECP gives no access."""
    settings = leaver.mailbox.settings if leaver.mailbox else {}
    return {name for name, value in settings.items() if value is True} - {"ECPEnabled"}


# The problem with each door, and how the tenant shows that the door is shut.
_DOORS: dict[str, Callable[[User], bool]] = {
    "the password was not set exactly once": lambda leaver: len(leaver.passwords) == 1,
    "sessions are still alive": lambda leaver: not leaver.sessions_alive,
    "sign-in is not blocked": lambda leaver: not leaver.properties["accountEnabled"],
    "a protocol of the mailbox is on": lambda leaver: _switches(leaver) == {"SmtpClientAuthenticationDisabled"},
}


def _open(leaver: User) -> list[str]:
    return [problem for problem, is_shut in _DOORS.items() if not is_shut(leaver)]


def _journal(tenant: Tenant) -> list[str]:
    """Check for exactly four writes, in Microsoft's order, however often the role was run."""
    sent = [
        entry.cmdlet or (next(iter(entry.body)) if entry.method == "PATCH" else entry.path.rpartition("/")[2])
        for entry in tenant.journal.writes()
    ]
    return [] if sent == _IN_ORDER else [f"the tenant saw {', '.join(sent) or 'nothing'}"]
