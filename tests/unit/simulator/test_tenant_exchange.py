# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exchange: the two cmdlets, batches, the list of cmdlets, and refusals."""

from __future__ import annotations

import time
import uuid

import pytest
import requests

from simulator.exchange_errors import SHAPES, error_body
from simulator.faults import Fault
from simulator.mailbox import NEW_SWITCHES, SWITCHES

GET, SET = "Get-CASMailbox", "Set-CASMailbox"


def details(answer) -> tuple[str, str, str]:
    return tuple(answer.json()["error"]["details"][0]["message"].split("|", 2))


def mailbox(answer) -> dict:
    assert answer.status_code == 200, answer.text
    (value,) = answer.json()["value"]
    return value


# Get-CASMailbox --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "identities"),
    [
        ("jane", ["{id}", "jane.doe@contoso.com", "JANE.DOE@contoso.com", "jane.doe", "{guid}"]),
        ("alias", ["a.meyer@contoso.com", "anna.meyer-schulz@contoso.com", "anna.meyer@contoso.com", "ameyer"]),
        ("apostrophe", ["miles.o'brien@contoso.com"]),
        ("shared", ["info@contoso.com", "{id}", "Info Desk"]),
    ],
)
def test_identities(client, tenant, key, identities):
    user = tenant.directory.user(key)
    for text in identities:
        shown = mailbox(client.cmdlet(GET, Identity=text.format(id=user.id, guid=user.mailbox.guid)))
        assert shown["ExternalDirectoryObjectId"] == user.id
        assert shown["Guid"] == user.mailbox.guid
        assert shown["PrimarySmtpAddress"] == user["mail"]


def test_shape(client):
    answer = client.cmdlet(GET, Identity="jane.doe@contoso.com")
    body = answer.json()
    assert body["@odata.context"].endswith("/$metadata#Collection(Exchange.GenericHashTable)")
    assert body["@adminapi.warnings"] == []
    shown = mailbox(answer)
    for name in SWITCHES:
        assert shown[name] is (None if name == "SmtpClientAuthenticationDisabled" else True)
    assert (shown["Guid@data.type"], shown["Guid@odata.type"]) == ("System.Guid", "#Guid")
    assert {"Identity", "DisplayName", "EmailAddresses@odata.type"} <= set(shown)
    for name in ("request-id", "Rate-Limit-Limit", "Rate-Limit-Remaining", "Rate-Limit-Reset", "OrganizationStatus"):
        assert answer.headers[name]


def test_select(client):
    url = client.exchange_url("InvokeCommand?$select=OWAEnabled,Guid")
    body = {"CmdletInput": {"CmdletName": GET, "Parameters": {"Identity": client.id("jane")}}}
    (shown,) = client.http.post(url, json=body, headers=client.exchange_headers()).json()["value"]
    assert {name for name in shown if "@" not in name} == {"OWAEnabled", "Guid"}


def test_odd_mailboxes(client):
    nulls = mailbox(client.cmdlet(GET, Identity=client.id("nulls")))
    assert nulls["EwsEnabled"] is None
    assert nulls["OutlookMobileEnabled"] is None
    old = mailbox(client.cmdlet(GET, Identity=client.id("oldcloud")))
    assert not set(NEW_SWITCHES) & set(old)
    assert mailbox(client.cmdlet(GET, Identity=client.id("smtp")))["SmtpClientAuthenticationDisabled"] is False


@pytest.mark.parametrize("parameters", [{}, {"Identity": None}, {"Identity": ""}])
def test_without_an_identity_everybody_comes(client, tenant, parameters):
    everybody = [user for user in tenant.directory.everyone() if user.mailbox]
    assert len(client.cmdlet(GET, **parameters).json()["value"]) == len(everybody) > 20


def test_pages(client, tenant):
    tenant.directory.add_crowd(1200)
    body = client.cmdlet(GET).json()
    assert len(body["value"]) == 1000
    assert "first 1000" in body["@adminapi.warnings"][0]
    body = client.cmdlet(GET, ResultSize="Unlimited").json()
    again = {"CmdletInput": {"CmdletName": GET, "Parameters": {"ResultSize": "Unlimited"}}}
    rest = client.http.post(body["@odata.nextLink"], json=again, headers=client.exchange_headers()).json()
    total = sum(1 for user in tenant.directory.everyone() if user.mailbox)
    assert len(body["value"]) + len(rest["value"]) == total
    assert "@odata.nextLink" not in rest
    assert len(client.cmdlet(GET, ResultSize=3).json()["value"]) == 3


