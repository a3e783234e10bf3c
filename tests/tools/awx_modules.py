# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules of awx.awx, for tests only, from the package "ansible", the only one on PyPI that contains them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from . import tree

# The last series that contains awx.awx. Its modules also work with the older ansible-core of the tests.
_PACKAGE = "ansible>=13,<14"
_HELD = "ansible_collections/awx/awx/"


def folder() -> Path:
    """Return a folder for `ANSIBLE_COLLECTIONS_PATH` that holds awx.awx; download it if necessary."""
    place = tree.WORK / "awx.awx"
    if not (place / _HELD / "MANIFEST.json").is_file():
        # Several test processes may run this at once: the first one's folder stays.
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
    # Only the files of the package are needed, not its dependencies or its Python.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*command, "--python-version=3.13", f"--dest={target}", _PACKAGE], check=True)
    (wheel,) = target.glob("ansible-*.whl")
    return wheel


def _extract(wheel: Path, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target, [name for name in archive.namelist() if name.startswith(_HELD)])


if __name__ == "__main__":
    print(folder())
