# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page about errors explains every code that the plugins can give, names no other, and has what their hints say to do."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from ansible_collections.m365.offboarding.plugins.module_utils import _credentials, _errors
from tools import guides

CODES = t.get_args(_errors.Code)
EXPLAINED = re.findall(r"^``(\w+)``\n-+$", guides.text("troubleshooting"), re.MULTILINE)
SOURCES = [path.read_text(encoding="utf-8") for path in sorted((Path(__file__).parents[3] / "plugins").rglob("*.py"))]
# A code as it is given to an error or compared with one, and a name that stands for one.
_GIVEN = re.compile(
    r'\bcode="(\w+)"|\bas_error\(\s*"(\w+)"|\bdefault_code.* = "(\w+)"|^[A-Z_]+: t\.Final = "(\w+)"', re.MULTILINE
)


def test_every_code_is_explained_once():
    assert len(EXPLAINED) == len(set(EXPLAINED))
    assert [code for code in CODES if code not in EXPLAINED] == []


def test_every_code_on_the_page_is_in_the_code():
    assert [code for code in EXPLAINED if not any(f'"{code}"' in source for source in SOURCES)] == []


def test_the_list_of_codes_is_what_the_plugins_give():
    given = {next(filter(None, found)) for source in SOURCES for found in _GIVEN.findall(source)}

    # Of Microsoft's codes, one is given without an answer of Microsoft.
    assert given == {*CODES, "TooManyRequests"}


def test_the_page_says_what_to_do_about_the_codes_of_entra_id():
    table = dict(guides.tables("troubleshooting")[0])

    assert table.keys() == {f"``AADSTS{number}``" for number in _credentials._HINTS}
    for number, hint in _credentials._HINTS.items():
        assert table[f"``AADSTS{number}``"].startswith(hint.rstrip("."))


def test_the_page_names_every_permission_that_a_hint_names():
    hints = [hint for source in SOURCES for hint in re.findall(r'hint = \(?\s*"(.+)"|hint=\(?f?"(.+)"', source)]
    permissions = set(
        re.findall(r"\b[\w-]+\.(?:Read|ReadWrite|ManageAsApp)(?:\.\w+)*\b", " ".join(map("".join, hints)))
    )

    assert len(permissions) > 3
    assert [one for one in sorted(permissions) if one not in guides.text("troubleshooting")] == []
