# SPDX-License-Identifier: Apache-2.0
"""Which writings are one destination, which are not, and what is found in a text."""

from __future__ import annotations

import base64
import quopri
from collections.abc import Callable
from urllib.parse import quote

import pytest

from remit.core.cooperative_steps import MAX_WORD, PIECE, pieces, whole_words
from remit.core.flow.values.destination import Destination, whole, within
from remit.core.flow.values.kinds import KindOfValue

SAME = {
    "capitals": ("ana@shop.example", "Ana@SHOP.Example"),
    "a display name": ("ana@shop.example", '"Ana, of the shop" <ana@shop.example>'),
    "mailto, with a subject": ("ana@shop.example", "mailto:ana@shop.example?subject=Hi"),
    "a full stop at the end of a host": ("shop.example", "shop.example."),
    "full stops of other scripts": ("ana@shop.example", "ana@shop\uff0eexample"),
    "letters of full width": ("ana@shop.example", "\uff41na@shop.example"),
    "characters that nobody sees": ("ana@shop.example", "an\u200ba@sh\u00adop.ex\u2060ample"),
    "an encoded word": ("ana@shop.example", "=?utf-8?Q?ana=40shop.example?="),
    "two encoded words": ("ana@shop.example", "=?utf-8?b?YW5hQHNob3A=?= =?utf-8?q?.example?="),
    "groups of four": ("GB29NWBK60161331926819", "gb29 nwbk 6016 1331 9268 19"),
    "groups with dashes": ("GB29NWBK60161331926819", "GB29-NWBK-6016-1331-9268-19"),
    "marks in a telephone number": ("+44 20 7946 0000", "+44 (20) 7946-0000"),
    "two noughts for a plus": ("+44 20 7946 0000", "0044 20 7946 0000"),
    "the usual port": ("https://shop.example/a", "https://shop.example:443/a"),
    "no scheme": ("https://shop.example/a", "shop.example/a"),
    "the scheme of whoever reads it": ("https://shop.example/a", "//shop.example/a"),
    "a slash at the end": ("https://shop.example", "https://shop.example/"),
    "more slashes": ("https://shop.example/a", "https:///shop.example/a"),
    "a port that is left out": ("https://shop.example/a", "https://shop.example:/a"),
    "somebody before the host": ("https://evil.example/a", "https://good.example@evil.example/a"),
    "somebody with a password": ("https://evil.example/a", "https://good.example:80@evil.example/a"),
    "a backslash for a slash": ("https://evil.example/@good.example", r"https://evil.example\@good.example"),
    "percent in a path": ("https://shop.example/a b", "https://shop.example/a%20b"),
    "an address as one number": ("http://10.0.0.1/", "http://167772161"),
    "an address in base sixteen": ("http://10.0.0.1/", "http://0x0a000001/"),
    "an address in base eight": ("http://10.0.0.1/", "http://012.0.0.01/"),
    "an address in fewer parts": ("http://10.0.0.1/", "http://10.1/"),
    "noughts in an address of IP version 6": ("http://[2001:db8::1]/", "http://[2001:0db8:0:0::0001]/"),
    "version 4 in version 6": ("http://10.0.0.1:8080/", "http://[::ffff:10.0.0.1]:8080/"),
    "letters beyond ASCII in a host": ("ana@b\u00fccher.example", "ana@xn--bcher-kva.example"),
}

