# SPDX-License-Identifier: Apache-2.0
"""Threat: a client makes itself a certificate that one library takes and another does not, and what it brings
down is more than its own connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from remit.cli.serve.tls import AskingContext
from remit.core.errors import Unauthenticated
from remit.core.identity.spiffe import TrustAnchors, check_x509_svid, leaf_id
from remit.core.identity.svid import authority_certificate, workload_certificate
from remit.core.keys.certificate import read_leaf
from tests.worlds.tls_port import LOOPS, identity, serving, shown
from tests.worlds.values import START, WorldEntropy

TD = "agents.example"


def svid() -> tuple[bytes, TrustAnchors]:
    """Return an X.509-SVID that holds, and the bundle that vouches for it."""
    authority, key, entropy = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
        WorldEntropy(),
    )
    own = authority_certificate(
        TD, authority.public_key(), serial=entropy.bytes(16), made=START, life=timedelta(days=2)
    )
    der = own.signed(authority.sign(own.tbs, ec.ECDSA(hashes.SHA256())))
    leaf = workload_certificate(
        f"spiffe://{TD}/bot",
        key.public_key(),
        authority=der,
        serial=entropy.bytes(16),
        now=START,
        life=timedelta(hours=1),
    )
    anchors = TrustAnchors(trust_domain=TD, authorities=(x509.load_der_x509_certificate(der),))
    return leaf.signed(authority.sign(leaf.tbs, ec.ECDSA(hashes.SHA256()))), anchors


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_no_byte_of_a_certificate_makes_it_another_one_or_a_defect() -> None:
    """Whatever is changed in it, it is refused as an SVID is refused."""
    der, anchors = svid()
    now = START + timedelta(minutes=5)
    whole = check_x509_svid((der,), anchors, now)
    chance = random.Random(9362)
    for place in range(len(der)):
        for value in {0, 0xFF, der[place] ^ 1, chance.randrange(256)} - {der[place]}:
            crooked = der[:place] + bytes([value]) + der[place + 1 :]
            with contextlib.suppress(Unauthenticated):
                leaf_id((crooked,))
            with contextlib.suppress(Unauthenticated):
                # The count of unused bits of the signature is not signed: what is signed is the same then.
                held = check_x509_svid((crooked,), anchors, now)
                assert held.leaf.tbs_certificate_bytes == whole.leaf.tbs_certificate_bytes


@pytest.mark.parametrize("loop", LOOPS)
def test_a_certificate_that_cannot_be_read_is_for_step_1_to_refuse(tmp_path: Path, loop: str) -> None:
    """OpenSSL takes a version that there is not: no connection breaks, and nothing is proven by it."""
    server, client = identity(tmp_path, "server"), identity(tmp_path, "client")
    crooked = identity(tmp_path, "crooked")
    der = x509.load_pem_x509_certificate(crooked[0].read_bytes()).public_bytes(Encoding.DER)
    assert der.count(b"\xa0\x03\x02\x01\x02") == 1
    text = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x49")
    for refuses in (read_leaf, lambda one: leaf_id((one,))):
        with pytest.raises(Unauthenticated):
            refuses(text)
    crooked[0].write_text(ssl.DER_cert_to_PEM_cert(text))

    async def run() -> None:
        async with serving(AskingContext(*server)) as url:
            told, _ = await shown(url, server[0], crooked)
            assert told["chain"] == [text.hex()]
            told, _ = await shown(url, server[0], client)
            assert told["chain"]

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(asyncio.wait_for(run(), 60))
