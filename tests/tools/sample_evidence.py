# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sample evidence with leavers of every kind, the same at every call, for screenshots and tests of reports."""

from __future__ import annotations

import copy
import datetime
import uuid
from collections.abc import Callable
from typing import Any

Result = dict[str, Any]

STEPS = ("password", "sessions", "signin", "protocols")
PROTOCOLS = (
    "activesync",
    "owa",
    "mapi",
    "ews",
    "pop",
    "imap",
    "smtp_auth",
    "outlook_mobile",
    "owa_for_devices",
    "universal_outlook",
    "mac_outlook",
    "new_outlook",
)
DOORS = (*STEPS[:3], *PROTOCOLS)
# Residual topics, each with the permission that looking at it needs.
TOPICS = {
    "forwarding": "MailboxSettings.Read",
    "directory_roles": "RoleManagement.Read.Directory",
    "applications": "Application.Read.All",
    "consents": "Directory.Read.All",
    "devices": "Device.Read.All",
    "delegates": "Exchange.ManageAsApp",
    "phones": "Exchange.ManageAsApp",
    "sign_in_methods": "UserAuthenticationMethod.Read.All",
    "memberships": "GroupMember.Read.All",
}

_START = datetime.datetime(2026, 11, 20, 16, 4, tzinfo=datetime.timezone.utc)
_LEFT = datetime.datetime(2026, 11, 20, 16, 0, tzinfo=datetime.timezone.utc)
_FIRST = ("Jane", "Miles", "Zoë", "Ahmed", "Ingrid", "Kwame", "Lucía", "Mei", "Nikolai", "Oluwaseun", "Priya", "Tomás")
_LAST = (
    "Doe",
    "O'Brien",
    "Schröder-Featherstonehaugh",
    "Haddad",
    "Ng",
    "Mensah",
    "García Márquez",
    "Tanaka",
    "Petrov",
    "Adeyemi",
    "Venkataraman",
)


def moment(seconds: float = 0, *, base: datetime.datetime = _START) -> str:
    """Return a moment so many seconds after the run began."""
    return (base + datetime.timedelta(seconds=seconds)).isoformat(timespec="seconds").replace("+00:00", "Z")


def identifier(text: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, text))


def problem(code: str, message: str, hint: str | None = None, request_id: str | None = None) -> Result:
    return {"code": code, "message": message, "hint": hint, "request_id": request_id}


# --- one leaver ---

_SYNCED = "Synced from Active Directory: disable it in Active Directory too, otherwise the next sync may undo this."
_GUEST = "Guest: password and sessions live in the home tenant and can only be ended there."
_LINGERS = "Outlook on the web may stay usable on an open page until another tile is opened or the page is refreshed."


def _facts(open_: bool, now: float) -> dict[str, Any]:
    """Return what each step sees of somebody whose doors are all open, or were all shut at this moment."""
    if open_:
        old = {"last_password_change_date_time": moment(-86400 * 90 + now)}
        sessions = {"sign_in_sessions_valid_from_date_time": moment(-86400 * 90 + now - 60)}
        switches: dict[str, bool | None] = dict.fromkeys(PROTOCOLS, True)
        switches["smtp_auth"] = None
        return {"password": old, "sessions": sessions, "signin": {"account_enabled": True}, "protocols": switches}
    return {
        "password": {"last_password_change_date_time": moment(now)},
        "sessions": {"sign_in_sessions_valid_from_date_time": moment(now + 2)},
        "signin": {"account_enabled": False},
        "protocols": dict.fromkeys(PROTOCOLS, False),
    }


# What a step did, in words, for those whose words are the same for every step.
_DONE = {
    "unchanged": "was so already",
    "pending": "not reached yet",
    "not_applicable": "no such door",
    "not_due": "not due, nothing sent",
    "refused": "refused, nothing sent",
    "failed": "failed",
}
_ACTIONS = {
    "password": ("reset now", "would be reset", "reset sent, not confirmed"),
    "sessions": ("signed out now", "would be signed out", "sign-out sent, not confirmed"),
    "signin": ("blocked now", "would be blocked", "block sent, not confirmed"),
    "protocols": ("turned off now", "would be turned off", "sent, not confirmed"),
}


def _done(step: str, status: str) -> str:
    return {**_DONE, **dict(zip(("verified", "planned", "accepted"), _ACTIONS[step], strict=True))}[status]


