# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resolve names and searches to users, and read what the steps need to know about them."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import typing as t
import unicodedata

from ._concurrent import map_concurrent
from ._doors import Mailbox
from ._errors import (
    NEWER_ACCOUNT,
    OTHER_ACCOUNT,
    WHICH_ACCOUNT,
    WRONG_PERSON,
    NetworkError,
    OffboardingError,
    ServiceError,
    shorten,
)
from ._exchange import Exchange, Row
from ._foreign import one_line
from ._graph import LEAVE_DATE_PERMISSION, Graph, User, listed, single
from ._guards import is_protected
from ._identity import wrong_person
from ._service import Answer, Call, Outcome, mapping
from ._times import format_moment, moment_or_none
from ._user_input import OBJECT_ID, KnownUser, RequestedUser, Search, name_key, not_a_name, same_name

_USER_TYPE = "#microsoft.graph.user"
# Member types of a group that are certainly not users. Types derived from user come and go (agentUser is one), so any
# other type is taken for one: https://learn.microsoft.com/graph/api/group-list-transitivemembers
_NOT_USERS = frozenset(
    f"#microsoft.graph.{name}"
    for name in ("application", "contact", "device", "directoryrole", "group", "orgcontact", "serviceprincipal")
)
# The code of an answer about a different user.
ANOTHER_USER: t.Final = "another_user"
# Without this permission, a group that hides its members looks empty.
_HIDDEN_MEMBERS_PERMISSION = "Member.Read.Hidden"


@dataclasses.dataclass(frozen=True)
class Thing:
    """One object of a leaver that is changed by a write of its own: a device, a consent, a membership.

    :param key: identifies it among the leaver's objects, also after it is restored.
    :param kind: what it is, as a record shows it.
    :param facts: what was read, as a record shows it; `None` if the object does not exist.
    :param done: whether it is in the wanted state already.
    :param fixed: why it cannot be changed here, as a sentence; `None` if it can be.
    :param raw: what the write needs beside the key: the object as the service gave it, or as evidence describes it.
    :param source: the list it was found in, as `Found.unread` names it; empty if it was not found.
    """

    key: str
    kind: str
    name: str | None = None
    facts: t.Mapping[str, t.Any] | None = None
    done: bool = False
    fixed: str | None = None
    raw: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict, repr=False)
    source: str = ""


@dataclasses.dataclass(frozen=True)
class Found:
    """What was found of a leaver's objects.

    :param unread: the lists that could not be read, with the reason: they may contain objects that were not found.
    :param note: what a person must know, whatever the outcome.
    :param applicable: false where the leaver cannot have such objects, for lack of a mailbox.
    """

    things: tuple[Thing, ...] = ()
    unread: t.Mapping[str, OffboardingError] = dataclasses.field(default_factory=dict)
    note: str | None = None
    applicable: bool = True

    def doubt(self, thing: Thing) -> OffboardingError | None:
        """Why it is not known whether an object that was not found exists; `None` if it certainly does not."""
        return self.unread.get(thing.source) if thing.source else next(iter(self.unread.values()), None)


@dataclasses.dataclass(frozen=True)
class Leaver:
    """What is known about a leaver.

    `error` says why there is no `user`. `mailbox` is `None` for a user without one, unless `mailbox_error` says that
    it could not be read; `mailbox_read` is false until it was read. `roles` are names or ids of directory
    roles, `None` if not read or if `roles_error` says why not. `due` is `None` for a user that a search
    found and whose leave date may not be read. `wrong_person` says why the account may belong to a different person.
    `own_password` is the `lastPasswordChangeDateTime` that a reset by this collection wrote, `None` if no earlier
    evidence shows that it did. `namesake` is the object ID of another user who has the name that earlier evidence has
    of this one. `former_id` is the object ID of a user who was deleted, `None` if it is not known or there is a `user`.
    """

    asked: RequestedUser
    user: User | None = None
    error: OffboardingError | None = None
    left_at: datetime.datetime | None = None
    due: bool | None = True
    protected: bool = False
    wrong_person: OffboardingError | None = None
    mailbox_read: bool = False
    mailbox: Mailbox | None = None
    mailbox_error: OffboardingError | None = None
    # Exchange's name for it (`SharedMailbox`), `None` if it was not read, or if that failed.
    mailbox_type: str | None = None
    mailbox_type_error: OffboardingError | None = None
    roles: tuple[str, ...] | None = None
    roles_error: OffboardingError | None = None
    # Of a step that changes several objects: `None` until they were read.
    found: Found | None = None
    own_password: datetime.datetime | None = None
    namesake: str | None = None
    former_id: str | None = None

    @property
    def contradiction(self) -> OffboardingError | None:
        """Why nothing may be written, `None` unless the user was given with different dates."""
        error = self.asked.contradiction
        return dataclasses.replace(self.asked, name=self.name).contradiction if error else None

    @property
    def name(self) -> str:
        return self.user.user_principal_name if self.user else self.asked.name

    @property
    def lacks_mailbox(self) -> bool:
        """Whether Exchange Online was asked, and knows no mailbox of this user."""
        return self.mailbox_read and self.mailbox is None and not self.mailbox_error

    @property
    def awaits_mailbox(self) -> bool:
        """Whether there may be a mailbox although Exchange Online knows none.

        Just after a license is given, a user of the cloud has the plan and no mailbox yet, and a replica may not know a
        fresh one. A synced user's mailbox may be on-premises; a guest has none.
        """
        user = self.user
        return bool(self.lacks_mailbox and user and user.has_exchange_plan and not (user.synced or user.is_guest))

    @property
    def known(self) -> User:
        """The user of a leaver that is known to have one."""
        if self.user is None:
            raise RuntimeError("an unresolved leaver is read no further")
        return self.user


