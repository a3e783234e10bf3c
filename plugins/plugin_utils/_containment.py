# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long it took to lock a leaver out after they left, and whether that is within the period.

Only what was read or written is used: Microsoft stores no time for blocked sign-in and for mailbox protocols, so a run that
found them shut knows when they were shut only from the evidence of the run that shut them.
"""

from __future__ import annotations

import datetime
import re
import typing as t

from ..module_utils._doors import NOT_APPLICABLE
from ..module_utils._times import format_moment, moment_or_none
from ._messages import Record, span
from ._results import CONTAINED, DELETED, NOT_DUE, PARTIAL

_PERIOD = re.compile(r"(?=\d)(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,5})m)?$", re.ASCII)
# The step has written, or the write is visible.
_WRITTEN = ("verified", "accepted")


def parse_period(text: t.Any) -> int | None:
    """The seconds of a period such as `4h`, `30m`, `1d` or `1h30m`, or `None` for an empty text.

    :raises ValueError: anything else, and a period of no length.
    """
    if text is None or not str(text).strip():
        return None
    match = _PERIOD.match(str(text).strip()) if isinstance(text, str) else None
    days, hours, minutes = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    seconds = ((days * 24 + hours) * 60 + minutes) * 60
    if not seconds:
        raise ValueError(
            f"contain_within is {str(text)[:40]!r}; it must be a number of days, hours or minutes, "
            "such as 4h, 30m, 1d or 1h30m."
        )
    return seconds


def containment(
    one: Record,
    earlier: t.Sequence[Record] = (),
    *,
    period: int | None = None,
    read_at: str | None = None,
    purpose: str = "offboard",
) -> dict[str, t.Any]:
    """When a leaver was locked out, and how long after `left_at` that was.

    A leaver that this run found contained was locked out at the time that the earlier evidence shows, as long as the
    password is still the same. `within` is judged by the last write: what Microsoft takes to apply it is up to Microsoft.

    :param one: a result.
    :param earlier: what earlier evidence says about the same person, the newest first, as returned by `locked_out`.
    :param period: in seconds, `None` if not requested.
    :param read_at: when the opening read was done, by Microsoft's clock.
    :returns: `last_write_at` and `surely_shut_by` (moments), `seconds_to_last_write` and `seconds_to_surely_shut`, each
        null where it is not known; `within`, null without a period and where it is not known; `late_before`, whether an
        earlier audit failed for this leaver, who is contained now; `fails_audit`, whether this one does. A leaver who was
        late stays late, and failing again every night would not help.
    """
    last, sure = _moments(one)
    if last is None and one["status"] == CONTAINED:
        last, sure = _moments_then(one, earlier)
    left = moment_or_none(one["left_at"]) if one["status"] != NOT_DUE else None
    within = _within(one, left, last, moment_or_none(read_at), period)
    late_before = one["status"] == CONTAINED and any(then["late"] for then in earlier)
    return {
        "last_write_at": format_moment(last),
        "surely_shut_by": format_moment(sure),
        "seconds_to_last_write": _seconds(left, last),
        "seconds_to_surely_shut": _seconds(left, sure),
        "within": within,
        "late_before": late_before,
        "fails_audit": within is False and purpose == "audit" and not late_before,
    }


def _moments(one: Record) -> tuple[datetime.datetime | None, datetime.datetime | None]:
    """When this run wrote last, and when the last door is certainly shut. Both need a contained leaver.

    What a run found shut was shut before the run wrote anything, so the last write of the run is the last one of all.
    """
    if one["status"] != CONTAINED:
        return None, None
    entries = [entry for entry in one["steps"].values() if entry["status"] != NOT_APPLICABLE]
    if any(entry["status"] not in (*_WRITTEN, "unchanged") for entry in entries):
        # A step failed, and somebody else shut its door at an unknown moment.
        return None, None
    last = _latest(entry["written_at"] for entry in entries if entry["status"] in _WRITTEN)
    sure = [moment_or_none(entry["effective_by"]) for entry in entries]
    return last, None if None in sure else max((moment for moment in sure if moment), default=None)


def _moments_then(
    one: Record, earlier: t.Sequence[Record]
) -> tuple[datetime.datetime | None, datetime.datetime | None]:
    """The same by the earlier evidence. A different password since then means that the account was open again."""
    for then in earlier:
        last = moment_or_none(then["last_write_at"]) if then["password"] == _password_of(one) else None
        if last:
            return last, moment_or_none(then["surely_shut_by"])
    return None, None


def locked_out(one: Record) -> dict[str, t.Any]:
    """What `containment` of a later run needs from a result; evidence of earlier versions does not contain the times.

    :returns: `last_write_at` and `surely_shut_by`, both null for a leaver who was not contained; `password`, when it was changed
        last; `late`, whether an audit has failed for this leaver.
    """
    last, sure = _moments(one)
    times = {"last_write_at": format_moment(last), "surely_shut_by": format_moment(sure)}
    reported = one.get("containment") or (times if one.get("status") == CONTAINED else {})
    return {
        **{name: reported.get(name) for name in times},
        "password": _password_of(one),
        "late": bool(reported.get("fails_audit") or reported.get("late_before")),
    }


def _password_of(one: Record) -> t.Any:
    """The time of the last password change as read, `None` if it was not read (or is stored elsewhere, as for a guest)."""
    entry = one["steps"].get("password") or {}
    return (entry.get("after") or entry.get("before") or {}).get("last_password_change_date_time")


def _within(
    one: Record,
    left: datetime.datetime | None,
    last: datetime.datetime | None,
    read: datetime.datetime | None,
    period: int | None,
) -> bool | None:
    if period is None or left is None or one["status"] in (NOT_DUE, DELETED):
        return None
    limit = left + datetime.timedelta(seconds=period)
    reset = moment_or_none(_password_of(one))
    if one["status"] not in (CONTAINED, PARTIAL):
        return False if read and read > limit else None
    if last:
        return last <= limit
    if reset and reset > limit:
        # When the other doors were shut is not known; this one was shut too late.
        return False
    # All doors were read as shut in time.
    return True if one["status"] == CONTAINED and read and read <= limit else None


def _seconds(left: datetime.datetime | None, moment: datetime.datetime | None) -> int | None:
    """Seconds from leaving to this time; 0 for a leaver who was locked out before leaving."""
    return max(0, int((moment - left).total_seconds())) if left and moment else None


def _latest(moments: t.Iterable[t.Any]) -> datetime.datetime | None:
    return max((moment for moment in map(moment_or_none, moments) if moment), default=None)


def contained_in_words(one: Record) -> str:
    """How long it took to lock a leaver out, in one sentence."""
    reported = one.get("containment") or {}
    if one.get("status") == NOT_DUE:
        return "Not due yet."
    if not one.get("left_at"):
        return "When the leaver left is not known."
    if reported.get("within") is False and one.get("status") != CONTAINED:
        return "Not contained, and the period is over."
    parts = [
        f"{what} {span(datetime.timedelta(seconds=reported[key]))} after leaving"
        for key, what in (("seconds_to_last_write", "last write"), ("seconds_to_surely_shut", "surely shut"))
        if reported.get(key) is not None
    ]
    if parts:
        sentence = "; ".join(parts)
        return f"{sentence[0].upper()}{sentence[1:]}."
    if one.get("status") != CONTAINED:
        return "Not contained yet."
    late = {False: " The password now in effect was reset after the period.", True: " It was within the period."}
    return f"When it was done is not known.{late.get(t.cast('bool', reported.get('within')), '')}"
