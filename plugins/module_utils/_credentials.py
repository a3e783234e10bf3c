# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Choose the credential, and obtain tokens for it from Entra ID."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import json
import logging
import os
import re
import sys
import threading
import time
import typing as t

from ._errors import CredentialError, MicrosoftCode, MissingLibraryError, OffboardingError, OptionError, shorten
from ._foreign import clean, one_line

# The options of one way to sign in: the first names it, the others belong to it.
# The order is the one in which the environment is asked.
KINDS: dict[str, tuple[str, ...]] = {
    "secret": ("client_secret",),
    "certificate": ("certificate_path", "certificate_password"),
    "federated": ("federated_token_file",),
    "managed_identity": ("managed_identity",),
    "tokens": ("access_token", "exchange_access_token"),
}
ENVIRONMENT: dict[str, tuple[str, ...]] = {
    "client_secret": ("AZURE_CLIENT_SECRET", "AZURE_SECRET"),
    "certificate_path": ("AZURE_CLIENT_CERTIFICATE_PATH",),
    "certificate_password": ("AZURE_CLIENT_CERTIFICATE_PASSWORD",),
    "federated_token_file": ("AZURE_FEDERATED_TOKEN_FILE",),
    "managed_identity": ("M365_MANAGED_IDENTITY",),
    "access_token": ("M365_ACCESS_TOKEN",),
    "exchange_access_token": ("M365_EXCHANGE_ACCESS_TOKEN",),
}

# The code of the refusal of a token for Exchange Online in a tenant that does not have it.
NO_EXCHANGE = "AADSTS500011"

# https://learn.microsoft.com/entra/identity-platform/reference-error-codes
_HINTS = {
    7000215: "Give the secret's value, not its id, and check that it belongs to this application.",
    7000222: "The client secret has expired: add a new one to the app registration.",
    700016: "No application with this client_id exists in this tenant: check client_id and tenant_id.",
    90002: "No such tenant: check tenant_id.",
    900023: "tenant_id is neither a GUID nor a domain name: check tenant_id.",
    700027: "The certificate is not registered with this application, or is not the one whose key was used.",
    7000112: "The application is disabled in this tenant: enable it under Enterprise applications.",
    7000218: "The application needs a secret, a certificate or a federated token.",
    70021: "No federated credential of this application matches the issuer, subject and audience of the token.",
    700211: "No federated credential of this application matches the issuer of the token.",
    700212: "No federated credential of this application matches the audience of the token.",
    700213: "No federated credential of this application matches the subject of the token.",
    500011: "The tenant does not know this service: it has no Exchange Online, or the address is wrong. "
    "Leave the protocols step out for such a tenant.",
}


@dataclasses.dataclass(frozen=True)
class Credential:
    """One way to sign in. `kind` is a key of `KINDS`; `values` holds its options, not shown by `repr`."""

    kind: str
    values: t.Mapping[str, t.Any] = dataclasses.field(repr=False)


def choose_credential(options: t.Mapping[str, t.Any], environ: t.Mapping[str, str]) -> Credential:
    """Choose the credential: if any credential option is set, the environment is ignored.

    :raises OptionError: two kinds among the options, or none anywhere.
    """
    explicit = {name: options.get(name) for names in KINDS.values() for name in names if options.get(name)}
    kinds = [kind for kind, names in KINDS.items() if any(name in explicit for name in names)]
    if len(kinds) > 1:
        given = " and ".join(sorted(explicit))
        raise OptionError(f"Two kinds of credentials are given: {given}.", hint="Give one of them.")
    if kinds:
        return _credential(kinds[0], explicit)
    found = {name: value for name in ENVIRONMENT if (value := first_set(environ, ENVIRONMENT[name]))}
    declined = options.get("managed_identity") is False
    if declined or str(found.get("managed_identity", "")).lower() in ("0", "false", "no", "off"):
        found.pop("managed_identity", None)
    for kind, names in KINDS.items():
        if any(name in found for name in names if name != "certificate_password"):
            return _credential(kind, {name: found[name] for name in names if name in found})
    raise OptionError(
        "No credential is given, neither as an option nor in the environment.",
        hint="Set AZURE_TENANT_ID, AZURE_CLIENT_ID and one of AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH, "
        "AZURE_FEDERATED_TOKEN_FILE, or the options tenant_id, client_id and one of client_secret, certificate_path, "
        "federated_token_file, managed_identity, access_token.",
    )


