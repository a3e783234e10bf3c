# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""m365_user_info: what is left of a leaver's access, and that "none" is only said where all of it was read."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils import _residual, _topics
from fakes.clock import later
from fakes.entra import GRAPH_PERMISSIONS
from fakes.people import crowd, mailbox, person
from fakes.residual import (
    PASSWORD,
    SELF,
    access,
    app_role,
    app_roles,
    application,
    applications,
    client,
    consent,
    consents,
    contact,
    device,
    devices,
    domains,
    group,
    mailbox_called,
    mailbox_of,
    memberships,
    method,
    methods,
    named,
    owned,
    phone,
    recipient,
    registered,
    rows,
    rule,
    rules,
    trustee,
)
from fakes.turns import (
    administrators,
    fault,
    find,
    find_by_address,
    find_deleted,
    forbidden,
    get_mailbox,
    graph_error,
    no_mailbox,
    pages,
    roles,
    web_page,
)
from fakes.wire import EXCHANGE, GRAPH, Reply

MODULE = "m365_user_info"
GRAPH_URL, EXCHANGE_URL = "https://graph.microsoft.com", "https://outlook.office365.com"
TOPICS = [
    "forwarding",
    "directory_roles",
    "applications",
    "consents",
    "devices",
    "delegates",
    "phones",
    "sign_in_methods",
    "memberships",
]
JANE, OMAR = person("jane.doe"), person("omar")
UPN = "jane.doe@contoso.com"
NUL_BYTES = Reply(403, body=b"\0\0\0", headers={"Content-Encoding": "gzip"})
CLIENT = "c0000000-0000-4000-8000-00000000000c"


@pytest.fixture(autouse=True)
def granted(lab):
    """Let the token show all permissions that any topic needs."""
    lab.entra.permissions[GRAPH_URL] = (
        *GRAPH_PERMISSIONS,
        "Application.Read.All",
        "Device.Read.All",
        "Directory.Read.All",
        "GroupMember.Read.All",
        "MailboxSettings.Read",
        "UserAuthenticationMethod.Read.All",
    )


def look(lab, topic, *turns, user=JANE, **options):
    """Read what is left of Jane under one topic; the doors are read and reported whatever comes of it.

    A tuple of turns is one request.
    """
    for turn in (find(user), *turns):
        lab.wire.expect(*(turn if isinstance(turn, tuple) else (turn,)))
    reported = lab.run(MODULE, **{"users": UPN, "steps": ["signin"], "residual": [topic], **options})
    assert not reported.failed
    assert not reported.changed
    assert reported.user["doors"]["signin"] == "open"
    assert list(reported.user["residual"]) == [topic]
    left = reported.user["residual"][topic]
    assert list(left) == ["state", "found", "note", "permission", "error"]
    assert bool(left["found"]) is (left["state"] == "found")
    assert left["state"] != "none" or left["error"] is None
    return left


def texts(left):
    return [one["text"] for one in left["found"]]


def mail(*found, row=None, named=("contoso.com",)):
    """The three calls of the topic forwarding."""
    box = mailbox_of(JANE) if row is None else row
    return recipient(JANE, box), rules(JANE, *found), domains(*named)


# --- which topics ---


@pytest.mark.parametrize("residual", [None, []])
def test_nothing_is_asked_unless_wanted(lab, residual):
    lab.wire.expect(find(JANE))

    reported = lab.run(MODULE, users=UPN, steps=["signin"], **({} if residual is None else {"residual": residual}))

    assert reported.user["residual"] == {}


@pytest.mark.parametrize("wanted", [["all"], ["all", "phones"], TOPICS, TOPICS[::-1]])
def test_all_topics_come_in_their_order_and_none_is_left(lab, wanted):
    before = [find(JANE), *mail()[:2], domains("contoso.com"), roles(JANE), applications(JANE)]
    lab.wire.expect_each(*before, consents(JANE), app_roles(JANE))
    lab.wire.expect(*devices(JANE))
    lab.wire.expect_each(
        rows("Get-MailboxPermission", JANE, access(SELF)),
        rows("Get-RecipientPermission", JANE, trustee(SELF)),
        rows("Get-MobileDevice", JANE, by="Mailbox"),
        methods(JANE, PASSWORD),
        memberships(JANE),
    )

    reported = lab.run(MODULE, users=UPN, steps=["signin"], residual=wanted)

    assert list(reported.user["residual"]) == TOPICS
    assert {
        topic: (one["state"], one["found"], one["note"], one["error"])
        for topic, one in reported.user["residual"].items()
    } == (dict.fromkeys(TOPICS, ("none", [], None, None)))
    assert {topic: one["permission"] for topic, one in reported.user["residual"].items()} == {
        "forwarding": "Exchange.ManageAsApp and MailboxSettings.Read",
        "directory_roles": "User.Read.All",
        "applications": "Application.Read.All",
        "consents": "Directory.Read.All",
        "devices": "Device.Read.All",
        "delegates": "Exchange.ManageAsApp",
        "phones": "Exchange.ManageAsApp",
        "sign_in_methods": "UserAuthenticationMethod.Read.All",
        "memberships": "GroupMember.Read.All",
    }


def test_an_unknown_topic_is_refused_before_anything_is_sent(lab):
    reported = lab.run(MODULE, users=UPN, residual=["forwarding", "toothbrush"])

    assert reported.failed
    assert "toothbrush" in reported.msg
    assert not lab.wire.outer


