# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide what each leaver gets back: only doors that, by the evidence, were open before and shut by that run."""

from __future__ import annotations

import typing as t

from ..module_utils._doors import NOT_APPLICABLE, PROTOCOLS, RESTORABLE
from ..module_utils._guards import ask_operator, deleted_administrator_error
from ..module_utils._times import parse_moment
from ..module_utils._user_input import OBJECT_ID, name_key, not_a_name, same_name
from ._carried import Carried, decoded
from ._evidence_files import in_short
from ._messages import Record, as_error
from ._plan import administrator, protected
from ._restore_history import Reading, before_and_after, offboarding, precedes
from ._restore_request import entry_of_tenant, keys

FAILED, REFUSED, PLANNED, UNCONFIRMED, RESTORED, PARTIAL, UNCHANGED = (
    "failed",
    "refused",
    "planned",
    "unconfirmed",
    "restored",
    "partial",
    "unchanged",
)
GONE = ("deleted", "not_found")
_ALLOW = "restore_employee_allow_admins"
# The modules' own default, for a result that does not say how they were called.
_VERIFY_TIMEOUT = 30.0
# How many seconds a restored account, or its mailbox, is waited for.
_RETURN_TIMEOUT = 30.0
# How many seconds after the run that shut it an open door is worth a word: it may have been read from a server that lags.
_LONGEST_LAG = 3600.0


def restore_plan(
    opening: Record,
    *,
    names: t.Sequence[str],
    malformed: t.Sequence[Record] = (),
    evidence: Carried | None,
    host: str,
    left_out: t.Sequence[str] = (),
    job: str = "",
    deleted: Record | None = None,
    undeleted: t.Collection[str] = (),
    began: float = 0,
    now: float = 0,
    steps: t.Sequence[str] = ("protocols", *RESTORABLE, "signin"),
    protocols: t.Sequence[str] = (),
    allow_admins: bool = False,
    undelete: bool = False,
) -> dict[str, t.Any]:
    """Decide what each leaver gets back.

    :param opening: what was registered of the read of everybody's facts.
    :param malformed: leavers whose name cannot be a user's, as `restore_request` gives them; each fails alone.
    :param evidence: runs, as `restore_request` carries them; null for none.
    :param left_out: a sentence for each file that is not used.
    :param job: the number in AWX of the job that is to be undone, or of its workflow, empty for none.
    :param deleted: the registered result of the search for deleted users with the same names, null before it.
    :param undeleted: object IDs of the accounts that this run has restored.
    :param began: when this run first read the users, and `now`, both in seconds by the same clock.
    :param protocols: with evidence, nothing but these; without it, what is to be turned on.
    :returns: `error`, why nothing can be done at all; `leavers`, what is to be done for each; `groups`, leavers
        whose mailboxes get the same protocols; `also`, what is made again besides, by topic and object ID; `phones`, whether
        any of it is a phone; `undelete`, whose accounts are to be restored first; `waiting`, object IDs of those who were
        restored and are not all there yet, or who may never be; `again`, whether another read may show more; `left_out`.
    """
    orders: list[dict[str, t.Any]] = []
    error = None
    reported = list(left_out)
    gone = {name_key(one["user"]): one for one in (deleted or {}).get("users") or []}
    limits = _Limits(steps, protocols, allow_admins, undelete, job, gone, frozenset(undeleted), now)
    try:
        if evidence is None:
            orders = [_order_by_name(one, limits) for one in opening["users"]]
        else:
            tenant_id = (opening.get("automation") or {}).get("tenant_id")
            readings = _readings(decoded(evidence), host, tenant_id, reported)
            found = [_order_by_evidence(name, readings, opening["users"], limits) for name in names]
            # A user named twice, by name and by object ID, is handled once.
            orders = list({str(one["id"] or one["user"]): one for one in reversed(found)}.values())[::-1]
        orders += [_refused(one["user"], not_a_name(one["complaint"]).as_record(), FAILED) for one in malformed]
    except ValueError as exc:
        error = str(exc)
    waiting = [
        one["id"] for one in orders if one["undelete"] or one["no_mailbox"] or (one["error"] or {}).get("code") in GONE
    ]
    budget = opening.get("verify_timeout")
    return {
        "error": error,
        "leavers": orders,
        "groups": _groups(orders),
        "also": _besides(orders),
        "phones": any(thing["kind"] == "phone" for one in orders for thing in one["also"].get("devices", ())),
        "undelete": [
            # The roles come from the caller, since the module cannot read those of deleted users.
            {"user": one["id"], "directory_roles": one["roles"]} if one["roles"] is not None else one["id"]
            for one in orders
            if one["undelete"]
        ],
        "waiting": waiting,
        "again": _is_worthwhile(
            orders,
            waiting,
            limits,
            waited=now - began,
            verify_timeout=_VERIFY_TIMEOUT if budget is None else float(budget),
        ),
        "left_out": reported,
    }


