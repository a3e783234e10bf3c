# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: leaver_table
short_description: Show results as a table of at most 88 columns
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Who, which door, shut or open, since when, and when Microsoft says that it is surely shut.
  - Of more than 20 leavers, only those who are not contained or have residual access are shown.
  - What is newly open since an earlier evidence file comes first.
positional: _input
options:
  _input:
    description: Results of P(m365.offboarding.leaver_results#filter), or of P(m365.offboarding.leaver_changes#filter).
    type: list
    elements: dict
    required: true
  earlier:
    description: The evidence that P(m365.offboarding.leaver_changes#filter) has compared with.
    type: dict
"""

EXAMPLES = r"""
- name: Show what came of it
  ansible.builtin.debug:
    msg: "{{ offboard_employee_result | m365.offboarding.leaver_table }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError


def leaver_table(leavers: t.Sequence[t.Mapping[str, t.Any]], earlier: t.Mapping[str, t.Any] | None = None) -> list[str]:
    from ansible_collections.m365.offboarding.plugins.plugin_utils._table import table

    try:
        return table(leavers, earlier)
    except ValueError as exc:
        raise AnsibleFilterError(f"leaver_table: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"leaver_table": leaver_table}
