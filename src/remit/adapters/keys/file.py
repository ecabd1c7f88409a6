# SPDX-License-Identifier: Apache-2.0
"""Keys as files in one folder, with one book for each kind.

    token-1.pem, token-2.pem, ...    ES256, for access tokens
    checkpoint-1.pem, ...            Ed25519, for heads of the log
    sealing-1.key, ...               32 random bytes each
    ca-1.pem, ...                    P-256, followed by the authority's certificate
    svid-1.pem, ...                  ES256, for JWT-SVIDs

A key file of one purpose cannot be read as one of another: the types differ, and the books name each key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509 import load_pem_x509_certificate
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from remit.adapters.keys.jwt import ALGORITHM, REGISTRY, public_set, verified
from remit.adapters.keys.key_folder import KeyFolder, KeyFormat
from remit.adapters.keys.overlaps import (
    CHECKPOINT_RULES,
    MAX_SIGNERS,
    SEALING_RULES,
    authority_rules,
    jwt_rules,
)
from remit.adapters.keys.rotation import RotatingFileKeys, RotatingSealing, RotatingVerifiers
from remit.adapters.keys.secret_files import check_folder
from remit.core.canonical import encode
from remit.core.evidence.checkpoint import VerifierKey
from remit.core.identity.svid import SERIAL_BYTES, authority_certificate, key_id
from remit.core.json_value import Json
from remit.core.keys.own_keys import KeyKind
from remit.ports.runtime import Clock, Entropy

SEALING_BYTES = 32

_SEALING_PREFIX = b"remit-sealing-key-1:"


class FileTokenKeys(RotatingFileKeys[ECKey]):
    """`ports.keys.TokenKeys`: ES256, with the RFC 7638 thumbprint as `kid`."""

    def __init__(
        self, folder: Path, clock: Clock, *, kind: KeyKind = KeyKind.TOKEN, overlap: timedelta | None = None
    ) -> None:
        """Load the keys in `folder`, or create the first; raise `KeyUnavailable`.

        `kind` is `TOKEN`, or `SVID` for JWT-SVIDs; `overlap` must be no shorter than the longest life of a
        token.
        """
        self.kind = kind
        self._shelf = KeyFolder(folder, jwt_rules(kind, overlap), _JWT, clock)

    @property
    def generation(self) -> int:
        """A counter that rises whenever a key is no longer accepted."""
        return self._shelf.generation

    async def sign(self, claims: dict[str, Json], *, token_type: str) -> str:
        """Return a compact JWS over `claims`, signed with the current key."""
        header = {"alg": ALGORITHM, "kid": self._shelf.current.id, "typ": token_type}
        return jws.serialize_compact(header, encode(claims), self._shelf.key, registry=REGISTRY)

    def verify(self, token: str) -> tuple[dict[str, Json], dict[str, Json]]:
        """Return header and claims of an own token with a valid signature."""
        return verified(token, self._shelf.keys)

    def jwks(self) -> dict[str, Json]:
        """Return the public keys as a JWK Set, with the current key first."""
        current = self._shelf.current.id
        return public_set({current: self._shelf.key} | self._shelf.keys)


class FileCheckpointKeys(RotatingFileKeys[Ed25519PrivateKey], RotatingVerifiers[Ed25519PrivateKey]):
    """`ports.keys.CheckpointKeys`: Ed25519, published as C2SP verifier keys of notes."""

    kind = KeyKind.CHECKPOINT

    def __init__(self, folder: Path, name: str, clock: Clock) -> None:
        """Load the keys in `folder`, or create the first; `name` is the signer's name in notes."""
        craft = KeyFormat(
            what="an Ed25519 private key",
            suffix="pem",
            make=_make_ed25519,
            read=_read_ed25519,
            name=lambda key: str(VerifierKey(name, key.public_key().public_bytes_raw())),
        )
        self._shelf = KeyFolder(folder, CHECKPOINT_RULES, craft, clock)

    async def sign_note(self, body: bytes) -> tuple[tuple[str, bytes], ...]:
        """Return the signatures of the current key and of previous keys over a note's body."""
        signers = islice(self._shelf.keys.items(), MAX_SIGNERS)
        return tuple((verifier, key.sign(body)) for verifier, key in signers)


