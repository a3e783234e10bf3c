# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each leaver gets back, and who is refused."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils._errors import OUTCOME_UNKNOWN
from ansible_collections.m365.offboarding.plugins.module_utils._times import parse_moment
from fakes.people import SWITCHES, person
from fakes.records import P, problem
from fakes.restoring import (
    LATER,
    OFF,
    ON,
    OTHER_TENANT,
    TENANT,
    asked,
    asked_of,
    entry,
    evidence,
    moved,
    nobody,
    opening,
    shut_now,
    shut_out,
)
from fakes.restoring import decide as plan

JANE, BOB = person("jane.doe"), person("bob")
UPN = "jane.doe@contoso.com"
EVERY = list(SWITCHES)
MOMENT = "last_password_change_date_time"


def planned(then=None, now=None, *names, **options):
    """Return the order of the only leaver."""
    content = evidence(then or shut_out())
    reported = plan(opening(now or shut_now()), asked(content, *names), "localhost", **options)
    assert reported["error"] is None
    (order,) = reported["leavers"]
    return order


def by_name(now, **options):
    """Return the order of the only leaver, who has no evidence."""
    options = {"protocols": ["owa"], **options}
    (order,) = plan(opening(now), asked(None), "localhost", **options)["leavers"]
    return order


@pytest.mark.parametrize("content", [evidence(shut_out()), None])
def test_a_malformed_name_fails_alone(content):
    malformed = [{"user": "Jane Doe", "complaint": "'Jane Doe' is neither a user principal name nor an object ID."}]

    reported = plan(opening(shut_now()), asked(content, malformed=malformed), "localhost", protocols=["owa"])

    assert [(one["user"], one["status"], one["signin"]) for one in reported["leavers"]] == [
        ("jane.doe@contoso.com", None, True),
        ("Jane Doe", "failed", False),
    ]
    assert reported["leavers"][1]["error"]["code"] == "not_a_name"


# --- which entry of the evidence ---


@pytest.mark.parametrize("name", ["localhost", "elsewhere"])
@pytest.mark.parametrize("tenant_id", [TENANT, TENANT.upper()])
def test_the_entry_is_that_of_the_host_or_the_only_one_of_its_tenant(name, tenant_id):
    content = evidence(shut_out(), host="localhost", tenant_id=tenant_id)
    content["hosts"]["third"] = {"tenant_id": None, "leavers": []}

    reported = plan(opening(shut_now()), asked(content), name)

    assert (reported["error"], reported["leavers"][0]["signin"]) == (None, True)


@pytest.mark.parametrize(
    ("host", "of_file", "of_token", "text"),
    [
        ("localhost", OTHER_TENANT, TENANT, f"belongs to the tenant {OTHER_TENANT}, the credential to {TENANT}"),
        ("localhost", None, TENANT, "does not say which tenant its host localhost is"),
        ("elsewhere", OTHER_TENANT, TENANT, f"has no record of the tenant {TENANT}"),
        ("elsewhere", None, TENANT, f"has no record of the tenant {TENANT}"),
        ("localhost", TENANT, None, "The token has no tenant ID"),
        ("elsewhere", None, None, "The token has no tenant ID"),
    ],
)
def test_evidence_of_another_tenant_or_of_none_is_refused(host, of_file, of_token, text):
    reported = plan(opening(shut_now(), tenant_id=of_token), asked(evidence(shut_out(), tenant_id=of_file)), host)

    assert text in reported["error"]
    assert (reported["leavers"], reported["groups"], reported["undelete"]) == ([], [], [])


def test_a_result_without_an_identity_is_of_no_tenant():
    reported = plan({"users": [shut_now()], "automation": None}, asked(evidence(shut_out())), "localhost")

    assert "The token has no tenant ID" in reported["error"]


def test_two_hosts_of_one_tenant_are_not_guessed_at():
    content = evidence(shut_out())
    content["hosts"]["second"] = content["hosts"]["localhost"]

    assert "several hosts of the tenant" in plan(opening(shut_now()), asked(content), "elsewhere")["error"]
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
    ("before", "protocols", "inherit"), [(True, ["smtp_auth"], False), (None, ["smtp_auth"], True), (False, [], False)]
)
def test_smtp_auth_is_turned_on_given_back_or_left_off_as_it_was(before, protocols, inherit):
    order = planned(shut_out(protocols=entry("verified", {"smtp_auth": before}, {"smtp_auth": False})))

    assert (order["protocols"], order["inherit_smtp_auth"]) == (protocols, inherit)