def _entry(status: str, before: Any, after: Any, step: str = "signin", **facts: Any) -> Result:
    return {
        "status": status,
        "done": _done(step, status),
        "before": before,
        "after": after,
        "written_at": None,
        "effective_by": None,
        "request_id": None,
        "note": None,
        "error": None,
        **facts,
    }


def _written(step: str, number: int, status: str = "verified") -> Result:
    """Return a step that was sent; one that is only accepted still looks as before."""
    now = 5.0 + number % 600
    at = now + 2 * STEPS.index(step)
    later = {"password": now + 3602, "sessions": now + 3602, "signin": at + 86400, "protocols": at + 1800}
    before, after = _facts(True, number)[step], _facts(False, now)[step]
    return _entry(
        status,
        before,
        before if status == "accepted" else after,
        step,
        written_at=moment(at),
        effective_by=moment(later[step]),
        request_id=identifier(f"request {step} {number}"),
        note=_LINGERS if step == "sessions" else None,
    )


def _untouched(step: str, number: int, status: str, open_: bool, **facts: Any) -> Result:
    """Return a step that sent nothing."""
    seen = _facts(open_, number if open_ else -86400)[step]
    if not open_ and step in ("password", "sessions"):
        facts.setdefault("effective_by", moment(-86400 + 3602))
    return _entry(status, seen, None if status == "planned" else seen, step, **facts)


def _leaver(number: int, **facts: Any) -> Result:
    first, last = _FIRST[number % len(_FIRST)], _LAST[number % len(_LAST)]
    series = number // (len(_FIRST) * len(_LAST))
    plain = str.maketrans({"ë": "e", "ö": "o", "í": "i", "á": "a", " ": "", "'": "'"})
    name = f"{first}.{last}{series or ''}@contoso.com".translate(plain).lower()
    return {
        "user": name,
        "id": identifier(name),
        "user_principal_name": name,
        "display_name": f"{first} {last}",
        "left_at": moment(-60 * (number % 50), base=_LEFT) if number % 3 else None,
        "status": "contained",
        "contained": True,
        "open": [],
        "unconfirmed": [],
        "not_looked_at": [],
        "accepted": [],
        "mailbox_type": None,
        "directory_roles": [],
        "error": None,
        "steps": {},
        "residual": {},
        "since": None,
        "containment": None,
        "person": {
            "department": ("Sales", "Finance", None)[number % 3],
            "job_title": ("Clerk", None)[number % 2],
            "manager": {
                "id": identifier("manager"),
                "display_name": "Olga Petrova",
                "user_principal_name": "olga.petrova@contoso.com",
            },
            "user_type": "Member",
            "created_date_time": moment(-86400 * 365 * 4 - number),
            "employee_hire_date": None,
            "last_password_change_date_time": moment(-86400 * 90 + number),
        },
        **facts,
    }


def _contained_now(number: int) -> Result:
    """A leaver that this run shut out."""
    return _leaver(number, steps={step: _written(step, number) for step in STEPS})


def _contained_before(number: int) -> Result:
    """A leaver that an earlier run shut out."""
    steps = {step: _untouched(step, number, "unchanged", False) for step in STEPS}
    return _leaver(number, steps=steps, user=identifier(f"asked by id {number}"))


def _guest(number: int) -> Result:
    """A guest, whose password and sessions live elsewhere."""
    elsewhere = {step: _entry("not_applicable", None, None, note=_GUEST) for step in ("password", "sessions")}
    no_mailbox = _entry("not_applicable", None, None, note="No Exchange Online mailbox.")
    name = f"guest{number}_fabrikam.com#EXT#@contoso.onmicrosoft.com"
    return _leaver(
        number,
        user=name,
        user_principal_name=name,
        steps={**elsewhere, "signin": _written("signin", number), "protocols": no_mailbox},
    )


def _synced(number: int) -> Result:
    """Somebody whose account comes from Active Directory and whose mailbox is there."""
    steps = {step: _written(step, number) for step in STEPS[:3]}
    steps["password"]["note"] = steps["signin"]["note"] = _SYNCED
    elsewhere = "No Exchange Online mailbox. It may be on-premises: turn its protocols off there."
    return _leaver(number, steps={**steps, "protocols": _entry("not_applicable", None, None, note=elsewhere)})


def _failed(number: int) -> Result:
    """Somebody whose password Microsoft refused to reset; the other doors were shut all the same."""
    steps = {step: _written(step, number) for step in STEPS}
    error = problem(
        "Authorization_RequestDenied",
        f"Could not reset the password of {_leaver(number)['user']}: Insufficient privileges to complete the operation.",
        "Give the application the Entra role User Administrator.",
        identifier(f"denied {number}"),
    )
    steps["password"] = _untouched("password", number, "failed", True, error=error)
    return _leaver(number, status="failed", contained=False, open=["password", "sessions"], steps=steps)


