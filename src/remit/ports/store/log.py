# SPDX-License-Identifier: Apache-2.0
"""The evidence log in the store, and the keys of the subjects whose values it seals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

import msgspec

from remit.core.evidence.event import Event
from remit.core.evidence.events.state_rows import BrokenRow
from remit.core.json_value import Json
from remit.ports.store.units import UnitStore

#: The most by which the time of an event and the time of its commit differ, on all replicas.
CLOCKS_APART: Final = timedelta(minutes=5)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One event in the log: the leaf's exact bytes, and the sealed values where they were requested.

    `sealed` is the encrypted blob; `None` where the event has none. `openings` has salt and value by name,
    where the reader may see them and the subject's key still exists.
    """

    index: int
    tenant: str
    kind: str
    task: str
    leaf: bytes
    leaf_hash: bytes
    sealed: bytes | None = None
    subject: str = ""
    openings: dict[str, list[Json]] | None = None

    @property
    def opened(self) -> dict[str, Json] | None:
        """The values alone; `None` where they were not requested or can no longer be read."""
        return {name: value for name, (_, value) in self.openings.items()} if self.openings else None


class StatePage(NamedTuple):
    """The rows of state on a page of a table: their names in the log, and the key of the last one; empty at
    the end.
    """

    names: frozenset[bytes]
    last: tuple[str, ...]


class EventSearch(msgspec.Struct, frozen=True, kw_only=True):
    """The events that are sought; an empty field matches every event.

    `since` is included, `until` is not. `tool` is the id of a tool, or the name of an upstream for all of its
    tools. `person` is the person of the event's task, or the subject of its values, such as the person who
    acted. `call` is the id of a decision: its events are those of one call. `data_class` and `category` are
    those of data that a call read, or that its task carried.
    """

    since: datetime | None = None
    until: datetime | None = None
    kinds: tuple[str, ...] = ()
    task: str = ""
    agent: str = ""
    person: str = ""
    tool: str = ""
    outcome: str = ""
    call: str = ""
    data_class: str = ""
    category: str = ""


class FoundEvents(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a search, in order. It continues at index `reached`; `None`: nothing is left."""

    entries: list[Entry]
    reached: int | None


class ToolTally(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of one tool on one day (ISO date): how many decisions had each outcome, and how many calls.

    `decided` counts `permit`, `deny`, `defer`, and `observed` for what was refused in observe mode. `ended`
    counts the outcomes of calls. Refusals of several tools that were only counted have an empty `tool`.
    """

    day: str
    tool: str
    decided: dict[str, int]
    ended: dict[str, int]


class TalliedCalls(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a tally; it continues at index `reached`. `None`: nothing is left."""

    tallies: list[ToolTally]
    reached: int | None


class LogStore(UnitStore, Protocol):
    """The events of each tenant in order, under one Merkle tree. Durability, concurrency and errors:
    `UnitStore`; what is forgotten is gone when `forget` returns.
    """

    async def adopt_rows(self, tenant: str, at: datetime, *, vouched: bool = False) -> bool:
        """Record the rows of state as they are; return whether all rows are recorded now.

        Without `vouched`, only those of an older version of remit, and once: where replicas of it still
        serve, nothing is done. With `vouched`, an administrator says that the rows are right.
        """

    def covers_rows(self, tenant: str) -> bool:
        """Return whether all rows of state are recorded, so that one that differs is refused."""

    def recorded_rows(self, tenant: str, table: str) -> dict[bytes, bytes]:
        """Return the rows of a table of `STATE_TABLES` that the log knows: digest by name."""

    async def state_page(self, tenant: str, table: str, after: tuple[str, ...], limit: int) -> StatePage:
        """Compare the next rows of a table after a key (empty: the first) with the log."""

    async def gone_rows(self, tenant: str, table: str, names: dict[bytes, bytes]) -> list[BrokenRow]:
        """Return which of these recorded rows, not met in a pass over the whole table, remit has not
        deleted.
        """

    def broken_rows(self, tenant: str) -> list[BrokenRow]:
        """Return the rows that were met since the last time, and were not as the log says."""

    async def size(self, tenant: str) -> int:
        """Return the number of events in the log."""

    async def root(self, tenant: str) -> tuple[int, bytes]:
        """Return size and Merkle root of the log as committed now, as one consistent pair."""

    async def entries(
        self,
        tenant: str,
        *,
        start: int = 0,
        before: int | None = None,
        limit: int = 100,
        kinds: Sequence[str] = (),
        task: str = "",
        opened: bool = False,
    ) -> list[Entry]:
        """Return the first events from index `start` on, or the last ones below `before`; both in order.

        `opened` decrypts what can be decrypted.
        """

    async def search(
        self,
        tenant: str,
        wanted: EventSearch,
        *,
        start: int = 0,
        before: int | None = None,
        limit: int = 100,
        most: int = 5_000,
    ) -> FoundEvents:
        """Return sought events from index `start` on, or below `before`, with their values.

        It looks at `most` events, so the part may be empty while the search goes on. A time finds its place
        by halving: the times of neighbouring events may differ by `CLOCKS_APART`.
        """

    async def tally(
        self,
        tenant: str,
        wanted: EventSearch,
        *,
        zone: timedelta,
        start: int = 0,
        before: int | None = None,
        most: int = 5_000,
    ) -> TalliedCalls:
        """Count the sought calls from index `start` on and below `before`, by tool and day, the day of the
        time zone that is `zone` east of UTC.
        """

    async def last_events(self, tenant: str, tasks: Sequence[str]) -> dict[str, int]:
        """Return the index of the last event of each of these tasks, from which `entries` of a task begin."""

    async def inclusion(self, tenant: str, index: int, size: int) -> list[bytes]:
        """Return the inclusion proof of a leaf in the tree of `size` (RFC 6962 section 2.1.1)."""

    async def consistency(self, tenant: str, old: int, new: int) -> list[bytes]:
        """Return the consistency proof between two sizes (RFC 6962 section 2.1.2)."""

    async def hashes(self, tenant: str, level: int, start: int, count: int) -> list[bytes]:
        """Return up to `count` hashes of level 0, 8, 16, ... of the Merkle tree, from index `start` on."""

    async def unfinished(
        self, tenant: str, of: Callable[[str], bool] | None = None, *, known: bool = False
    ) -> list[Event]:
        """Return the permitting `decision.made` events that have no `tool.called` after them (facts only).

        With `of`, only events whose writer it accepts; with `known`, as of the last commit of this process.
        """

    async def forget(self, tenant: str, subject: str, *events: Event) -> bool:
        """Destroy a subject's key, so that its sealed values can never be read again; proofs stay valid.

        `events` are committed with it, and say the id of the destroyed key as `key`, which names no one and
        is never used again. Returns `False` where there is no key: then nothing is committed.
        """

    async def prune(self, tenant: str, spans: Sequence[tuple[int, int]], *events: Event) -> None:
        """Delete the text and the values of events, by spans of indexes; their leaf hashes stay, and proofs
        stay valid.

        `events` are committed with it. Raises `ChangedMeanwhile` where one of them is gone: then nothing
        changes.
        """

    async def rewrap(self, tenant: str, after: int = -1, limit: int = 100) -> int | None:
        """Rewrap the keys of a tenant's subjects under the current sealing key (`ports.keys.SealingKeys`).

        Each call processes `limit` keys after the key whose id the previous call returned, and returns the
        last one's; `None` when there are no more: then every key is wrapped under the key that was current
        when the first call was made, or a newer one. An interrupted walk starts from the beginning.
        """
