# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""Who gets what back: only doors that the evidence says were open before and shut by that run."""

from __future__ import annotations

import typing as t

from ..module_utils._doors import NOT_APPLICABLE, PROTOCOLS, STEPS
from ..module_utils._guards import administrator_error, protected_error
from ._restore_request import entry_of_tenant, records_of, was_changed
from ._sentences import Record, as_error

FAILED, REFUSED, PLANNED, UNCONFIRMED, RESTORED, UNCHANGED = (
    "failed",
    "refused",
    "planned",
    "unconfirmed",
    "restored",
    "unchanged",
)
GONE = ("deleted", "not_found")


def plan(
    opening: Record,
    *,
    names: t.Sequence[str],
    evidence: Record | None,
    host: str,
    steps: t.Sequence[str] = ("protocols", "signin"),
    protocols: t.Sequence[str] = (),
    allow_admins: bool = False,
    undelete: bool = False,
) -> dict[str, t.Any]:
    """Who gets what back.

    :param opening: what was registered of the read of everybody's facts.
    :param protocols: with evidence, nothing but these; without it, what is to be turned on.
    :returns: C(error), why nothing can be done at all; C(leavers), for each what is to be done; C(groups), leavers
        whose mailboxes get the same protocols; C(undelete), whose accounts are to be restored first; C(waiting),
        object ids of those who were restored and are not all there yet, or who may never be.
    """
    orders: list[dict[str, t.Any]] = []
    error = None
    limits = _Limits(steps, protocols, allow_admins, undelete)
    try:
        if evidence is None:
            orders = [_order_by_name(one, limits) for one in opening["users"]]
        else:
            entry = entry_of_tenant(evidence, host, (opening.get("automation") or {}).get("tenant_id"))
            found = [_order_by_evidence(name, entry, opening["users"], limits) for name in names]
            # Who is named twice, by name and by object id, is meant once.
            orders = list({str(one["id"] or one["user"]): one for one in reversed(found)}.values())[::-1]
    except ValueError as exc:
        error = str(exc)
    return {
        "error": error,
        "leavers": orders,
        "groups": _groups(orders),
        "undelete": [one["id"] or one["user"] for one in orders if one["undelete"]],
        "waiting": [
            one["id"]
            for one in orders
            if one["undelete"] or one["no_mailbox"] or (one["error"] or {}).get("code") in GONE
        ],
    }


class _Limits(t.NamedTuple):
    steps: t.Sequence[str]
    protocols: t.Sequence[str]
    allow_admins: bool
    undelete: bool


def _order(user: str, **facts: t.Any) -> dict[str, t.Any]:
    return {
        "user": user,
        "id": None,
        "user_principal_name": None,
        "display_name": None,
        "status": None,
        "error": None,
        # Whether the account is to be restored, and cannot be read before.
        "undelete": False,
        "signin": False,
        "protocols": [],
        "inherit_smtp_auth": False,
        # Whether the evidence tells of a mailbox and there is none (any more).
        "no_mailbox": False,
        # Whether a password, if there is one, is to be set, and what is to be said where none is.
        "password": False,
        "password_note": None,
        "notes": [],
        **facts,
    }


def _refused(user: str, error: Record, status: str = REFUSED, **facts: t.Any) -> dict[str, t.Any]:
    return _order(user, status=status, error=error, **facts)


def _who(one: Record) -> dict[str, t.Any]:
    return {key: one.get(key) for key in ("id", "user_principal_name", "display_name")}


def _order_by_name(now: Record, limits: _Limits) -> dict[str, t.Any]:
    """Without evidence: sign-in, and the protocols that are named."""
    who = _who(now)
    if not now["id"]:
        return _absent(now["user"], now, who, limits, directory_roles=None, steps=_by_name(None, limits))
    refusal = _refusal(now, limits)
    if refusal:
        return _refused(now["user"], refusal, **who)
    return _order(now["user"], **who, **_by_name(now, limits))


def _by_name(now: Record | None, limits: _Limits) -> dict[str, t.Any]:
    signin = "signin" in limits.steps
    return {
        "signin": signin,
        "protocols": list(limits.protocols) if "protocols" in limits.steps else [],
        "password": signin and _is_blocked(now),
    }


