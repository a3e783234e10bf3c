# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write evidence while a run is in progress, so that a killed run leaves what it has found and done.

Before a step sends anything, everything known by then is in the JSON files: the opening read, and the results of the
steps before. A step does that itself (see `_in_process`), so that a step cannot be added to the role without it.

Hosts that name the same path share a file, also over the batches of a play's `serial`. So one host writes for all: the first
of those that go through the step. Strategies under which hosts do not wait for each other need more: see `_shared_evidence`.
"""

from __future__ import annotations

import typing as t

from ..module_utils._doors import ALSO, STEPS
from ._messages import Record
from ._offboarding import HostRun, unrecorded, write_evidence
from ._shared_evidence import goes_alone, write_shared_evidence

# The steps by the modules that the role calls for them.
STEP_OF = {
    "m365_user_password": "password",
    "m365_user_sessions": "sessions",
    "m365_user_signin": "signin",
    "exo_mailbox_protocols": "protocols",
    "exo_mailbox_forwarding": "forwarding",
    "m365_user_devices": "devices",
    "m365_user_consents": "consents",
    "m365_user_authentication_methods": "authentication_methods",
    "m365_user_memberships": "memberships",
}
# Reads the doors of a batch again, and waits until they show what the steps have written.
CLOSING_READ = "m365_user_info"
# The number of the batch that a task of the role belongs to.
BATCH = "__offboard_employee_number"
_ORDER = (*STEPS, *ALSO)
# For each host its `run_id` and its `files`, the names of its reports by the requested paths.
Journal = dict[str, dict[str, t.Any]]


class RoleRun:
    """The run of the role in this play, as seen by one of its tasks: its hosts with their registered results.

    :param known: the variables of the task.
    :param check_mode: of the task.
    :param strategy: of the play.
    :param folder: the temporary folder of this run of Ansible, which all its workers share and which it removes.
    """

    def __init__(self, known: Record, *, check_mode: bool, strategy: str, folder: str) -> None:
        self._known, self._check_mode, self._folder = known, check_mode, folder
        self._own: str = known["inventory_hostname"]
        self._goes_alone = goes_alone(strategy)
        hosts = [self._own] if self._goes_alone else known["ansible_play_hosts_all"]
        found = {host: HostRun(known if host == self._own else known["hostvars"].raw_get(host)) for host in hosts}
        # Those that have passed the validation.
        self.tenants = {host: tenant for host, tenant in found.items() if tenant.is_here}

    def keep(self, number: int, before: str | None) -> Journal:
        """Write what is known about all hosts to their JSON files, unless another host does.

        :param number: the batch.
        :param before: the step that this host is about to go through; `None` after the last one.
        :returns: nothing where another host writes, and in check mode.
        :raises OSError: with a sentence that names the path.
        """
        if not self._is_writer(number, before):
            return {}
        states = {host: tenant.state for host, tenant in self.tenants.items()}
        done = _ORDER[: _ORDER.index(before)] if before else _ORDER
        for host, tenant in self._going(number).items() if done else ():
            states[host] = self._put(host, tenant, number, done[-1])
        # Between the steps only JSON, which is cheap.
        return self.write(states, json_only=True)

    def written(self, number: int) -> dict[str, t.Any]:
        """What the steps have written for this host in a batch."""
        return self.tenants[self._own].written(number)

    def batch_done(self, number: int) -> dict[str, t.Any]:
        """Return what is known about this host after the closing read of a batch; write all reports if another batch follows.

        :returns: `HostRun.state`, and `journal` as `keep` gives it.
        :raises OSError: with a sentence that names the path.
        """
        own = self._put(self._own, self.tenants[self._own], number, None)
        is_last = number >= max(len(tenant.batches) for tenant in self.tenants.values())
        # The whole evidence is written right after the last batch.
        if is_last or not self._is_writer(number, None):
            return {**own, "journal": {}}
        states = {host: tenant.state for host, tenant in self.tenants.items()}
        for host, tenant in self._going(number).items():
            states[host] = own if host == self._own else self._put(host, tenant, number, None)
        return {**own, "journal": self.write(states)}

    def _going(self, number: int) -> dict[str, HostRun]:
        """The hosts of this play that are not lost and have such a batch."""
        alive = [self._own] if self._goes_alone else self._known["ansible_play_batch"]
        found = {host: self.tenants[host] for host in alive if host in self.tenants}
        return {host: tenant for host, tenant in found.items() if number <= len(tenant.batches)}

    def _is_writer(self, number: int, step: str | None) -> bool:
        """Whether this host writes for all.

        :param step: the step that it is about to go through, since not every host goes through all; `None` after all.
        """
        if self._check_mode:
            return False
        going = self._going(number).items()
        hosts = [host for host, tenant in going if step is None or step in tenant.steps]
        return hosts[:1] == [self._own]

    @staticmethod
    def _put(host: str, tenant: HostRun, number: int, step: str | None) -> dict[str, t.Any]:
        try:
            return tenant.put(number=number, step=step)
        except Exception as exc:  # one tenant must not stop the others
            return unrecorded(tenant.state, host, exc)

    def write(
        self,
        states: t.Mapping[str, Record],
        *,
        missing: t.Sequence[str] = (),
        complete: bool = False,
        json_only: bool = False,
    ) -> dict[str, dict[str, t.Any]]:
        """As `write_evidence`."""
        known, own = self._known, self.tenants[self._own].request

        def first(*names: str) -> t.Any:
            return next((known[name] for name in names if name in known), None)

        how: dict[str, t.Any] = {
            "purpose": own["purpose"],
            "complete": complete,
            "json_only": json_only,
            "check_mode": self._check_mode,
            "started_at": own["started_at"],
            # AWX passes the newer names to its jobs, and the older ones as well.
            "job": {
                "id": first("awx_job_id", "tower_job_id"),
                "template": first("awx_job_template_name", "tower_job_template_name"),
                "launched_by": first("awx_user_name", "tower_user_name"),
                "workflow_job_id": first("awx_workflow_job_id", "tower_workflow_job_id"),
                **{name: own[name] for name in ("reason", "ticket", "approved_by")},
            },
            "ansible": known["ansible_version"]["full"],
        }
        if not self._goes_alone:
            return write_evidence(states, self.tenants, self._files(), missing=missing, **how)
        ((host, tenant),) = self.tenants.items()
        hosts, folder = known["ansible_play_hosts_all"], self._folder
        return write_shared_evidence(host, tenant, states[host], folder=folder, play_hosts=hosts, **how)

    def _files(self) -> dict[str, dict[str, str]]:
        """The reports that this run has written so far, by requested path, from the host that wrote them."""
        files: dict[str, dict[str, str]] = {host: {} for host in self.tenants}
        for journal in (one for tenant in self.tenants.values() for one in tenant.journals()):
            for host, reported in journal.items():
                if host in files and reported["run_id"] == self.tenants[host].request["run_id"]:
                    files[host].update(reported["files"])
        return files
