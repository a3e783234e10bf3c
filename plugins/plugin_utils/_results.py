# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""What came of each leaver: joined from what was read first, what the steps told, and what was read last."""

from __future__ import annotations

import typing as t

from ..module_utils._doors import OPEN, PROTOCOLS, SHUT, STEPS, UNKNOWN, Protocols, doors_of
from ._sentences import Record, as_error

# What a leaver's result says on top, the worst first.
FAILED, REFUSED, OPEN_DOORS, UNCONFIRMED, NOT_DUE, PARTIAL, CONTAINED = (
    "failed",
    "refused",
    "open",
    "unconfirmed",
    "not_due",
    "partial",
    "contained",
)
# An accepted write is done as far as a step can tell: whether it counts, the closing read says.
_DONE = ("unchanged", "verified", "accepted", "not_applicable")


def results(
    opening: t.Sequence[Record],
    *,
    steps: t.Sequence[str],
    protocols: t.Sequence[str] = ("all",),
    runs: t.Sequence[Record] = (),
    closing: t.Sequence[Record] = (),
    refused: t.Mapping[str, Record] | None = None,
) -> list[dict[str, t.Any]]:
    """One result per leaver, joined from the opening read, the steps' records and the closing read.

    :param runs: what was registered of each step, C({step, result}); a result without records counts as failed for
        everyone who was to go through it.
    :param closing: the records of the closing read; who is not in it keeps the opening one.
    """
    last = {one["id"]: one for one in closing if one["id"]}
    told: dict[str, dict[str, Record]] = {}
    for run in runs:
        for record in run["result"].get("users") or _for_everyone(run):
            told.setdefault(record["id"], {})[run["step"]] = record
    unseen = [name for name in PROTOCOLS if name not in Protocols.parse(protocols).names]
    return [
        _result(
            one,
            last.get(one["id"], one),
            told.get(one["id"], {}),
            # An audit has no plan, and a date that nobody can rely on is a refusal there too.
            (refused or {}).get(one["id"]) or one.get("contradiction"),
            steps,
            unseen,
        )
        for one in opening
    ]


def _for_everyone(run: Record) -> list[Record]:
    error = run["result"].get("error") or as_error("no_records", str(run["result"].get("msg")), None)
    return [
        {"id": leaver["user"], "status": "failed", "before": None, "after": None, "error": error}
        for leaver in run["users"]
    ]


def unlooked(asked: t.Any, error: Record, steps: t.Sequence[str]) -> dict[str, t.Any]:
    """The result of somebody who was asked for and could not be looked at.

    :param asked: an element of O(users).
    """
    name = asked["user"] if isinstance(asked, t.Mapping) else asked
    nobody = dict.fromkeys(("id", "user_principal_name", "display_name", "left_at", "before", "directory_roles"))
    opening = {**nobody, "user": str(name), "doors": {}, "due": None, "error": error}
    return _result(opening, opening, {}, None, steps, ())


def _result(
    opening: Record,
    last: Record,
    told: t.Mapping[str, Record],
    refused: Record | None,
    steps: t.Sequence[str],
    unseen: t.Sequence[str],
) -> dict[str, t.Any]:
    entries = {}
    for step in STEPS:
        if step in steps:
            entry = told.get(step) or _untold(step, opening, refused)
            entries[step] = _entry(step, entry, last)
    opened, unconfirmed = [], []
    for step, entry in entries.items():
        for name, state in doors_of(step, last["doors"]).items():
            if state == UNKNOWN or (state == OPEN and entry["status"] == "accepted"):
                unconfirmed.append(name)
            elif state == OPEN:
                opened.append(name)
    skipped = [step for step in STEPS if step not in steps]
    if (last["before"] or {}).get("protocols"):  # there is a mailbox, and some of its doors were not asked for
        skipped += unseen
    status = _status(opening, entries, opened, unconfirmed, skipped)
    return {
        "user": opening["user"],
        "id": opening["id"],
        "user_principal_name": opening["user_principal_name"],
        "display_name": opening["display_name"],
        "left_at": opening["left_at"],
        "status": status,
        "contained": bool(last["doors"]) and not (opened or unconfirmed or skipped),
        "open": opened,
        "unconfirmed": unconfirmed,
        "not_looked_at": skipped,
        "directory_roles": opening["directory_roles"],
        "error": refused or opening["error"],
        "steps": entries,
        "residual": opening.get("residual", {}),
        "since": None,
    }


