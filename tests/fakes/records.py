# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records as the modules return them, for those who join them."""

from __future__ import annotations

from typing import Any

from ansible_collections.m365.offboarding.plugins.plugin_utils._batches import by_batch, join
from ansible_collections.m365.offboarding.plugins.plugin_utils._plan import looked_at, offboarding_plan

from .people import SWITCHES, person

STEPS = ("password", "sessions", "signin", "protocols")
ACCOUNT = STEPS[:3]
FACTS = (
    "account_enabled",
    "last_password_change_date_time",
    "sign_in_sessions_valid_from_date_time",
    "mailbox_protocols",
)
PERSON = ("department", "job_title", "manager", "user_type", "created_date_time", "employee_hire_date")
P, S = "2026-11-20T15:00:00Z", "2026-11-20T15:00:02Z"


def doors(state: str, steps: tuple[str, ...] = STEPS, protocols: tuple[str, ...] = tuple(SWITCHES)) -> dict[str, str]:
    """Return all doors of these steps in one state."""
    names = [name for step in STEPS if step in steps for name in (protocols if step == "protocols" else (step,))]
    return dict.fromkeys(names, state)


def read_record(name: str = "jane.doe", state: str = "open", **facts: Any) -> dict[str, Any]:
    """Return the record of m365_user_info of somebody whose doors are all in one state, or as ``doors`` says."""
    user = person(name)
    own = facts.pop("doors", None)
    states = own if own is not None else doors(state)
    return {
        "user": user["userPrincipalName"],
        "id": user["id"],
        "user_principal_name": user["userPrincipalName"],
        "display_name": user["displayName"],
        "status": "unchanged",
        "error": None,
        "account_enabled": state == "open",
        "last_password_change_date_time": P,
        "sign_in_sessions_valid_from_date_time": S,
        "mailbox_protocols": dict.fromkeys(SWITCHES, state == "open"),
        **dict.fromkeys(PERSON),
        "left_at": None,
        "due": True,
        "protected": False,
        "by_name": True,
        "wrong_person": None,
        "directory_roles": [],
        "directory_roles_error": None,
        "contradiction": None,
        "must_stay": None,
        "doors": states,
        "open": [name for name, one in states.items() if one == "open"],
        "notes": {},
        "surely_shut_by": {},
        **facts,
    }


def unknown_record(name: str = "nobody@contoso.com") -> dict[str, Any]:
    """Return the record of m365_user_info of a name that means nobody."""
    nobody = dict.fromkeys(("id", "user_principal_name", "display_name", *FACTS))
    error = problem("not_found", f"There is no user {name}.")
    return read_record(name, doors={}, **nobody, status="failed", error=error)


def problem(code: str, message: str, hint: str | None = None) -> dict[str, Any]:
    return {"code": code, "message": message, "hint": hint, "request_id": None}


def step_record(name: str, status: str, **facts: Any) -> dict[str, Any]:
    """Return a step's record of one leaver."""
    user = person(name)
    return {
        "user": user["id"],
        "id": user["id"],
        "user_principal_name": user["userPrincipalName"],
        "display_name": user["displayName"],
        "status": status,
        "changed": status in ("planned", "verified", "accepted"),
        "before": None,
        "after": None,
        "written_at": "2026-11-20T16:00:00Z" if status in ("verified", "accepted") else None,
        "effective_by": None,
        "request_id": None,
        "note": None,
        "error": problem("broken", "It did not work.") if status in ("failed", "refused") else None,
        **facts,
    }


def run_of(step: str, *records: dict[str, Any], **result: Any) -> dict[str, Any]:
    """Return what the role registers of a step."""
    return {
        "step": step,
        "users": [{"user": one["id"]} for one in records],
        "result": {"users": list(records), **result},
    }


def all_steps(name: str, status: str = "verified", **by_step: str) -> list[dict[str, Any]]:
    """Return the runs of all four steps for one leaver, each with a status."""
    return [run_of(step, step_record(name, by_step.get(step, status))) for step in STEPS]


def planned(opening: Any, stats: Any = (), host: str = "", **options: Any) -> dict[str, Any]:
    """Return the plan for an opening read, with administrators and limits that do not matter unless given."""
    options = {"allow_admins": False, "max_users": None, **options}
    return offboarding_plan(opening, looked_at=looked_at(stats, host), **options)


def kept_of(opening: dict[str, Any], before: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return what a run keeps of its leavers, with what does not matter to a test left out."""
    plain: dict[str, Any] = {
        "steps": STEPS,
        "protocols": ("all",),
        "batches": (),
        "number": 0,
        "runs": (),
        "closing": None,
        "finished": False,
        "refused": {},
        "earlier": None,
        "total": 0,
        "started_at": None,
    }
    facts = {**plain, **more}
    read: list[Any] = [[place, one] for place, one in enumerate(opening.get("users") or ())]
    if facts["number"]:
        _rest, read = by_batch(read, facts["batches"])
    return join(opening, read, size=len(opening.get("users") or ()), before=before, **facts)
