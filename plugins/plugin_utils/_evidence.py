# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The evidence of a run; `docs/evidence.schema.json` says what each key means."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import pwd
import statistics
import typing as t

from ..module_utils._doors import STEPS
from ..module_utils._foreign import clean, one_line
from ..module_utils._times import format_moment
from ._messages import Record, as_error

FORMAT, VERSION = "m365.offboarding/evidence", 1
_LONGEST_LINE = 500


# The application and tenant, as the token shows them.
_IDENTITY = ("tenant_id", "client_id", "application_name", "object_id")


def tenant_entry(
    opening: Record,
    *,
    steps: t.Sequence[str],
    contain_within: str | None = None,
    exceptions: t.Sequence[Record] = (),
    since: Record | None = None,
) -> dict[str, t.Any]:
    """The part of the evidence about one tenant, which is a host of the inventory, without its leavers.

    :param opening: the registered result of the opening read; empty before it.
    :param contain_within: the period within which leavers must be locked out, as the operator wrote it.
    :param exceptions: those of the run, as `exceptions_report` gives them.
    :param since: with which files the run is compared, see `Earlier.comparison`; `None` for no comparison.
    """
    automation = opening.get("automation") or {}
    return {
        "tenant_name": opening.get("tenant_name"),
        **{name: automation.get(name) for name in _IDENTITY},
        "read_at": opening.get("read_at"),
        "steps": [step for step in STEPS if step in steps],
        "contain_within": contain_within or None,
        "error": unread(opening),
        "exceptions": list(exceptions),
        "since": since,
    }


def missing_entry(host: str) -> dict[str, t.Any]:
    """As `tenant_entry`, for a host of the play that was not read."""
    error = as_error(
        "not_reached",
        f"The host {host} of this play was not read.",
        "The host was removed from the play, or the play has not reached it: see the output of the run.",
    )
    return {**tenant_entry({}, steps=[]), "error": error}


def unread(opening: Record) -> Record | None:
    """Why a tenant could not be read at all, `None` if it could."""
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
    chain: t.Sequence[Record] = (),
) -> dict[str, t.Any]:
    """The evidence of a run as of now; `docs/evidence.schema.json` says what each key means.

    :param hosts: for each host what `tenant_entry` gave.
    :param leavers: for each host its results.
    :param job: `id`, `template`, `launched_by`, `workflow_job_id`, `reason`, `ticket` and `approved_by`; all may be missing.
    :param chain: the earlier evidence that this run was given, as `_chain.links` gives it.
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
            "workflow_job_id": _text(job.get("workflow_job_id")),
            # In a container of AWX this is the container's user.
            "os_user": None if _text(job.get("id")) else _os_user(),
            "reason": _line(job.get("reason")),
            "ticket": _line(job.get("ticket")),
            "approved_by": _line(job.get("approved_by")),
            "collection": _collection_version(),
            "ansible": ansible,
        },
        "chain": list(chain),
        "hosts": {
            host: {
                **entry,
                # Not known yet while the run is in progress.
                "containment": containment_summary(leavers.get(host, ()), entry.get("contain_within"))
                if complete
                else None,
                "leavers": list(leavers.get(host, ())),
            }
            for host, entry in hosts.items()
        },
    }


def containment_summary(leavers: t.Iterable[Record], period: str | None = None) -> dict[str, t.Any]:
    """The times of all leavers together: of the known ones the median and the worst, and how many kept to the period.

    :param period: as the operator wrote it.
    """
    reported = [one.get("containment") or {} for one in leavers]
    verdicts = [one.get("within") for one in reported]
    return {
        "period": period or None,
        **{
            name: _spread([one.get(f"seconds_to_{name}") for one in reported]) for name in ("last_write", "surely_shut")
        },
        "within": verdicts.count(True),
        "beyond": verdicts.count(False),
        "not_known": verdicts.count(None),
    }


def _spread(seconds: t.Sequence[int | None]) -> dict[str, t.Any]:
    known = [one for one in seconds if one is not None]
    return {
        "known": len(known),
        "median_seconds": int(statistics.median(known)) if known else None,
        "worst_seconds": max(known, default=None),
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


def _line(value: t.Any) -> str | None:
    """A text that a person wrote, on one line, shortened."""
    text = one_line(clean(str(value))) if value not in (None, "") else ""
    return text[:_LONGEST_LINE] or None


def _os_user() -> str:
    """The user of the operating system who runs Ansible, and who became that user by sudo."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        # A container may run as a number that has no name.
        name = f"uid {uid}"
    sudo = one_line(clean(os.environ.get("SUDO_USER", ""))) if uid == 0 else ""
    return f"{name}, by sudo of {sudo}" if sudo and sudo != name else name


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
