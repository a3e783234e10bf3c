# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which results fail a run, for every choice of offboard_employee_fail_on."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils._exceptions import accept, parse_exceptions
from ansible_collections.m365.offboarding.plugins.plugin_utils._fail_on import FAIL_ON, fatal, parse_fail_on
from ansible_collections.m365.offboarding.plugins.plugin_utils._results import results
from fakes.earlier import earlier, with_since
from fakes.records import STEPS, doors, problem, read_record, unknown_record
from tools import sample_evidence

SHUT = read_record("otto.offboarded", state="shut")
OWA = read_record("jane.doe", doors={**doors("shut"), "owa": "open"})
OWA_UNKNOWN = read_record("jane.doe", doors={**doors("shut"), "owa": "unknown"})
NOBODY = unknown_record("typo@contoso.com")
DELETED = {**unknown_record("dora@contoso.com"), "error": problem("deleted", "dora@contoso.com was deleted.")}
LATER = read_record("lena.leaving", due=False, left_at="2027-12-01T00:00:00Z")
SUBSETS = [set(some) for size in (1, 2, 3) for some in itertools.combinations(FAIL_ON, size)]


def reported(*records, then=None, refused=None, exceptions=(), today="2026-11-27"):
    """Return the results of an audit, compared with an earlier one."""
    made = accept(results(records, steps=STEPS, refused=refused), exceptions, today)
    if then is None:
        return made
    return with_since(made, earlier(sample_evidence.file({"localhost": sample_evidence.host(then)})))


def fails(leavers, fail_on):
    return [one["user"] for one in fatal(leavers, fail_on)]


@pytest.mark.parametrize("fail_on", SUBSETS, ids=lambda some: "+".join(sorted(some)))
def test_contained_deleted_and_not_due_never_fail(fail_on):
    assert fails(reported(SHUT, DELETED, LATER), fail_on) == []


@pytest.mark.parametrize("fail_on", SUBSETS, ids=lambda some: "+".join(sorted(some)))
def test_without_earlier_evidence_every_open_door_is_new(fail_on):
    expected = [OWA["user"]] if fail_on & {"new", "open"} else []
    assert fails(reported(SHUT, OWA), fail_on) == expected
    # As in evidence that does not know the leaver.
    assert fails(reported(SHUT, OWA, then=reported(SHUT)), fail_on) == expected


@pytest.mark.parametrize("fail_on", SUBSETS, ids=lambda some: "+".join(sorted(some)))
def test_a_door_of_which_the_earlier_evidence_reported_is_open_and_not_new(fail_on):
    expected = [OWA["user"]] if "open" in fail_on else []
    assert fails(reported(OWA, then=reported(OWA)), fail_on) == expected


@pytest.mark.parametrize(
    ("then", "now", "fatal_as_new"),
    [
        (SHUT, OWA, True),
        (OWA, OWA, False),
        # A second door beside one that is known.
        (OWA, read_record("jane.doe", doors={**doors("shut"), "owa": "open", "imap": "open"}), True),
        (OWA, OWA_UNKNOWN, False),
        (OWA_UNKNOWN, OWA, True),
        (OWA_UNKNOWN, OWA_UNKNOWN, False),
        (read_record("jane.doe", state="shut"), OWA_UNKNOWN, True),
        (read_record("jane.doe", doors=doors("shut", STEPS[:3])), OWA, True),
    ],
)
def test_new_is_what_no_earlier_report_had(then, now, fatal_as_new):
    assert bool(fails(reported(now, then=reported(then)), {"new"})) is fatal_as_new


@pytest.mark.parametrize("fail_on", SUBSETS, ids=lambda some: "+".join(sorted(some)))
def test_whoever_could_not_be_read_is_a_failure_and_has_no_open_door(fail_on):
    assert fails(reported(SHUT, NOBODY), fail_on) == ([NOBODY["user"]] if "failed" in fail_on else [])


@pytest.mark.parametrize("fail_on", SUBSETS, ids=lambda some: "+".join(sorted(some)))
def test_whoever_was_refused_is_a_failure_and_so_are_their_doors(fail_on):
    refused = {OWA["id"]: problem("protected", "It is protected.")}
    assert fails(reported(SHUT, OWA, refused=refused), fail_on) == [OWA["user"]]
    # Known already, only the refusal fails.
    then = reported(OWA)
    expected = [OWA["user"]] if fail_on & {"open", "failed"} else []
    assert fails(reported(SHUT, OWA, refused=refused, then=then), fail_on) == expected


@pytest.mark.parametrize("fail_on", SUBSETS, ids=lambda some: "+".join(sorted(some)))
def test_a_run_that_could_read_nobody_fails_whatever_was_chosen(fail_on):
    assert fails(reported(NOBODY), fail_on) == [NOBODY["user"]]
    accepted = parse_exceptions(
        [
            (
                "entry 1",
                {"user": NOBODY["user"], "doors": "all", "reason": "r", "accepted_by": "a", "until": "2026-12-31"},
            )
        ],
        "2026-11-27",
    )
    assert fails(reported(NOBODY, exceptions=accepted), fail_on) == [NOBODY["user"]]
    assert fails(reported(NOBODY, SHUT, exceptions=accepted), fail_on) == []


def test_leavers_who_are_not_due_fail_only_where_that_was_chosen():
    assert fails(reported(LATER), FAIL_ON) == []
    assert [one["user"] for one in fatal(reported(LATER), FAIL_ON, not_due=True)] == [LATER["user"]]


@pytest.mark.parametrize("fail_on", SUBSETS, ids=lambda some: "+".join(sorted(some)))
def test_a_door_that_was_shut_fails_also_where_the_leaver_is_not_due_any_more(fail_on):
    then = reported(read_record("lena.leaving", state="shut"))
    assert fails(reported(LATER, SHUT, then=then), fail_on) == ([LATER["user"]] if fail_on & {"new", "open"} else [])


@pytest.mark.parametrize("fail_on", SUBSETS, ids=lambda some: "+".join(sorted(some)))
def test_an_exception_that_has_ended_is_new_the_day_after(fail_on):
    entry = {"user": OWA["id"], "doors": "owa", "reason": "r", "accepted_by": "a", "until": "2026-11-27"}
    accepted = parse_exceptions([("entry 1", entry)], "2026-11-27")
    today = reported(OWA, SHUT, exceptions=accepted, today="2026-11-27")
    assert fails(today, fail_on) == []
    tomorrow = reported(OWA, SHUT, exceptions=accepted, today="2026-11-28", then=today)
    assert fails(tomorrow, fail_on) == ([OWA["user"]] if fail_on & {"new", "open"} else [])


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        (["new", "open", "failed"], FAIL_ON),
        ("failed, new", ("new", "failed")),
        (["failed", "failed"], ("failed",)),
        ("open", ("open",)),
    ],
)
def test_values_are_a_list_or_a_text_with_commas(value, parsed):
    assert parse_fail_on(value) == parsed


@pytest.mark.parametrize("value", [[], "", " , ", None, ["opened"], "never", ["new", "none"], True, {"new": 1}])
def test_anything_else_is_refused(value):
    with pytest.raises(ValueError, match=r"offboard_employee_fail_on .*new, open, failed"):
        parse_fail_on(value)
