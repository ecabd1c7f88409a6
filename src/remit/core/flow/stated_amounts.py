# SPDX-License-Identifier: Apache-2.0
"""Stated amounts: how much the person stated for what, for which payee, and how often.

An amount in a clause that asks for what the tool does takes precedence over any other. Where the person named
several payees with separate amounts, each payee receives the amount stated for that payee. A payment that is
stated once is made once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import chain, islice, product

from remit.core.flow.arguments.argument_values import several, values_of
from remit.core.flow.arguments.argument_walk import is_long
from remit.core.flow.language.amounts import Amounts, amount_of, amounts_in, in_hundredths, is_minor
from remit.core.flow.language.clauses import Clauses, SaidClause, like, without
from remit.core.flow.language.dates import Day, day_of, days_in
from remit.core.flow.language.phrases import Mood
from remit.core.flow.language.tool_verbs import AskedBy, asking
from remit.core.flow.language.word_forms import name_words
from remit.core.flow.values.normal_text import plain
from remit.core.flow.values.strict_reading import ExactValue, exact, written
from remit.core.json_value import Json
from remit.core.tools.tool import ArgumentRole, Effect, Tool

MAX_PIECES = 64
"""Payees, and amounts, of one call that are compared with one another."""
MAX_PAYMENTS = 10_000
"""Different payments of a task that are counted; further ones are not counted."""
_PAID = (ArgumentRole.DESTINATION, ArgumentRole.SELECTOR, ArgumentRole.AMOUNT)
_OFTEN = re.compile(
    r"\b(?:twice|thrice|again|once more|daily|weekly|biweekly|monthly|quarterly|yearly|annually|every"
    r"|recurring|repeat\w*|instal\w+|each|per|all|both|several|times)\b"
)
_Key = tuple[ExactValue, frozenset[Decimal]]
#: A payee or object, the value that the call joins to it (an amount, or a destination), and the name of the
#: argument with that value.
Payment = tuple[str, str, str]
#: By role: the name and the values of each argument of a call whose values belong to other arguments' values.
Joined = dict[ArgumentRole, list[tuple[str, list[str]]]]


class StatedAmounts:
    """Everything that the person has stated so far about amounts and their payees."""

    def __init__(self, clauses: Clauses) -> None:
        """Begin with no statements; `clauses` holds the words, including later ones."""
        self._clauses = clauses
        self._typed: list[str] = []
        self._amounts: dict[AskedBy, tuple[Amounts, bool]] = {}
        self._days: dict[AskedBy, frozenset[Day]] = {}
        self._asking: dict[AskedBy, list[SaidClause]] = {}
        self._made: Counter[_Key] = Counter()

    def forget(self) -> None:
        """Clear the caches after further words were added."""
        self._amounts.clear()
        self._days.clear()
        self._asking.clear()

    def add(self, leaf: str) -> None:
        """Add a typed parameter."""
        self._typed.append(leaf)
        self.forget()

    def amounts(self, tool: Tool) -> Amounts:
        """Return the amounts that the person stated, as they count for a tool."""
        return self._of(tool)[0]

    def days(self, tool: Tool | None, said: frozenset[Day]) -> frozenset[Day]:
        """Return the stated days that count for what a tool does."""
        if tool is None or tool.effect is Effect.NONE:
            return said
        if (by := asking(tool).verb) not in self._days:
            clauses = [one for one in self._clauses.of(by.starts) if one.mood is not Mood.RULES_OUT]
            here = frozenset().union(*(days_in(one.said) for one in clauses if one.asks_for(by)))
            self._days[by] = here or frozenset().union(*(days_in(one.said) for one in clauses))
        return self._days[by]

    def _of(self, tool: Tool) -> tuple[Amounts, bool]:
        """Return the amounts for a tool, and whether its action is to be done more than once."""
        by = asking(tool).verb
        if by not in self._amounts:
            amounts, often, anywhere = Amounts(), False, False
            for clause in self._clauses.of(by.starts):
                if clause.mood is Mood.RULES_OUT:
                    continue
                here = clause.asks_for(by)
                amounts.hear(clause.said, here=here)
                if here:
                    often = often or _OFTEN.search(clause.said) is not None
                    anywhere = True
            for leaf in self._typed:
                amounts.add(leaf)
            self._amounts[by] = amounts, often or not anywhere
        return self._amounts[by]

    def astray(self, tool: Tool, pair: Payment, words: str) -> bool:
        """Return whether the words state a value (an amount, a day, a destination) for another object than
        this one.

        `words` are the words by which the person names the object that the call uses the value for.
        """
        _, second, name = pair
        by, seconds = asking(tool).verb, _Seconds(second, name, tool)
        if by not in self._asking:
            self._asking[by] = [one for one in self._clauses.of(by.starts) if one.asks_for(by)]
        clauses, wanted = self._asking[by], plain(words)
        if not any(_holds(one.said, wanted) for one in clauses):
            return False
        said = False
        for clause in clauses:
            own = [one for one in clause.parts if _holds(one, wanted)]
            if not seconds.stand_in(clause.said):
                continue
            said = True
            if own and not any(seconds.any_in(without(one, wanted)) for one in own):
                # One value for all of them.
                return False
            for part in [one for one in clause.parts if seconds.stand_in(one)] or [clause.said]:
                alone = not like(part, wanted)
                if part in own or (alone and (own or not like(clause.said, wanted))):
                    return False
        return said

    def repeats(self, tool: Tool, made: Iterable[Payment], named: Callable[[str], int]) -> bool:
        """Return whether payments, with earlier ones, are made more often than the words name their payee."""
        if not tool.financial or self._of(tool)[1]:
            return False
        wanted = Counter(self._keys(made))
        return any(self._made[key] + count > max(1, named(payee)) for (key, payee), count in wanted.items())

    def pay(self, tool: Tool, made: Iterable[Payment]) -> None:
        """Record that payments are made."""
        for key, _ in self._keys(made) if tool.financial else ():
            if key in self._made or len(self._made) < MAX_PAYMENTS:
                self._made[key] += 1

    def _keys(self, made: Iterable[Payment]) -> Iterator[tuple[_Key, str]]:
        for payee, amount, _ in made:
            if found := amount_of(amount):
                yield (exact(payee), found.readings), payee


class _Seconds:
    """A value that a call joins to something: an amount, a day, or a destination."""

    def __init__(self, text: str, name: str, tool: Tool) -> None:
        self._name, self._used = name_words(name), exact(text)
        self._day = day_of(text)
        self._goes = tool.arguments[name].role is ArgumentRole.DESTINATION
        self._amount = None if self._goes or self._day else amount_of(text)
        if self._amount and is_minor(self._name):
            self._amount = in_hundredths(self._amount)

    def any_in(self, said: str) -> bool:
        """Return whether words name a value of this kind."""
        if self._day:
            return bool(days_in(said))
        if self._goes:
            return any(found.kind is self._used.kind for _, found in written(said))
        return any(not one.names for one in amounts_in(said))

    def stand_in(self, said: str) -> bool:
        """Return whether words name this value."""
        if self._day:
            return self._day.among(days_in(said))
        if self._goes:
            return any(found == self._used for _, found in written(said))
        amounts = Amounts()
        amounts.hear(said)
        return self._amount is not None and (amounts.computed or amounts.cover(self._amount, self._name))


def _holds(said: str, words: str) -> bool:
    return without(said, words) != said


def payments(of: Joined, *, amounts_only: bool = True) -> Iterator[Payment]:
    """Yield each payment of a call.

    Where there are as many amounts as payees (or objects), they are paired in order; otherwise each is
    combined with each. Without `amounts_only`, each object with its destination is also yielded.
    """
    selected = of.get(ArgumentRole.SELECTOR, [])
    goes, amounts_of = of.get(ArgumentRole.DESTINATION, []), of.get(ArgumentRole.AMOUNT, [])
    for firsts, seconds_of in (([*goes, *selected], amounts_of), (selected, [] if amounts_only else goes)):
        for (_, ones), (name, others) in product(firsts, seconds_of):
            pairs = zip(ones, others, strict=True) if len(ones) == len(others) else product(ones, others)
            yield from ((one, other, name) for one, other in pairs)


def crowded(of: Joined) -> bool:
    """Return whether an argument holds more values than are compared."""
    return any(len(texts) > MAX_PIECES for found in of.values() for _, texts in found)


def joined(tool: Tool, parts: dict[str, Json]) -> Joined:
    """Return the values of a call's arguments that belong together: payees, objects, amounts."""
    of: Joined = {}
    for name, spec in tool.arguments.items():
        if spec.role in _PAID and name in parts:
            texts: Iterator[str] = (one for one in values_of(parts[name], tool, name) if not is_long(one))
            if spec.role is ArgumentRole.DESTINATION:
                texts = chain.from_iterable(map(several, texts))
            of.setdefault(spec.role, []).append((name, list(islice(texts, MAX_PIECES + 1))))
    return of
