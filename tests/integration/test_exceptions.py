# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Accepted exceptions: shown in the table and in every report, without failing the run, until their last day is over."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from pathlib import Path

from simulator import Tenant

from .support import AUDIT, OFFBOARD, Player, evidence

WHY = {"reason": "It is known, HR-1422", "accepted_by": "Chris Cio"}


def day(after: int) -> str:
    return (datetime.now(UTC) + timedelta(days=after)).date().isoformat()


def test_rooms_and_accepted_people_do_not_fail_an_audit_and_are_reported_in_every_format(
    tenant: Tenant, play: Player, tmp_path: Path
) -> None:
    room, admin = tenant.directory.user("blocked"), tenant.directory.user("admin")
    room.mailbox.kind = "RoomMailbox"
    exceptions = tmp_path / "exceptions.yml"
    exceptions.write_text(
        json.dumps(
            [
                {"kind": "RoomMailbox", "doors": "all", "until": day(400), **WHY},
                {"kind": "SharedMailbox", "doors": ["password", "sessions", "protocols"], "until": day(400), **WHY},
                {"user": admin.id.upper(), "doors": ["all"], "until": day(1), **WHY},
                {"user": "jnae.doe@contoso.com", "doors": "owa", "until": day(400), **WHY},
                # A record of what was renewed, by another name.
                {"user": admin.upn, "doors": "owa", "until": day(-30), **WHY},
            ]
        )
    )
    reports = {name: tmp_path / f"audit.{name}" for name in ("json", "csv", "html", "xml")}

    played = play(
        AUDIT,
        app="auditor",
        leavers=admin.upn,
        leavers_blocked=True,
        exceptions_file=str(exceptions),
        offboard_employee_report_path=list(map(str, reports.values())),
    )

    assert played.returncode == 0, played.output
    statuses = {one["user_principal_name"]: one["status"] for one in played.leavers()}
    accepted = {admin.upn, room.upn, "info@contoso.com"}
    assert {upn for upn, status in statuses.items() if status == "accepted"} == accepted
    assert set(statuses.values()) == {"accepted", "contained"}
    assert not any(one["contained"] for one in played.leavers() if one["status"] == "accepted")
    # Only those who are blocked, open and perhaps no person are asked for once more.
    asked = [entry.user for entry in tenant.journal if entry.cmdlet == "Get-Mailbox"]
    assert sorted(map(str, asked)) == sorted([room.id, tenant.directory.user("shared").id])
    assert not any(entry.writes for entry in tenant.journal)

    table = " ".join(" ".join(played.table()).split())
    assert ", 3 accepted" in table
    assert f"{room.upn} accepted (RoomMailbox)" in table
    assert f"by Chris Cio until {day(1)}: password, sessions, signin, protocols (It is known, HR-1422)" in table
    assert "The exception for jnae.doe@contoso.com matches nobody" in table
    assert "ended on" not in table

    reported = evidence(reports["json"])["hosts"]["localhost"]
    assert [one["state"] for one in reported["exceptions"]] == ["in_force"] * 3 + ["unmatched", "ended"]
    rows = list(csv.DictReader(reports["csv"].read_text(encoding="utf-8-sig").splitlines()))
    assert {row["user_principal_name"] for row in rows if row["accepted"]} == accepted
    assert ["matches nobody" in row["notes"] for row in rows if row["status"] == "exception"] == [True]
    suite = ET.parse(reports["xml"]).getroot()
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    assert any("Accepted by Chris Cio" in str(one.get("message")) for one in suite.iter("skipped"))
    page = reports["html"].read_text(encoding="utf-8")
    assert f"Accepted until {day(1)} by Chris Cio" in page
    assert "jnae.doe@contoso.com matches nobody" in page


def test_exceptions_that_cannot_be_read_refuse_an_audit_and_never_stop_a_lock_out(
    tenant: Tenant, play: Player, tmp_path: Path
) -> None:
    jane = tenant.directory.user("jane")
    exceptions = tmp_path / "exceptions.csv"
    exceptions.write_text(f"user,doors,reason,accepted_by,until\njane.doe@contoso.com,owa,,Chris Cio,{day(1)}\n")

    audited = play(AUDIT, leavers=jane.upn, exceptions_file=str(exceptions))

    assert audited.returncode != 0
    assert f"{exceptions}, line 2: it lacks reason. Nothing was sent." in audited.failure()
    assert not list(tenant.journal)

    offboarded = play(OFFBOARD, leavers=jane.upn, exceptions_file=str(exceptions))

    assert offboarded.returncode != 0
    assert f"No exception was applied: the exceptions cannot be read: {exceptions}, line 2" in offboarded.failure()
    assert (jane["accountEnabled"], offboarded.leavers()[0]["status"]) == (False, "contained")


def test_an_offboarding_shuts_an_accepted_door_and_an_exception_that_has_ended_accepts_nothing(
    tenant: Tenant, play: Player
) -> None:
    jane, admin = tenant.directory.user("jane"), tenant.directory.user("admin")
    exceptions = [
        {"user": jane.upn, "doors": "all", "until": day(400), **WHY},
        {"user": admin.upn, "doors": "all", "until": day(-1), **WHY},
    ]

    played = play(OFFBOARD, leavers=[jane.upn, admin.upn], exceptions=exceptions)

    by_name = {one["user_principal_name"]: one for one in played.leavers()}
    assert (by_name[jane.upn]["status"], by_name[jane.upn]["accepted"]) == ("contained", [])
    assert jane["accountEnabled"] is False
    assert (by_name[admin.upn]["status"], admin["accountEnabled"]) == ("refused", True)
    assert played.returncode != 0
    assert f"The exception that Chris Cio accepted ended on {day(-1)}." in played.failure()
