# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Groups: finding them, and the members that each reader sees."""

from __future__ import annotations

import pytest

EVENTUAL = {"ConsistencyLevel": "eventual"}
USERS = "microsoft.graph.user"
TYPE = "@odata.type"


def error(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
def auditor(as_app):
    return as_app("auditor-groups")


def group_id(client, key: str) -> str:
    return client.tenant.directory.group(key).id


def members(client, key: str, relation: str = "transitiveMembers", **params: str):
    """The users in a group, all pages."""
    url = f"{client.tenant.graph_url}/v1.0/groups/{group_id(client, key)}/{relation}/{USERS}?$count=true&$select=id"
    url += "".join(f"&${name}={value}" for name, value in params.items())
    headers = {**EVENTUAL, "Authorization": f"Bearer {client.token(client.tenant.graph_url)}"}
    found, pages = [], 0
    while url:
        answer = client.http.get(url, headers=headers)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        found += [client.tenant.directory.users[user["id"]].key for user in body["value"]]
        url, pages = body.get("@odata.nextLink"), pages + 1
    return found, pages


# Finding -------------------------------------------------------------------------------------------------------------

FILTERS = {
    "displayName eq 'Leavers'": {"leavers"},
    "displayName eq 'LEAVERS'": {"leavers"},
    "displayName eq 'Twin leavers'": {"leavers-twin1", "leavers-twin2"},
    "displayName eq 'Owner''s leavers'": {"leavers-quote"},
    "displayName eq 'Nobody'": set(),
    "mail eq 'leavers@contoso.com'": {"leavers-mail"},
    "mailNickname eq 'leavers-berlin'": {"leavers-berlin"},
    "startsWith(displayName,'Leavers ')": {"leavers-berlin", "leavers-mail"},
    "groupTypes/any(c:c eq 'Unified')": {"leavers-hidden"},
    "mailEnabled eq true and securityEnabled eq true": {"leavers-mail"},
    "displayName eq 'Leavers' or mail eq 'leavers@contoso.com'": {"leavers", "leavers-mail"},
}


@pytest.mark.parametrize("text", FILTERS)
def test_filters(auditor, text):
    answer = auditor.get("/groups", params={"$filter": text})
    assert answer.status_code == 200, answer.text
    assert {auditor.tenant.directory.groups[group["id"]].key for group in answer.json()["value"]} == FILTERS[text]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("displayName", "BadRequest"),
        ("displayName eq 'Owner's leavers'", "BadRequest"),
        ("userPrincipalName eq 'x'", "BadRequest"),
        ("visibility eq 'Private'", "Request_UnsupportedQuery"),
        ("contains(displayName,'x')", "Request_UnsupportedQuery"),
        ("displayName ne 'Leavers'", "Request_UnsupportedQuery"),
        ("id eq 'x'", "Request_BadRequest"),
    ],
)
def test_filters_that_are_refused(auditor, text, code):
    assert error(auditor.get("/groups", params={"$filter": text})) == (400, code)


def test_one_group(auditor):
    identifier = group_id(auditor, "leavers-hidden")
    shown = auditor.get(f"/groups/{identifier}").json()
    assert (shown["displayName"], shown["visibility"]) == ("Hidden leavers", "HiddenMembership")
    assert "@odata.type" not in shown
    few = auditor.get(f"/groups/{identifier}", params={"$select": "id,mail"}).json()
    assert set(few) == {"@odata.context", "id", "mail"}
    assert error(auditor.get("/groups/00000000-0000-4000-8000-000000000000")) == (404, "Request_ResourceNotFound")
    assert error(auditor.get(f"/groups/{auditor.id('jane')}")) == (404, "Request_ResourceNotFound")
    assert error(auditor.get("/groups/Leavers")) == (400, "Request_BadRequest")
    assert error(auditor.get(f"/groups/{identifier}/nowhere")) == (400, "BadRequest")
    assert error(auditor.get("/groups", params={"$select": "nonsense"})) == (400, "BadRequest")


