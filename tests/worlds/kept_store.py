# SPDX-License-Identifier: Apache-2.0
"""A folder with a configuration and a store, opened as a command opens it: to back up and restore."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from remit.compose import open_records
from remit.compose.backup.backup import RestoreDone, VerifiedBackup, back_up, restore, verify_backup
from remit.config import Config, load_config
from remit.ports.store.changes import Change
from remit.ports.store.units import Unit
from remit.services.assembly.services import Services
from tests.worlds.values import an_event


class KeptStore:
    """The commands of this configuration, without a process for each."""

    def __init__(self, folder: Path, database: str = "") -> None:
        """Configure the folder; `database` is the address of a PostgreSQL."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        (folder / "remit.yaml").write_text("upstreams: {files: {command: [cat]}}\n")
        self.move_to(database)

    def move_to(self, database: str) -> None:
        """Keep state in a database from now on; empty: in a file."""
        if database:
            (self.folder / "database").write_text(database)
            (self.folder / "database").chmod(0o600)
            with (self.folder / "remit.yaml").open("a") as config:
                config.write("store: {kind: postgres, url: file:database}\n")

    @property
    def config(self) -> Config:
        """The configuration, as it is now."""
        return load_config(self.folder / "remit.yaml")

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Services]:
        """Open the store, without serving."""
        async with open_records(self.config, own_policies=True) as services:
            yield services

    async def commit(self, *changes: Change, events: int = 1) -> int:
        """Commit changes with some events, sign the log, and return its size."""
        async with self.opened() as services:
            await services.store.commit(
                Unit(changes, tuple(an_event(tenant=services.tenant) for _ in range(events)))
            )
            return await services.evidence.log.size()

    async def back_up(self, file: Path, passphrase: str = "") -> VerifiedBackup:
        """Write a backup."""
        return await back_up(self.config, file, passphrase, no_progress)

    async def verify(self, file: Path, *, key: str = "", passphrase: str = "") -> VerifiedBackup:
        """Verify a backup."""
        return await verify_backup(self.config, file, no_progress, key=key, passphrase=passphrase)

    async def restore(
        self, file: Path, *, accept: bool = False, key: str = "", passphrase: str = ""
    ) -> RestoreDone:
        """Restore a backup."""
        words = {"key": key, "passphrase": passphrase}
        return await restore(self.config, file, no_progress, **words, accept_loss=accept)


def no_progress(_: int) -> None:
    """Show nothing."""
