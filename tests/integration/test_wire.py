# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes over the wire fits Microsoft's own description of Graph, where that is present."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator import Tenant

from .support import Player, a_play, a_task

SLICE = Path(__file__).resolve().parents[3] / "shared" / "data" / "graph-openapi-slice.json"
pytestmark = pytest.mark.skipif(
    not SLICE.is_file(),
    reason="needs Microsoft's description of Graph, which is not ours to distribute, so a clone does not contain it",
)

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "number": (int, float),
    "integer": (int,),
}


class Description:
    """The OpenAPI description, as far as it is needed to judge a value."""

    def __init__(self) -> None:
        self.document = json.loads(SLICE.read_text(encoding="utf-8"))

    def body(self, path: str, method: str) -> dict[str, Any] | None:
        """The schema of what is sent, if anything is."""
        content = self.document["paths"][path][method].get("requestBody", {}).get("content")
        return content and dict(content["application/json"]["schema"])

    def schema(self, name: str) -> dict[str, Any]:
        return {"$ref": f"#/components/schemas/{name}"}

    def complaints(self, value: Any, schema: dict[str, Any], place: str = "$") -> list[str]:
        """Why the value does not fit. What the schema does not know does not fit either, except annotations."""
        properties: dict[str, Any] = {}
        # An object of a derived type says so: a manager is a user where a directory object is described.
        kind = value.get("@odata.type", "").removeprefix("#") if isinstance(value, dict) else ""
        schema = self.schema(kind) if kind in self.document["components"]["schemas"] else schema
        found = self._judge(value, schema, place, properties)
        if isinstance(value, dict) and properties:
            unknown = [name for name in value if name not in properties and "@odata." not in name]
            found += [f"{place}.{name} is not described" for name in unknown]
        return found

    def _judge(self, value: Any, schema: dict[str, Any], place: str, properties: dict[str, Any]) -> list[str]:
        if "$ref" in schema:
            return self._judge(value, self._resolve(schema["$ref"]), place, properties)
        if "anyOf" in schema:
            # A bare nullable object is how a description of that version says that null will do.
            choices = [one for one in schema["anyOf"] if one != {"type": "object", "nullable": True}]
            if value is None and len(choices) < len(schema["anyOf"]):
                return []
            tried = [self.complaints(value, one, place) for one in choices]
            return [] if any(not one for one in tried) else tried[0]
        found = [text for one in schema.get("allOf", ()) for text in self._judge(value, one, place, properties)]
        if value is None:
            return found if schema.get("nullable") or "type" not in schema else [f"{place} is null"]
        kind = schema.get("type")
        if kind and not isinstance(value, _TYPES[kind]):
            return [*found, f"{place} is not {kind}"]
        if kind == "string" and "pattern" in schema and not re.search(schema["pattern"], value):
            found.append(f"{place} is not written like {schema['pattern']}")
        if "enum" in schema and value not in schema["enum"]:
            found.append(f"{place} is none of {schema['enum']}")
        if isinstance(value, list) and "items" in schema:
            found += [
                text
                for index, item in enumerate(value)
                for text in self.complaints(item, schema["items"], f"{place}[{index}]")
            ]
        if isinstance(value, dict):
            properties.update(schema.get("properties", {}))
            found += [
                f"{place}.{name} is missing"
                for name in schema.get("required", ())
                if name not in value and name != "@odata.type"
            ]
            for name, inner in schema.get("properties", {}).items():
                if name in value:
                    found += self.complaints(value[name], inner, f"{place}.{name}")
        return found

    def _resolve(self, reference: str) -> dict[str, Any]:
        found: Any = self.document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        return dict(found)


@pytest.fixture(scope="module")
def graph() -> Description:
    return Description()


def test_our_requests_fit(graph: Description, tenant: Tenant, play: Player) -> None:
    """Of one user as requests of their own, of two in a batch."""
    alone, *together = (tenant.directory.user(key).upn for key in ("jane", "john", "miles.o'brien@contoso.com"))
    tasks = [
        a_task(f"{module} {len(users)}", module, users=users, **options)
        for module, options in {
            "m365_user_password": {},
            "m365_user_sessions": {},
            "m365_user_signin": {"state": "blocked"},
        }.items()
        for users in ([alone], together)
    ]

    played = play([a_play(*tasks)])

    assert played.returncode == 0, played.output
    sent = tenant.journal.writes()
    assert {bool(entry.batch) for entry in sent} == {True, False}
    assert len(sent) == 9
    for entry in sent:
        path = re.sub(r"^/v1\.0/users/[0-9a-f-]{36}", "/users/{user-id}", entry.path)
        schema = graph.body(path, entry.method.lower())
        if schema is None:
            assert entry.body in ({}, None), entry
        else:
            assert graph.complaints(entry.body, schema) == []
    bodies = [entry.body for entry in sent if entry.method == "PATCH"]
    assert all(list(body) in (["passwordProfile"], ["accountEnabled"]) for body in bodies)
    assert all(body.get("passwordProfile", {}).get("forceChangePasswordNextSignIn", True) is True for body in bodies)


def test_answers_of_the_simulator_fit(graph: Description, tenant: Tenant, play: Player) -> None:
    """Everybody, with what is selected by default, and with what the collection selects."""
    played = play([a_play(a_task("Look", "m365_user_info", users=tenant.directory.user("jane").upn))], app="auditor")
    assert played.returncode == 0, played.output
    (query,) = {entry.query.partition("$select=")[2] for entry in tenant.journal if "$filter" in entry.query}
    app = tenant.app("auditor")
    form = {
        "grant_type": "client_credentials",
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "scope": f"{tenant.graph_url}/.default",
    }
    with requests.Session() as session:
        # A session's own would lose to REQUESTS_CA_BUNDLE.
        ca = str(tenant.ca_path)
        endpoint = f"{tenant.authority_url}/{tenant.tenant_id}/oauth2/v2.0/token"
        token = session.post(endpoint, data=form, verify=ca, timeout=10).json()
        session.headers["Authorization"] = f"Bearer {token['access_token']}"
        for select in ("", f"?$select={query}"):
            for user in tenant.directory.everyone():
                answer = session.get(f"{tenant.graph_url}/v1.0/users/{user.id}{select}", verify=ca, timeout=10)
                assert answer.status_code == 200
                assert graph.complaints(answer.json(), graph.schema("microsoft.graph.user")) == [], user.key


def test_the_judge_can_say_no(graph: Description) -> None:
    schema = graph.schema("microsoft.graph.user")
    wrong: list[dict[str, Any]] = [
        {"accountEnabled": "false"},
        {"acountEnabled": False},
        {"passwordProfile": {"password": 1}},
        {"passwordProfile": {"forceChangePasswordNextSignin": True}},
        {"createdDateTime": "yesterday"},
        {"assignedPlans": {}},
    ]
    assert [body for body in wrong if not graph.complaints(body, schema)] == []
    assert graph.complaints({"accountEnabled": None, "passwordProfile": None, "@odata.type": "x"}, schema) == []
