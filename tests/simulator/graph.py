# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Microsoft Graph v1.0: authentication, routing, and the frame of every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .graph_batch import Batch
from .graph_closing import Closing
from .graph_errors import GraphError, bad, no_segment, not_allowed
from .graph_objects import Objects
from .graph_request import Request, single_user
from .graph_residual import ResidualAccess
from .graph_users import Users
from .graph_writes import Writes
from .odata import Segment, segments
from .tokens import TokenProblem
from .wire import Answer, Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from .directory import Directory
    from .tokens import Tokens

CONTENT_TYPE = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
# Graph docs, best-practices: requests larger than 4 MB are refused.
_BIGGEST = 4 * 1024 * 1024
_METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")
# Graph docs: keys besides the id.
_ALTERNATE_KEYS = {"directoryroles": ("roletemplateid",), "serviceprincipals": ("appid",)}
# POST requests that only read.
_READING = (
    "getbyids",
    "getmemberobjects",
    "getmembergroups",
    "checkmemberobjects",
    "checkmembergroups",
    "validateproperties",
)

# Graph docs, resolve-auth-errors; texts as seen in public reports.
_TOKEN_TEXTS = {
    "missing": "Access token is empty.",
    "garbage": "CompactToken parsing failed with error code: 80049217",
    "expired": "Access token has expired or is not yet valid.",
    "audience": "Access token validation failure. Invalid audience.",
}


