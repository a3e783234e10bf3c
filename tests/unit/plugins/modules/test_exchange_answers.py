# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Exchange Online answers on its worst days: errors in a 200, faults that pass, pages, redirections, and delay."""

from __future__ import annotations

import dataclasses
import json
from unittest import mock

import pytest
import requests

from ansible_collections.m365.offboarding.plugins.module_utils._exchange import Exchange
from fakes.entra import TENANT_ID
from fakes.people import SWITCHES, crowd, mailbox, person
from fakes.residual import access, domains, mailbox_of, recipient, rows, rules
from fakes.turns import administrators, exchange_error, find, get_mailbox, read, set_mailbox
from fakes.wire import EXCHANGE, GRAPH, Reply

MODULE, LOOK = "exo_mailbox_protocols", "m365_user_info"
JANE = person("jane.doe")
UPN = "jane.doe@contoso.com"
ON, OFF = mailbox(JANE), mailbox(JANE, on=False)
ALL_OFF = {name: name == "SmtpClientAuthenticationDisabled" for name in SWITCHES.values()}
OWA_OFF = {"OWAEnabled": False}
ROOT = f"/adminapi/beta/{TENANT_ID}"

CODE_ONLY = {"code": "BadRequest", "message": "It cannot be done."}
CLASSED = exchange_error(200, "Microsoft.Exchange.SomethingException", "It cannot be done.").json


def upns(people):
    return [one["userPrincipalName"] for one in people]


# --- an error in a 200 ---

IN_A_200 = {
    "error": {"error": CODE_ONLY},
    "with class": CLASSED,
    "odata": {"@odata.error": CODE_ONLY},
    "odata with value": {"@odata.error": CODE_ONLY, "value": []},
    "text": {"error": "It cannot be done."},
    "of the cmdlet": {"@adminapi.errors": ["Ex1|x.SomethingException|It cannot be done."], "value": []},
    "of the cmdlet, without id": {"@adminapi.errors": ["|x.SomethingException|It cannot be done."]},
    "another case": {"Error": CODE_ONLY},
}


@pytest.mark.parametrize("body", IN_A_200.values(), ids=IN_A_200)
def test_a_write_that_a_200_calls_an_error_is_not_a_write(lab, body):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, ON), set_mailbox(JANE, **OWA_OFF).but(Reply(200, body)))

    reported = lab.run(MODULE, users=UPN, state="disabled", protocols=["owa"])

    assert (reported.statuses, reported.changed, reported.user["written_at"]) == (["failed"], False, None)
    assert "It cannot be done." in reported.user["error"]["message"]


@pytest.mark.parametrize("statuses", [True, False], ids=["with status", "without status"])
@pytest.mark.parametrize("body", IN_A_200.values(), ids=IN_A_200)
def test_in_a_batch_only_the_calls_that_failed_are_failed(lab, body, statuses):
    lab.wire.statuses_in_batches = statuses
    ann, bob = crowd(2)
    lab.wire.expect(find(ann), find(bob))
    lab.wire.expect(get_mailbox(ann, mailbox(ann)), get_mailbox(bob, mailbox(bob)))
    lab.wire.expect(set_mailbox(ann, **OWA_OFF).but(Reply(200, body)), set_mailbox(bob, **OWA_OFF))
    lab.wire.expect(get_mailbox(bob, mailbox(bob, on=False)))

    reported = lab.run(MODULE, users=upns([ann, bob]), state="disabled", protocols=["owa"])

    assert reported.statuses == ["failed", "verified"]


@pytest.mark.parametrize("body", IN_A_200.values(), ids=IN_A_200)
def test_a_batch_that_is_an_error_as_a_whole_wrote_nothing(lab, body):
    ann, bob = crowd(2)
    lab.wire.expect(find(ann), find(bob))
    lab.wire.expect(get_mailbox(ann, mailbox(ann)), get_mailbox(bob, mailbox(bob)))
    inner = {"responses": [{"id": "0", "status": 200, "body": {"value": []}}]}
    lab.wire.expect(set_mailbox(ann, **OWA_OFF), set_mailbox(bob, **OWA_OFF), whole=Reply(200, {**inner, **body}))

    reported = lab.run(MODULE, users=upns([ann, bob]), state="disabled", protocols=["owa"])

    assert reported.statuses == ["failed", "failed"]


