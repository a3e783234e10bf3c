# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection and the simulated tenant in one process, with time that is simulated and not slept.

Everything above the socket is real: requests and msal on our side, the simulator's services, faults and journal on the
other. Only the adapter between them is ours, and it can do what networks do: break before or after, cut, drip, lie.

There is one clock, so nothing runs in a thread of its own: what one thread waited for would count against the time limits
of the requests of another, in whatever order the machine runs them. The tenant's clock is the same one: it does not move
while the machine works.
"""

from __future__ import annotations

import contextlib
import dataclasses
import email.utils
import functools
import io
import pathlib
import threading
import time
import types
import typing as t
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from unittest import mock

import requests
import urllib3

import simulator.directory
import simulator.entra
import simulator.faults
import simulator.journal
import simulator.mailbox
import simulator.odata
import simulator.tokens
from ansible_collections.m365.offboarding.plugins.module_utils import _service, _tenant
from ansible_collections.m365.offboarding.plugins.module_utils._credentials import TokenSource, choose_credential
from ansible_collections.m365.offboarding.plugins.module_utils._doors import RESTORABLE, STEPS, Protocols
from ansible_collections.m365.offboarding.plugins.module_utils._exchange import Exchange
from ansible_collections.m365.offboarding.plugins.module_utils._graph import Graph
from ansible_collections.m365.offboarding.plugins.module_utils._http import PatientTokenHttp, Transport
from ansible_collections.m365.offboarding.plugins.module_utils._retry import Clock
from ansible_collections.m365.offboarding.plugins.module_utils._steps import run_step
from ansible_collections.m365.offboarding.plugins.module_utils._tenant import Tenant as Readings
from ansible_collections.m365.offboarding.plugins.module_utils._user_info import observe
from ansible_collections.m365.offboarding.plugins.module_utils._user_input import (
    Search,
    name_key,
    parse_known,
    parse_users,
)
from ansible_collections.m365.offboarding.plugins.modules.exo_mailbox_protocols import SwitchProtocols
from ansible_collections.m365.offboarding.plugins.modules.m365_user_authentication_methods import DeleteMethods
from ansible_collections.m365.offboarding.plugins.modules.m365_user_consents import SwitchConsents
from ansible_collections.m365.offboarding.plugins.modules.m365_user_devices import SwitchDevices
from ansible_collections.m365.offboarding.plugins.modules.m365_user_memberships import SwitchMemberships
from ansible_collections.m365.offboarding.plugins.modules.m365_user_password import ResetPassword
from ansible_collections.m365.offboarding.plugins.modules.m365_user_sessions import SignOut
from ansible_collections.m365.offboarding.plugins.modules.m365_user_signin import BlockOrAllowSignIn
from ansible_collections.m365.offboarding.plugins.plugin_utils import (
    _also,
    _batches,
    _earlier,
    _evidence,
    _plan,
    _restore_outcome,
    _restore_plan,
    _restore_request,
    _results,
    _table,
)
from fakes.records import kept_of
from simulator.directory import User, timestamp
from simulator.journal import Entry
from simulator.server import Tenant
from simulator.wire import Answer, Call

SHUT = "shut"
_PORTS = {"entra": 4431, "graph": 4432, "exchange": 4433}
# Seconds that a request takes.
_LATENCY = 0.02


class Killed(Exception):
    """The run was killed between two of its tasks."""


class WorldClock(Clock):
    """Time that passes only when somebody waits or sends. A run that waits for ever ends in an error."""

    def __init__(self) -> None:
        self.elapsed = 1000.0
        self.waits: list[float] = []
        self._thread = threading.get_ident()
        # A whole second: where the moments of Microsoft are cut must not depend on when a test began.
        self._began = int(time.time()) - self.elapsed

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.advance(seconds)

    def jitter(self) -> float:
        return 0.75

    def time(self) -> float:
        """The tenant's `time.time`. A skew of the controller's clock is nothing that it could notice."""
        return self._began + self.elapsed

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise AssertionError(f"slept {seconds} s")
        if threading.get_ident() != self._thread:
            raise AssertionError("a second thread: the order of its waits would follow from the machine")
        self.elapsed += seconds


class Network(requests.adapters.HTTPAdapter):
    """Hands requests to the simulator. `broken` maps a service to what its connections raise."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.broken: dict[str, Exception] = {}
        self.requests = 0

    def send(self, request: requests.PreparedRequest, **options: t.Any) -> requests.Response:
        self.requests += 1
        self.world.clock.advance(_LATENCY)
        parts = urllib.parse.urlsplit(t.cast("str", request.url))
        name = next(name for name, port in _PORTS.items() if port == parts.port)
        if name in self.broken:
            raise self.broken[name]
        body = request.body or b""
        call = Call(
            listener=name,
            method=t.cast("str", request.method),
            target=parts.path,
            query=parts.query,
            headers={key.lower(): value for key, value in request.headers.items()},
            body=body.encode() if isinstance(body, str) else t.cast("bytes", body),
            origin=f"https://{parts.netloc}",
        )
        answer = self.world.tenant.serve(name, call)
        self._wait(answer.delay, options.get("timeout"), request)
        if answer.close:
            cause = urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError(104, "reset"))
            raise requests.exceptions.ConnectionError(cause, request=request)
        return self.build_response(request, self._response(answer))

    def _wait(self, delay: float, timeout: t.Any, request: requests.PreparedRequest) -> None:
        """The answer is late; the tenant has done what was asked for by the time that nobody waits any more."""
        longest = timeout[1] if isinstance(timeout, tuple) else timeout
        if longest is not None and delay > longest:
            self.world.clock.advance(longest)
            raise requests.exceptions.ReadTimeout("Read timed out.", request=request)
        self.world.clock.advance(delay)

    def _response(self, answer: Answer) -> urllib3.HTTPResponse:
        content = b"" if answer.status == 204 else answer.content()
        sent = content if answer.truncate is None else content[: answer.truncate]
        date = email.utils.format_datetime(self.world.tenant.directory.now(), usegmt=True)
        headers = {"Date": date, "Content-Length": str(len(content)), **answer.headers}
        return urllib3.HTTPResponse(
            body=_Body(sent, self.world.clock, answer.drip),
            headers=headers,
            status=answer.status,
            preload_content=False,
            enforce_content_length=True,
        )


