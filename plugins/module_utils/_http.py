# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP to Microsoft: one session, bounded time, and retries for token requests."""

from __future__ import annotations

import dataclasses
import datetime
import http.client
import io
import json
import re
import sys
import threading
import time
import typing as t
import urllib.parse
import zlib

from ._clouds import metadata
from ._credentials import entra_error
from ._errors import CredentialError, MicrosoftCode, MissingLibraryError, NetworkError, OffboardingError
from ._foreign import clean, one_line
from ._retry import Clock, RetryBudget, http_date, retry_after

USER_AGENT = "ansible-m365.offboarding"

# An answer is read completely; ours are far smaller than this. It is inflated in chunks, so that no more than this
# and one chunk is ever held: a megabyte of gzip may hold a gigabyte.
_LARGEST_ANSWER = 64 * 1024 * 1024
_CHUNK = 64 * 1024
# How far a time may differ from the one expected after the first answer, and the first one from the controller's,
# which is good only for a rough check.
_PLAUSIBLE_SKEW = datetime.timedelta(minutes=15)
_PLAUSIBLE_ERA = datetime.timedelta(days=3650)
# Attempts to reach a host that never answered: a mistyped address must not use up `retry_timeout`.
_CONNECT_ATTEMPTS = 3
# Where requests takes a proxy from, in any case, when the option is not set.
_PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
# A shorter password is masked only as a part of its address: it would match in many other words.
_SHORTEST_SECRET = 4
# The texts with which OpenSSL refuses a certificate, and urllib3 1.26, which checks the names itself.
_UNTRUSTED = ("CERTIFICATE_VERIFY_FAILED", "doesn't match", "no appropriate subjectAltName")


# JSON of which no text can hold an unwanted character: neither an escape nor anything but printable ASCII.
_PLAIN = re.compile(rb"[\t\n\r\x20-\x5b\x5d-\x7e]*")


@dataclasses.dataclass(frozen=True)
class Response:
    """What came back. Header names are lower case, values are clean; `body` is empty when it could not be decoded.

    An implausible `date` is removed from the headers: see `Transport`.
    """

    status: int
    headers: t.Mapping[str, str]
    body: bytes

    @property
    def json(self) -> t.Any:
        """The body as JSON, its texts clean; `None` when it is not JSON (a proxy's page, a truncated answer)."""
        try:
            value = json.loads(self.body)
            return value if _PLAIN.fullmatch(self.body) else clean(value)
        except (ValueError, RecursionError):
            return None

    @property
    def date(self) -> datetime.datetime | None:
        return http_date(self.headers.get("date"))


def proxy_secrets(proxy: str | None, environment: t.Mapping[str, str]) -> set[str]:
    """The secrets of the proxies in use: `user:password`, and the password as it is and percent-decoded."""
    addresses = [proxy or "", *(environment[name] for name in environment if name.upper() in _PROXY_VARIABLES)]
    secrets: set[str] = set()
    for address in addresses:
        # Not by `urlsplit`, which misreads a password with a slash or a number sign.
        userinfo, at, _host = address.partition("://")[2 if "://" in address else 0].rpartition("@")
        _user, colon, password = userinfo.partition(":")
        if at and colon and password:
            secrets.add(userinfo)
            secrets |= {one for one in (password, urllib.parse.unquote(password)) if len(one) >= _SHORTEST_SECRET}
    return secrets


