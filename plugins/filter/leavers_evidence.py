# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: leavers_evidence
short_description: Read the text of an evidence file
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Gives what P(m365.offboarding.leaver_changes#filter) and P(m365.offboarding.leavers_offboarded#filter) take.
  - Unlike C(from_json), it replaces characters that break or forge what shows them, for example control characters
    and lone surrogates, by U+FFFD.
positional: _input
options:
  _input:
    description: The content of an evidence file, as text.
    type: str
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
  description: The evidence.
  type: raw
"""

import typing as t

from ansible.errors import AnsibleFilterError


def leavers_evidence(text: str) -> t.Any:
    from ansible_collections.m365.offboarding.plugins.plugin_utils._earlier import from_json

    try:
        return from_json(text)
    except ValueError as exc:
        raise AnsibleFilterError(f"leavers_evidence: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"leavers_evidence": leavers_evidence}
