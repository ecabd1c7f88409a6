# SPDX-License-Identifier: Apache-2.0
"""What the intent states, read strictly: values as they are used, and for what each was said.

A value is stated as a typed parameter, or in the person's words. It counts for what it was stated for: as
where something goes only where the words lead to it as such, for one tool and argument where others want it
used, too.
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
from remit.core.flow.language.tool_verbs import asking
from remit.core.flow.language.utterance import Utterance
from remit.core.flow.language.words import name_stems, name_words, stem, stems_of
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
"""Values like one that are looked at; where there are more, none of them stands alone."""
_PURPOSES = (_DESTINATION, ArgumentRole.CODE)
#: Words of parameters' names that say to whom, or to where, something goes.
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
        """Begin with nothing stated."""
        self._values: dict[ExactValue, Stated] = {}
        self._hosts: set[str] = set()
        #: Parameters, letter by letter.
        self._written: set[str] = set()
        self._spent: dict[ExactValue, tuple[str, str]] = {}
        #: What the lenient reading finds in the statement: it only says what need not be looked for.
        self.utterance = Utterance()
        self.owed = StatedAmounts(self.utterance.clauses)

    def take(self, goal: str, params: Mapping[str, Json]) -> None:
        """Take the intent in: the person's words, and typed parameters. A later turn is taken in likewise."""
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
        """Whether an amount is stated, and whether another one is."""
        words = name_words(name)
        amounts = NO_AMOUNTS if tool is None else self.owed.amounts(tool)
        unit, wanted = unit_of(text), amount_of(text)
        if unit:
            stated = not amounts.units or unit in amounts.units
            return stated, not stated
        days = self.owed.days(tool, self.utterance.days)
        if wanted is None:
            day = states_day(text, days)
            # Digits in another form (`#4711`) are of something else that the words say.
            stated = self.utterance.wording.spells(text) if day is None else day
            # What nobody can read as an amount is another than any that was stated.
            return stated, not stated and (day is None or bool(days))
        if is_moment(words) and days:
            # A day that is written as a number is none of the days that were named.
            return False, True
        if is_minor(words):
            wanted = in_hundredths(wanted)
        return amounts.cover(wanted, words), amounts.differ()

    def astray(self, tool: Tool, parts: dict[str, Json]) -> frozenset[ArgumentRole]:
        """Return the roles in which a call joins something to another one than the person said it for."""
        of = joined(tool, parts)
        # Of more than is looked at, the rest may belong to anybody.
        many = crowded(of)
        return frozenset(
            tool.arguments[one[2]].role
            for one in payments(of, amounts_only=False)
            if many or self.owed.astray(tool, one, self._named(one[0]))
        )

    def repeats(self, tool: Tool, parts: dict[str, Json]) -> bool:
        """Whether a call makes a payment once more than the person said it."""
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
            # A parameter counts more than a mention of the same value.
            self._values[found] = Stated(name)
        for found in standing(leaf):
            self._values.setdefault(found, Stated(name))
            if found.kind is _HOST and not is_file_name(found.normal):
                self._hosts.add(found.normal)
        self.utterance.wording.hear(leaf)
        self.utterance.hear(leaf)
        self.owed.add(leaf)

    def holds(self, found: ExactValue) -> bool:
        """Whether a value is stated, whatever for."""
        return found in self._values

    def of(self, text: str, tool: Tool | None, name: str, used: ExactValue | None = None) -> Stated | None:
        """Return where a text is stated, as it stands; None where it is not. `used` is what it is, if
        known.
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
        """Return the host of a web address where the person named it by itself, so that any page there is
        theirs; empty where they did not.
        """
        place = place_of(text)
        return place if place in self._hosts else ""

    def elsewhere(
        self, text: str, stated: Stated, tool: Tool | None, name: str, used: ExactValue | None = None
    ) -> bool:
        """Whether a value that is stated may have been stated for something else than what it is used for:
        as where something goes, as what is run, as a secret.
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
                # Code that the words only speak of, beside some that is to be run.
                return not self.utterance.wording.is_code(text)
            # Where nobody asks for this one, and another of its kind is asked for, the other one is meant.
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
            # To read what the person named for something else tells nobody anything.
            return False
        asked = self.utterance.asks_for(words, asking(tool), whom=True)
        led = wording.addressed(words, frozenset(name_words(name)))
        if asked and led:
            return False
        if self._another(found, words, tool):
            # The words lead to another one like it.
            return not (asked is None and wording.received(words)) and not (asked and wording.defined(words))
        if found.kind not in _BY_WORDS:
            # It is the only one of its kind that could be meant.
            asked = self.utterance.asks_for(words, asking(tool))
        return asked is False and not wording.defined(words)

    def meant(self, names: AbstractSet[str], found: ExactValue, tool: Tool | None, name: str) -> bool:
        """Whether one of the names by which a record was found is, as the person said it, that of whom a tool
        goes to with a value, or of what it changes: the words lead to it, or to nothing else like that. A
        word that the person used for something else names nobody. So it is without names.
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
            elif self._is_address(one) or (
                wording.states(one)
                and bool(stems_of(one))
                and (wording.addressed(one) or (wording.is_name(one) and not self._another(found, one, tool)))
            ):
                return True
        return False

    def _is_address(self, text: str) -> bool:
        """Whether a text is a value that the words, or a parameter, state."""
        stated = self._values.get(exact(text))
        return stated is not None and (bool(stated.parameter) or not text.isdecimal())

    def _another(self, found: ExactValue, words: str, tool: Tool) -> bool:
        """Whether the words lead to another value of a kind, for what a tool does."""
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
        """Whether a code, or a secret, is stated letter by letter, and a code as a whole."""
        spec = None if tool is None else tool.arguments.get(name)
        if spec is None or not (spec.secret or spec.role is ArgumentRole.CODE):
            return True
        if stated.parameter:
            return text.strip(BLANKS) in self._written
        wording = self.utterance.wording
        return wording.writes(text) if spec.secret else wording.quotes(text)

    def _called(self, text: str) -> bool:
        """Whether the name before an address goes with it: a word of it stands in the address, or the person
        said it. A program that is given `Name <address>` and knows no addresses may go by the name.
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
        """Whether the person's words hold a text whole, from word to word, or the day that it is."""
        if len(normal) <= 4 and normal.isdecimal() and normal.isascii() and tool is not None:
            nouns = name_stems(tool.name) | name_stems(name)
            return self.utterance.names_number(normal, nouns)
        if self.utterance.says_day(text):
            return True
        # `the`, `my` and their like name nothing.
        return self.utterance.wording.states(text) and (
            normal == "me" or bool(stems_of(normal)) or any(map(str.isdigit, normal))
        )

    # -- what is used up ----------------------------------------------------------------------------------

    def spend(self, text: str, mine: tuple[str, str]) -> bool:
        """Note that a tool and argument use a stated value; say whether another one has used it before."""
        return self._spent.setdefault(exact(text), mine) != mine

    def spent_by_others(self, text: str, mine: tuple[str, str]) -> bool:
        """Whether another tool or argument has used a stated value."""
        return self._spent.get(exact(text), mine) != mine

    def used(self, mine: tuple[str, str]) -> bool:
        """Whether an argument of a tool has been given a destination that the intent states."""
        return mine in self._spent.values()


def leads_out(tool: Tool | None, name: str) -> bool:
    """Whether an argument of a tool says where something goes."""
    spec = None if tool is None else tool.arguments.get(name)
    return spec is not None and spec.role is _DESTINATION


#: Words of parameters' names that say from where something comes, or what it was before.
_WHENCE = frozenset(
    map(stem, ["source", "src", "from", "sender", "origin", "old", "former", "previous", "input", "note"])
)


def _is_where(parameter: str, name: str) -> bool:
    words, own = name_stems(parameter), name_stems(name)
    return not words.isdisjoint(_WHERE | own) and not _is_whence(parameter, name)


def _is_whence(parameter: str, name: str) -> bool:
    words = name_stems(parameter)
    return not words.isdisjoint(_WHENCE - name_stems(name))
