# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide "Scale" and its plot: what stands between the marks is written here, the rest of the page by people."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools import tree

from . import reach
from .results import Results, Row, versions

PAGE = tree.ROOT / "docs" / "docsite" / "rst" / "scale.rst"
IMAGES = PAGE.parent / "images"
_BEGIN, _END = ".. written by make bench: begin", ".. written by make bench: end"
_NAMES = {
    "role": "**the role**",
    "floor": "floor, the same calls",
    "least": "floor, the least calls",
    "uri": "``uri`` tasks in a loop",
    "sdk": "msgraph-sdk script",
    "nothing": "play of tasks that do nothing",
    "tenants": "**the role**, 30 tenants of 5, 10 forks",
    "before": "the same before (2f7e070)",
    "forks": "**the role**, 50 tenants of 1, 50 forks",
    "aduser": "azure_rm_aduser in a loop",
    "cli-m365": "CLI for Microsoft 365",
}
_PHASES = {"first": "first run", "again": "run again", "audit": "audit"}
_LINES = {
    "aduser": ("azure_rm_aduser in a loop (two of four steps)", "tab:purple", "D"),
    "cli-m365": ("CLI for Microsoft 365 (three of four steps)", "tab:brown", "P"),
    "uri": ("uri loop", "tab:red", "s"),
    "sdk": ("msgraph-sdk script (three of four steps)", "tab:orange", "^"),
    "role": ("the role", "tab:blue", "o"),
    "floor": ("floor, the same calls", "tab:gray", "v"),
}
# They go through leavers one by one, so that larger numbers can be distinguished from smaller ones.
_ONE_BY_ONE = ("uri", "sdk", "aduser", "cli-m365")
_ENOUGH = 5


def write(results: Results) -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, begin, rest = page.partition(_BEGIN)
    _old, end, after = rest.partition(_END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} lacks the marks between which the figures stand")
    # Before anything is written, or the checkout would be said to hold changes.
    measured = figures(results)
    IMAGES.mkdir(exist_ok=True)
    plot(results, IMAGES)
    PAGE.write_text(f"{before}{begin}\n\n{measured}\n{end}{after}", encoding="utf-8")


def figures(results: Results) -> str:
    """The part of the page that is measured."""
    parts = [_when(results), _reach(results)]
    for latency in sorted({sample.latency for sample in results.samples}, reverse=True):
        parts.append(_table(results, latency))
    parts.append(_IMAGE)
    parts += [_asked(results), _profile(results)]
    return "\n".join(part for part in parts if part)


_IMAGE = """\
.. image:: images/benchmark.png
   :alt: Seconds of a first run by number of leavers, both axes logarithmic
"""


def _title(text: str) -> str:
    return f"{text}\n{'-' * len(text)}\n"