class FileSealingKeys(RotatingSealing):
    """`ports.keys.SealingKeys`. Losing a key in use loses every value sealed under it: back up the folder."""

    kind = KeyKind.SEALING

    def __init__(self, folder: Path, entropy: Entropy, clock: Clock) -> None:
        """Load the keys in `folder`, or create the first."""
        craft = KeyFormat(
            what="a sealing key",
            suffix="key",
            make=lambda _: _SEALING_PREFIX + base64.b64encode(entropy.bytes(SEALING_BYTES)) + b"\n",
            read=_read_sealing,
            name=sealing_id,
        )
        check_folder(folder)
        # A single sealing key of an older version has no number.
        only = folder / "sealing.key"
        if only.exists() and not only.is_symlink() and not (folder / "sealing-1.key").exists():
            only.rename(folder / "sealing-1.key")
        self._shelf = KeyFolder(folder, SEALING_RULES, craft, clock)


def sealing_id(key: bytes) -> str:
    """Return the id of a sealing key, a digest: 32 random bytes cannot be guessed from it."""
    return hashlib.sha256(b"remit sealing key id 1\x00" + key).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Authority:
    """One key of the certificate authority, and its certificate in DER."""

    private: ec.EllipticCurvePrivateKey
    certificate: bytes


class FileAuthorityKeys(RotatingFileKeys[Authority]):
    """`ports.keys.AuthorityKeys`: P-256, each key with its self-signed certificate."""

    kind = KeyKind.CA

    def __init__(
        self,
        folder: Path,
        trust_domain: str,
        entropy: Entropy,
        clock: Clock,
        *,
        life: timedelta,
        overlap: timedelta,
    ) -> None:
        """Load the keys in `folder`, or create the first.

        `life` is the life of an authority certificate; `overlap` must be no shorter than the life of the
        longest SVID.
        """
        craft = KeyFormat(
            what=f"an authority of trust domain `{trust_domain}`",
            suffix="pem",
            make=_make_authority(trust_domain, entropy, life),
            read=_read_authority,
            name=lambda one: key_id(one.private.public_key()),
        )
        self._shelf = KeyFolder(folder, authority_rules(overlap), craft, clock)

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """The certificates of the next, current and previous keys."""
        return tuple(one.certificate for one in self._shelf.keys.values())

    @property
    def certificate(self) -> bytes:
        """The certificate of the current key."""
        return self._shelf.key.certificate

    async def sign(self, tbs: bytes) -> bytes:
        """Return the signature over a certificate's to-be-signed bytes."""
        return self._shelf.key.private.sign(tbs, ec.ECDSA(hashes.SHA256()))


def _pem(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read_jwt(data: bytes) -> ECKey:
    try:
        key = ECKey.import_key(data)
    except JoseError as fault:
        raise ValueError(str(fault)) from fault
    if not key.is_private or key.curve_name != "P-256" or b"CERTIFICATE" in data:
        raise ValueError("another kind of key")
    return key


_JWT: KeyFormat[ECKey] = KeyFormat(
    what="an ES256 private key",
    suffix="pem",
    make=lambda _: ECKey.generate_key("P-256", private=True).as_pem(private=True),
    read=_read_jwt,
    name=lambda key: key.thumbprint(),
)


def _make_ed25519(_: datetime) -> bytes:
    return _pem(Ed25519PrivateKey.generate())


def _read_ed25519(data: bytes) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(data, None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("another kind of key")
    return key


def _read_sealing(data: bytes) -> bytes:
    try:
        key = base64.b64decode(data.removeprefix(_SEALING_PREFIX).strip(), validate=True)
    except binascii.Error as fault:
        raise ValueError(str(fault)) from fault
    if not data.startswith(_SEALING_PREFIX) or len(key) != SEALING_BYTES:
        raise ValueError("another form")
    return key


def _make_authority(trust_domain: str, entropy: Entropy, life: timedelta) -> Callable[[datetime], bytes]:
    def make(now: datetime) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        unsigned = authority_certificate(
            trust_domain, key.public_key(), serial=entropy.bytes(SERIAL_BYTES), made=now, life=life
        )
        der = unsigned.signed(key.sign(unsigned.tbs, ec.ECDSA(hashes.SHA256())))
        return _pem(key) + _certificate_pem(der)

    return make


def _certificate_pem(der: bytes) -> bytes:
    text = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n"


def _read_authority(data: bytes) -> Authority:
    key = serialization.load_pem_private_key(data, None)
    certificate = load_pem_x509_certificate(data)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("another kind of key")
    if certificate.public_key() != key.public_key():
        raise ValueError("key and certificate do not belong together")
    return Authority(key, certificate.public_bytes(serialization.Encoding.DER))
