# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`$filter` on users and groups: a small parser for what Graph supports on directory objects.

Sources: Graph docs, filter-query-parameter (operators, lambda, escaping) and aad-advanced-queries (what needs
`ConsistencyLevel: eventual` and `$count=true`); the limit of 15 clauses as reported from the field.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from .graph_errors import GraphError, bad, unsupported

Test = Callable[[dict[str, Any]], bool]

MAX_CLAUSES = 15

# Property -> (type, operators). Whatever is missing cannot be filtered (Graph docs, user resource, "Supports $filter").
_TEXT = frozenset({"eq", "ne", "ge", "le", "in", "startswith"})
FILTERABLE: dict[str, tuple[str, frozenset[str]]] = {
    "accountEnabled": ("bool", frozenset({"eq", "ne", "in"})),
    "city": ("str", _TEXT),
    "companyName": ("str", _TEXT),
    "country": ("str", _TEXT),
    "createdDateTime": ("time", frozenset({"eq", "ne", "ge", "le", "gt", "lt", "in"})),
    "creationType": ("str", frozenset({"eq", "ne", "in"})),
    "department": ("str", _TEXT),
    "displayName": ("str", _TEXT),
    "employeeId": ("str", _TEXT),
    "employeeHireDate": ("time", frozenset({"eq", "ne", "ge", "le", "gt", "lt", "in"})),
    "employeeLeaveDateTime": ("time", frozenset({"eq", "ne", "ge", "le", "gt", "lt", "in"})),
    "externalUserState": ("str", frozenset({"eq", "ne", "in"})),
    "givenName": ("str", _TEXT),
    "id": ("guid", frozenset({"eq", "ne", "in"})),
    "jobTitle": ("str", _TEXT),
    "mail": ("str", _TEXT | {"endswith"}),
    "mailNickname": ("str", _TEXT),
    "mobilePhone": ("str", _TEXT),
    "officeLocation": ("str", _TEXT),
    "onPremisesImmutableId": ("str", _TEXT),
    "onPremisesSamAccountName": ("str", _TEXT),
    "onPremisesSyncEnabled": ("bool", frozenset({"eq", "ne", "in"})),
    "otherMails": ("list", frozenset({"any"})),
    "proxyAddresses": ("list", frozenset({"any"})),
    "assignedPlans": ("list", frozenset()),
    "assignedLicenses": ("list", frozenset()),
    "state": ("str", _TEXT),
    "surname": ("str", _TEXT),
    "usageLocation": ("str", _TEXT),
    "userPrincipalName": ("str", _TEXT | {"endswith"}),
    "userType": ("str", frozenset({"eq", "ne", "in"})),
    "deletedDateTime": ("time", frozenset({"eq", "ne", "ge", "le", "gt", "lt"})),
}
_GROUP: dict[str, tuple[str, frozenset[str]]] = {
    "createdDateTime": ("time", frozenset({"eq", "ne", "ge", "le", "in"})),
    "description": ("str", _TEXT),
    "displayName": ("str", _TEXT),
    "groupTypes": ("list", frozenset({"any"})),
    "id": ("guid", frozenset({"eq", "ne", "in"})),
    "isAssignableToRole": ("bool", frozenset({"eq", "ne"})),
    "mail": ("str", _TEXT),
    "mailEnabled": ("bool", frozenset({"eq", "ne"})),
    "mailNickname": ("str", _TEXT),
    "securityEnabled": ("bool", frozenset({"eq", "ne", "in"})),
}
_KINDS = {"user": FILTERABLE, "group": _GROUP}
# Of these, every comparison needs the index store (Graph docs, filter-directory-objects: "advanced" in every column).
_ADVANCED = frozenset(
    {
        "companyName",
        "employeeHireDate",
        "employeeLeaveDateTime",
        "employeeType",
        "mobilePhone",
        "officeLocation",
        "onPremisesImmutableId",
        "onPremisesSamAccountName",
    }
)
# And of these, comparing with null (the same table, last column).
_ADVANCED_NULL = frozenset(
    {"city", "country", "department", "displayName", "givenName", "jobTitle", "mailNickname", "state", "surname"}
)
# Compared with startsWith, this one needs it too.
_ADVANCED_STARTS = frozenset({"employeeId"})
_INDEXED = frozenset({"id", "userPrincipalName", "mail", "mailNickname"})
_EDM = {
    "bool": "Boolean",
    "date": "Date",
    "guid": "Guid",
    "number": "Int32",
    "str": "String",
    "time": "DateTimeOffset",
}
_OPERATORS = {
    "eq": "Equal",
    "ne": "NotEqual",
    "ge": "GreaterThanOrEqual",
    "gt": "GreaterThan",
    "le": "LessThanOrEqual",
    "lt": "LessThan",
}
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')"
    r"|(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+(?:Z|[+-][0-9]{2}:[0-9]{2}))?(?![0-9A-Za-z-]))"
    r"|(?P<guid>[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})"
    r"|(?P<number>-?[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<name>[A-Za-z_$][\w$.]*(?:/[A-Za-z_$][\w$.]*)*)"
    r"|(?P<mark>[(),:]))"
)


