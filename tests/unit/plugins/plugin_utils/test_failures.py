# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the run fails, and with which sentences."""

from __future__ import annotations

import functools

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils import _table
from ansible_collections.m365.offboarding.plugins.plugin_utils._results import results
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.records import (
    STEPS,
    all_steps,
    doors,
    problem,
    read_record,
    unknown_record,
)

failures = functools.partial(_table.failures, fail_on_open=True)
JANE = "jane.doe"


def result(kind):
    opening, runs, closing, refused, steps = read_record(JANE), all_steps(JANE), [], {}, STEPS
    if kind == "open":
        closing = [read_record(JANE)]
    elif kind == "contained":
        closing = [read_record(JANE, state="shut")]
    elif kind == "unconfirmed":
        closing = [read_record(JANE, doors={**doors("shut"), "owa": "unknown"})]
    elif kind == "failed":
        runs = all_steps(JANE, signin="failed")
    elif kind == "refused":
        runs, refused = [], {opening["id"]: problem("protected", "It is protected.", "Ask somebody.")}
    elif kind == "not_due":
        opening, runs = read_record(JANE, due=False, left_at="2026-12-01T00:00:00Z"), []
    elif kind == "partial":
        opening, runs, steps = read_record(JANE, doors=doors("shut", ("signin",))), [], ("signin",)
    elif kind == "unknown":
        opening, runs = unknown_record(), []
    return results([opening], steps=steps, runs=runs, closing=closing, refused=refused)


@pytest.mark.parametrize(
    ("kind", "always", "on_open"),
    [
        ("contained", False, False),
        ("not_due", False, False),
        ("partial", False, False),
        ("open", False, True),
        ("unconfirmed", False, True),
        ("refused", True, True),
        ("failed", True, True),
        ("unknown", True, True),
    ],
)
def test_open_doors_alone_fail_unless_told_otherwise_and_refused_and_failed_always(kind, always, on_open):
    leavers = result(kind)

    assert bool(failures(leavers)) is on_open
    assert bool(failures(leavers, fail_on_open=True)) is on_open
    assert bool(failures(leavers, fail_on_open=False)) is always


def test_a_sentence_names_the_leaver_the_doors_and_the_reason_once():
    (sentence,) = failures(result("refused"))

    assert sentence.startswith("jane.doe@contoso.com: open: password, sessions, signin, activesync")
    assert sentence.count("It is protected. Ask somebody.") == 1


def test_what_could_not_be_confirmed_is_not_called_open():
    (sentence,) = failures(result("unconfirmed"))

    assert "unconfirmed: owa" in sentence
    assert "open:" not in sentence


def test_who_is_not_found_is_named_as_asked():
    (sentence,) = failures(result("unknown"))

    assert sentence.startswith("nobody@contoso.com: ")
    assert "There is no user" in sentence


def test_a_thousand_are_named_and_the_rest_is_counted():
    # AWX throws away what is larger than 700,000 bytes.
    told = failures(result("open") * 1_002)

    assert len(told) == 1_001
    assert told[-1] == "and 2 more, see the report"
    assert sum(map(len, told)) < 700_000
