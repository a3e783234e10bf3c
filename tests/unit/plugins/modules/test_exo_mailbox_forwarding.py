# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""exo_mailbox_forwarding: what leads outside is turned off, what stays inside is not, and both are read and not guessed."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils._errors import OUTCOME_UNKNOWN
from fakes.clock import later
from fakes.people import guest, person
from fakes.residual import (
    contact,
    domains,
    exchange_rule,
    exchange_rules,
    forward,
    mailbox_called,
    mailbox_of,
    named,
    recipient,
    switch_rule,
)
from fakes.turns import exchange_error, find, no_mailbox, roles, throttled
from fakes.wire import Reply

MODULE = "exo_mailbox_forwarding"
JANE = person("jane.doe")
UPN = "jane.doe@contoso.com"
OUT, IN = "jane@home.example", "omar@contoso.com"
LEGACY = "/o=ExchangeLabs/ou=Exchange (FYDIBOHF23SPDLT)/cn=Recipients/cn=39e06b-omar"
SMTP_KEY, RECIPIENT_KEY = "forwarding_smtp_address", "forwarding_address"
MOST = "Microsoft.Exchange.Configuration.Tasks."


def smtp(address: str, name: str = "X") -> str:
    return f'"{name}" [SMTP:{address}]'


def ex(name: str = "Omar") -> str:
    return f'"{name}" [EX:{LEGACY}]'


def mail(user=JANE, *rules, row=None, again=False, lookups=()):
    """Return how a mailbox is read: the accepted domains only once in a run."""
    reported = [recipient(user, row or mailbox_of(user)), exchange_rules(user, *rules)]
    return [*reported, *([] if again else [domains("contoso.com")]), *lookups]


def run(lab, state="absent", **options):
    return lab.run(MODULE, **{"users": UPN, "state": state, **options})


def close(lab, before, writes, after, **options):
    """Run against what is there ``before``, must be sent ``writes``, and is ``after``; each a list of turns."""
    lab.wire.expect_each(find(JANE), *before, *writes, *after)
    return run(lab, **options)


def objects(reported) -> dict:
    return {one["key"]: one for one in reported.user["objects"]}


def test_nothing_forwards(lab):
    reported = close(lab, mail(JANE, exchange_rule("Sort", MoveToFolder="Old")), [], [])

    assert (reported.statuses, reported.changed, reported.user["objects"]) == (["unchanged"], False, [])


def test_an_address_outside_is_cleared_and_read_back(lab):
    row = mailbox_of(JANE, ForwardingSmtpAddress=f"smtp:{OUT}", DeliverToMailboxAndForward=True)
    write = forward(JANE, ForwardingSmtpAddress=None, DeliverToMailboxAndForward=False)

    reported = close(lab, mail(row=row), [write], mail(again=True))

    assert (reported.statuses, reported.changed) == (["verified"], True)
    before = {"forwards_to": OUT, "address": OUT, "keeps_copy": True, "leads": "outside"}
    after = {"forwards_to": None, "address": None, "keeps_copy": False, "leads": None}
    assert (reported.user["before"], reported.user["after"]) == ({SMTP_KEY: before}, {SMTP_KEY: after})
    assert objects(reported)[SMTP_KEY] == {
        **objects(reported)[SMTP_KEY],
        "kind": "mailbox_forwarding",
        "name": OUT,
        "status": "verified",
        "written_at": later(),
        "note": None,
        "error": None,
    }
    assert reported.result["diff"]["before"] == {UPN: {SMTP_KEY: before}}


@pytest.mark.parametrize(
    ("answer", "leads"),
    [((contact(OUT),), "outside"), ((mailbox_called("x@fabrikam.com"),), "outside"), ((), "unknown")],
)
def test_a_recipient_that_leads_outside_or_nobody_knows_where_is_cleared(lab, answer, leads):
    row = mailbox_of(JANE, ForwardingAddress="Omar")

    reported = close(
        lab, mail(row=row, lookups=[named("Omar", *answer)]), [forward(JANE, ForwardingAddress=None)], mail(again=True)
    )

    assert reported.statuses == ["verified"]
    one = objects(reported)[RECIPIENT_KEY]
    assert (one["before"]["leads"], one["before"]["forwards_to"]) == (leads, "Omar")
    assert ("not known" in (one["note"] or "")) is (leads == "unknown")


