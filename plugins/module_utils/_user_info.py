# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read everything about leavers and return one record each, for `m365_user_info`. Nothing is written."""

from __future__ import annotations

import dataclasses
import typing as t

from ._door_states import door_states, note_for, observed, surely_shut
from ._doors import OPEN, SHUT, STEPS, UNKNOWN, Protocols
from ._errors import OffboardingError
from ._records import identity, person_facts
from ._residual import residual_access
from ._similar import with_suggestions
from ._tenant import Leaver, Tenant
from ._times import format_moment
from ._user_input import RequestedUser, Search, name_key
from ._written import is_stale


def observe(
    tenant: Tenant,
    asked: t.Sequence[RequestedUser],
    steps: t.Sequence[str],
    protocols: Protocols,
    *,
    directory_roles: bool,
    search: Search | None = None,
    residual: t.Collection[str] = (),
    person: bool = True,
    mailbox_types: bool = False,
    written: t.Mapping[str, t.Any] | None = None,
    verify_timeout: float = 0,
    suggest: bool = False,
    with_earlier: bool = False,
) -> list[dict[str, t.Any]]:
    """Read every leaver's doors and facts and return one record each. Protected users and those not due are read too.

    :param with_earlier: read all users of the earlier evidence as well, see `Tenant.earlier`.
    :param mailbox_types: whether to read the mailbox type of users who may be blocked permanently: sign-in is
        blocked, a door is not shut, and no date says that they left.
    :param written: what steps have just written, as `_written.digest` gives it. A user who does not show the write is
        read again, until `verify_timeout` seconds have passed since the first read.
    :param suggest: for an unknown name, list users with a similar one in the error.
    """
    leavers = _read(
        tenant,
        asked,
        search,
        mailboxes="protocols" in steps,
        roles=directory_roles,
        person=person,
        with_earlier=with_earlier,
    )
    if written:
        leavers = _read_until_shown(tenant, leavers, steps, protocols, written, verify_timeout, person=person)
    if mailbox_types:
        leavers = _with_types(tenant, leavers, steps, protocols)
    known = [index for index, leaver in enumerate(leavers) if leaver.user]
    holders = [leaver for leaver in leavers if leaver.roles]
    spared = tenant.last_administrators(holders) if holders else {}
    left = dict(zip(known, residual_access(tenant, [leavers[index] for index in known], residual), strict=True))
    # Last: it may fail, and must not delay the other reads.
    leavers = with_suggestions(tenant.graph, leavers) if suggest else leavers
    return [
        {
            **_observation(leaver, steps, protocols, spared),
            **person_facts(leaver.user if person else None),
            "residual": left.get(index, {}),
        }
        for index, leaver in enumerate(leavers)
    ]


def _read(
    tenant: Tenant,
    asked: t.Sequence[RequestedUser],
    search: Search | None,
    *,
    mailboxes: bool,
    roles: bool,
    person: bool,
    with_earlier: bool,
) -> list[Leaver]:
    resolve = tenant.resolve_with_mailboxes if mailboxes else tenant.resolve
    leavers = resolve(asked, search, person=person, with_earlier=with_earlier)
    known = [leaver for leaver in leavers if leaver.user]
    if mailboxes and roles:
        read = tenant.read_mailboxes_and_roles(known)
    elif roles:
        read = tenant.read_roles(known)
    else:
        known = [leaver for leaver in known if mailboxes and not leaver.mailbox_read]
        read = tenant.read_mailboxes(known)
    updated = {id(leaver): one for leaver, one in zip(known, read, strict=True)}
    leavers = [updated.get(id(leaver), leaver) for leaver in leavers]
    return tenant.await_mailboxes(leavers) if mailboxes else leavers


def _with_types(
    tenant: Tenant, leavers: t.Sequence[Leaver], steps: t.Sequence[str], protocols: Protocols
) -> list[Leaver]:
    updated = list(leavers)
    wanted = [
        index
        for index, one in enumerate(leavers)
        if one.mailbox
        and one.known.account_enabled is False
        and one.left_at is None
        and not {OPEN, UNKNOWN}.isdisjoint(door_states(one, steps, protocols).values())
    ]
    for index, fresh in zip(wanted, tenant.read_mailbox_types([updated[index] for index in wanted]), strict=True):
        updated[index] = fresh
    return updated