@pytest.mark.parametrize("body", IN_A_200.values(), ids=IN_A_200)
def test_a_reading_that_a_200_calls_an_error_proves_nothing(lab, body):
    row = {"value": [OFF]} if "value" not in body else {}
    lab.wire.expect_each(find(JANE), get_mailbox(JANE).but(Reply(200, {**row, **body})))

    reported = lab.run(MODULE, users=UPN, state="disabled", protocols=["owa"])

    assert reported.statuses == ["failed"]


@pytest.mark.parametrize("nothing", [{"error": None}, {"@odata.error": None}, {"@adminapi.errors": []}])
def test_an_empty_list_of_errors_and_warnings_are_not_an_error(lab, nothing):
    body = {"@adminapi.warnings": ["No settings have been modified."], "value": [], **nothing}
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, ON), set_mailbox(JANE, **OWA_OFF).but(Reply(200, body)))
    lab.wire.expect(get_mailbox(JANE, OFF))

    assert lab.run(MODULE, users=UPN, state="disabled", protocols=["owa"]).statuses == ["verified"]


# --- faults that pass ---

PASSING = [
    "Microsoft.Exchange.Data.Directory.DCOverloadedException",
    "SuitabilityDirectoryException",
    "Microsoft.Exchange.ServerInMMException",
    "ADServerSettingsChangedException",
    "Microsoft.Exchange.Data.Storage.StorageTransientException",
    "CmdletProxyNotAvailableFailureException",
    "Microsoft.Exchange.ServerBusyException",
    "BackendCommunicationException",
]


def in_json(kind, text):
    return json.dumps({"localizedString": text, "ClassName": kind, "Message": text})


def faults(kind, text="Not now."):
    """Return the shapes in which Exchange reports one exception."""
    return {
        "details": {"error": {"code": "x", "message": "m", "details": [{"message": f"Ex1|{kind}|{text}"}]}},
        "without id": {"error": {"code": "x", "message": "m", "details": [{"message": f"|{kind}|{text}"}]}},
        "json": {"error": {"code": "x", "message": "m", "details": [{"message": in_json(kind, text)}]}},
        "internal": {"error": {"code": "x", "innererror": {"internalexception": {"type": kind, "message": text}}}},
        "of the cmdlet": {"@adminapi.errors": [f"Ex1|{kind}|{text}"], "value": []},
    }


@pytest.mark.parametrize("shape", faults(""))
@pytest.mark.parametrize("retry_after", [None, "7"])
@pytest.mark.parametrize("status", [200, 400, 500, 503])
@pytest.mark.parametrize("kind", PASSING[:2] + PASSING[4:6])
def test_a_reading_is_repeated_after_a_fault_that_passes(lab, kind, status, retry_after, shape):
    headers = {"Retry-After": retry_after} if retry_after else {}
    lab.wire.expect_each(find(JANE), get_mailbox(JANE).but(Reply(status, faults(kind)[shape], headers=headers)))
    lab.wire.expect(get_mailbox(JANE, OFF))

    assert lab.run(MODULE, users=UPN, state="disabled").statuses == ["unchanged"]
    assert (lab.clock.naps == [7.0]) is bool(retry_after)


@pytest.mark.parametrize("kind", PASSING)
def test_each_class_that_passes_is_known(lab, kind):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE).but(Reply(400, faults(kind)["details"])))
    lab.wire.expect(get_mailbox(JANE, OFF))

    assert lab.run(MODULE, users=UPN, state="disabled").statuses == ["unchanged"]


@pytest.mark.parametrize("statuses", [True, False], ids=["with status", "without status"])
@pytest.mark.parametrize("shape", faults(""))
def test_in_a_batch_only_the_call_that_met_the_fault_is_repeated_and_after_its_own_wait(lab, shape, statuses):
    lab.wire.statuses_in_batches = statuses
    ann, bob = crowd(2)
    reply = Reply(400, faults("x.ServerBusyException")[shape], headers={"Retry-After": "9"})
    lab.wire.expect(find(ann), find(bob))
    lab.wire.expect(get_mailbox(ann).but(reply), get_mailbox(bob, mailbox(bob, on=False)))
    lab.wire.expect(get_mailbox(ann, mailbox(ann, on=False)))

    reported = lab.run(MODULE, users=upns([ann, bob]), state="disabled")

    assert reported.statuses == ["unchanged", "unchanged"]
    if statuses:
        assert lab.clock.naps == [9.0]


