# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""HTML that cannot be broken by what it tells: whatever was not made by this file is text, and escaped."""

from __future__ import annotations

import re
import typing as t

_VOID = frozenset(("br", "input", "meta"))
_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;", ord("'"): "&#39;"}
# Control characters, halves of surrogate pairs (no encoding can write them), and the marks that turn text around: with
# them a name could show as another one (https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing).
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


class Markup(str):
    """Finished HTML. Joining, slicing and formatting it give a plain C(str), which is escaped: in doubt too much."""

    __slots__ = ()


def escaped(text: t.Any) -> str:
    """Text as it may stand between tags and in an attribute's quotes."""
    return _UNSHOWABLE.sub("\ufffd", str(text)).translate(_ESCAPES)


def joined(*children: t.Any) -> Markup:
    """Children side by side: C(Markup) as it is, C(None) as nothing, lists by their elements, all else as text."""
    return Markup("".join(map(_one, children)))


def _one(child: t.Any) -> str:
    if isinstance(child, Markup):
        return child
    if child is None:
        return ""
    if isinstance(child, (list, tuple)):
        return joined(*child)
    return escaped(child)


def e(tag: str, /, *children: t.Any, **attributes: t.Any) -> Markup:
    """An element. C(class_) and C(aria_label) are written C(class) and C(aria-label).

    An attribute that is C(None) or C(False) is left out, one that is C(True) stands alone.
    """
    start = tag
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        start += " " + key.rstrip("_").replace("_", "-")
        if value is not True:
            start += f'="{escaped(value)}"'
    return Markup(f"<{start}>" if tag in _VOID else f"<{start}>{joined(*children)}</{tag}>")


def raw(tag: str, code: str) -> Markup:
    """A C(style) or C(script) element with code of our own.

    :raises ValueError: the code would end the element.
    """
    if "</" in code or "<!--" in code:
        raise ValueError(f"this code would end its {tag} element")
    return Markup(f"<{tag}>{code}</{tag}>")
