# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refuses before anything is sent what could not be written afterwards."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils._report import formats_of as formats


def test_every_path_has_its_format():
    assert formats(["a.json", "b.XML", "c.Csv", "d.html", "e.json"]) == ["json", "xml", "csv", "html", "json"]


def test_no_path_has_none():
    assert formats([]) == []


def test_all_paths_that_cannot_be_written_are_named():
    with pytest.raises(ValueError, match=r"\.html, \.csv, \.json or \.xml\); .*: a\.pdf, b$"):
        formats(["a.pdf", "a.json", "b"])
