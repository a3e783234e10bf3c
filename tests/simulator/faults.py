# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults on demand: which request meets them, and what they do to it.

    tenant.faults.add(Fault(method="PATCH", nth=2, status=429, headers={"Retry-After": "3"}))
    tenant.faults.add(Fault(cmdlet="Set-CASMailbox", close="after"))   # done, but nobody hears of it
    tenant.faults.limit_writes(10, per=2.0)

A rule that names neither a status nor a way of closing only disturbs the true answer (delay, drip, truncate ...).
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from .journal import Entry
from .wire import Answer, Call


@dataclass(slots=True)
class Fault:
    """A rule. Everything that is not given matches, or stays as it was."""

    # Which requests.
    listener: str | None = None
    method: str | None = None
    path: str | None = None
    cmdlet: str | None = None
    user: str | None = None
    app: str | None = None
    # True: only inner requests of a batch; False: only the others; "outer": only the batches themselves.
    batch: bool | str | None = None
    writes: bool | None = None
    # Of the matching requests only the n-th, or those from the first to the last number (from 1).
    nth: int | tuple[int, int] | None = None
    probability: float = 1.0
    seed: int = 0

    # What happens.
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    # The body is NUL bytes that say they are gzip (seen of Exchange).
    nul_gzip: bool = False
    # Let the tenant do it first, then lose the true answer.
    apply_first: bool = False
    # Close the connection instead of answering: "before" it was done, or "after".
    close: str | None = None
    # Send so many bytes of the body, then close; or so many bytes per second.
    truncate: int | None = None
    drip: float | None = None
    delay: float = 0.0
    # Of a batch: leave this answer out, or give it twice.
    drop: bool = False
    duplicate: bool = False
    name: str = ""

    seen: int = field(default=0, init=False)
    struck: int = field(default=0, init=False)
    _random: random.Random = field(init=False, repr=False)
    _path: re.Pattern[str] | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 (chance that can be repeated, not secrecy)
        self._path = re.compile(self.path, re.IGNORECASE) if self.path else None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Fault:
        known = {f.name for f in fields(cls) if f.init}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"a fault has no {', '.join(unknown)}")
        nth = values.get("nth")
        return cls(**{**values, "nth": tuple(nth) if isinstance(nth, list) else nth})

    def strikes(self, call: Call) -> bool:
        """Does it hit this request? Counts, so ask once."""
        if not self._matches(call):
            return False
        self.seen += 1
        first, last = self.nth if isinstance(self.nth, tuple) else (self.nth or 1, self.nth or self.seen)
        hit = first <= self.seen <= last and (self.probability >= 1 or self._random.random() < self.probability)
        self.struck += hit
        return hit

    def _matches(self, call: Call) -> bool:
        outer = _is_batch(call)
        place = {None: True, True: call.batch is not None, False: call.batch is None and not outer, "outer": outer}
        return (
            self.listener in (None, call.listener)
            and self.method in (None, call.method)
            and (self.cmdlet is None or self.cmdlet.lower() == (call.cmdlet or "").lower())
            and self.user in (None, call.user)
            and (self.app is None or (call.app is not None and self.app in (call.app.name, call.app.client_id)))
            and self.writes in (None, call.writes)
            and place[self.batch]
            and (
                self._path is None
                or self._path.search(call.target + ("?" + call.query if call.query else "")) is not None
            )
        )

    @property
    def replaces(self) -> bool:
        """Is there an answer of its own?"""
        return self.status is not None or self.close is not None or self.nul_gzip

    def answer(self, call: Call, serve: Callable[[Call], Answer]) -> Answer:
        """The answer this request gets."""
        own = self._own_answer(call)
        if not self.replaces or self.apply_first or self.close == "after":
            true = serve(call)
            if not self.replaces:
                true.headers = {**true.headers, **self.headers}
                own = true
        own.delay += self.delay
        own.close = self.close is not None
        own.truncate = self.truncate
        own.drip = self.drip
        call.note["drop"] = self.drop
        call.note["duplicate"] = self.duplicate
        return own

    def _own_answer(self, call: Call) -> Answer:
        answer = Answer(self.status or 503, headers={"Content-Type": "application/json", **self.headers})
        if self.nul_gzip:
            answer.status = self.status or 403
            answer.raw = bytes(32)
            answer.headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", **self.headers}
        elif isinstance(self.body, bytes | str):
            answer.raw = self.body.encode() if isinstance(self.body, str) else self.body
            answer.headers.setdefault("Content-Type", "text/html")
            if "Content-Type" not in self.headers and answer.raw.lstrip().startswith(b"<"):
                answer.headers["Content-Type"] = "text/html; charset=utf-8"
        elif self.body is not None:
            answer.body = self.body
        elif answer.status >= 400:
            answer.body = _usual(answer.status, call)
        return answer


