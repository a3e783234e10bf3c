# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""m365_user_memberships: assigned groups, and directory roles where they are allowed. See test_objects for the rest."""

from __future__ import annotations

import pytest

from fakes.closing import READING, closing, expect
from fakes.people import person
from fakes.residual import group, memberships
from fakes.turns import administrators, find, forbidden, graph_error, roles
from fakes.wire import GRAPH, Reply, Turn

MODULE = "m365_user_memberships"
JANE, UPN = person("jane.doe"), "jane.doe@contoso.com"
ROLE = {"@odata.type": "#microsoft.graph.directoryRole", "id": "role-1", "displayName": "Reports Reader"}
UNIT = {"@odata.type": "#microsoft.graph.administrativeUnit", "id": "unit-1", "displayName": "Berlin"}


@pytest.fixture(autouse=True)
def granted(lab):
    lab.entra.permissions["https://graph.microsoft.com"] = (*READING, "GroupMember.ReadWrite.All")


def finance(number=1, *kinds, **facts):
    return group(f"Group {number}", *kinds, id=f"group-{number}", **facts)


def leave_role():
    return Turn("DELETE", GRAPH, f"/v1.0/directoryRoles/role-1/members/{JANE['id']}/$ref", reply=Reply(204))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"onPremisesSyncEnabled": True}, "The group is synced from Active Directory: remove the user there."),
        ({"mailEnabled": True}, "Only Exchange can change a distribution list or mail-enabled security group."),
    ],
)
def test_a_group_that_graph_cannot_change_is_reported_with_the_reason(lab, facts, reason):
    expect(lab, find(JANE), memberships(JANE, finance(1, **facts)))

    reported = lab.run(MODULE, users=UPN, state="absent", allow_admins=False)

    assert (reported.statuses, reported.changed, reported.failed) == (["unchanged"], False, False)
    assert reported.user["note"] == f"Left as it is: group Group 1. {reason}"
    assert [one["status"] for one in reported.user["objects"]] == ["not_applicable"]


def test_dynamic_groups_and_administrative_units_are_not_looked_at(lab):
    expect(lab, find(JANE), memberships(JANE, finance(1, "DynamicMembership", "Unified", mailEnabled=True), UNIT))

    reported = lab.run(MODULE, users=UPN, state="absent", allow_admins=False)

    assert (reported.statuses, reported.user["objects"]) == (["unchanged"], [])


def test_a_microsoft_365_group_is_one_that_graph_can_change(lab):
    expect(lab, find(JANE), memberships(JANE, finance(1, "Unified", mailEnabled=True)), roles(JANE))
    expect(lab, closing(MODULE, JANE, 1), memberships(JANE))

    assert lab.run(MODULE, users=UPN, state="absent", allow_admins=False).statuses == ["verified"]


def test_directory_roles_are_taken_where_administrators_are_allowed(lab):
    expect(lab, find(JANE), memberships(JANE, ROLE, finance(1)), administrators())
    expect(lab, (leave_role(), closing(MODULE, JANE, 1)), memberships(JANE))

    reported = lab.run(MODULE, users=UPN, state="absent", allow_admins=True)

    assert reported.statuses == ["verified"]
    assert {one["kind"]: one["name"] for one in reported.user["objects"]} == {
        "directory_role": "Reports Reader",
        "group": "Group 1",
    }


def test_the_last_global_administrator_keeps_the_role(lab):
    expect(lab, find(JANE), memberships(JANE, ROLE), administrators(JANE))

    reported = lab.run(MODULE, users=UPN, state="absent", allow_admins=True)

    assert (reported.statuses, reported.user["error"]["code"]) == (["refused"], "last_global_administrator")
    assert reported.user["objects"] == []


def test_a_role_names_the_permission_that_it_needs(lab):
    expect(lab, find(JANE), memberships(JANE, ROLE), administrators(), leave_role().but(forbidden()))

    reported = lab.run(MODULE, users=UPN, state="absent", allow_admins=True)

    assert "RoleManagement.ReadWrite.Directory" in reported.user["error"]["hint"]


def test_so_does_a_group_that_can_be_assigned_to_roles(lab):
    guarded = finance(1, isAssignableToRole=True)
    expect(lab, find(JANE), memberships(JANE, guarded), roles(JANE), closing(MODULE, JANE, 1).but(forbidden()))

    reported = lab.run(MODULE, users=UPN, state="absent", allow_admins=False)

    assert "RoleManagement.ReadWrite.Directory" in reported.user["error"]["hint"]


def join(collection, holder, reply=None):
    body = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{JANE['id']}"}
    return Turn("POST", GRAPH, f"/v1.0/{collection}/{holder}/members/$ref", body=body, reply=reply or Reply(204))


GROUP_ENTRY = {"key": "group-1", "kind": "group", "name": "Group 1", "before": {"name": "Group 1"}}
ROLE_ENTRY = {"key": "role-1", "kind": "directory_role", "name": "Reports Reader", "before": {"name": "Reports Reader"}}


def test_the_user_is_added_again_to_what_the_evidence_names_and_to_nothing_else(lab):
    expect(
        lab, find(JANE), memberships(JANE, finance(2)), (join("groups", "group-1"), join("directoryRoles", "role-1"))
    )
    expect(lab, memberships(JANE, finance(2), finance(1), ROLE))

    reported = lab.run(MODULE, users=UPN, state="present", objects={UPN: [GROUP_ENTRY, ROLE_ENTRY]}, allow_admins=True)

    assert reported.statuses == ["verified"]
    assert {one["key"]: one["status"] for one in reported.user["objects"]} == {
        "group-1": "verified",
        "role-1": "verified",
    }


@pytest.mark.parametrize("entry", [ROLE_ENTRY, {**GROUP_ENTRY, "before": {"name": "x", "role_assignable": True}}])
def test_nobody_is_made_an_administrator_again_unless_that_is_allowed(lab, entry):
    expect(lab, find(JANE), memberships(JANE))

    reported = lab.run(MODULE, users=UPN, state="present", objects={UPN: [entry]}, allow_admins=False)

    assert (reported.statuses, reported.changed) == (["unchanged"], False)
    assert "Directory roles are assigned again only with allow_admins." in reported.user["note"]


def test_a_user_who_was_added_meanwhile_is_read_and_done(lab):
    there = graph_error(400, "Request_BadRequest", "One or more added object references already exist.")
    expect(lab, find(JANE), memberships(JANE), join("groups", "group-1", there), memberships(JANE, finance(1)))

    reported = lab.run(MODULE, users=UPN, state="present", objects={UPN: [GROUP_ENTRY]}, allow_admins=True)

    assert reported.statuses == ["verified"]
