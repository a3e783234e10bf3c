# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run keeps about each leaver until its end, and its progress.

The results of a batch are a list of `[place, result]`, with the place in the requested order, as `_carried` carries it.
"""

from __future__ import annotations

import datetime
import typing as t

from ..module_utils._times import format_moment, parse_moment
from ..module_utils._user_input import name_key
from ._carried import Carried, carried, carried_texts, decoded
from ._containment import containment, parse_period
from ._earlier import Earlier
from ._evidence import tenant_entry, unread
from ._exceptions import accept, exceptions_report
from ._messages import Record
from ._results import FAILED, OPEN_DOORS, REFUSED, UNCONFIRMED, results

Placed = list[t.Any]
# In doubt a door is open, also that of a user who could not be read.
_NOT_SHUT = (FAILED, REFUSED, OPEN_DOORS, UNCONFIRMED)


def unpack(records: t.Sequence[Carried]) -> list[dict[str, t.Any]]:
    """The results of all batches, in the requested order."""
    placed = [one for part in records for one in decoded(part)]
    return [result for _place, result in sorted(placed, key=lambda one: int(one[0]))]


def texts(records: t.Sequence[Carried]) -> list[str]:
    """As `unpack`, but each result as JSON text: what is only copied into a file need not be parsed."""
    lines = [line for part in records for line in carried_texts(part)]
    lines.sort(key=lambda line: int(line[1 : line.index(",")]))
    return [line[line.index(",") + 1 : -1].strip() for line in lines]


def join(
    opening: Record,
    read: t.Iterable[Placed],
    *,
    size: int,
    before: Record | None,
    steps: t.Sequence[str],
    protocols: t.Sequence[str],
    batches: t.Sequence[t.Sequence[Record]],
    number: int,
    runs: t.Sequence[Record],
    closing: Record | None,
    finished: bool,
    refused: t.Mapping[str, Record],
    earlier: Earlier | None,
    total: int,
    started_at: str | None,
    purpose: str = "offboard",
    contain_within: str | None = None,
    exceptions: t.Sequence[Record] = (),
    also: t.Sequence[str] = (),
) -> dict[str, t.Any]:
    """What is known about all leavers after the opening read, or about one batch after a step or its closing read.

    :param opening: the registered result of the opening read of all leavers; its records are not used.
    :param read: the records of the opening read, of all leavers at first, later those of the batch.
    :param size: the number of records of the opening read.
    :param before: what this function returned the last time.
    :param batches: the leavers who go through the steps: all batches after the opening read, later only that of `number`.
    :param number: 0 after the opening read, later the batch, from 1.
    :param runs: the registered results of the steps that this batch has gone through, see `results`.
    :param closing: as registered; null before it.
    :param finished: whether the batch is complete.
    :param total: leavers of all batches.
    :param contain_within: the period within which leavers must be locked out, as `parse_period` reads it.
    :param exceptions: what `parse_exceptions` returns. They are judged by the day on which the run began.
    :param also: what is closed besides the doors, see `results`.
    :returns: `records`, the results by batch, see `unpack`, the first part for leavers who go through no step; `entry`, see
        `tenant_entry`; `done`, the leavers of finished batches; `not_shut`, those of them with a door that is not proven
        shut; `msg`, how far the run has come, in one line.
    :raises ValueError: the period cannot be read.
    """
    period = parse_period(contain_within)
    users = [one for batch in batches for one in batch]
    known = [(place, one) for place, one in read if not (earlier and earlier.is_over(one))]
    moved = {one["id"]: error for _place, one in known if earlier and (error := earlier.moved(one))}
    reported = results(
        [one for _place, one in known],
        steps=steps,
        protocols=protocols,
        runs=runs,
        closing=(closing or {}).get("users") or (),
        unread=unread(closing or {}),
        refused={**moved, **refused},
        users=users,
        purpose=purpose,
        check_mode=bool(opening.get("check_mode")),
        also=also,
    )
    today = str(started_at or format_moment(datetime.datetime.now(datetime.timezone.utc)))[:10]
    reported = [
        {**one, "since": earlier.change(one, found) if earlier else None}
        for (_place, found), one in zip(known, accept(reported, exceptions, today), strict=True)
    ]
    reported = [
        {
            **one,
            "containment": containment(
                one,
                earlier.locked_out(found) if earlier else [],
                period=period,
                read_at=opening.get("read_at"),
                purpose=purpose,
            ),
        }
        for (_place, found), one in zip(known, reported, strict=True)
    ]
    placed: list[Placed] = [[place, one] for (place, _one), one in zip(known, reported, strict=True)]
    parts = [carried(part, size) for part in ([placed] if number else by_batch(placed, batches))]
    records = list(before["records"]) if before and number else []
    records[number : number + len(parts)] = parts
    done, not_shut = (before["done"], before["not_shut"]) if before else (0, 0)
    if finished:
        done += len(reported)
        not_shut += sum(1 for one in reported if one["status"] in _NOT_SHUT)
    met: t.Sequence[Record] = before["entry"]["exceptions"] if before else ()
    if exceptions and (finished or not number):
        met = exceptions_report(exceptions, unpack(records), today)
    return {
        "records": records,
        "entry": tenant_entry(
            opening,
            steps=steps,
            contain_within=contain_within,
            exceptions=met,
            since=earlier.comparison if earlier else None,
        ),
        "done": done,
        "not_shut": not_shut,
        "msg": _progress(done, not_shut, max(total, done), started_at),
    }


def by_batch(placed: t.Iterable[Placed], batches: t.Sequence[t.Sequence[Record]]) -> list[list[Placed]]:
    """First the leavers who go through no step, then a list for each batch."""
    batch_of = {name_key(str(one["user"])): number for number, batch in enumerate(batches, 1) for one in batch}
    parts: list[list[Placed]] = [[] for _number in range(len(batches) + 1)]
    for place, one in placed:
        parts[batch_of.get(name_key(str(one["id"])), 0)].append([place, one])
    return parts


def _progress(done: int, not_shut: int, total: int, started_at: str | None) -> str:
    left = total - done
    words = [f"{done} of {total} leavers done, {left} left", f"{not_shut} with an open door"]
    if left and done and started_at:
        now = datetime.datetime.now(datetime.timezone.utc)
        words.append(f"end expected at {format_moment(now + (now - parse_moment(started_at)) / done * left)}")
    return f"{'; '.join(words)}."
