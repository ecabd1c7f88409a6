# SPDX-License-Identifier: Apache-2.0
"""Foreign SPIFFE documents, strictly checked against the bundles of their trust domains.

Pure: bundles are read from bytes, `now` is an argument. Sources: SPIFFE Trust Domain and Bundle, X509-SVID,
JWT-SVID (github.com/spiffe/spiffe, standards/).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import verification

from remit.core.canonical import parse_strict
from remit.core.errors import Malformed, Unauthenticated
from remit.core.identity.registered_claims import RegisteredClaims, check_registered
from remit.core.identity.workload import SpiffeId
from remit.core.json_value import Json
from remit.core.keys.jwks import MAX_KEYS, MAX_KEYSET_BYTES, VerificationKeys, read_keyset, verify_signature
from remit.core.keys.jws import read_compact

#: JWT-SVID section 2.1.1: exactly these algorithms.
JWT_SVID_ALGORITHMS: Final = frozenset(
    f"{kind}{size}" for kind in ("RS", "ES", "PS") for size in ("256", "384", "512")
)
#: The library's exceptions for invalid certificates, and for kinds that it does not support.
BROKEN: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
#: The most certificates of a chain, and the most bytes of each.
MAX_CHAIN: Final = 8
MAX_CERTIFICATE_BYTES: Final = 16_384
#: RFC 7519 has no bound; the standard recommends minutes.
MAX_JWT_SVID_LIFE_S: Final = 24 * 3600


class TrustAnchors(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a trust domain's bundle: authorities of X.509-SVIDs, and keys of JWT-SVIDs and WIT-SVIDs
    by `kid`.

    `sequence` grows with each change (section 4.1.1 of the bundle's standard), None where the source has
    none; `refresh_hint_s` is the re-read interval that the bundle's owner requests.
    """

    trust_domain: str
    authorities: tuple[x509.Certificate, ...] = ()
    jwt_keys: VerificationKeys = VerificationKeys()
    wit_keys: VerificationKeys = VerificationKeys()
    sequence: int | None = None
    refresh_hint_s: int | None = None

    @property
    def empty(self) -> bool:
        """Whether the bundle has no authority and no key: then nothing of the trust domain is valid."""
        return not self.authorities and not len(self.jwt_keys) and not len(self.wit_keys)


class X509Svid(msgspec.Struct, frozen=True, kw_only=True):
    """A valid X.509-SVID: its SPIFFE ID, the leaf, and its expiry."""

    spiffe_id: SpiffeId
    leaf: x509.Certificate
    expires: datetime


class JwtSvid(msgspec.Struct, frozen=True, kw_only=True):
    """A valid JWT-SVID: its SPIFFE ID and its claims."""

    spiffe_id: SpiffeId
    registered: RegisteredClaims
    claims: dict[str, Json]


def read_bundle(trust_domain: str, document: bytes) -> TrustAnchors:
    """Parse a bundle from a JWK Set (SPIFFE Trust Domain and Bundle, section 4); raise `Malformed`."""
    wire = parse_strict(document, max_bytes=MAX_KEYSET_BYTES, max_depth=8)
    keys = wire.get("keys") if isinstance(wire, dict) else None
    if not isinstance(wire, dict) or not isinstance(keys, list) or len(keys) > MAX_KEYS:
        raise _no_bundle(trust_domain, "it is not a JWK Set, or it has too many keys")
    # Section 4.2.2: keys of other uses are ignored.
    named = [key for key in keys if isinstance(key, dict)]
    # JWT-SVID section 4, WIT-SVID section 6.1: a key without `kid` cannot be referenced.
    listed = {"keys": [key for key in named if isinstance(key.get("kid"), str)]}
    return TrustAnchors(
        trust_domain=trust_domain,
        authorities=tuple(_authority(key, trust_domain) for key in named if key.get("use") == "x509-svid"),
        jwt_keys=read_keyset(listed, uses=("jwt-svid",)),
        wit_keys=read_keyset(listed, uses=("wit-svid",)),
        sequence=_whole(wire.get("spiffe_sequence"), trust_domain),
        refresh_hint_s=_whole(wire.get("spiffe_refresh_hint"), trust_domain),
    )


