# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lets runs of one test session share what Ansible builds of a module: half of what a module run costs."""

from __future__ import annotations

import os

from ansible import constants
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: module_cache
type: notification
short_description: Share built modules between runs
description: Puts Ansible's cache of built modules, which each run has its own of, into the folder that MODULE_CACHE names.
options: {}
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "module_cache"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook):
        os.symlink(os.environ["MODULE_CACHE"], os.path.join(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache"))
