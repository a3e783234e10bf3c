# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Half a year of nightly audits in simulated time: the exit status is red when there is something to do, and only then."""

from __future__ import annotations

import datetime
import pathlib
import tempfile
import typing as t

from ansible_collections.m365.offboarding.plugins.module_utils._user_input import Search
from ansible_collections.m365.offboarding.plugins.plugin_utils import _batches, _earlier, _exceptions, _table
from fakes.records import kept_of
from simulator.directory import timestamp
from simulator.people import SHUT

from .world import World, world

NIGHTS = 182
DAY = datetime.timedelta(days=1)
TYPO = "no.such.person@contoso.com"
NOBODY: dict[str, t.Any] = {"filter": "", "group": "", "left_before": "", "left_at": ""}


class NightlyRuns:
    """One tenant whose audit runs every night, and what its exit status was."""

    def __init__(self, made: World, *, fail_on: t.Sequence[str] = ("new", "open", "failed")) -> None:
        self.world = made
        self.directory = made.tenant.directory
        self.fail_on = fail_on
        self.listed: list[t.Any] = []
        self.exceptions: list[dict[str, t.Any]] = []
        self.earlier: t.Any = None
        self.red: dict[int, list[str]] = {}
        self.outputs: list[list[str]] = []

    def user(self, key: str) -> t.Any:
        return self.directory.user(key)

    def day(self, after: int = 0) -> str:
        return (self.directory.now() + after * DAY).date().isoformat()

    def accept(self, days: int, **entry: t.Any) -> None:
        """Accept doors from now on, the last day included."""
        words = {"reason": "It is known and intended.", "accepted_by": "Chris Cio", "until": self.day(days)}
        given = [
            {key: value for key, value in one.items() if key in _exceptions.FIELDS and value} for one in self.exceptions
        ]
        entries = enumerate([*given, {"doors": "all", **words, **entry}], 1)
        placed = ((f"entry {number}", one) for number, one in entries)
        self.exceptions = _exceptions.parse_exceptions(placed, self.day())

    def night(self, number: int) -> list[dict[str, t.Any]]:
        """Audit the list and everybody whose sign-in is blocked, compared with the night before."""
        made = self.world
        opening = made._module(
            lambda: made.look(self.listed, search=Search.parse({**NOBODY, "blocked": True}), mailbox_types=True)
        )
        opening["automation"] = {"tenant_id": made.tenant.tenant_id}
        now = timestamp(self.directory.now())
        kept = kept_of(opening, earlier=self.earlier, started_at=now, exceptions=self.exceptions)
        leavers = _batches.unpack(kept["records"])
        reported = _table.failures(leavers, fail_on=self.fail_on)
        if reported:
            self.red[number] = reported
        self.outputs.append(_table.table(leavers, kept["entry"]["since"], exceptions=kept["entry"]["exceptions"]))
        self.earlier = self.read(made._evidence(kept, "audit", complete=True))
        made.clock.advance(DAY.total_seconds())
        return leavers

    def read(self, evidence: str) -> _earlier.Earlier:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "night.json"
            path.write_text(evidence)
            runs = _earlier.earlier_runs(str(path))
        return _earlier.Earlier(runs, tenant_id=self.world.tenant.tenant_id, purpose="audit", host="localhost")

    def block(self, key: str, *, left_at: str | None = None) -> None:
        """What Active Directory's team does: disable the account and set another password."""
        now = timestamp(self.directory.now())
        self.user(key).update({"accountEnabled": False, "lastPasswordChangeDateTime": now})
        self.listed.append({"user": self.user(key).id, **({"left_at": left_at} if left_at else {})})


def settle(nights: NightlyRuns) -> None:
    """Whoever is there on the first night, and would once have made every night red."""
    room, rooms = nights.user("blocked"), {"kind": "RoomMailbox"}
    room.mailbox.kind = "RoomMailbox"
    nights.accept(NIGHTS + 30, **rooms)
    nights.accept(NIGHTS + 30, kind="SharedMailbox")
    # An administrator who stays on as a contractor, and a name in the list that nobody can correct.
    nights.listed += [nights.user("admin").id, TYPO, nights.user("deleted").upn]
    nights.accept(60, user=nights.user("admin").upn)
    nights.accept(NIGHTS + 30, user=TYPO)
    # Synced: left, disabled and reset in Active Directory; the sign-out in the cloud came hours later.
    left_at = timestamp(nights.directory.now() - datetime.timedelta(hours=2))
    nights.block("synced", left_at=left_at)
    nights.world.clock.advance(3 * 3600)
    nights.user("synced").update({"signInSessionsValidFromDateTime": timestamp(nights.directory.now())})
    nights.user("synced").mailbox.update(SHUT)


