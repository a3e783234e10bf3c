# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""m365_user_signin: blocking and allowing, and every status that a record may have."""

from __future__ import annotations

import pytest

from fakes.clock import later
from fakes.entra import GRAPH_PERMISSIONS
from fakes.people import crowd, guest, person
from fakes.turns import (
    administrators,
    enable,
    fault,
    find,
    find_by_address,
    find_deleted,
    forbidden,
    mastered_on_premises,
    read,
    roles,
)

MODULE = "m365_user_signin"
JANE = person("jane.doe")
BLOCKED = {**JANE, "accountEnabled": False}
UPN = "jane.doe@contoso.com"


def test_a_block_is_sent_alone_read_back_and_reported_whole(lab):
    lab.wire.expect_each(find(JANE), administrators(), enable(JANE, False), read(BLOCKED))

    reported = lab.run(MODULE, users=UPN, state="blocked")

    assert reported.user == {
        "user": UPN,
        "id": JANE["id"],
        "user_principal_name": UPN,
        "display_name": "Jane Doe",
        "status": "verified",
        "changed": True,
        "before": {"account_enabled": True},
        "after": {"account_enabled": False},
        "written_at": later(),
        "effective_by": later(hours=24),
        # The third answer of Graph, after one of Entra.
        "request_id": "00000000-0000-0000-0000-000000000004",
        "note": None,
        "error": None,
    }
    assert (reported.failed, reported.changed, reported.msg) == (False, True, "1 user: 1 verified.")
    assert reported.result["diff"] == {
        "before": {UPN: {"account_enabled": True}},
        "after": {UPN: {"account_enabled": False}},
    }


def test_allowing_needs_no_look_at_the_administrators_and_says_no_time_of_effect(lab):
    lab.wire.expect_each(find(BLOCKED), enable(JANE, True), read(JANE))

    reported = lab.run(MODULE, users=UPN, state="allowed")

    assert (reported.user["status"], reported.user["after"]) == ("verified", {"account_enabled": True})
    assert reported.user["effective_by"] is None


@pytest.mark.parametrize(("state", "enabled"), [("blocked", False), ("allowed", True)])
def test_what_is_so_already_costs_one_read_and_no_write(lab, state, enabled):
    lab.wire.expect(find({**JANE, "accountEnabled": enabled}))

    reported = lab.run(MODULE, users=UPN, state=state)

    assert (reported.user["status"], reported.changed, reported.failed) == ("unchanged", False, False)
    assert reported.user["before"] == reported.user["after"] == {"account_enabled": enabled}
    assert reported.user["effective_by"] is reported.user["written_at"] is None
    assert reported.result["diff"] == {"before": {}, "after": {}}


@pytest.mark.parametrize(("state", "wanted"), [("blocked", False), ("allowed", True)])
def test_an_account_of_which_nobody_knows_whether_it_is_enabled_is_written(lab, state, wanted):
    unknown = {**JANE, "accountEnabled": None}
    lab.wire.expect(find(unknown))
    if state == "blocked":
        lab.wire.expect(administrators())
    lab.wire.expect_each(enable(JANE, wanted), read({**JANE, "accountEnabled": wanted}))

    assert lab.run(MODULE, users=UPN, state=state).statuses == ["verified"]


@pytest.mark.parametrize(("state", "enabled"), [("blocked", True), ("allowed", False)])
def test_check_mode_foretells_and_reads_only(lab, state, enabled):
    lab.wire.expect(find({**JANE, "accountEnabled": enabled}))
    if state == "blocked":
        lab.wire.expect(administrators())

    reported = lab.run(MODULE, check=True, users=UPN, state=state)

    assert (reported.user["status"], reported.changed) == ("planned", True)
    assert reported.user["before"] == {"account_enabled": enabled}
    assert reported.result["diff"]["after"] == {UPN: {"account_enabled": not enabled}}
    assert reported.user["written_at"] is reported.user["effective_by"] is None


