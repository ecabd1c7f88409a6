# SPDX-License-Identifier: Apache-2.0
"""The messages of an upstream without the fields that the task does not get (step 8).

This comes before everything else of the step: what is withheld is neither indexed nor does it raise a label.
A result that can be divided by field gets a note in the place of each withheld field, in its structure and in
its text alike. Any other result is withheld as a whole, with the reason: text that is no structure, a name
that is written twice, comments, binary data, bodies in pieces. Otherwise a party that can write one field
would choose that all fields are released.

An upstream's notifications come before the result, so that remit does not know the withheld values yet: only
their numbers pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

import msgspec
import orjson
import yaml

from remit.core.cooperative_steps import Steps
from remit.core.decisions.mediation import Chunk, ChunkKind
from remit.core.flow.justification import leaves
from remit.core.flow.records.fields import MARK, structuring
from remit.core.flow.records.json_parsing import decoding, reading
from remit.core.flow.records.withheld_fields import (
    UNREADABLE,
    WHOLE,
    CannotWithholdError,
    Changes,
    Place,
    Withheld,
    changed,
)
from remit.core.flow.values.echoes import Echoes
from remit.core.json_value import Json
from remit.core.tools.http_api import ReplyHead, ReplyPiece
from remit.core.tools.tool import PROMPT_GET, RESOURCE_READ, Tool
from remit.services.flow.tool_results import is_pace

#: A longer result is withheld as a whole; so is a longer text of YAML.
MAX_BYTES: Final = 262_144
MAX_YAML_CHARS: Final = 65_536
_BLOCKS: Final = ("content", "contents")
_PIECES: Final = frozenset(ReplyPiece)
_INTERNAL_ERROR: Final = -32603
#: The codes of errors that JSON-RPC reserves; another code can be a withheld number.
_RESERVED: Final = range(-32768, -31999)
#: Texts of a call's arguments that its result is compared with.
MAX_SAID: Final = 1_000
NO_ARGUMENTS: Final[Mapping[str, Json]] = {}
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class WithheldChunk(msgspec.Struct, frozen=True):
    """What remains of a chunk (None: nothing), and the fields that are withheld.

    `whole`: all of its words are remit's own.
    """

    chunk: Chunk | None
    fields: tuple[str, ...] = ()
    whole: bool = False


class _Part(msgspec.Struct):
    """A part of a result that is read apart: its place, its value, and the changes of the value.

    `text` is how the part is written, None for a structure.
    """

    place: Place
    value: Json
    text: str | None = None
    changes: Changes = {}

    @property
    def is_prose(self) -> bool:
        """Whether its texts stand in no field of the tool's own: around the result, or as the whole of it."""
        whole = isinstance(self.value, dict) and set(self.value) == {"result"} and self.value["result"]
        return not self.place or isinstance(whole, str)

    def written(self) -> Json:
        """Return what stands at the place."""
        if self.text is None:
            return changed(self.value, self.changes)
        return _written(self.text, self.changes) if self.changes else self.text


def withholding(
    chunk: Chunk, tool: Tool, arguments: Mapping[str, Json] = NO_ARGUMENTS, *, begun: bool = False
) -> Steps[WithheldChunk]:
    """Return a chunk without the withheld fields of its tool; `arguments` are those of the call.

    `begun`: an earlier piece of the same body was withheld, and said so.
    """
    held = Withheld(tool, frozenset(islice(leaves(dict(arguments)), MAX_SAID)))
    if chunk.method in _PIECES:
        return (yield from _of_reply(chunk, held, begun=begun))
    if chunk.kind is ChunkKind.NOTIFICATION and chunk.method:
        return _of_notification(chunk)
    if len(chunk.body) > MAX_BYTES:
        return _whole(chunk, tool, None)
    body: Json = None
    try:
        body = yield from _parsed(chunk.body)
        found = yield from _divided(body, held, chunk, tool)
    except (CannotWithholdError, ValueError, RecursionError, yaml.YAMLError):
        return _whole(chunk, tool, body)
    if found is None:
        return WithheldChunk(chunk)
    return WithheldChunk(msgspec.structs.replace(chunk, body=found), tuple(held.found))


