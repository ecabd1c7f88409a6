# SPDX-License-Identifier: Apache-2.0
"""Keys that are none, at every place that takes one: of an agent, in a proof, in a key set of others."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from remit.core.errors import Malformed, ProofRefused
from remit.core.keys.jwk import checked_public_jwk
from remit.core.keys.jwks import read_keyset
from remit.core.oauth.dpop import verify_proof

Json = Any

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
#: The prime of P-256 (SEC 2 version 2, section 2.4.2), and that of Curve25519.
PRIME = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
PRIME_25519 = 2**255 - 19


def b64(data: bytes) -> str:
    """Write base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def of_agent(jwk: Json) -> None:
    """Take a key as that of an agent."""
    with pytest.raises(Malformed):
        checked_public_jwk(jwk)


def in_proof(jwk: Json) -> None:
    """Take a key as that of a proof of possession."""
    for algorithm in ("ES256", "Ed25519", "EdDSA"):
        header = {"typ": "dpop+jwt", "alg": algorithm, "jwk": jwk}
        claims = {"jti": "1", "htm": "POST", "htu": "https://a.example/", "iat": int(NOW.timestamp())}
        proof = ".".join(b64(json.dumps(part).encode()) for part in (header, claims)) + "." + b64(bytes(64))
        with pytest.raises(ProofRefused) as refused:
            verify_proof(proof, method="POST", url="https://a.example/", now=NOW)
        assert refused.value.code != "proof-signature", "the key was used"


def in_keyset(jwk: Json) -> None:
    """Take a key in a key set of others: what is not understood is left out."""
    assert len(read_keyset({"keys": [{**jwk, "kid": "1"}]})) == 0


every_place = pytest.mark.parametrize("refuses", [of_agent, in_proof, in_keyset])
Refuses = Callable[[Json], None]

_NUMBERS = ec.derive_private_key(0x5EED, ec.SECP256R1()).public_key().public_numbers()
X, Y = _NUMBERS.x, _NUMBERS.y


