# SPDX-License-Identifier: Apache-2.0
"""The content of a TLS client certificate: its key, its names and its times (RFC 8705)."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from remit.core.errors import Unauthenticated
from remit.core.keys.jwk import thumbprint


class ClientCertificate(msgspec.Struct, frozen=True):
    """A client certificate to present, with its intermediates, and its key; both as PEM."""

    chain: str
    key: str

    def __repr__(self) -> str:
        """Return a text without the key."""
        return "ClientCertificate()"


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate's content.

    `jwk` is its public key (RFC 7517), empty for a kind of key that agents do not have. `x5t_s256` is the
    certificate's own thumbprint (RFC 8705 section 3.1).
    """

    jwk: dict[str, str]
    x5t_s256: str
    serial: str
    not_before: datetime
    not_after: datetime

    @property
    def thumbprint(self) -> str:
        """The key's thumbprint (RFC 7638); empty without a key."""
        return thumbprint(self.jwk) if self.jwk else ""


def read_leaf(der: bytes) -> Leaf:
    """Parse a certificate without checking it; raise `Unauthenticated` where it is not one."""
    try:
        read = x509.load_der_x509_certificate(der)
        jwk = _jwk(read.public_key())
        serial = f"{read.serial_number:x}"
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise Unauthenticated(
            "the certificate cannot be read", code="invalid_client", debug=repr(error), step=1
        ) from None
    return Leaf(
        jwk=jwk,
        x5t_s256=_text(hashlib.sha256(der).digest()),
        serial=serial,
        not_before=read.not_valid_before_utc,
        not_after=read.not_valid_after_utc,
    )


def _jwk(key: object) -> dict[str, str]:
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        point = key.public_numbers()
        return {
            "kty": "EC",
            "crv": "P-256",
            "x": _text(point.x.to_bytes(32, "big")),
            "y": _text(point.y.to_bytes(32, "big")),
        }
    if isinstance(key, ed25519.Ed25519PublicKey):
        raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": _text(raw)}
    return {}


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
