#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The documentation of an action plugin: what it does is in plugins/action/verify_evidence.py.

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_evidence
short_description: Check that evidence is unchanged
version_added: 1.0.0
description:
  - Compares the reports in a folder and its subfolders with the checksum files beside them, and each evidence file with the checksum
    that later evidence contains. The playbook C(m365.offboarding.verify_evidence) does this too.
  - Fails if a report was changed, is missing, has no checksum, or is not the one that later evidence was compared with, and if the
    folder does not contain a report. Hidden files, which are drafts, and files that are not reports are skipped.
  - Anyone who can write to the folder can replace all files and checksums in it. So keep the checksum of the newest evidence elsewhere,
    and set O(expected) to it. The log and the artifacts of a job contain it.
  - Runs on the controller. Nothing is written, and nothing is sent.
author:
  - The m365.offboarding contributors (@m365-offboarding)
attributes:
  check_mode:
    details: It never changes anything.
  diff_mode:
    support: N/A
    details: It never changes anything.
  idempotent:
    support: full
    details: It never changes anything.
options:
  folder:
    description: The folder. Its subfolders are checked as well.
    type: path
    required: true
  expected:
    description: SHA-256 checksums that were kept elsewhere. The check fails unless each belongs to a file.
    type: list
    elements: str
    default: []
  playbook:
    description: The playbook of this collection that runs this module. Its extra variables are then checked for mistakes.
    type: str
    default: ""
extends_documentation_fragment:
  - m365.offboarding.attributes.action
seealso:
  - ref: ansible_collections.m365.offboarding.docsite.evidence
    description: What evidence proves, and how long to keep it.
"""

EXAMPLES = r"""
- name: Check the evidence of the year, and the last night against the checksum in the log of its job
  m365.offboarding.verify_evidence:
    folder: /var/lib/evidence/2026
    expected:
      - 5ee5e7b8ccf6e2e4f4b4a8cf9c4b2a53b3a0b0f9d0b6d7c2d8ac4a0f54be4a9c
"""

RETURN = r"""
checked:
  description: The number of reports.
  type: int
  returned: always
  sample: 730
newest:
  description: The checksums of the newest evidence files, by path within the folder. No later evidence in the folder contains them.
  type: dict
  returned: always
  sample: {audit-2026-11-20.json: 5ee5e7b8ccf6e2e4f4b4a8cf9c4b2a53b3a0b0f9d0b6d7c2d8ac4a0f54be4a9c}
changed:
  description: A sentence for each report that does not match its checksum.
  type: list
  elements: str
  returned: always
  sample: ["audit-2026-11-19.json has changed since it was written: its checksum differs."]
missing:
  description: A sentence for each missing file that a checksum file or later evidence names.
  type: list
  elements: str
  returned: always
  sample: []
unlisted:
  description: A sentence for each report without a checksum.
  type: list
  elements: str
  returned: always
  sample: []
broken:
  description: A sentence for each evidence file that is not the one that later evidence was compared with.
  type: list
  elements: str
  returned: always
  sample: []
unreadable:
  description: A sentence for each file that cannot be read.
  type: list
  elements: str
  returned: always
  sample: []
lost:
  description: A sentence for each checksum in O(expected) that does not belong to a file.
  type: list
  elements: str
  returned: always
  sample: []
incomplete:
  description: A sentence for each evidence file of a run that was still in progress or was killed. It does not fail the check.
  type: list
  elements: str
  returned: always
  sample: []
msg:
  description: The result, or everything that is wrong.
  type: str
  returned: always
  sample: "730 reports are as they were written."
"""
