# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""m365_user_info: what a search finds, how it is read to its end, what is read of them, and what it costs."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils import _graph
from ansible_collections.m365.offboarding.plugins.module_utils._errors import OptionError
from ansible_collections.m365.offboarding.plugins.module_utils._user_input import Search
from fakes.clock import later
from fakes.people import crowd, guest, locked, mailbox, person
from fakes.turns import (
    USER_PROPERTIES,
    fault,
    find,
    find_by_address,
    find_deleted,
    find_group,
    forbidden,
    get_mailbox,
    graph_error,
    ids,
    members,
    not_found,
    pages,
    read,
    read_deleted,
    read_group,
    roles,
    search,
    throttled,
    web_page,
)
from fakes.wire import EXCHANGE, GRAPH, Reply

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


def expect_found(lab, *turns, found, **how):
    """These calls, one after the other, and then a look at each user found."""
    lab.wire.expect_each(*turns)
    lab.wire.expect(*[read(one, **how) for one in found])


def names(reported):
    return [one["user"] for one in reported.users]


# --- which users are selected ---


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
def test_without_a_selection_no_user_is_read(lab, options):
    reported = look(lab, **options)

    assert reported.failed
    assert reported.msg == "No users selected: set users, filter, group, left_before or blocked."
    assert not lab.wire.outer


@pytest.mark.parametrize("users", [None, [], "", [""], [" "], ["\n"], [None]])
def test_users_that_are_empty_count_as_not_given_beside_a_search(lab, users):
    expect_found(lab, search(SALES, JANE), found=[JANE])

    assert names(look(lab, users=users, filter=f" {SALES}\n")) == [UPN]


@pytest.mark.parametrize("users", [["jane@contoso.com,"], [UPN, ""], [{}]])
def test_users_that_are_bad_are_refused_beside_a_search_too(lab, users):
    reported = look(lab, users=users, filter=SALES)

    assert reported.failed
    assert "users[" in reported.msg
    assert not lab.wire.outer


def test_a_moment_without_an_offset_is_refused_by_its_name(lab):
    reported = look(lab, left_before="2026-11-20")

    assert "left_before '2026-11-20' must be a date and time with a UTC offset" in reported.msg
    assert not lab.wire.outer


def test_a_user_who_is_found_is_reported_like_one_who_is_named(lab):
    expect_found(lab, search(BLOCKED, PIERRE, advanced=False), found=[PIERRE])
    found = look(lab, blocked=True).user
    lab.wire.expect(find(PIERRE))
    named = look(lab, users="pierre@contoso.com").user

    assert found == {**named, "by_name": False}


def test_several_sources_add_up_and_each_person_comes_once_the_named_first(lab):
    lab.entra.permissions[GRAPH_URL] = ("User.Read.All", "User-LifeCycleInfo.Read.All")
    until, shouted = later(), {"id": PIERRE["id"].upper()}
    lab.wire.expect_each(
        search(SALES, PIERRE, JANE),
        find_group("Leavers", GROUP),
        members(GROUP, OMAR, shouted),
        search(f"employeeLeaveDateTime le {until}", guest("ann")),
        search(BLOCKED, PIERRE, person("late"), advanced=False),
    )
    found = [PIERRE, JANE, OMAR, guest("ann"), person("late")]
    lab.wire.expect(find(JANE, select=WITH_DATE), *[read(one, select=WITH_DATE) for one in found])

    reported = look(lab, users=UPN, filter=SALES, group="Leavers", left_before=until, blocked=True)

    assert names(reported) == [
        UPN,
        "pierre@contoso.com",
        "omar@contoso.com",
        "ann_fabrikam.com#EXT#@contoso.onmicrosoft.com",
        "late@contoso.com",
    ]


def test_a_user_who_is_named_by_object_id_and_found_is_read_once(lab):
    expect_found(lab, search(SALES, PIERRE, JANE), found=[JANE, PIERRE])

    assert names(look(lab, users=JANE["id"], filter=SALES)) == [JANE["id"], "pierre@contoso.com"]


