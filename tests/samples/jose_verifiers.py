# SPDX-License-Identifier: Apache-2.0
"""The places that take a signed token, each with a valid token for it; for tests that attack all of them."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc.jwk import ECKey

from remit.adapters.keys.jwt import verified
from remit.core.errors import RemitError
from remit.core.identity.spiffe import TrustAnchors, check_jwt_svid
from remit.core.keys.jwks import read_keyset, verify_signature
from remit.core.keys.jws import read_compact
from remit.core.oauth.client_assertion import verify_assertion
from remit.core.oauth.dpop import token_hash, verify_proof

Json = Any

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
ISSUER = "https://remit.example"
URL = f"{ISSUER}/mcp"
#: The order of P-256 (SEC 2 version 2, section 2.4.2).
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

KEY = ec.derive_private_key(0x5EED, ec.SECP256R1())
OTHER = ec.derive_private_key(0xBAD, ec.SECP256R1())


def b64(data: bytes) -> str:
    """Write base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk_of(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """Return a public JWK."""
    numbers = key.public_key().public_numbers()
    size = (key.key_size + 7) // 8
    return {
        "kty": "EC",
        "crv": {256: "P-256", 384: "P-384", 521: "P-521"}[key.key_size],
        "x": b64(numbers.x.to_bytes(size)),
        "y": b64(numbers.y.to_bytes(size)),
    }


PUBLIC = jwk_of(KEY)
KID = "key-1"


def signature(data: bytes, key: ec.EllipticCurvePrivateKey = KEY) -> bytes:
    """Sign as ES256 does (RFC 7518 section 3.4)."""
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def signed(header: str, payload: str, key: ec.EllipticCurvePrivateKey = KEY) -> str:
    """Sign two parts as they stand."""
    return f"{header}.{payload}.{b64(signature(f'{header}.{payload}'.encode(), key))}"


@dataclass(frozen=True)
class Verifier:
    """A place that takes a token: what a good one holds, and what judges it."""

    name: str
    header: Json
    claims: Json
    take: Callable[[str], object]
    #: What of the header this place needs, though others refuse it.
    needs: tuple[str, ...] = ()
    more: Mapping[str, Json] = field(default_factory=dict)

    def token(self, header: Json = None, claims: Json = None, key: ec.EllipticCurvePrivateKey = KEY) -> str:
        """Return a token with changes; a value of `...` removes a member."""
        return signed(
            b64(json.dumps(_changed(self.header, header)).encode()),
            b64(json.dumps(_changed(self.claims, claims)).encode()),
            key,
        )

    def refuses(self, token: str) -> None:
        """Make sure that a token is refused by a fault of the gateway, not by a defect."""
        with pytest.raises(RemitError):
            self.take(token)


def _changed(value: Json, changes: Json) -> Json:
    return {name: one for name, one in {**value, **(changes or {})}.items() if one is not ...}


_KEYS = read_keyset({"keys": [{**PUBLIC, "kid": KID}]})
_ANCHORS = TrustAnchors(trust_domain="example.org", jwt_keys=read_keyset({"keys": [{**PUBLIC, "kid": KID}]}))


def _of_others(token: str) -> object:
    read = read_compact(token)
    verify_signature(token, read.header, _KEYS.candidates(read.header))
    return read


VERIFIERS = [
    Verifier(
        "access token of ours",
        {"typ": "at+jwt", "alg": "ES256", "kid": KID},
        {"iss": ISSUER, "sub": "lena", "aud": URL, "exp": AT + 300},
        lambda token: verified(token, {KID: ECKey.import_key(dict(PUBLIC))}),
    ),
    Verifier(
        "client assertion",
        {"alg": "ES256"},
        {"iss": "bot", "sub": "bot", "aud": ISSUER, "jti": "j1", "exp": AT + 60},
        lambda token: verify_assertion(token, PUBLIC, subject="bot", issuer=ISSUER, now=NOW),
    ),
    Verifier(
        "proof of possession",
        {"typ": "dpop+jwt", "alg": "ES256", "jwk": PUBLIC},
        {"jti": "p1", "htm": "POST", "htu": URL, "iat": AT, "ath": token_hash("at")},
        lambda token: verify_proof(token, method="POST", url=URL, now=NOW, token_hash=token_hash("at")),
        needs=("jwk",),
    ),
    Verifier(
        "token of another issuer",
        {"typ": "JWT", "alg": "ES256", "kid": KID},
        {"iss": "https://issuer.example", "sub": "x", "aud": ISSUER, "exp": AT + 60},
        _of_others,
    ),
    Verifier(
        "jwt-svid",
        {"alg": "ES256", "kid": KID},
        {"sub": "spiffe://example.org/bot", "aud": [ISSUER], "exp": AT + 60},
        lambda token: check_jwt_svid(token, _ANCHORS, audience=ISSUER, now=NOW),
    ),
]
every_verifier = pytest.mark.parametrize("verifier", VERIFIERS, ids=[verifier.name for verifier in VERIFIERS])
