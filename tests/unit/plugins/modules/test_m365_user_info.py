# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""m365_user_info: the doors of a leaver, who they are, and what an audit has to know about them."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from ansible_collections.m365.offboarding.plugins.modules import m365_user_info
from fakes.clock import later
from fakes.entra import GRAPH_PERMISSIONS
from fakes.people import SWITCHES, crowd, guest, locked, mailbox, person
from fakes.records import FACTS, PERSON
from fakes.residual import mailbox_of, recipient
from fakes.turns import (
    USER_PROPERTIES,
    administrators,
    fault,
    find,
    find_by_address,
    find_deleted,
    forbidden,
    get_mailbox,
    not_found,
    organization,
    read,
    read_deleted,
    roles,
    throttled,
)
from fakes.wire import EXCHANGE, Reply

MODULE = "m365_user_info"
GRAPH_URL = "https://graph.microsoft.com"
JANE = person("jane.doe")
UPN = "jane.doe@contoso.com"
ACCOUNT = ["password", "sessions", "signin"]


def look(lab, leaver, row=None, **options):
    """Read one leaver and, where a row is given, their mailbox."""
    lab.wire.expect(find(leaver))
    if row is not None:
        lab.wire.expect(get_mailbox(leaver, row))
    else:
        options.setdefault("steps", ACCOUNT)
    return lab.run(MODULE, users=leaver["userPrincipalName"], **options).user


def test_a_leaver_who_is_wide_open(lab):
    record = look(lab, JANE, mailbox(JANE))

    assert record["status"] == "unchanged"
    assert record["doors"] == dict.fromkeys([*ACCOUNT, *SWITCHES], "open")
    assert record["open"] == [*ACCOUNT, *SWITCHES]
    assert record["surely_shut_by"] == {}
    assert (record["due"], record["protected"], record["left_at"]) == (True, False, None)
    assert record["directory_roles"] is record["directory_roles_error"] is record["must_stay"] is None


def test_a_leaver_whose_every_door_is_shut(lab):
    jane = locked()
    record = look(lab, jane, mailbox(jane, on=False))

    assert record["doors"] == dict.fromkeys([*ACCOUNT, *SWITCHES], "shut")
    assert record["open"] == []
    assert record["surely_shut_by"] == {"password": later(2), "sessions": later(2)}


def test_the_facts_of_a_user_stand_at_the_top_of_the_record_and_nothing_changes(lab):
    jane = locked()
    lab.wire.expect_each(find(jane), get_mailbox(jane, mailbox(jane, on=False)))

    reported = lab.run(MODULE, users=UPN, protocols=["owa", "pop"])

    assert {name: reported.user[name] for name in FACTS} == {
        "account_enabled": False,
        "last_password_change_date_time": later(hours=-1),
        "sign_in_sessions_valid_from_date_time": later(2, hours=-1),
        "mailbox_protocols": {"owa": False, "pop": False},
    }
    assert (reported.changed, reported.failed, reported.result["diff"]) == (False, False, {"before": {}, "after": {}})


def test_the_account_is_told_whatever_the_steps_and_the_mailbox_only_with_protocols(lab):
    lab.wire.expect(find(JANE))

    reported = lab.run(MODULE, users=UPN, steps=["signin"])

    assert reported.user["doors"] == {"signin": "open"}
    assert [reported.user[name] is None for name in FACTS] == [False, False, False, True]


def test_a_record_has_the_keys_that_are_documented_and_those_of_a_write_are_none_of_them(lab):
    documented = yaml.safe_load(m365_user_info.RETURN)["users"]["contains"]

    found = look(lab, JANE, mailbox(JANE))
    lab.wire.expect_each(find(UPN), find_deleted(UPN), find_by_address(UPN))
    unread = lab.run(MODULE, users=UPN).user

    assert sorted(found) == sorted(unread) == sorted(documented)
    assert {"changed", "before", "after", "note"}.isdisjoint(documented)
    assert {name: unread[name] for name in (*FACTS, *PERSON)} == dict.fromkeys((*FACTS, *PERSON))


