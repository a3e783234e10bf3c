# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Graph reports of access that outlives a blocked account.

Graph docs: user-list-ownedobjects, user-list-registereddevices, user-list-oauth2permissiongrants,
mailfolder-list-messagerules, authentication-list-methods; permissions by the permissions reference. What belongs to
Outlook, and what belongs to the authentication methods, refuses in words of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import residual
from .graph_errors import GraphError, absent, bad, no_segment
from .graph_request import Request
from .graph_users import Related, Users
from .odata import Segment
from .permissions import allowed
from .wire import Answer

if TYPE_CHECKING:
    from .directory import Directory, User

# Both codes are seen for people without a mailbox, even for the same one in turn (microsoft-graph-docs issue 10481).
NO_MAILBOX = {
    "MailboxNotEnabledForRESTAPI": "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
    "ResourceNotFound": "Resource could not be discovered.",
}


class ResidualAccess:
    """The topics, one method each. `rest` is the path behind the user."""

    def __init__(self, directory: Directory, users: Users) -> None:
        self.directory = directory
        self.users = users

    def _seen(self, request: Request, key: str) -> User:
        """The user with the objects that a replica shows."""
        return self.users.found(request, key).as_seen(self.directory.replica_lag)

    def owned_objects(self, request: Request, key: str, rest: tuple[Segment, ...]) -> Answer:
        request.require("user.owned")
        return self.users.relation(request, rest, lambda: self._owned(self.users.found(request, key)))

    def _owned(self, user: User) -> list[Related]:
        directory, facts = self.directory, user.residual
        found: list[Related] = [("application", values) for values in residual.applications(user)]
        for group in directory.groups.values():
            if {group.key, group.id, group.display_name}.intersection(facts.owned_groups):
                found.append(group)
        for name in facts.owned_service_principals:
            values = directory.service_principal(directory.service_principal_id(name))
            if values is not None:
                found.append(("servicePrincipal", values))
        return found

    def devices(self, request: Request, key: str, rest: tuple[Segment, ...]) -> Answer:
        """Registered and owned devices are the same here: owner and user are set together when a device registers."""
        request.require("user.devices")

        def find() -> list[Related]:
            return [("device", values) for values in residual.devices(self._seen(request, key))]

        return self.users.relation(request, rest, find)

    def grants(self, request: Request, key: str, rest: tuple[Segment, ...]) -> Answer:
        """Only what is granted for this one user; consent for the whole organization is not in it (page of the list)."""
        if not (self.directory.grants_read_all and "DelegatedPermissionGrant.Read.All" in request.app.graph):
            request.require("user.grants")
        if len(rest) > 1:
            raise no_segment(rest[1].name)
        request.refuse("$search", "$orderby", "$expand", "$filter", "$select", "$count")
        user = self._seen(request, key)
        return request.page("oauth2PermissionGrants", residual.grants(self.directory, user), 100)

    # Outlook -------------------------------------------------------------------------------------------------------

    def rules(self, request: Request, key: str, rest: tuple[Segment, ...]) -> Answer:
        """`/mailFolders/inbox/messageRules`, the folder in either form."""
        folder, tail = rest[0].key, rest[1:]
        if folder is None and tail:
            folder, tail = tail[0].name, tail[1:]
        if folder is None or folder.lower() != "inbox" or len(tail) != 1 or tail[0].lower != "messagerules":
            raise no_segment(rest[-1].name)
        request.refuse("$search", "$orderby", "$expand", "$filter", "$skiptoken", "$count")
        if not allowed(request.app.graph, "user.rules"):
            raise GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        user = self.users.find(key, parenthesised=request.parenthesised)
        if user is None or not user.there:
            raise GraphError(404, "ErrorInvalidUser", f"The requested user '{key[:113]}' is invalid.")
        request.call.user = user.id
        if not user.reachable_mailbox:
            code = self.directory.rules_no_mailbox
            raise GraphError(404, code, NO_MAILBOX[code])
        value = residual.rules(user.as_seen(self.directory.replica_lag))
        if request.options.select:
            known = {"id", *(name for rule in value for name in rule)}
            unknown = [name for name in request.options.select if name not in known]
            if unknown and value:
                raise bad(
                    f"Could not find a property named '{unknown[0]}' on type 'microsoft.graph.messageRule'.",
                    "BadRequest",
                )
            chosen = {"id", *request.options.select}
            value = [{name: item for name, item in rule.items() if name in chosen} for rule in value]
        context = f"users('{user.id}')/mailFolders('inbox')/messageRules"
        return request.page(context, value, self.directory.rules_page_size)

    # Authentication methods ----------------------------------------------------------------------------------------

    def methods(self, request: Request, key: str, rest: tuple[Segment, ...]) -> Answer:
        """For apps the methods may be read, all or one; the rest of them is for people."""
        names = [segment.lower for segment in rest]
        if request.call.method != "GET" or not allowed(request.app.graph, "user.methods"):
            # Graph docs, authenticationmethod-resetpassword: application permissions are not supported.
            raise GraphError(403, "accessDenied", "Request Authorization failed")
        if names[1:2] != ["methods"] or len(names) > 3:
            raise no_segment(rest[-1].name)
        if request.options.given:
            # The page of the list: no optional query parameters.
            raise bad(f"The query option '{next(iter(request.options.given))}' is not supported.", "BadRequest")
        user = self._seen(request, key)
        value = residual.methods(user)
        if len(names) == 2:
            return request.page(f"users('{user.id}')/authentication/methods", value, 100)
        found = next((method for method in value if method["id"].lower() == names[2]), None)
        if found is None:
            raise absent(rest[2].name)
        return request.entity(f"users('{user.id}')/authentication/methods/$entity", found)
