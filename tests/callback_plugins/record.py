# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes what AWX would store as job events: the result of every task, one JSON object a line."""

from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: record
type: notification
short_description: Record the results of tasks
description: Appends the result of every task to the file that RECORD_PATH names.
options: {}
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "record"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result):
        self._write("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._write("ignored" if ignore_errors else "failed", result)

    def v2_runner_on_unreachable(self, result):
        self._write("unreachable", result)

    def v2_runner_on_skipped(self, result):
        self._write("skipped", result)

    def v2_runner_item_on_ok(self, result):
        self._write("item ok", result)

    def v2_runner_item_on_failed(self, result):
        self._write("item failed", result)

    def v2_runner_retry(self, result):
        self._write("retry", result)

    def v2_playbook_on_stats(self, stats):
        self._append({"status": "stats", "custom": stats.custom})

    def _write(self, status, result):
        # ansible-core before 2.19 has no other names for these.
        task, host, reported = (
            getattr(result, name, None) or getattr(result, f"_{name}") for name in ("task", "host", "result")
        )
        self._append(
            {"status": status, "task": task.name, "action": task.action, "host": host.name, "result": reported}
        )

    def _append(self, event):
        with open(os.environ["RECORD_PATH"], "a", encoding="utf-8") as file:
            file.write(json.dumps(event, default=str) + "\n")
