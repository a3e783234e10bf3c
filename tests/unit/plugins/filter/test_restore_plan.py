# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""restore_plan: what each leaver gets back, and who is refused."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.filter.restore_plan import FilterModule
from ansible_collections.m365.offboarding.plugins.module_utils._errors import OUTCOME_UNKNOWN
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.people import SWITCHES, person
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.records import P, problem
from ansible_collections.m365.offboarding.tests.unit.plugins.lab.restoring import (
    LATER,
    OFF,
    ON,
    OTHER_TENANT,
    TENANT,
    asked,
    entry,
    evidence,
    moved,
    nobody,
    opening,
    shut_now,
    shut_out,
)

plan = FilterModule().filters()["restore_plan"]
JANE, BOB = person("jane.doe"), person("bob")
UPN = "jane.doe@contoso.com"
EVERY = list(SWITCHES)
MOMENT = "last_password_change_date_time"


def planned(then=None, now=None, *names, **options):
    """Return the order of the only leaver."""
    content = evidence(then or shut_out())
    told = plan(opening(now or shut_now()), asked(content, *names), "localhost", **options)
    assert told["error"] is None
    (order,) = told["leavers"]
    return order


def by_name(now, **options):
    """Return the order of the only leaver of whom there is no evidence."""
    options = {"protocols": ["owa"], **options}
    (order,) = plan(opening(now), asked(None), "localhost", **options)["leavers"]
    return order


# --- which entry of the evidence ---


@pytest.mark.parametrize("name", ["localhost", "elsewhere"])
@pytest.mark.parametrize("tenant_id", [TENANT, TENANT.upper()])
def test_the_entry_is_that_of_the_host_or_the_only_one_of_its_tenant(name, tenant_id):
    content = evidence(shut_out(), host="localhost", tenant_id=tenant_id)
    content["hosts"]["third"] = {"tenant_id": None, "leavers": []}

    told = plan(opening(shut_now()), asked(content), name)

    assert (told["error"], told["leavers"][0]["signin"]) == (None, True)


@pytest.mark.parametrize(
    ("host", "of_file", "of_token", "text"),
    [
        ("localhost", OTHER_TENANT, TENANT, f"is of the tenant {OTHER_TENANT}, the credential of {TENANT}"),
        ("localhost", None, TENANT, "does not say which tenant its host localhost is"),
        ("elsewhere", OTHER_TENANT, TENANT, f"has nothing of the tenant {TENANT}"),
        ("elsewhere", None, TENANT, f"has nothing of the tenant {TENANT}"),
        ("localhost", TENANT, None, "The token does not say which tenant"),
        ("elsewhere", None, None, "The token does not say which tenant"),
    ],
)
def test_evidence_of_another_tenant_or_of_none_is_refused(host, of_file, of_token, text):
    told = plan(opening(shut_now(), tenant_id=of_token), asked(evidence(shut_out(), tenant_id=of_file)), host)

    assert text in told["error"]
    assert (told["leavers"], told["groups"], told["undelete"]) == ([], [], [])


def test_a_result_without_an_identity_is_of_no_tenant():
    told = plan({"users": [shut_now()], "automation": None}, asked(evidence(shut_out())), "localhost")

    assert "The token does not say which tenant" in told["error"]


def test_two_hosts_of_one_tenant_are_not_guessed_at():
    content = evidence(shut_out())
    content["hosts"]["second"] = content["hosts"]["localhost"]

    assert "several of the tenant" in plan(opening(shut_now()), asked(content), "elsewhere")["error"]
    assert plan(opening(shut_now()), asked(content), "second")["error"] is None


# --- what comes back ---


def test_what_was_open_and_was_shut_comes_back():
    order = planned()

    assert (order["status"], order["error"], order["undelete"]) == (None, None, False)
    assert (order["signin"], order["protocols"], order["inherit_smtp_auth"]) == (True, EVERY, False)
    assert (order["id"], order["user_principal_name"]) == (JANE["id"], UPN)
    assert order["notes"] == []


@pytest.mark.parametrize("before", [True, None])
def test_a_switch_that_was_on_or_not_set_is_turned_on(before):
    order = planned(shut_out(protocols=entry("verified", {**OFF, "ews": before}, OFF)))

    assert order["protocols"] == ["ews"]
    assert "Off before that run, and left off: activesync," in order["notes"][0]


@pytest.mark.parametrize(
    ("before", "protocols", "inherit"),
    [(True, ["smtp_auth"], False), (None, ["smtp_auth"], True), (False, [], False)],
)
def test_smtp_auth_is_turned_on_given_back_or_left_off_as_it_was(before, protocols, inherit):
    order = planned(shut_out(protocols=entry("verified", {"smtp_auth": before}, {"smtp_auth": False})))

    assert (order["protocols"], order["inherit_smtp_auth"]) == (protocols, inherit)


