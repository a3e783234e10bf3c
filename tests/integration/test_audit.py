# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit: exactly the open doors, with a credential that can only read, without ever writing."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from simulator import Tenant
from simulator.directory import User, timestamp

from .support import (
    AUDIT,
    OFFBOARD,
    SWITCHES,
    Player,
    ago,
    evidence,
    evident_leavers,
    moment,
    open_doors,
    snapshot,
    touched,
)

WIDTH = 100
# As long as Entra allows.
LONG_UPN = f"{'long.name.' * 6}long@{'subdomain.' * 4}contoso.com"


def _shut(
    user: User, *, reset_ago: timedelta = timedelta(days=1), revoked_after: timedelta = timedelta(seconds=3)
) -> None:
    """As our four steps would leave somebody, some time ago."""
    reset = user._directory.now() - reset_ago
    user.update(
        {
            "accountEnabled": False,
            "lastPasswordChangeDateTime": timestamp(reset),
            "signInSessionsValidFromDateTime": timestamp(reset + revoked_after),
        }
    )
    if user.mailbox:
        user.mailbox.update({switch: name == "smtp_auth" for name, switch in SWITCHES.items()})


def _stage(tenant: Tenant) -> dict[str, str]:
    """All sorts of half-open doors. Returns `left_at` of those who have one."""
    user = tenant.directory.user
    for key in ("jane", "john", "maria", "ahmed", "wei", "olga", "synced", "admin", "umlaut"):
        _shut(user(key))
    user("john").mailbox["ActiveSyncEnabled"] = True
    user("maria")["accountEnabled"] = True
    user("ahmed").mailbox["SmtpClientAuthenticationDisabled"] = None
    # Signed out hours after the reset, perhaps for another reason.
    _shut(user("pierre"), reset_ago=timedelta(days=2), revoked_after=timedelta(hours=5))
    # Shut, and after that the mailbox was opened again, in part.
    user("olga").mailbox.update({"EwsEnabled": None, "OneWinNativeOutlookEnabled": True})
    # A password changed after the sign-out.
    _shut(user("member"), revoked_after=timedelta(seconds=-3))
    # What is hard to fit into a table.
    user("html")["userPrincipalName"] = LONG_UPN
    user("sam1").mailbox["ActiveSyncEnabled"] = False
    # Offboarded before they left, and after.
    return {"wei": ago(hours=1), "jane": ago(days=2), "pierre": ago(days=2, hours=-2)}


