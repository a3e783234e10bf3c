# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small AWX: as much of its API as awx.awx uses to set it up, with its rules, and nothing that it would take without them."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from . import rules

Item = dict[str, Any]
TOKEN = "an-oauth-token-of-this-AWX"
_NEEDED = object()
_ENCRYPTED = "$encrypted$"
# Sent by awx.awx, and not to be written.
_IGNORED = ("managed", "type")
_ASKS = dict.fromkeys(
    (
        "scm_branch",
        "diff_mode",
        "variables",
        "limit",
        "tags",
        "skip_tags",
        "job_type",
        "verbosity",
        "inventory",
        "credential",
    ),
    False,
)
_ASKS_OF_WORKFLOWS = ("variables", "inventory", "limit", "scm_branch", "labels", "tags", "skip_tags")


@dataclass(frozen=True)
class Kind:
    """One collection of the API: its fields with their defaults, which of them refer to what, and what hangs on an item."""

    type: str
    fields: Mapping[str, Any]
    refers: Mapping[str, str] = field(default_factory=dict)
    associations: Mapping[str, str] = field(default_factory=dict)
    roles: tuple[str, ...] = ()
    within: str | None = "organization"  # beside the name, what makes an item unique


_COMMON = {"name": _NEEDED, "description": ""}
_OWNED = {**_COMMON, "organization": _NEEDED}
_TOLD = {f"notification_templates_{when}": "notification_templates" for when in ("started", "success", "error")}
KINDS = {
    "organizations": Kind("organization", _COMMON, within=None),
    "teams": Kind("team", _OWNED, {"organization": "organizations"}, roles=("admin", "member", "read")),
    "credential_types": Kind(
        "credential_type", {**_COMMON, "kind": _NEEDED, "inputs": {}, "injectors": {}}, within=None
    ),
    "credentials": Kind(
        "credential",
        {**_COMMON, "organization": None, "credential_type": _NEEDED, "inputs": {}},
        {"organization": "organizations", "credential_type": "credential_types"},
    ),
    "execution_environments": Kind(
        "execution_environment",
        {**_COMMON, "organization": None, "image": _NEEDED, "pull": ""},
        {"organization": "organizations"},
        within=None,
    ),
    "projects": Kind(
        "project",
        {**_OWNED, "scm_type": "", "scm_url": "", "scm_branch": "", "default_environment": None},
        {"organization": "organizations", "default_environment": "execution_environments"},
    ),
    "inventories": Kind("inventory", {**_OWNED, "kind": "", "host_filter": None}, {"organization": "organizations"}),
    "hosts": Kind(
        "host",
        {**_COMMON, "inventory": _NEEDED, "enabled": True, "variables": ""},
        {"inventory": "inventories"},
        within="inventory",
    ),
    "notification_templates": Kind(
        "notification_template",
        {**_OWNED, "notification_type": _NEEDED, "notification_configuration": {}, "messages": None},
        {"organization": "organizations"},
    ),
    "job_templates": Kind(
        "job_template",
        {
            **_COMMON,
            "organization": None,  # that of the project, whatever is sent
            "job_type": "run",
            "inventory": None,
            "project": None,
            "playbook": "",
            "execution_environment": None,
            "extra_vars": "",
            "survey_enabled": False,
            "diff_mode": False,
            "allow_simultaneous": False,
            **{f"ask_{name}_on_launch": value for name, value in _ASKS.items()},
        },
        {"inventory": "inventories", "project": "projects", "execution_environment": "execution_environments"},
        {**_TOLD, "credentials": "credentials"},
        ("admin", "execute", "read"),
    ),
    "workflow_job_templates": Kind(
        "workflow_job_template",
        {
            **_OWNED,
            "extra_vars": "",
            "survey_enabled": False,
            "allow_simultaneous": False,
            **{f"ask_{name}_on_launch": False for name in _ASKS_OF_WORKFLOWS},
        },
        {"organization": "organizations"},
        {**_TOLD, "notification_templates_approvals": "notification_templates"},
        ("admin", "execute", "read", "approval"),
    ),
    "workflow_job_template_nodes": Kind(
        "workflow_job_template_node",
        {"identifier": _NEEDED, "workflow_job_template": _NEEDED, "unified_job_template": None},
        {"workflow_job_template": "workflow_job_templates", "unified_job_template": "unified_job_templates"},
        {f"{when}_nodes": "workflow_job_template_nodes" for when in ("success", "failure", "always")},
        within="workflow_job_template",
    ),
    "workflow_approval_templates": Kind(
        "workflow_approval_template", {**_COMMON, "organization": None, "timeout": 0}, within=None
    ),
    "schedules": Kind(
        "schedule",
        {**_COMMON, "unified_job_template": _NEEDED, "rrule": _NEEDED, "enabled": True},
        {"unified_job_template": "unified_job_templates"},
        within="unified_job_template",
    ),
}
_READ_ONLY: dict[str, Item] = {
    "credential_types": {"managed": False},
    "projects": {"scm_revision": "0" * 40, "status": "successful"},
}
_UNIFIED = ("projects", "job_templates", "workflow_job_templates", "workflow_approval_templates")


