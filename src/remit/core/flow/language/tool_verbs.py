# SPDX-License-Identifier: Apache-2.0
"""The words that ask for what a tool does.

They come from the tool's description, else from the verb of its name or a synonym of that verb.
"""

from __future__ import annotations

import functools
import re

import msgspec

from remit.core.flow.language.vocabulary.object_nouns import ADDING, MONEY, PAYING, SAME_OBJECTS, SENDING
from remit.core.flow.language.vocabulary.verb_groups import TELLING, WIDER_VERBS
from remit.core.flow.language.word_forms import EMPTY, name_words, some, stem, stems, words_of
from remit.core.flow.values.normal_text import plain
from remit.core.tools.tool import Effect, Tool

#: Verbs that ask for the same kind of action.
_VERBS: tuple[frozenset[str], ...] = tuple(
    some(group)
    for group in (
        "send email e-mail mail message write reply respond answer forward notify inform text tell dm ping",
        "create add make schedule book plan organise organize arrange open draft register set",
        "update change adjust modify edit correct set move reschedule rename fix replace alter",
        "delete remove cancel drop clear discard erase trash unsubscribe revoke",
        "pay send transfer refund settle reimburse wire remit",
        "share invite give grant add send",
        "post publish upload put write share",
        "append add put insert write extend",
        "invite add ask include",
        "reserve book order buy purchase rent",
        "fetch visit open read download browse load summarise summarize",
        "deploy release ship roll install",
        "merge approve accept close reopen assign comment",
    )
)
READING = stems(
    "read open look check see find show list get fetch visit download browse load summarise summarize "
    "compare review analyse analyze examine inspect verify study count translate search scan skim identify "
    "evaluate assess explain describe retrieve extract"
)
WRITTEN = frozenset().union(*_VERBS)
ASKING = frozenset(map(stem, WRITTEN)) | READING | stems("let give tell")
_SENDING = (
    "send",
    "write",
    "tell",
    "message",
    "inform",
    "notify",
    "reply",
    "answer",
    "forward",
    "share",
    "invite",
)
#: Words that ask for a tool that notifies people, and further words for the same.
_TELLING = stems("mail email message tell notify inform text ping")
_MAILING = stems("mail email")
_TELLING_TOO = stems("reply respond answer inform notify contact")


MAX_GAP = 4
"""Most words of others between two words of a phrase."""


class AskedBy(msgspec.Struct, frozen=True):
    """The words that ask for what a tool does: the stems that its description names, else the words of its
    name.

    `acts` is true where the tool does more than read.
    """

    words: frozenset[str]
    name: tuple[str, ...]
    acts: bool = True

    @property
    def verb(self) -> AskedBy:
        """A copy that uses only the verb of the name, where the name has one."""
        return AskedBy(self.words, self.name[:1], self.acts) if verbs_and_nouns(self.name)[0] else self

    @property
    def widely(self) -> AskedBy:
        """A copy that uses any word of the name."""
        verbs, nouns = verbs_and_nouns(self.name)
        return AskedBy(self.words or verbs or nouns, (), self.acts)

    @property
    def starts(self) -> frozenset[str]:
        """The stems that ask as verbs do."""
        return frozenset(stem(one.split()[0]) for one in (*self.words, *self.name[:1]) if one)

    def by(self, stems: frozenset[str], text: str) -> bool:
        """Return whether words ask for the tool.

        `stems` are their stems, `text` the words themselves with blanks around them.
        """
        if self.words:
            return not self.words.isdisjoint(stems) or any(
                (" " in one and f" {' '.join(words_of(one))} " in text)
                or (one in EMPTY and _said_of(one, text))
                for one in self.words
            )
        verbs, nouns = verbs_and_nouns(self.name)
        if not verbs:
            return not nouns.isdisjoint(stems)
        return not verbs.isdisjoint(stems) and (not nouns or not nouns.isdisjoint(stems))

    def by_verb(self, heads: frozenset[str], text: str, *, oneself: bool = False) -> bool:
        """Return whether verbs of asking, with the words between blanks around them, ask for the tool.

        `Tell me` counts only with `oneself`.
        """
        every = frozenset(one.removesuffix(" me") for one in heads)
        return not self.words.isdisjoint(every if oneself else heads) or any(
            stem(one.split()[0]) in every and _with_gaps(one).search(text) is not None
            for one in self.words
            if " " in one
        )


def asking(tool: Tool) -> AskedBy:
    """Return the words that ask for what a tool does."""
    return _asking(tool.asked_by, name_words(tool.name), tool.effect, tool.sends, tool.financial)


@functools.lru_cache(4096)
def _asking(
    by: tuple[str, ...], name: tuple[str, ...], effect: Effect, sends: bool, financial: bool
) -> AskedBy:
    if not by and sends and not verbs_and_nouns(name)[0]:
        # The name has no verb that people ask with: the general verbs of sending ask for the tool.
        by = _SENDING + name
    words = _stems_of(by)
    if sends and not financial and not words.isdisjoint(_TELLING):
        words |= _TELLING_TOO if words.isdisjoint(_MAILING) else _TELLING_TOO | _MAILING
    return AskedBy(words, name, effect is not Effect.NONE)


