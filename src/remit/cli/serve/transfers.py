# SPDX-License-Identifier: Apache-2.0
"""Connections that go from one worker of this machine to another, with what was received from them.

1. A worker sends one datagram to the socket of the other: the client's connection, one end of a pair of
   sockets, and the bytes that it has received, under a header that only replicas write.
2. The other one verifies the header, and answers over the pair before it serves. With that answer the
   connection is its own.
3. Without an answer in time, the sender stops to listen. The answer then either has arrived, or can no longer
   be sent, so exactly one of the two serves the connection.

If the receiver ends before it answers, the kernel closes its end of the pair, and the sender serves.
"""

from __future__ import annotations

import asyncio
import os
import socket
from array import array
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from remit.api.spiffe.socket_path import MODES, bind

#: Bytes that go along with a connection. One that has sent more stays where it is.
MAX_RECEIVED_BYTES: Final = 65_536
#: Seconds that a worker has to take a connection.
TAKE_S: Final = 1.0
_MAX_HEADER_BYTES: Final = 2_048
_TAKEN: Final = b"1"
_CUT: Final = getattr(socket, "MSG_TRUNC", 0) | getattr(socket, "MSG_CTRUNC", 0)


class Arrival:
    """A connection of another worker, which this one may take."""

    def __init__(self, received: bytes, answers: int) -> None:
        """Keep what was received from the client, and the descriptor of the pair's end, to be closed here."""
        self.received = received
        self._answers = answers

    def take(self) -> bool:
        """Answer the sender; return whether the connection belongs to this worker from now on."""
        try:
            return os.write(self._answers, _TAKEN) == 1
        except OSError:
            return False

    def close(self) -> None:
        """Close the end of the pair: without an answer before, the sender serves."""
        os.close(self._answers)


class Adopt(Protocol):
    """Serves a connection that has arrived."""

    def __call__(self, connection: socket.socket, *, arrival: Arrival) -> Awaitable[None]:
        """Serve it; its protocol takes the arrival first."""
        ...


class Transfers:
    """The socket of one worker for connections, from others and to others; for one event loop."""

    def __init__(
        self,
        place: Path,
        is_introduced: Callable[[bytes, bytes], bool],
        adopt: Adopt,
    ) -> None:
        """Bind the socket beside that for requests, which is at `place`; raises `ConfigInvalid`.

        `is_introduced` verifies a header over what was received. `adopt` serves a connection.
        """
        self._is_introduced = is_introduced
        self._adopt = adopt
        self._adopting: set[asyncio.Future[None]] = set()
        self._sock = bind(_beside(place), MODES["user"], "listen", socket.SOCK_DGRAM)

    def open(self) -> None:
        """Take connections from now on."""
        asyncio.get_running_loop().add_reader(self._sock, self._arrived)

    def close(self) -> None:
        """Take no more connections: senders serve what is still on its way."""
        if self._sock.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._sock)
            self._sock.close()

    async def send(self, connection: int, place: str, message: bytes) -> bool:
        """Send a connection, by its descriptor, to the worker with a socket for requests at `place`.

        Return whether that worker has taken it.
        """
        try:
            mine, others = socket.socketpair()
        except OSError:
            return False
        with mine, others:
            mine.setblocking(False)
            try:
                # `socket.send_fds` ignores an address.
                given = array("i", (connection, others.fileno()))
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, given)]
                self._sock.sendmsg([message], rights, 0, str(_beside(Path(place))))
            except OSError:
                return False
            others.close()
            try:
                await _answered(mine)
            except asyncio.CancelledError:
                # What the other worker serves is not refused here any more.
                if _is_taken_after_all(mine):
                    return True
                raise
            return _is_taken_after_all(mine)

    def _arrived(self) -> None:
        """Take one connection, if a replica sends it."""
        given: list[int] = []
        most = _MAX_HEADER_BYTES + MAX_RECEIVED_BYTES
        with suppress(OSError):
            message, given, flags, _ = socket.recv_fds(
                self._sock, most, 2, getattr(socket, "MSG_CMSG_CLOEXEC", 0)
            )
            told, _, received = message.partition(b"\n")
            if len(given) == 2 and not flags & _CUT and self._is_introduced(told, received):
                arrival = Arrival(received, given.pop())
                adopting = asyncio.ensure_future(self._taken(socket.socket(fileno=given.pop()), arrival))
                self._adopting.add(adopting)
                adopting.add_done_callback(self._adopting.discard)
        for one in given:
            os.close(one)

    async def _taken(self, connection: socket.socket, arrival: Arrival) -> None:
        try:
            await self._adopt(connection, arrival=arrival)
        finally:
            arrival.close()


def _beside(place: Path) -> Path:
    return place.with_suffix(".conn")


async def _answered(mine: socket.socket) -> None:
    """Wait for an answer or an end, as long as the other worker may take, and read nothing.

    INVARIANT: the answer stays in the kernel. After a stall, it and the time limit arrive at once, and a wait
    that has read the answer would lose it to the limit.
    """
    loop, heard = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(mine, heard.set)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(TAKE_S):
                await heard.wait()
    finally:
        loop.remove_reader(mine)


def _is_taken_after_all(mine: socket.socket) -> bool:
    """Stop to listen, and return whether the answer had arrived before.

    INVARIANT: after the shutdown the kernel refuses an answer, and one from before it can still be read.
    """
    with suppress(OSError):
        mine.shutdown(socket.SHUT_RD)
        return mine.recv(1) == _TAKEN
    return False
