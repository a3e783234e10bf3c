# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: restore_plan
short_description: Decide what each leaver gets back
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Holds what was read of leavers against the evidence of their offboarding. Only what was open before that run and was shut by it is
    opened again. The runs of one offboarding count together. The first run that changed a door knows how it was before.
  - Refused are those of whom the evidence has no record, or one in which nothing was changed, accounts that are not the one of the
    evidence, protected accounts and, unless allowed, holders of a directory role.
positional: _input
options:
  _input:
    description: What was registered of M(m365.offboarding.m365_user_info), with C(directory_roles).
    type: dict
    required: true
  request:
    description: What P(m365.offboarding.restore_evidence#filter) gave.
    type: dict
    required: true
  host:
    description: The host of the inventory, which is a tenant.
    type: str
    required: true
  steps:
    description: What is to be undone, V(protocols) and V(signin).
    type: list
    elements: str
    default: [protocols, signin]
  protocols:
    description: Without evidence, the mailbox protocols to be turned on; with evidence, nothing but these.
    type: list
    elements: str
    default: []
  allow_admins:
    description: Whether holders of a directory role may be written.
    type: bool
    default: false
  undelete:
    description: Whether deleted accounts are to be restored.
    type: bool
    default: false
  deleted:
    description: What was registered of M(m365.offboarding.m365_deleted_user) in check mode, for the same names.
    type: dict
  undeleted:
    description: Object ids of the accounts that this run has restored.
    type: list
    elements: str
    default: []
  began:
    description: When this run first looked, in seconds.
    type: float
    default: 0
  now:
    description: What time it is, in seconds by the same clock.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: See who would get what back
  ansible.builtin.debug:
    msg: "{{ doors | m365.offboarding.restore_plan(request=request, host=inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description:
    - C(error), a sentence that says why nothing can be done, or null; C(leavers), what each gets back or why not; C(groups), leavers
      whose mailboxes get the same protocols; C(undelete), accounts to be restored; C(waiting), object ids of those who are not all there;
      C(again), whether another look may show more; C(left_out), a sentence for each file of the evidence that is not used.
  type: dict
"""

import typing as t

from ansible.utils.unsafe_proxy import wrap_var


def restore_plan(
    opening: t.Mapping[str, t.Any],
    request: t.Mapping[str, t.Any],
    host: str,
    steps: t.Sequence[str] = ("protocols", "signin"),
    protocols: t.Sequence[str] = (),
    allow_admins: bool = False,
    undelete: bool = False,
    deleted: t.Mapping[str, t.Any] | None = None,
    undeleted: t.Sequence[str] = (),
    began: float = 0,
    now: float = 0,
) -> dict[str, t.Any]:
    from ansible_collections.m365.offboarding.plugins.plugin_utils._restore_plan import plan

    told: dict[str, t.Any] = wrap_var(
        plan(
            opening,
            names=request["names"],
            malformed=request["malformed"],
            evidence=request["evidence"],
            host=host,
            steps=steps,
            protocols=protocols,
            allow_admins=allow_admins,
            undelete=undelete,
            left_out=request["left_out"],
            job=request["job"],
            deleted=deleted or None,
            undeleted=undeleted,
            began=float(began),
            now=float(now),
        )
    )
    return told


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"restore_plan": restore_plan}
