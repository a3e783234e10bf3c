# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
import uuid

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils._cores import as_data, for_variable
from ..plugin_utils._given import complaints
from ..plugin_utils._inputs import SOURCES, Refused, handed_on, specification
from ..plugin_utils._journal import RoleRun
from ..plugin_utils._offboarding import HostRun
from ..plugin_utils._request import offboarding_request

_ROLE = "offboard_employee"
Variables = t.Mapping[str, t.Any]


class ActionModule(ActionBase):
    """Works on the controller, in check mode too. No module is run and no connection is made."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(
            argument_spec={
                "phase": {"type": "str", "required": True, "choices": list(_PHASES)},
                "purpose": {"type": "str", "choices": ["offboard", "audit"], "default": "offboard"},
                "playbook": {"type": "str", "default": ""},
                "batch": {"type": "int", "default": 0},
            }
        )
        try:
            outcome = _PHASES[options["phase"]](self, options, task_vars or {})
        except Refused as exc:
            return {**result, "failed": True, "msg": str(exc)}
        except (OSError, ValueError) as exc:
            raise AnsibleActionFail(str(exc)) from None
        # Results passed between tasks are not shown at `-v`.
        return {**result, **as_data(outcome), "changed": False, "_ansible_verbose_override": True}

    # --- validate ---

    def _validate(self, options: Variables, known: Variables) -> dict[str, t.Any]:
        # `unsafe` means without a copy: the specification is only read.
        spec = self._loader.load_from_file(specification(_ROLE), unsafe=True)["argument_specs"]["main"]["options"]
        sources = SOURCES if options["playbook"] else {}
        outcome = offboarding_request(
            {name.removeprefix(f"{_ROLE}_"): self._templar.template(known[name]) for name in spec if name in known},
            {name: self._templar.template(known[name]) for name in sources if name in known},
            spec=spec,
            complaints=complaints(_ROLE, options["playbook"] or None, known, self._loader),
            load=self._content,
            purpose=options["purpose"],
            host=known["inventory_hostname"],
        )
        return {**outcome, "run_id": uuid.uuid4().hex}

    def _content(self, path: str, most: int) -> bytes:
        """At most `most` bytes of a file, decrypted: Ansible's own text reader accepts only UTF-8."""
        with open(self._loader.get_real_file(path), "rb") as file:
            return file.read(most)

    # --- plan ---

    def _plan(self, options: Variables, known: Variables) -> dict[str, t.Any]:
        stats = [self._templar.template(known[name]) for name in handed_on("offboarding", known)]
        return HostRun(known).plan(known["inventory_hostname"], stats)

    # --- batch_done, evidence ---

    def _run_of(self, known: Variables) -> RoleRun:
        strategy = str(self._task.get_play().strategy)
        return RoleRun(known, check_mode=self._task.check_mode, strategy=strategy, folder=constants.DEFAULT_LOCAL_TMP)

    def _batch_done(self, options: Variables, known: Variables) -> dict[str, t.Any]:
        state = self._run_of(known).batch_done(options["batch"])
        if len(HostRun(known).batches) > 1:
            # A task of its own would be a line of every run, also of those with one batch.
            self._display.display(f"[{known['inventory_hostname']}] {state['msg']}")
        return state

    def _evidence(self, _options: Variables, known: Variables) -> dict[str, t.Any]:
        """One host for all, where `run_once` is honored."""
        run = self._run_of(known)
        states = {host: tenant.state for host, tenant in run.tenants.items()}
        # A host that was removed from the play must not be missing without a trace.
        missing = [host for host in known["ansible_play_hosts_all"] if host not in run.tenants]
        written = run.write(states, missing=missing, complete=True)
        files = {
            host: [written[host]["files"][path] for path in tenant.request["report_paths"]]
            for host, tenant in run.tenants.items()
        }
        sums = {host: {file: written[host]["sha256"][file] for file in of_host} for host, of_host in files.items()}
        return {
            "files": files,
            "lines": {
                host: [f"Report: {file} (SHA-256 {digest})" for file, digest in of_host.items()]
                for host, of_host in sums.items()
            },
            "is_long": {host: tenant.is_long for host, tenant in run.tenants.items()},
            "journal": written,
            # Stored by AWX, out of reach of those who can write to the files. File names may be names of people.
            "ansible_stats": _stats(
                known, {host: {"sha256": list(of_host.values())} for host, of_host in sums.items() if of_host}
            ),
        }

    # --- conclude ---

    def _conclude(self, options: Variables, known: Variables) -> dict[str, t.Any]:
        host, tenant = known["inventory_hostname"], HostRun(known)
        is_check = tenant.opening.get("check_mode", self._task.check_mode)
        reported = tenant.conclude(host, is_dry_run=tenant.request["purpose"] == "offboard" and bool(is_check))
        leavers, stats = reported.pop("leavers"), reported.pop("stats")
        return {
            **reported,
            **for_variable(f"{_ROLE}_result", leavers, known),
            "ansible_stats": _stats(known, {host: stats}),
        }


def _stats(known: Variables, by_host: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The values for the next node of a workflow; by host, since the hosts of a play set the same key and are merged."""
    job = known.get("awx_job_id", known.get("tower_job_id"))
    key = f"m365_offboarding{'' if job is None else f'_{job}'}"
    return {"data": {key: dict(by_host)}, "per_host": False, "aggregate": True}


_PHASES = {
    "validate": ActionModule._validate,
    "plan": ActionModule._plan,
    "batch_done": ActionModule._batch_done,
    "evidence": ActionModule._evidence,
    "conclude": ActionModule._conclude,
}
