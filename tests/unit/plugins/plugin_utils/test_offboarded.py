# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom an earlier run has shut out."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils._earlier import offboarded


def leaver(identity, *, contained=False, written_at=None):
    steps = {"signin": {"before": None, "after": None, "written_at": written_at}}
    return {
        "user": "x",
        "id": identity,
        "user_principal_name": "x",
        "contained": contained,
        "steps": steps,
        "open": [],
        "unconfirmed": [],
        "not_looked_at": [],
    }


def evidence(*leavers):
    return {
        "format": "m365.offboarding/evidence",
        "version": 1,
        "written_at": "2026-11-20T16:00:00Z",
        "hosts": {"localhost": {"leavers": list(leavers)}},
    }


def test_who_is_contained_or_was_written_counts():
    known = evidence(
        leaver("a", contained=True),
        leaver("b", written_at="2026-11-20T16:00:00Z"),
        leaver("c"),
        leaver(None, contained=True),
    )

    assert offboarded(known) == ["a", "b"]


@pytest.mark.parametrize("nothing", [None, ""])
def test_without_evidence_nobody_does(nothing):
    assert offboarded(nothing) == []


def test_what_is_no_evidence_is_refused():
    with pytest.raises(ValueError, match="the earlier file is no evidence"):
        offboarded({"format": "something"})


@pytest.mark.parametrize("key", ["open", "unconfirmed", "not_looked_at"])
def test_a_door_that_is_no_text_is_damage(key):
    known = evidence({**leaver("i", contained=True), key: [{}]})

    with pytest.raises(ValueError, match=f"{key}.* is no text"):
        offboarded(known)
