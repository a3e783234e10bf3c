# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``make tenant`` leaves makes a shell ready, until it is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def test_a_shell_reaches_the_tenant_with_the_variables_that_are_shown(tmp_path: Path) -> None:
    script = tmp_path / "tenant.sh"
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-m", "demo.tenant", "--app", "auditor", "--script", str(script)]
    known = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen(command, env=known, stdout=subprocess.PIPE, encoding="utf-8") as running:
        try:
            assert running.stdout
            # The file is whole when the last line comes.
            assert any("rosa.residual@contoso.com" in line for line in running.stdout)
            assert script.stat().st_mode & 0o777 == 0o600
            typed = f". {script}; ansible-playbook m365.offboarding.audit -e leavers=jane.doe@contoso.com"
            played = subprocess.run(["sh", "-c", typed], env=bare, capture_output=True, encoding="utf-8", check=False)
        finally:
            running.send_signal(signal.SIGINT)
        assert running.wait(10) == 0

    assert played.returncode == 2, played.stdout + played.stderr
    assert "jane.doe@contoso.com: open: password, sessions, signin" in played.stdout
    assert not script.exists()
