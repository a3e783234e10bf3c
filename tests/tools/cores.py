# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The supported series of ansible-core, each with the Pythons of its controller.

https://docs.ansible.com/projects/ansible/latest/reference_appendices/release_and_maintenance.html#ansible-core-support-matrix
"""

from __future__ import annotations

import json
from typing import NamedTuple

from . import pythons

# A session uses the first Python of its series that is installed. Only 2.16 supports 3.10, so 2.16 is tested with it.
SUPPORTED = {
    "2.16": ("3.10", "3.12", "3.11"),
    "2.18": ("3.12", "3.13", "3.11"),
    "2.19": ("3.11", "3.12", "3.13"),
    "2.20": ("3.13", "3.12", "3.14"),
    "2.21": ("3.13", "3.12", "3.14"),
}


class Pair(NamedTuple):
    """A series of ansible-core on a Python."""

    series: str
    python: str

    def __str__(self) -> str:
        return f"{self.series}-py{self.python}"

    @property
    def interpreter(self) -> str | None:
        """The path of its Python, or None if it is not installed."""
        return pythons.find(self.python)


def pairs() -> list[Pair]:
    """Return every supported pair, the oldest first."""
    found = [Pair(series, python) for series, versions in SUPPORTED.items() for python in versions]
    return sorted(found, key=lambda pair: [_number(pair.series), _number(pair.python)])


def ends() -> list[Pair]:
    """Return the oldest and the newest pair whose Python is installed."""
    here = [pair for pair in pairs() if pair.interpreter]
    return [here[0], here[-1]] if len(here) > 1 else here


def requirement(series: str) -> str:
    """Return the requirement for the newest ansible-core of a series."""
    major, minor = _number(series)
    return f"ansible-core>={series},<{major}.{minor + 1}"


def _number(version: str) -> tuple[int, int]:
    major, minor = map(int, version.split("."))
    return major, minor


if __name__ == "__main__":
    # For the matrix of .github/workflows/ci.yml.
    print(json.dumps([pair._asdict() for pair in pairs()]))
