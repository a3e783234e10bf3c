# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Generated misfortune: which requests meet which fault, and what must hold whatever happens."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import tempfile
import typing as t

from hypothesis import strategies as st

from simulator.exchange_errors import SHAPES, TRANSIENT, error_body
from simulator.faults import Fault

from .world import Killed, Outcome, World

LEAVERS = ("jane", "john", "maria", "ahmed", "apostrophe", "nomail", "nulls")
SAVED = "wei"  # protected in every schedule

_RETRY_AFTER = st.sampled_from(["0", "1", "2", "2.128", "7", "soon", "-5", "", "Sun, 06 Nov 1994 08:49:37 GMT"])


def _throttle() -> st.SearchStrategy[dict[str, t.Any]]:
    with_header = st.builds(lambda reported: {"status": 429, "headers": {"Retry-After": reported}}, _RETRY_AFTER)
    return st.one_of(with_header, st.just({"status": 429}))


_WHAT = st.one_of(
    _throttle(),
    st.sampled_from(
        [
            *({"status": status, "apply_first": first} for status in (500, 502, 503, 504) for first in (False, True)),
            {"status": 503, "headers": {"Retry-After": "3"}},
            {"close": "before"},
            {"close": "after"},
            {"truncate": 20},
            {"drip": 1.0},
            {"status": 200, "body": "<html>sign in to the proxy</html>"},
            {"status": 502, "body": "<html>bad gateway</html>"},
            {"nul_gzip": True},
            {"status": 401},
            {"headers": {"Date": "Fri, 31 Dec 9999 23:59:59 GMT"}},
            {"status": 400, "body": {"error": {"code": "\x1b[2J", "message": "\x00 \u202e No \x85"}}},
            {"status": 200, "body": {}},
            {
                "status": 200,
                "body": {"id": "00000000-0000-4000-8000-000000000bad", "userPrincipalName": "nobody@contoso.com"},
            },
            {"status": 424},
            {"status": 409, "body": {"error": {"code": "Directory_ConcurrencyViolation", "message": "busy"}}},
            {"drop": True},
            {"duplicate": True},
            {"delay": 5.0},
            {"delay": 45.0},
            # Exchange alone has exceptions that pass, and perhaps after the deed.
            *(
                {
                    "listener": "exchange",
                    "status": status,
                    "body": error_body(TRANSIENT[number % len(TRANSIENT)], "Not now.", shape),
                    **first,
                }
                for status in (200, 400, 500)
                for number, shape in enumerate(SHAPES)
                for first in ({}, {"apply_first": True}, {"headers": {"Retry-After": "2"}})
            ),
            *({"status": 200, "body": error_body("x.SomethingException", "No.", shape)} for shape in SHAPES),
            {"status": 302, "headers": {"Location": "https://eur05.outlook.office365.com/"}},
            {"status": 403, "nul_gzip": True, "headers": {"X-ExceptionType": "x.AccessDeniedException"}},
        ]
    ),
)
_WHERE = st.one_of(
    st.just({}),
    st.sampled_from(
        [
            {"listener": "entra"},
            {"listener": "graph"},
            {"listener": "exchange"},
            {"listener": "graph", "writes": True},
            {"listener": "graph", "writes": False},
            {"listener": "exchange", "writes": True},
            {"cmdlet": "Get-CASMailbox"},
            {"cmdlet": "Set-CASMailbox"},
            {"method": "PATCH"},
            {"path": "revokeSignInSessions"},
            {"path": "directoryRole"},
            {"batch": "outer"},
            {"batch": True},
            {"batch": True, "writes": True},
        ]
    ),
)
_WHEN = st.one_of(
    st.builds(lambda first: {"nth": first}, st.integers(1, 12)),
    st.builds(lambda first, more: {"nth": (first, first + more)}, st.integers(1, 8), st.integers(0, 6)),
    st.just({}),
    st.builds(lambda seed, share: {"seed": seed, "probability": share}, st.integers(0, 99), st.floats(0.05, 0.5)),
)


