# SPDX-License-Identifier: Apache-2.0
"""Proofs of possession: what holds, and everything of them that does not (RFC 9449 section 4.3)."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from remit.core.errors import ProofRefused
from remit.core.oauth.dpop import MAX_PROOF_BYTES, normal_url, token_hash, verify_proof
from remit.services.oauth.dpop_replay import DpopReplay
from remit_sdk.key import AgentKey
from tests.worlds.values import START, WorldClock, WorldEntropy

Json = Any

URL = "https://remit.example/mcp/files"
KEY = AgentKey.generate()
NOW = int(START.timestamp())


def claims(**changes: Json) -> dict[str, Json]:
    """The claims of a proof that holds; a change to None leaves one out."""
    made: dict[str, Json] = {"jti": "one", "htm": "POST", "htu": URL, "iat": NOW} | changes
    for left_out in [name for name in made if made[name] is None]:
        del made[left_out]
    return made


def proof(payload: dict[str, Json] | None = None, key: AgentKey = KEY, **header: Json) -> str:
    """A proof that holds, but for what is changed; a change to None leaves it out."""
    told: dict[str, Json] = {"typ": "dpop+jwt", "jwk": key.public_jwk} | header
    for left_out in [name for name in told if told[name] is None]:
        del told[left_out]
    return key.sign(claims() if payload is None else payload, told)


def code_of(text: str, *, method: str = "POST", url: str = URL, token: str = "") -> str:
    """Check a proof; gives the code of its refusal, empty where it holds."""
    hashed = token_hash(token) if token else ""
    try:
        verify_proof(text, method=method, url=url, now=START, token_hash=hashed)
    except ProofRefused as refused:
        return f"{refused.code}" if refused.error == "invalid_dpop_proof" else refused.error
    return ""


def b64(value: Json) -> str:
    """A part of a JWS."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_proof_that_holds() -> None:
    """A proof for this request, signed by the key in it, holds and names that key."""
    held = verify_proof(proof(), method="POST", url=URL, now=START)
    assert (held.thumbprint, held.token_id, held.issued) == (KEY.thumbprint, "one", NOW)
    assert code_of(proof(key=AgentKey.generate("Ed25519"))) == ""


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (claims(htm="GET"), "proof-method"),
        (claims(htm="post"), "proof-method"),
        (claims(htu="https://remit.example/mcp/notes"), "proof-address"),
        (claims(htu="http://remit.example/mcp/files"), "proof-address"),
        (claims(htu="https://remit.example.evil/mcp/files"), "proof-address"),
        (claims(htu="https://user@remit.example/mcp/files"), "proof-address"),
        (claims(htu=""), "proof-address"),
        (claims(iat=NOW - 301), "proof-time"),
        (claims(iat=NOW + 301), "proof-time"),
        (claims(ath=token_hash("another")), "proof-token"),
        (claims(jti=""), "proof-malformed"),
        (claims(jti="x" * 257), "proof-malformed"),
        (claims(jti="x" * 256), ""),
        (claims(iat=NOW - 300), ""),
        (claims(iat=NOW + 300), ""),
        (claims(htu="https://REMIT.example:443/mcp/%66iles?a#b"), ""),
        (claims(htu="https://remit.example/mcp%2Ffiles"), "proof-address"),
        (claims(htu="https://remit.example:8443/mcp/files"), "proof-address"),
        (claims(jti=7), "proof-malformed"),
        (claims(iat="now"), "proof-malformed"),
        (claims(iat=True), "proof-malformed"),
        *((claims(**{name: None}), "proof-malformed") for name in ("jti", "htm", "htu", "iat")),
    ],
)
def test_claims_that_do_not_fit(payload: dict[str, Json], code: str) -> None:
    """A proof with a claim that is missing, of another kind or of another request is refused."""
    assert code_of(proof(payload)) == code


def test_token_hash_must_match() -> None:
    """Beside a token a proof must name that very token."""
    assert code_of(proof(claims(ath=token_hash("token"))), token="token") == ""
    assert code_of(proof(), token="token") == "proof-token"
    assert code_of(proof(claims(ath=token_hash("token"))), token="token2") == "proof-token"


