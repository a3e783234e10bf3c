# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Microsoft's 403 has one text for a missing permission and for a privileged target: ours says which, and what is needed."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import Tenant
from simulator.apps import ROLES
from simulator.roles import GLOBAL, HELPDESK

from .support import OFFBOARD, Player, a_play, a_task, open_doors, snapshot, touched

GRAPH_DOORS = ["password", "sessions", "signin"]
PASSWORD = "User-PasswordProfile.ReadWrite.All"
SESSIONS = "User.RevokeSessions.All"
SIGNIN = "User.EnableDisableAccount.All"
EXCHANGE_ROLE = "writing Exchange Administrator or Mail Recipients"

# App: its leaver, the statuses of the four steps, and what the errors of those that failed must say.
LACKING: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "without-password": ("jane", {"password": "failed"}, {"password": f"lacks the permission {PASSWORD}"}),
    "without-sessions": ("john", {"sessions": "failed"}, {"sessions": f"lacks the permission {SESSIONS}"}),
    "without-signin": ("maria", {"signin": "failed"}, {"signin": f"lacks the permission {SIGNIN}"}),
    "without-user-role": ("ahmed", {"password": "failed"}, {"password": "User Administrator for ordinary users"}),
    "without-exchange-role": ("wei", {"protocols": "failed"}, {"protocols": "Global Reader or View-Only Recipients"}),
    "without-exchange-grant": ("olga", {"protocols": "failed"}, {"protocols": "Exchange.ManageAsApp"}),
    "auditor": (
        "pierre",
        dict.fromkeys([*GRAPH_DOORS, "protocols"], "failed"),
        {
            "password": f"lacks the permission {PASSWORD}",
            "sessions": f"lacks the permission {SESSIONS}",
            "signin": f"lacks the permission {SIGNIN}",
            "protocols": EXCHANGE_ROLE,
        },
    ),
    "no-permissions": ("member", {}, {}),
}


def as_host(tenant: Tenant, app: str, **variables: Any) -> dict[str, Any]:
    """Variables of a host that brings its own credential, as an inventory of tenants has them."""
    registered = tenant.app(app)
    return {
        "m365_tenant_id": tenant.tenant_id,
        "m365_client_id": registered.client_id,
        "m365_client_secret": registered.client_secret,
        **variables,
    }


def _name(app: str) -> str:
    return app.replace("-", "_")


def test_missing_permissions_are_named(tenant: Tenant, play: Player) -> None:
    users = {app: tenant.directory.user(key) for app, (key, _ignored, _ignored) in LACKING.items()}
    hosts = {_name(app): as_host(tenant, app, leavers=user.upn) for app, user in users.items()}
    before = snapshot(tenant)

    played = play(OFFBOARD, hosts=hosts, app=None)

    assert played.returncode == 2
    assert touched(before, tenant) == {
        key for app, (key, _ignored, _ignored) in LACKING.items() if app not in ("auditor", "no-permissions")
    }
    for app, (_ignored, statuses, says) in LACKING.items():
        if app == "no-permissions":
            continue
        host = _name(app)
        leaver = played.leaver(host)
        steps = leaver["steps"]
        assert {step: entry["status"] for step, entry in steps.items()} == {
            **dict.fromkeys([*GRAPH_DOORS, "protocols"], "verified"),
            **statuses,
        }, app
        for step, text in says.items():
            reported = f"{steps[step]['error']['message']} {steps[step]['error']['hint']}"
            assert text in reported, (app, step)
            assert text in played.failure(host), (app, step)
        assert (leaver["status"], leaver["contained"]) == ("failed", False)
        # What could be shut is shut, and what could not is reported: as open, or as unconfirmed where it could not be read.
        assert [*leaver["open"], *leaver["unconfirmed"]] == open_doors(users[app]), app
        assert bool(leaver["unconfirmed"]) == (app in ("without-exchange-role", "without-exchange-grant")), app
    assert "Reading users needs the permission User.Read.All" in played.failure("no_permissions")
    assert played.recap("no_permissions")["changed"] == 0


