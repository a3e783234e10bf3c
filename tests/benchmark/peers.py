# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make bench-peers`: two more contenders, each as its makers ship it, in a private network where Microsoft's names are ours.

    python -m benchmark.peers [options of python -m benchmark]

What cannot be had on this machine is named in the table, with the reason. What has been measured before is kept.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from tools import tree

from . import private

FOLDER = tree.WORK / "peers"
NAMES = ("aduser", "cli-m365")
_REASONS = FOLDER / "reasons.json"
# The package "ansible" is the one place on PyPI that holds collections; this series runs with the ansible-core of the tests.
_ANSIBLE, _HELD = "ansible>=12,<13", "ansible_collections/azure/azcollection/"
_CLI = "@pnp/cli-microsoft365"

AZURE_PYTHON = FOLDER / "azure" / "bin" / "python"
COLLECTIONS = FOLDER / "collections"
M365 = FOLDER / "npm" / "node_modules" / ".bin" / "m365"


def main() -> None:
    """Install what is missing, and go on as the benchmark in a network of its own."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    closed = private.refusal()
    installers = {"aduser": _azcollection, "cli-m365": _cli}
    reasons = {name: closed or _attempt(install) for name, install in installers.items()}
    _REASONS.write_text(json.dumps(reasons, indent=2) + "\n", encoding="utf-8")
    for name, reason in reasons.items():
        print(f"{name}: {reason or 'installed'}", flush=True)
    command = [sys.executable, "-m", "benchmark", "--keep", "--peers", *sys.argv[1:]]
    if closed:
        os.execv(sys.executable, command)  # noqa: S606
    private.replace_with(*command)


def missing() -> dict[str, str]:
    """The peers that cannot be measured here, each with the reason."""
    reasons: dict[str, str] = json.loads(_REASONS.read_text(encoding="utf-8"))
    return {name: reason for name, reason in reasons.items() if reason}


def versions() -> dict[str, str]:
    """Of the peers that are there."""
    found = {}
    manifest = COLLECTIONS / _HELD / "MANIFEST.json"
    if manifest.is_file():
        found["azure.azcollection"] = json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"]
    package = FOLDER / "npm" / "node_modules" / _CLI / "package.json"
    if package.is_file():
        found["CLI for Microsoft 365"] = json.loads(package.read_text(encoding="utf-8"))["version"]
    return found


def _attempt(install: Callable[[], None]) -> str:
    """Why it could not be installed; empty if it is there."""
    try:
        install()
    except FileNotFoundError as error:
        return f"not installed: there is no {error.filename}"
    except OSError as error:
        return f"not installed: {error.strerror}"
    except subprocess.CalledProcessError as error:
        return f"not installed: {Path(error.cmd[0]).name} ended with {error.returncode}: {_last_line(error.stderr)}"
    return ""


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def _run(*command: str) -> None:
    # Its requirements are its own, not those of the tests.
    environment = {key: value for key, value in os.environ.items() if key != "PIP_CONSTRAINT"}
    subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _azcollection() -> None:
    """The collection, and all that its requirements.txt names, in an environment of its own."""
    stamp = FOLDER / "azure.installed"
    if stamp.exists():
        return
    download = FOLDER / "download"
    shutil.rmtree(download, ignore_errors=True)
    _run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", f"--dest={download}", _ANSIBLE)
    (wheel,) = download.glob("ansible-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        wanted = (f"{_HELD}plugins/", f"{_HELD}meta/")
        names = [name for name in archive.namelist() if name.startswith(wanted) or name.count("/") == _HELD.count("/")]
        archive.extractall(COLLECTIONS, [name for name in names if name.startswith(_HELD)])
    shutil.rmtree(download)
    _run(sys.executable, "-m", "venv", "--clear", str(AZURE_PYTHON.parents[1]))
    requirements = str(COLLECTIONS / _HELD / "requirements.txt")
    core = f"ansible-core=={_core()}"
    _run(str(AZURE_PYTHON), "-m", "pip", "install", "--quiet", core, "--requirement", requirements)
    stamp.touch()


def _core() -> str:
    from ansible.release import __version__

    return str(__version__)


def _cli() -> None:
    if not M365.exists():
        _run("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(FOLDER / "npm"), _CLI)


if __name__ == "__main__":
    main()
