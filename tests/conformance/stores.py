# SPDX-License-Identifier: Apache-2.0
"""The stores that the conformance suites run on. A new backend is one more function here."""

from collections.abc import Callable
from pathlib import Path

import pytest

from remit.adapters.store.sqlite import Durability, SqliteStore
from remit.ports.keys import SealingKeys
from remit.ports.log import HeadKeeper
from remit.ports.store import Store
from tests.world import WorldClock, WorldEntropy, WorldSealingKeys

Open = Callable[..., Store]
"""Opens the store that a test's folder holds, again and again: `open(folder, seed=..., heads=...)`."""


def _sqlite(durability: Durability) -> Open:
    def open_store(
        folder: Path,
        *,
        seed: str = "first",
        heads: HeadKeeper | None = None,
        clock: WorldClock | None = None,
        sealing: SealingKeys | None = None,
    ) -> Store:
        return SqliteStore.open(
            folder / "remit.db",
            durability=durability,
            clock=clock or WorldClock(),
            entropy=WorldEntropy(seed),
            sealing=sealing or WorldSealingKeys(),
            heads=heads,
        )

    return open_store


STORES = {"sqlite-durable": _sqlite("durable"), "sqlite-buffered": _sqlite("buffered")}

each_store = pytest.mark.parametrize("open_store", STORES.values(), ids=STORES.keys())