def test_a_name_of_several_recipients_is_one_of_nobody(lab):
    row = mailbox_of(JANE, ForwardingAddress="Omar")
    several = exchange_error(400, f"{MOST}ManagementObjectAmbiguousException", "'Omar' matches multiple entries.")

    reported = close(
        lab,
        mail(row=row, lookups=[named("Omar").but(several)]),
        [forward(JANE, ForwardingAddress=None)],
        mail(again=True),
    )

    assert objects(reported)[RECIPIENT_KEY]["before"]["leads"] == "unknown"


def test_what_stays_inside_is_left_alone(lab):
    row = mailbox_of(JANE, ForwardingAddress="Omar", ForwardingSmtpAddress=f"smtp:{IN}")
    rules = [
        exchange_rule("To Omar", 1, ForwardTo=[smtp(IN), ex()]),
        exchange_rule("Off", 2, Enabled=False, RedirectTo=[smtp(OUT)]),
        exchange_rule("Junk E-mail Rule", 3, SupportedByTask=False),
        exchange_rule("Microsoft.Exchange.OOF.InternalSenders.Global", 4, SupportedByTask=False),
        exchange_rule("Delegate Rule -123", 5, SupportedByTask=False, ForwardTo=[ex()]),
    ]
    lab.wire.expect_each(find(JANE), *mail(JANE, *rules, row=row))
    lab.wire.expect(named("Omar", mailbox_called(IN)), named(LEGACY, mailbox_called(IN)))

    reported = run(lab)

    assert (reported.statuses, reported.changed) == (["unchanged"], False)


def test_one_of_two_addresses_may_stay(lab):
    """The switch that keeps a copy belongs to the one that stays."""
    row = mailbox_of(
        JANE, ForwardingAddress="Omar", ForwardingSmtpAddress=f"smtp:{OUT}", DeliverToMailboxAndForward=True
    )
    left = mailbox_of(JANE, ForwardingAddress="Omar", DeliverToMailboxAndForward=True)
    lookup = [named("Omar", mailbox_called(IN))]

    reported = close(
        lab,
        mail(row=row, lookups=lookup),
        [forward(JANE, ForwardingSmtpAddress=None)],
        mail(row=left, again=True, lookups=lookup),
    )

    assert (reported.statuses, list(reported.user["after"])) == (["verified"], [SMTP_KEY])


@pytest.mark.parametrize("action", ["ForwardTo", "ForwardAsAttachmentTo", "RedirectTo"])
@pytest.mark.parametrize(
    "targets",
    [
        [smtp(OUT)],
        [smtp(IN), smtp(OUT)],
        smtp(OUT),
        [f"[SMTP:{OUT}]"],
        [OUT],
        # The name is the sender's choice.
        [f'"Omar [SMTP:{IN}]" [SMTP:{OUT}]'],
        ["somebody"],
        [None],
        [{"Address": IN}],
    ],
)
def test_a_rule_that_leads_outside_is_disabled(lab, action, targets):
    rule = exchange_rule(**{action: targets})

    reported = close(
        lab, mail(JANE, rule), [switch_rule(JANE, rule, False)], mail(JANE, {**rule, "Enabled": False}, again=True)
    )

    assert reported.statuses == ["verified"]
    one = objects(reported)[str(rule["RuleIdentity"])]
    assert (one["kind"], one["name"]) == ("inbox_rule", "Copy home")
    assert (one["before"]["enabled"], one["after"]["enabled"]) == (True, False)
    assert one["before"]["leads"] in ("outside", "unknown")


@pytest.mark.parametrize(("answer", "leads"), [((contact(OUT),), "outside"), ((), "unknown")])
def test_a_rule_may_name_a_recipient_of_the_directory(lab, answer, leads):
    rule = exchange_rule(RedirectTo=[ex()])

    reported = close(
        lab,
        mail(JANE, rule, lookups=[named(LEGACY, *answer)]),
        [switch_rule(JANE, rule, False)],
        mail(JANE, {**rule, "Enabled": False}, again=True, lookups=[named(LEGACY, *answer)]),
    )

    one = objects(reported)[str(rule["RuleIdentity"])]
    assert (one["before"]["leads"], one["before"]["forwards_to"]) == (leads, ["Omar"])


@pytest.mark.parametrize(
    "facts",
    [
        {"SupportedByTask": False},
        {"SupportedByTask": None},
        {"SupportedByTask": False, "ForwardTo": [smtp(IN)]},
        {"Enabled": None, "SupportedByTask": "False"},
    ],
)
def test_a_rule_that_does_not_say_where_it_sends_mail_proves_nothing(lab, facts):
    """It may forward, and disabling it can be undone."""
    rule = exchange_rule(**facts)

    reported = close(
        lab, mail(JANE, rule), [switch_rule(JANE, rule, False)], mail(JANE, {**rule, "Enabled": False}, again=True)
    )

    one = objects(reported)[str(rule["RuleIdentity"])]
    assert (reported.statuses, one["before"]["leads"]) == (["verified"], "unknown")
    assert "does not prove" in one["note"]


