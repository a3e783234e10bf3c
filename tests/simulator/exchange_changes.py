# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Set-Mailbox, as far as it forwards mail, and what is done to phones: Clear-MobileDevice and Remove-MobileDevice.

Source: Exchange docs, pages of the cmdlets. That null clears an address over the admin interface is what CIPP sends
(Set-CIPPForwarding.ps1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .cas_mailbox import NO_CHANGE, CasMailbox, Result, checked
from .directory import timestamp
from .exchange_errors import (
    ambiguous,
    bad_value,
    missing_identity,
    missing_parameter,
    not_found,
    on_premises,
    too_old_for_account_wipe,
)
from .residual import phones

if TYPE_CHECKING:
    from .directory import Directory, User
    from .residual import Facts
    from .wire import Call

_SET = {
    **dict.fromkeys(("identity", "forwardingaddress", "forwardingsmtpaddress"), "text"),
    "delivertomailboxandforward": "bool",
    "force": "switch",
}
_FORWARDING = {
    "forwardingaddress": "ForwardingAddress",
    "forwardingsmtpaddress": "ForwardingSmtpAddress",
    "delivertomailboxandforward": "DeliverToMailboxAndForward",
}
# Synced as altRecipient and deliverAndRedirect (Entra docs, attributes synchronized to Exchange Online).
_MASTERED_ON_PREMISES = ("ForwardingAddress", "DeliverToMailboxAndForward")
_CLEAR = {
    "identity": "text",
    **dict.fromkeys(("accountonly", "cancel"), "switch"),
    "notificationemailaddresses": "list",
}
_REMOVE = {"identity": "text"}


class Changes:
    """The cmdlets."""

    def __init__(self, directory: Directory, cas: CasMailbox) -> None:
        self.directory = directory
        self.cas = cas

    # Set-Mailbox ---------------------------------------------------------------------------------------------------

    def set_mailbox(self, call: Call, parameters: dict[str, Any]) -> Result:
        given = checked(parameters, _SET)
        if not given.get("identity"):
            raise missing_identity()
        owner = self.cas.one(given["identity"], "Identity")
        changes = {}
        for name, proper in _FORWARDING.items():
            if name not in given:
                continue
            if proper in self.directory.missing_parameters:
                raise missing_parameter(proper)
            changes[proper] = self._fitting(proper, given[name])
        now = {"ForwardingAddress": None, "ForwardingSmtpAddress": None, "DeliverToMailboxAndForward": False}
        now |= owner.residual.forwarding
        changes = {name: value for name, value in changes.items() if now[name] != value}
        mastered = [name for name in _MASTERED_ON_PREMISES if name in changes]
        if owner.synced and mastered:
            raise on_premises(owner.id, "Set-Mailbox", mastered)
        if not changes:
            return Result(warnings=[NO_CHANGE.format(owner.get("displayName"))])
        if not given.get("whatif"):
            owner.remember_access()
            owner.residual.forwarding.update(changes)
            call.applied = True
        return Result()

    def _fitting(self, name: str, value: Any) -> Any:
        if name == "DeliverToMailboxAndForward" or not value:
            return value or (False if name == "DeliverToMailboxAndForward" else None)
        if name == "ForwardingSmtpAddress":
            if "@" not in value:
                raise bad_value(name, "Microsoft.Exchange.Data.ProxyAddress")
            return value if value.lower().startswith("smtp:") else f"smtp:{value}"
        found = self.directory.recipients_named(value)
        if not found:
            raise not_found(value, self.directory.mailbox_not_found_status, "ex6f9304")
        if len(found) > 1:
            raise ambiguous(value)
        return found[0]["PrimarySmtpAddress"]

    # Phones --------------------------------------------------------------------------------------------------------

    def owner_of_phone(self, identity: str) -> User | None:
        found = self._phone(identity)
        return found[0] if found else None

    def _phone(self, identity: str) -> tuple[User, int] | None:
        wanted = identity.lower()
        for user in self.cas.owners() if "\\" in wanted or len(wanted) == 36 else ():
            for number, row in enumerate(phones(user, user.id)):
                if wanted in (row["Guid"], row["Identity"].lower()):
                    return user, number
        return None

    def _one(self, given: dict[str, Any]) -> tuple[User, Facts, Facts]:
        """The owner of the requested phone, its facts, and its row."""
        identity = given.get("identity")
        if not identity:
            raise missing_identity()
        found = self._phone(identity)
        if found is None:
            raise not_found(identity, self.directory.mailbox_not_found_status, "ex6f9304")
        user, number = found
        return user, user.residual.phones[number], phones(user, user.id)[number]

    def clear_phone(self, call: Call, parameters: dict[str, Any]) -> Result:
        given = checked(parameters, _CLEAR)
        user, _facts, row = self._one(given)
        account_only = bool(given.get("accountonly")) or row["DeviceType"] == "Outlook"
        # Account-only wipe came with ActiveSync 16.1 (Exchange docs, remote wipe).
        if account_only and row["ClientType"] == "EAS" and float(row["ClientVersion"]) < 16.1:
            raise too_old_for_account_wipe(row["DeviceId"])
        if not given.get("whatif"):
            user.remember_access()
            facts = self._one(given)[1]
            name = "AccountOnlyDeviceWipeRequestTime" if account_only else "DeviceWipeRequestTime"
            if given.get("cancel"):
                facts.pop(name, None)
            else:
                facts[name] = timestamp(self.directory.now())
            call.applied = True
        return Result()

    def remove_phone(self, call: Call, parameters: dict[str, Any]) -> Result:
        given = checked(parameters, _REMOVE)
        user, facts, _row = self._one(given)
        if not given.get("whatif"):
            user.remember_access()
            user.residual.phones.remove(facts)
            call.applied = True
        return Result()
