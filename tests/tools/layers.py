# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layers that docs/architecture.md lists; `python -m tools.layers` draws docs/images/architecture.svg from their imports."""

from __future__ import annotations

import ast
import functools
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import tree

PAGE = tree.ROOT / "docs" / "architecture.md"
PICTURE = tree.ROOT / "docs" / "images" / "architecture.svg"
_PLUGINS = tree.ROOT / "plugins"
# Left in the picture: what runs on the controller. Right: what is sent to wherever modules run.
_SIDES = {"plugin_utils": "left", "module_utils": "right"}
_IMPORT = re.compile(r"(?:^|\.)(?:module|plugin)_utils(?:\.(_\w+))?$")
_NAMED = re.compile(r"m365\.offboarding\.(\w+)")
_BOX, _GAP, _ROW, _MARGIN = (112, 26), 10, 62, 24
_STYLE = """
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#1c2330;text-anchor:middle}
text.side{font:600 13px system-ui,sans-serif;fill:#5b6573}
rect{fill:#eef2f8;stroke:#8a97a8}rect.left{fill:#eaf5ec}rect.top{fill:#fbf3e2}path{stroke:#8a97a8;fill:none}
@media(prefers-color-scheme:dark){text{fill:#e4e9f0}text.side{fill:#9aa7b8}rect{fill:#1e2a3c}rect.left{fill:#1b3122}rect.top{fill:#352c18}}
"""


@dataclass(frozen=True)
class Box:
    """A file, or all plugins of a kind, with the names of the boxes that it uses."""

    name: str
    side: str
    uses: frozenset[str]


def order() -> list[str]:
    """Return the files of `plugin_utils` and `module_utils` as the page lists them: each uses only those after it."""
    return re.findall(r"^  (_\w+)  ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def boxes() -> Iterator[Box]:
    """Yield everything that is drawn, with its imports in today's code."""
    for folder, side in _SIDES.items():
        for name in sorted(order()):
            if (path := _PLUGINS / folder / f"{name}.py").is_file():
                yield Box(name, side, frozenset(_imports(path)))
    kinds = {"modules": "right", "action": "left", "filter": "left", "lookup": "left"}
    named: dict[str, str] = {}
    for kind, side in kinds.items():
        # A module file that imports nothing of ours documents an action plugin.
        paths = [path for path in (_PLUGINS / kind).glob("*.py") if kind != "modules" or _imports(path)]
        named.update((path.stem, kind) for path in paths if path.stem not in named)
        yield Box(kind, side, frozenset(name for path in paths for name in _imports(path)))
    roles = {path.name: _mentioned(path / "tasks") for path in sorted((tree.ROOT / "roles").iterdir())}
    for role, names in roles.items():
        yield Box(role, "top", frozenset(named[name] for name in names & set(named)))
    yield Box("playbooks", "top", frozenset(_mentioned(tree.ROOT / "playbooks") & set(roles)))


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            name = f"{'.' * node.level}{node.module or ''}"
            ours = _IMPORT.search(name)
            if ours and not name.startswith("ansible."):
                found |= {ours.group(1)} if ours.group(1) else {alias.name for alias in node.names}
            elif node.level and node.module and node.module.startswith("_"):
                found.add(node.module)
    return found - {path.stem}


def _mentioned(folder: Path) -> set[str]:
    return {name for path in folder.glob("*.yml") for name in _NAMED.findall(path.read_text(encoding="utf-8"))}


def draw(found: list[Box]) -> str:
    """Return the picture as SVG: each box stands above those that it uses."""
    uses = {box.name: box.uses for box in found}

    @functools.cache
    def height(name: str) -> int:
        return 1 + max((height(other) for other in uses[name]), default=-1)

    @functools.cache
    def below(name: str) -> frozenset[str]:
        return uses[name] | frozenset(far for near in uses[name] for far in below(near))

    floors = max(height(box.name) for box in found if box.side != "top") + 1
    heights = {box.name: height(box.name) for box in found}
    # Roles and playbooks stand above everything, and so do the plugins that they call.
    for box in found:
        if box.name in ("modules", "action", "filter", "lookup"):
            heights[box.name] = floors - 1
        elif box.side == "top":
            heights[box.name] = floors + (box.name == "playbooks")
    rows: dict[tuple[int, str], list[str]] = {}
    for box in found:
        rows.setdefault((heights[box.name], box.side), []).append(box.name)
    step = max(_wide(box.name) for box in found if box.side != "top") + _GAP
    widths = {
        side: max((len(names) for (_h, own), names in rows.items() if own == side)) * step for side in ("left", "right")
    }
    middles = {
        "left": _MARGIN + widths["left"] / 2,
        "right": 2 * _MARGIN + widths["left"] + widths["right"] / 2,
        "top": _MARGIN + (widths["left"] + widths["right"] + _MARGIN) / 2,
    }
    width, tall = 3 * _MARGIN + sum(widths.values()), (max(heights.values()) + 1) * _ROW + 2 * _MARGIN
    places = {
        name: (
            middles[side] + (index - (len(names) - 1) / 2) * (step if side != "top" else 2 * step),
            tall - _MARGIN - (floor + 0.5) * _ROW,
        )
        for (floor, side), names in rows.items()
        for index, name in enumerate(names)
    }
    lines = [
        _line(places[name], places[other])
        for name, others in uses.items()
        for other in sorted(others)
        if not any(other in below(near) for near in others)  # lines that follow from others are left out
    ]
    shapes = [_shape(box, *places[box.name]) for box in found]
    titles = [
        f'<text class="side" x="{middles[side]:.0f}" y="{tall - 8}">{text}</text>'
        for side, text in (("left", "plugin_utils: on the controller"), ("right", "module_utils: wherever modules run"))
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {tall:.0f}" role="img">'
    title = "<title>Playbooks use roles, roles use plugins, and each file uses only those below it</title>"
    return "\n".join([head, title, f"<style>{_STYLE}</style>", *lines, *shapes, *titles, "</svg>", ""])


def _wide(name: str) -> float:
    return max(_BOX[0], len(name) * 7.5 + 16)


def _line(start: tuple[float, float], end: tuple[float, float]) -> str:
    top, bottom = start[1] + _BOX[1] / 2, end[1] - _BOX[1] / 2
    bend = (bottom - top) / 2
    return (
        f'<path d="M{start[0]:.0f} {top:.0f}C{start[0]:.0f} {top + bend:.0f} {end[0]:.0f} {bottom - bend:.0f}'
        f' {end[0]:.0f} {bottom:.0f}"/>'
    )


def _shape(box: Box, x: float, y: float) -> str:
    wide = _wide(box.name)
    return (
        f'<rect class="{box.side}" x="{x - wide / 2:.0f}" y="{y - _BOX[1] / 2:.0f}" width="{wide:.0f}" '
        f'height="{_BOX[1]}" rx="5"/><text x="{x:.0f}" y="{y + 4:.0f}">{html.escape(box.name)}</text>'
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(list(boxes())), encoding="utf-8")
