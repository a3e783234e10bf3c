# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Generate and check passwords that Entra ID accepts.

The rules: https://learn.microsoft.com/entra/identity/authentication/concept-sspr-policy
"""

from __future__ import annotations

import re
import secrets
import string
import typing as t

LENGTH = 32
_SHORTEST, _LONGEST = 8, 256
_SYMBOLS = "@#$%^&*-_!+=[]{}|\\:',.?/`~\"();<> "
# Those of the symbols that no shell, log or encoding ever has to escape.
_PLAIN_SYMBOLS = "@#%^*-_!+=.:,?~"
_CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits, _SYMBOLS)


def generate_password(names: t.Iterable[str | None]) -> str:
    """A random password with all four classes that contains no part of `names`."""
    classes = (*_CLASSES[:3], _PLAIN_SYMBOLS)
    parts = _parts(names)
    while True:
        # One of each class first: a random string alone misses a class now and then.
        characters = [secrets.choice(one) for one in classes]
        characters += [secrets.choice("".join(classes)) for _i in range(LENGTH - len(classes))]
        secrets.SystemRandom().shuffle(characters)
        password = "".join(characters)
        if not any(part in password.casefold() for part in parts):
            return password


def complaint(password: str, names: t.Iterable[str | None]) -> str | None:
    """Which of Microsoft's rules a given password breaks, `None` if none that can be known here."""
    if not _SHORTEST <= len(password) <= _LONGEST:
        return f"it must have {_SHORTEST} to {_LONGEST} characters"
    if any(character not in "".join(_CLASSES) for character in password):
        return "it may hold only unaccented letters, digits and the symbols that Entra ID lists"
    if sum(any(character in one for character in password) for one in _CLASSES) < 3:
        return "it must hold three of lower case, upper case, digits and symbols"
    if any(part in password.casefold() for part in _parts(names)):
        return "it must not contain the user's name"
    return None


def _parts(names: t.Iterable[str | None]) -> list[str]:
    """The words of names that are longer than three characters; shorter ones match by chance."""
    words = re.split(r"[^0-9a-z]+", " ".join(name.partition("@")[0] for name in names if name).casefold())
    return [word for word in words if len(word) > 3]
