# SPDX-License-Identifier: Apache-2.0
"""Values that untrusted data brought in, found in any form: the lenient reading, which only restricts.

INVARIANT: nothing here permits. A value that the person stated, by the strict reading, is not restricted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Protocol

from remit.core.cooperative_steps import PIECE, STEP, Steps, WorkCount, weight, whole_words
from remit.core.flow.arguments.argument_walk import found_in
from remit.core.flow.justification import Justification, Provenance, Reach, leaves
from remit.core.flow.language.vocabulary.url_words import ask_for_link
from remit.core.flow.memory import RECORD_MASK, TaskRecords
from remit.core.flow.records.naming import Naming
from remit.core.flow.stated_values import Statement
from remit.core.flow.values.destination import Destination, whole, within
from remit.core.flow.values.file_names import is_file_name
from remit.core.flow.values.hosts import host_of
from remit.core.flow.values.kinds import KindOfValue
from remit.core.flow.values.strict_reading import ExactValue, exact, pieces
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tools.tool import ArgumentRole, Tool

_HOST, _URL, _PHONE = KindOfValue.HOST, KindOfValue.URL, KindOfValue.PHONE
_NAME = re.compile(r"[a-z0-9_.-]{4,253}")
_UNTRUSTED = Trust.UNTRUSTED
WALK_STEP = 16
_LEADING = (ArgumentRole.DESTINATION, ArgumentRole.CODE)


class TaskMemory(Protocol):
    """What a task has met, and what its intent states: `core.flow.provenance.Index`."""

    @property
    def kept(self) -> TaskRecords:
        """What is remembered of results."""

    @property
    def naming(self) -> Naming:
        """What the intent names in results."""

    @property
    def statement(self) -> Statement:
        """What the intent states."""

    @property
    def above(self) -> TaskMemory | None:
        """The memory of the task that delegated this one."""

    @property
    def beside(self) -> Sequence[TaskMemory]:
        """Memories of what the same agent has read elsewhere."""

    @property
    def full(self) -> bool:
        """Whether something was met that could not be remembered."""


def foreign(index: TaskMemory, value: Json, *, named: bool) -> Steps[bool]:
    """Return whether a text carries a foreign address or link.

    It is foreign where untrusted data brought it in and neither the intent nor a trusted field holds it; with
    `named`, also where the intent names the source.
    """
    seen: set[str] = set()
    work = WorkCount()
    for leaf in (value,) if isinstance(value, str) else leaves(value):
        if leaf in seen:
            continue
        seen.add(leaf)
        excused: set[Destination] | None = None
        known: set[Destination] = set()
        for found in _read(leaf):
            for one in found:
                # A host alone may be a file name; the host of a new URL is not.
                if one.kind is _HOST and (one in known or is_file_name(one.normal)):
                    continue
                if one.kind is _PHONE and not (one.normal.startswith("+") or "tel:" in leaf.lower()):
                    continue  # a number such as `2026/311`
                if not (
                    brought_by_others(index, one, named=named)
                    or _is_host_of_others(index, one, named=named)
                    or _may_be_foreign(index, one, named=named)
                ):
                    if index.kept.spots(one):
                        # A trusted source has supplied an address: its host is not foreign.
                        known.update(chain.from_iterable(_hosts_in(one.normal)))
                    continue
                excused = (yield from _stated(index, leaf)) if excused is None else excused
                if one not in excused:
                    return True
            if weight(leaf) > STEP:
                yield
        if work.over(leaf):
            yield
    return False


def _read(text: str) -> Iterator[list[Destination]]:
    """Yield, in steps, every destination in a text and every possible host name in it, whatever surrounds it.

    Each host comes with the hosts above it.
    """
    read: list[str] = []
    yield from found_in(text, read)
    for part in read:
        yield from _hosts_in(part)


def _hosts_in(folded: str) -> Iterator[list[Destination]]:
    """Yield, in steps, every possible host name in a folded text, and the hosts above it."""
    found: list[Destination] = []
    gone = 0
    for name in dict.fromkeys(_NAME.findall(folded)):
        bare = name.strip(".-")
        if "." in bare and host_of(bare) == bare:
            found += [Destination(_HOST, above) for above in _above(bare)]
        if (gone := gone + len(name)) > STEP:
            yield found
            found, gone = [], 0
    yield found


def _above(host: str) -> Iterator[str]:
    while "." in host:
        yield host
        host = host.partition(".")[2]


def brought_by_others(index: TaskMemory, found: Destination, *, named: bool = False) -> bool:
    """Return whether only untrusted data holds a destination; with `named`, the intent may name its
    source.
    """
    kept = index.kept.spots(found)
    if not kept:
        others = index.beside if index.above is None else (index.above, *index.beside)
        return any(brought_by_others(one, found, named=named) for one in others)
    return all(index.kept.trust(one) is _UNTRUSTED for one in kept) and (
        named or not any(index.naming.reach(one & RECORD_MASK) is Reach.NAMED for one in kept)
    )


def _is_host_of_others(index: TaskMemory, found: Destination, *, named: bool) -> bool:
    """Return whether untrusted data holds a host, with or without `www.`, that is no whole trusted field.

    A longer trusted text may hold the host, too: it may quote or warn.
    """
    if found.kind is not _HOST:
        return False
    bare = found.normal.removeprefix("www.")
    names = (Destination(_HOST, bare), Destination(_HOST, f"www.{bare}"))
    at: TaskMemory | None = index
    others = False
    while at is not None:
        kept, naming = at.kept, at.naming
        if any(kept.digest(one) in kept.vouched for one in names):
            return False
        others = others or any(
            kept.trust(spot) is _UNTRUSTED and (named or naming.reach(spot & RECORD_MASK) is not Reach.NAMED)
            for one in names
            for spot in kept.spots(one)
        )
        at = at.above
    return others


def _may_cite(index: TaskMemory, used: ExactValue) -> bool:
    """Return whether the task fetched a link, or the link is a whole field of a named record."""
    if used.kind is not _URL:
        return False
    return index.kept.digest_exact(used) in index.kept.fetched or any(
        index.naming.is_link_field(spot & RECORD_MASK, index.kept.place_of(spot).met.field)
        and index.naming.reach(spot & RECORD_MASK) is Reach.NAMED
        for spot in index.kept.exact_spots(used)
    )


def untrusted_part(index: TaskMemory, text: str, tool: Tool | None, name: str) -> Steps[Justification | None]:
    """Return the justification of a destination or code by an untrusted address or link in it; None without
    one.

    It applies to a text that is not known as a whole.
    """
    spec = None if tool is None else tool.arguments.get(name)
    if spec is None or spec.role not in _LEADING:
        return None
    excused: set[Destination] | None = None
    for found in found_in(text):
        for one in found:
            host_of_code = one.kind is _HOST and spec.role is not ArgumentRole.DESTINATION
            if host_of_code or not brought_by_others(index, one):
                continue
            excused = (yield from _stated(index, text)) if excused is None else excused
            if one not in excused:
                met = tuple(index.kept.place_of(spot).met for spot in index.kept.spots(one))
                return Justification(Provenance.UNTRUSTED, None, met)
        if weight(text) > STEP:
            yield
    return None


def _stated(index: TaskMemory, text: str) -> Steps[set[Destination]]:
    """Return the lenient readings of those pieces of a text that the person stated verbatim.

    A link counts like a stated one where the person asks to pass a link on, and means this one.
    """
    out: set[Destination] = set()
    stated = [index.statement]
    above = index.above
    while above is not None:
        stated.append(above.statement)
        above = above.above
    cites = ask_for_link(index.statement.utterance.clauses.sentences)
    for part in whole_words(text, PIECE):
        for count, piece in enumerate(pieces(part), start=1):
            used = exact(piece)
            if any(one.holds(used) for one in stated) or (cites and _may_cite(index, used)):
                out.update((whole(piece), *chain.from_iterable(_read(piece))))
            if not count % WALK_STEP:
                yield
        yield
    return out


def _may_be_foreign(index: TaskMemory, found: Destination, *, named: bool) -> bool:
    """Return whether a destination without a known source has a foreign host, or the index is full."""
    if index.kept.spots(found):
        return False
    return index.full or any(
        one.kind is _HOST and brought_by_others(index, one, named=named)
        for one in (within(found.normal) if found.kind is _URL else ())
    )
