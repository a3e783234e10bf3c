# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Graph's writes to what outlives a blocked account: devices, consents, assignments, methods, memberships.

Graph docs: device-update, oauth2permissiongrant-post and -delete, user-post-approleassignments, user-delete-approleassignments,
the pages of the authentication methods, group-post-members, group-delete-members, directoryrole-delete-member. Texts of
refusals are those of public reports (microsoft-graph-docs issues 14827, 4771; learn.microsoft.com answers 1337439).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from . import residual, roles
from .graph_errors import GraphError, absent, bad, denied, no_segment, not_allowed
from .graph_request import Request
from .graph_users import Users
from .graph_writes import SYNCED
from .odata import Segment
from .permissions import allowed
from .wire import Answer

if TYPE_CHECKING:
    from .directory import Directory, Group, User

_MAIL_GROUP = "Cannot Update a mail-enabled security groups and or distribution list."
_DEFAULT_METHOD = (
    "Cannot delete default method with other methods configured. Please change default method before deletion."
)
# The collection that a kind of method is deleted from; of other kinds v1.0 has no such page.
_METHODS = {
    "emailmethods": "email",
    "fido2methods": "fido2",
    "microsoftauthenticatormethods": "microsoftAuthenticator",
    "phonemethods": "phone",
    "platformcredentialmethods": "platformCredential",
    "softwareoathmethods": "softwareOath",
    "temporaryaccesspassmethods": "temporaryAccessPass",
    "windowshelloforbusinessmethods": "windowsHelloForBusiness",
}


