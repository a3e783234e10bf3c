# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The leak matrix: every way to fail, quiet and verbose, beside two ansible-cores, run and recorded as AWX does it.

AWX runs plays through ansible-runner and stores every event. Nothing that a play leaves behind may hold a secret; only
the environment that goes in does, and the file `command`, to which ansible-runner writes that environment.
"""

from __future__ import annotations

import base64
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus

from integration.support import OFFBOARD, a_play, a_task

from simulator.faults import Fault
from simulator.server import Tenant
from simulator.wire import Answer, Call
from tools import pythons, tree

NEWEST, ITS_PYTHONS = "2.21", ("3.13", "3.12", "3.14")
VERBOSITIES = (0, 3)
JANE, JOHN = "jane.doe@contoso.com", "john.roe@contoso.com"
# What people may choose; every way of writing it differs.
WRONG = "wr0ng~Secret/with+signs=and\"quotes'"
OWN = "Own/\"Passw0rd'{{ for }} her\\"
# Stands in the bodies of faults for what was sent: services quote what they do not understand.
ECHO = "ECHO"
_LOCK = threading.Lock()

Secrets = dict[str, str]  # with the kind of each


class Witness(Tenant):
    """A tenant that remembers the secrets of all requests, those that a fault kept from their service too."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: Secrets = {}

    def serve(self, name: str, call: Call) -> Answer:
        text = call.body.decode(errors="replace") if call.body else json.dumps(call.json()) if call.has_body else ""
        found = _form(text) if name == "entra" else dict.fromkeys(_passwords(text), "password")
        self.sent.update(found)
        answer = super().serve(name, call)
        if answer.raw:
            quoted = " ".join([text, *found, call.headers.get("authorization", "")])
            answer.raw = answer.raw.replace(ECHO.encode(), json.dumps(quoted)[1:-1].encode())
        return answer

    def secrets(self) -> Secrets:
        """Everything that must not be found, and what it is."""
        kinds = {app.client_secret: f"client_secret of {app.name}" for app in self.directory.apps.values()}
        kinds |= {**dict.fromkeys(self.tokens.issued, "token"), **self.sent}
        return {secret: kinds.get(secret, "secret") for secret in (*self.issued_secrets(), *self.sent) if secret}


def _form(text: str) -> Secrets:
    return {value: key for key, value in parse_qsl(text) if key in ("client_secret", "client_assertion")}


def _passwords(text: str) -> list[str]:
    found: list[Any] = []
    try:
        json.loads(text, object_hook=lambda sent: found.append(sent.get("password")))
    except ValueError:
        return []
    return [value for value in found if isinstance(value, str)]


# --- the ways to fail ---


@dataclass(frozen=True)
class Mode:
    """A play, what it meets, and how it ends; `faults` are made again for each play."""

    name: str
    returncode: int = 2
    leavers: str = JANE
    app: str = "offboarding"
    faults: Callable[[], Sequence[Fault]] = tuple
    prepare: Callable[[Witness], object] = id
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: str = ""
    tasks: Sequence[Mapping[str, Any]] = ()
    # Whether the payloads that Ansible sends to its interpreter are kept. They hold the options in clear, always.
    keep: bool = True
    # Without a token no user was read, and there is nothing to report.
    reports: bool = True
    # Secrets that no tenant issued.
    given: Mapping[str, str] = field(default_factory=dict)


def _env(name: str) -> str:
    return f"{{{{ lookup('env', '{name}') }}}}"


def _writes(**what: Any) -> Callable[[], Sequence[Fault]]:
    return lambda: [Fault(listener="graph", writes=True, **what)]


_HTML = f"<html><title>Sign in</title>{ECHO}</html>"
_REFUSAL = json.dumps({"error": {"code": "Authorization_RequestDenied", "message": f"Not this: {ECHO}"}})
_JSON = {"Content-Type": "application/json"}
MODES = (
    Mode("success", 0),
    Mode("check mode", arguments="--check"),
    Mode("protected", environment={"M365_PROTECTED_USERS": JANE}),
    Mode("unknown user", leavers="nobody@contoso.com"),
    Mode(
        "wrong client secret",
        reports=False,
        environment={"AZURE_CLIENT_SECRET": WRONG},
        given={WRONG: "wrong client_secret"},
    ),
    Mode("no exchange", prepare=lambda tenant: setattr(tenant.directory, "has_exchange", False)),
    Mode("403 that quotes the write", faults=_writes(status=403, body=_REFUSAL, headers=_JSON)),
    Mode("429 for ever", faults=lambda: [Fault(listener="graph", status=429, headers={"Retry-After": "1"})]),
    Mode("502 that quotes the write", faults=_writes(status=502, body=_HTML)),
    Mode("reset after the write", 0, faults=_writes(method="PATCH", close="after", nth=1)),
    Mode("400 from Exchange", faults=lambda: [Fault(cmdlet="Set-CASMailbox", status=400, body=_HTML)]),
    Mode(
        "page from Entra",
        reports=False,
        faults=lambda: [Fault(listener="entra", path="/token$", status=200, body=_HTML)],
    ),
    Mode(
        "502 from Entra",
        reports=False,
        faults=lambda: [Fault(listener="entra", path="/token$", status=502, body=_HTML)],
    ),
    Mode("certificate", 0, app="certificate"),
    Mode(
        "refused certificate",
        reports=False,
        app="certificate",
        prepare=lambda tenant: setattr(tenant.app("certificate"), "enabled", False),
    ),
    Mode(
        "wrong option",
        0,
        tasks=[
            a_task("Read", "m365_user_info", users=JANE, client_secret=_env("AZURE_CLIENT_SECRET")),
            a_task(
                "Element",
                "m365_user_signin",
                users=[JANE, [1]],
                state="blocked",
                client_secret=_env("AZURE_CLIENT_SECRET"),
            ),
            a_task("Type", "m365_user_password", users=JANE, password=_env("OWN"), timeout="soon"),
            a_task("Name", "m365_user_password", users=JANE, password=_env("OWN"), passwrd="x"),
        ],
        environment={"OWN": OWN},
        keep=False,
        given={OWN: "own password"},
    ),
    Mode(
        "own password",
        0,
        tasks=[
            a_task("Set", "m365_user_password", users=JANE, password=_env("OWN")),
            a_task("Refuse", "m365_user_password", users=[JANE, JOHN], password=_env("OWN")),
        ],
        environment={"OWN": OWN},
        keep=False,
        given={OWN: "own password"},
    ),
)


