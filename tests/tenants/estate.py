# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many tenants behind one simulator, and the folder with the playbook and the inventory that the guide shows."""

from __future__ import annotations

import re
import secrets
import shlex
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from integration.support import ago, moment, open_doors, step_of

from simulator import Fault, Tenant
from simulator.directory import User
from tools import tree

from . import page

SLICES = 3
# Where each of them stands, so that each slice has one that is not as it should be.
THROTTLED, MISCONFIGURED, UNREACHABLE = 3, 4, 5
FEWEST = 6


@dataclass
class ShellOutcome:
    """A program that has come to its end."""

    returncode: int
    output: str

    @property
    def failed(self) -> dict[str, int]:
        """The hosts of the recap, with how many tasks failed there."""
        recap = self.output.partition("PLAY RECAP")[2]
        return {host: int(count) for host, count in re.findall(r"^(\S+) +:.* failed=(\d+)", recap, re.MULTILINE)}


class Estate:
    """The tenants, by the names of their hosts, and the project folder."""

    def __init__(self, first: Tenant, folder: Path, *, tenants: int, leavers: int) -> None:
        assert tenants >= FEWEST
        self.first = first
        self.project = folder / "project"
        self.leavers = leavers
        self._home = folder / "home"
        self._password = folder / "vault-password"
        names = [f"tenant{number:03d}" for number in range(1, tenants + 1)]
        self.tenants = {name: first.neighbour(f"{name}.example") for name in names}
        self.throttled, self.misconfigured, self.unreachable = (
            names[place] for place in (THROTTLED, MISCONFIGURED, UNREACHABLE)
        )
        # With offset, of the past.
        self._left_at = ago(hours=2)
        self._write()

    @property
    def healthy(self) -> list[str]:
        """Those whose leavers have to be shut."""
        return [name for name in self.tenants if name not in (self.misconfigured, self.unreachable)]

    def begin(self) -> None:
        """Everything as on the first day, with the same ids, and with the same things wrong."""
        for tenant in self.tenants.values():
            tenant.reset()
            tenant.directory.add_crowd(self.leavers)
        # Fewer than one step needs, so that it has to wait.
        self.tenants[self.throttled].faults.limit_writes(max(1, self.leavers * 4 // 5), per=2.0)
        self.tenants[self.unreachable].faults.add(Fault(close="before", name="unreachable"))

    # --- the project ---

    def _write(self) -> None:
        """The guide's files, with as many tenants as there are."""
        page.write(self.project, "ansible.cfg", "tenants.yml", "merge.yml")
        example: dict[str, Any] = yaml.safe_load(page.files("inventory/contoso.yml")["inventory/contoso.yml"])
        ((group, own),) = example.items()
        ((_name, variables),) = own["hosts"].items()
        (secret,) = yaml.safe_load(page.files("host_vars/")["host_vars/contoso/vault.yml"])
        assert set(variables) == {"m365_tenant_id", "m365_client_id", "leavers"}
        for name, tenant in self.tenants.items():
            app = tenant.app()
            host = {"m365_tenant_id": tenant.tenant_id, "m365_client_id": app.client_id, "leavers": self._named(tenant)}
            _dump(self.project / "inventory" / f"{name}.yml", {group: {"hosts": {name: host}}})
            value = "wr0ng~secret-of-nobody" if name == self.misconfigured else app.client_secret
            _dump(self.project / "host_vars" / name / "vault.yml", {secret: value})
        self._password.write_text(secrets.token_hex(16))
        encrypted = self.shell(page.command("ansible-vault encrypt"))
        assert encrypted.returncode == 0, encrypted.output

    def _named(self, tenant: Tenant) -> list[Any]:
        """In both of the guide's ways."""
        names = [f"user{number:05d}@{tenant.directory.domain}" for number in range(self.leavers)]
        return [{"user": name, "left_at": self._left_at} if place % 2 else name for place, name in enumerate(names)]

    @property
    def environment(self) -> dict[str, str]:
        """No credential is in it."""
        reach = {name: value for name, value in self.first.environment.items() if not name.startswith("AZURE_")}
        return {
            **reach,
            **tree.ansible(self._home),
            "ANSIBLE_NOCOLOR": "true",
            "ANSIBLE_VAULT_PASSWORD_FILE": str(self._password),
            # So long the unreachable one is waited for.
            "M365_RETRY_TIMEOUT": "10",
        }

    @property
    def limits(self) -> dict[str, int]:
        """Variables that are needed for more leavers than the role's default allows."""
        return {"offboard_employee_max_users": self.leavers} if self.leavers > 25 else {}

    def shell(self, command: str, *arguments: str, seconds: float = 240) -> ShellOutcome:
        """Run a command of the guide in the project. The password comes from a file, since nobody is there to be asked."""
        line = " ".join([command.replace(" --ask-vault-pass", ""), *map(shlex.quote, arguments)])
        self._home.mkdir(exist_ok=True)
        ran = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
            timeout=seconds,
        )
        return ShellOutcome(ran.returncode, ran.stdout)

    # --- what the tenants say ---

    def people(self, host: str) -> dict[str, User]:
        """The leavers of a tenant, by id."""
        directory = self.tenants[host].directory
        crowd = [directory.user(f"user{number:05d}@{directory.domain}") for number in range(self.leavers)]
        return {user.id: user for user in crowd}

    def open_doors(self, host: str) -> dict[str, list[str]]:
        """The doors of each leaver that are open in the tenant's own state, by id."""
        return {
            key: open_doors(user, moment(self._left_at) if place % 2 else None)
            for place, (key, user) in enumerate(self.people(host).items())
        }

    def done(self, host: str, since: int = 0) -> dict[str, Counter[str]]:
        """How often each step was really done to each user, by id; from this entry of the journal on."""
        counts: dict[str, Counter[str]] = {}
        for entry in self.tenants[host].journal.applied():
            if entry.sequence > since:
                counts.setdefault(str(entry.user), Counter())[step_of(entry)] += 1
        return counts

    def asked(self, host: str) -> int:
        """How many requests there were."""
        return max((entry.sequence for entry in self.tenants[host].journal), default=0)

    def secrets(self) -> list[str]:
        """What must be nowhere; a fair part of it where there is much."""
        every = [secret for tenant in self.tenants.values() for secret in tenant.issued_secrets() if secret]
        return ["wr0ng~secret-of-nobody", *every[:: max(1, len(every) // 400)]]


def _dump(path: Path, content: Mapping[str, Any] | Sequence[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    path.chmod(0o600)
