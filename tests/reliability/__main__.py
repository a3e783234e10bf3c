# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make soak`: the long version of what `make test` does in minutes. Its last figures stand in the guide on reliability.

python -m reliability [--seed N] [--schedules N] [--leavers N] [--kills N] [--no-leaks]
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tools import tree

from .leaks import soak_leaks

COLLECTIONS = str(tree.link())
sys.path.insert(0, COLLECTIONS)
os.environ["ANSIBLE_COLLECTIONS_PATH"] = COLLECTIONS


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--schedules", type=int, default=3000)
    parser.add_argument("--leavers", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--leaks", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    began = time.monotonic()
    failures = [
        *soak_schedules(options.seed, options.schedules),
        *soak_crowd(options.seed, options.leavers),
        *soak_kills(options.seed, options.kills),
        *(soak_leaks() if options.leaks else []),
    ]
    print(f"{time.monotonic() - began:.0f} s; {len(failures)} failures")
    for failure in failures:
        print(failure)
    return bool(failures)


def soak_schedules(seed: int, count: int) -> list[str]:
    """Generated fault schedules, from this seed."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    from .schedules import Schedule, check, schedules
    from .world import world

    tally: collections.Counter[str] = collections.Counter()
    failures: list[str] = []

    @seeded(seed)
    @settings(
        max_examples=max(count, 1),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(schedules)
    def run(schedule: Schedule) -> None:
        with world(retry_timeout=60) as made:
            try:
                tally.update(check(made, schedule))
            except AssertionError as exc:
                failures.append(f"{schedule}: {exc}")
                print(failures[-1], flush=True)

    if count:
        run()
    print(
        f"schedules {tally['schedules']}, faults injected {tally['faults']}, leavers processed {tally['leavers']}, "
        f"first runs spoilt {tally['spoilt']}, leavers restored {tally['restored']}, lost or false {len(failures)}",
        flush=True,
    )
    return failures


def soak_crowd(seed: int, count: int) -> list[str]:
    """Ten thousand leavers: 5 % unknown, 5 % without mailbox, 1 % forbidden, 2 % random 5xx."""
    from simulator.faults import Fault

    from .schedules import check_outcome
    from .world import world

    if not count:
        return []
    chance = random.Random(seed)
    with world() as made:
        people = made.tenant.directory.add_crowd(count - count // 20)
        for user in chance.sample(people, count // 20):
            user.mailbox = None
        forbidden = chance.sample(people, count // 100)
        made.tenant.faults.add(
            *(Fault(user=user.id, writes=True, status=403) for user in forbidden),
            Fault(probability=0.02, seed=seed, batch=True, status=503),
        )
        names = [user.upn for user in people] + [f"nobody{number}@contoso.com" for number in range(count // 20)]
        chance.shuffle(names)
        began = time.monotonic()
        outcome = made.offboard(names)
        took = time.monotonic() - began
        statuses = collections.Counter(one["status"] for one in outcome.results)
        failures = []
        try:
            assert len(outcome.results) == len({one["user"] for one in outcome.results}) == len(names)
            check_outcome(made, outcome, people)
            assert statuses["contained"] == len(people) - len(forbidden), statuses
        except AssertionError as exc:
            failures.append(f"{count} leavers: {exc}")
        faults = sum(rule.struck for rule in made.tenant.faults.rules)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"leavers {len(names)}, results {len(outcome.results)}, {dict(statuses)}, faults injected {faults}, "
        f"{took:.0f} s, peak {peak} MB (simulator and all modules in one process)",
        flush=True,
    )
    return failures


def soak_kills(seed: int, count: int) -> list[str]:
    """Whole plays struck by SIGINT, SIGTERM and SIGKILL."""
    from simulator.server import Tenant

    from .kills import strike

    failures, slowest = [], 0.0
    with Tenant() as tenant:
        for number in range(count):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    _sign, took = strike(tenant, Path(folder), seed + number, within=10)
                    slowest = max(slowest, took)
                except (AssertionError, subprocess.TimeoutExpired):
                    failures.append(f"kill {seed + number}: {traceback.format_exc(limit=1)}")
    print(f"kills {count}, slowest end {slowest:.1f} s, not completed by the next run {len(failures)}", flush=True)
    return failures


if __name__ == "__main__":
    sys.exit(main())
