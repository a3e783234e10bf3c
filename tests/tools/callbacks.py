# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables that enable the callback plugins of the tests."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from . import tree


def environment(record: Path | None = None) -> dict[str, str]:
    """Return variables with which runs of this process share built modules, and write a record if a path is given."""
    return {
        "ANSIBLE_CALLBACK_PLUGINS": str(tree.ROOT / "tests" / "callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "module_cache,record" if record else "module_cache",
        "MODULE_CACHE": _modules(),
        **({"RECORD_PATH": str(record)} if record else {}),
    }


@functools.cache
def _modules() -> str:
    folder = tempfile.mkdtemp(prefix="m365-modules-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
