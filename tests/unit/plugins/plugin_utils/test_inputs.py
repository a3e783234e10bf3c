# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables that the roles and playbooks refuse."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.plugin_utils._inputs import ROLES, Refused, refused


def complaints(role, playbook=None, *, extra=(), seen=(), begun=()):
    return refused(role, playbook, extra=dict.fromkeys(extra, 1), repeated=(), seen=[*extra, *seen], begun=begun)


@pytest.mark.parametrize(
    ("reasons", "message"),
    [
        ("It is wrong.", "It is wrong. Nothing was sent."),
        ("did you mean leavers?", "did you mean leavers? Nothing was sent."),
        ("it lacks reason", "it lacks reason. Nothing was sent."),
        ("It is unclear; nothing was sent. Give another.", "It is unclear; nothing was sent. Give another."),
    ],
)
def test_a_refusal_says_once_that_nothing_was_sent_unless_something_was(reasons, message):
    assert str(Refused(reasons)) == message
    assert str(Refused(reasons, has_sent=True)) == reasons


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("before", ROLES)
def test_what_a_role_has_left_does_not_stop_the_next(role, before):
    left = [f"__{before}_is_begun", f"__{before}_plan", f"{before}_result"]

    assert complaints(role, seen=left, begun=[before]) == []
    assert len(complaints(role, seen=left)) == 2
    assert len(complaints(role, extra=left, begun=[before])) == 3


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("dry_run", "the option --check"),
        ("check_mode", "the option --check"),
        ("limit", "the option --limit"),
        ("protected_users", "the environment variable M365_PROTECTED_USERS"),
        ("offboard_employee_protected_users", "the environment variable M365_PROTECTED_USERS"),
        ("m365_protected_users", "the environment variable M365_PROTECTED_USERS"),
        ("max_user", "offboard_employee_max_users"),
        ("allow_admin", "offboard_employee_allow_admins"),
        ("offboard_leavers", "leavers"),
        ("offboard_max_users", "offboard_employee_max_users"),
        ("upn", "leavers"),
        ("end_date", "left_at"),
        ("hosts", "target_hosts"),
    ],
)
def test_an_unknown_variable_is_refused_with_a_suggestion(name, suggested):
    (sentence,) = complaints("offboard_employee", "offboard", extra=[name])

    assert sentence == f"The variable {name} is not known, and would be ignored; did you mean {suggested}?"


def test_a_variable_of_another_playbook_is_not_taken():
    assert complaints("offboard_employee", "offboard", extra=["evidence"]) == [
        "The playbook offboard does not take evidence."
    ]
    assert complaints("restore_employee", "restore", extra=["since"]) == ["The playbook restore does not take since."]
    assert complaints("offboard_employee", "offboard", seen=["evidence", "hosts", "limit", "protected_users"]) == []


@pytest.mark.parametrize("name", ["reason", "ticket", "awx_job_id", "evidence_folder", "offboarding_job", "name"])
def test_variables_of_others_pass(name):
    assert complaints("offboard_employee", "offboard", extra=[name]) == []
    assert complaints("restore_employee", "restore", extra=[name]) == []


@pytest.mark.parametrize("playbook", ["offboard", "audit", "restore"])
@pytest.mark.parametrize("name", ["m365_offboarding", "m365_offboarding_17", "m365_restoration", "m365_restoration_17"])
def test_what_an_earlier_node_of_a_workflow_hands_on_is_not_a_slip(playbook, name):
    role = "restore_employee" if playbook == "restore" else "offboard_employee"

    assert complaints(role, playbook, extra=[name]) == []
    assert complaints(role, playbook, extra=[f"{name}x"]) != []
