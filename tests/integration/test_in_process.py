# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module inside Ansible's worker and as a process of its own: the same results, to the letter, and the same wire."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from simulator import Fault, Tenant

from .support import Played, Player, writes
from .test_leaks import leaks, verbose

pytestmark = pytest.mark.own_way
IN_PLACE = "runs in a child of Ansible's worker"
ORDINARY = "runs as an ordinary module: "
# What no two runs have in common: moments, Microsoft's request ids, tokens' fingerprints, the folders of the runs.
_VARYING = re.compile(
    r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)|(?<=request id )[0-9a-f-]{36}|(?<=\"request_id\": \")[0-9a-f-]{36}"
)
_PLAY = """
- name: Play
  hosts: all
  connection: local
  gather_facts: false
  strategy: {strategy}
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


def playbook(folder: Path, tasks: str, *, strategy: str = "linear") -> str:
    path = folder / f"{time.monotonic_ns()}.yml"
    indented = "\n".join(f"    {line}" for line in tasks.strip().splitlines())
    path.write_text(_PLAY.format(tasks=indented, strategy=strategy))
    return str(path)


def both(play: Player, tmp_path: Path, tasks: str, *arguments: str, **keywords: Any) -> dict[bool, tuple[Played, Any]]:
    """Play these tasks in both ways, each on the first day of the tenant; by whether it was ordinary, and the wire."""
    reported = {}
    for ordinary in (True, False):
        play.ordinary = ordinary
        play.tenant.reset()
        jane = play.tenant.directory.user("jane")
        jane.properties["displayName"] = "Jane {{ 6 * 7 }}"
        played = verbose(play, tmp_path, playbook(tmp_path, tasks), *arguments, **keywords)
        reported[ordinary] = (played, wire(play.tenant))
    return reported


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
    reported = both(play, tmp_path, _TASKS, own_id=tenant.app().client_id, given=GIVEN, wrong=WRONG, warnings=WARNINGS)
    (ordinary, ordinary_wire), (in_place, in_place_wire) = reported[True], reported[False]

    assert ordinary_wire == in_place_wire
    assert differences(plain(ordinary), plain(in_place)) == []
    assert ordinary.returncode == in_place.returncode == 0
    assert ways(ordinary)["in place"] == 0
    assert ways(in_place)["ordinary"] == len(_ALWAYS_ORDINARY)
    assert ways(in_place)["in place"] == ways(ordinary)["ordinary"] - len(_ALWAYS_ORDINARY)
    assert in_place.result("Show it")["msg"] == "Jane {{ 6 * 7 }}"
    assert leaks(in_place, [GIVEN, WRONG, *tenant.issued_secrets()]) == set()


_BLOCK = """
- name: Block
  m365.offboarding.m365_user_signin: {users: jane.doe@contoso.com, state: blocked}
