# SPDX-License-Identifier: Apache-2.0
"""Provenance: where a value of a call came from in this task.

An `Index` holds what a task has met: what its intent states, and for each result the values that it
brought, with tool, field and trust. Asked of an argument, it says `intent`, `trusted`, `untrusted` or
`unknown`, and from which calls. It holds keyed digests of normal forms (`core.destination`), never values.

What it cannot see: a value that the model knew before, or made out of others. Such a value is `unknown`. The
task's label, not this, is what stands before disclosing what was read.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from remit.core.destination import MAX_WHOLE, Destination, DestinationKind, plain, whole, within
from remit.core.field import ResultFields
from remit.core.label import Classes, Label, Trust
from remit.core.tool import Tool

Json = Any

KEY_BYTES = 32
CAPACITY = 100_000
"""Values that one index holds: about 12 MB when full."""
MAX_TEXT = 200
"""Characters of a field that is remembered as a whole; longer ones are searched for destinations alone."""
MAX_MET = 8
"""Origins that are kept of one value: the first ones, and always one that is untrusted."""
MAX_ARGUMENT_LEAVES = 2_000
PIECE = 500
"""ResultFields that are taken in before others have a turn."""


class Provenance(enum.StrEnum):
    """Where a value came from, best first. Of several the worst counts."""

    INTENT = "intent"
    TRUSTED = "trusted"
    UNKNOWN = "unknown"
    UNTRUSTED = "untrusted"


_RANK = {one: place for place, one in enumerate(Provenance)}


class Met(msgspec.Struct, frozen=True):
    """A place where a value was met: the `call`th call of the task, its tool, and the field of its result.

    `decision` is the id of that call's decision, under which the evidence has it.
    """

    call: int
    decision: str
    tool: str
    field: str
    trust: Trust

    def __str__(self) -> str:
        """Say it as refusals do."""
        where = f", field `{self.field}`" if self.field else ""
        return f"the result of call {self.call}, `{self.tool}`{where}, {self.trust.value}"


class Stated(msgspec.Struct, frozen=True):
    """Where the intent states a value: in which typed parameter, or (empty) in the person's words."""

    parameter: str = ""


class Justification(msgspec.Struct, frozen=True):
    """What is known of an argument's value.

    `stated` is where the intent states it, if it does. `origins` are the results that held it. `crossed` says
    that a value of the intent stands in untrusted data too.
    """

    provenance: Provenance
    stated: Stated | None = None
    origins: tuple[Met, ...] = ()

    @property
    def crossed(self) -> bool:
        """Whether untrusted data holds what the intent states."""
        return self.stated is not None and any(one.trust is Trust.UNTRUSTED for one in self.origins)

    def join(self, other: Justification) -> Justification:
        """Give what holds of both values together: the worse provenance, and all origins."""
        worse = self if _RANK[self.provenance] >= _RANK[other.provenance] else other
        origins = tuple(dict.fromkeys((*self.origins, *other.origins)))[:MAX_MET]
        return Justification(worse.provenance, worse.stated, origins)


NOTHING = Justification(Provenance.UNKNOWN)