@pytest.mark.parametrize("on", [True, False], ids=["open", "shut"])
def test_as_many_leavers_as_the_role_shows_fit_into_one_event(lab, on):
    """AWX drops a result of more than 700,000 bytes, in which their names stand once more among the arguments."""
    manager = {"id": JANE["id"], "displayName": "M" * 40, "userPrincipalName": f"{'m' * 28}@contoso.com"}
    known = {"createdDateTime": later(hours=-9), "department": "D" * 40, "jobTitle": "T" * 40, "manager": manager}
    jane = (person if on else locked)(f"{'j' * 28}@contoso.com", displayName="J" * 40, userType="Member", **known)
    lab.wire.expect(find(jane))
    lab.wire.expect(get_mailbox(jane, mailbox(jane, on=on)), roles(jane))

    reported = lab.run(
        MODULE, diff=False, users=jane["userPrincipalName"], left_at=later(hours=-2), directory_roles=True
    )

    assert len(jane["userPrincipalName"]) == len(reported.user["display_name"]) == 40
    assert len(reported.user["doors"]) == 15
    assert 300 * (len(json.dumps(reported.user)) + 120) <= 690_000


def test_timestamps_prove_nothing_while_sign_in_is_allowed(lab):
    record = look(lab, locked(accountEnabled=True))

    assert record["doors"] == dict.fromkeys(ACCOUNT, "open")


@pytest.mark.parametrize(
    ("left_at", "password", "sessions"),
    [
        pytest.param(None, "shut", "shut", id="not known"),
        pytest.param(later(hours=-1), "shut", "shut", id="when the password was reset"),
        pytest.param(later(1, hours=-1), "open", "shut", id="between reset and sign-out"),
        pytest.param(later(2, hours=-1), "open", "shut", id="when signed out"),
        pytest.param(later(3, hours=-1), "open", "open", id="after the sign-out"),
    ],
)
def test_doors_are_judged_against_left_at(lab, left_at, password, sessions):
    record = look(lab, locked(), left_at=left_at)

    assert record["doors"] == {"password": password, "sessions": sessions, "signin": "shut"}
    assert record["left_at"] == left_at


def test_an_account_of_which_nobody_knows_whether_it_is_enabled_has_an_unknown_door(lab):
    record = look(lab, {**JANE, "accountEnabled": None})

    assert record["doors"]["signin"] == "unknown"
    assert "signin" not in record["open"]


def test_a_guest_has_neither_password_nor_sessions_here(lab):
    record = look(lab, guest("ann"))

    assert record["doors"] == {"password": "not_applicable", "sessions": "not_applicable", "signin": "open"}
    assert set(record["notes"]) == {"password", "sessions"}


@pytest.mark.parametrize(
    ("switch", "door"),
    [
        ({"SmtpClientAuthenticationDisabled": True}, "shut"),
        ({"SmtpClientAuthenticationDisabled": False}, "open"),
        ({"SmtpClientAuthenticationDisabled": None}, "open"),
        ({"SmtpClientAuthenticationDisabled": "yes"}, "open"),
    ],
)
def test_smtp_auth_is_shut_only_where_it_is_disabled_for_this_mailbox(lab, switch, door):
    record = look(lab, JANE, {**mailbox(JANE), **switch}, steps=["protocols"], protocols=["smtp_auth"])

    assert record["doors"] == {"smtp_auth": door}


def test_named_protocols_that_the_tenant_does_not_know_are_not_applicable(lab):
    row = mailbox(JANE, without=("MacOutlookEnabled",))

    record = look(lab, JANE, row, steps=["protocols"], protocols=["owa", "mac_outlook"])

    assert record["doors"] == {"owa": "open", "mac_outlook": "not_applicable"}


def test_a_user_who_has_no_mailbox_has_no_mailbox_doors(lab):
    lab.wire.expect_each(find({**JANE, "assignedPlans": []}), get_mailbox(JANE))

    record = lab.run(MODULE, users=UPN, steps=["protocols"], protocols=["owa"]).user

    assert record["doors"] == {"owa": "not_applicable"}
    assert "No Exchange Online mailbox" in record["notes"]["protocols"]


def test_a_mailbox_that_cannot_be_read_has_unknown_doors_and_the_rest_is_reported(lab):
    lab.wire.expect_each(find(locked()), get_mailbox(JANE).but(Reply(403)))

    reported = lab.run(MODULE, users=UPN, protocols=["owa"])

    assert reported.failed
    assert reported.user["status"] == "failed"
    assert reported.user["doors"] == {**dict.fromkeys(ACCOUNT, "shut"), "owa": "unknown"}
    assert "Could not read the mailbox of jane.doe@contoso.com" in reported.user["error"]["message"]


