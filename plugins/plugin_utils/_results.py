# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of each leaver, joined from the opening read, the records of the steps, and the closing read."""

from __future__ import annotations

import typing as t

from ..module_utils._doors import (
    MAILBOX_AWAITED,
    MOMENTS,
    NOT_APPLICABLE,
    OPEN,
    PROTOCOLS,
    SHUT,
    STEPS,
    UNKNOWN,
    Protocols,
    doors_of,
)
from ..module_utils._errors import WRONG_PERSON
from ..module_utils._user_input import name_key
from ..module_utils._written import CHANGED, DONE, SHOWN, STALE, compare, digest, moment
from ._also import entries as entries_of_also
from ._messages import Record, as_error, reason_of, what_was_done

# The overall status of a leaver's result, the worst first.
FAILED, REFUSED, OPEN_DOORS, UNCONFIRMED, NOT_DUE, ACCEPTED, DELETED, PARTIAL, CONTAINED = (
    "failed",
    "refused",
    "open",
    "unconfirmed",
    "not_due",
    "accepted",
    "deleted",
    "partial",
    "contained",
)
# Statuses after which the tenant may differ from the opening read.
_WRITTEN = ("verified", "accepted")
# What a record of `m365_user_info` has at its top and the evidence nests: the fact of each step, and who somebody is.
_FACTS = {**MOMENTS, "signin": "account_enabled"}
_PERSON = (
    "department",
    "job_title",
    "manager",
    "user_type",
    "created_date_time",
    "employee_hire_date",
    "last_password_change_date_time",
)


def results(
    opening: t.Sequence[Record],
    *,
    steps: t.Sequence[str],
    protocols: t.Sequence[str] = ("all",),
    runs: t.Sequence[Record] = (),
    closing: t.Sequence[Record] = (),
    unread: Record | None = None,
    refused: t.Mapping[str, Record] | None = None,
    users: t.Sequence[Record] = (),
    purpose: str = "offboard",
    check_mode: bool = False,
    also: t.Sequence[str] = (),
) -> list[dict[str, t.Any]]:
    """One result per leaver, joined from the opening read, the steps' records and the closing read.

    They are joined by the requested name, which is never null: a step or a read that finds no user has no
    object ID.

    :param runs: the registered result of each step, `{step, users, result}`; every user in `users` without a record in
        `result` counts as failed.
    :param closing: the records of the closing read. The doors of a leaver who was written to and is not in it, or
        could not be read, are unknown.
    :param unread: the error of a closing read that failed as a whole.
    :param also: what is closed besides the doors, of `ALSO`; its records are in `runs`, under its name as `step`.
    :param users: who goes through the steps, as the modules' `users`, in addition to those of `runs`. A step that is
        not in `runs` is `pending` for them.
    :param purpose: `offboard` or `audit`, which with `check_mode` decides how `done` says what a step did.
    """
    went = {_key(one["user"]) for run in ({"users": users}, *runs) for one in run["users"]}
    reported: dict[str, dict[str, Record]] = {}
    for run in runs:
        for key, record in _records(run):
            reported.setdefault(key, {})[run["step"]] = record
    last = {key: one for one in closing for key in _keys(one)}
    unseen = [name for name in PROTOCOLS if name not in Protocols.parse(protocols).names]
    joined = []
    for one in opening:
        keys = _keys(one)
        by_step = {step: record for key in reversed(keys) for step, record in reported.get(key, {}).items()}
        closed = next((last[key] for key in keys if key in last), None)
        joined.append(
            _result(
                one,
                _last(one, closed, by_step.values(), unread),
                by_step,
                # An audit has no plan, and an unreliable date is a refusal there too.
                (refused or {}).get(one["id"]) or one.get("contradiction"),
                steps,
                unseen,
                went=not went.isdisjoint(keys),
                also=also,
            )
        )
    for one, opened in zip(joined, opening, strict=True):
        # Users known only from the earlier evidence are looked at, whatever the run does for others.
        own = "audit" if opened.get("earlier") else purpose
        for step, entry in one["steps"].items():
            entry["done"] = what_was_done(step, entry["status"], purpose=own, check_mode=check_mode)
    return joined


def _key(name: t.Any) -> str:
    return name_key(str(name))


def _keys(one: Record) -> list[str]:
    """The names by which a record is found, in lower case: its object ID, and the requested name.

    A user known only from the earlier evidence was requested by object ID; another user may have the name now.
    """
    if one.get("earlier"):
        return [_key(one["earlier"]["id"])]
    return [_key(name) for name in (one["id"], one["user"]) if name]


