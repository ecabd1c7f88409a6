# SPDX-License-Identifier: Apache-2.0
"""Reading a result takes work in proportion to its size, for every author.

Nothing here looks at a clock: the tests count calls, characters, steps, and what patterns can go over.
Hypothesis looks for the texts that are slowest to read (`target`).
"""

from __future__ import annotations

import base64
import re
import re._parser as patterns  # type: ignore[import-not-found]
import sys
import unicodedata
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any, Literal

import pytest
from hypothesis import example, given, settings, target
from hypothesis import strategies as st

from remit.core.cooperative_steps import LAP, MAX_WORD, PIECE, STEP, Steps, finish, pieces, weight
from remit.core.flow.arguments.argument_values import MAX_LIST, several
from remit.core.flow.arguments.argument_walk import walk
from remit.core.flow.language import quotation
from remit.core.flow.language import word_forms as word
from remit.core.flow.language.quotation import unquoted
from remit.core.flow.language.word_forms import different_words, stems_of
from remit.core.flow.provenance import KEY_BYTES, Index
from remit.core.flow.records import fields as field
from remit.core.flow.records.fields import structured, structuring
from remit.core.flow.values import (
    destination,
)
from remit.core.flow.values import (
    encodings as encoding,
)
from remit.core.flow.values import (
    fast_path as glance,
)
from remit.core.flow.values import (
    hosts as host,
)
from remit.core.flow.values import (
    normal_text as spelling,
)
from remit.core.flow.values import (
    numbers as number,
)
from remit.core.flow.values import (
    strict_reading as exact,
)
from remit.core.flow.values import (
    urls as url,
)
from remit.core.flow.values.destination import searching, whole, within
from remit.core.flow.values.encodings import MAX_DEPTH, decoded, enclosing
from remit.core.flow.values.normal_text import folded, folding
from remit.core.flow.values.strict_reading import standing
from remit.core.label import Label, Trust
from remit.core.tools.constraint import Verdict, load
from remit.core.tools.constraint.structure import MAX_ITEMS
from remit.core.tools.tool import Tool
from tests.examples import FEWER

MODULES = (destination, encoding, exact, field, glance, host, number, quotation, spelling, url, word)