@pytest.mark.parametrize(("status", "code"), [(404, "NotFound"), (500, "InternalServerError")])
@pytest.mark.parametrize("text", ["ex6f9304", "ex41baf5"])
def test_no_mailbox(client, tenant, status, code, text):
    tenant.directory.mailbox_not_found_status = status
    tenant.directory.mailbox_not_found_text = text
    for key in ("nomail", "guest", "onpremises", "deleted"):
        for cmdlet, more in ((GET, {}), (SET, {"OWAEnabled": False})):
            answer = client.cmdlet(cmdlet, Identity=client.id(key), **more)
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
            identifier, kind, _ignored = details(answer)
            assert identifier.lower() == text
            assert kind == "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException"
    assert client.cmdlet(GET, Identity="nobody@contoso.com").status_code == status


def test_ambiguous(client):
    answer = client.cmdlet(GET, Identity="Sam Smith")
    assert answer.status_code == 400
    assert details(answer)[1].endswith(".ManagementObjectAmbiguousException")


# Set-CASMailbox --------------------------------------------------------------------------------------------------------


def test_shutting_every_door(client, tenant):
    wanted = {name: name == "SmtpClientAuthenticationDisabled" for name in SWITCHES}
    answer = client.cmdlet(SET, Identity=client.id("jane"), **wanted)
    assert (answer.status_code, answer.json()["value"], answer.json()["@adminapi.warnings"]) == (200, [], [])
    assert tenant.directory.user("jane").mailbox.settings == wanted
    again = client.cmdlet(SET, Identity=client.id("jane"), **wanted)
    assert again.json()["@adminapi.warnings"] == [
        "The command completed successfully but no settings of 'Jane Doe' have been modified."
    ]
    assert [entry.applied for entry in tenant.journal.writes()] == [True, False]


def test_opening_again(client, tenant):
    tenant.directory.null_parameters = "accepted"
    assert client.cmdlet(
        SET, Identity=client.id("offboarded"), OWAEnabled=True, SmtpClientAuthenticationDisabled=None
    ).ok
    settings = tenant.directory.user("offboarded").mailbox.settings
    assert (settings["OWAEnabled"], settings["SmtpClientAuthenticationDisabled"]) == (True, None)


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"OWAEnabled": "false"}, "argument transformation"),
        ({"OWAEnabled": 0}, "argument transformation"),
        ({"OWAEnabled": None}, "argument transformation"),
        ({"SmtpClientAuthenticationDisabled": "true"}, "argument transformation"),
        ({"OwaEnabledd": False}, "Parameter set cannot be resolved"),
        ({"OWAEnabled": False, "MapiBlockOutlookRpcHttp": True}, "Parameter set cannot be resolved"),
        ({"WhatIf": "yes"}, "argument transformation"),
        ({"EwsApplicationAccessPolicy": "Nonsense"}, "argument transformation"),
    ],
)
def test_parameters_that_are_refused(client, tenant, parameters, text):
    before = dict(tenant.directory.user("jane").mailbox.settings)
    answer = client.cmdlet(SET, Identity=client.id("jane"), **parameters)
    assert answer.status_code == 400
    assert text in details(answer)[2]
    assert tenant.directory.user("jane").mailbox.settings == before


def test_set_takes_an_identity(client, tenant):
    for parameters in ({}, {"Identity": None}, {"Identity": ""}):
        assert client.cmdlet(SET, OWAEnabled=False, **parameters).status_code == 400
    assert client.cmdlet(SET, Identity=["x"], OWAEnabled=False).status_code == 400
    assert tenant.journal.applied() == []


def test_an_old_cloud_does_not_know_new_switches(client, tenant):
    answer = client.cmdlet(SET, Identity=client.id("oldcloud"), OWAEnabled=False, OutlookMobileEnabled=False)
    assert answer.status_code == 400
    assert "OutlookMobileEnabled" in details(answer)[2]
    assert tenant.directory.user("oldcloud").mailbox["OWAEnabled"] is True
    tenant.directory.ecp_settable = False
    assert client.cmdlet(SET, Identity=client.id("jane"), ECPEnabled=False).status_code == 400


