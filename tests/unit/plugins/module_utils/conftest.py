# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Microsoft Graph that is asked directly, without a module."""

from __future__ import annotations

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils._credentials import Credential, TokenSource
from ansible_collections.m365.offboarding.plugins.module_utils._graph import Graph
from ansible_collections.m365.offboarding.plugins.module_utils._http import PatientTokenHttp, Transport
from fakes.entra import AUTHORITY, CLIENT_ID, CLIENT_SECRET, TENANT_ID
from fakes.wire import GRAPH


@pytest.fixture
def make_graph(clock, wire):
    """Return a function that makes a Graph that is asked with a client secret."""

    def make(retry_timeout: float = 300, timeout: float = 30) -> Graph:
        transport = Transport(timeout=timeout)
        tokens = TokenSource(
            Credential("secret", {"client_secret": CLIENT_SECRET}),
            tenant_id=TENANT_ID,
            client_id=CLIENT_ID,
            authority_url=f"https://{AUTHORITY}",
            http=PatientTokenHttp(transport, retry_timeout),
            on_secret=lambda _secret: None,
            monotonic=clock.monotonic,
        )
        return Graph(f"https://{GRAPH}", transport, tokens, retry_timeout)

    return make


@pytest.fixture
def graph(make_graph):
    return make_graph()
