# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exchange on what outlives a blocked account: forwarding, delegates, phones; who may ask; and null as a value."""

from __future__ import annotations

import uuid

import pytest

from simulator import roles
from simulator.exchange_recipients import SELF

MAILBOX, FULL, SEND = "Get-Mailbox", "Get-MailboxPermission", "Get-RecipientPermission"
PHONE, DOMAIN = "Get-MobileDevice", "Get-AcceptedDomain"
CAS = "Get-CASMailbox"


def rows(answer) -> list[dict]:
    assert answer.status_code == 200, answer.text
    return answer.json()["value"]


def details(answer) -> tuple[str, str, str]:
    return tuple(answer.json()["error"]["details"][0]["message"].split("|", 2))


@pytest.fixture
def auditor(as_app):
    return as_app("auditor")


def test_mailbox(auditor, tenant):
    (plain,) = rows(auditor.cmdlet(MAILBOX, Identity=auditor.id("jane")))
    jane = tenant.directory.user("jane")
    assert plain["ExternalDirectoryObjectId"] == plain["Identity"] == jane.id
    assert (plain["PrimarySmtpAddress"], plain["RecipientTypeDetails"]) == (jane["mail"], "UserMailbox")
    assert (plain["ForwardingAddress"], plain["ForwardingSmtpAddress"]) == (None, None)
    assert plain["DeliverToMailboxAndForward"] is False
    assert (plain["GrantSendOnBehalfTo"], plain["GrantSendOnBehalfTo@odata.type"]) == ([], "#Collection(String)")
    assert plain["Guid"] == jane.mailbox.guid
    (shared,) = rows(auditor.cmdlet(MAILBOX, Identity="info@contoso.com"))
    assert (shared["RecipientTypeDetails"], shared["IsShared"]) == ("SharedMailbox", True)
    tenant.directory.user("shared").mailbox.kind = "RoomMailbox"
    (room,) = rows(auditor.cmdlet(MAILBOX, Identity="info@contoso.com"))
    assert (room["RecipientTypeDetails"], room["IsShared"]) == ("RoomMailbox", False)


def test_forwarding(auditor, tenant):
    (out,) = rows(auditor.cmdlet(MAILBOX, Identity=auditor.id("forwarder")))
    assert (out["ForwardingSmtpAddress"], out["DeliverToMailboxAndForward"]) == ("smtp:collector@example.net", True)
    (inside,) = rows(auditor.cmdlet(MAILBOX, Identity=auditor.id("inside")))
    assert inside["ForwardingAddress"] == auditor.id("jane")
    (delegated,) = rows(auditor.cmdlet(MAILBOX, Identity=auditor.id("delegated")))
    assert delegated["GrantSendOnBehalfTo"] == [auditor.id("olga")]
    tenant.directory.recipient_names = "display_name"
    (inside,) = rows(auditor.cmdlet(MAILBOX, Identity=auditor.id("inside")))
    assert inside["ForwardingAddress"] == "Jane Doe"


def test_full_access(auditor):
    found = rows(auditor.cmdlet(FULL, Identity=auditor.id("delegated")))
    own, john, staff, maria, wei, gone, ahmed, admins = found
    assert (own["User"], own["UserSid"], own["AccessRights"]) == (SELF, "S-1-5-10", ["FullAccess, ReadPermission"])
    assert (john["User"], john["AccessRights"]) == ("john.roe@contoso.com", ["FullAccess"])
    assert (john["Deny"], john["IsInherited"], john["PrimarySmtpAddress"]) == (False, False, "")
    assert staff["User"] == "All staff"
    assert (maria["Deny"], wei["IsInherited"]) == (True, True)
    assert gone["User"] == gone["UserSid"] == "S-1-5-21-1111111111-2222222222-3333333333-4444"
    assert ahmed["AccessRights"] == ["ReadPermission"]
    assert admins["User"].endswith("\\Domain Admins")
    assert (admins["Deny"], admins["IsInherited"]) == (True, True)
    assert [row["User"] for row in rows(auditor.cmdlet(FULL, Identity=auditor.id("jane")))] == [SELF, admins["User"]]
    one = rows(auditor.cmdlet(FULL, Identity=auditor.id("delegated"), User="john.roe@contoso.com"))
    assert [row["User"] for row in one] == ["john.roe@contoso.com"]


def test_send_as(auditor):
    own, john, maria = rows(auditor.cmdlet(SEND, Identity=auditor.id("delegated")))
    assert (own["Trustee"], own["TrusteeSidString"]) == (SELF, "S-1-5-10")
    assert (john["Trustee"], john["AccessRights"], john["AccessControlType"]) == (
        "john.roe@contoso.com",
        ["SendAs"],
        "Allow",
    )
    assert maria["AccessControlType"] == "Deny"
    assert "IsInherited" not in john
    # A mail user is a recipient too, though without a mailbox.
    assert len(rows(auditor.cmdlet(SEND, Identity=auditor.id("onpremises")))) == 1
    assert auditor.cmdlet(MAILBOX, Identity=auditor.id("onpremises")).status_code == 404
    assert auditor.cmdlet(SEND, Identity=auditor.id("nomail")).status_code == 404
    assert auditor.cmdlet(SEND, Identity=auditor.id("jane"), AccessRights="FullAccess").status_code == 400


