# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Microsoft's clients take the simulator for the real thing."""

from __future__ import annotations

import msal
import pytest
import requests

from clients.microsoft import ODataError, credential, lock_with_msgraph_sdk, read_with_msgraph_sdk, with_msgraph_sdk
from simulator import Fault

JANE = "jane.doe@contoso.com"


def test_msal_gets_a_token_for_each_service(tenant):
    with requests.Session() as http:
        http.trust_env = False
        http.verify = str(tenant.ca_path)
        app = msal.ConfidentialClientApplication(
            tenant.app().client_id,
            client_credential=tenant.app().client_secret,
            authority=f"{tenant.authority_url}/{tenant.tenant_id}",
            instance_discovery=False,
            http_client=http,
        )
        for url in (tenant.graph_url, tenant.exchange_url):
            result = app.acquire_token_for_client([f"{url}/.default"])
            assert result["token_source"] == "identity_provider", result
            assert app.acquire_token_for_client([f"{url}/.default"])["token_source"] == "cache"


@pytest.mark.parametrize(
    ("kind", "app"), [("secret", "offboarding"), ("certificate", "certificate"), ("federation", "federated")]
)
def test_azure_identity_gets_a_token(tenant, kind, app):
    with credential(tenant, app, kind) as known:
        assert known.get_token(f"{tenant.graph_url}/.default").token in tenant.tokens.issued
        assert known.get_token(f"{tenant.exchange_url}/.default").token in tenant.tokens.issued


@pytest.mark.parametrize("key", ["jane", "apostrophe", "alias", "nomail"])
def test_msgraph_sdk_locks_a_user(tenant, key):
    user = tenant.directory.user(key)
    assert read_with_msgraph_sdk(tenant, user.upn).account_enabled is True
    lock_with_msgraph_sdk(tenant, user.upn)
    assert user["accountEnabled"] is False
    assert len(user.passwords) == 1
    assert not user.sessions_alive
    read = read_with_msgraph_sdk(tenant, user.upn)
    assert (read.id, read.user_principal_name, read.account_enabled) == (user.id, user.upn, False)
    assert read.password_changed < read.sessions_valid_from
    writes = tenant.journal.writes()
    assert [(entry.method, entry.status, entry.user) for entry in writes] == [
        ("PATCH", 204, user.id),
        ("POST", 200, user.id),
        ("PATCH", 204, user.id),
    ]


def test_msgraph_sdk_reads_what_is_there(tenant):
    otto = tenant.directory.user("offboarded")
    read = read_with_msgraph_sdk(tenant, otto.upn, "auditor")
    assert read.account_enabled is False
    assert read.password_changed.strftime("%Y-%m-%dT%H:%M:%SZ") == otto["lastPasswordChangeDateTime"]
    assert read.sessions_valid_from.strftime("%Y-%m-%dT%H:%M:%SZ") == otto["signInSessionsValidFromDateTime"]
    assert read_with_msgraph_sdk(tenant, "ada.admin@contoso.com", "auditor").roles == 1
    assert read_with_msgraph_sdk(tenant, "nils.nested@contoso.com", "auditor").roles == 1
    assert tenant.journal.writes() == []


@pytest.mark.parametrize(
    ("app", "upn", "status", "code"),
    [
        ("auditor", JANE, 403, "Authorization_RequestDenied"),
        ("offboarding", "ada.admin@contoso.com", 403, "Authorization_RequestDenied"),
        ("offboarding", "simon.synced@contoso.com", 400, "Request_BadRequest"),
        ("offboarding", "nobody@contoso.com", 404, "Request_ResourceNotFound"),
    ],
)
def test_msgraph_sdk_understands_refusals(tenant, app, upn, status, code):
    with pytest.raises(ODataError) as caught:
        lock_with_msgraph_sdk(tenant, upn, app)
    error = caught.value
    assert (error.response_status_code, error.error.code) == (status, code)
    assert error.error.inner_error.request_id
    assert tenant.journal.applied() == []


def test_msgraph_sdk_honours_retry_after(tenant):
    tenant.faults.add(Fault(method="PATCH", nth=(1, 2), status=429, headers={"Retry-After": "1"}))
    lock_with_msgraph_sdk(tenant, JANE)
    assert [entry.status for entry in tenant.journal.writes()] == [429, 429, 204, 200, 204]
    assert tenant.journal.violations() == []


def test_msgraph_sdk_pages(tenant):
    tenant.directory.add_crowd(250)

    async def work(graph):
        page, names = await graph.users.get(), set()
        while page:
            names |= {user.user_principal_name for user in page.value}
            page = await graph.users.with_url(page.odata_next_link).get() if page.odata_next_link else None
        return names

    assert with_msgraph_sdk(tenant, work) == {user.upn for user in tenant.directory.everyone()}
