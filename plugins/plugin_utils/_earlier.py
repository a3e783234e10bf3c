# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare a run with the evidence of earlier runs.

Every complete run of the same tenant is used, from the newest back to the first of the same purpose that itself compared
with earlier evidence: that one already includes all users of the runs before it. The newest record of a leaver decides, and
of a door that it does not cover, the one before. A run of the other purpose is used too, since both cover the same
doors: an audit after last night's offboarding compares with it. A dry run, a run that was killed and one that read
no user are not used. They are listed, unless the search ended at a newer run.
"""

from __future__ import annotations

import datetime
import typing as t

from ..module_utils._doors import OPEN, PROTOCOLS, SHUT, UNKNOWN
from ..module_utils._errors import OTHER_ACCOUNT, WHICH_ACCOUNT, WRONG_PERSON
from ..module_utils._times import moment_or_none
from ..module_utils._user_input import name_key, same_name
from ._containment import locked_out
from ._evidence_files import Evidence, in_short, read_each
from ._files import Load
from ._messages import Record, as_error, reason_of
from ._results import ACCEPTED, DELETED, not_shut

# States of a door that was read, the worst first.
_KNOWN = (OPEN, ACCEPTED, SHUT)
_KILLED = "its run was killed or has not finished"
_DRY_RUN = "it is from a dry run, which shuts nothing"
_NOBODY = "its run read no user"
_NO_TENANT = "it does not name its tenant"
_UNKNOWN_TENANT = "which tenant this run belongs to is not known"
_NO_TIME = "when it was written cannot be read"
# The clocks of two machines may differ by this much.
_SKEW = datetime.timedelta(hours=1)


def earlier_runs(
    since: t.Any, *, load: Load | None = None, now: datetime.datetime | None = None
) -> list[dict[str, t.Any]]:
    """The runs with evidence, the newest first, with what `Earlier` needs of them, as JSON values.

    In a folder, a file that is not evidence is a run that cannot be compared with. A folder may be empty: before the
    first night nothing is in it.

    :param since: paths, as in `read_each`; empty for none.
    :param load: reads a file, where it may be encrypted.
    :param now: a run that was written later cannot be compared with: it would count as the newest for ever. `None` for any time.
    :raises ValueError: a named file that cannot be read or is not evidence.
    """
    if since in (None, "", [], [""]):
        return []
    runs = [
        {"file": path, "written_at": "", "problem": str(found), "hosts": {}}
        if isinstance(found, ValueError)
        else _run(found, now)
        for path, found in read_each(since, "since", may_be_empty=True, whole=True, load=load)
    ]
    # Times in one format, in UTC, sort as text. A file without its time is always listed.
    return sorted(runs, key=lambda run: run["written_at"] or "9", reverse=True)


def _run(file: Evidence, now: datetime.datetime | None) -> dict[str, t.Any]:
    content = file.content
    is_dry_run = content["purpose"] == "offboard" and content["check_mode"]
    untimely = _untimely(content["written_at"], now)
    return {
        "file": file.path,
        "sha256": file.sha256,
        "written_at": "" if untimely else content["written_at"],
        "purpose": content["purpose"],
        "problem": untimely or (_KILLED if not content["complete"] else _DRY_RUN if is_dry_run else None),
        "hosts": {host: _tenant(entry, content["written_at"]) for host, entry in content["hosts"].items()},
    }


def _untimely(written_at: str, now: datetime.datetime | None) -> str | None:
    """Why the time of a run does not say which run is the newest, `None` if it does."""
    moment = moment_or_none(written_at)
    if not moment:
        return _NO_TIME
    return f"it was written in the future, at {written_at}" if now and moment > now + _SKEW else None


def _tenant(entry: Record, written_at: str) -> dict[str, t.Any]:
    error, compared = entry.get("error"), bool((entry.get("since") or {}).get("compared_with"))
    # Of a run that had compared, everybody may be gone.
    problem = _NOBODY if error or not (entry["leavers"] or compared) else None
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        problem = f"{_NOBODY}: {error['message'].rstrip('.')}"
    return {
        "tenant_id": entry["tenant_id"],
        "problem": problem,
        "compared": compared,
        "people": [_person(one, written_at) for one in entry["leavers"]],
    }


def _person(one: Record, written_at: str) -> dict[str, t.Any]:
    """The part of a leaver's result that is compared."""
    before = one["since"] or {}
    doors = {name: state for name, state in before.get("last_known", {}).items() if state in _KNOWN}
    reported = reported_doors(one)
    doors.update((name, state) for name, state in reported.items() if state != UNKNOWN or name not in doors)
    error = one["error"] or {}
    return {
        "id": one["id"] or before.get("id"),
        "name": one["user_principal_name"] or one["user"],
        "names": sorted(_names(one)),
        "left_at": one["left_at"],
        "doors": doors,
        "contained": one["contained"],
        "shut_out": _was_shut_out(one) or before.get("shut_out", False),
        "password": _own_password(one) or before.get("password"),
        # "deleted", or "not_found" for a user who was deleted permanently.
        "gone": error.get("code") or DELETED if one["status"] == DELETED else None,
        "doubtful": error.get("code") in WRONG_PERSON,
        "locked_out": [locked_out(one)],
        "written_at": written_at,
    }


