# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""When each task began and what CPU had been used by then: kept in memory, written once at the end."""

from __future__ import annotations

import json
import os
import resource
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: benchmark_tasks
type: notification
short_description: Note when tasks begin
description: Writes a list of name, action, time and CPU seconds (own, children's) to the file that BENCHMARK_TASKS names.
options: {}
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "benchmark_tasks"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._rows = []

    def v2_playbook_on_start(self, playbook):
        self._note("", "")

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._note(task.name, task.action)

    def v2_playbook_on_stats(self, stats):
        self._note("", "")
        with open(os.environ["BENCHMARK_TASKS"], "w", encoding="utf-8") as file:
            json.dump(self._rows, file)

    def _note(self, name, action):
        own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        cpu = [usage.ru_utime + usage.ru_stime for usage in (own, children)]
        self._rows.append([name, action, time.time(), *cpu])