def test_header_must_be_a_proofs() -> None:
    """A JWT of another type, an extension that is not known, or a key from elsewhere is refused."""
    assert code_of(proof(typ="JWT")) == "proof-type"
    assert code_of(proof(typ=None)) == "proof-type"
    assert code_of(proof(jwk=None)) == "proof-key"
    odd = b64({"typ": "dpop+jwt", "alg": "ES256", "jwk": KEY.thumbprint})
    assert code_of(".".join([odd, *proof().split(".")[1:]])) == "proof-key"
    for name, value in (("jku", "https://evil.example"), ("x5u", "https://evil.example"), ("crit", ["exp"])):
        raw = proof()
        header = json.loads(base64.urlsafe_b64decode(raw.split(".")[0] + "==")) | {name: value}
        assert code_of(".".join([b64(header), *raw.split(".")[1:]])) == "proof-malformed"


def test_key_must_be_public_and_the_signers() -> None:
    """A private key in the header, or another key than the signer's, is refused."""
    private = ECKey.generate_key("P-256")
    whole = {name: str(value) for name, value in private.as_dict(private=True).items() if name != "kid"}
    signed = jws.serialize_compact(
        {"typ": "dpop+jwt", "alg": "ES256", "jwk": whole}, json.dumps(claims()).encode(), private
    )
    assert code_of(signed) == "proof-key"
    assert code_of(proof(jwk=AgentKey.generate().public_jwk)) == "proof-signature"
    off_curve = {**KEY.public_jwk, "y": b64(b"\x01" * 32)}
    assert code_of(proof(jwk=off_curve)) == "proof-key"


def test_algorithms() -> None:
    """`none`, a symmetric one, RSA, another curve, and an algorithm of another kind of key are refused."""
    payload = b64(claims())
    none = b64({"typ": "dpop+jwt", "alg": "none", "jwk": KEY.public_jwk})
    assert code_of(f"{none}.{payload}.") in ("proof-algorithm", "proof-malformed")
    secret = OctKey.import_key(json.dumps(KEY.public_jwk))
    mixed = jws.serialize_compact(
        {"typ": "dpop+jwt", "alg": "HS256", "jwk": KEY.public_jwk}, json.dumps(claims()).encode(), secret
    )
    assert code_of(mixed) == "proof-algorithm"
    for key, algorithm in ((RSAKey.generate_key(2048), "RS256"), (ECKey.generate_key("P-384"), "ES384")):
        public = {name: value for name, value in key.as_dict(private=False).items() if name != "kid"}
        header = {"typ": "dpop+jwt", "alg": algorithm, "jwk": public}
        signed = jws.serialize_compact(header, json.dumps(claims()).encode(), key, algorithms=[algorithm])
        assert code_of(signed) == "proof-algorithm"
    swapped = {"typ": "dpop+jwt", "alg": "ES256", "jwk": AgentKey.generate("Ed25519").public_jwk}
    assert code_of(f"{b64(swapped)}.{payload}.{b64(b'x' * 64)}") == "proof-algorithm"
    okp = OKPKey.generate_key("X25519").as_dict(private=False)
    agreement = {"typ": "dpop+jwt", "alg": "EdDSA", "jwk": {name: okp[name] for name in ("kty", "crv", "x")}}
    assert code_of(f"{b64(agreement)}.{payload}.{b64(b'x' * 64)}") == "proof-key"


def test_framing() -> None:
    """A proof in another spelling, with more parts, a doubled member, or too large is refused unread."""
    head, body, signature = proof().split(".")
    twice = b64(b'{"typ":"dpop+jwt","typ":"dpop+jwt"}')
    for odd in (
        f"{head}.{body}",
        f"{head}.{body}.{signature}.x",
        f"{head}=.{body}.{signature}",
        f"{head}.{body}.{signature}\n",
        f"{b64(b'[]')}.{body}.{signature}",
        f"{head}.{b64(b'{}')}x.{signature}",
        f"{twice}.{body}.{signature}",
        "é" * 10,
        "",
        "a" * (MAX_PROOF_BYTES + 1),
    ):
        assert code_of(odd) == "proof-malformed"
    assert code_of(proof(claims(extra="x" * MAX_PROOF_BYTES))) == "proof-malformed"


def test_addresses_in_normal_form() -> None:
    """Addresses that mean the same are the same; query and fragment of a proof do not count."""
    same = (
        "HTTPS://Remit.Example/mcp/files",
        "https://remit.example:443/mcp/files",
        "https://remit.example/mcp/%66iles",
        f"{URL}?a=b#c",
    )
    for one in same:
        assert code_of(proof(claims(htu=one))) == ""
    assert normal_url("https://remit.example") == "https://remit.example/"
    assert normal_url("https://[::1]:8700/a") == "https://[::1]:8700/a"
    for odd in ("ftp://remit.example/", "remit.example", "https://", "https://a:99999/", "https://a b@c/"):
        assert normal_url(odd) == ""


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/a%7e%2D%5F%2e%30", "/a~-_.0"),
        ("/%41%7A", "/Az"),
        ("/a%2fb%c3%a9", "/a%2Fb%C3%A9"),
        ("/%25%34%31", "/%2541"),
        ("/%zz%4", "/%zz%4"),
        ("/A", "/A"),
    ],
)
def test_an_escape_that_says_nothing_is_taken_off_and_every_other_one_stays(path: str, normal: str) -> None:
    """Once, and in capitals where it stays: what is a slash to one server is no slash to another."""
    assert normal_url(f"https://remit.example{path}") == f"https://remit.example{normal}"


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("http://remit.example:80/a", "http://remit.example/a"),
        ("http://remit.example:443/a", "http://remit.example:443/a"),
        ("https://remit.example:80/a", "https://remit.example:80/a"),
        ("https://[2001:DB8::1]/", "https://[2001:db8::1]/"),
        ("https://remit.example?a", "https://remit.example/"),
    ],
)
def test_only_the_port_of_its_own_scheme_is_left_out_of_an_address(url: str, normal: str) -> None:
    """And hosts are in small letters, with brackets where they have colons."""
    assert normal_url(url) == normal


def test_a_proof_that_holds_names_its_nonce_and_its_whole_second() -> None:
    """Its time may have a fraction."""
    held = verify_proof(proof(claims(nonce="n-1", iat=NOW + 0.5)), method="POST", url=URL, now=START)
    assert (held.nonce, held.issued) == ("n-1", NOW)
    assert verify_proof(proof(), method="POST", url=URL, now=START).nonce == ""


def test_whoever_asks_may_want_younger_proofs() -> None:
    """To the second."""
    given = proof(claims(iat=NOW - 60))
    assert verify_proof(given, method="POST", url=URL, now=START, max_age_s=60).token_id == "one"
    with pytest.raises(ProofRefused) as refused:
        verify_proof(given, method="POST", url=URL, now=START, max_age_s=59)
    assert refused.value.code == "proof-time"


# What one process remembers.


def checked(proofs: DpopReplay, nonce: str, jti: str = "one", key: AgentKey = KEY) -> str:
    """Show a proof to a process; gives the code of its refusal, empty where it holds."""
    given = proof(claims(jti=jti, nonce=nonce, iat=int(proofs._clock.now().timestamp())), key)
    try:
        proofs.check(given, method="POST", url=URL)
    except ProofRefused as refused:
        return refused.code
    return ""


def test_first_proof_is_asked_for_a_nonce() -> None:
    """A proof without a nonce, or with an unknown one, is answered with the nonce to use."""
    proofs = DpopReplay(WorldClock(), WorldEntropy())
    for nonce in ("", "abc", proofs.nonce() + "x"):
        with pytest.raises(ProofRefused) as refused:
            proofs.check(proof(claims(nonce=nonce)), method="POST", url=URL)
        assert (refused.value.error, refused.value.nonce) == ("use_dpop_nonce", proofs.nonce())


def test_proof_works_once() -> None:
    """A proof that was used is refused; another of the same key, or the same id of another key, is not."""
    proofs = DpopReplay(WorldClock(), WorldEntropy())
    nonce = proofs.nonce()
    assert checked(proofs, nonce) == ""
    assert checked(proofs, nonce) == "proof-replayed"
    assert checked(proofs, nonce, "two") == ""
    assert checked(proofs, nonce, key=AgentKey.generate()) == ""


