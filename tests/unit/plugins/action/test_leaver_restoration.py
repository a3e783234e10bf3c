# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The phases of a restoration, on what the role's tasks register."""

from __future__ import annotations

import json
import time

import pytest

from ansible_collections.m365.offboarding.plugins.action.leaver_restoration import ActionModule
from fakes import acting
from fakes.restoring import OTHER_TENANT, evidence, opening, shut_now, shut_out

UPN = "jane.doe@contoso.com"


def act(phase, known=None, **arguments):
    return acting.act(ActionModule, "leaver_restoration", known or {}, phase=phase, **arguments)


def validate(has_password=False, **variables):
    given = {"leavers": UPN, **variables}
    known = {f"restore_employee_{name}": value for name, value in given.items()}
    return act("validate", known, has_password=has_password)


@pytest.fixture
def asked(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(evidence(shut_out(display_name="{{ 7 * 7 }}"))))
    return validate(evidence=str(path))


def planned(asked, read, **arguments):
    known = {"__restore_employee_request": asked, "__restore_employee_opening": read}
    return act("plan", {**known, "__restore_employee_deleted": {"skipped": True}}, began=time.time(), **arguments)


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"evidence_required": True}, "Restoring needs the number of the workflow or job"),
        ({}, "Without evidence, restore_employee_protocols must name"),
        ({"steps": []}, "restore_employee_steps must name a step."),
        ({"has_password": True, "leavers": [UPN, "b@contoso.com"]}, "restore_employee_password is for one leaver"),
        ({"deliver": "nowhere.yml"}, "there is no file /"),
        ({"evidence": "nowhere.json"}, "nowhere.json"),
        ({"step": "signin"}, "did you mean restore_employee_steps?"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(variables, text):
    reported = validate(**variables)

    assert reported["failed"] is True
    assert text in reported["msg"]


def test_what_a_file_says_is_never_a_template(asked):
    (run,) = asked["evidence"]

    assert not acting.is_template(run["hosts"]["localhost"]["leavers"][0]["display_name"])


def test_from_the_evidence_to_the_outcome(asked):
    plan = planned(asked, opening(shut_now()))
    known = {"__restore_employee_plan": plan, "__restore_employee_runs": []}

    assert (plan["again"], plan["wait"]) == (False, 0)
    assert act("results", known)["open"] == [plan["leavers"][0]["id"]]
    reported = act("conclude", {**known, "awx_job_id": 7})
    assert [one["status"] for one in reported["leavers"]] == ["planned"]
    assert reported["ansible_stats"]["data"] == {
        "m365_restoration_7": {"localhost": {"restored": [plan["leavers"][0]["id"]], "not_restored": [], "unknown": 0}}
    }


def test_evidence_of_another_tenant_is_refused(asked):
    reported = planned(asked, opening(shut_now(), tenant_id=OTHER_TENANT))

    assert reported["failed"] is True
    assert OTHER_TENANT in reported["msg"]


def test_where_another_look_may_show_more_it_waits_before_it_says_so(asked, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    stale = shut_now(last_password_change_date_time="2026-01-01T00:00:00Z")

    reported = planned(asked, opening(stale))

    assert reported["again"] is True
    assert waits == [3.0]
