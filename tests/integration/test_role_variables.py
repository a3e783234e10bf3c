# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the variables of the role do, and how invalid values are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator import Tenant

from .support import OFFBOARD, STEPS, SWITCHES, Player, a_play, ago, open_doors, snapshot, touched, writes

# Host: its variables beside those that every host has, and the sentence that has to come.
MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "unknown_step": ({"offboard_employee_steps": ["signin", "licence"]}, "licence"),
    "no_step": ({"offboard_employee_steps": []}, "offboard_employee_steps must name a step"),
    "unknown_protocol": ({"offboard_employee_protocols": ["owa", "fax"]}, "unknown protocols: fax"),
    "no_protocol": ({"offboard_employee_protocols": []}, "no protocol is named"),
    "no_batch": ({"offboard_employee_batch_size": 0}, "offboard_employee_batch_size must be 1 or more"),
    "below_no_users": ({"offboard_employee_max_users": -1}, "offboard_employee_max_users 0 or more"),
    "words_for_a_number": ({"offboard_employee_max_users": "many"}, "offboard_employee_max_users"),
    "report_suffix": ({"offboard_employee_report_path": "a.docx"}, "a.docx"),
    "one_report_of_two": ({"offboard_employee_report_path": ["a.json", "b"]}, "cannot be written: b"),
    "date": ({"left_at": "2026-03-01"}, "for example 2026-11-20T17:00:00+01:00"),
    "no_offset": ({"left_at": "2026-03-01T17:00:00"}, "must be a date and time with a UTC offset"),
    "no_time": ({"left_at": "yesterday"}, "'yesterday' must be a date and time with a UTC offset"),
    "own_left_at": ({"leavers": [{"user": "jane.doe@contoso.com", "left_at": "17:00"}]}, "users[0]: left_at '17:00'"),
    "nobody": ({"leavers": []}, "No leavers"),
    "nothing": ({"leavers": ""}, "No leavers"),
    "null": ({"leavers": ["jane.doe@contoso.com", None]}, "users[1]: empty"),
    "empty": ({"leavers": ["", "jane.doe@contoso.com"]}, "users[0]: empty"),
    "blank": ({"leavers": ["jane.doe@contoso.com", " \n"]}, "users[1]: empty"),
    "number": ({"leavers": [4711]}, "users[0]: int instead of a name"),
    "display_name": ({"leavers": ["Jane Doe"]}, "'Jane Doe' is neither a user principal name nor an object ID"),
    "two_mistakes": ({"leavers": ["", "jane.doe@contoso.com", 7]}, "users[2]: int instead of a name"),
    "unknown_key": ({"leavers": [{"user": "jane.doe@contoso.com", "leaves": "now"}]}, "unknown key leaves"),
    "no_user": ({"leavers": [{"left_at": "2026-03-01T17:00:00Z"}]}, "users[0]: empty"),
}


def test_mistakes_are_reported_before_anything_is_sent(tenant: Tenant, play: Player) -> None:
    hosts = {host: {"leavers": "jane.doe@contoso.com", **variables} for host, (variables, _ignored) in MISTAKES.items()}

    played = play(OFFBOARD, hosts=hosts)

    assert {host: text for host, (_ignored, text) in MISTAKES.items() if text not in played.failure(host)} == {}
    # What the role refuses says so itself, and what the first read refuses has a headline. An empty list has its own words.
    silent = {host for host in hosts if "Nothing was" not in played.failure(host)}
    assert all(played.table(host)[0].endswith("; nothing was sent") for host in silent)
    assert "Traceback" not in played.output
    assert list(tenant.journal) == []
    assert all(played.recap(host)["changed"] == 0 for host in hosts)


