# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was to be reached, and by how much it was met or missed."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import contenders
from .results import Results
from .tenants import BEFORE, SHAPES

# Microsoft's quota is 3,000 writes in 150 s for an application; a fifth of it, so that the run takes minutes.
QUOTA_WRITES, QUOTA_SECONDS = 600, 30.0


@dataclass(frozen=True)
class Target:
    """A figure with what it may be at most; `least` turns that around. `measured` is None where a run is missing."""

    name: str
    limit: float
    measured: float | None
    unit: str = "x"
    how: str = ""
    least: bool = False

    @property
    def met(self) -> bool | None:
        if self.measured is None:
            return None
        return self.measured >= self.limit if self.least else self.measured <= self.limit

    @property
    def verdict(self) -> str:
        if self.measured is None:
            return "not measured"
        if self.met:
            return "met"
        by = self.limit / self.measured - 1 if self.least else self.measured / self.limit - 1 if self.limit else 1
        return f"missed by {by:.0%}"

    @property
    def target(self) -> str:
        return f"{'≥' if self.least else '≤'} {self.limit:,g} {self.unit}".strip()

    @property
    def found(self) -> str:
        return "-" if self.measured is None else f"{self.measured:,.3g} {self.unit}".strip()


def targets(results: Results) -> list[Target]:
    return [
        *_one_leaver(results),
        *_thousand(results),
        *_tenants(results),
        _growth(results),
        *_memory(results),
        *_requests(results),
        _tokens(results),
        *_quota(results),
    ]


def _wall(results: Results, contender: str, phase: str, leavers: int) -> float | None:
    row = results.row(contender, phase, leavers)
    return row.wall if row else None


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def _one_leaver(results: Results) -> Iterator[Target]:
    role, nothing = results.row("role", "first", 1), results.row("nothing", "first", 1)
    cpu = wall = None
    reported = took = ""
    if role and nothing:
        cpu = role.cpu / nothing.cpu
        reported = f"{role.cpu:.2f} s; a play of {results.tasks_of_one} tasks that do nothing {nothing.cpu:.2f} s"
        trips = role.round_trips * 0.05
        floor = nothing.wall + trips + role.waited
        wall = role.wall / floor
        took = (
            f"{role.wall:.2f} s; that play {nothing.wall:.2f} s + {role.round_trips:.0f} round trips {trips:.2f} s "
            f"+ the wait before the sign-out {role.waited:.2f} s = {floor:.2f} s"
        )
    yield Target("1 leaver, CPU against a play that does nothing", 1.5, cpu, how=reported)
    yield Target("1 leaver, wall against that play, round trips and wait", 1.2, wall, how=took)
    yield Target("requests of a run for one leaver", 14, role.calls if role else None, "", "tokens not among them")


def _tenants(results: Results) -> Iterator[Target]:
    now, before = (results.row(name, "first", SHAPES["tenants"].leavers) for name in ("tenants", "before"))
    pairs = {"wall": (now.wall, before.wall), "CPU": (now.cpu, before.cpu)} if now and before else {}
    for name in ("wall", "CPU"):
        took, took_before = pairs.get(name, (None, None))
        how = f"{took:.1f} s; {BEFORE} {took_before:.1f} s" if took and took_before else ""
        yield Target(f"30 tenants of 5, 10 forks, {name} against {BEFORE}", 0.4, _ratio(took, took_before), how=how)


def _thousand(results: Results) -> Iterator[Target]:
    for phase, name in (("first", "first run"), ("again", "second run"), ("audit", "audit")):
        role, floor = (_wall(results, who, phase, 1000) for who in ("role", "floor"))
        least = _wall(results, "least", phase, 1000)
        how = f"{role:.1f} s; floor {floor:.1f} s, least {least:.1f} s" if role and floor and least else ""
        yield Target(f"1,000 leavers, {name}, against the floor", 1.5, _ratio(role, floor), how=how)
        if phase == "first":
            uri, basis = serial(results, "uri", 1000)
            how = f"uri loop {uri:,.0f} s, {basis}" if uri else ""
            faster = _ratio(uri, role)
            yield Target("1,000 leavers, first run, faster than the uri loop", 30, faster, how=how, least=True)


def serial(results: Results, contender: str, leavers: int) -> tuple[float | None, str]:
    """Seconds of a contender that goes through leavers one by one, and whether that was measured."""
    measured = _wall(results, contender, "first", leavers)
    if measured is not None:
        return measured, "measured"
    sizes = [size for size in results.sizes if _wall(results, contender, "first", size) is not None]
    if len(sizes) < 2:
        return None, ""
    (small, least), (large, most) = ((size, _wall(results, contender, "first", size) or 0.0) for size in sizes[-2:])
    each = (most - least) / (large - small)
    return most + each * (leavers - large), f"extrapolated from {small} and {large} ({each:.2f} s each)"


