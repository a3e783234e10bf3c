# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came of each leaver, who may sign in, and how it is reported."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils._restore_outcome import outcome as results
from fakes.people import person
from fakes.records import problem, step_record
from fakes.restoring import OFF, ON, asked, entry, evidence, nobody, opening, shut_now, shut_out
from fakes.restoring import decide as plan

JANE = person("jane.doe")
UPN = "jane.doe@contoso.com"
GONE = nobody(JANE["id"], "deleted")


def planned(*names, **options):
    names = names or ("jane.doe",)
    content = evidence(*map(shut_out, names))
    users = [f"{name}@contoso.com" for name in names]
    return plan(opening(*map(shut_now, names)), asked(content, *users), "localhost", **options)


def open_again():
    """Return the plan of somebody who was let in again by somebody else, long after that run."""
    now = shut_now(account_enabled=True, mailbox_protocols=ON)
    return plan(opening(now), asked(evidence(shut_out())), "localhost", now=2e9)


def run(step, status, *names, **facts):
    records = [step_record(name, status, **facts) for name in names or ("jane.doe",)]
    return {"step": step, "users": [one["id"] for one in records], "result": {"users": records}}


DONE = [
    run("protocols", "verified", before=OFF, after={**ON, "smtp_auth": None}),
    run("signin", "verified", before={"account_enabled": False}, after={"account_enabled": True}),
]


def only(reported):
    (one,) = reported["leavers"]
    return one


def test_everything_done_is_restored():
    reported = results(planned(), DONE)

    one = only(reported)
    assert (one["status"], one["error"], reported["failures"]) == ("restored", None, [])
    assert (one["user"], one["id"], one["user_principal_name"]) == (UPN, JANE["id"], UPN)
    assert list(one["steps"]) == ["protocols", "signin"]
    assert list(one["steps"]["signin"]) == ["status", "before", "after", "written_at", "request_id", "note", "error"]
    assert reported["table"][:2] == ["1 of 1 leaver is restored", f"{UPN}  restored"]
    text = " ".join(" ".join(reported["table"]).split())
    assert "on again: activesync, owa" in text
    assert "as the organization says: smtp_auth" in text
    assert "allowed at 2026-11-20T16:00:00Z" in text
    assert "Passwords and sessions cannot be undone" in text


@pytest.mark.parametrize(
    ("protocols", "signin", "status", "failing"),
    [
        ("verified", "unchanged", "restored", False),
        ("unchanged", "unchanged", "unchanged", False),
        ("not_applicable", "unchanged", "unchanged", False),
        ("accepted", "verified", "unconfirmed", False),
        ("planned", "unchanged", "planned", False),
        ("failed", "verified", "failed", True),
        ("refused", "refused", "refused", True),
        ("failed", "accepted", "failed", True),
    ],
)
def test_the_worst_of_the_steps_is_the_verdict(protocols, signin, status, failing):
    reported = results(open_again(), [run("protocols", protocols), run("signin", signin)])

    assert only(reported)["status"] == status
    assert bool(reported["failures"]) is failing
    if failing:
        assert reported["failures"] == [f"{UPN}: It did not work."]


def test_a_user_who_needs_nothing_has_no_closing_note():
    reported = results(open_again(), [run("protocols", "unchanged"), run("signin", "unchanged")])

    assert "cannot be undone" not in " ".join(reported["table"])


@pytest.mark.parametrize("step", ["protocols", "signin"])
def test_a_door_that_was_shut_and_is_open_right_after_was_read_from_a_server_that_lags(step):
    """The plan has read it as shut, and the step as open: nobody has opened it in between."""
    reported = results(
        planned(), [run(one, "unchanged" if one == step else "verified") for one in ("protocols", "signin")]
    )

    assert (only(reported)["status"], only(reported)["steps"][step]["error"]["code"]) == ("failed", "stale")
    assert "run again in a few minutes" in reported["failures"][0]


