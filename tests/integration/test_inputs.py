# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Input that would be cut, ignored or guessed is refused before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simulator import Tenant

from .support import AUDIT, OFFBOARD, RESTORE, Player, a_play, ago, open_doors

JANE, JOHN, MILES = "jane.doe@contoso.com", "john.roe@contoso.com", "miles.o'brien@contoso.com"

_INTERNAL = ("__offboard_employee_batches", "__offboard_employee_opening", "offboard_employee_result")
# The arguments of ansible-playbook, and what has to be said.
REFUSED: dict[str, tuple[list[str], list[str]]] = {
    "cut_at_a_blank": (["-e", f"leavers={JANE}, {JOHN}"], [repr(JOHN), '-e \'{"leavers": [']),
    "group_cut": (["-e", "leavers_group=Leavers Sandbox"], ["'Sandbox'"]),
    "date_cut": (["-e", f"leavers={JANE}", "-e", "left_at=2026-03-01T17:00:00 +01:00"], ["'+01:00'"]),
    "another_option_cut": (["-e", f"leavers={JANE} reason=no longer here"], ["'longer here'"]),
    "a_name_by_itself": (["-e", f"leavers={JANE}", "-e", JOHN], [repr(JOHN)]),
    "ends_in_a_comma": (["-e", f"leavers={JANE},"], ["has a comma without a name beside it"]),
    "given_twice": (["-e", f"leavers={JANE}", "-e", f"leavers={JOHN}"], ["leavers was given twice"]),
    "given_twice_in_one": (["-e", f"leavers={JANE} leavers={JOHN}"], ["leavers was given twice"]),
    "misspelt": (
        [
            *("-e", f"leavers={JANE}", "-e", f"leaver={JOHN} users={JOHN} leavers_files=a.csv target_host=all"),
            *("-e", "leave_at=2026-03-01T17:00:00Z LeftAt=2026-03-01T17:00:00Z m365_tenantid=x dry_run=true"),
            *("-e", "offboard_employee_report_paths=a.json report_path=a.json"),
        ],
        [
            f"The variable {name} is not known, and would be ignored; did you mean {suggested}?"
            for name, suggested in {
                "leaver": "leavers",
                "users": "leavers",
                "leavers_files": "leavers_file",
                "target_host": "target_hosts",
                "leave_at": "left_at",
                "LeftAt": "left_at",
                "m365_tenantid": "m365_tenant_id",
                "dry_run": "the option --check",
                "offboard_employee_report_paths": "offboard_employee_report_path",
                "report_path": "offboard_employee_report_path",
            }.items()
        ],
    ),
    "set_by_the_role": (
        [*("-e", f"leavers={JANE}"), *("-e", json.dumps(dict.fromkeys(_INTERNAL)))],
        [f"{name} is set by the role" for name in _INTERNAL],
    ),
    "no_such_host": (["-e", f"leavers={JANE}", "-e", "target_hosts=nowhere"], ["'nowhere' matches no host"]),
    "header_alone": (["-e", "leavers_file=header.csv"], ["No leavers"]),
    "nobody": ([], ["No leavers"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_lost_is_refused(tenant: Tenant, play: Player, tmp_path: Path, name: str) -> None:
    arguments, texts = REFUSED[name]
    (tmp_path / "header.csv").write_text("user,left_at\n")
    warnings = ["Could not match supplied host pattern, ignoring: nowhere"] if name == "no_such_host" else []

    # The two playbooks in turn: they share what refuses.
    playbook = (AUDIT, OFFBOARD)[list(REFUSED).index(name) % 2]
    played = play(playbook, *arguments, warnings=warnings)

    assert played.returncode != 0, played.output
    flat = " ".join((played.failure() or played.output).split())
    assert [text for text in texts if text not in flat] == []
    assert list(tenant.journal) == []


def test_restore_refuses_as_well(tenant: Tenant, play: Player) -> None:
    cut = play(RESTORE, "-e", f"leavers={JANE}, {JOHN}")
    misspelt = play(RESTORE, "-e", f"leavers={JANE} restore_employee_evidences=a.json leavers_file=a.csv")

    assert repr(JOHN) in cut.failure()
    assert "did you mean restore_employee_evidence?" in misspelt.failure()
    assert "The playbook restore does not take leavers_file" in misspelt.failure()
    assert list(tenant.journal) == []


def test_the_right_spellings_name_everybody(tenant: Tenant, play: Player) -> None:
    for spelling in (f"leavers='{JANE}, {JOHN}'", json.dumps({"leavers": [JANE, JOHN]})):
        played = play(AUDIT, "-e", spelling, app="auditor", offboard_employee_steps=["signin"], reason="a word or two")

        assert [leaver["user_principal_name"] for leaver in played.leavers()] == [JANE, JOHN]


def test_an_inventory_may_hold_variables_of_others(tenant: Tenant, play: Player) -> None:
    others = {
        "m365_license_group": "x",
        "restore_employee_steps": ["signin"],
        "left_sidebar": "x",
        "user": "root",
        "steps": 3,
        "offboarding_team": "x",
    }
    hosts: dict[str, Any] = {
        "good": {"leavers": JANE, **others},
        "slip": {"leavers": JANE, "m365_tenant_idd": "x"},
        "role_slip": {"leavers": JANE, "offboard_employee_max_user": 3},
        "internal": {"leavers": JANE, "__offboard_employee_state": {}},
    }

    played = play(AUDIT, app="auditor", hosts=hosts, offboard_employee_steps=["signin"])

    assert played.leaver("good")["user_principal_name"] == JANE
    assert "did you mean m365_tenant_id?" in played.failure("slip")
    assert "did you mean offboard_employee_max_users?" in played.failure("role_slip")
    assert "__offboard_employee_state is set by the role" in played.failure("internal")


def test_a_limit_that_leaves_no_host_fails(tenant: Tenant, play: Player) -> None:
    played = play(AUDIT, "--limit", "a", hosts={"a": {}, "b": {}}, target_hosts="b", leavers=JANE)

    assert played.returncode != 0
    assert "'b' matches no host within the limit 'a'" in " ".join(played.output.split())
    assert list(tenant.journal) == []


def test_the_role_may_be_used_twice_in_a_play(tenant: Tenant, play: Player) -> None:
    def use(name: str) -> dict[str, Any]:
        return {
            "name": f"Shut {name}",
            "ansible.builtin.include_role": {"name": "m365.offboarding.offboard_employee"},
            "vars": {"offboard_employee_leavers": [name]},
        }

    played = play([a_play(use(JANE), use(JOHN))])

    assert played.returncode == 0, played.output
    assert [open_doors(tenant.directory.user(name)) for name in ("jane", "john")] == [[], []]


def test_the_roles_may_follow_each_other_and_refuse_what_is_theirs(
    tenant: Tenant, play: Player, tmp_path: Path
) -> None:
    file = str(tmp_path / "jane.json")

    def use(role: str, name: str = JANE, **variables: Any) -> dict[str, Any]:
        return {
            "name": f"{role} {name}",
            "ansible.builtin.include_role": {"name": f"m365.offboarding.{role}_employee"},
            "vars": {f"{role}_employee_leavers": [name], **variables},
        }

    back = use("restore", restore_employee_evidence=file)
    steps = [use("offboard", offboard_employee_report_path=file), back, back, use("offboard", JOHN)]
    played = play([a_play(*steps)])

    assert played.returncode == 0, played.output
    assert tenant.directory.user("jane")["accountEnabled"] is True
    assert open_doors(tenant.directory.user("john")) == []

    tenant.journal.clear()
    slips = {"restore_employee_evidences": "a.json", "__restore_employee_plan": {}}
    refused = play([a_play(use("restore", restore_employee_evidence=file, **slips))])
    assert "did you mean restore_employee_evidence?" in refused.failure()
    assert "__restore_employee_plan is set by the role" in refused.failure()
    assert repr(JOHN) in play([a_play(back)], "-e", f"x={JANE}, {JOHN}").failure()
    assert list(tenant.journal) == []


def test_nobody_is_alike_for_lists_and_searches(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    tenant.directory.add_group("empty", "Nobody in here")
    (tmp_path / "header.csv").write_text("user\n")
    sources: dict[str, dict[str, Any]] = {
        "file": {"leavers_file": "header.csv"},
        "group": {"leavers_group": "Nobody in here"},
        "filter": {"leavers_filter": "department eq 'Nothing'"},
        "list": {"leavers": []},
        "both": {"leavers_group": "Nobody in here", "leavers_file": "header.csv"},
    }
    hosts = {
        **sources,
        **{f"{name}_allowed": {**source, "allow_empty": True} for name, source in sources.items()},
        **{f"{name}_refused": {**source, "allow_empty": False} for name, source in sources.items()},
    }
    audit = play(AUDIT, app="auditor-groups", hosts=hosts)
    offboarding = play(OFFBOARD, app="auditor-groups", hosts=sources)

    for name in sources:
        assert audit.failure(f"{name}_refused").startswith("No leavers"), name
        assert audit.failure(f"{name}_allowed") == ""
        for played in (audit, offboarding):
            # By default, a list must name somebody, a search may find nobody.
            assert bool(played.failure(name)) is (name in ("file", "list", "both")), name
            assert played.table(name)[-1] == "No leavers"
        assert audit.table(f"{name}_allowed")[-1] == "No leavers"
    assert tenant.journal.writes() == []


def test_a_search_that_failed_is_not_a_search_that_found_nobody(tenant: Tenant, play: Player) -> None:
    # The credential may not read groups.
    played = play(AUDIT, app="auditor", leavers=JANE, leavers_group="Nobody in here")

    assert "Could not determine the users selected by group" in played.failure()
    assert "No leavers" not in played.output
    assert tenant.journal.writes() == []


def test_one_bad_name_stops_nobody_else(tenant: Tenant, play: Player) -> None:
    played = play(OFFBOARD, leavers=["Jane Doe", JOHN, {"user": "jane", "left_at": ago(days=1)}])

    assert played.returncode != 0
    assert [leaver["status"] for leaver in played.leavers()] == ["failed", "contained", "failed"]
    assert open_doors(tenant.directory.user("john")) == []
    assert "Jane Doe [1]: failed" in played.failure()
    assert "is neither a user principal name nor an object ID" in played.failure()


def test_different_dates_for_one_person_refuse_that_one(tenant: Tenant, play: Player) -> None:
    ahead, jane = ago(days=-30), tenant.directory.user("jane")
    hosts = {
        "name": {"leavers": [JANE, {"user": JANE.upper(), "left_at": ahead}, JOHN]},
        "id": {"leavers": [{"user": JANE, "left_at": ahead}, jane.id]},
        "looked_first": {"leavers": [jane.id, {"user": JANE, "left_at": ahead}], "offboard_employee_max_users": 0},
    }

    for playbook in (AUDIT, OFFBOARD):
        played = play(playbook, hosts=hosts)

        for host in hosts:
            leaver = played.leavers(host)[0]
            assert (leaver["status"], leaver["error"]["code"]) == ("refused", "contradiction"), host
            assert "now (no date)" in played.failure(host)
    assert open_doors(tenant.directory.user("john")) == []
    assert open_doors(jane)


def test_a_user_who_was_offboarded_is_kept_out_whatever_the_list_says(
    tenant: Tenant, play: Player, tmp_path: Path
) -> None:
    jane = tenant.directory.user("jane")
    list_of_hr = {"leavers": [{"user": JANE, "left_at": ago(days=-30)}]}
    play(OFFBOARD, leavers=JANE, offboard_employee_report_path="noon.json")
    assert open_doors(jane) == []
    jane["accountEnabled"] = True

    without = play(AUDIT, app="auditor", **list_of_hr)
    audit = play(AUDIT, app="auditor", since="noon.json", **list_of_hr)
    shut = play(OFFBOARD, since="noon.json", **list_of_hr)
    again = play(AUDIT, app="auditor", since="noon.json", **list_of_hr)

    assert (without.returncode, without.leaver()["status"]) == (0, "not_due")
    assert any("doors that stay open until then: password, sessions, signin" in line for line in without.table())
    assert (audit.returncode, audit.leaver()["status"]) == (2, "open")
    assert (shut.returncode, shut.leaver()["status"]) == (0, "contained")
    assert (again.returncode, again.leaver()["status"]) == (0, "contained")


def test_the_dry_run_says_what_the_run_will_say(tenant: Tenant, play: Player) -> None:
    crowd = tenant.directory.add_crowd(3)
    hosts: dict[str, Any] = {
        "many": {"leavers": [user.upn for user in crowd], "offboard_employee_max_users": 2},
        "later": {"leavers": JANE, "left_at": ago(days=-30), "offboard_employee_fail_on_not_due": True},
        "synced": {"leavers": tenant.directory.user("synced").upn},
        "misspelt": {"leavers": [JANE, "jon.roe@contoso.com"], "offboard_employee_fail_on_left_out": False},
        "only_misspelt": {"leavers": ["jon.roe@contoso.com"], "offboard_employee_fail_on_left_out": False},
    }

    played = play(OFFBOARD, "--check", hosts=hosts, offboard_employee_fail_on=["failed"])

    # A name that is left out does not stop the others, and is shown with the reason and the nearest name.
    assert played.failure("misspelt") == ""
    assert played.table("misspelt")[1] == "left out, 1 of 2: jon.roe@contoso.com"
    assert "similar name: john.roe@contoso.com." in " ".join(" ".join(played.table("misspelt")).split())
    assert "There is no user jon.roe@contoso.com." in played.failure("only_misspelt")
    assert "similar name" not in " ".join(played.table("only_misspelt"))

    assert "more than the 2 that one run may write" in played.failure("many")
    assert played.failure("later").startswith(f"{JANE}: leaves on ")
    assert played.failure("later").endswith(": nothing is done before that; schedule the run")
    synced = played.leaver("synced")["steps"]
    assert (synced["password"]["status"], synced["signin"]["status"]) == ("unchanged", "planned")
    assert synced["password"]["note"] == "Synced from Active Directory: its password is set there."
    assert "Synced from Active Directory" in " ".join(played.table("synced"))
    assert tenant.journal.writes() == []
