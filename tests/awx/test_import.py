# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real modules of awx.awx set an AWX up from the shipped data, and a second time change nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator import Tenant
from tools import tree

from . import rules
from .conftest import Setup
from .jobs import inject
from .server import FakeAwx, Item

TEMPLATES = (
    "Offboard employee",
    "Offboard employee (dry run)",
    "Audit leavers",
    "Restore employee",
    "Restore employee without evidence",
)
WORKFLOW = "Offboard employee with approval"


def test_everything_is_there(awx: FakeAwx, first_setup: Setup) -> None:
    assert {kind: len(items) for kind, items in awx.items.items()} == {
        "organizations": 1,
        "teams": 4,
        "credential_types": 1,
        "credentials": 2,
        "execution_environments": 1,
        "projects": 1,
        "inventories": 1,
        "hosts": 1,
        "notification_templates": 3,
        "job_templates": 5,
        "workflow_job_templates": 1,
        "workflow_job_template_nodes": 3,
        "workflow_approval_templates": 1,
        "schedules": 1,
    }
    assert {one["name"] for one in awx.items["job_templates"].values()} == set(TEMPLATES)


def test_a_second_time_nothing_changes(first_setup: Setup, set_up: Callable[..., Setup]) -> None:
    assert first_setup.changed > 10

    again = set_up()

    assert again.returncode == 0, again.output
    assert (again.changed, again.writes) == (0, [])
    assert len(again.requests) > 50


def test_secrets_are_in_awx_and_not_in_the_output(
    awx: FakeAwx, first_setup: Setup, inputs: dict[str, Item], tenant: Tenant
) -> None:
    for name in ("audit", "lockout"):
        assert awx.named("credentials", f"Microsoft 365 {name}")["inputs"] == inputs[name]
    assert [secret for secret in tenant.issued_secrets() if secret in first_setup.output] == []
    assert "PRIVATE KEY" not in first_setup.output


def test_without_an_image_nothing_is_sent(set_up: Callable[..., Setup], first_setup: Setup) -> None:
    refused = set_up(awx_setup_image="")

    assert refused.returncode == 2
    assert "awx_setup_image must name the image" in refused.output
    assert refused.requests == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_nothing_but_the_survey_is_asked_at_launch(awx: FakeAwx, first_setup: Setup, name: str) -> None:
    template = awx.named("job_templates", name)
    required = {"leavers": "x@y.z", "reason": "INC1"} if template["survey_enabled"] else {}
    # What keeps a launcher from opening just any account.
    required |= {"Restore employee": {"offboarding_job": 7}}.get(name, {})
    required |= {"Restore employee without evidence": {"restore_employee_protocols": ["owa"]}}.get(name, {})

    assert not any(value for field, value in template.items() if field.startswith("ask_"))
    assert set(rules.accept_answers(template, required)) >= set(required)
    for variable in ("offboard_employee_allow_admins", "m365_client_secret", "ansible_connection", "evidence_folder"):
        with pytest.raises(rules.RefusedError, match="not allowed on launch"):
            rules.accept_answers(template, {**required, variable: "x"})


def test_nothing_but_the_survey_is_asked_by_the_workflow(awx: FakeAwx, first_setup: Setup) -> None:
    """Its variables reach the jobs whatever these ask for, so here it matters most."""
    workflow = awx.named("workflow_job_templates", WORKFLOW)

    assert not any(value for field, value in workflow.items() if field.startswith("ask_"))
    assert workflow["extra_vars"] == ""
    for name in ("Offboard employee", "Offboard employee (dry run)"):
        assert awx.named("job_templates", name)["survey_spec"] == workflow["survey_spec"]
    with pytest.raises(rules.RefusedError, match="not allowed on launch"):
        rules.accept_answers(workflow, {"leavers": "x@y.z", "reason": "INC1", "offboard_employee_max_users": 10_000})


def test_who_writes_and_who_only_reads(awx: FakeAwx, first_setup: Setup) -> None:
    reported = {}
    for name in TEMPLATES:
        template = awx.named("job_templates", name)
        (credential,) = awx.linked("job_templates", template, "credentials")
        reported[name] = (
            template["job_type"],
            credential["name"].rpartition(" ")[2],
            template["playbook"].rpartition("/")[2],
        )

    assert reported == {
        "Offboard employee": ("run", "lockout", "offboard.yml"),
        "Offboard employee (dry run)": ("check", "audit", "offboard.yml"),
        "Audit leavers": ("check", "audit", "audit.yml"),
        "Restore employee": ("run", "lockout", "restore.yml"),
        "Restore employee without evidence": ("run", "lockout", "restore_without_evidence.yml"),
    }


def test_the_audit_runs_every_night(awx: FakeAwx, first_setup: Setup) -> None:
    (schedule,) = awx.items["schedules"].values()

    assert schedule["unified_job_template"] == awx.named("job_templates", "Audit leavers")["id"]
    assert schedule["rrule"] == "DTSTART;TZID=Etc/UTC:20260101T023000 RRULE:FREQ=DAILY;INTERVAL=1"


