# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Slices as AWX makes them: jobs of their own, each with every n-th host, run by ansible-runner, the engine inside AWX.

As in ansible/awx, ``awx/main/models/inventory.py`` (``get_script_data``: hosts by name, from an offset, by steps) and
``awx/main/tasks/jobs.py``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration.support import kill

from .estate import SLICES, Estate


def inventory_of(estate: Estate) -> dict[str, Any]:
    """What AWX knows after it has synchronised the inventory from the project, without the vault password."""
    ran = estate.shell("env --unset=ANSIBLE_VAULT_PASSWORD_FILE ansible-inventory --list --export")
    assert ran.returncode == 0, ran.output
    reported: dict[str, Any] = json.loads(ran.output)
    return reported


def hosts_of(inventory: dict[str, Any], number: int) -> list[str]:
    """The hosts of a slice, counted from 1."""
    return sorted(inventory["_meta"]["hostvars"])[number - 1 :: SLICES]


@dataclass
class SliceJob:
    """A slice that runs, or has run."""

    number: int
    folder: Path
    process: subprocess.Popen[bytes]

    def wait(self, seconds: float) -> int:
        return self.process.wait(seconds)

    @property
    def output(self) -> str:
        stdout = self.folder / "artifacts" / str(self.number) / "stdout"
        return stdout.read_text(encoding="utf-8") if stdout.exists() else ""

    @property
    def stats(self) -> dict[str, Any]:
        """The last event's counts by host."""
        for path in (self.folder / "artifacts" / str(self.number) / "job_events").glob("*.json"):
            event = json.loads(path.read_text())
            if event["event"] == "playbook_on_stats":
                reported: dict[str, Any] = event["event_data"]
                return reported
        return {}

    def strike(self) -> None:
        """As when the node dies: the runner, and all that it has started, at once."""
        kill(self.process)


def launch(
    estate: Estate, folder: Path, inventory: dict[str, Any], number: int, *, job: int, evidence: Path, **variables: Any
) -> SliceJob:
    """Start a slice as a job of this number."""
    own = folder / f"job{job}"
    shutil.copytree(estate.project, own / "project", ignore=shutil.ignore_patterns("inventory", "evidence*"))
    hosts = set(hosts_of(inventory, number))
    script = {
        group: {**content, "hosts": [host for host in content["hosts"] if host in hosts]}
        if "hosts" in content
        else content
        for group, content in inventory.items()
        if group != "_meta"
    }
    known = {host: variables for host, variables in inventory["_meta"]["hostvars"].items() if host in hosts}
    # AWX writes a program that prints this.
    answer = json.dumps({**script, "_meta": {"hostvars": known}})
    _write(own / "inventory" / "hosts", f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n", 0o700)
    extra = {**estate.limits, **variables, "awx_job_id": job, "evidence_folder": str(evidence)}
    _write(own / "env" / "extravars", json.dumps(extra))
    _write(own / "env" / "envvars", json.dumps(estate.environment))
    output = (own / "runner.log").open("wb")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "ansible_runner", "run", str(own)),
            *("--playbook", "tenants.yml", "--ident", str(job)),
        ],
        env={name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        | {"LC_ALL": "C.UTF-8", "HOME": str(own)},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    output.close()
    return SliceJob(job, own, process)


def wait_until(happened: Callable[[], bool], job: SliceJob, seconds: float) -> None:
    """Wait for a moment within the run of a job."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert job.process.poll() is None, f"the job ended before:\n{job.output}"
        assert time.monotonic() < deadline, f"it did not happen:\n{job.output}"
        time.sleep(0.03)


def settle(estate: Estate, hosts: list[str]) -> None:
    """Wait until a tenant has dealt with what was on its way when the sender died."""
    counts: list[int] = []
    while counts != (counts := [estate.asked(host) for host in hosts]):
        time.sleep(0.5)


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
