# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors as records and as sentences, and lines that fit."""

from __future__ import annotations

import datetime
import textwrap
import typing as t

from ..module_utils._errors import Code

Record = t.Mapping[str, t.Any]

# Ansible shows a list of lines with ten more columns around each: together they fit 100.
WIDTH = 88
_LONGEST_PART = 60


def as_error(code: Code, message: str, hint: str | None = None) -> Record:
    """An error in the form of the modules' records, for a problem found without a request."""
    return {"code": code, "message": message, "hint": hint, "request_id": None}


def errors_of(one: Record) -> list[Record]:
    """A leaver's errors, each once: every step has the same refusal."""
    errors = [one["error"], *(entry["error"] for entry in one["steps"].values())]
    return list({error["message"]: error for error in errors if error}.values())


def reasons_of(one: Record) -> list[str]:
    """Why a leaver's doors are open or unconfirmed after the steps, without what an error already says."""
    errors = {reason_of(error) for error in errors_of(one)}
    return [entry["reason"] for entry in one.get("reasons", ()) if entry["reason"] not in errors]


def reason_of(error: Record) -> str:
    return " ".join(filter(None, (error["message"], error["hint"])))


# What a step did: in a run that writes, in check mode, and where the write has not been seen.
_ACTIONS = {
    "password": ("reset now", "would be reset", "reset sent, not confirmed"),
    "sessions": ("signed out now", "would be signed out", "sign-out sent, not confirmed"),
    "signin": ("blocked now", "would be blocked", "block sent, not confirmed"),
    "protocols": ("turned off now", "would be turned off", "sent, not confirmed"),
}
NOT_DONE = "not read"


def what_was_done(step: str, status: str, *, purpose: str, check_mode: bool) -> str:
    """What a step did for a leaver, in two or three words, so that a run, a dry run and an audit differ at a glance.

    :param status: of the step's entry in a result.
    """
    audit = purpose == "audit"
    now, would, sent = _ACTIONS[step]
    words = {
        "verified": now,
        "accepted": sent,
        "planned": "is open" if audit else would,
        "unchanged": "is shut" if audit else "would stay as it is" if check_mode else "was so already",
        "pending": "not reached yet",
        "not_applicable": "no such door",
        "not_due": "not due yet" if audit else "not due, nothing sent",
        "refused": "refused, nothing sent",
        "failed": "failed",
    }
    return words.get(status, status)


def person_in_words(one: Record) -> str:
    """Describe a leaver in one line, so that a wrong person is noticed; unknown properties are left out.

    Long texts are cut: a thousand of these lines must fit into the output of a job.

    As in "Sam Smith · Sales · manager Jane Roe · member since 2019-03-01". Empty for a user who could not be read.
    """
    person = one.get("person") or {}
    manager = person.get("manager") or {}
    boss = manager.get("display_name") or manager.get("user_principal_name")
    kind = str(person.get("user_type") or "account").lower()
    created, changed = (_day(person.get(f"{name}_date_time")) for name in ("created", "last_password_change"))
    parts = (
        one.get("display_name"),
        person.get("department"),
        person.get("job_title"),
        f"manager {boss}" if boss else None,
        f"{kind} since {created}" if created else kind if kind == "guest" else None,
        f"password of {changed}" if changed else None,
    )
    return " · ".join(cut(" ".join(str(part).split())) for part in parts if part) if person else ""


def listed(parts: t.Sequence[str]) -> str:
    """As in "one, two and three"."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def cut(text: str, length: int = _LONGEST_PART) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _day(moment: t.Any) -> str:
    return str(moment or "")[:10]


def span(length: datetime.timedelta) -> str:
    """A duration in its two largest units."""
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts: list[str] = []
    rest = int(length.total_seconds())
    for name, size in units:
        if rest >= size or (name == "s" and not parts):
            parts.append(f"{rest // size} {name}")
            rest %= size
    return " ".join(parts[:2])


def folded(line: str) -> list[str]:
    """Wrap a line that is too long, with an indent."""
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.wrap(line, WIDTH, subsequent_indent=indent) if len(line) > WIDTH else [line]
