# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run with `since` says of each leaver of earlier evidence, case by case; `test_nights` mixes them."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from simulator.directory import User, timestamp
from simulator.faults import Fault

from .world import Outcome, World, world

DAY = 24 * 3600.0
HOUR = 3600.0


class Nights:
    """One tenant and the folder that keeps its evidence."""

    def __init__(self, made: World, folder: pathlib.Path) -> None:
        self.world = made
        self.folder = folder
        self.directory = made.tenant.directory
        self.jane: User = self.directory.user("jane")
        self.john: User = self.directory.user("john")

    def offboard(self, *users: User, since: Any = "", name: str = "", **options: Any) -> Outcome:
        outcome = self.world.offboard([user.upn for user in users], since=since, **options)
        return self._kept(outcome, name)

    def audit(self, *users: User, since: Any = "", name: str = "", **search: Any) -> Outcome:
        outcome = self.world.audit([user.upn for user in users], since=since, **search)
        return self._kept(outcome, name)

    def _kept(self, outcome: Outcome, name: str) -> Outcome:
        # A run that began later has written later.
        self.world.clock.advance(HOUR)
        if name:
            self.write(name, str(self.world.file))
        return outcome

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def path(self, name: str = "") -> str:
        return str(self.folder / name) if name else str(self.folder)


@pytest.fixture
def nights(tmp_path: pathlib.Path) -> Iterator[Nights]:
    with world() as made:
        yield Nights(made, tmp_path)


def of(outcome: Outcome, user: User) -> dict[str, Any]:
    (found,) = [one for one in outcome.results if user.id in (one["id"], (one["since"] or {}).get("id"))]
    return found


def reported(outcome: Outcome) -> str:
    return " ".join(" ".join(outcome.table).split())


# --- who is looked at, and what is said of them ---


@pytest.mark.parametrize("earlier", ["audit", "offboard"])
def test_a_user_who_is_re_enabled_is_named_though_no_search_finds_them(nights: Nights, earlier: str) -> None:
    nights.offboard(nights.jane, name="offboard.json")
    nights.audit(blocked=True, name="audit.json")
    nights.jane["accountEnabled"] = True

    without = nights.audit(blocked=True)
    outcome = nights.audit(blocked=True, since=nights.path(f"{earlier}.json"))

    assert nights.jane.id not in {one["id"] for one in without.results}
    one = of(outcome, nights.jane)
    assert one["since"]["newly_open"] == ["password", "sessions", "signin"]
    assert one["since"]["no_longer"] == "Sign-in is allowed again."
    assert f"{nights.jane.upn}: newly open: password, sessions, signin" in "\n".join(outcome.failures)
    assert "no longer named or found: jane.doe@contoso.com: Sign-in is allowed again." in reported(outcome)
    assert not any(entry.writes for entry in outcome.journal)


def test_a_user_who_is_still_as_then_and_nobody_asked_for_is_looked_at_and_fails_nothing(nights: Nights) -> None:
    nights.offboard(nights.jane, nights.john, name="monday.json")

    outcome = nights.audit(nights.john, since=nights.path("monday.json"))

    one = of(outcome, nights.jane)
    assert (one["contained"], one["since"]["newly_open"]) == (True, [])
    assert one["since"]["no_longer"] == "This user was neither named nor found by a search."
    assert of(outcome, nights.john)["since"]["no_longer"] is None
    assert outcome.failures == []


def test_a_user_who_is_deleted_is_named_and_open_again_is_newly_open(nights: Nights) -> None:
    nights.offboard(nights.jane, name="1.json")
    nights.directory.delete(nights.jane)
    deleted = nights.audit(since=nights.path(), name="2.json")
    nights.directory.restore(nights.jane)
    nights.world.clock.advance(HOUR)
    nights.jane["accountEnabled"] = True
    back = nights.audit(since=nights.path(), name="3.json")

    one = of(deleted, nights.jane)
    assert (one["status"], one["user"], one["id"]) == ("deleted", nights.jane.upn, None)
    assert one["since"]["no_longer"].startswith(f"jane.doe@contoso.com ({nights.jane.id}) was deleted at ")
    assert deleted.failures == []
    assert "signin" in of(back, nights.jane)["since"]["newly_open"]
    assert back.failures


