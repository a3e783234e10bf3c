# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rulebook, held against the schema of ansible-rulebook, the survey of the workflow that it starts, and HR's events."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from jinja2 import Environment, StrictUndefined

from tools import tree

from . import rules
from .test_surveys import load, surveys

RULEBOOK = tree.ROOT / "extensions" / "eda" / "rulebooks" / "offboard.yml"
EVENT = {
    "event": "employee.left",
    "id": "4711",
    "employee": "jane.doe@contoso.com",
    "left_at": "2026-11-20T17:00:00+01:00",
}


def schema() -> Any:
    found = importlib.util.find_spec("ansible_rulebook")
    assert found is not None
    assert found.origin is not None
    return json.loads((Path(found.origin).parent / "schema" / "ruleset_schema.json").read_text(encoding="utf-8"))


def rulebook() -> Any:
    return yaml.safe_load(RULEBOOK.read_text(encoding="utf-8"))


def rule() -> Any:
    ((one,),) = (ruleset["rules"] for ruleset in rulebook())
    return one


def test_the_schema_takes_it() -> None:
    jsonschema.validate(rulebook(), schema())
    wrong = copy.deepcopy(rulebook())
    wrong[0]["rules"][0]["action"]["run_workflow_template"]["extra_vars"] = {}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema())


def test_it_starts_the_workflow_and_nothing_else() -> None:
    action = rule()["action"]
    (workflow,) = load(tree.ROOT / "playbooks" / "vars" / "awx_setup" / "workflows.yml")["awx_setup_workflows"]

    assert set(action) == {"run_workflow_template"}
    assert action["run_workflow_template"]["name"] == workflow["name"]
    # Otherwise it adds the event as a variable, which the workflow does not take.
    assert action["run_workflow_template"]["include_events"] is False


def test_what_it_says_answers_the_survey() -> None:
    template = {
        "survey_enabled": True,
        "ask_variables_on_launch": False,
        "survey_spec": surveys()["awx_setup_survey_offboard"],
    }
    said = rule()["action"]["run_workflow_template"]["job_args"]["extra_vars"]
    jinja = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 (no markup)
    answers = {name: jinja.from_string(text).render(event={"payload": EVENT}) for name, text in said.items()}

    assert rules.accept_answers(template, answers) == {
        "leavers": EVENT["employee"],
        "left_at": EVENT["left_at"],
        "reason": "HR 4711",
        "ticket": "",
    }


@pytest.mark.parametrize(
    ("field", "value", "taken"),
    [
        ("employee", "miles.o'brien@contoso.com", True),
        ("employee", "jane@contoso.com, everybody@contoso.com", False),
        ("employee", "{{ lookup('pipe', 'id') }}@contoso.com", False),
        ("employee", "jane", False),
        ("left_at", "2026-11-20T17:00Z", True),
        ("left_at", "2026-11-20", False),
        ("left_at", "2026-11-20T17:00:00", False),
        ("id", "4711; rm", False),
        ("event", "employee.hired", False),
    ],
)
def test_only_events_in_the_right_shape(field: str, value: str, taken: bool) -> None:
    """Its patterns; that they are judged so is seen in the session "eda", which runs it."""
    event = {**EVENT, field: value}
    condition = " ".join(rule()["condition"].split())
    patterns = dict(re.findall(r'event\.payload\.(\w+) is match\("(.*?)"\)', condition))

    assert set(patterns) == {"id", "employee", "left_at"}
    fits = all(re.match(pattern, event[name]) for name, pattern in patterns.items())
    assert (fits and f'event.payload.event == "{event["event"]}"' in condition) is taken


def test_a_repeated_event_starts_nothing() -> None:
    throttle = rule()["throttle"]
    assert throttle == {
        "once_within": "24 hours",
        "group_by_attributes": ["event.payload.employee", "event.payload.left_at"],
    }


def test_events_are_signed() -> None:
    (source,) = rulebook()[0]["sources"]
    assert "HR_WEBHOOK_SECRET" in source["eda.builtin.webhook"]["hmac_secret"]
    assert "127.0.0.1" in source["eda.builtin.webhook"]["host"]
