# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Microsoft Graph v1.0: the few calls about users that this collection makes, and what their answers mean."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import typing as t
import urllib.parse

from ._credentials import Token
from ._errors import NetworkError, OffboardingError, ServiceError, shorten
from ._foreign import one_line
from ._service import Answer, Call, Outcome, Service, error_of, mapping
from ._times import moment_or_none
from ._user_input import OBJECT_ID, name_key

_USER_PROPERTIES = (
    "id",
    "userPrincipalName",
    "displayName",
    "mail",
    "proxyAddresses",
    "accountEnabled",
    "onPremisesSyncEnabled",
    "isManagementRestricted",
    "lastPasswordChangeDateTime",
    "signInSessionsValidFromDateTime",
    "assignedPlans",
)
# What distinguishes a person from a namesake (https://learn.microsoft.com/graph/api/resources/user).
_PERSON_PROPERTIES = ("createdDateTime", "userType", "department", "jobTitle")
# Microsoft's pages differ on what reading this needs: User.Read.All, or User-LifeCycleInfo.Read.All as for the leave date.
_HIRE_DATE = "employeeHireDate"
# https://learn.microsoft.com/graph/api/user-list-manager; a plain query, since an advanced one takes no $expand.
_MANAGER = "&$expand=manager($select=id,displayName,userPrincipalName)"
# Prefixes of the permissions that allow reading the members of a directory role.
# https://learn.microsoft.com/graph/api/directoryrole-list-members
_READ_ADMINISTRATORS = ("RoleManagement.", "Directory.")
# Selecting this without its permission fails the whole read (https://learn.microsoft.com/graph/api/user-get).
LEAVE_DATE_PERMISSION = "User-LifeCycleInfo.Read.All"

# Any of these allows to read the name of the tenant; the last is that of a user who signs in by themselves.
_READING_ORGANIZATION = frozenset(
    {
        *("Organization.Read.All", "Organization.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"),
        "User.Read",
    }
)
_DEVICE_PROPERTIES = (
    "id,displayName,operatingSystem,accountEnabled,approximateLastSignInDateTime,trustType,onPremisesSyncEnabled"
)
# A directory role has only the first two of these.
_GROUP_PROPERTIES = "id,displayName,groupTypes,membershipRule,mailEnabled,onPremisesSyncEnabled,isAssignableToRole"

# https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
_GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
# Of a search: a million users are 1,002 pages of 999, and some pages are not full.
_MOST_PAGES = 2_000
# Of all else, which is about one person: a page holds a hundred objects.
_MOST_PAGES_OF_ONE = 100
# https://learn.microsoft.com/graph/aad-advanced-queries; goes with $count=true
_ADVANCED = {"ConsistencyLevel": "eventual"}
# All that a search asks for, as many to a page as it may hold. Of users: https://learn.microsoft.com/graph/api/user-list; of
# members: https://learn.microsoft.com/graph/api/group-list-transitivemembers
_OBJECT_IDS = "$select=id&$top=999"


@dataclasses.dataclass(frozen=True)
class Manager:
    """A user's manager: another user, or a contact without a user principal name."""

    id: str | None = None
    display_name: str | None = None
    user_principal_name: str | None = None


