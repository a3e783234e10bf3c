# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of an evidence file, clean."""

from __future__ import annotations

import json

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils._earlier import from_json as read


@pytest.mark.parametrize("unwanted", ["\ud83d", "\x00", "\x1b", "\x9b", "\u202e"])
def test_what_a_file_says_is_shown_without_unwanted_characters(unwanted):
    found = read(json.dumps({"hosts": {f"a{unwanted}": {"leavers": [{"user": f"x{unwanted}y"}]}}}))

    assert found == {"hosts": {"a\ufffd": {"leavers": [{"user": "x\ufffdy"}]}}}


def test_a_byte_order_mark_of_an_editor_does_not_matter():
    assert read("\ufeff{}") == {}


@pytest.mark.parametrize("text", ["", "secret", "[" * 100_000])
def test_what_is_no_json_is_refused_and_not_quoted(text):
    with pytest.raises(ValueError, match="it is no JSON") as caught:
        read(text)

    assert "secret" not in str(caught.value)
