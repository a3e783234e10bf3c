# Copyright (c) 2026, The m365.offboarding contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: names, arguments and behaviour change without notice.

"""Where Microsoft's services live, cloud by cloud."""

from __future__ import annotations

import dataclasses
import ipaddress
import urllib.parse

from ._errors import OptionError


@dataclasses.dataclass(frozen=True)
class Endpoints:
    """Base addresses without a trailing slash. A service's token scope is its address followed by C(/.default)."""

    authority_url: str
    graph_url: str
    exchange_url: str


# https://learn.microsoft.com/graph/deployments; Exchange's admin endpoint as Microsoft's ScubaGear has it
# (https://github.com/cisagov/ScubaGear, EXORestHelper.psm1). O(exchange_url) is the way out where a tenant has another host.
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


def endpoints(cloud: str, **overrides: str | None) -> Endpoints:
    """The addresses of C(cloud), with those of C(overrides) that are given.

    :raises OptionError: an override that is no https address.
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
            ipaddress.IPv6Address(parts.hostname)  # which Python 3.10 leaves to whoever connects
    except ValueError:
        parts, port = urllib.parse.urlsplit(""), None
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise OptionError(
            f"{option} is not an address that a credential may be sent to.",
            hint="Give https:// and a host, without user, query or fragment.",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"https://{host}{f':{port}' if port not in (None, 443) else ''}{parts.path}".rstrip("/")
