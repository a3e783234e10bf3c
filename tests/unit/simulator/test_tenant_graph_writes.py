# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Graph: which application may write what about which user, and what it does."""

from __future__ import annotations

import hashlib
import time

import pytest

from simulator import passwords, roles
from simulator.graph_writes import FOREIGN, SYNCED

GOOD = "Tr0ub4dor&3-horse"


def error(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def snapshot(tenant) -> dict[str, object]:
    return {
        user.id: (dict(user.properties), list(user.passwords), user.sessions_alive)
        for user in tenant.directory.everyone()
    }


# Each write ------------------------------------------------------------------------------------------------------------


def test_blocking(client, tenant):
    answer = client.patch("jane", accountEnabled=False)
    assert (answer.status_code, answer.content) == (204, b"")
    assert tenant.directory.user("jane")["accountEnabled"] is False
    assert client.patch("jane", accountEnabled=True).status_code == 204
    assert tenant.directory.user("jane")["accountEnabled"] is True


def test_resetting(client, tenant):
    jane = tenant.directory.user("jane")
    changed = jane["lastPasswordChangeDateTime"]
    answer = client.reset("jane", GOOD)
    assert (answer.status_code, answer.content) == (204, b"")
    assert jane["lastPasswordChangeDateTime"] > changed
    assert len(jane["lastPasswordChangeDateTime"]) == len("2026-01-01T00:00:00Z")
    assert jane["signInSessionsValidFromDateTime"] == jane["lastPasswordChangeDateTime"]
    assert jane.passwords == [hashlib.sha256(GOOD.encode()).hexdigest()]


def test_only_the_flag_does_nothing(client, tenant):
    before = snapshot(tenant)
    answer = client.patch("jane", passwordProfile={"forceChangePasswordNextSignIn": True})
    assert answer.status_code == 204
    assert snapshot(tenant) == before
    assert not tenant.journal.applied()


def test_revoking(client, tenant):
    jane = tenant.directory.user("jane")
    before = jane["signInSessionsValidFromDateTime"]
    for options in ({}, {"json": {}}, {"data": b"", "headers": {"Content-Type": "application/json"}}):
        answer = client.graph("POST", f"/users/{jane.id}/revokeSignInSessions", **options)
        assert answer.status_code == 200
        assert answer.json() == {"@odata.context": f"{tenant.graph_url}/v1.0/$metadata#Edm.Boolean", "value": True}
    assert jane["signInSessionsValidFromDateTime"] > before
    assert not jane.sessions_alive
    assert client.graph("POST", f"/users('{jane.upn}')/microsoft.graph.revokeSignInSessions").status_code == 200
    assert client.graph("GET", f"/users/{jane.id}/revokeSignInSessions").status_code == 405
    tenant.directory.revoke_status = 204
    assert client.revoke("jane").content == b""


def test_the_clock_is_microsofts(client, tenant):
    tenant.directory.clock_offset = -86400
    client.revoke("jane")
    assert tenant.directory.user("jane")["signInSessionsValidFromDateTime"] == tenant.directory.ago(seconds=0)


# Permissions -------------------------------------------------------------------------------------------------------------

ABLE = {
    "offboarding": (204, 200, 204),
    "offboarding-privileged": (204, 200, 204),
    "auditor": (403, 403, 403),
    "no-permissions": (403, 403, 403),
    "without-password": (403, 200, 204),
    "without-sessions": (204, 403, 204),
    "without-signin": (204, 200, 403),
    "without-read": (204, 200, 403),
    "without-user-role": (403, 200, 204),
}


@pytest.mark.parametrize("name", ABLE)
def test_permissions(as_app, name):
    client = as_app(name)
    before = snapshot(client.tenant)
    answers = (client.reset("jane"), client.revoke("jane"), client.patch("jane", accountEnabled=False))
    assert tuple(answer.status_code for answer in answers) == ABLE[name]
    for answer in answers:
        if answer.status_code == 403:
            assert error(answer) == (403, "Authorization_RequestDenied")
            assert answer.json()["error"]["message"] == "Insufficient privileges to complete the operation."
    if set(ABLE[name]) == {403}:
        assert snapshot(client.tenant) == before


def test_the_permission_alone_may_be_enough(as_app):
    client = as_app("without-user-role")
    client.tenant.directory.password_needs_role = False
    assert client.reset("jane").status_code == 204


def test_both_or_nothing(as_app):
    for name in ("without-password", "without-signin"):
        client = as_app(name)
        before = snapshot(client.tenant)
        answer = client.patch("jane", accountEnabled=False, passwordProfile={"password": GOOD})
        assert answer.status_code == 403
        assert snapshot(client.tenant) == before
    assert as_app().patch("jane", accountEnabled=False, passwordProfile={"password": GOOD}).status_code == 204


# Bodies ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"acountEnabled": False}, "RequestBodyRead"),
        ({"accountenabled": False}, "RequestBodyRead"),
        ({"accountEnabled": "false"}, "RequestBodyRead"),
        ({"accountEnabled": 0}, "RequestBodyRead"),
        ({"accountEnabled": None}, "RequestBodyRead"),
        ({"passwordProfil": {"password": GOOD}}, "BadRequest"),
        ({"passwordProfile": {"password": 12345678}}, "RequestBodyRead"),
        ({"passwordProfile": {"password": GOOD, "forceChange": True}}, "RequestBodyRead"),
        ({"passwordProfile": {"password": GOOD, "forceChangePasswordNextSignIn": "true"}}, "RequestBodyRead"),
        ({"passwordProfile": GOOD}, "RequestBodyRead"),
        ({"passwordProfile": None}, "RequestBodyRead"),
        ({"onPremisesSyncEnabled": False}, "Request_BadRequest"),
        ({"signInSessionsValidFromDateTime": "2026-01-01T00:00:00Z"}, "Request_BadRequest"),
        ({"lastPasswordChangeDateTime": "2026-01-01T00:00:00Z"}, "Request_BadRequest"),
        ({"id": "x"}, "Request_BadRequest"),
        ({}, "Request_BadRequest"),
        ([], "RequestBodyRead"),
        ("x", "RequestBodyRead"),
    ],
)
def test_bodies_that_are_refused(client, tenant, body, code):
    before = snapshot(tenant)
    answer = client.graph("PATCH", f"/users/{client.id('jane')}", json=body)
    assert error(answer) == (400, code)
    assert snapshot(tenant) == before


