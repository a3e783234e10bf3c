# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long it took to lock a leaver out: what was read or written counts, and nothing is guessed."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils._batches import unpack
from ansible_collections.m365.offboarding.plugins.plugin_utils._containment import (
    contained_in_words,
    containment,
    locked_out,
    parse_period,
)
from ansible_collections.m365.offboarding.plugins.plugin_utils._evidence import containment_summary
from ansible_collections.m365.offboarding.plugins.plugin_utils._report_model import times_in_words
from ansible_collections.m365.offboarding.plugins.plugin_utils._results import results
from fakes.records import STEPS, all_steps, kept_of, problem, read_record, run_of, step_record, unknown_record

HOUR, DAY = 3600, 86400
LEFT = "2026-11-20T12:00:00Z"
# What test records are written at, and the password of whoever was found locked out.
WRITTEN, RESET = "2026-11-20T16:00:00Z", "2026-11-20T15:00:00Z"
NOTHING = {
    "last_write_at": None,
    "surely_shut_by": None,
    "seconds_to_last_write": None,
    "seconds_to_surely_shut": None,
    "within": None,
    "late_before": False,
    "fails_audit": False,
}


def shut_now(left_at=LEFT, **facts):
    """Return the result of a leaver locked out by this run, with when each door is surely shut."""
    sure = {"password": "17:00:00", "sessions": "17:00:02", "protocols": "16:30:00"}
    runs = [
        run_of(
            step,
            step_record(
                "jane.doe",
                "verified",
                effective_by=f"2026-11-20T{sure[step]}Z" if step in sure else "2026-11-21T16:00:00Z",
                **facts.get(step, {}),
            ),
        )
        for step in STEPS
    ]
    closing = read_record("jane.doe", state="shut")
    (one,) = results([read_record("jane.doe", left_at=left_at)], steps=STEPS, runs=runs, closing=[closing])
    assert one["status"] == "contained"
    return one


def found(state="shut", left_at=LEFT, **facts):
    """Return the result of a leaver that a run found like this and did not write."""
    (one,) = results([read_record("jane.doe", state=state, left_at=left_at, **facts)], steps=STEPS, purpose="audit")
    return one


# --- periods ---


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("4h", 4 * HOUR), ("30m", 1800), ("1d", DAY), ("1d12h", DAY + 12 * HOUR), ("1h30m", 5400), (" 4h ", 4 * HOUR)],
)
def test_a_period_is_days_hours_and_minutes(text, seconds):
    assert parse_period(text) == seconds


@pytest.mark.parametrize("text", [None, "", "  "])
def test_no_period_is_none(text):
    assert parse_period(text) is None


@pytest.mark.parametrize(
    "text",
    ["4", 4, 4.5, True, "4 hours", "h", "4x", "-4h", "1.5h", "30m1h", "0h", "0m", "4h4h", "٤h", "999999h", "4H", [1]],
)
def test_what_is_not_a_period_is_refused_with_how_it_is_written(text):
    with pytest.raises(ValueError, match=r"contain_within is .* such as 4h, 30m, 1d or 1h30m"):
        parse_period(text)


# --- from leaving to the last door shut ---


def test_both_times_are_known_of_a_leaver_locked_out_by_this_run():
    reported = containment(shut_now())

    assert reported == {
        "last_write_at": WRITTEN,
        "surely_shut_by": "2026-11-21T16:00:00Z",
        "seconds_to_last_write": 4 * HOUR,
        "seconds_to_surely_shut": 28 * HOUR,
        "within": None,
        "late_before": False,
        "fails_audit": False,
    }


def test_the_last_write_counts_and_doors_that_were_found_shut_were_shut_before_it():
    runs = [run_of("protocols", step_record("jane.doe", "verified", written_at="2026-11-20T18:00:00Z"))]
    runs += [run_of(step, step_record("jane.doe", "unchanged")) for step in STEPS[:3]]
    opening = read_record("jane.doe", left_at=LEFT)
    (one,) = results([opening], steps=STEPS, runs=runs, closing=[read_record("jane.doe", state="shut")])

    reported = containment(one)

    assert (reported["last_write_at"], reported["seconds_to_last_write"]) == ("2026-11-20T18:00:00Z", 6 * HOUR)
    assert (reported["surely_shut_by"], reported["seconds_to_surely_shut"]) == (None, None)


