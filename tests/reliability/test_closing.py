# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What outlives the block, closed and made again against the simulator: check, read, do, read, again, and every fault."""

from __future__ import annotations

import copy
import json
import pathlib
import typing as t
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import roles
from simulator.directory import User
from simulator.faults import Fault

from .world import Killed, World, world

# An offboarding of two leavers, as counted before anything could be closed besides the doors.
USUAL_REQUESTS, USUAL_SECONDS = 29, 1.58
JANE, JOHN, MARIA = "jane.doe@contoso.com", "john.roe@contoso.com", "maria.rossi@contoso.com"
STEPS = ("devices", "consents", "authentication_methods", "memberships")
UNDONE = ("devices", "consents", "memberships")
# Step -> topic of the audit, how many objects `furnish` gives each person that can be closed, and the kinds.
TOPICS = {
    "devices": ("devices", 2),
    "consents": ("consents", 3),
    "authentication_methods": ("sign_in_methods", 4),
    "memberships": ("memberships", 2),
}


def furnish(w: World, *names: str) -> list[User]:
    """Give each of them something of everything that can be closed."""
    directory = w.tenant.directory
    for key, more in {"finance": {}, "sales": {"mail": "sales@contoso.com", "group_types": ["Unified"]}}.items():
        if key not in [group.key for group in directory.groups.values()]:
            directory.add_group(key, key.title(), **t.cast("t.Any", more))
    people = [directory.user(name) for name in names]
    for user in people:
        user.residual.change(
            {
                "devices": [{"displayName": "Laptop"}, {"displayName": "Desktop"}, {"accountEnabled": False}],
                "grants": [
                    {"client": "survey-tool", "scope": " User.Read openid"},
                    {"client": "mail-sync", "scope": "Mail.ReadWrite"},
                ],
                "app_roles": [{"resource": "mail-sync"}, {"resource": "survey-tool", "principalId": "of a group"}],
                "methods": [
                    {"kind": "microsoftAuthenticator", "default": True},
                    {"kind": "phone"},
                    {"kind": "fido2"},
                    {"kind": "temporaryAccessPass"},
                ],
            }
        )
        user.groups |= {directory.group(key).id for key in ("finance", "sales")}
    return people


def held(user: User) -> dict[str, t.Any]:
    """What the tenant itself knows, without the ids, which are others when something is made again."""
    facts = user.residual
    return copy.deepcopy(
        {
            "devices": [(one.get("displayName"), one.get("accountEnabled", True)) for one in facts.devices],
            "consents": sorted(
                [one["scope"] for one in facts.grants] + [one.get("principalId", "own") for one in facts.app_roles]
            ),
            "authentication_methods": sorted(one["kind"] for one in facts.methods),
            "memberships": (sorted(user.groups), sorted(user.roles)),
        }
    )


def found(w: World, step: str, name: str) -> list[t.Any]:
    """What an audit reports of the topic that a step closes."""
    topic = TOPICS[step][0]
    readings = w.readings("auditor-residual")
    from ansible_collections.m365.offboarding.plugins.module_utils._residual import residual_access
    from ansible_collections.m365.offboarding.plugins.module_utils._user_input import parse_users

    (reported,) = residual_access(readings, readings.resolve(parse_users([name])), [topic])
    assert reported[topic]["state"] in ("found", "none"), reported
    return list(reported[topic]["found"])


@pytest.fixture
def w() -> Iterator[World]:
    with world() as made:
        yield made


def writes(w: World) -> int:
    return len(w.tenant.journal.writes())