@pytest.mark.parametrize("today", [True, None])
def test_smtp_auth_that_somebody_has_turned_on_meanwhile_is_not_given_back(today):
    then = shut_out(protocols=entry("verified", {**ON, "smtp_auth": None}, OFF))

    order = planned(then, shut_now(mailbox_protocols={**OFF, "smtp_auth": today}))

    assert (order["protocols"], order["inherit_smtp_auth"]) == ([one for one in EVERY if one != "smtp_auth"], False)


def test_a_mailbox_that_cannot_be_read_now_is_left_to_the_step():
    now = shut_now(mailbox_protocols=None, status="failed", error=problem("http_503", "Exchange is not there."))

    order = planned(shut_out(protocols=entry("verified", {**ON, "smtp_auth": None}, OFF)), now)

    assert (order["protocols"], order["inherit_smtp_auth"], order["no_mailbox"]) == (EVERY, True, False)


def test_a_mailbox_that_is_gone_is_known_to_be():
    reported = plan(opening(shut_now(mailbox_protocols=None)), asked(evidence(shut_out())), "localhost")

    assert (reported["leavers"][0]["no_mailbox"], reported["waiting"]) == (True, [JANE["id"]])


def test_where_there_was_no_mailbox_none_is_missed():
    then = shut_out(protocols=entry("not_applicable", None, None))

    order = planned(then, shut_now(mailbox_protocols=None))

    assert (order["protocols"], order["no_mailbox"], order["signin"]) == ([], False, True)


def test_an_account_that_was_blocked_before_stays_blocked():
    blocked = {"account_enabled": False}

    order = planned(shut_out(signin=entry("unchanged", blocked, blocked)))

    assert (order["signin"], order["protocols"]) == (False, EVERY)
    assert order["notes"] == ["Sign-in was blocked before that run and stays blocked."]
    assert order["stays_blocked"] is False


def test_an_account_of_which_nobody_knew_is_not_a_success():
    order = planned(shut_out(signin=entry("verified", {"account_enabled": None}, {"account_enabled": False})))

    assert order["signin"] is False
    assert "is not known, so it stays blocked" in order["unknown"]["signin"]["message"]


def test_protocols_of_which_nobody_knew_are_not_a_success():
    order = planned(shut_out(protocols=entry("failed", None, OFF)))

    assert order["protocols"] == []
    assert "is not known, so they stay as they are" in order["unknown"]["protocols"]["message"]


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
    assert bool(order["notes"] or order["unknown"]) is not again


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

    reported = plan(
        opening(*[shut_now(one) for one in ("ann", "bob", "cid", "dan")]),
        asked(evidence(*leavers), *names),
        "localhost",
    )

    ids = {name: person(name)["id"] for name in ("ann", "bob", "cid", "dan")}
    assert reported["groups"] == [
        {"users": [ids["ann"], ids["cid"]], "protocols": EVERY, "inherit_smtp_auth": True},
        {"users": [ids["bob"]], "protocols": EVERY, "inherit_smtp_auth": False},
        {"users": [ids["dan"]], "protocols": ["owa"], "inherit_smtp_auth": False},
    ]


def test_a_user_who_is_named_twice_is_restored_once():
    reported = plan(opening(shut_now()), asked(evidence(shut_out()), UPN, JANE["id"].upper()), "localhost")

    assert [one["user"] for one in reported["leavers"]] == [UPN]


# --- the password ---


def test_the_password_of_that_run_may_be_replaced_and_without_one_that_is_said():
    order = planned()

    assert order["password"] is True
    assert order["password_note"].startswith("No password was provided")


def test_a_password_that_was_changed_since_is_left():
    now = shut_now(last_password_change_date_time=LATER)

    order = planned(now=now)

    assert order["password"] is False
    assert f"was changed after that run, at {LATER}" in order["password_note"]


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("status", ["accepted", "failed"])
def test_where_it_is_unknown_a_password_is_set_when_sign_in_opens(status, enabled):
    then = shut_out()
    then["steps"]["password"] = {**moved(MOMENT, LATER, status), "error": UNSURE if status == "failed" else None}

    order = planned(then, shut_now(account_enabled=enabled))

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


