# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running ansible-playbook against the simulator, and reading what came of it: from Ansible and from the tenant."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema

from fakes.people import SWITCHES
from simulator import Tenant
from simulator.directory import User
from simulator.journal import Entry
from tools import callbacks, tree

OFFBOARD = "m365.offboarding.offboard"
AUDIT = "m365.offboarding.audit"
RESTORE = "m365.offboarding.restore"
STEPS = ["password", "sessions", "signin", "protocols"]
_WARNINGS = re.compile(r"\[(?:WARNING|DEPRECATION[^\]]*)\]:? ?(.*)")
_SCHEMA = Path(__file__).parents[2] / "docs" / "evidence.schema.json"


# --- running Ansible ---


@dataclass
class Played:
    """What a run of ansible-playbook left behind."""

    returncode: int
    stdout: str
    stderr: str
    folder: Path
    events: list[dict[str, Any]] = field(repr=False)

    @property
    def output(self) -> str:
        return f"{self.stdout}\n{self.stderr}"

    def recap(self, host: str = "localhost") -> dict[str, int]:
        """The counts of the PLAY RECAP."""
        line = re.search(rf"^{re.escape(host)} +: (.*)$", self.stdout, re.MULTILINE)
        assert line, f"no recap of {host} in:\n{self.output}"
        return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", line.group(1))}

    def results(self, task: str, host: str = "localhost") -> list[dict[str, Any]]:
        """Every result of the task of this name."""
        return [event["result"] for event in self._outcomes(task, host)]

    def _outcomes(self, task: str, host: str) -> list[dict[str, Any]]:
        return [
            event
            for event in self.events
            if event.get("host") == host
            and event["task"].rpartition(" : ")[2] == task
            and event["status"] in ("ok", "failed", "ignored")
        ]

    def failed(self, task: str, host: str = "localhost") -> bool:
        """Whether the task failed, for what the play made of it."""
        return any(event["status"] != "ok" for event in self._outcomes(task, host))

    def result(self, task: str, host: str = "localhost") -> dict[str, Any]:
        """The only result of the task of this name."""
        found = self.results(task, host)
        assert len(found) == 1, f"{task!r} has {len(found)} results on {host}:\n{self.output}"
        return found[0]

    def leavers(self, host: str = "localhost") -> list[dict[str, Any]]:
        """The role's joined result."""
        joined = self.results("Keep the results", host)
        assert joined, f"no results of {host} in:\n{self.output}"
        if joined[-1].get("skipped"):  # many, before ansible-core 2.19
            joined = self.results("Conclude", host)
        leavers: list[dict[str, Any]] = joined[-1]["ansible_facts"]["offboard_employee_result"]
        return leavers

    def leaver(self, host: str = "localhost") -> dict[str, Any]:
        """The role's result of the only leaver."""
        (leaver,) = self.leavers(host)
        return leaver

    def failure(self, host: str = "localhost") -> str:
        """The message with which a host fell out of the play, empty where it did not."""
        failed = [event for event in self.events if event.get("host") == host and event["status"] == "failed"]
        return str(failed[-1]["result"].get("msg")) if failed else ""

    def table(self, host: str = "localhost") -> list[str]:
        """The lines that are shown to people."""
        lines: list[str] = self.result("Show which leavers are out and which doors are open", host)["msg"]
        return lines

    def reported(self) -> dict[str, Any]:
        """What set_stats hands on."""
        stats: dict[str, Any] = self.events[-1]["custom"]
        return stats


