# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from simulator import Tenant

from . import pages


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what of the documentation's code is run, and why the rest is not."""
    terminalreporter.section("the documentation's code")
    for page in pages.pages():
        kinds: Counter[str] = Counter()
        for block in pages.blocks(page):
            kinds[_kind(block)] += 1
        if kinds:
            terminalreporter.write_line(f"{page}: {', '.join(f'{count} {kind}' for kind, count in kinds.items())}")


def _kind(block: pages.Block) -> str:
    if block.not_run:
        return f"not run ({block.not_run})"
    if block.is_shell:
        return "of commands" + (f" that fail ({block.fails})" if block.fails else "")
    if block.plays:
        return "playbook"
    return "file" if block.file else "shown only"
