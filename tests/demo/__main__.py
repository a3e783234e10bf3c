# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make demo`: one leaver, from open to contained, on a tenant that runs on this machine.

The collection is built and installed as a user would get it; the tenant is stopped at the end.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from simulator.server import Tenant

ROOT = Path(__file__).resolve().parents[2]
LEAVER = "jane.doe@contoso.com"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="m365-demo-") as name, Tenant() as tenant:
        folder = Path(name)
        say("Building the collection and installing it, as a user would get it")
        environment = {
            **os.environ,
            **tenant.environment,
            "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_HOME": str(folder / "ansible"),
        }
        install(folder, environment)
        evidence, audit = folder / "evidence.json", folder / "audit.json"

        say(f"Offboarding {LEAVER}", command("offboard", evidence))
        first = play(environment, "offboard", evidence)
        writes = len(tenant.journal.writes())
        say("Once more: a second run changes nothing", command("offboard"))
        second = play(environment, "offboard")
        say("Auditing, with a credential that can only read", command("audit", audit))
        play({**environment, **tenant.environment_of("auditor")}, "audit", audit)

        print(
            f"\nChanged: {first} tasks in the first run, {second} in the second. Writes that the tenant saw:", end=" "
        )
        print(f"{writes} in the first run, {len(tenant.journal.writes()) - writes} since.\n")
        contained = show(evidence, audit)
        return 0 if contained and second == 0 and writes == len(tenant.journal.writes()) else 1


def say(what: str, how: str = "") -> None:
    print(f"\n== {what}" + (f"\n   $ {how}" if how else ""), flush=True)


def install(folder: Path, environment: dict[str, str]) -> None:
    run(["ansible-galaxy", "collection", "build", str(ROOT), "--output-path", str(folder)], environment)
    artifact = next(folder.glob("m365-offboarding-*.tar.gz"))
    target = environment["ANSIBLE_COLLECTIONS_PATH"]
    run(["ansible-galaxy", "collection", "install", str(artifact), "--offline", "-p", target], environment)


def arguments(playbook: str, report: Path | None = None) -> list[str]:
    extra = ["-e", f"offboard_employee_report_path={report}"] if report else []
    return ["ansible-playbook", "-i", "localhost,", f"m365.offboarding.{playbook}", "-e", f"leavers={LEAVER}", *extra]


def command(playbook: str, report: Path | None = None) -> str:
    """The command as a person would type it."""
    typed = arguments(playbook, Path(report.name) if report else None)
    return " ".join(part for part in typed if part not in ("-i", "localhost,"))


def play(environment: dict[str, str], playbook: str, report: Path | None = None) -> int:
    """Run a playbook, show its recap, and tell how many tasks changed something."""
    output = run(arguments(playbook, report), environment)
    recap = next(line for line in reversed(output.splitlines()) if "changed=" in line)
    print(f"   {recap}", flush=True)
    return int(re.search(r"changed=(\d+)", recap)[1])  # type: ignore[index]


def run(command_line: list[str], environment: dict[str, str]) -> str:
    tool, *rest = command_line
    done = subprocess.run(
        [str(Path(sys.executable).parent / tool), *rest], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\n{done.stderr}\n{tool} failed with {done.returncode}.")
    return done.stdout


def show(evidence: Path, audit: Path) -> bool:
    """Show the leaver, and for each door its state, since when it is shut, and by when that is in effect."""
    done = json.loads(evidence.read_text())["hosts"]["localhost"]["leavers"][0]
    seen = json.loads(audit.read_text())["hosts"]["localhost"]["leavers"][0]
    print(f"{seen['display_name']} <{seen['user_principal_name']}>")
    print(f"  {'door':<24}{'now':<8}{'shut since':<24}in effect by")
    labels = {"password": "password", "sessions": "open sessions", "signin": "sign-in", "protocols": "mailbox"}
    for step, label in labels.items():
        entry = done["steps"][step]
        own = set(entry["after"]) if step == "protocols" else {step}
        label += f" ({len(own)} protocols)" if step == "protocols" else ""
        state = "OPEN" if own & {*seen["open"], *seen["unconfirmed"]} else "shut"
        print(f"  {label:<24}{state:<8}{entry['written_at']:<24}{entry['effective_by']}")
    print(f"\n  Audit verdict: {'CONTAINED' if seen['contained'] else 'NOT CONTAINED'}")
    return bool(seen["contained"])


if __name__ == "__main__":
    sys.exit(main())
