# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the time goes in a module: what its imports cost, and what it does for a thousand leavers."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from tools import tree

from .measure import run
from .tenant import LocalTenant, local_tenant

_MODULE = "ansible_collections.m365.offboarding.plugins.modules.m365_user_info"
_IMPORTS = {
    "nothing": "pass",
    "ansible.module_utils.basic": "import ansible.module_utils.basic",
    "basic, requests": "import ansible.module_utils.basic, requests",
    "basic, requests, msal": "import ansible.module_utils.basic, requests, msal",
    "all of these and the module": f"import ansible.module_utils.basic, requests, msal, {_MODULE}",
}
_OURS = "ansible_collections.m365.offboarding"


def take(folder: Path, largest: int) -> dict[str, Any]:
    """CPU milliseconds of imports; and how a module run for `largest` leavers, at most a thousand, divides its samples."""
    leavers = min(largest, 1000)
    with local_tenant(folder, people=leavers, latency=0.0) as tenant:
        environment = {**os.environ, **tenant.environment, "PYTHONPATH": str(tree.link())}
        imports = {name: _cpu(code, environment, folder) for name, code in _IMPORTS.items()}
        return {
            "imports": imports,
            "own": _own_imports(environment),
            "leavers": leavers,
            "module": _module(tenant, environment, folder),
        }


def _cpu(code: str, environment: dict[str, str], folder: Path) -> float:
    """Median CPU milliseconds of a Python that runs this and ends."""
    return 1000 * statistics.median(
        run([sys.executable, "-c", code], environment, folder, limit=60).cpu for _number in range(5)
    )


def _own_imports(environment: dict[str, str]) -> list[tuple[str, float]]:
    """What `-X importtime` says of the collection's own files: milliseconds of each, without what it imports in turn."""
    reported = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"import {_MODULE}"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    rows = re.findall(rf"import time: +(\d+) \| +\d+ \| +{re.escape(_OURS)}\.plugins\.(\S+)", reported)
    return sorted(((name, int(own) / 1000) for own, name in rows), key=lambda row: -row[1])


def _module(tenant: LocalTenant, environment: dict[str, str], folder: Path) -> list[tuple[str, float]]:
    """The shares of a run of m365_user_info by what it is busy with, as pyinstrument sees it."""
    arguments, session = folder / "arguments.json", folder / "session.json"
    options = {"users": tenant.leavers, "directory_roles": True, "_ansible_check_mode": False}
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}), encoding="utf-8")
    code = (
        "import sys; from pyinstrument import Profiler; from pyinstrument.renderers import JSONRenderer\n"
        "profiler = Profiler(interval=0.001); profiler.start()\n"
        f"sys.argv = ['m365_user_info', {str(arguments)!r}]\n"
        "try:\n"
        f"    import {_MODULE} as module; module.main()\n"
        "except SystemExit: pass\n"
        f"profiler.stop(); open({str(session)!r}, 'w').write(JSONRenderer(show_all=True).render(profiler.last_session))\n"
    )
    done = run([sys.executable, "-c", code], environment, folder, limit=600)
    if done.returncode:
        raise RuntimeError(f"the profiled module ended with {done.returncode}:\n{done.text[-2000:]}")
    reported = json.loads(session.read_text(encoding="utf-8"))
    spent: dict[str, float] = {}
    _divide(reported["root_frame"], "the rest", spent)
    whole = sum(spent.values())
    return sorted(((name, seconds / whole) for name, seconds in spent.items()), key=lambda row: -row[1])


# A frame of such a function begins a part; what is below it belongs to it, unless it begins another one.
_PARTS = {
    "_find_and_load": "importing",
    "_load_params": "reading the options",
    "AnsibleModule.__init__": "checking the options",
    "AnsibleModule.exit_json": "masking secrets in the result and writing it",
    "map_concurrent": "waiting for answers, taking them apart (four threads)",
    "TokenSource.token": "getting tokens",
    "_observation": "deciding which doors are open",
    "exit_json": "masking secrets in the result and writing it",
}


def _divide(frame: dict[str, Any], part: str, spent: dict[str, float]) -> None:
    part = _PARTS.get(frame["function"], part)
    below = frame.get("children") or []
    for child in below:
        _divide(child, part, spent)
    own = frame["time"] - sum(child["time"] for child in below)
    spent[part] = spent.get(part, 0.0) + max(own, 0.0)
