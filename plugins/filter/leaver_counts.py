# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: leaver_counts
short_description: Tell the next node of a workflow who is contained
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Gives object ids and a count of those who have none. No names, unless asked for.
positional: _input
options:
  _input:
    description: Results of P(m365.offboarding.leaver_results#filter).
    type: list
    elements: dict
    required: true
  names:
    description: Whether the user principal names are given, too.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Tell the next node of a workflow
  ansible.builtin.set_stats:
    data:
      leavers: "{{ offboard_employee_result | m365.offboarding.leaver_counts }}"
"""

RETURN = r"""
_value:
  description:
    - C(contained) and C(not_contained), lists of object ids; C(unknown), how many leavers were not found; C(names), user principal names by
      object id, if asked for.
  type: dict
"""

import typing as t


def leaver_counts(leavers: t.Sequence[t.Mapping[str, t.Any]], names: bool = False) -> dict[str, t.Any]:
    from ansible_collections.m365.offboarding.plugins.plugin_utils._results import counts

    return counts(leavers, names=names)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"leaver_counts": leaver_counts}
