# SPDX-License-Identifier: Apache-2.0
"""Facts of records: fields that a tool file declares for policies, with their values and types.

These are the only values that a task keeps of results, few and short, in memory. A fact counts only from a
trusted field that does not repeat an argument of its call. A call with an effect makes the facts of the
records that it selects unknown, unless its own result tells them again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from remit.core.flow.records.persons import fits_key, own_keys
from remit.core.flow.records.record import ReadFact, ResultLeaf
from remit.core.json_value import Json
from remit.core.tools.tool import Tool

MAX_RECORDS = 2_000
"""Records of one task whose facts are kept; the oldest are dropped first."""
MAX_FACTS = 32
"""Facts of one record."""
MAX_KEYS = 16
"""Values of one record by which its facts are found."""
MAX_TEXT = 100
"""Longest text of a fact or of a key, in characters; a longer one is missing."""
RECORD_BYTES = 3_000
"""Approximate memory of a record's facts."""
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_DECIMAL_LIMIT = 900_000_000_000_000
_LONG = 2**63


class FactRecord(msgspec.Struct, frozen=True, eq=False):
    """The facts of one record: its keys, by digest, each with the fields that hold it.

    `own` are the fields with the record's own key, where they can be told: the `return_id` of a return that
    also holds the `order_id` of an order.
    """

    call: int
    source: Tool
    asked: frozenset[int]
    keys: Mapping[int, tuple[str, ...]]
    values: Mapping[str, Json]
    own: frozenset[str] = frozenset()


class RecordFacts:
    """The facts of the records that one task has met."""

    def __init__(self) -> None:
        """Begin without records."""
        self._records: dict[FactRecord, None] = {}

    def __bool__(self) -> bool:
        """Return whether any facts are known."""
        return bool(self._records)

    @property
    def size_bytes(self) -> int:
        """Approximate memory of the stored facts."""
        return len(self._records) * RECORD_BYTES

    def forget(self, keys: Collection[int]) -> None:
        """Forget the facts of records that hold one of these keys."""
        for one in [one for one in self._records if not one.keys.keys().isdisjoint(keys)]:
            del self._records[one]

    def learn(
        self,
        call: int,
        source: Tool,
        asked: frozenset[int],
        facts: Iterable[ReadFact],
        keys: Iterable[tuple[ResultLeaf, int]],
    ) -> None:
        """Add the facts of a result; `keys` are its trusted short fields with their digests."""
        values: dict[int, dict[str, Json]] = {}
        for fact in facts:
            of = values.setdefault(fact.record, {})
            if fact.name in of:
                # Two fields of one name: neither is the fact.
                of[fact.name] = None
            elif len(of) < MAX_FACTS:
                of[fact.name] = typed(fact.type, fact.value)
        held: dict[int, dict[int, tuple[str, ...]]] = {}
        paths: dict[int, set[str]] = {}
        for leaf, digest in keys:
            paths.setdefault(leaf.record, set()).add(leaf.path)
            of_record = held.setdefault(leaf.record, {})
            if leaf.record in values and (len(of_record) < MAX_KEYS or digest in asked):
                of_record[digest] = (*of_record.get(digest, ()), leaf.path)
        for record, some in values.items():
            if known := {name: value for name, value in some.items() if value is not None}:
                own = own_keys(paths.get(record, ()), source)
                self._records[FactRecord(call, source, asked, held.get(record, {}), known, own)] = None
        while len(self._records) > MAX_RECORDS:
            del self._records[next(iter(self._records))]

    def of(self, keys: Sequence[tuple[str, int]]) -> dict[str, Json]:
        """Return the facts of the record that a call selects; `keys` are its arguments with their digests.

        It is the record that holds most of the keys, each in a field that is named like the argument: first
        the one that was looked up by a key, then the latest. Where several fit alike, facts in which they
        differ are missing.
        """
        fitting: dict[FactRecord, tuple[int, bool, int]] = {}
        for one in self._records:
            held = [digest for argument, digest in keys if _holds(one, argument, digest)]
            if held:
                fitting[one] = (len(held), not one.asked.isdisjoint(held), one.call)
        best = max(fitting.values(), default=None)
        chosen = [one.values for one, rank in fitting.items() if rank == best]
        return {
            name: value
            for name, value in (chosen[0] if chosen else {}).items()
            if all(name in one and one[name] == value for one in chosen)
        }


def _holds(one: FactRecord, argument: str, digest: int) -> bool:
    paths = one.keys.get(digest, ())
    if one.own and one.own.isdisjoint(paths):
        return False
    return any(not path.endswith("[]") and fits_key(path, one.source, argument) for path in paths)


def typed(kind: str, value: Json) -> Json:
    """Return a value by the type of its fact; None where the value is not of that type."""
    if kind == "boolean":
        if isinstance(value, str):
            return {"true": True, "false": False}.get(value)
        return value if isinstance(value, bool) else None
    if isinstance(value, bool):
        return None
    if kind == "string":
        return value if isinstance(value, str) and len(value) <= MAX_TEXT else None
    if kind == "integer":
        return _integer(value)
    return _number(value) if kind == "number" else _moment(value)


def _integer(value: Json) -> int | None:
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    return value if isinstance(value, int) and -_LONG <= value < _LONG else None


def _number(value: Json) -> float | None:
    """Return a number that has at most four decimals, as policies read it."""
    if isinstance(value, str):
        value = float(value) if len(value) <= 20 and re.fullmatch(r"-?[0-9]+(\.[0-9]{1,4})?", value) else None
    if not isinstance(value, int | float) or not -_DECIMAL_LIMIT < value < _DECIMAL_LIMIT:
        return None
    exact = Decimal(repr(value))
    return value if exact == round(exact, 4) else None


def _moment(value: Json) -> Json:
    """Return a date or a time; without a zone it is UTC."""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        return None
    try:
        found = datetime.fromisoformat(value.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
