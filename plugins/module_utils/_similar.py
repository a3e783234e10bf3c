# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Suggest users with a name similar to an unknown one, for people to read; never used to act on an account."""

from __future__ import annotations

import copy
import dataclasses
import difflib
import re
import typing as t

from ._errors import OffboardingError, shorten
from ._foreign import one_line
from ._graph import Graph
from ._service import mapping
from ._tenant import Leaver
from ._user_input import OBJECT_ID, name_key

# Names that are searched for in one module run, all in one request, and users suggested for each.
_MOST_NAMES, _MOST_SUGGESTED = 5, 3
# https://docs.python.org/3/library/difflib.html#difflib.get_close_matches
_CLOSE = 0.75


def with_suggestions(graph: Graph, leavers: t.Sequence[Leaver]) -> list[Leaver]:
    """The same leavers; the error for an unknown name also lists users with a similar one.

    A search that fails or finds no user changes nothing.
    """
    unknown = [index for index, leaver in enumerate(leavers) if _is_misspelt(leaver)][:_MOST_NAMES]
    updated = list(leavers)
    calls = [graph.find_similar(*_beginnings(leavers[index].asked.name)) for index in unknown]
    for index, outcome in zip(unknown, graph.send(calls) if calls else (), strict=True):
        if not isinstance(outcome, OffboardingError):
            found = mapping(outcome.body).get("value")
            names = [one.get("userPrincipalName") for one in found if isinstance(one, dict)] if found else []
            updated[index] = _suggesting(leavers[index], _nearest(leavers[index].asked.name, names))
    return updated


def _is_misspelt(leaver: Leaver) -> bool:
    """Whether the operator wrote an unknown name, as opposed to a user found by a search."""
    name = leaver.asked.name
    is_unknown = leaver.user is None and leaver.error is not None and leaver.error.code == "not_found"
    return is_unknown and not leaver.asked.found and not OBJECT_ID.match(name) and "@" in name


def _beginnings(name: str) -> tuple[str, str]:
    """How a similar user principal name and the surname of its user may begin."""
    local = name.partition("@")[0]
    return local[: max(2, len(local) - 3)], re.split(r"[._+-]", local)[-1][:3] or local[:3]


def _nearest(name: str, found: t.Iterable[t.Any]) -> list[str]:
    """The names most like this one, the closest first, judged by what stands before the @."""
    names = {name_key(one).partition("@")[0]: one for one in found if isinstance(one, str)}
    close = difflib.get_close_matches(name_key(name).partition("@")[0], names, n=_MOST_SUGGESTED, cutoff=_CLOSE)
    return [shorten(one_line(names[local])) for local in close]


def _suggesting(leaver: Leaver, names: t.Sequence[str]) -> Leaver:
    error = leaver.error
    if not names or error is None:
        return leaver
    suggested = copy.copy(error)
    suggested.hint = f"{error.hint} Users with a similar name: {', '.join(names)}."
    return dataclasses.replace(leaver, error=suggested)
