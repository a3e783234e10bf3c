# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults: each does what it says, to the request it names and no other."""

from __future__ import annotations

import time

import pytest
import requests

from simulator import Fault

JSON = {"Content-Type": "application/json"}
READ = "Get-CASMailbox"


def blocks(client, *keys: str) -> list[dict]:
    return [
        {
            "id": key,
            "method": "PATCH",
            "url": f"/users/{client.id(key)}",
            "headers": JSON,
            "body": {"accountEnabled": False},
        }
        for key in keys
    ]


def enabled(tenant, key: str = "jane") -> bool:
    return tenant.directory.user(key)["accountEnabled"]


def test_throttling(client, tenant):
    rule = tenant.faults.add(Fault(method="PATCH", nth=1, status=429, headers={"Retry-After": "1"}))
    answer = client.patch("jane", accountEnabled=False)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert answer.json()["error"]["code"] == "TooManyRequests"
    assert enabled(tenant)
    assert client.get(f"/users/{client.id('jane')}").status_code == 200
    assert client.patch("jane", accountEnabled=False).status_code == 204
    early = tenant.journal.violations()
    assert [entry.method for entry in early] == ["PATCH"]
    assert 0 < early[0].early <= 1
    assert (rule.seen, rule.struck) == (2, 1)
    time.sleep(1.0)
    assert client.patch("jane", accountEnabled=True).status_code == 204
    assert len(tenant.journal.violations()) == 1


def test_closed_windows_are_those_of_reads_of_writes_or_of_batches(client, tenant):
    def early() -> list[str]:
        return [f"{entry.method} {entry.path.rpartition('/')[2]}" for entry in tenant.journal.violations()]

    read = {"id": "read", "method": "GET", "url": "/users"}
    tenant.faults.add(Fault(batch=True, method="GET", nth=1, status=429, headers={"Retry-After": "60"}))
    client.batch(read)
    client.batch(*blocks(client, "jane"))
    client.patch("john", accountEnabled=False)
    assert early() == []
    client.batch(read, *blocks(client, "jane"))
    assert early() == ["GET users"]
    tenant.reset()
    tenant.faults.add(Fault(batch="outer", nth=1, status=429, headers={"Retry-After": "60"}))
    client.batch(read)
    client.get("/users")
    assert early() == []
    client.batch(read)
    assert early() == ["POST $batch"]


