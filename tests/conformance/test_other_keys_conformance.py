# SPDX-License-Identifier: Apache-2.0
"""What every keeper of keys for checkpoints, sealing and certificates keeps to (`ports.keys`)."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from remit.core.errors import Conflict, KeyUnavailable
from remit.core.evidence.checkpoint import VerifierKey
from remit.core.keys.own_keys import KeyKind, KeyStanding
from tests.conformance.key_stores import TRUST_DOMAIN, KeyStore

BODY = b"remit.example/default\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"


def holds(verifier: str, signature: bytes) -> bool:
    """Whether a signature over the note holds under a verifier."""
    try:
        Ed25519PublicKey.from_public_bytes(VerifierKey.parse(verifier).public).verify(signature, BODY)
    except Exception:  # noqa: BLE001 - any fault is a no
        return False
    return True


async def test_a_note_is_signed_for_its_verifier(key_store: KeyStore) -> None:
    """The verifier is C2SP's `name+id+key` and survives a restart."""
    keys = await key_store.checkpoints()
    ((verifier, signature),) = await keys.sign_note(BODY)
    assert verifier == keys.verifier == (await key_store.checkpoints()).verifier
    assert holds(verifier, signature)


async def test_the_previous_checkpoint_key_signs_beside_the_new_one(key_store: KeyStore) -> None:
    """For its overlap; its verifier stays known for good, its private half does not."""
    keys = await key_store.checkpoints()
    old = keys.verifier
    turned = await keys.rotate()
    assert keys.verifier == turned.id != old
    assert keys.verifiers == (turned.id, old)
    signed = await keys.sign_note(BODY)
    assert [verifier for verifier, _ in signed] == [turned.id, old]
    assert all(holds(*one) for one in signed)
    key_store.clock.advance(36 * 86400)
    assert [one.id for one in await keys.tidy()] == [old]
    for one in (keys, await key_store.checkpoints()):
        assert one.verifiers == (turned.id, old)
        assert [verifier for verifier, _ in await one.sign_note(BODY)] == [turned.id]
        assert one.held()[-1].standing is KeyStanding.RETIRED


async def test_however_often_it_was_rotated_a_note_has_few_signatures(key_store: KeyStore) -> None:
    """The newest ones; all verifiers stay known."""
    keys = await key_store.checkpoints()
    for _ in range(9):
        await keys.rotate()
    signed = await keys.sign_note(BODY)
    assert [verifier for verifier, _ in signed] == list(keys.verifiers[:8])
    assert len(keys.verifiers) == 10
    assert all(holds(*one) for one in signed)


async def test_a_checkpoint_key_in_other_hands_signs_no_more(key_store: KeyStore) -> None:
    """What it has signed before can still be checked."""
    keys = await key_store.checkpoints()
    old = keys.verifier
    turned = await keys.rotate(at_once=True)
    assert [verifier for verifier, _ in await keys.sign_note(BODY)] == [turned.id]
    assert keys.verifiers == (turned.id, old)


async def test_a_sealing_key_is_the_same_after_a_restart(key_store: KeyStore) -> None:
    """It is 32 bytes, and its id tells nothing of it."""
    keys = await key_store.sealing()
    first = keys.sealing_key(keys.current)
    assert len(first) == 32
    again = await key_store.sealing()
    assert again.current == keys.current
    assert again.sealing_key(again.current) == again.sealing_key("") == first


async def test_an_old_sealing_key_stays_until_it_is_retired(key_store: KeyStore) -> None:
    """Also through restarts; without an id the oldest is meant; the current one cannot be retired."""
    keys = await key_store.sealing()
    old, key = keys.current, keys.sealing_key(keys.current)
    turned = await keys.rotate()
    assert keys.current == turned.id != old
    assert keys.sealing_key(turned.id) != key
    key_store.clock.advance(400 * 86400)
    assert await keys.tidy() == ()
    again = await key_store.sealing()
    assert again.current == turned.id
    assert again.sealing_key(old) == again.sealing_key("") == key
    await again.retire(old)
    for one in (again, await key_store.sealing()):
        with pytest.raises(KeyUnavailable, match="restore"):
            one.sealing_key(old)
        with pytest.raises(Conflict):
            await one.retire(turned.id)


def issuer(der: bytes) -> ec.EllipticCurvePublicKey:
    """Return the public key of a certificate."""
    key = x509.load_der_x509_certificate(der).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


async def test_an_authority_signs_itself_and_others(key_store: KeyStore) -> None:
    """Its certificate is a CA of its trust domain, for 21 days, and the same after a restart."""
    keys = await key_store.authority()
    certificate = x509.load_der_x509_certificate(keys.certificate)
    certificate.verify_directly_issued_by(certificate)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign
    assert not usage.digital_signature
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [f"spiffe://{TRUST_DOMAIN}"]
    assert certificate.not_valid_after_utc - key_store.clock.now() == timedelta(days=21)
    issuer(keys.certificate).verify(await keys.sign(b"tbs"), b"tbs", ec.ECDSA(hashes.SHA256()))
    assert (await key_store.authority()).certificates == keys.certificates


async def test_the_next_authority_is_trusted_before_it_signs(key_store: KeyStore) -> None:
    """The bundle has next, current and previous, and the previous one until its last SVID has run out."""
    keys = await key_store.authority()
    following, current = keys.certificates
    assert keys.certificate == current
    await keys.rotate()
    assert keys.certificate == following
    assert keys.certificates[1:] == (following, current)
    issuer(following).verify(await keys.sign(b"tbs"), b"tbs", ec.ECDSA(hashes.SHA256()))
    key_store.clock.advance(7200)
    assert len(await keys.tidy()) == 1
    assert current not in keys.certificates
    assert (await key_store.authority()).certificates == keys.certificates


async def test_an_authority_in_other_hands_is_trusted_no_more(key_store: KeyStore) -> None:
    """Neither is the next one, which lay beside it."""
    keys = await key_store.authority()
    before = set(keys.certificates)
    await keys.rotate(at_once=True)
    assert not before & set(keys.certificates)
    assert len(keys.certificates) == 2
    issuer(keys.certificate).verify(await keys.sign(b"tbs"), b"tbs", ec.ECDSA(hashes.SHA256()))


async def test_no_key_serves_for_two_things(key_store: KeyStore) -> None:
    """All ids of all kinds differ."""
    held = [
        one
        for keys in (
            await key_store.tokens(),
            await key_store.tokens(KeyKind.SVID),
            await key_store.checkpoints(),
            await key_store.sealing(),
            await key_store.authority(),
        )
        for one in keys.held()
    ]
    assert len({one.id for one in held}) == len(held) == 8
    assert {one.kind for one in held} == set(KeyKind)
