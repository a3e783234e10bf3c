# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""leaver_records: what was packed comes out; test_batches.py has the rest."""

from __future__ import annotations

from ansible_collections.m365.offboarding.plugins.filter.leaver_records import FilterModule
from ansible_collections.m365.offboarding.plugins.plugin_utils._batches import pack
from ansible_collections.m365.offboarding.plugins.plugin_utils._results import results
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.records import STEPS, read_record

opened = FilterModule().filters()["leaver_records"]
JANE, MILES = (results([read_record(name)], steps=STEPS) for name in ("jane.doe", "miles.obrien"))


def test_the_results_of_all_batches_come_in_the_order_asked_for():
    assert opened([pack([(1, *JANE)]), pack([(0, *MILES)])]) == [*MILES, *JANE]