def test_the_systems_own_rules_hide_nothing(lab):
    rule = exchange_rule("Junk E-Mail Rule", SupportedByTask=False, RedirectTo=[smtp(OUT)])

    reported = close(
        lab, mail(JANE, rule), [switch_rule(JANE, rule, False)], mail(JANE, {**rule, "Enabled": False}, again=True)
    )

    assert reported.statuses == ["verified"]


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"internal": True}, True),
        ({"addresses": ["OMAR@contoso.com "]}, True),
        ({"addresses": ["ann@contoso.com"]}, False),
    ],
)
@pytest.mark.parametrize("target", [smtp(IN), ex()])
def test_inside_only_where_it_is_named(lab, options, sent, target):
    rule = exchange_rule(ForwardTo=[target])
    lookups = [named(LEGACY, mailbox_called(IN))] if "EX:" in target else []
    writes = [switch_rule(JANE, rule, False)] if sent else []
    after = mail(JANE, {**rule, "Enabled": False}, again=True, lookups=lookups) if sent else []

    reported = close(lab, mail(JANE, rule, lookups=lookups), writes, after, **options)

    assert reported.statuses == (["verified"] if sent else ["unchanged"])


def test_inside_by_its_address_in_the_mailbox(lab):
    row = mailbox_of(JANE, ForwardingAddress="Omar")
    lookups = [named("Omar", mailbox_called(IN))]

    reported = close(
        lab, mail(row=row, lookups=lookups), [forward(JANE, ForwardingAddress=None)], mail(again=True), addresses=[IN]
    )

    assert (reported.statuses, objects(reported)[RECIPIENT_KEY]["before"]["leads"]) == (["verified"], "inside")


def test_each_is_written_on_its_own(lab):
    """One refusal leaves the others done."""
    row = mailbox_of(JANE, ForwardingSmtpAddress=f"smtp:{OUT}")
    rule = exchange_rule(RedirectTo=[smtp(OUT)])
    refused = exchange_error(500, f"{MOST}TaskInvalidOperationException", "The rule is odd.")
    lab.wire.expect_each(find(JANE), *mail(JANE, rule, row=row))
    lab.wire.expect(forward(JANE, ForwardingSmtpAddress=None), switch_rule(JANE, rule, False).but(refused))
    lab.wire.expect_each(*mail(JANE, rule, again=True))

    reported = run(lab)

    assert (reported.statuses, reported.failed, reported.changed) == (["failed"], True, True)
    assert [one["status"] for one in reported.user["objects"]] == ["verified", "failed"]
    assert "Could not turn off inbox rule Copy home of jane.doe@contoso.com" in reported.msg


def test_active_directory_may_master_it(lab):
    synced = person("jane.doe", onPremisesSyncEnabled=True)
    row = mailbox_of(synced, ForwardingAddress="Omar", DeliverToMailboxAndForward=True)
    refused = exchange_error(
        400,
        f"{MOST}TaskInvalidOperationException",
        "... the object is being synchronized from your on-premises organization.",
    )
    lookups = [named("Omar", contact(OUT))]
    lab.wire.expect_each(
        find(synced),
        *mail(synced, row=row, lookups=lookups),
        forward(synced, ForwardingAddress=None).but(refused),
        *mail(synced, row=row, again=True, lookups=lookups),
    )

    reported = run(lab)

    assert reported.statuses == ["failed"]
    assert reported.user["error"]["hint"] == "The mailbox's owner is mastered in Active Directory: change it there."


# --- what cannot be read ---


def test_without_the_accepted_domains_nothing_is_judged(lab):
    row = mailbox_of(JANE, ForwardingSmtpAddress=f"smtp:{OUT}")
    refused = domains().but(Reply(403, body=bytes(47)))
    lab.wire.expect_each(find(JANE), recipient(JANE, row), exchange_rules(JANE), refused)

    reported = run(lab)

    assert (reported.statuses, reported.changed, reported.user["objects"]) == (["failed"], False, [])
    assert "Could not read mailbox forwarding of jane.doe@contoso.com" in reported.msg