def _order_by_evidence(name: str, entry: Record, opening: t.Sequence[Record], limits: _Limits) -> dict[str, t.Any]:
    found = records_of(name, entry)
    ids = {str(one["id"]).casefold() for one in found}
    if len(ids) > 1:
        message = f"The evidence knows {len(ids)} accounts by the name {name} ({', '.join(sorted(ids))})."
        return _refused(name, as_error("ambiguous", message, "Ask by object id."))
    if not found:
        hint = "Give the evidence of the run that shut this leaver out."
        return _refused(name, as_error("not_in_evidence", f"The evidence has no record of {name}.", hint))
    then = found[0]
    if not then["id"]:
        return _refused(name, as_error("not_in_evidence", f"When the evidence was written, nobody was called {name}."))
    changed = [step for step in STEPS if step in then["steps"] and was_changed(then["steps"][step])]
    if not changed:
        message = f"In the run of this evidence nothing was changed for {name}, so there is nothing to undo."
        hint = "Give the evidence of the run that shut the doors; in that of a later run everything is 'unchanged' already."
        return _refused(name, as_error("nothing_changed", message, hint), **_who(then))
    return _order_for(name, then, changed, opening, limits)


def _order_for(
    name: str, then: Record, changed: t.Sequence[str], opening: t.Sequence[Record], limits: _Limits
) -> dict[str, t.Any]:
    who = _who(then)
    by_name = _find(opening, "user", name)
    now = _find(opening, "id", then["id"])
    if by_name and by_name["id"] and by_name["id"].casefold() != then["id"].casefold():
        message = (
            f"{name} is another account today ({by_name['id']}) than the one that was shut out ({then['id']}); "
            "nothing was sent."
        )
        return _refused(name, as_error("recreated", message, "Who has a name now is not who had it then."), **who)
    if now is None:
        missing = _find(opening, "user", then["id"]) or by_name or {"error": None}
        return _absent(
            name,
            missing,
            who,
            limits,
            directory_roles=then.get("directory_roles"),
            steps=_by_evidence(then, changed, None, limits),
        )
    refusal = _refusal(now, limits)
    if refusal:
        return _refused(name, refusal, **_who(now))
    order = _order(name, **_who(now), **_by_evidence(then, changed, now, limits))
    if str(then["user_principal_name"]).casefold() != now["user_principal_name"].casefold():
        order["notes"].insert(0, f"Then called {then['user_principal_name']}, the same account by its object id.")
    return order


def _find(records: t.Sequence[Record], key: str, value: str) -> Record | None:
    wanted = value.casefold()
    return next((one for one in records if str(one[key] or "").casefold() == wanted), None)


def _absent(
    name: str, missing: Record, who: Record, limits: _Limits, *, directory_roles: t.Any, steps: Record
) -> dict[str, t.Any]:
    """For who is not among the users: deleted, or simply not there."""
    error = missing.get("error") or as_error("not_found", f"There is no user {name}.")
    if error["code"] != "deleted":
        return _refused(name, error, FAILED, **who)
    if not limits.undelete:
        hint = "Set restore_employee_undelete to restore the account too; Microsoft keeps it for 30 days."
        return _refused(name, {**error, "hint": hint}, FAILED, **who)
    refusal = _administrator(name, directory_roles or ())
    if refusal and not limits.allow_admins:
        return _refused(name, refusal, **who)
    return _order(name, **who, **steps, undelete=True)


def _refusal(now: Record, limits: _Limits) -> Record | None:
    name, roles = now["user_principal_name"], now["directory_roles"]
    if now["protected"]:
        return protected_error(name).as_record()
    if limits.allow_admins:
        return None
    return _administrator(name, roles, (now["directory_roles_error"] or {}).get("message"))


def _administrator(name: str, roles: t.Sequence[str] | None, unread: str | None = None) -> Record | None:
    error = administrator_error(name, roles, unread, option="restore_employee_allow_admins")
    return error.as_record() if error else None


def _is_blocked(now: Record | None) -> bool:
    """Whether sign-in is blocked; somebody who is still deleted is."""
    return now is None or _facts(now, "signin").get("account_enabled") is False


def _facts(one: Record, step: str) -> Record:
    return (one["before"] or {}).get(step) or {}


