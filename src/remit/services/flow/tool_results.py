# SPDX-License-Identifier: Apache-2.0
"""The content of an upstream's message, without the wire format (step 8).

Fields have the names that the tool's own result gives them.
"""

from __future__ import annotations

from typing import Final

import msgspec
import orjson

from remit.core.cooperative_steps import Steps
from remit.core.decisions.mediation import Chunk, ChunkKind
from remit.core.flow.records.fields import may_write
from remit.core.flow.records.json_parsing import MAX_AT_ONCE, decoding, reading
from remit.core.flow.values.numbers import MIN_NUMBER
from remit.core.json_value import Json
from remit.core.tools.http_api import ReplyHead, ReplyPiece, read_piece
from remit.core.tools.tool import Tool

#: Members of a progress notification that are not the tool's words, if their numbers are too short for those
#: of a telephone, a card or an account.
_PACE: Final = frozenset({"progress", "total"})
_TOKEN: Final = "progressToken"
_PROGRESS: Final = "notifications/progress"
_PIECES: Final = frozenset(ReplyPiece)


def in_numbers(chunk: Chunk) -> Chunk:
    """Return a progress notification without its token, and with its numbers as parsed.

    The endpoint knows the token. A number of a hundred digits could carry more than the progress of a call.
    """
    if not _tells_pace(chunk):
        return chunk
    try:
        body = orjson.loads(chunk.body)
    except orjson.JSONDecodeError:
        return chunk
    if isinstance(body, dict):
        body.pop(_TOKEN, None)
    return msgspec.structs.replace(chunk, body=orjson.dumps(body))


def _tells_pace(chunk: Chunk) -> bool:
    """Return whether a chunk reports the progress of a call; a long one may carry more."""
    return (
        chunk.kind is ChunkKind.NOTIFICATION and chunk.method == _PROGRESS and len(chunk.body) <= MAX_AT_ONCE
    )


def is_pace(name: str, value: Json) -> bool:
    """Return whether a member of a progress notification tells nothing but the progress."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return name == _TOKEN or (number and name in _PACE and len(orjson.dumps(value)) < MIN_NUMBER)


def brought(
    chunk: Chunk, tool: Tool, left: list[str] | None = None, before: bytes = b""
) -> Steps[tuple[Json, ...]]:
    """Return the parts of a chunk's content, each as the tool itself produced it; what is not JSON, as text.

    MCP writes a result as text (`content[].text`), as structure (`structuredContent`), or as both; a resource
    as `contents[].text`. The tool's own result comes first, then what accompanies it. What is released but
    belongs to no part, because a name is written twice, is added to `left`. `before` is the content just
    before a piece that is cut at any position; it is read together with the piece.
    """
    left = [] if left is None else left
    if chunk.method in _PIECES:
        return (yield from _of_reply(chunk, tool, left, before))
    try:
        body = yield from _parsed(chunk.body, left)
    except ValueError:
        return ((yield from decoding(chunk.body, "replace")),)
    if not isinstance(body, dict):
        return (body,)
    if chunk.kind is ChunkKind.RESULT:
        return (yield from _unwrapped(body, tool, left))
    if _tells_pace(chunk):
        body = {name: value for name, value in body.items() if not is_pace(name, value)}
    return (body,) if body else ()


def _of_reply(chunk: Chunk, tool: Tool, left: list[str], before: bytes) -> Steps[tuple[Json, ...]]:
    """Return the content of a piece of an HTTP API's answer, which has no wire format around it."""
    piece = ReplyPiece(chunk.method)
    if piece is ReplyPiece.HEAD:
        head = msgspec.json.decode(chunk.body, type=ReplyHead)
        said: dict[str, Json] = {**head.headers, "location": head.location}
        # The agent receives the names of omitted headers, which are the upstream's words too.
        return ({**said, "left_out": list(head.left_out)},)
    if not chunk.body:
        return ()
    if piece is ReplyPiece.JSON:
        try:
            return ((yield from _parsed(chunk.body, left)),)
        except ValueError:
            return ((yield from decoding(chunk.body, "replace")),)
    texts, beside = read_piece(piece, chunk.body, before)
    left += beside
    if piece is ReplyPiece.TEXT and tool.fields and (before or not chunk.last):
        # A part of a text may parse as a different structure than the whole.
        left += texts
        return ()
    found: list[Json] = []
    for text in texts:
        found += ((yield from _read(text, left)),)
    return tuple(found)


def _unwrapped(result: dict[str, Json], tool: Tool, left_out: list[str]) -> Steps[tuple[Json, ...]]:
    beside = result.copy()
    beside.pop("isError", None)
    if beside.get("resultType") == "complete":
        del beside["resultType"]
    own = beside.pop("structuredContent", None)
    schema = tool.surface.get("outputSchema")
    if isinstance(own, dict) and isinstance(schema, dict) and schema.get("x-fastmcp-wrap-result") is True:
        own = own["result"] if own.keys() == {"result"} else own
    texts: list[Json] = []
    for name in ("content", "contents"):
        if isinstance(blocks := beside.pop(name, None), list):
            found, left = yield from _texts(blocks, left_out)
            texts += found
            if left:
                beside[name] = left
        elif blocks is not None:
            beside[name] = blocks
    parts = [] if own is None else [own]
    # The same result in both forms counts once.
    if texts and (own is None or own not in (texts[0] if len(texts) == 1 else texts, texts)):
        parts += _written(texts, tool)
    return (*parts, beside) if beside else tuple(parts)


def _written(texts: list[Json], tool: Tool) -> list[Json]:
    """Return the content of text blocks.

    INVARIANT: of several blocks, each that could not be parsed here is a separate result if the tool has
    fields, or if the block may contain a structure. An attacker who can write half a surrogate pair into a
    block must not choose the label of the block's fields.
    """
    if len(texts) == 1:
        return texts
    rest, alone = list[Json](), list[Json]()
    for one in texts:
        apart = isinstance(one, str) and (tool.fields or may_write(one))
        (alone if apart else rest).append(one)
    return [rest, *alone] if rest else alone


def _texts(blocks: list[Json], left_out: list[str]) -> Steps[tuple[list[Json], list[Json]]]:
    """Return the content of the text blocks, parsed if it is JSON, and the rest of the blocks."""
    texts: list[Json] = []
    left: list[Json] = []
    for block in blocks:
        rest = block
        if isinstance(block, dict) and isinstance(block.get("text"), str):
            texts += ((yield from _read(block["text"], left_out)),)
            rest = block.copy()
            del rest["text"]
            if rest.get("type") == "text":
                del rest["type"]
        if rest:
            left.append(rest)
    return texts, left


def _read(text: str, left: list[str]) -> Steps[Json]:
    if text.lstrip()[:1] in ("{", "["):
        try:
            return (yield from reading(text, left))
        except ValueError:
            return text
    return text


def _parsed(written: bytes, left: list[str]) -> Steps[Json]:
    """Parse JSON; raise `ValueError` for a text that is not JSON, or is nested too deeply."""
    return (yield from reading((yield from decoding(written)), left))
