# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mailbox, as far as Get-CASMailbox and Set-CASMailbox know it.

Source: Exchange docs, Set-CASMailbox (parameters marked Exchange Online, their types and defaults).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from typing import Any

# Switches of a new mailbox; null of SmtpClientAuthenticationDisabled means "as the organization says".
SWITCHES: dict[str, bool | None] = {
    "ActiveSyncEnabled": True,
    "OWAEnabled": True,
    "OWAforDevicesEnabled": True,
    "UniversalOutlookEnabled": True,
    "OutlookMobileEnabled": True,
    "MacOutlookEnabled": True,
    "OneWinNativeOutlookEnabled": True,
    "ECPEnabled": True,
    "PopEnabled": True,
    "ImapEnabled": True,
    "MAPIEnabled": True,
    "EwsEnabled": True,
    "SmtpClientAuthenticationDisabled": None,
}
NEW_SWITCHES = ("UniversalOutlookEnabled", "OutlookMobileEnabled", "MacOutlookEnabled", "OneWinNativeOutlookEnabled")

# Further settings, with the values they have in an untouched mailbox.
OTHER: dict[str, Any] = {
    "ActiveSyncAllowedDeviceIDs": [],
    "ActiveSyncBlockedDeviceIDs": [],
    "ActiveSyncDebugLogging": False,
    "ActiveSyncMailboxPolicy": "Default",
    "ActiveSyncMailboxPolicyIsDefaulted": True,
    "ActiveSyncSuppressReadReceipt": False,
    "EwsAllowEntourage": None,
    "EwsAllowList": None,
    "EwsAllowMacOutlook": None,
    "EwsAllowOutlook": None,
    "EwsApplicationAccessPolicy": None,
    "EwsBlockList": None,
    "HasActiveSyncDevicePartnership": False,
    "ImapForceICalForCalendarRetrievalOption": False,
    "ImapMessagesRetrievalMimeFormat": "BestBodyFormat",
    "ImapSuppressReadReceipt": False,
    "ImapUseProtocolDefaults": True,
    "IsOptimizedForAccessibility": False,
    "MapiHttpEnabled": None,
    "OwaMailboxPolicy": "OwaMailboxPolicy-Default",
    "PopForceICalForCalendarRetrievalOption": False,
    "PopMessagesRetrievalMimeFormat": "BestBodyFormat",
    "PopSuppressReadReceipt": False,
    "PopUseProtocolDefaults": True,
    "PublicFolderClientAccess": False,
    "ShowGalAsDefaultView": True,
}


class Mailbox:
    """The settings of one mailbox: `mailbox["OWAEnabled"] = False`. Absent switches are simply not there."""

    __slots__ = ("changed", "guid", "history", "kind", "settings")

    def __init__(self, owner: str, *, absent: Iterable[str] = (), **settings: Any) -> None:
        self.guid = str(uuid.uuid5(uuid.UUID(owner), "mailbox"))
        self.settings: dict[str, Any] = {**SWITCHES, **settings}
        for name in absent:
            del self.settings[name]
        self.history: list[tuple[float, dict[str, Any]]] = []
        self.changed: str | None = None
        # `RecipientTypeDetails` where it was set; otherwise it follows from the account.
        self.kind: str | None = None

    def __getitem__(self, name: str) -> Any:
        return self.settings[name] if name in self.settings else OTHER[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __contains__(self, name: object) -> bool:
        return name in self.settings or name in OTHER

    def update(self, changes: dict[str, Any]) -> None:
        self.history.append((time.monotonic(), dict(self.settings)))
        self.settings.update(changes)

    def as_of(self, lag: float) -> dict[str, Any]:
        """The settings a replica shows that is `lag` seconds behind."""
        return as_of(self.history, self.settings, lag)


def as_of(history: list[tuple[float, dict[str, Any]]], now: dict[str, Any], lag: float) -> dict[str, Any]:
    """What was there `lag` seconds ago: every entry of the history holds what was there until its moment."""
    if lag > 0 and history:
        then = time.monotonic() - lag
        for moment, state in history:
            if moment > then:
                return state
    return now
