# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The local tenant in a process of its own, so that its work is measured apart."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import private
from .measure import cpu_of

_TESTS = Path(__file__).resolve().parents[1]
# In a batch or alone, with the user that it is about.
_KINDS = {"Get-CASMailbox": "mailbox", "Set-CASMailbox": "switch"}


@dataclass(frozen=True)
class ObservedRequest:
    """A line of the tenant's journal, as far as it says what was asked for. `kind` is one of floor.py's."""

    kind: str
    time: float
    user: str


@dataclass
class Traffic:
    """What a run has sent. `round_trips` are what really travelled, `calls` what was asked of Graph and Exchange."""

    round_trips: int = 0
    calls: int = 0
    tokens: int = 0
    applied: int = 0
    refused: int = 0
    errors: int = 0
    too_early: int = 0
    requests: list[ObservedRequest] = field(default_factory=list)
    # When tokens were asked for and for what, and when writes were sent and applied, by service.
    token_times: list[tuple[float, str]] = field(default_factory=list)
    write_times: dict[str, list[float]] = field(default_factory=dict)


class LocalTenant:
    """`python -m simulator`, its journal, and its remote control."""

    def __init__(self, folder: Path, *, people: int, latency: float) -> None:
        self.folder = folder
        self._journal = folder / "journal.jsonl"
        self._read = 0
        command = [sys.executable, "-m", "simulator", "--directory", str(folder), "--journal", str(self._journal)]
        command += ["--crowd", str(people), "--latency-ms", f"{latency * 1000:g}"]
        if private.MARK in os.environ:
            command += ["--graph-port", str(private.PORT)]
        self._process = subprocess.Popen(command, cwd=_TESTS, stdout=subprocess.DEVNULL)
        self.environment = self._wait()
        self.leavers = [f"user{number:05d}@contoso.com" for number in range(people)]

    def _wait(self) -> dict[str, str]:
        reported = self.folder / "environment.json"
        deadline = time.monotonic() + 60
        while not reported.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the local tenant did not start")
            time.sleep(0.05)
        environment: dict[str, str] = json.loads(reported.read_text(encoding="utf-8"))
        return environment

    @property
    def cpu(self) -> float:
        return cpu_of(self._process.pid)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call `/_tenant/...`, see tests/simulator/control.py."""
        context = ssl.create_default_context(cafile=self.environment["REQUESTS_CA_BUNDLE"])
        request = urllib.request.Request(  # noqa: S310
            f"{self.environment['M365_AUTHORITY_URL']}/_tenant/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, context=context) as answer:  # noqa: S310
            return json.load(answer)

    def traffic(self) -> Traffic:
        """What has come in since the last time this was asked."""
        found = Traffic()
        with self._journal.open("rb") as file:
            file.seek(self._read)
            for line in file:
                _count(found, json.loads(line))
            self._read = file.tell()
        # The journal is in the order of the answers.
        found.requests.sort(key=lambda request: request.time)
        return found

    def stop(self) -> None:
        crashes = self.control("GET", "crashes")
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)
        if crashes:
            raise RuntimeError(f"the local tenant made a mistake: {crashes[0]}")


@contextlib.contextmanager
def local_tenant(folder: Path, *, people: int, latency: float) -> Iterator[LocalTenant]:
    folder.mkdir(parents=True)
    tenant = LocalTenant(folder, people=people, latency=latency)
    try:
        yield tenant
    finally:
        tenant.stop()
        # Thousands of requests, with nothing in them that is needed any more.
        os.unlink(folder / "journal.jsonl")


def _count(found: Traffic, entry: dict[str, Any]) -> None:
    inner, service = entry["batch"] is not None, entry["listener"]
    found.round_trips += not inner
    if service == "entra":
        if entry["method"] == "POST":
            found.tokens += 1
            found.token_times.append((entry["time"], str(entry["identity"])))
        return
    # A request that came too early counts where its sender could know: what was on its way already could not.
    found.too_early += entry["early"] is not None and entry["closed_since"] > 0.5
    if entry["path"].endswith("/$batch"):
        return
    found.calls += 1
    found.applied += entry["applied"]
    found.refused += entry["status"] == 429
    found.errors += entry["status"] >= 400 and entry["status"] != 429
    if entry["applied"]:
        found.write_times.setdefault(service, []).append(entry["time"])
    found.requests.append(ObservedRequest(_kind(entry), entry["time"], entry["user"] or entry["query"]))


def _kind(entry: dict[str, Any]) -> str:
    """What a request is for, in the words of floor.py."""
    if entry["listener"] == "exchange":
        return _KINDS.get(str(entry["cmdlet"]), str(entry["cmdlet"]))
    path, method, body = entry["path"], entry["method"], entry["body"]
    if method == "PATCH":
        return "password" if "passwordProfile" in body else "signin"
    if path.endswith("/revokeSignInSessions"):
        return "sessions"
    if "transitiveMemberOf" in path:
        return "roles"
    if "/directoryRoles" in path:
        return "administrators"
    if method == "GET" and path.endswith("/users"):
        return "find"
    return "user" if method == "GET" and "/users/" in path else f"{method} {path}"
