# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is sent, there is an answer, and it is not the simulator's own mistake."""

from __future__ import annotations

import json
import random
import socket
import ssl
from urllib.parse import quote, urlsplit

import pytest
import requests

SEED = 20260822
METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "QUERY", "X-ODD")
PIECES = (
    "v1.0", "beta", "users", "users('", "users(')", "$batch", "$count", "me", "groups", "directoryRoles", "directory",
    "deletedItems", "microsoft.graph.user", "transitiveMemberOf", "memberOf", "revokeSignInSessions", "restore",
    "roleManagement", "roleAssignments", "directoryObjects", "getByIds", "authentication", "methods", "organization",
    "servicePrincipals", "registeredDevices", "adminapi", "InvokeCommand", "EXOModuleFile", "oauth2", "v2.0", "token",
    ".well-known", "openid-configuration", "common", "discovery", "instance", "..", ".", "%", "%zz", "%00", "%ff",
    "transitiveMembers", "members", "microsoft.graph.device", "ownedObjects", "oauth2PermissionGrants", "mailFolders",
    "mailFolders('inbox')", "inbox", "messageRules",
    "%2f", "%F0%9F%98%80", "'", "''", "(", ")", "()", "a" * 300, "accountEnabled", "[", "]", "{", "}", "|", "^", "~",
)  # fmt: skip
WORDS = (
    "eq", "ne", "and", "or", "not", "in", "(", ")", ",", ":", "'x'", "''", "'", "null", "true", "1", "-1.5", "id", "mail",
    "accountEnabled", "userPrincipalName", "proxyAddresses/any(", "p:p", "p", "startsWith(", "endsWith(", "contains(",
    "createdDateTime", "2024-01-01T00:00:00Z", "2024-99-99T00:00:00Z", "/", "$count", "assignedLicenses/$count", "nonsense",
    "\u00e9", "\x00", "%", "+", "displayName", "employeeLeaveDateTime", "le", "ge",
)  # fmt: skip
OPTIONS = (
    "$select",
    "$filter",
    "$top",
    "$count",
    "$search",
    "$orderby",
    "$expand",
    "$skiptoken",
    "$skip",
    "$format",
    "$x",
    "x",
    "",
)
BODIES = (
    None, True, 0, -1, 1.5, 1e400, "", "x", "\ud800", [], [None], {}, {"requests": [{}]}, {"requests": [1]},
    {"requests": [{"id": "1", "method": "GET", "url": ""}]}, {"requests": [{"id": "1", "method": "GET", "url": "?"}]},
    {"requests": [{"id": "1", "method": "GET", "url": "//"}]}, {"requests": [{"id": "1", "method": "GET", "url": "/users/%ff"}]},
    {"requests": [{"id": "1", "method": "get", "url": "/users?$filter=x", "headers": None, "dependsOn": None}]},
    {"requests": [{"id": "1", "method": "POST", "url": "http://[", "headers": {"content-type": ""}, "body": None}]},
    {"requests": [{"id": "1", "method": "PATCH", "url": "/users/x", "headers": {"content-type": "application/json"}, "body": 1}]},
    {"accountEnabled": None}, {"passwordProfile": []}, {"passwordProfile": {"password": "\ud800aB1!aB1!"}},
    {"ids": [None]}, {"ids": {}, "types": 1}, {"ids": ["x"], "types": [{}]}, {"CmdletInput": None},
    {"CmdletInput": {"CmdletName": "Get-CASMailbox", "Parameters": {"Identity": 1}}},
    {"CmdletInput": {"CmdletName": "Get-CASMailbox", "Parameters": {"Identity": "*\u0000"}}},
    {"CmdletInput": {"CmdletName": "Get-CASMailbox", "Parameters": {"ResultSize": {}}}},
    {"CmdletInput": {"CmdletName": "Set-CASMailbox", "Parameters": {"Identity": "x", "": None}}},
    {"CmdletInput": {"CmdletName": "Set-CASMailbox", "Parameters": {"Identity": {}, "OWAEnabled": {}}}},
    {"CmdletInput": {"CmdletName": {}, "Parameters": {}}},
    {"CmdletInput": {"CmdletName": "Get-Mailbox", "Parameters": {"RecipientTypeDetails": [{}]}}},
    {"CmdletInput": {"CmdletName": "get-mailboxpermission", "Parameters": {"Identity": "x", "User": []}}},
    {"CmdletInput": {"CmdletName": "Get-MobileDevice", "Parameters": {"Mailbox": None, "Identity": "\u0000"}}},
    {"CmdletInput": {"CmdletName": "Get-RecipientPermission", "Parameters": {"AccessRights": [[]]}}},
    {"CmdletInput": {"CmdletName": "Get-AcceptedDomain", "Parameters": {"Identity": {}}}},
    {"autoReconcileProxyConflict": [], "newUserPrincipalName": {}},
)  # fmt: skip
TYPES = (
    "application/json",
    "text/plain",
    "",
    "application/x-www-form-urlencoded",
    "\u00ff",
    "application/json; charset=x",
)


