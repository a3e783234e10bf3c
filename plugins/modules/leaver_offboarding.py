#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The documentation of an action plugin: what it does is in plugins/action/leaver_offboarding.py.

from __future__ import annotations

DOCUMENTATION = r"""
module: leaver_offboarding
short_description: Decide, record and report for the role offboard_employee
version_added: 1.0.0
description:
  - The part of the role P(m365.offboarding.offboard_employee#role) that does not call Microsoft. Only this role should use it.
  - It reads the variables of the role, and the variables that its tasks have registered, by name. It sends nothing.
  - Runs on the controller, in check mode too, and never reports a change.
author:
  - The m365.offboarding contributors (@m365-offboarding)
options:
  phase:
    description:
      - V(validate) refuses variables that are unknown or invalid, a file of leavers or earlier evidence that cannot be read, and reports
        that cannot be written. It returns the checked variables and the leavers.
      - V(plan) decides which leavers go through the steps, in which batches, and which are refused.
      - V(batch_done) records the results of a batch, and writes all reports of all hosts of the play, unless it was the last batch.
      - V(evidence) writes all reports of all hosts of the play.
      - V(conclude) returns the results, the table, why the run fails, and the values for C(set_stats).
    type: str
    required: true
    choices: [validate, plan, batch_done, evidence, conclude]
  purpose:
    description: The purpose of the run, for V(validate).
    type: str
    choices: [offboard, audit]
    default: offboard
  playbook:
    description: The playbook of this collection that runs the role, for V(validate), which then accepts its variables too.
    type: str
    default: ""
  batch:
    description: The number of the batch for V(batch_done), from 1.
    type: int
    default: 0
extends_documentation_fragment:
  - m365.offboarding.attributes.action
"""

EXAMPLES = r"""
- name: Validate the variables
  m365.offboarding.leaver_offboarding:
    phase: validate
  register: __offboard_employee_request
"""

RETURN = r"""
named:
  description: The leavers of the list and of the file. V(validate) also returns the other variables of the role.
  type: list
  elements: dict
  returned: phase=validate
batches:
  description: Lists of leavers, in the form that the modules take.
  type: list
  elements: list
  returned: phase=plan
state:
  description: The state of all leavers after the opening read.
  type: dict
  returned: phase=plan
records:
  description: The records of all leavers, by batch.
  type: list
  elements: raw
  returned: phase=batch_done
msg:
  description: The progress of the run in one line.
  type: str
  returned: phase=batch_done
  sample: 500 of 2000 leavers done, 1500 left; 2 with an open door; end expected at 2026-11-20T16:06:10Z.
journal:
  description:
    - The reports that were written, for each host, by the requested paths.
    - Empty if another host has written them.
  type: dict
  returned: phase=batch_done or evidence
files:
  description: The reports that were written, for each host.
  type: dict
  returned: phase=evidence
lines:
  description: A line for each of these reports, with its SHA-256 checksum, for each host.
  type: dict
  returned: phase=evidence
is_long:
  description: Whether the results are too long for a log, for each host.
  type: dict
  returned: phase=evidence
leavers:
  description:
    - The results, for the variable C(offboard_employee_result).
    - Before ansible-core 2.19, the results of more than 300 leavers are the fact C(offboard_employee_result) instead, unless that
      variable exists.
  type: list
  elements: dict
  returned: phase=conclude
table:
  description: The lines of the table, which show the leavers that are contained and the doors that are open.
  type: list
  elements: str
  returned: phase=conclude
failures:
  description: Why the run fails, one sentence per leaver.
  type: list
  elements: str
  returned: phase=conclude
"""
