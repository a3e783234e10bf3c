# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""m365_deleted_user: who was deleted comes back, exactly that one, and nobody else."""

from __future__ import annotations

import pytest

from fakes.clock import later
from fakes.people import crowd, person
from fakes.turns import (
    DELETED_PROPERTIES,
    fault,
    find,
    find_by_address,
    find_deleted,
    forbidden,
    graph_error,
    mastered_on_premises,
    not_found,
    read,
    read_deleted,
    restore,
)

MODULE = "m365_deleted_user"
JANE = person("jane.doe", accountEnabled=False)
UPN = "jane.doe@contoso.com"
WHEN = later(hours=-31)


def deleted(one, *, prefixed=False, **facts):
    """Somebody as the deleted items show them."""
    prefix = one["id"].replace("-", "") if prefixed else ""
    return {**one, "userPrincipalName": prefix + one["userPrincipalName"], "deletedDateTime": WHEN, **facts}


def expect_search(lab, name, *gone):
    """Look for a name: nobody has it, somebody deleted had it; then read who that was."""
    lab.wire.expect(find(name))
    lab.wire.expect(find_deleted(name, *gone))
    lab.wire.expect(find_by_address(name))
    lab.wire.expect(find_deleted(name, *gone, select=DELETED_PROPERTIES))


@pytest.mark.parametrize("prefixed", [False, True], ids=["plain name", "name with the id before it"])
def test_a_deleted_user_is_restored_by_name_and_read_back(lab, prefixed):
    expect_search(lab, UPN, deleted(JANE, prefixed=prefixed))
    lab.wire.expect_each(restore(JANE), read(JANE))

    reported = lab.run(MODULE, users=UPN, state="restored", allow_admins=True)

    assert (reported.user["status"], reported.changed, reported.failed) == ("verified", True, False)
    assert (reported.user["id"], reported.user["user_principal_name"]) == (JANE["id"], UPN)
    assert reported.user["before"] == {"deleted": True, "deleted_at": WHEN, "account_enabled": False}
    assert reported.user["after"] == {"deleted": False, "deleted_at": None, "account_enabled": False}
    assert (reported.user["written_at"], reported.user["effective_by"]) == (later(), None)
    assert reported.result["diff"] == {"before": {UPN: reported.user["before"]}, "after": {UPN: reported.user["after"]}}


def test_a_deleted_user_is_restored_by_object_id(lab):
    lab.wire.expect_each(
        read(JANE).but(not_found(JANE["id"])),
        read_deleted(JANE["id"], deleted(JANE)),
        read_deleted(JANE["id"], deleted(JANE), select=DELETED_PROPERTIES),
        restore(JANE),
        read(JANE),
    )

    assert lab.run(MODULE, users=JANE["id"], state="restored", allow_admins=True).statuses == ["verified"]


def test_a_user_who_is_not_deleted_stays_as_is(lab):
    lab.wire.expect_each(find(JANE), find_deleted(UPN, select=DELETED_PROPERTIES))

    reported = lab.run(MODULE, users=UPN, state="restored")

    assert (reported.statuses, reported.changed) == (["unchanged"], False)
    assert reported.user["after"] == {"deleted": False, "deleted_at": None, "account_enabled": False}


def test_check_mode_foretells_and_needs_no_permission_to_write(lab):
    lab.entra.permissions["https://graph.microsoft.com"] = ("User.Read.All",)
    expect_search(lab, UPN, deleted(JANE, accountEnabled=True))

    reported = lab.run(MODULE, check=True, users=UPN, state="restored", allow_admins=True)

    assert (reported.statuses, reported.changed) == (["planned"], True)
    assert reported.result["diff"]["after"] == {UPN: {"deleted": False, "deleted_at": None, "account_enabled": True}}


def test_two_deleted_users_of_one_name_are_reported_and_none_is_guessed(lab):
    first, second = deleted(JANE), deleted({**JANE, "id": person("bob")["id"]}, deletedDateTime=later(hours=-2))
    expect_search(lab, UPN, first, second)

    reported = lab.run(MODULE, users=UPN, state="restored", allow_admins=True)

    assert (reported.user["status"], reported.user["error"]["code"], reported.failed) == ("failed", "ambiguous", True)
    for part in (first["id"], second["id"], WHEN, later(hours=-2)):
        assert part in reported.user["error"]["message"]
    assert "object ID" in reported.user["error"]["hint"]


def test_a_name_that_a_user_has_today_and_a_deleted_one_had_is_not_guessed_at(lab):
    gone = deleted({**JANE, "id": person("bob")["id"]})
    lab.wire.expect_each(find(JANE), find_deleted(UPN, gone, select=DELETED_PROPERTIES))

    reported = lab.run(MODULE, users=UPN, state="restored", allow_admins=True)

    assert (reported.user["status"], reported.user["error"]["code"], reported.failed) == ("failed", "ambiguous", True)
    for part in (JANE["id"], gone["id"], WHEN):
        assert part in reported.user["error"]["message"]
    assert "object ID" in reported.user["error"]["hint"]


