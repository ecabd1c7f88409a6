# SPDX-License-Identifier: Apache-2.0
"""The keepers of keys that the conformance suite runs on. A new one is one more class here."""

from datetime import timedelta
from pathlib import Path
from typing import Protocol

from remit.adapters.keys.file import FileAuthorityKeys, FileCheckpointKeys, FileSealingKeys, FileTokenKeys
from remit.adapters.keys.openbao_client import Bao
from remit.adapters.keys.openbao_sealing import BaoSealingKeys
from remit.adapters.keys.openbao_signing import BaoAuthorityKeys, BaoCheckpointKeys, BaoTokenKeys
from remit.adapters.keys.transit import Transit
from remit.core.keys.own_keys import KeyKind
from remit.ports.keys import AuthorityKeys, CheckpointKeys, SealingKeys, TokenKeys
from tests.servers.bao_server import TOKEN, BaoServer
from tests.worlds.values import WorldClock, WorldEntropy

NAME = "remit.example/default"
TRUST_DOMAIN = "remit.example"
LIFE = timedelta(days=21)
OVERLAP = timedelta(hours=2)


class KeyStore(Protocol):
    """Opens the keys of each kind, again and again, on a clock that the test moves."""

    clock: WorldClock

    async def tokens(self, kind: KeyKind = KeyKind.TOKEN) -> TokenKeys:
        """Open the keys of JWTs."""
        ...

    async def checkpoints(self) -> CheckpointKeys:
        """Open the keys of checkpoints."""
        ...

    async def sealing(self) -> SealingKeys:
        """Open the sealing keys."""
        ...

    async def authority(self) -> AuthorityKeys:
        """Open the authority."""
        ...

    async def close(self) -> None:
        """Close what is open."""
        ...


class InFiles:
    """Keys in files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "keys"
        self.clock = WorldClock()
        self._opened = 0

    def _entropy(self) -> WorldEntropy:
        self._opened += 1
        return WorldEntropy(str(self._opened))

    async def tokens(self, kind: KeyKind = KeyKind.TOKEN) -> TokenKeys:
        """Open the keys of JWTs."""
        return FileTokenKeys(self.folder, self.clock, kind=kind)

    async def checkpoints(self) -> CheckpointKeys:
        """Open the keys of checkpoints."""
        return FileCheckpointKeys(self.folder, NAME, self.clock)

    async def sealing(self) -> SealingKeys:
        """Open the sealing keys."""
        return FileSealingKeys(self.folder, self._entropy(), self.clock)

    async def authority(self) -> AuthorityKeys:
        """Open the authority."""
        return FileAuthorityKeys(
            self.folder, TRUST_DOMAIN, self._entropy(), self.clock, life=LIFE, overlap=OVERLAP
        )

    async def close(self) -> None:
        """Nothing is open."""


class InOpenBao(InFiles):
    """Keys in a real OpenBao, under a prefix of the test's own."""

    def __init__(self, folder: Path, server: BaoServer, prefix: str) -> None:
        super().__init__(folder)
        self._bao = Bao(server.address, lambda: TOKEN, self.clock)
        self.place = Transit(self._bao, prefix=prefix)

    async def tokens(self, kind: KeyKind = KeyKind.TOKEN) -> TokenKeys:
        """Open the keys of JWTs."""
        return await BaoTokenKeys.open(self.folder, self.clock, self.place, kind=kind)

    async def checkpoints(self) -> CheckpointKeys:
        """Open the keys of checkpoints."""
        return await BaoCheckpointKeys.open(self.folder, NAME, self.clock, self.place)

    async def sealing(self) -> SealingKeys:
        """Open the sealing keys."""
        return await BaoSealingKeys.open(self.folder, self.clock, self.place)

    async def authority(self) -> AuthorityKeys:
        """Open the authority."""
        return await BaoAuthorityKeys.open(
            self.folder, TRUST_DOMAIN, self._entropy(), self.clock, self.place, life=LIFE, overlap=OVERLAP
        )

    async def close(self) -> None:
        """Close what is open."""
        await self._bao.close()
