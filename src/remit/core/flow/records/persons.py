# SPDX-License-Identifier: Apache-2.0
"""Whose records a task has met: the results that were looked up by what the intent states of a person.

A result *belongs* to the person that a task serves if the key of its look-up is a typed parameter that names
the person, or comes from a result that belongs to that person. All records in it belong to the person then,
however many there are. If the key is only in the person's words, the records that hold the key belong to that
person.

A field of such a record does not lead on to everyone it mentions. A key of a kind that was already used on
the way (an order of customer 1 that mentions customer 2) is another person's, and so is the value of a field
whose name fits an argument less well than another field's. `leads` in a tool file decides otherwise.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice

import msgspec

from remit.core.cooperative_steps import Steps
from remit.core.flow.justification import leaves
from remit.core.flow.language.word_forms import name_stems, stems, words_of
from remit.core.flow.records.lookup import MAX_NAME, MAX_SHORT_ID, Lookup
from remit.core.flow.records.naming import with_what_is_below
from remit.core.flow.records.record import ResultLeaf
from remit.core.flow.records.reference import NamingOfResult
from remit.core.flow.values.strict_reading import BLANKS, small
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tools.tool import Effect, Tool

MAX_RESULTS = 2_000
"""Results of one task whose owner is remembered; later results belong to no known person."""
MAX_PATHS = 200
"""Fields of one result whose names are compared; where there are more, none leads by its name."""
MAX_RECORDS = 10_000
"""Records of one result that are remembered singly."""
MAX_PART_WORDS = 6
"""Most words of a parameter of which a part counts, such as the first name in a name."""
RESULT_BYTES = 2_000
"""Approximate memory of a result whose owner is remembered."""
Kind = frozenset[str]
#: Words that every key's name may have.
_KEY_WORDS = stems(
    "id ids uid uuid guid key number no nr num ref reference code index handle slug record object entity"
)
_IDS = stems("id uid uuid guid")
#: Words of arguments that choose how much of a result is returned, not which records.
_PAGING = stems("limit offset page per size top cursor sort")
_TRUSTED = Trust.TRUSTED


#: Words in names of parameters that identify a person, and words of which such a name may consist.
_IDENTIFYING = stems(
    "user username customer client patient member passenger guest employee student tenant subscriber account "
    "person contact email mail phone telephone mobile ssn passport"
)
_NAMES = stems("name first last full family given surname")
#: Words beside the name of a key that leave it the key of the record itself: `user_email`, `primary email`.
_OWNERS = stems("user customer client patient subscriber account main primary email mail address")
_WORDS_IN = re.compile(r"[^\s,;:!?\"'()<>\[\]]+")
_LEAVES = 1_000
"""Leaves that one step looks at."""
MAX_WRITTEN = 2_000
"""Words of a call's arguments that are remembered as the agent's own."""


class Belonging(enum.IntEnum):
    """How a record belongs to the person that a task serves.

    By words alone, by a typed parameter that names something else, or by one that names the person.
    """

    NOT = 0
    WORDS = 1
    STATED = 2
    PARAMETER = 3


_NOT, _WORDS, _STATED, _PARAMETER = (
    Belonging.NOT, Belonging.WORDS, Belonging.STATED, Belonging.PARAMETER
)  # fmt: skip


class OwnedResult(msgspec.Struct, frozen=True):
    """What is known of one result: how it belongs, and by which kinds of keys it was reached.

    `records` are the records that belong to the person; None means all of them. `single` are records that a
    parameter selects in a result that belongs to everyone. `paths` are the trusted fields. `said` are the
    arguments of the call that do not belong to the person by a parameter: the result may repeat them.
    """

    belonging: Belonging
    records: frozenset[int] | None
    single: frozenset[int]
    chain: frozenset[Kind]
    paths: frozenset[str]
    said: frozenset[str]


class KeyOrigin(msgspec.Struct, frozen=True):
    """How an argument's value belongs to the person, and the kinds of keys that led there."""

    belonging: Belonging = _NOT
    chain: frozenset[Kind] = frozenset()