class _Body(io.BytesIO):
    """A body that may come a byte at a time."""

    def __init__(self, content: bytes, clock: WorldClock, drip: float | None) -> None:
        super().__init__(content)
        self._clock = clock
        self._drip = drip

    def read1(self, size: int | None = -1, /) -> bytes:
        if self._drip is None:
            return super().read1(-1 if size is None else size)
        self._clock.advance(1 / self._drip)
        return super().read1(1)


class World:
    """One tenant, one application, one simulated time; every call to `offboard` is a run of the role."""

    def __init__(self, *, retry_timeout: float = 300, verify_timeout: float = 30, timeout: float = 30) -> None:
        self.tenant = Tenant(ports=_PORTS)
        self.tenant.ports = dict(_PORTS)
        for name in ("graph", "exchange"):
            self.tenant.tokens.bases[f"https://127.0.0.1:{_PORTS[name]}"] = name
        self.clock = WorldClock()
        self.network = Network(self)
        self.retry_timeout = retry_timeout
        self.verify_timeout = verify_timeout
        self.timeout = timeout
        self.protected: tuple[str, ...] = ()
        # The application whose credential a run has.
        self.app = "offboarding"
        self.secrets: set[str] = set()
        # Called with the name of a task before it begins: opening, one of the steps, closing.
        self.before_task: t.Callable[[str], None] = lambda task: None
        # What the last run has left in its JSON file, null before its opening read.
        self.file: str | None = None
        # When the last run began, and in whose name it read.
        self._started_at = ""
        self._automation: dict[str, str | None] = {}
        # When each module run began, in simulated time.
        self._starts = [0.0]

    def readings(self, app: str | None = None, verify_timeout: float | None = None) -> Readings:
        """What a module starts with: a session, no token, the environment's credential."""
        app = app or self.app
        transport = Transport(timeout=self.timeout, clock=self.clock)
        transport.session.mount("https://", self.network)
        environment = self.tenant.environment_of(app)
        tokens = TokenSource(
            choose_credential({}, environment),
            tenant_id=environment["AZURE_TENANT_ID"],
            client_id=environment["AZURE_CLIENT_ID"],
            authority_url=environment["M365_AUTHORITY_URL"],
            http=PatientTokenHttp(transport, self.retry_timeout),
            on_secret=self.secrets.add,
            monotonic=self.clock.monotonic,
        )
        graph = Graph(environment["M365_GRAPH_URL"], transport, tokens, self.retry_timeout)
        exchange = Exchange(environment["M365_EXCHANGE_URL"], transport, tokens, self.retry_timeout)
        return Readings(
            graph, exchange, self.protected, self.verify_timeout if verify_timeout is None else verify_timeout
        )

    def look(
        self, users: Sequence[t.Any], *, earlier: t.Mapping[str, t.Any] | None = None, **options: t.Any
    ) -> list[dict[str, t.Any]]:
        options = {"steps": STEPS, "protocols": Protocols(), "directory_roles": False, **options}
        readings = self.readings()
        try:
            if earlier:
                readings.earlier = parse_known(earlier, readings.graph.token.tenant_id)
            asked = parse_users(list(users)) if users else []
            return observe(readings, asked, with_earlier=bool(readings.earlier), **options)
        finally:
            self._automation = readings.graph.identity

    def step(self, step: str, users: Sequence[t.Any], *, check_mode: bool = False) -> list[dict[str, t.Any]]:
        made = {
            "password": lambda: ResetPassword(None),
            "sessions": SignOut,
            "signin": lambda: BlockOrAllowSignIn("blocked"),
            "protocols": lambda: SwitchProtocols("disabled", Protocols()),
        }[step]()
        # As the role has it: what the others write is read back with the closing read.
        verify_timeout = self.verify_timeout if step == "password" else 0
        return self._step(made, users, verify_timeout, check_mode=check_mode)

    def _step(
        self,
        made: t.Any,
        users: Sequence[t.Any],
        verify_timeout: float,
        *,
        check_mode: bool = False,
        app: str | None = None,
        allow_admins: bool = False,
    ) -> list[dict[str, t.Any]]:
        return run_step(
            self.readings(app, verify_timeout=verify_timeout),
            made,
            parse_users(list(users)),
            check_mode=check_mode,
            allow_admins=allow_admins,
            retry_timeout=self.retry_timeout,
            verify_timeout=verify_timeout,
        )

    def close(
        self,
        step: str,
        users: Sequence[t.Any],
        wanted: t.Any = None,
        *,
        check_mode: bool = False,
        app: str = "closer",
        allow_admins: bool = False,
    ) -> list[dict[str, t.Any]]:
        """What a module for what outlives the block does; with `wanted`, what it makes again."""
        made: dict[str, t.Callable[[], t.Any]] = {
            "devices": lambda: SwitchDevices(wanted),
            "consents": lambda: SwitchConsents(wanted),
            "authentication_methods": DeleteMethods,
            "memberships": lambda: SwitchMemberships(wanted, allow_admins=allow_admins),
        }
        return self._step(
            made[step](), users, self.verify_timeout, check_mode=check_mode, app=app, allow_admins=allow_admins
        )

    def audit(self, users: Sequence[t.Any] = (), *, since: t.Any = "", **search: t.Any) -> Outcome:
        """What `audit.yml` of the role does: look, compare, join. It leaves `file`, as a run of the role does.

        :param since: as `offboard_employee_since`.
        :param search: fields of `Search`; with none, only the named are looked at.
        """
        before = len(self.tenant.journal)
        self.file = None
        self._started_at = timestamp(self.tenant.directory.now())
        runs = _earlier.earlier_runs(since, now=self.tenant.directory.now())
        opening = self._opening(
            users,
            roles=False,
            earlier=_earlier.tenants(runs, purpose="audit", host="localhost"),
            search=Search(**search) if search else None,
        )
        kept = self._record(
            opening, None, {"write": [], "refused": {}}, "audit", self._compared(since, opening, "audit")
        )
        self.file = self._evidence(kept, "audit", complete=True)
        return Outcome(_batches.unpack(kept["records"]), [], opening, self.tenant.journal[before:], kept["entry"])

    def _compared(self, since: t.Any, opening: t.Any, purpose: str) -> _earlier.Earlier | None:
        if not since:
            return None
        tenant_id = opening["automation"]["tenant_id"]
        return _earlier.Earlier(
            _earlier.earlier_runs(since, now=self.tenant.directory.now()),
            tenant_id=tenant_id,
            purpose=purpose,
            host="localhost",
        )

    def offboard(
        self, users: Sequence[t.Any], *, check_mode: bool = False, also: Sequence[str] = (), since: t.Any = ""
    ) -> Outcome:
        """What the role does, task by task: look, plan, the four steps in their order, look again, join.

        As in the role, what is known is put on record after the opening read and after each step: `file` is what a
        run leaves that is killed before the next task.

        :raises Killed: by `before_task`.
        """
        before = len(self.tenant.journal)
        self.file = None
        self._started_at = timestamp(self.tenant.directory.now())
        self.before_task("opening")
        earlier = _earlier.tenants(
            _earlier.earlier_runs(since, now=self.tenant.directory.now()), purpose="offboard", host="localhost"
        )
        opening = self._opening(users, earlier=earlier)
        compared = self._compared(since, opening, "offboard")
        plan = _plan.offboarding_plan(
            opening["users"], allow_admins=False, max_users=None, earlier=compared, also=bool(also)
        )
        batches = [plan["write"]] if plan["write"] else []
        put = functools.partial(
            self._record, opening, plan=plan, purpose="offboard", earlier=compared, batches=batches, also=also
        )
        kept = put(None)
        runs: list[dict[str, t.Any]] = []
        for step in STEPS if batches else ():
            self.before_task(step)
            records = self._module(lambda step=step: self.step(step, plan["write"], check_mode=check_mode))
            runs.append({"step": step, "users": plan["write"], "result": records})
            kept = put(kept, number=1, runs=runs)
        for topic in also if batches else ():
            self.before_task(topic)
            records = self._module(
                lambda topic=topic: self.close(topic, plan["write"], check_mode=check_mode, app=self.app)
            )
            runs.append({"step": topic, "users": plan["write"], "result": records})
            kept = put(kept, number=1, runs=runs)
        if batches:
            closing = None
            if not check_mode:
                self.before_task("closing")
                written = _results.written([run for run in runs if run["step"] in STEPS])
                residual = _also.topics_after(also, [])
                closing = self._module(
                    lambda: self.look(
                        plan["write"], written=written, verify_timeout=self.verify_timeout, residual=residual
                    )
                )
            kept = put(kept, number=1, runs=runs, closing=closing, finished=True)
        self.file = self._evidence(kept, "offboard", complete=True, check_mode=check_mode)
        return Outcome(_batches.unpack(kept["records"]), runs, opening, self.tenant.journal[before:], kept["entry"])

    def _record(
        self, opening: t.Any, before: t.Any, plan: t.Any, purpose: str, earlier: t.Any, **more: t.Any
    ) -> dict[str, t.Any]:
        facts = {"refused": plan["refused"], "earlier": earlier, "total": len(plan["write"]), **more}
        kept = kept_of(opening, before, **facts)
        self.file = self._evidence(kept, purpose, complete=False)
        return kept

    def _evidence(self, kept: t.Any, purpose: str, *, complete: bool, check_mode: bool = False) -> str:
        whole = _evidence.evidence(
            {"localhost": kept["entry"]},
            {},
            purpose=purpose,
            complete=complete,
            check_mode=check_mode,
            started_at=self._started_at,
            job={},
            ansible="2.21.0",
        )
        # By the clock of this world, like everything else.
        whole["written_at"] = timestamp(self.tenant.directory.now())
        return _evidence.plain_json(whole, {"localhost": _batches.texts(kept["records"])})

    def restore(self, users: Sequence[str], folder: pathlib.Path) -> list[dict[str, t.Any]]:
        """What the role `restore_employee` does with a folder of evidence, task by task, without a password.

        :returns: one result per leaver, as in `restore_employee_result`.
        :raises AssertionError: the evidence is refused as a whole.
        """
        request = _restore_request.restore_request(list(users), evidence=str(folder), host="localhost")
        assert request["error"] is None, request["error"]
        began = self.tenant.directory.now().timestamp()
        plan: dict[str, t.Any] = {"again": True}
        while plan["again"]:
            opening = self._opening(request["read"], steps=("password", "signin", "protocols"))
            assert opening["users"], opening
            plan = _restore_plan.restore_plan(
                opening,
                names=request["names"],
                evidence=request["evidence"],
                host="localhost",
                left_out=request["left_out"],
                steps=("protocols", *RESTORABLE, "signin"),
                began=began,
                now=self.tenant.directory.now().timestamp(),
            )
            if plan["again"]:
                self.clock.sleep(3)
        assert plan["error"] is None, plan["error"]
        runs: list[dict[str, t.Any]] = []
        for group in plan["groups"]:
            protocols = Protocols.parse(group["protocols"])
            switch = SwitchProtocols("enabled", protocols, inherit_smtp_auth=group["inherit_smtp_auth"])
            runs.append(self._restoring("protocols", switch, group["users"]))
        for topic, objects in plan["also"].items():
            wanted = {name_key(user): of_user for user, of_user in objects.items()}
            result = self._module(
                lambda topic=topic, wanted=wanted: self.close(topic, list(wanted), wanted, app=self.app)
            )
            runs.append({"step": topic, "users": list(objects), "result": result})
        ready = _restore_outcome.outcome(plan, runs)["open"]
        if ready:
            runs.append(self._restoring("signin", BlockOrAllowSignIn("allowed"), ready))
        results: list[dict[str, t.Any]] = _restore_outcome.outcome(plan, runs)["leavers"]
        return results

    def _restoring(self, step: str, made: t.Any, users: Sequence[str]) -> dict[str, t.Any]:
        result = self._module(lambda: self._step(made, users, self.verify_timeout))
        return {"step": step, "users": users, "result": result}

    def _opening(self, users: Sequence[t.Any], *, roles: bool = True, **options: t.Any) -> dict[str, t.Any]:
        """The first read, and which tenant it was of; none where not even a token was to be had."""
        opening = self._module(lambda: self.look(users, directory_roles=roles, **options))
        return {**opening, "automation": self._automation, "verify_timeout": self.verify_timeout}

    def sent_too_early(self, tolerance: float = 0.5) -> list[Entry]:
        """Requests into a window that Retry-After had closed for the same module run; another run cannot know of it."""
        return [
            entry
            for entry in self.tenant.journal.violations(tolerance)
            if entry.time - (entry.closed_since or 0) >= max(start for start in self._starts if start <= entry.time)
        ]

    def _module(self, work: t.Callable[[], list[dict[str, t.Any]]]) -> dict[str, t.Any]:
        """A module never raises: what it cannot report as records it reports as an error."""
        from ansible_collections.m365.offboarding.plugins.module_utils._errors import OffboardingError

        self._starts.append(self.clock.elapsed)
        try:
            return {"users": work()}
        except OffboardingError as exc:
            return {"users": [], "error": exc.as_record(), "msg": str(exc)}

    def changes_own_password(self, user: User) -> None:
        """The employee uses a session that is still open, two seconds from now."""
        self.clock.advance(2)
        now = timestamp(self.tenant.directory.now())
        user.update({"lastPasswordChangeDateTime": now, "signInSessionsValidFromDateTime": now})
        self.clock.advance(1)

    def is_contained(self, user: User) -> bool:
        """Whether the tenant itself, which knows no lag, has every door of this user shut."""
        switches = user.mailbox.settings if user.mailbox else {}
        mail = all(
            value is (name == "SmtpClientAuthenticationDisabled")
            for name, value in switches.items()
            if (name.endswith("Enabled") and name != "ECPEnabled") or name == "SmtpClientAuthenticationDisabled"
        )
        reset, revoked = user["lastPasswordChangeDateTime"], user["signInSessionsValidFromDateTime"]
        return mail and user["accountEnabled"] is False and reset < revoked


