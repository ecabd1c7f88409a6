# SPDX-License-Identifier: Apache-2.0
"""Provenance: where a value of a call came from in this task.

An `Index` holds what a task has met: what its intent states, and for each result the values that it
brought, with tool, field and trust. Asked of an argument, it says `intent`, `trusted`, `untrusted` or
`unknown`, from which calls, and whether the intent leads there. It holds keyed digests of normal forms
(`core.destination`), never values.

How the intent leads to a value (`Reach`): it names the record in which the value stands (`core.named`), or
it states what that record was looked up by. From a trusted field of such a record a value is as good as
stated, if it is the only one; from an untrusted one it is *pointed* at, which a person may be asked about.

What it cannot see: a value that the model knew before, or made out of others. Such a value is `unknown`. The
task's label, not this, is what stands before disclosing what was read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from remit.core.destination import MAX_WHOLE, Destination, DestinationKind, Wholes, whole, within
from remit.core.inflection import stem
from remit.core.justification import (
    MAX_MET,
    NOTHING,
    Justification,
    Met,
    Provenance,
    Reach,
    Stated,
    leaves,
    several,
)
from remit.core.label import Label, Trust
from remit.core.lookup import Lookup, identifies
from remit.core.named import Naming
from remit.core.quotation import unquoted
from remit.core.record import Paths, Reading
from remit.core.remembered import CAPACITY, RECORD_MASK, Remembered
from remit.core.taking import Taking
from remit.core.tool import ArgumentRole, Effect, Tool
from remit.core.utterance import Utterance, asking, without_left_out
from remit.core.word import name_words, stems_of

Json = Any

KEY_BYTES = 32
MAX_ARGUMENT_LEAVES = 2_000
# Names of their own: each look at a class of constants costs the interpreter a search.
_UNTRUSTED, _DESTINATION = Trust.UNTRUSTED, ArgumentRole.DESTINATION
_TEXT, _HOST = DestinationKind.TEXT, DestinationKind.HOST
_INTENT, _BY_OTHERS = Provenance.INTENT, Provenance.UNTRUSTED


class Index:
    """What one task has met. Not for several threads; its owner keeps it beside the live task."""

    def __init__(self, key: bytes, *, capacity: int = CAPACITY, above: Index | None = None) -> None:
        """Begin with nothing met; `key` is random and of this task alone. `above` is the index of the task
        that this one was handed down from: what was met there keeps its provenance here.
        """
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key of an index is {KEY_BYTES} bytes")
        self._above = above
        self._kept = Remembered(key, capacity)
        self._stated: dict[int, Stated] = {}
        self._spent: dict[int, tuple[str, str]] = {}
        self._paths = Paths()
        #: What the person has said.
        self.utterance = Utterance()
        self.naming = Naming(self.utterance)

    @property
    def full(self) -> bool:
        """Whether something was met that could not be remembered: nothing is trusted for being known then."""
        return self._kept.full

    @full.setter
    def full(self, full: bool) -> None:
        self._kept.full = full

    def __len__(self) -> int:
        """Count the values that are remembered of results."""
        return len(self._kept)

    @property
    def size_bytes(self) -> int:
        """What is remembered of results takes so much memory, about."""
        return self._kept.size_bytes + self.naming.size_bytes + self._paths.size_bytes

    def child(self, key: bytes) -> Index:
        """Give the index of a task that is handed down from this one."""
        return Index(key, capacity=self._kept.capacity, above=self)

    def untrusted(self, most: int = MAX_MET) -> list[Met]:
        """Give where untrusted data came from: of the first calls that brought some, one place each."""
        return self._kept.untrusted(most)

    def state(self, goal: str, params: Mapping[str, Json]) -> None:
        """Take the intent in: the person's words, and typed parameters. A later turn is taken in likewise."""
        for found in (*within(without_left_out(unquoted(goal))), whole(goal)):
            self._stated.setdefault(self._kept.digest(found), Stated())
        self.utterance.hear(goal)
        for name, value in params.items():
            for leaf in leaves(value):
                # A parameter counts more than a mention of the same value.
                self._stated[self._kept.digest(whole(leaf))] = Stated(name)
                for found in within(leaf):
                    self._stated.setdefault(self._kept.digest(found), Stated(name))
                self.utterance.hear(leaf)

    def learn(
        self,
        result: Json,
        *,
        call: int,
        decision: str,
        tool: Tool,
        arguments: dict[str, Json],
        given: Mapping[str, Justification] | None = None,
        read: Wholes | None = None,
        marked: AbstractSet[int] = frozenset(),
        seen: set[Label] | None = None,
    ) -> Iterator[None]:
        """Take the result of a call in, in pieces: go to the end before the result is released.

        `call` counts the task's calls from 1. `given` is what was known of its arguments when it was decided
        (what is not in it is judged anew), `read` what `judge` has read of them. What has something `marked`
        is untrusted. The labels that the tool's description gives to what occurred are added to `seen`.
        """
        arguments = tool.parts(arguments)
        given = given or {}
        given = {name: given.get(name) or self.judge(one, tool, name) for name, one in arguments.items()}
        lookup = Lookup(tool, arguments, given, self.utterance, read or {})
        taking = Taking(self._kept, self.naming, lookup, call=call, decision=decision, marked=marked)
        return taking.take(Reading(result, tool, self._paths, seen))

    def spend(self, tool: Tool, arguments: dict[str, Json]) -> bool:
        """Note that a permitted call uses what the intent states: each value is for one purpose. Says whether
        one was used for another before, and somebody else wants it used, too.
        """
        spent = False
        for name, value in tool.parts(arguments).items():
            spec = tool.arguments.get(name)
            if spec is None or spec.role is not _DESTINATION:
                continue
            mine = (tool.id, name)
            for leaf in leaves(value):
                for piece in several(leaf):
                    if len(piece) > MAX_WHOLE:
                        continue
                    found = whole(piece)
                    digest = self._kept.digest(found)
                    if self._of_intent(found, digest, tool, name, ()) is None:
                        continue
                    if self._spent.setdefault(digest, mine) != mine:
                        spent = spent or self.judge_one(piece, tool, name).spent
        return spent

    def sever(self, gone: Index) -> bool:
        """Forget what was met in an index above, if there: nothing is trusted for being met then."""
        cut = self._above is gone or (self._above is not None and self._above.sever(gone))
        self._above = None if self._above is gone else self._above
        self.full = self.full or cut
        return cut

    def judge(
        self, value: Json, tool: Tool | None = None, name: str = "", read: Wholes | None = None
    ) -> Justification:
        """Say where an argument's value came from; of a list or an object, the worst of what it holds. `tool`
        and `name` say which argument of which tool asks: a short number is an id only to some. What texts are
        as a whole is added to `read`.
        """
        if isinstance(value, str) and len(pieces := several(value)) == 1:
            return self.judge_one(pieces[0], tool, name, read)
        judged: Justification | None = None
        for count, leaf in enumerate(leaves(value)):
            if count >= MAX_ARGUMENT_LEAVES:
                return NOTHING
            for piece in several(leaf):
                one = self.judge_one(piece, tool, name, read)
                judged = one if judged is None else judged.join(one)
        return judged or NOTHING

    def foreign(self, value: Json, *, named: bool) -> bool:
        """Whether a text carries an address or link that untrusted data brought in and that stands neither
        in the intent, nor in a trusted field; with `named` also if the intent names the source.
        """
        for leaf in (value,) if isinstance(value, str) else leaves(value):
            for found in within(leaf):
                # A host alone looks like the name of a file; that of a new URL does not.
                if found.kind is not _HOST and (
                    self.brought_by_others(found, named=named) or self._may_be_foreign(found, named=named)
                ):
                    return True
        return False

    def brought_by_others(self, found: Destination, *, named: bool = False) -> bool:
        """Whether only untrusted data holds a destination: what the intent names too, with `named`."""
        digest = self._kept.digest(found)
        if digest in self._stated:
            return False
        kept = self._kept.spots_of(digest)
        if not kept:
            return self._above is not None and self._above.brought_by_others(found, named=named)
        return all(self._kept.trust(one) is _UNTRUSTED for one in kept) and (
            named or not any(self.naming.reach(one & RECORD_MASK) is Reach.NAMED for one in kept)
        )

    def _may_be_foreign(self, found: Destination, *, named: bool) -> bool:
        """Whether nobody is known to have brought it, and its host is foreign, or not all is known."""
        digest = self._kept.digest(found)
        if digest in self._stated or self._kept.spots_of(digest):
            return False
        return self.full or any(
            one.kind is _HOST and self.brought_by_others(one, named=named)
            for one in (within(found.normal) if found.kind is DestinationKind.URL else ())
        )

    def used(self, tool: Tool, name: str) -> bool:
        """Whether an argument of a tool has been given a destination that the intent states."""
        mine = (tool.id, name)
        return any(one == mine and digest in self._stated for digest, one in self._spent.items())

    def holds_number(self, number: str, call: int) -> bool:
        """Whether the result of a call holds a number, as a field or in a text that the intent points to."""
        kept = self._kept.spots(Destination(_TEXT, number))
        return any(self._kept.place_of(one).met.call == call for one in kept)

    def judge_one(self, text: str, tool: Tool | None, name: str, read: Wholes | None = None) -> Justification:
        """Say where a single text came from."""
        if len(text) > MAX_WHOLE:
            return self._holding(text, tool, name) or NOTHING
        found = whole(text)
        if read is not None:
            read[text] = found
        if not found.normal:
            return NOTHING
        digest = self._kept.digest(found)
        kept = self._kept.spots_of(digest)
        if self._above is not None:
            above = self._above.judge_one(text, tool, name)
            if not kept or above.provenance is _BY_OTHERS:
                stated = self._of_intent(found, digest, tool, name, ())
                return stated or above
        origins = tuple([self._kept.place_of(one).met for one in kept]) if kept else ()
        stated = self._of_intent(found, digest, tool, name, origins)
        if stated is not None:
            return stated
        reached = self._reached(kept, found, tool, name) if kept else None
        if reached is not None and not self.full:
            return reached
        untrusted = bool(origins) and any(one.trust is _UNTRUSTED for one in origins)
        mention = None if untrusted else self._kept.mentioned(found)
        if mention is not None:
            # What is mentioned is mentioned by untrusted text.
            origins = (self._kept.places[mention].met, *origins)[:MAX_MET]
        if untrusted or mention is not None:
            return self._pointed(kept, mention, found, origins)
        if not origins and found.kind is DestinationKind.URL:
            return self._below_host(found)
        if origins and not self.full:
            return msgspec.structs.replace(
                self._source(kept, found),
                provenance=Provenance.TRUSTED,
                origins=origins,
                closed=self._contradicts(kept),
            )
        return self._holding(text, tool, name) or Justification(Provenance.UNKNOWN, None, origins)

    def _holding(self, text: str, tool: Tool | None, name: str) -> Justification | None:
        """Say of a destination or code that is not known as a whole where an address or link in it came from,
        if others brought it.
        """
        spec = None if tool is None else tool.arguments.get(name)
        if spec is None or spec.role not in (_DESTINATION, ArgumentRole.CODE):
            return None
        for one in within(text):
            if (one.kind is not _HOST or spec.role is _DESTINATION) and self.brought_by_others(one):
                spots = self._kept.spots(one)
                return Justification(_BY_OTHERS, None, tuple(self._kept.place_of(spot).met for spot in spots))
        return None

    def _below_host(self, found: Destination) -> Justification:
        """Say of a URL that nobody has brought: it goes to its host, and that one may be known."""
        host = next((one for one in within(found.normal) if one.kind is _HOST), None)
        if host is not None and self.utterance.says(host.normal):
            return Justification(_INTENT, Stated(), reach=Reach.NAMED)
        spots = () if host is None else self._kept.spots(host)
        origins = tuple(self._kept.place_of(one).met for one in spots)
        untrusted = any(one.trust is _UNTRUSTED for one in origins)
        return Justification(_BY_OTHERS if untrusted else Provenance.UNKNOWN, None, origins)

    def _of_intent(
        self, found: Destination, digest: int, tool: Tool | None, name: str, origins: tuple[Met, ...]
    ) -> Justification | None:
        stated = self._stated.get(digest)
        if stated is None and found.kind is _TEXT and self._says(found.normal, tool, name):
            stated = Stated()
        if stated is None or (_leads_out(tool, name) and self.utterance.only_sends(found.normal)):
            return None
        spent = False
        if tool is not None and not stated.parameter:
            # Others want it used too: it is used for what it was stated for alone.
            if any(one.trust is _UNTRUSTED for one in origins):
                used = self._spent.get(digest, (tool.id, name))
                spent = used != (tool.id, name) or not self.utterance.asks_near(found.normal, *asking(tool))
            elif tool.selects(name) and self._kept.mentioned(found) is not None:
                spent = not self.utterance.asks_for(found.normal, *asking(tool))
        return Justification(_INTENT, stated, origins, Reach.NAMED, spent=spent)

    def _says(self, normal: str, tool: Tool | None, name: str) -> bool:
        """Whether the person's words hold a text whole, from word to word."""
        if len(normal) <= 4 and normal.isdecimal() and tool is not None:
            nouns = frozenset(stem(one) for one in (*name_words(tool.name), *name_words(name)))
            return self.utterance.names_number(normal, nouns)
        # `the`, `my` and their like name nothing.
        return self.utterance.says(normal) and (
            normal == "me" or bool(stems_of(normal)) or any(map(str.isdigit, normal))
        )

    def _reached(
        self, kept: tuple[int, ...], found: Destination, tool: Tool | None, name: str
    ) -> Justification | None:
        """Find the value in a trusted field of a record that the intent names, and no other one beside it."""
        for one in kept:
            record, place = one & RECORD_MASK, self._kept.place_of(one)
            if place.met.trust is _UNTRUSTED or self.naming.reach(record) is not Reach.NAMED:
                continue
            if not identifies(found, place.name, place.tool, tool, name):
                continue
            if found.kind is _TEXT and not self.naming.firm(record) and _leads_out(tool, name):
                # Whoever is answered there may have named the record themselves.
                continue
            choice = self.naming.choice(record, place.met.field)
            alone = choice <= 1 and not self.naming.collected(record)
            if alone or (self.naming.many(place.met.call) and self._of_many(tool)):
                met = place.met
                return Justification(Provenance.TRUSTED, None, (met,), Reach.NAMED, met.call, max(choice, 1))
        return None

    def _of_many(self, tool: Tool | None) -> bool:
        """Whether a tool may do with all what it does: it only reads, or the words ask for that."""
        return tool is None or tool.effect is Effect.NONE or self.utterance.asks_of_many(*asking(tool))

    def _pointed(
        self, kept: tuple[int, ...], mention: int | None, found: Destination, origins: tuple[Met, ...]
    ) -> Justification:
        """Say of an untrusted value in which source it stands that the intent points to, if in any."""
        where = self._source(kept, found)
        if not where.source and mention is not None:
            call = self._kept.places[mention].met.call
            if (reach := self.naming.best(call)) is not Reach.NONE:
                where = Justification(
                    _BY_OTHERS, None, (), Reach.MENTIONED, call, 1, near=reach is Reach.NAMED
                )
        return msgspec.structs.replace(where, origins=origins, mentioned=mention is not None)

    def _source(self, kept: tuple[int, ...], found: Destination) -> Justification:
        """Say how the intent leads to where a value stands, and how many like it stand there."""
        best = Justification(_BY_OTHERS)
        for one in kept:
            record, place = one & RECORD_MASK, self._kept.place_of(one)
            led = self.naming.reach(record)
            if led is Reach.NONE:
                continue
            field = place.met.trust is Trust.TRUSTED
            reach = Reach.POINTED if field else Reach.MENTIONED
            count = (
                self.naming.choice(record, place.met.field)
                if field
                else self.naming.candidates(record, found.kind)
            )
            if (reach, -max(count, 1)) > (best.reach, -best.candidates):
                best = Justification(
                    _BY_OTHERS,
                    reach=reach,
                    source=place.met.call,
                    candidates=max(count, 1),
                    near=led is Reach.NAMED,
                )
        return best

    def _contradicts(self, kept: tuple[int, ...]) -> bool:
        """Whether the intent picks others of the records among which a trusted value stands."""
        trusted = [one for one in kept if self._kept.trust(one) is Trust.TRUSTED]
        return bool(trusted) and all(
            self.naming.picked(self._kept.place_of(one).met.call)
            and self.naming.reach(one & RECORD_MASK) is Reach.NONE
            for one in trusted
        )


def _leads_out(tool: Tool | None, name: str) -> bool:
    spec = None if tool is None else tool.arguments.get(name)
    return spec is not None and spec.role is _DESTINATION
