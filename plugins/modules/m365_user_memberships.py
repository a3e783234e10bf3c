#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365_user_memberships
short_description: Remove Microsoft 365 users from their groups and directory roles
version_added: 1.0.0
description:
  - Removes a user from groups with assigned membership and, with O(allow_admins), from directory roles, or adds the user again to the
    groups and roles that an earlier run recorded. Memberships give access as soon as the account is enabled again.
  - Each membership is written separately and read back before it is reported as done.
author:
  - The m365.offboarding contributors (@m365-offboarding)
extends_documentation_fragment:
  - m365.offboarding.attributes
  - m365.offboarding.m365
  - m365.offboarding.m365.allow_admins
  - m365.offboarding.m365.objects
options:
  state:
    description:
      - With V(absent), the user is removed from every group to which membership is assigned.
      - With V(present), the user is added to the groups and directory roles in O(objects), and to no others. C(left_at) is ignored.
    type: str
    choices: [absent, present]
    required: true
notes:
  - Reading needs the application permission C(GroupMember.Read.All), writing C(GroupMember.ReadWrite.All). Directory roles and groups
    that can be assigned to roles need C(RoleManagement.ReadWrite.Directory) as well.
  - A holder of a directory role is refused unless O(allow_admins) is set. With it, the last enabled Global Administrator is still refused.
  - Dynamic groups are ignored, since a rule determines their members. A group that is synced from Active Directory, and a distribution
    list or mail-enabled security group, which only Exchange can change, are left as they are and reported.
  - Only direct memberships are changed, not those through a nested group, and not roles that could be activated (Privileged Identity
    Management) or that are scoped to an administrative unit.
  - Leaving a group may remove licenses and, some time later, the mailbox that a license provides. Use check mode first.
seealso:
  - module: m365.offboarding.m365_user_info
  - name: Remove member
    description: The Graph request behind this module.
    link: https://learn.microsoft.com/graph/api/group-delete-members
"""

EXAMPLES = r"""
- name: See which groups a leaver would be removed from
  m365.offboarding.m365_user_memberships:
    users: jane.doe@contoso.com
    state: absent
  check_mode: true
  diff: true

- name: Remove a leaver from assigned groups
  m365.offboarding.m365_user_memberships:
    users: jane.doe@contoso.com
    state: absent
  register: closed

- name: Add the user to the same groups again
  m365.offboarding.m365_user_memberships:
    users: jane.doe@contoso.com
    state: present
    objects:
      jane.doe@contoso.com: "{{ closed.users[0].objects }}"
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
  description:
    - One record per user, in the order of O(users). The keys are those of M(m365.offboarding.m365_user_signin), and C(objects).
    - C(before) and C(after) hold the objects by key, with null for one that does not exist. C(after) leaves out objects that could not
      be read after the write.
    - C(objects) lists each object that was written, planned, or left as it is, with C(key), C(kind), C(name), C(status),
      C(before), C(after), C(written_at), C(request_id), C(note) and C(error). An object with the status V(not_applicable) cannot be
      changed here; C(note) says why. It does not fail the module.
    - The user has the worst status of all objects. V(failed) does not mean that the other objects were not changed.
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
      before: {b2b2b2b2-0000-4000-8000-000000000002: {name: Finance, role_assignable: false}}
      after: {b2b2b2b2-0000-4000-8000-000000000002: null}
      written_at: "2026-11-20T16:04:10Z"
      effective_by: null
      request_id: 5f0b6a5e-4c0e-4a3e-8a57-0e8a54c1c7b2
      note: null
      error: null
      objects:
        - key: b2b2b2b2-0000-4000-8000-000000000002
          kind: group
          name: Finance
          status: verified
          before: {name: Finance, role_assignable: false}
          after: null
          written_at: "2026-11-20T16:04:10Z"
          request_id: 5f0b6a5e-4c0e-4a3e-8a57-0e8a54c1c7b2
          note: null
          error: null
