# SPDX-License-Identifier: Apache-2.0
"""Step 8: what an upstream returned becomes known to the task before the agent receives it.

1. the fields that the task does not get are withheld (`services.flow.withheld_results`)
2. the wire format is removed, so that fields have the names that the tool's own result uses
3. each value enters the task's index, with the call, the tool and the field that it came from
4. the label of the result joins the task's label
5. INVARIANT: nothing is released before the label that it carries is durable. If that label cannot be
   committed, or a value cannot be indexed, the answer is not released

Notifications, errors and the lists of what an upstream offers are observed like results, because an agent may
read everything that is released.

INVARIANT: this is the only path from an upstream's words to an agent. What endpoints write is a `Delivery`,
and no other module makes one (`tests/architecture/test_upstream_bytes.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from remit.core.cooperative_steps import freeing_json
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.mediation import Chunk, ChunkKind, Delivery
from remit.core.errors import Conflict
from remit.core.evidence.event import Event
from remit.core.flow.records.json_parsing import MAX_AT_ONCE
from remit.core.flow.records.record import with_fields
from remit.core.json_value import Json
from remit.core.label import Classes, Label, Trust
from remit.core.tools.http_api import ReplyPiece
from remit.core.tools.tool import Tool
from remit.ports.runtime import Clock
from remit.ports.store.changes import Change, JoinLabels, RaiseLabel
from remit.ports.store.units import Unit, UnitStore
from remit.services.decisions.authorizer import carries, never_sees
from remit.services.decisions.call_events import label_event
from remit.services.flow.memory_limit import MemoryLimit
from remit.services.flow.stored_labels import StoredLabels
from remit.services.flow.tool_results import brought, in_numbers
from remit.services.flow.withheld_results import withholding, without_withheld
from remit.services.limits.time_slices import TimeSlices
from remit.services.policy.bundle import Policies
from remit.services.tasks.live_tasks import LiveTask

_PIECES: Final = frozenset(ReplyPiece)
#: Pieces that are cut at any position: this much of the previous piece is read again, for values across the
#: cut.
_CUT: Final = frozenset({ReplyPiece.TEXT, ReplyPiece.BYTES})
OVERLAP_BYTES: Final = 1024
#: Entries of a list that are indexed as one result; a result of 10,000 would be read in part only.
BATCH: Final = 500


class Observation:
    """The results of one call, as they are observed.

    `number` is the call's number in its task, 0 if no call brought the data; `decision` is the id of its
    decision. `look` raises if the call has been cut; it is called whenever other tasks may have run.
    """

    def __init__(
        self,
        live: LiveTask,
        request: AccessRequest,
        number: int,
        decision: str,
        look: Callable[[], None],
    ) -> None:
        """Begin without results."""
        self.live = live
        self.request = request
        self.number = number
        self.decision = decision
        self.look = look
        self.label = request.tool.label
        #: The end of what was released of a body that is cut at any position.
        self.before = b""
        #: The fields that were withheld, and whether a piece of a body was.
        self.withheld: dict[str, None] = {}
        self.piece_withheld = False

    def own(self, body: bytes, *, wants_input: bool = False, deferred: bool = False) -> Delivery:
        """Return a result that remit itself wrote, only from what was observed here before."""
        return Delivery(ChunkKind.RESULT, body, wants_input=wants_input, deferred=deferred, label=self.label)

    def delivered(self, chunk: Chunk) -> Delivery:
        """Return an observed chunk. INVARIANT: the fence is checked after the last await."""
        self.look()
        if chunk.method in _CUT:
            self.before = (self.before + chunk.body)[-OVERLAP_BYTES:]
        return Delivery(
            chunk.kind,
            chunk.body,
            chunk.method,
            chunk.is_error,
            chunk.wants_input,
            chunk.deferred,
            chunk.request_id,
            self.label,
        )


class Observer:
    """Observes the results of calls. For one event loop."""

    def __init__(
        self,
        *,
        store: UnitStore,
        policies: Policies,
        stored_labels: StoredLabels,
        room: MemoryLimit,
        clock: Clock,
        turns: TimeSlices,
    ) -> None:
        """Take the dependencies."""
        self._room = room
        self._store = store
        self._stored_labels = stored_labels
        self._policies = policies
        self._clock = clock
        self.turns = turns

    async def observe(self, of: Observation, chunk: Chunk) -> Delivery | None:
        """Observe one chunk; return what may be released of it, None for nothing.

        Raises what the store and `of.look` raise, and `Conflict` if what was read has been written to since
        and now exceeds the ceiling of every grant.
        """
        left: list[str] = []
        request = of.request
        chunk = in_numbers(chunk)
        own = request.tool
        if own.withholds:
            held = await self.turns.take(
                withholding(chunk, own, request.arguments, begun=of.piece_withheld), of.look
            )
            of.withheld |= dict.fromkeys(held.fields)
            of.piece_withheld = of.piece_withheld or (held.whole and chunk.method in _PIECES)
            if held.chunk is None or held.whole:
                # What is released is remit's own note, and the pace of the call.
                return None if held.chunk is None else of.delivered(held.chunk)
            chunk, own = held.chunk, without_withheld(own)
        parts = await self.turns.take(brought(chunk, own, left, of.before), of.look)
        if not parts and not left:
            return of.delivered(chunk)
        tool, classes = own, self._policies.applied.bundle.classes
        await self._stored_labels.refresh(tool.upstream)
        of.look()
        if (written := self._stored_labels.since(request, of.decision)) is not None:
            # The result may contain what other tasks wrote there since the call was described.
            tool = self._stored_labels.stained(tool, written, classes)
            self._check_ceilings(of, tool, classes)
        taken = [(part, tool) for part in parts]
        if left:
            # It belongs to no field, and may be read as any field.
            worst = msgspec.structs.replace(tool, label=carries(tool, classes), fields=())
            taken.append((left, worst))
        await self._take(of, taken, classes)
        if chunk.kind is ChunkKind.RESULT and not chunk.is_error and not left:
            await self._stored_labels.answered(request, of.decision, parts)
        if len(chunk.body) > MAX_AT_ONCE:
            unneeded = list(parts)
            del parts, taken
            await self.turns.take(freeing_json(unneeded), of.look, long=True)
        return of.delivered(chunk)

    async def listed(
        self, of: Observation, new: Sequence[Json], vouched: Sequence[str], body: bytes
    ) -> Delivery:
        """Observe the entries of a list that are new to a task; return the list, `body`.

        The entries carry the label of the tool that `of` is about. `vouched` are the addresses in entries for
        which an administrator vouches: they raise no label, and do not count as intent.
        """
        if not new and not vouched:
            return of.own(body)
        tool, classes = of.request.tool, self._policies.applied.bundle.classes
        await self._stored_labels.refresh(tool.upstream)
        of.look()
        if new and (written := self._stored_labels.since(of.request, of.decision)) is not None:
            tool = self._stored_labels.stained(tool, written, classes)
            self._check_ceilings(of, tool, classes)
        # Each batch is a separate result, because only a limited number of leaves is read of one result.
        taken = [(new[start : start + BATCH], tool) for start in range(0, len(new), BATCH)]
        if vouched:
            silent = msgspec.structs.replace(tool, label=Label(classes.bottom, trust=Trust.UNTRUSTED))
            async with of.live.learning:
                await self._learn(of, list(vouched), silent)
        if taken:
            await self._take(of, taken, classes)
        of.look()
        return of.own(body)

    def _check_ceilings(self, of: Observation, tool: Tool, classes: Classes) -> None:
        """Raise `Conflict` if writes since the decision raised the data above the ceiling of every grant, or
        above what the task sees.

        `tool` describes what is read in its current state.
        """
        request, rank, brought_in = of.request, classes.rank, carries(tool, classes)
        rules = never_sees(of.live, self._policies.applied.bundle)
        if request.observed or (
            any(
                all(rank(brought_in.data_class) <= rank(top) for top in grant.result_classes)
                for grant in request.grants
            )
            and not any(rule.covers(brought_in, classes) for rule in rules)
        ):
            return
        raise Conflict(
            "the data that this call reads has changed since the decision, and its label exceeds the grant",
            code="result-class",
            remediation="call again to see the reason",
        )

    async def _take(self, of: Observation, taken: Iterable[tuple[Json, Tool]], classes: Classes) -> None:
        """Observe values, each as a result of a tool; their label is durable when this returns."""
        live = of.live
        label = live.label
        async with live.learning:
            for part, tool in taken:
                seen = await self._learn(of, part, tool)
                carried = with_fields(tool.label, seen, classes)
                label = label.join(carried, classes)
                of.label = of.label.join(carried, classes)
        # Its tool may have been described while the call was in progress.
        label = self._stored_labels.as_described(label)
        self._room.grew(live)
        rise = rising(live, label, of.request, classes, self._clock.now())
        if rise.changes or rise.events:
            whole = live.label
            try:
                await self._store.commit(Unit(rise.changes, rise.events, tenant=live.task.tenant))
            except BaseException:
                rise.lost()
                raise
            live.kept_label = whole

    async def _learn(self, of: Observation, part: Json, tool: Tool) -> set[Label]:
        """Index one value; return the labels of the fields that occurred in it."""
        request = of.request
        seen: set[Label] = set()
        steps = of.live.index.learn(
            part,
            call=of.number,
            decision=of.decision,
            tool=tool,
            arguments=request.arguments,
            given=request.flow.arguments,
            read=request.flow.read,
            marked=self._stored_labels.marks(tool.upstream),
            seen=seen,
        )
        # A long result is read in time slices, so that it does not delay other calls.
        await self.turns.take(steps, of.look)
        return seen


class LabelRise(msgspec.Struct, frozen=True):
    """What must be committed before anything that carries a label is released.

    `told` are the tasks that `events` report: each with its label as reported before, its label as reported
    now, and the cause of the rise.
    """

    changes: tuple[Change, ...] = ()
    events: tuple[Event, ...] = ()
    told: tuple[tuple[LiveTask, Label, Label, str], ...] = ()

    def lost(self) -> None:
        """Note that the commit may have failed, so that the next one reports the rise again."""
        for one, before, after, by in self.told:
            if one.told_label is after:
                one.told_label, one.raised_by = before, one.raised_by or by


def rising(live: LiveTask, label: Label, request: AccessRequest, classes: Classes, at: datetime) -> LabelRise:
    """Join `label` into the task's label; return what must be committed before any data with it is released.

    INVARIANT: labels that the store does not hold yet go into each commit until one has succeeded, even if
    another call raised them: that call's commit may be in progress, or refused. The caller that commits sets
    `LiveTask.kept_label`. The event goes into one commit, and into the next one if the first is `lost`.
    """
    live.rise(label, classes)
    kept = live.kept_label.covers(live.label, classes)
    if kept and live.label.known == live.told_label.known:
        return LabelRise()
    changes: list[Change] = [] if kept else [RaiseLabel(live.task.id, live.label)]
    if live.task.lineage:
        # What a child task has read can flow back to the task that delegated to it.
        changes.append(JoinLabels(live.task.tenant, live.task.ancestors, live.label, classes))
    for above in live.above():
        above.rise(live.label, classes)
    told = [one for one in (live, *live.above()) if one.label.known != one.told_label.known]
    raised = tuple((one, one.told_label, one.label, one.raised_by) for one in told)
    for one in told:
        one.told_label = one.label
    return LabelRise(tuple(changes), tuple(label_event(request, one, at) for one in told), raised)
