# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run `ansible-test sanity` of this environment's ansible-core, and fail if it skipped a test that applies.

The work folder provides what ansible-test needs: the checkout in a collections tree, as a git repository; a home with pip's
settings, since ansible-test hides the environment from pip; a `get-pip` that takes pip from the package index instead of
ansible-core's file server; and a PATH on which every `python3.N` works.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path

from . import cores, pythons, tree

# The only test that may be skipped: it checks PowerShell, and there is none.
_MAY_BE_SKIPPED = frozenset({"pslint"})
# Tests that must pass. Others may have nothing to check.
_MUST_PASS = frozenset(
    {
        "ansible-doc",
        "changelog",
        "compile",
        "import",
        "no-assert",
        "pep8",
        "pylint",
        "runtime-metadata",
        "shebang",
        "validate-modules",
        "yamllint",
    }
)
# Settings of pip for the session's environment that must not apply to the environments of ansible-test.
_OURS = frozenset({"config-file", "constraint", "require-virtualenv", "user"})
_NOT_APPLICABLE = "No tests applicable."
_NO_INTERPRETER = re.compile(r"on Python (\S+) because it could not be found")

_GET_PIP = """\
import runpy, sys
sys.path.insert(0, {wheel!r})
wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.argv = ["pip", "install", "--upgrade", "--force-reinstall", "pip=={version}", *wanted]
runpy.run_module("pip", run_name="__main__")
"""


def main(arguments: list[str]) -> int:
    series = f"sanity-{arguments[0]}"
    if ignored := [path for path in tree.listed() if path.startswith("tests/sanity/ignore-")]:
        raise SystemExit(f"No sanity test may be ignored: {', '.join(ignored)}")
    # The tests are not shipped. They are checked once, with the newest ansible-core, since pylint takes a minute for them.
    newest = arguments[0].startswith(list(cores.SUPPORTED)[-1])
    collection = tree.copy(series, without=None if newest else "tests/")
    (collection / "tests").mkdir(exist_ok=True)
    shutil.copy2(tree.ROOT / "tests" / "config.yml", collection / "tests")
    environment = tree.home(series)
    home = Path(environment["HOME"])
    _write_pip_settings(home)
    _write_get_pip(home)
    environment["PATH"] = _path(tree.WORK / series / "bin")

    command = ["ansible-test", "sanity", "--color", "no", *arguments[1:]]
    ran = subprocess.run([*command, "--local", "--junit"], cwd=collection, env=environment, check=False)
    listed = subprocess.run(
        [*command, "--list-tests"], cwd=collection, env=environment, check=True, capture_output=True, text=True
    )
    problems = _problems(collection / "tests" / "output" / "junit", set(listed.stdout.split()), whole=not arguments[1:])
    for problem in problems:
        print(f"ERROR: {problem}")
    return 1 if ran.returncode or problems else 0


def _write_pip_settings(home: Path) -> None:
    """Copy pip's settings, wherever they come from, to the one file that ansible-test lets pip read."""
    reported = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    )
    settings = {}
    for line in reported.stdout.splitlines():
        name, _equals, value = line.partition("=")
        section, _dot, key = name.rpartition(".")
        if section in ("global", "install", ":env:") and key not in _OURS:
            settings[key] = ast.literal_eval(value)
    settings["quiet"] = "2"
    lines = ["[global]", *(f"{key} = {' '.join(value.split())}" for key, value in settings.items())]
    place = home / ".config" / "pip" / "pip.conf"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_get_pip(home: Path) -> None:
    spec = importlib.util.find_spec("ansible_test")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("ansible-test is not installed in this environment")
    source = Path(spec.submodule_search_locations[0], "_internal", "python_requirements.py")
    found = re.search(r"pip='([0-9.]+)'", source.read_text(encoding="utf-8"))
    if not found:
        raise SystemExit(f"{source} does not say which pip it needs")
    version = found.group(1)
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    wheel = cache / f"pip-{version}-py3-none-any.whl"
    if not wheel.is_file():
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "download", "--no-deps", "--dest", str(cache), f"pip=={version}"], check=True)
    script = cache / f"get_pip_{version.replace('.', '_')}.py"
    script.write_text(_GET_PIP.format(wheel=str(wheel), version=version), encoding="utf-8")


def _path(links: Path) -> str:
    """Return a PATH with this environment's programs, working interpreters, git, and the system's programs."""
    shutil.rmtree(links, ignore_errors=True)
    links.mkdir(parents=True)
    for minor in range(8, 20):
        interpreter = pythons.find(f"3.{minor}")
        if interpreter:
            (links / f"python3.{minor}").symlink_to(interpreter)
    git = shutil.which("git")
    if git:
        (links / "git").symlink_to(git)
    return os.pathsep.join([str(Path(sys.executable).parent), str(links), "/usr/local/bin", "/usr/bin", "/bin"])


def _problems(reports: Path, listed: set[str], *, whole: bool) -> list[str]:
    """Return tests that failed to run, and print those that were skipped for a good reason."""
    passed: defaultdict[str, int] = defaultdict(int)
    problems: list[str] = []
    absent: set[str] = set()
    failed: set[str] = set()
    for report in sorted(reports.glob("*.xml")):
        for case in ET.parse(report).getroot().iter("testcase"):
            name = re.sub(r"-python-[0-9.]+$", "", case.get("name", ""))
            passed[name] += 0
            if case.find("failure") is not None:
                failed.add(name)
            skipped = case.find("skipped")
            if skipped is None:
                passed[name] += name not in failed
                continue
            reason = (skipped.text or skipped.get("message") or "").strip()
            interpreter = _NO_INTERPRETER.search(reason)
            if interpreter:
                absent.add(interpreter.group(1))
            elif reason != _NOT_APPLICABLE and name not in _MAY_BE_SKIPPED:
                problems.append(f"{name} was skipped: {reason}")
    problems += [f"{name} was not run" for name in sorted(listed - passed.keys())]
    if whole:
        problems += [f"{name} passed nowhere" for name in sorted(_MUST_PASS - failed) if not passed[name]]
    idle = ", ".join(name for name in sorted(passed.keys() - failed) if not passed[name])
    print(f"{sum(passed.values())} passed; nothing to check: {idle or '-'}")
    if absent:
        print(f"Not checked with Python {', '.join(sorted(absent))}, which is not installed.")
    return problems


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
