# SPDX-License-Identifier: Apache-2.0
"""Certificates, JWT-SVID claims and the trust bundle of remit's own trust domain, as values.

Sources: the SPIFFE standards X.509-SVID, JWT-SVID, and "SPIFFE Trust Domain and Bundle". The authority's
private key never enters this module: it builds a certificate without its signature and completes it with the
signature, so the key may be stored anywhere.
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from remit.core.errors import Malformed, VerificationFailed
from remit.core.json_value import Json

SERIAL_BYTES: Final = 16
#: Workloads' clocks may lag ours by this much.
BACKDATED: Final = timedelta(seconds=30)
JWT_SVID_TYPE: Final = "JWT"
MAX_AUDIENCES: Final = 16

_HASH = hashes.SHA256()


class UnsignedSvid:
    """A certificate without its signature (ECDSA with SHA-256)."""

    def __init__(self, builder: x509.CertificateBuilder, issuer: ec.EllipticCurvePublicKey) -> None:
        """Take the certificate's content, and the key that verifies its signature."""
        self._builder = builder
        self._issuer = issuer
        noted: list[bytes] = []

        def note(data: bytes) -> bytes:
            noted.append(data)
            return b""

        builder.sign(_Elsewhere(issuer, note), _HASH)
        self.tbs = noted[0]

    def signed(self, signature: bytes) -> bytes:
        """Return the certificate in DER; raise `VerificationFailed` if the signature does not match it."""
        certificate = self._builder.sign(_Elsewhere(self._issuer, lambda _: signature), _HASH)
        try:
            self._issuer.verify(signature, certificate.tbs_certificate_bytes, ec.ECDSA(_HASH))
        except InvalidSignature as fault:
            raise VerificationFailed(
                "the signature of a certificate does not verify with the authority's key",
                code="certificate-signature",
                remediation="check that the authority's key and certificate belong together",
            ) from fault
        return certificate.public_bytes(Encoding.DER)


class _Elsewhere(ec.EllipticCurvePrivateKey):
    """A proxy for a private key that is stored elsewhere: exposes the bytes to sign, and accepts a finished
    signature.
    """

    def __init__(self, public: ec.EllipticCurvePublicKey, sign: Any) -> None:
        self._public = public
        self._sign = sign

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        return bytes(self._sign(bytes(data)))

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public.curve

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        raise NotImplementedError

    def private_numbers(self) -> ec.EllipticCurvePrivateNumbers:
        raise NotImplementedError

    def private_bytes(self, *args: Any, **kwargs: Any) -> bytes:
        raise NotImplementedError

    def __copy__(self) -> _Elsewhere:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> _Elsewhere:
        return self


def key_id(public: ec.EllipticCurvePublicKey) -> str:
    """Return the subject key identifier in hex (RFC 5280 section 4.2.1.2, method 1)."""
    return x509.SubjectKeyIdentifier.from_public_key(public).digest.hex()


def authority_certificate(
    trust_domain: str, public: ec.EllipticCurvePublicKey, *, serial: bytes, made: datetime, life: timedelta
) -> UnsignedSvid:
    """Return the self-signed certificate of an authority of `trust_domain`.

    X.509-SVID section 4: the signing certificate is a CA, may sign certificates, and has the trust domain as
    its only URI.
    """
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "remit"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"authority {key_id(public)[:16]}"),
        ]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(_serial(serial))
        .not_valid_before(made - BACKDATED)
        .not_valid_after(made + life)
        # It signs workloads only, no further authority.
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"spiffe://{trust_domain}")]),
            critical=False,
        )
    )
    return UnsignedSvid(builder, public)


def workload_certificate(
    spiffe_id: str,
    public: ec.EllipticCurvePublicKey,
    *,
    authority: bytes,
    serial: bytes,
    now: datetime,
    life: timedelta,
) -> UnsignedSvid:
    """Return an X.509-SVID for a workload's key, to be signed by the authority of the given certificate.

    X.509-SVID section 4: one URI, no CA, digitalSignature. It never outlives its authority.
    """
    issuer = x509.load_der_x509_certificate(authority)
    issuer_key = issuer.public_key()
    if not isinstance(issuer_key, ec.EllipticCurvePublicKey):
        raise Malformed("the authority's key is not on the curve P-256")
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "remit workload")]))
        .issuer_name(issuer.subject)
        .public_key(public)
        .serial_number(_serial(serial))
        .not_valid_before(max(now - BACKDATED, issuer.not_valid_before_utc))
        .not_valid_after(min(now + life, issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(spiffe_id)]), critical=False
        )
    )
    return UnsignedSvid(builder, issuer_key)


def _serial(entropy: bytes) -> int:
    """RFC 5280 section 4.1.2.2: positive, and of at most 20 octets."""
    if len(entropy) != SERIAL_BYTES:
        raise ValueError(f"a serial number takes {SERIAL_BYTES} random bytes, not {len(entropy)}")
    return int.from_bytes(entropy) | 1 << (8 * SERIAL_BYTES - 2)


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def jwt_svid_claims(
    spiffe_id: str, audiences: tuple[str, ...], *, now: datetime, life: timedelta, token_id: str
) -> dict[str, Json]:
    """Return the claims of a JWT-SVID (JWT-SVID section 3); raise `Malformed` without an audience."""
    if not audiences or len(audiences) > MAX_AUDIENCES or not all(audiences):
        raise Malformed(f"a JWT-SVID needs 1 to {MAX_AUDIENCES} audiences", remediation="give an audience")
    return {
        "sub": spiffe_id,
        "aud": list(audiences),
        "iat": int(now.timestamp()),
        "exp": int((now + life).timestamp()),
        "jti": token_id,
    }


class TrustBundle(msgspec.Struct, frozen=True, kw_only=True):
    """The trust bundle of a domain, which verifies its SVIDs. `sequence` rises with every change of the
    bundle.
    """

    trust_domain: str
    authorities: tuple[bytes, ...]
    jwt_keys: tuple[dict[str, Json], ...]
    sequence: int

    @property
    def jwt_set(self) -> dict[str, Json]:
        """The keys of JWT-SVIDs as a JWK Set."""
        return {"keys": [{**_bare(key), "use": "jwt-svid"} for key in self.jwt_keys]}

    def document(self, refresh_hint_s: int) -> dict[str, Json]:
        """Return the bundle as JSON ("SPIFFE Trust Domain and Bundle", section 4)."""
        keys: list[dict[str, Json]] = [_certificate_jwk(der) for der in self.authorities]
        return {
            "keys": keys + self.jwt_set["keys"],
            "spiffe_sequence": self.sequence,
            "spiffe_refresh_hint": refresh_hint_s,
        }


def _bare(key: dict[str, Json]) -> dict[str, Json]:
    return {name: key[name] for name in ("kty", "crv", "x", "y", "kid", "alg") if name in key}


def _certificate_jwk(der: bytes) -> dict[str, Json]:
    public = x509.load_der_x509_certificate(der).public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise Malformed("the authority's key is not on the curve P-256")
    numbers = public.public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": _coordinate(numbers.x),
        "y": _coordinate(numbers.y),
        "use": "x509-svid",
        # RFC 7517 section 4.7: standard base64, not base64url.
        "x5c": [base64.b64encode(der).decode()],
    }


def _coordinate(number: int) -> str:
    """RFC 7518 section 6.2.1.2: the full size of a coordinate of the curve, in base64url."""
    return base64.urlsafe_b64encode(number.to_bytes(32)).rstrip(b"=").decode()
