# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: leaver_changes
short_description: Tell what changed since an earlier evidence file
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Compares results with the evidence of an earlier run and fills their C(since).
  - Leavers are compared by object id over all hosts of the earlier evidence; who had none then or has none now, by name.
  - A door that was not looked at, then or now, has not changed.
positional: _input
options:
  _input:
    description: Results of P(m365.offboarding.leaver_results#filter).
    type: list
    elements: dict
    required: true
  earlier:
    description: The earlier evidence, as read from its JSON file. Null if there is none; then C(since) is null.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what is newly open since last month
  ansible.builtin.debug:
    msg: "{{ offboard_employee_result | m365.offboarding.leaver_changes(earlier) | m365.offboarding.leaver_table(earlier) }}"
  vars:
    earlier: "{{ lookup('ansible.builtin.file', 'october.json') | m365.offboarding.leavers_evidence }}"
"""

RETURN = r"""
_value:
  description:
    - The results. C(since) holds C(newly_open), the doors that are open and were shut then, C(newly_shut), the reverse, and C(new), whether
      the earlier evidence does not hold the leaver.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError


def leaver_changes(
    leavers: t.Sequence[t.Mapping[str, t.Any]], earlier: t.Mapping[str, t.Any] | None
) -> list[dict[str, t.Any]]:
    from ansible_collections.m365.offboarding.plugins.plugin_utils._earlier import changes

    try:
        return changes(leavers, earlier)
    except ValueError as exc:
        raise AnsibleFilterError(f"leaver_changes: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"leaver_changes": leaver_changes}
