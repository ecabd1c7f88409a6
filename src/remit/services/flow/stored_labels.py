# SPDX-License-Identifier: Apache-2.0
"""Stored labels: what tasks wrote to resources is read back with its label, by any task.

1. describe (`seen`): the label of what the call reads joins the label of its results, and the label of what
   the call passes on by id is checked against the audience's clearance
2. record (`writes`): a call with an effect stores the task's label where it writes, in the commit that
   permits it. INVARIANT: the label is in memory and in that commit before the call is sent
3. observe (`since`): labels that were written since then count as well, before the result is released
4. close (`answered`): if the result names the resource that was created, the label moves to it

A resource that is not in memory (`shelves`) never counts as clean: it is read, or the label of the whole
upstream counts.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.errors import Busy, Conflict
from remit.core.flow.stored_labels import (
    LOOSE,
    MAX_WRITERS,
    ROOT,
    UNDESCRIBED,
    CallLabels,
    ResourceWrite,
    StoredLabel,
    above,
    found_in,
    missing,
    named_by,
    resources,
    stained,
)
from remit.core.json_value import Json
from remit.core.label import Classes, Label, Trust, joined, worst
from remit.core.tools.assumed_labels import wrote_nothing
from remit.core.tools.tool import RESERVED_OPERATIONS, Argument, Effect, Tool, write_key
from remit.ports.runtime import Clock
from remit.ports.store.changes import Change, DropStoredLabel, PutStoredLabel
from remit.ports.store.replicas import CheckStoredLabels, Fleet
from remit.ports.store.stored_labels import StoredLabelStore
from remit.ports.store.units import Unit
from remit.services.flow.assumed_labels import AssumedLabels
from remit.services.flow.resource_labels import (
    MAX_LOOSE,
    ResourceLabels,
    UpstreamLabels,
    chosen_by_upstream,
    justified,
    mark,
    writers_of,
)
from remit.services.policy.bundle import Policies
from remit.services.tools.pinned_tools import ToolCatalogue

#: Resources of one upstream that have separate labels; writes to further ones count for the whole upstream.
MAX_RESOURCES = 200_000
#: Calls for which the writers of the data that they read are remembered.
MAX_REMEMBERED = 20_000


class StoredLabels:
    """Maintains stored labels. For one event loop."""

    def __init__(
        self,
        *,
        store: StoredLabelStore,
        policies: Policies,
        tools: ToolCatalogue,
        clock: Clock,
        tenant: str,
        fleet: Fleet | None = None,
        assumed_labels: AssumedLabels,
    ) -> None:
        """Take the dependencies; with a `fleet`, the writes of other replicas are read wherever they may
        count.
        """
        self._fleet = fleet
        self._assumed = assumed_labels
        self._turns: dict[str, int] = {}
        self._store = store
        self._policies = policies
        self._tools = tools
        self._clock = clock
        self._tenant = tenant
        self.shelves = ResourceLabels(store, tenant)
        self._wrote: OrderedDict[str, ResourceWrite] = OrderedDict()

    async def forget(self) -> None:
        """Delete all stored labels: for upstreams whose data was reset, while no call is in progress."""
        while rows := await self._store.stored_labels_under(self._tenant):
            drops = tuple(DropStoredLabel(self._tenant, one.upstream, one.resource) for one in rows)
            await self._store.commit(Unit(drops, tenant=self._tenant))
        self.shelves = ResourceLabels(self._store, self._tenant)
        self._wrote.clear()

    async def refresh(self, upstream: str) -> None:
        """Take in what other replicas have written to an upstream by now.

        INVARIANT: a write is committed before it is sent, so a refresh after a result covers everything that
        the result can carry.
        """
        if self._fleet is None:
            return
        if not self.shelves.loaded:
            await self.shelves.load()
        since = self._turns.get(upstream, self._fleet.began)
        found, upto = await self._fleet.stored_labels_since(upstream, since)
        classes = self._policies.applied.bundle.classes
        for one in found:
            self.shelves.take_in(one, classes)
        self._turns[upstream] = max(upto, self._turns.get(upstream, 0))

    def unchanged(self, request: AccessRequest) -> tuple[Change, ...]:
        """Return the check for the commit of a call that passes on stored data: nothing was written there
        since.
        """
        if self._fleet is None or request.rest.handed is None:
            return ()
        upstream = request.tool.upstream
        return (CheckStoredLabels(self._tenant, upstream, self._turns.get(upstream, self._fleet.began)),)

    # Step 3.

    async def seen(self, request: AccessRequest) -> AccessRequest:
        """Return the request with its crossings, and with the labels of what it reads and of what it passes
        on.
        """
        if self._wrote and request.flow.arguments and (through := self._through(request)):
            request = msgspec.structs.replace(request, rest=CallLabels(through=through))
        tool = request.tool
        if not self.shelves.loaded:
            await self.shelves.load()
        handing = tool.hands_over and handed_keys(tool, request.arguments)
        if handing:
            await self.refresh(tool.upstream)
        shelf = self.shelves.of(tool.upstream)
        if shelf is None and not handing:
            return request if not request.label.zones else self._crossing(request)
        classes = self._policies.applied.bundle.classes
        rest = request.rest
        if shelf is not None:
            found = await self._rest(shelf, tool, request.arguments, classes)
            rest = msgspec.structs.replace(found, through=rest.through)
        if handing:
            handed, moved, writers = await self._handed(tool, handing, request.arguments, classes)
            writers = tuple(dict.fromkeys((*rest.writers, *writers)))[:MAX_WRITERS]
            rest = msgspec.structs.replace(rest, handed=handed, moved=moved, writers=writers)
        cleared = request.cleared
        if rest.handed is not None:
            kept_in = "secret" in rest.handed.categories and tool.audience.name != "self"
            cleared = cleared and not kept_in and classes.cleared(tool.audience, rest.handed)
        if rest.label is not None:
            tool = self.stained(tool, rest.label, classes)
        request = msgspec.structs.replace(request, tool=tool, rest=rest, cleared=cleared)
        return self._crossing(request)

    def stained(self, tool: Tool, label: Label, classes: Classes) -> Tool:
        """Return a tool in its state while its upstream contains data with this label.

        See `core.flow.stored_labels.stained`.
        """
        shelf = self.shelves.of(tool.upstream)
        return stained(tool, label, classes, marked=shelf is not None and shelf.marks is not None)

    def as_described(self, label: Label) -> Label:
        """Return a label with what is assumed in it replaced by what descriptions say by now."""
        return self._assumed.read(label)

    def marks(self, upstream: str) -> AbstractSet[int]:
        """Return the marks of what untrusted calls have written to an upstream, as far as they are known."""
        return (shelf.marks if (shelf := self.shelves.of(upstream)) is not None else None) or frozenset()

    def _through(self, request: AccessRequest) -> dict[str, ResourceWrite]:
        """Return the writers of what earlier calls read, by the decisions of these calls.

        Only calls from which a value of this call came are included.
        """
        origins = (met for one in request.flow.arguments.values() for met in one.origins)
        return {met.decision: self._wrote[met.decision] for met in origins if met.decision in self._wrote}

    def _remember(self, decision: str, rest: CallLabels) -> None:
        if rest.writers:
            self._wrote[decision] = rest.writers[0]
            if len(self._wrote) > MAX_REMEMBERED:
                self._wrote.popitem(last=False)

    def _crossing(self, request: AccessRequest) -> AccessRequest:
        zones, into = request.label.zones, request.tool.label.zones
        if not zones:
            return request
        classes = self._policies.applied.bundle.classes
        return msgspec.structs.replace(
            request,
            crossings=request.label.crossings(into),
            max_crossings=classes.max_crossings(zones - into if into else frozenset()),
        )

    async def _rest(
        self, shelf: UpstreamLabels, tool: Tool, arguments: dict[str, Json], classes: Classes
    ) -> CallLabels:
        names = resources(tool.resource, arguments)
        if names:
            await self.shelves.fetch(tool.upstream, names)
        return self._now(shelf, tool, names, classes)

    def _now(self, shelf: UpstreamLabels, tool: Tool, names: tuple[str, ...], classes: Classes) -> CallLabels:
        """Return the stored labels where a call reads, from memory alone."""
        if not names and tool.effect is not Effect.NONE and tool.described:
            # It reads nothing that it does not name; its answer carries the label in its description.
            return CallLabels(version=shelf.version)
        # INVARIANT: a tool without a description may have read everything. Its own label is assumed and may
        # fall later; what was stored there by then must not fall with it.
        found, whole = self._reached(shelf, tool.upstream, names)
        labels = (one.all(classes) if one in whole else one.label for one in found)
        return CallLabels(
            label=joined((one and self._assumed.read(one) for one in labels), classes),
            writers=writers_of(found, whole),
            version=shelf.version,
        )

    def _reached(
        self, shelf: UpstreamLabels, upstream: str, names: tuple[str, ...]
    ) -> tuple[list[StoredLabel], list[StoredLabel]]:
        """Return the stored labels that a read of these resources meets, and those that it reads
        completely.
        """
        found: dict[str, StoredLabel] = {}
        whole: list[StoredLabel] = []
        for name in names or (ROOT,):
            for place in (*above(name), name) if name else (ROOT,):
                held = self.shelves.at(upstream, place)
                if held is None:
                    # No longer in memory: the upstream as a whole covers it.
                    return self._reached(shelf, upstream, ())
                if held.now is not None:
                    found[place] = held.now
                    if place == name:
                        whole.append(held.now)
        loose = [one.now for one in shelf.loose.values() if one.now is not None]
        found |= {one.resource: one for one in loose if self._wrote_something(one)}
        return list(found.values()), whole

    def _wrote_something(self, loose: StoredLabel) -> bool:
        """Return whether a loose write really was a write.

        A tool that had no description then may be described as a read by now.
        """
        name, _, digest = loose.resource.removeprefix(UNDESCRIBED).partition("@")
        return not wrote_nothing(self._tools.get(f"{loose.upstream}/{name}"), digest)

    async def _handed(
        self, tool: Tool, keys: tuple[str, ...], arguments: dict[str, Json], classes: Classes
    ) -> tuple[Label, Label | None, tuple[ResourceWrite, ...]]:
        """Return the label of what a call passes on by id, the stored part of it, and its writers.

        It joins the labels stored there and what is declared of that data (`_declared`).
        """
        beside = self._tools.of(tool.upstream)
        declared: list[Label] = []
        stored: list[Label] = []
        writers: tuple[ResourceWrite, ...] = ()
        shelf = self.shelves.of(tool.upstream)
        parts = tool.parts(arguments)
        for key in keys:
            names = named_by(parts[key], beside)
            declared.append(_declared(key, tool.arguments[key], beside, classes))
            if shelf is None:
                continue
            if names:
                await self.shelves.fetch(tool.upstream, names)
            found, whole = self._reached(shelf, tool.upstream, names)
            stored += [
                self._assumed.read(label)
                for one in found
                if (label := one.all(classes) if one in whole else one.label) is not None
            ]
            writers += writers_of(found, whole)
        return joined([*declared, *stored], classes) or worst(classes), joined(stored, classes), writers

    # Step 5.

    def writes(self, request: AccessRequest, decision: str, number: int) -> tuple[PutStoredLabel, ...]:
        """Store the task's label where a call writes; return the changes for the commit that permits the
        call.

        INVARIANT: labels that the store does not hold yet go into each commit until one has succeeded; `kept`
        reports which one. Raises `Busy` while a person declassifies data in the upstream, and `Conflict` if
        what a call passes on may have changed since it was described.
        """
        tool = request.tool
        shelf = self.shelves.of(tool.upstream)
        if request.rest.handed is not None and shelf is not None and shelf.version != request.rest.version:
            why = f"data was written to `{tool.upstream}` since the decision, and this call may share it"
            raise Conflict(why, code="label-rose", remediation="call again")
        self._remember(decision, request.rest)
        if tool.effect is Effect.NONE or (not tool.described and tool.name in RESERVED_OPERATIONS):
            return ()
        classes = self._policies.applied.bundle.classes
        label = request.label
        if label.trust is Trust.UNTRUSTED and tool.described and justified(request):
            # The data there is then exactly what the person stated or a trusted source provided.
            label = label.trusted()
        if not tool.described:
            label = label.join(_assumed_of_write(tool, classes), classes)
        names = resources(tool.resource, request.arguments) if tool.described else ()
        # Wherever a call puts data of this upstream, the same reads declare its label again; but a resource
        # with another name has other reads.
        moved = request.rest.moved
        if names and request.rest.handed is not None:
            keys = handed_keys(tool, request.arguments)
            moved = request.rest.handed if self._writes_elsewhere(tool, keys) else moved
        if moved is not None:
            label = label.join(moved, classes)
        if label.says_nothing(classes):
            return ()
        shelf = self.shelves.add(tool.upstream)
        if shelf.closed:
            raise Busy(f"a declassification of `{tool.upstream}` is in progress", remediation="call again")
        if label.trust is Trust.UNTRUSTED:
            mark(shelf, request)
        if any(
            self.shelves.at(tool.upstream, place) is None for name in names for place in (*above(name), name)
        ):
            names = ()
        by = ResourceWrite(
            upstream=tool.upstream,
            resource=", ".join(names)[:200],
            task=request.task.id,
            agent=request.agent.name,
            decision=decision,
            tool=tool.id,
            at=request.now,
            trust=label.trust,
            data_class=label.data_class,
            call=number,
        )
        if not names and len(shelf.loose) < MAX_LOOSE:
            if not tool.described:
                names = (_place_of_undescribed(tool),)
            elif chosen_by_upstream(tool, request.arguments):
                names = (LOOSE + decision,)
        return tuple(self._raise(shelf, names, label, by, classes))

    def _writes_elsewhere(self, tool: Tool, keys: tuple[str, ...]) -> bool:
        """Return whether a call that passes on data writes a named resource that is not that data itself.

        The resource is that data if it takes the value that is passed on, and a read has the same `resource`.
        """
        same = any(_place(key) in tool.resource for key in keys)
        reads = (one for one in self._tools.of(tool.upstream) if one.effect is Effect.NONE)
        return not (same and any(one.resource == tool.resource for one in reads))

    def _raise(
        self, shelf: UpstreamLabels, names: tuple[str, ...], label: Label, by: ResourceWrite, classes: Classes
    ) -> Iterable[PutStoredLabel]:
        places: dict[str, bool] = {}
        for name in names or (ROOT,):
            places[name] = False
            if name:
                places |= {place: True for place in above(name) if places.get(place) is not False}
        new = sum(self.shelves.place(by.upstream, place).now is None for place in places)
        if shelf.count + new > MAX_RESOURCES and names:
            places = {ROOT: False}
        rose = False
        # Named resources come before their containers.
        for place, below in sorted(places.items(), key=lambda one: one[1]):
            held = self.shelves.place(by.upstream, place)
            before = held.now
            shelf.count += before is None
            empty = StoredLabel(tenant=self._tenant, upstream=by.upstream, resource=place, changed=by.at)
            held.now = (before or empty).raised(label, by, classes, below=below, within=below and rose)
            rose = rose or held.now is not before
            if held.kept is not held.now:
                self.shelves.touch(shelf)
                yield PutStoredLabel(held.now, classes=classes if self._fleet is not None else None)

    def kept(self, changes: Iterable[PutStoredLabel]) -> None:
        """Note that a commit with these changes has succeeded; commits complete in the order of their
        submission.
        """
        for change in changes:
            held = self.shelves.at(change.stored_label.upstream, change.stored_label.resource)
            if held is not None:
                held.kept = change.stored_label

    # Steps 8 and 9.

    def since(self, request: AccessRequest, decision: str) -> Label | None:
        """Return the label that a result carries because of writes since the call was described."""
        shelf = self.shelves.of(request.tool.upstream)
        if shelf is None or shelf.version == request.rest.version:
            return None
        classes = self._policies.applied.bundle.classes
        names = resources(request.tool.resource, request.arguments)
        now = self._now(shelf, request.tool, names, classes)
        self._remember(decision, now)
        return now.label

    async def answered(self, request: AccessRequest, decision: str, parts: Iterable[Json]) -> None:
        """Move the label of a write to the resource that its result names, if it names exactly one.

        Until then, the write counts for everything in the upstream; so does a write whose result names no
        resource.
        """
        shelf = self.shelves.of(request.tool.upstream)
        held = shelf.loose.get(LOOSE + decision) if shelf is not None else None
        if shelf is None or held is None or held.now is None or held.now.label is None:
            return
        tool = request.tool
        wanted = missing(tool, request.arguments)
        values: dict[str, str] = {}
        for part in parts:
            for name, value in found_in(part, wanted, request.arguments).items():
                if values.setdefault(name, value) != value:
                    return
        names = resources(tool.resource, {**request.arguments, **values})
        if len(names) != 1:
            return
        await self.shelves.fetch(tool.upstream, names)
        if shelf.closed or shelf.loose.get(LOOSE + decision) is not held:
            return
        classes = self._policies.applied.bundle.classes
        by = msgspec.structs.replace(held.now.writers[0], resource=names[0])
        changes: list[Change] = list(self._raise(shelf, names, held.now.label, by, classes))
        changes.append(DropStoredLabel(self._tenant, tool.upstream, LOOSE + decision))
        # Memory first, so that concurrent reads find the label. If this commit fails, the store still has it
        # as loose.
        del shelf.loose[LOOSE + decision]
        shelf.count -= 1
        self.shelves.touch(shelf)
        self._moved(Unit(tuple(changes), tenant=self._tenant))

    def _moved(self, unit: Unit) -> None:
        future = asyncio.ensure_future(self._store.submit(unit))

        def done(finished: asyncio.Future[Any]) -> None:
            if not finished.cancelled() and finished.exception() is None:
                self.kept(one for one in unit.changes if isinstance(one, PutStoredLabel))

        future.add_done_callback(done)


def _assumed_of_write(tool: Tool, classes: Classes) -> Label:
    """Return what is assumed of what a tool without a description writes: the worst case.

    With an unreviewed surface it is known, because no description is about that surface.
    """
    keys = frozenset({write_key(tool)}) if tool.label.assumed is not None else frozenset[str]()
    return worst(classes).assuming(Label(classes.bottom), keys)


def _place_of_undescribed(tool: Tool) -> str:
    """Return the name of what a tool without a description wrote with its current surface."""
    digest = tool.surface_digest if tool.label.assumed is not None else "unreviewed"
    return f"{UNDESCRIBED}{tool.name}@{digest}" if digest else UNDESCRIBED + tool.name


def handed_keys(tool: Tool, arguments: dict[str, Json]) -> tuple[str, ...]:
    """Return the keys of the arguments with which a call passes on stored data; empty where it has none."""
    parts = tool.parts(arguments)
    return tuple(key for key, spec in tool.arguments.items() if spec.hands_over and parts.get(key, []) != [])


def _declared(key: str, argument: Argument, beside: Iterable[Tool], classes: Classes) -> Label:
    """Return what is declared of the data that an argument passes on.

    It is the class that the argument names. Otherwise it joins the labels of the reads whose `resource` takes
    a value of this name (`file/{file_id}` for `attachments[].file_id`), or of all reads of the upstream.
    """
    if argument.handed_class:
        return Label(argument.handed_class)
    reads = [one for one in beside if one.described and one.effect is Effect.NONE]
    of_this = [one for one in reads if _place(key) in one.resource]
    labels = (
        label for one in of_this or reads for label in (one.label, *(field.label for field in one.fields))
    )
    return joined(labels, classes) or worst(classes)


def _place(key: str) -> str:
    """Return the place of an argument's value in a template: `{file_id}` for `attachments[].file_id`."""
    return f"{{{key.rpartition('.')[2].removesuffix('[]')}}}"