class Transport:
    """One HTTP session for all requests. It sends once and never retries: only the caller knows what may be repeated.

    It passes on the header `Date` only if it is plausible: the first one must be within
    ten years of the controller's time, each further one within 15 minutes of the time expected after the first.
    The first one is Entra ID's, unless no token is requested.

    :param timeout: seconds for the whole request, from connecting to the last byte of the answer.
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
        # True lets that variable apply, a path or False does not.
        self._verify: bool | str = (ca_path or True) if validate_certs else False
        if not validate_certs:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        proxy = _proxy_address(proxy)
        self._proxies = {"http": proxy, "https": proxy} if proxy else None
        self.timeout = timeout
        self.session = requests.Session()
        # Even when it does not follow a redirection, requests reads its body whole and stumbles over a malformed address.
        self.session.get_redirect_target = lambda _reply: None  # type: ignore[method-assign,assignment]
        self._deadline = _Deadline()
        self.session.mount("https://", _adapter(self._deadline, one_context=validate_certs)(pool_maxsize=in_flight))
        # Only a managed identity's endpoint, on this machine, is asked without TLS.
        self.session.mount("http://", _adapter(self._deadline, one_context=False)())
        self.session.headers["User-Agent"] = USER_AGENT
        self.session.headers["Accept-Encoding"] = "gzip"  # the only one that `_read` inflates
        # Attempts to reach a host that never answered; -1 once it did.
        self._failed_attempts: dict[str, int] = {}
        self._lock = threading.Lock()
        # The first plausible time of an answer, and when it arrived by our monotonic clock.
        self.shown: tuple[datetime.datetime, float] | None = None

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: t.Mapping[str, str] | None = None,
        params: t.Any = None,
        data: t.Any = None,
        within: float | None = None,
    ) -> Response:
        """Send one request and read its answer.

        :param within: seconds to wait for the answer, where that is not `timeout`.
        :raises NetworkError: no answer.
        """
        host = urllib.parse.urlsplit(url).hostname or url
        if self._failed_attempts.get(host, 0) >= _CONNECT_ATTEMPTS:
            raise self._unreached(host, f"Earlier attempts to reach {host} failed.")
        began = self.clock.monotonic()
        try:
            response = self._send(method, url, host, within or self.timeout, headers=headers, params=params, data=data)
        except NetworkError as exc:
            exc.spent = self.clock.monotonic() - began
            raise
        self._failed_attempts[host] = -1
        return response

    def _send(self, method: str, url: str, host: str, within: float, **content: t.Any) -> Response:
        exceptions = self._requests.exceptions
        ends = self.clock.monotonic() + within
        self._deadline.set(within)
        secure = url.lower().startswith("https:")
        try:
            with self.session.request(
                method,
                url,
                **content,
                auth=_no_netrc,
                timeout=self.timeout if within == self.timeout else (self.timeout, within),
                verify=self._verify,
                # Only a managed identity's endpoint is not https: it is on the machine, and no proxy can reach it.
                proxies=self._proxies if secure else {"no_proxy": "*"},
                allow_redirects=False,  # a bearer token must not travel to another host
                stream=True,
            ) as reply:
                names = {name.lower(): one_line(clean(value)) for name, value in reply.headers.items()}
                if not self._is_plausible(http_date(names.get("date")), note=secure):
                    names.pop("date", None)
                return Response(reply.status_code, names, self._read(reply, host, ends, within))
        except NetworkError:
            raise
        except (exceptions.RequestException, self._urllib3.exceptions.HTTPError) as exc:
            raise self._explain(exc, host, within) from None
        except OSError:  # requests complains so about a CA bundle that does not exist
            raise NetworkError(
                "The CA bundle for TLS cannot be read.",
                reached=False,
                final=True,
                hint="Check ca_path or REQUESTS_CA_BUNDLE.",
            ) from None

    def ignore_clock(self, date: datetime.datetime) -> None:
        """Discard the first time if it turned out not to be Microsoft's."""
        with self._lock:
            if self.shown and self.shown[0] == date:
                self.shown = None

    def _is_plausible(self, date: datetime.datetime | None, *, note: bool) -> bool:
        """Whether `date` may be Microsoft's time.

        :param note: whether further dates are to be compared with it; not that of a machine's own endpoint.
        """
        if date is None:
            return False
        now = self.clock.monotonic()
        with self._lock:
            if self.shown is not None:
                shown, at = self.shown
                return abs(date - shown - datetime.timedelta(seconds=now - at)) <= _PLAUSIBLE_SKEW
            plausible = abs(date - datetime.datetime.now(datetime.timezone.utc)) <= _PLAUSIBLE_ERA
            if plausible and note:
                self.shown = (date, now)
            return plausible

    def _read(self, reply: t.Any, host: str, ends: float, within: float) -> bytes:
        """The body, read until `ends` and up to a size, so that a body that trickles or inflates forever ends.

        :raises NetworkError: too slow or too large.
        """
        read = getattr(reply.raw, "read1", None) or reply.raw.read
        body = bytearray()
        try:
            for chunk in _decoded(iter(lambda: read(_CHUNK, decode_content=False), b""), reply.headers):
                body += chunk
                if len(body) > _LARGEST_ANSWER:
                    raise NetworkError(
                        f"The answer of {host} is larger than {_LARGEST_ANSWER // 2**20} MiB.", reached=True, final=True
                    )
                if self.clock.monotonic() > ends:
                    raise self._unfinished(host, within)
        except zlib.error:
            return b""  # Exchange declares NUL bytes as gzip in some refusals; the status says enough
        except self._urllib3.exceptions.TimeoutError:
            raise self._unfinished(host, within) from None
        return bytes(body)

    def _unfinished(self, host: str, within: float) -> NetworkError:
        return NetworkError(f"{host} did not finish its answer within {within:g} s.", reached=True, late=True)

    def _explain(self, exc: Exception, host: str, within: float) -> NetworkError:
        exceptions = self._requests.exceptions
        text = str(exc)
        if isinstance(exc, exceptions.SSLError) and any(mark in text for mark in _UNTRUSTED):
            return NetworkError(
                f"{host} presented a TLS certificate that this machine does not trust.",
                reached=False,
                final=True,
                hint="If a proxy inspects TLS, set ca_path or REQUESTS_CA_BUNDLE to its CA.",
            )
        if isinstance(exc, (exceptions.InvalidURL, exceptions.InvalidSchema, exceptions.InvalidProxyURL)):
            return NetworkError(
                f"The address of {host}, or that of the proxy, is malformed.", reached=False, final=True
            )
        if isinstance(exc, exceptions.ProxyError):
            return self._unreached(
                host, f"The connection to {host} failed at the proxy.", "Check proxy or HTTPS_PROXY."
            )
        if isinstance(exc, exceptions.ConnectTimeout):
            return self._unreached(host, f"{host} did not accept a connection within {self.timeout:g} s.")
        if isinstance(exc, (exceptions.Timeout, self._urllib3.exceptions.TimeoutError)):
            return NetworkError(f"{host} did not answer within {within:g} s.", reached=True, late=True)
        if any(mark in text for mark in ("NameResolutionError", "Failed to resolve", "Name or service not known")):
            return self._unreached(host, f"The name {host} cannot be resolved.", "Check DNS, proxy and addresses.")
        if "NewConnectionError" in text:
            return self._unreached(host, f"{host} cannot be reached.", "Check network, firewall and proxy.")
        return NetworkError(f"The connection to {host} was lost before an answer arrived.", reached=True)

    def _unreached(self, host: str, message: str, hint: str | None = None) -> NetworkError:
        attempts = self._failed_attempts.get(host, 0)
        if attempts >= 0:
            self._failed_attempts[host] = attempts = attempts + 1
        return NetworkError(message, reached=False, final=attempts >= _CONNECT_ATTEMPTS, hint=hint)