def test_what_if(client, tenant):
    assert client.cmdlet(SET, Identity=client.id("jane"), OWAEnabled=False, WhatIf=True).ok
    assert tenant.directory.user("jane").mailbox["OWAEnabled"] is True


def test_names_of_parameters_in_any_case(client, tenant):
    assert client.cmdlet("set-casmailbox", identity=client.id("jane"), owaenabled=False).ok
    assert tenant.directory.user("jane").mailbox["OWAEnabled"] is False


def test_replicas_lag(client, tenant):
    tenant.directory.replica_lag = 60
    client.cmdlet(SET, Identity=client.id("jane"), OWAEnabled=False)
    assert mailbox(client.cmdlet(GET, Identity=client.id("jane")))["OWAEnabled"] is True
    tenant.directory.exchange_replica_lag = 0
    assert mailbox(client.cmdlet(GET, Identity=client.id("jane")))["OWAEnabled"] is False


# Permissions --------------------------------------------------------------------------------------------------------------


def nul(answer_url: str, client, body: dict) -> requests.Response:
    """Unread: the body claims to be gzip and is not."""
    return client.http.post(answer_url, json=body, headers=client.exchange_headers(), stream=True)


@pytest.mark.parametrize(
    ("name", "read", "write"),
    [
        ("offboarding", 200, 200),
        ("auditor", 200, 403),
        ("without-exchange-role", 403, 403),
        ("without-exchange-grant", 401, 401),
        ("no-permissions", 401, 401),
    ],
)
def test_permissions(as_app, name, read, write):
    client = as_app(name)
    for cmdlet, more, status in ((GET, {}, read), (SET, {"OWAEnabled": False}, write)):
        body = {"CmdletInput": {"CmdletName": cmdlet, "Parameters": {"Identity": client.id("jane"), **more}}}
        with nul(client.exchange_url(), client, body) as answer:
            assert answer.status_code == status
            if status == 403:
                assert answer.headers["Content-Encoding"] == "gzip"
                assert set(answer.raw.read(decode_content=False)) == {0}
            if status == 401:
                assert answer.content == b""
    assert len(client.tenant.journal.applied()) == (write == 200)


def test_unreadable_refusals_break_careless_clients(as_app):
    with pytest.raises(requests.exceptions.ContentDecodingError):
        as_app().cmdlet("Remove-Mailbox", Identity="jane.doe@contoso.com")


def test_tokens(client, tenant):
    body = {"CmdletInput": {"CmdletName": GET, "Parameters": {"Identity": client.id("jane")}}}
    graph = client.token(tenant.graph_url)
    for header in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {graph}"}):
        answer = client.http.post(client.exchange_url(), json=body, headers=header)
        assert (answer.status_code, answer.content) == (401, b"")
    other = {"Authorization": f"Bearer {client.token('https://outlook.office365.com')}"}
    assert client.http.post(client.exchange_url(), json=body, headers=other).status_code == 200


def test_addresses(client, tenant):
    body = {"CmdletInput": {"CmdletName": GET, "Parameters": {"Identity": client.id("jane")}}}

    def status(path: str, method: str = "POST") -> int:
        url = f"{tenant.exchange_url}/adminapi/{path}"
        return client.http.request(method, url, json=body, headers=client.exchange_headers()).status_code

    assert status(f"beta/{tenant.tenant_id}/InvokeCommand") == 200
    assert status(f"beta/{tenant.tenant_id.upper()}/invokecommand") == 200
    assert status(f"v1.0/{tenant.tenant_id}/InvokeCommand") == 405
    assert status(f"beta/{tenant.tenant_id}/InvokeCommand", "GET") == 405
    assert status("beta/contoso.com/InvokeCommand") == 400
    assert status(f"beta/{uuid.uuid4()}/InvokeCommand") == 401
    assert status(f"v2.0/{tenant.tenant_id}/Mailbox") == 401
    assert status(f"beta/{tenant.tenant_id}/Nonsense") == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"[]",
        b"{}",
        b'{"CmdletInput": 1}',
        b'{"CmdletInput": {"CmdletName": "Get-CASMailbox", "Parameters": null}}',
    ],
)
def test_bodies_that_are_refused(client, body):
    assert client.http.post(client.exchange_url(), data=body, headers=client.exchange_headers()).status_code == 400
    plain = {**client.exchange_headers(), "Content-Type": "text/plain"}
    assert client.http.post(client.exchange_url(), data=body, headers=plain).status_code == 415


