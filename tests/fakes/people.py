# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""People as Microsoft Graph reports them, and mailboxes as Exchange does."""

from __future__ import annotations

import uuid
from typing import Any

from .clock import later

Person = dict[str, Any]

_PLAN = {
    "assignedDateTime": "2024-01-01T08:00:00Z",
    "capabilityStatus": "Enabled",
    "service": "exchange",
    "servicePlanId": "efb87545-963c-4e0d-99df-69c6916d9eb0",
}


def person(name: str = "jane.doe", **facts: Any) -> Person:
    """Return somebody with an open account and a mailbox; ``facts`` are properties of the Graph user."""
    upn = facts.get("userPrincipalName", name if "@" in name else f"{name}@contoso.com")
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, upn)),
        "userPrincipalName": upn,
        "displayName": name.partition("@")[0].replace(".", " ").title(),
        "mail": upn,
        "proxyAddresses": [f"SMTP:{upn}"],
        "accountEnabled": True,
        "onPremisesSyncEnabled": None,
        "isManagementRestricted": None,
        "lastPasswordChangeDateTime": "2026-03-02T08:00:00Z",
        "signInSessionsValidFromDateTime": "2026-03-02T07:59:00Z",
        "assignedPlans": [_PLAN],
        **facts,
    }


def locked(name: str = "jane.doe", **facts: Any) -> Person:
    """Return somebody whose password, sessions and sign-in were shut in order, an hour before the test."""
    shut = {
        "lastPasswordChangeDateTime": later(hours=-1),
        "signInSessionsValidFromDateTime": later(2, hours=-1),
        "accountEnabled": False,
    }
    return person(name, **{**shut, **facts})


def guest(name: str = "ann", **facts: Any) -> Person:
    return person(name, userPrincipalName=f"{name}_fabrikam.com#EXT#@contoso.onmicrosoft.com", **facts)


def crowd(count: int, **facts: Any) -> list[Person]:
    return [person(f"leaver{number:02}", **facts) for number in range(count)]


# The twelve switches, by our names, as Get-CASMailbox calls them.
SWITCHES = {
    "activesync": "ActiveSyncEnabled",
    "owa": "OWAEnabled",
    "mapi": "MAPIEnabled",
    "ews": "EwsEnabled",
    "pop": "PopEnabled",
    "imap": "ImapEnabled",
    "smtp_auth": "SmtpClientAuthenticationDisabled",
    "outlook_mobile": "OutlookMobileEnabled",
    "owa_for_devices": "OWAforDevicesEnabled",
    "universal_outlook": "UniversalOutlookEnabled",
    "mac_outlook": "MacOutlookEnabled",
    "new_outlook": "OneWinNativeOutlookEnabled",
}
DOCUMENTED = ("activesync", "owa", "mapi", "ews", "pop", "imap")


def mailbox(owner: Person, *, on: bool = True, without: tuple[str, ...] = (), **wire: Any) -> dict[str, Any]:
    """Return a row of Get-CASMailbox with all switches on or off; ``wire`` sets properties by Exchange's names."""
    switches = dict.fromkeys(SWITCHES.values(), on) | {"SmtpClientAuthenticationDisabled": not on}
    row = {
        "Identity": owner["displayName"],
        "PrimarySmtpAddress": owner["mail"],
        "ExternalDirectoryObjectId": owner["id"],
        "Guid@data.type": "System.Guid",
        "Guid@odata.type": "#Guid",
        "Guid": str(uuid.uuid5(uuid.NAMESPACE_OID, owner["id"])),
        **switches,
        **wire,
    }
    return {name: value for name, value in row.items() if name not in without}
