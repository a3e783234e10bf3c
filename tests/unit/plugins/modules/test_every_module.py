# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for every module: which user is selected or protected, and what is refused before anything is sent."""

from __future__ import annotations

import builtins
import dataclasses
import importlib
import sys

import pytest
import requests
from ansible.module_utils.common.parameters import PASS_VARS

from fakes.clock import later
from fakes.closing import OWN as CLOSING
from fakes.closing import READING, READS, an_object, expect
from fakes.entra import APPLICATION, AUTHORITY, CLIENT_ID, CLIENT_SECRET, OWN_OBJECT_ID, TENANT_ID
from fakes.people import crowd, locked, mailbox, person
from fakes.running import MODULES
from fakes.turns import (
    DELETED_PROPERTIES,
    administrators,
    enable,
    fault,
    find,
    find_by_address,
    find_deleted,
    forbidden,
    get_mailbox,
    not_found,
    read,
    read_deleted,
    revoke,
)
from fakes.wire import Reply

# Each module with the options that it needs at least.
OWN = {
    "m365_user_password": {},
    "m365_user_sessions": {},
    "m365_user_signin": {"state": "blocked"},
    "exo_mailbox_protocols": {"state": "disabled"},
    "exo_mailbox_forwarding": {"state": "absent"},
    **CLOSING,
    "m365_deleted_user": {"state": "restored"},
    "m365_user_info": {"steps": ["signin"]},
}
# Those that shut something.
WRITING = [name for name in OWN if name not in ("m365_deleted_user", "m365_user_info")]
JANE = person("jane.doe")
UPN = "jane.doe@contoso.com"

every_module = pytest.mark.parametrize("module", OWN)
every_writing_module = pytest.mark.parametrize("module", WRITING)


def refuse(lab, module, **options):
    """Run a module that has to refuse its options; nothing may be sent, not even to Entra."""
    reported = lab.run(module, **{**OWN[module], **options})
    assert reported.failed
    assert not reported.result.get("changed")
    assert not lab.wire.outer
    assert "fault of the collection" not in reported.msg
    return reported


# --- which user is selected: bad input ---

BAD_USERS = [
    pytest.param([], ["users"], id="no users"),
    pytest.param("", ["users"], id="an empty string"),
    pytest.param(["  "], ["users[0]", "empty"], id="blanks"),
    pytest.param(["\n"], ["users[0]", "empty"], id="a newline"),
    pytest.param([None], ["users[0]", "empty"], id="null"),
    pytest.param([UPN, ""], ["users[1]", "empty"], id="one empty among others"),
    pytest.param([UPN, None, 5], ["users[1]", "users[2]", "int"], id="every bad one is named"),
    pytest.param([{}], ["users[0]", "empty"], id="a mapping without user"),
    pytest.param([{"user": None}], ["users[0]", "empty"], id="a mapping with null"),
    pytest.param([{"user": " "}], ["users[0]", "empty"], id="a mapping with blanks"),
    pytest.param([{"user": UPN, "when": "now"}], ["users[0]", "when"], id="an unknown key"),
    pytest.param([{"user": UPN, "leftat": later()}], ["leftat", "left_at"], id="a misspelt key"),
    pytest.param([{"user": [UPN]}], ["users[0]", "list"], id="a list in a mapping"),
    pytest.param([{"user": UPN, "directory_roles": "x"}], ["users[0]", "directory_roles"], id="one role, no list"),
    pytest.param([{"user": UPN, "directory_roles": ""}], ["users[0]", "directory_roles"], id="no list of roles"),
    pytest.param([{"user": UPN, "protocols": ["owa"]}], ["users[0]", "protocols"], id="a list of protocols"),
    pytest.param([{"user": UPN, "protocols": ""}], ["users[0]", "protocols"], id="no mapping of protocols"),
    pytest.param(
        [{"user": UPN, "protocols": {"owa": "no"}}], ["users[0]", "protocols"], id="a protocol that is a text"
    ),
    pytest.param([{"user": UPN, "protocols": {"owa": 0}}], ["users[0]", "protocols"], id="a protocol that is a number"),
    pytest.param([{"user": UPN, "directory_roles": {}}], ["users[0]", "directory_roles"], id="a mapping of roles"),
    pytest.param([{"user": UPN, "directory_roles": [{}]}], ["users[0]", "directory_roles"], id="a role that is none"),
    pytest.param([{"user": UPN, "directory_roles": [None]}], ["users[0]", "directory_roles"], id="a null among roles"),
    pytest.param([42], ["users[0]"], id="a number"),
    pytest.param([True], ["users[0]"], id="a boolean"),
    pytest.param([[UPN]], ["users[0]", "list"], id="a list in the list"),
    pytest.param(["jane"], ["'jane'"], id="no domain"),
    pytest.param(["jane@contoso"], ["'jane@contoso'"], id="no dot in the domain"),
    pytest.param(["jane doe@contoso.com"], ["jane doe"], id="a blank inside"),
    pytest.param(["jane@doe@contoso.com"], ["jane@doe"], id="two @"),
    pytest.param(["@contoso.com"], ["@contoso.com"], id="no name"),
    pytest.param(["*"], ["'*'"], id="a star"),
    pytest.param(["jane%@contoso.com"], ["jane%"], id="a percent sign"),
    pytest.param(["jane/../x@contoso.com"], ["jane/"], id="a path"),
    pytest.param(["5c1f3f8a-3d5e-4b63-9d0a-3f5f6f0f8f1"], ["5c1f3f8a"], id="a GUID with a digit missing"),
    pytest.param(["{5c1f3f8a-3d5e-4b63-9d0a-3f5f6f0f8f11}"], ["5c1f3f8a"], id="a GUID in braces"),
    pytest.param(["a" * 300 + "@contoso.com"], ["aaa"], id="too long"),
    pytest.param([{"user": UPN, "left_at": "2026-11-20"}], ["users[0]", "2026-11-20", "offset"], id="a bare date"),
    pytest.param([{"user": UPN, "left_at": "2026-11-20T17:00:00"}], ["offset"], id="no offset"),
    pytest.param([{"user": UPN, "left_at": "yesterday"}], ["yesterday", "offset"], id="no moment"),
    pytest.param([{"user": UPN, "left_at": 20261120}], ["offset"], id="a number as left_at"),
    pytest.param([{"user": UPN, "left_at": "2026-02-30T17:00:00Z"}], ["offset"], id="no such day"),
    pytest.param(
        [{"user": UPN, "left_at": "0001-01-01T00:00:00+01:00"}], ["users[0]", "left_at"], id="before all time"
    ),
    pytest.param([{"user": UPN, "left_at": "9999-12-31T23:59:59-01:00"}], ["users[0]", "left_at"], id="after all time"),
]


