# SPDX-License-Identifier: Apache-2.0
"""Sealing: keeps values out of the evidence log and yet binds the log to them.

A leaf holds a salted commitment to each sensitive value (`commit`), which reveals nothing without its salt.
Values and salts are encrypted together, one blob per event, under a key of their subject (`seal`); that key
is stored wrapped under a key-encryption key (`wrap_key`). Deleting a subject's key makes its values
unreadable for good, while each leaf, and so each proof, stays unchanged.

Encryption is AES-256-GCM (NIST SP 800-38D), commitments are HMAC-SHA256 (RFC 2104); all entropy is an
argument.
"""

import binascii
import hmac
from collections.abc import Mapping, Sequence
from typing import cast

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from remit.core.canonical import Json, encode, encode_trusted
from remit.core.errors import Malformed, VerificationFailed

KEY_SIZE = 32
NONCE_SIZE = 12
SALT_SIZE = 16
MAX_SALT_SIZE = 32

# The first byte of a blob states its format. The contexts separate the blobs of the two purposes.
_VERSION = b"\x01"
_SEAL_CONTEXT = b"remit seal v1\x00"
_WRAP_CONTEXT = b"remit wrap v1\x00"

_SCALARS = frozenset({str, int, bool, type(None)})
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_URL_UNSAFE = bytes.maketrans(b"-_", b"+/")

Openings = dict[str, list[Json]]
"""For each name, the opening of its commitment: `[salt in base64url, value]`."""


def commit(name: str, value: object, salt: bytes) -> str:
    """Commit to a named value: base64url of HMAC-SHA256 with `salt` as key, over RFC 8785 of `[name, value]`.

    `salt` is 16 to 32 random bytes, used only for this value: without the salt, a guessed value cannot be
    tested. Raises `Malformed` for another size, and for a value without a canonical form.
    """
    if not SALT_SIZE <= len(salt) <= MAX_SALT_SIZE:
        raise Malformed(f"a salt is {SALT_SIZE} to {MAX_SALT_SIZE} bytes")
    pair = [name, value]
    # Both encoders write lists and non-float scalars alike; the check is most of the cost.
    plain = type(name) is str and type(value) in _SCALARS
    return _text(hmac.digest(salt, encode_trusted(pair) if plain else encode(pair), "sha256"))


def open_commitment(commitment: str, name: str, value: object, salt: bytes) -> bool:
    """Return whether `commitment` is to this name and value, in time independent of the result."""
    return hmac.compare_digest(
        commit(name, value, salt).encode(), commitment.encode("utf-8", "surrogatepass")
    )


def conceal(values: Mapping[str, object], salts: Sequence[bytes]) -> tuple[dict[str, str], Openings]:
    """Split an event's values into the commitments for its leaf and the openings for its sealed blob.

    `salts` has one salt for each value, in the same order.
    """
    commitments: dict[str, str] = {}
    openings: Openings = {}
    for (name, value), salt in zip(values.items(), salts, strict=True):
        commitments[name] = commit(name, value, salt)
        openings[name] = [_text(salt), cast(Json, value)]
    return commitments, openings


def reveal(openings: Openings, commitments: Mapping[str, str]) -> dict[str, Json]:
    """Return the values of an unsealed blob after checking each against its leaf's commitment.

    Raises `VerificationFailed` that names the first value that differs, or that is missing on either side.
    """
    if openings.keys() != commitments.keys():
        name = min(openings.keys() ^ commitments.keys())
        raise VerificationFailed(
            f"the leaf and its sealed values disagree about `{name}`", code="commitment-mismatch"
        )
    values: dict[str, Json] = {}
    for name, (salt, value) in openings.items():
        if not open_commitment(commitments[name], name, value, _bytes(salt)):
            raise VerificationFailed(
                f"the sealed `{name}` does not match the leaf's commitment", code="commitment-mismatch"
            )
        values[name] = value
    return values


