# SPDX-License-Identifier: Apache-2.0
"""What is held in memory of labels at rest, and what one call means for them.

The store is the truth; of several replicas each takes in what the others have written (`take_in`) before it
counts on what is held here.

A known resource costs no read of the database, and an upstream to which nothing with a label was written
costs one look into a dictionary. What upstreams as wholes hold is always here once it was loaded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from itertools import count

from remit.core.decisions.access_request import AccessRequest
from remit.core.flow.argument_narrowing import given
from remit.core.flow.justification import leaves
from remit.core.flow.stored_labels import LOOSE, MAX_WRITERS, ROOT, ResourceWrite, StoredLabel, above, missing
from remit.core.flow.values.marks import MAX_MARKED_CHARS, MAX_MARKS, marks_of
from remit.core.flow.values.normal_text import size
from remit.core.json_value import Json
from remit.core.label import Classes, Trust
from remit.core.tools.tool import ArgumentRole, Tool
from remit.ports.store.stored_labels import StoredLabelStore

#: Resources held in memory; the least recently used are dropped first, and read again.
CAPACITY = 50_000
#: Writes to one upstream whose resource is not known yet; further ones count for the whole upstream.
MAX_LOOSE = 200


class HeldLabel:
    """The label of one resource: its current state, and the state that the store is known to hold."""

    __slots__ = ("kept", "now")

    def __init__(self, stored_label: StoredLabel | None) -> None:
        """Begin with the state of the store."""
        self.now = stored_label
        self.kept = stored_label


class UpstreamLabels:
    """The labels of one upstream: of the upstream as a whole, and of writes whose resource is not known yet.

    `count` is the number of its resources in the store. `version` changes with each of its labels; a process
    uses no version twice. `complete` states that what is not in memory is not in the store either. While it
    is `closed`, nothing may be written.
    """

    def __init__(self, version: int) -> None:
        """Begin empty."""
        self.root = HeldLabel(None)
        self.loose: dict[str, HeldLabel] = {}
        self.count = 0
        self.version = version
        self.complete = True
        self.closed = False
        #: Marks of the values that untrusted calls wrote there; None if these values are not known.
        self.marks: set[int] | None = set()

    def mark(self, texts: Iterable[str]) -> None:
        """Record marks of values that untrusted calls write there."""
        if self.marks is not None:
            left = MAX_MARKED_CHARS
            for text in texts:
                left -= size(text, left)
                if left < 0 or len(self.marks) > MAX_MARKS:
                    self.marks = None
                    return
                self.marks.update(marks_of(text))


_NOTHING = HeldLabel(None)


class ResourceLabels:
    """The labels of all upstreams. For one event loop."""

    def __init__(self, store: StoredLabelStore, tenant: str) -> None:
        """Begin without labels; `load` reads those in the store."""
        self._store = store
        self._tenant = tenant
        self._shelves: dict[str, UpstreamLabels] = {}
        self._held: OrderedDict[tuple[str, str], HeldLabel] = OrderedDict()
        self._versions = count(1)
        self.loaded = False

    def of(self, upstream: str) -> UpstreamLabels | None:
        """Return the labels of an upstream; None if nothing with a label was written to it."""
        return self._shelves.get(upstream)

    def add(self, upstream: str) -> UpstreamLabels:
        """Return the labels of an upstream; create them if there are none."""
        return self._shelves.setdefault(upstream, UpstreamLabels(next(self._versions)))

    def touch(self, shelf: UpstreamLabels) -> None:
        """Note that a label of an upstream has changed."""
        shelf.version = next(self._versions)

    def at(self, upstream: str, resource: str) -> HeldLabel | None:
        """Return the label of a resource; None if it would have to be read first."""
        shelf = self._shelves.get(upstream)
        if shelf is None:
            return None
        if not resource:
            return shelf.root
        if resource.startswith(LOOSE):
            return shelf.loose.get(resource)
        return self._held.get((upstream, resource)) or (_NOTHING if shelf.complete else None)

    def place(self, upstream: str, resource: str) -> HeldLabel:
        """Return the label of a resource for a write; empty if `at` returned none."""
        held = self.at(upstream, resource)
        if held is not None and held is not _NOTHING:
            return held
        if resource.startswith(LOOSE):
            return self._shelves[upstream].loose.setdefault(resource, HeldLabel(None))
        return self._hold(upstream, resource, HeldLabel(None))

    async def fetch(self, upstream: str, names: Iterable[str]) -> None:
        """Load these resources, and their containers, into memory."""
        if (shelf := self._shelves.get(upstream)) is not None and shelf.complete:
            return
        wanted = {place for name in names for place in (*above(name), name)} - {ROOT}
        lacking: list[str] = []
        for place in wanted:
            if (upstream, place) in self._held:
                self._held.move_to_end((upstream, place))
            else:
                lacking.append(place)
        if not lacking:
            return
        found = {
            one.resource: one for one in await self._store.stored_labels(self._tenant, upstream, lacking)
        }
        for place in lacking:
            # Another call may have come first: the labels that it has raised since are kept.
            self._hold(upstream, place, HeldLabel(found.get(place)))

    def _hold(self, upstream: str, resource: str, held: HeldLabel) -> HeldLabel:
        held = self._held.setdefault((upstream, resource), held)
        while len(self._held) > CAPACITY:
            key, oldest = next(iter(self._held.items()))
            if oldest.kept is not oldest.now or oldest is held:
                # A label that the store does not hold yet must not be dropped.
                self._held.move_to_end(key)
                break
            del self._held[key]
            if (shelf := self._shelves.get(key[0])) is not None and oldest.now is not None:
                shelf.complete = False
        return held

    def take_in(self, stored_label: StoredLabel, classes: Classes) -> None:
        """Take in the stored label of a resource, which another replica may have written."""
        shelf = self.add(stored_label.upstream)
        held = self.place(stored_label.upstream, stored_label.resource)
        before = held.now
        shelf.count += before is None
        if before is None or before is held.kept:
            held.now = held.kept = stored_label
        else:
            # A label that the store does not hold yet is kept.
            held.now = before.with_also(stored_label, classes)
        if held.now != before:
            self.touch(shelf)
            label = stored_label.all(classes)
            if label is not None and label.trust is Trust.UNTRUSTED:
                # Only the replica that wrote knows the values.
                shelf.marks = None

    async def load(self) -> None:
        """Read the labels of upstreams as wholes, and the writes whose resource was never learned."""
        for upstream, rows in (await self._store.stored_label_counts(self._tenant)).items():
            roots = await self._store.stored_labels(self._tenant, upstream, [ROOT])
            loose = await self._store.stored_labels_under(
                self._tenant, upstream=upstream, prefix=LOOSE, limit=2 * MAX_LOOSE
            )
            if upstream in self._shelves:
                continue
            shelf = self.add(upstream)
            shelf.count = rows
            shelf.complete = False
            shelf.marks = None
            shelf.root = HeldLabel(roots[0] if roots else None)
            shelf.loose = {one.resource: HeldLabel(one) for one in loose}
        self.loaded = True


def writers_of(found: list[StoredLabel], whole: list[StoredLabel]) -> tuple[ResourceWrite, ...]:
    """Return the calls that wrote what was read, untrusted ones first.

    Calls that wrote only neighboring data are left out.
    """
    all_of = dict.fromkeys(one for held in found if held in whole or held.label for one in held.writers)
    return tuple(sorted(all_of, key=lambda one: one.trust is not Trust.UNTRUSTED))[:MAX_WRITERS]


def justified(request: AccessRequest) -> bool:
    """Return whether every value that a call writes comes from the intent or from a trusted source."""
    for name, value in given(request.tool, request.arguments).items():
        if value is None or isinstance(value, bool):
            continue
        one = request.flow.arguments.get(name)
        if one is None or not one.justified:
            return False
    return True


def mark(shelf: UpstreamLabels, request: AccessRequest) -> None:
    """Mark the values that a call writes and that come from neither the intent nor a trusted source."""
    tool = request.tool
    if not tool.described:
        # What an undescribed tool writes is unknown.
        shelf.marks = None
        return
    for name, value in given(tool, request.arguments).items():
        one, spec = request.flow.arguments.get(name), tool.arguments.get(name)
        # A selector names a record that existed before, and an amount cannot be an address.
        written = spec is None or spec.role not in (ArgumentRole.SELECTOR, ArgumentRole.AMOUNT)
        if written and (one is None or not one.justified):
            shelf.mark(leaves(value))


def chosen_by_upstream(tool: Tool, arguments: dict[str, Json]) -> bool:
    """Return whether the upstream chooses the resource that a call writes to, so that its result may name
    it.
    """
    return bool(missing(tool, arguments))
