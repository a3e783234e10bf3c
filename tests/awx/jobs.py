# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWX does with what was set up: launches, credentials, ansible-runner, events, artifacts, workflows.

As in ansible/awx, ``awx/main/tasks/jobs.py``, ``awx/main/models/workflow.py`` and ``awx/main/models/credential.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment

from simulator import Tenant
from tools import tree

from . import rules
from .server import FakeAwx, Item

# A larger result is taken out of its event (``MAX_EVENT_RES_DATA``).
LARGEST_RESULT = 700_000


@dataclass
class Job:
    """A job that has run, as AWX keeps it."""

    name: str
    number: int
    returncode: int
    folder: Path = field(repr=False)
    variables: Item = field(repr=False)
    events: list[Item] = field(repr=False)

    @property
    def successful(self) -> bool:
        return self.returncode == 0

    @property
    def stats(self) -> Item:
        (last,) = [event for event in self.events if event["event"] == "playbook_on_stats"]
        reported: Item = last["event_data"]
        return reported

    @property
    def artifacts(self) -> Item:
        artifacts: Item = self.stats.get("artifact_data", {})
        return artifacts

    @property
    def host_summaries(self) -> dict[str, dict[str, int]]:
        """What AWX shows for each host."""
        counts = ("ok", "changed", "failures", "dark", "skipped")
        hosts = {host for count in counts for host in self.stats[count]}
        return {host: {count: self.stats[count].get(host, 0) for count in counts} for host in hosts}

    def results(self, task: str) -> dict[str, Item]:
        """By host, what the task of this name ended with."""
        return {
            event["event_data"]["host"]: event["event_data"]["res"]
            for event in self.events
            if event["event"] in ("runner_on_ok", "runner_on_failed")
            and event["event_data"]["task"].rpartition(" : ")[2] == task
        }

    @property
    def sizes(self) -> list[int]:
        """As ansible-runner measures results, the largest last."""
        return sorted(len(str(event["event_data"].get("res", ""))) for event in self.events)

    @property
    def output(self) -> str:
        return (self.folder / "artifacts" / str(self.number) / "stdout").read_text(encoding="utf-8")


class Dumper(yaml.SafeDumper):
    """Every text as ``!unsafe``: what a launcher says is never a template."""

    def represent_data(self, data: Any) -> yaml.Node:
        if isinstance(data, str):
            return self.represent_scalar("!unsafe", data)
        return super().represent_data(data)


