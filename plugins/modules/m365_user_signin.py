#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365_user_signin
short_description: Block or allow sign-in of Microsoft 365 users
version_added: 1.0.0
description:
  - Blocks users from signing in to Microsoft 365, the third step of Microsoft's page on former employees, or allows it again.
  - The change is read back before it is called done. Microsoft says that a block may take up to 24 hours to count everywhere.
author:
  - The m365.offboarding contributors (@m365-offboarding)
extends_documentation_fragment:
  - m365.offboarding.attributes
  - m365.offboarding.m365
  - m365.offboarding.m365.allow_admins
options:
  state:
    description:
      - Whether sign-in is blocked or allowed.
      - Corresponds to C(accountEnabled) of the Graph user, which is sent alone, never together with the password, since the two
        need different permissions.
      - With V(allowed), a C(left_at) is not looked at.
    type: str
    choices: [blocked, allowed]
    required: true
notes:
  - Writing needs the application permission C(User.EnableDisableAccount.All). To block an administrator, O(allow_admins) must be set,
    and the application's service principal needs a directory role as well; C(Privileged Authentication Administrator) may act on
    every role.
  - The last enabled Global Administrator is refused. Who holds that role can be read with C(RoleManagement.Read.Directory); without it,
    every holder of any directory role is refused.
  - A synced account should be disabled in Active Directory too, otherwise the next sync may allow sign-in again. Since January 2026
    an account's source of authority can be switched to the cloud; then no sync undoes the block
    (U(https://learn.microsoft.com/entra/identity/hybrid/how-to-user-source-of-authority-configure)).
seealso:
  - module: m365.offboarding.m365_user_password
  - module: m365.offboarding.m365_user_sessions
  - module: m365.offboarding.exo_mailbox_protocols
  - name: Update user
    description: The Graph request behind this module.
    link: https://learn.microsoft.com/graph/api/user-update
"""

EXAMPLES = r"""
- name: Block a leaver
  m365.offboarding.m365_user_signin:
    users: jane.doe@contoso.com
    state: blocked

- name: See whose sign-in would be blocked
  m365.offboarding.m365_user_signin:
    users:
      - jane.doe@contoso.com
      - 5c1f3f8a-3d5e-4b63-9d0a-3f5f6f0f8f11
    state: blocked
  check_mode: true
  diff: true
"""

RETURN = r"""
automation:
  description:
    - Who did this, by the token that was used, with the keys C(tenant_id), C(client_id) and C(application_name) (the application; the
      name is null where the token does not tell it) and C(object_id) (its service principal, or the user in whose name it acts). Null
      when nothing was sent.
  type: dict
  returned: always
  sample:
    tenant_id: 8f3e6b1c-54ad-4f0e-9d0c-0d7f2f2d1c11
    client_id: 1b2c3d4e-5f60-4172-8394-a5b6c7d8e9f0
    application_name: m365-offboarding
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
  sample: "2 users: 1 verified, 1 unchanged."
users:
  description: One record per user, in the order asked for.
  type: list
  elements: dict
  returned: always
  contains:
    user:
      description: The user as asked for.
      type: str
      sample: jane.doe@contoso.com
    id:
      description: The object id, null if nobody was found.
      type: str
      sample: 5c1f3f8a-3d5e-4b63-9d0a-3f5f6f0f8f11
    user_principal_name:
      description: The user principal name, null if nobody was found.
      type: str
      sample: jane.doe@contoso.com
    display_name:
      description: The display name.
      type: str
      sample: Jane Doe
    status:
      description:
        - V(unchanged), it was so already and nothing was sent.
        - V(planned), check mode, it would be changed.
        - V(verified), written and read back.
        - V(accepted), written, but not to be seen yet within O(verify_timeout), or not read back.
        - V(not_applicable), there is no such door here.
        - V(not_due), C(left_at) lies ahead by Microsoft's clock and nothing was sent.
        - V(refused), protected, the account that is used here, an administrator (or somebody whose roles cannot be read) without
          O(allow_admins), or perhaps the last Global Administrator, and nothing was sent; fails the module.
        - V(failed), see C(error); fails the module.
      type: str
      sample: verified
    changed:
      description: Whether this user was changed, would be in check mode, or may have been when the outcome is unknown.
      type: bool
      sample: true
    before:
      description: What was found.
      type: dict
      sample: {account_enabled: true}
    after:
      description: What was read back, null when nothing was; in check mode, what it would be.
      type: dict
      sample: {account_enabled: false}
    written_at:
      description: When it was written, by Microsoft's clock; null when nothing was.
      type: str
      sample: "2026-11-20T16:04:10Z"
    effective_by:
      description: When Microsoft says that the door is surely shut, null where that is not known.
      type: str
      sample: "2026-11-21T16:04:10Z"
    request_id:
      description: Microsoft's id of the write, which its support asks for; of its batch where it has none of its own.
      type: str
      sample: 5f0b6a5e-4c0e-4a3e-8a57-0e8a54c1c7b2
    note:
      description: What a person must know about this user, if anything.
      type: str
      sample: null
    error:
      description: Null, or why it failed. C(code), C(message), C(hint) with what to do, and Microsoft's C(request_id).
      type: dict
      sample: null
"""

import datetime
import typing as t

from ansible_collections.m365.offboarding.plugins.module_utils._module import run_module
from ansible_collections.m365.offboarding.plugins.module_utils._run import ALLOW_ADMINS, Job, argument_spec
from ansible_collections.m365.offboarding.plugins.module_utils._service import Call
from ansible_collections.m365.offboarding.plugins.module_utils._steps import Step
from ansible_collections.m365.offboarding.plugins.module_utils._tenant import Leaver, Tenant


class BlockOrAllowSignIn(Step):
    name = "signin"
    permission = "User.EnableDisableAccount.All"
    sufficient = frozenset({permission, "User.ReadWrite.All", "Directory.ReadWrite.All"})

    def __init__(self, state: str) -> None:
        self.shuts = self.locks_out = state == "blocked"
        self.action = "block sign-in of" if self.shuts else "allow sign-in of"
        self._enabled = not self.shuts

    def is_done(self, leaver: Leaver) -> bool:
        return leaver.known.account_enabled is self._enabled

    def expected(self, leaver: Leaver) -> dict[str, t.Any]:
        return {"account_enabled": self._enabled}

    def call(self, tenant: Tenant, leaver: Leaver) -> Call:
        return tenant.graph.enable_account(leaver.known.id, self._enabled)

    def shows(self, before: Leaver, now: Leaver) -> bool:
        return self.is_done(now)

    def effective_by(
        self, leaver: Leaver, written_at: datetime.datetime | None, *, seen: bool
    ) -> datetime.datetime | None:
        # "It can take up to 24 hours": Microsoft's page, step 1.
        return written_at + datetime.timedelta(hours=24) if written_at and self.shuts else None

    def note(self, leaver: Leaver) -> str | None:
        if leaver.known.synced and not self.shuts:
            return "Synced from Active Directory: enable it there too, otherwise the next sync may undo this."
        return super().note(leaver)


JOB = Job(
    argument_spec(
        state={"type": "str", "choices": ["blocked", "allowed"], "required": True}, allow_admins=ALLOW_ADMINS
    ),
    lambda run: run.step(BlockOrAllowSignIn(run.params["state"])),
)


def main() -> None:
    run_module(JOB)


if __name__ == "__main__":
    main()
