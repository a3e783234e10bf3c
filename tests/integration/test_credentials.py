# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every way to sign in, from variables, options and the environment, and every way to fail at it."""

from __future__ import annotations

import sys
import venv
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator import Tenant

from .support import AUDIT, OFFBOARD, Player, a_play, a_task

JANE = "jane.doe@contoso.com"
CREDENTIALS = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")


@pytest.fixture
def files(tenant: Tenant, tmp_path: Path) -> dict[str, str]:
    """Files that hold credentials, and the passphrase of the locked ones."""
    token = tmp_path / "token"
    token.write_text(f"{tenant.federated_token()}\n")
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    return {**tenant.certificate_files(), "token": str(token), "empty": str(empty)}


def ready_token(tenant: Tenant, audience: str) -> str:
    app = tenant.app("auditor")
    answer = requests.post(
        f"{tenant.authority_url}/{tenant.tenant_id}/oauth2/v2.0/token",
        data={
            "grant_type": "client_credentials",
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "scope": f"{audience}/.default",
        },
        verify=str(tenant.ca_path),
        timeout=10,
    )
    return str(answer.json()["access_token"])


def test_ways_to_sign_in(tenant: Tenant, play: Player, files: dict[str, str]) -> None:
    """By the variables of the shipped playbook, which are the ones that an inventory of tenants holds."""
    tokens = {
        "m365_access_token": ready_token(tenant, tenant.graph_url),
        "m365_exchange_access_token": ready_token(tenant, tenant.exchange_url),
    }
    locked = {"m365_certificate_password": files["passphrase"]}
    # Host: the app that must be seen by the tenant, and variables.
    ways: dict[str, tuple[str, dict[str, Any]]] = {
        "secret": ("auditor", {"m365_client_secret": tenant.app("auditor").client_secret}),
        "pem": ("certificate", {"m365_certificate_path": files["pem"]}),
        "locked_pem": ("certificate", {"m365_certificate_path": files["encrypted_pem"], **locked}),
        "pfx": ("certificate", {"m365_certificate_path": files["open_pfx"]}),
        "locked_pfx": ("certificate", {"m365_certificate_path": files["pfx"], **locked}),
        "federated": ("federated", {"m365_federated_token_file": files["token"]}),
        "tokens": ("auditor", tokens),
    }
    users = dict(zip(ways, tenant.directory.add_crowd(len(ways)), strict=True))
    hosts = {
        host: {
            "leavers": users[host].upn,
            # A domain name of the tenant will do, even for Exchange, which wants the GUID.
            **(
                {"m365_tenant_id": "contoso.com", "m365_client_id": tenant.app(app).client_id}
                if host != "tokens"
                else {}
            ),
            **variables,
        }
        for host, (app, variables) in ways.items()
    }

    # The environment holds a secret that is wrong for all of them: what is given explicitly counts.
    played = play(AUDIT, hosts=hosts, app="expired-secret", offboard_employee_fail_on=["failed"])

    for host, (app, _ignored) in ways.items():
        assert played.recap(host)["failed"] == 0, (host, played.failure(host))
        assert played.leaver(host)["status"] == "open"
        by_id = users[host].id
        reads = [entry for entry in tenant.journal if entry.user == by_id or users[host].upn in entry.query]
        assert {entry.app for entry in reads} == {tenant.app(app).client_id}, host
        assert {entry.listener for entry in reads} == {"graph", "exchange"}, host