def test_content_types(client):
    path = f"/users/{client.id('jane')}"
    body = b'{"accountEnabled": false}'
    assert error(client.graph("PATCH", path, data=body)) == (400, "BadRequest")
    assert client.graph("PATCH", path, data=body, headers={"Content-Type": "text/plain"}).status_code == 415
    json_type = {"Content-Type": "application/json; charset=utf-8"}
    for junk in (b"", b"{", b"\xff\xfe", b"NaN", b"[" * 100_000):
        assert client.graph("PATCH", path, data=junk, headers=json_type).status_code == 400
    assert client.graph("PATCH", path, data=b"x" * 5_000_000, headers=json_type).status_code == 413
    assert client.graph("PATCH", path, data=iter([body]), headers=json_type).status_code == 404
    assert client.graph("PATCH", path, data=body, headers=json_type).status_code == 204


def test_what_msgraph_sdk_sends(client, tenant):
    body = {"@odata.type": "#microsoft.graph.user", "accountEnabled": False}
    assert client.graph("PATCH", f"//users/{client.id('jane')}", json=body).status_code == 204
    assert tenant.directory.user("jane")["accountEnabled"] is False


def test_the_answer_may_hold_the_user(client):
    headers = {"Prefer": "return=representation"}
    answer = client.graph("PATCH", f"/users/{client.id('jane')}", json={"accountEnabled": False}, headers=headers)
    assert (answer.status_code, answer.json()["id"]) == (200, client.id("jane"))


# Passwords ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "text"),
    [
        ("Sh0rt!", passwords.WEAK),
        ("alllowercaseletters", passwords.WEAK),
        ("Onlyletters", passwords.WEAK),
        ("aB1!" * 65, passwords.WEAK),
        ("Pässwörter-123", passwords.WEAK),
        ("Tab\there-123", passwords.WEAK),
        ("xJane.Doe-2026", passwords.USERNAME),
        ("P@ssw0rd1", passwords.BANNED),
        ("Contoso2!", passwords.BANNED),
    ],
)
def test_passwords_that_are_refused(client, tenant, password, text):
    answer = client.reset("jane", password)
    assert error(answer) == (400, "Request_BadRequest")
    assert answer.json()["error"]["message"] == text
    assert tenant.directory.user("jane").passwords == []


@pytest.mark.parametrize(
    "password", ["aB1aB1aB", "aB1!" * 64, "with blank 1A", "Contoso-and-much-more-2026", passwords.SYMBOLS + "a1"]
)
def test_passwords_that_are_accepted(client, password):
    assert client.reset("jane", password).status_code == 204


# About which user -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["admin", "helpdesk", "nested", "breakglass"])
def test_administrators_take_a_role(as_app, key):
    ordinary, privileged = as_app(), as_app("offboarding-privileged")
    if key == "nested":
        # In a group inside a role-assignable group: holds the role all the same.
        assert as_app.tenant.directory.roles_of(as_app.tenant.directory.user(key)) == [roles.HELPDESK]
    for answer in (ordinary.reset(key), ordinary.revoke(key), ordinary.patch(key, accountEnabled=False)):
        assert error(answer) == (403, "Authorization_RequestDenied")
    assert as_app.tenant.journal.applied() == []
    assert privileged.reset(key).status_code == 204
    assert privileged.revoke(key).status_code == 200
    assert privileged.patch(key, accountEnabled=False).status_code == 204


