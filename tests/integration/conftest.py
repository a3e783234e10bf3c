# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import Tenant

from .support import Player


@pytest.fixture(scope="session")
def running_tenant() -> Iterator[Tenant]:
    with Tenant() as tenant:
        yield tenant


@pytest.fixture
def tenant(running_tenant: Tenant) -> Iterator[Tenant]:
    """A tenant as on its first day."""
    running_tenant.reset()
    running_tenant.crashes.clear()
    yield running_tenant
    assert not running_tenant.crashes, "the simulator made a mistake"


@pytest.fixture
def play(tenant: Tenant, tmp_path: Path) -> Player:
    return Player(tenant, tmp_path)
