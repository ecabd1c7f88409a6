# SPDX-License-Identifier: Apache-2.0
"""The strict reading at its edges: which kind a text is, where it ends, and what stands beside it."""

import pytest

from remit.core.flow.values.kinds import KindOfValue
from remit.core.flow.values.strict_reading import (
    MAX_EXACT,
    exact,
    named_address,
    pieces,
    place_of,
    stated_forms,
    written,
)
from remit.core.flow.values.urls import MAX_URL, regular_host, regular_url

EMAIL, URL, HOST = KindOfValue.EMAIL, KindOfValue.URL, KindOfValue.HOST
PHONE, IBAN, TEXT = KindOfValue.PHONE, KindOfValue.IBAN, KindOfValue.TEXT


@pytest.mark.parametrize(
    ("text", "kind", "normal"),
    [
        ("ann@example.org", EMAIL, "ann@example.org"),
        ("x" * 64 + "@example.org", EMAIL, "x" * 64 + "@example.org"),
        ("x" * 65 + "@example.org", TEXT, "x" * 65 + "@example.org"),
        ("ann@localhost", TEXT, "ann@localhost"),
        ("a nn@example.org", TEXT, "a nn@example.org"),
        (".ann@example.org", TEXT, ".ann@example.org"),
        ("ann@exa mple.org", TEXT, "ann@exa mple.org"),
        ("a@b@example.org", TEXT, "a@b@example.org"),
        ("https://good.com/a@b", URL, "https://good.com/a@b"),
        ("https://good.com", URL, "https://good.com"),
        ("ftp://good.com", TEXT, "ftp://good.com"),
        ("good.com", HOST, "good.com"),
        ("good.com/", HOST, "good.com"),
        ("good.com/a", URL, "//good.com/a"),
        ("good.com:8443/a", URL, "//good.com:8443/a"),
        ("good.com:8443/", URL, "//good.com:8443"),
        ("good.c0m", TEXT, "good.c0m"),
        ("good .com", TEXT, "good .com"),
        ("notes", TEXT, "notes"),
        ("+49 30 1234567", PHONE, "+49301234567"),
        ("1234567/8", TEXT, "1234567/8"),
        ("DE12500105170648489890", IBAN, "de12500105170648489890"),
        ("de12 5001 0517 0648 4898 90", IBAN, "de12500105170648489890"),
        ("DE1250", TEXT, "de1250"),
        ("x" * MAX_EXACT, TEXT, "x" * MAX_EXACT),
        ("X" * (MAX_EXACT + 1), TEXT, "X" * (MAX_EXACT + 1)),
        ("X" * MAX_EXACT, TEXT, "x" * MAX_EXACT),
        ("\u0661\u0662\u0663\u0664\u0665\u0666\u0667", TEXT, "\u0661\u0662\u0663\u0664\u0665\u0666\u0667"),
    ],
)
def test_a_text_is_of_the_kind_that_it_is_used_as(text: str, kind: KindOfValue, normal: str) -> None:
    """An address, a host, a number, an account; else a text, in small letters."""
    found = exact(text)
    assert (found.kind, found.normal) == (kind, normal)


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("Ann Baker <ann@example.org>", "Ann Baker", "ann@example.org"),
        (' "Baker, Ann" <ann@example.org>\n', "Baker, Ann", "ann@example.org"),
        ("<ann@example.org>", "", "ann@example.org"),
        ("ann@example.org", "", ""),
        ("Ann <a>", "", ""),
        ("Ann <ann@example.org> x", "", ""),
        ("Ann; Bob <ann@example.org>", "", ""),
    ],
)
def test_a_name_before_an_address_is_taken_off(text: str, name: str, address: str) -> None:
    """With its quotes; where it is no plain name, nothing is."""
    assert named_address(text) == (name, address)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see [here](https://good.com/a), please", ["here](https://good.com/a", "https://good.com/a"]),
        ("see [1](2](https://good.com/b)", ["1](2](https://good.com/b", "https://good.com/b"]),
        ("see here](https://good.com/a)", ["here](https://good.com/a"]),
        ("see [a1]", ["a1"]),
        ("call 030 1234567, now", ["030 1234567"]),
        ('call "030" 1234567 now', ["030 1234567"]),
        ("to DE12 5001 0517 0648 4898 90 today", ["DE12 5001 0517 0648 4898 90"]),
        (
            "(DE13 5001 0517 0648 4898 90) 2026",
            ["DE13 5001 0517 0648", "DE13 5001 0517 0648 4898", "DE13 5001 0517 0648 4898 90", "2026"],
        ),
        ("words alone are nothing", []),
        ("!!! ...", []),
        ("a1, (b2) 'c3'", ["a1", "b2", "c3"]),
    ],
)
def test_pieces_of_a_text_stand_without_the_marks_around_them(text: str, found: list[str]) -> None:
    """A link of Markdown also gives where it leads; groups of one number are one piece."""
    assert list(pieces(text)) == found


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("mail ann@example.org or good.com", {EMAIL, HOST, URL}),
        ("see https://good.com/a!", {URL}),
        ("see https://good.com/ now", {URL, HOST}),
        ("read notes.md", {HOST}),
        ("nothing but words", set()),
        ("no. 12345", {TEXT, PHONE}),
    ],
)
def test_every_destination_in_a_text_is_found_as_what_it_is(text: str, kinds: set[KindOfValue]) -> None:
    """With each form in which it may be meant."""
    found = {one.kind for _, one in written(text)}
    assert kinds - {TEXT, PHONE} <= found
    if not kinds:
        assert not found


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("good.com", ["good.com", "https://good.com", "http://good.com"]),
        ("notes.md", ["notes.md"]),
        ("good.com/a", ["//good.com/a", "https://good.com/a", "http://good.com/a"]),
        ("https://good.com/a", ["https://good.com/a", "//good.com/a"]),
        ("http://good.com/", ["http://good.com", "good.com"]),
        ("ann@example.org", ["ann@example.org"]),
        ("notes", ["notes"]),
    ],
)
def test_what_somebody_states_has_the_forms_that_it_may_be_meant_in(text: str, forms: list[str]) -> None:
    """The schemes of the web are added and left out; nothing else is."""
    assert [one.normal for one in stated_forms(text)] == forms


