# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""From evidence back: what an offboarding changed, what of it is to be undone now, and what came of that.

Only doors are opened that the evidence says were open before and shut by that run. Works on plain data; the role
restore_employee calls it through filters.
"""

from __future__ import annotations

import json
import os
import re
import textwrap
import typing as t

from ..module_utils._asked import parse_users
from ..module_utils._doors import NOT_APPLICABLE, PROTOCOLS, STEPS
from ..module_utils._errors import OUTCOME_UNKNOWN, OptionError, shorten
from ._evidence import FORMAT, VERSION

Record = t.Mapping[str, t.Any]

# No door opens before the rest is in place.
ORDER = ("account", "password", "protocols", "signin")

FAILED, REFUSED, PLANNED, UNCONFIRMED, RESTORED, UNCHANGED = (
    "failed",
    "refused",
    "planned",
    "unconfirmed",
    "restored",
    "unchanged",
)


# --- what is asked for ---


def request(leavers: t.Any, *, evidence: str, host: str) -> dict[str, t.Any]:
    """Whom to look at.

    :param leavers: as the modules' O(users).
    :param evidence: path of the evidence, empty for none.
    :returns: C(error), why nothing can be done; C(names), the leavers asked for; C(evidence), the file's content;
        C(read), the names and the object ids that the evidence knows for them.
    """
    told: dict[str, t.Any] = {"error": None, "names": [], "evidence": None, "read": []}
    try:
        names = [one.name for one in parse_users(leavers)]
        content = load(evidence) if evidence else None
    except OptionError as exc:
        return {**told, "error": re.sub(r"\busers(?=\[| is )", "restore_employee_leavers", str(exc))}
    except ValueError as exc:
        return {**told, "error": str(exc)}
    hosts = content["hosts"] if content else {}
    # Which host's entry counts is known only when the tenant is; ids of other tenants are found nowhere here.
    entries = [hosts[host]] if host in hosts else list(hosts.values())
    ids = [one["id"] for name in names for entry in entries for one in _records_of(name, entry) if one["id"]]
    read = list({name.casefold(): name for name in [*names, *ids]}.values())
    return {**told, "names": names, "evidence": content, "read": read}


def load(path: str) -> dict[str, t.Any]:
    """The evidence in a file.

    :raises ValueError: why it is none, or none that could be undone.
    """
    path = os.path.expanduser(path)
    try:
        with open(path, encoding="utf-8-sig") as file:
            content = json.load(file)
    except OSError as exc:
        raise ValueError(f"The evidence {path} cannot be read: {exc.strerror}.") from None
    except UnicodeDecodeError:
        raise ValueError(f"The evidence {path} is no text in UTF-8.") from None
    except json.JSONDecodeError as exc:
        raise ValueError(f"The evidence {path} is no JSON: {exc.msg} in line {exc.lineno}.") from None
    except RecursionError:
        raise ValueError(f"The evidence {path} is nested too deeply.") from None
    complaint = _complaint(content)
    if complaint:
        raise ValueError(f"The evidence {path} cannot be used: {complaint}.")
    return t.cast("dict[str, t.Any]", content)


# --- whether it is evidence ---

_TEXT, _MAYBE_TEXT, _MAPPING, _MAYBE_MAPPING, _LIST = (str,), (str, type(None)), (dict,), (dict, type(None)), (list,)
_KINDS = {str: "a text", dict: "a mapping", list: "a list", bool: "true or false", type(None): "null"}


def _complaint(content: t.Any) -> str | None:
    """What is wrong with it, C(None) when it is evidence of an offboarding. Only what is used is looked at."""
    try:
        _check(content, "the file", {})
        if content.get("format") != FORMAT:
            return f"its format is not {FORMAT}; it must be the .json report of an offboarding"
        if content.get("version") != VERSION or isinstance(content.get("version"), bool):
            return f"its version is not {VERSION}, the only one that is known here"
        _check(content, "the file", {"purpose": _TEXT, "check_mode": (bool,), "hosts": _MAPPING})
        for host, entry in content["hosts"].items():
            where = f"hosts[{shorten(str(host))!r}]"
            _check(entry, where, {"tenant_id": _MAYBE_TEXT, "leavers": _LIST})
            for index, leaver in enumerate(entry["leavers"]):
                _check_leaver(leaver, f"{where}.leavers[{index}]")
    except ValueError as exc:
        return str(exc)
    if content["purpose"] != "offboard":
        return "it is of an audit, which changes nothing: give the file of the run that shut the doors"
    if content["check_mode"]:
        return "it was written in check mode, which changes nothing: give the file of the run that shut the doors"
    return None


def _check_leaver(leaver: t.Any, where: str) -> None:
    _check(leaver, where, {"user": _TEXT, "id": _MAYBE_TEXT, "user_principal_name": _MAYBE_TEXT, "steps": _MAPPING})
    for step, entry in leaver["steps"].items():
        if step not in STEPS:
            raise ValueError(f"{where}.steps names {shorten(str(step))!r}, which is no step")
        place = f"{where}.steps.{step}"
        _check(
            entry,
            place,
            {"status": _TEXT, "before": _MAYBE_MAPPING, "after": _MAYBE_MAPPING, "error": _MAYBE_MAPPING},
        )
        for facts in ("before", "after"):
            kinds = _MAYBE_TEXT if step in ("password", "sessions") else (bool, type(None))
            for fact in entry[facts] or {}:
                _check(entry[facts], f"{place}.{facts}", {fact: kinds})


def _check(holder: t.Any, where: str, keys: t.Mapping[str, tuple[type, ...]]) -> None:
    if not isinstance(holder, dict):
        raise ValueError(f"{where} is no mapping")
    for key, kinds in keys.items():
        if key not in holder:
            raise ValueError(f"{where} lacks {key!r}")
        if not isinstance(holder[key], kinds):
            raise ValueError(f"{where}.{shorten(str(key))} is not {' or '.join(_KINDS[kind] for kind in kinds)}")


# --- what it says ---


def _records_of(name: str, entry: Record) -> list[Record]:
    """The evidence of whoever had this name or object id."""
    wanted = name.casefold()
    return [
        one
        for one in entry["leavers"]
        if wanted in (str(one[key]).casefold() for key in ("user", "id", "user_principal_name") if one[key])
    ]


def was_changed(entry: Record) -> bool:
    """Whether a step changed something, or may have: what failed was sometimes done all the same."""
    if entry["status"] != "failed":
        return entry["status"] in ("verified", "accepted")
    error = entry["error"] or {}
    seen = bool(entry["after"]) and entry["before"] != entry["after"]
    return seen or error.get("hint") == OUTCOME_UNKNOWN or error.get("code") == "internal"


def entry_of_tenant(evidence: Record, host: str, tenant_id: str | None) -> Record:
    """What the evidence holds of the tenant that the credential belongs to.

    :raises ValueError: it is of another tenant, or that cannot be told.
    """
    if not tenant_id:
        raise ValueError("The token does not say which tenant it is for, so it cannot be held against the evidence.")
    hosts = evidence["hosts"]
    if host in hosts:
        name = host
    else:
        same = [one for one, entry in hosts.items() if str(entry["tenant_id"]).casefold() == tenant_id.casefold()]
        if len(same) > 1:
            raise ValueError(
                f"The evidence has no host {host}, and several of the tenant {tenant_id}: {', '.join(same)}. "
                "Name the host in the inventory as it is named there."
            )
        if not same:
            raise ValueError(f"The evidence has nothing of the tenant {tenant_id}, to which the credential belongs.")
        name = same[0]
    found = hosts[name]["tenant_id"]
    if not found:
        raise ValueError(f"The evidence does not say which tenant its host {name} is.")
    if found.casefold() != tenant_id.casefold():
        raise ValueError(f"The evidence of host {name} is of the tenant {found}, the credential of {tenant_id}.")
    return t.cast("Record", hosts[name])


# --- what is to be done ---


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
            if one["undelete"] or one["no_mailbox"] or (one["error"] or {}).get("code") in _GONE
        ],
    }


_GONE = ("deleted", "not_found")


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


def _error(code: str, message: str, hint: str | None = None) -> Record:
    return {"code": code, "message": message, "hint": hint, "request_id": None}


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
    found = _records_of(name, entry)
    ids = {str(one["id"]).casefold() for one in found}
    if len(ids) > 1:
        message = f"The evidence knows {len(ids)} accounts by the name {name} ({', '.join(sorted(ids))})."
        return _refused(name, _error("ambiguous", message, "Ask by object id."))
    if not found:
        hint = "Give the evidence of the run that shut this leaver out."
        return _refused(name, _error("not_in_evidence", f"The evidence has no record of {name}.", hint))
    then = found[0]
    if not then["id"]:
        return _refused(name, _error("not_in_evidence", f"When the evidence was written, nobody was called {name}."))
    changed = [step for step in STEPS if step in then["steps"] and was_changed(then["steps"][step])]
    if not changed:
        message = f"In the run of this evidence nothing was changed for {name}, so there is nothing to undo."
        hint = "Give the evidence of the run that shut the doors; in that of a later run everything is 'unchanged' already."
        return _refused(name, _error("nothing_changed", message, hint), **_who(then))
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
        return _refused(name, _error("recreated", message, "Who has a name now is not who had it then."), **who)
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
    error = missing.get("error") or _error("not_found", f"There is no user {name}.")
    if error["code"] != "deleted":
        return _refused(name, error, FAILED, **who)
    if not limits.undelete:
        hint = "Set restore_employee_undelete to restore the account too; Microsoft keeps it for 30 days."
        return _refused(name, {**error, "hint": hint}, FAILED, **who)
    if directory_roles and not limits.allow_admins:
        return _refused(name, _administrator(name, directory_roles), **who)
    return _order(name, **who, **steps, undelete=True)


def _refusal(now: Record, limits: _Limits) -> Record | None:
    name, roles = now["user_principal_name"], now["directory_roles"]
    if now["protected"]:
        hint = "It is in protected_users, or it is the account that this automation uses."
        return _error("protected", f"{name} is protected; nothing was sent.", hint)
    if limits.allow_admins:
        return None
    if roles is None:
        reason = (now["directory_roles_error"] or {}).get("message", "they were not read.")
        message = f"The directory roles of {name} could not be read: {reason} Nothing was sent."
        return _error(
            "roles_unread", message, "Reading them needs User.Read.All; or set restore_employee_allow_admins."
        )
    return _administrator(name, roles) if roles else None


def _administrator(name: str, roles: t.Sequence[str]) -> Record:
    message = f"{name} holds a directory role ({', '.join(map(str, roles))}); nothing was sent."
    return _error("administrator", message, "If that is known and meant, set restore_employee_allow_admins.")


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


# --- what came of it ---


def outcome(plan: Record, runs: t.Sequence[Record] = (), *, provided: t.Collection[str] = ()) -> dict[str, t.Any]:
    """One result per leaver, and how it is told.

    :param runs: what was registered of each step, C({step, users, result}); a result without records counts as failed
        for everyone who was to go through it.
    :param provided: object ids of leavers for whom there is a password.
    :returns: C(leavers), the results; C(open), object ids of those whose sign-in may be allowed now; C(table), lines
        for people; C(failures), why the run fails.
    """
    told: dict[str, dict[str, Record]] = {}
    for run in runs:
        for record in run["result"].get("users") or _for_everyone(run):
            # A deleted account may have been asked for by name.
            for name in {str(record[key]).casefold() for key in ("id", "user") if record.get(key)}:
                told.setdefault(name, {})[run["step"]] = record
    leavers = [
        _result(one, told.get(str(one["id"] or one["user"]).casefold(), {}), provided=one["id"] in provided)
        for one in plan["leavers"]
    ]
    may_open = [
        one["id"]
        for one, result in zip(plan["leavers"], leavers, strict=True)
        if one["signin"] and not one["undelete"] and result["steps"]["signin"]["status"] != FAILED
    ]
    return {"leavers": leavers, "open": may_open, "table": _table(leavers), "failures": _failures(leavers)}


def _for_everyone(run: Record) -> list[Record]:
    error = run["result"].get("error") or _error("no_records", str(run["result"].get("msg")))
    return [{"id": user, "status": FAILED, "error": error} for user in run["users"]]


def _result(order: Record, told: Record, *, provided: bool) -> dict[str, t.Any]:
    error = order["error"]
    if error and error["code"] in _GONE and told.get("account", {}).get("status") == "accepted":
        error = _error("not_visible", "The account was restored, but cannot be seen yet.", "Run again in some minutes.")
    entries = _entries(order, told, provided=provided)
    notes = [*order["notes"], *(entry["note"] for entry in entries.values())]
    if order["password_note"] and "password" not in entries:
        notes.append(order["password_note"])
    return {
        "user": order["user"],
        "id": order["id"],
        "user_principal_name": order["user_principal_name"],
        "display_name": order["display_name"],
        "status": _status(order["status"] if error else None, entries),
        "steps": entries,
        "notes": list(dict.fromkeys(filter(None, notes))),
        "error": error,
    }


def _entries(order: Record, told: Record, *, provided: bool) -> dict[str, dict[str, t.Any]]:
    wanted = {
        "account": order["undelete"] or "account" in told,
        "password": order["password"] and provided,
        "protocols": bool(order["protocols"]),
        "signin": order["signin"],
    }
    entries: dict[str, dict[str, t.Any]] = {}
    for step in ORDER:
        if wanted[step] and (step == "account" or not order["error"]):
            entries[step] = _entry(told[step]) if step in told else _untold(step, entries)
    account, mailbox = entries.get("account"), entries.get("protocols")
    if account and account["status"] == "accepted" and not order["undelete"] and not order["error"]:
        account["status"] = "verified"  # it was read since
    if mailbox and order["no_mailbox"] and mailbox["status"] == NOT_APPLICABLE:
        message = f"There is no mailbox of {order['user_principal_name']}, so its protocols were not turned on."
        hint = "A restored account gets its mailbox back with its licence, after a while: then run again."
        mailbox |= {"status": FAILED, "error": _error("no_mailbox", message, hint)}
    return entries


def _entry(record: Record) -> dict[str, t.Any]:
    facts = ("before", "after", "written_at", "request_id", "note", "error")
    return {"status": record["status"], **{name: record.get(name) for name in facts}}


def _untold(step: str, entries: t.Mapping[str, Record]) -> dict[str, t.Any]:
    """What is said of a step that was not run, or not yet."""
    account, password = entries.get("account"), entries.get("password")
    if account and account["status"] in (FAILED, REFUSED):
        return _entry({"status": FAILED, "error": account["error"]})
    if step == "signin" and password and password["status"] in (FAILED, REFUSED):
        message = "Sign-in was not allowed, since the password could not be set."
        hint = "Run again with another password, or with none."
        return _entry({"status": FAILED, "error": _error("held_back", message, hint)})
    return _entry({"status": PLANNED})


def _status(refusal: str | None, entries: t.Mapping[str, Record]) -> str:
    statuses = {entry["status"] for entry in entries.values()}
    if refusal:
        return refusal
    for verdict, found in (
        (FAILED, FAILED),
        (REFUSED, REFUSED),
        (PLANNED, PLANNED),
        (UNCONFIRMED, "accepted"),
        (RESTORED, "verified"),
    ):
        if found in statuses:
            return verdict
    return UNCHANGED


def _errors(one: Record) -> list[str]:
    """A leaver's errors as sentences, each once."""
    errors = [one["error"], *(entry["error"] for entry in one["steps"].values())]
    return list(dict.fromkeys(" ".join(filter(None, (error["message"], error["hint"]))) for error in errors if error))


