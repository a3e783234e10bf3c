# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of leavers as the personnel department sends them, and as people type them."""

from __future__ import annotations

from pathlib import Path

from ansible.release import __version__

from simulator import Tenant

from .support import AUDIT, OFFBOARD, Player, a_play, moment

JANE, JOHN, MILES = "jane.doe@contoso.com", "john.roe@contoso.com", "miles.o'brien@contoso.com"
LEFT_AT = "2026-03-01T17:00:00+01:00"
# What a template gives, before ansible-core 2.19, is text that is read again: not if a date is in it.
_TEMPLATES_KEEP_DATES = tuple(map(int, __version__.split(".")[:2])) >= (2, 19)

# File: its bytes, and who is found in it: UPN and left_at.
GOOD: dict[str, tuple[bytes, list[tuple[str, str | None]]]] = {
    "excel": (
        f'\ufeffDepartment;User;left_at\r\n\r\nSales; {JANE} ;{LEFT_AT}\r\n;;\r\n"R&D; Lab";{MILES};\r\n\r\n'.encode(),
        [(JANE, LEFT_AT), (MILES, None)],
    ),
    "commas": (f"user,left_at\n{JANE},\n\n\n{JOHN},{LEFT_AT}\n".encode(), [(JANE, None), (JOHN, LEFT_AT)]),
    "tabs": (f"user\tname\n{JOHN}\tRoe, John\n".encode(), [(JOHN, None)]),
    "one_column": (f"user\n{JANE}\n".encode(), [(JANE, None)]),
    "twice": (f"user,left_at\n{JANE},2026-03-01T16:00:00Z\n{JANE.upper()},{LEFT_AT}\n".encode(), [(JANE, LEFT_AT)]),
    "empty_cells_at_the_end": (
        f"user,left_at\n{JANE},{LEFT_AT},,\n{JOHN},\n".encode(),
        [(JANE, LEFT_AT), (JOHN, None)],
    ),
    "utf_16": (f"user\tname\r\n{JANE}\tJané\r\n".encode("utf-16"), [(JANE, None)]),
    "utf_16_big": (("\ufeff" + f"user;left_at\n{JANE};{LEFT_AT}\n").encode("utf-16-be"), [(JANE, LEFT_AT)]),
    "text_over_lines": (f'user,name\n{JANE},"Jane\nDoe"\n{JOHN},x\n'.encode(), [(JANE, None), (JOHN, None)]),
    "another_end": (f"user,left_at,contract end date\n{JANE},{LEFT_AT},2026\n".encode(), [(JANE, LEFT_AT)]),
}
# File: its bytes, and what must be said about it.
BAD: dict[str, tuple[bytes, str]] = {
    "no_column": (b"name,mail\nJane,jane.doe@contoso.com\n", "the CSV has no column 'user'"),
    "empty": (b"\n\n", "the CSV is empty"),
    "no_rows": (b"user\n", "No leavers"),
    "unquoted": (
        f"name,user,left_at\nJohn,{JOHN},\nDoe, Jane,{JANE},{LEFT_AT}\n".encode(),
        "line 3 of the CSV has 4 cells, its first line names 3 columns",
    ),
    "a_cell_too_few": (f"user,name,left_at\n{JANE},Jane\n".encode(), "line 2 of the CSV has 2 cells"),
    "two_columns": (f"user,User \n{JANE},{JOHN}\n".encode(), "line 1 of the CSV names the column 'user' twice"),
    "two_moments": (f"user,left_at,LEFT_AT\n{JANE},,{LEFT_AT}\n".encode(), "names the column 'left_at' twice"),
    **{
        f"like_left_at_{number}": (
            f"name,user,{header}\nJane,{JANE},2027-03-01T17:00:00Z\n".encode(),
            "line 1 of the CSV: the name of column 3 looks like 'left_at' and is not",
        )
        for number, header in enumerate(
            (
                "left at",
                "leave_date",
                "LeftAt",
                "Leaving Date",
                "last day",
                "left-at",
                "Left_At_",
                "termination date",
                "leaves",
            )
        )
    },
    "latin_1": (
        f"user,name\n{JOHN},René\n".encode("latin-1"),
        "line 2 of the CSV is not UTF-8: save the file as CSV UTF-8",
    ),
    "nul": (f"user,name\n{JANE},Jane\0\n".encode(), "line 2 of the CSV holds a NUL character"),
    "open_quote": (f'user,name\n{JANE},"Jane\n{JOHN},John\n'.encode(), "line 2 of the CSV cannot be read"),
    "swallowed": (
        f'user,name\n{JANE},"Jane\n{JOHN},John"\n'.encode(),
        "line 2 of the CSV: a value in double quotes goes on",
    ),
    "cut": (b"user,left_at\n" + f"{JANE}".encode(), "line 2 of the CSV has 1 cells"),
    "no_user": (f"user,name\n{JANE},Jane\n,John\n".encode(), "line 3 of the CSV names no user"),
    "no_offset": (f"user,left_at\n{JANE},2026-03-01T17:00:00\n".encode(), "must be a date and time with a UTC offset"),
    "no_name": (b"user\nJane Doe\n", "'Jane Doe' is neither a user principal name nor an object ID"),
    "secrets": (b"hunter2,password\nhunter2,other\n", "the CSV has no column 'user'"),
    "environment": (b"SECRET=hunter2\0PATH=/bin\0", "the CSV has no column 'user'"),
}


