# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""exo_mailbox_protocols: twelve switches, mailboxes that are not there, and Exchange's own ways to say no."""

from __future__ import annotations

import gzip

import pytest

from fakes.clock import later
from fakes.entra import refusal
from fakes.people import DOCUMENTED, SWITCHES, crowd, guest, mailbox, person
from fakes.turns import (
    exchange_error,
    find,
    get_mailbox,
    no_mailbox,
    not_found,
    read,
    read_deleted,
    set_mailbox,
    throttled,
    web_page,
)
from fakes.wire import EXCHANGE, Reply

MODULE = "exo_mailbox_protocols"
JANE = person("jane.doe")
UPN = "jane.doe@contoso.com"
ON, OFF = mailbox(JANE), mailbox(JANE, on=False)
ALL_OFF = {name: name == "SmtpClientAuthenticationDisabled" for name in SWITCHES.values()}


def off(*names: str) -> dict[str, bool]:
    """Return what Set-CASMailbox is given to turn these protocols off."""
    return {SWITCHES[name]: ALL_OFF[SWITCHES[name]] for name in names}


def on(*names: str) -> dict[str, bool]:
    return {wire: not value for wire, value in off(*names).items()}


def shut(lab, before, after, sent, looks=1, **options):
    """Run against a mailbox that is ``before``, must be sent ``sent`` and then is ``after``."""
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, before), set_mailbox(JANE, **sent))
    lab.wire.expect_each(*[get_mailbox(JANE, after)] * looks)
    return lab.run(MODULE, users=UPN, **options)


def test_the_documented_six_are_turned_off_in_one_call_and_read_back(lab):
    reported = shut(lab, ON, {**ON, **off(*DOCUMENTED)}, off(*DOCUMENTED), state="disabled")

    assert (reported.user["status"], reported.changed, reported.failed) == ("verified", True, False)
    assert reported.user["before"] == dict.fromkeys(DOCUMENTED, True)
    assert reported.user["after"] == dict.fromkeys(DOCUMENTED, False)
    assert reported.user["written_at"] == later()
    assert reported.user["effective_by"] == later(minutes=30)


def test_all_are_the_twelve_and_smtp_auth_is_turned_the_other_way_round(lab):
    reported = shut(lab, ON, OFF, ALL_OFF, state="disabled", protocols=["all"])

    assert reported.user["before"] == dict.fromkeys(SWITCHES, True)
    assert reported.user["after"] == dict.fromkeys(SWITCHES, False)


@pytest.mark.parametrize("protocol", SWITCHES)
def test_each_protocol_alone_is_turned_off_and_on_by_its_own_switch(lab, protocol):
    reported = shut(lab, ON, OFF, off(protocol), state="disabled", protocols=[protocol])
    assert (reported.statuses, reported.user["after"]) == (["verified"], {protocol: False})

    reported = shut(lab, OFF, ON, on(protocol), state="enabled", protocols=[protocol])
    assert (reported.statuses, reported.user["after"]) == (["verified"], {protocol: True})
    assert reported.user["effective_by"] is None


def test_only_the_switches_that_differ_are_sent(lab):
    before = {**ON, **off("owa", "pop")}

    reported = shut(lab, before, OFF, off("activesync", "mapi", "ews", "imap"), state="disabled")

    assert reported.statuses == ["verified"]
    assert reported.result["diff"]["before"] == {UPN: {**dict.fromkeys(DOCUMENTED, True), "owa": False, "pop": False}}


def test_what_is_off_already_costs_no_write(lab):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, OFF))

    reported = lab.run(MODULE, users=UPN, state="disabled", protocols="all")

    assert (reported.statuses, reported.changed) == (["unchanged"], False)


def test_turning_all_on_leaves_smtp_auth_as_it_is(lab):
    others = [name for name in SWITCHES if name != "smtp_auth"]

    reported = shut(lab, OFF, {**OFF, **on(*others)}, on(*others), state="enabled", protocols=["all"])

    assert reported.statuses == ["verified"]
    assert "smtp_auth" not in reported.user["after"]


@pytest.mark.parametrize("protocol", [name for name in SWITCHES if name != "smtp_auth"])
def test_a_switch_that_is_null_counts_as_on(lab, protocol):
    null = {SWITCHES[protocol]: None}

    reported = shut(lab, {**OFF, **null}, OFF, off(protocol), state="disabled", protocols=["all"])
    assert reported.user["before"][protocol] is None

    lab.wire.expect_each(find(JANE), get_mailbox(JANE, {**ON, **null}))
    assert lab.run(MODULE, users=UPN, state="enabled", protocols=[protocol]).statuses == ["unchanged"]