@dataclass
class Launcher:
    """Runs jobs of one AWX against a simulated tenant.

    :ivar network: where the tenant is, for the execution environment.
    """

    awx: FakeAwx
    tenant: Tenant
    folder: Path
    collections: str
    number: int = 0

    def launch(self, name: str, hosts: Mapping[str, Item] | None = None, **answers: Any) -> Job:
        """As a person who may launch this job template and nothing else."""
        template = self.awx.named("job_templates", name)
        return self._run(template, rules.accept_answers(template, answers), hosts)

    def launch_workflow(self, name: str, *, approve: Callable[[list[Job]], bool], **answers: Any) -> list[Job]:
        """All jobs of a workflow, in order. The variables of a workflow go to its jobs whatever these ask for.

        The workflow has a number of its own, before those of its jobs, and passes it to them as ``awx_workflow_job_id``.
        """
        workflow = self.awx.named("workflow_job_templates", name)
        self.number += 1
        known = {f"{prefix}_workflow_job_id": self.number for prefix in ("awx", "tower")}
        variables = {**json.loads(workflow["extra_vars"] or "{}"), **rules.accept_answers(workflow, answers)}
        nodes = [
            one
            for one in self.awx.items["workflow_job_template_nodes"].values()
            if one["workflow_job_template"] == workflow["id"]
        ]
        followers = {
            node["id"]: {
                when: self.awx.linked("workflow_job_template_nodes", node, f"{when}_nodes")
                for when in ("success", "failure", "always")
            }
            for node in nodes
        }
        led_to = {one["id"] for ways in followers.values() for ends in ways.values() for one in ends}
        waiting: list[tuple[Item, Item]] = [(node, {}) for node in nodes if node["id"] not in led_to]
        jobs: list[Job] = []
        while waiting:
            node, artifacts = waiting.pop(0)
            if node["unified_job_template"] in self.awx.items["workflow_approval_templates"]:
                good = approve(jobs)
            else:
                template = self.awx.items["job_templates"][node["unified_job_template"]]
                defaults = {} if not template["survey_enabled"] else rules.accept_answers(template, answers)
                jobs.append(self._run(template, {**defaults, **artifacts, **variables, **known}, None))
                good, artifacts = jobs[-1].successful, {**artifacts, **jobs[-1].artifacts}
            ways = followers[node["id"]]
            waiting += [(one, artifacts) for one in [*ways["success" if good else "failure"], *ways["always"]]]
        return jobs

    def _run(self, template: Item, answers: Item, hosts: Mapping[str, Item] | None) -> Job:
        self.number += 1
        folder = self.folder / f"job{self.number}"
        for path, content in self.awx.files(template).items():
            target = folder / "project" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
        own = json.loads(template["extra_vars"] or "{}")
        variables = {**own, **answers, **self._meta(template)}
        (folder / "env").mkdir()
        texts = [
            yaml.dump({key: value}, Dumper=yaml.SafeDumper if own.get(key) == value else Dumper)
            for key, value in variables.items()
        ]
        _write(folder / "env" / "extravars", "".join(texts))
        check = ["--check"] if template["job_type"] == "check" else []
        _write(
            folder / "env" / "cmdline",
            " ".join([*check, *(["--diff"] if template["diff_mode"] else []), "--user root"]),
        )
        environment = {
            **self._container(folder),
            **({} if hosts else self._credential(template, folder)),
            "JOB_ID": str(self.number),
            "MAX_EVENT_RES": str(LARGEST_RESULT),
        }
        _write(folder / "env" / "envvars", json.dumps(environment))
        hosts = hosts or {
            host["name"]: {} for host in self.awx.items["hosts"].values() if host["inventory"] == template["inventory"]
        }
        (folder / "inventory").mkdir()
        _write(folder / "inventory" / "hosts.json", json.dumps({"all": {"hosts": hosts}}))
        ran = subprocess.run(
            [
                sys.executable,
                "-m",
                "ansible_runner",
                "run",
                str(folder),
                "--playbook",
                template["playbook"],
                "--ident",
                str(self.number),
            ],
            env={name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
            | {"LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
            timeout=240,
        )
        events = [
            json.loads(path.read_text())
            for path in (folder / "artifacts" / str(self.number) / "job_events").glob("*.json")
        ]
        assert events, ran.stdout
        (folder / "env" / "envvars").unlink()
        return Job(
            template["name"],
            self.number,
            ran.returncode,
            folder,
            variables,
            sorted(events, key=lambda one: one["counter"]),
        )

    def _meta(self, template: Item) -> Item:
        """What AWX adds to the extra variables of every job, over all others."""
        known = {
            "job_id": self.number,
            "job_launch_type": "manual",
            "user_name": "hanna",
            "job_template_name": template["name"],
        }
        return {f"{prefix}_{name}": value for name, value in known.items() for prefix in ("awx", "tower")}

    def _container(self, folder: Path) -> dict[str, str]:
        """What the execution environment brings: the collection, and a way to the tenant."""
        reach = self.tenant.environment
        return {
            **{name: value for name, value in reach.items() if not name.startswith("AZURE_")},
            **tree.ansible(folder),
            "ANSIBLE_COLLECTIONS_PATH": self.collections,
        }

    def _credential(self, template: Item, folder: Path) -> dict[str, str]:
        (credential,) = self.awx.linked("job_templates", template, "credentials")
        of_type = self.awx.items["credential_types"][credential["credential_type"]]
        return inject(of_type, credential["inputs"], folder)


def inject(of_type: Item, inputs: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment of a job with this credential; inputs that are empty are not known to the templates."""
    known: Item = {name: value for name, value in inputs.items() if value}
    for one in of_type["inputs"]["fields"]:
        if one.get("format") == "ssh_private_key" and one["id"] in known:
            known[one["id"]] = known[one["id"]].rstrip("\n") + "\n"
    sandbox = ImmutableSandboxedEnvironment()
    paths = {}
    for name, template in of_type["injectors"].get("file", {}).items():
        path = folder / "env" / f"injected-{name}"
        _write(path, sandbox.from_string(template).render(known))
        paths[name.partition(".")[2]] = str(path)
    known["tower"] = {"filename": paths}
    return {
        name: sandbox.from_string(template).render(known)
        for name, template in of_type["injectors"].get("env", {}).items()
    }


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
