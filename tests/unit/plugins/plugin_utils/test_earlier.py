# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A door has changed when both times somebody knew how it was, and it was another way."""

from __future__ import annotations

import copy
import json

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils._earlier import Earlier, earlier_runs
from ansible_collections.m365.offboarding.plugins.plugin_utils._results import results
from fakes.earlier import earlier, with_since
from fakes.people import SWITCHES
from fakes.records import ACCOUNT, STEPS, all_steps, doors, problem, read_record, unknown_record
from tools import sample_evidence

NOTHING = {"newly_open": [], "newly_shut": [], "new": False}
NEW = {**NOTHING, "new": True}
ELSEWHERE = "0e0b5e0e-0000-4000-8000-000000000001"


def result(name="jane.doe", state="shut", *, steps=STEPS, protocols=("all",), **facts):
    (one,) = results([read_record(name, state, **facts)], steps=steps, protocols=protocols)
    return one


def file_of(*leavers, **hosts):
    tenants = {"localhost": list(leavers), **hosts}
    return sample_evidence.file({host: sample_evidence.host(leavers) for host, leavers in tenants.items()})


def since(now, *then, **hosts):
    (one,) = with_since([now], earlier(file_of(*then, **hosts)))
    return {key: one["since"][key] for key in NOTHING}


OPEN, SHUT = result(state="open"), result()


def test_a_door_that_was_shut_and_is_open_is_newly_open():
    now = result(doors={**doors("shut"), "signin": "open", "owa": "open"})

    assert since(now, SHUT) == {"newly_open": ["signin", "owa"], "newly_shut": [], "new": False}


def test_a_door_that_was_open_and_is_shut_is_newly_shut():
    then = result(doors={**doors("shut"), "signin": "open", "owa": "open"})

    assert since(SHUT, then) == {"newly_open": [], "newly_shut": ["signin", "owa"], "new": False}


@pytest.mark.parametrize("one", [OPEN, SHUT])
def test_a_door_that_is_as_it_was_has_not_changed(one):
    assert since(one, one) == NOTHING


@pytest.mark.parametrize("kind", sample_evidence.KINDS)
def test_nothing_changes_between_a_file_and_itself(kind):
    one = sample_evidence.leaver(kind)

    assert since(one, one) == NOTHING


# --- who is who ---


def test_a_user_who_was_not_in_the_earlier_file_is_new():
    assert since(OPEN, result("miles.obrien")) == NEW
    assert since(OPEN) == NEW


def test_a_leaver_is_known_by_object_id_whatever_the_name_and_the_host():
    then = {**SHUT, "user": "x@contoso.com", "user_principal_name": "x@contoso.com", "id": SHUT["id"].upper()}

    assert since(OPEN, other=[result("ann")], third=[then])["newly_open"] == [*ACCOUNT, *SWITCHES]


def test_an_account_recreated_under_the_old_name_is_new():
    assert since(OPEN, {**SHUT, "id": ELSEWHERE}) == NEW


def test_a_user_who_was_unknown_then_is_known_by_name_in_any_case_and_no_door_has_changed():
    (then,) = results([unknown_record("Jane.Doe@CONTOSO.com")], steps=STEPS)

    assert since(OPEN, then) == NOTHING


def test_a_user_who_is_unknown_now_was_there_and_no_door_has_changed():
    (now,) = results([unknown_record("JANE.doe@contoso.com")], steps=STEPS)

    assert since(now, OPEN) == NOTHING


def test_of_two_records_of_one_leaver_the_worse_one_counts():
    assert since(OPEN, SHUT, other=[OPEN]) == NOTHING


def test_a_run_that_does_not_know_its_tenant_does_not_say_that_evidence_is_of_another_one(tmp_path):
    """Without a token: nothing was compared, and nothing is known about whose evidence it is."""
    path = tmp_path / "earlier.json"
    path.write_text(json.dumps(file_of(SHUT)))
    compared = Earlier(earlier_runs(str(path)), tenant_id=None, purpose="audit", host="localhost")

    reason = "which tenant this run belongs to is not known"
    assert compared.comparison == {"compared_with": [], "not_comparable": [{"file": str(path), "reason": reason}]}


