# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual environments with another ansible-core or another Python than the session has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import tree

REQUIREMENTS = tree.ROOT / "requirements.txt"


def make(place: Path, interpreter: str, *wanted: str, oldest: bool = False, constrained: bool = True) -> Path:
    """Create an environment with exactly these requirements, without pip; return the folder of its programs.

    With `oldest`, replace the modules' libraries by the oldest that requirements.txt allows. With `constrained`, the
    versions of tests/constraints.txt apply if nox has set them.
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
    """Return the oldest libraries that the modules support, as requirements."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return [line.replace(">=", "==") for line in lines if ">=" in line]
