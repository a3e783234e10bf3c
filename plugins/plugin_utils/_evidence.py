# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""From records to evidence: who goes through the steps, what came of each leaver, and how it is told.

Works on what modules return, plain data; the role calls it through filters.
"""

from __future__ import annotations

import csv
import io
import textwrap
import typing as t

from ..module_utils._exchange import PROTOCOLS
from ..module_utils._leavers import NOT_APPLICABLE, OPEN, SHUT, STEPS, UNKNOWN, Protocols, doors_of

Record = t.Mapping[str, t.Any]

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
_DONE = ("unchanged", "verified", "not_applicable")


def read_csv(text: str) -> list[dict[str, str]]:
    """Leavers from a CSV with the column C(user) and, if known, C(left_at); other columns are ignored.

    Excel's byte order mark, semicolons and tabs, and blank lines are understood.

    :raises ValueError: no such column, or a row without a user.
    """
    lines = text.lstrip("\ufeff")
    header = next((line for line in lines.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=header.count)
    rows = csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    leavers = []
    for row in _readable(rows):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if not columns:
            columns = [cell.lower() for cell in cells]
            if "user" not in columns:
                raise ValueError(f"the CSV has no column 'user'; its first line names {', '.join(cells)}")
            continue
        named = dict(zip(columns, cells, strict=False))
        if not named.get("user"):
            raise ValueError(f"line {rows.line_num} of the CSV names no user")
        leavers.append({key: named[key] for key in ("user", "left_at") if named.get(key)})
    if not columns:
        raise ValueError("the CSV is empty; its first line must name the column 'user'")
    return leavers


def _readable(rows: t.Any) -> t.Iterator[list[str]]:
    try:
        yield from rows
    except csv.Error as exc:
        raise ValueError(f"line {rows.line_num} of the CSV cannot be read: {exc}") from None


def plan(opening: t.Sequence[Record], *, allow_admins: bool, max_users: int | None) -> dict[str, t.Any]:
    """Who goes through the steps, and who is refused with which error.

    :param opening: the records of the opening read, with directory roles unless administrators are allowed.
    :param max_users: more leavers than this to be written are all refused; C(None) for no limit.
    :returns: C(write), a list as the modules' O(users); C(refused), errors by object id.
    """
    write: list[dict[str, t.Any]] = []
    refused: dict[str, Record] = {}
    for one in opening:
        if not one["id"] or not one["due"] or not _not_shut(one):
            continue
        error = _protected(one) or (one["must_stay"] if allow_admins else _administrator(one))
        if error:
            refused[one["id"]] = error
        else:
            write.append({"user": one["id"], **({"left_at": one["left_at"]} if one["left_at"] else {})})
    if max_users is not None and len(write) > max_users:
        error = _error(
            "max_users",
            f"Leavers to be written: {len(write)}, more than offboard_employee_max_users ({max_users}); nothing was sent.",
            "Check the list; if it is meant, raise the limit.",
        )
        refused.update({leaver["user"]: error for leaver in write})
        write = []
    return {"write": write, "refused": refused}


def _not_shut(one: Record) -> list[str]:
    return [name for name, state in one["doors"].items() if state in (OPEN, UNKNOWN)]


def _protected(one: Record) -> Record | None:
    if not one["protected"]:
        return None
    return _error(
        "protected",
        f"{one['user_principal_name']} is protected; nothing was sent.",
        "It is in protected_users, or it is the account that this automation uses.",
    )


def _administrator(one: Record) -> Record | None:
    roles, name = one["directory_roles"], one["user_principal_name"]
    if roles is None:
        reason = (one["directory_roles_error"] or {}).get("message", "they were not read")
        return _error(
            "roles_unread",
            f"The directory roles of {name} could not be read: {reason} Nothing was sent.",
            "Reading them needs User.Read.All; or set offboard_employee_allow_admins.",
        )
    if roles:
        return _error(
            "administrator",
            f"{name} holds a directory role ({', '.join(roles)}); nothing was sent.",
            "If that is known and meant, set offboard_employee_allow_admins.",
        )
    return None


def _error(code: str, message: str, hint: str | None) -> Record:
    return {"code": code, "message": message, "hint": hint, "request_id": None}


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
        _result(one, last.get(one["id"], one), told.get(one["id"], {}), (refused or {}).get(one["id"]), steps, unseen)
        for one in opening
    ]


def _for_everyone(run: Record) -> list[Record]:
    error = run["result"].get("error") or _error("no_records", str(run["result"].get("msg")), None)
    return [
        {"id": leaver["user"], "status": "failed", "before": None, "after": None, "error": error}
        for leaver in run["users"]
    ]


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
    if not opening["due"]:
        return {**record, "status": "not_due"}
    return {**record, "status": "planned", "after": None}


def _entry(step: str, record: Record, last: Record) -> dict[str, t.Any]:
    shut_by = last.get("surely_shut_by", {}).get(step)
    return {
        "status": record["status"],
        "before": record["before"],
        "after": record["after"],
        "written_at": record.get("written_at"),
        "effective_by": record.get("effective_by") or shut_by,
        "request_id": record.get("request_id"),
        "note": record.get("note") or last.get("notes", {}).get(step),
        "error": record["error"],
    }


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
    if not opening["due"]:
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


def failures(leavers: t.Sequence[Record], *, fail_on_open: bool) -> list[str]:
    """Why the run fails: a sentence per leaver, none when it does not."""
    fatal = {FAILED, REFUSED, *((OPEN_DOORS, UNCONFIRMED) if fail_on_open else ())}
    return [_sentence(one) for one in leavers if one["status"] in fatal]


def _sentence(one: Record) -> str:
    parts = []
    if one["open"]:
        parts.append(f"open: {', '.join(one['open'])}")
    if one["unconfirmed"]:
        parts.append(f"unconfirmed: {', '.join(one['unconfirmed'])}")
    for error in _errors(one):
        parts.append(" ".join(filter(None, (error["message"], error["hint"]))))
    return f"{one['user_principal_name'] or one['user']}: {'; '.join(parts)}"


def _errors(one: Record) -> list[Record]:
    """A leaver's errors, each once: the same refusal stands in every step."""
    errors = [one["error"], *(entry["error"] for entry in one["steps"].values())]
    return list({error["message"]: error for error in errors if error}.values())


