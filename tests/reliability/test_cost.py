# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run asks for, counted in the tenant's journal: requests, round trips and tokens. Never seconds."""

from __future__ import annotations

import collections
import typing as t
from collections.abc import Iterator, Sequence

import pytest

from .world import STEPS, World, world

JANE = "jane.doe@contoso.com"
TASKS = ("opening", *STEPS, "closing")


@pytest.fixture
def w() -> Iterator[World]:
    with world() as made:
        yield made


def asked_by_task(w: World, users: Sequence[t.Any]) -> dict[str, list[t.Any]]:
    """What the tenant was asked for by each task of a run, which must end with everybody contained."""
    starts: dict[str, int] = {}
    w.before_task = lambda task: starts.__setitem__(task, len(w.tenant.journal))
    outcome = w.offboard(users)
    assert all(one["contained"] for one in outcome.results)
    ends = [*list(starts.values())[1:], len(w.tenant.journal)]
    return {task: w.tenant.journal[start:end] for (task, start), end in zip(starts.items(), ends, strict=True)}


def of_services(entries: t.Iterable[t.Any], *, batches: bool = True) -> list[t.Any]:
    """The requests to Microsoft Graph and Exchange Online, each that travelled in a batch, and the batches themselves."""
    return [entry for entry in entries if entry.listener != "entra" and (batches or not entry.path.endswith("/$batch"))]


def tokens(entries: t.Iterable[t.Any]) -> dict[str, int]:
    """How many tokens were asked for, by audience."""
    posted = [entry for entry in entries if entry.listener == "entra" and entry.method == "POST"]
    return collections.Counter(entry.identity for entry in posted)


def test_a_run_for_one_leaver_takes_fourteen_requests(w: World) -> None:
    asked = asked_by_task(w, [JANE])

    assert {task: len(of_services(entries)) for task, entries in asked.items()} == {
        # The user, the mailbox, the directory roles.
        "opening": 3,
        # The user, the write, the proof.
        "password": 3,
        # The user, the write.
        "sessions": 2,
        "signin": 2,
        "protocols": 2,
        # The person and the mailbox.
        "closing": 2,
    }


def test_a_run_that_finds_everything_shut_takes_three_requests(w: World) -> None:
    w.offboard([JANE])
    before = len(w.tenant.journal)

    w.offboard([JANE])

    assert len(of_services(w.tenant.journal[before:])) == 3


@pytest.mark.parametrize("people", [1, 25])
def test_no_token_is_asked_for_twice_within_a_task(w: World, people: int) -> None:
    users = [user.upn for user in w.tenant.directory.add_crowd(people)]

    asked = asked_by_task(w, users)

    assert tuple(asked) == TASKS
    # One for each service that the task talks to.
    assert {task: sorted(tokens(entries).values()) for task, entries in asked.items()} == {
        "opening": [1, 1],
        "password": [1],
        "sessions": [1],
        "signin": [1],
        "protocols": [1, 1],
        "closing": [1, 1],
    }


@pytest.mark.parametrize("people", [40, 200])
def test_requests_grow_by_fourteen_a_leaver_and_travel_in_batches(w: World, people: int) -> None:
    users = [user.upn for user in w.tenant.directory.add_crowd(people)]

    entries = [entry for one in asked_by_task(w, users).values() for entry in one]

    assert len(of_services(entries, batches=False)) == 14 * people
    travelled = [entry for entry in of_services(entries) if entry.batch is None]
    # Eleven of the fourteen are Graph's, twenty to a batch; three are Exchange's, ten to a batch.
    assert len(travelled) == 11 * people / 20 + 3 * people / 10


def test_an_application_that_may_read_the_administrators_asks_for_them_in_each_step_that_locks_out(w: World) -> None:
    w.app = "offboarding-privileged"

    asked = asked_by_task(w, [JANE])

    administrators = {
        task: [one for one in entries if "/directoryRoles" in one.path] for task, entries in asked.items()
    }
    assert {task: len(found) for task, found in administrators.items() if found} == {"password": 1, "signin": 1}
