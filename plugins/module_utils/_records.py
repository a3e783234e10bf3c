# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of a module: one record per leaver, and a summary line."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import typing as t

from ._errors import OffboardingError
from ._graph import User
from ._guards import ROLES_UNREAD
from ._tenant import Leaver
from ._times import format_moment


def record(
    leaver: Leaver,
    status: str,
    *,
    before: t.Mapping[str, t.Any] | None = None,
    after: t.Mapping[str, t.Any] | None = None,
    written_at: datetime.datetime | None = None,
    effective_by: datetime.datetime | None = None,
    request_id: str | None = None,
    note: str | None = None,
    error: OffboardingError | None = None,
    perhaps_written: bool = False,
) -> dict[str, t.Any]:
    """The record of one leaver. `perhaps_written` means that it failed, but may have been applied."""
    return {
        **identity(leaver),
        "status": status,
        "changed": status in ("planned", "verified", "accepted") or perhaps_written,
        "before": before,
        "after": after,
        "written_at": format_moment(written_at),
        "effective_by": format_moment(effective_by),
        "request_id": request_id,
        "note": note,
        "error": error.as_record() if error else None,
    }


def identity(leaver: Leaver) -> dict[str, str | None]:
    """How every record names its user: as asked for, and as Microsoft Graph knows them, `None` for one not found."""
    user = leaver.user
    return {
        "user": leaver.asked.name,
        "id": user.id if user else None,
        "user_principal_name": user.user_principal_name if user else None,
        "display_name": user.display_name if user else None,
    }


def person_facts(user: User | None) -> dict[str, t.Any]:
    """What distinguishes a person from a namesake: each key is always there, `None` if it is not set or was not read."""
    return {
        "department": user.department if user else None,
        "job_title": user.job_title if user else None,
        "manager": dataclasses.asdict(user.manager) if user and user.manager else None,
        "user_type": user.user_type if user else None,
        "created_date_time": format_moment(user.created if user else None),
        "employee_hire_date": format_moment(user.hired if user else None),
    }


def summary(records: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """One line for a helpdesk: the number of users per status, and why some failed."""
    counts = collections.Counter(str(one["status"]) for one in records)
    users = "1 user" if len(records) == 1 else f"{len(records)} users"
    line = ": ".join(filter(None, (users, ", ".join(f"{count} {status}" for status, count in counts.items()))))
    reasons = [one["error"] for one in records if one["error"]]
    # A missing permission affects all users: it is reported once.
    unread = [error for error in reasons if error["code"] == ROLES_UNREAD]
    shown = [error for error in reasons if error not in unread[1:]]
    reported = [" ".join(filter(None, (error["message"], error["hint"]))) for error in shown[:3]]
    if len(reasons) > len(reported):
        reported.append(f"And {len(reasons) - len(reported)} more, see users.")
    return f"{line}. {' '.join(reported)}".strip() if reported else f"{line}."
