#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# The documentation of an action plugin: what it does is in plugins/action/leaver_batch.py.

from __future__ import annotations

DOCUMENTATION = r"""
module: leaver_batch
short_description: Put on record what is known of leavers
version_added: 1.0.0
description:
  - Joins the opening read, the records of the steps so far and the closing read, as P(m365.offboarding.leaver_results#filter) does,
    and keeps the results as text.
  - Called after the opening read for everybody, then for a batch after each step and after its closing read.
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
  batches:
    description:
      - Lists of users, as O(m365.offboarding.m365_user_info#module:users), who go through the steps. After the opening read these
        are all batches, later the one of O(number).
    type: list
    elements: list
    default: []
  number:
    description: The batch that this is about, from 1; 0 after the opening read, when everybody is put on record.
    type: int
    default: 0
  runs:
    description: For each step the name of the variable that holds what was registered of it. Only looked at for O(steps).
    type: dict
    default: {}
  closing:
    description: Name of the variable that holds what was registered of M(m365.offboarding.m365_user_info) after the steps.
    type: str
  finished:
    description: Whether the batch has come to its end, and counts for how far the run has come.
    type: bool
    default: false
  refused:
    description: C(refused) of P(m365.offboarding.leaver_plan#filter).
    type: dict
    default: {}
  earlier:
    description: Name of the variable that holds the evidence of an earlier run to compare with.
    type: str
  before:
    description: Name of the variable that holds what this gave the last time.
    type: str
  total:
    description: Leavers of all batches.
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
  description:
    - The results of everybody, packed, for P(m365.offboarding.leaver_records#filter). The first text is about whoever goes through no
      step, the others about one batch each.
  type: list
  elements: str
  returned: always
  sample: [eAGLjgUAARUAuQ==]
entry:
  description: As P(m365.offboarding.tenant_evidence#filter) gives it.
  type: dict
  returned: always
done:
  description: How many leavers of finished batches there are.
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
