# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Graph: JSON batches."""

from __future__ import annotations

import pytest

JSON = {"Content-Type": "application/json"}


def get(name: str, url: str, **more) -> dict:
    return {"id": name, "method": "GET", "url": url, **more}


def test_inner_answers(client, tenant):
    jane = client.id("jane")
    answer = client.batch(
        get("read", f"/users/{jane}?$select=accountEnabled"),
        get("bare", f"users/{jane}"),
        get("none", "/users/nobody@contoso.com"),
        get("wrong", "/users?$filter=nonsense eq 1"),
        get("v1", f"/v1.0/users/{jane}"),
        get("absolute", f"{tenant.graph_url}/v1.0/users/{jane}"),
        get("count", "/users/$count", headers={"ConsistencyLevel": "eventual"}),
        {"id": "block", "method": "PATCH", "url": f"/users/{jane}", "headers": JSON, "body": {"accountEnabled": False}},
        {"id": "revoke", "method": "POST", "url": f"/users/{jane}/revokeSignInSessions", "headers": JSON, "body": {}},
        {
            "id": "denied",
            "method": "PATCH",
            "url": f"/users/{client.id('admin')}",
            "headers": JSON,
            "body": {"accountEnabled": False},
        },
    )
    assert answer.status_code == 200
    responses = {item["id"]: item for item in answer.json()["responses"]}
    assert {name: item["status"] for name, item in responses.items()} == {
        "read": 200,
        "bare": 200,
        "none": 404,
        "wrong": 400,
        "v1": 400,
        "absolute": 400,
        "count": 200,
        "block": 204,
        "revoke": 200,
        "denied": 403,
    }
    assert "body" not in responses["block"]
    assert responses["denied"]["body"]["error"]["code"] == "Authorization_RequestDenied"
    assert responses["denied"]["body"]["error"]["innerError"]["request-id"]
    assert responses["read"]["headers"]["Content-Type"].startswith("application/json")
    assert responses["count"]["body"] == len(tenant.directory.users)
    assert tenant.directory.user("jane")["accountEnabled"] is False


def test_answers_come_in_any_order(client, tenant):
    wanted = [str(number) for number in range(20)]
    orders = set()
    for _ignored in range(3):
        answer = client.batch(*(get(name, f"/users/{client.id('jane')}") for name in wanted))
        order = tuple(item["id"] for item in answer.json()["responses"])
        assert sorted(order, key=int) == wanted
        orders.add(order)
    assert len(orders) == 3
    assert tuple(wanted) not in orders


def test_dependencies(client):
    jane = f"/users/{client.id('jane')}"
    answer = client.batch(
        get("1", jane),
        get("2", "/users/nobody@contoso.com", dependsOn=["1"]),
        get("3", jane, dependsOn=["2"]),
        get("4", jane, dependsOn=["3"]),
    )
    assert {item["id"]: item["status"] for item in answer.json()["responses"]} == {
        "1": 200,
        "2": 404,
        "3": 424,
        "4": 424,
    }


def test_malformed_batches(client, tenant):
    jane = f"/users/{client.id('jane')}"
    write = {"id": "1", "method": "PATCH", "url": jane}
    body = {"accountEnabled": False}
    for requests_ in (
        [],
        [get(str(number), jane) for number in range(21)],
        [get("a", jane), get("A", jane)],
        [get("", jane)],
        [{"id": 1, "method": "GET", "url": jane}],
        [{"id": "1", "url": jane}],
        [{"id": "1", "method": "GET"}],
        [get("1", jane, dependsOn=["2"])],
        [get("1", jane, headers={"x": 1})],
        [{**write, "body": body}],
        [{**write, "headers": JSON}],
        [{"id": "1", "method": "POST", "url": f"{jane}/revokeSignInSessions"}],
        [{"id": "1", "method": "POST", "url": "/$batch", "headers": JSON, "body": {"requests": [get("1", jane)]}}],
        [{"id": "1", "method": "BREW", "url": jane}],
        ["x"],
        [None],
    ):
        answer = client.batch(*requests_)
        assert answer.status_code == 400, requests_
        assert "error" in answer.json()
    for junk in (b"", b"x", b"[]", b"{}", b'{"requests": {}}'):
        assert client.graph("POST", "/$batch", data=junk, headers=JSON).status_code == 400
    assert client.graph("POST", "/$batch", data=b"{}").status_code == 400
    assert client.graph("GET", "/$batch").status_code == 405
    # Nothing of it was done.
    assert tenant.journal.where(lambda entry: entry.batch is not None) == []


@pytest.mark.parametrize("name", ["no-permissions"])
def test_batches_act_for_the_outer_app(as_app, name):
    strong, weak = as_app(), as_app(name)
    token = strong.token(strong.tenant.graph_url)
    answer = weak.batch(get("1", f"/users/{weak.id('jane')}", headers={"Authorization": f"Bearer {token}"}))
    assert [item["status"] for item in answer.json()["responses"]] == [403]


def test_batches_take_a_token(client):
    answer = client.graph("POST", "/$batch", json={"requests": [get("1", "/users")]}, headers={"Authorization": None})
    assert answer.status_code == 401


def test_journal_of_a_batch(client, tenant):
    jane = client.id("jane")
    client.batch(
        get("1", f"/users/{jane}"),
        {"id": "2", "method": "PATCH", "url": f"/users/{jane}", "headers": JSON, "body": {"accountEnabled": False}},
    )
    outer, *inner = [entry for entry in tenant.journal if entry.listener == "graph"]
    assert (outer.path, outer.writes, outer.batch, outer.status) == ("/v1.0/$batch", False, None, 200)
    assert [(entry.method, entry.writes, entry.status) for entry in inner] == [
        ("GET", False, 200),
        ("PATCH", True, 204),
    ]
    assert len({entry.batch for entry in inner}) == 1
    assert inner[0].batch is not None
    assert {entry.user for entry in inner} == {jane}
