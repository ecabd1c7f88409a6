# SPDX-License-Identifier: Apache-2.0
"""Participants of stored things: the people that a call reaches that names a thread or an event alone.

A tool file says which reads show them (`stored_destination.read_by`, and fields marked `participant`). What a
read of this task showed decides the audience of the call, and whether the intent states its destination.

INVARIANT: a read counts only if it selected that thing and nothing less: other arguments may leave people
out. Every participant must be in a trusted field that repeats no doubtful argument, and only for as long as
no call of the task could have changed them. A task and the tasks below it share what they have read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Protocol

import msgspec

from remit.core.cooperative_steps import Steps
from remit.core.flow.justification import Justification, Provenance, bare
from remit.core.flow.records.field_labels import FieldLabels, spelled
from remit.core.flow.records.lookup import Lookup
from remit.core.flow.records.record import Reading
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tools.constraint import Verdict
from remit.core.tools.tool import ArgumentRole, Effect, Narrowing, Tool

MAX_THINGS = 2_000
"""Things of one task whose participants are kept; the oldest are dropped first."""
MAX_PEOPLE = 200
"""Participants of one thing; of more, it is not known who they are."""
MAX_TEXT = 200
"""Longest participant and longest id of a thing, in characters."""
THING_BYTES = 2_000
"""Approximate memory of a thing's participants."""
NONE, KNOWN, DOUBTFUL, UNREAD = "none", "known", "doubtful", "unread"
_UNTRUSTED, _NO_EFFECT = Trust.UNTRUSTED, Effect.NONE
_EMPTY: tuple[Json, ...] = (None, "", [], {})

#: The tool that reads a thing, the argument that selects it, and its id.
Thing = tuple[str, str, str]


class ThingParticipants(msgspec.Struct, frozen=True):
    """Who takes part in a thing, as one read showed it; `doubtful`: outsiders may have written it."""

    people: frozenset[str]
    doubtful: bool


