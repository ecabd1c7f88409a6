# SPDX-License-Identifier: Apache-2.0
"""Pins in the store: what was reviewed of tools."""

from __future__ import annotations

from typing import Protocol

from remit.ports.store.changes import Pin
from remit.ports.store.units import UnitStore


class PinStore(UnitStore, Protocol):
    """Pins. Durability, concurrency and errors: `UnitStore`."""

    async def pins(self, tenant: str) -> list[Pin]:
        """Return the pins of all tools."""
