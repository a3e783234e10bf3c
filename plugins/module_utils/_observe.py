# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""How everything about a leaver is read and told, for who only looks."""

from __future__ import annotations

import typing as t

from ._asked import Asked, Search
from ._door_states import door_states, note_for, observed, surely_shut
from ._doors import OPEN, SHUT, STEPS, Protocols
from ._errors import OffboardingError
from ._leavers import Leaver, Tenant
from ._records import record
from ._residual import survey
from ._times import format_moment

# Said of a step's record only. A look writes nothing, and a thousand leavers make a large result as it is.
_OF_A_WRITE = ("after", "written_at", "effective_by", "request_id", "note")


def observe(
    tenant: Tenant,
    asked: t.Sequence[Asked],
    steps: t.Sequence[str],
    protocols: Protocols,
    *,
    directory_roles: bool,
    search: Search | None = None,
    residual: t.Collection[str] = (),
) -> list[dict[str, t.Any]]:
    """Read every leaver's doors and facts. Reads only; protected accounts and those not yet due are read as well."""
    leavers = _read(tenant, asked, search, mailboxes="protocols" in steps, roles=directory_roles)
    known = [index for index, leaver in enumerate(leavers) if leaver.user]
    holders = [leaver for leaver in leavers if leaver.roles]
    spared = tenant.last_administrators(holders) if holders else {}
    left = dict(zip(known, survey(tenant, [leavers[index] for index in known], residual), strict=True))
    return [
        {**_observation(leaver, steps, protocols, spared), "residual": left.get(index, {})}
        for index, leaver in enumerate(leavers)
    ]


def _read(
    tenant: Tenant, asked: t.Sequence[Asked], search: Search | None, *, mailboxes: bool, roles: bool
) -> list[Leaver]:
    leavers = tenant.resolve_with_mailboxes(asked, search) if mailboxes else tenant.resolve(asked, search)
    known = [leaver for leaver in leavers if leaver.user]
    if mailboxes and roles:
        read = tenant.read_mailboxes_and_roles(known)
    elif roles:
        read = tenant.read_roles(known)
    else:
        known = [leaver for leaver in known if mailboxes and not leaver.mailbox_read]
        read = tenant.read_mailboxes(known)
    told = {id(leaver): one for leaver, one in zip(known, read, strict=True)}
    return [told.get(id(leaver), leaver) for leaver in leavers]


def _observation(
    leaver: Leaver, steps: t.Sequence[str], protocols: Protocols, spared: t.Mapping[str, OffboardingError]
) -> dict[str, t.Any]:
    facts, doors, notes = None, {}, {}
    error = leaver.error
    if leaver.user:
        doors = door_states(leaver, steps, protocols)
        facts = {step: observed(leaver, step, protocols) for step in STEPS if step in steps}
        notes = {step: note for step in STEPS if step in steps and (note := note_for(leaver, step))}
        if leaver.mailbox_error:
            error = leaver.mailbox_error.within(f"Could not read the mailbox of {leaver.name}")
    one = record(leaver, "failed" if error else "unchanged", before=facts, error=error)
    timed = [step for step in ("password", "sessions") if doors.get(step) == SHUT]
    sparing = spared.get(leaver.user.id) if leaver.user else None
    shut_by = format_moment(surely_shut(leaver)) if timed else None
    return {
        **{name: value for name, value in one.items() if name not in _OF_A_WRITE},
        "left_at": format_moment(leaver.left_at),
        "due": leaver.due,
        "protected": leaver.protected,
        "directory_roles": list(leaver.roles) if leaver.roles is not None else None,
        "directory_roles_error": leaver.roles_error.as_record() if leaver.roles_error else None,
        "contradiction": leaver.contradiction.as_record() if leaver.contradiction else None,
        "must_stay": sparing.within(leaver.name).as_record() if sparing else None,
        "doors": doors,
        "open": [name for name, state in doors.items() if state == OPEN],
        "notes": notes,
        "surely_shut_by": dict.fromkeys(timed, shut_by),
    }