def without_withheld(tool: Tool) -> Tool:
    """Return a tool as its divided results are observed: notes stand in its withheld fields."""
    fields = tuple(
        msgspec.structs.replace(one, label=tool.label) if one.withheld else one for one in tool.fields
    )
    return msgspec.structs.replace(tool, fields=fields)


def _divided(body: Json, held: Withheld, chunk: Chunk, tool: Tool | None) -> Steps[bytes | None]:
    """Return the body with notes in place of the withheld fields; None where it has none.

    `tool` is None for a body without the form of MCP: then its names are the tool's own.
    """
    parts: list[_Part] = []
    if tool is not None and chunk.kind is ChunkKind.RESULT:
        if not isinstance(body, dict):
            raise CannotWithholdError
        if "structuredContent" in body:
            parts.append(_Part(("structuredContent",), body["structuredContent"], changes={}))
        yield from _take_texts(body, parts)
    # The rest is read without the parts.
    rest: Changes = {one.place: None for one in parts}
    every = [_Part((), body, changes=rest), *parts]
    for one in parts or every:
        yield from held.read_names(one.value)
    for one in every:
        yield from held.look(one.value, one.changes, prose=tool is not None and one.is_prose)
    without: list[Changes] = []
    for one in every:
        yield from held.search(one.value, one.changes)
        without.append({**one.changes, **held.echoes})
        held.echoes.clear()
    if not held.found:
        return None
    rest |= {one.place: one.written() for one in parts}
    found = orjson.dumps(changed(body, rest))
    # What the agent wrote itself tells it nothing.
    read = orjson.dumps([changed(one.value, left) for one, left in zip(every, without, strict=True)])
    clean, _ = yield from Echoes(tuple(held.values)).replaced(read, b"", last=True)
    if clean != read:
        raise CannotWithholdError
    return found


def _take_texts(body: dict[str, Json], parts: list[_Part]) -> Steps[None]:
    """Add the texts in the blocks of a result. Raise `CannotWithholdError` for one that is no structure."""
    for name in _BLOCKS:
        blocks = body.get(name, [])
        if not isinstance(blocks, list):
            raise CannotWithholdError
        for at, block in enumerate(blocks):
            holders: list[tuple[Place, Json]] = [((name, at), block)]
            if isinstance(block, dict) and "resource" in block:
                holders.append(((name, at, "resource"), block["resource"]))
            for place, holder in holders:
                if not isinstance(holder, dict) or "blob" in holder or "data" in holder:
                    raise CannotWithholdError
                if isinstance(text := holder.get("text"), str):
                    left: list[str] = []
                    value = yield from structuring(text, left)
                    if value is None or left:
                        raise CannotWithholdError
                    parts.append(_Part((*place, "text"), value, text, {}))


def _written(text: str, changes: Changes) -> str:
    """Return a text with its changes, in its own notation."""
    try:
        return orjson.dumps(changed(orjson.loads(text), changes)).decode()
    except orjson.JSONDecodeError:
        pass
    if len(text) > MAX_YAML_CHARS:
        raise CannotWithholdError
    # Nodes, not values: every other scalar keeps its type and its quotes.
    root = yaml.compose(text.removeprefix(MARK), Loader=_LOADER)
    return str(yaml.serialize(_noted(root, changes, ()), Dumper=_DUMPER, allow_unicode=True))


def _noted(node: Any, changes: Changes, place: Place) -> Any:
    if place in changes:
        return yaml.ScalarNode("tag:yaml.org,2002:str", changes[place], style='"')
    if isinstance(node, yaml.MappingNode):
        node.value = [(key, _noted(below, changes, (*place, key.value))) for key, below in node.value]
    elif isinstance(node, yaml.SequenceNode):
        node.value = [_noted(below, changes, (*place, at)) for at, below in enumerate(node.value)]
    return node


