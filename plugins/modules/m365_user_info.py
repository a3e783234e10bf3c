#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365_user_info
short_description: Tell which doors of Microsoft 365 users are open
version_added: 0.1.0
description:
  - Reads users, their mailboxes and their directory roles, and tells which of the doors that the other modules shut are open.
  - Never writes. A leaver is contained when every door is known to be shut.
author:
  - The m365.offboarding contributors (@m365-offboarding)
extends_documentation_fragment:
  - m365.offboarding.attributes.read_only
  - m365.offboarding.m365
options:
  left_at:
    description:
      - The moment from which the users must be kept out, for those who bring none of their own.
      - Written in ISO 8601 with an offset, for example V(2026-11-20T17:00:00+01:00). Compared with Microsoft's clock.
    type: str
  steps:
    description: Whose doors to look at. Leave V(protocols) out for a tenant without Exchange Online.
    type: list
    elements: str
    choices: [password, sessions, signin, protocols]
    default: [password, sessions, signin, protocols]
  protocols:
    description:
      - Which mailbox protocols to look at, as in M(m365.offboarding.exo_mailbox_protocols).
    type: list
    elements: str
    default: [all]
  directory_roles:
    description:
      - Whether to read the active directory roles of each user, held directly or through a group. Roles that Privileged Identity
        Management could activate, and roles scoped to an administrative unit, are not seen there.
      - That there is a role can be read with C(User.Read.All); its name needs C(RoleManagement.Read.Directory), otherwise its id is told.
    type: bool
    default: false
notes:
  - Mailbox protocols need the application permission C(Exchange.ManageAsApp) on Office 365 Exchange Online, and the Entra role
    C(Global Reader) or the Exchange role C(View-Only Recipients).
seealso:
  - module: m365.offboarding.m365_user_password
  - module: m365.offboarding.m365_user_sessions
  - module: m365.offboarding.m365_user_signin
  - module: m365.offboarding.exo_mailbox_protocols
"""

EXAMPLES = r"""
- name: Look at a leaver's doors
  m365.offboarding.m365_user_info:
    users: jane.doe@contoso.com
    directory_roles: true
  register: doors

- name: Fail when one is open
  ansible.builtin.assert:
    that: doors.users[0].open | length == 0
    quiet: true
"""

RETURN = r"""
automation:
  description:
    - Who did this, by the token that was used, with the keys C(tenant_id), C(client_id) (the application) and C(object_id) (its service
      principal, or the user in whose name it acts). Null when nothing was sent.
  type: dict
  returned: always
  sample:
    tenant_id: 8f3e6b1c-54ad-4f0e-9d0c-0d7f2f2d1c11
    client_id: 1b2c3d4e-5f60-4172-8394-a5b6c7d8e9f0
    object_id: 0a1b2c3d-4e5f-4061-8273-94a5b6c7d8e9
check_mode:
  description: Whether this was check mode.
  type: bool
  returned: always
  sample: false
msg:
  description: What came of it, in one line.
  type: str
  returned: always
  sample: "1 user: 1 unchanged."
users:
  description:
    - One record per user, in the order asked for. It has the keys of M(m365.offboarding.m365_user_signin) and those below.
    - C(before) and C(after) are the same here and hold the facts of each step.
  type: list
  elements: dict
  returned: always
  contains:
    user:
      description: The user as asked for.
      type: str
      sample: jane.doe@contoso.com
    status:
      description: V(unchanged), or V(failed) when something that was asked for could not be read, see C(error).
      type: str
      sample: unchanged
    left_at:
      description: The moment from which the user must be kept out, null if not known.
      type: str
      sample: "2026-11-20T16:00:00Z"
    due:
      description: Whether C(left_at) has passed by Microsoft's clock; true if it is not known.
      type: bool
      sample: true
    protected:
      description: Whether the user is in O(protected_users), or is the account that is used here.
      type: bool
      sample: false
    directory_roles:
      description: Names or ids of active directory roles, null if they were not read.
      type: list
      elements: str
      sample: []
    directory_roles_error:
      description: Null, or why the roles could not be read.
      type: dict
      sample: null
    must_stay:
      description: Null, or, with O(directory_roles), why this user must not be locked out, being the last Global Administrator.
      type: dict
      sample: null
    doors:
      description: Each door with V(open), V(shut), V(unknown) (it could not be read) or V(not_applicable).
      type: dict
      sample: {password: shut, sessions: shut, signin: shut, activesync: open, owa: shut}
    open:
      description: The doors that are open.
      type: list
      elements: str
      sample: [activesync]
    notes:
      description: What a person must know about this user, by step.
      type: dict
      sample: {}
    surely_shut_by:
      description: When Microsoft says that a step's door is surely shut, where that is known.
      type: dict
      sample: {password: "2026-11-20T17:04:09Z", sessions: "2026-11-20T17:04:09Z"}
"""

import typing as t

from ansible_collections.m365.offboarding.plugins.module_utils._leavers import STEPS, Protocols
from ansible_collections.m365.offboarding.plugins.module_utils._module import Run, argument_spec, run_module
from ansible_collections.m365.offboarding.plugins.module_utils._steps import observe


def look(run: Run) -> list[dict[str, t.Any]]:
    asked = run.asked()
    protocols = Protocols.parse(run.params["protocols"])
    tenant = run.tenant(with_exchange=True)
    records = observe(tenant, asked, run.params["steps"], protocols, directory_roles=run.params["directory_roles"])
    run.warn_of_unknown_protected(tenant)
    return records


def main() -> None:
    run_module(
        look,
        argument_spec(
            left_at={"type": "str"},
            steps={"type": "list", "elements": "str", "choices": list(STEPS), "default": list(STEPS)},
            protocols={"type": "list", "elements": "str", "default": ["all"]},
            directory_roles={"type": "bool", "default": False},
        ),
    )


if __name__ == "__main__":
    main()
