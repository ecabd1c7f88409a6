# SPDX-License-Identifier: Apache-2.0
"""Ends in the store: epochs, fences and closures."""

from __future__ import annotations

from collections.abc import Container
from typing import Protocol

from remit.core.endings.closure import Closure, Fence
from remit.ports.store.units import UnitStore


class EndingStore(UnitStore, Protocol):
    """Epochs, fences and closures. Durability, concurrency and errors: `UnitStore`."""

    def epochs(self, tenant: str) -> dict[str, int]:
        """Return the live mapping of scope to epoch as last committed.

        From memory, without waiting; read-only.
        """

    def locked(self, tenant: str) -> Container[str]:
        """Return the live set of locked scopes as last committed. From memory; read-only.

        Of several processes the others know of a lock when they next look or commit: what relies on it has
        `CheckUnlocked`.
        """

    async def fences(self, tenant: str) -> list[Fence]:
        """Return every scope that was ever ended or locked."""

    async def closures(self, tenant: str, *, scope: str = "", limit: int = 100) -> list[Closure]:
        """Return closures, newest first."""
