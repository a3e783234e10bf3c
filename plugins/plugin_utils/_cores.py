# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the actions do differently before ansible-core 2.19, which has another template engine.

https://docs.ansible.com/ansible-core/2.19/porting_guides/porting_guide_core_2.19.html
"""

from __future__ import annotations

import typing as t

from ansible.release import __version__
from ansible.utils.unsafe_proxy import wrap_var

from ._messages import Record

_IS_OLD = tuple(int(part) for part in __version__.split(".")[:2]) < (2, 19)
# Leavers. Ansible takes more than two seconds for a thousand.
_MOST_AS_TEXT = 300


def as_data(result: t.Any) -> t.Any:
    """The same result, of which no text is ever taken for a template: the tenant's data is in it.

    From 2.19, only text that comes from playbooks, inventories and the command line can be one.
    """
    return wrap_var(result) if _IS_OLD else result


def for_variable(name: str, leavers: t.Sequence[Record], known: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The part of a result that hands over the results of a role, to become the variable `name`.

    :param known: the variables of the task. A fact would not replace a variable of that name, set by an earlier run.
    :returns: `leavers`, for a task that sets the variable. Before 2.19, the value of a template becomes text and is read
        again; many leavers are therefore `ansible_facts`, which a fact cache would store and `inject_facts_as_vars` hides.
    """
    if _IS_OLD and len(leavers) > _MOST_AS_TEXT and name not in known:
        return {"ansible_facts": {name: leavers}}
    return {"leavers": leavers}