def test_a_user_who_is_gone_for_good_is_named_once_and_looked_for_once_more(nights: Nights) -> None:
    nights.offboard(nights.jane, name="1.json")
    nights.directory.delete(nights.jane)
    del nights.directory.deleted[nights.jane.id]
    first = nights.audit(since=nights.path(), name="2.json")
    second = nights.audit(since=nights.path(), name="3.json")
    third = nights.audit(since=nights.path(), name="4.json")

    assert "is gone: neither a user nor a deleted user" in of(first, nights.jane)["since"]["no_longer"]
    assert first.failures == []
    asked = [nights.jane.id in entry.path for entry in second.journal]
    assert any(asked)
    assert (second.results, third.results) == ([], [])
    assert not any(nights.jane.id in entry.path for entry in third.journal)


def test_one_answer_that_says_gone_hides_nothing(nights: Nights) -> None:
    """A server that knows nobody for a moment: the next night looks again, and what was opened by then is new."""
    nights.offboard(nights.jane, name="1.json")
    nothing = {"error": {"code": "Request_ResourceNotFound", "message": "Resource does not exist."}}
    nights.world.tenant.faults.add(
        Fault(listener="graph", path=nights.jane.id, writes=False, status=404, body=nothing, nth=(1, 20))
    )
    gone = nights.audit(since=nights.path(), name="2.json")
    nights.world.tenant.faults.clear()
    nights.jane["accountEnabled"] = True
    back = nights.audit(since=nights.path(), name="3.json")

    assert of(gone, nights.jane)["status"] == "deleted"
    assert "signin" in of(back, nights.jane)["since"]["newly_open"]


def test_another_account_under_the_old_name_is_named_and_is_not_the_leaver(nights: Nights) -> None:
    nights.offboard(nights.jane, name="1.json")
    nights.directory.delete(nights.jane)
    (other,) = nights.directory.add_crowd(1)
    other["userPrincipalName"] = nights.jane.upn

    outcome = nights.audit(since=nights.path())

    one = of(outcome, nights.jane)
    said = f"jane.doe@contoso.com is now a different account, with the object ID {other.id}."
    assert one["since"]["no_longer"].endswith(said)
    assert one["open"] == []
    assert other.id not in {one["id"] for one in outcome.results}


def test_a_new_user_with_the_name_of_a_deleted_leaver_is_refused_every_night(nights: Nights) -> None:
    """HR's list still has the name, the leaver's account is in the bin and then gone, and a new user has the name."""
    nights.offboard(nights.jane, name="1.json")
    nights.directory.delete(nights.jane)
    nights.offboard(nights.jane, since=nights.path(), name="2.json")
    (hired,) = nights.directory.add_crowd(1)
    hired["userPrincipalName"] = nights.jane.upn
    first = nights.offboard(hired, since=nights.path(), name="3.json")
    del nights.directory.deleted[nights.jane.id]
    later = [nights.offboard(hired, since=nights.path(), name=f"{night}.json") for night in (4, 5, 6)]

    for outcome in (first, *later):
        one = of(outcome, hired)
        assert (one["status"], one["error"]["code"]) == ("refused", "other_account")
        assert one["since"]["newly_open"] == []
        assert not any(entry.writes for entry in outcome.journal)

    # An object ID identifies the account without doubt; from then on, the name refers to it too.
    by_id = nights.world.offboard([hired.id], since=nights.path())
    nights._kept(by_id, "7.json")
    hired["accountEnabled"] = True
    by_name = nights.offboard(hired, since=nights.path())
    assert of(by_id, hired)["contained"]
    assert of(by_name, hired)["contained"]


# --- one person is one row ---


def spelled(user: User, how: str) -> list[Any]:
    return {
        "by name": [user.upn],
        "in another case": [user.upn.upper()],
        "by object ID": [user.id],
        "by both": [user.upn, user.id],
        "by object ID and name": [user.id.upper(), user.upn],
        "in one mapping": [{"user": user.upn, "id": user.id}],
    }[how]


