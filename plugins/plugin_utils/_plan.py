# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide which leavers go through the steps and which are refused."""

from __future__ import annotations

import typing as t

from ..module_utils._doors import OPEN, UNKNOWN
from ..module_utils._errors import OTHER_ACCOUNT
from ..module_utils._guards import administrator_error, ask_operator, protected_error
from ..module_utils._user_input import name_key
from ._earlier import Earlier
from ._messages import Record, as_error

# What the steps are given about each leaver to save reads, including the switches of a mailbox.
_GIVEN = ("left_at", "directory_roles")


def offboarding_plan(
    opening: t.Sequence[Record],
    *,
    allow_admins: bool,
    max_users: int | None,
    earlier: Earlier | None = None,
    looked_at: t.Collection[str] | None = None,
    also: bool = False,
) -> dict[str, t.Any]:
    """Decide which leavers go through the steps, and with which error the others are refused.

    :param opening: the records of the opening read, with directory roles unless administrators are allowed.
    :param max_users: more leavers than this to be written are all refused, in check mode too; `None` for no limit.
    :param earlier: what earlier runs say, so that a name that belonged to another account then is refused.
    :param also: whether more than the doors is to be closed, so that contained leavers go through the steps too.
    :param looked_at: the object IDs that the dry run of this workflow read; `None` without a dry run.
    :returns: `write`, a list as the modules' O(users); `refused`, errors by object ID. A user known only from the earlier
        evidence is in neither: they were not requested.
    """
    write: list[dict[str, t.Any]] = []
    refused: dict[str, Record] = {}
    for one in opening:
        if one.get("earlier"):
            continue
        wrong = one["id"] and (
            one.get("wrong_person") or (earlier.moved(one) if earlier else None) or _unseen(one, looked_at)
        )
        if wrong:
            refused[one["id"]] = wrong
            continue
        if not one["id"] or one["due"] is False or not (also or _not_shut(one)):
            continue
        error = (
            protected(one)
            or one["contradiction"]
            or _undated(one)
            or (one["must_stay"] if allow_admins else administrator(one, option="offboard_employee_allow_admins"))
        )
        if error:
            refused[one["id"]] = error
        else:
            write.append({"user": one["id"], **_given(one)})
    if max_users is not None and len(write) > max_users:
        error = as_error(
            "max_users",
            f"Leavers to be written: {len(write)}, more than the {max_users} that one run may write; nothing was sent.",
            "Check the list. If it is correct, shut them out in several runs, or "
            f"{ask_operator('offboard_employee_max_users')} to raise the limit.",
        )
        refused.update({leaver["user"]: error for leaver in write})
        write = []
    return {"write": write, "refused": refused}


def _given(one: Record) -> Record:
    given = {key: one[key] for key in _GIVEN if one[key] is not None}
    protocols = one["mailbox_protocols"]
    if protocols and any(one["doors"].get(name) == OPEN for name in protocols):
        given["protocols"] = protocols
    return given


def _not_shut(one: Record) -> list[str]:
    return [name for name, state in one["doors"].items() if state in (OPEN, UNKNOWN)]


def looked_at(stats: t.Iterable[t.Any], host: str) -> set[str] | None:
    """The object IDs that earlier dry runs in a workflow read in one tenant, `None` without a dry run.

    :param stats: what earlier roles published by `set_stats`, each `{host: {contained, not_contained, dry_run}}`.
    """
    dry_runs = [
        one
        for one in stats
        if isinstance(one, t.Mapping)
        and any(isinstance(v, t.Mapping) and v.get("dry_run") is True for v in one.values())
    ]
    if not dry_runs:
        return None
    reported = [
        one[host] for one in dry_runs if isinstance(one.get(host), t.Mapping) and one[host].get("dry_run") is True
    ]
    return {name_key(str(i)) for one in reported for key in ("contained", "not_contained") for i in one.get(key) or ()}


def _unseen(one: Record, looked_at: t.Collection[str] | None) -> Record | None:
    if looked_at is None or name_key(one["id"]) in looked_at:
        return None
    return as_error(
        OTHER_ACCOUNT,
        f"{one['user_principal_name']} is now a different account from the one in the dry run, which did not read "
        f"{one['id']}; nothing was sent.",
        "The name was moved to this account, or the account was added, after the dry run: make another dry run.",
    )


def protected(one: Record, *, sent: str = "nothing was sent") -> Record | None:
    """The refusal of an account that is protected; `None` for others. So for the next one."""
    return protected_error(one["user_principal_name"], sent=sent).as_record() if one["protected"] else None


def administrator(one: Record, *, option: str, sent: str = "nothing was sent") -> Record | None:
    """The refusal of an administrator, and of somebody whose directory roles could not be read."""
    unread = (one["directory_roles_error"] or {}).get("message")
    error = administrator_error(one["user_principal_name"], one["directory_roles"], unread, option=option, sent=sent)
    return error.as_record() if error else None


def _undated(one: Record) -> Record | None:
    """Not named, so the directory's date decides: a group of leavers includes people who leave next month."""
    if one["due"] is not None:
        return None
    return as_error(
        "leave_date_unread",
        f"Whether {one['user_principal_name']} leaves later could not be read; nothing was sent.",
        "Grant the application the permission User-LifeCycleInfo.Read.All, or set when they must be locked out (left_at).",
    )
