# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is left of somebody's access: the calls that ask for it, and things as Microsoft reports them."""

from __future__ import annotations

from typing import Any

from .people import Person
from .turns import _ADVANCED, _cmdlet, no_mailbox
from .wire import GRAPH, Reply, Turn

Facts = dict[str, Any]


# --- Graph ---


def _list(user: Person, path: str, *things: Facts, **query: str) -> Turn:
    return Turn(
        "GET",
        GRAPH,
        f"/v1.0/users/{user['id']}/{path}",
        {f"${name}": value for name, value in query.items()},
        headers=_ADVANCED if "count" in query else {},
        reply=Reply(json={"value": list(things)}),
    )


def rules(user: Person, *found: Facts) -> Turn:
    return _list(user, "mailFolders/inbox/messageRules", *found, select="id,displayName,isEnabled,actions")


def applications(user: Person, *found: Facts) -> Turn:
    return _list(user, "ownedObjects/microsoft.graph.application", *found, count="true")


def consents(user: Person, *found: Facts) -> Turn:
    return _list(user, "oauth2PermissionGrants", *found)


def app_roles(user: Person, *found: Facts) -> Turn:
    return _list(user, "appRoleAssignments", *found)


_DEVICE = "id,displayName,operatingSystem,accountEnabled,approximateLastSignInDateTime,trustType,onPremisesSyncEnabled"


def registered(user: Person, *found: Facts) -> Turn:
    return _list(user, "registeredDevices", *found, select=_DEVICE)


def owned(user: Person, *found: Facts) -> Turn:
    return _list(user, "ownedDevices", *found, select=_DEVICE)


def devices(user: Person, *found: Facts, reply: Reply | None = None) -> tuple[Turn, Turn]:
    """Both lists of devices, which come in one request."""
    turns = registered(user, *found), owned(user, *found)
    return turns if reply is None else (turns[0].but(reply), turns[1].but(reply))


def memberships(user: Person, *found: Facts) -> Turn:
    select = "id,displayName,groupTypes,membershipRule,mailEnabled,onPremisesSyncEnabled,isAssignableToRole"
    return _list(user, "memberOf", *found, select=select)


def methods(user: Person, *found: Facts) -> Turn:
    return _list(user, "authentication/methods", *found)


def client(identity: str, name: str | None = None) -> Turn:
    """Ask for the name of a service principal."""
    query = {"$select": "id,displayName"}
    body = {"id": identity, "displayName": name}
    return Turn("GET", GRAPH, f"/v1.0/servicePrincipals/{identity}", query, reply=Reply(json=body))


def rule(name: str = "Forward", *, enabled: Any = True, **actions: Any) -> Facts:
    """Return an inbox rule; each action has addresses, or what else Graph may tell of it."""
    reported = {
        action: [{"emailAddress": {"name": "X", "address": address}} for address in value]
        if isinstance(value, tuple)
        else value
        for action, value in actions.items()
    }
    return {"id": f"rule-{name}", "displayName": name, "isEnabled": enabled, "actions": reported}


def application(name: str = "Payroll sync", *, secrets: tuple = (), certificates: tuple = (), **facts: Any) -> Facts:
    """Return an owned application, with when each credential ends."""
    return {
        "@odata.type": "#microsoft.graph.application",
        "id": "a0000000-0000-4000-8000-000000000001",
        "appId": "a0000000-0000-4000-8000-0000000000aa",
        "displayName": name,
        "passwordCredentials": [{"endDateTime": end, "hint": "Q~x", "secretText": None} for end in secrets],
        "keyCredentials": [{"endDateTime": end, "key": None, "type": "AsymmetricX509Cert"} for end in certificates],
        **facts,
    }


def app_role(to: str = "Payroll", **facts: Any) -> Facts:
    return {"id": f"role-{to}", "appRoleId": "r1", "resourceId": "s1", "resourceDisplayName": to, **facts}


def group(name: str = "Finance", *kinds: str, **facts: Any) -> Facts:
    return {
        "@odata.type": "#microsoft.graph.group",
        "id": f"group-{name}",
        "displayName": name,
        "groupTypes": list(kinds),
        "mailEnabled": False,
        **facts,
    }


def consent(to: str = "c0000000-0000-4000-8000-00000000000c", scope: str = " Mail.Read offline_access") -> Facts:
    return {"clientId": to, "consentType": "Principal", "id": "grant", "principalId": "somebody", "scope": scope}


def device(name: str = "LAPTOP-JANE", **facts: Any) -> Facts:
    return {
        "@odata.type": "#microsoft.graph.device",
        "id": "d0000000-0000-4000-8000-00000000000d",
        "displayName": name,
        "operatingSystem": "Windows",
        "accountEnabled": True,
        "approximateLastSignInDateTime": "2026-11-18T08:12:00Z",
        **facts,
    }