def test_whoever_was_locked_out_before_leaving_took_no_time():
    assert containment(shut_now("2026-11-20T16:30:00Z"))["seconds_to_last_write"] == 0


def test_a_run_that_finds_everything_shut_does_not_know_when_that_was_done():
    assert containment(found(), read_at=WRITTEN) == NOTHING


def test_without_a_date_there_is_nothing_to_count_from():
    reported = containment(shut_now(left_at=None), period=60, read_at=WRITTEN)

    assert (reported["last_write_at"], reported["seconds_to_last_write"], reported["within"]) == (WRITTEN, None, None)


@pytest.mark.parametrize(
    "one",
    [
        found("open"),
        found(due=False, left_at="2026-12-01T00:00:00Z"),
        results([unknown_record()], steps=STEPS)[0],
        results([read_record(state="shut", left_at=LEFT)], steps=STEPS[:3])[0],
    ],
    ids=["open", "not due", "unknown", "partial"],
)
def test_a_leaver_who_is_not_contained_has_no_time(one):
    assert containment(one, read_at=WRITTEN) == NOTHING


def test_a_door_that_a_failed_step_did_not_shut_has_no_known_moment():
    runs = all_steps("jane.doe", sessions="failed")
    later = read_record("jane.doe", state="shut")
    later["sign_in_sessions_valid_from_date_time"] = "2026-11-20T17:00:00Z"
    (one,) = results([read_record("jane.doe", left_at=LEFT)], steps=STEPS, runs=runs, closing=[later])

    assert one["status"] == "contained"
    assert containment(one)["last_write_at"] is None


# --- what the earlier evidence knows ---


def test_an_audit_knows_it_from_the_evidence_of_the_run_that_locked_them_out():
    then = shut_now(password={"after": {"last_password_change_date_time": RESET}})

    reported = containment(found(), [locked_out(then)])

    assert (reported["last_write_at"], reported["surely_shut_by"]) == (WRITTEN, "2026-11-21T16:00:00Z")
    assert reported["seconds_to_last_write"] == 4 * HOUR


def test_and_the_next_audit_knows_it_from_that_audit():
    then = shut_now(password={"after": {"last_password_change_date_time": RESET}})
    first = found()
    first["containment"] = containment(first, [locked_out(then)])

    assert containment(found(), [locked_out(first)]) == first["containment"]


def test_another_password_since_then_means_that_they_were_in_again():
    then = shut_now()
    then["steps"]["password"]["after"] = {"last_password_change_date_time": "2026-11-20T14:00:00Z"}

    assert containment(found(), [locked_out(then)]) == NOTHING


def test_a_user_who_was_open_then_was_not_locked_out_then():
    assert containment(found(), [locked_out(found("open"))]) == NOTHING


# --- within the period? ---


@pytest.mark.parametrize(("period", "within"), [(4 * HOUR, True), (4 * HOUR - 60, False)])
def test_the_last_write_is_what_the_period_is_about(period, within):
    # It takes Microsoft up to 24 hours to apply a block: nobody could keep to four.
    assert containment(shut_now(), period=period)["within"] is within


@pytest.mark.parametrize(
    ("read_at", "within"), [("2026-11-20T16:00:00Z", None), ("2026-11-20T16:00:01Z", False)], ids=["in time", "over"]
)
@pytest.mark.parametrize("state", ["open", "unconfirmed", "refused"])
def test_whoever_is_still_open_is_late_when_the_period_is_over(state, read_at, within):
    facts = {
        "open": {},
        "unconfirmed": {"doors": {"signin": "unknown"}},
        "refused": {"wrong_person": problem("other_account", "Somebody else.")},
    }[state]
    one = found("open", **facts)

    assert containment(one, period=4 * HOUR, read_at=read_at)["within"] is within


def test_whoever_was_found_locked_out_in_time_was_locked_out_in_time():
    assert containment(found(), period=4 * HOUR, read_at="2026-11-20T15:30:00Z")["within"] is True
    assert containment(found(), period=4 * HOUR, read_at="2026-11-20T16:30:00Z")["within"] is None


def test_a_password_that_was_reset_after_the_period_is_late():
    reported = containment(found(), period=2 * HOUR, read_at="2026-11-22T00:00:00Z")

    assert (reported["within"], reported["seconds_to_last_write"]) == (False, None)


