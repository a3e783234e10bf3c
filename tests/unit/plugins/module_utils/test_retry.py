# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long is waited: Retry-After, our own back-off, and `retry_timeout`."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils._retry import Clock, RetryBudget, http_date, retry_after
from fakes.calls import ANN, BOB, CID, JANE, ask, block, http_dates, statuses
from fakes.clock import NOW
from fakes.turns import enable, read, throttled

FAR_AWAY = [("21600", 21600), (http_dates(21600), 21600), ("1e9", 1e9)]
REPORTED = [
    pytest.param("10", 10, id="whole"),
    pytest.param("2.128", 2.128, id="decimal"),
    pytest.param(" 7 ", 7, id="with blanks"),
    pytest.param("0", 0.5, id="zero: half a second"),
    pytest.param(http_dates(12), 12, id="HTTP date"),
    pytest.param(http_dates(-3600), 1, id="HTTP date in the past: a minimum"),
    pytest.param(http_dates(0), 1, id="HTTP date that is now: a minimum"),
    pytest.param(None, 1, id="nothing reported: own back-off"),
    pytest.param("soon", 1, id="garbage: own back-off"),
    pytest.param("-5", 1, id="negative: own back-off"),
    pytest.param("-0.5", 1, id="a little negative: own back-off"),
    pytest.param("nan", 1, id="not a number: own back-off"),
    pytest.param("inf", 1, id="infinite: own back-off"),
    pytest.param("", 1, id="empty: own back-off"),
    pytest.param("5, 10", 1, id="two values: own back-off"),
]


@pytest.mark.parametrize(("reported", "waits"), REPORTED)
@pytest.mark.parametrize("call", [(ask, read(JANE)), (block, enable(JANE, False))], ids=["read", "write"])
def test_a_throttled_call_is_sent_again_after_exactly_the_told_wait(graph, wire, clock, reported, waits, call):
    send, turn = call
    wire.expect_each(turn.but(throttled(reported)), turn)

    assert statuses(send(graph, JANE)) == [turn.reply.status]
    assert clock.naps == [pytest.approx(waits)]


@pytest.mark.parametrize(("reported", "waits"), REPORTED)
def test_of_a_batch_only_the_throttled_are_sent_again(graph, wire, clock, reported, waits):
    wire.expect(read(ANN), read(BOB).but(throttled(reported)), read(CID))
    wire.expect(read(BOB))

    assert statuses(ask(graph, ANN, BOB, CID)) == [200, 200, 200]
    assert clock.naps == [pytest.approx(waits)]


def test_of_a_batch_all_throttled_wait_for_the_longest(graph, wire, clock):
    wire.expect(read(ANN).but(throttled("3")), read(BOB).but(throttled("8")), read(CID))
    wire.expect(read(ANN), read(BOB))

    assert statuses(ask(graph, ANN, BOB, CID)) == [200, 200, 200]
    assert clock.naps == [8]


def test_a_batch_that_is_throttled_as_a_whole_is_sent_again_as_a_whole(graph, wire, clock):
    wire.expect(read(ANN), read(BOB), whole=throttled("5"))
    wire.expect(read(ANN), read(BOB))

    assert statuses(ask(graph, ANN, BOB)) == [200, 200]
    assert clock.naps == [5]


@pytest.mark.parametrize(("reported", "seconds"), FAR_AWAY)
def test_a_wait_of_hours_is_a_failure_that_names_it(graph, wire, clock, reported, seconds):
    wire.expect(read(JANE).but(throttled(reported)))

    (error,) = ask(graph, JANE)

    assert error.code == "TooManyRequests"
    assert f"{seconds:g} s" in error.hint
    assert "retry_timeout (300 s)" in error.hint
    assert clock.naps == []


def test_a_wait_that_would_exceed_what_is_left_of_retry_timeout_is_not_begun(make_graph, wire, clock):
    wire.expect_each(*[read(JANE).but(throttled("40"))] * 3)

    (error,) = ask(make_graph(retry_timeout=100), JANE)

    assert clock.naps == [40, 40]
    assert "after 80 s of waiting" in error.hint


def test_back_off_doubles_up_to_half_a_minute_and_ends_within_retry_timeout(graph, wire, clock):
    wire.expect_each(*[read(JANE).but(throttled())] * 14)

    assert statuses(ask(graph, JANE)) == [429]
    assert clock.naps == [1, 2, 4, 8, 16] + [30] * 8
    assert clock.passed <= 300


def test_jitter_spreads_over_the_upper_half():
    drawn = [Clock().jitter() for _draw in range(1_000)]

    assert 0.5 <= min(drawn) < 0.55
    assert 0.95 < max(drawn) <= 1


def test_jitter_makes_back_off_shorter_never_longer(clock):
    assert RetryBudget(300, clock).next_wait(None) == 1
    clock.jitter = lambda: 0.5
    assert RetryBudget(300, clock).next_wait(None) == 0.5
    assert RetryBudget(300, clock).next_wait(10) == 10


@pytest.mark.parametrize("reported", ["Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -2359", "1e300"])
def test_a_wait_until_the_end_of_time_is_a_failure_or_our_own_back_off(graph, wire, clock, reported):
    wire.expect_each(
        *[read(JANE).but(throttled(reported))] * (2 if "-2359" in reported else 1),
        *[read(JANE)] * ("-2359" in reported),
    )
    outcome = ask(graph, JANE)

    assert clock.passed < 300
    assert statuses(outcome) == ([200] if "-2359" in reported else [429])


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Fri, 20 Nov 2026 16:00:00 GMT", NOW),
        ("Fri, 20 Nov 2026 17:00:00 +0100", NOW),
        ("Fri, 20 Nov 2026 16:00:00 -0000", NOW),
        ("Friday, 20-Nov-26 16:00:00 GMT", NOW),
        (None, None),
        ("", None),
        ("2026-11-20T16:00:00Z", None),
        ("Fri, 20 Nov 99999 16:00:00 GMT", None),
        ("Fri, 20 Nov 2026 16:00:00 +9999", None),
        ("Fri, 20 Nov 2026 16:00:00 +99999999999999999999", None),
    ],
)
def test_http_dates_are_read_or_passed_over(text, moment):
    assert http_date(text) == moment


def test_a_date_to_wait_for_is_held_against_microsofts_clock_not_ours():
    assert retry_after({"retry-after": http_dates(30)}, NOW) == 30
    assert retry_after({"retry-after": http_dates(30)}, NOW + datetime.timedelta(seconds=20)) == 10
