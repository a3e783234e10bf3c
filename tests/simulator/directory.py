# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of the tenant: users, groups, roles, apps, mailboxes, and the switches where sources disagree.

Tests may read and change everything here while the tenant runs: `directory.user("jane")["accountEnabled"] = False`.
"""

from __future__ import annotations

import copy
import hashlib
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from . import people
from .apps import NAMESPACE, App
from .mailbox import Mailbox, as_of
from .residual import Residual, device
from .roles import TEMPLATES

# Properties by which users are found without looking at everyone.
_INDEXED = frozenset({"userPrincipalName", "mail", "proxyAddresses", "mailNickname"})


def timestamp(moment: datetime) -> str:
    """As Graph writes it: timezone.utc, whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class User:
    """A user: its Graph properties by name, its mailbox, and what Graph does not tell."""

    __slots__ = (
        "_access",
        "_directory",
        "back",
        "groups",
        "history",
        "id",
        "key",
        "mailbox",
        "mailbox_back",
        "manager",
        "passwords",
        "properties",
        "residual",
        "roles",
        "sessions_alive",
    )

    def __init__(self, directory: Directory, key: str, identifier: str, properties: dict[str, Any]) -> None:
        self._directory = directory
        self.key = key
        self.id = identifier
        self.properties = properties
        self.mailbox: Mailbox | None = None
        # After a restoration: when Graph, and when Exchange knows of it (by time.monotonic).
        self.back = self.mailbox_back = 0.0
        self.residual = Residual()
        # The key of their manager.
        self.manager: str | None = None
        self.roles: set[str] = set()
        self.groups: set[str] = set()
        # SHA-256 of every password it was given, oldest first.
        self.passwords: list[str] = []
        # Whether its sessions (a guest's are at home) have outlived every revocation so far.
        self.sessions_alive = True
        self.history: list[tuple[float, dict[str, Any]]] = []
        self._access: list[tuple[float, dict[str, Any]]] = []

    def __getitem__(self, name: str) -> Any:
        return self.properties[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def get(self, name: str) -> Any:
        return self.properties.get(name)

    @property
    def upn(self) -> str:
        return str(self.properties["userPrincipalName"])

    @property
    def guest(self) -> bool:
        return self.properties.get("userType") == "Guest"

    @property
    def synced(self) -> bool:
        return self.properties.get("onPremisesSyncEnabled") is True

    def update(self, changes: dict[str, Any]) -> None:
        """Change properties; replicas go on showing the old ones for a while, where they lag."""
        self.history.append((time.monotonic(), dict(self.properties)))
        reindex = not _INDEXED.isdisjoint(changes)
        if reindex:
            self._directory.unindex(self)
        self.properties.update(changes)
        if reindex:
            self._directory.index(self)

    @property
    def there(self) -> bool:
        """Does Graph show it already?"""
        return self.back <= time.monotonic()

    @property
    def reachable_mailbox(self) -> Mailbox | None:
        """The mailbox, where Exchange knows it (again)."""
        return self.mailbox if self.mailbox_back <= time.monotonic() else None

    def remember_access(self) -> None:
        """To be called before objects, groups or roles change: replicas go on showing them as they are now."""
        self._access.append((time.monotonic(), copy.deepcopy(self._holdings())))

    def as_seen(self, lag: float) -> User:
        """The user with the objects, groups and roles that a replica shows which is `lag` seconds behind."""
        now = self._holdings()
        then = as_of(self._access, now, lag)
        if then is now:
            return self
        seen = copy.copy(self)
        for name, value in then.items():
            setattr(seen, name, value)
        return seen

    def _holdings(self) -> dict[str, Any]:
        return {"residual": self.residual, "groups": self.groups, "roles": self.roles}

    def as_of(self, lag: float) -> dict[str, Any]:
        return as_of(self.history, self.properties, lag)

    def set_password(self, password: str) -> None:
        self.passwords.append(hashlib.sha256(password.encode()).hexdigest())


@dataclass(slots=True)
class Group:
    """A group; `roles` it holds make it role-assignable."""

    key: str
    id: str
    display_name: str
    roles: set[str] = field(default_factory=set)
    # The groups it is a member of itself.
    groups: set[str] = field(default_factory=set)
    # Ids of devices and service principals that are members.
    things: list[str] = field(default_factory=list)
    mail: str | None = None
    visibility: str = "Private"
    group_types: list[str] = field(default_factory=list)
    synced: bool = False
    membership_rule: str | None = None

    @property
    def dynamic(self) -> bool:
        return "DynamicMembership" in self.group_types

    @property
    def hidden(self) -> bool:
        return self.visibility == "HiddenMembership"

    @property
    def role_assignable(self) -> bool:
        return bool(self.roles)


@dataclass(slots=True)
class Settings:
    """Where sources contradict one another, or a tenant may be like this or like that."""

    # Seconds by which reads lag behind writes; Exchange may have its own, and so may the index (advanced queries).
    replica_lag: float = 0.0
    exchange_replica_lag: float | None = None
    index_lag: float = 0.0
    # Microsoft's clock minus ours, in seconds.
    clock_offset: float = 0.0
    has_exchange: bool = True
    # PATCH accountEnabled of a synced user: "accepted" (and later overwritten) or "refused".
    synced_block: str = "accepted"
    # May an app without an Entra role set passwords of ordinary people? The documentation says no, projects say yes.
    password_needs_role: bool = True
    # What a revocation answers: 200 with a body, or 204.
    revoke_status: int = 200
    # An apostrophe in the key of a path: "plain" or "doubled".
    apostrophe_in_path: str = "plain"
    # OData casts behind transitiveMemberOf count as advanced queries: "never", "with_parameters" or "always".
    cast_is_advanced: str = "with_parameters"
    # UPN of a deleted user: "prefixed" by its id without dashes, or "plain".
    deleted_upn: str = "prefixed"
    # Do the objects behind an OData cast still tell their type?
    cast_shows_type: bool = True
    # Answer to an unknown mailbox, and its text ("ex6f9304" or "ex41baf5").
    mailbox_not_found_status: int = 404
    mailbox_not_found_text: str = "ex6f9304"
    # The object that such an answer names, where it is not the one that was asked for.
    mailbox_not_found_names: str = ""
    # Exchange batches: 0, or the status that refuses all of them; the limit; is there a `status` in inner answers?
    exchange_batch_refusal: int = 0
    exchange_batch_limit: int = 10
    exchange_batch_status: bool = True
    ecp_settable: bool = True
    # Seconds that Exchange takes for each cmdlet; in a batch one after the other (throttling by delay).
    exchange_call_delay: float = 0.0
    # Parameters of Set-CASMailbox that this tenant, or the caller's role, does not have (EwsEnabled, after April 2027).
    missing_parameters: tuple[str, ...] = ()
    # Do rows say whose mailbox they are about (ExternalDirectoryObjectId)?
    mailbox_tells_owner: bool = True
    # Rows on a page of Exchange, where that is fewer than the client asks for; may a page be empty and not the last?
    exchange_page_size: int = 1000
    exchange_empty_first_page: bool = False
    # The host that a tenant is sent to by 302, empty for none.
    exchange_redirect: str = ""
    # Seconds, one less than a token lives.
    token_lifetime: int = 3599
    # Decides the order of the answers in a batch.
    batch_seed: int = 365
    # Users on a page, where the client does not say.
    page_size: int = 100
    # Seconds after which a page token is refused; 0 is never. Microsoft gives no number, and reports show that it happens.
    page_token_life: float = 0.0
    # Is filtering by employeeLeaveDateTime an advanced query? The user resource says nothing, the table of filters lists its
    # sister employeeHireDate as advanced, and scripts that use it send the advanced parameters.
    leave_date_is_advanced: bool = True
    # Does reading employeeHireDate take User-LifeCycleInfo.Read.All, as its sister employeeLeaveDateTime does? The page of the
    # user resource asks for nothing but User.Read.All, and sources differ.
    hire_date_needs_lifecycle: bool = False
    # Does /users take $expand=manager? The page of the manager says so; without, it is an unknown navigation property.
    takes_manager: bool = True
    # Members of a group with hidden membership, without Member.Read.Hidden: "empty" or "denied". The docs say "required".
    hidden_members: str = "empty"
    # Collections of an object that the app may not read: "empty" (seen of users) or "null" (the docs' wording).
    hidden_collections: str = "empty"
    # May DelegatedPermissionGrant.Read.All read grants? It exists; the permissions of the path do not list it.
    grants_read_all: bool = False
    # Code of the answer to inbox rules of somebody without a mailbox: this or "ResourceNotFound", both seen, even in turn.
    rules_no_mailbox: str = "MailboxNotEnabledForRESTAPI"
    rules_page_size: int = 10
    # What Exchange calls another recipient in ForwardingAddress and GrantSendOnBehalfTo: its name, which is the "id" of the
    # user in newer tenants (seen live), or the "display_name".
    recipient_names: str = "id"
    # Null as the value of a cmdlet's parameter: "refused" or "accepted". Nobody has published an answer.
    null_parameters: str = "refused"
    # Whether phones have been in touch since they were blocked: only then Get-MobileDevice shows their new access state.
    phones_connected: bool = False
    # Seconds after a restoration in which Graph still answers 404 (Graph docs, errors: replication), and Exchange too.
    restore_lag: float = 0.5
    restored_mailbox_delay: float = 1.0


class Directory(Settings):
    """All that is in the tenant."""

    def __init__(
        self, apps: dict[str, App], tenant_id: str, domain: str = "contoso.com", *, numbered: bool = False
    ) -> None:
        """`numbered`: object IDs of its own, for a tenant that stands beside another one."""
        super().__init__()
        self.apps = apps
        self.tenant_id = tenant_id
        self._namespace = uuid.uuid5(NAMESPACE, domain) if numbered else NAMESPACE
        for app in apps.values() if numbered else ():
            app.object_id = self._id(f"service principal {app.name}")
        self.domain = domain
        self.initial_domain = f"{domain.partition('.')[0]}.onmicrosoft.com"
        self.accepted_domains: dict[str, str] = {}
        # Mail contacts: display name -> address outside.
        self.contacts: dict[str, str] = {}
        self.reset()

    def reset(self) -> None:
        """Everybody as on the first day, every switch as by default; apps and their secrets stay."""
        for setting in fields(Settings):
            setattr(self, setting.name, setting.default)
        self.users: dict[str, User] = {}
        self.deleted: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        # By id: devices that belong to nobody, and service principals of other people's applications; the latter by key too.
        self.accepted_domains = {
            self.domain: "Authoritative",
            self.initial_domain: "Authoritative",
            f"{self.domain.partition('.')[0]}.net": "InternalRelay",
        }
        self.contacts = {"Carl Contact": "carl.contact@example.net"}
        self.devices: dict[str, dict[str, Any]] = {}
        self.service_principals: dict[str, dict[str, Any]] = {}
        self._service_principal_keys: dict[str, str] = {}
        self.crowd_size = 0
        self._keys: dict[str, str] = {}
        self._index: dict[str, set[str]] = {}
        people.populate(self)

    def _id(self, text: str) -> str:
        """An object ID that follows from a text."""
        return str(uuid.uuid5(self._namespace, text))

    # Time ------------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """By Microsoft's clock, in whole seconds."""
        return datetime.fromtimestamp(int(time.time()), UTC) + timedelta(seconds=self.clock_offset)

    def ago(self, **span: float) -> str:
        return timestamp(self.now() - timedelta(**span))

    # Users -----------------------------------------------------------------------------------------------------

    def add(self, key: str, properties: dict[str, Any]) -> User:
        """Add a user with these Graph properties; `id` is derived from the key."""
        identifier = self._id(key)
        user = User(self, key, identifier, {"id": identifier, **properties})
        self.users[identifier] = user
        self._keys[key] = identifier
        self.index(user)
        return user

    def add_crowd(self, count: int, group: str | None = None) -> list[User]:
        """Add that many ordinary people, `user00000@...` and on, as members of a group; cheap enough for tens of thousands."""
        crowd = people.crowd(self, count)
        if group is not None:
            identifier = self.group(group).id
            for user in crowd:
                user.groups.add(identifier)
        return crowd

    def user(self, name: str) -> User:
        """By key, object ID, UPN or address; deleted ones too."""
        identifier = self._keys.get(name, name)
        found = self.users.get(identifier) or self.deleted.get(identifier)
        if found is None:
            named = self.named(name)
            if len(named) != 1:
                raise LookupError(f"{len(named)} users are called {name!r}")
            found = named[0]
        return found

    def by_upn(self, upn: str) -> User | None:
        for identifier in self._index.get(f"userprincipalname:{upn.lower()}", ()):
            return self.users[identifier]
        return None

    def indexed(self, name: str, value: str) -> list[User]:
        """Users whose indexed property has this value, in any case."""
        return [self.users[identifier] for identifier in sorted(self._index.get(f"{name.lower()}:{value.lower()}", ()))]

    def named(self, name: str) -> list[User]:
        """Users with this UPN, mail, proxy address or alias."""
        found: dict[str, User] = {}
        for prop, value in (
            ("userPrincipalName", name),
            ("mail", name),
            ("proxyAddresses", f"smtp:{name}"),
            ("mailNickname", name),
        ):
            found.update({user.id: user for user in self.indexed(prop, value)})
        return list(found.values())

    def everyone(self) -> list[User]:
        return list(self.users.values())

    def recipients(self) -> list[dict[str, Any]]:
        """All that Exchange can send mail to, as Get-Recipient reports it."""
        found = []
        for user in self.everyone():
            address = str(user.get("mail") or "")
            if address and (not user.mailbox or user.reachable_mailbox):
                kind = "UserMailbox" if user.mailbox else "GuestMailUser" if user.guest else "MailUser"
                elsewhere = "" if user.mailbox else f"SMTP:{address}"
                found.append(_recipient(user.id, user.id, str(user.get("displayName")), kind, address, elsewhere))
        for group in self.groups.values():
            if group.mail:
                kind = "MailUniversalDistributionGroup"
                found.append(_recipient(group.id, group.display_name, group.display_name, kind, group.mail, ""))
        for name, address in self.contacts.items():
            found.append(_recipient(self._id(f"contact {name}"), name, name, "MailContact", address, f"SMTP:{address}"))
        return found

    def recipients_named(self, identity: str) -> list[dict[str, Any]]:
        """By object ID, name, display name, address or legacy distinguished name."""
        names = ("ExternalDirectoryObjectId", "Name", "DisplayName", "PrimarySmtpAddress", "LegacyExchangeDN")
        wanted = identity.lower()
        return [one for one in self.recipients() if wanted in (one[name].lower() for name in names)]

    def delete(self, user: User) -> None:
        """Into the bin, for 30 days (Graph docs, user-delete and directory-deleteditems-list)."""
        self.unindex(user)
        del self.users[user.id]
        user.properties["deletedDateTime"] = timestamp(self.now())
        self.deleted[user.id] = user

    def deleted_state(self, user: User) -> dict[str, Any]:
        """The properties of a deleted user, under the name that the bin shows."""
        if self.deleted_upn == "plain":
            return user.properties
        return {**user.properties, "userPrincipalName": f"{user.id.replace('-', '')}{user.upn}"}

    def synchronise(self) -> None:
        """What the next cycle of Entra Connect does: the state of Active Directory, where nobody is disabled, wins."""
        for user in self.everyone():
            if user.synced and not user["accountEnabled"]:
                user["accountEnabled"] = True

    def in_bin(self, identifier: str) -> User | None:
        """A deleted user, for 30 days (Graph docs, directory-deleteditems-restore)."""
        user = self.deleted.get(identifier)
        if user is None or datetime.fromisoformat(user["deletedDateTime"]) < self.now() - timedelta(days=30):
            return None
        return user

    def restore(self, user: User) -> None:
        """Back from the bin; the mailbox comes a little later."""
        del self.deleted[user.id]
        user.properties["deletedDateTime"] = None
        user.back = time.monotonic() + self.restore_lag
        user.mailbox_back = time.monotonic() + self.restored_mailbox_delay
        self.users[user.id] = user
        self.index(user)

    def index(self, user: User) -> None:
        for entry in _entries(user):
            self._index.setdefault(entry, set()).add(user.id)

    def unindex(self, user: User) -> None:
        for entry in _entries(user):
            self._index.get(entry, set()).discard(user.id)

    # Groups and roles --------------------------------------------------------------------------------------------

    def add_group(
        self, key: str, display_name: str, roles: Iterable[str] = (), groups: Iterable[str] = (), **more: Any
    ) -> Group:
        """`groups`: ids of the groups it is a member of."""
        group = Group(key, self._id(f"group {key}"), display_name, set(roles), set(groups), **more)
        self.groups[group.id] = group
        return group

    def group(self, name: str) -> Group:
        """By key, object ID or display name."""
        found = [group for group in self.groups.values() if name in (group.key, group.id, group.display_name)]
        if len(found) != 1:
            raise LookupError(f"{len(found)} groups are called {name!r}")
        return found[0]

    def within(self, group: Group, *, transitive: bool) -> list[Group]:
        """The group itself, and the groups in it."""
        found = [group]
        for outer in found if transitive else ():
            found += [inner for inner in self.groups.values() if outer.id in inner.groups and inner not in found]
        return found

    def members_of(self, group: Group, *, transitive: bool) -> tuple[list[User], list[Group], list[str]]:
        """Users, groups, and ids of devices and service principals."""
        places = self.within(group, transitive=transitive)
        ids = {place.id for place in places}
        # Most people are in no group at all.
        users = [user for user in self.users.values() if user.groups and not ids.isdisjoint(user.groups)]
        groups = [other for other in self.groups.values() if not ids.isdisjoint(other.groups)]
        return users, groups, list(dict.fromkeys(thing for place in places for thing in place.things))

    def groups_of(self, user: User, *, transitive: bool) -> Iterator[Group]:
        seen: set[str] = set()
        waiting = sorted(user.groups)
        while waiting:
            identifier = waiting.pop(0)
            if identifier in seen or identifier not in self.groups:
                continue
            seen.add(identifier)
            group = self.groups[identifier]
            yield group
            if transitive:
                waiting.extend(sorted(group.groups))

    def roles_of(self, user: User, *, transitive: bool = True) -> list[str]:
        """Directory roles held: directly, and through groups."""
        held = set(user.roles)
        if transitive:
            for group in self.groups_of(user, transitive=True):
                held |= group.roles
        return sorted(held)

    def in_role_assignable_group(self, user: User) -> bool:
        return any(group.role_assignable for group in self.groups_of(user, transitive=True))

    def role_id(self, role: str) -> str:
        """Object ID of the directoryRole; the template's id is the same in every tenant, this is not."""
        return str(uuid.uuid5(uuid.UUID(self.tenant_id), TEMPLATES[role]))

    def role_properties(self, role: str) -> dict[str, Any]:
        return {
            "id": self.role_id(role),
            "description": f"{role} of this organization.",
            "displayName": role,
            "roleTemplateId": TEMPLATES[role],
        }

    def group_properties(self, group: Group) -> dict[str, Any]:
        return {
            "id": group.id,
            "createdDateTime": "2024-01-15T08:00:00Z",
            "description": group.display_name,
            "displayName": group.display_name,
            "groupTypes": list(group.group_types),
            "isAssignableToRole": group.role_assignable or None,
            "mail": group.mail,
            "mailEnabled": group.mail is not None,
            "mailNickname": group.key,
            "membershipRule": group.membership_rule,
            "onPremisesSyncEnabled": group.synced or None,
            "securityEnabled": "Unified" not in group.group_types,
            "visibility": group.visibility,
        }

    # Apps --------------------------------------------------------------------------------------------------------

    def add_service_principal(self, key: str, display_name: str, app_id: str | None = None) -> str:
        """Somebody else's application, as it stands in this tenant; returns its object ID."""
        identifier = self._id(f"foreign service principal {key}")
        self._service_principal_keys[key] = identifier
        self.service_principals[identifier] = {
            "id": identifier,
            "deletedDateTime": None,
            "accountEnabled": True,
            "appDisplayName": display_name,
            "appId": app_id or str(uuid.uuid5(NAMESPACE, f"foreign application {key}")),
            "displayName": display_name,
            "servicePrincipalType": "Application",
            "signInAudience": "AzureADMultipleOrgs",
        }
        return identifier

    def service_principal_id(self, name: str) -> str:
        """By key or id; a name that nobody has gets an id that nobody has."""
        known = self._service_principal_keys.get(name)
        return known or (name if name.count("-") == 4 and len(name) == 36 else self._id(f"gone {name}"))

    def service_principal(self, identifier: str) -> dict[str, Any] | None:
        for app in self.apps.values():
            if app.object_id == identifier:
                return {
                    "id": app.object_id,
                    "deletedDateTime": None,
                    "accountEnabled": app.enabled,
                    "appDisplayName": app.display_name,
                    "appId": app.client_id,
                    "displayName": app.display_name,
                    "servicePrincipalType": "Application",
                    "signInAudience": "AzureADMyOrg",
                }
        return self.service_principals.get(identifier)

    def add_device(self, key: str, display_name: str) -> str:
        """A device that belongs to nobody here; returns its object ID."""
        identifier = self._id(f"device {key}")
        self.devices[identifier] = device(identifier, self._id(f"registered device {key}"), displayName=display_name)
        return identifier

    def app_by_client_id(self, client_id: str) -> App | None:
        for app in self.apps.values():
            if app.client_id == client_id.lower():
                return app
        return None

    def is_tenant(self, name: str) -> bool:
        return name.lower() in {self.tenant_id, self.domain, self.initial_domain}


def _entries(user: User) -> Iterator[str]:
    for name in ("userPrincipalName", "mail", "mailNickname"):
        value = user.properties.get(name)
        if value:
            yield f"{name.lower()}:{value.lower()}"
    for address in user.properties.get("proxyAddresses") or ():
        yield f"proxyaddresses:{address.lower()}"


def _recipient(identity: str, name: str, display_name: str, kind: str, address: str, elsewhere: str) -> dict[str, Any]:
    return {
        "ExternalDirectoryObjectId": identity,
        "Identity": name,
        "Name": name,
        "DisplayName": display_name,
        "RecipientType": "MailUser" if kind == "GuestMailUser" else kind,
        "RecipientTypeDetails": kind,
        "PrimarySmtpAddress": address,
        "ExternalEmailAddress": elsewhere or None,
        "LegacyExchangeDN": f"/o=ExchangeLabs/ou=Exchange/cn=Recipients/cn={identity.replace('-', '')}",
    }
