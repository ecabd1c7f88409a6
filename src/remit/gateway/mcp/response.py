# SPDX-License-Identifier: Apache-2.0
"""The agent's side of one call: one JSON response, or an event stream if a message precedes the result.

A response begins as late as possible: until a part is released, the HTTP status is still available. If the
upstream is silent for `KEEP_ALIVE_S`, the stream begins, so that no intermediary closes an idle connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import orjson

from remit.core.cooperative_steps import Steps
from remit.core.decisions.deferred_call import OWN_CODES
from remit.core.decisions.mediation import ChunkKind, Delivery
from remit.core.json_value import Json
from remit.core.tools.tool import INPUT
from remit.gateway.asgi import (
    JSON_TYPE,
    NO_STORE,
    PIECE_BYTES,
    Receive,
    Send,
    refused_header,
    respond,
    send_body,
)
from remit.gateway.mcp.call_failures import META, NARROWED
from remit.gateway.mcp.messages import (
    EVENT_BEGINS,
    EVENT_ENDS,
    HOP_CODES,
    INTERNAL_ERROR,
    MISSING_CAPABILITY,
    RequestId,
    WireFault,
    error_body,
    error_frame,
    event,
    http_status,
    notification,
    one_line,
    result_frame,
    rpc_status,
    unusable,
)
from remit.ports.runtime import Turns

#: Seconds between keep-alive comments on a stream.
KEEP_ALIVE_S: Final = 15.0

PROGRESS: Final = "notifications/progress"
LOG_MESSAGE: Final = "notifications/message"
LOG_LEVELS: Final = {
    level: rank
    for rank, level in enumerate(
        ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
    )
}

STREAM_HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
]
SIGN_OF_LIFE: Final = b": still here\n\n"


class _Marks(msgspec.Struct):
    """The members of a result that are read; all others are skipped."""

    resultType: msgspec.UnsetType | str = msgspec.UNSET  # noqa: N815 - the wire's own name
    ttlMs: msgspec.UnsetType | int | float = msgspec.UNSET  # noqa: N815 - the wire's own name
    cacheScope: msgspec.UnsetType | str = msgspec.UNSET  # noqa: N815 - the wire's own name


class _Claim(msgspec.Struct):
    """The member of a result that may hold a claim."""

    meta: msgspec.UnsetType | msgspec.Raw = msgspec.field(default=msgspec.UNSET, name="_meta")


class _Error(msgspec.Struct):
    """The members of an error that are read."""

    code: int
    data: Json = None


_CLAIMS: Final = (META, NARROWED)

_read_marks = msgspec.json.Decoder(_Marks).decode
_read_claim = msgspec.json.Decoder(_Claim).decode
_read_error = msgspec.json.Decoder(_Error).decode
_read_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_write = msgspec.json.Encoder().encode


def completed(body: bytes, *, cacheable: bool) -> bytes:
    """Return a result in the form of 2026-07-28: with `resultType`, and cacheable only by this agent.

    Raise `WireFault` for an unknown result type.
    """
    try:
        marks = _read_marks(body)
    except (msgspec.DecodeError, RecursionError):
        raise unusable() from None
    kind, ttl, scope = marks.resultType, marks.ttlMs, marks.cacheScope
    if kind not in (msgspec.UNSET, "complete"):
        raise unusable()
    cached = not cacheable or (ttl is not msgspec.UNSET and scope == "private")
    if kind == "complete" and cached:
        return body
    if kind is msgspec.UNSET and (not cacheable or (ttl is msgspec.UNSET and scope is msgspec.UNSET)):
        add = b'{"resultType":"complete"'
        if cacheable:
            add += b',"ttlMs":0,"cacheScope":"private"'
        rest = body.lstrip()[1:].lstrip()
        return add + (b"" if rest[:1] == b"}" else b",") + rest
    members = _read_members(body)
    members["resultType"] = msgspec.Raw(b'"complete"')
    if cacheable:
        members.setdefault("ttlMs", msgspec.Raw(b"0"))
        members["cacheScope"] = msgspec.Raw(b'"private"')
    return _write(members)


def without_claim(body: bytes) -> bytes:
    """Return an upstream's result without the members of `_meta` by which remit tells what it did itself."""
    # Only an escape can write the name in other letters. To search a long body takes longer than to parse it.
    if len(body) <= PIECE_BYTES and b"remit" not in body and b"\\u" not in body:
        return body
    try:
        meta = _read_claim(body).meta
        known = _read_members(meta) if meta is not msgspec.UNSET else {}
    except (msgspec.DecodeError, RecursionError):
        return body  # no object: nothing reads a member of it
    if known.keys().isdisjoint(_CLAIMS):
        return body
    for name in _CLAIMS:
        known.pop(name, None)
    return _write(_read_members(body) | {"_meta": known})


