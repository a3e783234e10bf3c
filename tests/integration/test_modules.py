# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every module by itself: check, read, do, read, again. The reads in between are the tenant's own word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from fakes.people import DOCUMENTED
from simulator import Tenant

from .support import SWITCHES, Played, Player, a_play, a_task, ago, moment, open_doors, snapshot, touched, writes

pytestmark = pytest.mark.both_ways
READ = {
    "ansible.builtin.debug": {
        "msg": "{{ lookup('ansible.builtin.url', control ~ '/_tenant/users/' ~ item, ca_path=ca_path, split_lines=false) "
        "| ansible.builtin.from_json }}"
    }
}


def read(name: str, keys: Sequence[str]) -> dict[str, Any]:
    """A task that asks the tenant how these people are."""
    return {"name": name, **READ, "loop": list(keys)}


def reported(played: Played, task: str) -> dict[str, dict[str, Any]]:
    return {result["item"]: result["msg"] for result in played.result(task)["results"]}


def rhythm(play: Player, module: str, keys: Sequence[str], **options: Any) -> Played:
    """Check, read, do, read, again."""
    tenant = play.tenant
    options.setdefault("users", [tenant.directory.user(key).upn for key in keys])
    return play(
        [
            a_play(
                a_task("Check", module, check=True, **options),
                read("Read", keys),
                a_task("Do", module, **options) | {"diff": True},
                read("Read again", keys),
                a_task("Again", module, **options),
            )
        ],
        control=tenant.authority_url,
        ca_path=str(tenant.ca_path),
    )


def statuses(played: Played, task: str) -> list[str]:
    return [record["status"] for record in played.result(task)["users"]]


def judge(
    played: Played, before: Mapping[str, Any], keys: Sequence[str], task_statuses: Mapping[str, list[str]]
) -> None:
    """Statuses, `changed`, and that check mode changed nothing while the deed did."""
    for task, expected in task_statuses.items():
        assert statuses(played, task) == expected, task
        assert played.result(task)["changed"] is bool({"planned", "verified"} & set(expected)), task
    unread, again = reported(played, "Read"), reported(played, "Read again")
    for key, planned, done in zip(keys, task_statuses["Check"], task_statuses["Do"], strict=True):
        assert {name: unread[key][name] for name in before[key]} == before[key], key
        assert (planned == "planned") is (done == "verified"), key
        assert (again[key] != unread[key]) is (done == "verified"), key


def test_password(tenant: Tenant, play: Player) -> None:
    """Of somebody who may still sign in, who was blocked by hand, who is out already, a guest, and one not due."""
    keys = ["jane", "blocked", "offboarded", "guest", "john"]
    users = [tenant.directory.user(key).upn for key in keys[:4]]
    users.append({"user": tenant.directory.user("john").upn, "left_at": ago(hours=-2)})
    before = snapshot(tenant)

    played = rhythm(play, "m365_user_password", keys, users=users)

    still = ["unchanged", "not_applicable", "not_due"]
    judge(
        played,
        before,
        keys,
        # Without a sign-out behind it a reset proves nothing, so it is done again.
        {"Check": ["planned"] * 2 + still, "Do": ["verified"] * 2 + still, "Again": ["verified"] * 2 + still},
    )
    assert touched(before, tenant) == {"jane", "blocked"}
    assert len(set(tenant.directory.user("jane").passwords)) == 2
    done = played.result("Do")["users"][0]
    again = reported(played, "Read again")["jane"]["properties"]
    assert done["before"] == {
        "last_password_change_date_time": before["jane"]["properties"]["lastPasswordChangeDateTime"]
    }
    assert done["after"] == {"last_password_change_date_time": again["lastPasswordChangeDateTime"]}
    assert played.result("Do")["diff"]["after"] == {
        record["user_principal_name"]: record["after"] for record in played.result("Do")["users"][:2]
    }
    assert "diff" not in played.result("Again")
    assert played.result("Check")["users"][4]["note"].startswith("Leaves at ")


def test_password_given_and_forced(tenant: Tenant, play: Player) -> None:
    offboarded, jane = tenant.directory.user("offboarded"), tenant.directory.user("jane")
    own = "Kolibri-7&Kaktus"
    before = snapshot(tenant)
    tasks = [
        a_task("Two", "m365_user_password", users=[offboarded.upn, jane.upn], password=own),
        a_task("Short", "m365_user_password", users=offboarded.upn, password="Kurz-1"),
        a_task("Name", "m365_user_password", users=offboarded.upn, password="Otto.Offboarded-1"),
        a_task("Plain", "m365_user_password", users=offboarded.upn, password="nur kleine buchstaben"),
        a_task("Check", "m365_user_password", users=offboarded.upn, password=own, check=True),
        a_task("Set", "m365_user_password", users=offboarded.upn, password=own),
        a_task("Force", "m365_user_password", users=offboarded.upn, force=True),
    ]

    played = play([a_play(*tasks)])

    for task, text in {
        "Two": "password is for one user only",
        "Short": "it must have 8 to 256 characters",
        "Name": "it must not contain the user's name",
        "Plain": "three of lower case, upper case, digits and symbols",
    }.items():
        assert text in played.result(task)["msg"]
        assert played.result(task)["users"] == []
        assert played.failed(task)
    assert statuses(played, "Check") == ["planned"]
    assert statuses(played, "Set") == statuses(played, "Force") == ["verified"]
    assert writes(tenant) == [("offboarded", "password")] * 2
    given, forced = tenant.graph.writes.received[-2:]
    assert given == own
    assert forced != own
    assert touched(before, tenant) == {"offboarded"}


