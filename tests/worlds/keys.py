# SPDX-License-Identifier: Apache-2.0
"""Keys of every kind and a store, which can be opened again; and a process that never stops rotating them.

python -m tests.worlds.keys FOLDER     prints, one a line, the subjects whose values are committed
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar

from remit.adapters.keys.file import FileAuthorityKeys, FileCheckpointKeys, FileSealingKeys, FileTokenKeys
from remit.adapters.runtime.system import SystemClock, SystemEntropy
from remit.adapters.store.postgres import PostgresStore
from remit.adapters.store.sqlite import SqliteStore
from remit.core.evidence.event import EventKind
from remit.core.keys.own_keys import KeyKind
from remit.ports.keys import Keyring
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.store import Store
from remit.ports.store.units import Unit
from remit.services.identity.keys import KeyRotations
from tests.worlds.values import TENANT, WorldEntropy, an_event

CLAIMS = {"iss": "https://remit.example", "sub": "contract-bot", "exp": 1800000000}

C = TypeVar("C", bound=Clock)

WEEK = timedelta(days=7)
OVERLAP = timedelta(hours=1)


@dataclass
class Kept(Generic[C]):
    """A folder's keys and store, which can be opened again. The store is in the folder, or in `postgres`."""

    folder: Path
    clock: C
    entropy: Callable[[int], Entropy] = lambda seed: WorldEntropy(str(seed))
    seed: int = 0
    postgres: str = ""
    keys: Keyring = None  # type: ignore[assignment]
    store: Store = None  # type: ignore[assignment]
    rotations: KeyRotations = None  # type: ignore[assignment]

    async def open(self) -> None:
        """Open everything as a start does."""
        if self.store is not None:
            await self.store.close()
        self.seed += 1
        entropy = self.entropy(self.seed)
        self.keys = await self.keyring(self.folder / "keys", entropy)
        parts: dict[str, Any] = {"clock": self.clock, "entropy": entropy, "sealing": self.keys.sealing}
        self.store = (
            PostgresStore.open(self.postgres, durability="durable", **parts)
            if self.postgres
            else SqliteStore.open(self.folder / "remit.db", durability="buffered", **parts)
        )
        self.rotations = KeyRotations(
            keys=self.keys,
            store=self.store,
            clock=self.clock,
            tenant=TENANT,
            periods={KeyKind.CA: WEEK, KeyKind.SVID: WEEK, KeyKind.TOKEN: timedelta(0)},
        )

    async def keyring(self, folder: Path, entropy: Entropy) -> Keyring:
        """Open the keys."""
        return Keyring(
            tokens=FileTokenKeys(folder, self.clock),
            checkpoints=FileCheckpointKeys(folder, "remit/default", self.clock),
            sealing=FileSealingKeys(folder, entropy, self.clock),
            authority=FileAuthorityKeys(
                folder, "agents.example", entropy, self.clock, life=3 * WEEK, overlap=OVERLAP
            ),
            svids=FileTokenKeys(folder, self.clock, kind=KeyKind.SVID, overlap=OVERLAP),
        )

    async def facts(self, kind: EventKind = EventKind.KEY_ROTATED) -> list[dict[str, Any]]:
        """Return the facts of all events of a kind."""
        found = await self.store.entries(TENANT, limit=1000, kinds=(kind.value,))
        return [json.loads(one.leaf)["facts"] for one in found]

    async def say(self, *subjects: str) -> None:
        """Record something sealed about each subject."""
        for subject in subjects:
            event = an_event(subject=subject, sealed={"text": f"of {subject}"})
            await self.store.commit(Unit(events=(event,)))

    async def said(self) -> list[str]:
        """Return what can be read of it."""
        found = await self.store.entries(TENANT, limit=1000, opened=True)
        return [str(one.opened["text"]) for one in found if one.opened and "text" in one.opened]


async def rotate_for_ever(folder: Path) -> None:
    """Seal values under new subjects, and rotate every kind of key, until this process is killed."""
    kept = Kept(folder, SystemClock(), entropy=lambda _: SystemEntropy())
    await kept.open()
    number = await kept.store.size(TENANT)
    while True:
        names = [f"subject-{(number + more) % 97}-{number + more}" for more in range(7)]
        await kept.say(*names)
        number += len(names)
        for name in names:
            sys.stdout.write(f"{name}\n")
        sys.stdout.flush()
        for kind in KeyKind:
            await kept.rotations.rotate(kind, by="root", at_once=number % 2 == 0)
        await kept.rotations.keep()


if __name__ == "__main__":
    asyncio.run(rotate_for_ever(Path(sys.argv[1])))
