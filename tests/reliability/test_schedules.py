# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Three hundred generated fault schedules, the same ones each time; `make soak` runs more, with a seed of its own."""

from __future__ import annotations

import collections

from hypothesis import HealthCheck, Phase, given, settings

from .schedules import EXCHANGE_OUT, KILL, NOT_FOUND, OWN_PASSWORD, Schedule, check, schedules
from .world import world

TALLY: collections.Counter[str] = collections.Counter()


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(schedules)
def test_whatever_happens_nothing_is_lost_and_nothing_is_claimed(schedule: Schedule) -> None:
    with world(retry_timeout=60) as made:
        TALLY.update(check(made, schedule))


def test_the_schedules_were_no_walk_in_the_park() -> None:
    """Runs after the one above: misfortune that struck nobody would prove nothing."""
    assert TALLY["schedules"] >= 300
    assert TALLY["faults"] > 3 * TALLY["schedules"]
    assert TALLY["spoilt"] > 20, "hardly a first run was spoilt"
    for event in (KILL, NOT_FOUND, EXCHANGE_OUT, OWN_PASSWORD):
        assert TALLY[f"event {event}"] > 20, f"hardly a run met: {event}"
    # Not each that is drawn strikes: a run may have nothing left to do by then.
    assert TALLY["killed"] > 10
    assert TALLY["restored"] > 300, "hardly anybody got anything back"
    assert TALLY["restored from several"] > 200
    assert TALLY["restored after a kill"] > 10
    assert TALLY["not believed"] > 5, "hardly a restore met a server that lags"