def test_an_unknown_name_stays_a_failure_of_its_own(lab):
    lab.wire.expect(search(SALES, PIERRE))
    lab.wire.expect(find("nobody@contoso.com"), read(PIERRE))
    lab.wire.expect(find_deleted("nobody@contoso.com"))
    lab.wire.expect(find_by_address("nobody@contoso.com"))

    reported = look(lab, users="nobody@contoso.com", filter=SALES)

    assert reported.statuses == ["failed", "unchanged"]


def test_a_search_that_finds_nobody_is_not_an_error(lab):
    lab.wire.expect(search(SALES))

    reported = look(lab, filter=SALES)

    assert (reported.failed, reported.users, reported.msg) == (False, [], "0 users.")


def test_a_user_who_is_protected_is_so_when_found_too(lab):
    lab.wire.expect(search(SALES, JANE, PIERRE))
    lab.wire.expect(read(JANE), read(PIERRE), find(JANE))

    reported = look(lab, filter=SALES, protected_users=[UPN])

    assert [one["protected"] for one in reported.users] == [True, False]


def test_a_filter_cannot_leave_its_place(lab):
    condition = "displayName eq 'A&B #1 + 2%' and not(city eq 'x?$top=1')"
    expect_found(lab, search(condition, JANE), found=[JANE])

    assert names(look(lab, filter=condition)) == [UPN]


# --- what is reported of users that were found ---


@pytest.mark.parametrize(
    ("options", "turns"),
    [
        pytest.param({"blocked": True}, [search(BLOCKED, JANE, advanced=False)], id="blocked"),
        pytest.param({"filter": BLOCKED}, [search(BLOCKED, JANE)], id="filter"),
        pytest.param({"group": "Leavers"}, [find_group("Leavers", GROUP), members(GROUP, JANE)], id="group"),
    ],
)
def test_a_door_that_was_opened_since_the_index_saw_it_is_reported_as_open(lab, options, turns):
    """They no longer meet what was searched for, and stay in the answer. What the list says of them counts for nothing."""
    stale = turns[-1].but(Reply(json={"value": [locked()]}))
    expect_found(lab, *turns[:-1], stale, found=[JANE])

    reported = look(lab, **options)

    assert (reported.user["user"], reported.user["doors"], reported.user["open"]) == (
        UPN,
        {"signin": "open"},
        ["signin"],
    )


def test_a_renamed_user_is_reported_under_the_new_name(lab):
    married = {**JANE, "userPrincipalName": "jane.roe@contoso.com"}
    expect_found(lab, search(SALES, JANE), found=[married])

    assert names(look(lab, filter=SALES)) == ["jane.roe@contoso.com"]


def test_a_user_who_was_deleted_since_is_a_failure_and_no_other_is_lost(lab):
    expect_found(lab, search(SALES, JANE, PIERRE), found=[])
    lab.wire.expect(read(JANE).but(not_found(JANE["id"])), read(PIERRE))
    gone = {"id": JANE["id"], "userPrincipalName": UPN, "deletedDateTime": "2026-11-20T15:58:00Z"}
    lab.wire.expect(read_deleted(JANE["id"], gone))

    reported = look(lab, filter=SALES)

    assert names(reported) == [JANE["id"], "pierre@contoso.com"]
    assert reported.statuses == ["failed", "unchanged"]
    assert reported.users[0]["error"]["code"] == "deleted"
    assert f"{JANE['id']} was deleted at 2026-11-20T15:58:00Z." in reported.msg


def test_a_user_who_was_found_and_is_not_there_is_a_failure_that_says_so(lab):
    lab.wire.expect(search(SALES, JANE))
    lab.wire.expect(read(JANE).but(not_found(JANE["id"])))
    lab.wire.expect(read_deleted(JANE["id"]))

    reported = look(lab, filter=SALES)

    assert (reported.user["user"], reported.user["status"], reported.user["open"]) == (JANE["id"], "failed", [])
    assert reported.user["error"]["code"] == "not_found"
    assert f"{JANE['id']} was found by the search but does not exist." in reported.msg