@pytest.mark.parametrize("today", [True, None])
def test_smtp_auth_that_somebody_has_turned_on_meanwhile_is_not_given_back(today):
    then = shut_out(protocols=entry("verified", {**ON, "smtp_auth": None}, OFF))

    order = planned(then, shut_now(facts={"protocols": {**OFF, "smtp_auth": today}}))

    assert (order["protocols"], order["inherit_smtp_auth"]) == ([one for one in EVERY if one != "smtp_auth"], False)


def test_a_mailbox_that_cannot_be_read_now_is_left_to_the_step():
    now = shut_now(facts={"protocols": None}, status="failed", error=problem("http_503", "Exchange is not there."))

    order = planned(shut_out(protocols=entry("verified", {**ON, "smtp_auth": None}, OFF)), now)

    assert (order["protocols"], order["inherit_smtp_auth"], order["no_mailbox"]) == (EVERY, True, False)


def test_a_mailbox_that_is_gone_is_known_to_be():
    told = plan(opening(shut_now(facts={"protocols": None})), asked(evidence(shut_out())), "localhost")

    assert (told["leavers"][0]["no_mailbox"], told["waiting"]) == (True, [JANE["id"]])


def test_where_there_was_no_mailbox_none_is_missed():
    then = shut_out(protocols=entry("not_applicable", None, None))

    order = planned(then, shut_now(facts={"protocols": None}))

    assert (order["protocols"], order["no_mailbox"], order["signin"]) == ([], False, True)


def test_an_account_that_was_blocked_before_stays_blocked():
    blocked = {"account_enabled": False}

    order = planned(shut_out(signin=entry("unchanged", blocked, blocked)))

    assert (order["signin"], order["protocols"]) == (False, EVERY)
    assert order["notes"] == ["Sign-in was blocked before that run and stays blocked."]


def test_an_account_of_which_nobody_knew_stays_as_it_is():
    order = planned(shut_out(signin=entry("verified", {"account_enabled": None}, {"account_enabled": False})))

    assert order["signin"] is False
    assert "is not known; it stays as it is" in order["notes"][0]


def test_protocols_of_which_nobody_knew_stay_as_they_are():
    order = planned(shut_out(protocols=entry("failed", None, OFF)))

    assert order["protocols"] == []
    assert "is not known; they stay as they are" in order["notes"][0]


ENABLED, DISABLED = {"account_enabled": True}, {"account_enabled": False}
UNSURE = {**problem("http_503", "Graph answered 503."), "hint": OUTCOME_UNKNOWN}


@pytest.mark.parametrize(
    ("step", "again"),
    [
        pytest.param(entry("verified", ENABLED, DISABLED), True, id="verified"),
        pytest.param(entry("accepted", ENABLED, ENABLED), True, id="accepted"),
        pytest.param(entry("failed", ENABLED, DISABLED, error=problem("x", "No.")), True, id="failed, and yet done"),
        pytest.param(entry("failed", ENABLED, ENABLED, error=UNSURE), True, id="failed, or not"),
        pytest.param(entry("failed", ENABLED, ENABLED, error=problem("internal", "?")), True, id="a fault of ours"),
        pytest.param(entry("failed", ENABLED, ENABLED, error=problem("x", "No.")), False, id="failed"),
        pytest.param(entry("failed", ENABLED, None, error=problem("x", "No.")), False, id="failed, not read"),
        pytest.param(entry("failed", None, None), False, id="failed for everybody"),
        pytest.param(entry("unchanged", DISABLED, DISABLED), False, id="unchanged"),
        pytest.param(entry("refused", ENABLED, ENABLED), False, id="refused"),
        pytest.param(entry("not_due", ENABLED, ENABLED), False, id="not due"),
        pytest.param(entry("planned", ENABLED, None), False, id="planned"),
    ],
)
def test_only_what_that_run_changed_is_undone(step, again):
    order = planned(shut_out(signin=step))

    assert order["signin"] is again
    assert bool(order["notes"]) is not again


def test_steps_and_protocols_can_be_limited():
    assert planned(steps=["signin"])["protocols"] == []
    assert planned(steps=["protocols"])["signin"] is False
    assert planned(protocols=["pop", "owa"])["protocols"] == ["owa", "pop"]
    assert planned(protocols=["all"])["protocols"] == EVERY


