# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several tenants behind the same listeners, applications made by a test, and answers that take their time."""

from __future__ import annotations

import concurrent.futures
import time

import pytest

from simulator import Fault, Tenant

from .conftest import Client, Tenants


@pytest.fixture(scope="module")
def street():
    """A tenant and its neighbour."""
    with Tenant(latency=0.05) as tenant:
        other = tenant.neighbour("fabrikam.com", same_credentials=True)
        yield tenant, other
        assert tenant.crashes == []


@pytest.fixture
def both(street):
    for tenant in street:
        tenant.reset()
    return [Tenants(tenant)() for tenant in street]


def test_everybody_at_home(both):
    contoso, fabrikam = both
    assert contoso.tenant.graph_url == fabrikam.tenant.graph_url
    assert contoso.app.client_id == fabrikam.app.client_id
    assert contoso.id("jane") != fabrikam.id("jane")
    assert contoso.get(f"/users/{contoso.id('jane')}").json()["userPrincipalName"] == "jane.doe@contoso.com"
    assert fabrikam.get("/users/jane.doe@fabrikam.com").json()["id"] == fabrikam.id("jane")
    assert contoso.get(f"/users/{fabrikam.id('jane')}").status_code == 404
    assert fabrikam.get("/users/jane.doe@contoso.com").status_code == 404
    shown = fabrikam.cmdlet("Get-CASMailbox", Identity=fabrikam.id("jane")).json()["value"]
    assert shown[0]["PrimarySmtpAddress"] == "jane.doe@fabrikam.com"


def test_what_one_does_the_other_does_not_see(both):
    contoso, fabrikam = both
    assert fabrikam.patch("jane", accountEnabled=False).status_code == 204
    assert fabrikam.cmdlet("Set-CASMailbox", Identity=fabrikam.id("jane"), OWAEnabled=False).status_code == 200
    assert contoso.tenant.directory.user("jane")["accountEnabled"] is True
    assert contoso.tenant.journal.writes() == []
    assert len(fabrikam.tenant.journal.applied()) == 2
    fabrikam.tenant.faults.add(Fault(listener="graph", status=503))
    assert fabrikam.get("/users").status_code == 503
    assert contoso.get("/users").status_code == 200


def test_permissions_are_the_tenants_own(both):
    contoso, fabrikam = both
    fabrikam.tenant.app().graph = frozenset()
    assert fabrikam.get("/users").status_code == 403
    assert contoso.get("/users").status_code == 200


def test_tokens_are_good_in_their_tenant_only(both):
    contoso, fabrikam = both
    url = f"{contoso.tenant.exchange_url}/adminapi/beta/{contoso.tenant.tenant_id}/InvokeCommand"
    body = {"CmdletInput": {"CmdletName": "Get-CASMailbox", "Parameters": {"Identity": contoso.id("jane")}}}
    assert contoso.http.post(url, json=body, headers=contoso.exchange_headers()).status_code == 200
    assert contoso.http.post(url, json=body, headers=fabrikam.exchange_headers()).status_code == 401
    assert contoso.get("/users", headers={"Authorization": "Bearer nonsense"}).status_code == 401
    assert fabrikam.token_request("fabrikam.com").status_code == 200
    nobody = fabrikam.token_request("elsewhere.example")
    assert "AADSTS90002" in nobody.json()["error_description"]


def test_separate_credentials(street):
    tenant, _other = street
    third = tenant.neighbour("third.example")
    assert third.app().client_id != tenant.app().client_id
    stranger = Client(third)
    assert stranger.token_request(tenant.tenant_id).json()["error_codes"] == [700016]
    assert stranger.get("/users").status_code == 200
    with pytest.raises(ValueError, match="already"):
        tenant.neighbour("third.example")
    assert tenant.of("third.example") is tenant.of(third.tenant_id) is third
    assert tenant.of("nowhere.example") is None
    environment = third.environment
    assert (environment["AZURE_TENANT_ID"], environment["M365_GRAPH_URL"]) == (third.tenant_id, tenant.graph_url)


def test_control_of_a_neighbour(both):
    contoso, fabrikam = both
    base = f"{contoso.tenant.authority_url}/_tenant"
    listed = contoso.http.get(f"{base}/tenants").json()
    assert [item["domain"] for item in listed][:2] == ["contoso.com", "fabrikam.com"]
    state = contoso.http.patch(f"{base}/of/fabrikam.com/users/jane", json={"properties": {"jobTitle": "Boss"}}).json()
    assert state["id"] == fabrikam.id("jane")
    assert fabrikam.tenant.directory.user("jane")["jobTitle"] == "Boss"
    assert contoso.tenant.directory.user("jane")["jobTitle"] == "Clerk"
    made = contoso.http.post(f"{base}/tenants", json={"domain": "fourth.example"}).json()
    assert contoso.http.get(f"{base}/of/{made['tenant_id']}/people").status_code == 200
    assert contoso.http.get(f"{base}/of/nowhere/people").status_code == 404


# Latency -------------------------------------------------------------------------------------------------------------


def test_every_answer_takes_its_time_but_not_after_one_another(both):
    contoso, _fabrikam = both
    contoso.token(contoso.tenant.graph_url)
    contoso.tenant.delay = 1.0
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _number: contoso.get("/users?$top=1").status_code, range(10)))
    took = time.monotonic() - started
    assert answers == [200] * 10
    assert 1.0 <= took < 9, "one after another takes 10 s"
    contoso.tenant.reset()
    assert contoso.tenant.delay == 0.05
    contoso.tenant.delay = 0.5
    started = time.monotonic()
    requests_ = [{"id": str(number), "method": "GET", "url": "/users?$top=1"} for number in range(20)]
    assert contoso.batch(*requests_).status_code == 200
    assert 0.5 <= time.monotonic() - started < 9, "a batch is one answer"


# Apps ----------------------------------------------------------------------------------------------------------------


def test_an_app_with_exactly_these_permissions(both):
    contoso, _fabrikam = both
    tenant = contoso.tenant
    app = tenant.add_app("narrow", graph={"User.Read.All"}, exchange=True, exchange_roles={"View-Only Recipients"})
    client = Client(tenant, "narrow")
    assert client.get("/users?$top=1").status_code == 200
    assert client.get("/groups").status_code == 403
    assert client.cmdlet("Get-Mailbox", Identity=client.id("jane")).status_code == 200
    assert app.roles == frozenset()
    url = f"{tenant.authority_url}/_tenant/apps/narrow"
    reported = client.http.put(url, json={"graph": ["Group.Read.All"], "roles": ["Global Reader"]}).json()
    assert (reported["client_id"], reported["graph"], reported["exchange"]) == (app.client_id, ["Group.Read.All"], [])
    assert client.get("/groups").status_code == 403, "the old token goes on standing for the old grant"
    assert Client(tenant, "narrow").get("/groups").status_code == 200
    assert client.http.put(url, json={"nonsense": []}).status_code == 400