class Tenant:
    """The readings that every module needs, of one tenant, in as few requests as the service allows.

    :param exchange: `None` if no mailbox is read.
    :param verify_timeout: seconds for which a mailbox that should be there is asked for again.
    :param protected: names and ids that no step may touch; the caller's own account is added.
    """

    def __init__(
        self, graph: Graph, exchange: Exchange | None, protected: t.Iterable[str], verify_timeout: float = 0
    ) -> None:
        self.graph = graph
        self._verify_timeout = verify_timeout
        self._exchange = exchange
        self._protected = {name_key(entry): entry for entry in protected}
        # What earlier evidence says about users of this tenant, by object ID in lower case. A future date does not let
        # in again users that an earlier run shut out.
        self.earlier: t.Mapping[str, KnownUser] = {}
        # Entries that could not be resolved, with the reason: they are still compared as text.
        self.unknown_protected: dict[str, str] = {}
        self._administrators: Outcome | None = None

    @property
    def exchange(self) -> Exchange:
        if self._exchange is None:
            raise RuntimeError("this module does not look at mailboxes")
        return self._exchange

    def resolve(
        self,
        asked: t.Sequence[RequestedUser],
        search: Search | None = None,
        *,
        administrators: bool = False,
        person: bool = False,
        with_earlier: bool = False,
    ) -> list[Leaver]:
        """Return the named users in their order, then those found by a search: one leaver per object ID.

        A search answers from an index that lags. It only selects users; everything else is read individually.

        :param administrators: also send the request that `last_administrators` needs.
        :param person: read in the same requests what distinguishes a person from a namesake.
        :param with_earlier: return all users in `earlier` as well, last, by object ID.
        :raises OffboardingError: a search could not be completed.
        """
        if search:
            asked = [*asked, *self._find(search, {name_key(one.name) for one in asked})]
        if with_earlier:
            ids = {name_key(one.object_id or one.name) for one in asked}
            asked = [*asked, *(known.asked for key, known in self.earlier.items() if key not in ids)]
        named, asked = asked, [one for one in asked if not one.complaint]
        if not asked:
            return [Leaver(one, error=not_a_name(one.complaint)) for one in named if one.complaint]
        names = [one.name for one in asked]
        # As `last_administrators` has it.
        administrators = administrators and (
            self.graph.may_read_administrators or any(one.roles != () for one in asked)
        )
        entries = list(self._protected.values())
        calls = [self._find_user(one, person) for one in asked] + [self.graph.find_user(entry) for entry in entries]
        outcomes = self.graph.send([*calls, *([self.graph.global_administrators()] if administrators else [])])
        self._administrators = outcomes.pop() if administrators else None
        while refused := self.graph.leave_out(calls, outcomes):
            for index in refused:
                calls[index] = self._find_user(asked[index], person)
            for index, outcome in zip(refused, self.graph.send([calls[index] for index in refused]), strict=True):
                outcomes[index] = outcome
        protected_ids = self._resolve_protected(entries, dict(zip(entries, outcomes[len(names) :], strict=True)))
        leavers: dict[str, Leaver] = {}
        answers = iter(outcomes[: len(names)])
        for one in named:
            if one.complaint:
                leavers[name_key(one.name)] = Leaver(one, error=not_a_name(one.complaint))
                continue
            outcome = next(answers)
            leaver = self._leaver(one, outcome, protected_ids)
            key = name_key(leaver.user.id if leaver.user else one.name)
            if key in leavers:
                if one.found or one.known_as:
                    continue
                if leaver.user:
                    errors = [one.wrong_person for one in (leavers[key], leaver) if one.wrong_person]
                    moved = [error for error in errors if error.code == OTHER_ACCOUNT]
                    leaver = self._leaver(leavers[key].asked.or_as(one), outcome, protected_ids, read_as=one.name)
                    leaver = dataclasses.replace(leaver, wrong_person=moved[0]) if moved else leaver
            leavers[key] = leaver
        unknown = [key for key, leaver in leavers.items() if not (leaver.user or leaver.error)]
        for key, explained in zip(unknown, self._explain_unknown([leavers[key] for key in unknown]), strict=True):
            leavers[key] = explained
        return self._with_namesakes(_each_once(leavers.values()) if unknown else list(leavers.values()))

    def _with_namesakes(self, leavers: t.Sequence[Leaver]) -> list[Leaver]:
        """The same leavers; those known from earlier evidence alone, if renamed or gone, with the user who has that name now.

        If the name cannot be looked up, there is no namesake: it only explains, and decides nothing.
        """
        moved = {
            index: leaver.asked.known_as
            for index, leaver in enumerate(leavers)
            if leaver.asked.known_as
            and not OBJECT_ID.match(leaver.asked.known_as)
            and not same_name(leaver.name, leaver.asked.known_as)
        }
        updated = list(leavers)
        for (index, name), outcome in zip(
            moved.items(), self.graph.send([self.graph.find_user(name) for name in moved.values()]), strict=True
        ):
            found = _named(outcome, name)
            if isinstance(found, list) and len(found) == 1 and not same_name(found[0].id, leavers[index].asked.name):
                updated[index] = dataclasses.replace(updated[index], namesake=found[0].id)
        return updated

    def _find_user(self, one: RequestedUser, person: bool) -> Call:
        """The call for one leaver; the dates only where `wrong_person` compares them."""
        dates = not one.object_id and (person or one.left_at is not None)
        return self.graph.find_user(one.name, dates=dates, person=person)

    def resolve_with_mailboxes(
        self,
        asked: t.Sequence[RequestedUser],
        search: Search | None = None,
        *,
        person: bool = False,
        known: t.Callable[[RequestedUser], Mailbox | None] | None = None,
        writes: bool = False,
        with_earlier: bool = False,
    ) -> list[Leaver]:
        """As `resolve`; if all users are given by object ID, their mailboxes are read at the same time.

        Exchange needs no more than that. Of the others, `mailbox_read` says that it is still to be done.

        :param known: returns the mailbox of a user given by object ID if it need not be read.
        :param writes: whether Exchange is written to next: then its token is asked for meanwhile.
        """
        ids = {name_key(one.name): one.name for one in asked if OBJECT_ID.match(one.name)}
        given = {name_key(one.name): known(one) for one in asked if known and name_key(one.name) in ids}
        mailboxes: dict[str, t.Any] = {key: mailbox for key, mailbox in given.items() if mailbox}
        if search or len(ids) < len(asked) or with_earlier:
            more = bool(search) or with_earlier or not all(one.complaint for one in asked)
            leavers, _none = _at_once(
                lambda: self.resolve(asked, search, person=person, with_earlier=with_earlier),
                lambda: self._meanwhile([], more=more),  # their mailboxes are read next
            )
        else:
            unread = {key: name for key, name in ids.items() if key not in mailboxes}
            leavers, found = _at_once(
                lambda: self.resolve(asked, person=person),
                lambda: self._meanwhile(list(unread.values()), more=writes),
            )
            mailboxes.update(zip(unread, found, strict=True))
        keys = [name_key(leaver.user.id) if leaver.user else None for leaver in leavers]
        return [
            _with_mailbox(leaver, mailboxes[key]) if key in mailboxes else leaver
            for leaver, key in zip(leavers, keys, strict=True)
        ]

    def _meanwhile(self, object_ids: list[str], *, more: bool) -> list[t.Any]:
        """The mailboxes of these users.

        :param more: whether Exchange is called next, which needs a token although no mailbox is read here.
        """
        if not object_ids and more:
            _ready = self.exchange.permissions  # an error is remembered, and reported at that call
        return self.exchange.read_mailboxes(object_ids)

    def resolve_deleted(self, asked: t.Sequence[RequestedUser]) -> list[Leaver]:
        """As `resolve`, but a deleted user who is the only one of that name is returned as well.

        If a user has the name today, deleted users are searched as well: the name may stand for either.
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
        found = _deleted_named(outcome, name)
        if isinstance(found, OffboardingError):
            return dataclasses.replace(leaver, user=None, error=_about(name, found))
        if leaver.user and not found:
            return leaver
        if leaver.user or len(found) != 1:
            which = "; ".join(shorten(f"{one.get('id')}, deleted at {one.get('deletedDateTime')}") for one in found[:5])
            if leaver.user:
                message = f"{name} is ambiguous: it matches a user ({leaver.user.id}) and deleted users ({which})."
            else:
                message = f"{name} is ambiguous: it matches {len(found)} deleted users ({which})."
            error = OffboardingError(message, code="ambiguous", hint="Use the object ID.")
            return dataclasses.replace(leaver, user=None, error=error)
        try:
            user = User.from_json(found[0])
        except ValueError as exc:
            return dataclasses.replace(leaver, error=OffboardingError(f"{name}: Microsoft Graph answered with {exc}."))
        principal = _name_before_deletion(found[0])
        addresses = user.addresses | {name_key(principal)}
        user = dataclasses.replace(user, user_principal_name=principal, addresses=addresses, deleted=True)
        protected = is_protected(addresses, self._protected)
        wrong = wrong_person(leaver.asked, user, None)
        return dataclasses.replace(leaver, user=user, error=None, protected=protected, wrong_person=wrong)

    def refresh(self, leavers: t.Sequence[Leaver]) -> list[Leaver]:
        """The same leavers with the user read again; `error` if that failed, with the user as it was."""
        outcomes = self.graph.send([self.graph.get_user(leaver.known.id) for leaver in leavers])
        return [self._reread(leaver, outcome) for leaver, outcome in zip(leavers, outcomes, strict=True)]

    def read_mailboxes(self, leavers: t.Sequence[Leaver]) -> list[Leaver]:
        """The same leavers with their mailboxes read."""
        read = self.exchange.read_mailboxes([leaver.known.id for leaver in leavers])
        return [_with_mailbox(leaver, found) for leaver, found in zip(leavers, read, strict=True)]

    def read_mailbox_types(self, leavers: t.Sequence[Leaver]) -> list[Leaver]:
        """The same leavers with the types of their mailboxes, which Get-CASMailbox does not return.

        https://learn.microsoft.com/powershell/module/exchangepowershell/get-mailbox
        """
        found = self.exchange.read_recipients([leaver.known.id for leaver in leavers])
        return [_with_mailbox_type(leaver, rows) for leaver, rows in zip(leavers, found, strict=True)]

    def await_mailboxes(self, leavers: t.Sequence[Leaver]) -> list[Leaver]:
        """The same leavers; those that await a mailbox are read again until it exists or `verify_timeout` is over."""
        leavers = list(leavers)
        awaiting = [index for index, leaver in enumerate(leavers) if leaver.awaits_mailbox]
        clock = self.graph.clock
        deadline, pause = clock.monotonic() + self._verify_timeout, 0.5
        while awaiting and (left := deadline - clock.monotonic()) > 0:
            clock.sleep(min(pause, left))
            pause = min(2 * pause, 4.0)
            for index, leaver in zip(awaiting, self.read_mailboxes([leavers[i] for i in awaiting]), strict=True):
                leavers[index] = leaver
            awaiting = [index for index in awaiting if leavers[index].awaits_mailbox]
        return leavers

    def read_mailboxes_and_roles(self, leavers: t.Sequence[Leaver]) -> list[Leaver]:
        """The same leavers with both read, which come from two services; mailboxes that have been read are kept."""
        unread = [leaver for leaver in leavers if not leaver.mailbox_read]
        read, with_roles = _at_once(lambda: self.read_mailboxes(unread), lambda: self.read_roles(leavers))
        fresh = {leaver.known.id: leaver for leaver in read}
        return [
            dataclasses.replace(fresh.get(one.known.id, one), roles=one.roles, roles_error=one.roles_error)
            for one in with_roles
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

    def with_roles(self, leavers: t.Sequence[Leaver]) -> list[Leaver]:
        """The same leavers with their directory roles: those that the caller has handed on, and the others' as read now."""
        known = [
            dataclasses.replace(leaver, roles=leaver.asked.roles) if leaver.roles is None else leaver
            for leaver in leavers
        ]
        read = {leaver.known.id: leaver for leaver in self.read_roles([one for one in known if one.roles is None])}
        return [read.get(leaver.known.id, leaver) for leaver in known]

    def last_administrators(self, leavers: t.Sequence[Leaver]) -> dict[str, OffboardingError]:
        """By object ID, the leavers that must not be locked out, lest no enabled Global Administrator remains.

        Where the holders of that role cannot be read, that is everybody who holds any role: without the permission
        for it, Graph does not name the roles either. Roles that the caller has just read are then used; if no leaver
        holds one, and the token shows that the holders cannot be read, they are not asked for.
        """
        if not self.graph.may_read_administrators and all(
            (leaver.asked.roles if leaver.roles is None else leaver.roles) == () for leaver in leavers
        ):
            return {}
        holders = self._read_administrators()
        enabled = {
            str(one.get("id")).lower()
            for one in ([] if isinstance(holders, OffboardingError) else holders)
            # An application that holds the role cannot help out.
            if one.get("accountEnabled") is True
            and str(one.get("@odata.type")).lower() == _USER_TYPE
            and OBJECT_ID.match(str(one.get("id")))
        }
        if enabled:
            leaving = {leaver.known.id.lower(): leaver.known.id for leaver in leavers}
            last = [] if enabled - set(leaving) else [leaving[identity] for identity in enabled]
            return dict.fromkeys(last, _LAST_ADMINISTRATOR)
        unread = [
            leaver
            for leaver in leavers
            if leaver.roles is None and leaver.roles_error is None and leaver.asked.roles is None
        ]
        read = {leaver.known.id: leaver for leaver in self.read_roles(unread)}
        leavers = [read.get(leaver.known.id, leaver) for leaver in leavers]
        held = {leaver.known.id: leaver.roles or leaver.roles_error or leaver.asked.roles for leaver in leavers}
        unknown = _perhaps_last_administrator(holders if isinstance(holders, OffboardingError) else None)
        return {identity: unknown for identity, roles in held.items() if roles}

    def _read_administrators(self) -> list[dict[str, t.Any]] | OffboardingError:
        call = self.graph.global_administrators()
        outcome = self._administrators or self.graph.send([call])[0]
        several = isinstance(outcome, Answer) and mapping(outcome.body).get("@odata.nextLink")
        return self.graph.read_lists([call])[0] if several else listed(outcome)

    def _leaver(
        self, asked: RequestedUser, outcome: Outcome, protected_ids: t.Collection[str], read_as: str | None = None
    ) -> Leaver:
        """The requested user, from the answer to `Graph.find_user`.

        :param read_as: the name in that question, where it is not the first name that the operator gave.
        """
        several = mapping(outcome.body).get("value") if isinstance(outcome, Answer) else None
        if isinstance(several, list) and len(several) > 1:
            message = f"{asked.name} is ambiguous: it matches {len(several)} users."
            return Leaver(asked, error=OffboardingError(message, code="ambiguous", hint="Use the object ID."))
        found = _named(outcome, read_as or asked.name)
        if isinstance(found, OffboardingError):
            return Leaver(asked, error=_about(asked.name, found))
        if not found:
            return Leaver(asked)
        user = found[0]
        known = self.earlier.get(name_key(user.id))
        if asked.known_as:
            # Not named this time: the date of the earlier run applies.
            left_at = left = asked.left_at or user.leaves
        elif asked.found:
            # Not named, so their own date applies, even one in the future.
            left_at = left = user.leaves or asked.left_at
            asked = dataclasses.replace(asked, name=user.user_principal_name)
        elif asked.moments:
            # It is not known which date is right: the doors are judged by the latest in the past.
            left_at = left = max((moment for moment in asked.moments if moment and moment <= self._now), default=None)
        else:
            # Named, and people are dismissed early: a date in the future is ignored. Nor does the
            # directory's date of an earlier leave turn a named user who was hired again into a newer account.
            left = asked.left_at
            left_at = asked.left_at or (user.leaves if user.leaves and user.leaves <= self._now else None)
        if left_at and left_at > self._now and known and known.shut_out:
            left_at = None
        protected = is_protected(user.addresses, self._protected, protected_ids)
        due, wrong = self._is_due(asked, user, left_at), wrong_person(asked, user, left)
        return Leaver(
            asked,
            user,
            left_at=left_at,
            due=due,
            protected=protected,
            wrong_person=wrong,
            own_password=known.password if known else None,
        )

    def _is_due(self, asked: RequestedUser, user: User, left_at: datetime.datetime | None) -> bool | None:
        """Whether the user must be out by now. `None` if they may leave later and the date cannot be read."""
        if left_at:
            return left_at <= self._now
        if asked.found and not self.graph.reads_leave_dates and user.account_enabled is not False:
            return None
        return True

    @property
    def _now(self) -> datetime.datetime:
        return self.graph.now or datetime.datetime.now(datetime.timezone.utc)

    def _find(self, search: Search, named: t.Collection[str]) -> list[RequestedUser]:
        """The users that a search finds, each once, without those named by object ID.

        No user is left out silently: an incomplete read is an error.
        """
        found: dict[str, RequestedUser] = {}
        for source, call in self._searches(search):
            users = self.graph.read_search(call)
            if isinstance(users, OffboardingError):
                raise _not_found_out(source, users)
            for user in users:
                if source == "group" and str(user.get("@odata.type")).lower() in _NOT_USERS:
                    continue
                object_id = str(user.get("id"))
                if not OBJECT_ID.match(object_id):
                    raise _not_found_out(
                        source, OffboardingError("Microsoft Graph returned a user without an object ID.")
                    )
                found.setdefault(name_key(object_id), RequestedUser(object_id, search.left_at, found=True))
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
        """The object ID of the one group of this name, whose members may all be read."""
        outcome = self.graph.send([self.graph.find_group(name)])[0]
        groups = single(outcome) if OBJECT_ID.match(name) else listed(outcome)
        if isinstance(groups, OffboardingError):
            raise _not_found_out("group", groups)
        if not all(isinstance(group.get("id"), str) and _is_group(group, name) for group in groups):
            raise _not_found_out("group", _another(f"a different group from {name}"))
        if len(groups) != 1:
            ids = ", ".join(str(group["id"]) for group in groups)
            raise OffboardingError(
                f"{len(groups)} groups are called {name}: {ids}." if groups else f"There is no group {name}.",
                code="ambiguous" if groups else "not_found",
                hint="Name it by its object ID." if groups else "Give its object ID, display name or mail address.",
            )
        hidden = str(groups[0].get("visibility")).lower() == "hiddenmembership"
        if hidden and _HIDDEN_MEMBERS_PERMISSION not in (self.graph.permissions or ()):
            raise OffboardingError(
                f"The group {name} hides its members; reading them needs the permission {_HIDDEN_MEMBERS_PERMISSION}.",
                code="missing_permission",
            )
        return str(groups[0]["id"])

    def _reread(self, leaver: Leaver, outcome: Outcome) -> Leaver:
        if isinstance(outcome, OffboardingError):
            return dataclasses.replace(leaver, error=outcome)
        found = _named(outcome, leaver.known.id)
        if isinstance(found, OffboardingError):
            return dataclasses.replace(leaver, error=_about(leaver.name, found))
        return dataclasses.replace(leaver, user=found[0], error=None)

    def _resolve_protected(self, entries: t.Iterable[str], outcomes: t.Mapping[str, Outcome]) -> set[str]:
        """Object IDs of the protected users; entries that match no user, or could not be looked up, are remembered."""
        ids = {name_key(self.graph.token.object_id or "")}
        self.unknown_protected = {}
        for entry in entries:
            found: list[User] | OffboardingError = _named(outcomes[entry], entry) if entry in outcomes else []
            if not OBJECT_ID.match(entry) and not (isinstance(found, list) and found):
                owners = _addressed(self.graph.send([self.graph.find_by_address(entry)])[0], entry)
                # Nobody has it as an address: that does not say whose name it is.
                found = owners if owners or not isinstance(found, OffboardingError) else found
            if isinstance(found, OffboardingError):
                self.unknown_protected[entry] = "could not be looked up"
                continue
            if not found:
                self.unknown_protected[entry] = "matches no user of this tenant"
            ids.update(name_key(user.id) for user in found)
        return ids - {""}

    def _find_deleted(self, one: RequestedUser) -> Call:
        """The call for a deleted user; the date only where it is compared, as in `_find_user`."""
        dates = one.left_at is not None and not one.object_id
        return self.graph.find_deleted(one.name, ("id", "userPrincipalName", *(["createdDateTime"] if dates else [])))

    def _explain_unknown(self, unknown: t.Sequence[Leaver]) -> list[Leaver]:
        """The same leavers with `error`, why the name matches no user: deleted, an alias, or unknown. Never guessed."""
        names = [one.asked.name for one in unknown]
        deleted = self.graph.send([self._find_deleted(one.asked) for one in unknown])
        addresses = [name for name in names if not OBJECT_ID.match(name)]
        owners = dict(
            zip(addresses, self.graph.send([self.graph.find_by_address(name) for name in addresses]), strict=True)
        )
        return [
            _explained(
                one,
                _deleted_named(outcome, name),
                _addressed(owners[name], name) if name in owners else [],
            )
            for one, name, outcome in zip(unknown, names, deleted, strict=True)
        ]


