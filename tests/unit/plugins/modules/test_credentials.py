# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every way to sign in, through a whole module and the real msal, and every way in which that fails."""

from __future__ import annotations

import base64
import json
import urllib.parse
from pathlib import Path

import pytest
import requests

from fakes import certificates
from fakes.entra import CLIENT_ID, CLIENT_SECRET, IMDS, TENANT_ID, refusal
from fakes.people import mailbox, person
from fakes.turns import find, get_mailbox, web_page
from fakes.wire import Reply

# The oldest msal that we allow uses a function of its own that it calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:msal")

MODULE = "m365_user_info"
GRAPH_URL = "https://graph.microsoft.com"
JANE = person("jane.doe")
UPN = "jane.doe@contoso.com"
IDENTITY = {"tenant_id": TENANT_ID, "client_id": CLIENT_ID}


def sign_in(lab, credential, **options):
    """Run a module that reads Graph once, with this credential, and return what was asked for the token."""
    lab.wire.expect(find(JANE))
    reported = lab.run(MODULE, users=UPN, steps=["signin"], credential=credential, **options)
    assert reported.statuses == ["unchanged"]
    (asked,) = lab.entra.asked_for("token")
    return asked


def fail(lab, credential, **options):
    """Run a module that gets no token; the service is never asked."""
    reported = lab.run(MODULE, users=UPN, steps=["signin"], credential=credential, **options)
    assert reported.failed
    assert reported.users == []
    assert "fault of the collection" not in reported.msg
    assert not lab.wire.sent
    return reported


def refuse(lab, credential, **options):
    """Run a module that refuses the credential before anything is sent."""
    reported = fail(lab, credential, **options)
    assert not lab.wire.outer
    return reported


# --- secret ---


def test_a_client_secret_is_sent_to_the_tenants_own_token_endpoint(lab):
    asked = sign_in(lab, {**IDENTITY, "client_secret": CLIENT_SECRET})

    assert urllib.parse.urlsplit(asked.url).path == f"/{TENANT_ID}/oauth2/v2.0/token"
    assert asked.form["grant_type"] == "client_credentials"
    assert (asked.form["client_id"], asked.form["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)
    assert asked.form["scope"] == f"{GRAPH_URL}/.default"


def test_where_a_tenants_tokens_come_from_is_not_asked_for_where_microsoft_has_put_it_in_writing(lab):
    sign_in(lab, SECRET)

    assert [one.method for one in lab.entra.asked] == ["POST"]


@pytest.mark.parametrize(
    "credential",
    [
        pytest.param({"tenant_id": "contoso.com"}, id="a domain"),
        pytest.param({"authority_url": "https://login.microsoftonline.com:8443"}, id="another port"),
        pytest.param({"authority_url": "https://login.microsoftonline.com/base"}, id="a path of its own"),
    ],
)
def test_where_tokens_come_from_is_asked_for_elsewhere(lab, credential):
    sign_in(lab, {**SECRET, **credential})

    assert len(lab.entra.asked_for("metadata")) == 1


def test_the_tenant_may_be_a_domain_and_exchange_takes_the_guid_from_the_token(lab):
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, mailbox(JANE)))

    credential = {"tenant_id": "contoso.com", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    reported = lab.run(MODULE, users=UPN, credential=credential)

    assert reported.statuses == ["unchanged"]
    assert all("/contoso.com/" in asked.url for asked in lab.entra.asked)


def test_no_other_host_vouches_for_the_authority(lab):
    sign_in(lab, {**IDENTITY, "client_secret": CLIENT_SECRET})

    assert not [asked.url for asked in lab.entra.asked if "discovery/instance" in asked.url]


# --- certificate ---


def read_assertion(asked) -> tuple[dict, dict]:
    header, claims, _signature = asked.form["client_assertion"].split(".")
    decoded = [json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in (header, claims)]
    return decoded[0], decoded[1]


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (certificates.pem(), None),
        (certificates.certificate_pem() + certificates.key_pem(), None),
        (certificates.pem(certificates.PASSWORD), certificates.PASSWORD),
        (certificates.pfx(), None),
        (certificates.pfx(certificates.PASSWORD), certificates.PASSWORD),
    ],
    ids=["PEM", "PEM, certificate first", "encrypted PEM", "PFX", "encrypted PFX"],
)
def test_a_certificate_signs_an_assertion_and_its_key_is_never_shown(lab, tmp_path, content, password):
    file = tmp_path / "automation.pem"
    file.write_bytes(content)

    asked = sign_in(lab, {**IDENTITY, "certificate_path": str(file), "certificate_password": password})

    header, claims = read_assertion(asked)
    thumbprint = base64.urlsafe_b64decode(header["x5t"] + "==").hex()
    assert thumbprint == certificates.thumbprint()
    assert claims["iss"] == claims["sub"] == CLIENT_ID
    assert "client_secret" not in asked.form


