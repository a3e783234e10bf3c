# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured, each as a command that a person could type, against a fresh tenant."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools import tree

from . import peers
from .measure import Measured, run
from .tenant import LocalTenant, ObservedRequest, Traffic, local_tenant

_HERE = Path(__file__).parent
# What the job cannot do without: who is it and how do the doors stand, four writes, and how do they stand now.
LEAST = {
    "first": "find,mailbox,roles,password,sessions,signin,switch,user,mailbox",
    "again": "find,mailbox",
    "audit": "find,mailbox",
}
# Requests that must have changed each leaver by the end of a first run. The last two send password and sign-in together.
_WRITES = {
    "uri": 4,
    "sdk": 3,
    "role": 4,
    "tenants": 4,
    "before": 4,
    "forks": 4,
    "floor": 4,
    "least": 4,
    "aduser": 1,
    "cli-m365": 2,
}
# Module runs, by the action's name.
_MODULES = ("m365.offboarding.m365_", "m365.offboarding.exo_")


@dataclass(frozen=True)
class Sample:
    """One run of one contender: `phase` is first, again or audit."""

    contender: str
    phase: str
    leavers: int
    latency: float
    measured: Measured
    traffic: Traffic
    tenant_cpu: float
    # Name, action, when it began, own CPU by then, CPU of children by then.
    tasks: list[list[Any]] = field(default_factory=list)

    def module_runs(self) -> list[tuple[str, float, float]]:
        """Each run of a module: its name, and from when until when."""
        ends = [task[2] for task in self.tasks[1:]]
        rows = zip(self.tasks, ends, strict=False)
        return [(task[1], task[2], end) for task, end in rows if str(task[1]).startswith(_MODULES)]


def play(
    tenant: LocalTenant,
    playbook: str,
    *arguments: str,
    contender: str,
    phase: str,
    latency: float,
    extra: dict[str, str] | None = None,
    python: str = sys.executable,
    inventory: str = "localhost,",
    whole: bool = False,
) -> Sample:
    """Run a playbook to its end and see what it did."""
    folder = _folder(tenant)
    tasks = folder / "tasks.json"
    command = [python, "-m", "ansible", "playbook", "--inventory", inventory, playbook, *arguments]
    environment = _ansible(tenant, folder) | {"BENCHMARK_TASKS": str(tasks)} | (extra or {})
    return _sample(tenant, command, environment, folder, contender, phase, latency, tasks, whole=whole)


def program(tenant: LocalTenant, *command: str, contender: str, phase: str, latency: float) -> Sample:
    """Run a program of this folder to its end and see what it did."""
    folder = _folder(tenant)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", **tenant.environment}
    return _sample(tenant, list(command), environment, folder, contender, phase, latency)


def _sample(
    tenant: LocalTenant,
    command: Sequence[str],
    environment: dict[str, str],
    folder: Path,
    contender: str,
    phase: str,
    latency: float,
    tasks: Path | None = None,
    *,
    whole: bool = False,
) -> Sample:
    before = tenant.cpu
    measured = run(command, environment, folder, limit=7200, whole=whole)
    cpu = tenant.cpu - before
    if measured.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {measured.returncode}:\n{measured.text[-3000:]}")
    traffic = tenant.traffic()
    wanted = _WRITES.get(contender, 0) * len(tenant.leavers) if phase == "first" else 0
    if traffic.applied != wanted:
        raise RuntimeError(f"{contender}, {phase}: {traffic.applied} writes were applied instead of {wanted}")
    reported = json.loads(tasks.read_text(encoding="utf-8")) if tasks and tasks.exists() else []
    return Sample(contender, phase, len(tenant.leavers), latency, measured, traffic, cpu, reported)


# --- the contenders ---


def role(tenant: LocalTenant, latency: float, phases: Sequence[str] = ("first", "again", "audit")) -> Iterator[Sample]:
    """The collection's own playbooks, as in its README, without a report."""
    leavers = tenant.folder / "leavers.csv"
    leavers.write_text("user\n" + "\n".join(tenant.leavers) + "\n", encoding="utf-8")
    for phase in phases:
        playbook = f"m365.offboarding.{'audit' if phase == 'audit' else 'offboard'}"
        # The limit guards against a wrong list; here the list is correct.
        arguments = ["-e", f"leavers_file={leavers}", "-e", f"offboard_employee_max_users={len(tenant.leavers)}"]
        yield play(tenant, playbook, *arguments, contender="role", phase=phase, latency=latency)


def floor(tenant: LocalTenant, latency: float, kinds: dict[str, str], contender: str) -> Iterator[Sample]:
    names = _names(tenant)
    for phase, wanted in kinds.items():
        command = (sys.executable, str(_HERE / "floor.py"), names, wanted)
        yield program(tenant, *command, contender=contender, phase=phase, latency=latency)


def uri(tenant: LocalTenant, latency: float) -> Iterator[Sample]:
    playbook = str(_HERE / "uri_loop.yml")
    yield play(tenant, playbook, "-e", _variables(tenant), contender="uri", phase="first", latency=latency)


