# SPDX-License-Identifier: Apache-2.0
"""The fast parser and encoder against slow ones that are obviously right."""

import json
import math
from typing import Any

import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from remit.core import canonical
from remit.core.errors import Malformed

MAX_DEPTH = 5

_characters = st.characters(codec="utf-8") | st.sampled_from(':"\\{}[],\ue000\U0001f600\u0000\u007f')
_strings = st.text(_characters, max_size=8)
_numbers = st.integers(-(2**55), 2**55) | st.floats(allow_nan=False, allow_infinity=False)
_scalars = st.none() | st.booleans() | _numbers | _strings
values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_strings, inner, max_size=4),
    max_leaves=20,
)


def _written(text: str) -> st.SearchStrategy[str]:
    """Write a string as JSON, with any of its characters escaped."""
    return st.lists(st.booleans(), min_size=len(text), max_size=len(text)).map(
        lambda escapes: (
            '"'
            + "".join(
                "".join(f"\\u{unit:04x}" for unit in _utf16(character))
                if escape
                else json.dumps(character, ensure_ascii=False)[1:-1]
                for character, escape in zip(text, escapes, strict=True)
            )
            + '"'
        )
    )


def _utf16(character: str) -> list[int]:
    units = character.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2)]


_awkward = st.text(st.sampled_from(':"\\ab{},[]\ud800\udc00\u20ac'), max_size=3).flatmap(_written)
_awkward_numbers = st.sampled_from(
    [
        "0",
        "-0",
        "1.5",
        "9007199254740991",
        "9007199254740992",
        "-9007199254740993",
        "1e15",
        "1e16",
        "1e400",
        "-1E+2",
        "1" * 25,
    ]
)
_texts = st.recursive(
    st.sampled_from(["null", "true", "false"]) | _awkward_numbers | _awkward,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + " ,".join(items) + "]")
        | st.lists(st.tuples(_awkward, inner), max_size=4).map(
            lambda members: "{" + ",".join(f"{key} :{value}" for key, value in members) + "}"
        )
    ),
    max_leaves=12,
).map(lambda text: text.encode("utf-8", "surrogatepass"))


class _Members(list[tuple[str, Any]]):
    """Every member that an object's text has, repeated ones too."""


def _reference(data: bytes) -> tuple[Any, set[str]]:
    """Read a JSON text slowly with the standard library; also give every reason to refuse it."""
    faults: set[str] = set()

    def constant(_: str) -> None:
        faults.add("not-json")

    def look(item: Any, depth: int) -> Any:
        if isinstance(item, str) and any(0xD800 <= ord(character) <= 0xDFFF for character in item):
            faults.add("lone-surrogate")
        if isinstance(item, (int, float)) and not -(2**53) < item < 2**53:
            faults.add("number-out-of-range")
        if isinstance(item, list) and depth >= MAX_DEPTH:
            faults.add("too-deep")
        if isinstance(item, _Members):
            kept = {look(key, depth): look(inner, depth + 1) for key, inner in item}
            if len(kept) != len(item):
                faults.add("duplicate-key")
            return kept
        return [look(inner, depth + 1) for inner in item] if isinstance(item, list) else item

    try:
        value = json.loads(data.decode(), object_pairs_hook=_Members, parse_constant=constant)
    except ValueError:
        return None, {"not-json", "too-deep"}
    return look(value, 0), faults


def _refusal(data: bytes) -> tuple[Any, str]:
    try:
        return canonical.parse_strict(data, max_bytes=100_000, max_depth=MAX_DEPTH), ""
    except Malformed as refusal:
        return None, refusal.code


def _agree(data: bytes) -> None:
    expected, faults = _reference(data)
    found, code = _refusal(data)
    # Of several faults any may be named. What is not JSON at all may be called too deep, but nothing else.
    assert code in faults if faults else not code
    if not faults:
        assert found == expected
        assert rfc8785.dumps(found) == rfc8785.dumps(expected)


@given(_texts)
@example(b'{"a":"::","a":"\\u003a\\u003a"}')
@example(b'{"\\\\u003a":0,"b":":"}')
def test_the_fast_parser_reads_and_refuses_as_the_slow_one(data: bytes) -> None:
    """On texts made to confuse it, the parser agrees with the standard library and checks spelled out."""
    _agree(data)


@given(st.binary(max_size=30) | st.text(st.sampled_from('{}[]":,\\u0031ea. -+'), max_size=14).map(str.encode))
def test_noise_is_read_and_refused_as_the_slow_parser_does(data: bytes) -> None:
    """Also on bytes that are mostly not JSON at all."""
    _agree(data)


@given(values)
def test_encoding_equals_the_reference_implementation(value: Any) -> None:
    """For every value, the fast path included, the bytes are those of the `rfc8785` package."""
    try:
        expected = rfc8785.dumps(value)
    except rfc8785.CanonicalizationError:
        expected = None
    try:
        found = canonical.encode(value)
    except Malformed:
        found = None
    assert found == expected


@given(values)
def test_what_was_encoded_is_read_back_to_the_same_bytes(value: Any) -> None:
    """Canonical bytes are a fixed point: reading them strictly and encoding again changes nothing."""
    try:
        text = canonical.encode(value)
        again = canonical.parse_strict(text, max_bytes=len(text))
    except Malformed as refusal:
        code = refusal.code
    else:
        code = ""
        assert canonical.encode(again) == text
    assert code in {"", "number-out-of-range"}


_ours = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | _strings,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=6), inner)
    ),
    max_leaves=20,
)


@given(_ours)
def test_a_trusted_record_encodes_as_any_other(value: Any) -> None:
    """Within its invariant, the encoder that does not look gives the bytes of the one that does."""
    assert canonical.encode_trusted(value) == canonical.encode(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_written_float_reads_back_as_itself(number: float) -> None:
    """The shortest form of a double loses nothing."""
    assert math.isclose(float(canonical.encode(number)), number, rel_tol=0, abs_tol=0)
