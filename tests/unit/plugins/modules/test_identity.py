# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A name is not a person: newer accounts of a name, object IDs beside names, and who somebody is."""

from __future__ import annotations

import pytest

from fakes.clock import later
from fakes.people import person
from fakes.records import PERSON
from fakes.turns import (
    DELETED_PROPERTIES,
    USER_PROPERTIES,
    administrators,
    dated,
    enable,
    find,
    find_by_address,
    find_deleted,
    find_group,
    forbidden,
    graph_error,
    meet,
    members,
    read,
)

UPN = "jane.doe@contoso.com"
JANE = person("jane.doe")
BLOCKED = {**JANE, "accountEnabled": False}
OTHER = "0b0b0b0b-1c1c-4d4d-8e8e-2f2f2f2f2f2f"
LEFT = later(hours=-24)
BEFORE, AFTER = later(hours=-25), later(hours=-23)
CLOSING = {
    "m365_user_password": {},
    "m365_user_sessions": {},
    "m365_user_signin": {"state": "blocked"},
    "exo_mailbox_protocols": {"state": "disabled"},
}
OPENING = {"m365_user_signin": {"state": "allowed"}, "exo_mailbox_protocols": {"state": "enabled"}}
every_closing_module = pytest.mark.parametrize("module", CLOSING)


def jane(**facts):
    return {**JANE, **facts}


# --- a newer account of that name ---


@every_closing_module
@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
@pytest.mark.parametrize(
    ("fact", "reported"), [("createdDateTime", f"created {AFTER}"), ("employeeHireDate", f"hired {AFTER}")]
)
def test_an_account_created_or_hired_after_the_leave_is_refused(lab, module, check, fact, reported):
    lab.wire.expect(dated(find(jane(**{fact: AFTER}))))

    answer = lab.run(module, check=check, users=[{"user": UPN, "left_at": LEFT}], **CLOSING[module])

    error = answer.user["error"]
    assert (answer.statuses, answer.failed, answer.changed) == (["refused"], True, False)
    assert error["code"] == "newer_account"
    assert (
        error["message"]
        == f"{UPN} is a newer account of that name: {reported}, after left_at {LEFT}; nothing was sent."
    )
    assert JANE["id"] in error["hint"]


def test_the_option_left_at_counts_as_well_and_both_dates_are_named(lab):
    lab.wire.expect(dated(find(jane(createdDateTime=AFTER, employeeHireDate=later(hours=-2)))))

    answer = lab.run("m365_user_password", users=UPN, left_at=LEFT)

    assert f"created {AFTER} and hired {later(hours=-2)}, after left_at {LEFT}" in answer.user["error"]["message"]


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"createdDateTime": None, "employeeHireDate": None},
        {"createdDateTime": BEFORE, "employeeHireDate": BEFORE},
        {"createdDateTime": LEFT, "employeeHireDate": LEFT},
        {"createdDateTime": "soon", "employeeHireDate": 7},
    ],
    ids=["absent", "null", "earlier", "the same moment", "unreadable"],
)
def test_what_does_not_speak_for_somebody_else_is_no_reason(lab, facts):
    lab.wire.expect(dated(find(jane(**facts))))
    lab.wire.expect_each(administrators(), enable(JANE, False), read(BLOCKED))

    answer = lab.run("m365_user_signin", users=[{"user": UPN, "left_at": LEFT}], state="blocked")

    assert answer.statuses == ["verified"]


@pytest.mark.parametrize(
    "asked",
    [JANE["id"], {"user": JANE["id"]}, {"user": UPN, "id": JANE["id"]}, {"user": UPN, "id": JANE["id"].upper()}],
    ids=["id", "mapping", "beside the name", "in capitals"],
)
def test_an_object_id_overrides_it_and_the_dates_are_not_asked_for(lab, asked):
    asked = asked if isinstance(asked, dict) else {"user": asked}
    newer = jane(createdDateTime=AFTER, employeeHireDate=AFTER)
    lab.wire.expect(read(newer) if asked["user"] == JANE["id"] else find(newer), administrators())

    answer = lab.run("m365_user_signin", check=True, users=[{**asked, "left_at": LEFT}], state="blocked")

    assert answer.statuses == ["planned"]
    assert all("employeeHireDate" not in one.query.get("$select", "") for one in lab.wire.sent)