def test_nobody_is_restored_who_cannot_sign_in():
    then = shut_out(signin=entry("unchanged", {"account_enabled": False}, {"account_enabled": False}))
    for step in ("password", "sessions"):
        then["steps"][step]["status"] = "unchanged"
    order = plan(opening(shut_now()), asked(evidence(then)), "localhost")

    reported = results(order, [DONE[0]])

    assert (only(reported)["status"], reported["failures"]) == ("partial", [])
    assert reported["table"][:2] == ["0 of 1 leaver is restored", f"{UPN}  sign-in stays blocked"]
    assert "Sign-in was blocked before that run and stays blocked." in " ".join(reported["table"])


def test_files_that_are_not_used_are_named():
    request = asked(evidence(shut_out()), left_out=["The evidence x.json is not JSON: Extra data in line 2."])

    reported = results(plan(opening(shut_now()), request, "localhost"), DONE)

    assert "Left out: The evidence x.json is not JSON" in " ".join(reported["table"])


def test_sign_in_opens_whatever_becomes_of_the_protocols():
    assert results(planned(), [run("protocols", "failed")])["open"] == [JANE["id"]]


@pytest.mark.parametrize("status", ["failed", "refused"])
def test_sign_in_waits_for_a_password_that_could_not_be_set(status):
    reported = results(planned(), [run("password", status), run("protocols", "verified")], provided=[JANE["id"]])

    assert reported["open"] == []
    signin = only(reported)["steps"]["signin"]
    assert (signin["status"], signin["error"]["code"]) == ("failed", "held_back")


@pytest.mark.parametrize("status", ["verified", "accepted", "planned", "not_applicable"])
def test_sign_in_opens_after_a_password_that_was_set(status):
    reported = results(planned(), [run("password", status)], provided=[JANE["id"]])

    assert reported["open"] == [JANE["id"]]


def test_only_without_a_password_it_is_said_that_none_was_provided():
    note = "No password was provided"

    without = results(planned(), DONE)
    with_one = results(planned(), [run("password", "verified"), *DONE], provided=[JANE["id"]])

    assert note in " ".join(only(without)["notes"])
    assert note not in " ".join(only(with_one)["notes"])
    assert "set at 2026-11-20T16:00:00Z; must be changed at the next sign-in" in " ".join(with_one["table"])


def test_notes_of_steps_are_reported_once():
    note = "smtp_auth stays off."
    reported = results(planned(), [run("protocols", "verified", note=note), run("signin", "verified", note=note)])

    assert only(reported)["notes"].count(note) == 1
    assert f"  - {note}" in reported["table"]


def test_a_step_without_records_has_failed_for_everybody():
    error = problem("AADSTS7000215", "Invalid client secret.")
    crashed = {"step": "protocols", "users": [JANE["id"]], "result": {"msg": "It crashed.", "error": error}}
    assert results(planned(), [crashed])["failures"] == [f"{UPN}: Invalid client secret."]

    reported = results(planned(), [{**crashed, "result": {"msg": "It crashed."}}])

    assert only(reported)["steps"]["protocols"]["error"]["message"] == "It crashed."
    assert reported["failures"] == [f"{UPN}: It crashed."]


def test_a_mailbox_that_is_gone_is_a_failure_of_its_own():
    content = evidence(shut_out())
    no_mailbox = plan(opening(shut_now(mailbox_protocols=None)), asked(content), "localhost")

    reported = results(no_mailbox, [run("protocols", "not_applicable"), DONE[1]])

    assert only(reported)["status"] == "failed"
    assert only(reported)["steps"]["protocols"]["error"]["code"] == "no_mailbox"
    assert only(reported)["steps"]["signin"]["status"] == "verified"


def test_a_user_who_was_refused_has_no_steps_and_the_reason():
    reported = results(plan(opening(shut_now(protected=True)), asked(evidence(shut_out())), "localhost"), [])

    assert (only(reported)["status"], only(reported)["steps"], reported["open"]) == ("refused", {}, [])
    assert reported["failures"][0].startswith(f"{UPN}: {UPN} is protected; nothing was sent.")
    assert reported["table"][0] == "0 of 1 leaver is restored; nothing was sent"


