# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Accounts that must not be changed: protected users and administrators. If a guard cannot be read, it refuses all."""

from __future__ import annotations

import re
import typing as t

from ._errors import OffboardingError, OptionError
from ._user_input import OBJECT_ID, is_name

PROTECTED_VARIABLE = "M365_PROTECTED_USERS"
# The code of a leaver whose directory roles could not be read.
ROLES_UNREAD: t.Final = "roles_unread"

_SEPARATORS = re.compile(r"[,;\r\n]")
# Only these may surround a name. The other characters that `str.strip` removes are invisible, and hint at a mistake.
_BLANKS = " \t"
# A name may hold these, but at its beginning they look like a comment, a quotation mark, a bullet or a variable, and
# `user=jane@contoso.com` looks like a name behind a key. Such an account can still be listed by its object ID.
_AMBIGUOUS = re.compile(r"^[^A-Za-z0-9_]|=")
_MOST_SHOWN = 80
_MOST_COMPLAINTS = 20


def protected_entries(option: t.Any, variable: str) -> list[str]:
    """The accounts of `protected_users` and of `M365_PROTECTED_USERS`, added together, so that neither shortens the other.

    :param option: a list of strings, each of which may hold several names; `None` is an empty list.
    :param variable: the value of the environment variable; empty means not set.
    :returns: user principal names, mail addresses and object IDs, as they were written.
    :raises OptionError: an entry that cannot be read as one or several names. It may be an account that somebody meant
        to protect, so nothing is sent.
    """
    elements = option if isinstance(option, list) else [] if option is None else [option]
    blank = len(elements) == 1 and _is_blank(elements[0])  # a form's empty text field
    texts = [] if blank else [(f"protected_users[{index}]", text) for index, text in enumerate(elements)]
    if not _is_blank(variable):
        texts.append((PROTECTED_VARIABLE, variable))
    entries: list[str] = []
    complaints: list[str] = []
    for place, text in texts:
        found, broken = _names(text)
        entries += found
        complaints += [f"{place}: {reason}" for reason in broken]
    if complaints:
        more = f" (and {len(complaints) - _MOST_COMPLAINTS} more)" if len(complaints) > _MOST_COMPLAINTS else ""
        raise OptionError(
            f"The protected accounts cannot be read: {'; '.join(complaints[:_MOST_COMPLAINTS])}{more}.",
            code="bad_protected_users",
            hint="Nothing was sent. Write each account as jane.doe@contoso.com or as its object ID, without quotation marks, "
            "brackets, prefixes or comments, and separate several by commas, semicolons or newlines.",
        )
    return entries


def _is_blank(text: t.Any) -> bool:
    return isinstance(text, str) and not text.strip(f"{_BLANKS}\r\n")


def _names(text: t.Any) -> tuple[list[str], list[str]]:
    """The names in one text, and the faults of the pieces that are not names."""
    if not isinstance(text, str):
        return [], [f"{'null' if text is None else type(text).__name__} instead of a name"]
    pieces = [piece for piece in (part.strip(_BLANKS) for part in _SEPARATORS.split(text)) if piece]
    names = [piece for piece in pieces if is_name(piece) and not _AMBIGUOUS.search(piece)]
    # `repr` shows invisible characters by their number.
    broken = [f"{piece[:_MOST_SHOWN]!r} is not a name" for piece in pieces if piece not in names]
    return names, broken or ([] if names else ["empty"])


def is_protected(addresses: t.AbstractSet[str], listed: t.Collection[str], identities: t.Collection[str] = ()) -> bool:
    """Whether an account is one of those that no step may touch.

    All names, addresses and ids are as `name_key` returns them.

    :param addresses: everything that identifies the account: `User.addresses`, which includes its object ID.
    :param listed: what is on the list of protected accounts, as it was written.
    :param identities: object IDs of the listed accounts, and of the account that this automation uses.
    """
    return not (addresses.isdisjoint(listed) and addresses.isdisjoint(identities))


def protected_error(name: str, *, sent: str = "nothing was sent") -> OffboardingError:
    """The error for a protected account; `sent` describes the requests sent before."""
    return OffboardingError(
        f"{name} is protected; {sent}.",
        code="protected",
        hint="It is on the list of protected accounts (protected_users or M365_PROTECTED_USERS), or it is the account that this "
        "automation uses. Ask whoever keeps that list.",
    )


def roles_in_words(roles: t.Sequence[str]) -> str:
    """Directory roles for people, as in "a directory role (Helpdesk Administrator)". An object ID says nothing to them."""
    names = [str(role) for role in roles if not OBJECT_ID.match(str(role))]
    return f"a directory role ({', '.join(names)})" if names else "a directory role"


def administrator_error(
    name: str,
    roles: t.Sequence[str] | None,
    unread: str | None = None,
    *,
    option: str = "allow_admins",
    sent: str = "nothing was sent",
) -> OffboardingError | None:
    """The error for an account that holds a directory role, unless administrators are allowed; `None` if it holds none.

    :param roles: names or object IDs of its active directory roles; `None` where they could not be read, which is not
        the same as none: it may be an administrator.
    :param unread: why they could not be read, as a sentence.
    :param option: the option of a module, or the variable of a role, that allows it.
    :param sent: what was sent before this was known.
    """
    if roles is None:
        return OffboardingError(
            f"The directory roles of {name} could not be read: {unread or 'the run did not read them.'} {sent.capitalize()}.",
            code=ROLES_UNREAD,
            hint=f"Reading them needs User.Read.All; or {_allow(option)}.",
        )
    if roles:
        return OffboardingError(
            f"{name} holds {roles_in_words(roles)}; {sent}.", code="administrator", hint=_if_intended(option)
        )
    return None


def deleted_administrator_error(
    name: str, roles: t.Sequence[str] | None, *, option: str = "allow_admins", source: str = "directory_roles"
) -> OffboardingError | None:
    """As `administrator_error`, for a deleted account, whose roles cannot be read.

    :param roles: those that it held when it was deleted; `None` if nobody knows them.
    :param source: what the operator can give that names them.
    """
    if roles is None:
        return OffboardingError(
            f"Which directory roles {name} held cannot be read while the account is deleted; nothing was sent.",
            code=ROLES_UNREAD,
            hint=f"If it may be an administrator, {_allow(option)}; if its roles are known, give {source}.",
        )
    if roles:
        return OffboardingError(
            f"{name} held {roles_in_words(roles)}; nothing was sent.", code="administrator", hint=_if_intended(option)
        )
    return None


def _if_intended(option: str) -> str:
    return f"If that is intended, {_allow(option)}."


def _allow(option: str) -> str:
    return "set allow_admins" if option == "allow_admins" else ask_operator(option)


def ask_operator(variable: str) -> str:
    """What a person can do who launches a job and sees the fields of a survey, but not the variable of a role."""
    return f"ask whoever runs this automation (variable {variable})"
