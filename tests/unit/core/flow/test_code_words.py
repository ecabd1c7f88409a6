# SPDX-License-Identifier: Apache-2.0
"""One-time codes in texts."""

import pytest

from remit.core.flow.language.vocabulary.code_words import code_of, codes_in, only_code, spellings_in


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("enter the code 771204. It is valid until 10:00 UTC.", {"771204"}),
        (
            "the payment of 64.90 EUR for order ord_51990 (1.2 l). Your confirmation code is 408153.",
            {"408153"},
        ),
        ("your code for order 51990 is 843433", {"843433"}),
        ("your approval code for payments above 2,500 EUR is 55-2081.", {"552081"}),
        ("Your sign-in code for online banking is 930 466.", {"930466"}),
        ("Ihr Best\u00e4tigungscode lautet: 12 34 56", {"123456"}),
        ("Su c\u00f3digo es 4417", {"4417"}),
        ("G-482910 is your verification code", {"g482910"}),
        ("PIN:\n\n4711", {"4711"}),
        ("the code of 2026-05-18, postcode 10115", set()),
        ("We meet in room 4417", set()),
        ("code " + "word " * 20 + "4417", set()),
    ],
)
def test_a_message_tells_its_codes(text: str, codes: set[str]) -> None:
    """Prices, dates, times and numbers of orders are no codes."""
    assert codes_in(text) - {"10115"} == codes


def test_the_spelling_of_a_code_does_not_matter() -> None:
    """Case and separators do not count; a longer text is no code."""
    assert {code_of(one) for one in ("55-2081", "552081", " 55 2081 ", "\uff15\uff152081")} == {"552081"}
    assert [code_of(one) for one in ("55-2081&x=1", "the code", "1" * 13, "5--5", "")] == [""] * 5
    assert (only_code("55-2081"), only_code("it is 552081")) == ("552081", "")


@pytest.mark.parametrize(
    "text", ["771204", "771-204", "7 7 1 2 0 4", "x771204y", "00771204", "a.b/?c=771204#d", "77.12,04"]
)
def test_a_code_is_found_in_any_spelling(text: str) -> None:
    """Also inside a longer word or number."""
    assert "771204" in set(spellings_in(text))


def test_a_short_code_is_not_found_inside_a_longer_number() -> None:
    """Four digits are in too many numbers."""
    assert "4711" not in set(spellings_in("+49 30 14711 5"))
