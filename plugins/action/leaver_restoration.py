# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils._cores import as_data
from ..plugin_utils._given import complaints
from ..plugin_utils._inputs import Refused, specification
from ..plugin_utils._restoration import conclude, decide, read_request

_ROLE = "restore_employee"
# Read only where it is used.
_NOT_TAKEN = "restore_employee_password"
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
                "playbook": {"type": "str", "default": ""},
                "has_password": {"type": "bool", "default": False},
                "undeleted": {"type": "list", "elements": "str", "default": []},
                "began": {"type": "float", "default": 0.0},
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

    def _validate(self, options: Variables, known: Variables) -> dict[str, t.Any]:
        # `unsafe` means without a copy: the specification is only read.
        spec = self._loader.load_from_file(specification(_ROLE), unsafe=True)["argument_specs"]["main"]["options"]
        spec = {name: rules for name, rules in spec.items() if name != _NOT_TAKEN}
        return read_request(
            {name.removeprefix(f"{_ROLE}_"): self._templar.template(known[name]) for name in spec if name in known},
            spec=spec,
            complaints=complaints(_ROLE, options["playbook"] or None, known, self._loader),
            host=known["inventory_hostname"],
            has_password=options["has_password"],
        )

    def _plan(self, options: Variables, known: Variables) -> dict[str, t.Any]:
        outcome = decide(
            known,
            host=known["inventory_hostname"],
            undeleted=options["undeleted"],
            began=options["began"],
            now=time.time(),
        )
        time.sleep(outcome["wait"])
        return outcome

    def _results(self, _options: Variables, known: Variables) -> dict[str, t.Any]:
        return conclude(known)

    def _conclude(self, _options: Variables, known: Variables) -> dict[str, t.Any]:
        outcome = conclude(known)
        job = known.get("awx_job_id", known.get("tower_job_id"))
        # By host, since the hosts of a play set the same key and are merged.
        stats = {f"m365_restoration{'' if job is None else f'_{job}'}": {known["inventory_hostname"]: outcome["stats"]}}
        return {
            **outcome,
            "ansible_stats": {"data": stats, "per_host": False, "aggregate": True},
        }


_PHASES = {
    "validate": ActionModule._validate,
    "plan": ActionModule._plan,
    "results": ActionModule._results,
    "conclude": ActionModule._conclude,
}
