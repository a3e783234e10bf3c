# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layers below the modules: each imports only what is below it, and only one knows Ansible."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tools import layers

PLUGINS = Path(__file__).resolve().parents[4] / "plugins"
LAYERS = layers.order()
HEIGHT = {name: -depth for depth, name in enumerate(LAYERS)}
_OURS = re.compile(r"^(ansible_collections\.m365\.offboarding\.plugins\.)?(module|plugin)_utils\.")


def imports(path: Path) -> set[str]:
    """Return the modules that a file imports anywhere, ours by their plain names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found |= {_OURS.sub("", name) for name in names}
    return found


# Of modules, and of what runs on the controller alone.
UTILS = sorted(path for path in PLUGINS.glob("*_utils/*.py") if path.name != "__init__.py")
every_util = pytest.mark.parametrize("path", UTILS, ids=lambda path: path.stem)


def test_the_list_names_every_file_once_and_no_other():
    assert sorted(LAYERS) == sorted(path.stem for path in UTILS)


@every_util
def test_a_layer_imports_only_what_is_below_it(path):
    assert path.stem in HEIGHT, f"{path.stem} is missing from the list in docs/architecture.md"
    above = {name for name in imports(path) & set(HEIGHT) if HEIGHT[name] >= HEIGHT[path.stem]}

    assert not above, f"{path.stem} imports {above}"


@every_util
def test_only_these_files_know_ansible(path):
    knows = any(name.partition(".")[0] == "ansible" for name in imports(path))

    assert knows is (path.stem in ("_run", "_module", "_in_process", "_given", "_cores"))


def test_only_the_host_of_a_process_of_its_own_knows_ansible_module():
    knowing = [path.stem for path in UTILS if "ansible.module_utils.basic" in imports(path)]

    assert knowing == ["_module"]


@every_util
def test_every_layer_is_private(path):
    assert path.name.startswith("_")


@every_util
def test_libraries_that_may_be_missing_are_imported_where_they_are_needed_only(path):
    top = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in top if isinstance(node, ast.ImportFrom)}

    assert not {name.partition(".")[0] for name in names} & {"msal", "requests", "urllib3", "cryptography"}


@pytest.mark.parametrize("path", sorted((PLUGINS / "filter").glob("*.py")), ids=lambda path: path.stem)
def test_a_filter_is_a_thin_name_for_what_runs_on_the_controller(path):
    controller = {util.stem for util in UTILS if util.parent.name == "plugin_utils"}

    assert {name for name in imports(path) if name in HEIGHT} <= controller
    top = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom)]
    assert not [node.module for node in top if "_utils." in (node.module or "")], (
        "Ansible loads it for other filters too"
    )


@pytest.mark.parametrize(
    "path",
    # A file without a job documents an action plugin.
    [path for path in sorted((PLUGINS / "modules").glob("*.py")) if "\nJOB = " in path.read_text()],
    ids=lambda path: path.stem,
)
def test_modules_reach_ansible_through_the_topmost_layer(path):
    found = imports(path)

    assert "_module" in found
    assert not {name for name in found if name.partition(".")[0] == "ansible"}