NASTY = {
    "schemes": "://",
    "URLs in one another": "http://a.bc/",
    "URLs": "http://a.bc/ ",
    "slashes": "//a.b",
    "brackets after schemes": "http://[",
    "addresses of version 6": "http://[::1]/",
    "addresses of version 6, other ones": "a://[::1]@[::2]",
    "bytes in encoded words": "%ff.=?q?q?=?q?q?",
    "encoded words that nothing ends": "=?q?q?x",
    "quotations that nothing ends": "\u201ca",
    "names in quotes that nothing ends": "'a ",
    "quoted lines": "> a\n",
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
    """Yield for each repetition of a pattern how often those around it repeat it, and if it has no bound."""
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
    """Yield every pattern that reading uses, with its name."""
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


#: Each way in which texts of results and arguments are read.
READERS: dict[str, Callable[[str], object]] = {
    "within": lambda text: list(within(text)),
    "whole": whole,
    "decoded": decoded,
    "structured": lambda text: structured(text, []),
    "unquoted": unquoted,
    "folded": folded,
    "words": different_words,
    "stems": stems_of,
    "standing": lambda text: list(standing(text)),
}


def taken_in(text: str) -> Steps[None]:
    """Take in a long text of an unknown author."""
    tool = Tool(upstream="u", name="t", label=Label(trust=Trust.UNTRUSTED))
    return Index(bytes(KEY_BYTES)).learn(["about", text], call=1, decision="", tool=tool, arguments={})


#: Those of them that give others a turn.
IN_STEPS: dict[str, Callable[[str], Steps[Any]]] = {
    "taking": taken_in,
    "searching": lambda text: searching(text, []),
    "enclosing": enclosing,
    "structuring": lambda text: structuring(text, []),
    "folding": folding,
}
MARKS = "://[]@.%=?&#;+-_\\ \n\t'\"\u201c\u201d\u00ab\u00bb`>0a\u00e9"
units = (
    st.lists(st.sampled_from(sorted(NASTY.values())) | st.text(MARKS, min_size=1, max_size=4), max_size=4)
    .map("".join)
    .filter(bool)
)


def of_size(unit: str, size: int) -> str:
    """Repeat a text until it has about so many characters."""
    return unit * (size // len(unit) + 1)


def slow(unit: str) -> tuple[str, float]:
    """Return the way of reading that takes most calls for each character of a repeated text, and how many."""
    text = of_size(unit, 3_000)
    return max(
        ((name, calls_of(partial(way, text)) / len(text)) for name, way in READERS.items()),
        key=lambda one: one[1],
    )


@FEWER
@given(units)
@example("%ff.=?q?q?=?q?q?")
@example("http://[::1]/")
@example("//a.b")
def test_calls_grow_with_the_text_and_not_with_its_square(unit: str) -> None:
    """Whatever a text repeats. Where one more encoding is taken off, there is a step, and never a second one
    for a text that is larger still: eight times the text take at most three times eight times the calls.
    """
    name, most = slow(unit)
    target(most)
    small, large = (calls_of(partial(READERS[name], of_size(unit, size))) for size in (1_500, 12_000))
    assert large <= 3 * 8 * small + 300, name


@settings(deadline=None)
@given(units)
@example("%25=40%ff.=?q?q?=?q?q?")
@example("\ufdfa")
def test_no_text_takes_many_calls_for_a_character(unit: str) -> None:
    """However long it is searched for; also where each of three encodings is taken off three times, or where
    one letter is eighteen.
    """
    name, most = slow(unit)
    target(most)
    # Each of many numbers after one another can be the first group of a longer one.
    assert most <= (200 if name == "standing" else 40), name


def longest_step(steps: Steps[Any]) -> int:
    """Count the calls of the step that makes most of them."""
    longest, ended = 0, False

    def one() -> None:
        nonlocal ended
        ended = next(steps, steps) is steps

    while not ended:
        longest = max(longest, calls_of(one))
    return longest


@FEWER
@given(units)
@example("aa00 ")
@example("&amp;&#9")
@example(" a.\u200b")
@example("%25a=\n")
@example("+44 20 7946 0000 ")
def test_no_step_is_long_whatever_the_text(unit: str) -> None:
    """So others have their turn soon, also beside the slowest text: it may be one long word."""
    text = of_size(unit, 40_000)
    longest = {name: longest_step(way(text)) for name, way in IN_STEPS.items()}
    target(float(max(longest.values())))
    assert longest.pop("taking") <= 25_000
    assert max(longest.values()) <= 5_000, longest


@pytest.mark.parametrize(
    "text",
    [
        "lorem ipsum " * 30_000,
        "\ufdfa" * 20_000,
        "\u5b9b " * 200_000,
        "x" * 400_000,
        "http://[::1]/" * 20_000,
    ],
)
def test_each_piece_of_a_text_is_a_step(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in it is slow to read, but there can be much of it, or it is longer than it was written."""
    sizes = [0]
    plainly = destination._places

    def counting(piece: str, found: list[destination.Destination]) -> Steps[None]:
        sizes[-1] += len(piece)
        return plainly(piece, found)

    monkeypatch.setattr(destination, "_places", counting)
    steps = searching(text, [])
    while next(steps, steps) is not steps:
        sizes.append(0)
    assert max(sizes) <= 3 * PIECE
    assert sum(sizes) >= len(text) // 5


@pytest.mark.parametrize(
    "value",
    [
        [f"{at}" + "\ufdfa" * 500 for at in range(64)],
        [f"{at}" + "x" * 500 for at in range(64)],
        [f"{at}" for at in range(2_000)],
        ",".join(f"a{at}@b.cc" for at in range(2_000)),
    ],
    ids=["letters that are words", "texts", "short texts", "addresses"],
)
def test_a_step_over_an_argument_goes_over_few_characters(value: Any) -> None:
    """They are counted as when they are folded, and not the texts: a step ends after one that is long."""
    counts, last = [0], ""
    for text in walk(value, None, ""):
        if text is None:
            counts[-1] -= weight(last)
            counts.append(0)
        else:
            counts[-1] += weight(text)
            last = text
    assert max(counts) <= 2 * STEP
    assert len(counts) > 20


def test_a_list_of_addresses_that_is_too_long_is_one_text() -> None:
    """All of it is read in steps then, and nothing in it passes for an address that is known."""
    text = "a@b.cc," * MAX_LIST
    assert list(several(text)) == [text]
    assert list(several(text[:14])) == ["a@b.cc", "a@b.cc"]


@pytest.mark.parametrize("unit", NASTY.values(), ids=NASTY)
def test_steps_find_what_is_found_at_once(unit: str) -> None:
    """In whatever pieces it is looked for."""
    text = of_size(unit, 20_000)
    assert finish(folding(text)) == folded(text)
    found: list[destination.Destination] = []
    finish(searching(text, found))
    assert set(found) == set(within(text))


def test_an_array_is_judged_element_by_element_however_long_the_list_of_what_is_permitted() -> None:
    """What is permitted is folded once, and not again for each element; of equal elements one is judged."""
    elements = [f"Value {at}" for at in range(2_000)]
    few, many = (load({"each": {"one_of": [f"value {at}" for at in range(size)]}}) for size in (10, 1_000))
    assert calls_of(lambda: many.judge(elements)) <= 1.1 * calls_of(lambda: few.judge(elements)) + 100
    assert calls_of(lambda: few.judge(["other"] * 2_000)) <= 2 * 2_000 + 100


def test_arrays_are_judged_a_bounded_number_of_times() -> None:
    """What an element must be may have many parts: the array is shorter then, or it is not decided."""
    rule = load({"each": {"any": [{"pattern": f"a{at}"} for at in range(99)]}})
    assert rule.judge(["a98"] * 400) is Verdict.YES
    assert rule.judge(["a98"] * 401) is Verdict.UNDECIDABLE
    assert rule.why(["a98"] * 401) == "has more than 400 elements"
    assert load({"each": {"pattern": "a"}}).judge(["a"] * MAX_ITEMS) is Verdict.YES


@pytest.mark.parametrize("unit", NASTY.values(), ids=NASTY)
def test_calls_are_bounded_by_characters(unit: str) -> None:
    """No more than some calls for each character, also of the worst text."""
    text = unit * (10_000 // len(unit))
    assert calls_of(lambda: (list(within(text)), whole(text), structured(text))) <= 12 * len(text) + 1_000


@pytest.mark.parametrize("unit", NASTY.values(), ids=NASTY)
def test_what_is_searched_is_a_few_times_the_text(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding gives less than it takes, and is done a bounded number of times."""
    seen = 0
    plainly = destination.searching

    def counting(text: str, found: list[destination.Destination], *more: Any) -> Steps[None]:
        nonlocal seen
        seen += len(text)
        return plainly(text, found, *more)

    monkeypatch.setattr(destination, "searching", counting)
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
    assert sum(map(len, cut)) <= len(text) + (100 if blank else LAP + LAP // 4) * len(cut)
    assert max(map(len, cut), default=0) <= PIECE + max(PIECE // 4, MAX_WORD)
    if blank:
        assert {word for piece in cut for word in piece.split(blank)} >= set(words)
