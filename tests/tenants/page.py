# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in the guide ``Many tenants``: its files, by their captions, its commands and its outputs.

So what people copy from there is what is tested.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "docsite" / "rst" / "tenants.rst"
_BLOCK = re.compile(
    r"^\.\. code-block:: (?P<language>\S+)\n(?: +:caption: (?P<caption>.+)\n)?\n(?P<text>(?:(?: +.*)?\n)+)",
    re.MULTILINE,
)


def _blocks() -> list[tuple[str, str | None, str]]:
    """Language, caption and text of every block."""
    found = [
        (block["language"], block["caption"], textwrap.dedent(block["text"]).strip("\n") + "\n")
        for block in _BLOCK.finditer(PAGE.read_text(encoding="utf-8") + "\n")
    ]
    assert len(found) == PAGE.read_text(encoding="utf-8").count("code-block::"), "a block was not understood"
    return found


def files(*beginnings: str) -> dict[str, str]:
    """The files whose paths begin so, by path."""
    return {
        caption: text
        for _language, caption, text in _blocks()
        if caption is not None and caption.startswith(beginnings)
    }


def write(folder: Path, *beginnings: str) -> None:
    """Put the files whose paths begin so where they say."""
    chosen = files(*beginnings)
    assert chosen, f"the page has no {' nor '.join(beginnings)}"
    for path, text in chosen.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        target.chmod(0o700 if text.startswith("#!") else 0o600)


def command(beginning: str) -> str:
    """Of the page's commands that begin so, the shortest one, which has no further options."""
    lines = [line for language, _caption, text in _blocks() if language == "bash" for line in text.splitlines()]
    return min((line for line in lines if line.startswith(beginning)), key=len)


def outputs() -> list[str]:
    """What the page shows as output."""
    return [text for language, caption, text in _blocks() if language == "text" and caption is None]
