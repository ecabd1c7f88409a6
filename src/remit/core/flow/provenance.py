# SPDX-License-Identifier: Apache-2.0
"""Provenance: where a value of a call came from in this task.

An `Index` holds what a task has met: what its intent states, and for each result the values in it, with tool,
field and trust. For an argument it returns `intent`, `trusted`, `untrusted` or `unknown`, the calls that the
value came from, and whether the intent leads there. It holds keyed digests, never values.

INVARIANT: two readings serve two purposes. Only the strict reading (`core.flow.values.strict_reading`)
establishes that a value is from the intent, is trusted, or is in a source that the intent points to. The
lenient reading (`core.flow.values.destination`) finds where untrusted text brought the same value in another
form, and establishes nothing that permits.

How the intent leads to a value (`Reach`): it names the record that holds the value
(`core.flow.records.naming`), or it states the key by which that record was looked up. A value from a trusted
field of such a record is as good as stated, if it is the only one. A value from an untrusted field is
*pointed* at; a person may be asked about it.

Limits: a value that the model already knew, or made from others, is not recognised. Such a value is
`unknown`. The task's label, not this index, guards against disclosure of what was read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from itertools import islice

import msgspec

from remit.core.cooperative_steps import Steps, finish
from remit.core.flow.arguments.argument_walk import is_long, is_one, walk
from remit.core.flow.intake import Intake
from remit.core.flow.intent_references import contradicts, is_among, pointed, source_of
from remit.core.flow.justification import (
    MAX_MET,
    NOTHING,
    Encounter,
    Justification,
    Provenance,
    Reach,
    Stated,
    leaves,
)
from remit.core.flow.language.amounts import is_number
from remit.core.flow.language.tool_verbs import asking, asking_widely
from remit.core.flow.language.utterance import Utterance
from remit.core.flow.language.word_forms import name_words, number_of
from remit.core.flow.memory import CAPACITY, RECORD_MASK, VALUE_BYTES, TaskRecords
from remit.core.flow.one_time_codes import ArrivedCodes
from remit.core.flow.person_arguments import origins_of
from remit.core.flow.record_facts import learn_facts
from remit.core.flow.records.facts import RecordFacts
from remit.core.flow.records.lookup import Lookup, identifies, is_number_of_something
from remit.core.flow.records.naming import Naming
from remit.core.flow.records.participants import ReadParticipants, learn_participants, stated_people
from remit.core.flow.records.persons import Persons
from remit.core.flow.records.record import Paths, Reading
from remit.core.flow.stated_values import Statement, leads_out
from remit.core.flow.untainted_values import CleanValues, counts, for_itself, improved, named_part
from remit.core.flow.untrusted_values import brought_by_others, untrusted_part
from remit.core.flow.values.destination import Destination, Wholes, whole, within
from remit.core.flow.values.kinds import KindOfValue
from remit.core.flow.values.strict_reading import BLANKS, MAX_EXACT, ExactValue, exact
from remit.core.json_value import Json
from remit.core.label import Label, Trust
from remit.core.tools.tool import ArgumentRole, Effect, Tool

KEY_BYTES = 32
MAX_ARGUMENT_LEAVES = 2_000
# Module-level names: each attribute lookup on an enum class costs the interpreter a search.
_UNTRUSTED, _DESTINATION = Trust.UNTRUSTED, ArgumentRole.DESTINATION
_TEXT, _HOST = KindOfValue.TEXT, KindOfValue.HOST
_INTENT, _BY_OTHERS = Provenance.INTENT, Provenance.UNTRUSTED


_NUMBERS = re.compile(r"\d[\d.,]*")


class Index:
    """What one task has met. Not thread-safe; its owner keeps it with the live task."""

    def __init__(self, key: bytes, *, capacity: int = CAPACITY, above: Index | None = None) -> None:
        """Begin empty; `key` is random and belongs to this task alone.

        `above` is the index of the task that delegated this one: what that task met keeps its provenance
        here.
        """
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key of an index is {KEY_BYTES} bytes")
        self.above = above
        self.kept = TaskRecords(key, capacity)
        #: Whether the result of a permitted call went to the agent unseen.
        self.unseen: bool = above is not None and above.unseen
        #: Memories of what the same agent has read elsewhere. Their untrusted values are untrusted here, too;
        #: nothing is trusted for their sake.
        self.beside: tuple[Index, ...] = ()
        self._paths = Paths()
        #: The person's statements.
        self.statement = Statement()
        self.naming = Naming(self.statement.utterance)
        #: Values that were used before anything untrusted was read.
        self.clean = CleanValues(key)
        #: To whom the records of results belong.
        self.persons = Persons()
        self.facts = RecordFacts()
        #: One-time codes: a task and the tasks below it share what they have met and used.
        self.codes: ArrivedCodes = ArrivedCodes(key) if above is None else above.codes
        #: Participants of stored things: shared in the same way.
        self.participants: ReadParticipants = ReadParticipants() if above is None else above.participants

    @property
    def utterance(self) -> Utterance:
        """The person's words."""
        return self.statement.utterance

    @property
    def full(self) -> bool:
        """Whether something was met that could not be remembered. If so, no value is trusted because it is
        known.
        """
        return self.kept.full

    @full.setter
    def full(self, full: bool) -> None:
        self.kept.full = full

    def __len__(self) -> int:
        """Return the number of values that are remembered from results."""
        return len(self.kept)

    @property
    def size_bytes(self) -> int:
        """Approximate memory of what is remembered from results."""
        kept = self.kept.size_bytes + self.naming.size_bytes + self._paths.size_bytes
        kept += self.persons.size_bytes + self.facts.size_bytes + len(self.clean) * VALUE_BYTES
        shared = self.codes.size_bytes + self.participants.size_bytes
        return kept + shared if self.above is None else kept

    def child(self, key: bytes) -> Index:
        """Return the index for a task that this task delegates."""
        return Index(key, capacity=self.kept.capacity, above=self)

    def untrusted(self, most: int = MAX_MET) -> list[Encounter]:
        """Return sources of untrusted data: one place for each of the first `most` calls that returned
        some.
        """
        return self.kept.untrusted(most)

    def state(self, goal: str, params: Mapping[str, Json]) -> None:
        """Add the intent: the person's words and typed parameters. A later user message is added in the same
        way.
        """
        self.statement.take(goal, params)
        self.persons.take(params)
        if self.above is None:
            for text in (goal, *leaves(dict(params))):
                self.codes.hear(text)

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
    ) -> Steps[None]:
        """Take in the result of a call, in steps. The caller must run it to the end before it releases the
        result.

        `call` counts the task's calls from 1. `given` is what was known of the arguments at the decision
        (other arguments are judged again), `read` what `judge` has read of them. A leaf with a `marked` value
        is untrusted. The labels that the tool's description gives to the fields that occurred are added to
        `seen`.
        """
        known: dict[str, Justification] = {}
        arguments = tool.parts(arguments)
        for name, one in arguments.items():
            before = given.get(name) if given else None
            known[name] = for_itself(before or (yield from self.judging(one, tool, name, None)))
        lookup = yield from Lookup(tool, arguments, known, self.utterance, read or {}).take()
        lookup.search = self._search_for(arguments, known)
        self.clean.look_up(call, tool, arguments)
        brought = partial(brought_by_others, self, named=True)
        taking = Intake(
            self.kept,
            self.naming,
            lookup,
            call=call,
            decision=decision,
            marked=marked,
            brought_by_others=brought,
        )
        reading = Reading(result, tool, self._paths, seen)
        yield from taking.take(reading)
        yield
        if not self.persons.idle:
            origins = origins_of(self, tool, arguments)
            yield from self.persons.settle(taking.now, reading.above, lookup, arguments, origins)
        yield from learn_facts(self, taking.now, reading, lookup, arguments, marked)
        yield from self.codes.take(result, tool)
        yield from learn_participants(self, result, tool, arguments, lookup, marked)
        yield from taking.now.let_go()

    def spend(self, tool: Tool, arguments: dict[str, Json]) -> bool:
        """Record that a permitted call uses values that the intent states: each value serves one purpose.

        Returns whether a value was used for another purpose before while untrusted data wants it used, too.
        """
        spent = False
        for person in stated_people(self, tool, arguments):
            by = tool.stored_destination.by[0] if tool.stored_destination else ""
            if self.statement.of(person, tool, by) is not None and self.statement.spend(
                person, (tool.id, by)
            ):
                spent = spent or self.judge_one(person, tool, by).spent
        self.participants.begin(tool, tool.parts(arguments))
        for name, value in tool.parts(arguments).items():
            spec = tool.arguments.get(name)
            if spec is not None and spec.one_time is not None and not self.judge(value, tool, name).reached:
                spent = self.codes.use(value) or spent
            if spec is None or spec.role is not _DESTINATION:
                continue
            mine = (tool.id, name)
            # Pieces beyond this limit count as not from the intent.
            for piece in islice(filter(None, walk(value, tool, name)), MAX_ARGUMENT_LEAVES):
                if tool.effect is Effect.NONE and not is_long(piece):
                    self.kept.fetched.add(self.kept.digest_exact(exact(piece)))
                if is_long(piece) or self.statement.of(piece, tool, name) is None:
                    continue
                if self.statement.spend(piece, mine):
                    spent = spent or self.judge_one(piece, tool, name).spent
        return spent

    def sever(self, gone: Index) -> bool:
        """Forget an index above this one, if it is there: after that, no value is trusted because it is
        known.
        """
        cut = self.above is gone or (self.above is not None and self.above.sever(gone))
        self.above = None if self.above is gone else self.above
        if gone in self.beside:
            self.beside = tuple(one for one in self.beside if one is not gone)
            self.unseen = True
        self.full = self.full or cut
        return cut

    def judge(
        self, value: Json, tool: Tool | None = None, name: str = "", read: Wholes | None = None
    ) -> Justification:
        """Return the same as `judging`, at once."""
        return finish(self.judging(value, tool, name, read))

    def judging(self, value: Json, tool: Tool | None, name: str, read: Wholes | None) -> Steps[Justification]:
        """Return where an argument's value came from; for a list or an object, the worst of its values.

        `tool` and `name` identify the argument that uses the value: a short number is an id only for some
        arguments. The whole texts that are read are added to `read`.
        """
        amount = _is_amount(tool, name)
        judge_one = self._judge_amount if amount else self.judge_one
        unread = msgspec.structs.replace(NOTHING, differs=amount)
        if is_one(value):
            return judge_one(value, tool, name, read)
        judged: Justification | None = None
        count = 0
        for text in walk(value, tool, name):
            if text is None:
                yield
                continue
            if (count := count + 1) > MAX_ARGUMENT_LEAVES:
                return unread
            if is_long(text):
                one = (yield from untrusted_part(self, text, tool, name)) or unread
            else:
                one = judge_one(text, tool, name, read)
            judged = one if judged is None else judged.join(one)
        return judged or NOTHING

    def holds_number(self, number: str, call: int) -> bool:
        """Return whether the result of a call holds a number, as a field or in a text that the intent points
        to.
        """
        kept = self.kept.spots(Destination(_TEXT, number))
        return any(self.kept.place_of(one).met.call == call for one in kept)

    def judge_one(self, text: str, tool: Tool | None, name: str, read: Wholes | None = None) -> Justification:
        """Return where a single text of at most `MAX_WHOLE` characters came from."""
        found = whole(text)
        if read is not None:
            read[text] = found
        return self.judge_read(text, found, exact(text), tool, name) if found.normal else NOTHING

    def judge_read(
        self, text: str, found: Destination, used: ExactValue, tool: Tool | None, name: str
    ) -> Justification:
        """Return where a text came from; `found` and `used` are the results of its two readings."""
        judged = self._met(text, found, used, tool, name)
        for other in self.beside if judged.provenance is Provenance.UNKNOWN else ():
            read = other.judge_read(text, found, used, tool, name)
            if read.provenance is _BY_OTHERS:
                return read
        if tool is None or judged.reached or judged.closed or self.full or not counts(tool, name):
            return judged
        return improved(judged, self.untainted_values(), text, used, tool, name)

    def untainted_values(self) -> dict[CleanValues, Statement]:
        """Return the clean values of this task and the tasks above it, each with what was stated there."""
        held = {} if self.above is None or self.above.full else self.above.untainted_values()
        held[self.clean] = self.statement
        return held

    def _met(
        self, text: str, found: Destination, used: ExactValue, tool: Tool | None, name: str
    ) -> Justification:
        """Return where a text came from, by what was met and what is stated."""
        traces = self.kept.spots(found)
        if self.above is not None:
            above = self.above.judge_read(text, found, used, tool, name)
            if not traces or above.provenance is _BY_OTHERS:
                return self._of_intent(text, found, used, tool, name, ()) or above
        origins = tuple([self.kept.place_of(one).met for one in traces]) if traces else ()
        stated = self._of_intent(text, found, used, tool, name, origins)
        if stated is not None:
            return stated
        spots = self.kept.exact_spots(used)
        reached = self._reached(spots, used, tool, name) if spots else None
        if reached is not None and not self.full:
            return reached
        untrusted = any(one.trust is _UNTRUSTED for one in origins)
        mention = None if untrusted else self.kept.mentioned(found)
        if mention is not None:
            # Only untrusted text counts as a mention.
            origins = (self.kept.places[mention].met, *origins)[:MAX_MET]
        if (untrusted or mention is not None) and not self._led_to(spots, used, tool, name):
            return pointed(self, spots, mention, found, used, origins, tool, name)
        if not origins and (used.kind is KindOfValue.URL or found.kind is KindOfValue.URL):
            return self._below_host(text, found, tool, name)
        if not self.full and any(self.kept.trust(one) is not _UNTRUSTED for one in spots):
            return self._trusted(spots, traces, found, used, origins, tool, name)
        held = finish(untrusted_part(self, text, tool, name))
        return held or Justification(Provenance.UNKNOWN, None, origins)

    def _trusted(
        self,
        spots: tuple[int, ...],
        traces: tuple[int, ...],
        found: Destination,
        used: ExactValue,
        origins: tuple[Encounter, ...],
        tool: Tool | None,
        name: str,
    ) -> Justification:
        where = source_of(self, spots, found, used, tool, name)
        return msgspec.structs.replace(
            where,
            provenance=Provenance.TRUSTED,
            origins=origins,
            free=False,
            closed=where.closed or contradicts(self, traces, used, tool, name),
            among=not where.sources and is_among(self, spots),
        )

    def _led_to(self, spots: tuple[int, ...], used: ExactValue, tool: Tool | None, name: str) -> bool:
        """Return whether a selector is the id of a record to which the intent leads, in a trusted field."""
        if self.full or tool is None or not tool.selects(name):
            return False
        return any(
            place.met.trust is not _UNTRUSTED
            and self.naming.leads_to(one & RECORD_MASK)
            and identifies(used.normal, place.name, place.tool, tool, name)
            for one, place in ((one, self.kept.place_of(one)) for one in spots)
        )

    def _judge_amount(
        self, text: str, tool: Tool | None, name: str, read: Wholes | None = None
    ) -> Justification:
        """Return where an amount came from, and whether the person stated another amount."""
        stated, differs = self.statement.how_much(text, tool, name)
        return self._how_much(stated, text, tool, name, differs=differs)

    def _how_much(
        self, stated: bool, text: str, tool: Tool | None, name: str, *, differs: bool
    ) -> Justification:
        if stated:
            return Justification(_INTENT, Stated(), reach=Reach.NAMED)
        number = number_of(text)
        found = self.judge_one(number or text, tool, name)
        if found.provenance is _INTENT or is_number_of_something(found):
            # A number that identifies an item (`invoice 9999`, a field `customer_no`) is no amount.
            found = Justification(Provenance.UNKNOWN, None, found.origins)
        numbers = (number,) if number else map(number_of, _NUMBERS.findall(text[:MAX_EXACT]))
        places = map(self.kept.mentioned_number, numbers)
        place = next((one for one in places if one is not None), None)
        if place is not None and not found.reached and found.provenance is not _BY_OTHERS:
            met = self.kept.places[place].met
            found = msgspec.structs.replace(
                found, provenance=_BY_OTHERS, origins=(met, *found.origins)[:MAX_MET]
            )
        return msgspec.structs.replace(found, differs=differs and not found.reached)

    def _below_host(self, text: str, found: Destination, tool: Tool | None, name: str) -> Justification:
        """Return the justification of a URL that no result contained: it leads to its host, which may be
        known.
        """
        if host := self.statement.host(text):
            elsewhere = self.statement.elsewhere(host, Stated(words=host), tool, name)
            return Justification(_INTENT, Stated(), reach=Reach.NAMED, elsewhere=elsewhere)
        hosts = [one for one in within(found.normal) if one.kind is _HOST]
        origins = tuple(self.kept.place_of(spot).met for one in hosts for spot in self.kept.spots(one))
        untrusted = any(one.trust is _UNTRUSTED for one in origins)
        for one in hosts if untrusted and text.strip(BLANKS).casefold() == found.normal else ():
            # A host alone is a link where the words speak of a link in that record.
            used = exact(one.normal)
            led = tuple(
                spot
                for spot in self.kept.exact_spots(used)
                if found.normal == f"https://{one.normal}" and self.naming.speaks_of_link(spot & RECORD_MASK)
            )
            if led:
                return pointed(self, led, None, one, used, origins[:MAX_MET], tool, name)
        return Justification(_BY_OTHERS if untrusted else Provenance.UNKNOWN, None, origins[:MAX_MET])

    def _of_intent(
        self,
        text: str,
        found: Destination,
        used: ExactValue,
        tool: Tool | None,
        name: str,
        origins: tuple[Encounter, ...],
    ) -> Justification | None:
        statement = self.statement
        stated = statement.of(text, tool, name, used)
        if stated is None:
            return self._oneself(used, tool, name, origins)
        spent = False
        if tool is not None and not stated.parameter:
            # Untrusted data holds the value, too: the value may then be used only for its stated purpose.
            crossed = any(one.trust is _UNTRUSTED for one in origins)
            spent = crossed and statement.spent_by_others(text, (tool.id, name))
            if (crossed or tool.selects(name)) and tool.effect is not Effect.NONE:
                words = stated.words or text
                # What the words define is meant for a request in another clause.
                led = leads_out(tool, name) and statement.defines(words, used)
                spent = spent or (not led and self.utterance.asks_for(words, asking(tool)) is False)
        elsewhere = statement.elsewhere(text, stated, tool, name, used)
        if elsewhere and not leads_out(tool, name):
            # The person stated the value, but not for this use.
            return Justification(Provenance.UNKNOWN, None, origins)
        return Justification(_INTENT, stated, origins, Reach.NAMED, spent=spent, elsewhere=elsewhere)

    def is_own(self, used: ExactValue) -> bool:
        """Return whether a value is an account, an address or an id of the person behind the task."""
        return self.kept.is_own(used) or (self.above is not None and self.above.is_own(used))

    def _oneself(
        self, used: ExactValue, tool: Tool | None, name: str, origins: tuple[Encounter, ...]
    ) -> Justification | None:
        """Return the justification of the person's own value, if the words ask for a call to the person."""
        if tool is None or not self.is_own(used) or self.statement.holds(used):
            # What the person states is stated for one purpose, also where it is the person's own.
            return None
        # `Delete my notes` does not mean the person's whole account.
        chosen = tool.selects(name) and tool.effect is Effect.REVERSIBLE
        if not (chosen or leads_out(tool, name)):
            return None
        if not self.utterance.clauses.ask_for_oneself(asking(tool), asking_widely(tool), things=not chosen):
            return None
        return Justification(_INTENT, Stated(), origins, Reach.NAMED, own=True)

    def _reached(
        self, spots: tuple[int, ...], used: ExactValue, tool: Tool | None, name: str
    ) -> Justification | None:
        """Return the value's justification by a trusted field of a record that the intent names, if it is
        unique.
        """
        for one in spots:
            record, place = one & RECORD_MASK, self.kept.place_of(one)
            if place.met.trust is _UNTRUSTED or self.naming.reach(record) is not Reach.NAMED:
                continue
            if not identifies(used.normal, place.name, place.tool, tool, name):
                continue
            if used.kind is KindOfValue.TEXT and not self.naming.firm(record) and leads_out(tool, name):
                # The recipient may have named the record.
                continue
            if leads_out(tool, name) and (
                self.naming.is_of_another(record, place.met.field)
                or not self.naming.beside(record, place.met.field)
            ):
                continue
            number = _is_amount(tool, name) and is_number(name_words(place.name))
            names = self.naming.names(record, place.met.field if leads_out(tool, name) else "")
            if number or not self.statement.meant(names, used, tool, name):
                continue
            if not self._asked_of(record, tool, name):
                continue
            choice = self.naming.choice(record, place.met.field)
            alone = choice <= 1 and not self.naming.collected(record)
            if alone or (self.naming.many(place.met.call) and self._of_many(tool)):
                met = place.met
                calls = frozenset((met.call,))
                return Justification(
                    Provenance.TRUSTED, None, (met,), Reach.NAMED, calls, max(choice, 1), structured=True
                )
        return None

    def _asked_of(self, record: int, tool: Tool | None, name: str) -> bool:
        """Return whether the words ask for a change of a record that words of a search name."""
        if tool is None or not tool.selects(name) or not (by := self.naming.search(record)):
            return True
        return self.utterance.clauses.ask_of(self.naming.names(record), asking(tool), by)

    def _search_for(
        self, arguments: Mapping[str, Json], known: Mapping[str, Justification]
    ) -> tuple[frozenset[str], frozenset[str]] | None:
        """Return the words of the search that found the key of a lookup, and the stems of its tool's name."""
        if not self.naming.searched:
            return None
        keys = [
            text
            for name, value in arguments.items()
            if known[name].reached and known[name].provenance is Provenance.TRUSTED
            for text in islice(leaves(value), MAX_MET)
        ]
        for text in keys:
            for one in self.kept.exact_spots(exact(text)):
                if by := self.naming.search(one & RECORD_MASK):
                    return self.naming.names(one & RECORD_MASK), by
        return None

    def states_address(self, text: str) -> bool:
        """Return whether the intent states a whole web address, not only its host."""
        used = exact(text)
        return used.kind is KindOfValue.URL and self.statement.holds(used)

    def words_for(self, text: str, tool: Tool, name: str) -> frozenset[str]:
        """Return the person's words that state a value, or that name the records from which it is reached."""
        used = exact(text)
        if (stated := self.statement.of(text, tool, name, used)) is not None:
            return frozenset((stated.words or text,))
        found = frozenset[str]()
        for one in self.kept.exact_spots(used):
            record, met = one & RECORD_MASK, self.kept.place_of(one).met
            if met.trust is not _UNTRUSTED and self.naming.reach(record) is Reach.NAMED:
                found |= self.naming.names(record, met.field)
            elif (hint := self.naming.hint(record)) is not None:
                found |= self.naming.hinted(hint).said
        part = named_part(self.untainted_values(), text, tool, name)
        return found | {part} if part else found

    def _of_many(self, tool: Tool | None) -> bool:
        """Return whether a tool may act on many: it only reads, or the words ask for its action on many."""
        return tool is None or tool.effect is Effect.NONE or self.utterance.asks_of_many(asking(tool))


def _is_amount(tool: Tool | None, name: str) -> bool:
    spec = None if tool is None else tool.arguments.get(name)
    return spec is not None and spec.role is ArgumentRole.AMOUNT
