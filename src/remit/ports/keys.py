# SPDX-License-Identifier: Apache-2.0
"""Keys: signing of tokens, checkpoints and certificates, and sealing of values.

The keys of each purpose are distinct and live outside the store. No method gives a private key away, except
those of `SealingKeys`, which wrap the per-subject keys inside this process.

All of them live on one event loop; several processes may have the same ones. Checking never waits: public
keys are in memory. Signing may wait for whoever holds the private key, for a bounded time; `KeyUnavailable`
says that it could not be used, and then nothing was signed. What `rotate` has returned survives the loss of
power.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from remit.core.json_value import Json
from remit.core.keys.own_keys import HeldKey, KeyKind


class RotatingKeys(Protocol):
    """What the keys of every kind share."""

    @property
    def kind(self) -> KeyKind:
        """For what these keys serve."""
        ...

    def held(self) -> tuple[HeldKey, ...]:
        """Return every key that signs or is still known: next, current, previous, retired, in this order."""
        ...

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Keep every other process with these keys from taking a turn meanwhile: in one a key is replaced and
        that is recorded.

        Who ends, however that comes about, keeps nobody. Raises `KeyUnavailable` where another process does
        not let go for some seconds. Everything else goes on without a turn.
        """
        ...

    async def rotate(self, *, at_once: bool = False, seen: str = "") -> HeldKey:
        """Let the next key sign from now on and give it; what the key before it signed stays accepted for the
        overlap of its kind.

        `at_once`: the key may be in other hands. The new key is one that was never published, and what
        earlier ones signed is refused from now on (notes of the log excepted: they say when they were
        signed). `seen`: the id of the newest key, the first of `held`, as the caller has looked at it; where
        another process has made a newer one since, that is taken over, and `ChangedMeanwhile` raised. Raises
        `KeyUnavailable` too; after either nothing has changed.
        """
        ...

    async def refresh(self) -> bool:
        """Take over what another process on the same keys has made of them; gives whether there was
        something. Raises `KeyUnavailable`, and then nothing has changed.
        """
        ...

    async def tidy(self) -> tuple[HeldKey, ...]:
        """Drop the previous keys whose time is over, and give them."""
        ...


class TokenKeys(RotatingKeys, Protocol):
    """Signing and checking of JWTs (RFC 7515, RFC 7519)."""

    @property
    def generation(self) -> int:
        """Rises whenever a key is accepted no longer: who remembers what was verified forgets it then."""
        ...

    async def sign(self, claims: dict[str, Json], *, token_type: str) -> str:
        """Return a compact JWS over `claims` under the current key; raises `KeyUnavailable`."""
        ...

    def verify(self, token: str) -> tuple[dict[str, Json], dict[str, Json]]:
        """Return header and claims of a token of ours whose signature holds; raises `Unauthenticated`
        otherwise.

        Refuses every algorithm but those of `core.oauth.access_token.ALGORITHMS`, an unknown `kid`, `crit`,
        and an embedded key, before any key is used.
        """
        ...

    def jwks(self) -> dict[str, Json]:
        """Return the public keys as a JWK Set (RFC 7517): next, current and previous."""
        ...


class CheckpointKeys(RotatingKeys, Protocol):
    """Signing of log checkpoints as C2SP signed notes (Ed25519)."""

    @property
    def verifier(self) -> str:
        """The public key in the C2SP verifier form, `name+hash+key`: all that an offline verifier needs."""
        ...

    @property
    def verifiers(self) -> tuple[str, ...]:
        """The public keys of all checkpoints that may still be met, newest first."""
        ...

    async def sign_note(self, body: bytes) -> tuple[tuple[str, bytes], ...]:
        """Return the raw Ed25519 signatures over a note's body, each after the verifier that it holds for.

        The first is the current key's. Previous keys sign beside it for their overlap, so that whoever knows
        only one of those can still verify. Raises `KeyUnavailable`.
        """
        ...


class SealingKeys(RotatingKeys, Protocol):
    """The keys under which per-subject keys are wrapped. In memory once opened: neither method waits.

    A previous key stays until `retire` says that nothing is wrapped under it any more.
    """

    @property
    def current(self) -> str:
        """The id of the key to wrap under."""
        ...

    def sealing_key(self, id: str) -> bytes:
        """Return the 32 bytes of a key; without an id (`""`) of the oldest. Raises `KeyUnavailable`."""
        ...

    async def retire(self, id: str) -> None:
        """Destroy a previous key. INVARIANT (the caller's): nothing is wrapped under it."""
        ...


class AuthorityKeys(RotatingKeys, Protocol):
    """The certificate authority of the own trust domain (ECDSA P-256 with SHA-256)."""

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """The trust bundle: the self-signed certificates of next, current and previous keys, in DER."""
        ...

    @property
    def certificate(self) -> bytes:
        """The certificate of the current key, in DER."""
        ...

    async def sign(self, tbs: bytes) -> bytes:
        """Return the DER signature over a certificate's `TBSCertificate` under the current key; raises
        `KeyUnavailable`.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The keys of a process, a kind each; those of a trust domain of its own only where it has one."""

    tokens: TokenKeys
    checkpoints: CheckpointKeys
    sealing: SealingKeys
    authority: AuthorityKeys | None = None
    svids: TokenKeys | None = None
    #: What whoever keeps the keys needs done now and then, by name.
    chores: Mapping[str, Callable[[], Awaitable[object]]] = field(default_factory=dict)

    def kinds(self) -> dict[KeyKind, RotatingKeys]:
        """Return all of them, by kind."""
        found: tuple[RotatingKeys | None, ...] = (
            self.tokens,
            self.checkpoints,
            self.sealing,
            self.authority,
            self.svids,
        )
        return {one.kind: one for one in found if one is not None}
