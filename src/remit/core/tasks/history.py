# SPDX-License-Identifier: Apache-2.0
"""The history of a task and its family, as counters that the bundle declares (docs/adr/0072).

A counter counts calls that remit has decided itself, so no agent can state a history. What a counter keeps of
a family is a bounded number of entries: an amount and a time for each span of time, or for each value.
"""

from __future__ import annotations

import enum
import functools
import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import Final, NamedTuple

import msgspec

from remit.core.canonical import digest
from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.core.tools.tool import Effect, Tool

#: Counters of a bundle.
MAX_COUNTERS: Final = 32
#: Entries that a counter keeps of one family or task: values, tasks, or spans of time.
MAX_ENTRIES: Final = 4096
#: Items of one list argument that are counted one by one.
MAX_ITEMS: Final = 256
#: Spans of time into which a window is divided; a span has at least a second.
SPANS: Final = 2048
#: The largest sum, in millionths: two of them fit into 64 bits.
MOST: Final = 2**62
_MILLION: Final = 1_000_000
_RING: Final = 2 * SPANS
#: The part of what could not be counted.
UNCOUNTED: Final = "!"
#: The counters that every bundle has: permitted calls of this task, and those that change something.
BUILT_IN: Final = ("calls", "effectful_calls")


class Unreadable(str):
    """In place of a counter's value: why there is none. A rule that reads it refuses the call."""

    __slots__ = ()


#: The value of each counter; None: it never happened.
HistoryFacts = dict[str, int | str | None]


class CountOf(enum.StrEnum):
    """What a counter counts."""

    CALLS = "calls"
    TASKS = "tasks"
    DISTINCT = "distinct"
    SUM = "sum"
    SINCE = "seconds_since"


