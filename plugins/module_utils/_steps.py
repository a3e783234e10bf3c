# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a step: resolve, decide, write, read back, report. The same for every step."""

from __future__ import annotations

import abc
import dataclasses
import datetime
import typing as t

from ._door_states import door_states, note_for, observed
from ._doors import MAILBOX_AWAITED, MAILBOX_MISSING, OPEN, UNKNOWN, Mailbox, Protocols, doors_of
from ._errors import OTHER_ACCOUNT, OUTCOME_UNKNOWN, OffboardingError, ServiceError, internal_error
from ._guards import administrator_error, protected_error
from ._records import record
from ._retry import RetryBudget
from ._service import Answer, Call, Outcome, Service
from ._tenant import ANOTHER_USER, Leaver, Tenant
from ._times import format_moment
from ._user_input import OBJECT_ID, RequestedUser

# Microsoft's moments are cut to the second, so this wait is a second at most; more would be a fault at Microsoft.
_LONGEST_CLOCK_WAIT = 5.0


class Step(abc.ABC):
    """What a step reads, wants and sends. Modules subclass it; it keeps only the state that a retry needs.

    `name` is one of `STEPS`, or another name if the step is not about a door. `action` completes the sentence "Could not ...
    jane@contoso.com". `permission` is the least privileged application permission, `sufficient` are all that suffice.
    """

    name = ""
    action = ""
    permission = ""
    sufficient: frozenset[str] = frozenset()
    reads_mailbox = False
    # Whether the step shuts something: `left_at` applies only then.
    shuts = True
    # Whether the step alone keeps a user out of the tenant: never done to the last Global Administrator.
    locks_out = False
    # Whether the roles of its users can be read: those of deleted users cannot.
    reads_roles = True
    protocols = Protocols()

    @property
    def acts_on_user(self) -> bool:
        """Whether the write changes the user itself, so that the user's roles and source count."""
        return not self.reads_mailbox

    @property
    def uses_exchange(self) -> bool:
        return self.reads_mailbox

    def service(self, tenant: Tenant) -> Service:
        return tenant.exchange if self.reads_mailbox else tenant.graph

    def service_of(self, tenant: Tenant, leaver: Leaver) -> Service:
        """Where the write of this leaver goes."""
        return self.service(tenant)

    def needs(self, leaver: Leaver) -> tuple[str, frozenset[str]]:
        """The least privileged application permission for the write of this leaver, and all that suffice."""
        return self.permission, self.sufficient

    def resolve(self, tenant: Tenant, asked: t.Sequence[RequestedUser], *, writes: bool) -> list[Leaver]:
        """Return the leavers for the requested users.

        :param writes: whether they are written next; false in check mode.
        """
        if self.reads_mailbox:
            return tenant.resolve_with_mailboxes(asked, known=self.known_mailbox, writes=writes)
        # A caller that uses object IDs has read the users before, and passes those to be written.
        already_read = all(OBJECT_ID.match(one.name) for one in asked)
        return tenant.resolve(asked, administrators=self.locks_out and already_read)

    def known_mailbox(self, asked: RequestedUser) -> Mailbox | None:
        """The mailbox as the caller has just read it, `None` if it must be read."""
        return None

    def prepare(self, tenant: Tenant, leavers: t.Sequence[Leaver]) -> list[Leaver]:
        """The same leavers with the facts that the step needs. Nothing is read for leavers that may not be changed."""
        return _with_mailboxes(tenant, self, leavers) if self.reads_mailbox else list(leavers)

    def look(self, tenant: Tenant, leavers: t.Sequence[Leaver]) -> list[Leaver]:
        """The same leavers read again after the write; `error` is set if that failed."""
        return tenant.read_mailboxes(leavers) if self.reads_mailbox else tenant.refresh(leavers)

    def parts(self, leaver: Leaver) -> list[Leaver]:
        """The leaver once for each write: a step that changes several objects returns one part per object."""
        return [leaver]

    def combine(self, leaver: Leaver, records: t.Sequence[dict[str, t.Any]]) -> dict[str, t.Any]:
        """Combine the records of the parts into one."""
        return records[0]

    def complete(self, combined: dict[str, t.Any]) -> dict[str, t.Any]:
        """A record with the keys that every record of this step has."""
        return combined

    def target(self, leaver: Leaver) -> str:
        """What the action applies to, as in "Could not block sign-in of jane@contoso.com"."""
        return leaver.name

    def not_applicable(self, leaver: Leaver) -> bool:
        """Whether the leaver has no such door; `note_for` says why."""
        return False

    def mastered_elsewhere(self, leaver: Leaver) -> str | None:
        """Why the write cannot be predicted as a change, although it is tried: Microsoft usually refuses it."""
        return None

    def is_done(self, leaver: Leaver) -> bool:
        """Whether the leaver is in the wanted state already."""
        states = doors_of(self.name, door_states(leaver, (self.name,), self.protocols)).values()
        return bool(states) and not any(state in (OPEN, UNKNOWN) for state in states)

    @abc.abstractmethod
    def expected(self, leaver: Leaver) -> dict[str, t.Any]:
        """The facts after the write, if they can be predicted."""

    @abc.abstractmethod
    def call(self, tenant: Tenant, leaver: Leaver) -> Call:
        """The write; calling it again for the same leaver returns the same write."""

    def can_degrade(self, leaver: Leaver, error: OffboardingError) -> bool:
        """Whether the write, which was certainly refused, is to be sent without the part that may be the reason.

        True at most once per leaver; from then on the step leaves that part out.
        """
        return False

    def may_be_done(self, error: OffboardingError) -> bool:
        """Whether a refusal may mean that the leaver is in the wanted state already; then a read decides."""
        return False

    def left_undone(self, leaver: Leaver) -> OffboardingError | None:
        """Why a requested part was left out although the rest was done, see `can_degrade`."""
        return None

    def refusal(self, leaver: Leaver) -> OffboardingError | None:
        """Why this step refuses the user, for a reason specific to the step."""
        return None

    def not_before(self, leaver: Leaver) -> datetime.datetime | None:
        """The earliest time, by the service's clock, at which the write can be distinguished from the previous state."""
        return None

    @abc.abstractmethod
    def shows(self, before: Leaver, now: Leaver) -> bool:
        """Whether the current values show that the write was applied."""

    def effective_by(
        self, leaver: Leaver, written_at: datetime.datetime | None, *, seen: bool
    ) -> datetime.datetime | None:
        """The time by which, according to Microsoft, the door is shut.

        :param written_at: `None` if nothing was written.
        :param seen: whether `leaver` was read and shows the door shut.
        """
        return None

    def note(self, leaver: Leaver) -> str | None:
        return note_for(leaver, self.name)

    def describe(self, leaver: Leaver) -> dict[str, t.Any] | None:
        return observed(leaver, self.name, self.protocols)


