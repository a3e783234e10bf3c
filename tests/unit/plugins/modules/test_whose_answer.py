# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whoever is answered must be who was asked for, and what an answer says is cleaned before anybody sees it."""

from __future__ import annotations

import json

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils._foreign import clean
from fakes.clock import later
from fakes.people import locked, mailbox, person
from fakes.turns import (
    administrators,
    enable,
    fault,
    find,
    find_by_address,
    find_deleted,
    find_group,
    forbidden,
    get_mailbox,
    graph_error,
    ids,
    members,
    not_found,
    read,
    read_deleted,
    read_group,
    reset,
    revoke,
    roles,
    search,
    web_page,
)
from fakes.wire import Reply

JANE, BOB, OMAR = person("jane.doe"), person("bob"), person("omar")
UPN = "jane.doe@contoso.com"
OWN = {
    "m365_user_password": {},
    "m365_user_sessions": {},
    "m365_user_signin": {"state": "blocked"},
    "exo_mailbox_protocols": {"state": "disabled"},
    "m365_user_info": {"steps": ["signin"]},
}
every_module = pytest.mark.parametrize("module", OWN)


def error_of(reported):
    assert (reported.statuses, reported.failed, reported.changed) == (["failed"], True, False)
    return reported.user["error"]


# --- the first read ---


@every_module
@pytest.mark.parametrize("check", [False, True])
def test_another_user_in_the_answer_by_name_is_an_error(lab, module, check):
    lab.wire.expect(find(UPN, BOB))

    error = error_of(lab.run(module, users=UPN, check=check, **OWN[module]))

    assert error["code"] == "another_user"
    assert UPN in error["message"]


@every_module
def test_another_user_in_the_answer_by_object_id_is_an_error(lab, module):
    beside = {
        "exo_mailbox_protocols": [get_mailbox(JANE, mailbox(JANE))],
        "m365_user_password": [administrators()],
        "m365_user_signin": [administrators()],
    }
    lab.wire.expect(read(JANE).but(Reply(json=BOB)), *beside.get(module, []))

    assert error_of(lab.run(module, users=JANE["id"], **OWN[module]))["code"] == "another_user"


@pytest.mark.parametrize(
    "other",
    [
        {"userPrincipalName": "jane.doe@contoso.com.evil.example"},
        {"userPrincipalName": "jane.doe@contoso.com\u200b"},
        {"userPrincipalName": "jane.doe@contoso.com\x00"},
        {"userPrincipalName": "jane.doe@conto\u017fo.com"},
    ],
)
def test_a_name_that_only_looks_alike_is_another(lab, other):
    lab.wire.expect(find(UPN, {**JANE, **other}))

    assert error_of(lab.run("m365_user_signin", users=UPN, state="blocked"))["code"] == "another_user"


def test_a_name_and_an_object_id_may_be_written_in_any_case(lab):
    shouting = {**locked(), "id": JANE["id"].upper(), "userPrincipalName": UPN.upper()}
    lab.wire.expect(find(UPN, shouting), read(BOB).but(Reply(json={**BOB, **locked("bob"), "id": BOB["id"].upper()})))

    assert lab.run("m365_user_signin", users=[UPN, BOB["id"]], state="blocked").statuses == ["unchanged"] * 2


def test_answers_that_were_mixed_up_in_a_batch_are_nobodys(lab):
    lab.wire.expect(find(UPN, BOB), find("bob@contoso.com", JANE), find(OMAR))

    reported = lab.run("m365_user_info", users=[UPN, "bob@contoso.com", "omar@contoso.com"], steps=["signin"])

    assert reported.statuses == ["failed", "failed", "unchanged"]


@pytest.mark.parametrize("body", [{}, {"value": None}, {"value": {}}, {"value": [], "@odata.nextLink": "x"}, {"a": 1}])
def test_an_answer_that_lists_nothing_shows_nobodys_absence(lab, body):
    lab.wire.expect(find(UPN).but(Reply(json=body)))

    error = error_of(lab.run("m365_user_signin", users=UPN, state="blocked"))

    assert error["message"].startswith(f"Could not look up {UPN}: Microsoft Graph did not return")


def test_an_answer_without_a_user_shows_no_absence_by_object_id_either(lab):
    lab.wire.expect(read(JANE).but(Reply(json={"value": []})))

    assert "Could not look up" in error_of(lab.run("m365_user_sessions", users=JANE["id"]))["message"]


