# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What outlives a blocked account: the facts of one person, and the shape each has on the wire.

Tests give as little of a fact as they care about (`{"displayName": "Laptop"}`); the rest is completed when it is shown.
"""

from __future__ import annotations

import copy
import uuid
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from .apps import NAMESPACE

if TYPE_CHECKING:
    from .directory import Directory, User

Facts = dict[str, Any]

PASSWORD_METHOD = "28c10230-6103-485e-b985-444c60001490"  # noqa: S105 (the same id in every tenant)
_SINCE = "2024-01-15T08:00:00Z"
# Fields that are lists of names; the others are lists of facts.
_NAMES = ("owned_groups", "owned_service_principals", "send_on_behalf")


@dataclass(slots=True)
class Residual:
    """The facts. People are named by key, id or UPN; whatever names nobody is shown as it is."""

    applications: list[Facts] = field(default_factory=list)
    # Owned besides applications: keys of groups, keys of service principals.
    owned_groups: list[str] = field(default_factory=list)
    owned_service_principals: list[str] = field(default_factory=list)
    # `client` and `resource` are keys of service principals, or ids.
    grants: list[Facts] = field(default_factory=list)
    # Assignments to applications: `resource` is a key of a service principal or an id; of a group, `principalId` too.
    app_roles: list[Facts] = field(default_factory=list)
    devices: list[Facts] = field(default_factory=list)
    rules: list[Facts] = field(default_factory=list)
    # Besides the password, which everybody has. One may be the `default`, which Graph does not tell.
    methods: list[Facts] = field(default_factory=list)
    phones: list[Facts] = field(default_factory=list)
    # ForwardingSmtpAddress, ForwardingAddress, DeliverToMailboxAndForward of Get-Mailbox.
    forwarding: Facts = field(default_factory=dict)
    # Accounts that may open the mailbox: `user`, and where it is not the usual: `rights`, `deny`, `inherited`.
    full_access: list[Facts] = field(default_factory=list)
    # Accounts that may send as its owner: `trustee`, and perhaps `deny`.
    send_as: list[Facts] = field(default_factory=list)
    send_on_behalf: list[str] = field(default_factory=list)

    def change(self, values: dict[str, Any]) -> None:
        """Replace whole fields by name."""
        known = [f.name for f in fields(self)]
        for name, value in values.items():
            if name not in known or not isinstance(value, type(getattr(self, name))):
                raise LookupError(f"residual access has no {name} of this type; it has {', '.join(known)}")
            kind = str if name in _NAMES else dict
            if not all(isinstance(item, kind) for item in (value if isinstance(value, list) else ())):
                raise LookupError(f"each of {name} is a {kind.__name__}")
            setattr(self, name, copy.deepcopy(value))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _id(user: User, kind: str, number: int) -> str:
    return str(uuid.uuid5(NAMESPACE, f"{kind} {number} of {user.id}"))


def new_id(user: User, kind: str, number: int) -> str:
    """The id of an object that is made while the tenant runs."""
    return _id(user, f"new {kind}", number).replace("-", "" if kind == "grants" else "-")


def sid(text: str) -> str:
    """A security identifier that follows from a text."""
    number = uuid.uuid5(NAMESPACE, f"sid {text}").int
    return (
        f"S-1-5-21-{number % 10**10}-{number // 10**10 % 10**10}-{number // 10**20 % 10**10}-{number // 10**30 % 10**7}"
    )


# Graph -------------------------------------------------------------------------------------------------------------------


def applications(user: User) -> list[Facts]:
    """Graph docs, application, passwordCredential and keyCredential: secrets themselves are never shown."""
    shown = []
    for number, facts in enumerate(user.residual.applications):
        identifier = _id(user, "application", number)
        values: Facts = {
            "id": identifier,
            "deletedDateTime": None,
            "appId": _id(user, "client", number),
            "createdDateTime": _SINCE,
            "description": None,
            "displayName": f"Application {number}",
            "identifierUris": [],
            "publisherDomain": user.upn.rpartition("@")[2],
            "signInAudience": "AzureADMyOrg",
            "tags": [],
            **facts,
        }
        values["passwordCredentials"] = [
            {
                "customKeyIdentifier": None,
                "displayName": "secret",
                "endDateTime": "2099-01-01T00:00:00Z",
                "hint": "aB8",
                "keyId": str(uuid.uuid5(NAMESPACE, f"{identifier} secret {place}")),
                "secretText": None,
                "startDateTime": _SINCE,
                **given,
            }
            for place, given in enumerate(facts.get("passwordCredentials") or ())
        ]
        values["keyCredentials"] = [
            {
                "customKeyIdentifier": "52ED9B5038A47B9E2E2190715CC238359D4F8F73",
                "displayName": "CN=certificate",
                "endDateTime": "2099-01-01T00:00:00Z",
                "key": None,
                "keyId": str(uuid.uuid5(NAMESPACE, f"{identifier} certificate {place}")),
                "startDateTime": _SINCE,
                "type": "AsymmetricX509Cert",
                "usage": "Verify",
                **given,
            }
            for place, given in enumerate(facts.get("keyCredentials") or ())
        ]
        shown.append(values)
    return shown


def grants(directory: Directory, user: User) -> list[Facts]:
    """Graph docs, oAuth2PermissionGrant: `clientId` and `resourceId` are ids of service principals, not of applications."""
    shown = []
    for number, facts in enumerate(user.residual.grants):
        given = {name: value for name, value in facts.items() if name not in ("client", "resource")}
        shown.append(
            {
                "clientId": directory.service_principal_id(facts.get("client", "survey-tool")),
                "consentType": "Principal",
                "id": _id(user, "grant", number).replace("-", ""),
                "principalId": user.id,
                "resourceId": directory.service_principal_id(facts.get("resource", "graph")),
                "scope": "User.Read",
                **given,
            }
        )
    return shown


def app_roles(directory: Directory, user: User) -> list[Facts]:
    """Graph docs, appRoleAssignment: those of the user's groups are listed as well, with the group as principal."""
    shown = []
    for number, facts in enumerate(user.residual.app_roles):
        resource = directory.service_principal_id(facts.get("resource", "survey-tool"))
        known = directory.service_principal(resource)
        given = {name: value for name, value in facts.items() if name != "resource"}
        shown.append(
            {
                "id": _id(user, "assignment", number).replace("-", ""),
                "deletedDateTime": None,
                "appRoleId": "00000000-0000-0000-0000-000000000000",
                "createdDateTime": _SINCE,
                "principalDisplayName": user.get("displayName"),
                "principalId": user.id,
                "principalType": "User" if "principalId" not in facts else "Group",
                "resourceDisplayName": known["displayName"] if known else None,
                "resourceId": resource,
                **given,
            }
        )
    return shown