def test_ways_to_sign_in_by_the_environment(tenant: Tenant, play: Player, files: dict[str, str]) -> None:
    by_secret = {name: value for name, value in tenant.environment_of("auditor").items() if name in CREDENTIALS}
    by_certificate = {
        "AZURE_TENANT": "contoso.com",
        "AZURE_CLIENT_ID": tenant.app("certificate").client_id,
        "AZURE_CLIENT_CERTIFICATE_PATH": files["encrypted_pem"],
        "AZURE_CLIENT_CERTIFICATE_PASSWORD": files["passphrase"],
    }
    by_token_file = {
        "AZURE_TENANT_ID": tenant.tenant_id,
        "AZURE_CLIENT_ID": tenant.app("federated").client_id,
        "AZURE_FEDERATED_TOKEN_FILE": files["token"],
    }
    secret = by_secret["AZURE_CLIENT_SECRET"]
    without_secret = {name: value for name, value in by_secret.items() if name != "AZURE_CLIENT_SECRET"}
    # Host: the app that must be seen by the tenant, and the environment.
    ways: dict[str, tuple[str, dict[str, str]]] = {
        "secret": ("auditor", by_secret),
        "other_name": ("auditor", {**without_secret, "AZURE_SECRET": secret, "AZURE_CLIENT_SECRET": ""}),
        "certificate": ("certificate", by_certificate),
        "token_file": ("federated", by_token_file),
        "tokens": ("auditor", {"M365_ACCESS_TOKEN": ready_token(tenant, tenant.graph_url)}),
        # A secret first, then a certificate, then a token file; what is empty is not there.
        "everything": ("auditor", {**by_token_file, **by_certificate, **by_secret}),
        "two": ("certificate", {**by_token_file, **by_certificate, "AZURE_CLIENT_SECRET": "", "AZURE_TENANT_ID": ""}),
    }
    users = dict(zip(ways, tenant.directory.add_crowd(len(ways)), strict=True))
    hosts = {host: {"own": environment, "who": users[host].upn} for host, (_ignored, environment) in ways.items()}

    played = play(
        [a_play(a_task("Look", "m365_user_info", users="{{ who }}", steps=["signin"]), environment="{{ own }}")],
        hosts=hosts,
        app=None,
    )

    for host, (app, _ignored) in ways.items():
        assert played.result("Look", host)["users"][0]["open"] == ["signin"], (host, played.failure(host))
        reads = [entry for entry in tenant.journal if users[host].upn in entry.query]
        assert {entry.app for entry in reads} == {tenant.app(app).client_id}, host


def test_refusals_are_explained(tenant: Tenant, play: Player, files: dict[str, str]) -> None:
    def app(name: str, **variables: Any) -> dict[str, Any]:
        registered = tenant.app(name)
        identity = {"m365_tenant_id": tenant.tenant_id, "m365_client_id": registered.client_id}
        return {**identity, "m365_client_secret": registered.client_secret, **variables}

    def by_file(name: str, kind: str = "certificate_path", **variables: Any) -> dict[str, Any]:
        own = {name: value for name, value in app("certificate").items() if name != "m365_client_secret"}
        return {**own, f"m365_{kind}": files.get(name, name), **variables}

    stale = Path(files["token"]).with_name("stale")
    stale.write_text(tenant.federated_token(aud="api://somebody-else"))
    files["stale"] = str(stale)
    federated = {"m365_client_id": tenant.app("federated").client_id}
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "bad_secret": (
            app("offboarding", m365_client_secret="1b3~of-another-app"),
            "Give the secret's value, not its id",
        ),
        "expired_secret": (app("expired-secret"), "The client secret has expired"),
        "disabled_app": (app("disabled"), "The application is disabled in this tenant"),
        "unknown_app": (
            app("offboarding", m365_client_id=files["thumbprint"]),
            "No application with this client_id exists",
        ),
        "unknown_tenant": (app("offboarding", m365_tenant_id="fabrikam.com"), "No such tenant: check tenant_id"),
        "no_tenant_at_all": (app("offboarding", m365_tenant_id="not a tenant"), "tenant_id"),
        "two_kinds": (app("offboarding", m365_certificate_path=files["pem"]), "Two kinds of credentials are given"),
        "missing_file": (by_file("missing.pem"), "missing.pem cannot be read: no such file"),
        "empty_file": (by_file("empty"), "is neither a PEM nor a PFX file"),
        "no_password": (by_file("encrypted_pem"), "is encrypted: certificate_password is missing"),
        "wrong_password": (by_file("pfx", m365_certificate_password="guess"), "certificate_password is wrong"),
        "key_only": (by_file("key"), "holds no certificate"),
        "certificate_only": (by_file("cert"), "holds no private key"),
        "other_app": (
            by_file("pem", m365_client_id=tenant.app("offboarding").client_id),
            "The certificate is not registered with this application",
        ),
        "other_audience": (by_file("stale", "federated_token_file", **federated), "No federated credential"),
        "no_token_file": (by_file("missing", "federated_token_file"), "missing cannot be read"),
        "empty_token_file": (by_file("empty", "federated_token_file"), "is empty"),
        "bad_token": ({"m365_access_token": "not.a.token"}, "The token was refused"),
        "no_client": ({"m365_tenant_id": "contoso.com", "m365_client_secret": "x"}, "client_id must be given"),
        "nothing": ({}, "No credential is given, neither as an option nor in the environment"),
        "other_cloud": (app("offboarding", m365_cloud="moon"), "cloud"),
    }
    hosts = {host: variables for host, (variables, _ignored) in cases.items()}

    played = play(AUDIT, hosts=hosts, app=None, leavers=JANE, offboard_employee_steps=["signin"])

    assert {host: text for host, (_ignored, text) in cases.items() if text not in played.failure(host)} == {}
    assert "Traceback" not in played.output
    answered = [entry for entry in tenant.journal if entry.listener != "entra" and entry.status != 401]
    assert answered == []


