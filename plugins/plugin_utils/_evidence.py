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
import datetime
import io
import json
import pathlib
import textwrap
import typing as t

from ..module_utils._doors import NOT_APPLICABLE, OPEN, PROTOCOLS, SHUT, STEPS, UNKNOWN, Protocols, doors_of
from ..module_utils._times import format_moment

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
# An accepted write is done as far as a step can tell: whether it counts, the closing read says.
_DONE = ("unchanged", "verified", "accepted", "not_applicable")
# What the steps are given of each leaver, so that they need not read it again.
_GIVEN = ("left_at", "directory_roles")


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
        if not one["id"] or one["due"] is False or not _not_shut(one):
            continue
        error = _protected(one) or _undated(one) or (one["must_stay"] if allow_admins else _administrator(one))
        if error:
            refused[one["id"]] = error
        else:
            write.append({"user": one["id"], **{key: one[key] for key in _GIVEN if one[key] is not None}})
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


def _undated(one: Record) -> Record | None:
    """Nobody named them, so their date decides; a group of leavers holds people who leave next month."""
    if one["due"] is not None:
        return None
    return _error(
        "leave_date_unread",
        f"Whether {one['user_principal_name']} leaves later could not be read; nothing was sent.",
        "Grant the application the permission User-LifeCycleInfo.Read.All, or say from when they must be out (left_at).",
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


def tenant_entry(opening: Record, *, steps: t.Sequence[str]) -> dict[str, t.Any]:
    """What the evidence holds of one tenant, which is a host of the inventory, beside its leavers.

    :param opening: what was registered of the opening read; empty before it.
    """
    automation = opening.get("automation") or {}
    return {
        **{name: automation.get(name) for name in ("tenant_id", "client_id", "object_id")},
        "steps": [step for step in STEPS if step in steps],
        "error": unread(opening),
    }


def missing_entry(host: str) -> dict[str, t.Any]:
    """As R(tenant_entry), of a host of the play that has not come as far as to be looked at."""
    error = _error(
        "not_reached",
        f"The host {host} of this play was not looked at.",
        "It fell out of the play before, or its turn has not come: the output of the run says why.",
    )
    return {**dict.fromkeys(("tenant_id", "client_id", "object_id")), "steps": [], "error": error}


def unread(opening: Record) -> Record | None:
    """Why a tenant could not be looked at at all, C(None) when it could."""
    error: Record | None = opening.get("error")
    if error:
        return error
    if opening and "users" not in opening:
        return _error("no_records", str(opening.get("msg") or "The users could not be read."), None)
    return None


def evidence(
    hosts: t.Mapping[str, Record],
    leavers: t.Mapping[str, t.Sequence[Record]],
    *,
    purpose: str,
    complete: bool,
    check_mode: bool,
    started_at: str,
    job: t.Mapping[str, t.Any],
    ansible: str,
) -> dict[str, t.Any]:
    """The evidence of a run as of now; C(docs/evidence.schema.json) says what each key means.

    :param hosts: for each host what R(tenant_entry) gave.
    :param leavers: for each host its results.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "written_at": format_moment(datetime.datetime.now(datetime.timezone.utc)),
        "complete": complete,
        "purpose": purpose,
        "check_mode": check_mode,
        "run": {
            "started_at": started_at,
            "job_id": _text(job.get("id")),
            "job_template": _text(job.get("template")),
            "launched_by": _text(job.get("launched_by")),
            "collection": _collection_version(),
            "ansible": ansible,
        },
        "hosts": {host: {**entry, "leavers": list(leavers.get(host, ()))} for host, entry in hosts.items()},
    }


def _text(value: t.Any) -> str | None:
    return None if value in (None, "") else str(value)


def _collection_version() -> str:
    """The version of an installed collection is in its manifest, that of a checkout in galaxy.yml."""
    root = pathlib.Path(__file__).resolve().parents[2]
    manifest, checkout = root / "MANIFEST.json", root / "galaxy.yml"
    if manifest.is_file():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
    return next(
        line.partition(":")[2].strip()
        for line in checkout.read_text(encoding="utf-8").splitlines()
        if line.startswith("version:")
    )


def _for_everyone(run: Record) -> list[Record]:
    error = run["result"].get("error") or _error("no_records", str(run["result"].get("msg")), None)
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


def failures(leavers: t.Sequence[Record], *, fail_on_open: bool) -> list[str]:
    """Why the run fails: a sentence per leaver, of a thousand at most, none when it does not."""
    fatal = {FAILED, REFUSED, *((OPEN_DOORS, UNCONFIRMED) if fail_on_open else ())}
    failed = [one for one in leavers if one["status"] in fatal]
    return [*map(_sentence, failed[:_MOST]), *_and_more(failed)]


def _sentence(one: Record) -> str:
    parts = []
    if one["open"]:
        parts.append(f"open: {', '.join(one['open'])}")
    if one["unconfirmed"]:
        parts.append(f"unconfirmed: {', '.join(one['unconfirmed'])}")
    for error in errors_of(one):
        parts.append(reason_of(error))
    return f"{one['user_principal_name'] or one['user']}: {'; '.join(parts)}"


def errors_of(one: Record) -> list[Record]:
    """A leaver's errors, each once: the same refusal stands in every step."""
    errors = [one["error"], *(entry["error"] for entry in one["steps"].values())]
    return list({error["message"]: error for error in errors if error}.values())


def reason_of(error: Record) -> str:
    return " ".join(filter(None, (error["message"], error["hint"])))


# --- against an earlier evidence file ---

FORMAT, VERSION = "m365.offboarding/evidence", 1


class Earlier:
    """An evidence file of an earlier run, to compare with.

    :raises ValueError: no evidence, of a version that is not ours, or damaged.
    """

    def __init__(self, evidence: t.Any) -> None:
        if not isinstance(evidence, t.Mapping) or evidence.get("format") != FORMAT:
            raise ValueError(f"the earlier file is no evidence: its format is not {FORMAT}")
        if evidence.get("version") != VERSION:
            raise ValueError(
                f"the earlier evidence has version {evidence.get('version')}; only version {VERSION} can be read"
            )
        self.written_at = str(_must_be(evidence.get("written_at"), str, "written_at"))
        self._by_id: dict[str, list[Record]] = {}
        self._by_name: dict[str, list[Record]] = {}
        for one in _earlier_leavers(evidence):
            if one["id"]:
                self._by_id.setdefault(one["id"].casefold(), []).append(one)
            for name in _names(one):
                self._by_name.setdefault(name, []).append(one)

    def records(self, one: Record) -> list[Record]:
        """What it holds of a leaver, of all hosts.

        An object id decides where both have one: who was deleted and made anew under the old name is somebody else.
        """
        known = self._by_id.get(one["id"].casefold(), []) if one["id"] else []
        by_name = [then for name in _names(one) for then in self._by_name.get(name, ())]
        return known or [then for then in by_name if not (one["id"] and then["id"])]

    def doors(self, one: Record) -> dict[str, str]:
        """The doors of a leaver that were looked at then; of several records the worst counts."""
        doors: dict[str, str] = {}
        for then in self.records(one):
            for door, state in _told_doors(then).items():
                doors[door] = min(state, doors.get(door, state), key=(OPEN, UNKNOWN, SHUT).index)
        return doors

    def contained(self, one: Record) -> bool:
        records = self.records(one)
        return bool(records) and all(then["contained"] for then in records)


def _compared(evidence: t.Any) -> Earlier | None:
    # What a template gives as null, ansible-core 2.16 hands on as an empty text.
    return None if evidence in (None, "") else Earlier(evidence)


def _earlier_leavers(evidence: Record) -> t.Iterator[Record]:
    for host, tenant in _must_be(evidence.get("hosts"), t.Mapping, "hosts").items():
        where = f"hosts.{host}"
        for number, one in enumerate(_must_be(_key(tenant, "leavers", where), list, f"{where}.leavers")):
            place = f"{where}.leavers[{number}]"
            for key in ("open", "unconfirmed", "not_looked_at"):
                _must_be(_key(one, key, place), list, f"{place}.{key}")
            for key in ("id", "user_principal_name"):
                _must_be(_key(one, key, place) or "", str, f"{place}.{key}")
            _must_be(_key(one, "user", place), str, f"{place}.user")
            _key(one, "contained", place)
            for step, entry in _must_be(_key(one, "steps", place), t.Mapping, f"{place}.steps").items():
                for key in ("before", "after"):
                    _must_be(_key(entry, key, f"{place}.steps.{step}") or {}, t.Mapping, f"{place}.steps.{step}.{key}")
            yield one


def _key(holder: t.Any, key: str, where: str) -> t.Any:
    if key not in _must_be(holder, t.Mapping, where):
        raise ValueError(f"the earlier evidence is damaged: {where} has no {key}")
    return holder[key]


def _must_be(value: t.Any, kind: t.Any, where: str) -> t.Any:
    if not isinstance(value, kind):
        names = {str: "text", list: "list"}
        raise ValueError(f"the earlier evidence is damaged: {where} is no {names.get(kind, 'mapping')}")
    return value


def _names(one: Record) -> set[str]:
    return {name.casefold() for name in (one["user"], one["user_principal_name"]) if name}


def _told_doors(one: Record) -> dict[str, str]:
    """The doors that a result tells of, with their states; one that does not exist counts as shut."""
    doors = dict.fromkeys(one["open"], OPEN) | dict.fromkeys(one["unconfirmed"], UNKNOWN)
    for step, entry in one["steps"].items() if one["id"] else ():
        for name in [step] if step != "protocols" else _told_protocols(entry, doors):
            if name not in one["not_looked_at"]:
                doors.setdefault(name, SHUT)
    return doors


def _told_protocols(entry: Record, not_shut: t.Container[str]) -> t.Iterable[str]:
    facts: Record | None = entry["before"] if entry["after"] is None else entry["after"]
    if facts is not None:
        return facts
    # No facts: there is no mailbox, unless it could not be read.
    return () if any(name in not_shut for name in PROTOCOLS) else PROTOCOLS


def changes(leavers: t.Sequence[Record], earlier: t.Any) -> list[dict[str, t.Any]]:
    """The same results with C(since): what changed since an earlier evidence file.

    A door that one of the two did not look at, or could not tell of, has not changed.

    :param earlier: the evidence, C(None) if there is none.
    :raises ValueError: as R(Earlier).
    """
    compared = _compared(earlier)
    return [{**one, "since": _change(one, compared) if compared else None} for one in leavers]


def _change(one: Record, earlier: Earlier) -> dict[str, t.Any]:
    now, then = _told_doors(one), earlier.doors(one)
    return {
        "newly_open": [door for door, state in now.items() if state == OPEN and then.get(door) == SHUT],
        "newly_shut": [door for door, state in now.items() if state == SHUT and then.get(door) == OPEN],
        "new": not earlier.records(one),
    }


# --- the table ---

# Ansible shows a list of lines with ten more columns around each: together they fit 100.
_WIDTH = 88
_MANY = 20
# AWX throws away what is larger than 700,000 bytes, and so many leavers take up to 500,000.
_MOST = 1_000


def table(leavers: t.Sequence[Record], earlier: t.Any = None) -> list[str]:
    """Lines of at most 88 characters: each leaver's verdict and, where there is something to see, their doors.

    What is newly open comes first, then the worst. Of more than 20 leavers only those are shown who are not contained
    or have residual access.

    :param earlier: the evidence that C(since) was told against, C(None) if there is none.
    :raises ValueError: as R(Earlier).
    """
    order = (FAILED, REFUSED, OPEN_DOORS, UNCONFIRMED, NOT_DUE, PARTIAL, CONTAINED)
    shown = sorted(leavers, key=lambda one: (not newly_open(one), order.index(one["status"])))
    many = len(leavers) > _MANY
    if many:
        shown = [one for one in shown if not one["contained"] or _residual_rows(one)]
    contained = sum(1 for one in leavers if one["contained"])
    lines = [f"{contained} of {len(leavers)} {'leaver is' if len(leavers) == 1 else 'leavers are'} contained"]
    lines += _newly_open_rows(shown, earlier)
    for one in shown[:_MOST]:
        lines += _rows(one, brief=many and one["contained"])
    lines += _and_more(shown)
    lines += _residual_gaps(leavers)
    return [part for line in lines for part in _folded(line)]


def _and_more(told: t.Sequence[t.Any]) -> list[str]:
    return [f"and {len(told) - _MOST} more, see the report"] if len(told) > _MOST else []


def newly_open(one: Record) -> t.Sequence[str]:
    """The doors of a result that are open and were shut in the earlier evidence, if there is one."""
    doors: t.Sequence[str] = (one["since"] or {}).get("newly_open", ())
    return doors


def _newly_open_rows(leavers: t.Sequence[Record], earlier: t.Any) -> t.Iterator[str]:
    compared = _compared(earlier)
    since = f" since {compared.written_at}" if compared else ""
    reopened = [one for one in leavers if newly_open(one)]
    for one in reopened:
        yield f"newly open{since}: {one['user_principal_name'] or one['user']}: {', '.join(newly_open(one))}"
        notes = dict.fromkeys(entry["note"] for entry in _reopened(one) if entry["note"])
        then = ["Contained then."] if compared and compared.contained(one) else []
        if then or notes:
            yield f"  {' '.join([*then, *notes])}"
    if compared and not reopened:
        yield f"newly open{since}: nothing"


def _reopened(one: Record) -> list[Record]:
    """The entries of steps with a door that is newly open, if their note may say why.

    That of the sessions step is about pages that are open already, and sessions are open whenever sign-in is.
    """
    doors = dict.fromkeys(newly_open(one), OPEN)
    return [entry for step, entry in one["steps"].items() if step != "sessions" and doors_of(step, doors)]


def _residual_rows(one: Record) -> list[str]:
    return [
        f"  + {topic}  {'; '.join(' '.join(item['text'].split()) for item in entry['found'])}"
        for topic, entry in one["residual"].items()
        if entry["state"] == "found"
    ]


def _residual_gaps(leavers: t.Sequence[Record]) -> list[str]:
    """One line for all: a permission that is missing is missing for everyone."""
    looked_for = [one["residual"] for one in leavers if one["residual"]]
    gaps: dict[tuple[str, str], int] = {}
    for residual in looked_for:
        for topic, entry in residual.items():
            if entry["state"] == "not_looked_at" or entry["error"]:
                key = (topic, entry["permission"])
                gaps[key] = gaps.get(key, 0) + 1
    told = [
        f"{topic}{'' if count == len(looked_for) else f' of {count}'} (needs {permission})"
        for (topic, permission), count in gaps.items()
    ]
    return [f"residual access not wholly looked at: {', '.join(told)}"] if told else []


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


def _rows(one: Record, *, brief: bool = False) -> list[str]:
    name = one["user_principal_name"] or one["user"]
    until = f" (leaves at {one['left_at']})" if one["status"] == NOT_DUE else ""
    lines = [f"{name}  {_VERDICTS[one['status']]}{until}"]
    for step, entry in one["steps"].items() if one["id"] and not brief else ():
        lines.append(_row(one, step, entry))
    lines += _residual_rows(one)
    for error in errors_of(one):
        lines.append(f"  ! {reason_of(error)}")
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
