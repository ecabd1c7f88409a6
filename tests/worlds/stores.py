# SPDX-License-Identifier: Apache-2.0
"""Stores on SQLite and PostgreSQL with the clock and keys of the tests, and what one call commits."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import psycopg
import pytest

from remit.adapters.store.postgres import PostgresStore
from remit.adapters.store.sqlite import Durability, SqliteStore
from remit.core.scope import EVERYTHING
from remit.core.tasks.task import Budgets
from remit.ports.store.changes import PutValue, RaiseFence, TakeBudget
from remit.ports.store.units import Unit
from tests.worlds.values import TENANT, WorldClock, WorldEntropy, WorldSealingKeys, a_permit, an_outcome

each_durability = pytest.mark.parametrize("durability", ["durable", "buffered"])
BOUNDS = {"task_one": Budgets()}


def opened_postgres(url: str, seed: str = "first") -> PostgresStore:
    """Open the store in a database."""
    return PostgresStore.open(
        url,
        durability="durable",
        clock=WorldClock(),
        entropy=WorldEntropy(seed),
        sealing=WorldSealingKeys(),
    )


def opened_sqlite(folder: Path, durability: Durability = "buffered", seed: str = "first") -> SqliteStore:
    """Open the store in a folder."""
    return SqliteStore.open(
        folder / "remit.db",
        durability=durability,
        clock=WorldClock(),
        entropy=WorldEntropy(seed),
        sealing=WorldSealingKeys(),
    )


def by_administrator(place: Path | str, statement: str, *values: Any) -> Any:
    """Do in a database, given as its file or address, what its administrator does; return the rows, or how
    many were changed.
    """
    if isinstance(place, str):
        with psycopg.connect(place) as server:
            in_server = server.execute(statement.replace("?", "%s").encode(), values)
            return in_server.fetchall() if in_server.description else in_server.rowcount
    with sqlite3.connect(place) as file:
        done = file.execute(statement, values)
        return done.fetchall() if done.description else done.rowcount


def a_call(n: int) -> Unit:
    """Return what one call commits, with a new subject now and then."""
    call, subject = f"call_{n}", f"person_{n // 20}"
    return Unit(
        changes=(TakeBudget(BOUNDS, calls=1), RaiseFence(TENANT, EVERYTHING), PutValue(TENANT, "last", n)),
        events=(a_permit(call, subject=subject, facts={"outcome": "permit", "n": n}), an_outcome(call)),
    )