def test_replay_across_epochs_is_refused() -> None:
    """A used proof is refused as long as its nonce holds, and after that its nonce does not."""
    clock = WorldClock()
    proofs = DpopReplay(clock, WorldEntropy(), epoch_s=60)
    nonce = proofs.nonce()
    given = proof(claims(nonce=nonce))
    proofs.check(given, method="POST", url=URL)
    codes = []
    for _ in range(6):
        clock.advance(29)
        with pytest.raises(ProofRefused) as refused:
            proofs.check(given, method="POST", url=URL)
        codes.append(refused.value.code)
    assert codes[:4] == ["proof-replayed"] * 4
    assert codes[-1] == "proof-nonce"
    assert set(codes) == {"proof-replayed", "proof-nonce"}


def test_after_a_long_silence_an_old_nonce_is_nothing() -> None:
    """A nonce that was unused for two epochs is not taken for the one before."""
    clock = WorldClock()
    proofs = DpopReplay(clock, WorldEntropy(), epoch_s=60)
    nonce = proofs.nonce()
    assert checked(proofs, nonce) == ""
    clock.advance(121)
    assert checked(proofs, nonce) == "proof-nonce"


def test_another_process_asks_for_its_own_nonce() -> None:
    """A nonce of another replica, or of this one before it was started again, is answered by a challenge."""
    clock = WorldClock()
    one, other = DpopReplay(clock, WorldEntropy("a")), DpopReplay(clock, WorldEntropy("b"))
    assert checked(other, one.nonce()) == "proof-nonce"
    assert checked(one, one.nonce()) == ""


def test_memory_is_bounded() -> None:
    """A flood of proofs ends epochs early: what is remembered stays bounded, and no proof works twice."""
    proofs = DpopReplay(WorldClock(), WorldEntropy(), epoch_proofs=3)
    first = proofs.nonce()
    assert [checked(proofs, first, str(count)) for count in range(3)] == ["", "", ""]
    second = proofs.nonce()
    assert second != first
    assert checked(proofs, first, "0") == "proof-replayed"
    assert [checked(proofs, second, str(count)) for count in range(3)] == ["", "", ""]
    assert checked(proofs, first, "0") == "proof-nonce"
    assert len(proofs._seen) + len(proofs._seen_before) <= 6


def test_clock_may_be_off_within_bounds() -> None:
    """How far a proof's clock may be off is configured; the nonce keeps it from being used later."""
    clock = WorldClock(START + timedelta(seconds=250))
    strict, usual = DpopReplay(clock, WorldEntropy(), max_age_s=10), DpopReplay(clock, WorldEntropy())
    for proofs, code in ((strict, "proof-time"), (usual, "")):
        given = proof(claims(nonce=proofs.nonce()))
        try:
            proofs.check(given, method="POST", url=URL)
            told = ""
        except ProofRefused as refused:
            told = refused.code
        assert told == code


@pytest.mark.parametrize(
    ("one", "normal"),
    [
        ("https://A.example/%7Eb/%41%2d%2f%c3%a4", "https://a.example/~b/A-%2F%C3%A4"),
        ("HTTP://a.example:80", "http://a.example/"),
        ("https://a.example:80/", "https://a.example:80/"),
        ("https://[2001:DB8::1]:443/x?y#z", "https://[2001:db8::1]/x"),
        ("ftp://a.example/", ""),
        ("https:///x", ""),
        ("https://u@a.example/", ""),
        ("https://a.example:x/", ""),
    ],
)
def test_an_address_has_one_normal_form(one: str, normal: str) -> None:
    """Letters that need no escape stand plainly, others escaped in capitals (RFC 3986 section 6.2.2)."""
    normal_url.cache_clear()  # what another test has asked for is no answer here
    assert normal_url(one) == normal


def test_every_text_has_a_hash() -> None:
    """A token of broken text belongs to no one, and causes no fault."""
    assert token_hash("\ud800") != token_hash("\ud801")
    assert len(token_hash("")) == 43
