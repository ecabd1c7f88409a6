# SPDX-License-Identifier: Apache-2.0
"""DPoP (RFC 9449): a proof that the sender of a token holds the key that the token is bound to.

Pure: `now` is an argument, and the service, which remembers proofs, detects a reused proof. The checks are
those of section 4.3, in its order where the order matters.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from remit.core.errors import Malformed, ProofRefused
from remit.core.json_value import Json
from remit.core.keys.jwk import checked_public_jwk, import_public
from remit.core.keys.jws import read_compact

PROOF_TYPE: Final = "dpop+jwt"
#: Signature algorithms of proofs, by kind of key. `EdDSA` is the older name of `Ed25519` (RFC 9864).
ALGORITHMS: Final = ("ES256", "Ed25519", "EdDSA")
_ALGORITHMS_OF: Final = {"EC": ("ES256",), "OKP": ("Ed25519", "EdDSA")}
_REGISTRY: Final = jws.JWSRegistry(algorithms=list(ALGORITHMS))
#: The most bytes of a proof.
MAX_PROOF_BYTES: Final = 4096
MAX_ID: Final = 256
#: The permitted difference between a proof's time and ours, either way. The MCP profile of DPoP specifies
#: five minutes. The nonce and the memory of proofs, not this limit, prevent the reuse of a proof.
MAX_AGE_S: Final = 300

#: The code of a proof without a nonce; every first proof lacks one.
FIRST_PROOF: Final = "proof-first"

_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PORTS: Final = {"https": 443, "http": 80}


class Proof(msgspec.Struct, frozen=True):
    """A valid proof: the thumbprint of its key (RFC 7638), its id, its time and its nonce."""

    thumbprint: str
    token_id: str
    issued: int
    nonce: str


class _Claims(msgspec.Struct, frozen=True):
    jti: str
    htm: str
    htu: str
    iat: int | float
    ath: str = ""
    nonce: str = ""


def verify_proof(
    text: str, *, method: str, url: str, now: datetime, token_hash: str = "", max_age_s: int = MAX_AGE_S
) -> Proof:
    """Check a proof against the request that carried it; raise `ProofRefused` (`invalid_dpop_proof`).

    `url` is the requested address, in the resource owner's spelling; `token_hash` is the result of
    `token_hash` for the access token beside the proof, empty where there is none (at the token endpoint).
    """
    header, claims = _read(text)
    # 4 to 6: the type, an asymmetric algorithm, a public key of exactly that algorithm.
    if str(header.get("typ")).lower().removeprefix("application/") != PROOF_TYPE:
        raise _refused("has another type", "proof-type")
    key, thumbprint = _key(header)
    # 7: the signature.
    try:
        jws.deserialize_compact(text, key, registry=_REGISTRY)
    except (JoseError, ValueError) as fault:
        raise _refused("does not verify", "proof-signature", debug=repr(fault)) from None
    # 8 and 9: method and address.
    if claims.htm != method:
        raise _refused("is for another method", "proof-method")
    if claims.htu != url and normal_url(claims.htu) != normal_url(url):
        raise _refused("is for another address", "proof-address")
    # 11: the time.
    if abs(now.astimezone(UTC).timestamp() - claims.iat) > max_age_s:
        raise _refused("is too old, or from the future", "proof-time", "sign a new one; check the clocks")
    # 12: the access token that accompanied the proof.
    if claims.ath != token_hash:
        raise _refused("is for another access token", "proof-token")
    if not 0 < len(claims.jti) <= MAX_ID:
        raise _refused("has no usable `jti`", "proof-malformed")
    return Proof(thumbprint, claims.jti, int(claims.iat), claims.nonce)


def token_hash(token: str) -> str:
    """Return the `ath` of an access token: base64url of its SHA-256 (section 4.2)."""
    digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@lru_cache(maxsize=1024)
def normal_url(url: str) -> str:
    """Return an address in normal form, without query and fragment (section 4.3; RFC 3986 section 6.2).

    Lower case where case is insignificant, no default port, unreserved characters unescaped. Empty for an
    invalid address; no address equals the empty text.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not host or "@" in parts.netloc:
        return ""
    host = f"[{host}]" if ":" in host else host
    where = host if port in (None, _PORTS[scheme]) else f"{host}:{port}"
    return f"{scheme}://{where}{_ESCAPE.sub(_unescaped, parts.path) or '/'}"


def _unescaped(found: re.Match[str]) -> str:
    char = chr(int(found[1], 16))
    return char if char in _UNRESERVED else found[0].upper()


def _read(text: str) -> tuple[dict[str, Json], _Claims]:
    # 2 and 3: one well-formed JWT with all required claims.
    try:
        proof = read_compact(text, max_bytes=MAX_PROOF_BYTES, permitted=("jwk",))
        return proof.header, msgspec.convert(proof.claims, _Claims)
    except (Malformed, msgspec.ValidationError) as fault:
        raise _refused("is malformed", "proof-malformed", debug=str(fault)) from None


def _key(header: dict[str, Json]) -> tuple[ECKey | OKPKey, str]:
    jwk, algorithm = header.get("jwk"), header.get("alg")
    if not isinstance(jwk, dict) or not all(isinstance(value, str) for value in jwk.values()):
        raise _refused("has no usable key", "proof-key")
    if algorithm not in _ALGORITHMS_OF.get(jwk.get("kty", ""), ()):
        raise _refused(
            "has an unsupported signature algorithm", "proof-algorithm", f"use {' or '.join(ALGORITHMS)}"
        )
    try:
        return _imported(tuple(sorted(jwk.items())))
    except Malformed as fault:
        raise _refused("has no usable key", "proof-key", debug=str(fault)) from None


@lru_cache(maxsize=4096)
def _imported(members: tuple[tuple[str, str], ...]) -> tuple[ECKey | OKPKey, str]:
    """Return a key and its thumbprint. Cached: an import takes half the time of a check, and keys recur."""
    # INVARIANT: a key with a private part is refused (section 4.3, 7).
    key = import_public(checked_public_jwk(dict(members)))
    return key, str(key.thumbprint())


def _refused(what: str, code: str, remediation: str = "sign a new proof", debug: str = "") -> ProofRefused:
    return ProofRefused(f"the DPoP proof {what}", code=code, remediation=remediation, debug=debug)
