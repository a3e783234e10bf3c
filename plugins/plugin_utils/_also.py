# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is closed besides the doors, the results, and what is still residual. It never decides whether a leaver is contained."""

from __future__ import annotations

import typing as t

from ..module_utils._doors import PHONES_UNREAD
from ._messages import Record, reason_of

# The topics of `residual` that each of them closes.
_CLOSES = {
    "forwarding": ("forwarding",),
    "devices": ("devices", "phones"),
    "consents": ("consents",),
    "authentication_methods": ("sign_in_methods",),
    "memberships": ("memberships", "directory_roles"),
}
# Nothing closes these: they are reported.
_REPORTED = ("applications",)
_FACTS = ("before", "after", "written_at", "request_id", "note", "error", "objects")
# After these statuses, the objects are in the wanted state, except those that cannot be changed here.
_CLOSED = ("unchanged", "verified", "not_applicable")


def topics_after(also: t.Sequence[str], residual: t.Sequence[str]) -> list[str]:
    """The topics of residual access to read at the end, none if nothing is closed."""
    if not also:
        return []
    topics = [*residual, *(topic for name in also for topic in _CLOSES[name]), *_REPORTED]
    return ["all"] if "all" in topics else list(dict.fromkeys(topics))


def entries(
    also: t.Sequence[str], reported: t.Mapping[str, Record], opening: Record, refused: Record | None, *, went: bool
) -> dict[str, dict[str, t.Any]]:
    """The entry of each topic in a leaver's result.

    :param reported: the modules' records of this leaver, by topic.
    :param refused: why this leaver may not be written.
    :param went: whether the leaver goes through the steps.
    """
    return {name: _entry(reported.get(name) or _unreported(opening, refused, went=went)) for name in also}


def _entry(record: Record) -> dict[str, t.Any]:
    return {
        "status": record["status"],
        **{fact: record.get(fact) for fact in _FACTS},
        "objects": record.get("objects") or [],
    }


def _unreported(opening: Record, refused: Record | None, *, went: bool) -> dict[str, t.Any]:
    if went:
        return {"status": "pending"}
    if not opening["id"]:
        return {"status": "failed", "error": opening["error"]}
    if refused:
        return {"status": "refused", "error": refused}
    return {"status": "not_due" if opening["due"] is False else "not_applicable"}


def not_closed(one: Record) -> list[str]:
    """Why a topic was not closed, a sentence each, as in "not closed: consents: Could not delete ..."."""
    sentences = []
    for name, entry in (one.get("also") or {}).items():
        if entry["status"] in _CLOSED or entry["status"] in ("planned", "not_due"):
            continue
        reason = reason_of(entry["error"]) if entry["error"] else "The service had not shown it within verify_timeout."
        sentences.append(
            f"not closed: {name}: {reason}" if entry["status"] != "pending" else f"not closed: {name}: not reached"
        )
    return sentences


def still_residual(one: Record) -> list[str]:
    """The topics in which something is left, or which could not be read."""
    left = []
    for topic, entry in one["residual"].items():
        if entry["state"] == "found":
            left.append(topic)
        elif entry["state"] != "none":
            left.append(f"{topic} (not read)")
    return left


def second_line(leavers: t.Sequence[Record]) -> list[str]:
    """The residual access of all leavers, in one line; `None` if nothing was closed besides the doors."""
    closed = [one for one in leavers if one.get("also")]
    if not closed:
        return []
    counts: dict[str, int] = {}
    for one in closed:
        for topic in still_residual(one):
            counts[topic] = counts.get(topic, 0) + 1
    reported = ", ".join(topic if len(closed) == 1 else f"{topic} of {count}" for topic, count in counts.items())
    return [f"still residual: {reported or 'nothing in the topics that were read'}"]


def rows(one: Record) -> list[str]:
    """One line for each topic, for people."""
    return [f"  {name}: {_row(entry)}" for name, entry in (one.get("also") or {}).items()]


# As a record's status, for people.
_WORDS = {
    "unchanged": "nothing to close",
    "planned": "would be closed",
    "verified": "closed",
    "accepted": "closed, not seen yet",
    "not_applicable": "no such access here",
    "not_due": "not due, nothing sent",
    "refused": "refused, nothing sent",
    "failed": "NOT CLOSED",
    "pending": "not reached yet",
}


def _row(entry: Record) -> str:
    done = sum(1 for one in entry["objects"] if one["status"] in ("planned", "verified", "accepted"))
    left = sum(1 for one in entry["objects"] if one["status"] == "not_applicable")
    words = _WORDS[entry["status"]]
    # Of a reading that left something out, nothing was found in the rest only.
    is_partial = PHONES_UNREAD in (entry.get("note") or "")
    words = "no enabled device" if is_partial and entry["status"] == "unchanged" else words
    # An object that cannot be changed here is not a failure, but it is reported.
    words += f" ({done})" if done else ""
    words += f", {left} left as {'it is' if left == 1 else 'they are'}" if left else ""
    return f"{words}. {PHONES_UNREAD.rstrip('.')}" if is_partial else words
