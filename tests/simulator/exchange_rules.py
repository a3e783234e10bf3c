# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Get-InboxRule, Enable-InboxRule and Disable-InboxRule.

Sources: Exchange docs, pages of the cmdlets; rows as clients describe them that read live answers (graph2otel: `Identity`
is `<guid>\\<RuleIdentity>`, `RuleIdentity` a number beyond 63 bits, the system's junk rule is hidden; targets are
`"Name" [SMTP:address]`, or `"Name" [EX:legacy distinguished name]` for a recipient of the directory).
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from .apps import NAMESPACE
from .cas_mailbox import CasMailbox, Result, annotated, checked, page
from .exchange_errors import ambiguous, missing_identity, not_found

if TYPE_CHECKING:
    from .directory import Directory, User
    from .residual import Facts
    from .wire import Call

_GET = {
    "resultsize": "size",
    **dict.fromkeys(("identity", "mailbox", "descriptiontimeformat", "descriptiontimezone"), "text"),
    **dict.fromkeys(("bypassscopecheck", "includehidden", "sweeprules", "usecustomrouting"), "switch"),
}
_SWITCH = {
    **dict.fromkeys(("identity", "mailbox"), "text"),
    **dict.fromkeys(("alwaysdeleteoutlookrulesblob", "force"), "switch"),
}
_ACTIONS = {
    "forwardTo": "ForwardTo",
    "forwardAsAttachmentTo": "ForwardAsAttachmentTo",
    "redirectTo": "RedirectTo",
}
JUNK = "Junk E-mail Rule"


class InboxRules:
    """The three cmdlets."""

    def __init__(self, directory: Directory, cas: CasMailbox) -> None:
        self.directory = directory
        self.cas = cas

    def get(self, parameters: dict[str, Any], select: frozenset[str] | None, size: int, skip: int) -> Result:
        given = checked(parameters, _GET)
        owner = self._owner(given)
        lag = self.directory.replica_lag
        if self.directory.exchange_replica_lag is not None:
            lag = self.directory.exchange_replica_lag
        rules = owner.as_seen(lag).residual.rules
        rows = [self._row(owner, number, facts) for number, facts in enumerate(rules)]
        if given.get("includehidden"):
            rows.append(self._row(owner, -1, {"displayName": JUNK, "actions": {}, "supported": False}))
        else:
            rows = [row for row, facts in zip(rows, rules, strict=True) if not facts.get("hidden")]
        if given.get("identity"):
            rows = [rows[number] for number in _matching(rows, given["identity"])]
            if not rows:
                raise not_found(given["identity"], self.directory.mailbox_not_found_status, "ex6f9304")
        return page(rows, given, size, skip, lambda row: annotated(row, select))

    def enable(self, call: Call, parameters: dict[str, Any]) -> Result:
        return self._switch(call, parameters, True)

    def disable(self, call: Call, parameters: dict[str, Any]) -> Result:
        return self._switch(call, parameters, False)

    def _switch(self, call: Call, parameters: dict[str, Any], enabled: bool) -> Result:
        given = checked(parameters, _SWITCH)
        identity = given.get("identity")
        if not identity:
            raise missing_identity()
        owner = self._owner(given)
        rules = owner.residual.rules
        rows = [self._row(owner, number, facts) for number, facts in enumerate(rules)]
        found = _matching(rows, identity)
        if not found:
            raise not_found(identity, self.directory.mailbox_not_found_status, "ex6f9304")
        if len(found) > 1:
            raise ambiguous(identity)
        if rules[found[0]].get("isEnabled", True) is not enabled and not given.get("whatif"):
            owner.remember_access()
            rules[found[0]]["isEnabled"] = enabled
            call.applied = True
        return Result()

    def _owner(self, given: dict[str, Any]) -> User:
        """Whose rules; without a mailbox the caller's own, and an application has none."""
        mailbox = given.get("mailbox")
        if not mailbox:
            raise not_found("", self.directory.mailbox_not_found_status, "ex41baf5")
        return self.cas.one(mailbox, "Mailbox")

    def _row(self, owner: User, number: int, facts: Facts) -> dict[str, Any]:
        identity = uuid.uuid5(NAMESPACE, f"rule {number} of {owner.id}").int % 2**31 * 2**32 + 2**63 + 1
        actions = facts.get("actions") or {}
        targets = {
            name: [self._target(one) for one in actions[own]] if actions.get(own) else None
            for own, name in _ACTIONS.items()
        }
        return {
            "Description": "If the message: ...",
            "Enabled": facts.get("isEnabled", True),
            "Identity": f"{owner.id}\\{identity}",
            "InError": facts.get("hasError", False),
            "ErrorType": "None",
            "Name": facts.get("displayName", f"Rule {number + 1}"),
            "Priority": number + 1,
            "RuleIdentity@data.type": "System.UInt64",
            "RuleIdentity": identity,
            "SupportedByTask": facts.get("supported", True),
            "MoveToFolder": actions.get("moveToFolder"),
            "DeleteMessage": bool(actions.get("delete")),
            "StopProcessingRules": bool(actions.get("stopProcessingRules")),
            **targets,
            "MailboxOwnerId": owner.id,
            "IsValid": True,
            "ObjectState": "Unchanged",
        }

    def _target(self, recipient: Facts) -> str:
        """Users of the directory by its own kind of address; everybody else by SMTP."""
        reported = recipient["emailAddress"]
        address = str(reported.get("address") or "")
        for one in self.directory.recipients():
            if address.lower() in (one["PrimarySmtpAddress"].lower(), one["LegacyExchangeDN"].lower()):
                return f'"{reported.get("name") or one["DisplayName"]}" [EX:{one["LegacyExchangeDN"]}]'
        return f'"{reported.get("name") or address}" [SMTP:{address}]'


def _matching(rows: list[dict[str, Any]], identity: str) -> list[int]:
    """By name, by RuleIdentity, or by Identity."""
    low = identity.lower()
    return [
        number
        for number, row in enumerate(rows)
        if low in (str(row["RuleIdentity"]), row["Identity"].lower(), row["Name"].lower())
    ]
