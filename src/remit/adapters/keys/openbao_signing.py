# SPDX-License-Identifier: Apache-2.0
"""Signing keys in OpenBao: the private halves never leave its transit engine.

Every returned signature is checked with the locally known public half before it is used.
"""

from __future__ import annotations

import base64
import contextlib
import logging
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from remit.adapters.keys.jwt import ALGORITHM, public_set, verified
from remit.adapters.keys.key_folder import KeyFolder
from remit.adapters.keys.overlaps import CHECKPOINT_RULES, MAX_SIGNERS, authority_rules, jwt_rules
from remit.adapters.keys.rotation import RotatingVerifiers
from remit.adapters.keys.transit import (
    Reference,
    Remote,
    RemoteKey,
    Transit,
    first_versions,
    odd,
    remote_craft,
)
from remit.core.canonical import encode
from remit.core.errors import KeyUnavailable, Unauthenticated
from remit.core.evidence.checkpoint import VerifierKey
from remit.core.identity.svid import SERIAL_BYTES, authority_certificate, key_id
from remit.core.json_value import Json
from remit.core.keys.own_keys import HeldKey, KeyKind
from remit.ports.runtime import Clock, Entropy

log = logging.getLogger("remit.keys")


class _Signing:
    """The shared behaviour of the three kinds of signing keys."""

    kind: KeyKind
    _folder: Path
    _shelf: KeyFolder[Any]
    _remote: Remote
    _ahead = True
    # A trim that a crash prevented is done after the start.
    _trim_due = True

    def held(self) -> tuple[HeldKey, ...]:
        """Return the keys of the book."""
        return self._shelf.held()

    def turn(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Hold the lock that keeps other processes from rotating."""
        return self._shelf.turn()

    async def rotate(self, *, at_once: bool = False, seen: str = "") -> HeldKey:
        """Let another version sign from now on."""
        async with self._remote.alone(self._folder):
            self._shelf.doubt()
            self._shelf.refresh()
            # Checked before versions are created that would stay unused.
            self._shelf.expect(seen)
            newest = max(one.reference.version for one in self._shelf.keys.values())
            await self._remote.stock(2 if at_once and self._ahead else 1, newest)
            await self._prepare()
            turned = await self._shelf.rotate(at_once=at_once, seen=seen)
            self._trim_due = True
            await self._trim()
        return turned

    async def refresh(self) -> bool:
        """Take over another process's changes to the keys."""
        return self._shelf.refresh()

    async def tidy(self) -> tuple[HeldKey, ...]:
        """Destroy the versions whose time is over."""
        gone = await self._shelf.tidy()
        self._trim_due = self._trim_due or bool(gone)
        if self._trim_due:
            # If another process holds the lock too long, the next check tries again.
            with contextlib.suppress(KeyUnavailable):
                async with self._remote.alone(self._folder):
                    await self._trim()
        return gone

    async def _prepare(self) -> None:
        """Complete the versions in stock."""

    async def _trim(self) -> None:
        """Let transit destroy the versions that no book names any longer.

        The rotation has already happened, so a fault refuses nothing: each later check tries the trim again.
        """
        try:
            await self._remote.trim(min(one.reference.version for one in self._shelf.keys.values()))
        except KeyUnavailable as fault:
            log.warning("old versions of `%s` are not destroyed yet: %s", self._remote.name, fault)
        else:
            self._trim_due = False


class BaoTokenKeys(_Signing):
    """`ports.keys.TokenKeys`, signed in OpenBao and checked here."""

    def __init__(
        self, folder: Path, clock: Clock, remote: Remote, kind: KeyKind, overlap: timedelta | None
    ) -> None:
        """Take a remote key with its first versions in stock; see `open`."""
        self.kind = kind
        self._folder = folder
        self._remote = remote
        self._shelf = KeyFolder(
            folder,
            jwt_rules(kind, overlap),
            remote_craft(remote, _read_jwk, lambda one: one.public.thumbprint()),
            clock,
        )
        self._seen: Any = None
        self._public: dict[str, ECKey] = {}

    @classmethod
    async def open(
        cls,
        folder: Path,
        clock: Clock,
        place: Transit,
        *,
        kind: KeyKind = KeyKind.TOKEN,
        overlap: timedelta | None = None,
    ) -> BaoTokenKeys:
        """Load the keys that `folder` describes, or create the first; raise `KeyUnavailable`."""
        remote = Remote(place, kind, "ecdsa-p256")
        async with first_versions(remote, folder, jwt_rules(kind, overlap)):
            return cls(folder, clock, remote, kind, overlap)

    @property
    def generation(self) -> int:
        """A counter that rises whenever a key is no longer accepted."""
        return self._shelf.generation

    async def sign(self, claims: dict[str, Json], *, token_type: str) -> str:
        """Return a compact JWS over `claims`, signed with the current key."""
        current, key = self._shelf.current, self._shelf.key
        header = {"alg": ALGORITHM, "kid": current.id, "typ": token_type}
        text = f"{_b64(encode(header))}.{_b64(encode(claims))}"
        signature = await self._remote.sign(key.reference.version, text.encode(), jws=True)
        token = f"{text}.{_b64(signature)}"
        try:
            verified(token, {current.id: key.public})
        except Unauthenticated as fault:
            raise odd(self._remote.name) from fault
        return token

    def verify(self, token: str) -> tuple[dict[str, Json], dict[str, Json]]:
        """Return header and claims of an own token with a valid signature."""
        return verified(token, self._keys())

    def jwks(self) -> dict[str, Json]:
        """Return the public keys as a JWK Set, with the current key first."""
        current = self._shelf.current.id
        return public_set({current: self._shelf.key.public} | self._keys())

    def _keys(self) -> dict[str, ECKey]:
        if self._seen is not self._shelf.keys:
            self._seen = self._shelf.keys
            self._public = {kid: one.public for kid, one in self._shelf.keys.items()}
        return self._public


class BaoCheckpointKeys(_Signing, RotatingVerifiers[RemoteKey]):
    """`ports.keys.CheckpointKeys`, signed in OpenBao."""

    kind = KeyKind.CHECKPOINT
    _ahead = False

    def __init__(self, folder: Path, name: str, clock: Clock, remote: Remote) -> None:
        """Take a remote key with its first version in stock; see `open`."""

        def read(reference: Reference) -> VerifierKey:
            return VerifierKey(name, base64.b64decode(reference.public, validate=True))

        self._silent: set[str] = set()
        self._folder = folder
        self._remote = remote
        self._shelf = KeyFolder(
            folder, CHECKPOINT_RULES, remote_craft(remote, read, lambda one: str(one.public)), clock
        )

    @classmethod
    async def open(cls, folder: Path, name: str, clock: Clock, place: Transit) -> BaoCheckpointKeys:
        """Load the keys that `folder` describes, or create the first; raise `KeyUnavailable`."""
        remote = Remote(place, KeyKind.CHECKPOINT, "ed25519")
        async with first_versions(remote, folder, CHECKPOINT_RULES):
            return cls(folder, name, clock, remote)

    async def sign_note(self, body: bytes) -> tuple[tuple[str, bytes], ...]:
        """Return the signatures of the current key and of previous keys over a note's body."""
        (current, first), *others = list(self._shelf.keys.items())[:MAX_SIGNERS]
        made = [(current, await self._signed(first, body))]
        for verifier, one in others:
            try:
                made.append((verifier, await self._signed(one, body)))
            except KeyUnavailable as fault:
                # A version that was destroyed in transit must not prevent signing of the log.
                if verifier not in self._silent:
                    log.warning("a previous key cannot sign the log together with the current one: %s", fault)
                self._silent.add(verifier)
        return tuple(made)

    async def _signed(self, one: RemoteKey, body: bytes) -> bytes:
        signature = await self._remote.sign(one.reference.version, body)
        try:
            Ed25519PublicKey.from_public_bytes(one.public.public).verify(signature, body)
        except InvalidSignature as fault:
            raise odd(self._remote.name) from fault
        return signature


class BaoAuthorityKeys(_Signing):
    """`ports.keys.AuthorityKeys`, signed in OpenBao."""

    kind = KeyKind.CA

    def __init__(
        self,
        folder: Path,
        trust_domain: str,
        entropy: Entropy,
        clock: Clock,
        remote: Remote,
        *,
        life: timedelta,
        overlap: timedelta,
    ) -> None:
        """Take a remote key with its first versions in stock, certified; see `open`."""
        self._certify = _Certify(remote, trust_domain, entropy, clock, life)
        self._folder = folder
        self._remote = remote
        craft = remote_craft(remote, _read_certificate, lambda one: key_id(one.public[0]))
        self._shelf = KeyFolder(folder, authority_rules(overlap), craft, clock)

    @classmethod
    async def open(
        cls,
        folder: Path,
        trust_domain: str,
        entropy: Entropy,
        clock: Clock,
        place: Transit,
        *,
        life: timedelta,
        overlap: timedelta,
    ) -> BaoAuthorityKeys:
        """Load the keys that `folder` describes, or create the first; raise `KeyUnavailable`."""
        remote = Remote(place, KeyKind.CA, "ecdsa-p256")
        async with first_versions(remote, folder, authority_rules(overlap)):
            await _Certify(remote, trust_domain, entropy, clock, life)()
            return cls(folder, trust_domain, entropy, clock, remote, life=life, overlap=overlap)

    async def _prepare(self) -> None:
        await self._certify()

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """The certificates of the next, current and previous keys."""
        return tuple(one.public[1] for one in self._shelf.keys.values())

    @property
    def certificate(self) -> bytes:
        """The certificate of the current key."""
        der: bytes = self._shelf.key.public[1]
        return der

    async def sign(self, tbs: bytes) -> bytes:
        """Return the signature over a certificate's to-be-signed bytes."""
        key = self._shelf.key
        return await _certifying(self._remote, key.reference.version, key.public[0], tbs)


@dataclass(frozen=True, slots=True)
class _Certify:
    """Gives each fresh version of an authority key its self-signed certificate."""

    remote: Remote
    trust_domain: str
    entropy: Entropy
    clock: Clock
    life: timedelta

    async def __call__(self) -> None:
        ready = []
        while self.remote.count:
            one = self.remote.take()
            if not one.certificate:
                public = load_pem_public_key(one.public.encode())
                if not isinstance(public, ec.EllipticCurvePublicKey):
                    raise odd(self.remote.name)
                unsigned = authority_certificate(
                    self.trust_domain,
                    public,
                    serial=self.entropy.bytes(SERIAL_BYTES),
                    made=self.clock.now(),
                    life=self.life,
                )
                der = unsigned.signed(await _certifying(self.remote, one.version, public, unsigned.tbs))
                one = msgspec.structs.replace(one, certificate=base64.b64encode(der).decode())
            ready.append(one)
        for one in ready:
            self.remote.keep(one)


async def _certifying(remote: Remote, version: int, public: ec.EllipticCurvePublicKey, tbs: bytes) -> bytes:
    """Return the signature over a certificate, checked with the intended public key."""
    signature = await remote.sign(version, tbs)
    try:
        public.verify(signature, tbs, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as fault:
        raise odd(remote.name) from fault
    return signature


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _read_jwk(reference: Reference) -> ECKey:
    try:
        key = ECKey.import_key(reference.public)
    except JoseError as fault:
        raise ValueError(str(fault)) from fault
    if key.curve_name != "P-256":
        raise ValueError("another curve")
    return key


def _read_certificate(reference: Reference) -> tuple[ec.EllipticCurvePublicKey, bytes]:
    public = load_pem_public_key(reference.public.encode())
    certificate = x509.load_der_x509_certificate(base64.b64decode(reference.certificate, validate=True))
    if not isinstance(public, ec.EllipticCurvePublicKey) or certificate.public_key() != public:
        raise ValueError("key and certificate do not belong together")
    return public, certificate.public_bytes(Encoding.DER)
