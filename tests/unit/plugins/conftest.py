# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every test of a module needs: a clock, Entra, the wire, and a clean environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from ansible_collections.m365.offboarding.plugins.module_utils import _http
from fakes.clock import SimulatedClock
from fakes.entra import CLIENT_ID, CLIENT_SECRET, TENANT_ID, FakeEntra
from fakes.running import ModuleOutcome, run_in_place, run_module
from fakes.wire import Wire

_OURS = ("AZURE_", "M365_", "IDENTITY_", "MSI_", "MSAL_", "REQUESTS_", "CURL_", "NETRC")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
# Modules that refuse administrators.
WRITING = (
    "m365_user_password",
    "m365_user_sessions",
    "m365_user_signin",
    "exo_mailbox_protocols",
    "exo_mailbox_forwarding",
    "m365_user_authentication_methods",
    "m365_user_consents",
    "m365_user_devices",
    "m365_user_memberships",
)
SECRET = {"tenant_id": TENANT_ID, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


class Lab:
    """Everything around a module under test."""

    def __init__(
        self,
        clock: SimulatedClock,
        entra: FakeEntra,
        wire: Wire,
        run_module: Callable[[str, dict[str, Any]], ModuleOutcome] = run_module,
    ) -> None:
        self.clock = clock
        self.entra = entra
        self.wire = wire
        self._run_module = run_module

    def run(
        self,
        module: str,
        *,
        check: bool = False,
        diff: bool = True,
        verbosity: int = 0,
        credential: dict[str, Any] | None = None,
        **options: Any,
    ) -> ModuleOutcome:
        """Run a module to its end; the wire then has to have seen all that the script says, and nothing else.

        Administrators are allowed unless a test says otherwise, where `None` stands for the module's own default:
        `test_guards` is about what is read to tell who is one.
        """
        if module in WRITING and options.setdefault("allow_admins", True) is None:
            del options["allow_admins"]
        chosen = SECRET if credential is None else credential
        internal = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_verbosity": verbosity}
        reported = self._run_module(module, {**chosen, **options, **internal})
        self.wire.verify()
        if check:
            assert not self.wire.writes, "check mode writes"
        for secret in (CLIENT_SECRET, *self.entra.secrets):
            assert secret not in reported.output, "a secret is shown"
        return reported


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the person who runs the tests counts."""
    for name in list(os.environ):
        if name.upper().startswith(_OURS) or name.upper() in _PROXIES:
            monkeypatch.delenv(name)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimulatedClock:
    clock = SimulatedClock()
    monkeypatch.setattr(_http, "Clock", lambda: clock)
    return clock


@pytest.fixture
def entra() -> FakeEntra:
    return FakeEntra()


@pytest.fixture
def wire(clock: SimulatedClock, entra: FakeEntra, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    wire = Wire(clock, entra)
    monkeypatch.setattr(requests.Session, "get_adapter", lambda _self, url: wire)
    yield wire
    wire.verify()


@pytest.fixture(params=[run_module, run_in_place], ids=["process", "in place"])
def lab(
    request: pytest.FixtureRequest, clock: SimulatedClock, entra: FakeEntra, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> Lab:
    """Each module runs both as a process of its own and by its action plugin."""
    be_a_module(monkeypatch)
    return Lab(clock, entra, wire, request.param)


def be_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo, for ansible-core 2.19 and later, what importing the controller's half of Ansible (for filters) does."""
    try:
        from ansible.module_utils import _internal
        from ansible.module_utils._internal import _traceback
    except ImportError:
        return
    monkeypatch.setattr(_internal, "is_controller", False)
    monkeypatch.setattr(_traceback, "_is_traceback_enabled", _traceback._is_module_traceback_enabled)
    monkeypatch.setattr(_traceback, "_module_tracebacks_enabled_events", None)
