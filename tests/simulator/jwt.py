# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON web tokens: signing and checking the few kinds this tenant meets (RFC 7515, 7518)."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .certificates import base64url


class BadToken(ValueError):
    """Not a token, or not one we can read."""


def _decode(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadToken(str(error)) from error


def _object(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_decode(part))
    except (ValueError, RecursionError) as error:
        raise BadToken(str(error)) from error
    if not isinstance(value, dict):
        raise BadToken("not an object")
    return value


def sign(key: rsa.RSAPrivateKey, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A token signed with RS256."""
    parts = [
        base64url(json.dumps(part, separators=(",", ":")).encode()) for part in ({"alg": "RS256", **header}, claims)
    ]
    content = ".".join(parts).encode()
    return f"{content.decode()}.{base64url(key.sign(content, padding.PKCS1v15(), hashes.SHA256()))}"


def read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, unchecked."""
    parts = token.split(".")
    if len(parts) != 3:
        raise BadToken("three parts are wanted")
    return _object(parts[0]), _object(parts[1])


def signed_by(token: str, key: rsa.RSAPublicKey) -> bool:
    """Is the signature this key's? Only RS256 and PS256 are signatures at all."""
    content, _ignored, signature = token.rpartition(".")
    algorithm = read(token)[0].get("alg")
    pads: dict[object, padding.AsymmetricPadding] = {
        "RS256": padding.PKCS1v15(),
        "PS256": padding.PSS(padding.MGF1(hashes.SHA256()), 32),
    }
    if not isinstance(algorithm, str) or algorithm not in pads:
        return False
    try:
        key.verify(_decode(signature), content.encode(), pads[algorithm], hashes.SHA256())
    except InvalidSignature:
        return False
    return True