def first_set(environ: t.Mapping[str, str], names: t.Iterable[str]) -> str | None:
    """The first of these variables that is not empty: AWX sets optional fields to an empty text."""
    return next((environ[name] for name in names if environ.get(name, "").strip()), None)


def _credential(kind: str, values: dict[str, t.Any]) -> Credential:
    if kind == "certificate" and "certificate_path" not in values:
        raise OptionError("certificate_password is given without certificate_path.")
    return Credential(kind, values)


@dataclasses.dataclass(frozen=True)
class Token:
    """A bearer token, and what its claims say (read, not verified: the services verify).

    `permissions` are the application permissions (`roles`) or delegated scopes (`scp`) for one audience;
    `None` when the token cannot be read. `issued` is the moment of `iat`, by Entra ID's clock. `application_name` is
    `app_displayname`, which tokens of version 1 hold
    (https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference).
    """

    value: str = dataclasses.field(repr=False)
    tenant_id: str | None = None
    client_id: str | None = None
    object_id: str | None = None
    permissions: frozenset[str] | None = None
    issued: datetime.datetime | None = None
    application_name: str | None = None

    @classmethod
    def read(cls, value: str) -> Token:
        try:
            payload = value.split(".")[1]
            claims = clean(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))
            permissions = {str(role) for role in claims.get("roles") or ()} | set(str(claims.get("scp", "")).split())
            # The application is "appid" in tokens of version 1, which both services give, and "azp" in version 2.
            application = claims.get("appid") or claims.get("azp")
            tenant, client, caller, name = (
                claim if isinstance(claim, str) else None
                for claim in (claims.get("tid"), application, claims.get("oid"), claims.get("app_displayname"))
            )
            issued = _issued(claims.get("iat"))
            return cls(value, tenant, client, caller, frozenset(permissions), issued, one_line(name) if name else None)
        except (IndexError, ValueError, AttributeError, TypeError, RecursionError, binascii.Error):
            return cls(value)


def _issued(claim: t.Any) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromtimestamp(claim, datetime.timezone.utc) if isinstance(claim, int) else None
    except (ValueError, OverflowError, OSError):
        return None


class TokenHttp(t.Protocol):
    """What msal needs of an HTTP client (https://msal-python.readthedocs.io, `http_client`).

    `refusal` is what the last error answer of a managed identity's endpoint said, `None` when the last was no error.
    """

    refusal: t.Mapping[str, t.Any] | None

    def get(self, url: str, **kwargs: t.Any) -> t.Any:
        """An answer with `status_code`, `text` and `headers`."""

    def post(self, url: str, **kwargs: t.Any) -> t.Any:
        """An answer as of `get`."""

    def close(self) -> None:
        """Called when msal is done."""