def test_list_of_cmdlets(as_app):
    for name, writes in (("offboarding", True), ("auditor", False)):
        client = as_app(name)
        url = f"{client.tenant.exchange_url}/adminapi/v1.0/{client.tenant.tenant_id}/EXOModuleFile?Version=3.9.2"
        answer = client.http.get(url, headers={**client.exchange_headers(), "CommandName": "*"})
        names = answer.json()["value"][0]["exportedCmdlets"].split(",")
        assert GET in names
        assert (SET in names) is writes
        assert client.http.get(url, headers=client.exchange_headers()).status_code == 400


# Batches -----------------------------------------------------------------------------------------------------------------


def command(client, name: str, cmdlet: str, **parameters) -> dict:
    return {
        "id": name,
        "method": "POST",
        "url": client.exchange_url(),
        "headers": {**client.exchange_headers(), "X-CmdletName": cmdlet},
        "body": {"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}},
    }


def send(client, *commands: dict) -> requests.Response:
    return client.http.post(
        client.exchange_url("$batch"), json={"requests": list(commands)}, headers=client.exchange_headers()
    )


def test_batch(client, tenant):
    anonymous = command(client, "d", GET, Identity=client.id("jane"))
    del anonymous["headers"]["Authorization"]
    answer = send(
        client,
        command(client, "a", SET, Identity=client.id("jane"), OWAEnabled=False),
        command(client, "b", GET, Identity=client.id("john")),
        command(client, "c", GET, Identity=client.id("nomail")),
        anonymous,
        command(client, "e", "Remove-Mailbox", Identity=client.id("jane")),
    )
    responses = {item["id"]: item for item in answer.json()["responses"]}
    assert {name: item["status"] for name, item in responses.items()} == {
        "a": 200,
        "b": 200,
        "c": 404,
        "d": 401,
        "e": 403,
    }
    assert responses["b"]["body"]["value"][0]["OWAEnabled"] is True
    assert responses["c"]["body"]["error"]["code"] == "NotFound"
    assert tenant.directory.user("jane").mailbox["OWAEnabled"] is False
    entries = [entry for entry in tenant.journal if entry.batch]
    assert [entry.cmdlet for entry in entries] == [SET, GET, GET, GET, "Remove-Mailbox"]
    assert [entry.writes for entry in entries] == [True, False, False, False, True]
    assert entries[0].user == entries[3].user == client.id("jane")
    assert entries[0].app == client.app.client_id
    assert entries[3].app is None


def test_batches_without_status(client, tenant):
    tenant.directory.exchange_batch_status = False
    answer = send(
        client,
        command(client, "a", GET, Identity=client.id("jane")),
        command(client, "b", GET, Identity=client.id("nomail")),
        command(client, "c", "Remove-Mailbox"),
    )
    responses = {item["id"]: item for item in answer.json()["responses"]}
    assert not any("status" in item for item in responses.values())
    assert {name for name, item in responses.items() if "error" in item["body"]} == {"b", "c"}


@pytest.mark.parametrize("status", [404, 405])
def test_batches_may_be_refused(client, tenant, status):
    tenant.directory.exchange_batch_refusal = status
    assert send(client, command(client, "a", GET, Identity=client.id("jane"))).status_code == status


def test_malformed_batches(client, tenant):
    good = command(client, "a", GET, Identity=client.id("jane"))
    for commands in (
        [],
        [{**good, "id": str(number)} for number in range(11)],
        [good, {**good, "id": "A"}],
        [{**good, "url": f"/adminapi/beta/{tenant.tenant_id}/InvokeCommand"}],
        [{**good, "url": "https://elsewhere.example/adminapi/beta/x/InvokeCommand"}],
        [{**good, "url": 1}],
        [{**good, "headers": []}],
        ["x"],
    ):
        assert send(client, *commands).status_code == 400
    nested = {**good, "url": client.exchange_url("$batch"), "body": {"requests": [good]}}
    assert send(client, nested).json()["responses"][0]["status"] == 404
    tenant.directory.exchange_batch_limit = 11
    assert send(client, *[{**good, "id": str(number)} for number in range(11)]).status_code == 200


# As the service is on its worst days ----------------------------------------------------------------------------------------


def test_commands_of_a_batch_take_their_time_one_after_the_other(client, tenant):
    tenant.directory.exchange_call_delay = 0.2
    began = time.monotonic()
    assert send(client, *[command(client, str(number), GET, Identity=client.id("jane")) for number in range(4)]).ok
    assert time.monotonic() - began >= 0.8


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_switch_that_the_tenant_or_role_does_not_have(client, tenant, switch):
    tenant.directory.missing_parameters = (switch.upper(),)
    answer = client.cmdlet(SET, Identity=client.id("jane"), **{switch: False})
    assert answer.status_code == 400
    assert details(answer)[1:] == (
        "System.Management.Automation.ParameterBindingException",
        f"A parameter cannot be found that matches parameter name '{switch}'.",
    )
    assert not tenant.journal.applied()


def test_rows_that_do_not_say_whose_they_are(client, tenant):
    tenant.directory.mailbox_tells_owner = False
    for cmdlet in (GET, "Get-Mailbox"):
        (row,) = client.cmdlet(cmdlet, Identity=client.id("jane")).json()["value"]
        assert "ExternalDirectoryObjectId" not in row


def test_not_found_in_a_200_and_of_another_object(client, tenant):
    tenant.directory.mailbox_not_found_status, tenant.directory.mailbox_not_found_names = 200, "Default"
    answer = client.cmdlet(GET, Identity=client.id("nomail"))
    assert answer.status_code == 200
    assert "object 'Default' couldn't be found" in details(answer)[2]


def test_the_next_page_is_the_same_body_posted_to_the_link(client, tenant):
    tenant.directory.exchange_empty_first_page, tenant.directory.exchange_page_size = True, 2
    body = {"CmdletInput": {"CmdletName": "Get-AcceptedDomain", "Parameters": {}}}
    url, found = client.exchange_url(), []
    while url:
        page = client.http.post(url, json=body, headers=client.exchange_headers()).json()
        found.append([row["DomainName"] for row in page["value"]])
        url = page.get("@odata.nextLink")
    assert [len(page) for page in found] == [0, 2, 1]
    assert [name for page in found for name in page] == list(tenant.directory.accepted_domains)


def test_a_tenant_with_a_host_of_its_own(client, tenant):
    tenant.directory.exchange_redirect = "eur05.outlook.office365.com"
    body = {"CmdletInput": {"CmdletName": GET, "Parameters": {"Identity": client.id("jane")}}}
    answer = client.http.post(
        client.exchange_url(), json=body, headers=client.exchange_headers(), allow_redirects=False
    )
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("https://eur05.outlook.office365.com/adminapi/")


def test_a_refusal_of_nul_bytes_reports_its_class_in_a_header(as_app):
    client = as_app("auditor")
    body = {"CmdletInput": {"CmdletName": SET, "Parameters": {"Identity": client.id("jane"), "OWAEnabled": False}}}
    with nul(client.exchange_url(), client, body) as answer:
        assert answer.headers["X-ExceptionType"].endswith(".CmdletAccessDeniedException")


def test_a_mailbox_may_come_later_than_its_plan(client, tenant):
    tenant.directory.user("jane").mailbox_back = time.monotonic() + 60
    assert client.cmdlet(GET, Identity=client.id("jane")).status_code == 404
    tenant.directory.user("jane").mailbox_back = 0
    assert client.cmdlet(GET, Identity=client.id("jane")).ok


@pytest.mark.parametrize("shape", SHAPES)
def test_an_error_in_a_200(client, tenant, shape):
    tenant.faults.add(Fault(cmdlet=SET, status=200, body=error_body("x.SomethingException", "No.", shape)))
    answer = client.cmdlet(SET, Identity=client.id("jane"), OWAEnabled=False)
    assert answer.status_code == 200
    assert "SomethingException" in answer.text
    assert tenant.directory.user("jane").mailbox["OWAEnabled"] is True
    inner = send(client, command(client, "a", SET, Identity=client.id("jane"), OWAEnabled=False)).json()["responses"]
    assert (inner[0]["status"], "SomethingException" in str(inner[0]["body"])) == (200, True)