def _unknown(number: int) -> Result:
    """A name that means nobody."""
    name = f"no.such.person{number}@contoso.com"
    error = problem(
        "not_found",
        f"Could not look up {name}: there is no such user in the tenant.",
        "Check the spelling. E-mail addresses and aliases are not user principal names.",
        identifier(f"unknown {number}"),
    )
    nobody = {"user": name, "id": None, "user_principal_name": None, "display_name": None, "directory_roles": None}
    steps = {step: _entry("failed", None, None, error=copy.deepcopy(error)) for step in STEPS}
    return _leaver(number, **nobody, left_at=None, status="failed", contained=False, error=error, steps=steps)


def _mailbox_unread(number: int) -> Result:
    """Somebody whose mailbox could not be read."""
    error = problem(
        "mailbox_unread",
        f"The mailbox of {_leaver(number)['user']} could not be read: the role assigned to the application is missing.",
        "Give the application the Entra role Global Reader, or the Exchange role View-Only Recipients.",
        identifier(f"unread {number}"),
    )
    steps = {step: _written(step, number) for step in STEPS[:3]}
    steps["protocols"] = _entry("failed", None, None, error=error)
    return _leaver(number, status="failed", contained=False, unconfirmed=list(PROTOCOLS), error=error, steps=steps)


def _refused(number: int, error: Result, **facts: Any) -> Result:
    steps = {step: _untouched(step, number, "refused", True, error=copy.deepcopy(error)) for step in STEPS}
    return _leaver(number, status="refused", contained=False, open=list(DOORS), error=error, steps=steps, **facts)


def _protected(number: int) -> Result:
    """An account that no step may touch."""
    return _refused(
        number,
        problem(
            "protected",
            f"{_leaver(number)['user']} is protected; nothing was sent.",
            "It is on the list of protected accounts (protected_users or M365_PROTECTED_USERS), or it is the account that this "
            "automation uses. Ask whoever keeps that list.",
        ),
    )


def _administrator(number: int) -> Result:
    """Somebody who still holds a directory role."""
    roles = ["Exchange Administrator", "User Administrator"]
    return _refused(
        number,
        problem(
            "administrator",
            f"{_leaver(number)['user']} holds a directory role ({', '.join(roles)}); nothing was sent.",
            "If that is intended, ask whoever runs this automation (variable offboard_employee_allow_admins).",
        ),
        directory_roles=roles,
    )


def _open(number: int) -> Result:
    """Somebody whose account was enabled again and who got some protocols back, as an audit finds it."""
    reopened = ["activesync", "owa", "outlook_mobile"]
    seen = _facts(False, -86400 * 30)
    seen["signin"] = {"account_enabled": True}
    seen["protocols"] |= dict.fromkeys(reopened, True)
    steps = {step: _entry("planned", seen[step], None, step) for step in STEPS}
    opened = [*STEPS[:3], *reopened]
    return _leaver(number, status="open", contained=False, open=opened, steps=steps)


def _planned(number: int) -> Result:
    """A leaver in check mode, whose doors are still open."""
    steps = {step: _untouched(step, number, "planned", True) for step in STEPS}
    return _leaver(number, status="open", contained=False, open=list(DOORS), steps=steps)


def _unconfirmed(number: int) -> Result:
    """A leaver whose writes Microsoft accepted but did not show in time."""
    steps = {step: _written(step, number) for step in STEPS}
    steps["signin"] = _written("signin", number, "accepted")
    steps["protocols"] = _written("protocols", number, "accepted")
    doors = ["signin", *PROTOCOLS]
    return _leaver(number, status="unconfirmed", contained=False, unconfirmed=doors, steps=steps)


def _not_due(number: int) -> Result:
    """Somebody who leaves later."""
    steps = {step: _untouched(step, number, "not_due", True) for step in STEPS}
    left_at = "2026-12-31T22:59:59Z"
    return _leaver(number, status="not_due", contained=False, open=list(DOORS), left_at=left_at, steps=steps)


def _partial(number: int) -> Result:
    """Somebody whose mailbox nobody was asked to look at."""
    steps = {step: _written(step, number) for step in STEPS[:3]}
    return _leaver(number, status="partial", contained=False, not_looked_at=["protocols"], steps=steps)


