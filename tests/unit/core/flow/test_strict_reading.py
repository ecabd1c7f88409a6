# SPDX-License-Identifier: Apache-2.0
"""The strict reading takes a value as it is used, and nothing off it."""

import pytest

from remit.core.flow.values.kinds import KindOfValue
from remit.core.flow.values.strict_reading import exact, place_of, standing, stated_forms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann@Example.ORG", " ann@example.org\n"),
        ("Ann Baker <ann@example.org>", "ann@example.org"),
        ('"Baker Ann" <ann@example.org>', "mailto:ann@example.org"),
        ("ann@b\u00fccher.example", "ann@xn--bcher-kva.example"),
        ("HTTPS://Good.com:443/a/", "https://good.com/a"),
        ("http://good.com", "http://good.com:80/"),
        ("http://[2001:DB8:0::1]/", "http://[2001:db8::1]"),
        ("good.com/", "GOOD.com"),
        ("DE12 5001 0517 0648 4898 90", "de12500105170648489890"),
        ("+49 (30) 123-4567", "+49301234567"),
        ("Report Q3", "report q3"),
        ("e\u0301lan", "\u00e9lan"),
    ],
)
def test_spellings_that_every_program_takes_for_one_are_one(one: str, other: str) -> None:
    """Case, outer white space, groups of digits, and a name before an address."""
    assert exact(one) == exact(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann%40example.org", "ann@example.org"),
        ("eve@evil.example <ann@example.org>", "ann@example.org"),
        ("other <summary>", "summary"),
        ("https://good.com/a", "http://good.com/a"),
        ("https://good.com:8443/a", "https://good.com/a"),
        ("https://eve@good.com/a", "https://good.com/a"),
        ("https://good.com/a/../b", "https://good.com/b"),
        ("https://good.com/A", "https://good.com/a"),
        ("https://good.com%2f@evil.example/", "https://good.com/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://good.com./", "http://good.com/"),
        ("x@busine\u00df.com", "x@business.com"),
        ("http\u017f://good.com/", "https://good.com/"),
        ("\uff45ve", "eve"),
        ("\u212aim", "kim"),
        ("Bob  Stone", "Bob Stone"),
        ("notes.md/../secrets.env", "secrets.env"),
        ("notes*", "notes"),
        ("DE1250010517064848989 0", "DE12500105170648489890"),
        ("ann@example.org\r\nBcc: eve@evil.example", "ann@example.org"),
    ],
)
def test_what_programs_may_tell_apart_is_not_one(one: str, other: str) -> None:
    """Encodings, other places, letters that only some programs map, patterns, white space within."""
    assert exact(one) != exact(other)


def test_a_web_address_says_where_it_leads() -> None:
    """Only where all clients agree on it."""
    assert place_of("https://good.com:8443/x") == "good.com:8443"
    assert place_of("https://good.com@evil.example/") == ""
    assert place_of("ftp://good.com/") == ""


def test_who_states_an_address_need_not_name_its_scheme() -> None:
    """A host, or a host with a path, is meant by the schemes of the web."""
    assert exact("https://good.com/docs") in set(stated_forms("good.com/docs"))
    assert exact("good.com/docs") in set(stated_forms("https://good.com/docs"))
    assert exact("gopher://good.com/docs") not in set(stated_forms("good.com/docs"))


def test_what_stands_in_words_is_read_whole() -> None:
    """Of the groups of a number none is a number by itself; marks of the sentence are none of a value."""
    said = "Pay GB29 NWBK 6016 1331 9268 19, call +49 30 1234567. See (https://good.com/a), and bob@corp.com!"
    assert {one.normal for one in standing(said) if one.kind is not KindOfValue.HOST} == {
        "gb29nwbk60161331926819",
        "+49301234567",
        "https://good.com/a",
        "//good.com/a",
        "bob@corp.com",
    }
