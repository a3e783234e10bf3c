# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: leaver_report_formats
short_description: Tell the formats of reports by their paths
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Takes the suffix of each path, in any case, for the format of P(m365.offboarding.leaver_report#filter).
  - Fails, naming every path whose suffix is none of these.
positional: _input
options:
  _input:
    description: Paths of reports.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse what cannot be written
  ansible.builtin.assert:
    that: paths | m365.offboarding.leaver_report_formats | length == paths | length
  vars:
    paths: [evidence.json, evidence.html]
"""

RETURN = r"""
_value:
  description: V(html), V(csv), V(json) or V(xml) for each path.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError


def leaver_report_formats(paths: t.Sequence[str]) -> list[str]:
    from ansible_collections.m365.offboarding.plugins.plugin_utils._report import formats_of

    try:
        return formats_of(paths)
    except ValueError as exc:
        raise AnsibleFilterError(f"leaver_report_formats: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"leaver_report_formats": leaver_report_formats}
