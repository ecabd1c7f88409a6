# SPDX-License-Identifier: Apache-2.0
"""Declassification: a recorded act of a named person on a task, or on the data in a resource.

1. the person is an approver, but neither the person behind the task nor the person who requested it
2. the person gives a reason and the digest of what they reviewed: if that has changed since, nothing is
   lowered
3. no call that could carry more is in progress: it could have been decided under the old label, and leave its
   data under the new one
4. the new label and the event that records it are one commit

Declassification lowers the label of existing data. What is read or written afterwards raises the label again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from remit.core.canonical import digest
from remit.core.errors import ChangedMeanwhile, ConfigInvalid, Conflict, Forbidden, Malformed, NotFound
from remit.core.evidence.event import Event
from remit.core.evidence.events.flow import LabelLowered
from remit.core.flow.stored_labels import LOOSE, ROOT, StoredLabel, above, normal, whole
from remit.core.identity.principals import Person, Role
from remit.core.label import Classes, Label, Lowering, joined
from remit.core.tasks.task import Task, TaskState
from remit.core.tools.tool import Effect
from remit.ports.runtime import Clock
from remit.ports.store.changes import Change, PutStoredLabel, PutTask, RaiseLabel
from remit.ports.store.combined import TasksAndSignIn
from remit.ports.store.stored_labels import StoredLabelStore
from remit.ports.store.units import Unit
from remit.services.flow.assumed_labels import AssumedLabels
from remit.services.flow.resource_labels import UpstreamLabels
from remit.services.flow.stored_labels import StoredLabels
from remit.services.policy.bundle import Policies
from remit.services.separation.sign_in_methods import is_behind
from remit.services.tasks.live_tasks import LiveTask, LiveTasks
from remit.services.tasks.tasks import Tasks

MAX_REASON_CHARS = 2_000
#: Resources of an upstream that are searched when one of them is declassified.
MAX_AT_ONCE = 20_000


def task_digest(task: Task) -> str:
    """Return the digest of a task's current label, which a person reviews before they declassify the task."""
    return digest({"task": task.id, "label": task.label.facts})


class _Rooms(StoredLabelStore, TasksAndSignIn, Protocol):
    """The store interfaces that declassifications read and change."""


