# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which way a module runs, what its child gives back, and that the child never outlives what it is for."""

from __future__ import annotations

import contextlib
import copy
import datetime
import importlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from unittest import mock

import pytest
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.loader import action_loader

from ansible_collections.m365.offboarding.plugins.module_utils import _run
from ansible_collections.m365.offboarding.plugins.module_utils._errors import OUTCOME_UNKNOWN, OffboardingError
from ansible_collections.m365.offboarding.plugins.modules.m365_user_signin import JOB
from ansible_collections.m365.offboarding.plugins.plugin_utils import _in_process
from ansible_collections.m365.offboarding.plugins.plugin_utils._in_process import in_child
from fakes.running import VARIABLES, action_for

OPTIONS = {"users": ["jane.doe@contoso.com"], "state": "blocked"}
RESULT = {"changed": True, "msg": "done"}


class Elsewhere:
    """A connection plugin that only has the name of the local one."""

    transport = "local"
    become = None


@pytest.fixture(autouse=True)
def ways(monkeypatch):
    """Note which way is taken, and do nothing in either."""
    taken = []

    def note(way, result):
        taken.append(way)
        return dict(result)

    monkeypatch.setattr(_in_process, "in_child", lambda *_args: note("in place", RESULT))
    monkeypatch.setattr(_in_process.InProcess, "_run_ordinary", lambda *_args: note("ordinary", RESULT))
    said = mock.Mock()
    monkeypatch.setattr(_in_process, "Display", lambda: said)
    monkeypatch.setattr(_in_process, "perform", lambda *args, **kwargs: pytest.fail("something is done in the worker"))
    return taken, said.vvv


def way(ways, options=None, variables=None, **changes):
    """Which way a task goes, and what `-vvv` says of it."""
    action = action_for("m365_user_signin", dict(OPTIONS if options is None else options))
    for place, value in changes.items():
        owner = {"connection": action._connection, "play": action._play_context}.get(place.partition("_")[0])
        setattr(owner or action._task, place.partition("_")[2] if owner else place, value)
    action.run(task_vars=VARIABLES if variables is None else variables)
    taken, said = ways
    (call,) = said.call_args_list
    return taken, call.args[0]


def test_a_usual_task_runs_in_place(ways):
    assert way(ways) == (
        ["in place"],
        "m365.offboarding.m365_user_signin runs in a child of Ansible's worker: nothing requires a separate process",
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"connection_become": object()}, "become is set"),
        ({"play_become": True}, "become is set"),
        ({"async_val": 30}, "async is set"),
        ({"environment": [{"HTTPS_PROXY": "http://proxy:3128"}]}, "environment is set"),
        ({"environment": ["{{ env }}"]}, "environment is set"),
        ({"variables": {}}, "its interpreter is not"),
        ({"variables": {"ansible_python_interpreter": "auto_silent"}}, "its interpreter is not"),
        ({"variables": {"ansible_python_interpreter": "python3"}}, "its interpreter is not"),
        ({"variables": {"ansible_python_interpreter": "/usr/bin/python0"}}, "its interpreter is not"),
        ({"options": {**OPTIONS, "state": "gone"}}, "its options are not valid"),
        ({"options": {"state": "blocked"}}, "its options are not valid"),
        ({"options": {**OPTIONS, "colour": "red"}}, "its options are not valid"),
        ({"options": {**OPTIONS, "timeout": "soon"}}, "its options are not valid"),
        ({"options": {**OPTIONS, "user": "john.roe@contoso.com"}}, "its options cause a warning"),
        ({"options": {**OPTIONS, "users": [object()]}}, "an option holds a object"),
        ({"options": {**OPTIONS, "users": {"jane"}}}, "an option holds a set"),
        # The delegated host has no variables: a fault while deciding.
        ({"delegate_to": "elsewhere"}, "KeyError while deciding"),
    ],
)
def test_whatever_is_unusual_is_run_as_an_ordinary_module(ways, changes, why):
    taken, said = way(ways, **changes)

    assert taken == ["ordinary"]
    assert said.startswith(f"m365.offboarding.m365_user_signin runs as an ordinary module: {why}")


