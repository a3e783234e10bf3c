# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""Leavers: who is meant by a name or a search, and what can be read of them."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ._asked import OBJECT_ID, Asked, Search, is_name, name_key, same_name
from ._doors import Mailbox
from ._errors import OffboardingError, ServiceError
from ._exchange import Exchange
from ._graph import LEAVE_DATE_PERMISSION, Graph, User, listed
from ._service import Answer, Call, Outcome, side_by_side
from ._times import format_moment

_USER_TYPE = "#microsoft.graph.user"
# Without it, a group that hides its members looks empty.
_HIDDEN_MEMBERS_PERMISSION = "Member.Read.Hidden"


@dataclasses.dataclass(frozen=True)
class Leaver:
    """A leaver as far as known.

    C(error) says why there is no C(user). C(mailbox) is C(None) for who has none, unless C(mailbox_error) says that
    it could not be read; C(mailbox_read) is false until somebody looked. C(roles) are names or ids of directory
    roles, C(None) when not looked at or when C(roles_error) says why not. C(due) is C(None) for somebody whom a search
    found and whose leave date may not be read.
    """

    asked: Asked
    user: User | None = None
    error: OffboardingError | None = None
    left_at: datetime.datetime | None = None
    due: bool | None = True
    protected: bool = False
    mailbox_read: bool = False
    mailbox: Mailbox | None = None
    mailbox_error: OffboardingError | None = None
    roles: tuple[str, ...] | None = None
    roles_error: OffboardingError | None = None

    @property
    def name(self) -> str:
        return self.user.user_principal_name if self.user else self.asked.name

    @property
    def known(self) -> User:
        """The user of a leaver of whom it has been checked that there is one."""
        if self.user is None:
            raise RuntimeError("an unresolved leaver is read no further")
        return self.user


