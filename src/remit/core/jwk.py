# SPDX-License-Identifier: Apache-2.0
"""Public keys of agents, as JSON Web Keys (RFC 7517)."""

from __future__ import annotations

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from remit.core.errors import Malformed

_MEMBERS = {"EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_CURVES = {"EC": "P-256", "OKP": "Ed25519"}


def checked_public_jwk(jwk: dict[str, str]) -> dict[str, str]:
    """Give the public members of a key alone; raises `Malformed` unless it is P-256 or Ed25519.

    A private member is refused rather than dropped: whoever sent it should know that the key has left its
    home.
    """
    kind = jwk.get("kty", "")
    members = _MEMBERS.get(kind)
    if members is None or jwk.get("crv") != _CURVES[kind]:
        raise Malformed("the key is of an unsupported kind", way_out="use a P-256 (ES256) or Ed25519 key")
    if "d" in jwk:
        raise Malformed(
            "the key has its private part in it",
            code="private-key",
            way_out="make a new key and send its public part",
        )
    public = {"kty": kind, **{name: jwk.get(name, "") for name in members}}
    try:
        import_public(public)
    except (JoseError, ValueError, TypeError) as error:
        raise Malformed("the key is not valid", debug=repr(error)) from None
    return public


def thumbprint(jwk: dict[str, str]) -> str:
    """Give the RFC 7638 thumbprint of a public key (SHA-256, base64url)."""
    return str(import_public(jwk).thumbprint())


def import_public(jwk: dict[str, str]) -> ECKey | OKPKey:
    """Load a key; raises `JoseError`, `ValueError` or `TypeError` where it is not one (a point off the
    curve).
    """
    members: dict[str, str | list[str]] = dict(jwk)
    key: ECKey | OKPKey = ECKey.import_key(members) if jwk.get("kty") == "EC" else OKPKey.import_key(members)
    _ = key.public_key
    return key