def test_steps_that_run_did_not_take_are_not_undone():
    then = shut_out()
    del then["steps"]["signin"]

    order = planned(then)

    assert (order["signin"], order["notes"]) == (False, [])


def test_leavers_with_the_same_protocols_go_together():
    null = entry("verified", {**ON, "smtp_auth": None}, OFF)
    few = entry("verified", {**OFF, "owa": True}, OFF)
    leavers = [
        shut_out("ann", protocols=null),
        shut_out("bob"),
        shut_out("cid", protocols=null),
        shut_out("dan", protocols=few),
    ]
    names = [one["user"] for one in leavers]

    told = plan(
        opening(*[shut_now(one) for one in ("ann", "bob", "cid", "dan")]),
        asked(evidence(*leavers), *names),
        "localhost",
    )

    ids = {name: person(name)["id"] for name in ("ann", "bob", "cid", "dan")}
    assert told["groups"] == [
        {"users": [ids["ann"], ids["cid"]], "protocols": EVERY, "inherit_smtp_auth": True},
        {"users": [ids["bob"]], "protocols": EVERY, "inherit_smtp_auth": False},
        {"users": [ids["dan"]], "protocols": ["owa"], "inherit_smtp_auth": False},
    ]


def test_who_is_named_twice_is_restored_once():
    told = plan(opening(shut_now()), asked(evidence(shut_out()), UPN, JANE["id"].upper()), "localhost")

    assert [one["user"] for one in told["leavers"]] == [UPN]


# --- the password ---


def test_the_password_of_that_run_may_be_replaced_and_without_one_that_is_said():
    order = planned()

    assert order["password"] is True
    assert order["password_note"].startswith("No password was provided")


def test_a_password_that_was_changed_since_is_left():
    now = shut_now(facts={"password": {MOMENT: LATER}})

    order = planned(now=now)

    assert order["password"] is False
    assert f"was changed after that run, at {LATER}" in order["password_note"]


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("status", ["accepted", "failed"])
def test_where_it_cannot_be_told_a_password_is_set_when_sign_in_opens(status, enabled):
    then = shut_out()
    then["steps"]["password"] = {**moved(MOMENT, LATER, status), "error": UNSURE if status == "failed" else None}

    order = planned(then, shut_now(facts={"signin": {"account_enabled": enabled}}))

    assert order["password"] is not enabled
    assert bool(order["password_note"])


def test_where_that_run_did_not_reset_it_nothing_is_said_of_it():
    then = shut_out()
    then["steps"]["password"] = entry("failed", {MOMENT: P}, {MOMENT: P}, error=problem("x", "Synced."))
    assert (planned(then)["password"], planned(then)["password_note"]) == (True, None)

    del then["steps"]["password"]
    assert (planned(then)["password"], planned(then)["password_note"]) == (True, None)


def test_a_guest_has_no_password_here():
    record = shut_now()
    record["doors"]["password"] = "not_applicable"

    order = planned(now=record)

    assert (order["password"], order["password_note"]) == (False, None)


# --- who is refused ---


def refused(then=None, now=None, *names, **options):
    order = planned(then, now, *names, **options)
    assert (order["signin"], order["protocols"], order["password"], order["undelete"]) == (False, [], False, False)
    return order["status"], order["error"]["code"]


def test_who_is_not_in_the_evidence_is_refused():
    assert refused(None, shut_now("bob"), "bob@contoso.com") == ("refused", "not_in_evidence")
    assert refused(shut_out(id=None)) == ("refused", "not_in_evidence")


def test_a_record_in_which_nothing_was_changed_is_refused():
    same = entry("unchanged", DISABLED, DISABLED)
    then = shut_out()
    then["steps"] = dict.fromkeys(then["steps"], same)

    order = planned(then)

    assert (order["status"], order["error"]["code"]) == ("refused", "nothing_changed")
    assert "evidence of the run that shut the doors" in order["error"]["hint"]


def test_a_name_of_two_accounts_in_the_evidence_is_refused_unless_the_id_is_given():
    content = evidence(shut_out(), shut_out(id=BOB["id"]))

    (order,) = plan(opening(shut_now()), asked(content), "localhost")["leavers"]
    assert (order["status"], order["error"]["code"]) == ("refused", "ambiguous")

    (order,) = plan(opening(shut_now(user=JANE["id"])), asked(content, JANE["id"]), "localhost")["leavers"]
    assert (order["error"], order["id"]) == (None, JANE["id"])


def test_another_account_of_the_same_name_is_refused():
    now = shut_now(id=BOB["id"])

    assert refused(now=now) == ("refused", "recreated")