def test_without_the_protocols_step_exchange_is_never_asked(lab):
    look(lab, JANE, steps=["signin"])

    assert not lab.wire.to(EXCHANGE)
    assert [one.form["scope"] for one in lab.entra.asked_for("token")] == [f"{GRAPH_URL}/.default"]


def test_a_step_that_does_not_exist_is_refused(lab):
    reported = lab.run(MODULE, users=UPN, steps=["passwords"])

    assert reported.failed
    assert "passwords" in reported.msg
    assert not lab.wire.outer


def test_an_unknown_protocol_is_refused_before_anything_is_sent(lab):
    reported = lab.run(MODULE, users=UPN, protocols=["telnet"])

    assert reported.failed
    assert "telnet" in reported.msg
    assert not lab.wire.outer


# --- who is read all the same ---


def test_a_protected_account_is_read_and_called_protected(lab):
    lab.wire.expect(find(JANE), find(JANE))

    record = lab.run(MODULE, users=UPN, steps=["signin"], protected_users=[UPN]).user

    assert (record["status"], record["protected"], record["open"]) == ("unchanged", True, ["signin"])


def test_a_user_who_leaves_later_is_read_and_called_not_due(lab):
    record = look(lab, JANE, left_at=later(hours=1), steps=["signin"])

    assert (record["status"], record["due"], record["open"]) == ("unchanged", False, ["signin"])


def test_an_unknown_user_fails_and_has_no_doors(lab):
    lab.wire.expect_each(find(UPN), find_deleted(UPN), find_by_address(UPN))

    reported = lab.run(MODULE, users=UPN)

    assert (reported.failed, reported.statuses) == (True, ["failed"])
    assert (reported.user["doors"], reported.user["id"]) == ({}, None)


# --- types of mailboxes ---

BLOCKED = {**JANE, "accountEnabled": False}


@pytest.mark.parametrize("kind", ["SharedMailbox", "RoomMailbox", "EquipmentMailbox", "UserMailbox"])
def test_the_type_of_a_mailbox_is_reported_for_a_blocked_account_with_an_open_door(lab, kind):
    lab.wire.expect_each(
        find(BLOCKED),
        get_mailbox(BLOCKED, mailbox(BLOCKED)),
        recipient(BLOCKED, mailbox_of(BLOCKED, RecipientTypeDetails=kind)),
    )

    record = lab.run(MODULE, users=UPN, mailbox_types=True).user

    assert (record["mailbox_type"], record["mailbox_type_error"], record["status"]) == (kind, None, "unchanged")


@pytest.mark.parametrize(
    ("leaver", "row", "options"),
    [
        pytest.param(JANE, mailbox(JANE), {}, id="can sign in"),
        pytest.param(locked(), mailbox(JANE, on=False), {}, id="contained"),
        pytest.param(BLOCKED, None, {}, id="mailbox not read"),
        pytest.param(BLOCKED, mailbox(JANE), {"left_at": "2026-11-01T00:00:00Z"}, id="somebody left"),
        pytest.param(BLOCKED, mailbox(JANE), {"mailbox_types": False}, id="not wanted"),
    ],
)
def test_of_nobody_else_the_type_is_asked_for(lab, leaver, row, options):
    record = look(lab, leaver, row, **{"mailbox_types": True, **options})

    assert record["mailbox_type"] is record["mailbox_type_error"] is None


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda: recipient(BLOCKED, mailbox_of(BLOCKED)), "network"),
        (lambda: recipient(BLOCKED, mailbox_of(BLOCKED, RecipientTypeDetails="")), "network"),
        (lambda: recipient(BLOCKED, mailbox_of(crowd(1)[0], RecipientTypeDetails="RoomMailbox")), "network"),
        (lambda: recipient(BLOCKED, None), "network"),
        (lambda: recipient(BLOCKED, mailbox_of(BLOCKED)).but(forbidden()), "Authorization_RequestDenied"),
    ],
)
def test_a_type_that_cannot_be_read_is_null_with_the_reason_and_no_failure(lab, answer, code):
    lab.wire.expect_each(find(BLOCKED), get_mailbox(BLOCKED, mailbox(BLOCKED)), answer())

    record = lab.run(MODULE, users=UPN, mailbox_types=True).user

    assert (record["mailbox_type"], record["status"]) == (None, "unchanged")
    assert record["mailbox_type_error"]["code"] == code


