# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports on disk, and Chromium to look at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from ansible_collections.m365.offboarding.plugins.plugin_utils._report_html import as_html
from tools import chromium
from tools import sample_evidence as sample

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "device_scale_factor": 2}
DESKTOP = {"viewport": {"width": 1280, "height": 900}}


def hostile() -> dict[str, Any]:
    """Return evidence in which every name is an attack on the page, or on its width."""
    evidence = sample.evidence(20, residual_access=True, changes=True)
    attacks = (
        "<script>window.pwned = 1</script>",
        '"><img src=x onerror="window.pwned = 1">',
        "</style></script><svg onload=window.pwned=1>",
        "<iframe srcdoc='<script>parent.pwned = 1</script>'></iframe>",
        "W" * 200,
    )
    for host in evidence["hosts"].values():
        for number, one in enumerate(host["leavers"]):
            attack = attacks[number % len(attacks)]
            one.update(display_name=attack, user=attack)
            for entry in one["steps"].values():
                entry["note"] = attack
                entry["request_id"] = attack
            one["error"] = sample.problem(attack, attack, attack, attack)
    return evidence


EVIDENCE: dict[str, Callable[[], dict[str, Any]]] = {
    "1": lambda: sample.evidence(1, residual_access=True),
    "20": lambda: sample.evidence(20, residual_access=True, changes=True),
    "1000": lambda: sample.evidence(1000, residual_access=True),
    "audit": lambda: sample.evidence(12, purpose="audit"),
    "check": lambda: sample.evidence(20, check_mode=True, complete=False),
    "empty": lambda: sample.file({}),
    "hostile": hostile,
    "20 contained": lambda: sample.file(
        {"contoso": sample.host([sample.leaver("contained_now", n) for n in range(20)])}
    ),
    "good": lambda: sample.file({"localhost": sample.host([sample.leaver("contained_now", n) for n in range(3)])}),
}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium.running() as started:
        yield started


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Return a function that writes a kind of report, once, and returns its address."""
    folder = tmp_path_factory.mktemp("reports")

    def address(kind: str) -> str:
        path: Path = folder / f"{kind}.html"
        if not path.exists():
            path.write_text(as_html(EVIDENCE[kind]()), encoding="utf-8")
        return path.as_uri()

    return address


@pytest.fixture
def show(browser: Browser, reports: Callable[[str], str]) -> Iterator[Callable[..., Page]]:
    """Open reports. None may write to the console, ask for anything but itself, or show a dialogue."""
    contexts, complaints = [], []

    def opened(kind: str, **options: Any) -> Page:
        context = browser.new_context(**{**DESKTOP, **options})
        contexts.append(context)
        page = context.new_page()
        address = reports(kind)
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (complaints.append(f"dialogue: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: None if request.url == address else complaints.append(request.url))
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints
