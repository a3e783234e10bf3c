# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`python -m simulator`: starts, reports how to reach it, works, and ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

TESTS = Path(__file__).resolve().parents[2]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "simulator", *arguments], cwd=TESTS, stdout=subprocess.PIPE, text=True
    )


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> str:
    process.send_signal(number)
    output, _ignored = process.communicate(timeout=10)
    assert process.returncode == 0
    return output


def wait_for(path: Path) -> None:
    for _ignored in range(500):
        if path.exists():
            return
        time.sleep(0.02)
    raise AssertionError(f"{path} did not appear")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_life(tmp_path, number):
    folder, journal, pid_file = tmp_path / "tenant", tmp_path / "journal", tmp_path / "pid"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    process = start(
        "--directory",
        str(folder),
        "--journal",
        str(journal),
        "--pid-file",
        str(pid_file),
        f"--graph-port={port}",
        "--crowd=5",
    )
    try:
        wait_for(folder / "environment.json")
        environment = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
        assert environment["M365_GRAPH_URL"] == f"https://127.0.0.1:{port}"
        assert int(pid_file.read_text(encoding="utf-8")) == process.pid
        for name in ("ca.pem", "environment.json", "environment.sh"):
            assert (folder / name).stat().st_mode & 0o777 == 0o600
        sourced = subprocess.run(
            ["sh", "-c", f". {folder}/environment.sh; env"],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": os.environ["PATH"]},
        ).stdout
        assert f"AZURE_CLIENT_SECRET={environment['AZURE_CLIENT_SECRET']}\n" in sourced
        with requests.Session() as http:
            http.trust_env = False
            http.verify = environment["REQUESTS_CA_BUNDLE"]
            form = {
                "grant_type": "client_credentials",
                "client_id": environment["AZURE_CLIENT_ID"],
                "client_secret": environment["AZURE_CLIENT_SECRET"],
                "scope": f"{environment['M365_GRAPH_URL']}/.default",
            }
            url = f"{environment['M365_AUTHORITY_URL']}/{environment['AZURE_TENANT_ID']}/oauth2/v2.0/token"
            token = http.post(url, data=form).json()["access_token"]
            answer = http.get(
                f"{environment['M365_GRAPH_URL']}/v1.0/users/user00004@contoso.com",
                headers={"Authorization": f"Bearer {token}"},
            )
            assert answer.status_code == 200
    finally:
        output = end(process, number)
    assert f"export AZURE_CLIENT_SECRET='{environment['AZURE_CLIENT_SECRET']}'\n" in output
    assert not pid_file.exists()
    assert not (folder / "environment.json").exists()
    assert len(journal.read_text(encoding="utf-8").splitlines()) == 2


def test_many_tenants_that_take_their_time(tmp_path):
    process = start("--directory", str(tmp_path), "--tenants=3", "--latency-ms=200", "--crowd=2")
    try:
        wait_for(tmp_path / "environment.json")
        others = sorted(tmp_path.glob("tenants/*/environment.json"))
        assert [path.parent.name for path in others] == ["tenant002.example", "tenant003.example"]
        environments = [
            json.loads(path.read_text(encoding="utf-8")) for path in [tmp_path / "environment.json", *others]
        ]
        assert len({environment["AZURE_TENANT_ID"] for environment in environments}) == 3
        assert len({environment["M365_GRAPH_URL"] for environment in environments}) == 1
        with requests.Session() as http:
            http.trust_env = False
            http.verify = environments[0]["REQUESTS_CA_BUNDLE"]
            for place, environment in enumerate(environments):
                form = {
                    "grant_type": "client_credentials",
                    "client_id": environment["AZURE_CLIENT_ID"],
                    "client_secret": environment["AZURE_CLIENT_SECRET"],
                    "scope": f"{environment['M365_GRAPH_URL']}/.default",
                }
                url = f"{environment['M365_AUTHORITY_URL']}/{environment['AZURE_TENANT_ID']}/oauth2/v2.0/token"
                token = http.post(url, data=form).json()["access_token"]
                domain = "contoso.com" if place == 0 else f"tenant{place + 1:03d}.example"
                started = time.monotonic()
                answer = http.get(
                    f"{environment['M365_GRAPH_URL']}/v1.0/users/user00001@{domain}",
                    headers={"Authorization": f"Bearer {token}"},
                )
                assert answer.status_code == 200
                assert time.monotonic() - started >= 0.2
    finally:
        end(process)
    assert list(tmp_path.glob("**/environment.*")) == []


def test_its_own_folder_goes_with_it():
    process = start("--app", "auditor")
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("export SSL_CERT_FILE"):
            break
    path = Path(lines[-1].split("'")[1])
    assert path.exists()
    end(process)
    assert not path.parent.exists()


def test_names_in_the_certificate(tenant):
    context = ssl.create_default_context(cafile=str(tenant.ca_path))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    for name in (
        "127.0.0.1",
        "localhost",
        "graph.microsoft.com",
        "login.microsoftonline.com",
        "login.windows.net",
        "login.microsoft.com",
        "outlook.office365.com",
    ):
        with (
            socket.create_connection(("127.0.0.1", tenant.ports["graph"])) as plain,
            context.wrap_socket(plain, server_hostname=name),
        ):
            pass


def test_real_names_reach_their_service_on_any_port(client, tenant):
    """With a private hosts file every real name leads to the same port."""
    for name, path, status in (
        ("graph.microsoft.com", "/v1.0/users", 401),
        ("outlook.office365.com", "/v1.0/users", 404),
        ("login.microsoftonline.com", "/contoso.com/v2.0/.well-known/openid-configuration", 200),
    ):
        for port in tenant.ports:
            answer = client.http.get(tenant.url(port) + path, headers={"Host": name})
            assert answer.status_code == status
    assert answer.json()["token_endpoint"].startswith("https://login.microsoftonline.com/")