def test_among_many_each_is_reported_individually():
    runs = [
        run("protocols", "verified", "ann", "cid"),
        run("protocols", "failed", "bob"),
        run("signin", "verified", "ann"),
    ]

    reported = results(planned("ann", "bob", "cid"), runs)

    assert [one["status"] for one in reported["leavers"]] == ["restored", "failed", "planned"]
    assert reported["table"][0] == "1 of 3 leavers are restored"
    assert [line.partition(":")[0] for line in reported["failures"]] == ["bob@contoso.com"]


# --- deleted accounts ---


def undeleted(**options):
    return plan(opening(GONE), asked(evidence(shut_out()), JANE["id"]), "localhost", undelete=True, **options)


def test_in_check_mode_all_the_rest_is_planned():
    reported = results(undeleted(), [run("account", "planned")], provided=[JANE["id"]])

    assert {step: one["status"] for step, one in only(reported)["steps"].items()} == dict.fromkeys(
        ("account", "protocols", "signin"), "planned"
    ) | {"password": "planned"}
    assert reported["open"] == []


def test_what_needs_an_account_that_could_not_be_restored_has_failed_too():
    reported = results(undeleted(), [run("account", "failed")])

    assert {one["status"] for one in only(reported)["steps"].values()} == {"failed"}
    assert reported["open"] == []
    # Once is enough.
    assert reported["failures"] == [f"{UPN}: It did not work."]


def test_a_restored_account_is_part_of_the_result():
    reported = results(planned(), [run("account", "verified"), *DONE])

    assert list(only(reported)["steps"]) == ["account", "protocols", "signin"]
    assert "restored at 2026-11-20T16:00:00Z" in " ".join(reported["table"])


def test_an_account_that_was_seen_after_all_is_confirmed():
    reported = results(planned(), [run("account", "accepted"), *DONE])

    assert (only(reported)["status"], only(reported)["steps"]["account"]["status"]) == ("restored", "verified")


def test_an_account_that_was_restored_and_is_not_seen_yet_is_reported_as_such():
    unseen = plan(opening(nobody(JANE["id"])), asked(evidence(shut_out()), JANE["id"]), "localhost")

    reported = results(unseen, [run("account", "accepted")])

    assert (only(reported)["status"], only(reported)["error"]["code"]) == ("failed", "not_visible")
    assert only(reported)["steps"]["account"]["status"] == "accepted"


def test_without_evidence_a_deleted_account_is_found_by_the_name_that_was_asked_for():
    gone = nobody(UPN, "deleted")
    order = plan(opening(gone), asked(None), "localhost", protocols=["owa"], undelete=True, allow_admins=True)

    reported = results(order, [run("account", "planned", user=UPN)])

    assert only(reported)["steps"]["account"]["status"] == "planned"


# --- the table ---


def test_no_line_is_wider_than_88():
    long = problem("x", "word " * 60)
    reported = results(planned(), [run("protocols", "failed", error=long, note="note " * 40), DONE[1]])

    assert max(map(len, reported["table"])) <= 88


def test_what_was_accepted_and_not_seen_is_reported_as_such():
    reported = results(planned(), [run("signin", "accepted")])

    assert "allowed at 2026-11-20T16:00:00Z, not seen yet" in " ".join(reported["table"])


def test_check_mode_is_reported_in_the_conditional():
    reported = results(planned(), [run("protocols", "planned", before=OFF, after=ON), run("signin", "planned")])

    text = " ".join(reported["table"])
    assert f"{UPN}  would be restored" in text
    assert "would be on again: activesync" in text
    assert "would be allowed" in text


def test_switches_that_were_on_already_are_not_reported_as_turned_on():
    reported = results(
        planned(), [run("protocols", "verified", before={"owa": True, "pop": False}, after={"owa": True, "pop": True})]
    )

    assert any("on again: pop at" in line for line in reported["table"])


def test_evidence_without_any_door_to_open_is_done_at_once():
    then = shut_out(signin=entry("unchanged", {"account_enabled": False}, {"account_enabled": False}))
    del then["steps"]["protocols"]

    reported = results(plan(opening(shut_now()), asked(evidence(then)), "localhost"))

    assert (only(reported)["status"], only(reported)["steps"], reported["failures"]) == ("unchanged", {}, [])
