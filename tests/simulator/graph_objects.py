# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything in the directory that is not behind `/users`: roles, groups, deleted users, the organization, apps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from . import odata_filter, roles
from .graph_errors import GraphError, absent, bad, conflict, denied, no_segment, not_allowed, unsupported
from .graph_properties import ANY, BASIC, DEFAULT, GROUP, SERVICE_PRINCIPAL, USER_BY_LOWER, lowered
from .graph_request import Request, number
from .graph_users import Related, Users
from .odata import Segment, selected
from .permissions import allowed
from .roles import TEMPLATES
from .wire import Answer

if TYPE_CHECKING:
    from .directory import Directory, Group, User

_DELETED = (*DEFAULT, "deletedDateTime")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


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
        """Graph docs, group-list, group-get, group-list-members, group-list-transitivemembers."""
        _get_only(request)
        key, rest = request.keyed()
        if key is None or (key.lower() == "$count" and not rest):
            return self._groups(request, counting=key is not None)
        related = bool(rest) and rest[0].lower in ("members", "transitivemembers")
        if rest and not related:
            raise no_segment(rest[0].name)
        request.require("group.members" if related else "group.read")
        group = self.directory.groups.get(key.lower())
        if group is None:
            raise absent(key) if _GUID.fullmatch(key) else bad(f"Invalid object identifier '{key[:80]}'.")
        if not related:
            request.refuse("$search", "$orderby", "$filter", "$top", "$count", "$skiptoken", "$expand")
            return request.entity("groups/$entity", self._group(request, group))
        return self._members(request, group, rest)

    def _group(self, request: Request, group: Group) -> dict[str, Any]:
        return {name: value for name, value in self.users.group(request, group).items() if name != "@odata.type"}

    def _groups(self, request: Request, *, counting: bool) -> Answer:
        request.require("group.read")
        request.refuse("$search", "$orderby", "$expand")
        options = request.options
        if options.select:
            selected(options.select, lowered(GROUP), "group")
        if (counting or options.count) and not options.advanced:
            raise bad("$count is not currently supported.")
        options.count = options.count or counting
        groups = sorted(self.directory.groups.values(), key=lambda group: group.id)
        if options.filter is not None:
            parsed = odata_filter.parse(options.filter, "group")
            self.users.advanced_filter(request, parsed)
            groups = [group for group in groups if parsed.test(self.directory.group_properties(group))]
        if counting:
            return number(len(groups))
        return request.pages("groups", groups, 100, lambda group: self._group(request, group))

    def _members(self, request: Request, group: Group, rest: tuple[Segment, ...]) -> Answer:
        directory, transitive = self.directory, rest[0].lower == "transitivemembers"
        places = directory.within(group, transitive=transitive)
        visible = allowed(request.app.graph, "group.hidden") or not any(place.hidden for place in places)
        if not visible and directory.hidden_members == "denied":
            raise denied()

        def find() -> list[Related]:
            if not visible:
                return []
            users, groups, things = directory.members_of(group, transitive=transitive)
            found: list[Related] = [user for user in users if user.there]
            found += groups
            for thing in things:
                kind = "device" if thing in directory.devices else "servicePrincipal"
                values = directory.devices.get(thing) or directory.service_principal(thing)
                if values is not None:
                    found.append((kind, values))
            return found

        return self.users.relation(request, rest, find, strict=True)

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
            wanted = selected(request.options.select, ANY, "directoryObject")
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
        if len(names) == 4 and names[3].removeprefix("microsoft.graph.") == "restore":
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
        user = self.directory.in_bin(key.lower())
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
        users = [user for user in self.directory.deleted.values() if self.directory.in_bin(user.id)]
        if request.options.filter is not None:
            parsed = self.users.filter(request)
            users = [user for user in users if parsed.test(self.directory.deleted_state(user))]
        if len(users) == 1:
            request.call.user = users[0].id
        value = [self.users.shown(self.directory.deleted_state(user), chosen) for user in users]
        return request.page("directoryObjects", value, 100)

    def _restore(self, request: Request, identifier: str) -> Answer:
        """Graph docs, directory-deleteditems-restore: the optional body, administrators, 30 days."""
        body = request.body(optional=True)
        for name, kind in (("autoReconcileProxyConflict", bool), ("newUserPrincipalName", str)):
            if body.get(name) is not None and not isinstance(body[name], kind):
                raise bad(f"Cannot convert a value to the expected type for parameter '{name}'.", "BadRequest")
        unknown = [name for name in body if name not in ("autoReconcileProxyConflict", "newUserPrincipalName")]
        if unknown:
            raise bad(
                f"The parameter '{unknown[0][:80]}' in the request payload is not a valid parameter.", "BadRequest"
            )
        request.require("user.delete")
        user = self.directory.in_bin(identifier)
        if user is None:
            raise absent(identifier)
        target = self.directory.roles_of(user)
        special = self.directory.in_role_assignable_group(user)
        if (target or special) and not roles.may_disable(request.app.roles, target, special=special):
            raise denied()
        self._make_room(user, body)
        self.directory.restore(user)
        request.call.user, request.call.applied = user.id, True
        names = tuple(name for name in DEFAULT if allowed(request.app.graph, "user.read") or name in BASIC)
        value = {"@odata.type": "#microsoft.graph.user", **self.users.shown(user.properties, names)}
        return request.entity("directoryObjects/$entity", value)

    def _make_room(self, user: User, body: dict[str, Any]) -> None:
        """Names that somebody else has by now: refused, or changed where the request says so."""
        upn = body.get("newUserPrincipalName") or user.upn
        if upn.count("@") != 1:
            raise bad("Property userPrincipalName is invalid.")
        if self.directory.by_upn(upn):
            raise conflict("userPrincipalName")
        addresses = list(user.get("proxyAddresses") or ())
        free = [address for address in addresses if not self.directory.indexed("proxyAddresses", address)]
        if free != addresses and not body.get("autoReconcileProxyConflict"):
            raise conflict("proxyAddresses")
        user.properties |= {"userPrincipalName": upn, "proxyAddresses": free}

    # Organization and apps -----------------------------------------------------------------------------------------

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
        request.refuse("$search", "$orderby", "$expand")
        directory = self.directory
        ids = [*(app.object_id for app in directory.apps.values()), *directory.service_principals]
        there = [values for identifier in ids if (values := directory.service_principal(identifier))]
        chosen: tuple[str, ...] = SERVICE_PRINCIPAL
        if request.options.select:
            chosen = selected(request.options.select, lowered(SERVICE_PRINCIPAL), "servicePrincipal")
        if key is not None:
            name = "appId" if request.alternate else "id"
            found = next((values for values in there if values[name] == key.lower()), None)
            if found is None:
                raise absent(key)
            return request.entity("servicePrincipals/$entity", {name: found[name] for name in chosen})
        wanted = _equal(request, "appId") if request.options.filter is not None else None
        value = [{name: item[name] for name in chosen} for item in there if wanted in (None, item["appId"])]
        return request.page("servicePrincipals", value, 100)


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
