# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the collection's artifact from the checkout as it lies there, and look into it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from . import tree

_LARGEST = 300 * 1024
# What users need, and nothing else: a name that is new here is a decision, not an accident.
_MAY_HOLD = re.compile(
    r"""(
        MANIFEST\.json | FILES\.json | README\.md | CHANGELOG\.md | COPYING | requirements\.txt |
        changelogs/changelog\.yaml |
        extensions/(awx|eda)/.+ |
        (LICENSES|docs|meta|playbooks|plugins|roles)/.+
    )""",
    re.VERBOSE,
)
# Of these everything that git knows must be inside.
_WHOLE = ("LICENSES/", "docs/", "extensions/awx/", "extensions/eda/", "meta/", "playbooks/", "plugins/", "roles/")
# The README shows these from the repository; they would fill most of what the artifact may weigh.
_LEFT_OUT = ("docs/images/",)
_SINGLE = ("README.md", "CHANGELOG.md", "COPYING", "requirements.txt")


def build(name: str) -> Path:
    """Build the artifact into the work folder and return its path."""
    target = tree.WORK / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    subprocess.run(
        ["ansible-galaxy", "collection", "build", "--output-path", str(target), str(tree.ROOT)],
        cwd=target,
        env={**os.environ, **tree.home(name)},
        check=True,
    )
    (artifact,) = target.glob("m365-offboarding-*.tar.gz")
    return artifact


def _problems(artifact: Path) -> list[str]:
    known = tree.listed()
    with tarfile.open(artifact) as archive:
        held = {member.name for member in archive.getmembers() if not member.isdir()}
        manifest = json.load(archive.extractfile("MANIFEST.json"))  # type: ignore[arg-type]
    size = artifact.stat().st_size
    print(*sorted(held), sep="\n")
    print(f"{artifact.name}: {len(held)} files, {size / 1024:.0f} KiB")

    problems = [f"{path} has no place in the artifact" for path in sorted(held) if not _MAY_HOLD.fullmatch(path)]
    problems += [f"{path} is not known to git" for path in sorted(held - known - {"MANIFEST.json", "FILES.json"})]
    wanted = {path for path in known if path.startswith(_WHOLE) and not path.startswith(_LEFT_OUT)} | set(_SINGLE)
    problems += [f"{path} is to be left out" for path in sorted(held) if path.startswith(_LEFT_OUT)]
    problems += [f"{path} is missing" for path in sorted(wanted - held)]
    if size > _LARGEST:
        problems.append(f"{size} bytes are more than {_LARGEST}")
    if manifest["collection_info"]["dependencies"]:
        problems.append("the collection is to depend on no other")
    if _requirements("requirements.txt") != _requirements("meta/ee-requirements.txt"):
        problems.append("requirements.txt and meta/ee-requirements.txt differ")
    return problems


def _requirements(path: str) -> list[str]:
    lines = (tree.ROOT / path).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


if __name__ == "__main__":
    found = _problems(build("artifact"))
    for problem in found:
        print(f"ERROR: {problem}")
    sys.exit(bool(found))
