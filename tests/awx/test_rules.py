# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fake AWX refuses what AWX refuses, so that its taking our data means something."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from . import rules

QUESTION = {"question_name": "Employee", "variable": "leavers", "type": "text", "required": True, "min": 3, "max": 9}
FIELD = {"id": "secret", "label": "Secret", "type": "string", "secret": True}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"type": "string"}, "not one of the allowed"),
        ({"required": "yes"}, "'required' missing"),
        ({"question_name": None}, "'question_name' missing"),
        ({"min": "3"}, "min limit must be an integer"),
        ({"default": 5}, "expected to be text"),
        ({"default": "$encrypted$"}, "reserved"),
        ({"type": "multiplechoice"}, "must specify choices"),
        ({"type": "multiplechoice", "choices": ["a", "b"], "default": "c"}, "must be answered from the choices"),
        ({"type": "multiplechoice", "choices": ["a", "b"], "default": "a\nb"}, "only one default"),
    ],
)
def test_questions(changes: dict[str, Any], complaint: str) -> None:
    rules.check_survey({"name": "", "description": "", "spec": [QUESTION]})
    with pytest.raises(rules.RefusedError, match=complaint):
        rules.check_survey({"name": "", "description": "", "spec": [{**QUESTION, **changes}]})


@pytest.mark.parametrize(
    "survey",
    [
        {"name": "", "spec": [QUESTION]},
        {"name": "", "description": "", "spec": []},
        {"name": "", "description": "", "spec": [QUESTION, QUESTION]},
    ],
)
def test_surveys(survey: dict[str, Any]) -> None:
    with pytest.raises(rules.RefusedError):
        rules.check_survey(survey)


TEMPLATE = {
    "survey_enabled": True,
    "ask_variables_on_launch": False,
    "survey_spec": {
        "spec": [
            QUESTION,
            {**QUESTION, "variable": "left_at", "required": False, "min": 0, "default": ""},
            {**QUESTION, "variable": "job", "type": "integer", "required": False},
            {**QUESTION, "variable": "which", "type": "multiselect", "required": False, "choices": "a\nb"},
        ]
    },
}


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"leavers": "ab"},
        {"leavers": "abcdefghij"},
        {"leavers": ["abc"]},
        {"leavers": "abc", "job": "5"},
        {"leavers": "abc", "job": 2},
        {"leavers": "abc", "which": "a"},
        {"leavers": "abc", "which": ["c"]},
        {"leavers": "abc", "other": "x"},
    ],
)
def test_answers(answers: dict[str, Any]) -> None:
    with pytest.raises(rules.RefusedError):
        rules.accept_answers(TEMPLATE, answers)


def test_answers_that_are_taken() -> None:
    """A default is used where the question would accept it as an answer, an empty one too."""
    assert rules.accept_answers(TEMPLATE, {"leavers": "abc"}) == {"leavers": "abc", "left_at": ""}
    assert rules.accept_answers({**TEMPLATE, "ask_variables_on_launch": True}, {"leavers": "abc", "x": 1})["x"] == 1


@pytest.mark.parametrize(
    ("place", "value", "complaint"),
    [
        (("kind",), "vault", "kind"),
        (("inputs", "dependencies"), {}, "inputs may hold"),
        (("inputs", "fields", 0, "id"), "tower", "reserved"),
        (("inputs", "fields", 0, "id"), "1st", "invalid variable name"),
        (("inputs", "fields", 0, "type"), "boolean", "only strings"),
        (("inputs", "fields", 0, "secret"), "yes", "secret of a field"),
        (("inputs", "fields", 0, "default"), 5, "is not a string"),
        (("inputs", "fields", 1, "id"), "secret", "unique"),
        (("injectors", "vars"), {}, "injectors may not hold"),
        (("injectors", "env", "ANSIBLE_CONFIG"), "x", "not allowed"),
        (("injectors", "env", "PATH"), "x", "not allowed"),
        (("injectors", "env", "UMLAUT"), "ä", "ASCII"),
        (("injectors", "env", "OTHER"), "{{ secrte }}", "undefined field"),
        (("injectors", "env", "OTHER"), "{{ tower.filename }}{{ tower.filename.none }}", "undefined field"),
        (("injectors", "env", "OTHER"), "{{ secret", "not a template"),
        (("injectors", "file", "template"), "x", "multi-file"),
    ],
)
def test_credential_types(place: tuple[Any, ...], value: Any, complaint: str) -> None:
    good: dict[str, Any] = {
        "kind": "cloud",
        "inputs": {"fields": [FIELD, {**FIELD, "id": "other"}], "required": ["secret"]},
        "injectors": {
            "env": {"SECRET": "{{ secret }}", "KEY": "{{ tower.filename.key }}"},
            "file": {"template.key": "{{ other }}"},
        },
    }
    rules.check_credential_type(**good)
    bad = copy.deepcopy(good)
    target: Any = bad
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = value

    with pytest.raises(rules.RefusedError, match=complaint):
        rules.check_credential_type(**bad)


@pytest.mark.parametrize(
    "rrule",
    [
        "RRULE:FREQ=DAILY;INTERVAL=1",
        "DTSTART:20260101T023000 RRULE:FREQ=DAILY;INTERVAL=1",
        "DTSTART:20260101T023000Z RRULE:FREQ=DAILY",
        "DTSTART:20260101T023000Z RRULE:FREQ=SECONDLY;INTERVAL=1",
    ],
)
def test_schedules(rrule: str) -> None:
    with pytest.raises(rules.RefusedError):
        rules.check_schedule(rrule)


@pytest.mark.parametrize(
    "messages",
    [
        {"failed": {"message": "x"}},
        {"error": {"subject": "x"}},
        {"error": {"message": "a\nb"}},
        {"error": {"body": "{{ job.extra_vars }}"}},
        {"workflow_approval": {"asked": {"message": "x"}}},
    ],
)
def test_notifications(messages: dict[str, Any]) -> None:
    configuration = {
        "host": "",
        "port": 25,
        "username": "",
        "password": "",
        "use_tls": False,
        "use_ssl": False,
        "sender": "",
        "recipients": [],
    }
    rules.check_notification("email", configuration, {"error": {"message": "x", "body": "{{ url }}"}})
    with pytest.raises(rules.RefusedError):
        rules.check_notification("email", configuration, messages)


def test_what_is_offered_as_a_playbook() -> None:
    files = {
        "a.yml": "- import_playbook: x",
        "b/c.yml": "- hosts: all",
        "data.yml": "key: 1",
        "roles/r.yml": "- hosts: all",
        ".x/d.yml": "- hosts: all",
        "e.txt": "- hosts: all",
    }
    assert rules.playbooks(files) == {"a.yml", "b/c.yml"}
