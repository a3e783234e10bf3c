# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build a release in .work/release, and use it as a new user would.

The artifact is built twice, from the checkout and from a copy of it, and both must be identical. It is installed into empty
environments, with the oldest and the newest supported pair of ansible-core and Python that is installed, and offboards a
leaver of a simulated tenant there. A bill of materials (CycloneDX) and SHA256SUMS are written too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from . import artifact, cores, environments, rehearsal, tree

_PLACE = tree.WORK / "release"
_SUMS = "SHA256SUMS"
# A collection must work without any other folder that is installed with it:
# https://docs.ansible.com/projects/ansible/devel/community/collection_contributors/collection_requirements.html#other-directories
_NEEDED = frozenset({"meta", "playbooks", "plugins", "roles"})


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="release")
    parser.add_argument("--pairs", nargs="*", metavar="SERIES-pyVERSION", help="instead of the oldest and the newest")
    options = parser.parse_args(arguments)
    chosen = [pair for pair in cores.pairs() if str(pair) in options.pairs] if options.pairs else cores.ends()
    if not chosen:
        raise SystemExit("none of these pairs is supported, or their Pythons are not installed")

    built, problems = artifact.build_twice(_PLACE.name)
    problems += artifact.problems(built)
    problems += _unreleased()
    newest = Path()
    for number, pair in enumerate(chosen):
        newest, found = _try(built, pair, oldest=number == 0 and len(chosen) > 1)
        problems += [f"{pair}: {each}" for each in found]
    bill = built.with_name(built.name.replace(".tar.gz", ".cdx.json"))
    problems += _list_parts(built, newest, bill)
    problems += _scan(newest)
    for left in [path for path in _PLACE.iterdir() if path.is_dir()]:
        shutil.rmtree(left)
    sums = "".join(f"{_sha256(path)}  {path.name}\n" for path in (built, bill))
    (_PLACE / _SUMS).write_text(sums, encoding="utf-8")

    print(f"\n{_PLACE}:\n{sums}", end="")
    for problem in problems:
        print(f"ERROR: {problem}")
    return bool(problems)