def _untold(step: str, opening: Record, refused: Record | None) -> dict[str, t.Any]:
    """The record of a step that this leaver did not go through."""
    doors = doors_of(step, opening["doors"]).values()
    facts = (opening["before"] or {}).get(step)
    record = {"before": facts, "after": facts, "note": None, "error": None}
    if not opening["id"]:
        return {**record, "status": "failed", "error": opening["error"]}
    if UNKNOWN in doors:
        return {**record, "status": "failed", "error": opening["error"]}
    if OPEN not in doors:
        return {**record, "status": "unchanged" if SHUT in doors else "not_applicable"}
    if refused:
        return {**record, "status": "refused", "error": refused}
    if opening["due"] is False:
        return {**record, "status": "not_due"}
    return {**record, "status": "planned", "after": None}


def _entry(step: str, record: Record, last: Record) -> dict[str, t.Any]:
    shut_by = last.get("surely_shut_by", {}).get(step)
    seen = record["status"] == "accepted" and _is_seen(step, record, last)
    return {
        "status": "verified" if seen else record["status"],
        "before": record["before"],
        "after": last["before"][step] if seen else record["after"],
        "written_at": record.get("written_at"),
        "effective_by": (shut_by if seen else None) or record.get("effective_by") or shut_by,
        "request_id": record.get("request_id"),
        "note": record.get("note") or last.get("notes", {}).get(step),
        "error": record["error"],
    }


def _is_seen(step: str, record: Record, last: Record) -> bool:
    """Whether the last reading shows what a step wrote and has not seen itself."""
    states = set(doors_of(step, last["doors"]).values())
    if step == "sessions" and OPEN in states:
        # The door stands open while anybody can sign in; the sign-out happened all the same.
        return _signed_out(last["before"][step]) > _signed_out(record["before"])
    return SHUT in states and states.isdisjoint((OPEN, UNKNOWN))


def _signed_out(facts: Record | None) -> str:
    """Moments of one spelling, in UTC, are in order as text."""
    return str((facts or {}).get("sign_in_sessions_valid_from_date_time") or "")


def _status(
    opening: Record,
    entries: t.Mapping[str, Record],
    opened: t.Sequence[str],
    unconfirmed: t.Sequence[str],
    skipped: t.Sequence[str],
) -> str:
    statuses = {entry["status"] for entry in entries.values()}
    if not opening["id"] or ("failed" in statuses and (opened or unconfirmed)):
        return FAILED
    if "refused" in statuses:
        return REFUSED
    if opening["due"] is False:
        return NOT_DUE
    if opened:
        return OPEN_DOORS
    if unconfirmed:
        return UNCONFIRMED
    return PARTIAL if skipped else CONTAINED


def in_doubt(closing: t.Sequence[Record], runs: t.Sequence[Record]) -> list[str]:
    """Leavers whom every step called done and whose doors a later read calls open: a replica that lags, most likely."""
    # Password and sessions are judged by what all three steps at Graph leave together.
    together = {"password", "sessions", "signin"} <= {run["step"] for run in runs}
    judged = [step for step in STEPS if together or step in ("signin", "protocols")]
    undone = {
        record["id"]
        for run in runs
        for record in run["result"].get("users") or _for_everyone(run)
        if record["status"] not in _DONE
    }
    return [
        str(one["id"] or one["user"])
        for one in closing
        if one["id"] not in undone and (one["status"] == "failed" or _open_among(judged, one))
    ]


def _open_among(steps: t.Sequence[str], one: Record) -> bool:
    return any(OPEN in doors_of(step, one["doors"]).values() for step in steps)


def counts(leavers: t.Sequence[Record], *, names: bool) -> dict[str, t.Any]:
    """For the next node of a workflow: object ids, and names only where asked for."""
    known = [one for one in leavers if one["id"]]
    return {
        "contained": [one["id"] for one in known if one["contained"]],
        "not_contained": [one["id"] for one in known if not one["contained"]],
        "unknown": len(leavers) - len(known),
        **({"names": {one["id"]: one["user_principal_name"] for one in known}} if names else {}),
    }
