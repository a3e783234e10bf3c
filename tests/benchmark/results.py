# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""All samples of a run, kept as lines of JSON as they come, and their medians."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import shutil
import ssl
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools import tree

from . import peers
from .contenders import Sample, needless_tokens, waited
from .measure import Measured
from .tenant import Traffic
from .tenants import SHAPES


@dataclass(frozen=True)
class Row:
    """The medians of all runs of a contender at one size; `walls` are all of them."""

    contender: str
    phase: str
    leavers: int
    latency: float
    walls: list[float]
    cpu: float
    tenant_share: float
    worker_mb: float
    largest_mb: float
    round_trips: float
    calls: float
    tokens: float
    needless_tokens: int
    errors: int
    # Seconds between reset and sign-out that are waited for Microsoft's clock.
    waited: float
    whole_mb: float

    @property
    def wall(self) -> float:
        return statistics.median(self.walls)


class Results:
    def __init__(self, folder: Path, *, sizes: list[int], keep: bool = False) -> None:
        """`keep`: begin with what the folder holds of an earlier run, of the same code and on the same machine."""
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(folder / "tenants", ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        self._path, self._once = folder / "results.jsonl", folder / "once.json"
        self.sizes = sizes
        self.kinds: dict[str, str] = {}
        # Tasks of a run for one batch.
        self.tasks_of_one = 0
        # Contenders that cannot be measured on this machine, and why.
        self.missing: dict[str, str] = {}
        # The collections path of the revision that today's is compared with.
        self.before: Path | None = None
        self.samples: list[Sample] = []
        self._needless: list[int] = []
        self._waited: list[float] = []
        self.quota: dict[str, Any] | None = None
        self.profile: dict[str, Any] | None = None
        self.began = datetime.datetime.now(datetime.UTC)
        self.load_before = os.getloadavg()[0]
        self.ended = self.began
        self._load()

    def _load(self) -> None:
        if self._path.exists():
            lines = [json.loads(line) for line in self._path.read_text(encoding="utf-8").splitlines()]
            self.samples = [_sample_of(line) for line in lines]
            self._needless = [line["needless_tokens"] for line in lines]
            self._waited = [line["waited"] for line in lines]
            sizes = {line["leavers"] for line in lines if line["contender"] not in SHAPES}
            self.sizes = sorted({*self.sizes, *sizes})
            self.began = min((datetime.datetime.fromisoformat(line["at"]) for line in lines), default=self.began)
        if self._once.exists():
            reported = json.loads(self._once.read_text(encoding="utf-8"))
            self.quota, self.profile, self.load_before = reported["quota"], reported["profile"], reported["load_before"]

    def runs_of(self, contender: str, leavers: int, latency: float) -> int:
        """How many there are already."""
        wanted = (contender, "first", leavers, latency)
        return sum((one.contender, one.phase, one.leavers, one.latency) == wanted for one in self.samples)

    def add(self, sample: Sample) -> None:
        # Thousands of requests for each: they have been counted.
        spare, waits = needless_tokens(sample), waited(sample)
        sample.traffic.requests.clear()
        self.samples.append(sample)
        self._needless.append(spare)
        self._waited.append(waits)
        measured, traffic = sample.measured, sample.traffic
        line = {
            "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "contender": sample.contender,
            "phase": sample.phase,
            "leavers": sample.leavers,
            "latency": sample.latency,
            "wall": measured.wall,
            "cpu": measured.cpu,
            "tenant_cpu": sample.tenant_cpu,
            "worker_mb": measured.worker_mb,
            "largest_mb": measured.largest_mb,
            "whole_mb": measured.whole_mb,
            "round_trips": traffic.round_trips,
            "calls": traffic.calls,
            "tokens": traffic.tokens,
            "needless_tokens": spare,
            "errors": traffic.errors,
            "waited": waits,
            "tasks": sample.tasks,
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def finish(self) -> None:
        self.ended = datetime.datetime.now(datetime.UTC)
        reported = {"quota": self.quota, "profile": self.profile, "load_before": self.load_before}
        self._once.write_text(json.dumps(reported) + "\n", encoding="utf-8")

    def row(self, contender: str, phase: str, leavers: int, latency: float = 0.05) -> Row | None:
        key = (contender, phase, leavers, latency)
        found, needless, waits = [], 0, []
        for one, spare, wait in zip(self.samples, self._needless, self._waited, strict=True):
            if (one.contender, one.phase, one.leavers, one.latency) == key:
                found.append(one)
                needless += spare
                waits.append(wait)
        if not found:
            return None
        median = statistics.median
        return Row(
            contender,
            phase,
            leavers,
            latency,
            [one.measured.wall for one in found],
            median([one.measured.cpu for one in found]),
            median([one.tenant_cpu / one.measured.wall for one in found]),
            max(one.measured.worker_mb for one in found),
            max(one.measured.largest_mb for one in found),
            median([one.traffic.round_trips for one in found]),
            median([one.traffic.calls / one.leavers for one in found]),
            median([one.traffic.tokens for one in found]),
            needless,
            sum(one.traffic.errors for one in found),
            median(waits),
            max(one.measured.whole_mb for one in found),
        )

    def rows(self, latency: float) -> list[Row]:
        keys = dict.fromkeys((one.leavers, one.phase, one.contender) for one in self.samples if one.latency == latency)
        phases = ("first", "again", "audit")
        order = sorted(keys, key=lambda key: (phases.index(key[1]), key[0]))
        return [row for leavers, phase, name in order if (row := self.row(name, phase, leavers, latency))]

    def tasks(self, phase: str, leavers: int, latency: float = 0.05) -> list[tuple[str, float, float]]:
        """The role's tasks with their median wall and CPU seconds, those of the same name together."""
        wanted = ("role", phase, leavers, latency)
        found = [one for one in self.samples if (one.contender, one.phase, one.leavers, one.latency) == wanted]
        spent: dict[str, list[tuple[float, float]]] = {}
        for sample in found:
            own: dict[str, list[float]] = {}
            for task, following in zip(sample.tasks, sample.tasks[1:], strict=False):
                sums = own.setdefault(task[0] or "(start of the play)", [0.0, 0.0])
                sums[0] += following[2] - task[2]
                sums[1] += following[3] + following[4] - task[3] - task[4]
            for name, (wall, cpu) in own.items():
                spent.setdefault(name, []).append((wall, cpu))
        rows = [
            (name, statistics.median(one[0] for one in pairs), statistics.median(one[1] for one in pairs))
            for name, pairs in spent.items()
        ]
        return sorted(rows, key=lambda row: -row[1])


def _sample_of(line: dict[str, Any]) -> Sample:
    """What `add` has written, as far as it is looked at again."""
    measured = Measured(
        0, line["wall"], line["cpu"], line["worker_mb"], line["largest_mb"], line["whole_mb"], Path(os.devnull)
    )
    traffic = Traffic(
        round_trips=line["round_trips"], calls=line["calls"], tokens=line["tokens"], errors=line["errors"]
    )
    where = (line["contender"], line["phase"], line["leavers"], line["latency"])
    return Sample(*where, measured, traffic, line["tenant_cpu"], line["tasks"])


def versions() -> dict[str, str]:
    """What was measured with what, on what."""
    found = {}
    for name in ("ansible-core", "msal", "requests", "urllib3", "httpx", "msgraph-sdk", "uvicorn"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    revision = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=tree.ROOT, capture_output=True, text=True, check=False
    )
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "collection": revision.stdout.strip() or "unknown revision",
        "Python": platform.python_version(),
        **found,
        **peers.versions(),
        "OpenSSL": ssl.OPENSSL_VERSION.split()[1],
        "machine": f"{os.cpu_count()} cores of {cpu}, {platform.system()} {platform.release()}",
    }
