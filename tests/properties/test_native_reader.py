# SPDX-License-Identifier: Apache-2.0
"""What the native reader takes in is what Python's reading of the same texts takes in."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from remit.core.flow import intake
from remit.core.flow.intake import MAX_DOUBTS
from remit.core.flow.memory import CAPACITY
from remit.core.flow.provenance import KEY_BYTES, Index
from remit.core.flow.reader import native_tables
from remit.core.flow.reader.native_tables import ASKED, STEM, LeafBatch, LeafFields, NativeTables, Stop
from remit.core.flow.values.fast_path import A_VALUE, AN_ADDRESS, SOME_WORDS
from remit.core.label import Label, Trust
from remit.core.tools.tool import Tool

TOOLS = tuple(
    Tool(upstream="u", name="list_items", label=Label(trust=one)) for one in (Trust.UNTRUSTED, Trust.TRUSTED)
)
GOAL = "Send the invoice of Ann, order CU-17 for 12.50, to ann@example.org"
shapes = st.sampled_from(
    [
        "https://docs.example.org/a/b",
        "http://Example.org",
        "ann.lind7@Mail.example.org",
        "+44 20 7946 1234",
        "+4930123456",
        "DE89370400440532013000",
        "GB29NWBK60161331926819",
        "2026-03-12T10:20:00Z",
        "2026-03-12",
        "msg_1234567",
        "CU-1234",
        "1234567",
        "12.50",
        "-0.0",
        "$1,200.00",
        "invoice's",
        "aHR0cHM6Ly9ldmlsLmV4YW1wbGUvYQ",
        "implementation",
        "ab12 3456 7890 1234",
        "x.'s",
        "#ann",
        "example.org",
        "report.pdf",
        "(see",
        "it).",
        "Orders",
        "a.",
        "//a",
        "ann@x",
        "mailto:ann@x.org",
        "<ann@x.org>",
        "[a](https://b.example)",
        "https://b.example.:443/%61",
        "=?utf-8?Q?ann=40x.org?=",
        "+49 (0) 30 123456",
        "0049 30] 123456",
        "ann@x.org-",
        "ann\\@x.org",
        '"ann"@x.org',
        "ann@x.org\u2014",
        "https:///a.bc/d",
        "https://a.bc:/d",
        "+49 151 / 2345678",
    ]
)
glue = st.sampled_from([" ", "", ". ", ", ", "\n", "/", "-", "  ", "\t", ":", "(", "<", "=", "%", "@", "."])
mixed = st.lists(st.tuples(shapes, glue), max_size=6).map(lambda parts: "".join(a + b for a, b in parts))
plain = st.one_of(*(st.from_regex(one, fullmatch=True) for one in (SOME_WORDS, A_VALUE, AN_ADDRESS)))
marked = st.text("aAbz09 .,:/@+-_'\"()<>%=#\n\u00e9", max_size=40)
texts = st.one_of(mixed, mixed, plain, marked, shapes)
long_texts = texts.map(lambda text: f"{'some words of a letter ' * 9}{text} and so on.")
fields = st.dictionaries(st.sampled_from(["id", "name", "note"]), texts | long_texts)
results = st.lists(fields | texts | long_texts, max_size=6) | texts | long_texts


def learned(
    result: Any, tool: Tool, goal: str, arguments: dict[str, Any], capacity: int = CAPACITY
) -> tuple[Any, ...]:
    """Return what a task remembers of a result."""
    index = Index(bytes(KEY_BYTES))
    index.kept.capacity = capacity
    index.state(goal, {})
    for call in (1, 2):
        for _ in index.learn(result, call=call, decision="d", tool=tool, arguments=arguments):
            pass
    tables, naming = index.kept.tables, index.naming
    met = {digest: tables.spots(digest) for digest in tables._met[::2] if digest}
    mentions = {mark: tables._mentions[2 * at + 1] for at, mark in enumerate(tables._mentions[::2]) if mark}
    names = {
        name: value
        for name, value in vars(naming).items()
        if name not in ("_utterance", "handed", "firmly_handed")
    }
    return met, mentions, index.kept.places, index.kept.vouched, index.full, index.kept._own, names


@given(
    results, st.sampled_from(TOOLS), st.sampled_from([GOAL, ""]), st.sampled_from(["", "msg_1234567", "Ann"])
)
@example([{"note": "a " * 120 + "ann@x.org, https://a.bc/d. End"}], TOOLS[0], GOAL, "")
@example([{"name": "//a "}, {"note": "\nann@x"}], TOOLS[0], GOAL, "")
@example([{"note": "a " * 120 + '+123456" 1, b'}], TOOLS[0], GOAL, "")
@example(
    [{"note": "a " * 120 + "0049 30] 123456, 123456,] 789 and DE89] 3704{ 0044 0532 0130 00"}],
    TOOLS[0],
    GOAL,
    "",
)
@example([{"name": "+4930123456"}, {"name": "DE25423904253584930053"}], TOOLS[0], GOAL, "Ann")
@example("https://docs.example.org/a/b", TOOLS[0], GOAL, "Ann")
@example([{"id": "1,2,3!" + "-" * 200}], TOOLS[1], GOAL, "Ann")
def test_the_native_reader_takes_in_what_python_reads(result: Any, tool: Tool, goal: str, asked: str) -> None:
    """With every leaf left to Python, a task remembers the same: values, words, places and references."""
    arguments = {"query": asked} if asked else {}
    natively = learned(result, tool, goal, arguments)
    with mock.patch.object(native_tables.NativeTables, "take", return_value=Stop.ODD):
        assert learned(result, tool, goal, arguments) == natively


@settings(max_examples=20)
@given(texts, st.sampled_from([700, 712, 713, 900]), st.sampled_from(TOOLS))
def test_a_long_text_is_taken_in_in_pieces(text: str, lines: int, tool: Tool) -> None:
    """Whatever stands in it, also where a piece ends."""
    result = {"note": f"{'some words of a letter ' * lines}{text} {'and so on ' * 900}"}
    natively = learned(result, tool, GOAL, {})
    with mock.patch.object(native_tables.NativeTables, "take", return_value=Stop.ODD):
        assert learned(result, tool, GOAL, {}) == natively


def test_long_prose_of_others_is_taken_in_natively() -> None:
    """In pieces, however long it is, and what is remembered is the same as where it is read as a whole."""
    held = "write to ann@x.org, see https://docs.example.org/a/b and pay 1200. "
    words = ["some", "words", *(a + b + c for a in "bcdf" for b in "aeiou" for c in "lnrst")]
    result = {"note": (" ".join(words * 10) + f" {held}") * 25}
    with mock.patch.object(intake, "searching", side_effect=AssertionError):
        natively = learned(result, TOOLS[0], GOAL, {})
    with mock.patch.object(intake, "MAX_PIECE", 10**6):
        assert learned(result, TOOLS[0], GOAL, {}) == natively


def test_the_leaf_that_fills_a_memory_is_compared_with_the_intent() -> None:
    """Which values a full memory holds depends on the reader; what the intent names does not."""
    result = [{"note": "one"}, {"name": "INVOICE"}]
    natively = learned(result, TOOLS[0], GOAL, {}, capacity=2)
    with mock.patch.object(native_tables.NativeTables, "take", return_value=Stop.ODD):
        assert learned(result, TOOLS[0], GOAL, {}, capacity=2)[4:] == natively[4:]


def test_many_doubtful_arguments_are_compared_in_python() -> None:
    """The native reader holds the interpreter's lock: an agent must not choose for how long."""
    arguments = {"query": [f"word{number}" for number in range(MAX_DOUBTS + 1)]}
    result = [{"note": "word7"}, {"note": "word"}]
    with mock.patch.object(native_tables.NativeTables, "take", side_effect=AssertionError):
        many = learned(result, TOOLS[1], "", arguments)
    with mock.patch.object(intake, "MAX_DOUBTS", MAX_DOUBTS + 1):
        assert learned(result, TOOLS[1], "", arguments) == many


