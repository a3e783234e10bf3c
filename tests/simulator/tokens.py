# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Access tokens: who was given which, for what, until when.

Source of the claims: Entra docs, access-token-claims-reference (app-only, version 1 tokens as Graph and Exchange get).
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from . import jwt
from .apps import App
from .certificates import base64url, new_key
from .directory import Directory

RESOURCES = {
    "graph": ("https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"),
    "exchange": ("https://outlook.office365.com", "00000002-0000-0ff1-ce00-000000000000"),
}


@dataclass(slots=True)
class Grant:
    """What a token stands for."""

    app: App
    audience: str
    expires: float


class TokenProblem(Exception):
    """Why a token is not accepted: "missing", "garbage", "expired" or "audience"."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Tokens:
    """All access tokens ever issued; only these are good."""

    def __init__(self, directory: Directory, host: Tokens | None = None) -> None:
        """`host`: of the tenant behind whose listeners this one is; Microsoft signs for all with the same key."""
        self.directory = directory
        self.key: RSAPrivateKey = host.key if host else new_key()
        self.issued: dict[str, Grant] = {}
        # Base address of each resource here -> its name; filled in when the listeners know their ports.
        self.bases: dict[str, str] = host.bases if host else {}

    def resource_of(self, audience: str) -> str | None:
        """Which resource an audience names: by address (with or without slash) or by application id."""
        plain = audience.rstrip("/").lower()
        for name, known in RESOURCES.items():
            if plain in known or self.bases.get(plain) == name:
                return name
        return None

    def issue(self, app: App, audience: str, authority: str) -> tuple[str, int]:
        """A token and its life in seconds."""
        resource = self.resource_of(audience)
        permissions = app.graph if resource == "graph" else app.exchange
        now = int(time.time() + self.directory.clock_offset)
        life = self.directory.token_lifetime
        tenant = self.directory.tenant_id
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{tenant}/",
            "iat": now,
            "nbf": now,
            "exp": now + life + 1,
            "app_displayname": app.display_name,
            "appid": app.client_id,
            "appidacr": "1",
            "idp": f"https://sts.windows.net/{tenant}/",
            "idtyp": "app",
            "oid": app.object_id,
            "rh": "1.simulated.",
            "sub": app.object_id,
            "tenant_region_scope": "EU",
            "tid": tenant,
            "uti": base64_id(),
            "ver": "1.0",
            "wids": ["0997a1d0-0d1d-4acb-b408-d5ca73121e90"],
        }
        if permissions:
            claims["roles"] = sorted(permissions)
        token = jwt.sign(self.key, {"typ": "JWT", "kid": "simulator"}, claims)
        self.issued[token] = Grant(app, audience, time.time() + life + 1)
        return token, life

    def check(self, authorization: str | None, resource: str) -> App:
        """The app a bearer token stands for, or `TokenProblem`."""
        scheme, _ignored, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise TokenProblem("missing")
        grant = self.issued.get(token)
        if grant is None:
            raise TokenProblem("garbage")
        if time.time() >= grant.expires:
            raise TokenProblem("expired")
        if self.resource_of(grant.audience) != resource:
            raise TokenProblem("audience")
        return grant.app

    def expire_all(self) -> None:
        """From now on every token issued so far is too old."""
        for grant in list(self.issued.values()):
            grant.expires = 0.0


def base64_id() -> str:
    return base64url(uuid.uuid4().bytes)
