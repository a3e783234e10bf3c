# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The picture of who uses whom is of today's code."""

from __future__ import annotations

from pathlib import Path

from tools import layers

ROOT = Path(__file__).resolve().parents[3]


def test_the_picture_is_of_todays_code():
    assert layers.draw(list(layers.boxes())) == layers.PICTURE.read_text(encoding="utf-8"), (
        "draw it anew: PYTHONPATH=tests python -m tools.layers"
    )


def test_every_file_is_in_it():
    drawn = {box.name for box in layers.boxes()}
    files = {
        path.stem
        for folder in ("module_utils", "plugin_utils")
        for path in (ROOT / "plugins" / folder).glob("_[a-z]*.py")
    }

    assert files <= drawn
