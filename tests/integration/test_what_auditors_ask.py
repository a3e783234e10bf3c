# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an auditor asks of the evidence: within the period, who asked, unchanged since, what kind of run, what was done."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from simulator import Tenant

from .support import AUDIT, OFFBOARD, Player, evidence

VERIFY = "m365.offboarding.verify_evidence"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_lock_out_its_audit_and_the_chain_between_them(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    """A dry run, a lock-out an hour after leaving, a second run and two audits, told apart, and their chain."""
    tenant.app("offboarding").graph |= {"Organization.Read.All"}
    left = datetime.now(UTC) - timedelta(hours=1)
    asked = {
        "leavers": ["jane.doe@contoso.com"],
        "left_at": left.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": "Left the company, =1+1",
        "ticket": "HR-2218",
    }
    folder = tmp_path / "evidence"

    def paths(name: str) -> list[str]:
        return [str(folder / f"{name}.{suffix}") for suffix in ("json", "csv", "html", "xml")]

    play(OFFBOARD, "--check", **asked, offboard_employee_report_path=paths("dry"))
    first = play(OFFBOARD, **asked, offboard_employee_report_path=paths("first"))
    again = play(OFFBOARD, **asked, since=str(folder / "first.json"), offboard_employee_report_path=paths("again"))
    audit = play(
        AUDIT,
        **asked,
        since=str(folder / "again.json"),
        contain_within="2h",
        offboard_employee_report_path=paths("audit"),
        awx_job_id=4711,
        awx_workflow_job_id=4709,
        awx_user_name="anna",
    )
    late = play(
        AUDIT,
        **asked,
        since=str(folder / "first.json"),
        contain_within="30m",
        offboard_employee_report_path=paths("late"),
    )

    # What was done.
    done = {
        name: [rows_of(folder / f"{name}.csv")[0][f"{step}_done"] for step in ("password", "signin")]
        for name in ("dry", "first", "again", "audit")
    }
    assert done == {
        "dry": ["would be reset", "would be blocked"],
        "first": ["reset now", "blocked now"],
        "again": ["was so already", "was so already"],
        "audit": ["is shut", "is shut"],
    }
    assert "reset now" in "\n".join(first.table())
    assert "was so already" in "\n".join(again.table())
    # What kind of run, and who asked.
    reported = evidence(folder / "audit.json")
    host = reported["hosts"]["localhost"]
    assert (host["tenant_name"], host["application_name"]) == ("Contoso", tenant.app("offboarding").display_name)
    assert {
        name: reported["run"][name] for name in ("job_id", "workflow_job_id", "launched_by", "os_user", "ticket")
    } == {"job_id": "4711", "workflow_job_id": "4709", "launched_by": "anna", "os_user": None, "ticket": "HR-2218"}
    assert evidence(folder / "first.json")["run"]["os_user"]
    (row,) = rows_of(folder / "audit.csv")
    assert (row["run_purpose"], row["run_check_mode"], row["tenant_name"]) == ("audit", "false", "Contoso")
    assert row["run_reason"] == "Left the company, =1+1"
    # Within the period: an hour after leaving is within two, and not within half an hour.
    for name, within in (("audit", True), ("late", False)):
        one = evidence(folder / f"{name}.json")["hosts"]["localhost"]["leavers"][0]
        assert one["containment"]["within"] is within
        assert 3600 <= one["containment"]["seconds_to_last_write"] < 7200
    assert audit.returncode == 0
    assert late.returncode != 0
    assert "jane.doe@contoso.com: late: last write 1 h" in late.failure()
    # Unchanged since.
    link = {"file": "again.json", "sha256": digest(folder / "again.json")}
    assert reported["chain"] == [link]
    assert set(audit.reported()["_run"]["m365_offboarding_4711"]["localhost"]["sha256"]) == {
        digest(Path(path)) for path in paths("audit")
    }
    assert f"(SHA-256 {digest(folder / 'audit.json')})" in audit.stdout
    sums = [path.name for path in folder.glob("*.sha256")]
    assert len(sums) == 5 * 4
    assert subprocess.run(["sha256sum", "--check", "--quiet", *sums], cwd=folder, check=False).returncode == 0

    verified = play(VERIFY, evidence=str(folder), expected=digest(folder / "audit.json"), app=None)
    assert verified.returncode == 0
    assert "20 reports are as they were written" in verified.stdout

    changed = json.loads((folder / "first.json").read_text())
    changed["hosts"]["localhost"]["leavers"][0]["left_at"] = None
    (folder / "first.json").write_text(json.dumps(changed))
    (folder / "dry.csv").unlink()
    (folder / "more.html").write_text("<html>")
    verified = play(VERIFY, evidence=str(folder), app=None)
    assert verified.returncode != 0
    for sentence in (
        "first.json has changed since it was written",
        "first.json is not the file that again.json was compared with",
        "dry.csv is missing, but its checksum file exists",
        "more.html has no checksum",
    ):
        assert sentence in verified.failure()


def test_what_cannot_be_checked_is_refused(play: Player, tmp_path: Path) -> None:
    """An empty folder proves nothing, and a misspelt variable must not be ignored."""
    (tmp_path / "empty").mkdir()

    empty = play(VERIFY, evidence=str(tmp_path / "empty"), app=None)
    misspelt = play(VERIFY, evidence=str(tmp_path / "empty"), expeted="0" * 64, app=None)
    malformed = play(AUDIT, leavers=["jane.doe@contoso.com"], contain_within="4 hours")

    assert "nothing was checked" in empty.failure()
    assert "did you mean expected?" in misspelt.failure()
    assert "contain_within is '4 hours'" in malformed.failure()
    assert [one.returncode != 0 for one in (empty, misspelt, malformed)] == [True] * 3
