# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/benchmark.md and its plot: what stands between the marks is written here, the rest of the page by people."""

from __future__ import annotations

import io
from pathlib import Path

from tools import tree

from . import reach
from .results import Results, Row, versions

PAGE = tree.ROOT / "docs" / "benchmark.md"
IMAGES = tree.ROOT / "docs" / "images"
_BEGIN, _END = "<!-- written by make bench: begin -->", "<!-- written by make bench: end -->"
_NAMES = {
    "role": "**the role**",
    "floor": "floor, the same calls",
    "least": "floor, the least calls",
    "uri": "`uri` tasks in a loop",
    "sdk": "msgraph-sdk script",
    "imports": "play of imports",
}
_PHASES = {"first": "first run", "again": "run again", "audit": "audit"}
_LINES = {
    "uri": ("uri loop", "tab:red", "s"),
    "sdk": ("msgraph-sdk script (three of four steps)", "tab:orange", "^"),
    "role": ("the role", "tab:blue", "o"),
    "floor": ("floor, the same calls", "tab:gray", "v"),
}


def write(results: Results) -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, begin, rest = page.partition(_BEGIN)
    _old, end, after = rest.partition(_END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} lacks the marks between which the figures stand")
    IMAGES.mkdir(exist_ok=True)
    plot(results, IMAGES)
    PAGE.write_text(f"{before}{begin}\n\n{figures(results)}\n{end}{after}", encoding="utf-8")


def figures(results: Results) -> str:
    """The part of the page that is measured."""
    parts = [_when(results), _reach(results)]
    for latency in sorted({sample.latency for sample in results.samples}, reverse=True):
        parts.append(_table(results, latency))
    image = "![Seconds by number of leavers, first run and audit](images/benchmark.png)"
    parts.append(f"{image}\n\nThe same as [SVG](images/benchmark.svg).\n")
    parts += [_asked(results), _profile(results)]
    return "\n".join(part for part in parts if part)


def _when(results: Results) -> str:
    told = "; ".join(f"{name} {version}" for name, version in versions().items())
    busy = (
        f"\n\n**The machine was busy when this began (load {results.load_before:.1f}): the figures say little.**"
        if results.load_before > 0.5
        else ""
    )
    return f"### Measured\n\n{results.began:%Y-%m-%d %H:%M} to {results.ended:%H:%M} UTC. {told}.{busy}\n"


def _reach(results: Results) -> str:
    lines = ["### Reach\n", "| figure | target | measured | | how |", "|---|---|---|---|---|"]
    for one in reach.targets(results):
        lines.append(f"| {one.name} | {one.target} | {one.found} | {one.verdict} | {one.how} |")
    return "\n".join(lines) + "\n"


