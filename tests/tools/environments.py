# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Environments beside that of a session: another ansible-core, on another Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import tree

REQUIREMENTS = tree.ROOT / "requirements.txt"


def make(place: Path, interpreter: str, *wanted: str, oldest: bool = False, constrained: bool = True) -> Path:
    """Make a new environment with what is wanted and nothing else, not even pip; return the folder of its programs.

    With *oldest*, the modules' libraries are then replaced by the oldest that requirements.txt allows. *constrained*: the
    versions are those of tests/constraints.txt, if nox says so.
    """
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run([interpreter, "-m", "venv", "--without-pip", str(place)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python"), "--disable-pip-version-check"]
    free = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    subprocess.run(
        [*pip, "install", "--quiet", "--quiet", *wanted], check=True, env=dict(os.environ) if constrained else free
    )
    if oldest:
        subprocess.run([*pip, "install", "--quiet", "--quiet", *lowest()], check=True, env=free)
    return place / "bin"


def lowest() -> list[str]:
    """The oldest libraries that the modules support, as requirements."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return [line.replace(">=", "==") for line in lines if ">=" in line]