@dataclass(slots=True)
class Filter:
    """A filter ready for use."""

    test: Test
    properties: frozenset[str] = frozenset()
    # Operators that need the advanced query parameters, and properties that do with any operator.
    advanced: tuple[str, ...] = ()
    advanced_properties: tuple[str, ...] = ()
    # (property, value) pairs of which a match must have one, where that is known; saves looking at everybody.
    candidates: tuple[tuple[str, str], ...] | None = None


@dataclass(slots=True)
class _Node:
    test: Test
    clauses: int = 1
    candidates: tuple[tuple[str, str], ...] | None = None


@dataclass(slots=True)
class _Literal:
    kind: str
    value: Any


def invalid_for(name: str, kind: str) -> GraphError:
    """As reported of employeeType without the advanced parameters (microsoft-graph-docs issue 12591)."""
    return unsupported(
        f"Unsupported or invalid query filter clause specified for property '{name}' of resource '{kind.capitalize()}'."
    )


def clause_error(text: str) -> GraphError:
    return bad(f"Invalid filter clause: {text}", "BadRequest")


@lru_cache(maxsize=2048)
def parse(text: str, kind: str = "user") -> Filter:
    """The filter, or the error Graph would answer with."""
    try:
        return _Parser(text, kind).filter()
    except RecursionError:
        raise clause_error("the recursion limit has been exceeded.") from None