def _at_once(*readings: t.Callable[[], t.Any]) -> list[t.Any]:
    """What each of these gives, each of a service of its own: they share neither throttling nor retry budget."""
    return map_concurrent(lambda reading: reading(), readings, len(readings))


def _with_mailbox(leaver: Leaver, found: Mailbox | OffboardingError | None) -> Leaver:
    unread = found if isinstance(found, OffboardingError) else None
    error = unread.with_context(f"Could not read the mailbox of {leaver.name}") if unread else None
    mailbox = found if isinstance(found, Mailbox) else None
    return dataclasses.replace(leaver, mailbox_read=True, mailbox=mailbox, mailbox_error=error)


def _with_mailbox_type(leaver: Leaver, rows: list[Row] | OffboardingError | None) -> Leaver:
    kind = rows[0].get("recipienttypedetails") if isinstance(rows, list) else None
    if isinstance(kind, str) and kind:
        return dataclasses.replace(leaver, mailbox_type=one_line(kind))
    error = (
        rows if isinstance(rows, OffboardingError) else NetworkError("Exchange Online did not return it.", reached=True)
    )
    return dataclasses.replace(leaver, mailbox_type_error=error)


def _explained(
    leaver: Leaver, deleted: list[dict[str, t.Any]] | OffboardingError, owners: list[User] | OffboardingError
) -> Leaver:
    """A leaver whose name matches no user, with `error` and `former_id`. The parameters are those of `_why_unknown`."""
    error = _why_unknown(leaver.asked, deleted, owners)
    former_id = leaver.asked.object_id if error.code in ("deleted", "not_found") else None
    if error.code == "deleted" and isinstance(deleted, list) and len(deleted) == 1:
        identity = str(deleted[0].get("id"))
        former_id = identity if OBJECT_ID.match(identity) else None
    return dataclasses.replace(leaver, error=error, former_id=former_id)


