# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Graph answers here fits Microsoft's own description of Graph v1.0, where that is at hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from simulator.graph_properties import LISTS, USER, WRITABLE

SLICE = Path(__file__).resolve().parents[4] / "shared" / "data" / "graph-openapi-slice.json"

pytestmark = pytest.mark.skipif(
    not SLICE.is_file(),
    reason="needs Microsoft's description of Graph, which is not ours to distribute, so a clone does not contain it",
)


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    return json.loads(SLICE.read_text(encoding="utf-8"))["components"]["schemas"]


def flat(schemas: dict[str, Any], name: str) -> dict[str, Any]:
    """Properties of an entity, its ancestors' too."""
    found: dict[str, Any] = {}
    for part in schemas[name].get("allOf", [schemas[name]]):
        if "$ref" in part:
            found |= flat(schemas, part["$ref"].rpartition("/")[2])
        found |= part.get("properties", {})
    return found


def problems(schemas: dict[str, Any], value: Any, schema: dict[str, Any], place: str) -> list[str]:
    if "anyOf" in schema:
        tried = [problems(schemas, value, one, place) for one in schema["anyOf"]]
        return min(tried, key=len)
    if "$ref" in schema:
        return entity_problems(schemas, value, schema["$ref"].rpartition("/")[2], place)
    if value is None:
        return [] if schema.get("nullable") or schema.get("type") in (None, "object") else [f"{place}: null"]
    kinds = {"string": str, "boolean": bool, "integer": int, "array": list, "object": dict, "number": (int, float)}
    kind = kinds.get(schema.get("type", ""))
    if kind and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        return [f"{place}: {value!r} is not {schema['type']}"]
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return [f"{place}: {value!r} does not match {schema['pattern']}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{place}: {value!r} is none of {schema['enum']}"]
    found = []
    if isinstance(value, list):
        for number, item in enumerate(value):
            found += problems(schemas, item, schema["items"], f"{place}[{number}]")
    return found


def entity_problems(schemas: dict[str, Any], value: Any, name: str, place: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{place}: no object"]
    known, found = flat(schemas, name), []
    for key, item in value.items():
        if "@odata" in key:
            continue
        if key not in known:
            found.append(f"{place}: {name} has no {key}")
        else:
            found += problems(schemas, item, known[key], f"{place}.{key}")
    return found


def test_every_property_of_a_user(schemas):
    there = {
        key for key, value in flat(schemas, "microsoft.graph.user").items() if not value.get("x-ms-navigationProperty")
    }
    assert set(USER) == there - {"@odata.type"}
    kinds = flat(schemas, "microsoft.graph.user")
    assert {name for name in USER if kinds[name].get("type") == "array"} == LISTS
    wanted = {"boolean": "bool", "array": "list", "string": ("str", "time")}
    for name, kind in WRITABLE.items():
        if "type" in kinds[name]:
            assert kind in wanted[kinds[name]["type"]], name
            assert (kind == "time") == (kinds[name].get("format") == "date-time"), name
        else:
            assert kind == "object", name


def test_users(client, schemas):
    for key in ("jane", "synced", "guest", "offboarded", "alias", "umlaut"):
        selectable = ",".join(
            name
            for name in USER
            if name not in ("employeeLeaveDateTime", "signInActivity", "mailboxSettings", "customSecurityAttributes")
        )
        for params in ({}, {"$select": selectable}):
            answer = client.get(f"/users/{client.id(key)}", params=params)
            assert answer.status_code == 200, answer.text
            assert entity_problems(schemas, answer.json(), "microsoft.graph.user", key) == []


def test_collections(as_app, schemas):
    client = as_app("offboarding-privileged")
    body = client.get("/users", params={"$top": "999"}).json()
    assert [p for user in body["value"] for p in entity_problems(schemas, user, "microsoft.graph.user", "user")] == []
    for item in client.get(f"/users/{client.id('helpdesk')}/transitiveMemberOf").json()["value"]:
        assert entity_problems(schemas, item, item["@odata.type"].removeprefix("#"), "item") == []


def test_residual_access(as_app, schemas):
    client = as_app("auditor-residual")
    for key, path in (
        ("devices", "registeredDevices"),
        ("residual", "registeredDevices"),
        ("appowner", "ownedObjects"),
    ):
        for item in client.get(f"/users/{client.id(key)}/{path}").json()["value"]:
            kind = item["@odata.type"].removeprefix("#")
            if kind in schemas:
                assert entity_problems(schemas, item, kind, key) == []
    for item in client.get("/groups").json()["value"]:
        assert entity_problems(schemas, item, "microsoft.graph.group", "group") == []
    for permissions in (None, {"GroupMember.Read.All"}):
        client.tenant.app("auditor-residual").graph = permissions or client.tenant.app("auditor-residual").graph
        group = client.tenant.directory.group("leavers")
        for item in client.get(f"/groups/{group.id}/transitiveMembers").json()["value"]:
            kind = item["@odata.type"].removeprefix("#")
            if kind in schemas:
                assert entity_problems(schemas, item, kind, kind) == []


def test_a_restored_user(as_app, schemas):
    client = as_app("restorer")
    body = client.graph("POST", f"/directory/deletedItems/{client.id('deleted')}/restore").json()
    assert entity_problems(schemas, body, "microsoft.graph.user", "restored") == []


def test_errors(client, schemas):
    for answer in (
        client.get("/users/nobody"),
        client.get("/users", params={"$filter": "x"}),
        client.get("/users", headers={"Authorization": None}),
        client.patch("admin", accountEnabled=False),
        client.graph("PUT", "/users"),
    ):
        assert entity_problems(schemas, answer.json(), "microsoft.graph.ODataErrors.ODataError", "error") == []
        assert {"code", "message", "innerError"} == set(answer.json()["error"])
        assert {"date", "request-id", "client-request-id"} == set(answer.json()["error"]["innerError"])
