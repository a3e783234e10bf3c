# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence as one HTML file for people: a verdict, leavers by doors, and everything that is known about each leaver.

The HTML is in `_report.html.j2`, its drawings in `_report_drawings.j2`, its style and script in `_report.css` and
`_report.js`. The file needs no network, and its Content-Security-Policy forbids all but its own style and script.
Without the script everything can be read; with it, filtered and sorted.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import pathlib
import typing as t

from ..module_utils._doors import STEPS
from ..module_utils._foreign import clean
from ..module_utils._times import format_moment, moment_or_none
from . import _report_model as words
from ._containment import contained_in_words
from ._exceptions import accepted_in_words, unmatched
from ._messages import NOT_DONE, Record, person_in_words

if t.TYPE_CHECKING:
    import jinja2


def as_html(evidence: Record) -> str:
    """The report as a whole HTML document."""
    style, script = _code("_report.css"), _code("_report.js")
    template = _environment().get_template("_report.html.j2")
    policy = _policy(style, script)
    return f"{template.render(report=words.Report.of(evidence), style=style, script=script, policy=policy).strip()}\n"


@functools.lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    # Jinja2 is a dependency of ansible-core. Tenant data is always a value in these templates, never a template.
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        loader=jinja2.FunctionLoader(_template),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        DOORS=words.DOORS,
        DOOR_NAMES=words.DOOR_NAMES,
        DOOR_STATES=words.DOOR_STATES,
        STATUSES=words.STATUSES,
        STEPS=STEPS,
        STEP_NAMES=words.STEP_NAMES,
        NOT_DONE=NOT_DONE,
        accepted_in_words=accepted_in_words,
        asked_in_words=words.asked_in_words,
        compared_in_words=words.compared_in_words,
        contained_in_words=contained_in_words,
        done_in_words=words.done_in_words,
        doors_in_words=words.doors_in_words,
        doors_named=words.doors_named,
        number=words.number,
        opened_in_words=words.opened_in_words,
        person_in_words=person_in_words,
        protocols_in_words=words.protocols_in_words,
        surely_shut_by=words.surely_shut_by,
        timeline=words.timeline,
        unmatched=unmatched,
        times_in_words=words.times_in_words,
        verdict=words.verdict,
    )
    environment.filters["moment"] = _moment
    return environment


def _shown(value: t.Any) -> t.Any:
    """What an expression of a template shows: nothing for `None`, and no character that forges or breaks the page.

    Text stays text, so that it is escaped afterwards; `Markup` is what a macro of our templates made.
    """
    if value is None:
        return ""
    return value.__class__(clean(str(value))) if hasattr(value, "__html__") else clean(str(value))


def _read(name: str) -> str:
    """Read a file in the folder of this one."""
    return pathlib.Path(__file__).with_name(name).read_text(encoding="utf-8")


def _template(name: str) -> str:
    """The source of a template without its indentation."""
    return "\n".join(line.strip() for line in _read(name).split("\n"))


def _code(name: str) -> str:
    """Style or script, without the license that it begins with.

    :raises ValueError: the code would end its own element.
    """
    code = _read(name).partition("*/")[2].strip()
    if "</" in code or "<!--" in code:
        raise ValueError(f"{name} would end its own element")
    return code


def _policy(style: str, script: str) -> str:
    """https://www.w3.org/TR/CSP3/: nothing is loaded, and only the code with these digests runs."""

    def digest(code: str) -> str:
        return base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()

    return (
        f"default-src 'none'; style-src 'sha256-{digest(style)}'; script-src 'sha256-{digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _moment(value: t.Any) -> str | None:
    """A time as ISO 8601 in UTC, `None` if the value is not a time."""
    moment = moment_or_none(value)
    return format_moment(moment) if moment else None
