# SPDX-License-Identifier: Apache-2.0
"""Issuers, trust domains and their documents: real keys and signatures, and faults at will."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from remit.core.errors import SourceUnavailable
from remit.ports.fetch import Fetched
from tests.worlds.values import START

Json = Any
HERE = "example.org"
Key = ECKey | OKPKey | RSAKey | OctKey

#: What tokens in tests are for, unless a test says otherwise.
AUDIENCE = "https://remit.example"


class AnyAlgorithm(jws.JWSRegistry):
    """Signs with whatever a header names and holds, `none` and deprecated names too."""

    def check_header(self, header: Mapping[str, Any]) -> None:
        """Take any header."""

    def get_alg(self, name: str) -> Any:
        """Return any algorithm."""
        return self.algorithms[name]


REGISTRY = AnyAlgorithm(strict_check_header=False)


@cache
def rsa_key(bits: int = 2048, number: int = 0) -> RSAKey:
    """Return an RSA key; made once for each size and number, since that takes long."""
    del number
    return RSAKey.generate_key(bits, private=True)


def sign(key: Key, claims: Mapping[str, Json], header: Mapping[str, Json]) -> str:
    """Return a compact JWS, whatever its header says."""
    return jws.serialize_compact(dict(header), json.dumps(claims), key, registry=REGISTRY)


def b64(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _wit_key() -> Key:
    return ECKey.generate_key("P-256")


def workload_proof(key: Key, token: str, url: str, now: datetime = START, **more: Json) -> str:
    """Return the proof of possession (WPT) for a WIT-SVID and one request."""
    header = {"alg": "ES256", "typ": "wpt+jwt", **more.pop("header", {})}
    claims: dict[str, Json] = {
        "aud": url,
        "exp": int(now.timestamp()) + 60,
        "jti": "proof-1",
        "wth": b64(hashlib.sha256(token.encode()).digest()),
    }
    said = {name: value for name, value in (claims | more).items() if value is not None}
    return sign(key, said, header)


@dataclass
class WorldIssuer:
    """An issuer with one key after another, whose documents a `WorldFetch` serves."""

    issuer: str = "https://issuer.example"
    algorithm: str = "ES256"
    keys: dict[str, Key] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with one key."""
        if not self.keys:
            self.turn("key-1")

    def turn(self, kid: str) -> None:
        """Make a further key, which signs from now on."""
        made: Key
        if self.algorithm[:2] in ("RS", "PS"):
            made = rsa_key(2048, len(self.keys))
        elif self.algorithm.startswith("Ed"):
            made = OKPKey.generate_key("Ed25519", private=True)
        else:
            made = ECKey.generate_key({"ES384": "P-384", "ES512": "P-521"}.get(self.algorithm, "P-256"))
        self.keys[kid] = made

    @property
    def jwks(self) -> dict[str, Json]:
        """The public keys."""
        return {
            "keys": [
                {**key.as_dict(private=False), "kid": kid, "use": "sig"} for kid, key in self.keys.items()
            ]
        }

    @property
    def documents(self) -> dict[str, Json]:
        """What it serves, by address."""
        return {
            f"{self.issuer}/.well-known/openid-configuration": {
                "issuer": self.issuer,
                "jwks_uri": f"{self.issuer}/keys",
                "id_token_signing_alg_values_supported": [self.algorithm],
            },
            f"{self.issuer}/keys": self.jwks,
        }

    def claims(self, now: datetime = START, **more: Json) -> dict[str, Json]:
        """Return the claims of a token that is valid at `now`."""
        at = int(now.timestamp())
        claims = {"iss": self.issuer, "aud": AUDIENCE, "sub": "worker", "iat": at, "exp": at + 300, **more}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, now: datetime = START, header: Mapping[str, Json] | None = None, **more: Json) -> str:
        """Return a token, signed with the newest key."""
        kid = list(self.keys)[-1]
        return sign(
            self.keys[kid],
            self.claims(now, **more),
            {"alg": self.algorithm, "typ": "JWT", "kid": kid, **(header or {})},
        )


class WorldFetch:
    """`ports.fetch.Fetch` from a mapping of addresses; it can be down, slow, or answer anything."""

    def __init__(self, documents: Callable[[], Mapping[str, Json]] = dict) -> None:
        """Serve what `documents` gives at each fetch."""
        self._documents = documents
        self.asked: list[str] = []
        self.down = False
        self.headers: dict[str, str] = {}
        self.gate: asyncio.Event | None = None

    async def get(
        self, url: str, *, accept: str = "application/json", max_bytes: int = 262_144, timeout_s: float = 5.0
    ) -> Fetched:
        """Return the document of an address."""
        self.asked.append(url)
        if self.gate is not None:
            await self.gate.wait()
        if self.down:
            raise SourceUnavailable(f"`{url}` could not be fetched", code="fetch-failed")
        found = self._documents().get(url)
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        if len(body) > max_bytes:
            raise SourceUnavailable(f"`{url}` is too large", code="fetch-too-large")
        return Fetched(url=url, status=404 if found is None else 200, headers=self.headers, body=body)