def device(identifier: str, device_id: str, **facts: Any) -> Facts:
    """Graph docs, device."""
    return {
        "id": identifier,
        "deletedDateTime": None,
        "accountEnabled": True,
        "alternativeSecurityIds": [],
        "approximateLastSignInDateTime": _SINCE,
        "deviceId": device_id,
        "displayName": "DESKTOP",
        "isCompliant": None,
        "isManaged": None,
        "manufacturer": None,
        "model": None,
        "onPremisesSyncEnabled": None,
        "operatingSystem": "Windows",
        "operatingSystemVersion": "10.0.26100.1",
        "physicalIds": [],
        "profileType": "RegisteredDevice",
        "registrationDateTime": _SINCE,
        "trustType": "Workplace",
        **facts,
    }


def devices(user: User) -> list[Facts]:
    return [
        device(_id(user, "device", number), _id(user, "registered device", number), **facts)
        for number, facts in enumerate(user.residual.devices)
    ]


def recipient(address: str, name: str | None = None) -> Facts:
    return {"emailAddress": {"name": name or address, "address": address}}


def rules(user: User) -> list[Facts]:
    """Graph docs, messageRule: conditions and actions that were not set are not there. Hidden rules are not listed."""
    return [
        {
            "id": f"AQAA{user.id[:6]}{number:04d}=",
            "displayName": f"Rule {number + 1}",
            "sequence": number + 1,
            "isEnabled": True,
            "hasError": False,
            "isReadOnly": False,
            "conditions": {},
            "actions": {"stopProcessingRules": True},
            **{name: value for name, value in facts.items() if name not in ("hidden", "supported")},
        }
        for number, facts in enumerate(user.residual.rules)
        if not facts.get("hidden")
    ]


