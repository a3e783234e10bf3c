# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entra directory roles, and which accounts they may act on.

Source: Entra docs, privileged-roles-permissions, tables "Who can reset passwords" and "Who can perform sensitive
actions"; template ids from Entra docs, permissions-reference.
"""

from __future__ import annotations

from collections.abc import Collection

GLOBAL = "Global Administrator"
PRIVILEGED_AUTHENTICATION = "Privileged Authentication Administrator"
USER = "User Administrator"
HELPDESK = "Helpdesk Administrator"
AUTHENTICATION = "Authentication Administrator"
PASSWORD = "Password Administrator"  # noqa: S105 (the name of a role)
EXCHANGE = "Exchange Administrator"
GLOBAL_READER = "Global Reader"
GROUPS = "Groups Administrator"
READERS = "Directory Readers"
INVITER = "Guest Inviter"
MESSAGES = "Message Center Reader"
REPORTS = "Reports Reader"
SUCCESS = "User Experience Success Manager"
USAGE = "Usage Summary Reports Reader"
SECURITY_READER = "Security Reader"

TEMPLATES = {
    GLOBAL: "62e90394-69f5-4237-9190-012177145e10",
    PRIVILEGED_AUTHENTICATION: "7be44c8a-adaf-4e2a-84d6-ab2649e08a13",
    USER: "fe930be7-5e62-47db-91af-98c3a49a38b1",
    HELPDESK: "729827e3-9c14-49f7-bb1b-9608f156bbb8",
    AUTHENTICATION: "c4e39bd9-1100-46d3-8c65-fb160da0071f",
    PASSWORD: "966707d0-3269-4727-9be2-8c3a10f19b9d",
    EXCHANGE: "29232cdf-9323-42fd-ade2-1d097af3e4de",
    GLOBAL_READER: "f2ef992c-3afb-46b9-b7cf-a126ee74c451",
    GROUPS: "fdd7a751-b60b-444a-984c-02652fe8fa1c",
    READERS: "88d8e3e3-8f55-4a1e-953a-9b9898b8876b",
    INVITER: "95e79109-95c0-4d8e-aee3-d01accf2d47b",
    MESSAGES: "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b",
    REPORTS: "4a5d8f65-41da-4de4-8968-e035b65339cf",
    SUCCESS: "27460883-1df1-4691-b032-3b79643e5e63",
    USAGE: "75934031-6c7e-415a-99d7-48dbd49e875e",
    SECURITY_READER: "5d6b6bb7-de71-4623-b4af-96380a352509",
}

_HARMLESS = {READERS, INVITER, PASSWORD}
_REPORTING = {MESSAGES, REPORTS, SUCCESS, USAGE}
_EVERYONE = frozenset({GLOBAL, PRIVILEGED_AUTHENTICATION})

# Actor role -> roles its targets may hold. Whoever is missing may act on nobody.
_RESET: dict[str, set[str]] = {
    PASSWORD: _HARMLESS,
    HELPDESK: _HARMLESS | _REPORTING | {HELPDESK},
    AUTHENTICATION: _HARMLESS | _REPORTING | {AUTHENTICATION},
    USER: _HARMLESS | _REPORTING | {HELPDESK, GROUPS, USER},
}
_SENSITIVE: dict[str, set[str]] = {
    AUTHENTICATION: _HARMLESS | _REPORTING | {AUTHENTICATION},
    USER: _HARMLESS | _REPORTING | {HELPDESK, GROUPS, USER},
}

_RECIPIENTS = frozenset(
    {
        "Get-CASMailbox",
        "Get-Mailbox",
        "Get-MailboxPermission",
        "Get-MobileDevice",
        "Get-MobileDeviceStatistics",
        "Get-Recipient",
        "Get-RecipientPermission",
    }
)
# "Inbox rules" belong to Recipient Management and Help Desk (Exchange docs, recipients-permissions), which have the roles
# Mail Recipients and User Options; nobody who only views may run Get-InboxRule (note on its page).
_RULES = frozenset({"Get-InboxRule", "Disable-InboxRule", "Enable-InboxRule"})
# Exchange's management roles and the cmdlets of ours in each: Microsoft365DSC, settings.json of the resources that use a
# cmdlet. For Get-MobileDevice nobody says; reading what a mailbox has is taken for "recipients". "Mobile devices" belong
# to Organization and Recipient Management (Exchange docs, feature-permissions).
MANAGEMENT: dict[str, frozenset[str]] = {
    "Mail Recipients": _RECIPIENTS
    | _RULES
    | {"Set-CASMailbox", "Get-AcceptedDomain", "Set-Mailbox", "Clear-MobileDevice", "Remove-MobileDevice"},
    "View-Only Recipients": _RECIPIENTS,
    "View-Only Configuration": frozenset({"Get-AcceptedDomain"}),
    "User Options": frozenset({"Get-CASMailbox", "Get-Mailbox", "Get-RecipientPermission"}) | _RULES,
    "Organization Client Access": frozenset({"Get-CASMailbox", "Set-CASMailbox"}),
    # Of a reader of security settings we only know that it gets in.
    "Security Reader": frozenset({"Get-CASMailbox"}),
}
# Which of them an Entra role brings along: Exchange docs, app-only-auth-powershell-v2 (supported Entra roles).
_MANAGEMENT_OF: dict[str, tuple[str, ...]] = {
    GLOBAL: ("Mail Recipients",),
    EXCHANGE: ("Mail Recipients",),
    "Exchange Recipient Administrator": ("Mail Recipients",),
    GLOBAL_READER: ("View-Only Recipients", "View-Only Configuration"),
    HELPDESK: ("View-Only Recipients",),
    SECURITY_READER: ("Security Reader",),
}


def cmdlets(entra: Collection[str], management: Collection[str]) -> frozenset[str]:
    """What an app with these Entra roles, and these management roles of Exchange, may run."""
    names = {name for role in entra for name in _MANAGEMENT_OF.get(role, ())} | set(management)
    return frozenset(cmdlet for name in names for cmdlet in MANAGEMENT.get(name, ()))


def _may(table: dict[str, set[str]], actor: Collection[str], target: Collection[str], special: bool) -> bool:
    if _EVERYONE.intersection(actor):
        return True
    return not special and any(role in table and table[role].issuperset(target) for role in actor)


def may_reset(actor: Collection[str], target: Collection[str], *, special: bool = False) -> bool:
    """May a holder of `actor` roles reset the password, or revoke the sessions, of a holder of `target` roles?

    `special`: the target is in a role-assignable group, which counts like the highest roles.
    """
    return _may(_RESET, actor, target, special)


def may_disable(actor: Collection[str], target: Collection[str], *, special: bool = False) -> bool:
    """May a holder of `actor` roles do "sensitive actions" (accountEnabled, delete ...) to this target?"""
    return _may(_SENSITIVE, actor, target, special)
