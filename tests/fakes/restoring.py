# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence of an offboarding, and what is read of the leavers afterwards."""

from __future__ import annotations

from typing import Any

from ansible_collections.m365.offboarding.plugins.plugin_utils._restore_files import _run
from ansible_collections.m365.offboarding.plugins.plugin_utils._restore_plan import restore_plan

from .people import SWITCHES, person
from .records import P, S, problem, read_record, unknown_record

TENANT = "8f3e6b1c-54ad-4f0e-9d0c-0d7f2f2d1c11"
OTHER_TENANT = "11111111-54ad-4f0e-9d0c-0d7f2f2d1c11"
LATER = "2026-11-21T08:00:00Z"
ON = dict.fromkeys(SWITCHES, True)
OFF = dict.fromkeys(SWITCHES, False)


def entry(status: str, before: Any, after: Any, **facts: Any) -> dict[str, Any]:
    """Return what the evidence holds of a step."""
    return {
        "status": status,
        "before": before,
        "after": after,
        "written_at": P,
        "effective_by": None,
        "request_id": None,
        "note": None,
        "error": None,
        **facts,
    }


def moved(fact: str, to: str, status: str = "verified") -> dict[str, Any]:
    return entry(status, {fact: "2026-03-02T08:00:00Z"}, {fact: to})


def shut_out(name: str = "jane.doe", *, protocols: Any = None, signin: Any = None, **facts: Any) -> dict[str, Any]:
    """Return the evidence of a leaver whose doors were all open, and who was shut out, or what else is said."""
    user = person(name)
    steps = {
        "password": moved("last_password_change_date_time", P),
        "sessions": moved("sign_in_sessions_valid_from_date_time", S),
        "signin": signin or entry("verified", {"account_enabled": True}, {"account_enabled": False}),
        "protocols": protocols or entry("verified", ON, OFF),
    }
    return {
        "user": user["userPrincipalName"],
        "id": user["id"],
        "user_principal_name": user["userPrincipalName"],
        "display_name": user["displayName"],
        "directory_roles": [],
        "error": None,
        "steps": steps,
        **facts,
    }


def evidence(*leavers: dict[str, Any], host: str = "localhost", tenant_id: str | None = TENANT) -> dict[str, Any]:
    return {
        "format": "m365.offboarding/evidence",
        "version": 1,
        "written_at": S,
        "complete": True,
        "purpose": "offboard",
        "check_mode": False,
        "run": {},
        "hosts": {host: {"tenant_id": tenant_id, "steps": [], "error": None, "leavers": list(leavers)}},
    }


def asked(content: dict[str, Any] | None, *names: str, **facts: Any) -> dict[str, Any]:
    """Return what is asked of one file."""
    return asked_of([] if content is None else [content], *names, **facts)


def asked_of(contents: list[dict[str, Any]], *names: str, **facts: Any) -> dict[str, Any]:
    """Return what is asked of several files, which are called 0.json, 1.json and so on."""
    runs = [_run(f"{number}.json", content) for number, content in enumerate(contents)]
    names = names or ("jane.doe@contoso.com",)
    reported = {"error": None, "names": list(names), "read": [], "evidence": runs or None, "left_out": [], "job": ""}
    return {**reported, "malformed": [], **facts}


def decide(opening: dict[str, Any], request: dict[str, Any], host: str = "localhost", **options: Any) -> dict[str, Any]:
    """Return the plan for what is read and asked."""
    wanted = {name: request[name] for name in ("names", "malformed", "evidence", "left_out", "job")}
    return restore_plan(opening, host=host, **{**wanted, **options})


def opening(*records: dict[str, Any], tenant_id: str | None = TENANT) -> dict[str, Any]:
    """Return what is registered of m365_user_info."""
    return {"users": list(records), "automation": {"tenant_id": tenant_id, "client_id": None, "object_id": None}}


def shut_now(name: str = "jane.doe", **facts: Any) -> dict[str, Any]:
    """Return the record of somebody as the offboarding left them."""
    return read_record(name, "shut", **facts)


def nobody(name: str, code: str = "not_found") -> dict[str, Any]:
    """Return the record of a name or an object ID that means nobody (any more)."""
    return {**unknown_record(), "user": name, "error": problem(code, f"{name} is {code}.")}
