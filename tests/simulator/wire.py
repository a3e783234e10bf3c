# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One request and one answer, as every service of the simulator sees them.

The services never meet ASGI: the server turns a request into a `Call`, a batch turns each of its inner requests
into one, and both get an `Answer` back.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .apps import App

_NOTHING = object()


class UnreadableBody(ValueError):
    """The body is empty, or not JSON."""


@dataclass(slots=True)
class Call:
    """A request. `target` is the path as sent (percent-encoded), `headers` have lower-case names."""

    listener: str
    method: str
    target: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    origin: str = ""
    batch: str | None = None
    parsed: Any = _NOTHING
    app: App | None = None
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    # What `describe` of the service found out before the request was served, for the journal and the faults.
    cmdlet: str | None = None
    identity: str | None = None
    user: str | None = None
    writes: bool = False
    applied: bool = False
    note: dict[str, Any] = field(default_factory=dict)

    @property
    def client_request_id(self) -> str:
        """The caller's own id, or ours where it sent none (Graph docs, errors)."""
        return self.headers.get("client-request-id") or self.request_id

    @property
    def has_body(self) -> bool:
        return self.parsed is not _NOTHING or bool(self.body.strip())

    def json(self) -> Any:
        """The body as JSON; read once."""
        if self.parsed is _NOTHING:
            try:
                self.parsed = json.loads(self.body, parse_constant=_no_constant)
            except (ValueError, RecursionError) as error:
                raise UnreadableBody(str(error)) from error
        return self.parsed


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


@dataclass(slots=True)
class Answer:
    """A response: `body` is JSON, `raw` is bytes sent as they are; neither means an empty one.

    The last four are what an injected fault does to it on its way out.
    """

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    delay: float = 0.0
    close: bool = False
    truncate: int | None = None
    drip: float | None = None

    def content(self) -> bytes:
        if self.raw is not None:
            return self.raw
        if self.body is None:
            return b""
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