def test_sessions(tenant: Tenant, play: Player) -> None:
    keys = ["blocked", "offboarded", "jane", "guest"]
    before = snapshot(tenant)

    played = rhythm(play, "m365_user_sessions", keys)

    judge(
        played,
        before,
        keys,
        {
            "Check": ["planned", "unchanged", "planned", "not_applicable"],
            "Do": ["verified", "unchanged", "verified", "not_applicable"],
            # Too long after the password, and sign-in still allowed: neither proves anything.
            "Again": ["verified", "unchanged", "verified", "not_applicable"],
        },
    )
    assert touched(before, tenant) == {"jane", "blocked"}
    assert not tenant.directory.user("jane").sessions_alive
    record = played.result("Do")["users"][2]
    assert "Outlook on the web may stay usable" in record["note"]
    shown = reported(played, "Read again")["jane"]["properties"]["signInSessionsValidFromDateTime"]
    assert record["after"] == {"sign_in_sessions_valid_from_date_time": shown}
    assert (moment(record["effective_by"]) - moment(shown)).total_seconds() == 3600


def test_sessions_known_to_be_over(tenant: Tenant, play: Player) -> None:
    """With left_at, a sign-out after it is enough; force does it all the same."""
    offboarded = tenant.directory.user("offboarded")
    before = snapshot(tenant)
    tasks = [
        a_task("Over", "m365_user_sessions", users=offboarded.upn, left_at=ago(days=8)),
        a_task("Check", "m365_user_sessions", users=offboarded.upn, force=True, check=True),
        a_task("Force", "m365_user_sessions", users=offboarded.upn, force=True),
        a_task("Later", "m365_user_sessions", users=offboarded.upn, left_at=ago(seconds=-3600)),
    ]

    played = play([a_play(*tasks)])

    found = {task["name"]: statuses(played, task["name"]) for task in tasks}
    assert found == {"Over": ["unchanged"], "Check": ["planned"], "Force": ["verified"], "Later": ["not_due"]}
    assert writes(tenant) == [("offboarded", "sessions")]
    assert touched(before, tenant) == {"offboarded"}


def test_signin(tenant: Tenant, play: Player) -> None:
    keys = ["jane", "apostrophe", "blocked"]
    before = snapshot(tenant)

    played = rhythm(play, "m365_user_signin", keys, state="blocked")

    judge(
        played,
        before,
        keys,
        {
            "Check": ["planned", "planned", "unchanged"],
            "Do": ["verified", "verified", "unchanged"],
            "Again": ["unchanged"] * 3,
        },
    )
    assert writes(tenant) == [("jane", "signin"), ("apostrophe", "signin")]

    tenant.journal.clear()
    before = snapshot(tenant)
    # A future left_at does not stop an account from being allowed again.
    users = [{"user": tenant.directory.user(key).upn, "left_at": ago(days=-1)} for key in keys]

    played = rhythm(play, "m365_user_signin", keys, users=users, state="allowed")

    judge(played, before, keys, {"Check": ["planned"] * 3, "Do": ["verified"] * 3, "Again": ["unchanged"] * 3})
    assert sorted(writes(tenant)) == sorted((key, "signin") for key in keys)
    assert {tenant.directory.user(key)["accountEnabled"] for key in keys} == {True}
    assert {record["effective_by"] for record in played.result("Do")["users"]} == {None}


def test_protocols(tenant: Tenant, play: Player) -> None:
    """The document's six by default."""
    keys = ["jane", "nulls", "offboarded", "nomail", "onpremises"]
    before = snapshot(tenant)

    played = rhythm(play, "exo_mailbox_protocols", keys, state="disabled")

    still = ["unchanged", "not_applicable", "not_applicable"]
    judge(
        played,
        before,
        keys,
        {"Check": ["planned"] * 2 + still, "Do": ["verified"] * 2 + still, "Again": ["unchanged"] * 2 + still},
    )
    assert touched(before, tenant) == {"jane", "nulls"}
    assert len(tenant.journal.writes()) == 2
    for key in ("jane", "nulls"):
        settings = {**before[key]["mailbox"], **{SWITCHES[name]: False for name in DOCUMENTED}}
        assert tenant.directory.user(key).mailbox.settings == settings, key
    notes = [record["note"] for record in played.result("Do")["users"]]
    assert notes[:4] == [None, None, None, "No Exchange Online mailbox."]
    assert "may be on-premises" in notes[4]