@pytest.mark.parametrize("step", STEPS)
def test_check_read_do_read_again(w: World, step: str) -> None:
    (jane,) = furnish(w, JANE)
    before, count = held(jane), TOPICS[step][1]
    assert len(found(w, step, JANE)) == count

    (planned,) = w.close(step, [JANE], check_mode=True)
    assert (planned["status"], planned["changed"], len(planned["objects"])) == ("planned", True, count)
    assert writes(w) == 0
    assert held(jane) == before

    (done,) = w.close(step, [JANE])
    assert done["status"] == "verified", done
    assert {one["status"] for one in done["objects"]} == {"verified"}
    assert done["before"] == planned["before"]
    assert done["after"] == planned["after"]
    assert {one["key"]: one["after"] for one in done["objects"]} == done["after"]
    assert {name for name, now in held(jane).items() if now != before[name]} == {step}
    assert writes(w) == count + (1 if step == "authentication_methods" else 0), "the default method is tried twice"
    assert found(w, step, JANE) == []

    (again,) = w.close(step, [JANE])
    assert (again["status"], again["changed"], again["before"], again["objects"]) == ("unchanged", False, {}, [])
    assert writes(w) == count + (1 if step == "authentication_methods" else 0)


@pytest.mark.parametrize("step", UNDONE)
def test_what_was_closed_is_made_again_as_it_was(w: World, step: str) -> None:
    people = furnish(w, JANE, JOHN)
    before = [held(user) for user in people]
    closed = w.close(step, [JANE, JOHN])
    sent = writes(w)
    wanted = {one["id"]: one["objects"] for one in closed}

    planned = w.close(step, [JANE, JOHN], wanted, check_mode=True)
    assert [one["status"] for one in planned] == ["planned", "planned"]
    assert writes(w) == sent

    made = w.close(step, [JANE, JOHN], wanted)
    assert [one["status"] for one in made] == ["verified", "verified"], made
    assert [held(user) for user in people] == before
    assert writes(w) == 2 * sent

    again = w.close(step, [JANE, JOHN], wanted)
    assert [one["status"] for one in again] == ["unchanged", "unchanged"]
    assert writes(w) == 2 * sent


# --- faults ---

EVERYBODY = [JANE, JOHN]
every_step = pytest.mark.parametrize("step", STEPS)
# What writes, and nothing that reads.
WRITES: dict[str, t.Any] = {"listener": "graph", "writes": True, "path": r"/(devices|oauth2P|appRole|authentic|groups)"}


def closed(w: World, step: str, people: list[User]) -> bool:
    """Whether the tenant itself has nothing left of this topic."""
    nothing = {
        "devices": lambda user: not any(enabled for _name, enabled in held(user)[step]),
        "consents": lambda user: held(user)[step] == ["of a group"],
        "authentication_methods": lambda user: not held(user)[step],
        "memberships": lambda user: held(user)[step] == ([], []),
    }[step]
    return all(map(nothing, people))


def again(w: World, step: str, people: list[User]) -> None:
    """The fault is over: a plain second run closes the rest, a third writes nothing."""
    w.tenant.faults.clear()
    w.tenant.directory.replica_lag = 0
    w.clock.advance(60)
    names = [user.upn for user in people]
    assert {one["status"] for one in w.close(step, names)} <= {"verified", "unchanged"}
    assert closed(w, step, people)
    sent = writes(w)
    assert {one["status"] for one in w.close(step, names)} == {"unchanged"}
    assert writes(w) == sent


@every_step
@pytest.mark.parametrize(
    "what",
    [
        {"status": 429, "headers": {"Retry-After": "7"}},
        {"status": 409},
        {"status": 503},
        {"status": 503, "apply_first": True},
        {"status": 504, "apply_first": True},
        {"close": "before"},
        {"close": "after"},
        {"status": 200, "body": "<html>please sign in to the proxy</html>"},
    ],
    ids=str,
)
@pytest.mark.parametrize("nth", [1, (1, 3)], ids=["once", "thrice"])
def test_a_fault_of_a_write_that_passes_is_made_good_in_the_same_run(
    w: World, step: str, what: t.Any, nth: t.Any
) -> None:
    people = furnish(w, *EVERYBODY)
    rule = w.tenant.faults.add(Fault(**WRITES, batch=True, nth=nth, **what))

    records = w.close(step, EVERYBODY)

    assert rule.struck
    assert closed(w, step, people)
    assert {one["status"] for one in records} == {"verified"}, records
    assert not w.sent_too_early()
    again(w, step, people)


