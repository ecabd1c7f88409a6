# SPDX-License-Identifier: Apache-2.0
"""Whether the agent is still there: looked at once a call takes longer than most do."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol

from remit.gateway.asgi import Receive
from remit.services.limits.deadlines import DeadlineTimer

#: Seconds until somebody looks: short calls never pay for it.
WATCH_AFTER_S: Final = 0.05


class Watched(Protocol):
    """The answer to a call."""

    async def watch(self, receive: Receive, call: asyncio.Task[Any]) -> None:
        """Cancel `call` once the agent has gone."""
        ...


class DisconnectWatch(DeadlineTimer):
    """Looks after one call: begins when it rings."""

    __slots__ = ("_answer", "_call", "_looking", "_receive")

    def __init__(self, answer: Watched, receive: Receive, call: asyncio.Task[Any]) -> None:
        """Begin to wait with the call."""
        self._answer = answer
        self._receive = receive
        self._call = call
        self._looking: asyncio.Task[None] | None = None

    def ring(self) -> None:
        """Begin to look."""
        self._looking = self._call.get_loop().create_task(self._answer.watch(self._receive, self._call))

    def end(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
