# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""What is asked to be undone: who, and the evidence of the run that shut them out."""

from __future__ import annotations

import json
import os
import re
import typing as t

from ..module_utils._asked import parse_users
from ..module_utils._doors import STEPS
from ..module_utils._errors import OUTCOME_UNKNOWN, OptionError, shorten
from ._evidence import FORMAT, VERSION
from ._sentences import Record

_TEXT, _MAYBE_TEXT, _MAPPING, _MAYBE_MAPPING, _LIST = (str,), (str, type(None)), (dict,), (dict, type(None)), (list,)
_KINDS = {str: "a text", dict: "a mapping", list: "a list", bool: "true or false", type(None): "null"}


def request(leavers: t.Any, *, evidence: str, host: str) -> dict[str, t.Any]:
    """Whom to look at.

    :param leavers: as the modules' O(users).
    :param evidence: path of the evidence, empty for none.
    :returns: C(error), why nothing can be done; C(names), the leavers asked for; C(evidence), the file's content;
        C(read), the names and the object ids that the evidence knows for them.
    """
    told: dict[str, t.Any] = {"error": None, "names": [], "evidence": None, "read": []}
    try:
        asked = parse_users(leavers)
        for message in (one.complaint for one in asked if one.complaint):
            raise OptionError(message, hint="Nothing was sent.")
        names = [one.name for one in asked]
        content = load(evidence) if evidence else None
    except OptionError as exc:
        return {**told, "error": re.sub(r"\busers(?=\[| is )", "restore_employee_leavers", str(exc))}
    except ValueError as exc:
        return {**told, "error": str(exc)}
    hosts = content["hosts"] if content else {}
    # Which host's entry counts is known only when the tenant is; ids of other tenants are found nowhere here.
    entries = [hosts[host]] if host in hosts else list(hosts.values())
    ids = [one["id"] for name in names for entry in entries for one in records_of(name, entry) if one["id"]]
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


def records_of(name: str, entry: Record) -> list[Record]:
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
