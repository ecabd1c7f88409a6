# SPDX-License-Identifier: Apache-2.0
"""MCP over standard streams, forwarded to the gateway over streamable HTTP, in both eras of the protocol.

    2026-07-28  stateless: each request is a separate POST with headers derived from its body; closing its
                stream cancels it
    2025-11-25  a session: its ID is kept, and a GET stream brings messages that the server initiates. If the
                session is gone (a new task after the old one expired), the client's `initialize` is repeated

Messages are forwarded unchanged; only the members that the transport needs are read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import aiohttp
import msgspec

from remit.relay.jsonrpc_message import (
    Envelope,
    Id,
    guess_id,
    id_key,
    look,
    next_cursor,
    one_line,
    read_message,
)
from remit.relay.mcp_headers import STATELESS_FROM, Mirrored, mirrored_by, request_headers, stateless_version
from remit.relay.sse import EventTooLarge, ServerEvent, events
from remit.relay.stdio import Lines, LineWriter, LongLine
from remit_sdk.errors import AgentFault, GatewayRefused, GatewayUnreachable
from remit_sdk.gateway_client import FAILURE, GatewayClient, GatewayReply

Json = Any

ACCEPT: Final = "application/json, text/event-stream"
SESSION: Final = "mcp-session-id"
MAX_ANSWER_BYTES: Final = 128 * 1024 * 1024
#: Maximum number of requests in progress; further lines wait.
IN_HAND: Final = 256
#: Maximum number of these that are calls. It is below a gateway's default limit for one task
#: (`limits.max_calls_per_task`), so that further calls wait here, as they would at a server.
CALLS_AT_ONCE: Final = 48
CALLS: Final = frozenset(("tools/call", "resources/read", "prompts/get", "completion/complete"))
#: Seconds to wait for pending answers after the end of the input.
LAST_ANSWERS_S: Final = 5.0
RECONNECT_S: Final = 1.0
RESUMES: Final = 5
PARSE_ERROR, INVALID_REQUEST, SERVER_ERROR = -32700, -32600, -32000


class Bridge:
    """Connects one client on standard streams to one gateway."""

    def __init__(
        self,
        gateway: GatewayClient,
        lines: Lines,
        out: LineWriter,
        *,
        upstream: str = "",
        turns: asyncio.Semaphore | None = None,
        notice: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Keep both sides; `notice` gets one line for people about problems that no message can report.

        Bridges of one task share their `turns`: the gateway's limit of calls at once is the task's.
        """
        self._gateway = gateway
        self._lines = lines
        self._out = out
        self._upstream = upstream
        self._notice = notice
        self._session = ""
        self._version = ""
        self._hello = b""
        self._renewing = asyncio.Lock()
        self._mirrored: dict[str, Mirrored] | None = None
        self._requests: dict[Id, asyncio.Task[None]] = {}
        self._listening: asyncio.Task[None] | None = None
        self._room = asyncio.Semaphore(IN_HAND)
        self._turns = turns or asyncio.Semaphore(CALLS_AT_ONCE)
        self._waiting: set[Id] = set()

    async def run(self) -> None:
        """Forward messages until the input ends or the output is closed; then end the session."""
        try:
            async for line in self._lines:
                await self._take(line)
            await self._last_answers()
        except BrokenPipeError:
            pass
        finally:
            await self._close()

    async def _last_answers(self) -> None:
        if self._requests:
            await asyncio.wait(self._requests.values(), timeout=LAST_ANSWERS_S)

    async def _close(self) -> None:
        open_tasks = [*self._requests.values(), *([self._listening] if self._listening else [])]
        for task in open_tasks:
            task.cancel()
        await asyncio.gather(*open_tasks, return_exceptions=True)
        if self._session:
            try:
                answer = await self._gateway.send("DELETE", self._upstream, self._session_headers(), None)
                answer.response.release()
            except AgentFault:
                pass  # the session ends with the task

    async def _take(self, line: bytes | LongLine) -> None:
        if isinstance(line, LongLine):
            # Without its ID the client would wait for an answer that never comes.
            what = f"the message is over the limit of {self._lines.limit} bytes; send less at once"
            await self._fail(guess_id(line.head, line.tail), INVALID_REQUEST, what, "too-large")
            return
        try:
            message = read_message(line)
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as fault:
            broken = not isinstance(fault, msgspec.ValidationError)
            what = "the message is not JSON" if broken else "the message is not a JSON-RPC object"
            await self._fail(None, PARSE_ERROR if broken else INVALID_REQUEST, what)
            return
        if message.is_request:
            await self._room.acquire()
            task = asyncio.create_task(self._request(line, message))
            self._requests[id_key(message.id)] = task
            task.add_done_callback(lambda done: self._done(id_key(message.id), done))
        elif not self._cancels(message):
            await self._post_only(line, message)

    def _done(self, key: Id, task: asyncio.Task[None]) -> None:
        self._room.release()
        if self._requests.get(key) is task:
            del self._requests[key]
        if not task.cancelled() and isinstance(fault := task.exception(), BaseException):
            self._notice(f"an answer was lost: {type(fault).__name__}")

    def _cancels(self, message: Envelope) -> bool:
        """Cancel a request by closing its stream, as in the stateless era; return whether that was done.

        In either era a call that still waits for its turn is cancelled here, because no gateway knows it yet.
        """
        if message.method != "notifications/cancelled":
            return False
        wanted = message.params.get("requestId") if isinstance(message.params, dict) else None
        key = id_key(wanted) if isinstance(wanted, str | int | float) else None
        if self._version < STATELESS_FROM and key not in self._waiting:
            return False
        if (task := self._requests.get(key)) is not None:
            task.cancel()
        return True

    # Requests: one POST each, answered by JSON or by a stream.

    async def _request(self, line: bytes, message: Envelope) -> None:
        if message.method not in CALLS:
            await self._carried(line, message)
            return
        key = id_key(message.id)
        self._waiting.add(key)
        try:
            await self._turns.acquire()
        finally:
            self._waiting.discard(key)
        try:
            await self._carried(line, message)
        finally:
            self._turns.release()

    async def _carried(self, line: bytes, message: Envelope) -> None:
        try:
            answer = await self._send(line, message)
            if answer.status == 404 and self._session and message.method != "initialize":
                answer.response.release()
                await self._greet_again()
                answer = await self._send(line, message)
            async with answer.response:
                if answer.status >= 300 or answer.status == 202:
                    await self._refused(message, answer)
                elif answer.headers.get("Content-Type", "").partition(";")[0].strip() == "text/event-stream":
                    await self._stream(message, answer)
                else:
                    await self._answered(message, await _whole(answer))
        except (aiohttp.ClientError, TimeoutError, EventTooLarge, GatewayUnreachable) as fault:
            told = str(fault) if isinstance(fault, AgentFault) else "the connection to the gateway broke"
            await self._failed(message, f"{told}; the call may have taken effect", "gateway-unreachable")
        except AgentFault as fault:
            code = fault.code if isinstance(fault, GatewayRefused) else ""
            await self._failed(message, str(fault), code)

    async def _send(self, line: bytes, message: Envelope) -> GatewayReply:
        version = stateless_version(message.params)
        if message.method == "initialize":
            self._session, self._version, self._hello = "", "", line
        headers = {"accept": ACCEPT, "content-type": "application/json"}
        if version:
            self._version = version
            mirrored = await self._mirrors(message) if message.method == "tools/call" else {}
            headers |= request_headers(version, message.method, message.params, mirrored)
        else:
            headers |= self._session_headers()
        answer = await self._gateway.send("POST", self._upstream, headers, line)
        if message.method == "initialize" and answer.status < 300:
            self._session = answer.headers.get(SESSION, "")
        return answer

    def _session_headers(self) -> dict[str, str]:
        headers = {SESSION: self._session} if self._session else {}
        return headers | ({"mcp-protocol-version": self._version} if self._version else {})

    async def _stream(self, message: Envelope, answer: GatewayReply) -> None:
        """Forward the events of a stream until the answer has arrived; resume a broken stream."""
        last = ""
        wait_s = RECONNECT_S
        for attempt in range(RESUMES + 1):
            try:
                async with answer.response:
                    async for event in events(answer.response.content.iter_any(), MAX_ANSWER_BYTES):
                        last = event.id or last
                        wait_s = event.retry_ms / 1000 if event.retry_ms is not None else wait_s
                        if await self._event(message, event):
                            return
            except (aiohttp.ClientError, TimeoutError):
                if not last:
                    raise
            if not last or attempt == RESUMES:
                break
            # MCP 2025-11-25, "Resumability and Redelivery": reconnect with the ID of the last event.
            await asyncio.sleep(min(wait_s, 30.0))
            headers = {"accept": "text/event-stream", "last-event-id": last, **self._session_headers()}
            answer = await self._gateway.send("GET", self._upstream, headers, None)
            if answer.status != 200:
                answer.response.release()
                break
        raise GatewayUnreachable("the stream ended before the answer")

    async def _event(self, message: Envelope | None, event: ServerEvent) -> bool:
        """Forward one event; return whether it was the answer to `message`."""
        if event.kind != "message" or not event.data.strip():
            return False
        shape = look(event.data)
        if message is not None and shape.is_answer and id_key(shape.id) == id_key(message.id):
            await self._answered(message, event.data)
            return True
        await self._out.write(one_line(event.data))
        return False

    async def _answered(self, message: Envelope, body: bytes) -> None:
        if message.method in ("initialize", "tools/list"):
            self._learn(message, body)
        await self._out.write(one_line(body))

    def _learn(self, message: Envelope, body: bytes) -> None:
        try:
            result = json.loads(body).get("result")
        except (ValueError, AttributeError):
            return
        if not isinstance(result, dict):
            return
        if message.method == "initialize" and isinstance(result.get("protocolVersion"), str):
            self._version = result["protocolVersion"]
        for tool in result.get("tools") or () if message.method == "tools/list" else ():
            if isinstance(tool, dict) and isinstance(tool.get("name"), str):
                known = self._mirrored if self._mirrored is not None else {}
                known[tool["name"]] = mirrored_by(tool.get("inputSchema"))
                self._mirrored = known

    async def _mirrors(self, message: Envelope) -> Mirrored:
        """Return the header names of a tool's arguments; list the tools first if the client has not listed
        them.
        """
        if self._mirrored is None:
            self._mirrored = {}
            params: dict[str, Json] = {"_meta": message.params["_meta"]}
            for _ in range(20):
                line = json.dumps({"jsonrpc": "2.0", "id": "remit", "method": "tools/list", "params": params})
                asked = Envelope(id="remit", method="tools/list", params=params)
                answer = await self._send(line.encode(), asked)
                async with answer.response:
                    body = await _whole(answer)
                self._learn(asked, body)
                cursor = next_cursor(body)
                if not cursor:
                    break
                params["cursor"] = cursor
        name = message.params.get("name")
        return self._mirrored.get(name, {}) if isinstance(name, str) else {}

    async def _refused(self, message: Envelope, answer: GatewayReply) -> None:
        """Give the client the gateway's error under the client's ID, or an error that describes the
        failure.
        """
        body = answer.body if answer.body is not None else await _whole(answer)
        try:
            told = json.loads(body)
        except ValueError:
            told = None
        error = told.get("error") if isinstance(told, dict) else None
        on_the_way = answer.status in (401, 403) or answer.status >= 500
        if isinstance(error, dict) and on_the_way and message.method == "tools/call":
            data = error.get("data")
            code = data.get("code") if isinstance(data, dict) else ""
            await self._failed(message, str(error.get("message")), str(code or ""))
            return
        if isinstance(told, dict) and isinstance(error, dict):
            told["id"] = message.id
            await self._out.write(json.dumps(told, ensure_ascii=False).encode("utf-8", "surrogatepass"))
            return
        facts = told if isinstance(told, dict) else {}
        why = str(facts.get("detail") or f"the gateway answered {answer.status}")
        await self._failed(message, why, str(facts.get("code") or ""))

    # Notifications and answers of the client: a POST without a result.

    async def _post_only(self, line: bytes, message: Envelope) -> None:
        headers = {"accept": ACCEPT, "content-type": "application/json", **self._session_headers()}
        try:
            answer = await self._gateway.send("POST", self._upstream, headers, line)
        except AgentFault as fault:
            self._notice(f"a message was not delivered: {fault}")
            return
        answer.response.release()
        if answer.status >= 300:
            self._notice(f"the gateway refused `{message.method or 'an answer'}` with {answer.status}")
        if message.method == "notifications/initialized":
            self._listen()

    def _listen(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
        self._listening = asyncio.create_task(self._hear()) if self._session else None

    async def _hear(self) -> None:
        """Forward messages that the server initiates, as long as it offers a stream for them."""
        last = ""
        wait_s = RECONNECT_S
        while True:
            headers = {"accept": "text/event-stream", **self._session_headers()}
            if last:
                headers["last-event-id"] = last
            try:
                answer = await self._gateway.send("GET", self._upstream, headers, None)
                async with answer.response:
                    if answer.status != 200:
                        return
                    async for event in events(answer.response.content.iter_any()):
                        last = event.id or last
                        wait_s = event.retry_ms / 1000 if event.retry_ms is not None else wait_s
                        await self._event(None, event)
            except (aiohttp.ClientError, TimeoutError, EventTooLarge, GatewayUnreachable):
                pass
            except AgentFault:
                return
            await asyncio.sleep(min(wait_s, 30.0))

    async def _greet_again(self) -> None:
        """Begin a new session with the client's `initialize`; its answer is not sent to the client again."""
        gone = self._session
        async with self._renewing:
            if self._session != gone or not self._hello:
                return
            hello = read_message(self._hello)
            answer = await self._send(self._hello, hello)
            async with answer.response:
                body = await _final(answer, hello.id)
            self._learn(hello, body)
            ready = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
            await self._post_only(ready, Envelope(method="notifications/initialized"))

    async def _failed(self, message: Envelope, why: str, reason: str) -> None:
        """Answer a request that failed on its way; a tool's call gets a result that its model can read."""
        if message.method != "tools/call":
            await self._fail(message.id, SERVER_ERROR, why, reason)
            return
        result: dict[str, Json] = {
            "content": [{"type": "text", "text": f"remit could not make this call: {why}."}],
            "isError": True,
            "_meta": {FAILURE: {"status": "failed", "code": reason, "message": why}},
        }
        if stateless_version(message.params):
            result["resultType"] = "complete"
        wanted = None if message.id is msgspec.UNSET else message.id
        await self._out.write(json.dumps({"jsonrpc": "2.0", "id": wanted, "result": result}).encode())

    async def _fail(self, id: Id | msgspec.UnsetType, code: int, message: str, reason: str = "") -> None:
        error: dict[str, Json] = {"code": code, "message": message}
        if reason:
            error["data"] = {"code": reason}
        wanted = None if id is msgspec.UNSET else id
        await self._out.write(json.dumps({"jsonrpc": "2.0", "id": wanted, "error": error}).encode())


async def _whole(answer: GatewayReply) -> bytes:
    if answer.body is not None:
        return answer.body
    out = bytearray()
    async for chunk in _bounded(answer):
        out += chunk
    return bytes(out)


async def _bounded(answer: GatewayReply) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in answer.response.content.iter_any():
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            raise EventTooLarge
        yield chunk


async def _final(answer: GatewayReply, wanted: Id | msgspec.UnsetType) -> bytes:
    """Return the answer to request `wanted`, from a body or from a stream."""
    if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
        return await _whole(answer)
    async for event in events(answer.response.content.iter_any(), MAX_ANSWER_BYTES):
        if event.data and (shape := look(event.data)).is_answer and id_key(shape.id) == id_key(wanted):
            return event.data
    raise GatewayUnreachable("the stream ended before the answer")
