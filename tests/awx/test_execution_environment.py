# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an execution environment needs, given to ansible-builder and installed into an empty environment."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import yaml

from tools import tree


def builder(*arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "ansible_builder", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def wanted(requirements: str) -> list[str]:
    return [line.partition("#")[0].strip() for line in requirements.splitlines() if line.partition("#")[0].strip()]


def test_what_the_collection_asks_for_can_be_installed(tmp_path: Path) -> None:
    """A collection's definition names files from its root, so there it is built from."""
    for path in ("execution-environment.yml", "ee-requirements.txt"):
        (tmp_path / "meta").mkdir(exist_ok=True)
        shutil.copy(tree.ROOT / "meta" / path, tmp_path / "meta")
    shutil.copy(tmp_path / "meta" / "execution-environment.yml", tmp_path)
    context = tmp_path / "context"

    builder("create", "--file", str(tmp_path / "execution-environment.yml"), "--context", str(context))

    assert (context / "Dockerfile").is_file() or (context / "Containerfile").is_file()
    requirements = context / "_build" / "requirements.txt"
    assert wanted(requirements.read_text()) == wanted((tree.ROOT / "requirements.txt").read_text())
    venv.create(tmp_path / "empty", with_pip=True)
    python = str(tmp_path / "empty" / "bin" / "python")
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--requirement", str(requirements)], check=True, timeout=240
    )
    ours = tree.ROOT / "plugins" / "module_utils"
    imported = {line.split()[1].split(".")[0] for path in ours.glob("*.py") for line in imports(path.read_text())}
    foreign = sorted(imported - set(sys.stdlib_module_names) - {"ansible", ""})
    assert {"msal", "requests"} <= set(foreign)
    # All of it, also what comes along with these two.
    subprocess.run([python, "-c", f"import {', '.join(foreign)}"], check=True, timeout=60)


def imports(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith(("import ", "from "))]


def test_a_builder_finds_it_in_the_collection(tmp_path: Path) -> None:
    (tmp_path / "ansible_collections" / "m365").mkdir(parents=True)
    (tmp_path / "ansible_collections" / "m365" / "offboarding").symlink_to(tree.ROOT)

    reported = yaml.safe_load(builder("introspect", str(tmp_path)))

    ours = [one.replace("  # from collection m365.offboarding", "") for one in reported["python"]]
    assert (ours, reported["system"]) == (wanted((tree.ROOT / "requirements.txt").read_text()), [])


def test_the_example_brings_the_collection(tmp_path: Path) -> None:
    definition = tree.ROOT / "extensions" / "awx" / "execution-environment.yml"

    builder("create", "--file", str(definition), "--context", str(tmp_path / "context"))

    galaxy = yaml.safe_load((tmp_path / "context" / "_build" / "requirements.yml").read_text())
    assert [one["name"] for one in galaxy["collections"]] == ["m365.offboarding"]
