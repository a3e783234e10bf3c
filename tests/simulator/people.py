# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who lives in the tenant. Every person is a kind of account that offboarding must handle.

Object ids follow from the keys (`person_id("jane")`), so that tests can name them.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from . import roles
from .apps import NAMESPACE
from .mailbox import NEW_SWITCHES, SWITCHES, Mailbox

if TYPE_CHECKING:
    from .directory import Directory, User

EXCHANGE_PLAN = {
    "assignedDateTime": "2024-01-15T08:00:00Z",
    "capabilityStatus": "Enabled",
    "service": "exchange",
    "servicePlanId": "efb87545-963c-4e0d-99df-69c6916d9eb0",
}
SKU = {"disabledPlans": [], "skuId": "6fd2c87f-b296-42f0-b197-1e91e994b900"}
SHUT = {**{name: False for name in SWITCHES if name.endswith("Enabled")}, "SmtpClientAuthenticationDisabled": True}

PEOPLE = {
    "jane": "ordinary",
    "john": "ordinary",
    "maria": "ordinary",
    "ahmed": "ordinary",
    "wei": "ordinary",
    "olga": "ordinary",
    "pierre": "ordinary",
    "nomail": "has no mailbox and no Exchange plan",
    "guest": "a guest: password and sessions live in the home tenant",
    "apostrophe": "has an apostrophe in the UPN",
    "synced": "synchronised from Active Directory, mailbox in the cloud",
    "onpremises": "synchronised, and the mailbox is on the premises too: a mail user to Exchange Online",
    "admin": "Global Administrator by direct assignment",
    "admin2": "Global Administrator too, so that nobody is the last one",
    "admin3": "Global Administrator too",
    "helpdesk": "Helpdesk Administrator through a role-assignable group",
    "nested": "Helpdesk Administrator through a group in a role-assignable group",
    "reader": "Directory Reader: a role, though a harmless one",
    "member": "in an ordinary group, which gives no role",
    "blocked": "sign-in blocked by hand; password and sessions untouched",
    "offboarded": "offboarded properly a week ago",
    "sam1": "has the same display name as sam2",
    "sam2": "has the same display name as sam1",
    "alias": "UPN differs from mail; has further addresses",
    "shared": "a shared mailbox: disabled account without a licence",
    "nulls": "several mailbox switches are null",
    "oldcloud": "mailbox without the newer switches",
    "smtp": "SMTP AUTH explicitly allowed",
    "deleted": "deleted three days ago",
    "leaving": "leaves next week, says the directory",
    "left": "left last week, says the directory, and can still sign in",
    "breakglass": "the emergency account",
    "restricted": "in a restricted management administrative unit",
    "dollar": "UPN begins with a dollar sign",
    "html": "display name holds HTML",
    "formula": "display name begins like a spreadsheet formula",
    "umlaut": "display name beyond ASCII",
}


def person_id(key: str) -> str:
    """Object id of the person with this key."""
    return str(uuid.uuid5(NAMESPACE, key))


def populate(directory: Directory) -> None:
    """Let everybody move in."""
    _Settlers(directory).move_in()


def crowd(directory: Directory, count: int) -> list[User]:
    """Add ordinary people with numbers for names."""
    settlers = _Settlers(directory)
    numbers = range(directory.crowd_size, directory.crowd_size + count)
    directory.crowd_size += count
    return [settlers.add(f"crowd{number:05d}", f"user{number:05d}", f"User {number:05d}") for number in numbers]