class Closing:
    """Each of these writes changes one object of one person."""

    def __init__(self, directory: Directory, users: Users) -> None:
        self.directory = directory
        self.users = users

    def owner(self, path: Sequence[Segment]) -> User | None:
        """Whose object a path below the version means, for journal and faults."""
        names = [segment.lower for segment in path]
        if len(names) > 1 and names[0] == "devices":
            return self._holder(names[1], residual.devices)
        if len(names) > 1 and names[0] == "oauth2permissiongrants":
            return self._holder(names[1], self._grants)
        if len(names) > 3 and names[0] in ("groups", "directoryroles") and names[2] == "members":
            return self.directory.users.get(names[3])
        return None

    # Devices -------------------------------------------------------------------------------------------------------

    def devices(self, request: Request) -> Answer:
        key, rest = request.keyed()
        if key is None or rest:
            raise no_segment(request.path[-1].name)
        if request.call.method != "PATCH":
            raise not_allowed("PATCH")
        body = request.body()
        if set(body) != {"accountEnabled"} or not isinstance(body["accountEnabled"], bool):
            raise bad("One or more properties contains invalid values.")
        request.require("device.write")
        user = self._holder(key.lower(), residual.devices)
        if user is None:
            raise absent(key)
        request.call.user = user.id
        shown = next(one for one in residual.devices(user) if one["id"] == key.lower())
        if shown["operatingSystem"] != "Windows":
            # Graph docs, device-update: "the app can update only the extensionAttributes property".
            raise denied()
        if shown["onPremisesSyncEnabled"]:
            raise bad(SYNCED)
        facts = self._changing(user).facts("devices", residual.devices(user), shown["id"])
        facts["accountEnabled"] = body["accountEnabled"]
        request.call.applied = True
        return Answer(204)

    # Consents ------------------------------------------------------------------------------------------------------

    def grants(self, request: Request) -> Answer:
        key, rest = request.keyed()
        if rest:
            raise no_segment(rest[0].name)
        if key is None:
            if request.call.method != "POST":
                raise not_allowed("POST")
            return self._grant(request)
        if request.call.method != "DELETE":
            raise not_allowed("DELETE")
        request.require("grant.write")
        user = self._holder(key.lower(), self._grants)
        if user is None:
            raise absent(key)
        request.call.user = user.id
        self._changing(user).drop("grants", self._grants(user), key)
        request.call.applied = True
        return Answer(204)

    def _grant(self, request: Request) -> Answer:
        body = request.body()
        request.require("grant.write")
        for name in ("clientId", "consentType", "resourceId"):
            if not isinstance(body.get(name), str):
                raise bad(f"A value is required for property '{name}' of resource 'OAuth2PermissionGrant'.")
        unknown = set(body) - {"clientId", "consentType", "principalId", "resourceId", "scope"}
        if unknown or body["consentType"] not in ("Principal", "AllPrincipals"):
            raise bad("One or more properties contains invalid values.")
        user = self.directory.users.get(str(body.get("principalId")).lower())
        if body["consentType"] != "Principal" or user is None:
            raise bad("One or more property values specified are invalid.")
        request.call.user = user.id
        for name in ("clientId", "resourceId"):
            if self.directory.service_principal(body[name]) is None:
                raise absent(body[name])
        same = [(one["clientId"], one["resourceId"]) for one in self._grants(user)]
        if (body["clientId"], body["resourceId"]) in same:
            raise bad("Permission entry already exists.")
        given = {"client": body["clientId"], "resource": body["resourceId"], "scope": body.get("scope") or ""}
        self._changing(user).add("grants", self._grants(user), given)
        request.call.applied = True
        return request.entity("oauth2PermissionGrants/$entity", self._grants(user)[-1], 201)

    def _grants(self, user: User) -> list[dict[str, Any]]:
        return residual.grants(self.directory, user)

    # App role assignments --------------------------------------------------------------------------------------------

    def app_roles(self, request: Request, key: str, rest: tuple[Segment, ...]) -> Answer:
        method = request.call.method
        if len(rest) > 2:
            raise no_segment(rest[2].name)
        if len(rest) == 2:
            if method != "DELETE":
                raise not_allowed("DELETE")
            return self._delete_app_role(request, key, rest[1].name)
        if method == "POST":
            return self._assign(request, key)
        if method != "GET":
            raise not_allowed("GET, POST")
        request.require("appRole.read")
        request.refuse("$search", "$orderby", "$expand")
        user = self.users.found(request, key).as_seen(self.directory.replica_lag)
        return request.page("appRoleAssignments", residual.app_roles(self.directory, user), 100)

    def _delete_app_role(self, request: Request, key: str, identifier: str) -> Answer:
        request.require("appRole.write")
        user = self.users.found(request, key)
        shown = residual.app_roles(self.directory, user)
        if identifier not in [one["id"] for one in shown if one["principalId"] == user.id]:
            raise absent(identifier)
        self._changing(user).drop("app_roles", shown, identifier)
        request.call.applied = True
        return Answer(204)

    def _assign(self, request: Request, key: str) -> Answer:
        body = request.body()
        request.require("appRole.write")
        user = self.users.found(request, key)
        if set(body) != {"principalId", "resourceId", "appRoleId"} or body["principalId"] != user.id:
            raise bad("One or more property values specified are invalid.")
        if self.directory.service_principal(body["resourceId"]) is None:
            raise absent(body["resourceId"])
        shown = residual.app_roles(self.directory, user)
        if (body["resourceId"], body["appRoleId"]) in [(one["resourceId"], one["appRoleId"]) for one in shown]:
            raise bad("Permission being assigned already exists on the object")
        given = {"resource": body["resourceId"], "appRoleId": body["appRoleId"]}
        self._changing(user).add("app_roles", shown, given)
        request.call.applied = True
        return request.entity("appRoleAssignments/$entity", residual.app_roles(self.directory, user)[-1], 201)

    # Authentication methods ------------------------------------------------------------------------------------------

    def delete_method(self, request: Request, key: str, rest: tuple[Segment, ...]) -> Answer:
        """`DELETE /users/{id}/authentication/fido2Methods/{id}`"""
        if not allowed(request.app.graph, "method.write"):
            raise GraphError(403, "accessDenied", "Request Authorization failed")
        if len(rest) != 3 or rest[1].lower not in _METHODS:
            # The password cannot be deleted as a method (Graph docs, passwordauthenticationmethod: list, get, reset).
            raise no_segment(rest[-1].name)
        user = self.users.found(request, key)
        target, special = self.directory.roles_of(user), self.directory.in_role_assignable_group(user)
        if (target or special) and not roles.may_reset(request.app.roles, target, special=special):
            raise GraphError(403, "accessDenied", "Request Authorization failed")
        shown = residual.methods(user)[1:]
        kind = f"#microsoft.graph.{_METHODS[rest[1].lower]}AuthenticationMethod"
        found = [one for one in shown if one["id"].lower() == rest[2].lower and one["@odata.type"] == kind]
        if not found:
            raise GraphError(404, "resourceNotFound", "The requested resource does not exist.")
        default = user.residual.methods[shown.index(found[0])].get("default")
        if default and len(shown) > 1:
            raise bad(_DEFAULT_METHOD, "badRequest")
        self._changing(user).drop("methods", shown, found[0]["id"])
        request.call.applied = True
        return Answer(204)

    # Memberships -----------------------------------------------------------------------------------------------------

    def members(self, request: Request) -> Answer:
        """`/groups/{id}/members/$ref` and `/groups/{id}/members/{id}/$ref`, likewise of directory roles."""
        key, rest = request.keyed()
        names = [segment.lower for segment in rest]
        if key is None or not names or names[0] != "members":
            raise not_allowed("GET")
        if request.call.method == "POST" and names == ["members", "$ref"]:
            user = self._referred(request)
            return self._change(request, key, user, member=True)
        if request.call.method == "DELETE" and len(names) in (2, 3):
            member = self.directory.users.get(names[1])
            if member is None:
                raise absent(rest[1].name)
            if len(names) == 2:
                return self._delete_object(request, member)
            if names[2] != "$ref":
                raise no_segment(rest[2].name)
            return self._change(request, key, member, member=False)
        raise not_allowed("GET")

    def _delete_object(self, request: Request, user: User) -> Answer:
        """The caution on the page of group-delete-members: without `/$ref`, the member itself is deleted."""
        if not allowed(request.app.graph, "user.delete"):
            raise denied()
        self.directory.delete(user)
        request.call.user, request.call.applied = user.id, True
        return Answer(204)

    def _referred(self, request: Request) -> User:
        address = request.body().get("@odata.id")
        base = f"{request.base}/directoryObjects/".lower()
        if not isinstance(address, str) or not address.lower().startswith(base):
            raise bad("Invalid URL format specified in @odata.id.", "BadRequest")
        user = self.directory.users.get(address.rpartition("/")[2].lower())
        if user is None:
            raise absent(address.rpartition("/")[2])
        return user

    def _change(self, request: Request, key: str, user: User, *, member: bool) -> Answer:
        request.call.user = user.id
        if request.path[0].lower == "directoryroles":
            request.require("role.write")
            name = next((name for name in roles.TEMPLATES if self.directory.role_id(name) == key.lower()), None)
            held, value = user.roles, name
        else:
            group = self._changeable(request, key)
            held, value = user.groups, group.id
        if value is None:
            raise absent(key)
        if member and value in held:
            raise bad(
                "One or more added object references already exist for the following modified properties: 'members'."
            )
        if not member and value not in held:
            raise absent(user.id)
        self._changing(user)
        (held.add if member else held.discard)(value)
        request.call.applied = True
        return Answer(204)

    def _changeable(self, request: Request, key: str) -> Group:
        request.require("member.write")
        group = self.directory.groups.get(key.lower())
        if group is None:
            raise absent(key)
        if group.dynamic or (group.role_assignable and "RoleManagement.ReadWrite.Directory" not in request.app.graph):
            raise denied()
        if group.synced:
            raise bad(SYNCED)
        if group.mail is not None and "Unified" not in group.group_types:
            raise bad(_MAIL_GROUP)
        return group

    # --- what they share ---

    def _holder(self, identifier: str, shown: Callable[[User], list[dict[str, Any]]]) -> User | None:
        """The owner of the object of this id. Most people have none of their own."""
        for user in self.directory.everyone():
            some = user.residual.grants or user.residual.devices
            if some and any(one["id"].lower() == identifier for one in shown(user)):
                return user
        return None

    def _changing(self, user: User) -> _Changes:
        user.remember_access()
        return _Changes(user)


class _Changes:
    """Changes of a person's objects. Ids follow from the place in the list until something is removed or added."""

    def __init__(self, user: User) -> None:
        self.user = user

    def facts(self, name: str, shown: Sequence[dict[str, Any]], identifier: str) -> dict[str, Any]:
        own = self._pinned(name, shown)
        return next(facts for facts in own if str(facts["id"]).lower() == identifier.lower())

    def drop(self, name: str, shown: Sequence[dict[str, Any]], identifier: str) -> None:
        own = self._pinned(name, shown)
        own.remove(self.facts(name, shown, identifier))

    def add(self, name: str, shown: Sequence[dict[str, Any]], facts: dict[str, Any]) -> None:
        own = self._pinned(name, shown)
        number = len(own)
        while (identifier := residual.new_id(self.user, name, number)) in [facts["id"] for facts in own]:
            number += 1
        own.append({**facts, "id": identifier})

    def _pinned(self, name: str, shown: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        own: list[dict[str, Any]] = getattr(self.user.residual, name)
        for facts, one in zip(own, shown, strict=True):
            facts.setdefault("id", one["id"])
        return own
