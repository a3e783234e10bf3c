# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The run of the role `offboard_employee` for one tenant, from what its tasks have registered."""

from __future__ import annotations

import functools
import typing as t

from ..module_utils._doors import ALSO, STEPS
from ..module_utils._user_input import name_key
from ._batches import Placed, by_batch, join, texts, unpack
from ._carried import carried, decoded
from ._earlier import Earlier
from ._evidence import evidence, missing_entry, plain_json, tenant_entry
from ._fail_on import failing, judged_by_offboarding, left_out
from ._files import write
from ._messages import Record, as_error, reason_of
from ._plan import looked_at, offboarding_plan
from ._report import format_of, render
from ._results import for_workflow, written
from ._table import failures, sent_in_words, table

_PREFIX = "__offboard_employee_"
_ORDER = (*STEPS, *ALSO)
# Results of more leavers are kept out of the log: AWX throws away what is larger than 700,000 bytes, at up to 2 KB a leaver.
_MOST_SHOWN = 300


class HostRun:
    """This run as seen through a host's variables.

    Variables are taken as they are, without a walk of the template engine through them.
    """

    def __init__(self, variables: Record) -> None:
        self._variables = variables
        self.request = self._registered("request")

    @property
    def is_here(self) -> bool:
        """Whether this host has passed the validation."""
        return "run_id" in self.request

    def _registered(self, name: str) -> Record:
        """The registered result of a task; `None` if it was skipped or has not run."""
        registered = self._variables.get(f"{_PREFIX}{name}")
        return registered if isinstance(registered, t.Mapping) and not registered.get("skipped") else {}

    @property
    def _plan(self) -> Record:
        """What `plan` has returned, empty before it. It is registered in place of the opening read: see `plan`."""
        registered = self._registered("opening")
        return registered if "batches" in registered else {}

    @property
    def opening(self) -> Record:
        """The result of the opening read. After the plan it has no records of leavers, see `_read`."""
        return t.cast("Record", self._plan.get("opening", self._registered("opening")))

    def _read(self, number: int) -> list[Placed]:
        """The records of the opening read with their places: of all leavers before the plan, later those of a batch."""
        if number:
            return decoded(self._plan["read"][number - 1])
        return [[place, one] for place, one in enumerate(self.opening.get("users") or ())]

    @property
    def _size(self) -> int:
        """The number of records of the opening read."""
        return int(self._plan.get("size", len(self.opening.get("users") or ())))

    @property
    def is_long(self) -> bool:
        """Whether the results are too long for a log."""
        return self._size > _MOST_SHOWN

    @property
    def batches(self) -> t.Sequence[t.Sequence[Record]]:
        return self._plan.get("batches") or ()

    @functools.cached_property
    def earlier(self) -> Earlier | None:
        """What earlier runs say about this tenant, `None` without a comparison."""
        request = self.request
        if request["earlier"] is None:
            return None
        tenant_id = (self.opening.get("automation") or {}).get("tenant_id")
        return Earlier(
            decoded(request["earlier"]), tenant_id=tenant_id, purpose=request["purpose"], host=request["host"]
        )

    def plan(self, host: str, stats: t.Sequence[t.Any]) -> dict[str, t.Any]:
        """Return the leavers that go through the steps, in batches, those refused, and `state`, what is known about all.

        With the warnings of the opening read, and with that read itself, the records of each batch apart. The result is
        registered in its place: otherwise every later worker would hold the records of all leavers, and look through
        them for its batch.

        :param stats: what this role has reported earlier in the same workflow.
        """
        request = self.request
        plan: dict[str, t.Any] = {"write": [], "refused": {}}
        if request["purpose"] == "offboard":
            plan = offboarding_plan(
                self.opening.get("users") or (),
                allow_admins=request["allow_admins"],
                max_users=request["max_users"],
                earlier=self.earlier,
                looked_at=looked_at(stats, host),
                also=bool(request["also"]),
            )
        size = request["batch_size"]
        batches = [plan["write"][start : start + size] for start in range(0, len(plan["write"]), size)]
        planned = {
            "run_id": request["run_id"],
            "batches": batches,
            "refused": carried(list(plan["refused"].items()), len(plan["refused"])),
            # ansible-core before 2.19, where they are texts, hides those of a task whose results are kept out of the log.
            "warnings": [one for one in self.opening.get("warnings") or () if isinstance(one, str)],
            "opening": self.opening,
        }
        state = HostRun({**self._variables, f"{_PREFIX}opening": planned}).put(number=0)
        read = [carried(part, self._size) for part in by_batch(self._read(0), batches)[1:]]
        emptied = {**self.opening, "users": []} if "users" in self.opening else self.opening
        return {**planned, "state": state, "opening": emptied, "read": read, "size": self._size}

    @property
    def state(self) -> dict[str, t.Any]:
        """What is known about all leavers after the last finished batch, or after the plan."""
        found = [self._registered("state"), self._plan.get("state") or {}]
        unknown = {
            "run_id": self.request["run_id"],
            "records": [],
            "entry": tenant_entry({}, steps=self.request["steps"], contain_within=self.request["contain_within"]),
            "done": 0,
            "not_shut": 0,
            "msg": "",
        }
        return dict(next((one for one in found if one.get("run_id") == self.request["run_id"]), unknown))

    def journals(self) -> t.Iterator[Record]:
        """What this host has written for all hosts, by host: see `write_evidence`."""
        for name in (*_ORDER, "closing", "state", "evidence"):
            yield self._registered(name).get("journal") or {}

    @property
    def steps(self) -> t.Sequence[str]:
        """What the leavers of this tenant go through."""
        return (*self.request["steps"], *self.request["also"])

    def put(self, *, number: int, step: str | None = None) -> dict[str, t.Any]:
        """Return what is known, including what is registered now.

        :param number: 0 after the opening read, later the batch.
        :param step: the step, or what is closed besides, that the batch has just gone through; null after its closing read.
        """
        request, batches = self.request, self.batches
        before = self.state if number else None
        here = batches[number - 1 : number] if number else batches
        done = _ORDER[: _ORDER.index(step) + 1] if step else _ORDER
        refused = decoded(self._plan.get("refused") or [])
        joined = join(
            self.opening,
            self._read(number),
            size=self._size,
            before=before,
            steps=request["steps"],
            protocols=request["protocols"],
            batches=here,
            number=number,
            runs=self._runs(here[0], done) if number else (),
            closing=self._registered("closing") if number and step is None else None,
            finished=bool(number) and step is None,
            refused=dict(refused),
            earlier=self.earlier,
            total=sum(map(len, batches)),
            started_at=request["started_at"],
            purpose=request["purpose"],
            contain_within=request["contain_within"],
            exceptions=decoded(request["exceptions"]),
            also=request["also"] if request["purpose"] == "offboard" else (),
        )
        return {"run_id": request["run_id"], **joined}

    def _runs(self, users: t.Sequence[Record], done: t.Sequence[str]) -> list[dict[str, t.Any]]:
        """The registered results of the steps that these users have gone through."""
        runs: list[dict[str, t.Any]] = [
            {"step": step, "users": users, "result": self._registered(step)}
            for step in done
            if step in (*self.request["steps"], *self.request["also"])
        ]
        return [run for run in runs if run["result"] and _is_about(run["result"], users)]

    def written(self, number: int) -> dict[str, t.Any]:
        """What the steps have written, for the closing read of a batch."""
        return written(self._runs(self.batches[number - 1], STEPS))

    def conclude(self, host: str, *, is_dry_run: bool) -> dict[str, t.Any]:
        """The results, and how they are reported."""
        request, state = self.request, self.state
        is_audit = request["purpose"] == "audit"
        leavers, error = unpack(state["records"]), state["entry"]["error"]
        stats = {
            **for_workflow(leavers, names=request["stats_names"]),
            "error": (error or {}).get("code"),
            # The offboarding that follows in the workflow refuses users who were not read here.
            **({"dry_run": True} if is_dry_run else {}),
        }
        spared = left_out(leavers) if is_dry_run and not request["fail_on_left_out"] else []
        fatal = {
            "left_out": spared,
            **{name: request[name] for name in ("fail_on", "fail_on_not_due", "fail_on_residual")},
        }
        judged = leavers if is_audit else judged_by_offboarding(leavers)
        may_be_empty = {name: request[name] for name in ("allow_empty", "is_only_since")}
        lines = ["No user was read" if is_audit else "No user was read; nothing was sent"]
        # If no user could be read, it is not known who is due.
        if leavers or not error:
            # Without a tenant, the failure has only its error.
            fails = () if error else failing(judged, **fatal)
            sent = "" if is_audit else sent_in_words(leavers, check_mode=is_dry_run)
            lines = table(leavers, state["entry"]["since"], fails, spared, state["entry"]["exceptions"], sent)
        reasons = [reason_of(error)] if error else failures(judged, **may_be_empty, **fatal)
        reports = (self._registered("evidence").get("lines") or {}).get(host) or ()
        return {
            "leavers": leavers,
            # The output for people is kept together, the table last except for the failure.
            "table": [*filter(None, [request["msg"]]), *reports, *lines],
            "stats": stats,
            "failures": [*reasons, *filter(None, [request["exceptions_error"]])],
        }