def test_a_user_who_is_not_in_the_evidence_is_refused():
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


RENAMED = shut_now(user=JANE["id"], user_principal_name="jane.roe@contoso.com")


@pytest.mark.parametrize("code", ["not_found", "not_a_principal_name"])
def test_a_name_that_nobody_has_today_is_refused_with_what_to_type(code):
    (order,) = plan(opening(nobody(UPN, code), RENAMED), asked(evidence(shut_out())), "localhost")["leavers"]

    assert (order["status"], order["error"]["code"], order["signin"]) == ("refused", "renamed", False)
    assert f"request jane.roe@contoso.com or {JANE['id']}" in order["error"]["hint"]


@pytest.mark.parametrize("name", ["jane.roe@contoso.com", JANE["id"]])
def test_an_account_that_is_called_otherwise_today_is_asked_for_by_its_name_of_today_or_its_id(name):
    now = {**RENAMED, "user": name}

    (order,) = plan(opening(now), asked(evidence(shut_out()), name), "localhost")["leavers"]

    assert (order["signin"], order["id"], order["user_principal_name"]) == (True, JANE["id"], "jane.roe@contoso.com")
    assert f"Called {UPN} at that time" in order["notes"][0]


def test_a_name_that_somebody_else_has_today_is_refused_even_where_both_were_shut_out():
    content = evidence(shut_out(), shut_out("bob"))
    now = [shut_now(id=BOB["id"]), RENAMED]

    (order,) = plan(opening(*now), asked(content), "localhost")["leavers"]

    assert (order["status"], order["error"]["code"]) == ("refused", "recreated")
    assert f"jane.roe@contoso.com or {JANE['id']}" in order["error"]["hint"]


@pytest.mark.parametrize("other", ["strasse@contoso.com", "STRASSE@contoso.com"])
def test_names_that_only_look_alike_are_two_people(other):
    then = shut_out(user="straße@contoso.com", user_principal_name="straße@contoso.com")

    (order,) = plan(opening(nobody(other)), asked(evidence(then), other), "localhost")["leavers"]

    assert order["error"]["code"] == "not_in_evidence"


def test_protected_accounts_and_administrators_are_refused():
    assert refused(now=shut_now(protected=True)) == ("refused", "protected")
    assert refused(now=shut_now(protected=True), allow_admins=True) == ("refused", "protected")
    assert refused(now=shut_now(directory_roles=["Helpdesk Administrator"])) == ("refused", "administrator")
    error = problem("http_500", "Graph answered 500.")
    assert refused(now=shut_now(directory_roles=None, directory_roles_error=error)) == ("refused", "roles_unread")
    assert planned(now=shut_now(directory_roles=["x"]), allow_admins=True)["signin"] is True


# --- deleted accounts ---

GONE = [nobody(UPN, "deleted"), nobody(JANE["id"], "deleted")]


def deleted(then=None, records=(), **options):
    reported = plan(opening(*(records or GONE)), asked(evidence(then or shut_out())), "localhost", **options)
    (order,) = reported["leavers"]
    return order, reported


def test_a_deleted_account_is_reported_unless_it_is_to_be_restored():
    order, reported = deleted()

    assert (order["status"], order["error"]["code"]) == ("failed", "deleted")
    assert "To restore the account too, ask whoever" in order["error"]["hint"]
    assert (reported["undelete"], reported["waiting"]) == ([], [JANE["id"]])


def test_a_deleted_account_is_restored_by_its_id_before_all_else():
    order, reported = deleted(undelete=True)

    assert (order["error"], order["undelete"], order["signin"], order["protocols"]) == (None, True, True, EVERY)
    assert reported["undelete"] == [{"user": JANE["id"], "directory_roles": []}]
    assert reported["waiting"] == [JANE["id"]]
    # The others can do nothing yet.
    assert reported["groups"] == []


def test_a_deleted_administrator_is_refused():
    then = shut_out(directory_roles=["Helpdesk Administrator"])

    assert deleted(then, undelete=True)[0]["error"]["code"] == "administrator"
    assert deleted(then, undelete=True, allow_admins=True)[0]["undelete"] is True