@every_module
@pytest.mark.parametrize(("users", "named"), BAD_USERS)
def test_invalid_users_are_refused_and_each_is_named(lab, module, users, named):
    msg = refuse(lab, module, users=users).msg

    for part in named:
        assert part in msg


@every_module
def test_a_hundred_bad_names_make_no_endless_message(lab, module):
    msg = refuse(lab, module, users=list(range(100))).msg

    assert "80 more" in msg
    assert len(msg) < 4000


@every_module
def test_a_bad_name_among_others_is_that_users_failure(lab, module):
    """The night goes on for everybody else; nobody is asked for by a name that cannot be one."""
    # A name that is in use may be that of a deleted user as well.
    deleted = [find_deleted(UPN, select=DELETED_PROPERTIES)] if module == "m365_deleted_user" else []
    lab.wire.expect_each(find(JANE), *deleted)

    reported = lab.run(module, users=["Jane Doe", {"user": UPN, "left_at": later(hours=1)}], **OWN[module])

    assert reported.failed
    error = reported.users[0]["error"]
    assert (reported.users[0]["user"], reported.users[0]["status"], error["code"]) == (
        "Jane Doe",
        "failed",
        "not_a_name",
    )
    assert error["message"] == "'Jane Doe' is neither a user principal name nor an object ID."
    assert (reported.users[1]["user"], reported.users[1]["error"]) == (UPN, None)


@every_module
@pytest.mark.parametrize(
    "text",
    [f"['{UPN}', 'x@contoso.com']", f'["{UPN}"]', f" [ {{'user': '{UPN}', 'left_at': 1}}]", f"{{'user': '{UPN}'}}"],
)
def test_the_text_of_a_list_is_refused(lab, module, text):
    refused = refuse(lab, module, users=[text])

    assert "is the text of a list or a mapping" in refused.msg
    assert "quote the dates" in refused.msg
    assert refused.result["users"] == []


@every_module
@pytest.mark.parametrize("text", [f"{UPN},", f",{UPN}", f"{UPN},,x@contoso.com", f"{UPN}, \n", f"{UPN},\n,", ","])
def test_a_comma_without_a_name_beside_it_is_refused(lab, module, text):
    assert "users[0]: " in refuse(lab, module, users=[text]).msg
    assert "has a comma without a name beside it" in refuse(lab, module, users=[text]).msg
    # Ansible itself has split this one.
    assert ": empty" in refuse(lab, module, users=text).msg


@every_module
def test_users_is_required_and_may_be_called_user(lab, module):
    assert "users" in refuse(lab, module).msg
    assert "'x'" in refuse(lab, module, user="x").msg


@pytest.mark.parametrize("module", ["m365_user_password", "m365_user_sessions", "m365_user_info"])
@pytest.mark.parametrize("left_at", ["2026-11-20", "2026-11-20T17:00", "tomorrow", "17:00+01:00"])
def test_a_common_left_at_without_offset_is_refused_with_the_right_spelling(lab, module, left_at):
    msg = refuse(lab, module, users=UPN, left_at=left_at).msg

    assert left_at in msg
    assert "2026-11-20T17:00:00+01:00" in msg


@pytest.mark.parametrize(
    ("module", "option", "value", "choices"),
    [
        ("m365_user_signin", "state", "locked", ["blocked", "allowed"]),
        ("exo_mailbox_protocols", "state", "blocked", ["disabled", "enabled"]),
        ("m365_user_info", "steps", ["licences"], ["password", "sessions", "signin", "protocols"]),
        *[(name, "cloud", "germany", ["public", "usgov", "usgov_dod", "china"]) for name in OWN],
    ],
)
def test_a_choice_that_does_not_exist_is_refused_and_the_right_ones_are_named(lab, module, option, value, choices):
    msg = refuse(lab, module, users=UPN, **{option: value}).msg

    assert all(choice in msg for choice in choices)


@pytest.mark.parametrize("module", ["m365_user_signin", "exo_mailbox_protocols"])
def test_state_is_required(lab, module):
    reported = lab.run(module, users=UPN)

    assert reported.failed
    assert "state" in reported.msg
    assert not lab.wire.outer


