# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mask secrets in foreign JSON, whether verbatim or escaped for JSON, HTML or a URL."""

from __future__ import annotations

import html.entities
import re
import typing as t

from ._foreign import clean

_MASK = "********"


def pattern_of(secrets: t.Collection[str]) -> re.Pattern[str]:
    """A pattern that matches each of these secrets, with and without the characters that `clean` removes."""
    forms = {form for secret in secrets for form in (secret, clean(secret))}
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile("|".join("".join(map(_any_form, form)) for form in longest_first))


def _any_form(char: str) -> str:
    """A pattern that matches a character, however often it was escaped."""
    number = f"{ord(char):x}"
    units = char.encode("utf-16-be", "surrogatepass").hex()
    escaped = "".join(rf"\\+u(?i:{units[i : i + 4]})" for i in range(0, len(units), 4))
    percent = "".join(f"%{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
    name = "apos" if char == "'" else html.entities.codepoint2name.get(ord(char), "#")
    entity = f"&(?:#0*{ord(char)}|#[xX]0*(?i:{number})|{name});"
    plain = r"\\+" if char == "\\" else rf"\\*{re.escape(char)}"
    return f"(?:{escaped}|(?i:{percent})|{entity}|{plain})"


def masked(value: t.Any, pattern: re.Pattern[str]) -> t.Any:
    """Mask every match in a JSON value, in keys too; return `None` if nested past the recursion limit."""
    try:
        if isinstance(value, str):
            return pattern.sub(_MASK, value)
        if isinstance(value, list):
            return [masked(item, pattern) for item in value]
        if isinstance(value, dict):
            return {pattern.sub(_MASK, str(key)): masked(item, pattern) for key, item in value.items()}
    except RecursionError:
        return None
    return value