@dataclasses.dataclass(frozen=True)
class User:
    """A user as Graph returns it. Times are timezone-aware; `None` is what Graph left out or returned as null."""

    id: str
    user_principal_name: str
    display_name: str | None = None
    account_enabled: bool | None = None
    password_changed: datetime.datetime | None = None
    sessions_valid_from: datetime.datetime | None = None
    leaves: datetime.datetime | None = None
    synced: bool = False
    management_restricted: bool = False
    addresses: frozenset[str] = frozenset()
    has_mail: bool = False
    has_exchange_plan: bool = False
    # What identifies the person. `None` if it was not requested.
    created: datetime.datetime | None = None
    hired: datetime.datetime | None = None
    user_type: str | None = None
    department: str | None = None
    job_title: str | None = None
    manager: Manager | None = None
    # Whether this is a deleted user, and when it was deleted, if known.
    deleted: bool = False
    deleted_at: datetime.datetime | None = None

    @classmethod
    def from_json(cls, data: t.Mapping[str, t.Any]) -> User:
        """:raises ValueError: not a user of Graph."""
        identity, name = data.get("id"), data.get("userPrincipalName")
        if not isinstance(identity, str) or not isinstance(name, str):
            raise ValueError("no id or no userPrincipalName")
        enabled, display_name = data.get("accountEnabled"), data.get("displayName")
        proxies = [str(address).partition(":")[2] for address in _sequence(data.get("proxyAddresses"))]
        addresses = [identity, name, str(data.get("mail") or ""), *proxies]
        return cls(
            id=identity,
            user_principal_name=name,
            display_name=one_line(display_name) if isinstance(display_name, str) else None,
            account_enabled=enabled if isinstance(enabled, bool) else None,
            password_changed=_moment(data.get("lastPasswordChangeDateTime")),
            sessions_valid_from=_moment(data.get("signInSessionsValidFromDateTime")),
            leaves=_moment(data.get("employeeLeaveDateTime")),
            deleted_at=_moment(data.get("deletedDateTime")),
            synced=data.get("onPremisesSyncEnabled") is True,
            management_restricted=data.get("isManagementRestricted") is True,
            addresses=frozenset(name_key(address) for address in addresses if address),
            has_mail=bool(data.get("mail")),
            has_exchange_plan=any(
                str(plan.get("service")).lower() == "exchange" and plan.get("capabilityStatus") == "Enabled"
                for plan in map(mapping, _sequence(data.get("assignedPlans")))
            ),
            created=_moment(data.get("createdDateTime")),
            hired=_moment(data.get(_HIRE_DATE)),
            user_type=_text(data.get("userType")),
            department=_text(data.get("department")),
            job_title=_text(data.get("jobTitle")),
            manager=_manager(data.get("manager")),
        )

    @property
    def is_guest(self) -> bool:
        """Whether password and sessions live in another tenant: `#EXT#` marks that, `userType` may be changed."""
        return "#ext#" in name_key(self.user_principal_name)


def _moment(text: t.Any) -> datetime.datetime | None:
    moment = moment_or_none(text)
    # Microsoft's placeholder dates are not real times, and an hour later would be beyond the calendar.
    return moment if moment and moment.year < datetime.MAXYEAR else None


def _text(value: t.Any) -> str | None:
    return one_line(value) if isinstance(value, str) and value.strip() else None


def _manager(data: t.Any) -> Manager | None:
    """The manager, `None` without one, or if the application may read only that there is one."""
    texts = [_text(mapping(data).get(name)) for name in ("id", "displayName", "userPrincipalName")]
    return Manager(*texts) if any(texts[1:]) else None


def _sequence(value: t.Any) -> list[t.Any]:
    return value if isinstance(value, list) else []


