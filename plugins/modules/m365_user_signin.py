#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365_user_signin
short_description: Block or allow sign-in of Microsoft 365 users
version_added: 1.0.0
description:
  - Blocks users from signing in to Microsoft 365, the third step of Microsoft's page on former employees, or allows it again.
  - The change is read back before it is reported as done. A block can take up to 24 hours to take effect everywhere.
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
      - With V(allowed), C(left_at) is ignored.
    type: str
    choices: [blocked, allowed]
    required: true
notes:
  - Writing needs the application permission C(User.EnableDisableAccount.All). To block an administrator, O(allow_admins) must be set,
    and the application's service principal needs a directory role as well; C(Privileged Authentication Administrator) may act on
    every role.
  - The last enabled Global Administrator is refused. Reading the holders of that role needs C(RoleManagement.Read.Directory); without
    it, every holder of any directory role is refused.
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

- name: See for which users sign-in would be blocked
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
    - The identity that did this, as the token shows it, with the keys C(tenant_id), C(client_id) and C(application_name) (the
      application; the name is null if the token does not contain it) and C(object_id) (its service principal, or the signed-in user).
      Null if nothing was sent.
  type: dict
  returned: always
  sample:
    tenant_id: 8f3e6b1c-54ad-4f0e-9d0c-0d7f2f2d1c11
    client_id: 1b2c3d4e-5f60-4172-8394-a5b6c7d8e9f0
    application_name: m365-offboarding
    object_id: 0a1b2c3d-4e5f-4061-8273-94a5b6c7d8e9
check_mode:
  description: Whether the module ran in check mode.
  type: bool
  returned: always
  sample: false
msg:
  description: The result in one line.
  type: str
  returned: always
  sample: "2 users: 1 verified, 1 unchanged."
users:
  description: One record per user, in the order of O(users).
  type: list
  elements: dict
  returned: always
  contains:
    user:
      description: The user as given in O(users).
      type: str
      sample: jane.doe@contoso.com
    id:
      description: The object ID, null if no user was found.
      type: str
      sample: 5c1f3f8a-3d5e-4b63-9d0a-3f5f6f0f8f11
    user_principal_name:
      description: The user principal name, null if no user was found.
      type: str
      sample: jane.doe@contoso.com
    display_name:
      description: The display name.
      type: str
      sample: Jane Doe
    status:
      description:
        - V(unchanged) means that no change was needed and nothing was sent.
        - V(planned) means that the module ran in check mode and would have changed the user.
        - V(verified) means that the change was written and read back.
        - V(accepted) means that the change was written, but was not visible within O(verify_timeout), or was not read back.
        - V(not_applicable) means that the user has no such door.
        - V(not_due) means that C(left_at) is in the future by Microsoft's clock, and nothing was sent.
        - V(refused) means that nothing was sent, because the user is protected, is the account that the credential belongs to, is an
          administrator or a user whose roles cannot be read (without O(allow_admins)), or may be the last Global Administrator. It fails
          the module.
        - V(failed) means that an error occurred, see C(error). It fails the module.
      type: str
      sample: verified
    changed:
      description: Whether this user was changed or, in check mode, would be; also true if the outcome of a write is unknown.
      type: bool
      sample: true
    before:
      description: The values before the change.
      type: dict
      sample: {account_enabled: true}
    after:
      description: The values that were read back, null if none were; in check mode, the expected values.
      type: dict
      sample: {account_enabled: false}
    written_at:
      description: When the change was written, by Microsoft's clock; null if nothing was written.
      type: str
      sample: "2026-11-20T16:04:10Z"
    effective_by:
      description: The time by which, according to Microsoft, the door is shut everywhere. Null if that is not known.
      type: str
      sample: "2026-11-21T16:04:10Z"
    request_id:
      description: Microsoft's request ID of the write, which its support asks for; that of the batch if the write has none.
      type: str
      sample: 5f0b6a5e-4c0e-4a3e-8a57-0e8a54c1c7b2
    note:
      description: Anything noteworthy about this user.
      type: str
      sample: null
    error:
      description: >-
        Why the user failed or was refused, null otherwise. It has C(code), C(message), C(hint) (the remedy) and Microsoft's
        C(request_id).
      type: dict
      sample: null
"""

import datetime
import typing as t

from ..module_utils._module import run_module
from ..module_utils._run import ALLOW_ADMINS, Job, argument_spec
from ..module_utils._service import Call
from ..module_utils._steps import Step
from ..module_utils._tenant import Leaver, Tenant


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
