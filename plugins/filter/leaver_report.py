# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: leaver_report
short_description: Evidence as a page, a spreadsheet, data, or test results
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Turns the evidence of a run into the text of a file.
  - V(html) is a self-contained page for people.
  - V(csv) has one row per leaver, and one per tenant that could not be read. Lines end as RFC 4180 requires, and the first one begins
    with a byte order mark, without which Excel garbles names. In a cell that a spreadsheet would take for a formula, an apostrophe is
    inserted before the character that makes it one, also after a semicolon. Control characters and line breaks become blanks.
  - V(json) is the evidence itself, as C(docs/evidence.schema.json) of this collection describes it.
  - V(xml) is JUnit XML, a suite per host and a test per leaver and step. An open door is a failure, an unconfirmed door is an error, and
    a test is skipped if the leaver is not due, has no such door or was not read. Residual access is a test per topic.
positional: _input
options:
  _input:
    description: The evidence of a run.
    type: dict
    required: true
  format:
    description: The format of the result.
    type: str
    choices: [html, csv, json, xml]
    required: true
"""

EXAMPLES = r"""
- name: Make a spreadsheet of last month's evidence
  ansible.builtin.copy:
    content: "{{ lookup('ansible.builtin.file', 'october.json') | from_json | m365.offboarding.leaver_report('csv') }}"
    dest: october.csv
    mode: "0600"
"""

RETURN = r"""
_value:
  description: The text of the file, to be written as UTF-8.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError


def leaver_report(evidence: t.Mapping[str, t.Any], format: str) -> str:  # noqa: A002 (the name of the option)
    from ansible_collections.m365.offboarding.plugins.plugin_utils._report import render

    try:
        return render(evidence, format)
    except ValueError as exc:
        raise AnsibleFilterError(f"leaver_report: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"leaver_report": leaver_report}