@pytest.mark.parametrize(
    "text", ["Request was throttled.", "Server too BUSY", "Service unavailable", "Please try again"]
)
@pytest.mark.parametrize("shape", ["error", "@odata.error", "@adminapi.errors"])
def test_a_200_that_says_in_words_that_it_passes_is_repeated(lab, text, shape):
    body = {"@adminapi.errors": [text], "value": []} if shape == "@adminapi.errors" else {shape: {"message": text}}
    lab.wire.expect_each(find(JANE), get_mailbox(JANE).but(Reply(200, body)), get_mailbox(JANE, OFF))

    assert lab.run(MODULE, users=UPN, state="disabled").statuses == ["unchanged"]


def test_a_fault_that_does_not_pass_ends_with_the_retry_budget(lab):
    reply = Reply(400, faults("x.ServerBusyException")["details"], headers={"Retry-After": "20"})
    lab.wire.expect_each(find(JANE), *[get_mailbox(JANE).but(reply)] * 3)

    reported = lab.run(MODULE, users=UPN, state="disabled", retry_timeout=50)

    assert reported.statuses == ["failed"]
    assert reported.user["error"]["code"] == "ServerBusyException"
    assert lab.clock.naps == [20.0, 20.0]


def test_a_fault_that_passes_is_not_given_up_after_five_tries_because_it_comes_as_500(lab):
    reply = Reply(500, faults("x.StorageTransientException")["details"], headers={"Retry-After": "1"})
    lab.wire.expect_each(find(JANE), *[get_mailbox(JANE).but(reply)] * 9, get_mailbox(JANE, OFF))

    assert lab.run(MODULE, users=UPN, state="disabled").statuses == ["unchanged"]


def test_a_class_is_recognised_however_long_its_text_is(lab):
    long = "x" * 500 + " " + "y" * 500
    lab.wire.expect_each(
        find(JANE),
        get_mailbox(JANE).but(Reply(400, faults("x.ServerBusyException", f"{long}\nmore")["json"])),
        get_mailbox(JANE, OFF),
    )

    assert lab.run(MODULE, users=UPN, state="disabled").statuses == ["unchanged"]


@pytest.mark.parametrize("done", [True, False], ids=["done all the same", "not done"])
@pytest.mark.parametrize("status", [200, 400, 500, 503])
@pytest.mark.parametrize("shape", faults(""))
def test_after_a_fault_that_passes_a_write_is_looked_at_and_then_sent_again(lab, shape, status, done):
    write = set_mailbox(JANE, **OWA_OFF)
    lost = write.but(Reply(status, faults("x.StorageTransientException")[shape], headers={"Retry-After": "11"}))
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, ON), lost, get_mailbox(JANE, OFF if done else ON))
    if not done:
        lab.wire.expect_each(write, get_mailbox(JANE, OFF))

    reported = lab.run(MODULE, users=UPN, state="disabled", protocols=["owa"])

    assert (reported.statuses, reported.changed) == (["verified"], True)
    assert lab.clock.naps == ([] if done else [11.0])


def test_a_write_that_never_gets_through_is_failed_and_perhaps_done(lab):
    write = set_mailbox(JANE, **OWA_OFF).but(Reply(400, faults("x.ServerBusyException")["details"]))
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, ON), write, get_mailbox(JANE, ON))

    reported = lab.run(MODULE, users=UPN, state="disabled", protocols=["owa"], retry_timeout=0)

    assert (reported.statuses, reported.changed) == (["failed"], True)
    assert "run again" in reported.user["error"]["hint"]


@pytest.mark.parametrize("status", [503, 504])
def test_503_and_504_are_repeated_whatever_class_they_name(lab, status):
    reply = exchange_error(status, "x.SomethingException", "Not now.")
    lab.wire.expect_each(find(JANE), get_mailbox(JANE).but(reply), get_mailbox(JANE, OFF))

    assert lab.run(MODULE, users=UPN, state="disabled").statuses == ["unchanged"]


def test_the_json_form_is_reported_by_its_text_and_its_class(lab):
    body = faults("x.SomethingException", "It does not please me.")["json"]
    lab.wire.expect_each(find(JANE), get_mailbox(JANE).but(Reply(400, body)))

    error = lab.run(MODULE, users=UPN, state="disabled").user["error"]

    assert error["code"] == "SomethingException"
    assert "Exchange Online answered 400: It does not please me." in error["message"]


# --- delay ---


def test_a_batch_may_take_as_long_as_its_calls_take_one_after_the_other(lab):
    ten = crowd(10)
    lab.wire.expect(*map(find, ten))
    lab.wire.expect(*[get_mailbox(one, mailbox(one, on=False)) for one in ten])

    lab.run(MODULE, users=upns(ten), state="disabled", timeout=30)

    (batch,) = lab.wire.to(EXCHANGE)
    assert batch.timeout == (30, 150)
    assert {outer.timeout for outer in lab.wire.to(GRAPH)} == {30}


