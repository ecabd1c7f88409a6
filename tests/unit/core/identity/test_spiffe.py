# SPDX-License-Identifier: Apache-2.0
"""SVIDs and bundles, to the letter of the SPIFFE standards (`core.identity.spiffe`)."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from remit.core.errors import Malformed, Unauthenticated
from remit.core.identity.spiffe import (
    TrustAnchors,
    check_jwt_svid,
    check_x509_svid,
    jwt_svid_id,
    leaf_id,
    read_bundle,
    read_pem_bundle,
)
from tests.worlds.attestation import AUDIENCE, WorldAuthority, WorldIssuer
from tests.worlds.values import START

HERE = "example.org"
ID = "spiffe://example.org/worker"


def anchors(authority: WorldAuthority) -> TrustAnchors:
    """Return what the bundle of an authority says."""
    return read_bundle(authority.trust_domain, json.dumps(authority.bundle).encode())


def code_of(check: Callable[[], object]) -> str:
    """Return the code of a refusal; empty where there is none."""
    try:
        check()
    except Unauthenticated as refused:
        return refused.code
    return ""


def x509_code(authority: WorldAuthority, chain: tuple[bytes, ...], **more: Any) -> str:
    """Return the code of the refusal of an X.509-SVID."""
    now = more.get("now", START)
    return code_of(lambda: check_x509_svid(chain, more.get("bundle", anchors(authority)), now))


def jwt_code(authority: WorldAuthority, token: str, **more: Any) -> str:
    """Return the code of the refusal of a JWT-SVID."""
    bundle = more.get("bundle", anchors(authority))
    return code_of(lambda: check_jwt_svid(token, bundle, audience=AUDIENCE, now=START))


def test_an_x509_svid_holds_under_its_trust_domain() -> None:
    """Directly, and through an intermediate authority that is shown with it; names of hosts mean nothing."""
    authority = WorldAuthority()
    held = check_x509_svid(authority.svid(dns=("worker.example",)), anchors(authority), START)
    assert str(held.spiffe_id) == ID
    assert held.expires == authority.until
    between = authority.intermediate()
    chain = (*between.svid(), between.certificate.public_bytes(Encoding.DER))
    assert x509_code(authority, chain) == ""
    assert x509_code(authority, chain[:1]) == "svid-untrusted"


def test_a_bundle_of_certificates_in_pem_checks_x509_svids() -> None:
    """It says nothing of JWT-SVIDs, so none of them holds."""
    authority = WorldAuthority()
    bundle = read_pem_bundle(HERE, authority.pem)
    assert x509_code(authority, authority.svid(), bundle=bundle) == ""
    assert jwt_code(authority, authority.jwt_svid(), bundle=bundle) == "svid-untrusted"
    with pytest.raises(Malformed):
        read_pem_bundle(HERE, b"nonsense")


@pytest.mark.parametrize(
    ("uris", "code"),
    [
        (("spiffe://example.org/worker", "spiffe://example.org/other"), "svid-malformed"),
        (("spiffe://example.org/worker", "https://example.org"), "svid-malformed"),
        (("https://example.org/worker",), "svid-malformed"),
        (("spiffe://example.org",), "svid-malformed"),
        (("spiffe://example.org/a/../worker",), "svid-malformed"),
        (("spiffe://EXAMPLE.org/worker",), "svid-malformed"),
        (("spiffe://other.example/worker",), "svid-foreign"),
    ],
)
def test_an_x509_svid_has_exactly_one_spiffe_id_with_a_path(uris: tuple[str, ...], code: str) -> None:
    """X509-SVID section 2, and SPIFFE ID section 2."""
    authority = WorldAuthority()
    assert x509_code(authority, authority.svid(*uris)) == code


@pytest.mark.parametrize(
    "options",
    [
        {"ca": True},
        {"usage": {}},
        {"usage": {"digital_signature": False, "key_encipherment": True}},
        {"usage": {"key_cert_sign": True}},
        {"usage": {"crl_sign": True}},
    ],
)
def test_a_leaf_signs_and_certifies_nothing(options: dict[str, Any]) -> None:
    """X509-SVID section 4: no authority, digitalSignature, neither keyCertSign nor cRLSign."""
    authority = WorldAuthority()
    assert x509_code(authority, authority.svid(**options)) == "svid-malformed"


def test_a_leaf_without_basic_constraints_is_a_leaf() -> None:
    """Section 4.1: where the extension is missing, the certificate is no authority."""
    authority = WorldAuthority()
    assert x509_code(authority, authority.svid(constraints=False)) == ""


def test_certificates_hold_within_their_times_alone() -> None:
    """Leaf, intermediate and authority: an expired bundle vouches for no one."""
    authority = WorldAuthority()
    soon = START + timedelta(minutes=5)
    assert x509_code(authority, authority.svid(until=soon)) == ""
    assert (
        x509_code(authority, authority.svid(until=soon), now=soon + timedelta(seconds=1)) == "svid-untrusted"
    )
    assert x509_code(authority, authority.svid(since=soon)) == "svid-untrusted"
    expired = WorldAuthority(since=START - timedelta(days=9), until=START - timedelta(days=1))
    late = expired.svid(since=START - timedelta(days=2), until=START + timedelta(days=1))
    assert x509_code(expired, late) == "svid-untrusted"
    between = authority.intermediate(until=START - timedelta(hours=1))
    chain = (*between.svid(), between.certificate.public_bytes(Encoding.DER))
    assert x509_code(authority, chain) == "svid-untrusted"


def test_a_chain_leads_to_an_authority_of_the_very_bundle() -> None:
    """Another authority of the same name signs in vain, also where it brings its own certificate along."""
    authority, stranger = WorldAuthority(), WorldAuthority()
    assert x509_code(authority, stranger.svid()) == "svid-untrusted"
    brought = (*stranger.svid(), stranger.certificate.public_bytes(Encoding.DER))
    assert x509_code(authority, brought) == "svid-untrusted"


def test_an_intermediate_must_be_an_authority_within_the_length_of_its_path() -> None:
    """RFC 5280 section 6.1.4: basic constraints, path length, keyCertSign."""
    authority = WorldAuthority()
    faults: list[dict[str, Any]] = [
        {"constraints": False},
        {"usage": {"key_cert_sign": False, "digital_signature": True}},
        {"usage": {}},
    ]
    for fault in faults:
        between = authority.intermediate(**fault)
        chain = (*between.svid(), between.certificate.public_bytes(Encoding.DER))
        assert x509_code(authority, chain) == "svid-untrusted"
    short = authority.intermediate(path_length=0)
    below = short.intermediate()
    deep = (*below.svid(), *(one.certificate.public_bytes(Encoding.DER) for one in (below, short)))
    assert x509_code(authority, deep) == "svid-untrusted"
    # A workload's own certificate is no authority for others.
    worker, _ = authority.svid_and_key()
    assert x509_code(authority, (*WorldAuthority().svid(), *worker)) == "svid-untrusted"


def test_an_extension_that_is_critical_and_unknown_refuses() -> None:
    """RFC 5280 section 4.2."""
    authority = WorldAuthority()
    unknown = x509.ObjectIdentifier("1.3.6.1.4.1.99999.1")
    assert x509_code(authority, authority.svid(critical=unknown)) != ""


def test_chains_beyond_bounds_are_not_read() -> None:
    """None, nine, a large one, or none that can be read."""
    authority = WorldAuthority()
    (leaf,) = authority.svid()
    for chain in ((), (leaf,) * 9, (leaf + b"\0" * 20_000,), (b"",), (leaf[:-1],), (b"nonsense",)):
        assert x509_code(authority, chain) == "svid-malformed"
        assert code_of(lambda chain=chain: leaf_id(chain)) == "svid-malformed"  # type: ignore[misc]


def test_a_jwt_svid_holds_under_its_trust_domain() -> None:
    """Its subject is the workload; further claims are given along."""
    authority = WorldAuthority()
    token = authority.jwt_svid(jti="t-1", team="legal")
    held = check_jwt_svid(token, anchors(authority), audience=AUDIENCE, now=START)
    assert (str(held.spiffe_id), held.registered.token_id) == (ID, "t-1")
    assert held.claims["team"] == "legal"
    assert str(jwt_svid_id(token)) == ID


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256", "ES256", "ES384", "ES512"])
def test_every_algorithm_of_the_standard_is_accepted(algorithm: str) -> None:
    """JWT-SVID section 2.1.1."""
    authority = WorldAuthority(jwt_issuer=WorldIssuer(algorithm=algorithm))
    assert jwt_code(authority, authority.jwt_svid()) == ""


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sub": "worker"}, "svid-malformed"),
        ({"sub": None}, "svid-malformed"),
        ({"sub": ["spiffe://example.org/worker"]}, "svid-malformed"),
        ({"sub": "spiffe://example.org"}, "svid-malformed"),
        ({"sub": "spiffe://other.example/worker"}, "svid-foreign"),
        ({"aud": None}, "token-claims"),
        ({"aud": "https://other.example"}, "token-audience"),
        ({"exp": None}, "token-claims"),
        ({"exp": START.timestamp() - 31}, "token-expired"),
        ({"exp": START.timestamp() + 90_000}, "token-claims"),
        ({"header": {"typ": "at+jwt"}}, "svid-malformed"),
        ({"header": {"typ": "jwt"}}, "svid-malformed"),
        ({"header": {"typ": "JOSE"}}, ""),
        ({"header": {"kid": "other"}}, "svid-untrusted"),
        ({"header": {"kid": None}}, "svid-untrusted"),
    ],
)
def test_a_jwt_svid_is_to_the_letter(changes: dict[str, Any], code: str) -> None:
    """JWT-SVID sections 2 and 3: `sub`, `aud`, `exp`, `typ`, and a `kid` of the trust domain."""
    authority = WorldAuthority()
    assert jwt_code(authority, authority.jwt_svid(**changes)) == code


def test_algorithms_beyond_the_standard_are_refused() -> None:
    """EdDSA, symmetric ones, `none`."""
    for algorithm in ("EdDSA", "Ed25519"):
        authority = WorldAuthority(jwt_issuer=WorldIssuer(algorithm=algorithm))
        assert jwt_code(authority, authority.jwt_svid()) == "svid-malformed"
    authority = WorldAuthority()
    payload = authority.jwt_svid().split(".")[1]
    head = base64.urlsafe_b64encode(b'{"alg":"none","kid":"key-1"}').rstrip(b"=").decode()
    assert jwt_code(authority, f"{head}.{payload}.") == "svid-malformed"


def test_a_jwt_svid_of_another_authority_is_refused() -> None:
    """The same trust domain and `kid`, another key."""
    authority, stranger = WorldAuthority(), WorldAuthority()
    assert jwt_code(authority, stranger.jwt_svid()) == "svid-untrusted"


def test_keys_of_a_bundle_serve_their_own_use_alone() -> None:
    """A key for JWT-SVIDs without `kid`, or of another use, checks nothing."""
    authority = WorldAuthority(sequence=7, refresh_hint_s=60)
    found = anchors(authority)
    assert (found.sequence, found.refresh_hint_s) == (7, 60)
    assert (len(found.authorities), len(found.jwt_keys)) == (1, 1)
    document = authority.bundle
    for key in document["keys"]:
        key["use"] = "sig"
    assert read_bundle(HERE, json.dumps(document).encode()).empty
    document = authority.bundle
    del document["keys"][1]["kid"]
    assert len(read_bundle(HERE, json.dumps(document).encode()).jwt_keys) == 0
    assert read_bundle(HERE, b'{"keys": []}').empty


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"keys": {}},
        {"keys": [{"use": "x509-svid", "kty": "EC"}]},
        {"keys": [{"use": "x509-svid", "x5c": ["AA", "AA"]}]},
        {"keys": [{"use": "x509-svid", "x5c": ["nonsense"]}]},
        {"keys": [], "spiffe_sequence": "1"},
        {"keys": [], "spiffe_sequence": -1},
        {"keys": [], "spiffe_refresh_hint": True},
        {"keys": [{}] * 101},
    ],
)
def test_what_is_no_bundle_is_refused_whole(document: dict[str, Any]) -> None:
    """Half a bundle could be one without the key that replaced another."""
    with pytest.raises(Malformed):
        read_bundle(HERE, json.dumps(document).encode())


def test_an_empty_bundle_vouches_for_nobody() -> None:
    """The way in which a trust domain takes all of its keys back."""
    authority = WorldAuthority()
    empty = read_bundle(HERE, b'{"keys": []}')
    assert x509_code(authority, authority.svid(), bundle=empty) == "svid-untrusted"
    assert jwt_code(authority, authority.jwt_svid(), bundle=empty) == "svid-untrusted"
