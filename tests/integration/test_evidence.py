# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence: every format on every kind of account, read by others' tools; what a crash leaves; what changed since."""

from __future__ import annotations

import csv
import json
import subprocess
import time
from html.parser import HTMLParser
from pathlib import Path

from junitparser import JUnitXml

from simulator import Fault, Tenant

from .support import AUDIT, OFFBOARD, STEPS, Player, a_play, evidence, evident_leavers, kill, open_doors


class _Texts(HTMLParser):
    """All text of a page, and all that it would load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.loads: list[str] = []
        self.feed(page)
        self.close()

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [f"{tag} {name}={value}" for name, value in attrs if name in ("src", "href", "srcset", "action")]


def test_every_format_on_every_kind_of_account(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    """Everybody who lives here, and somebody who does not, in check mode: nothing is written but the reports."""
    people = tenant.directory.everyone()
    asked = [user.upn for user in people] + ["nobody@contoso.com"]
    paths = {suffix: tmp_path / "reports" / f"all.{suffix}" for suffix in ("html", "csv", "json", "xml")}
    protected = {"M365_PROTECTED_USERS": tenant.directory.user("breakglass").upn}

    played = play(
        OFFBOARD,
        "--check",
        leavers=asked,
        offboard_employee_max_users=len(asked),
        offboard_employee_report_path=[str(path) for path in paths.values()],
        offboard_employee_residual=["directory_roles", "phones"],
        awx_job_id=4711,
        awx_job_template_name="Offboard <employee>",
        awx_user_name="anna",
        environment=protected,
    )

    assert [entry for entry in tenant.journal if entry.applied] == []
    assert played.recap()["failed"] == 1
    reported = evidence(paths["json"])
    assert (reported["purpose"], reported["complete"], reported["check_mode"]) == ("offboard", True, True)
    assert reported["run"] | {"started_at": "", "collection": "", "ansible": ""} == {
        "started_at": "",
        "job_id": "4711",
        "job_template": "Offboard <employee>",
        "launched_by": "anna",
        "workflow_job_id": None,
        "os_user": None,
        "reason": None,
        "ticket": None,
        "approved_by": None,
        "collection": "",
        "ansible": "",
    }
    host = reported["hosts"]["localhost"]
    app = tenant.app("offboarding")
    assert (host["tenant_id"], host["client_id"], host["object_id"]) == (tenant.tenant_id, app.client_id, app.object_id)
    leavers = host["leavers"]
    assert [one["user"] for one in leavers] == asked
    # Every outcome that check mode knows is there.
    assert {one["status"] for one in leavers} >= {"failed", "refused", "open", "contained"}

    with paths["csv"].open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [one["id"] or "" for one in leavers]
    assert [row["status"] for row in rows] == [one["status"] for one in leavers]
    cells = [cell for row in rows for cell in row.values()]
    assert any("HYPERLINK" in cell for cell in cells)  # somebody is called like a formula
    assert [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r")] == []

    (suite,) = JUnitXml.fromfile(str(paths["xml"]))
    judged = {case.name for case in suite if not case.is_passed and not case.is_skipped}
    still_open = [one for one in leavers if one["open"] or one["unconfirmed"] or not one["id"]]
    assert len(judged) >= len(still_open)
    assert suite.failures + suite.errors == len([case for case in suite if not case.is_passed and not case.is_skipped])
    assert suite.failures > 0
    assert suite.errors > 0

    page = _Texts(paths["html"].read_text(encoding="utf-8"))
    text = " ".join(page.texts)
    # Names are there as they are, and nothing is loaded from anywhere.
    assert [user["displayName"] for user in people if user["displayName"] not in text] == []
    assert [link for link in page.loads if "=#" not in link] == []


def test_a_run_that_is_killed_leaves_the_finished_batches(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    first, second = ([tenant.directory.user(key) for key in keys] for keys in (("jane", "john"), ("maria", "ahmed")))
    tenant.faults.add(Fault(user=second[0].id, method="PATCH", delay=60.0))
    found = {user.upn: user["lastPasswordChangeDateTime"] for user in second}
    path = tmp_path / "killed.json"
    variables = {
        "leavers": [user.upn for user in [*first, *second]],
        "offboard_employee_batch_size": 2,
        "offboard_employee_report_path": str(path),
    }
    running = play.start(OFFBOARD, **variables)
    try:
        _wait_until(lambda: path.exists() and any(one["contained"] for one in evident_leavers(path)["localhost"]))
    finally:
        kill(running)

    reported = evidence(path)
    assert reported["complete"] is False
    leavers = {one["user"]: one for one in reported["hosts"]["localhost"]["leavers"]}
    contained = {name: one["contained"] for name, one in leavers.items()}
    assert contained == {
        **dict.fromkeys([user.upn for user in first], True),
        second[0].upn: False,
        second[1].upn: False,
    }
    # Of whoever had not come to an end it holds how they were found, before anything was sent.
    for user in second:
        entry = leavers[user.upn]["steps"]["password"]
        assert entry["status"] == "pending"
        assert entry["before"]["last_password_change_date_time"] == found[user.upn]
        assert leavers[user.upn]["steps"]["signin"]["before"] == {"account_enabled": True}
    assert all(open_doors(user) == [] for user in first)

    tenant.faults.clear()
    again = play(OFFBOARD, **variables)

    assert again.returncode == 0, again.output
    (other,) = set(tmp_path.glob("killed*.json")) - {path}
    assert evidence(other)["complete"] is True
    assert all(one["contained"] for one in evident_leavers(other)["localhost"])


def test_each_step_is_in_the_file_before_the_next_begins(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    """Killed while sign-in is being blocked: reset and sign-out are on record, with the facts of before."""
    jane = tenant.directory.user("jane")
    found = {name: jane[name] for name in ("lastPasswordChangeDateTime", "accountEnabled")}
    tenant.faults.add(Fault(user=jane.id, method="PATCH", nth=2, delay=60.0))
    path = tmp_path / "killed.json"
    running = play.start(OFFBOARD, leavers=jane.upn, offboard_employee_report_path=[str(path), str(path) + ".html"])
    try:
        _wait_until(lambda: path.exists() and "sessions" in _done(path))
    finally:
        kill(running)

    (one,) = evident_leavers(path)["localhost"]
    statuses = {step: entry["status"] for step, entry in one["steps"].items()}
    assert statuses == {"password": "verified", "sessions": "accepted", "signin": "pending", "protocols": "pending"}
    assert one["contained"] is False
    assert one["open"] == []
    assert one["steps"]["password"]["before"]["last_password_change_date_time"] == found["lastPasswordChangeDateTime"]
    assert one["steps"]["signin"]["before"] == {"account_enabled": found["accountEnabled"]}
    assert one["steps"]["protocols"]["before"]["owa"] is True
    assert evidence(path)["complete"] is False


def _done(path: Path) -> list[str]:
    leavers = evident_leavers(path)["localhost"]
    return [step for one in leavers for step, entry in one["steps"].items() if entry["written_at"]]


def _wait_until(true: object, timeout: float = 120) -> None:
    deadline = time.monotonic() + timeout
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.1)


def test_what_is_newly_open_since_an_earlier_file_comes_first(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    keys = ("jane", "offboarded", "residual")
    users = {key: tenant.directory.user(key) for key in keys}
    earlier, later = tmp_path / "earlier.json", tmp_path / "later.json"
    asked = [user.upn for user in users.values()]
    play(AUDIT, leavers=asked, offboard_employee_report_path=str(earlier))
    # The directory synchronises somebody back to life, and a licence brings a protocol back.
    users["offboarded"].update({"accountEnabled": True, "onPremisesSyncEnabled": True})
    users["residual"].mailbox["ImapEnabled"] = True

    played = play(AUDIT, leavers=asked, since=str(earlier), offboard_employee_report_path=str(later))

    changed = {one["user"]: one["since"] for one in evident_leavers(later)["localhost"]}
    assert {name: since["newly_open"] for name, since in changed.items()} == {
        users["jane"].upn: [],
        users["offboarded"].upn: ["password", "sessions", "signin"],
        users["residual"].upn: ["imap"],
    }
    assert not any(since["new"] for since in changed.values())
    table = "\n".join(played.table())
    moment = evidence(earlier)["written_at"]
    newly, rest = table.index(f"newly open since {moment}"), table.index(users["jane"].upn)
    assert newly < table.index(users["residual"].upn) < rest
    assert "Active Directory" in table

    for wrong, text in (("nowhere.json", "nowhere.json"), (str(later) + "x", "x")):
        refused = play(AUDIT, leavers=asked, since=wrong)
        assert refused.returncode == 2
        assert text in refused.failure()
    Path(str(later) + "x").write_text(json.dumps({"format": "something else"}))
    tenant.journal.clear()
    refused = play(AUDIT, leavers=asked, since=str(later) + "x")
    assert "format is not m365.offboarding/evidence" in refused.failure()
    assert list(tenant.journal) == []


def test_hosts_of_a_play_that_goes_in_turns_share_a_file(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    path = tmp_path / "shared.json"
    hosts = {
        key: {"own": tenant.environment, "offboard_employee_leavers": tenant.directory.user(key).upn}
        for key in ("jane", "john")
    }
    task = {"name": "Offboard", "ansible.builtin.include_role": {"name": "m365.offboarding.offboard_employee"}}

    played = play(
        [a_play(task, environment="{{ own }}", serial=1)],
        hosts=hosts,
        app=None,
        offboard_employee_report_path=str(path),
    )

    assert played.returncode == 0, played.output
    assert evident_leavers(path) == {host: played.leavers(host) for host in hosts}
    assert all(one["contained"] for leavers in evident_leavers(path).values() for one in leavers)
    assert list(tmp_path.glob("shared*.json")) == [path]


def test_a_report_that_cannot_be_written_is_reported_before_anything_is_sent(
    tenant: Tenant, play: Player, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")

    played = play(
        OFFBOARD,
        leavers=tenant.directory.user("jane").upn,
        offboard_employee_report_path=str(tmp_path / "file" / "a.csv"),
    )

    assert played.returncode == 2
    assert "cannot be written" in played.failure()
    assert list(tenant.journal) == []
    assert subprocess.run(["ls", str(tmp_path / "file")], check=False).returncode == 0


# --- the audit's sources and what it costs ---

_UNREAD_DATES = (
    "It is not known whether any users found leave later: the application may not read leave dates "
    "(User-LifeCycleInfo.Read.All)."
)


def test_an_audit_of_a_group_costs_two_batches_per_twenty_and_one_per_ten(
    tenant: Tenant, play: Player, tmp_path: Path
) -> None:
    tenant.directory.add_crowd(200, group="leavers-mail")

    played = play(
        AUDIT,
        app="auditor-groups",
        leavers_group="leavers@contoso.com",
        offboard_employee_fail_on=["failed"],
        offboard_employee_report_path=str(tmp_path / "all.json"),
    )

    assert played.returncode == 0, played.output
    leavers = evident_leavers(tmp_path / "all.json")["localhost"]
    assert len(leavers) >= 200
    asked = [entry for entry in tenant.journal if entry.batch is None and entry.listener != "entra"]
    graph = [entry for entry in asked if entry.listener == "graph" and "$batch" in entry.path]
    exchange = [entry for entry in asked if entry.listener == "exchange"]
    assert len(graph) <= 2 * (len(leavers) / 20 + 1)
    assert len(exchange) <= len(leavers) / 10 + 1
    assert not any(entry.writes for entry in tenant.journal)


def test_the_sources_of_an_audit(tenant: Tenant, play: Player) -> None:
    upn = {user.key: user.upn for user in tenant.directory.everyone()}
    tenant.directory.user("left")["accountEnabled"] = True
    loud = {"offboard_employee_fail_on": ["failed"], "offboard_employee_steps": ["signin"]}

    blocked = play(AUDIT, app="auditor", leavers_blocked=True, **loud)
    gone = play(AUDIT, app="auditor-groups", left_before=tenant.directory.now().isoformat(), **loud)
    named = play(
        AUDIT,
        app="auditor",
        leavers_filter="startswith(userPrincipalName,'jane.')",
        leavers=upn["john"],
        warnings=[_UNREAD_DATES],
        **loud,
    )
    nobody = play(AUDIT, app="auditor", leavers_filter="startswith(userPrincipalName,'nobody')", **loud)
    wrong = play(AUDIT, app="auditor", leavers_filter="this is no filter", **loud)
    forbidden = play(AUDIT, app="auditor", leavers_group="Leavers", **loud)

    assert {one["user"] for one in blocked.leavers()} == {
        user.upn for user in tenant.directory.everyone() if user["accountEnabled"] is False
    }
    now = tenant.directory.now().isoformat()
    assert {one["user"] for one in gone.leavers()} == {
        user.upn for user in tenant.directory.everyone() if (user.get("employeeLeaveDateTime") or "9") <= now
    }
    assert upn["left"] in {one["user"] for one in gone.leavers()}
    assert [one["user"] for one in named.leavers()] == [upn["john"], upn["jane"]]
    assert (nobody.returncode, nobody.leavers()) == (0, [])
    assert (wrong.returncode, forbidden.returncode) == (2, 2)
    assert "by filter" in wrong.failure()
    assert "GroupMember.Read.All" in forbidden.failure()


def _nightly(tenant: Tenant, *, dates: bool) -> dict[str, object]:
    """The call of every night, by an application that may offboard, and read groups."""
    graph = {"User.Read.All", "User-PasswordProfile.ReadWrite.All", "User.RevokeSessions.All", "GroupMember.Read.All"}
    graph |= {"User.EnableDisableAccount.All", *(["User-LifeCycleInfo.Read.All"] if dates else [])}
    tenant.add_app("nightly", graph=graph, exchange=True, roles={"User Administrator", "Exchange Administrator"})
    for key in ("jane", "leaving"):
        tenant.directory.user(key).groups.add(tenant.directory.group("leavers-mail").id)
    return {"app": "nightly", "leavers_group": "leavers@contoso.com"}


def test_a_group_is_offboarded_as_its_members_become_due(tenant: Tenant, play: Player) -> None:
    """The same call every night: future leavers are reported with the date, contained ones are left alone."""
    call = _nightly(tenant, dates=True)
    jane, leaving = tenant.directory.user("jane"), tenant.directory.user("leaving")

    first = play(OFFBOARD, **call)
    tenant.journal.clear()
    second = play(OFFBOARD, **call)

    statuses = {one["user"]: one["status"] for one in first.leavers()}
    assert (statuses[jane.upn], statuses[leaving.upn]) == ("contained", "not_due")
    assert leaving["accountEnabled"] is True
    assert any(leaving["employeeLeaveDateTime"][:10] in line for line in first.table())
    assert second.recap()["changed"] == 0
    assert not tenant.journal.writes()


def test_nobody_of_a_group_is_locked_out_whose_date_may_not_be_read(tenant: Tenant, play: Player) -> None:
    call = _nightly(tenant, dates=False)

    refused = play(OFFBOARD, **call, warnings=[_UNREAD_DATES])

    assert {one["status"] for one in refused.leavers()} == {"refused"}
    assert "User-LifeCycleInfo.Read.All" in refused.failure()
    assert not tenant.journal.writes()

    # An explicit left_at is the operator's own decision.
    done = play(OFFBOARD, **call, left_at="2026-01-01T00:00:00Z")

    assert done.returncode == 0, done.output
    assert tenant.directory.user("leaving")["accountEnabled"] is False


def test_residual_access_is_found_or_not_looked_at(tenant: Tenant, play: Player) -> None:
    user = tenant.directory.user("residual")

    seen = play(AUDIT, app="auditor-residual", leavers=user.upn, offboard_employee_residual="all")
    blind = play(AUDIT, app="auditor", leavers=user.upn, offboard_employee_residual="all")
    clean = play(
        AUDIT, app="auditor-residual", leavers=tenant.directory.user("offboarded").upn, offboard_employee_residual="all"
    )

    assert (seen.returncode, blind.returncode, clean.returncode) == (0, 0, 0)
    assert {topic: reported["state"] for topic, reported in seen.leaver()["residual"].items()} == dict.fromkeys(
        (
            "forwarding",
            "directory_roles",
            "applications",
            "consents",
            "devices",
            "delegates",
            "phones",
            "sign_in_methods",
            "memberships",
        ),
        "found",
    )
    states = {topic: reported["state"] for topic, reported in blind.leaver()["residual"].items()}
    assert {topic for topic, state in states.items() if state == "not_looked_at"} >= {
        "applications",
        "consents",
        "sign_in_methods",
    }
    assert "none" not in states.values()
    # Both are members of the group of leavers.
    left = {topic for topic, reported in clean.leaver()["residual"].items() if reported["state"] != "none"}
    assert left == {"memberships"}
    assert seen.leaver()["contained"]
    assert all(step in seen.leaver()["steps"] for step in STEPS)
