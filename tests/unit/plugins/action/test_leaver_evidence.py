# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence of several hosts goes into as many files as they name, each in the format of its suffix."""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task

from ansible_collections.m365.offboarding.plugins.action.leaver_evidence import ActionModule
from ansible_collections.m365.offboarding.plugins.plugin_utils._batches import pack
from ansible_collections.m365.offboarding.plugins.plugin_utils._evidence import tenant_entry
from ansible_collections.m365.offboarding.plugins.plugin_utils._results import results
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.records import read_record

EMPTY = tenant_entry({}, steps=["signin"])


def act(check_mode=False, **arguments):
    """Run the action with these arguments."""
    task = mock.MagicMock(Task, async_val=0, check_mode=check_mode, diff=False, environment=[])
    task.action = "m365.offboarding.leaver_evidence"
    task.args = {
        "purpose": "audit",
        "complete": True,
        "started_at": "2026-11-20T16:00:00Z",
        **arguments,
    }
    action = ActionModule(task, mock.MagicMock(), mock.MagicMock(), DataLoader(), mock.MagicMock(), None)
    action._load_name = task.action
    return action.run(task_vars={"ansible_version": {"full": "2.19.1"}})


def hosts(**paths):
    """Arguments for hosts of which nobody has been looked at yet, each with the paths it names."""
    return {
        "hosts": {name: {"entry": EMPTY, "records": []} for name in paths},
        "paths": {name: [str(path) for path in named] for name, named in paths.items()},
    }


@pytest.mark.parametrize("check_mode", [False, True])
def test_hosts_that_name_the_same_path_share_a_file(tmp_path, check_mode):
    both, own = tmp_path / "both.json", tmp_path / "own.JSON"

    result = act(check_mode, **hosts(a=[both], b=[both, own]), job={"id": "7"})

    assert list(json.loads(both.read_text())["hosts"]) == ["a", "b"]
    assert json.loads(own.read_text())["hosts"] == {"b": {**EMPTY, "leavers": []}}
    assert json.loads(own.read_text())["run"]["job_id"] == "7"
    assert json.loads(own.read_text())["check_mode"] is check_mode
    assert result["changed"] is False
    assert result["files"] == {str(both): str(both), str(own): str(own)}


def test_files_of_the_same_run_are_replaced_and_those_of_another_are_kept(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("an earlier run")

    first = act(**hosts(a=[path]), complete=False)["files"]
    second = act(**hosts(a=[path]), files=first)["files"]

    assert first == second
    assert path.read_text() == "an earlier run"
    assert json.loads(Path(second[str(path)]).read_text())["complete"] is True
    assert len(list(tmp_path.iterdir())) == 2


def test_a_host_that_was_not_reached_stands_in_every_file(tmp_path):
    first, second = tmp_path / "a.json", tmp_path / "b.json"

    act(**hosts(a=[first], b=[second]), missing=["c"])

    for path, host in ((first, "a"), (second, "b")):
        told = json.loads(path.read_text())["hosts"]
        assert list(told) == [host, "c"]
        assert (told["c"]["error"]["code"], told["c"]["leavers"]) == ("not_reached", [])


def test_between_steps_only_json_is_written_and_it_is_the_same_evidence(tmp_path):
    one, two = (results([read_record(name)], steps=["signin"])[0] for name in ("jane.doe", "miles.obrien"))
    records = [pack([(1, one)]), pack([(0, two)])]
    paths = [str(tmp_path / "a.json"), str(tmp_path / "a.html")]
    arguments = {"hosts": {"a": {"entry": EMPTY, "records": records}}, "paths": {"a": paths}, "complete": False}

    quick = act(**arguments, json_only=True)["files"]
    told = json.loads((tmp_path / "a.json").read_text())
    assert list(quick) == [paths[0]]
    assert not (tmp_path / "a.html").exists()

    files = act(**arguments, files=quick)["files"]
    whole = json.loads((tmp_path / "a.json").read_text())
    assert list(files) == paths
    assert {**told, "written_at": ""} == {**whole, "written_at": ""}
    assert list(told) == list(whole)
    assert whole["hosts"]["a"]["leavers"] == [two, one]


@pytest.mark.parametrize("suffix", ["html", "csv", "json", "xml"])
def test_each_suffix_is_a_format(tmp_path, suffix):
    act(**hosts(a=[tmp_path / f"a.{suffix}"]))

    assert (tmp_path / f"a.{suffix}").stat().st_size > 0


def test_no_path_is_no_file(tmp_path):
    result = act(**hosts(a=[]))

    assert (result["files"], result["changed"], result["msg"]) == ({}, False, "No report was asked for.")


@pytest.mark.parametrize(
    ("path", "named"), [("a.pdf", "a.pdf"), ("folder/a.json", "cannot be written")], ids=["suffix", "folder"]
)
def test_what_cannot_be_written_is_told_in_a_sentence(tmp_path, path, named):
    (tmp_path / "folder").write_text("a file")

    with pytest.raises(AnsibleError, match=named) as raised:
        act(**hosts(a=[tmp_path / path]))

    assert "Traceback" not in str(raised.value)


def test_an_argument_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(AnsibleError, match="unknown"):
        act(**hosts(), unknown=1)