def _names(one: Record) -> set[str]:
    return {name_key(name) for name in (one["user"], one["user_principal_name"]) if name}


def _was_shut_out(one: Record) -> bool:
    """Whether this run found the leaver shut out, or shut a door: a later date must not let them in again."""
    return one["contained"] or any(entry.get("written_at") for entry in one["steps"].values())


def _own_password(one: Record) -> str | None:
    """The time of the password that this run set and read back, `None` if it did not."""
    entry = one["steps"].get("password") or {}
    facts = entry.get("after") if entry.get("status") == "verified" else None
    return (facts or {}).get("last_password_change_date_time")


class Earlier:
    """What earlier runs say about the leavers of one tenant.

    :param runs: as returned by `earlier_runs`.
    :param purpose: the purpose of this run, `audit` or `offboard`.
    :param host: the name of this tenant in the inventory. If a run has this host, users of its other hosts are not used.
    """

    def __init__(self, runs: t.Sequence[Record], *, tenant_id: str | None, purpose: str, host: str) -> None:
        self._people: dict[str, dict[str, t.Any]] = {}
        self._nameless: dict[str, list[Record]] = {}
        self._ids: dict[str, list[str]] = {}
        self._shut_out: set[str] = set()
        self._elsewhere: set[str] = set()
        self._compared_with: list[Record] = []
        self._not_comparable: list[Record] = []
        # The runs that were used, the newest first.
        self.seen: list[Record] = []
        for run in runs:
            self.seen.append(run)
            entries = {name: one for name, one in run["hosts"].items() if same_name(one["tenant_id"], tenant_id)}
            self._learn_names([person for entry in entries.values() for person in entry["people"]])
            problem = run["problem"] or (_other_tenant(run, entries) if tenant_id else _UNKNOWN_TENANT)
            usable = {name: one for name, one in entries.items() if not one["problem"]}
            if problem or not usable:
                problem = problem or "; ".join(dict.fromkeys(one["problem"] for one in entries.values()))
                self._not_comparable.append({"file": run["file"], "reason": problem})
                continue
            self._compared_with.append({key: run[key] for key in ("file", "written_at", "purpose", "sha256")})
            self._learn(usable, host)
            if run["purpose"] == purpose and all(one["compared"] for one in usable.values()):
                break

    def _learn_names(self, people: t.Iterable[Record]) -> None:
        for person in people:
            if not person["id"]:
                continue
            if person["shut_out"]:
                self._shut_out.add(name_key(person["id"]))
            # The name of a deleted user still means that user: somebody else may have it now.
            for name in () if person["doubtful"] else person["names"]:
                self._ids.setdefault(name, []).append(person["id"])

    def _learn(self, entries: t.Mapping[str, Record], host: str) -> None:
        """Add what one run says; what a newer run has said stays."""
        here: dict[str, dict[str, t.Any]] = {}
        for name, entry in entries.items():
            for person in entry["people"]:
                if not person["id"]:
                    for key in person["names"]:
                        self._nameless.setdefault(key, []).append(person)
                    continue
                key = name_key(person["id"])
                here[key] = _worse(here[key], person) if key in here else dict(person)
                if host in entries and name != host:
                    self._elsewhere.add(key)
        if host in entries:
            self._elsewhere -= {name_key(one["id"]) for one in entries[host]["people"] if one["id"]}
        for key, person in here.items():
            newer = self._people.setdefault(key, person)
            known = {name: state for name, state in newer["doors"].items() if state != UNKNOWN}
            newer["doors"] = {**newer["doors"], **person["doors"], **known}
            # Only the tenant knows whether it is still the current password.
            newer["password"] = newer["password"] or person["password"]

    @property
    def comparison(self) -> dict[str, t.Any]:
        """With which files this run is compared, and with which it cannot be, for the evidence."""
        return {"compared_with": self._compared_with, "not_comparable": self._not_comparable}

    def people(self) -> list[dict[str, t.Any]]:
        """The additional users to read, in the form of one tenant in the option `earlier` of `m365_user_info`."""
        return [
            {
                "id": person["id"],
                "user": person["name"],
                "left_at": person["left_at"],
                "shut_out": key in self._shut_out,
                "password": person["password"],
            }
            for key, person in self._people.items()
            if key not in self._elsewhere
        ]

    def find(self, one: Record) -> Record | None:
        """What is known about a leaver, by object ID, or by name if they had none then or have none now.

        An account recreated under the same name is a different account.

        :param one: a record of `m365_user_info` or a result.
        """
        identity = one["id"] or (one.get("earlier") or {}).get("id") or one.get("former_id")
        if identity and name_key(identity) in self._people:
            return self._people[name_key(identity)]
        for name in _names(one):
            known = self._ids.get(name, [])
            if name in self._nameless and not (identity and known and name_key(identity) not in map(name_key, known)):
                return self._nameless[name][0]
            if not identity and known:
                return self._people.get(name_key(known[0]))
        return None

    def locked_out(self, one: Record) -> list[Record]:
        """When a leaver was locked out, as the newest run knows it that has a record of them; see `_containment.locked_out`.

        :param one: as in `find`.
        """
        then = self.find(one)
        return list(then["locked_out"]) if then else []

    def moved(self, one: Record) -> Record | None:
        """The error of a leaver whose name belonged to another account then, `None` for all others.

        :param one: a record of `m365_user_info`.
        """
        name = str(one["user"])
        then = self._ids.get(name_key(name), [])
        if not (one.get("by_name") and one["id"] and then) or name_key(one["id"]) in map(name_key, then):
            return None
        return as_error(
            OTHER_ACCOUNT,
            f"{name} is now a different account: its object ID is {one['id']}, in the earlier evidence it was "
            f"{' and '.join(dict.fromkeys(then))}; nothing was sent.",
            WHICH_ACCOUNT,
        )

    def is_over(self, opening: Record) -> bool:
        """Whether a leaver needs no further report: deleted permanently, and reported so by the earlier run.

        While another account has the name, the report is what keeps that account from being taken for the leaver.
        """
        known = opening.get("earlier")
        if not known or known["namesake"]:
            return False
        then, is_gone = self.find(opening), (opening["error"] or {}).get("code") == "not_found"
        return bool(is_gone and not opening["id"] and then and then["gone"] == "not_found")

    def change(self, one: Record, opening: Record) -> dict[str, t.Any]:
        """What changed for a leaver, as `since` of their result.

        :param one: the result.
        :param opening: the record of the opening read.
        """
        then, now = self.find(opening), reported_doors(one)
        states: Record = then["doors"] if then else {}

        def was_shut(door: str) -> bool:
            # A deleted account cannot be used: every open door has been opened since.
            return bool(then) and (bool(t.cast("Record", then)["gone"]) or states.get(door) == SHUT)

        found = opening["doors"].items()
        known = opening.get("earlier") or {}
        return {
            "newly_open": [door for door, state in now.items() if state == OPEN and was_shut(door)],
            "newly_shut": [
                door for door, state in now.items() if state == SHUT and states.get(door) in (OPEN, ACCEPTED)
            ],
            # Already in the earlier evidence, as something that somebody has to act on.
            "still_open": [
                door
                for door, state in now.items()
                if (state in (OPEN, UNKNOWN) and states.get(door) == OPEN) or (state == states.get(door) == UNKNOWN)
            ],
            "shut_again": [d for d, state in found if state == OPEN and was_shut(d) and now.get(d) == SHUT],
            "new": then is None,
            "no_longer": _no_longer(one, opening, states) if known else None,
            "compared_with": then["written_at"] if then else None,
            "was_contained": bool(then and then["contained"]),
            "last_known": {
                door: state
                for door, state in states.items()
                if state != UNKNOWN and now.get(door, UNKNOWN) == UNKNOWN and one["status"] != DELETED
            },
            # The next run finds a deleted user by it, when the name may belong to somebody else.
            "id": known.get("id") or (then["id"] if then and same_name(then["id"], opening.get("former_id")) else None),
            "shut_out": bool(then and then["shut_out"]),
            "password": then["password"] if then else None,
        }