class NotFoundError(LookupError):
    """AWX answers 404."""


class FakeAwx:
    """Everything that was set up, by collection and id.

    :param repositories: the files of a repository by its address, what a project would check out.
    """

    def __init__(self, repositories: Mapping[str, Mapping[str, str]]) -> None:
        self.repositories = repositories
        self.items: dict[str, dict[int, Item]] = {name: {} for name in KINDS}
        self.links: dict[str, list[int]] = {}
        self.requests: list[tuple[str, str]] = []
        self.launched: list[tuple[str, Item]] = []
        self._lock = threading.Lock()
        self._last = 0
        self.create("organizations", {"name": "Default"})

    # --- what the API does ---

    def create(self, kind: str, given: Item) -> Item:
        sent = {name: value for name, value in given.items() if name not in _IGNORED}
        model = KINDS[kind]
        self._check_fields(kind, sent)
        missing = [name for name, default in model.fields.items() if default is _NEEDED and name not in sent]
        if missing:
            raise rules.RefusedError(f"{missing}: This field is required.")
        item = {**model.fields, **sent}
        if kind == "job_templates":
            item["organization"] = self._find("projects", item["project"])["organization"]
        key = "identifier" if "identifier" in model.fields else "name"
        for other in self.items[kind].values():
            if other[key] == item[key] and (model.within is None or other[model.within] == item[model.within]):
                raise rules.RefusedError(f"{model.type} with this {key} already exists.")
        self._judge(kind, item)
        self._last += 1
        self.items[kind][self._last] = {**item, "id": self._last, "survey_spec": {}}
        return self.items[kind][self._last]

    def change(self, kind: str, item: Item, sent: Item) -> None:
        sent = {name: value for name, value in sent.items() if name not in _IGNORED}
        self._check_fields(kind, sent)
        for secrets in ("inputs", "notification_configuration"):
            if secrets in sent and secrets in item:
                kept = {name: item[secrets].get(name) for name, one in sent[secrets].items() if one == _ENCRYPTED}
                sent[secrets] = {**sent[secrets], **kept}
        self._judge(kind, {**item, **sent})
        item.update(sent)

    def _check_fields(self, kind: str, sent: Item) -> None:
        model = KINDS[kind]
        for name, value in sent.items():
            if name not in model.fields:
                raise rules.RefusedError(f"{model.type} has no field {name}")
            if name in model.refers and value is not None:
                self._find(model.refers[name], value)

    def _find(self, kind: str, key: int) -> Item:
        for name in _UNIFIED if kind == "unified_job_templates" else [kind]:
            if key in self.items[name]:
                return self.items[name][key]
        raise rules.RefusedError(f'Invalid pk "{key}" - object does not exist in {kind}.')

    def _judge(self, kind: str, item: Item) -> None:
        if kind == "credential_types":
            rules.check_credential_type(item["kind"], item["inputs"], item["injectors"])
        elif kind == "credentials":
            rules.check_credential(item["inputs"], self._find("credential_types", item["credential_type"]))
        elif kind == "schedules":
            rules.check_schedule(item["rrule"])
        elif kind == "notification_templates":
            rules.check_notification(
                item["notification_type"], item["notification_configuration"], item["messages"] or {}
            )
        elif kind == "job_templates":
            files = self.files(item)
            if item["playbook"] not in rules.playbooks(files):
                raise rules.RefusedError(f"Playbook not found for project: {item['playbook']}")
            json.loads(item["extra_vars"] or "{}")

    def files(self, template: Item) -> Mapping[str, str]:
        """The files of a job template's project."""
        return self.repositories[self.items["projects"][template["project"]]["scm_url"]]

    def named(self, kind: str, name: str) -> Item:
        (item,) = [item for item in self.items[kind].values() if item.get("name", item.get("identifier")) == name]
        return item

    def linked(self, kind: str, item: Item, association: str) -> list[Item]:
        target = KINDS[kind].associations[association]
        return [self.items[target][key] for key in self.links.get(f"{kind}/{item['id']}/{association}", [])]

    # --- how it is reported ---

    def render(self, kind: str, item: Item) -> Item:
        model = KINDS[kind]
        url = f"/api/v2/{kind}/{item['id']}/"
        reported = {name: value for name, value in item.items() if name != "survey_spec"}
        if kind == "credentials":
            of_type = self.items["credential_types"][item["credential_type"]]
            secret = [one["id"] for one in of_type["inputs"]["fields"] if one.get("secret")]
            reported["inputs"] = {name: _ENCRYPTED if name in secret else one for name, one in item["inputs"].items()}
        if kind == "notification_templates":
            configuration = item["notification_configuration"]
            hidden = {"password": _ENCRYPTED} if configuration.get("password") else {}
            reported["notification_configuration"] = {**configuration, **hidden}
        related = {"survey_spec": f"{url}survey_spec/", "launch": f"{url}launch/"}
        if item.get("unified_job_template"):
            which = next(name for name in _UNIFIED if item["unified_job_template"] in self.items[name])
            related["unified_job_template"] = f"/api/v2/{which}/{item['unified_job_template']}/"
        summary: Item = {
            "object_roles": {f"{role}_role": {"id": f"{kind}.{item['id']}.{role}"} for role in model.roles}
        }
        if item.get("organization"):
            summary["organization"] = {"name": self.items["organizations"][item["organization"]]["name"]}
        return {
            **reported,
            **_READ_ONLY.get(kind, {}),
            "type": model.type,
            "url": url,
            "related": related,
            "summary_fields": summary,
        }

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Item) -> tuple[int, Any]:
        self.requests.append((method, path))
        match [part for part in path.split("/") if part][2:]:
            case ["config"]:
                return 200, {"version": "24.6.1"}
            case ["unified_job_templates"] if method == "GET":
                return 200, self._list([(name, one) for name in _UNIFIED for one in self.items[name].values()], query)
            case [kind] if kind in KINDS and method == "GET":
                return 200, self._list([(kind, one) for one in self.items[kind].values()], query)
            case [kind] if kind in KINDS and method == "POST":
                return 201, self.render(kind, self.create(kind, body))
            case ["roles", role, "teams"]:
                return self._associate(f"roles/{role}/teams", "teams", method, body)
            case [kind, key] if kind in KINDS:
                item = self._existing(kind, key)
                if method == "PATCH":
                    self.change(kind, item, body)
                return 200, self.render(kind, item)
            case [kind, key, "survey_spec"] if kind in ("job_templates", "workflow_job_templates"):
                return self._survey(self._existing(kind, key), method, body)
            case ["workflow_job_template_nodes", key, "create_approval_template"] if method == "POST":
                approval = self.create("workflow_approval_templates", body)
                self._existing("workflow_job_template_nodes", key)["unified_job_template"] = approval["id"]
                return 201, self.render("workflow_approval_templates", approval)
            case ["workflow_job_templates", key, "launch"] if method == "POST":
                return self._launch(self._existing("workflow_job_templates", key), body)
            case ["workflow_jobs"]:
                # They wait for approval, and nobody approves here.
                jobs = [
                    {"id": number, "status": "running", "finished": None} for number in range(1, len(self.launched) + 1)
                ]
                return 200, {"count": len(jobs), "next": None, "previous": None, "results": jobs}
            case [kind, key, name] if kind in KINDS and name in KINDS[kind].associations:
                self._existing(kind, key)
                return self._associate(f"{kind}/{key}/{name}", KINDS[kind].associations[name], method, body)
        raise NotFoundError(path)

    def _existing(self, kind: str, key: str) -> Item:
        try:
            return self.items[kind][int(key)]
        except (KeyError, ValueError):
            raise NotFoundError(f"{kind}/{key}") from None

    def _list(self, found: list[tuple[str, Item]], query: Mapping[str, str]) -> Item:
        rendered = [self.render(kind, item) for kind, item in found]
        for name, value in query.items():
            if name not in ("page_size", "page", "order_by"):
                rendered = [one for one in rendered if str(_lookup(one, name)) == value]
        return {"count": len(rendered), "next": None, "previous": None, "results": rendered}

    def _survey(self, template: Item, method: str, body: Item) -> tuple[int, Any]:
        if method == "POST":
            rules.check_survey(body)
        if method != "GET":
            template["survey_spec"] = body if method == "POST" else {}
        return 200, template["survey_spec"]

    def _associate(self, place: str, kind: str, method: str, body: Item) -> tuple[int, Any]:
        linked = self.links.setdefault(place, [])
        if method == "GET":
            return 200, self._list([(kind, self.items[kind][key]) for key in linked], {})
        self._find(kind, body["id"])
        if body.get("disassociate"):
            linked.remove(body["id"])
        elif body["id"] not in linked:
            self._one_credential_of_each_type(place, kind, body["id"])
            linked.append(body["id"])
        return 204, None

    def _one_credential_of_each_type(self, place: str, kind: str, key: int) -> None:
        if kind == "credentials":
            types = [self.items[kind][one]["credential_type"] for one in [*self.links[place], key]]
            if len(set(types)) < len(types):
                raise rules.RefusedError("Cannot assign multiple credentials of the same type.")

    def _launch(self, workflow: Item, body: Item) -> tuple[int, Any]:
        variables = body.get("extra_vars", {})
        variables = json.loads(variables) if isinstance(variables, str) else variables
        self.launched.append((workflow["name"], rules.accept_answers(workflow, variables)))
        number = len(self.launched)
        return 201, {
            "id": number,
            "url": f"/api/v2/workflow_jobs/{number}/",
            "workflow_job": number,
            "ignored_fields": {},
        }

    # --- the server ---

    def __enter__(self) -> Self:
        awx = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                address = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                text = self.rfile.read(length)
                try:
                    with awx._lock:
                        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                            status, reported = 401, {"detail": "Authentication credentials were not provided."}
                        else:
                            body = json.loads(text) if text else {}
                            status, reported = awx.answer(
                                self.command, address.path, dict(parse_qsl(address.query)), body
                            )
                except rules.RefusedError as exc:
                    status, reported = 400, {"__all__": [str(exc)]}
                except NotFoundError as exc:
                    status, reported = 404, {"detail": f"Not found: {exc}"}
                content = b"" if reported is None else json.dumps(reported).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.send_header("X-API-Product-Name", "AWX")
                self.send_header("X-API-Product-Version", "24.6.1")
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_arguments: object) -> None:
                """In silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_ignored: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """What awx.awx needs to reach it."""
        return {"CONTROLLER_HOST": self.url, "CONTROLLER_OAUTH_TOKEN": TOKEN, "CONTROLLER_VERIFY_SSL": "false"}


def _lookup(reported: Item, name: str) -> Any:
    value: Any = reported
    for part in name.split("__"):
        if part not in value and part not in reported["summary_fields"]:
            raise rules.RefusedError(f"{reported['type']} has no field named '{name}'")
        value = value[part] if part in value else reported["summary_fields"][part]
    return value
