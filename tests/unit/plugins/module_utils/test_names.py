# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names are the same in any case, and in nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils import _user_input
from ansible_collections.m365.offboarding.plugins.module_utils._user_input import name_key, same_name

PLUGINS = Path(_user_input.__file__).parents[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [("jane@contoso.com", "JANE@Contoso.com"), ("Müller@contoso.com", "MÜLLER@CONTOSO.COM"), ("AB-01", "ab-01")],
)
def test_case_does_not_matter(one, other):
    assert same_name(one, other)
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("straße@contoso.com", "strasse@contoso.com"),
        ("ﬁona@contoso.com", "fiona@contoso.com"),
        ("\u212aate@contoso.com", "kate@contoso.com"),
        ("jane@contoso.com", " jane@contoso.com"),
        ("", ""),
        (None, None),
        (None, "None"),
        ("jane@contoso.com", None),
    ],
)
def test_what_is_another_name_stays_another_name(one, other):
    assert not same_name(one, other)


def test_no_plugin_compares_names_in_a_way_of_its_own():
    """`casefold` is for words within passwords only."""
    found = {path.name for path in PLUGINS.rglob("*.py") if re.search(r"\.casefold\(\)", path.read_text())}

    assert found <= {"_passwords.py"}
