# SPDX-License-Identifier: Apache-2.0
"""RFC 8785 (JSON Canonicalization Scheme): the examples of its text and the samples of its authors.

The texts are from RFC 8785 sections 3.2.2 to 3.2.4 and from the `testdata` folder of the authors' repository
(cyberphone/json-canonicalization, Apache-2.0); the doubles are from RFC 8785 appendix B.
"""

import struct

import pytest

from remit.core import canonical
from remit.core.errors import Malformed

TEXTS = {
    "section-3.2.2": (
        rb"""{
          "numbers": [333333333.33333329, 4.50, 2e-3, 0.000000000000000000000000001],
          "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
          "literals": [null, true, false]
        }""",
        (
            '{"literals":[null,true,false],"numbers":[333333333.3333333,4.5,0.002,1e-27],'
            '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        ),
    ),
    "section-3.2.3": (
        rb"""{
          "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh",
          "1": "One", "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control",
          "\u00f6": "Latin Small Letter O With Diaeresis"
        }""",
        (
            '{"\\r":"Carriage Return","1":"One","\x80":"Control",'
            '"\u00f6":"Latin Small Letter O With Diaeresis",'
            '"\u20ac":"Euro Sign","\U0001f600":"Emoji: Grinning Face",'
            '"\ufb33":"Hebrew Letter Dalet With Dagesh"}'
        ),
    ),
    "french": (
        '{"peach": "This sorting order", "p\u00e9ch\u00e9": "is wrong according to French", '
        '"p\u00eache": "but canonicalization MUST", "sin": "ignore locale"}'.encode(),
        (
            '{"peach":"This sorting order","p\u00e9ch\u00e9":"is wrong according to French",'
            '"p\u00eache":"but canonicalization MUST","sin":"ignore locale"}'
        ),
    ),
    "structures": (
        rb"""{"1": {"f": {"f": "hi","F": 5} ,"\n": 56.0}, "10": { }, "": "empty",
          "a": { }, "111": [ { } ], "A": { }}""",
        '{"":"empty","1":{"\\n":56,"f":{"F":5,"f":"hi"}},"10":{},"111":[{}],"A":{},"a":{}}',
    ),
    "unicode": (rb'{"Unnormalized Unicode":"\u1e0d\u0307"}', '{"Unnormalized Unicode":"\u1e0d\u0307"}'),
}

DOUBLES = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_published_text_has_its_published_canonical_form(name: str) -> None:
    """Parsing a published sample and encoding it gives the published bytes."""
    text, expected = TEXTS[name]
    value = canonical.parse_strict(text, max_bytes=10_000)
    assert canonical.encode(value) == expected.encode()


@pytest.mark.parametrize("bits", DOUBLES)
def test_a_published_double_is_written_as_published(bits: str) -> None:
    """Each double of appendix B is written as the appendix says."""
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical.encode(number).decode() == DOUBLES[bits]
    assert canonical.encode({"n": [number]}).decode() == f'{{"n":[{DOUBLES[bits]}]}}'


@pytest.mark.parametrize("bits", ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"])
def test_a_double_that_json_cannot_write_is_refused(bits: str) -> None:
    """NaN and the infinities of appendix B have no canonical form."""
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    with pytest.raises(Malformed) as refusal:
        canonical.encode(number)
    assert refusal.value.code == "number-out-of-range"