def _other_tenant(run: Record, entries: Record) -> str | None:
    """Why a run has no record of this tenant, `None` if it has."""
    if entries:
        return None
    others = [str(one["tenant_id"]) for one in run["hosts"].values() if one["tenant_id"]]
    if others:
        return f"it belongs to another tenant, {in_short(list(dict.fromkeys(others)))}"
    return next((str(one["problem"]) for one in run["hosts"].values() if one["problem"]), _NO_TENANT)


def _worse(one: Record, other: Record) -> dict[str, t.Any]:
    """If one file has two records of a leaver, the worse one is used."""
    doors = dict(one["doors"])
    for door, state in other["doors"].items():
        doors[door] = min(state, doors.get(door, state), key=(OPEN, ACCEPTED, UNKNOWN, SHUT).index)
    return {
        **one,
        "doors": doors,
        "contained": one["contained"] and other["contained"],
        "shut_out": one["shut_out"] or other["shut_out"],
        "password": one["password"] or other["password"],
        "gone": one["gone"] and other["gone"],
        "locked_out": [*one["locked_out"], *other["locked_out"]],
    }


def _no_longer(one: Record, opening: Record, then: Record) -> str:
    """Why a user of the earlier evidence was neither named nor found this time."""
    known = opening["earlier"]
    parts = []
    if not opening["id"]:
        parts.append(reason_of(opening["error"]))
    elif opening["account_enabled"]:
        parts.append("Sign-in is allowed again." if then.get("signin") == SHUT else "Sign-in is allowed.")
    else:
        parts.append("This user was neither named nor found by a search.")
    if opening["id"] and not same_name(one["user_principal_name"], known["user_principal_name"]):
        parts.append(f"The user principal name was {known['user_principal_name']}.")
    if known["namesake"]:
        parts.append(
            f"{known['user_principal_name']} is now a different account, with the object ID {known['namesake']}."
        )
    return " ".join(parts)