# --- the table ---

# Ansible shows a list of lines with ten more columns around each: together they fit 100.
_WIDTH = 88
_MANY = 20


def table(leavers: t.Sequence[Record]) -> list[str]:
    """Lines of at most 88 characters: each leaver's verdict and, where there is something to see, their doors.

    Of more than 20 leavers only those who are not contained are shown, the worst first.
    """
    order = (FAILED, REFUSED, OPEN_DOORS, UNCONFIRMED, NOT_DUE, PARTIAL, CONTAINED)
    shown = sorted(leavers, key=lambda one: order.index(one["status"]))
    if len(leavers) > _MANY:
        shown = [one for one in shown if not one["contained"]]
    contained = sum(1 for one in leavers if one["contained"])
    lines = [f"{contained} of {len(leavers)} {'leaver is' if len(leavers) == 1 else 'leavers are'} contained"]
    for one in shown:
        lines += _rows(one)
    return [part for line in lines for part in _folded(line)]


def _folded(line: str) -> list[str]:
    """A line that is too long goes on below itself, a little further in."""
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.wrap(line, _WIDTH, subsequent_indent=indent) if len(line) > _WIDTH else [line]


_VERDICTS = {
    FAILED: "FAILED",
    REFUSED: "REFUSED",
    OPEN_DOORS: "OPEN",
    UNCONFIRMED: "UNCONFIRMED",
    NOT_DUE: "not due",
    PARTIAL: "shut, as far as looked at",
    CONTAINED: "contained",
}


def _rows(one: Record) -> list[str]:
    name = one["user_principal_name"] or one["user"]
    until = f" (leaves at {one['left_at']})" if one["status"] == NOT_DUE else ""
    lines = [f"{name}  {_VERDICTS[one['status']]}{until}"]
    for step, entry in one["steps"].items() if one["id"] else ():
        lines.append(_row(one, step, entry))
    for error in _errors(one):
        reason = " ".join(filter(None, (error["message"], error["hint"])))
        lines.append(f"  ! {reason}")
    return lines


def _row(one: Record, step: str, entry: Record) -> str:
    doors = dict.fromkeys(one["open"], OPEN) | dict.fromkeys(one["unconfirmed"], UNKNOWN)
    own = doors_of(step, doors)
    not_shut = [name for name, state in own.items() if state == OPEN]
    if entry["status"] == NOT_APPLICABLE:
        state = "no such door here"
    elif not_shut:
        switches = len(entry["before"] or ()) if step == "protocols" else 0
        names = f"all {switches}" if len(not_shut) == switches else ", ".join(not_shut)
        state = f"OPEN ({names})" if step == "protocols" else "OPEN"
    else:
        state = "unconfirmed" if own else "shut"
    line = f"  {step:<10} {state:<12}"
    if state == "shut":
        since = _since(step, entry)
        line += f" since {since}" if since else ""
        line += f"  surely by {entry['effective_by']}" if entry["effective_by"] else ""
    return line.rstrip()


def _since(step: str, entry: Record) -> str | None:
    """From when a door is shut, as far as known: Microsoft keeps no moment for sign-in and protocols."""
    facts = entry["after"] or {}
    moments = {"password": "last_password_change_date_time", "sessions": "sign_in_sessions_valid_from_date_time"}
    since: str | None = (facts.get(moments[step]) if step in moments else None) or entry["written_at"]
    return since