def seal(subject_key: bytes | AESGCM, nonce: bytes, openings: Openings, associated_data: bytes) -> bytes:
    """Encrypt an event's openings under its subject's key: 32 bytes, or the result of `cipher` for them.

    `associated_data` is the event's id or leaf hash: the blob opens only for that event. INVARIANT: `nonce`
    is 12 random bytes, never used with this key before (one key seals at most 2**32 events).
    """
    # Nothing is hashed here, so the form need not be canonical, only lossless.
    try:
        plaintext = orjson.dumps(openings)
    except TypeError as fault:
        raise Malformed("a value has no form in JSON", code="not-json", debug=str(fault)) from None
    return _encrypt(subject_key, nonce, plaintext, _SEAL_CONTEXT + associated_data)


def unseal(subject_key: bytes, sealed: bytes, associated_data: bytes) -> Openings:
    """Decrypt the output of `seal`; raise `VerificationFailed` for another key, another event or a changed
    blob.
    """
    plaintext = _decrypt(subject_key, sealed, _SEAL_CONTEXT + associated_data, "sealed values")
    return cast(Openings, orjson.loads(plaintext))  # authentic, so written by `seal`


def wrap_key(sealing_key: bytes, nonce: bytes, subject_key: bytes, subject: str) -> bytes:
    """Encrypt a subject's key under the key-encryption key, bound to this subject.

    AES-GCM rather than AES key wrap (RFC 5649), because the latter binds no name: a wrapped key could be
    moved to another subject. INVARIANT: `nonce` is 12 random bytes, never used with this key before.
    """
    if len(subject_key) != KEY_SIZE:
        raise Malformed(f"a subject's key is {KEY_SIZE} bytes")
    return _encrypt(sealing_key, nonce, subject_key, _WRAP_CONTEXT + subject.encode())


def unwrap_key(sealing_key: bytes, wrapped: bytes, subject: str) -> bytes:
    """Decrypt the output of `wrap_key`; raise `VerificationFailed` for another key or subject, or a changed
    blob.
    """
    return _decrypt(sealing_key, wrapped, _WRAP_CONTEXT + subject.encode(), "wrapped key")


def cipher(key: bytes) -> AESGCM:
    """Prepare a key for many uses; keep the result no longer than the key itself."""
    if len(key) != KEY_SIZE:
        raise Malformed(f"a key for sealing is {KEY_SIZE} bytes")
    return AESGCM(key)


def _encrypt(key: bytes | AESGCM, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
    if len(nonce) != NONCE_SIZE:
        raise Malformed(f"a nonce is {NONCE_SIZE} bytes")
    ready = cipher(key) if isinstance(key, bytes) else key
    return _VERSION + nonce + ready.encrypt(nonce, plaintext, associated_data)


def _decrypt(key: bytes, blob: bytes, associated_data: bytes, what: str) -> bytes:
    if blob[:1] != _VERSION or len(blob) < 1 + NONCE_SIZE + 16:
        raise Malformed(f"the {what} have an unknown format")
    nonce, ciphertext = blob[1 : 1 + NONCE_SIZE], blob[1 + NONCE_SIZE :]
    try:
        return cipher(key).decrypt(nonce, ciphertext, associated_data)
    except InvalidTag:
        raise VerificationFailed(
            f"the {what} cannot be opened: wrong key, wrong place, or changed", code="unseal-failed"
        ) from None


def _text(data: bytes) -> str:
    """Encode base64url without padding (RFC 7515 appendix C)."""
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def _bytes(text: Json) -> bytes:
    """Decode a salt, in canonical base64url only."""
    written = str(text)
    try:
        data = binascii.a2b_base64(written.encode().translate(_URL_UNSAFE) + b"=" * (-len(written) % 4))
    except (binascii.Error, ValueError):
        raise Malformed("a salt is not base64url") from None
    if _text(data) != written:
        raise Malformed("a salt is not base64url in its shortest form")
    return data