def test_check_mode_plans_nothing_for_a_user_who_is_blocked_already(lab):
    lab.wire.expect(find(BLOCKED))

    reported = lab.run(MODULE, check=True, users=UPN, state="blocked")

    assert (reported.statuses, reported.changed) == (["unchanged"], False)


def test_a_write_that_is_not_seen_within_verify_timeout_is_accepted_not_verified_and_no_failure(lab):
    lab.wire.expect_each(find(JANE), administrators(), enable(JANE, False))
    lab.wire.expect_each(*[read(JANE)] * 5)  # at once, then after 0.5, 1, 2 and 1.5 s more

    reported = lab.run(MODULE, users=UPN, state="blocked", verify_timeout=5)

    assert (reported.user["status"], reported.changed, reported.failed) == ("accepted", True, False)
    assert reported.user["after"] == {"account_enabled": True}
    assert reported.user["effective_by"] == later(hours=24)
    assert (lab.clock.naps, lab.clock.passed) == ([0.5, 1.0, 2.0, 1.5], 5.0)


def test_a_write_that_a_lagging_replica_shows_late_is_verified(lab):
    lab.wire.expect_each(find(JANE), administrators(), enable(JANE, False), read(JANE), read(JANE), read(BLOCKED))

    reported = lab.run(MODULE, users=UPN, state="blocked")

    assert (reported.statuses, lab.clock.passed) == (["verified"], 1.5)


def test_a_leaver_who_is_not_found_when_read_back_is_accepted_not_failed(lab):
    gone = read(JANE).but(forbidden())
    lab.wire.expect_each(find(JANE), administrators(), enable(JANE, False), gone, gone)

    reported = lab.run(MODULE, users=UPN, state="blocked", verify_timeout=0.5)

    assert (reported.statuses, reported.failed) == (["accepted"], False)
    # What was there before the write says nothing of what is there now.
    assert (reported.user["before"], reported.user["after"]) == ({"account_enabled": True}, None)


def test_without_verify_timeout_nothing_is_read_back(lab):
    lab.wire.expect_each(find(JANE), administrators(), enable(JANE, False))

    reported = lab.run(MODULE, users=UPN, state="blocked", verify_timeout=0)

    assert (reported.user["status"], reported.changed, reported.failed) == ("accepted", True, False)
    assert (reported.user["before"], reported.user["after"]) == ({"account_enabled": True}, None)
    assert (reported.user["written_at"], reported.user["effective_by"]) == (later(), later(hours=24))
    assert lab.clock.passed == 0


def test_without_verify_timeout_an_answer_that_is_lost_still_leads_to_a_look(lab):
    ann, bob, cid = crowd(3)
    lab.wire.expect(*map(find, (ann, bob, cid)))
    lab.wire.expect(administrators())
    lab.wire.expect(enable(ann, False).but(fault(504)), enable(bob, False), enable(cid, False).but(fault(503)))
    lab.wire.expect(read({**ann, "accountEnabled": False}), read(cid))
    lab.wire.expect(enable(cid, False))

    reported = lab.run(
        MODULE, users=[one["userPrincipalName"] for one in (ann, bob, cid)], state="blocked", verify_timeout=0
    )

    assert reported.statuses == ["verified", "accepted", "accepted"]
    # What was read of the third one was read before the write that counts.
    assert [one["after"] for one in reported.users] == [{"account_enabled": False}, None, None]


def test_before_and_after_are_reported_once_more_only_where_a_diff_is_asked_for(lab):
    lab.wire.expect_each(find(JANE), administrators(), enable(JANE, False), read(BLOCKED))

    reported = lab.run(MODULE, diff=False, users=UPN, state="blocked")

    assert "diff" not in reported.result
    assert reported.user["after"] == {"account_enabled": False}


