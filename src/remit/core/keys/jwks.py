# SPDX-License-Identifier: Apache-2.0
"""Foreign key sets (RFC 7517 section 5): parsed within bounds, each key used only for its own algorithms.

A key set may be large or malformed. Symmetric, private, weak and oversized keys are skipped, as section 5
requires for keys that are not understood. A set of too many keys is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from remit.core.canonical import parse_strict
from remit.core.errors import Malformed, Unauthenticated
from remit.core.json_value import Json
from remit.core.keys.jwk import check_point
from remit.core.keys.jws import base64url

PublicKey = ECKey | OKPKey | RSAKey

#: The most bytes of a key set, and the most keys in it.
MAX_KEYSET_BYTES: Final = 262_144
MAX_KEYS: Final = 100
#: The most keys tried for one `kid`: RFC 7517 section 4.5 lets keys of different kinds share one.
MAX_OF_ONE_ID: Final = 4
MAX_ID: Final = 512
#: RFC 7518 section 3.3: 2048 bits or more. The time of a check grows with the square of the size.
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
#: An exponent of up to 32 bits; 65537 is the usual one. A larger exponent only makes checks slow.
MAX_RSA_EXPONENT_BYTES: Final = 4

_RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES: Final[Mapping[str, tuple[str, ...]]] = {
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    # RFC 9864: `Ed25519` is the fully specified name of `EdDSA` with this curve.
    "Ed25519": ("EdDSA", "Ed25519"),
}
#: Every algorithm that a foreign key set may be used for; no symmetric one, and not `none`.
ASYMMETRIC: Final = frozenset((*_RSA, *(name for names in _CURVES.values() for name in names)))
#: The algorithms accepted from an issuer unless its configuration or its metadata restricts them.
USUAL: Final = frozenset({"RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"})


class _Registry(jws.JWSRegistry):
    """The algorithms above, without a warning for `EdDSA`: older issuers use that name, which is harmless."""

    def get_alg(self, name: str) -> Any:
        if name not in ASYMMETRIC:
            raise UnsupportedAlgorithmError(f"`{name}` is not accepted")
        return self.algorithms[name]


# Unknown header parameters are ignored (RFC 7515 section 4); parsing the header has refused `crit`.
_REGISTRY: Final = _Registry(strict_check_header=False)


class VerificationKey(msgspec.Struct, frozen=True):
    """One public key of a set, and the algorithms that it may verify."""

    kid: str
    key: PublicKey
    algorithms: tuple[str, ...]


class VerificationKeys(msgspec.Struct, frozen=True):
    """The usable public keys of a set, by `kid`."""

    keys: dict[str, tuple[VerificationKey, ...]] = {}

    def __contains__(self, kid: str) -> bool:
        """Return whether a key of this id is known."""
        return kid in self.keys

    def __len__(self) -> int:
        """Return the number of keys."""
        return sum(map(len, self.keys.values()))

    def candidates(self, header: Mapping[str, Json]) -> tuple[VerificationKey, ...]:
        """Return the keys that a token's header references; none where it references none.

        A header without `kid` references the only key of its algorithm, if there is exactly one.
        """
        algorithm, kid = header.get("alg"), header.get("kid")
        if kid is None:
            fitting = tuple(
                one for of_id in self.keys.values() for one in of_id if algorithm in one.algorithms
            )
            return fitting if len(fitting) == 1 else ()
        if not isinstance(kid, str):
            return ()
        return tuple(one for one in self.keys.get(kid, ()) if algorithm in one.algorithms)


def read_keyset(
    document: bytes | Mapping[str, Json], *, uses: Collection[str | None] = (None, "sig")
) -> VerificationKeys:
    """Parse a key set; raise `Malformed`. `uses` are the accepted values of `use` (None: absent)."""
    value: Json = document
    if isinstance(document, bytes):
        value = parse_strict(document, max_bytes=MAX_KEYSET_BYTES, max_depth=8)
    listed = value.get("keys") if isinstance(value, Mapping) else None
    if not isinstance(listed, list):
        raise Malformed("this is not a JWK Set", code="keyset", remediation="serve a JWK Set (RFC 7517)")
    if len(listed) > MAX_KEYS:
        raise Malformed(
            f"the key set has {len(listed)} keys", code="keyset", remediation=f"publish at most {MAX_KEYS}"
        )
    found: dict[str, tuple[VerificationKey, ...]] = {}
    for jwk in listed:
        if isinstance(jwk, dict) and jwk.get("use") in uses and (one := _readable(jwk)):
            others = found.get(one.kid, ())
            if len(others) < MAX_OF_ONE_ID:
                found[one.kid] = (*others, one)
    return VerificationKeys(found)


def verify_signature(token: str, header: Mapping[str, Json], keys: Collection[VerificationKey]) -> None:
    """Verify a compact JWS, whose header `core.keys.jws` has parsed, with the keys from `candidates`.

    Raises `Unauthenticated` (`token-signature`) unless one of them made the signature.
    """
    # INVARIANT: the algorithm is one of the key's own, so no header can make a public key a shared secret.
    for one in keys:
        if header.get("alg") in one.algorithms:
            try:
                jws.deserialize_compact(token, one.key, registry=_REGISTRY)
            except (JoseError, ValueError, TypeError):
                continue
            return
    raise Unauthenticated("the token's signature is invalid", code="token-signature", step=1)


def _readable(jwk: Mapping[str, Json]) -> VerificationKey | None:
    kid, kind, wanted = jwk.get("kid", ""), jwk.get("kty"), jwk.get("alg")
    if not isinstance(kid, str) or len(kid) > MAX_ID or "d" in jwk or "k" in jwk:
        return None
    operations = jwk.get("key_ops")
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        return None
    algorithms: tuple[str, ...]
    try:
        if kind == "RSA":
            members, algorithms = _rsa(jwk), _RSA
        elif kind in ("EC", "OKP"):
            members = {name: jwk[name] for name in ("kty", "crv", "x", "y") if name in jwk}
            algorithms = _CURVES[jwk["crv"]] if (jwk["crv"] == "Ed25519") is (kind == "OKP") else ()
        else:
            return None
        # RFC 7517 section 4.4: a key that names its algorithm is used with that one only.
        if wanted is not None:
            same = _CURVES["Ed25519"] if wanted in _CURVES["Ed25519"] else (wanted,)
            algorithms = tuple(name for name in algorithms if name in same)
        if not algorithms or not all(isinstance(value, str) for value in members.values()):
            return None
        if kind != "RSA":
            check_point(members)
        return VerificationKey(kid, _imported(kind, members), algorithms)
    except (JoseError, ValueError, TypeError, KeyError, Malformed):
        return None


def _rsa(jwk: Mapping[str, Json]) -> dict[str, str]:
    modulus, exponent = jwk["n"], jwk["e"]
    # Checked before any computation: four characters of base64url are three bytes.
    if len(modulus) > MAX_RSA_BITS // 6 + 4 or len(exponent) > MAX_RSA_EXPONENT_BYTES * 2:
        raise ValueError("the key is too large")
    bits = int.from_bytes(base64url(modulus)).bit_length()
    power = int.from_bytes(base64url(exponent))
    if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS or power < 3 or power % 2 == 0 or power >> 32:
        raise ValueError("the key is too small, too large or odd")
    return {"kty": "RSA", "n": modulus, "e": exponent}


def _imported(kind: str, members: Mapping[str, str]) -> PublicKey:
    types: dict[str, type[ECKey | OKPKey | RSAKey]] = {"EC": ECKey, "OKP": OKPKey, "RSA": RSAKey}
    key = types[kind].import_key(dict(members))
    _ = key.public_key  # raises where the members are not a valid key: a point off the curve
    return key
