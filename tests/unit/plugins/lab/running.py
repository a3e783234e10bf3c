# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running the real ``main()`` of a module, as ansible does it."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import io
import json
from collections.abc import Iterator
from typing import Any

from ansible.module_utils import basic
from ansible.module_utils.common import warnings

MODULES = "ansible_collections.m365.offboarding.plugins.modules"


@dataclasses.dataclass(frozen=True)
class Told:
    """What a module told when it ended."""

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


def run_module(name: str, arguments: dict[str, Any]) -> Told:
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
    return Told(exit_code, json.loads(stdout.getvalue()), stdout.getvalue(), stderr.getvalue())