def test_one_leavers_failure_never_stops_the_others_and_fails_the_module_with_all_records(lab):
    ann, bob, cid = crowd(3)
    lab.wire.expect(find(ann), find("nobody@contoso.com"), find(bob), find(cid))
    lab.wire.expect(find_deleted("nobody@contoso.com"))
    lab.wire.expect(find_by_address("nobody@contoso.com"))
    lab.wire.expect(administrators())
    lab.wire.expect(enable(ann, False), enable(bob, False).but(forbidden()), enable(cid, False))
    lab.wire.expect(*[read({**one, "accountEnabled": False}) for one in (ann, cid)])
    lab.wire.expect(roles(bob))

    names = [ann["userPrincipalName"], "nobody@contoso.com", bob["userPrincipalName"], cid["userPrincipalName"]]
    reported = lab.run(MODULE, users=names, state="blocked")

    assert [(one["user"], one["status"]) for one in reported.users] == list(
        zip(names, ["verified", "failed", "failed", "verified"], strict=True)
    )
    assert reported.failed
    assert reported.changed
    assert reported.msg.startswith("4 users: 2 verified, 2 failed. ")
    assert "nobody@contoso.com" in reported.msg
    assert names[2] in reported.msg
    assert list(reported.result["diff"]["after"]) == [names[0], names[3]]


def test_forty_five_leavers_travel_in_batches_and_each_has_one_record_in_the_order_asked_for(lab):
    everybody = crowd(45)
    lab.wire.expect(*map(find, everybody))
    lab.wire.expect(administrators())
    lab.wire.expect(*[enable(one, False) for one in everybody])
    lab.wire.expect(*[read({**one, "accountEnabled": False}) for one in everybody])

    reported = lab.run(MODULE, users=[one["userPrincipalName"] for one in everybody], state="blocked")

    assert [one["id"] for one in reported.users] == [one["id"] for one in everybody]
    assert set(reported.statuses) == {"verified"}
    assert len(lab.wire.to("graph.microsoft.com")) == 3 + 1 + 3 + 3
    assert len(lab.entra.asked_for("token")) == 1


def test_a_guest_is_blocked_like_everybody_else(lab):
    ann = guest("ann")
    lab.wire.expect_each(find(ann), administrators(), enable(ann, False), read({**ann, "accountEnabled": False}))

    assert lab.run(MODULE, users=ann["userPrincipalName"], state="blocked").statuses == ["verified"]


def test_a_synced_account_that_the_cloud_blocks_carries_the_note(lab):
    synced = {**JANE, "onPremisesSyncEnabled": True}
    lab.wire.expect_each(find(synced), administrators(), enable(JANE, False), read({**synced, "accountEnabled": False}))

    reported = lab.run(MODULE, users=UPN, state="blocked")

    assert reported.user["status"] == "verified"
    assert "disable it in Active Directory too" in reported.user["note"]


def test_a_synced_account_that_is_allowed_again_is_to_be_enabled_at_home_too(lab):
    synced = {**JANE, "onPremisesSyncEnabled": True, "accountEnabled": False}
    lab.wire.expect_each(find(synced), enable(JANE, True), read({**synced, "accountEnabled": True}))

    reported = lab.run(MODULE, users=UPN, state="allowed")

    assert reported.user["status"] == "verified"
    assert "enable it there too" in reported.user["note"]


def test_a_synced_account_that_the_cloud_refuses_fails_with_the_note_and_what_to_do(lab):
    synced = {**JANE, "onPremisesSyncEnabled": True}
    lab.wire.expect_each(find(synced), administrators(), enable(JANE, False).but(mastered_on_premises()))

    reported = lab.run(MODULE, users=UPN, state="blocked")

    assert (reported.user["status"], reported.user["changed"]) == ("failed", False)
    assert "disable it in Active Directory too" in reported.user["note"]
    assert reported.user["error"]["code"] == "Request_BadRequest"
    assert "Active Directory" in reported.user["error"]["hint"]