def _records(run: Record) -> t.Iterator[tuple[str, Record]]:
    """A step's records by requested name; a failed one for each user without a record."""
    reported = {_key(record["user"]): record for record in run["result"].get("users") or ()}
    yield from reported.items()
    why = run["result"].get("error") or as_error(
        "no_records", str(run["result"].get("msg") or f"The step {run['step']} did not report on this user."), None
    )
    for leaver in run["users"]:
        if _key(leaver["user"]) not in reported:
            blank = {"user": leaver["user"], "id": None, "before": None, "after": None}
            yield _key(leaver["user"]), {**blank, "status": FAILED, "error": why}


def written(runs: t.Sequence[Record]) -> dict[str, t.Any]:
    """What the steps have written, for the closing read: see `digest`."""
    return digest((run["step"], record) for run in runs for _key, record in _records(run))


def _last(opening: Record, closed: Record | None, records: t.Collection[Record], unread: Record | None) -> Record:
    """The doors at the end: never what was read before a write."""
    if closed and closed["id"]:
        return closed
    if closed and _is_deleted(closed):
        # The deleted user was found: this account cannot sign in.
        return {**opening, "status": FAILED, "error": closed["error"], "doors": {}}
    if closed is None and not any(one["status"] in _WRITTEN or one.get("changed") for one in records):
        return opening
    if closed is None and any(one["status"] == "planned" for one in records):
        return opening
    error = (
        (closed or {}).get("error")
        or unread
        or as_error(
            "not_read_back", "The doors were not read again after they were written to.", "Run again, or run the audit."
        )
    )
    unknown = {name: state if state == NOT_APPLICABLE else UNKNOWN for name, state in opening["doors"].items()}
    # Without an id, as `m365_user_info` reports a user that it could not read: the facts of before prove nothing now.
    return {**opening, "id": None, "status": FAILED, "error": error, "doors": unknown, "surely_shut_by": {}}


def _facts(step: str, read: Record) -> Record | None:
    """What a step looks at, of a record of `m365_user_info`, in the shape that a step's own record and the evidence have.

    `None` for a user who could not be read, and for the protocols of one without a mailbox.
    """
    if not read["id"]:
        return None
    if step == "protocols":
        return t.cast("Record | None", read["mailbox_protocols"])
    name = _FACTS[step]
    return {name: read[name]}


def _person(read: Record) -> Record | None:
    """The identity in a record of `m365_user_info`, as the evidence has it. `None` for a user who could not be read."""
    return {name: read[name] for name in _PERSON} if read["id"] else None


def _is_deleted(one: Record) -> bool:
    """Whether a read found this user among the deleted, who cannot sign in. Absence alone does not prove it."""
    return not one["doors"] and (one["error"] or {}).get("code") == "deleted"


def _result(
    opening: Record,
    last: Record,
    reported: t.Mapping[str, Record],
    refused: Record | None,
    steps: t.Sequence[str],
    unseen: t.Sequence[str],
    *,
    went: bool,
    also: t.Sequence[str],
) -> dict[str, t.Any]:
    refused = refused or opening.get("wrong_person")
    doubtful = (refused or {}).get("code") in WRONG_PERSON
    entries, states = {}, {}
    reasons: dict[str, list[str]] = {}
    for step in STEPS:
        if step not in steps:
            continue
        record = reported.get(step) or _unreported(step, opening, refused, went=went)
        found = compare(step, record, last) if step in reported and record["status"] in DONE else None
        entries[step] = _entry(step, record, opening, last, found)
        own, reason = _doors(step, record, opening, last, found)
        states.update(own)
        for name, state in own.items():
            why = reason if step in reported or state == UNKNOWN else None
            if state in (OPEN, UNKNOWN) and why:
                reasons.setdefault(why, []).append(name)
    opened = [name for name, state in states.items() if state == OPEN]
    untyped = opening.get("mailbox_type_error")
    if untyped and opened:
        reasons[f"The type of the mailbox could not be read. {reason_of(untyped)}"] = opened
    unconfirmed = [name for name, state in states.items() if state == UNKNOWN]
    skipped = [step for step in STEPS if step not in steps]
    # There is a mailbox, and some of its doors were not requested.
    if last["mailbox_protocols"]:
        skipped += unseen
    status = REFUSED if doubtful else _status(opening, last, entries, opened, unconfirmed, skipped)
    read_again = last is not opening
    return {
        "user": opening["user"],
        "id": opening["id"],
        "user_principal_name": opening["user_principal_name"],
        "display_name": opening["display_name"],
        "left_at": opening["left_at"],
        "status": status,
        # The doors of a different account say nothing about the requested person.
        "contained": bool(states) and not (opened or unconfirmed or skipped or doubtful),
        "open": opened,
        "unconfirmed": unconfirmed,
        "not_looked_at": skipped,
        # `_exceptions` applies accepted exceptions to these doors.
        "accepted": [],
        "reasons": [{"doors": doors, "reason": reason} for reason, doors in reasons.items()],
        "directory_roles": opening["directory_roles"],
        "mailbox_type": opening.get("mailbox_type"),
        "error": refused or (last if read_again else opening)["error"],
        "steps": entries,
        # Only what was read after the writes is used.
        "residual": {**opening.get("residual", {}), **last.get("residual", {})},
        **({"also": entries_of_also(also, reported, opening, refused, went=went)} if also else {}),
        "person": _person(opening),
        "since": None,
        "containment": None,
    }


