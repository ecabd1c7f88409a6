# SPDX-License-Identifier: Apache-2.0
"""Key sets of others: what is read of them, and for what it is used (`core.keys.jwks`)."""

import hmac
import json
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from remit.core.errors import Malformed, Unauthenticated
from remit.core.keys.jwks import MAX_KEYS, read_keyset, verify_signature
from remit.core.keys.jws import read_compact
from tests.worlds.attestation import WorldIssuer, b64, rsa_key

ALGORITHMS = ("RS256", "PS256", "RS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")


def only(*keys: dict[str, Any]) -> dict[str, Any]:
    """Return a key set."""
    return {"keys": list(keys)}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_holds_under_the_key_that_made_it(algorithm: str) -> None:
    """Every asymmetric algorithm that issuers use."""
    issuer = WorldIssuer(algorithm=algorithm)
    keys = read_keyset(issuer.jwks)
    token = issuer.token()
    header = read_compact(token).header
    verify_signature(token, header, keys.candidates(header))
    head, payload, _ = token.split(".")
    with pytest.raises(Unauthenticated) as refused:
        verify_signature(f"{head}.{payload}.{b64(b'x' * 64)}", header, keys.candidates(header))
    assert refused.value.code == "token-signature"


def test_symmetric_private_and_unknown_keys_are_left_out() -> None:
    """RFC 7517 section 5: an unknown key is ignored; a private key is not accepted as a public one."""
    private = ECKey.generate_key("P-256", private=True).as_dict(private=True)
    keys = read_keyset(
        only(
            {"kty": "oct", "k": b64(b"x" * 32), "kid": "a", "alg": "HS256"},
            {**private, "kid": "b"},
            {"kty": "AKP", "kid": "c", "pub": "AA"},
            {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "d"},
            {"kty": "OKP", "crv": "X25519", "x": b64(b"x" * 32), "kid": "e"},
            {"kty": "EC", "crv": "P-256", "x": b64(b"\1" * 32), "y": b64(b"\2" * 32), "kid": "f"},
            {"kty": "OKP", "crv": "P-256", "x": b64(b"x" * 32), "kid": "g"},
            {"kty": ["EC"], "kid": "h"},
            {"kty": "EC", "crv": {}, "kid": "i"},
            {"kid": 7, "kty": "EC"},
        )
    )
    assert len(keys) == 0


def test_keys_for_encryption_are_no_keys_for_signatures() -> None:
    """`use` and `key_ops` are obeyed (RFC 7517 sections 4.2 and 4.3)."""
    public = ECKey.generate_key("P-256").as_dict(private=False)
    assert len(read_keyset(only({**public, "kid": "a", "use": "enc"}))) == 0
    assert len(read_keyset(only({**public, "kid": "a", "key_ops": ["deriveKey"]}))) == 0
    assert len(read_keyset(only({**public, "kid": "a", "use": "sig", "key_ops": ["verify"]}))) == 1


@pytest.mark.parametrize(
    ("modulus", "exponent"),
    [
        (b"\xff" * 128, b"\1\0\1"),  # 1024 bits
        (b"\xff" * 2048, b"\1\0\1"),  # 16384 bits
        (b"\xff" * 100_000, b"\1\0\1"),
        (b"\xff" * 256, b"\xff" * 256),
        (b"\xff" * 256, b"\1\0\1\0\1"),
        (b"\xff" * 256, b"\1"),
        (b"\xff" * 256, b"\4"),
    ],
)
def test_rsa_keys_beyond_bounds_are_left_out_before_they_are_used(modulus: bytes, exponent: bytes) -> None:
    """Too weak, or so large that a check would take long: neither is imported at all."""
    keys = read_keyset(only({"kty": "RSA", "kid": "a", "n": b64(modulus), "e": b64(exponent)}))
    assert len(keys) == 0


def test_a_set_of_too_many_keys_is_refused() -> None:
    """A thousand keys are not looked through one by one."""
    public = ECKey.generate_key("P-256").as_dict(private=False)
    with pytest.raises(Malformed, match=f"has {MAX_KEYS + 1} keys"):
        read_keyset(only(*({**public, "kid": str(number)} for number in range(MAX_KEYS + 1))))
    assert len(read_keyset(only(*({**public, "kid": str(number)} for number in range(MAX_KEYS))))) == MAX_KEYS


@pytest.mark.parametrize("document", [b"[]", b"{}", b'{"keys": {}}', b"nonsense", b'{"keys":[],"keys":[]}'])
def test_what_is_no_key_set_is_refused(document: bytes) -> None:
    """Read as strictly as everything from outside."""
    with pytest.raises(Malformed):
        read_keyset(document)


def test_a_key_is_used_for_its_own_algorithm_alone() -> None:
    """RFC 7517 section 4.4: a key that names its algorithm is of that one; else of those of its kind."""
    public = rsa_key().as_dict(private=False)
    keys = read_keyset(only({**public, "kid": "a", "alg": "RS256"}, {**public, "kid": "b"}))
    assert keys.candidates({"alg": "RS256", "kid": "a"})
    assert not keys.candidates({"alg": "PS256", "kid": "a"})
    assert keys.candidates({"alg": "PS256", "kid": "b"})
    others: list[Any] = ["none", "HS256", "ES256", None, ["RS256"], {}]
    for algorithm in others:
        assert not keys.candidates({"alg": algorithm, "kid": "b"})


def test_without_a_kid_only_the_only_key_is_meant() -> None:
    """With a second one of the algorithm, a token must say which."""
    one, two = (ECKey.generate_key("P-256").as_dict(private=False) for _ in range(2))
    other = OKPKey.generate_key("Ed25519").as_dict(private=False)
    keys = read_keyset(only({**one, "kid": "a"}, {**other, "kid": "c"}))
    assert len(keys.candidates({"alg": "ES256"})) == 1
    assert read_keyset(only({**one, "kid": "a"}, {**two, "kid": "b"})).candidates({"alg": "ES256"}) == ()
    assert keys.candidates({"alg": "ES256", "kid": None}) == keys.candidates({"alg": "ES256"})
    assert keys.candidates({"alg": "ES256", "kid": 7}) == ()


def test_a_public_key_is_never_taken_for_a_shared_secret() -> None:
    """RFC 8725 section 2.1: HS256 under the text of the public key does not hold."""
    issuer = WorldIssuer(algorithm="RS256")
    keys = read_keyset(issuer.jwks)
    (key,) = issuer.keys.values()
    header = {"alg": "HS256", "kid": "key-1"}
    signed = ".".join(b64(json.dumps(part).encode()) for part in (header, issuer.claims()))
    assert isinstance(key, RSAKey)
    for secret in (key.as_pem(private=False), json.dumps(issuer.jwks["keys"][0]).encode()):
        token = f"{signed}.{b64(hmac.digest(secret, signed.encode(), 'sha256'))}"
        assert keys.candidates(header) == ()
        for one in keys.keys["key-1"]:
            with pytest.raises(Unauthenticated):
                verify_signature(token, header, [one])


def test_keys_of_one_kid_are_told_apart_by_their_kind() -> None:
    """RFC 7517 section 4.5: keys of different kinds may share a `kid`."""
    rsa, ec = WorldIssuer(algorithm="RS256"), WorldIssuer(algorithm="ES256")
    keys = read_keyset(only(*rsa.jwks["keys"], *ec.jwks["keys"]))
    for issuer in (rsa, ec):
        token = issuer.token()
        header = read_compact(token).header
        verify_signature(token, header, keys.candidates(header))
