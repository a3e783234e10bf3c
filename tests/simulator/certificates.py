# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Throw-away certificates: the authority that vouches for the listeners, and the keys of apps."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

LOCAL_NAMES = ("127.0.0.1", "localhost")
# The real names too: a client that cannot be redirected may be given a private hosts file instead.
REAL_NAMES = (
    "graph.microsoft.com",
    "login.microsoftonline.com",
    "login.windows.net",
    "login.microsoft.com",
    "outlook.office365.com",
)


class Authority:
    """A certificate authority made for one run, and the one certificate of all listeners."""

    def __init__(self) -> None:
        self.ca = trustme.CA(organization_name="m365.offboarding simulator")
        self.leaf = self.ca.issue_cert(*LOCAL_NAMES, *REAL_NAMES, common_name="127.0.0.1")

    @property
    def pem(self) -> bytes:
        return self.ca.cert_pem.bytes()

    def write_chain(self, path: Path) -> None:
        """Key and certificates in one file, as `ssl.SSLContext.load_cert_chain` reads it."""
        self.leaf.private_key_and_cert_chain_pem.write_to_path(str(path))
        path.chmod(0o600)


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class AppCertificate:
    """A key pair whose certificate is registered for an app. Made on first use: keys take their time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.passphrase = secrets.token_urlsafe(18)

    @cached_property
    def key(self) -> rsa.RSAPrivateKey:
        return new_key()

    @cached_property
    def certificate(self) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"offboarding {self.name}")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(self.key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=90))
        return builder.sign(self.key, hashes.SHA256())

    @cached_property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @cached_property
    def thumbprint(self) -> str:
        """SHA-1 in hexadecimal, as the portal shows it."""
        return hashlib.sha1(self.der, usedforsecurity=False).hexdigest().upper()

    def identified_by(self, header: dict[str, object]) -> bool:
        """Does the header of an assertion name this certificate, by any of the three ways there are?"""
        ways = {
            "x5t": base64url(hashlib.sha1(self.der, usedforsecurity=False).digest()),
            "x5t#S256": base64url(hashlib.sha256(self.der).digest()),
        }
        # MSAL leaves the padding on, others do not.
        named = [str(header[name]).rstrip("=") == value for name, value in ways.items() if name in header]
        chain = header.get("x5c")
        if isinstance(chain, list) and chain:
            # MSAL leaves the line breaks of the PEM file in.
            named.append("".join(str(chain[0]).split()) == base64.b64encode(self.der).decode())
        return bool(named) and all(named)

    def write(self, folder: Path) -> dict[str, str]:
        folder.mkdir(parents=True, exist_ok=True)
        cert = self.certificate.public_bytes(serialization.Encoding.PEM)
        locked = serialization.BestAvailableEncryption(self.passphrase.encode())

        def key(protection: serialization.KeySerializationEncryption) -> bytes:
            return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)

        def pfx(protection: serialization.KeySerializationEncryption) -> bytes:
            return pkcs12.serialize_key_and_certificates(
                self.name.encode(), self.key, self.certificate, None, protection
            )

        files = {
            "pem": key(serialization.NoEncryption()) + cert,
            "key": key(serialization.NoEncryption()),
            "cert": cert,
            "encrypted_pem": key(locked) + cert,
            "pfx": pfx(locked),
            "open_pfx": pfx(serialization.NoEncryption()),
        }
        result = {"passphrase": self.passphrase, "thumbprint": self.thumbprint}
        for kind, content in files.items():
            path = folder / f"{self.name}-{kind}.{'pfx' if kind.endswith('pfx') else 'pem'}"
            path.write_bytes(content)
            path.chmod(0o600)
            result[kind] = str(path)
        return result
