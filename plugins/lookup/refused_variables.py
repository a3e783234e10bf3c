# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: refused_variables
short_description: Find variables that a role or playbook of this collection must not be run with
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Finds variables that nobody would look at, because their name has a slip of the pen; what was cut off an extra variable at a blank;
    and values for variables that the role sets itself.
  - The roles and playbooks of this collection begin with it. It sends nothing.
options:
  _terms:
    description: The role, V(offboard_employee) or V(restore_employee).
    type: list
    elements: str
    required: true
  playbook:
    description: The playbook of this collection, V(offboard), V(audit) or V(restore), whose own variables are looked at, too.
    type: str
"""

EXAMPLES = r"""
- name: Refuse variables that are not known
  ansible.builtin.assert:
    that: query('m365.offboarding.refused_variables', 'offboard_employee') | length == 0
"""

RETURN = r"""
_list:
  description: A sentence for each variable that must not be given.
  type: list
  elements: str
"""

import typing as t

from ansible import context
from ansible.parsing.splitter import parse_kv, split_args
from ansible.plugins.lookup import LookupBase
from ansible.utils.vars import load_extra_vars


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible has no types
    def run(self, terms: t.Any, variables: t.Any = None, **kwargs: t.Any) -> list[str]:
        from ansible_collections.m365.offboarding.plugins.plugin_utils._inputs import ROLES, refused

        self.set_options(var_options=variables, direct=kwargs)
        known = variables or {}
        return [
            sentence
            for role in terms
            for sentence in refused(
                role,
                self.get_option("playbook"),
                extra=load_extra_vars(self._loader),
                repeated=self._repeated(),
                seen=list(known),
                # Set by the roles themselves, and refused as extra variables.
                begun=[one for one in ROLES if f"__{one}_is_begun" in known],
            )
        ]

    def _repeated(self) -> set[str]:
        """The extra variables that the command line gives twice, with different values; files are left out."""
        first: dict[str, t.Any] = {}
        repeated = set()
        for option in context.CLIARGS.get("extra_vars") or ():
            for name, value in self._given(str(option)):
                if name in first and first[name] != value:
                    repeated.add(name)
                first[name] = value
        return repeated

    def _given(self, option: str) -> t.Iterator[tuple[str, t.Any]]:
        if option[:1] in ("[", "{"):
            values = self._loader.load(option)
            yield from values.items() if isinstance(values, dict) else ()
        elif option[:1] != "@":
            for part in split_args(option):
                yield from parse_kv(part).items()
