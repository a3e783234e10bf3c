#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365_user_password
short_description: Reset the password of Microsoft 365 users to one that nobody knows
version_added: 1.0.0
description:
  - Sets a new random password for each user, which is sent to Entra ID and then discarded, the first step of Microsoft's page on
    former employees. The password is never returned, logged or stored.
  - The reset is reported as done when C(lastPasswordChangeDateTime) has changed.
author:
  - The m365.offboarding contributors (@m365-offboarding)
extends_documentation_fragment:
  - m365.offboarding.attributes
  - m365.offboarding.m365
  - m365.offboarding.m365.allow_admins
attributes:
  idempotent:
    support: partial
    details:
      - A password cannot be read. Nothing is sent if sign-in is blocked, a sign-out followed the last password change within an hour,
        and that change came after C(left_at), if known. The four steps leave these timestamps when they run in order.
      - While sign-in is allowed, every run resets the password again, since the user may have changed it at any time.
options:
  left_at:
    description:
      - The time from which the users must be kept out, for users without a C(left_at) of their own.
      - Written in ISO 8601 with an offset, for example V(2026-11-20T17:00:00+01:00). Compared with Microsoft's clock.
    type: str
  force:
    description: Reset even if the password has been reset already.
    type: bool
    default: false
  password:
    description:
      - A password to set instead of a random one, when an account is restored. Only for a single user; implies O(force).
      - It must meet Microsoft's rules, which are checked before anything is sent. These are 8 to 256 characters, three of lower case,
        upper case, digits and symbols, and no part of the user's name.
      - Corresponds to C(passwordProfile.password) of the Graph user; C(forceChangePasswordNextSignIn) is always sent with it.
    type: str
notes:
  - Writing needs the application permission C(User-PasswordProfile.ReadWrite.All). Microsoft also asks for a directory role on the
    application's service principal, C(User Administrator) for ordinary users, C(Privileged Authentication Administrator) for
    administrators.
  - The last enabled Global Administrator is refused. Reading the holders of that role needs C(RoleManagement.Read.Directory); without
    it, every holder of any directory role is refused.
  - The password of a synced account is mastered in Active Directory; Entra ID refuses to set it for an application.
  - Guests are V(not_applicable); their password belongs to their home tenant.
seealso:
  - module: m365.offboarding.m365_user_sessions
  - module: m365.offboarding.m365_user_signin
  - name: Update user
    description: The Graph request behind this module.
    link: https://learn.microsoft.com/graph/api/user-update
"""

EXAMPLES = r"""
- name: Reset a leaver's password to one that nobody knows
  m365.offboarding.m365_user_password:
    users: jane.doe@contoso.com

- name: Reset the passwords of all users on the list, unless they were reset after these users left
  m365.offboarding.m365_user_password:
    users: "{{ leavers }}"
    left_at: "2026-11-20T17:00:00+01:00"

- name: Set the first password of a restored account
  m365.offboarding.m365_user_password:
    users: jane.doe@contoso.com
    password: "{{ first_password }}"
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
  sample: "2 users: 1 verified, 1 unchanged."
users:
  description: One record per user, in the order of O(users). The keys are those of M(m365.offboarding.m365_user_signin).
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
      before: {last_password_change_date_time: "2026-03-02T08:00:00Z"}
      after: {last_password_change_date_time: "2026-11-20T16:04:07Z"}
      written_at: "2026-11-20T16:04:07Z"
      effective_by: null
      request_id: 5f0b6a5e-4c0e-4a3e-8a57-0e8a54c1c7b2
      note: null
      error: null
"""

import datetime
import typing as t

from ..module_utils._door_states import surely_shut
from ..module_utils._errors import OptionError
from ..module_utils._graph import User
from ..module_utils._module import run_module
from ..module_utils._passwords import complaint, generate_password
from ..module_utils._run import ALLOW_ADMINS, Job, Run, argument_spec
from ..module_utils._service import Call
from ..module_utils._steps import Step
from ..module_utils._tenant import Leaver, Tenant

_SET_THERE = "Synced from Active Directory: its password is set there."


class ResetPassword(Step):
    name = "password"
    action = "reset the password of"
    permission = "User-PasswordProfile.ReadWrite.All"
    sufficient = frozenset({permission})

    def __init__(self, given: str | None) -> None:
        self.locks_out = given is None
        self._given = given
        self._passwords: dict[str, str] = {}

    def not_applicable(self, leaver: Leaver) -> bool:
        return leaver.known.is_guest

    def mastered_elsewhere(self, leaver: Leaver) -> str | None:
        return _SET_THERE if leaver.known.synced else None

    def expected(self, leaver: Leaver) -> dict[str, t.Any]:
        return {"last_password_change_date_time": None}  # the moment of the write, not known before it

    def call(self, tenant: Tenant, leaver: Leaver) -> Call:
        return tenant.graph.reset_password(leaver.known.id, self._password(leaver.known))

    def not_before(self, leaver: Leaver) -> datetime.datetime | None:
        # Microsoft's moments are cut to the second: only a whole second later can the change be seen.
        changed = leaver.known.password_changed
        return changed + datetime.timedelta(seconds=1) if changed else None

    def shows(self, before: Leaver, now: Leaver) -> bool:
        was, changed = before.known.password_changed, now.known.password_changed
        return changed is not None and (was is None or changed > was)

    def effective_by(
        self, leaver: Leaver, written_at: datetime.datetime | None, *, seen: bool
    ) -> datetime.datetime | None:
        # Surely shut an hour after the sign-out that follows; unknown until that has come.
        return surely_shut(leaver) if written_at is None else None

    def note(self, leaver: Leaver) -> str | None:
        if leaver.known.synced and self._given is not None:
            return _SET_THERE
        return super().note(leaver)

    def _password(self, user: User) -> str:
        """One per leaver and run: after an unknown outcome the same one is sent again."""
        if user.id not in self._passwords:
            # Not among the values that Ansible masks: it searches every text of the result for each of them.
            names = [user.user_principal_name, user.display_name]
            self._passwords[user.id] = self._given or generate_password(names)
        return self._passwords[user.id]


def reset(run: Run) -> list[dict[str, t.Any]]:
    given = run.params["password"]
    if given is not None:
        asked = run.asked()
        if len(asked) > 1:
            raise OptionError("password is for one user only, so that no two accounts share it.")
        broken = complaint(given, [asked[0].name])
        if broken:
            raise OptionError(f"password breaks Microsoft's rules: {broken}.")
    return run.step(ResetPassword(given), force=run.params["force"] or given is not None)


JOB = Job(
    argument_spec(
        left_at={"type": "str"},
        force={"type": "bool", "default": False},
        allow_admins=ALLOW_ADMINS,
        password={"type": "str", "no_log": True},
    ),
    reset,
)


def main() -> None:
    run_module(JOB)


if __name__ == "__main__":
    main()
