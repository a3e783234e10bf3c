# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the Python interpreters of this machine that really work."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

_VERSION_AND_PATH = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"


@functools.cache
def find(version: str) -> str | None:
    """Return the path of a `python<version>`, or None if there is none."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return _real(os.path.join(sys.base_prefix, "bin", f"python{version}"), version) or sys.executable
    # A version manager puts a shim for each version on the PATH, before the interpreters. The shims of versions that are
    # not enabled fail.
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions").glob("*/bin")
    neighbours = Path(sys.base_prefix).parent.glob("*/bin")
    places = [*os.get_exec_path(), "/usr/local/bin", "/usr/bin", *sorted(map(str, (*pyenv, *neighbours)), reverse=True)]
    for place in dict.fromkeys(places):
        found = _real(os.path.join(place, f"python{version}"), version)
        if found:
            return found
    return None


def _real(candidate: str, version: str) -> str | None:
    if not os.access(candidate, os.X_OK):
        return None
    try:
        reported = subprocess.run(
            [candidate, "-c", _VERSION_AND_PATH], capture_output=True, check=True, text=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return None
    actual, _blank, path = reported.stdout.strip().partition(" ")
    return path if actual == version else None
