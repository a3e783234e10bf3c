# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The calls that the collection makes, written down from Microsoft's description, with Microsoft's answers."""

from __future__ import annotations

import dataclasses
from typing import Any

from .entra import TENANT_ID
from .people import Person, person
from .wire import EXCHANGE, GRAPH, MANAGER, PERSON, Reply, Turn

USER_PROPERTIES = (
    "id,userPrincipalName,displayName,mail,proxyAddresses,accountEnabled,onPremisesSyncEnabled,isManagementRestricted,"
    "lastPasswordChangeDateTime,signInSessionsValidFromDateTime,assignedPlans"
)
_ADVANCED = {"ConsistencyLevel": "eventual"}


class _AnyPassword:
    """Equals every password; which one was sent stands in the wire's record."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and bool(other)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "<a password>"


ANY_PASSWORD = _AnyPassword()


# --- Graph: reading ---


def find(name: str | Person, *users: Person, select: str = USER_PROPERTIES) -> Turn:
    """Ask for a user by principal name; a person as ``name`` is found."""
    if not isinstance(name, str):
        name, users = name["userPrincipalName"], (name,)
    quoted = name.replace("'", "''")
    query = {"$filter": f"userPrincipalName eq '{quoted}'", "$select": select}
    return Turn("GET", GRAPH, "/v1.0/users", query, reply=Reply(json={"value": list(users)}))


def read(user: Person, *, select: str = USER_PROPERTIES) -> Turn:
    """Ask for a user by object ID."""
    return Turn("GET", GRAPH, f"/v1.0/users/{user['id']}", {"$select": select}, reply=Reply(json=user))


def dated(turn: Turn, *, hired: bool = True) -> Turn:
    """Return the turn as it is sent where left_at may tell a newer account of that name."""
    return _wider(turn, PERSON[0], *([PERSON[-1]] if hired else []))


def meet(turn: Turn, *, hired: bool = True, manager: bool = True) -> Turn:
    """Return the turn as the module sends it that only reads: with what distinguishes a person from a namesake."""
    turn = _wider(turn, *(PERSON if hired else PERSON[:-1]))
    return dataclasses.replace(turn, query={**turn.query, **dict([MANAGER] if manager else [])})


def _wider(turn: Turn, *names: str) -> Turn:
    return dataclasses.replace(turn, query={**turn.query, "$select": ",".join([turn.query["$select"], *names])})


def organization(name: str | None = "Contoso", tenant_id: str = TENANT_ID) -> Turn:
    """Ask for the name of the tenant."""
    query = {"$select": "id,displayName"}
    answer = {"value": [{"id": tenant_id, "displayName": name}]}
    return Turn("GET", GRAPH, "/v1.0/organization", query, reply=Reply(json=answer))


def find_by_address(address: str, *owners: Person) -> Turn:
    quoted = address.replace("'", "''")
    condition = f"mail eq '{quoted}' or proxyAddresses/any(p:p eq 'smtp:{quoted}')"
    names = ("id", "userPrincipalName", "mail", "proxyAddresses")
    found = [{name: owner[name] for name in names} for owner in owners]
    query = {"$filter": condition, "$select": ",".join(names)}
    return Turn("GET", GRAPH, "/v1.0/users", query, reply=Reply(json={"value": found}))


def find_deleted(name: str, *gone: dict[str, Any], select: str = "id,userPrincipalName,deletedDateTime") -> Turn:
    quoted = name.replace("'", "''")
    query = {"$count": "true", "$filter": f"endsWith(userPrincipalName,'{quoted}')", "$select": select}
    path = "/v1.0/directory/deletedItems/microsoft.graph.user"
    return Turn("GET", GRAPH, path, query, headers=_ADVANCED, reply=Reply(json={"value": list(gone)}))


DELETED_PROPERTIES = (
    "id,userPrincipalName,displayName,mail,proxyAddresses,accountEnabled,onPremisesSyncEnabled,isManagementRestricted,"
    "deletedDateTime"
)


def read_deleted(
    identity: str, gone: dict[str, Any] | None = None, select: str = "id,userPrincipalName,deletedDateTime"
) -> Turn:
    query = {"$select": select}
    reply = Reply(json=gone) if gone else not_found(identity)
    return Turn("GET", GRAPH, f"/v1.0/directory/deletedItems/{identity}", query, reply=reply)


def roles(user: Person, *names: str, ids_only: bool = False) -> Turn:
    """Ask for active directory roles; without permission for their names, only ids come back."""
    held = [
        {
            "@odata.type": "#microsoft.graph.directoryRole",
            "id": f"role-{name}",
            "displayName": None if ids_only else name,
        }
        for name in names
    ]
    path = f"/v1.0/users/{user['id']}/transitiveMemberOf/microsoft.graph.directoryRole"
    query = {"$count": "true", "$select": "id,displayName"}
    return Turn("GET", GRAPH, path, query, headers=_ADVANCED, reply=Reply(json={"value": held}))


# --- Graph: searching ---


def ids(*objects: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a search learns of these: who they are, and no more."""
    return [{name: one[name] for name in ("@odata.type", "id") if name in one} for one in objects]


