# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make tenant`: a tenant to try things on, and a file with which a shell finds it, Ansible and this collection."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import textwrap
import threading
from pathlib import Path

from simulator.server import Tenant
from tools import tree

SCRIPT = tree.WORK / "tenant.sh"
TELL = """\
A tenant is running on this machine, until you press Ctrl-C. In another terminal, in this folder:

    . {script}
    ansible-playbook m365.offboarding.audit -e leavers=jane.doe@contoso.com

With M365_APP=auditor, "make tenant" gives a credential that can only read. Who is there:

{people}
"""


def main() -> int:
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_ignored: done.set())
    app = os.environ.get("M365_APP", "offboarding")
    with Tenant() as tenant:
        if app not in tenant.directory.apps:
            raise SystemExit(f"There is no application {app}; there are {', '.join(sorted(tenant.directory.apps))}.")
        variables = {
            **tenant.environment_of(app),
            "ANSIBLE_COLLECTIONS_PATH": str(tree.link()),
            "ANSIBLE_LOCALHOST_WARNING": "false",
        }
        lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        lines.append(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"')
        SCRIPT.touch(mode=0o600)
        SCRIPT.write_text("\n".join(lines) + "\n", encoding="utf-8")
        names = " ".join(user.upn for user in tenant.directory.everyone())
        people = textwrap.fill(names, 100, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
        print(TELL.format(script=SCRIPT.relative_to(tree.ROOT), people=people), flush=True)
        done.wait()
    SCRIPT.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
