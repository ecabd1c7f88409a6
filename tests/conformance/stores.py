# SPDX-License-Identifier: Apache-2.0
"""The stores that the conformance suites run on. A new backend is one more function here.

`conftest.open_store` gives what these make: it knows which of them need a server.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from remit.adapters.store.postgres import PostgresStore
from remit.adapters.store.relational.tables import Durability
from remit.adapters.store.sqlite import SqliteStore
from remit.ports.evidence.log import HeadKeeper
from remit.ports.keys import SealingKeys
from remit.ports.store.store import Store
from tests.worlds.values import WorldClock, WorldEntropy, WorldSealingKeys

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


def in_postgres(database_of: Callable[[Path], str], durability: Durability = "durable") -> Open:
    """Return what opens the store in the database that stands for a folder."""

    def open_store(
        folder: Path,
        *,
        seed: str = "first",
        heads: HeadKeeper | None = None,
        clock: WorldClock | None = None,
        sealing: SealingKeys | None = None,
    ) -> Store:
        return PostgresStore.open(
            database_of(folder),
            durability=durability,
            clock=clock or WorldClock(),
            entropy=WorldEntropy(seed),
            sealing=sealing or WorldSealingKeys(),
            heads=heads,
        )

    return open_store


FILES = {"sqlite-durable": _sqlite("durable"), "sqlite-buffered": _sqlite("buffered")}

each_store = pytest.mark.parametrize("open_store", [*FILES, "postgres"], indirect=True)
