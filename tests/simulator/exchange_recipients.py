# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What else Exchange reports of a mailbox: forwarding, who may open it or send from it, phones; and the accepted domains.

Sources: Exchange docs, pages of the cmdlets (parameters, who is listed by default); rows as they were published from live
answers of the admin interface (`AccessRights` with several rights in one element, no `IsInherited` for SendAs).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .cas_mailbox import CasMailbox, Result, annotated, checked, owned, page
from .exchange_errors import SERVER, ambiguous, bad_value, missing_identity, not_found, unknown_parameter
from .residual import phones, sid

if TYPE_CHECKING:
    from .directory import Directory, User

Reader = Callable[[dict[str, Any], "frozenset[str] | None", int, int], Result]

SELF = "NT AUTHORITY\\SELF"
_SELF_SID = "S-1-5-10"
_FOREST = SERVER.split(".")[1]
_SID = re.compile(r"S-1-[0-9-]+")

_COUNT = {"resultsize": "size"}
_MAILBOX = {
    **_COUNT,
    **dict.fromkeys(("identity", "anr", "filter", "organizationalunit", "sortby", "mailboxplan"), "text"),
    **dict.fromkeys(
        (
            "archive",
            "groupmailbox",
            "inactivemailboxonly",
            "includeemailaddressdisplaynames",
            "includeforwardingaddresswithdisplaynames",
            "includegrantsendonbehalftowithdisplaynames",
            "includeinactivemailbox",
            "migration",
            "publicfolder",
            "softdeletedmailbox",
        ),
        "switch",
    ),
    "recipienttypedetails": "kinds",
}
_PERMISSION = {
    **_COUNT,
    **dict.fromkeys(("identity", "user"), "text"),
    **dict.fromkeys(
        (
            "groupmailbox",
            "includesoftdeleteduserpermissions",
            "includeunresolvedpermissions",
            "includeuserwithdisplayname",
            "owner",
            "softdeletedmailbox",
            "usecustomrouting",
        ),
        "switch",
    ),
}
_SEND_AS = {
    **_COUNT,
    **dict.fromkeys(("identity", "trustee"), "text"),
    "accessrights": "rights",
    "includetrusteewithprimarysmtpaddress": "switch",
}
_PHONE = {
    **_COUNT,
    **dict.fromkeys(("identity", "mailbox", "filter", "organizationalunit", "sortby"), "text"),
    **dict.fromkeys(("activesync", "owafordevices", "restapi", "universaloutlook"), "switch"),
}
_STATISTICS = {
    **dict.fromkeys(("identity", "mailbox"), "text"),
    **dict.fromkeys(("activesync", "owafordevices", "restapi", "universaloutlook", "usecustomrouting"), "switch"),
}
_DOMAIN = {**_COUNT, "identity": "text"}
_RECIPIENT = {
    **_COUNT,
    **dict.fromkeys(("identity", "anr", "filter", "organizationalunit", "sortby"), "text"),
    "recipienttype": "kinds",
    "recipienttypedetails": "kinds",
}


