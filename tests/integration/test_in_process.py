# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module inside Ansible's worker and as a process of its own: the same results, to the letter, and the same wire."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from simulator import Fault, Tenant

from .support import Played, Player, writes
from .test_leaks import leaks, verbose

IN_PLACE = "runs in a child of Ansible's worker"
ORDINARY = "runs as an ordinary module: "
# What no two runs have in common: moments, Microsoft's request ids, tokens' fingerprints, the folders of the runs.
_VARYING = re.compile(
    r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)|(?<=request id )[0-9a-f-]{36}|(?<=\"request_id\": \")[0-9a-f-]{36}"
)
# "environment" is what makes them ordinary modules here; no module reads the variable.
_PLAY = """
- name: Play
  hosts: all
  connection: local
  gather_facts: false
  strategy: {strategy}
  environment: {environment}
  vars:
    ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"
  module_defaults:
    group/m365.offboarding.m365:
      verify_timeout: 5
  tasks:
{tasks}
"""
_TASKS = """
- name: Look
  m365.offboarding.m365_user_info:
    users: [jane.doe@contoso.com, {user: "john.roe@contoso.com", left_at: 2026-01-02T03:04:05+00:00}]
    directory_roles: true
- name: Look by the alias
  m365.offboarding.m365_user_info:
    user: jane.doe@contoso.com
    steps: signin
- name: Check by the keyword
  m365.offboarding.m365_user_signin: {users: jane.doe@contoso.com, state: blocked}
  check_mode: true
  diff: true
- name: Reset, given
  m365.offboarding.m365_user_password: {users: jane.doe@contoso.com, password: "{{ given }}"}
  diff: true
- name: Sign out
  m365.offboarding.m365_user_sessions: {users: [jane.doe@contoso.com, maria.rossi@contoso.com]}
- name: Block each
  m365.offboarding.m365_user_signin: {users: "{{ item }}", state: blocked}
  loop: [jane.doe@contoso.com, maria.rossi@contoso.com]
  diff: true
- name: Shut the mailbox
  m365.offboarding.exo_mailbox_protocols: {users: jane.doe@contoso.com, state: disabled}
  diff: true
- name: Again
  m365.offboarding.exo_mailbox_protocols: {users: jane.doe@contoso.com, state: disabled}
- name: Restore somebody who is not deleted
  m365.offboarding.m365_deleted_user: {users: jane.doe@contoso.com, state: restored}
  ignore_errors: true
- name: Somebody who is unknown
  m365.offboarding.m365_user_signin: {users: [nobody@contoso.com, john.roe@contoso.com], state: blocked}
  ignore_errors: true
- name: Options that contradict each other
  m365.offboarding.exo_mailbox_protocols: {users: jane.doe@contoso.com, state: disabled, inherit_smtp_auth: true}
  ignore_errors: true
- name: Nobody
  m365.offboarding.m365_user_info: {users: []}
  ignore_errors: true
- name: Refused by the validator
  m365.offboarding.m365_user_signin: {users: jane.doe@contoso.com, state: gone}
  ignore_errors: true
- name: An option that is unknown
  m365.offboarding.m365_user_signin: {users: jane.doe@contoso.com, state: blocked, colour: red}
  ignore_errors: true
- name: Given twice
  m365.offboarding.m365_user_info: {users: jane.doe@contoso.com, user: john.roe@contoso.com}
- name: Asked until it is so
  m365.offboarding.m365_user_info: {users: maria.rossi@contoso.com, steps: [signin]}
  register: asked
  until: asked.attempts is defined and asked.attempts > 1
  retries: 2
  delay: 0
- name: Failed by its condition
  m365.offboarding.m365_user_info: {users: maria.rossi@contoso.com, steps: [signin]}
  register: seen
  failed_when: seen.users | length == 1
  ignore_errors: true
- name: Not failed by its condition
  m365.offboarding.m365_user_signin: {users: nobody@contoso.com, state: blocked}
  failed_when: false
- name: Protected entries that are unknown
  m365.offboarding.m365_user_info:
    users: maria.rossi@contoso.com
    protected_users: [nobody@contoso.com]
- name: A credential that is refused
  m365.offboarding.m365_user_info: {users: maria.rossi@contoso.com, client_secret: "{{ wrong }}", client_id: "{{ own_id }}"}
  ignore_errors: true
- name: Named by what is also a secret
  m365.offboarding.m365_user_info: {users: maria.rossi@contoso.com, steps: [signin], certificate_password: rossi}
  ignore_errors: true
- name: A template in a name
  m365.offboarding.m365_user_info: {users: jane.doe@contoso.com, steps: [signin]}
  register: templated_user
- name: Show it
  ansible.builtin.debug:
    msg: "{{ templated_user.users[0].display_name }}"
- name: Silent
  m365.offboarding.m365_user_signin: {users: nobody@contoso.com, state: blocked}
  no_log: true
  ignore_errors: true
"""
WARNINGS = ["Both option users and its alias user are set.", "protected_users: nobody@contoso.com"]
GIVEN, WRONG = "Kolibri-7&Kaktus", "wrong-Secret-1"
# Those that the validator refuses, or that have a warning to give, are ordinary.
_ALWAYS_ORDINARY = {"Refused by the validator", "An option that is unknown", "Given twice"}


