# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ids and counts, and names only where asked for."""

from __future__ import annotations

from ansible_collections.m365.offboarding.plugins.plugin_utils import _results
from ansible_collections.m365.offboarding.plugins.plugin_utils._results import results
from fakes.records import STEPS, read_record, unknown_record


def for_workflow(leavers, names=False):
    return _results.for_workflow(leavers, names=names)


JANE, MILES = read_record("jane.doe", state="shut"), read_record("miles.obrien")
LEAVERS = results([JANE, MILES, unknown_record()], steps=STEPS)


def test_ids_by_verdict_and_how_many_have_none():
    assert for_workflow(LEAVERS) == {
        "contained": [JANE["id"]],
        "not_contained": [MILES["id"]],
        "accepted": [],
        "unknown": 1,
    }


def test_names_only_where_asked_for():
    assert for_workflow(LEAVERS, names=True)["names"] == {
        one["id"]: one["user_principal_name"] for one in (JANE, MILES)
    }
