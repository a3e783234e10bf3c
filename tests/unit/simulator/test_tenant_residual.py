# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Graph on what outlives a blocked account: who may read it, and what each reader sees."""

from __future__ import annotations

import pytest

from simulator import Fault
from simulator.residual import PASSWORD_METHOD

EVENTUAL = {"ConsistencyLevel": "eventual"}
TYPE = "@odata.type"
RULES = "mailFolders/inbox/messageRules"


def error(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def value(answer) -> list:
    assert answer.status_code == 200, answer.text
    return answer.json()["value"]


@pytest.fixture
def auditor(as_app):
    return as_app("auditor-residual")


@pytest.fixture
def only(as_app, tenant):
    """A client with exactly these permissions."""

    def make(*permissions: str):
        tenant.app().graph = frozenset(permissions)
        return as_app()

    return make


TOPICS = {
    "ownedObjects": ("appowner", 6),
    "oauth2PermissionGrants": ("consenter", 3),
    "registeredDevices": ("devices", 2),
    "ownedDevices": ("devices", 2),
    RULES: ("inside", 1),
    "authentication/methods": ("passkey", 9),
}


@pytest.mark.parametrize("topic", TOPICS)
def test_topics(auditor, topic):
    key, count = TOPICS[topic]
    assert len(value(auditor.get(f"/users/{auditor.id(key)}/{topic}"))) == count
    alone = 1 if topic.startswith("authentication") else 0
    assert len(value(auditor.get(f"/users/{auditor.id('jane')}/{topic}"))) == alone
    assert len(value(auditor.get(f"/users/{auditor.id('residual')}/{topic}"))) >= 1
    for method in ("POST", "PATCH", "DELETE"):
        assert auditor.graph(method, f"/users/{auditor.id(key)}/{topic}", json={}).status_code in (403, 405)


@pytest.mark.parametrize("topic", TOPICS)
def test_somebody_unknown(auditor, topic):
    code = "ErrorInvalidUser" if topic == RULES else "Request_ResourceNotFound"
    assert error(auditor.get(f"/users/00000000-0000-4000-8000-000000000000/{topic}")) == (404, code)


PERMISSIONS = {
    "ownedObjects": ({"User.Read.All"}, {"Directory.Read.All"}, {"User.ReadWrite.All"}),
    "oauth2PermissionGrants": ({"Directory.Read.All"}, {"DelegatedPermissionGrant.ReadWrite.All"}),
    "registeredDevices": ({"User.Read.All"}, {"Directory.Read.All"}, {"User.ReadWrite.All"}),
    RULES: ({"MailboxSettings.Read"}, {"MailboxSettings.ReadWrite"}),
    "authentication/methods": ({"UserAuthenticationMethod.Read.All"}, {"UserAuthenticationMethod.ReadWrite.All"}),
}
REFUSED = {
    RULES: ("ErrorAccessDenied", "Access is denied. Check credentials and try again."),
    "authentication/methods": ("accessDenied", "Request Authorization failed"),
}


@pytest.mark.parametrize("topic", PERMISSIONS)
def test_permissions(only, tenant, topic):
    path = f"/users/{tenant.directory.user('residual').id}/{topic}"
    for enough in PERMISSIONS[topic]:
        assert only(*enough).get(path).status_code == 200, enough
    everything = {permission for sets in PERMISSIONS.values() for one in sets for permission in one}
    others = everything - {permission for one in PERMISSIONS[topic] for permission in one}
    answer = only(*others, "Mail.Read", "DelegatedPermissionGrant.Read.All").get(path)
    usual = ("Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    body = answer.json()["error"]
    assert (answer.status_code, body["code"], body["message"]) == (403, *REFUSED.get(topic, usual))


# Applications --------------------------------------------------------------------------------------------------------


def test_applications(auditor):
    path = f"/users/{auditor.id('appowner')}/ownedObjects"
    kinds = [item[TYPE].rpartition(".")[2] for item in value(auditor.get(path))]
    assert kinds == ["application"] * 4 + ["group", "servicePrincipal"]
    cast = f"{path}/microsoft.graph.application"
    payroll, report, robot, shell = value(auditor.get(cast))
    assert [item["displayName"] for item in (payroll, report, robot, shell)] == [
        "Payroll bridge",
        "Old report",
        "Robot",
        "Empty shell",
    ]
    assert len(payroll["passwordCredentials"]) == 2
    assert set(payroll["passwordCredentials"][0]) == {
        "customKeyIdentifier",
        "displayName",
        "endDateTime",
        "hint",
        "keyId",
        "secretText",
        "startDateTime",
    }
    assert payroll["passwordCredentials"][0]["secretText"] is None
    assert robot["keyCredentials"][0]["key"] is None
    assert report["passwordCredentials"][0]["endDateTime"].endswith(".3086381Z")
    assert (shell["passwordCredentials"], shell["keyCredentials"]) == ([], [])
    select = {"$select": "id,displayName,passwordCredentials"}
    assert error(auditor.get(cast, params=select)) == (400, "Request_UnsupportedQuery")
    few = value(auditor.get(cast, params={**select, "$count": "true"}, headers=EVENTUAL))
    assert set(few[0]) == {TYPE, "id", "displayName", "passwordCredentials"}
    assert auditor.get(path, params={"$select": "nonsense"}).status_code == 400


def test_applications_that_one_may_not_read_look_as_if_they_had_no_secrets(only, tenant):
    path = f"/users/{tenant.directory.user('appowner').id}/ownedObjects"
    client = only("User.Read.All")
    first = value(client.get(path))[0]
    assert (first.pop(TYPE), bool(first.pop("id"))) == ("#microsoft.graph.application", True)
    assert {name for name, item in first.items() if item == []} == {
        "identifierUris",
        "keyCredentials",
        "passwordCredentials",
        "tags",
    }
    assert not any(first.values())
    assert value(client.get(f"{path}/microsoft.graph.application"))[0]["appId"] is None
    tenant.directory.hidden_collections = "null"
    assert value(client.get(path))[0]["passwordCredentials"] is None
    for more in ("Application.Read.All", "Directory.Read.All"):
        assert value(only("User.Read.All", more).get(path))[0]["displayName"] == "Payroll bridge"


# Consents ------------------------------------------------------------------------------------------------------------


def test_grants(auditor, tenant):
    survey, mail, gone = value(auditor.get(f"/users/{auditor.id('consenter')}/oauth2PermissionGrants"))
    assert set(survey) == {"clientId", "consentType", "id", "principalId", "resourceId", "scope"}
    assert (survey["consentType"], survey["principalId"]) == ("Principal", auditor.id("consenter"))
    assert survey["scope"] == " User.Read openid profile"
    name = auditor.get(f"/servicePrincipals/{mail['clientId']}", params={"$select": "id,displayName"}).json()
    assert name["displayName"] == "Mail Sync <Pro>"
    assert set(name) == {"@odata.context", "id", "displayName"}
    assert auditor.get(f"/servicePrincipals/{mail['resourceId']}").json()["displayName"] == "Microsoft Graph"
    assert error(auditor.get(f"/servicePrincipals/{gone['clientId']}")) == (404, "Request_ResourceNotFound")
    tenant.app("auditor-residual").graph -= {"Application.Read.All", "Directory.Read.All"}
    assert auditor.get(f"/servicePrincipals/{mail['clientId']}").status_code == 403


def test_the_permission_that_the_reference_does_not_list(only, tenant):
    client = only("DelegatedPermissionGrant.Read.All")
    path = f"/users/{client.id('consenter')}/oauth2PermissionGrants"
    assert client.get(path).status_code == 403
    tenant.directory.grants_read_all = True
    assert client.get(path).status_code == 200


# Devices -------------------------------------------------------------------------------------------------------------


def test_devices(auditor, only):
    path = f"/users/{auditor.id('devices')}/registeredDevices"
    laptop, phone = value(auditor.get(path))
    assert [(item["displayName"], item["accountEnabled"]) for item in (laptop, phone)] == [
        ("LAPTOP-DIETER", True),
        ("Old phone", False),
    ]
    cast = value(auditor.get(f"{path}/microsoft.graph.device", params={"$count": "true"}, headers=EVENTUAL))
    assert [item["id"] for item in cast] == [laptop["id"], phone["id"]]
    hidden = value(only("User.Read.All").get(path))
    assert [item["id"] for item in hidden] == [laptop["id"], phone["id"]]
    assert {item["accountEnabled"] for item in hidden} == {None}


# Rules ---------------------------------------------------------------------------------------------------------------


def test_rules(auditor, tenant):
    path = f"/users/{auditor.id('ruler')}/{RULES}"
    first = auditor.get(path)
    assert len(value(first)) == 10
    assert "@odata.count" not in first.json()
    link = first.json()["@odata.nextLink"]
    assert link == f"{tenant.graph_url}/v1.0{path}?$skip=10"
    headers = {"Authorization": f"Bearer {auditor.token(tenant.graph_url)}"}
    second = auditor.http.get(link, headers=headers)
    out, attachment = value(second)
    assert "@odata.nextLink" not in second.json()
    assert out["actions"]["forwardTo"][1] == {
        "emailAddress": {"name": "collector@example.net", "address": "collector@example.net"}
    }
    assert "redirectTo" not in out["actions"]
    assert attachment["displayName"] == ""
    assert set(out) == {"id", "displayName", "sequence", "isEnabled", "hasError", "isReadOnly", "conditions", "actions"}
    assert [rule["isEnabled"] for rule in value(first)].count(False) == 1
    assert len(value(auditor.get(path, params={"$top": "100"}))) == 12
    same = f"/users/{auditor.id('ruler')}/mailFolders('Inbox')/messageRules"
    assert value(auditor.get(same)) == value(first)
    for params in ({"$filter": "isEnabled eq true"}, {"$skip": "x"}, {"$skiptoken": "x"}, {"$select": "nonsense"}):
        assert auditor.get(path, params=params).status_code == 400
    assert auditor.get(f"/users/{auditor.id('ruler')}/mailFolders/drafts/messageRules").status_code == 400
    assert auditor.get(f"/users/{auditor.id('ruler')}/mailFolders").status_code == 400
    # Elsewhere nobody counts with $skip.
    assert auditor.get("/users", params={"$skip": "1"}).status_code == 400


def test_rules_of_somebody_without_a_mailbox(auditor, tenant):
    for key in ("nomail", "guest", "onpremises"):
        answer = auditor.get(f"/users/{auditor.id(key)}/{RULES}")
        assert error(answer) == (404, "MailboxNotEnabledForRESTAPI")
        assert "soft-deleted, or is hosted on-premise" in answer.json()["error"]["message"]
    tenant.directory.rules_no_mailbox = "ResourceNotFound"
    assert error(auditor.get(f"/users/{auditor.id('nomail')}/{RULES}")) == (404, "ResourceNotFound")


def test_outlook_throttles_in_its_own_words(auditor, tenant):
    tenant.faults.add(Fault(path="messageRules", status=429, headers={"Retry-After": "1"}, nth=1))
    tenant.faults.add(Fault(path="ownedObjects", status=429, nth=1))
    identifier = auditor.id("ruler")
    throttled = auditor.get(f"/users/{identifier}/{RULES}")
    assert error(throttled) == (429, "ApplicationThrottled")
    assert throttled.headers["Retry-After"] == "1"
    assert error(auditor.get(f"/users/{identifier}/ownedObjects")) == (429, "TooManyRequests")


# Sign-in methods -----------------------------------------------------------------------------------------------------


def test_methods(auditor):
    path = f"/users/{auditor.id('passkey')}/authentication/methods"
    found = value(auditor.get(path))
    assert found[0][TYPE] == "#microsoft.graph.passwordAuthenticationMethod"
    assert (found[0]["id"], found[0]["password"]) == (PASSWORD_METHOD, None)
    kinds = [item[TYPE].removeprefix("#microsoft.graph.") for item in found]
    assert "fido2AuthenticationMethod" in kinds
    assert kinds[-1] == "palmVeinAuthenticationMethod"
    assert auditor.get(f"{path}/{found[1]['id']}").json()["id"] == found[1]["id"]
    assert error(auditor.get(f"{path}/nothing")) == (404, "Request_ResourceNotFound")
    assert error(auditor.get(path, params={"$select": "id"})) == (400, "BadRequest")
    assert error(auditor.graph("DELETE", f"{path}/{found[1]['id']}")) == (403, "accessDenied")
    assert auditor.get(f"/users/{auditor.id('passkey')}/authentication/nothing").status_code == 400


# Journal, batches, faults, control -----------------------------------------------------------------------------------


def test_the_journal_knows_whose_it_was(auditor, tenant):
    identifier = auditor.id("residual")
    topics = [topic for topic in TOPICS if topic != "ownedDevices"]
    requests_ = [
        {"id": str(number), "method": "GET", "url": f"/users/{identifier}/{topic}"}
        for number, topic in enumerate(topics)
    ]
    answers = {answer["id"]: answer for answer in auditor.batch(*requests_).json()["responses"]}
    assert {answer["status"] for answer in answers.values()} == {200}
    assert all(len(answer["body"]["value"]) >= 1 for answer in answers.values())
    entries = tenant.journal.for_user(identifier)
    assert [entry.path.partition(f"{identifier}/")[2] for entry in entries] == topics
    assert tenant.journal.writes() == []
    tenant.faults.add(Fault(user=identifier, path="authentication/methods", status=503, batch=True))
    answers = {answer["id"]: answer["status"] for answer in auditor.batch(*requests_).json()["responses"]}
    assert [answers[str(number)] for number in range(len(topics))] == [200] * (len(topics) - 1) + [503]


def test_facts_from_another_process(auditor, tenant):
    url = f"{tenant.authority_url}/_tenant/users/jane"
    facts = {
        "devices": [{"displayName": "<b>X</b>"}],
        "rules": [{"actions": {"redirectTo": [{"emailAddress": {"address": "x@example.org"}}]}}],
        "methods": [{"kind": "phone", "phoneNumber": "+1 5550100"}],
        "grants": [{"client": "mail-sync"}],
        "applications": [{"passwordCredentials": [{}]}],
    }
    state = auditor.http.patch(url, json={"residual": facts}).json()
    assert state["residual"]["devices"] == facts["devices"]
    base = f"/users/{auditor.id('jane')}"
    assert value(auditor.get(f"{base}/registeredDevices"))[0]["displayName"] == "<b>X</b>"
    assert value(auditor.get(f"{base}/{RULES}"))[0]["isEnabled"] is True
    assert value(auditor.get(f"{base}/authentication/methods"))[1]["phoneNumber"] == "+1 5550100"
    assert value(auditor.get(f"{base}/oauth2PermissionGrants"))[0]["scope"] == "User.Read"
    assert len(value(auditor.get(f"{base}/ownedObjects"))[0]["passwordCredentials"]) == 1
    for wrong in ({"nonsense": []}, {"devices": {}}, {"devices": ["x"]}, {"send_on_behalf": [{}]}):
        assert auditor.http.patch(url, json={"residual": wrong}).status_code == 400
    tenant.reset()
    assert value(auditor.get(f"{base}/registeredDevices")) == []