class Declassifications:
    """Lowers labels. For one event loop."""

    def __init__(
        self,
        *,
        store: _Rooms,
        clock: Clock,
        policies: Policies,
        live: LiveTasks,
        tasks: Tasks,
        stored_labels: StoredLabels,
        assumed_labels: AssumedLabels,
        tenant: str,
        second_person: bool,
    ) -> None:
        """Take the dependencies.

        With `second_person`, two people count as one if the same administrator admitted both by sign-in
        codes.
        """
        self._store = store
        self._clock = clock
        self._policies = policies
        self._live = live
        self._tasks = tasks
        self._stored_labels = stored_labels
        self._assumed = assumed_labels
        self._tenant = tenant
        self._second_person = second_person

    async def task(self, task_id: str, lowering: Lowering, person: Person, *, reason: str, seen: str) -> Task:
        """Lower the label of an active task; `seen` is the digest of what the person reviewed.

        Raises `NotFound`, `Forbidden`, `Malformed`, or `Conflict` if the task has changed, has calls in
        progress, or has delegated tasks that carry more.
        """
        live = await self._live.load(task_id)
        self._live.check(live, self._clock.now())
        await self._check(person, reason, (live.task,))
        if live.lowering:
            raise Conflict(f"another person is declassifying `{task_id}`", remediation="review it again")
        live.lowering = True
        try:
            # Concurrent additions to the task's intent or plan must not be undone.
            async with self._tasks.changing(task_id):
                return await self._lower_task(live, lowering, person, reason, seen)
        finally:
            live.lowering = False

    async def _lower_task(
        self, live: LiveTask, lowering: Lowering, person: Person, reason: str, seen: str
    ) -> Task:
        _, *children = await self._store.with_descendants(self._tenant, live.task.id)
        before, classes = live.label, self._classes
        _check_seen(task_digest(msgspec.structs.replace(live.task, label=before)), seen)
        lowered = self._lowered(lowering, before)
        # Step 3.
        if live.open_calls or live.in_hand:
            raise Conflict(f"task `{live.task.id}` has calls in progress", remediation="wait for them to end")
        for child in children:
            held = self._live.get(child.id)
            label = held.label if held is not None else child.label
            if child.state is TaskState.ACTIVE and not lowered.covers(label, classes):
                raise Conflict(
                    f"child task `{child.id}` has a higher label",
                    remediation="declassify or end the child task first",
                )
        now = self._clock.now()
        task = msgspec.structs.replace(live.task, label=lowered, lowered=now)
        told = LabelLowered(
            what="task",
            data_class=lowered.data_class,
            trust=lowered.trust,
            categories=sorted(lowered.categories),
            zones=sorted(lowered.zones),
            was=before.facts,
            reason=reason,
            by=person.name,
        )
        event = Event.of(
            told, at=now, tenant=self._tenant, task=task.id, agent=task.agent, subject=person.name
        )
        changes = (PutTask(task, expected=TaskState.ACTIVE), RaiseLabel(task.id, lowered))
        await self._store.commit(Unit(changes, (event,)))
        raised = live.label != before
        self._live.replace(task)
        live.label = live.kept_label = live.told_label = lowered
        if raised:
            # A delegated task has read more in the meantime.
            self._live.gather(live)
            await self._store.commit(Unit((RaiseLabel(task.id, live.label),), tenant=self._tenant))
        return msgspec.structs.replace(task, label=live.label)

    async def listed(self, upstream: str = "", prefix: str = "", limit: int = 1000) -> list[StoredLabel]:
        """Return the stored labels of resources as they are read, by upstream and name."""
        found = await self._stored(upstream, prefix, limit)
        return [self._assumed.read_stored(one) for one in found]

    async def _stored(self, upstream: str, prefix: str, limit: int) -> list[StoredLabel]:
        await self._store.commit(Unit(tenant=self._tenant))
        return await self._store.stored_labels_under(
            self._tenant, upstream=upstream, prefix=prefix, limit=limit
        )

    async def get(self, upstream: str, resource: str) -> StoredLabel:
        """Return the stored label of one resource as it is read, by any spelling of its name.

        Raises `NotFound`.
        """
        await self._store.commit(Unit(tenant=self._tenant))
        names = dict.fromkeys((resource, normal(resource) or resource))
        found = await self._store.stored_labels(self._tenant, upstream, list(names))
        if resource == ROOT:
            loose = await self._store.stored_labels_under(
                self._tenant, upstream=upstream, prefix=LOOSE, limit=MAX_AT_ONCE
            )
            one = whole([self._assumed.read_stored(one) for one in (*found, *loose)], self._classes)
            found = [one] if one is not None else []
        if not found:
            what = f"`{resource[:80]}` of `{upstream[:80]}`" if resource else f"`{upstream[:80]}`"
            raise NotFound(f"{what} has no stored label", remediation="see `remit data list`")
        return self._assumed.read_stored(found[0])

    async def resource(
        self,
        upstream: str,
        resource: str,
        lowering: Lowering,
        person: Person,
        *,
        reason: str,
        seen: str,
    ) -> StoredLabel:
        """Lower the label of a resource and of everything in it; an empty name means the upstream as a whole.

        `seen` is the digest of what the person reviewed. Raises as `task` does.
        """
        if not self._stored_labels.shelves.loaded:
            await self._stored_labels.shelves.load()
        found = await self.get(upstream, resource)
        await self._check_writers(person, reason, (found,))
        self._lowered(lowering, found.all(self._classes))
        shelf = self._stored_labels.shelves.of(upstream)
        if shelf is None or shelf.closed:
            raise Conflict(
                f"another declassification of `{upstream}` is in progress", remediation="review it again"
            )
        shelf.closed = True
        try:
            return await self._lower_resource(shelf, found, lowering, person, reason, seen)
        finally:
            shelf.closed = False

    async def _lower_resource(
        self,
        shelf: UpstreamLabels,
        found: StoredLabel,
        lowering: Lowering,
        person: Person,
        reason: str,
        seen: str,
    ) -> StoredLabel:
        upstream, resource = found.upstream, found.resource
        # Step 3. Nothing is written from here on, and everything written before is in the store.
        self._check_idle(upstream)
        kept = {one.resource: one for one in await self._stored(upstream, "", MAX_AT_ONCE + 1)}
        rows = {name: self._assumed.read_stored(one) for name, one in kept.items()}
        was = self._standing(resource, rows)
        _check_seen(was.digest if was is not None else "", seen)
        assert was is not None
        if len(rows) > MAX_AT_ONCE:
            raise Malformed(
                f"`{upstream}` has more than {MAX_AT_ONCE} resources with labels",
                remediation="describe its tools with fewer resources",
            )
        self._check_written(upstream, kept)
        now = self._clock.now()
        inside = [one for one in rows if not resource or one == resource or one.startswith(f"{resource}/")]
        await self._check_writers(person, reason, [rows[name] for name in inside])
        new = {name: rows[name].lowered_by(lowering, self._classes, now) for name in inside}
        for place in reversed(above(resource)) if resource else ():
            if place in rows:
                new[place] = _counted_anew(rows[place], rows | new, self._classes)
        changed = {name: one for name, one in new.items() if one != rows[name]}
        left = self._standing(resource, rows | new)
        assert left is not None
        event = self._told(was, left, len(inside), person, reason)
        changes: tuple[Change, ...] = tuple(
            PutStoredLabel(one, was=kept[name]) for name, one in changed.items()
        )
        await self._store.commit(Unit(changes, (event,)))
        for name, one in changed.items():
            held = self._stored_labels.shelves.place(upstream, name)
            held.now = held.kept = one
        self._stored_labels.shelves.touch(shelf)
        return left

    def _standing(self, resource: str, rows: Mapping[str, StoredLabel]) -> StoredLabel | None:
        return whole(rows.values(), self._classes) if resource == ROOT else rows.get(resource)

    def _told(self, was: StoredLabel, now: StoredLabel, count: int, person: Person, reason: str) -> Event:
        before = was.all(self._classes)
        left = now.all(self._classes) or Label(self._classes.bottom)
        told = LabelLowered(
            what="resource",
            upstream=now.upstream,
            resources=count,
            data_class=left.data_class,
            trust=left.trust,
            categories=sorted(left.categories),
            zones=sorted(left.zones),
            was=before.facts if before is not None else None,
            reason=reason,
            resource=now.resource,
            by=person.name,
        )
        return Event.of(told, at=now.changed, tenant=self._tenant, subject=person.name)

    def _check_idle(self, upstream: str) -> None:
        for live in self._live.all():
            for call in live.in_hand:
                if call.tool.startswith(f"{upstream}/") and call.effect != Effect.NONE.value:
                    raise Conflict(
                        f"a call that writes to `{upstream}` is in progress", remediation="wait for it to end"
                    )

    def _check_written(self, upstream: str, rows: dict[str, StoredLabel]) -> None:
        for name, row in rows.items():
            held = self._stored_labels.shelves.at(upstream, name)
            if held is not None and held.now is not None and held.now != row:
                raise Conflict(f"the labels of `{upstream}` are not all stored yet", remediation="try again")

    @property
    def _classes(self) -> Classes:
        return self._policies.applied.bundle.classes

    def _lowered(self, lowering: Lowering, label: Label | None) -> Label:
        try:
            lowered = lowering.of(label or Label(self._classes.bottom), self._classes)
        except ConfigInvalid as fault:
            raise Malformed(fault.message, code="class", remediation=fault.remediation) from None
        if label is None or lowered == label:
            raise Malformed(
                "this would lower nothing", remediation="give a lower class, or declare the data trusted"
            )
        return lowered

    async def _check_writers(self, person: Person, reason: str, found: Iterable[StoredLabel]) -> None:
        """Steps 1 and 2, for each task that is recorded as a writer."""
        names = dict.fromkeys(one.task for stored_label in found for one in stored_label.writers)
        tasks = [await self._store.task(self._tenant, name) for name in names]
        await self._check(person, reason, tuple(one for one in tasks if one is not None))

    async def _check(self, person: Person, reason: str, tasks: tuple[Task, ...]) -> None:
        """Steps 1 and 2."""
        if Role.APPROVER not in person.roles or not person.active:
            raise Forbidden(
                f"`{person.name}` is not an approver", remediation="ask someone with the role approver"
            )
        now = self._clock.now()
        for task in tasks:
            if person.name in (task.on_behalf_of, task.intent.requested_by):
                raise Forbidden(
                    f"task `{task.id}` is for `{person.name}`, who cannot declassify its data",
                    code="own-data",
                    remediation="ask another approver",
                )
            if await is_behind(self._store, task, person.name, now, second_person=self._second_person):
                raise Forbidden(
                    f"`{person.name}` may be the person of task `{task.id}`, because of a sign-in code",
                    code="code-maker",
                    remediation="ask another approver",
                )
        if not reason.strip() or len(reason) > MAX_REASON_CHARS:
            raise Malformed(
                f"the reason has 1 to {MAX_REASON_CHARS} characters", remediation="give a short reason"
            )


def _check_seen(now: str, seen: str) -> None:
    if now != seen:
        raise ChangedMeanwhile(
            "the digest does not match the current state",
            code="digest-mismatch",
            remediation="review it again",
        )


def _counted_anew(stored_label: StoredLabel, rows: dict[str, StoredLabel], classes: Classes) -> StoredLabel:
    """Return the label of a container, recalculated from everything in it."""
    inside = f"{stored_label.resource}/" if stored_label.resource != ROOT else ""
    found = [
        one
        for name, one in rows.items()
        if name != stored_label.resource and name.startswith(inside) and not name.startswith(LOOSE)
    ]
    known = {one.decision for row in found for one in row.writers}
    writers = tuple(
        one for one in stored_label.writers if stored_label.label is not None or one.decision in known
    )
    below = joined((one.label for one in found), classes)
    return msgspec.structs.replace(stored_label, below=below, writers=writers)
