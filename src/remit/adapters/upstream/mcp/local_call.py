# SPDX-License-Identifier: Apache-2.0
"""A call that is answered by this adapter."""

from collections.abc import Callable

from remit.adapters.upstream.mcp.jsonrpc import RequestId
from remit.core.decisions.mediation import Chunk, ChunkKind
from remit.core.errors import OutOfOrder
from remit.ports.runtime import Turns


class LocalExchange:
    """A call that ends here: its action runs when it is sent, and no call goes upstream."""

    __slots__ = ("_act", "_sent")

    def __init__(self, act: Callable[[], None]) -> None:
        """Store the action."""
        self._act = act
        self._sent = False

    def send(self) -> None:
        """Run the action."""
        self._sent = True
        self._act()

    async def receive(self, turns: Turns | None = None) -> Chunk:
        """Return the empty result."""
        if not self._sent:
            raise OutOfOrder("no request was sent, so there is no answer", remediation="send the call first")
        return Chunk(ChunkKind.RESULT, b"{}")

    def respond(self, request_id: RequestId, body: bytes, *, error: bool = False) -> None:
        """Do nothing: no server sends a request."""

    def cancel(self, reason: str) -> None:
        """Do nothing: the call is complete once it is sent."""

    def release(self) -> None:
        """Do nothing: there is nothing to release."""