def test_smtp_auth_that_inherits_is_not_shut_and_is_not_on_either(lab):
    inherits = {"SmtpClientAuthenticationDisabled": None}
    reported = shut(lab, {**OFF, **inherits}, OFF, off("smtp_auth"), state="disabled", protocols=["smtp_auth"])
    assert reported.statuses == ["verified"]

    reported = shut(lab, {**OFF, **inherits}, ON, on("smtp_auth"), state="enabled", protocols=["smtp_auth"])
    assert reported.statuses == ["verified"]


def test_a_switch_that_the_tenant_does_not_know_is_passed_over_under_all(lab):
    known = {name: value for name, value in ON.items() if name != "OneWinNativeOutlookEnabled"}
    sent = {name: value for name, value in ALL_OFF.items() if name != "OneWinNativeOutlookEnabled"}
    reported = shut(lab, known, {**known, **sent}, sent, state="disabled", protocols=["all"])

    assert (reported.statuses, reported.user["note"]) == (["verified"], None)
    assert "new_outlook" not in reported.user["after"]


def test_a_switch_that_is_named_and_not_known_is_not_applicable(lab):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, mailbox(JANE, without=("MacOutlookEnabled",))))

    reported = lab.run(MODULE, users=UPN, state="disabled", protocols=["mac_outlook"])

    assert (reported.statuses, reported.changed, reported.failed) == (["not_applicable"], False, False)
    assert "mac_outlook" in reported.user["note"]


def test_beside_a_named_switch_that_is_not_known_the_others_are_shut(lab):
    known = mailbox(JANE, without=("MacOutlookEnabled",))

    reported = shut(lab, known, {**known, **off("owa")}, off("owa"), state="disabled", protocols=["owa", "mac_outlook"])

    assert reported.statuses == ["verified"]
    assert "mac_outlook" in reported.user["note"]


def test_switches_are_read_whatever_their_case(lab):
    shouted = {name.upper() if name.endswith("Enabled") else name: value for name, value in OFF.items()}
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, shouted))

    assert lab.run(MODULE, users=UPN, state="disabled", protocols="all").statuses == ["unchanged"]


@pytest.mark.parametrize("protocols", [["ews", "telnet"], ["ALL"], [""], []])
def test_an_unknown_protocol_is_refused_before_anything_is_sent(lab, protocols):
    reported = lab.run(MODULE, users=UPN, state="disabled", protocols=protocols)

    assert reported.failed
    assert "protocol" in reported.msg
    assert "activesync" in reported.msg
    assert not lab.wire.outer


# --- no mailbox ---


@pytest.mark.parametrize("status", [404, 500])
@pytest.mark.parametrize(
    ("facts", "on_premises"),
    [
        pytest.param({"mail": None, "assignedPlans": []}, False, id="no mail, no plan"),
        pytest.param({"assignedPlans": []}, True, id="mail without a plan"),
        pytest.param({"onPremisesSyncEnabled": True}, True, id="synced"),
        pytest.param({"onPremisesSyncEnabled": False, "mail": None, "assignedPlans": []}, False, id="synced formerly"),
        pytest.param(
            {"assignedPlans": [{"service": "exchange", "capabilityStatus": "Deleted"}]}, True, id="a plan that is gone"
        ),
        pytest.param(
            {"assignedPlans": [{"service": "SharePoint", "capabilityStatus": "Enabled"}]}, True, id="other plan"
        ),
    ],
)
def test_no_mailbox_is_not_applicable_and_the_note_says_where_it_may_be(lab, status, facts, on_premises):
    jane = {**JANE, **facts}
    lab.wire.expect_each(find(jane), get_mailbox(JANE).but(no_mailbox(JANE, status)))

    reported = lab.run(MODULE, users=UPN, state="disabled")

    assert (reported.statuses, reported.changed, reported.failed) == (["not_applicable"], False, False)
    assert "No Exchange Online mailbox" in reported.user["note"]
    assert ("on-premises" in reported.user["note"]) is on_premises


NOT_FOUND = "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException"
NO_SUCH_OBJECT = "Microsoft.Exchange.Data.Directory.ADNoSuchObjectException"
UNLICENSED = {**JANE, "assignedPlans": []}


