# SPDX-License-Identifier: Apache-2.0
"""Whatever is shown, an attestor proves what its issuer signed or refuses; nothing else ever comes out."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.adapters.attestor.issuers import Issuer, OidcIssuers
from remit.adapters.attestor.oidc import OidcAttestor
from remit.core.errors import Malformed, Unauthenticated
from remit.core.identity.spiffe import check_jwt_svid, check_x509_svid, read_bundle, read_pem_bundle
from remit.core.keys.jwks import read_keyset
from remit.ports.attestor import ShownAssertion
from remit.ports.issuers import IssuerUse
from tests.worlds.attestation import AUDIENCE, WorldAuthority, WorldFetch, WorldIssuer, b64, sign
from tests.worlds.values import START, WorldClock

ISSUER = WorldIssuer()
AUTHORITY = WorldAuthority()
ANCHORS = read_bundle("example.org", json.dumps(AUTHORITY.bundle).encode())
CHAIN = AUTHORITY.svid()
TOKEN = ISSUER.token()
JWT_SVID = AUTHORITY.jwt_svid()

#: What JSON can hold, and what claims have.
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def attestor() -> OidcAttestor:
    """Trust the issuer."""
    issuer = Issuer(
        name="ours",
        issuer=ISSUER.issuer,
        audience=AUDIENCE,
        uses=frozenset({IssuerUse.WORKLOADS}),
        fetch=WorldFetch(lambda: ISSUER.documents),
    )
    return OidcAttestor(OidcIssuers([issuer], WorldClock()))


def attested(token: str) -> str:
    """Return the workload that a token proves; empty where it is refused."""
    try:
        return asyncio.run(attestor().attest(ShownAssertion(token))).workload
    except Unauthenticated:
        return ""


@given(st.text(max_size=200) | st.text("abcXYZ019-_.=", max_size=200))
def test_no_text_is_a_token(text: str) -> None:
    """Refused with a code, whatever it is."""
    assert attested(text) == ""


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("Aa0-_.=~"))
@settings(max_examples=60)
def test_a_token_with_one_other_character_is_refused(place: int, character: str) -> None:
    """Header, payload or signature."""
    changed = TOKEN[:place] + character + TOKEN[place + 1 :]
    assert (attested(changed) != "") is (changed == TOKEN)


@given(st.dictionaries(st.sampled_from(["aud", "exp", "iat", "nbf", "jti", "sub", "iss", "x"]), VALUES))
def test_what_an_issuer_signs_is_proven_as_it_is_or_refused(changes: dict[str, object]) -> None:
    """Claims of whatever kind: the workload that comes out is the subject that went in."""
    claims = {**ISSUER.claims(), **changes}
    (key,) = ISSUER.keys.values()
    found = attested(sign(key, claims, {"alg": "ES256", "kid": "key-1"}))
    assert found in ("", f"{ISSUER.issuer}#{claims['sub']}")


@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "x5t", "b64", "zip"]), VALUES))
def test_a_header_of_whatever_kind_is_read_or_refused(header: dict[str, object]) -> None:
    """Never a fault."""
    payload = b64(json.dumps(ISSUER.claims()).encode())
    token = f"{b64(json.dumps(header).encode())}.{payload}.{b64(bytes(64))}"
    assert attested(token) == ""
    token = f"{b64(json.dumps(header).encode())}.{JWT_SVID.split('.')[1]}.{b64(bytes(64))}"
    with pytest.raises(Unauthenticated):
        check_jwt_svid(token, ANCHORS, audience=AUDIENCE, now=START)


# cryptography warns of what it will refuse to read one day, such as a negative serial number.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(st.integers(0, len(CHAIN[0]) - 1), st.integers(0, 255))
@settings(max_examples=150)
def test_a_certificate_with_one_other_byte_is_refused(place: int, byte: int) -> None:
    """Each byte is either signed or part of the signature."""
    (der,) = CHAIN
    changed = der[:place] + bytes([byte]) + der[place + 1 :]
    try:
        check_x509_svid((changed,), ANCHORS, START)
    except Unauthenticated:
        assert changed != der
    else:
        assert changed == der


@given(st.integers(0, len(JWT_SVID) - 1), st.sampled_from("Aa0-_.=~"))
@settings(max_examples=60)
def test_a_jwt_svid_with_one_other_character_is_refused(place: int, character: str) -> None:
    """Like every token."""
    changed = JWT_SVID[:place] + character + JWT_SVID[place + 1 :]
    try:
        check_jwt_svid(changed, ANCHORS, audience=AUDIENCE, now=START)
    except Unauthenticated:
        assert changed != JWT_SVID
    else:
        assert changed == JWT_SVID


@given(st.dictionaries(st.sampled_from(["keys", "spiffe_sequence", "spiffe_refresh_hint", "x"]), VALUES))
def test_a_document_of_whatever_kind_is_a_bundle_or_refused(document: dict[str, object]) -> None:
    """Nor does any document make a fault of a key set."""
    written = json.dumps(document).encode()
    for read in (lambda: read_bundle("example.org", written), lambda: read_keyset(written)):
        with contextlib.suppress(Malformed):
            read()


KEY_MEMBERS = ["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "key_ops", "d", "k", "x5c"]


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(KEY_MEMBERS),
            VALUES
            | st.sampled_from(
                ["EC", "RSA", "OKP", "P-256", "Ed25519", "sig", "jwt-svid", "x509-svid", "AQAB"]
            ),
        ),
        max_size=4,
    )
)
def test_keys_of_whatever_kind_are_read_left_out_or_refused(keys: list[dict[str, object]]) -> None:
    """Strange members of keys make no fault."""
    written = json.dumps({"keys": keys}).encode()
    for read in (lambda: read_bundle("example.org", written), lambda: read_keyset(written)):
        with contextlib.suppress(Malformed):
            read()


@given(st.binary(max_size=200))
def test_bytes_of_whatever_kind_are_a_pem_bundle_or_refused(content: bytes) -> None:
    """With a certificate among them, too."""
    for written in (content, content + AUTHORITY.certificate.public_bytes(Encoding.PEM) + content):
        with contextlib.suppress(Malformed):
            read_pem_bundle("example.org", written)