def _proxy_address(proxy: str | None) -> str | None:
    """A proxy's address with its scheme in lower case: requests and urllib3 do not agree on what another one means."""
    scheme, mark, rest = (proxy or "").strip().partition("://")
    return f"{scheme.lower()}{mark}{rest}" or None


def _decoded(chunks: t.Iterator[bytes], headers: t.Mapping[str, str]) -> t.Iterator[bytes]:
    """The content of a body, in pieces of bounded size.

    :raises zlib.error: it is not what its header says.
    """
    coding = (headers.get("Content-Encoding") or "identity").strip().lower()
    if coding == "identity":
        yield from chunks
        return
    if coding not in ("gzip", "x-gzip"):
        raise zlib.error("a coding that was not asked for")
    whole = False
    inflate = zlib.decompressobj(wbits=31)
    for chunk in chunks:
        while chunk:
            yield inflate.decompress(chunk, _CHUNK)
            chunk = inflate.unconsumed_tail
            if inflate.eof:
                # A file of gzip may have several members (RFC 1952, section 2.2).
                whole, chunk, inflate = True, inflate.unused_data, zlib.decompressobj(wbits=31)
                if chunk[:1] != b"\x1f":  # what follows the last member is padding
                    return
    if not whole:
        raise zlib.error("cut off")