def test_a_user_who_does_not_exist_has_nothing_left(lab):
    lab.wire.expect_each(find(UPN), find_deleted(UPN), find_by_address(UPN))

    assert lab.run(MODULE, users=UPN, steps=["signin"], residual=["all"]).user["residual"] == {}


# --- forwarding ---


@pytest.mark.parametrize(
    ("facts", "text", "to"),
    [
        ({"ForwardingSmtpAddress": "smtp:x@fabrikam.com"}, "The mailbox forwards to x@fabrikam.com.", "x@fabrikam.com"),
        (
            {"ForwardingSmtpAddress": "SMTP:x@fabrikam.com", "DeliverToMailboxAndForward": True},
            "The mailbox forwards to x@fabrikam.com and keeps a copy.",
            "x@fabrikam.com",
        ),
        ({"ForwardingSmtpAddress": "x@mail.contoso.com"}, "The mailbox forwards to x@mail.contoso.com.", None),
        ({"ForwardingSmtpAddress": "x@notcontoso.com"}, "The mailbox forwards to x@notcontoso.com.", None),
        ({"ForwardingSmtpAddress": "x"}, "The mailbox forwards to x.", None),
        ({"ForwardingSmtpAddress": ["\n x@fabrikam.com"]}, "The mailbox forwards to ['\\n x@fabrikam.com'].", None),
    ],
)
def test_a_mailbox_that_forwards(lab, facts, text, to):
    row = {key: value for key, value in mailbox_of(JANE).items() if key.lower() not in map(str.lower, facts)}
    left = look(lab, "forwarding", *mail(row={**row, **facts}))

    assert (left["state"], texts(left)) == ("found", [text])
    assert left["found"][0]["kind"] == "mailbox"
    assert to is None or left["found"][0]["to"] == [to]


def to_recipient(lab, *answer, property_name="ForwardingAddress", name="omar"):
    row = {key: value for key, value in mailbox_of(JANE).items() if key.lower() != property_name.lower()}
    return look(lab, "forwarding", *mail(row={**row, property_name: name}), named("omar", *answer))


@pytest.mark.parametrize(
    ("answer", "inside"),
    [
        (mailbox_called("omar@contoso.com"), True),
        (mailbox_called("sales@contoso.com", RecipientTypeDetails="MailUniversalDistributionGroup"), True),
        # The mailbox of a synced user that is still on-premises.
        (mailbox_called("x", RecipientTypeDetails="MailUser", ExternalEmailAddress="SMTP:o@contoso.com"), True),
        (contact("omar@fabrikam.com"), False),
        (mailbox_called("omar@contoso.com", ExternalEmailAddress="SMTP:omar@fabrikam.com"), False),
        (mailbox_called("omar@fabrikam.com"), False),
    ],
)
@pytest.mark.parametrize(("property_name", "name"), [("ForwardingAddress", "omar"), ("forwardingADDRESS", " \n omar")])
def test_a_recipient_of_the_directory_counts_by_where_its_mail_goes(lab, answer, inside, property_name, name):
    left = to_recipient(lab, answer, property_name=property_name, name=name)

    assert left["state"] == ("none" if inside else "found")
    assert texts(left) == ([] if inside else ["The mailbox forwards to the recipient omar."])


@pytest.mark.parametrize(
    "answer",
    [
        (),
        (mailbox_called("a@contoso.com"), mailbox_called("b@contoso.com")),
        (mailbox_called(""),),
        (mailbox_called("omar@contoso.com", RecipientTypeDetails=None),),
        (mailbox_called("omar@contoso.com", RecipientTypeDetails="GuestMailUser"),),
        (mailbox_called("omar@contoso.com", ExternalEmailAddress="X400:c=US"),),
    ],
)
def test_a_recipient_that_nobody_can_place_counts(lab, answer):
    left = to_recipient(lab, *answer)

    assert texts(left) == ["The mailbox forwards to the recipient omar (possibly outside: there is no such recipient)."]
    assert left["found"][0]["to"] == ["omar"]


def test_a_recipient_that_cannot_be_looked_up_counts(lab):
    refused = named("omar").but(Reply(403, body=bytes(47)))

    left = look(lab, "forwarding", *mail(row=mailbox_of(JANE, ForwardingAddress="omar")), refused)

    assert texts(left) == [
        "The mailbox forwards to the recipient omar (possibly outside: the recipient could not be looked up)."
    ]


@pytest.mark.parametrize("address", ["smtp:omar@contoso.com", "smtp:omar@CONTOSO.com", None, ""])
def test_a_mailbox_that_forwards_inside_does_not_count(lab, address):
    left = look(lab, "forwarding", *mail(row=mailbox_of(JANE, ForwardingSmtpAddress=address)))

    assert left["state"] == "none"


@pytest.mark.parametrize(
    ("named", "facts", "inside"),
    [
        ("contoso.com", {"MatchSubDomains": True}, True),
        ("*.contoso.com", {}, True),
        ("contoso.com", {"MatchSubDomains": False}, False),
        ("com", {}, False),
    ],
)
def test_subdomains_are_inside_where_exchange_says_so(lab, named, facts, inside):
    forwards = rule(forwardTo=("x@eu.mail.contoso.com",))

    left = look(lab, "forwarding", recipient(JANE, mailbox_of(JANE)), rules(JANE, forwards), domains(named, **facts))

    assert left["state"] == ("none" if inside else "found")