BAD_CERTIFICATES = [
    pytest.param(certificates.pem(certificates.PASSWORD), None, "certificate_password is missing", id="encrypted PEM"),
    pytest.param(
        certificates.pem(certificates.PASSWORD), "not-this-one", "is wrong", id="encrypted PEM, wrong password"
    ),
    pytest.param(certificates.pem(), "needless", "not encrypted", id="PEM, needless password"),
    pytest.param(certificates.pfx(certificates.PASSWORD), None, "without certificate_password", id="encrypted PFX"),
    pytest.param(
        certificates.pfx(certificates.PASSWORD), "not-this-one", "is wrong", id="encrypted PFX, wrong password"
    ),
    pytest.param(certificates.pfx(with_certificate=False), None, "both", id="PFX without certificate"),
    pytest.param(certificates.key_pem(), None, "no certificate", id="key only"),
    pytest.param(certificates.certificate_pem(), None, "no private key", id="certificate only"),
    pytest.param(
        certificates.key_pem() + certificates.certificate_pem("somebody"), None, "does not belong", id="mismatched"
    ),
    pytest.param(b"", None, "neither a PEM nor a PFX", id="empty"),
    pytest.param(b"hello", None, "neither a PEM nor a PFX", id="text"),
    pytest.param(b"\x30\x82garbage", None, "damaged", id="damaged PFX"),
    pytest.param(certificates.pem().replace(b"M", b"!"), None, "", id="damaged PEM"),
    pytest.param(
        # PKCS #8 with an algorithm that nobody knows, 1.2.3.4
        b"-----BEGIN PRIVATE KEY-----\n"
        + base64.b64encode(bytes.fromhex("300e020100300506032a03040402 0500".replace(" ", "")))
        + b"\n-----END PRIVATE KEY-----\n"
        + certificates.certificate_pem(),
        None,
        "",
        id="unknown kind of key",
    ),
]


@pytest.mark.parametrize(("content", "password", "complaint"), BAD_CERTIFICATES)
def test_a_certificate_file_that_cannot_be_used_is_refused_by_name(lab, tmp_path, content, password, complaint):
    file = tmp_path / "automation.pem"
    file.write_bytes(content)

    reported = refuse(lab, {**IDENTITY, "certificate_path": str(file), "certificate_password": password})

    assert f"certificate_path {file}" in reported.msg
    assert complaint in reported.msg
    assert password is None or password not in reported.output


@pytest.mark.parametrize("option", ["certificate_path", "federated_token_file"])
def test_a_file_that_is_missing_or_a_folder_is_named(lab, tmp_path, option):
    for path, reason in ((tmp_path / "none", "no such file"), (tmp_path, "is a directory")):
        reported = refuse(lab, {**IDENTITY, option: str(path)})
        assert f"{option} {path}" in reported.msg
        assert reason in reported.msg


