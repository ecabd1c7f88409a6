# SPDX-License-Identifier: Apache-2.0
"""The store on SQLite: `SqliteStore.open`."""

from remit.adapters.store.relational.tables import Durability
from remit.adapters.store.sqlite.store import SqliteStore

__all__ = ["Durability", "SqliteStore"]