def test_a_user_named_by_object_id_has_no_namesake(lab):
    lab.wire.expect(read(JANE))

    assert lab.run(MODULE, users=JANE["id"], state="restored").statuses == ["unchanged"]


def test_where_the_deleted_cannot_be_looked_for_nobody_is_reported_as_restored(lab):
    lab.wire.expect_each(find(JANE), find_deleted(UPN, select=DELETED_PROPERTIES).but(forbidden()))

    reported = lab.run(MODULE, users=UPN, state="restored")

    assert (reported.statuses, reported.failed) == (["failed"], True)
    assert "Could not look up" in reported.user["error"]["message"]


@pytest.mark.parametrize(("roles", "code"), [(None, "roles_unread"), (["Global Administrator"], "administrator")])
def test_a_user_who_may_be_an_administrator_is_not_restored_unless_that_is_allowed(lab, roles, code):
    expect_search(lab, UPN, deleted(JANE))

    reported = lab.run(MODULE, users=[{"user": UPN, "directory_roles": roles}], state="restored")

    assert (reported.user["status"], reported.user["error"]["code"], reported.changed) == ("refused", code, False)
    assert "allow_admins" in reported.user["error"]["hint"]


def test_a_user_who_held_no_role_when_somebody_read_them_is_restored(lab):
    expect_search(lab, UPN, deleted(JANE))
    lab.wire.expect_each(restore(JANE), read(JANE))

    reported = lab.run(MODULE, users=[{"user": UPN, "directory_roles": []}], state="restored")

    assert reported.statuses == ["verified"]


def test_of_names_with_the_same_end_only_the_exact_one_matches(lab):
    mary = person("mary", userPrincipalName="mary" + UPN)
    expect_search(lab, UPN, deleted(mary), deleted(JANE))
    lab.wire.expect_each(restore(JANE), read(JANE))

    assert lab.run(MODULE, users=UPN, state="restored", allow_admins=True).statuses == ["verified"]


def test_a_user_who_was_never_there_is_not_found(lab):
    lab.wire.expect_each(find(UPN), find_deleted(UPN), find_by_address(UPN))

    reported = lab.run(MODULE, users=UPN, state="restored", allow_admins=True)

    assert (reported.statuses, reported.user["error"]["code"]) == (["failed"], "not_found")


def test_name_and_object_id_of_one_deleted_user_are_one(lab):
    gone = deleted(JANE)
    lab.wire.expect(find(UPN), read(JANE).but(not_found(JANE["id"])))
    lab.wire.expect(find_deleted(UPN, gone), read_deleted(JANE["id"], gone))
    lab.wire.expect(find_by_address(UPN))
    lab.wire.expect_each(find_deleted(UPN, gone, select=DELETED_PROPERTIES), restore(JANE), read(JANE))

    reported = lab.run(MODULE, users=[UPN, JANE["id"]], state="restored", allow_admins=True)

    assert [(one["user"], one["status"]) for one in reported.users] == [(UPN, "verified")]


@pytest.mark.parametrize(
    "entry", [UPN.upper(), JANE["id"].upper(), "jd@contoso.com"], ids=["name", "object id", "alias"]
)
@pytest.mark.parametrize("prefixed", [False, True])
def test_a_protected_account_is_not_even_restored(lab, monkeypatch, entry, prefixed):
    monkeypatch.setenv("M365_PROTECTED_USERS", entry)
    gone = deleted(JANE, prefixed=prefixed, proxyAddresses=["smtp:jd@contoso.com"])
    if entry == JANE["id"].upper():
        lab.wire.expect(find(UPN), read({**JANE, "id": entry}).but(not_found(entry)))
    else:
        lab.wire.expect(find(UPN), find(entry))
        lab.wire.expect(find_by_address(entry))
    lab.wire.expect(find_deleted(UPN, gone))
    lab.wire.expect(find_by_address(UPN))
    lab.wire.expect(find_deleted(UPN, gone, select=DELETED_PROPERTIES))

    reported = lab.run(MODULE, users=UPN, state="restored", allow_admins=True)

    assert (reported.statuses, reported.user["error"]["code"]) == (["refused"], "protected")


def test_an_answer_that_is_lost_is_looked_after_before_it_is_sent_again(lab):
    expect_search(lab, UPN, deleted(JANE))
    lab.wire.expect_each(restore(JANE).but(fault(503)), read(JANE))

    assert lab.run(MODULE, users=UPN, state="restored", allow_admins=True).statuses == ["verified"]


def test_what_was_lost_before_the_action_is_sent_again(lab):
    expect_search(lab, UPN, deleted(JANE))
    lab.wire.expect_each(
        restore(JANE).but(fault(503)), read(JANE).but(not_found(JANE["id"])), restore(JANE), read(JANE)
    )

    assert lab.run(MODULE, users=UPN, state="restored", allow_admins=True).statuses == ["verified"]