@every_module
def test_an_option_that_does_not_exist_is_refused(lab, module):
    assert "tenantid" in refuse(lab, module, users=UPN, tenantid="x").msg


@pytest.mark.parametrize("option", ["timeout", "retry_timeout", "verify_timeout"])
@pytest.mark.parametrize("value", ["-1", "inf", "nan", "soon"])
def test_a_time_that_is_not_a_number_of_seconds_is_refused(lab, option, value):
    assert option in refuse(lab, "m365_user_signin", users=UPN, **{option: value}).msg


def test_a_timeout_of_zero_is_refused(lab):
    assert "timeout" in refuse(lab, "m365_user_signin", users=UPN, timeout=0).msg


# --- which user is selected: spellings ---


@pytest.mark.parametrize(
    "users",
    [
        "ann@contoso.com,bob@contoso.com",
        "ann@contoso.com, bob@contoso.com",
        "ann@contoso.com\nbob@contoso.com\n",
        " ann@contoso.com ,\n bob@contoso.com\n\n",
        ["ann@contoso.com", "bob@contoso.com"],
        ["ann@contoso.com,bob@contoso.com"],
        ["ann@contoso.com\n\nbob@contoso.com\n"],
        [{"user": "ann@contoso.com"}, {"user": " bob@contoso.com "}],
    ],
)
def test_one_string_is_one_or_several_users(lab, users):
    ann, bob = person("ann"), person("bob")
    lab.wire.expect(find(ann), find(bob))

    reported = lab.run("m365_user_info", users=users, steps=["signin"])

    assert [one["user"] for one in reported.users] == ["ann@contoso.com", "bob@contoso.com"]


@pytest.mark.parametrize("name", ["o'brien@contoso.com", "a.b-c_d!e#f^g~h@sub.contoso.com", "$dollar@contoso.com"])
def test_names_with_unusual_signs_are_asked_for_as_they_are(lab, name):
    lab.wire.expect(find(person(name)))

    assert lab.run("m365_user_info", users=[name], steps=["signin"]).user["user_principal_name"] == name


def test_a_guest_is_asked_for_by_the_principal_name_with_ext(lab):
    name = "ann_fabrikam.com#EXT#@contoso.onmicrosoft.com"
    lab.wire.expect(find(person(name)))

    assert lab.run("m365_user_info", users=[name], steps=["signin"]).statuses == ["unchanged"]
    assert "%23EXT%23" in lab.wire.outer[-1].request.url


def test_an_object_id_is_asked_for_in_any_case(lab):
    upper = {**JANE, "id": JANE["id"].upper()}
    lab.wire.expect(read(upper).but(Reply(json=JANE)))

    reported = lab.run("m365_user_info", users=upper["id"], steps=["signin"])

    assert (reported.user["user"], reported.user["id"]) == (upper["id"], JANE["id"])


@pytest.mark.parametrize(
    "left_at",
    [
        "2026-11-20T16:00:00+00:00",
        "2026-11-20 16:00:00Z",
        "2026-11-20T17:00:00+0100",
        "2026-11-20t16:00z",
        "2026-11-20 16:00:00.000000+00:00",
    ],
)
def test_moments_as_people_and_yaml_write_them_are_understood(lab, left_at):
    lab.wire.expect(find(JANE))

    reported = lab.run("m365_user_info", users=[{"user": UPN, "left_at": left_at}], steps=["signin"])

    assert reported.user["left_at"] == "2026-11-20T16:00:00Z"


@pytest.mark.parametrize("left_at", [None, ""])
def test_a_left_at_that_is_empty_is_not_given(lab, left_at):
    lab.wire.expect(find(JANE))

    reported = lab.run("m365_user_info", users=[{"user": UPN, "left_at": left_at}], left_at=later(-5), steps=["signin"])

    assert reported.user["left_at"] == later(-5)


# --- one record per person ---


@every_writing_module
def test_the_same_name_twice_in_any_case_with_different_dates_is_refused(lab, module):
    lab.wire.expect(find(JANE))

    users = [
        {"user": UPN, "left_at": later(hours=-9)},
        {"user": UPN.upper(), "left_at": later(hours=1)},
        {"user": UPN, "left_at": later(hours=-3)},
    ]
    reported = lab.run(module, users=users, **OWN[module])

    assert (reported.user["user"], reported.user["status"]) == (UPN, "refused")
    assert all(later(hours=hours) in reported.user["error"]["message"] for hours in (-9, 1, -3))


@every_writing_module
@pytest.mark.parametrize("first", [UPN, {"user": UPN, "left_at": None}, {"user": UPN.upper()}])
def test_a_date_beside_none_is_refused(lab, module, first):
    lab.wire.expect(find(JANE if first != {"user": UPN.upper()} else person(UPN.upper())))

    reported = lab.run(module, users=[first, {"user": UPN, "left_at": later(hours=1)}], **OWN[module])

    assert (reported.user["status"], reported.user["error"]["code"]) == ("refused", "contradiction")
    assert f"{later(hours=1)} and now (no date)" in reported.user["error"]["message"]


@every_writing_module
def test_the_same_date_in_two_spellings_is_one(lab, module):
    lab.wire.expect(find(JANE))
    ahead = later(hours=1)

    users = [{"user": UPN, "left_at": ahead}, {"user": UPN, "left_at": ahead.replace("Z", "+00:00")}]
    reported = lab.run(module, users=users, **OWN[module])

    assert reported.user["status"] == "not_due"


