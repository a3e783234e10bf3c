# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils._batches import texts, unpack
from ..plugin_utils._evidence import evidence, missing_entry, plain_json
from ..plugin_utils._files import write
from ..plugin_utils._report import format_of, render


class ActionModule(ActionBase):
    """Writes where Ansible runs, in check mode too. No module is run and no connection is made."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, asked = self.validate_argument_spec(
            argument_spec={
                "hosts": {"type": "dict", "required": True},
                "paths": {"type": "dict", "required": True},
                "missing": {"type": "list", "elements": "str", "default": []},
                "purpose": {"type": "str", "required": True, "choices": ["offboard", "audit"]},
                "complete": {"type": "bool", "required": True},
                "json_only": {"type": "bool", "default": False},
                "started_at": {"type": "str", "required": True},
                "job": {"type": "dict", "default": {}},
                "files": {"type": "dict", "default": {}},
            }
        )
        try:
            files = {**asked["files"], **self._write(asked, (task_vars or {})["ansible_version"]["full"])}
        except (OSError, ValueError) as exc:
            raise AnsibleActionFail(str(exc)) from None
        return {
            **result,
            "changed": False,
            "files": files,
            "msg": ", ".join(files.values()) or "No report was asked for.",
        }

    def _write(self, asked: dict[str, t.Any], ansible: str) -> dict[str, str]:
        """Hosts that name the same path share a file; of a host that never came to name one, each file tells."""
        told = {name: asked[name] for name in ("purpose", "complete", "started_at", "job")}
        # A play's own keyword counts as well, which no variable tells of.
        told["check_mode"] = self._task.check_mode
        paths = [path for paths in asked["paths"].values() for path in paths]
        written = {}
        opened: dict[str, t.Any] = {}
        for path in dict.fromkeys(paths):
            if asked["json_only"] and format_of(path) != "json":
                continue
            sharing = {name: host["entry"] for name, host in asked["hosts"].items() if path in asked["paths"][name]}
            sharing.update((name, missing_entry(name)) for name in asked["missing"])
            for name in sharing.keys() & asked["hosts"].keys() - opened.keys():
                opened[name] = (texts if asked["json_only"] else unpack)(asked["hosts"][name]["records"])
            if asked["json_only"]:
                text = plain_json(evidence(sharing, {}, ansible=ansible, **told), opened)
            else:
                text = render(evidence(sharing, opened, ansible=ansible, **told), format_of(path))
            written[path] = write(text, path, instead_of=asked["files"].get(path))
        return written
