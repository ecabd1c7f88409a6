# SPDX-License-Identifier: Apache-2.0
"""Conversations in JSON of any form: who says what, which tools are called with what, and what comes back.

Clients, model APIs, observability tools and chat exports nest the same few things differently: a speaker
(`role`, `sender`, `from`, `author.role`, a class name), texts, calls (a name with `input`, `arguments` or
`args`), results, and attributes (`key` and `value`). The walk knows these instead of each product.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.discovered import FilePlace, Piece, SourceKind
from remit.core.discovery.sources.text import MAX_PIECE, TELLING, pieces
from remit.core.json_value import Json

#: Deepest nesting that is walked; what is deeper is read as the text of its JSON.
MAX_DEPTH: Final = 80
#: A text that is longer stands for itself, whatever its field is.
_LONG: Final = 160
#: A text that is longer is looked at once in a chunk: requests repeat the conversation before them.
_REPEATED: Final = 64
_MOST_SEEN: Final = 200_000


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SPEAKERS: Final = {
    **dict.fromkeys(_words("user human customer person humanmessage humanmessagechunk"), "person"),
    **dict.fromkeys(
        _words(
            """
            assistant ai model gpt gemini bot agent chatbot aimessage aimessagechunk function_call tool_use
            tool_call custom_tool_call local_shell_call mcp_call server_tool_use chatgpt claude copilot
            """
        ),
        "agent",
    ),
    **dict.fromkeys(
        _words(
            """
            tool function observation tool_result tool_response tool_call_response function_call_output
            custom_tool_call_output local_shell_call_output mcp_tool_result toolmessage functionmessage
            web_search_tool_result code_execution_tool_result
            """
        ),
        "tool",
    ),
    **dict.fromkeys(_words("system developer systemmessage"), ""),
}
_ROLE_FIELDS: Final = ("role", "sender", "from", "speaker", "type")
_CONTENT: Final = _words(
    """
    content text input_text output_text value parts thinking reasoning summary message prompt response output
    result completion body query question answer instructions system resultdisplay stdout stderr
    """
)
_ARGUMENTS: Final = ("input", "arguments", "args", "tool_input", "parameters")
#: Fields of results, beside a call or, those of tools, anywhere.
_TOOL_RESULTS: Final = _words("toolUseResult functionResponse resultDisplay tool_output tool_response")
_RESULTS: Final = _TOOL_RESULTS | _words("outputs output result response")
_CALL_IDS: Final = ("tool_call_id", "tool_use_id", "call_id", "toolCallId")
_EVENT: Final = re.compile(r"^gen_ai\.(user|system|assistant|tool|choice)(?:\.message)?$")
_EVENT_SPEAKERS: Final = {"user": "person", "assistant": "agent", "choice": "agent", "tool": "tool"}
#: Fields whose short values are no text that a person or an agent wrote.
_PLAIN: Final = _words(
    """
    type uuid parentUuid timestamp sessionId version userType gitBranch isSidechain requestId stop_reason role
    traceId spanId parentSpanId startTimeUnixNano endTimeUnixNano created created_at updated_at object
    finish_reason create_time update_time media_type mimeType status tool_use_id tool_call_id call_id
    service_tier
    """
)
#: How base64 of pictures, sounds and PDF begins.
_MEDIA: Final = (
    "data:image/",
    "data:audio/",
    "data:video/",
    "iVBORw0KGgo",
    "/9j/",
    "R0lGOD",
    "UklGR",
    "JVBERi0",
)


class LocatedText(str):
    """A text of a parsed document that knows its place: offsets, its line (0 is the first), and its style."""

    __slots__ = ("end", "line", "start", "style")
    start: int
    end: int
    line: int
    style: str


class MessageWalk:
    """Walks values of one chunk. `found` holds pieces, `rest` short texts that say nothing alone."""

    def __init__(
        self, chunk: FileChunk, *, agent: str = "", kind: SourceKind = SourceKind.TRANSCRIPT
    ) -> None:
        self.found: list[Piece] = []
        self.rest: list[tuple[int, str]] = []
        #: Tools that were called, and the agent and the model that the attributes name.
        self.tools: set[str] = set()
        self.agents: dict[str, str] = {}
        self.agent = agent
        self._chunk = chunk
        self._kind = kind
        self._line = chunk.line
        self._calls: dict[str, str] = {}
        self._seen: set[int] = set()
        self._here: set[str] = set()

    def walk(self, value: Json, line: int, inside: str = "") -> None:
        """Read one value that begins at a line; located texts are relative to it."""
        self._line = line
        self._here.clear()
        self._value(value, (), inside, "", 0, apart=False)

    def _value(
        self, value: Json, names: tuple[str, ...], inside: str, speaker: str, depth: int, *, apart: bool
    ) -> None:
        if isinstance(value, str):
            self._text(value, names, inside, speaker, depth, apart=apart)
        elif isinstance(value, dict):
            if depth > MAX_DEPTH:
                self._text(_json_text(value), names, inside, speaker, depth, apart=True)
            else:
                self._object(value, names, inside, speaker, depth, apart=apart)
        elif isinstance(value, list):
            if depth > MAX_DEPTH:
                self._text(_json_text(value), names, inside, speaker, depth, apart=True)
            else:
                self._items(value, names, inside, speaker, depth, apart=apart)

    def _items(
        self, items: list[Json], names: tuple[str, ...], inside: str, speaker: str, depth: int, *, apart: bool
    ) -> None:
        if items and isinstance(items[0], dict) and "key" in items[0] and "value" in items[0]:
            attributes = {
                one["key"]: _attribute(one.get("value"))
                for one in items
                if isinstance(one, dict) and isinstance(one.get("key"), str)
            }
            self._attributes(attributes, names, inside, speaker, depth)
            return
        for at, one in enumerate(items):
            self._value(one, names, f"{inside}[{at}]", speaker, depth + 1, apart=apart)

    def _object(
        self,
        value: dict[str, Json],
        names: tuple[str, ...],
        inside: str,
        speaker: str,
        depth: int,
        *,
        apart: bool,
    ) -> None:
        if not apart:
            speaker = _speaker(value, speaker)
        attributes = value.get("attributes")
        if isinstance(attributes, dict):
            self._attributes(attributes, names, f"{inside}.attributes", _event(value, speaker), depth + 1)
        elif attributes is not None:
            speaker = _event(value, speaker)
        tool = self._tool(value)
        label = value.get("name", value.get("key")) if "value" in value else None
        prefix = f"{inside}." if inside else ""
        inner = depth + 1
        for key, one in value.items():
            if isinstance(one, str):
                if key in _PLAIN and len(one) <= 64:
                    continue
            elif not isinstance(one, dict | list):
                if type(one) is int and TELLING.search(key):
                    self.rest.append((self._line, f"{'.'.join((*names, key))}: {one}"))
                continue
            elif one is attributes and isinstance(one, dict):
                continue
            says, path, alone = speaker, (*names, key) if len(names) < 12 else names, apart
            if tool and (key in _ARGUMENTS or key == "inputs"):
                says, path, alone = "agent", (tool,), True
            elif tool and (key in _RESULTS or (speaker == "tool" and key.lower() in _CONTENT)):
                says, path = "tool", (tool, "result")
            elif key in _TOOL_RESULTS:
                says = "tool"
            elif label is not None and key == "value" and isinstance(label, str):
                path = (*names, label)
            if isinstance(one, str):
                self._text(one, path, prefix + key, says, inner, apart=alone)
            else:
                self._value(one, path, prefix + key, says, inner, apart=alone)

    def _tool(self, value: dict[str, Json]) -> str:
        """Return the tool that an object calls, or whose result it holds."""
        name = value.get("name", value.get("toolName", value.get("tool_name")))
        if isinstance(name, str) and name:
            kind = value.get("type")
            called = any(isinstance(value.get(field), dict | str) for field in _ARGUMENTS)
            if (called and "description" not in value) or value.get("run_type") == "tool":
                number = value.get("id", value.get("call_id"))
                if isinstance(number, str) and len(self._calls) < _MOST_SEEN:
                    self._calls[value.get("call_id") or number] = name
                if len(self.tools) < 1_000:
                    self.tools.add(str(name))
                return name
            if value.get("role") == "tool" or kind in ("tool", "function"):
                return name
        inner = value.get("function")
        if (
            isinstance(inner, dict)
            and isinstance(inner.get("name"), str)
            and isinstance(value.get("id"), str)
        ):
            self._calls[value["id"]] = inner["name"]
        for field in _CALL_IDS:
            if isinstance(number := value.get(field), str):
                return self._calls.get(number, "")
        return ""

    def _attributes(
        self, attributes: Mapping[str, Json], names: tuple[str, ...], inside: str, speaker: str, depth: int
    ) -> None:
        """Read the attributes of a span: roles stand beside their contents, calls beside their tools."""
        roles = {
            key[:-5]: _SPEAKERS.get(role.lower(), "")
            for key, role in attributes.items()
            if key.endswith(".role") and isinstance(role, str)
        }
        tool = attributes.get("gen_ai.tool.name", attributes.get("tool.name"))
        agent = attributes.get("gen_ai.agent.name")
        if isinstance(agent, str) and agent and len(self.agents) < 1_000:
            model = attributes.get("gen_ai.request.model")
            self.agents[agent] = model if isinstance(model, str) else self.agents.get(agent, "")
        for key, one in attributes.items():
            if key.endswith(".role"):
                continue
            says, path = roles.get(key.rpartition(".")[0], speaker), (*names, key)
            if (
                isinstance(tool, str)
                and tool
                and ("argument" in key or key in ("input.value", "tool.parameters"))
            ):
                says, path = "agent", (tool,)
                self.tools.add(str(tool))
            elif isinstance(tool, str) and tool and ("result" in key or key == "output.value"):
                says, path = "tool", (tool, "result")
            elif key == "gen_ai.tool.message":
                says = "tool"
            self._value(one, path, f"{inside}.{key}", says, depth + 1, apart=bool(says))

    def _text(
        self, text: str, names: tuple[str, ...], inside: str, speaker: str, depth: int, *, apart: bool
    ) -> None:
        style = getattr(text, "style", '"')
        if (len(text) < 4 or not style) and not (names and TELLING.search(names[-1])):
            return  # too short, or a number or word of JSON
        if text[0:1] in ("{", "[") and depth <= MAX_DEPTH and len(text) > 8:
            inner = _inner_json(text)
            if inner is not None:
                line = self._line
                self._line += getattr(text, "line", 0)
                self._value(inner, names, inside, speaker, depth + 8, apart=apart)
                self._line = line
                return
        if text.startswith(_MEDIA):
            return
        key = names[-1].lower() if names else ""
        line = self._line + getattr(text, "line", 0)
        if not (
            apart or len(text) > _LONG or (key in _CONTENT and (speaker or len(text) > 24)) or key == "result"
        ):
            self.rest.append((line, f"{'.'.join(names)}: {text}"))
            return
        if len(text) >= _REPEATED:
            mark = hash((str(text), speaker))
            if mark in self._seen:
                return
            if len(self._seen) < _MOST_SEEN:
                self._seen.add(mark)
        elif len(text) > 8 and not (names and TELLING.search(names[-1])):
            # Clients write a result twice in one record.
            if text in self._here:
                return
            self._here.add(text)
        place = FilePlace(
            file=self._chunk.file, line=line, inside=inside or "value", commit=self._chunk.commit
        )
        if len(text) > MAX_PIECE:
            self.found += pieces(
                str(text), place, self._kind, names=names, speaker=speaker, agent=self.agent, one_line=True
            )
            return
        self.found.append(
            Piece(
                text=str(text),
                place=place,
                kind=self._kind,
                names=names,
                speaker=speaker,
                agent=self.agent,
                one_line=True,
            )
        )


def _speaker(value: dict[str, Json], before: str) -> str:
    for field in _ROLE_FIELDS:
        if isinstance(role := value.get(field), str) and (found := _SPEAKERS.get(role.lower())) is not None:
            return found
    if "bubbleId" in value:  # Cursor: 1 is the person, 2 the assistant
        return "person" if value.get("type") == 1 else "agent"
    author = value.get("author")
    if isinstance(author, dict) and isinstance(role := author.get("role"), str):
        return _SPEAKERS.get(role.lower(), before)
    path = value.get("id")
    if isinstance(path, list) and path and isinstance(path[-1], str) and "lc" in value:
        return _SPEAKERS.get(path[-1].lower(), before)
    return before


def _event(value: dict[str, Json], before: str) -> str:
    name = value.get("name")
    known = _EVENT.match(name) if isinstance(name, str) else None
    return _EVENT_SPEAKERS.get(known[1], before) if known else before


def _attribute(value: Json) -> Json:
    """Return the value of an OTLP attribute without its type."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    kind, inner = next(iter(value.items()))
    if kind == "arrayValue" and isinstance(inner, dict) and isinstance(inner.get("values"), list):
        return [_attribute(one) for one in inner["values"]]
    if kind == "kvlistValue" and isinstance(inner, dict) and isinstance(inner.get("values"), list):
        return {
            one["key"]: _attribute(one.get("value"))
            for one in inner["values"]
            if isinstance(one, dict) and isinstance(one.get("key"), str)
        }
    return inner


def _inner_json(text: str) -> Json:
    """Return the object or list that a text is in JSON, or nothing."""
    if text[-1] not in "}] \n":
        return None
    try:
        found = msgspec.json.decode(str(text))
    except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError):
        return None
    return found if isinstance(found, dict | list) and found else None


def _json_text(value: Json) -> str:
    try:
        return msgspec.json.encode(value, enc_hook=str).decode("utf-8", "replace")
    except (RecursionError, UnicodeError, ValueError, TypeError):
        return ""