@pytest.mark.parametrize("status", [200, 400, 404, 500])
@pytest.mark.parametrize("mark", ["Ex41BAF5", ""])
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (NOT_FOUND, f"The operation couldn't be performed because object '{JANE['id'].upper()}' couldn't be found."),
        (NOT_FOUND, f"The specified mailbox '{JANE['id']}' couldn't be found on 'DC01'."),
        (NO_SUCH_OBJECT, f"There is no such object as {JANE['id']} on the server."),
        ("ManagementObjectNotFoundException", f'Couldn\'t find object "{JANE["id"]}". Please try again.'),
    ],
)
def test_other_ways_to_say_that_there_is_no_mailbox(lab, kind, text, mark, status):
    lab.wire.expect_each(find(UNLICENSED), get_mailbox(JANE).but(exchange_error(status, kind, text, mark=mark)))

    assert lab.run(MODULE, users=UPN, state="disabled").statuses == ["not_applicable"]


@pytest.mark.parametrize("status", [200, 400, 404, 500])
@pytest.mark.parametrize("kind", [NOT_FOUND, NO_SUCH_OBJECT])
@pytest.mark.parametrize(
    "text",
    [
        "The operation couldn't be performed because object 'Default Policy' couldn't be found on 'DC01'.",
        f"The operation couldn't be performed because object '{person('bob')['id']}' couldn't be found on 'DC01'.",
        f"Object 'AM0PR01A002' couldn't be found on 'DC01' for {JANE['id']}.",
        f"Object 'Default Policy' couldn't be found on 'DC01' for object '{JANE['id']}'.",
        f"The policy 'Default Policy' couldn't be found for {JANE['id']}.",
        f"Couldn't find policy \"Default Policy\" of '{JANE['id']}'.",
        "The specified mailbox doesn't exist.",
    ],
)
def test_another_object_that_is_not_found_says_nothing_of_the_mailbox(lab, kind, text, status):
    lab.wire.expect_each(find(UNLICENSED), get_mailbox(JANE).but(exchange_error(status, kind, text)))

    reported = lab.run(MODULE, users=UPN, state="disabled")

    assert (reported.statuses, reported.changed) == (["failed"], False)


def test_a_mailbox_that_is_not_found_beside_another_error_is_not_proven_missing(lab):
    text = f"Ex6F9304|{NOT_FOUND}|Object '{JANE['id']}' couldn't be found on 'DC01'."
    reply = Reply(json={"@adminapi.errors": [text, "Ex1|x.TopologyException|No domain controller."], "value": []})
    lab.wire.expect_each(find(UNLICENSED), get_mailbox(JANE).but(reply))

    assert lab.run(MODULE, users=UPN, state="disabled").statuses == ["failed"]


# --- a mailbox that should be there ---


def test_a_user_of_the_cloud_who_has_a_plan_is_asked_for_again_and_then_unconfirmed(lab):
    lab.wire.expect_each(find(JANE), *[get_mailbox(JANE)] * 3)

    reported = lab.run(MODULE, users=UPN, state="disabled", verify_timeout=1)

    assert (reported.statuses, reported.changed) == (["failed"], False)
    assert reported.user["error"]["code"] == "mailbox_awaited"
    assert "enabled Exchange plan" in reported.user["note"]
    assert lab.clock.naps == [0.5, 0.5]


def test_a_mailbox_that_appears_meanwhile_is_shut(lab):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE), get_mailbox(JANE, ON), set_mailbox(JANE, **off("owa")))
    lab.wire.expect(get_mailbox(JANE, OFF))

    reported = lab.run(MODULE, users=UPN, state="disabled", protocols=["owa"])

    assert (reported.statuses, reported.user["note"]) == (["verified"], None)


def test_only_those_who_await_a_mailbox_are_asked_for_again(lab):
    ann, bob, cid = crowd(3)
    lab.wire.expect(find(ann), find({**bob, "assignedPlans": []}), find(cid))
    lab.wire.expect(get_mailbox(ann, mailbox(ann, on=False)), get_mailbox(bob), get_mailbox(cid))
    lab.wire.expect(get_mailbox(cid, mailbox(cid, on=False)))

    reported = lab.run(MODULE, users=[one["userPrincipalName"] for one in (ann, bob, cid)], state="disabled")

    assert reported.statuses == ["unchanged", "not_applicable", "unchanged"]


def test_a_guest_without_a_mailbox_is_not_applicable(lab):
    ann = guest("ann", mail="ann@fabrikam.com")
    lab.wire.expect_each(find(ann), get_mailbox(ann))

    assert lab.run(MODULE, users=ann["userPrincipalName"], state="disabled").statuses == ["not_applicable"]


def test_an_endpoint_that_is_not_there_is_not_taken_for_a_missing_mailbox(lab):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE).but(Reply(404)))

    assert lab.run(MODULE, users=UPN, state="disabled").statuses == ["failed"]


# --- Exchange says no ---