@pytest.mark.parametrize(
    ("options", "timeout"),
    [
        ({"timeout": 3}, (3, 30)),
        ({"retry_timeout": 1}, 30),
        ({"timeout": 200}, 200),
        ({"retry_timeout": 900}, (30, 300)),
    ],
)
def test_the_time_for_a_batch_is_bounded_by_the_options(lab, options, timeout):
    ten = crowd(10)
    lab.wire.expect(*map(find, ten))
    lab.wire.expect(*[get_mailbox(one, mailbox(one, on=False)) for one in ten])

    lab.run(MODULE, users=upns(ten), state="disabled", **options)

    assert [outer.timeout for outer in lab.wire.to(EXCHANGE)] == [timeout]


LATE = Reply(raises=requests.exceptions.ReadTimeout("read timed out"), takes=150)


def test_a_batch_of_readings_that_takes_too_long_is_sent_again_in_halves(lab):
    ten = crowd(10)
    turns = [get_mailbox(one, mailbox(one, on=False)) for one in ten]
    lab.wire.expect(*map(find, ten))
    lab.wire.expect(*turns, whole=LATE)
    lab.wire.expect(*turns)

    reported = lab.run(MODULE, users=upns(ten), state="disabled")

    assert set(reported.statuses) == {"unchanged"}
    sizes = [len(json.loads(outer.request.body)["requests"]) for outer in lab.wire.to(EXCHANGE)]
    assert sizes == [10, 5, 5]


def test_a_batch_of_writes_that_takes_too_long_is_looked_at_and_sent_again_in_halves(lab):
    four = crowd(4)
    on, off = ({one["id"]: mailbox(one, on=state) for one in four} for state in (True, False))
    writes = [set_mailbox(one, **OWA_OFF) for one in four]
    lab.wire.expect(*map(find, four))
    lab.wire.expect(*[get_mailbox(one, on[one["id"]]) for one in four])
    lab.wire.expect(*writes, whole=LATE)
    lab.wire.expect(*[get_mailbox(one, (off if one is four[0] else on)[one["id"]]) for one in four])
    lab.wire.expect(*writes[1:])
    lab.wire.expect(*[get_mailbox(one, off[one["id"]]) for one in four[1:]])

    reported = lab.run(MODULE, users=upns(four), state="disabled", protocols=["owa"])

    assert reported.statuses == ["verified"] * 4


def test_a_single_call_to_exchange_has_the_usual_time(lab):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, OFF))

    lab.run(MODULE, users=UPN, state="disabled", timeout=30)

    assert [outer.timeout for outer in lab.wire.to(EXCHANGE)] == [30]


def test_after_a_batch_of_writes_that_timed_out_only_those_not_shown_are_sent_again(lab):
    ann, bob, cid = crowd(3)
    on, off = ({one["id"]: mailbox(one, on=state) for one in (ann, bob, cid)} for state in (True, False))
    lab.wire.expect(*map(find, (ann, bob, cid)))
    lab.wire.expect(*[get_mailbox(one, on[one["id"]]) for one in (ann, bob, cid)])
    late = Reply(raises=requests.exceptions.ReadTimeout("read timed out"), takes=90)
    lab.wire.expect(*[set_mailbox(one, **OWA_OFF) for one in (ann, bob, cid)], whole=late)
    lab.wire.expect(get_mailbox(ann, off[ann["id"]]), get_mailbox(bob, off[bob["id"]]), get_mailbox(cid, on[cid["id"]]))
    lab.wire.expect_each(set_mailbox(cid, **OWA_OFF), get_mailbox(cid, off[cid["id"]]))

    reported = lab.run(MODULE, users=upns([ann, bob, cid]), state="disabled", protocols=["owa"])

    assert reported.statuses == ["verified"] * 3


# --- a switch that this caller does not have ---


def unknown(name, kind="System.Management.Automation.ParameterBindingException", quote="''", status=400):
    text = f"A parameter cannot be found that matches parameter name {quote[0]}{name}{quote[1]}."
    return exchange_error(status, kind, text, "BadRequest")


def without(sent, *names):
    return {name: value for name, value in sent.items() if name not in names}


