# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Somebody who reads a page from top to bottom, types what it shows, and looks at what comes of it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator import Tenant
from tools import callbacks, tree

from .pages import Block

# What may be typed. Everything else is marked as not run, with the reason.
_HARMLESS = ("cat", "diff", "echo", "grep", "ls", "mkdir", "printf")
_ANSIBLE = ("ansible", "ansible-config", "ansible-doc", "ansible-inventory", "ansible-playbook")
# They count for the commands that follow.
_KEPT = ("cd", "export")
# The credential of the test stands in for the one that a page shows.
_OWN = re.compile(r"(AZURE|M365|REQUESTS|SSL)_(?!PROTECTED_USERS)\w+")
# Files that a reader has from before: what an option wants, and how such a file comes to be.
_FROM_BEFORE = re.compile(r"(leavers_file|since|evidence)=([\w./-]+)")
_LEAVERS = "user,left_at\njane.doe@contoso.com,2026-11-20T17:00:00+01:00\nmiles.obrien@contoso.com,\n"
# With these the tenant was only looked at, and a failure says no more than that somebody is not contained.
_LOOKED_AT = {"contained", "open", "unconfirmed", "not_due"}
# Commands that only read, run on a tenant of the first day, and whether they failed: they are not run again.
_seen: dict[str, bool] = {}


@dataclass
class Ran:
    """What came of a command."""

    returncode: int
    output: str
    events: list[dict[str, Any]]
    wrote: bool

    def complaint(self, *, may_fail: bool) -> str | None:
        """Why it is not as it should be."""
        if "[DEPRECATION WARNING]" in self.output:
            return "uses what is going away"
        if not self.returncode or (self._judged() and (may_fail or self._only_looked())):
            return None
        return f"ended with {self.returncode}"

    def _judged(self) -> bool:
        """Whether a play came to its end, and failed for nothing but what it has to say there."""
        failed = [event for event in self.events if event["status"] in ("failed", "unreachable")]
        return bool(failed) and all(event["action"].rpartition(".")[2] == "fail" for event in failed)

    def _only_looked(self) -> bool:
        """Whether nothing was written, and nobody was in the way of looking."""
        facts = [event["result"].get("ansible_facts") or {} for event in self.events if "result" in event]
        reported = [fact["offboard_employee_result"] for fact in facts if "offboard_employee_result" in fact]
        return not self.wrote and bool(reported) and {leaver["status"] for leaver in reported[-1]} <= _LOOKED_AT


