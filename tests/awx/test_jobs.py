# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each job template, launched with answers to its survey, run by ansible-runner, and read as AWX reads it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from integration.support import open_doors, snapshot, touched, writes
from reliability.leaks import search

from simulator import Tenant

from . import rules
from .conftest import BREAK_GLASS
from .jobs import LARGEST_RESULT, Job, Launcher
from .server import TOKEN, FakeAwx, Item

WORKFLOW = "Offboard employee with approval"
JOIN = "Keep the results"


def leaked(job: Job, tenant: Tenant, inputs: dict[str, Item]) -> list[str]:
    """Where a secret is, in events, output and all else that a job leaves behind."""
    key = [line for line in inputs["lockout"]["certificate"].splitlines() if len(line) > 20 and "-----" not in line]
    secrets = dict.fromkeys([*tenant.issued_secrets(), *key, TOKEN], "secret")
    files, hits = search(job.folder, secrets)
    assert sum(path.match("artifacts/*/job_events/*.json") for path in files) >= 10
    # An inventory that brings credentials of its own is what AWX itself writes there, from a vault.
    return [hit for hit in hits if not hit.startswith("inventory/")]


def as_awx_wants(job: Job, tenant: Tenant, inputs: dict[str, Item]) -> Item:
    """No secret anywhere, no result that AWX would drop; the only artifact."""
    assert leaked(job, tenant, inputs) == []
    assert 0 < job.sizes[-1] < LARGEST_RESULT
    assert len(job.artifacts) == 1, job.artifacts
    ((key, reported),) = job.artifacts.items()
    assert key in (f"m365_offboarding_{job.number}", f"m365_restoration_{job.number}")
    # People are reported by object ID alone.
    assert "@" not in json.dumps(job.artifacts)
    assert isinstance(reported, dict)
    return reported


def test_offboard_employee_and_restore(
    launcher: Launcher, fresh: Tenant, awx: FakeAwx, inputs: dict[str, Item]
) -> None:
    jane, admin = fresh.directory.user("jane"), fresh.directory.user(BREAK_GLASS[0])
    before = snapshot(fresh)

    done = launcher.launch("Offboard employee", leavers=f"{jane.upn}, {admin.upn}", left_at="", reason="INC0042")

    # The administrator is among the credential's protected users, and no launcher can change that.
    assert not done.successful
    assert touched(before, fresh) == {"jane"}
    assert open_doors(jane) == []
    reported = as_awx_wants(done, fresh, inputs)
    # The checksums of its two reports are kept with the job, out of the reach of whoever may write the folder.
    assert len(reported["contoso"].pop("sha256")) == 2
    assert reported == {
        "contoso": {"contained": [jane.id], "not_contained": [admin.id], "accepted": [], "unknown": 0, "error": None}
    }
    assert set(done.host_summaries) == {"contoso"}
    assert done.host_summaries["contoso"]["changed"] == 4
    assert done.host_summaries["contoso"]["failures"] == 1
    leavers = done.results(JOIN)["contoso"]["ansible_facts"]["offboard_employee_result"]
    assert [one["status"] for one in leavers] == ["contained", "refused"]
    # "" from an optional question means not given, and is not a template, whatever it holds.
    assert (done.variables["left_at"], leavers[0]["left_at"]) == ("", None)

    folder = Path(json.loads(awx.named("job_templates", "Restore employee")["extra_vars"])["evidence_folder"])
    evidence = json.loads((folder / f"offboard-{done.number}.json").read_text())
    assert (evidence["run"]["job_id"], evidence["run"]["launched_by"]) == (str(done.number), "hanna")
    assert evidence["run"]["job_template"] == "Offboard employee"
    assert (folder / f"offboard-{done.number}.html").is_file()

    restored = launcher.launch("Restore employee", leavers=jane.upn, offboarding_job=done.number, reason="Wrong Jane")

    assert restored.successful, restored.output
    assert jane["accountEnabled"] is True
    assert as_awx_wants(restored, fresh, inputs) == {
        "contoso": {"restored": [jane.id], "not_restored": [], "unknown": 0}
    }
    assert {name: value for name, value in before["jane"]["mailbox"].items() if jane.mailbox[name] != value} == {
        # It inherited the organization's setting, and the tenant takes no null.
        "SmtpClientAuthenticationDisabled": None
    }


