# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changing users (Graph docs, user-update, user-revokesigninsessions, user-delete, user-post-users)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import passwords, roles
from .directory import timestamp
from .graph_errors import GraphError, bad, denied
from .graph_properties import DEFAULT, READ_ONLY, USER_BY_LOWER, WRITABLE
from .graph_request import Request
from .graph_users import Users
from .wire import Answer

if TYPE_CHECKING:
    from .directory import Directory, User

SYNCED = (
    "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing "
    "migration."
)
FOREIGN = "Unable to update the specified properties for objects that have originated within an external service."
RESTRICTED = (
    "This user is a member of a restricted management administrative unit. Management rights are limited to administrators "
    "scoped on that administrative unit."
)
# Properties whose change is a "sensitive action" (Entra docs, privileged-roles-permissions).
_SENSITIVE = frozenset(
    {
        "accountEnabled",
        "businessPhones",
        "mobilePhone",
        "otherMails",
        "passwordProfile",
        "userPrincipalName",
        "onPremisesImmutableId",
    }
)
_PROFILE_FLAGS = ("forceChangePasswordNextSignIn", "forceChangePasswordNextSignInWithMfa")
_SETTABLE_WHEN_SYNCED = frozenset({"accountEnabled", "usageLocation", "employeeLeaveDateTime", "preferredDataLocation"})


class Writes:
    """What changes a user."""

    def __init__(self, directory: Directory, users: Users) -> None:
        self.directory = directory
        self.users = users
        # Every password that ever came in, for leak scans.
        self.received: list[str] = []

    # PATCH /users/{id} ---------------------------------------------------------------------------------------------

    def update(self, request: Request, key: str) -> Answer:
        """All properties or none of them."""
        changes = self._checked(self._body(request))
        for name in changes:
            own = (
                f"user.{name}"
                if name in ("accountEnabled", "passwordProfile", "employeeLeaveDateTime")
                else "user.profile"
            )
            request.require(own)
        user = self.users.found(request, key)
        self._may_change(request, user, changes)
        self._apply(request, user, changes)
        if "return=representation" in request.call.headers.get("prefer", "").lower():
            return request.entity("users/$entity", self.users.shown(user.properties, DEFAULT))
        return Answer(204)

    def _body(self, request: Request) -> dict[str, Any]:
        body = request.body()
        profile = body.get("passwordProfile")
        if isinstance(profile, dict) and isinstance(profile.get("password"), str):
            self.received.append(profile["password"])
        return body

    def _checked(self, body: dict[str, Any]) -> dict[str, Any]:
        """The changes, if every one is a property of this type that may be set at all."""
        changes: dict[str, Any] = {}
        for name, value in body.items():
            if "@odata." in name:
                continue
            proper = USER_BY_LOWER.get(name.lower())
            if proper is None or proper != name:
                raise _unknown(name, value)
            if proper in READ_ONLY:
                raise bad(f"Property '{proper}' is read-only and cannot be set.")
            _typed(proper, WRITABLE[proper], value)
            changes[proper] = value
        if not changes:
            raise bad("One or more properties contains invalid values.")
        return changes

    def _may_change(self, request: Request, user: User, changes: dict[str, Any]) -> None:
        held = request.app.roles
        special = self.directory.in_role_assignable_group(user)
        target = self.directory.roles_of(user)
        resets = bool((changes.get("passwordProfile") or {}).get("password"))
        if user.get("isManagementRestricted"):
            raise GraphError(403, "Authorization_RequestDenied", RESTRICTED)
        if (target or special) and not _SENSITIVE.isdisjoint(changes):
            others = _SENSITIVE.intersection(changes) - {"passwordProfile"}
            if others and not roles.may_disable(held, target, special=special):
                raise denied()
            if "passwordProfile" in changes and not roles.may_reset(held, target, special=special):
                raise denied()
        if resets and self.directory.password_needs_role and not roles.may_reset(held, target, special=special):
            # Graph docs, user-update: the permission, and at least User Administrator. (UNSURE: see the setting.)
            raise denied()
        if user.synced:
            refused = set(changes) - _SETTABLE_WHEN_SYNCED - ({"passwordProfile"} if not resets else set())
            if "accountEnabled" in changes and self.directory.synced_block == "refused":
                refused.add("accountEnabled")
            if refused:
                raise bad(SYNCED)
        if resets:
            if user.guest:
                raise bad(FOREIGN)
            problem = passwords.problem(changes["passwordProfile"]["password"], user.upn)
            if problem:
                raise bad(problem)

    def _apply(self, request: Request, user: User, changes: dict[str, Any]) -> None:
        now = timestamp(self.directory.now())
        profile = changes.pop("passwordProfile", None) or {}
        state = dict(changes)
        if profile.get("password"):
            # Only the flag, without a password, answers 204 and does nothing (microsoft-graph-docs issue 4267).
            user.set_password(profile["password"])
            state["lastPasswordChangeDateTime"] = now
            # Seen in public samples: StsRefreshTokensValidFrom is that of LastPasswordChangeTimestamp, to the second.
            state["signInSessionsValidFromDateTime"] = now
        if state:
            user.update(state)
            request.call.applied = True

    # POST /users/{id}/revokeSignInSessions -------------------------------------------------------------------------

    def revoke(self, request: Request, key: str) -> Answer:
        request.body(optional=True)
        request.require("user.revoke")
        user = self.users.found(request, key)
        target = self.directory.roles_of(user)
        special = self.directory.in_role_assignable_group(user)
        if user.get("isManagementRestricted"):
            raise GraphError(403, "Authorization_RequestDenied", RESTRICTED)
        if (target or special) and not roles.may_reset(request.app.roles, target, special=special):
            raise denied()
        user["signInSessionsValidFromDateTime"] = timestamp(self.directory.now())
        if not user.guest:
            # A guest's sessions live in the home tenant (Graph docs, user-revokesigninsessions).
            user.sessions_alive = False
        request.call.applied = True
        if self.directory.revoke_status == 204:
            return Answer(204)
        return request.entity("Edm.Boolean", {"value": True}, self.directory.revoke_status)

    # Creating and deleting -----------------------------------------------------------------------------------------

    def create(self, request: Request) -> Answer:
        body = self._body(request)
        request.require("user.create")
        for name in ("accountEnabled", "displayName", "mailNickname", "passwordProfile", "userPrincipalName"):
            if name not in body:
                raise bad(f"A value is required for property '{name}' of resource 'User'.")
        changes = self._checked(body)
        profile = changes.pop("passwordProfile")
        upn = changes["userPrincipalName"]
        if self.directory.by_upn(upn):
            raise bad("Another object with the same value for property userPrincipalName already exists.")
        problem = passwords.problem((profile or {}).get("password") or "", upn)
        if problem:
            raise bad(problem)
        now = timestamp(self.directory.now())
        times = {"createdDateTime": now, "lastPasswordChangeDateTime": now, "signInSessionsValidFromDateTime": now}
        user = self.directory.add(upn.lower(), {"userType": "Member", **changes, **times})
        user.set_password(profile["password"])
        request.call.user, request.call.applied = user.id, True
        return request.entity("users/$entity", self.users.shown(user.properties, DEFAULT), 201)

    def delete(self, request: Request, key: str) -> Answer:
        request.require("user.delete")
        user = self.users.found(request, key)
        target = self.directory.roles_of(user)
        special = self.directory.in_role_assignable_group(user)
        if (target or special) and not roles.may_disable(request.app.roles, target, special=special):
            raise denied()
        self.directory.delete(user)
        request.call.applied = True
        return Answer(204)