# --- doors of which somebody did not know ---


@pytest.mark.parametrize("left_out", STEPS)
def test_a_step_that_was_left_out_then_has_not_changed(left_out):
    steps = tuple(step for step in STEPS if step != left_out)
    then = result(steps=steps, doors=doors("shut", steps))
    expected = [door for step in steps for door in (SWITCHES if step == "protocols" else (step,))]

    assert since(OPEN, then)["newly_open"] == expected


def test_a_step_that_is_left_out_now_has_not_changed():
    now = result(steps=("signin",), doors=doors("shut", ("signin",)))

    assert since(now, OPEN)["newly_shut"] == ["signin"]


def test_a_protocol_that_was_not_asked_for_then_has_not_changed():
    seen = {"owa": False, "pop": False}
    then = result(protocols=("owa", "pop"), doors=doors("shut", protocols=("owa", "pop")), mailbox_protocols=seen)
    assert "imap" in then["not_looked_at"]

    assert since(OPEN, then)["newly_open"] == [*ACCOUNT, "owa", "pop"]


def test_a_protocol_that_was_not_asked_for_has_not_changed_though_the_step_left_no_facts():
    closing = read_record(doors=doors("shut", protocols=("owa",)))
    run = {"step": "protocols", "users": [{"user": closing["id"]}], "result": {"msg": "It crashed."}}
    (then,) = results([read_record()], steps=STEPS, protocols=("owa",), runs=[run], closing=[closing])
    then["steps"]["protocols"]["before"] = None

    assert since(OPEN, then)["newly_open"] == [*ACCOUNT, "owa"]


def test_a_protocol_that_the_tenant_did_not_know_then_has_not_changed():
    known = tuple(name for name in SWITCHES if name != "new_outlook")
    then = result(doors=doors("shut", protocols=known), mailbox_protocols=dict.fromkeys(known, False))

    assert "new_outlook" not in since(OPEN, then)["newly_open"]


def test_what_is_written_in_check_mode_is_known_by_what_was_before():
    opening = read_record(state="open")
    (then,) = results([opening], steps=STEPS, runs=all_steps("jane.doe", "planned"), closing=[opening])

    assert since(SHUT, then)["newly_shut"] == [*ACCOUNT, *SWITCHES]


@pytest.mark.parametrize("state", ["open", "shut"])
def test_a_door_that_was_unconfirmed_has_not_changed(state):
    then = result(doors={**doors("shut" if state == "open" else "open"), "signin": "unknown", "owa": "unknown"})
    changed = since(result(state=state), then)["newly_open" if state == "open" else "newly_shut"]

    assert changed == [door for door in (*ACCOUNT, *SWITCHES) if door not in ("signin", "owa")]


def test_a_door_that_is_unconfirmed_now_has_not_changed():
    now = result(doors={**doors("shut"), "signin": "unknown"})

    assert since(now, SHUT) == NOTHING


@pytest.mark.parametrize("protocols", [("all",), ("owa", "pop")])
def test_a_mailbox_that_could_not_be_read_then_has_not_changed(protocols):
    asked = tuple(SWITCHES) if protocols == ("all",) else protocols
    states = {**doors("shut", ACCOUNT), **dict.fromkeys(asked, "unknown")}
    error = problem("http_403", "Not read.")
    then = result(protocols=protocols, doors=states, mailbox_protocols=None, status="failed", error=error)

    assert since(OPEN, then)["newly_open"] == list(ACCOUNT)


# --- doors that were not there ---


def no_mailbox():
    states = {**doors("shut", ACCOUNT), **doors("not_applicable", ("protocols",))}
    return result(doors=states, mailbox_protocols=None)


def test_protocols_of_a_mailbox_that_was_not_there_are_newly_open():
    now = result(doors={**doors("shut"), "owa": "open"})

    assert since(now, no_mailbox())["newly_open"] == ["owa"]


