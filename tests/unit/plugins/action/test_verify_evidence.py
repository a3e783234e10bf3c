# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action is a name for what tests of _chain judge: what it says, when it fails, and what it refuses."""

from __future__ import annotations

import json
from unittest import mock

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task

from ansible_collections.m365.offboarding.plugins.action.verify_evidence import ActionModule
from ansible_collections.m365.offboarding.plugins.modules import verify_evidence
from ansible_collections.m365.offboarding.plugins.plugin_utils._files import write
from tools import sample_evidence


def act(**arguments):
    task = mock.MagicMock(Task, async_val=0, check_mode=False, diff=False, environment=[])
    task.action = "m365.offboarding.verify_evidence"
    task.args = arguments
    action = ActionModule(task, mock.MagicMock(), mock.MagicMock(), DataLoader(), mock.MagicMock(), None)
    action._load_name = task.action
    return action.run(task_vars={})


def test_a_folder_that_is_as_it_was_written_passes_and_says_what_to_keep(tmp_path):
    _path, digest = write(json.dumps(sample_evidence.evidence(1)), str(tmp_path / "a.json"))

    result = act(folder=str(tmp_path), expected=[digest])

    assert result["failed"] is False
    assert result["changed"] is False
    assert result["msg"] == f"1 report is as it was written. The newest evidence: a.json, SHA-256 {digest}."
    documented = set(yaml.safe_load(verify_evidence.RETURN))
    assert documented | {"failed", "changed"} >= set(result) - {"invocation"} >= documented


def test_everything_that_is_wrong_is_reported_and_fails(tmp_path):
    for name in ("a.json", "b.json"):
        write("{}", str(tmp_path / name))
        (tmp_path / name).write_text("[]")

    result = act(folder=str(tmp_path))

    assert result["failed"] is True
    assert [line[:6] for line in result["msg"].splitlines()] == ["a.json", "b.json"]


@pytest.mark.parametrize("arguments", [{}, {"folder": ""}, {"folder": "/nowhere"}, {"folder": "/", "expected": ["x"]}])
def test_what_cannot_be_checked_is_an_error(arguments):
    with pytest.raises(AnsibleError):
        act(**arguments)


def test_expected_checksums_may_be_one_text(tmp_path):
    _path, digest = write("{}", str(tmp_path / "a.json"))

    assert act(folder=str(tmp_path), expected=f"{digest},{'0' * 64}")["lost"] == [
        f"No file has the checksum {'0' * 64}."
    ]