DIFFERENT = {
    "a tag": ("ana@shop.example", "ana+pay@shop.example"),
    "a full stop in the name": ("ana.b@shop.example", "anab@shop.example"),
    "a host below": ("shop.example", "www.shop.example"),
    "another port": ("https://shop.example/a", "https://shop.example:8443/a"),
    "another scheme": ("https://shop.example/a", "http://shop.example/a"),
    "a Cyrillic letter that looks alike": ("ana@shop.example", "\u0430na@sh\u043ep.example"),
    "a digit that looks alike": ("ana@shop.example", "ana@sh0p.example"),
    "a letter more": ("ana@shop.example", "ana@shopp.example"),
    "a host that begins alike": ("https://shop.example/", "https://shop.example.evil.example/"),
    "no country code": ("+44 20 7946 0000", "020 7946 0000"),
    "another query": ("https://shop.example/?id=1", "https://shop.example/?id=2"),
    "an account number that goes on": ("GB29NWBK60161331926819", "GB29NWBK601613319268191"),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_one_destination_however_it_is_written(one: str, other: str) -> None:
    """Neither of the writings launders the other, and both are of a known kind."""
    assert whole(one) == whole(other)
    assert whole(one).kind is not KindOfValue.TEXT


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_other_destinations_stay_others(one: str, other: str) -> None:
    """A destination of another party is never taken for the same."""
    assert whole(one) != whole(other)


ADDRESS = "ana@evil.example"
HOLDING = {
    "a sentence": f"Please send it to {ADDRESS}, today.",
    "typographic quotes": f"Send it to \u201c{ADDRESS}\u201d\u2026",
    "Japanese punctuation": f"\u5b9b\u5148\u300c {ADDRESS}\u3002",
    "JSON in a text": f'{{"to":["{ADDRESS}"]}}',
    "an assignment": f"to={ADDRESS};cc=x",
    "a colon": f"reply-to:{ADDRESS}",
    "a link": f'<a href="mailto:{ADDRESS}?subject=x">write</a>',
    "a path": f"https://good.example/share/{ADDRESS}/now",
    "a query": f"https://good.example/share?with={ADDRESS}&role=owner",
    "an escaped query": f"https://good.example/share?with={quote(ADDRESS, safe='')}&role=owner",
    "HTML references": f"write to {ADDRESS.replace('@', '&#64;').replace('.', '&period;')}",
    "base64": f"decode {base64.b64encode(ADDRESS.encode()).decode()} and write there",
    "base64 in a query": f"https://good.example/?q={base64.b64encode(ADDRESS.encode()).decode()}",
    "base64 in a path": f"https://good.example/a/{base64.b64encode(ADDRESS.encode()).decode()}/b",
    "a data URL": f"data:text/plain;base64,{base64.b64encode(f'to {ADDRESS} now'.encode()).decode()}",
    "base64 of much": base64.b64encode(
        f"{'lorem ipsum ' * 3_000}{ADDRESS} {'dolor ' * 900}".encode()
    ).decode(),
    "three encodings": quote(base64.b64encode(quote(ADDRESS, safe="").encode()).decode(), safe=""),
    "quoted-printable": quopri.encodestring(f"{'lorem ' * 11}{ADDRESS} \u00e9".encode()).decode(),
    "an encoded word": f"Subject: =?iso-8859-1?q?write_to_{ADDRESS.replace('@', '=40')}?=",
    "bytes that are no UTF-8": f"%ff{quote(ADDRESS, safe='')}",
    "after a number that is no character's": f"&#{'9' * 5_000};{ADDRESS.replace('@', '&#64;')}",
    "invisible characters": f"to {ADDRESS[:5]}\u200b{ADDRESS[5:9]}\u00ad{ADDRESS[9:]}",
    "half of a surrogate pair": f"\ud83d to {ADDRESS} \udc00",
    "a dash": f"Write to {ADDRESS}\u2014thanks",
    "a hyphen": f"Write to {ADDRESS}- thanks",
    "hyphens": f"Write to {ADDRESS}--thanks",
    "a bullet": f"\u2022{ADDRESS}",
    "a hyphen before it": f"-{ADDRESS}",
    "a sign": f"{ADDRESS}\u2705",
    "Chinese": f"\u8bf7\u53d1\u5230{ADDRESS}\u8c22\u8c22",
    "Japanese brackets": f"\u300c{ADDRESS}\u300d",
    "Markdown": ADDRESS.replace("@", "\\@").replace(".", "\\."),
    "JSON in JSON": f"Contact:\\n{ADDRESS}",
    "an escape of JSON": ADDRESS.replace("@", "\\u0040"),
    "escapes of JavaScript": "".join(f"\\x{ord(one):02x}" for one in ADDRESS),
    "a long word of escapes": "a\\n" * 300 + ADDRESS,
    "a quoted name": 'to "ana"@evil.example',
}


@pytest.mark.parametrize("text", HOLDING.values(), ids=HOLDING)
def test_an_address_is_found_wherever_it_stands(text: str) -> None:
    """In sentences, structures, URLs and up to three encodings, once is enough."""
    assert whole(ADDRESS) in list(within(text))


STANDING = {
    "GB29 NWBK 6016 1331 9268 19": "pay to GB29\nNWBK 6016  1331 9268 19 please pay now",
    "US133000000121212121212": "account:US133000000121212121212.",
    "+44 20 7946 0000": "call +44 (20) 7946-0000!",
    "020 7946 0000": "open 24/7 020 7946 0000",
    "https://evil.example/drop?id=7": "see (https://evil.example/drop?id=7).",
    "https://evil.example/drop": "[here](//evil.example/drop) or src=//evil.example/drop",
    "evil.example": "resolve evil.example first",
    "http://localhost:8080/admin": "open http://localhost:8080/admin now",
    "http://10.0.0.1/": "open http://0x0a000001/ now",
    "10.20.30.40": "connect to 10.20.30.40, please",
    "http://[2001:db8::1]:8080/a": "open http://[2001:DB8:0::1]:8080/a now",
    "https://inner.example/x": "https://good.example/go?to=https://inner.example/x",
    "long.example": f"https://long.example/{'a' * 5_000}",
    "https://slash.example/a": "see https:////slash.example/a",
    "dash.example": "see https://dash.example\u2013it is good",
    "hyphen.example": "hyphen.example-- that is it",
    "box.example": f"write to {'x' * 65}@box.example",
    "+49 151 2345678": "call +49 151 / 23 - 45678",
    "+49 151 2345679": "call +49\u2013151\u20112345679",
    f"{'a.' * 60}deep.example": f"see {'a.' * 60}deep.example",
    f"ana@{'a.' * 60}deep.example": f"write to ana@{'a.' * 60}deep.example",
}


@pytest.mark.parametrize(("wanted", "text"), STANDING.items(), ids=STANDING)
def test_other_destinations_are_found_in_texts(wanted: str, text: str) -> None:
    """Accounts, telephone numbers, URLs and hosts, in the spelling of the text."""
    assert whole(wanted) in list(within(text))


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox. It jumps! Over 12 dogs, at 3.50 each...",
        "2026-03-12T10:22:33.123Z",
        "on 2026-03-12 12:33 and 12.03.2026",
        "total 12345.67",
        "id 4711000000 of 20260312",
        "configuration_of_everything and internationalisation",
        "a@b, @team, foo@, .hidden, e.g., 1.2.3",
        "@ana.lind, 1000 - 2000, a -- b, 1.2.3-beta, \u2014",
    ],
)
def test_ordinary_text_holds_no_destination(text: str) -> None:
    """Sentences, times, amounts and numbers without marks go nowhere."""
    assert list(within(text)) == []


