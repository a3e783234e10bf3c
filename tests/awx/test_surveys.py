# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each question of a survey is an option of its role, or says how it becomes one: nothing is asked that nobody reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, meta, nodes

from ansible_collections.m365.offboarding.plugins.plugin_utils._inputs import SOURCES
from tools import tree

from . import rules

# Kept by AWX with the job, for people; no role reads it.
FOR_PEOPLE = {"reason"}
SURVEYS = {
    "awx_setup_survey_offboard": ("offboard", "offboard_employee"),
    "awx_setup_survey_restore": ("restore", "restore_employee"),
    "awx_setup_survey_restore_without_evidence": ("restore_without_evidence", "restore_employee"),
}
# Optional for the role, and required of a launcher, who could open any account otherwise.
REQUIRED = {
    ("awx_setup_survey_restore", "offboarding_job"),
    ("awx_setup_survey_restore_without_evidence", "restore_employee_protocols"),
}
# What AWX hands on for a type of question, and what the argument specification calls that.
TYPES = {"text": "str", "textarea": "str", "integer": "int", "multiselect": "list", "multiplechoice": "str"}


class Loader(yaml.SafeLoader):
    """Knows ``!unsafe``."""


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


def load(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 (a safe loader)


def surveys() -> dict[str, Any]:
    loaded: dict[str, Any] = load(tree.ROOT / "playbooks" / "vars" / "awx_setup" / "surveys.yml")
    return loaded


def questions() -> list[Any]:
    return [
        pytest.param(
            survey, question["variable"], id=f"{survey.removeprefix('awx_setup_survey_')}-{question['variable']}"
        )
        for survey in SURVEYS
        for question in surveys()[survey]["spec"]
        if question["variable"] not in FOR_PEOPLE
    ]


def expressions(playbook: str, role: str) -> dict[str, str]:
    """What the thin playbook and the one that it imports say about variables: templates by name."""
    (thin,) = load(tree.ROOT / "extensions" / "awx" / "project" / f"{playbook}.yml")
    imported = thin["ansible.builtin.import_playbook"].removeprefix("m365.offboarding.")
    assert imported == playbook.removesuffix("_without_evidence")
    (play,) = load(tree.ROOT / "playbooks" / f"{imported}.yml")
    reported = {name: str(value) for name, value in {**play["vars"], **thin.get("vars", {})}.items()}
    # The role takes the variables of these playbooks itself.
    own = {f"{role}_{option}": f"{{{{ {name} }}}}" for name, option in SOURCES.items()}
    return {**(own if role == "offboard_employee" else {}), **reported}


def read_by(template: str) -> set[str]:
    filters = Environment(autoescape=True)
    parsed = filters.parse(template)
    for one in parsed.find_all(nodes.Filter):
        filters.filters.setdefault(one.name, str)
    return meta.find_undeclared_variables(parsed)


def option_of(variable: str, playbook: str, role: str) -> tuple[str, dict[str, Any]]:
    """The option of the role that an answer ends in, through the variables of the playbooks."""
    options = load(tree.ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    known = expressions(playbook, role)
    reached = {variable}
    while True:
        more = {name for name, template in known.items() if reached & read_by(template)} - reached
        if not more:
            break
        reached |= more
    (name,) = reached & set(options)
    return name, options[name]


@pytest.mark.parametrize(("survey", "variable"), questions())
def test_a_question_fits_its_option(survey: str, variable: str) -> None:
    (question,) = [one for one in surveys()[survey]["spec"] if one["variable"] == variable]

    name, option = option_of(variable, *SURVEYS[survey])

    # One of several sources of leavers, which the role asks for together.
    required = bool(option.get("required")) or name.endswith("_leavers") or (survey, variable) in REQUIRED
    assert question["required"] is required
    if variable == name:
        assert TYPES[question["type"]] == option["type"]
    else:
        # Through a template, which is text: a list of leavers is written with commas, a job's number is part of a path.
        assert option["type"] in ("str", "list")
        assert question["type"] in ("text", "integer")
    if "choices" in question:
        assert question["choices"] == option.get("choices", protocols())
    if not required and question["type"] == "text":
        assert question["default"] == option["default"] == ""
        assert question["min"] == 0
    assert not option.get("no_log"), "no secret is ever asked for"


def protocols() -> list[str]:
    """The words for mailbox protocols, from the module's own argument specification."""
    from ansible_collections.m365.offboarding.plugins.module_utils._doors import PROTOCOLS

    return ["all", *PROTOCOLS]


def test_every_survey_is_looked_at() -> None:
    assert set(surveys()) == set(SURVEYS)
    for survey in surveys().values():
        rules.check_survey(survey)
        assert not any(question["type"] == "password" for question in survey["spec"])
        assert {question["variable"] for question in survey["spec"]} >= {"leavers", "reason"}


def test_without_a_job_nothing_is_restored_but_by_a_template_of_its_own() -> None:
    """Held by the survey, by the playbook, and by who may launch which template."""
    variables = expressions("restore", "restore_employee")
    assert variables["restore_employee_evidence_required"] == "True"
    assert "offboarding_job" in variables["restore_employee_job"]
    assert "restore_employee_evidence_required" not in expressions("restore_without_evidence", "restore_employee")
    folder = tree.ROOT / "playbooks" / "vars" / "awx_setup"
    templates = {one["name"]: one for one in load(folder / "job_templates.yml")["awx_setup_job_templates"]}
    assert templates["Restore employee"]["playbook"] == "restore.yml"
    assert templates["Restore employee without evidence"]["playbook"] == "restore_without_evidence.yml"
    launchers = {
        template: {
            role["team"]
            for role in load(folder / "access.yml")["awx_setup_roles"]
            if role["role"] == "execute" and template in role.get("job_templates", [])
        }
        for template in ("Restore employee", "Restore employee without evidence")
    }
    assert launchers == {
        "Restore employee": {"Offboarding restorers"},
        "Restore employee without evidence": {"Restorers without evidence"},
    }


def test_extra_variables_of_the_templates_are_known() -> None:
    """What the job templates set by themselves is read by their playbook or is an option of the role."""
    for template in load(tree.ROOT / "playbooks" / "vars" / "awx_setup" / "job_templates.yml")[
        "awx_setup_job_templates"
    ]:
        given = template["extra_vars"]
        if not isinstance(given, dict):  # the audit's are a setting
            continue
        playbook = template["playbook"].removesuffix(".yml")
        role = {"offboard": "offboard_employee", "audit": "offboard_employee", "restore": "restore_employee"}[
            playbook.removesuffix("_without_evidence")
        ]
        options = load(tree.ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
        read = {name for text in expressions(playbook, role).values() for name in read_by(text)} | {"target_hosts"}
        assert set(given) <= set(options) | read, template["name"]


def test_a_question_that_drifts_is_found() -> None:
    with pytest.raises(ValueError, match="unpack"):
        option_of("leaver", *SURVEYS["awx_setup_survey_offboard"])
