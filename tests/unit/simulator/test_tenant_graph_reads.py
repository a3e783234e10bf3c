# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Graph: who may read what, how users are found, and what is shown of them."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest

from simulator import roles
from simulator.graph_properties import DEFAULT

FACTS = (
    "id,userPrincipalName,displayName,accountEnabled,userType,onPremisesSyncEnabled,lastPasswordChangeDateTime,"
    "signInSessionsValidFromDateTime,assignedPlans,isManagementRestricted"
)
EVENTUAL = {"ConsistencyLevel": "eventual"}


def error(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# Tokens --------------------------------------------------------------------------------------------------------------


def test_tokens_that_are_not_accepted(client, tenant):
    path = f"/users/{client.id('jane')}"
    for header, text in (
        (None, "Access token is empty."),
        ("Bearer ", "Access token is empty."),
        ("Basic eDp5", "Access token is empty."),
        ("Bearer garbage", "CompactToken parsing failed"),
        (f"Bearer {client.token(tenant.exchange_url)}", "Invalid audience."),
    ):
        answer = client.get(path, headers={"Authorization": header})
        assert error(answer) == (401, "InvalidAuthenticationToken")
        assert text in answer.json()["error"]["message"]
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert client.get(path).status_code == 200
    tenant.tokens.expire_all()
    assert "expired" in client.get(path).json()["error"]["message"]
    client._tokens.clear()


@pytest.mark.parametrize(
    "resource", ["https://graph.microsoft.com", "https://graph.microsoft.com/", "00000003-0000-0000-c000-000000000000"]
)
def test_graph_by_its_other_names(client, resource):
    token = client.token(resource)
    assert client.get("/users", headers={"Authorization": f"bearer {token}"}).status_code == 200


# The frame -----------------------------------------------------------------------------------------------------------


def test_headers_and_errors(client):
    own = "11111111-2222-4333-8444-555555555555"
    answer = client.get("/users/nobody@contoso.com", headers={"client-request-id": own})
    body = answer.json()["error"]
    assert error(answer) == (404, "Request_ResourceNotFound")
    assert body["message"].startswith("Resource 'nobody@contoso.com' does not exist")
    assert body["innerError"]["client-request-id"] == own == answer.headers["client-request-id"]
    assert body["innerError"]["request-id"] == answer.headers["request-id"]
    assert len(body["innerError"]["date"]) == 19
    assert "GMT" in answer.headers["Date"]
    fine = client.get(f"/users/{client.id('jane')}")
    assert fine.headers["Content-Type"].startswith("application/json;odata.metadata=minimal")
    assert fine.json()["@odata.context"].endswith("/v1.0/$metadata#users/$entity")


def test_places_that_do_not_exist(client):
    assert error(client.get("/nowhere")) == (400, "BadRequest")
    assert error(client.get(f"/users/{client.id('jane')}/nowhere")) == (400, "BadRequest")
    assert error(client.get("/me")) == (400, "BadRequest")
    beta = client.http.get(f"{client.tenant.graph_url}/beta/users")
    assert "Invalid version" in beta.json()["error"]["message"]
    assert client.get("/_tenant/journal").status_code == 400


@pytest.mark.parametrize("method", ["HEAD", "PUT", "TRACE", "QUERY", "PROPFIND"])
def test_methods(client, method):
    answer = client.graph(method, f"/users/{client.id('jane')}")
    assert answer.status_code == 405
    assert "PATCH" in answer.headers["Allow"]
    assert client.graph("OPTIONS", "/users").status_code == 200


# Keys ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "paths"),
    [
        ("jane", ["/users/jane.doe@contoso.com", "/users/JANE.DOE@CONTOSO.COM", "/users/jane.doe%40contoso.com"]),
        (
            "jane",
            ["/users('jane.doe@contoso.com')", "/Users('jane.doe%40contoso.com')", "//users/jane.doe@contoso.com"],
        ),
        ("guest", ["/users/AdeleVance_adatum.com%23EXT%23@contoso.onmicrosoft.com"]),
        ("apostrophe", ["/users/miles.o%27brien@contoso.com", "/users('miles.o''brien@contoso.com')"]),
        ("dollar", ["/users('$cash@contoso.com')", "/users('%24cash@contoso.com')"]),
    ],
)
def test_keys(client, key, paths):
    for path in paths:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert answer.json()["id"] == client.id(key)


