#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365_deleted_user
short_description: Restore deleted Microsoft 365 users
version_added: 1.0.0
description:
  - Restores users that were deleted within the last 30 days, under the name they had. After 30 days, Microsoft deletes them permanently.
  - Only a user with exactly this name or object ID is restored. If several deleted users had the name, or a deleted user had it and
    another user has it today, none is restored, and the error lists their object IDs.
  - The directory roles of a deleted user cannot be read. A user is therefore restored only with O(allow_admins), or if an empty
    C(directory_roles) in O(users) shows that the roles were read earlier and that there were none.
  - If an account could sign in when it was deleted, it can sign in as soon as it is restored; see C(account_enabled).
  - Users who are not deleted are left as they are, and no user is ever created.
author:
  - The m365.offboarding contributors (@m365-offboarding)
extends_documentation_fragment:
  - m365.offboarding.attributes
  - m365.offboarding.m365
options:
  state:
    description: With V(restored), the only state, a deleted user is restored.
    type: str
    choices: [restored]
    required: true
  allow_admins:
    description: Whether to restore users that held a directory role, or whose roles are not known.
    type: bool
    default: false
notes:
  - Writing needs the application permission C(User.DeleteRestore.All). Microsoft also asks for a directory role on the application's
    service principal, C(User Administrator) for ordinary users, C(Privileged Authentication Administrator) for administrators.
  - If another account uses the name or an address now, Microsoft refuses to restore the deleted one.
seealso:
  - module: m365.offboarding.m365_user_signin
  - name: Restore deleted item
    description: The Graph request behind this module.
    link: https://learn.microsoft.com/graph/api/directory-deleteditems-restore
"""

EXAMPLES = r"""
- name: Restore an account that was deleted by mistake
  m365.offboarding.m365_deleted_user:
    users: jane.doe@contoso.com
    state: restored
    allow_admins: true

- name: Restore it if it was not an administrator when it was offboarded
  m365.offboarding.m365_deleted_user:
    users:
      - user: 5c1f3f8a-3d5e-4b63-9d0a-3f5f6f0f8f11
        directory_roles: []
    state: restored
"""

RETURN = r"""
automation:
  description: The identity that did this, with the keys that M(m365.offboarding.m365_user_signin) returns; null if nothing was sent.
  type: dict
  returned: always
check_mode:
  description: Whether the module ran in check mode.
  type: bool
  returned: always
  sample: false
msg:
  description: The result in one line.
  type: str
  returned: always
  sample: "1 user: 1 verified."
users:
  description:
    - One record per user, in the order of O(users). The keys are those of M(m365.offboarding.m365_user_signin).
    - C(before) and C(after) show whether the user is deleted, since when, and whether sign-in is allowed.
  type: list
  elements: dict
  returned: always
  sample:
    - user: jane.doe@contoso.com
      id: 5c1f3f8a-3d5e-4b63-9d0a-3f5f6f0f8f11
      user_principal_name: jane.doe@contoso.com
      display_name: Jane Doe
      status: verified
      changed: true
      before: {deleted: true, deleted_at: "2026-11-18T09:00:00Z", account_enabled: false}
      after: {deleted: false, deleted_at: null, account_enabled: false}
      written_at: "2026-11-20T16:04:12Z"
      effective_by: null
      request_id: 5f0b6a5e-4c0e-4a3e-8a57-0e8a54c1c7b2
      note: null
      error: null
"""

import typing as t

from ..module_utils._errors import OffboardingError
from ..module_utils._guards import deleted_administrator_error
from ..module_utils._module import run_module
from ..module_utils._run import Job, argument_spec
from ..module_utils._service import Call
from ..module_utils._steps import Step
from ..module_utils._tenant import Leaver, Tenant
from ..module_utils._times import format_moment
from ..module_utils._user_input import RequestedUser


class RestoreUser(Step):
    name = "account"
    action = "restore"
    permission = "User.DeleteRestore.All"
    sufficient = frozenset({permission, "User.ReadWrite.All"})
    shuts = False
    reads_roles = False

    def __init__(self, *, allow_admins: bool) -> None:
        self._allow_admins = allow_admins

    def refusal(self, leaver: Leaver) -> OffboardingError | None:
        if self._allow_admins or not leaver.known.deleted:
            return None
        return deleted_administrator_error(leaver.name, leaver.asked.roles)

    def resolve(self, tenant: Tenant, asked: t.Sequence[RequestedUser], *, writes: bool) -> list[Leaver]:
        return tenant.resolve_deleted(asked)

    def is_done(self, leaver: Leaver) -> bool:
        return not leaver.known.deleted

    def describe(self, leaver: Leaver) -> dict[str, t.Any]:
        user = leaver.known
        return {
            "deleted": user.deleted,
            "deleted_at": format_moment(user.deleted_at) if user.deleted else None,
            "account_enabled": user.account_enabled,
        }

    def expected(self, leaver: Leaver) -> dict[str, t.Any]:
        return {**self.describe(leaver), "deleted": False, "deleted_at": None}

    def call(self, tenant: Tenant, leaver: Leaver) -> Call:
        return tenant.graph.restore_user(leaver.known.id)

    def shows(self, before: Leaver, now: Leaver) -> bool:
        # /users returns only users who are not deleted, so a user that can be read there is restored.
        return self.is_done(now)

    def note(self, leaver: Leaver) -> str | None:
        if leaver.known.deleted and leaver.known.synced:
            return "Synced from Active Directory: restore it there too, otherwise the next sync may delete it again."
        return None


JOB = Job(
    argument_spec(
        state={"type": "str", "choices": ["restored"], "required": True},
        allow_admins={"type": "bool", "default": False},
    ),
    lambda run: run.step(RestoreUser(allow_admins=run.params["allow_admins"])),
)


def main() -> None:
    run_module(JOB)


if __name__ == "__main__":
    main()
