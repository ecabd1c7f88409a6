# SPDX-License-Identifier: Apache-2.0
"""Certificates of clients that are odd in every part: each is refused, and none is a defect of remit."""

import os
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.worlds.oauth import OAuthWorld, oauth_world

WORKER = "spiffe://example.org/worker"
KEY_USAGE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey | ed448.Ed448PrivateKey


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[OAuthWorld]:
    """A gateway that knows a SPIFFE trust domain."""
    async with oauth_world(tmp_path) as opened:
        yield opened


def certificate(key: Key, *uris: str, **extensions: bytes) -> bytes:
    """Return a self-signed certificate in DER; `extensions` are raw, by the last arc of `2.5.29`."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "odd")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(5)
        .not_valid_before(datetime(2026, 1, 1))  # noqa: DTZ001 - as the library takes it
        .not_valid_after(datetime(2026, 1, 1) + timedelta(days=400))  # noqa: DTZ001
    )
    if uris:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(one) for one in uris])
        made = made.add_extension(names, critical=False)
        if "_15" not in extensions:
            made = made.add_extension(KEY_USAGE, critical=True)
    for arc, value in extensions.items():
        odd = x509.UnrecognizedExtension(x509.ObjectIdentifier(f"2.5.29.{arc[1:]}"), value)
        made = made.add_extension(odd, critical=False)
    signing = None if isinstance(key, ed448.Ed448PrivateKey) else hashes.SHA256()
    return made.sign(key, signing).public_bytes(Encoding.DER)


def odd_ones() -> dict[str, bytes]:
    """Return certificates by what is odd in them."""
    key = ec.generate_private_key(ec.SECP256R1())
    plain, svid = certificate(key), certificate(key, WORKER)
    found = {
        "a key of nobody": plain,
        "Ed448": certificate(ed448.Ed448PrivateKey.generate()),
        "P-521": certificate(ec.generate_private_key(ec.SECP521R1())),
        "secp256k1": certificate(ec.generate_private_key(ec.SECP256K1())),
        "RSA": certificate(rsa.generate_private_key(65537, 2048)),
        "DSA": certificate(dsa.generate_private_key(2048)),
        "self-made SVID": svid,
        "two SPIFFE IDs": certificate(key, WORKER, "spiffe://example.org/other"),
        "thousands of SPIFFE IDs": certificate(key, *(f"spiffe://example.org/{n}" for n in range(3000))),
        "a foreign SPIFFE ID": certificate(key, "spiffe://evil.example/worker"),
        "no SPIFFE ID": certificate(key, "spiffe://Example.org/worker"),
        "broken names": certificate(key, _17=b"\x30\x05junk!"),
        "cut off": svid[:100],
        "nothing": b"",
        "noise": os.urandom(200),
        "something after its end": svid + b"\x00",
    }
    found |= {
        f"broken extension {arc}": certificate(key, WORKER, **{f"_{arc}": b"\xff\xff"})
        for arc in (15, 19, 32, 37)
    }
    for what, oid in (
        ("curve", "06082a8648ce3d030107"),
        ("kind of key", "06072a8648ce3d0201"),
        ("signature", "06082a8648ce3d040302"),
    ):
        wanted = bytes.fromhex(oid)
        for name, one in (("certificate", plain), ("SVID", svid)):
            found[f"a {name} with an unknown {what}"] = one.replace(wanted, wanted[:-1] + b"\x7f")
    return found


@pytest.mark.parametrize("client", ["contract-bot", "spire-bot", WORKER, "https://app.example/c", "nobody"])
async def test_an_odd_certificate_is_nobodys(world: OAuthWorld, client: str) -> None:
    """Alone, or with others beside it, at the token endpoint."""
    for odd, one in odd_ones().items():
        for chain in ((one,), (one, b"\x30\x00"), (one,) * 9):
            told = await world.over_tls(chain, grant_type="client_credentials", client_id=client)
            assert (told.status, told.json["error"]) == (401, "invalid_client"), odd
