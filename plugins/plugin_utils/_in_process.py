# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host of a module that runs inside Ansible's worker, without an interpreter of its own."""

from __future__ import annotations

import copy
import ctypes
import datetime
import importlib
import inspect
import io
import json
import logging
import os
import select
import signal
import sys
import typing as t
import warnings

from ansible import constants, plugins
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils._errors import OUTCOME_UNKNOWN, OffboardingError, internal_error
from ..module_utils._run import Job, Run, failure, perform
from ._cores import as_data
from ._journal import BATCH, CLOSING_READ, STEP_OF, RoleRun


def _load_libraries() -> None:
    """Import the libraries of all jobs. The job says so in its own words if one is missing or broken."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for library in ("requests", "msal"):
            try:
                importlib.import_module(library)
            except BaseException as exc:  # a panic of `cryptography` is not an `Exception`, and must not end Ansible
                if isinstance(exc, KeyboardInterrupt):
                    raise


# Strategies load action plugins before they fork a worker: what is imported here is there in every worker.
_load_libraries()

# The action plugin of modules that have no other. Users may have their own: `ansible.legacy` finds it.
_NORMAL = "ansible.legacy.normal"
_PR_SET_PDEATHSIG = 1  # https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html
# The signals that end a task: Ctrl-C, a stopped run, and the `timeout` of a task.
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)


class Unusual(Exception):
    """Why this task runs as an ordinary module. The text is shown with `-vvv`: no values of options."""


class InProcess(ActionBase):
    """Runs `JOB` in a child of Ansible's worker if the result is the same as the ordinary module's, otherwise the module.

    It does not inherit from `ansible.plugins.action.normal`: the plugin loader takes what is imported for what it would
    have found, so a user's own `normal` would be ignored, for all modules. The same goes for `connection.local`.
    """

    JOB: t.ClassVar[Job]
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        try:
            journal = self._keep(task_vars or {})
        except OSError as exc:
            # What cannot be recorded is not done.
            return {"failed": True, "msg": str(exc)}
        result = self._run(tmp, task_vars)
        return {**result, "journal": journal} if journal else result

    def _keep(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """In a batch of the role: put on record what was found and done before this task; see `_journal`."""
        module = self._task.action.rpartition(".")[2]
        if module not in (*STEP_OF, CLOSING_READ) or BATCH not in task_vars:
            return {}
        number = task_vars[BATCH]
        strategy, folder = str(self._task.get_play().strategy), constants.DEFAULT_LOCAL_TMP
        run = RoleRun(task_vars, check_mode=self._task.check_mode, strategy=strategy, folder=folder)
        if module == CLOSING_READ:
            self._task.args["written"] = run.written(number)
        return run.keep(number, STEP_OF.get(module))

    def _run(self, tmp: str | None, task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        # The way is chosen here, before anything is sent, and never changed afterwards.
        try:
            work = self._prepare(task_vars or {})
            reason = None
        except Unusual as exc:
            reason = str(exc)
        except Exception as exc:
            reason = f"{type(exc).__name__} while deciding"
        if reason is not None:
            self._say(f"as an ordinary module: {reason}")
            return self._run_ordinary(task_vars)
        self._say("in a child of Ansible's worker: nothing requires a separate process")
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        return {**result, **as_data(work())}

    def _run_ordinary(self, task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        """Run the module as Ansible runs one without an action plugin."""
        plugin = self._shared_loader_obj.action_loader.get(
            _NORMAL,
            task=self._task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        result: dict[str, t.Any] = plugin.run(task_vars=task_vars)
        return result

    def _say(self, text: str) -> None:
        Display().vvv(f"{self._task.action} runs {text}", host=self._play_context.remote_addr)

    def _prepare(self, task_vars: dict[str, t.Any]) -> t.Callable[[], dict[str, t.Any]]:
        """Return the function that runs the job and returns its result.

        :raises Unusual: the ordinary module must run.
        """
        self._refuse_unusual(task_vars)
        arguments = json.loads(json.dumps(self._task.args, default=_plain))
        # The validator changes the spec that it is given.
        validated = ArgumentSpecValidator(copy.deepcopy(dict(self.JOB.spec))).validate(arguments)
        if validated.error_messages or validated.unsupported_parameters:
            raise Unusual("its options are not valid")
        if validated._warnings or validated._deprecations:
            raise Unusual("its options cause a warning")
        # ansible-core before 2.21 does not have this setting, and always shows the invocation.
        shows_invocation = _configured("INJECT_INVOCATION", task_vars) is not False
        folder = self._loader.get_basedir()
        run = Run(validated.validated_parameters, check_mode=self._task.check_mode)
        diff, secrets = self._task.diff, validated._no_log_values

        def work() -> dict[str, t.Any]:
            """In the child: only masked results leave it."""
            result = perform(self.JOB, run, diff=diff)
            if run.warnings:
                result["warnings"] = run.warnings
            if shows_invocation:
                result["invocation"] = {"module_args": run.params}
            return _masked(result, secrets | run.secrets)

        def work_in_child() -> dict[str, t.Any]:
            try:
                return in_child(work, folder)
            except Exception as exc:
                return failure(exc if isinstance(exc, OffboardingError) else internal_error(exc), run)

        return work_in_child

    def _refuse_unusual(self, task_vars: dict[str, t.Any]) -> None:
        if sys.platform != "linux":
            raise Unusual(f"the platform is {sys.platform}, not Linux")
        # A user's own plugin may have the same name.
        if not _is_builtin(inspect.getfile(type(self._connection)), "connection/local.py"):
            raise Unusual("its connection is not ansible.builtin.local")
        if not _is_builtin(self._shared_loader_obj.action_loader.find_plugin(_NORMAL), "action/normal.py"):
            raise Unusual("the action plugin of ordinary modules is not ansible.builtin.normal")
        if self._connection.become or self._play_context.become:
            raise Unusual("become is set")
        if self._task.async_val:
            raise Unusual("async is set")
        if any(self._task.environment or ()):
            raise Unusual("environment is set")
        if constants.DEFAULT_KEEP_REMOTE_FILES:
            raise Unusual("remote files are kept")
        if set(_configured("DISPLAY_TRACEBACK", task_vars) or ()) - {"never"}:
            raise Unusual("tracebacks are shown")
        if not _same_interpreter(self._interpreter(task_vars), sys.executable):
            raise Unusual(f"its interpreter is not {sys.executable}, which runs Ansible")

    def _interpreter(self, task_vars: dict[str, t.Any]) -> str:
        """The interpreter that an ordinary module would be given, as `executor/module_common.py` finds it."""
        if self._task.delegate_to:
            task_vars = task_vars["ansible_delegated_vars"][self._task.delegate_to]
        configured = constants.config.get_config_value("INTERPRETER_PYTHON", variables=task_vars)
        return str(self._templar.template(configured)).strip()


def _plain(value: t.Any) -> t.Any:
    """Convert a value that JSON does not support, as for an ordinary module."""
    if isinstance(value, datetime.date):  # a datetime, too
        return value.isoformat()
    raise Unusual(f"an option holds a {type(value).__name__}")


def _masked(result: dict[str, t.Any], secrets: t.Collection[str]) -> dict[str, t.Any]:
    """The result without secrets, as an ordinary module returns it. Most results contain none, and are returned as they are.

    `remove_values` takes 0.3 s for a thousand leavers. What it would mask also occurs in the JSON text, escaped. It compares
    `True`, `False` and `None` as Python writes them, so these words are added to the text.
    """
    text = json.dumps([result, "True", "False", "None"])
    if not any(json.dumps(secret)[1:-1] in text for secret in secrets):
        return result
    kept = {name: value for name, value in result.items() if value is None or isinstance(value, bool)}
    return {**remove_values(result, secrets), **kept}


def _configured(name: str, task_vars: dict[str, t.Any]) -> t.Any:
    """The value of a setting of Ansible, `None` if this version of ansible-core does not have it."""
    if constants.config.get_configuration_definition(name) is None:
        return None
    return constants.config.get_config_value(name, variables=task_vars)


def _is_builtin(file: str | None, name: str) -> bool:
    """Whether this is the file of that plugin of ansible-core itself."""
    builtin = os.path.join(os.path.dirname(plugins.__file__), name)
    return file is not None and os.path.realpath(file) == os.path.realpath(builtin)


def _same_interpreter(one: str, other: str) -> bool:
    """Whether both are the same binary of the same environment: virtual environments link to one binary."""
    return (
        os.path.isabs(one)
        and os.path.realpath(one) == os.path.realpath(other)
        and os.path.realpath(os.path.dirname(one)) == os.path.realpath(os.path.dirname(other))
    )


def in_child(work: t.Callable[[], dict[str, t.Any]], folder: str = ".") -> dict[str, t.Any]:
    """Do the work in a forked child and return its result, decoded from JSON.

    A child, so that a crash costs one task and not the run, and whatever ends the task ends the work: `timeout`
    (by an exception here), Ctrl-C and the end of the worker.

    :param folder: the working directory of the child. An ordinary module on the local connection has the playbook's.
    :raises OffboardingError: the child ended without a result.
    """
    parent = os.getpid()
    reader, writer = os.pipe()
    # Python ignores exceptions in the hooks that run after a fork: a signal handler must not run there.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    child = 0
    try:
        child = os.fork()
        if not child:
            _be_child(work, folder, writer, parent, mask)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(writer)
        with open(reader, "rb", buffering=0) as pipe:
            text = _read(pipe)
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
            _pid, status = os.waitpid(child, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        result: dict[str, t.Any] = json.loads(text)
    except ValueError:
        raise OffboardingError(
            f"The process that did the module's work ended with {_ended(status)} before it gave a result.",
            code="crashed",
            hint=OUTCOME_UNKNOWN,
        ) from None
    return result


def _read(pipe: io.FileIO) -> bytes:
    """Read a pipe to its end. A signal that arrives just before a blocking read would wait, so no read blocks for long."""
    parts: list[bytes] = []
    while True:
        if select.select([pipe], [], [], 0.5)[0]:
            part = pipe.read(1 << 16)
            if not part:
                return b"".join(parts)
            parts.append(part)


def _ended(status: int) -> str:
    return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"status {os.WEXITSTATUS(status)}"


def _be_child(
    work: t.Callable[[], dict[str, t.Any]], folder: str, writer: int, parent: int, mask: t.Collection[int]
) -> t.NoReturn:
    """Write the result into the pipe and exit, without running any of the worker's handlers.

    :param mask: the signals that the worker blocks, as they were before the fork.
    """
    try:
        # The worker's own handlers are for the worker only.
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            # Output, warnings and logs of libraries are discarded: they may contain secrets.
            silence = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(silence, stream)
            sys.stdout = sys.stderr = io.StringIO()
            warnings.simplefilter("ignore")
            logging.disable(logging.CRITICAL)
            os.chdir(folder)
            text = json.dumps(work()).encode()
            with open(writer, "wb") as pipe:
                pipe.write(text)
    except BaseException:
        os._exit(1)
    os._exit(0)