class _Limits(t.NamedTuple):
    steps: t.Sequence[str]
    protocols: t.Sequence[str]
    allow_admins: bool
    undelete: bool
    job: str
    gone: t.Mapping[str, Record]
    undeleted: frozenset[str]
    now: float

    def nothing_sent(self, object_id: t.Any) -> str:
        """What was sent for a leaver that gets nothing more."""
        return "nothing else was sent" if object_id in self.undeleted else "nothing was sent"


def _is_worthwhile(
    orders: t.Sequence[Record], waiting: t.Sequence[str], limits: _Limits, *, waited: float, verify_timeout: float
) -> bool:
    """Whether a user is still shown as before a write, within the time allowed."""
    if waited < _RETURN_TIMEOUT and not limits.undeleted.isdisjoint(waiting):
        return True
    return waited < verify_timeout and any(
        one["stale"] or (one["read_open"] is not None and one["read_open"] < verify_timeout) for one in orders
    )


def _readings(
    runs: t.Sequence[Record], host: str, tenant_id: str | None, left_out: list[str]
) -> dict[str, list[Reading]]:
    """What the runs of this tenant say, by every name; files of other tenants are added to those that are left out.

    :raises ValueError: nothing is left.
    """
    if not tenant_id:
        raise ValueError("The token has no tenant ID, so it cannot be matched to the evidence.")
    readings: dict[str, list[Reading]] = {}
    complaints = []
    for run in runs:
        try:
            entry = entry_of_tenant(run, host, tenant_id)
        except ValueError as exc:
            complaints.append(f"{run['path']}: {exc}")
            continue
        for record in entry["leavers"]:
            for key in keys(record):
                readings.setdefault(key, []).append(Reading(run, record))
    if len(complaints) == len(runs):
        raise ValueError(in_short(complaints))
    left_out.extend(complaints)
    return readings


