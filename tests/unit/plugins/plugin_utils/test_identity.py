# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Accounts that may be somebody else's, on the controller: nobody writes to them, and nothing is proved by them."""

from __future__ import annotations

import csv
import functools
import io
import xml.etree.ElementTree as ET

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils import _results
from ansible_collections.m365.offboarding.plugins.plugin_utils._messages import person_in_words
from ansible_collections.m365.offboarding.plugins.plugin_utils._report import render
from ansible_collections.m365.offboarding.plugins.plugin_utils._results import results
from ansible_collections.m365.offboarding.plugins.plugin_utils._table import failures, table
from fakes.earlier import earlier
from fakes.records import STEPS, planned, problem, read_record
from tools import sample_evidence

counts = functools.partial(_results.for_workflow, names=False)
JANE = read_record("jane.doe")
UPN = JANE["user"]
THEN = "0e0b5e0e-0000-4000-8000-000000000001"
NEWER = problem("newer_account", f"{UPN} is a newer account of that name.", "Ask for it by its object ID.")
PERSON = {
    "department": "Sales",
    "job_title": None,
    "manager": {"id": THEN, "display_name": "Jane Roe", "user_principal_name": "jane.roe@contoso.com"},
    "user_type": "Member",
    "created_date_time": "2019-03-01T08:00:00Z",
    "employee_hire_date": None,
    "last_password_change_date_time": None,
}


def result_of(record, **more):
    (one,) = results([record], steps=STEPS, **more)
    return one


def evidence_of(**facts):
    """Evidence in which Jane's name belongs to a different account."""
    one = {**result_of(JANE), "id": THEN, **facts}
    return earlier(sample_evidence.file({"localhost": sample_evidence.host([one])}))


def stats(*ids, dry_run=True, host="localhost"):
    return {host: {"contained": list(ids[:1]), "not_contained": list(ids[1:]), "unknown": 0, "dry_run": dry_run}}


# --- who is refused ---


@pytest.mark.parametrize("state", ["open", "shut"])
@pytest.mark.parametrize("due", [True, False, None])
def test_somebody_else_is_refused_whatever_their_doors_and_their_date(state, due):
    other = read_record("jane.doe", state, wrong_person=NEWER, due=due)

    assert planned([other]) == {"write": [], "refused": {JANE["id"]: NEWER}}


def test_a_name_that_belonged_to_a_different_account_is_refused():
    reported = planned([JANE], earlier=evidence_of())

    assert reported["write"] == []
    assert reported["refused"][JANE["id"]]["code"] == "other_account"
    assert reported["refused"][JANE["id"]]["message"] == (
        f"{UPN} is now a different account: its object ID is {JANE['id']}, in the earlier evidence it was {THEN}; "
        "nothing was sent."
    )


@pytest.mark.parametrize(
    ("now", "then"),
    [
        pytest.param({"by_name": False}, {}, id="an object ID was given"),
        pytest.param({}, {"user": "john@contoso.com", "user_principal_name": "john@contoso.com"}, id="another name"),
        pytest.param({}, {"id": JANE["id"].upper()}, id="the same account"),
        pytest.param({}, {"id": None}, id="nobody then"),
        pytest.param({}, {"error": NEWER, "status": "refused"}, id="in doubt then"),
    ],
)
def test_earlier_evidence_that_does_not_speak_for_another_account_changes_nothing(now, then):
    assert planned([read_record(**now)], earlier=evidence_of(**then))["refused"] == {}


def test_a_user_who_was_known_by_that_name_under_both_ids_is_the_same():
    then = sample_evidence.file(
        {"a": sample_evidence.host([{**result_of(JANE), "id": THEN}]), "b": sample_evidence.host([result_of(JANE)])}
    )

    assert planned([JANE], earlier=earlier(then))["refused"] == {}


@pytest.mark.parametrize(
    ("reported", "written"),
    [
        pytest.param([], True, id="no workflow"),
        pytest.param([stats(JANE["id"])], True, id="looked at, contained"),
        pytest.param([stats(THEN, JANE["id"].upper())], True, id="looked at, not contained"),
        pytest.param([stats(THEN), stats(JANE["id"])], True, id="looked at by the second"),
        pytest.param([stats(THEN)], False, id="not read"),
        pytest.param([stats()], False, id="a dry run of nobody"),
        pytest.param([stats(JANE["id"], host="other")], False, id="looked at in another tenant"),
        pytest.param([stats(THEN, dry_run=False)], True, id="not a dry run"),
        pytest.param(["text", None, {"localhost": "text"}, {"localhost": {"dry_run": "yes"}}], True, id="nonsense"),
    ],
)
def test_only_accounts_seen_by_the_dry_run_are_written(reported, written):
    decided = planned([JANE], stats=reported, host="localhost")

    assert bool(decided["write"]) is written
    assert [error["code"] for error in decided["refused"].values()] == ([] if written else ["other_account"])


