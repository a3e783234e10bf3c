# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every kind of account that lives in the simulator, in one run each: verdict, steps, notes, and the tenant's state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator import Tenant

from .support import (
    OFFBOARD,
    STEPS,
    SWITCHES,
    Player,
    a_play,
    a_task,
    ago,
    moment,
    open_doors,
    snapshot,
    touched,
    writes,
)

ALL_DOORS = ["password", "sessions", "signin", *SWITCHES]
OLD_DOORS = [
    door for door in ALL_DOORS if door not in ("outlook_mobile", "universal_outlook", "mac_outlook", "new_outlook")
]
LATER = ago(days=-2)
DEPARTED = ago(hours=3)


@dataclass
class AccountKind:
    """What is expected of one kind of account.

    `steps` are the four statuses in order, one for all, or those that differ; `says` are texts of the leaver's error.
    """

    status: str
    steps: str | list[str]
    open: tuple[str, ...] | list[str] = ()
    says: tuple[str, ...] = ()
    notes: dict[str, str] | None = None
    written: bool = True


WHOLE = AccountKind("contained", "verified")
REFUSED_ADMIN = AccountKind(
    "refused", "refused", ALL_DOORS, ("directory role", "offboard_employee_allow_admins"), written=False
)
PROTECTED = AccountKind("refused", "refused", ALL_DOORS, ("protected",), written=False)
AD = "disable it in Active Directory too"
ELSEWHERE = "It may be on-premises"
HOME = "home tenant"

KINDS = {
    "jane": WHOLE,
    "nomail": AccountKind(
        "contained",
        ["verified", "verified", "verified", "not_applicable"],
        notes={"protocols": "No Exchange Online mailbox."},
    ),
    "guest": AccountKind(
        "contained",
        ["not_applicable", "not_applicable", "verified", "not_applicable"],
        notes={"password": HOME, "sessions": HOME, "protocols": ELSEWHERE},
    ),
    "apostrophe": WHOLE,
    "dollar": WHOLE,
    "html": WHOLE,
    "formula": WHOLE,
    "member": WHOLE,
    "sam1": WHOLE,
    "nulls": WHOLE,
    "oldcloud": WHOLE,
    "smtp": WHOLE,
    "left": WHOLE,
    "leaving": WHOLE,
    "maria": WHOLE,
    # The cloud refuses the password, and without left_at an old one leaves room for doubt about the sessions.
    "synced": AccountKind(
        "failed",
        ["failed", "verified", "verified", "verified"],
        ["password", "sessions"],
        ("mastered in Active Directory",),
        notes={"password": AD, "signin": AD},
    ),
    "onpremises": AccountKind(
        "failed",
        ["failed", "verified", "verified", "not_applicable"],
        ["password", "sessions"],
        ("mastered in Active Directory",),
        notes={"password": AD, "signin": AD, "protocols": ELSEWHERE},
    ),
    "restricted": AccountKind(
        "failed",
        ["failed", "failed", "failed", "verified"],
        ["password", "sessions", "signin"],
        ("restricted management administrative unit", "scoped to it"),
    ),
    "admin": REFUSED_ADMIN,
    "helpdesk": REFUSED_ADMIN,
    "nested": REFUSED_ADMIN,
    "reader": REFUSED_ADMIN,
    "breakglass": AccountKind(
        "refused",
        ["refused", "refused", "refused", "not_applicable"],
        ["password", "sessions", "signin"],
        ("protected",),
        written=False,
    ),
    "umlaut": PROTECTED,
    "wei": PROTECTED,
    "blocked": AccountKind("contained", ["verified", "verified", "unchanged", "verified"]),
    "shared": AccountKind("contained", ["verified", "verified", "unchanged", "verified"]),
    "offboarded": AccountKind("contained", "unchanged", written=False),
    "john": AccountKind("not_due", "not_due", ALL_DOORS, written=False),
}
# Names that mean nobody: what is said about them.
NOBODY = {
    "anna.meyer-schulz@contoso.com": ("not_a_principal_name", "an e-mail address of a.meyer@contoso.com"),
    "dora.deleted@contoso.com": ("deleted", "was deleted at"),
    "nobody@contoso.com": ("not_found", "There is no user nobody@contoso.com"),
}