def _order(user: str, **facts: t.Any) -> dict[str, t.Any]:
    return {
        "user": user,
        "id": None,
        "user_principal_name": None,
        "display_name": None,
        "status": None,
        "error": None,
        # Whether the account is to be restored, and cannot be read before; and the roles that it held, if known.
        "undelete": False,
        "roles": None,
        "signin": False,
        "protocols": [],
        "inherit_smtp_auth": False,
        # What is made again besides the doors: by topic, objects as in the evidence.
        "also": {},
        # Whether the evidence has a mailbox that no longer exists.
        "no_mailbox": False,
        # Whether a password, if there is one, is to be set, and what is to be said where none is.
        "password": False,
        "password_note": None,
        "notes": [],
        # Why a step is not done although its door is shut, and whether sign-in stays blocked as it was before.
        "unknown": {},
        "stays_blocked": False,
        # The doors that were read as shut: a step that finds one open has read an older state.
        "read_shut": [],
        # Whether the reading is older than the evidence; the age of the evidence, in seconds, where an open door may be.
        "stale": False,
        "read_open": None,
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
    refusal = _namesake(now["user"], limits) or _refusal(now, limits)
    if refusal:
        return _stopped(now, refusal, limits)
    return _order(now["user"], **who, **_by_name(now, limits))


def _by_name(now: Record | None, limits: _Limits) -> dict[str, t.Any]:
    signin = "signin" in limits.steps
    return {
        "signin": signin,
        "protocols": list(limits.protocols) if "protocols" in limits.steps else [],
        "password": signin and _is_blocked(now),
        "read_shut": _read_shut(now, limits.protocols),
    }


def _order_by_evidence(
    name: str, readings: t.Mapping[str, list[Reading]], opening: t.Sequence[Record], limits: _Limits
) -> dict[str, t.Any]:
    """The order for one leaver: the account, the offboarding, and what it changed."""
    by_name = _find(opening, "user", name)
    known = {name_key(str(one.record["id"])) for one in readings.get(name_key(name), []) if one.record["id"]}
    if len(known) > 1:
        message = f"The evidence has {len(known)} accounts with the name {name} ({', '.join(sorted(known))})."
        return _refused(name, as_error("ambiguous", message, "Request the user by object ID."))
    object_id = str((by_name or {}).get("id") or next(iter(known), ""))
    if known and name_key(object_id) not in known:
        return _recreated(name, readings[next(iter(known))][-1].record, object_id, opening, limits)
    history = [one for one in readings.get(name_key(object_id), []) if one.record["id"]] if object_id else []
    if not history:
        if name_key(name) in readings:
            message = f"When the evidence was written, no user had the name {name}."
            return _refused(name, as_error("not_in_evidence", message))
        hint = "Give the evidence of the run that shut this leaver out."
        return _refused(name, as_error("not_in_evidence", f"The evidence has no record of {name}.", hint))
    runs = offboarding(name, history, limits.job)
    if not isinstance(runs, list):
        return _refused(name, runs, **_who(history[-1].record))
    then = before_and_after(runs)
    changed = [step for step, entry in then["steps"].items() if entry["changed"] or entry["cut_off"]]
    if not (changed or then["also"]):
        message = f"The run of this evidence changed nothing for {name}, so there is nothing to undo."
        hint = "Give the evidence of the run that shut the doors; in that of a later run everything is 'unchanged' already."
        return _refused(name, as_error("nothing_changed", message, hint), **_who(then))
    return _order_for(name, then, changed, opening, limits)


def _recreated(
    name: str, then: Record, object_id: str, opening: t.Sequence[Record], limits: _Limits
) -> dict[str, t.Any]:
    """The error if the evidence has a different account under this name than the one of today."""
    today = _find(opening, "id", str(then["id"])) or {}
    typed = " or ".join(filter(None, (today.get("user_principal_name"), str(then["id"]))))
    message = (
        f"{name} is now a different account ({object_id}) from the one that was shut out ({then['id']}); "
        f"{limits.nothing_sent(then['id'])}."
    )
    hint = f"The account that has this name now is a different one. To restore the account that was shut out, request {typed}."
    return _refused(name, as_error("recreated", message, hint), **_who(then))


def _order_for(
    name: str, then: Record, changed: t.Sequence[str], opening: t.Sequence[Record], limits: _Limits
) -> dict[str, t.Any]:
    who = _who(then)
    by_name = _find(opening, "user", name)
    now = _find(opening, "id", then["id"])
    if now is None:
        missing = _find(opening, "user", then["id"]) or by_name or {"error": None}
        return _absent(
            name,
            missing,
            who,
            limits,
            directory_roles=then["directory_roles"],
            steps=_by_evidence(then, changed, None, limits),
        )
    current = now["user_principal_name"]
    if not OBJECT_ID.match(name) and not (by_name and by_name["id"]) and not same_name(name, current):
        message = f"{name} is now called {current}; {limits.nothing_sent(now['id'])}."
        hint = f"If this is the right user, request {current} or {now['id']}."
        return _refused(name, as_error("renamed", message, hint), **_who(now))
    refusal = _namesake(name, limits) or _refusal(now, limits)
    if refusal:
        return _stopped({**now, "user": name}, refusal, limits)
    stale = _stale(then, now)
    if stale:
        return _refused(name, stale, FAILED, **_who(now), stale=True)
    order = _order(name, **_who(now), **_by_evidence(then, changed, now, limits))
    if not same_name(then["user_principal_name"], now["user_principal_name"]):
        order["notes"].insert(
            0, f"Called {then['user_principal_name']} at that time; the object ID shows that it is the same account."
        )
    return order


def _find(records: t.Sequence[Record], key: str, value: str) -> Record | None:
    return next((one for one in records if same_name(one[key], value)), None)


def _stale(then: Record, now: Record) -> Record | None:
    """An error if the read is older than what the offboarding itself read back."""
    for step, what in (("password", "password"), ("sessions", "sign-out")):
        entry = then["steps"].get(step)
        if precedes(now, entry, step):
            message = (
                f"{now['user_principal_name']} is still shown as before the {what} of {t.cast('Record', entry)['written_at']}: "
                "the server that answered lags; nothing was sent."
            )
            hint = "Run again in a few minutes, or with a longer verify_timeout (M365_VERIFY_TIMEOUT)."
            return as_error("stale", message, hint)
    return None


def _absent(
    name: str, missing: Record, who: Record, limits: _Limits, *, directory_roles: t.Any, steps: Record
) -> dict[str, t.Any]:
    """The order for a name without a user: deleted, or unknown."""
    error = missing.get("error") or as_error("not_found", f"There is no user {name}.")
    if error["code"] != "deleted":
        return _refused(name, error, FAILED, **who)
    if not limits.undelete:
        hint = (
            f"To restore the account too, {ask_operator('restore_employee_undelete')}; Microsoft keeps it for 30 days."
        )
        return _refused(name, {**error, "hint": hint}, FAILED, **who)
    found = limits.gone.get(name_key(name)) or {}
    if found.get("error"):
        return _refused(name, found["error"], found["status"], **who)
    if who["id"] and found.get("id") and not same_name(who["id"], found["id"]):
        message = f"{name} is a different deleted account ({found['id']}) from the one that was shut out ({who['id']}); nothing was sent."
        return _refused(name, as_error("recreated", message, "Request the user by object ID."), **who)
    who = {key: found.get(key) or value for key, value in who.items()}
    refusal = deleted_administrator_error(name, directory_roles, option=_ALLOW, source="evidence that contains them")
    if refusal and not limits.allow_admins:
        return _refused(name, refusal.as_record(), **who)
    return _order(name, **who, **steps, undelete=True, roles=None if limits.allow_admins else list(directory_roles))


def _namesake(name: str, limits: _Limits) -> Record | None:
    """An error if a deleted account has the same name as this one, so that the name is ambiguous."""
    error = (limits.gone.get(name_key(name)) or {}).get("error")
    return error if error and error["code"] == "ambiguous" else None


def _stopped(now: Record, refusal: Record, limits: _Limits) -> dict[str, t.Any]:
    """An order that does nothing (more). An account that was just restored must not be reported as refused."""
    if now["id"] not in limits.undeleted:
        return _refused(now["user"], refusal, **_who(now))
    state = "blocked" if _is_blocked(now) else "allowed"
    hint = f"The account was restored, and its sign-in is {state}, as it was when it was deleted. {refusal['hint']}"
    return _refused(now["user"], {**refusal, "hint": hint}, FAILED, **_who(now))


def _refusal(now: Record, limits: _Limits) -> Record | None:
    sent = limits.nothing_sent(now["id"])
    return protected(now, sent=sent) or (None if limits.allow_admins else administrator(now, option=_ALLOW, sent=sent))


def _is_blocked(now: Record | None) -> bool:
    """Whether sign-in is blocked, as for a user who is still deleted."""
    return now is None or now["account_enabled"] is False


def _read_shut(now: Record | None, protocols: t.Sequence[str]) -> list[str]:
    """The steps whose doors were read as shut, of the protocols only the requested ones."""
    if now is None:
        return []
    facts = now["mailbox_protocols"] or {}
    wanted = PROTOCOLS if "all" in protocols else protocols
    # Of smtp_auth, Exchange Online may refuse what it was before.
    off = any(facts.get(name) is False for name in wanted if name != "smtp_auth")
    return [*(["signin"] if _is_blocked(now) else []), *(["protocols"] if off else [])]


def _by_evidence(then: Record, changed: t.Sequence[str], now: Record | None, limits: _Limits) -> dict[str, t.Any]:
    reported: dict[str, t.Any] = {"notes": [], "unknown": {}}
    if len(then["runs"]) > 1:
        reported["notes"].append(f"{len(then['runs'])} runs are undone, starting with {then['runs'][0]}.")
    reported |= _signin_again(then, changed, now, limits, reported)
    reported |= _protocols_again(then, changed, now, limits, reported)
    reported |= _password_again(then, changed, now, opens=reported["signin"] and _is_blocked(now))
    reported["also"] = _also_again(then, limits, reported["notes"])
    reported["read_shut"] = _read_shut(now, reported["protocols"])
    reported["read_open"] = _read_open(then, reported, now, limits, reported["notes"])
    return reported


def _read_open(then: Record, order: Record, now: Record | None, limits: _Limits, notes: list[str]) -> float | None:
    """How old the evidence is, in seconds, where a door is read as open that its run shut, or may have; otherwise `None`.

    Either somebody opened it since, or the server that answered lags; only another read shows which. Both clocks are that of the
    machine that runs Ansible, in most cases.
    """
    steps = ("protocols", "signin")
    # A write that is not visible yet is included: it is in an order because a run changed it, or may have.
    opened = [step for step in steps if now and order[step] and step not in order["read_shut"]]
    if not opened:
        return None
    try:
        age = limits.now - parse_moment(then["written_at"]).timestamp()
    except ValueError:
        return None
    if age < _LONGEST_LAG:
        what = " and ".join({"signin": "sign-in", "protocols": "mailbox protocols"}[step] for step in opened)
        notes.append(
            f"Read as open already: {what}. If the user still has no access, the answer came from a server that "
            "lags: run again in a few minutes."
        )
    return age


def _signin_again(
    then: Record, changed: t.Sequence[str], now: Record | None, limits: _Limits, reported: Record
) -> dict[str, t.Any]:
    if "signin" not in limits.steps:
        return {"signin": False}
    notes = reported["notes"]
    blocked = now is not None and _is_blocked(now)
    entry = then["steps"].get("signin") or {}
    enabled = (entry.get("before") or {}).get("account_enabled")
    if enabled is True and "signin" in changed:
        if entry["cut_off"] and blocked:
            notes.append("The run was cut off, perhaps after blocking sign-in: it was allowed when that run began.")
        return {"signin": True}
    if enabled is False:
        notes.append("Sign-in was blocked before that run and stays blocked.")
        # A run that also finds the password reset and the sessions ended repeats another one.
        blocked = blocked and "password" not in changed and "sessions" not in changed
        if blocked:
            notes.append(
                "Password and sessions were found shut as well, as an earlier run leaves them: give its evidence too, "
                "in several files or the folder."
            )
    elif enabled is None and blocked:
        message = "Whether sign-in was allowed before that run is not known, so it stays blocked."
        hint = "Give the evidence of every run; or, to allow it anyway, restore without evidence."
        reported["unknown"]["signin"] = as_error("before_unknown", message, hint)
    elif enabled is True:
        notes.append("Sign-in was not blocked by that run; it stays as it is.")
    return {"signin": False, "stays_blocked": blocked}


def _protocols_again(
    then: Record, changed: t.Sequence[str], now: Record | None, limits: _Limits, reported: Record
) -> dict[str, t.Any]:
    if "protocols" not in limits.steps or "protocols" not in changed:
        return {"protocols": [], "inherit_smtp_auth": False}
    notes = reported["notes"]
    entry = then["steps"]["protocols"]
    before = entry["before"]
    if before is None:
        if not entry["cut_off"] or (now and now["mailbox_protocols"]):
            message = "The state of the mailbox protocols before that run is not known, so they stay as they are."
            hint = "Give the evidence of every run; or name them with restore_employee_protocols, without evidence."
            reported["unknown"]["protocols"] = as_error("before_unknown", message, hint)
        return {"protocols": [], "inherit_smtp_auth": False}
    known = [name for name in PROTOCOLS if name in before]
    off = [name for name in known if before[name] is False]
    if off:
        notes.append(f"Off before that run, and left off: {', '.join(off)}.")
    wanted = [name for name in known if name not in off]
    if limits.protocols and "all" not in limits.protocols:
        wanted = [name for name in wanted if name in limits.protocols]
    # Null means that the organization's setting applies. If it is on now, somebody has changed it since.
    inherits = "smtp_auth" in wanted and before["smtp_auth"] is None
    today = ((now and now["mailbox_protocols"]) or {}).get("smtp_auth", False)
    if inherits and today is not False:
        wanted.remove("smtp_auth")
    gone = bool(now and not now["error"] and now["mailbox_protocols"] is None)
    return {"protocols": wanted, "inherit_smtp_auth": inherits and today is False, "no_mailbox": gone and bool(wanted)}


def _password_again(then: Record, changed: t.Sequence[str], now: Record | None, *, opens: bool) -> dict[str, t.Any]:
    """A password is set once: while that run's password is in force, or, if that is not known, when sign-in opens."""
    if now and now["doors"].get("password") == NOT_APPLICABLE:
        return {"password": False}
    entry = then["steps"].get("password")
    fact = "last_password_change_date_time"
    set_then = ((entry or {}).get("after") or {}).get(fact)
    set_now = now[fact] if now else None
    certain = bool(entry and entry["status"] in ("unchanged", "verified") and set_then and set_now)
    if certain and set_then != set_now:
        note = f"The password was changed after that run, at {set_now}; it is left as it is."
        return {"password": False, "password_note": note}
    if not certain and not opens:
        kept = "Sign-in does not open now, so the password is left as it is."
        return {"password": False, "password_note": kept if "password" in changed else None}
    note = (
        "No password was provided, so none was set, and nobody knows the one that the run set: set another one "
        "(restore_employee_password), or let the user reset it where the tenant allows that."
    )
    return {"password": True, "password_note": note if "password" in changed else None}


def _also_again(then: Record, limits: _Limits, notes: list[str]) -> dict[str, t.Any]:
    """What was closed besides the doors, and is to be made again."""
    methods = then["also"].get("authentication_methods")
    if methods:
        notes.append(
            f"Sign-in methods that were deleted: {len(methods)}. They cannot be restored: the user must register them again."
        )
    if any(one["kind"] == "phone_wipe" for one in then["also"].get("devices", ())):
        notes.append("The account on a phone was wiped, which cannot be undone: it must be set up on the phone again.")
    if then["unfinished"]:
        notes.append(
            f"The run was cut off before this was on record: {', '.join(then['unfinished'])}. Whether any of it was "
            "closed is not known."
        )
    undone = {topic: list(then["also"].get(topic, ())) for topic in RESTORABLE if topic in limits.steps}
    undone = {topic: [one for one in objects if one["kind"] != "phone_wipe"] for topic, objects in undone.items()}
    return {topic: objects for topic, objects in undone.items() if objects}


def _besides(orders: t.Sequence[Record]) -> dict[str, dict[str, t.Any]]:
    """The objects that the modules restore: by topic, the objects of each leaver by object ID."""
    reported: dict[str, dict[str, t.Any]] = {}
    for one in orders:
        for topic, objects in one["also"].items() if not (one["undelete"] or one["error"]) else ():
            reported.setdefault(topic, {})[one["id"]] = objects
    return reported


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
