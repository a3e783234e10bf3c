# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parse what users write: names, object IDs, dates, searches. Nothing is sent here."""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t

from ._errors import OffboardingError, OptionError
from ._times import format_moment, parse_moment

OBJECT_ID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
# What Entra allows in a name (A-Z a-z 0-9 ' . - _ ! # ^ ~), and a few that older tenants still hold.
_PRINCIPAL_NAME = re.compile(r"^[A-Za-z0-9'._!#^~$&+=-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.[A-Za-z0-9]{2,}$")
_LONGEST_NAME = 256
# What an element of `users` may hold.
_KEYS = ("user", "id", "left_at", "directory_roles", "protocols")
_MOMENT_FORM = "must be a date and time with a UTC offset, for example 2026-11-20T17:00:00+01:00."


@dataclasses.dataclass(frozen=True)
class RequestedUser:
    """One user as the operator wrote it: a principal name or an object ID, and the time from which they must be out.

    Or a user found by a search: then `name` is the object ID until the user is read, and the principal name after that.
    `roles` are the directory roles that the caller has just read, `None` if it has not. `protocols` are
    the switches of their mailbox by the name of the protocol, likewise.
    `id` is the object ID that the operator wrote beside the name, `None` if there is none.
    """

    name: str
    left_at: datetime.datetime | None = None
    found: bool = False
    roles: tuple[str, ...] | None = None
    protocols: t.Mapping[str, bool | None] | None = None
    id: str | None = None
    # All dates given for a user who was named more than once, if they differ; `None` among them is "now".
    moments: tuple[datetime.datetime | None, ...] = ()
    # Why the text is not a valid name.
    complaint: str | None = None
    # The name in earlier evidence of a user who was neither named nor found by a search; `None` for all others.
    known_as: str | None = None

    @property
    def shown_as(self) -> str:
        """The user as a message names it: for earlier evidence the name of that time, with the object ID."""
        return f"{self.known_as} ({self.name})" if self.known_as and self.known_as != self.name else self.name

    @property
    def object_id(self) -> str | None:
        """The object ID that the operator wrote, as the name or beside it; `None` for a user found by a search."""
        return self.id or (self.name if OBJECT_ID.match(self.name) and not self.found else None)

    def or_as(self, other: RequestedUser) -> RequestedUser:
        """Merge a second entry for the same user. If the dates differ, it is not known which is right: both are kept."""
        # Given once only, or differently: uncertain values are read again.
        roles = self.roles if self.roles == other.roles else None
        protocols = self.protocols if self.protocols == other.protocols else None
        identity = self.object_id or other.object_id
        moments = tuple(dict.fromkeys((*self.all_moments, *other.all_moments)))
        moments = moments if len(moments) > 1 else ()
        return dataclasses.replace(self, moments=moments, roles=roles, protocols=protocols, id=identity)

    @property
    def all_moments(self) -> tuple[datetime.datetime | None, ...]:
        return self.moments or (self.left_at,)

    @property
    def contradiction(self) -> OffboardingError | None:
        """The refusal of a user who was named with different dates."""
        if not self.moments:
            return None
        reported = " and ".join(sorted(format_moment(moment) or "now (no date)" for moment in self.moments))
        return OffboardingError(
            f"{self.name} was named more than once, with different dates: {reported}; nothing was sent.",
            code="contradiction",
            hint="Name the user once, or with one date.",
        )


def parse_left_at(value: t.Any, name: str = "left_at") -> datetime.datetime | None:
    """Parse `left_at` as people and YAML write it; null and empty mean not given.

    :param name: the name of the option or column, for the message.
    :raises ValueError: with the reason as text.
    """
    if value is None or value == "":
        return None
    if isinstance(value, datetime.datetime):
        value = value.isoformat()
    if not isinstance(value, str):
        raise ValueError(f"{name} {str(value)!r} {_MOMENT_FORM}")
    try:
        return parse_moment(value)
    except ValueError:
        raise ValueError(f"{name} {value!r} {_MOMENT_FORM}") from None


