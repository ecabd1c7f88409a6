# SPDX-License-Identifier: Apache-2.0
"""Causal chains of calls across calls, tasks and agents, derived from the evidence alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from remit.core.errors import NotFound
from remit.core.evidence.chain import Chain, traced
from remit.core.evidence.event import EventKind
from remit.core.json_value import Json
from remit.services.evidence.log import Evidence, readable

PAGE = 1000
#: Decisions that are searched, newest first, for one of which only the id is known.
MOST_DECISIONS = 50_000
#: Events of one task that a chain reads.
MOST_EVENTS = 100_000

#: Kinds of events that a trace reads.
_TRACED = (
    EventKind.TASK_OPENED.value,
    EventKind.DECISION_MADE.value,
    EventKind.APPROVAL_DECIDED.value,
    EventKind.DATA_READ.value,
    EventKind.ACTION_EXECUTED.value,
)
_WAY_OUT = "give a task, the id of a decision (`dec_...`), or the index of its event (`remit audit log`)"


class Chains:
    """Traces the chains of calls."""

    def __init__(self, evidence: Evidence) -> None:
        """Take the evidence log."""
        self._evidence = evidence

    async def of(self, name: str, *, most: int = MOST_EVENTS) -> Chain:
        """Return what led to a call; raise `NotFound`, also for one after `most` events of its task.

        The call is named by the id of its decision, by the index of the decision's event, or by a task, whose
        last refused call is meant.
        """
        task, decision = await self._call(name)
        tracing = traced(task, decision)
        try:
            wanted = next(tracing)
            while True:
                wanted = tracing.send(await self._events(wanted, most))
        except StopIteration as stop:
            chain: Chain = stop.value
            return chain

    async def _call(self, name: str) -> tuple[str, str]:
        """Return the task and the decision; an empty decision means the task's last refused call."""
        if name.isascii() and name.isdigit() and len(name) < 16:
            return _decided(readable(await self._evidence.entry(int(name))))
        if name.startswith("tsk_"):
            return name, ""
        if not name.startswith("dec_"):
            raise NotFound(f"`{name[:80]}` is neither a call nor a task", remediation=_WAY_OUT)
        before: int | None = 2**53 - 1
        looked = 0
        while before and looked < MOST_DECISIONS:
            page = await self._evidence.pages(
                before=before, limit=PAGE, kinds=(EventKind.DECISION_MADE.value,)
            )
            for entry in reversed(page):
                record = readable(entry)
                if record.get("call") == name:
                    return _decided(record)
            looked += len(page)
            before = page[0].index if page else None
        raise NotFound(f"decision `{name[:80]}` does not exist", remediation=_WAY_OUT)

    async def _events(self, task: str, most: int) -> Sequence[Mapping[str, Json]]:
        found: list[Mapping[str, Json]] = []
        start = 0
        while len(found) < most:
            page = await self._evidence.pages(start=start, limit=PAGE, task=task, kinds=_TRACED)
            found += [readable(entry) for entry in page]
            if len(page) < PAGE:
                break
            start = page[-1].index + 1
        return found


def _decided(record: Mapping[str, Json]) -> tuple[str, str]:
    if record.get("kind") != EventKind.DECISION_MADE.value or not record.get("task"):
        raise NotFound("the event is not a decision", remediation=_WAY_OUT)
    return str(record["task"]), str(record["call"])
