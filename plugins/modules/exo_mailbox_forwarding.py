#!/usr/bin/python
# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: exo_mailbox_forwarding
short_description: Turn off mail forwarding of Exchange Online mailboxes that leaves the organization
version_added: 1.0.0
description:
  - Clears the forwarding of a mailbox and disables its inbox rules if they send mail outside the organization, or turns on again what an
    earlier run turned off. Forwarding continues while the user is blocked, because it needs no sign-in.
  - Rules are disabled, never deleted. Forwarding inside the organization stays, unless O(internal) or O(addresses) says otherwise.
  - Each address and each rule is written separately and read back before it is reported as done.
  - This module uses the endpoint of Microsoft's own Exchange Online PowerShell module, which Microsoft does not document or support for
    third parties. It may change without notice.
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
      - With V(absent), C(ForwardingSmtpAddress) and C(ForwardingAddress) of the mailbox are cleared if they lead outside, and enabled
        inbox rules that forward or redirect there are disabled. C(DeliverToMailboxAndForward) is turned off with the last of the two.
      - With V(present), the forwarding and the rules in O(objects) are turned on again, and no others. C(left_at) is ignored. A
        mailbox or rule that forwards elsewhere now is left as it is and reported.
    type: str
    choices: [absent, present]
    required: true
  internal:
    description:
      - With O(state=absent), whether to turn off all forwarding, including forwarding inside the organization.
    type: bool
    default: false
  addresses:
    description:
      - With O(state=absent), SMTP addresses inside the organization. Forwarding to one of them is turned off too.
      - A recipient of the directory is matched by its primary address.
    type: list
    elements: str
    default: []
