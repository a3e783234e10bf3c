# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps that change several objects of a leaver, such as devices or consents, each by a separate write.

A leaver is split into one leaver per object (`parts`), each of which goes through `_steps` like any other leaver
does, and what came of them is put into one record (`combine`). What counts as open is decided by `_topics`, so that
the audit reports exactly what these steps close.
"""

from __future__ import annotations

import abc
import dataclasses
import typing as t

from ._doors import NO_MAILBOX
from ._errors import OffboardingError, OptionError, ServiceError
from ._records import record
from ._residual import Finding, Findings, findings
from ._service import Call
from ._steps import Step, untouchable
from ._tenant import Found, Leaver, Tenant, Thing
from ._user_input import RequestedUser, name_key, parse_users

Facts = t.Mapping[str, t.Any]
# The option of a module that restores objects: by user, entries as in `objects` of an earlier record.
Wanted = t.Mapping[str, t.Sequence[Facts]]

# The order of statuses in the record of a leaver whose objects differ.
_FIRST = ("failed", "planned", "accepted", "verified", "unchanged")


# The option of the modules that restore objects.
OBJECTS: dict[str, t.Any] = {"type": "dict"}


def parse_objects(params: t.Mapping[str, t.Any], *, restores: bool) -> Wanted | None:
    """Parse the option `objects`: the objects to restore, by user; `None` if the module closes them.

    The option maps a name or an object ID, written as in `users`, to a list of entries, each with `key`, `kind`, `name`
    and `before`, as a record of an earlier run has them under `objects`. Further keys are ignored.

    :param params: the options of the module.
    :param restores: whether the module restores objects, and so needs them.
    :raises OptionError: it has another form, is not allowed here, or names other users than `users`.
    """
    value = params["objects"]
    if not restores:
        if value:
            raise OptionError("objects is for a state that restores, but this state closes; nothing was sent.")
        return None
    if not value:
        raise OptionError(
            "objects is missing: it lists the objects to restore.",
            hint="For each user, give the objects from the record of an earlier run.",
        )
    wanted: dict[str, list[Facts]] = {}
    for user, entries in value.items():
        if not isinstance(entries, list) or not all(map(_is_entry, entries)):
            raise OptionError(f"objects: the value for {user} is not a list of objects with key, kind and before.")
        wanted[name_key(str(user))] = [entry for entry in entries if entry["before"]]
    asked = {name_key(one.name) for one in parse_users(params["users"])}
    if asked != wanted.keys():
        raise OptionError(f"objects and users differ: {', '.join(sorted(asked ^ wanted.keys()))}; nothing was sent.")
    return wanted


def _is_entry(entry: t.Any) -> bool:
    return (
        isinstance(entry, dict)
        # Null for an object that did not exist: nothing to restore.
        and isinstance(entry.get("before", ...), (dict, type(None)))
        and all(isinstance(entry.get(name), str) and entry[name] for name in ("key", "kind"))
    )


class ObjectsStep(Step):
    """A step that changes several objects of each leaver. Modules subclass it.

    `topics` are those of `_topics.TOPICS` whose objects it changes. Without `wanted` it closes what is found there;
    with it, it restores those objects, and nothing else.
    """

    topics: tuple[str, ...] = ()
    # As `permission` and `sufficient`, of the kinds of object whose write needs another permission.
    permissions: t.ClassVar[t.Mapping[str, tuple[str, frozenset[str]]]] = {}
    # As `action`, for restoring an object.
    action_again = ""

    def __init__(self, wanted: Wanted | None = None) -> None:
        self._wanted = wanted
        self.shuts = wanted is None
        if wanted is not None:
            self.action = self.action_again

    # --- what subclasses say ---

    @abc.abstractmethod
    def thing(self, tenant: Tenant, leaver: Leaver, finding: Finding) -> Thing:
        """An object of a leaver as it was read; `done` is set by the caller.

        :raises ValueError: the object does not say which one it is.
        """

    @abc.abstractmethod
    def closed(self, thing: Thing) -> Facts | None:
        """The facts after the object was closed; `None` if it no longer exists then."""

    @abc.abstractmethod
    def close(self, tenant: Tenant, leaver: Leaver, thing: Thing) -> Call:
        """The write that closes an object."""

    def reopen(self, tenant: Tenant, leaver: Leaver, thing: Thing) -> Call:
        """The write that restores an object; `thing.raw` is its `before` in the evidence."""
        raise RuntimeError(f"what {self.name} closes cannot be made again")

    def unfit(self, leaver: Leaver, thing: Thing) -> str | None:
        """Why an object of the evidence must not be restored, as a sentence."""
        return None

    def find(self, tenant: Tenant, leavers: t.Sequence[Leaver]) -> list[Found]:
        """The objects of these leavers, closed ones too: one reading of each list for each leaver."""
        entries = self.findings(tenant, leavers)
        return [self._found(tenant, leaver, one) for leaver, one in zip(leavers, entries, strict=True)]

    def _found(self, tenant: Tenant, leaver: Leaver, entries: Findings) -> Found:
        things: dict[str, Thing] = {}
        unread = dict(entries.errors)
        for finding in entries.found:
            try:
                thing = self.thing(tenant, leaver, finding)
            except ValueError as exc:
                error = OffboardingError(f"Microsoft's answer does not show {exc}.", code="limited_information")
                unread.setdefault(finding.question.kind, finding.question.explain(error, leaver.name))
                continue
            things[thing.key] = dataclasses.replace(thing, done=not self.is_open(finding), source=finding.question.kind)
        note = None if entries.mailbox else NO_MAILBOX
        return Found(tuple(things.values()), unread, note, entries.mailbox)

    def findings(self, tenant: Tenant, leavers: t.Sequence[Leaver]) -> list[Findings]:
        return findings(tenant, leavers, self.topics)

    def is_open(self, finding: Finding) -> bool:
        """Whether an object must be closed: those that the audit reports, unless a step overrides this."""
        return bool(finding.items)

    def conflict(self, now: Thing, before: Facts) -> str | None:
        """Why an existing object cannot be restored to its old form; `None` if it has that form, or can get it."""
        return None

    def part(self, leaver: Leaver) -> Thing:
        """The one object of a part, see `parts`."""
        (thing,) = _things(leaver)
        return thing

    # --- how a leaver is split and its records combined ---

    @property
    def acts_on_user(self) -> bool:
        return False

    def resolve(self, tenant: Tenant, asked: t.Sequence[RequestedUser], *, writes: bool) -> list[Leaver]:
        return tenant.resolve(asked)

    def prepare(self, tenant: Tenant, leavers: t.Sequence[Leaver]) -> list[Leaver]:
        touched = [leaver for leaver in leavers if not untouchable(self, leaver)]
        found = {id(leaver): one for leaver, one in zip(touched, self._find(tenant, touched), strict=True)}
        return [dataclasses.replace(leaver, found=found.get(id(leaver))) for leaver in leavers]

    def look(self, tenant: Tenant, leavers: t.Sequence[Leaver]) -> list[Leaver]:
        """Each part with its object as it is now. A list that could not be read does not prove that an object is absent."""
        whole = {leaver.known.id: leaver for leaver in leavers}
        read = dict(zip(whole, self._find(tenant, list(whole.values())), strict=True))
        entries = []
        for leaver in leavers:
            before = self.part(leaver)
            found = read[leaver.known.id]
            now = [thing for thing in found.things if thing.key == before.key]
            unread = None if any(thing.facts is not None for thing in now) else found.doubt(before)
            part = (
                leaver if unread else dataclasses.replace(leaver, found=dataclasses.replace(found, things=tuple(now)))
            )
            entries.append(dataclasses.replace(part, error=unread))
        return entries

    def parts(self, leaver: Leaver) -> list[Leaver]:
        found = _found(leaver)
        return [
            dataclasses.replace(leaver, found=dataclasses.replace(found, things=(thing,)))
            for thing in found.things
            # If its list could not be read, it is not known whether an object exists: it must not be created twice.
            if not (thing.done or thing.fixed or (thing.facts is None and found.doubt(thing)))
        ]

    def combine(self, leaver: Leaver, records: t.Sequence[dict[str, t.Any]]) -> dict[str, t.Any]:
        found = _found(leaver)
        parts = self.parts(leaver)
        records = records if parts else []
        entries = [_entry_of(_things(part)[0], one) for part, one in zip(parts, records, strict=True)]
        entries += [_left(thing) for thing in found.things if thing.fixed and not thing.done]
        known = {entry["key"]: entry["after"] for entry in entries if entry.pop("after_known")}
        statuses = {one["status"] for one in records} | ({"failed"} if found.unread else set())
        one = record(
            leaver,
            next((status for status in _FIRST if status in statuses), "unchanged"),
            before={entry["key"]: entry["before"] for entry in entries},
            after=known if known or not records else None,
            note=_note(found),
        )
        errors = [part["error"] for part in records if part["error"]]
        errors += [error.as_record() for error in found.unread.values()]
        return {
            **one,
            "changed": any(part["changed"] for part in records),
            "written_at": max((part["written_at"] for part in records if part["written_at"]), default=None),
            "request_id": next((part["request_id"] for part in reversed(records) if part["request_id"]), None),
            "error": _first_of(errors),
            "objects": entries,
        }

    def complete(self, entries: dict[str, t.Any]) -> dict[str, t.Any]:
        return {**entries, "objects": entries.get("objects", [])}

    def _find(self, tenant: Tenant, leavers: t.Sequence[Leaver]) -> list[Found]:
        found = self.find(tenant, leavers) if leavers else []
        if self._wanted is None:
            return found
        return [self._again(leaver, one) for leaver, one in zip(leavers, found, strict=True)]

    def _again(self, leaver: Leaver, found: Found) -> Found:
        """The objects to restore, each done if it exists and is open."""
        now = {thing.key: thing for thing in found.things}
        things = {}
        for entry in self.wanted_of(leaver):
            there = now.get(entry["key"])
            conflict = self.conflict(there, entry["before"]) if there else None
            thing = Thing(
                entry["key"],
                entry["kind"],
                entry.get("name"),
                facts=there.facts if there else None,
                done=there is not None and not there.done and not conflict,
                fixed=conflict or (there.fixed if there else None),
                raw=entry["before"],
                source=there.source if there else "",
            )
            known = thing.facts is not None or not found.doubt(thing)
            fixed = thing.fixed or (self.unfit(leaver, thing) if known else None)
            things[thing.key] = dataclasses.replace(thing, fixed=fixed)
        return dataclasses.replace(found, things=tuple(things.values()))

    def wanted_of(self, leaver: Leaver) -> list[Facts]:
        """The objects of a leaver to restore; none for a step that closes."""
        wanted = self._wanted or {}
        names = dict.fromkeys(map(name_key, (leaver.known.id, leaver.known.user_principal_name, leaver.asked.name)))
        return [entry for name in names for entry in wanted.get(name, ())]

    # --- what `_steps` asks of each part ---

    def not_applicable(self, leaver: Leaver) -> bool:
        found = _found(leaver)
        return not (found.applicable or found.things or found.unread)

    def is_done(self, leaver: Leaver) -> bool:
        return not (_found(leaver).unread or self.parts(leaver))

    def expected(self, leaver: Leaver) -> dict[str, t.Any]:
        thing = self.part(leaver)
        return {thing.key: dict(thing.raw) if self._wanted is not None else self.closed(thing)}

    def call(self, tenant: Tenant, leaver: Leaver) -> Call:
        thing = self.part(leaver)
        return (self.close if self._wanted is None else self.reopen)(tenant, leaver, thing)

    def target(self, leaver: Leaver) -> str:
        return f"{_label(self.part(leaver))} of {leaver.name}"

    def needs(self, leaver: Leaver) -> tuple[str, frozenset[str]]:
        return self.permissions.get(self.part(leaver).kind) or super().needs(leaver)

    def may_be_done(self, error: OffboardingError) -> bool:
        # Gone already (404), or there already (409, and of a membership 400).
        return isinstance(error, ServiceError) and error.status in (400, 404, 409)

    def shows(self, before: Leaver, now: Leaver) -> bool:
        things = _things(now)
        # An object to restore is always listed, whether it exists or not; a closed one may be gone.
        return all(thing.done for thing in things) and (self._wanted is None or bool(things))

    def describe(self, leaver: Leaver) -> dict[str, t.Any] | None:
        return {thing.key: thing.facts for thing in _things(leaver)}

    def note(self, leaver: Leaver) -> str | None:
        return None


def identity(raw: Facts) -> str:
    """The id of an object of Graph.

    :raises ValueError: it has none, so nothing can be written to it.
    """
    value = raw.get("id")
    if not isinstance(value, str) or not value:
        raise ValueError("the id of an object")
    return value


def _found(leaver: Leaver) -> Found:
    if leaver.found is None:
        raise RuntimeError("nobody has looked for the objects of this leaver")
    return leaver.found


def _things(leaver: Leaver) -> tuple[Thing, ...]:
    return _found(leaver).things


def _label(thing: Thing) -> str:
    return f"{thing.kind.replace('_', ' ')} {thing.name or thing.key}"


def _entry_of(thing: Thing, entries: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The entry of one object; `after_known` says whether `after` was read or predicted."""
    after = entries["after"]
    return {
        "key": thing.key,
        "kind": thing.kind,
        "name": thing.name,
        "status": entries["status"],
        "before": thing.facts,
        "after": None if after is None else after.get(thing.key),
        "after_known": after is not None,
        **{name: entries[name] for name in ("written_at", "request_id", "note", "error")},
    }


def _left(thing: Thing) -> dict[str, t.Any]:
    """The entry of an object that cannot be changed here."""
    return {
        "key": thing.key,
        "kind": thing.kind,
        "name": thing.name,
        "status": "not_applicable",
        "before": thing.facts,
        "after": thing.facts,
        "after_known": True,
        "written_at": None,
        "request_id": None,
        "note": thing.fixed,
        "error": None,
    }


def _note(found: Found) -> str | None:
    fixed = [f"Left as it is: {_label(one)}. {one.fixed}" for one in found.things if one.fixed and not one.done]
    return " ".join([*([found.note] if found.note else []), *fixed]) or None


def _first_of(errors: t.Sequence[t.Mapping[str, str | None]]) -> dict[str, str | None] | None:
    if not errors:
        return None
    more = len(errors) - 1
    error = dict(errors[0])
    if more:
        error["message"] = f"{error['message']} And {more} more of this user."
    return error
