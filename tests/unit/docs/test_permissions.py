# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of permissions says of each module and topic what the plugins say, and names no other permission than they do."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils._objects import ObjectsStep
from ansible_collections.m365.offboarding.plugins.module_utils._steps import Step
from ansible_collections.m365.offboarding.plugins.module_utils._topics import TOPICS
from tools import guides
from tools.guides import tables

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
# As Microsoft names them: a resource, a verb, and whose.
_PERMISSION = re.compile(
    r"\b[A-Z][A-Za-z]+(?:-[A-Z][A-Za-z]+)?"
    r"\.(?:Read|ReadBasic|ReadWrite|EnableDisableAccount|RevokeSessions|DeleteRestore|ManageAsApp|AccessAsUser)(?:\.[A-Z][A-Za-z]+)*\b"
)
_GUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


def permissions(text: str) -> set[str]:
    return set(_PERMISSION.findall(text))


def of_step(name: str) -> type[Step] | None:
    """Return the step of a module, if it writes."""
    module = importlib.import_module(f"ansible_collections.m365.offboarding.plugins.modules.{name}")
    steps = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Step) and not inspect.isabstract(one)
    ]
    assert len(steps) <= 1
    return steps[0] if steps else None


NEEDS, IDS = tables("permissions")[:2]
STEPS = {name: step for name, step in ((name, of_step(name)) for name in MODULES) if step}


@pytest.mark.parametrize("name", STEPS)
def test_writing(name: str):
    rows = [row for row in NEEDS if row[0] == f"``{name}``" and row[1] == "write"]

    step = STEPS[name]
    kinds = step.permissions.values() if issubclass(step, ObjectsStep) else ()
    least = {step.permission, *(permission for permission, _sufficient in kinds)}
    sufficient = step.sufficient.union(*(sufficient for _permission, sufficient in kinds))
    assert [permissions(row[2]) for row in rows] == [least]
    assert permissions(rows[0][3]) == sufficient - least


@pytest.mark.parametrize("topic", TOPICS)
def test_residual_access(topic: str):
    rows = [row for row in NEEDS if row[1] == f"residual ``{topic}``"]
    needed = {question.permission for question in TOPICS[topic]}
    instead = set().union(*(question.sufficient for question in TOPICS[topic])) - needed

    assert [(permissions(row[2]), permissions(row[3])) for row in rows] == [(needed, instead)]


def test_the_table_names_what_the_plugins_name_and_nothing_else():
    reported = permissions(" ".join(cell for row in NEEDS for cell in row))
    named: set[str] = set()
    for path in (ROOT / "plugins").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named |= permissions(node.value)

    assert reported == named


def test_no_row_is_about_a_module_or_topic_that_is_not_there():
    reported = [re.findall(r"``(\w+)``", row[0]) for row in NEEDS if row[0] != "every module"]
    topics = [found[1] for row in NEEDS if (found := re.match(r"residual ``(\w+)``", row[1]))]

    assert {name for names in reported for name in names} <= set(MODULES)
    assert sorted(topics) == sorted(TOPICS)


def test_every_permission_that_is_the_least_has_its_id():
    least = permissions(" ".join(row[2] for row in NEEDS))

    assert {row[0].strip("`") for row in IDS} == least
    assert all(_GUID.fullmatch(row[1].strip("`")) for row in IDS)


def test_the_quickstart_names_permissions_by_these_ids():
    """Its Azure CLI commands give ids alone; the comment above them says which permissions they are."""
    ids = {row[0].strip("`"): row[1].strip("`") for row in IDS}
    blocks = re.findall(r"# (.+)\n((?: .*\\\n)+ .*=Role\n)", guides.text("quickstart"))

    assert len(blocks) == 3
    for names, commands in blocks:
        assert re.findall(r"(\S+)=Role", commands) == [ids[name] for name in names.split(", ")]


def test_the_quickstart_grants_what_the_steps_need_and_to_the_audit_only_what_reading_needs():
    table = {row[0]: permissions(row[1]) for row in tables("quickstart")[0]}
    reading = {
        row[2] for row in NEEDS if row[1] in ("read users and whether they hold a directory role", "read mailboxes")
    }

    assert table["*Offboarding (audit)*"] == permissions(" ".join(reading))
    lockout = {"m365_user_password", "m365_user_sessions", "m365_user_signin", "exo_mailbox_protocols"}
    offboarding = {step.permission for name, step in STEPS.items() if name in lockout}
    assert table["*Offboarding (lockout)*"] == table["*Offboarding (audit)*"] | offboarding


def test_every_way_of_the_quickstart_grants_the_same():
    page = guides.text("quickstart")
    table = [permissions(row[1]) for row in tables("quickstart")[0]]
    powershell = [permissions(found) for found in re.findall(r"-Permissions ((?:'[^']+',?\s+)+)", page)]

    assert powershell == table
