# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is closed besides the doors: what is read afterwards, what came of it, and how it is reported."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils._doors import ALSO
from ansible_collections.m365.offboarding.plugins.module_utils._topics import TOPICS
from ansible_collections.m365.offboarding.plugins.plugin_utils._also import (
    entries,
    not_closed,
    rows,
    second_line,
    still_residual,
    topics_after,
)
from ansible_collections.m365.offboarding.plugins.plugin_utils._results import results
from ansible_collections.m365.offboarding.plugins.plugin_utils._table import failures, table
from fakes.records import all_steps, problem, read_record, run_of, step_record

LACKS = problem("Authorization_RequestDenied", "Could not delete consent x of jane.", "Grant it.")


def found(state="found"):
    return {
        "state": state,
        "found": [{"text": "A thing."}] if state == "found" else [],
        "permission": "P",
        "error": None,
    }


def leaver(also, residual=None):
    return {"also": also, "residual": residual or {}}


def entry(status, *objects, error=None):
    return {"status": status, "error": error, "objects": [{"status": one} for one in objects]}


# --- what is read afterwards ---


def test_nothing_more_is_read_where_nothing_is_closed():
    assert topics_after([], ["phones"]) == []


@pytest.mark.parametrize("name", ALSO)
def test_what_belongs_to_a_topic_is_read_with_owned_applications(name):
    topics = topics_after([name], [])

    assert topics[-1] == "applications"
    assert set(topics) <= set(TOPICS)


def test_what_was_asked_for_is_read_again_and_each_topic_once():
    assert topics_after(["consents"], ["delegates", "consents"]) == ["delegates", "consents", "applications"]
    assert topics_after(["consents"], ["delegates", "all"]) == ["all"]


# --- what came of it ---


@pytest.mark.parametrize(
    ("facts", "refused", "went", "status"),
    [
        ({}, None, True, "pending"),
        ({"id": None, "error": LACKS}, None, False, "failed"),
        ({}, LACKS, False, "refused"),
        ({"due": False}, None, False, "not_due"),
        ({}, None, False, "not_applicable"),
    ],
)
def test_a_leaver_who_did_not_go_through_a_step_has_the_reason(facts, refused, went, status):
    opening = {**read_record(), **facts}

    assert entries(["consents"], {}, opening, refused, went=went)["consents"]["status"] == status


def test_results_join_records_by_topic_and_what_was_read_last():
    jane = read_record("jane.doe", "open", residual={"consents": found(), "delegates": found()})
    closed = read_record("jane.doe", "shut", residual={"consents": found("none")})
    record = {**step_record("jane.doe", "verified"), "objects": [{"key": "a", "status": "verified"}]}
    users = [{"user": jane["id"]}]
    runs = [*all_steps("jane.doe"), {"step": "consents", "users": users, "result": {"users": [record]}}]

    (one,) = results([jane], steps=["signin"], runs=runs, closing=[closed], also=["consents", "devices"])

    assert one["also"]["consents"]["objects"] == record["objects"]
    assert one["also"]["devices"]["status"] == "pending"
    assert {topic: reported["state"] for topic, reported in one["residual"].items()} == {
        "consents": "none",
        "delegates": "found",
    }


def test_a_module_that_failed_as_a_whole_failed_for_everybody():
    jane = read_record("jane.doe", "open")
    run = run_of("consents", msg="It broke.")
    runs = [{**run, "users": [{"user": jane["id"]}], "result": {"msg": "It broke."}}]

    (one,) = results([jane], steps=["signin"], runs=runs, also=["consents"])

    assert (one["also"]["consents"]["status"], one["also"]["consents"]["error"]["message"]) == ("failed", "It broke.")


def test_without_it_a_result_does_not_speak_of_it():
    (one,) = results([read_record()], steps=["signin"])

    assert "also" not in one


# --- how it is reported ---


@pytest.mark.parametrize(
    ("reported", "line"),
    [
        (entry("verified", "verified", "verified"), "closed (2)"),
        (entry("verified", "verified", "not_applicable"), "closed (1), 1 left as it is"),
        (entry("unchanged", "not_applicable", "not_applicable"), "nothing to close, 2 left as they are"),
        (entry("unchanged"), "nothing to close"),
        (entry("planned", "planned"), "would be closed (1)"),
        (entry("failed", "failed", error=LACKS), "NOT CLOSED"),
    ],
)
def test_a_line_for_each_topic(reported, line):
    assert rows(leaver({"consents": reported})) == [f"  consents: {line}"]


def test_why_something_is_not_closed():
    also = {
        "consents": entry("failed", error=LACKS),
        "devices": entry("accepted"),
        "forwarding": entry("pending"),
        "memberships": entry("verified"),
    }

    assert not_closed(leaver(also)) == [
        "not closed: consents: Could not delete consent x of jane. Grant it.",
        "not closed: devices: The service had not shown it within verify_timeout.",
        "not closed: forwarding: not reached",
    ]


def test_the_second_line_says_what_each_person_has_left():
    left = leaver({"consents": entry("verified")}, {"consents": found("none"), "applications": found()})
    unseen = leaver({"consents": entry("failed")}, {"consents": found("not_looked_at")})

    assert still_residual(left) == ["applications"]
    assert second_line([left]) == ["still residual: applications"]
    assert second_line([left, unseen]) == ["still residual: applications of 1, consents (not read) of 1"]
    assert second_line([leaver({"consents": entry("verified")}, {"consents": found("none")})]) == [
        "still residual: nothing in the topics that were read"
    ]
    assert second_line([{"residual": {"consents": found()}}]) == []


def test_residual_access_fails_the_run_only_where_that_is_asked_for():
    jane = read_record("jane.doe", "shut", residual={"applications": found()})
    (one,) = results([jane], steps=["password", "sessions", "signin", "protocols"], also=["consents"])

    assert one["contained"]
    assert failures([one]) == []
    assert failures([one], fail_on_residual=True) == ["jane.doe@contoso.com: still residual: applications"]
    assert table([one])[1] == "still residual: applications"
