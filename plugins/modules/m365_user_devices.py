#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365_user_devices
short_description: Disable or enable the devices of Microsoft 365 users, and block their phones
version_added: 1.0.0
description:
  - Disables the enabled devices that a user has registered or owns in Microsoft Entra ID, or enables again the devices that an earlier
    run disabled. A disabled device cannot sign in, and the primary refresh token that it holds is revoked.
  - Phones that have an ActiveSync or Outlook partnership with the user's Exchange Online mailbox are blocked, each through the list of the
    mailbox itself (C(ActiveSyncBlockedDeviceIDs)), or removed from that list again.
  - Each device is written separately and read back before it is reported as done. A device that is already disabled is not written.
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
      - With V(disabled), every enabled device of the user is disabled.
      - With V(enabled), the devices in O(objects) are enabled again, and no others. C(left_at) is ignored.
      - Corresponds to C(accountEnabled) of the Graph device.
    type: str
    choices: [disabled, enabled]
    required: true
  phones:
    description:
      - Whether to include phones that have a partnership with the mailbox. A phone that the mailbox or the organization already blocks is
        not written.
      - If the tenant does not have Exchange Online, the devices are disabled, and C(note) says that phones were not looked at. That
        does not fail, unless O(wipe_phones) or O(objects) is about phones.
    type: bool
    default: true
  wipe_phones:
    description:
      - With V(account_only) and O(state=disabled), each phone is instructed to delete the data of the mailbox, and nothing else, when it
        next connects. The phone is then blocked. This is the order on Microsoft's page on former employees.
      - A phone receives the instruction only if it connects once more. If ActiveSync or Outlook for mobile is turned off, or once the
        phone is blocked, it may never do so.
      - B(This cannot be undone.) A phone for which a wipe was requested before is not instructed again.
      - A phone whose mail app uses a version of ActiveSync before 16.1 does not support this, and is reported as V(failed).
    type: str
    choices: [account_only]
