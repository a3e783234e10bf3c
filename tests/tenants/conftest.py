# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""As many tenants as are asked for: ``nox -s tenants -- tests/tenants --tenants 100 --leavers 50``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulator import Tenant

from .estate import FEWEST, Estate


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tenants", type=int, default=FEWEST, help=f"how many tenants there are, {FEWEST} or more")
    parser.addoption("--leavers", type=int, default=5, help="how many people leave in each of them, 5 or more")


@pytest.fixture(scope="module")
def estate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with Tenant() as first:
        yield Estate(
            first,
            tmp_path_factory.mktemp("estate"),
            tenants=request.config.getoption("--tenants"),
            leavers=request.config.getoption("--leavers"),
        )
        assert not first.crashes, "the simulator made a mistake"
