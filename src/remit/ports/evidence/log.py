# SPDX-License-Identifier: Apache-2.0
"""The log's head, kept outside the store.

An attacker who can roll back the store could roll back everything that the store remembers. So the last
signed size and root are also kept elsewhere and change only by compare-and-swap, and start-up refuses a tree
that is behind them.
"""

from __future__ import annotations

from typing import Protocol

import msgspec


class Head(msgspec.Struct, frozen=True):
    """The last signed state of one tenant's log: `size` leaves, Merkle `root` (32 bytes), and the signed
    note.
    """

    size: int
    root: bytes
    note: str


class HeadKeeper(Protocol):
    """Keeps one head per log origin.

    Durable before `swap` returns; one writer at a time per origin, and no writer waits for another one
    forever.
    """

    def read(self, origin: str) -> Head | None:
        """Return the head of a log, or `None` if it never had one; raises `StoreUnavailable`."""
        ...

    async def swap(self, origin: str, expected: Head | None, new: Head) -> None:
        """Replace the head if it is still `expected`.

        Raises `Conflict` if it is not, `StoreUnavailable` on failure.
        """
        ...
