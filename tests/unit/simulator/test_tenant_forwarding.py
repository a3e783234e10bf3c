# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exchange's writes to what outlives a blocked account: forwarding, inbox rules, phones; and the readings they take."""

from __future__ import annotations

import pytest

from simulator import roles

OUTSIDE = "collector@example.net"


def rows(answer) -> list[dict]:
    assert answer.status_code == 200, answer.text
    return answer.json()["value"]


def refusal(answer) -> tuple[int, str, str]:
    _identifier, kind, text = answer.json()["error"]["details"][0]["message"].split("|", 2)
    return answer.status_code, kind.rpartition(".")[2], text


def rules(client, key: str, **parameters) -> list[dict]:
    return rows(client.cmdlet("Get-InboxRule", Mailbox=client.id(key), **parameters))


def mailbox(client, key: str) -> list:
    (row,) = rows(client.cmdlet("Get-Mailbox", Identity=client.id(key)))
    return [row[name] for name in ("ForwardingAddress", "ForwardingSmtpAddress", "DeliverToMailboxAndForward")]


def phone(client, key: str = "phone", number: int = 0) -> dict:
    return rows(client.cmdlet("Get-MobileDevice", Mailbox=client.id(key)))[number]


# Forwarding ------------------------------------------------------------------------------------------------------------


def test_null_clears_an_address(client):
    change = {"ForwardingSmtpAddress": None, "DeliverToMailboxAndForward": False}
    assert rows(client.cmdlet("Set-Mailbox", Identity=client.id("forwarder"), **change)) == []
    assert mailbox(client, "forwarder") == [None, None, False]
    again = client.cmdlet("Set-Mailbox", Identity=client.id("forwarder"), **change)
    assert "no settings" in again.json()["@adminapi.warnings"][0]


@pytest.mark.parametrize("name", ["jane.doe@contoso.com", "Jane Doe"])
def test_a_recipient_may_be_named_in_several_ways(client, name):
    rows(client.cmdlet("Set-Mailbox", Identity=client.id("john"), ForwardingAddress=name))
    assert mailbox(client, "john")[0] == client.id("jane")


def test_a_contact_is_a_recipient(client):
    rows(client.cmdlet("Set-Mailbox", Identity=client.id("john"), ForwardingAddress="Carl Contact"))
    assert mailbox(client, "john")[0] == "Carl Contact"
    (contact,) = rows(client.cmdlet("Get-Recipient", Identity="Carl Contact"))
    assert (contact["RecipientTypeDetails"], contact["ExternalEmailAddress"]) == (
        "MailContact",
        "SMTP:carl.contact@example.net",
    )


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"ForwardingAddress": "nobody@contoso.com"}, "ManagementObjectNotFoundException"),
        ({"ForwardingAddress": "Sam Smith"}, "ManagementObjectAmbiguousException"),
        ({"ForwardingSmtpAddress": "not an address"}, "ParameterTransformationException"),
        ({"DeliverToMailboxAndForward": "yes"}, "ParameterTransformationException"),
        ({"Forwarding": OUTSIDE}, "AmbiguousParameterSetException"),
    ],
)
def test_what_set_mailbox_refuses(client, tenant, change, kind):
    answer = client.cmdlet("Set-Mailbox", Identity=client.id("john"), **change)
    assert refusal(answer)[1] == kind
    assert tenant.journal.applied() == []


def test_active_directory_masters_a_synced_mailboxs_recipient(client, tenant):
    tenant.directory.user("synced").residual.forwarding = {
        "ForwardingAddress": "jane",
        "ForwardingSmtpAddress": f"smtp:{OUTSIDE}",
        "DeliverToMailboxAndForward": True,
    }
    identity = client.id("synced")
    for change in ({"ForwardingAddress": None}, {"DeliverToMailboxAndForward": False}):
        status, _kind, text = refusal(client.cmdlet("Set-Mailbox", Identity=identity, **change))
        assert (status, "synchronized from your on-premises organization" in text) == (400, True)
    rows(client.cmdlet("Set-Mailbox", Identity=identity, ForwardingSmtpAddress=None))
    assert mailbox(client, "synced") == [client.id("jane"), None, True]


def test_a_replica_shows_a_write_late(client, tenant):
    tenant.directory.exchange_replica_lag = 3600
    rows(client.cmdlet("Set-Mailbox", Identity=client.id("forwarder"), ForwardingSmtpAddress=None))
    assert mailbox(client, "forwarder")[1] == f"smtp:{OUTSIDE}"
    rule = rules(client, "residual")[0]
    rows(client.cmdlet("Disable-InboxRule", Identity=rule["Identity"], Mailbox=client.id("residual")))
    assert rules(client, "residual")[0]["Enabled"] is True
    tenant.directory.exchange_replica_lag = 0
    assert (mailbox(client, "forwarder")[1], rules(client, "residual")[0]["Enabled"]) == (None, False)


