# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of steps and doors, and which door belongs to which step. Needed on the controller too, so it imports little.

Whether a door is open is decided in `_door_states`.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ._errors import OptionError

# Microsoft's order: https://learn.microsoft.com/microsoft-365/admin/add-users/remove-former-employee-step-1
STEPS = ("password", "sessions", "signin", "protocols")

# What can be closed besides, after the doors, and in this order: https://learn.microsoft.com/entra/identity/users/users-revoke-access
ALSO = ("forwarding", "devices", "consents", "authentication_methods", "memberships")
# Those that can be restored from evidence, in that order.
RESTORABLE = ("memberships", "forwarding", "devices", "consents")

# The fact that holds Microsoft's moment of a step's last write, for the steps of which Microsoft keeps one.
MOMENTS: t.Final = {"password": "last_password_change_date_time", "sessions": "sign_in_sessions_valid_from_date_time"}

OPEN, SHUT, UNKNOWN, NOT_APPLICABLE = "open", "shut", "unknown", "not_applicable"

# Error code for a user with an Exchange plan and no mailbox yet: it may appear later.
MAILBOX_AWAITED: t.Final = "mailbox_awaited"
MAILBOX_MISSING = "Exchange Online has no mailbox for a user who has an enabled Exchange plan."
# The note of a user who has none, and should not.
NO_MAILBOX = "No Exchange Online mailbox."
# The note of a step that disables devices, in a tenant without Exchange Online. It does not prove that the user has no phone.
PHONES_UNREAD = "Phones were not looked at: the tenant has no Exchange Online."

# Our name -> the property of Get-CASMailbox and parameter of Set-CASMailbox.
# https://learn.microsoft.com/powershell/module/exchangepowershell/set-casmailbox
PROTOCOLS = {
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
# Microsoft's page names these six; the others came later.
DOCUMENTED_PROTOCOLS = ("activesync", "owa", "mapi", "ews", "pop", "imap")


@dataclasses.dataclass(frozen=True)
class Mailbox:
    """A mailbox's protocols, those that this tenant knows.

    `switches` maps a protocol to on (`True`), off (`False`) or, `None`, not set. `blocked_phones` are the ids, in
    lower case, of devices that it blocks by `ActiveSyncBlockedDeviceIDs`, `None` if the answer has no such list.
    """

    switches: t.Mapping[str, bool | None]
    blocked_phones: frozenset[str] | None = None


@dataclasses.dataclass(frozen=True)
class Protocols:
    """The mailbox protocols to read. With `all`, those that a tenant does not support are skipped."""

    names: tuple[str, ...] = tuple(PROTOCOLS)
    all: bool = True

    @classmethod
    def parse(cls, names: t.Sequence[str]) -> Protocols:
        """:raises OptionError: none, or one that is not known."""
        unknown = [name for name in names if name not in (*PROTOCOLS, "all")]
        if unknown or not names:
            what = f"unknown protocols: {', '.join(map(str, unknown))}" if unknown else "no protocol is named"
            raise OptionError(what, hint=f"Valid values are all, {', '.join(PROTOCOLS)}.")
        if "all" in names:
            return cls()
        return cls(tuple(name for name in PROTOCOLS if name in names), all=False)

    def without_inherited(self) -> Protocols:
        """What `all` means when protocols are turned on: not smtp_auth, which a tenant's own setting governs."""
        if not self.all:
            return self
        return dataclasses.replace(self, names=tuple(name for name in self.names if name != "smtp_auth"))

    def of(self, mailbox: Mailbox) -> dict[str, bool | None]:
        """The selected switches that the mailbox has."""
        return {name: mailbox.switches[name] for name in self.names if name in mailbox.switches}

    def absent_from(self, mailbox: Mailbox) -> list[str]:
        """Switches that were named and that the mailbox does not have."""
        return [] if self.all else [name for name in self.names if name not in mailbox.switches]


def protocol_of(switch: str | None) -> str | None:
    """Our name of a property of Get-CASMailbox, in any case; `None` if it is none of the twelve."""
    names = {wire.lower(): name for name, wire in PROTOCOLS.items()}
    return names.get((switch or "").lower())


def doors_of(step: str, doors: t.Mapping[str, str]) -> dict[str, str]:
    """Those of `doors` that belong to a step."""
    own = {step} if step != "protocols" else set(PROTOCOLS)
    return {name: state for name, state in doors.items() if name in own}