def _each_once(leavers: t.Collection[Leaver]) -> list[Leaver]:
    """The same leavers; those with the same `former_id` are one, the first.

    If a name matches no user, and earlier evidence knows exactly one user by that name who has been deleted for good, both are
    the same leaver. If evidence knows several, they may be different people, and all of them are kept.
    """
    kept: list[Leaver] = []
    by_id: dict[str, int] = {}
    by_name: dict[str, int] = {}
    known = collections.Counter(name_key(one.asked.known_as) for one in leavers if one.asked.known_as)
    for one in leavers:
        nobody = one.error is not None and one.error.code == "not_found"
        name = name_key(one.asked.known_as or one.asked.name)
        place = by_id.get(name_key(one.former_id)) if one.former_id else None
        if place is None and nobody and one.asked.known_as and known[name] == 1:
            place = by_name.get(name)
        if place is None:
            place = len(kept)
            kept.append(one)
        else:
            first = kept[place]
            asked = first.asked if one.asked.found or one.asked.known_as else first.asked.or_as(one.asked)
            kept[place] = dataclasses.replace(first, asked=asked, former_id=one.former_id)
        if one.former_id:
            by_id.setdefault(name_key(one.former_id), place)
        elif nobody:
            by_name.setdefault(name, place)
    return kept