def test_an_ambiguous_name_is_reported_and_nothing_is_guessed(lab):
    kind = "Microsoft.Exchange.Configuration.Tasks.ManagementObjectAmbiguousException"
    text = "The operation couldn't be performed because object: 'x' matches multiple entries."
    lab.wire.expect_each(find(JANE), get_mailbox(JANE).but(exchange_error(500, kind, text)))

    reported = lab.run(MODULE, users=UPN, state="disabled")

    assert reported.statuses == ["failed"]
    assert reported.user["error"]["code"] == "ManagementObjectAmbiguousException"
    assert "matches multiple entries" in reported.user["error"]["message"]


def test_a_cmdlets_own_error_is_final_and_reported_without_stack_trace(lab):
    kind = "Microsoft.Exchange.SomethingException"
    failing = set_mailbox(JANE, **off(*DOCUMENTED)).but(exchange_error(500, kind, "It does not please me."))
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, ON), failing)

    reported = lab.run(MODULE, users=UPN, state="disabled")

    assert (reported.user["status"], reported.user["changed"]) == ("failed", False)
    assert "It does not please me." in reported.user["error"]["message"]
    assert "Could not turn off mailbox protocols of jane.doe@contoso.com" in reported.user["error"]["message"]
    assert "Secret.Path" not in reported.output
    assert lab.clock.naps == []


def test_401_with_an_empty_body_means_that_a_grant_is_missing(lab):
    lab.wire.expect_each(find(JANE), *[get_mailbox(JANE).but(Reply(401))] * 5)

    reported = lab.run(MODULE, users=UPN, state="disabled")

    assert reported.statuses == ["failed"]
    assert "Exchange.ManageAsApp" in reported.user["error"]["hint"]
    assert "an hour" in reported.user["error"]["hint"]


NUL_BYTES = Reply(403, body=bytes(64), headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})


@pytest.mark.parametrize(
    "reply", [NUL_BYTES, Reply(403, body=bytes(64)), Reply(403)], ids=["NUL bytes as gzip", "NUL bytes", "empty"]
)
def test_403_that_cannot_be_decoded_still_says_which_role_is_missing(lab, reply):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE).but(reply))

    reported = lab.run(MODULE, users=UPN, state="disabled")

    assert reported.statuses == ["failed"]
    assert "View-Only Recipients" in reported.user["error"]["hint"]


def test_403_on_writing_names_the_permission_that_the_token_lacks(lab):
    lab.entra.permissions["https://outlook.office365.com"] = ()
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, ON), set_mailbox(JANE, **off(*DOCUMENTED)).but(NUL_BYTES))

    reported = lab.run(MODULE, users=UPN, state="disabled")

    assert "lacks the permission Exchange.ManageAsApp" in reported.user["error"]["hint"]


def test_403_on_writing_with_the_permission_names_the_role(lab):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, ON), set_mailbox(JANE, **off(*DOCUMENTED)).but(NUL_BYTES))

    reported = lab.run(MODULE, users=UPN, state="disabled")

    assert "Mail Recipients" in reported.user["error"]["hint"]


def test_a_compressed_answer_is_understood(lab):
    body = gzip.compress(b'{"value": []}')
    written = set_mailbox(JANE, **off(*DOCUMENTED)).but(Reply(200, body=body, headers={"Content-Encoding": "gzip"}))
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, ON), written, get_mailbox(JANE, OFF))

    assert lab.run(MODULE, users=UPN, state="disabled").statuses == ["verified"]


def test_a_tenant_without_exchange_is_advised_to_leave_the_step_out(lab):
    lab.wire.expect(find(JANE))
    text = "The resource principal named https://outlook.office365.com was not found in the tenant."
    lab.entra.unknown["https://outlook.office365.com"] = Reply(400, refusal(500011, text, "invalid_resource"))

    reported = lab.run(MODULE, users=UPN, state="disabled")

    assert reported.user["error"]["code"] == "AADSTS500011"
    assert "Leave the protocols step out" in reported.user["error"]["hint"]


@pytest.mark.parametrize("rows", [[ON, ON], [mailbox(person("bob"))]], ids=["two mailboxes", "somebody else's mailbox"])
def test_an_answer_that_is_not_this_one_mailbox_is_never_believed(lab, rows):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, *rows))

    reported = lab.run(MODULE, users=UPN, state="disabled")

    assert (reported.statuses, reported.changed) == (["failed"], False)


def test_a_web_page_instead_of_a_mailbox_is_a_failure_that_names_the_proxy(lab):
    lab.wire.expect_each(find(JANE), *[get_mailbox(JANE).but(web_page())] * 2)

    reported = lab.run(MODULE, users=UPN, state="disabled", retry_timeout=1)

    assert reported.statuses == ["failed"]
    assert "proxy" in reported.user["error"]["hint"]
    assert "DOCTYPE" not in reported.output