def parse_users(raw: t.Any, default_left_at: datetime.datetime | None = None) -> list[RequestedUser]:
    """Parse the elements of `users`; each name is returned once.

    A text that is not a name becomes that user's `complaint`; an error that puts the whole list in doubt is raised.

    :param raw: a list of names and of mappings with `user`, `id`, `left_at`, `directory_roles` and `protocols`; a
        string may hold several names.
    :raises OptionError: naming every invalid element.
    """
    asked: dict[str, RequestedUser] = {}
    complaints = []
    elements = raw if isinstance(raw, list) else [raw]
    for index, element in enumerate(elements):
        try:
            for one in _parse_element(element, default_left_at):
                key = name_key(one.name)
                if key in asked and _differ(asked[key].object_id, one.object_id):
                    raise ValueError(f"{one.name} is given with two object IDs")
                asked[key] = asked[key].or_as(one) if key in asked else one
        except ValueError as exc:
            complaints.append(f"users[{index}]: {exc}")
    if not elements:
        complaints.append("users is empty")
    if complaints:
        more = f" (and {len(complaints) - 20} more)" if len(complaints) > 20 else ""
        raise OptionError(
            "; ".join(complaints[:20]) + more,
            hint="Nothing was sent. Each user is a user principal name or an object ID, "
            "or a mapping {user: ..., left_at: ..., id: ...}.",
        )
    return list(asked.values())


def _parse_element(element: t.Any, default_left_at: datetime.datetime | None) -> list[RequestedUser]:
    left_at, roles, protocols, identity = default_left_at, None, None, None
    if isinstance(element, dict):
        unknown = sorted(str(key) for key in element if key not in _KEYS)
        if unknown:
            raise ValueError(
                f"unknown key {' and '.join(unknown)}; valid keys are user, id, left_at, directory_roles and protocols"
            )
        left_at = parse_left_at(element.get("left_at")) or default_left_at
        roles = _parse_roles(element.get("directory_roles"))
        protocols = _parse_protocols(element.get("protocols"))
        identity = _parse_id(element.get("id"))
        element = element.get("user")
        names = [element.strip()] if isinstance(element, str) else [element]
    elif isinstance(element, str):
        names = t.cast("list[t.Any]", _split(element))
    else:
        names = [element]
    for name in names:
        if name is None or name == "":
            raise ValueError("empty")
        if not isinstance(name, str):
            raise ValueError(f"{type(name).__name__} instead of a name")
    return [
        RequestedUser(
            name,
            left_at,
            roles=roles,
            protocols=protocols,
            id=identity,
            complaint=None if is_name(name) else _complaint(name),
        )
        for name in t.cast("list[str]", names)
    ]


def _differ(one: str | None, other: str | None) -> bool:
    """Whether both object IDs are given and differ."""
    return bool(one and other and one.lower() != other.lower())


