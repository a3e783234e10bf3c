# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which leavers go through the steps, and which are refused."""

from __future__ import annotations

import pytest

from fakes.records import doors, planned, problem, read_record, unknown_record

JANE = read_record("jane.doe")
PROTOCOLS = JANE["mailbox_protocols"]


def test_a_user_who_has_an_open_door_is_written_by_object_id():
    written = {"user": JANE["id"], "directory_roles": [], "protocols": PROTOCOLS}

    assert planned([JANE]) == {"write": [written], "refused": {}}


@pytest.mark.parametrize("state", ["shut", "unknown", "not_applicable"])
@pytest.mark.parametrize("known", [True, False])
def test_how_a_mailbox_was_read_goes_along_only_where_it_shows_an_open_door(state, known):
    mail = dict.fromkeys(PROTOCOLS, state)
    one = read_record(doors={**doors("open"), **mail})
    one["mailbox_protocols"] = dict.fromkeys(PROTOCOLS, False) if known else None

    assert planned([one])["write"] == [{"user": JANE["id"], "directory_roles": []}]
    one["doors"]["owa"] = "open"
    assert ("protocols" in planned([one])["write"][0]) is known


def test_the_left_at_that_was_found_goes_along():
    left = "2026-11-20T12:00:00Z"

    assert planned([read_record(left_at=left)])["write"] == [
        {"user": JANE["id"], "left_at": left, "directory_roles": [], "protocols": PROTOCOLS}
    ]


def test_roles_that_were_not_read_are_left_to_the_steps():
    unread = read_record(directory_roles=None, directory_roles_error=problem("http_403", "Not allowed."))

    assert planned([unread], allow_admins=True)["write"] == [{"user": JANE["id"], "protocols": PROTOCOLS}]


@pytest.mark.parametrize(
    ("states", "written"),
    [
        (doors("shut"), False),
        (doors("not_applicable"), False),
        (doors("unknown"), True),
        ({**doors("shut"), "owa": "open"}, True),
        ({**doors("shut"), "owa": "unknown"}, True),
        ({**doors("shut"), "password": "not_applicable"}, False),
    ],
    ids=["shut", "no doors", "unknown", "one open", "one unknown", "shut as far as there are doors"],
)
def test_only_leavers_with_a_door_not_known_to_be_shut_are_written(states, written):
    assert bool(planned([read_record(doors=states)])["write"]) is written


def test_a_user_who_was_found_and_may_leave_later_is_refused():
    reported = planned([read_record(due=None)])

    assert reported["write"] == []
    error = reported["refused"][JANE["id"]]
    assert error["code"] == "leave_date_unread"
    assert "User-LifeCycleInfo.Read.All" in error["hint"]


@pytest.mark.parametrize("one", [unknown_record(), read_record(due=False)], ids=["unknown", "not due"])
def test_a_user_who_is_unknown_or_not_due_is_neither_written_nor_refused(one):
    assert planned([one]) == {"write": [], "refused": {}}


def test_the_protected_are_refused_whatever_is_allowed():
    for allowed in (False, True):
        reported = planned([read_record(protected=True)], allow_admins=allowed)
        assert reported["write"] == []
        assert reported["refused"][JANE["id"]]["code"] == "protected"


def test_a_protected_leaver_whose_doors_are_shut_is_not_a_refusal():
    assert planned([read_record(protected=True, state="shut")]) == {"write": [], "refused": {}}


def test_administrators_are_refused_with_their_roles_unless_allowed():
    boss = read_record(directory_roles=["Helpdesk Administrator"])

    refused = planned([boss])["refused"][boss["id"]]

    assert (refused["code"], planned([boss], allow_admins=True)["refused"]) == ("administrator", {})
    assert "Helpdesk Administrator" in refused["message"]
    assert "allow_admins" in refused["hint"]


def test_a_user_who_must_stay_is_refused_even_where_administrators_are_allowed():
    last = problem("last_global_administrator", "No one would be left.")

    reported = planned([read_record(directory_roles=["Global Administrator"], must_stay=last)], allow_admins=True)

    assert reported == {"write": [], "refused": {JANE["id"]: last}}


def test_a_user_who_must_stay_is_refused_whatever_their_roles():
    last = problem("last_global_administrator", "No one would be left.")

    assert planned([read_record(directory_roles=["x"], must_stay=last)])["write"] == []


@pytest.mark.parametrize("error", [None, problem("Authorization_RequestDenied", "Insufficient privileges.")])
def test_roles_that_could_not_be_read_are_a_refusal_with_that_reason(error):
    unread = read_record(directory_roles=None, directory_roles_error=error)

    refused = planned([unread])["refused"][unread["id"]]

    assert refused["code"] == "roles_unread"
    assert "could not be read" in refused["message"]
    assert not error or error["message"] in refused["message"]


CROWD = [read_record(f"leaver{number}") for number in range(5)]


@pytest.mark.parametrize(("limit", "written"), [(None, 5), (6, 5), (5, 5), (4, 0), (0, 0)])
def test_more_than_the_limit_are_all_refused(limit, written):
    reported = planned(CROWD, max_users=limit)

    assert (len(reported["write"]), len(reported["refused"])) == (written, 5 - written)
    for error in reported["refused"].values():
        assert error["code"] == "max_users"
        assert f"more than the {limit} that one run may write" in error["message"]
        # A helpdesk sees a survey, and no variable.
        assert "shut them out in several runs, or ask whoever runs this automation" in error["hint"]


def test_a_user_who_is_not_written_does_not_count_towards_the_limit():
    others = [read_record("a", state="shut"), read_record("b", protected=True), read_record("c", due=False)]

    reported = planned([*CROWD, *others], max_users=5)

    assert len(reported["write"]) == 5


def test_nobody_is_planned_of_nobody():
    assert planned([]) == {"write": [], "refused": {}}


def test_a_user_who_is_contained_goes_through_the_steps_only_where_more_than_the_doors_is_closed():
    shut = read_record("jane.doe", "shut")

    assert planned([shut])["write"] == []
    assert [one["user"] for one in planned([shut], also=True)["write"]] == [shut["id"]]


@pytest.mark.parametrize("facts", [{"protected": True}, {"directory_roles": ["x"]}, {"due": None}])
def test_what_keeps_somebody_from_the_steps_keeps_them_from_more_than_that(facts):
    reported = planned([read_record("jane.doe", "shut", **facts)], also=True)

    assert (reported["write"], list(reported["refused"])) == ([], [JANE["id"]])