def test_parts_of_the_whole(tenant: Tenant, play: Player) -> None:
    """Some steps, some protocols, not too many users: each host has another selection."""
    user = tenant.directory.user
    hosts: dict[str, dict[str, Any]] = {
        "block": {"leavers": user("jane").upn, "offboard_employee_steps": ["protocols", "signin"]},
        "two_protocols": {"leavers": user("john").upn, "offboard_employee_protocols": ["imap", "owa"]},
        "too_many": {"leavers": [user(key).upn for key in ("ahmed", "wei", "olga")], "offboard_employee_max_users": 2},
        # A leaver who is contained already does not count.
        "just_enough": {
            "leavers": [user(key).upn for key in ("offboarded", "pierre")],
            "offboard_employee_max_users": 1,
        },
        "none_allowed": {"leavers": user("member").upn, "offboard_employee_max_users": 0},
    }
    before = snapshot(tenant)

    played = play(OFFBOARD, hosts=hosts)

    assert touched(before, tenant) == {"jane", "john", "pierre"}

    assert [step for key, step in writes(tenant) if key == "jane"] == ["signin", "protocols"]
    jane = played.leaver("block")
    assert (jane["status"], jane["contained"], jane["open"]) == ("partial", False, [])
    assert jane["not_looked_at"] == ["password", "sessions"]
    assert list(jane["steps"]) == ["signin", "protocols"]
    assert played.recap("block")["failed"] == 0

    assert {name for name, switch in SWITCHES.items() if user("john").mailbox[switch] is False} == {"imap", "owa"}
    john = played.leaver("two_protocols")
    assert john["open"] == []
    assert list(john["steps"]["protocols"]["after"]) == ["owa", "imap"]

    for key, leaver in zip(("ahmed", "wei", "olga"), played.leavers("too_many"), strict=True):
        assert leaver["status"] == "refused"
        assert leaver["open"] == open_doors(user(key))
        assert {entry["status"] for entry in leaver["steps"].values()} == {"refused"}
    assert "Leavers to be written: 3, more than the 2 that one run may write" in played.failure("too_many")
    assert "[1] 3 people: Leavers to be written: 3" in played.failure("too_many")
    assert played.recap("too_many")["changed"] == 0
    assert "0 of 3 leavers are contained; nothing was sent: 3 refused" in played.table("too_many")

    assert [leaver["contained"] for leaver in played.leavers("just_enough")] == [True, True]
    assert played.recap("just_enough")["failed"] == 0
    assert "more than the 0 that one run may write" in played.failure("none_allowed")


def test_nobody_is_contained_while_a_protocol_is_on(tenant: Tenant, play: Player) -> None:
    """Contained means that every door is known to be shut, and each protocol is one."""
    jane = tenant.directory.user("jane")

    played = play(OFFBOARD, leavers=jane.upn, offboard_employee_protocols=["owa"])

    assert open_doors(jane)
    assert not played.leaver()["contained"]
    assert played.table()[0] == "0 of 1 leaver is contained"


def test_check_mode_is_limited_too(tenant: Tenant, play: Player) -> None:
    crowd = tenant.directory.add_crowd(30)

    more = {"leavers": [user.upn for user in crowd], "offboard_employee_batch_size": 20}
    refused = play(OFFBOARD, "--check", **more)
    played = play(OFFBOARD, "--check", **more, offboard_employee_max_users=30)

    assert "Leavers to be written: 30, more than the 25 that one run may write" in refused.failure()
    assert {leaver["status"] for leaver in refused.leavers()} == {"refused"}
    assert tenant.journal.writes() == []
    assert played.recap()["changed"] == 2 * len(STEPS)
    for leaver in played.leavers():
        assert [entry["status"] for entry in leaver["steps"].values()] == ["planned"] * 4


def test_a_semicolon_separates_protected_users(tenant: Tenant, play: Player) -> None:
    users = {key: tenant.directory.user(key).upn for key in ("jane", "john")}

    played = play(
        OFFBOARD, leavers=list(users.values()), environment={"M365_PROTECTED_USERS": ";\n".join(users.values())}
    )

    assert [leaver["status"] for leaver in played.leavers()] == ["refused", "refused"]
    assert tenant.journal.writes() == []


@pytest.mark.parametrize(("listed", "flags"), [("{jane} {john}", ()), ("Jane <{jane}>", ("--check",))])
def test_protected_users_that_cannot_be_read_stop_the_run(
    tenant: Tenant, play: Player, listed: str, flags: tuple[str, ...]
) -> None:
    users = {key: tenant.directory.user(key).upn for key in ("jane", "john")}

    played = play(OFFBOARD, *flags, leavers=users["john"], environment={"M365_PROTECTED_USERS": listed.format(**users)})

    assert "The protected accounts cannot be read: M365_PROTECTED_USERS: " in played.failure()
    assert tenant.journal.where(lambda entry: True) == []


