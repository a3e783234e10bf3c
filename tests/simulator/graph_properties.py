# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The properties of a user in Graph v1.0, and what may be done with each (Graph docs, user resource and user-update)."""

from __future__ import annotations

from typing import Any

# Without $select only these come (Graph docs, user-get).
DEFAULT = (
    "businessPhones",
    "displayName",
    "givenName",
    "id",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
)

# What an app with User.ReadBasic.All may read (Graph docs, permissions reference).
BASIC = frozenset(
    {
        "displayName",
        "givenName",
        "id",
        "mail",
        "photo",
        "securityIdentifier",
        "surname",
        "userPrincipalName",
    }
)

# Writable properties and their types.
WRITABLE: dict[str, str] = {
    "aboutMe": "str",
    "accountEnabled": "bool",
    "ageGroup": "str",
    "birthday": "time",
    "businessPhones": "list",
    "city": "str",
    "companyName": "str",
    "consentProvidedForMinor": "str",
    "country": "str",
    "department": "str",
    "displayName": "str",
    "employeeHireDate": "time",
    "employeeId": "str",
    "employeeLeaveDateTime": "time",
    "employeeOrgData": "object",
    "employeeType": "str",
    "faxNumber": "str",
    "givenName": "str",
    "hireDate": "time",
    "interests": "list",
    "jobTitle": "str",
    "mailNickname": "str",
    "mobilePhone": "str",
    "mySite": "str",
    "officeLocation": "str",
    "onPremisesExtensionAttributes": "object",
    "onPremisesImmutableId": "str",
    "otherMails": "list",
    "passwordPolicies": "str",
    "passwordProfile": "object",
    "pastProjects": "list",
    "postalCode": "str",
    "preferredLanguage": "str",
    "preferredName": "str",
    "responsibilities": "list",
    "schools": "list",
    "showInAddressList": "bool",
    "skills": "list",
    "state": "str",
    "streetAddress": "str",
    "surname": "str",
    "usageLocation": "str",
    "userPrincipalName": "str",
    "userType": "str",
}

READ_ONLY = (
    "id",
    "assignedLicenses",
    "assignedPlans",
    "authorizationInfo",
    "createdDateTime",
    "creationType",
    "customSecurityAttributes",
    "deletedDateTime",
    "deviceEnrollmentLimit",
    "externalUserState",
    "externalUserStateChangeDateTime",
    "identities",
    "identityParentId",
    "imAddresses",
    "isManagementRestricted",
    "isResourceAccount",
    "lastPasswordChangeDateTime",
    "legalAgeGroupClassification",
    "licenseAssignmentStates",
    "mail",
    "mailboxSettings",
    "onPremisesDistinguishedName",
    "onPremisesDomainName",
    "onPremisesLastSyncDateTime",
    "onPremisesProvisioningErrors",
    "onPremisesSamAccountName",
    "onPremisesSecurityIdentifier",
    "onPremisesSyncEnabled",
    "onPremisesUserPrincipalName",
    "preferredDataLocation",
    "print",
    "provisionedPlans",
    "proxyAddresses",
    "securityIdentifier",
    "serviceProvisioningErrors",
    "signInActivity",
    "signInSessionsValidFromDateTime",
)

USER = (*READ_ONLY, *WRITABLE)
USER_BY_LOWER = {name.lower(): name for name in USER}

LISTS = frozenset(
    {
        "assignedLicenses",
        "assignedPlans",
        "businessPhones",
        "identities",
        "imAddresses",
        "interests",
        "licenseAssignmentStates",
        "onPremisesProvisioningErrors",
        "otherMails",
        "pastProjects",
        "provisionedPlans",
        "proxyAddresses",
        "responsibilities",
        "schools",
        "serviceProvisioningErrors",
        "skills",
    }
)

# What a property holds where nothing was ever set; null otherwise.
UNSET: dict[str, Any] = {
    **{name: [] for name in LISTS},
    "birthday": "0001-01-01T00:00:00Z",
    "hireDate": "0001-01-01T00:00:00Z",
    "deviceEnrollmentLimit": 15,
}

# Reading these takes more than reading the user (Graph docs, user-get; permissions of signInActivity, mailboxSettings).
EXTRA_READ: dict[str, tuple[str, ...]] = {
    "employeeLeaveDateTime": ("User-LifeCycleInfo.Read.All", "User-LifeCycleInfo.ReadWrite.All"),
    "signInActivity": ("AuditLog.Read.All",),
    "mailboxSettings": ("MailboxSettings.Read", "MailboxSettings.ReadWrite"),
    "customSecurityAttributes": ("CustomSecAttributeAssignment.Read.All", "CustomSecAttributeAssignment.ReadWrite.All"),
}

# Objects other than users.
ROLE = ("id", "deletedDateTime", "description", "displayName", "roleTemplateId")
GROUP = (
    "id",
    "deletedDateTime",
    "classification",
    "createdDateTime",
    "description",
    "displayName",
    "groupTypes",
    "isAssignableToRole",
    "mail",
    "mailEnabled",
    "mailNickname",
    "membershipRule",
    "onPremisesSyncEnabled",
    "securityEnabled",
    "visibility",
)
APPLICATION = (
    "id",
    "deletedDateTime",
    "appId",
    "createdDateTime",
    "description",
    "displayName",
    "identifierUris",
    "keyCredentials",
    "passwordCredentials",
    "publisherDomain",
    "signInAudience",
    "tags",
)
SERVICE_PRINCIPAL = (
    "id",
    "deletedDateTime",
    "accountEnabled",
    "appDisplayName",
    "appId",
    "displayName",
    "servicePrincipalType",
    "signInAudience",
)
DEVICE = (
    "id",
    "deletedDateTime",
    "accountEnabled",
    "alternativeSecurityIds",
    "approximateLastSignInDateTime",
    "deviceId",
    "displayName",
    "isCompliant",
    "isManaged",
    "manufacturer",
    "model",
    "onPremisesSyncEnabled",
    "operatingSystem",
    "operatingSystemVersion",
    "physicalIds",
    "profileType",
    "registrationDateTime",
    "trustType",
)
# Kind of object -> what reading it takes, and its properties.
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "application": ("application.read", APPLICATION),
    "device": ("device.read", DEVICE),
    "directoryRole": ("role.read", ROLE),
    "group": ("group.read", GROUP),
    "servicePrincipal": ("servicePrincipal.read", SERVICE_PRINCIPAL),
}
COLLECTIONS = LISTS | {
    "alternativeSecurityIds",
    "groupTypes",
    "identifierUris",
    "keyCredentials",
    "passwordCredentials",
    "physicalIds",
    "tags",
}


def lowered(names: tuple[str, ...]) -> dict[str, str]:
    return {name.lower(): name for name in names}


# Every property that any kind of directory object has.
ANY = {**{name.lower(): name for _ignored, names in KINDS.values() for name in names}, **USER_BY_LOWER}