def _unknown(name: str, value: Any) -> GraphError:
    if isinstance(value, dict | list):
        return bad(
            "A value without a type name was found and no expected type is available. When the model is specified, each value "
            "in the payload must have a type which can be either specified in the payload, explicitly by the caller or "
            "implicitly inferred from the parent value.",
            "BadRequest",
        )
    return bad(
        f"The property '{name[:80]}' does not exist on type 'microsoft.graph.user'. Make sure to only use property names that are "
        "defined by the type or mark the type as open type.",
        "RequestBodyRead",
    )


def _typed(name: str, kind: str, value: Any) -> None:
    """Refuse a value that is not of the property's type."""
    good = {
        "bool": isinstance(value, bool),
        "str": isinstance(value, str) or value is None,
        "time": value is None or _is_time(value),
        "list": isinstance(value, list) and all(isinstance(item, str) for item in value),
        "object": isinstance(value, dict) or (value is None and name != "passwordProfile"),
    }[kind]
    if not good:
        edm = {
            "bool": "Edm.Boolean",
            "str": "Edm.String",
            "time": "Edm.DateTimeOffset",
            "list": "Collection(Edm.String)",
        }
        raise bad(
            f"Cannot convert a value to target type '{edm.get(kind, name)}' for property '{name}'.", "RequestBodyRead"
        )
    if name == "userPrincipalName" and (not isinstance(value, str) or value.count("@") != 1):
        raise bad("Property userPrincipalName is invalid.")
    if name != "passwordProfile":
        return
    for inner, item in value.items():
        if "@odata." in inner:
            continue
        if inner in _PROFILE_FLAGS:
            fits = item is None or isinstance(item, bool)
        elif inner == "password":
            fits = item is None or isinstance(item, str)
        else:
            raise _unknown(inner, item)
        if not fits:
            raise bad(f"Cannot convert a value to the expected type for property '{inner}'.", "RequestBodyRead")


def _is_time(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return False
    return "T" in value and moment.tzinfo is not None