def exception(state: str = "in_force") -> Result:
    """Return an exception of a run, for rooms."""
    return {
        "place": "exceptions.yml, line 3 (entry 1)",
        "user": None,
        "kind": "RoomMailbox",
        "doors": [door for door in DOORS if door != "signin"],
        "reason": "Rooms are booked by everybody, and nobody signs in as one.",
        "accepted_by": "Chris Cio",
        "until": "2026-12-31",
        "state": state,
        "leavers": [identifier("room")] if state == "in_force" else [],
    }


def _accepted(number: int) -> Result:
    """A room, whose account is blocked by nature, and that somebody has accepted for all of them."""
    facts = {**_facts(True, number), "signin": {"account_enabled": False}}
    steps = {step: _entry("planned", facts[step], None) for step in STEPS}
    steps["signin"] = _entry("unchanged", facts["signin"], facts["signin"])
    made = exception()
    entry = {key: made[key] for key in ("reason", "accepted_by", "until", "kind", "place")}
    entry["doors"] = dict.fromkeys(made["doors"], "open")
    kind = {"mailbox_type": "RoomMailbox", "left_at": None}
    return _leaver(number, status="accepted", contained=False, accepted=[entry], steps=steps, **kind)


# Every kind of leaver, by name. The first of twenty are one of each, the others were shut out.
KINDS: dict[str, Callable[[int], Result]] = {
    "contained_now": _contained_now,
    "failed": _failed,
    "open": _open,
    "contained_before": _contained_before,
    "unknown": _unknown,
    "protected": _protected,
    "guest": _guest,
    "administrator": _administrator,
    "unconfirmed": _unconfirmed,
    "synced": _synced,
    "mailbox_unread": _mailbox_unread,
    "planned": _planned,
    "not_due": _not_due,
    "partial": _partial,
    "accepted": _accepted,
}
_PATTERN = 20


def leaver(kind: str, number: int = 0) -> Result:
    """Return the result of one leaver of a kind; the number makes them differ."""
    return KINDS[kind](number)


# --- residual access, and what changed ---

_FOUND: dict[str, list[Result]] = {
    "forwarding": [
        {
            "text": "The mailbox forwards to jane@gmail.example and keeps a copy.",
            "kind": "mailbox",
            "to": "jane@gmail.example",
        },
        {
            "text": "Inbox rule Invoices forwards to books@partner.example.",
            "kind": "rule",
            "to": "books@partner.example",
        },
    ],
    "directory_roles": [{"text": "Holds the directory role Exchange Administrator.", "role": "Exchange Administrator"}],
    "applications": [
        {
            "text": "Owns the application Payroll export with 1 live secret, valid until 2027-03-01T00:00:00Z.",
            "application": "Payroll export",
            "expires_at": "2027-03-01T00:00:00Z",
        },
    ],
    "consents": [
        {
            "text": "Contoso Notes may act on behalf of the user: Mail.Read offline_access.",
            "client": "Contoso Notes",
        },
    ],
    "devices": [{"text": "Device LAPTOP-4711 (Windows) is enabled.", "device": "LAPTOP-4711", "os": "Windows"}],
    "delegates": [
        {
            "text": "miles.obrien@contoso.com has access to the mailbox (FullAccess).",
            "delegate": "miles.obrien@contoso.com",
        },
    ],
    "phones": [{"text": "Phone iPhone of Jane (iOS 18.1) has a partnership with the mailbox."}],
    "sign_in_methods": [
        {
            "text": "A sign-in method is registered: Microsoft Authenticator (iPhone).",
            "method": "microsoftAuthenticator",
        },
    ],
    "memberships": [{"text": "Is a member of the group Finance.", "name": "Finance"}],
}


def residual(number: int = 0) -> dict[str, Result]:
    """Return all topics: what is found differs by number, and one topic could not be read."""
    unseen = list(TOPICS)[(number + 3) % len(TOPICS)]
    topics: dict[str, Result] = {}
    for index, (topic, permission) in enumerate(TOPICS.items()):
        found = copy.deepcopy(_FOUND[topic]) if (number + index) % 3 == 0 else []
        topics[topic] = {
            "state": "found" if found else "none",
            "found": found,
            "note": None,
            "permission": permission,
            "error": None,
        }
        if topic == unseen:
            error = problem(
                "Authorization_RequestDenied",
                "Insufficient privileges to complete the operation.",
                f"Give the application the permission {permission}.",
                identifier(f"residual {number}"),
            )
            topics[topic] |= {"state": "not_looked_at", "found": [], "error": error}
    return topics


