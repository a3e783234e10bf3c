#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The documentation of an action plugin: what it does is in plugins/action/leaver_restoration.py.

from __future__ import annotations

DOCUMENTATION = r"""
module: leaver_restoration
short_description: Decide and report for the role restore_employee
version_added: 1.0.0
description:
  - The part of the role P(m365.offboarding.restore_employee#role) that does not call Microsoft. Only this role should use it.
  - It reads the variables of the role, and the variables that its tasks have registered, by name. It sends nothing.
  - Runs on the controller, in check mode too, and never reports a change.
author:
  - The m365.offboarding contributors (@m365-offboarding)
options:
  phase:
    description:
      - V(validate) refuses variables that are unknown or invalid, and evidence that cannot be trusted. It returns the checked variables
        and the contents of the evidence.
      - V(plan) decides what each leaver gets back, and waits if another read may show more.
      - V(results) combines the results of the reads and steps so far.
      - V(conclude) does the same, and returns it for C(set_stats).
    type: str
    required: true
    choices: [validate, plan, results, conclude]
  playbook:
    description: The playbook of this collection that runs the role, for V(validate).
    type: str
    default: ""
  has_password:
    description: Whether the user provided a password, for V(validate).
    type: bool
    default: false
  undeleted:
    description: Object IDs of the accounts that this run has restored, for V(plan).
    type: list
    elements: str
    default: []
  began:
    description: When this run first read the users, in seconds since 1970, for V(plan).
    type: float
    default: 0.0
extends_documentation_fragment:
  - m365.offboarding.attributes.action
"""

EXAMPLES = r"""
- name: Validate the variables
  m365.offboarding.leaver_restoration:
    phase: validate
  register: __restore_employee_request
"""

RETURN = r"""
names:
  description: The leavers.
  type: list
  elements: str
  returned: phase=validate
read:
  description: Names and object IDs to read.
  type: list
  elements: str
  returned: phase=validate
leavers:
  description: What each leaver gets back, or why nothing. That of V(conclude) is for the variable C(restore_employee_result).
  type: list
  elements: dict
  returned: phase=plan, results or conclude
groups:
  description: Leavers whose mailboxes get the same protocols.
  type: list
  elements: dict
  returned: phase=plan
undelete:
  description: Accounts to be restored.
  type: list
  elements: raw
  returned: phase=plan
again:
  description: Whether another read may show more.
  type: bool
  returned: phase=plan
open:
  description: Object IDs of the users that may sign in again after the steps so far.
  type: list
  elements: str
  returned: phase=results or conclude
table:
  description: The lines of the table.
  type: list
  elements: str
  returned: phase=results or conclude
failures:
  description: Why the run fails, one sentence per leaver.
  type: list
  elements: str
  returned: phase=results or conclude
"""
