# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The wire: what must be sent, in which order, and what comes back. Everything else that is sent fails the test."""

from __future__ import annotations

import dataclasses
import io
import json
import random
import threading
import urllib.parse
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import requests
import urllib3

from .clock import SimulatedClock
from .entra import FakeEntra

GRAPH = "graph.microsoft.com"
EXCHANGE = "outlook.office365.com"
_BATCH_LIMITS = {GRAPH: 20, EXCHANGE: 10}


@dataclasses.dataclass(frozen=True)
class Reply:
    """An answer, or what happens instead.

    ``copies`` is how often it is found in a batch: 0 for an answer that is missing. ``takes`` lets time pass before
    it comes. ``raises`` is raised instead of answering, as requests does it.
    """

    status: int = 200
    json: Any = None
    body: bytes | io.RawIOBase | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    raises: Exception | None = None
    copies: int = 1
    takes: float = 0.0


# What distinguishes a person from a namesake: properties of a user, and the user above.
PERSON = ("createdDateTime", "userType", "department", "jobTitle", "employeeHireDate")
MANAGER = ("$expand", "manager($select=id,displayName,userPrincipalName)")


@dataclasses.dataclass(frozen=True)
class Sent:
    """A call that was made, alone or in a batch."""

    method: str
    host: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    at: float
    batched: bool = False

    @property
    def cmdlet(self) -> str | None:
        return self.body["CmdletInput"]["CmdletName"] if self.path.endswith("/InvokeCommand") else None

    @property
    def writes(self) -> bool:
        return self.method != "GET" and not (self.cmdlet or "").startswith("Get-")

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    def __str__(self) -> str:
        query = "&".join(f"{name}={value}" for name, value in self.query.items())
        where = f"{self.host}{self.path}{'?' if query else ''}{query}"
        return f"{self.method} {where} {json.dumps(self.body, default=str) if self.body is not None else ''}".strip()


@dataclasses.dataclass(frozen=True)
class Turn:
    """A call that must be made, and its answer. Of ``headers``, those named must be there."""

    method: str
    host: str
    path: str
    query: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    reply: Reply = dataclasses.field(default_factory=Reply)

    def but(self, reply: Reply) -> Turn:
        """Return the same call with another answer."""
        return dataclasses.replace(self, reply=reply)

    def matches(self, sent: Sent) -> bool:
        """A turn that asks for none of it also matches a call that asks for the user's identity."""
        return (
            (self.method, self.host, self.path, self.body) == (sent.method, sent.host, sent.path, sent.body)
            and self.query in (sent.query, _without_person(sent.query))
            and all(sent.headers.get(name.lower()) == value for name, value in self.headers.items())
        )

    def __str__(self) -> str:
        return str(Sent(self.method, self.host, self.path, self.query, {}, self.body, 0.0))


@dataclasses.dataclass(frozen=True)
class Outer:
    """An HTTP request as it left requests."""

    request: requests.PreparedRequest
    verify: Any
    proxies: Mapping[str, str]
    timeout: Any
    at: float

    @property
    def host(self) -> str:
        return urllib.parse.urlsplit(self.request.url or "").hostname or ""


@dataclasses.dataclass
class _Step:
    open: list[Turn]
    whole: Reply | None


