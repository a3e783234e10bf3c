# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWX refuses, as its own code says (ansible/awx, ``awx/main/fields.py``, ``awx/api/views``, ``awx/api/serializers.py``)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment


class RefusedError(ValueError):
    """AWX answers 400."""


_NAME = r"[a-zA-Z_]+[a-zA-Z0-9_]*"
_FIELD_KEYS = {
    "id": str,
    "label": str,
    "type": str,
    "format": str,
    "choices": list,
    "help_text": str,
    "multiline": bool,
    "secret": bool,
    "ask_at_runtime": bool,
    "default": object,
}
_BLOCKED = frozenset(
    (
        "VIRTUAL_ENV",
        "PATH",
        "PYTHONPATH",
        "JOB_ID",
        "INVENTORY_ID",
        "INVENTORY_SOURCE_ID",
        "INVENTORY_UPDATE_ID",
        "AD_HOC_COMMAND_ID",
        "REST_API_URL",
        "REST_API_TOKEN",
        "MAX_EVENT_RES",
        "CALLBACK_QUEUE",
        "CALLBACK_CONNECTION",
        "CACHE",
        "JOB_CALLBACK_DEBUG",
        "INVENTORY_HOSTVARS",
        "AWX_HOST",
        "PROJECT_REVISION",
        "SUPERVISOR_CONFIG_PATH",
    )
)


def _must(holds: object, complaint: str) -> None:
    if not holds:
        raise RefusedError(complaint)


# --- credential types ---


def check_credential_type(kind: str, inputs: Mapping[str, Any], injectors: Mapping[str, Any]) -> None:
    _must(kind in ("cloud", "net"), f"custom credential types are of kind cloud or net, not {kind}")
    _must(set(inputs) <= {"fields", "required"}, f"inputs may hold fields and required, not {sorted(inputs)}")
    ids: list[str] = []
    for field in inputs.get("fields", []):
        _check_field(field)
        _must(field["id"] not in ids, f"field IDs must be unique ({field['id']})")
        ids.append(field["id"])
    _must(set(inputs.get("required", [])) <= set(ids), "required names a field that there is not")
    _check_injectors(injectors, ids)


def _check_field(field: Mapping[str, Any]) -> None:
    for key, value in field.items():
        _must(key in _FIELD_KEYS, f"a field has no {key}")
        _must(isinstance(value, _FIELD_KEYS[key]), f"{key} of a field is not {_FIELD_KEYS[key].__name__}")
    _must({"id", "label"} <= set(field), "a field needs id and label")
    _must(re.fullmatch(_NAME, field["id"]), f"{field['id']} is an invalid variable name")
    _must(field["id"] != "tower", '"tower" is a reserved field name')
    kind = field.get("type", "string")
    _must(kind in ("string", "boolean"), f"type {kind}")
    _must(field.get("format", "url") in ("ssh_private_key", "url"), f"format {field.get('format')}")
    choices = field.get("choices", ["x"])
    _must(choices and len(set(choices)) == len(choices), "choices must be there, each once")
    if "default" in field:
        _must(
            isinstance(field["default"], {"string": str, "boolean": bool}[kind]), f"{field['default']} is not a {kind}"
        )
    if kind != "string":
        _must(
            not {"choices", "multiline", "format", "secret"} & set(field), f"only strings have these: {sorted(field)}"
        )


def _check_injectors(injectors: Mapping[str, Any], ids: Sequence[str]) -> None:
    _must(set(injectors) <= {"env", "extra_vars", "file"}, f"injectors may not hold {sorted(injectors)}")
    for name, template in injectors.get("env", {}).items():
        _must(re.fullmatch(_NAME, name), f"{name} is not the name of a variable")
        _must(template.isascii(), f"{name} is not ASCII")
        _must(not name.startswith("ANSIBLE_") and name not in _BLOCKED, f"Environment variable {name} is not allowed")
    files = list(injectors.get("file", {}))
    for name in files:
        _must(re.fullmatch(rf"template(\.{_NAME})?", name), f"file {name}")
    _must("template" not in files or len(files) == 1, "Must use multi-file syntax when injecting multiple files")
    known = {**dict.fromkeys(ids, "EXAMPLE"), "tower": _tower(files, "EXAMPLE_FILENAME")}
    for kind, templates in injectors.items():
        for name, template in templates.items():
            try:
                ImmutableSandboxedEnvironment(undefined=StrictUndefined).from_string(template).render(known)
            except TemplateError as exc:
                raise RefusedError(f"{kind}: {name} uses an undefined field or is not a template ({exc})") from None