def test_without_left_at_nothing_is_compared_or_asked_for(lab):
    lab.wire.expect_each(
        find(jane(createdDateTime=later(hours=-1))), administrators(), enable(JANE, False), read(BLOCKED)
    )

    assert lab.run("m365_user_signin", users=UPN, state="blocked").statuses == ["verified"]
    assert all("createdDateTime" not in one.query.get("$select", "") for one in lab.wire.sent)


def test_the_directorys_own_leave_date_makes_nobody_a_newer_account(lab):
    """Hired again and leaving again: the operator says so, and the directory does not know yet."""
    lab.wire.expect(meet(find(jane(employeeLeaveDateTime=LEFT, employeeHireDate=AFTER))))

    assert look(lab, users=UPN)["wrong_person"] is None


def test_opening_an_account_again_does_not_look_at_when_it_was_created(lab):
    newer = jane(accountEnabled=False, createdDateTime=AFTER)
    lab.wire.expect(dated(find(newer)))
    lab.wire.expect(enable(JANE, True))
    lab.wire.expect(read(JANE))

    answer = lab.run("m365_user_signin", users=[{"user": UPN, "left_at": LEFT}], state="allowed")

    assert answer.statuses == ["verified"]


def test_a_refused_leaver_does_not_stop_the_others(lab):
    bob = person("bob")
    lab.wire.expect(dated(find(jane(createdDateTime=AFTER))), dated(find(bob)))
    lab.wire.expect_each(administrators(), enable(bob, False), read({**bob, "accountEnabled": False}))

    users = [{"user": name, "left_at": LEFT} for name in (UPN, "bob@contoso.com")]
    answer = lab.run("m365_user_signin", users=users, state="blocked")

    assert answer.statuses == ["refused", "verified"]


# --- an object ID beside the name ---


@pytest.mark.parametrize("module", [*CLOSING])
@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_a_name_that_has_moved_to_another_account_is_refused(lab, module, check):
    lab.wire.expect(find(JANE))

    answer = lab.run(module, check=check, users=[{"user": UPN, "id": OTHER}], **CLOSING[module])

    assert (answer.statuses, answer.changed) == (["refused"], False)
    assert answer.user["error"]["code"] == "other_account"
    assert answer.user["error"]["message"] == (
        f"{UPN} is now a different account: its object ID is {JANE['id']}, not {OTHER}; nothing was sent."
    )


@pytest.mark.parametrize("module", OPENING)
def test_another_account_is_not_opened_either(lab, module):
    lab.wire.expect(find(BLOCKED))

    answer = lab.run(module, users=[{"user": UPN, "id": OTHER}], **OPENING[module])

    assert answer.statuses == ["refused"]


def test_a_deleted_account_is_not_restored_in_place_of_another(lab):
    gone = {"id": JANE["id"], "userPrincipalName": UPN, "displayName": "Jane Doe", "deletedDateTime": BEFORE}
    lab.wire.expect(find(UPN))
    lab.wire.expect(find_deleted(UPN, gone))
    lab.wire.expect(find_by_address(UPN))
    lab.wire.expect(find_deleted(UPN, gone, select=DELETED_PROPERTIES))

    answer = lab.run("m365_deleted_user", users=[{"user": UPN, "id": OTHER}], state="restored")

    assert (answer.statuses, answer.user["error"]["code"]) == (["refused"], "other_account")


@pytest.mark.parametrize("users", [[{"user": UPN, "id": OTHER}, JANE["id"]], [JANE["id"], {"user": UPN, "id": OTHER}]])
def test_a_user_named_twice_is_refused_where_one_id_is_another(lab, users):
    turns = [find(JANE), read(JANE)]
    lab.wire.expect(*(turns if isinstance(users[0], dict) else reversed(turns)))

    answer = lab.run("m365_user_password", users=users)

    assert answer.statuses == ["refused"]


