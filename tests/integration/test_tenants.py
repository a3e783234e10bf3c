# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An inventory of tenants: each host with its own credential and leavers, and one report for all."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator import Tenant

from .support import OFFBOARD, Played, Player, a_play, evidence, evident_leavers, open_doors, snapshot, touched

FREE = "Using run_once with the free strategy is not currently supported."


def test_two_tenants_and_one_that_is_misconfigured(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    report = tmp_path / "all.json"
    with Tenant(domain="fabrikam.com") as fabrikam:
        tenants = {"contoso.com": tenant, "fabrikam-prod": fabrikam}
        keys = {"contoso.com": ["jane", "restricted"], "fabrikam-prod": ["john"]}
        hosts = {
            host: {
                "own": one.environment,
                "offboard_employee_leavers": [one.directory.user(key).upn for key in keys[host]],
            }
            for host, one in tenants.items()
        }
        hosts["broken"] = {
            "own": {**fabrikam.environment, "AZURE_CLIENT_SECRET": "wrong"},
            "offboard_employee_leavers": [fabrikam.directory.user("maria").upn],
        }
        before = {host: snapshot(one) for host, one in tenants.items()}

        played = play(
            [
                a_play(
                    {
                        "name": "Offboard",
                        "ansible.builtin.include_role": {"name": "m365.offboarding.offboard_employee"},
                    },
                    environment="{{ own }}",
                )
            ],
            hosts=hosts,
            app=None,
            offboard_employee_report_path=str(report),
        )

        assert {host: touched(before[host], one) for host, one in tenants.items()} == {
            host: set(names) for host, names in keys.items()
        }
        assert open_doors(fabrikam.directory.user("john")) == []
        assert fabrikam.crashes == []
    assert "Give the secret's value" in played.failure("broken")
    assert played.recap("fabrikam-prod")["failed"] == 0, played.failure("fabrikam-prod")
    assert played.leaver("fabrikam-prod")["contained"]
    # The report is there although a host failed before it and another one after it.
    assert evident_leavers(report) == {**{host: played.leavers(host) for host in keys}, "broken": []}
    assert "AADSTS7000215" in evidence(report)["hosts"]["broken"]["error"]["message"]
    assert evidence(report)["hosts"]["contoso.com"]["tenant_id"] == tenant.tenant_id
    assert list(tmp_path.glob("*all*.json")) == [report]
    assert played.failure("contoso.com").startswith("rolf.restricted@contoso.com: open: password, sessions, signin; ")
    reported = played.reported()["_run"]["m365_offboarding"]
    assert {host: (len(stats["not_contained"]), stats["error"]) for host, stats in reported.items()} == {
        "contoso.com": (1, None),
        "fabrikam-prod": (0, None),
        "broken": (0, "AADSTS7000215"),
    }


def test_hosts_with_reports_of_their_own(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    hosts = {
        key: {
            "m365_tenant_id": tenant.tenant_id,
            "m365_client_id": tenant.app(app).client_id,
            "m365_client_secret": tenant.app(app).client_secret,
            "leavers": tenant.directory.user(key).upn,
            "offboard_employee_report_path": [str(tmp_path / f"{key}.json"), str(tmp_path / f"{key}-copy.json")],
        }
        for key, app in {"jane": "offboarding", "john": "without-user-role", "maria": "certificate"}.items()
    }

    played = play(OFFBOARD, "--check", hosts=hosts, app=None)

    for key in hosts:
        for name in (f"{key}.json", f"{key}-copy.json"):
            assert evident_leavers(tmp_path / name) == {key: played.leavers(key)}


@pytest.fixture
def fabrikam() -> Iterator[Tenant]:
    with Tenant(domain="fabrikam.com") as tenant:
        yield tenant
        assert tenant.crashes == []


def test_hosts_that_do_not_wait_for_each_other_share_their_evidence(
    tenant: Tenant, fabrikam: Tenant, play: Player, tmp_path: Path
) -> None:
    """Offboarded, audited and restored with the strategy `free`: one host has three batches, the other has one."""
    tenants = {"contoso": tenant, "fabrikam": fabrikam}
    keys = {"contoso": ["jane", "wei", "maria", "john", "restricted"], "fabrikam": ["jane", "smtp"]}
    users = {host: [tenants[host].directory.user(key) for key in names] for host, names in keys.items()}
    hosts: dict[str, dict[str, Any]] = {
        host: {"own": one.environment, "who": [user.upn for user in users[host]]} for host, one in tenants.items()
    }
    before = {host: snapshot(one) for host, one in tenants.items()}
    reports = tmp_path / "reports"
    shut, rows, audited = (reports / name for name in ("shut.json", "shut.csv", "audit.json"))

    def run(role: str, *, tasks_from: str = "main", warnings: Iterable[str] = (), **variables: Any) -> Played:
        name = f"m365.offboarding.{role}_employee"
        task = {"name": "Run", "ansible.builtin.include_role": {"name": name, "tasks_from": tasks_from}}
        variables[f"{role}_employee_leavers"] = "{{ who }}"
        written = a_play(task, environment="{{ own }}", strategy="free")
        return play([written], hosts=hosts, app=None, warnings=warnings, **variables)

    def judge(path: Path, played: Played, purpose: str) -> None:
        reported = evidence(path)
        assert (reported["purpose"], reported["complete"]) == (purpose, True)
        assert {host: one["leavers"] for host, one in reported["hosts"].items()} == {
            host: played.leavers(host) for host in hosts
        }
        assert {host: (one["tenant_id"], one["error"]) for host, one in reported["hosts"].items()} == {
            host: (one.tenant_id, None) for host, one in tenants.items()
        }
        for host in hosts:
            assert {one["user"]: one["open"] for one in played.leavers(host)} == {
                user.upn: open_doors(user) for user in users[host]
            }
        assert (played.recap("contoso")["failed"], played.recap("fabrikam")["failed"]) == (1, 0), played.output
        assert played.failure("contoso").startswith("rolf.restricted@contoso.com: ")

    offboarded = run(
        "offboard",
        offboard_employee_batch_size=2,
        offboard_employee_report_path=[str(shut), str(rows)],
        warnings=[FREE],
    )

    judge(shut, offboarded, "offboard")
    assert [len(offboarded.results("Sign out of all sessions", host)) for host in hosts] == [3, 1]
    with rows.open(encoding="utf-8-sig", newline="") as file:
        listed = [(row["host"], row["user"]) for row in csv.DictReader(file)]
    assert sorted(listed) == sorted((host, user.upn) for host in hosts for user in users[host])
    assert {host: touched(before[host], one) for host, one in tenants.items()} == {
        host: set(names) for host, names in keys.items()
    }

    judge(
        audited,
        run("offboard", tasks_from="audit", offboard_employee_report_path=str(audited), warnings=[FREE]),
        "audit",
    )
    assert sorted(one for one in reports.iterdir() if one.suffix != ".sha256") == [audited, rows, shut]

    restored = run("restore", restore_employee_evidence=str(shut))

    for host in hosts:
        for one in restored.result("Keep the results", host)["ansible_facts"]["restore_employee_result"]:
            assert one["status"] in ("restored", "unchanged"), restored.output
        assert all(user["accountEnabled"] is True and user.mailbox["OWAEnabled"] is True for user in users[host])
    assert sorted(one for one in reports.iterdir() if one.suffix != ".sha256") == [audited, rows, shut]
