# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What outlives the block, closed and made again against the simulator: check, read, do, read, again, and every fault."""

from __future__ import annotations

import copy
import typing as t
from collections.abc import Iterator

import pytest

from simulator.directory import User

from .world import World, world

JANE, JOHN, MARIA = "jane.doe@contoso.com", "john.roe@contoso.com", "maria.rossi@contoso.com"
STEPS = ("devices", "consents", "authentication_methods", "memberships")
UNDONE = ("devices", "consents", "memberships")
# Step -> topic of the audit, how many objects `furnish` gives each person that can be closed, and the kinds.
TOPICS = {
    "devices": ("devices", 2),
    "consents": ("consents", 3),
    "authentication_methods": ("sign_in_methods", 4),
    "memberships": ("memberships", 2),
}


def furnish(w: World, *names: str) -> list[User]:
    """Give each of them something of everything that can be closed."""
    directory = w.tenant.directory
    for key, more in {"finance": {}, "sales": {"mail": "sales@contoso.com", "group_types": ["Unified"]}}.items():
        if key not in [group.key for group in directory.groups.values()]:
            directory.add_group(key, key.title(), **t.cast("t.Any", more))
    people = [directory.user(name) for name in names]
    for user in people:
        user.residual.change(
            {
                "devices": [{"displayName": "Laptop"}, {"displayName": "Desktop"}, {"accountEnabled": False}],
                "grants": [
                    {"client": "survey-tool", "scope": " User.Read openid"},
                    {"client": "mail-sync", "scope": "Mail.ReadWrite"},
                ],
                "app_roles": [{"resource": "mail-sync"}, {"resource": "survey-tool", "principalId": "of a group"}],
                "methods": [
                    {"kind": "microsoftAuthenticator", "default": True},
                    {"kind": "phone"},
                    {"kind": "fido2"},
                    {"kind": "temporaryAccessPass"},
                ],
            }
        )
        user.groups |= {directory.group(key).id for key in ("finance", "sales")}
    return people


def held(user: User) -> dict[str, t.Any]:
    """What the tenant itself knows, without the ids, which are others when something is made again."""
    facts = user.residual
    return copy.deepcopy(
        {
            "devices": [(one.get("displayName"), one.get("accountEnabled", True)) for one in facts.devices],
            "consents": sorted(
                [one["scope"] for one in facts.grants] + [one.get("principalId", "own") for one in facts.app_roles]
            ),
            "authentication_methods": sorted(one["kind"] for one in facts.methods),
            "memberships": (sorted(user.groups), sorted(user.roles)),
        }
    )


def found(w: World, step: str, name: str) -> list[t.Any]:
    """What an audit reports of the topic that a step closes."""
    topic = TOPICS[step][0]
    readings = w.readings("auditor-residual")
    from ansible_collections.m365.offboarding.plugins.module_utils._asked import parse_users
    from ansible_collections.m365.offboarding.plugins.module_utils._residual import survey

    (told,) = survey(readings, readings.resolve(parse_users([name])), [topic])
    assert told[topic]["state"] in ("found", "none"), told
    return list(told[topic]["found"])


@pytest.fixture
def w() -> Iterator[World]:
    with world() as made:
        yield made


def writes(w: World) -> int:
    return len(w.tenant.journal.writes())


@pytest.mark.parametrize("step", STEPS)
def test_check_read_do_read_again(w: World, step: str) -> None:
    (jane,) = furnish(w, JANE)
    before, count = held(jane), TOPICS[step][1]
    assert len(found(w, step, JANE)) == count

    (planned,) = w.close(step, [JANE], check_mode=True)
    assert (planned["status"], planned["changed"], len(planned["objects"])) == ("planned", True, count)
    assert writes(w) == 0
    assert held(jane) == before

    (done,) = w.close(step, [JANE])
    assert done["status"] == "verified", done
    assert {one["status"] for one in done["objects"]} == {"verified"}
    assert done["before"] == planned["before"]
    assert done["after"] == planned["after"]
    assert {one["key"]: one["after"] for one in done["objects"]} == done["after"]
    assert {name for name, now in held(jane).items() if now != before[name]} == {step}
    assert writes(w) == count + (1 if step == "authentication_methods" else 0), "the default method is tried twice"
    assert found(w, step, JANE) == []

    (again,) = w.close(step, [JANE])
    assert (again["status"], again["changed"], again["before"], again["objects"]) == ("unchanged", False, {}, [])
    assert writes(w) == count + (1 if step == "authentication_methods" else 0)


@pytest.mark.parametrize("step", UNDONE)
def test_what_was_closed_is_made_again_as_it_was(w: World, step: str) -> None:
    people = furnish(w, JANE, JOHN)
    before = [held(user) for user in people]
    closed = w.close(step, [JANE, JOHN])
    sent = writes(w)
    wanted = {one["id"]: one["objects"] for one in closed}

    planned = w.close(step, [JANE, JOHN], wanted, check_mode=True)
    assert [one["status"] for one in planned] == ["planned", "planned"]
    assert writes(w) == sent

    made = w.close(step, [JANE, JOHN], wanted)
    assert [one["status"] for one in made] == ["verified", "verified"], made
    assert [held(user) for user in people] == before
    assert writes(w) == 2 * sent

    again = w.close(step, [JANE, JOHN], wanted)
    assert [one["status"] for one in again] == ["unchanged", "unchanged"]
    assert writes(w) == 2 * sent
