# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide which doors of a leaver are open, and describe what was read.

Only `door_states` decides whether a door is open.
"""

from __future__ import annotations

import datetime
import typing as t

from ._doors import NO_MAILBOX, NOT_APPLICABLE, OPEN, SHUT, UNKNOWN, Protocols
from ._graph import User
from ._tenant import Leaver
from ._times import format_moment

_HOUR = datetime.timedelta(hours=1)


def door_states(leaver: Leaver, steps: t.Collection[str], protocols: Protocols) -> dict[str, str]:
    """Each door of these steps: open, shut, unknown or not applicable.

    An enabled account can sign in again or change its password after any timestamp, so timestamps prove nothing until
    sign-in is blocked. A reset followed within the hour by a sign-out is the trace that our order leaves; a lone
    sign-out, a lone block, or a password changed by the leaver leaves another. In doubt a door is open.

    The password of a synced account is not reset here: Active Directory is its master, and its times need not follow
    our order. A password that was set at or after `left_at` is not the one that the leaver had when they left, so for a
    synced account that is blocked this is enough. Without `left_at`, only the trace of our order can prove it.
    https://learn.microsoft.com/entra/identity/users/users-revoke-access

    The hour is ignored if earlier evidence shows that the current password is the one that this collection set:
    then a later sign-out by another tool is as good as ours.
    """
    user = leaver.known
    doors: dict[str, str] = {}
    if "password" in steps:
        doors["password"] = _timed_door(user, _password_is_shut(leaver, user))
    if "sessions" in steps:
        doors["sessions"] = _timed_door(user, _sessions_are_shut(leaver, user))
    if "signin" in steps:
        doors["signin"] = SHUT if user.account_enabled is False else UNKNOWN if user.account_enabled is None else OPEN
    if "protocols" in steps:
        doors.update(_protocol_doors(leaver, protocols))
    return doors


def _timed_door(user: User, shut: bool) -> str:
    if user.is_guest:
        return NOT_APPLICABLE
    return SHUT if shut and user.account_enabled is False else OPEN


def _password_is_shut(leaver: Leaver, user: User) -> bool:
    reset, revoked, left_at = user.password_changed, user.sessions_valid_from, leaver.left_at
    if user.synced and reset is not None and left_at is not None and reset >= left_at:
        return True
    if reset is None or revoked is None:
        return False
    ours = leaver.own_password == reset or revoked - reset <= _HOUR
    return reset < revoked and ours and (left_at is None or reset >= left_at)


def _sessions_are_shut(leaver: Leaver, user: User) -> bool:
    reset, revoked, left_at = user.password_changed, user.sessions_valid_from, leaver.left_at
    if reset is None or revoked is None:
        return False
    if left_at:
        return reset < revoked and revoked >= left_at
    return reset < revoked and (leaver.own_password == reset or revoked - reset <= _HOUR)


def _protocol_doors(leaver: Leaver, protocols: Protocols) -> dict[str, str]:
    if leaver.mailbox_error or not leaver.mailbox_read:
        return dict.fromkeys(protocols.names, UNKNOWN)
    if leaver.mailbox is None:
        return dict.fromkeys(protocols.names, UNKNOWN if leaver.awaits_mailbox else NOT_APPLICABLE)
    doors = {name: SHUT if value is False else OPEN for name, value in protocols.of(leaver.mailbox).items()}
    doors.update(dict.fromkeys(protocols.absent_from(leaver.mailbox), NOT_APPLICABLE))
    return doors


def observed(leaver: Leaver, step: str, protocols: Protocols) -> dict[str, t.Any] | None:
    """The facts a step reads, as `before` and `after` of a record. `None` if there is nothing to read."""
    user = leaver.known
    if step == "password":
        return {"last_password_change_date_time": format_moment(user.password_changed)}
    if step == "sessions":
        return {"sign_in_sessions_valid_from_date_time": format_moment(user.sessions_valid_from)}
    if step == "signin":
        return {"account_enabled": user.account_enabled}
    return dict(protocols.of(leaver.mailbox)) if leaver.mailbox else None


def surely_shut(leaver: Leaver) -> datetime.datetime | None:
    """When reset and sign-out have certainly taken effect: within an hour of the later one, according to Microsoft's page."""
    reset, revoked = leaver.known.password_changed, leaver.known.sessions_valid_from
    return max(reset or revoked, revoked) + _HOUR if revoked else None


def note_for(leaver: Leaver, step: str) -> str | None:
    """What readers must know about this leaver and step, whatever the outcome."""
    if step == "signin":
        notes = [note for note in (_step_note(leaver, step), _midnight_note(leaver)) if note]
        return " ".join(notes) or None
    return _step_note(leaver, step)


def _midnight_note(leaver: Leaver) -> str | None:
    """The note for a leave date without a time of day in the directory: Entra stores it as midnight in UTC.

    https://learn.microsoft.com/entra/id-governance/how-to-lifecycle-workflow-sync-attributes
    """
    leaves = leaver.known.leaves
    if not leaves or leaves != leaver.left_at or leaves.time() != datetime.time():
        return None
    return (
        f"employeeLeaveDateTime is exactly midnight in UTC ({format_moment(leaves)}), "
        "which is the evening before in the Americas: set left_at if the user leaves at another time."
    )


def _step_note(leaver: Leaver, step: str) -> str | None:
    user = leaver.known
    if step == "protocols":
        if leaver.awaits_mailbox:
            return (
                "No Exchange Online mailbox was found although the user has an enabled Exchange plan: "
                "one may be about to appear, so its protocols are unconfirmed."
            )
        if leaver.lacks_mailbox:
            elsewhere = user.synced or (user.has_mail and not user.has_exchange_plan)
            suffix = " It may be on-premises: turn its protocols off there." if elsewhere else ""
            return f"{NO_MAILBOX}{suffix}"
        return None
    if user.is_guest and step != "signin":
        return "Guest: password and sessions live in the home tenant and can only be ended there."
    if user.synced and step != "sessions":
        return (
            "Synced from Active Directory: disable it in Active Directory too, otherwise the next sync may undo this."
        )
    if step == "sessions":
        return (
            "Outlook on the web may stay usable on an open page until another tile is opened or the page is refreshed."
        )
    return None