class TokenSource:
    """Tokens for one application in one tenant: one per audience, renewed when they age or are refused.

    :param on_secret: called with every secret that appears at run time, so that it can be masked in the output.
    """

    # Ask for a new token this long before the old one ends, as msal does.
    _MARGIN = 300
    # A fresh token may be refused for a moment, so a refusal is worth several new ones; not more of them in so many
    # seconds, unless a token was taken in between.
    _RENEWALS = 4
    _RENEWAL_PERIOD = 60

    def __init__(
        self,
        credential: Credential,
        *,
        tenant_id: str | None,
        client_id: str | None,
        authority_url: str,
        http: TokenHttp,
        on_secret: t.Callable[[str], None],
        monotonic: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self._credential = credential
        self._tenant_id = tenant_id
        self._client_id = client_id
        self._authority = f"{authority_url}/{tenant_id}"
        self._http = http
        self._on_secret = on_secret
        self._monotonic = monotonic
        # One for each audience, so that no token is requested twice and the audiences do not wait for each other.
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[Token, float]] = {}
        self._failures: dict[str, OffboardingError] = {}
        self._application_object: t.Any = None
        self._renewed: dict[str, list[float]] = {}
        for name in ("client_secret", "certificate_password", "access_token", "exchange_access_token"):
            if credential.values.get(name):
                on_secret(credential.values[name])
        self._check()

    def token(self, audience: str, service: str) -> Token:
        """The token for `audience`, an address such as `https://graph.microsoft.com`.

        :param service: `Microsoft Graph` or `Exchange Online`, for the sentence when it fails.
        :raises OffboardingError: no token could be obtained.
        """
        with self._lock_of(audience):
            if audience in self._failures:  # refused after retries: once per run is enough
                raise self._failures[audience]
            token, ends = self._tokens.get(audience, (None, 0.0))
            if token is None or self._monotonic() > ends:
                token = self._acquire(audience, service)
            return token

    def known(self, audience: str) -> Token | None:
        """The token for `audience` if there is one already; nothing is sent."""
        return self._tokens.get(audience, (None, 0.0))[0]

    def renew(self, audience: str, service: str, refused: Token) -> Token | None:
        """A new token instead of `refused`, or `None` if renewing it again is pointless.

        :raises OffboardingError: Entra ID issues no other token.
        """
        with self._lock_of(audience):
            current = self._tokens[audience][0]
            if current is not refused:
                return current
            now = self._monotonic()
            recent = [moment for moment in self._renewed.get(audience, ()) if now - moment < self._RENEWAL_PERIOD]
            if self._credential.kind == "tokens" or len(recent) >= self._RENEWALS:
                return None
            self._renewed[audience] = [*recent, now]
            return self._acquire(audience, service)

    def accepted(self, audience: str) -> None:
        """Note that the service accepted the token for `audience`: a later refusal is a new problem."""
        if self._renewed.get(audience):
            with self._lock_of(audience):
                self._renewed[audience] = []

    def _lock_of(self, audience: str) -> threading.Lock:
        # A managed identity's endpoint gets one request at a time: `TokenHttp.refusal` belongs to the last answer.
        key = "" if self._credential.kind == "managed_identity" else audience
        with self._lock:
            return self._locks.setdefault(key, threading.Lock())

    def _check(self) -> None:
        needed = {"tokens": (), "managed_identity": ()}.get(self._credential.kind, ("tenant_id", "client_id"))
        missing = [name for name in needed if not getattr(self, f"_{name}")]
        if missing:
            raise OptionError(
                f"{' and '.join(missing)} must be given with this kind of credential.",
                hint="Set the option, or AZURE_TENANT_ID and AZURE_CLIENT_ID in the environment.",
            )
        if self._credential.kind == "certificate":
            self._certificate = _read_certificate(
                self._credential.values["certificate_path"], self._credential.values.get("certificate_password")
            )

    def _acquire(self, audience: str, service: str) -> Token:
        if audience in self._tokens:
            self._forget_application()  # it would answer with the token that is to be replaced
        try:
            token, lifetime = self._new_token(audience, service)
            if not re.fullmatch("[!-~]+", str(token.value)):  # it would not pass as a header
                raise CredentialError(
                    f"The token for {service} contains characters that are not valid in a token.",
                    hint="Set access_token to the token as Entra ID issued it, on one line.",
                )
        except OffboardingError as exc:
            self._failures[audience] = exc
            self._forget_application()  # msal remembers errors, and answers with them for a while
            raise
        self._on_secret(token.value)
        self._tokens[audience] = (token, self._monotonic() + max(lifetime - self._MARGIN, lifetime / 2))
        return token

    def _new_token(self, audience: str, service: str) -> tuple[Token, float]:
        """A token, and the seconds it lives."""
        if self._credential.kind == "tokens":
            return self._ready_token(service), float("inf")
        answer = self._ask_entra(audience, service)
        return Token.read(answer["access_token"]), float(answer.get("expires_in", 3600))

    def _ready_token(self, service: str) -> Token:
        option = "access_token" if service == "Microsoft Graph" else "exchange_access_token"
        value = self._credential.values.get(option)
        if not value:
            raise OptionError(f"{option} is missing: {service} needs an access token of its own.")
        return Token.read(value)

    def _ask_entra(self, audience: str, service: str) -> dict[str, t.Any]:
        msal = _import_msal()
        try:
            if self._credential.kind == "managed_identity":
                answer = self._managed_identity(msal).acquire_token_for_client(resource=audience)
            else:
                answer = self._one_application(msal).acquire_token_for_client(scopes=[f"{audience}/.default"])
        except OffboardingError:
            raise
        except OSError as exc:
            raise CredentialError(
                f"The key of this machine's managed identity cannot be read: {_reason(exc)}.",
                hint="On Azure Arc, the user who runs Ansible must be in the group himds.",
            ) from None
        except Exception as exc:  # msal raises ValueError, RuntimeError and its own; their texts may hold bodies
            if self._credential.kind == "managed_identity" and self._http.refusal:
                raise _identity_error(self._http.refusal, service) from None
            raise CredentialError(
                f"Entra ID gave no token for {service}: msal failed with {type(exc).__name__}.",
                hint="Check tenant_id, authority_url and the credential.",
            ) from None
        if "access_token" not in answer:
            if self._credential.kind == "managed_identity":
                raise _identity_error(self._http.refusal, service)
            raise entra_error(answer, service)
        return t.cast("dict[str, t.Any]", answer)

    def _one_application(self, msal: t.Any) -> t.Any:
        """One for both audiences, since each asks where the authority's endpoints are."""
        with self._lock:
            if self._application_object is None:
                self._application_object = self._application(msal)
            return self._application_object

    def _forget_application(self) -> None:
        with self._lock:
            self._application_object = None

    def _application(self, msal: t.Any) -> t.Any:
        if self._credential.kind == "secret":
            proof: t.Any = self._credential.values["client_secret"]
        elif self._credential.kind == "certificate":
            proof = self._certificate
            self._on_secret(proof["private_key"])
        else:
            assertion = _read_assertion(self._credential.values["federated_token_file"])
            self._on_secret(assertion)
            proof = {"client_assertion": lambda: assertion}
        return msal.ConfidentialClientApplication(
            self._client_id,
            client_credential=proof,
            authority=self._authority,
            http_client=self._http,
            instance_discovery=False,  # the operator chose authority_url; no public host need vouch for it
        )

    def _managed_identity(self, msal: t.Any) -> t.Any:
        identity = (
            msal.UserAssignedManagedIdentity(client_id=self._client_id)
            if self._client_id
            else msal.SystemAssignedManagedIdentity()
        )
        return msal.ManagedIdentityClient(identity, http_client=self._http)