@pytest.mark.parametrize("option", ["certificate_path", "federated_token_file"])
def test_a_relative_path_is_named_with_the_folder_it_is_looked_for_in(lab, option):
    msg = refuse(lab, {**IDENTITY, option: "none.pem"}).msg

    named = msg.partition(f"{option} ")[2].partition(" cannot be read")[0]
    assert Path(named).is_absolute()
    assert Path(named).name == "none.pem"


def test_a_certificate_password_alone_is_not_a_credential(lab):
    reported = refuse(lab, {**IDENTITY, "certificate_password": "x-password"})

    assert "certificate_path" in reported.msg


# --- federated ---


def test_a_federated_token_is_sent_as_assertion_and_never_shown(lab, tmp_path):
    file = tmp_path / "token"
    file.write_text("eyJ.federated.token\n")

    asked = sign_in(lab, {**IDENTITY, "federated_token_file": str(file)})

    assert asked.form["client_assertion"] == "eyJ.federated.token"
    assert asked.form["client_assertion_type"].endswith(":jwt-bearer")


@pytest.mark.parametrize(("content", "complaint"), [(b"", "empty"), (b" \n", "empty"), (b"\xff\xfe", "cannot be read")])
def test_a_federated_token_file_without_a_token_is_refused(lab, tmp_path, content, complaint):
    file = tmp_path / "token"
    file.write_bytes(content)

    assert complaint in refuse(lab, {**IDENTITY, "federated_token_file": str(file)}).msg


# --- managed identity ---


@pytest.mark.parametrize(("client_id", "asked_for"), [(None, None), (CLIENT_ID, CLIENT_ID)])
def test_a_managed_identity_asks_the_machine_and_needs_no_tenant(lab, client_id, asked_for):
    asked = sign_in(lab, {"managed_identity": True, "client_id": client_id})

    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(asked.url).query))
    assert urllib.parse.urlsplit(asked.url).hostname == IMDS
    assert asked.headers["metadata"] == "true"
    assert query["resource"] == GRAPH_URL
    assert query.get("client_id") == asked_for


def test_a_machine_without_identity_is_reported(lab):
    lab.entra.instead["token"] = [Reply(400, {"error": "invalid_request", "error_description": "Identity not found"})]

    assert "Identity not found" in fail(lab, {"managed_identity": True}).msg


def test_the_machine_itself_is_never_asked_through_a_proxy(lab):
    sign_in(lab, {"managed_identity": True}, proxy="http://proxy.contoso.com:3128")

    (outer,) = lab.wire.to(IMDS)
    assert not outer.proxies.get("http")


# --- ready tokens ---


def test_ready_tokens_are_used_as_they_are_and_entra_is_never_asked(lab):
    tokens = {
        "access_token": lab.entra.issue(GRAPH_URL),
        "exchange_access_token": lab.entra.issue("https://outlook.office365.com"),
    }
    lab.wire.expect_each(find(JANE), get_mailbox(JANE, mailbox(JANE)))

    assert lab.run(MODULE, users=UPN, credential=tokens).statuses == ["unchanged"]
    assert not lab.entra.asked


def test_without_a_ready_token_for_exchange_only_the_mailbox_is_missed(lab):
    lab.wire.expect(find(JANE))

    reported = lab.run(MODULE, users=UPN, credential={"access_token": lab.entra.issue(GRAPH_URL)})

    assert reported.user["doors"]["signin"] == "open"
    assert reported.user["doors"]["owa"] == "unknown"
    assert "exchange_access_token is missing" in reported.user["error"]["message"]


def test_a_ready_token_for_exchange_alone_is_not_enough(lab):
    reported = refuse(lab, {"exchange_access_token": lab.entra.issue("https://outlook.office365.com")})

    assert "access_token is missing" in reported.msg


@pytest.mark.parametrize("token", ["t\u20acken", "a.b\nc", "a.b c", "a.\x1bb"], ids=repr)
def test_a_ready_token_that_no_header_can_hold_is_refused_and_not_shown(lab, token):
    reported = fail(lab, {"access_token": token})

    assert "The token for Microsoft Graph contains characters" in reported.msg
    assert token not in json.dumps(reported.result, ensure_ascii=False)


