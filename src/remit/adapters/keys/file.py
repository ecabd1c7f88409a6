# SPDX-License-Identifier: Apache-2.0
"""Keys as files in one folder (mode 0700), each key in a file of its own (mode 0600).

    token-1.pem, token-2.pem, ...    ES256; the highest number signs, all of them verify
    checkpoint-1.pem, ...            Ed25519; the highest number signs, all are published
    sealing.key                      32 random bytes

Rotation is one more file with the next number (`rotate`); a key retires when its file goes. A file of one
purpose cannot be read as one of another: the types differ.

Tokens are ES256 because they are checked more often than they are signed: 13,400 checks a second and core
against 8,600 with Ed25519 (OpenSSL has assembly for P-256).
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from remit.adapters.keys.files import check_folder, create_secret, next_place, numbered, read_secret
from remit.core.canonical import encode, parse_strict
from remit.core.checkpoint import VerifierKey
from remit.core.errors import KeyUnavailable, Malformed, Unauthenticated
from remit.core.token import ALGORITHMS
from remit.ports.keys import Json
from remit.ports.runtime import Entropy

ALGORITHM = "ES256"
SEALING_BYTES = 32
MAX_TOKEN_BYTES = 16 * 1024

_SEALING_PREFIX = b"remit-sealing-key-1:"

# RFC 7515 section 4.1 and RFC 7797: header parameters that would bring a key along, or change how the rest is
# read.
_REFUSED = ("crit", "b64", "jwk", "jku", "x5c", "x5u", "zip")

_REGISTRY = jws.JWSRegistry(algorithms=[ALGORITHM])


class FileTokenKeys:
    """`ports.keys.TokenKeys`: ES256, with the RFC 7638 thumbprint as `kid`."""

    def __init__(self, folder: Path) -> None:
        """Load the keys in `folder`, or make the first; raises `KeyUnavailable`."""
        self._folder = folder
        check_folder(folder)
        if not numbered(folder, "token", "pem"):
            self._create()
        self._keys: dict[str, ECKey] = {}
        self._load()

    def _create(self) -> None:
        key = ECKey.generate_key("P-256", private=True)
        create_secret(next_place(self._folder, "token", "pem"), key.as_pem(private=True))

    def _load(self) -> None:
        keys: dict[str, ECKey] = {}
        for place in numbered(self._folder, "token", "pem"):
            try:
                key = ECKey.import_key(read_secret(place))
            except (ValueError, TypeError, JoseError) as fault:
                raise _unreadable(place, "an ES256 private key", fault) from fault
            if not key.is_private or key.curve_name != "P-256":
                raise _unreadable(place, "an ES256 private key", None)
            keys[key.thumbprint()] = key
        self._keys = keys
        self._kid = next(iter(keys))

    def rotate(self) -> str:
        """Make a new key that signs from now on, keep the others for checking, and give the new one's
        `kid`.
        """
        self._create()
        self._load()
        return self._kid

    async def sign(self, claims: dict[str, Json], *, token_type: str) -> str:
        """Give a compact JWS over `claims` under the current key."""
        header = {"alg": ALGORITHM, "kid": self._kid, "typ": token_type}
        return jws.serialize_compact(header, encode(claims), self._keys[self._kid], registry=_REGISTRY)

    def verify(self, token: str) -> tuple[dict[str, Json], dict[str, Json]]:
        """Give header and claims of a token of ours whose signature holds."""
        header = _header(token)
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS or algorithm != ALGORITHM:
            raise _refused("the token's algorithm is not accepted", "token-algorithm")
        if any(name in header for name in _REFUSED):
            raise _refused("the token's header asks for what is not accepted", "token-header")
        key = self._keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise _refused("the token is signed by a key that is not ours", "token-key")
        try:
            found = jws.deserialize_compact(token, key, registry=_REGISTRY)
        except (JoseError, ValueError) as fault:
            raise _refused("the token's signature does not hold", "token-signature", str(fault)) from None
        return header, _object(found.payload)

    def jwks(self) -> dict[str, Json]:
        """Give the public keys as a JWK Set."""
        return {
            "keys": [
                {**key.as_dict(private=False), "kid": kid, "alg": ALGORITHM, "use": "sig"}
                for kid, key in self._keys.items()
            ]
        }


class FileCheckpointKeys:
    """`ports.keys.CheckpointKeys`: Ed25519, published in the C2SP form of a note's verifier."""

    def __init__(self, folder: Path, name: str) -> None:
        """Load the keys in `folder`, or make the first; `name` is the signer's name in its notes."""
        self._folder = folder
        self._name = name
        check_folder(folder)
        if not numbered(folder, "checkpoint", "pem"):
            self._create()
        self._keys: list[Ed25519PrivateKey] = []
        self._load()

    def _create(self) -> None:
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        create_secret(next_place(self._folder, "checkpoint", "pem"), pem)

    def _load(self) -> None:
        keys = []
        for place in numbered(self._folder, "checkpoint", "pem"):
            try:
                key = serialization.load_pem_private_key(read_secret(place), None)
            except (ValueError, TypeError) as fault:
                raise _unreadable(place, "an Ed25519 private key", fault) from fault
            if not isinstance(key, Ed25519PrivateKey):
                raise _unreadable(place, "an Ed25519 private key", None)
            keys.append(key)
        self._keys = keys

    def rotate(self) -> str:
        """Make a new key that signs from now on, and give its verifier; publish it before the next
        checkpoint.
        """
        self._create()
        self._load()
        return self.verifier

    @property
    def verifier(self) -> str:
        """The public key that checks what is signed now."""
        return self.verifiers[0]

    @property
    def verifiers(self) -> tuple[str, ...]:
        """The public keys of all checkpoints that were ever signed with a key in the folder, newest first."""
        return tuple(str(VerifierKey(self._name, key.public_key().public_bytes_raw())) for key in self._keys)

    async def sign_note(self, body: bytes) -> tuple[str, bytes]:
        """Give the verifier, and the raw Ed25519 signature over a note's body."""
        return self.verifier, self._keys[0].sign(body)