class Tenant:
    """The readings that every module needs, of one tenant, in as few requests as the service allows.

    :param exchange: absent where no mailbox is looked at.
    :param protected: names and ids that no step may touch; the caller's own account is added.
    """

    def __init__(self, graph: Graph, exchange: Exchange | None, protected: t.Iterable[str]) -> None:
        self.graph = graph
        self._exchange = exchange
        self._protected = {name_key(entry): entry for entry in protected}
        # Entries that could not be resolved, with why: they still count as text.
        self.unknown_protected: dict[str, str] = {}
        self._administrators: Outcome | None = None

    @property
    def exchange(self) -> Exchange:
        if self._exchange is None:
            raise RuntimeError("this module does not look at mailboxes")
        return self._exchange

    def resolve(
        self, asked: t.Sequence[Asked], search: Search | None = None, *, administrators: bool = False
    ) -> list[Leaver]:
        """Who the names mean, in the order asked for, then whom a search finds: one leaver per object id.

        A search answers from an index that lags. It says who it may be, and all else is read of them as of the named.

        :param administrators: ask beside it for what R(last_administrators) wants to know.
        :raises OffboardingError: a search that could not be brought to its end.
        """
        if search:
            asked = [*asked, *self._find(search, {name_key(one.name) for one in asked})]
        names = [one.name for one in asked]
        entries = list(self._protected.values())
        shaped = [entry for entry in entries if is_name(entry)]
        calls = [self.graph.find_user(name) for name in [*names, *shaped]]
        outcomes = self.graph.send([*calls, *([self.graph.global_administrators()] if administrators else [])])
        self._administrators = outcomes.pop() if administrators else None
        protected_ids = self._resolve_protected(entries, dict(zip(shaped, outcomes[len(names) :], strict=True)))
        leavers: dict[str, Leaver] = {}
        for one, outcome in zip(asked, outcomes[: len(names)], strict=True):
            leaver = self._leaver(one, outcome, protected_ids)
            key = name_key(leaver.user.id if leaver.user else one.name)
            if key in leavers:
                if one.found:
                    continue
                if leaver.user:
                    leaver = self._leaver(leavers[key].asked.or_as(one), outcome, protected_ids)
            leavers[key] = leaver
        unknown = {key: leaver.asked for key, leaver in leavers.items() if not (leaver.user or leaver.error)}
        for key, error in zip(unknown, self._explain_unknown(list(unknown.values())), strict=True):
            leavers[key] = dataclasses.replace(leavers[key], error=error)
        return list(leavers.values())

    def resolve_with_mailboxes(self, asked: t.Sequence[Asked], search: Search | None = None) -> list[Leaver]:
        """As R(resolve), but where all are asked for by object id, their mailboxes are read meanwhile.

        Exchange needs no more than that. Of the others, C(mailbox_read) says that it is still to be done.
        """
        ids = {name_key(one.name): one.name for one in asked if OBJECT_ID.match(one.name)}
        if search or len(ids) < len(asked):
            return self.resolve(asked, search)
        leavers, found = _at_once(lambda: self.resolve(asked), lambda: self.exchange.read_mailboxes(list(ids.values())))
        mailboxes = dict(zip(ids, found, strict=True))
        keys = [name_key(leaver.user.id) if leaver.user else None for leaver in leavers]
        return [
            _with_mailbox(leaver, mailboxes[key]) if key in mailboxes else leaver
            for leaver, key in zip(leavers, keys, strict=True)
        ]

    def resolve_deleted(self, asked: t.Sequence[Asked]) -> list[Leaver]:
        """As R(resolve), but a user who was deleted, and is the only one of that name, is known as well.

        Of a name that a user has today, the deleted ones are looked for too: either may be meant.
        """
        leavers = self.resolve(asked)
        unsure = [index for index, leaver in enumerate(leavers) if _may_be_deleted(leaver)]
        calls = [self.graph.find_deleted(leavers[index].asked.name, DELETED_PROPERTIES) for index in unsure]
        for index, outcome in zip(unsure, self.graph.send(calls), strict=True):
            leavers[index] = self._deleted(leavers[index], outcome)
        unique: dict[str, Leaver] = {}
        for leaver in leavers:
            unique.setdefault(leaver.user.id if leaver.user else leaver.asked.name, leaver)
        return list(unique.values())

    def _deleted(self, leaver: Leaver, outcome: Outcome) -> Leaver:
        name = leaver.asked.name
        if isinstance(outcome, OffboardingError):
            return dataclasses.replace(leaver, user=None, error=_about(name, outcome))
        found = [one for one in listed(outcome) if _is_deleted_name(one, name)]
        if leaver.user and not found:
            return leaver
        if leaver.user or len(found) != 1:
            which = "; ".join(f"{one.get('id')}, deleted at {one.get('deletedDateTime')}" for one in found)
            if leaver.user:
                message = f"{name} means a user ({leaver.user.id}) and deleted ones ({which}); nothing is guessed."
            else:
                message = f"{name} means {len(found)} deleted users ({which}); nothing is guessed."
            error = OffboardingError(message, code="ambiguous", hint="Ask by object id.")
            return dataclasses.replace(leaver, user=None, error=error)
        try:
            user = User.from_json(found[0])
        except ValueError as exc:
            return dataclasses.replace(leaver, error=OffboardingError(f"{name}: Microsoft Graph answered with {exc}."))
        principal = _name_before_deletion(found[0])
        addresses = user.addresses | {name_key(principal)}
        user = dataclasses.replace(user, user_principal_name=principal, addresses=addresses, deleted=True)
        protected = not addresses.isdisjoint(self._protected)
        return dataclasses.replace(leaver, user=user, error=None, protected=protected)

    def refresh(self, leavers: t.Sequence[Leaver]) -> list[Leaver]:
        """The same leavers with the user read again; C(error) where that failed, with the user as it was."""
        outcomes = self.graph.send([self.graph.get_user(leaver.known.id) for leaver in leavers])
        return [self._reread(leaver, outcome) for leaver, outcome in zip(leavers, outcomes, strict=True)]

    def read_mailboxes(self, leavers: t.Sequence[Leaver]) -> list[Leaver]:
        """The same leavers with their mailboxes read."""
        read = self.exchange.read_mailboxes([leaver.known.id for leaver in leavers])
        return [_with_mailbox(leaver, found) for leaver, found in zip(leavers, read, strict=True)]

    def read_mailboxes_and_roles(self, leavers: t.Sequence[Leaver]) -> list[Leaver]:
        """The same leavers with both read, which come from two services; mailboxes that have been read are kept."""
        unread = [leaver for leaver in leavers if not leaver.mailbox_read]
        read, told = _at_once(lambda: self.read_mailboxes(unread), lambda: self.read_roles(leavers))
        fresh = {leaver.known.id: leaver for leaver in read}
        return [
            dataclasses.replace(fresh.get(one.known.id, one), roles=one.roles, roles_error=one.roles_error)
            for one in told
        ]

    def read_roles(self, leavers: t.Sequence[Leaver]) -> list[Leaver]:
        """The same leavers with their active directory roles read (not those that PIM could activate)."""
        lists = self.graph.read_lists([self.graph.directory_roles(leaver.known.id) for leaver in leavers])
        return [
            dataclasses.replace(leaver, roles=None, roles_error=roles)
            if isinstance(roles, OffboardingError)
            else dataclasses.replace(leaver, roles=_role_names(roles), roles_error=None)
            for leaver, roles in zip(leavers, lists, strict=True)
        ]

    def last_administrators(self, leavers: t.Sequence[Leaver]) -> dict[str, OffboardingError]:
        """By object id, those who must not be locked out lest no enabled Global Administrator remains.

        Where the holders of that role cannot be read, that is everybody who holds any role: without the permission
        for it, Graph does not name the roles either. Whose roles the caller has just read is then believed.
        """
        holders = _found(self._administrators or self.graph.send([self.graph.global_administrators()])[0])
        enabled = {
            str(one.get("id"))
            for one in holders
            # An application that holds the role is no person who could help out.
            if one.get("accountEnabled") is True and str(one.get("@odata.type")).lower() == "#microsoft.graph.user"
        }
        if enabled:
            leaving = {leaver.known.id for leaver in leavers}
            return {} if enabled - leaving else dict.fromkeys(enabled & leaving, _LAST_ADMINISTRATOR)
        unread = [
            leaver
            for leaver in leavers
            if leaver.roles is None and leaver.roles_error is None and leaver.asked.roles is None
        ]
        read = {leaver.known.id: leaver for leaver in self.read_roles(unread)}
        leavers = [read.get(leaver.known.id, leaver) for leaver in leavers]
        held = {leaver.known.id: leaver.roles or leaver.roles_error or leaver.asked.roles for leaver in leavers}
        return {identity: _PERHAPS_LAST_ADMINISTRATOR for identity, roles in held.items() if roles}

    def _leaver(self, asked: Asked, outcome: Outcome, protected_ids: t.Collection[str]) -> Leaver:
        if isinstance(outcome, OffboardingError):
            if outcome.code == "Request_ResourceNotFound":
                return Leaver(asked)
            return Leaver(asked, error=_about(asked.name, outcome))
        found = listed(outcome)
        if len(found) > 1:
            message = f"{asked.name} means {len(found)} users; nothing is guessed."
            return Leaver(asked, error=OffboardingError(message, code="ambiguous", hint="Ask by object id."))
        if not found:
            return Leaver(asked)
        try:
            user = User.from_json(found[0])
        except ValueError as exc:
            return Leaver(asked, error=OffboardingError(f"{asked.name}: Microsoft Graph answered with {exc}."))
        if asked.found:
            # Nobody named them, so their own date counts, also one that lies ahead.
            left_at = user.leaves or asked.left_at
            asked = dataclasses.replace(asked, name=user.user_principal_name)
        else:
            # Somebody named them, and people are dismissed early: a date that lies ahead does not count.
            left_at = asked.left_at or (user.leaves if user.leaves and user.leaves <= self._now else None)
        protected = name_key(user.id) in protected_ids or not user.addresses.isdisjoint(self._protected)
        return Leaver(asked, user, left_at=left_at, due=self._is_due(asked, user, left_at), protected=protected)

    def _is_due(self, asked: Asked, user: User, left_at: datetime.datetime | None) -> bool | None:
        """Whether they are to be out by now. C(None) where they might leave later, as far as can be read."""
        if left_at:
            return left_at <= self._now
        if asked.found and not self.graph.reads_leave_dates and user.account_enabled is not False:
            return None
        return True

    @property
    def _now(self) -> datetime.datetime:
        return self.graph.now or datetime.datetime.now(datetime.timezone.utc)

    def _find(self, search: Search, named: t.Collection[str]) -> list[Asked]:
        """Whom a search finds, each once, without those who are named by object id.

        Nobody is left out in silence: what cannot be read whole is an error.
        """
        found: dict[str, Asked] = {}
        for source, call in self._searches(search):
            users = self.graph.read_lists([call])[0]
            if isinstance(users, OffboardingError):
                raise _not_found_out(source, users)
            for user in users:
                if str(user.get("@odata.type", _USER_TYPE)).lower() != _USER_TYPE:
                    continue
                object_id = str(user.get("id"))
                if not OBJECT_ID.match(object_id):
                    raise _not_found_out(source, OffboardingError("Microsoft Graph told of a user without object id."))
                found.setdefault(name_key(object_id), Asked(object_id, search.left_at, found=True))
        return [one for key, one in found.items() if key not in named]

    def _searches(self, search: Search) -> t.Iterator[tuple[str, Call]]:
        """Each part of a search, as an operator calls it, with the list to read."""
        if search.condition:
            yield "filter", self.graph.list_users(search.condition, advanced=True)
        if search.group:
            yield "group", self.graph.group_members(self._group_id(search.group))
        if search.left_before:
            if not self.graph.reads_leave_dates:
                raise OffboardingError(
                    f"left_before needs the permission {LEAVE_DATE_PERMISSION}, which the token does not show.",
                    code="missing_permission",
                    hint="Grant it to the application with an administrator's consent.",
                )
            condition = f"employeeLeaveDateTime le {format_moment(search.left_before)}"
            yield "left_before", self.graph.list_users(condition, advanced=True)
        if search.blocked:
            yield "blocked", self.graph.list_users("accountEnabled eq false", advanced=False)

    def _group_id(self, name: str) -> str:
        """The object id of the one group of this name, whose members may all be read."""
        outcome = self.graph.send([self.graph.find_group(name)])[0]
        if isinstance(outcome, OffboardingError) and outcome.code != "Request_ResourceNotFound":
            raise _not_found_out("group", outcome)
        groups = [group for group in _found(outcome) if isinstance(group.get("id"), str)]
        if len(groups) != 1:
            ids = ", ".join(str(group["id"]) for group in groups)
            raise OffboardingError(
                f"{len(groups)} groups are called {name}: {ids}." if groups else f"There is no group {name}.",
                code="ambiguous" if groups else "not_found",
                hint="Name it by its object id." if groups else "Give its object id, display name or mail address.",
            )
        hidden = str(groups[0].get("visibility")).lower() == "hiddenmembership"
        if hidden and _HIDDEN_MEMBERS_PERMISSION not in (self.graph.permissions or ()):
            raise OffboardingError(
                f"The group {name} hides its members; reading them needs the permission {_HIDDEN_MEMBERS_PERMISSION}.",
                code="missing_permission",
            )
        return str(groups[0]["id"])

    def _reread(self, leaver: Leaver, outcome: Outcome) -> Leaver:
        if isinstance(outcome, Answer):
            try:
                return dataclasses.replace(leaver, user=User.from_json(listed(outcome)[0]), error=None)
            except (ValueError, IndexError):
                outcome = OffboardingError(f"{leaver.name}: Microsoft Graph did not answer with a user.")
        return dataclasses.replace(leaver, error=outcome)

    def _resolve_protected(self, entries: t.Iterable[str], outcomes: t.Mapping[str, Outcome]) -> set[str]:
        """Object ids of the protected; entries that mean nobody are remembered by name."""
        ids = {name_key(self.graph.token.object_id or "")}
        self.unknown_protected = {}
        for entry in entries:
            outcome = outcomes.get(entry)
            if not _found(outcome) and is_name(entry) and not OBJECT_ID.match(entry):
                outcome = self.graph.send([self.graph.find_by_address(entry)])[0]
            if not _found(outcome):
                unread = isinstance(outcome, OffboardingError) and outcome.code != "Request_ResourceNotFound"
                self.unknown_protected[entry] = "could not be looked up" if unread else "means no user of this tenant"
            ids.update(name_key(str(user.get("id"))) for user in _found(outcome))
        return ids - {""}

    def _explain_unknown(self, unknown: t.Sequence[Asked]) -> list[OffboardingError]:
        """Why names mean nobody: deleted, another name of somebody, or really unknown. Explained, never guessed."""
        names = [one.name for one in unknown]
        deleted = self.graph.send([self.graph.find_deleted(name) for name in names])
        addresses = [name for name in names if not OBJECT_ID.match(name)]
        owners = dict(
            zip(addresses, self.graph.send([self.graph.find_by_address(name) for name in addresses]), strict=True)
        )
        return [
            _why_unknown(one, _found(outcome), _found(owners.get(one.name)))
            for one, outcome in zip(unknown, deleted, strict=True)
        ]