class Graph(Service):
    """https://learn.microsoft.com/graph/overview"""

    name = "Microsoft Graph"
    address_option = "graph_url"
    batch_size = 20  # https://learn.microsoft.com/graph/json-batching

    def url(self, call: Call, token: Token) -> str:
        return f"{self.base_url}/v1.0{call.path}"

    def headers(self, call: Call | None, token: Token) -> dict[str, str]:
        return {}

    def batch_url(self, token: Token) -> str:
        return f"{self.base_url}/v1.0/$batch"

    def envelope(self, call: Call, token: Token) -> dict[str, t.Any]:
        envelope: dict[str, t.Any] = {"method": call.method, "url": call.path}
        headers = dict(call.headers)
        if call.body is not None:
            envelope["body"] = call.body
            headers["Content-Type"] = "application/json"
        if headers:
            envelope["headers"] = headers
        return envelope

    def explain(self, answer: Answer) -> ServiceError:
        """Graph's error envelope (https://learn.microsoft.com/graph/errors); its `innerError` has two spellings."""
        error = error_of(answer.body)
        inner = mapping(error.get("innerError") or error.get("innererror"))
        code = shorten(str(error.get("code") or "")) or f"http_{answer.status}"
        text = shorten(str(error.get("message") or "no reason given"))
        return ServiceError(
            f"Microsoft Graph answered {answer.status} {code}: {text}",
            status=answer.status,
            code=code,
            hint=_HINTS.get(answer.status),
            request_id=shorten(str(inner.get("request-id") or "")) or answer.request_id,
        )

    def digest(self, body: t.Any) -> t.Any:
        """A user comes with dozens of service plans; only Exchange's are used here."""
        for user in [body, *_sequence(mapping(body).get("value"))]:
            if "assignedPlans" in mapping(user):
                plans = map(mapping, _sequence(user["assignedPlans"]))
                user["assignedPlans"] = [plan for plan in plans if str(plan.get("service")).lower() == "exchange"]
        return body

    @functools.cached_property
    def reads_leave_dates(self) -> bool:
        """Whether the token shows that `employeeLeaveDateTime` may be read.

        :raises OffboardingError: there is no token.
        """
        return LEAVE_DATE_PERMISSION in (self.token.permissions or ())

    @functools.cached_property
    def may_read_administrators(self) -> bool:
        """Whether the token shows that `global_administrators` may be read, or does not show what it allows."""
        permissions = self.permissions
        return permissions is None or any(one.startswith(_READ_ADMINISTRATORS) for one in permissions)

    @functools.cached_property
    def user_select(self) -> str:
        """The properties to ask for; the leave date only where the token may read it.

        :raises OffboardingError: there is no token.
        """
        return ",".join([*_USER_PROPERTIES, *(["employeeLeaveDateTime"] if self.reads_leave_dates else [])])

    def read_lists(self, calls: t.Sequence[Call]) -> list[list[dict[str, t.Any]] | OffboardingError]:
        """All objects of each list, page after page (https://learn.microsoft.com/graph/paging).

        A list is complete or an error: a page that fails, is not a page, or links elsewhere makes it an error.
        """
        return self._read_lists([_List(call, _MOST_PAGES_OF_ONE) for call in calls])

    def read_search(self, call: Call) -> list[dict[str, t.Any]] | OffboardingError:
        """As `read_lists`, for a list that may be as long as the directory: only the type and id of each object."""
        return self._read_lists([_List(call, _MOST_PAGES, keep=("@odata.type", "id"))])[0]

    def _read_lists(self, lists: t.Sequence[_List]) -> list[list[dict[str, t.Any]] | OffboardingError]:
        while pending := [one for one in lists if one.next]:
            for one, outcome in zip(pending, self.send([t.cast("Call", one.next) for one in pending]), strict=True):
                one.take(outcome, f"{self.base_url}/v1.0")
        return [one.error or one.found for one in lists]

    def get_user(self, object_id: str) -> Call:
        return self._user_by_id(object_id, self.user_select)

    def _user_by_id(self, object_id: str, query: str) -> Call:
        return Call("GET", f"/users/{_segment(object_id)}?$select={query}")

    def find_user(self, name: str, *, dates: bool = False, person: bool = False) -> Call:
        """A user by object ID, or users by principal name.

        `dates` requests the dates that reveal a newer account with the name, `person` what distinguishes a person from a
        namesake, the manager among it. Neither makes another request; see `leave_out`.

        By filter, since a name as path segment may hold `$`, `#` or an apostrophe, and for that last one
        Microsoft's pages do not say how it is to be written.
        """
        wanted = [self.user_select, *(_PERSON_PROPERTIES if person else _PERSON_PROPERTIES[:1] if dates else ())]
        if dates and _HIRE_DATE not in self._left_out:
            wanted.append(_HIRE_DATE)
        query = ",".join(wanted) + (_MANAGER if person and _MANAGER not in self._left_out else "")
        if OBJECT_ID.match(name):
            return self._user_by_id(name, query)
        condition = f"userPrincipalName eq {_literal(name)}"
        return Call("GET", f"/users?$filter={_query(condition)}&$select={query}")

    def leave_out(self, calls: t.Sequence[Call], outcomes: t.Sequence[Outcome]) -> list[int]:
        """Which of these calls to send again, since all were refused and `find_user` can do without a part of them.

        A refusal of all calls may be because of that part: a 403 for the permission that it needs, a 400 for the
        shape of the query. The part is left out from now on, so that a module run sends one more request, not one for each leaver.
        """
        statuses = {outcome.status for outcome in outcomes if isinstance(outcome, ServiceError)}
        for part in (_HIRE_DATE, _MANAGER) if 403 in statuses else (_MANAGER, _HIRE_DATE):
            holders = [index for index, call in enumerate(calls) if part in call.path]
            if holders and all(_is_refused(outcomes[index]) for index in holders):
                self._left_out.add(part)
                return holders
        return []

    @functools.cached_property
    def _left_out(self) -> set[str]:
        """The parts that this service has refused."""
        return set()

    def find_by_address(self, address: str) -> Call:
        """Users who have `address` as e-mail address or alias: only to explain an error, never to act on.

        The answer includes the addresses, which show that it is about the requested one.
        """
        literal, proxy = _literal(address), _literal(f"smtp:{address}")
        condition = f"mail eq {literal} or proxyAddresses/any(p:p eq {proxy})"
        return Call("GET", f"/users?$filter={_query(condition)}&$select=id,userPrincipalName,mail,proxyAddresses")

    def find_similar(self, name: str, surname: str) -> Call:
        """Users whose principal name or surname begins so, to suggest to people: fifty at most, in no certain order."""
        condition = f"startsWith(userPrincipalName,{_literal(name)}) or startsWith(surname,{_literal(surname)})"
        return Call("GET", f"/users?$filter={_query(condition)}&$select=id,userPrincipalName&$top=50")

    def find_deleted(self, name: str, properties: t.Sequence[str] = ("id", "userPrincipalName")) -> Call:
        """A deleted user. Its principal name may have its object ID as a prefix, hence `endsWith`."""
        select = f"$select={','.join(properties)},deletedDateTime"
        if OBJECT_ID.match(name):
            return Call("GET", f"/directory/deletedItems/{_segment(name)}?{select}")
        condition = f"endsWith(userPrincipalName,{_literal(name)})"
        return Call(
            "GET",
            f"/directory/deletedItems/microsoft.graph.user?$count=true&$filter={_query(condition)}&{select}",
            headers=_ADVANCED,
        )

    def list_users(self, condition: str, *, advanced: bool) -> Call:
        """The object IDs of the users who meet a condition of `$filter`, page by page.

        An advanced query understands every condition that a plain one does, but is answered from an index that lags
        (https://learn.microsoft.com/graph/aad-advanced-queries): good for selecting users, not for their properties.
        """
        query = f"$filter={_query(condition)}&{_OBJECT_IDS}"
        return Call("GET", f"/users?{'$count=true&' if advanced else ''}{query}", headers=_ADVANCED if advanced else {})

    def find_group(self, name: str) -> Call:
        """A group by object ID, or groups by display name or mail address."""
        select = "$select=id,displayName,mail,visibility"
        if OBJECT_ID.match(name):
            return Call("GET", f"/groups/{_segment(name)}?{select}")
        condition = f"displayName eq {_literal(name)} or mail eq {_literal(name)}"
        return Call("GET", f"/groups?$filter={_query(condition)}&{select}")

    def group_members(self, object_id: str) -> Call:
        """The object IDs of the users in a group and in the groups in it. A cast needs an advanced query."""
        path = f"/groups/{_segment(object_id)}/transitiveMembers/microsoft.graph.user"
        return Call("GET", f"{path}?$count=true&{_OBJECT_IDS}", headers=_ADVANCED)

    def inbox_rules(self, object_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/mailfolder-list-messagerules"""
        path = f"/users/{_segment(object_id)}/mailFolders/inbox/messageRules"
        return Call("GET", f"{path}?$select=id,displayName,isEnabled,actions")

    def owned_applications(self, object_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/user-list-ownedobjects

        Advanced because of the cast, as in `directory_roles`. Without `$select`: the answer holds what is needed, and
        selecting `keyCredentials` is limited to 150 requests a minute for the whole tenant
        (https://learn.microsoft.com/graph/api/application-list).
        """
        path = f"/users/{_segment(object_id)}/ownedObjects/microsoft.graph.application"
        return Call("GET", f"{path}?$count=true", headers=_ADVANCED)

    def consents(self, object_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/user-list-oauth2permissiongrants"""
        return Call("GET", f"/users/{_segment(object_id)}/oauth2PermissionGrants")

    def service_principal(self, object_id: str) -> Call:
        return Call("GET", f"/servicePrincipals/{_segment(object_id)}?$select=id,displayName")

    def app_roles(self, object_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/user-list-approleassignments: those of the user's groups are in it too."""
        return Call("GET", f"/users/{_segment(object_id)}/appRoleAssignments")

    def registered_devices(self, object_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/user-list-registereddevices"""
        return Call("GET", f"/users/{_segment(object_id)}/registeredDevices?$select={_DEVICE_PROPERTIES}")

    def owned_devices(self, object_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/user-list-owneddevices"""
        return Call("GET", f"/users/{_segment(object_id)}/ownedDevices?$select={_DEVICE_PROPERTIES}")

    def memberships(self, object_id: str) -> Call:
        """Groups, directory roles and administrative units of which the user is a direct member.

        Without a cast, which would need the index that lags: a membership that was just removed must not appear.
        https://learn.microsoft.com/graph/api/user-list-memberof
        """
        return Call("GET", f"/users/{_segment(object_id)}/memberOf?$select={_GROUP_PROPERTIES}")

    def sign_in_methods(self, object_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/authentication-list-methods; it takes no query options."""
        return Call("GET", f"/users/{_segment(object_id)}/authentication/methods")

    def directory_roles(self, object_id: str) -> Call:
        """Active directory roles, held directly or through a group. Their names need RoleManagement.Read.Directory.

        Graph's page calls casts advanced queries, although they work without the header; sending it is safe either way.
        """
        return Call(
            "GET",
            f"/users/{_segment(object_id)}/transitiveMemberOf/microsoft.graph.directoryRole"
            "?$count=true&$select=id,displayName",
            headers=_ADVANCED,
        )

    def global_administrators(self) -> Call:
        """The direct holders of Global Administrator. Needs `RoleManagement.Read.Directory`.

        https://learn.microsoft.com/graph/api/directoryrole-list-members
        """
        return Call(
            "GET", f"/directoryRoles(roleTemplateId='{_GLOBAL_ADMINISTRATOR}')/members?$select=id,accountEnabled"
        )

    @property
    def reads_organization(self) -> bool:
        """Whether the token shows that the name of the tenant may be read."""
        return not _READING_ORGANIZATION.isdisjoint(self.permissions or ())

    def organization(self) -> Call:
        """https://learn.microsoft.com/graph/api/organization-list"""
        return Call("GET", "/organization?$select=id,displayName")

    def reset_password(self, object_id: str, password: str) -> Call:
        """https://learn.microsoft.com/graph/api/user-update, `passwordProfile` alone: it has its own permission."""
        profile = {"password": password, "forceChangePasswordNextSignIn": True}
        body = {"passwordProfile": profile}
        return Call("PATCH", f"/users/{_segment(object_id)}", body, writes=True, secret=password)

    def revoke_sessions(self, object_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/user-revokesigninsessions; in a batch a POST needs a body."""
        return Call("POST", f"/users/{_segment(object_id)}/revokeSignInSessions", {}, writes=True)

    def restore_user(self, object_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/directory-deleteditems-restore, under the name it had."""
        return Call("POST", f"/directory/deletedItems/{_segment(object_id)}/restore", {}, writes=True)

    def enable_account(self, object_id: str, enabled: bool) -> Call:
        """https://learn.microsoft.com/graph/api/user-update, `accountEnabled` alone: it has its own permission."""
        return Call("PATCH", f"/users/{_segment(object_id)}", {"accountEnabled": enabled}, writes=True)

    def enable_device(self, object_id: str, enabled: bool) -> Call:
        """https://learn.microsoft.com/graph/api/device-update"""
        return Call("PATCH", f"/devices/{_segment(object_id)}", {"accountEnabled": enabled}, writes=True)

    def delete_consent(self, grant_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/oauth2permissiongrant-delete"""
        return Call("DELETE", f"/oauth2PermissionGrants/{_segment(grant_id)}", writes=True)

    def create_consent(self, object_id: str, client_id: str, resource_id: str, scope: str) -> Call:
        """For this user only, never for all users: https://learn.microsoft.com/graph/api/oauth2permissiongrant-post"""
        body = {
            "clientId": client_id,
            "consentType": "Principal",
            "principalId": object_id,
            "resourceId": resource_id,
            "scope": scope,
        }
        return Call("POST", "/oauth2PermissionGrants", body, writes=True)

    def delete_app_role(self, object_id: str, assignment_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/user-delete-approleassignments"""
        path = f"/users/{_segment(object_id)}/appRoleAssignments/{_segment(assignment_id)}"
        return Call("DELETE", path, writes=True)

    def create_app_role(self, object_id: str, resource_id: str, app_role_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/user-post-approleassignments"""
        body = {"principalId": object_id, "resourceId": resource_id, "appRoleId": app_role_id}
        return Call("POST", f"/users/{_segment(object_id)}/appRoleAssignments", body, writes=True)

    def delete_method(self, object_id: str, collection: str, method_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/resources/authenticationmethods-overview

        :param collection: the segment of its kind, such as `fido2Methods`.
        """
        path = f"/users/{_segment(object_id)}/authentication/{collection}/{_segment(method_id)}"
        return Call("DELETE", path, writes=True)

    def remove_member(self, collection: str, holder_id: str, object_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/group-delete-members: without `/$ref` this would delete the user.

        :param collection: `groups` or `directoryRoles`.
        """
        path = f"/{collection}/{_segment(holder_id)}/members/{_segment(object_id)}/$ref"
        return Call("DELETE", path, writes=True)

    def add_member(self, collection: str, holder_id: str, object_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/group-post-members"""
        body = {"@odata.id": f"{self.base_url}/v1.0/directoryObjects/{_segment(object_id)}"}
        return Call("POST", f"/{collection}/{_segment(holder_id)}/members/$ref", body, writes=True)


_HINTS = {
    401: "The token was refused: check the audience of a ready token, or the application's state in the tenant.",
    403: "Check the application's permissions and the administrator's consent to them.",
}


def organization_name(outcome: Outcome | None, tenant_id: str | None) -> str | None:
    """The display name of the tenant, `None` if it may not be read, or the answer is about another tenant."""
    found = listed(outcome) if outcome else []
    if isinstance(found, OffboardingError):
        return None
    return next((_text(one.get("displayName")) for one in found if one.get("id") == tenant_id and tenant_id), None)


def _segment(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _query(text: str) -> str:
    return urllib.parse.quote(text, safe="(),:/'")


def _literal(text: str) -> str:
    """A string of OData: the apostrophe is doubled, then everything is percent-encoded."""
    return "'" + text.replace("'", "''") + "'"


def _is_refused(outcome: Outcome) -> bool:
    return isinstance(outcome, ServiceError) and outcome.status in (400, 403)


class _List:
    """A list that is being read, page after page.

    :param most: pages; a list that goes on longer is an error.
    :param keep: the properties to keep of each object, `None` for all.
    """

    def __init__(self, call: Call, most: int = _MOST_PAGES, keep: t.Sequence[str] | None = None) -> None:
        self.next: Call | None = call
        self.found: list[dict[str, t.Any]] = []
        self.error: OffboardingError | None = None
        self._most = most
        self._keep = keep
        self._seen = {call.path}

    def take(self, outcome: Outcome, root: str) -> None:
        """Add a page, and set `next` to the call for the following one.

        :param root: where a following page must be: no other host may see the token.
        """
        call, self.next = t.cast("Call", self.next), None
        if isinstance(outcome, OffboardingError):
            self.error = outcome
            return
        objects, link = _objects_in(outcome), mapping(outcome.body).get("@odata.nextLink")
        if isinstance(objects, OffboardingError):
            self.error = objects
            return
        if self._keep is not None:
            objects = [{name: one[name] for name in self._keep if name in one} for one in objects]
        self.found += objects
        if link is None:
            return
        if not isinstance(link, str) or link[: len(root) + 1].lower() != f"{root}/".lower():
            self.error = NetworkError(
                "Microsoft Graph returned a link to a next page at another address.", reached=True
            )
            return
        # Headers are not part of the link (https://learn.microsoft.com/graph/paging).
        self.next = dataclasses.replace(call, path=link[len(root) :])
        if self.next.path in self._seen or len(self._seen) > self._most:
            self.error = NetworkError("Microsoft Graph returned next pages without end.", reached=True)
            self.next, self.found = None, []
        else:
            self._seen.add(self.next.path)


def listed(outcome: Outcome) -> list[dict[str, t.Any]] | OffboardingError:
    """The objects of an answer that is a list in one page. Anything else is an error: it does not prove that a user is absent."""
    if isinstance(outcome, OffboardingError):
        return outcome
    if mapping(outcome.body).get("@odata.nextLink"):
        return NetworkError("Microsoft Graph did not return the whole list.", reached=True)
    return _objects_in(outcome)


def _objects_in(answer: Answer) -> list[dict[str, t.Any]] | OffboardingError:
    objects = mapping(answer.body).get("value")
    if isinstance(objects, list) and all(isinstance(one, dict) for one in objects):
        return objects
    return NetworkError("Microsoft Graph did not return a list.", reached=True)


def single(outcome: Outcome) -> list[dict[str, t.Any]] | OffboardingError:
    """The object of an answer to a question for one, as a list; an empty one where Graph says that there is none."""
    if isinstance(outcome, OffboardingError):
        # A fault may have that code as well; it does not prove that a user is absent.
        absent = isinstance(outcome, ServiceError) and outcome.status == 404
        return [] if absent and outcome.code == "Request_ResourceNotFound" else outcome
    if not mapping(outcome.body):
        return NetworkError("Microsoft Graph did not return an object.", reached=True)
    return [outcome.body]
