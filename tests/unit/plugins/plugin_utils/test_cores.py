# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What differs between versions of ansible-core, seen on each of them."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils import _cores
from fakes.acting import is_template


def test_text_of_the_tenant_is_never_a_template():
    reported = _cores.as_data({"users": [{"display_name": "{{ 6 * 7 }}"}]})

    assert not is_template(reported["users"][0]["display_name"])


@pytest.mark.parametrize(
    ("is_old", "number", "key"),
    [(False, 301, "leavers"), (True, 300, "leavers"), (True, 301, "ansible_facts")],
)
def test_many_results_are_a_fact_only_before_2_19(monkeypatch, is_old, number, key):
    monkeypatch.setattr(_cores, "_IS_OLD", is_old)
    leavers = [{"user": str(one)} for one in range(number)]

    reported = _cores.for_variable("result", leavers, {})

    assert reported == {key: {"result": leavers} if key == "ansible_facts" else leavers}
