# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Passwords: strong, without the name, and Microsoft's rules for those that somebody gives."""

from __future__ import annotations

import secrets
import string

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils import _passwords
from ansible_collections.m365.offboarding.plugins.module_utils._passwords import complaint, generate_password

NAMES = ["jane.doe-smith@contoso.com", "Jane Doe-Smith", None, ""]


def test_five_hundred_generated_passwords_keep_all_rules_and_differ():
    generated = [generate_password(NAMES) for _i in range(500)]

    assert len(set(generated)) == 500
    for password in generated:
        assert len(password) == 32
        assert complaint(password, NAMES) is None
        for characters in (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation):
            assert set(password) & set(characters)
        assert set(password) <= set(string.ascii_letters + string.digits + "@#%^*-_!+=.:,?~")


def test_generated_passwords_come_from_secrets(monkeypatch):
    asked = []
    monkeypatch.setattr(
        _passwords.secrets, "choice", lambda options: asked.append(1) or secrets.SystemRandom().choice(options)
    )

    generate_password([])

    assert len(asked) == 32


def test_the_classes_do_not_stand_at_fixed_places():
    firsts = {generate_password([])[0] for _i in range(200)}

    assert firsts & set(string.ascii_lowercase)
    assert firsts & set(string.ascii_uppercase)
    assert firsts & set(string.digits)


def test_a_password_that_happens_to_hold_the_name_is_thrown_away(monkeypatch):
    texts = iter([*"xA1-" + "jane" * 7, *"yB2-" + "safe" * 7])
    monkeypatch.setattr(_passwords.secrets, "choice", lambda options: next(texts))
    monkeypatch.setattr(_passwords.secrets.SystemRandom, "shuffle", lambda self, items: None)

    assert generate_password(["jane@contoso.com"]) == "yB2-" + "safe" * 7


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("Aa1-567", "8 to 256"),
        ("Aa1-" * 64 + "x", "8 to 256"),
        ("", "8 to 256"),
        ("aaaaaaaa1", "three of"),
        ("AAAAAAAA1", "three of"),
        ("aaaaAAAA", "three of"),
        ("11111111-", "three of"),
        ("Aa1-567\u00e9", "unaccented"),
        ("Aa1-567\u20ac", "unaccented"),
        ("Aa1-567\n", "unaccented"),
        ("Aa1-567\x00", "unaccented"),
        ("Aa1-JANE", "name"),
        ("xxSmith-1", "name"),
    ],
)
def test_a_given_password_that_breaks_a_rule_names_the_rule(password, rule):
    assert rule in complaint(password, NAMES)


@pytest.mark.parametrize("symbol", "@#$%^&*-_!+=[]{}|\\:',.?/`~\"();<> ")
def test_every_symbol_of_microsofts_list_is_allowed_and_counts_as_a_class(symbol):
    assert complaint(f"abcdefg1{symbol}", []) is None


def test_short_words_of_names_are_chance_and_no_name():
    assert complaint("Al-doe-1234", ["al@contoso.com", "Al Doe"]) is None


def test_the_domain_is_not_part_of_the_name():
    assert complaint("Contoso-2026", ["jane@contoso.com"]) is None
