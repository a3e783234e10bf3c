# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tenant for Microsoft's clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulator import Tenant


def pytest_configure(config: pytest.Config) -> None:
    """What Microsoft's libraries say about one another is not ours to put right."""
    for library in ("azure", "kiota_abstractions", "kiota_http", "msgraph", "msgraph_core"):
        config.addinivalue_line("filterwarnings", f"ignore::DeprecationWarning:{library}")


@pytest.fixture(scope="session")
def running_tenant() -> Iterator[Tenant]:
    with Tenant() as tenant:
        yield tenant
        assert tenant.crashes == []


@pytest.fixture
def tenant(running_tenant: Tenant) -> Tenant:
    """As on the first day."""
    running_tenant.reset()
    return running_tenant