@pytest.mark.parametrize("protocol", SWITCHES)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_one_refused_switch_keeps_no_other_one_on(lab, protocol, status):
    name = SWITCHES[protocol]
    after = {**OFF, name: ON[name]}
    lab.wire.expect_each(
        find(JANE),
        get_mailbox(JANE, ON),
        set_mailbox(JANE, **ALL_OFF).but(unknown(name, status=status)),
        set_mailbox(JANE, **without(ALL_OFF, name)),
        get_mailbox(JANE, after),
    )

    reported = lab.run(MODULE, users=UPN, state="disabled", protocols=["all"])

    assert (reported.statuses, reported.changed) == (["failed"], True)
    assert reported.user["after"] == {**dict.fromkeys(SWITCHES, False), protocol: True}
    assert reported.user["written_at"]
    assert f"{UPN}: {protocol}: " in reported.user["error"]["message"]
    assert "A parameter cannot be found" in reported.user["error"]["message"]
    assert "role" in reported.user["error"]["hint"]
    assert ("April 2027" in reported.user["error"]["hint"]) is (protocol == "ews")
    assert lab.clock.naps == []


@pytest.mark.parametrize(
    "reply",
    [
        unknown("ewsenabled"),
        unknown("EwsEnabled", "ParameterBindingException", '""'),
        unknown("EwsEnabled", "x.SomeOtherException", "\u2018\u2019"),
        Reply(
            400,
            {
                "error": {
                    "code": "x",
                    "message": "A parameter cannot be found that matches parameter name 'EwsEnabled'.",
                }
            },
        ),
        Reply(200, {"@adminapi.errors": [unknown("EwsEnabled").json["error"]["details"][0]["message"]]}),
    ],
    ids=["case", "double quotes", "other class", "no class", "in a 200"],
)
def test_the_refused_switch_is_recognised_however_it_is_named(lab, reply):
    lab.wire.expect_each(
        find(JANE),
        get_mailbox(JANE, ON),
        set_mailbox(JANE, OWAEnabled=False, EwsEnabled=False).but(reply),
        set_mailbox(JANE, **OWA_OFF),
        get_mailbox(JANE, {**ON, **OWA_OFF}),
    )

    reported = lab.run(MODULE, users=UPN, state="disabled", protocols=["owa", "ews"])

    assert reported.user["after"] == {"owa": False, "ews": True}
    assert f"{UPN}: ews: " in reported.user["error"]["message"]


def test_several_refused_switches_are_left_out_one_after_another(lab):
    names = ["EwsEnabled", "MacOutlookEnabled", "OneWinNativeOutlookEnabled"]
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, ON))
    for count, name in enumerate(names):
        lab.wire.expect(set_mailbox(JANE, **without(ALL_OFF, *names[:count])).but(unknown(name)))
    lab.wire.expect_each(
        set_mailbox(JANE, **without(ALL_OFF, *names)), get_mailbox(JANE, {**OFF, **dict.fromkeys(names, True)})
    )

    reported = lab.run(MODULE, users=UPN, state="disabled", protocols=["all"])

    assert (reported.statuses, reported.changed) == (["failed"], True)
    assert f"{UPN}: ews, mac_outlook, new_outlook: " in reported.user["error"]["message"]
    assert [name for name, on in reported.user["after"].items() if on] == ["ews", "mac_outlook", "new_outlook"]


def test_every_switch_refused_ends(lab):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, ON))
    names = [SWITCHES[name] for name in ("activesync", "owa", "mapi", "ews", "pop", "imap")]
    for count, name in enumerate(names):
        sent = dict.fromkeys(names[count:], False)
        lab.wire.expect(set_mailbox(JANE, **sent).but(unknown(name)))

    reported = lab.run(MODULE, users=UPN, state="disabled")

    assert (reported.statuses, reported.changed, reported.user["written_at"]) == (["failed"], False, None)


@pytest.mark.parametrize("state", ["disabled", "enabled"])
def test_the_only_switch_refused_is_a_failure(lab, state):
    before, value = (ON, False) if state == "disabled" else (OFF, True)
    lab.wire.expect_each(
        find(JANE), get_mailbox(JANE, before), set_mailbox(JANE, EwsEnabled=value).but(unknown("EwsEnabled"))
    )

    reported = lab.run(MODULE, users=UPN, state=state, protocols=["ews"])

    assert (reported.statuses, reported.changed) == (["failed"], False)
    assert reported.user["after"] == {"ews": not value}
    assert "April 2027" in reported.user["error"]["hint"]