def test_an_object_id_is_bound_by_the_dry_run_too():
    assert planned([read_record(by_name=False)], stats=[stats(THEN)], host="localhost")["write"] == []


# --- what is reported of them ---


@pytest.mark.parametrize("state", ["open", "shut"])
def test_the_doors_of_somebody_else_prove_nothing(state):
    for one in (
        result_of(read_record("jane.doe", state, wrong_person=NEWER)),
        result_of(read_record("jane.doe", state), refused={JANE["id"]: NEWER}),
    ):
        assert (one["status"], one["contained"], one["error"]) == ("refused", False, NEWER)
        assert bool(one["open"]) is (state == "open")
        assert counts([one])["not_contained"] == [JANE["id"]]
        assert NEWER["message"] in failures([one], fail_on=["failed"])[0]


def test_a_dashboard_of_tests_is_reported_too_where_every_door_is_shut():
    one = result_of(read_record("jane.doe", "shut", wrong_person=NEWER))
    evidence = sample_evidence.file({"localhost": sample_evidence.host([one])})

    errors = ET.fromstring(render(evidence, "xml")).findall(".//error")

    assert [error.get("type") for error in errors] == ["newer_account"]


def test_a_refusal_for_another_reason_is_reported_as_usual():
    one = result_of(read_record("jane.doe", "shut"), refused={JANE["id"]: problem("protected", "Protected.")})

    assert (one["status"], one["contained"]) == ("contained", True)


# --- who it is ---


def test_one_line_says_who_it_is():
    one = {"display_name": "Sam Smith", "person": PERSON}

    assert person_in_words(one) == "Sam Smith · Sales · manager Jane Roe · member since 2019-03-01"


@pytest.mark.parametrize(
    ("facts", "reported"),
    [
        ({"job_title": "Clerk", "last_password_change_date_time": "2026-08-29T09:12:44Z"}, "Sales · Clerk"),
        ({"last_password_change_date_time": "2026-08-29T09:12:44Z"}, "· password of 2026-08-29"),
        ({"user_type": "Guest"}, "· guest since 2019-03-01"),
        ({"user_type": "Guest", "created_date_time": None}, "manager Jane Roe · guest"),
        ({"user_type": None}, "· account since 2019-03-01"),
        ({"manager": {"id": THEN, "display_name": None, "user_principal_name": "x@y.zz"}}, "manager x@y.zz"),
        ({"manager": None}, "Sales · member since"),
        ({"department": "Sales\nand more"}, "Sales and more"),
        ({"department": "D" * 70}, f"{'D' * 59}… ·"),
    ],
)
def test_what_is_known_stands_in_the_line_and_what_is_not_is_left_out(facts, reported):
    assert reported in person_in_words({"display_name": "Sam Smith", "person": {**PERSON, **facts}})


@pytest.mark.parametrize("person", [None, {}])
def test_nothing_is_said_of_a_user_who_could_not_be_read(person):
    assert person_in_words({"display_name": None, "person": person}) == ""


def test_the_line_stands_below_the_name_within_the_width():
    lines = table([result_of(read_record(**PERSON, display_name="S" * 60))])

    assert lines[2].startswith(f"  {'S' * 60} · Sales")
    assert max(map(len, lines)) <= 88


def test_the_csv_reports_it_in_columns():
    evidence = sample_evidence.file({"localhost": sample_evidence.host([result_of(read_record(**PERSON))])})

    (row,) = csv.DictReader(io.StringIO(render(evidence, "csv").removeprefix("\ufeff")))

    first = list(row).index("person_department")
    assert list(row)[first : first + 7] == [
        "person_department",
        "person_job_title",
        "person_manager",
        "person_user_type",
        "person_created",
        "person_hired",
        "person_password_changed",
    ]
    assert list(row.values())[first : first + 7] == ["Sales", "", "Jane Roe", "Member", "2019-03-01T08:00:00Z", "", ""]


def test_the_page_for_people_has_the_line():
    evidence = sample_evidence.file({"localhost": sample_evidence.host([result_of(read_record(**PERSON))])})

    assert "Jane Doe · Sales · manager Jane Roe · member since 2019-03-01" in render(evidence, "html")
