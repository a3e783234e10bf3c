# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request to undo an offboarding: the leavers, and the evidence of the runs that shut them out."""

from __future__ import annotations

import re
import typing as t

from ..module_utils._errors import OptionError
from ..module_utils._user_input import name_key, parse_users, same_name
from ._carried import carried
from ._messages import Record
from ._restore_files import has_number, runs_to_undo


def restore_request(leavers: t.Any, *, evidence: t.Any, host: str, job: t.Any = "") -> dict[str, t.Any]:
    """Which users to read.

    :param leavers: as the modules' `users`.
    :param evidence: path or paths of the evidence, empty for none, see `runs_to_undo`.
    :param job: the number in AWX of the job that is to be undone, or of its workflow, empty for none.
    :returns: `error`, why nothing can be done; `names`, the requested leavers; `malformed`, those whose name cannot be
        a user's, as mappings with `user` and `complaint`; `evidence`, the runs, see `carried`,
        null for none; `left_out`, a sentence for each file that is not used; `job`; `read`, the names and the object
        ids that the evidence knows for them.
    """
    reported: dict[str, t.Any] = {
        "error": None,
        "names": [],
        "malformed": [],
        "evidence": None,
        "left_out": [],
        "job": "" if job is None else str(job).strip(),
        "read": [],
    }
    runs: list[dict[str, t.Any]] = []
    try:
        users = parse_users(leavers)
        malformed = [{"user": one.name, "complaint": one.complaint} for one in users if one.complaint]
        names = [one.name for one in users if not one.complaint]
        if not names:
            message = " ".join(str(one["complaint"]) for one in malformed)
            raise OptionError(message, hint="Nothing was sent.")
        if evidence not in ("", None, []):
            runs, reported["left_out"] = runs_to_undo(evidence)
            size = sum(len(host["leavers"]) for run in runs for host in run["hosts"].values())
            reported["evidence"] = carried(runs, size)
        _check_job(reported["job"], runs)
    except OptionError as exc:
        return {**reported, "error": re.sub(r"\busers(?=\[| is )", "restore_employee_leavers", str(exc))}
    except ValueError as exc:
        return {**reported, "error": str(exc)}
    # The right host is known only when the tenant is; ids of other tenants match no user here.
    entries = [
        entry
        for run in runs
        for entry in ([run["hosts"][host]] if host in run["hosts"] else list(run["hosts"].values()))
    ]
    wanted = {name_key(name) for name in names}
    ids = [one["id"] for entry in entries for one in entry["leavers"] if one["id"] and not wanted.isdisjoint(keys(one))]
    return {
        **reported,
        "names": names,
        "malformed": malformed,
        "read": list({name_key(name): name for name in [*names, *ids]}.values()),
    }


def _check_job(job: str, runs: t.Sequence[Record]) -> None:
    if job and not runs:
        raise ValueError("restore_employee_job needs restore_employee_evidence: the folder that keeps the evidence.")
    if not job:
        return
    if not any(has_number(run, job) for run in runs):
        raise ValueError(
            f"No evidence comes from a job or workflow with the number {job}. Give the number that AWX shows for the "
            "offboarding: that of the workflow, or of its job 'Offboard employee'."
        )
    # A reinstalled AWX starts from one again, and a number must identify one offboarding.
    as_job = [run for run in runs if run["job_id"] == job]
    as_workflow = [run for run in runs if run["workflow_job_id"] == job]
    if as_job and as_workflow:
        raise ValueError(
            f"{job} is the number of a job ({as_job[0]['path']}, {as_job[0]['started_at']}) and of a workflow "
            f"({as_workflow[0]['path']}, {as_workflow[0]['started_at']}), so it does not identify one offboarding; "
            "nothing was sent. Give the other number of that offboarding."
        )


def keys(record: Record) -> set[str]:
    """Every name of a leaver in a record of the evidence, including the object ID."""
    return {name_key(str(record[key])) for key in ("user", "id", "user_principal_name") if record[key]}


def entry_of_tenant(run: Record, host: str, tenant_id: str) -> Record:
    """The part of a run's evidence about the tenant of the credential.

    :raises ValueError: it belongs to another tenant, or its tenant is not known.
    """
    hosts = run["hosts"]
    if host in hosts:
        name = host
    else:
        same = [one for one, entry in hosts.items() if same_name(entry["tenant_id"], tenant_id)]
        if len(same) > 1:
            raise ValueError(
                f"The evidence has no host {host}, and several hosts of the tenant {tenant_id}: {', '.join(same)}. "
                "Name the host in the inventory as it is named there."
            )
        if not same:
            raise ValueError(f"The evidence has no record of the tenant {tenant_id}, to which the credential belongs.")
        name = same[0]
    found = hosts[name]["tenant_id"]
    if not found:
        raise ValueError(f"The evidence does not say which tenant its host {name} is.")
    if not same_name(found, tenant_id):
        raise ValueError(f"The evidence of host {name} belongs to the tenant {found}, the credential to {tenant_id}.")
    return t.cast("Record", hosts[name])
