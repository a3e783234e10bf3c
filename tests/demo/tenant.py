# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make tenant`: a tenant to try things on, and a file with which a shell finds it, Ansible and this collection."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import textwrap
import threading
from pathlib import Path

from simulator.server import Tenant
from tools import tree

TELL = """\
A tenant is running on this machine, until you press Ctrl-C. In another terminal, in this folder:

    . {script}
    ansible-playbook m365.offboarding.audit -e leavers=jane.doe@contoso.com

"make tenant APP=auditor" gives a credential that can only read. The people:

{people}
"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="demo.tenant")
    parser.add_argument("--app", default="offboarding", help="registered application whose credential is given")
    parser.add_argument("--script", type=Path, default=tree.WORK / "tenant.sh", help="file for the shell")
    options = parser.parse_args(arguments)
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_ignored: done.set())
    with Tenant() as tenant:
        if options.app not in tenant.directory.apps:
            parser.error(f"there is no application {options.app}; there are {', '.join(sorted(tenant.directory.apps))}")
        variables = {
            **tenant.environment_of(options.app),
            "ANSIBLE_COLLECTIONS_PATH": str(tree.link()),
            "ANSIBLE_LOCALHOST_WARNING": "false",
        }
        lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        lines.append(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"')
        options.script.touch(mode=0o600)
        options.script.write_text("\n".join(lines) + "\n", encoding="utf-8")
        names = " ".join(user.upn for user in tenant.directory.everyone())
        people = textwrap.fill(names, 100, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
        print(TELL.format(script=os.path.relpath(options.script, tree.ROOT), people=people), flush=True)
        done.wait()
    options.script.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