def entra_error(answer: t.Mapping[str, t.Any], service: str) -> CredentialError:
    """Entra's refusal as an error: the AADSTS text without the ids that follow it, and what to do."""
    codes = answer.get("error_codes")
    text = str(answer.get("error_description") or answer.get("error") or "no reason given")
    sentence = shorten(text.split(" Trace ID", maxsplit=1)[0])
    code = next((code for code in codes if isinstance(code, int)), None) if isinstance(codes, list) else None
    return CredentialError(
        f"Entra ID refused a token for {service}: {sentence}",
        code=MicrosoftCode(f"AADSTS{code}" if code else shorten(str(answer.get("error") or ""))),
        hint=_HINTS.get(code or 0),
        request_id=shorten(str(answer.get("correlation_id") or "")) or None,
    )


def _identity_error(refusal: t.Mapping[str, t.Any] | None, service: str) -> CredentialError:
    """The refusal of a managed identity's endpoint as an error. Each endpoint has its own format.

    msal's own text is not shown: it may contain a token.

    :param refusal: the error answer, `None` when there was none and still no token.
    """
    if refusal is None:
        return CredentialError(f"The managed identity endpoint returned neither a token for {service} nor an error.")
    error = refusal.get("error")
    inner = error if isinstance(error, dict) else {}
    texts = (refusal.get("error_description"), refusal.get("message"), inner.get("message"), inner.get("code"), error)
    text = next((one for one in texts if isinstance(one, str) and one.strip()), "no reason given")
    code = inner.get("code") if inner else error
    return CredentialError(
        f"The managed identity endpoint refused a token for {service}: {shorten(text)}",
        code=MicrosoftCode(code) if isinstance(code, str) else None,
        hint="Check that this machine has a managed identity; client_id names one that is not the machine's own.",
    )


