# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time that passes only where somebody waits."""

from __future__ import annotations

import datetime
import email.utils
import threading

from ansible_collections.m365.offboarding.plugins.module_utils._retry import Clock

# Microsoft's time when a test begins.
NOW = datetime.datetime(2026, 11, 20, 16, 0, 0, tzinfo=datetime.timezone.utc)


def moment(text: str) -> datetime.datetime:
    # Python 3.10 knows no Z.
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def iso(when: datetime.datetime) -> str:
    """Return a moment as Microsoft Graph and our records write it."""
    return when.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def later(seconds: float = 0, **more: float) -> str:
    """Return Microsoft's time so long after the beginning of a test, as Graph writes it."""
    return iso(NOW + datetime.timedelta(seconds=seconds, **more))


class SimulatedClock(Clock):
    """The controller's clock and Microsoft's: both advance by naps alone, and start far apart."""

    def __init__(self) -> None:
        self.naps: list[float] = []
        self._passed = 0.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return 7_000.0 + self._passed

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0, f"nobody can sleep {seconds} s"
        if seconds:
            with self._lock:
                self.naps.append(seconds)
                self._passed += seconds

    def jitter(self) -> float:
        return 1.0

    def pass_by(self, seconds: float) -> None:
        """Let time pass that nobody asked for."""
        with self._lock:
            self._passed += seconds

    @property
    def passed(self) -> float:
        return self._passed

    @property
    def microsoft(self) -> datetime.datetime:
        return NOW + datetime.timedelta(seconds=self._passed)

    def http_date(self, seconds: float = 0) -> str:
        """Return Microsoft's time, so many seconds from now, as an HTTP header has it: cut to the second."""
        return email.utils.format_datetime(
            (self.microsoft + datetime.timedelta(seconds=seconds)).replace(microsecond=0), usegmt=True
        )
