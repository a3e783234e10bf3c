# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`$batch` of the Exchange admin interface, as CIPP uses it (New-ExoBulkRequest)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .exchange_errors import BareRefusal, bad_request
from .graph_batch import shuffle
from .wire import Answer, Call, UnreadableBody

if TYPE_CHECKING:
    from .directory import Directory


class ExchangeBatch:
    """Several commands in one request; every one brings its own token."""

    def __init__(
        self, directory: Directory, serve: Callable[[Call], Answer], is_here: Callable[[str], str | None]
    ) -> None:
        self.directory = directory
        self.serve = serve
        self.is_here = is_here
        self.count = 0

    def answer(self, call: Call) -> Answer:
        if self.directory.exchange_batch_refusal:
            raise BareRefusal(self.directory.exchange_batch_refusal)
        requests = self._checked(call)
        batch = str(uuid.uuid4())
        responses: list[dict[str, Any]] = []
        delay = 0.0
        for request in requests:
            inner = self._inner(call, request, batch)
            answer = self.serve(inner)
            # One after the other: a batch takes as long as all of its commands.
            delay += answer.delay
            if inner.note.get("drop"):
                continue
            response = self._response(request["id"], answer)
            responses.append(response)
            if inner.note.get("duplicate"):
                responses.append(response)
        shuffle(responses, self.directory.batch_seed + self.count)
        self.count += 1
        return Answer(200, {"responses": responses}, delay=delay)

    def _checked(self, call: Call) -> list[dict[str, Any]]:
        kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise BareRefusal(415)
        try:
            body = call.json()
        except UnreadableBody:
            raise bad_request("The batch is not valid JSON.") from None
        requests = body.get("requests") if isinstance(body, dict) else None
        if not isinstance(requests, list) or not requests:
            raise bad_request("The batch holds no requests.")
        if len(requests) > self.directory.exchange_batch_limit:
            raise bad_request(f"The batch holds more than {self.directory.exchange_batch_limit} requests.")
        seen: set[str] = set()
        for request in requests:
            if not isinstance(request, dict):
                raise bad_request("A request of the batch is not an object.")
            name, method, url = request.get("id"), request.get("method"), request.get("url")
            headers = {} if request.get("headers") is None else request["headers"]
            if not isinstance(name, str) or not name or name.lower() in seen:
                raise bad_request("The ids of a batch must be unique texts.")
            if not isinstance(method, str) or not isinstance(url, str):
                raise bad_request("A request of the batch lacks method or url.")
            if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
                raise bad_request("Headers must be texts.")
            if self.is_here(url) is None:
                raise bad_request(f"The address '{url[:200]}' is not an absolute address of this service.")
            seen.add(name.lower())
        return requests

    def _inner(self, outer: Call, request: dict[str, Any], batch: str) -> Call:
        target, _ignored, query = (self.is_here(request["url"]) or "").partition("?")
        headers = {name.lower(): value for name, value in (request.get("headers") or {}).items()}
        # The body of an inner request is JSON in any case.
        headers.setdefault("content-type", "application/json")
        if target.lower().endswith("/$batch"):
            target = target[: -len("/$batch")] + "/nested"
        inner = Call(
            listener=outer.listener,
            method=request["method"].upper(),
            target=target,
            query=query,
            headers=headers,
            origin=outer.origin,
            batch=batch,
        )
        if "body" in request:
            inner.parsed = request["body"]
        return inner

    def _response(self, name: str, answer: Answer) -> dict[str, Any]:
        response: dict[str, Any] = {"id": name}
        if self.directory.exchange_batch_status:
            response["status"] = answer.status
        elif answer.body is None and answer.status >= 400:
            # Without a status, only the body can tell that it failed; CIPP judges by `body.error`.
            answer.body = {"error": {"code": str(answer.status), "message": "The request was refused."}}
        response["headers"] = answer.headers
        # A value that is not JSON cannot be part of a JSON document.
        response["body"] = answer.body
        return response