def _why_unknown(
    asked: RequestedUser, deleted: list[dict[str, t.Any]] | OffboardingError, owners: list[User] | OffboardingError
) -> OffboardingError:
    """Why a name matches no user.

    :param deleted: the deleted users of that name, or why they are not known.
    :param owners: the users who have it as an address, or why they are not known.
    """
    name = asked.shown_as
    if deleted and isinstance(deleted, list):
        others = [_other_deleted(one, asked) for one in deleted]
        other = others[0] if all(others) else None
        if other:
            return other
        return OffboardingError(
            f"{name} was deleted at {shorten(str(deleted[0].get('deletedDateTime') or 'an unknown time'))}.",
            code="deleted",
            hint="A deleted user cannot sign in; if restored, the account must be offboarded again.",
        )
    if owners and isinstance(owners, list):
        names = " and ".join(user.user_principal_name for user in owners)
        return OffboardingError(
            f"{name} is an e-mail address of {names}, not a user principal name.",
            code="not_a_principal_name",
            hint="If this is the right user, use the user principal name.",
        )
    for unread, what in ((deleted, "was deleted"), (owners, "is an alias of somebody")):
        if isinstance(unread, OffboardingError):
            return _hinted(unread.with_context(f"{name} was not found, and whether it {what} could not be looked up"))
    if asked.known_as:
        return OffboardingError(
            f"{name} is gone: neither a user nor a deleted user has this object ID.",
            code="not_found",
            hint="The next run with since checks once more, and then no longer reports this user.",
        )
    if asked.found:
        return OffboardingError(
            f"{name} was found by the search but does not exist.",
            code="not_found",
            hint="The user was deleted in the meantime, or is too new to be read: run again.",
        )
    return OffboardingError(
        f"There is no user {name}.",
        code="not_found",
        hint="Check the spelling. E-mail addresses and aliases are not user principal names.",
    )