_SMTP_AUTH = "SmtpClientAuthenticationDisabled"
TASKS = ("password", "sessions", "signin", "protocols", "closing")
_NOT_THERE = {"error": {"code": "Request_ResourceNotFound", "message": "Resource does not exist."}}
# What happens before a task of the first run, to the first of its leavers or to everybody.
KILL, NOT_FOUND, EXCHANGE_OUT, OWN_PASSWORD = "killed", "404 on its read", "Exchange is out", "own password"
_EVENTS = st.one_of(
    st.just(None),
    st.tuples(st.sampled_from(TASKS), st.just(KILL)),
    st.tuples(st.sampled_from(TASKS), st.just(NOT_FOUND)),
    st.just(("closing", EXCHANGE_OUT)),
    st.just(("sessions", OWN_PASSWORD)),
)


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Faults, how far the tenant's reads lag behind its writes, and what happens before which task of the first run."""

    faults: tuple[dict[str, t.Any], ...]
    lag: float
    users: tuple[str, ...]
    event: tuple[str, str] | None = None
    # Whether the run is repeated before everything is undone.
    repeated: bool = True
    # Whether Exchange takes back a switch that the organization decides.
    nulls: str = "accepted"

    def __repr__(self) -> str:
        plain = f"{list(self.faults)}, lag={self.lag:g}, users={self.users}, event={self.event}"
        return f"Schedule({plain}, repeated={self.repeated}, nulls={self.nulls!r})"


schedules = st.builds(
    Schedule,
    faults=st.lists(
        st.builds(lambda where, when, what: {**where, **when, **what}, _WHERE, _WHEN, _WHAT), min_size=1, max_size=5
    ).map(tuple),
    lag=st.sampled_from([0.0, 0.0, 0.0, 1.0, 5.0, 20.0, 60.0]),
    users=st.lists(st.sampled_from(LEAVERS), min_size=1, max_size=6, unique=True).map(tuple),
    event=_EVENTS,
    repeated=st.sampled_from([True, True, False]),
    nulls=st.sampled_from(["accepted", "refused"]),
)


def check(world: World, schedule: Schedule) -> dict[str, int]:
    """Run the role through the schedule, then once more without faults; raise AssertionError if it lied or lost anybody.

    :returns: counts for the soak's report.
    """
    directory, tenant = world.tenant.directory, world.tenant
    people = {key: directory.user(key) for key in (*schedule.users, SAVED)}
    world.protected = (people[SAVED].upn,)
    directory.replica_lag = schedule.lag
    directory.null_parameters = schedule.nulls
    tenant.faults.add(*(Fault.from_dict(dict(fault)) for fault in schedule.faults))
    names = [user.upn for user in people.values()]
    start = {user.upn: _state(user) for user in people.values()}
    changed_own = _arrange(world, schedule, people[schedule.users[0]])
    began = world.clock.elapsed

    try:
        outcome = world.offboard(names)
    except Killed:
        _check_what_is_left(world, list(people.values()), start)
        counts = _finish(world, schedule, names, people, start)
        return {**counts, "killed": 1, "restored after a kill": counts.get("restored", 0)}

    assert world.clock.elapsed - began < 6 * (len(names) + 10) * world.retry_timeout, "it took for ever"
    _nobody_is_lost(outcome, names)
    check_outcome(world, outcome, list(people.values()))
    assert not _applied(outcome, people[SAVED]), "a protected account was written"
    _nothing_is_left_unsaid(outcome)
    for user in changed_own:
        assert not outcome.by_name[user.upn]["contained"], f"{user.key} knows the password and is called contained"
    counts = _finish(world, schedule, names, people, start)
    spoilt = not all(one["status"] in ("contained", "refused") for one in outcome.results)
    return {**counts, "spoilt": spoilt}


def _finish(
    world: World, schedule: Schedule, names: list[str], people: t.Mapping[str, t.Any], start: t.Mapping[str, t.Any]
) -> dict[str, int]:
    """The fault passes; the next run completes what the first could not, the one after it changes nothing.

    A restore from the evidence of all of them, or of the first alone, brings back what was before.
    """
    tenant = world.tenant
    struck = sum(rule.struck for rule in tenant.faults.rules)
    files = [world.file]

    world.before_task = lambda task: None
    tenant.faults.clear()
    if schedule.repeated:
        world.clock.advance(600)
        tenant.directory.replica_lag = 0
        _nobody_is_lost(world.offboard(names), names)
        files.append(world.file)
        for key in schedule.users:
            assert world.is_contained(people[key]), f"{key} is not contained after a plain second run"
        writes = len(tenant.journal.writes())
        final = world.offboard(names)
        files.append(world.file)
        assert {one["status"] for one in final.results} == {"contained", "refused"}, final.results
        assert len(tenant.journal.writes()) == writes, "a run over contained leavers wrote"
    return {
        "leavers": len(names),
        "faults": struck,
        "schedules": 1,
        f"event {(schedule.event or ('', 'none'))[1]}": 1,
        **_restored(world, [file for file in files if file], people, start, schedule.lag),
    }


