# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clean foreign text from a tenant, a service or a file: replace characters that break or forge the output.

`clean` is called once, where such text enters: `Response` for answers and their headers, `Token.read` for claims.
"""

from __future__ import annotations

import re
import typing as t

# The replacement of each removed character: U+FFFD, which Unicode defines for that purpose.
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# Control characters but for tab and line feed (ESC drives terminals, NUL ends C strings, XML forbids them), lone
# surrogates (no UTF-8 holds them: ansible-core 2.19 and later refuse a result with one), embeddings, overrides and
# isolates of the bidirectional algorithm (https://trojansource.codes), line and paragraph separators, the byte order
# mark, annotation marks, and noncharacters (https://www.unicode.org/faq/private_use.html#noncharacters).
# Joiners (emoji, Persian), direction marks (Hebrew, Arabic), combining marks and private use stay.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
    + "]"
)


def clean(value: t.Any) -> t.Any:
    """`value`, a text or anything that JSON can hold, with each unwanted character replaced by U+FFFD.

    Mappings and lists are changed in place. Carriage returns, alone or before a line feed, become line feeds.

    :raises RecursionError: nested beyond what Python can follow.
    """
    if isinstance(value, str):
        if value.isascii() and value.isprintable():
            return value
        return _UNWANTED.sub(REPLACEMENT, value.replace("\r\n", "\n").replace("\r", "\n"))
    if isinstance(value, list):
        for index, item in enumerate(value):
            if item.__class__ in _WALKED:
                value[index] = clean(item)
    elif isinstance(value, dict):
        for key in list(value):
            name = clean(key)
            item = clean(value[key])
            if name != key:
                del value[key]
            value[name] = item
    return value


_WALKED = (str, list, dict)


def one_line(text: str) -> str:
    """`text` with every run of white space as one blank: a name in a table must not begin a line of its own."""
    return " ".join(text.split())
