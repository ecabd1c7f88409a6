# SPDX-License-Identifier: Apache-2.0
"""Words of a text in the form for comparison: without punctuation around them and without inflection."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal, InvalidOperation

from remit.core.flow.values.normal_text import folded


@functools.lru_cache(8192)
def stem(word: str) -> str:
    """Return a word without the commonest English endings; words with digits are returned unchanged."""
    if len(word) < 4 or not word.isalpha():
        return word
    word = word.removesuffix("'s")
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-2] if word.endswith(("ches", "shes", "sses", "xes", "zes")) else word[:-1]
    for ending in ("ment", "ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls":
                word = word[:-1]
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


MAX_WORDS = 20_000
"""Words of an intent, with all its user messages, that are read; later words name nothing."""

MARKS = ".,;:!?()[]{}\"'`<>*_~|\u2018\u2019\u201c\u201d\u2026"
PARTS = re.compile(r"[^\W_]+", re.UNICODE)
_NUMBER = re.compile(r"[$\u20ac\u00a3\u00a5]?[+-]?\d[\d,]*(?:\.\d+)?(?:%|[a-z]{3})?")


def some(text: str) -> frozenset[str]:
    """Return a set of words."""
    return frozenset(text.split())


def stems(text: str) -> frozenset[str]:
    """Return a set of stems."""
    return frozenset(map(stem, text.split()))


_OF_NOTHING = (
    "a about after again all also an and any are as at based be been before between but by can check "
    "could did do does done each every everyone everything for from get had has have he her here him "
    "his how i if in including into is it its just last like made me more most much my need new next "
    "no not now of off on one only or other our out over please same see she should show so some such "
    "sure take tell than that the their them then there these they this those through to today too "
    "under until up us use very via was we were what when where which while who why will with would "
    "you your"
)
EMPTY = some(_OF_NOTHING)
"""Words that name nothing."""
_STEMS_OF_EMPTY = frozenset(map(stem, EMPTY))


def words_of(text: str) -> list[str]:
    """Return a text's words in plain form, without surrounding punctuation and without a leading `#` or
    `@`.
    """
    return bare_words(folded(text).split())


def bare_words(written: Iterable[str]) -> list[str]:
    """Return lower-case words in the form that `words_of` returns."""
    words = list(written)
    # Most short texts contain no punctuation; one test of the joined words shows this.
    if "".join(words).isalnum():
        return words
    return [bare for word in words if (bare := word if word.isalnum() else bare_word(word))]


def bare_word(word: str) -> str:
    """Return a lower-case word without the punctuation around it; empty where nothing remains."""
    if (last := word[-1]).isalnum() and last != "s" and word[0].isalnum():
        return word
    if (head := word[:-1]).isalnum() and last in MARKS:
        return head
    bare = word.strip(MARKS).lstrip("#@")
    return bare[:-2] if bare.endswith(("'s", "\u2019s")) else bare


def different_words(text: str) -> set[str]:
    """Return a text's words, each once and unordered: faster for long texts."""
    return set(bare_words(set(folded(text).split())))


def stems_of(text: str) -> frozenset[str]:
    """Return the stems of what a text names, and of the parts of joined words (`to-do`, `client_list`)."""
    return stems_in(words_of(text)[:MAX_WORDS])


def stems_in(words: Iterable[str]) -> frozenset[str]:
    """Return the stems of what words name, as `stems_of` does for a text."""
    return frozenset(stems_from(words))


def stems_from(words: Iterable[str]) -> Iterator[str]:
    """Yield the stems of what words name, one by one, in the order of the words."""
    for word in words:
        for part in (word,) if word.isalnum() else PARTS.findall(word):
            if part not in EMPTY and len(part) > 1:
                # A word without a removable ending bypasses the cache of stems.
                yield stem(part) if len(part) > 3 and part.isalpha() else part


def stems_among(words: Collection[str], stems: frozenset[str]) -> frozenset[str]:
    """Return the intersection of some stems with `stems_in` of the words.

    Every short text of every result needs this, so the loop over the words runs in C.
    """
    if "".join(words).isalpha():
        found = stems.intersection(map(stem, words))
    else:
        parts = PARTS.findall(" ".join(words))
        # A word with digits has no ending to remove.
        found = stems.intersection(map(stem, filter(str.isalpha, parts)))
        if not stems.isdisjoint(parts):
            found |= stems.intersection([one for one in parts if not one.isalpha()])
    # A found stem may, in rare cases, belong to an inflection of a word that names nothing.
    return found if not found or found.isdisjoint(_STEMS_OF_EMPTY) else stems & stems_in(words)


def number_of(text: str) -> str:
    """Return a number in canonical form (`1,200.00` becomes `1200`); empty where the text is no number."""
    if text[:1].isalpha():
        return ""
    bare = text.strip().lower()
    if not 0 < len(bare) <= 40 or not _NUMBER.fullmatch(bare):
        return ""
    try:
        value = Decimal(bare.strip("$\u20ac\u00a3\u00a5%abcdefghijklmnopqrstuvwxyz").replace(",", ""))
    except InvalidOperation:
        return ""
    return format(value.normalize(), "f")


@functools.lru_cache(4096)
def name_stems(name: str) -> frozenset[str]:
    """Return the stems of the words of a name."""
    return frozenset(stem(one) for one in name_words(name))


@functools.lru_cache(4096)
def name_words(name: str) -> tuple[str, ...]:
    """Return the words of a name: `send_email`, `sendEmail`, `mail/send-now`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return tuple(part.lower() for part in PARTS.findall(spaced.replace("_", " ")))