def test_four_encodings_around_one_another_are_not_promised() -> None:
    """Three are taken off; who decodes a fourth time gets a destination that is unknown, and not trusted."""
    text = ADDRESS
    for _ in range(4):
        text = base64.b64encode(f"decode {text} now".encode()).decode()
    assert whole(ADDRESS) not in list(within(text))


def test_a_number_of_a_version_is_a_host() -> None:
    """Nothing tells them apart; knowing one more value costs nothing but its place."""
    assert whole("1.2.3.4") == Destination(KindOfValue.HOST, "1.2.3.4")


def test_the_pieces_of_a_text_hold_what_it_holds() -> None:
    """Nothing that stands across the end of a piece is lost, neither words nor account numbers."""
    filling = "word " * 600
    account = "GB29 NWBK 6016 1331 9268 19"
    for shift in range(0, 120, 3):
        text = "x" * shift + " " + filling * 5 + f"{account} {ADDRESS} " + filling * 6
        cut = list(pieces(text))
        assert len(cut) > 1
        assert max(map(len, cut)) < 21_000
        found = {one for piece in cut for one in within(piece)}
        assert {whole(account), whole(ADDRESS)} <= found
        assert {whole(account), whole(ADDRESS)} <= set(within(text))


def percent(text: str) -> str:
    """Write each character with a percent sign."""
    return "".join(f"%{ord(one):02x}" for one in text)


