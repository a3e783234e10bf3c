# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hundred and fifty generated fault schedules, the same each time; `make soak` runs more, with its own seed."""

from __future__ import annotations

import collections

from hypothesis import HealthCheck, Phase, given, settings

from .schedules import EXCHANGE_OUT, KILL, NOT_FOUND, OWN_PASSWORD, Schedule, check, schedules
from .world import world


def test_whatever_happens_nothing_is_lost_and_nothing_is_claimed() -> None:
    tally: collections.Counter[str] = collections.Counter()

    @settings(
        max_examples=150,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    @given(schedules)
    def run(schedule: Schedule) -> None:
        with world(retry_timeout=60) as made:
            tally.update(check(made, schedule))

    run()

    # Faults that never strike would prove nothing.
    assert tally["schedules"] >= 150
    assert tally["faults"] > 3 * tally["schedules"]
    assert tally["spoilt"] > 20, "hardly any first run was spoilt"
    for event in (KILL, NOT_FOUND, EXCHANGE_OUT, OWN_PASSWORD):
        assert tally[f"event {event}"] > 10, f"hardly any run met: {event}"
    # Not every drawn kill strikes: a run may have nothing left to do by then.
    assert tally["killed"] > 5
    assert tally["restored"] > 150, "hardly any leaver was restored"
    assert tally["restored from several"] > 100
    assert tally["restored after a kill"] > 5
    assert tally["not believed"] > 2, "hardly any restore met a server that lags"
