# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Graph request, read: where it goes, what it asks, and the usual ways to answer it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from . import odata_filter
from .apps import App
from .graph_errors import GraphError, bad, unsupported
from .odata import Options, Segment, options
from .permissions import require
from .wire import Answer, Call, UnreadableBody

if TYPE_CHECKING:
    from .directory import Directory, User

Item = TypeVar("Item")


@dataclass(slots=True)
class Request:
    """`path` begins behind the version."""

    call: Call
    path: tuple[Segment, ...]
    options: Options
    app: App

    # Is it a request for Outlook, which has rules of its own?
    outlook: bool = False

    @classmethod
    def of(cls, call: Call, path: tuple[Segment, ...], app: App, token_life: float = 0.0) -> Request:
        outlook = any(segment.lower == "mailfolders" for segment in path)
        given = options(call.query, dict(call.headers), skips=outlook)
        given.check_token(call.target, token_life)
        return cls(call, path, given, app, outlook)

    @property
    def base(self) -> str:
        return f"{self.call.origin}/v1.0"

    @property
    def parenthesised(self) -> bool:
        return self.path[0].key is not None

    @property
    def alternate(self) -> str | None:
        """The name of the key, in lower case, where it is not the id: `directoryRoles(roleTemplateId='...')`."""
        name = self.path[0].key_name
        return name.lower() if name and name.lower() != "id" else None

    def no_alternate(self, *allowed: str) -> None:
        """Refuse other alternate keys than these."""
        if self.alternate not in (None, *allowed):
            raise bad(f"The key '{self.path[0].key_name}' is no key of '{self.path[0].name}'.", "BadRequest")

    def keyed(self) -> tuple[str | None, tuple[Segment, ...]]:
        """The key of the first segment, in either form, and the segments behind it."""
        if self.path[0].key is not None:
            return self.path[0].key, self.path[1:]
        if len(self.path) == 1:
            return None, ()
        return self.path[1].name, self.path[2:]

    def require(self, operation: str) -> None:
        require(self.app.graph, operation)

    # Bodies ------------------------------------------------------------------------------------------------------

    def body(self, *, optional: bool = False) -> dict[str, Any]:
        """The JSON object sent along (texts: microsoft-graph-docs issues 6215 and 6259)."""
        if not self.call.has_body:
            if optional:
                return {}
            if "content-type" not in self.call.headers:
                raise bad(
                    "Write requests (excluding DELETE) must contain the Content-Type header declaration.", "BadRequest"
                )
            raise bad("Empty Payload. JSON content expected.", "BadRequest")
        kind = self.call.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not kind:
            raise bad(
                "Write requests (excluding DELETE) must contain the Content-Type header declaration.", "BadRequest"
            )
        if kind != "application/json":
            raise GraphError(
                415,
                "BadRequest",
                f"A supported MIME type could not be found that matches the content type '{kind[:80]}'.",
            )
        try:
            body = self.call.json()
        except UnreadableBody:
            raise bad(
                "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON "
                "format.",
                "BadRequest",
            ) from None
        if not isinstance(body, dict):
            raise bad("A node of type other than 'StartObject' was found when reading the payload.", "RequestBodyRead")
        return body

    # Answers -----------------------------------------------------------------------------------------------------

    def entity(self, context: str, value: dict[str, Any], status: int = 200) -> Answer:
        return Answer(status, {"@odata.context": f"{self.base}/$metadata#{context}", **value})

    def page(self, context: str, items: list[dict[str, Any]], page_size: int) -> Answer:
        """One page of a collection; `items` is everything."""
        return self.pages(context, items, page_size, lambda item: item)

    def pages(self, context: str, items: list[Item], page_size: int, show: Callable[[Item], dict[str, Any]]) -> Answer:
        """The same, where only the page that is asked for is worth showing."""
        size = self.options.top or page_size
        start = self.options.offset
        body: dict[str, Any] = {"@odata.context": f"{self.base}/$metadata#{context}"}
        if self.options.consistent:
            body["@odata.count"] = len(items)
        if start + size < len(items):
            rest = self.options.next_query(start + size, self.call.target, skip=self.outlook)
            body["@odata.nextLink"] = f"{self.call.origin}{self.call.target}?{rest}"
        body["value"] = [show(item) for item in items[start : start + size]]
        return Answer(200, body)

    def refuse(self, *names: str) -> None:
        """Refuse query options that this resource does not take."""
        for name in names:
            if name in self.options.given:
                raise unsupported(f"The query option '{name}' is not supported for this resource.")


def number(value: int) -> Answer:
    """A bare number, as `/$count` answers."""
    return Answer(200, raw=str(value).encode(), headers={"Content-Type": "text/plain; charset=utf-8"})


def candidates(directory: Directory, pairs: Iterable[tuple[str, str]]) -> list[User]:
    """The users that have one of these values."""
    found: dict[str, User] = {}
    for name, value in pairs:
        if name == "id":
            user = directory.users.get(value)
            if user is not None:
                found[user.id] = user
        else:
            found.update({user.id: user for user in directory.indexed(name, value)})
    return list(found.values())


def single_user(directory: Directory, query: str) -> User | None:
    """The one user a `$filter` names, if it names exactly one by an identifying property."""
    try:
        text = options(query, {}).filter
        parsed = odata_filter.parse(text) if text else None
    except GraphError:
        return None
    if parsed is None or parsed.candidates is None:
        return None
    found = candidates(directory, parsed.candidates)
    return found[0] if len(found) == 1 else None