def test_a_user_who_was_found_and_cannot_be_read_is_a_failure_by_object_id(lab):
    lab.wire.expect(search(SALES, JANE, PIERRE))
    lab.wire.expect(read(JANE).but(forbidden()), read(PIERRE))

    reported = look(lab, filter=SALES)

    assert names(reported) == [JANE["id"], "pierre@contoso.com"]
    assert reported.statuses == ["failed", "unchanged"]
    assert f"Could not look up {JANE['id']}" in reported.msg
    assert "User.Read.All" in reported.msg


def test_the_named_user_counts_where_the_found_one_cannot_be_read(lab):
    """The same person by name and by object ID, reported once."""
    lab.wire.expect(search(SALES, JANE))
    lab.wire.expect(find(JANE), read(JANE).but(forbidden()))

    reported = look(lab, users=UPN, filter=SALES)

    assert (reported.user["user"], reported.user["status"]) == (UPN, "unchanged")


@pytest.mark.parametrize("asked", [[JANE["id"], UPN], [UPN, JANE["id"].upper()]])
def test_a_user_named_twice_is_reported_once_where_a_lagging_replica_knows_only_one_name(lab, asked):
    """Read by the later name they are known; not there by the later name, they are in doubt."""
    lab.wire.expect(find(JANE), read({"id": next(one for one in asked if one != UPN)}).but(not_found(JANE["id"])))
    if asked[0] == UPN:
        lab.wire.expect(read_deleted(asked[1]))

    reported = look(lab, users=asked)

    assert reported.statuses == ["unchanged" if asked[1] == UPN else "failed"]


GONE = {"id": JANE["id"], "userPrincipalName": UPN, "deletedDateTime": "2026-11-20T15:58:00Z"}


@pytest.mark.parametrize("asked", [[UPN, JANE["id"]], [JANE["id"].upper(), UPN]])
def test_a_deleted_user_who_is_named_twice_is_reported_once(lab, asked):
    identity = next(one for one in asked if one != UPN)
    lab.wire.expect(find(UPN), read({"id": identity}).but(not_found(identity)))
    lab.wire.expect(find_deleted(UPN, GONE), read_deleted(identity, GONE), find_by_address(UPN))

    reported = look(lab, users=asked)

    (one,) = reported.users
    assert (one["user"], one["error"]["code"]) == (asked[0], "deleted")
    assert one["former_id"].lower() == JANE["id"]


def test_a_name_of_several_deleted_users_is_none_of_them(lab):
    lab.wire.expect(find(UPN), read(JANE).but(not_found(JANE["id"])))
    other = {**GONE, "id": PIERRE["id"]}
    lab.wire.expect(find_deleted(UPN, GONE, other), read_deleted(JANE["id"], GONE), find_by_address(UPN))

    reported = look(lab, users=[UPN, JANE["id"]])

    assert [one["former_id"] for one in reported.users] == [None, JANE["id"]]


# --- pages ---


def test_a_list_is_read_to_its_end_with_the_same_headers(lab):
    everybody = crowd(5)
    turns = pages(search(SALES), ids(*everybody[:2]), [], ids(*everybody[2:4]), ids(*everybody[3:]))
    expect_found(lab, *turns, found=everybody)

    reported = look(lab, filter=SALES)

    assert [one["id"] for one in reported.users] == [one["id"] for one in everybody]
    assert len(lab.wire.to(GRAPH)) == 4 + 1


def test_a_page_that_fails_fails_the_whole_search(lab):
    first, second, _third = pages(search(SALES), ids(JANE), ids(PIERRE), ids(OMAR))
    lab.wire.expect_each(first, second.but(graph_error(400, "Directory_ExpiredPageToken", "The page token is old.")))

    reported = look(lab, filter=SALES)

    assert reported.failed
    assert reported.users == []
    assert "Could not determine the users selected by filter" in reported.msg
    assert "Directory_ExpiredPageToken" in reported.msg


