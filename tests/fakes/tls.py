# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server with a certificate of its own authority, and a proxy before it: real sockets, for what no script can play."""

from __future__ import annotations

import contextlib
import datetime
import functools
import ipaddress
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*wanted: str) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    names += ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: name in wanted for name in names})


@functools.cache
def _authority(name: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    identity = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = _builder(name, name, key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
    return key, builder.add_extension(identity, critical=False).sign(key, hashes.SHA256())


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(_name(subject)).issuer_name(_name(issuer))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=9))


def authority_pem(name: str = "lab authority") -> bytes:
    """Return the certificate that a bundle must hold to trust the servers."""
    return _authority(name)[1].public_bytes(serialization.Encoding.PEM)


def _server_context(folder: Path) -> ssl.SSLContext:
    key, (issuer_key, issuer) = ec.generate_private_key(ec.SECP256R1()), _authority("lab authority")
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = _builder("lab server", "lab authority", key).add_extension(address, critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    known = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]
    certificate = builder.add_extension(known, critical=False).sign(issuer_key, hashes.SHA256())
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, *form) + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


class Server:
    """Answers every request with an empty JSON object and hangs up, or, as a proxy, connects to the address it is given."""

    def __init__(self, context: ssl.SSLContext | None, *, proxy: bool = False) -> None:
        self.connections = 0
        self._context = context
        self._work = self._tunnel if proxy else self._answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer = self._socket.accept()[0]
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError), peer:
            stream = self._context.wrap_socket(peer, server_side=True) if self._context else peer
            with stream:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    piece = stream.recv(1)
                    if not piece:
                        return
                    head += piece
                self.connections += 1
                self._work(stream, head)

    @staticmethod
    def _answer(stream: socket.socket, _head: bytes) -> None:
        stream.sendall(_ANSWER)

    @staticmethod
    def _tunnel(stream: socket.socket, head: bytes) -> None:
        host, _colon, port = head.split()[1].decode().partition(":")
        with socket.create_connection((host, int(port))) as onward:
            stream.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            while True:
                for ready in select.select([stream, onward], [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    (onward if ready is stream else stream).sendall(data)


@contextlib.contextmanager
def serving(folder: Path, *, proxy: bool = False, tls: bool = True) -> Iterator[Server]:
    server = Server(_server_context(folder) if tls else None, proxy=proxy)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()