@functools.lru_cache(4096)
def kind_of(name: str) -> Kind:
    """Return what a key is the key of, by its name: `customer_id` is the key of a customer."""
    return name_stems(name) - _KEY_WORDS


class Persons:
    """The owners of the results of one task."""

    def __init__(self) -> None:
        """Begin without parameters and results."""
        self._parameters: list[tuple[str, str]] = []
        self._phrases: dict[str, str] = {}
        self._results: dict[int, OwnedResult] = {}
        #: Whether no tool of the task has a personal argument: then owners need not be known.
        self.idle = False
        #: The parameters that name a person, and the grants by which they were found.
        self._personal: set[str] = set()
        self._grants: object = None
        #: Texts that calls with an effect have written, and the call that first did.
        self._written: dict[str, int] = {}

    @property
    def size_bytes(self) -> int:
        """Approximate memory of the stored entries."""
        return len(self._results) * RESULT_BYTES

    @property
    def given(self) -> bool:
        """Whether a parameter of the task names a person."""
        return bool(self._personal)

    def awaits(self, grants: object) -> bool:
        """Return whether the tools of these grants are not known yet."""
        new = self._grants is not grants
        self._grants = grants
        return new

    def take(self, params: Mapping[str, Json]) -> None:
        """Add typed parameters."""
        for name, value in params.items():
            words = name_stems(name)
            if not words.isdisjoint(_IDENTIFYING) or (words and words <= _NAMES):
                self._personal.add(name)
            for leaf in leaves(value):
                if text := small(leaf.strip(BLANKS)):
                    self._parameters.append((name, text))
                    self._phrases[" ".join(words_of(text))] = name

    def expect(self, arguments: Iterable[str]) -> None:
        """Note the names of all personal arguments that the task may use: a parameter may be one of them."""
        arguments = list(arguments)
        self.idle = not arguments
        self._personal |= {found for one in arguments if (found := self.parameter_for(one))}

    def parameter_for(self, argument: str) -> str:
        """Return the parameter that an argument could take, by its name; empty where there is none."""
        wanted = kind_of(argument)
        names = (name for name, _ in self._parameters if name == argument or kind_of(name) & wanted)
        return next(names, "")

    def states(self, text: str, argument: str, beside: AbstractSet[str]) -> tuple[str, Belonging]:
        """Return the parameter that states a text for an argument, and how; an empty name where none does.

        A part of a parameter counts only if the rest is `beside` it, in the texts of the call's arguments: a
        surname alone finds more people than the whole name.
        """
        name = self._stating(text, argument, beside)
        return name, (_PARAMETER if name in self._personal else _STATED) if name else _NOT

    def _stating(self, text: str, argument: str, beside: AbstractSet[str]) -> str:
        wanted = small(text.strip(BLANKS))
        number = wanted.isdecimal() and len(wanted) <= MAX_SHORT_ID
        part = not any(map(str.isdigit, wanted))
        for name, leaf in self._parameters:
            if leaf == wanted:
                # A short number may count something: it must be the number of the same thing.
                if not number or not kind_of(name) or kind_of(name) & kind_of(argument):
                    return name
            elif part and leaf.count(" ") < MAX_PART_WORDS and f" {wanted} " in f" {leaf} ":
                given = {word for one in beside for word in small(one).split()}
                if given.issuperset(leaf.split()):
                    return name
        return ""

    def repeats(self, call: int, text: str) -> bool:
        """Return whether a call's result may hold a text because an agent wrote it: it then leads nowhere."""
        known, wanted = self._results.get(call), small(text.strip(BLANKS))
        return call >= self._written.get(wanted, call + 1) or (known is not None and wanted in known.said)

    def belonging(self, call: int, record: int) -> Belonging:
        """Return how a record of a call's result belongs to the person."""
        known = self._results.get(call)
        if known is None:
            return _NOT
        if record in known.single:
            return _PARAMETER
        return known.belonging if known.records is None or record in known.records else _NOT

    def chain(self, call: int) -> frozenset[Kind]:
        """Return the kinds of keys by which a call's result was reached."""
        known = self._results.get(call)
        return known.chain if known is not None else frozenset()

    def leads(self, call: int, source: Tool, path: str, argument: str, value: str) -> bool:
        """Return whether a field of a person's record leads on to what an argument selects."""
        said = source.leads(path)
        if said is not None:
            return said
        known = self._results.get(call)
        if known is None or len(known.paths) > MAX_PATHS:
            return False
        wanted, neutral = kind_of(argument), _joined(known.chain)
        if not wanted:
            own = _kind_of_field(path, source)
            return _is_key(path) and not any(link and link <= own for link in known.chain)
        if wanted in known.chain:
            return False
        mine = _distance(path, source, wanted, neutral)
        others = [_distance(one, source, wanted, neutral) for one in known.paths]
        best = min((one for one in others if one is not None), default=None)
        if mine is None:
            # A short number proves nothing without its name, and a text without a key's name is no key.
            return best is None and _is_key(path) and not (value.isdecimal() and len(value) <= MAX_SHORT_ID)
        return best is None or mine <= best

    def settle(
        self,
        now: NamingOfResult,
        above: Sequence[int],
        lookup: Lookup,
        arguments: Mapping[str, Json],
        origins: Mapping[str, KeyOrigin],
    ) -> Steps[None]:
        """Store to whom the records of a result belong; `origins` are those of the call's arguments."""
        if len(self._results) >= MAX_RESULTS:
            return
        tool = lookup.tool
        paths = set[str]()
        for at in range(0, len(now.values), _LEAVES):
            some = now.values[at : at + _LEAVES]
            paths.update(leaf.path for leaf in some if leaf.label.trust is _TRUSTED)
            yield
        keys = _keys(tool, arguments)
        found = [origins[one].belonging for one in keys]
        belonging = min(found, default=_NOT)
        personal = any(tool.arguments[one].personal for one in keys if one in tool.arguments)
        if belonging is _STATED:
            # A postal code beside the name: each is stated, and one of them names the person.
            belonging = _PARAMETER if _PARAMETER in found else _WORDS
        records: frozenset[int] | None = None
        if belonging is _WORDS and not personal:
            held = now.holding(lookup.asked)
            records = _numbered(now.base, with_what_is_below(held, above))
        single = frozenset[int]()
        if belonging is not _PARAMETER and self._personal:
            chosen = self._selected(now, tool, paths)
            others = with_what_is_below(_strangers(now, chosen), above) if chosen else set()
            single = _numbered(now.base, set(with_what_is_below(chosen, above)) - set(others))
        chain: frozenset[Kind] = frozenset()
        if belonging is not _NOT:
            links = [(*origins[one].chain, _kind_of_key(one, arguments[one], now)) for one in keys]
            chain = frozenset(link for some in links for link in some)
        own = (value for name, value in arguments.items() if origins[name].belonging is not _PARAMETER)
        said = frozenset(islice((one for value in own for one in _written(value)), MAX_WRITTEN))
        if tool.effect is not Effect.NONE and len(self._written) < MAX_RECORDS:
            for text in said:
                self._written.setdefault(text, now.call)
        self._results[now.call] = OwnedResult(belonging, records, single, chain, frozenset(paths), said)

    def _selected(self, now: NamingOfResult, tool: Tool, paths: Collection[str]) -> set[int]:
        """Return the records that a parameter selects: a trusted field named like it holds its value."""
        found = {record for phrase, record in now.sure if phrase in self._phrases}
        out = set()
        for leaf in now.values if found and len(paths) <= MAX_PATHS else ():
            if leaf.record not in found or leaf.label.trust is not _TRUSTED:
                continue
            name = self._phrases.get(" ".join(words_of(leaf.text)))
            if name in self._personal and _fits_best(leaf, tool, kind_of(name), paths):
                out.add(leaf.record)
        return out


