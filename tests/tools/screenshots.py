# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take the screenshots in docs/images from a report of 20 invented leavers."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from . import chromium, sample_evidence, tree

if TYPE_CHECKING:
    from playwright.sync_api import Page

_IMAGES = tree.ROOT / "docs" / "images"
_LARGEST = 120 * 1024


def _report() -> str:
    sys.path.insert(0, str(tree.link()))
    from ansible_collections.m365.offboarding.plugins.plugin_utils._containment import containment
    from ansible_collections.m365.offboarding.plugins.plugin_utils._report_html import as_html

    evidence = sample_evidence.evidence(20)
    del evidence["hosts"]["tailspin"]
    leavers = evidence["hosts"]["contoso"]["leavers"]
    for number in (2, 7, 16):
        leavers[number]["residual"] = sample_evidence.residual(number)
    for leaver in leavers:
        leaver["containment"] = containment(leaver)
    return as_html(evidence)


def _take(page: Page, name: str) -> int:
    """Save the visible part of the page, with few enough colours to load fast; return its size in bytes."""
    path = _IMAGES / name
    with Image.open(io.BytesIO(page.screenshot(animations="disabled"))) as picture:
        picture.convert("RGB").quantize(colors=256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(tree.ROOT)}: {path.stat().st_size / 1024:.0f} KiB")
    return path.stat().st_size


def main() -> int:
    """Take the screenshots, and fail if one is too large for a README."""
    _IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium.running() as browser:
        place = Path(folder, "report.html")
        place.write_text(_report(), encoding="utf-8")

        page = browser.new_page(viewport={"width": 1200, "height": 1120}, color_scheme="light")
        page.goto(place.as_uri())
        sizes = [_take(page, "report-light.png")]

        page = browser.new_page(viewport={"width": 1200, "height": 1000}, color_scheme="dark")
        page.goto(place.as_uri())
        # One leaver with the row expanded, directly below the names of the doors.
        row = page.locator("#list > li[data-marks=residual][data-status=contained][data-left]").first
        row.locator("summary").click()
        row.evaluate(
            "e => scrollBy(0, e.getBoundingClientRect().top - document.querySelector('.columns').offsetHeight)"
        )
        page.mouse.move(0, 0)
        sizes.append(_take(page, "report-dark.png"))
    return int(max(sizes) > _LARGEST)


if __name__ == "__main__":
    sys.exit(main())