def test_protocols_of_a_mailbox_that_is_gone_are_newly_shut():
    assert since(no_mailbox(), OPEN)["newly_shut"] == [*ACCOUNT, *SWITCHES]


def test_a_guest_who_became_a_member_has_new_doors():
    then = result(doors={**doors("not_applicable"), "signin": "shut"})

    assert since(OPEN, then)["newly_open"] == [*ACCOUNT, *SWITCHES]


# --- files that are not evidence ---


def damaged(change):
    evidence = file_of(copy.deepcopy(SHUT))
    change(evidence, evidence["hosts"]["localhost"]["leavers"])
    return evidence


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "the file is not a mapping"),
        ({}, "its format is not m365.offboarding/evidence"),
        ("text", "the file is not a mapping"),
        ({"format": "something"}, "its format is not m365.offboarding/evidence"),
        ({"format": "m365.offboarding/evidence"}, "its version is not 1"),
        (damaged(lambda all_, _: all_.update(version=2)), "its version is not 1"),
        (damaged(lambda all_, _: all_.update(written_at=None)), "written_at is not a text"),
        (damaged(lambda all_, _: all_.update(complete="yes")), "complete is not true or false"),
        (damaged(lambda all_, _: all_.pop("hosts")), "lacks 'hosts'"),
        (damaged(lambda all_, _: all_["hosts"].update(localhost=[])), "is not a mapping"),
        (damaged(lambda all_, _: all_["hosts"].update(localhost={})), "lacks 'tenant_id'"),
        (damaged(lambda all_, _: all_["hosts"]["localhost"].update(leavers={})), "leavers is not a list"),
        (damaged(lambda _, leavers: leavers.append("jane")), r"leavers\[1\] is not a mapping"),
        (damaged(lambda _, leavers: leavers[0].pop("id")), r"leavers\[0\] lacks 'id'"),
        (damaged(lambda _, leavers: leavers[0].update(id=7)), r"leavers\[0\].id is not a text or null"),
        (damaged(lambda _, leavers: leavers[0].update(user=None)), r"leavers\[0\].user is not a text"),
        (damaged(lambda _, leavers: leavers[0].update(open="signin")), r"leavers\[0\].open is not a list"),
        (
            damaged(lambda _, leavers: leavers[0].update(open=[{}])),
            r"leavers\[0\].open contains a value that is not text",
        ),
        (damaged(lambda _, leavers: leavers[0].pop("contained")), r"leavers\[0\] lacks 'contained'"),
        (damaged(lambda _, leavers: leavers[0].update(contained="false")), "contained is not true or false"),
        (damaged(lambda _, leavers: leavers[0].update(since={"last_known": []})), "since.last_known is not a mapping"),
        (damaged(lambda _, leavers: leavers[0].update(steps=[])), r"leavers\[0\].steps is not a mapping"),
        (damaged(lambda _, leavers: leavers[0]["steps"].update(signin={})), "steps.signin lacks 'status'"),
        (
            damaged(lambda _, leavers: leavers[0]["steps"]["signin"].update(after=[1])),
            "steps.signin.after is not a mapping",
        ),
    ],
)
def test_what_is_not_evidence_is_refused_in_a_sentence_and_named_in_a_folder(content, reason, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(content))

    with pytest.raises(ValueError, match=f"^The evidence .*a.json cannot be used: .*{reason}"):
        earlier_runs(str(tmp_path / "a.json"))
    (run,) = earlier_runs(str(tmp_path))
    assert "a.json cannot be used" in run["problem"]


@pytest.mark.parametrize("nothing", [None, "", [], [""]])
def test_without_evidence_there_are_no_runs(nothing):
    assert earlier_runs(nothing) == []


def test_a_folder_may_be_empty_and_must_be_there(tmp_path):
    assert earlier_runs(str(tmp_path)) == []
    with pytest.raises(ValueError, match=r"nowhere.json cannot be read: No such file"):
        earlier_runs(str(tmp_path / "nowhere.json"))
