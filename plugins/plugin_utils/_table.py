# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The output of a run for people: each leaver's verdict and doors, and why the run fails."""

from __future__ import annotations

import collections
import re
import typing as t

from ..module_utils._doors import NO_MAILBOX, NOT_APPLICABLE, OPEN, PROTOCOLS, STEPS, UNKNOWN, doors_of
from ._also import not_closed, second_line, still_residual
from ._also import rows as rows_of_also
from ._containment import contained_in_words
from ._earlier import is_extra, newly_open
from ._exceptions import accepted_in_words, unmatched
from ._fail_on import FAIL_ON, failing, is_late, lacks_leavers
from ._messages import NOT_DONE, WIDTH, Record, cut, errors_of, folded, person_in_words, reason_of, reasons_of
from ._results import (
    ACCEPTED,
    CONTAINED,
    DELETED,
    FAILED,
    NOT_DUE,
    OPEN_DOORS,
    PARTIAL,
    REFUSED,
    UNCONFIRMED,
    not_shut,
    shut_at,
)

_MANY = 20
# Of more leavers than this, each has one line, so that twenty fit on a screen.
_FEW = 3
# AWX discards output larger than 700,000 bytes, and so many leavers take up to 500,000.
_MOST = 1_000
_VERDICTS = {
    FAILED: "FAILED",
    REFUSED: "REFUSED",
    OPEN_DOORS: "OPEN",
    UNCONFIRMED: "UNCONFIRMED",
    NOT_DUE: "not due",
    ACCEPTED: "accepted",
    DELETED: "deleted",
    PARTIAL: "not all doors read",
    CONTAINED: "contained",
}


def failures(
    leavers: t.Sequence[Record],
    *,
    fail_on: t.Collection[str] = FAIL_ON,
    fail_on_not_due: bool = False,
    fail_on_residual: bool = False,
    allow_empty: bool = True,
    left_out: t.Sequence[Record] = (),
    is_only_since: bool = False,
) -> list[str]:
    """Why the run fails, none when it does not: a sentence per leaver, of a thousand at most, and reasons they share.

    More than three leavers with the same reason share a sentence.

    :param fail_on: what `parse_fail_on` gives.
    :param left_out: leavers that a dry run leaves out without failing.
    :param is_only_since: whether no users were requested except those of earlier evidence.
    """
    if lacks_leavers(leavers, allow_empty=allow_empty, is_only_since=is_only_since):
        return [_nobody()]
    failed = failing(
        leavers, fail_on=fail_on, fail_on_not_due=fail_on_not_due, fail_on_residual=fail_on_residual, left_out=left_out
    )
    shared = _Shared(failed)
    names_of: dict[str, list[str]] = {}
    for one in failed[:_MOST]:
        names_of.setdefault(_sentence(one, shared, residual=fail_on_residual), []).append(_name(one))
    lines = [f"{name}{text}" for text, names in names_of.items() for name in _together(names)]
    return [*lines, *_and_more(failed), *shared.lines()]


def _nobody() -> str:
    return (
        "No leavers: the list is empty, and no user was found. Nothing was done. If this is expected, set "
        "offboard_employee_allow_empty (allow_empty of the playbooks)."
    )


def _together(names: t.Sequence[str]) -> t.Sequence[str]:
    return [", ".join(names)] if len(names) > _FEW else names


def _sentence(one: Record, shared: _Shared, *, residual: bool) -> str:
    """The reasons for a leaver, without the name."""
    parts = []
    if newly_open(one):
        parts.append(f"newly open: {', '.join(newly_open(one))}")
    if one["status"] == NOT_DUE:
        parts.append(f"leaves on {one['left_at']}: nothing is done before that; schedule the run")
    elif one["open"]:
        parts.append(f"open: {_doors(one, one['open'])}")
    if one["unconfirmed"]:
        parts.append(f"unconfirmed: {_doors(one, one['unconfirmed'])}")
    if is_late(one):
        words = contained_in_words(one).rstrip(".")
        words = words[0].lower() + words[1:]
        parts.append(f"late: {words}")
    left = still_residual(one) if residual else []
    parts += [f"still residual: {', '.join(left)}"] if left else []
    more = not_closed(one) if residual else []
    return f"{shared.marks(one)}: {'; '.join([*parts, *shared.own(one), *more]) or one['status']}"


def _name(one: Record) -> str:
    return str(one["user_principal_name"] or one["user"])


