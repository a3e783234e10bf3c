# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide's inventories, as Ansible reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from . import page


class Folder:
    """A folder with files of the guide, in which Ansible is run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.path,
            env={
                "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
                "HOME": str(self.path / "home"),
                "LC_ALL": "C.UTF-8",
                "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
                "ANSIBLE_NOCOLOR": "true",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )

    def tenants(self, *options: str) -> dict[str, dict[str, Any]]:
        """The variables of the hosts in the group ``tenants``."""
        ran = self.run("ansible-inventory", *options, "--list", "--export")
        assert ran.returncode == 0, ran.stderr
        assert "WARNING" not in ran.stderr
        reported = json.loads(ran.stdout)
        return {host: reported["_meta"]["hostvars"].get(host, {}) for host in reported["tenants"]["hosts"]}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_one_file_per_tenant_and_no_secret_in_the_inventory(folder: Folder) -> None:
    page.write(folder.path, "ansible.cfg", "inventory/", "host_vars/")
    vault = folder.path / "host_vars" / "contoso" / "vault.yml"
    # It cannot be decrypted, so whoever reads it fails.
    vault.write_text("$ANSIBLE_VAULT;1.1;AES256\n3132\n")

    found = folder.tenants()

    written = [yaml.safe_load(text)["tenants"]["hosts"] for text in page.files("inventory/").values()]
    assert found == {name: variables for hosts in written for name, variables in hosts.items()}
    assert sorted(found) == ["contoso", "fabrikam"]


@pytest.mark.parametrize("configured", [True, False])
def test_a_file_that_cannot_be_read(folder: Folder, configured: bool) -> None:
    """With the guide's settings it stops everything. Without them, that tenant would just not be there."""
    page.write(folder.path, "inventory/", *(["ansible.cfg"] if configured else []))
    (folder.path / "inventory" / "fabrikam.yml").write_text("tenants:\n  hosts: [fabrikam\n")

    ran = folder.run("ansible-inventory", "--inventory", "inventory", "--graph", "tenants")

    assert "fabrikam.yml" in ran.stderr
    assert (ran.returncode, "contoso" in ran.stdout) == ((1, False) if configured else (0, True))


def test_tenants_of_a_cmdb(folder: Folder) -> None:
    page.write(folder.path, "ansible.cfg", "cmdb.csv", "cmdb/", "group_vars/")
    (folder.path / "leavers").mkdir()
    for name in ("contoso", "fabrikam"):
        (folder.path / "leavers" / f"{name}.csv").write_text(f"user,left_at\njane@{name}.com,2026-11-20T17:00:00Z\n")
    (folder.path / "play.yml").write_text(
        "- name: Play\n  hosts: tenants\n  gather_facts: false\n  tasks:\n"
        "    - {name: Tell, ansible.builtin.debug: {msg: \"{{ lookup('ansible.builtin.file', leavers_file) }}\"}}\n"
    )

    graph = folder.run(*page.command("ansible-inventory").split())
    found = folder.tenants("--inventory", "cmdb")
    played = folder.run("ansible-playbook", "--inventory", "cmdb", "play.yml")

    assert graph.stdout in page.outputs()
    assert {name: (own["m365_tenant_id"], own["m365_client_id"]) for name, own in found.items()} == {
        "contoso": ("8e1d7c3b-3f0e-4b6c-9d43-0a5c7f1f2b11", "5b2f9f0e-6f53-4c55-8a57-6f0c6a7a9d21"),
        "fabrikam": ("fabrikam.com", "0c6a54a4-1d0c-4c52-9a0e-3c1b6d8f7e32"),
    }
    assert played.returncode == 0, played.stdout
    assert [name in played.stdout for name in ("jane@contoso.com", "jane@fabrikam.com")] == [True, True]


def test_a_cmdb_that_lacks_a_column(folder: Folder) -> None:
    page.write(folder.path, "ansible.cfg", "cmdb.csv", "cmdb/")
    export = folder.path / "cmdb.csv"
    export.write_text(export.read_text().replace("directory_id", "tenant"))

    ran = folder.run(*page.command("ansible-inventory").split())

    assert ran.returncode == 1
    assert "directory_id" in ran.stderr
