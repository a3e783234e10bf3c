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


@dataclass(frozen=True)
class Measured:
    """`module_mb` is the peak of any one process that runs an Ansible module, `largest_mb` that of any process at all."""

    returncode: int
    wall: float
    cpu: float
    module_mb: float
    largest_mb: float
    output: Path

    @property
    def text(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")


def run(command: Sequence[str], environment: Mapping[str, str], folder: Path, *, limit: float) -> Measured:
    """Run a command to its end.

    :param folder: its working directory, in which its output is kept.
    :param limit: seconds after which it is killed, and the run counts as failed.
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
        watch = _Watch(process.pid, began + limit)
        watch.start()
        # Not Popen.wait: only this tells the CPU of everything that it has waited for.
        _pid, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.end()
    peaks = watch.peaks
    return Measured(
        process.returncode,
        wall,
        usage.ru_utime + usage.ru_stime,
        max((peak for module, peak in peaks.values() if module), default=0) / 1024,
        max((peak for _module, peak in peaks.values()), default=0) / 1024,
        output,
    )


class _Watch(threading.Thread):
    """Looks at a process and its descendants until it is told to stop."""

    def __init__(self, pid: int, deadline: float) -> None:
        super().__init__(daemon=True)
        self._root = pid
        self._deadline = deadline
        self._done = threading.Event()
        # By process: whether it runs a module, and its high-water mark in KiB.
        self.peaks: dict[int, tuple[bool, int]] = {}

    def run(self) -> None:
        while not self._done.wait(_PERIOD):
            self._look(self._root)
            if time.monotonic() > self._deadline:
                os.killpg(self._root, 9)
                return

    def end(self) -> None:
        self._done.set()
        self.join()

    def _look(self, pid: int) -> None:
        try:
            # In this order: until its exec, a child of Ansible has Ansible's memory and Ansible's command line.
            module = b"AnsiballZ_" in Path(f"/proc/{pid}/cmdline").read_bytes()
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            peak = int(status.partition("VmHWM:")[2].split(maxsplit=1)[0])
            was, highest = self.peaks.get(pid, (module, 0))
            self.peaks[pid] = (module, max(peak, highest) if was == module else peak)
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
        except (OSError, IndexError, ValueError):
            return  # it is gone, or going
        for child in children:
            self._look(int(child))


def cpu_of(pid: int) -> float:
    """CPU seconds of one running process, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