@pytest.mark.parametrize(
    ("element", "text"),
    [
        ({"user": UPN, "id": "jane"}, "id 'jane' is not an object ID"),
        ({"user": UPN, "id": 7}, "id '7' is not an object ID"),
        ({"id": OTHER}, "empty"),
    ],
)
def test_an_id_that_is_none_is_refused_before_anything_is_sent(lab, element, text):
    answer = lab.run("m365_user_password", users=[element])

    assert answer.failed
    assert text in answer.msg
    assert lab.wire.sent == []


def test_two_object_ids_for_one_name_are_refused_before_anything_is_sent(lab):
    answer = lab.run("m365_user_password", users=[{"user": UPN, "id": OTHER}, {"user": UPN.upper(), "id": JANE["id"]}])

    assert answer.failed
    assert "is given with two object IDs" in answer.msg
    assert lab.wire.sent == []


# --- who it is ---

KNOWN = {
    "createdDateTime": "2019-03-01T08:00:00Z",
    "employeeHireDate": "2019-03-01T00:00:00Z",
    "userType": "Member",
    "department": "Sales",
    "jobTitle": "Clerk",
    "manager": {
        "@odata.type": "#microsoft.graph.user",
        "id": OTHER,
        "displayName": "Jane Roe",
        "userPrincipalName": "jane.roe@contoso.com",
    },
}


def look(lab, **options):
    return lab.run("m365_user_info", steps=["signin"], **options).user


def test_a_record_says_who_it_is_in_the_same_request(lab):
    lab.wire.expect(meet(find(jane(**KNOWN))))

    record = look(lab, users=UPN)

    assert {name: record[name] for name in (*PERSON, "last_password_change_date_time")} == {
        "department": "Sales",
        "job_title": "Clerk",
        "manager": {"id": OTHER, "display_name": "Jane Roe", "user_principal_name": "jane.roe@contoso.com"},
        "user_type": "Member",
        "created_date_time": "2019-03-01T08:00:00Z",
        "employee_hire_date": "2019-03-01T00:00:00Z",
        "last_password_change_date_time": JANE["lastPasswordChangeDateTime"],
    }


def test_a_user_named_by_object_id_is_reported_without_the_hire_date(lab):
    lab.wire.expect(meet(read(jane(**KNOWN)), hired=False))

    record = look(lab, users=JANE["id"])

    assert (record["department"], record["by_name"]) == ("Sales", False)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {**dict.fromkeys(KNOWN)},
        {"department": 7, "jobTitle": ["x"], "manager": "Jane", "createdDateTime": "once", "userType": {}},
        {"manager": {"@odata.type": "#microsoft.graph.user", "id": OTHER, "displayName": None}},
        {"department": "", "jobTitle": " "},
    ],
    ids=["absent", "null", "nonsense", "a manager who may not be read", "blank"],
)
def test_a_fact_that_is_missing_is_left_out_and_no_person_with_it(lab, facts):
    lab.wire.expect(meet(find(jane(**facts))))

    record = look(lab, users=UPN)

    assert {name: record[name] for name in PERSON} == dict.fromkeys(PERSON)
    assert record["last_password_change_date_time"] == JANE["lastPasswordChangeDateTime"]
    assert record["status"] == "unchanged"


def test_without_the_option_person_its_keys_are_there_and_null(lab):
    lab.wire.expect(find(jane(**KNOWN)))

    record = look(lab, users=UPN, person=False)

    assert {name: record[name] for name in PERSON} == dict.fromkeys(PERSON)
    assert record["account_enabled"] is True


def test_a_contact_as_manager_has_a_name_only(lab):
    contact = {"@odata.type": "#microsoft.graph.orgContact", "id": OTHER, "displayName": "Board"}
    lab.wire.expect(meet(find(jane(manager=contact))))

    manager = look(lab, users=UPN)["manager"]

    assert manager == {"id": OTHER, "display_name": "Board", "user_principal_name": None}


def test_a_hire_date_that_may_not_be_read_is_asked_for_once_in_a_run(lab):
    bob = person("bob")
    lab.wire.expect(*[meet(find(one)).but(forbidden()) for one in (JANE, bob)])
    lab.wire.expect(*[meet(find({**one, **KNOWN}), hired=False) for one in (JANE, bob)])

    answer = lab.run("m365_user_info", steps=["signin"], users=[UPN, "bob@contoso.com"])

    assert answer.statuses == ["unchanged", "unchanged"]
    assert [one["manager"]["display_name"] for one in answer.users] == ["Jane Roe"] * 2