def _unreported(step: str, opening: Record, refused: Record | None, *, went: bool) -> dict[str, t.Any]:
    """The record of a step that this leaver did not go through, or has not gone through yet."""
    doors = doors_of(step, opening["doors"]).values()
    facts = _facts(step, opening)
    record = {"before": facts, "after": facts, "note": None, "error": None}
    if went:
        return {**record, "status": "pending", "after": None}
    if _is_deleted(opening):
        return {**record, "status": "not_applicable"}
    if not opening["id"]:
        return {**record, "status": "failed", "error": opening["error"]}
    if UNKNOWN in doors:
        note = opening.get("notes", {}).get(step)
        awaited = as_error(MAILBOX_AWAITED, f"{opening['user']}: {note}") if note else None
        return {**record, "status": "failed", "error": opening["error"] or awaited}
    if OPEN not in doors:
        return {**record, "status": "unchanged" if SHUT in doors else "not_applicable"}
    if refused:
        return {**record, "status": "refused", "error": refused}
    if opening["due"] is False:
        return {**record, "status": "not_due"}
    return {**record, "status": "planned", "after": None}


def _entry(step: str, record: Record, opening: Record, last: Record, found: str | None) -> dict[str, t.Any]:
    shut_by = last.get("surely_shut_by", {}).get(step)
    seen = record["status"] == "accepted" and found == SHOWN
    before = record["before"]
    if before is None and record["status"] in (FAILED, REFUSED):
        # The step could not read the door itself.
        before = _facts(step, opening)
    return {
        "status": "verified" if seen else record["status"],
        "before": before,
        "after": _facts(step, last) if seen else record["after"],
        "written_at": record.get("written_at"),
        "effective_by": (shut_by if seen else None) or record.get("effective_by") or shut_by,
        "request_id": record.get("request_id"),
        "note": record.get("note") or last.get("notes", {}).get(step),
        "error": record["error"],
    }


def _doors(
    step: str, record: Record, opening: Record, last: Record, found: str | None
) -> tuple[dict[str, str], str | None]:
    """A step's doors as the last read proves them, and why some are not shut.

    :param found: what the last read shows about the step, see `compare`; `None` for a step that is not done.
    """
    states = doors_of(step, last["doors"])
    if not last["id"] or UNKNOWN in states.values():
        error = last["error"] if not last["id"] or step == "protocols" else None
        return states, reason_of(error) if error else f"The service did not show the state of {step}."
    if record["status"] in (FAILED, REFUSED):
        error = reason_of(record["error"]) if record["error"] else None
        if SHUT not in states.values() or doors_of(step, opening["doors"]).get(step) != OPEN:
            return states, error
        return _shut_by_others(step, record, opening, last, states), error
    if found == CHANGED and step == "password":
        return {step: OPEN}, _changed_again(record, last)
    if found == STALE:
        return _stale(step, record, states)
    return states, _why_open(step, opening, last)


def _shut_by_others(step: str, record: Record, opening: Record, last: Record, states: Record) -> dict[str, str]:
    """A door that was open and whose step failed, but that is read as shut.

    Blocking sign-in makes an older reset or sign-out look like ours. Any later sign-out is as good as ours. A password
    that was changed since is not: it may be the employee's, unless it is the one that was perhaps written.
    """
    if step not in _TIMED:
        return dict(states)
    moved = moment(last, step) > moment(opening, step)
    if step == "sessions" and moved:
        return dict(states)
    return dict.fromkeys(states, UNKNOWN if moved and record.get("changed") else OPEN)