@pytest.mark.parametrize("action", ["forwardTo", "forwardAsAttachmentTo", "redirectTo"])
def test_a_rule_that_sends_mail_outside(lab, action):
    left = look(lab, "forwarding", *mail(rule("Copy home", **{action: ("omar@contoso.com", "jane@home.example")})))

    assert texts(left) == ["Inbox rule Copy home forwards to jane@home.example."]
    assert left["found"][0] == {
        **left["found"][0],
        "kind": "inbox_rule",
        "name": "Copy home",
        "to": ["jane@home.example"],
    }


@pytest.mark.parametrize(
    "harmless",
    [
        rule(enabled=False, forwardTo=("jane@home.example",)),
        rule(forwardTo=("omar@contoso.com",)),
        rule(moveToFolder="AAA", stopProcessingRules=True),
        rule(forwardTo=None, redirectTo=()),
        {**rule(), "actions": None},
    ],
)
def test_a_rule_that_sends_nothing_outside(lab, harmless):
    assert look(lab, "forwarding", *mail(harmless))["state"] == "none"


@pytest.mark.parametrize(
    ("odd", "to"),
    [
        (rule(enabled=None, forwardTo=("jane@home.example",)), "jane@home.example"),
        (rule(forwardTo=[{"emailAddress": None}]), "an unknown address"),
        (rule(forwardTo=["jane@home.example"]), "an unknown address"),
    ],
)
def test_in_doubt_a_rule_counts(lab, odd, to):
    left = look(lab, "forwarding", *mail(odd))

    assert left["found"][0]["to"] == [to]


LEGACY = "/o=ExchangeLabs/ou=x/cn=Recipients/cn=jane"


@pytest.mark.parametrize(
    ("answer", "inside"),
    [((mailbox_called("j@contoso.com"),), True), ((contact("j@home.example"),), False), ((), False)],
)
def test_a_rule_may_name_a_recipient_of_the_directory(lab, answer, inside):
    left = look(lab, "forwarding", *mail(rule(forwardTo=(LEGACY,))), named(LEGACY, *answer))

    assert [one["to"] for one in left["found"]] == ([] if inside else [[LEGACY]])


@pytest.mark.parametrize("odd", [{"id": "1", "isEnabled": True}, rule(forwardTo="x@y"), {**rule(), "actions": ["x"]}])
def test_a_rule_that_does_not_say_what_it_does_is_not_taken_for_none(lab, odd):
    left = look(lab, "forwarding", *mail(odd))

    assert left["state"] == "not_looked_at"
    assert left["error"]["code"] == "limited_information"
    assert left["note"] == "Not read: inbox rules."


@pytest.mark.parametrize("lacking", ["ForwardingSmtpAddress", "ForwardingAddress"])
def test_a_mailbox_that_does_not_say_whether_it_forwards_is_not_taken_for_none(lab, lacking):
    row = mailbox_of(JANE, ForwardingSmtpAddress="smtp:x@fabrikam.com", ForwardingAddress="omar")
    del row[lacking]

    lookup = [named("omar", contact("omar@fabrikam.com"))] if lacking == "ForwardingSmtpAddress" else []
    left = look(lab, "forwarding", *mail(row=row), *lookup)

    assert left["state"] == "found"
    assert len(left["found"]) == 1
    assert lacking in left["error"]["message"]
    empty = {key: value for key, value in mailbox_of(JANE).items() if key != lacking}
    assert look(lab, "forwarding", *mail(row=empty))["state"] == "not_looked_at"


@pytest.mark.parametrize("row", [{}, {"value": []}, {"value": [mailbox_of(JANE), mailbox_of(JANE)]}, {"value": [None]}])
def test_a_mailbox_that_comes_otherwise_than_once_is_not_looked_at(lab, row):
    left = look(lab, "forwarding", recipient(JANE, mailbox_of(JANE)).but(Reply(json=row)), rules(JANE), domains("x.de"))

    assert left["state"] == "not_looked_at"
    assert left["note"] == "Not read: forwarding."


def test_the_mailbox_of_somebody_else_is_not_taken_for_hers(lab):
    left = look(lab, "forwarding", *mail(row=mailbox_of(OMAR)))

    assert left["state"] == "not_looked_at"
    assert "a different mailbox" in left["error"]["message"]


@pytest.mark.parametrize(
    "unread",
    [NUL_BYTES, Reply(json={"value": []}), Reply(json={"value": [{"DomainName": None}]}), Reply(json={}), fault(400)],
)
def test_without_the_accepted_domains_every_target_counts_and_says_so(lab, unread):
    turns = [
        recipient(JANE, mailbox_of(JANE, ForwardingSmtpAddress="smtp:omar@contoso.com")),
        rules(JANE, rule(forwardTo=("omar@contoso.com",))),
        domains().but(unread),
    ]

    left = look(lab, "forwarding", *turns)

    assert len(left["found"]) == 2
    assert all("possibly outside" in text for text in texts(left))


