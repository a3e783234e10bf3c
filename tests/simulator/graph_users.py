# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading users (Graph docs, user-get, user-list, user-list-transitivememberof)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from . import odata_filter
from .directory import Group, User
from .graph_errors import absent, bad, denied, no_segment, unsupported
from .graph_properties import ANY, BASIC, COLLECTIONS, DEFAULT, EXTRA_READ, KINDS, UNSET, USER_BY_LOWER
from .graph_request import Request, candidates, number
from .odata import Segment, selected
from .permissions import allowed
from .wire import Answer

if TYPE_CHECKING:
    from .directory import Directory

# Kinds of directory objects that a path may be cast to. Nothing here is an administrative unit.
_CASTS = {
    f"microsoft.graph.{kind.lower()}": f"#microsoft.graph.{kind}" for kind in (*KINDS, "administrativeUnit", "user")
}
# One object of a relation: a user, a group, or the kind and all properties of something else.
Related = User | Group | tuple[str, dict[str, Any]]

_ORDERED = {
    name.lower(): name for name in ("displayName", "userPrincipalName", "id", "mail", "surname", "createdDateTime")
}
_ADVANCED = (
    "Operator '{}' is not supported because the 'ConsistencyLevel:eventual' header or the '$count=true' parameter is missing. "
    "Refer to https://aka.ms/graph-docs/advanced-queries for more information"
)