def reported_doors(one: Record) -> dict[str, str]:
    """The doors in a result, with their states; one that does not exist counts as shut.

    For a deleted account no door was read.
    """
    if one["status"] == DELETED:
        return {}
    doors = not_shut(one)
    for step, entry in one["steps"].items() if one["id"] else ():
        for name in [step] if step != "protocols" else _reported_protocols(entry, doors):
            if name not in one["not_looked_at"]:
                doors.setdefault(name, SHUT)
    return doors


def _reported_protocols(entry: Record, known: t.Container[str]) -> t.Iterable[str]:
    facts: Record | None = entry["before"] if entry["after"] is None else entry["after"]
    if facts is not None:
        return facts
    # No facts: there is no mailbox, unless it could not be read.
    return () if any(name in known for name in PROTOCOLS) else PROTOCOLS


def needed(runs: t.Sequence[Record], *, purpose: str, host: str) -> list[Record]:
    """The runs that `Earlier` uses, whichever of their tenants it is."""
    last = [len(Earlier(runs, tenant_id=one, purpose=purpose, host=host).seen) for one in _ids(runs)]
    return list(runs[: max(last, default=len(runs))])


def _ids(runs: t.Sequence[Record]) -> list[str]:
    return sorted({str(one["tenant_id"]) for run in runs for one in run["hosts"].values() if one["tenant_id"]})


def tenants(runs: t.Sequence[Record], *, purpose: str, host: str) -> dict[str, list[dict[str, t.Any]]]:
    """The additional users to read, by tenant: the option `earlier` of `m365_user_info`.

    Only the token shows which tenant it is.
    """
    reported = {one: Earlier(runs, tenant_id=one, purpose=purpose, host=host).people() for one in _ids(runs)}
    return {tenant: people for tenant, people in reported.items() if people}


def newly_open(one: Record) -> t.Sequence[str]:
    """The doors of a result that are open and were shut in the earlier evidence, if there is one."""
    doors: t.Sequence[str] = (one["since"] or {}).get("newly_open", ())
    return doors


def is_extra(one: Record) -> bool:
    """Whether a result is of a user known only from the earlier evidence, neither named nor found by a search."""
    return bool((one["since"] or {}).get("no_longer"))