def test_a_connection_that_only_has_the_name_of_the_local_one_is_another(ways):
    action = action_for("m365_user_signin", OPTIONS)
    action._connection = Elsewhere()

    action.run(task_vars=VARIABLES)

    assert ways[0] == ["ordinary"]


def test_an_own_action_plugin_for_ordinary_modules_is_used(ways, monkeypatch):
    monkeypatch.setattr(action_loader, "find_plugin", lambda name: f"/own/{name}.py")

    assert way(ways)[0] == ["ordinary"]


_PLUGINS = """
import sys
sys.path.insert(0, sys.argv[1])
from ansible.plugins import loader
getattr(loader, "init_plugin_loader", lambda: None)()
from ansible_collections.m365.offboarding.plugins.action.m365_user_info import ActionModule
for plugins, name in ((loader.action_loader, "normal"), (loader.connection_loader, "local")):
    plugins.add_directory(sys.argv[2])
    print(plugins.get(name, class_only=True).OWN)
"""


def test_action_plugins_leave_the_way_to_own_plugins_open(tmp_path):
    """What a plugin imports by its full name, the loader takes for what it would have found."""
    for name, package, base, own in (
        ("normal", "action", "ActionBase", "ActionModule"),
        ("local", "connection", "ConnectionBase", "Connection"),
    ):
        text = f"from ansible.plugins.{package} import {base}\nclass {own}({base}):\n    OWN = 'own {name}'\n"
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-c", _PLUGINS, _collections(), str(tmp_path)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, check=True, encoding="utf-8")

    assert ran.stdout.splitlines() == ["own normal", "own local"]


@pytest.mark.parametrize("events", [["error"], ["warning"], ["always"]])
def test_tracebacks_are_those_of_an_ordinary_module(ways, monkeypatch, events):
    monkeypatch.setattr(_in_process, "_configured", lambda name, _vars: events if name == "DISPLAY_TRACEBACK" else None)

    assert way(ways)[0] == ["ordinary"]


def test_a_setting_that_this_ansible_does_not_have_has_no_value():
    assert _in_process._configured("DEFAULT_KEEP_REMOTE_FILES", {}) is False
    assert _in_process._configured("NO_SUCH_SETTING", {}) is None


def test_relative_paths_are_those_of_an_ordinary_module(ways, monkeypatch):
    """The local connection runs modules in the folder of the playbook."""
    folders = []
    monkeypatch.setattr(_in_process, "in_child", lambda _work, folder: folders.append(folder) or RESULT)
    action = action_for("m365_user_signin", OPTIONS)
    action._loader.get_basedir = lambda: "/somewhere"

    action.run(task_vars=VARIABLES)

    assert folders == ["/somewhere"]


@pytest.mark.parametrize(("name", "value"), [("constants.DEFAULT_KEEP_REMOTE_FILES", True), ("sys.platform", "darwin")])
def test_what_is_set_for_the_whole_run_counts_too(ways, monkeypatch, name, value):
    monkeypatch.setattr(f"{_in_process.__name__}.{name}", value)

    assert way(ways)[0] == ["ordinary"]


def test_an_exception_while_deciding_is_named_and_its_text_is_not(ways, monkeypatch):
    def fall(*args):
        raise RuntimeError("hunter2")

    monkeypatch.setattr(_in_process, "ArgumentSpecValidator", fall)

    taken, said = way(ways)

    assert taken == ["ordinary"]
    assert "RuntimeError while deciding" in said
    assert "hunter2" not in said


def test_a_deprecated_option_is_for_the_ordinary_module(ways, monkeypatch):
    action = action_for("m365_user_signin", {**OPTIONS, "timeout": 3})
    spec = {**JOB.spec, "timeout": {"type": "float", "removed_in_version": "9.0.0", "removed_from_collection": "a.b"}}
    monkeypatch.setattr(type(action), "JOB", _run.Job(spec, JOB.work))

    action.run(task_vars=VARIABLES)

    assert ways[0] == ["ordinary"]


