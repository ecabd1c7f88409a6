# SPDX-License-Identifier: Apache-2.0
"""WIT-SVIDs and their proofs, to the letter of the drafts (`core.identity.key_bound_svid`)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey

from remit.core.errors import Unauthenticated
from remit.core.identity.key_bound_svid import WitSvid, check_proof, check_wit_svid, wit_svid_id
from remit.core.identity.spiffe import TrustAnchors, check_jwt_svid, read_bundle
from tests.refusals import refused
from tests.worlds.attestation import AUDIENCE, WorldAuthority, WorldIssuer, b64, rsa_key, workload_proof
from tests.worlds.values import START

HERE = WorldAuthority()
KEY = ECKey.generate_key("P-256")
OTHER = ECKey.generate_key("P-256")
TOKEN = HERE.wit_svid(KEY)
URL = "https://remit.example/oauth/token"
PROOF = workload_proof(KEY, TOKEN, URL)


def anchors(authority: WorldAuthority = HERE) -> TrustAnchors:
    """Return what the bundle of an authority says."""
    return read_bundle(authority.trust_domain, json.dumps(authority.bundle).encode())


ANCHORS = anchors()


def held(token: str = TOKEN, **more: Any) -> WitSvid:
    """Check a WIT-SVID."""
    return check_wit_svid(token, more.get("bundle", ANCHORS), now=more.get("now", START))


def test_a_wit_svid_names_a_workload_and_its_key() -> None:
    """With a proof for this request, by that key."""
    svid = held()
    assert str(svid.spiffe_id) == "spiffe://example.org/worker" == str(wit_svid_id(TOKEN))
    proof = check_proof(PROOF, TOKEN, svid, url=URL, now=START)
    assert (proof.token_id, proof.expires) == ("proof-1", START + timedelta(seconds=90))


def test_keys_of_rsa_prove_too() -> None:
    """With exactly the algorithm that the document names."""
    key = rsa_key()
    token = HERE.wit_svid(key, jwk={"alg": "PS256"})
    proof = workload_proof(key, token, URL, header={"alg": "PS256"})
    assert check_proof(proof, token, held(token), url=URL, now=START).token_id == "proof-1"
    with refused("svid-proof"):
        check_proof(
            workload_proof(key, token, URL, header={"alg": "RS256"}), token, held(token), url=URL, now=START
        )


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"exp": int(START.timestamp()) - 60}, "token-expired"),
        ({"exp": None}, "token-claims"),
        ({"exp": int(START.timestamp()) + 3 * 86400}, "token-claims"),
        ({"nbf": int(START.timestamp()) + 600}, "token-not-yet-valid"),
        ({"aud": AUDIENCE}, "token-claims"),
        ({"sub": "worker"}, "svid-malformed"),
        ({"sub": "spiffe://example.org"}, "svid-malformed"),
        ({"sub": "wimse://example.org/worker"}, "svid-malformed"),
        ({"sub": "spiffe://other.example/worker"}, "svid-foreign"),
        ({"cnf": None}, "svid-malformed"),
        ({"cnf": {"kid": "wit-1"}}, "svid-malformed"),
        ({"jwk": {"alg": None}}, "svid-malformed"),
        ({"jwk": {"alg": "none"}}, "svid-malformed"),
        ({"jwk": {"alg": "HS256"}}, "svid-malformed"),
        ({"jwk": {"alg": "ES384"}}, "svid-malformed"),
        ({"jwk": {"alg": "EdDSA"}}, "svid-malformed"),
        ({"jwk": {"d": "AAAA"}}, "svid-malformed"),
        ({"jwk": {"kty": "oct", "k": "AAAA"}}, "svid-malformed"),
        ({"header": {"typ": "JWT"}}, "svid-malformed"),
        ({"header": {"typ": "at+jwt"}}, "svid-malformed"),
        ({"header": {"kid": None}}, "svid-untrusted"),
        ({"header": {"kid": "key-1"}}, "svid-untrusted"),
        ({"header": {"crit": ["exp"]}}, "svid-malformed"),
        ({"header": {"jwk": {}}}, "svid-malformed"),
    ],
)
def test_what_is_no_wit_svid_of_here_is_refused(more: dict[str, Any], code: str) -> None:
    """Times, subject, key, type, signature: each with its code and a remediation."""
    token = HERE.wit_svid(KEY, **more)
    with refused(code, Unauthenticated) as caught:
        held(token)
    assert caught.value.step == 1


def reheaded(token: str, **header: Any) -> str:
    """Return a token under another header, with the signature of before."""
    _, body, signature = token.split(".")
    return f"{b64(json.dumps(header).encode())}.{body}.{signature}"


@pytest.mark.parametrize("algorithm", ["none", "HS256", "EdDSA", "ES256K", None])
def test_a_header_chooses_no_other_algorithm(algorithm: str | None) -> None:
    """Neither for the document nor for the proof, nor a public key as a shared secret."""
    with refused("svid-malformed"):
        held(reheaded(TOKEN, alg=algorithm, kid="wit-1", typ="wit+jwt"))
    with refused("svid-proof"):
        check_proof(reheaded(PROOF, alg=algorithm, typ="wpt+jwt"), TOKEN, held(), url=URL, now=START)
    public = OctKey.import_key(json.dumps(KEY.as_dict(private=False)))
    shared = workload_proof(public, TOKEN, URL, header={"alg": "HS256"})
    with refused("svid-proof"):
        check_proof(shared, TOKEN, held(), url=URL, now=START)


def test_keys_of_other_uses_sign_no_wit_svid() -> None:
    """A key for JWT-SVIDs makes none, and a key for WIT-SVIDs makes no JWT-SVID."""
    crossed = WorldAuthority(jwt_issuer=HERE.wit_issuer, wit_issuer=HERE.jwt_issuer)
    with refused("svid-untrusted"):
        held(crossed.wit_svid(KEY))
    with refused("svid-untrusted"):
        check_jwt_svid(crossed.jwt_svid(), ANCHORS, audience=AUDIENCE, now=START)
    with refused("svid-malformed"):
        held(HERE.jwt_svid())
    with refused("svid-malformed"):
        check_jwt_svid(TOKEN, ANCHORS, audience=AUDIENCE, now=START)


def test_a_trust_domain_without_such_keys_has_no_wit_svids() -> None:
    """WIT-SVID section 6.2."""
    bare = WorldAuthority(wit_issuer=WorldIssuer(keys={"x": ECKey.generate_key("P-256")}))
    with refused("svid-untrusted"):
        held(bundle=anchors(bare))
    with refused("svid-foreign"):
        held(bundle=anchors(WorldAuthority("other.example")))


@pytest.mark.parametrize(
    "more",
    [
        {"aud": "https://remit.example/oauth/introspect"},
        {"aud": "https://other.example/oauth/token"},
        {"aud": [URL]},
        {"aud": None},
        {"exp": int(START.timestamp()) - 60},
        {"exp": int(START.timestamp()) + 3600},
        {"exp": None},
        {"iat": int(START.timestamp()) + 600},
        {"jti": ""},
        {"jti": None},
        {"wth": "AAAA"},
        {"wth": None},
        {"ath": "AAAA"},
        {"tth": "AAAA"},
        {"oth": {"x": "AAAA"}},
        {"header": {"typ": "dpop+jwt"}},
        {"header": {"typ": "wit+jwt"}},
        {"header": {"jwk": KEY.as_dict(private=False)}},
    ],
)
def test_a_proof_is_for_one_request_and_one_document(more: dict[str, Any]) -> None:
    """Anything else of it is refused, with what to do."""
    proof = workload_proof(KEY, TOKEN, URL, **more)
    with refused("svid-proof", Unauthenticated) as caught:
        check_proof(proof, TOKEN, held(), url=URL, now=START)
    assert "sign a new proof" in caught.value.remediation


def test_another_key_proves_nothing() -> None:
    """A thief of the document has not its key; a document over the thief's key is another one."""
    with refused("svid-proof"):
        check_proof(workload_proof(OTHER, TOKEN, URL), TOKEN, held(), url=URL, now=START)
    theirs = HERE.wit_svid(OTHER)
    with refused("svid-proof"):
        check_proof(PROOF, theirs, held(theirs), url=URL, now=START)


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("Aa0-_.=~"))
@settings(max_examples=60)
def test_a_document_with_one_other_character_is_refused(place: int, character: str) -> None:
    """Header, payload or signature."""
    changed = TOKEN[:place] + character + TOKEN[place + 1 :]
    try:
        held(changed)
    except Unauthenticated:
        assert changed != TOKEN
    else:
        assert changed == TOKEN
