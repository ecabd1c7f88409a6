# SPDX-License-Identifier: Apache-2.0
"""The stand-in for the upstreams of a rehearsal: a call waits until the test gives the tool's result."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

import msgspec

from remit.core.decisions.mediation import Chunk, ChunkKind, Delivery
from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.core.tools.tool import RESERVED_OPERATIONS, RESOURCE_READ
from remit.ports.upstream import Call, Catalogue
from remit.services.mediation.call_exchange import ExternalCall


class CallRun(ExternalCall):
    """One call of a rehearsal, on its way through the nine steps."""

    def __init__(self, upstream: str, name: str) -> None:
        """Start before step 1."""
        super().__init__()
        self.upstream = upstream
        self.name = name
        self.released = Released()


class Released:
    """The `Sink` of one call: what the agent would get."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.value: Json = None

    async def release(self, chunk: Delivery) -> None:
        """Keep what the agent would get."""
        if chunk.last:
            self.value = msgspec.json.decode(chunk.body)


#: The call that the running task of the event loop takes through the steps.
CURRENT: ContextVar[CallRun] = ContextVar("remit_rehearsed_call")


class StandIn:
    """`ports.upstream.Upstream` of a rehearsal. It offers nothing itself: `tools/` describes the tools."""

    def __init__(self, name: str) -> None:
        """Replace the upstream of that name."""
        self.name = name

    async def start(
        self, on_change: Callable[[], None], on_notification: Callable[[str, Json], None]
    ) -> None:
        """Do nothing: there is no connection."""

    async def catalogue(self) -> Catalogue:
        """Return an empty catalogue: `tools/` describes the tools."""
        return Catalogue(protocol="2026-07-28")

    async def prepare(self, call: Call, headers: dict[str, str]) -> CallRun:
        """Return the exchange of the call in progress."""
        return CURRENT.get()

    async def end_task(self, task: str) -> None:
        """Do nothing: nothing is stored."""

    async def stop(self) -> None:
        """Do nothing: there is no process."""


def result_chunk(run: CallRun, given: Json, *, error: bool) -> Chunk:
    """Return a result as an MCP server sends it: text as text, structure as `structuredContent`.

    Raises `Malformed` if JSON cannot represent it.
    """
    if run.name in RESERVED_OPERATIONS and isinstance(given, dict):
        result: Json = given
    elif run.name == RESOURCE_READ:
        assert run.request is not None
        result = {"contents": [{"uri": run.request.arguments.get("uri", ""), "text": _text(given)}]}
    elif isinstance(given, dict):
        result = {"content": [], "structuredContent": given}
    else:
        result = {"content": [{"type": "text", "text": _text(given)}]}
    if error:
        result = {**result, "isError": True}
    return Chunk(ChunkKind.RESULT, _encoded(result), is_error=error)


def _text(given: Json) -> str:
    return given if isinstance(given, str) else _encoded(given).decode()


def _encoded(given: Json) -> bytes:
    try:
        return msgspec.json.encode(given)
    except (TypeError, ValueError, UnicodeEncodeError, RecursionError) as fault:
        raise Malformed(
            f"a result is text or what JSON can hold: {fault}", remediation="give a string, or plain values"
        ) from None
