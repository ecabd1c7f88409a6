# SPDX-License-Identifier: Apache-2.0
"""A connection that the event loop speaks over: what is to be done is sent at once, and the loop is told when
the answer is there.

No thread, and nothing that waits. A loop may not tell that a connection has ended (uvloop says nothing of one
that was reset while something of it was unread), so while an answer is awaited it is looked for now and then
as well, and for a bounded time. Statements go in libpq's pipeline, prepared, with a sync at their end. What
the driver's cursors do for each statement is not done here: few statements go this way, thousands of times.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus

from remit.adapters.store.postgres.session import PostgresSession, ends

#: Seconds between two looks for an answer of which the loop tells nothing.
LOOK_S = 0.25

Statement = tuple[str, Sequence[bytes | None], bool]
"""A statement with the server's own marks (`$1`), what stands for them, and whether that is binary."""

# Names of the module, not of the class: a member is found through its metaclass, ten times as slowly.
_SYNC, _ERROR = ExecStatus.PIPELINE_SYNC, ExecStatus.FATAL_ERROR
_BAD = ConnStatus.BAD


class Heard:
    """What the server made of statements: a result for each that it carried out, in text.

    `refused` is the state with which it refused one, and with it all behind it. Where the connection was
    `lost`, nobody knows what it made of them.
    """

    __slots__ = ("lost", "refused", "results")

    def __init__(self) -> None:
        """Begin with nothing."""
        self.results: list[Any] = []
        self.refused = b""
        self.lost = False


Done = Callable[[Heard], None]


class LoopConnection:
    """Speaks over one connection at a time, which only the event loop uses meanwhile."""

    def __init__(self) -> None:
        """Begin without a connection."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: PostgresSession | None = None
        self._fd = -1
        #: Statements that are prepared on it, and how many ever were: no name is given twice.
        self._names: dict[str, bytes] = {}
        self._named = 0
        #: Results of what was prepared, which come first.
        self._preparing = 0
        self._done: Done | None = None
        self._answer = Heard()
        self._writing = False
        self._until_s = 0.0
        self._watching: asyncio.TimerHandle | None = None

    def send(
        self,
        loop: asyncio.AbstractEventLoop,
        session: PostgresSession,
        statements: Sequence[Statement],
        done: Done,
        *,
        within_s: float,
    ) -> None:
        """Send statements, when all that was sent before is answered; `done` is called on the loop, later.
        After `within_s` seconds without the whole answer the connection is taken for lost.

        Raises `NotImplementedError` where the loop cannot watch a connection; then nothing was sent.
        """
        self._watch(loop, session)
        self._until_s = loop.time() + within_s
        self._watching = loop.call_later(LOOK_S, self._look)
        self._done, self._answer, self._preparing = done, Heard(), 0
        line, names = session.connection.pgconn, self._names
        try:
            line.enter_pipeline_mode()
            for query, _, _ in statements:
                if query not in names:
                    # Ahead of all others, so that what is refused leaves them prepared.
                    self._named += 1
                    self._preparing += 1
                    name = names[query] = b"remit_%d" % self._named
                    line.send_prepare(name, query.encode())
            for query, values, binary in statements:
                line.send_query_prepared(names[query], values, [1] * len(values) if binary else None)
            line.pipeline_sync()
            self._flush()
        except Exception:  # noqa: BLE001 - whatever it is, part of it may have been sent
            loop.call_soon(self._lost)

    def let_go(self) -> None:
        """Watch no connection, so that another thread may use it."""
        if self._loop is not None and self._fd >= 0 and not self._loop.is_closed():
            self._loop.remove_reader(self._fd)
            if self._writing:
                self._loop.remove_writer(self._fd)
        self._fd, self._writing = -1, False

    def give_up(self, session: PostgresSession) -> None:
        """Close a connection; whoever waits for an answer over it is told that it is lost."""
        if session is self._session:
            self._lost()
        session.close()

    def _watch(self, loop: asyncio.AbstractEventLoop, session: PostgresSession) -> None:
        if session is not self._session:
            self.let_go()
            self._loop, self._session = loop, session
            self._names.clear()
        if session.rolled_back:
            # With a rollback the driver drops all statements that are prepared.
            session.rolled_back = False
            self._names.clear()
        if self._fd < 0:
            fd = session.connection.fileno()
            loop.add_reader(fd, self._ready)
            self._fd = fd

    def _flush(self) -> None:
        """Write what the connection takes; what is left, when it takes more."""
        assert self._session is not None
        assert self._loop is not None
        left = self._session.connection.pgconn.flush()
        if left and not self._writing:
            self._loop.add_writer(self._fd, self._writable)
        elif not left and self._writing:
            self._loop.remove_writer(self._fd)
        self._writing = bool(left)

    def _writable(self) -> None:
        try:
            self._flush()
        except psycopg.Error:
            self._lost()

    def _look(self) -> None:
        """Look for the answer, of which the loop may not tell."""
        assert self._loop is not None
        self._watching = self._loop.call_later(LOOK_S, self._look)
        if self._loop.time() >= self._until_s:
            self._lost()
        else:
            self._ready()

    def _ready(self) -> None:
        assert self._session is not None
        line = self._session.connection.pgconn
        try:
            line.consume_input()
            if self._writing:
                # The server may wait until its answers are read, before it reads on.
                self._flush()
            while self._done is not None and not line.is_busy():
                result = line.get_result()
                if result is None:
                    if line.status == _BAD:
                        # It has no more to say, not even what was asked for.
                        self._lost()
                    continue
                status = result.status
                if status == _SYNC:
                    line.exit_pipeline_mode()
                    self._tell()
                elif status == _ERROR and ends(result):
                    self._lost()
                elif status == _ERROR:
                    self._take_refusal(result)
                elif self._preparing:
                    self._preparing -= 1
                else:
                    self._answer.results.append(result)
        except psycopg.Error:
            self._lost()

    def _take_refusal(self, result: Any) -> None:
        if not self._answer.refused:
            self._answer.refused = result.error_field(DiagnosticField.SQLSTATE) or b"?"
            # Perhaps one of them is not prepared any more, or never was.
            self._names.clear()

    def _tell(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None
        done, self._done = self._done, None
        if done is not None:
            done(self._answer)

    def _lost(self) -> None:
        """The connection is gone, whether or not something is under way."""
        self.let_go()
        if self._session is not None:
            with contextlib.suppress(psycopg.Error):
                self._session.close()
        self._answer.lost = True
        self._tell()