def playbook(folder: Path, tasks: str, *, ordinary: bool, strategy: str = "linear") -> str:
    path = folder / f"{'ordinary' if ordinary else 'in_place'}-{time.monotonic_ns()}.yml"
    indented = "\n".join(f"    {line}" for line in tasks.strip().splitlines())
    environment = '{NOBODY_READS: "1"}' if ordinary else "{}"
    path.write_text(_PLAY.format(tasks=indented, environment=environment, strategy=strategy))
    return str(path)


def both(play: Player, tmp_path: Path, tasks: str, *arguments: str, **keywords: Any) -> dict[bool, tuple[Played, Any]]:
    """Play these tasks in both ways, each on the first day of the tenant; by whether it was ordinary, and the wire."""
    told = {}
    for ordinary in (True, False):
        play.tenant.reset()
        jane = play.tenant.directory.user("jane")
        jane.properties["displayName"] = "Jane {{ 6 * 7 }}"
        played = verbose(play, tmp_path, playbook(tmp_path, tasks, ordinary=ordinary), *arguments, **keywords)
        told[ordinary] = (played, wire(play.tenant))
    return told


def wire(tenant: Tenant) -> list[tuple[Any, ...]]:
    # Two questions in flight at once may arrive in either order.
    return sorted(
        (entry.listener, entry.method, entry.path, entry.query, str(entry.cmdlet), entry.status, entry.applied)
        for entry in tenant.journal
    )


def plain(played: Played) -> list[dict[str, Any]]:
    """The results as the callback gets them, without what no two runs have in common."""
    text = json.dumps([event for event in played.events if "result" in event])
    text = text.replace(played.folder.name, "run")
    return json.loads(_VARYING.sub("varies", text))


def ways(played: Played) -> dict[str, int]:
    flat = " ".join(played.stdout.split())
    return {"in place": flat.count(IN_PLACE), "ordinary": flat.count(ORDINARY)}


def differences(ordinary: list[dict[str, Any]], in_place: list[dict[str, Any]]) -> list[Any]:
    # ansible-core 2.19 and 2.20 keep what failed_when has overruled, but only of ordinary modules.
    for event in (*ordinary, *in_place):
        event["result"].pop("failed_when_suppressed_exception", None)
        event["result"].pop("_ansible_parsed", None)  # that what a process wrote could be read: for async alone
        for item in event["result"].get("results", ()):
            item.pop("_ansible_parsed", None)
    assert len(ordinary) == len(in_place)
    return [(one, other) for one, other in zip(ordinary, in_place, strict=True) if one != other]


def test_both_ways_give_the_same_results_and_send_the_same(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    told = both(
        play,
        tmp_path,
        _TASKS,
        own_id=tenant.app().client_id,
        given=GIVEN,
        wrong=WRONG,
        warnings=WARNINGS,
    )
    (ordinary, ordinary_wire), (in_place, in_place_wire) = told[True], told[False]

    assert ordinary_wire == in_place_wire
    assert differences(plain(ordinary), plain(in_place)) == []
    assert ordinary.returncode == in_place.returncode == 0
    assert ways(ordinary)["in place"] == 0
    assert ways(in_place)["ordinary"] == len(_ALWAYS_ORDINARY)
    assert ways(in_place)["in place"] == ways(ordinary)["ordinary"] - len(_ALWAYS_ORDINARY)
    assert in_place.result("Show it")["msg"] == "Jane {{ 6 * 7 }}"
    assert leaks(in_place, [GIVEN, WRONG, *tenant.issued_secrets()]) == set()