@pytest.mark.parametrize("hiccup", [throttled("2"), fault(503), web_page(502)])
def test_a_page_that_is_late_is_waited_for(lab, hiccup):
    first, second = pages(search(SALES), ids(JANE), ids(PIERRE))
    expect_found(lab, first, second.but(hiccup), second, found=[JANE, PIERRE])

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
    lab.wire.expect(search(SALES).but(Reply(json={"value": ids(JANE), "@odata.nextLink": link})))

    reported = look(lab, filter=SALES)

    assert reported.failed
    assert "returned a link to a next page at another address" in reported.msg
    assert {outer.host for outer in lab.wire.outer} == {GRAPH, lab.entra.host}


def test_pages_that_lead_in_a_circle_end(lab):
    first, second, _third = pages(search(SALES), ids(JANE), ids(PIERRE), ids(OMAR))
    back = {"value": ids(PIERRE), "@odata.nextLink": first.reply.json["@odata.nextLink"]}
    lab.wire.expect_each(first, second.but(Reply(json=back)))

    reported = look(lab, filter=SALES)

    assert reported.failed
    assert "next pages without end" in reported.msg


def test_pages_without_end_end(lab, monkeypatch):
    monkeypatch.setattr(_graph, "_MOST_PAGES", 3)
    turns = pages(search(SALES), *[[]] * 6)
    lab.wire.expect_each(*turns[:4])

    reported = look(lab, filter=SALES)

    assert reported.failed
    assert "next pages without end" in reported.msg


@pytest.mark.parametrize("body", [{}, {"value": None}, {"value": {}}, {"value": [None]}, {"value": [JANE, "x"]}, JANE])
def test_a_page_that_is_not_a_list_is_an_error_not_an_empty_one(lab, body):
    lab.wire.expect(search(SALES).but(Reply(json=body)))

    reported = look(lab, filter=SALES)

    assert reported.failed
    assert "did not return a list" in reported.msg


@pytest.mark.parametrize("row", [{}, {"id": None}, {"id": 7}, {"id": ""}, {"id": UPN}])
def test_a_user_without_an_object_id_fails_the_search(lab, row):
    """They could not be read, and a name in that place would mean somebody else."""
    lab.wire.expect(find_group("Leavers", GROUP))
    lab.wire.expect(members(GROUP).but(Reply(json={"value": [*ids(PIERRE), row]})))

    reported = look(lab, group="Leavers")

    assert (reported.failed, reported.users) == (True, [])
    assert "Could not determine the users selected by group" in reported.msg
    assert "a user without an object ID" in reported.msg


# --- filter ---


def test_what_graph_refuses_of_a_filter_is_reported_in_its_words(lab):
    refusal = graph_error(400, "BadRequest", "Invalid filter clause: There is an unterminated string literal.")
    lab.wire.expect(search("department eq 'Sales").but(refusal))

    reported = look(lab, filter="department eq 'Sales")

    assert reported.failed
    assert "Could not determine the users selected by filter" in reported.msg
    assert "unterminated string literal" in reported.msg
    assert reported.result["error"]["code"] == "BadRequest"
    assert reported.result["error"]["request_id"] == "req-0001"


def test_a_filter_that_may_not_be_asked_names_the_permission(lab):
    lab.wire.expect(search(SALES).but(forbidden()))

    assert "User.Read.All" in look(lab, filter=SALES).msg


# --- group ---


def test_a_group_by_name_and_the_users_in_it(lab):
    device = {"@odata.type": "#microsoft.graph.device", "id": "d0000000-0000-4000-8000-000000000001"}
    typed = {"@odata.type": "#microsoft.graph.user", **JANE}
    turns = (
        find_group("Owner's leavers", {**GROUP, "displayName": "OWNER'S leavers"}),
        members(GROUP, typed, device, PIERRE),
    )
    expect_found(lab, *turns, found=[JANE, PIERRE])

    assert names(look(lab, group="Owner's leavers")) == [UPN, "pierre@contoso.com"]


