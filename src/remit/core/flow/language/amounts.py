# SPDX-License-Identifier: Apache-2.0
"""Amounts: quantities with units, as people write them (`20 EUR`, `at most 5 %`) and as tools receive them.

A text can have more than one reading as a number (`1,200`, `1.200`). Then all readings count: the person
stated an argument only if the person stated each of its readings. The unit belongs to the amount where both
name one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation

import msgspec

from remit.core.flow.language.dates import Day, day_of
from remit.core.flow.values.strict_reading import BLANKS, small

_FORMS = {
    "usd": "$ usd us$ dollar dollars bucks",
    "eur": "\u20ac eur euro euros",
    "gbp": "\u00a3 gbp pound pounds quid",
    "jpy": "\u00a5 jpy yen",
    "inr": "\u20b9 inr rupee rupees",
    "%": "% percent pct",
    "cent": "cent cents pence",
    "star": "star stars",
}
_CODES = "aud cad chf cny czk dkk hkd huf ils krw mxn nok nzd pln sek sgd thb try zar brl"
_UNITS = {form: name for name, forms in _FORMS.items() for form in forms.split()}
_UNITS |= {code: code for code in _CODES.split()}
_TIMES = {"k": 1_000, "thousand": 1_000, "m": 1_000_000, "million": 1_000_000, "hundred": 100, "dozen": 12}
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SPELT = {word: at for at, word in enumerate(_ONES.split())}
_SPELT |= {word: 10 * at for at, word in enumerate(_TENS.split(), 2)}
_SIGNS = "$\u20ac\u00a3\u00a5\u20b9"
_DIGITS = r"[0-9]+(?:[ ,.'\u2019\u00a0\u202f][0-9]+)*(?:e[0-9]{1,2})?"
_NUMBER = re.compile(
    rf"(?:(?<![a-z0-9])(?P<before>[{_SIGNS}]|[a-z]{{3}}) ?)?"
    rf"(?<![\w.@#/-])(?P<sign>[-+]?)(?P<number>{_DIGITS})"
)
_AFTER = re.compile(rf"[ \u00a0]?(?P<unit>[{_SIGNS}%]|[a-z]+)")
_IN_WORDS = re.compile(rf"\b(?P<tens>{'|'.join(_SPELT)})(?:[ -](?P<ones>{'|'.join(_SPELT)}))?\b")
#: Texts with digits that are no amounts: account numbers, addresses, dates, times, telephone numbers.
_NO_AMOUNT = re.compile(
    r"\b[a-z]{2}\d{2}(?:[a-z0-9]{11,30}|(?: (?:[a-z]{4}(?= \d)|(?=[a-z]*\d)[a-z0-9]{1,4}\b)){2,8})\b|\S*(?:@|://)\S*|\b[12]\d{3}-\d\d?-\d\d?\b|\b\d{1,2}:\d\d(?::\d\d)?\b"
    r"|\+\d[\d ()/-]{6,20}|\b\d{1,2}(?:st|nd|rd|th)\b|\b\d{1,2}[./]\d{1,2}[./](?:[12]\d)?\d\d\b"
)
_WHOLE_NUMBER = re.compile(_DIGITS)
_GROUPED = re.compile(r"\d{1,3}([ ,.'\u2019\u00a0\u202f])\d{3}(?:\1\d{3})*")
_CEILING = re.compile(
    r"\b(?:up to|at most|max(?:imum)?(?: of)?|no more than|not more than|under|below|less than|within|"
    r"budget of|limit(?: of| is|:)?|not exceed(?:ing)?|(?:n't|not|never) \w+ more than)(?: \w+){0,2} ?$"
)
#: Words before a number that make it an amount even without a unit.
_HOW_MUCH = re.compile(
    r"\b(?:pay|send|transfer|wire|refund|charge|order|buy|book|withdraw|deposit|donate|tip|limit|amount|"
    r"quantity|number|total|sum|price|rent|fee|cost|salary|budget|payment|bill|top|first|last|set|increase|"
    r"decrease|raise|reduce|to|by|of)(?: \w+){0,2}[ :]+$"
)
#: Words that require a computed amount and set no limit.
_COMPUTED = re.compile(
    r"\b(?:increas|rais|adjust|convert|equivalent)\w*"
    # `10% of what I paid`, but not `10% of the bill of 90 EUR`.
    rf"|(?:%|percent) of (?!(?:the |my |our )?(?:\w+ (?:of |over )?){{0,2}}[\d{_SIGNS}])"
)
#: Words that mean an amount that is stated elsewhere.
_REFERRED = re.compile(r"\bsame (?:amount|sum|price|value)\b")
#: Words that require more to be computed from the named amounts.
_ADDED = re.compile(
    r"\b(?:doubl\w*|triple|per|tip|additional|extra|plus)\b"
    # `Tell me more` is no amount.
    r"|[\d%] ?\w{0,12} more\b|(?<!\bno )(?<!\bnot )\bmore than\b"
)
#: Words that require a part or the whole of something to be computed.
_PART = re.compile(
    r"\b(?:(?:reduc|decreas|differen|split|halv|remain)\w*|half|total|sum|rest|average|cover|due|owe[ds]?)\b"
    r"|\bminus\b|(?<!my )(?<!our )\bbalance(?! of| is)\b"
    r"|\b(?:my|your|his|her|our|their|its|the|a|equal|one's) shares?\b"
    r"|[\d%] ?\w{0,12} less\b|\bless than\b"
)
#: An amount that is subtracted from the next one, or two amounts whose difference is meant.
_DIFFERENCE = re.compile(
    rf"(?:[\d{_SIGNS}%] ?|\b(?:{'|'.join(filter(str.isalpha, _UNITS))}) )less than\b"
    r"|\bdifference between\b|\bminus\b"
)
#: Words from a verb up to the amount that it asks for, regardless of the rest of the sentence.
_PLAINLY = re.compile(
    r"\b(?:pay|send|transfer|wire|refund|charge|withdraw|deposit|donate|tip)"
    r"(?: (?!(?:half|rest|difference|remain\w*|double|triple|balance|total|sum)\b)[^\W\d]+){0,3} $"
)
#: Words after an amount that compute another amount from it.
_CHANGES = re.compile(r"[^.;]{0,12}?\b(?:less|more|plus|minus|off|times)\b")
#: The remainder is to be sent somewhere, too.
_LEFT_OVER = re.compile(r"\b(?:rest|remainder|remaining|balance)\b[^.;]{0,60}? to\b")
_ALL = re.compile(r"\b(?:total|sum|altogether)\b")
_TIMES_OF = {"doubl": 2, "triple": 3}
#: Words before an amount that exclude it.
_NOT_THIS = re.compile(r"(?:\binstead of|\brather than|,? not|\bbut not)(?: (?:the|for))? ?$")
#: Words before an amount from which another amount is taken, or of which it is the remainder.
_OUT_OF = re.compile(
    r"(?:\bbalance(?: of| is)?|\bleav(?:es|ing)|\bleft|\bout of(?: \w+){0,3}"
    r"|\bof (?:the|my|our|your)(?: \w+ (?:of|over))?) ?$"
)
_NUMBERED_WORDS = "order number invoice item ticket case customer no id account room #"
_NUMBERED = tuple(_NUMBERED_WORDS.split())
_IS = re.compile(r"(?: is|:|=)? *$")
_AFTER_NUMBER = re.compile(r" ([a-z]+)")
_ON_WORDS = "on to for from and then at with by in as is was or but if after before"
_LEADING_ON = frozenset(_ON_WORDS.split())
#: Words in the names of arguments that are counts, percentages, or days.
_COUNT_WORDS = "quantity qty count number n limit guests people seats size pages copies max top days"
_COUNTS = frozenset(_COUNT_WORDS.split())
_RATES = frozenset(("percent", "percentage", "pct", "rate", "discount"))
_WHEN = frozenset(("date", "day", "when", "due", "deadline", "start", "end", "until", "from", "since"))
_NUMBERING_WORDS = "id ids uid uuid no nr number code key ref reference iban account phone zip"
_NUMBERING = frozenset(_NUMBERING_WORDS.split())
_MINOR = frozenset(["cent", "cents", "minor", "pence", "pennies"])
#: Words in the names of arguments that are ratings: these are given in stars, and nothing else is.
_RATINGS = frozenset(["rating", "stars", "score"])


class Amount(msgspec.Struct, frozen=True):
    """An amount as a text states it: its readings, and its unit (empty: the text names no unit).

    - `most`: it is an upper bound on what may be spent.
    - `counts`: the words state a quantity, not the number of an item.
    - `names`: the words state the number of an item.
    - `here`: it is in words that ask for a call.
    - `made`: it is computed from other amounts.
    - `plain`: a verb asks for exactly this amount.
    """

    readings: frozenset[Decimal]
    unit: str = ""
    most: bool = False
    counts: bool = False
    names: bool = False
    here: bool = False
    made: bool = False
    plain: bool = False

    def covers(self, other: Amount) -> bool:
        """Return whether this amount covers each reading of another amount.

        A bound covers every reading from 0 up to it, any other amount only its own readings.
        """
        if self.unit and other.unit and self.unit != other.unit:
            return False
        if self.most:
            top = max(self.readings)
            return all(0 <= one <= top for one in other.readings)
        return other.readings <= self.readings


def amount_of(text: str) -> Amount | None:
    """Return the amount that the whole text states; None where it states none."""
    bare = small(text).strip(BLANKS)
    if not 0 < len(bare) <= 60:
        return None
    unit = ""
    for form in sorted(_UNITS, key=len, reverse=True):
        if bare.startswith(form) and bare[len(form) :].lstrip(" ")[:1].isdigit():
            unit, bare = _UNITS[form], bare[len(form) :].lstrip(" ")
            break
        if bare.endswith(form) and bare[: -len(form)].rstrip(" ")[-1:].isdigit():
            unit, bare = _UNITS[form], bare[: -len(form)].rstrip(" ")
            break
    sign = -1 if bare[:1] == "-" else 1
    found = _readings(bare.lstrip("+-")) if bare[:1] not in ("+", "-") or bare[1:2].isdigit() else frozenset()
    return Amount(frozenset(sign * one for one in found), unit) if found else None


def in_hundredths(one: Amount) -> Amount:
    """Convert an amount that counts hundredths of a currency to that currency."""
    return msgspec.structs.replace(one, readings=frozenset(each / 100 for each in one.readings))


def is_number(name: Iterable[str]) -> bool:
    """Return whether the words of a field's name identify the number of an item rather than a quantity."""
    return not _NUMBERING.isdisjoint(name)


