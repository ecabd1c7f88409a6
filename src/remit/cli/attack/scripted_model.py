# SPDX-License-Identifier: Apache-2.0
"""A model that follows a script, on loopback: it speaks the Messages API as far as Claude Code uses it.

A script has parts. A conversation whose first user message contains a part's mark is answered by that part's
turns in their order, then by a closing text. A conversation without a mark gets the closing text.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

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
        self.ids = itertools.count(1)
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

    def reply(self, asked: Mapping[str, Any]) -> list[dict[str, object]]:
        """Return the content blocks of the next message, and keep the results that the request brings."""
        messages = asked.get("messages") or []
        for message in messages:
            for block in _blocks(message):
                if block.get("type") == "tool_result":
                    self.results[str(block.get("tool_use_id"))] = _text(block.get("content"))
        first = _text(messages[0].get("content")) if messages else ""
        mark = next((one for one in self._script if one in first), None)
        if mark is None or not asked.get("tools"):
            return [{"type": "text", "text": CLOSING}]
        turns = self._script[mark]
        number = sum(message.get("role") == "assistant" for message in messages)
        self._before(mark, number)
        if number >= len(turns):
            return [{"type": "text", "text": CLOSING}]
        return [
            {"type": "tool_use", "id": f"toolu_{mark}_{number}_{place}", "name": name, "input": dict(given)}
            for place, (name, given) in enumerate(turns[number])
        ]


def _blocks(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    content = message.get("content")
    yield from (one for one in content if isinstance(one, dict)) if isinstance(content, list) else ()


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(str(one.get("text", "")) for one in content if isinstance(one, dict))


def _message(
    number: str, model: str, content: list[dict[str, object]], stop: str | None
) -> dict[str, object]:
    return {
        "id": number,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def _events(
    number: str, blocks: list[dict[str, object]], model: str
) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the events of one streamed message."""
    usage = {"input_tokens": 1, "output_tokens": 1}
    stop = "tool_use" if any(one["type"] == "tool_use" for one in blocks) else "end_turn"
    head = _message(number, model, [], None)
    yield "message_start", {"type": "message_start", "message": head}
    for index, block in enumerate(blocks):
        called = block["type"] == "tool_use"
        empty = {**block, "input": {}} if called else {"type": "text", "text": ""}
        delta = (
            {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            if called
            else {"type": "text_delta", "text": block["text"]}
        )
        yield "content_block_start", {"type": "content_block_start", "index": index, "content_block": empty}
        yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
        yield "content_block_stop", {"type": "content_block_stop", "index": index}
    end = {"stop_reason": stop, "stop_sequence": None}
    yield "message_delta", {"type": "message_delta", "delta": end, "usage": usage}
    yield "message_stop", {"type": "message_stop"}


def _handler(model: ScriptedModel) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            try:
                asked = json.loads(self.rfile.read(length) or b"{}")
            except ValueError:
                asked = {}
            if self.path.partition("?")[0] != "/v1/messages":
                self._send(200, b'{"input_tokens":1}', "application/json")
                return
            blocks, name = model.reply(asked), str(asked.get("model", "scripted"))
            number = f"msg_{next(model.ids)}"
            if asked.get("stream"):
                text = "".join(
                    f"event: {kind}\ndata: {json.dumps(told)}\n\n"
                    for kind, told in _events(number, blocks, name)
                )
                self._send(200, text.encode(), "text/event-stream")
                return
            stop = "tool_use" if blocks[0]["type"] == "tool_use" else "end_turn"
            whole = _message(number, name, blocks, stop)
            self._send(200, json.dumps(whole).encode(), "application/json")

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
