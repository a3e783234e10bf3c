# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The applications registered in the tenant: what a client may present, and what it may do then."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from . import roles
from .certificates import AppCertificate

NAMESPACE = uuid.UUID("6d333635-6f66-4662-8f61-7264696e6721")

READ = "User.Read.All"
BLOCK = "User.EnableDisableAccount.All"
PASSWORD = "User-PasswordProfile.ReadWrite.All"  # noqa: S105 (the name of a permission)
REVOKE = "User.RevokeSessions.All"
LEAVE = "User-LifeCycleInfo.Read.All"
ROLES = "RoleManagement.Read.Directory"
MANAGE_AS_APP = "Exchange.ManageAsApp"

_WRITE = frozenset({READ, BLOCK, PASSWORD, REVOKE})
RESTORE = "User.DeleteRestore.All"
MEMBERS = "GroupMember.Read.All"
# What reading all topics of residual access takes (Graph permissions reference).
RESIDUAL = frozenset(
    {
        READ,
        "Application.Read.All",
        "Device.Read.All",
        "Directory.Read.All",
        "MailboxSettings.Read",
        ROLES,
        "UserAuthenticationMethod.Read.All",
    }
)
# What closing all topics takes besides.
CLOSE = RESIDUAL | {
    MEMBERS,
    "AppRoleAssignment.ReadWrite.All",
    "DelegatedPermissionGrant.ReadWrite.All",
    "Device.ReadWrite.All",
    "GroupMember.ReadWrite.All",
    "MailboxSettings.ReadWrite",
    "UserAuthenticationMethod.ReadWrite.All",
}
MANAGE_ROLES = "RoleManagement.ReadWrite.Directory"


@dataclass(slots=True)
class Federation:
    """A federated identity credential: which foreign token stands for the app (Entra docs, workload identity)."""

    issuer: str
    subject: str
    audience: str = "api://AzureADTokenExchange"


@dataclass(slots=True)
class App:
    """An app registration and its service principal. Every field may be changed while the tenant runs."""

    name: str
    graph: frozenset[str] = frozenset()
    exchange: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    # Exchange's own management roles, given to the service principal by a role group (Exchange docs, app-only access).
    exchange_roles: frozenset[str] = frozenset()
    client_id: str = ""
    object_id: str = ""
    client_secret: str = field(default="", repr=False)
    secret_expired: bool = False
    enabled: bool = True
    certificate: AppCertificate | None = field(default=None, repr=False)
    federation: Federation | None = None

    def __post_init__(self) -> None:
        self.client_id = self.client_id or str(uuid.uuid4())
        self.object_id = self.object_id or str(uuid.uuid5(NAMESPACE, f"service principal {self.name}"))
        # The shape of a real one: 40 characters, three groups (a tilde in the middle), no quotes.
        self.client_secret = self.client_secret or f"{secrets.token_hex(2)[:3]}8Q~{secrets.token_urlsafe(32)[:34]}"

    @property
    def display_name(self) -> str:
        return f"Offboarding ({self.name})"

    def write_certificate(self, folder: Path) -> dict[str, str]:
        """Write key and certificate in every shape a client may want; returns the paths and the passphrase."""
        if self.certificate is None:
            raise LookupError(f"{self.name} has no certificate")
        return self.certificate.write(folder)


def registered(issuer: str) -> dict[str, App]:
    """All registered applications by name; `issuer` is trusted by the federated one."""
    manage = frozenset({MANAGE_AS_APP})
    usual = frozenset({roles.USER, roles.EXCHANGE})
    apps = [
        App("offboarding", _WRITE, manage, usual),
        App("offboarding-privileged", _WRITE | {ROLES}, manage, usual | {roles.PRIVILEGED_AUTHENTICATION}),
        App("auditor", frozenset({READ}), manage, frozenset({roles.GLOBAL_READER})),
        App("auditor-with-leave-dates", frozenset({READ, LEAVE}), manage, frozenset({roles.GLOBAL_READER})),
        App("offboarding-with-leave-dates", _WRITE | {LEAVE}, manage, usual),
        App("auditor-residual", RESIDUAL | {MEMBERS, LEAVE}, manage, frozenset({roles.GLOBAL_READER})),
        App("auditor-groups", frozenset({READ, MEMBERS, LEAVE}), manage, frozenset({roles.GLOBAL_READER})),
        App("restorer", _WRITE | {RESTORE, MEMBERS}, manage, usual),
        App("closer", _WRITE | CLOSE, manage, usual),
        App(
            "closer-of-administrators",
            _WRITE | CLOSE | {MANAGE_ROLES},
            manage,
            usual | {roles.PRIVILEGED_AUTHENTICATION},
        ),
        App("no-permissions"),
        App("without-read", _WRITE - {READ}, manage, usual),
        App("basic-read", frozenset({"User.ReadBasic.All"}), manage, frozenset({roles.GLOBAL_READER})),
        App("without-password", _WRITE - {PASSWORD}, manage, usual),
        App("without-sessions", _WRITE - {REVOKE}, manage, usual),
        App("without-signin", _WRITE - {BLOCK}, manage, usual),
        App("without-user-role", _WRITE, manage, frozenset({roles.EXCHANGE})),
        App("without-exchange-role", _WRITE, manage, frozenset({roles.USER})),
        App("without-exchange-grant", _WRITE, frozenset(), usual),
        App("expired-secret", _WRITE, manage, usual, secret_expired=True),
        App("disabled", _WRITE, manage, usual, enabled=False),
        App("certificate", _WRITE, manage, usual, certificate=AppCertificate("certificate")),
        App("federated", _WRITE, manage, usual, federation=Federation(issuer, "system:serviceaccount:awx:offboarding")),
    ]
    return {app.name: app for app in apps}
