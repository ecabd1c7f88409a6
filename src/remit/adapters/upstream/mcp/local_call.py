# SPDX-License-Identifier: Apache-2.0
"""A call that is answered here."""

from collections.abc import Callable

from remit.adapters.upstream.mcp.jsonrpc import RequestId
from remit.core.decisions.mediation import Chunk, ChunkKind
from remit.core.errors import OutOfOrder


class LocalExchange:
    """A call that ends here: what it asks is done when it is sent, and nothing goes upstream as a call."""

    __slots__ = ("_act", "_sent")

    def __init__(self, act: Callable[[], None]) -> None:
        """Take what is to be done."""
        self._act = act
        self._sent = False

    def send(self) -> None:
        """Do it."""
        self._sent = True
        self._act()

    async def receive(self) -> Chunk:
        """Return the empty result."""
        if not self._sent:
            raise OutOfOrder("no request was sent, so there is no answer", remediation="send the call first")
        return Chunk(ChunkKind.RESULT, b"{}")

    def respond(self, request_id: RequestId, body: bytes, *, error: bool = False) -> None:
        """Nobody asks."""

    def cancel(self, reason: str) -> None:
        """Nobody waits."""

    def release(self) -> None:
        """Nothing is held."""
