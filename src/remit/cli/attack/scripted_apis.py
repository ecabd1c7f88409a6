# SPDX-License-Identifier: Apache-2.0
"""The model APIs that clients use, as far as they use them: Messages, Responses, Chat Completions, Gemini.

Each is read into the same few facts, and the next message is written back, as a stream of events.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

Json = Any

#: A call of a turn: id, name and arguments.
PlannedCall = tuple[str, str, Mapping[str, object]]
_NUMBER: Final = re.compile(r"_(\d+)_\d+$")


class AskedFacts(NamedTuple):
    """What a request shows: the texts before the first answer, the turns so far, results by the call's id."""

    first: str
    number: int
    results: dict[str, str]
    tools: bool


class ModelApi(NamedTuple):
    """An API: how a request is read, and a message (text, or calls) is written as a body of events.

    `whole` writes one JSON object, for clients that sometimes want no events.
    """

    read: Callable[[Mapping[str, Json]], AskedFacts]
    write: Callable[[int, str, Sequence[PlannedCall]], str]
    whole: Callable[[int, str, Sequence[PlannedCall]], str] | None = None


def _text(content: object) -> str:
    """Return all texts in a message's content, whatever its form."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        return "\n".join(filter(None, (_text(one) for one in content.values())))
    if isinstance(content, Sequence):
        return "\n".join(filter(None, (_text(one) for one in content)))
    return ""


def _event(told: Mapping[str, Json], kind: str = "") -> str:
    head = f"event: {kind}\n" if kind else ""
    return f"{head}data: {json.dumps(told)}\n\n"


def _turns(ids: Sequence[str]) -> int:
    """Return how many turns have made calls with these ids, which hold the number of their turn."""
    return len({found[1] for one in ids if (found := _NUMBER.search(one))})


# Responses: Codex.


def _responses_read(asked: Mapping[str, Json]) -> AskedFacts:
    items = [one for one in asked.get("input") or [] if isinstance(one, dict)]
    results = {
        str(one.get("call_id")): _text(one.get("output"))
        for one in items
        if str(one.get("type", "")).endswith("_output")
    }
    calls = [str(one.get("call_id")) for one in items if str(one.get("type", "")).endswith("_call")]
    first = "\n".join(_text(one.get("content")) for one in items if one.get("role") == "user")
    return AskedFacts(first, _turns(calls), results, bool(asked.get("tools")))


def _responses_write(number: int, text: str, calls: Sequence[PlannedCall]) -> str:
    name = f"resp_{number}"
    items: list[dict[str, Json]] = [
        {
            "type": "function_call", "id": f"fc_{call}", "call_id": call, "name": tool,
            "arguments": json.dumps(given), "status": "completed",
        }
        for call, tool, given in calls
    ] or [{
        "type": "message", "role": "assistant", "id": f"msg_{number}",
        "content": [{"type": "output_text", "text": text}],
    }]  # fmt: skip
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    events = [_event({"type": "response.created", "response": {"id": name}}, "response.created")]
    for place, one in enumerate(items):
        kinds = ("response.output_item.added", "response.output_item.done")
        events += [_event({"type": kind, "output_index": place, "item": one}, kind) for kind in kinds]
    done = {"id": name, "output": items, "usage": usage}
    events.append(_event({"type": "response.completed", "response": done}, "response.completed"))
    return "".join(events)


# Chat Completions: Copilot.


def _chat_read(asked: Mapping[str, Json]) -> AskedFacts:
    messages = [one for one in asked.get("messages") or [] if isinstance(one, dict)]
    results = {
        str(one.get("tool_call_id")): _text(one.get("content"))
        for one in messages
        if one.get("role") == "tool"
    }
    calls = [str(call.get("id")) for one in messages for call in one.get("tool_calls") or ()]
    first = "\n".join(_text(one.get("content")) for one in messages if one.get("role") == "user")
    return AskedFacts(first, _turns(calls), results, bool(asked.get("tools")))


def _chat_write(number: int, text: str, calls: Sequence[PlannedCall]) -> str:
    said: dict[str, Json] = {"role": "assistant", "content": text or None}
    if calls:
        said["tool_calls"] = [
            {
                "index": place, "id": call, "type": "function",
                "function": {"name": tool, "arguments": json.dumps(given)},
            }
            for place, (call, tool, given) in enumerate(calls)
        ]  # fmt: skip
    head = {"id": f"chat_{number}", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    last: dict[str, Json] = {"index": 0, "delta": {}, "finish_reason": "tool_calls" if calls else "stop"}
    chunks = [
        {**head, "choices": [{"index": 0, "delta": said, "finish_reason": None}]},
        {**head, "choices": [last], "usage": usage},
    ]
    return "".join(map(_event, chunks)) + "data: [DONE]\n\n"


# Gemini: calls have no ids.


def _gemini_read(asked: Mapping[str, Json]) -> AskedFacts:
    contents = [one for one in asked.get("contents") or [] if isinstance(one, dict)]
    parts = [
        (str(one.get("role")), part)
        for one in contents
        for part in one.get("parts") or ()
        if isinstance(part, dict)
    ]
    results = {
        f"result_{place}": _text(part["functionResponse"].get("response"))
        for place, part in enumerate(part for _, part in parts if "functionResponse" in part)
    }
    turns = sum(any("functionCall" in part for part in one.get("parts") or ()) for one in contents)
    first = "\n".join(_text(part.get("text")) for role, part in parts if role == "user")
    return AskedFacts(first, turns, results, bool(asked.get("tools")))


def _gemini_write(number: int, text: str, calls: Sequence[PlannedCall]) -> str:
    parts: list[dict[str, Json]] = [
        {"functionCall": {"name": tool, "args": dict(given)}} for _, tool, given in calls
    ] or [{"text": text}]
    content = {"role": "model", "parts": parts}
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    found = {"content": content, "finishReason": "STOP", "index": 0}
    return _event({"candidates": [found], "usageMetadata": usage})


# Messages: Claude Code.


def _messages_read(asked: Mapping[str, Json]) -> AskedFacts:
    messages = [one for one in asked.get("messages") or [] if isinstance(one, dict)]
    results = {
        str(block.get("tool_use_id")): _text(block.get("content"))
        for message in messages
        for block in (message["content"] if isinstance(message.get("content"), list) else ())
        if isinstance(block, dict) and block.get("type") == "tool_result"
    }
    number = sum(one.get("role") == "assistant" for one in messages)
    first = _text(messages[0].get("content")) if messages else ""
    return AskedFacts(first, number, results, bool(asked.get("tools")))


def _messages_write(number: int, text: str, calls: Sequence[PlannedCall]) -> str:
    return "".join(_event(told, kind) for kind, told in _messages_events(number, text, calls))


def _messages_events(
    number: int, text: str, calls: Sequence[PlannedCall]
) -> Iterator[tuple[str, dict[str, Json]]]:
    usage = {"input_tokens": 1, "output_tokens": 1}
    head: dict[str, Json] = {
        "id": f"msg_{number}", "type": "message", "role": "assistant", "model": "scripted", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    yield "message_start", {"type": "message_start", "message": head}
    blocks: list[tuple[dict[str, Json], dict[str, Json]]] = [
        (
            {"type": "tool_use", "id": call, "name": tool, "input": {}},
            {"type": "input_json_delta", "partial_json": json.dumps(given)},
        )
        for call, tool, given in calls
    ] or [({"type": "text", "text": ""}, {"type": "text_delta", "text": text})]
    for index, (block, delta) in enumerate(blocks):
        yield "content_block_start", {"type": "content_block_start", "index": index, "content_block": block}
        yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
        yield "content_block_stop", {"type": "content_block_stop", "index": index}
    end = {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}
    yield "message_delta", {"type": "message_delta", "delta": end, "usage": usage}
    yield "message_stop", {"type": "message_stop"}


def _messages_whole(number: int, text: str, calls: Sequence[PlannedCall]) -> str:
    blocks = [{"type": "tool_use", "id": call, "name": tool, "input": given} for call, tool, given in calls]
    told: dict[str, Json] = {
        "id": f"msg_{number}", "type": "message", "role": "assistant", "model": "scripted",
        "content": blocks or [{"type": "text", "text": text}],
        "stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip
    return json.dumps(told)


#: By a part of the path of a request.
APIS: Final[Mapping[str, ModelApi]] = {
    "/v1/messages": ModelApi(_messages_read, _messages_write, _messages_whole),
    "/responses": ModelApi(_responses_read, _responses_write),
    "/chat/completions": ModelApi(_chat_read, _chat_write),
    "GenerateContent": ModelApi(_gemini_read, _gemini_write),
}


def api_of(path: str) -> ModelApi | None:
    """Return the API of a request that wants a message."""
    path = path.partition("?")[0]
    return next((api for part, api in APIS.items() if path.endswith(part)), None)