class Wire(requests.adapters.BaseAdapter):
    """Where sessions send their requests: Entra answers by itself, the services as the script says."""

    def __init__(self, clock: SimulatedClock, entra: FakeEntra) -> None:
        super().__init__()
        self.outer: list[Outer] = []
        self.sent: list[Sent] = []
        self.faults: list[str] = []
        # Whether Exchange reports the status of a cmdlet inside a batch; clients have seen it leave that out.
        self.statuses_in_batches = False
        self._clock = clock
        self._entra = entra
        self._steps: list[_Step] = []
        self._lock = threading.Condition()
        self._shuffle = random.Random(365).shuffle

    # --- the script ---

    def expect(self, *turns: Turn, whole: Reply | None = None) -> None:
        """Calls that come next, in any order and batched in any way; after them what the next ``expect`` says.

        ``whole`` is the answer to each request that carries them, whatever the calls' own answers are.
        """
        self._steps.append(_Step(list(turns), whole))

    def expect_each(self, *turns: Turn) -> None:
        """Calls that come next, one request after the other."""
        for turn in turns:
            self.expect(turn)

    def verify(self) -> None:
        """Fail unless exactly what the script says was sent."""
        missing = [f"never sent: {turn}" for step in self._steps for turn in step.open]
        complaints = "\n".join([*self.faults, *missing])
        self.faults, self._steps = [], []
        if complaints:
            raise AssertionError(complaints)

    @property
    def writes(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.writes]

    def to(self, host: str) -> list[Outer]:
        return [outer for outer in self.outer if outer.host == host]

    # --- what requests calls ---

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        with self._lock:
            outer = Outer(request, verify, dict(proxies or {}), timeout, self._clock.monotonic())
            self.outer.append(outer)
            reply = self._entra.answer(request) if self._entra.matches(request) else self._play(outer)
            self._lock.notify_all()
            self._clock.pass_by(reply.takes)
            if reply.raises:
                raise reply.raises
            return self._response(request, reply)

    def close(self) -> None:
        pass

    # --- how it is done ---

    def _play(self, outer: Outer) -> Reply:
        calls = self._calls(outer)
        self.sent += calls
        step = next((step for step in self._steps if step.open), _Step([], None))
        found = []
        for call in calls:
            turn = next((turn for turn in step.open if turn.matches(call)), None)
            if turn is None:
                self._fault(call, step)
            step.open.remove(turn)
            found.append(turn)
            self._check_token(call)
        if any(turn.reply.status == 429 for turn in found):
            self._let_others_ask(step, outer.host)
        if step.whole:
            return step.whole
        if not calls[0].batched:
            return found[0].reply
        return self._batch_answer(outer, [turn.reply for turn in found])

    def _let_others_ask(self, step: _Step, host: str) -> None:
        """Wait until the other service was asked what it is asked at the same time, by a thread that may be slow.

        A throttled thread sleeps next, and a sleep takes no real time: that thread would ask later than it does.
        """
        self._lock.wait_for(lambda: all(turn.host == host for turn in step.open), timeout=10)

    def _fault(self, call: Sent, step: _Step) -> None:
        wanted = "\n  ".join(map(str, step.open)) or "nothing more"
        self.faults.append(f"sent: {call}\nexpected:\n  {wanted}")
        raise AssertionError(self.faults[-1])

    def _check_token(self, call: Sent) -> None:
        if call.token not in self._entra.issued(f"https://{call.host}"):
            self.faults.append(f"{call} bears no token for {call.host}")

    def _calls(self, outer: Outer) -> list[Sent]:
        request = outer.request
        address = urllib.parse.urlsplit(request.url or "")
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = json.loads(request.body) if request.body else None
        if body is not None and headers.get("content-type") != "application/json":
            self.faults.append(f"{address.path}: a body without its content type")
        for name in ("client-request-id", "accept", "user-agent"):
            if not headers.get(name):
                self.faults.append(f"{address.path}: no header {name}")
        if not address.path.endswith("/$batch"):
            return [_sent(request.method or "", request.url or "", headers, body, outer.at)]
        inner = body["requests"]
        if not 2 <= len(inner) <= _BATCH_LIMITS[outer.host]:
            self.faults.append(f"{len(inner)} calls in one batch to {outer.host}")
        if len({one["id"] for one in inner}) != len(inner):
            self.faults.append("two calls of a batch have the same id")
        root = request.url.rsplit("/$batch", 1)[0]
        return [self._inner(one, root, headers, outer.at) for one in inner]

    def _inner(self, one: Mapping[str, Any], root: str, outer: Mapping[str, str], at: float) -> Sent:
        headers = {name.lower(): value for name, value in one.get("headers", {}).items()}
        if "body" in one and headers.get("content-type") != "application/json":
            self.faults.append(f"{one['url']}: a body without its content type, inside a batch")
        # Exchange judges each call by its own header, Graph all by that of the batch.
        authorization = {"authorization": headers.get("authorization") or outer.get("authorization", "")}
        url = one["url"] if one["url"].startswith("https:") else root + one["url"]
        if _is_exchange(root) and "authorization" not in headers:
            self.faults.append(f"{url}: no authorization inside a batch to Exchange")
        return _sent(one["method"], url, {**headers, **authorization}, one.get("body"), at, batched=True)

    def _batch_answer(self, outer: Outer, replies: Sequence[Reply]) -> Reply:
        identities = [one["id"] for one in json.loads(outer.request.body or b"")["requests"]]
        answers = []
        for identity, reply in zip(identities, replies, strict=True):
            answer = {"id": identity, "body": reply.json}
            if self.statuses_in_batches or not _is_exchange(outer.request.url or "") or not _is_of_cmdlet(reply):
                answer.update(status=reply.status, headers=dict(reply.headers))
            answers += [answer] * reply.copies
        self._shuffle(answers)
        return Reply(200, {"responses": answers})

    def _response(self, request: requests.PreparedRequest, reply: Reply) -> requests.Response:
        headers = {"Date": self._clock.http_date(), "request-id": str(uuid.UUID(int=len(self.outer))), **reply.headers}
        if reply.json is not None:
            body: Any = io.BytesIO(json.dumps(reply.json).encode())
            headers.setdefault("Content-Type", "application/json")
        else:
            body = reply.body if isinstance(reply.body, io.RawIOBase) else io.BytesIO(reply.body or b"")
        raw = urllib3.HTTPResponse(
            body, headers, reply.status, preload_content=False, decode_content=False, request_method=request.method
        )
        return requests.adapters.HTTPAdapter().build_response(request, raw)


def _without_person(query: Mapping[str, str]) -> dict[str, str]:
    """The query without what distinguishes a person from a namesake; the turns called ``meet`` ask for that as well."""
    names = [name for name in query.get("$select", "").split(",") if name not in PERSON]
    plain = {**query, "$select": ",".join(names)} if "$select" in query else dict(query)
    return {name: value for name, value in plain.items() if (name, value) != MANAGER}


def _is_exchange(url: str) -> bool:
    return "/adminapi/" in url


def _is_of_cmdlet(reply: Reply) -> bool:
    """Tell whether a cmdlet answered, well or not, and not the gateway in front of it."""
    return reply.status < 400 or (isinstance(reply.json, dict) and "details" in reply.json.get("error", {}))


def _sent(method: str, url: str, headers: Mapping[str, str], body: Any, at: float, *, batched: bool = False) -> Sent:
    address = urllib.parse.urlsplit(url)
    query = dict(urllib.parse.parse_qsl(address.query, keep_blank_values=True, strict_parsing=bool(address.query)))
    path = urllib.parse.unquote(address.path)
    return Sent(method, address.hostname or "", path, query, headers, body, at, batched)