def test_an_account_that_is_gone_for_good_is_not_found():
    order, reported = deleted(records=[nobody(UPN), nobody(JANE["id"])], undelete=True)

    assert (order["status"], order["error"]["code"], reported["undelete"]) == ("failed", "not_found", [])


# --- without evidence ---


def test_without_evidence_sign_in_and_the_named_protocols_are_opened():
    order = by_name(shut_now(), protocols=["all"])

    assert (order["signin"], order["protocols"], order["inherit_smtp_auth"]) == (True, ["all"], False)
    assert (order["password"], order["password_note"]) == (True, None)


def test_without_evidence_a_password_is_set_when_sign_in_opens_only():
    assert by_name(shut_now(account_enabled=True))["password"] is False
    assert by_name(shut_now(), steps=["protocols"])["password"] is False
    assert by_name(shut_now(), steps=["signin"])["protocols"] == []


def test_without_evidence_the_token_need_not_say_its_tenant():
    (order,) = plan(opening(shut_now(), tenant_id=None), asked(None), "localhost", protocols=["owa"])["leavers"]

    assert order["signin"] is True


def test_without_evidence_too_some_are_refused():
    assert by_name(shut_now(protected=True))["error"]["code"] == "protected"
    assert by_name(shut_now(directory_roles=["x"]))["error"]["code"] == "administrator"
    assert by_name(nobody(UPN))["error"]["code"] == "not_found"


def test_without_evidence_a_deleted_account_is_restored_by_the_id_that_was_found():
    """Whether it was an administrator nobody knows, so that must be allowed."""
    found = {"users": [{**nobody(UPN), "id": JANE["id"], "status": "planned", "error": None}]}
    options = {"protocols": ["owa"], "undelete": True, "deleted": found}

    refused = plan(opening(GONE[0]), asked(None), "localhost", **options)
    reported = plan(opening(GONE[0]), asked(None), "localhost", allow_admins=True, **options)

    assert (refused["leavers"][0]["error"]["code"], refused["undelete"]) == ("roles_unread", [])
    assert reported["undelete"] == [JANE["id"]]
    assert (reported["leavers"][0]["signin"], reported["leavers"][0]["id"], reported["groups"]) == (
        True,
        JANE["id"],
        [],
    )
    assert by_name(GONE[0])["error"]["code"] == "deleted"


AMBIGUOUS = {"users": [{**nobody(UPN), "status": "failed", "error": problem("ambiguous", "Means two.", "Ask by id.")}]}


@pytest.mark.parametrize("content", [None, evidence(shut_out())], ids=["without evidence", "with evidence"])
def test_a_name_of_which_there_is_a_deleted_account_too_is_refused(content):
    options = {"protocols": ["owa"], "undelete": True, "allow_admins": True, "deleted": AMBIGUOUS}

    (order,) = plan(opening(shut_now()), asked(content), "localhost", **options)["leavers"]

    assert (order["status"], order["error"]["code"], order["signin"]) == ("refused", "ambiguous", False)


def test_of_a_deleted_account_the_evidence_must_know_the_roles():
    assert deleted(shut_out(directory_roles=None), undelete=True)[0]["error"]["code"] == "roles_unread"
    assert deleted(shut_out(directory_roles=None), undelete=True, allow_admins=True)[1]["undelete"] == [JANE["id"]]


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"directory_roles": ["Helpdesk Administrator"]}, "administrator"),
        ({"directory_roles": None, "directory_roles_error": problem("x", "No.")}, "roles_unread"),
        ({"protected": True}, "protected"),
    ],
)
def test_of_an_account_that_was_just_restored_nobody_says_that_nothing_was_sent(facts, code):
    now = shut_now(account_enabled=True, **facts)

    (order,) = plan(opening(now), asked(evidence(shut_out())), "localhost", undeleted=[JANE["id"]])["leavers"]

    assert (order["status"], order["error"]["code"], order["signin"]) == ("failed", code, False)
    assert "othing was sent" not in order["error"]["message"]
    assert "othing else was sent" in order["error"]["message"]
    assert "The account was restored, and its sign-in is allowed" in order["error"]["hint"]