def _doors(one: Record, doors: t.Sequence[str]) -> str:
    """Doors by name, and all protocols of a mailbox in two words."""
    own = [door for door in doors if door in PROTOCOLS]
    entry = one["steps"].get("protocols") or {}
    known = entry.get("before") or entry.get("after") or PROTOCOLS
    if len(own) < 2 or len(own) < len(known):
        return ", ".join(doors)
    return ", ".join([*(door for door in doors if door in STEPS), f"all {len(own)} protocols"])


class _Shared:
    """Reasons that several leavers have in common: each is reported once, with the number of leavers it is about.

    Reasons are the same if they differ by the leaver's name alone.
    """

    def __init__(self, leavers: t.Sequence[Record]) -> None:
        keys = [key for one in leavers for key in dict.fromkeys(_nameless(one, text) for text in _reasons(one))]
        counts = collections.Counter(keys)
        self._counts = {key: count for key, count in counts.items() if count > 1}
        self._numbers = {key: number for number, key in enumerate(self._counts, 1)}

    def own(self, one: Record) -> list[str]:
        """The reasons of this leaver alone."""
        return [text for text in _reasons(one) if _nameless(one, text) not in self._counts]

    def marks(self, one: Record) -> str:
        """Which of the shared reasons a leaver has, as in " [1]"."""
        numbers = {self._numbers.get(_nameless(one, text), 0) for text in _reasons(one)} - {0} if self._numbers else ()
        return "".join(f" [{number}]" for number in sorted(numbers))

    def lines(self) -> list[str]:
        return [f"[{self._numbers[key]}] {count} people: {key}" for key, count in self._counts.items()]


def _nameless(one: Record, reason: str) -> str:
    """A reason without the name of its leaver."""
    names = {str(one[key]) for key in ("user", "user_principal_name", "id") if one[key]}
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    nameless = re.sub(rf"(?<![\w.@-])(?:{pattern})(?![\w@-])", "the leaver", reason, flags=re.IGNORECASE)
    return f"{nameless[:1].upper()}{nameless[1:]}"


def _reasons(one: Record) -> list[str]:
    """What went wrong, and why a door is open or unconfirmed after the steps; each once."""
    return [*map(reason_of, errors_of(one)), *reasons_of(one)]


def sent_in_words(leavers: t.Iterable[Record], *, check_mode: bool) -> str:
    """What an offboarding that left somebody not contained did not do, for its headline; empty if that goes without saying.

    As in "nothing was sent: 2 refused" or, if others were written, "nothing was sent for 2 who were refused".

    :param leavers: the results of a complete offboarding. A key may be missing from evidence of another version, and proves nothing then.
    """
    nothing = "nothing would be sent" if check_mode else "nothing was sent"
    results = list(leavers)
    idle = [one for one in results if _is_untouched(one)]
    refused = sum(1 for one in idle if any(entry.get("status") == REFUSED for entry in _entries(one)))
    if len(idle) < len(results):
        return f"{nothing} for {refused} who {'was' if refused == 1 else 'were'} refused" if refused else ""
    if all(one.get("status") in (CONTAINED, PARTIAL, DELETED) for one in results):
        return ""
    return nothing + (f": {refused} refused" if refused else "")


def _is_untouched(one: Record) -> bool:
    """Whether an offboarding certainly sent no write for a leaver.

    A step that failed may have sent one, unless the leaver was refused before the first step or was not found.
    """
    entries, refusal = _entries(one), one.get("error")
    if one.get("id", "unknown") is None or (one.get("since") or {}).get("no_longer"):
        return True
    if refusal and any(entry.get("status") == REFUSED and entry.get("error") == refusal for entry in entries):
        return True
    quiet = (REFUSED, NOT_DUE, NOT_APPLICABLE, "unchanged")
    return bool(entries) and all(entry.get("status") in quiet for entry in entries)


def _entries(one: Record) -> list[Record]:
    return [entry or {} for name in ("steps", "also") for entry in (one.get(name) or {}).values()]


