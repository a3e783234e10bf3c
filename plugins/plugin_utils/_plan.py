# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""Who goes through the steps, and who is refused."""

from __future__ import annotations

import typing as t

from ..module_utils._doors import OPEN, UNKNOWN
from ._sentences import Record, as_error

# What the steps are given of each leaver, so that they need not read it again.
_GIVEN = ("left_at", "directory_roles")


def plan(opening: t.Sequence[Record], *, allow_admins: bool, max_users: int | None) -> dict[str, t.Any]:
    """Who goes through the steps, and who is refused with which error.

    :param opening: the records of the opening read, with directory roles unless administrators are allowed.
    :param max_users: more leavers than this to be written are all refused, in check mode too; None for no limit.
    :returns: C(write), a list as the modules' O(users); C(refused), errors by object id.
    """
    write: list[dict[str, t.Any]] = []
    refused: dict[str, Record] = {}
    for one in opening:
        if not one["id"] or one["due"] is False or not _not_shut(one):
            continue
        error = (
            _protected(one)
            or one["contradiction"]
            or _undated(one)
            or (one["must_stay"] if allow_admins else _administrator(one))
        )
        if error:
            refused[one["id"]] = error
        else:
            write.append({"user": one["id"], **{key: one[key] for key in _GIVEN if one[key] is not None}})
    if max_users is not None and len(write) > max_users:
        error = as_error(
            "max_users",
            f"Leavers to be written: {len(write)}, more than offboard_employee_max_users ({max_users}); nothing was sent.",
            "Check the list; if it is meant, raise the limit.",
        )
        refused.update({leaver["user"]: error for leaver in write})
        write = []
    return {"write": write, "refused": refused}


def _not_shut(one: Record) -> list[str]:
    return [name for name, state in one["doors"].items() if state in (OPEN, UNKNOWN)]


def _protected(one: Record) -> Record | None:
    if not one["protected"]:
        return None
    return as_error(
        "protected",
        f"{one['user_principal_name']} is protected; nothing was sent.",
        "It is in protected_users, or it is the account that this automation uses.",
    )


def _undated(one: Record) -> Record | None:
    """Nobody named them, so their date decides; a group of leavers holds people who leave next month."""
    if one["due"] is not None:
        return None
    return as_error(
        "leave_date_unread",
        f"Whether {one['user_principal_name']} leaves later could not be read; nothing was sent.",
        "Grant the application the permission User-LifeCycleInfo.Read.All, or say from when they must be out (left_at).",
    )


def _administrator(one: Record) -> Record | None:
    roles, name = one["directory_roles"], one["user_principal_name"]
    if roles is None:
        reason = (one["directory_roles_error"] or {}).get("message", "they were not read")
        return as_error(
            "roles_unread",
            f"The directory roles of {name} could not be read: {reason} Nothing was sent.",
            "Reading them needs User.Read.All; or set offboard_employee_allow_admins.",
        )
    if roles:
        return as_error(
            "administrator",
            f"{name} holds a directory role ({', '.join(roles)}); nothing was sent.",
            "If that is known and meant, set offboard_employee_allow_admins.",
        )
    return None