# --- directory roles ---


def read_roles(lab, turn, *, holders=None):
    lab.wire.expect_each(find(JANE), turn)
    if holders is not None:
        lab.wire.expect(holders)
    return lab.run(MODULE, users=UPN, steps=["signin"], directory_roles=True).user


def test_roles_are_reported_by_name(lab):
    record = read_roles(lab, roles(JANE, "Helpdesk Administrator", "Reports Reader"), holders=administrators())

    assert record["directory_roles"] == ["Helpdesk Administrator", "Reports Reader"]
    assert record["must_stay"] is None


def test_roles_whose_names_may_not_be_read_are_reported_by_id(lab):
    record = read_roles(lab, roles(JANE, "x", ids_only=True), holders=administrators())

    assert record["directory_roles"] == ["role-x"]


def test_nobody_without_a_role_costs_a_look_at_the_administrators(lab):
    assert read_roles(lab, roles(JANE))["directory_roles"] == []


def test_roles_that_cannot_be_read_are_null_with_the_reason_and_no_failure(lab):
    record = read_roles(lab, roles(JANE).but(forbidden()))

    assert record["directory_roles"] is None
    assert record["directory_roles_error"]["code"] == "Authorization_RequestDenied"
    assert record["status"] == "unchanged"


def test_the_last_global_administrator_must_stay(lab):
    record = read_roles(lab, roles(JANE, "Global Administrator"), holders=administrators(JANE))

    assert record["must_stay"]["code"] == "last_global_administrator"
    assert UPN in record["must_stay"]["message"]


def test_holders_of_roles_must_stay_where_the_administrators_cannot_be_read(lab):
    record = read_roles(lab, roles(JANE, "Reports Reader"), holders=administrators().but(forbidden()))

    assert record["must_stay"]["code"] == "administrators_unread"


# --- two services at once ---


def test_mailboxes_of_users_named_by_object_id_are_read_beside_the_users(lab):
    ann, bob = crowd(2)
    as_written = {**ann, "id": ann["id"].upper()}
    mailboxes = get_mailbox(as_written, mailbox(ann)), get_mailbox(bob, mailbox(bob))
    lab.wire.expect(read(as_written).but(Reply(json=ann)), read(bob), *mailboxes)

    reported = lab.run(MODULE, users=[as_written["id"], bob["id"]])

    assert [one["open"] for one in reported.users] == [[*ACCOUNT, *SWITCHES]] * 2
    assert [one.host for one in lab.wire.outer if one.host == EXCHANGE] == [EXCHANGE]


def test_one_name_among_object_ids_and_the_mailboxes_are_read_after_the_users(lab):
    ann, bob = crowd(2)
    lab.wire.expect(find(ann), read(bob))
    lab.wire.expect(*[get_mailbox(one, mailbox(one)) for one in (ann, bob)])

    reported = lab.run(MODULE, users=[ann["userPrincipalName"], bob["id"]])

    assert [one["open"] for one in reported.users] == [[*ACCOUNT, *SWITCHES]] * 2


def test_an_object_id_that_means_nobody_is_reported_although_exchange_was_asked_meanwhile(lab):
    lab.wire.expect(read(JANE).but(not_found(JANE["id"])), read_deleted(JANE["id"]), get_mailbox(JANE))

    reported = lab.run(MODULE, users=JANE["id"])

    assert (reported.statuses, reported.user["error"]["code"], reported.user["doors"]) == (["failed"], "not_found", {})


def test_an_exchange_that_is_down_keeps_nobody_from_being_read_beside_it(lab):
    lab.wire.expect(read(locked()), *[get_mailbox(JANE).but(fault(503))] * 2)

    reported = lab.run(MODULE, users=JANE["id"], protocols=["owa"], retry_timeout=1)

    assert reported.user["doors"] == {**dict.fromkeys(ACCOUNT, "shut"), "owa": "unknown"}