class CountedOutcome(enum.StrEnum):
    """Which calls a counter counts, by what became of them."""

    PERMITTED = "permitted"
    REFUSED = "refused"
    APPROVED = "approved"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class HistoryCounter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One counter.

    `argument` is what `distinct` and `sum` read of a call. `tools` are ids, or `upstream/*`; without `tools`
    and `effects` every call counts. `window_s` is 0 for the whole life. `family` counts the calls of all
    tasks of the family, else only those of the same task. `same` are pairs of arguments, one of the counted
    call and one of the call being decided, that must be equal. With `this_call` the value includes the call
    being decided.
    """

    name: str
    of: CountOf
    argument: str = ""
    tools: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    outcome: CountedOutcome = CountedOutcome.PERMITTED
    window_s: int = 0
    family: bool = True
    same: tuple[tuple[str, str], ...] = ()
    this_call: bool = False

    def covers(self, tool: Tool) -> bool:
        """Return whether calls of a tool count."""
        return self.names(tool) and (not self.effects or tool.effect in self.effects)

    def names(self, tool: Tool) -> bool:
        """Return whether a tool is among the named ones."""
        return not self.tools or tool.id in self.tools or f"{tool.upstream}/*" in self.tools

    @property
    def key(self) -> str:
        """The name with a digest of what is counted: a counter with another meaning starts again."""
        return _key(self)

    @property
    def optional(self) -> bool:
        """Whether there may be no value."""
        return self.of is CountOf.SINCE


@functools.lru_cache(maxsize=1024)
def _key(counter: HistoryCounter) -> str:
    # Without defaults: a field that a later version adds does not change it.
    meaning = msgspec.json.encode(msgspec.structs.replace(counter, this_call=False))
    return f"{counter.name}@{hashlib.sha256(meaning).hexdigest()[:16]}"


class HistoryEntry(NamedTuple):
    """What a call adds: to the counter of a family (no `task`) or of a task, under one key of equal
    arguments.

    An entry with the same names and a later `at_ms` replaces the one before; with the same time, it adds up.
    """

    task: str
    counter: str
    same: str
    part: str
    amount: int
    at_ms: int


def merged(old: tuple[int, int] | None, amount: int, at_ms: int) -> tuple[int, int]:
    """Return amount and time of an entry after an addition."""
    if old is None or at_ms > old[1]:
        return amount, at_ms
    if at_ms < old[1]:
        return old
    return min(MOST, old[0] + amount), at_ms


class CountedCall(NamedTuple):
    """A call as counters see it."""

    family: str
    task: str
    tool: Tool
    arguments: dict[str, Json]
    at_ms: int


def entries_of(
    counters: Iterable[HistoryCounter], call: CountedCall, outcomes: Collection[CountedOutcome]
) -> tuple[HistoryEntry, ...]:
    """Return what a call with these outcomes adds."""
    out: list[HistoryEntry] = []
    for counter in counters:
        if counter.outcome in outcomes and counter.covers(call.tool):
            out += _entries(counter, call)
    return tuple(out)


def _entries(counter: HistoryCounter, call: CountedCall) -> list[HistoryEntry]:
    owner, key = ("" if counter.family else call.task), counter.key
    same = _same(counter, call, counted=True)
    if same == UNCOUNTED:
        return [HistoryEntry(owner, key, "", UNCOUNTED, 1, call.at_ms)]
    if counter.of is CountOf.TASKS:
        return [HistoryEntry(owner, key, same, call.task, 1, call.at_ms)]
    if counter.of is CountOf.SINCE:
        return [HistoryEntry(owner, key, same, "", 1, call.at_ms)]
    if counter.of is CountOf.DISTINCT:
        parts = _values(call.arguments.get(counter.argument), call.family)
        return [HistoryEntry(owner, key, same, part, 1, call.at_ms) for part in parts]
    amount = 1 if counter.of is CountOf.CALLS else _millionths(call.arguments.get(counter.argument))
    if amount is None:
        return [HistoryEntry(owner, key, same, UNCOUNTED, 1, call.at_ms)]
    if not counter.window_s:
        return [HistoryEntry(owner, key, same, "", amount, 0)]
    step_ms = _step_ms(counter)
    span = call.at_ms // step_ms
    return [HistoryEntry(owner, key, same, str(span % _RING), amount, span * step_ms)]


def _same(counter: HistoryCounter, call: CountedCall, *, counted: bool) -> str:
    """Return the key of the arguments that must be equal, of a counted call or of the one being decided."""
    if not counter.same:
        return ""
    names = [pair[0] if counted else pair[1] for pair in counter.same]
    try:
        return _digest([call.arguments.get(name) for name in names], call.family)
    except Malformed:
        return UNCOUNTED


def _values(value: Json, family: str) -> list[str]:
    """Return the parts of the values of an argument; the items of a list count one by one."""
    items = value if isinstance(value, list) else [] if value is None else [value]
    if len(items) > MAX_ITEMS:
        return [UNCOUNTED]
    try:
        return list(dict.fromkeys(_digest(one, family) for one in items))
    except Malformed:
        return [UNCOUNTED]


def _digest(value: Json, family: str) -> str:
    """Return a digest of a value that differs from family to family."""
    return digest({"family": family, "value": value}).removeprefix("sha256:")[:32]


def _millionths(value: Json) -> int | None:
    """Return an amount, rounded up; None for a value that is no number. A negative amount takes nothing
    back.
    """
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MOST:
        return None
    exact = Decimal(repr(value)) * _MILLION
    return max(0, min(MOST, int(exact.to_integral_value(ROUND_CEILING))))


def _step_ms(counter: HistoryCounter) -> int:
    return 1000 * -(-counter.window_s // SPANS)


_Place = tuple[str, str, str]


class _Tally:
    """The entries of one counter under one key of equal arguments, the oldest first, and their sum."""

    __slots__ = ("parts", "total")

    def __init__(self) -> None:
        self.parts: dict[str, tuple[int, int]] = {}
        self.total = 0

    def add(self, part: str, amount: int, at_ms: int) -> bool:
        """Add an entry; return whether it is a new one."""
        old = self.parts.pop(part, None)
        new = self.parts[part] = merged(old, amount, at_ms)
        self.total += new[0] - (old[0] if old else 0)
        return old is None

    def expire(self, before_ms: int) -> int:
        """Drop what is older; return how many entries."""
        gone = 0
        while self.parts:
            part = next(iter(self.parts))
            amount, at_ms = self.parts[part]
            if at_ms >= before_ms:
                break
            del self.parts[part]
            self.total -= amount
            gone += 1
        return gone


class FamilyHistory:
    """What the counters keep of one family: committed entries, and those of calls in progress.

    Owned by one event loop, in the process that owns the family.
    """

    def __init__(self, family: str, entries: Sequence[HistoryEntry], *, complete: bool = True) -> None:
        """Take the stored entries; not `complete`: there are more than are kept, so no value is known."""
        self.family = family
        self._complete = complete
        self._tallies: dict[_Place, _Tally] = {}
        self._sizes: dict[tuple[str, str], int] = {}
        self._held: dict[_Place, list[HistoryEntry]] = {}
        for one in sorted(entries, key=lambda entry: entry.at_ms):
            self._add(one)

    def bounded(
        self, entries: tuple[HistoryEntry, ...], counters: Iterable[HistoryCounter], now_ms: int
    ) -> tuple[HistoryEntry, ...]:
        """Return entries in which none is new for a counter that is full; it is uncounted instead."""
        sizes = self._sizes
        if all(sizes.get(one[:2], 0) <= MAX_ENTRIES - MAX_ITEMS for one in entries):
            return entries
        by_key = {one.key: one for one in counters}
        for place in {one[:2] for one in entries}:
            self._expire_all(place, by_key[place[1]], now_ms)
        new = Counter(one[:2] for one in entries if self._is_new(one))
        full = {place for place, count in new.items() if sizes.get(place, 0) + count > MAX_ENTRIES}
        return tuple(
            one._replace(same="", part=UNCOUNTED, amount=1, at_ms=now_ms)
            if one[:2] in full and self._is_new(one)
            else one
            for one in entries
        )

    def hold(self, entries: Iterable[HistoryEntry]) -> None:
        """Count entries of a call in progress."""
        for one in entries:
            self._held.setdefault(one[:3], []).append(one)

    def settle(self, entries: Iterable[HistoryEntry], *, taken: bool) -> None:
        """Keep entries that were held, or drop them."""
        for one in entries:
            held = self._held.get(one[:3], [])
            if one in held:
                held.remove(one)
                if not held:
                    del self._held[one[:3]]
            if taken:
                self._add(one)

    def keep(self, entries: Iterable[HistoryEntry]) -> None:
        """Count entries for good."""
        for one in entries:
            self._add(one)

    def facts(
        self, counters: Iterable[HistoryCounter], call: CountedCall, own: Sequence[HistoryEntry]
    ) -> dict[str, int | str | None]:
        """Return the value of each counter for a call; `own` is what the call would add if permitted."""
        return {one.name: self._value(one, call, own if one.this_call else ()) for one in counters}

    def _value(
        self, counter: HistoryCounter, call: CountedCall, own: Sequence[HistoryEntry]
    ) -> int | str | None:
        if not self._complete:
            return Unreadable("has more entries than are kept; open a new task")
        owner, key = ("" if counter.family else call.task), counter.key
        place = (owner, key, _same(counter, call, counted=False))
        entries = [*self._held.get(place, ()), *(one for one in own if one[:3] == place)]
        tally = self._tallies.get(place)
        # A counter that is full is so for every key.
        full = (owner, key, "")
        overfull = (self._tallies.get(full), self._held.get(full, ()))
        if counter.window_s:
            before_ms = call.at_ms - 1000 * counter.window_s
            before_ms -= _step_ms(counter) - 1 if counter.of in (CountOf.CALLS, CountOf.SUM) else 0
            for one in {id(tally): tally, id(overfull[0]): overfull[0]}.values():
                if one is not None:
                    gone = one.expire(before_ms)
                    self._sizes[owner, key] = self._sizes.get((owner, key), 0) - gone
        if (
            place[2] == UNCOUNTED
            or (tally is not None and UNCOUNTED in tally.parts)
            or any(one.part == UNCOUNTED for one in entries)
            or (overfull[0] is not None and UNCOUNTED in overfull[0].parts)
            or any(one.part == UNCOUNTED for one in overfull[1])
        ):
            return Unreadable(_why(counter))
        return _counted(counter, tally, entries, call.at_ms)

    def _add(self, entry: HistoryEntry) -> None:
        tally = self._tallies.get(entry[:3])
        if tally is None:
            tally = self._tallies[entry[:3]] = _Tally()
        if tally.add(entry.part, entry.amount, entry.at_ms):
            self._sizes[entry[:2]] = self._sizes.get(entry[:2], 0) + 1

    def _is_new(self, entry: HistoryEntry) -> bool:
        tally = self._tallies.get(entry[:3])
        return tally is None or entry.part not in tally.parts

    def _expire_all(self, place: tuple[str, str], counter: HistoryCounter, now_ms: int) -> None:
        if not counter.window_s:
            return
        before_ms = now_ms - 1000 * counter.window_s - _step_ms(counter)
        for name in [one for one in self._tallies if one[:2] == place]:
            self._sizes[place] -= self._tallies[name].expire(before_ms)
            if not self._tallies[name].parts:
                del self._tallies[name]


def _counted(
    counter: HistoryCounter, tally: _Tally | None, entries: Sequence[HistoryEntry], now_ms: int
) -> int | str | None:
    if counter.of is CountOf.SINCE:
        times = [at_ms for _, at_ms in tally.parts.values()] if tally else []
        last = max([*times, *(one.at_ms for one in entries)], default=None)
        return None if last is None else max(0, now_ms - last) // 1000
    if counter.of in (CountOf.DISTINCT, CountOf.TASKS):
        known = tally.parts if tally else {}
        return len(known) + len({one.part for one in entries} - known.keys())
    total = (tally.total if tally else 0) + sum(one.amount for one in entries)
    if counter.of is CountOf.CALLS:
        return total
    return (
        -(-total // _MILLION) if total < MOST else Unreadable("is larger than can be kept; open a new task")
    )


def _why(counter: HistoryCounter) -> str:
    if counter.of is CountOf.SUM:
        return f"has met a value of `{counter.argument}` that is no amount, or more than {MAX_ENTRIES} keys"
    return f"has met more than the {MAX_ENTRIES} values that are kept; open a new task"