# --- playing ---


def _play(mode: Mode, verbosity: int, binaries: Path, folder: Path, tenant: Witness) -> int:
    """Through ansible-runner, with everything switched on that writes something."""
    for name in ("env", "project", "tmp", "home"):
        (folder / name).mkdir(parents=True)
    own = {
        "PATH": os.pathsep.join([str(binaries), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(folder / "home"),
        "LC_ALL": "C.UTF-8",
        "TMPDIR": str(folder / "tmp"),
    }
    environment = {
        **tenant.environment_of(mode.app),
        "M365_RETRY_TIMEOUT": "2",
        "M365_VERIFY_TIMEOUT": "2",
        "ANSIBLE_COLLECTIONS_PATH": str(tree.link()),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "ansible" / "local"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "ansible" / "remote"),
        "ANSIBLE_LOG_PATH": str(folder / "ansible.log"),
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_INJECT_INVOCATION": "true",
        "ANSIBLE_KEEP_REMOTE_FILES": str(int(mode.keep)),
        **mode.environment,
    }
    if tenant.app(mode.app).certificate:
        files = tenant.certificate_files(mode.app)
        del environment["AZURE_CLIENT_SECRET"]
        environment["AZURE_CLIENT_CERTIFICATE_PATH"] = files["encrypted_pem"]
        environment["AZURE_CLIENT_CERTIFICATE_PASSWORD"] = files["passphrase"]
        key = Path(files["key"]).read_text().splitlines()
        tenant.sent.update({line: "private key" for line in key if len(line) > 20 and "-----" not in line})
    tenant.sent.update(mode.given)
    mode.prepare(tenant)
    for fault in mode.faults():
        tenant.faults.add(fault)
    playbook = OFFBOARD
    if mode.tasks:
        playbook = "play.yml"
        (folder / "project" / playbook).write_text(json.dumps([a_play(*mode.tasks)]))
    levels = f"-{'v' * verbosity}" if verbosity else ""
    variables = {"leavers": mode.leavers, "offboard_employee_report_path": str(folder / "report.json")}
    inputs: dict[str, object] = {
        "envvars": environment,
        "extravars": variables,
        "cmdline": f"--diff {mode.arguments} {levels}",
        "settings": {"fact_cache": "fact_cache", "fact_cache_type": "jsonfile"},
    }
    for name, content in inputs.items():
        (folder / "env" / name).write_text(content if isinstance(content, str) else json.dumps(content))
    (folder / "inventory").mkdir()
    (folder / "inventory" / "hosts").write_text("localhost\n")
    command = [sys.executable, "-m", "ansible_runner", "run", str(folder), "--playbook", playbook, "--ident", "job"]
    ran = subprocess.run(command, env=own, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=300)
    (folder / "runner.stdout").write_bytes(ran.stdout)
    (folder / "runner.stderr").write_bytes(ran.stderr)
    return ran.returncode


# --- searching ---


def fold(content: bytes) -> bytes:
    """Without what writers put in between: white space where lines are wrapped, escapes of JSON and Python, nested."""
    return re.sub(rb"\\+[rnt]|\s+|\\+", b"", content)


def shapes(secret: str) -> set[bytes]:
    """A secret as it is, as JSON, Python, addresses and base64 write it; folded."""
    texts = {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), quote(secret), quote_plus(secret)}
    found = {fold(text.encode()) for text in texts}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):  # wherever in the encoded text the secret begins
            found.add(encode(bytes(before) + secret.encode()).rstrip(b"=")[(0, 2, 3)[before] : -1])
    return found


