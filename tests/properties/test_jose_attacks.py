# SPDX-License-Identifier: Apache-2.0
"""Every place that takes a signed token, against every known way to have a wrong one taken.

The attacks are those that Project Wycheproof and RFC 8725 collect. Most forgeries here carry a *good*
signature of the right key over wrong bytes, so that what refuses them is what was meant to.
"""

import base64
import hashlib
import hmac
import itertools
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from remit.core.oauth.dpop import token_hash, verify_proof
from tests.samples.jose_verifiers import (
    KEY,
    KID,
    NOW,
    ORDER,
    OTHER,
    PUBLIC,
    URL,
    VERIFIERS,
    Verifier,
    b64,
    every_verifier,
    jwk_of,
    signature,
    signed,
)

Json = Any


@every_verifier
def test_a_good_token_is_taken(verifier: Verifier) -> None:
    """What follows would prove nothing if nothing were ever taken."""
    verifier.take(verifier.token())


@every_verifier
def test_a_signature_of_another_key_is_refused(verifier: Verifier) -> None:
    """The same bytes, signed by another party, are refused."""
    verifier.refuses(verifier.token(key=OTHER))


# Algorithm confusion (RFC 8725 section 2.1).


@every_verifier
@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", ""])
def test_none_is_no_algorithm(verifier: Verifier, name: str) -> None:
    """However it is spelled, with or without something in the place of a signature."""
    header, payload, tail = verifier.token({"alg": name}).split(".")
    verifier.refuses(f"{header}.{payload}.{tail}")
    verifier.refuses(f"{header}.{payload}.")


def _secrets() -> dict[str, bytes]:
    public = KEY.public_key()
    forms = serialization.PublicFormat
    numbers = public.public_numbers()
    pem = public.public_bytes(serialization.Encoding.PEM, forms.SubjectPublicKeyInfo)
    return {
        "pem": pem,
        "pem without its last line break": pem.strip(),
        "der": public.public_bytes(serialization.Encoding.DER, forms.SubjectPublicKeyInfo),
        "point": public.public_bytes(serialization.Encoding.X962, forms.UncompressedPoint),
        "compressed point": public.public_bytes(serialization.Encoding.X962, forms.CompressedPoint),
        "coordinates": numbers.x.to_bytes(32) + numbers.y.to_bytes(32),
        "jwk": json.dumps(PUBLIC).encode(),
        "jwk without spaces": json.dumps(PUBLIC, separators=(",", ":")).encode(),
        "nothing": b"",
    }


@every_verifier
@pytest.mark.parametrize(("name", "digest"), [("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")])
def test_a_public_key_is_no_shared_secret(verifier: Verifier, name: str, digest: str) -> None:
    """The public key, in each form that a program may hold it, used as the key of an HMAC."""
    header, payload, _ = verifier.token({"alg": name}).split(".")
    for secret in _secrets().values():
        mac = hmac.digest(secret, f"{header}.{payload}".encode(), digest)
        verifier.refuses(f"{header}.{payload}.{b64(mac)}")


@every_verifier
@pytest.mark.parametrize(
    "algorithm",
    [
        *("es256", "ES256 ", " ES256", "ES256\x00", "ES256K", "ES384", "ES512", "RS256", "PS256", "EdDSA"),
        *("Ed25519", "ECDH-ES", "dir", "A128KW", None, 0, 256, True, ["ES256"], {"name": "ES256"}, ...),
    ],
)
def test_a_key_is_used_for_its_own_algorithm_alone(verifier: Verifier, algorithm: Json) -> None:
    """A good ES256 signature under any other name, or under none, is no signature."""
    verifier.refuses(verifier.token({"alg": algorithm}))


# Keys that a token brings along (RFC 8725 sections 3.5, 3.10), and headers that change how the rest is read.


@every_verifier
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("jwk", jwk_of(OTHER)),
        ("jwk", {"kty": "oct", "k": b64(b"secret")}),
        ("jku", "https://attacker.example/keys"),
        ("x5u", "https://attacker.example/cert"),
        ("x5c", ["MIIB"]),
        ("x5t#S256", b64(hashlib.sha256(b"cert").digest())),
        ("crit", ["exp"]),
        ("crit", ["b64"]),
        ("crit", []),
        ("crit", ["unknown"]),
        ("b64", False),
        ("b64", True),
        ("zip", "DEF"),
    ],
)
@pytest.mark.parametrize("key", [KEY, OTHER], ids=["signed by the key", "signed by another"])
def test_a_header_brings_no_key_and_changes_nothing(
    verifier: Verifier, name: str, value: Json, key: ec.EllipticCurvePrivateKey
) -> None:
    """With a good signature or with that of the key which it brings, such a token is refused."""
    if name in verifier.needs and value == jwk_of(OTHER) and key is OTHER:
        # A proof may come with any key: whose it is, the token beside it says.
        assert verify_proof(
            verifier.token({name: value}, key=key),
            method="POST", url=URL, now=NOW, token_hash=token_hash("at"),
        ).thumbprint != verify_proof(
            verifier.token(), method="POST", url=URL, now=NOW, token_hash=token_hash("at")
        ).thumbprint  # fmt: skip
        return
    verifier.refuses(verifier.token({name: value}, key=key))


