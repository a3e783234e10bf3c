# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `threat_model.rst` says that this collection does not defend against, seen to be so."""

from __future__ import annotations

import sys
from pathlib import Path

from simulator import Tenant

from .support import AUDIT, Player, a_play, open_doors

# Stands in for Python: it keeps the credential, forgets who is protected, and calls every open door shut.
_INTERPRETER = """#!/bin/sh
env > {stolen}
unset M365_PROTECTED_USERS
{python} "$@" | sed 's/": "open"/": "shut"/g'
"""


def test_extra_variables_hold_the_credential_the_guards_and_the_verdict(
    tenant: Tenant, play: Player, tmp_path: Path
) -> None:
    """With `-e ansible_python_interpreter=…`, any program runs with the environment of the job and answers for it."""
    stolen, program = tmp_path / "stolen", tmp_path / "python"
    program.write_text(_INTERPRETER.format(stolen=stolen, python=sys.executable))
    program.chmod(0o700)
    jane = tenant.directory.user("jane")

    played = play(
        AUDIT,
        leavers=jane.upn,
        environment={"M365_PROTECTED_USERS": "Break Glass"},
        ansible_python_interpreter=str(program),
    )

    assert "AZURE_CLIENT_SECRET=" in stolen.read_text()
    assert open_doors(jane)
    assert (played.leaver()["contained"], played.failure()) == (True, "")


def test_the_environment_keyword_shows_secrets_in_the_process_list(tenant: Tenant, play: Player) -> None:
    task = {
        "name": "List",
        "ansible.builtin.shell": "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '",
        "changed_when": False,
    }
    keyword = {**task, "name": "By keyword", "environment": {"AZURE_CLIENT_SECRET": "kept-from-nobody"}}

    played = play([a_play(keyword, {**task, "name": "Inherited"})], environment={"INHERITED": "kept-to-itself"})

    assert "AZURE_CLIENT_SECRET=kept-from-nobody" in played.result("By keyword")["stdout"]
    assert "kept-to-itself" not in played.result("Inherited")["stdout"]