def read_pem_bundle(trust_domain: str, document: bytes) -> TrustAnchors:
    """Parse the authorities of X.509-SVIDs from PEM; raise `Malformed`. The result has no keys for
    JWT-SVIDs.
    """
    try:
        found = x509.load_pem_x509_certificates(document[:MAX_KEYSET_BYTES])
    except BROKEN as fault:
        raise _no_bundle(trust_domain, repr(fault)) from None
    if len(found) > MAX_KEYS:
        raise _no_bundle(trust_domain, "it has too many certificates")
    return TrustAnchors(trust_domain=trust_domain, authorities=tuple(found))


def leaf_id(chain_der: tuple[bytes, ...]) -> SpiffeId:
    """Return the SPIFFE ID that the leaf of a chain claims, to find its bundle; the claim is not yet
    verified.

    Raises `Unauthenticated` (`svid-malformed`).
    """
    return _leaf_id(_load(chain_der)[0])


def check_x509_svid(chain_der: tuple[bytes, ...], bundle: TrustAnchors, now: datetime) -> X509Svid:
    """Check an X.509-SVID, leaf first, against the bundle of its trust domain (X509-SVID section 5).

    Raises `Unauthenticated`: `svid-malformed`, `svid-foreign`, `svid-untrusted`.
    """
    leaf, *others = _load(chain_der)
    spiffe_id = _leaf_id(leaf)
    if spiffe_id.trust_domain != bundle.trust_domain:
        raise _refused("is of another trust domain", "svid-foreign")
    # 5.2: the requirements and prohibitions for a leaf.
    _check_leaf(leaf)
    # 5.1: the path to an authority of the trust domain (RFC 5280 section 6).
    if not bundle.authorities:
        raise _refused("cannot be checked: its trust domain has no authorities", "svid-untrusted")
    _check_path(leaf, others, bundle, now)
    return X509Svid(spiffe_id=spiffe_id, leaf=leaf, expires=leaf.not_valid_after_utc)


def jwt_svid_id(token: str) -> SpiffeId:
    """Return the SPIFFE ID that a JWT-SVID claims, to find its bundle; the claim is not yet verified.

    Raises `Unauthenticated` (`svid-malformed`).
    """
    return _read_jwt(token)[0]


def check_jwt_svid(
    token: str, bundle: TrustAnchors, *, audience: str, now: datetime, leeway_s: int = 30
) -> JwtSvid:
    """Check a JWT-SVID against the bundle of its trust domain (JWT-SVID sections 2 to 5).

    Raises `Unauthenticated`: `svid-malformed`, `svid-foreign`, `svid-untrusted` and those of
    `check_registered`.
    """
    spiffe_id, header, claims = _read_jwt(token)
    if spiffe_id.trust_domain != bundle.trust_domain:
        raise _refused("is of another trust domain", "svid-foreign")
    held = check_registered(
        claims, audience=audience, now=now, leeway_s=leeway_s, max_life_s=MAX_JWT_SVID_LIFE_S
    )
    # 5: the key is the one that `kid` names, in the bundle of the trust domain of `sub`.
    keys = bundle.jwt_keys.candidates(header) if isinstance(header.get("kid"), str) else ()
    if not keys:
        raise _refused("is signed with a key that its trust domain does not publish", "svid-untrusted")
    try:
        verify_signature(token, header, keys)
    except Unauthenticated:
        raise _refused("has an invalid signature", "svid-untrusted") from None
    return JwtSvid(spiffe_id=spiffe_id, registered=held, claims=claims)


def _read_jwt(token: str) -> tuple[SpiffeId, dict[str, Json], dict[str, Json]]:
    try:
        compact = read_compact(token)
        subject = compact.claims.get("sub")
        spiffe_id = SpiffeId.parse(subject if isinstance(subject, str) else "")
    except Malformed as fault:
        raise _refused("cannot be read", "svid-malformed", fault.debug or fault.message) from None
    # 2.1: `alg` is on the list; `typ`, if present, is JWT or JOSE.
    algorithm = compact.header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in JWT_SVID_ALGORITHMS:
        raise _refused("has an unsupported signature algorithm", "svid-malformed")
    if compact.header.get("typ", "JWT") not in ("JWT", "JOSE"):
        raise _refused("has another type", "svid-malformed")
    if not spiffe_id.path:
        raise _refused("names a trust domain, not a workload", "svid-malformed")
    return spiffe_id, compact.header, compact.claims


