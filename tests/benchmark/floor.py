# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The floor: what Graph and Exchange have to be asked, and nothing else. No Ansible, no records, no retries.

    python floor.py LEAVERS KINDS

`LEAVERS` is a file with a user principal name a line, `KINDS` a list as `find,mailbox,password`. One kind after the other, since
that is the order of Microsoft's steps; within a kind all leavers in batches (Graph 20, Exchange 10), four in flight, one token for
each audience. Any answer that is not a success ends it. Addresses and credentials come from the environment, as for the modules.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import ssl
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

_SELECT = (
    "id,userPrincipalName,displayName,mail,proxyAddresses,accountEnabled,onPremisesSyncEnabled,isManagementRestricted,"
    "lastPasswordChangeDateTime,signInSessionsValidFromDateTime,assignedPlans"
)
_ADVANCED = {"ConsistencyLevel": "eventual"}
_GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
_OFF = dict.fromkeys(
    (
        "ActiveSyncEnabled",
        "OWAEnabled",
        "MAPIEnabled",
        "EwsEnabled",
        "PopEnabled",
        "ImapEnabled",
        "OutlookMobileEnabled",
        "OWAforDevicesEnabled",
        "UniversalOutlookEnabled",
        "MacOutlookEnabled",
        "OneWinNativeOutlookEnabled",
    ),
    False,
) | {"SmtpClientAuthenticationDisabled": True}
_SIZES = {"graph": 20, "exchange": 10}
_IN_FLIGHT = 4

Call = dict[str, Any]


class Floor:
    def __init__(self, http: httpx.AsyncClient, names: list[str]) -> None:
        self._http = http
        self._names = names
        self._ids: list[str] = []
        self._tokens: dict[str, str] = {}
        self._tenant = os.environ["AZURE_TENANT_ID"]
        self._bases = {"graph": os.environ["M365_GRAPH_URL"], "exchange": os.environ["M365_EXCHANGE_URL"]}
        self._free = asyncio.Semaphore(_IN_FLIGHT)
        self._last_reset = 0

    async def work(self, kinds: list[str]) -> None:
        for kind in kinds:
            if kind == "sessions":
                await self._let_the_clock_pass()
            service = "exchange" if kind in ("mailbox", "switch") else "graph"
            await self._token(service)
            calls = self._calls(kind)
            size = _SIZES[service]
            chunks = [calls[start : start + size] for start in range(0, len(calls), size)]
            bodies = [
                body for chunk in await asyncio.gather(*(self._send(service, one) for one in chunks)) for body in chunk
            ]
            if kind == "find":
                self._ids = [body["value"][0]["id"] for body in bodies]
            elif kind == "password":
                self._last_reset = int(time.time())

    async def _let_the_clock_pass(self) -> None:
        """The sign-out has to be later than the reset, in whole seconds of the tenant's clock, which is this machine's."""
        while int(time.time()) <= self._last_reset:
            await asyncio.sleep(0.01)

    def _calls(self, kind: str) -> list[Call]:
        if kind == "find":
            conditions = [quote(f"userPrincipalName eq '{name}'", safe="'") for name in self._names]
            return [_get(f"/users?$filter={condition}&$select={_SELECT}") for condition in conditions]
        if kind == "administrators":
            return [
                _get(f"/directoryRoles(roleTemplateId='{_GLOBAL_ADMINISTRATOR}')/members?$select=id,accountEnabled")
            ]
        return [self._call(kind, identity) for identity in self._ids]

    def _call(self, kind: str, identity: str) -> Call:
        match kind:
            case "user":
                return _get(f"/users/{identity}?$select={_SELECT}")
            case "roles":
                path = f"/users/{identity}/transitiveMemberOf/microsoft.graph.directoryRole"
                return _get(f"{path}?$count=true&$select=id,displayName", **_ADVANCED)
            case "password":
                profile = {"password": f"Aa1!{secrets.token_urlsafe(24)}", "forceChangePasswordNextSignIn": True}
                return _write("PATCH", f"/users/{identity}", {"passwordProfile": profile})
            case "sessions":
                return _write("POST", f"/users/{identity}/revokeSignInSessions", {})
            case "signin":
                return _write("PATCH", f"/users/{identity}", {"accountEnabled": False})
            case "mailbox":
                return _cmdlet("Get-CASMailbox", {"Identity": identity})
            case "switch":
                return _cmdlet("Set-CASMailbox", {"Identity": identity, **_OFF})
        raise SystemExit(f"the floor knows no {kind}")

    async def _token(self, service: str) -> None:
        if service in self._tokens:
            return
        answer = await self._http.post(
            f"{os.environ['M365_AUTHORITY_URL']}/{self._tenant}/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": os.environ["AZURE_CLIENT_ID"],
                "client_secret": os.environ["AZURE_CLIENT_SECRET"],
                "scope": f"{self._bases[service]}/.default",
            },
        )
        self._tokens[service] = answer.raise_for_status().json()["access_token"]

    async def _send(self, service: str, calls: list[Call]) -> list[Any]:
        """The bodies of the answers, in the order of the calls."""
        root = (
            f"{self._bases[service]}/v1.0"
            if service == "graph"
            else f"{self._bases[service]}/adminapi/beta/{self._tenant}"
        )
        headers = {"Authorization": f"Bearer {self._tokens[service]}"}
        async with self._free:
            if len(calls) == 1:
                call = calls[0]
                answer = await self._http.request(
                    call["method"], root + call["url"], json=call.get("body"), headers={**headers, **call["headers"]}
                )
                # Few applications may read the administrators; the role accepts a refusal, too.
                if answer.status_code != 403 or "directoryRoles" not in call["url"]:
                    answer.raise_for_status()
                return [json.loads(answer.content or b"{}")]
            requests = [{**call, "id": str(number)} for number, call in enumerate(calls)]
            if service == "exchange":
                # Each brings its own token and its whole address.
                requests = [
                    {**one, "url": root + one["url"], "headers": {**one["headers"], **headers}} for one in requests
                ]
            answer = await self._http.post(f"{root}/$batch", json={"requests": requests}, headers=headers)
        found = {one["id"]: one for one in answer.raise_for_status().json()["responses"]}
        for one in found.values():
            body = one.get("body")
            if one.get("status", 200) >= 300 or (isinstance(body, dict) and "error" in body):
                raise SystemExit(f"refused: {one}")
        return [found[str(number)].get("body") for number in range(len(calls))]


def _get(url: str, **headers: str) -> Call:
    return {"method": "GET", "url": url, "headers": headers}


def _write(method: str, url: str, body: dict[str, Any]) -> Call:
    return {"method": method, "url": url, "body": body, "headers": {"Content-Type": "application/json"}}


def _cmdlet(name: str, parameters: dict[str, Any]) -> Call:
    call = _write("POST", "/InvokeCommand", {"CmdletInput": {"CmdletName": name, "Parameters": parameters}})
    anchor = f"APP:SystemMailbox{{bb558c35-97f1-4cb9-8ff7-d53741dc928c}}@{os.environ['AZURE_TENANT_ID']}"
    call["headers"] |= {"X-CmdletName": name, "X-AnchorMailbox": anchor}
    return call


async def main(leavers: str, kinds: str) -> None:
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=_IN_FLIGHT)
    async with httpx.AsyncClient(verify=context, limits=limits, timeout=30, trust_env=False) as http:
        names = Path(leavers).read_text(encoding="utf-8").split()
        await Floor(http, names).work(kinds.split(","))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
