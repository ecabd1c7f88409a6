# SPDX-License-Identifier: Apache-2.0
"""Detection of an agent that disconnects, once a call takes longer than most calls."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol

from remit.gateway.asgi import Receive
from remit.services.limits.deadlines import DeadlineTimer

#: Seconds until the check begins, so that short calls cause no cost.
WATCH_AFTER_S: Final = 0.05


class Watched(Protocol):
    """The answer to a call."""

    async def watch(self, receive: Receive, call: asyncio.Task[Any]) -> None:
        """Cancel `call` once the agent has disconnected."""
        ...


class DisconnectWatch(DeadlineTimer):
    """Watches one call: the check begins when the timer rings."""

    __slots__ = ("_answer", "_call", "_looking", "_receive")

    def __init__(self, answer: Watched, receive: Receive, call: asyncio.Task[Any]) -> None:
        """Keep the call; `ring` begins the check."""
        self._answer = answer
        self._receive = receive
        self._call = call
        self._looking: asyncio.Task[None] | None = None

    def ring(self) -> None:
        """Begin the check."""
        self._looking = self._call.get_loop().create_task(self._answer.watch(self._receive, self._call))

    def end(self) -> None:
        """End the check."""
        if self._looking is not None:
            self._looking.cancel()
