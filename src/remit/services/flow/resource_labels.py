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
from remit.core.flow.justification import leaves
from remit.core.flow.marks import MAX_MARKED_CHARS, MAX_MARKS, marks_of
from remit.core.flow.stored_labels import LOOSE, MAX_WRITERS, ROOT, StoredLabel, WrittenValues, above, missing
from remit.core.flow.values.normal_text import size
from remit.core.json_value import Json
from remit.core.label import Classes, Trust
from remit.core.tools.tool import ArgumentRole, Tool
from remit.ports.store.stored_labels import StoredLabelStore

#: Resources held in memory; those asked for least recently are forgotten first, and read again.
CAPACITY = 50_000
#: Writes of one upstream whose resource is still to be learned; further ones lie on the upstream.
MAX_LOOSE = 200


class HeldLabel:
    """One resource: what is known of it now, and what the store is known to hold."""

    __slots__ = ("kept", "now")

    def __init__(self, stored_label: StoredLabel | None) -> None:
        """Begin with what the store holds."""
        self.now = stored_label
        self.kept = stored_label


class UpstreamLabels:
    """What is held of one upstream: the upstream as a whole, and writes whose resource is not known yet.

    `count` is the number of its resources in the store. `version` changes with each label that does; none is
    used twice in one process. `complete`: what is not held of it is not in the store either. While it is
    `closed`, nothing may be written.
    """

    def __init__(self, version: int) -> None:
        """Begin with nothing."""
        self.root = HeldLabel(None)
        self.loose: dict[str, HeldLabel] = {}
        self.count = 0
        self.version = version
        self.complete = True
        self.closed = False
        #: By what values it is known what untrusted hands wrote there; None where that is not known.
        self.marks: set[int] | None = set()

    def mark(self, texts: Iterable[str]) -> None:
        """Note values that untrusted hands write there."""
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
    """The shelves of all upstreams. For one event loop."""

    def __init__(self, store: StoredLabelStore, tenant: str) -> None:
        """Begin with nothing; `load` reads what there is."""
        self._store = store
        self._tenant = tenant
        self._shelves: dict[str, UpstreamLabels] = {}
        self._held: OrderedDict[tuple[str, str], HeldLabel] = OrderedDict()
        self._versions = count(1)
        self.loaded = False

    def of(self, upstream: str) -> UpstreamLabels | None:
        """Return the shelf of an upstream; None where nothing with a label was written to it."""
        return self._shelves.get(upstream)

    def add(self, upstream: str) -> UpstreamLabels:
        """Return an upstream its shelf."""
        return self._shelves.setdefault(upstream, UpstreamLabels(next(self._versions)))

    def touch(self, shelf: UpstreamLabels) -> None:
        """Note that a label on a shelf has changed."""
        shelf.version = next(self._versions)

    def at(self, upstream: str, resource: str) -> HeldLabel | None:
        """Return what is held of a resource; None where it would have to be read first."""
        shelf = self._shelves.get(upstream)
        if shelf is None:
            return None
        if not resource:
            return shelf.root
        if resource.startswith(LOOSE):
            return shelf.loose.get(resource)
        return self._held.get((upstream, resource)) or (_NOTHING if shelf.complete else None)

    def place(self, upstream: str, resource: str) -> HeldLabel:
        """Return a resource to be written to; one that `at` has not given has nothing on it."""
        held = self.at(upstream, resource)
        if held is not None and held is not _NOTHING:
            return held
        if resource.startswith(LOOSE):
            return self._shelves[upstream].loose.setdefault(resource, HeldLabel(None))
        return self._hold(upstream, resource, HeldLabel(None))

    async def fetch(self, upstream: str, names: Iterable[str]) -> None:
        """Hold these resources, and what they lie in."""
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
            # Another call may have come first: what it has raised meanwhile stays.
            self._hold(upstream, place, HeldLabel(found.get(place)))

    def _hold(self, upstream: str, resource: str, held: HeldLabel) -> HeldLabel:
        held = self._held.setdefault((upstream, resource), held)
        while len(self._held) > CAPACITY:
            key, oldest = next(iter(self._held.items()))
            if oldest.kept is not oldest.now or oldest is held:
                # What the store does not hold yet is not forgotten.
                self._held.move_to_end(key)
                break
            del self._held[key]
            if (shelf := self._shelves.get(key[0])) is not None and oldest.now is not None:
                shelf.complete = False
        return held

    def take_in(self, stored_label: StoredLabel, classes: Classes) -> None:
        """Take in what is kept of a resource now: another replica may have written it."""
        shelf = self.add(stored_label.upstream)
        held = self.place(stored_label.upstream, stored_label.resource)
        before = held.now
        shelf.count += before is None
        if before is None or before is held.kept:
            held.now = held.kept = stored_label
        else:
            # What the store does not hold yet stays.
            held.now = before.with_also(stored_label, classes)
        if held.now != before:
            self.touch(shelf)
            label = stored_label.all(classes)
            if label is not None and label.trust is Trust.UNTRUSTED:
                # By what values, its writer knows.
                shelf.marks = None

    async def load(self) -> None:
        """Read what upstreams as wholes hold, and the writes whose resource was never learned."""
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


def writers_of(found: list[StoredLabel], whole: list[StoredLabel]) -> tuple[WrittenValues, ...]:
    """Return the calls that wrote what was read, untrusted ones first; none that wrote only beside it."""
    all_of = dict.fromkeys(one for held in found if held in whole or held.label for one in held.writers)
    return tuple(sorted(all_of, key=lambda one: one.trust is not Trust.UNTRUSTED))[:MAX_WRITERS]


def justified(request: AccessRequest) -> bool:
    """Whether every value that a call writes is of the intent, or of a trusted source."""
    for name, value in request.tool.parts(request.arguments).items():
        if value is None or isinstance(value, bool):
            continue
        one = request.flow.arguments.get(name)
        if one is None or not one.justified:
            return False
    return True


def mark(shelf: UpstreamLabels, request: AccessRequest) -> None:
    """Note by value what a call writes that is neither of the intent nor of a trusted source."""
    tool = request.tool
    if not tool.described:
        # What it writes, nobody knows.
        shelf.marks = None
        return
    for name, value in tool.parts(request.arguments).items():
        one, spec = request.flow.arguments.get(name), tool.arguments.get(name)
        # What selects a record was there before, and an amount is nobody's address.
        written = spec is None or spec.role not in (ArgumentRole.SELECTOR, ArgumentRole.AMOUNT)
        if written and (one is None or not one.justified):
            shelf.mark(leaves(value))


def chosen_by_upstream(tool: Tool, arguments: dict[str, Json]) -> bool:
    """Whether the upstream chooses what a call writes to, and its result may name it."""
    return bool(missing(tool, arguments))
