# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables that the roles and playbooks refuse."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils._inputs import ROLES, refused


def complaints(role, playbook=None, *, extra=(), seen=(), begun=()):
    return refused(role, playbook, extra=dict.fromkeys(extra, 1), repeated=(), seen=[*extra, *seen], begun=begun)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("before", ROLES)
def test_what_a_role_has_left_does_not_stop_the_next(role, before):
    left = [f"__{before}_is_begun", f"__{before}_plan", f"{before}_result"]

    assert complaints(role, seen=left, begun=[before]) == []
    assert len(complaints(role, seen=left)) == 2
    assert len(complaints(role, extra=left, begun=[before])) == 3


@pytest.mark.parametrize("playbook", ["offboard", "audit", "restore"])
@pytest.mark.parametrize("name", ["m365_offboarding", "m365_offboarding_17", "m365_restoration", "m365_restoration_17"])
def test_what_an_earlier_node_of_a_workflow_hands_on_is_no_slip(playbook, name):
    role = "restore_employee" if playbook == "restore" else "offboard_employee"

    assert complaints(role, playbook, extra=[name]) == []
    assert complaints(role, playbook, extra=[f"{name}x"]) != []