"""


@pytest.mark.parametrize("strategy", ["linear", "free", "host_pinned"])
def test_libraries_are_loaded_once_and_for_all_workers(
    tenant: Tenant, play: Player, tmp_path: Path, strategy: str
) -> None:
    """A library that notes each process that loads it, and warns, is loaded by one process, and its warning is not shown."""
    site = tmp_path / "site"
    site.mkdir()
    # In place of msal, which it then loads.
    (site / "msal").mkdir()
    real = "import importlib.util, os, sys"
    (site / "msal" / "__init__.py").write_text(
        f"{real}\nwith open({str(tmp_path / 'loaded')!r}, 'a') as file:\n    file.write(f'{{os.getpid()}}\\n')\n"
        "import warnings\nwarnings.warn('a warning of the library')\n"
        "sys.path = [path for path in sys.path if path != os.environ['PYTHONPATH']]\n"
        "del sys.modules['msal']\nsys.modules['msal'] = importlib.import_module('msal')\n"
    )
    hosts = {name: {} for name in ("one", "two", "three")}

    played = play(
        playbook(tmp_path, _BLOCK + _BLOCK.replace("Block", "Block again"), strategy=strategy),
        "-vvv",
        hosts=hosts,
        environment={"PYTHONPATH": str(site)},
    )

    assert played.returncode == 0
    assert ways(played) == {"in place": 6, "ordinary": 0}
    assert len((tmp_path / "loaded").read_text().split()) == 1
    assert "a warning of the library" not in played.output


@pytest.mark.parametrize(
    ("keywords", "why"),
    [
        ("  async: 60\n  poll: 1\n", "async is set"),
        ("  environment: {A: b}\n", "environment is set"),
        ("  vars: {ansible_python_interpreter: auto_silent}\n", "its interpreter is not"),
        ("  become: true\n  become_method: own\n", "become is set"),
    ],
)
def test_what_is_unusual_is_done_by_an_ordinary_module(
    tenant: Tenant, play: Player, tmp_path: Path, keywords: str, why: str
) -> None:
    become = tmp_path / "become"
    become.mkdir()
    # A way to become somebody that needs no root: nobody else.
    (become / "own.py").write_text(
        "from ansible.plugins.become import BecomeBase\n"
        "DOCUMENTATION = 'name: own\\nshort_description: x\\noptions:\\n  become_user: {description: x, vars: [{name: bu}]}"
        "\\n  become_exe: {description: x, vars: [{name: be}]}\\n  become_flags: {description: x, vars: [{name: bf}]}"
        "\\n  become_pass: {description: x, vars: [{name: bp}]}\\n'\n"
        "class BecomeModule(BecomeBase):\n    name = 'own'\n"
        "    def build_become_command(self, cmd, shell):\n        return cmd\n"
    )
    played = play(
        playbook(tmp_path, _BLOCK.rstrip("\n") + "\n" + keywords),
        "-vvv",
        environment={"ANSIBLE_BECOME_PLUGINS": str(become), "ANSIBLE_ASYNC_DIR": str(tmp_path / "async")},
    )

    assert ways(played)["in place"] == 0
    assert f"{ORDINARY}{why}" in " ".join(played.stdout.split())
    if "interpreter" not in keywords:  # the one that is discovered need not have the libraries
        assert played.returncode == 0
        assert writes(tenant) == [("jane", "signin")]


def test_a_delegated_task_goes_by_the_host_that_it_is_delegated_to(
    tenant: Tenant, play: Player, tmp_path: Path
) -> None:
    tasks = _BLOCK + "  delegate_to: other\n"
    hosts = {"one": {}, "other": {"ansible_connection": "local"}}

    played = play(playbook(tmp_path, tasks), "-vvv", "--limit", "one", hosts=hosts)

    assert ways(played) == {"in place": 1, "ordinary": 0}
    assert writes(tenant) == [("jane", "signin")]


def test_ad_hoc(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    """The only task of a run without a playbook."""
    environment = play._environment(tmp_path, "offboarding")
    environment = {name: value for name, value in environment.items() if not name.startswith("ANSIBLE_CALLBACK")}
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "ansible", "adhoc", "-vvv", "localhost"),
            *("-m", "m365.offboarding.m365_user_signin", "-a", "users=jane.doe@contoso.com state=blocked"),
        ],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert IN_PLACE in " ".join(ran.stdout.split())
    assert writes(tenant) == [("jane", "signin")]


def test_a_task_that_takes_longer_than_its_timeout_writes_nothing_afterwards(
    tenant: Tenant, play: Player, tmp_path: Path
) -> None:
    tenant.faults.add(Fault(listener="graph", method="GET", delay=4, nth=1))

    played = play(playbook(tmp_path, _BLOCK + "  timeout: 2\n  ignore_errors: true\n"), "-vvv")
    time.sleep(5)

    assert ways(played)["in place"] == 1
    assert played.failed("Block")
    assert writes(tenant) == []


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("whole_group", [True, False])
def test_a_signal_during_a_write_ends_the_run_and_nothing_is_written_after_it(
    tenant: Tenant, play: Player, tmp_path: Path, sign: signal.Signals, whole_group: bool
) -> None:
    """Ctrl-C reaches the foreground group, `kill` only ansible-playbook."""
    # A shell starts its background jobs with SIGINT ignored, and what they start inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    slow = tenant.faults.add(Fault(writes=True, delay=5, nth=(1, 9)))
    tasks = _BLOCK + "\n- name: Reset\n  m365.offboarding.m365_user_password: {users: jane.doe@contoso.com}\n"
    with subprocess.Popen(
        [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", playbook(tmp_path, tasks)],
        cwd=tmp_path,
        env=play._environment(tmp_path, "offboarding"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as run:
        deadline = time.monotonic() + 60
        while not slow.struck:
            assert time.monotonic() < deadline, "no write was begun"
            time.sleep(0.05)
        (os.killpg if whole_group else os.kill)(run.pid, sign)
        run.wait(timeout=60)
    time.sleep(6)

    assert run.returncode != 0
    # The write that was on its way when the signal came may have arrived; no other may.
    assert writes(tenant) in ([], [("jane", "signin")])


def test_a_child_that_crashes_costs_one_task_and_not_the_run(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    # In place of msal: it ends the process that asks for a token.
    (site / "msal.py").write_text(
        "import os, signal\ndef ConfidentialClientApplication(*args, **kwargs):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    tasks = _BLOCK + "  ignore_errors: true\n\n- name: Go on\n  ansible.builtin.debug: {msg: still here}\n"

    played = play(playbook(tmp_path, tasks), "-vvv", environment={"PYTHONPATH": str(site)})

    assert played.returncode == 0
    assert ways(played) == {"in place": 1, "ordinary": 0}
    result = played.result("Block")
    assert played.failed("Block")
    assert (result["error"]["code"], result["users"]) == ("crashed", [])
    assert "ended with signal 9 before it gave a result" in result["msg"]
    assert "run again; the next run reads before it writes" in result["msg"]
    assert played.result("Go on")["msg"] == "still here"
    assert len(tenant.journal) == 0