def test_an_exchange_token_without_a_tenant_is_refused(lab):
    token = lab.entra.issue("https://outlook.office365.com", tid=None)
    lab.wire.expect(find(JANE))

    credential = {"access_token": lab.entra.issue(GRAPH_URL), "exchange_access_token": token}
    reported = lab.run(MODULE, users=UPN, credential=credential)

    assert "which tenant" in reported.user["error"]["message"]


# --- which one is used ---

KINDS = {
    "client_secret": "s3cret-value",
    "certificate_path": "/nowhere/a.pem",
    "federated_token_file": "/nowhere/token",
    "managed_identity": True,
    "access_token": "a.b.c",
}


@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("second", KINDS)
def test_two_explicit_kinds_are_refused(lab, first, second):
    if first < second:
        reported = refuse(lab, {**IDENTITY, first: KINDS[first], second: KINDS[second]})
        assert first in reported.msg
        assert second in reported.msg


def test_none_anywhere_is_refused_and_says_what_to_set(lab):
    reported = refuse(lab, IDENTITY)

    assert "AZURE_CLIENT_SECRET" in reported.msg
    assert "client_secret" in reported.msg


@pytest.mark.parametrize("missing", ["tenant_id", "client_id"])
@pytest.mark.parametrize("kind", ["client_secret", "certificate_path", "federated_token_file"])
def test_tenant_and_client_must_be_given(lab, missing, kind):
    identity = {name: value for name, value in IDENTITY.items() if name != missing}

    assert missing in refuse(lab, {**identity, kind: KINDS[kind]}).msg


ENVIRONMENT = {"AZURE_TENANT_ID": TENANT_ID, "AZURE_CLIENT_ID": CLIENT_ID}


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """Return a function that sets variables and puts the files there that they name."""
    files = {"AZURE_CLIENT_CERTIFICATE_PATH": certificates.pem(), "AZURE_FEDERATED_TOKEN_FILE": b"federated-token"}

    def apply(**variables: str) -> None:
        for name, value in {**ENVIRONMENT, **variables}.items():
            if value == "FILE":
                file = tmp_path / name
                file.write_bytes(files[name])
                value = str(file)
            monkeypatch.setenv(name, value)

    return apply


@pytest.mark.parametrize(
    ("variables", "kind"),
    [
        ({"AZURE_CLIENT_SECRET": CLIENT_SECRET}, "secret"),
        ({"AZURE_SECRET": CLIENT_SECRET}, "secret"),
        ({"AZURE_CLIENT_SECRET": CLIENT_SECRET, "AZURE_SECRET": "other"}, "secret"),
        ({"AZURE_CLIENT_SECRET": "", "AZURE_SECRET": CLIENT_SECRET}, "secret"),
        ({"AZURE_CLIENT_SECRET": CLIENT_SECRET, "AZURE_CLIENT_CERTIFICATE_PATH": "FILE"}, "secret"),
        ({"AZURE_CLIENT_SECRET": "", "AZURE_CLIENT_CERTIFICATE_PATH": "FILE"}, "certificate"),
        ({"AZURE_CLIENT_CERTIFICATE_PATH": "FILE", "AZURE_FEDERATED_TOKEN_FILE": "FILE"}, "certificate"),
        ({"AZURE_CLIENT_CERTIFICATE_PATH": " ", "AZURE_FEDERATED_TOKEN_FILE": "FILE"}, "federated"),
        ({"AZURE_CLIENT_CERTIFICATE_PASSWORD": "left over", "AZURE_FEDERATED_TOKEN_FILE": "FILE"}, "federated"),
        ({"M365_MANAGED_IDENTITY": "true", "AZURE_FEDERATED_TOKEN_FILE": "FILE"}, "federated"),
        ({"M365_MANAGED_IDENTITY": "true"}, "managed_identity"),
        ({"M365_MANAGED_IDENTITY": "false", "AZURE_SECRET": CLIENT_SECRET}, "secret"),
    ],
)
def test_the_environment_is_asked_in_order_and_empty_counts_as_not_given(lab, environment, variables, kind):
    environment(**variables)

    asked = sign_in(lab, {})

    if kind == "secret":
        assert asked.form["client_secret"] == CLIENT_SECRET
    elif kind == "certificate":
        assert read_assertion(asked)[0]["x5t"]
    elif kind == "federated":
        assert asked.form["client_assertion"] == "federated-token"
    else:
        assert IMDS in asked.url


