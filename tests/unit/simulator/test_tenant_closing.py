# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Graph's writes to devices, consents, assignments, methods and memberships: permissions, refusals, and what changes."""

from __future__ import annotations

import pytest

TYPE = "@odata.type"
DENIED = (403, "Authorization_RequestDenied")
NOBODY = "00000000-0000-4000-8000-000000000000"


def error(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def text(answer) -> str:
    return answer.json()["error"]["message"]


@pytest.fixture
def only(as_app, tenant):
    """A client with exactly these permissions."""

    def make(*permissions: str):
        tenant.app().graph = frozenset(permissions)
        return as_app()

    return make


@pytest.fixture
def closer(as_app):
    return as_app("closer")


@pytest.fixture
def jane(tenant):
    user = tenant.directory.user("jane")
    tenant.directory.add_group("finance", "Finance")
    user.residual.change(
        {
            "devices": [{"displayName": "One"}, {"operatingSystem": "iOS"}, {"onPremisesSyncEnabled": True}],
            "grants": [{"client": "survey-tool"}, {"client": "mail-sync"}],
            "app_roles": [{"resource": "mail-sync"}, {"resource": "survey-tool", "principalId": "a group"}],
            "methods": [{"kind": "phone", "default": True}, {"kind": "fido2"}, {"kind": "palmVein"}],
        }
    )
    user.groups.add(tenant.directory.group("finance").id)
    return user


def listed(client, user, name: str) -> list[dict]:
    answer = client.get(f"/users/{user.id}/{name}")
    assert answer.status_code == 200, answer.text
    return answer.json()["value"]


def switch(client, device: str, enabled: object = False):
    return client.graph("PATCH", f"/devices/{device}", json={"accountEnabled": enabled})


# Devices -------------------------------------------------------------------------------------------------------------


def test_a_windows_device_is_disabled_and_enabled(closer, jane):
    one, two, _three = listed(closer, jane, "ownedDevices")
    assert switch(closer, one["id"]).status_code == 204
    assert [item["accountEnabled"] for item in listed(closer, jane, "registeredDevices")] == [False, True, True]
    assert switch(closer, one["id"], enabled=True).status_code == 204
    assert listed(closer, jane, "registeredDevices")[0] == one
    assert two["id"] != one["id"]


def test_devices_that_an_application_cannot_change(closer, jane):
    _one, phone, synced = listed(closer, jane, "registeredDevices")
    assert error(switch(closer, phone["id"])) == DENIED
    assert "on-premises mastered" in text(switch(closer, synced["id"]))
    assert error(switch(closer, NOBODY)) == (404, "Request_ResourceNotFound")
    assert error(switch(closer, phone["id"], "no")) == (400, "Request_BadRequest")
    assert closer.graph("DELETE", f"/devices/{phone['id']}").status_code == 405


def test_the_permission_for_devices(only, tenant, jane):
    device = listed(only("User.Read.All", "Device.Read.All"), jane, "ownedDevices")[0]["id"]
    assert error(switch(only("Device.Read.All", "User.ReadWrite.All"), device)) == DENIED
    assert switch(only("Device.ReadWrite.All"), device).status_code == 204


# Consents ------------------------------------------------------------------------------------------------------------


def test_a_consent_is_deleted_and_made_again(closer, jane):
    first, second = listed(closer, jane, "oauth2PermissionGrants")
    assert closer.graph("DELETE", f"/oauth2PermissionGrants/{first['id']}").status_code == 204
    assert error(closer.graph("DELETE", f"/oauth2PermissionGrants/{first['id']}")) == (404, "Request_ResourceNotFound")
    assert listed(closer, jane, "oauth2PermissionGrants") == [second]
    body = {name: first[name] for name in ("clientId", "consentType", "principalId", "resourceId", "scope")}
    made = closer.graph("POST", "/oauth2PermissionGrants", json=body)
    assert made.status_code == 201
    assert listed(closer, jane, "oauth2PermissionGrants")[1] == {**first, "id": made.json()["id"]}
    again = closer.graph("POST", "/oauth2PermissionGrants", json=body)
    assert (error(again), text(again)) == ((400, "Request_BadRequest"), "Permission entry already exists.")


@pytest.mark.parametrize(
    "change",
    [{"clientId": NOBODY}, {"principalId": NOBODY}, {"consentType": "AllPrincipals"}, {"extra": 1}, {"scope": "x"}],
)
def test_a_consent_that_makes_no_sense(closer, jane, change):
    body = {"clientId": NOBODY, "consentType": "Principal", "principalId": jane.id, "resourceId": NOBODY}
    assert closer.graph("POST", "/oauth2PermissionGrants", json={**body, **change}).status_code in (400, 404)


def test_the_permissions_for_consents(only, jane):
    reader = only("Directory.Read.All", "DelegatedPermissionGrant.Read.All")
    first, second = listed(reader, jane, "oauth2PermissionGrants")
    assert error(reader.graph("DELETE", f"/oauth2PermissionGrants/{first['id']}")) == DENIED
    for enough, grant in (("DelegatedPermissionGrant.ReadWrite.All", first), ("Directory.ReadWrite.All", second)):
        assert only(enough).graph("DELETE", f"/oauth2PermissionGrants/{grant['id']}").status_code == 204


# App role assignments ------------------------------------------------------------------------------------------------


def test_an_assignment_is_deleted_and_made_again_and_that_of_a_group_is_not(closer, jane):
    own, of_group = listed(closer, jane, "appRoleAssignments")
    path = f"/users/{jane.id}/appRoleAssignments"
    assert [own["principalType"], of_group["principalType"]] == ["User", "Group"]
    assert closer.graph("DELETE", f"{path}/{of_group['id']}").status_code == 404
    assert closer.graph("DELETE", f"{path}/{own['id']}").status_code == 204
    assert listed(closer, jane, "appRoleAssignments") == [of_group]
    body = {name: own[name] for name in ("principalId", "resourceId", "appRoleId")}
    assert closer.graph("POST", path, json=body).status_code == 201
    assert [one["resourceId"] for one in listed(closer, jane, "appRoleAssignments")][1:] == [own["resourceId"]]
    assert "already exists" in text(closer.graph("POST", path, json=body))
    assert closer.graph("POST", path, json={**body, "principalId": NOBODY}).status_code == 400


def test_the_permissions_for_assignments(only, jane):
    path = f"/users/{jane.id}/appRoleAssignments"
    assert error(only("User.Read.All", "Application.Read.All").get(path)) == DENIED
    own = listed(only("Directory.Read.All"), jane, "appRoleAssignments")[0]["id"]
    assert error(only("Directory.ReadWrite.All").graph("DELETE", f"{path}/{own}")) == DENIED
    assert only("AppRoleAssignment.ReadWrite.All").graph("DELETE", f"{path}/{own}").status_code == 204


# Authentication methods ----------------------------------------------------------------------------------------------


def test_the_default_method_goes_last_and_the_password_never(closer, jane):
    password, phone, key, vein = listed(closer, jane, "authentication/methods")
    path = f"/users/{jane.id}/authentication"
    refused = closer.graph("DELETE", f"{path}/phoneMethods/{phone['id']}")
    assert error(refused)[0] == 400
    assert text(refused).startswith("Cannot delete default method with other methods configured.")
    assert closer.graph("DELETE", f"{path}/fido2Methods/{phone['id']}").status_code == 404
    assert closer.graph("DELETE", f"{path}/fido2Methods/{key['id']}").status_code == 204
    for nothing in (f"passwordMethods/{password['id']}", f"palmVeinMethods/{vein['id']}", f"methods/{key['id']}"):
        assert closer.graph("DELETE", f"{path}/{nothing}").status_code == 400
    jane.residual.methods.pop()
    assert closer.graph("DELETE", f"{path}/phoneMethods/{phone['id']}").status_code == 204
    assert listed(closer, jane, "authentication/methods") == [password]


def test_who_may_delete_methods(only, as_app, tenant, jane):
    key = listed(as_app("closer"), jane, "authentication/methods")[2]["id"]
    path = f"/users/{jane.id}/authentication/fido2Methods/{key}"
    assert error(only("UserAuthenticationMethod.Read.All").graph("DELETE", path)) == (403, "accessDenied")
    jane.roles.add("Global Administrator")
    assert error(as_app("closer").graph("DELETE", path)) == (403, "accessDenied")
    assert as_app("closer-of-administrators").graph("DELETE", path).status_code == 204


# Memberships ---------------------------------------------------------------------------------------------------------


def member(client, method: str, holder: str, user, collection: str = "groups"):
    if method == "POST":
        body = {"@odata.id": f"{client.tenant.graph_url}/v1.0/directoryObjects/{user.id}"}
        return client.graph("POST", f"/{collection}/{holder}/members/$ref", json=body)
    return client.graph("DELETE", f"/{collection}/{holder}/members/{user.id}/$ref")


def test_a_member_is_removed_and_added(closer, tenant, jane):
    group = tenant.directory.group("finance").id
    assert [one["id"] for one in listed(closer, jane, "memberOf")] == [group]
    assert member(closer, "DELETE", group, jane).status_code == 204
    assert error(member(closer, "DELETE", group, jane)) == (404, "Request_ResourceNotFound")
    assert listed(closer, jane, "memberOf") == []
    assert member(closer, "POST", group, jane).status_code == 204
    again = member(closer, "POST", group, jane)
    assert (again.status_code, "already exist" in text(again)) == (400, True)
    assert member(closer, "DELETE", NOBODY, jane).status_code == 404
    assert closer.graph("POST", f"/groups/{group}/members/$ref", json={"@odata.id": "x"}).status_code == 400


@pytest.mark.parametrize(
    ("facts", "status", "says"),
    [
        ({"group_types": ["DynamicMembership"]}, 403, "Insufficient privileges"),
        ({"synced": True}, 400, "on-premises mastered"),
        ({"mail": "list@contoso.com"}, 400, "mail-enabled security groups and or distribution list"),
        ({"roles": ["Reports Reader"]}, 403, "Insufficient privileges"),
    ],
)
def test_groups_whose_members_cannot_be_changed(closer, tenant, jane, facts, status, says):
    group = tenant.directory.add_group("special", "Special", **facts)
    jane.groups.add(group.id)
    refused = member(closer, "DELETE", group.id, jane)
    assert (refused.status_code, says in text(refused)) == (status, True)
    assert group.id in jane.groups


def test_the_permission_for_members(only, tenant, jane):
    group = tenant.directory.group("finance").id
    assert error(member(only("GroupMember.Read.All", "User.ReadWrite.All"), "DELETE", group, jane)) == DENIED
    assert member(only("GroupMember.ReadWrite.All"), "DELETE", group, jane).status_code == 204


def test_without_ref_the_user_is_deleted_where_that_is_allowed(closer, only, tenant, jane):
    path = f"/groups/{tenant.directory.group('finance').id}/members/{jane.id}"
    assert error(closer.graph("DELETE", path)) == DENIED
    assert only("GroupMember.ReadWrite.All", "User.ReadWrite.All").graph("DELETE", path).status_code == 204
    assert jane.id in tenant.directory.deleted


def test_directory_roles_have_a_permission_of_their_own(as_app, tenant, jane):
    jane.roles.add("Reports Reader")
    role = tenant.directory.role_id("Reports Reader")
    assert error(member(as_app("closer"), "DELETE", role, jane, "directoryRoles")) == DENIED
    client = as_app("closer-of-administrators")
    assert member(client, "DELETE", role, jane, "directoryRoles").status_code == 204
    assert jane.roles == set()
    assert member(client, "POST", role, jane, "directoryRoles").status_code == 204


def test_replicas_show_objects_and_memberships_late(closer, tenant, jane):
    tenant.directory.replica_lag = 3600
    group = tenant.directory.group("finance").id
    grant = listed(closer, jane, "oauth2PermissionGrants")[0]["id"]
    before = [listed(closer, jane, name) for name in ("memberOf", "oauth2PermissionGrants")]
    assert member(closer, "DELETE", group, jane).status_code == 204
    assert closer.graph("DELETE", f"/oauth2PermissionGrants/{grant}").status_code == 204
    assert [listed(closer, jane, name) for name in ("memberOf", "oauth2PermissionGrants")] == before
    tenant.directory.replica_lag = 0
    assert [len(listed(closer, jane, name)) for name in ("memberOf", "oauth2PermissionGrants")] == [0, 1]


def test_the_journal_knows_whose_object_was_changed(closer, tenant, jane):
    device = listed(closer, jane, "ownedDevices")[0]["id"]
    switch(closer, device)
    member(closer, "DELETE", tenant.directory.group("finance").id, jane)
    closer.graph("DELETE", f"/oauth2PermissionGrants/{listed(closer, jane, 'oauth2PermissionGrants')[0]['id']}")
    assert [(entry.user, entry.applied) for entry in tenant.journal.writes()] == [(jane.id, True)] * 3
