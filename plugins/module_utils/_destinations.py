# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide where forwarded mail goes: inside the organization, outside, or unknown. Only this file decides that."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ._errors import OffboardingError

INSIDE, OUTSIDE, UNKNOWN = "inside", "outside", "unknown"

# How Get-InboxRule writes a target: `"Jane Doe" [SMTP:jane@home.example]`, or `[EX:...]` with the legacy distinguished
# name of a recipient in the directory. The sender chooses the name, so only the last bracket is used.
_TARGET = re.compile(r"^\s*(?:\"(?P<name>.*)\"\s*)?\[(?P<kind>\w+):(?P<value>[^\[\]]*)\]\s*$", re.DOTALL)
# Recipients that stand for an address elsewhere, which is their ExternalEmailAddress.
_ELSEWHERE = frozenset({"mailcontact", "mailforestcontact", "mailuser", "guestmailuser"})


@dataclasses.dataclass(frozen=True)
class Target:
    """One target of a rule or a mailbox.

    :param shown: as a person reads it.
    :param address: its SMTP address, empty if there is none.
    :param recipient: the name of a recipient of the directory, empty if there is an address.
    """

    shown: str
    address: str = ""
    recipient: str = ""


def parse_target(text: t.Any) -> Target:
    """A target as Get-InboxRule, Get-Mailbox or Graph writes it. One that cannot be parsed has neither address nor recipient."""
    if not isinstance(text, str) or not text.strip():
        return Target("an unknown address")
    found = _TARGET.match(text)
    value, kind = (found["value"].strip(), found["kind"].upper()) if found else (_bare(text), "")
    if kind in ("EX", "") and value.lower().startswith("/o="):
        return Target((found["name"] if found else None) or value, recipient=value)
    if kind in ("SMTP", "") and "@" in value and not any(sign.isspace() for sign in value):
        return Target(value, address=value)
    return Target(text.strip())


def _bare(text: str) -> str:
    text = text.strip()
    return text[5:].strip() if text.lower().startswith("smtp:") else text


def address_of(row: t.Mapping[str, t.Any]) -> str | None:
    """The address that mail to a recipient reaches, by a row of Get-Recipient; `None` if it does not say.

    A group is treated by its own address: its owners decide about its members.
    https://learn.microsoft.com/powershell/module/exchangepowershell/get-recipient
    """
    elsewhere = _bare(str(row.get("externalemailaddress") or ""))
    kind = str(row.get("recipienttypedetails") or "").lower()
    own = _bare(str(row.get("primarysmtpaddress") or ""))
    if elsewhere:
        return elsewhere if "@" in elsewhere else None
    return own if "@" in own and kind and kind not in _ELSEWHERE else None


@dataclasses.dataclass(frozen=True)
class Organization:
    """What decides where an address leads.

    :param domains: the organization's own mail domains, with `*.` before one that brings its subdomains; an error where
        they could not be read.
    :param recipients: the address of each recipient of the directory, by its name in lower case; `None` if it is
        not known, an error if it could not be looked up.
    """

    domains: frozenset[str] | OffboardingError = frozenset()
    recipients: t.Mapping[str, str | OffboardingError | None] = dataclasses.field(default_factory=dict)

    def is_inside(self, address: str) -> bool:
        """Whether an address certainly belongs to the organization."""
        if isinstance(self.domains, OffboardingError) or "@" not in address:
            return False
        domain = address.rpartition("@")[2].lower()
        parents = ("*." + domain.split(".", depth)[-1] for depth in range(1, domain.count(".") + 1))
        return bool(domain) and not self.domains.isdisjoint((domain, *parents))

    def address_of(self, target: Target) -> str | OffboardingError | None:
        return self.recipients.get(target.recipient.lower()) if target.recipient else target.address or None

    def place(self, target: Target) -> str | OffboardingError:
        """`INSIDE`, `OUTSIDE` or `UNKNOWN`; an error if it is not known because something could not be read."""
        address = self.address_of(target)
        if isinstance(address, OffboardingError):
            return address
        if address is None:
            return UNKNOWN
        if isinstance(self.domains, OffboardingError):
            return self.domains
        return INSIDE if self.is_inside(address) else OUTSIDE