def _restored(
    world: World, files: t.Sequence[str], people: t.Mapping[str, t.Any], start: t.Mapping[str, t.Any], lag: float
) -> dict[str, int]:
    """Restore everybody from this evidence: what was open is open, what was shut is shut, nothing is claimed.

    :param lag: how far reads lag behind at a first try, in seconds; the only requirement then is that it reports the truth.
    :returns: how many got something back, and whether that was from the evidence of several runs.
    """
    before = len(world.tenant.journal)
    shut = {key for key, user in people.items() if not _is_as_before(user, start[user.upn])}
    with tempfile.TemporaryDirectory() as folder:
        for number, file in enumerate(files):
            pathlib.Path(folder, f"{number}.json").write_text(file, encoding="utf-8")
        if not any(json.loads(file)["hosts"]["localhost"]["leavers"] for file in files):
            assert not shut, f"{shut} were written to, and nothing is on record"
            return {}
        names = [user.upn for user in people.values()]
        early: dict[str, t.Any] = {}
        if lag:
            world.tenant.directory.replica_lag = lag
            early = {one["user"]: one for one in world.restore(names, pathlib.Path(folder))}
            for key, user in people.items():
                one = early[user.upn]
                claimed = one["status"] in ("restored", "unchanged")
                so = _is_as_before(user, start[user.upn], smtp_auth=not _is_excused(world, one))
                # What nobody has ever read as shut may be read as open, and that is said.
                doubted = any(note.startswith("Read as open already") for note in one["notes"])
                assert so or doubted or not claimed, f"{key} is called {one['status']} by a server that lags: {one}"
            world.clock.advance(600)
            world.tenant.directory.replica_lag = 0
        results = {one["user"]: one for one in world.restore(names, pathlib.Path(folder))}
    written = {entry.user for entry in world.tenant.journal[before:] if entry.writes}
    assert written <= {people[key].id for key in shut}, "somebody was written to who had nothing to get back"
    assert sorted(results) == sorted(names), "somebody is lost in the restoration"
    for key, user in people.items():
        one = results[user.upn]
        # What the organization decided stays off where Exchange does not take that back, and is said.
        excused = (
            "smtp_auth stays off" in " ".join(one["notes"]) and world.tenant.directory.null_parameters == "refused"
        )
        assert _is_as_before(user, start[user.upn], smtp_auth=not excused), f"{key} is not as before: {one}"
        said = {one["status"], early.get(user.upn, one)["status"]}
        assert key not in shut or said & {"restored", "unconfirmed"}, f"{key} is as before, and called {said}"
    return {
        "restored": len(shut),
        "restored from several": len(shut) if len(files) > 1 else 0,
        "not believed": sum((one["error"] or {}).get("code") == "stale" for one in early.values()),
    }


def _is_excused(world: World, one: t.Mapping[str, t.Any]) -> bool:
    """Whether Exchange does not take back what the organization decided of SMTP AUTH, and that is said."""
    return world.tenant.directory.null_parameters == "refused" and "smtp_auth stays off" in " ".join(one["notes"])


def _is_as_before(user: t.Any, start: t.Mapping[str, t.Any], *, smtp_auth: bool = True) -> bool:
    """Whether sign-in and the protocols are as they were.

    :param smtp_auth: whether that switch is included.
    """
    now = _state(user)
    switches = [_effective(one["protocols"], smtp_auth=smtp_auth) for one in (now, start)]
    return bool(now["signin"] == start["signin"] and switches[0] == switches[1])


def _effective(switches: t.Mapping[str, t.Any] | None, *, smtp_auth: bool) -> dict[str, t.Any]:
    """Switches by what they do: one that was not set is on, but that of SMTP AUTH is what the organization says."""
    return {
        name: value if name == _SMTP_AUTH else value is not False
        for name, value in (switches or {}).items()
        if smtp_auth or name != _SMTP_AUTH
    }


def _state(user: t.Any) -> dict[str, t.Any]:
    return {
        "password": {"last_password_change_date_time": user["lastPasswordChangeDateTime"]},
        "signin": {"account_enabled": user["accountEnabled"]},
        "protocols": dict(user.mailbox.settings) if user.mailbox else None,
    }


def _arrange(world: World, schedule: Schedule, user: t.Any) -> list[t.Any]:
    """Let the schedule's event happen before its task.

    :returns: a list that will hold the user once they have changed their password after this run's reset.
    """
    changed: list[t.Any] = []
    task, event = schedule.event or ("", "")

    def happen(name: str) -> None:
        if name != task:
            return
        if event == KILL:
            raise Killed
        if event == NOT_FOUND:
            world.tenant.faults.add(
                Fault(listener="graph", user=user.id, writes=False, status=404, body=_NOT_THERE, nth=1)
            )
        elif event == EXCHANGE_OUT:
            world.tenant.faults.add(Fault(listener="exchange", status=503))
        elif event == OWN_PASSWORD and user["accountEnabled"]:
            world.changes_own_password(user)
            changed.append(user)

    world.before_task = happen
    return changed


