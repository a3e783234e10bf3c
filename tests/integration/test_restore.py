# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Undoing an offboarding: what comes back, what does not, and who is refused."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from simulator import Fault, Tenant
from simulator.apps import READ
from simulator.directory import User

from .support import (
    OFFBOARD,
    RESTORE,
    SWITCHES,
    Played,
    Player,
    a_play,
    evidence,
    kill,
    open_doors,
    snapshot,
    touched,
    writes,
)
from .test_leaks import leaks, verbose

LOST = ("lastPasswordChangeDateTime", "signInSessionsValidFromDateTime", "deletedDateTime")
SMTP = "SmtpClientAuthenticationDisabled"
NONE_PROVIDED = "No password was provided"
PASSWORD = "Fresh/\"Start4'Her }}"


def offboard(play: Player, path: Path, users: Sequence[User], **variables: Any) -> dict[str, Any]:
    """Shut everybody out, and give back what was written about it."""
    variables = {"offboard_employee_max_users": len(users), **variables}
    play(OFFBOARD, leavers=[user.upn for user in users], offboard_employee_report_path=str(path), **variables)
    return evidence(path)


def restored(played: Played, host: str = "localhost") -> list[dict[str, Any]]:
    facts: dict[str, Any] = played.result("Keep the results", host)["ansible_facts"]
    results: list[dict[str, Any]] = facts["restore_employee_result"]
    return results


def by_upn(played: Played, host: str = "localhost") -> dict[str, dict[str, Any]]:
    return {str(one["user_principal_name"] or one["user"]): one for one in restored(played, host)}


def table(played: Played, host: str = "localhost") -> list[str]:
    lines: list[str] = played.result("Show which leavers are restored, and what cannot be undone", host)["msg"]
    return lines


def said(one: Mapping[str, Any]) -> str:
    """Everything that is said of a leaver."""
    errors = [one["error"], *(entry["error"] for entry in one["steps"].values())]
    return " ".join([*one["notes"], *(f"{error['message']} {error['hint']}" for error in errors if error)])


def statuses(one: Mapping[str, Any]) -> dict[str, str]:
    return {step: entry["status"] for step, entry in one["steps"].items()}


def as_before(state: Mapping[str, Any], *, null_smtp: bool | None) -> dict[str, Any]:
    """A state without what cannot be undone; a switch that was not set is on."""
    mailbox = None
    if state["mailbox"] is not None:
        mailbox = {
            name: value if name == SMTP or value is not None or not name.endswith("Enabled") else True
            for name, value in state["mailbox"].items()
        }
        mailbox[SMTP] = null_smtp if mailbox[SMTP] is None else mailbox[SMTP]
    properties = {name: value for name, value in state["properties"].items() if name not in LOST}
    return {"properties": properties, "mailbox": mailbox}


# --- there and back ---


