# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Get-CASMailbox and Set-CASMailbox (Exchange docs, pages of these cmdlets)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from .directory import timestamp
from .exchange_errors import (
    SERVER,
    ambiguous,
    bad_value,
    missing_identity,
    missing_parameter,
    not_found,
    null_value,
    unknown_parameter,
)
from .mailbox import OTHER, SWITCHES
from .wire import Call

if TYPE_CHECKING:
    from .directory import Directory, User

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_GET_PARAMETERS = {
    "identity": "text",
    "anr": "text",
    "activesyncdebuglogging": "switch",
    "activesyncsuppressreadreceipt": "switch",
    "filter": "text",
    "getimapprotocollog": "switch",
    "getpopprotocollog": "switch",
    "organizationalunit": "text",
    "protocolsettings": "switch",
    "readisoptimizedforaccessibility": "switch",
    "recalculatehasactivesyncdevicepartnership": "switch",
    "resultsize": "size",
    "sendlogsto": "text",
    "sortby": "text",
}

# Parameters of Set-CASMailbox marked Exchange Online, and what they take ("null" allows null).
_SET_PARAMETERS: dict[str, str] = {
    **dict.fromkeys(SWITCHES, "bool"),
    "SmtpClientAuthenticationDisabled": "bool null",
    "ActiveSyncAllowedDeviceIDs": "list",
    "ActiveSyncBlockedDeviceIDs": "list",
    "ActiveSyncDebugLogging": "bool",
    "ActiveSyncMailboxPolicy": "text null",
    "ActiveSyncSuppressReadReceipt": "bool",
    "EwsAllowEntourage": "bool null",
    "EwsAllowList": "list",
    "EwsAllowMacOutlook": "bool null",
    "EwsAllowOutlook": "bool null",
    "EwsApplicationAccessPolicy": "policy",
    "EwsBlockList": "list",
    "EwsEnabled": "bool null",
    "ImapForceICalForCalendarRetrievalOption": "bool",
    "ImapMessagesRetrievalMimeFormat": "text",
    "ImapSuppressReadReceipt": "bool",
    "ImapUseProtocolDefaults": "bool",
    "IsOptimizedForAccessibility": "bool",
    "OwaMailboxPolicy": "text null",
    "PopForceICalForCalendarRetrievalOption": "bool",
    "PopMessagesRetrievalMimeFormat": "text",
    "PopSuppressReadReceipt": "bool",
    "PopUseProtocolDefaults": "bool",
    "PublicFolderClientAccess": "bool",
    "ShowGalAsDefaultView": "bool",
}
_SET_BY_LOWER = {name.lower(): name for name in _SET_PARAMETERS}
_TYPES = {
    "bool": "System.Nullable`1[System.Boolean]",
    "list": "Microsoft.Exchange.Data.MultiValuedProperty`1[System.String]",
}
_COMMON = {
    "confirm": "bool",
    "whatif": "switch",
    "verbose": "switch",
    "debug": "switch",
    "erroraction": "text",
    "warningaction": "text",
}

Item = TypeVar("Item")

NO_CHANGE = "The command completed successfully but no settings of '{}' have been modified."
MORE = (
    "By default, only the first 1000 items are returned. Use the ResultSize parameter to specify the number of items returned. "
    'To return all items, specify "-ResultSize Unlimited".'
)


@dataclass(slots=True)
class Result:
    """What a cmdlet gives back."""

    value: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    next_skip: int | None = None


