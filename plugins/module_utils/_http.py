# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""Bytes to Microsoft and back: one session, bounded time, and patience where it asks for tokens."""

from __future__ import annotations

import dataclasses
import datetime
import json
import sys
import threading
import typing as t
import urllib.parse

from ._credentials import entra_error
from ._errors import CredentialError, MissingLibraryError, NetworkError, OffboardingError
from ._retry import Clock, Patience, http_date, told_wait

USER_AGENT = "ansible-m365.offboarding"

# An answer is read whole; none that we ask for comes near this.
_LARGEST_ANSWER = 64 * 1024 * 1024
# Attempts to reach a host that never answered: a mistyped address should not cost retry_timeout.
_KNOCKS = 3
# Where requests takes a proxy from, in any case, when the option is not set.
_PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
# A shorter password is masked as a part of its address only: it would be found in every second word.
_SHORTEST_SECRET = 4
# What a certificate is refused with by OpenSSL, and by urllib3 1.26, which looks at the names itself.
_UNTRUSTED = ("CERTIFICATE_VERIFY_FAILED", "doesn't match", "no appropriate subjectAltName")


@dataclasses.dataclass(frozen=True)
class Response:
    """What came back. Header names are lower case; C(body) is empty when it could not be decoded."""

    status: int
    headers: t.Mapping[str, str]
    body: bytes

    @property
    def json(self) -> t.Any:
        """The body as JSON, C(None) when it is none (a proxy's page, a truncated answer)."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def date(self) -> datetime.datetime | None:
        return http_date(self.headers.get("date"))


def proxy_secrets(proxy: str | None, environment: t.Mapping[str, str]) -> set[str]:
    """What must not be shown of the proxies in use: `user:password`, and the password as it is and percent-decoded."""
    addresses = [proxy or "", *(environment[name] for name in environment if name.upper() in _PROXY_VARIABLES)]
    secrets: set[str] = set()
    for address in addresses:
        # Not by `urlsplit`, which a password with a slash or a number sign leads astray.
        userinfo, at, _host = address.partition("://")[2 if "://" in address else 0].rpartition("@")
        _user, colon, password = userinfo.partition(":")
        if at and colon and password:
            secrets.add(userinfo)
            secrets |= {one for one in (password, urllib.parse.unquote(password)) if len(one) >= _SHORTEST_SECRET}
    return secrets


class Transport:
    """One HTTP session for everything. It sends once and never retries: that is for those who know what was sent.

    :param timeout: seconds to connect, seconds between two bytes, and seconds for the whole answer.
    """

    def __init__(
        self,
        *,
        validate_certs: bool = True,
        ca_path: str | None = None,
        proxy: str | None = None,
        timeout: float = 30,
        in_flight: int = 4,
        clock: Clock | None = None,
    ) -> None:
        try:
            import requests
            import urllib3
        except ImportError:
            raise MissingLibraryError("requests", sys.executable) from None
        self.clock = clock or Clock()
        self._requests = requests
        self._urllib3 = urllib3
        # Given with each request: a session's own verify loses to REQUESTS_CA_BUNDLE (psf/requests#3829).
        # True leaves that variable its say, a path or False does not.
        self._verify: bool | str = (ca_path or True) if validate_certs else False
        if not validate_certs:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._proxies = {"http": proxy, "https": proxy} if proxy else None
        self._timeout = timeout
        self.session = requests.Session()
        adapter = _adapter_with_one_context() if validate_certs else requests.adapters.HTTPAdapter
        self.session.mount("https://", adapter(pool_maxsize=in_flight))
        self.session.headers["User-Agent"] = USER_AGENT
        self._knocks: dict[str, int] = {}

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: t.Mapping[str, str] | None = None,
        params: t.Any = None,
        data: t.Any = None,
    ) -> Response:
        """Send one request and read its answer.

        :raises NetworkError: no answer.
        """
        host = urllib.parse.urlsplit(url).hostname or url
        if self._knocks.get(host, 0) >= _KNOCKS:
            raise self._unreached(host, f"{host} could not be reached before.")
        began = self.clock.monotonic()
        try:
            response = self._send(method, url, host, headers=headers, params=params, data=data)
        except NetworkError as exc:
            exc.spent = self.clock.monotonic() - began
            raise
        self._knocks[host] = -1
        return response

    def _send(self, method: str, url: str, host: str, **content: t.Any) -> Response:
        exceptions = self._requests.exceptions
        try:
            with self.session.request(
                method,
                url,
                **content,
                auth=_no_netrc,
                timeout=self._timeout,
                verify=self._verify,
                # Only a managed identity's endpoint is not https: it is on the machine, and no proxy can reach it.
                proxies=self._proxies if url.startswith("https:") else {"no_proxy": "*"},
                allow_redirects=False,  # a bearer token must not travel to another host
                stream=True,
            ) as reply:
                names = {name.lower(): value for name, value in reply.headers.items()}
                return Response(reply.status_code, names, self._read(reply, host))
        except NetworkError:
            raise
        except (exceptions.RequestException, self._urllib3.exceptions.HTTPError) as exc:
            raise self._explain(exc, host) from None
        except OSError:  # requests complains so about a CA bundle that does not exist
            raise NetworkError(
                "The CA bundle for TLS cannot be read.",
                reached=False,
                final=True,
                hint="Check ca_path or REQUESTS_CA_BUNDLE.",
            ) from None

    def _read(self, reply: t.Any, host: str) -> bytes:
        """The body, within the timeout as a whole: a body that drips would otherwise never time out."""
        deadline = self.clock.monotonic() + self._timeout
        read = getattr(reply.raw, "read1", None) or reply.raw.read
        body = bytearray()
        try:
            while chunk := read(65536, decode_content=True):
                body += chunk
                if self.clock.monotonic() > deadline or len(body) > _LARGEST_ANSWER:
                    raise NetworkError(f"{host} did not finish its answer within {self._timeout:g} s.", reached=True)
        except self._urllib3.exceptions.DecodeError:
            return b""  # Exchange declares NUL bytes as gzip in some refusals; the status says enough
        return bytes(body)

    def _explain(self, exc: Exception, host: str) -> NetworkError:
        exceptions = self._requests.exceptions
        text = str(exc)
        if isinstance(exc, exceptions.SSLError) and any(mark in text for mark in _UNTRUSTED):
            return NetworkError(
                f"{host} shows a TLS certificate that this machine does not trust.",
                reached=False,
                final=True,
                hint="If a proxy inspects TLS, give its CA by ca_path or REQUESTS_CA_BUNDLE.",
            )
        if isinstance(exc, (exceptions.InvalidURL, exceptions.InvalidSchema, exceptions.InvalidProxyURL)):
            return NetworkError(
                f"The address of {host}, or that of the proxy, is malformed.", reached=False, final=True
            )
        if isinstance(exc, exceptions.ProxyError):
            return self._unreached(host, f"The proxy did not let us through to {host}.", "Check proxy or HTTPS_PROXY.")
        if isinstance(exc, exceptions.ConnectTimeout):
            return self._unreached(host, f"{host} did not accept a connection within {self._timeout:g} s.")
        if isinstance(exc, (exceptions.Timeout, self._urllib3.exceptions.TimeoutError)):
            return NetworkError(f"{host} did not answer within {self._timeout:g} s.", reached=True)
        if any(mark in text for mark in ("NameResolutionError", "Failed to resolve", "Name or service not known")):
            return self._unreached(host, f"The name {host} cannot be resolved.", "Check DNS, proxy and addresses.")
        if "NewConnectionError" in text:
            return self._unreached(host, f"{host} cannot be reached.", "Check network, firewall and proxy.")
        return NetworkError(f"The connection to {host} broke before an answer came.", reached=True)

    def _unreached(self, host: str, message: str, hint: str | None = None) -> NetworkError:
        knocks = self._knocks.get(host, 0)
        if knocks >= 0:
            self._knocks[host] = knocks = knocks + 1
        return NetworkError(message, reached=False, final=knocks >= _KNOCKS, hint=hint)


def _adapter_with_one_context() -> t.Any:
    """An adapter of requests that reads the CA bundle once, and not for every connection: certifi's takes 26 ms each time.

    https://requests.readthedocs.io/en/latest/user/advanced/#transport-adapters and
    https://urllib3.readthedocs.io/en/stable/advanced-usage.html#custom-ssl-contexts
    """
    import requests
    from urllib3.util.ssl_ import create_urllib3_context

    class Adapter(requests.adapters.HTTPAdapter):
        def __init__(self, **options: t.Any) -> None:
            self._context = create_urllib3_context()
            self._loaded: set[tuple[str | None, str | None]] = set()
            self._lock = threading.Lock()
            super().__init__(**options)

        def init_poolmanager(self, *args: t.Any, **options: t.Any) -> None:
            super().init_poolmanager(*args, **options, ssl_context=self._context)

        def proxy_manager_for(self, proxy: str, **options: t.Any) -> t.Any:
            options["ssl_context"] = self._context
            if proxy.lower().startswith("https:"):
                options["proxy_ssl_context"] = self._context
            return super().proxy_manager_for(proxy, **options)

        def cert_verify(self, conn: t.Any, url: t.Any, verify: t.Any, cert: t.Any) -> None:
            # requests says which bundle or folder counts, and whether it is there. A connection would read it into the
            # context that all share; so it is read here, and the connection is not told of it.
            with self._lock:
                super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]
                where = (conn.ca_certs, conn.ca_cert_dir)
                conn.ca_certs = conn.ca_cert_dir = None
                if where not in self._loaded and any(where):
                    self._context.load_verify_locations(*where)
                    self._loaded.add(where)

    return Adapter


def _no_netrc(request: t.Any) -> t.Any:
    """Given as C(auth), it keeps requests from replacing our Authorization header by one from ~/.netrc."""
    return request


@dataclasses.dataclass(frozen=True)
class _TokenReply:
    status_code: int
    text: str = dataclasses.field(repr=False)
    headers: t.Mapping[str, str]


class PatientTokenHttp:
    """The HTTP client that msal is given: our session, timeouts and patience.

    msal remembers faults for seconds to minutes and would answer a second try from that memory; so faults are
    waited out below it, and it only ever sees Entra's final word.
    """

    def __init__(self, transport: Transport, retry_timeout: float) -> None:
        self._transport = transport
        self._retry_timeout = retry_timeout

    def get(self, url: str, params: t.Any = None, headers: t.Any = None, **_ignored: t.Any) -> _TokenReply:
        reply = self._send("GET", url, params=params, headers=headers)
        if reply.status_code >= 400:  # discovery: msal would drop the AADSTS text
            raise entra_error(json.loads(reply.text), "this tenant")
        return reply

    def post(
        self, url: str, params: t.Any = None, data: t.Any = None, headers: t.Any = None, **_ignored: t.Any
    ) -> _TokenReply:
        return self._send("POST", url, params=params, data=data, headers=headers)

    def close(self) -> None:
        """The session belongs to the transport."""

    def _send(self, method: str, url: str, **kwargs: t.Any) -> _TokenReply:
        host = urllib.parse.urlsplit(url).hostname
        patience = Patience(self._retry_timeout, self._transport.clock)
        while True:
            told, spent = None, 0.0
            try:
                response = self._transport.send(method, url, **kwargs)
                if response.status != 429 and response.status < 500:
                    return self._reply(response, host)
                told = told_wait(response.headers, response.date)
                error: OffboardingError = CredentialError(
                    f"Entra ID ({host}) answered {response.status}"
                    + (f" and asks to wait {told:g} s" if told else "")
                    + f"; gave up after {patience.waited:.0f} s of waiting.",
                    code=f"http_{response.status}",
                    request_id=response.headers.get("x-ms-request-id"),
                )
            except NetworkError as exc:
                if exc.final:
                    raise
                error, spent = exc, exc.spent
            wait = patience.next_wait(told, spent)
            if wait is None:
                raise error
            self._transport.clock.sleep(wait)

    @staticmethod
    def _reply(response: Response, host: str | None) -> _TokenReply:
        answer = response.json
        if not isinstance(answer, dict):
            raise CredentialError(
                f"Entra ID ({host}) answered {response.status} with something that is no JSON.",
                code=f"http_{response.status}",
                hint="A proxy's page? Check proxy and authority_url.",
            )
        return _TokenReply(response.status, response.body.decode("utf-8", "replace"), response.headers)