def with_claim(body: bytes, narrowed: Json) -> bytes:
    """Return a result that says in `_meta` which narrower call it belongs to."""
    try:
        members = _read_members(body)
        meta = _read_members(members["_meta"]) if "_meta" in members else {}
    except (msgspec.DecodeError, RecursionError):
        raise unusable() from None
    meta[NARROWED] = msgspec.Raw(_write(narrowed))
    return _write(members | {"_meta": meta})


def own_error(body: bytes, *, able: Mapping[str, Json] | None = None) -> tuple[int, bytes]:
    """Return code and body of an upstream's error; a code that only remit may use becomes -32603.

    `able` are the questions that the agent's client can answer; None in eras in which upstreams do not learn
    them. An error about another missing capability is passed on. If no capability is missing, the task may
    not answer the questions, and the error becomes one of remit.
    """
    try:
        error = _read_error(body)
    except (msgspec.DecodeError, RecursionError):
        return INTERNAL_ERROR, b'{"code":-32603,"message":"the upstream failed"}'
    code = error.code
    if code == MISSING_CAPABILITY and able is not None:
        needed = error.data.get("requiredCapabilities") if isinstance(error.data, dict) else None
        missing = not isinstance(needed, dict) or needed.keys() - able.keys()
        return (code, body) if missing else (INTERNAL_ERROR, error_body(_NOT_GRANTED))
    if code not in OWN_CODES and code not in HOP_CODES:
        return code, body
    members = _read_members(body)
    members["code"] = msgspec.Raw(b"%d" % INTERNAL_ERROR)
    return INTERNAL_ERROR, _write(members)


_NOT_GRANTED: Final = WireFault(
    "the upstream asks a question, and the task may not answer",
    INTERNAL_ERROR,
    code="input-not-granted",
    remediation=f"use a task type whose grant of this tool permits `{INPUT}`",
)