def test_the_job_is_known_by_its_number_inside_the_evidence(launcher: Launcher, fresh: Tenant, awx: FakeAwx) -> None:
    """A new AWX starts from one again, and a file of the old one has the name already."""
    jane, john = fresh.directory.user("jane"), fresh.directory.user("john")
    folder = Path(json.loads(awx.named("job_templates", "Restore employee")["extra_vars"])["evidence_folder"])
    first = launcher.launch("Offboard employee", leavers=jane.upn, left_at="", reason="INC0050")
    files = set(folder.glob("*.json"))
    launcher.number = first.number - 1
    launcher.folder = launcher.folder / "new"
    again = launcher.launch("Offboard employee", leavers=john.upn, left_at="", reason="INC0051")
    assert again.number == first.number
    assert len(set(folder.glob(f"offboard-{first.number}-*.json")) - files) == 1

    restored = launcher.launch("Restore employee", leavers=john.upn, offboarding_job=again.number, reason="Wrong John")

    assert restored.successful, restored.output
    assert (john["accountEnabled"], jane["accountEnabled"]) == (True, False)

    other = launcher.launch("Restore employee", leavers=jane.upn, offboarding_job=987654, reason="Wrong job")

    assert not other.successful
    assert "No evidence comes from a job or workflow with the number 987654" in " ".join(other.output.split())
    assert jane["accountEnabled"] is False


def test_restore_employee_without_evidence(
    launcher: Launcher, fresh: Tenant, awx: FakeAwx, inputs: dict[str, Item]
) -> None:
    john = fresh.directory.user("john")
    john["accountEnabled"] = False
    john.mailbox["OWAEnabled"] = john.mailbox["ImapEnabled"] = False
    asked = {"leavers": john.upn, "restore_employee_protocols": ["owa"], "reason": "INC0043"}

    # Neither by the survey, nor by a survey that somebody has changed.
    with pytest.raises(rules.RefusedError, match="offboarding_job"):
        launcher.launch("Restore employee", **asked)
    survey = awx.named("job_templates", "Restore employee")["survey_spec"]
    (question,) = [one for one in survey["spec"] if one["variable"] == "offboarding_job"]
    question["required"] = False
    try:
        refused = launcher.launch("Restore employee", **asked)
    finally:
        question["required"] = True

    assert not refused.successful
    assert "Restoring needs the number of the workflow or job that shut the account" in refused.output
    assert writes(fresh) == []

    restored = launcher.launch("Restore employee without evidence", **asked)

    assert restored.successful, restored.output
    assert (john["accountEnabled"], john.mailbox["OWAEnabled"], john.mailbox["ImapEnabled"]) == (True, True, False)
    assert leaked(restored, fresh, inputs) == []


def test_audit_leavers(launcher: Launcher, fresh: Tenant, inputs: dict[str, Item]) -> None:
    crowd = fresh.directory.add_crowd(250)
    for user in crowd:
        user["accountEnabled"] = False
    before = snapshot(fresh)

    audit = launcher.launch("Audit leavers")

    assert not audit.successful
    reported = as_awx_wants(audit, fresh, inputs)
    assert {user.id for user in crowd} < set(reported["contoso"]["not_contained"])
    assert fresh.directory.user("blocked").id in reported["contoso"]["not_contained"]
    assert fresh.directory.user("offboarded").id in reported["contoso"]["contained"]
    assert audit.host_summaries["contoso"]["changed"] == 0
    assert (touched(before, fresh), writes(fresh)) == (set(), [])
    # The notification refers people to the end of the output: it names each leaver, with the open doors.
    upn = fresh.directory.user("blocked").upn
    assert re.search(rf"{re.escape(upn)}(, [^:\n]+)?: open: password", audit.output)


def test_workflow_dry_run_approval_offboarding(launcher: Launcher, fresh: Tenant, inputs: dict[str, Item]) -> None:
    jane = fresh.directory.user("jane")
    before = snapshot(fresh)
    # The folder holds evidence of jobs with the first numbers, which other launchers ran.
    launcher.number = 4700
    looked: list[Job] = []

    def approve(jobs: list[Job]) -> bool:
        assert touched(before, fresh) == set()
        assert writes(fresh) == []
        looked.extend(jobs)
        return True

    jobs = launcher.launch_workflow(WORKFLOW, approve=approve, leavers=jane.upn, left_at="", reason="INC0044")

    # All doors are open, and the dry run succeeds: that is why one asks.
    assert [job.name for job in looked] == ["Offboard employee (dry run)"], jobs[0].output
    assert [(job.name, job.successful) for job in jobs] == [
        ("Offboard employee (dry run)", True),
        ("Offboard employee", True),
    ], jobs[-1].output
    assert open_doors(jane) == []
    dry, done = (as_awx_wants(job, fresh, inputs) for job in jobs)
    assert dry["contoso"]["not_contained"] == done["contoso"]["contained"] == [jane.id]
    # The dry run's artifact comes along as a variable: no other account than those in it may be written.
    assert (dry["contoso"]["dry_run"], "dry_run" in done["contoso"]) == (True, False)
    assert set(jobs[0].artifacts) < set(jobs[1].variables)
    assert set(jobs[0].artifacts).isdisjoint(jobs[1].artifacts)
    assert {"before", "after"} <= set(str(jobs[0].output).replace("-", " ").replace("+", " ").split())

    # People know the number of the workflow that they launched.
    number = jobs[1].variables["awx_workflow_job_id"]
    assert number not in (jobs[0].number, jobs[1].number)
    restored = launcher.launch("Restore employee", leavers=jane.upn, offboarding_job=number, reason="Wrong Jane")

    assert restored.successful, restored.output
    assert jane["accountEnabled"] is True


