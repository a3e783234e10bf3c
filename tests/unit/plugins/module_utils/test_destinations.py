# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where forwarded mail goes: what is not understood is not inside."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils._destinations import (
    INSIDE,
    OUTSIDE,
    UNKNOWN,
    Organization,
    Target,
    address_of,
    parse_target,
)
from ansible_collections.m365.offboarding.plugins.module_utils._errors import OffboardingError

DN = "/o=ExchangeLabs/ou=Exchange (FYDIBOHF23SPDLT)/cn=Recipients/cn=39e0-omar"
ERROR = OffboardingError("It could not be read.")


@pytest.mark.parametrize(
    ("text", "address", "recipient"),
    [
        ('"Jane" [SMTP:jane@home.example]', "jane@home.example", ""),
        ("[smtp: jane@home.example ]", "jane@home.example", ""),
        ("smtp:jane@home.example", "jane@home.example", ""),
        (" jane@home.example\n", "jane@home.example", ""),
        (f'"Omar" [EX:{DN}]', "", DN),
        (DN, "", DN),
        ('"a [SMTP:in@contoso.com]" [SMTP:out@home.example]', "out@home.example", ""),
        ('"two\nlines" [SMTP:out@home.example]', "out@home.example", ""),
        # None of these says where it leads.
        ("jane", "", ""),
        ("jane@home.example or omar@contoso.com", "", ""),
        ('"Jane" [SMTP:jane]', "", ""),
        ('"Jane" [EX:jane]', "", ""),
        ('"Jane" [FAX:jane@contoso.com]', "", ""),
        ('"Jane" [SMTP:jane@contoso.com] and more', "", ""),
        ("", "", ""),
        (None, "", ""),
        (["jane@contoso.com"], "", ""),
    ],
)
def test_a_target_as_it_is_written(text, address, recipient):
    target = parse_target(text)

    assert (target.address, target.recipient) == (address, recipient)


@pytest.mark.parametrize(
    ("row", "address"),
    [
        ({"recipienttypedetails": "UserMailbox", "primarysmtpaddress": "a@contoso.com"}, "a@contoso.com"),
        ({"recipienttypedetails": "MailContact", "externalemailaddress": "SMTP:a@home.example"}, "a@home.example"),
        ({"recipienttypedetails": "MailUser", "primarysmtpaddress": "a@contoso.com"}, None),
        ({"recipienttypedetails": "GUESTMAILUSER", "primarysmtpaddress": "a@contoso.com"}, None),
        ({"primarysmtpaddress": "a@contoso.com"}, None),
        ({"recipienttypedetails": "UserMailbox", "primarysmtpaddress": "a"}, None),
        ({"recipienttypedetails": "UserMailbox"}, None),
        ({}, None),
    ],
)
def test_the_address_that_mail_to_a_recipient_reaches(row, address):
    assert address_of(row) == address


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("a@contoso.com", INSIDE),
        ("a@CONTOSO.com", INSIDE),
        ("a@mail.contoso.com", OUTSIDE),
        ("a@eu.mail.fabrikam.com", INSIDE),
        ("a@fabrikam.com.evil.example", OUTSIDE),
        ("a@contoso.com@evil.example", OUTSIDE),
        ("a@", OUTSIDE),
    ],
)
def test_an_address_is_placed_by_its_domain(address, place):
    organization = Organization(frozenset({"contoso.com", "fabrikam.com", "*.fabrikam.com"}))

    assert organization.place(Target("x", address=address)) == place


def test_what_is_not_known_is_not_placed():
    organization = Organization(frozenset({"contoso.com"}), {"omar": "o@contoso.com", "carl": None, "eve": ERROR})

    assert organization.place(Target("x", recipient="Omar")) == INSIDE
    assert organization.place(Target("x", recipient="carl")) == UNKNOWN
    assert organization.place(Target("x", recipient="nobody")) == UNKNOWN
    assert organization.place(Target("x", recipient="eve")) is ERROR
    assert organization.place(Target("x")) == UNKNOWN
    unread = Organization(ERROR, {"omar": "o@contoso.com", "carl": None})
    assert unread.place(Target("x", address="a@contoso.com")) is ERROR
    assert unread.place(Target("x", recipient="omar")) is ERROR
    assert unread.place(Target("x", recipient="carl")) == UNKNOWN
    assert not unread.is_inside("a@contoso.com")
