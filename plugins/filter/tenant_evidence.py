# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: tenant_evidence
short_description: Tell what the evidence holds of one tenant
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Tells who looked, at which tenant, at which doors, or why that was not possible, for M(m365.offboarding.leaver_evidence).
positional: _input
options:
  _input:
    description: What was registered of M(m365.offboarding.m365_user_info), also when it failed. Empty before it has run.
    type: dict
    required: true
  steps:
    description: The steps that were looked at.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Tell what was found in this tenant
  ansible.builtin.set_fact:
    entry: "{{ doors | m365.offboarding.tenant_evidence(steps=['signin']) }}"
"""

RETURN = r"""
_value:
  description: The entry of a host in the evidence, without its leavers.
  type: dict
"""

import typing as t


def tenant_evidence(opening: t.Mapping[str, t.Any], **told: t.Any) -> dict[str, t.Any]:
    from ansible_collections.m365.offboarding.plugins.plugin_utils._evidence import tenant_entry

    return tenant_entry(opening, **told)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"tenant_evidence": tenant_evidence}
