# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record two commands in a terminal, run against a local tenant, as docs/images/terminal-*.svg.

The pictures are animated in the rhythm of the output, with long pauses cut. Without animations they show the end. Only
the name of the temporary folder is replaced.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from simulator import Tenant

from . import tree

_IMAGES = tree.ROOT / "docs" / "images"
_LARGEST = 60 * 1024
_COLUMNS, _ROWS = 118, 40
_COMMANDS = (
    "ansible-playbook m365.offboarding.audit -e leavers=jane.doe@contoso.com",
    "ansible-playbook m365.offboarding.offboard -e leavers=jane.doe@contoso.com",
)
# Longer pauses are cut to this many seconds.
_LONGEST_SILENCE = 0.4
_HOME = "/home/you"

# Readable colours: background, text, the eight colours, the eight bright ones.
_THEMES = {
    "light": ("f6f8fa", "1f2328", "24292f cf222e 116329 7d4e00 0969da 8250df 1b7c83 57606a", "57606a a40e26 1a7f37 633c01"),
    "dark": ("0d1117", "e6edf3", "484f58 ff7b72 3fb950 d29922 58a6ff bc8cff 39c5cf b1bac4", "6e7681 ffa198 56d364 e3b341"),
}  # fmt: skip

# The window; rich draws its content. Without animations it shows the end.
_WINDOW = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} @height@" role="img" aria-label="@label@">
<style>
.{unique_id}-matrix {{ white-space: pre }}
.{unique_id}-matrix {{ font: {char_height}px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace }}
{styles}
@keyframes scroll {{ @scroll@ }}
@keyframes print {{ @print@ }}
#all {{ transform: translateY(@end@px); animation: scroll @seconds@s step-end both }}
#rest {{ transform: translateY(@all@px); animation: print @seconds@s step-end both }}
@media (prefers-reduced-motion: reduce) {{ #all, #rest {{ animation: none }} }}
</style>
<clipPath id="window"><rect y="@margin@" width="100%" height="@inner@"/></clipPath>
<rect width="100%" height="100%" rx="8" fill="#@ground@"/>
<g clip-path="url(#window)"><g id="all"><g transform="translate(@margin@, @margin@)">
{backgrounds}<g class="{unique_id}-matrix">
{matrix}
</g></g><rect id="rest" y="@margin@" width="100%" height="@inner@" fill="#@ground@"/></g></g>
<rect x="0.5" y="0.5" width="@across@" height="@down@" rx="8" fill="none" stroke="#8b949e" stroke-opacity="0.5"/>
</svg>
"""
_MARGIN = 12


def main() -> int:
    """Record, and fail if a picture is too large for a README."""
    printed = _record()
    lines, moments = _lines(printed)
    sizes = []
    for name in _THEMES:
        path = _IMAGES / f"terminal-{name}.svg"
        path.write_text(_picture(name, lines, moments), encoding="utf-8")
        print(f"{path.relative_to(tree.ROOT)}: {path.stat().st_size / 1024:.0f} KiB")
        sizes.append(path.stat().st_size)
    return int(max(sizes) > _LARGEST)


def _record() -> list[tuple[float, str]]:
    """Return pieces of output, each with the second at which it came."""
    printed: list[tuple[float, str]] = []
    with tempfile.TemporaryDirectory(prefix="m365-recording-") as folder, Tenant() as tenant:
        collections = Path(folder, ".ansible", "collections", "ansible_collections", "m365")
        collections.mkdir(parents=True)
        (collections / "offboarding").symlink_to(tree.ROOT)
        environment = {
            **tenant.environment,
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.defpath)),
            "HOME": folder,
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "ANSIBLE_HOME": str(Path(folder, ".ansible")),
            "ANSIBLE_REMOTE_TEMP": str(Path(folder, ".ansible", "tmp")),
            # Suppress lines that say nothing about leavers.
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        }
        now = 0.0
        for command in _COMMANDS:
            printed.append((now, f"\x1b[1m$ {command}\x1b[0m\r\n"))
            now += 1
            for silence, text in _run(command, folder, environment):
                now += min(silence, _LONGEST_SILENCE)
                printed.append((now, text.replace(folder, _HOME)))
            now += 2
    return printed


def _run(command: str, folder: str, environment: dict[str, str]) -> list[tuple[float, str]]:
    """Run a command in a terminal; return pieces of output, each with the pause before it in seconds."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    process = subprocess.Popen(
        command.split(), cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True
    )
    os.close(theirs)
    pieces: list[tuple[float, str]] = []
    last = time.monotonic()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        while True:
            try:
                read = terminal.read(65536)
            except OSError:  # on Linux: the other side is closed
                break
            if not read:
                break
            now = time.monotonic()
            pieces.append((now - last, read.decode(errors="replace")))
            last = now
    process.wait()
    return pieces


def _lines(printed: list[tuple[float, str]]) -> tuple[list[Text], list[float]]:
    """Return the lines on the screen, wrapped as in a terminal, and the second at which each appeared."""
    lines: list[Text] = []
    moments: list[float] = []
    rest = ""
    for moment, text in printed:
        *whole, rest = (rest + text).split("\n")
        for line in whole:
            reported = Text.from_ansi(line.rstrip("\r"))
            parts = reported.divide(range(_COLUMNS, len(reported), _COLUMNS))
            lines += parts
            moments += [moment] * len(parts)
    while lines and not lines[-1].plain.strip():
        lines.pop()
        moments.pop()
    return lines, moments


def _picture(name: str, lines: list[Text], moments: list[float]) -> str:
    ground, ink, colours, bright = _THEMES[name]
    normal = [_rgb(colour) for colour in colours.split()]
    theme = TerminalTheme(_rgb(ground), _rgb(ink), normal, [*map(_rgb, bright.split()), *normal[4:]])
    console = Console(file=io.StringIO(), record=True, width=_COLUMNS, force_terminal=True, color_system="256")
    for line in lines:
        console.print(line, no_wrap=True, overflow="ignore", crop=False)
    svg = console.export_svg(theme=theme, code_format=_WINDOW, unique_id="t")
    rows = [float(y) for y in re.findall(r'<text [^>]*\by="([\d.]+)"', svg)]
    row = (max(rows) - min(rows)) / (len(lines) - 1)
    width = float(re.findall(r'viewBox="0 0 ([\d.]+)', svg)[0])
    svg = re.sub(r' clip-path="url\(#t-line-\d+\)"', "", svg)

    def shift(count: int) -> float:
        """Return how far the text scrolls up with so many lines: in a full window, the last line is at the bottom."""
        return row * min(0, _ROWS - count)

    total = moments[-1] + 1
    counts = {round(100 * moment / total, 1): count for count, moment in enumerate(moments, 1)}
    values = {
        "height": f"{_ROWS * row + 2 * _MARGIN:.0f}",
        "down": f"{_ROWS * row + 2 * _MARGIN - 1:.0f}",
        "across": f"{width - 1:.0f}",
        # Room for descenders in the last row.
        "inner": f"{_ROWS * row + 6:.0f}",
        "label": "A terminal: the audit finds every door of a leaver open, the offboarding shuts them",
        # A rectangle covers what is not printed yet.
        "scroll": _frames({moment: shift(count) for moment, count in counts.items()}),
        "print": _frames({moment: count * row for moment, count in counts.items()}),
        "end": f"{shift(len(lines)):.1f}",
        "all": f"{len(lines) * row:.1f}",
        "seconds": f"{total:.1f}",
        "ground": ground,
        "margin": str(_MARGIN),
    }
    for key, value in values.items():
        svg = svg.replace(f"@{key}@", value)
    return svg


def _frames(places: dict[float, float]) -> str:
    """Return the key frames of an animation: the position from each percentage on."""
    return " ".join(f"{moment}% {{ transform: translateY({place:.1f}px) }}" for moment, place in places.items())


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour)
    return red, green, blue


if __name__ == "__main__":
    sys.exit(main())
