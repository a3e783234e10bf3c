# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""What a run keeps of each batch until its end, and how far it has come.

Ansible walks through all that a variable holds whenever a template or a task touches it, at about a millisecond a record
and time. So results travel between tasks as one text, packed, that is opened where it is needed.
"""

from __future__ import annotations

import base64
import datetime
import json
import typing as t
import zlib

from ..module_utils._asked import name_key, parse_users
from ..module_utils._errors import OffboardingError
from ..module_utils._times import format_moment, parse_moment
from ._earlier import changes
from ._evidence import tenant_entry
from ._results import FAILED, OPEN_DOORS, REFUSED, UNCONFIRMED, results, unlooked
from ._sentences import Record

# In doubt a door is open: also that of somebody who could not be looked at.
_NOT_SHUT = (FAILED, REFUSED, OPEN_DOORS, UNCONFIRMED)


def cut(leavers: t.Any, size: int) -> list[t.Any]:
    """The elements of O(users), each name once, in batches; what cannot be meant is left to the modules, whole."""
    try:
        asked = parse_users(leavers)
    except OffboardingError:
        return [leavers]
    users = [{"user": one.name, **({"left_at": format_moment(one.left_at)} if one.left_at else {})} for one in asked]
    return [users[i : i + size] for i in range(0, len(users), size)]


def pack(leavers: t.Sequence[Record]) -> str:
    return base64.b64encode(zlib.compress(json.dumps(leavers).encode(), 1)).decode()


def unpack(records: t.Sequence[str]) -> list[dict[str, t.Any]]:
    """The results of all batches, each leaver once, in the order asked for.

    Of two results the later counts, but for the steps that the earlier has written: who was asked for under two names
    is shut by the first, and found shut by the second.
    """
    told: dict[str, dict[str, t.Any]] = {}
    for record in records:
        for one in json.loads(zlib.decompress(base64.b64decode(record))):
            key = name_key(str(one["id"] or one["user"]))
            told[key] = _later(told[key], one) if key in told else one
    return list(told.values())


def _later(one: Record, other: Record) -> dict[str, t.Any]:
    steps = {
        step: one["steps"][step] if entry["status"] == "unchanged" and one["steps"][step]["written_at"] else entry
        for step, entry in other["steps"].items()
    }
    return {**other, "steps": steps}


def join(
    opening: Record,
    *,
    before: Record | None,
    steps: t.Sequence[str],
    protocols: t.Sequence[str],
    asked: t.Sequence[t.Any],
    users: t.Sequence[Record],
    users_only: bool,
    runs: t.Sequence[Record],
    closing: Record | None,
    refused: t.Mapping[str, Record],
    earlier: t.Any,
    total: int,
    started_at: str | None,
) -> dict[str, t.Any]:
    """What came of a batch, put on record behind those before it.

    :param opening: what was registered of the read that the batch began with.
    :param before: what this gave for the batch before.
    :param asked: who was to be read; where that failed, they failed, unless there was nothing before: then the tenant did.
    :param users: who went through the steps; C(users_only) to tell of nobody else.
    :param runs: see R(results).
    :param closing: as registered.
    :param total: leavers of all batches; 0 for what is none of them.
    :returns: as M(m365.offboarding.leaver_batch) returns it.
    :raises ValueError: what is given as earlier evidence is none.
    """
    entry, records = tenant_entry(opening, steps=steps), list(before["records"] if before else ())
    error = entry.pop("error")
    known: t.Sequence[Record] = opening.get("users") or ()
    if users_only:
        chosen = {one["user"] for one in users}
        known = [one for one in known if one["id"] in chosen]
    read_last = (closing or {}).get("users") or ()
    leavers = (
        results(known, steps=steps, protocols=protocols, runs=runs, closing=read_last, refused=refused) if known else []
    )
    if error and records:
        leavers = [unlooked(one, error, steps) for one in asked]
        error = None
    told = {name: value for name, value in entry.items() if value is not None}
    records += [pack(changes(leavers, earlier))] if leavers else []
    counted = leavers if total else []
    done = (before["done"] if before else 0) + len(counted)
    not_shut = (before["not_shut"] if before else 0) + sum(1 for one in counted if one["status"] in _NOT_SHUT)
    return {
        "records": records,
        "entry": {**(before["entry"] if before else entry), **told, "error": error},
        "done": done,
        "not_shut": not_shut,
        "msg": _progress(done, not_shut, max(total, done), started_at),
    }


def _progress(done: int, not_shut: int, total: int, started_at: str | None) -> str:
    left = total - done
    words = [f"{done} of {total} leavers done, {left} left", f"{not_shut} with an open door"]
    if left and done and started_at:
        now = datetime.datetime.now(datetime.timezone.utc)
        words.append(f"end expected at {format_moment(now + (now - parse_moment(started_at)) / done * left)}")
    return f"{'; '.join(words)}."
