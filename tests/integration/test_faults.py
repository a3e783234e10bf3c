# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What cannot be shut stays open and is named, all else is shut, and the next run is the rest of it."""

from __future__ import annotations

import time
from pathlib import Path

from simulator import Fault, Tenant

from .support import OFFBOARD, STEPS, SWITCHES, Player, a_play, a_task, open_doors, writes

IMPATIENT = {"M365_RETRY_TIMEOUT": "2", "M365_VERIFY_TIMEOUT": "2"}
# The leaver whose step meets a service that is down, and which of their doors are open then.
# Without the other of the two, neither reset nor sign-out proves anything.
DOWN = {
    "jane": ("password", r"/users/[^/]+$", ["password", "sessions"]),
    "john": ("sessions", r"/revokeSignInSessions$", ["password", "sessions"]),
    "maria": ("protocols", r"/InvokeCommand$", list(SWITCHES)),
}


def test_a_step_that_fails_keeps_no_other_from_being_done(tenant: Tenant, play: Player) -> None:
    users = {key: tenant.directory.user(key) for key in (*DOWN, "ahmed", "olga")}
    faults = {
        key: Fault(user=users[key].id, path=path, writes=True, nth=(1, 99), status=503)
        for key, (_ignored, path, _ignored) in DOWN.items()
    }
    # Password and sign-in are both a PATCH: only the first of them, which is not worth another try.
    faults["jane"] = Fault(user=users["jane"].id, method="PATCH", status=503, nth=1, headers={"Retry-After": "60"})
    # Done, but nobody hears of it.
    lost = Fault(user=users["ahmed"].id, method="PATCH", close="after", nth=1)
    tenant.faults.add(*faults.values(), lost)

    played = play(OFFBOARD, leavers=[user.upn for user in users.values()], environment=IMPATIENT)

    assert played.returncode == 2
    assert all(fault.struck for fault in (*faults.values(), lost))
    leavers = dict(zip(users, played.leavers(), strict=True))
    for key, (step, _ignored, doors) in DOWN.items():
        leaver = leavers[key]
        statuses = {name: entry["status"] for name, entry in leaver["steps"].items()}
        assert statuses == {**dict.fromkeys(STEPS, "verified"), step: "failed"}, key
        assert leaver["open"] == open_doors(users[key]) == doors, key
        assert (leaver["status"], leaver["contained"]) == ("failed", False)
        named = ", ".join(doors).replace(", ".join(SWITCHES), f"all {len(SWITCHES)} protocols")
        assert f"{leaver['user']}: open: {named}" in played.failure()
        assert leaver["steps"][step]["error"]["code"]
    for key in ("ahmed", "olga"):
        assert leavers[key]["contained"], key
        assert open_doors(users[key]) == []
    assert len(set(users["ahmed"].passwords)) == 1

    tenant.faults.clear()
    tenant.journal.clear()

    again = play(OFFBOARD, leavers=[user.upn for user in users.values()])

    assert again.returncode == 0, again.output
    assert all(leaver["contained"] for leaver in again.leavers())
    assert {key for key, _ignored in writes(tenant)} == set(DOWN)
    assert ("maria", "password") not in writes(tenant)


def test_exchange_is_down(tenant: Tenant, play: Player) -> None:
    jane = tenant.directory.user("jane")
    tenant.faults.add(Fault(listener="exchange", close="before"))

    played = play(OFFBOARD, leavers=jane.upn, environment=IMPATIENT)

    assert played.returncode == 2
    leaver = played.leaver()
    assert [entry["status"] for entry in leaver["steps"].values()] == ["verified", "verified", "verified", "failed"]
    # Not known to be open, not known to be shut.
    assert (leaver["open"], leaver["unconfirmed"], leaver["contained"]) == ([], list(SWITCHES), False)
    assert open_doors(jane) == list(SWITCHES)
    assert f"{jane.upn}: unconfirmed: all {len(SWITCHES)} protocols" in played.failure()

    tenant.faults.clear()
    tenant.journal.clear()

    again = play(OFFBOARD, leavers=jane.upn)

    assert again.leaver()["contained"], again.output
    assert writes(tenant) == [("jane", "protocols")]