@dataclasses.dataclass
class _Written:
    """A write that was sent, and its progress."""

    before: Leaver
    now: Leaver
    at: datetime.datetime | None = None
    request_id: str | None = None
    # Whether it was read since the write was sent, and whether that shows it.
    read_since: bool = False
    shown: bool = False
    error: OffboardingError | None = None
    # The error if the last read returned a different user.
    mistaken: OffboardingError | None = None
    # Whether any try may have been applied without an answer that confirms it.
    perhaps: bool = False
    # Whether the step left out everything it wanted: nothing was written after all.
    superseded: bool = False


def run_step(
    tenant: Tenant,
    step: Step,
    asked: t.Sequence[RequestedUser],
    *,
    check_mode: bool,
    force: bool = False,
    allow_admins: bool,
    retry_timeout: float,
    verify_timeout: float,
) -> list[dict[str, t.Any]]:
    """Run one step for every leaver. One leaver's failure never stops the others.

    :param allow_admins: whether holders of a directory role may be written. If not, the roles of leavers that would be
        written are read, unless the caller has passed them.
    :returns: one record per leaver, in the order of `asked`.
    """
    leavers = step.prepare(tenant, list(step.resolve(tenant, asked, writes=not check_mode)))
    records = {index: one for index, leaver in enumerate(leavers) if (one := _settled(step, leaver, force=force))}
    todo = [index for index in range(len(leavers)) if index not in records]
    if todo and step.reads_roles and not allow_admins:
        for index, leaver in zip(todo, tenant.with_roles([leavers[index] for index in todo]), strict=True):
            leavers[index] = leaver
            unread = leaver.roles_error.message if leaver.roles_error else None
            refusal = administrator_error(leaver.name, leaver.roles, unread)
            if refusal:
                records[index] = record(leaver, "refused", error=refusal)
        todo = [index for index in todo if index not in records]
    if todo and step.locks_out:
        spared = tenant.last_administrators([leavers[index] for index in todo])
        for index in todo:
            error = spared.get(leavers[index].known.id)
            if error:
                records[index] = record(leavers[index], "refused", error=error.with_context(leavers[index].name))
        todo = [index for index in todo if index not in records]
    parts = {index: step.parts(leavers[index]) for index in todo}
    part_records: dict[int, list[dict[str, t.Any]]] = {index: [] for index in todo}
    if check_mode:
        part_records = {index: [_planned(step, part) for part in own] for index, own in parts.items()}
    elif any(parts.values()):
        writer = _Writer(tenant, step, retry_timeout=retry_timeout, verify_timeout=verify_timeout)
        everything = [(index, part) for index, own in parts.items() for part in own]
        written = writer.write([part for _index, part in everything])
        for (index, _part), write in zip(everything, written, strict=True):
            part_records[index].append(_outcome_record(step, write))
    records.update({index: step.combine(leavers[index], part_records[index]) for index in todo})
    return [step.complete(records[index]) for index in range(len(leavers))]


