# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the runs of an offboarding did to one person, and how the doors were before: from one run or from several.

A run that was killed and its repetition are one offboarding: the first knows what was open, the second found it shut.
"""

from __future__ import annotations

import typing as t

from ..module_utils._doors import ALSO, MOMENTS, PROTOCOLS, STEPS
from ..module_utils._errors import OUTCOME_UNKNOWN
from ._messages import Record, as_error
from ._restore_files import has_number

# What a run that was cut off says of a step whose result it did not live to write.
_UNFINISHED = ("pending", "planned")
# Doors whose state is in the evidence. Password and sessions have moments (`MOMENTS`), which only grow.
_DOORS = {"signin": ("account_enabled",), "protocols": PROTOCOLS}


class Reading(t.NamedTuple):
    """What one run says of the person."""

    run: Record
    record: Record

    def changed(self, step: str) -> bool:
        """Whether the step changed something, or may have: what failed was sometimes done all the same."""
        entry = self.record["steps"].get(step)
        if not entry:
            return False
        if entry["status"] != "failed":
            return entry["status"] in ("verified", "accepted")
        error = entry["error"] or {}
        seen = bool(entry["after"]) and entry["before"] != entry["after"]
        return seen or error.get("hint") == OUTCOME_UNKNOWN or error.get("code") == "internal"

    def cut_off(self, step: str) -> bool:
        """Whether the run was cut off, and may have done the step without writing it down."""
        entry = self.record["steps"].get(step)
        return bool(entry) and not self.run["complete"] and t.cast("Record", entry)["status"] in _UNFINISHED

    def touched(self, step: str) -> bool:
        return self.changed(step) or self.cut_off(step)

    @property
    def closed(self) -> bool:
        """Whether something besides the doors was closed, or may have been."""
        return any(map(_touched, _objects(self)))

    def facts(self, step: str, when: str) -> Record:
        return t.cast("Record", (self.record["steps"].get(step) or {}).get(when) or {})

    @property
    def reported(self) -> str:
        """Which run it is, for people."""
        numbers = (("job", self.run["job_id"]), ("workflow", self.run["workflow_job_id"]))
        known = [f"{kind} {number}" for kind, number in numbers if number]
        return f"{self.run['path']} ({', '.join([*known, self.run['started_at']])})"


def offboarding(name: str, readings: t.Sequence[Reading], job: str = "") -> Record | list[Reading]:
    """The runs of the offboarding to undo, in their order; an error as a record if it is not certain which one it is.

    :param job: the number in AWX of the job to undo, or of its workflow, empty where none is named.
    """
    episodes = _episodes(_once(readings))
    if job:
        episodes = [one for one in episodes if any(has_number(reading.run, job) for reading in one)]
        if not episodes:
            message = f"The evidence of the job or workflow {job} has no record of {name}."
            return as_error(
                "not_in_evidence", message, "Give the number of the job or workflow that shut this leaver out."
            )
    # An offboarding that changed nothing cannot be undone, so it is not a candidate.
    choices = [one for one in episodes if any(map(_did_something, one))]
    if len(choices) > 1:
        runs = "; ".join(next(filter(_did_something, episode)).reported for episode in choices)
        message = (
            f"{name} was shut out {len(choices)} times, and was let in again in between: {runs}; nothing was sent."
        )
        return as_error("several_offboardings", message, "Give only the files of the offboarding that is to be undone.")
    return choices[0] if choices else episodes[-1]


def _did_something(reading: Reading) -> bool:
    return reading.closed or any(map(reading.touched, STEPS))


def _objects(reading: Reading, topic: str | None = None) -> t.Iterator[Record]:
    for name, entry in (reading.record.get("also") or {}).items():
        if topic in (None, name):
            yield from entry["objects"]


def _touched(one: Record) -> bool:
    """Whether an object was written, or may have been."""
    if one["status"] != "failed":
        return one["status"] in ("verified", "accepted")
    error = one["error"] or {}
    return one["before"] != one["after"] or error.get("hint") == OUTCOME_UNKNOWN or error.get("code") == "internal"


def closed_besides(readings: t.Sequence[Reading]) -> dict[str, list[Record]]:
    """By topic, the objects that the runs have closed, or may have, each as the first of these runs found it."""
    closed: dict[str, list[Record]] = {}
    for topic in ALSO:
        found: dict[str, Record] = {}
        for reading in readings:
            for one in _objects(reading, topic):
                if one["before"] and _touched(one):
                    found.setdefault(one["key"], one)
        if found:
            closed[topic] = list(found.values())
    return closed


def _once(readings: t.Sequence[Reading]) -> list[Reading]:
    """In the order of their runs, and each run once: it may have written several files."""
    ordered = sorted(readings, key=lambda one: (one.run["started_at"], one.run["complete"], one.run["written_at"]))
    kept: list[Reading] = []
    for one in ordered:
        last = kept[-1] if kept else None
        same = last and (last.run["started_at"], last.run["job_id"]) == (one.run["started_at"], one.run["job_id"])
        if last and same and (last.record == one.record or not last.run["complete"]):
            kept.pop()
        kept.append(one)
    return kept


def _episodes(readings: t.Sequence[Reading]) -> list[list[Reading]]:
    """Runs that belong together: a new offboarding begins where a door that was read as shut is open again."""
    episodes: list[list[Reading]] = []
    shut: set[tuple[str, str]] = set()
    for number, one in enumerate(readings):
        before = {(step, door): value for step in _DOORS for door, value in _states(one, step, "before").items()}
        opened = any(before.get(door, False) is not False for door in shut)
        # A replica that lags shows the doors as they were, and the moments of password and sessions with them.
        if not episodes or (opened and not any(is_older(one, "before", earlier) for earlier in readings[:number])):
            episodes.append([])
            shut = set()
        episodes[-1].append(one)
        after = {(step, door): value for step in _DOORS for door, value in _states(one, step, "after").items()}
        shut |= {door for door, value in after.items() if value is False}
        shut -= {door for door, value in after.items() if value is not False}
    return episodes


def is_older(reading: Reading, when: str, written: Reading) -> bool:
    """Whether a run read the person as they were before an earlier run had changed them."""
    return any(
        precedes(reading.facts(step, when), written.record["steps"].get(step), step)
        for step in ("password", "sessions")
    )


def precedes(facts: Record, entry: Record | None, step: str) -> bool:
    """Whether a reading's moment of the password or of the sessions is before the one that a step read back.

    Those moments only ever grow. Of one spelling, in UTC, they are in order as text.
    """
    if not entry or entry["status"] not in ("unchanged", "verified"):
        return False
    now, then = facts.get(MOMENTS[step]), (entry["after"] or {}).get(MOMENTS[step])
    return bool(now and then and str(now) < str(then))


def _states(reading: Reading, step: str, when: str) -> dict[str, bool | None]:
    facts = reading.facts(step, when)
    # For a protocol null is a value (the organization's setting applies); for sign-in it means unknown.
    return {
        door: facts[door] for door in _DOORS[step] if door in facts and not (step == "signin" and facts[door] is None)
    }


def before_and_after(readings: t.Sequence[Reading]) -> dict[str, t.Any]:
    """One record of the person from all runs of an offboarding: what was before it, and what it left.

    Each step has `before` and `after` (facts, null if unknown), `status` and `written_at` of the last run that
    wrote it, `changed`, and `cut_off` where only a run that was killed may have changed it.
    """
    last = readings[-1].record
    roles = [one.record["directory_roles"] for one in readings if one.record["directory_roles"] is not None]
    steps = {}
    for step in STEPS:
        known = [one for one in readings if step in one.record["steps"]]
        if not known:
            continue
        touched = [one for one in known if one.touched(step)]
        final = next((one for one in reversed(known) if one.changed(step)), known[-1])
        entry = final.record["steps"][step]
        steps[step] = {
            "before": _before(step, touched or known[:1]),
            "after": entry["after"],
            "status": entry["status"],
            "written_at": entry["written_at"],
            "changed": any(one.changed(step) for one in known),
            "cut_off": bool(touched) and not any(one.changed(step) for one in known),
        }
    return {
        **{key: last[key] for key in ("user", "id", "user_principal_name", "display_name")},
        # Any role that any run saw; null where none could look.
        "directory_roles": sorted({str(role) for held in roles for role in held}) if roles else None,
        "steps": steps,
        "also": closed_besides(readings),
        # What a run was closing when it was cut off: what it had closed by then is in no file.
        "unfinished": sorted(
            topic
            for one in readings
            if not one.run["complete"]
            for topic, entry in (one.record.get("also") or {}).items()
            if entry["status"] == "pending"
        ),
        "runs": [one.reported for one in readings],
        "written_at": max(one.run["written_at"] for one in readings),
    }


def _before(step: str, touched: t.Sequence[Reading]) -> dict[str, t.Any] | None:
    """Of each door what the first run that changed it, or may have, found."""
    before: dict[str, t.Any] = {}
    for one in touched:
        facts = _states(one, step, "before") if step in _DOORS else one.facts(step, "before")
        for door, value in facts.items():
            before.setdefault(door, value)
    return before or None