def point(x: bytes | int, y: bytes | int, **more: Json) -> Json:
    """Return a key of P-256 from two coordinates."""
    x, y = (one if isinstance(one, bytes) else one.to_bytes(32) for one in (x, y))
    return {"kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y), **more}


def _of_curve(curve: ec.EllipticCurve) -> Json:
    numbers = ec.derive_private_key(0x5EED, curve).public_key().public_numbers()
    size = (curve.key_size + 7) // 8
    return point(numbers.x.to_bytes(size), numbers.y.to_bytes(size))


BAD_POINTS = {
    "off the curve": point(X, Y ^ 1),
    "swapped": point(Y, X),
    "zero": point(0, 0),
    "x of zero": point(0, Y),
    "y of zero": point(X, 0),
    "x beyond the prime": point((X + PRIME) % 2**256 if X + PRIME < 2**256 else PRIME, Y),
    "the prime itself": point(PRIME, PRIME),
    "all ones": point(b"\xff" * 32, b"\xff" * 32),
    "a point of secp256k1": _of_curve(ec.SECP256K1()),
    "a point of brainpool": _of_curve(ec.BrainpoolP256R1()),
    "a point of P-384": _of_curve(ec.SECP384R1()),
    "a point of P-224": _of_curve(ec.SECP224R1()),
    "empty": point(b"", b""),
    "no y": {"kty": "EC", "crv": "P-256", "x": b64(X.to_bytes(32))},
    "no x": {"kty": "EC", "crv": "P-256", "y": b64(Y.to_bytes(32))},
    "no curve": {"kty": "EC", "x": b64(X.to_bytes(32)), "y": b64(Y.to_bytes(32))},
    "private": point(X, Y, d=b64(bytes([1] * 32))),
    "another curve's name": point(X, Y) | {"crv": "P-384"},
    "curve in small letters": point(X, Y) | {"crv": "p-256"},
    "another kind": point(X, Y) | {"kty": "OKP"},
    "kind in small letters": point(X, Y) | {"kty": "ec"},
    "no kind": {"crv": "P-256", "x": b64(X.to_bytes(32)), "y": b64(Y.to_bytes(32))},
    "padded text": point(X, Y) | {"x": b64(X.to_bytes(32)) + "="},
    "text of another alphabet": point(X, Y) | {"x": "+/" + b64(X.to_bytes(32))[2:]},
    "text with a blank": point(X, Y) | {"x": b64(X.to_bytes(32)) + " "},
    "text with a line break": point(X, Y) | {"y": b64(Y.to_bytes(32)) + "\n"},
    "huge": point(b"\1" * 100_000, b"\1" * 100_000),
    "hex": point(X, Y) | {"x": f"{X:064x}"},
}
# RFC 7518 section 6.2.1.2: the full size, no more and no less; and bits beyond the last byte are zero.
ODD_SPELLINGS = {
    "one byte more": point(b"\0" + X.to_bytes(32), Y),
    "one byte more in y": point(X, b"\0" + Y.to_bytes(32)),
    "other bits at the end": point(X, Y)
    | {"x": b64(X.to_bytes(32))[:-1] + chr(ord(b64(X.to_bytes(32))[-1]) + 1)},
}
BAD_ED25519 = {
    "nothing": b"",
    "short": bytes([9] * 31),
    "long": bytes([9] * 33),
    "zero": bytes(32),
    "neutral": (1).to_bytes(32, "little"),
    "of order two": (PRIME_25519 - 1).to_bytes(32, "little"),
    "zero, not reduced": PRIME_25519.to_bytes(32, "little"),
    "neutral, not reduced": (PRIME_25519 + 1).to_bytes(32, "little"),
    "of order eight": bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    "of order eight, the other": bytes.fromhex(
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"
    ),
    "neutral with its sign": bytes([1] + [0] * 30 + [0x80]),
    "zero with its sign": bytes(31) + b"\x80",
}


@every_place
@pytest.mark.parametrize("name", list(BAD_POINTS))
def test_a_point_that_is_none_is_no_key(refuses: Refuses, name: str) -> None:
    """Off the curve, of another curve, beyond the field, in another form, or private."""
    refuses(BAD_POINTS[name])


@every_place
@pytest.mark.parametrize("name", list(ODD_SPELLINGS))
def test_a_coordinate_has_one_spelling(refuses: Refuses, name: str) -> None:
    """A key that could be written in two ways would have two thumbprints."""
    refuses(ODD_SPELLINGS[name])


@every_place
@pytest.mark.parametrize("name", list(BAD_ED25519))
def test_a_point_of_small_order_is_no_key(refuses: Refuses, name: str) -> None:
    """Under such a key one signature holds for many messages (RFC 8032 section 5.1.7 leaves it to us)."""
    refuses({"kty": "OKP", "crv": "Ed25519", "x": b64(BAD_ED25519[name])})


@every_place
@pytest.mark.parametrize("kind", ["oct", "RSA", "AKP", "X25519", "", "EC ", "none"])
def test_keys_of_other_kinds_are_none(refuses: Refuses, kind: str) -> None:
    """A secret, too small an RSA key, a key for encryption, and an unknown kind are no keys."""
    refuses({"kty": kind, "crv": "X25519", "k": "c2VjcmV0", "n": b64(b"\xff" * 64), "e": "AQAB", "x": "AA"})


@every_place
@given(
    jwk=st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "d", "n", "e", "k", "alg", "use"]),
        st.one_of(st.sampled_from(["EC", "OKP", "P-256", "Ed25519", "AQAB", "AA"]), st.text(max_size=50)),
    )
)
def test_whatever_comes_for_a_key_is_refused_in_order(refuses: Refuses, jwk: Json) -> None:
    """Any members with any texts end in a refusal of the gateway's own kind."""
    refuses(jwk)
