# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tenant as a running thing: three services behind three TLS ports, in one event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import socket
import ssl
import tempfile
import threading
import time
import traceback
import uuid
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from email.utils import formatdate
from pathlib import Path
from typing import Any, Protocol, Self

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from .apps import MANAGE_AS_APP, App, registered
from .certificates import REAL_NAMES, Authority
from .control import Control
from .directory import Directory
from .entra import ISSUER, Entra
from .exchange import Exchange
from .faults import Faults
from .graph import Graph
from .journal import Journal
from .tokens import Tokens
from .wire import Answer, Call

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

NAMES = ("entra", "graph", "exchange")
# A client that goes by a private hosts file reaches every service by its real name, on whatever port.
_BY_HOST = {
    name: "graph" if name.startswith("graph") else "exchange" if name.startswith("outlook") else "entra"
    for name in REAL_NAMES
}


class Service(Protocol):
    """What a listener talks to."""

    def describe(self, call: Call) -> None:
        """Find out what a request is about, for the journal and the faults."""

    def answer(self, call: Call) -> Answer:
        """Serve it."""


class Tenant:
    """A Microsoft 365 tenant on 127.0.0.1.

        with Tenant() as tenant:
            tenant.environment, tenant.directory, tenant.journal, tenant.faults ...

    `directory` and the switches in it may be changed at any time; `reset()` brings back the first day.
    """

    def __init__(
        self,
        *,
        folder: Path | None = None,
        journal: Path | None = None,
        ports: dict[str, int] | None = None,
        domain: str = "contoso.com",
        latency: float = 0.0,
        host: Tenant | None = None,
    ) -> None:
        """`latency`: seconds added to every answer, of which any number may be on its way at once.

        `host`: the tenant whose listeners serve this one too; see `neighbour`.
        """
        self._own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="m365-simulator-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self._host = host
        self.authority: Authority = host.authority if host else Authority()
        self.ca_path: Path = host.ca_path if host else self.folder / "ca.pem"
        self.directory = Directory(registered(ISSUER), str(uuid.uuid4()), domain, numbered=host is not None)
        self.journal = Journal(journal)
        self.faults = Faults()
        self.tokens: Tokens = Tokens(self.directory, host.tokens if host else None)
        self._latency = latency
        # Seconds added to every answer.
        self.delay = latency
        # Tracebacks of our own mistakes; a test may assert that there are none.
        self.crashes: list[str] = host.crashes if host else []
        self.entra: Entra = Entra(self.directory, self.tokens, host.entra.issuer_key if host else None)
        self.graph = Graph(self.directory, self.tokens, lambda call: self.serve("graph", call))
        self.exchange = Exchange(self.directory, self.tokens, lambda call: self.serve("exchange", call))
        self._services: dict[str, Service] = {"entra": self.entra, "graph": self.graph, "exchange": self.exchange}
        self._control = Control(self)
        self._wanted_ports = ports or {}
        self.ports: dict[str, int] = host.ports if host else {}
        # By tenant id: those behind the same listeners.
        self.neighbours: dict[str, Tenant] = {}
        self._servers: list[uvicorn.Server] = []
        self._thread: threading.Thread | None = None

    # Addresses and credentials -----------------------------------------------------------------------------------

    def url(self, name: str) -> str:
        return f"https://127.0.0.1:{self.ports[name]}"

    @property
    def authority_url(self) -> str:
        return self.url("entra")

    @property
    def graph_url(self) -> str:
        return self.url("graph")

    @property
    def exchange_url(self) -> str:
        return self.url("exchange")

    @property
    def tenant_id(self) -> str:
        return self.directory.tenant_id

    def app(self, name: str = "offboarding") -> App:
        """A registered application: its `client_id`, `client_secret`, permissions ..."""
        return self.directory.apps[name]

    def environment_of(self, name: str) -> dict[str, str]:
        """Environment variables for an app."""
        app = self.app(name)
        return {
            "AZURE_TENANT_ID": self.tenant_id,
            "AZURE_CLIENT_ID": app.client_id,
            "AZURE_CLIENT_SECRET": app.client_secret,
            "M365_AUTHORITY_URL": self.authority_url,
            "M365_GRAPH_URL": self.graph_url,
            "M365_EXCHANGE_URL": self.exchange_url,
            "REQUESTS_CA_BUNDLE": str(self.ca_path),
            "SSL_CERT_FILE": str(self.ca_path),
        }

    def add_app(
        self,
        name: str,
        *,
        graph: Iterable[str] = (),
        exchange: Iterable[str] | bool = (),
        roles: Iterable[str] = (),
        exchange_roles: Iterable[str] = (),
    ) -> App:
        """Register an application with exactly these permissions and roles; `exchange=True` is Exchange.ManageAsApp."""
        granted = ({MANAGE_AS_APP} if exchange else set()) if isinstance(exchange, bool) else exchange
        app = App(name, frozenset(graph), frozenset(granted), frozenset(roles), frozenset(exchange_roles))
        known = self.directory.apps.get(name)
        if known is not None:
            app.client_id, app.client_secret = known.client_id, known.client_secret
        self.directory.apps[name] = app
        return app

    # Neighbours --------------------------------------------------------------------------------------------------

    def neighbour(self, domain: str, *, same_credentials: bool = False) -> Tenant:
        """One more tenant behind the same listeners, with people, apps, journal, faults and switches of its own.

        Entra knows it by the path; Graph and Exchange, as Microsoft does, by the token. `same_credentials`: its apps are
        those of this tenant, consented to there as well, as those of a service provider are.
        """
        if self.of(domain) is not None:
            raise ValueError(f"there is a tenant {domain} already")
        other = Tenant(folder=self.folder / "tenants" / domain, domain=domain, latency=self._latency, host=self)
        for name, app in other.directory.apps.items():
            if same_credentials:
                own = self.directory.apps[name]
                app.client_id, app.client_secret, app.certificate = own.client_id, own.client_secret, own.certificate
        self.neighbours[other.tenant_id] = other
        return other

    @property
    def all_tenants(self) -> list[Tenant]:
        return [self, *self.neighbours.values()]

    def of(self, name: str) -> Tenant | None:
        """The tenant of this id or domain."""
        return next((tenant for tenant in self.all_tenants if tenant.directory.is_tenant(name)), None)

    def _tenant_of(self, name: str, call: Call) -> Tenant:
        """Whose request it is; nobody's is ours, and refused as such."""
        if name == "entra":
            return self.of(call.target.strip("/").partition("/")[0]) or self
        token = call.headers.get("authorization", "").partition(" ")[2].strip()
        return next((tenant for tenant in self.neighbours.values() if token in tenant.tokens.issued), self)

    @property
    def environment(self) -> dict[str, str]:
        return self.environment_of("offboarding")

    def issued_secrets(self) -> list[str]:
        """Whatever must never appear anywhere: secrets of apps, tokens, assertions, passwords that came in."""
        found = [app.client_secret for app in self.directory.apps.values()]
        found += [app.certificate.passphrase for app in self.directory.apps.values() if app.certificate]
        return [*found, *self.tokens.issued, *self.entra.assertions, *self.graph.writes.received]

    def federated_token(self, name: str = "federated", **claims: Any) -> str:
        """What a workload would find in its token file."""
        return self.entra.federated_token(self.app(name), **claims)

    def certificate_files(self, name: str = "certificate") -> dict[str, str]:
        """Paths of key and certificate in every shape, and the passphrase of the locked ones."""
        return self.app(name).write_certificate(self.folder / "certificates")

    def reset(self) -> None:
        """Fresh people, default switches, no faults, an empty journal. Apps, tokens and collected secrets stay.

        Only this tenant; neighbours are reset by themselves.
        """
        self.faults.clear()
        self.delay = self._latency
        self.directory.reset()
        for app in registered(ISSUER).values():
            own = self.directory.apps[app.name]
            own.graph, own.exchange, own.roles = app.graph, app.exchange, app.roles
            own.exchange_roles = app.exchange_roles
            own.secret_expired, own.enabled = app.secret_expired, app.enabled
        self.journal.clear()

    # One request -------------------------------------------------------------------------------------------------

    def serve(self, name: str, call: Call) -> Answer:
        """Answer one request, outer or inner: journal, faults, service."""
        service = self._services[name]
        service.describe(call)
        entry = self.journal.open(call)
        try:
            answer = self.faults.serve(call, entry, service.answer)
        except Exception:
            self.crashes.append(traceback.format_exc())
            answer = Answer(500, {"error": {"code": "InternalServerError", "message": "The simulator made a mistake."}})
        self.journal.close(entry, call, answer)
        return answer

    async def application(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application of one listener."""
        if scope["type"] != "http":
            return
        try:
            await self._handle(name, scope, receive, send)
        except Exception:
            self.crashes.append(traceback.format_exc())
            raise

    async def _handle(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        host = headers.get("host", "")
        name = _BY_HOST.get(host.partition(":")[0].lower(), name)
        call = Call(
            listener=name,
            method=scope["method"],
            target=(scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0].decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=body,
            origin=f"https://{host}" if _plain(host) else self.url(name),
        )
        if name == "entra" and call.target.startswith("/_tenant/"):
            answer = await self._control.answer(call)
        else:
            tenant = self._tenant_of(name, call) if self.neighbours else self
            answer = tenant.serve(name, call)
            answer.delay += tenant.delay
        await self._send(answer, scope, receive, send)

    async def _send(self, answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
        if answer.delay > 0:
            await asyncio.sleep(answer.delay)
        if answer.close:
            _hang_up(send)
            return
        content = answer.content()
        date = formatdate(time.time() + self.directory.clock_offset, usegmt=True)
        response = Response(content, answer.status, {"Date": date, **answer.headers})
        if answer.status in (204, 304):
            response = Response(None, answer.status, {"Date": date, **answer.headers})
        if answer.truncate is None and answer.drip is None:
            await response(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": response.raw_headers})
        if answer.truncate is not None:
            await send({"type": "http.response.body", "body": content[: answer.truncate], "more_body": True})
            await asyncio.sleep(0.05)
            _hang_up(send)
            return
        for byte in content:
            await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
            await asyncio.sleep(1 / (answer.drip or 1))
        await send({"type": "http.response.body", "body": b""})

    # Running -----------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        self._forget_environment()
        self.ca_path.write_bytes(self.authority.pem)
        self.ca_path.chmod(0o600)
        chain = self.folder / "server.pem"
        self.authority.write_chain(chain)
        sockets = {name: _listen(self._wanted_ports.get(name, 0)) for name in NAMES}
        # In place: neighbours look at the same.
        self.ports.update({name: sock.getsockname()[1] for name, sock in sockets.items()})
        for name in ("graph", "exchange"):
            for host in ("127.0.0.1", "localhost"):
                self.tokens.bases[f"https://{host}:{self.ports[name]}"] = name
        ready = threading.Event()
        failure: list[BaseException] = []
        self._thread = threading.Thread(
            target=self._run, args=(sockets, chain, ready, failure), name="m365-simulator", daemon=True
        )
        self._thread.start()
        ready.wait(30)
        chain.unlink(missing_ok=True)
        if failure or not ready.is_set():
            raise RuntimeError("the simulator did not start") from (failure[0] if failure else None)
        return self

    def _run(
        self, sockets: dict[str, socket.socket], chain: Path, ready: threading.Event, failure: list[BaseException]
    ) -> None:
        try:
            asyncio.run(self._main(sockets, chain, ready))
        except BaseException as error:
            failure.append(error)
        finally:
            ready.set()

    async def _main(self, sockets: dict[str, socket.socket], chain: Path, ready: threading.Event) -> None:
        self._servers = [uvicorn.Server(self._config(name, chain)) for name in NAMES]
        tasks = [
            asyncio.create_task(server.serve(sockets=[sockets[name]]))
            for name, server in zip(NAMES, self._servers, strict=True)
        ]
        while not all(server.started for server in self._servers):
            if any(task.done() for task in tasks):
                break
            await asyncio.sleep(0.01)
        else:
            ready.set()
        await asyncio.gather(*tasks)
        for server in self._servers:
            for connection in list(server.server_state.connections):
                # Not waiting for every client to say goodbye.
                if isinstance(transport := getattr(connection, "transport", None), asyncio.WriteTransport):
                    transport.abort()
        await asyncio.sleep(0.01)

    def _config(self, name: str, chain: Path) -> uvicorn.Config:
        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await self.application(name, scope, receive, send)

        return uvicorn.Config(
            application,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            ssl_certfile=str(chain),
            ssl_version=ssl.PROTOCOL_TLS_SERVER,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=0,
            log_level="critical",
            ws="none",
        )

    def stop(self) -> None:
        for other in self.neighbours.values():
            other.journal.end()
            other._forget_environment()
        for server in self._servers:
            server.should_exit = server.force_exit = True
        if self._thread is not None:
            self._thread.join(10)
            self._thread = None
        self.journal.end()
        self._forget_environment()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_ignored: object) -> None:
        self.stop()

    def _forget_environment(self) -> None:
        """It holds a secret, and says that somebody listens."""
        for name in ("environment.sh", "environment.json"):
            (self.folder / name).unlink(missing_ok=True)

    def write_environment(self, name: str = "offboarding") -> None:
        """`environment.sh` and, last and in one piece, `environment.json`: it reports that all listeners accept."""
        environment = self.environment_of(name)
        lines = "".join(f"export {variable}='{value}'\n" for variable, value in environment.items())
        files = {"environment.sh": lines, "environment.json": json.dumps(environment, indent=2) + "\n"}
        for file_name, content in files.items():
            draft = self.folder / f".{file_name}.{secrets.token_hex(4)}"
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(content)
            draft.replace(self.folder / file_name)


def _listen(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Head and body of an answer go out as two packets; without this the second waits 40 ms for an acknowledgement.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(512)
    sock.setblocking(False)
    return sock


def _plain(host: str) -> bool:
    return bool(host) and all(c.isalnum() or c in ".:-" for c in host) and host.isascii()


def _hang_up(send: Send) -> None:
    """Close the connection under an answer: uvicorn's `send` belongs to the cycle that knows the transport."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if isinstance(transport, asyncio.BaseTransport):
        transport.close()
