# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils._batches import join

# Arguments that name a variable: what it holds is taken as it is, without a walk of the template engine through it.
_NAMES = ("opening", "closing", "earlier", "before")


class ActionModule(ActionBase):
    """Works where Ansible runs, in check mode too. No module is run and no connection is made."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, asked = self.validate_argument_spec(
            argument_spec={
                "opening": {"type": "str", "required": True},
                "steps": {"type": "list", "elements": "str", "required": True},
                "protocols": {"type": "list", "elements": "str", "default": ["all"]},
                "batches": {"type": "list", "elements": "list", "default": []},
                "number": {"type": "int", "default": 0},
                "runs": {"type": "dict", "default": {}},
                "closing": {"type": "str"},
                "finished": {"type": "bool", "default": False},
                "refused": {"type": "dict", "default": {}},
                "earlier": {"type": "str"},
                "before": {"type": "str"},
                "total": {"type": "int", "default": 0},
                "started_at": {"type": "str"},
            }
        )
        held = {name: (task_vars or {}).get(asked[name]) if asked[name] else None for name in _NAMES}
        users = [one for batch in asked["batches"] for one in batch]
        held["runs"] = [
            {"step": step, "users": users, "result": (task_vars or {})[variable]}
            for step, variable in asked["runs"].items()
            if step in asked["steps"] and users
        ]
        try:
            told = join(**{**asked, **held})
        except ValueError as exc:
            raise AnsibleActionFail(str(exc)) from None
        # The packed records are nothing to read at -v.
        return {**result, **told, "changed": False, "_ansible_verbose_override": True}