@pytest.mark.own_way
def test_missing_libraries(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    """An interpreter with neither library, and one that has requests but no msal."""
    interpreters = {}
    for name, libraries in {
        "requests": (),
        "msal": ("requests", "urllib3", "idna", "certifi", "charset_normalizer"),
    }.items():
        venv.create(tmp_path / name, with_pip=False)
        (packages,) = (tmp_path / name).glob("lib/python*/site-packages")
        for library in libraries:
            origin = Path(str(sys.modules.get(library, __import__(library)).__file__)).parent
            (packages / library).symlink_to(origin)
        interpreters[name] = str(tmp_path / name / "bin" / "python")
    hosts = {f"without_{name}": {"ansible_python_interpreter": path} for name, path in interpreters.items()}
    tasks = [
        a_task("Look", "m365_user_info", users=JANE),
        a_task("Block", "m365_user_signin", users=JANE, state="blocked"),
    ]

    played = play([a_play(*tasks, vars={})], hosts=hosts)

    for name, path in interpreters.items():
        for task in ("Look", "Block"):
            message = played.result(task, f"without_{name}")["msg"]
            assert f"The Python library {name} is missing on {path}" in message
            assert "pip install msal requests" in message
            assert "ansible_python_interpreter" in message
    assert "Traceback" not in played.output
    assert tenant.journal.where(lambda entry: entry.listener != "entra") == []


def test_a_launchers_variables_can_neither_send_the_credential_elsewhere_nor_shorten_the_protected(tenant, play):
    """Whatever is set with -e: addresses, certificate checking and the protected list come from the environment."""
    elsewhere = {
        "graph_url": "https://127.0.0.1:9",
        "GRAPH_URL": "https://127.0.0.1:9",
        "authority_url": "https://127.0.0.1:9",
        "exchange_url": "https://127.0.0.1:9",
        "proxy": "http://127.0.0.1:9",
        "ca_path": "/dev/null",
        "validate_certs": False,
        "protected_users": [],
        "PROTECTED_USERS": "",
    }
    given: dict[str, Any] = {
        "environment": {"M365_PROTECTED_USERS": "jane.doe@contoso.com"},
        "leavers": ["jane.doe@contoso.com", "john.roe@contoso.com"],
    }
    # With our own prefixes, and the protected list under any name, they are refused: a launcher would believe that they count.
    ours = {
        f"{prefix}{name}": elsewhere[name] for prefix in ("m365_", "M365_", "offboard_employee_") for name in elsewhere
    }
    ours |= {name: elsewhere.pop(name) for name in ("protected_users", "PROTECTED_USERS")}
    refused = play(OFFBOARD, **given, **ours)
    assert all(f"The variable {name} is not known" in refused.failure() for name in ours)
    assert list(tenant.journal) == []

    played = play(OFFBOARD, **given, **elsewhere)
    assert {one["user"]: one["status"] for one in played.leavers()} == {
        "jane.doe@contoso.com": "refused",
        "john.roe@contoso.com": "contained",
    }
    jane = tenant.directory.user("jane")
    assert [entry for entry in tenant.journal.writes() if entry.user == jane.id] == []
