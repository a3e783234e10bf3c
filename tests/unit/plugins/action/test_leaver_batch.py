# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""leaver_batch takes what was registered by name, and only of the steps that were asked for."""

from __future__ import annotations

from unittest import mock

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task

from ansible_collections.m365.offboarding.plugins.action.leaver_batch import ActionModule
from ansible_collections.m365.offboarding.plugins.filter.leaver_records import FilterModule
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.records import STEPS, all_steps, read_record

leavers = FilterModule().filters()["leaver_records"]
JANE = read_record("jane.doe")
REGISTERED = {
    "opening": {"users": [JANE], "check_mode": False},
    **{run["step"]: run["result"] for run in all_steps("jane.doe")},
    "closing": {"users": [read_record("jane.doe", state="shut")]},
}


def act(check_mode=False, variables=REGISTERED, **arguments):
    """Run the action with these arguments."""
    task = mock.MagicMock(Task, async_val=0, check_mode=check_mode, diff=False, environment=[])
    task.action = "m365.offboarding.leaver_batch"
    task.args = {"opening": "opening", "steps": list(STEPS), **arguments}
    action = ActionModule(task, mock.MagicMock(), mock.MagicMock(), DataLoader(), mock.MagicMock(), None)
    action._load_name = task.action
    return action.run(task_vars=variables)


USERS = [[{"user": JANE["id"]}]]


@pytest.mark.parametrize("check_mode", [False, True])
def test_what_was_registered_is_joined(check_mode):
    kept = act(check_mode, batches=USERS, total=1)
    result = act(
        check_mode,
        variables={**REGISTERED, "before": kept},
        before="before",
        batches=USERS,
        number=1,
        runs={step: step for step in STEPS},
        closing="closing",
        finished=True,
        total=1,
    )

    (jane,) = leavers(result["records"])
    assert (jane["status"], jane["contained"]) == ("contained", True)
    assert {entry["status"] for entry in jane["steps"].values()} == {"verified"}
    assert (result["changed"], result["msg"]) == (False, "1 of 1 leavers done, 0 left; 0 with an open door.")


def test_a_step_that_was_not_asked_for_is_not_looked_for():
    result = act(steps=["signin"], batches=USERS, runs={"signin": "signin", "password": "nowhere"})

    (jane,) = leavers(result["records"])
    assert list(jane["steps"]) == ["signin"]


def test_without_anybody_who_went_through_a_step_nothing_registered_is_looked_at():
    result = act(runs={"signin": "nowhere"})

    assert [one["status"] for one in leavers(result["records"])] == ["open"]


def test_an_earlier_file_that_is_no_evidence_is_told_in_a_sentence():
    with pytest.raises(AnsibleError, match="no evidence") as raised:
        act(variables={**REGISTERED, "earlier": {"format": "else"}}, earlier="earlier")

    assert "Traceback" not in str(raised.value)


def test_an_argument_that_does_not_exist_is_refused():
    with pytest.raises(AnsibleError, match="unknown"):
        act(unknown=1)
