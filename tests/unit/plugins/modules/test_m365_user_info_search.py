# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""m365_user_info: whom a search finds, how it is read to its end, and what it costs."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils import _graph
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.clock import later
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.people import crowd, guest, locked, mailbox, person
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.turns import (
    USER_PROPERTIES,
    fault,
    find,
    find_by_address,
    find_deleted,
    find_group,
    forbidden,
    get_mailbox,
    graph_error,
    members,
    pages,
    read_group,
    roles,
    search,
    throttled,
    web_page,
)
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.wire import EXCHANGE, GRAPH, Reply

MODULE = "m365_user_info"
GRAPH_URL = "https://graph.microsoft.com"
JANE, PIERRE, OMAR = person("jane.doe"), locked("pierre"), person("omar")
UPN = "jane.doe@contoso.com"
SALES = "department eq 'Sales'"
GROUP = {"id": "9a1d3c52-7c1e-4f0a-8b5d-2f6e7a8b9c0d", "displayName": "Leavers", "visibility": None}
WITH_DATE = f"{USER_PROPERTIES},employeeLeaveDateTime"
BLOCKED = "accountEnabled eq false"


@pytest.fixture
def dated(lab):
    """Let the token read leave dates."""
    lab.entra.permissions[GRAPH_URL] = ("User.Read.All", "User-LifeCycleInfo.Read.All")
    return lab


def look(lab, **options):
    return lab.run(MODULE, **{"steps": ["signin"], **options})


def names(told):
    return [one["user"] for one in told.users]


# --- who is meant ---


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"users": []},
        {"users": ""},
        {"users": "", "filter": "", "group": " ", "left_before": "", "blocked": False},
        {"users": [], "filter": " \n"},
        {"blocked": False},
    ],
)
def test_nobody_is_meant_by_nothing(lab, options):
    told = look(lab, **options)

    assert told.failed
    assert told.msg == "Nobody is meant: users, filter, group, left_before and blocked are all empty or not given."
    assert not lab.wire.outer


@pytest.mark.parametrize("users", [None, [], "", [""], [" "], ["\n"], [None]])
def test_users_that_are_empty_count_as_not_given_beside_a_search(lab, users):
    lab.wire.expect(search(SALES, JANE))

    assert names(look(lab, users=users, filter=f" {SALES}\n")) == [UPN]


@pytest.mark.parametrize("users", [["jane"], [UPN, ""], [{}]])
def test_users_that_are_bad_are_refused_beside_a_search_too(lab, users):
    told = look(lab, users=users, filter=SALES)

    assert told.failed
    assert "users[" in told.msg
    assert not lab.wire.outer


def test_a_moment_without_an_offset_is_refused_by_its_name(lab):
    told = look(lab, left_before="2026-11-20")

    assert "left_before '2026-11-20' is no moment with an offset" in told.msg
    assert not lab.wire.outer


def test_who_is_found_is_told_like_who_is_named(lab):
    lab.wire.expect(search(SALES, JANE))
    found = look(lab, filter=SALES).user
    lab.wire.expect(find(JANE))
    named = look(lab, users=UPN).user

    assert found == named


def test_several_sources_add_up_and_each_person_comes_once_the_named_first(lab):
    lab.entra.permissions[GRAPH_URL] = ("User.Read.All", "User-LifeCycleInfo.Read.All")
    until = later()
    lab.wire.expect_each(
        search(SALES, PIERRE, JANE, select=WITH_DATE),
        find_group("Leavers", GROUP),
        members(GROUP, OMAR, PIERRE, select=WITH_DATE),
        search(f"employeeLeaveDateTime le {until}", guest("ann"), select=WITH_DATE),
        search(BLOCKED, PIERRE, person("late"), advanced=False, select=WITH_DATE),
        find(JANE, select=WITH_DATE),
    )

    told = look(lab, users=UPN, filter=SALES, group="Leavers", left_before=until, blocked=True)

    assert names(told) == [
        UPN,
        "pierre@contoso.com",
        "omar@contoso.com",
        "ann_fabrikam.com#EXT#@contoso.onmicrosoft.com",
        "late@contoso.com",
    ]


