# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""Microsoft Graph v1.0: the few calls about users that this collection makes, and what their answers mean."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import typing as t
import urllib.parse

from ._asked import OBJECT_ID, name_key
from ._credentials import Token
from ._errors import NetworkError, OffboardingError, ServiceError, shorten
from ._service import Answer, Call, Outcome, Service, mapping
from ._times import parse_moment

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
# Selecting this without its permission fails the whole read (https://learn.microsoft.com/graph/api/user-get).
LEAVE_DATE_PERMISSION = "User-LifeCycleInfo.Read.All"

# https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
_GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
# A list that goes on longer than this is none: a page holds a hundred objects or more.
_MOST_PAGES = 10_000
# https://learn.microsoft.com/graph/aad-advanced-queries; goes with $count=true
_ADVANCED = {"ConsistencyLevel": "eventual"}
# All that a search asks for, as many to a page as it may hold. Of users: https://learn.microsoft.com/graph/api/user-list; of
# members: https://learn.microsoft.com/graph/api/group-list-transitivemembers
_OBJECT_IDS = "$select=id&$top=999"


@dataclasses.dataclass(frozen=True)
class User:
    """What Graph says of a user. Moments are aware; C(None) is what Graph left out or gave as null."""

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
    # Whether this was found among the deleted, and since when it is there as far as known.
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
            display_name=display_name if isinstance(display_name, str) else None,
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
        )

    @property
    def is_guest(self) -> bool:
        """Whether password and sessions live in another tenant: C(#EXT#) marks that, C(userType) may be changed."""
        return "#ext#" in name_key(self.user_principal_name)


def _moment(text: t.Any) -> datetime.datetime | None:
    try:
        moment = parse_moment(text) if isinstance(text, str) else None
    except ValueError:
        return None
    # Nothing that Microsoft dates so is meant as a moment, and an hour later would be beyond the calendar.
    return moment if moment and moment.year < datetime.MAXYEAR else None


def _sequence(value: t.Any) -> list[t.Any]:
    return value if isinstance(value, list) else []


