# SPDX-License-Identifier: Apache-2.0
"""How much the person said for what, for whom, and how often.

An amount counts for a call if it stands in a clause that asks for what the tool does, before any other. Where
several payees were named with amounts of their own, each is paid what was said for it. A payment that was
said once is made once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import islice, product
from typing import Any

from remit.core.amount import Amounts, amount_of, amounts_in, in_hundredths, is_minor, unit_of
from remit.core.asking import AskedBy, asking
from remit.core.clause import Clauses, without
from remit.core.exact import ExactValue, exact, written
from remit.core.kind import KindOfValue
from remit.core.leaf import values_of
from remit.core.quotation import unquoted
from remit.core.spelling import folded
from remit.core.tool import ArgumentRole, Tool
from remit.core.walk import is_long
from remit.core.word import name_words

Json = Any

MAX_OTHERS = 20
"""Payees of one text that are told apart."""
MAX_PIECES = 64
"""Payees, and amounts, of one call that are held against one another."""
MAX_PAYMENTS = 10_000
"""Different payments of a task that are counted; further ones are not."""
_PAYEES = (KindOfValue.IBAN, KindOfValue.EMAIL, KindOfValue.PHONE)
_PAID = (ArgumentRole.DESTINATION, ArgumentRole.SELECTOR, ArgumentRole.AMOUNT)
_SENTENCES = re.compile(r"[.!?;]\s")
_OFTEN = re.compile(
    r"\b(?:twice|thrice|again|once more|daily|weekly|biweekly|monthly|quarterly|yearly|annually|every"
    r"|recurring|repeat\w*|instal\w+|each|per|all|both|several|times)\b"
)
_Key = tuple[str, ExactValue, frozenset[Decimal]]
#: A payee, an amount, and the name of the argument that gives the amount.
Payment = tuple[str, str, str]


class Owed:
    """What the person has said so far of how much is owed to whom."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._clauses = Clauses()
        self._typed: list[str] = []
        self._amounts: dict[AskedBy, tuple[Amounts, bool]] = {}
        self._stated: dict[tuple[AskedBy, str], Amounts] = {}
        self._shares: dict[ExactValue, Amounts] = {}
        self._made: Counter[_Key] = Counter()

    def hear(self, goal: str) -> None:
        """Take more of the person's words in."""
        self._clauses.hear(unquoted(goal))
        self._amounts.clear()
        self._stated.clear()

    def add(self, leaf: str) -> None:
        """Take in a typed parameter."""
        self._typed.append(leaf)
        self._amounts.clear()
        self._stated.clear()

    def divide(self, part: str) -> None:
        """Note which amounts stand with which of several payees: before each of them, or after."""
        text = " ".join(part.split())
        places: dict[int, tuple[int, ExactValue]] = {}
        for piece, found in written(text):
            at = text.find(piece)
            if found.kind in _PAYEES and at >= 0:
                places[at] = max(places.get(at, (0, found)), (at + len(piece), found), key=lambda one: one[0])
            if len(places) > MAX_OTHERS:
                return
        stops = sorted((at, end, found) for at, (end, found) in places.items())
        if len(stops) < 2:
            return
        before = [text[0 if not at else stops[at - 1][1] : one[0]] for at, one in enumerate(stops)]
        after = [*before[1:], text[stops[-1][1] :]]
        first = _SENTENCES.split(before[0])[-1]
        shares = [Amounts() for _ in stops]
        for share, words in zip(
            shares, [first, *before[1:]] if any(amounts_in(first)) else after, strict=True
        ):
            share.hear(words)
        if sum(one.differ() for one in shares) > 1:
            self._shares.update({one[2]: share for one, share in zip(stops, shares, strict=True)})

    def amounts(self, tool: Tool) -> Amounts:
        """Give the amounts that the person stated, as they count for a tool."""
        return self._of(tool)[0]

    def _of(self, tool: Tool) -> tuple[Amounts, bool]:
        """Give the amounts for a tool, and whether what it does is to be done more than once."""
        by = asking(tool).verb
        if by not in self._amounts:
            amounts, often, anywhere = Amounts(), False, None
            for clause in (one for sentence in self._clauses.of(by.starts) for one in sentence):
                here = by.by(clause.stems, clause.text)
                amounts.hear(clause.said, here=here)
                if here:
                    often = often or _OFTEN.search(clause.said) is not None
                    anywhere = True
            for leaf in self._typed:
                amounts.add(leaf)
            self._amounts[by] = amounts, often or not anywhere
        return self._amounts[by]

    def owes(self, tool: Tool, payment: Payment, words: str) -> bool:
        """Whether an amount is none that was said for another payee, or another thing, alone: `words` are
        those by which the person names the one that gets it.
        """
        payee, amount, name = payment
        shares = (self._shares.get(exact(payee)), self._beside(tool, words))
        return all(share is None or not share.differ() or _covers(share, amount, name) for share in shares)

    def _beside(self, tool: Tool, words: str) -> Amounts:
        """Give the amounts in those clauses that ask for what a tool does, and state something."""
        by, wanted = asking(tool).verb, " ".join(folded(words).split())
        if (by, wanted) not in self._stated:
            amounts = Amounts()
            for clause in (one for sentence in self._clauses.of(by.starts) for one in sentence):
                if by.by(clause.stems, clause.text) and without(clause.said, wanted) != clause.said:
                    amounts.hear(clause.said)
            self._stated[by, wanted] = amounts
        return self._stated[by, wanted]

    def repeats(self, tool: Tool, made: Iterable[Payment], named: Callable[[str], int]) -> bool:
        """Whether payments are made more often than the words name their payee, with those before them."""
        if not tool.financial or self._of(tool)[1]:
            return False
        wanted = Counter(self._keys(tool, made))
        return any(self._made[key] + count > max(1, named(payee)) for (key, payee), count in wanted.items())

    def pay(self, tool: Tool, made: Iterable[Payment]) -> None:
        """Note that payments are made."""
        for key, _ in self._keys(tool, made) if tool.financial else ():
            if key in self._made or len(self._made) < MAX_PAYMENTS:
                self._made[key] += 1

    def _keys(self, tool: Tool, made: Iterable[Payment]) -> Iterator[tuple[_Key, str]]:
        for payee, amount, _ in made:
            if found := amount_of(amount):
                yield (tool.id, exact(payee), found.readings), payee


def _covers(share: Amounts, amount: str, name: str) -> bool:
    unit, wanted = unit_of(amount), amount_of(amount)
    if wanted is None:
        return not unit or not share.units or unit in share.units
    if is_minor(name_words(name)):
        wanted = in_hundredths(wanted)
    return share.computed or share.cover(wanted, name_words(name))


def payments(tool: Tool, parts: dict[str, Json]) -> Iterator[Payment]:
    """Give each payment of a call: one amount for each payee, or thing, where there are as many, else all for
    all.
    """
    of: dict[ArgumentRole, list[tuple[str, list[str]]]] = {}
    for name, spec in tool.arguments.items():
        if spec.role in _PAID and name in parts:
            texts = islice(values_of(parts[name], tool, name), MAX_PIECES)
            of.setdefault(spec.role, []).append((name, [one for one in texts if not is_long(one)]))
    payees_of = [*of.get(ArgumentRole.DESTINATION, ()), *of.get(ArgumentRole.SELECTOR, ())]
    for _, payees in payees_of:
        for name, amounts in of.get(ArgumentRole.AMOUNT, ()):
            pairs = (
                zip(payees, amounts, strict=True) if len(payees) == len(amounts) else product(payees, amounts)
            )
            yield from ((payee, amount, name) for payee, amount in pairs)
