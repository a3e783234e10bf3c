# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One command, measured as a whole: wall clock, CPU of all its descendants, and the largest memory of each kind of them."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# A process's own high-water mark is read so often; what it grows in its last moments may be missed.
_PERIOD = 0.02
# The memory of all processes together is read once in so many periods.
_RARELY = 10


@dataclass(frozen=True)
class Measured:
    """`worker_mb` is the peak of any one process that the command has started, `largest_mb` that of any process at all.

    `whole_mb` is the most that all of them held together, each shared page counted once; 0 where that was not measured.
    """

    returncode: int
    wall: float
    cpu: float
    worker_mb: float
    largest_mb: float
    whole_mb: float
    output: Path

    @property
    def text(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")


def run(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, *, limit: float, whole: bool = False
) -> Measured:
    """Run a command to its end.

    :param folder: its working directory, in which its output is kept.
    :param limit: seconds after which it is killed, and the run counts as failed.
    :param whole: whether to look at the memory of all processes together, which takes time of the machine.
    """
    output = folder / "output.txt"
    with output.open("wb") as file:
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        watch = _Watch(process.pid, began + limit, whole=whole)
        watch.start()
        # Not Popen.wait: only this reports the CPU of everything that it has waited for.
        _pid, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.end()
    peaks = watch.peaks
    return Measured(
        process.returncode,
        wall,
        usage.ru_utime + usage.ru_stime,
        max((peak for pid, peak in peaks.items() if pid != process.pid), default=0) / 1024,
        max(peaks.values(), default=0) / 1024,
        watch.whole / 1024,
        output,
    )


class _Watch(threading.Thread):
    """Looks at a process and its descendants until it is stopped."""

    def __init__(self, pid: int, deadline: float, *, whole: bool) -> None:
        super().__init__(daemon=True)
        self._root = pid
        self._deadline = deadline
        self._done = threading.Event()
        # The high-water mark of each process in KiB.
        self.peaks: dict[int, int] = {}
        self.whole = 0
        self._looks_at_whole = whole

    def run(self) -> None:
        looks = 0
        while not self._done.wait(_PERIOD):
            held = self._look(self._root, whole=self._looks_at_whole and looks % _RARELY == 0)
            self.whole = max(self.whole, held)
            looks += 1
            if time.monotonic() > self._deadline:
                os.killpg(self._root, 9)
                return

    def end(self) -> None:
        self._done.set()
        self.join()

    def _look(self, pid: int, *, whole: bool) -> int:
        """Look at a process and those below it, and return the KiB that they hold."""
        held = 0
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            self.peaks[pid] = max(_kib(status, "VmHWM:"), self.peaks.get(pid, 0))
            if whole:
                held = _kib(Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8"), "Pss:")
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
        except (OSError, IndexError, ValueError):
            return held  # it is gone, or going
        return held + sum(self._look(int(child), whole=whole) for child in children)


def _kib(text: str, name: str) -> int:
    return int(text.partition(name)[2].split(maxsplit=1)[0])


def cpu_of(pid: int) -> float:
    """CPU seconds of one running process, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
