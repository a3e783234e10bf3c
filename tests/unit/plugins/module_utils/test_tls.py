# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which peers the connections trust, through real sockets: the trusted certificates are read once."""

from __future__ import annotations

import hashlib
import ssl

import pytest

from ansible_collections.m365.offboarding.plugins.module_utils._concurrent import map_concurrent
from ansible_collections.m365.offboarding.plugins.module_utils._errors import NetworkError
from ansible_collections.m365.offboarding.plugins.module_utils._http import Transport
from fakes.tls import authority_pem, serving


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "authority.pem"
    path.write_bytes(authority_pem())
    return path


@pytest.fixture
def server(tmp_path):
    with serving(tmp_path) as running:
        yield running


@pytest.fixture
def read(monkeypatch):
    """Return the list of what is read into contexts of TLS."""
    found = []
    real = ssl.SSLContext.load_verify_locations

    def load(self, *args, **kwargs):
        found.append(args)
        return real(self, *args, **kwargs)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", load)
    return found


def ask(transport, server):
    return transport.send("GET", f"https://{server.address}/").status


def refusal(transport, server):
    with pytest.raises(NetworkError) as caught:
        ask(transport, server)
    return caught.value


def test_a_bundle_is_read_once_however_many_connections_there_are(server, bundle, read):
    transport = Transport(ca_path=str(bundle))

    assert map_concurrent(lambda _number: ask(transport, server), range(12), 4) == [200] * 12
    assert server.connections == 12
    assert read == [(str(bundle), None)]


def test_a_bundle_is_read_once_for_all_hosts(server, bundle, read, tmp_path):
    transport = Transport(ca_path=str(bundle))
    with serving(tmp_path) as other:
        assert [ask(transport, one) for one in (server, other)] == [200, 200]

    assert len(read) == 1


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_bundle_of_the_environment_is_trusted(server, bundle, monkeypatch, variable):
    monkeypatch.setenv(variable, str(bundle))

    assert ask(Transport(), server) == 200


def test_the_option_beats_the_environment(server, bundle, monkeypatch, tmp_path):
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(authority_pem("a stranger"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))

    assert refusal(Transport(ca_path=str(stranger)), server).final


def test_a_folder_of_authorities_is_trusted(server, bundle, tmp_path):
    folder = tmp_path / "authorities"
    folder.mkdir()
    # OpenSSL looks for a file that is called by a hash of the authority's canonical name: here one CN, all lower case.
    name = b"lab authority"
    attribute = b"\x06\x03\x55\x04\x03\x0c" + bytes([len(name)]) + name
    canonical = b"\x31" + bytes([len(attribute) + 2]) + b"\x30" + bytes([len(attribute)]) + attribute
    digest = hashlib.sha1(canonical).digest()[:4][::-1].hex()  # noqa: S324
    (folder / f"{digest}.0").write_bytes(bundle.read_bytes())

    assert ask(Transport(ca_path=str(folder)), server) == 200


def test_a_server_that_is_not_in_the_usual_bundle_is_not_trusted_and_not_asked_again(server):
    error = refusal(Transport(), server)

    assert "does not trust" in error.message
    assert (error.final, error.reached, server.connections) == (True, False, 0)


def test_a_certificate_for_another_name_is_not_trusted(server, bundle):
    host = server.address.replace("127.0.0.1", "localhost")

    with pytest.raises(NetworkError, match="does not trust"):
        Transport(ca_path=str(bundle)).send("GET", f"https://{host}/")


def test_without_validation_everybody_is_trusted_whatever_the_environment_says(server, monkeypatch, tmp_path):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "is not there"))

    assert ask(Transport(validate_certs=False), server) == 200


@pytest.mark.parametrize("content", [None, b"no certificate"], ids=["absent", "garbage"])
def test_a_bundle_that_cannot_be_read_is_reported_at_once(server, tmp_path, content):
    path = tmp_path / "bundle.pem"
    if content is not None:
        path.write_bytes(content)

    error = refusal(Transport(ca_path=str(path)), server)

    assert error.message == "The CA bundle for TLS cannot be read."
    assert (error.final, error.reached, server.connections) == (True, False, 0)


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_through_a_proxy_the_same_authorities_are_trusted(server, bundle, read, tmp_path, tls):
    with serving(tmp_path, proxy=True, tls=tls) as proxy:
        transport = Transport(ca_path=str(bundle), proxy=f"http{'s' if tls else ''}://{proxy.address}")

        assert [ask(transport, server) for _again in range(2)] == [200, 200]
        assert (proxy.connections, server.connections) == (2, 2)
    assert len(read) == 1


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_through_a_proxy_nobody_else_is_trusted(server, tmp_path, tls):
    with serving(tmp_path, proxy=True, tls=tls) as proxy:
        refusal(Transport(proxy=f"http{'s' if tls else ''}://{proxy.address}"), server)

    assert server.connections == 0
