# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the distribution's Chromium; in CI, install it first."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MISSING = "Chromium is not installed: apt-get install chromium, or set CHROMIUM to its executable."
# No background traffic: a request that a test sees must come from the page.
_QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")


def find() -> str | None:
    """Return the path of Chromium, or None if it is not installed."""
    wanted = os.environ.get("CHROMIUM")
    return shutil.which(wanted) if wanted else shutil.which("chromium") or shutil.which("chromium-browser")


def provide() -> str | None:
    """Return the path of Chromium, or None. Nothing is installed outside CI."""
    found = find()
    if found or not os.environ.get("CI") or os.geteuid() or not shutil.which("apt-get"):
        return found
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in ("update", "install --yes --no-install-recommends chromium fonts-roboto-unhinted"):
        reported = subprocess.run(
            ["apt-get", "-qq", *command.split()], env=quiet, capture_output=True, check=False, text=True
        )
        if reported.returncode:
            print(f"apt-get {command} failed:", reported.stderr.strip(), file=sys.stderr)
    return find()


@contextmanager
def running() -> Iterator[Browser]:
    """Start Chromium, and stop it at the end."""
    from playwright.sync_api import sync_playwright

    path = find()
    if not path:
        raise SystemExit(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_QUIET))
        try:
            yield browser
        finally:
            browser.close()
