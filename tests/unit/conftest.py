# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of all unit tests."""

from __future__ import annotations

import hypothesis
import pytest

# Explains failed assertions in the fakes too.
pytest.register_assert_rewrite("fakes")

# A busy machine is slow: no test may depend on how long an example takes.
hypothesis.settings.register_profile(
    "any_speed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any_speed")
