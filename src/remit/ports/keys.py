# SPDX-License-Identifier: Apache-2.0
"""Keys: signing of tokens, checkpoints and certificates, and sealing of values.

The keys of each purpose are distinct and are kept outside the store. No method returns a private key, except
those of `SealingKeys`, which wrap the per-subject keys inside this process.

All keys are used on one event loop; several processes may have the same ones. Verifying never waits: public
keys are in memory. Signing may wait for the holder of the private key, for a bounded time; `KeyUnavailable`
reports that the key could not be used, and then nothing was signed. What `rotate` has returned survives a
power loss.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from remit.core.json_value import Json
from remit.core.keys.own_keys import HeldKey, KeyKind


class RotatingKeys(Protocol):
    """The interface that the keys of every kind share."""

    @property
    def kind(self) -> KeyKind:
        """The purpose of these keys."""
        ...

    def held(self) -> tuple[HeldKey, ...]:
        """Return every key that signs or is still known: next, current, previous, retired, in this order."""
        ...

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Take a turn, in which a key is replaced and that is recorded.

        No other process with these keys takes a turn at the same time. A process that ends, for whatever
        reason, blocks no other. Raises `KeyUnavailable` where another process keeps its turn for some
        seconds. Everything else needs no turn.
        """
        ...

    async def rotate(self, *, at_once: bool = False, seen: str = "") -> HeldKey:
        """Let the next key sign from now on and return it.

        Signatures of the previous key stay valid for the overlap of its kind.

        `at_once`: the key may be compromised. The new key is one that was never published, and signatures of
        earlier keys are refused from now on (except notes of the log: they state when they were signed).
        `seen`: the id of the newest key, the first of `held`, as the caller has seen it. Where another
        process has made a newer one since then, that is taken over, and `ChangedMeanwhile` is raised. Raises
        `KeyUnavailable` too; after either error nothing has changed.
        """
        ...

    async def refresh(self) -> bool:
        """Take over changes that another process made to the keys; return whether there were any.

        Raises `KeyUnavailable`, and then nothing has changed.
        """
        ...

    async def tidy(self) -> tuple[HeldKey, ...]:
        """Drop the previous keys whose time is over, and return them."""
        ...


class TokenKeys(RotatingKeys, Protocol):
    """Signing and verification of JWTs (RFC 7515, RFC 7519)."""

    @property
    def generation(self) -> int:
        """A number that rises whenever a key is no longer accepted.

        Callers that remember verified tokens then forget them.
        """
        ...

    async def sign(self, claims: dict[str, Json], *, token_type: str) -> str:
        """Return a compact JWS over `claims` under the current key; raises `KeyUnavailable`."""
        ...

    def verify(self, token: str) -> tuple[dict[str, Json], dict[str, Json]]:
        """Return header and claims of a token of remit with a valid signature.

        Otherwise raises `Unauthenticated`. Refuses every algorithm but those of
        `core.oauth.access_token.ALGORITHMS`, an unknown `kid`, `crit`, and an embedded key, before any key is
        used.
        """
        ...

    def jwks(self) -> dict[str, Json]:
        """Return the public keys as a JWK Set (RFC 7517): next, current and previous."""
        ...


class CheckpointKeys(RotatingKeys, Protocol):
    """Signing of log checkpoints as C2SP signed notes (Ed25519)."""

    @property
    def verifier(self) -> str:
        """The public key in the C2SP verifier form, `name+hash+key`: all an offline verifier needs."""
        ...

    @property
    def verifiers(self) -> tuple[str, ...]:
        """The public keys of all checkpoints that may still be in use, newest first."""
        ...

    async def sign_note(self, body: bytes) -> tuple[tuple[str, bytes], ...]:
        """Return the raw Ed25519 signatures over a note's body, each after the verifier that it belongs to.

        The first is the current key's. Previous keys also sign for their overlap, so that a verifier that
        knows only one of those can still verify. Raises `KeyUnavailable`.
        """
        ...


class SealingKeys(RotatingKeys, Protocol):
    """The keys under which per-subject keys are wrapped. In memory once opened: neither method waits.

    A previous key stays until `retire` reports that nothing is wrapped under it any longer.
    """

    @property
    def current(self) -> str:
        """The id of the key to wrap under."""
        ...

    def sealing_key(self, id: str) -> bytes:
        """Return the 32 bytes of a key, or of the oldest key for the id `""`. Raises `KeyUnavailable`."""
        ...

    async def retire(self, id: str) -> None:
        """Destroy a previous key. INVARIANT (for the caller): nothing is wrapped under it."""
        ...


class AuthorityKeys(RotatingKeys, Protocol):
    """The certificate authority of remit's own trust domain (ECDSA P-256 with SHA-256)."""

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """The trust bundle: the self-signed certificates of next, current and previous keys, in DER."""
        ...

    @property
    def certificate(self) -> bytes:
        """The certificate of the current key, in DER."""
        ...

    async def sign(self, tbs: bytes) -> bytes:
        """Return the current key's DER signature over a `TBSCertificate`; raises `KeyUnavailable`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The keys of a process, by kind; keys of a trust domain only where the process has its own trust
    domain.
    """

    tokens: TokenKeys
    checkpoints: CheckpointKeys
    sealing: SealingKeys
    authority: AuthorityKeys | None = None
    svids: TokenKeys | None = None
    #: Periodic work that the key adapters need, by name.
    chores: Mapping[str, Callable[[], Awaitable[object]]] = field(default_factory=dict)

    def kinds(self) -> dict[KeyKind, RotatingKeys]:
        """Return all keys, by kind."""
        found: tuple[RotatingKeys | None, ...] = (
            self.tokens,
            self.checkpoints,
            self.sealing,
            self.authority,
            self.svids,
        )
        return {one.kind: one for one in found if one is not None}
