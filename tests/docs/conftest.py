# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections import Counter

import pytest

from . import pages


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what of the documentation's code is run, and why the rest is not."""
    terminalreporter.section("the documentation's code")
    for page in pages.pages():
        kinds: Counter[str] = Counter()
        for block in pages.blocks(page):
            kinds[_kind(block)] += 1
        if kinds:
            terminalreporter.write_line(f"{page}: {', '.join(f'{count} {kind}' for kind, count in kinds.items())}")


def _kind(block: pages.Block) -> str:
    if block.not_run:
        return f"not run ({block.not_run})"
    if block.is_shell:
        return "of commands" + (f" that fail ({block.fails})" if block.fails else "")
    if block.plays:
        return "playbook"
    return "file" if block.file else "shown only"
