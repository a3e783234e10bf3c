# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""What changed since an earlier evidence file."""

from __future__ import annotations

import json
import typing as t

from ..module_utils._asked import name_key
from ..module_utils._doors import OPEN, PROTOCOLS, SHUT, UNKNOWN
from ..module_utils._errors import OTHER_ACCOUNT, WRONG_PERSON
from ..module_utils._foreign import clean
from ._evidence import FORMAT, VERSION
from ._results import ACCEPTED
from ._sentences import Record, as_error


def from_json(text: str) -> t.Any:
    """What an evidence file holds, its texts clean: they are shown again, and joined with what is read now.

    :raises ValueError: it is no JSON; the text is not quoted.
    """
    try:
        return clean(json.loads(text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")))
    except (ValueError, RecursionError):
        raise ValueError("the earlier file is no evidence: it is no JSON") from None


class Earlier:
    """An evidence file of an earlier run, to compare with.

    :raises ValueError: no evidence, of a version that is not ours, or damaged.
    """

    def __init__(self, evidence: t.Any) -> None:
        if not isinstance(evidence, t.Mapping) or evidence.get("format") != FORMAT:
            raise ValueError(f"the earlier file is no evidence: its format is not {FORMAT}")
        if evidence.get("version") != VERSION:
            raise ValueError(
                f"the earlier evidence has version {evidence.get('version')}; only version {VERSION} can be read"
            )
        self.written_at = str(_must_be(evidence.get("written_at"), str, "written_at"))
        self._by_id: dict[str, list[Record]] = {}
        self._by_name: dict[str, list[Record]] = {}
        for one in _earlier_leavers(evidence):
            if one["id"]:
                self._by_id.setdefault(name_key(one["id"]), []).append(one)
            for name in _names(one):
                self._by_name.setdefault(name, []).append(one)

    def records(self, one: Record) -> list[Record]:
        """What it holds of a leaver, of all hosts.

        An object id decides where both have one: who was deleted and made anew under the old name is somebody else.
        """
        known = self._by_id.get(name_key(one["id"]), []) if one["id"] else []
        by_name = [then for name in _names(one) for then in self._by_name.get(name, ())]
        return known or [then for then in by_name if not (one["id"] and then["id"])]

    def moved(self, one: Record) -> Record | None:
        """The error of a leaver who was asked for by a name that meant another account then, `None` for all others.

        :param one: a record of M(m365.offboarding.m365_user_info).
        """
        name = str(one["user"])
        then = [told["id"] for told in self._by_name.get(name_key(name), ()) if told["id"] and not _is_doubtful(told)]
        if not (one.get("by_name") and one["id"] and then) or name_key(one["id"]) in map(name_key, then):
            return None
        return as_error(
            OTHER_ACCOUNT,
            f"{name} is now another account: its object id is {one['id']}, in the earlier evidence it was "
            f"{' and '.join(dict.fromkeys(then))}; nothing was sent.",
            "Find out which of the two is meant, then ask for it by its object id.",
        )

    def doors(self, one: Record) -> dict[str, str]:
        """The doors of a leaver that were looked at then; of several records the worst counts."""
        doors: dict[str, str] = {}
        for then in self.records(one):
            for door, state in _told_doors(then).items():
                doors[door] = min(state, doors.get(door, state), key=(OPEN, ACCEPTED, UNKNOWN, SHUT).index)
        return doors

    def contained(self, one: Record) -> bool:
        records = self.records(one)
        return bool(records) and all(then["contained"] for then in records)


def _is_doubtful(one: Record) -> bool:
    """Whether this record is about an account that was taken for somebody else's."""
    return (one.get("error") or {}).get("code") in WRONG_PERSON


def offboarded(evidence: t.Any) -> list[str]:
    """Object ids of those whom an earlier run has shut out, wholly or in part: no list is to let them in again.

    :param evidence: the evidence, None if there is none.
    :raises ValueError: as `Earlier`.
    """
    compared = compared_with(evidence)
    if compared is None:
        return []
    return sorted(
        str(one["id"])
        for one in _earlier_leavers(evidence)
        if one["id"] and (one["contained"] or any(entry.get("written_at") for entry in one["steps"].values()))
    )


def compared_with(evidence: t.Any) -> Earlier | None:
    # What a template gives as null, ansible-core 2.16 hands on as an empty text.
    return None if evidence in (None, "") else Earlier(evidence)


def _earlier_leavers(evidence: Record) -> t.Iterator[Record]:
    for host, tenant in _must_be(evidence.get("hosts"), t.Mapping, "hosts").items():
        where = f"hosts.{host}"
        for number, one in enumerate(_must_be(_key(tenant, "leavers", where), list, f"{where}.leavers")):
            place = f"{where}.leavers[{number}]"
            for key in ("open", "unconfirmed", "not_looked_at"):
                for name in _must_be(_key(one, key, place), list, f"{place}.{key}"):
                    _must_be(name, str, f"{place}.{key}[]")
            for key in ("id", "user_principal_name"):
                _must_be(_key(one, key, place) or "", str, f"{place}.{key}")
            _must_be(_key(one, "user", place), str, f"{place}.user")
            _key(one, "contained", place)
            for step, entry in _must_be(_key(one, "steps", place), t.Mapping, f"{place}.steps").items():
                for key in ("before", "after"):
                    _must_be(_key(entry, key, f"{place}.steps.{step}") or {}, t.Mapping, f"{place}.steps.{step}.{key}")
            yield one


def _key(holder: t.Any, key: str, where: str) -> t.Any:
    if key not in _must_be(holder, t.Mapping, where):
        raise ValueError(f"the earlier evidence is damaged: {where} has no {key}")
    return holder[key]


def _must_be(value: t.Any, kind: t.Any, where: str) -> t.Any:
    if not isinstance(value, kind):
        names = {str: "text", list: "list"}
        raise ValueError(f"the earlier evidence is damaged: {where} is no {names.get(kind, 'mapping')}")
    return value


def _names(one: Record) -> set[str]:
    return {name_key(name) for name in (one["user"], one["user_principal_name"]) if name}


def _told_doors(one: Record) -> dict[str, str]:
    """The doors that a result tells of, with their states; one that does not exist counts as shut.

    Of a deleted account no door was read.
    """
    if one.get("status") == "deleted":
        return {}
    doors = dict.fromkeys(one["open"], OPEN) | dict.fromkeys(one["unconfirmed"], UNKNOWN)
    doors |= {door: ACCEPTED for accepted in one.get("accepted") or () for door in accepted["doors"]}
    for step, entry in one["steps"].items() if one["id"] else ():
        for name in [step] if step != "protocols" else _told_protocols(entry, doors):
            if name not in one["not_looked_at"]:
                doors.setdefault(name, SHUT)
    return doors


def _told_protocols(entry: Record, not_shut: t.Container[str]) -> t.Iterable[str]:
    facts: Record | None = entry["before"] if entry["after"] is None else entry["after"]
    if facts is not None:
        return facts
    # No facts: there is no mailbox, unless it could not be read.
    return () if any(name in not_shut for name in PROTOCOLS) else PROTOCOLS


def changes(leavers: t.Sequence[Record], earlier: t.Any) -> list[dict[str, t.Any]]:
    """The same results with C(since): what changed since an earlier evidence file.

    A door that one of the two did not look at, or could not tell of, has not changed.

    :param earlier: the evidence, C(None) if there is none.
    :raises ValueError: as R(Earlier).
    """
    compared = compared_with(earlier)
    return [{**one, "since": _change(one, compared) if compared else None} for one in leavers]


def _change(one: Record, earlier: Earlier) -> dict[str, t.Any]:
    now, then = _told_doors(one), earlier.doors(one)
    return {
        "newly_open": [door for door, state in now.items() if state == OPEN and then.get(door) == SHUT],
        "newly_shut": [door for door, state in now.items() if state == SHUT and then.get(door) in (OPEN, ACCEPTED)],
        # Told by the earlier evidence already, as something that somebody has to act on.
        "still_open": [
            door
            for door, state in now.items()
            if (state in (OPEN, UNKNOWN) and then.get(door) == OPEN) or (state == then.get(door) == UNKNOWN)
        ],
        "new": not earlier.records(one),
    }


def newly_open(one: Record) -> t.Sequence[str]:
    """The doors of a result that are open and were shut in the earlier evidence, if there is one."""
    doors: t.Sequence[str] = (one["since"] or {}).get("newly_open", ())
    return doors