def search(condition: str, *users: Person, advanced: bool = True) -> Turn:
    """Ask who meets a condition; the only page."""
    query = {"$filter": condition, "$select": "id", "$top": "999", **({"$count": "true"} if advanced else {})}
    headers = _ADVANCED if advanced else {}
    return Turn("GET", GRAPH, "/v1.0/users", query, headers=headers, reply=Reply(json={"value": ids(*users)}))


def find_group(name: str, *groups: dict[str, Any]) -> Turn:
    quoted = name.replace("'", "''")
    query = {"$filter": f"displayName eq '{quoted}' or mail eq '{quoted}'", "$select": "id,displayName,mail,visibility"}
    return Turn("GET", GRAPH, "/v1.0/groups", query, reply=Reply(json={"value": list(groups)}))


def read_group(identity: str, group: dict[str, Any] | None = None) -> Turn:
    query = {"$select": "id,displayName,mail,visibility"}
    reply = Reply(json=group) if group else not_found(identity)
    return Turn("GET", GRAPH, f"/v1.0/groups/{identity}", query, reply=reply)


def members(group: dict[str, Any], *users: dict[str, Any]) -> Turn:
    path = f"/v1.0/groups/{group['id']}/transitiveMembers/microsoft.graph.user"
    query = {"$count": "true", "$select": "id", "$top": "999"}
    return Turn("GET", GRAPH, path, query, headers=_ADVANCED, reply=Reply(json={"value": ids(*users)}))


def pages(turn: Turn, *parts: list[dict[str, Any]]) -> list[Turn]:
    """Return the calls for a list that comes in these pages, each a link away from the one before."""
    turns = []
    for number, part in enumerate(parts):
        query = {"$skiptoken": f"page{number}"} if number else turn.query
        body: dict[str, Any] = {"value": part}
        if number + 1 < len(parts):
            body["@odata.nextLink"] = f"https://{GRAPH}{turn.path}?$skiptoken=page{number + 1}"
        turns.append(dataclasses.replace(turn, query=query, reply=Reply(json=body)))
    return turns


def administrators(*holders: Person, enabled: bool = True) -> Turn:
    """Ask for the Global Administrators; without any, somebody else holds the role."""
    members = [
        {"@odata.type": "#microsoft.graph.user", "id": one["id"], "accountEnabled": one["accountEnabled"]}
        for one in holders or [person("the.boss", accountEnabled=enabled)]
    ]
    path = "/v1.0/directoryRoles(roleTemplateId='62e90394-69f5-4237-9190-012177145e10')/members"
    return Turn("GET", GRAPH, path, {"$select": "id,accountEnabled"}, reply=Reply(json={"value": members}))


# --- Graph: writing ---


def reset(user: Person, password: Any = ANY_PASSWORD) -> Turn:
    body = {"passwordProfile": {"password": password, "forceChangePasswordNextSignIn": True}}
    return Turn("PATCH", GRAPH, f"/v1.0/users/{user['id']}", body=body, reply=Reply(204))


def revoke(user: Person) -> Turn:
    path = f"/v1.0/users/{user['id']}/revokeSignInSessions"
    return Turn("POST", GRAPH, path, body={}, reply=Reply(200, {"value": True}))


