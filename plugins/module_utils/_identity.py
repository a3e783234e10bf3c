# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide whether an account belongs to the requested person.

A name does not identify a person: a user principal name can be assigned to a different person later.
"""

from __future__ import annotations

import datetime

from ._errors import NEWER_ACCOUNT, OTHER_ACCOUNT, WHICH_ACCOUNT, OffboardingError
from ._graph import User
from ._times import format_moment
from ._user_input import RequestedUser


def wrong_person(asked: RequestedUser, user: User, left_at: datetime.datetime | None) -> OffboardingError | None:
    """Why `user` may not be the requested person; `None` if nothing indicates that.

    If the operator gave an object ID, only that is compared. Without one, an account that was created or filled after the
    person had left is treated as a different person's. An unknown date is not compared.

    `employeeHireDate` is a day, which most tenants keep as midnight in UTC. It is compared as the moment that it is
    returned as: in the few hours where that may be the day of leaving itself, the account is refused, not locked.

    :param left_at: when the person left, as requested; for a user found by a search also the directory's date.
    """
    if asked.object_id:
        if asked.object_id.lower() == user.id.lower():
            return None
        return OffboardingError(
            f"{asked.name} is now a different account: its object ID is {user.id}, not {asked.object_id}; nothing was sent.",
            code=OTHER_ACCOUNT,
            hint=WHICH_ACCOUNT,
        )
    after = [
        f"{action} {format_moment(moment)}"
        for action, moment in (("created", user.created), ("hired", user.hired))
        if left_at and moment and moment > left_at
    ]
    if not after:
        return None
    return OffboardingError(
        f"{user.user_principal_name} is a newer account of that name: {' and '.join(after)}, after left_at "
        f"{format_moment(left_at)}; nothing was sent.",
        code=NEWER_ACCOUNT,
        hint=f"If this is the right account, use its object ID, {user.id}.",
    )