# --- several runs ---

MONDAY, TUESDAY, FRIDAY = (f"2026-11-{day}T10:00:00Z" for day in (16, 17, 20))
PENDING = {
    "signin": entry("pending", {"account_enabled": True}, None),
    "protocols": entry("pending", {**ON, "smtp_auth": None}, None),
}
FOUND_SHUT = {
    "signin": entry("unchanged", {"account_enabled": False}, {"account_enabled": False}),
    "protocols": entry("unchanged", OFF, OFF),
}


def shut_already():
    """Return what a run says of a leaver already shut out by another run: only the mailbox was left."""
    then = shut_out(**FOUND_SHUT)
    for step in ("password", "sessions"):
        then["steps"][step] |= {"status": "unchanged", "before": then["steps"][step]["after"]}
    return then


def a_run(started_at, *leavers, complete=True, job=None, workflow=None):
    run = {"started_at": started_at, "job_id": job, "workflow_job_id": workflow}
    return {**evidence(*leavers), "complete": complete, "run": run, "written_at": started_at}


def of_runs(*contents, names=(), now=None, job="", **options):
    request = asked_of(list(contents), *names, job=job)
    reported = plan(opening(*(now or [shut_now()])), request, "localhost", **options)
    assert reported["error"] is None
    (order,) = reported["leavers"]
    return order


@pytest.mark.parametrize("reverse", [False, True])
def test_what_a_killed_run_found_open_is_opened_although_the_next_found_it_shut(reverse):
    """Neither file alone knows both: the first what was before, the second that it is done."""
    runs = [a_run(MONDAY, shut_out(**PENDING), complete=False), a_run(TUESDAY, shut_already())]

    order = of_runs(*(reversed(runs) if reverse else runs))

    assert (order["signin"], order["protocols"], order["inherit_smtp_auth"]) == (True, EVERY, True)
    assert (order["unknown"], order["stays_blocked"]) == ({}, False)
    assert "2 runs are undone, starting with " in order["notes"][0]
    # The second alone changed nothing; one that had the mailbox left to do does not claim to have restored anybody.
    assert of_runs(runs[1])["error"]["code"] == "nothing_changed"
    runs[1]["hosts"]["localhost"]["leavers"][0]["steps"]["protocols"] = entry("verified", ON, OFF)
    alone = of_runs(runs[1])
    assert (alone["signin"], alone["protocols"], alone["stays_blocked"]) == (False, EVERY, True)
    assert "as an earlier run leaves them: give its evidence too" in " ".join(alone["notes"])


def test_a_killed_run_alone_is_enough():
    order = of_runs(a_run(MONDAY, shut_out(**PENDING), complete=False))

    assert (order["signin"], order["protocols"]) == (True, EVERY)
    assert "was cut off, perhaps after blocking sign-in" in order["notes"][0]


def test_a_user_who_was_blocked_before_the_run_that_was_killed_stays_blocked():
    blocked = {**PENDING, "signin": entry("pending", {"account_enabled": False}, None)}

    order = of_runs(a_run(MONDAY, shut_out(**blocked), complete=False), a_run(TUESDAY, shut_already()))

    assert (order["signin"], order["protocols"]) == (False, EVERY)
    assert "Sign-in was blocked before that run and stays blocked." in order["notes"]


def test_a_step_that_is_planned_in_a_complete_file_was_not_done():
    steps = {"signin": entry("planned", {"account_enabled": True}, None)}

    assert of_runs(a_run(MONDAY, shut_out(**steps)))["signin"] is False


def test_two_runs_that_shut_a_part_each_are_undone_together():
    first = shut_out(
        protocols=entry("failed", ON, {**OFF, "pop": True}, error=problem("x", "No.")),
        signin=entry("failed", {"account_enabled": True}, {"account_enabled": True}, error=problem("x", "No.")),
    )
    second = shut_out(protocols=entry("verified", {**OFF, "pop": True}, OFF))

    order = of_runs(a_run(MONDAY, first), a_run(TUESDAY, second))

    assert (order["signin"], order["protocols"]) == (True, EVERY)


