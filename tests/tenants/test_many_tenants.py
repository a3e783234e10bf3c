# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many tenants in one play, and the same tenants in slices of which one is killed: nothing twice, nothing forgotten."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from integration.support import STEPS, evidence, snapshot
from reliability.leaks import search

from simulator.journal import Entry

from . import page, slices
from .estate import SLICES, Estate, ShellOutcome

ONCE = dict.fromkeys(STEPS, 1)
# The slice that is killed, counted from 1.
KILLED = 2
# What no test of normal size comes near.
PATIENCE = 3600


@dataclass
class OneRun:
    """One play over all tenants, and what was found in the tenants afterwards."""

    ran: ShellOutcome
    before: dict[str, Any]
    after: dict[str, Any]
    open_doors: dict[str, dict[str, list[str]]]
    done: dict[str, dict[str, Counter[str]]]
    throttled: set[str]
    too_early: list[Entry]
    evidence: dict[str, Any]
    html: str


@pytest.fixture(scope="module")
def one_run(estate: Estate) -> OneRun:
    estate.begin()
    before = {host: snapshot(tenant) for host, tenant in estate.tenants.items()}
    limits = [f"--extra-vars={json.dumps(estate.limits)}"] if estate.limits else []
    began = time.monotonic()
    ran = estate.shell(page.command("ansible-playbook tenants.yml"), *limits, seconds=PATIENCE)
    print(f"{len(estate.tenants)} tenants with {estate.leavers} leavers each: {time.monotonic() - began:.0f} s")
    return OneRun(
        ran,
        before,
        {host: snapshot(tenant) for host, tenant in estate.tenants.items()},
        {host: estate.open_doors(host) for host in estate.tenants},
        {host: estate.done(host) for host in estate.tenants},
        {host for host, tenant in estate.tenants.items() if any(entry.status == 429 for entry in tenant.journal)},
        [entry for tenant in estate.tenants.values() for entry in tenant.journal.violations(tolerance=0.5)],
        evidence(estate.project / "evidence" / "all.json"),
        (estate.project / "evidence" / "all.html").read_text(encoding="utf-8"),
    )


def test_one_tenant_that_fails_harms_no_other(estate: Estate, one_run: OneRun) -> None:
    for host in estate.healthy:
        leavers = estate.people(host)
        assert one_run.open_doors[host] == {key: [] for key in leavers}, host
        # The journal knows of no more than one write of each kind to each of them, and of none to anybody else.
        assert one_run.done[host] == dict.fromkeys(leavers, ONCE), host
        assert one_run.ran.failed[host] == 0
    for host in (estate.misconfigured, estate.unreachable):
        assert one_run.before[host] == one_run.after[host]
        assert one_run.ran.failed[host] == 1
    assert one_run.ran.returncode == 2


def test_the_throttled_tenant_was_throttled_and_its_waits_were_kept(estate: Estate, one_run: OneRun) -> None:
    assert one_run.throttled == {estate.throttled}
    assert one_run.too_early == []


def test_one_report_covers_everybody(estate: Estate, one_run: OneRun) -> None:
    reported = one_run.evidence
    assert set(reported["hosts"]) == set(estate.tenants)
    assert reported["complete"]
    for host, tenant in reported["hosts"].items():
        expected = estate.people(host) if host in estate.healthy else {}
        assert {one["id"]: one["contained"] for one in tenant["leavers"]} == dict.fromkeys(expected, True)
    errors = {host: tenant["error"]["code"] for host, tenant in reported["hosts"].items() if tenant["error"]}
    assert errors == {estate.misconfigured: "AADSTS7000215", estate.unreachable: "network"}
    assert [host for host in estate.tenants if host not in one_run.html] == []
    expected = {user.upn for host in estate.healthy for user in estate.people(host).values()}
    assert expected <= set(re.findall(r"[a-z0-9.]+@[a-z0-9.]+", one_run.html))
    assert "AADSTS7000215" in one_run.html


def test_no_secret_is_left(estate: Estate, one_run: OneRun) -> None:
    files, hits = search(estate.project, dict.fromkeys(estate.secrets(), "secret"))
    assert Path("host_vars", estate.misconfigured, "vault.yml") in files
    assert hits == []
    assert [secret for secret in estate.secrets() if secret in one_run.ran.output] == []