def unit_of(text: str) -> str:
    """Return the unit that the whole text names; empty where it names no known unit."""
    return _UNITS.get(small(text).strip(BLANKS), "")


def is_moment(name: Iterable[str]) -> bool:
    """Return whether the words of an argument's name denote a day or a time."""
    return not _WHEN.isdisjoint(name)


def is_minor(name: Iterable[str]) -> bool:
    """Return whether the words of an argument's name denote hundredths of a currency."""
    return not _MINOR.isdisjoint(name)


def amounts_in(text: str) -> Iterator[Amount]:
    """Yield the amounts that a person's words name, each with all its readings."""
    said = _NO_AMOUNT.sub(" ; ", small(" ".join(text.split())))
    for found in _NUMBER.finditer(said):
        start = found.start("before") if found["before"] in _UNITS else found.start("sign")
        before, number = said[max(0, start - 40) : start], found["number"]
        times, unit, end = 1, _UNITS.get(found["before"] or "", ""), found.end()
        while after := _AFTER.match(said, end):
            if after["unit"] in _TIMES:
                times *= _TIMES[after["unit"]]
            elif after["unit"] in _UNITS:
                unit = unit or _UNITS[after["unit"]]
            else:
                break
            end = after.end()
        if said[end : end + 1].isalnum() or said[end : end + 1] in ("-", "_", "/", "@"):
            continue
        values = frozenset(times * one for one in _readings(number))
        if not values:
            continue
        if unit == "cent":
            values, unit = frozenset(one / 100 for one in values), ""
        if _NOT_THIS.search(before):
            continue
        names = not unit and _is_number_of(before, said[end : end + 40])
        # `3 of the item` is a quantity, and so is `A-17: 3`.
        many = said.startswith(" of ", end) or before.endswith(": ") or _HOW_MUCH.search(before) is not None
        counts = bool(unit) or (many and not names)
        plain = counts and _is_plain(before, said, end)
        yield Amount(values, unit, _bounds(before), counts, names, plain=plain)
    yield from _spelt(said)