class Answer:
    """Receives the released chunks of one call (`services.mediation.mediator.Sink`)."""

    __slots__ = (
        "_able", "_as_result", "_cacheable", "_id", "_logs_from", "_modern", "_pass_on", "_progress", "_send",
        "_turns", "_writing", "done", "gone", "narrowed", "streaming", "wanted",
    )  # fmt: skip

    def __init__(
        self,
        send: Send,
        request_id: RequestId | None,
        turns: Turns,
        *,
        modern: bool,
        cacheable: bool = False,
        progress_token: Json = None,
        log_level: str = "",
        pass_on: Callable[[bytes], bytes] | None = None,
        able: Mapping[str, Json] | None = None,
        as_result: Callable[[WireFault], bytes | None] = lambda fault: None,
    ) -> None:
        """Keep where to send, and the notifications that the agent requested.

        A long result is read in `turns`.
        `pass_on` converts a result that asks for input into the agent's form; None if no input is permitted.
        `able` are the questions that its client can answer. `as_result` returns the result that tells a
        fault, or None for a fault that stays an error.
        """
        self._send = send
        self._id = request_id
        self._turns = turns
        self._modern = modern
        self._cacheable = cacheable
        self._progress = progress_token
        # 2026-07-28: log messages only on request; before, all of them until a level was set.
        self._logs_from = LOG_LEVELS.get(log_level, len(LOG_LEVELS) if modern else 0)
        self._pass_on = pass_on
        self._able = able or {}
        self._as_result = as_result
        self._writing = False
        self.wanted: bytes | None = None
        #: What was narrowed, where the answer is that of a narrower call.
        self.narrowed: Json = None
        self.streaming = False
        self.done = False
        self.gone = False

    async def release(self, chunk: Delivery) -> None:
        """Send a chunk to the agent; wait while the connection is full."""
        kind = chunk.kind
        if chunk.deferred:
            await self._last(result_frame(self._id), chunk.body, 200)
        elif chunk.wants_input:
            await self._asked(chunk.body)
        elif kind is ChunkKind.RESULT:
            long = len(chunk.body) > PIECE_BYTES
            body = await self._turns.take(self._result(chunk.body), long=long)
            await self._last(result_frame(self._id), body, 200)
        elif kind is ChunkKind.ERROR:
            code, body = own_error(chunk.body, able=self._able if self._modern else None)
            await self._last(error_frame(self._id), body, rpc_status(code, modern=self._modern))
        elif kind is ChunkKind.NOTIFICATION:
            params = self._told(chunk)
            if params is not None:
                await self._begin_stream()
                await self._piece(event(notification(chunk.method, params)))

    def _result(self, body: bytes) -> Steps[bytes]:
        """Return a result as it is sent."""
        body = without_claim(body)
        yield
        if self.narrowed is not None:
            body = with_claim(body, self.narrowed)
            yield
        return completed(body, cacheable=self._cacheable) if self._modern else body

    async def _asked(self, body: bytes) -> None:
        """Pass on the questions of the upstream; in a session keep them, to ask over the stream."""
        if self._pass_on is None:
            raise unusable()
        if self._modern:
            await self._last(result_frame(self._id), self._pass_on(body), 200)
        else:
            self.wanted = body

    async def tell(self, body: bytes) -> None:
        """End with a result that remit wrote itself, from nothing of an upstream."""
        await self._last(result_frame(self._id), body, 200)

    async def ask(self, request: bytes) -> None:
        """Send a request of the server over the stream of this call (until 2025-11-25)."""
        await self._begin_stream()
        await self._piece(event(request))

    @property
    def begun(self) -> bool:
        """Whether the response has begun, so that its status can no longer change."""
        return self.streaming or self.done

    async def fail(self, fault: WireFault) -> None:
        """End with an error, or with the result that tells it; do nothing if the answer is complete or the
        agent has disconnected.
        """
        if self.done or self.gone:
            return
        if (result := self._as_result(fault)) is not None:
            await self._last(result_frame(self._id), result, 200, (refused_header(fault.code),))
            return
        status = http_status(fault, modern=self._modern)
        await self._last(error_frame(self._id), error_body(fault), status, fault.headers)

    def _told(self, chunk: Delivery) -> bytes | None:
        """Return the params of a notification for this agent; None if the agent did not request it."""
        if chunk.method == PROGRESS and self._progress is not None:
            members = _members_of(chunk.body)
            members["progressToken"] = msgspec.Raw(orjson.dumps(self._progress))
            return _write(members)
        if chunk.method == LOG_MESSAGE:
            level = _members_of(chunk.body).get("level")
            name = bytes(level).strip(b'"').decode("ascii", "replace") if level is not None else ""
            return chunk.body if LOG_LEVELS.get(name, -1) >= self._logs_from else None
        return None

    async def _begin_stream(self) -> None:
        if not self.streaming:
            self.streaming = True
            await self._send({"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS})

    async def _piece(self, data: bytes) -> None:
        self._writing = True
        try:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
        finally:
            self._writing = False

    async def _last(
        self, frame: bytes, body: bytes, status: int, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        self.done = True
        if self.streaming:
            before, after = EVENT_BEGINS + frame, b"}" + EVENT_ENDS
            body = one_line(body)
        else:
            before, after = frame, b"}"
            size = len(frame) + len(body) + 1
            head = [JSON_TYPE, NO_STORE, (b"content-length", b"%d" % size), *headers]
            await self._send({"type": "http.response.start", "status": status, "headers": head})
        await send_body(self._send, body, before, after)

    async def watch(self, receive: Receive, call: asyncio.Task[Any]) -> None:
        """Cancel `call` once the agent has disconnected, and send keep-alive comments until then."""
        while True:
            try:
                async with asyncio.timeout(KEEP_ALIVE_S):
                    while (await receive())["type"] != "http.disconnect":
                        pass
            except TimeoutError:
                await self._show_life()
                continue
            if not self.done:
                self.gone = True
                call.cancel()
            return

    async def _show_life(self) -> None:
        if self._writing or self.done:
            return
        # The result may arrive while the stream's head is being sent: then no comment is needed.
        await self._begin_stream()
        await self._sign()

    async def _sign(self) -> None:
        if not self.done:
            await self._piece(SIGN_OF_LIFE)


def _members_of(body: bytes) -> dict[str, msgspec.Raw]:
    try:
        return _read_members(body)
    except (msgspec.DecodeError, RecursionError):
        return {}


async def respond_value(
    send: Send,
    request_id: RequestId | None,
    value: Mapping[str, Json],
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    """Send the result of a request that the endpoint answers itself."""
    await respond(send, 200, result_frame(request_id) + orjson.dumps(value) + b"}", headers)