# --- many ---


def test_twelve_leavers_travel_in_batches_of_ten(lab):
    everybody = crowd(12)
    switches = off(*DOCUMENTED)
    lab.wire.expect(*map(find, everybody))
    lab.wire.expect(*[get_mailbox(one, mailbox(one)) for one in everybody])
    lab.wire.expect(*[set_mailbox(one, **switches) for one in everybody])
    lab.wire.expect(*[get_mailbox(one, mailbox(one, on=False)) for one in everybody])

    reported = lab.run(MODULE, users=[one["userPrincipalName"] for one in everybody], state="disabled")

    assert set(reported.statuses) == {"verified"}
    assert len(lab.wire.to(EXCHANGE)) == 2 + 2 + 2


@pytest.mark.parametrize("reported", [True, False], ids=["with status", "without status"])
def test_in_a_batch_one_without_a_mailbox_does_not_hinder_the_others(lab, reported):
    lab.wire.statuses_in_batches = reported
    ann, bob = crowd(2)
    lab.wire.expect(find({**ann, "assignedPlans": []}), find(bob))
    lab.wire.expect(get_mailbox(ann), get_mailbox(bob, mailbox(bob)))
    lab.wire.expect_each(set_mailbox(bob, **off("owa")), get_mailbox(bob, mailbox(bob, on=False)))

    users = [ann["userPrincipalName"], bob["userPrincipalName"]]
    reported = lab.run(MODULE, users=users, state="disabled", protocols=["owa"])

    assert reported.statuses == ["not_applicable", "verified"]


@pytest.mark.parametrize("status", [400, 404, 405])
def test_where_batches_are_refused_single_calls_are_made(lab, status):
    ann, bob = crowd(2)
    lab.wire.expect(find(ann), find(bob))
    lab.wire.expect(get_mailbox(ann), get_mailbox(bob), whole=Reply(status))
    lab.wire.expect(get_mailbox(ann, mailbox(ann)), get_mailbox(bob, mailbox(bob)))
    lab.wire.expect(set_mailbox(ann, **off("owa")), set_mailbox(bob, **off("owa")))
    lab.wire.expect(get_mailbox(ann, mailbox(ann, on=False)), get_mailbox(bob, mailbox(bob, on=False)))

    users = [ann["userPrincipalName"], bob["userPrincipalName"]]
    reported = lab.run(MODULE, users=users, state="disabled", protocols=["owa"])

    assert reported.statuses == ["verified", "verified"]
    assert not any(sent.batched for sent in lab.wire.sent[4:] if sent.host == EXCHANGE)


def test_the_mailbox_of_a_user_who_is_not_due_is_not_read(lab):
    lab.wire.expect(find(JANE))

    reported = lab.run(MODULE, users=[{"user": UPN, "left_at": later(hours=1)}], state="disabled")

    assert reported.statuses == ["not_due"]
    assert not lab.wire.to(EXCHANGE)


def test_turning_on_does_not_look_at_left_at(lab):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, ON))

    reported = lab.run(MODULE, users=[{"user": UPN, "left_at": later(hours=1)}], state="enabled")

    assert reported.statuses == ["unchanged"]


# --- seen or not ---


def test_a_write_that_is_not_seen_in_time_is_accepted(lab):
    reported = shut(lab, ON, ON, off(*DOCUMENTED), looks=2, state="disabled", verify_timeout=0.5)

    assert (reported.statuses, reported.failed) == (["accepted"], False)
    assert reported.user["after"] == dict.fromkeys(DOCUMENTED, True)


def test_switches_that_are_only_partly_seen_are_not_verified(lab):
    partly = {**ON, **off("owa", "mapi")}

    reported = shut(lab, ON, partly, off(*DOCUMENTED), looks=2, state="disabled", verify_timeout=0.5)

    assert reported.statuses == ["accepted"]
    assert reported.user["after"] == {**dict.fromkeys(DOCUMENTED, True), "owa": False, "mapi": False}


def test_without_verify_timeout_a_mailbox_is_not_read_back(lab):
    reported = shut(lab, ON, ON, off(*DOCUMENTED), looks=0, state="disabled", verify_timeout=0)

    assert (reported.user["status"], reported.user["after"]) == ("accepted", None)
    assert (reported.user["written_at"], reported.user["effective_by"]) == (later(), later(minutes=30))


