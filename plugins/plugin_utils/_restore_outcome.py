# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of undoing an offboarding, and their table."""

from __future__ import annotations

import typing as t

from ..module_utils._doors import NOT_APPLICABLE, RESTORABLE
from ..module_utils._user_input import name_key
from ._evidence_files import in_short
from ._messages import Record, as_error, errors_of, folded, reason_of
from ._restore_plan import FAILED, GONE, PARTIAL, PLANNED, REFUSED, RESTORED, UNCHANGED, UNCONFIRMED

# No door opens before the rest is in place.
ORDER = ("account", "password", "protocols", *RESTORABLE, "signin")
_VERDICTS = {
    FAILED: "FAILED",
    REFUSED: "REFUSED",
    PLANNED: "would be restored",
    UNCONFIRMED: "unconfirmed",
    RESTORED: "restored",
    PARTIAL: "sign-in stays blocked",
    UNCHANGED: "nothing to do",
}
_ACTIONS = {
    "account": "restored",
    "password": "set",
    "protocols": "on again",
    "memberships": "member again",
    "forwarding": "on again",
    "devices": "enabled again",
    "consents": "made again",
    "signin": "allowed",
}
_STATES = {
    FAILED: "FAILED",
    REFUSED: "REFUSED",
    "unchanged": "is so already",
    NOT_APPLICABLE: "no such door here",
}
_FINAL_WORD = (
    "Passwords and sessions cannot be undone: the old password no longer works, and users must sign in again on every "
    "device."
)


def outcome(plan: Record, runs: t.Sequence[Record] = (), *, provided: t.Collection[str] = ()) -> dict[str, t.Any]:
    """Return one result per leaver, with the lines of the table.

    :param runs: the registered result of each step, `{step, users, result}`; a result without records counts as failed
        for everyone who was to go through it.
    :param provided: object IDs of leavers with a password.
    :returns: `leavers`, the results; `open`, object IDs of those whose sign-in may be allowed now; `table`, lines
        for people; `failures`, why the run fails.
    """
    reported: dict[str, dict[str, Record]] = {}
    for run in runs:
        for record in run["result"].get("users") or _for_everyone(run):
            # A deleted account may have been asked for by name.
            for name in {name_key(str(record[key])) for key in ("id", "user") if record.get(key)}:
                reported.setdefault(name, {})[run["step"]] = record
    leavers = [
        _result(one, reported.get(name_key(str(one["id"] or one["user"])), {}), provided=one["id"] in provided)
        for one in plan["leavers"]
    ]
    may_open = [
        one["id"]
        for one, result in zip(plan["leavers"], leavers, strict=True)
        if one["signin"] and not one["undelete"] and result["steps"]["signin"]["status"] != FAILED
    ]
    return {
        "leavers": leavers,
        "open": may_open,
        "table": _table(leavers, plan["left_out"]),
        "failures": _failures(leavers),
    }


def _for_everyone(run: Record) -> list[Record]:
    error = run["result"].get("error") or as_error("no_records", str(run["result"].get("msg")))
    names = [user["user"] if isinstance(user, dict) else user for user in run["users"]]
    return [{"id": name, "status": FAILED, "error": error} for name in names]


def _result(order: Record, reported: Record, *, provided: bool) -> dict[str, t.Any]:
    error = order["error"]
    if error and error["code"] in GONE and reported.get("account", {}).get("status") == "accepted":
        error = as_error(
            "not_visible", "The account was restored, but cannot be seen yet.", "Run again in a few minutes."
        )
    entries = _entries(order, reported, provided=provided)
    notes = [*order["notes"], *(entry["note"] for entry in entries.values())]
    if order["password_note"] and "password" not in entries:
        notes.append(order["password_note"])
    return {
        "user": order["user"],
        "id": order["id"],
        "user_principal_name": order["user_principal_name"],
        "display_name": order["display_name"],
        "status": _status(order["status"] if error else None, entries, stays_blocked=order["stays_blocked"]),
        "steps": entries,
        "notes": list(dict.fromkeys(filter(None, notes))),
        "error": error,
    }


def _entries(order: Record, reported: Record, *, provided: bool) -> dict[str, dict[str, t.Any]]:
    wanted = {
        "account": order["undelete"] or "account" in reported,
        "password": order["password"] and provided,
        "protocols": bool(order["protocols"]),
        **{topic: topic in order["also"] for topic in RESTORABLE},
        "signin": order["signin"],
    }
    entries: dict[str, dict[str, t.Any]] = {}
    for step in ORDER:
        if wanted[step] and (step == "account" or not order["error"]):
            entries[step] = _entry(reported[step]) if step in reported else _unreported(step, entries)
            if entries[step]["status"] == "unchanged" and step in order["read_shut"]:
                entries[step] |= {"status": FAILED, "error": _unbelievable(step, order)}
        elif step in order["unknown"] and not order["error"]:
            entries[step] = _entry({"status": FAILED, "error": order["unknown"][step]})
    account, mailbox = entries.get("account"), entries.get("protocols")
    if account and account["status"] == "accepted" and not order["undelete"] and not order["error"]:
        account["status"] = "verified"  # it was read since
    if mailbox and order["no_mailbox"] and mailbox["status"] == NOT_APPLICABLE:
        message = f"There is no mailbox of {order['user_principal_name']}, so its protocols were not turned on."
        hint = "A restored account gets its mailbox back some time after its license: run again then."
        mailbox |= {"status": FAILED, "error": as_error("no_mailbox", message, hint)}
    return entries