_LAST_ADMINISTRATOR = OffboardingError(
    "No enabled Global Administrator would be left in the tenant; nothing was sent.",
    code="last_global_administrator",
    hint="Assign the role to a user who stays, then run again.",
)


def _perhaps_last_administrator(unread: OffboardingError | None) -> OffboardingError:
    """:param unread: why the administrators could not be read, `None` if those that were read are of no help."""
    unread = unread or OffboardingError("Microsoft Graph returned no enabled user with that role.")
    return OffboardingError(
        "The user holds a directory role, and whether another Global Administrator remains could not be read, so nothing "
        f"was sent: {unread.message}",
        code="administrators_unread",
        hint="Grant the application the permission RoleManagement.Read.Directory.",
        request_id=unread.request_id,
    )


def _another(what: str) -> OffboardingError:
    return OffboardingError(
        f"Microsoft Graph answered with {what}.",
        code=ANOTHER_USER,
        hint="Run again. If this happens again, a proxy or a cache may be answering instead of Microsoft.",
    )


def _named(outcome: Outcome, name: str) -> list[User] | OffboardingError:
    """The users of an answer to `Graph.find_user` or `Graph.get_user`; an empty list only where Graph says so.

    All of them are who was asked for, or it is an error: whoever else is in the answer may be written to next.
    """
    by_id = bool(OBJECT_ID.match(name))
    found = single(outcome) if by_id else listed(outcome)
    users = found if isinstance(found, OffboardingError) else _users(found)
    if isinstance(users, OffboardingError):
        return users
    if all(same_name(user.id if by_id else user.user_principal_name, name) for user in users):
        return users
    return _another("a different user from the one requested")


