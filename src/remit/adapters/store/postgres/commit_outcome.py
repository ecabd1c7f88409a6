# SPDX-License-Identifier: Apache-2.0
"""Finds out over a new connection whether a transaction whose answer was lost has been committed.

Used by the writer's thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from remit.adapters.store.postgres.session import FAULTS, PostgresSession
from remit.adapters.store.postgres.writer_connection import WriterConnection
from remit.core.errors import CommitInDoubt, Malformed, StoreUnavailable

#: Creates a tenant's row in `turns`.
FIRST_TURN = "insert into turns values (?, 0, '', 0) on conflict do nothing"

#: Milliseconds for which one look waits for the lock on the turn.
_LOOK_MS = 500

Found = TypeVar("Found")


def asked(line: WriterConnection, look: Callable[[PostgresSession], Found], doubt_s: float) -> Found:
    """Look until the outcome of the transaction is known; raise `CommitInDoubt` after `doubt_s` seconds."""
    deadline = time.monotonic() + doubt_s
    while time.monotonic() < deadline:
        try:
            return look(line.session)
        except (*FAULTS, StoreUnavailable):
            line.drop()
            time.sleep(0.1)
    raise CommitInDoubt(
        "the connection was lost during a commit; its outcome is not known yet",
        remediation="check that PostgreSQL runs; the log will show the outcome (`remit audit log`)",
    )


def by_turn(
    tenant: str, turn: int, first: tuple[int, bytes] | None, asker: str, number: str = ""
) -> Callable[[PostgresSession], bool]:
    """Return a look for a transaction that should advance this turn.

    `first` is the first event that the transaction was to write (index and leaf hash).

    A transaction is also looked up by its number only if it has no events, because a copy of the database
    that lacks commits assigns numbers again. If the turn is unchanged, the server may still have the
    transaction unread in its input. So the look itself advances the turn, in the name of `asker`. INVARIANT:
    a transaction that is reported as not committed will never be committed.
    """

    def look(session: PostgresSession) -> bool:
        session.run(f"begin; set local lock_timeout = {_LOOK_MS}")
        if not turn:
            # A tenant's first transaction may have created the row, which is invisible until that transaction
            # commits.
            session.execute(FIRST_TURN, (tenant,))
        found = session.execute("select turn from turns where tenant = ? for update", (tenant,)).fetchone()
        committed = False
        if found is not None and found[0] == turn:
            session.execute("update turns set turn = turn + 1, writer = ? where tenant = ?", (asker, tenant))
        elif found is not None and found[0] > turn and first is not None:
            row = session.execute(
                "select leaf_hash from events where tenant = ? and idx = ?", (tenant, first[0])
            ).fetchone()
            # A leaf names its writer and its position in that writer's chain.
            committed = row is not None and row[0] == first[1]
        elif found is not None and found[0] > turn and number:
            committed = _by_number(session, number)
        session.run("commit")
        return committed

    return look


def by_leaf(tenant: str, first: tuple[int, bytes], asker: str) -> Callable[[PostgresSession], int | None]:
    """Return a look for a batch that the server places; it returns the index of its first event, or `None`.

    `first` is the least possible index of that event, and its leaf hash. INVARIANT: a batch that is not found
    will never be committed: what it was judged by is marked as changed, in the name of `asker`.
    """

    def look(session: PostgresSession) -> int | None:
        session.run(f"begin; set local lock_timeout = {_LOOK_MS}")
        session.execute("select 1 from turns where tenant = ? for update", (tenant,)).fetchone()
        row = session.execute(
            "select idx from events where tenant = ? and idx >= ? and leaf_hash = ?", (tenant, *first)
        ).fetchone()
        if row is None:
            session.execute(
                "update turns set turn = turn + 1, writer = ?, news = turn + 1 where tenant = ?",
                (asker, tenant),
            )
        session.run("commit")
        return None if row is None else int(row[0])

    return look


def _by_number(session: PostgresSession, number: str) -> bool:
    """Return whether an ended transaction committed, by the number that the server assigned."""
    try:
        (state,) = session.execute("select pg_xact_status(?::xid8)", (number,)).fetchone()
    except Malformed:
        return False  # the server does not know the number
    return bool(state == "committed")
