# SPDX-License-Identifier: Apache-2.0
"""JWS in compact form (RFC 7515 section 7.1), parsed strictly before any key is used.

The header selects the key that checks the signature, so the header is parsed first, and has one reading: no
duplicate members, no alternative encoding of the same bytes, no parameter that supplies a key or changes how
the rest is parsed.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from remit.core.canonical import parse_strict
from remit.core.errors import Malformed
from remit.core.json_value import Json

#: The most bytes of a compact JWS; no valid token is larger.
MAX_COMPACT_BYTES = 16 * 1024
#: RFC 7515 section 4.1 and RFC 7797: header parameters that supply a key, or change how the rest is parsed.
#: Only a proof of possession may carry `jwk`.
REFUSED_PARAMETERS = ("crit", "b64", "jwk", "jku", "x5c", "x5u", "x5t", "x5t#S256", "zip")


class Compact(msgspec.Struct, frozen=True):
    """Header and payload of a compact JWS whose signature has not been checked: nothing is trusted yet."""

    header: dict[str, Json]
    claims: dict[str, Json]


def read_compact(
    text: str, *, max_bytes: int = MAX_COMPACT_BYTES, permitted: tuple[str, ...] = ()
) -> Compact:
    """Parse a compact JWS over a JSON object; raise `Malformed` for anything else.

    `permitted` names parameters of `REFUSED_PARAMETERS` that are accepted nevertheless.
    """
    if len(text) > max_bytes or not text.isascii():
        raise _malformed("it is too large, or not ASCII")
    parts = text.split(".")
    if len(parts) != 3:
        raise _malformed("it must have three parts")
    header, claims = (_object(part, max_bytes) for part in parts[:2])
    base64url(parts[2])
    for name in REFUSED_PARAMETERS:
        if name in header and name not in permitted:
            raise _malformed(f"its header has `{name}`")
    return Compact(header, claims)


def base64url(part: str) -> bytes:
    """Decode base64url without padding (RFC 7515 section 2); raise `Malformed` for any other encoding."""
    try:
        data = base64.b64decode(part + "=" * (-len(part) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _malformed("a part is not base64url") from None
    # RFC 4648 section 3.5: the bits beyond the last byte permit several encodings.
    if base64.urlsafe_b64encode(data).rstrip(b"=") != part.encode():
        raise _malformed("a part is not canonical base64url")
    return data


def _object(part: str, max_bytes: int) -> dict[str, Json]:
    value = parse_strict(base64url(part), max_bytes=max_bytes, max_depth=16)
    if type(value) is not dict:
        raise _malformed("a part is not a JSON object")
    return value


def _malformed(debug: str) -> Malformed:
    return Malformed("this is not a signed token", code="token-malformed", debug=debug)