def test_turning_on_goes_on_without_the_refused_switch_too(lab):
    lab.wire.expect_each(
        find(JANE),
        get_mailbox(JANE, OFF),
        set_mailbox(JANE, OWAEnabled=True, EwsEnabled=True).but(unknown("EwsEnabled")),
        set_mailbox(JANE, OWAEnabled=True),
        get_mailbox(JANE, {**OFF, "OWAEnabled": True}),
    )

    reported = lab.run(MODULE, users=UPN, state="enabled", protocols=["owa", "ews"])

    assert reported.user["after"] == {"owa": True, "ews": False}
    assert f"{UPN}: ews: " in reported.user["error"]["message"]


def test_a_parameter_that_was_not_sent_is_no_reason_to_leave_a_switch_out(lab):
    for name in ("Identity", "EwsEnabled"):
        lab.wire.expect_each(find(JANE), get_mailbox(JANE, ON), set_mailbox(JANE, **OWA_OFF).but(unknown(name)))

        reported = lab.run(MODULE, users=UPN, state="disabled", protocols=["owa"])

        assert (reported.statuses, reported.changed) == (["failed"], False)


@pytest.mark.parametrize("statuses", [True, False], ids=["with status", "without status"])
def test_in_a_batch_a_refused_switch_is_left_out_for_each(lab, statuses):
    lab.wire.statuses_in_batches = statuses
    ann, bob = crowd(2)
    sent = {"OWAEnabled": False, "EwsEnabled": False}
    lab.wire.expect(find(ann), find(bob))
    lab.wire.expect(*[get_mailbox(one, mailbox(one)) for one in (ann, bob)])
    lab.wire.expect(*[set_mailbox(one, **sent).but(unknown("EwsEnabled")) for one in (ann, bob)])
    lab.wire.expect(*[set_mailbox(one, **OWA_OFF) for one in (ann, bob)])
    lab.wire.expect(*[get_mailbox(one, {**mailbox(one), **OWA_OFF}) for one in (ann, bob)])

    reported = lab.run(MODULE, users=upns([ann, bob]), state="disabled", protocols=["owa", "ews"])

    assert [one["after"] for one in reported.users] == [{"owa": False, "ews": True}] * 2


# --- whose answer it is ---


@pytest.mark.parametrize("owner", [None, "", 5, "absent"])
def test_a_mailbox_that_does_not_say_whose_it_is_proves_nothing(lab, owner):
    row = {**OFF, "ExternalDirectoryObjectId": owner}
    if owner == "absent":
        del row["ExternalDirectoryObjectId"]
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, row))

    reported = lab.run(MODULE, users=UPN, state="disabled")

    assert reported.statuses == ["failed"]
    assert "whose mailbox" in reported.user["error"]["message"]


def test_a_written_mailbox_that_does_not_say_whose_it_is_is_not_verified(lab):
    nameless = {name: value for name, value in OFF.items() if name != "ExternalDirectoryObjectId"}
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, ON), set_mailbox(JANE, **OWA_OFF))
    lab.wire.expect_each(*[get_mailbox(JANE, nameless)] * 2)

    reported = lab.run(MODULE, users=UPN, state="disabled", protocols=["owa"], verify_timeout=0.5)

    assert reported.statuses == ["accepted"]


def test_a_forwarding_of_a_mailbox_that_does_not_say_whose_it_is_was_not_looked_at(lab):
    row = mailbox_of(JANE)
    del row["ExternalDirectoryObjectId"]
    permissions = [rows(f"Get-{name}Permission", JANE) for name in ("Mailbox", "Recipient")]
    lab.wire.expect_each(find(JANE), *permissions, recipient(JANE, row))

    left = lab.run(LOOK, users=UPN, steps=["signin"], residual=["delegates"]).user["residual"]["delegates"]

    assert left["state"] == "not_looked_at"


# --- refusals without a body, and redirections ---


@pytest.mark.parametrize(
    "body", [{"body": bytes(64), "headers": {"Content-Encoding": "gzip"}}, {"body": bytes(64)}, {"body": b""}]
)
def test_a_403_without_words_names_the_class_in_its_header(lab, body):
    headers = {**body.get("headers", {}), "X-ExceptionType": "Microsoft.Exchange.Net.AccessDeniedException"}
    lab.wire.expect_each(find(JANE), get_mailbox(JANE).but(Reply(403, body=body["body"], headers=headers)))

    error = lab.run(MODULE, users=UPN, state="disabled").user["error"]

    assert error["code"] == "AccessDeniedException"
    assert "Exchange Online answered 403: AccessDeniedException" in error["message"]
    assert "View-Only Recipients" in error["hint"]


def test_a_class_in_the_header_that_passes_is_waited_for(lab):
    reply = Reply(400, body=bytes(8), headers={"X-ExceptionType": "x.ServerBusyException"})
    lab.wire.expect_each(find(JANE), get_mailbox(JANE).but(reply), get_mailbox(JANE, OFF))

    assert lab.run(MODULE, users=UPN, state="disabled").statuses == ["unchanged"]


