# SPDX-License-Identifier: Apache-2.0
"""Assumed labels are recomputed when tools are described, or when a description is withdrawn.

1. what descriptions say (`core.tools.assumed_labels.said_by`) is collected whenever the tools have changed
2. INVARIANT: what no longer holds counts as the worst case again at once
3. each stored label and each bound task whose label this changes gets an event, in one commit with what was
   said
4. only then are labels read by it

Stored labels keep what was learnt, and are recomputed when they are read: so a corrected description
corrects them again, and a replica or a process that starts reads them by the bundle that it serves. The label
of a bound task is replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

import msgspec

from remit.core.evidence.event import Event
from remit.core.evidence.events.flow import LabelLowered, LabelRaised
from remit.core.flow.stored_labels import StoredLabel
from remit.core.label import Classes, Label
from remit.core.tasks.task import Task, TaskState
from remit.core.tools.assumed_labels import as_described, facts_of, said_by, tools_in
from remit.core.tools.tool import Tool
from remit.ports.runtime import Clock
from remit.ports.store.changes import PutValue
from remit.ports.store.stored_labels import StoredLabelStore
from remit.ports.store.tasks import TaskStore
from remit.ports.store.units import Unit
from remit.services.policy.bundle import Policies
from remit.services.tasks.live_task import LiveTask

#: What descriptions said when labels were last recomputed.
SAID_KEY: Final = "labels.described"
#: Resources of one upstream, and tasks, for which a recomputation is reported; all of them are recomputed.
MAX_REPORTED: Final = 20_000


class _Rooms(StoredLabelStore, TaskStore, Protocol):
    """The store interfaces that labels are read from."""


class _Tools(Protocol):
    """The registered tools."""

    def all(self) -> list[Tool]:
        """Return all registered tools."""


class _Bound(Protocol):
    """The bound tasks."""

    def all(self) -> list[LiveTask]:
        """Return every bound task."""


class AssumedLabels:
    """Reads labels as the descriptions in force say. For one event loop."""

    def __init__(
        self,
        *,
        store: _Rooms,
        policies: Policies,
        tools: _Tools,
        live: _Bound,
        clock: Clock,
        tenant: str,
    ) -> None:
        """Begin with no description: everything that is assumed counts as the worst case."""
        self._store = store
        self._policies = policies
        self._tools = tools
        self._live = live
        self._clock = clock
        self._tenant = tenant
        self._said: dict[str, Label] = {}

    def read(self, label: Label) -> Label:
        """Return a label with what is assumed in it replaced by what descriptions say."""
        if label.assumed is None:
            return label
        return as_described(label, self._said, self._policies.applied.bundle.classes)

    def read_stored(self, one: StoredLabel) -> StoredLabel:
        """Return a stored label as it is read."""
        label = one.label and self.read(one.label)
        return msgspec.structs.replace(one, label=label, below=one.below and self.read(one.below))

    async def recompute(self) -> None:
        """Apply the descriptions in force to what was learnt before; record each change."""
        bundle = self._policies.applied.bundle
        classes = bundle.classes
        fresh = said_by(self._tools.all(), bundle.instructions, classes)
        if fresh == self._said:
            return
        # Step 2.
        self._said = {key: label for key, label in self._said.items() if fresh.get(key) == label}
        found = await self._store.values(self._tenant, SAID_KEY)
        before = {key: one.known_to(classes) for key, one in _read(found).items()}
        rows = await self._assuming()
        bound = [one for one in self._live.all() if one.label.assumed is not None]
        resting = await self._resting()
        labels = _labels(rows, (*(one.label for one in bound), *(one.label for one in resting)))
        now = facts_of(fresh, {key for label in labels for key in label.assumed_tools})
        if before != now:
            events = [
                *self._of_rows(rows, before, now, classes),
                *self._of_bound(bound, now, classes),
                *self._of_resting(resting, before, now, classes),
            ]
            told = PutValue(self._tenant, SAID_KEY, msgspec.to_builtins(now))
            await self._store.commit(Unit((told,), tuple(events), tenant=self._tenant))
        self._said = fresh
        for one in self._live.all():
            one.label = one.told_label = self.read(one.label)

    async def _assuming(self) -> list[StoredLabel]:
        """Return the stored labels of which a part is assumed."""
        await self._store.commit(Unit(tenant=self._tenant))
        rows: list[StoredLabel] = []
        for upstream in await self._store.stored_label_counts(self._tenant):
            found = await self._store.stored_labels_under(self._tenant, upstream=upstream, limit=MAX_REPORTED)
            rows += [one for one in found if _labels((one,), ())]
        return rows

    async def _resting(self) -> list[Task]:
        """Return the active tasks that are not bound here, and of whose label a part is assumed."""
        bound = {one.task.id for one in self._live.all()}
        found = await self._store.tasks(self._tenant, state=TaskState.ACTIVE, limit=MAX_REPORTED)
        return [one for one in found if one.id not in bound and one.label.assumed is not None]

    def _of_rows(
        self,
        rows: Iterable[StoredLabel],
        before: Mapping[str, Label],
        now: Mapping[str, Label],
        classes: Classes,
    ) -> Iterable[Event]:
        for row in rows:
            label = row.all(classes)
            assert label is not None
            was, new = as_described(label, before, classes), as_described(label, now, classes)
            if was.known != new.known:
                yield self._told(was, new, label, classes, row=row)

    def _of_bound(
        self, bound: Iterable[LiveTask], now: Mapping[str, Label], classes: Classes
    ) -> Iterable[Event]:
        for one in bound:
            new = as_described(one.label, now, classes)
            if new.known != one.told_label.known:
                yield self._told(one.told_label, new, one.label, classes, task=one.task)

    def _of_resting(
        self, tasks: Iterable[Task], before: Mapping[str, Label], now: Mapping[str, Label], classes: Classes
    ) -> Iterable[Event]:
        for one in tasks:
            was, new = (as_described(one.label, said, classes) for said in (before, now))
            if new.known != was.known:
                yield self._told(was, new, one.label, classes, task=one)

    def _told(
        self,
        was: Label,
        new: Label,
        label: Label,
        classes: Classes,
        *,
        row: StoredLabel | None = None,
        task: Task | None = None,
    ) -> Event:
        """Return the event of a label that a description has changed."""
        shared: dict[str, Any] = {
            "data_class": new.data_class,
            "trust": new.trust,
            "categories": sorted(new.categories),
            "zones": sorted(new.zones),
            "described": tools_in(label.assumed_tools),
            "upstream": row.upstream if row is not None else "",
            "resource": row.resource if row is not None else msgspec.UNSET,
        }
        body: LabelLowered | LabelRaised
        if was.known.covers(new.known, classes):
            body = LabelLowered(what="task" if row is None else "resource", was=was.facts, **shared)
        else:
            body = LabelRaised(by="", **shared)
        at = self._clock.now()
        if task is None:
            return Event.of(body, at=at, tenant=self._tenant)
        return Event.of(body, at=at, tenant=self._tenant, task=task.id, agent=task.agent)


def _labels(rows: Iterable[StoredLabel], others: Iterable[Label]) -> list[Label]:
    """Return the labels of which a part is assumed."""
    found = [label for row in rows for label in (row.label, row.below)] + [*others]
    return [one for one in found if one is not None and one.assumed is not None]


def _read(found: list[object]) -> dict[str, Label]:
    return msgspec.convert(found[0], dict[str, Label]) if found and found[0] is not None else {}