# --- reading back ---


@pytest.mark.parametrize(
    ("module", "turns"),
    [
        ("m365_user_password", [administrators(), reset(JANE)]),
        ("m365_user_sessions", [revoke(JANE)]),
        ("m365_user_signin", [administrators(), enable(JANE, False)]),
    ],
)
def test_another_user_read_back_is_an_error_and_never_verified(lab, module, turns):
    shut = {**locked("bob"), "lastPasswordChangeDateTime": later(5), "signInSessionsValidFromDateTime": later(6)}
    lab.wire.expect_each(find(JANE), *turns, *[read(JANE).but(Reply(json=shut))] * 3)

    reported = lab.run(module, users=UPN, verify_timeout=1.2, **OWN[module])

    assert (reported.statuses, reported.failed, reported.changed) == (["failed"], True, True)
    assert "a different user from the one requested" in reported.user["error"]["message"]


def test_another_user_read_back_once_is_read_again(lab):
    blocked = {**JANE, "accountEnabled": False}
    lab.wire.expect_each(
        find(JANE), administrators(), enable(JANE, False), read(JANE).but(Reply(json=locked("bob"))), read(blocked)
    )

    assert lab.run("m365_user_signin", users=UPN, state="blocked").statuses == ["verified"]


# --- the protected, administrators, the deleted, groups ---


@pytest.mark.parametrize("reply", [Reply(json={"value": [BOB]}), Reply(json={}), forbidden(), fault(400)])
def test_a_wrong_answer_about_the_protected_is_reported_as_such(lab, reply):
    name = "boss@contoso.com"
    lab.wire.expect(find(JANE), find(name).but(reply))
    lab.wire.expect(find_by_address(name).but(reply))
    lab.wire.expect_each(administrators(), enable(JANE, False), read({**JANE, "accountEnabled": False}))

    reported = lab.run("m365_user_signin", users=UPN, state="blocked", protected_users=[name])

    assert f"protected_users: {name} could not be looked up" in reported.warnings


def test_an_entry_whose_first_answer_was_wrong_is_not_said_to_mean_nobody(lab):
    name = "boss@contoso.com"
    lab.wire.expect(find(JANE), find(name, BOB))
    lab.wire.expect(find_by_address(name))
    lab.wire.expect_each(administrators(), enable(JANE, False), read({**JANE, "accountEnabled": False}))

    reported = lab.run("m365_user_signin", users=UPN, state="blocked", protected_users=[name])

    assert "could not be looked up" in reported.warnings
    assert "means no user" not in reported.warnings


@pytest.mark.parametrize(
    ("reply", "reason"),
    [(forbidden(), "Authorization_RequestDenied"), (fault(400), "serviceNotAvailable"), (Reply(json={}), "a list")],
)
def test_administrators_who_could_not_be_read_are_reported_with_the_reason(lab, reply, reason):
    lab.wire.expect_each(find(JANE), administrators().but(reply), roles(JANE, "Reader"))

    reported = lab.run("m365_user_signin", users=UPN, state="blocked")

    assert reported.statuses == ["refused"]
    assert "remains could not be read, so nothing was sent: " in reported.user["error"]["message"]
    assert reason in reported.user["error"]["message"]
    assert "RoleManagement.Read.Directory" in reported.user["error"]["hint"]


@pytest.mark.parametrize("module", ["m365_user_sessions", "m365_deleted_user"])
def test_somebody_elses_deletion_is_nobodys(lab, module):
    options = {"state": "restored"} if module == "m365_deleted_user" else OWN[module]
    gone = {"id": BOB["id"], "userPrincipalName": "bob@contoso.com", "deletedDateTime": "2026-11-01T09:00:00Z"}
    lab.wire.expect_each(read(JANE).but(not_found(JANE["id"])), read_deleted(JANE["id"], gone))
    assert "could not be looked up" in error_of(lab.run(module, users=JANE["id"], **options))["message"]

    lab.wire.expect_each(find(UPN), find_deleted(UPN, gone), find_by_address(UPN))
    assert "could not be looked up" in error_of(lab.run(module, users=UPN, **options))["message"]


