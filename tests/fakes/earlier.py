# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence of an earlier run without a file, and results compared with it."""

from __future__ import annotations

import json
import pathlib
import tempfile
from typing import Any

from ansible_collections.m365.offboarding.plugins.plugin_utils._earlier import Earlier, earlier_runs
from tools import sample_evidence


def earlier(evidence: Any) -> Earlier:
    """Return what evidence says of the tenant of its first host."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "earlier.json"
        path.write_text(json.dumps(evidence))
        runs = earlier_runs(str(path))
    tenant_id = next(iter(evidence["hosts"].values()), sample_evidence.host([]))["tenant_id"]
    return Earlier(runs, tenant_id=tenant_id, purpose="audit", host="localhost")


def with_since(leavers: list[dict[str, Any]], compared: Earlier) -> list[dict[str, Any]]:
    """Return the results with `since`, as if nothing had been written."""
    return [{**one, "since": compared.change(one, {**one, "doors": {}})} for one in leavers]