def _changed_again(record: Record, last: Record) -> str:
    now = moment(last, "password")
    since = moment(record["after"], "password") if record["status"] != "accepted" else record["written_at"]
    reported = "this run found it changed" if record["status"] == "unchanged" else "this run reset it"
    return (
        f"The password was changed again at {now}, after {reported} at {since}: whoever changed it knows it. Reset "
        "it again with force, and find the session that was used."
    )


def _stale(step: str, record: Record, states: Record) -> tuple[dict[str, str], str | None]:
    """A read that is older than the step: what the step wrote is unconfirmed, what it found shut is open."""
    if record["status"] == "verified" and step not in _TIMED:
        reason = f"Read back after the write at {record.get('written_at')}, and open again in the last read."
    elif record["status"] in _WRITTEN:
        reason = f"Written at {record.get('written_at')}; the service had not shown it within verify_timeout."
    else:
        reason = "The step found this shut and sent nothing; the last read shows it as open, or as it was before."
    if step in _TIMED:
        return dict.fromkeys(states, UNKNOWN), reason
    if set(states.values()) == {NOT_APPLICABLE}:
        return dict.fromkeys(states, UNKNOWN), "The mailbox that the step saw was not found by the last read."
    # Only a write that was never visible may just need time.
    worse = UNKNOWN if record["status"] == "accepted" else OPEN
    return {name: worse if state == OPEN else state for name, state in states.items()}, reason


_TIMED = ("password", "sessions")


def _why_open(step: str, opening: Record, last: Record) -> str:
    if step == "signin":
        return "Sign-in is allowed."
    if step == "protocols":
        return "Not turned off in the mailbox."
    if last["account_enabled"]:
        return "Sign-in is allowed, so the password can be changed and sessions can be opened at any time."
    changed, signed_out = (moment(last, name) or "an unknown time" for name in _TIMED)
    required = f", must be out from {opening['left_at']}" if opening["left_at"] else ""
    return f"The times do not prove it: password changed at {changed}, signed out at {signed_out}{required}."


def _status(
    opening: Record,
    last: Record,
    entries: t.Mapping[str, Record],
    opened: t.Sequence[str],
    unconfirmed: t.Sequence[str],
    skipped: t.Sequence[str],
) -> str:
    # A leaver who awaits a mailbox did not fail: the door is unconfirmed.
    awaits = {step for step, entry in entries.items() if (entry["error"] or {}).get("code") == MAILBOX_AWAITED}
    statuses = {entry["status"] for step, entry in entries.items() if step not in awaits}
    if _is_deleted(last):
        return DELETED
    if not opening["id"]:
        # A user known by object ID who is neither a user nor a deleted user no longer exists.
        gone = opening.get("earlier") and (opening["error"] or {}).get("code") == "not_found"
        return DELETED if gone else FAILED
    if (opened or unconfirmed) and (FAILED in statuses or (last is not opening and last["status"] == FAILED)):
        return FAILED
    if REFUSED in statuses:
        return REFUSED
    if opening["due"] is False:
        return NOT_DUE
    if opened:
        return OPEN_DOORS
    if unconfirmed:
        return UNCONFIRMED
    return PARTIAL if skipped else CONTAINED


def not_shut(one: Record) -> dict[str, str]:
    """The doors of a result that are not shut: open, unknown or `ACCEPTED`."""
    doors = dict.fromkeys(one.get("open") or (), OPEN) | dict.fromkeys(one.get("unconfirmed") or (), UNKNOWN)
    return doors | {door: ACCEPTED for entry in one.get("accepted") or () for door in entry.get("doors") or ()}


def for_workflow(leavers: t.Sequence[Record], *, names: bool) -> dict[str, t.Any]:
    """For the next node of a workflow: object IDs, and names only where asked for."""
    known = [one for one in leavers if one["id"]]
    return {
        "contained": [one["id"] for one in known if one["contained"]],
        "not_contained": [one["id"] for one in known if not one["contained"]],
        # The leavers that are not contained but have only accepted doors.
        "accepted": [one["id"] for one in known if one["status"] == ACCEPTED],
        "unknown": len(leavers) - len(known),
        **({"names": {one["id"]: one["user_principal_name"] for one in known}} if names else {}),
    }


def shut_at(step: str, entry: Record) -> str | None:
    """Since when a step's doors are shut, if known: by Microsoft's moment where it keeps one, otherwise our write's."""
    kept: str | None = (entry.get("after") or {}).get(MOMENTS[step]) if step in MOMENTS else None
    return kept or entry.get("written_at")
