# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of leavers as the personnel department sends them, and as people type them."""

from __future__ import annotations

from pathlib import Path

from simulator import Tenant

from .support import AUDIT, OFFBOARD, Player, moment

JANE, JOHN, MILES = "jane.doe@contoso.com", "john.roe@contoso.com", "miles.o'brien@contoso.com"
LEFT_AT = "2026-03-01T17:00:00+01:00"

# File: its bytes, and who is found in it: UPN and left_at.
GOOD: dict[str, tuple[bytes, list[tuple[str, str | None]]]] = {
    "excel": (
        f'\ufeffDepartment;User;left_at\r\n\r\nSales; {JANE} ;{LEFT_AT}\r\n;;\r\n"R&D; Lab";{MILES};\r\n\r\n'.encode(),
        [(JANE, LEFT_AT), (MILES, None)],
    ),
    "commas": (f"user,left_at\n{JANE},\n\n\n{JOHN},{LEFT_AT}\n".encode(), [(JANE, None), (JOHN, LEFT_AT)]),
    "tabs": (f"user\tname\n{JOHN}\tRoe, John\n".encode(), [(JOHN, None)]),
    "one_column": (f"user\n{JANE}\n".encode(), [(JANE, None)]),
    "twice": (f"user,left_at\n{JANE},2026-02-01T17:00:00Z\n{JANE.upper()},{LEFT_AT}\n".encode(), [(JANE, LEFT_AT)]),
}
# File: its bytes, and what must be said about it.
BAD: dict[str, tuple[bytes, str]] = {
    "no_column": (
        b"name,mail\nJane,jane.doe@contoso.com\n",
        "the CSV has no column 'user'; its first line names name, mail",
    ),
    "empty": (b"\n\n", "the CSV is empty"),
    "no_rows": (b"user\n", "Nobody is meant"),
    "no_user": (f"user,name\n{JANE},Jane\n,John\n".encode(), "line 3 of the CSV names no user"),
    "no_offset": (f"user,left_at\n{JANE},2026-03-01T17:00:00\n".encode(), "no moment with an offset"),
    "no_name": (b"user\nJane Doe\n", "'Jane Doe' is neither a user principal name nor an object id"),
}


def test_csv_files(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    for name, (content, _ignored) in {**GOOD, **BAD}.items():
        (tmp_path / f"{name}.csv").write_bytes(content)
    hosts = {name: {"leavers_file": f"{name}.csv"} for name in (*GOOD, *BAD)}
    hosts["missing"] = {"leavers_file": "missing.csv"}

    played = play(AUDIT, app="auditor", hosts=hosts, offboard_employee_steps=["signin"])

    for name, (_ignored, expected) in GOOD.items():
        found = [(leaver["user_principal_name"], leaver["left_at"]) for leaver in played.leavers(name)]
        assert [user for user, _ignored in found] == [user for user, _ignored in expected], name
        assert [at and moment(at) for _ignored, at in found] == [at and moment(at) for _ignored, at in expected], name
    for name, (_ignored, text) in BAD.items():
        assert text in played.failure(name), name
        assert "Traceback" not in played.failure(name)
    assert "missing.csv" in played.failure("missing")
    assert {entry.user for entry in tenant.journal if entry.user} <= {
        tenant.directory.user(name).id for name in (JANE, JOHN, MILES)
    }


def test_ways_to_name_leavers(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    """A form's text field, a list, an object id, YAML's own timestamps."""
    jane, john = (tenant.directory.user(name) for name in (JANE, JOHN))
    inventory = {
        "commas": {"leavers": f" {JANE},{JOHN} "},
        "lines": {"leavers": f"{JANE}\n\n{JOHN}\n"},
        "both": {"leavers": f"{JANE},\n{JOHN}\n"},
        "elements": {"leavers": [f"{JANE}, {JOHN}"]},
        "ids": {"leavers": [jane.id, john.id.upper()]},
        "mappings": {"leavers": [{"user": jane.id, "left_at": LEFT_AT}, {"user": JOHN}]},
        "for_all": {"leavers": [{"user": jane.id}, JOHN], "left_at": LEFT_AT},
    }
    variables = tmp_path / "stamps.yml"
    variables.write_text(
        f"stamps:\n  - {{user: {JANE}, left_at: 2026-03-01T17:00:00+01:00}}\n  - {{user: {JOHN}, left_at: 2026-03-01 16:00:00Z}}\n"
    )
    inventory["stamps"] = {"leavers": "{{ stamps }}"}

    played = play(
        AUDIT, "--extra-vars", f"@{variables}", app="auditor", hosts=inventory, offboard_employee_steps=["signin"]
    )

    for host in inventory:
        assert [leaver["id"] for leaver in played.leavers(host)] == [jane.id, john.id], host
    when = {host: [leaver["left_at"] for leaver in played.leavers(host)] for host in inventory}
    utc = "2026-03-01T16:00:00Z"
    nobody = [None, None]
    assert when == {
        "commas": nobody,
        "lines": nobody,
        "both": nobody,
        "elements": nobody,
        "ids": nobody,
        "mappings": [utc, None],
        "for_all": [utc, utc],
        "stamps": [utc, utc],
    }


def test_offboarding_from_a_file(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    (tmp_path / "leavers.csv").write_text(f"user,left_at\n{MILES},{LEFT_AT}\n")

    played = play(OFFBOARD, leavers_file="leavers.csv")

    assert played.returncode == 0, played.output
    assert played.leaver()["contained"]
    assert tenant.directory.user("apostrophe")["accountEnabled"] is False
