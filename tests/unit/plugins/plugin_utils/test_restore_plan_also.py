# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was closed besides the doors is made again from the evidence, object by object, and nothing else is."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils._doors import RESTORABLE
from ansible_collections.m365.offboarding.plugins.module_utils._errors import OUTCOME_UNKNOWN
from ansible_collections.m365.offboarding.plugins.plugin_utils._restore_outcome import outcome
from fakes.people import person
from fakes.records import problem, step_record
from fakes.restoring import asked, asked_of, decide, entry, evidence, nobody, opening, shut_now, shut_out

JANE, OMAR = person("jane.doe"), person("omar")
UPN = "jane.doe@contoso.com"
SHUT = entry("unchanged", {"account_enabled": False}, {"account_enabled": False})


def thing(key="1", kind="inbox_rule", status="verified", **before):
    return {
        "key": key,
        "kind": kind,
        "name": f"Thing {key}",
        "status": status,
        "before": before or {"enabled": True},
        "after": {"enabled": False},
        "note": None,
        "error": None,
    }


def names(objects):
    return [one["key"] for one in objects]


def left(**topics):
    return {name: {"status": "verified", "objects": list(objects)} for name, objects in topics.items()}


def planned_from(*also, name="jane.doe", now=None, **options):
    """Return the plan for the evidence of some runs, the first of which shut the doors."""
    runs = []
    for number, one in enumerate(also):
        content = evidence(shut_out(name, also=one))
        content["run"] = {"started_at": f"2026-11-2{number}T16:00:00Z"}
        content["started_at"] = content["run"]["started_at"]
        runs.append(content)
    return decide(opening(now or shut_now(name)), asked_of(runs, f"{name}@contoso.com"), "localhost", **options)


def only(reported):
    assert reported["error"] is None
    (one,) = reported["leavers"]
    return one


@pytest.mark.parametrize("topic", RESTORABLE)
def test_what_a_run_closed_is_handed_to_its_module(topic):
    reported = planned_from(left(**{topic: [thing("1"), thing("2", "another")]}))

    assert {name: names(objects) for name, objects in only(reported)["also"].items()} == {topic: ["1", "2"]}
    handed = reported["also"][topic][JANE["id"]]
    assert [(one["key"], one["kind"], one["name"], one["before"]) for one in handed] == [
        ("1", "inbox_rule", "Thing 1", {"enabled": True}),
        ("2", "another", "Thing 2", {"enabled": True}),
    ]


@pytest.mark.parametrize(
    ("facts", "counts"),
    [
        ({"status": "verified"}, True),
        ({"status": "accepted", "after": None}, True),
        ({"status": "failed"}, True),
        ({"status": "failed", "after": {"enabled": True}, "error": {"hint": OUTCOME_UNKNOWN}}, True),
        ({"status": "failed", "after": {"enabled": True}, "error": {"code": "internal"}}, True),
        ({"status": "failed", "after": {"enabled": True}, "error": {"code": "denied"}}, False),
        ({"status": "planned"}, False),
        ({"status": "not_applicable"}, False),
        # What was not there cannot be made again.
        ({"status": "verified", "before": None}, False),
    ],
)
def test_only_what_was_closed_or_may_have_been(facts, counts):
    reported = planned_from(left(forwarding=[{**thing(), **facts}]))

    assert bool(only(reported)["also"]) is counts


def test_of_several_runs_each_object_is_as_the_first_one_that_closed_it_found_it():
    first = left(forwarding=[thing("1", name="old"), thing("2")])
    second = left(forwarding=[thing("1", name="new")], consents=[thing("3", "consent")])

    reported = only(planned_from(first, second))["also"]

    assert names(reported["forwarding"]) == ["1", "2"]
    assert reported["forwarding"][0]["before"] == {"name": "old"}
    assert names(reported["consents"]) == ["3"]


