# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moments in time, always with a zone: Microsoft's, and those that people write."""

from __future__ import annotations

import datetime
import re
import typing as t

_MOMENT = re.compile(r"^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(:\d\d)?(\.\d+)?\s?([Zz]|[+-]\d\d:?\d\d)$")


def parse_moment(text: str) -> datetime.datetime:
    """Read an ISO 8601 moment with an offset.

    Python 3.10's `fromisoformat` knows neither `Z` nor Microsoft's seven decimals, and accepts moments without a zone.

    :returns: an aware moment in UTC.
    :raises ValueError: not a moment, or one without offset.
    """
    match = _MOMENT.match(text.strip())
    if not match:
        raise ValueError("not an ISO 8601 moment with an offset")
    day, minutes, seconds, fraction, offset = match.groups()
    micro = f"{(fraction or '.0')[1:7]:0<6}"
    offset = "+00:00" if offset in "Zz" else f"{offset[:3]}:{offset[-2:]}"
    try:
        moment = datetime.datetime.fromisoformat(f"{day}T{minutes}{seconds or ':00'}.{micro}{offset}")
        return moment.astimezone(datetime.timezone.utc)
    except OverflowError:
        raise ValueError("a moment out of range") from None


def moment_or_none(value: t.Any) -> datetime.datetime | None:
    """A foreign value as an aware moment in UTC, `None` if it is not one."""
    try:
        return parse_moment(str(value))
    except ValueError:
        return None


def format_moment(moment: datetime.datetime | None) -> str | None:
    """Write a moment as Microsoft does: UTC, whole seconds, `Z`. `None` stays `None`."""
    if moment is None:
        return None
    return moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