def test_pages_and_counts(auditor, tenant):
    assert len(auditor.get("/groups", params={"$top": "2"}).json()["value"]) == 2
    assert "@odata.nextLink" in auditor.get("/groups", params={"$top": "2"}).json()
    assert auditor.get("/groups", params={"$count": "true"}).status_code == 400
    counted = auditor.get("/groups", params={"$count": "true", "$top": "1"}, headers=EVENTUAL).json()
    assert counted["@odata.count"] == len(tenant.directory.groups)
    assert auditor.get("/groups/$count", headers=EVENTUAL).text == str(len(tenant.directory.groups))
    assert auditor.get("/groups/$count").status_code == 400


# Permissions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("permissions", "group", "members"),
    [
        ({"User.Read.All"}, 403, 403),
        ({"User.Read.All", "GroupMember.Read.All"}, 200, 200),
        ({"GroupMember.ReadBasic.All"}, 403, 200),
        ({"GroupMember.ReadWrite.All"}, 403, 200),
        ({"Group.ReadBasic.All"}, 200, 200),
        ({"Group.Read.All"}, 200, 200),
        ({"Directory.Read.All"}, 200, 200),
        ({"Directory.ReadWrite.All"}, 200, 403),
        (set(), 403, 403),
    ],
)
def test_permissions(as_app, tenant, permissions, group, members):
    tenant.app().graph = frozenset(permissions)
    client = as_app()
    path = f"/groups/{group_id(client, 'leavers')}"
    assert client.get(path).status_code == group
    assert client.get("/groups", params={"$filter": "displayName eq 'Leavers'"}).status_code == group
    for relation in ("members", "transitiveMembers"):
        answer = client.get(f"{path}/{relation}")
        assert answer.status_code == members
    if members == 403:
        assert error(answer) == (403, "Authorization_RequestDenied")


def test_what_the_app_may_not_read_is_left_of_members(as_app, tenant):
    tenant.app().graph = frozenset({"GroupMember.Read.All"})
    client = as_app()
    path = f"/groups/{group_id(client, 'leavers')}/members"
    items = {item["id"]: item for item in client.get(path).json()["value"]}
    left = dict(items[client.id("left")])
    assert left.pop(TYPE) == "#microsoft.graph.user"
    assert left.pop("businessPhones") == []
    assert {name for name, value in left.items() if value is not None} == {"id"}
    assert "displayName" in left
    kinds = {item[TYPE].rpartition(".")[2] for item in items.values()}
    assert kinds == {"user", "group", "device", "servicePrincipal"}
    device = next(item for item in items.values() if item[TYPE] == "#microsoft.graph.device")
    assert device["displayName"] is device["accountEnabled"] is None
    assert device["alternativeSecurityIds"] == []
    berlin = items[group_id(client, "leavers-berlin")]
    assert berlin["displayName"] == "Leavers in Berlin"
    # Asked for by name, it is null as well.
    few = client.get(path, params={"$select": "id,accountEnabled"}).json()["value"]
    assert {item["accountEnabled"] for item in few if item[TYPE].endswith(".user")} == {None}
    tenant.directory.hidden_collections = "null"
    assert {item["businessPhones"] for item in client.get(path).json()["value"] if item[TYPE].endswith(".user")} == {
        None
    }


def test_leave_dates_of_members_take_their_permission(as_app, tenant):
    path = f"/groups/{tenant.directory.group('leavers').id}/members"
    params = {"$select": "id,accountEnabled,employeeLeaveDateTime"}
    client = as_app("auditor-groups")
    items = {item["id"]: item for item in client.get(path, params=params).json()["value"]}
    assert items[client.id("leaving")]["employeeLeaveDateTime"] > tenant.directory.ago()
    assert items[client.id("synced")]["employeeLeaveDateTime"] is None
    tenant.app("auditor-groups").graph -= {"User-LifeCycleInfo.Read.All"}
    assert error(client.get(path, params=params)) == (403, "Authorization_RequestDenied")


# Members -------------------------------------------------------------------------------------------------------------