class Users:
    """The users collection."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory

    # Finding -----------------------------------------------------------------------------------------------------

    def find(self, key: str, *, parenthesised: bool = False) -> User | None:
        """By object ID or UPN. A mail address or an alias is not a key."""
        if not parenthesised and self.directory.apostrophe_in_path == "doubled":
            if "'" in key.replace("''", ""):
                return None
            key = key.replace("''", "'")
        return self.directory.users.get(key.lower()) or self.directory.by_upn(key)

    def found(self, request: Request, key: str) -> User:
        user = self.find(key, parenthesised=request.parenthesised)
        if user is None or not user.there:
            raise absent(key)
        request.call.user = user.id
        return user

    # Showing -----------------------------------------------------------------------------------------------------

    def names(self, request: Request) -> tuple[str, ...]:
        """The properties to show, once it is clear that the app may see them."""
        if request.options.select:
            names = selected(request.options.select, USER_BY_LOWER, "user")
            self.may_read(request, names)
            return names
        self.may_read(request, ())
        if allowed(request.app.graph, "user.read"):
            return DEFAULT
        return tuple(name for name in DEFAULT if name in BASIC)

    def may_read(self, request: Request, names: tuple[str, ...] | frozenset[str]) -> None:
        """One property the app may not see refuses the whole request."""
        held = request.app.graph
        request.require("user.basic")
        if not allowed(held, "user.read") and not BASIC.issuperset(names):
            raise denied()
        for name in names:
            if name in EXTRA_READ and held.isdisjoint(EXTRA_READ[name]):
                raise denied()
            if name == "employeeHireDate" and self.directory.hire_date_needs_lifecycle:
                self.may_read(request, ("employeeLeaveDateTime",))

    def shown(self, state: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
        return {name: state.get(name, UNSET.get(name)) for name in names}

    def context(self, request: Request, *, one: bool) -> str:
        chosen = ",".join(quote(name) for name in request.options.select)
        return f"users{f'({chosen})' if chosen else ''}{'/$entity' if one else ''}"

    # Requests ----------------------------------------------------------------------------------------------------

    def get(self, request: Request, key: str) -> Answer:
        request.refuse("$filter", "$top", "$search", "$orderby", "$count", "$skiptoken")
        names = self.names(request)
        user = self.found(request, key)
        value = self.shown(user.as_of(self.directory.replica_lag), names)
        self.expand(request, user, value)
        return request.entity(self.context(request, one=True), value)

    def property(self, request: Request, key: str, name: str) -> Answer:
        """`/users/{id}/accountEnabled`"""
        proper = USER_BY_LOWER.get(name.lower())
        if proper is None:
            raise no_segment(name)
        self.may_read(request, (proper,))
        user = self.found(request, key)
        value = self.shown(user.as_of(self.directory.replica_lag), (proper,))[proper]
        if value is None:
            return Answer(204)
        return request.entity(f"users('{quote(user.id)}')/{proper}", {"value": value})

    def collection(self, request: Request) -> Answer:
        names = self.names(request)
        self.advanced_where_needed(request)
        users = self.matching(request)
        lag = self.lag(request)

        def show(user: User) -> dict[str, Any]:
            value = self.shown(user.as_of(lag), names)
            self.expand(request, user, value)
            return value

        return request.pages(self.context(request, one=False), users, self.directory.page_size, show)

    def count(self, request: Request) -> Answer:
        self.may_read(request, ())
        if not request.options.advanced:
            raise bad("$count is not currently supported.")
        request.options.count = True
        return number(len(self.matching(request)))

    def lag(self, request: Request) -> float:
        directory = self.directory
        return max(directory.replica_lag, directory.index_lag) if request.options.consistent else directory.replica_lag

    def advanced_where_needed(self, request: Request) -> None:
        """Graph docs, aad-advanced-queries: what is only in the index store."""
        options = request.options
        if options.search is not None and not options.advanced:
            raise bad(
                "Request with $search query parameter only works through MSGraph with a special request header: "
                "'ConsistencyLevel: eventual'"
            )
        if options.count and not options.advanced:
            raise bad("$count is not currently supported.")
        if options.filter is not None and options.orderby is not None and not options.consistent:
            raise unsupported("Sorting not supported for current query.")
        if options.consistent and options.expand:
            raise unsupported("$expand is not supported with advanced queries.")

    def matching(self, request: Request) -> list[User]:
        """The users selected by `$filter`, `$search` and `$orderby`."""
        options = request.options
        users: list[User] | None = None
        lag = self.lag(request)
        if options.filter is not None:
            parsed = self.filter(request)
            pool = self.directory.everyone()
            # Lagging replicas may still know a user by an old name, so the index is of no use then.
            if parsed.candidates is not None and lag == 0:
                pool = candidates(self.directory, parsed.candidates)
            users = [user for user in pool if user.there and parsed.test(user.as_of(lag))]
            if len(users) == 1:
                request.call.user = users[0].id
        if users is None:
            users = [user for user in self.directory.everyone() if user.there]
        if options.search is not None:
            users = _search(users, options.search)
        name, descending = _order(options.orderby)
        return sorted(users, key=lambda user: str(user.get(name) or "").lower(), reverse=descending)

    def filter(self, request: Request) -> odata_filter.Filter:
        """The `$filter` on users, once it is clear that the app may use it, and uses it rightly."""
        parsed = odata_filter.parse(request.options.filter or "")
        self.may_read(request, parsed.properties)
        simple = set() if self.directory.leave_date_is_advanced else {"employeeLeaveDateTime"}
        self.advanced_filter(request, parsed, [name for name in parsed.advanced_properties if name not in simple])
        return parsed

    def advanced_filter(self, request: Request, parsed: odata_filter.Filter, names: Iterable[str] = ()) -> None:
        if request.options.consistent:
            return
        for operator in parsed.advanced:
            raise unsupported(_ADVANCED.format(operator))
        for name in names:
            raise odata_filter.invalid_for(name, "user")

    # Relations -----------------------------------------------------------------------------------------------------

    def memberships(self, request: Request, key: str, rest: tuple[Segment, ...], *, transitive: bool) -> Answer:
        request.require("user.memberships")

        def find() -> list[Related]:
            return self._holdings(self.found(request, key).as_seen(self.lag(request)), transitive=transitive)

        return self.relation(request, rest, find)

    def relation(
        self, request: Request, rest: tuple[Segment, ...], find: Callable[[], list[Related]], *, strict: bool = False
    ) -> Answer:
        """A collection of directory objects of several kinds: all, or those of one kind, or how many.

        `rest` begins with the name of the relation. `strict`: its page says that a cast is an advanced query.
        """
        request.refuse("$search", "$expand")
        options = request.options
        cast = None
        counting = rest[-1].lower == "$count"
        tail = rest[1:-1] if counting else rest[1:]
        if tail:
            cast = _CASTS.get(tail[0].lower)
            if cast is None or len(tail) > 1:
                raise no_segment(tail[-1].name)
        self._cast_needs(request, cast, strict=strict)
        if (counting or options.count) and not options.advanced:
            raise bad("$count is not currently supported.")
        if options.filter is not None or options.orderby is not None:
            raise unsupported("Unsupported Query.")
        found = find()
        if cast is not None:
            found = [item for item in found if cast == f"#microsoft.graph.{_kind(item)}"]
        if counting:
            return number(len(found))
        # Where all are of one type, minimal metadata need not repeat it (OData JSON format, odata.type).
        typed = cast is None or self.directory.cast_shows_type

        def shown(item: Related) -> dict[str, Any]:
            return {
                name: value for name, value in self.related(request, item).items() if typed or name != "@odata.type"
            }

        context = "directoryObjects" if cast is None else cast.removeprefix("#microsoft.graph.") + "s"
        return request.pages(context, found, 100, shown)

    def _cast_needs(self, request: Request, cast: str | None, *, strict: bool) -> None:
        """Graph docs, aad-advanced-queries, "Use of OData cast ...": both readings of two versions of that page."""
        if cast is None or request.options.consistent:
            return
        mode = self.directory.cast_is_advanced
        if strict and mode != "never":
            mode = "always"
        others = [name for name in request.options.given if name not in ("$count", "$skiptoken")]
        if mode == "always" or (mode == "with_parameters" and others):
            raise unsupported(
                "The specified query is only supported as an advanced query: 'ConsistencyLevel:eventual' is missing."
            )

    def holdings(self, request: Request, user: User, *, transitive: bool) -> list[dict[str, Any]]:
        """Roles and groups of a user. What the app may not read has an id and a type, the rest is null.

        Graph docs, permissions-overview, "Limited information returned for inaccessible member objects".
        """
        return [self.related(request, item) for item in self._holdings(user, transitive=transitive)]

    def _holdings(self, user: User, *, transitive: bool) -> list[Related]:
        directory = self.directory
        roles = directory.roles_of(user, transitive=transitive)
        found: list[Related] = [("directoryRole", directory.role_properties(name)) for name in roles]
        return [*found, *directory.groups_of(user, transitive=transitive)]

    def related(self, request: Request, item: Related) -> dict[str, Any]:
        """As much of it as the app may read."""
        if isinstance(item, User):
            return self.person(request, item)
        if isinstance(item, Group):
            return self.group(request, item)
        return self.object(request, *item)

    def role(self, request: Request, name: str) -> dict[str, Any]:
        return self.object(request, "directoryRole", self.directory.role_properties(name))

    def group(self, request: Request, group: Group) -> dict[str, Any]:
        return self.object(request, "group", self.directory.group_properties(group))

    def object(self, request: Request, kind: str, values: dict[str, Any]) -> dict[str, Any]:
        """An object of a relation: all of it, or what is left of it where the app may not read this kind."""
        operation, names = KINDS[kind]
        readable = allowed(request.app.graph, operation)
        chosen = names
        if request.options.select:
            wanted = selected(request.options.select, ANY, "directoryObject")
            chosen = tuple(name for name in wanted if name in names)
        return {
            "@odata.type": f"#microsoft.graph.{kind}",
            **{name: values.get(name) if readable else self._hidden(name, values) for name in chosen},
        }

    def person(self, request: Request, user: User) -> dict[str, Any]:
        """A user in a relation, likewise."""
        names: tuple[str, ...] = DEFAULT
        if request.options.select:
            wanted = selected(request.options.select, ANY, "directoryObject")
            names = tuple(name for name in wanted if name.lower() in USER_BY_LOWER)
        held = request.app.graph
        state = user.as_of(self.lag(request))
        values = self.shown(state, names)
        readable: frozenset[str] = frozenset({"id"})
        if allowed(held, "user.read"):
            self.may_read(request, names)
            readable = frozenset(names)
        elif allowed(held, "user.basic"):
            readable = BASIC
        hidden = {name: self._hidden(name, values) for name in names if name not in readable}
        return {"@odata.type": "#microsoft.graph.user", **values, **hidden}

    def _hidden(self, name: str, values: dict[str, Any]) -> Any:
        """Seen of users: lists are empty, as if there were nothing; the docs say null."""
        if name == "id":
            return values["id"]
        return [] if name in COLLECTIONS and self.directory.hidden_collections == "empty" else None

    def expand(self, request: Request, user: User, value: dict[str, Any]) -> None:
        """`$expand=memberOf` and the like; 20 at most (Graph docs, query-parameters)."""
        for name in request.options.expand:
            if name.lower() == "manager" and self.directory.takes_manager:
                self._expand_manager(request, user, value)
                continue
            if name.lower() not in ("memberof", "transitivememberof"):
                raise bad(
                    f"Could not find a navigation property named '{name}' on type 'microsoft.graph.user'.", "BadRequest"
                )
            request.require("user.memberships")
            proper = "memberOf" if name.lower() == "memberof" else "transitiveMemberOf"
            select, request.options.select = request.options.select, ()
            value[proper] = self.holdings(request, user, transitive=proper[0] == "t")[:20]
            request.options.select = select

    def _expand_manager(self, request: Request, user: User, value: dict[str, Any]) -> None:
        """Graph docs, user-list-manager. A user without a manager has no such key. Of the options in brackets, only `$select`."""
        nested = request.options.nested.get("manager", "")
        name, _ignored, names = nested.partition("=")
        if nested and (name.lower() != "$select" or ";" in names):
            raise bad(f"Parsing OData Select and Expand failed: '{nested}' is not understood.", "BadRequest")
        request.require("user.basic")
        boss = self.directory.user(user.manager) if user.manager else None
        if boss is None or not boss.there:
            return
        select, request.options.select = request.options.select, tuple(filter(None, names.split(",")))
        value["manager"] = self.person(request, boss)
        request.options.select = select


def _kind(item: Related) -> str:
    return "user" if isinstance(item, User) else "group" if isinstance(item, Group) else item[0]


def _search(users: list[User], text: str) -> list[User]:
    """`$search="displayName:jane"`: every word of the text begins a word of the property."""
    name, colon, words = text.strip().strip('"').partition(":")
    proper = {"displayname": "displayName", "mail": "mail", "userprincipalname": "userPrincipalName"}.get(name.lower())
    if not colon or proper is None or not text.strip().startswith('"'):
        raise bad('Invalid $search query. Property name and value should be given as "property:value".')
    wanted = words.lower().split()
    return [
        user
        for user in users
        if all(any(part.startswith(word) for part in str(user.get(proper) or "").lower().split()) for word in wanted)
    ]


def _order(text: str | None) -> tuple[str, bool]:
    if text is None:
        return "id", False
    name, _ignored, direction = text.strip().partition(" ")
    proper = _ORDERED.get(name.lower())
    if proper is None or direction.strip().lower() not in ("", "asc", "desc"):
        raise unsupported("Sorting not supported for current query.")
    return proper, direction.strip().lower() == "desc"
