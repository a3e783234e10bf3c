# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Convert playbooks/vars/awx_setup to variables of infra.aap_configuration: `python -m tools.aap_configuration`.

It adds to each item what the playbook awx_setup adds when it calls a module of awx.awx. Settings stay templates.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from . import tree

SOURCE = tree.ROOT / "playbooks" / "vars" / "awx_setup"
PLAYBOOK = tree.ROOT / "playbooks" / "awx_setup.yml"
TARGET = tree.ROOT / "extensions" / "awx" / "aap_configuration.yml"
# Split, so that tools do not read them as the licence of this file.
_HEAD = """\
# SPDX-FileCopyright{text}: The m365.offboarding contributors
# SPDX-License-{identifier}: GPL-3.0-or-later
---
# For infra.aap_configuration: its role "dispatch" sets AWX or Automation Platform up from these variables. Copy the file, and change the
# settings at its beginning. Written by "python -m tools.aap_configuration" from playbooks/vars/awx_setup: change those.
"""
_REFERENCE = re.compile(r"\{\{ (awx_setup_\w+) \}\}")
# Variables of the playbook that are not settings of the file.
_OF_THE_PLAYBOOK = (
    "ansible_python_interpreter",
    "awx_setup_modules",
    "awx_setup_inputs",
    "awx_setup_notify_success",
    "awx_setup_tenants",
    "awx_setup_update_secrets",
)
Item = dict[str, Any]


class Unsafe(str):
    """A text tagged `!unsafe`: a template for AWX, not for Ansible."""


class _Loader(yaml.SafeLoader):
    pass


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists, as ansible-lint requires."""
        super().increase_indent(flow, False)


_Loader.add_constructor("!unsafe", lambda _loader, node: Unsafe(node.value))
_Dumper.add_representer(
    Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", text, style="|" if "\n" in text else '"')
)


def _load(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  # a SafeLoader that knows a tag


def settings() -> Item:
    """Return the settings with their defaults."""
    known = {name: value for name, value in _load(PLAYBOOK)[0]["vars"].items() if name not in _OF_THE_PLAYBOOK}
    # A folded template keeps the line breaks before lines that are indented further.
    return {name: " ".join(value.split()) if isinstance(value, str) else value for name, value in known.items()}


def source() -> Item:
    """Return all variables of the data files, with references among them resolved."""
    data: Item = {}
    for path in sorted(SOURCE.glob("*.yml")):
        data |= _load(path)
    return {name: _resolved(value, data) for name, value in data.items()}


def _resolved(value: Any, data: Item) -> Any:
    if isinstance(value, dict):
        return {name: _resolved(one, data) for name, one in value.items()}
    if isinstance(value, list):
        return [_resolved(one, data) for one in value]
    found = None if isinstance(value, Unsafe) or not isinstance(value, str) else _REFERENCE.fullmatch(value)
    return _resolved(data[found[1]], data) if found and found[1] in data else value


def configuration() -> Item:
    """Return the variables of infra.aap_configuration."""
    data = source()
    owned = {"organization": "{{ awx_setup_organization }}"}
    environment = data["awx_setup_execution_environments"][0]["name"]
    (inventory,) = data["awx_setup_inventories"]
    everybody = "{{ __awx_setup_notified }}"
    playbook = _load(PLAYBOOK)[0]["vars"]

    def template(item: Item) -> Item:
        own = {name: value for name, value in item.items() if name not in ("playbook", "credential")}
        return {
            **own,
            **owned,
            "project": data["awx_setup_projects"][0]["name"],
            "playbook": "{{ [awx_setup_project_folder, '" + item["playbook"] + "'] | select | join('/') }}",
            "inventory": inventory["name"],
            "execution_environment": environment,
            "credentials": [item["credential"]],
            "survey_enabled": "survey_spec" in item,
            "allow_simultaneous": True,
            "notification_templates_error": everybody,
            "notification_templates_success": everybody if item["name"] in playbook["awx_setup_notify_success"] else [],
        }

    def workflow(item: Item) -> Item:
        own = {name: value for name, value in item.items() if name != "nodes"}
        nodes = [{**node, "lookup_organization": owned["organization"]} for node in item["nodes"]]
        return {
            **own,
            **owned,
            "survey_enabled": True,
            "allow_simultaneous": True,
            "notification_templates_approvals": everybody,
            "simplified_workflow_nodes": nodes,
        }

    own_type = data["awx_setup_credential_types"][0]["name"]
    return {
        "controller_credential_types": data["awx_setup_credential_types"],
        "controller_credentials": [
            {"name": one["name"], "description": one["description"], **owned, "credential_type": own_type, "inputs": {}}
            for one in data["awx_setup_credentials"]
        ],
        "controller_execution_environments": [{**one, **owned} for one in data["awx_setup_execution_environments"]],
        "controller_projects": [
            {**one, **owned, "default_environment": environment} for one in data["awx_setup_projects"]
        ],
        "controller_inventories": [{"name": inventory["name"], "description": inventory["description"], **owned}],
        "controller_hosts": [{"name": name, "inventory": inventory["name"]} for name in playbook["awx_setup_tenants"]],
        "awx_setup_notifications": [{**one, **owned} for one in data["awx_setup_notifications"]],
        # Those that have an address.
        "controller_notifications": "{{ __awx_setup_wanted_notifications }}",
        "controller_templates": [template(one) for one in data["awx_setup_job_templates"]],
        "controller_schedules": [{**one, **owned} for one in data["awx_setup_schedules"]],
        "controller_workflows": [workflow(one) for one in data["awx_setup_workflows"]],
        "aap_teams": [{**one, **owned} for one in data["awx_setup_teams"]],
        "controller_roles": [{**one, "lookup_organization": owned["organization"]} for one in data["awx_setup_roles"]],
    }


def text() -> str:
    """Return the whole file."""
    known = {**settings(), **configuration()}
    head = _HEAD.format(text="Text", identifier="Identifier")
    return head + yaml.dump(known, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
