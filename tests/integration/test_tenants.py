# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An inventory of tenants: each host with its own credential and leavers, and one report for all."""

from __future__ import annotations

from pathlib import Path

from simulator import Tenant

from .support import OFFBOARD, Player, a_play, evidence, evident_leavers, open_doors, snapshot, touched


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
    told = played.told()["_run"]["m365_offboarding"]
    assert {host: (len(stats["not_contained"]), stats["error"]) for host, stats in told.items()} == {
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
