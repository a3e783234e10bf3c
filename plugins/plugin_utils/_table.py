# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""What a run shows to people: each leaver's verdict and doors, and why it fails."""

from __future__ import annotations

import collections
import typing as t

from ..module_utils._doors import NOT_APPLICABLE, OPEN, UNKNOWN, doors_of
from ._also import not_closed, second_line, still_residual
from ._also import rows as rows_of_also
from ._earlier import compared_with, newly_open
from ._results import CONTAINED, DELETED, FAILED, NOT_DUE, OPEN_DOORS, PARTIAL, REFUSED, UNCONFIRMED
from ._sentences import Record, errors_of, folded, person_in_words, reason_of, reasons_of

_MANY = 20
# AWX throws away what is larger than 700,000 bytes, and so many leavers take up to 500,000.
_MOST = 1_000
_VERDICTS = {
    FAILED: "FAILED",
    REFUSED: "REFUSED",
    OPEN_DOORS: "OPEN",
    UNCONFIRMED: "UNCONFIRMED",
    NOT_DUE: "not due",
    DELETED: "deleted",
    PARTIAL: "shut, as far as looked at",
    CONTAINED: "contained",
}


def failures(
    leavers: t.Sequence[Record],
    *,
    fail_on_open: bool,
    fail_on_not_due: bool = False,
    fail_on_residual: bool = False,
    allow_empty: bool = True,
) -> list[str]:
    """Why the run fails: a sentence per leaver, of a thousand at most, none when it does not."""
    if not leavers and not allow_empty:
        return [_nobody()]
    fatal = {
        FAILED,
        REFUSED,
        *((OPEN_DOORS, UNCONFIRMED) if fail_on_open else ()),
        *((NOT_DUE,) if fail_on_not_due else ()),
    }
    failed = [
        one
        for one in leavers
        if one["status"] in fatal or (fail_on_residual and (still_residual(one) or not_closed(one)))
    ]
    told = [_sentence(one, residual=fail_on_residual) for one in failed[:_MOST]]
    return [*told, *_and_more(failed)]


def _nobody() -> str:
    return (
        "Nobody is due to leave: the list names nobody, and nobody was found. Nothing was done. If that may be so, set "
        "offboard_employee_allow_empty (allow_empty of the playbooks)."
    )


def _sentence(one: Record, *, residual: bool) -> str:
    parts = []
    if one["status"] == NOT_DUE:
        parts.append(f"leaves on {one['left_at']}: nothing will be done before; schedule it")
    elif one["open"]:
        parts.append(f"open: {', '.join(one['open'])}")
    if one["unconfirmed"]:
        parts.append(f"unconfirmed: {', '.join(one['unconfirmed'])}")
    left = still_residual(one) if residual else []
    parts += [f"still residual: {', '.join(left)}"] if left else []
    more = not_closed(one) if residual else []
    return f"{one['user_principal_name'] or one['user']}: {'; '.join([*parts, *_reasons(one), *more])}"


def _reasons(one: Record) -> list[str]:
    """What went wrong, and why a door is open or unconfirmed after the steps; each once."""
    return [*map(reason_of, errors_of(one)), *reasons_of(one)]


def table(leavers: t.Sequence[Record], earlier: t.Any = None) -> list[str]:
    """Lines of at most 88 characters: each leaver's verdict and, where there is something to see, their doors.

    What is newly open comes first, then the worst. Of more than 20 leavers only those are shown who are not contained
    or have residual access.

    :param earlier: the evidence that C(since) was told against, C(None) if there is none.
    :raises ValueError: as R(Earlier).
    """
    order = (FAILED, REFUSED, OPEN_DOORS, UNCONFIRMED, NOT_DUE, DELETED, PARTIAL, CONTAINED)
    shown = sorted(leavers, key=lambda one: (not newly_open(one), order.index(one["status"])))
    many = len(leavers) > _MANY
    if many:
        shown = [one for one in shown if not one["contained"] or _residual_rows(one) or not_closed(one)]
    contained = sum(1 for one in leavers if one["contained"])
    lines = [f"{contained} of {len(leavers)} {'leaver is' if len(leavers) == 1 else 'leavers are'} contained"]
    if not leavers:
        lines = ["Nobody is due to leave"]
    lines += second_line(leavers)
    lines += _newly_open_rows(shown, earlier)
    for one in shown[:_MOST]:
        lines += _rows(one, brief=many and one["contained"])
    lines += _and_more(shown)
    left_out = {id(one) for one in leavers} - {id(one) for one in shown[:_MOST]}
    lines += _common_notes([one for one in leavers if id(one) in left_out or (many and one["contained"])])
    lines += _residual_gaps(leavers)
    return [part for line in lines for part in folded(line)]


def _and_more(told: t.Sequence[t.Any]) -> list[str]:
    return [f"and {len(told) - _MOST} more, see the report"] if len(told) > _MOST else []


def _newly_open_rows(leavers: t.Sequence[Record], earlier: t.Any) -> t.Iterator[str]:
    compared = compared_with(earlier)
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


def _rows(one: Record, *, brief: bool = False) -> list[str]:
    name = one["user_principal_name"] or one["user"]
    until = f" (leaves at {one['left_at']})" if one["status"] == NOT_DUE else ""
    lines = [f"{name}  {_VERDICTS[one['status']]}{until}"]
    person = "" if brief else person_in_words(one)
    lines += [f"  {person}"] if person else []
    for step, entry in one["steps"].items() if one["id"] and one["status"] != DELETED and not brief else ():
        lines.append(_row(one, step, entry))
    if one["status"] == NOT_DUE and one["open"]:
        lines.append(f"  until then the date hides open doors: {', '.join(one['open'])}")
    lines += [f"  {note}" for note in _notes(one)] if not (brief or newly_open(one)) else []
    lines += [] if brief else rows_of_also(one)
    lines += _residual_rows(one)
    lines += [f"  ! {reason}" for reason in [*_reasons(one), *not_closed(one)]]
    return lines


def _notes(one: Record) -> list[str]:
    """What must be done elsewhere, each once: hybrid and synced accounts, guests.

    That of the sessions step is about pages that are open already, and that there is no mailbox says the row.
    """
    told = [entry["note"] for step, entry in one["steps"].items() if step != "sessions" and entry["note"]]
    return [note for note in dict.fromkeys(told) if note != "No Exchange Online mailbox."]


def _common_notes(leavers: t.Sequence[Record]) -> list[str]:
    """The notes of those who are not shown one by one, with how many of them it is about."""
    counts = collections.Counter(note for one in leavers for note in _notes(one))
    return [f"{count} more: {note}" for note, count in counts.items()]


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
