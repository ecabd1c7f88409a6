# SPDX-License-Identifier: Apache-2.0
"""Public keys of agents, as JSON Web Keys (RFC 7517)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import lru_cache

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from remit.core.errors import Malformed

_MEMBERS = {"EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_CURVES = {"EC": "P-256", "OKP": "Ed25519"}
_SIZES = {"P-256": 32, "P-384": 48, "P-521": 66, "Ed25519": 32}
_PRIME_25519 = 2**255 - 19
_OF_ORDER_EIGHT = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
#: The y coordinates of the eight points of Ed25519 whose order divides eight (see RFC 7748 section 6.1).
_SMALL_ORDER = frozenset((0, 1, _PRIME_25519 - 1, _OF_ORDER_EIGHT, _PRIME_25519 - _OF_ORDER_EIGHT))


def checked_public_jwk(jwk: dict[str, str]) -> dict[str, str]:
    """Return only the public members of a key; raise `Malformed` unless it is P-256 or Ed25519.

    A private member is refused rather than dropped, so that the sender learns that the private key has
    leaked.
    """
    kind = jwk.get("kty", "")
    members = _MEMBERS.get(kind)
    if members is None or jwk.get("crv") != _CURVES[kind]:
        raise Malformed("the key type is not supported", remediation="use a P-256 (ES256) or Ed25519 key")
    if "d" in jwk:
        raise Malformed(
            "the key contains its private part",
            code="private-key",
            remediation="make a new key and send only its public part",
        )
    public = {"kty": kind, **{name: jwk.get(name, "") for name in members}}
    try:
        check_point(public)
        import_public(public)
    except (JoseError, ValueError, TypeError) as error:
        raise Malformed("the key is not valid", debug=repr(error)) from None
    return public


def check_point(jwk: Mapping[str, str]) -> None:
    """Check that a curve point is in its only valid encoding, and is permitted as a key.

    Raises `ValueError`. The import of the key checks that the point is on the curve. RFC 7518 section 6.2.1.2
    and RFC 8037 section 2: coordinates have the full size of the curve. A key in two encodings would have two
    thumbprints, and with a key of small order one signature is valid for many messages.
    """
    size = _SIZES[jwk["crv"]]
    for name in ("x", "y") if jwk["kty"] == "EC" else ("x",):
        data = base64.b64decode(jwk[name] + "=" * (-len(jwk[name]) % 4), b"-_", validate=True)
        if len(data) != size or base64.urlsafe_b64encode(data).rstrip(b"=") != jwk[name].encode():
            raise ValueError(f"`{name}` does not have its full length")
        if jwk["crv"] == "Ed25519":
            # RFC 8032 section 5.1.2: the highest bit is the sign of the other coordinate.
            height = int.from_bytes(data, "little") & ((1 << 255) - 1)
            if height >= _PRIME_25519 or height in _SMALL_ORDER:
                raise ValueError("the point is of small order, or not reduced")


def thumbprint(jwk: dict[str, str]) -> str:
    """Return the RFC 7638 thumbprint of a public key (SHA-256, base64url)."""
    return _thumbprint(tuple(sorted(jwk.items())))


@lru_cache(maxsize=4096)
def _thumbprint(members: tuple[tuple[str, str], ...]) -> str:
    return str(_imported(members).thumbprint())


def import_public(jwk: dict[str, str]) -> ECKey | OKPKey:
    """Import a key; raise `JoseError`, `ValueError` or `TypeError` where it is invalid (a point off the
    curve).
    """
    return _imported(tuple(sorted(jwk.items())))


@lru_cache(maxsize=4096)
def _imported(members: tuple[tuple[str, str], ...]) -> ECKey | OKPKey:
    # Cached: an import takes longer than a signature check, and the same agents return. A key object is
    # immutable.
    written: dict[str, str | list[str]] = dict(members)
    kind = ECKey if written.get("kty") == "EC" else OKPKey
    key: ECKey | OKPKey = kind.import_key(written)
    _ = key.public_key
    return key