@every_writing_module
def test_the_same_person_by_name_and_by_id_with_different_dates_is_refused(lab, module):
    bob = person("bob")
    lab.wire.expect(find(JANE), find(bob), read(JANE))

    users = [
        {"user": UPN, "left_at": later(hours=-9)},
        {"user": bob["userPrincipalName"], "left_at": later(hours=2)},
        {"user": JANE["id"], "left_at": later(hours=1)},
    ]
    reported = lab.run(module, users=users, **OWN[module])

    assert [(one["user"], one["status"]) for one in reported.users] == [
        (UPN, "refused"),
        ("bob@contoso.com", "not_due"),
    ]
    assert f"{later(hours=-9)} and {later(hours=1)}" in reported.users[0]["error"]["message"]


# --- who is protected ---

ALIASED = person("jane.doe", mail="jane@contoso.de", proxyAddresses=["SMTP:jane@contoso.de", "smtp:jd@contoso.com"])


@every_writing_module
@pytest.mark.parametrize(
    "entry",
    ["jane.doe@contoso.com", "Jane.Doe@CONTOSO.com", "jane@contoso.de", "JD@contoso.com"],
    ids=["name", "other case", "mail", "alias"],
)
def test_the_protected_are_refused_by_whatever_name_and_nothing_is_sent(lab, module, entry):
    elsewhere = entry.lower() != UPN
    lab.wire.expect(find(ALIASED), find(entry) if elsewhere else find(entry, ALIASED))
    if elsewhere:
        lab.wire.expect(find_by_address(entry, ALIASED))

    reported = lab.run(module, users=UPN, protected_users=[entry], **OWN[module])

    assert (reported.user["status"], reported.failed, reported.changed) == ("refused", True, False)
    assert reported.user["error"]["code"] == "protected"
    assert reported.warnings == ""


@every_writing_module
@pytest.mark.parametrize("spell", [str, str.upper])
def test_the_protected_are_refused_by_object_id(lab, module, spell):
    entry = spell(JANE["id"])
    lab.wire.expect(find(JANE), read({**JANE, "id": entry}).but(Reply(json=JANE)))

    assert lab.run(module, users=UPN, protected_users=[entry], **OWN[module]).statuses == ["refused"]


@every_writing_module
def test_the_protected_are_refused_when_asked_for_by_object_id(lab, module):
    beside = {
        "exo_mailbox_protocols": [get_mailbox(JANE, mailbox(JANE))],
        "m365_user_password": [administrators()],
        "m365_user_signin": [administrators()],
    }
    lab.wire.expect(read(JANE), find(JANE), *beside.get(module, []))

    assert lab.run(module, users=JANE["id"], protected_users=[UPN], **OWN[module]).statuses == ["refused"]


@every_writing_module
def test_the_automations_own_account_is_refused(lab, module):
    own = person("automation", id=OWN_OBJECT_ID)
    lab.wire.expect(find(own))

    assert lab.run(module, users=own["userPrincipalName"], **OWN[module]).statuses == ["refused"]


@pytest.mark.parametrize("state", ["blocked", "allowed"])
def test_protection_holds_in_check_mode_and_for_giving_back(lab, state):
    for check in (True, False):
        lab.wire.expect(find(JANE), find(JANE))
        reported = lab.run("m365_user_signin", check=check, users=UPN, state=state, protected_users=[UPN])
        assert reported.statuses == ["refused"]


@pytest.mark.parametrize("separator", [",", " , ", "\n", ",\n"])
def test_option_and_environment_protect_together(lab, monkeypatch, separator):
    ann, bob, cid = crowd(3)
    names = [one["userPrincipalName"] for one in (ann, bob, cid)]
    monkeypatch.setenv("M365_PROTECTED_USERS", separator.join(names[:2]))
    lab.wire.expect(*map(find, (ann, bob, cid)), *map(find, (ann, bob, cid)))

    reported = lab.run("m365_user_signin", users=names, state="blocked", protected_users=[names[2]])

    assert reported.statuses == ["refused"] * 3


def test_a_launcher_cannot_shorten_the_list_of_the_credential(lab, monkeypatch):
    monkeypatch.setenv("M365_PROTECTED_USERS", UPN)
    lab.wire.expect(find(JANE), find(JANE))

    reported = lab.run("m365_user_signin", users=UPN, state="blocked", protected_users=[])

    assert reported.statuses == ["refused"]


def test_an_entry_that_means_nobody_is_reported_by_name_and_the_run_goes_on(lab):
    lab.wire.expect(find(JANE), find("nobody@contoso.com"))
    lab.wire.expect(find_by_address("nobody@contoso.com"))
    lab.wire.expect(revoke(JANE))
    lab.wire.expect(read({**JANE, "signInSessionsValidFromDateTime": later()}))

    reported = lab.run("m365_user_sessions", users=UPN, protected_users=["nobody@contoso.com"])

    assert reported.statuses == ["verified"]
    assert "nobody@contoso.com" in reported.warnings


