# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""The pictures in the HTML report: doors, a leaver's doors in a row, icons.

Each state of a door has a shape of its own, not only a colour. Everything is drawn once and referred to, so that a report
of a thousand leavers stays light.
"""

from __future__ import annotations

import functools
import typing as t

from ..module_utils._doors import STEPS
from ._markup import Markup, e
from ._report_words import ABSENT, DOORS, OPEN, SHUT, UNSEEN, UNSURE, Leaver
from ._results import ACCEPTED, CONTAINED, DELETED, FAILED, NOT_DUE, OPEN_DOORS, PARTIAL, REFUSED, UNCONFIRMED

# A door is 20 wide and 24 high, an icon 24 by 24.
_DOOR_LEAF = "M5 4.5a1 1 0 0 1 1-1h8a1 1 0 0 1 1 1v16H5z"
_QUESTION = "M7.4 9.4a2.6 2.6 0 1 1 3.9 2.3c-.9.5-1.3 1-1.3 2"
_DOOR_SHAPES = {
    SHUT: [e("path", d=f"{_DOOR_LEAF}M11.4 12a1.1 1.1 0 1 0 2.2 0a1.1 1.1 0 1 0-2.2 0z", fill_rule="evenodd")],
    OPEN: [
        e("rect", x=1, y=1, width=18, height=22, rx=4),
        e("path", d="M5.5 19.5V5h9v14.5", class_="frame"),
        e("path", d="M5.5 4.6l5 2.4v14l-5-2.4z", class_="leaf"),
    ],
    UNSURE: [
        e("rect", x=1.75, y=1.75, width=16.5, height=20.5, rx=4),
        e("path", d=_QUESTION),
        e("circle", cx=10, cy=16.6, r=1.1),
    ],
    ACCEPTED: [
        e("rect", x=1.75, y=1.75, width=16.5, height=20.5, rx=4),
        e("path", d="M6 12.4l2.8 2.8 5.2-5.6"),
    ],
    UNSEEN: [e("path", d=f"{_DOOR_LEAF}")],
    ABSENT: [e("path", d="M7.5 12h5")],
}
_CIRCLE = "M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18z"
_ICONS = {
    FAILED: ["M8.3 3h7.4L21 8.3v7.4L15.7 21H8.3L3 15.7V8.3z", "M9 9l6 6M15 9l-6 6"],
    REFUSED: [_CIRCLE, "M7.5 12h9"],
    OPEN_DOORS: ["M2.5 21h3M18.5 21h3M5.5 21V3h13v18", "M5.5 3l7 3.2V23l-7-2z"],
    UNCONFIRMED: [_CIRCLE, "M9.4 9.6a2.6 2.6 0 1 1 3.9 2.3c-.9.5-1.3.9-1.3 1.7M12 16.6v.1"],
    NOT_DUE: [_CIRCLE, "M12 7v5.2l3.4 2"],
    ACCEPTED: ["M5.5 21V3h13v18z", "M8.6 12.2l2.4 2.4 4.2-4.6"],
    DELETED: [_CIRCLE, "M8.5 8.5l7 7M15.5 8.5l-7 7"],
    PARTIAL: [_CIRCLE, "M12 3a9 9 0 0 1 0 18z"],
    CONTAINED: [_CIRCLE, "M8 12.4l2.8 2.8 5.2-5.6"],
    "shut": ["M2.5 21h19M5.5 21V3h13v18", "M9 12.2l2.4 2.4 4.2-4.6"],
    "residual": ["M8 8a4 4 0 1 0 0 8a4 4 0 1 0 0-8z", "M12 12h9.5v4M17.5 12v3"],
    "info": [_CIRCLE, "M12 11v5.5M12 7.6v.1"],
}
_FILLED = (OPEN_DOORS, PARTIAL)


def symbols() -> Markup:
    """What the other functions refer to; once in a page."""
    doors = [e("g", shapes, id=f"d-{state}", class_=f"d-{state}") for state, shapes in _DOOR_SHAPES.items()]
    return _defined([*doors, *(_drawn(name, paths) for name, paths in _ICONS.items())])


def _drawn(name: str, paths: t.Sequence[str]) -> Markup:
    outline, *inner = paths
    filled = "filled" if name in _FILLED else None
    return e(
        "g", e("path", d=outline), [e("path", d=path, class_=filled) for path in inner], id=f"i-{name}", class_="i"
    )


def _defined(drawings: t.Sequence[Markup]) -> Markup:
    return e("svg", e("defs", drawings), class_="hidden", width=0, height=0, aria_hidden="true")


@functools.lru_cache(maxsize=64)
def icon(name: str, class_: str = "icon") -> Markup:
    return _use(f"i-{name}", "0 0 24 24", class_)


def door(state: str) -> Markup:
    return _use(f"d-{state}", "0 0 20 24", "door")


def _use(name: str, box: str, class_: str) -> Markup:
    return e("svg", e("use", href=f"#{name}"), class_=class_, viewBox=box, aria_hidden="true")


# --- a leaver's doors in a row ---

_PITCH, _GAP = 20, 8  # of the doors; the gap parts the account from its mailbox


def _x(index: int) -> int:
    return index * _PITCH + (_GAP if index >= len(STEPS) - 1 else 0)


_WIDTH = _x(len(DOORS))


def rows(leavers: t.Iterable[Leaver]) -> Markup:
    """Each combination of doors that somebody has; once in a page."""
    drawn = {}
    for pattern in dict.fromkeys(map(_pattern, leavers)):
        uses = [e("use", href=f"#d-{state}", x=_x(index)) for index, state in enumerate(pattern)]
        drawn[pattern] = e("g", uses, id=_pattern_id(pattern))
    return _defined(list(drawn.values()))


def row(one: Leaver, label: str) -> Markup:
    """A leaver's doors; the label is for those who do not see it."""
    use = e("use", href=f"#{_pattern_id(_pattern(one))}")
    return e("svg", use, class_="doors", viewBox=f"0 0 {_WIDTH} 24", role="img", aria_label=label)


def columns(names: t.Mapping[str, str], counts: t.Mapping[str, int], label: str) -> Markup:
    """The doors' names upright above their column, and a number below each."""
    titles = [e("text", names[name], transform=_upright(index, 106)) for index, name in enumerate(DOORS)]
    narrow = max(counts.values(), default=0) < 100  # longer numbers would run into each other
    numbers = [
        e(
            "text",
            counts[name],
            transform=f"translate({_x(index) + _PITCH // 2} 124)" if narrow else _upright(index, 137),
            class_=" ".join(filter(None, ("sum", "level" if narrow else None, None if counts[name] else "zero"))),
        )
        for index, name in enumerate(DOORS)
    ]
    box = f"0 0 {_WIDTH} {130 if narrow else 138}"
    return e("svg", titles, numbers, class_="doors", viewBox=box, role="img", aria_label=label)


def _upright(index: int, y: int) -> str:
    return f"translate({_x(index) + 14} {y}) rotate(-90)"


def _pattern(one: Leaver) -> tuple[str, ...]:
    return tuple(one.doors[door] for door in DOORS)


def _pattern_id(pattern: t.Iterable[str]) -> str:
    letters = {OPEN: "o", UNSURE: "u", ACCEPTED: "e", UNSEEN: "n", ABSENT: "a", SHUT: "s"}
    return "p-" + "".join(letters[state] for state in pattern)