def test_slices_of_which_one_is_killed(estate: Estate, one_run: OneRun, tmp_path: Path) -> None:
    estate.begin()
    inventory, shared = slices.inventory_of(estate), tmp_path / "evidence"
    assert sorted(host for number in range(1, SLICES + 1) for host in slices.hosts_of(inventory, number)) == sorted(
        estate.tenants
    )
    hit = [host for host in slices.hosts_of(inventory, KILLED) if host in estate.healthy]
    for host in hit:
        estate.tenants[host].delay = 0.2

    jobs = {
        number: slices.launch(estate, tmp_path, inventory, number, job=100 + number, evidence=shared, **batches)
        for number in range(1, SLICES + 1)
        for batches in [{"offboard_employee_batch_size": estate.leavers * 3 // 5} if number == KILLED else {}]
    }
    slices.wait_until(lambda: _in_the_middle(estate, hit), jobs[KILLED], PATIENCE)
    jobs[KILLED].strike()
    slices.settle(estate, hit)
    then = {host: estate.open_doors(host) for host in hit}
    asked = {host: estate.asked(host) for host in hit}
    for number, job in jobs.items():
        if number != KILLED:
            own = set(slices.hosts_of(inventory, number))
            assert job.wait(PATIENCE) == (0 if own <= set(estate.healthy) else 2), job.output
            assert set(job.stats["ok"]) == own

    # It really was in the middle, and what was finished is on record.
    assert any(not doors for leavers in then.values() for doors in leavers.values())
    assert any(doors for leavers in then.values() for doors in leavers.values())
    left = evidence(shared / f"{100 + KILLED}.json")
    assert not left["complete"]
    assert {one["id"] for host in hit for one in left["hosts"][host]["leavers"] if one["contained"]}

    merge = page.command("ansible-playbook merge.yml").replace("/var/lib/m365-evidence", str(shared))
    forgotten = estate.shell(merge)
    assert forgotten.returncode == 2
    named = forgotten.output.partition("No run has come to its end in: ")[2]
    assert {host for host in estate.tenants if host in named} == set(slices.hosts_of(inventory, KILLED))

    for host in hit:
        estate.tenants[host].delay = 0
    again = slices.launch(estate, tmp_path, inventory, KILLED, job=110, evidence=shared)
    assert again.wait(PATIENCE) == 2, again.output

    for host in estate.healthy:
        assert estate.open_doors(host) == {key: [] for key in estate.people(host)}, host
        if host not in hit:
            assert estate.done(host) == dict.fromkeys(estate.people(host), ONCE), host
            continue
        # The second time, exactly that of which the first had left a door open: a password counts when the account is blocked.
        missing = {key: Counter(map(_step, doors)) for key, doors in then[host].items() if doors}
        assert estate.done(host, since=asked[host]) == {key: dict.fromkeys(steps, 1) for key, steps in missing.items()}
        assert {key: steps["protocols"] for key, steps in estate.done(host).items()} == dict.fromkeys(
            estate.people(host), 1
        )

    merging = estate.shell(merge)
    assert merging.returncode == 0, merging.output
    merged = evidence(shared / "merged.json")
    assert _comparable(merged, then) == _comparable(one_run.evidence, then)
    for host, leavers in then.items():
        for one in merged["hosts"][host]["leavers"]:
            opened = set(map(_step, leavers[one["id"]]))
            assert {step: entry["status"] == "unchanged" for step, entry in one["steps"].items()} == {
                step: step not in opened for step in STEPS
            }
    html = (shared / "merged.html").read_text(encoding="utf-8")
    assert [host for host in estate.tenants if host not in html] == []
    secrets = dict.fromkeys(estate.secrets(), "secret")
    for job in [*jobs.values(), again]:
        files, hits = search(job.folder, secrets)
        assert any(file.match("artifacts/*/job_events/*.json") for file in files)
        assert hits == []


def _in_the_middle(estate: Estate, hosts: list[str]) -> bool:
    """A leaver is out, and one is signed out but not blocked."""
    users = [user for host in hosts for user in estate.people(host).values()]
    signed_out = {key for host in hosts for key, steps in estate.done(host).items() if steps["sessions"]}
    return any(user["accountEnabled"] and user.id in signed_out for user in users) and any(
        not doors for host in hosts for doors in estate.open_doors(host).values()
    )


def _step(door: str) -> str:
    return door if door in STEPS else "protocols"


_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")


def _comparable(reported: Mapping[str, Any], then: Mapping[str, Mapping[str, list[str]]]) -> Any:
    """Evidence without what differs between any two runs: moments, ids of requests, and the run itself.

    Of doors that the killed run had shut already, only what they are like in the end.

    :param then: by host and leaver, the doors that were still open.
    """
    plain = json.loads(
        _MOMENT.sub("(moment)", json.dumps({**reported, "run": None, "written_at": None, "chain": None}))
    )
    for host, tenant in plain["hosts"].items():
        del tenant["containment"]
        for one in tenant["leavers"]:
            del one["containment"]
            for step, entry in one["steps"].items():
                del entry["request_id"]
                if host in then and step not in map(_step, then[host][one["id"]]):
                    one["steps"][step] = {"after": entry["after"], "error": entry["error"]}
        if tenant["error"]:
            del tenant["error"]["request_id"]
            tenant["error"]["message"] = re.sub(r"\d+ s\b", "(some) s", tenant["error"]["message"])
    return plain
