# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates for applications, made on the spot."""

from __future__ import annotations

import datetime
import functools

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12

PASSWORD = "Key-file-password.1"


@functools.cache
def pair(name: str) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    """Return a key and the certificate that belongs to it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=9))
    return key, builder.sign(key, hashes.SHA256())


def key_pem(name: str = "automation", password: str | None = None) -> bytes:
    return pair(name)[0].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, _hide(password))


def certificate_pem(name: str = "automation") -> bytes:
    return pair(name)[1].public_bytes(serialization.Encoding.PEM)


def pem(password: str | None = None) -> bytes:
    return key_pem(password=password) + certificate_pem()


def pfx(password: str | None = None, *, with_certificate: bool = True) -> bytes:
    key, certificate = pair("automation")
    return pkcs12.serialize_key_and_certificates(
        b"automation", key, certificate if with_certificate else None, None, _hide(password)
    )


def thumbprint() -> str:
    return pair("automation")[1].fingerprint(hashes.SHA1()).hex()  # noqa: S303


def _hide(password: str | None) -> serialization.KeySerializationEncryption:
    return serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
