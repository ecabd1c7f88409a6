# SPDX-License-Identifier: Apache-2.0
"""What every keeper of keys keeps to (`ports.keys`), in files and in a real OpenBao."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from remit.core.errors import Unauthenticated
from remit.core.keys.own_keys import KeyKind, KeyStanding
from remit.ports.keys import RotatingKeys, TokenKeys
from tests.conformance.key_stores import KeyStore

CLAIMS = {"iss": "https://remit.example", "sub": "contract-bot", "exp": 1800000000}
BODY = b"remit.example/default\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"


def b64(value: object) -> str:
    """Return a JWS part."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(keys: TokenKeys, signer: Any, header: dict[str, Any]) -> str:
    """Return a token with this header, signed by another party's key."""
    known = {"alg": "ES256", "typ": "at+jwt", "kid": keys.jwks()["keys"][0]["kid"]}
    registry = jws.JWSRegistry(algorithms=["ES256", "Ed25519"], strict_check_header=False)
    return jws.serialize_compact(known | header, json.dumps(CLAIMS), signer, registry=registry)


async def test_a_token_of_ours_is_read_back(key_store: KeyStore) -> None:
    """Header and claims come back; `kid` is the RFC 7638 thumbprint of a published key, the first of the
    set.
    """
    keys = await key_store.tokens()
    header, claims = keys.verify(await keys.sign(CLAIMS, token_type="at+jwt"))
    assert claims == CLAIMS
    public = keys.jwks()["keys"][0]
    thumb = json.dumps({name: public[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    expected = base64.urlsafe_b64encode(hashlib.sha256(thumb.encode()).digest()).rstrip(b"=").decode()
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": expected}
    assert public["kid"] == expected
    assert not any("d" in one for one in keys.jwks()["keys"])


async def test_another_signer_is_refused(key_store: KeyStore) -> None:
    """Its own `kid` is unknown; with a `kid` of ours the signature does not hold."""
    keys = await key_store.tokens()
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
async def test_other_algorithms_are_refused(key_store: KeyStore, header: dict[str, Any]) -> None:
    """RFC 8725 section 3.1: the verifier chooses, not the token."""
    keys = await key_store.tokens()
    _, payload, signature = (await keys.sign(CLAIMS, token_type="at+jwt")).split(".")
    known = {"typ": "at+jwt", "kid": keys.jwks()["keys"][0]["kid"]}
    for ending in (signature, ""):
        with pytest.raises(Unauthenticated) as refused:
            keys.verify(f"{b64(known | header)}.{payload}.{ending}")
        assert refused.value.code == "token-algorithm"


async def test_the_public_key_is_no_shared_secret(key_store: KeyStore) -> None:
    """RFC 8725 section 2.1: HS256 over the published key is refused."""
    keys = await key_store.tokens()
    pem = ECKey.import_key(keys.jwks()["keys"][0]).as_pem(private=False)
    signed = f"{b64({'alg': 'HS256', 'kid': keys.jwks()['keys'][0]['kid']})}.{b64(CLAIMS)}"
    with pytest.raises(Unauthenticated) as refused:
        keys.verify(f"{signed}.{b64(hmac.digest(pem, signed.encode(), 'sha256'))}")
    assert refused.value.code == "token-algorithm"


async def test_a_header_that_brings_a_key_or_a_demand_is_refused(key_store: KeyStore) -> None:
    """`jwk`, `jku`, `x5c`, `x5u`, `crit` and `b64`, before any key is used."""
    keys = await key_store.tokens()
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
async def test_what_is_no_token_is_refused(key_store: KeyStore, token: str) -> None:
    """Always the same fault, whatever the bytes."""
    keys = await key_store.tokens()
    with pytest.raises(Unauthenticated):
        keys.verify(token)


async def test_a_header_with_a_repeated_key_is_refused(key_store: KeyStore) -> None:
    """Two parsers would read two algorithms."""
    keys = await key_store.tokens()
    _, payload, signature = (await keys.sign(CLAIMS, token_type="at+jwt")).split(".")
    doubled = b64(b'{"alg":"none","alg":"ES256"}')
    with pytest.raises(Unauthenticated) as refused:
        keys.verify(f"{doubled}.{payload}.{signature}")
    assert refused.value.code == "token-malformed"


async def test_a_changed_claim_is_refused(key_store: KeyStore) -> None:
    """The signature covers header and payload."""
    keys = await key_store.tokens()
    header, _, signature = (await keys.sign(CLAIMS, token_type="at+jwt")).split(".")
    with pytest.raises(Unauthenticated) as refused:
        keys.verify(f"{header}.{b64(CLAIMS | {'sub': 'root'})}.{signature}")
    assert refused.value.code == "token-signature"


def standings(keys: RotatingKeys) -> list[tuple[str, str]]:
    """Return standing and id of each key."""
    return [(one.standing.value, one.id) for one in keys.held()]


async def test_the_next_token_key_is_published_before_it_signs(key_store: KeyStore) -> None:
    """After a rotation it signs, the one before still verifies, and a new next one is published."""
    keys = await key_store.tokens()
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


async def test_what_was_rotated_stands_after_a_restart(key_store: KeyStore) -> None:
    """The same keys, each where it stood, and tokens of all of them are read."""
    keys = await key_store.tokens()
    tokens = [await keys.sign(CLAIMS, token_type="at+jwt")]
    for _ in range(2):
        await keys.rotate()
        tokens.append(await keys.sign(CLAIMS, token_type="at+jwt"))
    again = await key_store.tokens()
    assert again.held() == keys.held()
    assert again.jwks() == keys.jwks()
    for token in tokens:
        assert again.verify(token)[1] == CLAIMS


async def test_a_previous_key_ends_with_its_last_token(key_store: KeyStore) -> None:
    """Not before the longest token has run out, and then for good."""
    keys = await key_store.tokens()
    old = await keys.sign(CLAIMS, token_type="at+jwt")
    kid = keys.verify(old)[0]["kid"]
    await keys.rotate()
    generation = keys.generation
    key_store.clock.advance(3600)
    assert await keys.tidy() == ()
    assert keys.verify(old)[1] == CLAIMS
    key_store.clock.advance(3600)
    assert [one.id for one in await keys.tidy()] == [kid]
    assert keys.generation > generation
    for one in (keys, await key_store.tokens()):
        with pytest.raises(Unauthenticated) as refused:
            one.verify(old)
        assert refused.value.code == "token-key"
        assert kid not in {key["kid"] for key in one.jwks()["keys"]}


async def test_a_key_whose_time_ended_while_remit_was_down_is_not_loaded(key_store: KeyStore) -> None:
    """A start after the overlap is as good as having been there."""
    keys = await key_store.tokens()
    old = await keys.sign(CLAIMS, token_type="at+jwt")
    await keys.rotate()
    key_store.clock.advance(7200)
    with pytest.raises(Unauthenticated):
        (await key_store.tokens()).verify(old)


async def test_a_key_in_other_hands_is_dropped_at_once(key_store: KeyStore) -> None:
    """What it and the published next one signed is refused from then on, also after a restart."""
    keys = await key_store.tokens()
    old = await keys.sign(CLAIMS, token_type="at+jwt")
    known = {kid for _, kid in standings(keys)}
    generation = keys.generation
    turned = await keys.rotate(at_once=True)
    assert turned.id not in known
    assert turned.standing is KeyStanding.CURRENT
    assert keys.generation > generation
    for one in (keys, await key_store.tokens()):
        with pytest.raises(Unauthenticated):
            one.verify(old)
        assert not known & {key["kid"] for key in one.jwks()["keys"]}
    assert keys.verify(await keys.sign(CLAIMS, token_type="at+jwt"))[0]["kid"] == turned.id


async def test_the_keys_of_tokens_and_of_svids_are_not_the_same(key_store: KeyStore) -> None:
    """A token of one kind is nothing to the other."""
    tokens, svids = await key_store.tokens(), await key_store.tokens(KeyKind.SVID)
    with pytest.raises(Unauthenticated) as refused:
        tokens.verify(await svids.sign(CLAIMS, token_type="JWT"))
    assert refused.value.code == "token-key"
    assert (tokens.kind, svids.kind) == (KeyKind.TOKEN, KeyKind.SVID)