def _import_msal() -> t.Any:
    try:
        import msal
    except ImportError:
        raise MissingLibraryError("msal", sys.executable) from None
    # msal logs the bodies of answers it cannot read; without a handler Python would print them.
    logging.getLogger("msal").addHandler(logging.NullHandler())
    logging.getLogger("msal").propagate = False
    return msal


def _read_assertion(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            assertion = file.read().strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise CredentialError(f"federated_token_file {_whole(path)} cannot be read: {_reason(exc)}.") from None
    if not assertion:
        raise CredentialError(f"federated_token_file {path} is empty.")
    return assertion


def _read_certificate(path: str, password: str | None) -> dict[str, str]:
    """A PEM or PFX file in the form that msal expects: the key in clear (in memory only), the certificate, its SHA-1 thumbprint.

    :raises CredentialError: missing, encrypted without password, no certificate, or key and certificate do not match.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as exc:
        raise CredentialError(f"certificate_path {_whole(path)} cannot be read: {_reason(exc)}.") from None
    try:
        from cryptography import exceptions, x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.serialization import pkcs12
    except ImportError:
        raise MissingLibraryError("cryptography (it comes with msal)", sys.executable) from None
    secret = password.encode() if password else None
    try:
        if b"-----BEGIN" in content:
            key: t.Any = serialization.load_pem_private_key(content, secret)
            certificate: t.Any = x509.load_pem_x509_certificate(content)
        else:
            key, certificate, _chain = pkcs12.load_key_and_certificates(content, secret)
    except (TypeError, ValueError, exceptions.UnsupportedAlgorithm) as exc:
        raise CredentialError(_certificate_complaint(path, content, secret, exc)) from None
    if key is None or certificate is None:
        raise CredentialError(f"certificate_path {path} lacks the private key or the certificate; it must hold both.")
    if key.public_key() != certificate.public_key():
        raise CredentialError(f"certificate_path {path}: the private key does not belong to the certificate.")
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "private_key": private.decode(),
        "public_certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
        # With the thumbprint every msal since 1.30 takes this form; Entra compares it, it secures nothing.
        "thumbprint": certificate.fingerprint(hashes.SHA1()).hex(),  # noqa: S303 (the name Entra ID knows it by)
    }


def _certificate_complaint(path: str, content: bytes, secret: bytes | None, exc: Exception) -> str:
    pem = b"-----BEGIN" in content
    if pem and b"PRIVATE KEY-----" not in content:
        return f"certificate_path {path} holds no private key; it must hold the key and the certificate."
    if pem and b"-----BEGIN CERTIFICATE-----" not in content:
        return f"certificate_path {path} holds no certificate; it must hold the key and the certificate."
    if isinstance(exc, TypeError) and secret is None:
        return f"certificate_path {path} is encrypted: certificate_password is missing."
    if isinstance(exc, TypeError):
        return f"certificate_path {path} is not encrypted, yet certificate_password is given."
    if not pem and content[:1] != b"\x30":
        return f"certificate_path {path} is neither a PEM nor a PFX file."
    if secret is None:
        return f"certificate_path {path} cannot be opened without certificate_password, or is damaged."
    return f"certificate_path {path} cannot be opened: certificate_password is wrong, or the file is damaged."


def _whole(path: str) -> str:
    """A path from the root: a relative one is looked for in the folder of the playbook, which may be the collection's."""
    return os.path.abspath(path)


def _reason(exc: Exception) -> str:
    return (getattr(exc, "strerror", None) or type(exc).__name__).lower()
