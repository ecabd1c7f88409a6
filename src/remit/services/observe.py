# SPDX-License-Identifier: Apache-2.0
"""Step 8: what an upstream gave becomes known to the task before the agent hears of it.

1. the wire's shape is taken off, so that fields have the names that the tool's own result gives them
2. each value enters the task's index, with the call, the tool and the field that it came from
3. the label of the result joins the task's label
4. INVARIANT: nothing is released before the label that it carries is durable. Where that cannot be committed,
   or a value cannot be taken in, the answer is not released

A notification and an error are observed like a result: all that is released may be read.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
import orjson

from remit.core.errors import Conflict
from remit.core.event import Event
from remit.core.field import countless, is_json, unread
from remit.core.label import Classes, Label
from remit.core.mediation import Chunk, ChunkKind
from remit.core.record import with_fields
from remit.core.request import AccessRequest
from remit.core.route import ReplyHead, ReplyPiece, read_piece
from remit.core.tool import Tool
from remit.ports.holdings import JoinLabels
from remit.ports.runtime import Clock
from remit.ports.store import Change, RaiseLabel, Store, Unit
from remit.services.authorize import carries
from remit.services.call_events import label_event
from remit.services.holdings import Holdings
from remit.services.live import LiveTask
from remit.services.policies import Policies
from remit.services.room import Room
from remit.services.turns import Turns

Json = Any

#: Members of a progress notification that are none of the tool's words.
_PACE = frozenset({"progressToken", "progress", "total"})
_PIECES = frozenset(ReplyPiece)
#: Bytes of a result that may take memory of many times that size for a moment.
MAX_AT_ONCE = 1024 * 1024


class Observer:
    """Takes in what calls bring. For one event loop."""

    def __init__(
        self, *, store: Store, policies: Policies, holdings: Holdings, room: Room, clock: Clock
    ) -> None:
        """Take the parts."""
        self._room = room
        self._store = store
        self._holdings = holdings
        self._policies = policies
        self._clock = clock
        self.turns = Turns(clock)

    async def observe(
        self,
        live: LiveTask,
        request: AccessRequest,
        chunk: Chunk,
        *,
        number: int,
        decision: str,
        look: Callable[[], None],
    ) -> None:
        """Take one chunk in; when this returns it may be released.

        `number` is that of the call among those of its task, `decision` the id of its decision. `look` raises
        where the call has been cut: it is asked whenever others have had a turn. Raises as the store does,
        and `Conflict` where what was read has been written to since, and is above the ceiling of every grant.
        """
        left: list[str] = []
        parts = brought(chunk, request.tool, left)
        if not parts and not left:
            return
        tool, classes = request.tool, self._policies.applied.bundle.classes
        await self._holdings.refresh(tool.upstream)
        look()
        label = live.label
        if (written := self._holdings.since(request, decision)) is not None:
            # What others wrote there since the call was described may be in the result.
            tool = self._holdings.stained(tool, written, classes)
            _check_ceilings(request, tool, classes)
        async with live.learning:
            taken = [(part, tool) for part in parts]
            if left:
                # It stands in no field, and may be read as any.
                worst = msgspec.structs.replace(tool, label=carries(tool, classes), fields=())
                taken.append((left, worst))
            for part, of in taken:
                seen: set[Label] = set()
                steps = live.index.learn(
                    part,
                    call=number,
                    decision=decision,
                    tool=of,
                    arguments=request.arguments,
                    given=request.flow.arguments,
                    read=request.flow.read,
                    marked=self._holdings.marks(tool.upstream),
                    seen=seen,
                )
                # A long result is taken in turns, so that it does not hold up the calls of others.
                await self.turns.take(steps, look)
                label = with_fields(label.join(of.label, classes), seen, classes)
        self._room.grew(live)
        rise = rising(live, label, request, classes, self._clock.now())
        if rise.changes or rise.events:
            whole = live.label
            try:
                await self._store.commit(Unit(rise.changes, rise.events, tenant=live.task.tenant))
            except BaseException:
                rise.lost()
                raise
            live.kept_label = whole
            look()
        if chunk.kind is ChunkKind.RESULT and not chunk.is_error and not left:
            await self._holdings.answered(request, decision, parts)
            look()


def _check_ceilings(request: AccessRequest, tool: Tool, classes: Classes) -> None:
    """Raise `Conflict` where what others wrote since a call was decided is above what each grant lets it
    give; `tool` is what is read as it is now.
    """
    rank, worst = classes.rank, carries(tool, classes).data_class
    if request.observed or any(
        all(rank(worst) <= rank(top) for top in grant.result_classes) for grant in request.grants
    ):
        return
    raise Conflict(
        "what this reads was written to since it was decided, and carries more than a grant lets it give",
        code="result-class",
        way_out="call again to see which",
    )


class Rise(msgspec.Struct, frozen=True):
    """What must be committed before anything that carries a label is released; `told` are the tasks of which
    `events` tell, each with what was told of it before, and by what it rose.
    """

    changes: tuple[Change, ...] = ()
    events: tuple[Event, ...] = ()
    told: tuple[tuple[LiveTask, Label, Label, str], ...] = ()

    def lost(self) -> None:
        """Note that the commit has not held, as far as is known: the next one tells of it again."""
        for one, before, after, by in self.told:
            if one.told_label is after:
                one.told_label, one.raised_by = before, one.raised_by or by


def rising(live: LiveTask, label: Label, request: AccessRequest, classes: Classes, at: datetime) -> Rise:
    """Join `label` into the task's; give what must be committed before anything that carries it is released.

    INVARIANT: what the store does not hold yet goes into each commit until one has held, whoever raised it:
    that one's commit may be under way, or refused. `LiveTask.kept_label` is set by whoever commits. The event
    goes into one commit, and into the next one where that is `lost`.
    """
    live.rise(label, classes)
    kept = live.kept_label.covers(live.label, classes)
    if kept and live.label == live.told_label:
        return Rise()
    changes: list[Change] = [] if kept else [RaiseLabel(live.task.id, live.label)]
    if live.task.lineage:
        # What a child has read can flow back to whoever handed the task down.
        changes.append(JoinLabels(live.task.tenant, live.task.ancestors, live.label, classes))
    for above in live.above():
        above.rise(live.label, classes)
    told = [one for one in (live, *live.above()) if one.label != one.told_label]
    raised = tuple((one, one.told_label, one.label, one.raised_by) for one in told)
    for one in told:
        one.told_label = one.label
    return Rise(tuple(changes), tuple(label_event(request, one, at) for one in told), raised)


def brought(chunk: Chunk, tool: Tool, left: list[str] | None = None) -> tuple[Json, ...]:
    """Give what a chunk brings, each part as the tool itself has it; what is not JSON as text.

    MCP writes a result as text (`content[].text`), as structure (`structuredContent`), or as both; a resource
    as `contents[].text`. The tool's own result comes first, what stands beside it after it. What is released
    and stands in no part, since a name is written twice, is added to `left`.
    """
    left = [] if left is None else left
    if chunk.method in _PIECES:
        return _of_reply(chunk, ReplyPiece(chunk.method), left)
    try:
        body = _parsed(chunk.body, left)
    except ValueError:
        return (chunk.body.decode(errors="replace"),)
    if not isinstance(body, dict):
        return (body,)
    if chunk.kind is ChunkKind.RESULT:
        return _unwrapped(body, tool, left)
    if chunk.kind is ChunkKind.NOTIFICATION:
        body = {name: value for name, value in body.items() if name not in _PACE}
    return (body,) if body else ()


def _of_reply(chunk: Chunk, piece: ReplyPiece, left: list[str]) -> tuple[Json, ...]:
    """Give what a piece of the answer of an HTTP API brings: nothing of it has another shape than its own."""
    if piece is ReplyPiece.HEAD:
        head = msgspec.json.decode(chunk.body, type=ReplyHead)
        said: dict[str, Json] = {**head.headers, "location": head.location}
        # The agent is told their names, which are the upstream's words, too.
        return ({**said, "left_out": list(head.left_out)},)
    if not chunk.body:
        return ()
    if piece is ReplyPiece.JSON:
        try:
            return (_parsed(chunk.body, left),)
        except ValueError:
            return (chunk.body.decode(errors="replace"),)
    texts, beside = read_piece(piece, chunk.body, chunk.before)
    left += beside
    return tuple(_read(text, left) for text in texts)


def _unwrapped(result: dict[str, Json], tool: Tool, left_out: list[str]) -> tuple[Json, ...]:
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
            found, left = _texts(blocks, left_out)
            texts += found
            if left:
                beside[name] = left
        elif blocks is not None:
            beside[name] = blocks
    written = texts[0] if len(texts) == 1 else texts
    parts = [] if own is None else [own]
    # The same in both forms is one result, not two.
    if texts and (own is None or own not in (written, texts)):
        parts.append(written)
    return (*parts, beside) if beside else tuple(parts)


def _texts(blocks: list[Json], left_out: list[str]) -> tuple[list[Json], list[Json]]:
    """Give what the text blocks hold, read where it is JSON, and all that is left of the blocks."""
    texts: list[Json] = []
    left: list[Json] = []
    for block in blocks:
        rest = block
        if isinstance(block, dict) and isinstance(block.get("text"), str):
            texts.append(_read(block["text"], left_out))
            rest = block.copy()
            del rest["text"]
            if rest.get("type") == "text":
                del rest["type"]
        if rest:
            left.append(rest)
    return texts, left


def _read(text: str, left: list[str]) -> Json:
    if text.lstrip()[:1] in ("{", "["):
        try:
            return _parsed(text.encode(), left)
        except ValueError:
            return text
    return text


def _parsed(written: bytes, left: list[str]) -> Json:
    """Read JSON; raises `ValueError` for what is none, or is nested without end.

    Of what holds too many values nothing is read: it is all `left`.
    """
    if len(written) <= MAX_AT_ONCE:
        found = orjson.loads(written)
    elif countless(written):
        if not is_json(written):
            raise ValueError("no JSON")
        left.append(written.decode(errors="replace"))
        return []
    else:
        try:
            # A third slower; but orjson takes twelve times the size of what it reads.
            found = msgspec.json.decode(written)
        except RecursionError:
            raise ValueError("nested without end") from None
    left += unread(written, found)
    return found