def test_the_interpreter_of_the_delegated_host_counts(ways):
    variables = {"ansible_python_interpreter": "/usr/bin/python0", "ansible_delegated_vars": {"other": VARIABLES}}

    assert way(ways, variables=variables, delegate_to="other")[0] == ["in place"]


def test_another_environment_of_the_same_binary_is_another_interpreter(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "python").symlink_to(os.path.realpath(sys.executable))
    (tmp_path / "one" / "python3").symlink_to("python")
    (tmp_path / "linked").symlink_to("one")

    def same(one, other):
        return _in_process._same_interpreter(str(tmp_path / one), str(tmp_path / other))

    assert same("one/python", "one/python")
    assert same("one/python3", "one/python")
    assert same("linked/python", "one/python")
    assert not same("one/python", "two/python")


def test_a_date_is_given_as_the_ordinary_module_gets_it(ways, monkeypatch):
    caught = {}
    monkeypatch.setattr(_in_process, "Run", lambda params, check_mode: caught.update(params))
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)

    users = [{"user": "jane.doe@contoso.com", "left_at": moment}, {"user": "b@c.de", "left_at": moment.date()}]
    assert way(ways, options={**OPTIONS, "users": users})[0] == ["in place"]

    assert [user["left_at"] for user in caught["users"]] == ["2026-01-02T03:04:05+00:00", "2026-01-02"]


@pytest.mark.parametrize("module", ["m365_user_signin", "m365_user_info"])
def test_the_spec_of_a_job_stays_as_it_is(ways, module):
    job = importlib.import_module(f"ansible_collections.m365.offboarding.plugins.modules.{module}").JOB
    before = copy.deepcopy(job.spec)

    action_for(module, {"user": "jane.doe@contoso.com"}).run(task_vars=VARIABLES)
    action_for(module, {}).run(task_vars=VARIABLES)

    assert job.spec == before


def test_a_child_that_fails_is_a_failed_task_and_never_an_ordinary_module(ways, monkeypatch):
    def fall(work, folder):
        raise OSError("hunter2")

    monkeypatch.setattr(_in_process, "in_child", fall)

    result = action_for("m365_user_signin", OPTIONS).run(task_vars=VARIABLES)

    assert ways[0] == []
    assert result["failed"] is True
    assert result["error"]["code"] == "internal"
    assert "hunter2" not in json.dumps(result)


@pytest.mark.parametrize("fault", [ImportError, RuntimeError, SystemExit, GeneratorExit])
def test_a_library_that_cannot_be_loaded_does_not_end_ansible(monkeypatch, fault):
    tried = []

    def fall(name):
        tried.append(name)
        raise fault

    monkeypatch.setattr(importlib, "import_module", fall)

    _in_process._load_libraries()

    assert tried == ["requests", "msal"]


def test_ctrl_c_while_a_library_is_loaded_ends_ansible(monkeypatch):
    monkeypatch.setattr(importlib, "import_module", mock.Mock(side_effect=KeyboardInterrupt))

    with pytest.raises(KeyboardInterrupt):
        _in_process._load_libraries()


# --- the child ---


def test_a_child_gives_back_what_the_work_gives():
    big = {"users": ["x" * 1000] * 1000, "pid": None, "folder": None}

    result = in_child(lambda: {**big, "pid": os.getpid(), "folder": os.getcwd()}, "/")

    assert result.pop("pid") != os.getpid()
    assert result.pop("folder") == "/" != os.getcwd()
    assert result == {"users": big["users"]}


@pytest.mark.parametrize(
    ("work", "ended"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGTERM), "signal 15"),
        (lambda: os._exit(3), "status 3"),
        (lambda: {"not JSON": object()}, "status 1"),
        (lambda: sys.exit(0), "status 1"),
        (lambda: 1 / 0, "status 1"),
    ],
)
def test_a_child_that_ends_without_a_result_is_an_error_of_its_own(work, ended):
    with pytest.raises(OffboardingError) as caught:
        in_child(work)

    assert f"ended with {ended} before it gave a result" in str(caught.value)
    assert caught.value.code == "crashed"
    assert caught.value.hint == OUTCOME_UNKNOWN