@pytest.mark.parametrize("null", ["accepted", "refused"])
def test_the_tenant_is_as_it_was_but_for_password_and_sessions(
    tenant: Tenant, play: Player, tmp_path: Path, null: str
) -> None:
    """On every kind of account that was, in whatever state, before."""
    keys = [
        "jane",
        "nulls",
        "oldcloud",
        "smtp",
        "maria",
        "nomail",
        "guest",
        "blocked",
        "shared",
        "synced",
        "onpremises",
    ]
    users = {key: tenant.directory.user(key) for key in keys}
    tenant.directory.null_parameters = null
    users["maria"].mailbox.update({"PopEnabled": False, "ImapEnabled": False, SMTP: True})
    before = snapshot(tenant)
    file = tmp_path / "leavers.json"
    offboard(play, file, list(users.values()))
    shut = snapshot(tenant)
    tenant.journal.clear()
    names = [user.upn for user in users.values()]

    # The plan is the same for both, and who may only read may make it.
    if null == "accepted":
        assert tenant.app("auditor").graph == {READ}
        checked = play(RESTORE, "--check", "--diff", app="auditor", leavers=names, evidence=str(file))

        assert checked.returncode == 0, checked.output
        assert tenant.journal.writes() == []
        assert touched(shut, tenant) == set()
        planned = by_upn(checked)
        assert statuses(planned[users["jane"].upn]) == {"protocols": "planned", "signin": "planned"}
        assert {one["status"] for one in restored(checked)} == {"planned"}
        assert '"account_enabled": true' in checked.stdout

    done = play(RESTORE, leavers=names, evidence=str(file))

    assert done.returncode == 0, done.output
    inherits = {"accepted": None, "refused": True}[null]
    for key in keys:
        now = snapshot(tenant)[key]
        assert as_before(now, null_smtp=inherits) == as_before(before[key], null_smtp=inherits), key
        # That is lost, and nobody claims otherwise.
        assert now["passwords"] == shut[key]["passwords"]
        assert now["sessions_alive"] == shut[key]["sessions_alive"]
    assert touched(before, tenant) <= set(keys)
    results = by_upn(done)
    assert {key: results[user.upn]["status"] for key, user in users.items()} == {
        **dict.fromkeys(keys, "restored"),
        "blocked": "restored",  # its protocols
        "shared": "restored",
    }
    assert "Sign-in was blocked before that run and stays blocked." in said(results[users["blocked"].upn])
    assert "Off before that run, and left off: pop, imap, smtp_auth." in said(results[users["maria"].upn])
    assert f"{NONE_PROVIDED}, so none was set" in said(results[users["jane"].upn])
    assert "enable it there too" in said(results[users["synced"].upn])
    # Neither a guest's nor a synced account's password was ever set by that run.
    assert [key for key in ("guest", "synced") if NONE_PROVIDED in said(results[users[key].upn])] == []
    assert ("smtp_auth stays off" in said(results[users["jane"].upn])) is (null == "refused")
    assert "Passwords and sessions cannot be undone" in " ".join(table(done))
    assert max(map(len, table(done))) <= 88
    # Sign-in comes last.
    for key in ("jane", "smtp", "synced"):
        steps = [step for name, step in writes(tenant) if name == key]
        assert steps[-1] == "signin", key
        assert set(steps[:-1]) == {"protocols"}, key

    tenant.journal.clear()
    shown = snapshot(tenant)

    again = play(RESTORE, leavers=names, evidence=str(file))

    assert again.returncode == 0, again.output
    assert again.recap()["changed"] == 0
    assert touched(shown, tenant) == set()
    assert tenant.journal.applied() == []
    assert {one["status"] for one in restored(again)} == {"unchanged"}
    if null == "accepted":
        assert tenant.journal.writes() == []