def _bounds(before: str) -> bool:
    """Return whether the words before an amount make it an upper bound."""
    return _CEILING.search(before) is not None or _OUT_OF.search(before) is not None


def _is_plain(before: str, said: str, end: int) -> bool:
    """Return whether a verb asks for exactly this amount, and the words after it compute no other amount from
    it.
    """
    return _PLAINLY.search(before) is not None and _CHANGES.match(said, end) is None


def _worked_out(said: str, found: list[Amount]) -> Amount | None:
    """Return the most that the words can compute from the amounts that they name; None where they name
    none.
    """
    sums = [one for one in found if one.counts and one.unit != "%"]
    if not sums or len({one.unit for one in sums if one.unit}) > 1:
        return None
    most = sum((max(one.readings) for one in sums), Decimal(0))
    for one in found:
        if one.unit == "%":
            most *= 1 + max(one.readings) / 100
        elif one not in sums and not one.names and "per" in said.split():
            most *= max(one.readings)
    for word, times in _TIMES_OF.items():
        most *= times if word in said else 1
    return Amount(frozenset((most,)), sums[0].unit, most=True, counts=True, made=True)


def _difference(said: str, found: list[Amount]) -> Amount | None:
    """Return the difference of two amounts that the words subtract; None unless there are exactly two."""
    sums = [one for one in found if one.counts]
    if len(sums) != 2 or len({one.unit for one in sums if one.unit}) > 1 or not _DIFFERENCE.search(said):
        return None
    first, second = sums
    left = frozenset(abs(one - other) for one in first.readings for other in second.readings)
    return Amount(left, first.unit, counts=True, made=True)