def _users(found: t.Iterable[t.Mapping[str, t.Any]]) -> list[User] | OffboardingError:
    try:
        return [User.from_json(one) for one in found]
    except ValueError as exc:
        return OffboardingError(f"Microsoft Graph answered with {exc}.")


def _addressed(outcome: Outcome, address: str) -> list[User] | OffboardingError:
    """The users of an answer to `Graph.find_by_address`."""
    found = listed(outcome)
    users = found if isinstance(found, OffboardingError) else _users(found)
    if isinstance(found, OffboardingError) or isinstance(users, OffboardingError):
        return users
    shown = [user for user, one in zip(users, found, strict=True) if "mail" in one or "proxyAddresses" in one]
    if all(name_key(address) in user.addresses for user in shown):
        return users
    return _another("a user without the requested address")


def _other_deleted(deleted: t.Mapping[str, t.Any], asked: RequestedUser) -> OffboardingError | None:
    """Why a deleted account may belong to a different person, as in `wrong_person`: another object ID, or a newer account."""
    identity, created = shorten(str(deleted.get("id"))), moment_or_none(deleted.get("createdDateTime"))
    if asked.object_id:
        if same_name(asked.object_id, identity):
            return None
        return OffboardingError(
            f"{asked.name} was not found; a deleted account of that name has the object ID {identity}, not "
            f"{asked.object_id}.",
            code=OTHER_ACCOUNT,
            hint=WHICH_ACCOUNT,
        )
    if created is None or asked.left_at is None or created <= asked.left_at:
        return None
    return OffboardingError(
        f"{asked.name} was not found; a deleted account of that name is newer: created {format_moment(created)}, after "
        f"left_at {format_moment(asked.left_at)}.",
        code=NEWER_ACCOUNT,
        hint=f"If this is the right account, use its object ID, {identity}.",
    )


