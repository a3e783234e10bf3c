# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""leaver_table: what a person reads in ten seconds, in at most 92 columns."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.filter.leaver_table import FilterModule
from ansible_collections.m365.offboarding.plugins.plugin_utils._evidence import results
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.people import SWITCHES
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.records import (
    STEPS,
    P,
    S,
    all_steps,
    doors,
    problem,
    read_record,
    unknown_record,
)

table = FilterModule().filters()["leaver_table"]
WIDTH = 92
LONG = "x" * 64 + "@" + "y" * 40 + ".example"


def shown(*opening, **more):
    lines = table(results(opening, **{"steps": STEPS, **more}))
    assert max(map(len, lines)) <= WIDTH
    return lines


def test_who_is_contained_has_every_door_with_since_and_surely_by():
    record = read_record(
        "jane.doe", state="shut", surely_shut_by=dict.fromkeys(("password", "sessions"), "2026-11-20T16:00:02Z")
    )

    lines = shown(record)

    assert lines[0] == "1 of 1 leaver is contained"
    assert lines[1].split() == ["jane.doe@contoso.com", "contained"]
    assert lines[2].split() == ["password", "shut", "since", P, "surely", "by", "2026-11-20T16:00:02Z"]
    assert lines[3].split() == ["sessions", "shut", "since", S, "surely", "by", "2026-11-20T16:00:02Z"]
    assert [line.split() for line in lines[4:]] == [["signin", "shut"], ["protocols", "shut"]]


def test_open_doors_are_loud_and_all_protocols_are_counted():
    lines = shown(read_record("jane.doe"))

    assert lines[0] == "0 of 1 leaver is contained"
    assert lines[1].split() == ["jane.doe@contoso.com", "OPEN"]
    assert [line.split()[1] for line in lines[2:]] == ["OPEN"] * 4
    assert lines[5].strip() == f"protocols  OPEN (all {len(SWITCHES)})"


def test_a_few_open_protocols_are_named():
    lines = shown(read_record("jane.doe", doors={**doors("shut"), "owa": "open", "smtp_auth": "open"}))

    assert "OPEN (owa, smtp_auth)" in lines[5]


def test_a_door_that_is_not_here_and_one_that_nobody_knows():
    states = {**doors("shut"), **doors("not_applicable", ("protocols",)), "signin": "unknown"}

    lines = shown(read_record("jane.doe", doors=states))

    assert lines[4].split() == ["signin", "unconfirmed"]
    assert lines[5].strip() == "protocols  no such door here"


def test_the_moment_of_the_write_stands_where_microsoft_keeps_none():
    closing = read_record("jane.doe", state="shut")

    lines = shown(read_record("jane.doe"), runs=all_steps("jane.doe"), closing=[closing])

    assert "since 2026-11-20T16:00:00Z" in lines[4]


@pytest.mark.parametrize("state", ["open", "shut"])
def test_long_names_stay_within_the_width(state):
    lines = shown(read_record(LONG, state=state))

    assert lines[1].startswith("x" * 64)


def test_eleven_open_protocols_stay_within_the_width():
    shown(read_record("jane.doe", doors={**doors("open"), "owa": "shut"}))


def test_reasons_are_wrapped_and_told_once():
    error = problem("administrator", "A reason that takes its time. " * 12, "And a hint.")
    record = read_record("jane.doe")

    lines = shown(record, refused={record["id"]: error})

    text = " ".join(line.strip() for line in lines)
    assert text.count("And a hint.") == 1
    assert sum("!" in line for line in lines) == 1


def test_a_reason_of_one_endless_word_stays_within_the_width():
    record = read_record("jane.doe")

    shown(record, refused={record["id"]: problem("x", "w" * 500)})


def test_who_is_unknown_has_a_reason_and_no_doors():
    lines = shown(unknown_record())

    assert lines[1].split() == ["nobody@contoso.com", "FAILED"]
    assert [line.strip()[0] for line in lines[2:]] == ["!"]


def test_who_leaves_later_is_told_when():
    lines = shown(read_record("jane.doe", due=False, left_at="2026-12-01T00:00:00Z"))

    assert "not due (leaves at 2026-12-01T00:00:00Z)" in lines[1]


def test_who_has_steps_left_out_is_not_called_contained():
    lines = shown(read_record("jane.doe", doors=doors("shut", ("signin",))), steps=("signin",))

    assert lines[0] == "0 of 1 leaver is contained"
    assert "shut, as far as looked at" in lines[1]


def crowd(shut: int, opened: int):
    return [read_record(f"shut{number}", state="shut") for number in range(shut)] + [
        read_record(f"open{number}") for number in range(opened)
    ]


def test_up_to_twenty_leavers_are_all_shown_the_worst_first():
    lines = shown(*crowd(18, 2))

    names = [line.split("@")[0] for line in lines if "@" in line]
    assert lines[0] == "18 of 20 leavers are contained"
    assert (len(names), names[:2]) == (20, ["open0", "open1"])


def test_of_more_than_twenty_leavers_only_those_who_are_not_contained_are_shown():
    lines = shown(*crowd(19, 2))

    assert lines[0] == "19 of 21 leavers are contained"
    assert [line.split("@")[0] for line in lines if "@" in line] == ["open0", "open1"]


def test_the_table_of_nobody_is_one_line():
    assert table([]) == ["0 of 0 leavers are contained"]