def _tower(files: Sequence[str], path: str) -> dict[str, Any]:
    if "template" in files:
        return {"filename": path}
    return {"filename": {name.partition(".")[2]: path for name in files}} if files else {}


def check_credential(inputs: Mapping[str, Any], of_type: Mapping[str, Any]) -> None:
    fields = {field["id"]: field for field in of_type["inputs"]["fields"]}
    for name, value in inputs.items():
        _must(name in fields, f"the credential type has no field {name}")
        field = fields[name]
        _must(isinstance(value, bool if field.get("type") == "boolean" else str), f"{name} is of the wrong type")
        _must("choices" not in field or value in field["choices"], f"{name} is not one of {field.get('choices')}")
        if field.get("format") == "ssh_private_key" and value != "$encrypted$":
            _must("PRIVATE KEY-----" in value, f"{name}: Invalid certificate or key")


# --- surveys ---

_ANSWERS: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "textarea": str,
    "password": str,
    "multiplechoice": str,
    "multiselect": (str, list),
    "integer": int,
    "float": float,
}


def check_survey(survey: Mapping[str, Any]) -> None:
    for field, kind in {"name": str, "description": str, "spec": list}.items():
        _must(isinstance(survey.get(field), kind), f"Field '{field}' is missing from survey spec or of the wrong type.")
    _must(survey["spec"], "'spec' doesn't contain any items.")
    seen = set()
    for question in survey["spec"]:
        _check_question(question)
        _must(question["variable"] not in seen, f"'variable' '{question['variable']}' duplicated")
        seen.add(question["variable"])


def _check_question(question: Mapping[str, Any]) -> None:
    for field, kind in {"type": str, "question_name": str, "variable": str, "required": bool}.items():
        _must(isinstance(question.get(field), kind), f"'{field}' missing from survey question or of the wrong type")
    kind, default = question["type"], question.get("default", "")
    _must(kind in _ANSWERS, f"'{kind}' is not one of the allowed question types")
    _must(default == "" or isinstance(default, _ANSWERS[kind]), f"Default value {default} expected to be {kind}")
    _must(not str(default).startswith("$encrypted$"), "$encrypted$ is a reserved keyword")
    for limit in ("min", "max"):
        _must(question.get(limit) is None or isinstance(question[limit], int), f"The {limit} limit must be an integer")
    if kind in ("multiselect", "multiplechoice"):
        _must("choices" in question, f"Survey question of type {kind} must specify choices.")
        defaults = default.splitlines() if isinstance(default, str) else default
        _must(kind == "multiselect" or len(defaults) <= 1, "only one default value")
        _must(set(defaults) <= set(_choices(question)), "Default choice must be answered from the choices listed.")


def _choices(question: Mapping[str, Any]) -> list[str]:
    choices = question["choices"]
    return choices.splitlines() if isinstance(choices, str) else choices


def accept_answers(template: Mapping[str, Any], answers: Mapping[str, Any]) -> dict[str, Any]:
    """The extra variables of a launch: survey defaults, then the answers; everything else is refused."""
    questions = template["survey_spec"].get("spec", []) if template["survey_enabled"] else []
    wrong = [complaint for question in questions for complaint in _wrong_answer(question, answers)]
    _must(not wrong, f"variables_needed_to_start: {wrong}")
    unknown = set(answers) - {question["variable"] for question in questions}
    _must(not unknown or template["ask_variables_on_launch"], f"Variables {sorted(unknown)} are not allowed on launch.")
    defaults = {
        question["variable"]: question["default"] for question in questions if question.get("default") is not None
    }
    good = {
        question["variable"]: defaults[question["variable"]]
        for question in questions
        if question["variable"] in defaults and not list(_wrong_answer(question, defaults))
    }
    return {**good, **answers}


def _wrong_answer(question: Mapping[str, Any], answers: Mapping[str, Any]) -> Iterator[str]:
    name, kind = question["variable"], question["type"]
    if name not in answers:
        if question["required"]:
            yield f"'{name}' value missing"
        return
    answer = answers[name]
    wanted = {"multiselect": list, "float": (float, int)}.get(kind, _ANSWERS[kind])
    if not isinstance(answer, wanted) or isinstance(answer, bool):
        yield f"Value {answer} for '{name}' expected to be of type {kind}."
    elif kind in ("multiselect", "multiplechoice"):
        chosen = answer if isinstance(answer, list) else [answer]
        yield from (
            f"Value {one} for '{name}' expected to be one of the choices."
            for one in chosen
            if one not in _choices(question)
        )
    else:
        size = len(answer) if isinstance(answer, str) else answer
        if question.get("min") is not None and size < question["min"]:
            yield f"'{name}' value is too small"
        if question.get("max") is not None and size > question["max"]:
            yield f"'{name}' value is too large"


