# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make bench`: what the role costs, beside the floor and beside what people use today. Writes docs/benchmark.md.

python -m benchmark [--sizes 1,20] [--runs N] [--latencies 50,0] [--only role,floor] [--no-quota] [--no-profile] [--dry]
"""

from __future__ import annotations

import argparse
import collections
import itertools
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tools import tree

from . import contenders, document, profiles, reach
from .contenders import Sample
from .results import Results
from .tenant import LocalTenant, local_tenant

SIZES = (1, 20, 200, 1000, 5000)
CONTENDERS = ("floor", "least", "role", "imports", "uri", "sdk")
_WORK = tree.WORK / "benchmark"
# Runs at most, by size: what is serial would take hours. Larger sizes are extrapolated, and named so.
_SERIAL = {"uri": {1: 5, 20: 3, 200: 1}, "sdk": {1: 5, 20: 3, 200: 3, 1000: 1}, "imports": {1: 99}}
# Seconds of fewer runs for what takes minutes each.
_LARGE = {5000: 3}


def main() -> int:
    options = _options()
    shutil.rmtree(_WORK, ignore_errors=True)
    _WORK.mkdir(parents=True)
    results = Results(_WORK / "results.jsonl", sizes=options.sizes, runs=options.runs)
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"The load of this machine is {load:.1f}: the figures will say little.", flush=True)
    # Also warms the caches of files and bytecode, so that no contender is the first.
    results.kinds, results.modules = scout()
    print(f"asked by the role: {results.kinds}", flush=True)
    for latency in options.latencies:
        compete(results, options, latency)
    if options.quota:
        results.quota = reach.quota_run(_WORK / "quota", options.quota_leavers)
    if options.profile:
        results.profile = profiles.take(_WORK / "profile", max(options.sizes))
    results.finish()
    print(reach.text(results))
    if not options.dry:
        document.write(results)
        print("Written: docs/benchmark.md and its images.")
    shutil.rmtree(_WORK / "tenants", ignore_errors=True)
    return 0


def _options() -> argparse.Namespace:
    def numbers(text: str) -> list[int]:
        return [int(part) for part in text.split(",")]

    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--sizes", type=numbers, default=list(SIZES), help="leavers (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each, of which the median counts")
    parser.add_argument("--latencies", type=numbers, default=[50, 0], help="ms added to every answer; 0 is run once")
    parser.add_argument("--only", default=",".join(CONTENDERS), help="contenders (default: %(default)s)")
    parser.add_argument(
        "--quota", action=argparse.BooleanOptionalAction, default=True, help="the run under a write quota"
    )
    parser.add_argument("--quota-leavers", type=int, default=1000)
    parser.add_argument("--profile", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--dry", action="store_true", help="print only, and leave docs/ as it is")
    return parser.parse_args()


def scout() -> tuple[dict[str, str], list[str]]:
    """What the role asks for in each of its phases, and which modules it runs in the first one."""
    with local_tenant(_WORK / "tenants" / "scout", people=20, latency=0.0) as tenant:
        samples = {sample.phase: sample for sample in contenders.role(tenant, 0.0)}
    kinds = {phase: contenders.kinds_of(sample) for phase, sample in samples.items()}
    return kinds, [name for name, _began, _ended in samples["first"].module_runs()]


def compete(results: Results, options: argparse.Namespace, latency: int) -> None:
    """Everybody in turn, again and again, so that a slow minute of the machine is nobody's own."""
    wanted = options.only.split(",")
    for size in options.sizes:
        done: collections.Counter[str] = collections.Counter()
        for _round in range(options.runs if latency else 1):
            for name in [name for name in CONTENDERS if name in wanted]:
                most = min(options.runs, _SERIAL.get(name, {size: _LARGE.get(size, options.runs)}).get(size, 0))
                if done[name] >= most or (not latency and name in _SERIAL):
                    continue
                done[name] += 1
                began = time.monotonic()
                for sample in _run(name, results, size, latency):
                    results.add(sample)
                    _tell(sample)
                print(f"    ({time.monotonic() - began:.0f} s)", flush=True)


_numbers = itertools.count()


def _run(name: str, results: Results, size: int, latency: int) -> Iterator[Sample]:
    if name == "sdk" and not contenders.sdk_is_installed():
        return
    seconds = latency / 1000
    run: dict[str, Callable[[LocalTenant], Iterator[Sample]]] = {
        "role": lambda tenant: contenders.role(tenant, seconds),
        "floor": lambda tenant: contenders.floor(tenant, seconds, results.kinds, "floor"),
        "least": lambda tenant: contenders.floor(tenant, seconds, contenders.LEAST, "least"),
        "imports": lambda tenant: contenders.imports(tenant, seconds, results.modules),
        "uri": lambda tenant: contenders.uri(tenant, seconds),
        "sdk": lambda tenant: contenders.sdk(tenant, seconds),
    }
    folder: Path = _WORK / "tenants" / f"{next(_numbers)}"
    with local_tenant(folder, people=size, latency=seconds) as tenant:
        yield from run[name](tenant)
    shutil.rmtree(folder)


def _tell(sample: Sample) -> None:
    measured, traffic = sample.measured, sample.traffic
    print(
        f"{sample.contender:<8}{sample.phase:<7}{sample.leavers:>6} leavers {sample.latency * 1000:>3.0f} ms "
        f"{measured.wall:>8.2f} s  CPU {measured.cpu:>7.2f} s  tenant {sample.tenant_cpu:>6.2f} s  "
        f"module {measured.module_mb:>4.0f} MB  {traffic.round_trips:>6} round trips  "
        f"{traffic.calls / sample.leavers:>5.2f} calls each  {traffic.tokens} tokens",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