def untouchable(step: Step, leaver: Leaver) -> bool:
    """Whether nothing will be written, whatever more is read."""
    return (
        leaver.user is None
        or leaver.protected
        or bool(_wrong_person(step, leaver))
        or (step.shuts and not (leaver.due and not leaver.contradiction))
    )


def _wrong_person(step: Step, leaver: Leaver) -> OffboardingError | None:
    """Why the account may belong to a different person. The leave date does not matter for opening an account again."""
    wrong = leaver.wrong_person
    return wrong if wrong and (step.shuts or wrong.code == OTHER_ACCOUNT) else None


def _with_mailboxes(tenant: Tenant, step: Step, leavers: t.Sequence[Leaver]) -> list[Leaver]:
    wanted = [leaver for leaver in leavers if not (leaver.mailbox_read or untouchable(step, leaver))]
    read = {id(leaver): fresh for leaver, fresh in zip(wanted, tenant.read_mailboxes(wanted), strict=True)}
    return tenant.await_mailboxes([read.get(id(leaver), leaver) for leaver in leavers])


def _settled(step: Step, leaver: Leaver, *, force: bool) -> dict[str, t.Any] | None:
    """The record of a leaver that needs no write, `None` for one that does."""
    if leaver.user is None:
        return record(leaver, "failed", error=leaver.error)
    if leaver.protected:
        return record(leaver, "refused", error=protected_error(leaver.name))
    refusal = _wrong_person(step, leaver) or step.refusal(leaver)
    if refusal:
        return record(leaver, "refused", error=refusal)
    if step.shuts and leaver.contradiction:
        return record(leaver, "refused", error=leaver.contradiction)
    if step.shuts and not leaver.due:
        return record(leaver, "not_due", note=f"Leaves at {format_moment(leaver.left_at)}; nothing was sent.")
    note = step.note(leaver)
    error = leaver.mailbox_error if step.reads_mailbox else None
    if error:
        return record(leaver, "failed", note=note, error=error)
    if step.reads_mailbox and leaver.awaits_mailbox:
        return record(leaver, "failed", note=note, error=_awaited_error(leaver, step))
    if step.not_applicable(leaver):
        return record(leaver, "not_applicable", note=note)
    before = step.describe(leaver)
    if step.is_done(leaver) and not force:
        after_the_fact = step.effective_by(leaver, None, seen=True)
        unchanged = record(leaver, "unchanged", before=before, after=before, effective_by=after_the_fact, note=note)
        return step.combine(leaver, [unchanged])
    return None


def _planned(step: Step, leaver: Leaver) -> dict[str, t.Any]:
    elsewhere = step.mastered_elsewhere(leaver)
    if elsewhere:
        before = step.describe(leaver)
        return record(leaver, "unchanged", before=before, after=before, note=elsewhere)
    return record(leaver, "planned", before=step.describe(leaver), after=step.expected(leaver), note=step.note(leaver))


def _awaited_error(leaver: Leaver, step: Step) -> OffboardingError:
    error = OffboardingError(
        MAILBOX_MISSING, code=MAILBOX_AWAITED, hint="Run again once the mailbox exists, or remove the license."
    )
    return error.with_context(f"Could not {step.action} {step.target(leaver)}")


