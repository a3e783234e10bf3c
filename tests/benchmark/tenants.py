# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many tenants in one run, side by side: hosts of an inventory, each with leavers and a credential of its own."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools import tree

from . import contenders
from .contenders import Sample
from .tenant import LocalTenant

# Before modules ran inside Ansible's worker.
BEFORE = "2f7e070"
_PLACE = Path("ansible_collections", "m365", "offboarding")


@dataclass(frozen=True)
class Shape:
    hosts: int
    each: int
    forks: int
    # Whether the memory of all processes together is looked at.
    whole: bool = False

    @property
    def leavers(self) -> int:
        return self.hosts * self.each


# By contender. The revision before goes through the first shape, beside today's.
SHAPES = {
    "tenants": Shape(30, 5, 10),
    "before": Shape(30, 5, 10),
    "forks": Shape(50, 1, 50, whole=True),
}


def checkout(revision: str) -> Path | None:
    """A folder for `ANSIBLE_COLLECTIONS_PATH` with the collection as it was, `None` where git does not have it."""
    reported = subprocess.run(["git", "archive", revision], cwd=tree.ROOT, capture_output=True, check=False)
    if reported.returncode:
        return None
    folder = tree.WORK / "benchmark" / "before"
    if not folder.exists():
        (folder / _PLACE).mkdir(parents=True)
        with tarfile.open(fileobj=io.BytesIO(reported.stdout)) as archive:
            archive.extractall(folder / _PLACE, filter="data")
    return folder


def side_by_side(
    tenant: LocalTenant, latency: float, contender: str, shape: Shape, old: Path | None
) -> Iterator[Sample]:
    """A first run over all hosts. Each is a client of the same local tenant; the cost is the same as of as many tenants.

    :param old: the collections path of the revision to run, `None` for this one.
    """
    given = tenant.environment
    credential = {
        "m365_tenant_id": given["AZURE_TENANT_ID"],
        "m365_client_id": given["AZURE_CLIENT_ID"],
        "m365_client_secret": given["AZURE_CLIENT_SECRET"],
    }
    hosts = {
        f"tenant{number:02d}": {
            "ansible_connection": "local",
            "leavers": tenant.leavers[number * shape.each : (number + 1) * shape.each],
            **credential,
        }
        for number in range(shape.hosts)
    }
    inventory = tenant.folder / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    yield contenders.play(
        tenant,
        "m365.offboarding.offboard",
        "--forks",
        str(shape.forks),
        "-e",
        "target_hosts=all",
        contender=contender,
        phase="first",
        latency=latency,
        extra={"ANSIBLE_COLLECTIONS_PATH": str(old)} if old else None,
        inventory=str(inventory),
        whole=shape.whole,
    )
