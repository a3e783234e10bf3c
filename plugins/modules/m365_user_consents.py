#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365_user_consents
short_description: Delete the consents and application assignments of Microsoft 365 users
version_added: 1.0.0
description:
  - Deletes the OAuth consents (delegated permission grants) that a user gave to applications and the app role assignments of the user,
    or restores those that an earlier run deleted. An application with a consent may act on behalf of the user without another sign-in.
  - Only grants and assignments of this one user are changed. A consent that an administrator gave for all users stays, and so does an
    assignment that the user has through a group.
  - Each of them is written separately and read back before it is reported as done.
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
      - With V(absent), every consent and app role assignment of the user is deleted.
      - With V(present), those in O(objects) are restored, and no others, each with the scope that it had. C(left_at) is ignored.
    type: str
    choices: [absent, present]
    required: true
notes:
  - Reading needs the application permission C(Directory.Read.All). Writing needs C(DelegatedPermissionGrant.ReadWrite.All) for
    consents and C(AppRoleAssignment.ReadWrite.All) for app role assignments. If one is missing, the objects that need the other are
    still written.
  - Access tokens that an application already holds remain valid until they expire, for about an hour.
  - C(AppRoleAssignment.ReadWrite.All) lets an application grant itself any permission. Grant it only for as long as it is needed.
  - Applications that the user owns are not changed. M(m365.offboarding.m365_user_info) reports them.
seealso:
  - module: m365.offboarding.m365_user_info
  - name: Delete oAuth2PermissionGrant
    description: The Graph request behind this module, for consents.
    link: https://learn.microsoft.com/graph/api/oauth2permissiongrant-delete
  - name: Delete appRoleAssignment
    description: The Graph request behind this module, for assignments.
    link: https://learn.microsoft.com/graph/api/user-delete-approleassignments
"""

EXAMPLES = r"""
- name: Delete a leaver's consents and app role assignments
  m365.offboarding.m365_user_consents:
    users: jane.doe@contoso.com
    state: absent
  register: closed

- name: Restore them as they were
  m365.offboarding.m365_user_consents:
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
    - One record per user, in the order of O(users). The keys are those of M(m365.offboarding.m365_user_memberships), with these objects
      in C(before), C(after) and C(objects).
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
      before: {consent a1 b1: {id: zdWx, client_id: a1, client_name: Survey Tool, resource_id: b1, scope: openid profile}}
      after: {consent a1 b1: null}
      written_at: "2026-11-20T16:04:10Z"
      effective_by: null
      request_id: 5f0b6a5e-4c0e-4a3e-8a57-0e8a54c1c7b2
      note: null
      error: null
      objects:
        - key: consent a1 b1
          kind: consent
          name: Survey Tool
          status: verified
          before: {id: zdWx, client_id: a1, client_name: Survey Tool, resource_id: b1, scope: openid profile}
          after: null
          written_at: "2026-11-20T16:04:10Z"
          request_id: 5f0b6a5e-4c0e-4a3e-8a57-0e8a54c1c7b2
          note: null
          error: null
"""

import typing as t

from ..module_utils._module import run_module
from ..module_utils._objects import OBJECTS, ObjectsStep, identity, parse_objects
from ..module_utils._residual import Finding
from ..module_utils._run import ALLOW_ADMINS, Job, Run, argument_spec
from ..module_utils._service import Call
from ..module_utils._tenant import Leaver, Tenant, Thing
from ..module_utils._user_input import same_name

_OF_EVERYBODY = "An administrator gave this consent for all users."
_OTHER_SCOPE = "The user has given this application another consent since then."


class SwitchConsents(ObjectsStep):
    name = "consents"
    action = "delete"
    action_again = "make again"
    topics = ("consents",)
    permission = "DelegatedPermissionGrant.ReadWrite.All"
    sufficient = frozenset({permission, "Directory.ReadWrite.All"})
    permissions: t.ClassVar = {
        "app_role": ("AppRoleAssignment.ReadWrite.All", frozenset({"AppRoleAssignment.ReadWrite.All"}))
    }

    def thing(self, tenant: Tenant, leaver: Leaver, finding: Finding) -> Thing:
        kind, one = finding.question.kind, finding.raw
        resource = str(one.get("resourceId"))
        if kind == "app_role":
            role, name = str(one.get("appRoleId")), one.get("resourceDisplayName")
            facts = {"id": identity(one), "resource_id": resource, "resource_name": name, "app_role_id": role}
            return Thing(f"{kind} {resource} {role}", kind, name, facts)
        client, name = str(one.get("clientId")), one.get("clientName")
        facts = {
            "id": identity(one),
            "client_id": client,
            "client_name": name,
            "resource_id": resource,
            "scope": one.get("scope"),
        }
        own = one.get("consentType") == "Principal" and same_name(one.get("principalId"), leaver.known.id)
        return Thing(f"{kind} {client} {resource}", kind, name, facts, fixed=None if own else _OF_EVERYBODY)

    def closed(self, thing: Thing) -> None:
        return None

    def close(self, tenant: Tenant, leaver: Leaver, thing: Thing) -> Call:
        identity = str((thing.facts or {})["id"])
        if thing.kind == "consent":
            return tenant.graph.delete_consent(identity)
        return tenant.graph.delete_app_role(leaver.known.id, identity)

    def reopen(self, tenant: Tenant, leaver: Leaver, thing: Thing) -> Call:
        was = thing.raw
        if thing.kind == "consent":
            scope = str(was.get("scope") or "")
            return tenant.graph.create_consent(leaver.known.id, str(was["client_id"]), str(was["resource_id"]), scope)
        return tenant.graph.create_app_role(leaver.known.id, str(was["resource_id"]), str(was["app_role_id"]))

    def conflict(self, now: Thing, before: t.Mapping[str, t.Any]) -> str | None:
        scopes = [set(str(facts.get("scope") or "").split()) for facts in (now.facts or {}, before)]
        return None if scopes[0] == scopes[1] else _OTHER_SCOPE


def switch(run: Run) -> list[dict[str, t.Any]]:
    return run.step(SwitchConsents(parse_objects(run.params, restores=run.params["state"] == "present")))


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
