# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from simulator import Tenant

from .support import Player


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--both-ways", action="store_true", help="run every test in both ways of running a module")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "both_ways: run in both ways of running a module in every run")
    config.addinivalue_line("markers", "own_way: the test itself chooses the way of running a module")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marked = metafunc.definition.get_closest_marker
    wanted = marked("both_ways") or metafunc.config.getoption("--both-ways", default=False)
    if wanted and "play" in metafunc.fixturenames and not marked("own_way"):
        metafunc.parametrize("play", [False, True], ids=["in place", "ordinary"], indirect=True)


@pytest.fixture
def play(request: pytest.FixtureRequest, tenant: Tenant, tmp_path: Path) -> Player:
    return Player(tenant, tmp_path, ordinary=getattr(request, "param", False))
