# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: restore_evidence
short_description: Read the evidence of an offboarding and see whether it can be undone
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Takes the leavers who are to be restored, reads the evidence from its files, and tells whom to look at.
  - The evidence is C(.json) reports of the role P(m365.offboarding.offboard_employee#role). They are checked before they are
    believed.
positional: _input
options:
  _input:
    description: The leavers, as O(m365.offboarding.m365_user_info#module:users).
    type: list
    elements: raw
    required: true
  path:
    description:
      - The evidence, on the machine that runs Ansible. One path, or several in a list or separated by commas or newlines. A folder means
        the C(.json) files in it. Empty for none.
    type: raw
    default: ""
  host:
    description: The host of the inventory, which is a tenant; its entry in the evidence is the one that counts.
    type: str
    required: true
  job:
    description: The number of the job in AWX that is to be undone. Empty for none.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: See whether this can be undone
  ansible.builtin.assert:
    that: request.error is none
    fail_msg: "{{ request.error }}"
  vars:
    request: "{{ ['jane.doe@contoso.com'] | m365.offboarding.restore_evidence('jane.json', inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description:
    - C(error), a sentence that says why nothing can be done, or null; C(names), the leavers; C(malformed), those
      whose name cannot be a user's, with C(user) and C(complaint); C(read), names and object ids to be looked at; C(evidence), the
      runs as packed text, null for none; C(left_out), a sentence for each file that is not used; C(job).
  type: dict
"""

import typing as t

from ansible.utils.unsafe_proxy import wrap_var


def restore_evidence(leavers: t.Any, path: t.Any = "", host: str = "", job: t.Any = "") -> dict[str, t.Any]:
    from ansible_collections.m365.offboarding.plugins.plugin_utils._restore_request import request

    # What a file says must never be taken for a template (ansible-core before 2.19 would).
    told: dict[str, t.Any] = wrap_var(request(leavers, evidence=path, host=host, job=job))
    return told


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"restore_evidence": restore_evidence}
