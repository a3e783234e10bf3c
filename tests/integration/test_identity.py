# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A name is not a person: namesakes, people hired again, names that move, and who a leaver is said to be."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from simulator import Tenant
from simulator.directory import User

from .support import AUDIT, OFFBOARD, Player, ago, evident_leavers, open_doors, snapshot, touched, writes


def graph_reads(tenant: Tenant, user: User) -> int:
    """How often Graph was asked about somebody."""
    asked = (user.id, user.upn.replace("'", "''"))
    return sum(
        1
        for entry in tenant.journal
        if entry.listener == "graph"
        and entry.method == "GET"
        and any(name in f"{entry.path}?{entry.query}" for name in asked)
    )


def move_name(tenant: Tenant, key: str, other: str) -> tuple[User, User]:
    """Give the name of one person to another account; the person keeps theirs under a new name."""
    jane, john = tenant.directory.user(key), tenant.directory.user(other)
    name = jane.upn
    jane.update({"userPrincipalName": f"former.{name}"})
    john.update({"userPrincipalName": name})
    return jane, john


def test_a_newer_account_of_a_name_is_refused_until_its_object_id_is_named(tenant: Tenant, play: Player) -> None:
    jane = tenant.directory.user("jane")
    jane["createdDateTime"] = ago(days=1).replace("+00:00", "Z")
    left_at = ago(days=2)
    before = snapshot(tenant)

    for arguments in ((), ("--check",)):
        refused = play(OFFBOARD, *arguments, leavers=jane.upn, left_at=left_at, offboard_employee_fail_on=["failed"])

        assert refused.returncode == 2
        assert (refused.leaver()["status"], refused.leaver()["contained"]) == ("refused", False)
        # A refusal stops writes only.
        assert refused.leaver()["open"] == open_doors(jane)
        assert "is a newer account of that name" in refused.failure()
        assert jane["createdDateTime"][:19] in refused.failure()
        assert (touched(before, tenant), writes(tenant)) == (set(), [])

    audit = play(AUDIT, leavers=jane.upn, left_at=left_at, offboard_employee_fail_on=["failed"], app="auditor")

    assert (audit.returncode, audit.leaver()["status"]) == (2, "refused")
    assert "is a newer account of that name" in audit.failure()

    done = play(OFFBOARD, leavers=jane.id, left_at=left_at)

    assert done.returncode == 0, done.output
    assert done.leaver()["contained"]
    assert touched(before, tenant) == {"jane"}


def test_a_newer_account_whose_doors_are_shut_proves_nothing_of_the_person(tenant: Tenant, play: Player) -> None:
    otto = tenant.directory.user("offboarded")
    otto["createdDateTime"] = ago(days=8).replace("+00:00", "Z")

    audit = play(AUDIT, leavers=otto.upn, left_at=ago(days=9), app="auditor")

    assert audit.returncode == 2
    assert (audit.leaver()["open"], audit.leaver()["contained"], audit.leaver()["status"]) == ([], False, "refused")


def test_a_user_who_was_hired_again_is_not_shut_out_by_an_old_leave_date(tenant: Tenant, play: Player) -> None:
    leo = tenant.directory.user("left")
    leo["employeeHireDate"] = ago(days=1).replace("+00:00", "Z")
    before = snapshot(tenant)

    refused = play(OFFBOARD, leavers_filter=f"userPrincipalName eq '{leo.upn}'", app="offboarding-with-leave-dates")

    assert refused.returncode == 2
    assert "is a newer account of that name: hired" in refused.failure(), refused.output
    assert touched(before, tenant) == set()


def test_a_name_with_an_object_id_beside_it(tenant: Tenant, play: Player) -> None:
    jane, john = move_name(tenant, "jane", "john")
    asked = [{"user": john.upn, "id": jane.id}]
    before = snapshot(tenant)

    refused = play(OFFBOARD, leavers=asked)

    assert refused.returncode == 2
    assert f"{john.upn} is now a different account: its object ID is {john.id}, not {jane.id}" in refused.failure()
    assert touched(before, tenant) == set()

    audit = play(AUDIT, leavers=asked, app="auditor")
    assert audit.leaver()["status"] == "refused"

    done = play(OFFBOARD, leavers=[{"user": jane.upn, "id": jane.id}])
    assert (done.returncode, touched(before, tenant)) == (0, {"jane"})