def test_keys_that_are_wrong(client, tenant):
    assert error(client.get("/users/$cash@contoso.com")) == (400, "BadRequest")
    assert error(client.get("/users('miles.o'brien@contoso.com')")) == (400, "BadRequest")
    assert error(client.get(f"/users({client.id('jane')})")) == (400, "BadRequest")
    # A mail address or an alias is not a key, and neither is the id of something else.
    assert client.get("/users/anna.meyer-schulz@contoso.com").status_code == 404
    assert client.get(f"/users/{next(iter(tenant.directory.groups))}").status_code == 404
    assert client.get(f"/users/{client.id('deleted')}").status_code == 404
    tenant.directory.apostrophe_in_path = "doubled"
    assert client.get("/users/miles.o%27brien@contoso.com").status_code == 404
    assert client.get("/users/miles.o%27%27brien@contoso.com").status_code == 200


# $select -------------------------------------------------------------------------------------------------------------


def test_only_the_usual_properties_come_unasked(client):
    shown = client.get(f"/users/{client.id('jane')}").json()
    assert set(shown) == {"@odata.context", *DEFAULT}
    item = client.get("/users").json()["value"][0]
    assert set(item) == set(DEFAULT)


def test_selected_properties(client):
    shown = client.get(f"/users/{client.id('synced')}", params={"$select": FACTS}).json()
    assert shown.pop("@odata.context").endswith("/$entity")
    assert set(shown) == set(FACTS.split(","))
    assert shown["onPremisesSyncEnabled"] is True
    jane = client.get(f"/users/{client.id('jane')}", params={"$select": FACTS}).json()
    assert jane["onPremisesSyncEnabled"] is None
    assert jane["lastPasswordChangeDateTime"].endswith("Z")
    assert jane["assignedPlans"][0]["service"] == "exchange"


@pytest.mark.parametrize(
    "name", ["refreshTokensValidFromDateTime", "nonsense", "accountEnabled,nonsense", "id,,mail", "a/b"]
)
def test_unknown_properties(client, name):
    assert error(client.get(f"/users/{client.id('jane')}", params={"$select": name})) == (400, "BadRequest")
    assert error(client.get("/users", params={"$select": name})) == (400, "BadRequest")


def test_the_leave_date_takes_its_own_permission(as_app):
    for app, status in (("offboarding", 403), ("auditor", 403), ("auditor-with-leave-dates", 200)):
        client = as_app(app)
        answer = client.get(f"/users/{client.id('left')}", params={"$select": "id,employeeLeaveDateTime"})
        assert answer.status_code == status
        everybody = {"$filter": "employeeLeaveDateTime le 2999-01-01T00:00:00Z", "$count": "true"}
        filtered = client.get("/users", params=everybody, headers=EVENTUAL)
        assert filtered.status_code == status
    assert answer.json()["employeeLeaveDateTime"] == client.tenant.directory.user("left")["employeeLeaveDateTime"]
    assert found(client, filtered) == {"left", "leaving", "offboarded", "residual"}


