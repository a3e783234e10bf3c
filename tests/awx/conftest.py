# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An AWX that the collection's own playbook has set up, a tenant, and jobs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simulator import Tenant
from tools import awx_modules, callbacks, tree

from .jobs import Launcher
from .server import TOKEN, FakeAwx, Item

COLLECTION = "https://github.com/m365-offboarding/m365.offboarding.git"
BREAK_GLASS = ("admin", "admin2")


def project(folder: Path, prefix: str = "") -> dict[str, str]:
    """What lies in a folder, as a repository holds it."""
    return {
        prefix + path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


@dataclass
class Setup:
    """One run of the playbook that sets AWX up."""

    returncode: int
    output: str
    requests: list[tuple[str, str]]
    evidence_folder: str

    @property
    def changed(self) -> int:
        return int(self.output.rpartition("changed=")[2].split()[0])

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [one for one in self.requests if one[0] != "GET"]


@pytest.fixture(scope="session")
def tenant() -> Iterator[Tenant]:
    with Tenant() as tenant:
        yield tenant
        assert not tenant.crashes, "the simulator made a mistake"


@pytest.fixture(scope="session")
def collections() -> str:
    """Where Ansible finds this collection, and awx.awx."""
    return os.pathsep.join([str(tree.link()), str(awx_modules.folder())])


@pytest.fixture(scope="session")
def awx() -> Iterator[FakeAwx]:
    """Nothing but an organization at first."""
    with FakeAwx({COLLECTION: project(tree.ROOT / "extensions" / "awx" / "project", "extensions/awx/project/")}) as awx:
        yield awx


@pytest.fixture(scope="session")
def inputs(tenant: Tenant) -> dict[str, Item]:
    """What an administrator types into the two credentials: one signs in by secret, the other by certificate."""
    files = tenant.certificate_files()
    shared = {
        "tenant_id": tenant.tenant_id,
        "cloud": "public",
        "protected_users": "\n".join(tenant.directory.user(key).upn for key in BREAK_GLASS),
    }
    auditor = tenant.app("auditor-with-leave-dates")
    return {
        "audit": {**shared, "client_id": auditor.client_id, "client_secret": auditor.client_secret},
        "lockout": {
            **shared,
            "client_id": tenant.app("certificate").client_id,
            "certificate": Path(files["encrypted_pem"]).read_text(),
            "certificate_password": files["passphrase"],
        },
    }


@pytest.fixture(scope="session")
def set_up(
    awx: FakeAwx, collections: str, inputs: dict[str, Item], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Setup]:
    """Run the playbook, with its settings as extra variables."""
    evidence = tmp_path_factory.mktemp("evidence")
    settings = {
        "awx_setup_image": "registry.example.com/m365-offboarding:1.0.0",
        "awx_setup_tenants": ["contoso"],
        "awx_setup_inputs": inputs,
        "awx_setup_evidence_folder": str(evidence),
        "awx_setup_mail": {
            "host": "mail.example.com",
            "port": 587,
            "username": "",
            "password": "",
            "use_tls": True,
            "use_ssl": False,
            "sender": "awx@example.com",
            "recipients": ["security@example.com"],
        },
        "awx_setup_slack_webhook": "https://hooks.slack.example.com/services/T0/B0/x",
        "awx_setup_teams_webhook": "https://flows.example.com/workflows/1?sig=x",
    }

    def run(**changes: Any) -> Setup:
        folder = tmp_path_factory.mktemp("setup")
        variables = folder / "variables.json"
        variables.write_text(json.dumps({**settings, **changes}))
        begun = len(awx.requests)
        command = [
            "playbook",
            "--inventory",
            "localhost,",
            "m365.offboarding.awx_setup",
            "--extra-vars",
            f"@{variables}",
        ]
        ran = subprocess.run(
            [sys.executable, "-m", "ansible", *command],
            cwd=folder,
            env={
                **tree.ansible(folder),
                "ANSIBLE_COLLECTIONS_PATH": collections,
                "ANSIBLE_NOCOLOR": "true",
                "ANSIBLE_PIPELINING": "true",
                **callbacks.environment(),
                **awx.environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
            timeout=240,
        )
        assert TOKEN not in ran.stdout
        return Setup(ran.returncode, ran.stdout, awx.requests[begun:], str(evidence))

    return run


@pytest.fixture(scope="session")
def first_setup(set_up: Callable[..., Setup]) -> Setup:
    done = set_up()
    assert done.returncode == 0, done.output
    return done


@pytest.fixture
def fresh(tenant: Tenant) -> Tenant:
    """A tenant as on its first day."""
    tenant.reset()
    return tenant


@pytest.fixture
def launcher(awx: FakeAwx, first_setup: Setup, fresh: Tenant, collections: str, tmp_path: Path) -> Launcher:
    return Launcher(awx, fresh, tmp_path, collections)
