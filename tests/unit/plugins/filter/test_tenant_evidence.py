# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter is a name for what tests of _evidence judge."""

from __future__ import annotations

from ansible_collections.m365.offboarding.plugins.filter.tenant_evidence import FilterModule


def test_the_entry_of_a_tenant():
    entry = FilterModule().filters()["tenant_evidence"]({"users": []}, steps=["signin"])

    assert entry == {
        "tenant_id": None,
        "client_id": None,
        "object_id": None,
        "steps": ["signin"],
        "error": None,
    }
