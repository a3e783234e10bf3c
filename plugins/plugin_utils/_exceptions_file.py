# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Accepted exceptions from a YAML, JSON or CSV file.

No message contains a value of the file: the path may lead to anything, even to a file of secrets.
"""

from __future__ import annotations

import csv
import io
import os
import typing as t

import yaml

from ._exceptions import FIELDS, parse_exceptions
from ._leavers_file import decode_csv

# A list of 5,000 exceptions takes less.
_LARGEST = 1024 * 1024
_VARIABLE = "offboard_employee_exceptions"


def exceptions(given: t.Any, path: str = "", content: bytes = b"", *, today: str) -> list[dict[str, t.Any]]:
    """The exceptions of a run, as `parse_exceptions` gives them.

    :param given: the list of the role's variable; null and an empty text mean none.
    :param path: a file of further ones, empty for none; its suffix selects the format.
    :param content: the content of that file.
    :param today: the day in UTC, as in `parse_exceptions`.
    :raises ValueError: as `parse_exceptions`, or a file that is not one; the message begins with what cannot be read.
    """
    entries: list[tuple[str, t.Any]] = []
    if given not in (None, "", []):
        if not isinstance(given, (list, tuple)):
            raise ValueError(f"{_VARIABLE} is not a list; each exception is a mapping with {', '.join(FIELDS)}")
        entries += [(f"{_VARIABLE}, entry {number}", one) for number, one in enumerate(given, 1)]
    if path:
        try:
            entries += [(f"{path}, {place}", one) for place, one in read_exceptions(content, path)]
        except ValueError as exc:
            raise ValueError(f"the exceptions cannot be read: {path}: {exc}") from None
    return parse_exceptions(entries, today)


def read_exceptions(content: bytes, path: str) -> list[tuple[str, t.Any]]:
    """The entries of a file, each with its place in it.

    :param path: its suffix selects the format: `.yml`, `.yaml`, `.json` or `.csv`.
    :raises ValueError: not such a file; the message names the line where that is known.
    """
    if len(content) > _LARGEST:
        raise ValueError("the file is larger than 1 MiB; it is not a list of exceptions")
    suffix = os.path.splitext(path)[1].lower()
    if suffix == ".csv":
        return list(_csv(decode_csv(content)))
    if suffix in (".yml", ".yaml", ".json"):
        try:
            return list(_yaml(content.decode("utf-8-sig")))
        except UnicodeDecodeError:
            raise ValueError("the file is not UTF-8") from None
    raise ValueError("the suffix must be .yml, .yaml, .json or .csv")


def _csv(text: str) -> t.Iterator[tuple[str, dict[str, str]]]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    columns: list[str] = []
    line = 1
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            while len(cells) > max(len(columns), 1) and not cells[-1]:
                cells.pop()
            if any(cells) and not columns:
                columns = _columns([cell.lower() for cell in cells], line)
            elif any(cells):
                if len(cells) != len(columns):
                    raise ValueError(
                        f"line {line} has {len(cells)} cells, the first line names {len(columns)} columns: put a value that "
                        "holds the delimiter in double quotes"
                    )
                yield f"line {line}", dict(zip(columns, cells, strict=True))
            line = rows.line_num + 1
    except csv.Error as exc:
        raise ValueError(f"line {line} cannot be read: {exc}") from None
    if not columns:
        raise ValueError(f"the file is empty; its first line must name the columns {', '.join(FIELDS)}")


def _columns(names: list[str], line: int) -> list[str]:
    while len(names) > 1 and not names[-1]:
        names.pop()
    missing = [name for name in FIELDS[2:] if name not in names]
    if missing or not {"user", "kind"} & set(names):
        raise ValueError(f"line {line} must name the columns user or kind (or both), {', '.join(FIELDS[2:])}")
    if len(set(names)) < len(names) or not set(names) <= set(FIELDS):
        raise ValueError(f"line {line} names a column twice, or an unknown one; valid columns are {', '.join(FIELDS)}")
    return names


def _yaml(text: str) -> t.Iterator[tuple[str, t.Any]]:
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if not isinstance(root, yaml.SequenceNode):
            raise ValueError(f"the file is not a list of mappings with {', '.join(FIELDS)}")
        for number, node in enumerate(root.value, 1):
            place = f"line {node.start_mark.line + 1} (entry {number})"
            yield place, _mapping(loader, node, place) if isinstance(node, yaml.MappingNode) else None
    except yaml.MarkedYAMLError as exc:
        where = f"line {exc.problem_mark.line + 1}" if exc.problem_mark else "the file"
        raise ValueError(f"{where} cannot be read as YAML") from None
    except (yaml.YAMLError, RecursionError):
        raise ValueError("the file cannot be read as YAML") from None
    finally:
        loader.dispose()


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode, place: str) -> dict[t.Any, t.Any]:
    """An entry field by field: YAML would silently drop the first of two fields with the same name."""
    entry: dict[t.Any, t.Any] = {}
    for name, value in node.value:
        if not isinstance(name, yaml.ScalarNode) or name.value in entry:
            raise ValueError(f"{place} names a field twice, or has one whose name is not a text")
        try:
            entry[name.value] = loader.construct_object(value, deep=True)
        except ValueError:
            # A day that is not in the calendar, as 2026-02-30.
            entry[name.value] = getattr(value, "value", None)
    return entry