def test_a_class_in_the_header_counts_beside_a_body_that_names_none(lab):
    reply = Reply(
        400, {"error": {"message": "Error executing request."}}, headers={"X-ExceptionType": "x.ServerBusyException"}
    )
    lab.wire.expect_each(find(JANE), get_mailbox(JANE).but(reply), get_mailbox(JANE, OFF))

    assert lab.run(MODULE, users=UPN, state="disabled").statuses == ["unchanged"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_is_named_and_not_followed(lab, status):
    location = "https://eur01.outlook.office365.com/adminapi/beta/x/InvokeCommand?a=b"
    lab.wire.expect_each(find(JANE), get_mailbox(JANE).but(Reply(status, headers={"Location": location})))

    error = lab.run(MODULE, users=UPN, state="disabled").user["error"]

    assert "eur01.outlook.office365.com" in error["message"]
    assert "exchange_url" in error["hint"]
    assert {outer.host for outer in lab.wire.outer} == {EXCHANGE, GRAPH, "login.microsoftonline.com"}


def test_a_batch_that_is_redirected_is_not_followed_either(lab):
    ann, bob = crowd(2)
    lab.wire.expect(find(ann), find(bob))
    away = Reply(302, headers={"Location": "https://elsewhere.office365.com/"})
    lab.wire.expect(get_mailbox(ann), get_mailbox(bob), whole=away)

    reported = lab.run(MODULE, users=upns([ann, bob]), state="disabled")

    assert all("elsewhere.office365.com" in one["error"]["message"] for one in reported.users)


@pytest.mark.parametrize("location", ["/elsewhere", "", "https://[", "https://a\x00b/", None])
def test_a_redirection_to_nowhere_is_a_failure_too(lab, location):
    headers = {} if location is None else {"Location": location}
    lab.wire.expect_each(find(JANE), get_mailbox(JANE).but(Reply(302, headers=headers)))

    assert "another address" in lab.run(MODULE, users=UPN, state="disabled").user["error"]["message"]


def test_graph_that_redirects_is_named_with_its_own_option(lab):
    away = Reply(302, headers={"Location": "https://graph.elsewhere.com/v1.0/"})
    lab.wire.expect(read(JANE), administrators(), whole=away)

    error = lab.run("m365_user_signin", users=JANE["id"], state="blocked").user["error"]

    assert "graph.elsewhere.com" in error["message"]
    assert "graph_url" in error["hint"]


# --- several pages ---


def paged(turn, *parts, link=None):
    """Return the calls for a list that comes in these pages: the same body, POSTed again to each link."""
    turns = []
    for number, part in enumerate(parts):
        body = {"value": part}
        if number + 1 < len(parts):
            body["@odata.nextLink"] = link or f"https://{EXCHANGE}{ROOT}/InvokeCommand?$skiptoken=page{number + 1}"
        query = {"$skiptoken": f"page{number}"} if number else {}
        turns.append(dataclasses.replace(turn, query=query, reply=Reply(json=body)))
    return turns


def test_a_mailbox_on_the_second_page_is_found(lab):
    lab.wire.expect_each(find(JANE), *paged(get_mailbox(JANE, OFF), [], [OFF]))

    assert lab.run(MODULE, users=UPN, state="disabled").statuses == ["unchanged"]


def test_a_second_mailbox_on_the_second_page_is_one_too_many(lab):
    lab.wire.expect_each(find(JANE), *paged(get_mailbox(JANE, OFF), [OFF], [OFF]))

    assert lab.run(MODULE, users=UPN, state="disabled").statuses == ["failed"]


def test_permissions_are_read_to_their_end(lab):
    lab.wire.expect_each(
        find(JANE),
        *paged(rows("Get-MailboxPermission", JANE), [access("ann@contoso.com")], [], [access("bob@contoso.com")]),
        *paged(rows("Get-RecipientPermission", JANE), [], []),
        *paged(recipient(JANE, mailbox_of(JANE)), [], [mailbox_of(JANE)]),
    )

    left = lab.run(LOOK, users=UPN, steps=["signin"], residual=["delegates"]).user["residual"]["delegates"]

    assert [one["name"] for one in left["found"]] == ["ann@contoso.com", "bob@contoso.com"]
    assert left["error"] is None


def test_accepted_domains_are_read_to_their_end(lab):
    row = mailbox_of(JANE, ForwardingSmtpAddress="smtp:x@fabrikam.com")
    first, second = ([{"DomainName": name}] for name in ("contoso.com", "fabrikam.com"))
    lab.wire.expect_each(
        find(JANE), recipient(JANE, row), rules(JANE).but(Reply(403)), *paged(domains(), first, second)
    )

    left = lab.run(LOOK, users=UPN, steps=["signin"], residual=["forwarding"]).user["residual"]["forwarding"]

    assert left["found"] == []
    assert left["error"]["message"].startswith("Could not read inbox rules")


def test_in_a_batch_only_the_list_that_goes_on_is_asked_for_again(lab):
    ann, bob = crowd(2)
    first, second = paged(get_mailbox(ann), [], [mailbox(ann, on=False)])
    lab.wire.expect(find(ann), find(bob))
    lab.wire.expect(first, get_mailbox(bob, mailbox(bob, on=False)))
    lab.wire.expect(second)

    assert lab.run(MODULE, users=upns([ann, bob]), state="disabled").statuses == ["unchanged"] * 2


@pytest.mark.parametrize(
    "link",
    [
        f"https://evil.example{ROOT}/InvokeCommand?$skiptoken=1",
        f"https://{EXCHANGE}.evil.example{ROOT}/InvokeCommand",
        f"https://{EXCHANGE}@evil.example{ROOT}/InvokeCommand",
        f"http://{EXCHANGE}{ROOT}/InvokeCommand",
        f"https://{EXCHANGE}/adminapi/beta/another/InvokeCommand",
        f"https://{EXCHANGE}{ROOT}/../../../evil",
        f"https://{EXCHANGE}{ROOT}/%2E%2e/evil",
        f"https://{EXCHANGE}{ROOT}/..\\evil",
        f"https://{EXCHANGE}:8443{ROOT}/InvokeCommand",
        f"//{EXCHANGE}{ROOT}/InvokeCommand",
        5,
        {"a": "b"},
    ],
)
def test_a_page_that_is_not_below_the_services_own_root_is_never_asked_for(lab, link):
    lab.wire.expect_each(find(JANE), *paged(get_mailbox(JANE), [OFF], [], link=link)[:1])

    reported = lab.run(MODULE, users=UPN, state="disabled")

    assert reported.statuses == ["failed"]
    assert "next page" in reported.user["error"]["message"]


def test_pages_that_go_round_in_a_circle_end(lab):
    first, second = paged(get_mailbox(JANE), [], [])
    again = dataclasses.replace(second, reply=first.reply)
    lab.wire.expect_each(find(JANE), first, again)

    reported = lab.run(MODULE, users=UPN, state="disabled")

    assert "without end" in reported.user["error"]["message"]


def test_a_page_that_fails_spoils_the_list(lab):
    first, second = paged(get_mailbox(JANE), [], [])
    missing = exchange_error(404, "x.ManagementObjectNotFoundException", f"Object '{JANE['id']}' couldn't be found.")
    lab.wire.expect_each(find({**JANE, "assignedPlans": []}), first, second.but(missing))

    assert lab.run(MODULE, users=UPN, state="disabled").statuses == ["failed"]


def test_the_names_of_properties_are_held_once_for_all_mailboxes():
    exchange = Exchange("https://outlook.office365.com", mock.MagicMock(), mock.MagicMock(), 0)
    answers = [json.loads(f'{{"value": [{{"OWAEnabled": true, "OwaEnabled@type": "x", "Id": {n}}}]}}') for n in (1, 2)]

    (first,), (second,) = (exchange.digest(answer)["value"] for answer in answers)

    assert (first, second) == ({"owaenabled": True, "id": 1}, {"owaenabled": True, "id": 2})
    assert all(one is other for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("body", [{"value": "x"}, {"value": [1, None]}, {"error": {}}, [], "x", None])
def test_an_answer_without_rows_is_kept_as_it_is(body):
    exchange = Exchange("https://outlook.office365.com", mock.MagicMock(), mock.MagicMock(), 0)

    assert exchange.digest(body) == body


# --- headers ---


def test_json_is_asked_for_and_each_run_is_a_connection_of_its_own(lab):
    for _run in range(2):
        lab.wire.expect_each(find(JANE), get_mailbox(JANE, OFF))
        lab.run(MODULE, users=UPN, state="disabled")

    headers = [outer.request.headers for outer in lab.wire.to(EXCHANGE)]
    assert [one["X-ResponseFormat"] for one in headers] == ["json"] * 2
    assert len({one["connection-id"] for one in headers}) == 2
