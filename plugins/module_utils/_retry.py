# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a request may be sent again: `Retry-After`, backoff, and the retry budget."""

from __future__ import annotations

import datetime
import email.utils
import random
import time
import typing as t

# Minimum for `Retry-After`, so that a server that sends 0 is not hammered.
_FLOOR = 0.5
_CEILING = 30.0


class Clock:
    """The controller's own clock: only for durations, never compared with Microsoft's."""

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def jitter(self) -> float:
        """Between 0.5 and 1: a thousand refused clients must not come back together."""
        return random.uniform(0.5, 1.0)  # noqa: S311 (spreads, hides nothing)


def http_date(text: str | None) -> datetime.datetime | None:
    """An HTTP date as a time in UTC, `None` if it is invalid or beyond the calendar in UTC."""
    try:
        moment = email.utils.parsedate_to_datetime(text or "")
        if moment.tzinfo is None:
            return moment.replace(tzinfo=datetime.timezone.utc)
        return moment.astimezone(datetime.timezone.utc)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def retry_after(headers: t.Mapping[str, str], now: datetime.datetime | None) -> float | None:
    """Seconds that `Retry-After` requests: a number, or a date compared with `now`, Microsoft's clock.

    :returns: `None` without a usable value; never less than half a second.
    """
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        date = http_date(value)
        if date is None:
            return None
        seconds = (date - (now or datetime.datetime.now(datetime.timezone.utc))).total_seconds()
        return max(seconds, 1.0)
    if not 0 <= seconds < float("inf"):
        return None
    return max(seconds, _FLOOR)


class RetryBudget:
    """How long one request may still wait, in total.

    :param limit: seconds.
    """

    def __init__(self, limit: float, clock: Clock) -> None:
        self.limit = limit
        self.waited = 0.0
        self.tries = 0
        self._clock = clock

    def next_wait(self, delay: float | None, spent: float = 0.0) -> float | None:
        """Seconds to wait before the next try: `delay`, else exponential backoff with jitter; `None` if the budget is spent.

        :param spent: seconds that the last try itself took without getting an answer.
        """
        self.waited += spent
        wait = delay if delay is not None else min(_CEILING, 2.0**self.tries) * self._clock.jitter()
        if self.waited + wait > self.limit:
            return None
        self.tries += 1
        self.waited += wait
        return wait
