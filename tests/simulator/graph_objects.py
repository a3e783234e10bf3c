# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything in the directory that is not behind `/users`: roles, groups, deleted users, the organisation, apps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import odata_filter
from .graph_errors import GraphError, absent, bad, no_segment, not_allowed, unsupported
from .graph_properties import DEFAULT, GROUP, ROLE, USER_BY_LOWER, lowered
from .graph_request import Request
from .graph_users import _ADVANCED, Users
from .odata import selected
from .roles import TEMPLATES
from .wire import Answer

if TYPE_CHECKING:
    from .apps import App
    from .directory import Directory, User

_DELETED = (*DEFAULT, "deletedDateTime")
_APP = ("id", "appId", "displayName", "accountEnabled", "appDisplayName", "servicePrincipalType", "signInAudience")


class Objects:
    """The rest of the directory."""

    def __init__(self, directory: Directory, users: Users) -> None:
        self.directory = directory
        self.users = users

    # Roles -------------------------------------------------------------------------------------------------------

    def roles(self, request: Request) -> Answer:
        """Graph docs, directoryrole-list, directoryrole-get, directoryrole-list-members."""
        _get_only(request)
        request.require("role.read")
        request.refuse("$search", "$orderby", "$top")
        key, rest = request.keyed()
        if key is None:
            value = [self.users.role(request, name) for name in self._active()]
            return request.page("directoryRoles", _plain(value), 1000)
        ids = TEMPLATES if request.alternate else {name: self.directory.role_id(name) for name in TEMPLATES}
        name = next((name for name in self._active() if ids[name] == key.lower()), None)
        if name is None:
            raise absent(key)
        if not rest:
            return request.entity("directoryRoles/$entity", _plain([self.users.role(request, name)])[0])
        if rest[0].lower != "members" or len(rest) > 1:
            raise no_segment(rest[-1].name)
        members = [self._user(request, user) for user in self.directory.everyone() if name in user.roles]
        members += [self.users.group(request, group) for group in self.directory.groups.values() if name in group.roles]
        return request.page("directoryObjects", members, 1000)

    def _active(self) -> list[str]:
        held = {name for user in self.directory.everyone() for name in user.roles}
        held |= {name for group in self.directory.groups.values() for name in group.roles}
        return sorted(held)

    def role_management(self, request: Request) -> Answer:
        """`/roleManagement/directory/roleAssignments?$filter=principalId eq '...'`"""
        _get_only(request)
        names = [segment.lower for segment in request.path]
        if names != ["rolemanagement", "directory", "roleassignments"]:
            raise no_segment(request.path[-1].name)
        request.require("role.read")
        principal = _equal(request, "principalId")
        found: list[dict[str, Any]] = []
        user = self.directory.users.get(principal or "")
        group = self.directory.groups.get(principal or "")
        held = sorted(user.roles if user else group.roles if group else ())
        for name in held:
            found.append(
                {
                    "id": f"{TEMPLATES[name]}-{principal}",
                    "principalId": principal,
                    "directoryScopeId": "/",
                    "roleDefinitionId": TEMPLATES[name],
                }
            )
        return request.page("roleManagement/directory/roleAssignments", found, 100)

    # Groups ------------------------------------------------------------------------------------------------------

    def groups(self, request: Request) -> Answer:
        _get_only(request)
        request.require("group.read")
        request.refuse("$search", "$orderby", "$filter")
        key, rest = request.keyed()
        if key is None:
            value = [self.users.group(request, group) for group in self.directory.groups.values()]
            return request.page("groups", _plain(value), 100)
        group = self.directory.groups.get(key.lower())
        if group is None:
            raise absent(key)
        if not rest:
            return request.entity("groups/$entity", _plain([self.users.group(request, group)])[0])
        if rest[0].lower != "members" or len(rest) > 1:
            raise no_segment(rest[-1].name)
        members = [self._user(request, user) for user in self.directory.everyone() if group.id in user.groups]
        members += [self.users.group(request, g) for g in self.directory.groups.values() if group.id in g.groups]
        return request.page("directoryObjects", members, 100)

    # Directory objects -------------------------------------------------------------------------------------------

    def directory_objects(self, request: Request) -> Answer:
        key, rest = request.keyed()
        if key is not None and key.lower().removeprefix("microsoft.graph.") == "getbyids" and not rest:
            if request.call.method != "POST":
                raise not_allowed("POST")
            return self._by_ids(request)
        _get_only(request)
        request.require("directoryObject.read")
        if key is None or rest:
            raise no_segment(request.path[-1].name)
        found = self._object(request, key.lower())
        if found is None:
            raise absent(key)
        return request.entity("directoryObjects/$entity", found)

    def _by_ids(self, request: Request) -> Answer:
        """Graph docs, directoryobject-getbyids: at most 1000; unknown ids are just missing from the answer."""
        body = request.body()
        request.require("directoryObject.read")
        ids, kinds = body.get("ids"), body.get("types", ["directoryObject"])
        if not isinstance(ids, list) or not all(isinstance(item, str) for item in ids) or not isinstance(kinds, list):
            raise bad("Invalid value specified for property 'ids' of resource 'DirectoryObject'.")
        if not 1 <= len(ids) <= 1000:
            raise bad("Too many ids were specified. Max allowed: 1000.")
        wanted = {str(kind).lower() for kind in kinds}
        value = []
        for identifier in dict.fromkeys(item.lower() for item in ids):
            found = self._object(request, identifier)
            if found and (wanted & {"directoryobject", found["@odata.type"].rpartition(".")[2].lower()}):
                value.append(found)
        return request.page("directoryObjects", value, 1000)

    def _object(self, request: Request, identifier: str) -> dict[str, Any] | None:
        user = self.directory.users.get(identifier)
        if user is not None:
            return self._user(request, user)
        group = self.directory.groups.get(identifier)
        if group is not None:
            return self.users.group(request, group)
        for name in TEMPLATES:
            if self.directory.role_id(name) == identifier:
                return self.users.role(request, name)
        return None

    def _user(self, request: Request, user: User) -> dict[str, Any]:
        names: tuple[str, ...] = DEFAULT
        if request.options.select:
            known = {**lowered(GROUP), **lowered(ROLE), **USER_BY_LOWER}
            wanted = selected(request.options.select, known, "directoryObject")
            names = tuple(name for name in wanted if name.lower() in USER_BY_LOWER)
            self.users.may_read(request, names)
        state = user.as_of(self.directory.replica_lag)
        return {"@odata.type": "#microsoft.graph.user", **self.users.shown(state, names)}

    # Deleted users -------------------------------------------------------------------------------------------------

    def directory_node(self, request: Request) -> Answer:
        """Graph docs, directory-deleteditems-list, -get and -restore."""
        names = [segment.lower for segment in request.path]
        if len(names) < 2 or names[1] != "deleteditems" or len(names) > 4:
            raise no_segment(request.path[-1].name)
        if len(names) == 4 and names[3] == "restore":
            if request.call.method != "POST":
                raise not_allowed("POST")
            return self._restore(request, names[2])
        _get_only(request)
        request.require("deleted.read")
        if len(names) == 2:
            raise bad("The type of the deleted items is missing: use /directory/deletedItems/microsoft.graph.user.")
        if names[2] == "microsoft.graph.user" and len(names) == 3:
            return self._deleted_users(request)
        key = request.path[-1].name
        user = self.directory.deleted.get(key.lower())
        if user is None:
            raise absent(key)
        chosen = selected(request.options.select, USER_BY_LOWER, "user") if request.options.select else _DELETED
        self.users.may_read(request, chosen)
        value = {"@odata.type": "#microsoft.graph.user", **self.users.shown(self.directory.deleted_state(user), chosen)}
        return request.entity("directoryObjects/$entity", value)

    def _deleted_users(self, request: Request) -> Answer:
        chosen = selected(request.options.select, USER_BY_LOWER, "user") if request.options.select else _DELETED
        self.users.may_read(request, chosen)
        self.users.advanced_where_needed(request)
        users = list(self.directory.deleted.values())
        if request.options.filter is not None:
            parsed = odata_filter.parse(request.options.filter)
            self.users.may_read(request, parsed.properties)
            if parsed.advanced and not request.options.consistent:
                raise unsupported(_ADVANCED.format(parsed.advanced[0]))
            users = [user for user in users if parsed.test(self.directory.deleted_state(user))]
        if len(users) == 1:
            request.call.user = users[0].id
        value = [self.users.shown(self.directory.deleted_state(user), chosen) for user in users]
        return request.page("directoryObjects", value, 100)

    def _restore(self, request: Request, identifier: str) -> Answer:
        request.body(optional=True)
        request.require("user.delete")
        user = self.directory.deleted.get(identifier)
        if user is None:
            raise absent(identifier)
        self.directory.restore(user)
        request.call.user, request.call.applied = user.id, True
        return request.entity("directoryObjects/$entity", self._user(request, user))

    # Organisation and apps -----------------------------------------------------------------------------------------

    def organization(self, request: Request) -> Answer:
        _get_only(request)
        request.require("organization.read")
        value = {
            "id": self.directory.tenant_id,
            "displayName": "Contoso",
            "tenantType": "AAD",
            "onPremisesSyncEnabled": True,
            "verifiedDomains": [
                {
                    "name": self.directory.domain,
                    "isDefault": True,
                    "isInitial": False,
                    "type": "Managed",
                    "capabilities": "Email",
                },
                {"name": self.directory.initial_domain, "isDefault": False, "isInitial": True, "type": "Managed"},
            ],
        }
        key, rest = request.keyed()
        if rest:
            raise no_segment(rest[0].name)
        if key is None:
            return request.page("organization", [value], 100)
        if key.lower() != self.directory.tenant_id:
            raise absent(key)
        return request.entity("organization/$entity", value)

    def service_principals(self, request: Request) -> Answer:
        _get_only(request)
        request.require("servicePrincipal.read")
        key, rest = request.keyed()
        if rest:
            raise no_segment(rest[0].name)
        apps = list(self.directory.apps.values())
        if key is not None:
            ids = [app.client_id if request.alternate else app.object_id for app in apps]
            found = next((app for app, one in zip(apps, ids, strict=True) if one == key.lower()), None)
            if found is None:
                raise absent(key)
            return request.entity("servicePrincipals/$entity", _service_principal(found))
        wanted = _equal(request, "appId") if request.options.filter is not None else None
        value = [_service_principal(app) for app in apps if wanted in (None, app.client_id)]
        return request.page("servicePrincipals", value, 100)


