# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entra ID as msal sees it: metadata and tokens, with the claims that a test grants. IMDS, too."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from .wire import Reply

AUTHORITY = "login.microsoftonline.com"
IMDS = "169.254.169.254"
TENANT_ID = "7b1c0e52-2f4b-4c55-9d1e-0a7e3f9c2b10"
CLIENT_ID = "c0ffee00-aaaa-4bbb-8ccc-0123456789ab"
OWN_OBJECT_ID = "0e110000-5e1f-4000-8000-00000000000a"
APPLICATION = "Offboarding"
CLIENT_SECRET = "Cl13nt~Secret.of-the-automation"

GRAPH_PERMISSIONS = (
    "User.Read.All",
    "User-PasswordProfile.ReadWrite.All",
    "User.RevokeSessions.All",
    "User.EnableDisableAccount.All",
)
EXCHANGE_PERMISSIONS = ("Exchange.ManageAsApp",)


def jwt(**claims: Any) -> str:
    """Return what looks like a token and holds these claims."""
    parts = ({"alg": "RS256", "typ": "JWT"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


@dataclasses.dataclass(frozen=True)
class RequestedUser:
    """A request to Entra or IMDS."""

    method: str
    url: str
    form: Mapping[str, str]
    headers: Mapping[str, str]


class FakeEntra:
    """Gives tokens to whoever asks; ``instead`` holds answers to be given first, by "metadata" and "token"."""

    def __init__(self, host: str = AUTHORITY) -> None:
        self.host = host
        self.asked: list[RequestedUser] = []
        self.instead: dict[str, list[Reply]] = {"metadata": [], "token": []}
        self.permissions: dict[str, Sequence[str]] = {
            "https://graph.microsoft.com": GRAPH_PERMISSIONS,
            "https://outlook.office365.com": EXCHANGE_PERMISSIONS,
        }
        # What to answer instead of a token, by audience.
        self.unknown: dict[str, Reply] = {}
        self.expires_in = 3599
        self._issued: dict[str, list[str]] = {}
        self._numbers = itertools.count(1)

    def claims(self, audience: str) -> dict[str, Any]:
        roles = list(self.permissions.get(audience, ()))
        return {
            "aud": audience,
            "tid": TENANT_ID,
            "appid": CLIENT_ID,
            "app_displayname": APPLICATION,
            "oid": OWN_OBJECT_ID,
            "roles": roles,
        }

    def issue(self, audience: str, **claims: Any) -> str:
        """Return a new token for an audience; the services will take it."""
        token = jwt(**{**self.claims(audience), **claims, "jti": next(self._numbers)})
        self.accept(audience, token)
        return token

    def accept(self, audience: str, token: str) -> None:
        """Let the services take a token for an audience, whatever it holds."""
        self._issued.setdefault(audience, []).append(token)

    def issued(self, audience: str) -> list[str]:
        return self._issued.get(audience, [])

    @property
    def secrets(self) -> list[str]:
        """All tokens that were ever given."""
        return [token for tokens in self._issued.values() for token in tokens]

    def asked_for(self, what: str) -> list[RequestedUser]:
        return [one for one in self.asked if _kind(one.url) == what]

    def matches(self, request: requests.PreparedRequest) -> bool:
        return urllib.parse.urlsplit(request.url or "").hostname in (self.host, IMDS)

    def answer(self, request: requests.PreparedRequest) -> Reply:
        from .wire import Reply

        url, body = request.url or "", request.body or ""
        form = dict(urllib.parse.parse_qsl(body.decode() if isinstance(body, bytes) else body))
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append(RequestedUser(request.method or "", url, form, headers))
        kind = _kind(url)
        if self.instead[kind]:
            return self.instead[kind].pop(0)
        if kind == "metadata":
            return Reply(json=self._metadata(url))
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        audience = form["scope"].removesuffix("/.default") if "scope" in form else query["resource"]
        if audience in self.unknown:
            return self.unknown[audience]
        return Reply(json={"token_type": "Bearer", "expires_in": self.expires_in, "access_token": self.issue(audience)})

    def _metadata(self, url: str) -> dict[str, str]:
        tenant = urllib.parse.urlsplit(url).path.split("/")[1]
        base = f"https://{self.host}/{tenant}"
        return {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "issuer": f"https://{self.host}/{TENANT_ID}/v2.0",
        }


def _kind(url: str) -> str:
    return "metadata" if "/.well-known/" in url else "token"


def refusal(code: int, text: str, error: str = "invalid_client") -> dict[str, Any]:
    """Return the body with which Entra refuses a token."""
    return {
        "error": error,
        "error_description": f"AADSTS{code}: {text} Trace ID: 11111111-2222-3333-4444-555555555555 "
        "Correlation ID: 66666666-7777-8888-9999-000000000000 Timestamp: 2026-11-20 16:00:00Z",
        "error_codes": [code],
        "trace_id": "11111111-2222-3333-4444-555555555555",
        "correlation_id": "66666666-7777-8888-9999-000000000000",
    }