def _written(value: Json) -> Iterator[str]:
    """Yield what an agent wrote in an argument: its texts, and the words in them.

    A server may return a part of it.
    """
    for text in leaves(value):
        if len(text) <= MAX_NAME:
            yield small(text.strip(BLANKS))
        if text.endswith(".0"):
            yield text.removesuffix(".0")
        for word in _WORDS_IN.finditer(text):
            yield small(word[0].strip(BLANKS).rstrip("."))


def fits_key(path: str, source: Tool, argument: str) -> bool:
    """Return whether a field is, by its name, the key that an argument selects by."""
    wanted = kind_of(argument)
    if not wanted:
        return _is_key(path)
    return _distance(path, source, wanted, frozenset()) == 0


def own_keys(paths: Iterable[str], source: Tool) -> frozenset[str]:
    """Return the fields of a record that hold its own key: a bare `id`, else a key of what the tool returns.

    It is empty where no field does.
    """
    keys = [one for one in paths if _is_key(one)]
    bare = frozenset(one for one in keys if not kind_of(one) and not name_stems(one).isdisjoint(_IDS))
    nouns = name_stems(source.name) | name_stems(source.resource.partition("{")[0])
    return bare or frozenset(one for one in keys if (kind := _kind_of_field(one, source)) and kind <= nouns)