sizes = st.sampled_from([1, 11, 12, 13, 199, 200, 201, 256, 257, 2_047, 2_049, 65_535, 65_537])
units = shapes | st.sampled_from(
    ["a", "0", " ", "aa1 ", "1, ", "x. ", "(", "a.b@c.de ", "https://a.bc/d ", "#", "'s "]
)
anything = marked | st.binary(max_size=40).map(lambda raw: raw.decode("latin-1"))
repeated = st.builds(lambda unit, size, end: (unit * size)[:size] + end, units, sizes, anything)
leaves = st.tuples(anything | repeated | texts, st.integers(0, 2), st.sampled_from([0, 1, 2**24, 2**32 - 1]))


@settings(max_examples=200)
@given(
    st.lists(leaves, max_size=30), st.sampled_from([0, 1, 9, 200]), st.sampled_from([0, 1, 50]), st.booleans()
)
def test_no_text_brings_the_native_reader_out_of_its_tables(
    held: list[tuple[str, int, int]], capacity: int, words: int, pointed: bool
) -> None:
    """Whatever a text is, the reader goes on; its tables are at most half full, and it says what it lost."""
    tables = NativeTables(bytes(range(16)), capacity, words)
    tables.say([(ASKED, frozenset({"ann"})), (STEM, frozenset({"invoic"}))])
    fields = LeafFields()
    for untrusted in (True, False, True):
        fields.add(untrusted=untrusted)
    taken, numbers, records = zip(*held, strict=True) if held else ((), (), ())
    batch = LeafBatch(taken, numbers, records, fields, {1}, base=2**24 - 1, pointed=pointed, own_links=False)
    place = 0
    while batch.at < len(held):
        batch.set_next_place(place)
        if tables.take(batch) is Stop.ODD:
            batch.skip()
        place += len(batch.placed)
    for table, count in ((tables._met, len(tables)), (tables._mentions, tables.marks)):
        assert sum(map(bool, table[::2])) == count <= len(table) // 4
    assert len(tables) <= capacity
    assert all(tables.spots(digest) for digest in tables._met[::2] if digest)
    assert {at for at in fields.places if at >= 0} == set(range(place))


def test_tables_that_cannot_grow_stay_usable_and_are_full() -> None:
    """Without memory for larger tables, a leaf is half taken in: then nothing is trusted for being known."""
    tables = NativeTables(bytes(16), 1_000, 1_000)
    tables.meet([7], 5, untrusted=False)
    with mock.patch.object(native_tables, "_larger", side_effect=MemoryError), pytest.raises(MemoryError):
        tables.meet(range(100, 200), 6, untrusted=True)
    assert tables.full
    assert tables.spots(7) == (5,)
    tables.full = False
    tables.meet(range(100, 200), 6, untrusted=True)
    assert not tables.full
    assert tables.spots(150) == (6,)