# --- left_at ---


def test_a_user_who_leaves_later_is_not_due_and_not_written(lab):
    lab.wire.expect(find(JANE))

    reported = lab.run(MODULE, users=[{"user": UPN, "left_at": later(seconds=1)}], state="blocked")

    assert (reported.user["status"], reported.changed, reported.failed) == ("not_due", False, False)
    assert later(seconds=1) in reported.user["note"]


@pytest.mark.parametrize("left_at", [later(), later(hours=-1), "2026-11-20T17:00:00+01:00"])
def test_a_user_who_has_left_by_microsofts_clock_is_written(lab, left_at):
    lab.wire.expect_each(find(JANE), administrators(), enable(JANE, False), read(BLOCKED))

    assert lab.run(MODULE, users=[{"user": UPN, "left_at": left_at}], state="blocked").statuses == ["verified"]


def test_allowing_does_not_look_at_left_at(lab):
    lab.wire.expect_each(find(BLOCKED), enable(JANE, True), read(JANE))

    reported = lab.run(MODULE, users=[{"user": UPN, "left_at": later(days=9)}], state="allowed")

    assert reported.statuses == ["verified"]


# --- 403 has one text for several reasons ---


def explain_forbidden(lab, leaver, *, roles_turn):
    lab.wire.expect_each(find(leaver), administrators(), enable(leaver, False).but(forbidden()), roles_turn)
    reported = lab.run(MODULE, users=leaver["userPrincipalName"], state="blocked")
    error = reported.user["error"]
    assert (reported.user["status"], reported.user["changed"]) == ("failed", False)
    assert (error["code"], error["request_id"]) == ("Authorization_RequestDenied", "req-0001")
    assert "Could not block sign-in of jane.doe@contoso.com" in error["message"]
    return error["hint"]


def test_forbidden_since_the_token_lacks_the_permission(lab):
    lab.entra.permissions["https://graph.microsoft.com"] = ("User.Read.All", "User.RevokeSessions.All")

    hint = explain_forbidden(lab, JANE, roles_turn=roles(JANE))

    assert "lacks the permission User.EnableDisableAccount.All" in hint


@pytest.mark.parametrize("permission", ["User.ReadWrite.All", "Directory.ReadWrite.All"])
def test_a_larger_permission_is_not_called_missing(lab, permission):
    lab.entra.permissions["https://graph.microsoft.com"] = ("User.Read.All", permission)

    assert "lacks" not in explain_forbidden(lab, JANE, roles_turn=roles(JANE))


def test_forbidden_since_the_target_holds_a_role(lab):
    hint = explain_forbidden(lab, JANE, roles_turn=roles(JANE, "Helpdesk Administrator"))

    assert "Helpdesk Administrator" in hint
    assert "Privileged Authentication Administrator" in hint


def test_forbidden_since_the_target_holds_a_role_whose_name_may_not_be_read(lab):
    hint = explain_forbidden(lab, JANE, roles_turn=roles(JANE, "x", ids_only=True))

    assert "holds a directory role (role-x)" in hint


def test_forbidden_since_the_target_is_in_a_restricted_unit(lab):
    restricted = {**JANE, "isManagementRestricted": True}

    assert "restricted management administrative unit" in explain_forbidden(lab, restricted, roles_turn=roles(JANE))


def test_forbidden_for_no_reason_that_can_be_seen(lab):
    hint = explain_forbidden(lab, JANE, roles_turn=roles(JANE))

    assert "has the permission User.EnableDisableAccount.All" in hint
    assert "User Administrator" in hint
    assert "could not be read" not in hint


def test_forbidden_and_the_roles_cannot_be_read_either(lab):
    assert "could not be read" in explain_forbidden(lab, JANE, roles_turn=roles(JANE).but(forbidden()))