@pytest.mark.parametrize(
    "how", ["by name", "in another case", "by object ID", "by both", "by object ID and name", "in one mapping"]
)
@pytest.mark.parametrize("purpose", ["audit", "offboard"])
def test_a_deleted_leaver_who_is_named_is_one_person(nights: Nights, how: str, purpose: str) -> None:
    nights.offboard(nights.jane, nights.john, name="1.json")
    nights.directory.delete(nights.jane)
    run = nights.world.audit if purpose == "audit" else nights.world.offboard
    for name in ("2.json", "3.json"):
        outcome = run([*spelled(nights.jane, how), nights.john.upn], since=nights.path())
        nights._kept(outcome, name)

        assert len(outcome.results) == 2
        one = of(outcome, nights.jane)
        assert (one["status"], one["since"]["no_longer"]) == ("deleted", None)
        # The history is theirs, whatever the spelling.
        assert (one["since"]["new"], one["since"]["shut_out"]) == (False, True)
        assert outcome.failures == []
        assert reported(outcome).startswith("1 of 2 leavers are contained")
        assert reported(outcome).count(" was deleted at ") == 1
    # Restored and open: who it is was not forgotten.
    nights.directory.restore(nights.jane)
    nights.world.clock.advance(HOUR)
    nights.jane["accountEnabled"] = True
    back = nights.audit(since=nights.path())
    assert "signin" in of(back, nights.jane)["since"]["newly_open"]


def test_a_renamed_and_deleted_leaver_is_one_person_by_the_new_name(nights: Nights) -> None:
    nights.offboard(nights.jane, name="1.json")
    nights.jane["userPrincipalName"] = "jane.former@contoso.com"
    nights.directory.delete(nights.jane)

    outcome = nights.audit(nights.jane, since=nights.path())

    (one,) = outcome.results
    assert (one["user"], one["status"], one["since"]["id"]) == ("jane.former@contoso.com", "deleted", nights.jane.id)
    assert one["since"]["new"] is False


def test_a_named_leaver_who_is_gone_for_good_is_one_person(nights: Nights) -> None:
    """The name means nobody any more, so it fails as any such name does, and the evidence keeps whose it was."""
    nights.offboard(nights.jane, name="1.json")
    nights.directory.delete(nights.jane)
    del nights.directory.deleted[nights.jane.id]
    for name in ("2.json", "3.json"):
        outcome = nights.audit(nights.jane, since=nights.path(), name=name)

        (one,) = outcome.results
        assert (one["status"], one["error"]["code"]) == ("failed", "not_found")
        assert (one["since"]["id"], one["since"]["new"]) == (nights.jane.id, False)
        assert len(outcome.failures) == 1
    (hired,) = nights.directory.add_crowd(1)
    hired["userPrincipalName"] = nights.jane.upn
    assert of(nights.audit(hired, since=nights.path()), hired)["error"]["code"] == "other_account"


def test_two_people_of_one_name_stay_two(nights: Nights) -> None:
    """Two deleted accounts of one name, each known: the name may stand for either."""
    nights.offboard(nights.jane, name="1.json")
    nights.directory.delete(nights.jane)
    (hired,) = nights.directory.add_crowd(1)
    hired["userPrincipalName"] = nights.jane.upn
    nights._kept(nights.world.offboard([hired.id], since=nights.path()), "2.json")
    nights.directory.delete(hired)

    binned = nights.audit(hired, since=nights.path())
    assert {(one["since"] or {}).get("id") for one in binned.results} == {None, nights.jane.id, hired.id}

    # One of the two is gone for good: the name is that of the other.
    del nights.directory.deleted[nights.jane.id]
    one_gone = nights.audit(hired, since=nights.path())
    assert sorted((one["status"], one["since"]["id"] == hired.id) for one in one_gone.results) == [
        ("deleted", False),
        ("deleted", True),
    ]
    assert of(one_gone, hired)["since"]["no_longer"] is None

    # Both are: it is that of neither.
    del nights.directory.deleted[hired.id]
    both_gone = nights.audit(hired, since=nights.path())
    assert {(one["since"] or {}).get("id") for one in both_gone.results} == {None, nights.jane.id, hired.id}


def test_a_deleted_account_of_the_same_name_has_not_the_history_of_the_one_before(nights: Nights) -> None:
    nights.offboard(nights.jane, name="1.json")
    nights.directory.delete(nights.jane)
    del nights.directory.deleted[nights.jane.id]
    (hired,) = nights.directory.add_crowd(1)
    hired["userPrincipalName"] = nights.jane.upn
    nights.directory.delete(hired)

    outcome = nights.audit(hired, since=nights.path())

    by_id = {one["since"]["id"]: one for one in outcome.results}
    assert set(by_id) == {None, nights.jane.id}
    assert (by_id[None]["status"], by_id[None]["since"]["new"]) == ("deleted", True)
    assert by_id[nights.jane.id]["since"]["no_longer"]


