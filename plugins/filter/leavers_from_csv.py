# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: leavers_from_csv
short_description: Read leavers from the text of a CSV file
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Turns a CSV, for example from the personnel department, into what the modules and roles of this collection take as users.
  - The first line names the columns. O(column) must be there, C(left_at) may be; further columns are ignored.
  - A byte order mark, semicolons or tabs instead of commas, and blank lines are understood.
  - A row with more or fewer cells than the first line, two columns of one name, and a column whose name looks like C(left_at) and is
    not, are refused with the number of the line.
  - P(m365.offboarding.leavers_file#lookup) reads the file as well, also one in UTF-16.
positional: _input
options:
  _input:
    description: The text of the file.
    type: str
    required: true
  column:
    description: The name of the column that holds the users, in any case of letters.
    type: str
    default: user
"""

EXAMPLES = r"""
- name: See whose doors are open among last month's leavers
  m365.offboarding.m365_user_info:
    users: "{{ lookup('ansible.builtin.file', 'leavers.csv') | m365.offboarding.leavers_from_csv }}"
"""

RETURN = r"""
_value:
  description: One mapping per line, with C(user) and, where the line has it, C(left_at).
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError


def leavers_from_csv(text: str, column: str = "user") -> list[dict[str, str]]:
    from ansible_collections.m365.offboarding.plugins.plugin_utils._leavers_file import read_csv

    try:
        return read_csv(text, column)
    except ValueError as exc:
        raise AnsibleFilterError(f"leavers_from_csv: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"leavers_from_csv": leavers_from_csv}
