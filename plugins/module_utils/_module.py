# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a job as an ordinary module in a separate process, with an `AnsibleModule` around it."""

from __future__ import annotations

import copy

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.common.warnings import warn

from ._run import Job, Run, perform


def run_module(job: Job) -> None:
    """Build the module, do its job, exit with the result."""
    # A copy: Ansible's validator changes the spec that it is given.
    module = AnsibleModule(argument_spec=copy.deepcopy(job.spec), supports_check_mode=True)
    run = Run(module.params, check_mode=module.check_mode)
    result = perform(job, run, diff=module._diff)
    module.no_log_values.update(run.secrets)
    # ansible-core 2.19 and later do not mask warnings.
    for text in remove_values(run.warnings, module.no_log_values):
        warn(text)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)