def _check_what_is_left(world: World, people: t.Sequence[t.Any], start: t.Mapping[str, t.Any]) -> None:
    """The file of a run that was killed holds how everybody was found who was written to. It claims nothing else."""
    written = {entry.user for entry in world.tenant.journal if entry.writes and entry.applied}
    evidence = json.loads(world.file) if world.file else {"hosts": {"localhost": {"leavers": []}}, "complete": False}
    assert evidence["complete"] is False
    reported = {one["id"]: one for one in evidence["hosts"]["localhost"]["leavers"] if one["id"]}
    for user in people:
        if user.id not in written:
            continue
        assert user.id in reported, f"{user.key} was written to before anything was on record"
        one = reported[user.id]
        assert not one["contained"], f"{user.key} is called contained before the last read"
        for step in ("password", "signin"):
            assert one["steps"][step]["before"] == start[user.upn][step], f"{user.key}: before is not what was there"
        if user.mailbox and one["steps"]["protocols"]["before"] is not None:
            assert one["steps"]["protocols"]["before"]["owa"] == start[user.upn]["protocols"]["OWAEnabled"]


def _nothing_is_left_unsaid(outcome: Outcome) -> None:
    """A run that came to its end has an answer for each step, and a reason for each door that is not shut."""
    wrote = {leaver["user"] for run in outcome.runs for leaver in run["users"]}
    for one in outcome.results:
        statuses = {entry["status"] for entry in one["steps"].values()}
        assert statuses.isdisjoint({"planned", "pending"}), f"{one['user']}: {statuses}"
        if one["id"] in wrote:
            reasons = {door for entry in one["reasons"] for door in entry["doors"]}
            assert reasons == {*one["open"], *one["unconfirmed"]}, f"{one['user']}: doors without a reason"


def check_outcome(world: World, outcome: Outcome, people: t.Sequence[t.Any]) -> None:
    """What every run must keep: no false claim, no silent write, one password, no request into a closed window."""
    for user in people:
        _nothing_is_claimed_that_is_not_so(world, outcome, user)
        _whatever_was_written_is_told(outcome, user)
        _one_password_per_run(outcome, user)
    # Whoever lost the answer that closed a window cannot know of it.
    if all(rule.status == 429 for rule in world.tenant.faults.rules):
        early = world.sent_too_early()
        assert not early, f"sent into a closed window: {early[0]}"
    assert not world.tenant.crashes, world.tenant.crashes[0]


def _nobody_is_lost(outcome: Outcome, names: list[str]) -> None:
    if outcome.opening["users"]:
        assert sorted(one["user"] for one in outcome.results) == sorted(names)
    else:
        assert outcome.opening["error"]["message"], "no record and no reason"


def _nothing_is_claimed_that_is_not_so(world: World, outcome: Outcome, user: t.Any) -> None:
    result = outcome.by_name.get(user.upn)
    if result and result["contained"]:
        assert world.is_contained(user), f"{user.key} is called contained"
    done = {step for step, record in outcome.records_of.get(user.id, ()) if record["status"] == "verified"}
    applied = _applied(outcome, user)
    assert done <= applied, f"{user.key}: verified {done}, but the tenant saw {applied}"


def _whatever_was_written_is_told(outcome: Outcome, user: t.Any) -> None:
    reported = {step for step, record in outcome.records_of.get(user.id, ()) if record["changed"]}
    silent = {run["step"] for run in outcome.runs if not run["result"]["users"]}  # the module failed as a whole
    assert _applied(outcome, user) <= reported | silent, (
        f"{user.key}: {_applied(outcome, user)} was done, {reported} is reported"
    )


def _one_password_per_run(outcome: Outcome, user: t.Any) -> None:
    digests = {entry.password_sha256 for entry in outcome.journal_of.get(user.id, ()) if entry.password_sha256}
    assert len(digests) <= 1, f"{user.key} was sent several passwords in one run"


def _applied(outcome: Outcome, user: t.Any) -> set[str]:
    """The steps whose write really changed this user."""
    steps = set()
    for entry in outcome.journal_of.get(user.id, ()):
        if entry.writes and entry.applied:
            steps.add(_step_of(entry))
    return steps


def _step_of(entry: t.Any) -> str:
    if entry.cmdlet:
        return "protocols"
    if "revoke" in entry.path:
        return "sessions"
    return "password" if entry.password_sha256 else "signin"