def _is_about(result: Record, users: t.Sequence[Record]) -> bool:
    """Whether a step's result belongs to these users: with another strategy, another host may be at another batch."""
    named = {name_key(str(one["user"])) for one in result.get("users") or ()}
    return not named or any(name_key(str(one["user"])) in named for one in users)


def unrecorded(state: Record, host: str, exc: Exception) -> dict[str, t.Any]:
    """The state of a host whose results cannot be joined: the previous state with an error, which fails the run."""
    message = f"The results of {host} could not be recorded ({type(exc).__name__}): this is a bug in the collection."
    error = as_error("not_recorded", message, "Run the audit to see which doors are open, and report the bug.")
    return {**state, "entry": {**state["entry"], "error": state["entry"]["error"] or error}}


def write_evidence(
    states: t.Mapping[str, Record],
    tenants: t.Mapping[str, HostRun],
    files: t.Mapping[str, t.Mapping[str, str]],
    *,
    missing: t.Sequence[str] = (),
    json_only: bool = False,
    complete: bool = False,
    **facts: t.Any,
) -> dict[str, dict[str, t.Any]]:
    """Write the evidence of all hosts of a play; those that name the same path share a file.

    :param states: what is known, by host.
    :param files: for each host the reports that this run has written so far, by the requested paths.
    :param missing: hosts that never got to name a path: each file lists them.
    :param facts: see `evidence`.
    :returns: for each host its `run_id`, its `files` by now, and `sha256`, the checksums of all files that were written now.
    :raises OSError: with a sentence that names the path.
    """
    paths = {host: tenant.request["report_paths"] for host, tenant in tenants.items()}
    files_now = {host: dict(files[host]) for host in tenants}
    leavers: dict[str, list[t.Any]] = {}
    sums: dict[str, str] = {}
    for path in dict.fromkeys(path for of_host in paths.values() for path in of_host):
        if json_only and format_of(path) != "json":
            continue
        sharing = [host for host, of_host in paths.items() if path in of_host]
        for host in sharing:
            if host not in leavers:
                leavers[host] = list((texts if json_only else unpack)(states[host]["records"]))
        entries = {host: states[host]["entry"] for host in sharing}
        entries.update((host, missing_entry(host)) for host in missing)
        given = [link for host in sharing for link in tenants[host].request["chain"]]
        chain = [link for number, link in enumerate(given) if link not in given[:number]]
        whole = evidence(entries, {} if json_only else leavers, complete=complete, chain=chain, **facts)
        text = plain_json(whole, leavers) if json_only else render(whole, format_of(path))
        before = next((files_now[host][path] for host in sharing if path in files_now[host]), None)
        name, digest = write(text, path, instead_of=before)
        sums[name] = digest
        for host in sharing:
            files_now[host][path] = name
    return {
        host: {"run_id": tenant.request["run_id"], "files": files_now[host], "sha256": sums}
        for host, tenant in tenants.items()
    }
