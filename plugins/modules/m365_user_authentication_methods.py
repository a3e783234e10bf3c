#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365_user_authentication_methods
short_description: Delete the sign-in methods of Microsoft 365 users
version_added: 1.0.0
description:
  - Deletes all methods, except the password, that a user has registered for signing in or for resetting the password. These are
    phones, the Microsoft Authenticator, passkeys (FIDO2), Temporary Access Passes, software tokens, Windows Hello for Business,
    platform credentials and e-mail addresses.
  - B(This cannot be undone.) Only the user can register these methods again. C(before) shows what was deleted.
  - Each method is deleted separately and read back before it is reported as done. Microsoft refuses to delete the default method as
    long as there are others, so a method that is refused at first is tried again after the others.
author:
  - The m365.offboarding contributors (@m365-offboarding)
extends_documentation_fragment:
  - m365.offboarding.attributes
  - m365.offboarding.m365
  - m365.offboarding.m365.allow_admins
options:
  state:
    description:
      - V(absent) deletes the methods. It is the only state, since a deleted method cannot be restored.
    type: str
    choices: [absent]
    required: true
notes:
  - Reading needs the application permission C(UserAuthenticationMethod.Read.All), writing C(UserAuthenticationMethod.ReadWrite.All). For
    an administrator, the application's service principal needs a directory role as well; C(Privileged Authentication Administrator) may
    act on every role.
  - The password is not deleted. M(m365.offboarding.m365_user_password) resets it.
  - A method of a kind for which Microsoft Graph 1.0 documents no request is left as it is and reported.
seealso:
  - module: m365.offboarding.m365_user_password
  - name: Microsoft Entra authentication methods
    description: The Graph requests behind this module.
    link: https://learn.microsoft.com/graph/api/resources/authenticationmethods-overview
"""

EXAMPLES = r"""
- name: See which sign-in methods of a leaver would be deleted
  m365.offboarding.m365_user_authentication_methods:
    users: jane.doe@contoso.com
    state: absent
  check_mode: true
  diff: true

- name: Delete them
  m365.offboarding.m365_user_authentication_methods:
    users: jane.doe@contoso.com
    state: absent
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
      before: {fido2 c3c3: {name: Security key, created_date_time: "2024-01-15T08:00:00Z"}}
      after: {fido2 c3c3: null}
      written_at: "2026-11-20T16:04:10Z"
      effective_by: null
      request_id: 5f0b6a5e-4c0e-4a3e-8a57-0e8a54c1c7b2
      note: null
      error: null
      objects:
        - key: fido2 c3c3
          kind: fido2
          name: Security key
          status: verified
          before: {name: Security key, created_date_time: "2024-01-15T08:00:00Z"}
          after: null
          written_at: "2026-11-20T16:04:10Z"
          request_id: 5f0b6a5e-4c0e-4a3e-8a57-0e8a54c1c7b2
          note: null
          error: null
"""

from ..module_utils._errors import OffboardingError, ServiceError
from ..module_utils._module import run_module
from ..module_utils._objects import ObjectsStep, identity
from ..module_utils._residual import Finding
from ..module_utils._run import ALLOW_ADMINS, Job, argument_spec
from ..module_utils._service import Call
from ..module_utils._tenant import Leaver, Tenant, Thing
from ..module_utils._topics import method_kind

# https://learn.microsoft.com/graph/api/resources/authenticationmethods-overview
_COLLECTIONS = {
    "email": "emailMethods",
    "fido2": "fido2Methods",
    "microsoftAuthenticator": "microsoftAuthenticatorMethods",
    "phone": "phoneMethods",
    "platformCredential": "platformCredentialMethods",
    "softwareOath": "softwareOathMethods",
    "temporaryAccessPass": "temporaryAccessPassMethods",
    "windowsHelloForBusiness": "windowsHelloForBusinessMethods",
}
_UNKNOWN = (
    "Microsoft Graph 1.0 documents no request that deletes a method of this kind: delete it in the Entra admin center."
)
# A user has two or three methods that depend on each other: the default one, and another number of a phone.
_MOST_TRIES = 3


class DeleteMethods(ObjectsStep):
    name = "authentication_methods"
    action = "delete"
    topics = ("sign_in_methods",)
    permission = "UserAuthenticationMethod.ReadWrite.All"
    sufficient = frozenset({permission})
    acts_on_user = True

    def __init__(self) -> None:
        super().__init__()
        self._tries: dict[tuple[str, str], int] = {}

    def thing(self, tenant: Tenant, leaver: Leaver, finding: Finding) -> Thing:
        method = finding.raw
        kind = method_kind(method)
        facts = {"name": method.get("displayName"), "created_date_time": method.get("createdDateTime")}
        key = f"{kind or 'unknown'} {identity(method)}"
        return Thing(
            key,
            kind or "unknown",
            method.get("displayName"),
            facts,
            fixed=None if kind in _COLLECTIONS else _UNKNOWN,
            raw=method,
        )

    def closed(self, thing: Thing) -> None:
        return None

    def close(self, tenant: Tenant, leaver: Leaver, thing: Thing) -> Call:
        return tenant.graph.delete_method(leaver.known.id, _COLLECTIONS[thing.kind], str(thing.raw["id"]))

    def can_degrade(self, leaver: Leaver, error: OffboardingError) -> bool:
        """The default method is deleted last: the others have been sent by now."""
        part = (leaver.known.id, self.part(leaver).key)
        self._tries[part] = self._tries.get(part, 1) + 1
        return isinstance(error, ServiceError) and error.status == 400 and self._tries[part] <= _MOST_TRIES


JOB = Job(
    argument_spec(state={"type": "str", "choices": ["absent"], "required": True}, allow_admins=ALLOW_ADMINS),
    lambda run: run.step(DeleteMethods()),
)


def main() -> None:
    run_module(JOB)


if __name__ == "__main__":
    main()
