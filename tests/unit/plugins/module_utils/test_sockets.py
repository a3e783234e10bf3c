# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real sockets, real time: answers that drip or inflate, and the endpoints of managed identities, asked through msal."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import json
import socketserver
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from ansible_collections.m365.offboarding.plugins.module_utils._credentials import Credential, TokenSource
from ansible_collections.m365.offboarding.plugins.module_utils._errors import NetworkError, OffboardingError
from ansible_collections.m365.offboarding.plugins.module_utils._http import PatientTokenHttp, Transport

# The oldest msal that we allow uses a function of its own that it calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:msal")

IMDS = "http://169.254.169.254"
GRAPH_URL = "https://graph.microsoft.com"
CLIENT_ID = "11111111-2222-4333-8444-555555555555"


# --- what drips ---


@contextlib.contextmanager
def listening(talk: Callable[[Any], None], requests: int = 1) -> Iterator[str]:
    """Listen on a socket of this machine, hear some requests on a connection, and let ``talk`` answer each of them."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for _request in range(requests):
                while self.rfile.readline().strip():
                    pass
                with contextlib.suppress(OSError):
                    talk(self.wfile)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()


# What comes at once, and what then drips.
IN_THE_HEADERS = b"HTTP/1.1 200 OK\r\nX-Long: ", [b"x"] * 100
UNANSWERED = {
    "silence": (b"", [b""]),
    "status line": (b"HTTP/1.1 200 ", [b"O"] * 100),
    "headers": IN_THE_HEADERS,
    "endless headers": (b"HTTP/1.1 200 OK\r\n", [b"X: y\r\n"] * 80),
    "informational answers": (b"", [b"HTTP/1.1 100 Continue\r\n\r\n"] * 100),
}
PACKED = gzip.compress(b"x" * 1000) + b"x" * 100
UNFINISHED = {
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", [b"x"] * 100),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", [b"1\r\nx\r\n"] * 100),
    "size of a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", [b"0"] * 100),
    "packed body": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n",
        [bytes([byte]) for byte in PACKED],
    ),
}


def dripping(at_once: bytes, drops: list[bytes]) -> Callable[[Any], None]:
    """Return a talk that takes longer than any timeout of these tests."""

    def talk(file: Any) -> None:
        file.write(at_once)
        for drop in drops:
            file.write(drop)
            file.flush()
            time.sleep(0.2 if drop else 10)

    return talk


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        *((where, "did not answer within 1 s") for where in UNANSWERED),
        *((where, "did not finish its answer within 1 s") for where in UNFINISHED),
    ],
)
def test_whatever_drips_ends_with_the_timeout(where, sentence):
    with listening(dripping(*{**UNANSWERED, **UNFINISHED}[where])) as url:
        began = time.monotonic()
        with pytest.raises(NetworkError) as caught:
            Transport(timeout=1).send("GET", url)

    assert time.monotonic() - began < 9
    assert sentence in caught.value.message
    assert caught.value.reached


def test_a_proxy_that_drips_ends_with_the_timeout():
    with listening(dripping(*IN_THE_HEADERS)) as url:
        began = time.monotonic()
        with pytest.raises(NetworkError):
            Transport(timeout=1, proxy=url).send("GET", "https://graph.microsoft.com/v1.0/users")

    assert time.monotonic() - began < 9


def test_a_bomb_is_refused_within_bounds():
    packed = gzip.compress(bytes(128 * 1024 * 1024))

    def explode(file: Any) -> None:
        file.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + packed)

    with listening(explode) as url, pytest.raises(NetworkError, match="larger than 64 MiB"):
        Transport().send("GET", url)


def test_headers_are_cleaned_and_a_connection_is_used_again():
    def talk(file: Any) -> None:
        file.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nrequest-id: a\x9bb\x1b\r\n\r\n{}")

    with listening(talk, requests=2) as url:
        transport = Transport(timeout=5)
        for _time in range(2):
            answer = transport.send("GET", url)

            assert answer.headers["request-id"] == "a\ufffdb\ufffd"
            assert answer.json == {}


# --- managed identities ---


class Endpoint:
    """A managed identity's endpoint on this machine; ``script`` holds answers, the last of which is repeated."""

    def __init__(self, *script: tuple[int, dict[str, str], Any]) -> None:
        self.script = list(script)
        self.asked: list[tuple[dict[str, str], dict[str, str]]] = []

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query))
        self.asked.append((query, headers))
        status, reported, body = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return status, reported, body if isinstance(body, bytes) else json.dumps(body).encode()