def _is_batch(call: Call) -> bool:
    return call.batch is None and call.target.lower().endswith("/$batch")


# Outlook's own words (reports of throttled mailboxes); what is behind a mailbox's folders is Outlook.
_OUTLOOK = {
    403: ("ErrorAccessDenied", "Access is denied. Check credentials and try again."),
    429: ("ApplicationThrottled", "Application is over its MailboxConcurrency limit."),
}


def _usual(status: int, call: Call) -> dict[str, Any]:
    """Microsoft's usual words for this status (Graph docs, errors and throttling)."""
    outlook = call.listener == "graph" and "/mailfolders" in call.target.lower()
    code, message = {
        401: ("InvalidAuthenticationToken", "Access token has expired or is not yet valid."),
        403: ("Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
        409: (
            "Directory_ConcurrencyViolation",
            "Error due to concurrent requests being made to the tenant. Please wait briefly and retry.",
        ),
        424: ("FailedDependency", "The request failed because a request it depends on failed."),
        429: ("TooManyRequests", "Please retry again later."),
        503: ("serviceNotAvailable", "The service is temporarily unavailable. Please try again later."),
        504: ("GatewayTimeout", ""),
        **(_OUTLOOK if outlook else {}),
    }.get(status, ("UnknownError", ""))
    inner = {"date": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())}
    return {"error": {"code": code, "message": message, "innerError": inner}}


@dataclass(slots=True)
class _Bucket:
    """So many writes per app and listener in a sliding window (Graph docs, throttling-limits)."""

    limit: int
    per: float
    retry_after: str | None
    sent: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def refuses(self, call: Call) -> Answer | None:
        now = time.monotonic()
        times = self.sent.setdefault((call.listener, call.app.client_id if call.app else ""), [])
        times[:] = [moment for moment in times if moment > now - self.per]
        if len(times) < self.limit:
            times.append(now)
            return None
        wait = self.retry_after if self.retry_after is not None else str(int(times[0] + self.per - now) + 1)
        return Answer(429, _usual(429, call), {"Content-Type": "application/json", "Retry-After": wait})


class Faults:
    """All rules of the tenant, the write quota, and the watch over closed windows."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []
        self._bucket: _Bucket | None = None
        # (app, listener, kind of request) -> when it was closed, and until when.
        self._closed: dict[tuple[str, str, str], tuple[float, float]] = {}
        self._lock = threading.RLock()

    def add(self, *rules: Fault) -> Fault:
        """Add rules; the first that strikes wins. Returns the last one, whose `struck` counts."""
        with self._lock:
            self.rules = [*self.rules, *rules]
        return rules[-1]

    def clear(self) -> None:
        with self._lock:
            self.rules = []
            self._bucket = None
            self._closed.clear()

    def limit_writes(self, limit: int, per: float, retry_after: str | None = None) -> None:
        """Allow so many writes per app and listener in `per` seconds; the rest gets 429 with Retry-After."""
        self._bucket = _Bucket(limit, per, retry_after)

    def serve(self, call: Call, entry: Entry, serve: Callable[[Call], Answer]) -> Answer:
        """Let a request through to the service, or not."""
        if not self.rules and self._bucket is None and not self._closed:
            return serve(call)
        with self._lock:
            self._watch(call, entry)
            rule = next((rule for rule in self.rules if rule.strikes(call)), None)
            if rule is not None:
                entry.fault = rule.name or "fault"
                answer = rule.answer(call, serve)
            else:
                refusal = self._bucket.refuses(call) if self._bucket and call.writes else None
                answer = refusal or serve(call)
            self._note_closing(call, answer)
            return answer

    def _window(self, call: Call) -> tuple[str, str, str]:
        """Reads, writes and batches are throttled each for themselves; what is in a batch counts as read or write."""
        kind = "batch" if _is_batch(call) else "write" if call.writes else "read"
        return (call.app.client_id if call.app else "", call.listener, kind)

    def _watch(self, call: Call, entry: Entry) -> None:
        closed = self._closed.get(self._window(call))
        if closed is None:
            return
        since, until = closed
        now = time.monotonic()
        if now < until:
            entry.early = until - now
            entry.closed_since = now - since
        else:
            del self._closed[self._window(call)]

    def _note_closing(self, call: Call, answer: Answer) -> None:
        wait = _seconds(answer.headers.get("Retry-After", ""))
        if answer.status in (429, 503) and wait:
            now = time.monotonic()
            since, until = self._closed.get(self._window(call), (now, 0.0))
            self._closed[self._window(call)] = (since, max(until, now + wait))


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 < value < 1e6 else 0.0
