# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The run of the role `restore_employee` for one tenant, from what its tasks have registered."""

from __future__ import annotations

import os
import typing as t

from ._given import typed
from ._inputs import Refused
from ._messages import Record
from ._restore_outcome import outcome
from ._restore_plan import FAILED, PARTIAL, REFUSED, restore_plan
from ._restore_request import restore_request

_PREFIX = "__restore_employee_"
# Minimum seconds to wait before another read, and the share of the time already passed.
_SHORTEST_WAIT, _PART = 3.0, 3


def read_request(
    given: Record, *, spec: Record, complaints: t.Sequence[str], host: str, has_password: bool
) -> dict[str, t.Any]:
    """The role's variables, checked and typed, and what `restore_request` makes of the leavers and the evidence.

    :param given: the variables of the role, without `restore_employee_`, and without the password.
    :param spec: the role's argument specification.
    :param complaints: sentences about variables that must not be given.
    :raises Refused: with everything that is wrong.
    """
    complaints = list(complaints)
    request = typed("restore_employee", given, {}, spec, complaints, raw=("leavers", "evidence"))
    reported = restore_request(request["leavers"], evidence=request["evidence"], host=host, job=request["job"])
    has_evidence = request["evidence"] not in ("", None, [])
    deliver = os.path.realpath(os.path.expanduser(request["deliver"])) if request["deliver"] else ""
    if reported["error"]:
        complaints.append(reported["error"])
    if request["evidence_required"] and not (has_evidence and reported["job"]):
        complaints.append(
            "Restoring needs the number of the workflow or job that shut the account (restore_employee_job) and the folder "
            "that keeps the evidence (restore_employee_evidence). Without them, any blocked account could be opened."
        )
    if not (has_evidence or request["protocols"] or "protocols" not in request["steps"]):
        complaints.append(
            "Without evidence, restore_employee_protocols must name the mailbox protocols to be turned on ('all' leaves "
            "smtp_auth as it is). Better give the evidence of the run that shut the doors."
        )
    if not request["steps"]:
        complaints.append("restore_employee_steps must name a step.")
    if has_password and (deliver or len(reported["names"] + reported["malformed"]) != 1):
        complaints.append(
            "restore_employee_password is for one leaver, so that no two accounts share a password. For several, "
            "restore_employee_deliver names a file of tasks that provides one for each; the two do not go together."
        )
    if deliver and not os.path.isfile(deliver):
        complaints.append(f"restore_employee_deliver: there is no file {deliver}")
    if complaints:
        raise Refused(" ".join(complaints))
    own = {name: request[name] for name in ("steps", "protocols", "allow_admins", "undelete")}
    return {**reported, **own, "deliver": deliver, "has_password": has_password}


def decide(variables: Record, *, host: str, undeleted: t.Sequence[str], began: float, now: float) -> dict[str, t.Any]:
    """What each leaver gets back, see `plan`, and `wait`, the seconds until another look may show more.

    :raises Refused: the evidence is of another tenant.
    """
    request = variables[f"{_PREFIX}request"]
    deleted = variables.get(f"{_PREFIX}deleted")
    reported = restore_plan(
        variables[f"{_PREFIX}opening"],
        names=request["names"],
        malformed=request["malformed"],
        evidence=request["evidence"],
        host=host,
        steps=request["steps"],
        protocols=request["protocols"],
        allow_admins=request["allow_admins"],
        undelete=request["undelete"],
        left_out=request["left_out"],
        job=request["job"],
        deleted=deleted if deleted and not deleted.get("skipped") else None,
        undeleted=undeleted,
        began=began,
        now=now,
    )
    if reported["error"]:
        raise Refused(reported["error"], has_sent=bool(undeleted))
    # Each wait is longer than the one before, so that there are few.
    return {**reported, "wait": max(_SHORTEST_WAIT, (now - began) / _PART) if reported["again"] else 0}


def conclude(variables: Record) -> dict[str, t.Any]:
    """The results so far, see `outcome`, and `stats`, what the next node of a workflow is given."""
    reported = outcome(
        variables[f"{_PREFIX}plan"],
        variables.get(f"{_PREFIX}runs") or (),
        provided=variables.get(f"{_PREFIX}provided") or (),
    )
    # Object IDs and counts, no names. A user who cannot sign in is not restored, although nothing failed.
    known = [one for one in reported["leavers"] if one["id"]]
    failed = [one["id"] for one in known if one["status"] in (REFUSED, FAILED, PARTIAL)]
    stats = {
        "restored": [one["id"] for one in known if one["id"] not in failed],
        "not_restored": failed,
        "unknown": len(reported["leavers"]) - len(known),
    }
    return {**reported, "stats": stats}