"""

import typing as t

from ..module_utils._module import run_module
from ..module_utils._objects import OBJECTS, ObjectsStep, Wanted, identity, parse_objects
from ..module_utils._residual import Finding
from ..module_utils._run import ALLOW_ADMINS, Job, Run, argument_spec
from ..module_utils._service import Call
from ..module_utils._tenant import Leaver, Tenant, Thing
from ..module_utils._topics import DIRECTORY_ROLE, GROUP

_SYNCED = "The group is synced from Active Directory: remove the user there."
_OF_EXCHANGE = "Only Exchange can change a distribution list or mail-enabled security group."
_COLLECTIONS = {"group": "groups", "directory_role": "directoryRoles"}


class SwitchMemberships(ObjectsStep):
    name = "memberships"
    action = "end the membership in"
    action_again = "make the membership again in"
    topics = ("memberships",)
    permission = "GroupMember.ReadWrite.All"
    sufficient = frozenset({permission, "Group.ReadWrite.All", "Directory.ReadWrite.All"})
    permissions: t.ClassVar = {
        "directory_role": ("RoleManagement.ReadWrite.Directory", frozenset({"RoleManagement.ReadWrite.Directory"}))
    }

    def __init__(self, wanted: Wanted | None, *, allow_admins: bool) -> None:
        ObjectsStep.__init__(self, wanted)
        # Out of its role is the last Global Administrator as good as blocked.
        self.locks_out = self.shuts and allow_admins
        self._allow_admins = allow_admins

    def needs(self, leaver: Leaver) -> tuple[str, frozenset[str]]:
        part = self.part(leaver)
        # A group that can be assigned to roles is guarded as the roles are.
        guarded = (part.facts or part.raw).get("role_assignable")
        return self.permissions["directory_role"] if guarded else super().needs(leaver)

    def is_open(self, finding: Finding) -> bool:
        return super().is_open(finding) or _kind(finding) == "directory_role"

    def thing(self, tenant: Tenant, leaver: Leaver, finding: Finding) -> Thing:
        one = finding.raw
        synced, mail = one.get("onPremisesSyncEnabled") is True, one.get("mailEnabled") is True
        of_exchange = mail and "Unified" not in (one.get("groupTypes") or ())
        return Thing(
            identity(one),
            _kind(finding),
            one.get("displayName"),
            {"name": one.get("displayName"), "role_assignable": one.get("isAssignableToRole") is True},
            fixed=_SYNCED if synced else _OF_EXCHANGE if of_exchange else None,
        )

    def closed(self, thing: Thing) -> None:
        return None

    def close(self, tenant: Tenant, leaver: Leaver, thing: Thing) -> Call:
        return tenant.graph.remove_member(_COLLECTIONS[thing.kind], thing.key, leaver.known.id)

    def reopen(self, tenant: Tenant, leaver: Leaver, thing: Thing) -> Call:
        return tenant.graph.add_member(_COLLECTIONS[thing.kind], thing.key, leaver.known.id)

    def unfit(self, leaver: Leaver, thing: Thing) -> str | None:
        gives_role = thing.kind == "directory_role" or thing.raw.get("role_assignable")
        return (
            "Directory roles are assigned again only with allow_admins."
            if gives_role and not self._allow_admins
            else None
        )


def _kind(finding: Finding) -> str:
    kinds = {GROUP: "group", DIRECTORY_ROLE: "directory_role"}
    return kinds.get(str(finding.raw.get("@odata.type")).lower(), "other")


def switch(run: Run) -> list[dict[str, t.Any]]:
    wanted = parse_objects(run.params, restores=run.params["state"] == "present")
    return run.step(SwitchMemberships(wanted, allow_admins=run.params["allow_admins"]))


JOB = Job(
    argument_spec(
        state={"type": "str", "choices": ["absent", "present"], "required": True},
        objects=OBJECTS,
        allow_admins=ALLOW_ADMINS,
    ),
    switch,
)


def main() -> None:
    run_module(JOB)


if __name__ == "__main__":
    main()
