# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: leavers_in_doubt
short_description: Name leavers whose closing read contradicts their steps
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Every step called the leaver done, and yet a later read shows an open door. Most likely that read came from a replica of the
    directory that lags behind, and another read is worth its while.
positional: _input
options:
  _input:
    description: RV(m365.offboarding.m365_user_info#module:users) after the steps.
    type: list
    elements: dict
    required: true
  runs:
    description: As for P(m365.offboarding.leaver_results#filter).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Read until every leaver is seen as the steps left them
  m365.offboarding.m365_user_info:
    users: "{{ leavers }}"
  register: closing
  until: closing.users | m365.offboarding.leavers_in_doubt(runs) | length == 0
  retries: 3
  delay: 2
"""

RETURN = r"""
_value:
  description: Object ids.
  type: list
  elements: str
"""

import typing as t

Records = t.Sequence[t.Mapping[str, t.Any]]


def leavers_in_doubt(closing: Records, runs: Records) -> list[str]:
    from ansible_collections.m365.offboarding.plugins.plugin_utils._results import in_doubt

    return in_doubt(closing, runs)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"leavers_in_doubt": leavers_in_doubt}
