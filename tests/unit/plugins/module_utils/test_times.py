# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moments: with an offset or not at all."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.m365.offboarding.plugins.module_utils._times import format_moment, parse_moment
from ansible_collections.m365.offboarding.plugins.module_utils._user_input import parse_left_at

NOON = datetime.datetime(2026, 11, 20, 12, 0, tzinfo=datetime.timezone.utc)
CET = datetime.timezone(datetime.timedelta(hours=1))


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T12:00:00Z",
        "2026-11-20t12:00:00z",
        "2026-11-20 12:00:00Z",
        "2026-11-20T12:00Z",
        "2026-11-20T12:00:00.0000000Z",
        "2026-11-20T13:00:00+01:00",
        "2026-11-20T13:00:00+0100",
        "2026-11-20 13:00:00 +01:00",
        "2026-11-20T06:30:00-05:30",
        "2026-11-20T12:00:00-00:00",
        "  2026-11-20T12:00:00Z\n",
    ],
)
def test_spellings_of_one_moment(text):
    assert parse_moment(text) == NOON
    assert format_moment(parse_moment(text)) == "2026-11-20T12:00:00Z"


def test_microsofts_seven_decimals_are_kept_to_the_microsecond_and_cut_when_written():
    moment = parse_moment("2026-11-20T12:00:00.1234567Z")

    assert moment == NOON.replace(microsecond=123456)
    assert format_moment(moment) == "2026-11-20T12:00:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-20",
        "2026-11-20T12:00:00",
        "2026-11-20T12:00:00 CET",
        "20.11.2026 12:00 +01:00",
        "2026-13-20T12:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-11-20T24:00:01Z",
        "2026-11-20T12:60:00Z",
        "2026-11-20T12:00:00+25:00",
        "2026-11-20T12:00:00+01:0",
        "2026-11-20T12Z",
        "2026-324T12:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "\u0662\u0660\u0662\u0666-11-20T12:00:00Z",
    ],
)
def test_what_is_not_a_moment_with_an_offset_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"\w"):
        parse_moment(text)


def test_no_moment_stays_no_moment():
    assert format_moment(None) is None


@settings(derandomize=True, max_examples=100, deadline=None, database=None)
@given(
    st.datetimes(
        min_value=datetime.datetime(1001, 1, 1),  # noqa: DTZ001
        max_value=datetime.datetime(9998, 1, 1),  # noqa: DTZ001
    ),
    st.integers(-840, 840),
)
def test_every_moment_that_is_written_is_read_again(naive, minutes):
    moment = naive.replace(microsecond=0, tzinfo=datetime.timezone(datetime.timedelta(minutes=minutes)))

    assert parse_moment(moment.isoformat()) == moment
    assert parse_moment(format_moment(moment)) == moment


@settings(derandomize=True, max_examples=200, deadline=None, database=None)
@given(st.text(alphabet="0123456789-:.TZtz+ ", max_size=40))
@example("0001-01-01T00:00:00+23:59")
@example("9999-12-31T23:59:59.9999999-23:59")
def test_any_text_is_a_moment_or_a_value_error(text):
    try:
        moment = parse_moment(text)
    except ValueError:
        return
    assert moment.utcoffset() == datetime.timedelta(0)


# --- left_at as YAML and people give it ---


@pytest.mark.parametrize("value", [NOON, NOON.astimezone(CET), "2026-11-20 13:00:00+01:00", "2026-11-20T12:00:00Z"])
def test_left_at_may_be_a_timestamp_of_yaml(value):
    assert parse_left_at(value) == NOON


@pytest.mark.parametrize("value", [None, ""])
def test_left_at_may_be_missing(value):
    assert parse_left_at(value) is None


@pytest.mark.parametrize(
    "value",
    [
        NOON.replace(tzinfo=None),
        NOON.date(),
        1795176000,
        1795176000.0,
        True,
        [],
        {},
        "2026-11-20",
        b"2026-11-20T12:00:00Z",
    ],
)
def test_left_at_without_an_offset_is_refused_with_the_right_spelling(value):
    with pytest.raises(ValueError, match=r"2026-11-20T17:00:00\+01:00"):
        parse_left_at(value)
