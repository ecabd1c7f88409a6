# SPDX-License-Identifier: Apache-2.0
"""What may be written in a request's head."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.upstream.http1.address import Origin
from remit.adapters.upstream.http1.request import RequestHead, SteadyHeaders
from remit.core.errors import Malformed

HEAD = RequestHead(Origin.parse("http://tools.example.test"))


@pytest.mark.parametrize("bad", [b"\r", b"\n", b"\0", b"\r\n\r\n", b"\x7f", b"\x0b", b"\x1f"])
def test_a_control_character_in_a_value_is_refused(bad: bytes) -> None:
    """A value cannot end its line, wherever the character stands in it."""
    for value in (bad, b"a" + bad, bad + b"a", b"a" + bad + b"x: y"):
        with pytest.raises(Malformed):
            HEAD.encode(b"POST", b"/", [(b"x-a", b"1"), (b"x-b", value), (b"x-c", b"2")], 0)


def test_headers_that_are_remembered_are_written_as_others_are() -> None:
    """With each request's own length; and what is bad is refused each time."""
    headers = [(b"x-a", b"1"), (b"x-b", b"2")]
    for size in (0, 7, 123):
        kept = HEAD.encode(b"POST", b"/mcp", SteadyHeaders(headers), size)
        assert kept == HEAD.encode(b"POST", b"/mcp", headers, size)
    for _ in range(2):
        with pytest.raises(Malformed):
            HEAD.encode(b"POST", b"/mcp", SteadyHeaders([(b"x-a", b"1\r\nhost: other")]), 0)


def test_tabs_and_bytes_beyond_ascii_are_values() -> None:
    """RFC 9110 section 5.5 allows the tab and obs-text."""
    assert b"x-a: a\tb\xff\r\n" in HEAD.encode(b"GET", b"/", [(b"x-a", b"a\tb\xff")], 0)


@pytest.mark.parametrize("name", [b"", b"x a", b"x:", b"x\r\ny", b"x\0", b"x\n", b"x\xff", b" x", b"x "])
def test_a_header_name_that_is_no_token_is_refused(name: bytes) -> None:
    """A name cannot end itself early, nor its line."""
    with pytest.raises(Malformed):
        HEAD.encode(b"POST", b"/", [(name, b"1")], 0)


@pytest.mark.parametrize(
    "name",
    [
        b"Content-Length",
        b"transfer-encoding",
        b"TE",
        b"Connection",
        b"upgrade",
        b"Host",
        b"expect",
        b"trailer",
    ],
)
def test_framing_and_connection_headers_are_not_the_callers(name: bytes) -> None:
    """Only the client frames a message, whatever case the name is in."""
    with pytest.raises(Malformed):
        HEAD.encode(b"POST", b"/", [(name, b"1")], 0)


@pytest.mark.parametrize(
    "target",
    [
        b"",
        b"mcp",
        b"*",
        b"http://other.test/",
        b"/a b",
        b"/a\r\nx: y",
        b"/a\n",
        b"/\0",
        b"/a#b",
        b"/\x7f",
        b"/\xff",
        b"/ HTTP/1.1\r\n\r\nGET /",
    ],
)
def test_a_target_that_is_no_path_is_refused(target: bytes) -> None:
    """Only origin form, without whitespace, control characters or a fragment."""
    with pytest.raises(Malformed):
        HEAD.encode(b"POST", target, [], 0)


@pytest.mark.parametrize("method", [b"", b"CONNECT", b"TRACE", b"get", b"GET /", b"GET\r\n", b"PRI"])
def test_a_method_that_changes_the_protocol_is_refused(method: bytes) -> None:
    """Only the plain methods are written."""
    with pytest.raises(Malformed):
        HEAD.encode(method, b"/", [], 0)


@pytest.mark.parametrize(
    ("method", "size", "stated"),
    [
        (b"GET", 0, None),
        (b"HEAD", 0, None),
        (b"GET", 3, b"content-length: 3\r\n"),
        (b"POST", 0, b"content-length: 0\r\n"),
        (b"DELETE", 0, b"content-length: 0\r\n"),
        (b"POST", 12, b"content-length: 12\r\n"),
    ],
)
def test_the_length_is_stated_once(method: bytes, size: int, stated: bytes | None) -> None:
    """Every body has its length, and a method that usually has one states that it has none."""
    head = HEAD.encode(method, b"/", [], size)
    assert head.count(b"content-length") == (0 if stated is None else 1)
    assert stated is None or stated in head


NAME = st.from_regex(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+", fullmatch=True)


@given(
    headers=st.lists(st.tuples(st.one_of(st.binary(), NAME), st.binary())),
    target=st.one_of(st.just(b"/"), st.binary().map(lambda rest: b"/" + rest)),
    size=st.integers(0, 10**9),
)
def test_no_caller_can_add_a_line(headers: list[tuple[bytes, bytes]], target: bytes, size: int) -> None:
    """Whatever is given, a head that was encoded has exactly the lines that it should have."""
    try:
        head = HEAD.encode(b"POST", target, headers, size)
    except Malformed:
        return
    assert head.count(b"\r\n") == head.count(b"\r") == head.count(b"\n") == len(headers) + 5
    assert head.endswith(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"POST " + target + b" HTTP/1.1"
    assert b"\0" not in head


def test_strange_names_do_not_fill_memory() -> None:
    """What is remembered of names that were found good has a bound."""
    head = RequestHead(Origin.parse("http://tools.example.test"))
    for number in range(5000):
        head.encode(b"GET", b"/", [(b"x-%d" % number, b"")], 0)
    assert len(head._known) <= 1024
