# SPDX-License-Identifier: Apache-2.0
"""Keys: signing of tokens and checkpoints, and sealing of values.

The keys of each purpose are distinct and live outside the store. No method gives a private key away, except
`sealing_key`, which wraps the per-subject keys inside this process.
"""

from __future__ import annotations

from typing import Any, Protocol

Json = Any


class TokenKeys(Protocol):
    """Signing and checking of JWTs (RFC 7515, RFC 7519). Synchronous, safe from one event loop; no state but
    the keys.
    """

    def sign(self, claims: dict[str, Json], *, token_type: str) -> str:
        """Give a compact JWS over `claims` under the current key; raises `KeyUnavailable`."""
        ...

    def verify(self, token: str) -> tuple[dict[str, Json], dict[str, Json]]:
        """Give header and claims of a token of ours whose signature holds; raises `Unauthenticated`
        otherwise.

        Refuses every algorithm but those of `core.token.ALGORITHMS`, an unknown `kid`, `crit`, and an
        embedded key, before any key is used.
        """
        ...

    def jwks(self) -> dict[str, Json]:
        """Give the public keys as a JWK Set (RFC 7517)."""
        ...


class CheckpointKeys(Protocol):
    """Signing of log checkpoints as C2SP signed notes (Ed25519). Synchronous."""

    @property
    def verifier(self) -> str:
        """The public key in the C2SP verifier form, `name+hash+key`: all that an offline verifier needs."""
        ...

    @property
    def verifiers(self) -> tuple[str, ...]:
        """The public keys of all checkpoints that may still be met, newest first."""
        ...

    def sign_note(self, body: bytes) -> bytes:
        """Give the raw Ed25519 signature over a note's body; raises `KeyUnavailable`."""
        ...


class SealingKeys(Protocol):
    """The key under which per-subject keys are wrapped. Synchronous."""

    def sealing_key(self) -> bytes:
        """Give the 32 bytes of the current key-encryption key; raises `KeyUnavailable`."""
        ...