class Index:
    """What one task has met. Not for several threads; its owner keeps it beside the live task."""

    def __init__(self, key: bytes, *, capacity: int = CAPACITY) -> None:
        """Begin with nothing met; `key` is random and of this task alone."""
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key of an index is {KEY_BYTES} bytes")
        self._key = key
        self._capacity = capacity
        self._origins: list[Met] = []
        self._met: dict[bytes, tuple[int, ...]] = {}
        self._stated: dict[bytes, Stated] = {}
        self._words = " "
        #: Something was met that could not be remembered: from now on nothing is trusted for being known.
        self.full = False

    def __len__(self) -> int:
        """Count the values that are remembered of results."""
        return len(self._met)

    def state(self, goal: str, params: Mapping[str, Json]) -> None:
        """Take the intent in: the person's words, and typed parameters. A later turn is taken in likewise."""
        for found in (*within(goal), whole(goal)):
            self._stated.setdefault(self._digest(found), Stated())
        self._words += _words(goal) + " "
        for name, value in params.items():
            for leaf in _leaves(value):
                # A parameter counts more than a mention of the same value.
                self._stated[self._digest(whole(leaf))] = Stated(name)
                for found in within(leaf):
                    self._stated.setdefault(self._digest(found), Stated(name))

    def learn(
        self, result: Json, *, call: int, decision: str, tool: Tool, arguments: Mapping[str, Json]
    ) -> Iterator[None]:
        """Take the result of a call in; a generator, so that a long one can be taken in pieces.

        Go to its end before the result is released. `call` counts the calls of the task from 1.
        """
        places: dict[str, int] = {}
        fields = ResultFields(result)
        for count, (path, text) in enumerate(fields):
            trust = tool.label.trust
            if self.full and trust is Trust.TRUSTED:
                continue
            place = places.get(path)
            if place is None:
                place = places[path] = len(self._origins)
                self._origins.append(Met(call, decision, tool.id, path, trust))
            if len(text) <= MAX_TEXT:
                self._meet(whole(text), place)
            for found in within(text):
                self._meet(found, place)
            if count % PIECE == PIECE - 1:
                yield
        self.full = self.full or fields.cut

    def label(self, result: Json, tool: Tool, classes: Classes) -> Label:
        """Give the label of a result: the tool's, joined with those of its fields that are there."""
        return tool.label

    def spend(self, tool: Tool, arguments: Mapping[str, Json]) -> None:
        """Note that a permitted call uses what the intent states: each value is for one purpose."""

    def judge(self, value: Json) -> Justification:
        """Say where an argument's value came from; of a list or an object, the worst of what it holds."""
        judged: Justification | None = None
        for count, leaf in enumerate(_leaves(value)):
            if count >= MAX_ARGUMENT_LEAVES:
                return NOTHING
            for piece in _several(leaf):
                one = self._judge(piece)
                judged = one if judged is None else judged.join(one)
        return judged or NOTHING

    def _judge(self, text: str) -> Justification:
        if len(text) > MAX_WHOLE:
            return NOTHING
        found = whole(text)
        if not found.normal:
            return NOTHING
        digest = self._digest(found)
        origins = tuple(self._origins[place] for place in self._met.get(digest, ()))
        stated = self._stated.get(digest)
        if stated is None and found.kind is DestinationKind.TEXT and self._says(found.normal):
            stated = Stated()
        if stated is not None:
            return Justification(Provenance.INTENT, stated, origins)
        if any(one.trust is Trust.UNTRUSTED for one in origins):
            return Justification(Provenance.UNTRUSTED, None, origins)
        if origins and not self.full:
            return Justification(Provenance.TRUSTED, None, origins)
        return Justification(Provenance.UNKNOWN, None, origins)

    def _says(self, normal: str) -> bool:
        """Whether the person's words hold a text whole, from word to word."""
        words = _words(normal)
        return bool(words) and f" {words} " in self._words

    def _meet(self, found: Destination, place: int) -> None:
        digest = self._digest(found)
        known = self._met.get(digest)
        if known is None:
            if not found.normal:
                return
            if len(self._met) >= self._capacity:
                self.full = True
                return
            self._met[digest] = (place,)
        elif place in known:
            return
        elif len(known) < MAX_MET:
            self._met[digest] = (*known, place)
        elif self._origins[place].trust is Trust.UNTRUSTED and not any(
            self._origins[one].trust is Trust.UNTRUSTED for one in known
        ):
            self._met[digest] = (*known[:-1], place)

    def _digest(self, found: Destination) -> bytes:
        named = f"{found.kind.value}\n{found.normal}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(named, digest_size=12, key=self._key).digest()


def worst(judged: Iterable[Justification]) -> Provenance | None:
    """Give the worst provenance among some; none where there are none."""
    return max((one.provenance for one in judged), key=_RANK.__getitem__, default=None)


def _leaves(value: Json) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for below in value.values():
            yield from _leaves(below)
    elif isinstance(value, list):
        for below in value:
            yield from _leaves(below)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def _several(text: str) -> list[str]:
    """Give the single destinations of an address list (RFC 5322 section 3.4), or the text as it is."""
    if "@" not in text or not ("," in text or ";" in text):
        return [text]
    pieces = [piece.strip() for piece in text.replace(";", ",").split(",")]
    return [piece for piece in pieces if piece] or [text]


def _words(text: str) -> str:
    """Give a text's words with one space between them, without the marks of a sentence around them."""
    stripped = (word.strip(".,;:!?()[]{}\"'`<>\u2018\u2019\u201c\u201d") for word in plain(text).split(" "))
    return " ".join(word for word in stripped if word)