def test_forbidden_with_a_delegated_token_that_holds_the_permission_as_scope(lab):
    scopes = "User.Read.All User.EnableDisableAccount.All"
    token = lab.entra.issue("https://graph.microsoft.com", roles=None, scp=scopes)
    lab.wire.expect_each(find(JANE), administrators(), enable(JANE, False).but(forbidden()), roles(JANE))

    reported = lab.run(MODULE, credential={"access_token": token}, users=UPN, state="blocked")

    assert "has the permission User.EnableDisableAccount.All" in reported.user["error"]["hint"]


def test_forbidden_with_a_token_that_nobody_can_read(lab):
    token = lab.entra.issue("https://graph.microsoft.com")
    lab.entra._issued["https://graph.microsoft.com"].append("opaque-token")
    lab.wire.expect_each(
        find(JANE), administrators(), enable(JANE, False).but(forbidden()), roles(JANE, "Groups Admin")
    )

    reported = lab.run(MODULE, credential={"access_token": "opaque-token"}, users=UPN, state="blocked")

    assert token not in reported.output
    assert "Groups Admin" in reported.user["error"]["hint"]


# --- the last Global Administrator ---


def test_the_last_enabled_global_administrator_is_refused(lab):
    lab.wire.expect_each(find(JANE), administrators(JANE, person("old.boss", accountEnabled=False)))

    reported = lab.run(MODULE, users=UPN, state="blocked")

    assert (reported.user["status"], reported.failed, reported.changed) == ("refused", True, False)
    assert reported.user["error"]["code"] == "last_global_administrator"


def test_both_of_the_last_two_global_administrators_are_refused_and_the_others_are_blocked(lab):
    ann, bob, cid = crowd(3)
    lab.wire.expect(*map(find, (ann, bob, cid)))
    lab.wire.expect_each(administrators(ann, cid), enable(bob, False), read({**bob, "accountEnabled": False}))

    reported = lab.run(MODULE, users=[one["userPrincipalName"] for one in (ann, bob, cid)], state="blocked")

    assert reported.statuses == ["refused", "verified", "refused"]


def test_a_global_administrator_is_blocked_while_another_one_stays(lab):
    lab.wire.expect_each(find(JANE), administrators(JANE, person("boss")), enable(JANE, False), read(BLOCKED))

    assert lab.run(MODULE, users=UPN, state="blocked").statuses == ["verified"]


@pytest.mark.parametrize(
    ("kind", "enabled"),
    [("#microsoft.graph.servicePrincipal", True), (None, True), ("#microsoft.graph.user", None)],
    ids=["an application", "of no known kind", "enabled or not"],
)
def test_a_holder_of_the_role_who_is_not_known_to_be_enabled_does_not_count_as_remaining(lab, kind, enabled):
    holders = administrators(JANE)
    holders.reply.json["value"].append({"@odata.type": kind, "id": "5ea1", "accountEnabled": enabled})
    lab.wire.expect_each(find(JANE), holders)

    assert lab.run(MODULE, users=UPN, state="blocked").statuses == ["refused"]


def test_where_the_administrators_cannot_be_read_every_holder_of_a_role_is_refused(lab):
    ann, bob, cid = crowd(3)
    lab.wire.expect(*map(find, (ann, bob, cid)))
    lab.wire.expect(administrators().but(forbidden()))
    lab.wire.expect(roles(ann, "Reader"), roles(bob), roles(cid).but(forbidden()))
    lab.wire.expect_each(enable(bob, False), read({**bob, "accountEnabled": False}))

    reported = lab.run(MODULE, users=[one["userPrincipalName"] for one in (ann, bob, cid)], state="blocked")

    assert reported.statuses == ["refused", "verified", "refused"]
    assert reported.users[0]["error"]["code"] == "administrators_unread"
    assert "RoleManagement.Read.Directory" in reported.users[0]["error"]["hint"]


def told_roles(one, *names):
    """Return an element of users that says which directory roles were just read."""
    return {"user": one["userPrincipalName"], "directory_roles": list(names)}


