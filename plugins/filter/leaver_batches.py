# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: leaver_batches
short_description: Cut leavers into batches
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Gives each user once, with the latest C(left_at), in batches of a given size.
  - What cannot be meant stays as it is, in one batch, for the modules to complain about.
positional: _input
options:
  _input:
    description: As O(m365.offboarding.m365_user_info#module:users).
    type: list
    elements: raw
    required: true
  size:
    description: Leavers in a batch.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Cut a list of leavers
  ansible.builtin.set_fact:
    batches: "{{ leavers | m365.offboarding.leaver_batches(500) }}"
"""

RETURN = r"""
_value:
  description: The batches, each as O(m365.offboarding.m365_user_info#module:users).
  type: list
  elements: list
"""

import typing as t


def leaver_batches(leavers: t.Any, size: int) -> list[t.Any]:
    from ansible_collections.m365.offboarding.plugins.plugin_utils._batches import cut

    return cut(leavers, size)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"leaver_batches": leaver_batches}