notes:
  - An address is inside the organization if its domain is one of C(Get-AcceptedDomain). A recipient of the directory is looked up with
    C(Get-Recipient); for a contact, its C(ExternalEmailAddress) decides. A group is treated as inside, whoever its members are.
  - A target that Exchange Online does not know, and a rule that its cmdlets do not describe (C(SupportedByTask) is false), are treated
    as outside, because turning forwarding off can be undone, while mail that has been sent cannot be recalled. C(note) of the object
    says so.
  - If the accepted domains or a recipient could not be read, nothing that depends on them is written, and the user is V(failed).
  - Hidden inbox rules are included. Exchange Online's own rules for junk mail, automatic replies and delegates are left alone unless
    they show an address outside.
  - Changing a rule deletes rules that only Outlook for the desktop runs, and may delete rules that were already disabled there
    (U(https://learn.microsoft.com/powershell/module/exchangepowershell/disable-inboxrule)). They cannot be restored.
  - Needs the application permission C(Exchange.ManageAsApp) on Office 365 Exchange Online and the Exchange role C(Mail Recipients), or
    the Entra role C(Exchange Administrator). Global Reader and C(View-Only Recipients) may not run C(Get-InboxRule).
  - Forwarding of a synced user may be mastered in Active Directory (C(altRecipient)). Then it has to be changed there.
  - Mail flow rules, connectors and forwarding by Power Automate are not checked.
  - A user without an Exchange Online mailbox is V(not_applicable).
seealso:
  - module: m365.offboarding.m365_user_info
  - module: m365.offboarding.exo_mailbox_protocols
  - name: Set-Mailbox
    description: What the forwarding parameters mean.
    link: https://learn.microsoft.com/powershell/module/exchangepowershell/set-mailbox
  - name: Disable-InboxRule
    description: What happens to a rule.
    link: https://learn.microsoft.com/powershell/module/exchangepowershell/disable-inboxrule
"""

EXAMPLES = r"""
- name: See which forwarding of a leaver leads outside
  m365.offboarding.exo_mailbox_forwarding:
    users: jane.doe@contoso.com
    state: absent
  check_mode: true
  diff: true

- name: Turn off forwarding that leads outside, and forwarding to a colleague who has also left
  m365.offboarding.exo_mailbox_forwarding:
    users: jane.doe@contoso.com
    state: absent
    addresses: [omar.haddad@contoso.com]
  register: closed

- name: Turn it on again as it was
  m365.offboarding.exo_mailbox_forwarding:
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
      in C(before), C(after) and C(objects). C(kind) is V(mailbox_forwarding) or V(inbox_rule).
    - C(key) is V(forwarding_smtp_address) or V(forwarding_address) for the mailbox, and the C(RuleIdentity) for a rule.
    - In C(before), C(leads) says where the mail goes, V(outside), V(inside) or V(unknown). It is null if nothing had to be turned off.
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
      before: {"16752869479666417665": {name: Copy home, enabled: true, forwards_to: [jane@home.example], leads: outside}}
      after: {"16752869479666417665": {name: Copy home, enabled: false, forwards_to: [jane@home.example], leads: null}}
      written_at: "2026-11-20T16:04:10Z"
      effective_by: null
      request_id: 5f0b6a5e-4c0e-4a3e-8a57-0e8a54c1c7b2
      note: null
      error: null
      objects:
        - key: "16752869479666417665"
          kind: inbox_rule
          name: Copy home
          status: verified
          before: {name: Copy home, enabled: true, forwards_to: [jane@home.example], leads: outside}
          after: {name: Copy home, enabled: false, forwards_to: [jane@home.example], leads: null}
          written_at: "2026-11-20T16:04:10Z"
          request_id: 5f0b6a5e-4c0e-4a3e-8a57-0e8a54c1c7b2
          note: null
          error: null
"""

import typing as t

from ..module_utils._destinations import UNKNOWN
from ..module_utils._errors import OffboardingError, OptionError
from ..module_utils._exchange import ExchangeError
from ..module_utils._module import run_module
from ..module_utils._objects import OBJECTS, Facts, ObjectsStep, Wanted, parse_objects
from ..module_utils._residual import Finding, Findings, findings
from ..module_utils._run import ALLOW_ADMINS, Job, Run, argument_spec
from ..module_utils._service import Call, Service
from ..module_utils._tenant import Leaver, Tenant, Thing
from ..module_utils._topics import (
    FORWARDING_PROPERTIES,
    Forwarding,
    forwarding_target,
    keeps_copy,
    rule_identity,
    rule_targets,
)

_RULE = "inbox_rule"
_MAILBOX = "mailbox_forwarding"
_COPY = "DeliverToMailboxAndForward"
_SAFE = (
    "It is not known where this sends mail, which does not prove that mail stays inside, so it is treated as outside."
)
# Key of an object -> property of Get-Mailbox and parameter of Set-Mailbox.
_PROPERTIES = {"forwarding_smtp_address": FORWARDING_PROPERTIES[0], "forwarding_address": FORWARDING_PROPERTIES[1]}


class SwitchForwarding(ObjectsStep):
    name = "forwarding"
    action = "turn off"
    action_again = "turn on"
    topics = ("forwarding",)
    permission = "Exchange.ManageAsApp"
    sufficient = frozenset({permission})

    def __init__(self, wanted: Wanted | None, also: Forwarding) -> None:
        super().__init__(wanted)
        self._also = also
        # Object ID and key of each target that is treated as outside because its place is not known.
        self._unsure: set[tuple[str, str]] = set()

    @property
    def uses_exchange(self) -> bool:
        return True

    def service(self, tenant: Tenant) -> Service:
        return tenant.exchange

    def findings(self, tenant: Tenant, leavers: t.Sequence[Leaver]) -> list[Findings]:
        return findings(tenant, leavers, self.topics, self._also)

    def thing(self, tenant: Tenant, leaver: Leaver, finding: Finding) -> Thing:
        thing = self._rule(finding) if finding.question.kind == _RULE else self._forwarding(leaver, finding)
        if (thing.facts or {}).get("leads") == UNKNOWN:
            self._unsure.add((leaver.known.id, thing.key))
        return thing

    def _rule(self, finding: Finding) -> Thing:
        row = finding.raw
        name = str(row.get("name") or "") or None
        facts = {
            "name": name,
            "enabled": row.get("enabled") is not False,
            "forwards_to": [target.shown for target in rule_targets(row)],
            "leads": _judged(finding).get("where"),
        }
        return Thing(rule_identity(row), _RULE, name, facts)

    def _forwarding(self, leaver: Leaver, finding: Finding) -> Thing:
        found = _judged(finding)
        wire, row = finding.raw["property"], finding.raw["row"]
        key = next(key for key, name in _PROPERTIES.items() if name == wire)
        others = [forwarding_target(row, name) for name in _PROPERTIES.values() if name != wire]
        target = forwarding_target(row, wire)
        facts = {
            "forwards_to": target.shown if target else None,
            # What Exchange calls a recipient may change, or mean several.
            "address": found.get("address"),
            "keeps_copy": keeps_copy(row),
            "leads": found.get("where"),
        }
        # A switch that Active Directory masters is left alone; without an address it means nothing.
        alone = not any(others) and not leaver.known.synced
        return Thing(key, _MAILBOX, target.shown if target else None, facts, raw={"alone": alone})

    def is_open(self, finding: Finding) -> bool:
        if self._wanted is None:
            return super().is_open(finding)
        # What is to be turned on again is on as soon as it forwards at all, wherever that leads.
        if finding.question.kind == _RULE:
            return finding.raw.get("enabled") is not False
        return forwarding_target(finding.raw["row"], finding.raw["property"]) is not None

    def conflict(self, now: Thing, before: Facts) -> str | None:
        there = (now.facts or {}).get("forwards_to")
        if now.kind == _RULE:
            return None if there == before.get("forwards_to") else "The rule has been changed since then."
        same = there in (None, before.get("forwards_to"), before.get("address"))
        return None if same else f"The mailbox forwards to {there} by now."

    def unfit(self, leaver: Leaver, thing: Thing) -> str | None:
        if thing.kind == _RULE:
            return None if thing.facts else "The rule no longer exists."
        if not thing.facts:
            return "The Exchange Online mailbox no longer exists."
        return (
            None
            if thing.key in _PROPERTIES and _address(thing.raw)
            else "The evidence does not say where it forwarded to."
        )

    def closed(self, thing: Thing) -> Facts:
        if thing.kind == _RULE:
            return {**(thing.facts or {}), "enabled": False, "leads": None}
        keeps = bool(thing.facts and thing.facts["keeps_copy"]) and not thing.raw["alone"]
        return {"forwards_to": None, "address": None, "keeps_copy": keeps, "leads": None}

    def close(self, tenant: Tenant, leaver: Leaver, thing: Thing) -> Call:
        if thing.kind == _RULE:
            return tenant.exchange.switch_rule(leaver.known.id, thing.key, False)
        copy = {_COPY: False} if thing.raw["alone"] and thing.facts and thing.facts["keeps_copy"] else {}
        return tenant.exchange.forward(leaver.known.id, **{_PROPERTIES[thing.key]: None}, **copy)

    def reopen(self, tenant: Tenant, leaver: Leaver, thing: Thing) -> Call:
        if thing.kind == _RULE:
            return tenant.exchange.switch_rule(leaver.known.id, thing.key, True)
        copy = {} if leaver.known.synced else {_COPY: thing.raw.get("keeps_copy") is True}
        return tenant.exchange.forward(leaver.known.id, **{_PROPERTIES[thing.key]: _address(thing.raw)}, **copy)

    def may_be_done(self, error: OffboardingError) -> bool:
        # A rule that is gone is "not found", with whatever status.
        gone = isinstance(error, ExchangeError) and bool(error.not_found_texts)
        return gone or super().may_be_done(error)

    def note(self, leaver: Leaver) -> str | None:
        things = leaver.found.things if leaver.found and self._wanted is None else ()
        return _SAFE if len(things) == 1 and (leaver.known.id, things[0].key) in self._unsure else None


def _judged(finding: Finding) -> Facts:
    return finding.items[0] if finding.items else {}


def _address(facts: Facts) -> str | None:
    """Where a mailbox forwarded to, by the evidence: the address, where it was known, or the name of the recipient."""
    known = [facts.get(name) for name in ("address", "forwards_to")]
    return next((value for value in known if isinstance(value, str) and value), None)


def switch(run: Run) -> list[dict[str, t.Any]]:
    restores = run.params["state"] == "present"
    addresses = [address.strip().lower() for address in run.params["addresses"]]
    wrong = [address for address in addresses if address.count("@") != 1 or address.strip("@") != address]
    if wrong:
        raise OptionError(f"addresses: not an SMTP address: {', '.join(map(repr, wrong))}.")
    if restores and (addresses or run.params["internal"]):
        raise OptionError("internal and addresses can only be used with state=absent; nothing was sent.")
    also = Forwarding(run.params["internal"], frozenset(addresses))
    return run.step(SwitchForwarding(parse_objects(run.params, restores=restores), also))


JOB = Job(
    argument_spec(
        state={"type": "str", "choices": ["absent", "present"], "required": True},
        internal={"type": "bool", "default": False},
        addresses={"type": "list", "elements": "str", "default": []},
        objects=OBJECTS,
        allow_admins=ALLOW_ADMINS,
    ),
    switch,
)


def main() -> None:
    run_module(JOB)


if __name__ == "__main__":
    main()
