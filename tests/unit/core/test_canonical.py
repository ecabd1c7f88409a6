# SPDX-License-Identifier: Apache-2.0
"""What the strict parser refuses, and what the canonical encoder does with values that JSON does not know."""

import enum
import uuid

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from remit.core import canonical
from remit.core.errors import Malformed

REFUSED = {
    "an empty text": (b"", "not-json"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "not-json"),
    "bytes that are not UTF-8": (b'["\xff"]', "not-json"),
    "a surrogate written in UTF-8": (b'"\xed\xa0\x80"', "not-json"),
    "an overlong form": (b'"\xc0\xaf"', "not-json"),
    "a second value": (b"{} {}", "not-json"),
    "a trailing comma": (b"[1,]", "not-json"),
    "a comment": (b"[1] // one", "not-json"),
    "NaN": (b"[NaN]", "not-json"),
    "Infinity": (b"-Infinity", "not-json"),
    "a raw control character": (b'"\x01"', "not-json"),
    "an unfinished string": (b'{"a":"\\"', "not-json"),
    "an unfinished escape": (b'["\\', "not-json"),
    "two exponents": (b"1e5e5", "not-json"),
    "a leading zero": (b"[01]", "not-json"),
    "a repeated key": (b'{"a":1,"b":2,"a":1}', "duplicate-key"),
    "a repeated key deep inside": (b'[{"x":[{"a":":","a":1}]}]', "duplicate-key"),
    "a key repeated by an escape": (b'{"a":1,"\\u0061":2}', "duplicate-key"),
    "a repeated key before an escaped colon": (b'{"a":1,"a":"\\u003a"}', "duplicate-key"),
    "a repeated key before an escaped colon, upper case": (b'{"a":"\\u003A","a":":"}', "duplicate-key"),
    "a dropped value with a colon": (b'{"a":"::::","a":"\\u003a"}', "duplicate-key"),
    "a repeated empty key": (b'{"":1,"":2}', "duplicate-key"),
    "a repeated key after a kept escaped backslash": (b'{"a\\\\u003a":1,"a\\\\u003a":2}', "duplicate-key"),
    "an integer too large": (b"9007199254740992", "number-out-of-range"),
    "an integer too small": (b'{"a":-9007199254740992}', "number-out-of-range"),
    "an integer beyond 64 bits": (b"12345678901234567890123", "number-out-of-range"),
    "a large integer written as a float": (b"[9.007199254740992e15]", "number-out-of-range"),
    "a float beyond a double": (b'{"a":1e400}', "number-out-of-range"),
    "an integer beyond a double": (b"9" * 400, "number-out-of-range"),
    "half a pair in a value": (b'["\\ud800"]', "lone-surrogate"),
    "half a pair in a key": (b'{"\\uDC00":1}', "lone-surrogate"),
    "a pair in the wrong order": (b'"\\udc00\\ud800"', "lone-surrogate"),
    "nesting beyond the bound": (b"[" * 65 + b"]" * 65, "too-deep"),
    "nesting of objects beyond the bound": (b'{"a":' * 65 + b"1" + b"}" * 65, "too-deep"),
    "nesting beyond any parser": (b"[" * 9_000, "too-deep"),
    "more bytes than allowed": (b'"' + b"a" * 10_000 + b'"', "too-large"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_text_with_two_readings_is_refused_by_its_code(what: str) -> None:
    """Each kind of bad text is refused with the code that programs rely on."""
    text, code = REFUSED[what]
    with pytest.raises(Malformed) as refusal:
        canonical.parse_strict(text, max_bytes=10_000)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    "text",
    [
        b" [1, -0, 1.5, 9007199254740991, -9007199254740991, 1e15] \n",
        b'{"a":{"a":{"a":":::"}},"b":[{"a":1},{"a":2}],"c:d":"e:f"}',
        b'{"a":"\\u003a","b":"\\u003A","c":":"}',
        b'{"a\\\\":1,"a\\"":2,"a":3}',
        b'{"a:":1,"a":2}',
        b'"\\ud83d\\ude00"',
        b'"\\\\ud800"',
        b"null",
        b"[" * 64 + b"]" * 64,
    ],
)
def test_a_text_with_one_reading_is_read(text: bytes) -> None:
    """Colons in strings, escapes, pairs of surrogates and nesting up to the bound are all fine."""
    canonical.parse_strict(text, max_bytes=10_000)


def test_a_broken_string_of_escaped_quotes_is_refused_in_linear_time() -> None:
    """A megabyte of `\\"` that never ends is refused; a quadratic search would take hours over it."""
    text = b'["' + b'\\"' * 500_000
    with pytest.raises(Malformed) as refusal:
        canonical.parse_strict(text, max_bytes=2_000_000)
    assert refusal.value.code == "not-json"


class _Colour(enum.StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (uuid.UUID(int=1), "not-json"),
        ({"a": b"bytes"}, "not-json"),
        ({"a": {1, 2}}, "not-json"),
        ({1: "a"}, "not-json"),
        (2**53, "number-out-of-range"),
        ([-(2**53)], "number-out-of-range"),
        ({"a": float("inf")}, "number-out-of-range"),
        ("\ud800", "lone-surrogate"),
        ({"\udfff": 1}, "lone-surrogate"),
    ],
)
def test_a_value_that_json_does_not_know_is_refused(value: object, code: str) -> None:
    """Types, numbers and strings without a canonical form are refused, never approximated."""
    with pytest.raises(Malformed) as refusal:
        canonical.encode(value)
    assert refusal.value.code == code


def test_a_value_without_end_is_refused() -> None:
    """A list that holds itself is too deep, not a crash."""
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(Malformed) as refusal:
        canonical.encode(endless)
    assert refusal.value.code == "too-deep"


def test_a_string_enum_is_its_string() -> None:
    """A `StrEnum` member encodes as the string that it is."""
    assert canonical.encode({"c": _Colour.RED}) == b'{"c":"red"}'


def test_a_digest_names_the_hash_and_ignores_the_order_of_keys() -> None:
    """Equal values have one digest: `sha256:` and the 64 hexadecimal digits of their bytes' hash."""
    assert canonical.digest({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert canonical.digest({"a": 1, "b": 2}) == canonical.digest({"b": 2, "a": 1.0})


def test_a_text_of_too_many_values_is_refused() -> None:
    """A short text can be read into fifty times its size. What stands in strings is no value."""
    with pytest.raises(Malformed) as fault:
        canonical.parse_strict(b"[" + b"[]," * 20 + b"[]]", max_bytes=1_000, max_values=40)
    assert fault.value.code == "too-large"
    assert canonical.parse_strict(b'["' + b"[," * 100 + b'"]', max_bytes=1_000, max_values=40)
    assert canonical.parse_strict(b"[" + b"1," * 38 + b"1]", max_bytes=1_000, max_values=40)


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.floats(1e-7, 1e-4) | st.floats(1e14, 1e22))
)
@example([1e-5, 9.99e-6, 1e15, 999999999999999.9, 123456789012345.6, -0.0, 1.0, 0.1, -2.5])
def test_numbers_are_written_alike_by_both_encoders(numbers: list[float]) -> None:
    """The fast one writes those that it writes as RFC 8785 does, and no others."""
    assert canonical.encode(numbers) == rfc8785.dumps(numbers)