def test_filtering_by_leave_date_is_an_advanced_query(as_app, tenant):
    client = as_app("auditor-groups")
    now = tenant.directory.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    past = {"$filter": f"employeeLeaveDateTime le {now}", "$select": "id"}
    for params, headers in ((past, {}), (past, EVENTUAL), ({**past, "$count": "true"}, {})):
        assert error(client.get("/users", params=params, headers=headers))[0] == 400
    refused = client.get("/users", params=past)
    assert error(refused) == (400, "Request_UnsupportedQuery")
    assert "'employeeLeaveDateTime' of resource 'User'" in refused.json()["error"]["message"]
    past["$count"] = "true"
    assert found(client, client.get("/users", params=past, headers=EVENTUAL)) == {"left", "offboarded", "residual"}
    later = {**past, "$filter": f"employeeLeaveDateTime ge {now}"}
    assert found(client, client.get("/users", params=later, headers=EVENTUAL)) == {"leaving"}
    for wrong in ("'2026-01-01T00:00:00Z'", "2026-01-01", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00"):
        params = {**past, "$filter": f"employeeLeaveDateTime le {wrong}"}
        assert error(client.get("/users", params=params, headers=EVENTUAL)) == (400, "BadRequest")
    tenant.directory.leave_date_is_advanced = False
    assert client.get("/users", params={"$filter": past["$filter"]}).status_code == 200


def test_permissions_to_read(as_app):
    for app, plain, enabled in (
        ("auditor", 200, 200),
        ("basic-read", 200, 403),
        ("no-permissions", 403, 403),
        ("without-read", 403, 403),
    ):
        client = as_app(app)
        path = f"/users/{client.id('jane')}"
        assert client.get(path).status_code == plain
        assert client.get(path, params={"$select": "accountEnabled"}).status_code == enabled
        assert client.get("/users", params={"$filter": "accountEnabled eq true"}).status_code == enabled
    assert error(client.get(path)) == (403, "Authorization_RequestDenied")
    basic = as_app("basic-read")
    assert "jobTitle" not in basic.get(path).json()


def test_query_options_that_are_refused(client):
    path = f"/users/{client.id('jane')}"
    for params in ({"$nonsense": "1"}, {"$top": "5"}, {"$filter": "id eq 'x'"}, {"$expand": "nonsense"}):
        assert client.get(path, params=params).status_code == 400
    for params in (
        {"$top": "0"},
        {"$top": "1000"},
        {"$top": "x"},
        {"$skip": "1"},
        {"$skiptoken": "x"},
        {"$count": "x"},
    ):
        assert client.get("/users", params=params).status_code == 400
    assert client.get("/users?$select=id&$select=mail").status_code == 400
    assert client.get("/users?nonsense=1&select=x").status_code == 200


def test_metadata_may_be_left_out(client):
    answer = client.get(
        f"/users/{client.id('admin')}/transitiveMemberOf", headers={"Accept": "application/json;odata.metadata=none"}
    )
    assert "@odata" not in answer.text


# $filter -------------------------------------------------------------------------------------------------------------

FILTERS = {
    "userPrincipalName eq 'jane.doe@contoso.com'": {"jane"},
    "USERPRINCIPALNAME EQ 'Jane.Doe@CONTOSO.com'": {"jane"},
    "userPrincipalName eq 'miles.o''brien@contoso.com'": {"apostrophe"},
    "userPrincipalName eq '$cash@contoso.com'": {"dollar"},
    "userPrincipalName eq 'AdeleVance_adatum.com#EXT#@contoso.onmicrosoft.com'": {"guest"},
    "userPrincipalName in ('jane.doe@contoso.com','john.roe@contoso.com', 'nobody@contoso.com')": {"jane", "john"},
    "mail eq 'anna.meyer-schulz@contoso.com'": {"alias"},
    "mail eq 'a.meyer@contoso.com' or userPrincipalName eq 'a.meyer@contoso.com'": {"alias"},
    "proxyAddresses/any(p:p eq 'smtp:anna.meyer@contoso.com')": {"alias"},
    "proxyAddresses/any(x:x eq 'SMTP:anna.meyer@contoso.com' or x eq 'smtp:jane.doe@contoso.com')": {"alias", "jane"},
    "proxyAddresses/any(p:startsWith(p,'smtp:ameyer'))": {"alias"},
    "startsWith(userPrincipalName,'sam.smith')": {"sam1", "sam2"},
    "startswith(displayName, 'Sam') and accountEnabled eq true": {"sam1", "sam2"},
    "displayName eq 'Sam Smith'": {"sam1", "sam2"},
    "accountEnabled eq false": {"blocked", "offboarded", "shared", "residual"},
    "accountEnabled eq false and (mail eq null or startsWith(mail,'info'))": {"shared"},
    "userType eq 'Guest'": {"guest"},
    "onPremisesSyncEnabled eq true": {"synced", "onpremises"},
    "createdDateTime gt 2999-01-01T00:00:00Z": set(),
    "createdDateTime le 2024-01-15T09:00:00+01:00 and userType eq 'Guest'": {"guest"},
    "userPrincipalName eq 'nobody@contoso.com'": set(),
    "mailNickname eq 'AMEYER'": {"alias"},
    "department eq 'Sales' and startsWith(surname,'D')": {"jane", "pierre"},
}
ADVANCED = {
    "endsWith(userPrincipalName,'.onmicrosoft.com')": {"guest"},
    "userType ne 'Member'": {"guest"},
    "not(userType eq 'Member')": {"guest"},
    "not startsWith(userPrincipalName,'sam') and displayName eq 'Sam Smith'": set(),
    "proxyAddresses/any(p:endsWith(p,'adatum.com'))": {"guest"},
    "assignedLicenses/$count eq 0 and userType eq 'Guest'": {"guest"},
    "onPremisesSamAccountName eq 'ssynced'": {"synced"},
    "companyName eq 'Contoso'": set(),
    "surname eq null and startsWith(displayName,'<')": {"html"},
}


def found(client, answer) -> set[str]:
    assert answer.status_code == 200, answer.text
    return {client.tenant.directory.users[user["id"]].key for user in answer.json()["value"]}


@pytest.mark.parametrize("text", FILTERS)
def test_filters(client, text):
    assert found(client, client.get("/users", params={"$filter": text})) == FILTERS[text]


@pytest.mark.parametrize("text", ADVANCED)
def test_advanced_filters(client, text):
    assert error(client.get("/users", params={"$filter": text})) == (400, "Request_UnsupportedQuery")
    assert error(client.get("/users", params={"$filter": text}, headers=EVENTUAL))[0] == 400
    answer = client.get("/users", params={"$filter": text, "$count": "true"}, headers=EVENTUAL)
    assert found(client, answer) == ADVANCED[text]
    assert answer.json()["@odata.count"] == len(ADVANCED[text])


def test_filter_by_id(client):
    text = f"id in ('{client.id('jane')}','{client.id('john')}')"
    assert found(client, client.get("/users", params={"$filter": text})) == {"jane", "john"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "BadRequest"),
        ("userPrincipalName", "BadRequest"),
        ("userPrincipalName eq", "BadRequest"),
        ("userPrincipalName eq 'miles.o'brien@contoso.com'", "BadRequest"),
        ("userPrincipalName eq 'x", "BadRequest"),
        ("userPrincipalName eq 'x' nonsense", "BadRequest"),
        ("userPrincipalName like 'x'", "BadRequest"),
        ("nonsense eq 'x'", "BadRequest"),
        ("(accountEnabled eq true", "BadRequest"),
        ("accountEnabled eq 'true'", "BadRequest"),
        ("accountEnabled eq 1", "BadRequest"),
        ("createdDateTime ge '2024-01-01T00:00:00Z'", "BadRequest"),
        ("createdDateTime ge 2024-01-01", "BadRequest"),
        ("concat(mail,'x') eq 'x'", "BadRequest"),
        ("proxyAddresses/any(p:q eq 'x')", "BadRequest"),
        ("id eq 'x'", "Request_BadRequest"),
        ("contains(displayName,'x')", "Request_UnsupportedQuery"),
        ("proxyAddresses eq 'x'", "Request_UnsupportedQuery"),
        ("lastPasswordChangeDateTime ge 2024-01-01T00:00:00Z", "Request_UnsupportedQuery"),
        ("signInSessionsValidFromDateTime ge 2024-01-01T00:00:00Z", "Request_UnsupportedQuery"),
        ("endsWith(displayName,'x')", "Request_UnsupportedQuery"),
        ("(" * 200 + "id eq 'x'" + ")" * 200, "BadRequest"),
    ],
)
def test_filters_that_are_refused(client, text, code):
    assert error(client.get("/users", params={"$filter": text})) == (400, code)