@contextlib.contextmanager
def serving(endpoint: Endpoint) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, reported, body = endpoint.answer(self.path, headers)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **reported}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def ask(clock, retry_timeout: float = 300, client_id: str | None = None) -> Any:
    http_client = PatientTokenHttp(Transport(clock=clock), retry_timeout)
    source = TokenSource(
        Credential("managed_identity", {"managed_identity": True}),
        tenant_id=None,
        client_id=client_id,
        authority_url="",
        http=http_client,
        on_secret=lambda _secret: None,
        monotonic=clock.monotonic,
    )
    return source.token(GRAPH_URL, "Microsoft Graph")


def refused(clock, **options: Any) -> OffboardingError:
    with pytest.raises(OffboardingError) as caught:
        ask(clock, **options)
    return caught.value


def machine(_url: str) -> dict[str, str]:
    return {}


def arc(url: str) -> dict[str, str]:
    return {"IDENTITY_ENDPOINT": f"{url}/metadata/identity/oauth2/token", "IMDS_ENDPOINT": url}


def app_service(url: str) -> dict[str, str]:
    return {"IDENTITY_ENDPOINT": f"{url}/msi/token", "IDENTITY_HEADER": "the-header"}


LATER = str(int(time.time()) + 3600)
TOKEN = (200, {}, {"access_token": "a.b.c", "expires_in": "3599", "expires_on": LATER, "token_type": "Bearer"})
BROKEN = [(404, {}, b""), (410, {}, b"<html>"), (429, {"Retry-After": "2"}, {}), (500, {}, {}), (503, {}, b"x")]
HOSTS = {"machine": machine, "arc": arc, "app service": app_service}


@pytest.fixture
def host(monkeypatch):
    """Let msal find the endpoint of this kind of host, at this address."""

    def install(kind: str, url: str) -> None:
        for name, value in HOSTS[kind](url).items():
            monkeypatch.setenv(name, value)

        def send(session: Any, method: str, address: str, **options: Any) -> Any:
            # Every virtual machine's is at one address, which is nobody's to listen on here.
            assert address.startswith((IMDS, url)), f"{address} is not of this test"
            return real(session, method, address.replace(IMDS, url), **options)

        real = requests.Session.request
        monkeypatch.setattr(requests.Session, "request", send)

    return install


@pytest.fixture
def key(monkeypatch, tmp_path):
    """The folder in which msal looks for the keys of Azure Arc's agent, here one of this test."""
    from msal import managed_identity

    folders = dict.fromkeys(managed_identity._supported_arc_platforms_and_their_prefixes, str(tmp_path))
    folders[sys.platform] = str(tmp_path)
    monkeypatch.setattr(managed_identity, "_supported_arc_platforms_and_their_prefixes", folders)
    file = tmp_path / "a-key.key"
    file.write_text("c2VjcmV0")
    return file


def challenge(file: Any, body: Any = b"", **headers: str) -> tuple[int, dict[str, str], Any]:
    return 401, {"WWW-Authenticate": f"Basic realm={file}", **headers}, body


@pytest.mark.parametrize("kind", ["machine", "app service"])
@pytest.mark.parametrize("client_id", [None, CLIENT_ID])
def test_a_token_of_this_machine(clock, host, kind, client_id):
    endpoint = Endpoint(TOKEN)
    with serving(endpoint) as url:
        host(kind, url)
        assert ask(clock, client_id=client_id).value == "a.b.c"

    ((query, headers),) = endpoint.asked
    assert query["resource"] == GRAPH_URL
    assert query.get("client_id") == client_id
    assert headers.get("x-identity-header") == ("the-header" if kind == "app service" else None)


