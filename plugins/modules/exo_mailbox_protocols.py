#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: exo_mailbox_protocols
short_description: Turn the client protocols of Exchange Online mailboxes off or on
version_added: 1.0.0
description:
  - Turns off the protocols by which e-mail clients reach a mailbox, the fourth step of Microsoft's page on former employees, or turns
    them on again.
  - Only the switches that differ are sent, and the mailbox is read back before the change is reported as done. According to Microsoft, a
    change takes up to 30 minutes.
  - This module uses the endpoint of Microsoft's own Exchange Online PowerShell module, which Microsoft does not document or support for
    third parties. It may change without notice.
author:
  - The m365.offboarding contributors (@m365-offboarding)
extends_documentation_fragment:
  - m365.offboarding.attributes
  - m365.offboarding.m365
  - m365.offboarding.m365.allow_admins
options:
  state:
    description:
      - Whether the protocols are off or on.
      - With V(enabled), C(left_at) is ignored.
    type: str
    choices: [disabled, enabled]
    required: true
  protocols:
    description:
      - The protocols to change. The default is the six on Microsoft's page; V(all) is every protocol that the tenant supports.
      - The property of C(Get-CASMailbox) is given in brackets. V(activesync) (C(ActiveSyncEnabled)), V(owa) (C(OWAEnabled), Outlook on
        the web), V(mapi) (C(MAPIEnabled), Outlook for the desktop), V(ews) (C(EwsEnabled)), V(pop) (C(PopEnabled)),
        V(imap) (C(ImapEnabled)), V(smtp_auth) (C(SmtpClientAuthenticationDisabled)), V(outlook_mobile) (C(OutlookMobileEnabled)),
        V(owa_for_devices) (C(OWAforDevicesEnabled)), V(universal_outlook) (C(UniversalOutlookEnabled)),
        V(mac_outlook) (C(MacOutlookEnabled)), V(new_outlook) (C(OneWinNativeOutlookEnabled)).
      - A switch that is null is treated as on. Microsoft's property for V(smtp_auth) is inverted, and null means that the organization's
        setting is inherited, which is not treated as shut.
      - V(all) with O(state=enabled) leaves V(smtp_auth) as it is, since it is off by default in most tenants; see O(inherit_smtp_auth).
      - A protocol that the tenant does not support is skipped with V(all), and reported in C(note) if it was named.
      - If Exchange Online refuses a switch because the application's role or the tenant does not have that parameter, the other switches
        are still set. The user is then V(failed) because of that switch alone, which C(error) names; C(after) shows the others. This will
        affect V(ews), which Microsoft retires on 1 April 2027.
    type: list
    elements: str
    default: [activesync, owa, mapi, ews, pop, imap]
  inherit_smtp_auth:
    description:
      - With O(state=enabled), V(smtp_auth) is reset to the organization's setting instead of being turned on, and V(all) includes it.
      - The module sets C(SmtpClientAuthenticationDisabled) to null for this. Whether the endpoint accepts null is not documented. If it is
        refused, the other switches are still set, V(smtp_auth) stays as it is, and C(note) says so.
    type: bool
    default: false
