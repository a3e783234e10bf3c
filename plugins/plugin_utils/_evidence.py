# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""What a run leaves behind: C(docs/evidence.schema.json) says what each key means."""

from __future__ import annotations

import datetime
import json
import pathlib
import typing as t

from ..module_utils._doors import STEPS
from ..module_utils._times import format_moment
from ._sentences import Record, as_error

FORMAT, VERSION = "m365.offboarding/evidence", 1


def tenant_entry(opening: Record, *, steps: t.Sequence[str], exceptions: t.Sequence[Record] = ()) -> dict[str, t.Any]:
    """What the evidence holds of one tenant, which is a host of the inventory, beside its leavers.

    :param opening: what was registered of the opening read; empty before it.
    :param exceptions: those of the run, as `told_exceptions` gives them.
    """
    automation = opening.get("automation") or {}
    return {
        **{name: automation.get(name) for name in ("tenant_id", "client_id", "object_id")},
        "steps": [step for step in STEPS if step in steps],
        "error": unread(opening),
        "exceptions": list(exceptions),
    }


def missing_entry(host: str) -> dict[str, t.Any]:
    """As R(tenant_entry), of a host of the play that has not come as far as to be looked at."""
    error = as_error(
        "not_reached",
        f"The host {host} of this play was not looked at.",
        "It fell out of the play before, or its turn has not come: the output of the run says why.",
    )
    return {**dict.fromkeys(("tenant_id", "client_id", "object_id")), "steps": [], "error": error, "exceptions": []}


def unread(opening: Record) -> Record | None:
    """Why a tenant could not be looked at at all, C(None) when it could."""
    error: Record | None = opening.get("error")
    if error:
        return error
    if opening and "users" not in opening:
        return as_error("no_records", str(opening.get("msg") or "The users could not be read."), None)
    return None


def evidence(
    hosts: t.Mapping[str, Record],
    leavers: t.Mapping[str, t.Sequence[Record]],
    *,
    purpose: str,
    complete: bool,
    check_mode: bool,
    started_at: str,
    job: t.Mapping[str, t.Any],
    ansible: str,
) -> dict[str, t.Any]:
    """The evidence of a run as of now; C(docs/evidence.schema.json) says what each key means.

    :param hosts: for each host what R(tenant_entry) gave.
    :param leavers: for each host its results.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "written_at": format_moment(datetime.datetime.now(datetime.timezone.utc)),
        "complete": complete,
        "purpose": purpose,
        "check_mode": check_mode,
        "run": {
            "started_at": started_at,
            "job_id": _text(job.get("id")),
            "job_template": _text(job.get("template")),
            "launched_by": _text(job.get("launched_by")),
            "collection": _collection_version(),
            "ansible": ansible,
        },
        "hosts": {host: {**entry, "leavers": list(leavers.get(host, ()))} for host, entry in hosts.items()},
    }


def plain_json(evidence: Record, leavers: t.Mapping[str, t.Sequence[str]]) -> str:
    """The evidence as JSON, a line for each leaver: cheap enough to be written after each step of thousands.

    :param evidence: what `evidence` gives, without leavers.
    :param leavers: for each host its results as JSON texts.
    """
    hosts = []
    for host, entry in evidence["hosts"].items():
        head = json.dumps({name: value for name, value in entry.items() if name != "leavers"})
        lines = ",\n".join(leavers.get(host, ()))
        hosts.append(f'{json.dumps(host)}: {head[:-1]}, "leavers": [\n{lines}\n]}}')
    head = json.dumps({name: value for name, value in evidence.items() if name != "hosts"})
    return f'{head[:-1]}, "hosts": {{\n{",".join(hosts)}\n}}}}\n'


def _text(value: t.Any) -> str | None:
    return None if value in (None, "") else str(value)


def _collection_version() -> str:
    """The version of an installed collection is in its manifest, that of a checkout in galaxy.yml."""
    root = pathlib.Path(__file__).resolve().parents[2]
    manifest, checkout = root / "MANIFEST.json", root / "galaxy.yml"
    if manifest.is_file():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
    return next(
        line.partition(":")[2].strip()
        for line in checkout.read_text(encoding="utf-8").splitlines()
        if line.startswith("version:")
    )