@pytest.mark.parametrize(
    "variables",
    [
        {"AZURE_CLIENT_SECRET": "of-the-environment"},
        {"AZURE_CLIENT_CERTIFICATE_PATH": "/nowhere"},
        {"M365_ACCESS_TOKEN": "x"},
    ],
)
def test_options_beat_the_environment_as_a_group(lab, environment, tmp_path, variables):
    environment(**variables)
    file = tmp_path / "token"
    file.write_text("of-the-options")

    asked = sign_in(lab, {"federated_token_file": str(file)})

    assert asked.form["client_assertion"] == "of-the-options"


def test_the_environments_certificate_password_does_not_join_a_path_of_the_options(lab, environment, tmp_path):
    environment(AZURE_CLIENT_CERTIFICATE_PASSWORD=certificates.PASSWORD)
    file = tmp_path / "automation.pem"
    file.write_bytes(certificates.pem())

    sign_in(lab, {"certificate_path": str(file)})


def test_a_managed_identity_that_is_declined_is_not_taken_from_the_environment(lab, environment):
    environment(M365_MANAGED_IDENTITY="true")

    assert "No credential" in refuse(lab, {"managed_identity": False}).msg


@pytest.mark.parametrize("off", ["false", "no", "0", "off", "False", ""])
def test_a_managed_identity_that_the_environment_declines_is_none(lab, environment, off):
    environment(M365_MANAGED_IDENTITY=off)

    assert "No credential" in refuse(lab, {}).msg


@pytest.mark.parametrize(
    ("variables", "tenant"),
    [
        ({"AZURE_TENANT_ID": TENANT_ID, "AZURE_TENANT": "other.example"}, TENANT_ID),
        ({"AZURE_TENANT_ID": "", "AZURE_TENANT": TENANT_ID}, TENANT_ID),
        ({"AZURE_TENANT_ID": "other.example"}, "other.example"),
    ],
)
def test_the_tenant_comes_from_either_variable(lab, environment, variables, tenant):
    environment(AZURE_CLIENT_SECRET=CLIENT_SECRET, **variables)

    assert f"/{tenant}/" in sign_in(lab, {}).url


# --- Entra says no ---

SECRET = {**IDENTITY, "client_secret": CLIENT_SECRET}
# Named by a domain: where its tokens come from must be asked for first.
BY_DOMAIN = {**SECRET, "tenant_id": "contoso.com"}


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (7000215, "secret's value"),
        (7000222, "expired"),
        (700016, "client_id"),
        (90002, "tenant_id"),
        (900023, "tenant_id"),
        (700027, "certificate"),
        (7000112, "disabled"),
        (7000218, "secret, a certificate or a federated token"),
        (70021, "federated credential"),
        (500011, "Leave the protocols step out"),
    ],
)
@pytest.mark.parametrize("status", [400, 401])
def test_entras_refusal_becomes_a_hint(lab, code, hint, status):
    lab.entra.instead["token"] = [Reply(status, refusal(code, "Something is not right."))]

    reported = fail(lab, SECRET)

    error = reported.result["error"]
    assert error["code"] == f"AADSTS{code}"
    assert hint in error["hint"]
    assert hint in reported.msg
    assert "Something is not right." in error["message"]
    assert "Trace ID" not in reported.msg
    assert error["request_id"] == "66666666-7777-8888-9999-000000000000"
    assert len(lab.entra.asked_for("token")) == 1