def test_a_secret_is_masked_in_a_warning_too(lab):
    """ansible-core 2.19 and later mask no warnings themselves."""
    entry = f"{CLIENT_SECRET}@contoso.com"
    lab.wire.expect(find(JANE), find(entry).but(forbidden()))
    lab.wire.expect(find_by_address(entry).but(forbidden()))
    lab.wire.expect(revoke(JANE))
    lab.wire.expect(read({**JANE, "signInSessionsValidFromDateTime": later()}))

    reported = lab.run("m365_user_sessions", users=UPN, protected_users=[entry])

    assert "@contoso.com" in reported.warnings
    assert CLIENT_SECRET not in reported.warnings


def test_an_entry_that_could_not_be_looked_up_is_not_said_to_mean_nobody(lab):
    entry = find("boss@contoso.com").but(forbidden())
    lab.wire.expect(find(JANE), entry)
    lab.wire.expect(find_by_address("boss@contoso.com").but(forbidden()))
    lab.wire.expect(revoke(JANE))
    lab.wire.expect(read({**JANE, "signInSessionsValidFromDateTime": later()}))

    reported = lab.run("m365_user_sessions", users=UPN, protected_users=["boss@contoso.com"])

    assert "boss@contoso.com" in reported.warnings
    assert "means no user" not in reported.warnings


# --- who is not found ---


def look_for(lab, name, *turns):
    lab.wire.expect(find(name))
    lab.wire.expect_each(*turns)
    reported = lab.run("m365_user_signin", users=[name], state="blocked")
    assert (reported.user["status"], reported.failed, reported.changed) == ("failed", True, False)
    assert reported.user["id"] is reported.user["user_principal_name"] is None
    return reported.user["error"]


def test_a_name_that_nobody_has_is_not_found(lab):
    error = look_for(lab, "jon@contoso.com", find_deleted("jon@contoso.com"), find_by_address("jon@contoso.com"))

    assert error["code"] == "not_found"
    assert "jon@contoso.com" in error["message"]


@pytest.mark.parametrize("prefixed", [False, True])
def test_a_deleted_user_is_called_deleted_with_the_date(lab, prefixed):
    prefix = JANE["id"].replace("-", "") if prefixed else ""
    gone = {"id": JANE["id"], "userPrincipalName": prefix + UPN, "deletedDateTime": "2026-11-01T09:00:00Z"}

    error = look_for(lab, UPN, find_deleted(UPN, gone), find_by_address(UPN))

    assert error["code"] == "deleted"
    assert "2026-11-01T09:00:00Z" in error["message"]


@pytest.mark.parametrize(
    ("created", "code"),
    [
        ("2019-03-01T08:00:00Z", "deleted"),
        ("2026-11-01T09:00:00Z", "deleted"),
        ("2026-11-01T09:00:01Z", "newer_account"),
        (None, "deleted"),
        ("once", "deleted"),
    ],
)
def test_a_deleted_account_that_is_newer_than_the_leave_date_is_somebody_else(lab, created, code):
    gone = {"id": JANE["id"], "userPrincipalName": UPN, "deletedDateTime": "2026-11-10T09:00:00Z"}
    gone |= {"createdDateTime": created} if created else {}
    select = "id,userPrincipalName,createdDateTime,deletedDateTime"
    lab.wire.expect_each(find(UPN), find_deleted(UPN, gone, select=select), find_by_address(UPN))

    reported = lab.run("m365_user_info", users=[{"user": UPN, "left_at": "2026-11-01T09:00:00Z"}], steps=["signin"])

    assert reported.user["error"]["code"] == code


@pytest.mark.parametrize("which", ["same", "other"])
def test_a_deleted_account_with_another_object_id_is_somebody_else(lab, which):
    gone = {"id": JANE["id"], "userPrincipalName": UPN, "deletedDateTime": "2026-11-10T09:00:00Z"}
    asked = JANE["id"].upper() if which == "same" else "0e0b5e0e-0000-4000-8000-000000000001"
    lab.wire.expect_each(find(UPN), find_deleted(UPN, gone), find_by_address(UPN))

    reported = lab.run("m365_user_info", users=[{"user": UPN, "id": asked}], steps=["signin"])

    assert reported.user["error"]["code"] == ("deleted" if which == "same" else "other_account")


def test_a_deleted_user_whose_name_only_ends_alike_is_somebody_else(lab):
    gone = {"id": JANE["id"], "userPrincipalName": "mary" + UPN, "deletedDateTime": "2026-11-01T09:00:00Z"}

    assert look_for(lab, UPN, find_deleted(UPN, gone), find_by_address(UPN))["code"] == "not_found"


def test_an_object_id_that_nobody_has_may_be_that_of_a_deleted_user(lab):
    gone = {"id": JANE["id"], "userPrincipalName": UPN, "deletedDateTime": "2026-11-01T09:00:00Z"}
    lab.wire.expect_each(read(JANE).but(not_found(JANE["id"])), read_deleted(JANE["id"], gone))
    assert lab.run("m365_user_sessions", users=JANE["id"]).user["error"]["code"] == "deleted"

    lab.wire.expect_each(read(JANE).but(not_found(JANE["id"])), read_deleted(JANE["id"]))
    assert lab.run("m365_user_sessions", users=JANE["id"]).user["error"]["code"] == "not_found"


def test_an_address_of_somebody_is_explained_and_never_followed(lab):
    owner = {**JANE, "proxyAddresses": [f"SMTP:{UPN}", "smtp:JD@contoso.com"]}
    error = look_for(lab, "jd@contoso.com", find_deleted("jd@contoso.com"), find_by_address("jd@contoso.com", owner))

    assert error["code"] == "not_a_principal_name"
    assert UPN in error["message"]


