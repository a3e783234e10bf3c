# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mutation tests are about code that exists, and each survivor is explained by a line that still stands there."""

from __future__ import annotations

import ast
import re

import pytest
import yaml

from tools import mutants, tree


@pytest.mark.parametrize("path", mutants.DECISIONS)
def test_what_decides_exists_and_so_do_its_tests(path):
    functions, tests = mutants.DECISIONS[path]
    source = (tree.ROOT / path).read_text(encoding="utf-8")

    assert [name for name in functions if not re.search(rf"def {name}\(", source)] == []
    assert [test for test in tests if not (tree.ROOT / test).exists()] == []


@pytest.mark.parametrize("survivor", yaml.safe_load(mutants.SURVIVORS.read_text()), ids=lambda one: one["change"][:60])
def test_the_line_of_a_survivor_exists(survivor):
    place, line = survivor["change"].split(" -> ")[0].split(": ", 1)
    file, function = place.split()
    (path,) = [one for one in mutants.DECISIONS if one.endswith(f"/{file}")]
    source = (tree.ROOT / path).read_text(encoding="utf-8")
    found = [
        ast.get_source_segment(source, node) or ""
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name == function
    ]

    assert any(" ".join(line.split()) in " ".join(text.split()) for text in found)