@every_verifier
@pytest.mark.parametrize(
    "kid", [7, None, [], {"a": 1}, "../../etc/passwd", "' or 1=1 --", "x" * 10_000, True]
)
def test_a_key_id_is_a_name_and_nothing_else(verifier: Verifier, kid: Json) -> None:
    """What names no key finds none; where keys are not named, it decides nothing."""
    if "kid" in verifier.header:
        verifier.refuses(verifier.token({"kid": kid}))


# Signatures that are none (Wycheproof: ECDSA edge cases).


@every_verifier
@pytest.mark.parametrize(
    "forged",
    [
        b"",
        bytes(64),
        bytes(32) + (1).to_bytes(32),
        (1).to_bytes(32) + bytes(32),
        ORDER.to_bytes(32) * 2,
        (ORDER - 1).to_bytes(32) * 2,
        (1).to_bytes(32) * 2,
        b"\xff" * 64,
        bytes(63),
        bytes(65),
        bytes(128),
    ],
)
def test_numbers_at_the_edge_make_no_signature(verifier: Verifier, forged: bytes) -> None:
    """Zero, one, the order of the curve and what lies beyond it hold for no message."""
    header, payload, _ = verifier.token().split(".")
    verifier.refuses(f"{header}.{payload}.{b64(forged)}")


@every_verifier
def test_a_signature_has_one_form(verifier: Verifier) -> None:
    """RFC 7518 section 3.4: two numbers of 32 bytes; not DER, not shorter, not longer, not r + n."""
    header, payload, tail = verifier.token().split(".")
    good = base64.urlsafe_b64decode(tail + "==")
    der = KEY.sign(f"{header}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
    r = int.from_bytes(good[:32])
    for forged in (der, good[:-1], good + b"\0", b"\0" + good, good[32:] + good[:32], good * 2):
        verifier.refuses(f"{header}.{payload}.{b64(forged)}")
    if r + ORDER < 1 << 256:
        verifier.refuses(f"{header}.{payload}.{b64((r + ORDER).to_bytes(32) + good[32:])}")


# One way to write it (RFC 7515 section 2, RFC 8259, RFC 7493).


def _twice(part: Json, name: str, first: Json) -> bytes:
    rest = json.dumps(part)
    return f'{{"{name}":{json.dumps(first)},{rest[1:]}'.encode()


@every_verifier
def test_a_member_that_comes_twice_is_refused(verifier: Verifier) -> None:
    """In header and claims alike, whichever of the two would be the good one, and escaped too."""
    header, claims = b64(json.dumps(verifier.header).encode()), b64(json.dumps(verifier.claims).encode())
    verifier.refuses(signed(b64(_twice(verifier.header, "alg", "none")), claims))
    verifier.refuses(signed(b64(_twice(verifier.header, "alg", "ES256")), claims))
    verifier.refuses(signed(b64(_twice(verifier.header, "\\u0061lg", "none")), claims))
    for name in verifier.claims:
        verifier.refuses(signed(header, b64(_twice(verifier.claims, name, "attacker"))))
        verifier.refuses(signed(header, b64(_twice(verifier.claims, name, verifier.claims[name]))))


@every_verifier
@pytest.mark.parametrize("tail", [b" {}", b"x", b"\0", b',"a":1', b"{}", b"]"])
def test_nothing_stands_behind_the_json(verifier: Verifier, tail: bytes) -> None:
    """A text that goes on after its value is no JSON."""
    header, claims = json.dumps(verifier.header).encode(), json.dumps(verifier.claims).encode()
    verifier.refuses(signed(b64(header + tail), b64(claims)))
    verifier.refuses(signed(b64(header), b64(claims + tail)))


@every_verifier
@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b"7", b'"x"', b"{", b"\xff", b"\xef\xbb\xbf{}", b"{'a':1}"]
)
def test_a_part_is_one_json_object(verifier: Verifier, text: bytes) -> None:
    """Nothing, a list, a word, half an object and bytes that are no UTF-8 are none."""
    header, claims = b64(json.dumps(verifier.header).encode()), b64(json.dumps(verifier.claims).encode())
    verifier.refuses(signed(b64(text), claims))
    verifier.refuses(signed(header, b64(text)))


