# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rulebook at work: ansible-rulebook, which needs Java 17, between signed events and a small AWX."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from awx.server import TOKEN, FakeAwx
from awx.test_surveys import surveys

from tools import tree

RULEBOOK = tree.ROOT / "extensions" / "eda" / "rulebooks" / "offboard.yml"
SECRET = "shared-with-HR"
JANE = {
    "event": "employee.left",
    "id": "4711",
    "employee": "jane.doe@contoso.com",
    "left_at": "2026-11-20T17:00:00+01:00",
}


@dataclass
class Hr:
    """Whoever posts events."""

    port: int

    def post(self, event: object, secret: str = SECRET) -> int:
        body = json.dumps(event).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/hr", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return int(answer.status)
        except urllib.error.HTTPError as exc:
            return exc.code


@pytest.fixture
def awx() -> Iterator[FakeAwx]:
    with FakeAwx({}) as awx:
        awx.create(
            "workflow_job_templates",
            {"name": "Offboard employee with approval", "organization": 1, "survey_enabled": True},
        )["survey_spec"] = surveys()["awx_setup_survey_offboard"]
        yield awx


@pytest.fixture
def hr(awx: FakeAwx, tmp_path: Path) -> Iterator[Hr]:
    assert shutil.which("java"), "ansible-rulebook needs Java 17"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "hosts.yml").write_text("all: {hosts: {localhost: {}}}")
    (tmp_path / "vars.yml").write_text(json.dumps({"hr_webhook_port": port}))
    program = [sys.executable, "-m", "ansible_rulebook", "--rulebook", str(RULEBOOK), "--inventory", "hosts.yml"]
    reach = ["--controller-url", f"{awx.url}/api/", "--controller-token", TOKEN, "--controller-ssl-verify", "no"]
    log = (tmp_path / "log").open("wb")
    running = subprocess.Popen(
        [*program, *reach, "--vars", "vars.yml", "--env-vars", "HR_WEBHOOK_SECRET"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HR_WEBHOOK_SECRET": SECRET,
            "HOME": str(tmp_path),
        },
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        _wait_for(lambda: _listens(port) or running.poll() is not None)
        assert running.poll() is None, (tmp_path / "log").read_text()
        yield Hr(port)
    finally:
        running.terminate()
        running.wait(timeout=30)
        log.close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_for(condition: object, seconds: float = 60) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


def test_an_event_starts_the_workflow_once(awx: FakeAwx, hr: Hr) -> None:
    assert hr.post(JANE, secret="not-this") == 401
    assert hr.post({**JANE, "employee": "{{ x }}@contoso.com"}) == 200
    assert hr.post({**JANE, "employee": "a@contoso.com,b@contoso.com"}) == 200
    assert hr.post({**JANE, "event": "employee.hired"}) == 200
    assert hr.post({**JANE, "left_at": "2026-11-20"}) == 200
    assert hr.post({"event": "employee.left"}) == 200
    assert hr.post(JANE) == 200
    assert hr.post({**JANE, "id": "4712"}) == 200
    assert hr.post(JANE) == 200
    assert hr.post({**JANE, "employee": "last.one@contoso.com"}) == 200

    # Events are judged in the order in which they came: when the last has been launched, nothing of the others is to come. The first
    # workflow waits for approval all the while, which holds up nobody.
    _wait_for(lambda: any(answers["leavers"] == "last.one@contoso.com" for _name, answers in awx.launched))
    assert sorted((name, answers["leavers"], answers["reason"]) for name, answers in awx.launched) == [
        ("Offboard employee with approval", "jane.doe@contoso.com", "HR 4711"),
        ("Offboard employee with approval", "last.one@contoso.com", "HR 4711"),
    ]
    assert not any(path.endswith("/launch/") and "/job_templates/" in path for _method, path in awx.requests)