def _is_number_of(before: str, after: str) -> bool:
    """Return whether a number identifies an item (`order 4711 for ...`) rather than a quantity (`order 3 of
    ...`).
    """
    if not _IS.sub("", before).rstrip().endswith(_NUMBERED):
        return False
    follows = _AFTER_NUMBER.match(after)
    return follows is None or follows[1] in _LEADING_ON


def _spelt(said: str) -> Iterator[Amount]:
    for found in _IN_WORDS.finditer(said):
        value, end = _SPELT[found["tens"]] + _SPELT.get(found["ones"] or "", 0), found.end()
        unit = ""
        while after := _AFTER.match(said, end):
            if after["unit"] in _TIMES:
                value *= _TIMES[after["unit"]]
            elif after["unit"] in _UNITS:
                unit = _UNITS[after["unit"]]
            else:
                break
            end = after.end()
        before = said[max(0, found.start() - 40) : found.start()]
        plain = bool(unit) and _is_plain(before, said, end)
        yield Amount(frozenset((Decimal(value),)), unit, _bounds(before), bool(unit), plain=plain)


def _readings(number: str) -> frozenset[Decimal]:
    """Return all readings of digits with separators between them."""
    if not _WHOLE_NUMBER.fullmatch(number):
        return frozenset()
    marks = [one for one in number if not one.isdigit() and one != "e"]
    forms = {number}
    if marks:
        last = number.rindex(marks[-1])
        forms = set()
        if len(set(marks)) > 1:
            # Of two different separators, the last one begins the decimals.
            forms.add(_bare(number[:last]) + "." + number[last + 1 :])
        else:
            if _GROUPED.fullmatch(number):
                forms.add(_bare(number))
            if len(marks) == 1 and marks[0] in ".,":
                forms.add(number.replace(",", "."))
    out = set()
    for form in forms:
        try:
            out.add(Decimal(form).normalize())
        except InvalidOperation:
            continue
    return frozenset(out)


def _bare(number: str) -> str:
    return "".join(one for one in number if one.isdigit())