# What happens before which night, and on which nights the audit is red thereby.
PURGED, RENEWED, REOPENED, SHUT_AGAIN, PROTOCOLS, PROTOCOLS_OFF, ROOM_ENABLED, ROOM_BLOCKED = (
    27,
    64,
    90,
    92,
    120,
    121,
    150,
    151,
)


def happen(nights: NightlyRuns, number: int) -> None:
    if number == PURGED:
        # Thirty days in the bin are over: the name is as good as a typo, and is accepted as one.
        nights.accept(NIGHTS, user=nights.user("deleted").upn)
    if number == RENEWED:
        nights.exceptions = [one for one in nights.exceptions if one["user"] != nights.user("admin").upn]
        nights.accept(NIGHTS, user=nights.user("admin").id)
    if number == REOPENED:
        nights.directory.synchronise()
    if number == SHUT_AGAIN:
        nights.user("synced")["accountEnabled"] = False
    if number in (PROTOCOLS, PROTOCOLS_OFF):
        nights.user("offboarded").mailbox.update(
            {"OWAEnabled": number == PROTOCOLS, "ImapEnabled": number == PROTOCOLS}
        )
    if number in (ROOM_ENABLED, ROOM_BLOCKED):
        # Nobody who can sign in is blocked by nature; named, so that the search is not what finds it.
        room = nights.user("blocked")
        room["accountEnabled"] = number == ROOM_ENABLED
        nights.listed += [room.id] if number == ROOM_ENABLED else []


def expected() -> dict[int, str]:
    """The nights with something to do, and who is named."""
    return {
        # The exception for the administrator ended with night 60.
        **dict.fromkeys(range(61, RENEWED), "ada.admin@contoso.com"),
        **dict.fromkeys(range(REOPENED, SHUT_AGAIN), "simon.synced@contoso.com"),
        PROTOCOLS: "otto.offboarded@contoso.com",
        ROOM_ENABLED: "bert.blocked@contoso.com",
    }


def test_half_a_year_of_audits_is_red_for_what_somebody_must_do_and_for_nothing_else() -> None:
    with world() as made:
        nights = NightlyRuns(made)
        settle(nights)
        for number in range(NIGHTS):
            happen(nights, number)
            nights.night(number)

        assert {number: reported[0].partition(":")[0] for number, reported in nights.red.items()} == expected()
        assert all(len(reported) == 1 for reported in nights.red.values())
        assert "ended on" in nights.red[61][0]
        # Nobody was made contained by being accepted.
        assert nights.outputs[0][0] == "3 of 8 leavers are contained, 4 accepted", nights.outputs[0]
        assert not any(entry.writes for entry in made.tenant.journal)


def test_new_is_red_once_for_each_thing_to_do() -> None:
    with world() as made:
        nights = NightlyRuns(made, fail_on=["new", "failed"])
        settle(nights)
        for number in range(NIGHTS):
            happen(nights, number)
            nights.night(number)
        assert sorted(nights.red) == [61, REOPENED, PROTOCOLS, ROOM_ENABLED]


def test_without_exceptions_the_same_people_are_open_every_night() -> None:
    with world() as made:
        nights = NightlyRuns(made)
        settle(nights)
        nights.exceptions = []
        for number in range(3):
            reported = {one["user_principal_name"] or one["user"]: one["status"] for one in nights.night(number)}
            assert reported == {
                "ada.admin@contoso.com": "open",
                TYPO: "failed",
                "dora.deleted@contoso.com": "deleted",
                "simon.synced@contoso.com": "contained",
                "bert.blocked@contoso.com": "open",
                "otto.offboarded@contoso.com": "contained",
                "info@contoso.com": "open",
                "rosa.residual@contoso.com": "contained",
            }, reported
        assert sorted(nights.red) == [0, 1, 2]