DIRECT = {"left", "leaving", "offboarded", "synced", "admin2", "guest", "residual"}


def test_members(auditor):
    direct, _pages = members(auditor, "leavers", "members")
    assert set(direct) == DIRECT
    flat, _pages = members(auditor, "leavers")
    assert set(flat) == DIRECT | {"blocked", "pierre"}
    assert len(flat) == len(set(flat)), "somebody who is in twice comes twice"
    assert members(auditor, "leavers-empty") == ([], 1)


def test_all_kinds_of_members(auditor):
    path = f"/groups/{group_id(auditor, 'leavers')}"
    for relation, groups in (("members", 1), ("transitiveMembers", 1)):
        kinds = [item[TYPE].rpartition(".")[2] for item in auditor.get(f"{path}/{relation}").json()["value"]]
        assert [kinds.count(kind) for kind in ("group", "device", "servicePrincipal")] == [groups, 1, 1]
    things = auditor.get(f"{path}/members/microsoft.graph.device", params={"$count": "true"}, headers=EVENTUAL).json()
    assert [item[TYPE] for item in things["value"]] == ["#microsoft.graph.device"]
    assert things["@odata.count"] == 1


def test_casts_are_advanced_queries(auditor, tenant):
    path = f"/groups/{group_id(auditor, 'leavers')}/transitiveMembers"
    cast = f"{path}/{USERS}"
    assert auditor.get(path).status_code == 200
    for params, headers in (({}, {}), ({"$count": "true"}, {}), ({}, EVENTUAL)):
        assert auditor.get(cast, params=params, headers=headers).status_code == 400
    assert error(auditor.get(cast)) == (400, "Request_UnsupportedQuery")
    answer = auditor.get(cast, params={"$count": "true"}, headers=EVENTUAL)
    assert answer.json()["@odata.count"] == len(DIRECT) + 2
    assert auditor.get(f"{cast}/$count", params={"$count": "true"}, headers=EVENTUAL).text == str(len(DIRECT) + 2)
    for params in ({"$filter": "accountEnabled eq false"}, {"$orderby": "displayName"}, {"$expand": "memberOf"}):
        assert auditor.get(cast, params={**params, "$count": "true"}, headers=EVENTUAL).status_code == 400
    tenant.directory.cast_is_advanced = "never"
    assert auditor.get(cast).status_code == 200


def test_big_groups(auditor, tenant):
    crowd = tenant.directory.add_crowd(2500, group="leavers-mail")
    found, pages = members(auditor, "leavers-mail")
    assert (len(found), pages) == (2501, 26)
    assert {user.key for user in crowd} < set(found)
    assert members(auditor, "leavers-mail", top="999")[1] == 3
    url = f"/groups/{group_id(auditor, 'leavers-mail')}/transitiveMembers/{USERS}?$count=true&$top=1000"
    assert auditor.get(url, headers=EVENTUAL).status_code == 400


def test_hidden_members(as_app, tenant):
    client = as_app("auditor-groups")
    assert members(client, "leavers-hidden") == ([], 1)
    tenant.directory.hidden_members = "denied"
    path = f"/groups/{group_id(client, 'leavers-hidden')}/members"
    assert error(client.get(path)) == (403, "Authorization_RequestDenied")
    tenant.app("auditor-groups").graph |= {"Member.Read.Hidden"}
    assert members(client, "leavers-hidden") == (["left"], 1)


def test_in_a_batch(auditor):
    url = f"/groups/{group_id(auditor, 'leavers')}/transitiveMembers/{USERS}?$count=true&$select=id&$top=3"
    request = {"id": "1", "method": "GET", "url": url, "headers": EVENTUAL}
    (answer,) = auditor.batch(request).json()["responses"]
    assert (answer["status"], len(answer["body"]["value"])) == (200, 3)
    assert answer["body"]["@odata.nextLink"].startswith(auditor.tenant.graph_url)
    # Their header does not come from the outer request.
    (answer,) = auditor.batch({"id": "1", "method": "GET", "url": url}).json()["responses"]
    assert answer["status"] == 400
