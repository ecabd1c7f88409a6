# SPDX-License-Identifier: Apache-2.0
"""A secret is found in whatever way the libraries of other languages write it."""

from __future__ import annotations

import itertools
import tracemalloc

import pytest

from remit.core.cooperative_steps import finish
from remit.core.flow.values.echoes import WINDOW_BYTES, Echoes
from tests.samples.encoders import ENCODERS, WRAPPERS

SECRETS = (
    "sk/live+abc==&<x>'\"y\\z",
    "Zm9vL2Jhcis9PQ==.e30/+x",
    "k\u00fche \u2028gr\u00fc\u00dfen+100%",
    "%2Fnot/an%20escape\\u0041&amp;",
    "\U0001f511 key & lock",
    "41bcdef0-nothing-but-letters",
)
BY = b"[gone]"


def gone(text: str, *secrets: str, last: bool = True) -> bytes:
    """What is left of a text."""
    clean, held = finish(Echoes(secrets or SECRETS).replaced(text.encode(), BY, last=last))
    return clean if last else clean + b"|" + held


@pytest.mark.parametrize("encoder", ENCODERS)
def test_no_encoder_hides_it(encoder: str) -> None:
    """By itself or within another text that is encoded, too."""
    for (wrapper, wrap), secret in itertools.product(WRAPPERS.items(), SECRETS):
        text = wrap(f"token {ENCODERS[encoder](secret)} end")
        left = gone(text, secret)
        assert BY in left, (wrapper, text)
        assert len(left) < len(text.encode()), (wrapper, text)


@pytest.mark.parametrize("before", ["", "\\", "%", "&", "\\\\", "%2", "&#", "\\u00", "C:\\\\", "100%", "a&"])
@pytest.mark.parametrize("secret", SECRETS)
def test_what_stands_before_hides_nothing(before: str, secret: str) -> None:
    """No escape is made of what stands before and the first letters."""
    for encoder in ("as it is", "PHP json_encode", ".NET System.Text.Json", "encodeURIComponent"):
        assert BY in gone(f"{before}{ENCODERS[encoder](secret)}", secret), encoder


def test_several_lines_in_an_event_are_one_secret() -> None:
    """A key of several lines comes back with what a stream of events puts before each of them."""
    key = "-----BEGIN KEY-----\nAAAA+/BBBB\nCCCC\n-----END KEY-----"
    event = "".join(f"data: {line}\n" for line in key.split("\n")) + "\n"
    assert gone(event, key) == b"data: [gone]\n\n"
    assert gone(key.replace("\n", "\r\n"), key) == BY
    assert gone(key.replace("\n", "\\n"), key) == BY


def test_a_blank_line_ends_what_is_written_by_lines() -> None:
    """Nothing is held back for it: an event that is complete goes on."""
    assert gone("data: c\n\n", "sk/live+abc==", last=False) == b"data: c\n\n|"


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "C:\\\\temp\\\\new &amp; 100% &lt;b&gt; \\u00fc %20"}',
        "sk/live+abd==&<x>'\"y\\z",
        "&#99999999999999999999; %zz \\uZZZZ &nosuch; \\",
        "\x00\xff binary \\x",
    ],
)
def test_a_text_without_it_is_the_same_object(text: str) -> None:
    """Not a byte is changed, and none is copied."""
    raw = text.encode("latin-1")
    assert finish(Echoes(SECRETS).replaced(raw, BY, last=True))[0] is raw


def test_of_two_that_begin_alike_the_longer_one_is_waited_for() -> None:
    """The shorter one is complete, and the longer one may yet come."""
    secrets = ("token-", "token-token-more")
    echoes = Echoes(secrets)
    clean, held = finish(echoes.replaced(b"x token-tok", BY, last=False))
    assert (clean, held) == (b"x ", b"token-tok")
    assert finish(echoes.replaced(held + b"en-more ", BY, last=False)) == (b"[gone] ", b"")
    assert finish(echoes.replaced(b"token-tok", BY, last=True)) == (b"[gone]tok", b"")


@pytest.mark.parametrize(
    "unit",
    [
        "\\",
        "\\\\u0026",
        "&amp;",
        "&#38;",
        "%25",
        "sk/li",
        "sk/live+abc==",
        "&#0",
        "c2sv",
        "\\u0073k",
        "&",
        "\n",
        "%2",
    ],
)
def test_the_search_is_linear(unit: str) -> None:
    """Twice the text, made of what is hardest to read, takes about twice as many steps."""
    steps = []
    for times in (2_000, 4_000):
        echoes = Echoes(SECRETS[:1])
        finish(echoes.replaced((unit * times).encode(), BY, last=False))
        steps.append(echoes.steps)
    assert steps[1] <= 2.2 * steps[0] + 200
    assert steps[1] <= 40 * 4_000 * len(unit)


@pytest.mark.parametrize(
    "unit", ["%73%6b%2f%6c%69%76%65", "&#115;", "sk/li", "x", "115,107,", "c2sv", "73:6b:"]
)
def test_it_is_read_in_short_steps(unit: str) -> None:
    """Others have a turn after a few dozen places, or after a window without any."""
    text = (unit * 6_000).encode()
    echoes = Echoes(SECRETS[:1])
    pauses = sum(1 for _ in echoes.replaced(text, BY, last=True))
    assert pauses >= echoes.steps // 1_000
    assert pauses >= len(text) // WINDOW_BYTES


@pytest.mark.parametrize("encoder", ["all in percent", "all by number", "JSON.stringify", "Node Buffer"])
def test_memory_does_not_grow_with_what_was_read(encoder: str) -> None:
    """A text of nothing but the secret: what lies behind is forgotten."""
    text = (ENCODERS[encoder](SECRETS[0]) * 1_000).encode()[:20_000]
    peaks = []
    for part in (text[: len(text) // 2], text):
        echoes = Echoes(SECRETS[:1])
        tracemalloc.start()
        try:
            finish(echoes.replaced(part, BY, last=True))
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] - peaks[0] <= 2 * len(text)