def _at_once(*readings: t.Callable[[], t.Any]) -> list[t.Any]:
    """What each of these gives, each of a service of its own: they share neither gate nor patience."""
    return side_by_side(lambda reading: reading(), readings, len(readings))


def _with_mailbox(leaver: Leaver, found: Mailbox | OffboardingError | None) -> Leaver:
    error = found if isinstance(found, OffboardingError) else None
    mailbox = found if isinstance(found, Mailbox) else None
    return dataclasses.replace(leaver, mailbox_read=True, mailbox=mailbox, mailbox_error=error)


def _why_unknown(
    asked: Asked, deleted: t.Sequence[t.Mapping[str, t.Any]], owners: t.Sequence[t.Mapping[str, t.Any]]
) -> OffboardingError:
    name = asked.name
    gone = [user for user in deleted if _is_deleted_name(user, name)]
    if gone:
        return OffboardingError(
            f"{name} was deleted at {gone[0].get('deletedDateTime') or 'an unknown moment'}.",
            code="deleted",
            hint="A deleted user cannot sign in; if restored, the account must be offboarded again.",
        )
    if owners:
        names = " and ".join(str(user.get("userPrincipalName")) for user in owners)
        return OffboardingError(
            f"{name} is no user principal name but an address of {names}.",
            code="not_a_principal_name",
            hint="If that is who you mean, ask for that name.",
        )
    if asked.found:
        return OffboardingError(
            f"{name} was found, but there is no such user.",
            code="not_found",
            hint="They were deleted meanwhile, or are too new to be read: run again.",
        )
    return OffboardingError(
        f"There is no user {name}.",
        code="not_found",
        hint="Check the spelling. Mail addresses and aliases are not names of users.",
    )