def test_a_mailbox_that_cannot_be_read_back_is_accepted_not_verified(lab):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, ON), set_mailbox(JANE, **off("owa")), *[get_mailbox(JANE)] * 2)

    reported = lab.run(MODULE, users=UPN, state="disabled", protocols=["owa"], verify_timeout=0.5)

    assert reported.statuses == ["accepted"]


def test_check_mode_foretells_switch_by_switch(lab):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, {**ON, **off("pop")}))

    reported = lab.run(MODULE, check=True, users=UPN, state="disabled")

    assert (reported.statuses, reported.changed) == (["planned"], True)
    assert reported.user["after"] == dict.fromkeys(DOCUMENTED, False)


def test_a_switch_that_stays_null_is_not_predicted_to_be_a_moment(lab):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, {**OFF, "EwsEnabled": None}))

    reported = lab.run(MODULE, check=True, users=UPN, state="enabled", protocols=["ews", "owa"])

    assert reported.result["diff"]["after"] == {UPN: {"ews": None, "owa": True}}


# --- throttling ---


def test_a_throttled_mailbox_in_a_batch_is_sent_again_alone_after_retry_after(lab):
    ann, bob, cid = crowd(3)
    lab.wire.expect(*map(find, (ann, bob, cid)))
    lab.wire.expect(
        get_mailbox(ann, mailbox(ann, on=False)),
        get_mailbox(bob).but(throttled("17")),
        get_mailbox(cid, mailbox(cid, on=False)),
    )
    lab.wire.expect(get_mailbox(bob, mailbox(bob, on=False)))

    users = [one["userPrincipalName"] for one in (ann, bob, cid)]
    reported = lab.run(MODULE, users=users, state="disabled")

    assert set(reported.statuses) == {"unchanged"}
    assert lab.clock.naps == [17.0]


# --- SMTP AUTH given back to the organization ---

NULL = {"SmtpClientAuthenticationDisabled": None}
BAD_VALUE = exchange_error(
    400, "Microsoft.Exchange.Configuration.Core.ParameterTransformationException", "Invalid Operation", "BadRequest"
)
INHERIT = {"state": "enabled", "inherit_smtp_auth": True}


def test_smtp_auth_is_given_back_as_null_together_with_the_other_switches(lab):
    reported = shut(lab, OFF, {**ON, **NULL}, {**on("owa"), **NULL}, protocols=["owa", "smtp_auth"], **INHERIT)

    assert reported.statuses == ["verified"]
    assert reported.user["before"] == {"owa": False, "smtp_auth": False}
    assert reported.user["after"] == {"owa": True, "smtp_auth": None}
    assert reported.user["note"] is None


def test_all_includes_smtp_auth_where_it_is_given_back(lab):
    others = on(*[name for name in SWITCHES if name != "smtp_auth"])

    reported = shut(lab, OFF, {**ON, **NULL}, {**others, **NULL}, protocols=["all"], **INHERIT)

    assert reported.user["after"] == {**dict.fromkeys(SWITCHES, True), "smtp_auth": None}


def test_what_inherits_already_is_left(lab):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, {**ON, **NULL}))

    reported = lab.run(MODULE, users=UPN, protocols=["all"], **INHERIT)

    assert (reported.statuses, reported.changed) == (["unchanged"], False)


def test_smtp_auth_that_is_not_named_is_left(lab):
    reported = shut(lab, OFF, {**OFF, **on("owa")}, on("owa"), protocols=["owa"], **INHERIT)

    assert reported.user["after"] == {"owa": True}


@pytest.mark.parametrize("protocol", ["smtp_auth", "all"])
def test_smtp_auth_that_was_allowed_by_hand_is_given_back_too(lab, protocol):
    reported = shut(lab, ON, {**ON, **NULL}, NULL, protocols=[protocol], **INHERIT)

    assert reported.user["after"]["smtp_auth"] is None


def test_check_mode_foretells_null(lab):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, OFF))

    reported = lab.run(MODULE, check=True, users=UPN, protocols=["owa", "smtp_auth"], **INHERIT)

    assert reported.result["diff"]["after"] == {UPN: {"owa": True, "smtp_auth": None}}


@pytest.mark.parametrize("reply", [BAD_VALUE, Reply(400), exchange_error(500, "x.NullException", "No null.")])
def test_where_null_is_refused_the_others_are_set_and_smtp_auth_stays_off(lab, reply):
    lab.wire.expect_each(
        find(JANE),
        get_mailbox(JANE, OFF),
        set_mailbox(JANE, **on("owa"), **NULL).but(reply),
        set_mailbox(JANE, **on("owa")),
        get_mailbox(JANE, {**OFF, **on("owa")}),
    )

    reported = lab.run(MODULE, users=UPN, protocols=["owa", "smtp_auth"], **INHERIT)

    assert (reported.statuses, reported.changed, reported.failed) == (["verified"], True, False)
    assert reported.user["after"] == {"owa": True, "smtp_auth": False}
    assert "smtp_auth stays off" in reported.user["note"]
    assert lab.clock.naps == []