def _table(results: Results, latency: float) -> str:
    lines = [
        f"### {latency * 1000:.0f} ms added to every answer\n",
        "Medians; the peaks are the largest seen. *Tenant* is the share of one core that the local tenant took.\n",
        "| what | leavers | | runs | wall s (least, most) | CPU s | tenant | module MB | largest MB | round trips | calls each | tokens |",
        "|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    rows = results.rows(latency)
    lines += [_line(row) for row in rows]
    for contender in ("uri", "sdk"):
        largest = max((row.leavers for row in rows if row.contender == contender), default=0)
        for size in results.sizes:
            seconds, basis = reach.serial(results, contender, size) if latency == 0.05 and largest else (None, "")
            if seconds and size > largest:
                lines.append(
                    f"| {_NAMES[contender]} | {size:,} | first run | 0 | *{seconds:,.0f}, {basis}* | | | | | | | |"
                )
    if latency == 0.05 and not any(row.contender == "sdk" for row in rows):
        lines.append(f"| {_NAMES['sdk']} | | | 0 | not installed | | | | | | | |")
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    digits = 2 if row.wall < 100 else 0
    spread = f" ({min(row.walls):,.{digits}f}, {max(row.walls):,.{digits}f})" if len(row.walls) > 1 else ""
    module = f"{row.module_mb:.0f}" if row.module_mb else ""
    return (
        f"| {_NAMES[row.contender]} | {row.leavers:,} | {_PHASES[row.phase]} | {len(row.walls)} "
        f"| {row.wall:,.{digits}f}{spread} | {row.cpu:,.1f} | {row.tenant_share:.0%} | {module} | {row.largest_mb:.0f} "
        f"| {row.round_trips:,.0f} | {row.calls:.2f} | {row.tokens:.0f} |"
    )


def _asked(results: Results) -> str:
    lines = ["### What the role asks for, and so the floor, in this order\n", "| | for each leaver |", "|---|---|"]
    lines += [f"| {_PHASES[phase]} | {kinds.replace(',', ', ')} |" for phase, kinds in results.kinds.items()]
    return "\n".join(lines) + "\n"


def _profile(results: Results) -> str:
    parts = ["### Where the time goes\n"]
    for phase, size in (("first", 1), ("first", 1000), ("audit", 1000)):
        tasks = results.tasks(phase, size)
        if tasks:
            parts.append(
                _tasks(f"{_PHASES[phase].capitalize()}, {size:,} {'leaver' if size == 1 else 'leavers'}", tasks)
            )
    told = results.profile
    if told:
        parts.append("A module's imports, CPU milliseconds of a process that does nothing else:\n")
        parts.append("| | ms |\n|---|---:|")
        parts += [f"| {name} | {spent:.0f} |" for name, spent in told["imports"].items()]
        own = ", ".join(f"`{name}` {spent:.0f}" for name, spent in told["own"][:8])
        parts.append(f"\nOf our own files (`-X importtime`, each without what it imports): {own} ms.\n")
        parts.append(f"One run of `m365_user_info` for {told['leavers']:,} leavers at 0 ms (pyinstrument, wall):\n")
        parts.append("| | share |\n|---|---:|")
        parts += [f"| {name} | {share:.0%} |" for name, share in told["module"] if share >= 0.005]
    return "\n".join(parts) + "\n" if len(parts) > 1 else ""


def _tasks(title: str, tasks: list[tuple[str, float, float]]) -> str:
    shown, rest = tasks[:10], tasks[10:]
    lines = [f"{title}, 50 ms; a task's CPU is booked when its process is waited for, so with the task after it:\n"]
    lines += ["| task | wall s | CPU s |", "|---|---:|---:|"]
    lines += [f"| {name} | {wall:.2f} | {cpu:.2f} |" for name, wall, cpu in shown]
    if rest:
        wall, cpu = sum(row[1] for row in rest), sum(row[2] for row in rest)
        lines.append(f"| the other {len(rest)} | {wall:.2f} | {cpu:.2f} |")
    return "\n".join(lines) + "\n"


def plot(results: Results, folder: Path) -> None:
    """As PNG and SVG. Small: they are shipped with the documentation."""
    import matplotlib
    import matplotlib.ticker

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from PIL import Image

    # Text stays text, and the same figures give the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "benchmark", "path.simplify": True})
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
    for axis, (phase, title) in zip(axes, (("first", "First run"), ("audit", "Audit")), strict=True):
        for contender, (label, colour, mark) in _LINES.items():
            points = [
                (row.leavers, row.wall)
                for row in results.rows(0.05)
                if (row.contender, row.phase) == (contender, phase)
            ]
            if points:
                axis.plot(*zip(*points, strict=True), marker=mark, markersize=4, color=colour, label=label)
            guessed = _extrapolated(results, contender) if phase == "first" and len(points) > 1 else []
            if guessed:
                axis.plot(*zip(points[-1], *guessed, strict=True), linestyle=":", color=colour)
        axis.set(title=title, xlabel="leavers", xscale="log", yscale="log")
        axis.set_xticks(results.sizes, [f"{size:,}" for size in results.sizes])
        axis.minorticks_off()
        axis.yaxis.set_major_formatter(matplotlib.ticker.StrMethodFormatter("{x:,g}"))
        axis.grid(visible=True, linewidth=0.3)
    axes[0].set_ylabel("seconds, 50 ms added to every answer\n(dotted: extrapolated)")
    axes[0].legend(fontsize="small")
    figure.savefig(folder / "benchmark.svg", metadata={"Date": None})
    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=90)
    pyplot.close(figure)
    Image.open(raw).convert("RGB").quantize(32).save(folder / "benchmark.png", optimize=True)


def _extrapolated(results: Results, contender: str) -> list[tuple[int, float]]:
    found = []
    for size in results.sizes:
        seconds, basis = reach.serial(results, contender, size)
        if seconds and basis.startswith("extrapolated"):
            found.append((size, seconds))
    return found if contender in ("uri", "sdk") else []