def test_four_eyes(awx: FakeAwx, first_setup: Setup) -> None:
    """The team that launches cannot approve, and neither team can shut doors without the other."""
    granted = {
        place: {awx.items["teams"][key]["name"] for key in keys}
        for place, keys in awx.links.items()
        if place.startswith("roles/") and keys
    }
    workflow = awx.named("workflow_job_templates", WORKFLOW)["id"]
    audit, restore, unproven = (
        awx.named("job_templates", name)["id"]
        for name in ("Audit leavers", "Restore employee", "Restore employee without evidence")
    )
    both = {"Offboarding launchers", "Offboarding approvers"}
    # AWX shows a job to who may read its template: the dry run must be seen before it is approved.
    seen = {
        f"roles/job_templates.{awx.named('job_templates', name)['id']}.read/teams": both
        for name in ("Offboard employee (dry run)", "Offboard employee")
    }

    assert granted == seen | {
        f"roles/workflow_job_templates.{workflow}.execute/teams": {"Offboarding launchers"},
        f"roles/job_templates.{audit}.execute/teams": {"Offboarding launchers"},
        f"roles/workflow_job_templates.{workflow}.approval/teams": {"Offboarding approvers"},
        # The team that may undo an offboarding may not open any account it names.
        f"roles/job_templates.{restore}.execute/teams": {"Offboarding restorers"},
        f"roles/job_templates.{unproven}.execute/teams": {"Restorers without evidence"},
    }


NOTIFICATIONS = ["Open doors", "Open doors (Slack)", "Open doors (Teams)"]


def test_failures_are_notified_and_successes_where_asked_for(awx: FakeAwx, first_setup: Setup) -> None:
    for name in TEMPLATES:
        template = awx.named("job_templates", name)
        failed, succeeded = (
            [one["name"] for one in awx.linked("job_templates", template, f"notification_templates_{when}")]
            for when in ("error", "success")
        )
        assert failed == NOTIFICATIONS
        quiet = name in ("Audit leavers", "Offboard employee (dry run)")
        assert succeeded == ([] if quiet else NOTIFICATIONS)
    workflow = awx.named("workflow_job_templates", WORKFLOW)
    assert awx.linked("workflow_job_templates", workflow, "notification_templates_approvals")


@pytest.mark.parametrize("name", NOTIFICATIONS)
def test_notifications_count_doors_and_name_nobody(awx: FakeAwx, first_setup: Setup, name: str) -> None:
    messages = dict(rules.all_messages(awx.named("notification_templates", name)["messages"]))
    assert len(messages) == 7
    artifacts = {
        "m365_offboarding_42": {
            "contoso": {"contained": ["c1"], "not_contained": ["id-2", "id-3"], "newly_open": ["id-2"]},
            "fabrikam": {
                "contained": [],
                "not_contained": ["id-4"],
                "newly_open": ["id-4"],
                "names": {"id-4": "jane@x.y"},
            },
        },
        "of_somebody_else": "text",
    }
    for texts in messages.values():
        for text in texts.values():
            # AWX's own text, which quotes the extra variables, is what stands where a text is missing.
            assert "job_metadata" not in text
            shown = rules.render_message(text, artifacts=artifacts)
            assert "id-" not in shown
            assert "jane" not in shown
        assert set(texts) == ({"body"} if "(" in name else {"message", "body"})

    body = rules.render_message(messages["error"]["body"], artifacts=artifacts)
    if "(" in name:
        body = str(json.loads(body))
        assert all(isinstance(json.loads(rules.render_message(texts["body"])), dict) for texts in messages.values())
    assert "newly open: 2" in body.lower()
    assert "not contained: 3" in body.lower()


def test_only_the_environment_is_injected(awx: FakeAwx, first_setup: Setup, inputs: dict[str, Item]) -> None:
    (of_type,) = awx.items["credential_types"].values()

    assert set(of_type["injectors"]) == {"env", "file"}
    for path in (tree.ROOT / "playbooks").glob("*.yml"):
        # What a launcher could set, were variables asked for, is not what the credential sets.
        assert not set(of_type["injectors"]["env"]) & set(path.read_text().split())


@pytest.mark.parametrize("given", ["secret", "certificate"])
def test_inputs_left_empty_count_as_not_given(
    awx: FakeAwx, first_setup: Setup, inputs: dict[str, Item], tmp_path: Path, given: str
) -> None:
    (tmp_path / "env").mkdir()
    (of_type,) = awx.items["credential_types"].values()
    chosen = {**inputs["audit" if given == "secret" else "lockout"], "protected_users": ""}

    environment = inject(of_type, chosen, tmp_path)

    assert environment["AZURE_TENANT_ID"] == chosen["tenant_id"]
    assert environment["M365_PROTECTED_USERS"] == ""
    assert bool(environment["AZURE_CLIENT_SECRET"]) is (given == "secret")
    assert bool(environment["AZURE_CLIENT_CERTIFICATE_PATH"]) is (given == "certificate")
    if given == "certificate":
        key = Path(environment["AZURE_CLIENT_CERTIFICATE_PATH"])
        assert key.read_text() == chosen["certificate"]
        assert key.stat().st_mode & 0o777 == 0o600


def test_the_project_is_a_tag_that_moves_with_the_version(awx: FakeAwx, first_setup: Setup) -> None:
    (project,) = awx.items["projects"].values()
    version = next(
        line.split()[1] for line in (tree.ROOT / "galaxy.yml").read_text().splitlines() if line.startswith("version:")
    )

    assert project["scm_branch"] == version
    assert json.loads(awx.named("job_templates", "Audit leavers")["extra_vars"]) == {
        "target_hosts": "all",
        "evidence_folder": first_setup.evidence_folder,
        "leavers_blocked": True,
        "left_before": "now",
    }