class Recipients:
    """The cmdlets that only read."""

    def __init__(self, directory: Directory, cas: CasMailbox) -> None:
        self.directory = directory
        self.cas = cas

    def reader(self, name: str) -> Reader:
        """The cmdlet of this name, in any case."""
        return {
            "get-mailbox": self.mailboxes,
            "get-mailboxpermission": self.full_access,
            "get-recipientpermission": self.send_as,
            "get-mobiledevice": self.phones,
            "get-mobiledevicestatistics": self.phone_statistics,
            "get-accepteddomain": self.domains,
            "get-recipient": self.recipients,
        }[name.lower()]

    # Get-Mailbox ---------------------------------------------------------------------------------------------------

    def mailboxes(self, parameters: dict[str, Any], select: frozenset[str] | None, size: int, skip: int) -> Result:
        given = checked(parameters, _MAILBOX)
        owners = self._selected(given, "identity", self.cas.owners)
        kinds = given.get("recipienttypedetails")
        if kinds is not None:
            wanted = [kinds] if isinstance(kinds, str) else kinds
            if not isinstance(wanted, list) or not all(isinstance(kind, str) for kind in wanted):
                raise bad_value(
                    "RecipientTypeDetails", "Microsoft.Exchange.Data.Directory.Recipient.RecipientTypeDetails"
                )
            lowered = {kind.lower() for kind in wanted}
            owners = [user for user in owners if _kind(user).lower() in lowered]
        return page(
            owners, given, size, skip, lambda user: annotated(owned(self._mailbox(user), self.directory), select)
        )

    def _mailbox(self, user: User) -> dict[str, Any]:
        assert user.mailbox is not None  # noqa: S101 (only owners get here)
        forwarding = user.as_seen(self._lag).residual.forwarding
        address = forwarding.get("ForwardingAddress")
        return {
            "UserPrincipalName": user.upn,
            "DisplayName": user.get("displayName"),
            "Name": user.id,
            "Alias": user.get("mailNickname"),
            "PrimarySmtpAddress": user.get("mail") or user.upn,
            "EmailAddresses": list(user.get("proxyAddresses") or ()),
            "ExternalDirectoryObjectId": user.id,
            "Guid": user.mailbox.guid,
            "ExchangeGuid": str(uuid.uuid5(uuid.UUID(user.id), "exchange")),
            "DistinguishedName": self.cas.distinguished_name(user),
            "RecipientType": "UserMailbox",
            "RecipientTypeDetails": _kind(user),
            "ForwardingAddress": None if address is None else self._name(address),
            "ForwardingSmtpAddress": forwarding.get("ForwardingSmtpAddress"),
            "DeliverToMailboxAndForward": forwarding.get("DeliverToMailboxAndForward", False),
            "GrantSendOnBehalfTo": [self._name(name) for name in user.residual.send_on_behalf],
            "HiddenFromAddressListsEnabled": False,
            "AccountDisabled": user.get("accountEnabled") is False,
            "IsMailboxEnabled": True,
            "IsDirSynced": user.synced,
            "IsShared": _kind(user) == "SharedMailbox",
            "IsInactiveMailbox": False,
            "LitigationHoldEnabled": False,
            "WhenMailboxCreated": "2024-01-15T08:00:00.0000000+00:00",
            "Identity": user.id,
        }

    @property
    def _lag(self) -> float:
        own = self.directory.exchange_replica_lag
        return self.directory.replica_lag if own is None else own

    # Get-Recipient -------------------------------------------------------------------------------------------------

    def recipients(self, parameters: dict[str, Any], select: frozenset[str] | None, size: int, skip: int) -> Result:
        given = checked(parameters, _RECIPIENT)
        rows = self.directory.recipients()
        if given.get("identity"):
            rows = self.directory.recipients_named(given["identity"])
            if not rows:
                raise not_found(given["identity"], self.directory.mailbox_not_found_status, "ex6f9304")
            if len(rows) > 1:
                raise ambiguous(given["identity"])
        # The former distinguished name is not a property of this cmdlet's rows.
        rows = [{name: value for name, value in row.items() if name != "LegacyExchangeDN"} for row in rows]
        return page(rows, given, size, skip, lambda row: annotated(row, select))

    def _name(self, text: str) -> str:
        """What Exchange calls another recipient."""
        try:
            user = self.directory.user(text)
        except LookupError:
            found = self.directory.recipients_named(text)
            return str(found[0]["Name"]) if len(found) == 1 else text
        return user.id if self.directory.recipient_names == "id" else str(user.get("displayName"))

    # Get-MailboxPermission -----------------------------------------------------------------------------------------

    def full_access(self, parameters: dict[str, Any], select: frozenset[str] | None, size: int, skip: int) -> Result:
        given = checked(parameters, _PERMISSION)
        if "identity" not in given:
            raise missing_identity()
        owners = self._selected(given, "identity", self.cas.owners)
        rows = [row for user in owners for row in self._rights(user)]
        rows = _only(rows, "User", given.get("user"))
        return page(rows, given, size, skip, lambda row: annotated(row, select))

    def _rights(self, user: User) -> list[dict[str, Any]]:
        """By default a mailbox opens for its owner; administrators inherit that it does not for them (page of the cmdlet)."""
        rows = [self._right(user, SELF, "FullAccess, ReadPermission", _SELF_SID)]
        for facts in user.residual.full_access:
            name, known = self._principal(str(facts.get("user", SELF)))
            rows.append(
                self._right(
                    user,
                    name,
                    str(facts.get("rights", "FullAccess")),
                    known,
                    deny=bool(facts.get("deny")),
                    inherited=bool(facts.get("inherited")),
                )
            )
        admins = f"{_FOREST}\\Domain Admins"
        rows.append(self._right(user, admins, "FullAccess", sid(admins), deny=True, inherited=True))
        return rows

    def _right(
        self, user: User, name: str, rights: str, known: str, *, deny: bool = False, inherited: bool = False
    ) -> dict[str, Any]:
        return {
            "Identity": user.id,
            "User": name,
            "AccessRights": [rights],
            "IsInherited": inherited,
            "Deny": deny,
            "InheritanceType": "All",
            "UserSid": known,
            "PrimarySmtpAddress": "",
            "IsValid": True,
            "ObjectState": "Unchanged",
        }

    # Get-RecipientPermission ---------------------------------------------------------------------------------------

    def send_as(self, parameters: dict[str, Any], select: frozenset[str] | None, size: int, skip: int) -> Result:
        given = checked(parameters, _SEND_AS)
        rights = given.get("accessrights")
        if rights not in (None, "SendAs", ["SendAs"]):
            raise bad_value("AccessRights", "Microsoft.Exchange.Management.RecipientTasks.RecipientAccessRight")
        rows = [row for user in self._selected(given, "identity", self._recipients) for row in self._senders(user)]
        rows = _only(rows, "Trustee", given.get("trustee"))
        return page(rows, given, size, skip, lambda row: annotated(row, select))

    def _recipients(self) -> list[User]:
        """Mailboxes, and mail users: whose mailbox is elsewhere."""
        return [
            user
            for user in self.directory.everyone()
            if user.get("mail") and (not user.mailbox or user.reachable_mailbox)
        ]

    def _senders(self, user: User) -> list[dict[str, Any]]:
        rows = [(SELF, _SELF_SID, False)]
        rows += [
            (*self._principal(str(facts.get("trustee", SELF))), bool(facts.get("deny")))
            for facts in user.residual.send_as
        ]
        return [
            {
                "Identity": user.id,
                "Trustee": name,
                "AccessControlType": "Deny" if deny else "Allow",
                "AccessRights": ["SendAs"],
                "TrusteeSidString": known,
                "TrusteeWithPrimarySmtpAddress": "",
                "IsValid": True,
                "ObjectState": "Unchanged",
            }
            for name, known, deny in rows
        ]

    def _principal(self, text: str) -> tuple[str, str]:
        """Name and SID of a user or a group; of somebody gone the SID is all that is left."""
        if _SID.fullmatch(text):
            return text, text
        try:
            return (user := self.directory.user(text)).upn, sid(user.id)
        except LookupError:
            pass
        try:
            return (group := self.directory.group(text)).display_name, sid(group.id)
        except LookupError:
            return text, sid(text)

    # Get-MobileDevice ----------------------------------------------------------------------------------------------

    def phones(self, parameters: dict[str, Any], select: frozenset[str] | None, size: int, skip: int) -> Result:
        """By mailbox, or by the identity of a device; never both."""
        given = checked(parameters, _PHONE)
        if given.get("mailbox") is not None and given.get("identity") is not None:
            raise unknown_parameter("Identity")
        owners = self._selected(given, "mailbox", self.cas.owners)
        rows = [row for user in owners for row in self._phones(user)]
        if given.get("identity"):
            wanted = given["identity"].lower()
            rows = [row for row in rows if wanted in (row["Guid"], row["DeviceId"].lower(), row["Identity"].lower())]
            if not rows:
                raise not_found(given["identity"], self.directory.mailbox_not_found_status, "ex6f9304")
        for switch, kinds in (("activesync", ("EAS",)), ("owafordevices", ("MOWA",)), ("restapi", ("Outlook", "REST"))):
            if given.get(switch):
                rows = [row for row in rows if row["ClientType"] in kinds]
        return page(rows, given, size, skip, lambda row: annotated(row, select))

    def _phones(self, user: User) -> list[dict[str, Any]]:
        """A phone's access state follows the mailbox's own list when the phone is in touch again, not before."""
        rows = phones(user.as_seen(self._lag), user.id)
        blocked = {item.lower() for item in user.mailbox["ActiveSyncBlockedDeviceIDs"]} if user.mailbox else set()
        for row in rows if self.directory.phones_connected else ():
            if row["DeviceId"].lower() in blocked:
                row |= {"DeviceAccessState": "Blocked", "DeviceAccessStateReason": "Individual"}
        return rows

    def phone_statistics(
        self, parameters: dict[str, Any], select: frozenset[str] | None, size: int, skip: int
    ) -> Result:
        """One mailbox or one device must be named (page of the cmdlet)."""
        given = checked(parameters, _STATISTICS)
        if not given.get("mailbox"):
            raise missing_identity()
        owner = self.cas.one(given["mailbox"], "Mailbox")
        rows = []
        for row, facts in zip(self._phones(owner), owner.as_seen(self._lag).residual.phones, strict=True):
            requested = facts.get("AccountOnlyDeviceWipeRequestTime")
            rows.append(
                {
                    **{
                        name: row[name]
                        for name in (
                            "Identity",
                            "Guid",
                            "DeviceId",
                            "DeviceType",
                            "DeviceModel",
                            "DeviceOS",
                            "ClientType",
                        )
                    },
                    "DeviceFriendlyName": row["FriendlyName"],
                    "DeviceAccessState": row["DeviceAccessState"],
                    "DeviceAccessStateReason": row["DeviceAccessStateReason"],
                    "Status": "AccountOnlyDeviceWipePending" if requested else "DeviceOk",
                    "IsRemoteWipeSupported": True,
                    "AccountOnlyDeviceWipeRequestTime": requested,
                    "AccountOnlyDeviceWipeSentTime": None,
                    "AccountOnlyDeviceWipeAckTime": None,
                    "DeviceWipeRequestTime": facts.get("DeviceWipeRequestTime"),
                    "DeviceWipeSentTime": None,
                    "DeviceWipeAckTime": None,
                    "LastSuccessSync": "2024-02-01T08:00:00.0000000Z",
                }
            )
        return page(rows, given, size, skip, lambda row: annotated(row, select))

    # Get-AcceptedDomain --------------------------------------------------------------------------------------------

    def domains(self, parameters: dict[str, Any], select: frozenset[str] | None, size: int, skip: int) -> Result:
        given = checked(parameters, _DOMAIN)
        rows = [
            {
                "DomainName": name,
                "Name": name,
                "DomainType": kind,
                "Default": name == self.directory.domain,
                "InitialDomain": name == self.directory.initial_domain,
                "Identity": name,
                "Guid": str(uuid.uuid5(uuid.UUID(self.directory.tenant_id), name)),
            }
            for name, kind in self.directory.accepted_domains.items()
        ]
        if given.get("identity"):
            rows = [row for row in rows if str(row["Name"]).lower() == given["identity"].lower()]
            if not rows:
                raise not_found(given["identity"], self.directory.mailbox_not_found_status, "ex6f9304")
        return page(rows, given, size, skip, lambda row: annotated(row, select))

    # Finding -------------------------------------------------------------------------------------------------------

    def _selected(self, given: dict[str, Any], name: str, everybody: Callable[[], list[User]]) -> list[User]:
        """The one that is named; everybody where the name is null or empty (caution on the pages of the cmdlets)."""
        identity = given.get(name)
        if identity is None or identity == "":
            return everybody()
        if everybody == self._recipients and not self.cas.matches(identity):
            low = identity.strip().lower()
            found = [
                user for user in self._recipients() if low in (user.id, user.upn.lower(), str(user.get("mail")).lower())
            ]
            if found:
                return found
        return [self.cas.one(identity, "Mailbox" if name == "mailbox" else "Identity")]


def _kind(user: User) -> str:
    """Unless it was set, here an account that is disabled and has no licence is a shared mailbox."""
    return (user.mailbox and user.mailbox.kind) or (
        "SharedMailbox" if not user.get("assignedLicenses") and user.get("accountEnabled") is False else "UserMailbox"
    )


def _only(rows: list[dict[str, Any]], name: str, wanted: str | None) -> list[dict[str, Any]]:
    return [row for row in rows if row[name].lower() == wanted.lower()] if wanted else rows
