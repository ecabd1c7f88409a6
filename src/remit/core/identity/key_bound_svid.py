# SPDX-License-Identifier: Apache-2.0
"""WIT-SVIDs, and the proof that comes with each: checked against the bundle of their trust domain.

A WIT-SVID names a workload and holds its public key (`cnf`). It is no bearer token: the workload signs a
workload proof token (WPT) for each request. Sources: SPIFFE WIT-SVID (github.com/spiffe/spiffe, standards/),
draft-ietf-wimse-workload-creds, draft-ietf-wimse-wpt. All three are drafts.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from remit.core.errors import Malformed, Unauthenticated
from remit.core.identity.registered_claims import RegisteredClaims, check_registered
from remit.core.identity.spiffe import JWT_SVID_ALGORITHMS, MAX_JWT_SVID_LIFE_S, TrustAnchors
from remit.core.identity.workload import SpiffeId, WorkloadProof
from remit.core.json_value import Json
from remit.core.keys.jwks import VerificationKey, read_keyset, verify_signature
from remit.core.keys.jws import Compact, read_compact

SVID_TYPE: Final = "wit+jwt"
PROOF_TYPE: Final = "wpt+jwt"
#: draft-ietf-wimse-wpt section 2: "on the order of minutes or seconds".
MAX_PROOF_LIFE_S: Final = 300
#: Claims of a proof about tokens that are not accepted beside it; section 2: not understood is refused.
_OTHER_TOKENS: Final = ("ath", "tth", "oth")


class WitSvid(msgspec.Struct, frozen=True, kw_only=True):
    """A valid WIT-SVID: its SPIFFE ID, the workload's key, and the only algorithm of its proofs."""

    spiffe_id: SpiffeId
    key: VerificationKey
    algorithm: str
    registered: RegisteredClaims
    claims: dict[str, Json]


class _ProofClaims(msgspec.Struct, frozen=True):
    aud: str
    exp: int
    jti: str
    wth: str
    iat: int = 0


def wit_svid_id(token: str) -> SpiffeId:
    """Return the SPIFFE ID that a WIT-SVID claims, to find its bundle; the claim is not yet verified.

    Raises `Unauthenticated` (`svid-malformed`).
    """
    return _read(token)[0]


def check_wit_svid(token: str, bundle: TrustAnchors, *, now: datetime, leeway_s: int = 30) -> WitSvid:
    """Check a WIT-SVID against the bundle of its trust domain (WIT-SVID sections 2, 3 and 6).

    Raises `Unauthenticated`: `svid-malformed`, `svid-foreign`, `svid-untrusted` and those of
    `check_registered`. Without `check_proof` it proves nothing.
    """
    spiffe_id, read = _read(token)
    if spiffe_id.trust_domain != bundle.trust_domain:
        raise _refused("is of another trust domain", "svid-foreign")
    # 3.6: `iat` does not limit the earliest validity.
    timed = {name: value for name, value in read.claims.items() if name != "iat"}
    held = check_registered(timed, audience=None, now=now, leeway_s=leeway_s, max_life_s=MAX_JWT_SVID_LIFE_S)
    # 2.1: `kid` must be present; 6.2: only keys with the use `wit-svid`.
    keys = bundle.wit_keys.candidates(read.header) if isinstance(read.header.get("kid"), str) else ()
    if not keys:
        raise _refused("is signed with a key that its trust domain does not publish for it", "svid-untrusted")
    try:
        verify_signature(token, read.header, keys)
    except Unauthenticated:
        raise _refused("has an invalid signature", "svid-untrusted") from None
    key, algorithm = _confirmed(read.claims)
    return WitSvid(
        spiffe_id=spiffe_id, key=key, algorithm=algorithm, registered=held, claims=dict(read.claims)
    )


