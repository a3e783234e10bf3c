# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the evidence of hosts that run their tasks independently of each other.

The strategies `free` and `host_pinned` do not honor `run_once`: each host writes the files that it shares with others. It
knows the variables of the others as of the moment its task began, and they may have written more since. So each host keeps
what it knows in a ledger, a file in the temporary folder of this run of Ansible, and writes for all hosts in it while it holds the lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import typing as t

from ._files import write
from ._messages import Record
from ._offboarding import HostRun, write_evidence

_LEDGER = "m365_offboarding.json"
Ledger = dict[str, dict[str, dict[str, t.Any]]]


def goes_alone(strategy: str) -> bool:
    """Whether each host runs a task with `run_once` under this strategy of a play."""
    return strategy.endswith(("free", "host_pinned"))


def write_shared_evidence(
    host: str,
    tenant: HostRun,
    state: Record,
    *,
    folder: str,
    play_hosts: t.Sequence[str],
    complete: bool,
    started_at: str,
    **reported: t.Any,
) -> dict[str, dict[str, t.Any]]:
    """Write the evidence of a host and, in shared files, that of the other hosts, as recorded in the ledger.

    :param state: see `HostRun.state`.
    :param folder: the temporary folder of this run of Ansible, which all its workers share and which it removes.
    :param play_hosts: all hosts of the play.
    :param complete: whether this host has finished. A file is complete when all hosts that share it have.
    :param reported: see `write_evidence`.
    :returns: as `write_evidence`, for this host.
    :raises OSError: with a sentence that names the path.
    """
    run_id, paths = tenant.request["run_id"], tenant.request["report_paths"]
    with _ledger(folder) as ledger:
        runs = ledger.setdefault(host, {})
        own = runs.setdefault(run_id, {"files": {}, "started_at": started_at})
        own.update(paths=list(paths), state=state, complete=complete, chain=tenant.request["chain"])
        # A play may run the role several times: the first run of this host belongs to the first ones of the others.
        number = list(runs).index(run_id)
        beside = {name: list(of_host.values())[number] for name, of_host in ledger.items() if len(of_host) > number}
        missing = [name for name in play_hosts if name not in beside]
        sums: dict[str, str] = {}
        for path in paths:
            sharing = {name: beside[name] for name in play_hosts if path in beside.get(name, {}).get("paths", ())}
            written = write_evidence(
                {name: one["state"] for name, one in sharing.items()},
                {name: _tenant(path, one) for name, one in sharing.items()},
                {name: one["files"] for name, one in sharing.items()},
                missing=missing if complete else (),
                complete=all(one["complete"] for one in sharing.values()),
                started_at=min(one["started_at"] for one in sharing.values()),
                **reported,
            )
            sums |= written[host]["sha256"]
            for name, one in sharing.items():
                one["files"] = written[name]["files"]
        return {host: {"run_id": run_id, "files": dict(own["files"]), "sha256": sums}}


def _tenant(path: str, one: Record) -> HostRun:
    """What `write_evidence` needs for a host that shares this file, from its entry in the ledger."""
    return HostRun({"__offboard_employee_request": {"run_id": "", "report_paths": [path], "chain": one["chain"]}})


@contextlib.contextmanager
def _ledger(folder: str) -> t.Iterator[Ledger]:
    """Lock the ledger and return, for each host, its runs of the role by id, in order."""
    path = os.path.join(folder, _LEDGER)
    with open(f"{path}.lock", "w", encoding="utf-8") as lock:
        # Closing the file releases the lock.
        fcntl.flock(lock, fcntl.LOCK_EX)
        ledger: Ledger = {}
        with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
            ledger = json.load(file)
        yield ledger
        write(json.dumps(ledger), path, instead_of=path)
