# SPDX-License-Identifier: Apache-2.0
"""A connection that the event loop uses directly.

Statements are sent at once, and a callback gets the answer.

It needs no thread and never blocks. A loop may fail to report that a connection has ended (uvloop reports
nothing for a connection that was reset with unread data). So while an answer is pending, the connection is
also polled at intervals, and for a bounded time. Statements are sent prepared, in libpq's pipeline, with a
sync at the end. The per-statement work of the driver's cursors is left out: few distinct statements take this
path, thousands of times.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus

from remit.adapters.store.postgres.session import PostgresSession, ends

#: Seconds between two polls for an answer that the loop has not reported.
LOOK_S = 0.25

Statement = tuple[str, Sequence[bytes | None], bool]
"""A statement with the server's own placeholders (`$1`), their values, and whether the values are binary."""

# Module-level names: a class lookup finds a member through the metaclass, which is ten times slower.
_SYNC, _ERROR = ExecStatus.PIPELINE_SYNC, ExecStatus.FATAL_ERROR
_BAD = ConnStatus.BAD


class Heard:
    """The server's answer to statements: one result in text form for each statement that it executed.

    `refused` is the SQLSTATE of the first refused statement; the server also skips all statements after it.
    If the connection was `lost`, the outcome of the statements is unknown.
    """

    __slots__ = ("lost", "refused", "results")

    def __init__(self) -> None:
        """Begin empty."""
        self.results: list[Any] = []
        self.refused = b""
        self.lost = False


Done = Callable[[Heard], None]


class LoopConnection:
    """Sends over one connection at a time; only the event loop may use that connection while it does."""

    def __init__(self) -> None:
        """Start without a connection."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: PostgresSession | None = None
        self._fd = -1
        #: Statements prepared on the connection, and the number ever prepared: no name is used twice.
        self._names: dict[str, bytes] = {}
        self._named = 0
        #: Number of pending results of prepare requests, which arrive first.
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
        """Send statements once everything sent before is answered; the loop calls `done` later.

        After `within_s` seconds without the complete answer, the connection counts as lost.

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
                    # Prepare requests go first, so that a refused statement leaves them prepared.
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
        """Stop watching the connection, so that another thread may use it."""
        if self._loop is not None and self._fd >= 0 and not self._loop.is_closed():
            self._loop.remove_reader(self._fd)
            if self._writing:
                self._loop.remove_writer(self._fd)
        self._fd, self._writing = -1, False

    def give_up(self, session: PostgresSession) -> None:
        """Close a connection; a caller that waits for an answer over it learns that it is lost."""
        if session is self._session:
            self._lost()
        session.close()

    def _watch(self, loop: asyncio.AbstractEventLoop, session: PostgresSession) -> None:
        if session is not self._session:
            self.let_go()
            self._loop, self._session = loop, session
            self._names.clear()
        if session.rolled_back:
            # On a rollback the driver drops all prepared statements.
            session.rolled_back = False
            self._names.clear()
        if self._fd < 0:
            fd = session.connection.fileno()
            loop.add_reader(fd, self._ready)
            self._fd = fd

    def _flush(self) -> None:
        """Write what the connection accepts now, and the rest when it accepts more."""
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
        """Poll for the answer, because the loop may not report it."""
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
                # The server may stop reading until its answers are read.
                self._flush()
            while self._done is not None and not line.is_busy():
                result = line.get_result()
                if result is None:
                    if line.status == _BAD:
                        # The server will send nothing more, not even the pending answer.
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
            # A statement may no longer be prepared, or may never have been.
            self._names.clear()

    def _tell(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None
        done, self._done = self._done, None
        if done is not None:
            done(self._answer)

    def _lost(self) -> None:
        """Handle the loss of the connection, whether or not an answer is pending."""
        self.let_go()
        if self._session is not None:
            with contextlib.suppress(psycopg.Error):
                self._session.close()
        self._answer.lost = True
        self._tell()
