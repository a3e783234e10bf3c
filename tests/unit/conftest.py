# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let pytest explain the assertions of the laboratory, too."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("ansible_collections.m365.offboarding.tests.unit.plugins.lab")
