# SPDX-License-Identifier: Apache-2.0
"""A model that follows a script, on loopback, in the APIs that clients use (`scripted_apis`).

A script has parts. A conversation whose first user message contains a part's mark is answered by that part's
turns in their order, then by a closing text. A conversation without a mark gets the closing text.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

from remit.cli.attack.scripted_apis import ModelApi, PlannedCall, api_of

CLOSING: Final = "Done."

#: The tools that a turn calls: name and arguments.
Turn = Sequence[tuple[str, Mapping[str, object]]]


class ScriptedModel:
    """The server; used as a context manager. `results` are what came back for calls, by their number."""

    def __init__(
        self,
        script: Mapping[str, Sequence[Turn]],
        before: Callable[[str, int], None] = lambda mark, turn: None,
    ) -> None:
        """Take the turns of each part by its mark; `before` is called with mark and number before a turn."""
        self._script = script
        self._before = before
        self.results: dict[str, str] = {}
        # Clients take messages with the same id for one message.
        self._ids = itertools.count(1)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def reply(self, api: ModelApi, asked: Mapping[str, Any]) -> tuple[str, str]:
        """Return the next message and its media type, and keep the results that the request brings."""
        if api.whole is not None and not asked.get("stream"):
            return self._message(api, api.whole, asked), "application/json"
        return self._message(api, api.write, asked), "text/event-stream"

    def _message(
        self, api: ModelApi, write: Callable[[int, str, Sequence[PlannedCall]], str], asked: Mapping[str, Any]
    ) -> str:
        facts = api.read(asked)
        self.results |= facts.results
        marks = [one for one in self._script if one in facts.first]
        # The brief of a subagent may come with the conversation above it.
        mark = max(marks, key=facts.first.rfind) if marks else None
        if mark is None or not facts.tools:
            return write(next(self._ids), CLOSING, ())
        self._before(mark, facts.number)
        turns = self._script[mark]
        if facts.number >= len(turns):
            return write(next(self._ids), CLOSING, ())
        calls: list[PlannedCall] = [
            (f"toolu_{mark}_{facts.number}_{place}", name, dict(given))
            for place, (name, given) in enumerate(turns[facts.number])
        ]
        return write(next(self._ids), "", calls)


def _handler(model: ScriptedModel) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            try:
                asked = json.loads(self.rfile.read(length) or b"{}")
            except ValueError:
                asked = {}
            api = api_of(self.path)
            if api is None:
                self._send(200, b'{"input_tokens":1,"totalTokens":1}', "application/json")
            else:
                body, media = model.reply(api, asked)
                self._send(200, body.encode(), media)

        def do_GET(self) -> None:
            self._send(404, b"{}", "application/json")

        def do_HEAD(self) -> None:
            self._send(200, b"", "text/plain")

        def _send(self, status: int, body: bytes, media: str) -> None:
            self.send_response(status)
            self.send_header("content-type", media)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    return Handler
