# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entra: discovery, tokens by secret, certificate and federated assertion, and its refusals."""

from __future__ import annotations

import base64
import json
import uuid
from pathlib import Path
from typing import Any

import msal
import pytest

from simulator import jwt
from simulator.certificates import AppCertificate

KINDS = {
    "wrong secret": ({"client_secret": "x"}, 401, "invalid_client", 7000215),
    "no secret": ({"client_secret": None}, 401, "invalid_client", 7000218),
    "unknown app": ({"client_id": str(uuid.uuid4())}, 400, "unauthorized_client", 700016),
    "malformed app": ({"client_id": "nobody"}, 400, "unauthorized_client", 700016),
    "no grant": ({"grant_type": None}, 400, "invalid_request", 900144),
    "other grant": ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
    "no client": ({"client_id": None}, 400, "invalid_request", 900144),
    "no scope": ({"scope": None}, 400, "invalid_request", 900144),
    "bad scope": ({"scope": "User.Read"}, 400, "invalid_scope", 70011),
    "two scopes": ({"scope": "https://a/.default https://b/.default"}, 400, "invalid_scope", 70011),
    "not default": ({"scope": "https://graph.microsoft.com/User.Read"}, 400, "invalid_scope", 1002012),
    "unknown resource": ({"scope": "https://management.azure.com/.default"}, 400, "invalid_resource", 500011),
    "broken assertion": (
        {"client_assertion": "x", "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
        400,
        "invalid_request",
        50027,
    ),
    "assertion without type": ({"client_assertion": "x"}, 400, "invalid_request", 900144),
}


@pytest.mark.parametrize("kind", KINDS)
def test_refusals(client, kind):
    form, status, error, code = KINDS[kind]
    answer = client.token_request(**form)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert f"Trace ID: {body['trace_id']} Correlation ID: {body['correlation_id']}" in body["error_description"]
    assert body["error_description"].endswith(f"Timestamp: {body['timestamp']}")
    assert client.app.client_secret not in answer.text


@pytest.mark.parametrize(
    ("name", "code"),
    [("00000000-0000-4000-8000-000000000000", 90002), ("nowhere.example", 90002), ("not_a_name!", 900023)],
)
def test_unknown_tenants(client, name, code):
    assert client.token_request(name).json()["error_codes"] == [code]
    answer = client.http.get(f"{client.tenant.authority_url}/{name}/v2.0/.well-known/openid-configuration")
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [code])


@pytest.mark.parametrize(("name", "code"), [("expired-secret", 7000222), ("disabled", 7000112)])
def test_apps_that_get_nothing(as_app, name, code):
    answer = as_app(name).token_request()
    assert answer.status_code in (400, 401)
    assert answer.json()["error_codes"] == [code]


def test_correlation_id_is_the_callers(client):
    own = str(uuid.uuid4())
    client.http.headers["client-request-id"] = own
    answer = client.token_request(client_secret="x")
    del client.http.headers["client-request-id"]
    assert answer.json()["correlation_id"] == own == answer.headers["client-request-id"]


@pytest.mark.parametrize("name", ["{id}", "contoso.com", "contoso.onmicrosoft.com", "CONTOSO.com"])
def test_tokens_hold_what_real_ones_hold(client, name):
    tenant = client.tenant
    answer = client.token_request(name.format(id=tenant.tenant_id))
    assert answer.status_code == 200
    assert answer.headers["cache-control"].startswith("no-store")
    token = answer.json()["access_token"]
    _ignored, claims = jwt.read(token)
    assert claims["aud"] == tenant.graph_url
    assert claims["tid"] == tenant.tenant_id
    assert (claims["appid"], claims["oid"]) == (client.app.client_id, client.app.object_id)
    assert claims["idtyp"] == "app"
    assert claims["app_displayname"]
    assert claims["exp"] - claims["iat"] == answer.json()["expires_in"] + 1
    assert sorted(client.app.graph) == claims["roles"]
    assert jwt.signed_by(token, tenant.tokens.key.public_key())


def test_an_app_without_permissions_has_no_roles(as_app):
    token = as_app("no-permissions").token_request().json()["access_token"]
    assert "roles" not in jwt.read(token)[1]


def test_secret_in_basic_authorization(client):
    pair = base64.b64encode(f"{client.app.client_id}:{client.app.client_secret}".encode()).decode()
    url = f"{client.tenant.authority_url}/contoso.com/oauth2/v2.0/token"
    form = {"grant_type": "client_credentials", "scope": "https://graph.microsoft.com/.default"}
    assert client.http.post(url, data=form, headers={"Authorization": f"Basic {pair}"}).status_code == 200


def test_tenant_without_exchange(client, tenant):
    tenant.directory.has_exchange = False
    answer = client.token_request(scope=f"{tenant.exchange_url}/.default")
    assert answer.json()["error_codes"] == [500011]


def test_discovery(client):
    base = client.tenant.authority_url
    with_version = client.http.get(f"{base}/contoso.com/v2.0/.well-known/openid-configuration").json()
    without = client.http.get(f"{base}/contoso.com/.well-known/openid-configuration").json()
    for document in (with_version, without):
        assert document["token_endpoint"] == f"{base}/{client.tenant.tenant_id}/oauth2/v2.0/token"
        assert document["authorization_endpoint"].startswith(base)
        assert document["jwks_uri"].startswith(base)
    asked = f"{base}/contoso.com/oauth2/v2.0/authorize"
    answer = client.http.get(f"{base}/common/discovery/instance", params={"authorization_endpoint": asked})
    assert answer.json()["tenant_discovery_endpoint"] == f"{base}/contoso.com/v2.0/.well-known/openid-configuration"
    assert client.http.get(f"{base}/common/discovery/instance").status_code == 400
    assert client.http.get(with_version["jwks_uri"]).json()["keys"][0]["kty"] == "RSA"


