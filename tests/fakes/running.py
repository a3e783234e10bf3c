# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running a module as Ansible does it: its real ``main()``, or its real action plugin."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import io
import json
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

from ansible.module_utils import basic
from ansible.module_utils.common import warnings
from ansible.playbook.task import Task
from ansible.plugins.connection.local import Connection
from ansible.plugins.loader import action_loader

from ansible_collections.m365.offboarding.plugins.plugin_utils import _in_process

MODULES = "ansible_collections.m365.offboarding.plugins.modules"
ACTIONS = MODULES.replace(".modules", ".action")


@dataclasses.dataclass(frozen=True)
class ModuleOutcome:
    """How a module ended, and what it returned."""

    exit_code: int
    result: dict[str, Any]
    stdout: str
    stderr: str

    @property
    def failed(self) -> bool:
        assert bool(self.result.get("failed")) is (self.exit_code != 0)
        return self.exit_code != 0

    @property
    def changed(self) -> bool:
        return self.result["changed"]

    @property
    def msg(self) -> str:
        return self.result["msg"]

    @property
    def users(self) -> list[dict[str, Any]]:
        return self.result["users"]

    @property
    def user(self) -> dict[str, Any]:
        """The record of the only user."""
        assert len(self.users) == 1
        return self.users[0]

    @property
    def statuses(self) -> list[str]:
        return [one["status"] for one in self.users]

    @property
    def warnings(self) -> str:
        return "\n".join(map(str, self.result.get("warnings", ())))

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


@contextlib.contextmanager
def _arguments(arguments: dict[str, Any]) -> Iterator[None]:
    try:
        from ansible.module_utils.testing import patch_module_args
    except ImportError:  # before ansible-core 2.17
        before = basic._ANSIBLE_ARGS
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
        try:
            yield
        finally:
            basic._ANSIBLE_ARGS = before
    else:
        with patch_module_args(arguments):
            yield


def run_module(name: str, arguments: dict[str, Any]) -> ModuleOutcome:
    """Run a module; ``arguments`` may hold Ansible's own, such as ``_ansible_check_mode``."""
    module = importlib.import_module(f"{MODULES}.{name}")
    warnings._global_warnings.clear()
    warnings._global_deprecations.clear()
    stdout, stderr = io.StringIO(), io.StringIO()
    exit_code = None
    with _arguments(arguments), contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            module.main()
        except SystemExit as exc:
            exit_code = exc.code
    assert exit_code in (0, 1), f"the module ended without a result: {stdout.getvalue()}{stderr.getvalue()}"
    return ModuleOutcome(exit_code, json.loads(stdout.getvalue()), stdout.getvalue(), stderr.getvalue())


def run_in_place(name: str, arguments: dict[str, Any]) -> ModuleOutcome:
    """Run a module by its action plugin, without the child: what is scripted is in this process.

    What the action plugin leaves to the ordinary module is run as that.
    """
    internal = {key: arguments[key] for key in arguments if key.startswith("_ansible_")}
    options = {key: value for key, value in arguments.items() if key not in internal}
    action = action_for(name, options, check_mode=internal["_ansible_check_mode"], diff=internal["_ansible_diff"])
    ordinary: list[ModuleOutcome] = []
    stdout, stderr = io.StringIO(), io.StringIO()

    def run_ordinary(self: Any, task_vars: Any) -> dict[str, Any]:
        ordinary.append(run_module(name, arguments))
        return ordinary[0].result

    with (
        mock.patch.object(_in_process.InProcess, "_run_ordinary", run_ordinary),
        mock.patch.object(_in_process, "in_child", lambda work, _folder: json.loads(json.dumps(work()))),
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
    ):
        result = action.run(task_vars=VARIABLES)
    if ordinary:
        return ordinary[0]
    return ModuleOutcome(
        1 if result.get("failed") else 0, result, stdout.getvalue() + json.dumps(result), stderr.getvalue()
    )


# How the variables of a host say that its modules run on the interpreter that runs Ansible.
VARIABLES = {"ansible_python_interpreter": sys.executable}


def action_for(name: str, options: dict[str, Any], *, check_mode: bool = False, diff: bool = False) -> Any:
    """The action plugin of a module, for a task on localhost that has nothing unusual."""
    task = mock.MagicMock(Task, async_val=0, check_mode=check_mode, diff=diff, environment=[], delegate_to=None)
    task.action, task.args = f"m365.offboarding.{name}", options
    connection = object.__new__(Connection)
    connection.become = None
    connection._shell = mock.MagicMock(tmpdir=None)
    templar = mock.MagicMock(template=lambda value: value)
    plugin = importlib.import_module(f"{ACTIONS}.{name}").ActionModule
    context = mock.MagicMock(become=False, remote_addr="localhost")
    loader = mock.MagicMock(get_basedir=lambda: ".")
    action = plugin(task, connection, context, loader, templar, mock.MagicMock(action_loader=action_loader))
    action._load_name = task.action
    return action
