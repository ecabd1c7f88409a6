# SPDX-License-Identifier: Apache-2.0
"""What the intent states, read strictly: values in their form for use, each with its stated purpose.

A value is stated as a typed parameter, or in the person's words. It counts only for its stated purpose: as a
destination only where the words lead to it as one. Where untrusted data wants the value used, too, it counts
for one tool and argument only.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from remit.core.flow.justification import Stated, leaves
from remit.core.flow.language.amounts import (
    NO_AMOUNTS,
    amount_of,
    in_hundredths,
    is_minor,
    is_moment,
    states_day,
    unit_of,
)
from remit.core.flow.language.people import words_of_name
from remit.core.flow.language.tool_verbs import asking
from remit.core.flow.language.utterance import Utterance
from remit.core.flow.language.word_forms import name_stems, name_words, stem, stems_of
from remit.core.flow.stated_amounts import StatedAmounts, crowded, joined, payments
from remit.core.flow.values.file_names import is_file_name
from remit.core.flow.values.kinds import KindOfValue
from remit.core.flow.values.strict_reading import (
    BLANKS,
    ExactValue,
    exact,
    named_address,
    place_of,
    small,
    standing,
    stated_forms,
    written,
)
from remit.core.json_value import Json
from remit.core.tools.tool import ArgumentRole, Effect, Tool

_TEXT, _HOST, _EMAIL = KindOfValue.TEXT, KindOfValue.HOST, KindOfValue.EMAIL
_BY_WORDS = (_TEXT, _HOST)
_IN_WORDS = (_TEXT, _HOST, KindOfValue.PHONE)
_DESTINATION = ArgumentRole.DESTINATION
MAX_OTHERS = 20
"""Similar values that are examined; where there are more, no value counts as the only one of its kind."""
_PURPOSES = (_DESTINATION, ArgumentRole.CODE)
#: Words in names of parameters that denote a recipient or target.
_WHERE_WORDS = (
    "to cc bcc recipient address email mail channel user person customer client member attendee participant "
    "contact payee iban account url uri link page site host domain endpoint target destination receiver "
    "group team handle phone number city street folder path branch repo repository project board room "
    "calendar webhook callback who where owner assignee reviewer approver supplier vendor"
)
_WHERE = frozenset(map(stem, _WHERE_WORDS.split()))


class Statement:
    """Everything that the person behind a task has stated so far."""

    def __init__(self) -> None:
        """Begin without statements."""
        self._values: dict[ExactValue, Stated] = {}
        self._hosts: set[str] = set()
        #: Parameters, letter by letter.
        self._written: set[str] = set()
        self._spent: dict[ExactValue, tuple[str, str]] = {}
        #: The person's words.
        self.utterance = Utterance()
        self.owed = StatedAmounts(self.utterance.clauses)

    def take(self, goal: str, params: Mapping[str, Json]) -> None:
        """Add the intent: the person's words and typed parameters. A later user message is added in the same
        way.
        """
        heard = self.utterance.wording.hear(goal)
        for piece, found in written(heard):
            self._values.setdefault(found, Stated(words=piece))
            if found.kind is _HOST and not is_file_name(found.normal):
                self._hosts.add(found.normal)
        self.utterance.hear(goal)
        self.owed.forget()
        for name, value in params.items():
            for leaf in leaves(value):
                self._parameter(name, leaf)

    def how_much(self, text: str, tool: Tool | None, name: str) -> tuple[bool, bool]:
        """Return whether an amount is stated, and whether another amount is stated."""
        words = name_words(name)
        amounts = NO_AMOUNTS if tool is None else self.owed.amounts(tool)
        unit, wanted = unit_of(text), amount_of(text)
        if unit:
            stated = not amounts.units or unit in amounts.units
            return stated, not stated
        days = self.owed.days(tool, self.utterance.days)
        if wanted is None:
            day = states_day(text, days)
            # Digits in another form (`#4711`) denote something else in the words.
            stated = self.utterance.wording.spells(text) if day is None else day
            # A text that cannot be read as an amount differs from every stated amount.
            return stated, not stated and (day is None or bool(days))
        if is_moment(words) and days:
            # A day that is written as a plain number is none of the named days.
            return False, True
        if is_minor(words):
            wanted = in_hundredths(wanted)
        return amounts.cover(wanted, words), amounts.differ(words)

    def astray(self, tool: Tool, parts: dict[str, Json]) -> frozenset[ArgumentRole]:
        """Return the roles in which a call joins a value to another object than the person stated."""
        of = joined(tool, parts)
        # Values beyond the limit of comparison may belong to any object.
        many = crowded(of)
        return frozenset(
            tool.arguments[one[2]].role
            for one in payments(of, amounts_only=False)
            if many or self.owed.astray(tool, one, self._named(one[0]))
        )

    def defines(self, words: str, found: ExactValue) -> bool:
        """Return whether the words define an address (`her address is ...`), and state no other like it."""
        return self.utterance.wording.defined(words) and not any(
            other.kind is found.kind and stated.words and stated.words != words
            for other, stated in self._values.items()
        )

    def repeats(self, tool: Tool, parts: dict[str, Json]) -> bool:
        """Return whether a call makes a payment more often than the person stated."""
        return self.owed.repeats(
            tool,
            payments(joined(tool, parts)),
            lambda payee: self.utterance.wording.count(self._named(payee)),
        )

    def _named(self, payee: str) -> str:
        """Return the words by which the person names a payee."""
        found = self._values.get(exact(payee))
        return found.words if found is not None and found.words else payee

    def _parameter(self, name: str, leaf: str) -> None:
        self._written.add(leaf.strip(BLANKS))
        for found in stated_forms(leaf):
            # A parameter takes precedence over a mention of the same value.
            self._values[found] = Stated(name)
        for found in standing(leaf):
            self._values.setdefault(found, Stated(name))
            if found.kind is _HOST and not is_file_name(found.normal):
                self._hosts.add(found.normal)
        self.utterance.wording.hear(leaf)
        self.utterance.hear(leaf)
        self.owed.add(leaf)

    def holds(self, found: ExactValue) -> bool:
        """Return whether a value is stated, for any purpose."""
        return found in self._values

    def of(self, text: str, tool: Tool | None, name: str, used: ExactValue | None = None) -> Stated | None:
        """Return where a text is stated verbatim; None where it is not.

        `used` is the text's strict reading, if known.
        """
        found = used or exact(text)
        stated = self._values.get(found)
        if stated is None and found.kind in _IN_WORDS and self._says(text, found.normal, tool, name):
            stated = Stated()
        if stated is None or not self._called(text) or not self._as_written(text, stated, tool, name):
            return None
        if not stated.parameter and self.utterance.clauses.rule_out(
            stated.words or text, None if tool is None else asking(tool)
        ):
            return None
        if leads_out(tool, name) and self.utterance.only_sends(found.normal):
            return None
        return stated

    def host(self, text: str) -> str:
        """Return the host of a web address where the person named that host alone; empty otherwise.

        A host named alone covers every page on it.
        """
        place = place_of(text)
        return place if place in self._hosts else ""

    def elsewhere(
        self, text: str, stated: Stated, tool: Tool | None, name: str, used: ExactValue | None = None
    ) -> bool:
        """Return whether a stated value may have been stated for another purpose than its use in the call.

        Uses that are checked: as a destination, as code, as a secret.
        """
        spec = None if tool is None else tool.arguments.get(name)
        if tool is None or spec is None or not (spec.role in _PURPOSES or spec.secret):
            return False
        found = used or exact(text)
        if spec.role is not _DESTINATION:
            if stated.parameter:
                return False
            asked = self.utterance.asks_for(text, asking(tool))
            if asked is None and spec.role is ArgumentRole.CODE and self.utterance.asks(asking(tool)):
                # Code that the words only mention, beside other code that is to be run.
                return not self.utterance.wording.is_code(text)
            # Where no clause asks for this value, but one asks for another value of its kind, the other one
            # is meant.
            return asked is False or (asked is None and self._another(found, text, tool))
        reads = tool.effect is Effect.NONE
        if stated.parameter:
            if found.kind in _BY_WORDS:
                return not _is_where(stated.parameter, name)
            return not reads and _is_whence(stated.parameter, name)
        wording, words = self.utterance.wording, stated.words or text
        if found.kind in _BY_WORDS and not wording.addressed(text, frozenset(name_words(name)), reads=reads):
            return True
        if reads:
            # Reading what the person named for another purpose discloses nothing.
            return False
        asked = self.utterance.asks_for(words, asking(tool), whom=True)
        led = wording.addressed(words, frozenset(name_words(name)))
        if asked and led:
            return False
        if self._another(found, words, tool):
            # The words lead to another value like it.
            return not (asked is None and wording.received(words)) and not (asked and wording.defined(words))
        if found.kind not in _BY_WORDS:
            # It is the only value of its kind that could be meant.
            asked = self.utterance.asks_for(words, asking(tool))
        return asked is False and not wording.defined(words)

    def meant(self, names: AbstractSet[str], found: ExactValue, tool: Tool | None, name: str) -> bool:
        """Return whether a name by which a record was found is, in the words, the tool's recipient or object.

        The words must lead to the name, or to no other name of that kind. A word that the person used for
        something else identifies no recipient. True where there are no names.
        """
        if not names or tool is None or tool.effect is Effect.NONE:
            return True
        whom = leads_out(tool, name)
        if not (whom or tool.selects(name)):
            return True
        wording = self.utterance.wording
        for one in names:
            if self.utterance.clauses.rule_out(one, asking(tool)):
                continue
            if not whom:
                by = asking(tool)
                if wording.is_name(one) or self.utterance.asks_for(one, by) is not False:
                    return True
                if self.utterance.clauses.only_tell(one, by):
                    return True
            elif self.utterance.asks_for(one, asking(tool), whom=True) is False:
                # The words lead to the name in a clause that asks for something else.
                continue
            elif self._is_address(one) or (
                wording.states(one)
                and bool(stems_of(one))
                and (wording.addressed(one) or self._is_only_person(one, found, tool))
            ):
                return True
        return False

    def _is_only_person(self, name: str, found: ExactValue, tool: Tool) -> bool:
        """Return whether the words write a name to which nothing leads, but also lead to nothing else."""
        said = self.utterance
        if not said.wording.is_name(name) or said.wording.tells_about(name):
            return False
        own = words_of_name(name)
        others = [form for one in said.people.names if own.isdisjoint(one) for form in said.people.said(one)]
        of = said.wording.is_origin(name)
        return not self._another(found, name, tool) and not any(
            (said.wording.addressed(one) or (of and not said.wording.is_origin(one)))
            and said.asks_for(one, asking(tool), whom=True)
            for one in others
        )

    def _is_address(self, text: str) -> bool:
        """Return whether a text is a value that the words or a parameter state."""
        stated = self._values.get(exact(text))
        return stated is not None and (bool(stated.parameter) or not text.isdecimal())

    def _another(self, found: ExactValue, words: str, tool: Tool) -> bool:
        """Return whether the words lead to another value of the same kind, for what a tool does."""
        seen = {words}
        for other, stated in self._values.items():
            if other.kind is not found.kind or not stated.words or stated.words in seen:
                continue
            seen.add(stated.words)
            if len(seen) > MAX_OTHERS:
                return True
            if self.utterance.wording.addressed(stated.words) and self.utterance.asks_for(
                stated.words, asking(tool), whom=True
            ):
                return True
        return False

    def _as_written(self, text: str, stated: Stated, tool: Tool | None, name: str) -> bool:
        """Return whether code, or a secret, is stated letter by letter; code must be stated as a whole."""
        spec = None if tool is None else tool.arguments.get(name)
        if spec is None or not (spec.secret or spec.role is ArgumentRole.CODE):
            return True
        if stated.parameter:
            return text.strip(BLANKS) in self._written
        wording = self.utterance.wording
        return wording.writes(text) if spec.secret else wording.quotes(text)

    def _called(self, text: str) -> bool:
        """Return whether the display name before an address belongs to it.

        A word of the name must be in the address, or the person must have stated the name. A program that
        receives `Name <address>` but knows no addresses may use the name.
        """
        called, address = named_address(text)
        local = small(address.partition("@")[0])
        return (
            not called
            or self.utterance.wording.addresses(called)
            or any(
                len(one) > 1 and (one in local or (len(local) > 2 and one.startswith(local)))
                for one in name_words(called)
            )
        )

    def _says(self, text: str, normal: str, tool: Tool | None, name: str) -> bool:
        """Return whether the person's words contain a whole text, word for word, or the day that it
        denotes.
        """
        if len(normal) <= 4 and normal.isdecimal() and normal.isascii() and tool is not None:
            nouns = name_stems(tool.name) | name_stems(name)
            return self.utterance.names_number(normal, nouns)
        if self.utterance.says_day(text):
            return True
        # Words such as `the` and `my` name nothing.
        return self.utterance.wording.states(text) and (
            normal == "me" or bool(stems_of(normal)) or any(map(str.isdigit, normal))
        )

    # -- use of stated values ------------------------------------------------------------------------------

    def spend(self, text: str, mine: tuple[str, str]) -> bool:
        """Record that a tool and argument use a stated value; return whether another one used it before."""
        return self._spent.setdefault(exact(text), mine) != mine

    def spent_by_others(self, text: str, mine: tuple[str, str]) -> bool:
        """Return whether another tool or argument has used a stated value."""
        return self._spent.get(exact(text), mine) != mine

    def used(self, mine: tuple[str, str]) -> bool:
        """Return whether an argument of a tool has received a destination that the intent states."""
        return mine in self._spent.values()


def leads_out(tool: Tool | None, name: str) -> bool:
    """Return whether an argument of a tool is a destination."""
    spec = None if tool is None else tool.arguments.get(name)
    return spec is not None and spec.role is _DESTINATION


#: Words in names of parameters that denote an origin or a former value.
_WHENCE = frozenset(
    map(stem, ["source", "src", "from", "sender", "origin", "old", "former", "previous", "input", "note"])
)


def _is_where(parameter: str, name: str) -> bool:
    words, own = name_stems(parameter), name_stems(name)
    return not words.isdisjoint(_WHERE | own) and not _is_whence(parameter, name)


def _is_whence(parameter: str, name: str) -> bool:
    words = name_stems(parameter)
    return not words.isdisjoint(_WHENCE - name_stems(name))
