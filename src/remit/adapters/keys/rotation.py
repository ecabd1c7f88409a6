# SPDX-License-Identifier: Apache-2.0
"""Behaviour that the keys of every port share, wherever their private halves are."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

from remit.adapters.keys.key_folder import KeyFolder
from remit.core.errors import KeyUnavailable
from remit.core.keys.own_keys import HeldKey

K = TypeVar("K")


class RotatingFileKeys(Generic[K]):
    """Keys that are stored completely in a key folder, which also rotates and destroys them."""

    _shelf: KeyFolder[K]

    def held(self) -> tuple[HeldKey, ...]:
        """Return the keys of the book."""
        return self._shelf.held()

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Hold the lock that keeps other processes from rotating."""
        return self._shelf.turn()

    async def rotate(self, *, at_once: bool = False, seen: str = "") -> HeldKey:
        """Let the next key sign or wrap from now on."""
        return await self._shelf.rotate(at_once=at_once, seen=seen)

    async def refresh(self) -> bool:
        """Take over another process's changes to the keys."""
        return self._shelf.refresh()

    async def tidy(self) -> tuple[HeldKey, ...]:
        """Destroy the previous keys whose time is over; remembered public halves stay known."""
        return await self._shelf.tidy()


class RotatingVerifiers(Generic[K]):
    """The public side of checkpoint keys: the book names each key by its verifier."""

    _shelf: KeyFolder[K]

    @property
    def verifier(self) -> str:
        """The public key for checking new signatures."""
        return self._shelf.current.id

    @property
    def verifiers(self) -> tuple[str, ...]:
        """The public keys of all checkpoints ever signed, newest first."""
        return tuple(one.id for one in self._shelf.entries)


class RotatingSealing(RotatingFileKeys[bytes]):
    """Sealing keys: none expires by age, because values may still be wrapped under it."""

    async def tidy(self) -> tuple[HeldKey, ...]:
        """Do nothing: a previous sealing key is destroyed only when it is retired."""
        return ()

    async def retire(self, id: str) -> None:
        """Destroy a previous key."""
        await self._shelf.retire(id)

    @property
    def current(self) -> str:
        """The id of the key to wrap under."""
        return self._shelf.current.id

    def sealing_key(self, id: str) -> bytes:
        """Return the 32 bytes of a key by id, or of the oldest for an empty id; raise `KeyUnavailable`."""
        keys = self._shelf.keys
        found = keys.get(id) if id else next(reversed(keys.values()))
        if found is None:
            raise KeyUnavailable(
                f"sealing key `{id[:40]}` is missing", remediation="restore the key folder from a backup"
            )
        return found
