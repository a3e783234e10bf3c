# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
import uuid

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.unsafe_proxy import wrap_var

from ..module_utils._doors import ALSO, STEPS
from ..plugin_utils._given import complaints
from ..plugin_utils._inputs import SOURCES, Refused, handed_on, specification
from ..plugin_utils._offboarding import HostRun, unrecorded, write_evidence
from ..plugin_utils._request import request
from ..plugin_utils._shared_evidence import goes_alone, write_shared_evidence

_ROLE = "offboard_employee"
Variables = t.Mapping[str, t.Any]


class ActionModule(ActionBase):
    """Works where Ansible runs, in check mode too. No module is run and no connection is made."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, asked = self.validate_argument_spec(
            argument_spec={
                "phase": {"type": "str", "required": True, "choices": list(_PHASES)},
                "purpose": {"type": "str", "choices": ["offboard", "audit"], "default": "offboard"},
                "playbook": {"type": "str", "default": ""},
                "batch": {"type": "int", "default": 0},
                "step": {"type": "str", "choices": [*STEPS, *ALSO]},
            }
        )
        try:
            outcome = _PHASES[asked["phase"]](self, asked, task_vars or {})
        except Refused as exc:
            return {**result, "failed": True, "msg": str(exc)}
        except (OSError, ValueError) as exc:
            raise AnsibleActionFail(str(exc)) from None
        # The tenant's data is never a template. What is told between tasks is nothing to read at -v.
        return {**result, **wrap_var(outcome), "changed": False, "_ansible_verbose_override": True}

    # --- validate ---

    def _validate(self, asked: Variables, known: Variables) -> dict[str, t.Any]:
        spec = self._loader.load_from_file(specification(_ROLE))["argument_specs"]["main"]["options"]
        sources = SOURCES if asked["playbook"] else {}
        outcome = request(
            {name.removeprefix(f"{_ROLE}_"): self._templar.template(known[name]) for name in spec if name in known},
            {name: self._templar.template(known[name]) for name in sources if name in known},
            spec=spec,
            complaints=complaints(_ROLE, asked["playbook"] or None, known, self._loader),
            load=self._content,
            purpose=asked["purpose"],
            host=known["inventory_hostname"],
        )
        return {**outcome, "run_id": uuid.uuid4().hex}

    def _content(self, path: str, most: int) -> bytes:
        """The file, decrypted, `most` bytes of it: Ansible's own reading of text takes UTF-8 alone."""
        with open(self._loader.get_real_file(path), "rb") as file:
            return file.read(most)

    # --- plan ---

    def _plan(self, asked: Variables, known: Variables) -> dict[str, t.Any]:
        stats = [self._templar.template(known[name]) for name in handed_on("offboarding", known)]
        return HostRun(known).plan(known["inventory_hostname"], stats)

    # --- record ---

    @property
    def _goes_alone(self) -> bool:
        return goes_alone(str(self._task.get_play().strategy))

    def _tenants(self, known: Variables) -> dict[str, HostRun]:
        """The hosts that this task writes for: those of this play that have come through the validation."""
        own = known["inventory_hostname"]
        hosts = [own] if self._goes_alone else known["ansible_play_hosts_all"]
        tenants = {host: HostRun(known if host == own else known["hostvars"].raw_get(host)) for host in hosts}
        return {host: tenant for host, tenant in tenants.items() if tenant.is_here}

    def _join(self, asked: Variables, known: Variables) -> dict[str, t.Any]:
        tenant = HostRun(known)
        try:
            state = tenant.put(number=asked["batch"])
        except Exception as exc:  # one tenant must not stop the others
            return unrecorded(tenant.state, known["inventory_hostname"], exc)
        if len(tenant.batches) > 1:
            # A task of its own would be a line of every run, also of those with one batch.
            self._display.display(f"[{known['inventory_hostname']}] {state['msg']}")
        return state

    def _record(self, asked: Variables, known: Variables) -> dict[str, t.Any]:
        """One host for all, where `run_once` is honoured: hosts that name the same path share a file."""
        tenants, number, step = self._tenants(known), asked["batch"], asked["step"]
        states = {host: tenant.state for host, tenant in tenants.items()}
        # The whole evidence is written right after the last batch.
        is_last = number and not step and number >= max(len(tenant.batches) for tenant in tenants.values())
        if self._task.check_mode or is_last:
            return {"hosts": {host: tenant.journal(host) for host, tenant in tenants.items()}}
        for host, tenant in tenants.items():
            if step and host in known["ansible_play_batch"] and number <= len(tenant.batches):
                try:
                    states[host] = tenant.put(number=number, step=step)
                except Exception as exc:  # one tenant must not stop the others
                    states[host] = unrecorded(states[host], host, exc)
        # Between the steps JSON alone, which is cheap.
        return {"hosts": self._write(known, tenants, states, json_only=not number or bool(step))}

    def _evidence(self, _user_input: Variables, known: Variables) -> dict[str, t.Any]:
        tenants = self._tenants(known)
        states = {host: tenant.state for host, tenant in tenants.items()}
        # A host that fell out of the play must not be missing in silence.
        missing = [host for host in known["ansible_play_hosts_all"] if host not in tenants]
        written = self._write(known, tenants, states, missing=missing, complete=True)
        files = {
            host: [written[host]["files"][path] for path in tenant.asked["report_paths"]]
            for host, tenant in tenants.items()
        }
        sums = {host: {file: written[host]["sha256"][file] for file in of_host} for host, of_host in files.items()}
        return {
            "files": files,
            "lines": {
                host: [f"Report: {file} (SHA-256 {digest})" for file, digest in of_host.items()]
                for host, of_host in sums.items()
            },
            # Kept by AWX, where nobody who writes to the files can change it. Names of files may be names of people.
            "ansible_stats": _stats(
                known, {host: {"sha256": list(of_host.values())} for host, of_host in sums.items() if of_host}
            ),
        }

    def _write(
        self,
        known: Variables,
        tenants: t.Mapping[str, HostRun],
        states: t.Mapping[str, Variables],
        *,
        missing: t.Sequence[str] = (),
        complete: bool = False,
        **how: t.Any,
    ) -> dict[str, dict[str, t.Any]]:
        own = tenants[known["inventory_hostname"]].asked

        def first(*names: str) -> t.Any:
            return next((known[name] for name in names if name in known), None)

        how |= {
            "purpose": own["purpose"],
            "check_mode": self._task.check_mode,
            "started_at": own["started_at"],
            # AWX gives its jobs the newer names, and the older ones beside them.
            "job": {
                "id": first("awx_job_id", "tower_job_id"),
                "template": first("awx_job_template_name", "tower_job_template_name"),
                "launched_by": first("awx_user_name", "tower_user_name"),
                "workflow_job_id": first("awx_workflow_job_id", "tower_workflow_job_id"),
                **{name: own[name] for name in ("reason", "ticket", "approved_by")},
            },
            "ansible": known["ansible_version"]["full"],
        }
        if not self._goes_alone:
            return write_evidence(states, tenants, missing=missing, complete=complete, **how)
        ((host, tenant),) = tenants.items()
        hosts, folder = known["ansible_play_hosts_all"], constants.DEFAULT_LOCAL_TMP
        return write_shared_evidence(
            host, tenant, states[host], folder=folder, play_hosts=hosts, complete=complete, **how
        )

    # --- conclude ---

    def _digest(self, asked: Variables, known: Variables) -> dict[str, t.Any]:
        return {"written": HostRun(known).written(asked["batch"])}

    def _conclude(self, asked: Variables, known: Variables) -> dict[str, t.Any]:
        host, tenant = known["inventory_hostname"], HostRun(known)
        is_check = tenant.opening.get("check_mode", self._task.check_mode)
        outcome = tenant.conclude(host, is_dry_run=tenant.asked["purpose"] == "offboard" and bool(is_check))
        return {**outcome, "ansible_stats": _stats(known, {host: outcome["stats"]})}


def _stats(known: Variables, by_host: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What the next node of a workflow gets; by host, since the hosts of a play set the same key and are merged."""
    job = known.get("awx_job_id", known.get("tower_job_id"))
    key = f"m365_offboarding{'' if job is None else f'_{job}'}"
    return {"data": {key: dict(by_host)}, "per_host": False, "aggregate": True}


_PHASES = {
    "validate": ActionModule._validate,
    "plan": ActionModule._plan,
    "join": ActionModule._join,
    "record": ActionModule._record,
    "digest": ActionModule._digest,
    "conclude": ActionModule._conclude,
    "evidence": ActionModule._evidence,
}