def method(kind: str, **facts: Any) -> Facts:
    return {"@odata.type": f"#microsoft.graph.{kind}AuthenticationMethod", "id": f"method-{kind}", **facts}


PASSWORD = method("password", id="28c10230-6103-485e-b985-444c60001490", password=None)


# --- Exchange ---


def rows(cmdlet: str, user: Person, *found: Facts, by: str = "Identity") -> Turn:
    return _cmdlet(cmdlet, {by: user["id"]}, list(found))


def recipient(user: Person, row: Facts | None) -> Turn:
    """Read a mailbox with Get-Mailbox; without a row nobody has one."""
    turn = rows("Get-Mailbox", user, *([row] if row else []))
    return turn if row else turn.but(no_mailbox(user))


def named(name: str, *found: Facts) -> Turn:
    """Look up a recipient of the directory; without a row, nobody is called that."""
    turn = _cmdlet("Get-Recipient", {"Identity": name}, list(found))
    return turn if found else turn.but(no_mailbox({"id": name}))


def mailbox_called(address: str, **facts: Any) -> Facts:
    """Return a row of Get-Recipient."""
    row = {"RecipientTypeDetails": "UserMailbox", "PrimarySmtpAddress": address, "ExternalEmailAddress": None}
    return {**row, **facts}


def contact(address: str) -> Facts:
    return mailbox_called(address, RecipientTypeDetails="MailContact", ExternalEmailAddress=f"SMTP:{address}")


def domains(*names: str, **facts: Any) -> Turn:
    listed = [{"DomainName": name, "DomainType": "Authoritative", "Default": True, **facts} for name in names]
    return _cmdlet("Get-AcceptedDomain", {}, listed)


def mailbox_of(user: Person, **facts: Any) -> Facts:
    """Return a row of Get-Mailbox; nothing is forwarded and nobody may send."""
    return {
        "ExternalDirectoryObjectId": user["id"],
        "ForwardingAddress": None,
        "ForwardingSmtpAddress": None,
        "DeliverToMailboxAndForward": False,
        "GrantSendOnBehalfTo@data.type": "Microsoft.Exchange.Data.MultiValuedProperty",
        "GrantSendOnBehalfTo": [],
        **facts,
    }


def access(user: str, *rights: str, **facts: Any) -> Facts:
    """Return a row of Get-MailboxPermission, the rights in one element, as Exchange sends them."""
    listed = [", ".join(rights or ("FullAccess",))]
    return {"User": user, "AccessRights": listed, "Deny": False, "IsInherited": False, "UserSid": "S-1-5-21-7", **facts}


def trustee(name: str, **facts: Any) -> Facts:
    """Return a row of Get-RecipientPermission."""
    row = {"Trustee": name, "AccessRights": ["SendAs"], "AccessControlType": "Allow", "TrusteeSidString": "S-1-5-21-7"}
    return {**row, **facts}


SELF = "NT AUTHORITY\\SELF"


def phone(name: str = "iPhone", **facts: Any) -> Facts:
    return {
        "FriendlyName": name,
        "DeviceId": "APPL0001",
        "DeviceModel": "iPhone17C1",
        "DeviceOS": "iOS 26.1",
        "ClientType": "EAS",
        "DeviceAccessState": "Allowed",
        **facts,
    }


# --- what closes it ---


def exchange_rules(user: Person, *found: Facts) -> Turn:
    return _cmdlet("Get-InboxRule", {"Mailbox": user["id"], "IncludeHidden": True}, list(found))


def exchange_rule(name: str = "Copy home", number: int = 1, **facts: Any) -> Facts:
    """Return a row of Get-InboxRule, which leaves out what a rule does not do."""
    identity = 16752869479666417664 + number
    return {
        "Identity": f"jane\\{identity}",
        "RuleIdentity@data.type": "System.UInt64",
        "RuleIdentity": identity,
        "Name": name,
        "Enabled": True,
        "SupportedByTask": True,
        **facts,
    }


def switch_rule(user: Person, rule: Facts, enabled: bool) -> Turn:
    parameters = {"Identity": str(rule["RuleIdentity"]), "Mailbox": user["id"], "Confirm": False, "Force": True}
    return _cmdlet("Enable-InboxRule" if enabled else "Disable-InboxRule", parameters, [])


def forward(user: Person, **parameters: Any) -> Turn:
    return _cmdlet("Set-Mailbox", {"Identity": user["id"], **parameters}, [])
