# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules of awx.awx, for tests only: out of the package "ansible", the one place on PyPI that holds them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from . import tree

# The last series with awx.awx in it; newer than the ansible-core of the tests, which does not matter to the modules.
_PACKAGE = "ansible>=13,<14"
_HELD = "ansible_collections/awx/awx/"


def folder() -> Path:
    """Return a folder for ``ANSIBLE_COLLECTIONS_PATH`` that holds awx.awx, downloading it unless it is there."""
    place = tree.WORK / "awx.awx"
    if not (place / _HELD / "MANIFEST.json").is_file():
        # Several test processes may come here at once: the first one's stays.
        own = place.with_name(f"awx.awx.{os.getpid()}")
        shutil.rmtree(own, ignore_errors=True)
        _extract(_download(own / "download"), own)
        shutil.rmtree(own / "download")
        try:
            own.rename(place)
        except OSError:
            shutil.rmtree(own)
    return place


def _download(target: Path) -> Path:
    # Of the package only files are wanted: neither its dependencies nor the Python that it asks for.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*command, "--python-version=3.13", f"--dest={target}", _PACKAGE], check=True)
    (wheel,) = target.glob("ansible-*.whl")
    return wheel


def _extract(wheel: Path, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target, [name for name in archive.namelist() if name.startswith(_HELD)])


if __name__ == "__main__":
    print(folder())
