# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that passes on what it hears until it sees a word; then it cuts, before or after passing it.

It can be slow, too; and before PostgreSQL it can keep to itself what the server tells without being asked.
"""

import contextlib
import socket
import threading
import time
from typing import Literal


class CuttingProxy:
    """Stands before a port of this machine, at `port`."""

    def __init__(self, target: int, *, postgres: bool = False) -> None:
        self._target = target
        self.postgres = postgres
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._word: tuple[bytes, str] | None = None
        self.cuts = 0
        self._off = threading.Event()
        #: Seconds that each piece takes.
        self.slow_s = 0.0
        #: Whether clients of PostgreSQL hear of what others notify.
        self.deaf = False
        #: Whether clients are not told that the server has ended their connection.
        self.keeps_open = False
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut_at(self, word: bytes, when: Literal["before", "after"]) -> None:
        """Cut the next connection on which the client says `word`: the server never hears it, or the client
        never hears the answer.
        """
        self._word = (word, when)

    def cut_off(self, cut: bool) -> None:
        """Cut all connections, and every one that is made from now on; or let them through again."""
        if not cut:
            self._off.clear()
            return
        self._off.set()
        for end in self._ends:
            shut(end)

    @property
    def off(self) -> bool:
        """Whether all connections are cut."""
        return self._off.is_set()

    def close(self) -> None:
        """Cut everything, and take no more connections."""
        for end in (self._listener, *self._ends):
            shut(end)
        for thread in self._threads:
            thread.join(10)
        for end in (self._listener, *self._ends):
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._off.is_set():
                    client.close()
                    continue
                try:
                    server = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    client.close()  # no process listens there now
                    continue
                for end in (client, server):
                    # What is sent in pieces would wait 40 ms for the word that the first one has come.
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._ends += (client, server)
                if self._off.is_set():  # since it was being made
                    shut(client)
                    shut(server)
                for ends in ((client, server, True), (server, client, False)):
                    thread = threading.Thread(target=self._pass_on, args=ends, daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _pass_on(self, one: socket.socket, other: socket.socket, from_client: bool) -> None:
        unread = bytearray()
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                time.sleep(self.slow_s)
                if self.postgres and not from_client:
                    data = self._heard(unread, data)
                if from_client and self._word and self._word[0] in data:
                    when, self._word = self._word[1], None
                    self.cuts += 1
                    shut(one)  # it hears nothing more
                    if when == "after":
                        other.sendall(data)
                    break
                other.sendall(data)
        shut(one)
        if from_client or not self.keeps_open:
            shut(other)

    def _heard(self, unread: bytearray, data: bytes) -> bytes:
        """Return the whole messages of a server of PostgreSQL, without notifications where those get lost."""
        unread += data
        out = b""
        while len(unread) >= 5 and len(unread) > (size := int.from_bytes(unread[1:5], "big")):
            if not (self.deaf and unread[:1] == b"A"):
                out += unread[: size + 1]
            del unread[: size + 1]
        return out


def shut(end: socket.socket) -> None:
    """End a connection for both sides, whether they send or listen."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
