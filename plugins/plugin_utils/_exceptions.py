# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exceptions: open doors that were accepted for a user or kind of mailbox, with a reason and an end date.

An exception changes what a run reports and what fails it. It is applied to results, after everything has been read and
written, so it never keeps a step from shutting a door, or a user from being refused.
"""

from __future__ import annotations

import datetime
import re
import typing as t

from ..module_utils._doors import MAILBOX_AWAITED, OPEN, PROTOCOLS, STEPS, UNKNOWN
from ..module_utils._errors import WRONG_PERSON
from ..module_utils._foreign import clean, one_line
from ..module_utils._user_input import is_name, name_key
from ._messages import Record, listed
from ._results import ACCEPTED, FAILED, OPEN_DOORS, REFUSED, UNCONFIRMED, not_shut

FIELDS = ("user", "kind", "doors", "reason", "accepted_by", "until")
DOORS = (*STEPS[:3], *PROTOCOLS)
# Mailboxes whose account is always blocked, by their `RecipientTypeDetails`:
# https://learn.microsoft.com/powershell/module/exchangepowershell/get-mailbox
KINDS = ("SharedMailbox", "RoomMailbox", "EquipmentMailbox")
_KINDS = {name_key(kind): kind for kind in KINDS}
# The door that a kind cannot accept: it is shut for accounts that are always blocked.
_NEVER_OF_A_KIND = "signin"
_GROUPS = {"all": DOORS, "protocols": tuple(PROTOCOLS)}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
# Results that an exception can turn into an accepted one.
_NOT_SHUT = (FAILED, REFUSED, OPEN_DOORS, UNCONFIRMED)
_MOST_COMPLAINTS = 20
# Whether an exception was in force and matched a leaver.
IN_FORCE, ENDED, UNMATCHED = "in_force", "ended", "unmatched"


# --- reading them ---


def parse_exceptions(entries: t.Iterable[tuple[str, t.Any]], today: str) -> list[dict[str, t.Any]]:
    """The exceptions of a run, each with the keys of `FIELDS` and `place`; doors by name, in their usual order.

    :param entries: pairs of a place, to be named in complaints and reports, and a mapping.
    :param today: the day in UTC, as in `accept`.
    :raises ValueError: naming the place of every entry that has a field missing, unknown or malformed, or that is in force
        for the same person, or kind, and door as another. One that has ended may stay beside its renewal. No value is
        repeated: the file may be the wrong one.
    """
    found: list[dict[str, t.Any]] = []
    complaints: list[str] = []
    places: dict[tuple[str, str], str] = {}
    for place, raw in entries:
        try:
            one = {"place": place, **_parsed(raw)}
            if _is_in_force(one, today):
                _refuse_twice(one, places)
        except ValueError as exc:
            complaints.append(f"{place}: {exc}")
        else:
            found.append(one)
    if complaints:
        more = [f"and {len(complaints) - _MOST_COMPLAINTS} more"] if len(complaints) > _MOST_COMPLAINTS else []
        reported = "; ".join([*complaints[:_MOST_COMPLAINTS], *more])
        raise ValueError(f"the exceptions cannot be read: {reported}")
    return found


def _parsed(raw: t.Any) -> dict[str, t.Any]:
    if not isinstance(raw, t.Mapping):
        raise ValueError(f"it is not a mapping with {listed(FIELDS)}")
    if any(key not in FIELDS for key in raw):
        raise ValueError(f"it has an unknown field; valid fields are {listed(FIELDS)}")
    given = {key: value for key, value in raw.items() if not _is_blank(value)}
    missing = [key for key in FIELDS[2:] if key not in given]
    if "user" not in given and "kind" not in given:
        missing.insert(0, "user or kind")
    if missing:
        raise ValueError(f"it lacks {listed(missing)}")
    if "user" in given and "kind" in given:
        raise ValueError("it has both user and kind; give one of them")
    user = _user(given["user"]) if "user" in given else None
    kind = _kind(given["kind"]) if "kind" in given else None
    return {
        "user": user,
        "kind": kind,
        "doors": _doors(given["doors"], of_kind=kind is not None),
        "reason": _words("reason", given["reason"]),
        "accepted_by": _words("accepted_by", given["accepted_by"]),
        "until": _day(given["until"]),
    }


def _is_blank(value: t.Any) -> bool:
    """Whether a field counts as missing, like an empty cell of a CSV."""
    return value is None or (not value.strip() if isinstance(value, str) else value in ([], ()))


def _user(value: t.Any) -> str:
    if not isinstance(value, str) or not is_name(value.strip()):
        raise ValueError("user is neither a user principal name nor an object ID")
    return value.strip()


def _kind(value: t.Any) -> str:
    kind = _KINDS.get(name_key(str(value).strip()))
    if kind is None:
        raise ValueError(f"kind is not one of {', '.join(KINDS)}")
    return kind


def _doors(value: t.Any, *, of_kind: bool) -> list[str]:
    names = re.split(r"[\s,;]+", value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(name in (*DOORS, *_GROUPS) for name in names):
        raise ValueError(f"doors contains an unknown door; valid doors are all, {', '.join((*STEPS, *PROTOCOLS))}")
    if of_kind and _NEVER_OF_A_KIND in names:
        raise ValueError(
            "kind is for accounts with blocked sign-in, so an open signin cannot be accepted; set user instead"
        )
    wanted = {door for name in names for door in _GROUPS.get(name, (name,))}
    return [door for door in DOORS if door in wanted and not (of_kind and door == _NEVER_OF_A_KIND)]


def _words(field: str, value: t.Any) -> str:
    text = str(clean(one_line(value))) if isinstance(value, str) else ""
    if not re.search(r"\w", text):
        raise ValueError(f"{field} is not a text")
    return text


def _day(value: t.Any) -> str:
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        value = value.isoformat()
    if isinstance(value, str) and _DAY.fullmatch(value.strip()):
        try:
            return datetime.date.fromisoformat(value.strip()).isoformat()
        except ValueError:
            pass
    raise ValueError("until is not a date; write it as 2026-12-31")


def _refuse_twice(one: Record, places: dict[tuple[str, str], str]) -> None:
    who = _key(one)
    for door in one["doors"]:
        if (who, door) in places:
            raise ValueError(
                f"{places[who, door]} already accepts the door {door} for the same user or kind, and neither has ended"
            )
    places.update({(who, door): one["place"] for door in one["doors"]})


def names_kinds(exceptions: t.Iterable[Record]) -> bool:
    """Whether mailbox types are needed to apply them."""
    return any(one["kind"] for one in exceptions)


# --- applying them ---


def accept(leavers: t.Iterable[Record], exceptions: t.Sequence[Record], today: str) -> list[dict[str, t.Any]]:
    """The same results with `accepted`, and without the accepted doors in `open`, `unconfirmed` and `reasons`.

    No leaver becomes contained by an exception. A leaver without another open door is `accepted`, unless a step of this run failed;
    an expired exception is listed as a reason for its doors.

    :param leavers: what `results` returns.
    :param exceptions: what `parse_exceptions` returns.
    :param today: the day in UTC, as 2026-12-31. An exception is in force until the end of its last day in UTC.
    """
    by_user: dict[str, list[Record]] = {}
    for exception in exceptions:
        by_user.setdefault(name_key(exception["user"] or ""), []).append(exception)
    return [_accepted(one, _own(one, by_user), today) for one in leavers]


def _own(one: Record, by_user: t.Mapping[str, t.Sequence[Record]]) -> list[Record]:
    """The exceptions for a leaver: those that name them, then those for the kind of their mailbox."""
    named = [exception for name in sorted(_names(one)) for exception in by_user.get(name, ())]
    return [*named, *(exception for exception in by_user.get("", ()) if _is_of_kind(exception, one))]


def _names(one: Record) -> set[str]:
    return {name_key(str(name)) for name in (one["user"], one["id"], one["user_principal_name"]) if name}


def _is_of_kind(exception: Record, one: Record) -> bool:
    """Whether a leaver is of the kind: always blocked, and not a person who left and whose mailbox is shared now."""
    blocked = "signin" in one["steps"] and "signin" not in (*one["open"], *one["unconfirmed"])
    return exception["kind"] == one["mailbox_type"] and blocked and not one["left_at"]


def _accepted(one: Record, own: t.Sequence[Record], today: str) -> dict[str, t.Any]:
    reported = {**one}
    if not own or one["status"] not in _NOT_SHUT or (one["error"] or {}).get("code") in WRONG_PERSON:
        return reported
    states = _acceptable(one)
    by_door = {
        door: exception
        for exception in reversed(own)
        if _is_in_force(exception, today)
        for door in exception["doors"]
        if door in states
    }
    if not one["id"] and set(by_door) != set(states):
        return reported
    reported["accepted"] = [_entry(exception, states, by_door) for exception in own if exception in by_door.values()]
    reported["open"], reported["unconfirmed"] = (
        [door for door in one[key] if door not in by_door] for key in ("open", "unconfirmed")
    )
    reported["reasons"] = _reasons(one, own, by_door, today)
    if by_door and not (reported["open"] or reported["unconfirmed"] or _has_failed(one)):
        reported["status"] = ACCEPTED
    return reported


def _has_failed(one: Record) -> bool:
    """Whether this run tried to write and failed: an exception does not cover a door that should have been shut."""
    reads = (MAILBOX_AWAITED, (one["error"] or {}).get("code"))
    tried = any(
        entry["written_at"] or (entry["status"] == FAILED and (entry["error"] or {}).get("code") not in reads)
        for entry in one["steps"].values()
    )
    return one["status"] == FAILED and tried


def _acceptable(one: Record) -> dict[str, str]:
    """The doors that can be accepted, with their states.

    For a user who is not in the directory, these are all requested doors: none of them could be read.
    """
    if one["id"]:
        return not_shut(one)
    if (one["error"] or {}).get("code") != "not_found":
        return {}
    return {door: UNKNOWN for door in DOORS if (door if door in STEPS else "protocols") in one["steps"]}


def _is_in_force(exception: Record, today: str) -> bool:
    return bool(today <= exception["until"])


def _entry(exception: Record, states: t.Mapping[str, str], by_door: t.Mapping[str, Record]) -> dict[str, t.Any]:
    words = {OPEN: "open", UNKNOWN: "unconfirmed"}
    return {
        "doors": {door: words[states[door]] for door in states if by_door.get(door) is exception},
        **{key: exception[key] for key in ("reason", "accepted_by", "until", "kind", "place")},
    }


def _reasons(
    one: Record, own: t.Sequence[Record], by_door: t.Mapping[str, Record], today: str
) -> list[dict[str, t.Any]]:
    reasons = [
        {**entry, "doors": doors}
        for entry in one["reasons"]
        if (doors := [door for door in entry["doors"] if door not in by_door])
    ]
    ended: set[str] = set()
    # Only the end of the last one is a reason.
    for exception in sorted(own, key=lambda each: str(each["until"]), reverse=True):
        doors = [
            door
            for door in (*one["open"], *one["unconfirmed"])
            if door in exception["doors"] and door not in by_door and door not in ended
        ]
        if doors and not _is_in_force(exception, today):
            ended.update(doors)
            reason = f"The exception that {exception['accepted_by']} accepted ended on {exception['until']}."
            reasons.append({"doors": doors, "reason": reason})
    return reasons


def exceptions_report(
    exceptions: t.Iterable[Record], leavers: t.Sequence[Record], today: str
) -> list[dict[str, t.Any]]:
    """The exceptions of a run for its evidence: each with `state` and the leavers it matches, by object ID.

    :param leavers: the results of all leavers, as returned by `accept`.
    """
    by_name: dict[str, list[Record]] = {}
    by_place: dict[str, list[Record]] = {}
    for one in leavers:
        for name in _names(one):
            by_name.setdefault(name, []).append(one)
        for entry in one["accepted"]:
            by_place.setdefault(entry["place"], []).append(one)
    reported = []
    for exception in exceptions:
        # A kind matches by the mailbox type that was accepted.
        met = (
            by_name.get(name_key(exception["user"]), []) if exception["user"] else by_place.get(exception["place"], [])
        )
        state = ENDED if not _is_in_force(exception, today) else IN_FORCE if met else UNMATCHED
        reported.append({**exception, "state": state, "leavers": [one["id"] or one["user"] for one in met]})
    return reported


def accepted_in_words(entry: Record) -> str:
    """One accepted exception of a leaver as a sentence: the doors, who accepted them, the end date and the reason."""
    doors = list(entry["doors"])
    if set(PROTOCOLS) <= set(doors):
        doors = [*(door for door in doors if door not in PROTOCOLS), "protocols"]
    return f"by {entry['accepted_by']} until {entry['until']}: {', '.join(doors)} ({entry['reason']})"


def unmatched(reported: t.Sequence[Record]) -> list[str]:
    """A sentence for each exception that matched no leaver, or that has ended and was not renewed."""
    by_key: dict[str, list[Record]] = {}
    for one in reported:
        for key in {_key(one), *(one["leavers"] if one["user"] else ())}:
            by_key.setdefault(key, []).append(one)
    sentences = []
    for one in reported:
        who = one["user"] or f"mailboxes of the kind {one['kind']}"
        if one["state"] == ENDED and not _is_renewed(one, by_key):
            sentences.append(f"The exception for {who} ended on {one['until']} ({one['place']}): renew or remove it.")
        elif one["state"] == UNMATCHED:
            sentences.append(f"The exception for {who} matches nobody ({one['place']}): correct or remove it.")
    return sentences


def _is_renewed(ended: Record, by_key: t.Mapping[str, t.Sequence[Record]]) -> bool:
    """Whether exceptions with a later end cover all its doors, for the same name or kind or for each leaver it matches.

    :param by_key: what `exceptions_report` returns, by name, kind and matched leaver.
    """

    def later(key: str) -> set[str]:
        return {door for one in by_key.get(key, ()) if one["until"] > ended["until"] for door in one["doors"]}

    same = later(_key(ended))
    return all((same | later(leaver)).issuperset(ended["doors"]) for leaver in ended["leavers"] or ("",))


def _key(exception: Record) -> str:
    return name_key(exception["user"] or exception["kind"])