def test_protected_users_of_options_and_environment_are_added_together(tenant: Tenant, play: Player) -> None:
    keys = ["jane", "john", "maria", "alias"]
    users = [tenant.directory.user(key) for key in keys]
    protected = [users[0].upn.upper(), "anna.meyer@contoso.com", "ghost@contoso.com"]

    played = play(
        [
            a_play(
                {"name": "Offboard", "ansible.builtin.include_role": {"name": "m365.offboarding.offboard_employee"}},
                module_defaults={"group/m365.offboarding.m365": {"protected_users": protected}},
            )
        ],
        "--check",
        offboard_employee_leavers=[user.upn for user in users],
        offboard_employee_steps=["signin"],
        environment={"M365_PROTECTED_USERS": f"{users[1].id.upper()}, ,"},
        # Once by the opening read, once by the step.
        warnings=["protected_users: ghost@contoso.com matches no user of this tenant."],
    )

    assert {key: leaver["status"] for key, leaver in zip(keys, played.leavers(), strict=True)} == {
        "jane": "refused",
        "john": "refused",
        "maria": "open",
        "alias": "refused",
    }
    assert tenant.journal.writes() == []


def test_not_due_is_not_written_and_does_not_fail(tenant: Tenant, play: Player) -> None:
    jane = tenant.directory.user("jane")

    played = play(OFFBOARD, leavers=jane.upn, left_at=ago(hours=-1))

    assert played.returncode == 0, played.output
    leaver = played.leaver()
    assert (leaver["status"], leaver["contained"], leaver["open"]) == ("not_due", False, open_doors(jane))
    assert tenant.journal.writes() == []


def test_names_are_handed_on_only_when_asked_for(tenant: Tenant, play: Player) -> None:
    jane = tenant.directory.user("jane")
    who = {"leavers": [jane.upn, "nobody@contoso.com"]}
    hosts = {"quiet": who, "named": {**who, "offboard_employee_stats_names": True}}

    stats = play(OFFBOARD, "--check", hosts=hosts).reported()["_run"]["m365_offboarding"]

    assert stats["named"] == {**stats["quiet"], "names": {jane.id: jane.upn}}
    assert "@" not in str(stats["quiet"])


def test_the_results_are_a_variable_of_this_run_and_not_a_fact(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    """A fact would be stored in a cache, be there in the next run, be deprecated, and be hidden where facts are not injected."""
    jane, path, cache = tenant.directory.user("jane"), tmp_path / "jane.json", tmp_path / "cache"
    jane["displayName"] = "{{ 6 * 7 }}"
    shut, restored = "offboard_employee_result", "restore_employee_result"

    def shown(name: str, result: str) -> dict[str, Any]:
        return {"name": name, "ansible.builtin.debug": {"msg": f"{{{{ {result}[0] }}}}"}}

    def role(name: str) -> dict[str, Any]:
        return {"name": "Run it", "ansible.builtin.include_role": {"name": f"m365.offboarding.{name}"}}

    played = play(
        [
            a_play(role("offboard_employee"), shown("Shut", shut)),
            a_play(role("restore_employee"), shown("Restored", restored), hosts="all"),
        ],
        environment={
            "ANSIBLE_INJECT_FACT_VARS": "false",
            "ANSIBLE_CACHE_PLUGIN": "jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(cache),
        },
        offboard_employee_leavers=jane.upn,
        offboard_employee_report_path=str(path),
        restore_employee_leavers=jane.upn,
        restore_employee_evidence=str(path),
    )

    assert played.returncode == 0, played.output
    of_shut, of_restored = played.result("Shut")["msg"], played.result("Restored")["msg"]
    assert (of_shut["status"], of_shut["display_name"]) == ("contained", "{{ 6 * 7 }}")
    assert (of_restored["status"], of_restored["display_name"]) == ("restored", "{{ 6 * 7 }}")
    assert [file for file in cache.rglob("*") if file.is_file() and jane.id in file.read_text()] == []
