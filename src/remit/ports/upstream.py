# SPDX-License-Identifier: Apache-2.0
"""Upstreams: the servers whose tools are governed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, runtime_checkable

import msgspec

from remit.core.decisions.mediation import Chunk
from remit.core.json_value import Json
from remit.core.keys.certificate import ClientCertificate
from remit.core.keys.sigv4 import Sign
from remit.core.tools.http_api import Api
from remit.ports.runtime import Turns

#: The lists whose changes MCP announces; resource templates belong to `resources`.
LISTS: Final = frozenset(("tools", "resources", "prompts"))
#: The method with which an upstream announces a change of a list, and the list.
LIST_CHANGED: Final = {f"notifications/{name}/list_changed": name for name in sorted(LISTS)}


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """What an upstream offers, as its own wire entries."""

    protocol: str
    server: dict[str, Json] = {}
    capabilities: dict[str, Json] = {}
    instructions: str = ""
    tools: tuple[dict[str, Json], ...] = ()
    resources: tuple[dict[str, Json], ...] = ()
    resource_templates: tuple[dict[str, Json], ...] = ()
    prompts: tuple[dict[str, Json], ...] = ()

    def offers(self, *path: str) -> bool:
        """Return whether a capability is present and not false."""
        node: Json = self.capabilities
        for key in path:
            node = node.get(key) if isinstance(node, dict) else None
        return node is not None and node is not False


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One JSON-RPC request for an upstream, as it was decided.

    `params` is the decided value, without `_meta`; the adapter adds what its protocol era demands and
    serialises it once. `meta` has entries of `_meta` that may travel (trace context), never the agent's own.
    `task` is the key of what the upstream keeps per task (a session); `lease` names the process that serves
    the call where each task has its own. `sign` returns further headers of the resulting request, where its
    credential signs and is not shown; `certificate` is shown on its connection. `wants_progress` asks for
    progress notifications. `capabilities` is what the agent's client can answer where the upstream asks back,
    empty where the task may answer nothing; it is sent only to a server of 2026-07-28. `surface` is the
    digest of the surface that was decided about, empty where the tool is not the accepted one.
    """

    method: str
    params: dict[str, Json]
    task: str
    lease: str = ""
    meta: dict[str, Json] = {}
    wants_progress: bool = False
    log_level: str = ""
    capabilities: dict[str, Json] = {}
    sign: Sign | None = None
    certificate: ClientCertificate | None = None
    surface: str = ""


class Exchange(Protocol):
    """One call with a connection. Used by one task of the event loop; not shared."""

    def send(self) -> None:
        """Write the call now, synchronously, at most once.

        Nothing is awaited between the caller's check of the fence and the bytes leaving for the operating
        system. Raises `UpstreamUnreachable` (`sent` states whether bytes may have left).
        """
        ...

    async def receive(self, turns: Turns | None = None) -> Chunk:
        """Return the upstream's next message for this call, the last being a result or an error.

        A long one is read in `turns`; without them, at once.

        Raises `UpstreamUnreachable` with `sent=True` when the upstream is lost, `UpstreamFault` when it
        breaks its protocol or a limit. No retry, no redirect.
        """
        ...

    def respond(self, request_id: str | int, body: bytes, *, error: bool = False) -> None:
        """Answer a server-initiated request of this call with a raw JSON result or error."""
        ...

    def cancel(self, reason: str) -> None:
        """Notify the upstream, if possible, that no one waits for the call any longer; never raises."""
        ...

    def release(self) -> None:
        """Return the connection, or drop it if the exchange did not end; safe to call twice.

        A waiting `receive` then ends in `UpstreamUnreachable` (`sent` unchanged).
        """
        ...


class Upstream(Protocol):
    """One MCP server, over any transport and of any protocol era. Safe for many calls at once on one event
    loop.

    Errors: `UpstreamUnreachable`, `UpstreamFault`, `Busy`. A crashed process is restarted with back-off; its
    pending calls end in `UpstreamUnreachable(sent=True)`.
    """

    name: str

    async def start(
        self, on_change: Callable[[], None], on_notification: Callable[[str, Json], None]
    ) -> None:
        """Connect and learn what is offered.

        `on_change` is called when the upstream announces that its lists changed, or when they may have.
        Before that, `on_notification` is called with the announcement. `on_notification` is also called with
        other notifications that belong to no call (a resource was updated).
        """
        ...

    async def catalogue(self) -> Catalogue:
        """Ask the upstream for everything that it offers now."""
        ...

    async def prepare(self, call: Call, headers: dict[str, str]) -> Exchange:
        """Get a connection for a call, with the leased credential in `headers`; nothing is sent yet."""
        ...

    async def end_task(self, task: str) -> None:
        """Forget the state of a task (its session); never raises."""
        ...

    async def stop(self) -> None:
        """Close connections and end processes."""
        ...


def offered(api: Api, name: str) -> Catalogue:
    """Return the operations of an HTTP API as the offer of the upstream with that name."""
    return Catalogue(
        protocol="http/1.1",
        server={"name": api.title or name, "version": api.version or "0"},
        capabilities={"tools": {}},
        tools=tuple(route.wire for route in api.routes.values()),
    )


@runtime_checkable
class HttpUpstream(Upstream, Protocol):
    """One HTTP API, whose operations are tools by an OpenAPI document.

    It takes two kinds of calls: `tools/call`, whose result has the shape of MCP, and
    `core.tools.http_api.REQUEST` with the same params, whose answer comes unchanged, in pieces
    (`core.tools.http_api.ReplyPiece`). `base` is its address, without a trailing slash.
    """

    api: Api
    base: str

    def offer(self, api: Api) -> None:
        """Offer the operations of another document from now on."""
        ...
