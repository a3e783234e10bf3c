# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every playbook and every command of the documentation, run against a tenant."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from simulator import Tenant

from . import pages
from .reader import Reader


def _runs(page: str) -> bool:
    return any((block.is_shell or block.plays) and not block.not_run for block in pages.blocks(page))


@pytest.mark.parametrize("page", [page for page in pages.pages() if _runs(page)])
def test_what_a_page_shows_can_be_done(page: str, tenant: Tenant, tmp_path: Path) -> None:
    complaints = Reader(tenant, tmp_path).read(pages.blocks(page))
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("page", pages.pages())
def test_yaml_and_json_can_be_read(page: str) -> None:
    problems = []
    for block in pages.blocks(page):
        try:
            if block.language in ("yaml", "yaml+jinja"):
                block.data()
            elif block.language == "json":
                json.loads(block.text)
        except (yaml.YAMLError, ValueError) as error:
            problems.append(f"{block.place}: {error}")
    assert not problems, "\n".join(problems)


def test_tasks_are_tasks(tmp_path: Path) -> None:
    """Lists of tasks are not run, but Ansible must know their modules and keywords."""
    places = []
    for page in pages.pages():
        for block in pages.blocks(page):
            if block.tasks and not block.not_run:
                place = tmp_path / f"{page.replace('/', '_')}-line-{block.line}.yml"
                play = {"hosts": "localhost", "gather_facts": False, "tasks": block.data()}
                place.write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
                places.append(str(place))
    assert places, "there are some"
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "--syntax-check", "-i", "localhost,", *places],
        env={**os.environ, "ANSIBLE_HOME": str(tmp_path / "ansible"), "ANSIBLE_NOCOLOR": "true"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert not done.returncode, done.stderr


_MARKDOWN = """\
Words.

    ansible-playbook one.yml \\
      --check    # looks

    what comes of it

<!-- not run: needs the network -->

    pip install something

1. In a list:

       make test

```yaml
# plays.yml
- name: Play
  hosts: all
```
"""
_RST = """\
Words.

.. not run: needs
   a portal

.. code-block:: bash

   az login

- Item

  .. fails: nobody is there
  .. code-block:: bash

     ansible-playbook one.yml

.. code-block:: yaml
   :caption: folder/settings.yml

   leavers: [!unsafe jane]

.. code-block:: text

   what comes of it
"""


def test_code_is_found_in_markdown() -> None:
    found = list(pages.parsed("page.md", _MARKDOWN))
    assert [(block.line, block.is_shell, block.plays, block.not_run, block.file) for block in found] == [
        (3, True, False, "", ""),
        (10, True, False, "needs the network", ""),
        (14, True, False, "", ""),
        (17, False, True, "", "plays.yml"),
    ]


def test_code_is_found_in_restructured_text() -> None:
    found = list(pages.parsed("page.rst", _RST))
    assert [(block.line, block.language, block.not_run, block.fails, block.file) for block in found] == [
        (8, "bash", "needs a portal", "", ""),
        (15, "bash", "", "nobody is there", ""),
        (20, "yaml", "", "", "folder/settings.yml"),
        (24, "text", "", "", ""),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("page.rst", ".. not run: no reason\n\nWords.\n\n.. code-block:: bash\n\n   true\n"),
        ("page.rst", ".. not run: no reason\n"),
        ("page.md", "<!-- not run: no reason -->\n\nWords.\n\n    make test\n"),
    ],
)
def test_a_mark_without_code_is_a_mistake(name: str, text: str) -> None:
    with pytest.raises(AssertionError, match="stands before no code"):
        list(pages.parsed(name, text))
