# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checkout where Ansible expects a collection: in `ansible_collections/m365/offboarding`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".work"
_PLACE = Path("ansible_collections", "m365", "offboarding")


def link() -> Path:
    """Return a folder for `sys.path` and `ANSIBLE_COLLECTIONS_PATH` that holds this checkout as the collection."""
    if ROOT.parts[-3:] == _PLACE.parts:
        return ROOT.parents[2]
    place = WORK / _PLACE
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_symlink() or place.resolve() != ROOT:
        # Several test processes may run this at once: each creates its own link, and the last one replaces the others.
        own = place.with_name(f"offboarding.{os.getpid()}")
        own.unlink(missing_ok=True)
        own.symlink_to(ROOT)
        own.replace(place)
    return WORK


def listed() -> set[str]:
    """Return the files that git tracks or would add."""
    reported = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
    )
    paths = {path for path in os.fsdecode(reported.stdout).split("\0") if path and os.path.lexists(ROOT / path)}
    if "galaxy.yml" not in paths:
        raise SystemExit(f"{ROOT} is not a checkout of the collection: git lists no galaxy.yml")
    return paths


def copy(name: str, *, without: str | None = None) -> Path:
    """Copy the files that git tracks or would add into a collections tree, as a git repository; return its folder.

    Paths that begin with `without` are left out.
    """
    target = WORK / name / _PLACE
    if target.exists():
        shutil.rmtree(target)
    for path in listed():
        if without and path.startswith(without):
            continue
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target / path, follow_symlinks=False)
    subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)
    return target


def ansible(folder: Path) -> dict[str, str]:
    """Return all variables of an Ansible that runs this checkout and writes to nothing but `folder`."""
    own = folder / ".ansible"
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(link()),
        "ANSIBLE_HOME": str(own),
        "ANSIBLE_LOCAL_TEMP": str(own / "local"),
        "ANSIBLE_REMOTE_TEMP": str(own / "remote"),
    }


def home(name: str) -> dict[str, str]:
    """Return variables that keep a tool's caches and Ansible's files out of the user's home."""
    place = WORK / "home" / name
    place.mkdir(parents=True, exist_ok=True)
    ansible = place / ".ansible"
    return {
        "HOME": str(place),
        "XDG_CACHE_HOME": str(place / ".cache"),
        "ANSIBLE_HOME": str(ansible),
        # Ansible's local connection takes "~" from the user database and ignores HOME.
        "ANSIBLE_ASYNC_DIR": str(ansible / "async"),
        "ANSIBLE_LOCAL_TEMP": str(ansible / "tmp"),
        "ANSIBLE_REMOTE_TEMP": str(ansible / "tmp"),
    }