@dataclass
class WorldAuthority:
    """An authority of a SPIFFE trust domain: certificates and tokens of its workloads, and its bundle."""

    trust_domain: str = "example.org"
    until: datetime = START + timedelta(days=30)
    since: datetime = START - timedelta(days=1)
    sequence: int | None = None
    refresh_hint_s: int | None = None
    jwt_issuer: WorldIssuer = field(default_factory=WorldIssuer)
    wit_issuer: WorldIssuer = field(default_factory=lambda: WorldIssuer(keys={"wit-1": _wit_key()}))

    def __post_init__(self) -> None:
        """Make the authority's own key and certificate."""
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._certificate(
            _name("authority"), _name("authority"), self.key.public_key(), self.key, ca=True
        )

    @property
    def pem(self) -> bytes:
        """The authority's certificate in PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def bundle(self) -> dict[str, Json]:
        """The bundle as a JWK Set."""
        numbers = self.key.public_key().public_numbers()
        der = self.certificate.public_bytes(Encoding.DER)
        document: dict[str, Json] = {
            "keys": [
                {
                    "kty": "EC",
                    "crv": "P-256",
                    "x": b64(numbers.x.to_bytes(32)),
                    "y": b64(numbers.y.to_bytes(32)),
                    "use": "x509-svid",
                    "x5c": [base64.b64encode(der).decode()],
                },
                *({**key, "use": "jwt-svid"} for key in self.jwt_issuer.jwks["keys"]),
                *({**key, "use": "wit-svid"} for key in self.wit_issuer.jwks["keys"]),
            ]
        }
        if self.sequence is not None:
            document["spiffe_sequence"] = self.sequence
        if self.refresh_hint_s is not None:
            document["spiffe_refresh_hint"] = self.refresh_hint_s
        return document

    def jwt_svid(self, path: str = "/worker", now: datetime = START, **more: Json) -> str:
        """Return a JWT-SVID."""
        header = more.pop("header", None)
        claims = {"iss": None, "sub": f"spiffe://{self.trust_domain}{path}", **more}
        return self.jwt_issuer.token(now, header, **claims)

    def wit_svid(self, key: Key, path: str = "/worker", now: datetime = START, **more: Json) -> str:
        """Return a WIT-SVID over a key."""
        header = {"typ": "wit+jwt", **more.pop("header", {})}
        jwk = {**key.as_dict(private=False), "alg": "ES256", **more.pop("jwk", {})}
        about = {"iss": None, "aud": None, "sub": f"spiffe://{self.trust_domain}{path}"}
        return self.wit_issuer.token(now, header, **(about | {"cnf": {"jwk": jwk}} | more))

    def svid(self, *uris: str, **more: Json) -> tuple[bytes, ...]:
        """Return an X.509-SVID as a chain in DER."""
        return self.svid_and_key(*uris, **more)[0]

    def svid_and_key(self, *uris: str, **more: Json) -> tuple[tuple[bytes, ...], bytes]:
        """Return an X.509-SVID as a chain in DER, and its private key in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(
            _name("worker"),
            self.certificate.subject,
            key.public_key(),
            self.key,
            uris=uris or (f"spiffe://{self.trust_domain}/worker",),
            **more,
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return (certificate.public_bytes(Encoding.DER),), private

    def intermediate(self, **more: Json) -> WorldAuthority:
        """Return a further authority below this one."""
        made = WorldAuthority(self.trust_domain, self.until, self.since)
        made.certificate = self._certificate(
            _name("intermediate"), self.certificate.subject, made.key.public_key(), self.key, ca=True, **more
        )
        return made

    def _certificate(
        self,
        subject: x509.Name,
        issuer: x509.Name,
        public: ec.EllipticCurvePublicKey,
        signer: ec.EllipticCurvePrivateKey,
        *,
        uris: tuple[str, ...] = (),
        dns: tuple[str, ...] = (),
        ca: bool = False,
        path_length: int | None = None,
        usage: Mapping[str, bool] | None = None,
        constraints: bool = True,
        until: datetime | None = None,
        since: datetime | None = None,
        critical: x509.ObjectIdentifier | None = None,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(since or self.since)
            .not_valid_after(until or self.until)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )
        if subject != issuer:
            # RFC 5280 section 4.2.1.1; Python 3.13 takes no other.
            authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
            builder = builder.add_extension(authority, critical=False)
        if constraints:
            builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
        names = [*map(x509.UniformResourceIdentifier, uris), *map(x509.DNSName, dns)]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        bits = {
            "digital_signature": not ca,
            "key_cert_sign": ca,
            "crl_sign": ca,
            **dict.fromkeys(
                (
                    "content_commitment",
                    "key_encipherment",
                    "data_encipherment",
                    "key_agreement",
                    "encipher_only",
                    "decipher_only",
                ),
                False,
            ),
        }
        if usage is None or usage:
            builder = builder.add_extension(x509.KeyUsage(**{**bits, **(usage or {})}), critical=True)
        if critical is not None:
            builder = builder.add_extension(x509.UnrecognizedExtension(critical, b"\x05\x00"), critical=True)
        return builder.sign(signer, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def of_now(trust_domain: str = HERE) -> WorldAuthority:
    """Return an authority whose certificates hold by the machine's own clock."""
    now = datetime.now(UTC)
    return WorldAuthority(trust_domain, since=now - timedelta(hours=1), until=now + timedelta(hours=1))
