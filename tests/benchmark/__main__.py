# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make bench`: what the role costs, beside the floor and beside what people use today. Writes docs/docsite/rst/scale.rst.

python -m benchmark [--sizes 1,20] [--runs N] [--latencies 50,0] [--only role,floor] [--keep] [--no-quota] [--no-profile] [--dry]
"""

from __future__ import annotations

import argparse
import datetime
import functools
import itertools
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools import tree

from . import contenders, document, peers, profiles, reach, tenants
from .contenders import Sample
from .results import Results
from .tenant import LocalTenant, local_tenant

SIZES = (1, 20, 200, 1000, 5000)
CONTENDERS = ("floor", "least", "role", "nothing", *tenants.SHAPES, "uri", "sdk")
_WORK = tree.WORK / "benchmark"
# Runs at most, by size: what is serial would take hours. Larger sizes are extrapolated, and named so.
_SERIAL = {
    "uri": {1: 5, 20: 2, 200: 1},
    "sdk": {1: 5, 20: 3, 200: 1},
    "nothing": {1: 99},
    **{name: {shape.leavers: 3} for name, shape in tenants.SHAPES.items()},
    "aduser": {1: 3, 20: 1},
    "cli-m365": {1: 3, 20: 1},
}
# The same for the others, of what takes minutes each.
_LARGE = {5000: {"role": 3, "floor": 1, "least": 1}}
# Seconds of a run, its tenant included, and seconds more for each leaver: a first guess, until one has been seen.
_GUESSES = {
    "role": (11, 0.05),
    "floor": (4, 0.02),
    "least": (4, 0.013),
    "nothing": (5, 0),
    "tenants": (10, 0.2),
    "before": (20, 0.3),
    "forks": (10, 0.2),
    "uri": (4, 1.7),
    "sdk": (5, 0.2),
    "aduser": (6, 2.5),
    "cli-m365": (5, 3),
}
# What comes after all runs: quota and profile.
_LAST = 300


@dataclass(frozen=True)
class Measurement:
    contender: str
    leavers: int
    latency: int

    @property
    def guess(self) -> float:
        start, each = _GUESSES[self.contender]
        return start + each * self.leavers


def main() -> int:
    options = _options()
    results = Results(_WORK, sizes=options.sizes, keep=options.keep)
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"The load of this machine is {load:.1f}: the figures will say little.", flush=True)
    # Also warms the caches of files and bytecode, so that no contender is the first.
    results.kinds, results.tasks_of_one = scout()
    print(f"asked by the role: {results.kinds}", flush=True)
    results.missing = {} if contenders.sdk_is_installed() else {"sdk": "not installed"}
    results.missing |= peers.missing() if options.peers else {}
    results.before = tenants.checkout(options.beside)
    results.missing |= {} if results.before else {"before": f"git does not have {options.beside}"}
    compete(results, plan(options, results))
    if options.quota and not results.quota:
        results.quota = reach.quota_run(_WORK / "tenants" / "quota", options.quota_leavers)
    if options.profile and not results.profile:
        results.profile = profiles.take(_WORK / "tenants" / "profile", max(options.sizes))
    results.finish()
    print(reach.text(results))
    if not options.dry:
        document.write(results)
        print(f"Written: {document.PAGE.relative_to(tree.ROOT)} and its images.")
    shutil.rmtree(_WORK / "tenants", ignore_errors=True)
    return 0


def _options() -> argparse.Namespace:
    def numbers(text: str) -> list[int]:
        return [int(part) for part in text.split(",")]

    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--sizes", type=numbers, default=list(SIZES), help="leavers (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each at most, of which the median is reported")
    parser.add_argument("--latencies", type=numbers, default=[50, 0], help="ms added to every answer; 0 is run once")
    parser.add_argument("--only", default=",".join((*CONTENDERS, *peers.NAMES)), help="contenders (default: all)")
    parser.add_argument("--beside", default=tenants.BEFORE, help="the revision to compare with (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="add to what an earlier run has measured")
    parser.add_argument("--peers", action="store_true", help="those of make bench-peers, too")
    parser.add_argument(
        "--quota", action=argparse.BooleanOptionalAction, default=True, help="the run under a write quota"
    )
    parser.add_argument("--quota-leavers", type=int, default=1000)
    parser.add_argument("--profile", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--dry", action="store_true", help="print only, and leave docs/ as it is")
    return parser.parse_args()


def scout() -> tuple[dict[str, str], int]:
    """What the role asks for in each of its phases, and how many tasks it runs in the first one."""
    with local_tenant(_WORK / "tenants" / "scout", people=20, latency=0.0) as tenant:
        samples = {sample.phase: sample for sample in contenders.role(tenant, 0.0)}
    kinds = {phase: contenders.kinds_of(sample) for phase, sample in samples.items()}
    return kinds, sum(1 for _name, action, *_times in samples["first"].tasks if action)


def plan(options: argparse.Namespace, results: Results) -> list[Measurement]:
    """Everybody in turn, again and again, so that a slow minute of the machine is nobody's own."""
    names = [*CONTENDERS, *(peers.NAMES if options.peers else ())]
    wanted = [name for name in names if name in options.only.split(",") and name not in results.missing]
    runs = []
    sizes = sorted({*options.sizes, *(shape.leavers for shape in tenants.SHAPES.values())})
    for latency, size in itertools.product(options.latencies, sizes):
        for number in range(options.runs if latency else 1):
            for name in wanted:
                most = _SERIAL.get(name, {size: _LARGE.get(size, {}).get(name, options.runs)}).get(size, 0)
                if size not in options.sizes and name not in tenants.SHAPES:
                    continue
                if latency == 0 and (name in _SERIAL or (name != "role" and size > 1000)):
                    continue
                if results.runs_of(name, size, latency / 1000) <= number < most:
                    runs.append(Measurement(name, size, latency))
    return runs


