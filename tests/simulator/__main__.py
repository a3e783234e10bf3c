# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`python -m simulator`: a tenant in the foreground, until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from .server import NAMES, Tenant


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="simulator", description="A Microsoft 365 tenant on 127.0.0.1.")
    for name in NAMES:
        parser.add_argument(f"--{name}-port", type=int, default=0, metavar="PORT", help="default: any free port")
    parser.add_argument("--directory", type=Path, help="where ca.pem, environment.sh and environment.json are written")
    parser.add_argument("--journal", type=Path, help="file to which every request is appended, as a line of JSON")
    parser.add_argument("--pid-file", type=Path, help="file that holds the process id while the tenant runs")
    parser.add_argument("--app", default="offboarding", help="registered app whose credentials are printed")
    parser.add_argument("--crowd", type=int, default=0, metavar="COUNT", help="add so many ordinary people")
    parser.add_argument(
        "--latency-ms", type=float, default=0.0, metavar="N", help="every answer takes N milliseconds longer"
    )
    parser.add_argument(
        "--tenants", type=int, default=1, metavar="COUNT", help="so many tenants behind the same ports (default: 1)"
    )
    options = parser.parse_args(arguments)

    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_ignored: done.set())
    ports = {name: getattr(options, f"{name}_port") for name in NAMES}
    tenant = Tenant(folder=options.directory, journal=options.journal, ports=ports, latency=options.latency_ms / 1000)
    if options.app not in tenant.directory.apps:
        parser.error(f"there is no app {options.app}; there are {', '.join(sorted(tenant.directory.apps))}")
    for place in range(2, options.tenants + 1):
        tenant.neighbour(f"tenant{place:03d}.example")
    for each in tenant.all_tenants:
        each.directory.add_crowd(options.crowd)
    try:
        with tenant:
            if options.pid_file:
                options.pid_file.write_text(f"{os.getpid()}\n", encoding="utf-8")
            # The first tenant's comes last: it reports that everything is ready.
            for each in reversed(tenant.all_tenants):
                each.write_environment(options.app)
            for name, value in tenant.environment_of(options.app).items():
                sys.stdout.write(f"export {name}='{value}'\n")
            sys.stdout.flush()
            done.wait()
    finally:
        if options.pid_file:
            options.pid_file.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