def test_roles_are_read_beside_mailboxes_and_both_are_reported(lab):
    ann, bob = crowd(2, assignedPlans=[])
    lab.wire.expect(find(ann), find(bob))
    rows = get_mailbox(ann, mailbox(ann)), get_mailbox(bob)
    lab.wire.expect(*rows, roles(ann), roles(bob).but(forbidden()))

    reported = lab.run(MODULE, users=[one["userPrincipalName"] for one in (ann, bob)], directory_roles=True)

    assert [one["doors"]["owa"] for one in reported.users] == ["open", "not_applicable"]
    assert [one["directory_roles"] for one in reported.users] == [[], None]
    assert reported.users[1]["directory_roles_error"]["code"] == "Authorization_RequestDenied"


def test_a_throttled_exchange_does_not_hold_graph_back(lab):
    lab.wire.expect(read(JANE), get_mailbox(JANE).but(throttled("20")))
    lab.wire.expect(get_mailbox(JANE, mailbox(JANE)))

    lab.run(MODULE, users=JANE["id"])

    waited = [sent.at - lab.wire.sent[0].at for sent in lab.wire.sent]
    assert waited == [0, 0, 20]


# --- the leave date in the directory ---

LEAVE_DATE = {"select": f"{USER_PROPERTIES},employeeLeaveDateTime"}


@pytest.mark.parametrize(
    ("leaves", "left_at", "reported"),
    [
        pytest.param(later(hours=-2), None, later(hours=-2), id="past"),
        pytest.param(later(), None, later(), id="this very second"),
        pytest.param(later(hours=2), None, None, id="future: people are dismissed early"),
        pytest.param(None, None, None, id="none"),
        pytest.param("not a moment", None, None, id="garbage"),
        pytest.param(later(hours=-2), later(hours=-5), later(hours=-5), id="the operator knows better"),
    ],
)
def test_the_directorys_leave_date_counts_where_the_token_may_read_it(lab, leaves, left_at, reported):
    lab.entra.permissions[GRAPH_URL] = ("User.Read.All", "User-LifeCycleInfo.Read.All")
    lab.wire.expect(
        find({**JANE, "employeeLeaveDateTime": leaves}, **LEAVE_DATE).but(
            Reply(json={"value": [{**JANE, "employeeLeaveDateTime": leaves}]})
        )
    )

    record = lab.run(MODULE, users=UPN, left_at=left_at, steps=["signin"]).user

    assert (record["left_at"], record["due"]) == (reported, True)


@pytest.mark.parametrize(
    ("leaves", "left_at", "noted"),
    [
        pytest.param("2026-11-20T00:00:00Z", None, True, id="midnight in UTC"),
        pytest.param("2026-11-20T00:00:01Z", None, False, id="a second later"),
        pytest.param("2026-11-19T19:00:00-05:00", None, True, id="the same moment with another offset"),
        pytest.param("2026-11-20T00:00:00Z", "2026-11-20T05:00:00Z", False, id="the operator knows better"),
    ],
)
def test_a_leave_date_at_midnight_in_utc_gets_a_note(lab, leaves, left_at, noted):
    """In the Americas that is the evening before. A directory that keeps a day stores it so."""
    lab.entra.permissions[GRAPH_URL] = ("User.Read.All", "User-LifeCycleInfo.Read.All")
    lab.wire.expect(
        find({**JANE, "employeeLeaveDateTime": leaves}, **LEAVE_DATE).but(
            Reply(json={"value": [{**JANE, "employeeLeaveDateTime": leaves}]})
        )
    )

    record = lab.run(MODULE, users=UPN, left_at=left_at, steps=["signin"]).user

    note = "employeeLeaveDateTime is exactly midnight in UTC (2026-11-20T00:00:00Z), which is the evening before in the Americas"
    assert (note in str(record["notes"])) is noted, record["notes"]


# --- many ---


def test_everybody_of_a_large_list_has_one_record_and_faults_of_one_stay_with_that_one(lab):
    everybody = crowd(23)
    ill = everybody[7]
    lab.wire.expect(*map(find, everybody))
    rows = [get_mailbox(one, mailbox(one)) for one in everybody if one is not ill]
    lab.wire.expect(*rows, get_mailbox(ill).but(Reply(403)))

    reported = lab.run(MODULE, users=[one["userPrincipalName"] for one in everybody])

    assert [one["id"] for one in reported.users] == [one["id"] for one in everybody]
    assert [one["id"] for one in reported.users if one["status"] == "failed"] == [ill["id"]]