def asking_widely(tool: Tool) -> AskedBy:
    """Return further verbs that ask for what a tool does, by its effect and the roles of its arguments.

    They count only as the verb of a clause, and only for what that clause leads to.
    """
    changes = TELLING.isdisjoint(tool.asked_by) and any(map(tool.selects, tool.arguments))
    return _widely(
        tool.asked_by, name_words(tool.name), tool.effect, tool.sends, tool.financial, changes=changes
    )


class ObjectWords(msgspec.Struct, frozen=True):
    """The words that ask for what a tool does where its description names none.

    A clause asks if one of the `alone` verbs is its verb, or if one of the verbs of a pair in `pairs` is, and
    one of the objects of that pair is in it.
    """

    pairs: tuple[tuple[frozenset[str], frozenset[str]], ...] = ()
    alone: frozenset[str] = frozenset()

    @property
    def verbs(self) -> frozenset[str]:
        """All verbs."""
        return self.alone.union(*(verbs for verbs, _ in self.pairs))

    def by(self, heads: frozenset[str], stems: frozenset[str]) -> bool:
        """Return whether a clause asks; `heads` are the stems of its verbs, `stems` all its stems."""
        return not self.alone.isdisjoint(heads) or any(
            not verbs.isdisjoint(heads) and not objects.isdisjoint(stems) for verbs, objects in self.pairs
        )


NO_OBJECTS = ObjectWords()


def object_words(tool: Tool) -> ObjectWords:
    """Return the verbs and objects that ask for what a tool does, by its name, its place and its effect."""
    if tool.asked_by or tool.effect is Effect.NONE:
        return NO_OBJECTS
    return _object_words(name_words(tool.name), name_words(tool.upstream), tool.financial)


@functools.lru_cache(4096)
def _object_words(name: tuple[str, ...], upstream: tuple[str, ...], financial: bool) -> ObjectWords:
    verbs, nouns = verbs_and_nouns(name)
    if not verbs:
        return NO_OBJECTS
    if financial and not verbs.isdisjoint(PAYING):
        # The first word of `send_money` also asks for mail.
        return ObjectWords(((verbs & SENDING, MONEY | nouns),), PAYING)
    same = frozenset[str]().union(*(group for group in SAME_OBJECTS if not group.isdisjoint(nouns)))
    if financial:
        return ObjectWords(((verbs, same),))
    # `Add it to the list in the drive` names the place of the list.
    own = frozenset((stem(name[0]),))
    placed = own if own.isdisjoint(ADDING) else ADDING
    return ObjectWords(((verbs, same), (placed, frozenset(map(stem, upstream)))))


@functools.lru_cache(4096)
def _widely(
    by: tuple[str, ...], name: tuple[str, ...], effect: Effect, sends: bool, financial: bool, *, changes: bool
) -> AskedBy:
    own = frozenset(by or name[:1])
    roles = _roles_of(effect, sends=sends, financial=financial, changes=changes)
    words = [
        more
        for group in WIDER_VERBS
        if group.role in roles and not own.isdisjoint(group.triggers)
        for more in group.verbs
    ]
    # `Give access` is said as `give Ann access`.
    words += [one for one in by if " " in one]
    return AskedBy(_stems_of(tuple(words)), name)


def _roles_of(effect: Effect, *, sends: bool, financial: bool, changes: bool) -> frozenset[str]:
    """Return the names of the groups of wider verbs that a tool can have.

    `changes` tells whether a tool changes what an argument selects, and tells people nothing.
    """
    if effect is Effect.NONE:
        return frozenset()
    if financial:
        return frozenset(("any", "money"))
    roles = ["any", *(["person"] if sends else []), *(["thing"] if changes else [])]
    return frozenset((*roles, "undone") if effect is Effect.REVERSIBLE else roles)


@functools.lru_cache(4096)
def _with_gaps(phrase: str) -> re.Pattern[str]:
    """Return a pattern of a phrase with a few other words between its words."""
    gap = rf"(?: \S+){{0,{MAX_GAP}}} "
    return re.compile(rf" {gap.join(map(re.escape, phrase.split()))} ")


@functools.lru_cache(4096)
def _stems_of(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word if " " in word else stem(plain(word)) for word in words)


@functools.lru_cache(4096)
def verbs_and_nouns(name: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """Divide the words of a tool's name into verbs and nouns, as stems; the verbs include their synonyms."""
    verbs: set[str] = set()
    nouns: set[str] = set()
    for place, word in enumerate(name):
        groups = [group for group in _VERBS if word in group] if place == 0 else []
        if groups:
            verbs.update(stem(one) for group in groups for one in group)
        elif word not in EMPTY:
            nouns.add(stem(word))
    return frozenset(verbs), frozenset(nouns)


def _said_of(word: str, text: str) -> bool:
    """Return whether the words contain a verb such as `tell` that is not followed by `me` or `us`."""
    at = text.find(f" {word} ")
    while at >= 0:
        if not text.startswith(("me ", "us "), at + len(word) + 2):
            return True
        at = text.find(f" {word} ", at + 1)
    return False
