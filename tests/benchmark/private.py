# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mount and network namespace in which Microsoft's names lead to this machine: for clients whose addresses cannot be set.

    unshare --user --map-root-user --mount --net python -m benchmark.private COMMAND...

Nobody outside of it sees its hosts file, and nothing in it reaches the world: it has no other interface than its own loopback.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from simulator.certificates import REAL_NAMES

# Where the tenant listens then, for the real names carry no port.
PORT = 443
# Set for what runs in it.
MARK = "BENCHMARK_PRIVATE"
_COMMAND = ("unshare", "--user", "--map-root-user", "--mount", "--net")
_SIOCSIFFLAGS, _UP_AND_RUNNING = 0x8914, 0x41  # netdevice(7)


def refusal() -> str:
    """Why there can be no such namespace here; empty if there can."""
    try:
        command = [*_COMMAND, sys.executable, "-m", "benchmark.private", "true"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "there is no unshare(1) for a private network"
    return "" if done.returncode == 0 else f"no private network: {(done.stderr.splitlines() or ['unshare failed'])[-1]}"


def replace_with(*command: str) -> None:
    """Go on as this command, in such a namespace."""
    os.execvp(_COMMAND[0], [*_COMMAND, sys.executable, "-m", "benchmark.private", *command])  # noqa: S606


def main() -> None:
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _UP_AND_RUNNING))
    with tempfile.TemporaryDirectory() as folder:
        hosts = Path(folder, "hosts")
        hosts.write_text(f"127.0.0.1 localhost {' '.join(REAL_NAMES)}\n", encoding="utf-8")
        # The namespace keeps the file after its name is gone.
        subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)
    os.environ[MARK] = "1"
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606


if __name__ == "__main__":
    main()