def test_administrators_are_blocked_only_by_applications_that_may_do_so(tenant: Tenant, play: Player) -> None:
    # The permission to name roles, and a role that may not act on administrators.
    tenant.app("offboarding").graph |= {ROLES}
    apps = {
        "ordinary": ("offboarding", ["admin"]),
        "nameless": ("certificate", ["admin3"]),
        "privileged": ("offboarding-privileged", ["admin2", "helpdesk", "nested", "reader"]),
    }
    users = {host: [tenant.directory.user(key) for key in keys] for host, (_ignored, keys) in apps.items()}
    hosts = {
        host: as_host(tenant, app, leavers=[user.upn for user in users[host]]) for host, (app, _ignored) in apps.items()
    }

    played = play(OFFBOARD, hosts=hosts, app=None, offboard_employee_allow_admins=True)

    assert played.recap("privileged")["failed"] == 0, played.output
    for leaver, user in zip(played.leavers("privileged"), users["privileged"], strict=True):
        assert leaver["contained"], user.key
        assert open_doors(user) == []

    (admin,), refused = users["ordinary"], played.leaver("ordinary")
    assert refused["open"] == open_doors(admin) == GRAPH_DOORS
    assert refused["steps"]["protocols"]["status"] == "verified"
    for step in GRAPH_DOORS:
        assert refused["steps"][step]["status"] == "failed"
        hint = refused["steps"][step]["error"]["hint"]
        assert f"holds a directory role ({GLOBAL})" in hint
        assert "Privileged Authentication Administrator" in hint
        assert "lacks the permission" not in hint
    assert "holds a directory role" in played.failure("ordinary")

    # An application that cannot see whether another Global Administrator remains locks out none.
    assert played.leaver("nameless")["status"] == "refused"
    assert f"Grant the application the permission {ROLES}" in played.failure("nameless")
    assert tenant.journal.where(lambda entry: entry.writes and entry.user == users["nameless"][0].id) == []


def test_the_last_global_administrators_are_spared(tenant: Tenant, play: Player) -> None:
    keys = ["admin", "admin2", "admin3", "breakglass"]
    users = [tenant.directory.user(key).upn for key in keys]
    before = snapshot(tenant)
    allowed = {"allow_admins": True}

    played = play(
        [
            a_play(
                a_task("Check", "m365_user_signin", users=users, state="blocked", check=True, **allowed),
                a_task(
                    "Block",
                    "m365_user_signin",
                    users=[*users, tenant.directory.user("jane").upn],
                    state="blocked",
                    **allowed,
                ),
                a_task("Reset", "m365_user_password", users=users, **allowed),
            )
        ],
        app="offboarding-privileged",
    )

    for task in ("Check", "Block", "Reset"):
        records = played.result(task)["users"]
        assert [record["status"] for record in records[:4]] == ["refused"] * 4
        assert {record["error"]["code"] for record in records[:4]} == {"last_global_administrator"}
    assert [record["status"] for record in played.result("Block")["users"][4:]] == ["verified"]
    assert touched(before, tenant) == {"jane"}


def test_no_module_writes_an_administrator_unless_it_is_allowed(tenant: Tenant, play: Player) -> None:
    keys = ["helpdesk", "nested", "jane"]
    users = [tenant.directory.user(key).upn for key in keys]
    tasks: dict[str, dict[str, Any]] = {
        "m365_user_password": {},
        "m365_user_sessions": {},
        "m365_user_signin": {"state": "blocked"},
        "exo_mailbox_protocols": {"state": "disabled"},
    }
    before = snapshot(tenant)

    played = play(
        [
            a_play(
                *(a_task(f"Check {name}", name, users=users, check=True, **own) for name, own in tasks.items()),
                *(a_task(name, name, users=users, **own) for name, own in tasks.items()),
                a_task(
                    "Handed on",
                    "m365_user_signin",
                    users=[{"user": users[2], "directory_roles": ["x"]}],
                    state="allowed",
                ),
                a_task("Allowed", "m365_user_signin", users=users[:1], state="blocked", allow_admins=True),
            )
        ],
        app="offboarding-privileged",
    )

    for name in tasks:
        for task, done in ((f"Check {name}", "planned"), (name, "verified")):
            records = played.result(task)["users"]
            assert [record["status"] for record in records] == ["refused", "refused", done], task
            assert {record["error"]["code"] for record in records[:2]} == {"administrator"}
            assert HELPDESK in played.result(task)["msg"]
            assert "set allow_admins" in played.result(task)["msg"]
    assert played.result("Handed on")["users"][0]["status"] == "refused"
    assert played.result("Allowed")["users"][0]["status"] == "verified"
    assert touched(before, tenant) == {"jane", "helpdesk"}


@pytest.mark.parametrize(
    ("app", "names"),
    [("offboarding-privileged", True), ("auditor", False)],
    ids=["with the permission for names", "without"],
)
def test_directory_roles_are_reported_by_name_or_by_id(tenant: Tenant, play: Player, app: str, names: bool) -> None:
    held = {"admin": [GLOBAL], "helpdesk": [HELPDESK], "nested": [HELPDESK], "member": []}
    users = [tenant.directory.user(key).upn for key in held]

    played = play([a_play(a_task("Look", "m365_user_info", users=users, directory_roles=True))], app=app)

    reported = {
        record["user"].partition("@")[0]: record["directory_roles"] for record in played.result("Look")["users"]
    }
    expected = {
        tenant.directory.user(key).upn.partition("@")[0]: [
            role if names else tenant.directory.role_id(role) for role in roles
        ]
        for key, roles in held.items()
    }
    assert reported == expected
