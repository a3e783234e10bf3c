# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Audit, close, audit, restore: what outlives a block, from the command line."""

from __future__ import annotations

import itertools
import textwrap
from pathlib import Path

import yaml

from simulator import Tenant
from simulator.directory import User
from simulator.residual import recipient

from .support import AUDIT, OFFBOARD, RESTORE, Player, evidence

ALSO = ["forwarding", "devices", "consents", "authentication_methods", "memberships"]
TOPICS = ["forwarding", "consents", "devices", "phones", "sign_in_methods", "memberships"]


def furnished(tenant: Tenant) -> User:
    directory = tenant.directory
    directory.add_group("finance", "Finance")
    jane = directory.user("jane")
    jane.groups.add(directory.group("finance").id)
    jane.residual.change(
        {
            "devices": [{"displayName": "Laptop"}],
            "grants": [{"client": "survey-tool", "scope": " User.Read"}],
            "app_roles": [{"resource": "mail-sync"}],
            "methods": [{"kind": "phone", "default": True}, {"kind": "fido2"}],
            "phones": [{"FriendlyName": "Jane's phone"}],
            "forwarding": {"ForwardingSmtpAddress": "smtp:collector@example.net"},
            "rules": [{"displayName": "Out", "actions": {"forwardTo": [recipient("collector@example.net")]}}],
        }
    )
    return jane


def test_audit_close_audit_restore(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    jane = furnished(tenant)
    everything = {"leavers": jane.upn, "offboard_employee_residual": TOPICS}
    found = play(AUDIT, app="auditor-residual", **everything)
    assert {topic: one["state"] for topic, one in found.leaver()["residual"].items()} == dict.fromkeys(TOPICS, "found")

    closing = {"leavers": jane.upn, "offboard_employee_also": ALSO}
    checked = play(OFFBOARD, "--check", app="closer", **closing)
    assert tenant.journal.writes() == []
    assert {one["status"] for one in checked.leaver()["also"].values()} == {"planned"}
    assert "would be closed" in checked.stdout

    report = tmp_path / "evidence.json"
    done = play(OFFBOARD, app="closer", offboard_employee_report_path=str(report), **closing)
    assert done.returncode == 0, done.output
    assert {topic: one["status"] for topic, one in done.leaver()["also"].items()} == dict.fromkeys(ALSO, "verified")
    assert "1 of 1 leaver is contained" in done.stdout
    assert "still residual: nothing in the topics that were read" in done.stdout
    assert evidence(report)["hosts"]["localhost"]["leavers"][0]["also"] == done.leaver()["also"]

    closed = play(AUDIT, app="auditor-residual", offboard_employee_fail_on_residual=True, **everything)
    assert closed.returncode == 0, closed.output
    assert {one["state"] for one in closed.leaver()["residual"].values()} == {"none"}

    sent = len(tenant.journal.writes())
    again = play(OFFBOARD, app="closer", **closing)
    assert (again.returncode, again.recap()["changed"], len(tenant.journal.writes())) == (0, 0, sent)

    restored = play(RESTORE, app="closer", leavers=jane.upn, evidence=str(report))
    assert restored.returncode == 0, restored.output
    assert jane["accountEnabled"] is True
    assert [one["scope"] for one in jane.residual.grants] == [" User.Read"]
    assert len(jane.residual.app_roles) == 1
    assert jane.residual.devices[0]["accountEnabled"] is True
    assert tenant.directory.group("finance").id in jane.groups
    assert jane.residual.forwarding["ForwardingSmtpAddress"] == "smtp:collector@example.net"
    assert jane.residual.rules[0].get("isEnabled", True) is True
    assert jane.residual.methods == []
    assert "Sign-in methods that were deleted: 2." in " ".join(restored.stdout.split())


def test_what_is_not_closed_fails_the_run_only_where_that_is_asked_for(tenant: Tenant, play: Player) -> None:
    jane = furnished(tenant)

    reported = play(OFFBOARD, leavers=jane.upn, offboard_employee_also=["consents"])
    strict = play(
        OFFBOARD, leavers=jane.upn, offboard_employee_also=["consents"], offboard_employee_fail_on_residual=True
    )

    assert (reported.returncode, strict.returncode) == (0, 2)
    assert reported.leaver()["contained"]
    assert reported.leaver()["also"]["consents"]["status"] == "failed"
    assert "not closed: consents: " in " ".join(reported.stdout.split())
    assert "still residual: applications (not read), consents (not read)" in strict.failure()
    assert "not closed: consents: " in strict.failure()


def test_the_guides_play_wipes_phones_and_stops_internal_forwarding_and_the_role_alone_does_neither(
    tenant: Tenant, play: Player
) -> None:
    jane = furnished(tenant)
    inside = f"smtp:{tenant.directory.user('john').upn}"
    jane.residual.change({"forwarding": {"ForwardingSmtpAddress": inside}, "rules": []})
    guide = (Path(__file__).parents[2] / "docs/docsite/rst/offboarding.rst").read_text(encoding="utf-8")
    text = guide.partition(":caption: offboard_and_wipe.yml\n")[2].lstrip("\n")
    lines = itertools.takewhile(lambda line: not line or line.startswith("   "), text.splitlines())
    (written,) = yaml.safe_load(textwrap.dedent("\n".join(lines)))

    alone = play(
        OFFBOARD, "--check", app="closer", leavers=jane.upn, offboard_employee_also=["forwarding", "devices"]
    ).leaver()
    assert alone["also"]["forwarding"]["status"] == "unchanged"
    assert {one["kind"] for one in alone["also"]["devices"]["objects"]} == {"device", "phone"}

    played = play([written], app="closer", leavers=jane.upn)

    assert played.returncode == 0, played.output
    assert jane.residual.forwarding["ForwardingSmtpAddress"] is None
    wiped = [entry for entry in tenant.journal.writes() if entry.cmdlet == "Clear-MobileDevice"]
    assert len(wiped) == 1
    assert {one["kind"] for one in played.leaver()["also"]["devices"]["objects"]} == {"device", "phone", "phone_wipe"}