def shut_out_again(name="jane.doe", **steps):
    """Return the evidence of somebody who was let in again after `shut_out`, and had that password since."""
    then = shut_out(name, **steps)
    then["steps"]["password"] = entry("verified", {MOMENT: P}, {MOMENT: LATER})
    then["steps"]["sessions"] = entry(
        "verified", then["steps"]["sessions"]["after"], {"sign_in_sessions_valid_from_date_time": LATER}
    )
    return then


AGAIN = (a_run(MONDAY, shut_out(), job="7"), a_run(FRIDAY, shut_out_again(), job="9"))
LONG_SINCE = [shut_now(last_password_change_date_time=LATER, sign_in_sessions_valid_from_date_time=LATER)]


def test_a_later_offboarding_is_not_guessed_at_and_both_runs_are_named():
    order = of_runs(*AGAIN)

    assert (order["status"], order["error"]["code"], order["signin"]) == ("refused", "several_offboardings", False)
    for part in ("0.json (job 7, 2026-11-16T10:00:00Z)", "1.json (job 9, 2026-11-20T10:00:00Z)"):
        assert part in order["error"]["message"]
    assert "Give only the files" in order["error"]["hint"]


def test_of_several_offboardings_that_of_the_named_job_or_file_is_undone():
    few = shut_out_again(protocols=entry("verified", {**OFF, "owa": True}, OFF))
    runs = (AGAIN[0], a_run(FRIDAY, few, job="9"))

    assert of_runs(*runs, job="9", now=LONG_SINCE)["protocols"] == ["owa"]
    assert of_runs(*runs, job="7", now=LONG_SINCE)["protocols"] == EVERY
    assert of_runs(runs[1], now=LONG_SINCE)["protocols"] == ["owa"]


def test_of_several_offboardings_that_of_the_named_workflow_is_undone():
    """Both numbers of a run are reported, since people know that of the workflow."""
    few = shut_out_again(protocols=entry("verified", {**OFF, "owa": True}, OFF))
    runs = (a_run(MONDAY, shut_out(), job="7", workflow="5"), a_run(FRIDAY, few, job="11", workflow="9"))

    assert of_runs(*runs, job="9", now=LONG_SINCE)["protocols"] == ["owa"]
    assert of_runs(*runs, job="5", now=LONG_SINCE)["protocols"] == EVERY
    undecided = of_runs(*runs, now=LONG_SINCE)["error"]["message"]
    assert "0.json (job 7, workflow 5, 2026-11-16T10:00:00Z)" in undecided
    assert "1.json (job 11, workflow 9, 2026-11-20T10:00:00Z)" in undecided


def test_a_job_number_that_was_used_again_is_reported_by_the_person_or_refused():
    """AWX was set up again and starts from one; both files say job 7."""
    other = a_run(FRIDAY, shut_out("bob"), job="7")

    assert of_runs(AGAIN[0], other, job="7")["id"] == JANE["id"]
    same = of_runs(AGAIN[0], a_run(FRIDAY, shut_out_again(), job="7"), job="7")
    assert same["error"]["code"] == "several_offboardings"


def test_a_job_of_somebody_else_is_refused():
    order = of_runs(AGAIN[0], a_run(FRIDAY, shut_out("bob"), job="9"), job="9")

    assert (order["status"], order["error"]["code"]) == ("refused", "not_in_evidence")
    assert "The evidence of the job or workflow 9 has no record of" in order["error"]["message"]


def test_a_repetition_that_read_the_state_of_before_is_not_a_second_offboarding():
    """The replica that answered it lagged: its moments are older than those that the first run read back."""
    first = shut_out()
    first["steps"]["password"] = moved(MOMENT, LATER)

    order = of_runs(
        a_run(MONDAY, first), a_run(TUESDAY, shut_out()), now=[shut_now(last_password_change_date_time=LATER)]
    )

    assert (order["error"], order["signin"]) == (None, True)


def test_a_run_that_wrote_two_files_is_one_run():
    order = of_runs(AGAIN[0], AGAIN[0])

    assert (order["error"], order["signin"]) == (None, True)
    assert not any("runs" in note for note in order["notes"])