def test_a_name_that_means_two_users_is_not_guessed(lab):
    lab.wire.expect(find(UPN, JANE, person("other")))

    reported = lab.run("m365_user_signin", users=UPN, state="blocked")

    assert (reported.user["status"], reported.user["error"]["code"]) == ("failed", "ambiguous")
    assert "object ID" in reported.user["error"]["hint"]


@pytest.mark.parametrize("reason", [forbidden(), fault(400), Reply(200, {}), Reply(200, {"value": [JANE, {}]})])
@pytest.mark.parametrize("which", ["deleted", "alias", "both"])
def test_a_search_for_the_reason_that_fails_is_not_taken_for_absence(lab, which, reason):
    deleted = find_deleted(UPN) if which == "alias" else find_deleted(UPN).but(reason)
    alias = find_by_address(UPN) if which == "deleted" else find_by_address(UPN).but(reason)

    error = look_for(lab, UPN, deleted, alias)

    assert "could not be looked up" in error["message"]
    assert "There is no user" not in error["message"]
    if reason.status == 403:
        assert error["code"] == "Authorization_RequestDenied"
        assert "User.Read.All" in error["hint"]
        assert error["request_id"] == "req-0001"


def test_one_search_for_the_reason_that_finds_it_is_enough(lab):
    gone = {"id": JANE["id"], "userPrincipalName": UPN, "deletedDateTime": "2026-11-01T09:00:00Z"}
    error = look_for(lab, UPN, find_deleted(UPN, gone), find_by_address(UPN).but(forbidden()))
    assert error["code"] == "deleted"

    owner = {**JANE, "userPrincipalName": "jane.roe@contoso.com"}
    error = look_for(lab, UPN, find_deleted(UPN).but(forbidden()), find_by_address(UPN, owner))
    assert error["code"] == "not_a_principal_name"


def test_a_credential_that_may_not_read_users_learns_which_permission_it_needs(lab):
    # Once as it is, then without what may need more than that: the hire date, and the manager.
    lab.wire.expect_each(*[find(JANE).but(forbidden())] * 3)

    reported = lab.run("m365_user_info", users=UPN, steps=["signin"])

    assert reported.statuses == ["failed"]
    assert "User.Read.All" in reported.user["error"]["hint"]


@pytest.mark.parametrize(
    "body",
    [
        {"value": [{"id": 7, "userPrincipalName": "x@y.zz"}]},
        {"value": [{"userPrincipalName": "x@y.zz"}]},
        {"value": [{**JANE, "assignedPlans": ["exchange"]}]},
        {"value": [{**JANE, "assignedPlans": 5}]},
        {"value": [{**JANE, "proxyAddresses": 5}]},
        {"value": [{**JANE, "displayName": {"first": "Jane"}}]},
        {
            "value": [
                {
                    **JANE,
                    "lastPasswordChangeDateTime": "9999-12-31T23:30:00Z",
                    "signInSessionsValidFromDateTime": "9999-12-31T23:59:59Z",
                }
            ]
        },
    ],
    ids=[
        "id is a number",
        "no id",
        "plans are names",
        "plans are a number",
        "proxies are a number",
        "name is a mapping",
        "moments at the end of time",
    ],
)
def test_a_strange_user_is_no_reason_to_lose_the_others(lab, body):
    bob = person("bob")
    lab.wire.expect(find(UPN).but(Reply(json=body)), find(bob))

    reported = lab.run("m365_user_info", users=[UPN, "bob@contoso.com"], steps=["password", "sessions", "signin"])

    assert [one["user"] for one in reported.users] == [UPN, "bob@contoso.com"]
    assert reported.users[1]["status"] == "unchanged"


# --- check mode ---


@every_writing_module
@pytest.mark.parametrize("leaver", [JANE, locked()], ids=["open", "shut"])
def test_check_mode_reads_only_and_needs_no_permission_to_write(lab, module, leaver):
    lab.entra.permissions["https://graph.microsoft.com"] = ("User.Read.All",)
    shut = leaver is not JANE
    lab.wire.expect(find(leaver))
    if module == "exo_mailbox_protocols":
        lab.wire.expect(get_mailbox(leaver, mailbox(leaver, on=not shut)))
    elif module in READS:
        lab.entra.permissions["https://graph.microsoft.com"] = READING
        expect(lab, *READS[module](leaver, *([] if shut else [an_object(module, leaver)])))
        if module == "m365_user_memberships" and not shut:
            lab.wire.expect(administrators())
    elif module != "m365_user_sessions" and not shut:
        lab.wire.expect(administrators())

    reported = lab.run(module, check=True, users=UPN, **OWN[module])

    assert reported.statuses == ["unchanged" if shut else "planned"]
    assert reported.changed is not shut


# --- what comes of an unexpected fault ---


@every_module
@pytest.mark.parametrize("verbosity", [0, 4])
def test_an_internal_error_is_reported_without_the_text_of_the_exception(lab, monkeypatch, module, verbosity):
    def fall(*args, **kwargs):
        raise KeyError("the password is hunter2")

    for place in ("run_step", "observe"):
        for name in ("_run", "_steps"):
            target = importlib.import_module(f"{MODULES.replace('.modules', '.module_utils')}.{name}")
            monkeypatch.setattr(target, place, fall, raising=False)
    monkeypatch.setattr(importlib.import_module(f"{MODULES}.m365_user_info"), "observe", fall)

    # ansible-core 2.19 and later add tracebacks where they are asked for; earlier ones do not know the wish.
    asked = {"_ansible_tracebacks_for": ["error"]} if "tracebacks_for" in PASS_VARS else {}
    reported = lab.run(module, users=UPN, verbosity=verbosity, **asked, **OWN[module])

    assert reported.failed
    assert (reported.result["error"]["code"], reported.users, reported.changed) == ("internal", [], False)
    assert "KeyError" in reported.msg
    assert "hunter2" not in reported.output