def test_a_user_who_was_renamed_is_named_with_both_names(nights: Nights) -> None:
    nights.offboard(nights.jane, name="1.json")
    nights.jane["userPrincipalName"] = "jane.former@contoso.com"

    outcome = nights.audit(nights.john, since=nights.path())

    one = of(outcome, nights.jane)
    assert (one["user"], one["contained"]) == ("jane.former@contoso.com", True)
    assert "The user principal name was jane.doe@contoso.com." in one["since"]["no_longer"]


def test_a_read_that_fails_is_said_and_what_was_known_stays_known(nights: Nights) -> None:
    nights.offboard(nights.jane, name="1.json")
    rule = Fault(listener="graph", path=nights.jane.id, writes=False, status=403)
    nights.world.tenant.faults.add(rule)
    failed = nights.audit(since=nights.path(), name="2.json")
    nights.world.tenant.faults.clear()
    nights.jane["accountEnabled"] = True
    back = nights.audit(since=nights.path(), name="3.json")

    one = of(failed, nights.jane)
    assert (one["status"], one["user"], one["since"]["id"]) == ("failed", nights.jane.upn, nights.jane.id)
    assert failed.failures
    assert of(back, nights.jane)["since"]["newly_open"] == ["password", "sessions", "signin"]


def test_a_door_that_one_night_could_not_read_is_compared_with_the_night_before(nights: Nights) -> None:
    nights.offboard(nights.jane, name="1.json")
    nights.world.tenant.faults.add(Fault(listener="exchange", status=403))
    nights.audit(nights.jane, since=nights.path(), name="2.json")
    nights.world.tenant.faults.clear()
    assert nights.jane.mailbox is not None
    nights.jane.mailbox["ImapEnabled"] = True

    outcome = nights.audit(nights.jane, since=nights.path())

    assert of(outcome, nights.jane)["since"]["newly_open"] == ["imap"]


def test_a_user_known_only_from_the_evidence_is_not_written(nights: Nights) -> None:
    nights.offboard(nights.jane, name="1.json")
    nights.jane["accountEnabled"] = True

    outcome = nights.offboard(nights.john, since=nights.path())

    assert {entry.user for entry in outcome.journal if entry.writes} == {nights.john.id}
    assert of(outcome, nights.john)["contained"]
    assert of(outcome, nights.jane)["steps"]["signin"]["done"] == "is open"
    assert of(outcome, nights.jane)["since"]["newly_open"] == ["password", "sessions", "signin"]
    assert f"{nights.jane.upn}: newly open" in "\n".join(outcome.failures)


def test_a_nightly_offboarding_names_everybody_it_had_to_shut_again(nights: Nights) -> None:
    nights.offboard(nights.jane, nights.john, name="1.json")
    nights.jane["accountEnabled"] = True

    outcome = nights.offboard(nights.jane, nights.john, since=nights.path(), name="2.json")
    after = nights.offboard(nights.jane, nights.john, since=nights.path())

    one = of(outcome, nights.jane)
    assert (one["contained"], one["since"]["newly_open"]) == (True, [])
    assert one["since"]["shut_again"] == ["password", "sessions", "signin"]
    assert of(outcome, nights.john)["since"]["shut_again"] == []
    assert "shut again, open since " in reported(outcome)
    assert outcome.failures == []
    assert of(after, nights.jane)["since"]["shut_again"] == []


def test_a_user_who_was_dismissed_at_noon_stays_out_however_many_nights_ago(nights: Nights) -> None:
    """HR's list says next month, somebody opens the account: open, and not `not_due`."""
    nights.offboard(nights.jane, name="1.json")
    ahead = timestamp(nights.directory.now()).replace("2026", "2031")
    of_hr = [{"user": nights.jane.upn, "left_at": ahead}]
    nights.jane["accountEnabled"] = True
    for name in ("2.json", "3.json"):
        outcome = nights.world.audit(of_hr, since=nights.path())
        nights._kept(outcome, name)

    assert of(outcome, nights.jane)["status"] == "open"