def _unreleased() -> list[str]:
    """Return what is missing for the release of a tagged commit. Without a tag, only print it."""
    version = str(yaml.safe_load((tree.ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"])
    changes = tree.ROOT / "changelogs" / "changelog.yaml"
    reported = yaml.safe_load(changes.read_text(encoding="utf-8"))["releases"] if changes.is_file() else {}
    problems = [] if version in reported else [f"changelogs/changelog.yaml has no entry for {version}"]
    fragments = [path for path in tree.listed() if path.startswith("changelogs/fragments/") and path.endswith(".yml")]
    problems += [f"{path} is in no release" for path in sorted(fragments)]
    tags = subprocess.run(
        ["git", "tag", "--points-at", "HEAD"], cwd=tree.ROOT, check=True, capture_output=True, text=True
    )
    if tags.stdout.strip():
        return problems if version in tags.stdout.split() else [*problems, f"the tag is not {version}"]
    print(f"This commit has no tag. Before {version} is tagged: {'; '.join(problems) or 'nothing to do'}.")
    return []


def _try(built: Path, pair: cores.Pair, *, oldest: bool) -> tuple[Path, list[str]]:
    """Install into an empty environment and use it; return the folder of its programs, and the problems."""
    interpreter = pair.interpreter
    if interpreter is None:
        raise SystemExit(f"{pair}: Python {pair.python} is not installed")
    folder = _PLACE / str(pair)
    collections = folder / "collections"
    wanted = [cores.requirement(pair.series), "-r", str(environments.REQUIREMENTS)]
    programs = environments.make(folder / "environment", interpreter, *wanted, oldest=oldest, constrained=False)
    subprocess.run(
        [programs / "ansible-galaxy", "collection", "install", built, "--offline", "-p", collections],
        cwd=folder,
        env={**os.environ, **tree.home("release"), "ANSIBLE_COLLECTIONS_PATH": str(collections)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    problems = _leave_the_needed(collections / "ansible_collections" / "m365" / "offboarding")
    problems += rehearsal.offboard(programs, collections, folder / "run")
    versions = _versions(programs)
    reported = ", ".join(f"{name} {versions[name]}" for name in ("ansible-core", "msal", "requests"))
    print(f"Python {pair.python}, {reported}: {'FAILED' if problems else 'offboarded, and audited'}")
    return programs, problems


def _leave_the_needed(installed: Path) -> list[str]:
    """Delete everything that the collection must work without; return what is missing."""
    for path in installed.iterdir():
        if path.is_dir() and path.name not in _NEEDED:
            shutil.rmtree(path)
        elif not path.is_dir() and path.name not in ("MANIFEST.json", "FILES.json"):
            path.unlink()
    return [f"{name} was not installed" for name in sorted(_NEEDED) if not (installed / name).is_dir()]


def _versions(programs: Path) -> dict[str, str]:
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "--disable-pip-version-check"]
    reported = subprocess.run([*pip, "list", "--format", "json"], check=True, capture_output=True, text=True)
    return {each["name"]: each["version"] for each in json.loads(reported.stdout)}


def _list_parts(built: Path, programs: Path, target: Path) -> list[str]:
    """Write the bill of materials: the collection, and the packages of the newest environment; return the problems."""
    made = subprocess.run(
        [
            sys.executable,
            *("-m", "cyclonedx_py", "environment", "--output-reproducible", "--spec-version", "1.6"),
            *("--mc-type", "library", str(programs / "python")),
        ],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(artifact.made_at())},
        check=True,
        capture_output=True,
        text=True,
    )
    bill = json.loads(made.stdout)
    ours = _collection(built)
    bill["metadata"]["component"] = ours
    names = {each["name"]: each["bom-ref"] for each in bill["components"]}
    direct = [name for name in ("ansible-core", "msal", "requests") if name in names]
    bill["dependencies"] = [each for each in bill["dependencies"] if each["ref"] in names.values()]
    bill["dependencies"].append({"ref": ours["bom-ref"], "dependsOn": sorted(names[name] for name in direct)})
    text = json.dumps(bill, indent=2, sort_keys=True) + "\n"
    target.write_text(text, encoding="utf-8")
    print(f"{target.name}: {ours['name']} {ours['version']} and {len(names)} packages")
    problems = [
        f"the bill of materials lacks {name}" for name in ("ansible-core", "msal", "requests") if name not in direct
    ]
    # A local path would be published, and would make each bill different.
    problems += [
        f"the bill of materials contains {place}" for place in (str(tree.ROOT), str(Path.home())) if place in text
    ]
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return [*problems, f"{target.name}: {wrong}"] if wrong else problems


def _collection(built: Path) -> dict[str, Any]:
    about = yaml.safe_load((tree.ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    name, version = f"{about['namespace']}.{about['name']}", str(about["version"])
    return {
        "type": "library",
        "bom-ref": f"{name}=={version}",
        "name": name,
        "version": version,
        "description": about["description"].strip(),
        # Package URLs have no type for collections: https://github.com/package-url/purl-spec
        "purl": f"pkg:generic/{name}@{version}",
        "hashes": [{"alg": "SHA-256", "content": _sha256(built)}],
        "licenses": [{"license": {"id": identifier}} for identifier in about["license"]],
        "externalReferences": [
            {"type": "vcs", "url": about["repository"]},
            {"type": "issue-tracker", "url": about["issues"]},
        ],
    }


def _scan(programs: Path) -> list[str]:
    """Look up known vulnerabilities of the packages that were used; print if they cannot be looked up."""
    listed = _PLACE / "packages.txt"
    listed.write_text(
        "".join(f"{name}=={version}\n" for name, version in _versions(programs).items()), encoding="utf-8"
    )
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(listed), "--no-deps", "--disable-pip"]
    ran = subprocess.run(
        [*command, "--format", "json", "--progress-spinner", "off"], check=False, capture_output=True, text=True
    )
    listed.unlink()
    try:
        packages = json.loads(ran.stdout)["dependencies"]
    except ValueError:
        reason = (ran.stderr.strip() or "pip-audit said nothing").splitlines()[-1]
        packages = []
    else:
        reason = next((each["skip_reason"] for each in packages if "skip_reason" in each), "")
    asked = [each for each in packages if "skip_reason" not in each]
    print(f"Known vulnerabilities: {len(asked)} packages looked up" + (f", others SKIPPED: {reason}" if reason else ""))
    return [f"{each['name']} {each['version']}: {known['id']}" for each in asked for known in each["vulns"]]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
