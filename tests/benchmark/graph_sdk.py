# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an administrator writes with Microsoft's SDK: one user after the other. The SDK knows nothing of mailbox protocols.

    python graph_sdk.py LEAVERS

Address, authority and CA are given as for a national cloud; nothing is patched.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import ssl
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from azure.identity import ClientSecretCredential
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph.generated.models.password_profile import PasswordProfile
from msgraph.generated.models.user import User
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core.graph_client_factory import GraphClientFactory


async def main(leavers: str) -> None:
    address, ca_path = os.environ["M365_GRAPH_URL"], os.environ["SSL_CERT_FILE"]
    credential = ClientSecretCredential(
        os.environ["AZURE_TENANT_ID"],
        os.environ["AZURE_CLIENT_ID"],
        os.environ["AZURE_CLIENT_SECRET"],
        authority=os.environ["M365_AUTHORITY_URL"],
        disable_instance_discovery=True,
        connection_verify=ca_path,
    )
    provider = AzureIdentityAuthenticationProvider(
        credential, scopes=[f"{address}/.default"], allowed_hosts=[urlsplit(address).hostname or ""]
    )
    async with httpx.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=ca_path)) as transport:
        http = httpx.AsyncClient(transport=transport, trust_env=False)
        adapter = GraphRequestAdapter(provider, GraphClientFactory.create_with_default_middleware(client=http))
        adapter.base_url = f"{address}/v1.0"
        graph = GraphServiceClient(request_adapter=adapter)
        for name in Path(leavers).read_text(encoding="utf-8").split():
            user = graph.users.by_user_id(name)
            password = f"Aa1!{secrets.token_urlsafe(24)}"
            profile = PasswordProfile(password=password, force_change_password_next_sign_in=True)
            await user.patch(User(password_profile=profile))
            await user.revoke_sign_in_sessions.post()
            await user.patch(User(account_enabled=False))
    credential.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
