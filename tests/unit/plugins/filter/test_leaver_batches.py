# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""leaver_batches: each user once, so many at a time; test_batches.py has the rest."""

from __future__ import annotations

from ansible_collections.m365.offboarding.plugins.filter.leaver_batches import FilterModule

batches = FilterModule().filters()["leaver_batches"]


def test_so_many_at_a_time_and_each_once():
    assert batches(["a@b.de", "c@b.de", "A@b.de", "d@b.de"], 2) == [
        [{"user": "a@b.de"}, {"user": "c@b.de"}],
        [{"user": "d@b.de"}],
    ]