def test_another_account_of_the_same_name_is_refused_even_where_the_old_one_could_be_restored():
    now = [shut_now(id=BOB["id"]), nobody(JANE["id"], "deleted")]

    (order,) = plan(opening(*now), asked(evidence(shut_out())), "localhost", undelete=True)["leavers"]

    assert (order["status"], order["error"]["code"], order["undelete"]) == ("refused", "recreated", False)


def test_an_account_that_is_called_otherwise_today_is_known_by_its_id():
    now = [
        nobody(UPN),
        shut_now(user=JANE["id"], user_principal_name="jane.roe@contoso.com"),
    ]

    (order,) = plan(opening(*now), asked(evidence(shut_out())), "localhost")["leavers"]

    assert (order["signin"], order["id"], order["user_principal_name"]) == (True, JANE["id"], "jane.roe@contoso.com")
    assert f"Then called {UPN}" in order["notes"][0]


def test_protected_accounts_and_administrators_are_refused():
    assert refused(now=shut_now(protected=True)) == ("refused", "protected")
    assert refused(now=shut_now(protected=True), allow_admins=True) == ("refused", "protected")
    assert refused(now=shut_now(directory_roles=["Helpdesk Administrator"])) == ("refused", "administrator")
    error = problem("http_500", "Graph answered 500.")
    assert refused(now=shut_now(directory_roles=None, directory_roles_error=error)) == ("refused", "roles_unread")
    assert planned(now=shut_now(directory_roles=["x"]), allow_admins=True)["signin"] is True


# --- deleted accounts ---

GONE = [
    nobody(UPN, "deleted"),
    nobody(JANE["id"], "deleted"),
]


def deleted(then=None, records=(), **options):
    told = plan(opening(*(records or GONE)), asked(evidence(then or shut_out())), "localhost", **options)
    (order,) = told["leavers"]
    return order, told


def test_a_deleted_account_is_told_unless_it_is_to_be_restored():
    order, told = deleted()

    assert (order["status"], order["error"]["code"]) == ("failed", "deleted")
    assert "Set restore_employee_undelete" in order["error"]["hint"]
    assert (told["undelete"], told["waiting"]) == ([], [JANE["id"]])


def test_a_deleted_account_is_restored_by_its_id_before_all_else():
    order, told = deleted(undelete=True)

    assert (order["error"], order["undelete"], order["signin"], order["protocols"]) == (None, True, True, EVERY)
    assert (told["undelete"], told["waiting"]) == ([JANE["id"]], [JANE["id"]])
    # The others can do nothing yet.
    assert told["groups"] == []


def test_a_deleted_administrator_is_refused():
    then = shut_out(directory_roles=["Helpdesk Administrator"])

    assert deleted(then, undelete=True)[0]["error"]["code"] == "administrator"
    assert deleted(then, undelete=True, allow_admins=True)[0]["undelete"] is True


def test_an_account_that_is_gone_for_good_is_not_found():
    order, told = deleted(records=[nobody(UPN), nobody(JANE["id"])], undelete=True)

    assert (order["status"], order["error"]["code"], told["undelete"]) == ("failed", "not_found", [])


# --- without evidence ---


def test_without_evidence_sign_in_and_the_named_protocols_are_opened():
    order = by_name(shut_now(), protocols=["all"])

    assert (order["signin"], order["protocols"], order["inherit_smtp_auth"]) == (True, ["all"], False)
    assert (order["password"], order["password_note"]) == (True, None)


def test_without_evidence_a_password_is_set_when_sign_in_opens_only():
    assert by_name(shut_now(facts={"signin": ENABLED}))["password"] is False
    assert by_name(shut_now(), steps=["protocols"])["password"] is False
    assert by_name(shut_now(), steps=["signin"])["protocols"] == []


def test_without_evidence_the_token_need_not_say_its_tenant():
    (order,) = plan(opening(shut_now(), tenant_id=None), asked(None), "localhost", protocols=["owa"])["leavers"]

    assert order["signin"] is True


def test_without_evidence_too_some_are_refused():
    assert by_name(shut_now(protected=True))["error"]["code"] == "protected"
    assert by_name(shut_now(directory_roles=["x"]))["error"]["code"] == "administrator"
    assert by_name(nobody(UPN))["error"]["code"] == "not_found"


def test_without_evidence_a_deleted_account_is_restored_by_name():
    told = plan(opening(GONE[0]), asked(None), "localhost", protocols=["owa"], undelete=True)

    assert told["undelete"] == [UPN]
    assert (told["leavers"][0]["signin"], told["leavers"][0]["id"], told["groups"]) == (True, None, [])
    assert by_name(GONE[0])["error"]["code"] == "deleted"
