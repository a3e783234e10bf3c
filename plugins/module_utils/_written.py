# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare what a step wrote with a later read of the same user. Only this file decides that.

The closing read uses it to know whether another read is worthwhile, the verdict to know what the last read proves.
Both work on plain records, as the modules return them.
"""

from __future__ import annotations

import datetime
import typing as t

from ._doors import MOMENTS, NOT_APPLICABLE, OPEN, STEPS, UNKNOWN, doors_of
from ._times import parse_moment
from ._user_input import name_key

Record = t.Mapping[str, t.Any]

# The read shows the write; it is older than the write; something changed after the write; it shows nothing.
SHOWN, STALE, CHANGED, UNREAD = "shown", "stale", "changed", "unread"
# Statuses of a step's record after which the door is expected to be shut.
DONE = ("unchanged", "verified", "accepted")
# Microsoft's moments are cut to the second, and the servers that write and answer need not have the same clock.
_CLOCKS = datetime.timedelta(seconds=1)


def moment(facts: Record | None, step: str) -> str:
    """The moment that a step looks at, empty if there is none. Moments of one spelling, in UTC, sort as text.

    :param facts: a record of `m365_user_info`, or what a step's record holds as `before` or `after`.
    """
    return str((facts or {}).get(MOMENTS[step]) or "")


def digest(records: t.Iterable[tuple[str, Record]]) -> dict[str, dict[str, Record]]:
    """What `is_stale` needs of the steps' records: by requested name, then by step.

    :param records: pairs of a step and one of its records. Those of a user who is not done are left out.
    """
    reported: dict[str, dict[str, Record]] = {}
    for step, record in records:
        if record["status"] in DONE:
            kept = {name: record.get(name) for name in ("status", "before", "after", "written_at")}
            reported.setdefault(name_key(str(record["user"])), {})[step] = kept
    return reported


def is_digest(value: t.Any) -> bool:
    """Whether a value has the shape that `digest` gives."""
    return all(
        isinstance(steps, dict)
        and all(
            step in STEPS
            and isinstance(reported, dict)
            and {"status", "before", "after", "written_at"} <= reported.keys()
            for step, reported in steps.items()
        )
        for steps in value.values()
    )


def compare(step: str, written: Record, read: Record) -> str:
    """What a read shows about a finished step: `SHOWN`, `STALE`, `CHANGED` or `UNREAD`.

    :param written: `status` (one of `DONE`), `before`, `after` and `written_at` of the step's record.
    :param read: a record of `m365_user_info`, read after the step. A user without an `id` could not be read.
    """
    doors = doors_of(step, read["doors"]).values()
    if not read["id"] or not doors:
        return UNREAD
    if step == "protocols":
        if UNKNOWN in doors:
            return UNREAD
        # The step saw a mailbox: a read that finds none proves nothing.
        vanished = bool(written["before"]) and set(doors) == {NOT_APPLICABLE}
        return STALE if OPEN in doors or vanished else SHOWN
    if step == "signin":
        return SHOWN if read["account_enabled"] is False else STALE
    return (_password if step == "password" else _sessions)(written, read)


def _password(written: Record, read: Record) -> str:
    """A reset is valid only while its own time is the latest: anyone who changes the password later knows it."""
    now, after = moment(read, "password"), moment(written["after"], "password")
    if after and written["status"] != "accepted":
        return SHOWN if now == after else CHANGED if now > after else STALE
    if now <= moment(written["before"], "password"):
        return STALE
    return CHANGED if _is_later(now, written["written_at"]) else SHOWN


def _sessions(written: Record, read: Record) -> str:
    now, after = moment(read, "sessions"), moment(written["after"], "sessions")
    if after and written["status"] != "accepted":
        return SHOWN if now >= after else STALE
    if _is_later(now, written["written_at"]):
        return CHANGED
    # A reset moves this moment to its own second: a moment that is not later may come from the reset alone.
    reset = moment(read, "password")
    return STALE if now <= moment(written["before"], "sessions") or now <= reset else SHOWN


def _is_later(now: str, written_at: str | None) -> bool:
    return bool(now and written_at) and parse_moment(now) > parse_moment(str(written_at)) + _CLOCKS


def is_stale(written: t.Mapping[str, Record], read: Record) -> tuple[bool, bool]:
    """Whether another read is worthwhile, for the user in Graph and for the mailbox.

    A read that failed is not repeated here: its faults have had their retry budget.

    :param written: by step, as `digest` gives it for this user.
    """
    if not read["id"]:
        # A lagging replica may not have the user yet. "deleted" is reported only if the deleted user was found.
        return bool(written) and (read["error"] or {}).get("code") == "not_found", False
    stale = [step for step in STEPS if step in written and compare(step, written[step], read) == STALE]
    return any(step != "protocols" for step in stale), "protocols" in stale
