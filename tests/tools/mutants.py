# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mutation tests: change the functions that decide, one small change at a time, and check that a unit test fails.

A change with which all tests pass is a survivor. `tests/survivors.yml` explains the ones that stay; the run fails on any
other, and on an explanation whose survivor is gone. Cosmic Ray provides the changes.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import difflib
import os
import queue
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from . import tree

_UTILS = "plugins/module_utils"
_TESTS = "tests/unit/plugins"
_RETRIES = (*(f"{_TESTS}/module_utils/test_{name}.py" for name in ("retry", "service", "http")), f"{_TESTS}/modules")
# Each file that decides, with its functions (none: all of them) and the tests that must fail, the fastest first.
DECISIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    f"{_UTILS}/_door_states.py": ((), (f"{_TESTS}/module_utils/test_door_states.py", f"{_TESTS}/modules")),
    f"{_UTILS}/_retry.py": ((), _RETRIES),
    f"{_UTILS}/_service.py": (
        (
            "send",
            "_send_renewing_token",
            "_send_once",
            "_send_if_alive",
            "_wait_before_retry",
            "_note_throttling",
            "_wait_while_throttled",
            "retryable",
        ),
        _RETRIES,
    ),
    f"{_UTILS}/_tenant.py": (("_leaver", "_is_due", "last_administrators"), (f"{_TESTS}/modules",)),
}
# The `|` of a type is not an operation, and decorators decide nothing.
_MEANINGLESS = ("core/ReplaceBinaryOperator_BitOr", "core/RemoveDecorator")
SURVIVORS = tree.ROOT / "tests" / "survivors.yml"
# A change that makes a test hang is noticed too. The slowest of these tests take seconds.
_LONGEST = 300


class Mutant(NamedTuple):
    """One change: the file, the function, the line before and after, and the whole file after it."""

    path: str
    function: str
    before: str
    after: str
    code: str

    @property
    def name(self) -> str:
        return f"{Path(self.path).name} {self.function}: {self.before} -> {self.after}"


def mutants(path: str, functions: tuple[str, ...]) -> Iterator[Mutant]:
    """Yield every change that Cosmic Ray makes in these functions of a file, each once."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.ast.ast_query import ASTQuery
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    source = (tree.ROOT / path).read_text(encoding="utf-8")
    parsed = get_ast(source)
    seen: set[str] = set()
    for name in sorted(operator_names()):
        if name.startswith(_MEANINGLESS) or get_operator(name).arguments():
            continue
        operator = get_operator(name)()
        nodes = [node for node in ast_nodes(parsed) for _position in operator.mutation_positions(node)]
        for occurrence, node in enumerate(nodes):
            function = ASTQuery(node).get_definition_name()
            if function is None or (functions and function not in functions):
                continue
            code = mutate_code(source, operator, occurrence)
            if code is None or code in seen:
                continue
            seen.add(code)
            yield Mutant(path, function, *_difference(source, code), code)


def _difference(source: str, code: str) -> tuple[str, str]:
    """Return the changed lines, before and after, each as one line."""
    changes = list(difflib.unified_diff(source.splitlines(), code.splitlines(), n=0, lineterm=""))[3:]
    before, after = (" ".join(line[1:].strip() for line in changes if line[0] == sign) for sign in "-+")
    return before, after


def survives(mutant: Mutant, tests: tuple[str, ...], place: Path) -> bool:
    """Return whether all tests pass with the change, which is made in a copy of the checkout."""
    changed = place / mutant.path
    original = changed.read_text(encoding="utf-8")
    changed.write_text(mutant.code, encoding="utf-8")
    try:
        return _pass(place, tests)
    finally:
        changed.write_text(original, encoding="utf-8")


def _pass(place: Path, tests: tuple[str, ...]) -> bool:
    command = [sys.executable, "-m", "pytest", "--exitfirst", "--quiet", "-p", "no:cacheprovider", *tests]
    # Python compares bytecode with its source by the second, which is too coarse here.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "ANSIBLE_COLLECTIONS_PATH": str(place.parents[2])}
    try:
        ran = subprocess.run(
            command,
            cwd=place,
            env=environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return ran.returncode == 0


def _survivors(todo: list[tuple[Mutant, tuple[str, ...]]]) -> Iterator[Mutant]:
    """Yield the changes that no test notices. Several run at once, each in its own copy of the checkout."""
    places: queue.SimpleQueue[Path] = queue.SimpleQueue()
    workers = os.cpu_count() or 1
    for number in range(workers):
        places.put(tree.copy(f"mutants-{number}"))
    place = places.get()
    for tests in dict.fromkeys(tests for _mutant, tests in todo):
        if not _pass(place, tests):
            raise SystemExit(f"{' '.join(tests)} fail before anything is changed.")
    places.put(place)

    def look(one: tuple[Mutant, tuple[str, ...]]) -> Mutant | None:
        place = places.get()
        try:
            return one[0] if survives(*one, place) else None
        finally:
            places.put(place)

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for done, survivor in enumerate(pool.map(look, todo), 1):
            if survivor:
                print(f"{done} of {len(todo)}: no test notices {survivor.name}", flush=True)
                yield survivor


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools.mutants", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="FUNCTION", help="only these functions")
    parser.add_argument("--list", action="store_true", help="list the changes, and test none of them")
    options = parser.parse_args(arguments)
    todo = [
        (mutant, tests)
        for path, (functions, tests) in DECISIONS.items()
        for mutant in mutants(path, functions)
        if not options.only or mutant.function in options.only
    ]
    if options.list:
        print("\n".join(mutant.name for mutant, _tests in todo))
        return 0
    found = [mutant.name for mutant in _survivors(todo)]
    explained = [one["change"] for one in yaml.safe_load(SURVIVORS.read_text(encoding="utf-8"))]
    chosen = {name for name in explained if not options.only or name.split()[1].rstrip(":") in options.only}
    unexplained = [name for name in found if name not in chosen]
    gone = sorted(chosen - set(found))
    for title, names in (("No test notices:", unexplained), ("Explained, but noticed, or no longer there:", gone)):
        if names:
            print("\n  ".join((title, *names)))
    print(f"{len(todo)} changes: {len(todo) - len(found)} noticed, {len(found) - len(unexplained)} explained.")
    return 1 if unexplained or gone else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
