# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: leavers_file
short_description: Read leavers from a CSV file
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Reads a CSV file where Ansible runs, for example from the personnel department, and gives what the modules and roles of this
    collection take as users.
  - The first line names the columns. O(column) must be there, C(left_at) may be; further columns are ignored.
  - UTF-8 is understood, UTF-16 with its byte order mark, semicolons or tabs instead of commas, and blank lines. A file that
    Ansible Vault has encrypted is decrypted.
  - A row with more or fewer cells than the first line, two columns of one name, and a column whose name looks like C(left_at) and is
    not, are refused with the number of the line. No message holds what is in the file.
options:
  _terms:
    description: Paths of the files, relative to the current folder. The leavers of several files add up.
    type: list
    elements: str
    required: true
  column:
    description: The name of the column that holds the users, in any case of letters.
    type: str
    default: user
"""

EXAMPLES = r"""
- name: See whose doors are open among last month's leavers
  m365.offboarding.m365_user_info:
    users: "{{ query('m365.offboarding.leavers_file', 'leavers.csv') }}"

- name: The same with an export of Microsoft 365
  m365.offboarding.m365_user_info:
    users: "{{ query('m365.offboarding.leavers_file', 'users.csv', column='User principal name') }}"
"""

RETURN = r"""
_list:
  description: One mapping per row, with C(user) and, where the row has it, C(left_at).
  type: list
  elements: dict
"""

import os
import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible has no types
    def run(self, terms: t.Any, variables: t.Any = None, **kwargs: t.Any) -> list[dict[str, str]]:
        self.set_options(var_options=variables, direct=kwargs)
        column = self.get_option("column")
        paths = [path for term in terms for path in (term if isinstance(term, list) else [term])]
        return [leaver for path in paths for leaver in self._leavers(path, column)]

    def _leavers(self, path: t.Any, column: str) -> list[dict[str, str]]:
        from ansible_collections.m365.offboarding.plugins.plugin_utils._leavers_file import decode_csv, read_csv

        if not isinstance(path, str) or not path.strip():
            raise AnsibleLookupError("leavers_file must be the path of a CSV file.")
        full = os.path.realpath(os.path.expanduser(path.strip()))
        if not os.path.isfile(full):
            reason = "is not a file" if os.path.exists(full) else "does not exist"
            raise AnsibleLookupError(f"leavers_file: {full} {reason}.")
        try:
            return read_csv(decode_csv(self._content(full)), column)
        except ValueError as exc:
            raise AnsibleLookupError(f"leavers_file {path}: {exc}") from None
        except OSError as exc:
            raise AnsibleLookupError(f"leavers_file: {full} cannot be read: {exc.strerror}.") from None

    def _content(self, path: str) -> bytes:
        """The file, decrypted, as bytes: Ansible's own reading of text takes UTF-8 alone."""
        from ansible_collections.m365.offboarding.plugins.plugin_utils._leavers_file import LARGEST

        with open(self._loader.get_real_file(path), "rb") as file:
            return file.read(LARGEST + 1)