@dataclass
class Player:
    """Runs ansible-playbook with an environment of its own, in a folder of its own."""

    tenant: Tenant
    folder: Path
    # Whether each module runs as an ordinary process, and not inside Ansible's worker.
    ordinary: bool = False
    runs: int = 0

    def __call__(
        self,
        playbook: str | Sequence[Mapping[str, Any]],
        *arguments: str,
        hosts: Mapping[str, Mapping[str, Any]] | None = None,
        app: str | None = "offboarding",
        environment: Mapping[str, str] | None = None,
        warnings: Iterable[str] = (),
        **variables: Any,
    ) -> Played:
        """Play a playbook of the collection, or one made of plays.

        :param hosts: inventory with variables; without it there is only localhost.
        :param app: the registered application whose credentials are in the environment, or none.
        :param warnings: texts of the warnings that have to come. No others may.
        :param variables: extra variables.
        """
        folder, command = self._prepare(playbook, *arguments, hosts=hosts, **variables)
        ran = subprocess.run(
            command,
            cwd=self.folder,
            env={**self._environment(folder, app), **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=240,
        )
        record = folder / "record.jsonl"
        events = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
        played = Played(ran.returncode, ran.stdout, ran.stderr, folder, events)
        _judge_warnings(played, list(warnings))
        return played

    def start(self, playbook: str, **variables: Any) -> subprocess.Popen[bytes]:
        """Begin to play a playbook of the collection, and do not wait for its end. Its output is nobody's."""
        folder, command = self._prepare(playbook, **variables)
        silence = subprocess.DEVNULL
        environment = self._environment(folder, "offboarding")
        return subprocess.Popen(
            command, cwd=self.folder, env=environment, stdin=silence, stdout=silence, stderr=silence
        )

    def _prepare(
        self,
        playbook: str | Sequence[Mapping[str, Any]],
        *arguments: str,
        hosts: Mapping[str, Mapping[str, Any]] | None = None,
        **variables: Any,
    ) -> tuple[Path, list[str]]:
        """A folder for this run, and the command."""
        self.runs += 1
        folder = self.folder / f"run{self.runs}"
        folder.mkdir()
        if not isinstance(playbook, str):
            playbook = _write(folder / "playbook.yml", playbook)
        inventory = "localhost,"
        if hosts is not None:
            inventory = _write(folder / "hosts.yml", {"all": {"hosts": dict(hosts)}})
            variables.setdefault("target_hosts", "all")
        if self.ordinary:
            variables.setdefault("ansible_python_interpreter", _another_interpreter(folder / "python"))
        if variables:
            arguments = (*arguments, "--extra-vars", f"@{_write(folder / 'variables.yml', variables)}")
        return folder, [sys.executable, "-m", "ansible", "playbook", "--inventory", inventory, playbook, *arguments]

    def _environment(self, folder: Path, app: str | None) -> dict[str, str]:
        known = self.tenant.environment_of(app or "offboarding")
        credentials = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
        return {
            **tree.ansible(folder),
            "ANSIBLE_DEPRECATION_WARNINGS": "true",
            "ANSIBLE_NOCOLOR": "true",
            # Only where a write never shows is this time spent; tests about waiting set their own.
            "M365_VERIFY_TIMEOUT": "2",
            **callbacks.environment(folder / "record.jsonl"),
            **{name: value for name, value in known.items() if app or name not in credentials},
        }


def kill(process: subprocess.Popen[Any]) -> None:
    """Kill a process and all below it at once, as when the machine dies.

    Ansible gives its workers sessions of their own: they outlive the group of ansible-playbook, and send again what failed.
    """
    struck: set[int] = set()
    while family := _family(process.pid) - struck:
        for pid in sorted(family):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        struck |= family
    for pid in struck:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _family(root: int) -> set[int]:
    """A process and everything below it."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # The name of the program, in parentheses, may hold anything. One that has ended by now has no file.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            parents[int(stat.parent.name)] = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
    family = {root} & set(parents)
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def _another_interpreter(path: Path) -> str:
    """The same Python by another path: not the one that runs Ansible, so each module becomes a process of its own."""
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    path.chmod(0o700)
    return str(path)


def evidence(path: Path) -> dict[str, Any]:
    """An evidence file, after a validator that we did not write has held it against the published schema."""
    reported: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    complaints = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(reported)]
    assert not complaints, complaints
    assert path.stat().st_mode & 0o777 == 0o600
    return reported


def evident_leavers(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The leavers of an evidence file by host."""
    return {host: tenant["leavers"] for host, tenant in evidence(path)["hosts"].items()}


def _write(path: Path, content: Any) -> str:
    """As JSON, which every YAML parser reads."""
    path.write_text(json.dumps(content, default=str), encoding="utf-8")
    return str(path)


def _judge_warnings(played: Played, expected: list[str]) -> None:
    # Long lines are wrapped at the width of the terminal.
    found = _WARNINGS.findall(played.output)
    flat = " ".join(played.output.split())
    missing = [text for text in expected if text not in flat]
    assert not missing, f"no warning contains {missing}:\n{played.output}"
    assert len(found) == len(expected), f"unexpected warnings {found}:\n{played.output}"


def a_play(*tasks: Mapping[str, Any], **keywords: Any) -> dict[str, Any]:
    """A play as the collection's own playbooks write theirs."""
    return {
        "name": "Play",
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "tasks": list(tasks),
        **keywords,
    }


def a_task(name: str, module: str, *, check: bool | None = None, **options: Any) -> dict[str, Any]:
    """A task that may fail without ending the play."""
    task = {"name": name, f"m365.offboarding.{module}": options, "ignore_errors": True}
    return task if check is None else {**task, "check_mode": check}


# --- what the tenant says ---


def snapshot(tenant: Tenant) -> dict[str, Any]:
    """Everybody's state, to compare with a later one."""
    return {user.key: copy.deepcopy(state_of(user)) for user in everybody(tenant)}


def everybody(tenant: Tenant) -> list[User]:
    return [*tenant.directory.users.values(), *tenant.directory.deleted.values()]


def state_of(user: User) -> dict[str, Any]:
    return {
        "properties": user.properties,
        "mailbox": user.mailbox.settings if user.mailbox else None,
        "passwords": user.passwords,
        "sessions_alive": user.sessions_alive,
    }


def touched(before: Mapping[str, Any], tenant: Tenant) -> set[str]:
    """Keys of the users whose state has changed."""
    return {key for key, state in snapshot(tenant).items() if before[key] != state}


def open_doors(user: User, left_at: datetime | None = None) -> list[str]:
    """The open doors of somebody, worked out from the tenant's own state and the rules of the design."""
    reset, revoked = moment(user["lastPasswordChangeDateTime"]), moment(user["signInSessionsValidFromDateTime"])
    blocked, hour = user["accountEnabled"] is False, timedelta(hours=1)
    shut = {
        "password": blocked and reset < revoked <= reset + hour and (left_at is None or reset >= left_at),
        "sessions": blocked and reset < revoked and (revoked >= left_at if left_at else revoked <= reset + hour),
        "signin": blocked,
    }
    if "#EXT#" in user.upn:
        shut |= {"password": True, "sessions": True}
    if user.mailbox:
        for name, switch in SWITCHES.items():
            if switch in user.mailbox.settings:
                shut[name] = user.mailbox[switch] is (name == "smtp_auth")
    return [door for door in shut if not shut[door]]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def ago(**span: float) -> str:
    """A moment in the past as people write it."""
    return (datetime.now(UTC) - timedelta(**span)).isoformat(timespec="seconds")


def writes(tenant: Tenant) -> list[tuple[str, str]]:
    """The users that were written and by which step, in the order on the wire."""
    keys = {user.id: user.key for user in everybody(tenant)}
    return [(keys[str(entry.user)], step_of(entry)) for entry in tenant.journal.writes()]


def step_of(entry: Entry) -> str:
    """The step that sends such a write; a body with anything else in it belongs to none."""
    if entry.listener == "exchange":
        return {"Set-CASMailbox": "protocols"}[str(entry.cmdlet)]
    if entry.method == "POST" and entry.path.endswith("/revokeSignInSessions"):
        return "sessions"
    if entry.method == "POST" and re.fullmatch(r".*/directory/deletedItems/[0-9a-f-]{36}/restore", entry.path):
        return "account"
    assert entry.method == "PATCH", entry
    return {("passwordProfile",): "password", ("accountEnabled",): "signin"}[tuple(entry.body)]