def test_protocols_by_name(tenant: Tenant, play: Player) -> None:
    """All, some, those that this mailbox does not have, and on again."""
    jane, old, smtp = (tenant.directory.user(key) for key in ("jane", "oldcloud", "smtp"))
    tasks = {
        "Check": {"users": [jane.upn, old.upn], "state": "disabled", "protocols": ["all"], "check": True},
        "All": {"users": [jane.upn, old.upn], "state": "disabled", "protocols": ["all"]},
        "All again": {"users": [jane.upn, old.upn], "state": "disabled", "protocols": "all"},
        "Absent": {"users": old.upn, "state": "disabled", "protocols": ["new_outlook"]},
        "Partly absent": {"users": old.upn, "state": "enabled", "protocols": ["new_outlook", "owa"]},
        "On": {"users": jane.upn, "state": "enabled", "protocols": ["all"]},
        "Still on": {"users": jane.upn, "state": "enabled", "protocols": ["all"]},
        "Clients": {"users": smtp.upn, "state": "disabled", "protocols": ["smtp_auth", "mac_outlook"]},
        "Clients on": {"users": smtp.upn, "state": "enabled", "protocols": ["smtp_auth"]},
        "Unknown": {"users": jane.upn, "state": "disabled", "protocols": ["fax"]},
    }

    played = play([a_play(*(a_task(name, "exo_mailbox_protocols", **options) for name, options in tasks.items()))])

    assert {name: statuses(played, name) for name in tasks} == {
        "Check": ["planned", "planned"],
        "All": ["verified", "verified"],
        "All again": ["unchanged", "unchanged"],
        "Absent": ["not_applicable"],
        "Partly absent": ["verified"],
        "On": ["verified"],
        "Still on": ["unchanged"],
        "Clients": ["verified"],
        "Clients on": ["verified"],
        "Unknown": [],
    }
    assert "new_outlook" in played.result("Absent")["users"][0]["note"]
    assert "new_outlook" in played.result("Partly absent")["users"][0]["note"]
    assert "unknown protocols: fax" in played.result("Unknown")["msg"]
    sent = [entry.body["CmdletInput"]["Parameters"] for entry in tenant.journal.writes()]
    assert all(parameters.pop("Identity") for parameters in sent)
    off = {switch: name == "smtp_auth" for name, switch in SWITCHES.items()}
    assert sent[0] == off
    assert sent[1] == {name: value for name, value in off.items() if name in old.mailbox.settings}
    assert sent[2:] == [
        {"OWAEnabled": True},
        # What the organization says of SMTP AUTH is not for us to overrule.
        {name: True for name in off if name != "SmtpClientAuthenticationDisabled"},
        {"SmtpClientAuthenticationDisabled": True, "MacOutlookEnabled": False},
        {"SmtpClientAuthenticationDisabled": False},
    ]


def test_info(tenant: Tenant, play: Player) -> None:
    keys = ["jane", "offboarded", "shared", "nomail", "guest"]
    upns = [tenant.directory.user(key).upn for key in keys]
    before = snapshot(tenant)
    tasks = [
        a_task("Look", "m365_user_info", users=upns, directory_roles=True),
        a_task("Check", "m365_user_info", users=upns, directory_roles=True, check=True),
        a_task("Sign-in only", "m365_user_info", users=upns, steps=["signin"]),
        a_task("Unknown", "m365_user_info", users=[*upns, "nobody@contoso.com"]),
    ]

    played = play([a_play(*tasks)], app="auditor")

    assert tenant.journal.writes() == []
    assert touched(before, tenant) == set()
    for record, key in zip(played.result("Look")["users"], keys, strict=True):
        user = tenant.directory.user(key)
        assert record["open"] == open_doors(user), key
        assert (record["status"], record["due"], record["protected"]) == ("unchanged", True, False)
        assert record["directory_roles"] == []
        assert record["account_enabled"] is user["accountEnabled"]
        assert record["last_password_change_date_time"] == user["lastPasswordChangeDateTime"]
        assert record["sign_in_sessions_valid_from_date_time"] == user["signInSessionsValidFromDateTime"]
        assert (record["mailbox_protocols"] is None) is (user.mailbox is None)
    assert played.result("Check")["users"] == played.result("Look")["users"]
    assert not played.result("Look")["changed"]
    doors = played.result("Look")["users"][3]["doors"]
    assert {doors[name] for name in SWITCHES} == {"not_applicable"}
    guest = played.result("Look")["users"][4]
    assert (guest["doors"]["password"], guest["doors"]["sessions"]) == ("not_applicable", "not_applicable")
    assert [list(record["doors"]) for record in played.result("Sign-in only")["users"]] == [["signin"]] * 5
    unknown = played.result("Unknown")
    assert [record["status"] for record in unknown["users"]] == ["unchanged"] * 5 + ["failed"]
    assert [played.failed(task["name"]) for task in tasks] == [False, False, False, True]
    assert "There is no user nobody@contoso.com" in unknown["msg"]