def test_without_the_accepted_domains_everything_may_still_be_turned_off(lab):
    row = mailbox_of(JANE, ForwardingSmtpAddress=f"smtp:{OUT}")
    refused = domains().but(Reply(403, body=bytes(47)))
    lab.wire.expect_each(
        find(JANE),
        *[recipient(JANE, row), exchange_rules(JANE), refused],
        forward(JANE, ForwardingSmtpAddress=None),
        *mail(again=True),
    )

    assert run(lab, internal=True).statuses == ["verified"]


def test_a_recipient_that_could_not_be_looked_up_is_not_guessed(lab):
    rule = exchange_rule(ForwardTo=[ex()])
    sure = exchange_rule("Sure", 2, ForwardTo=[ex(), smtp(OUT)])
    refused = named(LEGACY).but(Reply(403, body=bytes(47)))

    reported = close(
        lab,
        mail(JANE, rule, sure, lookups=[refused]),
        [switch_rule(JANE, sure, False)],
        mail(JANE, rule, {**sure, "Enabled": False}, again=True, lookups=[refused]),
    )

    assert reported.statuses == ["failed"]
    assert [(one["name"], one["status"]) for one in reported.user["objects"]] == [("Sure", "verified")]
    assert "Could not read inbox rules" in reported.user["error"]["message"]


def test_an_application_that_may_not_read_rules_learns_which_role_it_needs(lab):
    row = mailbox_of(JANE, ForwardingSmtpAddress=f"smtp:{OUT}")
    refused = exchange_rules(JANE).but(Reply(403, body=bytes(47)))
    lab.wire.expect_each(
        find(JANE),
        *[recipient(JANE, row), refused, domains("contoso.com")],
        forward(JANE, ForwardingSmtpAddress=None),
        *[recipient(JANE, mailbox_of(JANE)), refused],
    )

    reported = run(lab)

    assert (reported.statuses, reported.user["objects"][0]["status"]) == (["failed"], "verified")
    assert "Mail Recipients or User Options" in reported.user["error"]["hint"]


@pytest.mark.parametrize(
    "row", [{"Name": "X", "Enabled": True}, exchange_rule(RuleIdentity=True, Identity="x"), {"RuleIdentity": "1 or 2"}]
)
def test_a_rule_that_cannot_be_told_from_others_is_not_written(lab, row):
    reported = close(lab, mail(JANE, row), [], [])

    assert (reported.statuses, reported.changed) == (["failed"], False)
    assert "the id of an inbox rule" in reported.msg


@pytest.mark.parametrize("identity", ["16752869479666417665", None])
def test_a_rules_identity_comes_as_text_too(lab, identity):
    rule = exchange_rule(ForwardTo=[smtp(OUT)])
    row = {**rule, "RuleIdentity": identity}

    reported = close(
        lab, mail(JANE, row), [switch_rule(JANE, rule, False)], mail(JANE, {**row, "Enabled": False}, again=True)
    )

    assert reported.statuses == ["verified"]


@pytest.mark.parametrize("lacking", ["ForwardingSmtpAddress", "ForwardingAddress"])
def test_a_mailbox_that_does_not_say_is_not_taken_for_one_that_forwards_nothing(lab, lacking):
    row = {key: value for key, value in mailbox_of(JANE).items() if key != lacking}

    reported = close(lab, mail(row=row), [], [])

    assert reported.statuses == ["failed"]
    assert lacking in reported.msg


def test_a_user_who_has_no_mailbox(lab):
    ann = guest(assignedPlans=[])
    lab.wire.expect_each(find(ann), recipient(ann, None))

    reported = lab.run(MODULE, users=ann["userPrincipalName"], state="absent")

    assert (reported.statuses, reported.changed) == (["not_applicable"], False)


# --- check mode, guards, faults ---


def test_check_mode_foretells(lab):
    row = mailbox_of(JANE, ForwardingSmtpAddress=f"smtp:{OUT}", DeliverToMailboxAndForward=True)
    rule = exchange_rule(ForwardTo=[smtp(OUT)])
    lab.wire.expect_each(find(JANE), *mail(JANE, rule, row=row))

    reported = run(lab, check=True)

    assert (reported.statuses, reported.changed) == (["planned"], True)
    assert reported.user["after"] == {
        SMTP_KEY: {"forwards_to": None, "address": None, "keeps_copy": False, "leads": None},
        str(rule["RuleIdentity"]): {"name": "Copy home", "enabled": False, "forwards_to": [OUT], "leads": None},
    }