def test_workflow_refuses_a_name_that_moved_while_it_waited_for_approval(launcher: Launcher, fresh: Tenant) -> None:
    jane, john = fresh.directory.user("jane"), fresh.directory.user("john")
    name = jane.upn

    def approve(_jobs: list[Job]) -> bool:
        jane.update({"userPrincipalName": "jane.formerly@contoso.com"})
        john.update({"userPrincipalName": name})
        return True

    jobs = launcher.launch_workflow(WORKFLOW, approve=approve, leavers=name, left_at="", reason="INC0046")

    assert [job.successful for job in jobs] == [True, False]
    assert f"{name} is now a different account from the one in the dry run" in jobs[1].output
    assert writes(fresh) == []


def test_workflow_denied(launcher: Launcher, fresh: Tenant) -> None:
    jobs = launcher.launch_workflow(
        WORKFLOW,
        approve=lambda _jobs: False,
        leavers=fresh.directory.user("jane").upn,
        left_at="2024-06-01T00:00:00+00:00",
        reason="x" * 3,
    )

    assert [job.name for job in jobs] == ["Offboard employee (dry run)"]
    assert writes(fresh) == []


def test_workflow_asks_nobody_to_approve_what_cannot_be_done(launcher: Launcher, fresh: Tenant) -> None:
    """A name that means nobody, a template instead of a name: the dry run fails, and there is nothing to approve."""

    def approve(_jobs: list[Job]) -> bool:
        raise AssertionError("nobody is asked")

    jobs = launcher.launch_workflow(
        WORKFLOW,
        approve=approve,
        leavers="{{ lookup('pipe', 'id') }}@contoso.com, nobody@contoso.com",
        reason="INC0045",
    )

    assert [job.successful for job in jobs] == [False]
    assert "uid=" not in jobs[0].output
    assert writes(fresh) == []


def test_tenants_are_hosts_of_their_own(launcher: Launcher, fresh: Tenant, inputs: dict[str, Item]) -> None:
    """An inventory in which each tenant brings its credential, as variables from a vault; one of them is broken."""
    fabrikam = fresh.of("fabrikam.com") or fresh.neighbour("fabrikam.com")

    def own(tenant: Tenant, key: str, **changes: str) -> Item:
        app = tenant.app("auditor-with-leave-dates")
        secrets = {"m365_client_id": app.client_id, "m365_client_secret": app.client_secret, **changes}
        return {"m365_tenant_id": tenant.tenant_id, "leavers": tenant.directory.user(key).upn, **secrets}

    hosts = {
        "contoso": own(fresh, "offboarded"),
        "fabrikam": own(fabrikam, "jane"),
        "broken": own(fabrikam, "jane", m365_client_secret="wr0ng~secret-of-nobody"),
    }

    audit = launcher.launch(
        "Audit leavers", hosts={host: {**own, "leavers_blocked": False} for host, own in hosts.items()}
    )

    reported = as_awx_wants(audit, fresh, inputs)
    assert leaked_of(audit, fabrikam) == []
    assert {host: one["failures"] for host, one in audit.host_summaries.items()} == {
        "contoso": 1,
        "fabrikam": 1,
        "broken": 1,
    }
    assert reported["broken"]["error"] == "AADSTS7000215"
    assert fresh.directory.user("offboarded").id in reported["contoso"]["contained"]
    assert reported["fabrikam"]["error"] is None


def leaked_of(job: Job, tenant: Tenant) -> list[str]:
    return search(
        job.folder / "artifacts", dict.fromkeys([*tenant.issued_secrets(), "wr0ng~secret-of-nobody"], "secret")
    )[1]
