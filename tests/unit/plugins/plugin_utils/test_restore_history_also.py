# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was closed besides the doors is made again from the evidence, and what cannot be is said."""

from __future__ import annotations

import json

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils._restore_files import runs_to_undo
from ansible_collections.m365.offboarding.plugins.plugin_utils._restore_outcome import outcome
from fakes.people import person
from fakes.restoring import asked_of, decide, entry, evidence, opening, shut_now, shut_out

JANE = person("jane.doe")
STEPS = ("protocols", "memberships", "forwarding", "devices", "consents", "signin")
UNKNOWN = {
    "code": "network",
    "message": "x",
    "hint": "It is not known whether this was done: run again; the next run reads before it writes.",
    "request_id": None,
}


def one(key="g1", status="verified", kind="group", **facts):
    return {
        "key": key,
        "kind": kind,
        "name": key,
        "status": status,
        "before": {"name": key},
        "after": None,
        "error": None,
        **facts,
    }


def also(status="verified", **topics):
    return {topic: {"status": status, "objects": objects} for topic, objects in topics.items()}


def planned_after(*runs, steps=STEPS, now=None, complete=True):
    contents = [{**evidence(shut_out(also=reported)), "complete": complete} for reported in runs]
    for number, content in enumerate(contents):
        content["run"] = {"started_at": f"2026-11-20T16:0{number}:00Z"}
    return decide(opening(now or shut_now()), asked_of(contents), steps=steps)


def test_what_was_closed_is_made_again_by_object_id():
    reported = planned_after(also(memberships=[one("g1"), one("g2", "accepted")], consents=[one("c", kind="consent")]))

    assert {
        topic: {user: [obj["key"] for obj in objects] for user, objects in of.items()}
        for topic, of in reported["also"].items()
    } == {"memberships": {JANE["id"]: ["g1", "g2"]}, "consents": {JANE["id"]: ["c"]}}


@pytest.mark.parametrize(
    ("facts", "again"),
    [
        ({"status": "failed", "after": {"name": "g1"}}, False),
        ({"status": "failed", "after": {"name": "g1"}, "error": UNKNOWN}, True),
        ({"status": "failed", "after": None}, True),
        ({"status": "not_applicable"}, False),
        ({"status": "planned"}, False),
        ({"status": "verified", "before": None}, False),
    ],
)
def test_only_what_was_written_or_may_have_been_is_made_again(facts, again):
    assert bool(planned_after(also(memberships=[one(**facts)]))["also"]) is again


def test_of_several_runs_the_first_that_wrote_an_object_knows_how_it_was():
    first = also(memberships=[one("g1", before={"name": "Then"}), one("g2", "failed", after={"name": "g2"})])
    second = also(memberships=[one("g2")])

    reported = planned_after(first, second)["also"]["memberships"][JANE["id"]]

    assert [(obj["key"], obj["before"]["name"]) for obj in reported] == [("g1", "Then"), ("g2", "g2")]


def test_a_leaver_whose_doors_were_shut_before_gets_the_rest_back():
    unchanged = {step: entry("unchanged", {}, {}) for step in ("password", "sessions", "signin", "protocols")}
    content = evidence(shut_out(also=also(memberships=[one()]), steps=unchanged))

    reported = decide(opening(shut_now()), asked_of([content]), steps=STEPS)

    assert reported["leavers"][0]["error"] is None
    assert list(reported["also"]) == ["memberships"]


def test_steps_that_are_left_out_are_not_undone():
    assert planned_after(also(memberships=[one()]), steps=("signin",))["also"] == {}


def test_what_cannot_be_undone_is_said():
    closed = also(authentication_methods=[one(kind="fido2")], devices=[one("p", kind="phone_wipe")])

    reported = planned_after(closed)

    notes = " ".join(reported["leavers"][0]["notes"])
    assert reported["also"] == {}
    assert "Sign-in methods that were deleted: 1. They cannot be restored" in notes
    assert "The account on a phone was wiped, which cannot be undone" in notes


def test_a_run_that_was_cut_off_while_it_closed_something_is_said():
    closed = {**also(consents=[one("c", kind="consent")]), **also("pending", memberships=[])}

    notes = " ".join(planned_after(closed, complete=False)["leavers"][0]["notes"])

    assert "The run was cut off before this was on record: memberships." in notes


def test_whoever_is_refused_gets_nothing_back():
    assert planned_after(also(memberships=[one()]), now=shut_now(protected=True))["also"] == {}


def test_the_outcome_reports_each_topic_and_a_failure_does_not_stop_sign_in():
    reported = planned_after(also(memberships=[one()], consents=[one("c", kind="consent")]))
    error = {"code": "x", "message": "Could not make again consent c of jane.", "hint": None, "request_id": None}
    records = {
        "memberships": {"id": JANE["id"], "status": "verified", "written_at": "2026-11-20T17:00:00Z"},
        "consents": {"id": JANE["id"], "status": "failed", "error": error},
    }
    runs = [
        {"step": topic, "users": [JANE["id"]], "result": {"users": [{"error": None, **record}]}}
        for topic, record in records.items()
    ]

    ended = outcome(reported, runs)

    steps = ended["leavers"][0]["steps"]
    assert (steps["memberships"]["status"], steps["consents"]["status"]) == ("verified", "failed")
    assert ended["open"] == [JANE["id"]]
    assert any("memberships member again at 2026-11-20T17:00:00Z" in line for line in ended["table"])
    assert "Could not make again consent c of jane." in ended["failures"][0]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ([], "is not a mapping"),
        ({"hats": {}}, "also contains an unknown step"),
        ({"consents": {"status": "verified"}}, "lacks 'objects'"),
        ({"consents": {"status": "verified", "objects": [5]}}, "is not a mapping"),
        ({"consents": {"status": "verified", "objects": [{**one(), "key": None}]}}, "key is not a text"),
        (
            {"consents": {"status": "verified", "objects": [{**one(), "before": "x"}]}},
            "before is not a mapping or null",
        ),
    ],
)
def test_evidence_that_was_changed_by_hand_is_refused(tmp_path, broken, says):
    path = tmp_path / "evidence.json"
    path.write_text(json.dumps(evidence(shut_out(also=broken))))

    with pytest.raises(ValueError, match="cannot be used") as caught:
        runs_to_undo(str(path))

    assert says in str(caught.value)


def test_evidence_of_before_is_read_as_ever(tmp_path):
    path = tmp_path / "evidence.json"
    path.write_text(json.dumps(evidence(shut_out())))

    (run,), _left_out = runs_to_undo(str(path))

    assert run["hosts"]["localhost"]["leavers"][0]["also"] == {}