def _growth(results: Results) -> Target:
    small, large = (_wall(results, "role", "first", size) for size in (1000, 5000))
    how = f"{small:.1f} s and {large:.1f} s" if small and large else ""
    return Target("growth from 1,000 to 5,000, first run", 5.2, _ratio(large, small), how=how)


def _memory(results: Results) -> Iterator[Target]:
    rows = [results.row("role", phase, 5000) for phase in ("first", "again", "audit")]
    found = [row for row in rows if row]
    how = f"the largest process of all: {max(row.largest_mb for row in found):.0f} MB" if found else ""
    peak = max((row.worker_mb for row in found), default=None)
    yield Target("peak memory of a worker at 5,000", 150, peak, "MB", how)
    forks = results.row("forks", "first", SHAPES["forks"].leavers)
    how = f"all processes together {forks.whole_mb:,.0f} MB, each shared page counted once" if forks else ""
    yield Target("peak memory of a worker with 50 forks", 150, forks.worker_mb if forks else None, "MB", how)


def _requests(results: Results) -> Iterator[Target]:
    role, least, floor = (results.row(who, "first", 1000) for who in ("role", "least", "floor"))
    how = f"the floor of least calls: {least.calls:.2f}" if least else ""
    yield Target(
        "requests per leaver, first run of 1,000, sub-requests counted", 14, role.calls if role else None, "", how
    )
    trips = _ratio(role.round_trips if role else None, least.round_trips if least else None)
    how = f"{role.round_trips:,.0f}; least {least.round_trips:,.0f}" if role and least else ""
    how += f"; the floor that sends the same {floor.round_trips:,.0f}" if how and floor else ""
    yield Target("HTTP round trips against the floor of least calls", 1.8, trips, how=how)


def _tokens(results: Results) -> Target:
    rows = [row for row in results.rows(0.05) if row.contender == "role"]
    spare = sum(row.needless_tokens for row in rows)
    return Target(
        "tokens asked for twice for one audience within a task", 0, spare if rows else None, "", "all runs of the role"
    )


# --- under the write quota ---


def quota_run(folder: Path, leavers: int) -> dict[str, Any]:
    """A first run without and one with the quota, each from the first write that was applied to the last."""
    free, held = (
        contenders.first_run(folder / name, leavers, quota)
        for name, quota in (("free", None), ("held", (QUOTA_WRITES, QUOTA_SECONDS)))
    )
    taken = _writes(held)
    return {
        "leavers": leavers,
        "wall": held.measured.wall,
        "took": taken[-1][0] - taken[0][0],
        "free": _writes(free)[-1][0] - _writes(free)[0][0],
        "own": own_time(_writes(free), QUOTA_WRITES, QUOTA_SECONDS),
        "bare": own_time([(0.0, service) for _moment, service in _writes(free)], QUOTA_WRITES, QUOTA_SECONDS),
        "refused": held.traffic.refused,
        "too_early": held.traffic.too_early,
    }


def _writes(sample: contenders.Sample) -> list[tuple[float, str]]:
    return sorted((moment, service) for service, times in sample.traffic.write_times.items() for moment in times)


def own_time(writes: list[tuple[float, str]], limit: int, per: float) -> float:
    """Seconds from the first to the last of these writes, when each is held up by the quota alone, and by who comes before it.

    Each service counts for itself, and forgets a write after `per` seconds.

    :param writes: moment and service of each, as they come without a quota.
    """
    late, first = 0.0, writes[0][0]
    sent: dict[str, collections.deque[float]] = {}
    for moment, service in writes:
        window = sent.setdefault(service, collections.deque(maxlen=limit))
        if len(window) == limit:
            late = max(late, window[0] + per - moment)
        window.append(moment + late)
    return writes[-1][0] + late - first


def _quota(results: Results) -> Iterator[Target]:
    quota = results.quota
    if quota is None:
        yield Target("with the write quota on, against the quota's own time", 1.1, None)
        return
    how = (
        f"{quota['leavers']:,} leavers, {QUOTA_WRITES} writes per {QUOTA_SECONDS:g} s: from the first write to the last "
        f"{quota['took']:.0f} s; without the quota {quota['free']:.0f} s, which the quota alone stretches to {quota['own']:.0f} s "
        f"({quota['bare']:.0f} s if writing took no time)"
    )
    yield Target(
        "with the write quota on, against the quota's own time", 1.1, _ratio(quota["took"], quota["own"]), how=how
    )
    name = "requests sent into a closed window"
    yield Target(name, 0, quota["too_early"], "", f"{quota['refused']} writes were refused once")


def text(results: Results) -> str:
    """For the terminal."""
    lines = ["", f"{'figure':<68}{'target':>12}{'measured':>14}  "]
    for one in targets(results):
        lines.append(f"{one.name:<68}{one.target:>12}{one.found:>14}  {one.verdict}")
        lines += [f"    {one.how}"] if one.how else []
    return "\n".join(lines)