def test_where_the_administrators_cannot_be_read_those_who_were_just_read_are_not_read_again(lab):
    ann, bob, cid, dan = crowd(4)
    lab.wire.expect(*map(find, (ann, bob, cid, dan)))
    lab.wire.expect(administrators().but(forbidden()))
    lab.wire.expect(roles(cid, "Reader"), roles(dan))
    lab.wire.expect(enable(bob, False), enable(dan, False))
    lab.wire.expect(*[read({**one, "accountEnabled": False}) for one in (bob, dan)])

    unreported = [cid["userPrincipalName"], {"user": dan["userPrincipalName"], "directory_roles": None}]
    reported = lab.run(MODULE, users=[told_roles(ann, "role-x"), told_roles(bob), *unreported], state="blocked")

    assert reported.statuses == ["refused", "verified", "refused", "verified"]
    assert [one["error"]["code"] for one in reported.users if one["error"]] == ["administrators_unread"] * 2


READ_ROLES = "RoleManagement.Read.Directory"


@pytest.mark.parametrize("allow_admins", [True, False])
@pytest.mark.parametrize("name", [UPN, JANE["id"]], ids=["by name", "by id"])
@pytest.mark.parametrize("permission", [READ_ROLES, "Directory.Read.All", "Directory.ReadWrite.All"])
def test_where_the_administrators_can_be_read_the_last_one_is_refused_whatever_the_caller_read(
    lab, permission, name, allow_admins
):
    lab.entra.permissions["https://graph.microsoft.com"] = (*GRAPH_PERMISSIONS, permission)
    if name == UPN:
        lab.wire.expect_each(find(JANE), administrators(JANE))
    else:
        lab.wire.expect(read(JANE), administrators(JANE))

    users = [{**told_roles(JANE), "user": name}]
    reported = lab.run(MODULE, users=users, state="blocked", allow_admins=allow_admins)

    assert reported.user["error"]["code"] == "last_global_administrator"


def test_where_the_token_cannot_be_read_the_administrators_are_asked_for_whatever_the_caller_read(lab):
    lab.entra.accept("https://graph.microsoft.com", "opaque")
    lab.wire.expect_each(find(JANE), administrators(JANE))

    reported = lab.run(MODULE, users=[told_roles(JANE)], state="blocked", credential={"access_token": "opaque"})

    assert reported.user["error"]["code"] == "last_global_administrator"


@pytest.mark.parametrize("name", [UPN, JANE["id"]], ids=["by name", "by id"])
def test_where_they_cannot_be_read_and_nobody_holds_a_role_the_administrators_are_not_asked_for(lab, name):
    find_jane = find(JANE) if name == UPN else read(JANE)
    lab.wire.expect_each(find_jane, enable(JANE, False), read(BLOCKED))

    users = [{**told_roles(JANE), "user": name}]
    assert lab.run(MODULE, users=users, state="blocked", allow_admins=False).statuses == ["verified"]


def test_one_holder_of_a_role_is_reason_enough_to_ask_for_the_administrators(lab):
    ann, bob = crowd(2)
    lab.wire.expect(read(ann), read(bob), administrators().but(forbidden()))
    lab.wire.expect_each(enable(ann, False), read({**ann, "accountEnabled": False}))

    users = [{**told_roles(one, *held), "user": one["id"]} for one, held in ((ann, ()), (bob, ("role-x",)))]
    reported = lab.run(MODULE, users=users, state="blocked")

    assert reported.statuses == ["verified", "refused"]
    assert reported.users[1]["error"]["code"] == "administrators_unread"


def test_where_the_administrators_can_be_read_another_role_does_not_spare_whoever_holds_it(lab):
    lab.wire.expect_each(find(JANE), administrators(), enable(JANE, False), read(BLOCKED))

    assert lab.run(MODULE, users=[told_roles(JANE, "role-x")], state="blocked").statuses == ["verified"]