GROUP = {"id": "9a1d3c52-7c1e-4f0a-8b5d-2f6e7a8b9c0d", "displayName": "Leavers", "mail": "gone@contoso.com"}


@pytest.mark.parametrize(
    "turn", [find_group("Movers", GROUP), read_group("9a1d3c52-7c1e-4f0a-8b5d-2f6e7a8b9c0e", GROUP)]
)
def test_another_group_than_the_one_asked_for_is_an_error(lab, turn):
    lab.wire.expect(turn)
    name = "Movers" if "filter" in str(turn) else "9a1d3c52-7c1e-4f0a-8b5d-2f6e7a8b9c0e"

    reported = lab.run("m365_user_info", group=name, steps=["signin"])

    assert reported.failed
    assert "a different group" in reported.msg


@pytest.mark.parametrize("name", ["LEAVERS", "Gone@contoso.com"])
def test_a_group_may_be_called_by_its_name_or_mail_in_any_case(lab, name):
    lab.wire.expect_each(find_group(name, GROUP), members(GROUP))

    assert lab.run("m365_user_info", group=name, steps=["signin"]).msg == "0 users."


# --- types ---

UNUSUAL = ["#microsoft.graph.agentUser", "#Microsoft.Graph.AGENTUSER", "#microsoft.graph.newKindOfUser", "?", None, 7]


@pytest.mark.parametrize("kind", UNUSUAL)
@pytest.mark.parametrize("options", [{"filter": "department eq 'Sales'"}, {"group": "Leavers"}, {"blocked": True}])
def test_a_user_of_whatever_type_is_a_user(lab, kind, options):
    one = {"@odata.type": kind, **JANE}
    if "group" in options:
        lab.wire.expect_each(find_group("Leavers", GROUP), members(GROUP, one))
    elif "filter" in options:
        lab.wire.expect(search("department eq 'Sales'", one))
    else:
        lab.wire.expect(search("accountEnabled eq false", one, advanced=False))
    lab.wire.expect(read(JANE))

    reported = lab.run("m365_user_info", steps=["signin"], **options)

    assert [one["user_principal_name"] for one in reported.users] == [UPN]


@pytest.mark.parametrize("kind", ["device", "group", "servicePrincipal", "orgContact", "contact"])
def test_what_is_surely_no_user_is_passed_over_in_a_group(lab, kind):
    other = {"@odata.type": f"#microsoft.graph.{kind}", "id": BOB["id"]}
    lab.wire.expect_each(find_group("Leavers", GROUP), members(GROUP, other))

    assert lab.run("m365_user_info", group="Leavers", steps=["signin"]).msg == "0 users."


# --- foreign text ---

NASTY = "A\ud83d\x00\x1b[31m\x85\u202e\u2066B"
NICE = "A\ufffd\ufffd\ufffd[31m\ufffd\ufffd\ufffdB"


PEOPLE = {
    "umlaut, joined emoji, combining accent": "Zo\xeb \U0001f469\u200d\U0001f469\u200d\U0001f467 e\u0301",
    "Hebrew with a mark": "\u05e9\u05dc\u05d5\u05dd \u200f\u05e2\u05d5\u05dc\u05dd",
    "Persian with a joiner": "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "a flag": "\U0001f3f4\U000e0067\U000e007f",
    "Japanese": "\u65e5\u672c",
}


@pytest.mark.parametrize("text", PEOPLE.values(), ids=PEOPLE)
def test_what_people_write_stays_as_it_is(text):
    assert clean(text) == text


def test_names_and_roles_are_reported_clean_and_in_one_line(lab):
    lab.wire.expect_each(find({**JANE, "displayName": f"{NASTY}\r\nX\tY"}), roles(JANE, NASTY), administrators())

    reported = lab.run("m365_user_info", users=UPN, steps=["signin"], directory_roles=True)

    assert reported.user["display_name"] == f"{NICE} X Y"
    assert reported.user["directory_roles"] == [NICE]
    assert "\x1b" not in json.dumps(reported.result, ensure_ascii=False)


def test_errors_are_reported_clean(lab):
    body = {"error": {"code": NASTY, "message": NASTY, "innerError": {"request-id": f"{NASTY}\n9"}}}
    lab.wire.expect(find(UPN).but(Reply(400, body)))

    error = error_of(lab.run("m365_user_signin", users=UPN, state="blocked"))

    assert error["code"] == NICE
    assert f"{NICE}: {NICE}" in error["message"]
    assert error["request_id"].startswith(NICE)
    assert "\n" not in error["request_id"]