@pytest.mark.parametrize(
    ("host", "normal"),
    [
        ("GOOD.com", "good.com"),
        ("a" * 63 + ".com", "a" * 63 + ".com"),
        ("a" * 64 + ".com", ""),
        (".".join(["a" * 61] * 4 + ["bcdef"]), ".".join(["a" * 61] * 4 + ["bcdef"])),
        (".".join(["a" * 61] * 4 + ["bcdefg"]), ""),
        ("", ""),
        ("-a.com", ""),
        ("a_b.com", "a_b.com"),
        ("good.com.", ""),
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.01", ""),
        ("192.0.513", ""),
        ("0x7f.1", ""),
        ("a.0x7f", ""),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("B\u00dcCHER.example", "xn--bcher-kva.example"),
        ("busine\u00df.com", ""),
        ("\uff47ood.com", ""),
        ("a\u200cb.com", ""),
    ],
)
def test_a_host_has_one_form_or_none(host: str, normal: str) -> None:
    """In small letters and ASCII; none where clients do not read it alike."""
    assert regular_host(host) == normal


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("HTTPS://Good.com", "https://good.com"),
        ("https://good.com:443/a/", "https://good.com/a"),
        ("http://good.com:443/", "http://good.com:443"),
        ("https://good.com:1/a", "https://good.com:1/a"),
        ("https://good.com:65535/", "https://good.com:65535"),
        ("https://good.com:65536/", None),
        ("https://good.com:0/", None),
        ("https://good.com:080/", None),
        ("https://good.com:/", None),
        ("https://good.com/?a=/", "https://good.com/?a=/"),
        ("https://good.com/#a/", "https://good.com/#a/"),
        ("https://good.com?a", "https://good.com?a"),
        ("https://good.com/a b", None),
        ("https://good.com/%zz", None),
        ("https://good.com/%41", "https://good.com/%41"),
        ("https://good.com/./a", None),
        ("https://good.com/..", None),
        ("https://good.com/%2E%2e/a", None),
        ("https://good.com/.a", "https://good.com/.a"),
        ("https://good.com/a..", "https://good.com/a.."),
        ("https://ann@good.com/", None),
        ("ftp://good.com/", None),
        ("good.com/", None),
        (" https://good.com/", None),
        ("https:///a", None),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example"),
        ("http://[2001:DB8:0:0::1]/", "http://[2001:db8::1]"),
        ("http://[2001:db8::1]:8080/", "http://[2001:db8::1]:8080"),
        ("http://[2001:db8::1]:/", None),
        ("http://[2001:db8::1]8080/", None),
        ("http://[2001:db8::1/", None),
        ("http://[::ffff:192.0.2.1]/", None),
        ("http://[::ffff:c000:201]/", None),
        ("http://[fe80::1%eth0]/", None),
        ("http://[192.0.2.1]/", None),
        ("https://good.com/" + "a" * (MAX_URL - 17), "https://good.com/" + "a" * (MAX_URL - 17)),
        ("https://good.com/" + "a" * (MAX_URL - 16), None),
    ],
)
def test_an_address_of_the_web_has_one_form_or_none(text: str, normal: str | None) -> None:
    """With its scheme, without its scheme's own port, and no way to another place."""
    found = regular_url(text)
    assert (found and found.normal) == normal


def test_a_place_is_a_host_with_its_port() -> None:
    """The scheme's own is not said; white space around does not count."""
    assert place_of(" https://Good.com:443/x\n") == "good.com"
    assert place_of("http://good.com:443/x") == "good.com:443"
    assert place_of("good.com") == ""