def restore(user: Person) -> Turn:
    return Turn("POST", GRAPH, f"/v1.0/directory/deletedItems/{user['id']}/restore", body={}, reply=Reply(200, user))


def enable(user: Person, enabled: bool) -> Turn:
    path = f"/v1.0/users/{user['id']}"
    return Turn("PATCH", GRAPH, path, body={"accountEnabled": enabled}, reply=Reply(204))


# --- Exchange ---


def _cmdlet(name: str, parameters: dict[str, Any], rows: list[dict[str, Any]]) -> Turn:
    return Turn(
        "POST",
        EXCHANGE,
        f"/adminapi/beta/{TENANT_ID}/InvokeCommand",
        body={"CmdletInput": {"CmdletName": name, "Parameters": parameters}},
        headers={
            "X-CmdletName": name,
            "X-AnchorMailbox": f"APP:SystemMailbox{{bb558c35-97f1-4cb9-8ff7-d53741dc928c}}@{TENANT_ID}",
            "parameter-based-routing": "true",
        },
        reply=Reply(json={"@adminapi.warnings": [], "value": rows}),
    )


def get_mailbox(owner: Person, *rows: dict[str, Any]) -> Turn:
    """Read a mailbox; without a row nobody has one."""
    turn = _cmdlet("Get-CASMailbox", {"Identity": owner["id"]}, list(rows))
    return turn if rows else turn.but(no_mailbox(owner))


def set_mailbox(owner: Person, **switches: bool | None) -> Turn:
    """Set switches, by Exchange's names."""
    return _cmdlet("Set-CASMailbox", {"Identity": owner["id"], **switches}, [])


# --- what goes wrong ---


def graph_error(status: int, code: str, message: str, *, spelling: str = "innerError", **headers: str) -> Reply:
    inner = {"date": "2026-11-20T16:00:00", "request-id": "req-0001", "client-request-id": "cli-0001"}
    error = {"code": code, "message": message, spelling: inner}
    return Reply(status, {"error": error}, headers={name.replace("_", "-"): value for name, value in headers.items()})


def not_found(identity: str) -> Reply:
    message = f"Resource '{identity}' does not exist or one of its queried reference-property objects are not present."
    return graph_error(404, "Request_ResourceNotFound", message)


def forbidden() -> Reply:
    return graph_error(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def mastered_on_premises() -> Reply:
    message = (
        "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects "
        "currently undergoing migration."
    )
    return graph_error(400, "Request_BadRequest", message)


def concurrency(status: int = 409) -> Reply:
    message = "Error due to concurrent requests being made to the tenant. Please wait briefly and retry."
    return graph_error(status, "Directory_ConcurrencyViolation", message)


def throttled(reported: str | None = None) -> Reply:
    headers = {} if reported is None else {"Retry-After": reported}
    body = {"error": {"code": "TooManyRequests", "message": "Please retry again later."}}
    return Reply(429, body, headers=headers)


def fault(status: int = 503) -> Reply:
    return graph_error(status, "serviceNotAvailable", "The service is not available.")


def exchange_error(
    status: int, kind: str, text: str, code: str = "InternalServerError", mark: str = "Ex0A1B2C"
) -> Reply:
    """Return an error of a cmdlet; ``kind`` is the class name of its exception."""
    internal = {"message": text, "type": kind, "stacktrace": "   at Microsoft.Exchange.Secret.Path()"}
    error = {
        "code": code,
        "message": "Error executing cmdlet",
        "details": [{"code": "Client", "target": "", "message": f"{mark}|{kind}|{text}"}],
        "innererror": {"message": "Error executing cmdlet", "stacktrace": "...", "internalexception": internal},
    }
    return Reply(status, {"error": error})


def no_mailbox(owner: Person, status: int = 404) -> Reply:
    text = f"The operation couldn't be performed because object '{owner['id']}' couldn't be found on 'DC01.PROD'."
    kind = "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException"
    return exchange_error(status, kind, text, code="NotFound" if status == 404 else "InternalServerError")


def web_page(status: int = 200) -> Reply:
    """Return what a proxy shows instead of an answer."""
    page = b"<!DOCTYPE html><html><title>Sign in to the proxy</title></html>"
    return Reply(status, body=page, headers={"Content-Type": "text/html"})