def test_where_null_is_refused_and_was_all_there_was_nothing_is_changed(lab):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, OFF), set_mailbox(JANE, **NULL).but(BAD_VALUE))

    reported = lab.run(MODULE, users=UPN, protocols=["smtp_auth"], **INHERIT)

    assert (reported.statuses, reported.changed, reported.failed) == (["unchanged"], False, False)
    assert reported.user["before"] == reported.user["after"] == {"smtp_auth": False}
    assert reported.user["written_at"] is None
    assert "Invalid Operation" in reported.user["note"]


@pytest.mark.parametrize("reply", [NUL_BYTES, Reply(401)], ids=["403", "401"])
def test_an_application_that_may_not_write_does_not_try_again_without_null(lab, reply):
    tries = 5 if reply.status == 401 else 1
    refused = set_mailbox(JANE, **on("owa"), **NULL).but(reply)
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, OFF), *[refused] * tries)

    reported = lab.run(MODULE, users=UPN, protocols=["owa", "smtp_auth"], **INHERIT)

    assert (reported.statuses, reported.changed, reported.user["note"]) == (["failed"], False, None)


def test_a_refusal_that_was_not_about_null_is_reported(lab):
    reply = exchange_error(400, "x.ScopeException", "It isn't within your current write scopes.")
    lab.wire.expect_each(
        find(JANE),
        get_mailbox(JANE, OFF),
        set_mailbox(JANE, **on("owa"), **NULL).but(reply),
        set_mailbox(JANE, **on("owa")).but(reply),
    )

    reported = lab.run(MODULE, users=UPN, protocols=["owa", "smtp_auth"], **INHERIT)

    assert (reported.statuses, reported.changed) == (["failed"], False)
    assert "write scopes" in reported.user["error"]["message"]


def test_without_null_a_refusal_is_not_followed_by_another_try(lab):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, {**OFF, **NULL}), set_mailbox(JANE, **on("owa")).but(Reply(400)))

    assert lab.run(MODULE, users=UPN, protocols=["owa", "smtp_auth"], **INHERIT).statuses == ["failed"]


def test_a_lost_answer_is_looked_after_and_null_is_tried_again(lab):
    lost = set_mailbox(JANE, **on("owa"), **NULL)
    lab.wire.expect_each(
        find(JANE),
        get_mailbox(JANE, OFF),
        lost.but(Reply(503)),
        get_mailbox(JANE, OFF),
        lost.but(BAD_VALUE),
        set_mailbox(JANE, **on("owa")),
        get_mailbox(JANE, {**OFF, **on("owa")}),
    )

    reported = lab.run(MODULE, users=UPN, protocols=["owa", "smtp_auth"], **INHERIT)

    assert reported.statuses == ["verified"]


@pytest.mark.parametrize("smtp_auth", [True, False], ids=["read as disabled", "read as allowed"])
def test_a_null_that_is_taken_and_does_not_show_is_accepted_not_verified(lab, smtp_auth):
    after = {**ON, "SmtpClientAuthenticationDisabled": smtp_auth}

    sent = {**on("owa"), **NULL}
    reported = shut(lab, OFF, after, sent, looks=2, protocols=["owa", "smtp_auth"], verify_timeout=0.5, **INHERIT)

    assert reported.statuses == ["accepted"]
    assert reported.user["after"] == {"owa": True, "smtp_auth": not smtp_auth}


@pytest.mark.parametrize("reported", [True, False], ids=["with status", "without status"])
def test_in_a_batch_only_those_whose_null_was_refused_are_sent_again(lab, reported):
    lab.wire.statuses_in_batches = reported
    ann, bob, cid = crowd(3)
    rows = {one["id"]: mailbox(one, on=False) for one in (ann, bob, cid)}
    rows[cid["id"]] |= NULL
    lab.wire.expect(*map(find, (ann, bob, cid)))
    lab.wire.expect(*[get_mailbox(one, rows[one["id"]]) for one in (ann, bob, cid)])
    lab.wire.expect(
        set_mailbox(ann, **on("owa"), **NULL).but(BAD_VALUE),
        set_mailbox(bob, **on("owa"), **NULL),
        set_mailbox(cid, **on("owa")),
    )
    lab.wire.expect(set_mailbox(ann, **on("owa")))
    lab.wire.expect(
        get_mailbox(ann, {**rows[ann["id"]], **on("owa")}),
        *[get_mailbox(one, {**rows[one["id"]], **on("owa"), **NULL}) for one in (bob, cid)],
    )

    users = [one["userPrincipalName"] for one in (ann, bob, cid)]
    ran = lab.run(MODULE, users=users, protocols=["owa", "smtp_auth"], **INHERIT)

    assert ran.statuses == ["verified"] * 3
    assert [bool(one["note"]) for one in ran.users] == [True, False, False]
    assert [one["after"]["smtp_auth"] for one in ran.users] == [False, None, None]


