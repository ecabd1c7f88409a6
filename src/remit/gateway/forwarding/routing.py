# SPDX-License-Identifier: Apache-2.0
"""The front of all endpoints of a replica.

1. A request that another replica forwarded is accepted as such only if its header is valid
   (`services.replicas.forwarding`). It is then served as if it had arrived here, and is never forwarded again
   as a whole.
2. A request about a task of another replica is forwarded completely, with token and proof, and its answer is
   returned piece by piece. The owner checks proofs, and the agent gets the owner's nonces: each task has one
   place for them. To an owner on this machine its connection is handed over, if that is possible.
3. Everything else is served here.
4. No part of a call's answer is released while this replica has no lease, no matter which replica answered.
   An answer on its way from another replica is cut when its task or scope is ended.

While this replica has no lease, it serves only its own health endpoints.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from remit.core.errors import (
    Elsewhere,
    Fenced,
    Malformed,
    OutOfForce,
    OwnerAway,
    RemitError,
    StoreUnavailable,
    UpstreamUnreachable,
    repeatable,
)
from remit.core.replicas.forwarding import HEADER, HOP, Seen, carried, read_chain, written_chain
from remit.core.replicas.replica import Replica, socket_of
from remit.core.scope import Raised
from remit.gateway.asgi import ROOM, TRANSFER, Application, Receive, Scope, Send, read_body, respond
from remit.gateway.forwarding.task_hints import (
    MCP,
    TOKEN,
    concerns,
    needs_body,
    task_of,
    upstream_of,
)
from remit.gateway.mcp.messages import (
    INVALID_REQUEST,
    TASK_ENDED,
    UNAVAILABLE,
    WireFault,
    error_body,
    error_frame,
    outcome_field,
)
from remit.ports.forwarding import ForwardedRequest, Forwarder
from remit.ports.runtime import Clock
from remit.services.identity.authenticator import Authenticator
from remit.services.limits.deadlines import Deadlines
from remit.services.replicas.assembly import ReplicaServices
from remit.services.replicas.forwarding import Family
from remit.services.replicas.replica_lease import Replicas
from remit.services.tasks.calls_in_flight import fenced_by

#: With this header, the answer of a replica that does not own the task (RFC 9110 section 15.5.20): nothing
#: was executed.
MISDIRECTED: Final = 421
NOT_MINE: Final = b"remit-elsewhere"
#: Maximum number of owners to try for one request.
TRIES: Final = 3
#: Seconds for which a request waits until the tasks of a worker that starts again have another owner, and
#: between two looks.
MOVING_S: Final = 15.0
PAUSE_S: Final = 0.1
BODY_TIMEOUT_S: Final = 30.0
#: Maximum size of forms and of evaluations of enforcement points, which are read before authentication.
MAX_FORM_BYTES: Final = 262_144
#: Headers of an answer that this hop writes.
OWN: Final = (HOP - {b"content-length"}) | {b"date", b"server"}
#: Scope key of a request that came over the socket between the workers of one machine.
FROM_WORKER: Final = "remit.worker"
#: Paths that are served whether or not this replica may act.
ALWAYS: Final = ("/health/", "/metrics")


class _Numbered(msgspec.Struct, frozen=True):
    id: str | int | None = None


class ForwardingFront:
    """The ASGI application around all endpoints. Used from one event loop."""

    def __init__(
        self,
        *,
        clock: Clock,
        authenticator: Authenticator,
        replicas: ReplicaServices,
        forwarder: Forwarder,
        inner: Application,
        max_body_bytes: int,
    ) -> None:
        """Keep the services and the inner application."""
        self._clock = clock
        self._authenticator = authenticator
        self._replicas = replicas.membership
        self._forwarding = replicas.passing
        self._forwarder = forwarder
        self._inner = inner
        self._max_body_bytes = max_body_bytes
        #: Requests of this replica that are in progress at other replicas.
        self._asking: set[_Asking] = set()
        replicas.membership.events.gone.append(self._gone)
        replicas.membership.events.changed.append(lambda sight: self._raised(sight.raised))
        replicas.membership.events.lost.append(self._lost)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        body = b""
        handing = _Handing(scope, send, self._replicas)
        send = handing if upstream_of(scope) is not None else send
        try:
            told = [value for name, value in scope["headers"] if name == HEADER]
            if told or FROM_WORKER in scope:
                if len(told) != 1:
                    raise Malformed("only replicas may send this header", code="passed-on")
                # Read no body for a caller that cannot even name both replicas.
                self._forwarding.names_both(told[0])
                body = await _body(receive, self._max_body_bytes)
                await self._passed_on(told[0], scope, body)
                receive = _Replay(body, receive)
            elif not self._replicas.holds() and not scope["path"].startswith(ALWAYS):
                raise OutOfForce
            elif concerns(scope):
                if needs_body(scope):
                    # The caller is not authenticated yet.
                    body = await _body(receive, MAX_FORM_BYTES)
                    receive = _Replay(body, receive)
                task = self._task_of(scope, body)
                if task and not self._forwarding.mine(task):
                    owner = await self._forwarding.owner(task)
                    if owner is not None and not (scope["path"] == TOKEN and "remit.peer" in scope):
                        if await self._transferred(owner, scope):
                            return
                        body = body or await _body(receive, self._max_body_bytes)
                        if await self._pass_on(task, owner, scope, body, receive, handing):
                            return
                        receive = _Replay(body, receive)
        except RemitError as error:
            await handing.refuse(error, body)
            return
        try:
            await self._inner(scope, receive, send)
        except OutOfForce:
            if not handing.withheld:
                raise
        if handing.withheld:
            await handing.refuse(OutOfForce(sent=True), body)

    def _task_of(self, scope: Scope, body: bytes) -> str:
        return task_of(scope, body, lambda token: self._authenticator.about(token, self._clock.now()))

    # Do step 1.

    async def _passed_on(self, told: bytes, scope: Scope, body: bytes) -> None:
        self._replicas.check()
        headers = carried(scope["headers"])
        passage = self._forwarding.believed(told, scope["method"], _target(scope), headers, body)
        _show(scope, passage.seen)
        task = self._task_of(scope, body)
        if task and not self._forwarding.mine(task) and await self._forwarding.owner(task) is not None:
            raise Elsewhere(task)

    # Do step 2.

    async def _transferred(self, owner: Replica, scope: Scope) -> bool:
        """Hand the connection to an owner on this machine if that is possible; return whether it was."""
        transfer, place = scope.get(TRANSFER), socket_of(owner.address)
        if transfer is None or not place:
            return False
        gone: bool = await transfer(place, partial(self._forwarding.introduced, owner))
        self._forwarding.transfers["to others"] += gone
        return gone

    async def _pass_on(
        self, task: str, owner: Replica, scope: Scope, body: bytes, receive: Receive, handing: _Handing
    ) -> bool:
        """Forward a request; return `False` if this replica turns out to be the owner.

        A worker of this machine that has closed its socket, or no longer owns the task, starts again, and
        others soon take over its tasks: what it did not accept waits for that.
        """
        headers = carried(scope["headers"])
        tries, until_s = 0, self._clock.boot_s() + MOVING_S
        while True:
            told = self._forwarding.written(
                owner,
                scope["method"],
                _target(scope),
                headers,
                body,
                seen=_seen(scope),
            )
            request = ForwardedRequest(scope["method"], _target(scope), [*headers, (HEADER, told)], body)
            asking = _Asking(owner, self._forwarding.family(task), upstream_of(scope))
            moving = bool(socket_of(owner.address)) and self._clock.boot_s() <= until_s
            try:
                if await self._exchanged(asking, request, receive, handing):
                    return True
            except OwnerAway as fault:
                if fault.sent or not moving:
                    raise
            tries += 1
            if tries >= TRIES and not moving:
                raise StoreUnavailable(
                    f"the owner of task `{task}` is changing", code="task-moving", remediation="call again"
                )
            self._forwarding.forget(task)
            now = await self._forwarding.owner(task)
            if now is None:
                return False
            if moving and (now.id == owner.id or tries >= TRIES):
                await asyncio.sleep(PAUSE_S)
            owner = now

    async def _exchanged(
        self, asking: _Asking, request: ForwardedRequest, receive: Receive, handing: _Handing
    ) -> bool:
        """Have an owner answer; return `False` if it does not own the task. A disconnect of the agent ends
        the exchange.
        """
        asking.work = asyncio.ensure_future(self._asked(asking.owner, request, handing))
        gone = asyncio.ensure_future(_disconnected(receive))
        self._asking.add(asking)
        try:
            await asyncio.wait((asking.work, gone), return_when=asyncio.FIRST_COMPLETED)
            if asking.fault is not None and (asking.work.cancelled() or not asking.work.done()):
                raise asking.fault
            return asking.work.result() if asking.work.done() else True
        except UpstreamUnreachable as fault:
            raise OwnerAway(str(fault), sent=fault.sent) from fault
        finally:
            self._asking.discard(asking)
            for one in (asking.work, gone):
                one.cancel()
            await asyncio.gather(asking.work, gone, return_exceptions=True)

    async def _asked(self, owner: Replica, request: ForwardedRequest, handing: _Handing) -> bool:
        async with self._forwarder.ask(owner.address, request) as answer:
            if answer.status == MISDIRECTED and any(name == NOT_MINE for name, _ in answer.headers):
                return False
            kept = [pair for pair in answer.headers if pair[0] not in OWN]
            await handing({"type": "http.response.start", "status": answer.status, "headers": kept})
            async for piece in answer.pieces():
                await handing({"type": "http.response.body", "body": piece, "more_body": True})
            await handing({"type": "http.response.body", "body": b"", "more_body": False})
        return True

    # Do step 4.

    async def _gone(self, name: str) -> None:
        """Stop waiting for a replica that is gone: a hanging replica closes no connection."""
        for asking in self._asking:
            if asking.owner.id == name:
                asking.cut(OwnerAway("it is gone", sent=True))

    def _raised(self, found: Sequence[Raised]) -> None:
        """Cut the answers of what was ended.

        INVARIANT: nothing is awaited between the check that finds an end and this cut.
        """
        for asking in self._asking:
            for raised in found:
                if asking.upstream is not None and asking.family.ended_by(raised, asking.upstream):
                    asking.cut(fenced_by(raised.scope, sent=True))

    async def _lost(self) -> None:
        """Cut all answers: this replica was declared gone, and no end has waited for it."""
        for asking in self._asking:
            asking.cut(OutOfForce(sent=True))


class _Asking:
    """A request in progress at the owner of its task; `upstream` is as `hints.upstream_of` returns it."""

    def __init__(self, owner: Replica, family: Family, upstream: str | None) -> None:
        self.owner = owner
        self.family = family
        self.upstream = upstream
        self.work: asyncio.Future[bool]
        self.fault: RemitError | None = None

    def cut(self, fault: RemitError) -> None:
        """Release no further part of the answer."""
        self.fault = self.fault or fault
        self.work.cancel()


class _Handing:
    """Releases an answer while this replica has a lease.

    INVARIANT: nothing is awaited between the check of the lease and the write.
    """

    def __init__(self, scope: Scope, send: Send, replicas: Replicas) -> None:
        self._scope = scope
        self._send = send
        self._replicas = replicas
        self._begun = False
        self.withheld = False

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if (room := self._scope.get(ROOM)) is not None:
            await room()
        if not self._replicas.holds():
            self.withheld = True
            raise OutOfForce(sent=True)
        self._begun = True
        await self._send(message)

    async def refuse(self, error: RemitError, body: bytes) -> None:
        """Refuse the request; if the answer has begun, only cut it, because it has no place for an error."""
        if self._begun:
            raise ConnectionResetError from error
        await _refuse(self._scope, self._send, error, body)


class _Replay:
    """Returns a body that was read already, and then the messages after it."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> MutableMapping[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        return await self._receive()


