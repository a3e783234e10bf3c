# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: restore_results
short_description: Tell what came of a restoration
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Joins the plan and the records of the steps into one result per leaver, a table of at most 88 columns, and the reasons why the run
    must fail.
positional: _input
options:
  _input:
    description: What P(m365.offboarding.restore_plan#filter) gave.
    type: dict
    required: true
  runs:
    description: For each step that was run C(step), C(users) (object ids) who were to go through it, and C(result) as registered.
    type: list
    elements: dict
    default: []
  provided:
    description: Object ids of leavers for whom a password was provided.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show what came of it
  ansible.builtin.debug:
    msg: "{{ (plan | m365.offboarding.restore_results(runs)).table }}"
"""

RETURN = r"""
_value:
  description:
    - C(leavers), the results as in the variable C(restore_employee_result) of the role P(m365.offboarding.restore_employee#role);
      C(open), object ids of those whose sign-in may be allowed after the steps so far; C(table), lines; C(failures), a sentence per leaver
      who is not restored.
  type: dict
"""

import typing as t

from ansible.utils.unsafe_proxy import wrap_var


def restore_results(
    plan: t.Mapping[str, t.Any],
    runs: t.Sequence[t.Mapping[str, t.Any]] = (),
    provided: t.Sequence[str] = (),
) -> dict[str, t.Any]:
    from ansible_collections.m365.offboarding.plugins.plugin_utils._restore_outcome import outcome

    told: dict[str, t.Any] = wrap_var(outcome(plan, runs, provided=provided))
    return told


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"restore_results": restore_results}