def test_who_is_named_and_unknown_stays_a_failure_of_their_own(lab):
    lab.wire.expect_each(search(SALES, PIERRE), find("nobody@contoso.com"))
    lab.wire.expect(find_deleted("nobody@contoso.com"))
    lab.wire.expect(find_by_address("nobody@contoso.com"))

    told = look(lab, users="nobody@contoso.com", filter=SALES)

    assert told.statuses == ["failed", "unchanged"]


def test_a_search_that_finds_nobody_is_no_error(lab):
    lab.wire.expect(search(SALES))

    told = look(lab, filter=SALES)

    assert (told.failed, told.users, told.msg) == (False, [], "0 users.")


def test_who_is_protected_is_so_when_found_too(lab):
    lab.wire.expect(search(SALES, JANE, PIERRE))
    lab.wire.expect(find(JANE))

    told = look(lab, filter=SALES, protected_users=[UPN])

    assert [one["protected"] for one in told.users] == [True, False]


def test_a_filter_cannot_leave_its_place(lab):
    condition = "displayName eq 'A&B #1 + 2%' and not(city eq 'x?$top=1')"
    lab.wire.expect(search(condition, JANE))

    assert names(look(lab, filter=condition)) == [UPN]


# --- pages ---


def test_a_list_is_read_to_its_end_with_the_same_headers(lab):
    everybody = crowd(5)
    turns = pages(search(SALES), everybody[:2], [], everybody[2:4], [*everybody[3:]])
    lab.wire.expect_each(*turns)

    told = look(lab, filter=SALES)

    assert [one["id"] for one in told.users] == [one["id"] for one in everybody]
    assert len(lab.wire.to(GRAPH)) == 4


def test_a_page_that_fails_fails_the_whole_search(lab):
    first, second, _third = pages(search(SALES), [JANE], [PIERRE], [OMAR])
    lab.wire.expect_each(first, second.but(graph_error(400, "Directory_ExpiredPageToken", "The page token is old.")))

    told = look(lab, filter=SALES)

    assert told.failed
    assert told.users == []
    assert "Could not find out who is meant by filter" in told.msg
    assert "Directory_ExpiredPageToken" in told.msg


@pytest.mark.parametrize("hiccup", [throttled("2"), fault(503), web_page(502)])
def test_a_page_that_is_late_is_waited_for(lab, hiccup):
    first, second = pages(search(SALES), [JANE], [PIERRE])
    lab.wire.expect_each(first, second.but(hiccup), second)

    assert names(look(lab, filter=SALES)) == [UPN, "pierre@contoso.com"]
    assert lab.clock.passed


@pytest.mark.parametrize(
    "link",
    [
        "https://graph.microsoft.com.evil.example/v1.0/users?$skiptoken=2",
        "https://graph.microsoft.com@evil.example/v1.0/users?$skiptoken=2",
        "https://evil.example/v1.0/users?$skiptoken=2",
        "http://graph.microsoft.com/v1.0/users?$skiptoken=2",
        "https://graph.microsoft.com/beta/users?$skiptoken=2",
        "https://graph.microsoft.com:444/v1.0/users?$skiptoken=2",
        "https://graph.microsoft.com/v1.01/users?$skiptoken=2",
        "https://graph.microsoft.com/v1.0",
        "//evil.example/v1.0/users",
        "/users?$skiptoken=2",
        "",
        7,
        ["https://graph.microsoft.com/v1.0/users?$skiptoken=2"],
    ],
)
def test_a_next_page_elsewhere_is_refused_and_never_sees_the_token(lab, link):
    lab.wire.expect(search(SALES).but(Reply(json={"value": [JANE], "@odata.nextLink": link})))

    told = look(lab, filter=SALES)

    assert told.failed
    assert "names a next page that is not its own" in told.msg
    assert {outer.host for outer in lab.wire.outer} == {GRAPH, lab.entra.host}


def test_pages_that_lead_in_a_circle_end(lab):
    first, second, _third = pages(search(SALES), [JANE], [PIERRE], [OMAR])
    back = {"value": [PIERRE], "@odata.nextLink": first.reply.json["@odata.nextLink"]}
    lab.wire.expect_each(first, second.but(Reply(json=back)))

    told = look(lab, filter=SALES)

    assert told.failed
    assert "next pages without end" in told.msg