def _service_principal(app: App) -> dict[str, Any]:
    values: dict[str, Any] = {
        "id": app.object_id,
        "appId": app.client_id,
        "displayName": app.display_name,
        "appDisplayName": app.display_name,
        "accountEnabled": app.enabled,
        "servicePrincipalType": "Application",
        "signInAudience": "AzureADMyOrg",
    }
    return {name: values[name] for name in _APP}


def _equal(request: Request, name: str) -> str | None:
    """The value of a filter that is one simple `name eq '...'`."""
    text = request.options.filter
    if text is None:
        raise GraphError(400, "Request_BadRequest", f"A filter on {name} is required.")
    parts = text.split(None, 2)
    if len(parts) != 3 or parts[0].lower() != name.lower() or parts[1].lower() != "eq":
        raise unsupported("Unsupported Query.")
    value = parts[2].strip()
    if len(value) < 2 or value[0] != "'" or value[-1] != "'" or "'" in value[1:-1].replace("''", ""):
        raise odata_filter.clause_error(f"Syntax error in '{text[:200]}'.")
    return value[1:-1].replace("''", "'").lower()


def _get_only(request: Request) -> None:
    if request.call.method != "GET":
        raise not_allowed("GET")


def _plain(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the type: the address says it already."""
    return [{name: value for name, value in item.items() if name != "@odata.type"} for item in items]
