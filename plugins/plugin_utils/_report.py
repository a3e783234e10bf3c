# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Render evidence as files: for people, spreadsheets, programs, and test dashboards.

`FORMATS` is the only list of the formats. Most runs write few of them: Ansible compiles the files of a collection in each
run, so those that render a format are imported when it is wanted.
"""

from __future__ import annotations

import json
import os
import typing as t

from ._messages import Record


def render(evidence: Record, format: str) -> str:  # noqa: A002 (what the filter's users call it)
    """Render the evidence as the text of a file.

    :raises ValueError: no such format.
    """
    if format not in FORMATS:
        raise ValueError(f"{format!r} is not a report format; valid formats are {_either(FORMATS)}")
    return FORMATS[format](evidence)


def format_of(path: str) -> str:
    """The format of a file by its suffix, in upper or lower case.

    :raises ValueError: unknown suffix.
    """
    return formats_of([path])[0]


def formats_of(paths: t.Sequence[str]) -> list[str]:
    """The format of each file, as `format_of`.

    :raises ValueError: naming every path with an unknown suffix.
    """
    formats = [os.path.splitext(path)[1].lower().removeprefix(".") for path in paths]
    unknown = [path for path, name in zip(paths, formats, strict=True) if name not in FORMATS]
    if unknown:
        known = _either([f".{name}" for name in FORMATS])
        raise ValueError(
            f"the suffix of a report selects its format ({known}); this cannot be written: {', '.join(unknown)}"
        )
    return formats


def _either(names: t.Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}"


def _json(evidence: Record) -> str:
    """The evidence itself, keys in their order, all characters beyond ASCII escaped.

    Escaped, it reads the same whatever encoding a tool expects, and even a name that is not valid Unicode survives.
    """
    return json.dumps(evidence, indent=2, allow_nan=False) + "\n"


def _csv(evidence: Record) -> str:
    from ._report_csv import as_csv

    return as_csv(evidence)


def _html(evidence: Record) -> str:
    from ._report_html import as_html

    return as_html(evidence)


def _xml(evidence: Record) -> str:
    from ._report_junit import as_junit

    return as_junit(evidence)


FORMATS: t.Mapping[str, t.Callable[[Record], str]] = {"html": _html, "csv": _csv, "json": _json, "xml": _xml}
