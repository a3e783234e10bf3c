# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""azure-identity and msgraph-sdk, led to the simulator by constructor options alone: nothing in them is patched."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import string
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
from azure.identity import CertificateCredential, ClientAssertionCredential, ClientSecretCredential
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph.generated.models.directory_role import DirectoryRole
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.password_profile import PasswordProfile
from msgraph.generated.models.user import User
from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core.graph_client_factory import GraphClientFactory

from simulator import Tenant

Credential = ClientSecretCredential | CertificateCredential | ClientAssertionCredential
Result = TypeVar("Result")

SELECT = [
    "id",
    "userPrincipalName",
    "displayName",
    "accountEnabled",
    "userType",
    "onPremisesSyncEnabled",
    "lastPasswordChangeDateTime",
    "signInSessionsValidFromDateTime",
]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the SDK read of a user; it takes anything for optional."""

    id: str | None
    user_principal_name: str | None
    account_enabled: bool | None
    password_changed: datetime | None
    sessions_valid_from: datetime | None
    roles: int


def credential(tenant: Tenant, app: str = "offboarding", kind: str = "secret") -> Credential:
    """A credential of azure-identity for a registered app: by "secret", "certificate" or "federation"."""
    client_id = tenant.app(app).client_id
    options = {
        "authority": tenant.authority_url,
        "disable_instance_discovery": True,
        "connection_verify": str(tenant.ca_path),
    }
    if kind == "certificate":
        files = tenant.certificate_files(app)
        return CertificateCredential(tenant.tenant_id, client_id, certificate_path=files["pem"], **options)
    if kind == "federation":
        return ClientAssertionCredential(tenant.tenant_id, client_id, lambda: tenant.federated_token(app), **options)
    return ClientSecretCredential(tenant.tenant_id, client_id, tenant.app(app).client_secret, **options)


def with_msgraph_sdk(
    tenant: Tenant,
    work: Callable[[GraphServiceClient], Awaitable[Result]],
    app: str = "offboarding",
    kind: str = "secret",
) -> Result:
    """Let the SDK work; address, scope, allowed host and CA are given as it wants them given."""

    async def run() -> Result:
        known = credential(tenant, app, kind)
        context = ssl.create_default_context(cafile=str(tenant.ca_path))
        scopes = [f"{tenant.graph_url}/.default"]
        provider = AzureIdentityAuthenticationProvider(
            known, scopes=scopes, allowed_hosts=[urlsplit(tenant.graph_url).hostname or ""]
        )
        # The SDK puts its own transport around this one and forgets to close it.
        async with httpx.AsyncHTTPTransport(verify=context) as transport:
            http = httpx.AsyncClient(transport=transport, trust_env=False)
            adapter = GraphRequestAdapter(provider, GraphClientFactory.create_with_default_middleware(client=http))
            adapter.base_url = f"{tenant.graph_url}/v1.0"
            try:
                return await work(GraphServiceClient(request_adapter=adapter))
            finally:
                known.close()

    return asyncio.run(run())


def lock_with_msgraph_sdk(tenant: Tenant, upn: str, app: str = "offboarding") -> None:
    """Reset the password, revoke the sessions, block sign-in, in Microsoft's order, as Microsoft's examples do it."""

    async def work(graph: GraphServiceClient) -> None:
        user = graph.users.by_user_id(upn)
        profile = PasswordProfile(password=_password(), force_change_password_next_sign_in=True)
        await user.patch(User(password_profile=profile))
        # The sign-out has to be later than the reset, in whole seconds.
        await asyncio.sleep(1.1)
        answer = await user.revoke_sign_in_sessions.post()
        if answer is None or answer.value is not True:
            raise RuntimeError(f"revokeSignInSessions answered {answer}")
        await user.patch(User(account_enabled=False))

    with_msgraph_sdk(tenant, work, app)


def read_with_msgraph_sdk(tenant: Tenant, upn: str, app: str = "offboarding") -> Reading:
    """Read the doors that Graph knows of, and how many directory roles there are."""

    async def work(graph: GraphServiceClient) -> Reading:
        item = graph.users.by_user_id(upn)
        options = UserItemRequestBuilder.UserItemRequestBuilderGetQueryParameters(select=SELECT)
        user = await item.get(
            UserItemRequestBuilder.UserItemRequestBuilderGetRequestConfiguration(query_parameters=options)
        )
        memberships = await item.transitive_member_of.get()
        held = [one for one in (memberships.value if memberships else None) or [] if isinstance(one, DirectoryRole)]
        if user is None:
            raise RuntimeError("no user came")
        return Reading(
            id=user.id,
            user_principal_name=user.user_principal_name,
            account_enabled=user.account_enabled,
            password_changed=user.last_password_change_date_time,
            sessions_valid_from=user.sign_in_sessions_valid_from_date_time,
            roles=len(held),
        )

    return with_msgraph_sdk(tenant, work, app)


def _password() -> str:
    classes = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "!#%+-")
    return "".join(secrets.choice(classes[place % 4]) for place in range(24))


__all__ = ["ODataError", "Reading", "credential", "lock_with_msgraph_sdk", "read_with_msgraph_sdk", "with_msgraph_sdk"]