@every_step
@pytest.mark.parametrize("status", [403, 503])
def test_a_write_that_never_comes_through_fails_the_leaver_and_claims_nothing(w: World, step: str, status: int) -> None:
    people = furnish(w, *EVERYBODY)
    before = [held(user) for user in people]
    w.tenant.faults.add(Fault(**WRITES, status=status))

    records = w.close(step, EVERYBODY)

    assert [held(user) for user in people] == before
    for one in records:
        assert one["status"] == "failed"
        assert {entry["status"] for entry in one["objects"]} == {"failed"}
        assert one["error"]["message"]
        assert one["changed"] is (status == 503)
    again(w, step, people)


@every_step
@pytest.mark.parametrize("lag", [1, 20, 60])
def test_replicas_that_lag_never_make_a_false_claim(w: World, step: str, lag: float) -> None:
    people = furnish(w, *EVERYBODY)
    w.tenant.directory.replica_lag = lag

    records = w.close(step, EVERYBODY)

    assert closed(w, step, people)
    assert {one["status"] for one in records} == {"verified" if lag < w.verify_timeout else "accepted"}
    assert {one["changed"] for one in records} == {True}
    again(w, step, people)


@every_step
def test_reading_that_fails_after_the_write_proves_nothing(w: World, step: str) -> None:
    people = furnish(w, JANE)
    read = (
        r"/(registeredDevices|ownedDevices|oauth2PermissionGrants|appRoleAssignments|authentication/methods|memberOf)"
    )
    seen = 1 if step in ("authentication_methods", "memberships") else 2
    w.tenant.faults.add(Fault(method="GET", path=read, nth=(seen + 1, 10_000), status=403))

    (one,) = w.close(step, [JANE])

    assert (one["status"], one["after"]) == ("accepted", None)
    again(w, step, people)


@every_step
def test_the_protected_and_administrators_are_not_touched(w: World, step: str) -> None:
    jane, john = furnish(w, JANE, JOHN)
    w.protected = (jane.upn,)
    john.roles.add(roles.REPORTS)
    before = [held(user) for user in (jane, john)]

    records = w.close(step, EVERYBODY)

    assert [(one["status"], one["error"]["code"]) for one in records] == [
        ("refused", "protected"),
        ("refused", "administrator"),
    ]
    assert writes(w) == 0
    assert [held(user) for user in (jane, john)] == before


def test_an_administrator_is_taken_out_of_the_role_where_that_is_allowed_and_put_back(w: World) -> None:
    (jane,) = furnish(w, JANE)
    jane.roles.add(roles.REPORTS)
    before = held(jane)
    options: dict[str, t.Any] = {"app": "closer-of-administrators", "allow_admins": True}

    (one,) = w.close("memberships", [JANE], **options)
    assert (one["status"], jane.roles) == ("verified", set())
    (back,) = w.close("memberships", [JANE], {jane.id: one["objects"]}, **options)
    assert (back["status"], held(jane)) == ("verified", before)


def test_the_last_global_administrator_keeps_the_role(w: World) -> None:
    for user in w.tenant.directory.everyone():
        user.roles.discard(roles.GLOBAL)
    (jane,) = furnish(w, JANE)
    jane.roles.add(roles.GLOBAL)

    (one,) = w.close("memberships", [JANE], app="closer-of-administrators", allow_admins=True)

    assert (one["status"], one["error"]["code"], writes(w)) == ("refused", "last_global_administrator", 0)


# --- generated faults ---