@dataclass
class Reader:
    """Reads one page, in a folder that is empty at first, with a tenant as on its first day."""

    tenant: Tenant
    folder: Path
    kept: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def read(self, blocks: tuple[Block, ...]) -> list[str]:
        """Do what the page says, and return what is wrong with it."""
        typed = "\n".join(block.text for block in blocks if block.is_shell)
        for block in blocks:
            if block.file:
                place = self.folder / block.file
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(f"{block.text}\n", encoding="utf-8")
        for block in blocks:
            failed = [] if block.not_run else [self._type(block, *command) for command in self._commands(block, typed)]
            if block.fails and not any(failed):
                self._complain(block, block.line, "all of it", "is said to fail, and did not")
        return self.complaints

    def _commands(self, block: Block, elsewhere: str) -> list[tuple[int, str]]:
        """What somebody types who follows a block. A playbook whose name is typed elsewhere is run there."""
        if block.is_shell:
            return _typed(block)
        if not block.plays or (block.file and block.file in elsewhere):
            return []
        name = block.file or f"line-{block.line}.yml"
        (self.folder / name).write_text(f"{block.text}\n", encoding="utf-8")
        return [(block.line, f"ansible-playbook {name}")]

    def _type(self, block: Block, number: int, command: str) -> bool:
        """Type a command, and return whether it failed."""
        words = [word for word in shlex.split(command, comments=True) if not re.match(r"\w+=", word)]
        program = words[0] if words else ""
        if program in _KEPT:
            names = re.findall(r"(\w+)=", command) if program == "export" else []
            if not names or not all(map(_OWN.fullmatch, names)):
                self.kept.append(command)
            return False
        if program == "make":
            # Whether there is such a target; what it does is judged elsewhere.
            command = f"make --dry-run --directory {shlex.quote(str(tree.ROOT))} {shlex.join(words[1:])}"
        elif program not in (*_ANSIBLE, *_HARMLESS):
            self._complain(block, number, command, f"nobody knows how to run {program!r}; mark it: not run: why")
            return False
        self._have_from_before(command)
        first_day = not self.tenant.journal.writes() and not self.kept
        if first_day and command in _seen:
            return _seen[command]
        ran = self._run(command)
        complaint = ran.complaint(may_fail=bool(block.fails))
        if complaint:
            self._complain(block, number, command, f"{complaint}\n{_end(ran.output)}")
        elif first_day and not ran.wrote and not self._names_a_file(command):
            _seen[command] = bool(ran.returncode)
        return bool(ran.returncode)

    def _names_a_file(self, command: str) -> bool:
        """Whether it reads or leaves a file, so that it is another command in another folder."""
        return bool(re.search(r"\.(csv|html|json|xml|ya?ml)\b", command))

    def _complain(self, block: Block, number: int, command: str, complaint: str) -> None:
        self.complaints.append(f"{block.page}:{number}: {command}\n  {complaint}")

    def _have_from_before(self, command: str) -> None:
        for option, name in _FROM_BEFORE.findall(command):
            place = self.folder / name
            if place.exists():
                continue
            if option == "leavers_file":
                place.write_text(_LEAVERS, encoding="utf-8")
                continue
            report = f"-e offboard_employee_report_path={name}"
            if option == "since":
                self._run(f"ansible-playbook m365.offboarding.audit -e leavers_blocked=true {report}")
            else:
                leavers = " ".join(re.findall(r"-e leavers=\S+", command))
                self._run(f"ansible-playbook m365.offboarding.offboard {leavers} {report}")
            assert place.exists(), f"no {name} came of it"

    def _run(self, command: str) -> Ran:
        record = self.folder / ".record.jsonl"
        record.unlink(missing_ok=True)
        writes = len(self.tenant.journal.writes())
        done = subprocess.run(
            ["bash", "-c", "\n".join(("set -euo pipefail", *self.kept, command))],
            cwd=self.folder,
            env=self._environment(record),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
            timeout=240,
        )
        events = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
        return Ran(done.returncode, done.stdout, events, len(self.tenant.journal.writes()) > writes)

    def _environment(self, record: Path) -> dict[str, str]:
        return {
            **self.tenant.environment,
            **tree.ansible(self.folder),
            "ANSIBLE_DEPRECATION_WARNINGS": "true",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_NOCOLOR": "true",
            # Fewer processes for each task. The other tests run without it.
            "ANSIBLE_PIPELINING": "true",
            **callbacks.environment(record),
        }


def _typed(block: Block) -> list[tuple[int, str]]:
    """Each command with its line; one that goes on after a backslash, or within quotes, is one."""
    found: list[tuple[int, str]] = []
    open_ended = False
    for number, line in enumerate(block.text.splitlines(), block.line):
        if open_ended:
            found[-1] = (found[-1][0], f"{found[-1][1]}\n{line}")
        elif line.strip() and not line.lstrip().startswith("#"):
            found.append((number, line.removeprefix("$ ")))
        open_ended = bool(found) and _goes_on(found[-1][1])
    return found


def _goes_on(command: str) -> bool:
    try:
        shlex.split(command, comments=True)
    except ValueError:  # no closing quotation, or nothing after a backslash
        return True
    return command.endswith("\\")


def _end(output: str) -> str:
    """The last lines, a little to the right."""
    return "\n".join(f"    {line}" for line in output.rstrip().splitlines()[-40:])