@pytest.mark.parametrize("other", [UPN, told_roles(JANE, "role-x"), {"user": JANE["id"]}], ids=["name", "role", "id"])
def test_roles_given_with_one_of_two_elements_only_are_read(lab, other):
    if other == {"user": JANE["id"]}:
        lab.wire.expect(find(JANE), read(JANE))
    else:
        lab.wire.expect(find(JANE))
    lab.wire.expect_each(administrators().but(forbidden()), roles(JANE, "Reader"))

    assert lab.run(MODULE, users=[told_roles(JANE), other], state="blocked").statuses == ["refused"]


def test_check_mode_refuses_the_last_global_administrator_too(lab):
    lab.wire.expect_each(find(JANE), administrators(JANE))

    assert lab.run(MODULE, check=True, users=UPN, state="blocked").statuses == ["refused"]


def test_a_user_named_by_object_id_is_read_in_one_request_with_the_administrators(lab):
    lab.wire.expect(read(JANE), administrators())
    lab.wire.expect_each(enable(JANE, False), read(BLOCKED))

    reported = lab.run(MODULE, users=JANE["id"], state="blocked")

    assert reported.statuses == ["verified"]
    assert len(lab.wire.to("graph.microsoft.com")) == 3


@pytest.mark.parametrize("holders", [administrators(JANE), administrators().but(forbidden())], ids=["last", "unread"])
def test_a_user_named_by_object_id_is_refused_as_by_name(lab, holders):
    lab.wire.expect(read(JANE), holders)

    assert lab.run(MODULE, users=[{**told_roles(JANE, "role-x"), "user": JANE["id"]}], state="blocked").statuses == [
        "refused"
    ]


def test_allowing_by_object_id_does_not_look_at_the_administrators(lab):
    lab.wire.expect_each(read(BLOCKED), enable(JANE, True), read(JANE))

    assert lab.run(MODULE, users=JANE["id"], state="allowed").statuses == ["verified"]


# --- the outcome of a write is not known ---


def test_a_block_whose_answer_is_lost_but_that_was_carried_out_is_not_sent_again(lab):
    lab.wire.expect_each(find(JANE), administrators(), enable(JANE, False).but(fault(504)), read(BLOCKED))

    reported = lab.run(MODULE, users=UPN, state="blocked")

    assert (reported.user["status"], reported.user["error"]) == ("verified", None)
    assert len(lab.wire.writes) == 1


def test_a_block_that_a_fault_swallowed_is_looked_for_and_sent_again(lab):
    lab.wire.expect_each(find(JANE), administrators(), enable(JANE, False).but(fault(503)), read(JANE))
    lab.wire.expect_each(enable(JANE, False), read(BLOCKED))

    assert lab.run(MODULE, users=UPN, state="blocked").statuses == ["verified"]
    assert lab.clock.naps == [1.0]


def test_a_block_that_no_answer_confirms_fails_and_may_have_changed_something(lab):
    lab.wire.expect_each(find(JANE), administrators())
    lab.wire.expect_each(*[enable(JANE, False).but(fault(503)), read(JANE)] * 3)

    reported = lab.run(MODULE, users=UPN, state="blocked", retry_timeout=3)

    assert (reported.user["status"], reported.user["changed"], reported.changed) == ("failed", True, True)
    assert "run again" in reported.user["error"]["hint"]
    assert lab.clock.naps == [1.0, 2.0]


def test_a_refusal_after_an_unknown_outcome_does_not_prove_that_nothing_was_changed(lab):
    lab.wire.expect_each(find(JANE), administrators(), enable(JANE, False).but(fault(503)), read(JANE))
    lab.wire.expect_each(enable(JANE, False).but(forbidden()), roles(JANE))

    reported = lab.run(MODULE, users=UPN, state="blocked")

    assert (reported.user["status"], reported.user["changed"]) == ("failed", True)