def test_a_newly_open_door_fails_whoever_it_belongs_to(nights: Nights) -> None:
    """Somebody who leaves later, was found shut, and is open: the date does not excuse it."""
    nights.directory.user("leaving")["accountEnabled"] = False
    leaving = nights.directory.user("leaving")
    ahead = timestamp(nights.directory.now()).replace("2026", "2031")
    asked = [{"user": leaving.upn, "left_at": ahead}]
    nights._kept(nights.world.audit(asked), "1.json")
    leaving["accountEnabled"] = True

    outcome = nights.world.audit(asked, since=nights.path())

    one = of(outcome, leaving)
    assert (one["status"], one["since"]["newly_open"]) == ("not_due", ["signin"])
    assert outcome.failures


# --- whose password it is ---


@pytest.mark.parametrize(("since", "shut"), [(True, True), (False, False)])
def test_a_later_sign_out_by_another_tool_is_not_an_open_door_where_the_password_is_ours(
    nights: Nights, since: bool, shut: bool
) -> None:
    nights.offboard(nights.jane, name="1.json")
    nights.world.clock.advance(3 * DAY)
    nights.jane["signInSessionsValidFromDateTime"] = timestamp(nights.directory.now())
    if since:
        # The evidence of an audit hands it on.
        nights.audit(nights.jane, since=nights.path(), name="2.json")
        (nights.folder / "1.json").unlink()

    outcome = nights.audit(nights.jane, since=nights.path() if since else "")

    one = of(outcome, nights.jane)
    assert one["contained"] is shut
    assert one["open"] == ([] if shut else ["password", "sessions"])


@pytest.mark.parametrize("event", ["reset by somebody", "sign-in allowed"])
def test_a_password_that_is_not_ours_any_more_is_open(nights: Nights, event: str) -> None:
    nights.offboard(nights.jane, name="1.json")
    nights.world.clock.advance(3 * DAY)
    if event == "reset by somebody":
        nights.jane["lastPasswordChangeDateTime"] = timestamp(nights.directory.now())
        nights.world.clock.advance(DAY)
    else:
        nights.jane["accountEnabled"] = True
    nights.jane["signInSessionsValidFromDateTime"] = timestamp(nights.directory.now())

    outcome = nights.audit(nights.jane, since=nights.path())

    assert {"password", "sessions"} <= set(of(outcome, nights.jane)["since"]["newly_open"])


# --- which evidence is used ---


def test_the_newest_complete_run_counts_and_the_others_are_named(nights: Nights) -> None:
    nights.audit(nights.jane, name="old.json")
    nights.offboard(nights.jane, name="b.json")
    good = nights.audit(nights.jane, name="a.json")
    app = nights.world.tenant.app("offboarding")
    app.secret_expired = True
    nights.audit(nights.jane, name="expired.json")
    app.secret_expired = False
    nights.audit(nights.jane)
    whole = str(nights.world.file)
    nights.write("killed.json", json.dumps({**json.loads(whole), "complete": False}))
    nights.write("other.json", whole.replace(nights.world.tenant.tenant_id, "00000000-0000-4000-8000-00000000f00d"))
    nights.offboard(nights.john, check_mode=True, name="dry.json")
    nights.write("list.json", "[]")
    nights.write("undated.json", json.dumps({**json.loads(whole), "written_at": "yesterday"}))
    nights.write("ahead.json", json.dumps({**json.loads(whole), "written_at": "2999-01-01T00:00:00Z"}))
    nights.jane["accountEnabled"] = True

    outcome = nights.audit(nights.john, since=nights.path())

    since = outcome.entry["since"]
    files = {pathlib.Path(one["file"]).name: one["reason"] for one in since["not_comparable"]}
    spoilt = {"expired.json", "killed.json", "other.json", "dry.json", "list.json", "undated.json", "ahead.json"}
    assert files.keys() == spoilt
    assert files["expired.json"].startswith("its run read no user: ")
    assert "AADSTS7000222" in files["expired.json"]
    assert "killed" in files["killed.json"]
    assert "another tenant, 00000000-0000-4000-8000-00000000f00d" in files["other.json"]
    assert "dry run" in files["dry.json"]
    assert files["undated.json"] == "when it was written cannot be read"
    assert files["ahead.json"] == "it was written in the future, at 2999-01-01T00:00:00Z"
    assert pathlib.Path(since["compared_with"][0]["file"]).name == "a.json"
    one = of(outcome, nights.jane)
    assert one["since"]["newly_open"] == ["password", "sessions", "signin"]
    assert one["since"]["compared_with"] == since["compared_with"][0]["written_at"]
    assert all(one["contained"] for one in good.results)
    for name in files:
        assert f"{name}:" in "".join("".join(outcome.table).split())