def test_many_are_looked_at_part_by_part_and_the_accepted_domains_are_asked_for_once(lab, monkeypatch):
    monkeypatch.setattr(_residual, "_AT_ONCE", 2)
    everybody = crowd(3)
    lab.wire.expect(*map(find, everybody))
    for part in (everybody[:2], everybody[2:]):
        lab.wire.expect(*[recipient(one, mailbox_of(one)) for one in part])
        lab.wire.expect(*map(rules, part))
        lab.wire.expect(*([domains("contoso.com")] if len(part) == 2 else []))

    reported = lab.run(
        MODULE, users=[one["userPrincipalName"] for one in everybody], steps=["signin"], residual="forwarding"
    )

    assert {one["residual"]["forwarding"]["state"] for one in reported.users} == {"none"}


@pytest.mark.parametrize("found", [True, False])
def test_rules_that_may_not_be_read_leave_the_mailbox_reported(lab, found):
    row = mailbox_of(JANE, ForwardingSmtpAddress="smtp:x@fabrikam.com" if found else None)
    refused = graph_error(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")

    left = look(lab, "forwarding", recipient(JANE, row), rules(JANE).but(refused), domains("contoso.com"))

    assert left["state"] == ("found" if found else "not_looked_at")
    assert left["note"] == "Not read: inbox rules."
    assert left["error"]["code"] == "ErrorAccessDenied"
    assert left["error"]["request_id"] == "req-0001"
    assert f"inbox rules of {UPN}" in left["error"]["message"]
    assert "MailboxSettings.Read" in left["error"]["hint"]


@pytest.mark.parametrize("found", [True, False])
def test_a_mailbox_that_may_not_be_read_leaves_the_rules_reported(lab, found):
    reported = [rule(forwardTo=("x@fabrikam.com",))] if found else []

    left = look(
        lab,
        "forwarding",
        recipient(JANE, mailbox_of(JANE)).but(NUL_BYTES),
        rules(JANE, *reported),
        domains("contoso.com"),
    )

    assert left["state"] == ("found" if found else "not_looked_at")
    assert left["note"] == "Not read: forwarding."
    assert "View-Only Recipients" in left["error"]["hint"]


def test_neither_half_is_not_looked_at_without_a_note_of_parts(lab):
    left = look(
        lab,
        "forwarding",
        recipient(JANE, mailbox_of(JANE)).but(NUL_BYTES),
        rules(JANE).but(forbidden()),
        domains("x.de"),
    )

    assert (left["state"], left["note"]) == ("not_looked_at", None)


def test_rules_come_in_pages_and_an_empty_page_is_not_the_end(lab):
    turns = pages(rules(JANE), [], [rule(forwardTo=("x@fabrikam.com",))])

    left = look(lab, "forwarding", recipient(JANE, mailbox_of(JANE)), *turns, domains("contoso.com"))

    assert left["state"] == "found"


# --- no mailbox ---

UNLICENSED = {**JANE, "assignedPlans": []}


@pytest.mark.parametrize("topic", ["forwarding", "delegates", "phones"])
def test_exchange_is_not_asked_about_a_user_known_to_have_no_mailbox(lab, topic):
    left = look(lab, topic, get_mailbox(JANE), user=UNLICENSED, steps=["signin", "protocols"])

    assert (left["state"], left["note"]) == ("none", "No Exchange Online mailbox.")


@pytest.mark.parametrize(
    ("topic", "first"),
    [
        ("forwarding", recipient(JANE, None)),
        ("delegates", rows("Get-MailboxPermission", JANE).but(no_mailbox(JANE, 500))),
        ("phones", rows("Get-MobileDevice", JANE, by="Mailbox").but(no_mailbox(JANE))),
    ],
)
def test_exchange_is_not_asked_again_about_a_user_without_a_mailbox(lab, topic, first):
    left = look(lab, topic, first, user=UNLICENSED)

    assert (left["state"], left["note"]) == ("none", "No Exchange Online mailbox.")


@pytest.mark.parametrize("topic", ["forwarding", "delegates", "phones"])
def test_no_mailbox_is_not_none_for_a_user_who_has_an_exchange_plan(lab, topic):
    missing = {
        "forwarding": [recipient(JANE, None), rules(JANE), domains("contoso.com")],
        "delegates": [
            rows("Get-MailboxPermission", JANE).but(no_mailbox(JANE)),
            rows("Get-RecipientPermission", JANE).but(no_mailbox(JANE)),
            recipient(JANE, None),
        ],
        "phones": [rows("Get-MobileDevice", JANE, by="Mailbox").but(no_mailbox(JANE))],
    }

    left = look(lab, topic, *missing[topic])

    assert left["state"] == "not_looked_at"
    assert "enabled Exchange plan" in left["error"]["message"]


def test_a_mailbox_that_is_there_for_one_cmdlet_and_missing_for_the_next_is_not_none(lab):
    gone = rows("Get-MobileDevice", JANE, by="Mailbox").but(no_mailbox(JANE))

    left = look(lab, "phones", get_mailbox(JANE, mailbox(JANE)), gone, steps=["signin", "protocols"])

    assert left["state"] == "not_looked_at"


def test_a_mailbox_that_could_not_be_read_for_its_doors_is_asked_about_all_the_same(lab):
    turns = [get_mailbox(JANE).but(NUL_BYTES), rows("Get-MobileDevice", JANE, phone(), by="Mailbox")]
    lab.wire.expect_each(find(JANE), *turns)

    reported = lab.run(MODULE, users=UPN, residual=["phones"])

    assert reported.user["residual"]["phones"]["state"] == "found"


def test_a_mailbox_that_graph_does_not_know_is_not_none(lab):
    unknown = graph_error(404, "MailboxNotEnabledForRESTAPI", "The mailbox is either inactive, soft-deleted, or ...")

    left = look(lab, "forwarding", recipient(JANE, mailbox_of(JANE)), rules(JANE).but(unknown), domains("contoso.com"))

    assert left["state"] == "not_looked_at"


# --- directory roles ---


def test_roles_that_are_held(lab):
    left = look(lab, "directory_roles", roles(JANE, "Helpdesk Administrator"))

    assert texts(left) == ["Holds the directory role Helpdesk Administrator."]


def test_roles_that_were_read_already_are_not_read_again(lab):
    left = look(lab, "directory_roles", roles(JANE, "Reports Reader"), administrators(), directory_roles=True)

    assert left["found"][0]["name"] == "Reports Reader"


@pytest.mark.parametrize("option", [True, False])
def test_roles_that_cannot_be_read_are_not_none(lab, option):
    left = look(lab, "directory_roles", roles(JANE).but(forbidden()), directory_roles=option)

    assert left["state"] == "not_looked_at"
    assert "User.Read.All" in left["error"]["hint"]


def test_roles_on_a_second_page_are_seen(lab):
    turns = pages(roles(JANE), [], roles(JANE, "Global Administrator").reply.json["value"])

    assert look(lab, "directory_roles", *turns)["found"][0]["name"] == "Global Administrator"


# --- applications ---


@pytest.mark.parametrize(
    ("credentials", "text", "until"),
    [
        ({"secrets": (later(seconds=60),)}, "1 live secret, valid until", later(seconds=60)),
        ({"certificates": (later(days=2), later(days=3))}, "2 live certificates, valid until", later(days=3)),
        (
            {"secrets": (later(days=5), later(days=-5)), "certificates": (later(days=1),)},
            "1 live secret and 1 live certificate, valid until",
            later(days=5),
        ),
        ({"secrets": ("2027-09-09T19:50:29.3086381Z",)}, "1 live secret", "2027-09-09T19:50:29Z"),
        ({"secrets": (None, later(days=5))}, "2 live secrets, expiry unknown", None),
        ({"secrets": ("soon",)}, "1 live secret, expiry unknown", None),
    ],
)
def test_an_owned_application_with_live_credentials(lab, credentials, text, until):
    left = look(lab, "applications", applications(JANE, application(**credentials)))

    assert f"Owns the application Payroll sync with {text}" in texts(left)[0]
    assert left["found"][0]["until"] == until
    assert "Q~x" not in str(left)


@pytest.mark.parametrize("credentials", [{}, {"secrets": (later(-1),), "certificates": (later(days=-90),)}])
def test_an_owned_application_without_live_credentials_does_not_count(lab, credentials):
    assert look(lab, "applications", applications(JANE, application(**credentials)))["state"] == "none"


@pytest.mark.parametrize(
    "limited",
    [
        application(None, appId=None),
        application(passwordCredentials=None),
        application(keyCredentials=None),
        {"id": "x"},
        {},
    ],
)
def test_an_application_that_may_not_be_read_is_not_one_without_secrets(lab, limited):
    left = look(lab, "applications", applications(JANE, limited))

    assert (left["state"], left["error"]["code"]) == ("not_looked_at", "limited_information")
    assert "Application.Read.All" in left["error"]["hint"]


def test_what_is_found_beside_what_may_not_be_read_is_reported(lab):
    turn = applications(JANE, application(appId=None), application(secrets=(later(days=1),)))

    left = look(lab, "applications", turn)

    assert left["state"] == "found"
    assert left["note"] == "Not read: owned applications."


# --- consents ---


def test_a_consent_is_reported_with_the_name_of_its_client(lab):
    left = look(lab, "consents", consents(JANE, consent()), client(CLIENT, "Survey tool"), app_roles(JANE))

    assert texts(left) == ["Survey tool may act on behalf of the user: Mail.Read offline_access."]
    assert left["found"][0]["scopes"] == ["Mail.Read", "offline_access"]


@pytest.mark.parametrize("reply", [forbidden(), fault(404), Reply(json={}), Reply(json={"displayName": None})])
def test_a_client_without_a_name_is_reported_by_its_id(lab, reply):
    left = look(lab, "consents", consents(JANE, consent()), client(CLIENT).but(reply), app_roles(JANE))

    assert left["found"][0] == {**left["found"][0], "name": None, "client_id": CLIENT}
    assert CLIENT in texts(left)[0]


def test_a_client_of_many_is_asked_for_once(lab):
    everybody = crowd(3)
    lab.wire.expect(*map(find, everybody))
    lab.wire.expect(*[consents(one, consent(), consent(scope="User.Read")) for one in everybody])
    lab.wire.expect(client(CLIENT, "Survey tool"))
    lab.wire.expect(*map(app_roles, everybody))

    reported = lab.run(
        MODULE, users=[one["userPrincipalName"] for one in everybody], steps=["signin"], residual=["consents"]
    )

    assert [len(one["residual"]["consents"]["found"]) for one in reported.users] == [2, 2, 2]


@pytest.mark.parametrize("grant", [{}, {"clientId": 5, "scope": ["x"]}, {"scope": None}])
def test_a_consent_of_another_shape_still_counts(lab, grant):
    turns = [client("5", "x")] if grant.get("clientId") else []

    assert look(lab, "consents", consents(JANE, grant), *turns, app_roles(JANE))["state"] == "found"


def test_an_app_role_assignment_counts_unless_a_group_has_it(lab):
    roles_of_jane = [app_role("Payroll", principalId=JANE["id"]), app_role("Wiki", principalId="a group")]

    left = look(lab, "consents", consents(JANE), app_roles(JANE, *roles_of_jane))

    assert texts(left) == ["Is assigned to the application Payroll."]


def test_consents_that_were_read_count_where_assignments_were_not(lab):
    left = look(lab, "consents", consents(JANE, consent()), client(CLIENT, "X"), app_roles(JANE).but(forbidden()))

    assert (left["state"], left["note"]) == ("found", "Not read: app role assignments.")


# --- devices ---


def test_an_enabled_device(lab):
    left = look(lab, "devices", devices(JANE, device(), device("OLD", accountEnabled=False)))

    assert texts(left) == ["Device LAPTOP-JANE (Windows) is enabled, last seen 2026-11-18T08:12:00Z."]


def test_a_device_that_is_owned_and_not_registered_counts(lab):
    left = look(lab, "devices", (registered(JANE, device("ONE")), owned(JANE, device("ONE"), device("TWO", id="2"))))

    assert [one["name"] for one in left["found"]] == ["ONE", "TWO"]


@pytest.mark.parametrize("broken", [registered, owned])
def test_devices_are_not_looked_at_unless_both_lists_were_read(lab, broken):
    turns = [made(JANE).but(forbidden()) if made is broken else made(JANE, device()) for made in (registered, owned)]

    assert look(lab, "devices", tuple(turns))["state"] == "not_looked_at"


def test_devices_that_are_disabled_do_not_count(lab):
    assert look(lab, "devices", devices(JANE, device(accountEnabled=False)))["state"] == "none"


@pytest.mark.parametrize("enabled", [None, "true", 1])
def test_a_device_that_does_not_say_is_not_a_disabled_one(lab, enabled):
    left = look(lab, "devices", devices(JANE, device(accountEnabled=enabled)))

    assert left["state"] == "not_looked_at"
    assert "Device.Read.All" in left["error"]["hint"]


# --- memberships ---


def test_groups_that_somebody_put_the_user_into(lab):
    left = look(
        lab,
        "memberships",
        memberships(
            JANE,
            group("Finance"),
            group("Everybody", "DynamicMembership", membershipRule="true"),
            group("Team", "Unified", mailEnabled=True),
            {"@odata.type": "#microsoft.graph.directoryRole", "id": "r", "displayName": "Reports Reader"},
            {"@odata.type": "#microsoft.graph.administrativeUnit", "id": "u", "displayName": "Berlin"},
        ),
    )

    assert texts(left) == ["Is a member of the group Finance.", "Is a member of the group Team."]


def test_a_group_that_does_not_say_its_kind_is_not_a_dynamic_one(lab):
    left = look(lab, "memberships", memberships(JANE, group(groupTypes=None, displayName=None)))

    assert left["state"] == "not_looked_at"
    assert "GroupMember.Read.All" in left["error"]["hint"]


# --- delegates ---


def delegates(*may_open, send_as=(), on_behalf=()):
    return [
        rows("Get-MailboxPermission", JANE, access(SELF), *may_open),
        rows("Get-RecipientPermission", JANE, trustee(SELF), *send_as),
        recipient(JANE, mailbox_of(JANE, GrantSendOnBehalfTo=on_behalf)),
    ]


def test_others_who_may_open_or_send(lab):
    turns = delegates(
        access("omar@contoso.com", "FullAccess", "ReadPermission"), send_as=[trustee("Sales")], on_behalf=["boss"]
    )

    left = look(lab, "delegates", *turns)

    assert texts(left) == [
        "omar@contoso.com has access to the mailbox (FullAccess, ReadPermission).",
        "Sales may send as the user.",
        "boss may send on behalf of the user.",
    ]
    assert [one["kind"] for one in left["found"]] == ["mailbox", "send_as", "send_on_behalf"]


@pytest.mark.parametrize(
    "harmless",
    [
        access("omar@contoso.com", IsInherited=True),
        access("omar@contoso.com", IsInherited="True"),
        access("omar@contoso.com", Deny=True),
        access("omar@contoso.com", Deny={"IsPresent": True}),
        access("nt authority\\self"),
        access("S-1-5-10"),
        access("SELBST", UserSid="S-1-5-10"),
    ],
)
def test_a_trustee_by_inheritance_or_without_access_does_not_count(lab, harmless):
    assert look(lab, "delegates", *delegates(harmless))["state"] == "none"


@pytest.mark.parametrize(
    "counted",
    [
        access("omar@contoso.com", Deny={"IsPresent": False}),
        {"User": "omar@contoso.com"},
        access("omar@contoso.com", IsInherited=None, Deny="False"),
        access("S-1-5-21-1111"),
        access("omar@contoso.com", AccessRights="FullAccess"),
        access("omar@contoso.com", AccessRights=[1]),
    ],
)
def test_in_doubt_a_permission_counts(lab, counted):
    assert look(lab, "delegates", *delegates(counted))["state"] == "found"


@pytest.mark.parametrize(
    "denied", [trustee("omar", AccessControlType="Deny"), trustee(SELF), trustee("omar", IsInherited=True)]
)
def test_a_trustee_who_may_not_send_as_her_does_not_count(lab, denied):
    assert look(lab, "delegates", *delegates(send_as=[denied]))["state"] == "none"


@pytest.mark.parametrize(
    "turns",
    [
        delegates({"AccessRights": ["FullAccess"]}),
        delegates(send_as=[{"AccessRights": ["SendAs"]}]),
        [*delegates()[:2], recipient(JANE, {"ExternalDirectoryObjectId": JANE["id"]})],
    ],
)
def test_a_permission_without_an_owner_is_not_none(lab, turns):
    assert look(lab, "delegates", *turns)["state"] == "not_looked_at"


def test_permissions_that_go_on_overleaf_are_not_none(lab):
    turns = delegates()
    turns[0] = turns[0].but(Reply(json={"value": [], "@odata.nextLink": "https://outlook.office365.com/x"}))

    assert look(lab, "delegates", *turns)["state"] == "not_looked_at"


def test_a_mailbox_is_read_once_for_forwarding_and_delegates(lab):
    lab.wire.expect_each(find(JANE), *mail(), *delegates()[:2])

    reported = lab.run(MODULE, users=UPN, steps=["signin"], residual=["delegates", "forwarding"])

    assert [one["state"] for one in reported.user["residual"].values()] == ["none", "none"]


# --- phones, sign-in methods ---


def phones(*found, **facts):
    """Return the reading of phones, and of the list by which the mailbox keeps some out."""
    list_of = mailbox(JANE, **{"ActiveSyncBlockedDeviceIDs": [], **facts})
    return [rows("Get-MobileDevice", JANE, *found, by="Mailbox"), get_mailbox(JANE, list_of)]


def test_a_phone_with_a_partnership(lab):
    left = look(lab, "phones", *phones(phone(), phone("", DeviceOS=None), {}))

    assert texts(left) == [
        "Phone iPhone (iOS 26.1, EAS, Allowed) has a partnership with the mailbox.",
        "Phone iPhone17C1 (EAS, Allowed) has a partnership with the mailbox.",
        "Phone without a name has a partnership with the mailbox.",
    ]
    assert left["error"] is None


@pytest.mark.parametrize(
    ("facts", "blocked", "left"),
    [
        ({"DeviceAccessState": "Blocked"}, [], "none"),
        ({"DeviceAccessState": "blocked"}, [], "none"),
        # Its state follows when it is next in touch.
        ({}, ["appl0001"], "none"),
        ({"DeviceId": " Appl0001 "}, ["APPL0001", "APPL0002"], "none"),
        ({}, ["APPL0002"], "found"),
        ({"DeviceAccessState": "Quarantined"}, [], "found"),
        ({"DeviceId": None}, [""], "found"),
    ],
)
def test_a_phone_that_is_kept_out_does_not_count(lab, facts, blocked, left):
    found = phones(phone(**facts), ActiveSyncBlockedDeviceIDs=blocked)

    assert look(lab, "phones", *found)["state"] == left


@pytest.mark.parametrize("blocked", [None, "APPL0001", [1]])
def test_a_mailbox_that_does_not_say_which_phones_it_keeps_out(lab, blocked):
    left = look(lab, "phones", *phones(phone(), ActiveSyncBlockedDeviceIDs=blocked))

    assert (left["state"], left["error"]["code"]) == ("found", "limited_information")


def test_a_mailbox_that_was_read_for_its_doors_is_not_read_again(lab):
    read, list_of = phones(phone(), ActiveSyncBlockedDeviceIDs=["APPL0001"])

    assert look(lab, "phones", list_of, read, steps=["signin", "protocols"])["state"] == "none"


def test_methods_beside_the_password(lab):
    found = [
        PASSWORD,
        method("fido2", displayName="Red key"),
        method("phone", phoneNumber="+49 30 1234567"),
        method("brandNew"),
        {"id": "x"},
        {"id": "28c10230-6103-485e-b985-444c60001490"},
        method("password", id="another"),
    ]

    left = look(lab, "sign_in_methods", methods(JANE, *found))

    assert texts(left) == [
        "A sign-in method is registered: passkey (Red key).",
        "A sign-in method is registered: phone.",
        "A sign-in method is registered: brandNew.",
        "A sign-in method is registered: unknown kind.",
    ]
    assert "1234567" not in str(left)


# --- what may not be read ---

# By topic: the requests in their order.
BY_GRAPH = {
    "applications": [[applications(JANE)]],
    "consents": [[consents(JANE)], [app_roles(JANE)]],
    "devices": [list(devices(JANE))],
    "sign_in_methods": [[methods(JANE)]],
    "memberships": [[memberships(JANE)]],
}
BY_EXCHANGE = {"delegates": rows("Get-MailboxPermission", JANE), "phones": rows("Get-MobileDevice", JANE, by="Mailbox")}


@pytest.mark.parametrize("topic", BY_GRAPH)
def test_a_403_is_not_looked_at_with_the_permission(lab, topic):
    left = look(lab, topic, *[tuple(turn.but(forbidden()) for turn in turns) for turns in BY_GRAPH[topic]])

    assert left["state"] == "not_looked_at"
    assert left["error"]["code"] == "Authorization_RequestDenied"
    assert left["permission"] in left["error"]["hint"]
    assert UPN in left["error"]["message"]


@pytest.mark.parametrize("topic", ["applications", "consents", "sign_in_methods"])
def test_what_the_token_shows_to_be_refused_is_not_even_asked(lab, topic):
    lab.entra.permissions[GRAPH_URL] = GRAPH_PERMISSIONS

    left = look(lab, topic)

    assert left["state"] == "not_looked_at"
    assert left["error"]["code"] == "missing_permission"
    assert left["error"]["message"].startswith("Could not read ")
    assert f"lacks the permission {left['permission']}" in left["error"]["message"]


@pytest.mark.parametrize("topic", ["forwarding", "delegates", "phones"])
def test_exchange_is_not_asked_by_an_application_that_may_do_nothing_there(lab, topic):
    lab.entra.permissions[EXCHANGE_URL] = ()

    left = look(lab, topic, *([rules(JANE)] if topic == "forwarding" else []))

    assert left["state"] == "not_looked_at"
    assert left["error"]["code"] == "missing_permission"
    assert not lab.wire.to(EXCHANGE)


@pytest.mark.parametrize("topic", BY_GRAPH)
@pytest.mark.parametrize(
    "reply",
    [
        fault(400),
        graph_error(404, "Request_ResourceNotFound", "Gone."),
        Reply(json={}),
        Reply(json={"value": None}),
        Reply(json={"value": ["x"]}),
        Reply(json={"value": [], "@odata.nextLink": "https://evil.example/v1.0/x"}),
    ],
)
def test_whatever_graph_answers_nothing_is_none_that_was_not_read(lab, topic, reply):
    left = look(lab, topic, *[tuple(turn.but(reply) for turn in turns) for turns in BY_GRAPH[topic]])

    assert left["state"] == "not_looked_at"
    assert left["error"]


@pytest.mark.parametrize("topic", BY_EXCHANGE)
@pytest.mark.parametrize(
    "reply",
    [
        NUL_BYTES,
        fault(400),
        Reply(json={}),
        Reply(json={"value": [1]}),
        Reply(json={"value": {}}),
        Reply(json={"@adminapi.errors": ["Ex1|x.SomethingException|No."], "value": []}),
        Reply(json={"error": {"code": "x", "message": "No."}, "value": []}),
        Reply(json={"@odata.error": {"code": "x", "message": "No."}, "value": []}),
        Reply(json={"value": [], "@odata.nextLink": "https://evil.example/adminapi/beta/x/InvokeCommand"}),
    ],
)
def test_whatever_exchange_answers_nothing_is_none_that_was_not_read(lab, topic, reply):
    turns = delegates() if topic == "delegates" else [BY_EXCHANGE[topic]]
    turns[0] = turns[0].but(reply)

    left = look(lab, topic, *turns)

    assert left["state"] == "not_looked_at"
    assert left["error"]


def test_a_service_that_is_down_does_not_fail_the_module(lab):
    left = look(lab, "devices", *[devices(JANE, reply=web_page(502))] * 2, retry_timeout=1)

    assert left["state"] == "not_looked_at"


def test_an_internal_error_does_not_fail_the_module_and_is_not_none(lab, monkeypatch):
    def fall_over(*_given):
        raise KeyError("secret")

    monkeypatch.setattr(_topics, "_flag", fall_over)
    left = look(lab, "delegates", *delegates())

    assert left["state"] == "not_looked_at"
    assert left["error"]["code"] == "internal"
    assert "secret" not in str(left)


def test_an_internal_error_when_asking_does_not_fail_the_module_either(lab, monkeypatch):
    lab.wire.expect(find(JANE))
    question = _residual.TOPICS["devices"][0]

    def fall_over(*_given):
        raise KeyError("secret")

    broken = {**_residual.TOPICS, "devices": (_residual.dataclasses.replace(question, read=fall_over),)}
    monkeypatch.setattr(_residual, "TOPICS", broken)

    left = lab.run(MODULE, users=UPN, steps=["signin"], residual=["devices"]).user["residual"]["devices"]

    assert (left["state"], left["error"]["code"]) == ("not_looked_at", "internal")


def test_one_leavers_failure_stays_with_that_one(lab):
    lab.wire.expect(find(JANE), find(OMAR))
    lab.wire.expect(*devices(JANE, reply=fault(400)), *devices(OMAR, device()))

    reported = lab.run(MODULE, users=[UPN, "omar@contoso.com"], steps=["signin"], residual=["devices"])

    assert [one["residual"]["devices"]["state"] for one in reported.users] == ["not_looked_at", "found"]
    assert not reported.failed


def test_a_topic_costs_one_batch_for_twenty_at_graph_and_for_ten_at_exchange(lab):
    everybody = crowd(40)
    lab.wire.expect(*map(find, everybody))
    lab.wire.expect(*map(applications, everybody))
    lab.wire.expect(*[turn for one in everybody for turn in devices(one)])
    lab.wire.expect(*[rows("Get-MobileDevice", one, by="Mailbox") for one in everybody])
    lab.wire.expect(*map(methods, everybody))

    lab.run(
        MODULE,
        users=[one["userPrincipalName"] for one in everybody],
        steps=["signin"],
        residual=["applications", "devices", "phones", "sign_in_methods"],
    )

    assert (len(lab.wire.to(GRAPH)), len(lab.wire.to(EXCHANGE))) == (5 * 2, 4)


def test_check_mode_looks_at_the_same(lab):
    assert look(lab, "devices", devices(JANE, device()), check=True)["state"] == "found"