def test_pages_without_end_end(lab, monkeypatch):
    monkeypatch.setattr(_graph, "_MOST_PAGES", 3)
    turns = pages(search(SALES), *[[]] * 6)
    lab.wire.expect_each(*turns[:4])

    told = look(lab, filter=SALES)

    assert told.failed
    assert "next pages without end" in told.msg


@pytest.mark.parametrize("body", [{}, {"value": None}, {"value": {}}, {"value": [None]}, {"value": [JANE, "x"]}, JANE])
def test_a_page_that_is_no_list_is_an_error_not_an_empty_one(lab, body):
    lab.wire.expect(search(SALES).but(Reply(json=body)))

    told = look(lab, filter=SALES)

    assert told.failed
    assert "did not answer with a list" in told.msg


def test_users_that_come_with_too_little_fail_the_search(lab):
    limited = {"@odata.type": "#microsoft.graph.user", "id": JANE["id"], "userPrincipalName": None}
    lab.wire.expect_each(find_group("Leavers", GROUP), members(GROUP, PIERRE, limited))

    told = look(lab, group="Leavers")

    assert (told.failed, told.users) == (True, [])
    assert "no userPrincipalName" in told.msg
    assert "User.Read.All" in told.msg


# --- filter ---


def test_what_graph_refuses_of_a_filter_is_told_in_its_words(lab):
    refusal = graph_error(400, "BadRequest", "Invalid filter clause: There is an unterminated string literal.")
    lab.wire.expect(search("department eq 'Sales").but(refusal))

    told = look(lab, filter="department eq 'Sales")

    assert told.failed
    assert "Could not find out who is meant by filter" in told.msg
    assert "unterminated string literal" in told.msg
    assert told.result["error"]["code"] == "BadRequest"
    assert told.result["error"]["request_id"] == "req-0001"


def test_a_filter_that_may_not_be_asked_names_the_permission(lab):
    lab.wire.expect(search(SALES).but(forbidden()))

    assert "User.Read.All" in look(lab, filter=SALES).msg


# --- group ---


def test_a_group_by_name_and_the_users_in_it(lab):
    device = {"@odata.type": "#microsoft.graph.device", "id": "d0000000-0000-4000-8000-000000000001"}
    typed = {"@odata.type": "#microsoft.graph.user", **JANE}
    lab.wire.expect_each(find_group("Owner's leavers", GROUP), members(GROUP, typed, device, PIERRE))

    assert names(look(lab, group="Owner's leavers")) == [UPN, "pierre@contoso.com"]


def test_a_group_by_object_id(lab):
    lab.wire.expect_each(read_group(GROUP["id"], GROUP), members(GROUP))

    assert look(lab, group=GROUP["id"]).msg == "0 users."


@pytest.mark.parametrize("turn", [find_group("Nowhere"), read_group(GROUP["id"])])
def test_a_group_that_is_not_there(lab, turn):
    lab.wire.expect(turn)
    name = "Nowhere" if "filter" in str(turn) else GROUP["id"]

    told = look(lab, group=name)

    assert told.failed
    assert f"There is no group {name}." in told.msg


def test_groups_of_one_name_are_told_by_id_and_none_is_read(lab):
    twin = {**GROUP, "id": "1b2c3d4e-0000-4000-8000-000000000002"}
    lab.wire.expect(find_group("Leavers", GROUP, twin))

    told = look(lab, group="Leavers")

    assert told.failed
    assert GROUP["id"] in told.msg
    assert twin["id"] in told.msg


@pytest.mark.parametrize("lacking", ["group", "members"])
def test_a_group_that_may_not_be_read_names_the_permission(lab, lacking):
    lab.wire.expect(
        find_group("Leavers", GROUP).but(forbidden()) if lacking == "group" else find_group("Leavers", GROUP)
    )
    if lacking == "members":
        lab.wire.expect(members(GROUP).but(forbidden()))

    told = look(lab, group="Leavers")

    assert told.failed
    assert "GroupMember.Read.All" in told.msg