@dataclass
class _Parser:
    text: str
    kind: str = "user"
    position: int = 0
    tokens: list[tuple[str, str, int]] = field(default_factory=list)
    properties: set[str] = field(default_factory=set)
    advanced: list[str] = field(default_factory=list)
    advanced_properties: list[str] = field(default_factory=list)
    depth: int = 0

    def __post_init__(self) -> None:
        self.known = _KINDS[self.kind]
        self.by_lower = {name.lower(): name for name in self.known}
        position, text = 0, self.text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise clause_error(f"Syntax error at position {position + 1} in '{text[:200]}'.")
            self.tokens.append((match.lastgroup, match[match.lastgroup], position))
            position = match.end()

    # Tokens ----------------------------------------------------------------------------------------------------

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.position][:2] if self.position < len(self.tokens) else ("end", "")

    def take(self) -> tuple[str, str]:
        token = self.peek()
        self.position += 1
        return token

    def fail(self) -> GraphError:
        place = self.tokens[self.position - 1][2] if 0 < self.position <= len(self.tokens) else len(self.text)
        return clause_error(f"Syntax error at position {place + 1} in '{self.text[:200]}'.")

    def expect(self, mark: str) -> None:
        if self.take() != ("mark", mark):
            raise self.fail()

    def word(self, *words: str) -> str | None:
        kind, value = self.peek()
        if kind == "name" and value.lower() in words:
            self.position += 1
            return value.lower()
        return None

    # Grammar ---------------------------------------------------------------------------------------------------

    def filter(self) -> Filter:
        if not self.tokens:
            raise clause_error("Syntax error at position 0 in ''.")
        node = self.either(None)
        if self.peek()[0] != "end":
            self.take()
            raise self.fail()
        self.limit(node)
        return Filter(
            node.test,
            frozenset(self.properties),
            tuple(self.advanced),
            tuple(self.advanced_properties),
            node.candidates if self.kind == "user" else None,
        )

    def limit(self, node: _Node) -> None:
        if node.clauses > MAX_CLAUSES:
            raise unsupported(
                "Too many child clauses specified in search filter expression containing 'OR' operators: "
                f"{node.clauses}. Max allowed: {MAX_CLAUSES}."
            )

    def either(self, variable: str | None) -> _Node:
        self.depth += 1
        if self.depth > 50:
            raise clause_error("the node count limit of '100' has been exceeded.")
        nodes = [self.both(variable)]
        while self.word("or"):
            nodes.append(self.both(variable))
        self.depth -= 1
        if len(nodes) == 1:
            return nodes[0]
        tests = [node.test for node in nodes]
        candidates: list[tuple[str, str]] | None = []
        for node in nodes:
            candidates = None if candidates is None or node.candidates is None else [*candidates, *node.candidates]
        return _Node(
            lambda user: any(test(user) for test in tests),
            sum(node.clauses for node in nodes),
            None if candidates is None else tuple(candidates),
        )

    def both(self, variable: str | None) -> _Node:
        nodes = [self.negated(variable)]
        while self.word("and"):
            nodes.append(self.negated(variable))
        if len(nodes) == 1:
            return nodes[0]
        for node in nodes:
            self.limit(node)
        tests = [node.test for node in nodes]
        known = [node.candidates for node in nodes if node.candidates is not None]
        return _Node(lambda user: all(test(user) for test in tests), 1, min(known, key=len) if known else None)

    def negated(self, variable: str | None) -> _Node:
        if self.word("not"):
            self.advanced.append("not")
            node = self.negated(variable)
            test = node.test
            return _Node(lambda user: not test(user), node.clauses)
        if self.peek() == ("mark", "("):
            self.take()
            node = self.either(variable)
            self.expect(")")
            return node
        return self.predicate(variable)

    def predicate(self, variable: str | None) -> _Node:
        kind, name = self.take()
        if kind != "name":
            raise self.fail()
        if self.peek() == ("mark", "("):
            if name.lower() in ("startswith", "endswith", "contains"):
                return self.function(name, variable)
            if name.lower().endswith("/any"):
                return self.any(name[:-4], variable)
            if name.lower().endswith("/all"):
                raise unsupported("Unsupported Query.")
            raise clause_error(f"An unknown function with name '{name}' was found.")
        if name.lower().endswith("/$count"):
            return self.counted(name[:-7])
        return self.comparison(name, variable)

    # Predicates --------------------------------------------------------------------------------------------------

    def property(self, name: str, operator: str, variable: str | None) -> tuple[str, str]:
        """Proper name and type of a property, if this operator may be used with it."""
        if variable is not None:
            if name != variable:
                raise clause_error(f"Could not find a property named '{name}' on type 'Edm.String'.")
            return "", "str"
        proper = self.by_lower.get(name.lower())
        if proper is None:
            from .graph_properties import GROUP, USER_BY_LOWER, lowered

            there = USER_BY_LOWER if self.kind == "user" else lowered(GROUP)
            if name.lower() in there:
                raise invalid_for(there[name.lower()], self.kind)
            raise clause_error(f"Could not find a property named '{name}' on type 'microsoft.graph.{self.kind}'.")
        kind, operators = self.known[proper]
        if operator not in operators:
            raise invalid_for(proper, self.kind)
        self.properties.add(proper)
        if self.kind == "user" and proper in _ADVANCED:
            self.advanced_properties.append(proper)
        return proper, kind

    def literal(self) -> _Literal:
        kind, value = self.take()
        if kind == "text":
            return _Literal("str", value[1:-1].replace("''", "'"))
        if kind == "time":
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                raise clause_error(f"'{value}' is not a date.") from None
            return _Literal("time" if moment.tzinfo else "date", moment)
        if kind == "number":
            return _Literal("number", float(value))
        if kind == "guid":
            return _Literal("guid", value)
        if kind == "name" and value.lower() in ("true", "false"):
            return _Literal("bool", value.lower() == "true")
        if kind == "name" and value.lower() == "null":
            return _Literal("null", None)
        raise self.fail()

    def fitting(self, kind: str, literal: _Literal, operator: str) -> Any:
        """The literal's value as the property's type wants it."""
        if literal.kind == "null":
            return None
        if kind == "guid":
            if literal.kind != "str":
                raise self.incompatible(kind, literal, operator)
            if not _GUID.fullmatch(literal.value):
                raise bad(f"Invalid object identifier '{literal.value}'.")
            return literal.value.lower()
        if literal.kind != kind:
            raise self.incompatible(kind, literal, operator)
        return literal.value.lower() if kind == "str" else literal.value

    def incompatible(self, kind: str, literal: _Literal, operator: str) -> GraphError:
        wanted = "String" if kind == "guid" else _EDM[kind]
        return clause_error(
            "A binary operator with incompatible types was detected. Found operand types "
            f"'Edm.{wanted}' and 'Edm.{_EDM[literal.kind]}' for operator kind '{_OPERATORS.get(operator, operator)}'."
        )

    def comparison(self, name: str, variable: str | None) -> _Node:
        operator = self.word("eq", "ne", "ge", "le", "gt", "lt", "in")
        if operator is None:
            if self.peek()[0] == "end":
                raise clause_error(f"'{name}' is not a condition.")
            self.take()
            raise self.fail()
        proper, kind = self.property(name, operator, variable)
        if operator == "in":
            return self.one_of(proper, kind)
        literal = self.literal()
        wanted = self.fitting(kind, literal, operator)
        if operator == "ne":
            self.advanced.append("ne")
        if wanted is None and proper in _ADVANCED_NULL:
            self.advanced.append(f"{operator} null")
        get = _getter(proper, kind)
        if wanted is None and operator not in ("eq", "ne"):
            raise unsupported("Unsupported Query.")
        candidates = (
            ((proper, str(wanted)),) if operator == "eq" and proper in _INDEXED and wanted is not None else None
        )
        if variable is not None and operator == "eq":
            candidates = (("", str(wanted)),)
        return _Node(_compare(get, operator, wanted), 1, candidates)

    def one_of(self, proper: str, kind: str) -> _Node:
        self.expect("(")
        wanted = [self.fitting(kind, self.literal(), "in")]
        while self.peek() == ("mark", ","):
            self.take()
            wanted.append(self.fitting(kind, self.literal(), "in"))
        self.expect(")")
        get, values = _getter(proper, kind), frozenset(wanted)
        candidates = None
        if proper in _INDEXED and None not in values:
            candidates = tuple((proper, str(value)) for value in wanted)
        return _Node(lambda user: get(user) in values, len(wanted), candidates)

    def function(self, name: str, variable: str | None) -> _Node:
        operator = name.lower()
        self.expect("(")
        kind, argument = self.take()
        if kind != "name":
            raise self.fail()
        if operator == "contains":
            raise unsupported("Unsupported Query.")
        proper, kind = self.property(argument, operator, variable)
        self.expect(",")
        wanted = self.fitting(kind, self.literal(), operator)
        self.expect(")")
        if wanted is None:
            raise clause_error("null is not a text.")
        if operator == "endswith":
            self.advanced.append("endsWith")
        elif proper in _ADVANCED_STARTS:
            self.advanced.append("startsWith")
        outcome = True
        if self.word("eq"):
            literal = self.literal()
            if literal.kind != "bool":
                raise self.fail()
            outcome = literal.value
            if not outcome:
                self.advanced.append("not")
        get = _getter(proper, kind)
        if operator == "startswith":
            return _Node(lambda user: ((get(user) or "").startswith(wanted)) is outcome)
        return _Node(lambda user: ((get(user) or "").endswith(wanted)) is outcome)

    def any(self, name: str, outer: str | None) -> _Node:
        """`proxyAddresses/any(p:p eq '...')`"""
        if outer is not None:
            raise unsupported("Unsupported Query.")
        proper, _ignored = self.property(name, "any", None)
        self.expect("(")
        kind, variable = self.take()
        if kind != "name":
            raise self.fail()
        self.expect(":")
        node = self.either(variable)
        self.expect(")")
        test = node.test
        candidates = None
        if node.candidates is not None and proper == "proxyAddresses":
            candidates = tuple((proper, value) for _ignored, value in node.candidates)
        return _Node(lambda user: any(test({"": item}) for item in user.get(proper) or ()), node.clauses, candidates)

    def counted(self, name: str) -> _Node:
        """`assignedLicenses/$count ne 0`"""
        proper = self.by_lower.get(name.lower())
        if proper is None or self.known[proper][0] != "list":
            raise clause_error(f"Could not find a collection named '{name}' on type 'microsoft.graph.{self.kind}'.")
        self.properties.add(proper)
        self.advanced.append("$count")
        operator = self.word("eq", "ne", "ge", "le", "gt", "lt")
        if operator is None:
            self.take()
            raise self.fail()
        wanted = self.fitting("number", self.literal(), operator)
        return _Node(_compare(lambda user: len(user.get(proper) or ()), operator, wanted))


def _getter(proper: str, kind: str) -> Callable[[dict[str, Any]], Any]:
    if kind in ("str", "guid"):

        def lowered(user: dict[str, Any]) -> Any:
            value = user.get(proper)
            return value.lower() if isinstance(value, str) else None

        return lowered
    if kind == "time":

        def moment(user: dict[str, Any]) -> Any:
            value = user.get(proper)
            return datetime.fromisoformat(value) if value else None

        return moment
    return lambda user: user.get(proper)


def _compare(get: Callable[[dict[str, Any]], Any], operator: str, wanted: Any) -> Test:
    if operator == "eq":
        return lambda user: get(user) == wanted
    if operator == "ne":
        return lambda user: get(user) != wanted

    def ordered(user: dict[str, Any]) -> bool:
        value = get(user)
        if value is None:
            return False
        return bool(
            {"ge": value >= wanted, "le": value <= wanted, "gt": value > wanted, "lt": value < wanted}[operator]
        )

    return ordered
