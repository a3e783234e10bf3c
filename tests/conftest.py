# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make ``ansible_collections.m365.offboarding`` importable from a plain checkout, and ``simulator`` too."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tools import tree

COLLECTIONS = str(tree.link())
sys.path.insert(0, COLLECTIONS)
os.environ["ANSIBLE_COLLECTIONS_PATH"] = COLLECTIONS

if TYPE_CHECKING:
    from simulator import Tenant


@pytest.fixture(scope="session")
def running_tenant() -> Iterator[Tenant]:
    from simulator import Tenant  # not in the environment of the unit tests

    with Tenant() as tenant:
        yield tenant


@pytest.fixture
def tenant(running_tenant: Tenant) -> Iterator[Tenant]:
    """A tenant as on its first day."""
    running_tenant.reset()
    running_tenant.crashes.clear()
    yield running_tenant
    assert not running_tenant.crashes, "the simulator made a mistake"


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A run in which nothing passed has shown nothing, even when nothing failed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and not exitstatus and not reporter.stats.get("passed") and not session.config.option.collectonly:
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