def test_csv_files(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    for name, (content, _ignored) in {**GOOD, **BAD}.items():
        (tmp_path / f"{name}.csv").write_bytes(content)
    hosts = {name: {"leavers_file": f"{name}.csv"} for name in (*GOOD, *BAD)}
    hosts["missing"] = {"leavers_file": "missing.csv"}
    hosts["folder"] = {"leavers_file": "."}

    played = play(AUDIT, app="auditor", hosts=hosts, offboard_employee_steps=["signin"])

    for name, (_ignored, expected) in GOOD.items():
        found = [(leaver["user_principal_name"], leaver["left_at"]) for leaver in played.leavers(name)]
        assert [user for user, _ignored in found] == [user for user, _ignored in expected], name
        assert [at and moment(at) for _ignored, at in found] == [at and moment(at) for _ignored, at in expected], name
    for name, (_ignored, text) in BAD.items():
        assert text in played.failure(name), name
        assert "Traceback" not in played.failure(name)
    assert "missing.csv does not exist" in played.failure("missing")
    assert "is not a file" in played.failure("folder")
    # Whatever a file holds, it is not repeated.
    assert "hunter2" not in played.output
    assert "excel.csv: 2 rows, 1 of them with a date (left_at)" in " ".join(played.output.split())
    assert {entry.user for entry in tenant.journal if entry.user} <= {
        tenant.directory.user(name).id for name in (JANE, JOHN, MILES)
    }


def test_ways_to_name_leavers(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    """A form's text field, a list, an object ID, YAML's own timestamps."""
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
    if _TEMPLATES_KEEP_DATES:
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
        **({"stamps": [utc, utc]} if _TEMPLATES_KEEP_DATES else {}),
    }


def test_a_list_that_a_template_made_text_of_is_refused_as_a_whole(tenant: Tenant, play: Player) -> None:
    """Before ansible-core 2.19, that becomes of a list with a date."""
    hosts = {"text": {"leavers": f"{{{{ [{{'user': '{JANE}'}}, now()] | string }}}}"}}

    played = play(OFFBOARD, hosts=hosts)

    assert played.returncode == 2
    assert "quote the dates" in played.failure("text")
    assert len(tenant.journal) == 0


def test_offboarding_from_a_file(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    (tmp_path / "leavers.csv").write_text(f"user,left_at\n{MILES},{LEFT_AT}\n")

    played = play(OFFBOARD, leavers_file="leavers.csv")

    assert played.returncode == 0, played.output
    assert played.leaver()["contained"]
    assert tenant.directory.user("apostrophe")["accountEnabled"] is False


def test_sources_add_up_and_a_column_may_have_another_name(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    (tmp_path / "export.csv").write_text(f"Display name,User principal name\nJane,{JANE}\n")
    (tmp_path / "leavers.csv").write_text(f"user\n{JANE}\n")
    hosts = {
        "name_and_file": {"leavers": f"{JOHN}", "leavers_file": "leavers.csv"},
        "list_and_file": {"leavers": [{"user": JOHN, "left_at": LEFT_AT}], "leavers_file": "leavers.csv"},
        "column": {"leavers": JOHN, "leavers_file": "export.csv", "leavers_column": "user PRINCIPAL name"},
    }

    played = play(AUDIT, app="auditor", hosts=hosts, offboard_employee_steps=["signin"])

    for host in hosts:
        assert [leaver["user_principal_name"] for leaver in played.leavers(host)] == [JOHN, JANE], host

    role = [
        a_play(
            {
                "name": "Look",
                "ansible.builtin.include_role": {"name": "m365.offboarding.offboard_employee", "tasks_from": "audit"},
            }
        )
    ]
    of_role = play(
        role,
        app="auditor",
        offboard_employee_leavers=JOHN,
        offboard_employee_leavers_file="export.csv",
        offboard_employee_leavers_column="User principal name",
    )
    assert [leaver["user_principal_name"] for leaver in of_role.leavers()] == [JOHN, JANE]


def test_a_file_that_vault_has_encrypted_is_read(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    from ansible.parsing.vault import VaultLib, VaultSecret

    (tmp_path / "password").write_text("open sesame")
    (tmp_path / "password").chmod(0o600)
    vault = VaultLib([("default", VaultSecret(b"open sesame"))])
    (tmp_path / "leavers.csv").write_bytes(vault.encrypt(f"user\n{JANE}\n"))
    (tmp_path / "secrets.csv").write_bytes(vault.encrypt("password: hunter2\n"))
    arguments = ("--vault-password-file", str(tmp_path / "password"))

    good = play(AUDIT, *arguments, app="auditor", leavers_file="leavers.csv", offboard_employee_steps=["signin"])
    bad = play(AUDIT, *arguments, app="auditor", leavers_file="secrets.csv")

    assert good.leaver()["user_principal_name"] == JANE
    assert "the CSV has no column 'user'" in bad.failure()
    assert "hunter2" not in bad.output
