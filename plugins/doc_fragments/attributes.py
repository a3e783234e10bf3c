# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in C(check_mode) and report what would change without changing anything.
    support: full
  diff_mode:
    description: Reports what has changed, or would change, in diff mode.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
  action:
    description: Has an action plugin of the same name, which may run it where Ansible runs.
    support: partial
    details: Inside Ansible's worker on localhost, as an ordinary module elsewhere; see the guide on how modules run.
  action_group:
    description: Use C(group/m365.offboarding.m365) in C(module_defaults) to set options for this module.
    support: full
    membership:
      - m365.offboarding.m365
"""

    ACTION = r"""
attributes:
  check_mode:
    description: Can run in C(check_mode) and report what would change without changing anything.
    support: full
    details: A report is written in check mode too; it shows what was found.
  diff_mode:
    description: Reports what has changed, or would change, in diff mode.
    support: none
    details: Writing a report is not reported as a change.
  idempotent:
    description: A second run changes nothing.
    support: none
    details: A second run writes a second file.
  action:
    description: Runs where Ansible runs, without a connection to the host.
    support: full
"""
