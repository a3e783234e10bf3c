# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Back from the bin: who may do it, when it is too late, whose name it is by then."""

from __future__ import annotations

import time

import pytest

from simulator import roles


def error(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
def restorer(as_app):
    return as_app("restorer")


def restore(client, key: str = "deleted", **body):
    path = f"/directory/deletedItems/{client.id(key)}/restore"
    return client.graph("POST", path, json=body) if body else client.graph("POST", path)


def soon(answer_of, wanted: int = 200):
    """The answer, once it is as wanted; within five seconds."""
    for _ignored in range(100):
        answer = answer_of()
        if answer.status_code == wanted:
            break
        time.sleep(0.05)
    return answer


def test_a_user_comes_back(restorer, tenant):
    gone = tenant.directory.user("deleted")
    assert restorer.cmdlet("Get-CASMailbox", Identity=gone.id).status_code == 404
    answer = restore(restorer)
    body = answer.json()
    assert answer.status_code == 200
    assert body["@odata.type"] == "#microsoft.graph.user"
    assert (body["id"], body["userPrincipalName"]) == (gone.id, "dora.deleted@contoso.com")
    path = f"/users/{gone.id}"
    assert error(restorer.get(path)) == (404, "Request_ResourceNotFound")
    assert restorer.cmdlet("Get-CASMailbox", Identity=gone.id).status_code == 404
    assert soon(lambda: restorer.get(path)).json()["userPrincipalName"] == "dora.deleted@contoso.com"
    shown = soon(lambda: restorer.cmdlet("Get-CASMailbox", Identity=gone.id)).json()["value"]
    assert shown[0]["OWAEnabled"] is True
    (entry,) = tenant.journal.writes()
    assert (entry.user, entry.applied, entry.status) == (gone.id, True, 200)
    assert error(restore(restorer)) == (404, "Request_ResourceNotFound")


def test_in_a_batch_and_without_delay(restorer, tenant):
    tenant.directory.restore_lag = tenant.directory.restored_mailbox_delay = 0
    identifier = restorer.id("deleted")
    request = {
        "id": "1",
        "method": "POST",
        "url": f"/directory/deletedItems/{identifier}/restore",
        "headers": {"Content-Type": "application/json"},
        "body": {},
    }
    (answer,) = restorer.batch(request).json()["responses"]
    assert answer["status"] == 200
    assert restorer.get(f"/users/{identifier}").status_code == 200
    assert restorer.patch("deleted", accountEnabled=True).status_code == 204
    assert restorer.cmdlet("Get-CASMailbox", Identity=identifier).status_code == 200


def test_permissions(as_app, tenant):
    for app in ("offboarding", "auditor-residual"):
        assert error(restore(as_app(app))) == (403, "Authorization_RequestDenied")
    tenant.app().graph |= {"User.ReadWrite.All"}
    assert restore(as_app()).status_code == 200


def test_administrators_take_a_role(restorer, tenant):
    tenant.directory.user("deleted").roles.add(roles.GLOBAL)
    assert error(restore(restorer)) == (403, "Authorization_RequestDenied")
    tenant.app("restorer").roles |= {roles.PRIVILEGED_AUTHENTICATION}
    assert restore(restorer).status_code == 200


def test_after_thirty_days_it_is_too_late(restorer, tenant):
    gone = tenant.directory.user("deleted")
    listed = "/directory/deletedItems/microsoft.graph.user"
    gone.properties["deletedDateTime"] = tenant.directory.ago(days=29, hours=23)
    assert [item["id"] for item in restorer.get(listed).json()["value"]] == [gone.id]
    gone.properties["deletedDateTime"] = tenant.directory.ago(days=30, minutes=1)
    assert restorer.get(listed).json()["value"] == []
    assert restorer.get(f"/directory/deletedItems/{gone.id}").status_code == 404
    assert error(restore(restorer)) == (404, "Request_ResourceNotFound")
    assert tenant.journal.applied() == []


def test_the_name_has_gone_to_somebody_else(restorer, tenant):
    tenant.directory.user("jane").update({"userPrincipalName": "dora.deleted@contoso.com"})
    refused = restore(restorer)
    assert error(refused) == (400, "Request_BadRequest")
    body = refused.json()["error"]
    assert body["message"] == "Another object with the same value for property userPrincipalName already exists."
    assert [(item["code"], item["target"]) for item in body["details"]] == [("ObjectConflict", "userPrincipalName")]
    assert tenant.journal.applied() == []
    answer = restore(restorer, newUserPrincipalName="dora.again@contoso.com")
    assert answer.json()["userPrincipalName"] == "dora.again@contoso.com"
    assert soon(lambda: restorer.get("/users/dora.again@contoso.com")).json()["id"] == restorer.id("deleted")


def test_an_address_has_gone_to_somebody_else(restorer, tenant):
    address = "smtp:dora.deleted@contoso.onmicrosoft.com"
    tenant.directory.user("jane").update({"proxyAddresses": ["SMTP:jane.doe@contoso.com", address]})
    refused = restore(restorer)
    assert refused.json()["error"]["details"][0]["target"] == "proxyAddresses"
    assert restore(restorer, autoReconcileProxyConflict=False).status_code == 400
    assert restore(restorer, autoReconcileProxyConflict=True).status_code == 200
    assert tenant.directory.user("deleted")["proxyAddresses"] == ["SMTP:dora.deleted@contoso.com"]
    assert address in tenant.directory.user("jane")["proxyAddresses"]


@pytest.mark.parametrize(
    "body",
    [
        {"autoReconcileProxyConflict": "yes"},
        {"newUserPrincipalName": 1},
        {"newUserPrincipalName": "nobody"},
        {"nonsense": True},
    ],
)
def test_bodies_that_are_refused(restorer, tenant, body):
    assert restore(restorer, **body).status_code == 400
    assert tenant.journal.applied() == []


def test_deleted_from_another_process(restorer, tenant):
    assert restorer.http.delete(f"{tenant.authority_url}/_tenant/users/john").status_code == 200
    identifier = restorer.id("john")
    assert restorer.get(f"/users/{identifier}").status_code == 404
    assert restore(restorer, "john").status_code == 200
    assert soon(lambda: restorer.get(f"/users/{identifier}")).status_code == 200
