#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# The documentation of an action plugin: what it does is in plugins/action/leaver_batch.py.

from __future__ import annotations

DOCUMENTATION = r"""
module: leaver_batch
short_description: Put on record what a batch of leavers went through
version_added: 1.0.0
description:
  - Joins the opening read, the records of the steps and the closing read of a batch, as P(m365.offboarding.leaver_results#filter) does,
    and keeps the results as text.
  - The role P(m365.offboarding.offboard_employee#role) calls it; there is seldom a reason to call it oneself.
  - Takes the names of registered variables instead of what they hold, since a template takes seconds to go through thousands of records.
  - Runs where Ansible runs, in check mode too, and counts as no change.
author:
  - The m365.offboarding contributors (@m365-offboarding)
options:
  opening:
    description: Name of the variable that holds what was registered of M(m365.offboarding.m365_user_info) before the steps.
    type: str
    required: true
  steps:
    description: The steps that were looked at.
    type: list
    elements: str
    required: true
  protocols:
    description: The mailbox protocols that were looked at.
    type: list
    elements: str
    default: [all]
  asked:
    description: Who was to be read. If they could not be read at all, they are told as failed, unless nobody was read before.
    type: list
    elements: raw
    default: []
  users:
    description: Who went through the steps.
    type: list
    elements: dict
    default: []
  users_only:
    description: Whether nobody else is told of; O(opening) then holds the leavers of other batches, too.
    type: bool
    default: false
  runs:
    description: For each step the name of the variable that holds what was registered of it. Only looked at for O(steps).
    type: dict
    default: {}
  closing:
    description: Name of the variable that holds what was registered of M(m365.offboarding.m365_user_info) after the steps.
    type: str
  refused:
    description: C(refused) of P(m365.offboarding.leaver_plan#filter).
    type: dict
    default: {}
  earlier:
    description: Name of the variable that holds the evidence of an earlier run to compare with.
    type: str
  before:
    description: Name of the variable that holds what this gave for the batch before.
    type: str
  total:
    description: Leavers of all batches. Without it, this is none of them, and does not count for how far the run has come.
    type: int
    default: 0
  started_at:
    description: When the first batch began, ISO 8601, to tell when the last one is expected to end.
    type: str
extends_documentation_fragment:
  - m365.offboarding.attributes.action
seealso:
  - plugin: m365.offboarding.leaver_records
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Put an audit on record
  m365.offboarding.leaver_batch:
    opening: doors
    steps: [signin]
  register: batch

- name: Tell what was found
  ansible.builtin.debug:
    msg: "{{ batch.records | m365.offboarding.leaver_records | m365.offboarding.leaver_table }}"
"""

RETURN = r"""
records:
  description: The results of this batch and those before, packed, for P(m365.offboarding.leaver_records#filter).
  type: list
  elements: str
  returned: always
  sample: [eAGLjgUAARUAuQ==]
entry:
  description: As P(m365.offboarding.tenant_evidence#filter) gives it.
  type: dict
  returned: always
done:
  description: How many leavers have been told of, in this batch and those before.
  type: int
  returned: always
  sample: 500
not_shut:
  description: How many of them have a door that is open or unconfirmed, or could not be looked at.
  type: int
  returned: always
  sample: 2
msg:
  description: How far the run has come, in one line.
  type: str
  returned: always
  sample: 500 of 2000 leavers done, 1500 left; 2 with an open door; end expected at 2026-11-20T16:06:10Z.
"""
