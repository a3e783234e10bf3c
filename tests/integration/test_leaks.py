# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""No password, secret, assertion or token in anything that a run leaves behind, at the highest verbosity."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from simulator import Fault, Tenant

from .support import AUDIT, OFFBOARD, Played, Player, a_play, a_task

WORST = "-vvvv"


def everything(folder: Path) -> dict[str, str]:
    """What a run wrote, and the output, by path: AWX stores the record, people mail the log."""
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8", errors="replace")
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("hosts.yml", "playbook.yml", "variables.yml")
    }


def leaks(played: Played, secrets: Iterable[str]) -> set[str]:
    """Where a secret is to be found, as it is or as JSON, addresses and headers write it."""
    texts = {**everything(played.folder), "stdout": played.stdout, "stderr": played.stderr}
    assert {"stdout", "record.jsonl", "ansible.log"} <= set(texts)
    needles = {shape for secret in secrets for shape in shapes(secret)}
    return {name for name, text in texts.items() if any(needle in text for needle in needles)}


def shapes(secret: str) -> set[str]:
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), quote(secret), encoded}


def verbose(play: Player, folder: Path, playbook: Any, *arguments: str, **keywords: Any) -> Played:
    """At the highest verbosity, with everything switched on that writes something."""
    own = folder / f"run{play.runs + 1}"
    environment = {
        "ANSIBLE_LOG_PATH": str(own / "ansible.log"),
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(own / "facts"),
        "ANSIBLE_INJECT_INVOCATION": "true",
        "M365_RETRY_TIMEOUT": "2",
        "M365_VERIFY_TIMEOUT": "2",
        **keywords.pop("environment", {}),
    }
    return play(playbook, WORST, "--diff", *arguments, environment=environment, **keywords)


def test_nothing_leaks_from_the_environment(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    """With the payloads that Ansible sends to its interpreters kept: credentials of the environment are not in them."""
    known = len(tenant.graph.writes.received)
    users = [tenant.directory.user(key) for key in ("jane", "admin", "restricted", "synced", "john", "maria", "olga")]
    by_key = {user.key: user.id for user in users}
    html = "<html>Bearer eyJ0eXAi</html>"
    tenant.faults.add(
        Fault(user=by_key["john"], writes=True, status=502, body=html, nth=(1, 99)),
        Fault(user=by_key["maria"], method="PATCH", close="after", nth=1),
        Fault(user=by_key["olga"], cmdlet="Set-CASMailbox", nul_gzip=True),
    )

    played = verbose(
        play,
        tmp_path,
        OFFBOARD,
        leavers=[*(user.upn for user in users), "nobody@contoso.com"],
        offboard_employee_report_path=str(tmp_path / "run1" / "report.json"),
        environment={"ANSIBLE_KEEP_REMOTE_FILES": "1"},
    )

    assert played.returncode == 2
    statuses = [leaver["status"] for leaver in played.leavers()]
    assert statuses == ["contained", "refused", "failed", "failed", "failed", "contained", "failed", "failed"]
    assert len(tenant.graph.writes.received[known:]) >= 4
    texts = everything(played.folder)
    assert "report.json" in texts
    assert sum(name.endswith(".py") and "AnsiballZ" in name for name in texts) >= 6
    assert leaks(played, tenant.issued_secrets()) == set()
    assert "eyJ0eXAi" not in played.output


def test_nothing_leaks_from_variables_and_options(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    files = tenant.certificate_files()
    jane, john = (tenant.directory.user(key) for key in ("jane", "john"))
    tenant_id = {"m365_tenant_id": tenant.tenant_id}
    refused = {"m365_client_id": tenant.app("offboarding").client_id, "m365_client_secret": "s3cret-that-is~wrong"}
    certified = {
        "m365_client_id": tenant.app("certificate").client_id,
        "m365_certificate_path": files["encrypted_pem"],
        "m365_certificate_password": files["passphrase"],
    }
    secret = {
        "m365_client_id": tenant.app("disabled").client_id,
        "m365_client_secret": tenant.app("disabled").client_secret,
    }
    hosts = {
        "certified": {**tenant_id, **certified},
        "refused": {**tenant_id, **refused},
        "disabled": {**tenant_id, **secret},
    }
    tenant.faults.add(Fault(listener="entra", path="/token$", app="certificate", status=500, body="<secret>", nth=1))
    own_password = "Own/\"Passw0rd'{{ for }} her"

    played = verbose(play, tmp_path, OFFBOARD, hosts=hosts, app=None, leavers=jane.upn)

    assert played.leaver("certified")["contained"], played.output
    assert "AADSTS7000215" in played.failure("refused")
    assert "The application is disabled" in played.failure("disabled")
    key = [line for line in Path(files["key"]).read_text().splitlines() if "-----" not in line]
    wrong = refused["m365_client_secret"]
    assert leaks(played, [*tenant.issued_secrets(), *key, wrong]) == set()

    given = verbose(
        play,
        tmp_path,
        [
            a_play(
                a_task("Set", "m365_user_password", users=jane.upn, password="{{ lookup('env', 'OWN_PASSWORD') }}"),
                a_task(
                    "Refuse",
                    "m365_user_password",
                    users=[jane.upn, john.upn],
                    password="{{ lookup('env', 'OWN_PASSWORD') }}",
                ),
                a_task(
                    "Refuse too", "m365_user_password", users=jane.upn, password="short-{{ lookup('env', 'WEAK') }}"
                ),
            )
        ],
        environment={"OWN_PASSWORD": own_password, "WEAK": "w3ak\u00e9"},
    )

    assert given.result("Set")["users"][0]["status"] == "verified", given.output
    assert own_password in tenant.graph.writes.received
    assert leaks(given, [*tenant.issued_secrets(), "w3ak\u00e9"]) == set()


def test_the_scan_finds_what_there_is(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    """So that its silence means something: secrets in plain sight, in facts, in results, and in files."""
    app = tenant.app()
    token = "eyJ0eXAiOiJKV1Qi.some-token/with+signs"
    tasks = [
        {"name": "Show", "ansible.builtin.debug": {"msg": "secret: {{ secret }}"}},
        {"name": "Keep", "ansible.builtin.set_fact": {"kept": "{{ token }}", "cacheable": True}},
        {
            "name": "Write",
            "ansible.builtin.copy": {
                "content": "{{ token | urlencode }}",
                "dest": f"{tmp_path}/run1/report.json",
                "mode": "0600",
            },
        },
    ]

    played = verbose(
        play,
        tmp_path,
        [a_play(*tasks)],
        app=None,
        secret=app.client_secret,
        token=token,
        environment={"ANSIBLE_KEEP_REMOTE_FILES": "1"},
    )

    assert played.returncode == 0, played.output
    assert app.client_secret in tenant.issued_secrets()
    found = leaks(played, tenant.issued_secrets())
    assert {"stdout", "ansible.log", "record.jsonl"} <= found
    found = leaks(played, [token])
    assert {"stdout", "record.jsonl", "report.json"} <= found
    assert any(name.startswith("facts/") for name in found)


def test_audit_leaks_nothing_when_the_network_is_bad(tenant: Tenant, play: Player, tmp_path: Path) -> None:
    jane = tenant.directory.user("jane")
    tenant.faults.add(Fault(listener="graph", truncate=20), Fault(listener="exchange", nul_gzip=True))

    played = verbose(play, tmp_path, AUDIT, app="auditor", leavers=jane.upn)

    assert played.returncode == 2
    assert "Traceback" not in played.output
    assert leaks(played, tenant.issued_secrets()) == set()