@pytest.mark.parametrize("retry_after", [None, "soon", "-5", "2.128", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_any_retry_after(client, tenant, retry_after):
    tenant.faults.add(Fault(status=429, headers={"Retry-After": retry_after} if retry_after else {}))
    assert client.get("/users").headers.get("Retry-After") == retry_after


def test_done_but_answered_as_an_error(client, tenant):
    tenant.faults.add(Fault(method="PATCH", status=503, apply_first=True))
    assert client.patch("jane", accountEnabled=False).status_code == 503
    assert not enabled(tenant)
    (entry,) = tenant.journal.writes()
    assert (entry.status, entry.applied, bool(entry.fault)) == (503, True, True)


@pytest.mark.parametrize(("when", "applied"), [("before", False), ("after", True)])
def test_hanging_up(client, tenant, when, applied):
    tenant.faults.add(Fault(method="PATCH", close=when, nth=1))
    with pytest.raises(requests.ConnectionError):
        client.patch("jane", accountEnabled=False)
    assert enabled(tenant) is not applied
    (entry,) = tenant.journal.writes()
    assert (entry.status, entry.applied) == (0, applied)
    assert client.patch("jane", accountEnabled=False).status_code == 204


def test_half_an_answer(client, tenant):
    tenant.faults.add(Fault(method="GET", truncate=20, nth=1))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        client.get("/users")
    assert client.get("/users").status_code == 200


def test_one_byte_at_a_time(client, tenant):
    tenant.faults.add(Fault(drip=200.0, body="x" * 20, status=200))
    begun = time.monotonic()
    assert client.get("/users").text == "x" * 20
    assert time.monotonic() - begun >= 0.1


def test_slow(client, tenant):
    tenant.faults.add(Fault(path="revokeSignInSessions", delay=0.3))
    begun = time.monotonic()
    assert client.revoke("jane").status_code == 200
    assert time.monotonic() - begun >= 0.3
    tenant.faults.clear()
    tenant.delay = 0.2
    client.get("/users")
    assert time.monotonic() - begun >= 0.5


def test_strange_bodies(client, tenant):
    for fault, check in (
        (
            Fault(status=502, body="<html>Bad gateway</html>"),
            lambda a: a.headers["Content-Type"].startswith("text/html"),
        ),
        (Fault(status=200, body="{"), lambda a: a.text == "{"),
        (Fault(status=200, body=["x"]), lambda a: a.json() == ["x"]),
        (Fault(status=200, body=b"\xef\xbb\xbf{}"), lambda a: a.content.startswith(b"\xef")),
        (Fault(status=302, headers={"Location": "https://elsewhere.example/"}), lambda a: a.is_redirect),
        (Fault(status=409), lambda a: a.json()["error"]["code"] == "Directory_ConcurrencyViolation"),
        (
            Fault(status=401, headers={"WWW-Authenticate": "Bearer"}),
            lambda a: a.headers["WWW-Authenticate"] == "Bearer",
        ),
    ):
        tenant.faults.clear()
        tenant.faults.add(fault)
        answer = client.get("/users", allow_redirects=False)
        assert answer.status_code == fault.status
        assert check(answer)


def test_nul_bytes_that_say_gzip(client, tenant):
    tenant.faults.add(Fault(cmdlet=READ, nul_gzip=True))
    with pytest.raises(requests.exceptions.ContentDecodingError):
        client.cmdlet(READ, Identity=client.id("jane"))


def test_only_that_user_only_that_cmdlet(client, tenant):
    tenant.faults.add(Fault(user=client.id("john"), cmdlet="set-casmailbox", status=500))
    assert client.cmdlet("Set-CASMailbox", Identity=client.id("jane"), OWAEnabled=False).status_code == 200
    assert client.cmdlet(READ, Identity="john.roe@contoso.com").status_code == 200
    assert client.cmdlet("Set-CASMailbox", Identity="john.roe@contoso.com", OWAEnabled=False).status_code == 500
    assert client.patch("john", accountEnabled=False).status_code == 204


def test_only_that_app(as_app):
    as_app.tenant.faults.add(Fault(app="auditor", status=500))
    assert as_app().get("/users").status_code == 200
    assert as_app("auditor").get("/users").status_code == 500


def test_the_token_service_too(client, tenant):
    tenant.faults.add(Fault(listener="entra", path="/oauth2/", status=503, nth=(1, 2)))
    assert [client.token_request().status_code for _ignored in range(3)] == [503, 503, 200]


def test_inside_and_outside_of_batches(client, tenant):
    tenant.faults.add(Fault(batch=True, method="PATCH", nth=2, status=429, headers={"Retry-After": "7"}))
    answer = client.batch(*blocks(client, "jane", "john", "maria"))
    assert {item["id"]: item["status"] for item in answer.json()["responses"]} == {
        "jane": 204,
        "john": 429,
        "maria": 204,
    }
    (refused,) = [item for item in answer.json()["responses"] if item["status"] == 429]
    assert refused["headers"]["Retry-After"] == "7"
    tenant.faults.clear()
    tenant.faults.add(Fault(batch=False, status=500))
    assert client.batch(*blocks(client, "jane")).json()["responses"][0]["status"] == 204
    assert client.patch("jane", accountEnabled=True).status_code == 500
    tenant.faults.clear()
    tenant.faults.add(Fault(batch="outer", status=504, apply_first=True))
    assert client.batch(*blocks(client, "wei")).status_code == 504
    assert not enabled(tenant, "wei")
    tenant.faults.clear()
    tenant.faults.add(Fault(batch=True, status=424))
    assert {item["status"] for item in client.batch(*blocks(client, "olga", "pierre")).json()["responses"]} == {424}


def test_lost_and_doubled_answers(client, tenant):
    tenant.faults.add(Fault(batch=True, user=client.id("john"), drop=True))
    tenant.faults.add(Fault(batch=True, user=client.id("maria"), duplicate=True))
    answer = client.batch(*blocks(client, "jane", "john", "maria"))
    assert sorted(item["id"] for item in answer.json()["responses"]) == ["jane", "maria", "maria"]
    assert not enabled(tenant, "john")


def test_chance_can_be_repeated(client, tenant):
    def pattern() -> list[int]:
        tenant.faults.clear()
        tenant.faults.add(Fault(probability=0.5, seed=4, status=500))
        return [client.get("/users?$top=1").status_code for _ignored in range(20)]

    first = pattern()
    assert pattern() == first
    assert set(first) == {200, 500}


def test_write_quota(client, tenant):
    tenant.faults.limit_writes(2, per=0.6)
    statuses = [client.patch("jane", accountEnabled=False).status_code for _ignored in range(3)]
    assert statuses == [204, 204, 429]
    assert client.get("/users").status_code == 200
    # Exchange counts for itself.
    assert client.cmdlet("Set-CASMailbox", Identity=client.id("jane"), OWAEnabled=False).status_code == 200
    time.sleep(0.7)
    assert client.patch("jane", accountEnabled=True).status_code == 204


def test_unknown_words(tenant):
    with pytest.raises(ValueError, match="statsu"):
        Fault.from_dict({"statsu": 500})
