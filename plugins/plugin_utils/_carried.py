# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long lists travel between tasks: as they are, or as text if they are long.

Before ansible-core 2.19, each template walks through the whole content of a variable, at about a millisecond a record.
A list of thousands costs seconds a task, so it becomes one text, which is decoded where it is needed.
"""

from __future__ import annotations

import base64
import json
import typing as t
import zlib

# The most records that travel as they are: a batch of the default size.
MOST_PLAIN = 500
Carried = list[t.Any] | str


def carried(items: t.Sequence[t.Any], size: int) -> Carried:
    """The list itself, or one text for it.

    :param items: JSON values.
    :param size: the number of records in all that travels beside it and within it.
    """
    if size <= MOST_PLAIN:
        return list(items)
    # JSON escapes line breaks and all that is not ASCII: a line is an item.
    lines = "\n".join(json.dumps(one) for one in items)
    return base64.b64encode(zlib.compress(lines.encode(), 1)).decode()


def decoded(held: Carried) -> list[t.Any]:
    """The list that was given to `carried`. Equal texts in it are one object: thousands of records hold the same ones."""
    if not isinstance(held, str):
        return list(held)
    known: dict[str, str] = {}

    def shared(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
        return {name: known.setdefault(value, value) if isinstance(value, str) else value for name, value in pairs}

    items: list[t.Any] = json.loads(f"[{','.join(_lines(held))}]", object_pairs_hook=shared)
    return items


def carried_texts(held: Carried) -> list[str]:
    """As `decoded`, but each item as JSON text: what is only copied into a file need not be parsed."""
    return _lines(held) if isinstance(held, str) else [json.dumps(one) for one in held]


def _lines(held: str) -> list[str]:
    return [line for line in zlib.decompress(base64.b64decode(held)).decode().split("\n") if line]
