# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors as Graph writes them (Graph docs, errors; the texts are those seen in public reports)."""

from __future__ import annotations

from typing import Any

RESOURCE = "Resource '{}' does not exist or one of its queried reference-property objects are not present."


class GraphError(Exception):
    """An error answer."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}
        self.details: list[dict[str, str]] = []

    def envelope(self, date: str, request_id: str, client_request_id: str) -> dict[str, Any]:
        inner = {"date": date, "request-id": request_id, "client-request-id": client_request_id}
        details = {"details": self.details} if self.details else {}
        return {"error": {"code": self.code, "message": self.message, **details, "innerError": inner}}


def bad(message: str, code: str = "Request_BadRequest") -> GraphError:
    return GraphError(400, code, message)


def unsupported(message: str) -> GraphError:
    return GraphError(400, "Request_UnsupportedQuery", message)


def denied() -> GraphError:
    return GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def conflict(name: str) -> GraphError:
    """Somebody else has this value (microsoft-graph-docs issues 1508 and 8421)."""
    error = bad(f"Another object with the same value for property {name} already exists.")
    error.details = [{"code": "ObjectConflict", "message": error.message, "target": name}]
    return error


def absent(name: str) -> GraphError:
    return GraphError(404, "Request_ResourceNotFound", RESOURCE.format(name))


def no_segment(name: str) -> GraphError:
    return GraphError(400, "BadRequest", f"Resource not found for the segment '{name}'.")


def not_allowed(allow: str) -> GraphError:
    message = "Specified HTTP method is not allowed for the request target."
    return GraphError(405, "Request_BadRequest", message, {"Allow": allow})