def _deleted_named(outcome: Outcome, name: str) -> list[dict[str, t.Any]] | OffboardingError:
    """The deleted users of this name or object ID in an answer to `Graph.find_deleted`."""
    by_id = bool(OBJECT_ID.match(name))
    found = single(outcome) if by_id else listed(outcome)
    if isinstance(found, OffboardingError):
        return found
    # The request is for names that end so; another name shows that the answer belongs to a different request.
    if by_id and not all(same_name(str(one.get("id")), name) for one in found):
        return _another("a different user from the one requested")
    if not by_id and not all(name_key(str(one.get("userPrincipalName"))).endswith(name_key(name)) for one in found):
        return _another("a different user from the one requested")
    return [one for one in found if by_id or same_name(_name_before_deletion(one), name)]


def _is_group(group: t.Mapping[str, t.Any], name: str) -> bool:
    """Whether a group has this object ID, display name or mail address, in any case."""
    if OBJECT_ID.match(name):
        return same_name(str(group.get("id")), name)
    return _folded(name) in (_folded(group.get("displayName")), _folded(group.get("mail")))


def _folded(text: t.Any) -> str:
    return unicodedata.normalize("NFC", name_key(unicodedata.normalize("NFC", one_line(str(text)))))


# The properties that identify a deleted user, show whether it is protected, and show its state after a restore.
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
    return bool(leaver.error and leaver.error.code in ("deleted", *WRONG_PERSON))


def _name_before_deletion(user: t.Mapping[str, t.Any]) -> str:
    """Some tenants show the name of a deleted user with its object ID as a prefix."""
    name, prefix = str(user.get("userPrincipalName")), str(user.get("id")).replace("-", "")
    return name[len(prefix) :] if name_key(name).startswith(name_key(prefix)) else name


def _role_names(roles: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[str, ...]:
    """The names of the roles in an answer; without permission for the name, the id."""
    return tuple(one_line(str(role.get("displayName") or role.get("id") or "an unnamed role")) for role in roles)


def _not_found_out(source: str, error: OffboardingError) -> OffboardingError:
    explained = error.with_context(f"Could not determine the users selected by {source}")
    status = error.status if isinstance(error, ServiceError) else None
    if status == 400:
        explained.hint = (
            "The filter is passed to Microsoft Graph unchanged, as $filter of users." if source == "filter" else None
        )
    elif status == 403 and source == "group":
        explained.hint = (
            "Reading a group needs the permission GroupMember.Read.All, Group.Read.All or Directory.Read.All."
        )
    elif status == 403:
        explained.hint = "Reading users needs the permission User.Read.All; some properties need another one as well."
    return explained


def _about(name: str, error: OffboardingError) -> OffboardingError:
    return _hinted(error.with_context(f"Could not look up {name}"))


def _hinted(explained: OffboardingError) -> OffboardingError:
    if explained.code == "Authorization_RequestDenied":
        explained.hint = "Reading users needs the permission User.Read.All."
    return explained