@dataclasses.dataclass
class Outcome:
    """What a run reported, and what the tenant saw of it."""

    results: list[dict[str, t.Any]]
    runs: list[dict[str, t.Any]]
    opening: dict[str, t.Any]
    journal: list[Entry]
    # What the evidence says of the tenant beside its leavers.
    entry: dict[str, t.Any]

    @property
    def table(self) -> list[str]:
        """What the run shows to people."""
        return _table.table(self.results, self.entry["since"])

    @property
    def failures(self) -> list[str]:
        """Why the run fails, by the role's defaults; empty for one that ends with 0."""
        error = self.entry["error"]
        return [error["message"]] if error else _table.failures(self.results)

    @functools.cached_property
    def by_name(self) -> dict[str, dict[str, t.Any]]:
        return {one["user_principal_name"] or one["user"]: one for one in self.results}

    @functools.cached_property
    def records_of(self) -> dict[str | None, list[tuple[str, dict[str, t.Any]]]]:
        """Every step's records by object ID; ten thousand leavers must not be searched for each of them."""
        found: dict[str | None, list[tuple[str, dict[str, t.Any]]]] = {}
        for step, record in self.records:
            found.setdefault(record["id"], []).append((step, record))
        return found

    @functools.cached_property
    def journal_of(self) -> dict[str | None, list[Entry]]:
        """What the tenant saw, by the user concerned."""
        found: dict[str | None, list[Entry]] = {}
        for entry in self.journal:
            found.setdefault(entry.user, []).append(entry)
        return found

    @property
    def records(self) -> Iterator[tuple[str, dict[str, t.Any]]]:
        """Every step's records, with the step."""
        for run in self.runs:
            for record in run["result"]["users"]:
                yield run["step"], record


def _in_turn(work: t.Callable[[t.Any], t.Any], items: Sequence[t.Any], _in_flight: int) -> list[t.Any]:
    """As `map_concurrent`, one at a time: what happens must follow from the schedule alone."""
    return [work(item) for item in items]


@contextmanager
def world(**options: t.Any) -> Iterator[World]:
    """A fresh world whose simulator lives in the simulated time as well."""
    made = World(**options)
    clock = made.clock
    faked = types.SimpleNamespace(
        monotonic=clock.monotonic, time=clock.time, strftime=time.strftime, gmtime=lambda: time.gmtime(clock.time())
    )
    with contextlib.ExitStack() as patches:
        for name in ("directory", "entra", "faults", "mailbox", "odata", "tokens"):
            patches.enter_context(mock.patch.object(getattr(simulator, name), "time", faked))
        patches.enter_context(mock.patch.object(simulator.journal, "time", types.SimpleNamespace(time=clock.monotonic)))
        for ours in (_tenant, _service):
            patches.enter_context(mock.patch.object(ours, "map_concurrent", _in_turn))
        made.tenant.reset()
        yield made