class _Settlers:
    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.created = "2024-01-15T08:00:00Z"
        self.password_set = directory.ago(days=90)

    def add(
        self,
        key: str,
        local: str,
        display_name: str,
        *,
        upn: str | None = None,
        mailbox: bool | dict[str, Any] = True,
        absent: tuple[str, ...] = (),
        **properties: Any,
    ) -> User:
        """An ordinary person, with deviations."""
        upn = upn or f"{local}@{self.directory.domain}"
        has_mailbox = mailbox is not False
        mail = upn if has_mailbox else None
        proxies = [f"SMTP:{upn}", f"smtp:{local}@{self.directory.initial_domain}"] if has_mailbox else []
        given, _ignored, surname = display_name.partition(" ")
        user = self.directory.add(
            key,
            {
                "userPrincipalName": upn,
                "displayName": display_name,
                "givenName": given,
                "surname": surname or None,
                "mail": mail,
                "mailNickname": local,
                "proxyAddresses": proxies,
                "accountEnabled": True,
                "userType": "Member",
                "createdDateTime": self.created,
                "lastPasswordChangeDateTime": self.password_set,
                "signInSessionsValidFromDateTime": self.password_set,
                "assignedPlans": [EXCHANGE_PLAN] if has_mailbox else [],
                "assignedLicenses": [SKU] if has_mailbox else [],
                "usageLocation": "DE",
                "passwordPolicies": None,
                "identities": [
                    {
                        "signInType": "userPrincipalName",
                        "issuer": self.directory.initial_domain,
                        "issuerAssignedId": upn,
                    }
                ],
                **properties,
            },
        )
        if has_mailbox:
            user.mailbox = Mailbox(user.id, absent=absent, **(mailbox if isinstance(mailbox, dict) else {}))
        return user

    def move_in(self) -> None:
        self._ordinary()
        self._administrators()
        self._on_their_way_out()
        self._odd_accounts()
        self._odd_mailboxes()
        self._odd_names()

    def _ordinary(self) -> None:
        for key, local, name in (
            ("jane", "jane.doe", "Jane Doe"),
            ("john", "john.roe", "John Roe"),
            ("maria", "maria.rossi", "Maria Rossi"),
            ("ahmed", "ahmed.hassan", "Ahmed Hassan"),
            ("wei", "wei.zhang", "Wei Zhang"),
            ("olga", "olga.petrova", "Olga Petrova"),
            ("pierre", "pierre.dupont", "Pierre Dupont"),
        ):
            self.add(key, local, name, jobTitle="Clerk", department="Sales")
        self.add("nomail", "nora.nomail", "Nora Nomail", mailbox=False)

    def _administrators(self) -> None:
        for key, local, name in (
            ("admin", "ada.admin", "Ada Admin"),
            ("admin2", "bob.admin", "Bob Admin"),
            ("admin3", "cleo.admin", "Cleo Admin"),
        ):
            self.add(key, local, name).roles.add(roles.GLOBAL)
        holder = self.directory.add_group("helpdesk", "Helpdesk", roles=[roles.HELPDESK])
        team = self.directory.add_group("night-shift", "Helpdesk night shift", groups=[holder.id])
        staff = self.directory.add_group("staff", "All staff")
        self.add("helpdesk", "hanna.helpdesk", "Hanna Helpdesk").groups.update({holder.id, staff.id})
        self.add("nested", "nils.nested", "Nils Nested").groups.add(team.id)
        self.add("reader", "rita.reader", "Rita Reader").roles.add(roles.READERS)
        self.add("member", "mona.member", "Mona Member").groups.add(staff.id)
        self.add("breakglass", "break.glass", "Break Glass", mailbox=False).roles.add(roles.GLOBAL)

    def _on_their_way_out(self) -> None:
        ago = self.directory.ago
        self.add("blocked", "bert.blocked", "Bert Blocked", accountEnabled=False)
        self.add(
            "offboarded",
            "otto.offboarded",
            "Otto Offboarded",
            mailbox=dict(SHUT),
            accountEnabled=False,
            lastPasswordChangeDateTime=ago(days=7),
            signInSessionsValidFromDateTime=ago(days=7, seconds=-5),
            employeeLeaveDateTime=ago(days=7, hours=2),
        )
        self.add("leaving", "lena.leaving", "Lena Leaving", employeeLeaveDateTime=ago(days=-7))
        self.add("left", "leo.left", "Leo Left", employeeLeaveDateTime=ago(days=7))
        gone = self.add("deleted", "dora.deleted", "Dora Deleted")
        self.directory.delete(gone)
        gone.properties["deletedDateTime"] = ago(days=3)

    def _odd_accounts(self) -> None:
        domain, initial = self.directory.domain, self.directory.initial_domain
        self.add(
            "guest",
            "AdeleVance_adatum.com#EXT#",
            "Adele Vance",
            upn=f"AdeleVance_adatum.com#EXT#@{initial}",
            mailbox=False,
            mail="AdeleVance@adatum.com",
            proxyAddresses=["SMTP:AdeleVance@adatum.com"],
            userType="Guest",
            creationType="Invitation",
            externalUserState="Accepted",
            identities=[{"signInType": "federated", "issuer": "ExternalAzureAD", "issuerAssignedId": None}],
        )
        premises: dict[str, Any] = {
            "onPremisesSyncEnabled": True,
            "onPremisesLastSyncDateTime": self.directory.ago(minutes=20),
            "onPremisesDomainName": f"corp.{domain}",
        }
        self.add(
            "synced",
            "simon.synced",
            "Simon Synced",
            **premises,
            onPremisesSamAccountName="ssynced",
            onPremisesImmutableId="c3luY2VkLXVzZXItMDAwMQ==",
        )
        self.add(
            "onpremises",
            "petra.premises",
            "Petra Premises",
            mailbox=False,
            mail=f"petra.premises@{domain}",
            proxyAddresses=[f"SMTP:petra.premises@{domain}"],
            **premises,
            onPremisesSamAccountName="ppremises",
            onPremisesImmutableId="c3luY2VkLXVzZXItMDAwMg==",
        )
        self.add("restricted", "rolf.restricted", "Rolf Restricted", isManagementRestricted=True)

    def _odd_mailboxes(self) -> None:
        self.add("shared", "info", "Info Desk", accountEnabled=False, assignedPlans=[], assignedLicenses=[])
        self.add(
            "nulls",
            "nina.nulls",
            "Nina Nulls",
            mailbox=dict.fromkeys(("OWAforDevicesEnabled", "EwsEnabled", *NEW_SWITCHES)),
        )
        self.add("oldcloud", "oscar.oldcloud", "Oscar Oldcloud", absent=NEW_SWITCHES)
        self.add("smtp", "scan.smtp", "Scan Smtp", mailbox={"SmtpClientAuthenticationDisabled": False})
        domain, initial = self.directory.domain, self.directory.initial_domain
        self.add(
            "alias",
            "a.meyer",
            "Anna Meyer-Schulz",
            mail=f"anna.meyer-schulz@{domain}",
            mailNickname="ameyer",
            proxyAddresses=[
                f"SMTP:anna.meyer-schulz@{domain}",
                f"smtp:anna.meyer@{domain}",
                f"smtp:ameyer@{initial}",
                f"x500:/o=ExchangeLabs/ou=Exchange/cn=Recipients/cn={person_id('alias').replace('-', '')}",
            ],
        )

    def _odd_names(self) -> None:
        self.add("apostrophe", "miles.o'brien", "Miles O'Brien")
        self.add("dollar", "$cash", "Cash Desk")
        self.add("sam1", "sam.smith", "Sam Smith")
        self.add("sam2", "sam.smith2", "Sam Smith")
        self.add("html", "hugo.html", "<b>HTML</b>")
        self.add("formula", "fred.formula", '=HYPERLINK("https://example.org","Fred")')
        self.add("umlaut", "joerg.mueller", "Jörg Müller 王伟")