def _load(chain_der: tuple[bytes, ...]) -> list[x509.Certificate]:
    if not 0 < len(chain_der) <= MAX_CHAIN or any(len(one) > MAX_CERTIFICATE_BYTES for one in chain_der):
        raise _refused("has no certificate, too many or too large ones", "svid-malformed")
    try:
        chain = [x509.load_der_x509_certificate(one) for one in chain_der]
    except BROKEN as fault:
        raise _refused("cannot be read", "svid-malformed", repr(fault)) from None
    # RFC 5280 section 4.1.2.2: a positive number; the library still accepts others.
    if any(one.serial_number <= 0 for one in chain):
        raise _refused("has no serial number", "svid-malformed")
    return chain


def _leaf_id(leaf: x509.Certificate) -> SpiffeId:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except (x509.ExtensionNotFound, *BROKEN) as fault:
        raise _refused("has no subject", "svid-malformed", repr(fault)) from None
    # 2: exactly one URI; names of other kinds may be present and are ignored.
    if len(uris) != 1:
        raise _refused("must have exactly one URI", "svid-malformed")
    try:
        spiffe_id = SpiffeId.parse(uris[0])
    except Malformed as fault:
        raise _refused("has a URI that is not a SPIFFE ID", "svid-malformed", fault.message) from None
    if not spiffe_id.path:
        raise _refused("names a trust domain, not a workload", "svid-malformed")
    return spiffe_id


def _check_leaf(leaf: x509.Certificate) -> None:
    try:
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, *BROKEN) as fault:
        raise _refused("has no key usage", "svid-malformed", repr(fault)) from None
    # 4.3: a leaf signs, but signs neither certificates nor revocation lists.
    if not usage.digital_signature or usage.key_cert_sign or usage.crl_sign:
        raise _refused("has a key usage that is not permitted for a leaf", "svid-malformed")
    try:
        constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return
    except BROKEN as fault:
        raise _refused("cannot be read", "svid-malformed", repr(fault)) from None
    # 4.1: a leaf is not an authority.
    if constraints.ca:
        raise _refused("is an authority, not a leaf", "svid-malformed")


def _check_path(
    leaf: x509.Certificate, others: list[x509.Certificate], bundle: TrustAnchors, now: datetime
) -> None:
    policy = verification.ExtensionPolicy
    agnostic = verification.Criticality.AGNOSTIC
    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store(list(bundle.authorities)))
        .time(now.astimezone(UTC))
        .max_chain_depth(MAX_CHAIN)
        .extension_policies(
            # Authorities follow the web's rules; leaves follow `_check_leaf`, because the web's rules require
            # more.
            ca_policy=policy.webpki_defaults_ca(),
            ee_policy=policy.permit_all().require_present(x509.SubjectAlternativeName, agnostic, None),
        )
        .build_client_verifier()
    )
    try:
        verifier.verify(leaf, others)
    except (verification.VerificationError, *BROKEN) as fault:
        raise _refused(
            "does not lead to a valid authority of its trust domain", "svid-untrusted", str(fault)
        ) from None


def _authority(key: Mapping[str, Json], trust_domain: str) -> x509.Certificate:
    # 4.2.2: `x5c` holds exactly one certificate, in base64 (not base64url): the authority's own.
    chain = key.get("x5c")
    if not isinstance(chain, list) or len(chain) != 1 or not isinstance(chain[0], str):
        raise _no_bundle(trust_domain, "an authority must have exactly one certificate")
    try:
        return x509.load_der_x509_certificate(base64.b64decode(chain[0], validate=True))
    except (binascii.Error, *BROKEN) as fault:
        raise _no_bundle(trust_domain, repr(fault)) from None


def _whole(value: Json, trust_domain: str) -> int | None:
    if value is None:
        return None
    if type(value) is not int or value < 0:
        raise _no_bundle(trust_domain, "its sequence or its hint is not a whole number")
    return value


def _no_bundle(trust_domain: str, debug: str) -> Malformed:
    return Malformed(
        f"this is not a bundle of trust domain `{trust_domain}`",
        code="trust-bundle",
        remediation="give a SPIFFE bundle (JWK Set) or PEM certificates",
        debug=debug,
    )


def _refused(what: str, code: str, debug: str = "") -> Unauthenticated:
    return Unauthenticated(
        f"the SVID {what}",
        code=code,
        remediation="get a new one from the Workload API",
        debug=debug,
        step=1,
    )