def test_a_group_by_object_id(lab):
    lab.wire.expect_each(read_group(GROUP["id"], GROUP), members(GROUP))

    assert look(lab, group=GROUP["id"]).msg == "0 users."


@pytest.mark.parametrize("turn", [find_group("Nowhere"), read_group(GROUP["id"])])
def test_a_group_that_is_not_there(lab, turn):
    lab.wire.expect(turn)
    name = "Nowhere" if "filter" in str(turn) else GROUP["id"]

    reported = look(lab, group=name)

    assert reported.failed
    assert f"There is no group {name}." in reported.msg


def test_groups_of_one_name_are_reported_by_id_and_none_is_read(lab):
    twin = {**GROUP, "id": "1b2c3d4e-0000-4000-8000-000000000002"}
    lab.wire.expect(find_group("Leavers", GROUP, twin))

    reported = look(lab, group="Leavers")

    assert reported.failed
    assert GROUP["id"] in reported.msg
    assert twin["id"] in reported.msg


@pytest.mark.parametrize("lacking", ["group", "members"])
def test_a_group_that_may_not_be_read_names_the_permission(lab, lacking):
    lab.wire.expect(
        find_group("Leavers", GROUP).but(forbidden()) if lacking == "group" else find_group("Leavers", GROUP)
    )
    if lacking == "members":
        lab.wire.expect(members(GROUP).but(forbidden()))

    reported = look(lab, group="Leavers")

    assert reported.failed
    assert "GroupMember.Read.All" in reported.msg


def test_a_group_that_hides_its_members_is_not_taken_for_an_empty_one(lab):
    hidden = {**GROUP, "visibility": "HiddenMembership"}
    lab.wire.expect(find_group("Leavers", hidden))
    reported = look(lab, group="Leavers")

    assert reported.failed
    assert "Member.Read.Hidden" in reported.msg

    lab.entra.permissions[GRAPH_URL] = ("User.Read.All", "GroupMember.Read.All", "Member.Read.Hidden")
    expect_found(lab, find_group("Leavers", hidden), members(hidden, JANE), found=[JANE])

    assert names(look(lab, group="Leavers")) == [UPN]


# --- leave dates ---


def test_left_before_needs_its_permission_and_asks_nothing_without_it(lab):
    reported = look(lab, left_before=later())

    assert reported.failed
    assert reported.result["error"]["code"] == "missing_permission"
    assert "User-LifeCycleInfo.Read.All" in reported.msg
    assert not lab.wire.to(GRAPH)


def test_left_before_is_sent_in_utc(dated):
    turn = search("employeeLeaveDateTime le 2026-11-20T16:00:00Z", JANE)
    expect_found(dated, turn, found=[JANE], select=WITH_DATE)

    assert names(look(dated, left_before="2026-11-20T17:00:00+01:00")) == [UPN]


@pytest.mark.parametrize(
    ("leaves", "default", "left_at", "due"),
    [
        pytest.param(later(hours=2), None, later(hours=2), False, id="ahead"),
        pytest.param(later(hours=-2), None, later(hours=-2), True, id="past"),
        pytest.param(None, None, None, True, id="not known"),
        pytest.param(None, later(hours=-1), later(hours=-1), True, id="not known: the default applies"),
        pytest.param(later(hours=2), later(hours=-1), later(hours=2), False, id="their own comes before the default"),
    ],
)
def test_a_future_leave_date_counts_for_users_who_were_found(dated, leaves, default, left_at, due):
    jane = {**JANE, "employeeLeaveDateTime": leaves}
    expect_found(dated, search(SALES, jane), found=[jane], select=WITH_DATE)

    reported = look(dated, filter=SALES, left_at=default)

    assert (reported.user["left_at"], reported.user["due"]) == (left_at, due)
    assert not reported.warnings