# Recipients ------------------------------------------------------------------------------------------------------------


def test_recipients_by_name_and_by_distinguished_name(client):
    (jane,) = rows(client.cmdlet("Get-Recipient", Identity=client.id("jane")))
    assert (jane["RecipientTypeDetails"], jane["PrimarySmtpAddress"]) == ("UserMailbox", "jane.doe@contoso.com")
    assert jane["ExternalEmailAddress"] is None
    name = f"/o=ExchangeLabs/ou=Exchange/cn=Recipients/cn={client.id('jane').replace('-', '')}"
    assert rows(client.cmdlet("Get-Recipient", Identity=name)) == [jane]
    (group,) = rows(client.cmdlet("Get-Recipient", Identity="leavers@contoso.com"))
    assert group["RecipientTypeDetails"] == "MailUniversalDistributionGroup"
    assert refusal(client.cmdlet("Get-Recipient", Identity="nobody"))[1] == "ManagementObjectNotFoundException"
    assert refusal(client.cmdlet("Get-Recipient", Identity="Sam Smith"))[1] == "ManagementObjectAmbiguousException"
    assert len(rows(client.cmdlet("Get-Recipient", Identity=None))) > 10


# Inbox rules -----------------------------------------------------------------------------------------------------------


def test_rules_as_exchange_describes_them(client, tenant):
    tenant.directory.user("ruler").residual.rules[0]["hidden"] = True
    shown = rules(client, "ruler")
    everything = rules(client, "ruler", IncludeHidden=True)
    assert len(everything) == len(shown) + 2
    junk = everything[-1]
    assert (junk["Name"], junk["SupportedByTask"]) == ("Junk E-mail Rule", False)
    colleague, off, out, unnamed = shown[-4:]
    legacy = f"/o=ExchangeLabs/ou=Exchange/cn=Recipients/cn={client.id('jane').replace('-', '')}"
    assert colleague["RedirectTo"] == [f'"Jane Doe" [EX:{legacy}]']
    assert (off["Enabled"], off["RedirectTo"]) == (False, [f'"{OUTSIDE}" [SMTP:{OUTSIDE}]'])
    assert out["ForwardTo"] == [f'"Jane Doe" [EX:{legacy}]', f'"{OUTSIDE}" [SMTP:{OUTSIDE}]']
    assert (unnamed["ForwardTo"], len(unnamed["ForwardAsAttachmentTo"])) == (None, 1)
    assert out["Identity"] == f"{client.id('ruler')}\\{out['RuleIdentity']}"
    assert out["RuleIdentity"] > 2**63


def test_a_rule_is_disabled_and_enabled_for_graph_too(client, as_app):
    rule = next(one for one in rules(client, "ruler") if one["Name"] == "Out")
    for name, enabled in (("Disable-InboxRule", False), ("Enable-InboxRule", True)):
        parameters = {"Identity": str(rule["RuleIdentity"]), "Mailbox": client.id("ruler"), "Confirm": False}
        assert rows(client.cmdlet(name, **parameters)) == []
        seen = as_app("auditor-residual").get(f"/users/{client.id('ruler')}/mailFolders/inbox/messageRules?$top=99")
        graph = {one["displayName"]: one["isEnabled"] for one in seen.json()["value"]}
        assert graph.get("Out", enabled) is enabled
        assert next(one["Enabled"] for one in rules(client, "ruler") if one["Name"] == "Out") is enabled


def test_what_a_rule_cmdlet_refuses(client, tenant):
    mine = client.id("ruler")
    missing = client.cmdlet("Disable-InboxRule", Identity="12345", Mailbox=mine)
    assert refusal(missing)[1] == "ManagementObjectNotFoundException"
    tenant.directory.user("ruler").residual.rules[0]["displayName"] = "Out"
    twice = client.cmdlet("Disable-InboxRule", Identity="Out", Mailbox=mine)
    assert refusal(twice)[1] == "ManagementObjectAmbiguousException"
    # An application has no mailbox of its own.
    assert refusal(client.cmdlet("Get-InboxRule"))[1] == "ManagementObjectNotFoundException"
    # A rule of one mailbox is none of another.
    rule = rules(client, "residual")[0]
    stranger = client.cmdlet("Disable-InboxRule", Identity=str(rule["RuleIdentity"]), Mailbox=mine)
    assert refusal(stranger)[1] == "ManagementObjectNotFoundException"
    assert tenant.journal.applied() == []


