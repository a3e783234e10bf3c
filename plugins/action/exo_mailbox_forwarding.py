# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..modules.exo_mailbox_forwarding import JOB
from ..plugin_utils._in_process import InProcess


class ActionModule(InProcess):
    JOB = JOB