def test_fifteen_clauses_are_enough(client):
    names = [f"user{number}@contoso.com" for number in range(16)]
    each = [f"userPrincipalName eq '{name}'" for name in names]
    for text in (" or ".join(each), "userPrincipalName in ({})".format(",".join(f"'{name}'" for name in names))):
        answer = client.get("/users", params={"$filter": text})
        assert error(answer) == (400, "Request_UnsupportedQuery")
        assert "'OR' operators: 16. Max allowed: 15." in answer.json()["error"]["message"]
    assert client.get("/users", params={"$filter": " or ".join(each[:15])}).status_code == 200


# Lists ---------------------------------------------------------------------------------------------------------------


def test_paging(client, tenant):
    everybody = {user.id for user in tenant.directory.everyone()}
    url, seen, pages = f"{tenant.graph_url}/v1.0/users?$select=id&$top=10", [], 0
    while url:
        body = client.http.get(url, headers={"Authorization": f"Bearer {client.token(tenant.graph_url)}"}).json()
        seen += [user["id"] for user in body["value"]]
        url, pages = body.get("@odata.nextLink"), pages + 1
    assert len(seen) == len(everybody)
    assert set(seen) == everybody
    assert pages == -(-len(everybody) // 10)


def test_page_tokens_are_good_for_their_own_query_only(client, tenant):
    first = client.get("/users", params={"$top": "5", "$filter": "accountEnabled eq true", "$select": "id"}).json()
    link = first["@odata.nextLink"]
    assert link.startswith(f"{tenant.graph_url}/v1.0/users?")
    headers = {"Authorization": f"Bearer {client.token(tenant.graph_url)}"}

    def follow(url):
        return client.http.get(url, headers=headers)

    second = follow(link).json()
    assert len(second["value"]) == 5
    assert not {user["id"] for user in first["value"]} & {user["id"] for user in second["value"]}
    # Followed again, it leads to the same page; and so does one whose options are encoded in another way.
    assert follow(link).json()["value"] == second["value"]
    assert follow(link.replace("%20", "+")).json()["value"] == second["value"]
    for changed in (
        link.replace("true", "false"),
        link.replace("$top=5", "$top=6"),
        link.replace("/users?", "/groups?"),
        link[:-4] + "AAAA",
        link.partition("$skiptoken")[0] + "$skiptoken=RFNwdAIAAQ",
    ):
        assert changed != link
        assert follow(changed).status_code in (400, 403), changed
    assert error(follow(link.replace("true", "false"))) == (400, "Directory_ExpiredPageToken")
    tenant.directory.page_token_life = 0.01
    time.sleep(0.02)
    assert error(follow(link)) == (400, "Directory_ExpiredPageToken")


def test_pages_in_a_batch_have_whole_addresses(client, tenant):
    answer = client.batch({"id": "1", "method": "GET", "url": "/users?$top=3&$select=id"}).json()["responses"][0]
    link = answer["body"]["@odata.nextLink"]
    assert link.startswith(f"{tenant.graph_url}/v1.0/users?")
    inner = link.removeprefix(f"{tenant.graph_url}/v1.0")
    again = client.batch({"id": "1", "method": "GET", "url": inner}).json()["responses"][0]
    assert (again["status"], len(again["body"]["value"])) == (200, 3)


def test_a_crowd(client, tenant):
    crowd = tenant.directory.add_crowd(10_000)
    assert (crowd[0].upn, crowd[-1].upn) == ("user00000@contoso.com", "user09999@contoso.com")
    assert len(client.get("/users").json()["value"]) == 100
    assert len(client.get("/users", params={"$top": "999"}).json()["value"]) == 999
    assert client.get("/users/$count").status_code == 400
    count = client.get("/users/$count", headers=EVENTUAL)
    assert int(count.text) == len(tenant.directory.users)
    text = "userPrincipalName eq 'user04711@contoso.com'"
    assert found(client, client.get("/users", params={"$filter": text})) == {"crowd04711"}


def test_order_and_search(client):
    names = [
        user["displayName"]
        for user in client.get("/users", params={"$orderby": "displayName desc", "$top": "5"}).json()["value"]
    ]
    assert names == sorted(names, key=str.lower, reverse=True)
    both = {"$orderby": "displayName", "$filter": "startsWith(displayName,'S')"}
    assert client.get("/users", params=both).status_code == 400
    assert client.get("/users", params={**both, "$count": "true"}, headers=EVENTUAL).status_code == 200
    search = {"$search": '"displayName:smith"'}
    assert client.get("/users", params=search).status_code == 400
    assert found(client, client.get("/users", params=search, headers=EVENTUAL)) == {"sam1", "sam2"}


def test_replicas_lag(client, tenant):
    path = f"/users/{client.id('jane')}"
    params = {"$select": "accountEnabled,userPrincipalName"}
    tenant.directory.replica_lag = 60
    tenant.directory.user("jane").update({"accountEnabled": False, "userPrincipalName": "jane.roe@contoso.com"})
    assert client.get(path, params=params).json()["accountEnabled"] is True
    old = {"$filter": "userPrincipalName eq 'jane.doe@contoso.com'"}
    assert found(client, client.get("/users", params=old)) == {"jane"}
    tenant.directory.replica_lag = 0
    assert client.get(path, params=params).json()["accountEnabled"] is False
    assert found(client, client.get("/users", params=old)) == set()
    tenant.directory.index_lag = 60
    assert found(client, client.get("/users", params={**old, "$count": "true"}, headers=EVENTUAL)) == {"jane"}


# Roles and groups ----------------------------------------------------------------------------------------------------

ROLE = "#microsoft.graph.directoryRole"


@pytest.mark.parametrize(
    ("key", "direct", "transitive"),
    [
        ("jane", [], []),
        ("member", [], []),
        ("admin", [roles.GLOBAL], [roles.GLOBAL]),
        ("reader", [roles.READERS], [roles.READERS]),
        ("helpdesk", [], [roles.HELPDESK]),
        ("nested", [], [roles.HELPDESK]),
    ],
)
def test_roles(as_app, key, direct, transitive):
    client = as_app("offboarding-privileged")
    base = f"/users/{client.id(key)}"
    for path, wanted in (("memberOf", direct), ("transitiveMemberOf", transitive)):
        for suffix in ("", "/microsoft.graph.directoryRole"):
            items = client.get(f"{base}/{path}{suffix}").json()["value"]
            assert [item["displayName"] for item in items if item["@odata.type"] == ROLE] == wanted
            if suffix:
                assert all(item["@odata.type"] == ROLE for item in items)


def test_what_may_not_be_read_has_only_an_id(as_app):
    client = as_app("auditor")
    items = client.get(f"/users/{client.id('helpdesk')}/transitiveMemberOf").json()["value"]
    assert {item["@odata.type"] for item in items} == {ROLE, "#microsoft.graph.group"}
    for item in items:
        assert item["id"]
        assert not any(value for name, value in item.items() if name not in ("id", "@odata.type"))
    assert as_app("no-permissions").get(f"/users/{client.id('helpdesk')}/transitiveMemberOf").status_code == 403


def test_casts_with_parameters_are_advanced_queries(client, tenant):
    path = f"/users/{client.id('admin')}/transitiveMemberOf/microsoft.graph.directoryRole"
    select = {"$select": "id"}
    assert client.get(path).status_code == 200
    assert error(client.get(path, params=select)) == (400, "Request_UnsupportedQuery")
    assert client.get(path, params={**select, "$count": "true"}, headers=EVENTUAL).json()["@odata.count"] == 1
    assert client.get(f"{path}/$count", headers=EVENTUAL).text == "1"
    tenant.directory.cast_is_advanced = "always"
    assert client.get(path).status_code == 400
    tenant.directory.cast_is_advanced = "never"
    assert client.get(path, params=select).status_code == 200
    tenant.directory.cast_shows_type = False
    assert "@odata.type" not in client.get(path).text
    assert client.get(f"/users/{client.id('admin')}/transitiveMemberOf/microsoft.graph.nonsense").status_code == 400


def test_expanding_memberships(client):
    answer = client.get(
        f"/users/{client.id('admin')}", params={"$select": "id", "$expand": "transitiveMemberOf"}
    ).json()
    assert [item["@odata.type"] for item in answer["transitiveMemberOf"]] == [ROLE]


def test_directory_roles(as_app):
    assert as_app().get("/directoryRoles").status_code == 403
    client = as_app("offboarding-privileged")
    listed = {role["displayName"]: role["id"] for role in client.get("/directoryRoles").json()["value"]}
    assert set(listed) == {roles.GLOBAL, roles.HELPDESK, roles.READERS, roles.REPORTS}
    members = client.get(f"/directoryRoles/{listed[roles.GLOBAL]}/members").json()["value"]
    assert {item["id"] for item in members} == {client.id(key) for key in ("admin", "admin2", "admin3", "breakglass")}
    by_template = client.get(
        f"/directoryRoles(roleTemplateId='{roles.TEMPLATES[roles.GLOBAL]}')/members?$select=id,accountEnabled"
    )
    assert {item["id"] for item in by_template.json()["value"]} == {item["id"] for item in members}
    assert all(item["accountEnabled"] is True for item in by_template.json()["value"])
    # Nobody holds it, so it is not there.
    assert client.get(f"/directoryRoles(roleTemplateId='{roles.TEMPLATES[roles.USAGE]}')").status_code == 404
    assert error(client.get(f"/directoryRoles(displayName='{roles.GLOBAL}')")) == (400, "BadRequest")
    assert error(client.get("/users(mail='jane.doe@contoso.com')")) == (400, "BadRequest")
    text = f"principalId eq '{client.id('admin')}'"
    answer = client.get("/roleManagement/directory/roleAssignments", params={"$filter": text}).json()
    assert [item["roleDefinitionId"] for item in answer["value"]] == [roles.TEMPLATES[roles.GLOBAL]]
    assert client.get("/roleManagement/directory/roleAssignments", params={"$filter": "x eq 'y'"}).status_code == 400


def test_other_objects(client, tenant):
    app = tenant.app()
    for path in ("/groups", "/organization", "/servicePrincipals", f"/directoryObjects/{client.id('jane')}"):
        assert client.get(path).status_code == 403
    app.graph |= {"Directory.Read.All", "Application.Read.All"}
    groups = client.get("/groups").json()["value"]
    staff = next(group["id"] for group in groups if group["displayName"] == "All staff")
    assert {item["id"] for item in client.get(f"/groups/{staff}/members").json()["value"]} == {
        client.id("helpdesk"),
        client.id("member"),
    }
    assert client.get("/organization").json()["value"][0]["id"] == tenant.tenant_id
    own = client.get("/servicePrincipals", params={"$filter": f"appId eq '{app.client_id}'"}).json()["value"]
    assert [item["id"] for item in own] == [app.object_id]
    assert client.get(f"/servicePrincipals(appId='{app.client_id}')").json()["id"] == app.object_id
    assert client.get(f"/directoryObjects/{client.id('jane')}").json()["@odata.type"] == "#microsoft.graph.user"
    body = {"ids": [client.id("jane"), staff, "00000000-0000-4000-8000-000000000000"], "types": ["user"]}
    answer = client.graph("POST", "/directoryObjects/getByIds", json=body).json()
    assert [item["id"] for item in answer["value"]] == [client.id("jane")]
    assert client.graph("POST", "/directoryObjects/getByIds", json={"ids": ["x"] * 1001}).status_code == 400
    assert tenant.journal.writes() == []


@pytest.mark.parametrize("mode", ["plain", "prefixed"])
def test_deleted_users(client, tenant, mode):
    tenant.directory.deleted_upn = mode
    gone = tenant.directory.user("deleted")
    base = "/directory/deletedItems/microsoft.graph.user"
    equal = client.get(base, params={"$filter": f"userPrincipalName eq '{gone.upn}'"}).json()["value"]
    ending = {"$filter": f"endsWith(userPrincipalName,'{gone.upn}')", "$count": "true"}
    assert error(client.get(base, params={"$filter": ending["$filter"]})) == (400, "Request_UnsupportedQuery")
    end = client.get(base, params=ending, headers=EVENTUAL).json()["value"]
    assert [item["id"] for item in equal] == ([gone.id] if mode == "plain" else [])
    assert [item["id"] for item in end] == [gone.id]
    assert end[0]["deletedDateTime"] == gone["deletedDateTime"]
    assert end[0]["userPrincipalName"] == ("" if mode == "plain" else gone.id.replace("-", "")) + gone.upn
    assert client.get(f"/directory/deletedItems/{gone.id}").json()["id"] == gone.id
    assert client.get(f"/directory/deletedItems/{client.id('jane')}").status_code == 404


def test_resetting_by_the_other_way_is_for_people_only(client):
    path = f"/users/{client.id('jane')}/authentication/methods/{quote('28c10230-6103-485e-b985-444c60001490')}/resetPassword"
    assert client.graph("POST", path, json={}).status_code == 403


def test_expanding_the_manager(client, tenant):
    query = {"$select": "id", "$expand": "manager($select=id,displayName)"}
    jane, olga = client.id("jane"), client.id("olga")
    shown = {"@odata.type": "#microsoft.graph.user", "id": olga, "displayName": "Olga Petrova"}

    assert client.get(f"/users/{jane}", params=query).json()["manager"] == shown
    found = client.get("/users", params={**query, "$filter": "userPrincipalName eq 'jane.doe@contoso.com'"}).json()
    assert [one["manager"] for one in found["value"]] == [shown]
    assert "manager" not in client.get(f"/users/{olga}", params=query).json()
    assert "manager" not in client.get(f"/users/{jane}").json()
    advanced = {**query, "$filter": "startsWith(displayName,'J')", "$count": "true"}
    assert client.get("/users", params=advanced, headers=EVENTUAL).status_code == 400
    for expand in ("manager($levels=max)", "manager($select=id;$levels=2)", "manager($select=nonsense)", "manager("):
        assert client.get(f"/users/{jane}", params={"$expand": expand}).status_code == 400
    tenant.directory.takes_manager = False
    assert client.get(f"/users/{jane}", params=query).status_code == 400


def test_a_hire_date_may_need_a_permission_of_its_own(client, tenant):
    path = f"/users/{client.id('jane')}?$select=employeeHireDate"

    assert client.get(path).json()["employeeHireDate"] == "2024-01-15T00:00:00Z"
    tenant.directory.hire_date_needs_lifecycle = True
    assert client.get(path).status_code == 403