def test_a_manager_that_cannot_be_expanded_is_left_out(lab):
    unknown = "Could not find a navigation property named 'manager'."
    lab.wire.expect(meet(find(JANE)).but(graph_error(400, "BadRequest", unknown)))
    lab.wire.expect(meet(find(jane(**KNOWN)), manager=False))

    record = look(lab, users=UPN)

    assert record["employee_hire_date"] == KNOWN["employeeHireDate"]


def test_a_hire_date_that_may_not_be_read_does_not_keep_a_module_from_its_work(lab):
    lab.wire.expect(dated(find(JANE)).but(forbidden()))
    lab.wire.expect(dated(find(jane(createdDateTime=BEFORE)), hired=False))
    lab.wire.expect_each(administrators(), enable(JANE, False), read(BLOCKED))

    answer = lab.run("m365_user_signin", users=[{"user": UPN, "left_at": LEFT}], state="blocked")

    assert answer.statuses == ["verified"]


def test_a_refusal_of_one_among_many_is_that_ones_own(lab):
    bob = person("bob")
    lab.wire.expect(meet(find(JANE)), meet(find(bob)).but(forbidden()))

    answer = lab.run("m365_user_info", steps=["signin"], users=[UPN, "bob@contoso.com"])

    assert answer.statuses == ["unchanged", "failed"]


# --- looking ---


def test_a_look_reports_the_doors_of_a_newer_account_and_that_it_is_one(lab):
    lab.wire.expect(meet(find(jane(createdDateTime=AFTER))))

    record = look(lab, users=[{"user": UPN, "left_at": LEFT}])

    assert (record["status"], record["doors"], record["by_name"]) == ("unchanged", {"signin": "open"}, True)
    assert record["wrong_person"]["code"] == "newer_account"


GROUP = {"id": "9d1e9d1e-1111-4222-8333-444444444444", "displayName": "Leavers", "visibility": "Private"}


@pytest.mark.parametrize(
    ("left_at", "facts", "wrong"),
    [
        pytest.param(None, {"employeeLeaveDateTime": LEFT, "employeeHireDate": AFTER}, True, id="hired again"),
        pytest.param(
            None, {"employeeLeaveDateTime": LEFT, "createdDateTime": AFTER}, True, id="created after the leave"
        ),
        pytest.param(None, {"employeeLeaveDateTime": LEFT, "employeeHireDate": BEFORE}, False, id="left"),
        pytest.param(LEFT, {"createdDateTime": AFTER}, True, id="the option"),
        pytest.param(None, {"createdDateTime": AFTER}, False, id="no date"),
    ],
)
def test_a_user_who_was_found_has_a_leave_date_of_their_own(lab, left_at, facts, wrong):
    lab.entra.permissions["https://graph.microsoft.com"] = ("User.Read.All", "User-LifeCycleInfo.Read.All")
    lab.wire.expect(find_group("Leavers", GROUP))
    lab.wire.expect(members(GROUP, JANE))
    lab.wire.expect(meet(read(jane(**facts), select=f"{USER_PROPERTIES},employeeLeaveDateTime")))

    record = look(lab, group="Leavers", **({"left_at": left_at} if left_at else {}))

    assert bool(record["wrong_person"]) is wrong
    assert record["by_name"] is False


def test_a_user_who_is_read_again_is_reported_as_completely_as_at_first(lab):
    blocked = {**jane(**KNOWN), "accountEnabled": False}
    lab.wire.expect_each(*[meet(read(one), hired=False) for one in (jane(**KNOWN), blocked)])
    step = {"status": "accepted", "before": None, "after": None, "written_at": None}

    record = look(lab, users=JANE["id"], written={JANE["id"]: {"signin": step}}, verify_timeout=5)

    assert record["doors"] == {"signin": "shut"}
    assert record["manager"]["display_name"] == "Jane Roe"