_KINDS = st.sampled_from(
    [
        {"status": 429, "headers": {"Retry-After": "3"}},
        {"status": 503},
        {"status": 503, "apply_first": True},
        {"status": 403},
        {"status": 404, "body": {"error": {"code": "Request_ResourceNotFound", "message": "Gone."}}},
        {"close": "after"},
        {"delay": 40.0},
    ]
)
_PLACES = st.sampled_from([{**WRITES}, {"listener": "graph", "writes": False, "batch": True}, {"listener": "graph"}])
_FAULTS = st.lists(
    st.builds(
        lambda where, what, first: {**where, **what, "nth": (first, first + 1)}, _PLACES, _KINDS, st.integers(1, 9)
    ),
    max_size=4,
)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(faults=_FAULTS, lag=st.sampled_from([0.0, 0.0, 5.0, 60.0]), step=st.sampled_from(STEPS))
def test_no_schedule_of_faults_makes_a_false_claim_or_loses_what_was_there(
    faults: list[dict[str, t.Any]], lag: float, step: str
) -> None:
    with world() as w:
        people = furnish(w, *EVERYBODY)
        before = [held(user) for user in people]
        w.tenant.directory.replica_lag = lag
        w.tenant.faults.add(*(Fault.from_dict(dict(fault)) for fault in faults), Fault(path="never"))

        first = w.close(step, EVERYBODY)
        for user, one, was in zip(people, first, before, strict=True):
            changed = held(user) != was
            assert one["changed"] or not changed, f"{user.key} was written to in silence: {one}"
            assert one["status"] != "verified" or closed(w, step, [user]), f"{user.key} is called closed: {one}"
            applied = [e for e in w.tenant.journal.writes() if e.user == user.id and e.applied]
            assert bool(applied) is changed
        w.tenant.faults.clear()
        w.clock.advance(600)
        w.tenant.directory.replica_lag = 0
        second = w.close(step, EVERYBODY)
        assert closed(w, step, people), second
        if step not in UNDONE:
            return
        # From what both runs have recorded, as a restore has it: the first `before` of each object counts.
        wanted: dict[str, dict[str, t.Any]] = {}
        for one in (*second, *first):
            wanted.setdefault(one["id"], {}).update({entry["key"]: entry for entry in one["objects"]})
        made = w.close(step, EVERYBODY, {key: list(own.values()) for key, own in wanted.items()})
        assert {one["status"] for one in made} <= {"verified", "unchanged"}, made
        assert [held(user) for user in people] == before


# --- the role ---


def test_the_role_closes_after_the_four_steps_and_says_what_is_still_residual(w: World) -> None:
    people = furnish(w, *EVERYBODY)
    w.app = "closer"

    outcome = w.offboard(EVERYBODY, also=STEPS)

    for user, one in zip(people, outcome.results, strict=True):
        assert (one["status"], one["contained"]) == ("contained", True)
        assert {topic: entry["status"] for topic, entry in one["also"].items()} == dict.fromkeys(STEPS, "verified")
        assert one["also"]["consents"]["before"]
        left = {topic: entry["state"] for topic, entry in one["residual"].items()}
        assert {topic for topic, state in left.items() if state != "none"} == set(), left
        assert all(closed(w, step, [user]) for step in STEPS)
    order = [e.path for e in w.tenant.journal.writes() if e.user == people[0].id and e.cmdlet is None]
    first = [
        next(n for n, path in enumerate(order) if mark in path)
        for mark in ("/devices/", "Grants", "authent", "/groups/")
    ]
    assert first == sorted(first)
    assert min(first) > max(
        n for n, path in enumerate(order) if path.rpartition("/")[0].endswith("users") or "revoke" in path
    )
    written = writes(w)
    again = w.offboard(EVERYBODY, also=STEPS)
    assert {entry["status"] for one in again.results for entry in one["also"].values()} == {"unchanged"}
    assert writes(w) == written


