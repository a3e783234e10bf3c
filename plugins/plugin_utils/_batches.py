# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""What a run keeps of each leaver until its end, and how far it has come.

Ansible walks through all that a variable holds whenever a template or a task touches it, at about a millisecond a record
and time. So results travel between tasks as one text for each batch, packed, that is opened where it is needed: a line
for each leaver, `[place, result]`, with the place in the order asked for.
"""

from __future__ import annotations

import base64
import datetime
import json
import typing as t
import zlib

from ..module_utils._asked import name_key
from ..module_utils._times import format_moment, parse_moment
from ._earlier import changes, compared_with
from ._evidence import tenant_entry, unread
from ._results import FAILED, OPEN_DOORS, REFUSED, UNCONFIRMED, results
from ._sentences import Record

# In doubt a door is open: also that of somebody who could not be looked at.
_NOT_SHUT = (FAILED, REFUSED, OPEN_DOORS, UNCONFIRMED)


def pack(leavers: t.Iterable[tuple[int, Record]]) -> str:
    """Results with their places as one text."""
    lines = "\n".join(json.dumps([place, one]) for place, one in leavers)
    return base64.b64encode(zlib.compress(lines.encode(), 1)).decode()


def _lines(records: t.Iterable[str]) -> list[str]:
    """The lines of all batches in the order asked for; JSON escapes line breaks and all that is not ASCII."""
    found = [line for text in records for line in zlib.decompress(base64.b64decode(text)).decode().split("\n") if line]
    return sorted(found, key=lambda line: int(line[1 : line.index(",")]))


def unpack(records: t.Sequence[str]) -> list[dict[str, t.Any]]:
    """The results of all batches, in the order asked for."""
    return [json.loads(line)[1] for line in _lines(records)]


def texts(records: t.Sequence[str]) -> list[str]:
    """As `unpack`, but each result as JSON text: what is only copied into a file need not be parsed."""
    return [line[line.index(",") + 1 : -1].strip() for line in _lines(records)]


def join(
    opening: Record,
    *,
    before: Record | None,
    steps: t.Sequence[str],
    protocols: t.Sequence[str],
    batches: t.Sequence[t.Sequence[Record]],
    number: int,
    runs: t.Sequence[Record],
    closing: Record | None,
    finished: bool,
    refused: t.Mapping[str, Record],
    earlier: t.Any,
    total: int,
    started_at: str | None,
) -> dict[str, t.Any]:
    """What is known of everybody after the opening read, or of one batch after a step or its closing read.

    :param opening: what was registered of the opening read of everybody.
    :param before: what this gave the last time.
    :param batches: who goes through the steps: all batches after the opening read, later only the one of `number`.
    :param number: 0 after the opening read, later the batch, from 1.
    :param runs: what was registered of the steps that this batch has gone through, see `results`.
    :param closing: as registered; null before it.
    :param finished: whether the batch has come to its end.
    :param total: leavers of all batches.
    :returns: as `m365.offboarding.leaver_batch` returns it.
    :raises ValueError: the earlier evidence is not evidence.
    """
    entry = tenant_entry(opening, steps=steps)
    users = [one for batch in batches for one in batch]
    known: list[tuple[int, Record]] = list(enumerate(opening.get("users") or ()))
    if number:
        chosen = {name_key(str(one["user"])) for one in users}
        known = [(place, one) for place, one in known if name_key(str(one["id"])) in chosen]
    compared = compared_with(earlier)
    moved = {one["id"]: error for _place, one in known if compared and (error := compared.moved(one))}
    told = results(
        [one for _place, one in known],
        steps=steps,
        protocols=protocols,
        runs=runs,
        closing=(closing or {}).get("users") or (),
        unread=unread(closing or {}),
        refused={**moved, **refused},
        users=users,
    )
    placed = list(zip((place for place, _one in known), changes(told, earlier), strict=True))
    if number:
        records = list(before["records"] if before else ())
        records[number] = pack(placed)
    else:
        records = _by_batch(placed, batches)
    done, not_shut = (before["done"], before["not_shut"]) if before else (0, 0)
    if finished:
        done += len(told)
        not_shut += sum(1 for one in told if one["status"] in _NOT_SHUT)
    return {
        "records": records,
        "entry": entry,
        "done": done,
        "not_shut": not_shut,
        "msg": _progress(done, not_shut, max(total, done), started_at),
    }


def _by_batch(placed: t.Sequence[tuple[int, Record]], batches: t.Sequence[t.Sequence[Record]]) -> list[str]:
    """First whoever goes through no step, then a text for each batch."""
    batch_of = {name_key(str(one["user"])): number for number, batch in enumerate(batches, 1) for one in batch}
    parts: list[list[tuple[int, Record]]] = [[] for _number in range(len(batches) + 1)]
    for place, one in placed:
        parts[batch_of.get(name_key(str(one["id"])), 0)].append((place, one))
    return [pack(part) for part in parts]


def _progress(done: int, not_shut: int, total: int, started_at: str | None) -> str:
    left = total - done
    words = [f"{done} of {total} leavers done, {left} left", f"{not_shut} with an open door"]
    if left and done and started_at:
        now = datetime.datetime.now(datetime.timezone.utc)
        words.append(f"end expected at {format_moment(now + (now - parse_moment(started_at)) / done * left)}")
    return f"{'; '.join(words)}."
