# SPDX-License-Identifier: Apache-2.0
"""Stored labels, which every call reads before its result is released.

Reads use a separate connection, directly from the event loop. INVARIANT: a read is sent after it was
requested, so it sees everything committed by then. Requests that arrive during a read share the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from remit.adapters.store.postgres.loop_connection import Heard, LoopConnection
from remit.adapters.store.postgres.reads import READ_S
from remit.adapters.store.postgres.session import FAULTS, PostgresSession
from remit.core.errors import StoreUnavailable
from remit.core.flow.stored_labels import StoredLabel

Found = tuple[list[StoredLabel], int]
Slowly = Callable[[str, str, int], Awaitable[Found]]
"""Reads the same (tenant, upstream, turn) on a thread."""

#: The current turn and the labels written after a given turn, in one snapshot.
_QUERY: Final = (
    "select t.turn, h.body from turns t left join holdings h"
    " on h.tenant = t.tenant and h.upstream = $2 and h.turn > $3::bigint where t.tenant = $1"
)

_stored_label = msgspec.json.Decoder(StoredLabel).decode


class _Asked:
    """The callers that wait for one read."""

    __slots__ = ("turn", "waiting")

    def __init__(self, turn: int) -> None:
        self.turn = turn
        self.waiting: list[asyncio.Future[Found | None]] = []


class PostgresLabels:
    """Reads the stored labels of upstreams. For one event loop."""

    def __init__(self, dial: Callable[[], PostgresSession], slowly: Slowly) -> None:
        """Take `dial`, which opens a connection on a thread; without a connection, reads use `slowly`."""
        self._dial = dial
        self._slowly = slowly
        self._line = LoopConnection()
        self._session: PostgresSession | None = None
        self._opening: asyncio.Future[PostgresSession] | None = None
        #: Pending reads by tenant and upstream, in the order of the requests.
        self._next: dict[tuple[str, str], _Asked] = {}
        self._busy = False
        #: Use no separate connection: the loop cannot watch one, or the store is closed.
        self._ended = False
        self._closed = False

    async def since(self, tenant: str, upstream: str, turn: int) -> Found:
        """Return the labels written to an upstream after a turn, and the turn up to which the list is
        complete.
        """
        self._check_open()
        loop = asyncio.get_running_loop()
        if self._session is None or self._session.lost:
            self._open(loop)  # for later reads
            return await self._slowly(tenant, upstream, turn)
        asked = self._next.get((tenant, upstream))
        if asked is None:
            asked = self._next[tenant, upstream] = _Asked(turn)
        asked.turn = min(asked.turn, turn)
        future: asyncio.Future[Found | None] = loop.create_future()
        asked.waiting.append(future)
        if not self._busy:
            self._read(loop)
        found = await future
        self._check_open()
        # The connection was lost: ask the server over another one.
        return found if found is not None else await self._slowly(tenant, upstream, turn)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed", remediation="restart remit")

    def end(self) -> None:
        """Stop reading, close the connection, and answer the callers that wait."""
        self._ended = self._closed = True
        if self._session is not None:
            self._line.give_up(self._session)
        self._answer_nobody()

    def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._opening is not None or self._ended:
            return

        def opened(done: asyncio.Future[PostgresSession]) -> None:
            self._opening = None
            if done.cancelled() or done.exception() is not None:
                return  # the slow reads report the fault, and the next read tries again
            self._session = done.result()
            if self._ended:
                self._session.close()

        self._opening = opening = loop.run_in_executor(None, self._dial)
        opening.add_done_callback(opened)

    def _answer_nobody(self) -> None:
        everybody, self._next = self._next, {}
        for asked in everybody.values():
            _tell(asked, None)

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        session = self._session
        if session is None or session.lost:
            self._answer_nobody()
            return
        (tenant, upstream), asked = next(iter(self._next.items()))
        del self._next[tenant, upstream]
        self._busy = True

        def done(answer: Heard) -> None:
            self._busy = False
            if self._next:
                self._read(loop)
            found: Found | None = None
            if not answer.lost and not answer.refused:
                # The slow read reports an answer that cannot be decoded.
                with contextlib.suppress(msgspec.MsgspecError):
                    found = _found(answer)
            _tell(asked, found)

        values = (tenant.encode(), upstream.encode(), b"%d" % asked.turn)
        try:
            self._line.send(loop, session, [(_QUERY, values, False)], done, within_s=READ_S)
        except (NotImplementedError, *FAULTS) as fault:
            self._ended = self._ended or isinstance(fault, NotImplementedError)
            session.close()
            done(_NOTHING)


def _tell(asked: _Asked, found: Found | None) -> None:
    for future in asked.waiting:
        if not future.done():
            future.set_result(found)


_NOTHING = Heard()
_NOTHING.lost = True


def _found(answer: Heard) -> Found:
    (rows,) = answer.results
    turn = int(rows.get_value(0, 0)) if rows.ntuples else 0
    bodies = [rows.get_value(number, 1) for number in range(rows.ntuples)]
    return [_stored_label(body) for body in bodies if body is not None], turn
