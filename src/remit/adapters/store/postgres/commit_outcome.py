# SPDX-License-Identifier: Apache-2.0
"""What became of a transaction whose answer was lost, asked over a new connection.

For the writer's thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from remit.adapters.store.postgres.session import FAULTS, PostgresSession
from remit.adapters.store.postgres.writer_connection import WriterConnection
from remit.core.errors import CommitInDoubt, Malformed, StoreUnavailable

#: Makes a tenant's row of turns.
FIRST_TURN = "insert into turns values (?, 0, '', 0) on conflict do nothing"

#: Milliseconds for which one look waits for whoever has the turn.
_LOOK_MS = 500


def asked(line: WriterConnection, look: Callable[[PostgresSession], bool], doubt_s: float) -> bool:
    """Look until it is known whether it was committed; raises `CommitInDoubt` if that takes longer."""
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
    """Ask for one that was to count this turn up, with this first event (index and leaf hash).

    Only one without events is asked for by its number as well: a copy of the database that lacks commits
    gives numbers again. Where the turn is still there, the transaction may lie in front of a server that has
    not read it. So the turn is taken here, by the `asker`. INVARIANT: what is said not to be committed will
    never be.
    """

    def look(session: PostgresSession) -> bool:
        session.run(f"begin; set local lock_timeout = {_LOOK_MS}")
        if not turn:
            # A first transaction may have made the row, which is not to be seen before it is committed.
            session.execute(FIRST_TURN, (tenant,))
        found = session.execute("select turn from turns where tenant = ? for update", (tenant,)).fetchone()
        committed = False
        if found is not None and found[0] == turn:
            session.execute("update turns set turn = turn + 1, writer = ? where tenant = ?", (asker, tenant))
        elif found is not None and found[0] > turn and first is not None:
            row = session.execute(
                "select leaf_hash from events where tenant = ? and idx = ?", (tenant, first[0])
            ).fetchone()
            # A leaf names its writer and its place in that writer's chain.
            committed = row is not None and row[0] == first[1]
        elif found is not None and found[0] > turn and number:
            committed = _by_number(session, number)
        session.run("commit")
        return committed

    return look


def _by_number(session: PostgresSession, number: str) -> bool:
    """Ask for a transaction that has ended, by the number that the server gave it."""
    try:
        (state,) = session.execute("select pg_xact_status(?::xid8)", (number,)).fetchone()
    except Malformed:
        return False  # a server that has never heard of it
    return bool(state == "committed")