@pytest.mark.both_ways
def test_only_what_is_named_and_asked_for_comes_back(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    """Everybody is named; steps and protocols may be limited."""
    jane, john, olga = (tenant.directory.user(key) for key in ("jane", "john", "olga"))
    file = tmp_path / "leavers.json"
    offboard(play, file, [jane, john, olga])
    before = snapshot(tenant)
    hosts = {
        "mail": {
            "leavers": john.id.upper(),
            "restore_employee_steps": ["protocols"],
            "restore_employee_protocols": ["owa", "pop"],
        },
        "account": {"leavers": jane.upn.upper(), "restore_employee_steps": ["signin"]},
    }

    played = play(RESTORE, hosts=hosts, evidence=str(file))

    assert played.returncode == 0, played.output
    assert touched(before, tenant) == {"jane", "john"}
    assert {name for name, switch in SWITCHES.items() if john.mailbox[switch] is True} == {"owa", "pop", "smtp_auth"}
    assert (john["accountEnabled"], jane["accountEnabled"]) == (False, True)
    assert jane.mailbox["OWAEnabled"] is False


# --- who is refused ---


def test_what_cannot_be_undone_is_refused_with_the_reason(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    """Each host has another mistake; none of them sends a write, and the first ones send nothing at all."""
    user = tenant.directory.user
    leavers = [user(key) for key in ("jane", "john", "wei", "olga", "pierre", "breakglass", "helpdesk")]
    tenant.app("offboarding").graph |= {"RoleManagement.Read.Directory"}
    tenant.app("offboarding").roles |= {"Privileged Authentication Administrator"}
    good = offboard(play, tmp_path / "good.json", leavers, offboard_employee_allow_admins=True)
    offboard(play, tmp_path / "again.json", leavers, offboard_employee_allow_admins=True)
    # A new account under an old name.
    tenant.directory.delete(user("wei"))
    tenant.directory.add("wei2", {**user("wei").properties, "id": None} | {"id": user("ahmed").id[:-4] + "beef"})
    tenant.directory.delete(user("pierre"))
    tenant.journal.clear()
    before = snapshot(tenant)

    def altered(name: str, change: Callable[[dict[str, Any]], Any]) -> str:
        content = copy.deepcopy(good)
        change(content)
        (tmp_path / name).write_text(json.dumps(content))
        return str(tmp_path / name)

    def of_host(content: dict[str, Any]) -> dict[str, Any]:
        return content["hosts"]["localhost"]  # type: ignore[no-any-return]

    (tmp_path / "broken.json").write_text(json.dumps(good)[:-9])
    (tmp_path / "latin.json").write_bytes(b'{"a": "\xe4"}')
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "empty").mkdir()
    jane, ok = user("jane").upn, str(tmp_path / "good.json")
    other = "0a1b2c3d-4e5f-4061-8273-94a5b6c7d8e9"
    # Host: leaver, evidence, further variables, what must be said.
    unsent: dict[str, tuple[Any, str, dict[str, Any], str]] = {
        "missing": (jane, str(tmp_path / "nothing.json"), {}, "cannot be read: No such file"),
        "folder": (jane, str(tmp_path / "empty"), {}, "contains no .json file"),
        "broken": (jane, str(tmp_path / "broken.json"), {}, "is not JSON"),
        "latin": (jane, str(tmp_path / "latin.json"), {}, "not UTF-8 text"),
        "list": (jane, str(tmp_path / "list.json"), {}, "the file is not a mapping"),
        "format": (jane, altered("f.json", lambda e: e.update(format="x")), {}, "its format is not"),
        "version": (jane, altered("v.json", lambda e: e.update(version=2)), {}, "its version is not 1"),
        "audit": (
            jane,
            altered("a.json", lambda e: e.update(purpose="audit")),
            {},
            "of an audit, which changes nothing",
        ),
        "check": (
            jane,
            altered("c.json", lambda e: e.update(check_mode=True)),
            {},
            "written in check mode, which changes nothing",
        ),
        "shape": (
            jane,
            altered("s.json", lambda e: of_host(e)["leavers"][0].pop("steps")),
            {},
            "hosts['localhost'].leavers[0] lacks 'steps'",
        ),
        "nameless": ("Jane Doe", ok, {}, "'Jane Doe' is neither a user principal name nor an object ID"),
        "nobody": ([], ok, {}, "restore_employee_leavers is empty"),
        "guess": (jane, "", {}, "restore_employee_protocols must name"),
        "no_steps": (jane, ok, {"restore_employee_steps": []}, "must name a step"),
        "shared_password": (
            [jane, user("john").upn],
            ok,
            {"restore_employee_password": PASSWORD},
            "no two accounts share a password",
        ),
        "no_tasks": (jane, ok, {"restore_employee_deliver": str(tmp_path / "no.yml")}, "there is no file"),
    }
    refused: dict[str, tuple[Any, str, dict[str, Any], str]] = {
        "tenant": (
            jane,
            altered("t.json", lambda e: of_host(e).update(tenant_id=other)),
            {},
            "no record of the tenant",
        ),
        "no_tenant": (
            jane,
            altered("n.json", lambda e: of_host(e).update(tenant_id=None)),
            {},
            "no record of the tenant",
        ),
        "two_tenants": (
            jane,
            altered("two.json", lambda e: e["hosts"].update(other=of_host(e))),
            {},
            "several hosts of the tenant",
        ),
        "wrong_id": (
            jane,
            altered("i.json", lambda e: of_host(e)["leavers"][0].update(id=user("john").id)),
            {},
            "is now a different account",
        ),
        "unchanged": (jane, str(tmp_path / "again.json"), {}, "Give the evidence of the run that shut the doors"),
        "recreated": (user("wei").upn, ok, {}, "is now a different account"),
        "unknown": (user("maria").upn, ok, {}, "has no record of maria.rossi@contoso.com"),
        "deleted": (user("pierre").upn, ok, {}, "was deleted at"),
        "admin": (user("helpdesk").upn, ok, {}, "holds a directory role (Helpdesk Administrator)"),
        "guarded": (user("breakglass").upn, ok, {"restore_employee_allow_admins": True}, "is protected"),
        "opaque": (jane, ok, {}, "The token has no tenant ID"),
    }
    hosts = {
        host: {"leavers": leaver, "evidence": file, **variables}
        for host, (leaver, file, variables, _ignored) in (unsent | refused).items()
    }
    hosts["opaque"]["m365_access_token"] = "no-jwt"

    played = play(
        RESTORE,
        hosts=hosts,
        environment={"M365_PROTECTED_USERS": user("breakglass").upn},
        # Of the host whose token is none.
        warnings=["protected_users: break.glass@contoso.com could not be looked up."],
    )

    texts = {host: text for host, (*_ignored, text) in (unsent | refused).items()}
    assert {host: played.failure(host) for host, text in texts.items() if text not in played.failure(host)} == {}
    assert "variable restore_employee_undelete" in played.failure("deleted")
    assert "Traceback" not in played.output
    assert tenant.journal.writes() == []
    assert touched(before, tenant) == set()
    assert [host for host in unsent if played.results("Read users, mailboxes and directory roles", host)] == []
    assert all(played.recap(host)["changed"] == 0 for host in hosts)


def test_a_leaver_who_cannot_be_restored_does_not_stop_the_others(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    jane, john, olga, maria = (tenant.directory.user(key) for key in ("jane", "john", "olga", "maria"))
    file = tmp_path / "leavers.json"
    offboard(play, file, [jane, john, olga])
    # The mailbox of one cannot be set, the sign-in of another cannot be allowed.
    tenant.faults.add(
        Fault(user=john.id, cmdlet="Set-CASMailbox", status=403, body="", nth=(1, 99)),
        Fault(user=olga.id, method="PATCH", status=403, nth=(1, 99)),
    )

    played = play(RESTORE, leavers=["Jane Doe", maria.upn, jane.upn, john.upn, olga.upn, jane.id], evidence=str(file))

    assert played.returncode == 2
    results = by_upn(played)
    assert {name: one["status"] for name, one in results.items()} == {
        maria.upn: "refused",
        jane.upn: "restored",
        john.upn: "failed",
        olga.upn: "failed",
        "Jane Doe": "failed",
    }
    # A protocol that stays off keeps nobody from signing in.
    assert statuses(results[john.upn]) == {"protocols": "failed", "signin": "verified"}
    assert john["accountEnabled"] is True
    assert statuses(results[olga.upn]) == {"protocols": "verified", "signin": "failed"}
    lines = played.failure().splitlines()
    assert [line.partition(": ")[0] for line in lines] == [maria.upn, john.upn, olga.upn, "Jane Doe"]
    assert "Mail Recipients" in lines[1]


# --- passwords ---


def digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def test_a_password_is_set_once_and_seen_nowhere(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    jane = tenant.directory.user("jane")
    file = tmp_path / "jane.json"
    offboard(play, file, [jane])
    tenant.journal.clear()
    asked = {"leavers": jane.upn, "evidence": str(file), "restore_employee_password": PASSWORD}

    checked = verbose(play, tmp_path, RESTORE, "--check", **asked)
    assert tenant.journal.writes() == []
    assert statuses(restored(checked)[0])["password"] == "planned"

    weak = verbose(play, tmp_path, RESTORE, **{**asked, "restore_employee_password": "w3ak\u00e9-pass"})
    banned = verbose(play, tmp_path, RESTORE, **{**asked, "restore_employee_password": "P@ssword1"})
    for played, text in ((weak, "breaks Microsoft's rules"), (banned, "easily guessable")):
        assert text in played.failure()
        # Sign-in waits for the password; the mailbox does not.
        assert statuses(restored(played)[0])["signin"] == "failed"
        assert "Run again with another password, or with none." in played.failure()
    assert jane["accountEnabled"] is False

    done = verbose(play, tmp_path, RESTORE, **asked)
    assert done.returncode == 0, done.output
    (one,) = restored(done)
    assert (one["status"], statuses(one)["password"], statuses(one)["signin"]) == ("restored", "verified", "verified")
    assert NONE_PROVIDED not in said(one)
    assert jane.passwords[-1] == digest(PASSWORD)
    (reset,) = [entry for entry in tenant.journal.applied() if "passwordProfile" in (entry.body or {})]
    assert reset.body["passwordProfile"]["forceChangePasswordNextSignIn"] is True
    assert [step for _ignored, step in writes(tenant)][-3:] == ["password", "protocols", "signin"]

    again = verbose(play, tmp_path, RESTORE, **asked)
    assert again.recap()["changed"] == 0
    assert "The password was changed after that run" in said(restored(again)[0])

    for played in (checked, weak, banned, done, again):
        assert leaks(played, [PASSWORD, "w3ak\u00e9-pass", "P@ssword1", *tenant.issued_secrets()]) == set()


def test_tasks_of_the_operator_provide_a_password_for_each(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    keys = ["jane", "john", "maria", "guest", "olga"]
    users = {key: tenant.directory.user(key) for key in keys}
    file = tmp_path / "leavers.json"
    offboard(play, file, list(users.values()))
    vault = {users["jane"].upn: "First/Own-Secret-1", users["john"].id: "Second/Own-Secret-2"}
    tasks = tmp_path / "deliver.yml"
    tasks.write_text(
        json.dumps(
            [
                {
                    "name": "Look into the vault",
                    "ansible.builtin.set_fact": {
                        "restore_employee_password": "{{ vault[restore_employee_leaver.user_principal_name]"
                        " | default(vault[restore_employee_leaver.id]) }}"
                    },
                    "no_log": True,
                    "when": "restore_employee_leaver.user_principal_name in vault or restore_employee_leaver.id in vault",
                },
                {
                    "name": "Stumble",
                    "ansible.builtin.fail": {"msg": "the vault is sealed"},
                    "when": "restore_employee_leaver.display_name == 'Olga Petrova'",
                },
            ]
        )
    )
    before = {key: len(user.passwords) for key, user in users.items()}

    played = verbose(
        play,
        tmp_path,
        RESTORE,
        leavers=[user.upn for user in users.values()],
        evidence=str(file),
        restore_employee_deliver=str(tasks),
        vault=vault,
    )

    assert played.returncode == 2
    results = by_upn(played)
    assert {key: results[user.upn]["status"] for key, user in users.items()} == {
        **dict.fromkeys(keys, "restored"),
        "olga": "failed",
    }
    assert users["jane"].passwords[-1] == digest("First/Own-Secret-1")
    assert users["john"].passwords[-1] == digest("Second/Own-Secret-2")
    # Nobody gets the one of the leaver before.
    assert {key: len(user.passwords) - before[key] for key, user in users.items()} == {
        **dict.fromkeys(keys, 0),
        "jane": 1,
        "john": 1,
    }
    assert NONE_PROVIDED in said(results[users["maria"].upn])
    assert "restore_employee_deliver failed for this leaver" in said(results[users["olga"].upn])
    assert users["olga"]["accountEnabled"] is False
    assert played.failure().startswith(f"{users['olga'].upn}: ")
    assert leaks(played, vault.values()) == set()


# --- deleted accounts ---


@pytest.mark.parametrize("name", ["prefixed", "plain"])
def test_a_deleted_account_is_restored_where_that_is_asked_for(
    tenant: Tenant, play: Player, tmp_path: Path, name: str
) -> None:
    jane, john, helpdesk = (tenant.directory.user(key) for key in ("jane", "john", "helpdesk"))
    # Refusals and plans do not depend on what Microsoft calls a deleted user.
    first = name == "prefixed"
    tenant.directory.deleted_upn = name
    tenant.directory.null_parameters = "accepted"
    before = as_before(snapshot(tenant)["jane"], null_smtp=None)
    file = tmp_path / "leavers.json"
    content = offboard(play, file, [jane, john])
    # The evidence reports that one of them held a role, which cannot be read for a deleted account.
    content["hosts"]["localhost"]["leavers"][1]["directory_roles"] = ["Helpdesk Administrator"]
    file.write_text(json.dumps(content))
    tenant.directory.delete(jane)
    tenant.directory.delete(john)
    gone = snapshot(tenant)
    tenant.journal.clear()
    asked = {"leavers": [jane.upn, john.upn], "evidence": str(file)}

    if first:
        reported = play(RESTORE, app="restorer", **asked)
        assert [one["status"] for one in restored(reported)] == ["failed", "failed"]
        assert "variable restore_employee_undelete" in said(restored(reported)[0])

        checked = play(RESTORE, "--check", app="restorer", restore_employee_undelete=True, **asked)
        assert statuses(restored(checked)[0]) == dict.fromkeys(("account", "protocols", "signin"), "planned")
        assert tenant.journal.writes() == []
        assert touched(gone, tenant) == set()

        refused = play(RESTORE, app="offboarding", restore_employee_undelete=True, **asked)
        assert statuses(restored(refused)[0]) == dict.fromkeys(("account", "protocols", "signin"), "failed")
        assert "lacks the permission User.DeleteRestore.All" in refused.failure()
        assert touched(gone, tenant) == set()

    done = play(RESTORE, app="restorer", restore_employee_undelete=True, **asked)

    (one, other) = restored(done)
    assert (one["status"], one["id"]) == ("restored", jane.id), done.output
    assert statuses(one) == dict.fromkeys(("account", "protocols", "signin"), "verified")
    assert as_before(snapshot(tenant)["jane"], null_smtp=None) == before
    assert (other["status"], other["error"]["code"]) == ("refused", "administrator")
    assert [step for key, step in writes(tenant) if key == "jane"][-3:] == ["account", "protocols", "signin"]
    assert touched(gone, tenant) == {"jane"}

    again = play(RESTORE, app="restorer", restore_employee_undelete=True, leavers=jane.upn, evidence=str(file))
    assert again.recap()["changed"] == 0
    assert helpdesk["accountEnabled"] is True


def test_a_deleted_account_is_not_confused_with_one_that_has_its_name(
    tenant: Tenant, play: Player, tmp_path: Path
) -> None:
    """Each name means a deleted account and one of today; of the last one nobody knows what it was."""
    jane, john = tenant.directory.user("jane"), tenant.directory.user("john")
    file = tmp_path / "jane.json"
    offboard(play, file, [jane])
    tenant.directory.delete(jane)
    tenant.directory.delete(john)
    new = jane.id[:-4] + "beef"
    tenant.directory.add("jane2", {**jane.properties, "id": new, "accountEnabled": False})
    before = snapshot(tenant)
    tenant.journal.clear()
    options = {"restore_employee_undelete": True}
    hosts = {
        "named": {"leavers": jane.upn, **options, "restore_employee_protocols": ["owa"]},
        "proven": {"leavers": jane.upn, **options, "evidence": str(file)},
        "unknown": {"leavers": john.upn, **options, "restore_employee_protocols": ["owa"]},
    }

    played = play(RESTORE, hosts=hosts, app="restorer")

    for host in ("named", "proven"):
        assert jane.id in played.failure(host)
        assert new in played.failure(host)
    assert f"Which directory roles {john.upn} held" in played.failure("unknown")
    assert "restore_employee_allow_admins" in played.failure("unknown")
    assert tenant.journal.writes() == []
    assert touched(before, tenant) == set()


# --- several runs ---


def cut_off(content: Mapping[str, Any], path: Path) -> None:
    """What a run leaves that was killed after the block, and before it could write that down."""
    content = copy.deepcopy(dict(content))
    content["complete"] = False
    for one in content["hosts"]["localhost"]["leavers"]:
        for step in ("signin", "protocols"):
            one["steps"][step] |= {"status": "pending", "after": None, "written_at": None, "request_id": None}
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("given", ["folder", "files"])
def test_what_a_killed_run_found_open_comes_back(tenant: Tenant, play: Player, tmp_path: Path, given: str) -> None:
    """The run again found everything shut: its file alone restores nobody, and does not say so either."""
    jane = tenant.directory.user("jane")
    before = as_before(snapshot(tenant)["jane"], null_smtp=True)
    folder = tmp_path / "evidence"
    folder.mkdir()
    first, second = folder / "1.json", folder / "2.json"
    cut_off(offboard(play, first, [jane]), first)
    # The kill came before the mailbox.
    jane.mailbox["OWAEnabled"] = True
    offboard(play, second, [jane])
    (folder / "audit.txt").write_text("none of it")
    (folder / "other.json").write_text("{")
    evidence_of = {"folder": str(folder), "files": f"{second},{first}"}[given]

    if given == "files":
        alone = play(RESTORE, leavers=jane.upn, evidence=str(second))
        (one,) = restored(alone)
        assert (one["status"], jane["accountEnabled"]) == ("partial", False)
        assert f"{jane.upn}  sign-in stays blocked" in table(alone)
        jane.mailbox["OWAEnabled"] = False

    done = play(RESTORE, leavers=jane.upn, evidence=evidence_of)

    assert done.returncode == 0, done.output
    (one,) = restored(done)
    assert (one["status"], statuses(one)["signin"]) == ("restored", "verified")
    assert as_before(snapshot(tenant)["jane"], null_smtp=True) == before
    if given == "folder":
        reported = " ".join(" ".join(table(done)).split())
        assert "other.json is not JSON" in reported
        assert "audit.txt" not in reported


def test_a_play_killed_after_the_block_and_its_repetition_are_undone_together(
    tenant: Tenant, play: Player, tmp_path: Path
) -> None:
    """A real SIGKILL between the block and the mailbox; what the second run alone holds would not open anything."""
    jane, blocked = tenant.directory.user("jane"), tenant.directory.user("blocked")
    users = [jane, blocked]
    before = {user.key: as_before(snapshot(tenant)[user.key], null_smtp=True) for user in users}
    folder = tmp_path / "evidence"
    folder.mkdir()
    tenant.faults.add(Fault(user=jane.id, cmdlet="Set-CASMailbox", delay=60.0))
    running = play.start(
        OFFBOARD,
        leavers=[user.upn for user in users],
        offboard_employee_max_users=2,
        offboard_employee_report_path=str(folder / "1.json"),
    )
    try:
        deadline = time.monotonic() + 60
        while not any(entry.cmdlet == "Set-CASMailbox" for entry in tenant.journal):
            assert time.monotonic() < deadline, "the play did not come as far as the mailbox"
            assert running.poll() is None, "the play ended by itself"
            time.sleep(0.05)
    finally:
        kill(running)
    assert jane["accountEnabled"] is False
    assert evidence(folder / "1.json")["complete"] is False
    tenant.faults.clear()
    offboard(play, folder / "2.json", users)
    assert open_doors(jane) == []
    shut = snapshot(tenant)

    done = play(RESTORE, leavers=[user.upn for user in users], evidence=str(folder))

    assert done.returncode == 0, done.output
    results = by_upn(done)
    assert results[jane.upn]["status"] == "restored"
    assert results[jane.upn]["steps"]["signin"]["after"] == {"account_enabled": True}
    assert (jane["accountEnabled"], blocked["accountEnabled"]) == (True, False)
    assert {user.key: as_before(snapshot(tenant)[user.key], null_smtp=True) for user in users} == before
    assert touched(shut, tenant) == {"jane", "blocked"}


def test_a_second_offboarding_is_undone_only_where_it_is_named(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    jane = tenant.directory.user("jane")
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    offboard(play, first, [jane])
    play(RESTORE, leavers=jane.upn, evidence=str(first))
    assert jane["accountEnabled"] is True
    jane.mailbox["PopEnabled"] = False
    offboard(play, second, [jane], awx_job_id=4711, awx_workflow_job_id=4709)
    before = snapshot(tenant)

    unclear = play(RESTORE, leavers=jane.upn, evidence=[str(first), str(second)])

    assert str(first) in unclear.failure()
    assert str(second) in unclear.failure()
    assert touched(before, tenant) == set()

    named = play(RESTORE, leavers=jane.upn, evidence=str(tmp_path), restore_employee_job="4709")

    assert restored(named)[0]["status"] == "restored", named.output
    assert (jane["accountEnabled"], jane.mailbox["OWAEnabled"], jane.mailbox["PopEnabled"]) == (True, True, False)


# --- names that have moved, servers that lag ---


def test_a_user_who_was_renamed_is_named_by_the_name_of_today(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    jane, john = tenant.directory.user("jane"), tenant.directory.user("john")
    file = tmp_path / "jane.json"
    old = jane.upn
    offboard(play, file, [jane])
    jane["userPrincipalName"] = "jane.roe@contoso.com"
    before = snapshot(tenant)

    refused = play(RESTORE, leavers=old, evidence=str(file))

    assert f"request jane.roe@contoso.com or {jane.id}" in refused.failure()
    assert touched(before, tenant) == set()

    # Somebody else has the name now.
    john["userPrincipalName"] = old
    before = snapshot(tenant)
    taken = play(RESTORE, leavers=old, evidence=str(file))
    assert "is now a different account" in taken.failure()
    assert f"jane.roe@contoso.com or {jane.id}" in taken.failure()
    assert touched(before, tenant) == set()

    done = play(RESTORE, leavers="Jane.Roe@contoso.com", evidence=str(file))
    assert (restored(done)[0]["status"], jane["accountEnabled"]) == ("restored", True), done.output


def test_a_server_that_lags_is_asked_again_and_never_believed(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    """Right after the offboarding it shows every door open: nothing to do, it would seem."""
    jane = tenant.directory.user("jane")
    file = tmp_path / "jane.json"
    offboard(play, file, [jane])
    before = snapshot(tenant)
    tenant.directory.replica_lag = 600

    late = play(RESTORE, leavers=jane.upn, evidence=str(file))

    (one,) = restored(late)
    assert (late.returncode, one["status"], one["error"]["code"]) == (2, "failed", "stale")
    assert "is still shown as before the" in late.failure()
    assert touched(before, tenant) == set()

    tenant.journal.clear()
    with catching_up_after_a_look(tenant, jane):
        done = play(RESTORE, leavers=jane.upn, evidence=str(file), environment={"M365_VERIFY_TIMEOUT": "600"})

    assert len(done.results("Read users, mailboxes and directory roles")) > 1
    assert (restored(done)[0]["status"], jane["accountEnabled"]) == ("restored", True), done.output


@contextlib.contextmanager
def catching_up_after_a_look(tenant: Tenant, user: User) -> Iterator[None]:
    """Let the replicas lag until a play has read this user once."""
    ended = threading.Event()

    def watch() -> None:
        while not (ended.wait(0.05) or any(entry.user == user.id and entry.status == 200 for entry in tenant.journal)):
            pass
        tenant.directory.replica_lag = 0

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


# --- without evidence ---


def test_without_evidence_what_is_named_is_opened(tenant: Tenant, play: Player) -> None:
    keys = {"offboarded": ["all"], "blocked": ["owa"], "shared": []}
    users = {key: tenant.directory.user(key) for key in keys}
    hosts: dict[str, Any] = {
        key: {"leavers": users[key].upn, "restore_employee_protocols": protocols} for key, protocols in keys.items()
    }
    hosts["shared"]["restore_employee_steps"] = ["signin"]
    hosts["offboarded"]["restore_employee_password"] = PASSWORD
    deleted = tenant.directory.user("deleted")
    hosts["deleted"] = {
        "leavers": deleted.upn,
        "restore_employee_undelete": True,
        # Whether a deleted account held a role nobody can read.
        "restore_employee_allow_admins": True,
        "restore_employee_protocols": ["owa"],
        "restore_employee_password": PASSWORD,
    }
    hosts["nobody"] = {"leavers": "nobody@contoso.com", "restore_employee_protocols": ["all"]}
    before = snapshot(tenant)

    some = {host: hosts[host] for host in ("offboarded", "deleted")}
    checked = play(RESTORE, "--check", hosts=some, app="restorer")
    assert tenant.journal.writes() == []
    assert restored(checked, "offboarded")[0]["status"] == "planned"
    assert statuses(restored(checked, "deleted")[0])["account"] == "planned"

    played = play(RESTORE, hosts=hosts, app="restorer")

    assert touched(before, tenant) == {*keys, "deleted"}
    assert all(user["accountEnabled"] is True for user in users.values())
    mailbox = users["offboarded"].mailbox.settings
    # smtp_auth is the organization's business.
    assert {name for name, switch in SWITCHES.items() if mailbox[switch] is True} == set(SWITCHES)
    assert users["offboarded"].passwords[-1] == digest(PASSWORD)
    assert [one["status"] for key in keys for one in restored(played, key)] == ["restored"] * 3
    assert statuses(restored(played, "deleted")[0])["account"] == "verified"
    # It came back with sign-in allowed, as it was when deleted: its password is its own.
    assert deleted.passwords == before["deleted"]["passwords"]
    assert "There is no user nobody@contoso.com" in played.failure("nobody")

    again = play(RESTORE, hosts=some, app="restorer")
    assert all(again.recap(host)["changed"] == 0 for host in some)


# --- several tenants ---


def test_each_host_takes_the_entry_of_its_own_tenant(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    file = tmp_path / "all.json"
    with Tenant(domain="fabrikam.com") as fabrikam:
        tenants = {"contoso": tenant, "fabrikam": fabrikam}
        hosts: dict[str, dict[str, Any]] = {
            host: {"own": one.environment, "who": one.directory.user("jane").upn} for host, one in tenants.items()
        }

        def run(role: str, hosts: Mapping[str, Any], **variables: Any) -> Played:
            name = f"m365.offboarding.{role}_employee"
            task = {"name": "Run", "ansible.builtin.include_role": {"name": name}}
            variables[f"{role}_employee_leavers"] = "{{ [who] }}"
            return play([a_play(task, environment="{{ own }}")], hosts=hosts, app=None, **variables)

        run("offboard", hosts, offboard_employee_report_path=str(file))
        assert set(evidence(file)["hosts"]) == {"contoso", "fabrikam"}
        # Under another name the host is found by its tenant; under the other's name it is refused.
        renamed = {"fabrikam-prod": hosts["fabrikam"], "fabrikam": hosts["contoso"]}

        played = run("restore", renamed, restore_employee_evidence=str(file))

        assert restored(played, "fabrikam-prod")[0]["status"] == "restored", played.output
        assert fabrikam.directory.user("jane")["accountEnabled"] is True
        assert fabrikam.crashes == []
    assert f"belongs to the tenant {fabrikam.tenant_id}, the credential to {tenant.tenant_id}" in played.failure(
        "fabrikam"
    )
    assert tenant.directory.user("jane")["accountEnabled"] is False