def search(folder: Path, secrets: Mapping[str, str]) -> tuple[list[Path], list[str]]:
    """The files that were searched, and where which kind of secret is."""
    needles = [(shape, kind) for secret, kind in secrets.items() for shape in shapes(secret)]
    files, hits = [], set()
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        if not path.is_file() or place.parts[0] == "env" or place.match("artifacts/*/command"):
            continue
        files.append(place)
        content = path.read_bytes()
        folded = fold(content)
        hits |= {f"{place}: {kind}" for shape, kind in needles if shape in folded or shape in content}
    return files, sorted(hits)


def _control() -> list[str]:
    """So that silence means something: a planted secret is found in every shape, and not in what is left out."""
    failures = []
    secrets = {OWN: "planted"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for place in ("env/envvars", "artifacts/job/command", "artifacts/job/job_events/1.json"):
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / "env" / "envvars").write_text(OWN)
        (folder / "artifacts" / "job" / "command").write_text(OWN)
        event = folder / "artifacts" / "job" / "job_events" / "1.json"
        event.write_text("{}")
        if search(folder, secrets) != ([event.relative_to(folder)], []):
            failures.append("control: found where nothing is")
        encoded = [base64.b64encode(f"{'x' * before}{OWN}".encode()).decode() for before in range(3)]
        written = json.dumps(OWN)
        wrapped = ("\r\n".join(OWN), "\\r\\n".join(OWN))
        for text in (OWN, written, json.dumps(written), repr(written), quote(OWN), *wrapped, *encoded):
            event.write_text(f'{{"stdout": "{text}"}}')
            if not search(folder, secrets)[1]:
                failures.append("control: a planted secret is not found")
    return failures


# --- the matrix ---


@dataclass
class Tally:
    plays: int = 0
    files: int = 0
    secrets: int = 0
    hits: int = 0


def soak_leaks(
    cores: bool = True, modes: Sequence[Mode] = MODES, verbosities: Sequence[int] = VERBOSITIES
) -> list[str]:
    """Every mode at every verbosity beside every core.

    :param cores: whether the newest ansible-core is tried too.
    :returns: what failed: where which kind of secret was found, and plays that did not do what they are for.
    """
    if not importlib.util.find_spec("ansible_runner"):
        return ["leak matrix: ansible-runner is not installed"]
    own = importlib.metadata.version("ansible-core")
    beside, skipped = {own: Path(sys.executable).parent}, ""
    if cores and not own.startswith(f"{NEWEST}."):
        newest = _newest()
        if newest:
            beside[NEWEST] = newest
        else:
            skipped = f"; skipped ansible-core {NEWEST}: no Python {' or '.join(ITS_PYTHONS)}"
    tally, failures = Tally(), _control()
    cases = [(mode, level, core) for core in beside for mode in modes for level in verbosities]
    began = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda case: _case(case[0], case[1], case[2], beside[case[2]], tally), cases):
            failures += found
    print(
        f"leak matrix: {tally.plays} plays, {tally.files} files searched, {tally.secrets} secrets, {tally.hits} hits, "
        f"{time.monotonic() - began:.0f} s (ansible-core {', '.join(beside)}{skipped})",
        flush=True,
    )
    return failures


def _case(mode: Mode, verbosity: int, core: str, binaries: Path, tally: Tally) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="m365-leaks-") as name, Witness() as tenant:
        folder = Path(name)
        try:
            returncode = _play(mode, verbosity, binaries, folder, tenant)
        except subprocess.TimeoutExpired:
            returncode = -1
        secrets = tenant.secrets()
        files, hits = search(folder, secrets)
        with _LOCK:
            tally.plays += 1
            tally.files += len(files)
            tally.secrets += len(secrets)
            tally.hits += len(hits)
        wrong = list(hits)
        if returncode != mode.returncode:
            wrong.append(f"ended with {returncode}, not {mode.returncode}")
        events = [path for path in files if path.match("artifacts/job/job_events/*.json")]
        kept = [path for path in files if path.name.startswith("AnsiballZ_")]
        if not events or not {Path("artifacts/job/stdout"), Path("ansible.log")} <= set(files):
            wrong.append("there was nothing to search")
        if mode.keep and not kept:
            wrong.append("no payload was kept")
        if (mode.reports and not mode.tasks) is not (Path("report.json") in files):
            wrong.append("a report is missing, or should be")
        if not tenant.sent and not tenant.tokens.issued:
            wrong.append("no secret was issued")
        if any(not rule.struck for rule in tenant.faults.rules):
            wrong.append("a fault struck nothing")
        wrong += tenant.crashes
    return [f"leak matrix: {mode.name}, verbosity {verbosity}, ansible-core {core}: {one}" for one in wrong]


def _newest() -> Path | None:
    """The programs of an environment with the newest ansible-core, made once."""
    python = next(filter(None, map(pythons.find, ITS_PYTHONS)), None)
    if python is None:
        return None
    folder = tree.WORK / f"core-{NEWEST}"
    ready = folder / "ready"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
        wanted = [f"ansible-core=={NEWEST}.*", "-r", str(tree.ROOT / "requirements.txt")]
        constraint = ["-c", str(tree.ROOT / "tests" / "constraints.txt")]
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *constraint, *wanted]
        subprocess.run(pip, check=True)
        ready.touch()
    return folder / "bin"