_LAST_ADMINISTRATOR = OffboardingError(
    "No enabled Global Administrator would be left in the tenant; nothing was sent.",
    code="last_global_administrator",
    hint="Give the role to somebody who stays, then run again.",
)
_PERHAPS_LAST_ADMINISTRATOR = OffboardingError(
    "The user holds a directory role, and whether another Global Administrator remains could not be read; "
    "nothing was sent.",
    code="administrators_unread",
    hint="Grant the application the permission RoleManagement.Read.Directory.",
)


def _found(outcome: Outcome | None) -> list[dict[str, t.Any]]:
    return listed(outcome) if isinstance(outcome, Answer) else []


# What says who a deleted user is, whether it is protected, and what it would be if it came back.
DELETED_PROPERTIES = (
    "id",
    "userPrincipalName",
    "displayName",
    "mail",
    "proxyAddresses",
    "accountEnabled",
    "onPremisesSyncEnabled",
    "isManagementRestricted",
)


def _may_be_deleted(leaver: Leaver) -> bool:
    if leaver.user:
        return not OBJECT_ID.match(leaver.asked.name)
    return bool(leaver.error and leaver.error.code == "deleted")


def _is_deleted_name(user: t.Mapping[str, t.Any], name: str) -> bool:
    return same_name(name, user.get("id")) or same_name(name, _name_before_deletion(user))


