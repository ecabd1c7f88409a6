# SPDX-License-Identifier: Apache-2.0
"""The load generator: a closed loop of HTTP/1.1 connections with one call in flight each, in its own process.

A plan comes as JSON on standard input and an outcome goes as JSON to standard output:
`python -m bench.load < plan.json`. The client is a bare asyncio protocol under uvloop, because any library
would cost more than most targets do. Every answer is checked: status 200, the call's id, the echoed text.
"""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import cast
from urllib.parse import urlsplit

import httptools
import msgspec
import orjson
import uvloop


class EchoCall(msgspec.Struct, frozen=True):
    """One call that can be sent many times: path, headers without `host` and `content-length`, body."""

    path: str
    headers: dict[str, str]
    body: str
    id: int
    text: str
    """The text that the tool must give back."""


class Plan(msgspec.Struct, frozen=True):
    """What to send, how hard, and how long: until `count` calls or `limit_s` seconds, whichever is first."""

    url: str
    calls: list[EchoCall]
    concurrency: int
    count: int
    limit_s: float
    warm_up: int = 0
    """Calls sent first and not counted."""
    cpu: int | None = None


class Tally(msgspec.Struct, frozen=True):
    """What came of a plan. Latencies are from the write to the last byte of the answer."""

    calls: int
    errors: int
    elapsed_s: float
    p50_ms: float
    p99_ms: float
    cpu_s: float
    """CPU seconds of the client, the warm-up not counted."""
    first_errors: list[str]

    @property
    def calls_per_s(self) -> float:
        """Correct answers a second."""
        return (self.calls - self.errors) / self.elapsed_s


def request(call: EchoCall, host: str) -> bytes:
    """The bytes of one HTTP request."""
    body = call.body.encode()
    lines = [f"POST {call.path} HTTP/1.1", f"host: {host}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in call.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def wrong(status: int, streamed: bool, body: bytes, call: EchoCall) -> str | None:
    """Why an answer is not the right one, or None if it is."""
    if status != 200:
        return f"status {status}: {body[:200]!r}"
    if streamed:
        # The answer is the last message of an event stream; progress and logs may come before it.
        data = [line[5:] for line in body.splitlines() if line.startswith(b"data:") and len(line) > 6]
        if not data:
            return "an event stream without a message"
        body = data[-1]
    try:
        answer = orjson.loads(body)
        if answer["id"] == call.id and answer["result"]["content"][0]["text"] == call.text:
            return None
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
        pass
    return f"answer {body[:200]!r}"


class Load:
    """The state that all connections of one run share."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        url = urlsplit(plan.url)
        self.host, self.port = url.hostname or "127.0.0.1", url.port or 80
        self.requests = [(c, request(c, f"{self.host}:{self.port}")) for c in plan.calls]
        self.sent = 0
        self.count = 0
        self.deadline = 0.0
        self.latencies_ns: list[int] = []
        self.errors: Counter[str] = Counter()

    def next(self) -> tuple[EchoCall, bytes] | None:
        """The next call to send, or None when this run is over."""
        if self.sent >= self.count or time.perf_counter() >= self.deadline:
            return None
        self.sent += 1
        return self.requests[self.sent % len(self.requests)]

    async def run(self, count: int, limit_s: float) -> float:
        """Send up to `count` calls within `limit_s` seconds; returns the seconds it took."""
        self.sent, self.count = 0, count
        self.latencies_ns.clear()
        self.errors.clear()
        loop = asyncio.get_running_loop()
        connections = []
        for _ in range(min(self.plan.concurrency, count)):
            _, connection = await loop.create_connection(lambda: LoadConnection(self), self.host, self.port)
            connections.append(connection)
        start = time.perf_counter()
        self.deadline = start + limit_s
        for connection in connections:
            connection.send_next()
        # A target that stops answering must not hold the run for ever.
        _, late = await asyncio.wait([c.done for c in connections], timeout=limit_s + 30)
        elapsed = time.perf_counter() - start
        self.errors["no answer in time"] += len(late)
        for connection in connections:
            connection.close()
        return elapsed


class LoadConnection(asyncio.Protocol):
    """One keep-alive connection; it sends the next call when the answer to the last is complete."""

    transport: asyncio.Transport

    def __init__(self, load: Load) -> None:
        self.load = load
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.call: EchoCall | None = None
        self.sent_ns = 0
        self.parser = httptools.HttpResponseParser(self)
        self.body: list[bytes] = []
        self.streamed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio)."""
        # uvloop's transports are not subclasses of asyncio's.
        self.transport = cast(asyncio.Transport, transport)

    def send_next(self) -> None:
        """Send one more call, or finish."""
        found = self.load.next()
        if found is None:
            self.call = None
            self.finish()
            return
        self.call, raw = found
        self.body.clear()
        self.streamed = False
        self.sent_ns = time.perf_counter_ns()
        self.transport.write(raw)

    def data_received(self, data: bytes) -> None:
        """Feed the parser (asyncio)."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as e:
            self.fail(f"not HTTP: {e}")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note an event stream (httptools)."""
        if name.lower() == b"content-type" and value.startswith(b"text/event-stream"):
            self.streamed = True

    def on_body(self, body: bytes) -> None:
        """Collect the answer (httptools)."""
        self.body.append(body)

    def on_message_complete(self) -> None:
        """Measure and check the answer, then go on (httptools)."""
        took_ns = time.perf_counter_ns() - self.sent_ns
        if self.call is None:
            self.fail("an answer without a request")
            return
        status = self.parser.get_status_code()
        self.load.latencies_ns.append(took_ns)
        if why := wrong(status, self.streamed, b"".join(self.body), self.call):
            self.load.errors[why] += 1
        self.send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection that is lost in the middle of a call is an error (asyncio)."""
        if self.call is not None:
            self.fail(f"connection lost: {exc}")

    def fail(self, why: str) -> None:
        """Count the call as failed and end this connection."""
        self.call = None
        self.load.latencies_ns.append(time.perf_counter_ns() - self.sent_ns)
        self.load.errors[why] += 1
        self.close()
        self.finish()

    def finish(self) -> None:
        """Tell the run that this connection has sent its last call."""
        if not self.done.done():
            self.done.set_result(None)

    def close(self) -> None:
        """Close the connection."""
        self.transport.close()


def percentile(sorted_values: Sequence[int], share: float) -> float:
    """The value below which `share` of the values lie (nearest rank); 0 for none."""
    return (
        float(sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))])
        if sorted_values
        else 0
    )


async def carry_out(plan: Plan) -> Tally:
    """Carry out a plan, the warm-up first."""
    load = Load(plan)
    if plan.warm_up:
        await load.run(plan.warm_up, plan.limit_s)
    before = time.process_time()
    elapsed = await load.run(plan.count, plan.limit_s)
    used = time.process_time() - before
    ordered = sorted(load.latencies_ns)
    return Tally(
        calls=len(ordered),
        errors=load.errors.total(),
        elapsed_s=elapsed,
        p50_ms=percentile(ordered, 0.50) / 1e6,
        p99_ms=percentile(ordered, 0.99) / 1e6,
        cpu_s=used,
        first_errors=[f"{n} times {why}" for why, n in load.errors.most_common(3) if n],
    )


def main() -> None:
    """Read a plan, carry it out, write the outcome."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    if plan.cpu is not None and sys.platform == "linux":
        os.sched_setaffinity(0, {plan.cpu})
    outcome = uvloop.run(carry_out(plan))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()