def _read_until_shown(
    tenant: Tenant,
    leavers: t.Sequence[Leaver],
    steps: t.Sequence[str],
    protocols: Protocols,
    written: t.Mapping[str, t.Any],
    verify_timeout: float,
    *,
    person: bool,
) -> list[Leaver]:
    """Entra and Exchange show a write late: read users again until they show it. A failed read is not repeated.

    https://devblogs.microsoft.com/identity/designing-for-eventual-consistency-for-microsoft-entra
    """
    clock = tenant.graph.clock
    deadline, pause = clock.monotonic() + verify_timeout, 0.5
    updated = list(leavers)
    while True:
        stale = [
            is_stale(written.get(name_key(one.asked.name), {}), _observation(one, steps, protocols, {}))
            for one in updated
        ]
        left = deadline - clock.monotonic()
        if left <= 0 or not any(graph or mailbox for graph, mailbox in stale):
            return updated
        clock.sleep(min(pause, left))
        pause = min(2 * pause, 4.0)
        users = [index for index, (graph, _mailbox) in enumerate(stale) if graph]
        for index, fresh in zip(
            users, _resolve_again(tenant, [updated[index] for index in users], person=person), strict=True
        ):
            updated[index] = fresh
        # For a user that the first read did not find, no mailbox has been read yet.
        mailboxes = [
            index
            for index, (graph, mailbox) in enumerate(stale)
            if "protocols" in steps and updated[index].user and (mailbox or (graph and not updated[index].mailbox_read))
        ]
        for index, fresh in zip(mailboxes, tenant.read_mailboxes([updated[index] for index in mailboxes]), strict=True):
            updated[index] = fresh


def _resolve_again(tenant: Tenant, leavers: t.Sequence[Leaver], *, person: bool) -> list[Leaver]:
    """The same leavers with the user read again, and the mailbox as it was read."""
    fresh = tenant.resolve([leaver.asked for leaver in leavers], person=person)
    read = {name_key(one.asked.name): one for one in fresh}
    return [
        dataclasses.replace(
            read[name_key(leaver.asked.name)],
            mailbox_read=leaver.mailbox_read,
            mailbox=leaver.mailbox,
            mailbox_error=leaver.mailbox_error,
            roles=leaver.roles,
            roles_error=leaver.roles_error,
        )
        if name_key(leaver.asked.name) in read
        else leaver
        for leaver in leavers
    ]


def _observation(
    leaver: Leaver, steps: t.Sequence[str], protocols: Protocols, spared: t.Mapping[str, OffboardingError]
) -> dict[str, t.Any]:
    """The record of one user, but for who they are and what else is left of their access."""
    doors, notes = {}, {}
    error = leaver.error
    if leaver.user:
        doors = door_states(leaver, steps, protocols)
        notes = {step: note for step in STEPS if step in steps and (note := note_for(leaver, step))}
        if leaver.mailbox_error:
            error = leaver.mailbox_error
    timed = [step for step in ("password", "sessions") if doors.get(step) == SHUT]
    sparing = spared.get(leaver.user.id) if leaver.user else None
    shut_by = format_moment(surely_shut(leaver)) if timed else None
    return {
        **identity(leaver),
        "user": _reported_name(leaver),
        "status": "failed" if error else "unchanged",
        "error": error.as_record() if error else None,
        **_door_facts(leaver, steps, protocols),
        "left_at": format_moment(leaver.left_at),
        "due": leaver.due,
        "protected": leaver.protected,
        "by_name": not (leaver.asked.object_id or leaver.asked.found),
        "earlier": _of_earlier(leaver),
        "former_id": leaver.former_id,
        "wrong_person": leaver.wrong_person.as_record() if leaver.wrong_person else None,
        "directory_roles": list(leaver.roles) if leaver.roles is not None else None,
        "directory_roles_error": leaver.roles_error.as_record() if leaver.roles_error else None,
        "contradiction": leaver.contradiction.as_record() if leaver.contradiction else None,
        "must_stay": sparing.with_context(leaver.name).as_record() if sparing else None,
        "mailbox_type": leaver.mailbox_type,
        "mailbox_type_error": leaver.mailbox_type_error.as_record() if leaver.mailbox_type_error else None,
        "doors": doors,
        "open": [name for name, state in doors.items() if state == OPEN],
        "notes": notes,
        "surely_shut_by": dict.fromkeys(timed, shut_by),
    }


def _door_facts(leaver: Leaver, steps: t.Sequence[str], protocols: Protocols) -> dict[str, t.Any]:
    """The facts that decide the state of the doors: each key is always there, `None` if it is not set or was not read."""
    user = leaver.user
    return {
        "account_enabled": user.account_enabled if user else None,
        "last_password_change_date_time": format_moment(user.password_changed if user else None),
        "sign_in_sessions_valid_from_date_time": format_moment(user.sessions_valid_from if user else None),
        "mailbox_protocols": observed(leaver, "protocols", protocols) if user and "protocols" in steps else None,
    }


def _reported_name(leaver: Leaver) -> str:
    """The requested name; for a user known from earlier evidence alone, today's name, or the old one if unreadable."""
    asked = leaver.asked
    if not asked.known_as:
        return asked.name
    return leaver.user.user_principal_name if leaver.user else asked.known_as


def _of_earlier(leaver: Leaver) -> dict[str, t.Any] | None:
    """The user in the earlier evidence, if only that led here; `None` for a user who was named or found."""
    asked = leaver.asked
    if not asked.known_as:
        return None
    return {"id": asked.name, "user_principal_name": asked.known_as, "namesake": leaver.namesake}