def test_a_refusal_without_a_known_code_is_reported_as_it_is(lab):
    lab.entra.instead["token"] = [Reply(400, {"error": "unauthorized_client"})]

    assert "unauthorized_client" in fail(lab, SECRET).msg


@pytest.mark.parametrize("body", [[], "text", 7, None])
def test_a_refusal_that_is_not_a_json_object_is_one_clear_sentence(lab, body):
    lab.entra.instead["token"] = [Reply(400, body)]

    assert "other than JSON" in fail(lab, SECRET).msg


@pytest.mark.parametrize(
    "body", [{}, {"error": 5}, {"error_codes": "x", "error": None}, {"error_description": ""}, {"error_codes": 7}]
)
def test_a_strange_refusal_is_one_sentence_too(lab, body):
    lab.entra.instead["token"] = [Reply(400, body)]

    assert "Entra ID" in fail(lab, SECRET).msg


def test_an_unknown_tenant_fails_at_discovery_with_its_hint(lab):
    lab.entra.instead["metadata"] = [Reply(400, refusal(90002, "Tenant 'x' not found.", "invalid_tenant"))]

    reported = fail(lab, BY_DOMAIN)

    assert reported.result["error"]["code"] == "AADSTS90002"
    assert "check tenant_id" in reported.msg


@pytest.mark.parametrize("kind", ["metadata", "token"])
def test_a_web_page_from_entra_is_reported_as_such(lab, kind):
    lab.entra.instead[kind] = [web_page()]

    reported = fail(lab, BY_DOMAIN)

    assert "other than JSON" in reported.msg
    assert "proxy" in reported.msg
    assert "DOCTYPE" not in reported.output
    assert len(lab.entra.asked_for(kind)) == 1


@pytest.mark.parametrize("kind", ["metadata", "token"])
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_passing_faults_of_entra_are_waited_out_by_real_requests(lab, kind, status):
    lab.entra.instead[kind] = [Reply(status), Reply(status, headers={"Retry-After": "7"})]
    lab.wire.expect(find(JANE))

    reported = lab.run(MODULE, users=UPN, steps=["signin"], credential=BY_DOMAIN)

    assert reported.statuses == ["unchanged"]
    assert len(lab.entra.asked_for(kind)) == 3
    assert lab.clock.naps == [1.0, 7.0]


def test_faults_of_entra_that_last_end_within_retry_timeout(lab):
    lab.entra.instead["token"] = [Reply(503)] * 4

    reported = fail(lab, SECRET, retry_timeout=10)

    assert "503" in reported.msg
    assert lab.clock.naps == [1.0, 2.0, 4.0]


def test_a_wait_of_hours_at_entra_is_a_failure_that_names_it(lab):
    lab.entra.instead["token"] = [Reply(429, headers={"Retry-After": "21600"})]

    reported = fail(lab, SECRET)

    assert "21600 s" in reported.msg
    assert lab.clock.naps == []


def test_an_entra_that_keeps_silent_ends_within_retry_timeout(lab):
    silence = Reply(raises=requests.exceptions.ReadTimeout("Read timed out. (read timeout=30)"), takes=30)
    lab.entra.instead["metadata"] = [silence] * 4

    reported = fail(lab, BY_DOMAIN, retry_timeout=100)

    assert "did not answer within 30 s" in reported.msg
    assert lab.clock.passed == 4 * 30 + 1 + 2 + 4


def test_an_entra_whose_certificate_is_not_trusted_is_asked_once(lab):
    untrusted = requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer certificate")
    lab.entra.instead["metadata"] = [Reply(raises=untrusted)]

    reported = fail(lab, BY_DOMAIN)

    assert "does not trust" in reported.msg
    assert "ca_path" in reported.msg