def test_tenant_without_exchange(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    tenant.directory.has_exchange = False
    jane = tenant.directory.user("jane")

    played = play(OFFBOARD, leavers=jane.upn)

    assert played.returncode == 2
    leaver = played.leaver()
    assert [entry["status"] for entry in leaver["steps"].values()] == ["verified", "verified", "verified", "failed"]
    assert leaver["steps"]["protocols"]["error"]["code"] == "AADSTS500011"
    assert "Leave the protocols step out for such a tenant" in played.failure()
    assert jane["accountEnabled"] is False

    without = {"leavers": jane.upn, "offboard_employee_steps": ["password", "sessions", "signin"]}
    again = play(OFFBOARD, **without)

    assert again.returncode == 0, again.output
    assert again.recap()["changed"] == 0
    leaver = again.leaver()
    assert (leaver["status"], leaver["not_looked_at"], leaver["contained"]) == ("partial", ["protocols"], False)

    # Devices as well: those of Entra ID are disabled, and no phone is called absent.
    jane.residual.change({"devices": [{"displayName": "Laptop"}]})
    report = tmp_path / "evidence.xml"
    closed = play(
        OFFBOARD, app="closer", offboard_employee_also=["devices"], offboard_employee_report_path=str(report), **without
    )

    assert closed.returncode == 0, closed.output
    assert jane.residual.devices[0]["accountEnabled"] is False
    leaver = closed.leaver()
    assert (leaver["status"], leaver["also"]["devices"]["status"]) == ("partial", "verified")
    assert {topic: one["state"] for topic, one in leaver["residual"].items() if topic in ("devices", "phones")} == {
        "devices": "none",
        "phones": "not_looked_at",
    }
    table = " ".join(" ".join(closed.table()).split())
    assert "devices: closed (1). Phones were not looked at: the tenant has no Exchange Online" in table
    assert "still residual: phones (not read)" in table
    assert "Phones were not looked at" in report.read_text(encoding="utf-8")
    strict = play(
        OFFBOARD, app="closer", offboard_employee_also=["devices"], offboard_employee_fail_on_residual=True, **without
    )
    assert "devices: no enabled device. Phones were not looked at" in " ".join(" ".join(strict.table()).split())
    assert "still residual: phones (not read)" in strict.failure()


# A network that lets us down, on real sockets: what replaces the environment, and the sentence it has to end in.
NETWORK = {
    "untrusted": (
        {"REQUESTS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt"},
        "TLS certificate that this machine does not trust",
    ),
    "nobody listens": ({"M365_AUTHORITY_URL": "https://localhost:1"}, "localhost cannot be reached"),
    "no such name": (
        {"M365_AUTHORITY_URL": "https://login.m365.invalid"},
        "The name login.m365.invalid cannot be resolved",
    ),
    "no proxy": ({"M365_PROXY": "http://localhost:1"}, "failed at the proxy"),
    "drips": ({}, "within 1 s"),
    "is silent": ({}, "did not answer within 1 s"),
    "is cut": ({}, "was lost before an answer arrived"),
}


def test_a_network_that_lets_us_down_is_one_sentence_in_bounded_time(tenant: Tenant, play: Player) -> None:
    drip, silent, cut = (tenant.directory.user(key) for key in ("jane", "john", "maria"))
    tenant.faults.add(
        Fault(user=drip.id, drip=1.0), Fault(user=silent.id, delay=30.0), Fault(user=cut.id, close="before")
    )
    asked = {"drips": drip.upn, "is silent": silent.upn, "is cut": cut.upn}
    hosts = {
        host: {"own": variables, "asked": asked.get(host, tenant.directory.user("ahmed").upn)}
        for host, (variables, _ignored) in NETWORK.items()
    }
    bounded = {"M365_TIMEOUT": "1", "M365_RETRY_TIMEOUT": "2"}
    began = time.monotonic()

    played = play(
        [a_play(a_task("Look", "m365_user_info", users="{{ asked }}", steps=["signin"]), environment="{{ own }}")],
        hosts=hosts,
        environment=bounded,
    )

    reported = {host: played.result("Look", host)["msg"] for host in hosts}
    assert {host: reported[host] for host, (_ignored, text) in NETWORK.items() if text not in reported[host]} == {}
    assert "Traceback" not in played.output
    assert time.monotonic() - began < 180