def test_an_internal_error_in_the_middle_loses_no_record(lab, monkeypatch):
    ann, bob = crowd(2)
    lab.wire.expect(find(ann), find(bob))
    lab.wire.expect(administrators())
    lab.wire.expect(enable(ann, False), enable(bob, False))
    steps = importlib.import_module(f"{MODULES.replace('.modules', '.module_utils')}._steps")

    def fall(*args):
        raise KeyError("the password is hunter2")

    monkeypatch.setattr(steps._Writer, "_read_back", fall)
    reported = lab.run("m365_user_signin", users=[one["userPrincipalName"] for one in (ann, bob)], state="blocked")

    assert reported.statuses == ["failed", "failed"]
    assert {(one["changed"], one["error"]["code"]) for one in reported.users} == {(True, "internal")}
    assert "hunter2" not in reported.output


# --- what has to be installed ---


@every_module
@pytest.mark.parametrize("library", ["msal", "requests"])
def test_a_missing_library_is_one_sentence_that_names_the_interpreter(lab, monkeypatch, module, library):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == library:
            raise ImportError(f"No module named {name}")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)

    reported = refuse(lab, module, users=UPN)

    assert f"The Python library {library} is missing on {sys.executable}" in reported.msg
    assert "pip install" in reported.msg


# --- which addresses, and how they are reached ---


@pytest.mark.parametrize("option", ["authority_url", "graph_url", "exchange_url"])
@pytest.mark.parametrize("given", ["option", "environment"])
@pytest.mark.parametrize("address", ["http://graph.microsoft.com", "graph.microsoft.com", "https://a:b@example.org"])
def test_a_credential_is_sent_to_https_addresses_only(lab, monkeypatch, option, given, address):
    if given == "environment":
        monkeypatch.setenv(f"M365_{option.upper()}", address)
    options = {option: address} if given == "option" else {}

    assert option in refuse(lab, "m365_user_info", users=UPN, **options).msg


def test_an_address_of_ones_own_replaces_that_of_the_cloud(lab):
    lab.entra.host = "login.example.org"
    lab.entra.permissions["https://graph.example.org"] = ("User.Read.All",)
    lab.wire.expect(dataclasses.replace(find(JANE), host="graph.example.org"))

    addresses = {"authority_url": "https://login.example.org/", "graph_url": "https://graph.example.org/"}
    reported = lab.run("m365_user_info", users=UPN, steps=["signin"], **addresses)

    assert reported.statuses == ["unchanged"]
    assert {outer.host for outer in lab.wire.outer} == {"login.example.org", "graph.example.org"}


@pytest.mark.parametrize(
    ("options", "variables", "verify"),
    [
        ({}, {}, True),
        ({"ca_path": "/etc/ca.pem"}, {}, "/etc/ca.pem"),
        ({}, {"M365_CA_PATH": "/etc/ca.pem"}, "/etc/ca.pem"),
        ({}, {"REQUESTS_CA_BUNDLE": "/etc/bundle.pem"}, "/etc/bundle.pem"),
        ({"ca_path": "/etc/ca.pem"}, {"REQUESTS_CA_BUNDLE": "/etc/bundle.pem"}, "/etc/ca.pem"),
        ({"validate_certs": False}, {"REQUESTS_CA_BUNDLE": "/etc/bundle.pem"}, False),
        ({"validate_certs": False, "ca_path": "/etc/ca.pem"}, {}, False),
        ({}, {"M365_VALIDATE_CERTS": "false"}, False),
        ({}, {"M365_VALIDATE_CERTS": ""}, True),
        ({"validate_certs": True}, {"M365_VALIDATE_CERTS": "false"}, True),
    ],
)
def test_every_request_gets_the_certificates_to_trust(lab, monkeypatch, options, variables, verify):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    lab.wire.expect(find(JANE))

    # Named by a domain, the tenant's metadata is asked for, too.
    reported = lab.run("m365_user_info", users=UPN, steps=["signin"], tenant_id="contoso.com", **options)

    assert [outer.verify for outer in lab.wire.outer] == [verify] * 3
    assert ("validate_certs is off" in reported.warnings) is (verify is False)


def test_every_request_has_the_timeout_that_is_set(lab):
    lab.wire.expect(find(JANE))

    lab.run("m365_user_info", users=UPN, steps=["signin"], timeout=7)

    assert {outer.timeout for outer in lab.wire.outer} == {7}


@pytest.mark.parametrize(
    ("options", "variables", "proxy"),
    [
        ({}, {}, None),
        ({"proxy": "http://one:3128"}, {}, "http://one:3128"),
        ({}, {"M365_PROXY": "http://two:3128"}, "http://two:3128"),
        ({}, {"HTTPS_PROXY": "http://three:3128"}, "http://three:3128"),
        ({"proxy": "http://one:3128"}, {"HTTPS_PROXY": "http://three:3128"}, "http://one:3128"),
    ],
)
def test_every_request_goes_through_the_proxy_that_is_set(lab, monkeypatch, options, variables, proxy):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    lab.wire.expect(find(JANE))

    lab.run("m365_user_info", users=UPN, steps=["signin"], tenant_id="contoso.com", **options)

    assert [outer.proxies.get("https") for outer in lab.wire.outer] == [proxy] * 3


