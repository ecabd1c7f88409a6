# SPDX-License-Identifier: Apache-2.0
"""What is left out for speed while a result is read is never anything that would have been found."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from remit.core.flow.arguments.argument_values import several
from remit.core.flow.justification import leaves
from remit.core.flow.language.utterance import Utterance
from remit.core.flow.language.word_forms import (
    bare_word,
    bare_words,
    different_words,
    stems_among,
    stems_in,
    stems_of,
    words_of,
)
from remit.core.flow.memory import TaskRecords
from remit.core.flow.provenance import KEY_BYTES, Index
from remit.core.flow.records.record import MAX_PATHS, PATH_BYTES, Paths, Reading
from remit.core.flow.values import numbers
from remit.core.flow.values.destination import PLAIN_URL, Destination, Wholes, both, whole, within
from remit.core.flow.values.kinds import KindOfValue
from remit.core.flow.values.normal_text import folded, plain
from remit.core.label import Label
from remit.core.tools.tool import FieldLabel, Tool

#: Letters and what stands around words, some of it beyond ASCII.
LETTERS = "abEz09\u00e9\u0130\u017f .,'s\u2019#@_-\"()\t\n\x1c\u00a0\u2028"
texts = st.text(LETTERS, max_size=300)
words = st.lists(st.text("abing'se.,#@_-09\u00e9", min_size=1, max_size=9), max_size=13)


@given(texts)
@example("a " * 100)
@example("\x1c" * 60 + "A \t b" + "\x1f" * 60)
def test_spacing_is_one_for_short_and_for_long_texts(text: str) -> None:
    """However it is found out, a plain text is its words in small letters with one blank between them."""
    assert plain(text) == " ".join(folded(text).split())


@given(texts)
def test_different_words_are_all_words(text: str) -> None:
    """Each once."""
    assert different_words(text) == set(words_of(text))


@given(words)
@example(["abc", "09", "\u00e9"])
def test_words_without_a_mark_are_bare(written: list[str]) -> None:
    """Looked at together or one by one, what is left of words is the same."""
    assert bare_words(written) == [bare for one in written if (bare := bare_word(one))]


@given(words, words)
@example(["ab"], ["ab"])
@example(["a"], ["a"])
def test_a_text_is_named_by_all_of_its_stems_or_as_a_whole(said: list[str], asked: list[str]) -> None:
    """The rule holds also where the first stem already shows that the text was not named."""
    utterance, text = Utterance(), " ".join(asked)
    utterance.hear(" ".join(said))
    stems = stems_of(text)
    assert utterance.names(text, words_of(text)) is (
        (bool(stems) and stems <= utterance.stems) or utterance.says(text)
    )


@given(texts | st.lists(texts, max_size=3))
@example("Ann <ann@example.org>, bob@example.org")
def test_what_is_kept_of_an_argument_is_what_it_says(value: str | list[str]) -> None:
    """A text that was judged is not read again when the result comes, in which it may stand."""
    read: Wholes = {}
    Index(bytes(KEY_BYTES)).judge(value, read=read)
    assert read == {text: whole(text) for text in read}
    assert read.keys() >= {leaf for leaf in leaves(value) if list(several(leaf)) == [leaf]}


@given(st.from_regex(PLAIN_URL, fullmatch=True).filter(lambda url: url[-1].isalnum() or url[-1] in "-/"))
@example("https://docs.example.org/1234")
@example("ftp://0x7f.example.org/a/")
def test_a_plain_url_is_found_like_any_other(url: str) -> None:
    """With a fragment behind it it is not plain, goes to the same host, and is the same but for that."""
    marked = {Destination(one.kind, one.normal.removesuffix("#x").rstrip("/")) for one in within(f"{url}#x")}
    assert set(within(url)) == marked


@given(st.lists(st.dictionaries(st.sampled_from(["to", "note", "a@x.org", "7"]), st.text("ab", max_size=2))))
def test_a_result_is_read_like_the_first_one_of_its_tool(results: list[dict[str, str]]) -> None:
    """What is kept of paths changes no leaf, and leaves no label out."""
    secret = Label(data_class="secret")
    tool = Tool(upstream="u", name="t", fields=(FieldLabel("to", secret), FieldLabel("note", Label())))
    paths = Paths()
    for result in results:
        first, later = Reading(result, tool), Reading(result, tool, paths)
        assert list(first) == list(later)
        assert (first.seen, first.above) == (later.seen, later.above)


def test_paths_of_a_tool_that_is_described_otherwise_are_forgotten() -> None:
    """Its fields have other labels; and ever new names fill no memory."""
    paths, secret = Paths(), Label(data_class="secret")
    before, after = (
        Tool(upstream="u", name="t", fields=(FieldLabel("to", one),)) for one in (Label(), secret)
    )
    assert [one.label for one in Reading({"to": "a"}, before, paths)] == [Label()]
    assert [one.label for one in Reading({"to": "a"}, after, paths)] == [secret]
    for count in range(50):
        list(Reading({f"name{count}_{at}": {"in": "a"} for at in range(10 * count)}, after, paths))
        assert paths.size_bytes <= MAX_PATHS * PATH_BYTES


@given(words, words)
@example(["breed"], ["breeding"])
@example(["us"], ["using"])
def test_stems_among_words_are_those_that_words_have(written: list[str], said: list[str]) -> None:
    """No fewer, and no more."""
    bare, stems = bare_words(written), stems_in(bare_words(said))
    assert stems_among(bare, stems) == stems_in(bare) & stems


@given(st.lists(texts, max_size=4), texts)
@example(["x.'s"], "x.")
@example(["#)a"], ")a")
def test_a_word_is_mentioned_only_where_a_text_holds_it(heard: list[str], asked: str) -> None:
    """Words that are known are not read again; one that only looks like one of them is."""
    kept = TaskRecords(b"k" * 32, 100)
    for place, text in enumerate(heard):
        if place % 2:
            kept.mention_words(words_of(text), place)
        else:
            kept.mention(folded(text).split(), place)
    held = {word for text in heard for word in words_of(text)}
    found = Destination(KindOfValue.TEXT, plain(asked))
    wanted = words_of(found.normal)
    known = 0 < len(wanted) <= 12 and found.normal.count(" ") <= 48 and held.issuperset(wanted)
    assert (kept.mentioned(found) is not None) == known


@given(st.sampled_from(["mailto:", "MAILTO:?subject=x", " mailto: ", "<mailto:>"]))
def test_a_link_that_writes_to_nobody_is_a_text(text: str) -> None:
    """It is read like any other."""
    assert whole(text).kind is KindOfValue.TEXT
    assert both(text)[0] == whole(text)


@given(st.text("0123456789 ()./-+ax", max_size=40))
@example("call +44 20 7946 6305.")
@example("(0) 20  7946 6305")
@example("24/7 020 7946 6305 1234 5678")
@example("+ 1234567 +1 2345678x")
@example("00 44 20 7946 6305")
@example("1 (  2 3456789")
def test_a_telephone_number_that_stands_alone_is_read_like_any_other(text: str) -> None:
    """What says faster that a run of digits is one number finds what the pattern finds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numbers, "_is_one", lambda *_: False)
        slow = list(within(text))
    assert list(within(text)) == slow