IN_WORDS = {
    "as it is": lambda text: text,
    "percent": percent,
    "percent of percent": lambda text: percent(percent(text)),
    "percent, three times": lambda text: percent(percent(percent(text))),
    "references": lambda text: "".join(f"&#{ord(one):08};" for one in text),
    "quoted-printable": lambda text: "".join(f"={ord(one):02X}" for one in text),
    "words of mail": lambda text: "".join(f"=?q?q?{one}?=" for one in text),
    "base64": lambda text: "." + base64.b64encode(f"to {text} at".encode()).decode() + ".",
    "base64 of percent": lambda text: "." + base64.b64encode(percent(f" {text} ").encode()).decode() + ".",
}


@pytest.mark.parametrize("written", IN_WORDS.values(), ids=IN_WORDS)
@pytest.mark.parametrize("filling", ["xy,", "xyz", "%41", "QUJD"])
def test_what_stands_across_a_cut_of_a_long_word_is_found(
    written: Callable[[str], str], filling: str
) -> None:
    """A word without blanks is cut; what no encoding makes longer than `LAP` stands whole in a piece."""
    inner = written(ADDRESS)
    for shift in range(0, len(inner) + 200, 37):
        at = PIECE - len(inner) - 100 + shift
        text = f"{(filling * PIECE)[: at - 1]},{inner},{(filling * PIECE)[:PIECE]}"
        assert len(list(pieces(text))) > 1
        assert whole(ADDRESS) in set(within(text)), shift


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("filling", ["lorem ipsum ", "\u5b9b ", "\u00e9\u00e8 ", "\U0001f600 "])
def test_base64_is_read_wherever_it_is_cut(filling: str, times: int) -> None:
    """A cut falls between any two of its characters, and between any two bytes of what it holds."""
    for shift in range(12):
        text = "x" * shift + filling * 2_000 + f"{ADDRESS} " + filling * 2_500
        for _ in range(times):
            text = base64.b64encode(text.encode()).decode()
        text = f"look: {text} end"
        assert max(map(len, pieces(text))) < 21_000
        assert whole(ADDRESS) in set(within(text)), shift


@pytest.mark.parametrize("size", [MAX_WORD, 5 * MAX_WORD])
@pytest.mark.parametrize("shift", range(0, 1_100, 50))
def test_no_part_of_a_word_counts_as_a_word(size: int, shift: int) -> None:
    """Where words are read as they are used, a long one is left out, and those around it are not."""
    words = ["one"] * shift + ["before", "a." * (size // 2 + 1), "after"] + ["two"] * shift
    found = {word for part in whole_words(" ".join(words), 1_024) for word in part.split()}
    assert {*words[: shift + 1], "after"} <= found <= set(words)


@pytest.mark.parametrize("mark", ["/", "=", ",", "?"])
def test_no_part_of_a_host_is_a_host(mark: str) -> None:
    """A long word is cut before a mark."""
    word = mark.join(f"a{at}.shop.example" for at in range(3_000))
    assert {one.normal.removeprefix("https://") for one in within(word)} == set(word.split(mark))


@pytest.mark.parametrize("text", ["abcd-efgh-ijkl-mnop", "ana", "Ana Lind", "a.b@shop.example", "Pay, now!"])
def test_short_texts_are_read_as_long_ones_are(text: str) -> None:
    """Blanks around a text change nothing, although it is not looked at in the same way then."""
    assert whole(f"  {text}") == whole(text) == whole(f"{text}\n")
    assert set(within(text)) == set(within(f"{text} {'word ' * 30}"))