def test_a_leave_date_that_was_put_off_since_the_index_saw_it_counts(dated):
    jane, until = {**JANE, "employeeLeaveDateTime": later(hours=2)}, later()
    expect_found(dated, search(f"employeeLeaveDateTime le {until}", jane), found=[jane], select=WITH_DATE)

    reported = look(dated, left_before=until)

    assert (reported.user["left_at"], reported.user["due"]) == (later(hours=2), False)


def test_a_future_leave_date_does_not_count_for_users_who_were_named_and_found(dated):
    jane = {**JANE, "employeeLeaveDateTime": later(hours=2)}
    dated.wire.expect(search(SALES, jane))
    dated.wire.expect(find(jane, select=WITH_DATE), read(jane, select=WITH_DATE))

    reported = look(dated, users=UPN, filter=SALES)

    assert (reported.user["left_at"], reported.user["due"]) == (None, True)


@pytest.mark.parametrize("source", ["filter", "group"])
def test_leave_dates_that_may_not_be_read_are_warned_of(lab, source):
    if source == "group":
        expect_found(lab, find_group("Leavers", GROUP), members(GROUP, JANE), found=[JANE])
    else:
        expect_found(lab, search(SALES, JANE), found=[JANE])

    reported = look(lab, **{source: "Leavers" if source == "group" else SALES})

    assert "may not read leave dates" in reported.warnings


def test_whether_a_found_user_leaves_later_is_not_known_without_the_permission(lab):
    expect_found(lab, search(SALES, JANE, PIERRE), found=[JANE, PIERRE])

    reported = look(lab, filter=SALES)

    # Whose sign-in is blocked cannot be locked out too early.
    assert [(one["user"], one["due"]) for one in reported.users] == [(UPN, None), ("pierre@contoso.com", True)]


def test_a_user_who_may_be_able_to_sign_in_may_leave_later(lab):
    unclear = {**JANE, "accountEnabled": None}
    expect_found(lab, search(SALES, unclear), found=[unclear])

    assert look(lab, filter=SALES).user["due"] is None


def test_whoever_says_since_when_need_not_know_the_leave_date(lab):
    expect_found(lab, search(SALES, JANE), found=[JANE])

    assert look(lab, filter=SALES, left_at=later(days=-1)).user["due"] is True


def test_a_user_who_is_named_is_not_warned_of(lab):
    lab.wire.expect(find(JANE))

    assert not look(lab, users=UPN).warnings


# --- what it costs ---


def test_the_audit_of_a_thousand_reads_nobody_one_by_one(lab):
    everybody = [locked(f"leaver{number:04}") for number in range(1000)]
    lists = pages(search(SALES), ids(*everybody[:999]), ids(*everybody[999:]))
    expect_found(lab, *lists, found=everybody)
    lab.wire.expect(*[get_mailbox(one, mailbox(one, on=False)) for one in everybody], *map(roles, everybody))

    reported = lab.run(MODULE, filter=SALES, directory_roles=True)

    assert [one["id"] for one in reported.users] == [one["id"] for one in everybody]
    assert not any(one["open"] for one in reported.users)
    assert len(lab.wire.to(GRAPH)) <= len(lists) + 2 * 1000 / 20
    assert len(lab.wire.to(EXCHANGE)) <= 1000 / 10


def test_left_before_now_is_the_moment_of_the_run():
    """A nightly audit in AWX has no place for a date that somebody would have to change every day."""
    before = datetime.datetime.now(datetime.timezone.utc)

    wanted = Search.parse({"filter": "", "group": "", "left_before": " now ", "blocked": False, "left_at": ""})

    assert before <= wanted.left_before <= datetime.datetime.now(datetime.timezone.utc)
    with pytest.raises(OptionError, match="left_before 'today' must be a date and time"):
        Search.parse({"filter": "", "group": "", "left_before": "today", "blocked": False, "left_at": ""})
