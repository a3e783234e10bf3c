# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: leaver_records
short_description: Open what a run has put on record
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Gives the results that M(m365.offboarding.leaver_batch) packed, each leaver once, in the order asked for.
positional: _input
options:
  _input:
    description: RV(m365.offboarding.leaver_batch#module:records).
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Keep the results of all batches
  ansible.builtin.set_fact:
    results: "{{ batch.records | m365.offboarding.leaver_records }}"
"""

RETURN = r"""
_value:
  description: One result per leaver, as in the variable C(offboard_employee_result) of the role P(m365.offboarding.offboard_employee#role).
  type: list
  elements: dict
"""

import typing as t


def leaver_records(records: t.Sequence[str]) -> list[dict[str, t.Any]]:
    from ansible_collections.m365.offboarding.plugins.plugin_utils._batches import unpack

    return unpack(records)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"leaver_records": leaver_records}