def test_phones(auditor):
    apple, android, outlook = rows(auditor.cmdlet(PHONE, Mailbox=auditor.id("phone")))
    assert (apple["FriendlyName"], apple["DeviceAccessState"], apple["ClientType"]) == (
        "Phil's iPhone",
        "Allowed",
        "EAS",
    )
    assert (android["FriendlyName"], android["DeviceAccessState"]) == ("", "Blocked")
    assert outlook["ClientType"] == "Outlook"
    assert apple["Identity"].startswith(f"{auditor.id('phone')}\\ExchangeActiveSyncDevices\\")
    assert rows(auditor.cmdlet(PHONE, Mailbox=auditor.id("jane"))) == []
    assert len(rows(auditor.cmdlet(PHONE, Mailbox=auditor.id("phone"), ActiveSync=True))) == 2
    assert [row["Guid"] for row in rows(auditor.cmdlet(PHONE, Identity=apple["Guid"]))] == [apple["Guid"]]
    both = auditor.cmdlet(PHONE, Mailbox=auditor.id("phone"), Identity=apple["Guid"])
    assert details(both)[1] == "System.Management.Automation.AmbiguousParameterSetException"
    # The identity is a device's, not a mailbox's.
    assert auditor.cmdlet(PHONE, Identity=auditor.id("phone")).status_code == 404


def test_domains(auditor):
    domains = rows(auditor.cmdlet(DOMAIN))
    assert {row["DomainName"]: row["DomainType"] for row in domains} == {
        "contoso.com": "Authoritative",
        "contoso.onmicrosoft.com": "Authoritative",
        "contoso.net": "InternalRelay",
    }
    assert [row["DomainName"] for row in domains if row["Default"]] == ["contoso.com"]
    assert auditor.cmdlet(DOMAIN, Identity="fabrikam.com").status_code == 404


@pytest.mark.parametrize("cmdlet", [MAILBOX, FULL, SEND, PHONE])
def test_refusals(auditor, tenant, cmdlet):
    name = "Mailbox" if cmdlet == PHONE else "Identity"
    for status, text in ((404, "ex6f9304"), (500, "ex41baf5")):
        tenant.directory.mailbox_not_found_status, tenant.directory.mailbox_not_found_text = status, text
        for missing in (auditor.id("nomail"), "nobody@contoso.com", auditor.id("deleted")):
            answer = auditor.cmdlet(cmdlet, **{name: missing})
            assert answer.status_code == status
            identifier, kind, _text = details(answer)
            assert identifier.lower() == text
            assert kind.endswith(".ManagementObjectNotFoundException")
    assert details(auditor.cmdlet(cmdlet, **{name: "Sam Smith"}))[1].endswith(".ManagementObjectAmbiguousException")
    assert auditor.cmdlet(cmdlet, **{name: auditor.id("jane"), "Nonsense": 1}).status_code == 400
    assert auditor.cmdlet(cmdlet, **{name: 1}).status_code == 400
    assert auditor.cmdlet(cmdlet, **{name: auditor.id("jane"), "ResultSize": []}).status_code == 400


def test_without_a_name_everybody_comes(auditor, tenant):
    owners = [user for user in tenant.directory.everyone() if user.mailbox]
    for parameters in ({}, {"Identity": None}, {"Identity": ""}):
        assert len(rows(auditor.cmdlet(MAILBOX, **parameters))) == len(owners)
    assert len(rows(auditor.cmdlet(PHONE, Mailbox=""))) == 4
    assert len(rows(auditor.cmdlet(FULL, Identity=""))) > len(owners)
    assert details(auditor.cmdlet(FULL))[1].endswith(".ParameterBindingException")
    shared = rows(auditor.cmdlet(MAILBOX, RecipientTypeDetails="SharedMailbox"))
    assert [row["DisplayName"] for row in shared] == ["Info Desk"]


def test_select_and_batch(auditor, tenant):
    identifier = auditor.id("residual")
    url = auditor.exchange_url("InvokeCommand?$select=ForwardingSmtpAddress")
    body = {"CmdletInput": {"CmdletName": MAILBOX, "Parameters": {"Identity": identifier}}}
    (few,) = rows(auditor.http.post(url, json=body, headers=auditor.exchange_headers()))
    assert few == {"ForwardingSmtpAddress": "smtp:collector@example.net"}
    wanted = {MAILBOX: 1, FULL: 3, SEND: 2, PHONE: 1}
    requests_ = [
        {
            "id": name,
            "method": "POST",
            "url": auditor.exchange_url(),
            "headers": auditor.exchange_headers(),
            "body": {
                "CmdletInput": {
                    "CmdletName": name,
                    "Parameters": {"Mailbox" if name == PHONE else "Identity": identifier},
                }
            },
        }
        for name in wanted
    ]
    tenant.journal.clear()
    answer = auditor.http.post(
        auditor.exchange_url("$batch"), json={"requests": requests_}, headers=auditor.exchange_headers()
    )
    counts = {item["id"]: len(item["body"]["value"]) for item in answer.json()["responses"]}
    assert counts == wanted
    assert [entry.cmdlet for entry in tenant.journal.for_user(identifier)] == list(wanted)
    assert tenant.journal.writes() == []


