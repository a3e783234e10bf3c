# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the evidence of a run says of the run and of each tenant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.m365.offboarding.plugins.plugin_utils import _evidence
from ansible_collections.m365.offboarding.plugins.plugin_utils._evidence import evidence, tenant_entry

IDENTITY = {"tenant_id": "t", "client_id": "c", "object_id": "o"}
NOBODY = dict.fromkeys(IDENTITY)
ERROR = {"code": "AADSTS7000215", "message": "No token.", "hint": "Another secret.", "request_id": "1"}
RUN = {
    "purpose": "audit",
    "complete": True,
    "check_mode": False,
    "started_at": "2026-11-20T16:00:00Z",
    "ansible": "2.19.1",
}


def test_a_tenant_is_told_with_who_looked_and_what_was_found():
    entry = tenant_entry({"users": [{}], "automation": IDENTITY}, steps=["signin", "password"])

    assert entry == {**IDENTITY, "steps": ["password", "signin"], "error": None, "exceptions": []}


def test_before_anything_was_read_nobody_looked_and_nothing_failed():
    assert tenant_entry({}, steps=["signin"]) == {**NOBODY, "steps": ["signin"], "error": None, "exceptions": []}


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
        # Leavers who could not be read are told one by one.
        ({"failed": True, "msg": "1 user: 1 failed.", "users": [{"status": "failed"}]}, None),
        ({"msg": "0 users.", "users": []}, None),
    ],
    ids=["a failed module", "a module that broke", "a module that was skipped", "failed leavers", "no leavers"],
)
def test_a_tenant_that_could_not_be_looked_at_says_why(opening, error):
    assert tenant_entry(opening, steps=["signin"])["error"] == error


def test_a_run_says_what_it_was_for_and_who_launched_it():
    told = evidence(
        {"localhost": {"steps": []}},
        {"localhost": [{"user": "jane"}]},
        job={"id": 4711, "template": "Offboard", "launched_by": ""},
        **RUN,
    )

    version = yaml.safe_load((Path(__file__).parents[4] / "galaxy.yml").read_text())["version"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told.pop("written_at"))
    assert told == {
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
            "collection": version,
            "ansible": "2.19.1",
        },
        "hosts": {"localhost": {"steps": [], "leavers": [{"user": "jane"}]}},
    }


def test_an_installed_collection_tells_the_version_of_its_manifest(tmp_path, monkeypatch):
    (tmp_path / "MANIFEST.json").write_text('{"collection_info": {"version": "9.8.7"}}')
    (tmp_path / "galaxy.yml").write_text("version: 0.0.1\n")
    monkeypatch.setattr(_evidence, "__file__", str(tmp_path / "plugins" / "plugin_utils" / "_evidence.py"))

    assert evidence({}, {}, job={}, **RUN)["run"]["collection"] == "9.8.7"
