# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Import the artifact as Galaxy does, and check the importer's log and its list of contents.

The importer exits with 0 whatever its checks found, and also if it skipped one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from . import artifact, tree

_SETTINGS = """\
[galaxy-importer]
LOG_LEVEL_MAIN = INFO
CHECK_CHANGELOG = True
CHECK_REQUIRED_TAGS = True
OFFLINE_ANSIBLE_LINT = True
RUN_ANSIBLE_DOC = True
RUN_ANSIBLE_LINT = True
RUN_ANSIBLE_TEST = False
RUN_FLAKE8 = False
ANSIBLE_LOCAL_TMP = {tmp}
TMP_ROOT_DIR = {tmp}
"""
_BAD = re.compile(r"^(ERROR|WARNING|CRITICAL)\b|Traceback \(most recent call last\)")
_MUST_SAY = (
    r"Getting doc strings via ansible-doc",
    r"Linting collection via ansible-lint [0-9]",
    r"\.\.\.ansible-lint run complete",
    r"Collection loading complete",
    r"Importer processing completed successfully",
)


def main() -> int:
    built = artifact.build("importer")
    place = built.parent
    tmp = place / "tmp"
    tmp.mkdir()
    settings = place / "importer.cfg"
    settings.write_text(_SETTINGS.format(tmp=tmp), encoding="utf-8")
    environment = {**os.environ, **tree.home("importer"), "GALAXY_IMPORTER_CONFIG": str(settings)}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    ran = subprocess.run(
        [sys.executable, "-m", "galaxy_importer.main", built.name],
        cwd=place,
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(ran.stdout)
    problems = [line for line in ran.stdout.splitlines() if _BAD.search(line)]
    problems += [f"the log does not say {text!r}" for text in _MUST_SAY if not re.search(text, ran.stdout)]
    problems += _unseen(place / "importer_result.json")
    for problem in problems:
        print(f"PROBLEM: {problem}")
    return 1 if ran.returncode or problems else 0


def _unseen(result: Path) -> list[str]:
    """Return what the importer did not find in the artifact, or found without documentation."""
    if not result.is_file():
        return ["the importer wrote no result"]
    reported = json.loads(result.read_text(encoding="utf-8"))
    found = {(content["content_type"], content["name"]) for content in reported["contents"]}
    documented = {content["content_name"] for content in reported["docs_blob"]["contents"] if content["doc_strings"]}
    kinds = {"modules": "module"}
    plugins = (tree.ROOT / "plugins").glob("*/[!_]*.py")
    wanted = {(kinds.get(path.parent.name, path.parent.name), path.stem) for path in plugins}
    wanted |= {("role", path.name) for path in (tree.ROOT / "roles").iterdir() if path.is_dir()}
    wanted |= {("playbook", path.name) for path in (tree.ROOT / "playbooks").glob("*.yml")}
    print(f"The importer found {', '.join(f'{name} ({kind})' for kind, name in sorted(found)) or 'nothing'}.")
    problems = [f"{kind} {name} was not found" for kind, name in sorted(wanted - found)]
    problems += [
        f"{name} has no documentation" for kind, name in sorted(wanted) if kind == "module" and name not in documented
    ]
    return problems if wanted else ["the checkout holds nothing to import"]


if __name__ == "__main__":
    sys.exit(main())