def test_a_run_that_closed_nothing_but_this_can_be_undone():
    """Whoever was shut out long ago, and had the rest closed today."""
    steps = {"signin": SHUT, "protocols": None}
    record = shut_out(also=left(memberships=[thing("g", "membership")]))
    record["steps"] = {**record["steps"], **{name: one or SHUT for name, one in steps.items()}}
    for name in ("password", "sessions"):
        record["steps"][name] = {**record["steps"][name], "status": "unchanged"}

    reported = decide(opening(shut_now()), asked(evidence(record)), "localhost")

    assert list(only(reported)["also"]) == ["memberships"]
    assert not only(reported)["signin"]


def test_only_the_steps_that_are_asked_for():
    also = left(forwarding=[thing()], devices=[thing("d", "device")], consents=[thing("c", "consent")])

    reported = planned_from(also, steps=["signin", "devices"])

    assert list(only(reported)["also"]) == ["devices"]
    assert only(reported)["signin"]


@pytest.mark.parametrize(("kinds", "phones"), [(["device"], False), (["device", "phone"], True)])
def test_exchange_is_asked_for_phones_only_where_there_are_some(kinds, phones):
    assert planned_from(left(devices=[thing(kind, kind) for kind in kinds]))["phones"] is phones


def test_a_wipe_is_not_undone_and_that_is_said():
    reported = planned_from(left(devices=[thing("w", "phone_wipe"), thing("p", "phone")]))

    assert names(only(reported)["also"]["devices"]) == ["p"]
    assert any("was wiped, which cannot be undone" in note for note in only(reported)["notes"])


def test_sign_in_methods_cannot_be_made_again_and_that_is_said():
    reported = planned_from(left(authentication_methods=[thing("m", "fido2")]))

    assert only(reported)["also"] == {}
    assert any("cannot be restored" in note for note in only(reported)["notes"])


def test_nothing_is_made_again_for_users_who_are_refused_or_deleted():
    also = left(forwarding=[thing()])
    protected = planned_from(also, now=shut_now(protected=True))
    gone = decide(
        opening(nobody(JANE["id"], "deleted")),
        asked(evidence(shut_out(also=also))),
        "localhost",
        undelete=True,
        deleted={"users": [{"user": UPN, "id": JANE["id"], "error": None}]},
    )

    assert only(protected)["error"]["code"] == "protected"
    assert (protected["also"], gone["also"]) == ({}, {})
    assert only(gone)["undelete"]


# --- what came of it ---


def run(topic, status, **facts):
    record = {**step_record("jane.doe", status, **facts), "objects": [thing(status=status)]}
    return {"step": topic, "users": [JANE["id"]], "result": {"users": [record]}}


def result(reported):
    (one,) = reported["leavers"]
    return one


def test_it_is_reported_and_comes_before_sign_in():
    planned = planned_from(left(forwarding=[thing()], memberships=[thing("g", "membership")]))

    reported = outcome(planned, [run("forwarding", "verified"), run("memberships", "verified")])

    assert list(result(reported)["steps"]) == ["protocols", "memberships", "forwarding", "signin"]
    assert any("forwarding" in line and "on again" in line for line in reported["table"])
    assert any("memberships" in line and "member again" in line for line in reported["table"])


def test_what_cannot_be_made_again_fails_the_run_and_opens_the_doors_all_the_same():
    planned = planned_from(left(consents=[thing("c", "consent")]))

    reported = outcome(planned, [run("consents", "failed", error=problem("Authorization_RequestDenied", "No."))])

    assert (result(reported)["status"], reported["open"]) == ("failed", [JANE["id"]])
    assert "No." in reported["failures"][0]


def test_a_module_that_fails_as_a_whole_fails_everyone_in_it():
    planned = planned_from(left(devices=[thing("d", "device")]))
    runs = [{"step": "devices", "users": [JANE["id"]], "result": {"msg": "It broke.", "users": []}}]

    assert result(outcome(planned, runs))["steps"]["devices"]["status"] == "failed"


def test_what_has_not_run_yet_is_planned():
    planned = planned_from(left(devices=[thing("d", "device")]))

    assert result(outcome(planned))["steps"]["devices"]["status"] == "planned"