@pytest.mark.parametrize(
    ("entra", "management", "allowed"),
    [
        (roles.EXCHANGE, None, {"Get-InboxRule", "Disable-InboxRule", "Set-Mailbox", "Clear-MobileDevice"}),
        (roles.GLOBAL_READER, None, set()),
        (None, "View-Only Recipients", set()),
        (None, "User Options", {"Get-InboxRule", "Disable-InboxRule"}),
        (None, "Mail Recipients", {"Get-InboxRule", "Disable-InboxRule", "Set-Mailbox", "Clear-MobileDevice"}),
    ],
)
def test_who_may(as_app, tenant, entra, management, allowed):
    app = tenant.app("auditor")
    app.roles = frozenset({entra} if entra else ())
    app.exchange_roles = frozenset({management} if management else ())
    client = as_app("auditor")
    rule = as_app("offboarding").cmdlet("Get-InboxRule", Mailbox=client.id("residual")).json()["value"][0]
    calls = {
        "Get-InboxRule": {"Mailbox": client.id("residual")},
        "Disable-InboxRule": {"Mailbox": client.id("residual"), "Identity": rule["Identity"]},
        "Set-Mailbox": {"Identity": client.id("forwarder"), "ForwardingSmtpAddress": None},
        "Clear-MobileDevice": {"Identity": phone(as_app("offboarding"))["Guid"], "AccountOnly": True},
    }
    for name, parameters in calls.items():
        body = {"CmdletInput": {"CmdletName": name, "Parameters": parameters}}
        url, headers = client.exchange_url(), client.exchange_headers()
        with client.http.post(url, json=body, headers=headers, stream=True) as answer:
            assert answer.status_code == (200 if name in allowed else 403), name


# Phones ----------------------------------------------------------------------------------------------------------------


def blocked(client) -> list[str]:
    (row,) = rows(client.cmdlet("Get-CASMailbox", Identity=client.id("phone")))
    return row["ActiveSyncBlockedDeviceIDs"]


def test_a_phone_is_blocked_by_the_mailboxs_own_list(client, tenant):
    device = phone(client)["DeviceId"]
    table = {"@odata.type": "#Exchange.GenericHashTable"}
    parameters = {"ActiveSyncBlockedDeviceIDs": {**table, "add": device}}
    rows(client.cmdlet("Set-CASMailbox", Identity=client.id("phone"), **parameters))
    assert blocked(client) == [device]
    # It has not been in touch since.
    assert phone(client)["DeviceAccessState"] == "Allowed"
    tenant.directory.phones_connected = True
    assert (phone(client)["DeviceAccessState"], phone(client)["DeviceAccessStateReason"]) == ("Blocked", "Individual")
    rows(
        client.cmdlet(
            "Set-CASMailbox", Identity=client.id("phone"), ActiveSyncBlockedDeviceIDs={**table, "remove": device}
        )
    )
    assert blocked(client) == []
    wrong = client.cmdlet("Set-CASMailbox", Identity=client.id("phone"), ActiveSyncBlockedDeviceIDs={"add": device})
    assert refusal(wrong)[1] == "ParameterTransformationException"


def test_an_account_only_wipe_is_requested(client):
    rows(client.cmdlet("Clear-MobileDevice", Identity=phone(client)["Guid"], AccountOnly=True, Confirm=False))
    one, two, _three = rows(client.cmdlet("Get-MobileDeviceStatistics", Mailbox=client.id("phone")))
    assert (one["Status"], bool(one["AccountOnlyDeviceWipeRequestTime"])) == ("AccountOnlyDeviceWipePending", True)
    assert (one["DeviceWipeRequestTime"], two["Status"]) == (None, "DeviceOk")


def test_a_phone_may_be_too_old_for_it(client, tenant):
    tenant.directory.user("phone").residual.phones[0]["ClientVersion"] = "14.1"
    answer = client.cmdlet("Clear-MobileDevice", Identity=phone(client)["Guid"], AccountOnly=True)
    assert "doesn't support an account only" in refusal(answer)[2]
    assert tenant.journal.applied() == []


def test_a_partnership_is_removed(client):
    rows(client.cmdlet("Remove-MobileDevice", Identity=phone(client)["Identity"], Confirm=False))
    assert len(rows(client.cmdlet("Get-MobileDevice", Mailbox=client.id("phone")))) == 2
