# SPDX-License-Identifier: Apache-2.0
"""The MCP endpoint: `/mcp/{upstream}` and `/mcp`, both protocol eras, as one ASGI application.

The checks, in this order; each one refuses the request if it fails. The body is read only after the headers
have passed:

1. where: the path, `Origin` and `Host` (against DNS rebinding)
2. how much: a limit on requests in progress
3. who: the token, never from the query, and the proof of its sender (401 with RFC 9728 metadata)
4. what: method, content types, size, one strict JSON-RPC message
5. era: 2026-07-28 is declared in header and `_meta`; everything else is a session of an older revision

The endpoint adds no rules. Every request to an upstream goes through `services.mediation.mediator`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from remit.core.decisions.mediation import Step
from remit.core.errors import Malformed, RemitError, Unauthenticated
from remit.core.json_value import Json
from remit.core.oauth.resource import JOINED_PATH
from remit.gateway.asgi import (
    Receive,
    RequestsInProgress,
    Scope,
    Send,
    check_length,
    origin_of,
    raw_path,
    read_body,
    refused_header,
    respond,
    with_nonce,
)
from remit.gateway.mcp.calls import CallVisit
from remit.gateway.mcp.headers import SESSION, VERSION, McpHeaders, accepted, is_json
from remit.gateway.mcp.listing import Place, check_joined
from remit.gateway.mcp.messages import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    LEGACY_VERSIONS,
    META_VERSION,
    METHOD_NOT_FOUND,
    ClientReply,
    Incoming,
    WireFault,
    error_body,
    error_frame,
    fault_of,
    http_status,
    reading_incoming,
    result_frame,
)
from remit.gateway.mcp.methods import Methods
from remit.gateway.mcp.sessions import Session, Sessions
from remit.gateway.mcp.subscriptions import CHANGED, RESOURCE_UPDATED, Subscriptions
from remit.gateway.protected_resource import METADATA, ProtectedResource
from remit.ports.upstream import LISTS
from remit.services.endings.events import EndEvents
from remit.services.findings.shared_identities import SharedIdentities
from remit.services.limits.client_address import sender_of
from remit.services.limits.deadlines import Deadlines
from remit.services.limits.request_bodies import body_of
from remit.services.limits.time_slices import TimeSlices
from remit.services.tools.announcements import Announcements

PREFIX: Final = JOINED_PATH
_LOG = logging.getLogger(__name__)

#: Headers that determine how the body is read.
_OF_BODY: Final = frozenset((b"content-type", b"content-encoding"))
_BOTH: Final = (True, True)
LEGACY: Final = frozenset(version.encode() for version in LEGACY_VERSIONS)


class McpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the endpoint; sizes in bytes, times in seconds."""

    max_request_bytes: int = 4 * 1024 * 1024
    max_depth: int = 64
    max_calls_in_flight: int = 1024
    max_calls_per_agent: int = 512
    body_timeout_s: float = 30.0
    sessions_per_task: int = 32
    sessions: int = 10_000
    session_idle_s: float = 1800.0
    streams_per_task: int = 32
    streams: int = 2000