@every_verifier
@pytest.mark.parametrize("mark", ["=", "==", "\n", " ", "\t", "%3D", "+", "/", "é", "\0"])
def test_base64url_has_one_spelling(verifier: Verifier, mark: str) -> None:
    """Padding, blanks and letters of another alphabet: signed as they stand, and refused all the same."""
    for part, front in itertools.product(range(3), (True, False)):
        parts = verifier.token().split(".")
        parts[part] = mark + parts[part] if front else parts[part] + mark
        if part < 2:
            parts[2] = b64(signature(f"{parts[0]}.{parts[1]}".encode()))
        verifier.refuses(".".join(parts))


@every_verifier
def test_bits_that_mean_nothing_are_zero(verifier: Verifier) -> None:
    """RFC 4648 section 3.5: the last letter of a part could be written in several ways."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    header, payload, tail = verifier.token().split(".")
    assert len(tail) % 4 == 2  # 64 bytes: four bits are left over
    other = alphabet[alphabet.index(tail[-1]) + 1]
    verifier.refuses(f"{header}.{payload}.{tail[:-1]}{other}")


@every_verifier
def test_a_token_has_three_parts(verifier: Verifier) -> None:
    """Fewer, more, detached, nested, or in one of the JSON forms: not here."""
    token = verifier.token()
    header, payload, tail = token.split(".")
    document = {"protected": header, "payload": payload, "signature": tail}
    for other in (
        *("", ".", "..", "...", header, f"{header}.{payload}", f"{header}..{tail}", f".{payload}.{tail}"),
        *(f"{token}.", f".{token}", f"{token}.{tail}", f"{header}.{payload}.a.b.{tail}", f"{token},{token}"),
        *(f" {token}", f"{token} ", f"{token}\n", f"Bearer {token}", f'"{token}"'),
        json.dumps(document),
        json.dumps({"payload": payload, "signatures": [{"protected": header, "signature": tail}]}),
    ):
        verifier.refuses(other)


# Size.


@every_verifier
def test_a_token_of_ten_megabytes_is_refused_unread(verifier: Verifier) -> None:
    """Whatever is in it, and wherever it is large."""
    header, payload, tail = verifier.token().split(".")
    large = "A" * 10_000_000
    for token in (
        f"{header}.{payload}.{large}",
        f"{header}.{large}.{tail}",
        f"{large}.{payload}.{tail}",
        large,
    ):
        verifier.refuses(token)


@every_verifier
def test_deep_nesting_is_refused(verifier: Verifier) -> None:
    """A value of many levels in header or claims ends in a refusal, not in a defect."""
    deep = json.loads("[" * 200 + "]" * 200)
    verifier.refuses(verifier.token({"deep": deep}))
    verifier.refuses(verifier.token(claims={"deep": deep}))


# Kinds of tokens (RFC 8725 section 3.12): a good token of one kind is none of another.


BY_NAME = {verifier.name: verifier for verifier in VERIFIERS}


@pytest.mark.parametrize(
    ("kind", "shown_as"),
    [
        ("access token of ours", "client assertion"),
        ("proof of possession", "client assertion"),
        ("access token of ours", "jwt-svid"),
        ("proof of possession", "jwt-svid"),
        ("proof of possession", "access token of ours"),
        *(
            (verifier.name, "proof of possession")
            for verifier in VERIFIERS
            if verifier.name != "proof of possession"
        ),
    ],
)
def test_a_token_of_one_kind_passes_for_no_other(kind: str, shown_as: str) -> None:
    """Though the same key signs it and it holds every claim that is wanted, its header tells what it is."""
    made, shown = BY_NAME[kind], BY_NAME[shown_as]
    header = {**made.header, "kid": KID}
    shown.refuses(made.token(header, {**shown.claims}))


@every_verifier
@given(data=st.data())
def test_no_changed_byte_passes(verifier: Verifier, data: st.DataObject) -> None:
    """Whatever single character of a good token is changed, it is refused."""
    token = verifier.token()
    at = data.draw(st.integers(0, len(token) - 1))
    new = data.draw(st.characters(min_codepoint=1, max_codepoint=0x2FF).filter(lambda one: one != token[at]))
    verifier.refuses(token[:at] + new + token[at + 1 :])


@every_verifier
@given(text=st.one_of(st.text(), st.text(alphabet="eyJhbGciOiJFUzI1NiJ9.{}_-=", min_size=1, max_size=80)))
def test_whatever_comes_is_refused_in_order(verifier: Verifier, text: str) -> None:
    """Any text at all ends in a refusal of the gateway's own kind."""
    verifier.refuses(text)