def target(chance: random.Random, name: str, tenant, client) -> str:
    ids = [client.id("jane"), "jane.doe@contoso.com", "$cash@contoso.com", tenant.tenant_id, "00000000"]
    pieces = [chance.choice([*PIECES, *ids]) for _ignored in range(chance.randint(0, 5))]
    if name == "graph" and chance.random() < 0.8:
        pieces = ["v1.0", chance.choice(PIECES[2:20]), *pieces]
    if name == "graph" and chance.random() < 0.2:
        pieces = ["v1.0", "users", client.id("residual"), *pieces[-2:]]
    if name == "exchange" and chance.random() < 0.8:
        pieces = [
            "adminapi",
            "beta",
            tenant.tenant_id,
            chance.choice(["InvokeCommand", "$batch", "EXOModuleFile", "x"]),
        ]
    if name == "entra" and chance.random() < 0.5:
        pieces = [chance.choice(["contoso.com", "common", "x"]), "oauth2", "v2.0", "token"]
    path = "/" + chance.choice(["/", "//"]).join(
        piece if "%" in piece else quote(piece, safe="$'()@*!") for piece in pieces
    )
    if chance.random() < 0.6:
        pairs = []
        for _ignored in range(chance.randint(1, 3)):
            value = " ".join(chance.choice(WORDS) for _ignored in range(chance.randint(0, 8)))
            pairs.append(
                f"{chance.choice(OPTIONS)}={quote(value, safe='$') if chance.random() < 0.9 else value.replace(' ', '')}"
            )
        path += "?" + "&".join(pairs).encode("ascii", "ignore").decode().replace("\x00", "")
    return path


def test_well_formed_junk(as_app):
    chance = random.Random(SEED)
    client, tenant = as_app(), as_app.tenant
    tenant.app().graph |= {
        "Directory.Read.All",
        "Directory.ReadWrite.All",
        "Application.Read.All",
        "User.ReadWrite.All",
        "MailboxSettings.Read",
        "UserAuthenticationMethod.Read.All",
    }
    bearer = {"graph": client.token(tenant.graph_url), "exchange": client.token(tenant.exchange_url), "entra": "x"}
    seen = set()
    for _ignored in range(300):
        name = chance.choice(("graph", "graph", "exchange", "entra"))
        headers = {"Content-Type": chance.choice(TYPES).encode("latin-1")} if chance.random() < 0.8 else {}
        if chance.random() < 0.95:
            headers["Authorization"] = f"Bearer {bearer[name]}"
        if chance.random() < 0.3:
            headers["ConsistencyLevel"] = "eventual"
        content = json.dumps(chance.choice(BODIES)).encode() if chance.random() < 0.9 else chance.randbytes(50)
        path = target(chance, name, tenant, client)
        method = chance.choice(METHODS)
        request = client.http.prepare_request(requests.Request(method, tenant.url(name), headers=headers, data=content))
        request.url = tenant.url(name) + path
        with client.http.send(request, stream=True, allow_redirects=False) as answer:
            answer.raw.read(decode_content=False)
            assert answer.status_code < 500, (method, path, content)
            seen.add((name, answer.status_code))
    assert tenant.crashes == []
    # It was not all refused at the door.
    assert {("graph", 200), ("graph", 400), ("exchange", 400), ("entra", 400)} <= seen


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /v1.0/users HTTP/1.1\r\n\r\n",
        b"GET /" + b"a" * 50_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBroken\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: nonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET http://elsewhere.example/v1.0/users HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET //users/jane HTTP/1.1\r\nHost: '\";<>\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
@pytest.mark.parametrize("name", ["entra", "graph", "exchange"])
def test_malformed_requests_are_answered(tenant, name, data):
    context = ssl.create_default_context(cafile=str(tenant.ca_path))
    address = urlsplit(tenant.url(name))
    with (
        socket.create_connection((address.hostname, address.port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as stream,
    ):
        stream.sendall(data)
        status = stream.recv(1000).split(b" ")
    assert status[0].startswith(b"HTTP/1.1")
    assert 200 <= int(status[1]) < 500