class Graph(Service):
    """https://learn.microsoft.com/graph/overview"""

    name = "Microsoft Graph"
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
        """Graph's error envelope (https://learn.microsoft.com/graph/errors); its C(innerError) has two spellings."""
        error = mapping(mapping(answer.body).get("error"))
        inner = mapping(error.get("innerError") or error.get("innererror"))
        code = str(error.get("code") or f"http_{answer.status}")
        text = shorten(str(error.get("message") or "no reason given"))
        return ServiceError(
            f"Microsoft Graph answered {answer.status} {code}: {text}",
            status=answer.status,
            code=code,
            hint=_HINTS.get(answer.status),
            request_id=inner.get("request-id") or answer.request_id,
        )

    def digest(self, body: t.Any) -> t.Any:
        """A user comes with dozens of service plans; only Exchange's says anything here."""
        for user in [body, *_sequence(mapping(body).get("value"))]:
            if "assignedPlans" in mapping(user):
                plans = map(mapping, _sequence(user["assignedPlans"]))
                user["assignedPlans"] = [plan for plan in plans if str(plan.get("service")).lower() == "exchange"]
        return body

    @functools.cached_property
    def reads_leave_dates(self) -> bool:
        """Whether the token shows that C(employeeLeaveDateTime) may be read.

        :raises OffboardingError: there is no token.
        """
        return LEAVE_DATE_PERMISSION in (self.token.permissions or ())

    @functools.cached_property
    def user_select(self) -> str:
        """The properties to ask for; the leave date only where the token may read it.

        :raises OffboardingError: there is no token.
        """
        return ",".join([*_USER_PROPERTIES, *(["employeeLeaveDateTime"] if self.reads_leave_dates else [])])

    def read_lists(self, calls: t.Sequence[Call]) -> list[list[dict[str, t.Any]] | OffboardingError]:
        """All objects of each list, page after page (https://learn.microsoft.com/graph/paging).

        A list is whole, or it is an error: a page that fails, that is none, or that leads elsewhere, spoils it.
        """
        lists = [_List(call) for call in calls]
        while pending := [one for one in lists if one.next]:
            for one, outcome in zip(pending, self.send([t.cast("Call", one.next) for one in pending]), strict=True):
                one.take(outcome, f"{self.base_url}/v1.0")
        return [one.error or one.found for one in lists]

    def get_user(self, object_id: str) -> Call:
        return Call("GET", f"/users/{_segment(object_id)}?$select={self.user_select}")

    def find_user(self, name: str) -> Call:
        """A user by object id, or users by principal name.

        By filter, since a name as path segment may hold C($), C(#) or an apostrophe, and for that last one
        Microsoft's pages do not say how it is to be written.
        """
        if OBJECT_ID.match(name):
            return self.get_user(name)
        condition = f"userPrincipalName eq {_literal(name)}"
        return Call("GET", f"/users?$filter={_query(condition)}&$select={self.user_select}")

    def find_by_address(self, address: str) -> Call:
        """Users who have C(address) as mail or alias: to say whom the operator may have meant, never to act on."""
        literal, proxy = _literal(address), _literal(f"smtp:{address}")
        condition = f"mail eq {literal} or proxyAddresses/any(p:p eq {proxy})"
        return Call("GET", f"/users?$filter={_query(condition)}&$select=id,userPrincipalName")

    def find_deleted(self, name: str, properties: t.Sequence[str] = ("id", "userPrincipalName")) -> Call:
        """A deleted user. Its principal name may have its object id as a prefix, hence C(endsWith)."""
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
        """The object ids of the users who meet a condition of C($filter), page by page.

        An advanced query understands every condition that a plain one does, but is answered from an index that lags
        (https://learn.microsoft.com/graph/aad-advanced-queries): good for who it may be, not for how they are.
        """
        query = f"$filter={_query(condition)}&{_OBJECT_IDS}"
        return Call("GET", f"/users?{'$count=true&' if advanced else ''}{query}", headers=_ADVANCED if advanced else {})

    def find_group(self, name: str) -> Call:
        """A group by object id, or groups by display name or mail address."""
        select = "$select=id,displayName,visibility"
        if OBJECT_ID.match(name):
            return Call("GET", f"/groups/{_segment(name)}?{select}")
        condition = f"displayName eq {_literal(name)} or mail eq {_literal(name)}"
        return Call("GET", f"/groups?$filter={_query(condition)}&{select}")

    def group_members(self, object_id: str) -> Call:
        """The object ids of the users in a group and in the groups in it. A cast needs an advanced query."""
        path = f"/groups/{_segment(object_id)}/transitiveMembers/microsoft.graph.user"
        return Call("GET", f"{path}?$count=true&{_OBJECT_IDS}", headers=_ADVANCED)

    def inbox_rules(self, object_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/mailfolder-list-messagerules"""
        path = f"/users/{_segment(object_id)}/mailFolders/inbox/messageRules"
        return Call("GET", f"{path}?$select=id,displayName,isEnabled,actions")

    def owned_applications(self, object_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/user-list-ownedobjects

        Advanced because of the cast, as in R(directory_roles). Without C($select): the answer holds what is needed, and
        selecting C(keyCredentials) is limited to 150 requests a minute for the whole tenant
        (https://learn.microsoft.com/graph/api/application-list).
        """
        path = f"/users/{_segment(object_id)}/ownedObjects/microsoft.graph.application"
        return Call("GET", f"{path}?$count=true", headers=_ADVANCED)

    def consents(self, object_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/user-list-oauth2permissiongrants"""
        return Call("GET", f"/users/{_segment(object_id)}/oauth2PermissionGrants")

    def service_principal(self, object_id: str) -> Call:
        return Call("GET", f"/servicePrincipals/{_segment(object_id)}?$select=id,displayName")

    def registered_devices(self, object_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/user-list-registereddevices"""
        select = "$select=id,displayName,operatingSystem,accountEnabled,approximateLastSignInDateTime"
        return Call("GET", f"/users/{_segment(object_id)}/registeredDevices?{select}")

    def sign_in_methods(self, object_id: str) -> Call:
        """https://learn.microsoft.com/graph/api/authentication-list-methods; it takes no query options."""
        return Call("GET", f"/users/{_segment(object_id)}/authentication/methods")

    def directory_roles(self, object_id: str) -> Call:
        """Active directory roles, held directly or through a group. Their names need RoleManagement.Read.Directory.

        Graph's page calls casts advanced queries, though they are seen to work without the header: with it, both hold.
        """
        return Call(
            "GET",
            f"/users/{_segment(object_id)}/transitiveMemberOf/microsoft.graph.directoryRole"
            "?$count=true&$select=id,displayName",
            headers=_ADVANCED,
        )

    def global_administrators(self) -> Call:
        """Who holds Global Administrator directly. Needs RoleManagement.Read.Directory.

        https://learn.microsoft.com/graph/api/directoryrole-list-members
        """
        return Call(
            "GET", f"/directoryRoles(roleTemplateId='{_GLOBAL_ADMINISTRATOR}')/members?$select=id,accountEnabled"
        )

    def reset_password(self, object_id: str, password: str) -> Call:
        """https://learn.microsoft.com/graph/api/user-update, C(passwordProfile) alone: it has its own permission."""
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
        """https://learn.microsoft.com/graph/api/user-update, C(accountEnabled) alone: it has its own permission."""
        return Call("PATCH", f"/users/{_segment(object_id)}", {"accountEnabled": enabled}, writes=True)


_HINTS = {
    401: "The token was refused twice: check the audience of a ready token, or the application's state in the tenant.",
    403: "Check the application's permissions and the administrator's consent to them.",
}


def _segment(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _query(text: str) -> str:
    return urllib.parse.quote(text, safe="(),:/'")


def _literal(text: str) -> str:
    """A string of OData: the apostrophe is doubled, then everything is percent-encoded."""
    return "'" + text.replace("'", "''") + "'"


class _List:
    """A list that is being read, page after page."""

    def __init__(self, call: Call) -> None:
        self.next: Call | None = call
        self.found: list[dict[str, t.Any]] = []
        self.error: OffboardingError | None = None
        self._seen: set[str] = set()

    def take(self, outcome: Outcome, root: str) -> None:
        """Add a page, and say in C(next) which one follows.

        :param root: where a following page must be: nobody else may see the token.
        """
        call, self.next = t.cast("Call", self.next), None
        if isinstance(outcome, OffboardingError):
            self.error = outcome
            return
        page = mapping(outcome.body)
        objects, link = page.get("value"), page.get("@odata.nextLink")
        if not isinstance(objects, list) or not all(isinstance(one, dict) for one in objects):
            self.error = NetworkError("Microsoft Graph did not answer with a list.", reached=True)
            return
        self.found += objects
        if link is None:
            return
        if not isinstance(link, str) or link[: len(root) + 1].lower() != f"{root}/".lower():
            self.error = NetworkError("Microsoft Graph names a next page that is not its own.", reached=True)
        elif link in self._seen or len(self._seen) == _MOST_PAGES:
            self.error = NetworkError("Microsoft Graph names next pages without end.", reached=True)
        else:
            self._seen.add(link)
            # Headers are not part of the link (https://learn.microsoft.com/graph/paging).
            self.next = dataclasses.replace(call, path=link[len(root) :])


def listed(answer: Answer) -> list[dict[str, t.Any]]:
    """The objects of an answer: those of its C(value), or the answer itself."""
    body = mapping(answer.body)
    items = body.get("value", [body] if body else [])
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