def test_harmless_roles_are_within_reach(client):
    assert client.reset("reader").status_code == 204
    assert client.revoke("reader").status_code == 200
    assert client.patch("reader", accountEnabled=False).status_code == 204


@pytest.mark.parametrize(
    ("actor", "target", "reset", "disable"),
    [
        (roles.USER, roles.HELPDESK, True, True),
        (roles.USER, roles.USER, True, True),
        (roles.USER, roles.AUTHENTICATION, False, False),
        (roles.USER, roles.GLOBAL, False, False),
        (roles.USER, roles.EXCHANGE, False, False),
        (roles.HELPDESK, roles.HELPDESK, True, False),
        (roles.HELPDESK, roles.USER, False, False),
        (roles.PASSWORD, roles.READERS, True, False),
        (roles.PASSWORD, roles.REPORTS, False, False),
        (roles.AUTHENTICATION, roles.AUTHENTICATION, True, True),
        (roles.AUTHENTICATION, roles.HELPDESK, False, False),
        (roles.PRIVILEGED_AUTHENTICATION, roles.GLOBAL, True, True),
        (roles.GLOBAL, roles.PRIVILEGED_AUTHENTICATION, True, True),
        (roles.EXCHANGE, roles.READERS, False, False),
    ],
)
def test_a_user_who_may_act_on_administrators(actor, target, reset, disable):
    assert roles.may_reset([actor], [target]) is reset
    assert roles.may_disable([actor], [target]) is disable
    assert not roles.may_reset([roles.USER], [target], special=True)


def test_synced_users(client, tenant):
    answer = client.reset("synced")
    assert error(answer) == (400, "Request_BadRequest")
    assert answer.json()["error"]["message"] == SYNCED
    assert client.revoke("synced").status_code == 200
    assert client.patch("synced", accountEnabled=False).status_code == 204
    tenant.directory.synchronise()
    assert tenant.directory.user("synced")["accountEnabled"] is True
    tenant.directory.synced_block = "refused"
    assert client.patch("synced", accountEnabled=False).json()["error"]["message"] == SYNCED


def test_guests(client, tenant):
    answer = client.reset("guest")
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, FOREIGN)
    assert client.revoke("guest").status_code == 200
    assert tenant.directory.user("guest").sessions_alive
    assert client.patch("guest", accountEnabled=False).status_code == 204


def test_restricted_users(as_app):
    for name in ("offboarding", "offboarding-privileged"):
        client = as_app(name)
        for answer in (
            client.reset("restricted"),
            client.revoke("restricted"),
            client.patch("restricted", accountEnabled=False),
        ):
            assert error(answer) == (403, "Authorization_RequestDenied")


def test_nobody_there(client):
    assert client.graph("PATCH", "/users/nobody@contoso.com", json={"accountEnabled": False}).status_code == 404
    assert client.graph("POST", "/users/nobody@contoso.com/revokeSignInSessions").status_code == 404
    assert client.graph("PATCH", f"/users/{client.id('deleted')}", json={"accountEnabled": False}).status_code == 404


# Creating, deleting --------------------------------------------------------------------------------------------------------


def test_creating_and_deleting(client, tenant):
    body = {
        "accountEnabled": True,
        "displayName": "New One",
        "mailNickname": "new",
        "userPrincipalName": "new@contoso.com",
        "passwordProfile": {"password": GOOD},
    }
    assert client.graph("POST", "/users", json=body).status_code == 403
    assert client.graph("DELETE", f"/users/{client.id('jane')}").status_code == 403
    tenant.app().graph |= {"User.ReadWrite.All"}
    assert client.graph("POST", "/users", json={**body, "passwordProfile": {"password": "x"}}).status_code == 400
    made = client.graph("POST", "/users", json=body)
    assert made.status_code == 201
    assert client.graph("POST", "/users", json=body).status_code == 400
    identifier = made.json()["id"]
    assert client.graph("DELETE", f"/users/{identifier}").status_code == 204
    assert client.get(f"/users/{identifier}").status_code == 404
    assert (
        client.graph("POST", f"/directory/deletedItems/{identifier}/restore").json()["userPrincipalName"]
        == "new@contoso.com"
    )
    # Replication takes its time (Graph docs, errors).
    assert client.get("/users/new@contoso.com").status_code == 404
    time.sleep(tenant.directory.restore_lag)
    assert client.get("/users/new@contoso.com").status_code == 200
