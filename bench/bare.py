# SPDX-License-Identifier: Apache-2.0
"""A relay in Python without a gateway around it: `python -m bench.bare KIND UPSTREAM PORT FOLDER`.

It shows the floor. `relay` passes bodies on and looks at nothing. `parts` also does, for each call, what no
governed call can do without, by the same libraries as remit: it reads and writes the JSON, asks Cedar about
ten policies, encrypts and hashes three records, and waits for a commit that it shares with all other waiting
calls. It has no tokens, tasks, constraints, provenance, labels, proofs, bounds or errors: it is no gateway.
"""

import asyncio
import json
import os
import queue
import sqlite3
import sys
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import cedarpy
import httptools
import orjson
import uvloop
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.calls import wire_headers
from bench.wire import Bodies

CONNECTIONS = 32
POLICIES = 10
RECORDS = 3

_SCHEMA = """\
entity Agent;
entity Tool;
action call appliesTo {
  principal: Agent, resource: Tool, context: {text: String, class: String, cleared: Bool}
};
"""


class Work(Protocol):
    """What is done for a call before it is passed on, and with its answer."""

    def begin(self, body: bytes, go_on: Callable[[bytes], None]) -> None:
        """Do what comes before, then call `go_on` with what is sent upstream."""
        ...

    def end(self, body: bytes) -> bytes:
        """Return what the client gets."""
        ...


class Nothing:
    """Pass on."""

    def begin(self, body: bytes, go_on: Callable[[bytes], None]) -> None:
        """Pass the call on."""
        go_on(body)

    def end(self, body: bytes) -> bytes:
        """Pass the answer on."""
        return body


class Parts:
    """One evaluation and one durable commit for each call."""

    def __init__(self, loop: asyncio.AbstractEventLoop, file: Path) -> None:
        """Prepare all that can be prepared, and a thread that writes."""
        self._loop = loop
        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._schema = cedarpy.Schema.from_str(_SCHEMA)
        self._policies = cedarpy.PolicySet.from_str(_policies())
        uids = [{"type": "Agent", "id": "bench"}, {"type": "Tool", "id": "echo"}]
        entities = [{"uid": uid, "attrs": {}, "parents": []} for uid in uids]
        self._entities = cedarpy.Entities.from_json_str(json.dumps(entities), self._schema)
        action = {"type": "Action", "id": "call"}
        self._head = {"principal": uids[0], "action": action, "resource": uids[1]}
        self._waiting: queue.SimpleQueue[tuple[list[bytes], Callable[[], None]]] = queue.SimpleQueue()
        threading.Thread(target=self._write, args=(file,), daemon=True).start()

    def begin(self, body: bytes, go_on: Callable[[bytes], None]) -> None:
        """Read, decide, seal, and go on when all of it is on the disk."""
        call = orjson.loads(body)
        text = call["params"]["arguments"]["text"]
        context = {"text": text, "class": "internal", "cleared": False}
        request = {**self._head, "context": context}
        found = cedarpy.is_authorized(request, self._policies, self._entities, self._schema)
        if not found.allowed or found.diagnostics.errors:
            raise SystemExit(f"not permitted: {found.diagnostics}")
        written = orjson.dumps(call)
        records = []
        for kind in range(RECORDS):
            plain = orjson.dumps({"kind": kind, "salt": os.urandom(16).hex(), "call": call})
            nonce = os.urandom(12)
            records.append(sha256(plain).digest() + nonce + self._cipher.encrypt(nonce, plain, None))
        self._waiting.put((records, lambda: go_on(written)))

    def end(self, body: bytes) -> bytes:
        """Read the answer and write it again."""
        return orjson.dumps(orjson.loads(body))

    def _write(self, file: Path) -> None:
        store = sqlite3.connect(file, isolation_level=None)
        store.execute("PRAGMA journal_mode=WAL")
        store.execute("PRAGMA synchronous=FULL")
        store.execute("CREATE TABLE records (at INTEGER PRIMARY KEY, sealed BLOB NOT NULL)")
        while True:
            batch = [self._waiting.get()]
            while not self._waiting.empty():
                batch.append(self._waiting.get())
            store.execute("BEGIN")
            rows = [(one,) for records, _ in batch for one in records]
            store.executemany("INSERT INTO records (sealed) VALUES (?)", rows)
            store.execute("COMMIT")
            self._loop.call_soon_threadsafe(_go_on, [go_on for _, go_on in batch])


def _go_on(waiters: list[Callable[[], None]]) -> None:
    for go_on in waiters:
        go_on()


def _policies() -> str:
    rules = ["permit (principal, action, resource);"]
    for number in range(POLICIES - 1):
        condition = f'context.text like "*{number} BEGIN PRIVATE KEY*" && !context.cleared'
        rules.append(
            f'@id("{number}") forbid (principal, action == Action::"call", resource) when {{ {condition} }};'
        )
    return "\n".join(rules)


class Upstream(Bodies[httptools.HttpResponseParser]):
    """A kept connection; `answered` gets the answer to what was last sent."""

    answered: Callable[[bytes], None]

    def __init__(self, free: list["Upstream"]) -> None:
        """Take where it waits for work."""
        super().__init__(httptools.HttpResponseParser)
        self._free = free

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for work (asyncio)."""
        super().connection_made(transport)
        self._free.append(self)

    def on_message_complete(self) -> None:
        """Hand the answer on (httptools)."""
        body = self.body()
        self._free.append(self)
        self.answered(body)


class Client(Bodies[httptools.HttpRequestParser]):
    """A client's connection, one call at a time."""

    def __init__(self, free: list[Upstream], head: bytes, work: Work) -> None:
        """Take the connections to the upstream, the head of requests there, and what is done."""
        super().__init__(httptools.HttpRequestParser)
        self._free, self._head, self._work = free, head, work

    def on_message_complete(self) -> None:
        """Begin the call (httptools)."""
        self._work.begin(self.body(), self._send)

    def _send(self, body: bytes) -> None:
        upstream = self._free.pop()
        upstream.answered = self._answer
        upstream.transport.write(self._head % len(body) + body)

    def _answer(self, body: bytes) -> None:
        out = self._work.end(body)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self.transport.write(head % len(out) + out)


async def serve(kind: str, upstream: str, port: int, folder: Path) -> None:
    """Serve until stopped."""
    loop, url = asyncio.get_running_loop(), urlsplit(upstream)
    host, to = url.hostname or "127.0.0.1", url.port or 80
    lines = [f"POST {url.path} HTTP/1.1", f"host: {url.netloc}", "content-length: %d"]
    lines += [f"{name}: {value}" for name, value in wire_headers("echo").items()]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode()
    free: list[Upstream] = []
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: Upstream(free), host, to)
    work: Work = Parts(loop, folder / "records.db") if kind == "parts" else Nothing()
    server: Any = await loop.create_server(lambda: Client(free, head, work), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    chosen, before, at, place = sys.argv[1:]
    uvloop.run(serve(chosen, before, int(at), Path(place)))
