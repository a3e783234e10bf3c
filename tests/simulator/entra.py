# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entra's token service: discovery, and tokens for apps.

Sources: Entra docs, v2-oauth2-client-creds-grant-flow, reference-error-codes, certificate-credentials and
workload-identity-federation; MSAL Python for what a client asks before it asks for a token.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, unquote_plus

from . import jwt
from .apps import App
from .certificates import base64url, new_key
from .wire import Answer, Call

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from .directory import Directory
    from .tokens import Tokens

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ISSUER = "https://issuer.contoso.com/oidc"
_DNS = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+", re.IGNORECASE)
_SHARED = ("common", "organizations", "consumers")


class Refusal(Exception):
    """An AADSTS error."""

    def __init__(self, status: int, error: str, code: int, text: str) -> None:
        super().__init__(text)
        self.status, self.error, self.code, self.text = status, error, code, text


class Entra:
    """The Entra listener."""

    def __init__(self, directory: Directory, tokens: Tokens, issuer_key: RSAPrivateKey | None = None) -> None:
        self.directory = directory
        self.tokens = tokens
        self.issuer_key = issuer_key or new_key()
        # Everything secret that clients presented or got, for leak scans.
        self.assertions: list[str] = []

    # What the server asks of a service ---------------------------------------------------------------------------

    def describe(self, call: Call) -> None:
        """Nothing of Entra changes state, and a user is never involved."""

    def answer(self, call: Call) -> Answer:
        try:
            answer = self._answer(call)
        except Refusal as refusal:
            answer = self._refused(call, refusal)
        answer.headers.setdefault("Content-Type", "application/json; charset=utf-8")
        answer.headers |= {
            "Cache-Control": "no-store, no-cache",
            "Pragma": "no-cache",
            "x-ms-request-id": call.request_id,
            "client-request-id": call.client_request_id,
            "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        }
        return answer

    def _answer(self, call: Call) -> Answer:
        parts = [unquote(part, errors="replace") for part in call.target.split("/") if part]
        lowered = [part.lower() for part in parts]
        if lowered == ["common", "discovery", "instance"]:
            return self._reading(call, self._instance(call))
        if len(parts) >= 3 and lowered[-2:] == [".well-known", "openid-configuration"] and len(parts) <= 4:
            return self._reading(call, self._configuration(call, parts[0], v2="v2.0" in lowered))
        if (len(parts) >= 3 and lowered[-2:] == ["discovery", "keys"]) or lowered[-3:] == ["discovery", "v2.0", "keys"]:
            return self._reading(call, self._keys())
        if len(parts) == 4 and lowered[1:] == ["oauth2", "v2.0", "token"]:
            if call.method == "OPTIONS":
                return Answer(200, headers={"Allow": "POST, OPTIONS"})
            if call.method != "POST":
                text = f"AADSTS900561: The endpoint only accepts POST requests. Received a {call.method} request."
                raise Refusal(400, "invalid_request", 900561, text.partition(": ")[2])
            return self._token(call, parts[0])
        return Answer(404, {"error": "not_found", "error_description": "The requested resource was not found."})

    def _reading(self, call: Call, body: dict[str, Any]) -> Answer:
        if call.method not in ("GET", "HEAD"):
            return Answer(405, headers={"Allow": "GET, HEAD"})
        return Answer(200, body)

    # Discovery ---------------------------------------------------------------------------------------------------

    def _tenant(self, name: str) -> str:
        if name.lower() in _SHARED or self.directory.is_tenant(name):
            return self.directory.tenant_id
        try:
            uuid.UUID(name)
            formed = True
        except ValueError:
            formed = bool(_DNS.fullmatch(name))
        if not formed:
            raise Refusal(
                400,
                "invalid_request",
                900023,
                f"Specified tenant identifier '{name}' is neither a valid DNS name, nor a valid external domain.",
            )
        raise Refusal(
            400,
            "invalid_request",
            90002,
            f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID and are signing into the correct "
            "cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for "
            "the tenant.",
        )

    def _configuration(self, call: Call, name: str, *, v2: bool) -> dict[str, Any]:
        tenant = self._tenant(name)
        base = f"{call.origin}/{quote(name) if name.lower() in _SHARED else tenant}"
        middle = "oauth2/v2.0" if v2 else "oauth2"
        return {
            "token_endpoint": f"{base}/{middle}/token" if v2 else f"{base}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": f"{base}/v2.0" if v2 else f"https://sts.windows.net/{tenant}/",
            "request_uri_parameter_supported": False,
            "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
            "authorization_endpoint": f"{base}/{middle}/authorize",
            "device_authorization_endpoint": f"{base}/{middle}/devicecode",
            "http_logout_supported": True,
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
            "cloud_graph_host_name": "graph.windows.net",
            "msgraph_host": "graph.microsoft.com",
        }

    def _instance(self, call: Call) -> dict[str, Any]:
        asked = parse_qs(call.query).get("authorization_endpoint", [""])[0]
        match = re.match(r"https://([^/?#]+)/([^/?#]+)", asked)
        if match is None:
            raise Refusal(400, "invalid_instance", 50049, "Unknown or invalid instance.")
        host, tenant = match.groups()
        aliases = ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"]
        if host not in aliases:
            aliases.insert(0, host)
        return {
            "tenant_discovery_endpoint": f"https://{host}/{tenant}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [{"preferred_network": aliases[0], "preferred_cache": aliases[0], "aliases": aliases}],
        }

    def _keys(self) -> dict[str, Any]:
        numbers = self.tokens.key.public_key().public_numbers()
        return {
            "keys": [
                {
                    "kty": "RSA",
                    "use": "sig",
                    "kid": "simulator",
                    "n": base64url(numbers.n.to_bytes(256, "big")),
                    "e": base64url(numbers.e.to_bytes(3, "big")),
                }
            ]
        }

    # Tokens ------------------------------------------------------------------------------------------------------

    def _token(self, call: Call, tenant: str) -> Answer:
        form = self._form(call)
        tenant_id = self._tenant(tenant)
        if tenant.lower() in _SHARED:
            raise Refusal(
                400,
                "invalid_request",
                53003 if tenant == "consumers" else 50059,
                "No tenant-identifying information found in either the request or implied by any provided credentials.",
            )
        if "grant_type" not in form:
            raise _missing("grant_type")
        if form["grant_type"] != "client_credentials":
            raise Refusal(
                400,
                "unsupported_grant_type",
                70003,
                f"The app requested an unsupported grant type '{form['grant_type'][:80]}'.",
            )
        if "client_id" not in form:
            raise _missing("client_id")
        if "scope" not in form:
            raise _missing("scope")
        call.identity = form["scope"][:200]
        app = self.directory.app_by_client_id(form["client_id"])
        if app is None:
            raise Refusal(
                400,
                "unauthorized_client",
                700016,
                f"Application with identifier '{form['client_id'][:80]}' was not found in the directory 'Contoso'. This can "
                "happen if the application has not been installed by the administrator of the tenant or consented to by any "
                "user in the tenant. You may have sent your authentication request to the wrong tenant.",
            )
        self._authenticate(call, app, form, tenant_id)
        call.app = app
        audience = self._audience(form["scope"])
        token, life = self.tokens.issue(app, audience, call.origin)
        return Answer(200, {"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token})

    def _form(self, call: Call) -> dict[str, str]:
        kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind and kind != "application/x-www-form-urlencoded":
            raise Refusal(
                400, "invalid_request", 900144, "The request body must contain the following parameter: 'grant_type'."
            )
        try:
            pairs = parse_qs(call.body.decode(errors="replace"), max_num_fields=100)
        except ValueError:
            pairs = {}
        form = {name: values[0] for name, values in pairs.items()}
        scheme, _ignored, basic = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                name, _ignored, secret = base64.b64decode(basic).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                name = secret = ""
            form.setdefault("client_id", unquote_plus(name))
            form.setdefault("client_secret", unquote_plus(secret))
        return form

    def _audience(self, scope: str) -> str:
        wanted = [part for part in scope.split() if part not in ("openid", "profile", "offline_access")]
        if len(wanted) != 1 or "/" not in wanted[0]:
            raise Refusal(
                400,
                "invalid_scope",
                70011,
                f"The provided request must include a 'scope' input parameter. The provided value for the input parameter "
                f"'scope' is not valid. The scope {scope[:200]} is not valid.",
            )
        audience, _ignored, name = wanted[0].rpartition("/")
        if name != ".default":
            raise Refusal(
                400,
                "invalid_scope",
                1002012,
                f"The provided value for scope {scope[:200]} is not valid. Client credential flows must have a scope value "
                "with /.default suffixed to the resource identifier (application ID URI).",
            )
        resource = self.tokens.resource_of(audience)
        if resource is None or (resource == "exchange" and not self.directory.has_exchange):
            raise Refusal(
                400,
                "invalid_resource",
                500011,
                f"The resource principal named {audience[:200]} was not found in the tenant named Contoso. This can happen if "
                "the application has not been installed by the administrator of the tenant or consented to by any user in "
                "the tenant. You might have sent your authentication request to the wrong tenant.",
            )
        return audience

    # Who are you? ------------------------------------------------------------------------------------------------

    def _authenticate(self, call: Call, app: App, form: dict[str, str], tenant_id: str) -> None:
        if "client_assertion" in form:
            self.assertions.append(form["client_assertion"])
            if form.get("client_assertion_type") != ASSERTION_TYPE:
                raise _missing("client_assertion_type")
            self._check_assertion(call, app, form["client_assertion"], tenant_id)
        elif "client_secret" in form:
            if not hmac.compare_digest(form["client_secret"].encode(), app.client_secret.encode()):
                raise Refusal(
                    401,
                    "invalid_client",
                    7000215,
                    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
                    f"not the client secret ID, for a secret added to app '{app.client_id}'.",
                )
            if app.secret_expired:
                raise Refusal(
                    401,
                    "invalid_client",
                    7000222,
                    f"The provided client secret keys for app '{app.client_id}' are expired. Visit the Azure portal to create "
                    "new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for "
                    "added security: https://aka.ms/certCreds.",
                )
        else:
            raise Refusal(
                401,
                "invalid_client",
                7000218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            )
        if not app.enabled:
            raise Refusal(
                400, "unauthorized_client", 7000112, f"Application '{app.client_id}'({app.display_name}) is disabled."
            )

    def _check_assertion(self, call: Call, app: App, assertion: str, tenant_id: str) -> None:
        try:
            header, claims = jwt.read(assertion)
        except jwt.BadToken:
            raise Refusal(400, "invalid_request", 50027, "JWT token is invalid or malformed.") from None
        if claims.get("iss") == app.client_id:
            self._check_certificate(call, app, assertion, header, claims, tenant_id)
        else:
            self._check_federation(app, assertion, claims)
        now = time.time() + self.directory.clock_offset
        expires, begins = claims.get("exp"), claims.get("nbf", 0)
        if (
            not isinstance(expires, int | float)
            or not isinstance(begins, int | float)
            or not begins - 300 <= now < expires + 300
        ):
            raise Refusal(
                401,
                "invalid_client",
                700024,
                "Client assertion is not within its valid time range. Current time: "
                f"{_iso(now)}, assertion valid from {_iso(begins)}, expiry time of assertion {_iso(expires)}.",
            )

    def _check_certificate(
        self, call: Call, app: App, assertion: str, header: dict[str, Any], claims: dict[str, Any], tenant_id: str
    ) -> None:
        """Entra docs, certificate-credentials: the header names a registered certificate, aud is the token endpoint."""
        if app.certificate is None or not app.certificate.identified_by(header):
            raise Refusal(
                401,
                "invalid_client",
                700027,
                "The certificate with identifier used to sign the client assertion is not registered on application. "
                "[Reason - The key was not found., Thumbprint of key used by client: "
                f"'{str(header.get('x5t', ''))[:80]}'].",
            )
        if not jwt.signed_by(assertion, app.certificate.key.public_key()):
            raise Refusal(
                401,
                "invalid_client",
                700027,
                "Client assertion failed signature validation. [Reason - The key used is incorrect., Thumbprint of key used "
                f"by client: '{app.certificate.thumbprint}'].",
            )
        allowed = {
            f"{base}/{name}{end}"
            for base in (call.origin, "https://login.microsoftonline.com")
            for name in (tenant_id, self.directory.domain, self.directory.initial_domain)
            for end in ("/oauth2/v2.0/token", "/v2.0")
        }
        if claims.get("aud") not in allowed:
            raise Refusal(401, "invalid_client", 700023, "Client assertion audience claim does not match Realm issuer.")
        if claims.get("sub") != app.client_id:
            raise Refusal(
                401,
                "invalid_client",
                700021,
                "Client assertion application identifier doesn't match 'client_id' parameter.",
            )

    def _check_federation(self, app: App, assertion: str, claims: dict[str, Any]) -> None:
        """Entra docs, workload-identity-federation: issuer, subject and audience equal the registered ones, in case too."""
        known = app.federation
        for code, claim, wanted in (
            (700211, "issuer", known.issuer if known else None),
            (700213, "subject", known.subject if known else None),
            (700212, "audience", known.audience if known else None),
        ):
            found = claims.get({"issuer": "iss", "subject": "sub", "audience": "aud"}[claim])
            if wanted is None or found not in (wanted, [wanted]):
                raise Refusal(
                    401,
                    "invalid_client",
                    code,
                    f"No matching federated identity record found for presented assertion {claim} '{str(found)[:120]}'. "
                    "Check your federated identity credential Subject, Audience and Issuer against the presented assertion.",
                )
        if not jwt.signed_by(assertion, self.issuer_key.public_key()):
            raise Refusal(401, "invalid_client", 5002738, "Invalid JWT token. The token could not be verified.")

    def federated_token(self, app: App, *, life: int = 600, **claims: Any) -> str:
        """A token of the trusted issuer that stands for this app, as a workload finds it in a file."""
        if app.federation is None:
            raise LookupError(f"{app.name} is not federated")
        now = int(time.time())
        usual = {"iss": app.federation.issuer, "sub": app.federation.subject, "aud": app.federation.audience}
        token = jwt.sign(
            self.issuer_key, {"typ": "JWT", "kid": "issuer"}, {**usual, "iat": now, "exp": now + life, **claims}
        )
        self.assertions.append(token)
        return token

    # Errors ------------------------------------------------------------------------------------------------------

    def _refused(self, call: Call, refusal: Refusal) -> Answer:
        """Entra docs, v2-oauth2-client-creds-grant-flow, error response example."""
        moment = self.directory.now().strftime("%Y-%m-%d %H:%M:%SZ")
        correlation = call.client_request_id
        return Answer(
            refusal.status,
            {
                "error": refusal.error,
                "error_description": f"AADSTS{refusal.code}: {refusal.text} Trace ID: {call.request_id} "
                f"Correlation ID: {correlation} Timestamp: {moment}",
                "error_codes": [refusal.code],
                "timestamp": moment,
                "trace_id": call.request_id,
                "correlation_id": correlation,
                "error_uri": f"{call.origin}/error?code={refusal.code}",
            },
        )


def _missing(name: str) -> Refusal:
    return Refusal(400, "invalid_request", 900144, f"The request body must contain the following parameter: '{name}'.")


def _iso(moment: object) -> str:
    if isinstance(moment, int | float) and 0 <= moment < 1e11:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
    return "(none)"