def test_a_group_that_hides_its_members_is_not_taken_for_an_empty_one(lab):
    hidden = {**GROUP, "visibility": "HiddenMembership"}
    lab.wire.expect(find_group("Leavers", hidden))
    told = look(lab, group="Leavers")

    assert told.failed
    assert "Member.Read.Hidden" in told.msg

    lab.entra.permissions[GRAPH_URL] = ("User.Read.All", "GroupMember.Read.All", "Member.Read.Hidden")
    lab.wire.expect_each(find_group("Leavers", hidden), members(hidden, JANE))

    assert names(look(lab, group="Leavers")) == [UPN]


# --- leave dates ---


def test_left_before_needs_its_permission_and_asks_nothing_without_it(lab):
    told = look(lab, left_before=later())

    assert told.failed
    assert told.result["error"]["code"] == "missing_permission"
    assert "User-LifeCycleInfo.Read.All" in told.msg
    assert not lab.wire.to(GRAPH)


def test_left_before_is_sent_in_utc(dated):
    dated.wire.expect(search("employeeLeaveDateTime le 2026-11-20T16:00:00Z", JANE, select=WITH_DATE))

    assert names(look(dated, left_before="2026-11-20T17:00:00+01:00")) == [UPN]


@pytest.mark.parametrize(
    ("leaves", "default", "left_at", "due"),
    [
        pytest.param(later(hours=2), None, later(hours=2), False, id="ahead"),
        pytest.param(later(hours=-2), None, later(hours=-2), True, id="past"),
        pytest.param(None, None, None, True, id="not known"),
        pytest.param(None, later(hours=-1), later(hours=-1), True, id="not known: the default counts"),
        pytest.param(later(hours=2), later(hours=-1), later(hours=2), False, id="their own comes before the default"),
    ],
)
def test_a_leave_date_that_lies_ahead_counts_for_who_was_found(dated, leaves, default, left_at, due):
    dated.wire.expect(search(SALES, {**JANE, "employeeLeaveDateTime": leaves}, select=WITH_DATE))

    told = look(dated, filter=SALES, left_at=default)

    assert (told.user["left_at"], told.user["due"]) == (left_at, due)
    assert not told.warnings


def test_a_leave_date_that_lies_ahead_does_not_count_for_who_was_named_and_found(dated):
    jane = {**JANE, "employeeLeaveDateTime": later(hours=2)}
    dated.wire.expect_each(search(SALES, jane, select=WITH_DATE), find(jane, select=WITH_DATE))

    told = look(dated, users=UPN, filter=SALES)

    assert (told.user["left_at"], told.user["due"]) == (None, True)


@pytest.mark.parametrize("source", ["filter", "group"])
def test_leave_dates_that_may_not_be_read_are_warned_of(lab, source):
    if source == "group":
        lab.wire.expect_each(find_group("Leavers", GROUP), members(GROUP, JANE))
    else:
        lab.wire.expect(search(SALES, JANE))

    told = look(lab, **{source: "Leavers" if source == "group" else SALES})

    assert "may not read their leave dates" in told.warnings
    assert told.user["due"] is True


def test_who_is_named_is_not_warned_of(lab):
    lab.wire.expect(find(JANE))

    assert not look(lab, users=UPN).warnings


# --- what it costs ---


def test_the_audit_of_a_thousand_reads_nobody_one_by_one(lab):
    everybody = [locked(f"leaver{number:04}") for number in range(1000)]
    lab.wire.expect_each(*pages(search(SALES), *[everybody[i : i + 100] for i in range(0, 1000, 100)]))
    lab.wire.expect(*[get_mailbox(one, mailbox(one, on=False)) for one in everybody])
    lab.wire.expect(*map(roles, everybody))

    told = lab.run(MODULE, filter=SALES, directory_roles=True)

    assert [one["id"] for one in told.users] == [one["id"] for one in everybody]
    assert not any(one["open"] for one in told.users)
    assert len(lab.wire.to(GRAPH)) <= 2 * 1000 / 20
    assert len(lab.wire.to(EXCHANGE)) <= 1000 / 10