def test_a_restored_user_who_is_not_there_at_once_is_waited_for(lab):
    expect_search(lab, UPN, deleted(JANE))
    lab.wire.expect_each(restore(JANE), read(JANE).but(not_found(JANE["id"])), read(JANE))

    assert lab.run(MODULE, users=UPN, state="restored", allow_admins=True).statuses == ["verified"]
    assert lab.clock.naps == [0.5]


def test_a_restored_user_who_is_not_there_in_time_is_accepted(lab):
    expect_search(lab, UPN, deleted(JANE))
    gone = read(JANE).but(not_found(JANE["id"]))
    lab.wire.expect_each(restore(JANE), gone, gone)

    reported = lab.run(MODULE, users=UPN, state="restored", allow_admins=True, verify_timeout=0.5)

    assert (reported.statuses, reported.changed, reported.failed) == (["accepted"], True, False)
    assert reported.user["after"] is None


def test_a_missing_permission_is_named_and_no_roles_are_asked_for(lab):
    expect_search(lab, UPN, deleted(JANE))
    lab.wire.expect(restore(JANE).but(forbidden()))

    reported = lab.run(MODULE, users=UPN, state="restored", allow_admins=True)

    assert (reported.statuses, reported.changed) == (["failed"], False)
    assert "Could not restore jane.doe@contoso.com" in reported.user["error"]["message"]
    assert "lacks the permission User.DeleteRestore.All" in reported.user["error"]["hint"]


def test_with_the_permission_the_role_is_named(lab):
    lab.entra.permissions["https://graph.microsoft.com"] = ("User.Read.All", "User.DeleteRestore.All")
    expect_search(lab, UPN, deleted(JANE))
    lab.wire.expect(restore(JANE).but(forbidden()))

    assert "User Administrator" in lab.run(MODULE, users=UPN, state="restored", allow_admins=True).user["error"]["hint"]


def test_a_name_that_is_taken_is_reported_in_microsofts_words(lab):
    taken = "Another object with the same value for property userPrincipalName already exists."
    expect_search(lab, UPN, deleted(JANE))
    lab.wire.expect(restore(JANE).but(graph_error(400, "Request_BadRequest", taken)))

    reported = lab.run(MODULE, users=UPN, state="restored", allow_admins=True)

    assert (reported.statuses, reported.changed) == (["failed"], False)
    assert taken in reported.user["error"]["message"]


def test_a_user_who_is_mastered_in_active_directory_is_to_be_restored_there(lab):
    gone = deleted(JANE, onPremisesSyncEnabled=True)
    expect_search(lab, UPN, gone)
    lab.wire.expect(restore(JANE).but(mastered_on_premises()))

    reported = lab.run(MODULE, users=UPN, state="restored", allow_admins=True)

    assert "mastered in Active Directory" in reported.user["error"]["hint"]
    assert "restore it there too" in reported.user["note"]


def test_a_leaver_who_cannot_be_restored_does_not_hinder_the_others(lab):
    ann, bob, cid = crowd(3)
    names = [one["userPrincipalName"] for one in (ann, bob, cid)]
    lab.wire.expect(*map(find, names))
    lab.wire.expect(find_deleted(names[0], deleted(ann)), find_deleted(names[1]), find_deleted(names[2], deleted(cid)))
    lab.wire.expect(*map(find_by_address, names))
    lab.wire.expect(
        find_deleted(names[0], deleted(ann), select=DELETED_PROPERTIES),
        find_deleted(names[2], deleted(cid), select=DELETED_PROPERTIES),
    )
    lab.wire.expect(restore(ann).but(forbidden()), restore(cid))
    lab.wire.expect(read(cid))

    reported = lab.run(MODULE, users=names, state="restored", allow_admins=True)

    assert (reported.statuses, reported.failed) == (["failed", "failed", "verified"], True)


@pytest.mark.parametrize("state", ["deleted", "absent", None])
def test_nothing_else_can_be_asked_for(lab, state):
    reported = lab.run(MODULE, users=UPN, **({"state": state} if state else {}))

    assert reported.failed
    assert "state" in reported.msg
    assert not lab.wire.outer


def test_a_strange_deleted_user_is_reported_and_left(lab):
    gone = {**deleted(JANE), "displayName": 5}
    expect_search(lab, UPN, gone)
    lab.wire.expect_each(restore(JANE), read(JANE))
    assert lab.run(MODULE, users=UPN, state="restored", allow_admins=True).statuses == ["verified"]

    lab.wire.expect(find(UPN))
    lab.wire.expect(find_deleted(UPN, gone))
    lab.wire.expect(find_by_address(UPN))
    lab.wire.expect(find_deleted(UPN, {"id": 7, "userPrincipalName": UPN}, select=DELETED_PROPERTIES))
    assert lab.run(MODULE, users=UPN, state="restored", allow_admins=True).statuses == ["failed"]