def test_audit_reports_exactly_the_open_doors(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    left_at = _stage(tenant)
    users = tenant.directory.everyone()
    asked = [{"user": user.upn, "left_at": left_at[user.key]} if user.key in left_at else user.upn for user in users]
    before = snapshot(tenant)
    report = tmp_path / "evidence" / "doors.json"
    report.parent.mkdir()
    expected = {
        user.key: open_doors(user, moment(left_at[user.key]) if user.key in left_at else None) for user in users
    }
    # The stage is of use only if there is everything on it.
    assert {"jane", "synced", "umlaut", "offboarded", "residual"} == {
        key for key, doors in expected.items() if not doors
    } - {"admin"}
    assert expected["john"] == ["activesync"]
    assert expected["ahmed"] == ["smtp_auth"]
    assert expected["olga"] == ["ews", "new_outlook"]
    assert expected["wei"] == ["password", "sessions"]
    assert expected["pierre"] == ["password"]
    assert expected["member"] == ["password", "sessions"]

    played = play(AUDIT, app="auditor", leavers=asked, offboard_employee_report_path=str(report))

    assert tenant.journal.writes() == []
    assert touched(before, tenant) == set()
    assert {entry.status for entry in tenant.journal if entry.listener == "graph"} == {200}
    found = {leaver["user"]: leaver for leaver in played.leavers()}
    assert {user.key: found[user.upn]["open"] for user in users} == expected
    for user in users:
        leaver = found[user.upn]
        assert leaver["contained"] is (expected[user.key] == []), user.key
        assert (leaver["unconfirmed"], leaver["not_looked_at"]) == ([], [])
    assert played.returncode == 2
    assert played.recap()["changed"] == 0
    _judge_failure(played.failure(), {user.upn: expected[user.key] for user in users if expected[user.key]})
    contained = sum(not doors for doors in expected.values())
    headline = f"{contained} of {len(users)} leavers are contained"
    assert headline in played.table()
    # Above it stands where the reports are, with their checksums.
    _judge_width(played.stdout, played.table()[played.table().index(headline) :])
    (place,) = [place for place, line in enumerate(played.table()) if line.startswith("long.name.")]
    assert " ".join(played.table()[place : place + 3]).split()[:3].count("OPEN") == 1, "a long name hides the verdict"
    _judge_report(report, played.leavers(), check_mode=False)

    # With --check it is the same, and open doors need not fail it. The earlier report is kept.
    kept = report.read_bytes()
    tenant.journal.clear()

    checked = play(
        AUDIT,
        "--check",
        app="auditor",
        leavers=asked,
        offboard_employee_report_path=str(report),
        offboard_employee_fail_on=["failed"],
    )

    assert checked.returncode == 0, checked.output
    assert checked.recap()["changed"] == 0
    assert tenant.journal.writes() == []
    assert [leaver["open"] for leaver in checked.leavers()] == [leaver["open"] for leaver in played.leavers()]
    assert report.read_bytes() == kept
    (other,) = set(report.parent.glob("*.json")) - {report}
    assert re.fullmatch(r"doors-20\d{6}T\d{6}Z\.json", other.name)
    assert f"Report: {other}" in checked.stdout
    _judge_report(other, checked.leavers(), check_mode=True)


def _judge_failure(message: str, expected: dict[str, list[str]]) -> None:
    # More than three leavers with the same open doors share a line.
    sentences = (line.split(": open: ") for line in message.splitlines())
    reported = {name: doors for names, doors in sentences for name in names.split(", ")}
    # All switches of a mailbox are shown in two words; an old mailbox has fewer than a new one.
    assert {
        name: re.sub(r"all \d+ protocols", ", ".join(_switches(expected[name])), doors).split(", ")
        for name, doors in reported.items()
    } == expected


def _switches(doors: list[str]) -> list[str]:
    return [door for door in doors if door in SWITCHES]


def _judge_width(stdout: str, table: list[str]) -> None:
    """What people see of the table, with all that Ansible puts around it."""
    begin = next(i for i, line in enumerate(stdout.splitlines()) if table[0] in line)
    shown = stdout.splitlines()[begin : begin + len(table)]
    assert table[-1] in shown[-1]
    assert [line for line in shown if len(line) > WIDTH] == []


def _judge_report(path: Path, leavers: list[dict[str, Any]], *, check_mode: bool) -> None:
    reported = evidence(path)
    assert reported["hosts"]["localhost"]["leavers"] == leavers
    assert (reported["purpose"], reported["complete"], reported["check_mode"]) == ("audit", True, check_mode)
    assert moment(reported["run"]["started_at"]) <= moment(reported["written_at"])


@pytest.mark.parametrize(
    "source",
    [{"leavers_group": "Leavers"}, {"leavers_filter": "accountEnabled eq false"}, {"leavers_blocked": True}],
    ids=["group", "filter", "blocked"],
)
def test_users_found_by_a_search_are_read_again(tenant: Tenant, play: Player, source: dict[str, Any]) -> None:
    """An index that lags still shows two accounts as they were shut; one of them has been opened since."""
    tenant.directory.page_size = 2  # for who does not say how many a page may hold
    user = tenant.directory.user
    opened, shut = user("offboarded"), user("guest")
    for one in (opened, shut, user("left")):
        _shut(one)
    lagging = "leavers_blocked" not in source
    if lagging:
        _let_the_index_lag(tenant)
        opened["accountEnabled"] = True
    expected = [one for one in tenant.directory.everyone() if one["accountEnabled"] is False or one is opened]
    if "leavers_group" in source:
        expected, _groups, _things = tenant.directory.members_of(tenant.directory.group("leavers"), transitive=True)

    played = play(AUDIT, app="auditor-groups", **source)

    reported = {leaver["id"]: leaver for leaver in played.leavers()}
    assert set(reported) == {one.id for one in expected}
    for one in expected:
        leaves = one.get("employeeLeaveDateTime")
        assert reported[one.id]["open"] == open_doors(one, moment(leaves) if leaves else None), one.key
        assert reported[one.id]["user"] == one.upn
    assert reported[shut.id]["contained"] is True
    assert reported[opened.id]["contained"] is not lagging
    assert ("signin" in reported[opened.id]["open"]) is lagging
    lists = [entry for entry in tenant.journal.of("graph") if entry.batch is None and entry.method == "GET"]
    assert [entry.status for entry in lists] == [200] * (2 if "leavers_group" in source else 1)


def _let_the_index_lag(tenant: Tenant) -> None:
    """What is written from now on shows in users, and not in what searches answer from."""
    for one in tenant.directory.everyone():
        one.history.clear()
    tenant.directory.index_lag = 3600


def test_audit_of_two_thousand(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    crowd = tenant.directory.add_crowd(2_000)
    for user in crowd:
        _shut(user)
    crowd[999].mailbox["PopEnabled"] = True
    crowd[1_999]["accountEnabled"] = True
    table = tmp_path / "leavers.csv"
    table.write_text("name,user\n" + "".join(f'"{user.key}, X","{user.upn}"\n' for user in crowd))

    report = tmp_path / "audit.json"
    played = play(AUDIT, app="auditor", leavers_file=str(table), offboard_employee_report_path=str(report))

    assert played.returncode == 2
    assert tenant.journal.writes() == []
    leavers = evident_leavers(report)["localhost"]
    assert [leaver["id"] for leaver in leavers] == [user.id for user in crowd]
    assert {leaver["user"]: leaver["open"] for leaver in leavers if not leaver["contained"]} == {
        crowd[999].upn: ["pop"],
        crowd[1_999].upn: ["password", "sessions", "signin"],
    }
    # Batches of 20 for Graph and of 10 for Exchange, and a token for each of them.
    assert len(tenant.journal.singles()) <= 2_000 / 20 + 2_000 / 10 + 2 * 2


def test_a_user_who_is_let_in_again_is_newly_open_in_the_audit_after_it(
    tenant: Tenant, play: Player, tmp_path: Path
) -> None:
    """No leaver of ours: an audit of the blocked is all the evidence there is, in a folder with spoilt files."""
    otto, folder = tenant.directory.user("offboarded"), tmp_path / "evidence"
    folder.mkdir()
    search = {"leavers_blocked": True, "app": "auditor", "since": str(folder)}

    first = play(AUDIT, **search, offboard_employee_report_path=str(folder / "monday.json"))
    expired = play(
        AUDIT, **{**search, "app": "expired-secret"}, offboard_employee_report_path=str(folder / "night.json")
    )
    otto["accountEnabled"] = True
    report = [str(folder / "tuesday.json"), str(folder / "tuesday.html")]
    second = play(AUDIT, **search, offboard_employee_report_path=report)
    otto["accountEnabled"] = False
    nightly = play(OFFBOARD, leavers=otto.upn, since=str(folder), offboard_employee_report_path=str(folder / "a.json"))

    assert "newly open: not comparable" in " ".join(" ".join(first.table()).split())
    assert expired.returncode == 2
    assert second.returncode == 2
    assert f"{otto.upn}: newly open: password, sessions, signin" in second.failure()
    shown = "".join("".join(second.table()).split())
    assert "night.json:itsrunreadnouser:" in shown
    assert f"nolongernamedorfound:{otto.upn}:Sign-inisallowedagain." in shown
    (one,) = [one for one in evident_leavers(folder / "tuesday.json")["localhost"] if one["id"] == otto.id]
    assert one["since"]["newly_open"] == ["password", "sessions", "signin"]
    assert otto.upn in (folder / "tuesday.html").read_text()
    # Open doors of those who were not asked for, and were open before, are the audit's to fail on.
    assert (nightly.returncode, nightly.leavers()[0]["contained"]) == (0, True)
    # Whoever only the evidence knows was looked at, and nobody else was written to.
    assert len(nightly.leavers()) > 1
    assert {entry.user for entry in tenant.journal.writes()} <= {otto.id}
