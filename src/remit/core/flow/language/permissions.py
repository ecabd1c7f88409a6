# SPDX-License-Identifier: Apache-2.0
"""Powers that a person's words give: `as admin`, `with write access`, `make the page public`, `turn off ...`.

A power is given where a clause that asks says it as one: not as a name (`our admin Bob`), and not for another
object. What is not recognised only costs a question.
"""

from __future__ import annotations

from collections.abc import Sequence

from remit.core.flow.language.clauses import Clauses, SaidClause, without
from remit.core.flow.language.tool_verbs import AskedBy, verbs_and_nouns
from remit.core.flow.language.word_forms import PARTS, name_words, some, stem, stems
from remit.core.flow.values.normal_text import plain

#: Words after a power that make it one.
_NOUNS = stems("role right permission access level privilege visibility status")
#: Verbs that give a power: `make Bob an admin`, `turn on the alarm`.
_GIVING = stems("make give grant set turn switch promote upgrade enable disable activate deactivate allow")
_OFF = stems("disable deactivate remove drop off")
_ON = stems("enable activate allow require on")
_SIDES = ("on", "off")
_FILLING = some("the my our its a an of for me")
#: Words before a power that take it away.
_LESS = some(
    "non not no never less without than instead longer except but sub co vice deputy assistant junior former "
    "formerly previously ex almost acting once known listed removed lost"
)
#: Words that may follow a power: others make it a name (`as admin said`).
_AFTER = some("of in on for to at from with and or now again please too via by so")
_NAMES_ONE = some("the our my your their his her its this that these those for by from of and or")
_TO_ONE = some("to with at in on")
_HIM = some("him her them it this that")
#: Words of a switch's name that people leave out.
_IDLE = some("is be set enable enabled allow allowed flag with use")
_BACK = 3
_SHORTEST = 4


def says_power(
    clauses: Clauses,
    by: AskedBy,
    text: str,
    name: str,
    *,
    switch: bool | None,
    objects: Sequence[str],
) -> bool:
    """Return whether the words give a power where they ask for what a tool does, and for these objects.

    `text` is the value, or for a switch its name; `switch` is the position of the switch. `objects` are the
    words by which the person names what the call is about.
    """
    verb = by.verb
    asked = [one for one in clauses.of(verb.starts) if one.asks]
    saying = _Saying(text, name, switch, verbs_and_nouns(by.name)[1])
    wanted = [plain(one) for one in objects]
    about = [any(without(one.said, word) != one.said for word in wanted) for one in asked]
    given = [saying.is_in(one, wanted) and (one.asks_for(verb) or _gives(one)) for one in asked]
    if any(about):
        return any(
            is_given and (about[at] or (at > 0 and about[at - 1] and not _HIM.isdisjoint(asked[at].words)))
            for at, is_given in enumerate(given)
        )
    # Of several requests, the power may be meant for another one.
    needed = [at for at, one in enumerate(asked) if one.asks_for(verb) or given[at]]
    return bool(needed) and all(given[at] or any(given[at + 1 : at + 2]) for at in needed)


def _gives_as(part: str) -> bool:
    return not {"as", "with"}.isdisjoint(part.split())


def _gives(clause: SaidClause) -> bool:
    return any(stem(one) in _GIVING for one in clause.words[:2])


class _Saying:
    """What a clause must say for a power."""

    def __init__(self, text: str, name: str, switch: bool | None, nouns: frozenset[str]) -> None:
        self._value = [stem(one) for one in _split(plain(text).split()) if one not in _IDLE]
        self._about = {stem(one) for one in name_words(name) if one not in _IDLE}
        self._switch = switch
        self._nouns = nouns

    def is_in(self, clause: SaidClause, objects: Sequence[str]) -> bool:
        """Return whether a clause says the power, in the part that names one of the objects."""
        if len(clause.parts) > 1 and any(_gives_as(one) and not self._says(one) for one in clause.parts):
            # `Invite Alice as viewer and Bob as admin`: only with the part that names the object.
            return any(
                self._says(one) and any(without(one, word) != one for word in objects) for one in clause.parts
            )
        own = [one for one in clause.parts if any(without(one, word) != one for word in objects)]
        others = [one for one in clause.parts if one not in own]
        if not own or any(self._says(one) for one in own):
            return self._says(clause.said)
        # `Invite Alice and Bob as admins`: one power for all.
        return sum(self._says(one) for one in others) == 1

    def _says(self, said: str) -> bool:
        words = _split(said.split())
        if not self._value:
            return False
        places = [at for at in range(len(words) - len(self._value) + 1) if self._stands(words, at)]
        if self._switch is False:
            return any(self._switched(words, at, _OFF) for at in places)
        if self._switch and any(self._switched(words, at, _OFF) for at in places):
            return False
        return any(
            (self._switch and self._switched(words, at, _ON)) or self._is_power(words, at) for at in places
        )

    def _stands(self, words: list[str], at: int) -> bool:
        found = words[at : at + len(self._value)]
        return all(_alike(word, value) for word, value in zip(found, self._value, strict=True))

    def _switched(self, words: list[str], at: int, by: frozenset[str]) -> bool:
        """Return whether the switch at a place of some words is set: `turn off the X`, `turn X off`."""
        end = at + len(self._value)
        before = [one for one in words[:at] if one not in _FILLING]
        if not before or not _LESS.isdisjoint(before):
            return False
        if before[-1] in _SIDES:
            return before[-1] in by and before[-2:-1] in (["turn"], ["switch"])
        if words[end : end + 1] and words[end] in _SIDES:
            return words[end] in by and before[-1] in ("turn", "switch")
        return stem(before[-1]) in by

    def _is_power(self, words: list[str], at: int) -> bool:
        """Return whether the value stands at a place of some words, as a power."""
        end = at + len(self._value)
        before, after = words[max(0, at - _BACK) : at], [stem(one) for one in words[end : end + 2]]
        last = before[-1] if before else ""
        if not _LESS.isdisjoint(before):
            return False
        if last == "of" and len(before) > 1 and stem(before[-2]) in _NOUNS | self._about:
            return True
        if not _NOUNS.isdisjoint(after[:1]) or not self._about.isdisjoint(after[:1]):
            return True
        if last in _NAMES_ONE:
            return False
        if (
            ("as" in before and (not after or words[end] in _AFTER))
            or last in ("be", "become")
            or words[at].endswith("ly")
        ):
            return True
        if not self._about.isdisjoint(map(stem, words[:at])) and self._switch is None:
            return True
        if after[:1] and after[0] in self._nouns and last in ("a", "an"):
            return True
        gives = any(stem(one) in _GIVING for one in words[:2])
        return (
            gives
            and last not in _TO_ONE
            and (not after or words[end] in ("of", "in", "on", "for", "now", "again", "please"))
        )


def _split(words: Sequence[str]) -> list[str]:
    return [part for word in words for part in (PARTS.findall(word) or [])]


def _alike(word: str, value: str) -> bool:
    """Return whether a word is a value, or one of them begins the other (`view`, `viewer`)."""
    mine = stem(word)
    short, long = sorted((mine, value), key=len)
    return mine == value or (len(short) >= _SHORTEST and long.startswith(short))