def test_a_user_who_is_contained_already_goes_through_what_is_closed_besides(w: World) -> None:
    (jane,) = furnish(w, JANE)
    w.offboard([JANE])
    w.app = "closer"

    (one,) = w.offboard([JANE], also=["consents"]).results

    assert (one["contained"], one["also"]["consents"]["status"]) == (True, "verified")
    assert closed(w, "consents", [jane])


def test_a_missing_permission_leaves_its_topic_not_closed_and_stops_nothing(w: World) -> None:
    furnish(w, JANE)
    w.app = "closer"
    app = w.tenant.app("closer")
    app.graph = app.graph - {"AppRoleAssignment.ReadWrite.All", "GroupMember.ReadWrite.All"}

    (one,) = w.offboard([JANE], also=STEPS).results

    assert (one["status"], one["contained"]) == ("contained", True)
    assert {topic: entry["status"] for topic, entry in one["also"].items()} == {
        "devices": "verified",
        "consents": "failed",
        "authentication_methods": "verified",
        "memberships": "failed",
    }
    assert "AppRoleAssignment.ReadWrite.All" in str(one["also"]["consents"]["error"])
    assert (one["residual"]["consents"]["state"], one["residual"]["memberships"]["state"]) == ("found", "found")


def test_an_offboarding_without_it_takes_the_requests_and_seconds_that_it_always_took(w: World) -> None:
    people = furnish(w, *EVERYBODY)
    began = w.clock.elapsed

    w.offboard(EVERYBODY)

    assert w.network.requests == USUAL_REQUESTS
    assert w.clock.elapsed - began == pytest.approx(USUAL_SECONDS)
    assert not any(closed(w, step, people) for step in STEPS)


def test_a_run_that_is_killed_between_topics_leaves_what_it_has_closed(w: World) -> None:
    furnish(w, JANE)
    w.app = "closer"

    def kill(task: str) -> None:
        if task == "memberships":
            raise Killed

    w.before_task = kill
    with pytest.raises(Killed):
        w.offboard([JANE], also=STEPS)

    (one,) = json.loads(str(w.file))["hosts"]["localhost"]["leavers"]
    assert one["also"]["consents"]["status"] == "verified"
    assert one["also"]["consents"]["objects"]
    assert one["also"]["memberships"]["status"] == "pending"


@pytest.mark.parametrize("killed", [False, True])
def test_a_restore_brings_back_what_was_closed_and_says_what_it_cannot(
    w: World, tmp_path: pathlib.Path, killed: bool
) -> None:
    people = furnish(w, *EVERYBODY)
    w.app = "closer"
    before = [held(user) for user in people]
    if killed:

        def kill(task: str) -> None:
            if task == "memberships":
                raise Killed

        w.before_task = kill
        with pytest.raises(Killed):
            w.offboard(EVERYBODY, also=STEPS)
        (tmp_path / "0.json").write_text(str(w.file))
        w.before_task = lambda _task: None
        w.clock.advance(60)
    w.offboard(EVERYBODY, also=STEPS)
    (tmp_path / "1.json").write_text(str(w.file))
    assert all(closed(w, step, people) for step in STEPS)

    restored = w.restore(EVERYBODY, tmp_path)

    for user, was, one in zip(people, before, restored, strict=True):
        assert one["status"] == "restored", one
        assert {step: one["steps"][step]["status"] for step in UNDONE} == dict.fromkeys(UNDONE, "verified")
        now = held(user)
        assert {step: now[step] for step in UNDONE} == {step: was[step] for step in UNDONE}
        assert now["authentication_methods"] == []
        assert "Sign-in methods that were deleted: 4." in " ".join(one["notes"])
    w.tenant.directory.null_parameters = "accepted"  # of SMTP AUTH, which is another test's concern
    w.restore(EVERYBODY, tmp_path)
    sent = writes(w)
    assert {one["status"] for one in w.restore(EVERYBODY, tmp_path)} == {"unchanged"}
    assert writes(w) == sent
