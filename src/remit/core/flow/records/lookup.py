# SPDX-License-Identifier: Apache-2.0
"""The arguments of a call: how the intent leads to the key of its lookup, and what its result may echo."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from remit.core.cooperative_steps import Steps, WorkCount, pieces
from remit.core.flow.justification import Justification, Provenance, Reach, leaves
from remit.core.flow.language.utterance import Utterance
from remit.core.flow.language.word_forms import bare_word, name_words, stem, words_of
from remit.core.flow.records.field_labels import NO_LABELS, FieldLabels, spelled
from remit.core.flow.records.people_fields import can_be_id, is_own_id
from remit.core.flow.records.record import ResultLeaf
from remit.core.flow.records.search import is_container
from remit.core.flow.values.destination import Destination, Wholes, whole
from remit.core.flow.values.kinds import KindOfValue
from remit.core.flow.values.marks import marking
from remit.core.flow.values.normal_text import folded
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tools.tool import LEADING, ArgumentRole, Effect, Tool

MAX_SHORT_ID = 8
_ID_WORDS = frozenset(
    name_words("id ids uid uuid guid key number no nr num ref reference code index handle slug name title")
)
MAX_NAME = 200
"""Most characters of an argument that can be a name, or words that are searched for."""
#: Types of values that can select something.
_SELECTING = (str, int, list)
_OWN = (Provenance.UNKNOWN, Provenance.TRUSTED)
_DOUBTED = (Provenance.UNKNOWN, Provenance.UNTRUSTED)
# Module-level names: each attribute lookup on an enum class costs the interpreter a search.
_UNTRUSTED = Trust.UNTRUSTED
_DESTINATION = ArgumentRole.DESTINATION
_UNLED, _NAMED = Reach.NONE, Reach.NAMED


class Lookup:
    """The arguments of a call whose result is taken in.

    - `reach`: how the intent leads to every argument that selected something. It is named where the argument
      is from the intent or reached; it is pointed at where the argument is in a source that the intent points
      to.
    - `one_of_many`: the key is one of many that the intent means together, and none that it chooses.
    - `search`: the words of the search that found the key, and the stems of the name of its tool.
    - `vague`: the call searches by words alone, in data that others write.
    - `doubtful`: the texts that are neither from the intent nor trusted. A result that repeats them proves
      nothing.
    - `read`: the texts that were read as a whole.
    - `keys`: the ids by which the call reads one record.
    """

    @property
    def selects(self) -> bool:
        """Whether an argument may select what is returned."""
        listed = self.tool.arguments
        return any(
            value not in (None, "", [], {}) and (name not in listed or listed[name].role in LEADING)
            for name, value in self.tool.parts(dict(self._arguments)).items()
        )

    def __init__(
        self,
        tool: Tool,
        arguments: Mapping[str, Json],
        given: Mapping[str, Justification],
        said: Utterance,
        read: Wholes,
    ) -> None:
        """Hold arguments with what is known of each; `take` reads them."""
        self.tool = tool
        self.read = read
        self._arguments = arguments
        self._given = given
        self._said = said
        self.doubtful: set[str] = set()
        #: The words of each short text in the arguments.
        self.asked: set[str] = set()
        self.reach = _UNLED
        self.vague = False
        self.keys: list[str] = []
        self.one_of_many = False
        self.search: tuple[frozenset[str], frozenset[str]] | None = None
        self._echoes: set[str] = set()
        self._repeats_in = frozenset(map(spelled, tool.repeats_in))
        self._fields = FieldLabels(tool.fields) if tool.repeats_in else NO_LABELS

    def take(self) -> Steps[Lookup]:
        """Read the arguments. The caller must run it to the end."""
        tool, given, work = self.tool, self._given, WorkCount()
        # A longer text is content, not a name.
        words: dict[str, list[str]] = {}
        for name, value in self._arguments.items():
            doubted = name in given and given[name].provenance in _DOUBTED
            for text in leaves(value):
                if len(text) <= MAX_NAME:
                    words[text] = words_of(text)
                    if work.over(text):
                        yield
                if doubted:
                    self.doubtful.add(text)
            if not doubted and isinstance(value, str) and is_own_id(name, tool.name) and can_be_id(value):
                self.keys.append(value)
        self.asked = {" ".join(one) for one in words.values()} - {""}
        self.reach = _reach(tool, self._arguments, given, self._said, words)
        self.vague = self.reach is _NAMED and self._is_vague()
        self.one_of_many = any(one.reached and one.candidates > 1 for one in given.values())
        for text in self.doubtful if tool.repeats else ():
            for part in pieces(text):
                self._echoes.update(words_of(part))
                yield
        return self

    def _is_vague(self) -> bool:
        """Return whether the call searched by words alone in data that others may have written.

        Those others can write the same words and so choose what the search finds.
        """
        return (
            self.tool.label.trust is _UNTRUSTED
            and not self._only_by_container()
            and not any(
                one.reached
                and (
                    one.provenance is Provenance.TRUSTED
                    or (one.stated and one.stated.parameter)
                    or self._tells(self._arguments[name])
                )
                for name, one in self._given.items()
            )
        )

    def _only_by_container(self) -> bool:
        """Return whether containers that the person named are all that the call selects by."""
        selecting = [
            name
            for name in self._given
            if isinstance(self._arguments[name], _SELECTING) and not isinstance(self._arguments[name], bool)
        ]
        return bool(selecting) and all(is_container(one) and self._given[one].reached for one in selecting)

    def _tells(self, value: Json) -> bool:
        """Return whether a value can identify one record: an address, a file name, a number."""
        return all(
            (self.read.get(text) or whole(text)).kind is not KindOfValue.TEXT or any(map(str.isdigit, text))
            for text in leaves(value)
        )

    def own_links(self) -> dict[Destination, str]:
        """Return the links that a read follows although no untrusted data brought them, each with its word.

        Untrusted text that repeats such a link, as many servers do above a page, brings nothing.
        """
        if self.tool.effect is not Effect.NONE:
            return {}
        listed, found = self.tool.arguments, {}
        for name, one in self._given.items():
            text = self._arguments[name]
            own = name in listed and listed[name].role is _DESTINATION and one.provenance in _OWN
            if own and isinstance(text, str) and len(text) <= MAX_NAME:
                read = self.read.get(text) or whole(text)
                if read.kind is KindOfValue.URL:
                    found[read] = bare_word(folded(text))
        return found

    def doubts(self, marked: AbstractSet[int]) -> bool:
        """Return whether a leaf may be less trusted than its label states."""
        return bool(self._echoes or marked)

    def trusting(self, leaf: ResultLeaf, marked: AbstractSet[int]) -> Steps[Trust]:
        """Return the trust of a leaf of the result.

        A leaf is untrusted where a tool that repeats its input repeats a doubtful text, and where it holds a
        value that an untrusted source had written (`core.flow.values.marks`).
        """
        trust, text = leaf.label.trust, leaf.text
        if trust is _UNTRUSTED:
            return trust
        if self._echoes and self._may_repeat(leaf):
            for part in pieces(text):
                if not self._echoes.isdisjoint(words_of(part)):
                    return _UNTRUSTED
                if len(part) < len(text):
                    yield
        if marked:
            for mark in marking(text):
                if mark is None:
                    yield
                elif mark in marked:
                    return _UNTRUSTED
        return trust

    def _may_repeat(self, leaf: ResultLeaf) -> bool:
        """Return whether a leaf is in a field that repeats arguments, or in none that the file names.

        An argument may be written so that it reads as a field, but as none that the server is known to fill.
        """
        if not self._repeats_in or not self._fields.of(leaf.path, leaf.name):
            return True
        names = (leaf.path, *leaf.path.replace("[]", "").replace("{}", "").split("."))
        return not self._repeats_in.isdisjoint(map(spelled, names))


def _reach(
    tool: Tool,
    arguments: Mapping[str, Json],
    given: Mapping[str, Justification],
    said: Utterance,
    words: Mapping[str, list[str]],
) -> Reach:
    if tool.effect is not Effect.NONE:
        # The result of a permitted call that makes something is named by that call.
        return _NAMED if any(one.reached for one in given.values()) else _UNLED
    reach = _UNLED
    for name, one in given.items():
        value = arguments[name]
        if not isinstance(value, _SELECTING) or isinstance(value, bool) or not value:
            continue
        if one.reached or (isinstance(value, str) and value in words and said.names(value, words[value])):
            reach = max(reach, _NAMED)
        elif one.provenance is Provenance.UNTRUSTED:
            return Reach.POINTED if one.pointed and not one.hinted else _UNLED
        elif one.pointed and not one.hinted:
            reach = max(reach, Reach.POINTED)
    return reach


def _container(resource: str) -> str:
    return resource.partition("{")[0].rstrip("/")


def identifies(value: str, field: str, source: Tool, asker: Tool | None, argument: str) -> bool:
    """Return whether a field of a tool's result can be what an argument of another tool selects by.

    A short number proves little: a size is no id, and an event's id is no file's id. The field's name must
    denote an id or share a word with the argument, and both tools must work on the same kind of object: by
    the resource in their descriptions, else by their names.
    """
    if not value.isdecimal() or len(value) > MAX_SHORT_ID:
        return True
    words, wanted = frozenset(name_words(field)), frozenset(name_words(argument))
    if words.isdisjoint(_ID_WORDS) and words.isdisjoint(wanted):
        return False
    if asker is None or not words.isdisjoint(wanted - _ID_WORDS):
        return True
    if source.resource and asker.resource:
        return _container(source.resource) == _container(asker.resource)
    things = {stem(one) for one in (*words, *name_words(source.name))} - _ID_WORDS
    return not things.isdisjoint({stem(one) for one in (wanted or name_words(asker.name))} - _ID_WORDS) or (
        not wanted - _ID_WORDS and not things.isdisjoint(stem(one) for one in name_words(asker.name))
    )


def is_number_of_something(found: Justification) -> bool:
    """Return whether a trusted value occurs only in fields that number something (`customer_no`)."""
    return found.provenance is Provenance.TRUSTED and all(
        not _ID_WORDS.isdisjoint(name_words(met.field.rpartition(".")[2])) for met in found.origins
    )
