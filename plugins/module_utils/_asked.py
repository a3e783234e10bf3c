# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""Who was asked for, as people write it: names, object ids, moments, searches. Nothing is sent here."""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t

from ._errors import OptionError
from ._times import parse_moment

OBJECT_ID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
# What Entra allows in a name (A-Z a-z 0-9 ' . - _ ! # ^ ~), and a few that older tenants still hold.
_PRINCIPAL_NAME = re.compile(r"^[A-Za-z0-9'._!#^~$&+=-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.[A-Za-z0-9]{2,}$")
_LONGEST_NAME = 256
_MOMENT_HINT = "Write it with its offset, as 2026-11-20T17:00:00+01:00 or 2026-11-20T16:00:00Z."


@dataclasses.dataclass(frozen=True)
class Asked:
    """One user as the operator wrote it: a principal name or an object id, and from when they must be out.

    Or one whom a search found: then C(name) is the object id until they are read, and their principal name after that.
    C(roles) are the directory roles that the caller has just read of them, C(None) where it has not.
    """

    name: str
    left_at: datetime.datetime | None = None
    found: bool = False
    roles: tuple[str, ...] | None = None

    def or_as(self, other: Asked) -> Asked:
        """The same user, asked for a second time: the later moment counts."""
        moments = [asked.left_at for asked in (self, other) if asked.left_at]
        # Told once only, or differently: what is not sure is read.
        roles = self.roles if self.roles == other.roles else None
        return dataclasses.replace(self, left_at=max(moments, default=None), roles=roles)


def parse_left_at(value: t.Any, name: str = "left_at") -> datetime.datetime | None:
    """C(left_at) as people and YAML write it; null and empty mean not given.

    :param name: what the moment is called where it is written.
    :raises ValueError: with the reason as text.
    """
    if value is None or value == "":
        return None
    if isinstance(value, datetime.datetime):
        value = value.isoformat()
    if not isinstance(value, str):
        raise ValueError(f"{name} {str(value)!r} is no moment with an offset. {_MOMENT_HINT}")
    try:
        return parse_moment(value)
    except ValueError:
        raise ValueError(f"{name} {value!r} is no moment with an offset. {_MOMENT_HINT}") from None


def parse_users(raw: t.Any, default_left_at: datetime.datetime | None = None) -> list[Asked]:
    """The elements of O(users), each name once, the latest C(left_at) for a name that comes twice.

    :param raw: a list of names and of mappings with C(user), C(left_at) and C(directory_roles); a string may hold
        several names.
    :raises OptionError: naming every element that cannot be meant.
    """
    asked: dict[str, Asked] = {}
    complaints = []
    elements = raw if isinstance(raw, list) else [raw]
    for index, element in enumerate(elements):
        try:
            for one in _parse_element(element, default_left_at):
                key = name_key(one.name)
                asked[key] = asked[key].or_as(one) if key in asked else one
        except ValueError as exc:
            complaints.append(f"users[{index}]: {exc}")
    if not elements:
        complaints.append("users is empty")
    if complaints:
        more = f" (and {len(complaints) - 20} more)" if len(complaints) > 20 else ""
        raise OptionError(
            "; ".join(complaints[:20]) + more,
            hint="Nothing was sent. Each user is a user principal name or an object id, "
            "or a mapping {user: ..., left_at: ...}.",
        )
    return list(asked.values())


def _parse_element(element: t.Any, default_left_at: datetime.datetime | None) -> list[Asked]:
    left_at, roles = default_left_at, None
    if isinstance(element, dict):
        unknown = sorted(str(key) for key in element if key not in ("user", "left_at", "directory_roles"))
        if unknown:
            raise ValueError(f"unknown {' and '.join(unknown)}; only user, left_at and directory_roles are known")
        left_at = parse_left_at(element.get("left_at")) or default_left_at
        roles = _parse_roles(element.get("directory_roles"))
        element = element.get("user")
        names = [element.strip()] if isinstance(element, str) else [element]
    elif isinstance(element, str):
        # A text field of a form ends in a newline or holds blank lines; an element that is all blank is an error.
        names = [name for name in map(str.strip, re.split(r"[,\n]", element)) if name] or [""]
    else:
        names = [element]
    for name in names:
        if name is None or name == "":
            raise ValueError("empty")
        if not isinstance(name, str):
            raise ValueError(f"{type(name).__name__} instead of a name")
        if not is_name(name):
            raise ValueError(f"{name[:120]!r} is neither a user principal name nor an object id")
    return [Asked(name, left_at, roles=roles) for name in t.cast("list[str]", names)]


def _parse_roles(value: t.Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(role, str) for role in value):
        raise ValueError("directory_roles is no list of strings")
    return tuple(value)


def is_name(text: str) -> bool:
    """Whether C(text) has the shape of a user principal name or an object id."""
    return len(text) <= _LONGEST_NAME and bool(_PRINCIPAL_NAME.match(text) or OBJECT_ID.match(text))


def name_key(name: str) -> str:
    """What two spellings of one principal name, address or object id have in common: all but upper and lower case.

    `str.casefold` would make `straße` the same as `strasse`, and those are two people. Entra ID takes names
    in any case and keeps those two apart.
    """
    return name.lower()


def same_name(one: t.Any, other: t.Any) -> bool:
    """Whether two names or object ids are the same; one that is null or empty is the same as none."""
    return bool(one and other) and name_key(str(one)) == name_key(str(other))


def names_nobody(raw: t.Any) -> bool:
    """Whether O(users) is as good as not given: absent, empty, or one blank, as a form leaves it."""
    elements = raw if isinstance(raw, list) else [raw]
    return len(elements) <= 1 and all(one is None or (isinstance(one, str) and not one.strip()) for one in elements)


@dataclasses.dataclass(frozen=True)
class Search:
    """Whom to look for in the directory: everybody who meets any of these.

    C(condition) is Graph's C($filter). C(left_at) counts for those whose own date the directory does not tell.
    """

    condition: str = ""
    group: str = ""
    left_before: datetime.datetime | None = None
    blocked: bool = False
    left_at: datetime.datetime | None = None

    @classmethod
    def parse(cls, options: t.Mapping[str, t.Any]) -> Search:
        """:raises OptionError: a moment that is none."""
        try:
            left_before, left_at = (
                parse_left_at((options[name] or "").strip(), name) for name in ("left_before", "left_at")
            )
        except ValueError as exc:
            raise OptionError(str(exc)) from None
        condition, group = ((options[name] or "").strip() for name in ("filter", "group"))
        return cls(condition, group, left_before, bool(options["blocked"]), left_at)

    def __bool__(self) -> bool:
        return bool(self.condition or self.group or self.left_before or self.blocked)
