#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# The documentation of an action plugin: what it does is in plugins/action/leaver_evidence.py.

from __future__ import annotations

DOCUMENTATION = r"""
module: leaver_evidence
short_description: Write what came of leavers to files
version_added: 1.0.0
description:
  - Writes the evidence of the role P(m365.offboarding.offboard_employee#role), for several hosts at once. The role calls it; there is
    seldom a reason to call it oneself.
  - Runs where Ansible runs, writes in check mode too, and counts as no change. Files are written atomically and only their owner can
    read them. An existing file is kept, and ours gets the time as a suffix.
author:
  - The m365.offboarding contributors (@m365-offboarding)
options:
  hosts:
    description: For each host what was registered of M(m365.offboarding.leaver_batch) for its last batch.
    type: dict
    required: true
  paths:
    description:
      - For each host a list of where its report is to be written.
      - The suffix of a path tells the format, C(.html), C(.csv), C(.json) or C(.xml) (JUnit). Hosts that name the same path share a file.
    type: dict
    required: true
  missing:
    description: Hosts that were to be looked at and have not been. Each file tells of them.
    type: list
    elements: str
    default: []
  purpose:
    description: What the run was for.
    type: str
    choices: [offboard, audit]
    required: true
  complete:
    description: Whether the run has come to its end.
    type: bool
    required: true
  json_only:
    description: Whether only JSON files are written, a line for each leaver, which is cheap enough to be done after each step.
    type: bool
    default: false
  started_at:
    description: When the run began, ISO 8601.
    type: str
    required: true
  job:
    description: In AWX C(id), C(template) and C(launched_by) of the job.
    type: dict
    default: {}
  files:
    description: RV(files) of an earlier call in the same run. These files are replaced.
    type: dict
    default: {}
extends_documentation_fragment:
  - m365.offboarding.attributes.action
seealso:
  - plugin: m365.offboarding.leaver_report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Write what an audit found
  m365.offboarding.leaver_evidence:
    hosts:
      localhost: "{{ batch }}"
    paths:
      localhost: [/var/log/leavers.html, /var/log/leavers.json]
    purpose: audit
    complete: true
    started_at: "2026-11-20T16:04:00Z"
"""

RETURN = r"""
files:
  description: Where each path was really written.
  type: dict
  returned: always
  sample: {/var/log/leavers.json: /var/log/leavers-20261120T160501Z.json}
msg:
  description: The files.
  type: str
  returned: always
  sample: /var/log/leavers.html, /var/log/leavers-20261120T160501Z.json
"""
