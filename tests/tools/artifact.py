# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the collection's artifact from the checkout, and check its content.

`ansible-galaxy` orders files as the file system does, and records the time of the build. The artifact is therefore
rewritten: files are sorted and have the time of the commit, so that anyone who builds a tag gets the published artifact, byte
by byte (given the same zlib). Only README.md differs from the checkout: its relative links lead to the version's tag, since
they would be broken on Galaxy.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from . import tree

_LARGEST = 400 * 1024
# Exactly what users need. Adding a path here is a decision.
_MAY_HOLD = re.compile(
    r"""(
        MANIFEST\.json | FILES\.json | README\.md | CHANGELOG\.md | COPYING | requirements\.txt |
        changelogs/changelog\.yaml |
        extensions/(awx|eda)/.+ |
        (LICENSES|docs|meta|playbooks|plugins|roles)/.+
    )""",
    re.VERBOSE,
)
# Every file of these folders that git tracks must be in the artifact.
_WHOLE = ("LICENSES/", "docs/", "extensions/awx/", "extensions/eda/", "meta/", "playbooks/", "plugins/", "roles/")
# Pictures and the page for contributors are shown from the repository; they would fill most of the allowed size. AWX uses
# its project from the repository too; in the artifact, Galaxy's importer would lint it without the playbooks it imports.
_LEFT_OUT = ("docs/architecture.md", "docs/images/", "extensions/awx/project/")
_SINGLE = ("README.md", "CHANGELOG.md", "COPYING", "requirements.txt")
# Certified content caps nothing, and names neither ansible nor ansible-core:
# https://docs.ansible.com/projects/partner-certification-requirements/dependencies/
_REQUIREMENT = re.compile(r"(?!ansible)[a-z0-9-]+(>=[0-9.]+)?")
_RELATIVE = re.compile(r"(\]\(|\bsrc=\"|\bsrcset=\")(?![a-z]+:|#)")
# Where the documentation names the version of a release.
_NAMES_VERSION = re.compile(r"(?:m365-offboarding:|awx_setup_project_branch: )([0-9]+\.[0-9]+\.[0-9]+)")


def build(name: str, source: Path = tree.ROOT) -> Path:
    """Build the artifact into the work folder and return its path."""
    target = tree.WORK / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    subprocess.run(
        ["ansible-galaxy", "collection", "build", "--output-path", str(target), str(source)],
        cwd=target,
        env={**os.environ, **tree.home(name)},
        check=True,
    )
    (artifact,) = target.glob("m365-offboarding-*.tar.gz")
    _normalise(artifact)
    return artifact


def build_twice(name: str) -> tuple[Path, list[str]]:
    """Build from the checkout, and again from a copy of it, at another time and with files in another order."""
    first = build(name)
    again = f"{name}-again"
    second = build(again, tree.copy(f"{again}-source"))
    same = first.read_bytes() == second.read_bytes()
    for place in (again, f"{again}-source"):
        shutil.rmtree(tree.WORK / place)
    return first, [] if same else ["a copy of this checkout gives a different artifact"]


def made_at() -> int:
    """Return the time of the commit, or SOURCE_DATE_EPOCH: https://reproducible-builds.org/specs/source-date-epoch/"""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    log = ["git", "log", "-1", "--format=%ct"]
    return int(subprocess.run(log, cwd=tree.ROOT, check=True, capture_output=True, text=True).stdout)