def test_giving_back_goes_with_turning_on_only(lab):
    reported = lab.run(MODULE, users=UPN, state="disabled", protocols=["smtp_auth"], inherit_smtp_auth=True)

    assert reported.failed
    assert "state=enabled" in reported.msg
    assert not lab.wire.outer


# --- what the caller has just read of a mailbox ---

# As m365_user_info reports it.
REPORTED = dict.fromkeys(SWITCHES, True)


def handed(*reported, **more):
    """An element of users by object ID, with what was read of the mailbox: unless given, that all is on."""
    return {"user": JANE["id"], "protocols": reported[0] if reported else REPORTED, **more}


def test_a_mailbox_that_was_just_read_as_open_is_written_without_a_second_look_and_read_back(lab):
    lab.wire.expect_each(read(JANE), set_mailbox(JANE, **ALL_OFF), get_mailbox(JANE, OFF))

    reported = lab.run(MODULE, users=[handed()], state="disabled", protocols=["all"])

    assert (reported.statuses, reported.changed) == (["verified"], True)
    assert reported.user["before"] == REPORTED
    assert reported.user["after"] == dict.fromkeys(REPORTED, False)


def test_only_what_was_read_as_open_is_written_and_what_the_mailbox_shows_then_decides(lab):
    showing = {**OFF, "ImapEnabled": True}
    lab.wire.expect_each(read(JANE), set_mailbox(JANE, OWAEnabled=False), *[get_mailbox(JANE, showing)] * 2)

    reported = lab.run(
        MODULE,
        users=[handed({**dict.fromkeys(REPORTED, False), "owa": True})],
        state="disabled",
        protocols=["all"],
        verify_timeout=0.5,
    )

    assert reported.statuses == ["accepted"]
    assert reported.user["after"]["imap"] is True


def test_check_mode_plans_by_what_was_just_read(lab):
    lab.wire.expect(read(JANE))

    reported = lab.run(MODULE, check=True, users=[handed()], state="disabled", protocols=["all"])

    assert reported.statuses == ["planned"]
    assert not [one for one in lab.entra.asked if EXCHANGE in one.form.get("scope", "")]


@pytest.mark.parametrize(
    ("users", "options"),
    [
        pytest.param([handed(dict.fromkeys(REPORTED, False))], {}, id="it shows everything off"),
        pytest.param([handed({"pop": True})], {"protocols": ["owa", "pop"]}, id="it says nothing of one protocol"),
        pytest.param([handed({"no_such_protocol": True})], {}, id="of protocols that nobody knows"),
        pytest.param([handed({})], {}, id="it says nothing"),
        pytest.param([handed(None)], {}, id="it is null"),
        pytest.param([handed(), handed({**REPORTED, "owa": False})], {}, id="it is given twice, differently"),
    ],
)
def test_what_was_read_and_shows_no_open_door_is_read_again(lab, users, options):
    lab.wire.expect(read(JANE), get_mailbox(JANE, OFF))

    reported = lab.run(MODULE, users=users, state="disabled", **{"protocols": ["all"], **options})

    assert reported.statuses == ["unchanged"]


def test_what_was_read_of_a_name_is_read_again_since_the_name_may_have_moved(lab):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, OFF))

    reported = lab.run(MODULE, users=[{**handed(), "user": UPN}], state="disabled", protocols=["all"])

    assert reported.statuses == ["unchanged"]


def test_what_was_read_of_a_mailbox_that_is_given_back_is_read_again(lab):
    lab.wire.expect(read(JANE), get_mailbox(JANE, ON))

    reported = lab.run(MODULE, users=[handed(dict.fromkeys(REPORTED, False))], state="enabled", protocols=["owa"])

    assert reported.statuses == ["unchanged"]


def test_a_user_who_is_gone_is_not_written_although_the_mailbox_was_just_read(lab):
    lab.wire.expect_each(read(JANE).but(not_found(JANE["id"])), read_deleted(JANE["id"]))

    reported = lab.run(MODULE, users=[handed()], state="disabled", protocols=["all"])

    assert reported.statuses == ["failed"]
