# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the guides in docs/docsite, for tests that compare them with the source."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "docsite" / "rst"


def text(page: str) -> str:
    """Return a page by its name."""
    return (FOLDER / f"{page}.rst").read_text(encoding="utf-8")


def tables(page: str) -> list[list[list[str]]]:
    """Return each `list-table` of a page as a list of rows, without the header; a row is the texts of its cells."""
    found = []
    for table in re.split(r"^\.\. list-table::\n", text(page), flags=re.MULTILINE)[1:]:
        own = re.match(r"(?:(?: {3}.*)?\n)+", table)
        rows = re.split(r"^ {3}\* - ?", own[0] if own else "", flags=re.MULTILINE)[2:]
        cells = [re.split(r"^ {5}- ?", row, flags=re.MULTILINE) for row in rows]
        found.append([[" ".join(cell.split()) for cell in row] for row in cells])
    return found
