# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal records everything and gives nothing away; the remote control works from outside."""

from __future__ import annotations

import hashlib
import json

import pytest

from simulator import Tenant
from simulator.people import PEOPLE, person_id

GOOD = "Tr0ub4dor&3-horse"


@pytest.fixture
def control(client, tenant):
    def call(method: str, path: str, **options):
        return client.http.request(method, f"{tenant.authority_url}/_tenant/{path}", **options)

    return call


def test_entries(client, tenant):
    jane = client.id("jane")
    client.get("/users", params={"$filter": "userPrincipalName eq 'jane.doe@contoso.com'", "$select": "id"})
    client.get("/users/jane.doe@contoso.com")
    client.reset("jane", GOOD)
    client.revoke("jane")
    client.cmdlet("Get-CASMailbox", Identity="jane.doe@contoso.com")
    client.cmdlet("Set-CASMailbox", Identity=jane, OWAEnabled=False)
    entries = tenant.journal.for_user(jane)
    assert [(entry.listener, entry.method, entry.writes, entry.status) for entry in entries] == [
        ("graph", "GET", False, 200),
        ("graph", "GET", False, 200),
        ("graph", "PATCH", True, 204),
        ("graph", "POST", True, 200),
        ("exchange", "POST", False, 200),
        ("exchange", "POST", True, 200),
    ]
    assert [entry.sequence for entry in entries] == sorted({entry.sequence for entry in entries})
    assert entries[0].query.startswith("$filter=userPrincipalName eq 'jane.doe@contoso.com'")
    assert (entries[4].cmdlet, entries[4].identity) == ("Get-CASMailbox", "jane.doe@contoso.com")
    assert {entry.app for entry in entries} == {client.app.client_id}
    assert all(entry.request_id for entry in entries)
    assert tenant.journal.writes() == tenant.journal.applied() == [entries[2], entries[3], entries[5]]
    assert len(tenant.journal.reads()) == 3
    assert "PATCH" in repr(tenant.journal)


def test_no_secret_gets_in(as_app, tmp_path):
    tenant = as_app.tenant
    client = as_app()
    client._tokens.clear()
    client.reset("jane", GOOD)
    client.batch(
        {
            "id": "1",
            "method": "PATCH",
            "url": "/users/x",
            "headers": {"Content-Type": "application/json"},
            "body": {"passwordProfile": {"password": GOOD}},
        }
    )
    client.cmdlet("Set-CASMailbox", Identity=client.id("jane"), OWAEnabled=False)
    text = json.dumps([entry.as_dict() for entry in tenant.journal])
    secrets = tenant.issued_secrets()
    assert GOOD in secrets
    assert client.app.client_secret in secrets
    assert any(len(secret) > 500 for secret in secrets)
    assert not [secret for secret in secrets if secret in text]
    digests = [entry.password_sha256 for entry in tenant.journal.writes() if entry.password_sha256]
    assert digests == [hashlib.sha256(GOOD.encode()).hexdigest()] * 2


def test_a_file_of_lines(tmp_path):
    path = tmp_path / "journal.jsonl"
    with Tenant(folder=tmp_path / "tenant", journal=path) as tenant:
        import requests

        with requests.Session() as http:
            http.trust_env = False
            http.get(f"{tenant.graph_url}/v1.0/users", verify=str(tenant.ca_path))
        (line,) = path.read_text(encoding="utf-8").splitlines()
    assert (json.loads(line)["path"], json.loads(line)["status"]) == ("/v1.0/users", 401)
    assert path.stat().st_mode & 0o777 == 0o600


def test_reset(client, tenant):
    client.patch("jane", accountEnabled=False)
    tenant.directory.add_crowd(3)
    tenant.directory.replica_lag = 5
    tenant.app("auditor").graph = frozenset()
    tenant.reset()
    assert tenant.directory.user("jane")["accountEnabled"] is True
    assert len(tenant.directory.users) == len(PEOPLE) - 1
    assert (tenant.directory.replica_lag, len(tenant.journal)) == (0, 0)
    assert tenant.app("auditor").graph == {"User.Read.All"}
    # The token got before is still good.
    assert client.get("/users").status_code == 200