def _unbelievable(step: str, order: Record) -> Record:
    """A step that finds open what was read as shut just before: one of the two readings is not of now."""
    door = "Sign-in" if step == "signin" else "The mailbox"
    message = f"{door} of {order['user_principal_name']} was read as shut, and as open right after: nothing was opened."
    return as_error("stale", message, "The answer came from a server that lags: run again in a few minutes.")


def _entry(record: Record) -> dict[str, t.Any]:
    facts = ("before", "after", "written_at", "request_id", "note", "error")
    return {"status": record["status"], **{name: record.get(name) for name in facts}}


def _unreported(step: str, entries: t.Mapping[str, Record]) -> dict[str, t.Any]:
    """What is said of a step that was not run, or not yet."""
    account, password = entries.get("account"), entries.get("password")
    if account and account["status"] in (FAILED, REFUSED):
        return _entry({"status": FAILED, "error": account["error"]})
    if step == "signin" and password and password["status"] in (FAILED, REFUSED):
        message = "Sign-in was not allowed, since the password could not be set."
        hint = "Run again with another password, or with none."
        return _entry({"status": FAILED, "error": as_error("held_back", message, hint)})
    return _entry({"status": PLANNED})


def _status(refusal: str | None, entries: t.Mapping[str, Record], *, stays_blocked: bool) -> str:
    statuses = {entry["status"] for entry in entries.values()}
    if refusal:
        return refusal
    order = (
        (FAILED, FAILED),
        (REFUSED, REFUSED),
        (PLANNED, PLANNED),
        (UNCONFIRMED, "accepted"),
        (RESTORED, "verified"),
    )
    verdict = next((verdict for verdict, found in order if found in statuses), UNCHANGED)
    # Whatever else is open: a user who cannot sign in is not restored.
    return PARTIAL if stays_blocked and verdict in (RESTORED, UNCHANGED) else verdict


def _failures(leavers: t.Sequence[Record]) -> list[str]:
    """Why the run fails: a sentence per leaver who is not restored."""
    return [
        f"{one['user_principal_name'] or one['user']}: {' '.join(map(reason_of, errors_of(one)))}"
        for one in leavers
        if one["status"] in (FAILED, REFUSED)
    ]


def _table(leavers: t.Sequence[Record], left_out: t.Sequence[str]) -> list[str]:
    """Lines of at most 88 characters, for people: who got what back, and what did not come back."""
    restored = sum(1 for one in leavers if one["status"] in (RESTORED, UNCHANGED))
    # A leaver who was refused, or not found, has no step.
    is_idle = restored < len(leavers) and not any(one["steps"] for one in leavers)
    lines = [
        f"{restored} of {len(leavers)} {'leaver is' if len(leavers) == 1 else 'leavers are'} restored"
        + ("; nothing was sent" if is_idle else "")
    ]
    for one in leavers:
        lines.append(f"{one['user_principal_name'] or one['user']}  {_VERDICTS[one['status']]}")
        lines += [f"  {step:<10} {_reported(step, entry)}" for step, entry in one["steps"].items()]
        lines += [f"  - {note}" for note in one["notes"]]
        lines += [f"  ! {sentence}" for sentence in map(reason_of, errors_of(one))]
    if left_out:
        lines.append(f"Left out: {in_short(left_out)}")
    if any(one["status"] in (PLANNED, UNCONFIRMED, RESTORED, PARTIAL) for one in leavers):
        lines.append(_FINAL_WORD)
    return [part for line in lines for part in folded(line)]


def _reported(step: str, entry: Record) -> str:
    if entry["status"] in _STATES:
        return _STATES[entry["status"]]
    action = _ACTIONS[step]
    before, after = entry["before"] or {}, entry["after"] or {}
    if step == "protocols" and after:
        action = ", ".join(_switches(before, after)) or "as before"
    if entry["status"] == PLANNED:
        return f"would be {action}"
    when = f" at {entry['written_at']}" if entry["written_at"] else ""
    seen = "" if entry["status"] == "verified" else ", not seen yet"
    return f"{action}{when}{seen}{'; must be changed at the next sign-in' if step == 'password' else ''}"


def _switches(before: Record, after: Record) -> list[str]:
    on = [name for name, state in after.items() if state is True and before.get(name) is not True]
    inherited = [name for name, state in after.items() if state is None and before.get(name) is not None]
    return [
        *([f"on again: {', '.join(on)}"] if on else []),
        *([f"as the organization says: {', '.join(inherited)}"] if inherited else []),
    ]