def table(
    leavers: t.Sequence[Record],
    since: Record | None = None,
    failing: t.Sequence[Record] = (),
    left_out: t.Sequence[Record] = (),
    exceptions: t.Sequence[Record] = (),
    sent: str = "",
) -> list[str]:
    """Lines of at most 88 characters: each leaver's verdict and, where there is something to see, their doors.

    What is newly open comes first, then the worst. Of more than three leavers each has one line; of more than 20, only
    those are shown who are not contained or have residual access.

    :param since: with which files the run is compared, see `Earlier.comparison`; `None` for no comparison.
    :param failing: leavers whose reasons `failures` gives right after the table.
    :param left_out: leavers that the run that follows this dry run would leave out.
    :param exceptions: those of the run, as `exceptions_report` gives them.
    :param sent: what `sent_in_words` gives.
    """
    order = (FAILED, REFUSED, OPEN_DOORS, UNCONFIRMED, NOT_DUE, ACCEPTED, DELETED, PARTIAL, CONTAINED)
    shown = sorted(leavers, key=lambda one: (not newly_open(one), order.index(one["status"])))
    many = len(leavers) > _MANY
    if many:
        shown = [one for one in shown if not one["contained"] or _residual_rows(one) or not_closed(one)]
    contained = sum(1 for one in leavers if one["contained"])
    accepted = sum(1 for one in leavers if one["status"] == ACCEPTED)
    lines = [
        f"{contained} of {len(leavers)} {'leaver is' if len(leavers) == 1 else 'leavers are'} contained"
        + (f", {accepted} accepted" if accepted else "")
        + (f"; {sent}" if sent else "")
    ]
    if not leavers:
        lines = ["No leavers"]
    lines += second_line(leavers)
    if left_out:
        lines.append(f"left out, {len(left_out)} of {len(leavers)}: {', '.join(map(_name, left_out[:_MOST]))}")
    lines += _since_rows(leavers, since)
    reported_later = set(map(id, failing))
    brief, shared = len(leavers) > _FEW, _Shared([one for one in shown if id(one) not in reported_later])
    later = _Shared([])
    for one in shown[:_MOST]:
        is_reported = id(one) not in reported_later
        lines += (_brief if brief else _rows)(one, shared if is_reported else later)
        lines += [f"  ! {reason}" for reason in shared.own(one)] if is_reported else []
        lines += [f"  ! {reason}" for reason in not_closed(one)]
    lines += [*_and_more(shown), *shared.lines()]
    lines += _common_notes([one for one in leavers if not newly_open(one)]) if brief else []
    lines += _residual_gaps(leavers)
    lines += unmatched(exceptions)
    return [part for line in lines for part in folded(line)]


def _and_more(items: t.Sequence[t.Any]) -> list[str]:
    return [f"and {len(items) - _MOST} more, see the report"] if len(items) > _MOST else []


def _since_rows(leavers: t.Sequence[Record], since: Record | None) -> t.Iterator[str]:
    """What changed: newly open doors, doors that had to be shut again, and who is not among the leavers any more."""
    if not since:
        return
    reopened = [one for one in leavers if newly_open(one)]
    for one in reopened:
        yield f"newly open since {one['since']['compared_with']}: {_name(one)}: {_doors(one, newly_open(one))}"
        notes = dict.fromkeys(entry["note"] for entry in _reopened(one) if entry["note"])
        then = ["Contained then."] if one["since"]["was_contained"] else []
        if then or notes:
            yield f"  {' '.join([*then, *notes])}"
    compared_with = since["compared_with"]
    if compared_with and not reopened:
        yield f"newly open since {compared_with[0]['written_at']}: nothing"
    for one in leavers:
        if one["since"]["shut_again"]:
            yield f"shut again, open since {one['since']['compared_with']}: {_name(one)}: {', '.join(one['since']['shut_again'])}"
    for one in leavers:
        if is_extra(one):
            yield f"no longer named or found: {_name(one)}: {one['since']['no_longer']}"
    if not compared_with:
        yield "newly open: not comparable, because no file in since contains a run to compare with"
    for one in since["not_comparable"][:_MANY]:
        yield f"not comparable: {one['file']}: {one['reason']}"
    if len(since["not_comparable"]) > _MANY:
        yield f"and {len(since['not_comparable']) - _MANY} more files that are not comparable"


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
    """One line for all: a missing permission affects everyone."""
    looked_for = [one["residual"] for one in leavers if one["residual"]]
    gaps: dict[tuple[str, str], int] = {}
    for residual in looked_for:
        for topic, entry in residual.items():
            if entry["state"] == "not_looked_at" or entry["error"]:
                key = (topic, entry["permission"])
                gaps[key] = gaps.get(key, 0) + 1
    parts = [
        f"{topic}{'' if count == len(looked_for) else f' of {count}'} (needs {permission})"
        for (topic, permission), count in gaps.items()
    ]
    return [f"residual access not fully read: {', '.join(parts)}"] if parts else []


