# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""leavers_in_doubt: whose closing read contradicts what every step told."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.filter.leavers_in_doubt import FilterModule
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.records import (
    STEPS,
    all_steps,
    read_record,
    unknown_record,
)

in_doubt = FilterModule().filters()["leavers_in_doubt"]
JANE = "jane.doe"
OPEN, SHUT = read_record(JANE), read_record(JANE, state="shut")


@pytest.mark.parametrize("status", ["unchanged", "verified", "accepted", "not_applicable"])
def test_done_and_yet_open_is_in_doubt(status):
    assert in_doubt([OPEN], all_steps(JANE, status)) == [OPEN["id"]]


def test_done_and_shut_is_not_in_doubt():
    assert in_doubt([SHUT], all_steps(JANE)) == []


@pytest.mark.parametrize("status", ["failed", "refused", "planned", "not_due"])
@pytest.mark.parametrize("step", STEPS)
def test_an_open_door_of_who_is_not_done_is_no_surprise(status, step):
    assert in_doubt([OPEN], all_steps(JANE, **{step: status})) == []


def test_a_module_without_records_leaves_nobody_in_doubt():
    run = {"step": "signin", "users": [{"user": OPEN["id"]}], "result": {"msg": "no token"}}

    assert in_doubt([OPEN], [run]) == []


def test_done_and_no_longer_readable_is_in_doubt():
    unread = read_record(JANE, status="failed", doors={"signin": "unknown"})

    assert in_doubt([unread], all_steps(JANE)) == [unread["id"]]


def test_who_is_not_found_again_is_named_by_the_id_that_was_asked_for():
    gone = {**unknown_record(), "user": OPEN["id"]}

    assert in_doubt([gone], all_steps(JANE)) == [OPEN["id"]]