def test_an_administrator_is_refused_before_anything_is_written(lab):
    row = mailbox_of(JANE, ForwardingSmtpAddress=f"smtp:{OUT}")
    lab.wire.expect_each(find(JANE), *mail(row=row), roles(JANE, "Global Administrator"))

    reported = run(lab, allow_admins=None)

    assert (reported.statuses, reported.user["error"]["code"]) == (["refused"], "administrator")


def test_a_protected_user_is_not_even_looked_at(lab):
    lab.wire.expect(find(JANE), find(JANE))

    reported = run(lab, protected_users=[UPN])

    assert (reported.statuses, reported.user["objects"]) == (["refused"], [])


def test_a_lost_answer_is_looked_at_before_it_is_sent_again(lab):
    row = mailbox_of(JANE, ForwardingSmtpAddress=f"smtp:{OUT}")
    write = forward(JANE, ForwardingSmtpAddress=None)
    lab.wire.expect_each(find(JANE), *mail(row=row), write.but(Reply(504, {})), *mail(again=True))

    assert run(lab).statuses == ["verified"]

    lab.wire.expect_each(
        find(JANE), *mail(row=row), write.but(Reply(504, {})), *mail(row=row, again=True), write, *mail(again=True)
    )
    assert run(lab).statuses == ["verified"]


def test_a_transient_error_of_exchange_is_not_the_last_word(lab):
    rule = exchange_rule(ForwardTo=[smtp(OUT)])
    busy = exchange_error(400, "Microsoft.Exchange.Data.Storage.StorageTransientException", "Try again.")
    write = switch_rule(JANE, rule, False)
    lab.wire.expect_each(
        find(JANE),
        *mail(JANE, rule),
        *[write.but(busy), *mail(JANE, rule, again=True)],
        *[write.but(throttled("1")), write],
        *mail(JANE, {**rule, "Enabled": False}, again=True),
    )

    assert run(lab).statuses == ["verified"]


def test_an_outcome_that_stays_unknown_is_not_a_success(lab):
    row = mailbox_of(JANE, ForwardingSmtpAddress=f"smtp:{OUT}")
    lab.wire.expect_each(
        find(JANE),
        *mail(row=row),
        forward(JANE, ForwardingSmtpAddress=None).but(Reply(504, {})),
        *mail(row=row, again=True),
    )

    reported = run(lab, retry_timeout=0)

    assert (reported.statuses, reported.changed) == (["failed"], True)
    assert reported.user["error"]["hint"] == OUTCOME_UNKNOWN


def test_a_rule_that_is_gone_meanwhile_needs_no_write(lab):
    rule = exchange_rule(ForwardTo=[smtp(OUT)])
    gone = no_mailbox({"id": str(rule["RuleIdentity"])}, 500)
    lab.wire.expect_each(find(JANE), *mail(JANE, rule), switch_rule(JANE, rule, False).but(gone), *mail(again=True))

    reported = run(lab)

    assert (reported.statuses, reported.user["after"]) == (["verified"], {str(rule["RuleIdentity"]): None})


# --- turning it on again ---


def told_before(lab, row, *rules, lookups=()):
    """Return the objects that a check-mode run reports, as the evidence keeps them."""
    lab.wire.expect_each(find(JANE), *mail(JANE, *rules, row=row, lookups=lookups))
    return run(lab, check=True).user["objects"]


def test_it_is_turned_on_again_as_it_was(lab):
    row = mailbox_of(JANE, ForwardingAddress="Carl", DeliverToMailboxAndForward=True)
    rule = exchange_rule(ForwardTo=[smtp(OUT)])
    off = {**rule, "Enabled": False}
    lookups = [named("Carl", contact(OUT))]
    before = told_before(lab, row, rule, lookups=lookups)
    lab.wire.expect_each(find(JANE), *mail(JANE, off))
    lab.wire.expect(
        forward(JANE, ForwardingAddress=OUT, DeliverToMailboxAndForward=True), switch_rule(JANE, rule, True)
    )
    lab.wire.expect_each(*mail(JANE, rule, row=row, again=True, lookups=lookups))

    reported = run(lab, state="present", objects={UPN: before})

    assert [one["status"] for one in reported.user["objects"]] == ["verified", "verified"]
    lab.wire.expect_each(find(JANE), *mail(JANE, rule, row=row, lookups=lookups))
    assert run(lab, state="present", objects={UPN: before}).statuses == ["unchanged"]


