# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of the tests with Microsoft's clients."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """What Microsoft's libraries say about one another is not ours to put right."""
    for library in ("azure", "kiota_abstractions", "kiota_http", "msgraph", "msgraph_core"):
        config.addinivalue_line("filterwarnings", f"ignore::DeprecationWarning:{library}")