def _outcome_record(step: Step, written: _Written) -> dict[str, t.Any]:
    undone = None if written.error else step.left_undone(written.before)
    if undone:
        # The leaver fails only because of the part that was left out; the applied part stays in the record.
        return record(
            written.before,
            "failed",
            before=step.describe(written.before),
            after=step.describe(written.now) if written.read_since or written.superseded else None,
            written_at=None if written.superseded else written.at,
            effective_by=None if written.superseded else step.effective_by(written.now, written.at, seen=written.shown),
            request_id=written.request_id,
            note=step.note(written.now),
            error=undone,
            perhaps_written=not written.superseded,
        )
    status = (
        "failed"
        if written.error
        else "unchanged"
        if written.superseded
        else "verified"
        if written.shown
        else "accepted"
    )
    return record(
        written.before,
        status,
        before=step.describe(written.before),
        # Values from before the write do not show the state after it.
        after=None if status == "accepted" and not written.read_since else step.describe(written.now),
        written_at=None if written.error or written.superseded else written.at,
        effective_by=None if written.error else step.effective_by(written.now, written.at, seen=written.shown),
        request_id=written.request_id,
        note=step.note(written.now),
        error=written.error,
        perhaps_written=written.perhaps,
    )


class _Writer:
    """Sends a step's writes until each has an answer, then reads until each can be seen."""

    def __init__(self, tenant: Tenant, step: Step, *, retry_timeout: float, verify_timeout: float) -> None:
        self._tenant = tenant
        self._step = step
        self._service = step.service(tenant)
        self._clock = self._service.clock
        self._retry_timeout = retry_timeout
        self._verify_timeout = verify_timeout

    def write(self, leavers: t.Sequence[Leaver]) -> list[_Written]:
        writes = [_Written(leaver, leaver) for leaver in leavers]
        try:
            self._wait_for_the_clock(leavers)
            self._send(writes)
            self._recheck_refused([write for write in writes if write.error and self._step.may_be_done(write.error)])
            self._read_back([write for write in writes if not (write.error or write.shown or write.superseded)])
            for write in writes:
                if write.mistaken and not (write.error or write.shown):
                    write.error, write.perhaps = write.mistaken, True
            self._explain([write for write in writes if write.error])
        except Exception as exc:  # a fault must not lose the record of the writes so far
            fault = exc if isinstance(exc, OffboardingError) else internal_error(exc)
            fault.outcome_unknown = True
            for write in writes:
                write.perhaps = True
                write.error = write.error or (None if write.shown else fault)
        return writes

    def _wait_for_the_clock(self, leavers: t.Sequence[Leaver]) -> None:
        moments = [moment for moment in map(self._step.not_before, leavers) if moment]
        if moments:
            self._service.sleep_until(max(moments), at_most=_LONGEST_CLOCK_WAIT)

    def _send(self, writes: t.Sequence[_Written]) -> None:
        """Send the writes; resend those that neither a response nor a read confirms."""
        budget = RetryBudget(self._retry_timeout, self._clock)
        pending = list(writes)
        while pending:
            for write, outcome in self._sent(pending):
                write.error = outcome if isinstance(outcome, OffboardingError) else None
                write.at = outcome.at if isinstance(outcome, Answer) else self._service.now
                write.request_id = outcome.request_id
                write.read_since = False
                write.perhaps = write.perhaps or bool(write.error and write.error.outcome_unknown)
            refused = [write for write in pending if write.error and not write.error.outcome_unknown]
            pending = [write for write in pending if write.error and write.error.outcome_unknown]
            self._resend_degraded(refused)
            # The answer is lost, perhaps after the write: read before writing again.
            self._look(pending)
            for write in pending:
                if write.shown:
                    write.error = None
            pending = [write for write in pending if not write.shown]
            waits = [
                write.error.retry_after
                for write in pending
                if isinstance(write.error, ServiceError) and write.error.retry_after
            ]
            wait = budget.next_wait(max(waits, default=None)) if pending else None
            if wait is None:
                return
            self._clock.sleep(wait)

    def _sent(self, writes: t.Sequence[_Written]) -> t.Iterator[tuple[_Written, Outcome]]:
        """Send each write once, to its own service, and yield it with its outcome."""
        of_service: dict[Service, list[_Written]] = {}
        for write in writes:
            of_service.setdefault(self._step.service_of(self._tenant, write.before), []).append(write)
        for service, own in of_service.items():
            calls = [self._step.call(self._tenant, write.before) for write in own]
            yield from zip(own, service.send(calls), strict=True)

    def _recheck_refused(self, refused: t.Sequence[_Written]) -> None:
        """Read again after a refusal: another caller was first, or an earlier try was carried out after all."""
        self._look(refused)
        for write in refused:
            if write.shown:
                write.error = None

    def _resend_degraded(self, refused: t.Sequence[_Written]) -> None:
        """Send again, without what was refused, the writes that a step can do in part (`can_degrade`).

        A write of which nothing remains is void.
        """
        degraded = []
        for write in refused:
            if write.error and self._step.can_degrade(write.before, write.error):
                write.error = None
                write.superseded = self._step.is_done(write.before)
                degraded += [] if write.superseded else [write]
        if degraded:
            self._send(degraded)

    def _read_back(self, pending: list[_Written]) -> None:
        """Entra and Exchange show a write late: read until it shows or verify_timeout is over.

        https://devblogs.microsoft.com/identity/designing-for-eventual-consistency-for-microsoft-entra
        """
        if not self._verify_timeout:
            return  # the caller reads back itself
        deadline = self._clock.monotonic() + self._verify_timeout
        pause = 0.5
        while pending:
            self._look(pending)
            pending = [write for write in pending if not write.shown]
            left = deadline - self._clock.monotonic()
            if not pending or left <= 0:
                return
            self._clock.sleep(min(pause, left))
            pause = min(2 * pause, 4.0)

    def _look(self, writes: t.Sequence[_Written]) -> None:
        if not writes:
            return
        leavers = [write.now for write in writes]
        for write, now in zip(writes, self._step.look(self._tenant, leavers), strict=True):
            write.mistaken = now.error if now.error and now.error.code == ANOTHER_USER else None
            if now.error or (self._step.reads_mailbox and now.mailbox is None):
                continue  # a user that cannot be read or found does not show the write yet
            write.now, write.read_since = now, True
            write.shown = self._step.shows(write.before, now)

    def _explain(self, writes: t.Sequence[_Written]) -> None:
        """Add the reason to each refusal. A 403 has one text for two reasons: the token and the target show which."""
        forbidden = [
            write
            for write in writes
            # A deleted user's roles cannot be read.
            if isinstance(write.error, ServiceError) and write.error.status == 403 and not write.now.known.deleted
        ]
        if forbidden and self._step.acts_on_user:
            # Once for each user, however many of their objects were refused.
            users = {write.now.known.id: write.now for write in forbidden}
            read = {leaver.known.id: leaver for leaver in self._tenant.read_roles(list(users.values()))}
            for write in forbidden:
                leaver = read[write.now.known.id]
                write.now = dataclasses.replace(write.now, roles=leaver.roles, roles_error=leaver.roles_error)
        for write in writes:
            if write.error:
                write.error = self._reason(write, write.error)

    def _reason(self, write: _Written, error: OffboardingError) -> OffboardingError:
        explained = error.with_context(f"Could not {self._step.action} {self._step.target(write.before)}")
        if error.outcome_unknown:
            explained.hint = OUTCOME_UNKNOWN
        elif isinstance(error, ServiceError) and error.status == 403:
            explained.hint = self._forbidden(write.before, write.now) or explained.hint
        elif (
            isinstance(error, ServiceError)
            and error.status == 400
            and write.now.known.synced
            and self._step.acts_on_user
        ):
            explained.hint = "The account is mastered in Active Directory: change it there."
        return explained

    def _forbidden(self, written: Leaver, leaver: Leaver) -> str | None:
        granted = self._step.service_of(self._tenant, written).permissions
        permission, sufficient = self._step.needs(written)
        if granted is not None and not granted & sufficient:
            return f"The application lacks the permission {permission}: grant it with admin consent."
        if not self._step.acts_on_user:
            return None
        if leaver.roles:
            return (
                f"The user holds a directory role ({', '.join(leaver.roles)}), so the permission alone is not enough: "
                "assign the application's service principal a role that may act on it; "
                "Privileged Authentication Administrator may act on every role."
            )
        if leaver.known.management_restricted:
            return (
                "The user is in a restricted management administrative unit: only administrators scoped to it may act."
            )
        unread = " (the user's own directory roles could not be read)" if leaver.roles_error else ""
        return (
            f"The application has the permission {permission}{unread}; Microsoft may also ask for a "
            "directory role on its service principal: User Administrator for ordinary users, "
            "Privileged Authentication Administrator for administrators."
        )