@pytest.mark.parametrize("spoilt", ["killed", "expired", "other tenant", "dry run", "empty folder"])
def test_where_nothing_can_be_compared_with_that_is_said_and_never_nothing(nights: Nights, spoilt: str) -> None:
    app = nights.world.tenant.app("offboarding")
    app.secret_expired = spoilt == "expired"
    if spoilt == "dry run":
        nights.offboard(nights.jane, check_mode=True)
    else:
        nights.audit(nights.jane)
    app.secret_expired = False
    text = str(nights.world.file)
    if spoilt == "killed":
        text = json.dumps({**json.loads(text), "complete": False})
    elif spoilt == "other tenant":
        text = text.replace(nights.world.tenant.tenant_id, "00000000-0000-4000-8000-00000000f00d")
    if spoilt != "empty folder":
        nights.write("one.json", text)

    outcome = nights.audit(nights.john, since=nights.path())

    assert "newly open: not comparable" in reported(outcome)
    assert ": nothing" not in reported(outcome)
    assert {one["id"] for one in outcome.results} == {nights.john.id}


@pytest.mark.parametrize("audit_first", [True, False])
def test_every_file_before_counts_whatever_the_order_of_audits_and_offboardings(
    nights: Nights, audit_first: bool
) -> None:
    if audit_first:
        nights.audit(nights.john, name="1.json")
    nights.offboard(nights.jane, name="2.json")
    if not audit_first:
        nights.audit(nights.john, name="3.json")
    nights.jane["accountEnabled"] = True

    outcome = nights.audit(nights.john, since=nights.path())

    assert "signin" in of(outcome, nights.jane)["since"]["newly_open"]


def test_a_run_that_compared_with_those_before_it_is_enough(nights: Nights) -> None:
    nights.offboard(nights.jane, name="1.json")
    nights.audit(nights.john, since=nights.path(), name="2.json")
    outcome = nights.audit(nights.john, since=nights.path())

    files = [pathlib.Path(one["file"]).name for one in outcome.entry["since"]["compared_with"]]
    assert files == ["2.json"]
    assert of(outcome, nights.jane)["contained"]


def test_several_tenants_in_one_file_are_told_apart(nights: Nights) -> None:
    nights.offboard(nights.jane, name="1.json")
    whole = json.loads((nights.folder / "1.json").read_text())
    ours = whole["hosts"].pop("localhost")
    theirs = json.loads(json.dumps(ours))
    theirs["tenant_id"] = "00000000-0000-4000-8000-00000000f00d"
    for one in theirs["leavers"]:
        one["id"] = "00000000-0000-4000-8000-00000000abcd"
    whole["hosts"] = {"fabrikam": theirs, "contoso": ours}
    nights.write("1.json", json.dumps(whole))
    nights.jane["accountEnabled"] = True

    outcome = nights.audit(nights.john, since=nights.path("1.json"))

    assert "signin" in of(outcome, nights.jane)["since"]["newly_open"]
    assert len(outcome.results) == 2
    assert outcome.entry["since"]["not_comparable"] == []
    assert not any("abcd" in entry.path for entry in outcome.journal)


def test_a_list_of_files_is_one_history(nights: Nights) -> None:
    nights.offboard(nights.jane, name="1.json")
    nights.offboard(nights.john, name="2.json")
    nights.jane["accountEnabled"] = True
    nights.john["accountEnabled"] = True
    paths = [nights.path("1.json"), nights.path("2.json")]

    for since in (paths, ",".join(paths), "\n".join(paths)):
        outcome = nights.audit(blocked=True, since=since)
        assert "signin" in of(outcome, nights.jane)["since"]["newly_open"]
        assert "signin" in of(outcome, nights.john)["since"]["newly_open"]
