# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`POST /$batch` (Graph docs, json-batching)."""

from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .graph_errors import GraphError, bad
from .wire import Answer, Call, UnreadableBody

if TYPE_CHECKING:
    from .directory import Directory

LIMIT = 20
_WITH_BODY = ("POST", "PATCH", "PUT")


class Batch:
    """Twenty requests in one; answers come in any order."""

    def __init__(self, directory: Directory, serve: Callable[[Call], Answer]) -> None:
        self.directory = directory
        self.serve = serve
        self.count = 0

    def answer(self, call: Call) -> Answer:
        requests = self._checked(call)
        batch = str(uuid.uuid4())
        done: dict[str, int] = {}
        responses: list[dict[str, Any]] = []
        delay = 0.0
        for request in requests:
            inner = self._inner(call, request, batch)
            failed = [name for name in request.get("dependsOn") or () if done[name.lower()] >= 400]
            if failed:
                response = self._dependent(request["id"], call)
                done[request["id"].lower()] = 424
                responses.append(response)
                continue
            answer = self.serve(inner)
            delay = max(delay, answer.delay)
            done[request["id"].lower()] = answer.status
            if inner.note.get("drop"):
                continue
            response = _response(request["id"], answer)
            responses.append(response)
            if inner.note.get("duplicate"):
                responses.append(response)
        shuffle(responses, self.directory.batch_seed + self.count)
        self.count += 1
        return Answer(200, {"responses": responses}, delay=delay)

    def _checked(self, call: Call) -> list[dict[str, Any]]:
        """The requests, or the 400 for the whole batch."""
        kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise bad(
                "Write requests (excluding DELETE) must contain the Content-Type header declaration.", "BadRequest"
            )
        try:
            body = call.json()
        except UnreadableBody:
            raise bad("Invalid batch payload format.", "BadRequest") from None
        requests = body.get("requests") if isinstance(body, dict) else None
        if not isinstance(requests, list) or not requests:
            raise bad("Invalid batch payload format.", "BadRequest")
        if len(requests) > LIMIT:
            raise GraphError(
                400, "MaximumValueExceeded", f"Number of batch request steps exceeds the maximum value of {LIMIT}."
            )
        seen: set[str] = set()
        for request in requests:
            self._check(request, seen)
        return requests

    def _check(self, request: Any, seen: set[str]) -> None:
        if not isinstance(request, dict):
            raise bad("Invalid batch payload format.", "BadRequest")
        name, method, url = request.get("id"), request.get("method"), request.get("url")
        if not isinstance(name, str) or not name or not isinstance(method, str) or not isinstance(url, str) or not url:
            raise bad("Invalid batch payload format.", "BadRequest")
        if name.lower() in seen:
            raise bad(f"Request Id {name[:80]} has to be unique in a batch.", "BadRequest")
        depends = [] if request.get("dependsOn") is None else request["dependsOn"]
        if not isinstance(depends, list) or not all(isinstance(item, str) and item.lower() in seen for item in depends):
            raise bad(f"Request with id '{name[:80]}' depends on a request that is not in front of it.", "BadRequest")
        seen.add(name.lower())
        if method.upper() not in ("GET", "DELETE", *_WITH_BODY):
            raise bad(f"Invalid method '{method[:20]}' in request with id '{name[:80]}'.", "BadRequest")
        headers = {} if request.get("headers") is None else request["headers"]
        if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
            raise bad("Invalid batch payload format.", "BadRequest")
        if method.upper() in _WITH_BODY:
            # Seen as: "Write request with id '1' does not contain a Content-Type header."
            if "content-type" not in {header.lower() for header in headers}:
                raise bad(f"Write request with id '{name[:80]}' does not contain a Content-Type header.", "BadRequest")
            if "body" not in request:
                raise bad(f"Write request with id '{name[:80]}' does not contain a body.", "BadRequest")
        if url.partition("?")[0].strip("/").lower() == "$batch":
            raise bad("Nested batch requests are not supported.", "BadRequest")

    def _inner(self, outer: Call, request: dict[str, Any], batch: str) -> Call:
        """One request as if it had come alone; it acts for the app of the outer one."""
        target, _ignored, query = request["url"].partition("?")
        headers = {name.lower(): value for name, value in (request.get("headers") or {}).items()}
        headers.setdefault("client-request-id", outer.client_request_id)
        headers.pop("authorization", None)
        inner = Call(
            listener=outer.listener,
            method=request["method"].upper(),
            target=f"/v1.0/{target.partition('#')[0].lstrip('/')}",
            query=query,
            headers=headers,
            origin=outer.origin,
            batch=batch,
            app=outer.app,
        )
        if "body" in request:
            inner.parsed = request["body"]
        return inner

    def _dependent(self, name: str, call: Call) -> dict[str, Any]:
        error = GraphError(424, "FailedDependency", "The request failed because a request it depends on failed.")
        date = self.directory.now().strftime("%Y-%m-%dT%H:%M:%S")
        return {
            "id": name,
            "status": 424,
            "headers": {"Content-Type": "application/json"},
            "body": error.envelope(date, call.request_id, call.client_request_id),
        }


def shuffle(responses: list[dict[str, Any]], seed: int) -> None:
    """Into an order that is arbitrary, and the same whenever the seed is."""
    random.Random(seed).shuffle(responses)  # noqa: S311 (chance that can be repeated, not secrecy)


def _response(name: str, answer: Answer) -> dict[str, Any]:
    """JSON bodies are JSON, others are base64 (Graph docs, json-batching, "Batch response")."""
    response: dict[str, Any] = {"id": name, "status": answer.status, "headers": answer.headers}
    if answer.raw is not None:
        try:
            response["body"] = json.loads(answer.raw)
        except ValueError:
            response["body"] = base64.b64encode(answer.raw).decode()
    elif answer.body is not None:
        response["body"] = answer.body
    return response
