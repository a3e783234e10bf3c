# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the run fails, and with which sentences."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils._fail_on import left_out
from ansible_collections.m365.offboarding.plugins.plugin_utils._results import results
from ansible_collections.m365.offboarding.plugins.plugin_utils._table import failures, table
from fakes.records import STEPS, all_steps, doors, problem, read_record, unknown_record

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
def test_open_doors_alone_fail_unless_set_otherwise_and_refused_and_failed_always(kind, always, on_open):
    leavers = result(kind)

    assert bool(failures(leavers)) is on_open
    assert bool(failures(leavers, fail_on=["new", "open", "failed"])) is on_open
    assert bool(failures(leavers, fail_on=["failed"])) is always


def test_a_sentence_names_the_leaver_the_doors_and_the_reason_once():
    (sentence,) = failures(result("refused"))

    assert sentence.startswith("jane.doe@contoso.com: open: password, sessions, signin, all 12 protocols; ")
    assert sentence.count("It is protected. Ask somebody.") == 1


def test_what_could_not_be_confirmed_is_not_called_open():
    (sentence,) = failures(result("unconfirmed"))

    assert "unconfirmed: owa" in sentence
    assert "open:" not in sentence


def test_a_user_who_is_not_found_is_reported_under_the_given_name():
    (sentence,) = failures(result("unknown"))

    assert sentence.startswith("nobody@contoso.com: ")
    assert "There is no user" in sentence


def test_a_thousand_are_named_and_the_rest_is_counted():
    # AWX throws away what is larger than 700,000 bytes.
    reported = failures(result("open") * 1_002)

    assert reported[0].count("jane.doe@contoso.com") == 1_000
    assert reported[0].endswith("jane.doe@contoso.com [1] [2]: open: password, sessions, signin, all 12 protocols")
    assert reported[1] == "and 2 more, see the report"
    assert [line.partition(" people")[0] for line in reported[2:]] == ["[1] 1002", "[2] 1002"]
    assert sum(map(len, reported)) < 700_000


DENIED = "Could not reset the password of {}@contoso.com: the application lacks a role."


def refused(*names, message=DENIED):
    """Return the results of leavers who were refused for reasons that differ by their names."""
    opening = [read_record(name) for name in names]
    why = {
        record["id"]: problem("denied", message.format(name), "Give it one.")
        for name, record in zip(names, opening, strict=True)
    }
    return results(opening, steps=STEPS, refused=why)


def test_a_reason_that_differs_by_the_name_alone_is_reported_once_with_the_number_of_people():
    reported = failures([*refused("ann", "bob", "cid", "dan"), *result("unknown")])

    names = ", ".join(f"{name}@contoso.com" for name in ("ann", "bob", "cid", "dan"))
    assert reported[0] == f"{names} [1]: open: password, sessions, signin, all 12 protocols"
    assert reported[1].startswith("nobody@contoso.com: There is no user")
    assert reported[2:] == [
        "[1] 4 people: Could not reset the password of the leaver: the application lacks a role. Give it one."
    ]


def test_up_to_three_of_whom_the_same_is_to_be_said_have_a_sentence_each():
    reported = failures(refused("ann", "bob", "cid"))

    assert [line.partition(" ")[0] for line in reported[:3]] == [
        f"{name}@contoso.com" for name in ("ann", "bob", "cid")
    ]


def test_a_reason_that_begins_with_the_name_is_still_a_sentence():
    reported = failures(refused("ann", "bob", message="{}@contoso.com is protected."))

    assert reported[-1] == "[1] 2 people: The leaver is protected. Give it one."


def test_a_name_within_another_name_is_not_taken_for_it():
    reported = failures(refused("ann", "bob", message="The manager of {0}@contoso.com is joe.{0}@contoso.com."))

    assert "The manager of ann@contoso.com is joe.ann@contoso.com." in reported[0]
    assert len(reported) == 2


def test_a_dry_run_leaves_out_whoever_would_not_be_offboarded_if_others_would():
    leavers = [*result("open"), *result("unknown"), *result("refused"), *result("not_due"), *result("contained")]

    spared = left_out(leavers)

    assert [one["status"] for one in spared] == ["failed", "refused", "not_due"]
    assert failures(leavers, fail_on=["failed"], fail_on_not_due=True, left_out=spared) == []
    assert len(failures(leavers, fail_on_not_due=True, left_out=spared)) == 1
    assert table(leavers, left_out=spared)[1].startswith("left out, 3 of 5: nobody@contoso.com, jane.doe@contoso.com")


def test_a_dry_run_after_which_nobody_would_be_offboarded_fails():
    leavers = [*result("unknown"), *result("contained")]

    assert left_out(leavers) == []
    assert len(failures(leavers, fail_on=["failed"], left_out=left_out(leavers))) == 1
