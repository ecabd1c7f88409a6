# SPDX-License-Identifier: Apache-2.0
"""Reading a result takes work in proportion to its size, whoever wrote it.

Nothing here looks at a clock: what is counted is calls, characters, and what patterns can go over.
"""

from __future__ import annotations

import base64
import re
import re._parser as patterns  # type: ignore[import-not-found]
import sys
import unicodedata
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.core import destination, encoding, field, host, number, spelling
from remit.core.destination import PIECE, pieces, whole, within
from remit.core.encoding import MAX_DEPTH
from remit.core.field import structured

MODULES = (destination, encoding, field, host, number, spelling)

NASTY = {
    "schemes": "://",
    "URLs in one another": "http://a.bc/",
    "URLs": "http://a.bc/ ",
    "slashes": "//a.b",
    "brackets after schemes": "http://[",
    "beginnings of accounts": "aa00 ",
    "one long account": "aa00",
    "numbers": "1 2 3 ",
    "amounts": "0.1234 ",
    "telephone numbers": "+44 20 7946 0000 ",
    "addresses of hosts": "1.2.3.4 ",
    "names in one another": "a.b",
    "addresses in one another": "a@b.cc",
    "percent": "%25",
    "bytes that are no UTF-8": "%ff.",
    "references": "&amp;",
    "open references": "&#9",
    "quoted-printable": "=40",
    "soft breaks": "a=\n",
    "encoded words": "=?q?q?a?=",
    "open encoded words": "=?q?q?",
    "base64": "abcdefghijkl ",
    "base64 in paths": "abcdefghijkl/",
    "blanks": " ",
    "brackets": "(",
    "full stops": ".",
    "wide full stops": "\uff0e",
    "marks on one letter": "\u0301\u0323",
    "letters that are words": "\ufdfa",
    "invisible characters": "\u200b",
    "YAML lists": "- ",
    "YAML mappings": "a: ",
    "YAML in flow": "{a: [",
    "JSON": '[{"a":',
    "anchors": "- &a *a\n",
}


def repeats(parsed: Any, around: int = 1) -> Iterator[tuple[int, bool]]:
    """Give for each repetition of a pattern how often those around it repeat it, and if it has no bound."""
    for kind, inside in parsed:
        name = str(kind)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            _, most, below = inside
            endless = most == patterns.MAXREPEAT
            yield around, endless
            yield from repeats(below, around * (1 if endless else int(most)))
        elif name == "SUBPATTERN":
            yield from repeats(inside[-1], around)
        elif name == "BRANCH":
            for one in inside[1]:
                yield from repeats(one, around)
        elif name in ("ASSERT", "ASSERT_NOT"):
            yield from repeats(inside[1], around)


def all_patterns() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Give every pattern that reading uses, with its name."""
    for module in MODULES:
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                yield f"{module.__name__}.{name}", value


@pytest.mark.parametrize("pattern", [pytest.param(one, id=name) for name, one in all_patterns()])
def test_no_pattern_goes_back_far(pattern: re.Pattern[Any]) -> None:
    """A repetition without a bound stands in no other, and bounded ones in one another have few steps."""
    for around, endless in repeats(patterns.parse(pattern.pattern, pattern.flags)):
        assert around == 1 or not endless, pattern.pattern
        assert around <= 64, pattern.pattern


def calls_of(work: Callable[[], object]) -> int:
    """Count the calls that some work makes, of functions in Python and in C."""
    count = 0

    def see(frame: FrameType, event: str, given: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def read(text: str) -> None:
    """Read a text in each way that a result is read."""
    for _ in within(text):
        pass
    whole(text)
    structured(text)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(sorted(NASTY.values())), min_size=1, max_size=3), st.booleans())
def test_a_text_of_double_size_takes_at_most_about_double_the_calls(parts: list[str], words: bool) -> None:
    """Whatever it repeats."""
    unit = (" " if words else "").join(parts)
    small, large = (unit * (size // len(unit) + 1) for size in (6_000, 12_000))
    assert calls_of(lambda: read(large)) <= 2.3 * calls_of(lambda: read(small)) + 300


@pytest.mark.parametrize("unit", NASTY.values(), ids=NASTY)
def test_calls_are_bounded_by_characters(unit: str) -> None:
    """No more than some calls for each character, also of the worst text."""
    text = unit * (10_000 // len(unit))
    assert calls_of(lambda: read(text)) <= 12 * len(text) + 1_000


@pytest.mark.parametrize("unit", NASTY.values(), ids=NASTY)
def test_what_is_searched_is_a_few_times_the_text(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding gives less than it takes, and is done a bounded number of times."""
    seen = 0
    plainly = destination._standing

    def counting(text: str, found: list[destination.Destination]) -> None:
        nonlocal seen
        seen += len(text)
        plainly(text, found)

    monkeypatch.setattr(destination, "_standing", counting)
    for make in (str, lambda text: base64.b64encode(text.encode()).decode()):
        text, seen = make(unit * (20_000 // len(unit))), 0
        for _ in within(text):
            pass
        assert len(text) <= seen <= 2 * (MAX_DEPTH + 1) * len(text)


def test_rows_of_marks_are_sorted_in_short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sorting the marks on one letter takes quadratic time, so no row of them is longer than one piece."""
    longest = 0

    class Watched:
        @staticmethod
        def normalize(form: Literal["NFC", "NFD", "NFKC", "NFKD"], text: str) -> str:
            nonlocal longest
            longest = max(longest, len(text))
            return unicodedata.normalize(form, text)

    monkeypatch.setattr(spelling, "unicodedata", Watched)
    spelling.plain("a" + "\u0301\u0323" * 50_000 + " ana@shop.example")
    assert 0 < longest <= 512


@given(st.integers(0, PIECE // 2), st.sampled_from([" ", "\n", "\t", "", " \u5b9b "]))
def test_pieces_cover_a_text_and_overlap_little(count: int, blank: str) -> None:
    """Every character is read, and hardly any twice; a word stands whole in one of them."""
    words = [f"word{number}" for number in range(count)]
    text = blank.join(words)
    cut, at = list(pieces(text)), 0
    for piece in cut:
        place = text.find(piece)
        assert 0 <= place <= at
        at = place + len(piece)
    assert at == len(text)
    assert sum(map(len, cut)) <= len(text) + 100 * len(cut)
    if blank:
        assert {word for piece in cut for word in piece.split(blank)} >= set(words)