def test_what_active_directory_masters_is_left_out_when_it_is_turned_on_again(lab):
    synced = person("jane.doe", onPremisesSyncEnabled=True)
    row = mailbox_of(synced, ForwardingSmtpAddress=f"smtp:{OUT}", DeliverToMailboxAndForward=True)
    entry = {"key": SMTP_KEY, "kind": "mailbox_forwarding", "before": {"address": OUT, "keeps_copy": True}}
    off = mailbox_of(synced, DeliverToMailboxAndForward=True)
    lab.wire.expect_each(
        find(synced),
        *mail(synced, row=off),
        forward(synced, ForwardingSmtpAddress=OUT),
        *mail(synced, row=row, again=True),
    )

    assert run(lab, state="present", objects={UPN: [entry]}).statuses == ["verified"]


def test_a_rule_that_does_not_say_whether_it_is_enabled_is_not_enabled_again(lab):
    """What may be on is left as it is; when it is closed, it is treated as on as well."""
    rule = exchange_rule(ForwardTo=[smtp(OUT)])
    before = told_before(lab, None, rule)
    lab.wire.expect_each(find(JANE), *mail(JANE, {**rule, "Enabled": None}))

    assert run(lab, state="present", objects={UPN: before}).statuses == ["unchanged"]


def test_what_was_inside_comes_back_too(lab):
    """Whether it is on is not whether it leads outside."""
    rule = exchange_rule(ForwardTo=[smtp(IN)])
    lab.wire.expect_each(find(JANE), *mail(JANE, rule))
    before = run(lab, check=True, internal=True).user["objects"]
    off = {**rule, "Enabled": False}
    lab.wire.expect_each(find(JANE), *mail(JANE, off), switch_rule(JANE, rule, True), *mail(JANE, rule, again=True))

    assert run(lab, state="present", objects={UPN: before}).statuses == ["verified"]


def test_what_is_different_by_now_is_left_as_it_is(lab):
    rule = exchange_rule(ForwardTo=[smtp(OUT)])
    before = told_before(
        lab, mailbox_of(JANE, ForwardingSmtpAddress=f"smtp:{OUT}"), rule, exchange_rule("Gone", 2, RedirectTo=[OUT])
    )
    now = {**rule, "Enabled": False, "ForwardTo": [smtp("eve@evil.example")]}
    lab.wire.expect_each(find(JANE), *mail(JANE, now, row=mailbox_of(JANE, ForwardingSmtpAddress=f"smtp:{IN}")))

    reported = run(lab, state="present", objects={UPN: before})

    assert (reported.statuses, reported.changed) == (["unchanged"], False)
    assert [one["note"] for one in reported.user["objects"]] == [
        f"The mailbox forwards to {IN} by now.",
        "The rule has been changed since then.",
        "The rule no longer exists.",
    ]


def test_a_list_that_could_not_be_read_does_not_say_that_a_rule_is_gone(lab):
    before = told_before(lab, None, exchange_rule(ForwardTo=[smtp(OUT)]))
    refused = exchange_rules(JANE).but(Reply(403, body=bytes(47)))
    lab.wire.expect_each(find(JANE), recipient(JANE, mailbox_of(JANE)), refused, domains("contoso.com"))

    reported = run(lab, state="present", objects={UPN: before})

    assert (reported.statuses, reported.user["objects"]) == (["failed"], [])


@pytest.mark.parametrize("entry", [{"key": SMTP_KEY, "before": {"forwards_to": None}}, {"key": "other", "before": {}}])
def test_evidence_that_does_not_say_where_it_led(lab, entry):
    entry = {"kind": "mailbox_forwarding", "name": None, **entry, "before": {"x": 1, **entry["before"]}}
    lab.wire.expect_each(find(JANE), *mail())

    reported = run(lab, state="present", objects={UPN: [entry]})

    assert (reported.statuses, reported.changed) == (["unchanged"], False)
    assert "Left as it is" in reported.user["note"]


# --- options ---


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"addresses": ["jane"]}, "not an SMTP address: 'jane'"),
        ({"addresses": ["a@b@c", "@contoso.com"]}, "'a@b@c', '@contoso.com'"),
        ({"objects": {UPN: []}}, "objects"),
        ({"state": "present"}, "objects"),
        ({"state": "present", "objects": {UPN: []}, "internal": True}, "state=absent"),
        ({"state": "present", "objects": {UPN: []}, "addresses": [IN]}, "state=absent"),
    ],
)
def test_invalid_options_are_refused(lab, options, complaint):
    reported = run(lab, **options)

    assert reported.failed
    assert complaint in reported.msg
    assert not lab.wire.outer
