# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run Molecule's scenarios from the collection's root, and see that each of them did something.

Molecule calls a scenario successful whose playbooks are missing or match no host.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from . import tree

_SCENARIOS = tree.ROOT / "extensions" / "molecule"
_NOTHING_DONE = re.compile(
    r"no hosts matched|Missing playbook|Executed: Missing|Could not match supplied host pattern", re.IGNORECASE
)


def main(arguments: list[str]) -> int:
    names = arguments or sorted(path.parent.name for path in _SCENARIOS.glob("*/molecule.yml"))
    place = tree.WORK / "molecule"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    environment = {
        **os.environ,
        **tree.home("molecule"),
        "ANSIBLE_COLLECTIONS_PATH": str(tree.link()),
        "MOLECULE_EPHEMERAL_DIRECTORY": str(place),
        "NO_COLOR": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    chosen = [word for name in names for word in ("--scenario-name", name)]
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "molecule", "test", "--report", *chosen],
            cwd=tree.ROOT,
            env=environment,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    finally:
        _stop(place / "simulator" / "pid")
    print(ran.stdout)
    problems = sorted({line.strip() for line in ran.stdout.splitlines() if _NOTHING_DONE.search(line)})
    for name in names:
        if not re.search(rf"\[{name} > verify\] Executed: Successful", ran.stdout):
            problems.append(f"scenario {name} verified nothing")
    for problem in problems:
        print(f"ERROR: {problem}")
    return 1 if ran.returncode or problems or not names else 0


def _stop(pid_file: Path) -> None:
    """End a simulator that Molecule left behind: it skips "destroy" when it breaks down itself."""
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(pid_file.read_text()), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
