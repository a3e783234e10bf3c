# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""SIGINT, SIGTERM and SIGKILL at five moments; `make soak` tries fifty."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.server import Tenant

from .kills import strike


# By these seeds: SIGTERM before the first write; SIGINT, SIGTERM and twice SIGKILL between the writes.
@pytest.mark.parametrize("seed", [1, 9, 10, 11, 26])
def test_a_play_that_is_struck_down_ends_and_the_next_completes_it(seed: int, tmp_path: Path) -> None:
    with Tenant() as tenant:
        # How fast it ends is for the soak to judge, which has the machine to itself.
        strike(tenant, tmp_path, seed, within=100)