class McpEndpoint:
    """The ASGI application. Used from one event loop."""

    def __init__(
        self,
        *,
        upstreams: Sequence[str],
        public_url: str,
        resource: ProtectedResource,
        methods: Methods,
        sessions: Sessions,
        subscriptions: Subscriptions,
        sightings: SharedIdentities,
        turns: TimeSlices,
        ends: EndEvents,
        announcements: Announcements,
        limits: McpLimits,
        in_hand: RequestsInProgress | None = None,
        origins: Iterable[str] = (),
        hosts: Iterable[str] = (),
    ) -> None:
        """Take the parts. `in_hand` is shared with other endpoints.

        `origins` are browser origins that may call beside the endpoint's own; `hosts`, where given, are the
        only `Host` values that are answered.

        Raises `ConfigInvalid` where two upstreams could give different tools one name at `/mcp`.
        """
        check_joined(upstreams)
        self._resource = resource
        self._methods = methods
        self._sessions = sessions
        self._subscriptions = subscriptions
        self._sightings = sightings
        self._turns = turns
        self._limits = limits
        self._base = public_url.rstrip("/")
        self._origins = frozenset(one.rstrip("/").lower() for one in (*origins, origin_of(self._base)))
        self._hosts = frozenset(one.lower() for one in hosts)
        names = tuple(upstreams)
        self._places = {
            f"{PREFIX}/{name}": Place(f"{PREFIX}/{name}", (name,), joined=False) for name in names
        }
        self._places[PREFIX] = self._places[f"{PREFIX}/"] = Place(PREFIX, names, joined=True)
        self._in_hand = in_hand or RequestsInProgress(
            most=limits.max_calls_in_flight, most_of_agent=limits.max_calls_per_agent
        )
        self._bodies = Deadlines()
        ends.ended.append(self.on_end)
        ends.kept.extend((("mcp-session", self.end_sessions), ("mcp-stream", self.end_streams)))
        announcements.listen(self.changed, self.notified, subscriptions.close)

    # Notifications from other services.

    async def on_end(self, task_id: str) -> None:
        """Let go of what is kept for a task that has ended."""
        self.end_sessions(task_id)
        self.end_streams(task_id)

    def end_sessions(self, task_id: str) -> int:
        """End the sessions of a task that has ended; gives how many that were."""
        return self._sessions.end_task(task_id)

    def end_streams(self, task_id: str) -> int:
        """Close the streams of a task that has ended; gives how many that were."""
        return self._subscriptions.end_task(task_id)

    def changed(self, upstream: str, lists: frozenset[str] = LISTS) -> None:
        """Announce that the offer of an upstream, or its accepted part, has changed in these lists."""
        for name, method in CHANGED.items():
            if name in lists:
                self._subscriptions.announce(method, upstream)

    def notified(self, upstream: str, method: str, params: Json) -> None:
        """Announce an upstream's notification outside of calls; only resource updates are passed on."""
        if method == RESOURCE_UPDATED and isinstance(params, dict) and isinstance(params.get("uri"), str):
            self._subscriptions.announce(method, upstream, params["uri"])

    def owns(self, path: str) -> bool:
        """Return whether a path belongs to this endpoint."""
        return path == PREFIX or path.startswith((PREFIX + "/", METADATA))

    # One request.

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        if scope["path"].startswith(METADATA):
            await self._resource.metadata(scope, send)
            return
        visit = CallVisit(McpHeaders(scope["headers"]), receive, send)
        self._in_hand.count += 1
        try:
            await self._serve(scope, visit)
        except RemitError as error:
            await self._refuse(scope, visit, error)
        except Exception:  # noqa: BLE001 - the edge of the endpoint
            # An internal defect: the agent learns nothing else.
            _LOG.exception("a request caused an internal error")
            await self._fail(visit, WireFault("internal error", INTERNAL_ERROR, status=500, code="fault"))
        finally:
            # The answer refers to its visit. A cycle of both would stay until a collection of all objects.
            visit.answer = None
            self._in_hand.count -= 1
            self._count_out(visit)

    def _count_in(self, visit: CallVisit) -> None:
        visit.agent = visit.claims.client_id
        self._in_hand.add(visit.agent)

    def _count_out(self, visit: CallVisit) -> None:
        if visit.agent:
            self._in_hand.remove(visit.agent)

    async def _serve(self, scope: Scope, visit: CallVisit) -> None:
        self._check_where(visit.head)
        self._in_hand.check()
        self._identify(scope, visit)
        self._count_in(visit)
        body_of(scope, visit.agent)
        place = self._places.get(scope["path"])
        if place is None:
            raise WireFault(
                "the upstream does not exist", METHOD_NOT_FOUND, status=404, code="no-upstream",
                remediation="see `remit tool list`",
            )  # fmt: skip
        visit.place = place
        method = scope["method"]
        version = visit.head.values.get(VERSION)
        old = not version or version in LEGACY
        if method == "POST":
            check_post(visit.head, self._limits.max_request_bytes)
            steps = reading_incoming(
                await self._body(visit),
                max_bytes=self._limits.max_request_bytes,
                max_depth=self._limits.max_depth,
            )
            message = await self._turns.take(steps)
            if isinstance(message, ClientReply):
                visit.id = message.id
                await self._reply(visit, message, old=old)
                return
            visit.read(message)
            # A message of the newer era under an older header is refused by the newer era's checks, as a
            # mismatch.
            if old and META_VERSION not in message.meta:
                await self._legacy(visit, message)
            else:
                visit.modern = True
                await self._methods.modern(visit, message)
        elif old and method == "GET":
            await self._stream(visit)
        elif old and method == "DELETE":
            await self._session(visit)
            self._sessions.close(visit.head.get(SESSION).decode("latin-1"))
            await respond(visit.send, 204, b"")
        else:
            allow = b"GET, POST, DELETE" if old else b"POST"
            raise WireFault(
                f"`{method}` is not supported here", INVALID_REQUEST, status=405, code="method-not-allowed",
                headers=((b"allow", allow),),
            )  # fmt: skip

    async def _legacy(self, visit: CallVisit, message: Incoming) -> None:
        if message.method != "initialize":
            visit.session = await self._session(visit)
        await self._methods.legacy(visit, message)

    async def _session(self, visit: CallVisit) -> Session:
        """Return the session of a request. The sessions of a task end with it: then the end is the error."""
        try:
            return self._sessions.find(visit.head.get(SESSION), visit.claims, visit.place)
        except WireFault:
            await self._methods.check_live(visit)
            raise

    async def _reply(self, visit: CallVisit, reply: ClientReply, *, old: bool) -> None:
        """Accept a client's answer to a question in a session; 2026-07-28 has no such answers."""
        if not old:
            raise WireFault("a message needs a `method`", INVALID_REQUEST, status=400, code="not-jsonrpc")
        (await self._session(visit)).answered(reply)
        await respond(visit.send, 202, b"")

    async def _stream(self, visit: CallVisit) -> None:
        if not accepted(visit.head.get(b"accept"))[1]:
            raise _not_acceptable("text/event-stream")
        session = await self._session(visit)
        # Streams have a separate limit.
        self._in_hand.count -= 1
        self._count_out(visit)
        visit.agent = ""
        try:
            await self._methods.stream(visit, session)
        finally:
            self._in_hand.count += 1

    # Checks before the body is read.

    def _check_where(self, head: McpHeaders) -> None:
        origin = head.values.get(b"origin")
        if origin is not None and (
            b"origin" in head.twice or origin.decode("latin-1").lower() not in self._origins
        ):
            raise WireFault("this origin is not permitted", INVALID_REQUEST, status=403, code="origin")
        if self._hosts and head.get(b"host").decode("latin-1").lower() not in self._hosts:
            raise WireFault("this host name is not served here", INVALID_REQUEST, status=421, code="host")

    def _identify(self, scope: Scope, visit: CallVisit) -> None:
        head = visit.head
        shown = [head.values[b"authorization"]] if b"authorization" in head.values else []
        found = self._resource.identify(
            scope,
            authorization=shown * 2 if b"authorization" in head.twice else shown,
            proofs=head.proofs,
            resource=scope["path"].rstrip("/"),
            url=self._base + raw_path(scope).decode("latin-1"),
        )
        visit.token, visit.claims, visit.proven = found.token, found.claims, found.proven
        visit.origin = sender_of(scope)
        self._sightings.shown(found.claims, visit.origin)
        if found.nonce:
            visit.send = with_nonce(visit.send, found.nonce.encode())

    async def _body(self, visit: CallVisit) -> bytes:
        limits = self._limits
        try:
            return await read_body(
                visit.receive,
                max_bytes=limits.max_request_bytes,
                timeout_s=limits.body_timeout_s,
                alarms=self._bodies,
            )
        except Malformed as fault:
            raise _of_body(fault) from None

    # Answers outside of methods.

    async def _fail(self, visit: CallVisit, fault: WireFault) -> None:
        if visit.answer is not None and visit.answer.begun:
            await visit.answer.fail(fault)
            return
        if visit.begun:
            # The stream ends without an error, because it has no place for one.
            await visit.send({"type": "http.response.body", "body": b""})
            return
        if (result := self._methods.failure(visit, fault)) is not None:
            body = result_frame(visit.id) + result + b"}"
            await respond(visit.send, 200, body, (refused_header(fault.code),))
            return
        body = error_frame(visit.id) + error_body(fault) + b"}"
        await respond(visit.send, http_status(fault, modern=visit.modern), body, fault.headers)

    async def _refuse(self, scope: Scope, visit: CallVisit, error: RemitError) -> None:
        """Answer an error; record refusals of steps 1 and 2 in the evidence, and only count a flood of
        them.
        """
        fault = fault_of(error)
        if await self._resource.refused(error, "mcp", visit.claims if visit.token else None):
            fault.step = error.step or Step.IDENTIFY
        if isinstance(error, Unauthenticated):
            fault.headers = self._resource.challenges(scope["path"], error)
        await self._fail(visit, fault)


