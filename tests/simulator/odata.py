# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses and query options of OData, as Graph reads them (Graph docs, query-parameters; OData 4.01 URL conventions)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import time
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote, unquote, unquote_plus

from .graph_errors import GraphError, bad, no_segment, unsupported

_KEYED = re.compile(r"([A-Za-z][\w.]*)\((.*)\)", re.DOTALL)
_KNOWN = ("$select", "$filter", "$top", "$count", "$search", "$orderby", "$expand", "$skiptoken", "$skip", "$format")


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a path, with the key that may follow it in parentheses: `('x')`, or by its name `(appId='x')`."""

    name: str
    key: str | None = None
    key_name: str | None = None

    @property
    def lower(self) -> str:
        return self.name.lower()


@lru_cache(maxsize=4096)
def segments(target: str) -> tuple[Segment, ...]:
    """Split a path as sent; empty segments do not count (msgraph-sdk sends `/v1.0//users`)."""
    return tuple(_segment(part) for part in target.split("/") if part)


def _segment(part: str) -> Segment:
    try:
        text = unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise bad("The request URI is not valid.", "BadRequest") from None
    match = _KEYED.fullmatch(text)
    if match is None or not match[2]:
        return Segment(text)
    key_name, equals, key = match[2].partition("=")
    if not equals or not key_name.isidentifier():
        key_name, key = "", match[2]
    if key.startswith("'"):
        body = key[1:-1]
        if len(key) < 2 or not key.endswith("'") or "'" in body.replace("''", ""):
            raise bad("There is an unterminated literal or an unescaped quote in the key.", "BadRequest")
        return Segment(match[1], body.replace("''", "'"), key_name or None)
    raise bad(f"The key '{key[:80]}' is not a quoted text.", "BadRequest")


@dataclass(slots=True)
class Options:
    """The query options of one request."""

    select: tuple[str, ...] = ()
    filter: str | None = None
    top: int | None = None
    count: bool = False
    search: str | None = None
    orderby: str | None = None
    expand: tuple[str, ...] = ()
    # The options in brackets behind a name of $expand, by that name in lower case.
    nested: dict[str, str] = field(default_factory=dict)
    offset: int = 0
    # What the page token was issued for, and when.
    bound: str = ""
    issued: float = 0.0
    advanced: bool = False
    given: dict[str, str] = field(default_factory=dict)

    @property
    def consistent(self) -> bool:
        """Are the two advanced query parameters there? (Graph docs, aad-advanced-queries)"""
        return self.advanced and self.count

    def binding(self, target: str) -> str:
        """The query that a page token belongs to: only with it, it is good."""
        others = sorted((name, value) for name, value in self.given.items() if name not in ("$skiptoken", "$skip"))
        path = "/".join(part for part in unquote(target).lower().split("/") if part)
        return hashlib.sha256(repr((path, others)).encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def check_token(self, target: str, life: float) -> None:
        """Refuse a page token of another query, or one too old (reports of Directory_ExpiredPageToken)."""
        if self.bound and (self.bound != self.binding(target) or (life and time.time() > self.issued + life)):
            raise expired()

    def next_query(self, offset: int, target: str, *, skip: bool = False) -> str:
        """The query of the next page; Outlook counts with `$skip` where others have a token."""
        pairs = [
            f"{name}={quote(value, safe=chr(36) + '(),:')}"
            for name, value in self.given.items()
            if name not in ("$skiptoken", "$skip")
        ]
        last = f"$skip={offset}" if skip else f"$skiptoken={_token(offset, self.binding(target))}"
        return "&".join([*pairs, last])


def expired() -> GraphError:
    return GraphError(
        400,
        "Directory_ExpiredPageToken",
        "The specified page token value has expired and can no longer be included in your request.",
    )


def _token(offset: int, binding: str) -> str:
    text = f"page:{offset}:{time.time():.3f}:{binding}"
    return "RFNwdAIAAQ" + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _page(token: str) -> tuple[int, float, str]:
    try:
        text = base64.urlsafe_b64decode(token.removeprefix("RFNwdAIAAQ") + "==").decode()
    except (binascii.Error, ValueError):
        text = ""
    match = re.fullmatch(r"page:([0-9]{1,9}):([0-9]{1,12}\.[0-9]{3}):([0-9a-f]{16})", text)
    if match is None:
        raise expired()
    return int(match[1]), float(match[2]), match[3]


def options(query: str, headers: dict[str, str], *, page_limit: int = 999, skips: bool = False) -> Options:
    """Read the query string; names without a dollar sign are somebody's own and ignored."""
    result = Options(advanced=headers.get("consistencylevel", "").strip().lower() == "eventual")
    if not query:
        return result
    for pair in query.split("&"):
        name, _ignored, value = pair.partition("=")
        name = unquote_plus(name).lower()
        if not name.startswith("$"):
            continue
        if name not in _KNOWN:
            raise bad(f"The query parameter '{name}' is not supported.", "BadRequest")
        if name in result.given:
            raise bad(
                f"Query option '{name}' was specified more than once, but it must be specified at most once.",
                "BadRequest",
            )
        result.given[name] = unquote_plus(value, errors="replace")
    given = result.given
    if "$skip" in given:
        if not skips:
            raise bad("'$skip' is not supported by the service.")
        if not re.fullmatch(r"[0-9]{1,9}", given["$skip"]):
            raise bad(f"Invalid value '{given['$skip']}' for $skip query option found.", "BadRequest")
        result.offset = int(given["$skip"])
    result.select = _names(given.get("$select"))
    result.expand, result.nested = _expansions(given.get("$expand"))
    result.filter = given.get("$filter")
    result.search = given.get("$search")
    result.orderby = given.get("$orderby")
    if "$count" in given:
        if given["$count"].lower() not in ("true", "false"):
            raise bad(f"Invalid value '{given['$count']}' for $count query option found.", "BadRequest")
        result.count = given["$count"].lower() == "true"
    if "$top" in given:
        if not re.fullmatch(r"[0-9]{1,9}", given["$top"]):
            raise bad(f"Invalid value '{given['$top']}' for $top query option found.", "BadRequest")
        result.top = int(given["$top"])
        if not 1 <= result.top <= page_limit:
            raise unsupported(
                f"Invalid page size specified: '{result.top}'. Must be between 1 and {page_limit} inclusive."
            )
    if "$skiptoken" in given:
        result.offset, result.issued, result.bound = _page(given["$skiptoken"])
    return result


def _names(value: str | None) -> tuple[str, ...]:
    if value is None:
        return ()
    names = tuple(name.strip() for name in value.split(","))
    if not all(names):
        raise bad("Parsing OData Select and Expand failed: an empty name was found.", "BadRequest")
    return names


def _expansions(value: str | None) -> tuple[tuple[str, ...], dict[str, str]]:
    """`memberOf,manager($select=id,displayName)`: the names, and what stands in brackets behind them."""
    nested = {match[1].strip().lower(): match[2] for match in re.finditer(r"([^,()]+)\(([^()]*)\)", value or "")}
    return _names(None if value is None else re.sub(r"\([^()]*\)", "", value)), nested


def selected(names: tuple[str, ...], known: dict[str, str], kind: str) -> tuple[str, ...]:
    """The requested properties, in their own spelling; `known` has lower-case keys."""
    result: dict[str, None] = {}
    for name in names:
        proper = known.get(name.lower())
        if proper is None:
            raise bad(
                f"Parsing OData Select and Expand failed: Could not find a property named '{name}' on type "
                f"'microsoft.graph.{kind}'.",
                "BadRequest",
            )
        result[proper] = None
    return tuple(result)


__all__ = ["Options", "Segment", "no_segment", "options", "segments", "selected"]