@pytest.mark.parametrize(
    ("body", "more"), [(b"", {}), (b"<html>", {}), ({"error": "unauthorized"}, {}), (b"", {"Retry-After": "5"})]
)
def test_azure_arc_asks_for_the_key_first(clock, host, key, body, more):
    endpoint = Endpoint(challenge(key, body, **more), TOKEN)
    with serving(endpoint) as url:
        host("arc", url)
        assert ask(clock).value == "a.b.c"

    assert [headers.get("authorization") for _query, headers in endpoint.asked] == [None, "Basic c2VjcmV0"]
    assert clock.naps == []


def test_azure_arc_is_waited_for_before_and_after_the_key(clock, host, key):
    endpoint = Endpoint((503, {}, b""), challenge(key), (429, {"Retry-After": "3"}, {}), TOKEN)
    with serving(endpoint) as url:
        host("arc", url)
        assert ask(clock).value == "a.b.c"

    assert clock.naps == [1, 3]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_machine_that_is_busy_is_waited_for(clock, host, broken):
    endpoint = Endpoint(broken, broken, broken, TOKEN)
    with serving(endpoint) as url:
        host("machine", url)
        assert ask(clock).value == "a.b.c"

    assert len(endpoint.asked) == 4
    assert clock.naps == ([2, 2, 2] if broken[0] == 429 else [1, 2, 4])


@pytest.mark.parametrize("broken", BROKEN)
def test_a_machine_that_stays_busy_is_reported_within_retry_timeout(clock, host, broken):
    with serving(Endpoint(broken)) as url:
        host("machine", url)
        error = refused(clock, retry_timeout=20)

    assert clock.passed <= 20
    assert f"The managed identity endpoint (169.254.169.254) answered {broken[0]}" in error.message


@pytest.mark.parametrize(
    ("kind", "answer", "sentence"),
    [
        ("machine", (400, {}, {"error": "invalid_request", "error_description": "Identity not found"}), "Identity not"),
        ("machine", (403, {}, {"error": {"code": "Denied", "message": "No."}}), "No."),
        ("machine", (400, {}, b"<html>"), "answered 400 with something other than JSON"),
        ("machine", (200, {}, b"<html>"), "answered 200 with something other than JSON"),
        ("machine", (302, {"Location": "http://elsewhere/"}, b""), "answered 302 with something other than JSON"),
        ("machine", (200, {}, {"expires_in": "3599"}), "neither a token"),
        ("app service", (200, {}, {"access_token": "a.secret.token"}), "neither a token"),
        ("machine", (400, {}, {"error_description": "\x1b[2J \ud83d no\u202e"}), "\ufffd[2J \ufffd no\ufffd"),
        ("app service", (400, {}, {"statusCode": 400, "message": "No MSI found"}), "No MSI found"),
        ("app service", (404, {}, {"statusCode": 404, "message": "Gone"}), "Gone"),
        ("arc", (401, {}, b""), "ManagedIdentityError"),
        ("arc", (403, {}, {"error": "forbidden", "error_description": "Not allowed"}), "Not allowed"),
    ],
)
def test_a_refusal_of_the_machine_is_one_sentence(clock, host, kind, answer, sentence):
    endpoint = Endpoint(answer)
    with serving(endpoint) as url:
        host(kind, url)
        error = refused(clock)

    assert sentence in error.message
    assert "Entra ID refused" not in error.message
    assert "secret" not in str(error)
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize("large", [False, True])
def test_a_key_of_azure_arc_that_cannot_be_used_is_reported(clock, host, key, large):
    if large:
        key.write_text("x" * 5000)
    else:
        key.unlink()
    with serving(Endpoint(challenge(key))) as url:
        host("arc", url)
        error = refused(clock)

    if not large:
        assert "key of this machine's managed identity cannot be read: no such file" in error.message
        assert "himds" in error.hint
    assert "x" * 20 not in str(error)
