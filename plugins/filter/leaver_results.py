# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: leaver_results
short_description: Join what was read and done into one result per leaver
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Joins the opening read, the records of the steps and the closing read, and gives the verdict on what was read last.
positional: _input
options:
  _input:
    description: RV(m365.offboarding.m365_user_info#module:users) before the steps.
    type: list
    elements: dict
    required: true
  steps:
    description: The steps that were looked at.
    type: list
    elements: str
    required: true
  protocols:
    description: The mailbox protocols that were looked at. Unless it is all of them, no owner of a mailbox is called contained.
    type: list
    elements: str
    default: [all]
  runs:
    description: For each step that was run C(step), C(users) who were to go through it, and C(result) as registered.
    type: list
    elements: dict
    default: []
  closing:
    description: RV(m365.offboarding.m365_user_info#module:users) after the steps, of those who went through them.
    type: list
    elements: dict
    default: []
  refused:
    description: C(refused) of P(m365.offboarding.leaver_plan#filter).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Tell what an audit found
  ansible.builtin.debug:
    msg: "{{ doors.users | m365.offboarding.leaver_results(steps=['password', 'sessions', 'signin', 'protocols']) }}"
"""

RETURN = r"""
_value:
  description: One result per leaver, as in the variable C(offboard_employee_result) of the role P(m365.offboarding.offboard_employee#role).
  type: list
  elements: dict
"""

import typing as t

Records = t.Sequence[t.Mapping[str, t.Any]]


def leaver_results(
    opening: Records,
    steps: t.Sequence[str],
    protocols: t.Sequence[str] = ("all",),
    runs: Records = (),
    closing: Records = (),
    refused: t.Mapping[str, t.Mapping[str, t.Any]] | None = None,
) -> list[dict[str, t.Any]]:
    from ansible_collections.m365.offboarding.plugins.plugin_utils._results import results

    return results(opening, steps=steps, protocols=protocols, runs=runs, closing=closing, refused=refused)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"leaver_results": leaver_results}