def test_refusals_of_entra_are_reported_clean(lab):
    lab.entra.instead["token"] = [Reply(401, {"error": "invalid_client", "error_description": f"AADSTS1: {NASTY}"})]

    reported = lab.run("m365_user_info", users=UPN, steps=["signin"])

    assert f"AADSTS1: {NICE}" in reported.msg


def test_pages_and_faults_of_a_proxy_show_nothing_of_theirs(lab):
    lab.wire.expect(find(UPN).but(web_page(403)))

    assert "<" not in error_of(lab.run("m365_user_signin", users=UPN, state="blocked"))["message"]


# --- secrets ---


@pytest.mark.parametrize("where", ["message", "code", "request-id", "details"])
@pytest.mark.parametrize("form", ["as it is", "JSON", "JSON in JSON", ".NET", "HTML"])
def test_a_batch_that_repeats_its_payload_shows_no_password(lab, where, form):
    offered: list[str] = []

    def told_of(passwords):
        text = " ".join(passwords)
        if form == "JSON":
            text = json.dumps(text)
        elif form == "JSON in JSON":
            text = json.dumps(json.dumps({"password": text}))
        elif form == ".NET":
            text = "".join(one if one.isalnum() else f"\\u{ord(one):04X}" for one in text)
        elif form == "HTML":
            text = text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
        error = {"code": "BadRequest", "message": "No."}
        if where == "request-id":
            error["innerError"] = {"request-id": text}
        else:
            error[where] = text
        return {"error": error}

    play = lab.wire._play

    def answer(outer):
        reply = play(outer)
        if reply.status == 400:
            inner = json.loads(outer.request.body)["requests"]
            offered.extend(one["body"]["passwordProfile"]["password"] for one in inner)
            return Reply(400, told_of(offered[::-1]))
        return reply

    lab.wire._play = answer
    lab.wire.expect(find(JANE), find(BOB))
    lab.wire.expect(administrators())
    lab.wire.expect(reset(JANE), reset(BOB), whole=graph_error(400, "BadRequest", "No."))

    reported = lab.run("m365_user_password", users=[UPN, "bob@contoso.com"])

    assert reported.statuses == ["failed", "failed"]
    assert len(offered) == 2
    for password in offered:
        for part in (password[:8], password[8:16], password[-8:]):
            assert part not in reported.output


# --- addresses ---


@pytest.mark.parametrize("spelling", ["HTTPS://graph.microsoft.com", "hTTps://GRAPH.Microsoft.com:443/"])
@pytest.mark.parametrize("proxy", ["http://proxy.contoso.com:3128", "HTTP://proxy.contoso.com:3128"])
def test_a_scheme_in_any_case_goes_through_the_proxy(lab, spelling, proxy):
    lab.wire.expect(find(locked()))

    lab.run("m365_user_signin", users=UPN, state="blocked", graph_url=spelling, proxy=proxy)

    (outer,) = lab.wire.to("graph.microsoft.com")
    assert outer.proxies["https"] == "http://proxy.contoso.com:3128"
    assert outer.request.url.startswith("https://graph.microsoft.com/v1.0/")


@pytest.mark.parametrize("option", ["M365_GRAPH_URL", "M365_EXCHANGE_URL", "M365_AUTHORITY_URL"])
def test_a_scheme_that_is_not_https_is_refused_in_any_case(lab, monkeypatch, option):
    monkeypatch.setenv(option, "Http://graph.microsoft.com")

    reported = lab.run("m365_user_signin", users=UPN, state="blocked")

    assert "is not an address that a credential may be sent to" in reported.msg
    assert ids() == lab.wire.outer


@pytest.mark.parametrize("status", [200, 400, 403, 500, 503])
def test_only_404_says_that_there_is_no_such_user(lab, status):
    gone = read(JANE).but(graph_error(status, "Request_ResourceNotFound", "Resource does not exist."))
    lab.wire.expect(gone)

    reported = lab.run("m365_user_info", users=JANE["id"], steps=["signin"], person=False, retry_timeout=0)

    assert reported.user["error"]["code"] != "not_found"
    assert "no user" not in reported.user["error"]["message"]