# --- schedules and notifications ---


def check_schedule(rrule: str) -> None:
    starts = re.findall(r"DTSTART(?:;[^:]+)?:[0-9]+T[0-9]+Z?", rrule)
    _must(len(starts) == 1, "Valid DTSTART required in rrule, and only one.")
    _must(not re.search(r"DTSTART:[0-9]+T[0-9]+ ", rrule), "DTSTART cannot be a naive datetime.")
    rules = re.findall(r"RULE:\S*", rrule)
    _must(rules, "One or more rule required in rrule.")
    for rule in rules:
        _must("INTERVAL" in rule, "INTERVAL required in rrule")
        _must("SECONDLY" not in rule, "SECONDLY is not supported")


_JOB = {
    "id": 42,
    "name": "Stub JobTemplate",
    "status": "running",
    "artifacts": {},
    "elapsed": 0.4,
    "started": "",
    "finished": False,
    "job_explanation": "",
    "host_status_counts": {"ok": 1, "changed": 0, "failures": 0, "dark": 0},
}
STUB = {
    "job": _JOB,
    "job_friendly_name": "Job",
    "url": "https://awx.example.com/#/jobs/playbook/42",
    "job_metadata": '{"extra_vars": "everything that was asked"}',
    "approval_status": "approved",
    "approval_node_name": "Approve Me",
    "workflow_url": "https://awx.example.com/#/jobs/workflow/42",
}
_EMAIL = {
    "host": str,
    "port": int,
    "username": str,
    "password": str,
    "use_tls": bool,
    "use_ssl": bool,
    "sender": str,
    "recipients": list,
    "timeout": int,
}
_WEBHOOK = {
    "url": str,
    "http_method": str,
    "disable_ssl_verification": bool,
    "username": str,
    "password": str,
    "headers": dict,
}
_CONFIGURATIONS: dict[str, tuple[dict[str, type], set[str]]] = {
    "email": (_EMAIL, {"timeout"}),
    "webhook": (_WEBHOOK, {"http_method", "disable_ssl_verification", "username", "password"}),
}


def check_notification(kind: str, configuration: Mapping[str, Any], messages: Mapping[str, Any]) -> None:
    _must(kind in _CONFIGURATIONS, f"this AWX knows e-mail and webhooks only, not {kind}")
    fields, optional = _CONFIGURATIONS[kind]
    missing = set(fields) - set(configuration) - optional
    _must(not missing, f"Missing required fields for Notification Configuration: {sorted(missing)}")
    for name, value in configuration.items():
        _must(name in fields and isinstance(value, fields[name]), f"Configuration field '{name}' incorrect type")
    for _event, texts in all_messages(messages):
        _must(set(texts) <= {"message", "body"}, f"Message type invalid: {sorted(texts)}")
        _must("\n" not in texts.get("message", ""), "Messages cannot contain newlines")
        for text in texts.values():
            try:
                render_message(text)
            except TemplateError as exc:
                raise RefusedError(f"Unable to render message '{text}': {exc}") from None


def render_message(text: str, artifacts: Mapping[str, Any] | None = None) -> str:
    """A notification's text, as AWX renders it for a job that left these artifacts.

    :raises TemplateError: it uses what AWX does not offer.
    """
    offered = {**STUB, "job": {**_JOB, "artifacts": artifacts or {}}}
    return ImmutableSandboxedEnvironment(undefined=StrictUndefined).from_string(text).render(offered)


def all_messages(messages: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, str]]]:
    _must(set(messages) <= {"started", "success", "error", "workflow_approval"}, f"Event invalid: {sorted(messages)}")
    for event, texts in messages.items():
        if event == "workflow_approval":
            _must(
                set(texts) <= {"running", "approved", "timed_out", "denied"}, f"Workflow Approval event {sorted(texts)}"
            )
            yield from ((f"{event} {name}", one) for name, one in texts.items())
        else:
            yield event, texts


def playbooks(files: Mapping[str, str]) -> set[str]:
    """Those of a project's files that AWX offers as playbooks."""
    line = re.compile(r"\s*?-?\s*?(?:hosts|(ansible\.builtin\.)?include|(ansible\.builtin\.)?import_playbook):\s*?.*?$")
    return {
        path
        for path, text in files.items()
        if path.endswith((".yml", ".yaml"))
        and not {"roles", "tasks", "group_vars", "host_vars"} & set(path.split("/")[:-1])
        and not any(part.startswith(".") for part in path.split("/"))
        and any(line.match(one) for one in text.splitlines())
    }