def test_netrc_never_replaces_the_token(lab, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text(
        "".join(f"machine {host} login eve password evil\n" for host in ("graph.microsoft.com", AUTHORITY))
    )
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert requests.utils.get_netrc_auth("https://graph.microsoft.com") == ("eve", "evil")
    lab.wire.expect(find(JANE))

    lab.run("m365_user_info", users=UPN, steps=["signin"], tenant_id="contoso.com")

    assert [outer.request.headers.get("Authorization", "").partition(" ")[0] for outer in lab.wire.outer] == [
        "",
        "",
        "Bearer",
    ]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_failure_and_the_token_travels_nowhere(lab, status):
    lab.wire.expect(find(JANE).but(Reply(status, headers={"Location": "https://evil.example.org/"})))

    reported = lab.run("m365_user_info", users=UPN, steps=["signin"])

    assert reported.statuses == ["failed"]
    assert str(status) in reported.user["error"]["message"]


# --- who did it ---


@every_module
def test_the_token_names_the_application(lab, module):
    # Whoever only looks asks again without the hire date and without the manager.
    lab.wire.expect_each(*[find(JANE).but(forbidden())] * (3 if module == "m365_user_info" else 1))

    reported = lab.run(module, **OWN[module], users=UPN)

    assert reported.result["automation"] == {
        "tenant_id": TENANT_ID,
        "client_id": CLIENT_ID,
        "application_name": APPLICATION,
        "object_id": OWN_OBJECT_ID,
    }


def test_a_token_of_the_second_version_names_the_application_otherwise(lab):
    token = lab.entra.issue("https://graph.microsoft.com", appid=None, azp="an application")
    lab.wire.expect(find(JANE))

    reported = lab.run("m365_user_info", users=UPN, steps=["signin"], credential={"access_token": token})

    assert reported.result["automation"]["client_id"] == "an application"


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "a.W10.c"])
def test_the_application_is_unknown_from_a_token_that_cannot_be_read(lab, token):
    lab.entra.accept("https://graph.microsoft.com", token)
    lab.wire.expect(find(JANE))

    reported = lab.run("m365_user_info", users=UPN, steps=["signin"], credential={"access_token": token})

    nobody = dict.fromkeys(("tenant_id", "client_id", "application_name", "object_id"))
    assert reported.result["automation"] == nobody


@every_module
def test_nobody_did_what_was_refused_before_anything_was_sent(lab, module):
    assert refuse(lab, module, users=[5]).result["automation"] is None


def test_a_write_in_a_batch_is_reported_by_its_own_request_id_or_by_that_of_the_batch(lab):
    bob = person("bob")
    named = Reply(204, headers={"request-id": "its\n own"})
    lab.wire.expect(find(JANE), find(bob))
    lab.wire.expect_each(administrators())
    lab.wire.expect(enable(JANE, False).but(named), enable(bob, False))
    lab.wire.expect(read({**JANE, "accountEnabled": False}), read({**bob, "accountEnabled": False}))

    reported = lab.run("m365_user_signin", users=[UPN, "bob@contoso.com"], state="blocked")

    own, of_batch = [one["request_id"] for one in reported.users]
    assert own == "its own"
    assert of_batch == "00000000-0000-0000-0000-000000000004"


# --- what one reading shares ---


def test_one_token_per_audience_serves_the_whole_run(lab):
    everybody = crowd(41)
    lab.wire.expect(*map(find, everybody))
    lab.wire.expect(*[get_mailbox(one, mailbox(one)) for one in everybody])

    lab.run("m365_user_info", users=[one["userPrincipalName"] for one in everybody])

    # Both are asked for at once.
    assert sorted(one.form["scope"] for one in lab.entra.asked_for("token")) == [
        "https://graph.microsoft.com/.default",
        "https://outlook.office365.com/.default",
    ]


def test_a_read_that_fails_for_ever_is_that_leavers_failure_within_retry_timeout(lab):
    bob = person("bob")
    lab.wire.expect(find(JANE).but(fault(503)), find(bob))
    lab.wire.expect_each(*[find(JANE).but(fault(503))] * 3)

    reported = lab.run("m365_user_info", users=[UPN, "bob@contoso.com"], steps=["signin"], retry_timeout=10)

    assert reported.statuses == ["failed", "unchanged"]
    assert lab.clock.naps == [1.0, 2.0, 4.0]
    assert "Gave up after 7 s" in reported.users[0]["error"]["hint"]


def test_credentials_of_the_environment_serve_when_no_option_is_given(lab, monkeypatch):
    variables = {
        "AZURE_TENANT": TENANT_ID,
        "AZURE_TENANT_ID": "",
        "AZURE_CLIENT_ID": CLIENT_ID,
        "AZURE_SECRET": CLIENT_SECRET,
        "AZURE_CLIENT_SECRET": " ",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    lab.wire.expect(find(JANE))

    reported = lab.run("m365_user_info", users=UPN, steps=["signin"], credential={})

    assert reported.statuses == ["unchanged"]
    assert lab.entra.asked_for("token")[0].form["client_secret"] == CLIENT_SECRET
