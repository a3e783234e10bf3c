# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The evidence of offboardings, and what of it a restoration needs."""

from __future__ import annotations

import typing as t

from ._evidence_files import in_short, read_each
from ._messages import Record

_OF_A_LEAVER = ("user", "id", "user_principal_name", "display_name", "directory_roles")
_OF_A_STEP = ("status", "before", "after", "written_at", "error")
_OF_AN_OBJECT = ("key", "kind", "name", "status", "before", "after", "error")


def runs_to_undo(evidence: t.Any) -> tuple[list[dict[str, t.Any]], list[str]]:
    """Every run of which there is evidence, and a sentence for each file that is left out.

    :param evidence: a path, several in a list or separated by commas or newlines; a folder means the `.json` files in it.
    :returns: runs as `{path, started_at, written_at, complete, job_id, workflow_job_id, hosts: {name: {tenant_id,
        leavers}}}`, in which leavers hold only what is needed here. The numbers are those of AWX, as text, empty outside it.
    :raises ValueError: a named file that cannot be read or is not evidence, or nothing that can be used.
    """
    runs, left_out = [], []
    for path, found in read_each(evidence, "restore_employee_evidence"):
        if isinstance(found, ValueError):
            left_out.append(str(found))
        elif reason := _useless(found.content):
            left_out.append(f"The evidence {path} cannot be used: {reason}.")
        else:
            runs.append(_run(path, found.content))
    if not runs:
        raise ValueError(in_short(left_out))
    return runs, left_out


def _useless(content: Record) -> str | None:
    """Why there is nothing in it that could be undone, `None` when there may be."""
    if content["purpose"] != "offboard":
        return "it is of an audit, which changes nothing: give the file of the run that shut the doors"
    if content["check_mode"]:
        return "it was written in check mode, which changes nothing: give the file of the run that shut the doors"
    if not any(entry["leavers"] for entry in content["hosts"].values()):
        if content.get("complete") is False:
            return "the run was cut off before it had read any user"
        return "it holds no leaver"
    return None


def _run(path: str, content: Record) -> dict[str, t.Any]:
    run = content.get("run") if isinstance(content.get("run"), dict) else {}
    written_at = _text(content.get("written_at"))
    return {
        "path": path,
        "started_at": _text(t.cast("Record", run).get("started_at")) or written_at,
        "written_at": written_at,
        "complete": content.get("complete") is not False,
        "job_id": _text(t.cast("Record", run).get("job_id")),
        "workflow_job_id": _text(t.cast("Record", run).get("workflow_job_id")),
        "hosts": {
            host: {"tenant_id": entry["tenant_id"], "leavers": [_slim(one) for one in entry["leavers"]]}
            for host, entry in content["hosts"].items()
        },
    }


def has_number(run: Record, number: str) -> bool:
    """Whether AWX gave a run this number, as a job or as the workflow that the job was part of."""
    return number in (run["job_id"], run["workflow_job_id"])


def _text(value: t.Any) -> str:
    return str(value) if isinstance(value, str | int) else ""


def _slim(leaver: Record) -> dict[str, t.Any]:
    steps = {step: {key: entry.get(key) for key in _OF_A_STEP} for step, entry in leaver["steps"].items()}
    also = {
        topic: {
            "status": entry["status"],
            "objects": [{key: one[key] for key in _OF_AN_OBJECT} for one in entry["objects"]],
        }
        for topic, entry in (leaver.get("also") or {}).items()
    }
    return {**{key: leaver.get(key) for key in _OF_A_LEAVER}, "steps": steps, "also": also}
