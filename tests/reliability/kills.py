# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real play, struck down at a random moment; the next one must complete it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from simulator.server import Tenant

LEAVERS = ("jane.doe@contoso.com", "john.roe@contoso.com", "maria.rossi@contoso.com")
# A play for them sends a few more, the first 20 before it writes.
_REQUESTS = 60
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


def strike(tenant: Tenant, folder: Path, seed: int, *, within: float) -> tuple[signal.Signals, float]:
    """Start a play, strike it at the request that the seed decides, and run it again undisturbed.

    :param within: seconds in which it has to end.
    :returns: the signal, and the seconds that the play took to end after it.
    :raises AssertionError: it left a secret, or the next run did not complete.
    :raises subprocess.TimeoutExpired: it took longer to end.
    """
    chance = random.Random(seed)
    tenant.reset()
    tenant.delay = 0.1
    sign = SIGNALS[seed % len(SIGNALS)]
    play = _start(tenant, folder)
    # By requests, so that no machine is too fast or too slow for it. None are sent before Ansible's own start.
    moment = chance.randrange(_REQUESTS)
    try:
        while len(tenant.journal) < moment:
            assert play.poll() is None, f"it ended before it was struck: {(folder / 'output').read_text()}"
            time.sleep(0.01)
        began = time.monotonic()
        if sign is signal.SIGINT:  # Ctrl-C reaches the whole foreground group, the others only ansible-playbook
            os.killpg(play.pid, sign)
        else:
            play.send_signal(sign)
        play.wait(timeout=within)
        took = time.monotonic() - began
        _no_secret_in(folder, tenant)
        _written_is_on_record(folder, tenant)

        tenant.delay = 0.0
        # A worker that lost its parent may still finish the step that it had begun, and must not disturb the next run.
        _wait_for_workers(folder)
        again = _start(tenant, folder)
        again.wait(timeout=120)
    finally:
        for pid in _processes(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert again.returncode == 0, (folder / "output").read_text()
    for name in LEAVERS:
        user = tenant.directory.user(name)
        assert user["accountEnabled"] is False
        assert user.mailbox is not None
        assert user.mailbox["OWAEnabled"] is False
        assert user["signInSessionsValidFromDateTime"] > user["lastPasswordChangeDateTime"]
    _no_secret_in(folder, tenant)
    return sign, took


def _wait_for_workers(folder: Path) -> None:
    """Wait until no process of a play is left."""
    deadline = time.monotonic() + 100
    while left := _processes(folder):
        assert time.monotonic() < deadline, f"processes {left} outlived ansible-playbook"
        time.sleep(0.1)


def _processes(folder: Path) -> list[int]:
    """The processes of plays in this folder, found by their environment.

    ansible-core 2.19 and later give each worker a session, and a worker whose parent was killed belongs to nobody.
    """
    mark, found = f"TMPDIR={folder / 'tmp'}".encode(), []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        # One that has ended by now has no file, a zombie's is empty, and other users' cannot be read.
        with contextlib.suppress(FileNotFoundError, PermissionError, ProcessLookupError):
            if mark in environ.read_bytes().split(b"\0"):
                found.append(int(environ.parent.name))
    return found


def _start(tenant: Tenant, folder: Path) -> subprocess.Popen[str]:
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        **tenant.environment,
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(temporary / "local"),
        "ANSIBLE_REMOTE_TEMP": str(temporary / "remote"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "TMPDIR": str(temporary),
    }
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        *("-i", "localhost,", "m365.offboarding.offboard", "-e", f"leavers={','.join(LEAVERS)}"),
        *("-e", f"offboard_employee_report_path={folder / 'evidence.json'}"),
    ]
    with (folder / "output").open("w") as output:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def _written_is_on_record(folder: Path, tenant: Tenant) -> None:
    """Whoever was written to stands in the file as they were found."""
    written = {entry.user for entry in tenant.journal.writes() if entry.applied}
    file = folder / "evidence.json"
    leavers = json.loads(file.read_text())["hosts"]["localhost"]["leavers"] if file.exists() else []
    found = {one["id"]: one["steps"]["signin"]["before"] for one in leavers}
    assert {key: found.get(key) for key in written} == {key: {"account_enabled": True} for key in written}


def _no_secret_in(folder: Path, tenant: Tenant) -> None:
    secrets = [secret.encode() for secret in tenant.issued_secrets() if secret]
    assert secrets
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(secret in content for secret in secrets), f"a secret was left in {path.name}"
