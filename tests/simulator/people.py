# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The people of the tenant. Every person is a kind of account that offboarding must handle.

Object IDs follow from the keys (`person_id("jane")`), so that tests can name them.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from . import roles
from .apps import NAMESPACE
from .mailbox import NEW_SWITCHES, SWITCHES, Mailbox
from .residual import recipient

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
    "miles": "ordinary; jane and miles are the leavers of the documentation",
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
    "residual": "offboarded properly, and everything that outlives it is still there",
    "forwarder": "mail is forwarded to outside, with a copy in the mailbox",
    "inside": "mail is forwarded to a colleague only",
    "ruler": "a dozen inbox rules, some of which lead outside",
    "appowner": "owns applications, with live and with expired credentials",
    "consenter": "gave applications access to the own data",
    "devices": "registered devices, one enabled and one not",
    "delegated": "others may open the mailbox and send from it",
    "phone": "phones with a partnership",
    "passkey": "sign-in methods of every kind, and one that is new",
}


def person_id(key: str) -> str:
    """Object ID of the person with this key."""
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
        # A day, which Entra keeps as a moment: midnight in UTC.
        self.hired = "2024-01-15T00:00:00Z"
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
        self._foreigners()
        self._residual()
        self._leavers()

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
            user = self.add(key, local, name, jobTitle="Clerk", department="Sales", employeeHireDate=self.hired)
            user.manager = "olga" if key != "olga" else None
        self.add("miles", "miles.obrien", "Miles Obrien")
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

    # What outlives a blocked account ---------------------------------------------------------------------------------

    def _foreigners(self) -> None:
        """Applications of others that people gave access to."""
        self.directory.add_service_principal("graph", "Microsoft Graph", "00000003-0000-0000-c000-000000000000")
        self.directory.add_service_principal("survey-tool", "Survey Tool")
        self.directory.add_service_principal("mail-sync", "Mail Sync <Pro>")

    def _residual(self) -> None:
        ago, domain = self.directory.ago, self.directory.domain
        past, soon = ago(days=200), ago(days=-200)
        outside = "collector@example.net"
        colleague = recipient(f"jane.doe@{domain}", "Jane Doe")
        self.add("forwarder", "flora.forwarder", "Flora Forwarder").residual.forwarding = {
            "ForwardingSmtpAddress": f"smtp:{outside}",
            "DeliverToMailboxAndForward": True,
        }
        inside = self.add("inside", "ida.inside", "Ida Inside").residual
        inside.forwarding = {"ForwardingAddress": "jane"}
        inside.rules = [{"displayName": "To Jane", "actions": {"forwardTo": [colleague]}}]
        rules = self.add("ruler", "rudi.ruler", "Rudi Ruler").residual.rules
        rules += [{"displayName": f"Sort {number}", "actions": {"moveToFolder": "AQMk="}} for number in range(8)]
        # The last two are on the second page.
        rules += [
            {"displayName": "Colleague", "actions": {"redirectTo": [colleague]}},
            {"displayName": "Out, switched off", "isEnabled": False, "actions": {"redirectTo": [recipient(outside)]}},
            {"displayName": "Out", "actions": {"forwardTo": [colleague, recipient(outside)]}},
            {"displayName": "", "actions": {"forwardAsAttachmentTo": [recipient("second@example.org", "")]}},
        ]
        owner = self.add("appowner", "aaron.appowner", "Aaron Appowner").residual
        owner.applications = [
            {"displayName": "Payroll bridge", "passwordCredentials": [{"endDateTime": soon}, {"endDateTime": past}]},
            # Seven digits behind the second, as on the page of addPassword.
            {"displayName": "Old report", "passwordCredentials": [{"endDateTime": "2021-09-09T19:50:29.3086381Z"}]},
            {"displayName": "Robot", "keyCredentials": [{"endDateTime": "2099-09-09T19:50:29.3086381Z"}]},
            {"displayName": "Empty shell"},
        ]
        owner.owned_groups = ["staff"]
        owner.owned_service_principals = ["survey-tool"]
        self.add("consenter", "carla.consenter", "Carla Consenter").residual.grants = [
            {"client": "survey-tool", "scope": " User.Read openid profile"},
            {"client": "mail-sync", "scope": "Mail.ReadWrite offline_access"},
            {"client": "an application that is gone", "scope": "Files.Read.All"},
        ]
        self.add("devices", "dieter.devices", "Dieter Devices").residual.devices = [
            {"displayName": "LAPTOP-DIETER", "accountEnabled": True, "trustType": "AzureAd"},
            {"displayName": "Old phone", "accountEnabled": False, "operatingSystem": "iOS"},
        ]
        delegated = self.add("delegated", "della.delegated", "Della Delegated").residual
        delegated.full_access = [
            {"user": "john"},
            {"user": "All staff", "rights": "FullAccess, ReadPermission"},
            {"user": "maria", "deny": True},
            {"user": "wei", "inherited": True},
            {"user": "S-1-5-21-1111111111-2222222222-3333333333-4444"},
            {"user": "ahmed", "rights": "ReadPermission"},
        ]
        delegated.send_as = [{"trustee": "john"}, {"trustee": "maria", "deny": True}]
        delegated.send_on_behalf = ["olga"]
        self.add("phone", "phil.phone", "Phil Phone").residual.phones = [
            {"FriendlyName": "Phil's iPhone"},
            {
                "DeviceAccessState": "Blocked",
                "DeviceType": "Android",
                "DeviceModel": "Pixel 8",
                "DeviceOS": "Android 14",
            },
            {"ClientType": "Outlook", "DeviceType": "Outlook", "DeviceModel": "Outlook for iOS and Android"},
        ]
        self.add("passkey", "paula.passkey", "Paula Passkey").residual.methods = [
            {"kind": "fido2"},
            {"kind": "microsoftAuthenticator"},
            {"kind": "phone"},
            {"kind": "email"},
            {"kind": "softwareOath"},
            {"kind": "windowsHelloForBusiness"},
            {"kind": "temporaryAccessPass"},
            # A kind that came later than anybody who reads it.
            {"kind": "palmVeinAuthenticationMethod", "displayName": "Left hand"},
        ]
        everything = self.add(
            "residual",
            "rosa.residual",
            "Rosa Residual",
            mailbox=dict(SHUT),
            accountEnabled=False,
            lastPasswordChangeDateTime=ago(days=7),
            signInSessionsValidFromDateTime=ago(days=7, seconds=-5),
            employeeLeaveDateTime=ago(days=7, hours=2),
        )
        everything.roles.add(roles.REPORTS)
        everything.residual.change(
            {
                "applications": [{"displayName": "<i>Invoices</i>", "passwordCredentials": [{"endDateTime": soon}]}],
                "grants": [{"client": "mail-sync", "scope": "Mail.ReadWrite"}],
                "devices": [{"displayName": "=cmd|' /C calc'!A0", "accountEnabled": True}],
                "rules": [{"displayName": "Out & away", "actions": {"redirectTo": [recipient(outside)]}}],
                "forwarding": {"ForwardingSmtpAddress": f"smtp:{outside}"},
                "full_access": [{"user": "john"}],
                "send_as": [{"trustee": "john"}],
                "send_on_behalf": ["maria"],
                "phones": [{"FriendlyName": "Rosa's phone"}],
                "methods": [{"kind": "microsoftAuthenticator"}, {"kind": "fido2"}],
            }
        )

    # Groups of leavers -------------------------------------------------------------------------------------------------

    def _leavers(self) -> None:
        directory = self.directory
        things = [directory.add_device("kiosk", "KIOSK-01"), directory.service_principal_id("survey-tool")]
        leavers = directory.add_group("leavers", "Leavers", things=things)
        berlin = directory.add_group("leavers-berlin", "Leavers in Berlin", groups=[leavers.id])
        mail = directory.add_group("leavers-mail", "Leavers by mail", mail=f"leavers@{directory.domain}")
        hidden = directory.add_group(
            "leavers-hidden",
            "Hidden leavers",
            mail=f"hidden.leavers@{directory.domain}",
            visibility="HiddenMembership",
            group_types=["Unified"],
        )
        directory.add_group("leavers-empty", "Empty leavers")
        directory.add_group("leavers-twin1", "Twin leavers")
        directory.add_group("leavers-twin2", "Twin leavers")
        directory.add_group("leavers-quote", "Owner's leavers")
        for key in ("left", "leaving", "offboarded", "synced", "admin2", "guest", "residual"):
            directory.user(key).groups.add(leavers.id)
        for key in ("blocked", "pierre", "left"):
            directory.user(key).groups.add(berlin.id)
        directory.user("left").groups.add(mail.id)
        directory.user("left").groups.add(hidden.id)