def _failures(leavers: t.Sequence[Record]) -> list[str]:
    """Why the run fails: a sentence per leaver who is not restored."""
    return [
        f"{one['user_principal_name'] or one['user']}: {' '.join(_errors(one))}"
        for one in leavers
        if one["status"] in (FAILED, REFUSED)
    ]


# --- the table ---

# Ansible shows a list of lines with ten more columns around each: together they fit 100.
_WIDTH = 88
_VERDICTS = {
    FAILED: "FAILED",
    REFUSED: "REFUSED",
    PLANNED: "would be restored",
    UNCONFIRMED: "unconfirmed",
    RESTORED: "restored",
    UNCHANGED: "nothing to do",
}
_DEEDS = {
    "account": "restored",
    "password": "set",
    "protocols": "on again",
    "signin": "allowed",
}
_STATES = {
    FAILED: "FAILED",
    REFUSED: "REFUSED",
    "unchanged": "is so already",
    NOT_APPLICABLE: "no such door here",
}
_FINAL_WORD = (
    "Passwords and sessions cannot be undone: the password of before is void, and on every device one signs in anew."
)


def _table(leavers: t.Sequence[Record]) -> list[str]:
    """Lines of at most 88 characters, for people: who got what back, and what did not come back."""
    restored = sum(1 for one in leavers if one["status"] in (RESTORED, UNCHANGED))
    lines = [f"{restored} of {len(leavers)} {'leaver is' if len(leavers) == 1 else 'leavers are'} restored"]
    for one in leavers:
        lines.append(f"{one['user_principal_name'] or one['user']}  {_VERDICTS[one['status']]}")
        lines += [f"  {step:<10} {_told(step, entry)}" for step, entry in one["steps"].items()]
        lines += [f"  - {note}" for note in one["notes"]]
        lines += [f"  ! {sentence}" for sentence in _errors(one)]
    if any(one["status"] in (PLANNED, UNCONFIRMED, RESTORED) for one in leavers):
        lines.append(_FINAL_WORD)
    return [part for line in lines for part in _folded(line)]


def _told(step: str, entry: Record) -> str:
    if entry["status"] in _STATES:
        return _STATES[entry["status"]]
    deed = _DEEDS[step]
    before, after = entry["before"] or {}, entry["after"] or {}
    if step == "protocols" and after:
        deed = ", ".join(_switches(before, after)) or "as before"
    if entry["status"] == PLANNED:
        return f"would be {deed}"
    when = f" at {entry['written_at']}" if entry["written_at"] else ""
    seen = "" if entry["status"] == "verified" else ", not seen yet"
    return f"{deed}{when}{seen}{'; must be changed at the next sign-in' if step == 'password' else ''}"


def _switches(before: Record, after: Record) -> list[str]:
    on = [name for name, state in after.items() if state is True and before.get(name) is not True]
    inherited = [name for name, state in after.items() if state is None and before.get(name) is not None]
    return [
        *([f"on again: {', '.join(on)}"] if on else []),
        *([f"as the organisation says: {', '.join(inherited)}"] if inherited else []),
    ]


def _folded(line: str) -> list[str]:
    """A line that is too long goes on below itself, a little further in."""
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.wrap(line, _WIDTH, subsequent_indent=indent) if len(line) > _WIDTH else [line]
