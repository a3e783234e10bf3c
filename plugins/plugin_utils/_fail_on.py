# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide which results of leavers fail a run. Only this file decides that; `_table` phrases the reasons."""

from __future__ import annotations

import typing as t

from ._also import not_closed, still_residual
from ._earlier import is_extra, newly_open
from ._messages import Record
from ._results import ACCEPTED, CONTAINED, DELETED, FAILED, NOT_DUE, OPEN_DOORS, PARTIAL, REFUSED, UNCONFIRMED

NEW, OPEN, FAILED_ONES = "new", "open", "failed"
FAIL_ON = (NEW, OPEN, FAILED_ONES)
# Results without an open door, or without one that matters yet.
_PASSED = (CONTAINED, PARTIAL, DELETED, NOT_DUE, ACCEPTED)


def parse_fail_on(value: t.Any) -> tuple[str, ...]:
    """The values of `offboard_employee_fail_on`, a list or one string with commas, in their own order.

    :raises ValueError: an empty list, or a value that is not one of `FAIL_ON`.
    """
    values = value.split(",") if isinstance(value, str) else value
    names = [str(one).strip() for one in values] if isinstance(values, (list, tuple)) else [str(values)]
    names = [name for name in names if name]
    unknown = [name for name in names if name not in FAIL_ON]
    if unknown or not names:
        what = f"has unknown values ({', '.join(unknown)})" if unknown else "is empty"
        raise ValueError(
            f"offboard_employee_fail_on {what}: give one or several of {', '.join(FAIL_ON)}. Without it, all of them fail the run"
        )
    return tuple(name for name in FAIL_ON if name in names)


def lacks_leavers(leavers: t.Sequence[Record], *, allow_empty: bool, is_only_since: bool) -> bool:
    """Whether a run fails because it is for no user.

    Users known only from the earlier evidence do not make up for a lost list.

    :param is_only_since: whether no users were requested except those of earlier evidence.
    """
    requested = leavers if is_only_since else [one for one in leavers if not is_extra(one)]
    return not requested and not allow_empty


def left_out(leavers: t.Sequence[Record]) -> list[Record]:
    """The leavers that a run would leave out after this dry run; none if no other leaver would be offboarded."""
    others = [one for one in leavers if one["status"] in (OPEN_DOORS, UNCONFIRMED)]
    return [one for one in leavers if one["status"] in (FAILED, REFUSED, NOT_DUE)] if others else []


def judged_by_offboarding(leavers: t.Sequence[Record]) -> list[Record]:
    """The results that may fail a run that shuts doors.

    For users known only from the earlier evidence, whose doors it leaves as they are, new open doors count, and users
    who could not be read. Only the audit fails on doors that were open before.
    """
    return [one for one in leavers if not is_extra(one) or newly_open(one) or one["status"] == FAILED]


def is_late(one: Record) -> bool:
    """Whether a leaver fails this audit because it took longer than the period to lock them out."""
    return bool((one.get("containment") or {}).get("fails_audit"))


def failing(
    leavers: t.Sequence[Record],
    *,
    fail_on: t.Collection[str] = FAIL_ON,
    fail_on_not_due: bool = False,
    fail_on_residual: bool = False,
    left_out: t.Sequence[Record] = (),
) -> list[Record]:
    """The leavers who make the run fail: those of `fatal`, the late ones, and those with residual access if it counts.

    :param fail_on: what `parse_fail_on` gives.
    :param left_out: leavers that a dry run leaves out without failing.
    """
    failed = set(map(id, fatal(leavers, fail_on, not_due=fail_on_not_due)))
    spared = set(map(id, left_out))
    return [
        one
        for one in leavers
        if (id(one) in failed or is_late(one) or (fail_on_residual and (still_residual(one) or not_closed(one))))
        and id(one) not in spared
    ]


def fatal(leavers: t.Sequence[Record], fail_on: t.Collection[str] = FAIL_ON, *, not_due: bool = False) -> list[Record]:
    """Those of the results that fail the run.

    `failed`: leavers who were refused, failed, or could not be read. `open`: doors that are open or unconfirmed, whatever
    the reason. `new`: the same, unless the earlier evidence already has them; all of them if it does not know the
    leaver, or if there is no earlier evidence. A run that could read no user fails in any case.

    :param not_due: whether leavers who are not due fail it, too.
    """
    reasons = set(fail_on)
    if leavers and not any(one["id"] or one["status"] == DELETED for one in leavers):
        return [one for one in leavers if one["status"] in (FAILED, REFUSED, ACCEPTED)]
    return [one for one in leavers if _is_fatal(one, reasons) or (not_due and one["status"] == NOT_DUE)]


def _is_fatal(one: Record, fail_on: t.Collection[str]) -> bool:
    since = one["since"] or {}
    # Even if not due: moving the leave date must not let a user in again.
    if since.get("newly_open") and not {NEW, OPEN}.isdisjoint(fail_on):
        return True
    if one["status"] in _PASSED:
        return False
    if FAILED_ONES in fail_on and one["status"] in (FAILED, REFUSED):
        return True
    doors = {*one["open"], *one["unconfirmed"]}
    if OPEN in fail_on:
        return bool(doors)
    return NEW in fail_on and bool(doors - set(since.get("still_open", ())))