def _brief(one: Record, shared: _Shared) -> list[str]:
    """A leaver in one line: the verdict, the doors that are not shut, and the person, cut to fit."""
    parts = [_name(one), f"{_verdict(one)}{shared.marks(one)}", *_done(one)]
    states = (("until then open" if one["status"] == NOT_DUE else "open", "open"), ("unconfirmed", "unconfirmed"))
    parts += [f"{state}: {_doors(one, one[key])}" for state, key in states if one[key]]
    line, person = "  ".join(parts), person_in_words(one)
    room = WIDTH - len(line) - 2
    lines = [f"{line}  {cut(person, room)}" if person and room >= _LEAST_PERSON else line]
    return [*lines, *_accepted_rows(one), *_residual_rows(one)]


def _done(one: Record) -> list[str]:
    """What was done for a leaver in two or three words, so that a first and a second run differ at a glance."""
    phrases = (
        {entry["done"] for entry in one["steps"].values() if entry["status"] != NOT_APPLICABLE} if one["id"] else ()
    )
    if any(entry["written_at"] for entry in one["steps"].values()):
        return ["shut now"] if one["contained"] else []
    if len(phrases) == 1 and not phrases & {"is open", "is shut", "failed", "refused, nothing sent"}:
        return list(phrases)
    return ["would be shut"] if any(done.startswith("would be ") for done in phrases) else []


# A shorter piece of the description is useless.
_LEAST_PERSON = 12


def _verdict(one: Record) -> str:
    kind = f" ({one['mailbox_type']})" if one["mailbox_type"] not in (None, "UserMailbox") else ""
    until = f" (leaves at {one['left_at']})" if one["status"] == NOT_DUE else ""
    return f"{_VERDICTS[one['status']]}{until}{kind}"


def _accepted_rows(one: Record) -> list[str]:
    return [f"  accepted {line}" for line in map(accepted_in_words, one["accepted"])]


def _rows(one: Record, shared: _Shared) -> list[str]:
    lines = [f"{_name(one)}  {_verdict(one)}{shared.marks(one)}"]
    person = person_in_words(one)
    lines += [f"  {person}"] if person else []
    for step, entry in one["steps"].items() if one["id"] and one["status"] != DELETED else ():
        lines.append(_row(one, step, entry))
    if one["id"]:
        lines += [f"  {step:<10} {NOT_DONE}" for step in STEPS if step in one["not_looked_at"]]
    lines += _accepted_rows(one)
    if one["status"] == NOT_DUE and one["open"]:
        lines.append(f"  doors that stay open until then: {_doors(one, one['open'])}")
    lines += [f"  {note}" for note in _notes(one)] if not newly_open(one) else []
    lines += rows_of_also(one)
    lines += _residual_rows(one)
    return lines


def _notes(one: Record) -> list[str]:
    """What must be done elsewhere, each once: hybrid and synced accounts, guests.

    The note of the sessions step is about pages that are open already, and the row itself says that there is no mailbox.
    """
    notes = [entry["note"] for step, entry in one["steps"].items() if step != "sessions" and entry["note"]]
    return [note for note in dict.fromkeys(notes) if note != NO_MAILBOX]


def _common_notes(leavers: t.Sequence[Record]) -> list[str]:
    """The notes of leavers who have one line each, with how many of them a note is about."""
    counts = collections.Counter(note for one in leavers for note in _notes(one))
    return [f"{count} {'person' if count == 1 else 'people'}: {note}" for note, count in counts.items()]


def _row(one: Record, step: str, entry: Record) -> str:
    own = doors_of(step, not_shut(one))
    opened = [name for name, state in own.items() if state == OPEN]
    if entry["status"] == NOT_APPLICABLE:
        state = "no such door"
    elif opened:
        switches = len(entry["before"] or ()) if step == "protocols" else 0
        names = f"all {switches}" if len(opened) == switches else ", ".join(opened)
        state = f"OPEN ({names})" if step == "protocols" else "OPEN"
    else:
        state = "unconfirmed" if UNKNOWN in own.values() else "accepted" if own else "shut"
    # In an audit the state is enough.
    done = "" if entry["done"] in ("is open", "is shut", state) else entry["done"]
    line = f"  {step:<10} {state:<12} {done}" if done else f"  {step:<10} {state:<12}"
    if state == "shut":
        since = shut_at(step, entry)
        # Both moments behind the words do not fit on the line.
        now = done and entry["status"] != "unchanged"
        line += f" since {since}" if since and not (now and entry["effective_by"]) else ""
        line += f"  surely by {entry['effective_by']}" if entry["effective_by"] and (now or not done) else ""
    return line.rstrip()