def compete(results: Results, runs: list[Measurement]) -> None:
    seen: dict[str, list[float]] = {}
    for place, run in enumerate(runs):
        began = time.monotonic()
        # Kept together or not at all: a run that was broken off is none.
        for sample in list(_run(run, results)):
            results.add(sample)
            _tell(sample)
        seen.setdefault(run.contender, []).append((time.monotonic() - began) / run.guess)
        left = _LAST + sum(one.guess * statistics.median(seen.get(one.contender, [1.0])) for one in runs[place + 1 :])
        end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=left)
        spent = time.monotonic() - began
        print(f"    ({spent:.0f} s; {place + 1} of {len(runs)} runs, done about {end:%H:%M} UTC)", flush=True)


_numbers = itertools.count()


def _run(run: Measurement, results: Results) -> Iterator[Sample]:
    seconds = run.latency / 1000
    ways: dict[str, Callable[[LocalTenant], Iterator[Sample]]] = {
        "role": lambda tenant: contenders.role(tenant, seconds),
        "floor": lambda tenant: contenders.floor(tenant, seconds, results.kinds, "floor"),
        "least": lambda tenant: contenders.floor(tenant, seconds, contenders.LEAST, "least"),
        "nothing": lambda tenant: contenders.nothing(tenant, seconds, results.tasks_of_one),
        "uri": lambda tenant: contenders.uri(tenant, seconds),
        "sdk": lambda tenant: contenders.sdk(tenant, seconds),
        **{
            name: functools.partial(
                tenants.side_by_side,
                latency=seconds,
                contender=name,
                shape=shape,
                old=results.before if name == "before" else None,
            )
            for name, shape in tenants.SHAPES.items()
        },
        "aduser": lambda tenant: contenders.aduser(tenant, seconds),
        "cli-m365": lambda tenant: contenders.cli(tenant, seconds),
    }
    folder: Path = _WORK / "tenants" / f"{next(_numbers)}"
    with local_tenant(folder, people=run.leavers, latency=seconds) as tenant:
        yield from ways[run.contender](tenant)
    shutil.rmtree(folder)


def _tell(sample: Sample) -> None:
    measured, traffic = sample.measured, sample.traffic
    print(
        f"{sample.contender:<9}{sample.phase:<7}{sample.leavers:>6} leavers {sample.latency * 1000:>3.0f} ms "
        f"{measured.wall:>8.2f} s  CPU {measured.cpu:>7.2f} s  tenant {sample.tenant_cpu:>6.2f} s  "
        f"worker {measured.worker_mb:>4.0f} MB  {traffic.round_trips:>6} round trips  "
        f"{traffic.calls / sample.leavers:>5.2f} calls each  {traffic.tokens} tokens",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