def since(one: Result) -> Result:
    """Return a leaver's changes against an earlier file: half of what is open now was shut then."""
    opened = [*one["open"], *one["unconfirmed"]]
    shut = ["signin"] if one["status"] == "contained" else []
    return {
        "newly_open": opened[::2],
        "newly_shut": shut,
        "still_open": opened[1::2],
        "shut_again": shut,
        "new": one["status"] == "not_due",
        "no_longer": "Sign-in is allowed again." if one["status"] == "open" else None,
        "id": one["id"] if one["status"] == "open" else None,
        "compared_with": None if one["status"] == "not_due" else moment(-1440),
        "was_contained": False,
        "last_known": {},
        "shut_out": False,
        "password": None,
    }


def comparison() -> Result:
    """Return what a tenant was compared with, and the files that do not count."""
    return {
        "compared_with": [
            {
                "file": f"evidence/audit-{day}.json",
                "written_at": moment(-1440 * day),
                "purpose": kind,
                "sha256": digit * 64,
            }
            for day, kind, digit in ((1, "offboard", "a"), (2, "audit", "b"))
        ],
        "not_comparable": [
            {"file": "evidence/audit-3.json", "reason": "its run read no user: the client secret has expired"},
            {
                "file": "evidence/fabrikam.json",
                "reason": "it is of another tenant, 11111111-54ad-4f0e-9d0c-0d7f2f2d1c11",
            },
        ],
    }


# --- a whole file ---


def host(leavers: list[Result], name: str = "contoso", **facts: Any) -> Result:
    """Return a tenant's part of the evidence."""
    return {
        "tenant_name": name.capitalize(),
        "tenant_id": identifier(f"tenant {name}"),
        "client_id": identifier(f"client {name}"),
        "application_name": "m365-offboarding",
        "object_id": identifier(f"object {name}"),
        "read_at": moment(1),
        "steps": list(STEPS),
        "contain_within": None,
        "error": None,
        "containment": None,
        "exceptions": [],
        "since": None,
        "leavers": leavers,
        **facts,
    }


def file(hosts: dict[str, Result], **facts: Any) -> Result:
    """Return an evidence file about these tenants."""
    return {
        "format": "m365.offboarding/evidence",
        "version": 1,
        "written_at": moment(61),
        "complete": True,
        "purpose": "offboard",
        "check_mode": False,
        "run": {
            "started_at": moment(),
            "job_id": "4711",
            "job_template": "Offboard leavers",
            "launched_by": "sam.helpdesk",
            "workflow_job_id": "4709",
            "os_user": None,
            "reason": "Dismissed without notice",
            "ticket": "HR-2218",
            "approved_by": None,
            "collection": "1.0.0",
            "ansible": "2.19.3",
        },
        "chain": [],
        "hosts": hosts,
        **facts,
    }


def evidence(count: int, *, residual_access: bool = False, changes: bool = False, **facts: Any) -> Result:
    """Return evidence of so many leavers, from 20 on of every kind and of several tenants.

    One leaver alone was shut out on localhost. Of more, those whose mailbox was not read are in a tenant where
    that step was left out, and from 20 on there is a tenant that could not be read.

    :param residual_access: with all topics for everyone who exists.
    :param changes: with what changed since an earlier file.
    :param facts: replace keys of the file.
    """
    kinds = list(KINDS)
    places = [number % _PATTERN for number in range(count)]
    leavers = [leaver(kinds[p] if p < len(kinds) else "contained_now", n) for n, p in enumerate(places)]
    for number, one in enumerate(leavers):
        if residual_access and one["id"]:
            one["residual"] = residual(number)
        if changes:
            one["since"] = since(one)
    partly = [one for one in leavers if one["status"] == "partial"]
    wholly = [one for one in leavers if one["status"] != "partial"]
    compared: dict[str, Any] = {"since": comparison() if changes else None}
    if count < 2:
        return file({"localhost": host(wholly, **compared)}, **facts)
    hosts = {"contoso": host(wholly, **compared)}
    if partly:
        hosts["fabrikam"] = host(partly, "fabrikam", steps=list(STEPS[:3]), **compared)
    if count >= _PATTERN:
        error = problem(
            "invalid_client",
            "Could not get a token for https://graph.microsoft.com: the client secret has expired.",
            "Make a new secret in the Entra admin center, or use a certificate.",
            identifier("no token"),
        )
        nobody = dict.fromkeys(("tenant_name", "tenant_id", "client_id", "application_name", "object_id", "read_at"))
        hosts["tailspin"] = host([], "tailspin", error=error, **nobody)
    return file(hosts, **facts)