def test_nothing_of_a_child_is_printed_or_logged(capfd, caplog):
    def work():
        print("printed")
        print("printed", file=sys.stderr)
        os.write(1, b"written")
        os.write(2, b"written")
        warnings.warn("warned", stacklevel=1)
        logging.getLogger("urllib3").error("logged")
        return {}

    assert in_child(work) == {}

    assert capfd.readouterr() == ("", "")
    assert caplog.text == ""


class Stopped(BaseException):
    """As what ansible-core raises when the task has taken longer than its timeout."""


def test_whatever_interrupts_the_worker_ends_the_child(tmp_path):
    mark = tmp_path / "pid"

    def work():
        mark.write_text(str(os.getpid()))
        time.sleep(60)

    def stop(*args):
        raise Stopped

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(Stopped):
            in_child(work)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert gone(int(mark.read_text()))


_strikes = []


def test_a_signal_during_the_fork_is_not_lost():
    """Python ignores an exception in a hook after a fork: a signal is handled after the hooks."""

    def stop(*args):
        raise Stopped

    before = signal.signal(signal.SIGALRM, stop)
    # A hook cannot be taken back: this one does nothing afterwards.
    os.register_at_fork(after_in_parent=lambda: _strikes and signal.pthread_kill(threading.get_ident(), _strikes.pop()))
    _strikes.append(signal.SIGALRM)
    try:
        with pytest.raises(Stopped):
            in_child(lambda: time.sleep(5) or {})
    finally:
        signal.signal(signal.SIGALRM, before)

    assert signal.SIGALRM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_the_work_runs_with_the_signals_of_its_worker():
    assert in_child(lambda: {"blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))}) == {"blocked": []}


def _collections():
    return str(next(path for path in sys.path if os.path.isdir(os.path.join(path, "ansible_collections", "m365"))))


_WORKER = """
import os, signal, sys, time
sys.path.insert(0, sys.argv[1])
from ansible_collections.m365.offboarding.plugins.plugin_utils._in_process import in_child
# Whatever runs the tests in the background may have made its children ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.SIG_DFL if sys.argv[2] == "default" else lambda *_: os._exit(1))
in_child(lambda: print(os.getpid(), file=os.fdopen(int(sys.argv[3]), "w"), flush=True) or time.sleep(60))
"""


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("handler", ["default", "own"])
def test_a_child_does_not_outlive_its_worker(sign, handler):
    reader, writer = os.pipe()
    command = [sys.executable, "-c", _WORKER, _collections(), handler, str(writer)]
    with subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL) as worker:
        os.close(writer)
        with os.fdopen(reader) as reported:
            child = int(reported.readline())
        worker.send_signal(sign)
        worker.wait(timeout=60)

    assert gone(child)


def gone(pid):
    """Whether a process ends within ten seconds."""
    for _try in range(1000):
        with contextlib.suppress(FileNotFoundError):
            with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return True
            time.sleep(0.01)
            continue
        return True
    return False


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("jane", "Kolibri"),
        ("a Kolibri-7 b", "Kolibri-7"),
        ("Kolibri-7", "Kolibri-7"),
        ({"a": [{"b": ["x", 'Kol"ib\\ri\n']}]}, 'Kol"ib\\ri\n'),
        (["Käfer \U0001f600 \ud800"], "fer \U0001f600"),
        (["Käfer"], "ä"),
        ({"Kolibri-7": "a name is not a value"}, "Kolibri-7"),
        ([4711, 47.11], "47"),
        ([[True, False, None]], "True"),
        ([[True, False, None]], "one"),
        ([[True, False, None]], "true"),
        ("jane", ""),
        ("/path", "\\/path"),
    ],
)
def test_what_is_masked_is_what_ansible_masks(value, secret):
    result = {"found": value, "changed": True, "msg": None}

    masked = _in_process._masked(result, {secret, "another-secret"})

    assert masked == {**remove_values(result, {secret, "another-secret"}), "changed": True, "msg": None}


def test_a_result_without_secrets_is_returned_as_it_is():
    result = {"users": [{"user": "jane"}]}

    assert _in_process._masked(result, {"Kolibri-7"}) is result