def _by_evidence(then: Record, changed: t.Sequence[str], now: Record | None, limits: _Limits) -> dict[str, t.Any]:
    told: dict[str, t.Any] = {"notes": []}
    told |= _signin_again(then, changed, limits, told["notes"])
    told |= _protocols_again(then, changed, now, limits, told["notes"])
    told |= _password_again(then, changed, now, opens=told["signin"] and _is_blocked(now))
    return told


def _signin_again(then: Record, changed: t.Sequence[str], limits: _Limits, notes: list[str]) -> dict[str, t.Any]:
    if "signin" not in limits.steps or "signin" not in then["steps"]:
        return {"signin": False}
    enabled = (then["steps"]["signin"]["before"] or {}).get("account_enabled")
    if enabled is False:
        notes.append("Sign-in was blocked before that run and stays blocked.")
    elif enabled is None:
        notes.append("Whether sign-in was allowed before that run is not known; it stays as it is.")
    elif "signin" not in changed:
        notes.append("Sign-in was not blocked by that run; it stays as it is.")
    return {"signin": enabled is True and "signin" in changed}


def _protocols_again(
    then: Record, changed: t.Sequence[str], now: Record | None, limits: _Limits, notes: list[str]
) -> dict[str, t.Any]:
    if "protocols" not in limits.steps or "protocols" not in changed:
        return {"protocols": [], "inherit_smtp_auth": False}
    before = then["steps"]["protocols"]["before"]
    if before is None:
        notes.append("How the mailbox protocols were before that run is not known; they stay as they are.")
        return {"protocols": [], "inherit_smtp_auth": False}
    known = [name for name in PROTOCOLS if name in before]
    off = [name for name in known if before[name] is False]
    if off:
        notes.append(f"Off before that run, and left off: {', '.join(off)}.")
    wanted = [name for name in known if name not in off]
    if limits.protocols and "all" not in limits.protocols:
        wanted = [name for name in wanted if name in limits.protocols]
    # Null means that the organisation decides. Who has turned it on meanwhile has decided otherwise.
    inherits = "smtp_auth" in wanted and before["smtp_auth"] is None
    today = _facts(now, "protocols").get("smtp_auth", False) if now else False
    if inherits and today is not False:
        wanted.remove("smtp_auth")
    gone = bool(now and not now["error"] and (now["before"] or {}).get("protocols") is None)
    return {"protocols": wanted, "inherit_smtp_auth": inherits and today is False, "no_mailbox": gone and bool(wanted)}


def _password_again(then: Record, changed: t.Sequence[str], now: Record | None, *, opens: bool) -> dict[str, t.Any]:
    """A password is set once: as long as that run's is in force, or, where that cannot be told, when sign-in opens."""
    if now and now["doors"].get("password") == NOT_APPLICABLE:
        return {"password": False}
    entry = then["steps"].get("password")
    fact = "last_password_change_date_time"
    set_then = ((entry or {}).get("after") or {}).get(fact)
    set_now = _facts(now, "password").get(fact) if now else None
    certain = bool(entry and entry["status"] in ("unchanged", "verified") and set_then and set_now)
    if certain and set_then != set_now:
        note = f"The password was changed after that run, at {set_now}; it is left as it is."
        return {"password": False, "password_note": note}
    if not certain and not opens:
        kept = "Sign-in does not open now, so the password is left as it is."
        return {"password": False, "password_note": kept if "password" in changed else None}
    note = (
        "No password was provided, so none was set, and the one of that run is known to nobody: set another one "
        "(restore_employee_password), or let the user reset it where the tenant allows that."
    )
    return {"password": True, "password_note": note if "password" in changed else None}


def _groups(orders: t.Sequence[Record]) -> list[dict[str, t.Any]]:
    """Leavers by the protocols that they get back: the module takes one set for all its users."""
    groups: dict[tuple[t.Any, ...], dict[str, t.Any]] = {}
    for one in orders:
        if one["protocols"] and not one["undelete"]:
            key = (*one["protocols"], one["inherit_smtp_auth"])
            group = groups.setdefault(
                key, {"users": [], "protocols": one["protocols"], "inherit_smtp_auth": one["inherit_smtp_auth"]}
            )
            group["users"].append(one["id"])
    return list(groups.values())
