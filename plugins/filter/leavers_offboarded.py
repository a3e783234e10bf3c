# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: leavers_offboarded
short_description: List the users that an earlier run shut out
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Gives what O(m365.offboarding.m365_user_info#module:offboarded) takes, so that no list with a date in the future lets those
    people in again.
positional: _input
options:
  _input:
    description: The content of an evidence file, none for no evidence.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Look at leavers, whatever the list says of those who were shut out already
  m365.offboarding.m365_user_info:
    users: "{{ query('m365.offboarding.leavers_file', 'leavers.csv') }}"
    offboarded: >-
      {{ lookup('ansible.builtin.file', 'evidence.json') | m365.offboarding.leavers_evidence | m365.offboarding.leavers_offboarded }}
"""

RETURN = r"""
_value:
  description: Object ids.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError


def leavers_offboarded(evidence: t.Any) -> list[str]:
    from ansible_collections.m365.offboarding.plugins.plugin_utils._earlier import offboarded

    try:
        return offboarded(evidence)
    except ValueError as exc:
        raise AnsibleFilterError(f"leavers_offboarded: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"leavers_offboarded": leavers_offboarded}
