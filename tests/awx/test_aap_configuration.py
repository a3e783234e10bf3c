# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data for infra.aap_configuration is that of our own playbook, and its options are those of the modules."""

from __future__ import annotations

import re

import pytest
import yaml

from tools import aap_configuration, awx_modules

# The variables of https://github.com/redhat-cop/infra.aap_configuration, each with the module that its role calls.
MODULES = {
    "controller_credential_types": "credential_type",
    "controller_credentials": "credential",
    "controller_execution_environments": "execution_environment",
    "controller_projects": "project",
    "controller_inventories": "inventory",
    "controller_hosts": "host",
    "awx_setup_notifications": "notification_template",
    "controller_templates": "job_template",
    "controller_schedules": "schedule",
    "controller_workflows": "workflow_job_template",
    "aap_teams": "team",
    "controller_roles": "role",
}


def test_the_file_is_what_the_data_of_the_playbook_says() -> None:
    assert aap_configuration.TARGET.read_text(encoding="utf-8") == aap_configuration.text(), (
        "run: python -m tools.aap_configuration"
    )


@pytest.mark.parametrize(("variable", "module"), MODULES.items())
def test_the_module_knows_each_option(variable: str, module: str) -> None:
    """The roles ignore what they do not know, so a misspelt option would be lost without a word."""
    (path,) = awx_modules.folder().rglob(f"plugins/modules/{module}.py")
    documentation = re.search(r"DOCUMENTATION = r?(\"\"\"|''')(.*?)\1", path.read_text(encoding="utf-8"), re.DOTALL)
    assert documentation
    known = set(yaml.safe_load(documentation[2])["options"])
    items = aap_configuration.configuration()[variable]

    assert items
    for item in items:
        # The roles link the nodes of a workflow themselves.
        assert set(item) - {"simplified_workflow_nodes"} <= known


def test_every_variable_belongs_to_a_module() -> None:
    assert set(aap_configuration.configuration()) == {*MODULES, "controller_notifications"}