def _strangers(now: NamingOfResult, chosen: AbstractSet[int]) -> set[int]:
    """Return the records that hold the key of another person than the chosen records."""
    own = {small(leaf.text) for leaf in now.values if leaf.record in chosen}
    return {
        leaf.record
        for leaf in now.values
        if leaf.record not in chosen
        and _is_key(leaf.path)
        and (kind := kind_of(leaf.name))
        and kind <= _IDENTIFYING
        and small(leaf.text) not in own
    }


def _fits_best(leaf: ResultLeaf, tool: Tool, wanted: Kind, paths: Collection[str]) -> bool:
    """Return whether a field is the key of its record, and not of a person that the record mentions."""
    mine = _distance(leaf.path, tool, wanted, _OWNERS)
    others = [_distance(one, tool, wanted, frozenset()) for one in paths]
    fits = any(one is not None for one in others)
    return mine == 0 if fits else not wanted or wanted <= _NAMES


def _keys(tool: Tool, arguments: Mapping[str, Json]) -> list[str]:
    """Return the arguments that are keys of the look-up.

    A personal argument selects the person, and the rest only narrows. Without one, every argument counts: a
    word that the agent chose may find anyone.
    """
    given = [name for name, value in arguments.items() if value not in (None, "", [], {})]
    personal = [name for name in given if name in tool.arguments and tool.arguments[name].personal]
    return personal or [
        name
        for name in given
        if not isinstance(arguments[name], bool) and _PAGING.isdisjoint(name_stems(name))
    ]


def _kind_of_key(argument: str, value: Json, now: NamingOfResult) -> Kind:
    """Return the kind of a key: by the fields of the result that repeat its value, or by the argument."""
    own = kind_of(argument)
    texts = {small(one.strip(BLANKS)) for one in leaves(value)}
    echoes = {
        kind_of(leaf.name)
        for leaf in now.values
        if leaf.label.trust is _TRUSTED and small(leaf.text) in texts
    }
    # A name is no key: the record that it finds has its own.
    named = echoes and own not in echoes and frozenset() not in echoes
    return min(echoes, key=sorted) if named else own


def _is_key(path: str) -> bool:
    """Return whether a field's name denotes a key: `line_ids`, `account_no`, or a place of a map."""
    return path.endswith("{}") or not _KEY_WORDS.isdisjoint(name_stems(path.rpartition(".")[2]))


def _kind_of_field(path: str, source: Tool) -> Kind:
    words = frozenset(word for step in path.split(".") for word in kind_of(step))
    return words or name_stems(source.name) | name_stems(source.resource.partition("{")[0])


def _distance(path: str, source: Tool, wanted: Kind, neutral: AbstractSet[str]) -> int | None:
    """Return how many further words a field's name has beside those of an argument; None if it fits not."""
    own = _kind_of_field(path, source)
    if own.isdisjoint(wanted):
        return None
    plain = not any(kind_of(step) for step in path.split("."))
    return 0 if plain else len(own - wanted - neutral)


def _joined(chain: Iterable[Kind]) -> frozenset[str]:
    return frozenset(word for one in chain for word in one)


def _numbered(base: int, records: Collection[int]) -> frozenset[int]:
    return frozenset(base + one for one in records) if len(records) <= MAX_RECORDS else frozenset()