notes:
  - Needs the application permission C(Exchange.ManageAsApp) on Office 365 Exchange Online. Reading also needs the Entra role
    C(Global Reader) or the Exchange role C(View-Only Recipients), writing C(Exchange Administrator), or C(Mail Recipients).
  - Since April 2025 EWS needs the consent of the organization and of the mailbox, so turning V(ews) off for a leaver is enough. Since
    1 October 2026 it is off in organizations that had not set it, and on 1 April 2027 it is removed, with C(EwsEnabled)
    (U(https://techcommunity.microsoft.com/blog/exchange/exchange-online-ews-your-time-is-almost-up/4492361)).
  - From the end of December 2026, basic authentication for SMTP AUTH is off by default. That does not change what V(smtp_auth) shows,
    and clients with OAuth still get in
    (U(https://techcommunity.microsoft.com/blog/exchange/updated-exchange-online-smtp-auth-basic-authentication-deprecation-timeline/4489835)).
  - A user without an Exchange Online mailbox is V(not_applicable). For a tenant without Exchange Online, leave this step out.
  - A cloud user who has an enabled Exchange plan but no mailbox yet may get one, with all protocols on. The module looks for the mailbox
    of such a user again until O(verify_timeout) has passed. Then the user is V(failed), since nothing proves that there is no mailbox.
    Synced users and guests, whose mailboxes are elsewhere, are V(not_applicable).
seealso:
  - module: m365.offboarding.m365_user_signin
  - name: Set-CASMailbox
    description: What each switch means.
    link: https://learn.microsoft.com/powershell/module/exchangepowershell/set-casmailbox
"""

EXAMPLES = r"""
- name: Turn off all protocols of a leaver's mailbox
  m365.offboarding.exo_mailbox_protocols:
    users: jane.doe@contoso.com
    state: disabled
    protocols: [all]

- name: Leave only ActiveSync on while a remote wipe is pending
  m365.offboarding.exo_mailbox_protocols:
    users: jane.doe@contoso.com
    state: disabled
    protocols:
      [owa, mapi, ews, pop, imap, smtp_auth, outlook_mobile, owa_for_devices, universal_outlook, mac_outlook, new_outlook]

- name: Turn all protocols on again, and reset SMTP AUTH to the organization's setting
  m365.offboarding.exo_mailbox_protocols:
    users: jane.doe@contoso.com
    state: enabled
    protocols: [all]
    inherit_smtp_auth: true
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
  sample: "2 users: 1 verified, 1 not_applicable."
users:
  description:
    - One record per user, in the order of O(users). The keys are those of M(m365.offboarding.m365_user_signin).
    - C(before) and C(after) hold the protocols that were read, true for on, false for off, null for not set.
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
      before: {activesync: true, owa: true, mapi: true, ews: true, pop: false, imap: null}
      after: {activesync: false, owa: false, mapi: false, ews: false, pop: false, imap: false}
      written_at: "2026-11-20T16:04:12Z"
      effective_by: "2026-11-20T16:34:12Z"
      request_id: 5f0b6a5e-4c0e-4a3e-8a57-0e8a54c1c7b2
      note: null
      error: null
"""

import datetime
import typing as t

from ..module_utils._door_states import door_states
from ..module_utils._doors import DOCUMENTED_PROTOCOLS, OPEN, PROTOCOLS, Mailbox, Protocols, protocol_of
from ..module_utils._errors import OffboardingError, OptionError, ServiceError
from ..module_utils._exchange import ExchangeError
from ..module_utils._module import run_module
from ..module_utils._run import ALLOW_ADMINS, Job, Run, argument_spec
from ..module_utils._service import Call
from ..module_utils._steps import Step
from ..module_utils._tenant import Leaver, Tenant
from ..module_utils._user_input import RequestedUser


class SwitchProtocols(Step):
    name = "protocols"
    permission = "Exchange.ManageAsApp"
    sufficient = frozenset({permission})
    reads_mailbox = True

    def __init__(self, state: str, protocols: Protocols, *, inherit_smtp_auth: bool = False) -> None:
        self.shuts = state == "disabled"
        self.action = "turn off mailbox protocols of" if self.shuts else "turn on mailbox protocols of"
        self.protocols = protocols if self.shuts or inherit_smtp_auth else protocols.without_inherited()
        self._inherits = inherit_smtp_auth
        # By object ID, why smtp_auth could not be given back.
        self._null_refused: dict[str, str] = {}
        # By object ID, what Exchange said of each protocol whose switch this caller cannot set.
        self._refused: dict[str, dict[str, ExchangeError]] = {}

    def known_mailbox(self, asked: RequestedUser) -> Mailbox | None:
        """Use what the caller has read if it shows an open door, which is written whatever a second read would show.

        It does not prove a door shut, and is not used for a mailbox whose protocols are turned on.
        """
        if not self.shuts or asked.protocols is None:
            return None
        mailbox = Mailbox({name: now for name, now in asked.protocols.items() if name in PROTOCOLS})
        switches = self.protocols.of(mailbox).values()
        is_whole = not self.protocols.absent_from(mailbox)
        return mailbox if is_whole and any(now is not False for now in switches) else None

    def not_applicable(self, leaver: Leaver) -> bool:
        return leaver.mailbox is None or not self.describe(leaver)

    def is_done(self, leaver: Leaver) -> bool:
        return not self._differing(leaver)

    def expected(self, leaver: Leaver) -> dict[str, t.Any]:
        return {**(self.describe(leaver) or {}), **self._differing(leaver)}

    def call(self, tenant: Tenant, leaver: Leaver) -> Call:
        return tenant.exchange.set_mailbox(leaver.known.id, self._differing(leaver))

    def can_degrade(self, leaver: Leaver, error: OffboardingError) -> bool:
        """Each refusal names one switch, and there are twelve: so this ends."""
        refused = protocol_of(error.parameter) if isinstance(error, ExchangeError) else None
        if refused in self._differing(leaver) and isinstance(error, ExchangeError):
            self._refused.setdefault(leaver.known.id, {})[refused] = error
            return True
        # Nothing says that the endpoint takes a null; a 4xx about who asks, or how often, says nothing about it.
        about_null = isinstance(error, ServiceError) and error.status not in (401, 403, 404, 429)
        if None not in self._differing(leaver).values() or not about_null:
            return False
        self._null_refused[leaver.known.id] = error.message
        return True

    def left_undone(self, leaver: Leaver) -> OffboardingError | None:
        refused = self._refused.get(leaver.known.id)
        if not refused:
            return None
        name = ", ".join(refused)
        error = next(iter(refused.values())).with_context(name).with_context(f"Could not {self.action} {leaver.name}")
        retired = " Exchange Web Services and their switch end on 1 April 2027." if "ews" in refused else ""
        error.hint = (
            "The application's role may lack this parameter of Set-CASMailbox (Exchange Administrator has it), or the "
            f"tenant no longer has it.{retired}"
        )
        return error

    def shows(self, before: Leaver, now: Leaver) -> bool:
        return self.is_done(now)

    def effective_by(
        self, leaver: Leaver, written_at: datetime.datetime | None, *, seen: bool
    ) -> datetime.datetime | None:
        # "Within 30 minutes": Microsoft's page, step 7, on ending an e-mail session.
        return written_at + datetime.timedelta(minutes=30) if written_at and self.shuts else None

    def note(self, leaver: Leaver) -> str | None:
        absent = self.protocols.absent_from(leaver.mailbox) if leaver.mailbox else []
        notes = [f"Unknown in this tenant: {', '.join(absent)}." if absent else super().note(leaver)]
        refused = self._null_refused.get(leaver.known.id)
        if refused:
            state = "on" if leaver.mailbox and leaver.mailbox.switches["smtp_auth"] else "off"
            notes.append(f"smtp_auth stays {state}: the organization's setting could not be restored. {refused}")
        return " ".join(filter(None, notes)) or None

    def _differing(self, leaver: Leaver) -> dict[str, bool | None]:
        refused = self._refused.get(leaver.known.id, {}) if leaver.user else {}
        return {name: wanted for name, wanted in self._wanted(leaver).items() if name not in refused}

    def _wanted(self, leaver: Leaver) -> dict[str, bool | None]:
        if self.shuts:
            doors = door_states(leaver, (self.name,), self.protocols)
            return {name: False for name, state in doors.items() if state == OPEN}
        # A switch that is null is on, by Exchange's default; for smtp_auth null is whatever the organization says.
        switches = self.describe(leaver) or {}
        on = {name: True for name, now in switches.items() if now is False and name != "smtp_auth"}
        if "smtp_auth" not in switches or leaver.known.id in self._null_refused:
            return {**on}
        wanted = None if self._inherits else True
        return {**on, **({} if switches["smtp_auth"] is wanted else {"smtp_auth": wanted})}


def switch(run: Run) -> list[dict[str, t.Any]]:
    state, inherits = run.params["state"], run.params["inherit_smtp_auth"]
    if inherits and state != "enabled":
        raise OptionError("inherit_smtp_auth can only be used with state=enabled: the inherited setting may be on.")
    protocols = Protocols.parse(run.params["protocols"])
    return run.step(SwitchProtocols(state, protocols, inherit_smtp_auth=inherits))


JOB = Job(
    argument_spec(
        state={"type": "str", "choices": ["disabled", "enabled"], "required": True},
        protocols={"type": "list", "elements": "str", "default": list(DOCUMENTED_PROTOCOLS)},
        inherit_smtp_auth={"type": "bool", "default": False},
        allow_admins=ALLOW_ADMINS,
    ),
    switch,
)


def main() -> None:
    run_module(JOB)


if __name__ == "__main__":
    main()
