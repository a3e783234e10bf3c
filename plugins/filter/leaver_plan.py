# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: leaver_plan
short_description: Decide which leavers go through the steps
version_added: 1.0.0
author:
  - The m365.offboarding contributors (@m365-offboarding)
description:
  - Takes the records of M(m365.offboarding.m365_user_info) and tells who has a door to be shut, and who is refused.
  - Nobody goes through who is unknown, not due, or has no open door. Protected accounts and, unless allowed, holders of a directory
    role are refused. So is an account that may not be that of the person who was asked for.
positional: _input
options:
  _input:
    description: RV(m365.offboarding.m365_user_info#module:users).
    type: list
    elements: dict
    required: true
  allow_admins:
    description: Whether holders of a directory role may be written.
    type: bool
    default: false
  max_users:
    description: Refuse all if there are more leavers to be written. No limit if not set.
    type: int
  earlier:
    description: The evidence of an earlier run. A name that meant another account then is refused.
    type: dict
  stats:
    description:
      - What the role P(m365.offboarding.offboard_employee#role) has told by C(set_stats) earlier in this workflow. If
        there is a dry run among it, an account that the dry run did not look at is refused.
    type: list
    elements: dict
    default: []
  host:
    description: The host of the inventory whose leavers these are, needed with O(stats).
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Block those who may be blocked
  m365.offboarding.m365_user_signin:
    users: "{{ (doors.users | m365.offboarding.leaver_plan(max_users=25)).write }}"
    state: blocked
"""

RETURN = r"""
_value:
  description: C(write), leavers as the modules take them; C(refused), a mapping of object ids to errors.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError


def leaver_plan(
    opening: t.Sequence[t.Mapping[str, t.Any]],
    allow_admins: bool = False,
    max_users: int | None = None,
    earlier: t.Mapping[str, t.Any] | None = None,
    stats: t.Sequence[t.Mapping[str, t.Any]] = (),
    host: str = "",
) -> dict[str, t.Any]:
    from ansible_collections.m365.offboarding.plugins.plugin_utils._plan import looked_at, plan

    try:
        return plan(
            opening,
            allow_admins=allow_admins,
            max_users=max_users,
            earlier=earlier,
            looked_at=looked_at(stats, host),
        )
    except ValueError as exc:
        raise AnsibleFilterError(f"leaver_plan: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"leaver_plan": leaver_plan}