def check_proof(
    proof: str, token: str, svid: WitSvid, *, url: str, now: datetime, leeway_s: int = 30
) -> WorkloadProof:
    """Check that the holder of a WIT-SVID's key signed a request to `url` (draft-ietf-wimse-wpt section 2).

    `token` is the WIT-SVID as it was shown. Raises `Unauthenticated` (`svid-proof`). The caller refuses a
    second use.
    """
    try:
        read = read_compact(proof)
        claims = msgspec.convert(read.claims, _ProofClaims)
    except (Malformed, msgspec.ValidationError) as fault:
        raise _unproven("cannot be read", str(fault)) from None
    if _media(read.header.get("typ")) != PROOF_TYPE:
        raise _unproven(f"is not of the type `{PROOF_TYPE}`")
    # INVARIANT: the algorithm is the one that the trust domain signed, never one that the sender chose.
    if read.header.get("alg") != svid.algorithm:
        raise _unproven(f"is not signed with `{svid.algorithm}`, as `cnf` requires")
    try:
        verify_signature(proof, read.header, (svid.key,))
    except Unauthenticated:
        raise _unproven("is not signed with the key in `cnf`") from None
    if claims.wth != _hash(token):
        raise _unproven("is for another WIT-SVID (`wth`)")
    if claims.aud != url:
        raise _unproven(f"is for another address, not for `{url}`")
    if any(name in read.claims for name in _OTHER_TOKENS):
        raise _unproven("is about further tokens, which are not accepted here")
    moment = now.astimezone(UTC).timestamp()
    if not moment < claims.exp + leeway_s or claims.iat > moment + leeway_s:
        raise _unproven("is not valid now")
    if claims.exp - moment > MAX_PROOF_LIFE_S + leeway_s:
        raise _unproven(f"is valid for more than {MAX_PROOF_LIFE_S} seconds")
    if not claims.jti:
        raise _unproven("has no `jti`")
    return WorkloadProof(claims.jti, datetime.fromtimestamp(claims.exp + leeway_s, UTC))


def _read(token: str) -> tuple[SpiffeId, Compact]:
    try:
        read = read_compact(token)
        subject = read.claims.get("sub")
        spiffe_id = SpiffeId.parse(subject if isinstance(subject, str) else "")
    except Malformed as fault:
        raise _refused("cannot be read", "svid-malformed", fault.debug or fault.message) from None
    if _media(read.header.get("typ")) != SVID_TYPE:
        raise _refused(f"is not of the type `{SVID_TYPE}`", "svid-malformed")
    # 2.3: the same algorithms as for JWT-SVIDs.
    if read.header.get("alg") not in JWT_SVID_ALGORITHMS:
        raise _refused("has an unsupported signature algorithm", "svid-malformed")
    if not spiffe_id.path:
        raise _refused("names a trust domain, not a workload", "svid-malformed")
    return spiffe_id, read


def _confirmed(claims: Mapping[str, Json]) -> tuple[VerificationKey, str]:
    """Return the workload's key and its algorithm (draft-ietf-wimse-workload-creds section 3.1)."""
    confirmation = claims.get("cnf")
    jwk = confirmation.get("jwk") if isinstance(confirmation, dict) else None
    algorithm = jwk.get("alg") if isinstance(jwk, dict) else None
    # WIT-SVID 3.2: the same algorithms as for its own signature.
    if not isinstance(jwk, dict) or algorithm not in JWT_SVID_ALGORITHMS:
        raise _refused("has no key with a supported algorithm in `cnf`", "svid-malformed")
    try:
        found = read_keyset({"keys": [jwk]}).candidates({"alg": algorithm})
    except Malformed:
        found = ()
    if len(found) != 1:
        raise _refused("has a key in `cnf` that cannot prove anything here", "svid-malformed")
    return found[0], str(algorithm)


def _media(value: Json) -> str:
    return value.lower().removeprefix("application/") if isinstance(value, str) else ""


def _hash(token: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()


def _refused(what: str, code: str, debug: str = "") -> Unauthenticated:
    return Unauthenticated(
        f"the WIT-SVID {what}",
        code=code,
        remediation="get a new one from the Workload API",
        debug=debug,
        step=1,
    )


def _unproven(what: str, debug: str = "") -> Unauthenticated:
    return Unauthenticated(
        f"the workload proof {what}",
        code="svid-proof",
        remediation="sign a new proof for this request with the WIT-SVID's key",
        debug=debug,
        step=1,
    )