def _parse_id(value: t.Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not OBJECT_ID.match(value.strip()):
        raise ValueError(f"id {str(value)[:120]!r} is not an object ID")
    return value.strip()


def _split(text: str) -> list[str]:
    """The names in a text, separated by commas or line breaks, as a field of a form holds them.

    Blank lines are ignored. A comma without a name beside it suggests that the list was cut off.

    :raises ValueError: such a comma, or the text of a list.
    """
    if re.match(r"\s*[\[{]\s*['\"\[{]", text):
        raise ValueError(
            f"{text.strip()[:80]!r} is the text of a list or a mapping; give the list itself, or names separated by commas. "
            "Before 2.19, ansible-core makes such a text of a template whose value contains a date: quote the dates"
        )
    parts = re.sub(r"\s*\n\s*", "\n", text.strip())
    parts = re.sub(r",\n", ",", parts)
    names = [name.strip() for name in re.split(r"[,\n]", parts)]
    if len(names) > 1 and not all(names):
        raise ValueError(f"{text.strip()[-120:]!r} has a comma without a name beside it; was the list cut off?")
    return names


def _complaint(name: str) -> str:
    return f"{name[:120]!r} is neither a user principal name nor an object ID."


def not_a_name(message: str) -> OffboardingError:
    """The failure of one whose name is malformed, from `RequestedUser.complaint`."""
    hint = "Name them by user principal name (jane@contoso.com) or object ID."
    return OffboardingError(message, code="not_a_name", hint=hint)


def _parse_roles(value: t.Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(role, str) for role in value):
        raise ValueError("directory_roles is not a list of strings")
    return tuple(value)


def _parse_protocols(value: t.Any) -> dict[str, bool | None] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not all(one is None or isinstance(one, bool) for one in value.values()):
        raise ValueError("protocols is not a mapping of protocols to true, false or null")
    return {str(name): one for name, one in value.items()}


def is_name(text: str) -> bool:
    """Whether `text` has the shape of a user principal name or an object ID."""
    return len(text) <= _LONGEST_NAME and bool(_PRINCIPAL_NAME.match(text) or OBJECT_ID.match(text))


def name_key(name: str) -> str:
    """What two spellings of one principal name, address or object ID have in common: all but upper and lower case.

    `str.casefold` would make `straße` the same as `strasse`, and those are two people. Entra ID takes names
    in any case and keeps those two apart. Nor does a letter outside of ASCII become one within it, as the Kelvin sign
    would become a k.
    """
    if name.isascii():
        return name.lower()
    return "".join(sign.lower() if sign.isascii() or not sign.lower().isascii() else sign for sign in name)


def same_name(one: t.Any, other: t.Any) -> bool:
    """Whether two names or object IDs are the same; one that is null or empty is the same as none."""
    return bool(one and other) and name_key(str(one)) == name_key(str(other))


@dataclasses.dataclass(frozen=True)
class KnownUser:
    """What evidence of earlier runs says of a user of this tenant.

    `name` is the user principal name of that time, or the object ID. `left_at` is the moment from which the user had to
    be out. `shut_out` says whether a run has shut this user out, wholly or in part. `password` is the
    `lastPasswordChangeDateTime` that a reset by this collection wrote, `None` if no evidence shows that it did.
    """

    id: str
    name: str
    left_at: datetime.datetime | None = None
    shut_out: bool = False
    password: datetime.datetime | None = None

    @property
    def asked(self) -> RequestedUser:
        return RequestedUser(self.id, self.left_at, known_as=self.name)


def parse_known(raw: t.Mapping[str, t.Any], tenant_id: str | None) -> dict[str, KnownUser]:
    """The option `earlier` of M(m365.offboarding.m365_user_info): the users of this tenant, by object ID in lower case.

    :raises OptionError: it is not what the role gives.
    """
    known: dict[str, KnownUser] = {}
    try:
        for tenant, users in raw.items():
            for one in users:
                identity = _parse_id(one["id"])
                if identity is None:
                    raise ValueError("a user without an object ID")
                if same_name(tenant, tenant_id):
                    known[name_key(identity)] = KnownUser(
                        identity,
                        str(one["user"] or identity),
                        parse_left_at(one["left_at"]),
                        one["shut_out"] is True,
                        parse_left_at(one["password"], "password"),
                    )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise OptionError("earlier does not have the form that the role offboard_employee passes.") from None
    return known


def names_nobody(raw: t.Any) -> bool:
    """Whether O(users) is as good as not given: absent, empty, or one blank, as a form leaves it."""
    elements = raw if isinstance(raw, list) else [raw]
    return len(elements) <= 1 and all(one is None or (isinstance(one, str) and not one.strip()) for one in elements)


@dataclasses.dataclass(frozen=True)
class Search:
    """A search in the directory: all users who meet any of these conditions.

    `condition` is Graph's `$filter`. `left_at` applies to users whose own date the directory does not return.
    """

    condition: str = ""
    group: str = ""
    left_before: datetime.datetime | None = None
    blocked: bool = False
    left_at: datetime.datetime | None = None

    @classmethod
    def parse(cls, options: t.Mapping[str, t.Any]) -> Search:
        """:raises OptionError: a moment that is none."""
        before = (options["left_before"] or "").strip()
        # Whether the users found are due is decided by Microsoft's clock.
        now = datetime.datetime.now(datetime.timezone.utc) if before == "now" else None
        try:
            left_before = now or parse_left_at(before, "left_before")
            left_at = parse_left_at((options["left_at"] or "").strip(), "left_at")
        except ValueError as exc:
            raise OptionError(str(exc)) from None
        condition, group = ((options[name] or "").strip() for name in ("filter", "group"))
        return cls(condition, group, left_before, bool(options["blocked"]), left_at)

    def __bool__(self) -> bool:
        return bool(self.condition or self.group or self.left_before or self.blocked)
