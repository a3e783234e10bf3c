# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The addresses of Microsoft's services in each cloud."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import urllib.parse

from ._errors import OptionError


@dataclasses.dataclass(frozen=True)
class Endpoints:
    """Base addresses without a trailing slash. A service's token scope is its address followed by `/.default`."""

    authority_url: str
    graph_url: str
    exchange_url: str


# https://learn.microsoft.com/graph/deployments; Exchange's admin endpoint as Microsoft's ScubaGear has it
# (https://github.com/cisagov/ScubaGear, EXORestHelper.psm1). If a tenant has another host, set `exchange_url`.
CLOUDS = {
    "public": Endpoints(
        "https://login.microsoftonline.com", "https://graph.microsoft.com", "https://outlook.office365.com"
    ),
    "usgov": Endpoints(
        "https://login.microsoftonline.us", "https://graph.microsoft.us", "https://outlook.office365.us"
    ),
    "usgov_dod": Endpoints(
        "https://login.microsoftonline.us", "https://dod-graph.microsoft.us", "https://outlook-dod.office365.us"
    ),
    "china": Endpoints(
        "https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn", "https://partner.outlook.cn"
    ),
}


# The address of the metadata of a tenant that is named by its id.
_METADATA = re.compile(
    r"(https://[^/]+)/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})/v2\.0/\.well-known/openid-configuration"
)


def metadata(address: str) -> dict[str, str] | None:
    """The OpenID configuration at this address, if Microsoft documents it; nothing is sent.

    It is known for the authorities of `CLOUDS` and a tenant given by its id. A domain name is left to Entra ID, which
    answers with the tenant's id, and so is every other authority.

    https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud

    :returns: `token_endpoint`, `authorization_endpoint` and `issuer`; `None` if it must be requested.
    """
    found = _METADATA.fullmatch(address)
    if not found or found[1] not in {one.authority_url for one in CLOUDS.values()}:
        return None
    base = f"{found[1]}/{found[2].lower()}"
    return {
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "issuer": f"{base}/v2.0",
    }


def endpoints(cloud: str, **overrides: str | None) -> Endpoints:
    """The addresses of `cloud`, with those of `overrides` that are given.

    :raises OptionError: an override is not an https address.
    """
    given = {name: _address(name, value) for name, value in overrides.items() if value}
    return dataclasses.replace(CLOUDS[cloud], **given)


def _address(option: str, value: str) -> str:
    """The address with scheme and host in lower case, without the default port and a slash at its end.

    What is compared with it later (a next page, the scheme that a proxy serves) need not care how it was written.
    """
    try:
        parts = urllib.parse.urlsplit(value.strip())
        port = parts.port
        if "[" in parts.netloc:
            ipaddress.IPv6Address(parts.hostname)  # Python 3.10 does not check it
    except ValueError:
        parts, port = urllib.parse.urlsplit(""), None
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise OptionError(
            f"{option} is not an address that a credential may be sent to.",
            hint="Give https:// and a host, without user, query or fragment.",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"https://{host}{f':{port}' if port not in (None, 443) else ''}{parts.path}".rstrip("/")
