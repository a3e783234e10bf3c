#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365_user_sessions
short_description: Sign Microsoft 365 users out of all sessions
version_added: 1.0.0
description:
  - Ends all sessions of users by revoking their refresh tokens and session cookies, the second step of Microsoft's page on former
    employees.
  - The sign-out is reported as done when C(signInSessionsValidFromDateTime) has moved past the last password change.
  - Access tokens that were already issued remain valid for up to about an hour, those of Outlook, Teams and SharePoint for a few minutes.
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
      - Nothing is sent if sign-in is blocked and the last sign-out came after the last password change and after C(left_at), or, if
        C(left_at) is not known, within an hour of the password change.
      - While sign-in is allowed, every run signs the user out again, since a session may have been opened at any time.
options:
  left_at:
    description:
      - The time from which the users must be kept out, for users without a C(left_at) of their own.
      - Written in ISO 8601 with an offset, for example V(2026-11-20T17:00:00+01:00). Compared with Microsoft's clock.
    type: str
  force:
    description: Sign out even if the user has been signed out already.
    type: bool
    default: false
notes:
  - Writing needs the application permission C(User.RevokeSessions.All). To sign an administrator out, the application's service
    principal needs a directory role as well; C(Privileged Authentication Administrator) may act on every role.
  - Guests are V(not_applicable); their sessions belong to their home tenant.
seealso:
  - module: m365.offboarding.m365_user_password
  - module: m365.offboarding.m365_user_signin
  - name: Revoke sign-in sessions
    description: The Graph request behind this module; it replaces the retired Revoke-AzureADUserAllRefreshToken.
    link: https://learn.microsoft.com/graph/api/user-revokesigninsessions
"""

EXAMPLES = r"""
- name: Sign a leaver out everywhere
  m365.offboarding.m365_user_sessions:
    users: jane.doe@contoso.com

- name: Sign out all users who left last Friday, unless they have been signed out since then
  m365.offboarding.m365_user_sessions:
    users:
      - jane.doe@contoso.com
      - user: miles.obrien@contoso.com
        left_at: "2026-11-18T12:00:00Z"
    left_at: "2026-11-20T17:00:00+01:00"
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
      before: {sign_in_sessions_valid_from_date_time: "2026-03-02T08:00:00Z"}
      after: {sign_in_sessions_valid_from_date_time: "2026-11-20T16:04:09Z"}
      written_at: "2026-11-20T16:04:09Z"
      effective_by: "2026-11-20T17:04:09Z"
      request_id: 5f0b6a5e-4c0e-4a3e-8a57-0e8a54c1c7b2
      note: Outlook on the web may stay usable on an open page until another tile is opened or the page is refreshed.
      error: null
"""

import datetime
import typing as t

from ..module_utils._door_states import surely_shut
from ..module_utils._module import run_module
from ..module_utils._run import ALLOW_ADMINS, Job, argument_spec
from ..module_utils._service import Call
from ..module_utils._steps import Step
from ..module_utils._tenant import Leaver, Tenant


class SignOut(Step):
    name = "sessions"
    action = "sign out"
    permission = "User.RevokeSessions.All"
    sufficient = frozenset({permission, "User.ReadWrite.All", "Directory.ReadWrite.All"})

    def not_applicable(self, leaver: Leaver) -> bool:
        return leaver.known.is_guest

    def expected(self, leaver: Leaver) -> dict[str, t.Any]:
        return {"sign_in_sessions_valid_from_date_time": None}  # the moment of the write, not known before it

    def call(self, tenant: Tenant, leaver: Leaver) -> Call:
        return tenant.graph.revoke_sessions(leaver.known.id)

    def not_before(self, leaver: Leaver) -> datetime.datetime | None:
        # Microsoft's moments are cut to the second: only a whole second later is the sign-out provably the later one.
        moments = [moment for moment in (leaver.known.password_changed, leaver.known.sessions_valid_from) if moment]
        return max(moments) + datetime.timedelta(seconds=1) if moments else None

    def shows(self, before: Leaver, now: Leaver) -> bool:
        was, valid_from, changed = (
            before.known.sessions_valid_from,
            now.known.sessions_valid_from,
            now.known.password_changed,
        )
        if valid_from is None:
            return False
        return (was is None or valid_from > was) and (changed is None or valid_from > changed)

    def effective_by(
        self, leaver: Leaver, written_at: datetime.datetime | None, *, seen: bool
    ) -> datetime.datetime | None:
        return surely_shut(leaver) if seen else None


JOB = Job(
    argument_spec(left_at={"type": "str"}, force={"type": "bool", "default": False}, allow_admins=ALLOW_ADMINS),
    lambda run: run.step(SignOut(), force=run.params["force"]),
)


def main() -> None:
    run_module(JOB)


if __name__ == "__main__":
    main()
