# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules that change several objects of a user: what they read, and what they send for one object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .people import Person
from .residual import (
    PASSWORD,
    Facts,
    app_roles,
    consents,
    device,
    devices,
    domains,
    exchange_rule,
    exchange_rules,
    group,
    mailbox_of,
    memberships,
    method,
    methods,
    recipient,
)
from .wire import GRAPH, Reply, Turn

# What reading needs, and nothing that writing needs.
READING = (
    "User.Read.All",
    "Device.Read.All",
    "Directory.Read.All",
    "GroupMember.Read.All",
    "UserAuthenticationMethod.Read.All",
)
CLIENT, RESOURCE = "c0000000-0000-4000-8000-00000000000c", "b0000000-0000-4000-8000-00000000000b"

# By module, what it reads of a user who has these objects: a tuple is one request.
READS: dict[str, Callable[..., list[tuple[Turn, ...]]]] = {
    "m365_user_devices": lambda user, *found: [devices(user, *found)],
    "m365_user_memberships": lambda user, *found: [(memberships(user, *found),)],
    "m365_user_authentication_methods": lambda user, *found: [(methods(user, PASSWORD, *found),)],
    # Without consents, whose clients would be asked for by name.
    "m365_user_consents": lambda user, *found: [(consents(user),), (app_roles(user, *found),)],
    # What it writes goes to Exchange, so `OWN` leaves it out.
    "exo_mailbox_forwarding": lambda user, *found: [
        (recipient(user, mailbox_of(user)),),
        (exchange_rules(user, *found),),
        (domains("contoso.com"),),
    ],
}
OWN = {
    # Its phones have a file of their own.
    "m365_user_devices": {"state": "disabled", "phones": False},
    "m365_user_memberships": {"state": "absent"},
    "m365_user_authentication_methods": {"state": "absent"},
    "m365_user_consents": {"state": "absent"},
}


def assignment(user: Person, number: int = 1, **facts: Any) -> Facts:
    """Return an app role assignment of the user."""
    return {
        "id": f"assignment-{number}",
        "principalId": user["id"],
        "resourceId": RESOURCE,
        "resourceDisplayName": f"Payroll {number}",
        "appRoleId": f"role-{number}",
        **facts,
    }


def an_object(module: str, user: Person, number: int = 1) -> Facts:
    """Return an object that the module closes."""
    made: dict[str, Callable[[], Facts]] = {
        "m365_user_devices": lambda: device(f"LAPTOP-{number}", id=f"device-{number}"),
        "m365_user_memberships": lambda: group(f"Group {number}", id=f"group-{number}"),
        "m365_user_authentication_methods": lambda: method("fido2", id=f"method-{number}", displayName=f"Key {number}"),
        "m365_user_consents": lambda: assignment(user, number),
        "exo_mailbox_forwarding": lambda: exchange_rule(f"Rule {number}", number, RedirectTo=["x@home.example"]),
    }
    return made[module]()


def closing(module: str, user: Person, number: int = 1) -> Turn:
    """Return the write that closes it."""
    paths = {
        "m365_user_memberships": f"/v1.0/groups/group-{number}/members/{user['id']}/$ref",
        "m365_user_authentication_methods": f"/v1.0/users/{user['id']}/authentication/fido2Methods/method-{number}",
        "m365_user_consents": f"/v1.0/users/{user['id']}/appRoleAssignments/assignment-{number}",
    }
    if module == "m365_user_devices":
        path = f"/v1.0/devices/device-{number}"
        return Turn("PATCH", GRAPH, path, body={"accountEnabled": False}, reply=Reply(204))
    return Turn("DELETE", GRAPH, paths[module], reply=Reply(204))


def expect(lab: Any, *turns: Turn | tuple[Turn, ...]) -> None:
    """Let these requests come one after the other; a tuple is one request."""
    for turn in turns:
        lab.wire.expect(*(turn if isinstance(turn, tuple) else (turn,)))
