# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils._chain import in_one_line, problems, verify
from ..plugin_utils._cores import as_data
from ..plugin_utils._given import complaints


class ActionModule(ActionBase):
    """Reads on the controller, in check mode too. No module is run and no connection is made."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(
            argument_spec={
                "folder": {"type": "path", "required": True},
                "expected": {"type": "list", "elements": "str", "default": []},
                "playbook": {"type": "str", "default": ""},
            }
        )
        refused = (
            complaints("offboard_employee", options["playbook"], task_vars or {}, self._loader)
            if options["playbook"]
            else []
        )
        if refused:
            return {**result, "failed": True, "msg": " ".join(refused)}
        try:
            outcome = verify(options["folder"], options["expected"])
        except (OSError, ValueError) as exc:
            raise AnsibleActionFail(str(exc)) from None
        found = problems(outcome)
        # File names come from outside.
        return {
            **result,
            **as_data({**outcome, "msg": "\n".join(found) or in_one_line(outcome)}),
            "changed": False,
            "failed": bool(found),
        }