class FileSealingKeys:
    """`ports.keys.SealingKeys`: one key. Losing its file loses every sealed value; copy it to a safe
    place.
    """

    def __init__(self, folder: Path, entropy: Entropy) -> None:
        """Load the key in `folder`, or make it."""
        check_folder(folder)
        place = folder / "sealing.key"
        if not place.is_symlink() and not place.exists():
            fresh = entropy.bytes(SEALING_BYTES)
            create_secret(place, _SEALING_PREFIX + base64.b64encode(fresh) + b"\n")
        data = read_secret(place)
        try:
            key = base64.b64decode(data.removeprefix(_SEALING_PREFIX).strip(), validate=True)
        except binascii.Error as fault:
            raise _unreadable(place, "a sealing key", fault) from fault
        if not data.startswith(_SEALING_PREFIX) or len(key) != SEALING_BYTES:
            raise _unreadable(place, "a sealing key", None)
        self._key = key

    def sealing_key(self) -> bytes:
        """Give the 32 bytes of the key-encryption key."""
        return self._key


def _header(token: str) -> dict[str, Json]:
    if len(token) > MAX_TOKEN_BYTES or token.count(".") != 2 or not token.isascii():
        raise _refused("this is not a signed token", "token-malformed")
    part = token.partition(".")[0]
    try:
        # RFC 7515 section 2: base64url without padding.
        data = base64.b64decode(part + "=" * (-len(part) % 4), b"-_", validate=True)
    except binascii.Error:
        raise _refused("this is not a signed token", "token-malformed") from None
    return _object(data)


def _object(data: bytes) -> dict[str, Json]:
    try:
        value = parse_strict(data, max_bytes=MAX_TOKEN_BYTES)
    except Malformed as fault:
        raise _refused("this is not a signed token", "token-malformed", str(fault)) from None
    if not isinstance(value, dict):
        raise _refused("this is not a signed token", "token-malformed")
    return cast("dict[str, Json]", value)


def _refused(message: str, code: str, debug: str = "") -> Unauthenticated:
    return Unauthenticated(message, code=code, way_out="ask remit for a new token", debug=debug)


def _unreadable(place: Path, what: str, fault: Exception | None) -> KeyUnavailable:
    return KeyUnavailable(
        f"`{place}` does not hold {what}",
        way_out="restore the file from a copy, or move it away to have a new key made",
        debug=str(fault or ""),
    )
