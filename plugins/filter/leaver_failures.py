# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: leaver_failures
short_description: Tell why a run must fail
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Takes the results of P(m365.offboarding.leaver_results#filter) and gives a sentence for every leaver who is not contained, with the
    doors that are open and the reasons. Leavers who are not due yet fail a run only with O(fail_on_not_due).
positional: _input
options:
  _input:
    description: Results of P(m365.offboarding.leaver_results#filter).
    type: list
    elements: dict
    required: true
  fail_on_open:
    description: Whether open doors alone fail the run. Refused and failed leavers always do.
    type: bool
    default: true
  fail_on_not_due:
    description: Whether leavers who are not due yet fail the run, too.
    type: bool
    default: false
  allow_empty:
    description: Whether a run for nobody is a success.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Fail when somebody is not contained
  ansible.builtin.assert:
    that: results | m365.offboarding.leaver_failures | length == 0
"""

RETURN = r"""
_value:
  description: A sentence per leaver.
  type: list
  elements: str
"""

import typing as t


def leaver_failures(
    leavers: t.Sequence[t.Mapping[str, t.Any]],
    fail_on_open: bool = True,
    fail_on_not_due: bool = False,
    allow_empty: bool = True,
) -> list[str]:
    from ansible_collections.m365.offboarding.plugins.plugin_utils._table import failures

    return failures(leavers, fail_on_open=fail_on_open, fail_on_not_due=fail_on_not_due, allow_empty=allow_empty)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"leaver_failures": leaver_failures}