def _normalise(artifact: Path) -> None:
    """Rewrite the artifact: sorted, and without anything from this machine or time."""
    with tarfile.open(artifact) as archive:
        members = {member.name: member for member in archive.getmembers()}
        data = {name: archive.extractfile(member).read() for name, member in members.items() if member.isfile()}  # type: ignore[union-attr]
    manifest = json.loads(data["MANIFEST.json"])
    data["README.md"] = _absolute(data["README.md"].decode(), manifest["collection_info"]).encode()
    files = json.loads(data["FILES.json"])
    files["files"].sort(key=lambda entry: entry["name"])
    (readme,) = (entry for entry in files["files"] if entry["name"] == "README.md")
    readme["chksum_sha256"] = hashlib.sha256(data["README.md"]).hexdigest()
    data["FILES.json"] = _json(files)
    manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(data["FILES.json"]).hexdigest()
    data["MANIFEST.json"] = _json(manifest)
    moment = made_at()
    with (
        artifact.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=moment) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in sorted(members, key=lambda name: (name != "MANIFEST.json", name != "FILES.json", name)):
            member = members[name]
            member.mtime = moment
            member.pax_headers = {}
            content = data.get(name)
            member.size = len(content) if content is not None else 0
            archive.addfile(member, io.BytesIO(content) if content is not None else None)


def _absolute(page: str, about: dict[str, str]) -> str:
    """Make relative links lead to the tag of this version, and those of pictures to the raw files."""

    def lead(start: re.Match[str]) -> str:
        kind = "blob" if start.group(1) == "](" else "raw"
        return f"{start.group(1)}{about['repository']}/{kind}/{about['version']}/"

    return _RELATIVE.sub(lead, page)


def _json(value: object) -> bytes:
    """Encode JSON as ansible-galaxy does."""
    return json.dumps(value, indent=1).encode()


def problems(artifact: Path) -> list[str]:
    """Print the content, and return what is missing or has no place in it."""
    known = tree.listed()
    with tarfile.open(artifact) as archive:
        held = {member.name for member in archive.getmembers() if not member.isdir()}
        manifest = json.load(archive.extractfile("MANIFEST.json"))  # type: ignore[arg-type]
        readme = archive.extractfile("README.md").read().decode()  # type: ignore[union-attr]
    size = artifact.stat().st_size
    print(*sorted(held), sep="\n")
    print(f"{artifact.name}: {len(held)} files, {size / 1024:.0f} KiB")

    found = [f"{path} has no place in the artifact" for path in sorted(held) if not _MAY_HOLD.fullmatch(path)]
    found += [f"{path} is not tracked by git" for path in sorted(held - known - {"MANIFEST.json", "FILES.json"})]
    wanted = {path for path in known if path.startswith(_WHOLE) and not path.startswith(_LEFT_OUT)} | set(_SINGLE)
    found += [f"{path} must be left out" for path in sorted(held) if path.startswith(_LEFT_OUT)]
    found += [f"{path} is missing" for path in sorted(wanted - held)]
    if size > _LARGEST:
        found.append(f"{size} bytes are more than {_LARGEST}")
    if manifest["collection_info"]["dependencies"]:
        found.append("the collection must not depend on others")
    found += [f"README.md leads to {start}..., which Galaxy does not have" for start in _RELATIVE.findall(readme)]
    found += _other_versions(manifest["collection_info"]["version"], held)
    found += [
        f"{line} is not a plain requirement, or has an upper bound"
        for line in _requirements("requirements.txt")
        if not _REQUIREMENT.fullmatch(line)
    ]
    if _requirements("requirements.txt") != _requirements("meta/ee-requirements.txt"):
        found.append("requirements.txt and meta/ee-requirements.txt differ")
    return found


def _other_versions(version: str, held: set[str]) -> list[str]:
    """Return the places that name another version than this one."""
    return [
        f"{path} names {named}, not {version}"
        for path in sorted(held - {"MANIFEST.json", "FILES.json"})
        if path.endswith((".yml", ".rst", ".md"))
        for named in _NAMES_VERSION.findall((tree.ROOT / path).read_text(encoding="utf-8"))
        if named != version
    ]


def _requirements(path: str) -> list[str]:
    lines = (tree.ROOT / path).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


if __name__ == "__main__":
    built, wrong = build_twice("artifact")
    wrong += problems(built)
    for problem in wrong:
        print(f"ERROR: {problem}")
    sys.exit(bool(wrong))