class CasMailbox:
    """The two cmdlets."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory

    # Finding -----------------------------------------------------------------------------------------------------

    def matches(self, identity: str) -> list[User]:
        """Owners of the requested mailboxes: object ID, mailbox GUID, UPN, address, alias, name or distinguished name."""
        text = identity.strip()
        owner = self.directory.users.get(text.lower())
        if owner is not None:
            return [owner] if owner.reachable_mailbox else []
        if _GUID.fullmatch(text):
            return [user for user in self.owners() if user.mailbox and user.mailbox.guid == text.lower()]
        found = [user for user in self.directory.named(text.removeprefix("smtp:")) if user.reachable_mailbox]
        if found or "@" in text:
            return found
        wanted = text.lower()
        return [
            user
            for user in self.owners()
            if wanted in (str(user.get("displayName")).lower(), self.distinguished_name(user).lower())
        ]

    def owners(self) -> list[User]:
        """Everybody with a mailbox."""
        return [user for user in self.directory.everyone() if user.reachable_mailbox]

    def one(self, identity: Any, name: str) -> User:
        if not isinstance(identity, str):
            raise bad_value(name, "Microsoft.Exchange.Configuration.Tasks.MailboxIdParameter")
        found = self.matches(identity)
        if not found:
            directory = self.directory
            named = directory.mailbox_not_found_names or identity
            raise not_found(named, directory.mailbox_not_found_status, directory.mailbox_not_found_text)
        if len(found) > 1:
            raise ambiguous(identity)
        return found[0]

    # Get-CASMailbox ------------------------------------------------------------------------------------------------

    def get(self, parameters: dict[str, Any], select: frozenset[str] | None, page_size: int, skip: int) -> Result:
        given = checked(parameters, _GET_PARAMETERS)
        identity = given.get("identity")
        if identity is not None and identity != "":
            return Result([self._shown(self.one(identity, "Identity"), select)])
        # Exchange docs, Get-EXOCasMailbox: a missing, null or empty identity is every mailbox there is.
        return page(self.owners(), given, page_size, skip, lambda user: self._shown(user, select))

    def distinguished_name(self, user: User) -> str:
        initial = self.directory.initial_domain
        return (
            f"CN={user.get('displayName')},OU={initial},OU=Microsoft Exchange Hosted Organizations,"
            "DC=EURPR01A002,DC=PROD,DC=OUTLOOK,DC=COM"
        )

    def _shown(self, user: User, select: frozenset[str] | None) -> dict[str, Any]:
        """All properties with the annotations of the wire."""
        assert user.mailbox is not None  # noqa: S101 (only owners get here)
        directory = self.directory
        lag = directory.replica_lag if directory.exchange_replica_lag is None else directory.exchange_replica_lag
        settings = user.mailbox.as_of(lag)
        addresses = list(user.get("proxyAddresses") or ())
        values: dict[str, Any] = {
            "EmailAddresses": addresses,
            "LegacyExchangeDN": f"/o=ExchangeLabs/ou=Exchange/cn=Recipients/cn={user.id.replace('-', '')}",
            "LinkedMasterAccount": "",
            "PrimarySmtpAddress": user.get("mail") or user.upn,
            "SamAccountName": user.id[:20],
            "ServerLegacyDN": "/o=ExchangeLabs/ou=Exchange/cn=Configuration/cn=Servers/cn=AM0PR01MB0001",
            "ServerName": "am0pr01mb0001",
            "DisplayName": user.get("displayName"),
            **OTHER,
            **settings,
            "ExternalImapSettings": None,
            "InternalImapSettings": None,
            "ExternalPopSettings": None,
            "InternalPopSettings": None,
            "Name": user.id,
            "DistinguishedName": self.distinguished_name(user),
            "Identity": user.id,
            "ExternalDirectoryObjectId": user.id,
            "Guid": user.mailbox.guid,
            "OrganizationId": f"{SERVER.partition('.')[2]}/{directory.initial_domain}",
            "WhenChangedUTC": user.mailbox.changed or "2024-01-15T08:00:00Z",
            "WhenCreatedUTC": "2024-01-15T08:00:00Z",
            "ObjectState": "Unchanged",
            "IsValid": True,
        }
        return annotated(owned(values, directory), select)

    # Set-CASMailbox ------------------------------------------------------------------------------------------------

    def set(self, call: Call, parameters: dict[str, Any]) -> Result:
        identity: Any = None
        changes: dict[str, Any] = {}
        dry = False
        for name, value in parameters.items():
            low = name.lower()
            if low == "identity":
                identity = value
            elif low in _COMMON:
                if _COMMON[low] in ("bool", "switch") and not isinstance(value, bool):
                    raise bad_value(name, "System.Management.Automation.SwitchParameter")
                dry = dry or (low == "whatif" and value is True)
            elif low in _SET_BY_LOWER:
                proper = _SET_BY_LOWER[low]
                if low in {missing.lower() for missing in self.directory.missing_parameters}:
                    raise missing_parameter(name)
                if value is None and self.directory.null_parameters == "refused":
                    raise null_value(proper, _TYPES.get(_SET_PARAMETERS[proper].split()[0], "System.String"))
                changes[proper] = _fitting(proper, value)
            else:
                raise unknown_parameter(name)
        if identity is None or identity == "":
            raise missing_identity()
        owner = self.one(identity, "Identity")
        mailbox = owner.mailbox
        assert mailbox is not None  # noqa: S101 (only owners are found)
        changes = {
            name: _added(mailbox[name], value) if isinstance(value, dict) else value for name, value in changes.items()
        }
        for name in changes:
            # Newer switches do not exist everywhere; ECPEnabled is said to be for on-premises servers only.
            if name not in mailbox or (name == "ECPEnabled" and not self.directory.ecp_settable):
                raise missing_parameter(name)
        changes = {name: value for name, value in changes.items() if mailbox[name] != value}
        if not changes:
            return Result(warnings=[NO_CHANGE.format(owner.get("displayName"))])
        if not dry:
            mailbox.update(changes)
            mailbox.changed = timestamp(self.directory.now())
            call.applied = True
        return Result()


def checked(parameters: dict[str, Any], known: dict[str, str]) -> dict[str, Any]:
    """The parameters by lower-case name, if the cmdlet has them all and each value is of its type."""
    given = {name.lower(): value for name, value in parameters.items()}
    for name, value in given.items():
        kind = known.get(name) or _COMMON.get(name)
        if kind is None:
            raise unknown_parameter(name)
        if kind in ("switch", "bool") and not isinstance(value, bool):
            raise bad_value(name, "System.Management.Automation.SwitchParameter")
        if kind == "text" and value is not None and not isinstance(value, str):
            raise bad_value(name, "System.String")
    return given


def page(
    items: Sequence[Item], given: dict[str, Any], page_size: int, skip: int, show: Callable[[Item], dict[str, Any]]
) -> Result:
    """One page of what a cmdlet finds; 1000 things at most where no ResultSize is given."""
    limit, warnings = _size(given.get("resultsize"), len(items))
    items = items[:limit]
    result = Result([show(item) for item in items[skip : skip + page_size]], warnings)
    if skip + page_size < len(items):
        result.next_skip = skip + page_size
    return result


def _size(wanted: Any, there: int) -> tuple[int, list[str]]:
    if wanted is None:
        return 1000, [MORE] if there > 1000 else []
    if isinstance(wanted, str) and wanted.lower() == "unlimited":
        return there, []
    if isinstance(wanted, str) and wanted.isascii() and wanted.isdigit() and len(wanted) < 9:
        wanted = int(wanted)
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 0:
        raise bad_value("ResultSize", "Microsoft.Exchange.Data.Unlimited")
    return wanted, []


def owned(values: dict[str, Any], directory: Directory) -> dict[str, Any]:
    """The row, without whose it is where the tenant does not tell."""
    hidden = () if directory.mailbox_tells_owner else ("ExternalDirectoryObjectId",)
    return {name: value for name, value in values.items() if name not in hidden}


def annotated(values: dict[str, Any], select: frozenset[str] | None) -> dict[str, Any]:
    """The row as it travels: what was selected, each property with the annotations of its type."""
    if select is not None:
        values = {name: value for name, value in values.items() if name.lower() in select}
    shown: dict[str, Any] = {}
    for name, value in values.items():
        if name == "Guid":
            shown |= {"Guid@data.type": "System.Guid", "Guid@odata.type": "#Guid"}
        elif isinstance(value, bool):
            shown[f"{name}@data.type"] = "System.Boolean"
        elif isinstance(value, list):
            shown[f"{name}@odata.type"] = "#Collection(String)"
        elif name.startswith("When"):
            shown |= {f"{name}@data.type": "System.DateTime", f"{name}@odata.type": "#DateTimeOffset"}
        shown[name] = value
    return shown


def _fitting(name: str, value: Any) -> Any:
    kind = _SET_PARAMETERS[name]
    if value is None:
        if "null" in kind or kind in ("policy", "list"):
            return [] if kind == "list" and isinstance(OTHER[name], list) else None
        raise bad_value(name, "System.Boolean" if kind == "bool" else "System.String")
    if kind.startswith("bool"):
        if not isinstance(value, bool):
            raise bad_value(name, "System.Boolean")
        return value
    if kind == "list" and isinstance(value, dict):
        # How CIPP sends @{Add=...; Remove=...}.
        given = {key.lower(): item for key, item in value.items()}
        if (
            given.pop("@odata.type", None) != "#Exchange.GenericHashTable"
            or not given
            or set(given) - {"add", "remove"}
        ):
            raise bad_value(name, "Microsoft.Exchange.Data.MultiValuedProperty`1[System.String]")
        return {key: _fitting(name, item) for key, item in given.items()}
    if kind == "list":
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise bad_value(name, "Microsoft.Exchange.Data.MultiValuedProperty`1[System.String]")
        return items
    if not isinstance(value, str) or (kind == "policy" and value not in ("EnforceAllowList", "EnforceBlockList")):
        raise bad_value(name, "System.String")
    return value


def _added(now: Any, change: dict[str, list[str]]) -> list[str]:
    """A list with some values added and others removed."""
    gone = {item.lower() for item in change.get("remove", [])}
    kept = [item for item in now or () if item.lower() not in gone]
    there = {item.lower() for item in kept}
    return kept + [item for item in change.get("add", []) if item.lower() not in there]
