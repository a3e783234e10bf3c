# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Threads that need a token at the same moment: one request for each audience, and none waits for another's."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils._clouds import metadata
from ansible_collections.m365.offboarding.plugins.module_utils._concurrent import map_concurrent
from ansible_collections.m365.offboarding.plugins.module_utils._credentials import Credential, TokenSource
from ansible_collections.m365.offboarding.plugins.module_utils._errors import CredentialError
from fakes.entra import AUTHORITY, CLIENT_ID, TENANT_ID, jwt

GRAPH, EXCHANGE = "https://graph.microsoft.com", "https://outlook.office365.com"
# Only ends a test that would otherwise hang.
FOR_EVER = 600


class TokenEndpoint:
    """An HTTP client for msal. It answers a request for a token only when `together` of them are there."""

    def __init__(self, together: int = 1, status: int = 200) -> None:
        self.refusal = None
        self.asked: list[str] = []
        self.discoveries = 0
        self._barrier = threading.Barrier(together)
        self._status = status
        self._lock = threading.Lock()

    def get(self, url, **_ignored):
        with self._lock:
            self.discoveries += 1
        return SimpleNamespace(status_code=200, text=json.dumps(metadata(url)), headers={})

    def post(self, _url, data=None, **_ignored):
        audience = data["scope"].removesuffix("/.default")
        with self._lock:
            self.asked.append(audience)
            number = len(self.asked)
        self._barrier.wait(FOR_EVER)
        body = {"access_token": jwt(aud=audience, number=number), "expires_in": 3599, "token_type": "Bearer"}
        if self._status != 200:
            body = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret."}
        return SimpleNamespace(status_code=self._status, text=json.dumps(body), headers={})

    def close(self):
        pass


def source(entra):
    return TokenSource(
        Credential("secret", {"client_secret": "of-the-automation"}),
        tenant_id=TENANT_ID,
        client_id=CLIENT_ID,
        authority_url=f"https://{AUTHORITY}",
        http=entra,
        on_secret=lambda _secret: None,
    )


def test_threads_that_need_a_token_at_the_same_moment_ask_once_for_each_audience():
    entra = TokenEndpoint(together=2)
    tokens = source(entra)

    # Ends only if the two audiences are asked for side by side.
    got = map_concurrent(lambda audience: tokens.token(audience, "a service").value, [GRAPH, EXCHANGE] * 8, 16)

    assert sorted(entra.asked) == [GRAPH, EXCHANGE]
    assert entra.discoveries == 1
    assert got == got[:2] * 8
    assert got[0] != got[1]


def test_a_refusal_is_asked_for_once_whatever_the_number_of_threads():
    entra = TokenEndpoint(status=401)
    tokens = source(entra)

    def complaint(_number):
        with pytest.raises(CredentialError) as caught:
            tokens.token(GRAPH, "Microsoft Graph")
        return caught.value.code

    assert len(set(map_concurrent(complaint, range(16), 16))) == 1
    assert entra.asked == [GRAPH]


def test_a_token_that_is_refused_to_many_threads_is_replaced_once():
    entra = TokenEndpoint()
    tokens = source(entra)
    refused = tokens.token(GRAPH, "Microsoft Graph")

    renewed = map_concurrent(lambda _number: tokens.renew(GRAPH, "Microsoft Graph", refused), range(16), 16)

    assert len({token.value for token in renewed}) == 1
    assert renewed[0].value != refused.value
    assert entra.asked == [GRAPH, GRAPH]
