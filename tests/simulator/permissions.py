# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which application permissions an operation takes: any one of the listed sets (Graph permissions reference).

Directory.AccessAsUser.All and other delegated ones do not occur: apps only.
"""

from __future__ import annotations

from collections.abc import Collection

from .graph_errors import denied

_READ_DIRECTORY = ({"Directory.Read.All"}, {"Directory.ReadWrite.All"})
_READ_USER = ({"User.Read.All"}, {"User.ReadWrite.All"}, *_READ_DIRECTORY)
_READ_ROLES = ({"RoleManagement.Read.Directory"}, {"RoleManagement.ReadWrite.Directory"}, {"RoleManagement.Read.All"})
_READ_GROUPS = ({"GroupMember.Read.All"}, {"Group.Read.All"}, {"Group.ReadWrite.All"}, *_READ_DIRECTORY)

_READ_GROUP = (*_READ_GROUPS, {"Group.ReadBasic.All"})
_READ_APPLICATIONS = ({"Application.Read.All"}, {"Application.ReadWrite.All"}, *_READ_DIRECTORY)

TABLE: dict[str, tuple[set[str], ...]] = {
    "user.basic": ({"User.ReadBasic.All"}, *_READ_USER),
    "user.read": _READ_USER,
    "user.memberships": (*_READ_USER, *_READ_GROUPS),
    "user.devices": _READ_USER,
    "user.profile": ({"User.ReadWrite.All"}, {"User.ReadUpdate.All"}, {"Directory.ReadWrite.All"}),
    "user.accountEnabled": (
        {"User.EnableDisableAccount.All", "User.Read.All"},
        {"User.ReadWrite.All"},
        {"Directory.ReadWrite.All"},
    ),
    "user.passwordProfile": ({"User-PasswordProfile.ReadWrite.All"},),
    "user.employeeLeaveDateTime": ({"User-LifeCycleInfo.ReadWrite.All"},),
    "user.revoke": ({"User.RevokeSessions.All"}, {"User.ReadWrite.All"}, {"Directory.ReadWrite.All"}),
    "user.create": ({"User.ReadWrite.All"}, {"Directory.ReadWrite.All"}),
    "user.delete": ({"User.DeleteRestore.All"}, {"User.ReadWrite.All"}),
    "role.read": (*_READ_ROLES, *_READ_DIRECTORY),
    # The rows of the reference differ: what reads a group's members need not read the group, and the other way round.
    "group.read": _READ_GROUP,
    "group.members": (
        {"GroupMember.Read.All"},
        {"GroupMember.ReadBasic.All"},
        {"GroupMember.ReadWrite.All"},
        {"Group.Read.All"},
        {"Group.ReadBasic.All"},
        {"Group.ReadWrite.All"},
        {"Directory.Read.All"},
    ),
    "group.hidden": ({"Member.Read.Hidden"},),
    "user.owned": _READ_USER,
    "user.grants": ({"Directory.Read.All"}, {"DelegatedPermissionGrant.ReadWrite.All"}),
    "user.rules": ({"MailboxSettings.Read"}, {"MailboxSettings.ReadWrite"}),
    "user.methods": ({"UserAuthenticationMethod.Read.All"}, {"UserAuthenticationMethod.ReadWrite.All"}),
    # Pages of the writes: device-update, oauth2permissiongrant-delete, user-list-approleassignments and its sisters,
    # the methods' pages, group-delete-members, directoryrole-delete-member.
    "device.write": ({"Device.ReadWrite.All"}, {"Directory.ReadWrite.All"}),
    "grant.write": ({"DelegatedPermissionGrant.ReadWrite.All"}, {"Directory.ReadWrite.All"}),
    "appRole.read": ({"Directory.Read.All"}, {"AppRoleAssignment.ReadWrite.All"}),
    "appRole.write": ({"AppRoleAssignment.ReadWrite.All"},),
    "method.write": ({"UserAuthenticationMethod.ReadWrite.All"},),
    "member.write": ({"GroupMember.ReadWrite.All"}, {"Group.ReadWrite.All"}, {"Directory.ReadWrite.All"}),
    "role.write": ({"RoleManagement.ReadWrite.Directory"},),
    "application.read": _READ_APPLICATIONS,
    "device.read": ({"Device.Read.All"}, {"Device.ReadWrite.All"}, *_READ_DIRECTORY),
    "directoryObject.read": _READ_DIRECTORY,
    "deleted.read": _READ_USER,
    "organization.read": ({"Organization.Read.All"}, *_READ_DIRECTORY),
    "servicePrincipal.read": _READ_APPLICATIONS,
}


def allowed(held: Collection[str], operation: str) -> bool:
    return any(needed.issubset(held) for needed in TABLE[operation])


def require(held: Collection[str], operation: str) -> None:
    if not allowed(held, operation):
        raise denied()