def test_people(tenant):
    for key in PEOPLE:
        user = tenant.directory.user(key)
        assert user.id == person_id(key)
        assert tenant.directory.user(user.id) is user
    assert len(tenant.directory.users) + len(tenant.directory.deleted) == len(PEOPLE)
    with pytest.raises(LookupError):
        tenant.directory.user("nobody")


def test_renaming(tenant, client):
    tenant.directory.user("jane")["userPrincipalName"] = "jane.new@contoso.com"
    assert client.get("/users/jane.doe@contoso.com").status_code == 404
    assert client.get("/users/jane.new@contoso.com").json()["id"] == person_id("jane")


# From outside ------------------------------------------------------------------------------------------------------------


def test_control_users(control, tenant):
    body = {
        "properties": {"accountEnabled": False},
        "mailbox": {"OWAEnabled": False},
        "roles": ["Global Administrator"],
    }
    state = control("PATCH", "users/jane", json=body).json()
    assert state == control("GET", "users/jane.doe@contoso.com").json()
    assert state["properties"]["accountEnabled"] is False
    assert state["mailbox"]["OWAEnabled"] is False
    assert tenant.directory.roles_of(tenant.directory.user("jane")) == ["Global Administrator"]
    assert control("GET", "users/nobody").status_code == 400
    assert control("PATCH", "users/nomail", json={"mailbox": {"OWAEnabled": False}}).status_code == 400
    assert {person["key"] for person in control("GET", "people").json()} == set(PEOPLE)


def test_control_journal(control, client):
    client.patch("jane", accountEnabled=False)
    client.get("/users")
    assert [entry["method"] for entry in control("GET", "journal?listener=graph").json()] == ["PATCH", "GET"]
    assert len(control("GET", f"journal?writes=true&user={person_id('jane')}").json()) == 1
    control("DELETE", "journal")
    assert control("GET", "journal").json() == []


def test_control_settings_and_faults(control, client, tenant):
    assert control("PATCH", "settings", json={"replica_lag": 3, "delay": 0.01}).json()["replica_lag"] == 3
    assert (tenant.directory.replica_lag, tenant.delay) == (3, 0.01)
    assert control("PATCH", "settings", json={"nonsense": 3}).status_code == 400
    assert control("POST", "faults", json=[{"method": "PATCH", "status": 429, "nth": [1, 1]}]).status_code == 200
    assert [client.patch("jane", accountEnabled=False).status_code for _ignored in range(2)] == [429, 204]
    assert control("GET", "faults").json()[0]["struck"] == 1
    assert control("POST", "faults", json={"nonsense": 1}).status_code == 400
    control("DELETE", "faults")
    control("POST", "faults", json={"limit_writes": 1, "per": 60})
    assert [client.patch("jane", accountEnabled=False).status_code for _ignored in range(2)] == [204, 429]
    control("POST", "reset")
    assert client.patch("jane", accountEnabled=False).status_code == 204


def test_control_credentials(control, tenant, as_app):
    auditor = control("GET", "apps/auditor").json()
    assert auditor["environment"]["AZURE_CLIENT_ID"] == tenant.app("auditor").client_id
    control("PATCH", "apps/auditor", json={"graph": []})
    assert as_app("auditor").get("/users").status_code == 403
    assert control("PATCH", "apps/auditor", json={"client_secret": "x"}).status_code == 400
    assert control("GET", "certificates/certificate").json()["pfx"].endswith(".pfx")
    assert control("GET", "federated-token/federated").json()["token"].count(".") == 2
    assert tenant.app().client_secret in control("GET", "secrets").json()
    assert as_app().get("/users").status_code == 200  # it has a token now, whatever ran before
    control("POST", "expire-tokens")
    as_app("auditor")._tokens.clear()
    assert as_app().get("/users").status_code == 401
    as_app()._tokens.clear()
    assert len(control("POST", "crowd", json={"count": 5}).json()) == 5
    assert control("POST", "synchronise").status_code == 200
    assert control("GET", "crashes").json() == []
    assert control("GET", "nonsense").status_code == 404


def test_control_is_nowhere_else(client, tenant):
    for url in (tenant.graph_url, tenant.exchange_url):
        assert client.http.get(f"{url}/_tenant/journal").status_code in (400, 401, 404)
