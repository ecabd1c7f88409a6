# SPDX-License-Identifier: Apache-2.0
"""The store that the configuration names, opened or read without opening it; tables of exported evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from remit.adapters.log.file import FileHeadKeeper
from remit.adapters.store.relational.state.rows import RestoredRow
from remit.adapters.store.relational.tables import VERSION
from remit.adapters.store.sqlite import SqliteStore
from remit.adapters.store.sqlite.reads import check_at, pins_at, schema_at
from remit.compose.secret_sources import fetch_now
from remit.config import Config
from remit.core.errors import StoreUnavailable
from remit.ports.evidence.tables import EvidenceTables
from remit.ports.keys import SealingKeys
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import Pin
from remit.ports.store.store import Store

if TYPE_CHECKING:
    from remit.adapters.store.postgres.reads import DatabaseState


def make_private(folder: Path) -> None:
    """Make a folder, and missing folders above it, for this user only; leave existing ones unchanged."""
    if not folder.exists():
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def open_store(
    config: Config,
    clock: Clock,
    entropy: Entropy,
    sealing: SealingKeys,
    origin: Callable[[str], str],
    restored: Sequence[RestoredRow] | None = None,
) -> tuple[Store, FileHeadKeeper]:
    """Open the store, checked against the last signed head, which is kept outside of it.

    `restored` are the rows that a restore has just changed, of the configured tenant.
    """
    section = config.store
    make_private(config.at(config.log_head.path))
    heads = FileHeadKeeper(config.at(config.log_head.path))
    if section.url is not None:
        from remit.adapters.store.postgres import PostgresStore

        database = PostgresStore.open(
            section.url.resolve(),
            durability=section.durability,
            clock=clock,
            entropy=entropy,
            sealing=sealing,
            heads=heads,
            origin=origin,
            restored={config.tenant: restored} if restored is not None else {},
        )
        return database, heads
    path = config.at(section.path)
    make_private(path.parent)
    store = SqliteStore.open(
        path,
        durability=section.durability,
        clock=clock,
        entropy=entropy,
        sealing=sealing,
        heads=heads,
        origin=origin,
        restored={config.tenant: restored} if restored is not None else {},
    )
    return store, heads


def pins_of(config: Config) -> list[Pin]:
    """Return the last seen state of tools; reads only, also while another process has the store open."""
    fetch_now(config, config.store)
    if config.store.url is not None:
        from remit.adapters.store.postgres.reads import pins_at as pins_in

        return pins_in(config.store.url.resolve(), config.tenant)
    path = config.at(config.store.path)
    return pins_at(path, config.tenant) if path.is_file() else []


def check_log(config: Config, origin: Callable[[str], str]) -> bool:
    """Check the log in the store against its signed head, and raise what a start would raise.

    Returns whether a restore lost events, and that is not accepted yet. Reads only, also while another
    process has the store open.
    """
    # In this order: another process may be appending to the log, and signs what it has appended.
    head = FileHeadKeeper(config.at(config.log_head.path)).read(origin(config.tenant))
    if config.store.url is not None:
        from remit.adapters.store.postgres.reads import check_at as check_in

        return check_in(config.store.url.resolve(), config.tenant, head)
    path = config.at(config.store.path)
    return path.exists() and check_at(path, config.tenant, head)


def schema_of(config: Config) -> tuple[int, int]:
    """Return the version of the store's tables, 0 where there are none, and the one that this program writes.

    Reads only. Raises `StoreUnavailable` or `KeyUnavailable`.
    """
    if config.store.url is not None:
        from remit.adapters.store.postgres.reads import schema_at as schema_in

        return schema_in(config.store.url.resolve()), VERSION
    path = config.at(config.store.path)
    return (schema_at(path) if path.exists() else 0), VERSION


def database_at(config: Config) -> DatabaseState:
    """Return the state of the configured PostgreSQL.

    Raises `StoreUnavailable` or `KeyUnavailable`.
    """
    from remit.adapters.store.postgres.reads import described

    assert config.store.url is not None
    return described(config.store.url.resolve())


def evidence_tables(place: Path, views: str) -> EvidenceTables:
    """Read an export (a file), or the files that `EvidenceTables.write` made (a folder).

    Raises `StoreUnavailable` where DuckDB is not installed, or the place cannot be read.
    """
    if find_spec("duckdb") is None:
        raise StoreUnavailable("questions need DuckDB", remediation="run `pip install 'remit[query]'`")
    from remit.adapters.evidence_tables.database import DuckDbTables

    return DuckDbTables.of_folder(place, views) if place.is_dir() else DuckDbTables.of_export(place, views)
