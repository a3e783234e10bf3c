# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A month of nights: what happens to leavers between two audits is named by the first audit after it."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import random
from collections.abc import Callable

import pytest

from simulator.directory import User, timestamp

from .world import Killed, Outcome, World, world

DAY = 24 * 3600.0
STAFF = ("jane", "john", "maria", "ahmed", "wei", "nomail")
DEEDS = (
    "offboard",
    "re-enable",
    "turn on IMAP",
    "delete",
    "bring back",
    "recreate",
    "rename",
    "sign out",
    "expired secret",
    "killed run",
    "killed audit",
    "another tenant",
    "dry run",
    "audit of one",
)


@dataclasses.dataclass
class Month:
    """A tenant, the folder that keeps its evidence, and what has happened in it."""

    world: World
    folder: pathlib.Path
    chance: random.Random
    # By object ID: who was offboarded, and the door that was opened since the last audit.
    leavers: dict[str, User] = dataclasses.field(default_factory=dict)
    opened: dict[str, str] = dataclasses.field(default_factory=dict)
    # By object ID: whose name another account has got since the last audit.
    replaced: set[str] = dataclasses.field(default_factory=set)
    # Names of the files that cannot be compared with, since the last audit.
    spoilt: set[str] = dataclasses.field(default_factory=set)
    # By object ID: those that the last audit found among the deleted.
    seen_in_bin: set[str] = dataclasses.field(default_factory=set)
    # By object ID: the name that the last audit saw.
    names: dict[str, str] = dataclasses.field(default_factory=dict)
    files: int = 0
    events: set[str] = dataclasses.field(default_factory=set)

    def keep(self, text: str | None, *, spoilt: bool = False) -> None:
        self.files += 1
        assert text is not None
        name = f"{self.files:03}.json"
        (self.folder / name).write_text(text)
        if spoilt:
            self.spoilt.add(name)

    def exists(self, user: User) -> bool:
        return user.id in self.world.tenant.directory.users

    def pick(self, condition: Callable[[User], bool] | None = None) -> User | None:
        """One of the leavers that meet the condition; without one, a leaver who is not deleted."""
        found = [user for user in self.leavers.values() if (condition or self.exists)(user)]
        return self.chance.choice(found) if found else None

    def newcomer(self) -> User:
        staff = [self.world.tenant.directory.user(key) for key in STAFF]
        staff = [user for user in staff if self.exists(user) and user.id not in self.leavers]
        return self.chance.choice(staff) if staff else self.world.tenant.directory.add_crowd(1)[0]

    def day(self, event: str) -> None:
        self.world.clock.advance(DAY / 3)
        if getattr(self, event.replace(" ", "_").replace("-", "_").lower())():
            self.events.add(event)
        self.world.clock.advance(DAY / 3)

    # --- what happens by day ---

    def offboard(self) -> bool:
        again = self.pick(lambda one: self.exists(one) and one.id not in self.opened)
        user = again if again and self.chance.random() < 0.3 else self.newcomer()
        (one,) = self.world.offboard([user.upn]).results
        assert one["contained"], one
        self.keep(self.world.file)
        self.leavers[user.id] = user
        return True

    def re_enable(self) -> bool:
        user = self.pick(lambda one: self.exists(one) and one["accountEnabled"] is False)
        if user:
            user["accountEnabled"] = True
            self.opened[user.id] = "signin"
        return bool(user)

    def turn_on_imap(self) -> bool:
        user = self.pick(lambda one: self.exists(one) and bool(one.mailbox) and not one.mailbox["ImapEnabled"])
        if user:
            user.mailbox["ImapEnabled"] = True
            self.opened.setdefault(user.id, "imap")
        return bool(user)

    def delete(self) -> bool:
        user = self.pick()
        if user:
            self.world.tenant.directory.delete(user)
            self.opened.pop(user.id, None)
        return bool(user)

    def bring_back(self) -> bool:
        """Somebody takes an account out of the bin and opens it."""
        directory = self.world.tenant.directory
        user = self.pick(lambda one: one.id in self.seen_in_bin and not directory.by_upn(one.upn))
        if user:
            directory.restore(user)
            user["accountEnabled"] = True
            self.opened[user.id] = "signin"
        return bool(user)

    def recreate(self) -> bool:
        """Somebody else gets the name of a deleted leaver: another account, whose doors are nobody's business here."""
        directory = self.world.tenant.directory
        # A name that no audit has seen is nobody's old name.
        user = self.pick(lambda one: not self.exists(one) and self.names.get(one.id) == one.upn)
        user = user if user and not directory.by_upn(user.upn) else None
        if user:
            (other,) = directory.add_crowd(1)
            other["userPrincipalName"] = user.upn
            self.replaced.add(user.id)
        return bool(user)

    def rename(self) -> bool:
        user = self.pick()
        if user:
            user["userPrincipalName"] = f"former{self.files}.{user.key}@contoso.com"
        return bool(user)

    def sign_out(self) -> bool:
        """Another tool signs a leaver out, days after our reset: that opens nothing."""
        user = self.pick(lambda one: self.exists(one) and one["accountEnabled"] is False)
        if user:
            user["signInSessionsValidFromDateTime"] = timestamp(self.world.tenant.directory.now())
        return bool(user)

    # --- evidence that cannot be compared with, or is of somebody else ---

    def expired_secret(self) -> bool:
        app = self.world.tenant.app("offboarding")
        app.secret_expired = True
        outcome = self.audit(spoilt=True)
        app.secret_expired = False
        assert outcome.failures
        assert outcome.results == []
        return True

    def killed_run(self) -> bool:
        def strike(task: str) -> None:
            if task == "signin":
                raise Killed

        self.world.before_task = strike
        with pytest.raises(Killed):
            self.world.offboard([self.newcomer().upn])
        self.world.before_task = lambda task: None
        self.keep(self.world.file, spoilt=True)
        return True

    def killed_audit(self) -> bool:
        """An audit writes an empty file when it begins, and the whole one at its end."""
        self.world.audit(["jane.doe@contoso.com"])
        begun = json.loads(str(self.world.file))
        begun["complete"] = False
        begun["hosts"]["localhost"] |= {"tenant_id": None, "leavers": []}
        self.keep(json.dumps(begun), spoilt=True)
        return True

    def another_tenant(self) -> bool:
        self.world.audit(blocked=True)
        self.keep(
            str(self.world.file).replace(self.world.tenant.tenant_id, "00000000-0000-4000-8000-00000000f00d"),
            spoilt=True,
        )
        return True

    def dry_run(self) -> bool:
        self.world.offboard([self.newcomer().upn], check_mode=True)
        self.keep(self.world.file, spoilt=True)
        return True

    def audit_of_one(self) -> bool:
        """The helpdesk looks at one person, compares with nothing, and keeps the evidence in the same folder."""
        outcome = self.world.audit([f"{self.chance.choice(('jane.doe', 'john.roe'))}@contoso.com"])
        self.keep(self.world.file)
        (one,) = outcome.results
        door = self.opened.pop(one["id"], None)
        # That was the first audit after it: it says open, which no later one calls new.
        assert door is None or (door in one["open"] and outcome.failures), one
        return True

    # --- the night ---

    def audit(self, *, spoilt: bool = False) -> Outcome:
        outcome = self.world.audit(blocked=True, since=str(self.folder))
        self.keep(self.world.file, spoilt=spoilt)
        return outcome

    def night(self) -> None:
        """The audit of the night names what was opened since the last one, and whose account it is; it loses nobody."""
        outcome = self.audit()
        by_id = {one["id"] or (one["since"] or {}).get("id"): one for one in outcome.results}
        directory = self.world.tenant.directory
        for identity, door in self.opened.items():
            one = by_id[identity]
            name = directory.user(identity).upn
            assert door in one["since"]["newly_open"], f"{name}: {door} is open, and not newly: {one}"
            assert any(line.startswith(f"{name}: newly open: ") for line in outcome.failures), outcome.failures
            assert any(line.startswith("newly open since ") and name in line for line in outcome.table), outcome.table
        for identity, one in by_id.items():
            newly = one["since"]["newly_open"]
            assert not newly or identity in self.opened, f"{one['user']} is called newly open: {newly}"
        for user in self.leavers.values():
            if self.exists(user) or directory.in_bin(user.id):
                assert user.id in by_id, f"{user.upn} is lost"
            if self.exists(user) and user["accountEnabled"] is False and not by_id[user.id]["open"]:
                assert by_id[user.id]["contained"], by_id[user.id]
        for identity in self.replaced:
            assert "is now a different account" in by_id[identity]["since"]["no_longer"], by_id[identity]
        reported = {pathlib.Path(one["file"]).name for one in outcome.entry["since"]["not_comparable"]}
        assert reported == self.spoilt
        shown = "".join("".join(outcome.table).split())
        assert all(f"{name}:" in shown for name in reported), outcome.table
        self.spoilt.clear()
        self.names |= {user.id: user.upn for user in self.leavers.values() if self.exists(user)}
        self.seen_in_bin = {user.id for user in self.leavers.values() if directory.in_bin(user.id)}
        self.opened.clear()
        self.replaced.clear()


@pytest.mark.parametrize("seed", range(3))
def test_a_month_of_nights_ends_with_every_newly_open_door_named_in_the_first_audit_after_it(
    seed: int, tmp_path: pathlib.Path
) -> None:
    chance = random.Random(seed)
    events = ["offboard", "offboard", "offboard", *chance.sample(DEEDS, len(DEEDS)), *chance.choices(DEEDS, k=30)]
    with world() as made:
        month = Month(made, tmp_path, chance)
        for night in range(30):
            for event in events[night::30]:
                month.day(event)
            if night >= 20:
                # What had nobody to happen to happens now, if need be to somebody who is deleted for it tonight.
                missing = [one for one in DEEDS if one not in month.events]
                for event in [*missing, *(["offboard", "delete"] if missing else [])]:
                    month.day(event)
            month.night()
    assert month.events == set(DEEDS)