def _csv(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    reported = io.StringIO()
    writer = csv.writer(reported, lineterminator="\n")
    writer.writerows([header, *rows])
    lines = "".join(f"   {line}\n" for line in reported.getvalue().splitlines())
    return f".. csv-table::\n   :header-rows: 1\n\n{lines}"


def _when(results: Results) -> str:
    reported = "; ".join(f"{name} {version}" for name, version in versions().items())
    busy = (
        f"\n\n**The machine was busy when this began (load {results.load_before:.1f}): the figures say little.**"
        if results.load_before > 0.5
        else ""
    )
    return f"{_title('Measured')}\n{results.began:%Y-%m-%d %H:%M} to {results.ended:%Y-%m-%d %H:%M} UTC. {reported}.{busy}\n"


def _reach(results: Results) -> str:
    # A lone hyphen would begin a list.
    rows = [(one.name, one.target, one.found.strip("-"), one.verdict, one.how) for one in reach.targets(results)]
    return f"{_title('Reach')}\n{_csv(('Figure', 'Target', 'Measured', '', 'How'), rows)}"


_HEADER = (
    "What",
    "Leavers",
    "",
    "Runs",
    "Wall s (least, most)",
    "CPU s",
    "Tenant",
    "Worker MB",
    "Largest MB",
    "Round trips",
    "Calls each",
    "Tokens",
)


def _table(results: Results, latency: float) -> str:
    rows = results.rows(latency)
    lines = [_line(row) for row in rows]
    if latency == 0.05:
        for contender in _ONE_BY_ONE:
            lines += [
                _short(contender, f"{size:,}", f"*{seconds:,.0f}, {basis}*")
                for size, seconds, basis in _extrapolated(results, contender)
            ]
        lines += [_short(contender, "", reason) for contender, reason in results.missing.items()]
    few = sorted({(row.contender, row.leavers) for row in rows if len(row.walls) < _ENOUGH})
    reported = "Medians of as many runs as the table says; the peaks are the largest seen. *Tenant* is the share of one core that the\n"
    reported += "local tenant took.\n"
    if few and latency:
        # Of runs without a latency there is one each.
        names = [
            f"{_NAMES[name]} at {', '.join(f'{size:,}' for other, size in few if other == name)}" for name in dict(few)
        ]
        reported += f"Of fewer than {_ENOUGH} runs: {'; '.join(names)}.\n"
    return f"{_title(f'{latency * 1000:.0f} ms added to every answer')}\n{reported}\n{_csv(_HEADER, lines)}"


def _short(contender: str, leavers: str, wall: str) -> list[str]:
    return [_NAMES[contender], leavers, _PHASES["first"], "0", wall, *[""] * 7]


def _line(row: Row) -> list[str]:
    digits = 2 if row.wall < 100 else 0
    spread = f" ({min(row.walls):,.{digits}f}, {max(row.walls):,.{digits}f})" if len(row.walls) > 1 else ""
    return [
        _NAMES[row.contender],
        f"{row.leavers:,}",
        _PHASES[row.phase],
        str(len(row.walls)),
        f"{row.wall:,.{digits}f}{spread}",
        f"{row.cpu:,.1f}",
        f"{row.tenant_share:.0%}",
        f"{row.worker_mb:.0f}" if row.worker_mb else "",
        f"{row.largest_mb:.0f}",
        f"{row.round_trips:,.0f}",
        f"{row.calls:.2f}",
        f"{row.tokens:.0f}",
    ]


def _asked(results: Results) -> str:
    rows = [(_PHASES[phase], kinds.replace(",", ", ")) for phase, kinds in results.kinds.items()]
    title = _title("What the role asks for, and so the floor, in this order")
    return f"{title}\n{_csv(('', 'For each leaver'), rows)}"


def _profile(results: Results) -> str:
    parts = []
    for phase, size in (("first", 1), ("first", 1000), ("audit", 1000)):
        tasks = results.tasks(phase, size)
        if tasks:
            parts.append(
                _tasks(f"{_PHASES[phase].capitalize()}, {size:,} {'leaver' if size == 1 else 'leavers'}", tasks)
            )
    if results.profile:
        parts += _modules(results.profile)
    return "\n".join([_title("Where the time goes"), *parts]) if parts else ""


def _modules(reported: dict[str, Any]) -> list[str]:
    own = ", ".join(f"``{name}`` {spent:.0f}" for name, spent in reported["own"][:8])
    shares = [(name, f"{share:.0%}") for name, share in reported["module"] if share >= 0.005]
    return [
        "A module's imports, CPU milliseconds of a process that does nothing else:\n",
        _csv(("Import", "ms"), [(name, f"{spent:.0f}") for name, spent in reported["imports"].items()]),
        f"Of our own files (``-X importtime``, each without what it imports): {own} ms.\n",
        f"One run of ``m365_user_info`` for {reported['leavers']:,} leavers at 0 ms (pyinstrument, wall):\n",
        _csv(("Part", "Share"), shares),
    ]


def _tasks(title: str, tasks: list[tuple[str, float, float]]) -> str:
    shown, rest = tasks[:10], tasks[10:]
    rows = [(name, f"{wall:.2f}", f"{cpu:.2f}") for name, wall, cpu in shown]
    if rest:
        wall, cpu = sum(row[1] for row in rest), sum(row[2] for row in rest)
        rows.append((f"the other {len(rest)}", f"{wall:.2f}", f"{cpu:.2f}"))
    reported = "a task's CPU is booked when its process is waited for, so with the task after it:"
    return f"{title}, 50 ms; {reported}\n\n{_csv(('Task', 'Wall s', 'CPU s'), rows)}"


def plot(results: Results, folder: Path) -> None:
    """The first run, as a PNG. Small: it is shipped with the documentation."""
    import matplotlib
    import matplotlib.ticker

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from PIL import Image

    figure, axis = pyplot.subplots(figsize=(5.5, 3.4), layout="constrained")
    for contender, (label, colour, mark) in _LINES.items():
        points = [
            (row.leavers, row.wall) for row in results.rows(0.05) if (row.contender, row.phase) == (contender, "first")
        ]
        if points:
            axis.plot(*zip(*points, strict=True), marker=mark, markersize=4, color=colour, label=label)
        guessed = _extrapolated(results, contender) if len(points) > 1 else []
        if guessed:
            ends = [points[-1], *((size, seconds) for size, seconds, _basis in guessed)]
            axis.plot(*zip(*ends, strict=True), linestyle=":", color=colour)
    axis.set(xlabel="leavers", xscale="log", yscale="log")
    axis.set_ylabel("seconds, 50 ms added to every answer\n(dotted: extrapolated)")
    axis.set_xticks(results.sizes, [f"{size:,}" for size in results.sizes])
    axis.minorticks_off()
    axis.yaxis.set_major_formatter(matplotlib.ticker.StrMethodFormatter("{x:,g}"))
    axis.grid(visible=True, linewidth=0.3)
    axis.legend(fontsize="small")
    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=80)
    pyplot.close(figure)
    Image.open(raw).convert("RGB").quantize(16, Image.Quantize.FASTOCTREE).save(folder / "benchmark.png", optimize=True)


def _extrapolated(results: Results, contender: str) -> list[tuple[int, float, str]]:
    """Size, seconds, and how they were found, where that was not measured."""
    found = []
    for size in results.sizes:
        seconds, basis = reach.serial(results, contender, size)
        if seconds and basis.startswith("extrapolated") and contender in _ONE_BY_ONE:
            found.append((size, seconds, basis))
    return found