def sdk(tenant: LocalTenant, latency: float) -> Iterator[Sample]:
    command = (sys.executable, str(_HERE / "graph_sdk.py"), _names(tenant))
    yield program(tenant, *command, contender="sdk", phase="first", latency=latency)


def sdk_is_installed() -> bool:
    return importlib.util.find_spec("msgraph") is not None


def aduser(tenant: LocalTenant, latency: float) -> Iterator[Sample]:
    """In the environment of its own requirements, by its own variables. Whatever it changes, it sends the address along."""
    app = tenant.control("GET", "apps/offboarding")
    tenant.control("PATCH", "apps/offboarding", {"graph": [*app["graph"], "User.ReadWrite.All"]})
    given = tenant.environment
    names = {"AZURE_SECRET": given["AZURE_CLIENT_SECRET"], "AZURE_TENANT": given["AZURE_TENANT_ID"]}
    extra = names | {"ANSIBLE_COLLECTIONS_PATH": str(peers.COLLECTIONS)}
    command = (str(_HERE / "aduser.yml"), "-e", _variables(tenant))
    yield play(
        tenant,
        *command,
        contender="aduser",
        phase="first",
        latency=latency,
        extra=extra,
        python=str(peers.AZURE_PYTHON),
    )


def cli(tenant: LocalTenant, latency: float) -> Iterator[Sample]:
    # Node.js knows no SSL_CERT_FILE.
    tenant.environment["NODE_EXTRA_CA_CERTS"] = tenant.environment["SSL_CERT_FILE"]
    command = ("sh", str(_HERE / "cli_m365.sh"), str(peers.M365), _names(tenant))
    yield program(tenant, *command, contender="cli-m365", phase="first", latency=latency)


def nothing(tenant: LocalTenant, latency: float, tasks: int) -> Iterator[Sample]:
    """A play of as many tasks as the role runs, which do nothing: what Ansible itself costs."""
    playbook = tenant.folder / "nothing.yml"
    each = {"name": "Do nothing", "ansible.builtin.assert": {"that": [True], "quiet": True}}
    plays = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [each] * tasks}]
    playbook.write_text(json.dumps(plays), encoding="utf-8")
    yield play(tenant, str(playbook), contender="nothing", phase="first", latency=latency)


def first_run(folder: Path, leavers: int, quota: tuple[int, float] | None) -> Sample:
    """One first run of the role, where the tenant takes so many writes in so many seconds from each service."""
    with local_tenant(folder, people=leavers, latency=0.05) as tenant:
        if quota:
            tenant.control("POST", "faults", {"limit_writes": quota[0], "per": quota[1]})
        return next(role(tenant, 0.05, ["first"]))


# --- what the role asks for ---


def kinds_of(sample: Sample) -> str:
    """What a run of the role asked for, in its order, as floor.py takes it.

    Within each module run: a kind that comes twice for the same leaver stands there twice.
    """
    found: list[str] = []
    for _name, began, ended in sample.module_runs():
        asked: list[tuple[str, int]] = []
        times: dict[tuple[str, str], int] = {}
        for request in _between(sample.traffic.requests, began, ended):
            key = (request.kind, request.user)
            times[key] = times.get(key, 0) + 1
            if (request.kind, times[key]) not in asked:
                asked.append((request.kind, times[key]))
        found += [kind for kind, _time in asked]
    return ",".join(found)


def _between(requests: Sequence[ObservedRequest], began: float, ended: float) -> list[ObservedRequest]:
    return [request for request in requests if began <= request.time < ended]


def needless_tokens(sample: Sample) -> int:
    """Tokens that a module run asked for although it had asked for one for the same audience, over all module runs."""
    spare = 0
    for _name, began, ended in sample.module_runs():
        asked = [audience for moment, audience in sample.traffic.token_times if began <= moment < ended]
        spare += len(asked) - len(set(asked))
    return spare


def waited(sample: Sample) -> float:
    """Seconds that the sign-out of one leaver waited for Microsoft's clock: from the answer to its read to the write."""
    if sample.leavers != 1:
        return 0.0
    signed_out = next((one.time for one in sample.traffic.requests if one.kind == "sessions"), None)
    if signed_out is None:
        return 0.0
    read = max(
        (one.time for one in sample.traffic.requests if one.kind == "user" and one.time < signed_out), default=None
    )
    return max(0.0, signed_out - read - sample.latency) if read is not None else 0.0


# --- folders and environments ---


def _folder(tenant: LocalTenant) -> Path:
    folder = tenant.folder / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _names(tenant: LocalTenant) -> str:
    path = tenant.folder / "leavers.txt"
    path.write_text("\n".join(tenant.leavers) + "\n", encoding="utf-8")
    return str(path)


def _variables(tenant: LocalTenant) -> str:
    path = tenant.folder / "leavers.json"
    path.write_text(json.dumps({"leavers": tenant.leavers}), encoding="utf-8")
    return f"@{path}"


def _ansible(tenant: LocalTenant, folder: Path) -> dict[str, str]:
    """Ansible as it comes, but for its folders and for a callback that notes when tasks begin."""
    return {
        **tree.ansible(folder),
        "ANSIBLE_CALLBACK_PLUGINS": str(_HERE / "callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "benchmark_tasks",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        **tenant.environment,
    }
