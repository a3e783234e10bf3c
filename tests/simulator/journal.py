# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was asked of the tenant, in order: the outer requests, and each inner request of a batch.

No secret gets in: passwords appear as their SHA-256, headers not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, overload
from urllib.parse import unquote

from .wire import Answer, Call, UnreadableBody

MASK = "********"
_SECRET = re.compile(r"password$|secret|assertion|^authorization$|^access_token$", re.IGNORECASE)
# So many characters of a body are kept; nobody needs more, and a junk body may be big.
_LONG = 4096


@dataclass(slots=True)
class Entry:
    """One request. `status` is 0 where the connection was closed without an answer."""

    sequence: int
    time: float
    listener: str
    method: str
    path: str
    query: str
    cmdlet: str | None = None
    # The user that a cmdlet is about, or the scope of a request for a token.
    identity: str | None = None
    writes: bool = False
    # Whether the tenant's state was really changed: with an injected fault, this and `status` may differ.
    applied: bool = False
    status: int = 0
    user: str | None = None
    app: str | None = None
    batch: str | None = None
    request_id: str = ""
    client_request_id: str | None = None
    body: Any = None
    password_sha256: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    # Seconds it came too early, where a Retry-After had closed the door, and how long after that answer.
    early: float | None = None
    closed_since: float | None = None
    fault: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


# Headers worth keeping, none of which carries a secret.
_KEPT = (
    "content-type",
    "consistencylevel",
    "prefer",
    "user-agent",
    "x-anchormailbox",
    "x-cmdletname",
    "accept",
    "connection-id",
)


class Journal(Sequence[Entry]):
    """A list of entries with filters."""

    def __init__(self, path: Path | None = None) -> None:
        self._entries: list[Entry] = []
        self._sequence = 0
        self._lock = threading.Lock()
        self._file: IO[str] | None = None
        if path is not None:
            # Names of people are in it, so it is nobody else's to read.
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            self._file = os.fdopen(handle, "a", encoding="utf-8", buffering=1)

    @overload
    def __getitem__(self, index: int) -> Entry:
        pass

    @overload
    def __getitem__(self, index: slice) -> list[Entry]:
        pass

    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries))

    def __repr__(self) -> str:
        return "\n".join(
            f"{e.sequence} {e.listener} {e.method} {e.cmdlet or e.path} {e.identity or e.query} -> {e.status}"
            for e in self
        )

    # Filters ---------------------------------------------------------------------------------------------------

    def where(self, test: Callable[[Entry], bool]) -> list[Entry]:
        return [entry for entry in self if test(entry)]

    def writes(self) -> list[Entry]:
        """Requests that would change state, whatever became of them."""
        return self.where(lambda entry: entry.writes)

    def applied(self) -> list[Entry]:
        """Requests that did change state, whatever the client was answered."""
        return self.where(lambda entry: entry.applied)

    def reads(self) -> list[Entry]:
        """Graph and Exchange requests that change nothing; outer batches excluded."""
        return self.where(
            lambda entry: not entry.writes and entry.listener != "entra" and not entry.path.endswith("/$batch")
        )

    def for_user(self, identifier: str) -> list[Entry]:
        return self.where(lambda entry: entry.user == identifier)

    def of(self, listener: str) -> list[Entry]:
        return self.where(lambda entry: entry.listener == listener)

    def singles(self) -> list[Entry]:
        """What really travelled: requests outside of batches, and the batches themselves."""
        return self.where(lambda entry: entry.batch is None)

    def violations(self, tolerance: float = 0.0) -> list[Entry]:
        """Requests sent although a Retry-After had not run out, more than `tolerance` seconds after they could know."""
        return self.where(lambda e: e.early is not None and e.closed_since is not None and e.closed_since > tolerance)

    # Writing ---------------------------------------------------------------------------------------------------

    def open(self, call: Call) -> Entry:
        """Note that a request has come; it counts from here on."""
        with self._lock:
            self._sequence += 1
            entry = Entry(
                sequence=self._sequence,
                time=time.time(),
                listener=call.listener,
                method=call.method,
                path=unquote(call.target, errors="replace"),
                query=unquote(call.query.replace("+", " "), errors="replace"),
                cmdlet=call.cmdlet,
                identity=call.identity,
                writes=call.writes,
                user=call.user,
                batch=call.batch,
                request_id=call.request_id,
                client_request_id=call.headers.get("client-request-id"),
                headers={name: call.headers[name] for name in _KEPT if name in call.headers},
            )
            self._entries.append(entry)
        if call.has_body and call.listener != "entra" and not entry.path.endswith("$batch"):
            entry.body, entry.password_sha256 = _masked(call)
        return entry

    def close(self, entry: Entry, call: Call, answer: Answer) -> None:
        """Note what became of it."""
        entry.status = 0 if answer.close else answer.status
        entry.applied = call.applied
        entry.user = call.user
        entry.identity = call.identity
        entry.app = call.app.client_id if call.app else None
        if self._file is not None:
            self._file.write(json.dumps(entry.as_dict(), ensure_ascii=False) + "\n")

    def clear(self) -> None:
        with self._lock:
            self._entries = []

    def end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _masked(call: Call) -> tuple[Any, str | None]:
    if len(call.body) > _LONG:
        return f"({len(call.body)} bytes)", None
    try:
        body = call.json()
    except UnreadableBody:
        return f"({len(call.body)} bytes that are not JSON)", None
    digests: list[str] = []
    return _mask(body, digests), digests[0] if digests else None


def _mask(value: Any, digests: list[str]) -> Any:
    if isinstance(value, dict):
        result = {}
        for name, item in value.items():
            if isinstance(item, str) and _SECRET.search(name):
                digests.append(hashlib.sha256(item.encode("utf-8", "surrogatepass")).hexdigest())
                item = MASK
            result[name] = _mask(item, digests)
        return result
    if isinstance(value, list):
        return [_mask(item, digests) for item in value]
    return value
