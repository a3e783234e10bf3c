# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses: those of Microsoft's clouds, and those of one's own."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils._clouds import CLOUDS, Endpoints, endpoints, metadata
from ansible_collections.m365.offboarding.plugins.module_utils._errors import OptionError


@pytest.mark.parametrize(
    ("cloud", "hosts"),
    [
        ("public", ("login.microsoftonline.com", "graph.microsoft.com", "outlook.office365.com")),
        ("usgov", ("login.microsoftonline.us", "graph.microsoft.us", "outlook.office365.us")),
        ("usgov_dod", ("login.microsoftonline.us", "dod-graph.microsoft.us", "outlook-dod.office365.us")),
        ("china", ("login.chinacloudapi.cn", "microsoftgraph.chinacloudapi.cn", "partner.outlook.cn")),
    ],
)
def test_every_cloud_has_its_three_addresses(cloud, hosts):
    assert endpoints(cloud) == Endpoints(*(f"https://{host}" for host in hosts))


def test_there_are_no_other_clouds():
    assert set(CLOUDS) == {"public", "usgov", "usgov_dod", "china"}


@pytest.mark.parametrize("option", ["authority_url", "graph_url", "exchange_url"])
def test_an_address_of_ones_own_replaces_one_and_loses_its_last_slash(option):
    changed = endpoints("public", **{option: "https://example.org:8443/base/"})

    assert getattr(changed, option) == "https://example.org:8443/base"
    assert sum(a == b for a, b in zip(vars(changed).values(), vars(CLOUDS["public"]).values(), strict=True)) == 2


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_address_is_not_a_change(nothing):
    assert endpoints("china", graph_url=nothing) == CLOUDS["china"]


@pytest.mark.parametrize(
    "address",
    [
        "http://graph.microsoft.com",
        "HTTP://graph.microsoft.com",
        "graph.microsoft.com",
        "//graph.microsoft.com",
        "https://",
        "https:///path",
        "https://user@graph.microsoft.com",
        "https://user:pw@graph.microsoft.com",
        "https://graph.microsoft.com?x=1",
        "https://graph.microsoft.com#x",
        "ftp://graph.microsoft.com",
        "file:///etc/passwd",
        "https://[::1",
        "https://[not-an-address]/",
    ],
)
def test_an_address_that_no_credential_may_be_sent_to_is_refused_by_option(address):
    with pytest.raises(OptionError, match="graph_url") as caught:
        endpoints("public", graph_url=address)

    assert "https" in caught.value.hint


TENANT = "7B1C0E52-2f4b-4c55-9d1e-0a7e3f9c2b10"
CONFIGURATION = "v2.0/.well-known/openid-configuration"


@pytest.mark.parametrize("cloud", list(CLOUDS))
def test_the_tokens_of_a_tenant_come_from_the_authority_of_its_cloud(cloud):
    authority = CLOUDS[cloud].authority_url

    reported = metadata(f"{authority}/{TENANT}/{CONFIGURATION}")

    assert reported["token_endpoint"] == f"{authority}/{TENANT.lower()}/oauth2/v2.0/token"


@pytest.mark.parametrize(
    "address",
    [
        f"https://login.microsoftonline.com/contoso.com/{CONFIGURATION}",
        f"https://login.microsoftonline.com/{TENANT}x/{CONFIGURATION}",
        f"https://login.microsoftonline.com/{TENANT}/.well-known/openid-configuration",
        f"https://login.microsoftonline.com/{TENANT}/{CONFIGURATION}?p=policy",
        f"https://login.microsoftonline.com/{TENANT}/{CONFIGURATION}\n",
        f"https://login.microsoftonline.com:8443/{TENANT}/{CONFIGURATION}",
        f"https://login.microsoftonline.com.example.org/{TENANT}/{CONFIGURATION}",
        f"https://login.example.org/{TENANT}/{CONFIGURATION}",
        f"http://login.microsoftonline.com/{TENANT}/{CONFIGURATION}",
        "http://169.254.169.254/metadata/identity/oauth2/token",
    ],
)
def test_nothing_is_known_of_another_authority_or_of_a_domain(address):
    assert metadata(address) is None