class _Deadline:
    """The deadline of the request that a thread is making."""

    def __init__(self) -> None:
        self._local = threading.local()

    def set(self, seconds: float) -> None:
        self._local.ends = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds, never 0, which means "for ever" or "at once" to a socket."""
        return max(getattr(self._local, "ends", 0.0) - time.monotonic(), 0.001)


class _Timed(io.RawIOBase):
    """Read from a socket, waiting only until the deadline.

    A socket's own timeout begins again with each byte: headers at one byte a second would never time out.
    """

    def __init__(self, raw: t.Any, sock: t.Any, deadline: _Deadline) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int | None:
        self._sock.settimeout(self._deadline.left)
        return t.cast("int | None", self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


def _timed(pools: t.Mapping[str, t.Any], deadline: _Deadline) -> dict[str, t.Any]:
    """These pools of urllib3, by scheme, with connections that read their answers by the deadline.

    An answer reads from a file that it makes of its connection's socket (`http.client.HTTPResponse`); so does what a
    proxy answers to CONNECT.
    """

    class TimedAnswer(http.client.HTTPResponse):
        def __init__(self, sock: t.Any, *args: t.Any, **options: t.Any) -> None:
            http.client.HTTPResponse.__init__(self, sock, *args, **options)
            self.fp: t.Any = io.BufferedReader(_Timed(t.cast("t.Any", self.fp).detach(), sock, deadline))

    found = {}
    for scheme, pool in pools.items():
        connection = type("TimedConnection", (pool.ConnectionCls,), {"response_class": TimedAnswer})
        found[scheme] = type("TimedPool", (pool,), {"ConnectionCls": connection})
    return found


def _adapter(deadline: _Deadline, *, one_context: bool) -> t.Any:
    """An adapter of requests that keeps the deadline.

    :param one_context: read the CA bundle once, and not for every connection: certifi's takes 26 ms each time.

    https://requests.readthedocs.io/en/latest/user/advanced/#transport-adapters and
    https://urllib3.readthedocs.io/en/stable/advanced-usage.html#custom-ssl-contexts
    """
    import requests
    from urllib3.util.ssl_ import create_urllib3_context

    class TimedAdapter(requests.adapters.HTTPAdapter):
        def init_poolmanager(self, *args: t.Any, **options: t.Any) -> None:
            super().init_poolmanager(*args, **options)
            self.poolmanager.pool_classes_by_scheme = _timed(self.poolmanager.pool_classes_by_scheme, deadline)

        def proxy_manager_for(self, proxy: str, **options: t.Any) -> t.Any:
            known = proxy in self.proxy_manager
            manager = super().proxy_manager_for(proxy, **options)
            if not known:
                manager.pool_classes_by_scheme = _timed(manager.pool_classes_by_scheme, deadline)
            return manager

    class Adapter(TimedAdapter):
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
            # requests determines the bundle or folder, and whether it exists. A connection would read it into the
            # shared context; so it is read here, and not passed to the connection.
            with self._lock:
                super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]
                where = (conn.ca_certs, conn.ca_cert_dir)
                conn.ca_certs = conn.ca_cert_dir = None
                if where not in self._loaded and any(where):
                    self._context.load_verify_locations(*where)
                    self._loaded.add(where)

    return Adapter if one_context else TimedAdapter


def _no_netrc(request: t.Any) -> t.Any:
    """Given as `auth`, it keeps requests from replacing our Authorization header by one from ~/.netrc."""
    return request


@dataclasses.dataclass(frozen=True)
class _TokenReply:
    status_code: int
    text: str = dataclasses.field(repr=False)
    headers: t.Mapping[str, str]


class PatientTokenHttp:
    """The HTTP client for msal, with our session, timeouts and retries.

    msal remembers faults for seconds to minutes and would answer a second try from that memory; so faults are
    retried below it, and it only sees the final answer of Entra ID, or of a managed identity's endpoint.
    """

    def __init__(self, transport: Transport, retry_timeout: float) -> None:
        self._transport = transport
        self._retry_timeout = retry_timeout
        self.refusal: t.Mapping[str, t.Any] | None = None

    def get(self, url: str, params: t.Any = None, headers: t.Any = None, **_ignored: t.Any) -> _TokenReply:
        """Ask for the metadata of an authority, or a managed identity's endpoint for a token.

        Known metadata is not requested: msal would read it in each run of a module.

        An error answer of the latter is passed to msal: Azure Arc's first one names the file to read. Its content is
        kept in `refusal`.
        """
        known = metadata(url)
        if known:
            return _TokenReply(200, json.dumps(known), {})
        if _is_metadata(url):
            reply = self._send("GET", url, params=params, headers=headers)
            if reply.status_code >= 400:  # msal would drop the AADSTS text
                raise entra_error(json.loads(reply.text), "this tenant")
            return reply
        reply = self._send("GET", url, of_identity=True, params=params, headers=headers)
        self.refusal = json.loads(reply.text or "{}") if reply.status_code >= 400 else None
        return reply

    def post(
        self, url: str, params: t.Any = None, data: t.Any = None, headers: t.Any = None, **_ignored: t.Any
    ) -> _TokenReply:
        if not url.lower().startswith("https:"):  # the address comes from the authority's metadata
            raise CredentialError("The token endpoint in Entra ID's metadata is not https; nothing was sent to it.")
        return self._send("POST", url, params=params, data=data, headers=headers)

    def close(self) -> None:
        """The session belongs to the transport."""

    def _send(self, method: str, url: str, *, of_identity: bool = False, **kwargs: t.Any) -> _TokenReply:
        host = urllib.parse.urlsplit(url).hostname
        who = f"The managed identity endpoint ({host})" if of_identity else f"Entra ID ({host})"
        budget = RetryBudget(self._retry_timeout, self._transport.clock)
        while True:
            delay, spent = None, 0.0
            try:
                response = self._transport.send(method, url, **kwargs)
                if not _passes(response.status, url if of_identity else ""):
                    return self._reply(response, who, of_identity=of_identity)
                delay = retry_after(response.headers, response.date)
                error: OffboardingError = CredentialError(
                    f"{who} answered {response.status}"
                    + (f" and asked us to wait {delay:g} s" if delay else "")
                    + f"; gave up after {budget.waited:.0f} s of waiting.",
                    code=MicrosoftCode(f"http_{response.status}"),
                    request_id=response.headers.get("x-ms-request-id"),
                )
            except NetworkError as exc:
                if exc.final:
                    raise
                error, spent = exc, exc.spent
            wait = budget.next_wait(delay, spent)
            if wait is None:
                raise error
            self._transport.clock.sleep(wait)

    @staticmethod
    def _reply(response: Response, who: str, *, of_identity: bool) -> _TokenReply:
        answer = response.json
        # Azure Arc's challenge is a header; its body is not documented.
        if of_identity and response.status == 401 and not isinstance(answer, dict):
            answer = {}
        if not isinstance(answer, dict):
            raise CredentialError(
                f"{who} answered {response.status} with something other than JSON.",
                code=MicrosoftCode(f"http_{response.status}"),
                hint="Check that this machine has a managed identity."
                if of_identity
                else "A proxy may have answered: check proxy and authority_url.",
            )
        # With a Retry-After, msal would answer its own next request from memory.
        headers = {name: value for name, value in response.headers.items() if name != "retry-after"}
        return _TokenReply(response.status, json.dumps(answer), headers)


def _is_metadata(url: str) -> bool:
    """Whether an address is that of an authority's metadata: OpenID Connect Discovery 1.0, section 4."""
    return urllib.parse.urlsplit(url).path.endswith("/.well-known/openid-configuration")


def _passes(status: int, identity_url: str) -> bool:
    """Whether an error of Entra ID, or of the managed identity's endpoint at this address, is temporary.

    Azure's instance metadata service also answers 404 while it is being updated, and 410 for up to 70 seconds:
    https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#error-handling
    """
    if status in (404, 410):
        return urllib.parse.urlsplit(identity_url).path.endswith("/metadata/identity/oauth2/token")
    return status == 429 or status >= 500