class Graph:
    """The Graph listener."""

    def __init__(self, directory: Directory, tokens: Tokens, serve: Callable[[Call], Answer]) -> None:
        self.directory = directory
        self.tokens = tokens
        self.users = Users(directory)
        self.writes = Writes(directory, self.users)
        self.objects = Objects(directory, self.users)
        self.residual = ResidualAccess(directory, self.users)
        self.closing = Closing(directory, self.users)
        self.batch = Batch(directory, serve)

    # What the server asks of a service ---------------------------------------------------------------------------

    def describe(self, call: Call) -> None:
        """Find out the app, the user and whether anything would be written, for journal and faults."""
        if call.app is None:
            try:
                call.app = self.tokens.check(call.headers.get("authorization"), "graph")
            except TokenProblem as problem:
                call.note["token"] = problem.kind
        try:
            path = segments(call.target)[1:]
        except GraphError:
            path = ()
        last = path[-1].lower.rpartition(".")[2] if path else ""
        call.writes = call.method in _METHODS[1:] and last != "$batch" and last not in _READING
        if not path:
            return
        if path[0].lower not in ("users", "directory"):
            owner = self.closing.owner(path) if call.writes else None
            call.user = owner.id if owner else None
            return
        user = None
        if path[0].lower == "users":
            key = path[0].key or (path[1].name if len(path) > 1 else None)
            user = self.users.find(key, parenthesised=path[0].key is not None) if key else None
            if key is None and call.query:
                user = single_user(self.directory, call.query)
        elif len(path) > 2:
            user = self.directory.deleted.get(path[-1].lower) or self.directory.deleted.get(path[2].lower)
        call.user = user.id if user else None

    def answer(self, call: Call) -> Answer:
        try:
            answer = self._answer(call)
        except GraphError as error:
            date = self.directory.now().strftime("%Y-%m-%dT%H:%M:%S")
            body = error.envelope(date, call.request_id, call.client_request_id)
            answer = Answer(error.status, body, {"Content-Type": "application/json", **error.headers})
        if answer.body is not None:
            answer.headers.setdefault("Content-Type", CONTENT_TYPE)
            if answer.status < 400 and "metadata=none" in call.headers.get("accept", "").lower():
                answer.body = _without_metadata(answer.body)
                answer.headers["Content-Type"] = CONTENT_TYPE.replace("minimal", "none")
        answer.headers.setdefault("Cache-Control", "no-cache")
        answer.headers["request-id"] = call.request_id
        answer.headers["client-request-id"] = call.client_request_id
        answer.headers.setdefault("x-ms-resource-unit", "1")
        if call.method == "HEAD":
            answer.body, answer.raw = None, b""
        return answer

    # Routing -----------------------------------------------------------------------------------------------------

    def _answer(self, call: Call) -> Answer:
        path = segments(call.target)
        if not path or path[0].lower != "v1.0":
            version = path[0].name if path else ""
            raise bad(f"Invalid version: {version[:80]}", "BadRequest")
        if call.method == "OPTIONS" and call.batch is None:
            return Answer(200, headers={"Allow": ", ".join((*_METHODS, "OPTIONS")), "Access-Control-Allow-Origin": "*"})
        self._authorised(call)
        if len(call.body) > _BIGGEST:
            raise GraphError(413, "RequestEntityTooLarge", "The request body is too large.")
        if "chunked" in call.headers.get("transfer-encoding", "").lower():
            # Graph does not take chunked bodies: 404-like failures are reported from the field.
            raise GraphError(404, "UnknownError", "")
        if len(path) == 1:
            return self._service_document(call)
        if path[1].lower == "$batch":
            if len(path) > 2:
                raise no_segment(path[2].name)
            if call.method != "POST":
                raise not_allowed("POST")
            return self.batch.answer(call)
        if call.method not in _METHODS:
            raise not_allowed(", ".join(_METHODS))
        assert call.app is not None  # noqa: S101 (authorised above)
        request = Request.of(call, path[1:], call.app, self.directory.page_token_life)
        return self._resource(request, path[1])

    def _resource(self, request: Request, first: Segment) -> Answer:
        name = first.lower
        request.no_alternate(*_ALTERNATE_KEYS.get(name, ()))
        if name == "users":
            return self._users(request)
        if name == "me":
            raise bad("/me request is only valid with delegated authentication flow.", "BadRequest")
        known: dict[str, Callable[[Request], Answer]] = {
            "devices": self.closing.devices,
            "oauth2permissiongrants": self.closing.grants,
            "directoryroles": self.objects.roles,
            "groups": self.objects.groups,
            "organization": self.objects.organization,
            "serviceprincipals": self.objects.service_principals,
            "directoryobjects": self.objects.directory_objects,
            "directory": self.objects.directory_node,
            "rolemanagement": self.objects.role_management,
        }
        if name not in known:
            raise no_segment(first.name)
        if name in ("directoryroles", "groups") and request.call.method != "GET":
            return self.closing.members(request)
        return known[name](request)

    def _users(self, request: Request) -> Answer:
        """`/users`, `/users/{key}` and what lies behind (Graph docs, user)."""
        key, rest = request.keyed()
        method = request.call.method
        if key is None:
            if method == "GET":
                return self.users.collection(request)
            if method == "POST":
                return self.writes.create(request)
            raise not_allowed("GET, POST")
        if key.lower() == "$count" and not request.parenthesised and not rest:
            return self.users.count(request)
        if key.startswith("$") and not request.parenthesised:
            # Graph docs, user-get: a UPN that begins with a dollar sign goes into parentheses.
            raise no_segment(key)
        if not rest:
            actions = {"GET": self.users.get, "PATCH": self.writes.update, "DELETE": self.writes.delete}
            if method not in actions:
                raise not_allowed("GET, PATCH, DELETE")
            return actions[method](request, key)
        name = rest[0].lower.removeprefix("microsoft.graph.")
        if name in ("revokesigninsessions", "revokesigninsessions()"):
            if len(rest) > 1:
                raise no_segment(rest[1].name)
            if method != "POST":
                raise not_allowed("POST")
            return self.writes.revoke(request, key)
        if name in ("memberof", "transitivememberof"):
            return self._reading(request, lambda: self.users.memberships(request, key, rest, transitive=name[0] == "t"))
        topics = {
            "mailfolders": self.residual.rules,
            "oauth2permissiongrants": self.residual.grants,
            "ownedobjects": self.residual.owned_objects,
            "owneddevices": self.residual.devices,
            "registereddevices": self.residual.devices,
        }
        if name in topics:
            return self._reading(request, lambda: topics[name](request, key, rest))
        if name == "approleassignments":
            return self.closing.app_roles(request, key, rest)
        if name == "authentication" and method == "DELETE":
            return self.closing.delete_method(request, key, rest)
        if name == "authentication":
            return self.residual.methods(request, key, rest)
        if method == "GET" and len(rest) == 1:
            return self.users.property(request, key, rest[0].name)
        raise no_segment(rest[0].name)

    def _reading(self, request: Request, action: Callable[[], Answer]) -> Answer:
        if request.call.method != "GET":
            raise not_allowed("GET")
        return action()

    def _authorised(self, call: Call) -> None:
        kind = call.note.get("token")
        if kind is not None:
            challenge = (
                'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
                'client_id="00000003-0000-0000-c000-000000000000"'
            )
            raise GraphError(401, "InvalidAuthenticationToken", _TOKEN_TEXTS[kind], {"WWW-Authenticate": challenge})

    def _service_document(self, call: Call) -> Answer:
        if call.method != "GET":
            raise not_allowed("GET")
        names = ("users", "groups", "directoryRoles", "directoryObjects", "organization", "servicePrincipals")
        value = [{"name": name, "kind": "EntitySet", "url": name} for name in names]
        return Answer(200, {"@odata.context": f"{call.origin}/v1.0/$metadata", "value": value})


def _without_metadata(value: Any) -> Any:
    """`odata.metadata=none`: no control information but next link and count (OData JSON format 4.01)."""
    if isinstance(value, dict):
        kept = ("@odata.nextLink", "@odata.count")
        return {name: _without_metadata(item) for name, item in value.items() if "@odata." not in name or name in kept}
    if isinstance(value, list):
        return [_without_metadata(item) for item in value]
    return value
