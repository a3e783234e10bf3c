# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One tenant for all tests of a file, as on the first day for each of them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from simulator import Tenant

# The unit tests of the collection itself run without the simulator's libraries.
if importlib.util.find_spec("starlette") is None:
    collect_ignore_glob = ["test_*.py"]


class Client:
    """Requests to the three services, for one registered app."""

    def __init__(self, tenant: Tenant, name: str = "offboarding") -> None:
        self.tenant = tenant
        self.app = tenant.app(name)
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.verify = str(tenant.ca_path)
        self._tokens: dict[str, str] = {}

    def token_request(self, name: str = "", **form: str | None) -> requests.Response:
        data = {
            "grant_type": "client_credentials",
            "client_id": self.app.client_id,
            "client_secret": self.app.client_secret,
            "scope": f"{self.tenant.graph_url}/.default",
            **form,
        }
        url = f"{self.tenant.authority_url}/{name or self.tenant.tenant_id}/oauth2/v2.0/token"
        return self.http.post(url, data={key: value for key, value in data.items() if value is not None})

    def token(self, resource: str) -> str:
        if resource not in self._tokens:
            answer = self.token_request(scope=f"{resource}/.default")
            assert answer.status_code == 200, answer.text
            self._tokens[resource] = answer.json()["access_token"]
        return self._tokens[resource]

    def graph(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token(self.tenant.graph_url)}", **options.pop("headers", {})}
        headers = {key: value for key, value in headers.items() if value is not None}
        return self.http.request(method, f"{self.tenant.graph_url}/v1.0{path}", headers=headers, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.graph("GET", path, **options)

    def patch(self, user: str, **properties: Any) -> requests.Response:
        return self.graph("PATCH", f"/users/{self.id(user)}", json=properties)

    def reset(self, user: str, password: str = "Tr0ub4dor&3-horse") -> requests.Response:
        profile = {"password": password, "forceChangePasswordNextSignIn": True}
        return self.patch(user, passwordProfile=profile)

    def revoke(self, user: str) -> requests.Response:
        return self.graph("POST", f"/users/{self.id(user)}/revokeSignInSessions")

    def id(self, key: str) -> str:
        return self.tenant.directory.user(key).id

    def batch(self, *requests_: dict[str, Any]) -> requests.Response:
        return self.graph("POST", "/$batch", json={"requests": list(requests_)})

    def exchange_url(self, name: str = "InvokeCommand") -> str:
        return f"{self.tenant.exchange_url}/adminapi/beta/{self.tenant.tenant_id}/{name}"

    def exchange_headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(self.tenant.exchange_url)}", "Content-Type": "application/json"}

    def cmdlet(self, name: str, **parameters: Any) -> requests.Response:
        body = {"CmdletInput": {"CmdletName": name, "Parameters": parameters}}
        return self.http.post(self.exchange_url(), json=body, headers=self.exchange_headers())


class Tenants:
    """The tenant, and clients for it."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.clients: dict[str, Client] = {}

    def __call__(self, name: str = "offboarding") -> Client:
        if name not in self.clients:
            self.clients[name] = Client(self.tenant, name)
        return self.clients[name]


@pytest.fixture(scope="module")
def running() -> Iterator[Tenants]:
    from simulator import Tenant

    with Tenant() as tenant:
        tenants = Tenants(tenant)
        yield tenants
        for client in tenants.clients.values():
            client.http.close()
        assert tenant.crashes == []


@pytest.fixture
def as_app(running: Tenants) -> Tenants:
    """Clients by the name of their app; everything else as on the first day."""
    running.tenant.reset()
    return running


@pytest.fixture
def tenant(as_app: Tenants) -> Tenant:
    return as_app.tenant


@pytest.fixture
def client(as_app: Tenants) -> Client:
    """The client that may do everything offboarding needs.

    It holds its tokens already: a fault of a test strikes what the test sends, whichever test comes first.
    """
    client = as_app()
    for resource in (as_app.tenant.graph_url, as_app.tenant.exchange_url):
        client.token(resource)
    as_app.tenant.journal.clear()
    return client
