# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The picture of the architecture shows today's imports."""

from __future__ import annotations

from tools import layers


def test_the_picture_shows_todays_imports():
    assert layers.draw(list(layers.boxes())) == layers.PICTURE.read_text(encoding="utf-8"), (
        "draw it again: PYTHONPATH=tests python -m tools.layers"
    )