notes:
  - Reading needs the application permission C(Device.Read.All), writing C(Device.ReadWrite.All).
  - Microsoft lets an application change C(accountEnabled) of Windows devices only. Other devices are left as they are and reported. With
    the token of a signed-in administrator (C(Directory.AccessAsUser.All)), they are written too
    (U(https://learn.microsoft.com/graph/api/device-update)).
  - A device that is synced from Active Directory is left as it is and reported, since it has to be disabled there.
  - A device is disabled for everybody who uses it, so check a leaver's shared devices in check mode first.
  - Phones need the application permission C(Exchange.ManageAsApp) on Office 365 Exchange Online and the Exchange role
    C(Mail Recipients), or the Entra role C(Exchange Administrator). Without it, the devices are still disabled.
  - C(DeviceAccessState) of a phone changes when the phone next connects. Whether it is blocked is read from the list of the mailbox.
  - Without O(wipe_phones), nothing is deleted from a device, and Microsoft Intune continues to manage it.
seealso:
  - module: m365.offboarding.m365_user_signin
  - name: Update device
    description: The Graph request behind this module.
    link: https://learn.microsoft.com/graph/api/device-update
"""

EXAMPLES = r"""
- name: See which devices of a leaver would be disabled
  m365.offboarding.m365_user_devices:
    users: jane.doe@contoso.com
    state: disabled
  check_mode: true
  diff: true

- name: Disable a leaver's devices
  m365.offboarding.m365_user_devices:
    users: jane.doe@contoso.com
    state: disabled
  register: closed

- name: Enable the same devices again
  m365.offboarding.m365_user_devices:
    users: jane.doe@contoso.com
    state: enabled
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
      in C(before), C(after) and C(objects). C(kind) is V(device), V(phone) or V(phone_wipe).
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
      before: {d1d1d1d1-0000-4000-8000-000000000001: {name: LAPTOP-JANE, operating_system: Windows, account_enabled: true, synced: false}}
      after: {d1d1d1d1-0000-4000-8000-000000000001: {name: LAPTOP-JANE, operating_system: Windows, account_enabled: false, synced: false}}
      written_at: "2026-11-20T16:04:10Z"
      effective_by: null
      request_id: 5f0b6a5e-4c0e-4a3e-8a57-0e8a54c1c7b2
      note: null
      error: null
      objects:
        - key: d1d1d1d1-0000-4000-8000-000000000001
          kind: device
          name: LAPTOP-JANE
          status: verified
          before: {name: LAPTOP-JANE, operating_system: Windows, account_enabled: true, synced: false}
          after: {name: LAPTOP-JANE, operating_system: Windows, account_enabled: false, synced: false}
          written_at: "2026-11-20T16:04:10Z"
          request_id: 5f0b6a5e-4c0e-4a3e-8a57-0e8a54c1c7b2
          note: null
          error: null
"""

import dataclasses
import typing as t

from ..module_utils._credentials import NO_EXCHANGE
from ..module_utils._doors import PHONES_UNREAD
from ..module_utils._errors import OptionError
from ..module_utils._module import run_module
from ..module_utils._objects import OBJECTS, ObjectsStep, Wanted, identity, parse_objects
from ..module_utils._phones import (
    PHONE,
    PHONE_KINDS,
    PHONE_PERMISSION,
    WIPE,
    WIPE_NOTE,
    close_phone,
    is_kept_out,
    phone_closed,
    phone_thing,
    phone_unfit,
    reopen_phone,
)
from ..module_utils._residual import Finding
from ..module_utils._run import ALLOW_ADMINS, Job, Run, argument_spec
from ..module_utils._service import Call, Service
from ..module_utils._tenant import Found, Leaver, Tenant, Thing

_SYNCED = "The device is synced from Active Directory: disable the computer there."
_NOT_WINDOWS = (
    "Microsoft lets an application disable Windows devices only: disable it in the Microsoft Entra admin center."
)
# A delegated permission: with a signed-in user, the limit for applications does not apply.
_DELEGATED = "Directory.AccessAsUser.All"


class SwitchDevices(ObjectsStep):
    name = "devices"
    action = "disable"
    action_again = "enable"
    permission = "Device.ReadWrite.All"
    sufficient = frozenset({permission, "Directory.ReadWrite.All", _DELEGATED})
    permissions: t.ClassVar = {kind: (PHONE_PERMISSION, frozenset({PHONE_PERMISSION})) for kind in PHONE_KINDS}

    def __init__(self, wanted: Wanted | None, *, phones: bool = True, wipe: bool = False) -> None:
        super().__init__(wanted)
        # Microsoft's page wipes first and blocks then: a phone that is kept out may not hear of the wipe.
        self.topics = ("devices", *(("phone_wipes",) if wipe else ()), *(("phones",) if phones else ()))

    @property
    def uses_exchange(self) -> bool:
        return "phones" in self.topics

    def service_of(self, tenant: Tenant, leaver: Leaver) -> Service:
        return tenant.exchange if self.part(leaver).kind in PHONE_KINDS else tenant.graph

    def not_applicable(self, leaver: Leaver) -> bool:
        return False

    def find(self, tenant: Tenant, leavers: t.Sequence[Leaver]) -> list[Found]:
        return [
            self._without_exchange(leaver, found)
            for leaver, found in zip(leavers, super().find(tenant, leavers), strict=True)
        ]

    def _without_exchange(self, leaver: Leaver, found: Found) -> Found:
        """In a tenant without Exchange Online, what was found without the failed look at phones, and a note.

        The look has failed where phones were asked for: a wipe, or a phone to unblock.
        """
        error = found.unread.get(PHONE)
        asked_for = "phone_wipes" in self.topics or any(one["kind"] in PHONE_KINDS for one in self.wanted_of(leaver))
        if error is None or error.code != NO_EXCHANGE or asked_for:
            return found
        unread = {kind: one for kind, one in found.unread.items() if kind != PHONE}
        return dataclasses.replace(found, unread=unread, note=PHONES_UNREAD)

    def is_open(self, finding: Finding) -> bool:
        # A phone to unblock is done as soon as the mailbox does not block it.
        if not self.shuts and finding.question.kind == PHONE:
            return not is_kept_out(finding)
        return super().is_open(finding)

    def target(self, leaver: Leaver) -> str:
        if _is_wipe(leaver):
            return f"the account on phone {self.part(leaver).name} of {leaver.name} (account-only wipe)"
        return super().target(leaver)

    def note(self, leaver: Leaver) -> str | None:
        return WIPE_NOTE if self.shuts and _is_wipe(leaver) else None

    def thing(self, tenant: Tenant, leaver: Leaver, finding: Finding) -> Thing:
        if finding.question.kind in PHONE_KINDS:
            return phone_thing(finding)
        device = finding.raw
        synced, system = device.get("onPremisesSyncEnabled") is True, str(device.get("operatingSystem") or "")
        alone = _DELEGATED not in (tenant.graph.permissions or (_DELEGATED,))
        return Thing(
            identity(device),
            "device",
            device.get("displayName"),
            {
                "name": device.get("displayName"),
                "operating_system": device.get("operatingSystem"),
                "account_enabled": device.get("accountEnabled"),
                "synced": synced,
            },
            fixed=_SYNCED if synced else _NOT_WINDOWS if alone and system.lower() != "windows" else None,
        )

    def closed(self, thing: Thing) -> t.Mapping[str, t.Any]:
        if thing.kind in PHONE_KINDS:
            return phone_closed(thing)
        return {**(thing.facts or {}), "account_enabled": False}

    def close(self, tenant: Tenant, leaver: Leaver, thing: Thing) -> Call:
        if thing.kind in PHONE_KINDS:
            return close_phone(tenant, leaver, thing)
        return tenant.graph.enable_device(thing.key, False)

    def reopen(self, tenant: Tenant, leaver: Leaver, thing: Thing) -> Call:
        if thing.kind in PHONE_KINDS:
            return reopen_phone(tenant, leaver, thing)
        return tenant.graph.enable_device(thing.key, True)

    def unfit(self, leaver: Leaver, thing: Thing) -> str | None:
        if thing.kind in PHONE_KINDS:
            return phone_unfit(thing)
        # A device that is no longer the user's must not be changed.
        return None if thing.facts else "It is no longer a device of this user."


def _is_wipe(leaver: Leaver) -> bool:
    """Whether this is one object of a leaver, and that one a wipe."""
    return [thing.kind for thing in (leaver.found.things if leaver.found else ())] == [WIPE]


def switch(run: Run) -> list[dict[str, t.Any]]:
    phones, wipe = run.params["phones"], bool(run.params["wipe_phones"])
    if wipe and (run.params["state"] != "disabled" or not phones):
        raise OptionError("wipe_phones can only be used with state=disabled and phones; nothing was sent.")
    wanted = parse_objects(run.params, restores=run.params["state"] == "enabled")
    return run.step(SwitchDevices(wanted, phones=phones, wipe=wipe))


JOB = Job(
    argument_spec(
        state={"type": "str", "choices": ["disabled", "enabled"], "required": True},
        phones={"type": "bool", "default": True},
        wipe_phones={"type": "str", "choices": ["account_only"]},
        objects=OBJECTS,
        allow_admins=ALLOW_ADMINS,
    ),
    switch,
)


def main() -> None:
    run_module(JOB)


if __name__ == "__main__":
    main()