def _parsed(raw: bytes) -> Steps[Json]:
    """Parse JSON.

    Raise `CannotWithholdError` where readers may disagree on it, and `ValueError` for other text.
    """
    left: list[str] = []
    body = yield from reading((yield from decoding(raw)), left)
    if left:
        raise CannotWithholdError
    return body


def _whole(chunk: Chunk, tool: Tool, body: Json) -> WithheldChunk:
    """Return a message that says that the whole is withheld."""
    said: dict[str, Json]
    if chunk.kind is ChunkKind.NOTIFICATION:
        return WithheldChunk(None, (WHOLE,), whole=True)
    if chunk.kind is ChunkKind.ERROR:
        code = body.get("code") if isinstance(body, dict) else None
        known = isinstance(code, int) and code in _RESERVED
        said = {"code": code if known else _INTERNAL_ERROR, "message": UNREADABLE}
    elif tool.name == RESOURCE_READ:
        said = {"contents": [{"uri": "about:blank", "text": UNREADABLE}]}
    elif tool.name == PROMPT_GET:
        said = {"messages": [{"role": "user", "content": {"type": "text", "text": UNREADABLE}}]}
    else:
        said = {"content": [{"type": "text", "text": UNREADABLE}], "isError": chunk.is_error}
    return WithheldChunk(msgspec.structs.replace(chunk, body=orjson.dumps(said)), (WHOLE,), whole=True)


def _of_notification(chunk: Chunk) -> WithheldChunk:
    """Return the numbers of a progress notification."""
    try:
        body = orjson.loads(chunk.body)
    except orjson.JSONDecodeError:
        return WithheldChunk(None)
    if chunk.method != "notifications/progress" or not isinstance(body, dict):
        return WithheldChunk(None)
    pace = {name: value for name, value in body.items() if is_pace(name, value)}
    return WithheldChunk(msgspec.structs.replace(chunk, body=orjson.dumps(pace)), whole=True)


def _of_reply(chunk: Chunk, held: Withheld, *, begun: bool) -> Steps[WithheldChunk]:
    """Return a piece of an HTTP API's answer. Only a body of JSON that comes at once can be divided."""
    piece = ReplyPiece(chunk.method)
    if piece is ReplyPiece.HEAD:
        head = msgspec.json.decode(chunk.body, type=ReplyHead)
        kept = {name: text for name, text in head.headers.items() if name == "content-type"}
        said = ReplyHead(head.status, kept, "", tuple(sorted({*head.left_out, *head.headers} - kept.keys())))
        return WithheldChunk(msgspec.structs.replace(chunk, body=msgspec.json.encode(said)))
    if not chunk.body:
        return WithheldChunk(chunk)
    if begun:
        return WithheldChunk(msgspec.structs.replace(chunk, body=b""), whole=True)
    if piece is ReplyPiece.JSON and chunk.last and len(chunk.body) <= MAX_BYTES:
        try:
            body = yield from _parsed(chunk.body)
            found = yield from _divided(body, held, chunk, None)
        except (CannotWithholdError, ValueError, RecursionError):
            pass
        else:
            if found is None:
                return WithheldChunk(chunk)
            return WithheldChunk(msgspec.structs.replace(chunk, body=found), tuple(held.found))
    note = orjson.dumps(UNREADABLE) if piece in (ReplyPiece.JSON, ReplyPiece.LINES) else UNREADABLE.encode()
    if piece is ReplyPiece.EVENTS:
        note = b"data: " + note
    said_once = note + (b"\n\n" if piece is ReplyPiece.EVENTS else b"\n")
    return WithheldChunk(msgspec.structs.replace(chunk, body=said_once), (WHOLE,), whole=True)