# Roles ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entra", "management", "allowed"),
    [
        (roles.GLOBAL_READER, None, {CAS, MAILBOX, FULL, SEND, PHONE, DOMAIN}),
        (roles.EXCHANGE, None, {CAS, MAILBOX, FULL, SEND, PHONE, DOMAIN}),
        (roles.HELPDESK, None, {CAS, MAILBOX, FULL, SEND, PHONE}),
        (roles.SECURITY_READER, None, {CAS}),
        (None, "View-Only Recipients", {CAS, MAILBOX, FULL, SEND, PHONE}),
        (None, "View-Only Configuration", {DOMAIN}),
        (None, "User Options", {CAS, MAILBOX, SEND}),
        (None, None, set()),
        (roles.USER, "Nonsense", set()),
    ],
)
def test_who_may_ask(as_app, tenant, entra, management, allowed):
    app = tenant.app("auditor")
    app.roles = frozenset({entra} if entra else ())
    app.exchange_roles = frozenset({management} if management else ())
    client = as_app("auditor")
    identifier = client.id("jane")
    for name in (CAS, MAILBOX, FULL, SEND, PHONE, DOMAIN, "Set-CASMailbox", "Remove-Mailbox"):
        parameters = {} if name == DOMAIN else {"Mailbox" if name == PHONE else "Identity": identifier}
        url, headers = client.exchange_url(), client.exchange_headers()
        body = {"CmdletInput": {"CmdletName": name, "Parameters": parameters}}
        with client.http.post(url, json=body, headers=headers, stream=True) as answer:
            raw = answer.raw.read(decode_content=False)
        if name in allowed or (name == "Set-CASMailbox" and entra == roles.EXCHANGE):
            assert answer.status_code == 200, name
        else:
            assert (answer.status_code, set(raw)) == (403, {0}), name


def test_what_there_is_to_run(as_app, tenant):
    client = as_app("auditor")
    headers = {**client.exchange_headers(), "CommandName": "*"}
    url = f"{tenant.exchange_url}/adminapi/v1.0/{tenant.tenant_id}/EXOModuleFile?Version=3.9.2"
    (listed,) = rows(client.http.get(url, headers=headers))
    assert set(listed["exportedCmdlets"].split(",")) == {
        *(CAS, MAILBOX, FULL, SEND, PHONE, DOMAIN),
        *("Get-MobileDeviceStatistics", "Get-Recipient"),
    }


# Null ----------------------------------------------------------------------------------------------------------------


def test_null_as_a_value(client, tenant):
    """Nobody has published what Exchange makes of it."""
    tenant.directory.user("jane").mailbox["SmtpClientAuthenticationDisabled"] = True
    settings = tenant.directory.user("jane").mailbox.settings
    change = {"Identity": client.id("jane"), "OWAEnabled": False, "SmtpClientAuthenticationDisabled": None}
    refused = client.cmdlet("Set-CASMailbox", **change)
    assert refused.status_code == 400
    _identifier, kind, text = details(refused)
    assert kind.endswith(".ParameterTransformationException")
    assert "'SmtpClientAuthenticationDisabled'. Cannot convert null" in text
    assert (settings["OWAEnabled"], settings["SmtpClientAuthenticationDisabled"]) == (True, True)
    assert tenant.journal.applied() == []
    tenant.directory.null_parameters = "accepted"
    assert client.cmdlet("Set-CASMailbox", **change).status_code == 200
    assert (settings["OWAEnabled"], settings["SmtpClientAuthenticationDisabled"]) == (False, None)
    # What may never be null is refused in both cases.
    assert client.cmdlet("Set-CASMailbox", Identity=client.id("jane"), OWAEnabled=None).status_code == 400


def test_facts_from_another_process(auditor, tenant):
    facts = {
        "forwarding": {"ForwardingSmtpAddress": "smtp:x@example.org"},
        "full_access": [{"user": "wei"}],
        "send_on_behalf": ["wei"],
        "phones": [{"DeviceId": "ABC"}],
    }
    url = f"{tenant.authority_url}/_tenant/users/john"
    assert auditor.http.patch(url, json={"residual": facts}).status_code == 200
    identifier = auditor.id("john")
    assert rows(auditor.cmdlet(MAILBOX, Identity=identifier))[0]["ForwardingSmtpAddress"] == "smtp:x@example.org"
    assert rows(auditor.cmdlet(FULL, Identity=identifier))[1]["User"] == "wei.zhang@contoso.com"
    (phone,) = rows(auditor.cmdlet(PHONE, Mailbox=identifier))
    assert phone["DeviceId"] == "ABC"
    assert uuid.UUID(phone["Guid"])