def check_post(head: McpHeaders, max_bytes: int) -> None:
    """Refuse a body of another kind, a compressed one, or one that is too long; raise `WireFault`."""
    if not head.twice.isdisjoint(_OF_BODY) or not is_json(head.values.get(b"content-type", b"")):
        raise WireFault(
            "the body must be `application/json`, in UTF-8",
            INVALID_REQUEST,
            status=415,
            code="content-type",
        )
    if head.values.get(b"content-encoding", b"").strip().lower() not in (b"", b"identity"):
        # An intermediary that decompresses the body could read another body than the decided one.
        raise WireFault(
            "the body is compressed",
            INVALID_REQUEST,
            status=415,
            code="content-encoding",
            remediation="send it without Content-Encoding",
        )
    if accepted(head.values.get(b"accept", b"")) != _BOTH:
        raise _not_acceptable("application/json, text/event-stream")
    try:
        check_length(head.values.get(b"content-length", b""), max_bytes)
    except Malformed as fault:
        raise _of_body(fault) from None


def _not_acceptable(kinds: str) -> WireFault:
    return WireFault(f"the request must accept `{kinds}`", INVALID_REQUEST, status=406, code="not-acceptable")


def _of_body(fault: Malformed) -> WireFault:
    """Return the wire form of an error of the body."""
    status = {"too-large": 413, "body-timeout": 408}.get(fault.code, 400)
    headers = ((b"connection", b"close"),) if status == 413 else ()
    return WireFault(
        fault.message,
        INVALID_REQUEST,
        status=status,
        code=fault.code,
        remediation=fault.remediation,
        headers=headers,
    )