def test_every_kind_of_account(tenant: Tenant, play: Player) -> None:
    users = {key: tenant.directory.user(key) for key in KINDS}
    asked: list[Any] = [user.upn for key, user in users.items() if key not in ("john", "maria")]
    asked.append({"user": users["john"].upn, "left_at": LATER})
    # Twice in the list, by two names and with the same date: one leaver.
    asked.append({"user": users["maria"].upn, "left_at": DEPARTED})
    asked.append({"user": users["maria"].id.upper(), "left_at": DEPARTED})
    before = snapshot(tenant)

    played = play(
        OFFBOARD,
        leavers=[*asked, *NOBODY],
        offboard_employee_max_users=len(KINDS),
        environment={
            "M365_PROTECTED_USERS": f"BREAK.Glass@contoso.com, joerg.mueller@contoso.onmicrosoft.com,{users['wei'].id.upper()}"
        },
    )

    leavers = {str(leaver["user_principal_name"] or leaver["user"]): leaver for leaver in played.leavers()}
    assert len(played.leavers()) == len(leavers) == len(KINDS) + len(NOBODY)
    assert {key: _seen(leavers[user.upn]) for key, user in users.items()} == {
        key: _expected(kind) for key, kind in KINDS.items()
    }
    for key, kind in KINDS.items():
        reported = _said(leavers[users[key].upn])
        assert [text for text in kind.says if text not in reported] == [], key
        for step, note in (kind.notes or {}).items():
            assert note in str(leavers[users[key].upn]["steps"][step]["note"]), (key, step)
    for name, (code, text) in NOBODY.items():
        leaver = leavers[name]
        status = "deleted" if code == "deleted" else "failed"
        assert (leaver["status"], leaver["id"], leaver["contained"]) == (status, None, False)
        assert leaver["error"]["code"] == code
        assert text in leaver["error"]["message"]

    # The tenant agrees, and nobody else was touched.
    assert touched(before, tenant) == {key for key, kind in KINDS.items() if kind.written}
    assert {key for key, _ignored in writes(tenant)} == {key for key, kind in KINDS.items() if kind.written}
    for key, user in users.items():
        left_at = moment(DEPARTED) if key == "maria" else None
        assert sorted(open_doors(user, left_at)) == sorted(KINDS[key].open), key

    # The run fails, and says of everybody why.
    assert played.returncode == 2
    lines = played.failure().splitlines()
    fatal = {users[key].upn for key, kind in KINDS.items() if kind.status in ("failed", "refused")}
    # A reason that several of them share comes last. Leavers with the same open doors share a line.
    people = [line.partition(": ")[0].partition(" [")[0] for line in lines if not line.startswith("[")]
    assert {name for names in people for name in names.split(", ")} == fatal | {
        name for name, (code, _text) in NOBODY.items() if code != "deleted"
    }

    assert leavers[users["maria"].upn]["left_at"] == _utc(DEPARTED)
    assert leavers[users["john"].upn]["left_at"] == _utc(LATER)
    assert any(line.startswith("john.roe@contoso.com  not due (leaves at ") for line in played.table())
    # Without the permission the date is not asked for, let alone believed.
    assert (leavers[users["left"].upn]["left_at"], leavers[users["leaving"].upn]["left_at"]) == (None, None)
    assert not any("employeeLeaveDateTime" in entry.query for entry in tenant.journal)
    assert leavers[users["html"].upn]["display_name"] == "<b>HTML</b>"
    _judge_switches(tenant, leavers)


def _expected(kind: AccountKind) -> tuple[str, list[str], list[str], bool]:
    steps = [kind.steps] * 4 if isinstance(kind.steps, str) else kind.steps
    return kind.status, steps, list(kind.open), kind.status == "contained"


def _seen(leaver: dict[str, Any]) -> tuple[str, list[str], list[str], bool]:
    assert list(leaver["steps"]) == STEPS
    assert leaver["unconfirmed"] == []
    return (
        leaver["status"],
        [entry["status"] for entry in leaver["steps"].values()],
        leaver["open"],
        leaver["contained"],
    )


def _said(leaver: dict[str, Any]) -> str:
    errors = [leaver["error"], *(entry["error"] for entry in leaver["steps"].values())]
    return " ".join(f"{error['message']} {error['hint']}" for error in errors if error)


def _utc(text: str) -> str:
    return moment(text).strftime("%Y-%m-%dT%H:%M:%SZ")


def _judge_switches(tenant: Tenant, leavers: dict[str, dict[str, Any]]) -> None:
    """Only switches that differ are sent, and none that the tenant does not know."""
    sent = {
        entry.user: entry.body["CmdletInput"]["Parameters"]
        for entry in tenant.journal.writes()
        if entry.cmdlet == "Set-CASMailbox"
    }
    old = tenant.directory.user("oldcloud")
    assert set(sent[old.id]) == {"Identity", *(SWITCHES[door] for door in OLD_DOORS if door in SWITCHES)}
    assert set(leavers[old.upn]["steps"]["protocols"]["after"]) == set(OLD_DOORS) & set(SWITCHES)
    for key in ("nulls", "smtp", "jane"):
        assert sent[tenant.directory.user(key).id] == {
            "Identity": tenant.directory.user(key).id,
            **{switch: switch == "SmtpClientAuthenticationDisabled" for switch in SWITCHES.values()},
        }


def test_leave_date_of_the_directory(tenant: Tenant, play: Player) -> None:
    """It is used where the token may read it and it has passed; a future one is ignored: people are dismissed early."""
    keys = ["left", "leaving", "offboarded", "jane"]
    users = {key: tenant.directory.user(key) for key in keys}

    played = play(
        [a_play(a_task("Look", "m365_user_info", users=[user.upn for user in users.values()]))],
        app="auditor-with-leave-dates",
    )

    records = dict(zip(keys, played.result("Look")["users"], strict=True))
    assert {key: record["left_at"] for key, record in records.items()} == {
        "left": users["left"]["employeeLeaveDateTime"],
        "leaving": None,
        "offboarded": users["offboarded"]["employeeLeaveDateTime"],
        "jane": None,
    }
    assert all(record["due"] for record in records.values())
    for key, record in records.items():
        left_at = record["left_at"] and moment(record["left_at"])
        assert record["open"] == open_doors(users[key], left_at), key