def test_exchange_that_is_down_leaves_the_other_doors_readable(lab):
    lab.wire.expect_each(find(locked()), *[get_mailbox(JANE).but(fault(503))] * 2)

    reported = lab.run(MODULE, users=UPN, protocols=["owa"], retry_timeout=1)

    assert reported.user["doors"] == {**dict.fromkeys(ACCOUNT, "shut"), "owa": "unknown"}


# --- what was just written ---


def written(**steps):
    return {
        JANE["id"]: {
            step: {"before": None, "after": None, "written_at": None, **reported} for step, reported in steps.items()
        }
    }


def read_again(lab, *turns, **options):
    """Read somebody by object ID whose sign-in has just been blocked."""
    for turn in turns:
        lab.wire.expect(turn)
    options.setdefault("written", written(signin={"status": "accepted"}))
    return lab.run(MODULE, users=JANE["id"], steps=["signin"], **options)


BLOCKED = {**JANE, "accountEnabled": False}


def test_a_read_that_shows_what_was_written_is_the_only_one(lab):
    assert read_again(lab, read(BLOCKED)).user["doors"] == {"signin": "shut"}


def test_a_replica_that_lags_is_read_again_until_it_shows_the_write(lab):
    result = read_again(lab, read(JANE), read(JANE), read(BLOCKED))

    assert result.user["doors"] == {"signin": "shut"}


def test_without_time_to_wait_there_is_one_read(lab):
    assert read_again(lab, read(JANE), verify_timeout=0).user["doors"] == {"signin": "open"}


def test_a_leaver_without_a_write_is_read_once(lab):
    assert read_again(lab, read(JANE), written={}).user["doors"] == {"signin": "open"}


@pytest.mark.parametrize(
    "wrong", [{"x": 1}, {"x": {"signin": 1}}, {"x": {"nothing": {"status": "accepted"}}}, {"x": {"signin": {}}}]
)
def test_something_else_as_written_is_refused_before_anything_is_sent(lab, wrong):
    result = read_again(lab, written=wrong)

    assert result.failed
    assert "written" in result.msg


# --- the tenant ---


def named(lab, *turns, permission="Organization.Read.All", **options):
    """Read one leaver, then the name of the tenant."""
    lab.entra.permissions[GRAPH_URL] = [*GRAPH_PERMISSIONS, permission]
    lab.wire.expect(find(JANE))
    if turns:
        lab.wire.expect(*turns)
    return lab.run(MODULE, users=UPN, steps=ACCOUNT, **{"tenant_name": True, **options}).result


def test_the_tenant_is_named_where_that_is_asked_for(lab):
    assert named(lab, organization("Contoso\n Ltd"))["tenant_name"] == "Contoso Ltd"


def test_without_the_permission_nothing_is_sent_for_the_name(lab):
    assert named(lab, permission="RoleManagement.Read.Directory")["tenant_name"] is None


def test_without_being_asked_nothing_is_sent_for_the_name(lab):
    assert named(lab, tenant_name=False)["tenant_name"] is None


@pytest.mark.parametrize(
    "turn",
    [
        organization().but(forbidden()),
        organization().but(throttled("3600")),
        organization().but(Reply(500)),
        organization().but(Reply(503)),
        organization().but(Reply(200, json={"error": "?"})),
        organization().but(Reply(200, body=b"<html>")),
        organization(None),
        organization(7),
        organization(tenant_id="0e110000-5e1f-4000-8000-00000000000b"),
    ],
    ids=["forbidden", "throttled", "fault", "unavailable", "shape", "page", "null", "number", "other tenant"],
)
def test_a_name_that_cannot_be_read_is_null_is_asked_for_once_and_fails_nothing(lab, turn):
    before = lab.clock.monotonic()

    result = named(lab, turn)

    assert result["tenant_name"] is None
    assert not result.get("failed")
    assert lab.clock.monotonic() - before < 5


def test_it_is_reported_when_the_users_had_been_read_by_microsofts_clock(lab):
    assert re.fullmatch(r"2026-11-20T16:00:0\dZ", named(lab, tenant_name=False)["read_at"])