def test_runs_of_other_tenants_are_left_out_and_named():
    foreign = {**AGAIN[0], "hosts": evidence(shut_out(), tenant_id=OTHER_TENANT)["hosts"]}

    reported = plan(opening(*LONG_SINCE), asked_of([foreign, AGAIN[1]]), "localhost")

    assert (reported["error"], reported["leavers"][0]["signin"]) == (None, True)
    assert reported["left_out"] == [
        f"0.json: The evidence of host localhost belongs to the tenant {OTHER_TENANT}, the credential to {TENANT}."
    ]
    assert "0.json: " in plan(opening(shut_now()), asked_of([foreign]), "localhost")["error"]


# --- replicas that lag ---

NEW = "2026-11-20T15:10:00Z"


def lagging(*, now, began=0.0, at=10.0, verify_timeout=30, **facts):
    then = shut_out(**facts)
    then["steps"]["password"] = moved(MOMENT, NEW)
    read = {**opening(now), "verify_timeout": verify_timeout}
    written = parse_moment(a_run(FRIDAY)["written_at"]).timestamp()
    return plan(read, asked(a_run(FRIDAY, then)), "localhost", began=written + began, now=written + at)


OLD = shut_now(account_enabled=True, mailbox_protocols=ON)  # and the password of before
OPEN_NOW = shut_now(account_enabled=True, mailbox_protocols=ON, last_password_change_date_time=NEW)


def test_a_reading_that_is_older_than_the_evidence_is_repeated_and_fails_in_the_end():
    assert lagging(now=OLD, at=29)["again"] is True

    reported = lagging(now=OLD, at=31)

    (order,) = reported["leavers"]
    assert (reported["again"], order["status"], order["error"]["code"]) == (False, "failed", "stale")
    assert "is still shown as before the password of" in order["error"]["message"]
    assert "verify_timeout" in order["error"]["hint"]
    assert (order["signin"], order["protocols"], order["password"]) == (False, [], False)


def test_a_reading_from_before_the_sign_out_is_older_than_the_evidence_too():
    now = {**OPEN_NOW, "sign_in_sessions_valid_from_date_time": "2026-11-20T15:00:01Z"}

    (order,) = lagging(now=now, at=31)["leavers"]

    assert (order["status"], order["error"]["code"]) == ("failed", "stale")
    assert "is still shown as before the sign-out of" in order["error"]["message"]


def test_an_open_door_is_looked_at_again_until_the_evidence_is_as_old_as_a_write_may_lag():
    assert lagging(now=OPEN_NOW, began=5, at=10)["again"] is True
    assert lagging(now=OPEN_NOW, began=25, at=31)["again"] is False
    # Longer than that it is never waited, whatever the clocks say.
    assert lagging(now=OPEN_NOW, began=-100, at=-69)["again"] is False
    (order,) = lagging(now=OPEN_NOW, began=25, at=31)["leavers"]
    assert any("Read as open already: mailbox protocols and sign-in" in note for note in order["notes"])
    # Long after, somebody has opened it.
    reported = lagging(now=OPEN_NOW, began=86400, at=86401)
    assert (reported["again"], any("Read as open" in note for note in reported["leavers"][0]["notes"])) == (
        False,
        False,
    )


def test_an_open_door_that_was_written_and_never_seen_shut_may_lag_too():
    """The run's own last read was of the same old state, so no `after` says that anything is shut."""
    unseen = {
        "signin": entry("accepted", {"account_enabled": True}, {"account_enabled": True}),
        "protocols": entry("accepted", ON, ON),
    }

    reported = lagging(now=OPEN_NOW, **unseen)

    assert reported["again"] is True
    assert any(
        "Read as open already: mailbox protocols and sign-in" in note for note in reported["leavers"][0]["notes"]
    )


def test_a_user_who_is_read_as_shut_is_not_looked_at_again():
    reported = lagging(now=shut_now(last_password_change_date_time=NEW))

    assert (reported["again"], reported["leavers"][0]["error"]) == (False, None)


def test_a_restored_account_that_is_not_there_yet_is_looked_at_again():
    def again(at, undeleted):
        return plan(
            opening(nobody(UPN), nobody(JANE["id"])),
            asked(evidence(shut_out())),
            "localhost",
            undeleted=undeleted,
            now=at,
        )["again"]

    assert [again(29, [JANE["id"]]), again(31, [JANE["id"]]), again(1, [])] == [True, False, False]
