# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the evidence of a run says of the run and of each tenant."""

from __future__ import annotations

import re
from pathlib import Path
from unittest import mock

import pytest
import yaml

from ansible_collections.m365.offboarding.plugins.plugin_utils import _evidence
from ansible_collections.m365.offboarding.plugins.plugin_utils._evidence import (
    containment_summary,
    evidence,
    tenant_entry,
)

IDENTITY = {"tenant_id": "t", "client_id": "c", "application_name": "a", "object_id": "o"}
NOBODY = dict.fromkeys(IDENTITY)
ERROR = {"code": "AADSTS7000215", "message": "No token.", "hint": "Another secret.", "request_id": "1"}
RUN = {
    "purpose": "audit",
    "complete": True,
    "check_mode": False,
    "started_at": "2026-11-20T16:00:00Z",
    "ansible": "2.19.1",
}


def test_a_tenant_is_reported_with_the_application_that_looked_and_what_was_found():
    opening = {"users": [{}], "automation": IDENTITY, "tenant_name": "Contoso", "read_at": "2026-11-20T16:00:00Z"}
    entry = tenant_entry(opening, steps=["signin", "password"], contain_within="4h")

    assert entry == {
        **IDENTITY,
        "tenant_name": "Contoso",
        "read_at": "2026-11-20T16:00:00Z",
        "contain_within": "4h",
        "steps": ["password", "signin"],
        "error": None,
        "exceptions": [],
        "since": None,
    }


def test_before_anything_was_read_nobody_looked_and_nothing_failed():
    assert tenant_entry({}, steps=["signin"]) == {
        **NOBODY,
        **dict.fromkeys(("tenant_name", "read_at", "contain_within", "error", "since")),
        "steps": ["signin"],
        "exceptions": [],
    }


@pytest.mark.parametrize(
    ("opening", "error"),
    [
        ({"failed": True, "users": [], "automation": None, "error": ERROR}, ERROR),
        (
            {"failed": True, "msg": "It broke."},
            {"code": "no_records", "message": "It broke.", "hint": None, "request_id": None},
        ),
        (
            {"skipped": True},
            {"code": "no_records", "message": "The users could not be read.", "hint": None, "request_id": None},
        ),
        # Leavers who could not be read are reported one by one.
        ({"failed": True, "msg": "1 user: 1 failed.", "users": [{"status": "failed"}]}, None),
        ({"msg": "0 users.", "users": []}, None),
    ],
    ids=["a failed module", "a module that broke", "a module that was skipped", "failed leavers", "no leavers"],
)
def test_a_tenant_that_could_not_be_looked_at_says_why(opening, error):
    assert tenant_entry(opening, steps=["signin"])["error"] == error


def test_a_run_says_what_it_was_for_and_who_launched_it():
    reported = evidence(
        {"localhost": {"steps": []}},
        {"localhost": [{"user": "jane"}]},
        job={
            "id": 4711,
            "template": "Offboard",
            "launched_by": "",
            "workflow_job_id": 4709,
            "reason": " Left\nthe \x1b[31mcompany\u2028",
            "ticket": "HR-1",
        },
        chain=[{"file": "monday.json", "sha256": "0" * 64}],
        **RUN,
    )

    version = yaml.safe_load((Path(__file__).parents[4] / "galaxy.yml").read_text())["version"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", reported.pop("written_at"))
    assert reported == {
        "format": "m365.offboarding/evidence",
        "version": 1,
        "complete": True,
        "purpose": "audit",
        "check_mode": False,
        "run": {
            "started_at": "2026-11-20T16:00:00Z",
            "job_id": "4711",
            "job_template": "Offboard",
            "launched_by": None,
            "workflow_job_id": "4709",
            "os_user": None,
            "reason": "Left the \ufffd[31mcompany\ufffd",
            "ticket": "HR-1",
            "approved_by": None,
            "collection": version,
            "ansible": "2.19.1",
        },
        "chain": [{"file": "monday.json", "sha256": "0" * 64}],
        "hosts": {"localhost": {"steps": [], "containment": containment_summary([{}]), "leavers": [{"user": "jane"}]}},
    }


def test_outside_of_awx_the_user_of_the_operating_system_is_reported(monkeypatch):
    monkeypatch.setattr(_evidence.os, "getuid", lambda: 4242)
    monkeypatch.setattr(_evidence.pwd, "getpwuid", lambda uid: mock.Mock(pw_name=f"sam{uid}"))
    # Whoever runs it may set these.
    monkeypatch.setenv("USER", "the.boss")
    monkeypatch.setenv("LOGNAME", "the.boss")
    monkeypatch.setenv("SUDO_USER", "the.boss")

    assert evidence({}, {}, job={}, **RUN)["run"]["os_user"] == "sam4242"
    assert evidence({}, {}, job={"id": "7"}, **RUN)["run"]["os_user"] is None


def test_the_user_who_became_root_by_sudo_is_reported(monkeypatch):
    monkeypatch.setattr(_evidence.os, "getuid", lambda: 0)
    monkeypatch.setattr(_evidence.pwd, "getpwuid", lambda _uid: mock.Mock(pw_name="root"))
    monkeypatch.setenv("SUDO_USER", "sam")

    assert evidence({}, {}, job={}, **RUN)["run"]["os_user"] == "root, by sudo of sam"


def test_a_user_without_a_name_is_reported_by_number(monkeypatch):
    monkeypatch.setattr(_evidence.os, "getuid", lambda: 4242)
    monkeypatch.setattr(_evidence.pwd, "getpwuid", mock.Mock(side_effect=KeyError))

    assert evidence({}, {}, job={}, **RUN)["run"]["os_user"] == "uid 4242"


def test_what_a_person_wrote_is_cut():
    assert evidence({}, {}, job={"reason": "x" * 5000}, **RUN)["run"]["reason"] == "x" * 500


def test_the_times_of_a_run_that_goes_on_are_not_known():
    reported = evidence({"a": {}}, {"a": [{}]}, job={}, **{**RUN, "complete": False})

    assert reported["hosts"]["a"]["containment"] is None


def test_an_installed_collection_reports_the_version_of_its_manifest(tmp_path, monkeypatch):
    (tmp_path / "MANIFEST.json").write_text('{"collection_info": {"version": "9.8.7"}}')
    (tmp_path / "galaxy.yml").write_text("version: 0.0.1\n")
    monkeypatch.setattr(_evidence, "__file__", str(tmp_path / "plugins" / "plugin_utils" / "_evidence.py"))

    assert evidence({}, {}, job={}, **RUN)["run"]["collection"] == "9.8.7"
