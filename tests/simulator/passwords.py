# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which passwords Entra accepts.

Source: Entra docs, concept-sspr-policy (length, classes, characters) and concept-password-ban-bad (banned words,
normalised before they are compared).
"""

from __future__ import annotations

import string

WEAK = (
    "The specified password does not comply with password complexity requirements. Please provide a different password."
)
USERNAME = "Password cannot contain username."
BANNED = (
    "Unfortunately, your password contains a word, phrase, or pattern that makes your password easily guessable. "
    "Please try again with a different password."
)

SYMBOLS = "@#$%^&*-_!+=[]{}|\\:',.?/`~\"();<> "
_ALLOWED = frozenset(string.ascii_letters + string.digits + SYMBOLS)
_BANNED_WORDS = (
    "password",
    "contoso",
    "welcome",
    "qwerty",
    "letmein",
    "summer",
    "winter",
    "spring",
    "autumn",
    "admin123",
)
_NORMALISE = str.maketrans("0135$@!|7", "olessaiit")


def problem(password: str, user_principal_name: str) -> str | None:
    """Why this password is refused, in Microsoft's words, or None."""
    classes = (
        any(c.islower() for c in password),
        any(c.isupper() for c in password),
        any(c.isdigit() for c in password),
        any(c in SYMBOLS for c in password),
    )
    if not 8 <= len(password) <= 256 or sum(classes) < 3 or not _ALLOWED.issuperset(password):
        return WEAK
    local = user_principal_name.partition("@")[0].lower()
    if len(local) >= 3 and local in password.lower():
        return USERNAME
    normal = password.lower().translate(_NORMALISE)
    for word in _BANNED_WORDS:
        # A banned word counts one point, every other character one more; five are wanted.
        if word.translate(_NORMALISE) in normal and len(normal) - len(word) + 1 < 5:
            return BANNED
    return None
