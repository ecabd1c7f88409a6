# SPDX-License-Identifier: Apache-2.0
"""A proxy before PostgreSQL that dice lead astray: at any message of either side it may be slow, hold
everything back, or cut, before the message, within it or after it; or cut who speaks, and tell the other a
moment later.
"""

import contextlib
import random
import socket
import threading
import time
from collections.abc import Iterator

from tests.faults.cutting_proxy import CuttingProxy, shut


class DicingProxy(CuttingProxy):
    """Stands before a port of this machine, at `port`; harmless until `odds` are set."""

    def __init__(self, target: int, seed: str, *, longest_s: float) -> None:
        self._dice = random.Random(seed)
        self._lock = threading.Lock()
        self._longest_s = longest_s
        #: Of how many messages one goes astray; none at 0.
        self.odds = 0
        super().__init__(target)

    def _thrown(self) -> tuple[str, float]:
        with self._lock:
            if not self.odds or self._dice.randrange(self.odds):
                return "", 0.0
            fate = self._dice.choice(("before", "after", "within", "late", "slow", "slow", "held"))
            return fate, self._dice.random()

    def _pass_on(self, one: socket.socket, other: socket.socket, from_client: bool) -> None:
        with contextlib.suppress(OSError):
            # Message by message, none of which waits until the one before it was acknowledged.
            other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            unread = bytearray()
            for said in _messages(one, unread, from_client):
                message = said
                fate, chance = self._thrown()
                if fate == "slow":
                    time.sleep(chance * self._longest_s / 20)
                elif fate == "held":
                    time.sleep(chance * self._longest_s)
                elif fate == "late":
                    self._gather(one, unread)
                    time.sleep(chance * self._longest_s)
                    message = said + unread
                if fate == "within":
                    other.sendall(message[: int(len(message) * chance)])
                elif fate != "before":
                    other.sendall(message)
                if fate in ("before", "after", "within", "late"):
                    self.cuts += 1
                    shut(one)  # it hears nothing more
                    break
        shut(one)
        shut(other)

    def _gather(self, one: socket.socket, unread: bytearray) -> None:
        """Have it that who spoke is gone, and what was said until then is still on its way."""
        one.settimeout(0.01)
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                unread += data
        shut(one)


def _messages(one: socket.socket, unread: bytearray, from_client: bool) -> Iterator[bytes]:
    """Yield message by message, what is behind it being `unread`.

    The first one of a client has no letter before its size.
    """
    letter = 0 if from_client else 1
    while data := one.recv(65536):
        unread += data
        while len(unread) >= letter + 4:
            size = letter + int.from_bytes(unread[letter : letter + 4], "big")
            if len(unread) < size:
                break
            message = bytes(unread[:size])
            del unread[:size]
            letter = 1
            yield message
    yield bytes(unread)
