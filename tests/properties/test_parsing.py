# SPDX-License-Identifier: Apache-2.0
"""A long JSON text is read in steps, and says what it says to a parser that reads it at once."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from remit.core.cooperative_steps import PIECE, finish
from remit.core.flow.records import json_parsing as parsing
from remit.core.flow.records.json_parsing import MAX_AT_ONCE, MAX_VALUES, TOKENS, decoding, reading

Json = Any

scalars = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars, lambda below: st.lists(below) | st.dictionaries(st.text(), below), max_leaves=20
)
PAD = " " * MAX_AT_ONCE


def at_once(text: str) -> Json:
    """Return what a JSON text says; an exception's class for what is none."""
    try:
        return orjson.loads(text)
    except ValueError:
        return ValueError


def in_steps(text: str) -> Json:
    """Return the same, of a text that blanks make long."""
    try:
        return finish(reading(text + PAD, []))
    except ValueError:
        return ValueError


@given(values, st.booleans(), st.sampled_from([None, 1]))
def test_a_long_text_says_what_it_says_at_once(value: Json, ascii_only: bool, indent: int | None) -> None:
    """However it is written."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert in_steps(text) == at_once(text)


@given(values, st.integers(0), st.integers(0, 3), st.text('{}[],:"\\u0d8 eE+-.1tfn\x00\u00e9', max_size=3))
@example(["\U0001f600" * 200], 3, 1, "")
@example("\U0001f600" * 200, 7, 0, "\\")
@example([1], 1, 0, "0")
@example([1], 2, 0, ",")
@example([], 1, 0, ",")
@example({}, 1, 0, ",")
@example(1, 1, 0, ",1")
@example([], 1, 1, "}")
def test_what_is_no_json_is_none_in_steps(value: Json, at: int, gone: int, new: str) -> None:
    """Whatever is wrong with it."""
    text = json.dumps(value)
    at %= len(text) + 1
    text = text[:at] + new + text[at + gone :]
    assert in_steps(text) == at_once(text)


@pytest.mark.parametrize(
    "text",
    [
        '"' + one + '"'
        for one in ("\\ud83d\\ude00" * 9_999, "a\\n" * 40_000, "\u00e9" * 70_000, "\\\\" * 50_000)
    ],
    ids=["pairs", "escapes", "beyond ASCII", "backslashes"],
)
def test_a_long_string_is_cut_within_no_character(text: str) -> None:
    """It is read in parts."""
    assert in_steps(text) == orjson.loads(text)


@pytest.mark.parametrize("half", ["\\ud83d", "\\ude00", "\ud83d"])
def test_half_a_pair_is_no_json(half: str) -> None:
    """Escaped or as it is."""
    with pytest.raises(ValueError, match=r".+"):
        finish(reading(f'["{half}", "{"x" * MAX_AT_ONCE}"]', []))


@pytest.mark.parametrize(
    "text",
    [
        "[" + "[]," * MAX_VALUES + "0]",
        "[" + "9" * 2_000 + "," + " " * MAX_AT_ONCE + "1]",
        '{"to": 1, "to": 2, "more": "' + "x" * MAX_AT_ONCE + '"}',
    ],
    ids=["values", "digits", "a name twice"],
)
def test_what_cannot_be_read_within_bounds_is_left(text: str) -> None:
    """It may be any field's, for a client may read it."""
    left: list[str] = []
    finish(reading(text, left))
    assert left == [text]


@pytest.mark.parametrize(
    "text",
    [
        "[" + "[]," * 90_000 + "0]",
        "[" + '{"a":1},' * 40_000 + "0]",
        "{" + ",".join(f'"{at:x}":{at}' for at in range(40_000)) + "}",
        '["' + "a" * 1_000_000 + '"]',
        '["' + "\\n" * 500_000 + '"]',
        '["' + "\\u00e9" * 200_000 + '"]',
        "[" + " " * 1_000_000 + "]",
        "[" + "1.5e300," * 90_000 + "0]",
    ],
    ids=["lists", "objects", "names", "string", "escapes", "references", "blanks", "numbers"],
)
def test_no_step_of_a_long_text_reads_much(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parser in C is given little, and few tokens are read before others have a turn."""
    tokens, most, longest = 0, 0, 0
    token, part, loads = parsing._TOKEN, parsing._PART, orjson.loads

    def match(text: str, at: int) -> Any:
        nonlocal tokens
        tokens += 1
        return token.match(text, at)

    def match_part(text: str, at: int) -> Any:
        nonlocal tokens
        tokens += TOKENS // 16
        return part.match(text, at)

    def load(text: str) -> Json:
        nonlocal longest
        longest = max(longest, len(text))
        return loads(text)

    monkeypatch.setattr(parsing, "_TOKEN", SimpleNamespace(match=match))
    monkeypatch.setattr(parsing, "_PART", SimpleNamespace(match=match_part))
    monkeypatch.setattr(parsing, "orjson", SimpleNamespace(loads=load))
    for _ in reading(text, []):
        most, tokens = max(most, tokens), 0
    assert max(most, tokens) <= 2 * TOKENS
    assert longest <= MAX_AT_ONCE


@given(st.binary(), st.binary(), st.integers(0, 4))
def test_bytes_are_decoded_in_steps(before: bytes, after: bytes, shift: int) -> None:
    """No character is lost where a step ends."""
    raw = before + b"x" * (5 * PIECE - len(before) - shift) + after
    assert finish(decoding(raw, "replace")) == raw.decode(errors="replace")