def _name_before_deletion(user: t.Mapping[str, t.Any]) -> str:
    """Some tenants show the name of a deleted user with its object id as a prefix."""
    name, prefix = str(user.get("userPrincipalName")), str(user.get("id")).replace("-", "")
    return name[len(prefix) :] if name_key(name).startswith(name_key(prefix)) else name


def _role_names(roles: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[str, ...]:
    """Any object in the answer is a role; without permission for its name it is told by id."""
    return tuple(str(role.get("displayName") or role.get("id")) for role in roles if role.get("id"))


def _not_found_out(source: str, error: OffboardingError) -> OffboardingError:
    explained = error.within(f"Could not find out who is meant by {source}")
    status = error.status if isinstance(error, ServiceError) else None
    if status == 400:
        explained.hint = (
            "The filter goes to Microsoft Graph as it is, as $filter of users." if source == "filter" else None
        )
    elif status == 403 and source == "group":
        explained.hint = (
            "Reading a group needs the permission GroupMember.Read.All, Group.Read.All or Directory.Read.All."
        )
    elif status == 403:
        explained.hint = "Reading users needs the permission User.Read.All, and some properties one of their own."
    return explained


def _about(name: str, error: OffboardingError) -> OffboardingError:
    explained = error.within(f"Could not look up {name}")
    if error.code == "Authorization_RequestDenied":
        explained.hint = "Reading users needs the permission User.Read.All."
    return explained