class ReadParticipants:
    """The participants that a task, and the tasks below it, have read."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: dict[Thing, ThingParticipants] = {}
        #: Counts permitted calls; the count of the last call that may have changed participants, by upstream.
        self._count = 0
        self._changed: dict[str, int] = {}
        self._begun: dict[Thing, list[int]] = {}

    @property
    def size_bytes(self) -> int:
        """Approximate memory of what is kept."""
        return len(self._known) * THING_BYTES

    def begin(self, tool: Tool, arguments: Mapping[str, Json]) -> None:
        """Note a permitted call: a read begins, or participants may change from now on."""
        self._count += 1
        if tool.effect is not _NO_EFFECT:
            if not _leaves_as_is(tool, arguments):
                self._changed[tool.upstream] = self._count
                self._known = {thing: one for thing, one in self._known.items() if not _of(thing, tool)}
        elif (thing := read_thing(tool, arguments)) is not None:
            self._begun.setdefault(thing, []).append(self._count)
            if len(self._begun) > MAX_THINGS:
                del self._begun[next(iter(self._begun))]

    def learn(self, thing: Thing, tool: Tool, found: ThingParticipants) -> None:
        """Keep what a read showed; a read that began before a change shows nothing."""
        begun = self._begun.get(thing)
        if not begun or begun.pop(0) < self._changed.get(tool.upstream, 0):
            return
        before = self._known.pop(thing, found)
        people = found.people | before.people
        self._known[thing] = ThingParticipants(people, found.doubtful or before.doubtful)
        while len(self._known) > MAX_THINGS:
            del self._known[next(iter(self._known))]

    def of(self, things: Collection[Thing]) -> ThingParticipants | None:
        """Return who takes part in a thing, by all reads that showed it; None where no read did."""
        found = [self._known[one] for one in things if one in self._known]
        if not found:
            return None
        people = frozenset[str]().union(*(one.people for one in found))
        return ThingParticipants(people, any(one.doubtful for one in found))


class ParticipantMemory(Protocol):
    """The memory of a task that knows the participants of things."""

    @property
    def participants(self) -> ReadParticipants:
        """The participants that were read."""

    def judge_one(self, text: str, tool: Tool | None, name: str) -> Justification:
        """Return where a single text came from."""


class StoredAddressees(msgspec.Struct, frozen=True):
    """The people that a call reaches by a stored thing: the fact that policies read, and who they are."""

    fact: str = NONE
    argument: str = ""
    people: tuple[str, ...] = ()


_NOT_STORED = StoredAddressees()


def read_thing(tool: Tool, arguments: Mapping[str, Json]) -> Thing | None:
    """Return the thing whose participants a call reads; None where it reads none, or selects by more."""
    if not tool.shows_participants:
        return None
    selecting = [(name, value) for name, value in arguments.items() if value not in _EMPTY]
    if len(selecting) != 1:
        return None
    name, value = selecting[0]
    return (tool.id, name, text) if (text := _id(value)) else None


def learn_participants(
    index: ParticipantMemory,
    result: Json,
    tool: Tool,
    parts: Mapping[str, Json],
    lookup: Lookup,
    marked: AbstractSet[int],
) -> Steps[None]:
    """Take in who takes part in the thing that a call has read."""
    thing = read_thing(tool, parts)
    if thing is None or tool.effect is not _NO_EFFECT:
        return
    labels, people, doubtful = FieldLabels(tool.fields), set[str](), False
    paths = [_steps(one.path) for one in tool.fields if one.participant]
    reading = Reading(result, tool)
    for leaf in reading.steps():
        if leaf is None:
            yield
            continue
        if not any(one.participant for one in labels.of(leaf.path, leaf.name)):
            # Another shape than the file describes, or words in no field: who is in it is not known.
            doubtful = doubtful or not leaf.path or _is_near(leaf.path, paths)
            continue
        trust = yield from lookup.trusting(leaf, marked)
        people.add(leaf.text[:MAX_TEXT])
        doubtful = doubtful or trust is _UNTRUSTED or leaf.text in lookup.doubtful
        doubtful = doubtful or len(leaf.text) >= MAX_TEXT or len(people) > MAX_PEOPLE
    if people:
        index.participants.learn(thing, tool, ThingParticipants(frozenset(people), doubtful or reading.cut))


def addressees(index: ParticipantMemory, tool: Tool, arguments: dict[str, Json]) -> StoredAddressees:
    """Return the people that a call reaches by a stored thing."""
    stored = tool.stored_destination
    if stored is None or len(stored.by) != 1 or not stored.read_by or stored.overridden(arguments):
        return _NOT_STORED
    (by,) = stored.by
    text = _id(arguments.get(by))
    found = index.participants.of([(reader, by, text) for reader in stored.read_by]) if text else None
    if found is None:
        return StoredAddressees(UNREAD, by)
    return StoredAddressees(DOUBTFUL if found.doubtful else KNOWN, by, tuple(sorted(found.people)))


def narrowed(tool: Tool, to: StoredAddressees) -> Tool:
    """Return the tool with the narrowest audience to which all participants belong."""
    stored = tool.stored_destination
    if stored is None or to.fact != KNOWN:
        return tool
    fitting = (one for one in stored.narrowings if _all_belong(to.people, one))
    one = next(fitting, None)
    if one is None:
        return tool
    return msgspec.structs.replace(tool, audience=one.audience, effect=one.effect or tool.effect)


def led_by_participants(
    index: ParticipantMemory,
    tool: Tool,
    arguments: dict[str, Json],
    found: dict[str, Justification],
    kinds: dict[str, list[Justification]],
) -> StoredAddressees:
    """Return the people that a call reaches by a stored thing.

    Where the intent states all participants, their justification replaces that of the thing. The person's own
    addresses among them count as stated: the person takes part.
    """
    to = addressees(index, tool, arguments)
    one = found.get(to.argument)
    if to.fact != KNOWN or one is None or one.reached:
        return to
    others = [text for text in to.people if not _is_own(tool, text)]
    judged = [index.judge_one(text, tool, to.argument) for text in others]
    # INVARIANT: each is stated. A record that one of them names does not lead to the others in it.
    if not judged or not all(each.reached and each.provenance is Provenance.INTENT for each in judged):
        return to
    whole = judged[0]
    for each in judged[1:]:
        whole = whole.join(each)
    ones = kinds.get(tool.arguments[to.argument].role.value, [])
    if whole.reached and one in ones:
        ones[ones.index(one)] = found[to.argument] = whole
    return to


def unread(tool: Tool, to: StoredAddressees) -> str:
    """Return the look-up that shows the people that a call reaches."""
    stored = tool.stored_destination
    readers = " or ".join(f"`{one}`" for one in stored.read_by) if stored else ""
    return f"first read it with {readers}, by `{bare(to.argument)}` and nothing else"


def _all_belong(people: Collection[str], to: Narrowing) -> bool:
    return bool(people) and all(to.address.judge(one) is Verdict.YES for one in people)


def _is_own(tool: Tool, text: str) -> bool:
    """Return whether the directory says that an address is the person's own (`self`)."""
    stored = tool.stored_destination
    own = [one for one in stored.narrowings if one.audience.name == "self"] if stored else []
    return any(one.address.judge(text) is Verdict.YES for one in own)


def _leaves_as_is(tool: Tool, arguments: Mapping[str, Json]) -> bool:
    """Return whether a call goes to the participants of a thing without changing them."""
    stored = tool.stored_destination
    return (
        stored is not None
        and bool(stored.read_by)
        and all(
            name in stored.by
            or ((spec := tool.arguments.get(name)) is not None and spec.role is ArgumentRole.CONTENT)
            for name in arguments
        )
    )


def _of(thing: Thing, tool: Tool) -> bool:
    return thing[0].partition("/")[0] == tool.upstream


def _steps(path: str) -> str:
    """Return the names of a path, each between dots, without the places of lists and maps."""
    return f".{spelled(path.replace('[]', '').replace('{}', ''))}."


def _is_near(path: str, paths: Collection[str]) -> bool:
    """Return whether a leaf stands at the path of a participant, or below it, in whatever shape."""
    named = _steps(path)
    return any(one in named for one in paths)


def _id(value: Json) -> str:
    """Return the id of a thing as text, letter by letter; empty where the value is none."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value)
    return text if len(text) <= MAX_TEXT else ""


def stated_people(index: ParticipantMemory, tool: Tool, arguments: dict[str, Json]) -> Iterator[str]:
    """Yield the participants by which a call is stated: each serves one purpose, like a named address."""
    to = addressees(index, tool, arguments)
    if to.fact == KNOWN:
        yield from to.people
