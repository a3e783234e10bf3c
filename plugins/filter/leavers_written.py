# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: leavers_written
short_description: Tell what the steps have written, for the read that follows
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Takes from the records of the steps what M(m365.offboarding.m365_user_info) needs to know whether a read is older than the writes.
positional: _input
options:
  _input:
    description: As C(runs) of P(m365.offboarding.leaver_results#filter).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Read until every leaver is seen as the steps left them
  m365.offboarding.m365_user_info:
    users: "{{ leavers }}"
    written: "{{ runs | m365.offboarding.leavers_written }}"
"""

RETURN = r"""
_value:
  description: For O(m365.offboarding.m365_user_info#module:written).
  type: dict
"""

import typing as t


def leavers_written(runs: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    from ansible_collections.m365.offboarding.plugins.plugin_utils._results import written

    return written(runs)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"leavers_written": leavers_written}
