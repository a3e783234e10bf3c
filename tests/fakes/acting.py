# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs an action plugin of this collection as Ansible does, with variables that hold no templates."""

from __future__ import annotations

from typing import Any
from unittest import mock

from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase


def act(
    action: type[ActionBase],
    name: str,
    known: dict[str, Any],
    *,
    check_mode: bool = False,
    strategy: str = "linear",
    **arguments: Any,
) -> Any:
    """Return the result of an action on the host `localhost`, or on that of `known`."""
    task = a_task(f"m365.offboarding.{name}", check_mode=check_mode, strategy=strategy)
    task.args = arguments
    templar = mock.MagicMock()
    templar.template.side_effect = lambda value: value
    plugin = action(task, mock.MagicMock(), mock.MagicMock(), DataLoader(), templar, None)
    plugin._load_name = task.action
    return plugin.run(task_vars=magic(known))


def a_task(name: str, *, check_mode: bool = False, strategy: str = "linear") -> Any:
    """Return a task that is about to run."""
    task = mock.MagicMock(Task, args={}, async_val=0, check_mode=check_mode, diff=False, environment=[])
    task.action = name
    task.get_play.return_value.strategy = strategy
    return task


def magic(known: dict[str, Any]) -> dict[str, Any]:
    """Return the variables of a task: those that are known, and Ansible's own."""
    host = known.get("inventory_hostname", "localhost")
    hosts = known.get("ansible_play_hosts_all", [host])
    own = {
        "inventory_hostname": host,
        "ansible_play_hosts_all": hosts,
        "ansible_play_batch": hosts,
        "ansible_version": {"full": "2.19.1"},
    }
    return {**own, **known}


def is_template(text: str) -> bool:
    """Whether Ansible would take a text for a template: before 2.19 every one that is not marked."""
    try:
        from ansible.template import is_trusted_as_template
    except ImportError:
        return type(text).__name__ != "AnsibleUnsafeText"
    return bool(is_trusted_as_template(text))