async def _body(receive: Receive, most: int) -> bytes:
    return await read_body(receive, max_bytes=most, timeout_s=BODY_TIMEOUT_S, alarms=Deadlines())


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _target(scope: Scope) -> bytes:
    raw = scope.get("raw_path") or scope["path"].encode() or b"/"
    query: bytes = scope.get("query_string", b"")
    return raw + b"?" + query if query else bytes(raw)


def _seen(scope: Scope) -> Seen:
    """Return what the owner cannot observe itself."""
    return Seen(
        client=tuple(scope["client"]) if scope.get("client") else None,
        certificates=written_chain(scope.get("remit.peer_certificate", ())),
    )


def _show(scope: Scope, seen: Seen) -> None:
    """Show the endpoints what the receiving replica observed of the request."""
    scope["client"] = seen.client
    scope.pop("remit.peer", None)
    scope["remit.peer_certificate"] = read_chain(seen.certificates)
    scope["remit.passed_on"] = True
    if seen.jkt:
        scope["remit.proven"] = seen.jkt
    # The header has served its purpose, and an endpoint would not know it.
    scope["headers"] = [pair for pair in scope["headers"] if pair[0] != HEADER]


async def _refuse(scope: Scope, send: Send, error: RemitError, body: bytes) -> None:
    """Refuse in the format of the requested endpoint."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if isinstance(error, Malformed):
        status, rpc_code = 400, INVALID_REQUEST
    elif isinstance(error, Fenced):
        status, rpc_code = 403, TASK_ENDED
    elif isinstance(error, Elsewhere):
        status, rpc_code, headers = MISDIRECTED, UNAVAILABLE, ((NOT_MINE, b"1"),)
    else:
        status, rpc_code = 503, UNAVAILABLE
        headers = ((b"retry-after", b"1"),) if repeatable(error) else ()
    more = outcome_field(error)
    fault = WireFault(
        error.message, rpc_code, status=status, code=error.code, remediation=error.remediation, data=more
    )
    if scope["path"].startswith(MCP):
        try:
            request_id = msgspec.json.decode(body, type=_Numbered).id
        except (msgspec.DecodeError, RecursionError):
            request_id = None
        await respond(send, status, error_frame(request_id) + error_body(fault) + b"}", headers)
        return
    told = {
        "title": error.message,
        "status": status,
        "code": error.code,
        "remediation": error.remediation,
        **more,
    }
    content = ((b"content-type", b"application/problem+json"), *headers)
    await send({"type": "http.response.start", "status": status, "headers": content})
    await send({"type": "http.response.body", "body": msgspec.json.encode(told)})