# Graph docs, pages of the methods: what each kind reports. `id` is fixed where a user can have only one.
_METHODS: dict[str, Facts] = {
    "emailAuthenticationMethod": {
        "id": "3ddfcfc8-9383-446f-83cc-3ab9be4be18f",
        "emailAddress": "private@example.org",
    },
    "fido2AuthenticationMethod": {
        "aaGuid": "2fc0579f-8113-47ea-b116-555a8db9202a",
        "attestationCertificates": [],
        "attestationLevel": "attested",
        "createdDateTime": _SINCE,
        "displayName": "Security key",
        "model": "NFC key",
    },
    "microsoftAuthenticatorAuthenticationMethod": {
        "createdDateTime": None,
        "deviceTag": "SoftwareTokenActivated",
        "displayName": "iPhone",
        "phoneAppVersion": "6.8.5",
    },
    "phoneAuthenticationMethod": {
        "id": "3179e48a-750b-4051-897c-87b9720928f7",
        "phoneNumber": "+49 1511234567",
        "phoneType": "mobile",
        "smsSignInState": "notAllowedByPolicy",
    },
    "softwareOathAuthenticationMethod": {"secretKey": None},
    "temporaryAccessPassAuthenticationMethod": {
        "createdDateTime": _SINCE,
        "isUsable": True,
        "isUsableOnce": False,
        "lifetimeInMinutes": 480,
        "methodUsabilityReason": "EnabledByPolicy",
        "startDateTime": _SINCE,
        "temporaryAccessPass": None,
    },
    "windowsHelloForBusinessAuthenticationMethod": {
        "createdDateTime": _SINCE,
        "displayName": "DESKTOP-0001",
        "keyStrength": "normal",
    },
}


def methods(user: User) -> list[Facts]:
    """The password first; `{"kind": "fido2"}` or the whole name of a type, which may be one nobody knows yet."""
    shown: list[Facts] = [
        {
            "@odata.type": "#microsoft.graph.passwordAuthenticationMethod",
            "id": PASSWORD_METHOD,
            "password": None,
            "createdDateTime": user.get("lastPasswordChangeDateTime"),
        }
    ]
    for number, facts in enumerate(user.residual.methods):
        kind = str(facts.get("kind", "fido2"))
        name = kind if kind.endswith("Method") else f"{kind}AuthenticationMethod"
        values = {"id": _id(user, "method", number), **_METHODS.get(name, {})}
        values |= {key: value for key, value in facts.items() if key not in ("kind", "default")}
        shown.append({"@odata.type": f"#microsoft.graph.{name}", **values})
    return shown


# Exchange ----------------------------------------------------------------------------------------------------------------


def phones(user: User, name: str) -> list[Facts]:
    """Rows of Get-MobileDevice; `name` is the mailbox's (CIPP takes the first part of Identity for the mailbox)."""
    shown = []
    for number, facts in enumerate(user.residual.phones):
        facts = {key: value for key, value in facts.items() if "Wipe" not in key}
        device = str(facts.get("DeviceId", f"ApplC39{number:05d}{user.id[:8].upper()}"))
        identity = f"{name}\\ExchangeActiveSyncDevices\\{facts.get('ClientType', 'EAS')}§{device}"
        shown.append(
            {
                "FriendlyName": "",
                "DeviceId": device,
                "DeviceImei": "",
                "DeviceMobileOperator": "",
                "DeviceModel": "iPhone15C2",
                "DeviceOS": "iOS 18.1 22B83",
                "DeviceOSLanguage": "en",
                "DeviceTelephoneNumber": "",
                "DeviceType": "iPhone",
                "DeviceUserAgent": "Apple-iPhone15C2/2202.83",
                "DeviceAccessState": "Allowed",
                "DeviceAccessStateReason": "Global",
                "DeviceAccessControlRule": None,
                "ClientType": "EAS",
                "ClientVersion": "16.1",
                "FirstSyncTime": "2024-02-01T08:00:00.0000000Z",
                "UserDisplayName": user.get("displayName"),
                "IsManaged": False,
                "IsCompliant": False,
                "IsDisabled": False,
                "Identity": identity,
                "Name": f"{facts.get('ClientType', 'EAS')}§{device}",
                "Guid": _id(user, "phone", number),
                "IsValid": True,
                "ObjectState": "Unchanged",
                **facts,
            }
        )
    return shown