def test_a_name_that_moved_since_earlier_evidence_is_refused(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    paper, jane = tmp_path / "dry.json", tenant.directory.user("jane")
    dry = play(OFFBOARD, "--check", leavers=jane.upn, offboard_employee_report_path=str(paper))
    assert dry.leaver()["id"] == jane.id
    jane, john = move_name(tenant, "jane", "john")
    before = snapshot(tenant)

    refused = play(OFFBOARD, leavers=john.upn, since=str(paper))
    audit = play(AUDIT, leavers=john.upn, since=str(paper), offboard_employee_fail_on=["failed"], app="auditor")

    for played in (refused, audit):
        assert played.returncode == 2
        assert f"{john.upn} is now a different account" in played.failure()
        assert jane.id in played.failure()
    assert touched(before, tenant) == set()


def test_what_a_dry_run_looked_at_binds_the_offboarding_that_follows_in_a_workflow(
    tenant: Tenant, play: Player
) -> None:
    jane = tenant.directory.user("jane")
    dry = play(OFFBOARD, "--check", leavers=jane.upn, offboard_employee_fail_on=["failed"])
    assert dry.returncode == 0, dry.output
    # AWX hands it to the next node as an extra variable, under a key with the number of the job.
    handed = {"m365_offboarding_17": dry.reported()["_run"]["m365_offboarding"]}
    assert handed["m365_offboarding_17"]["localhost"]["dry_run"] is True
    assert "@" not in str(handed)
    jane, john = move_name(tenant, "jane", "john")
    before = snapshot(tenant)

    refused = play(OFFBOARD, leavers=john.upn, **handed)

    assert refused.returncode == 2
    assert "is now a different account from the one in the dry run" in refused.failure()
    assert touched(before, tenant) == set()

    # Her own account, whatever it is called, was looked at.
    done = play(OFFBOARD, leavers=jane.upn, **handed)

    assert (done.returncode, touched(before, tenant)) == (0, {"jane"}), done.output
    assert "dry_run" not in done.reported()["_run"]["m365_offboarding"]["localhost"]


def test_the_dry_run_and_every_report_describe_the_person(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    jane = tenant.directory.user("jane")
    papers = [str(tmp_path / f"dry.{suffix}") for suffix in ("json", "csv", "html")]
    line = "Jane Doe · Sales · Clerk · manager Olga Petrova · member since 2024-01-15"

    dry = play(OFFBOARD, "--check", leavers=jane.upn, offboard_employee_report_path=papers)

    assert any(one.strip().startswith(line) for one in dry.table()), dry.table()
    ((reported,),) = evident_leavers(tmp_path / "dry.json").values()
    assert reported["person"] == {
        "department": "Sales",
        "job_title": "Clerk",
        "manager": {
            "id": tenant.directory.user("olga").id,
            "display_name": "Olga Petrova",
            "user_principal_name": tenant.directory.user("olga").upn,
        },
        "user_type": "Member",
        "created_date_time": "2024-01-15T08:00:00Z",
        "employee_hire_date": "2024-01-15T00:00:00Z",
        "last_password_change_date_time": jane["lastPasswordChangeDateTime"],
    }
    (row,) = csv.DictReader(io.StringIO((tmp_path / "dry.csv").read_text(encoding="utf-8-sig")))
    assert (row["person_department"], row["person_manager"], row["person_created"]) == (
        "Sales",
        "Olga Petrova",
        "2024-01-15T08:00:00Z",
    )
    assert line in (tmp_path / "dry.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("settings", "lost", "more"),
    [
        ({}, None, 0),
        ({"hire_date_needs_lifecycle": True}, "employee_hire_date", 1),
        ({"takes_manager": False}, "manager", 1),
    ],
    ids=["all may be read", "no hire date", "no manager"],
)
def test_what_may_not_be_read_is_left_out_at_the_cost_of_one_request_a_leaver_at_most(
    tenant: Tenant, play: Player, settings: dict[str, bool], lost: str | None, more: int
) -> None:
    for name, value in settings.items():
        setattr(tenant.directory, name, value)
    jane = tenant.directory.user("jane")

    done = play(OFFBOARD, leavers=jane.upn, left_at=ago(days=2))

    assert done.returncode == 0, done.output
    person = done.leaver()["person"]
    assert [name for name, value in person.items() if value is None] == ([lost] if lost else [])
    assert person["department"] == "Sales"
    # One read by name and one of roles; four steps, each with a read by id, one of which is read back; the closing read.
    once = graph_reads(tenant, jane)
    assert once - more == 8, once