@pytest.mark.parametrize("one", [found(due=False, left_at="2026-12-01T00:00:00Z"), found("open", left_at=None)])
def test_whoever_is_not_due_or_has_no_date_is_not_late(one):
    assert containment(one, period=60, read_at="2026-11-30T00:00:00Z")["within"] is None


def judged(one, *earlier, purpose="audit"):
    return {
        **one,
        "containment": containment(one, [locked_out(then) for then in earlier], period=60, **AT, purpose=purpose),
    }


AT = {"read_at": "2026-11-22T00:00:00Z"}


def test_an_audit_fails_for_whoever_was_late_once():
    first = judged(found())
    second = judged(found(), first)
    third = judged(found(), second)

    reported = [(one["containment"]["within"], one["containment"]["fails_audit"]) for one in (first, second, third)]
    assert reported == [(False, True), (False, False), (False, False)]


def test_an_audit_fails_for_whoever_is_still_open_every_time():
    first = judged(found("open"))

    assert judged(found("open"), first)["containment"]["fails_audit"] is True


def test_an_offboarding_reports_who_was_late_and_leaves_it_to_the_audit_to_fail():
    offboarding = judged(found(), purpose="offboard")

    assert offboarding["containment"]["within"] is False
    assert offboarding["containment"]["fails_audit"] is False
    assert judged(found(), offboarding)["containment"]["fails_audit"] is True


# --- all together ---


def test_median_and_worst_are_of_those_that_are_known():
    leavers = [
        {"containment": {**NOTHING, "seconds_to_last_write": seconds, "within": within}}
        for seconds, within in ((60, True), (None, False), (7200, False), (120, True), (None, None))
    ]

    assert containment_summary(leavers, "1h") == {
        "period": "1h",
        "last_write": {"known": 3, "median_seconds": 120, "worst_seconds": 7200},
        "surely_shut": {"known": 0, "median_seconds": None, "worst_seconds": None},
        "within": 2,
        "beyond": 2,
        "not_known": 1,
    }


def test_of_nobody_nothing_is_known():
    assert containment_summary([])["last_write"] == {"known": 0, "median_seconds": None, "worst_seconds": None}


def test_evidence_of_an_earlier_version_has_no_times():
    assert containment_summary([{"user": "jane"}])["not_known"] == 1


def test_every_result_has_its_times_after_the_opening_read():
    opening = {"users": [read_record("jane.doe", state="shut", left_at=LEFT)], "read_at": "2026-11-20T15:30:00Z"}
    kept = kept_of(opening, purpose="audit", contain_within="4h")

    (one,) = unpack(kept["records"])
    assert one["containment"] == {**NOTHING, "within": True}
    assert one["steps"]["signin"]["done"] == "is shut"
    assert (kept["entry"]["contain_within"], kept["entry"]["read_at"]) == ("4h", "2026-11-20T15:30:00Z")


# --- in words ---


@pytest.mark.parametrize(
    ("one", "period", "words"),
    [
        (shut_now(), None, "Last write 4 h after leaving; surely shut 1 d 4 h after leaving."),
        (found(), None, "When it was done is not known."),
        (found(), 60, "When it was done is not known. The password now in effect was reset after the period."),
        (found("open"), 60, "Not contained, and the period is over."),
        (found("open"), None, "Not contained yet."),
        (found("open", left_at=None), 60, "When the leaver left is not known."),
        (found(due=False, left_at="2026-12-01T00:00:00Z"), 60, "Not due yet."),
    ],
)
def test_the_time_is_reported_in_a_sentence(one, period, words):
    one = {**one, "containment": containment(one, period=period, read_at="2026-11-22T00:00:00Z")}

    assert contained_in_words(one) == words


def test_the_times_of_a_tenant_are_reported_in_pairs():
    leavers = [shut_now(), found(), found("open")]
    leavers = [
        {**one, "containment": containment(one, period=4 * HOUR, read_at="2026-11-22T00:00:00Z")} for one in leavers
    ]

    assert times_in_words([{"contain_within": "4h", "leavers": leavers}]) == [
        ("Left to last write", "median 4 h, worst 4 h (known of 1 of 3)"),
        ("Left to surely shut", "median 1 d 4 h, worst 1 d 4 h (known of 1 of 3)"),
        ("Period of 4h", "1 within, 1 beyond, 1 not known"),
    ]
    assert times_in_words([{"leavers": [{"user": "jane"}]}]) == []