class Amounts:
    """The amounts that a person has stated so far.

    `here` marks amounts in clauses that ask for a call: amounts in other clauses count only where there is no
    such amount.
    """

    def __init__(self) -> None:
        """Start with no arguments."""
        self._found: list[Amount] = []
        #: Whether the words require a computed amount, or a part of an amount: elsewhere (False) and here
        #: (True).
        self._computed = [False, False]
        self._part = [False, False]
        #: Whether the words mean an amount that is stated elsewhere.
        self.referred = False

    def hear(self, text: str, *, here: bool = True) -> None:
        """Add further words."""
        said = small(text[:160_000])
        self.referred = self.referred or _REFERRED.search(said) is not None
        found = list(amounts_in(said))
        left = _difference(said, found)
        if left:
            self._found.append(msgspec.structs.replace(left, here=here))
            return
        added = _ADDED.search(said) is not None
        most = _worked_out(said, found) if added or _ALL.search(said) else None
        # An amount that a verb asks for exactly is no part of the other named amounts.
        plain = any(one.plain for one in found) and _LEFT_OVER.search(said) is None
        found = [*found, most] if most else found
        self._found += [msgspec.structs.replace(one, here=here) for one in found]
        computed = _COMPUTED.search(said) is not None or (added and most is None)
        self._computed[here] = self._computed[here] or computed
        self._part[here] = self._part[here] or (not plain and _PART.search(said) is not None)

    def add(self, text: str) -> None:
        """Add a typed parameter that is an amount as a whole."""
        if one := amount_of(text):
            self._found.append(msgspec.structs.replace(one, counts=True, here=True))

    @property
    def computed(self) -> bool:
        """Whether the words require a computed amount and set no limit."""
        return self._says(self._computed) or (self._says(self._part) and not self.differ())

    def _says(self, said: list[bool]) -> bool:
        return said[True] or (said[False] and not any(one.here and one.counts for one in self._found))

    @property
    def units(self) -> frozenset[str]:
        """The units that were named."""
        said = [one for one in self._found if one.unit]
        return frozenset(one.unit for one in [one for one in said if one.here] or said)

    def cover(self, wanted: Amount, name: Iterable[str]) -> bool:
        """Return whether the person stated this amount, or a bound above it, for an argument with this name.

        `name` holds the words of the argument's name: a price does not cover a quantity or a percentage, nor
        the reverse.
        """
        words = frozenset(name)
        rate, count = not _RATES.isdisjoint(words), not _COUNTS.isdisjoint(words)
        said = [one for one in self._of_kind(words) if (one.unit == "%") is rate or (rate and not one.unit)]
        if count and wanted.unit:
            return False
        if count:
            said = [one for one in said if not one.unit]
        said = [one for one in said if one.here and one.counts] or said
        if not count and any(one.unit for one in said):
            said = [one for one in said if one.unit]
        # Where the words state a quantity, the number of another item (`invoice 4711`) is no amount.
        said = [one for one in said if one.counts] or [one for one in said if not one.names]
        part = self._says(self._part)
        if not part:
            # Beside an exact amount, the amount that it is taken from is no bound.
            exact = any(not one.most for one in said)
            said = [one for one in said if one.made or not (exact and one.most)]
        return any((msgspec.structs.replace(one, most=True) if part else one).covers(wanted) for one in said)

    def differ(self, name: Iterable[str] = ()) -> bool:
        """Return whether the person stated a quantity, so that any other amount differs from it.

        `name` holds the words of the argument's name.
        """
        return any(one.counts for one in self._of_kind(name))

    def _of_kind(self, name: Iterable[str]) -> list[Amount]:
        """Return the amounts that can count for an argument with this name: stars for a rating, or others."""
        stars = [one for one in self._found if one.unit == "star"]
        if not _RATINGS.isdisjoint(name) and stars:
            return stars
        return [one for one in self._found if one.unit != "star"]


NO_AMOUNTS = Amounts()


def states_day(text: str, days: frozenset[Day]) -> bool | None:
    """Return whether a text is one of the named days; None where it is no day."""
    found = day_of(text)
    return None if found is None else found.among(days)