def test_methods(client):
    url = f"{client.tenant.authority_url}/contoso.com/oauth2/v2.0/token"
    assert client.http.get(url).json()["error_codes"] == [900561]
    assert (
        client.http.post(f"{client.tenant.authority_url}/contoso.com/.well-known/openid-configuration").status_code
        == 405
    )
    assert client.http.get(f"{client.tenant.authority_url}/contoso.com/elsewhere").status_code == 404


# MSAL, as the collection uses it -------------------------------------------------------------------------------------


def with_msal(client, credential: Any, name: str = "contoso.com", scope: str | None = None) -> dict[str, Any]:
    app = msal.ConfidentialClientApplication(
        client.app.client_id,
        client_credential=credential,
        authority=f"{client.tenant.authority_url}/{name}",
        instance_discovery=False,
        http_client=client.http,
    )
    return app.acquire_token_for_client([scope or f"{client.tenant.graph_url}/.default"])


def test_msal_by_secret(client):
    for scope in (None, f"{client.tenant.exchange_url}/.default", "https://graph.microsoft.com/.default"):
        assert "access_token" in with_msal(client, client.app.client_secret, scope=scope)
    wrong = with_msal(client, "x")
    assert (wrong["error"], wrong["error_codes"]) == ("invalid_client", [7000215])


def test_msal_of_an_unknown_tenant(client):
    with pytest.raises(ValueError, match="Unable to get authority configuration"):
        with_msal(client, client.app.client_secret, "nowhere.example")


def credentials(files: dict[str, str]) -> dict[str, Any]:
    def text(kind: str) -> str:
        return Path(files[kind]).read_text(encoding="ascii")

    locked = {"private_key_pfx_path": files["pfx"], "passphrase": files["passphrase"]}
    return {
        "thumbprint": {"private_key": text("pem"), "thumbprint": files["thumbprint"]},
        "certificate": {"private_key": text("pem"), "public_certificate": text("pem")},
        "both": {"private_key": text("key"), "thumbprint": files["thumbprint"], "public_certificate": text("cert")},
        "locked": {
            "private_key": text("encrypted_pem"),
            "passphrase": files["passphrase"],
            "public_certificate": text("cert"),
        },
        "pfx": locked,
        "pfx with chain": {**locked, "public_certificate": True},
        "open pfx": {"private_key_pfx_path": files["open_pfx"]},
    }


@pytest.mark.parametrize("kind", ["thumbprint", "certificate", "both", "locked", "pfx", "pfx with chain", "open pfx"])
def test_msal_by_certificate(as_app, kind):
    client = as_app("certificate")
    result = with_msal(client, credentials(client.tenant.certificate_files())[kind])
    assert "access_token" in result, result
    assert jwt.read(result["access_token"])[1]["appid"] == client.app.client_id


def test_certificates_that_are_not_registered(as_app, tmp_path):
    client = as_app("certificate")
    client.tenant.certificate_files()
    stranger = AppCertificate("stranger").write(tmp_path)
    mine = client.app.certificate.thumbprint
    key = Path(stranger["key"]).read_text(encoding="ascii")
    for credential in (
        {"private_key": key, "thumbprint": stranger["thumbprint"]},
        {"private_key": key, "thumbprint": mine},
    ):
        assert with_msal(client, credential)["error_codes"] == [700027]
    assert with_msal(as_app(), {"private_key": key, "thumbprint": stranger["thumbprint"]})["error_codes"] == [700027]


def test_self_signed_assertions_are_read_closely(as_app):
    client = as_app("certificate")
    certificate = client.app.certificate
    digest = base64.urlsafe_b64encode(bytes.fromhex(certificate.thumbprint)).rstrip(b"=").decode()
    good = {
        "iss": client.app.client_id,
        "sub": client.app.client_id,
        "aud": f"{client.tenant.authority_url}/{client.tenant.tenant_id}/oauth2/v2.0/token",
        "exp": 4e9,
    }
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

    def codes(**changes: Any) -> list[int]:
        assertion = jwt.sign(certificate.key, {"x5t": digest}, {**good, **changes})
        form = {"client_assertion": assertion, "client_assertion_type": kind, "client_secret": None}
        return client.token_request(**form).json().get("error_codes", [])

    assert codes() == []
    assert codes(aud="https://elsewhere.example") == [700023]
    assert codes(sub="another") == [700021]
    assert codes(exp=1) == [700024]
    assert codes(exp=None) == [700024]
    unsigned = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({"alg": "none", "x5t": digest}, good)
    )
    form = {"client_assertion": f"{unsigned}.", "client_assertion_type": kind, "client_secret": None}
    assert client.token_request(**form).json()["error_codes"] == [700027]


def test_msal_by_federation(as_app):
    client = as_app("federated")
    assert "access_token" in with_msal(client, {"client_assertion": client.tenant.federated_token})
    for claims, code in (
        ({"sub": "another"}, 700213),
        ({"aud": "api://elsewhere"}, 700212),
        ({"iss": "https://elsewhere.example"}, 700211),
        ({"exp": 1}, 700024),
    ):
        bad = client.tenant.federated_token(**claims)
        assert with_msal(client, {"client_assertion": lambda bad=bad: bad})["error_codes"] == [code]
    foreign = jwt.sign(AppCertificate("x").key, {}, jwt.read(client.tenant.federated_token())[1])
    assert with_msal(client, {"client_assertion": lambda: foreign})["error_codes"] == [5002738]
    token = client.tenant.federated_token()
    assert with_msal(as_app(), {"client_assertion": lambda: token})["error_codes"] == [700211]
