# SPDX-License-Identifier: Apache-2.0
"""What an event stream means (WHATWG HTML section 9.2.6)."""

import pytest

from remit.adapters.upstream.http1 import EventStream, ServerSentEvent
from remit.core.errors import UpstreamFault


def read(stream: bytes, limit: int = 4096) -> list[ServerSentEvent]:
    """Read a whole stream in one piece."""
    return EventStream(max_event_bytes=limit).feed(stream)


def event(data: bytes, type: bytes = b"message") -> ServerSentEvent:
    """Build an expected event."""
    return ServerSentEvent(type, data)


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"", []),
        (b"data: a\n\n", [event(b"a")]),
        (b"data: a\r\n\r\n", [event(b"a")]),
        (b"data: a\r\ndata: b\r\n\r\n", [event(b"a\nb")]),
        (b"data: a\r\r", [event(b"a")]),
        (b"data: a\n\r\ndata: b\r\n\r", [event(b"a"), event(b"b")]),
        (b"\xef\xbb\xbfdata: a\n\n", [event(b"a")]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),  # only the first mark is one
        (b"data:a\n\n", [event(b"a")]),
        (b"data:  a\n\n", [event(b" a")]),
        (b"data: a\ndata: b\n\n", [event(b"a\nb")]),
        (b"data\n\n", [event(b"")]),
        (b"data\ndata\n\n", [event(b"\n")]),
        (b"data:\n\n", [event(b"")]),
        (b"data: a: b\n\n", [event(b"a: b")]),
        (b": comment\n\n: more\ndata: a\n\n", [event(b"a")]),
        (b"event: add\ndata: 1\n\ndata: 2\n\n", [event(b"1", b"add"), event(b"2")]),
        (b"event: add\n\ndata: 2\n\n", [event(b"2")]),  # without data the event's name is forgotten
        (b"id: 1\ndata: a\n\ndata: b\n\n", [event(b"a"), event(b"b")]),
        (b"id: 1\ndata: a\n\nid\ndata: b\n\n", [event(b"a"), event(b"b")]),
        (b"id: 1\0\ndata: a\n\n", [event(b"a")]),
        (b"id: 1\n\ndata: a\n\n", [event(b"a")]),
        (b" data: a\nDATA: a\nunknown: a\n\n", []),
        (b"data: a\n", []),
        (b"data: a", []),
        (b'data: {"text": "\xc3\xa4\\n"}\n\n', [event(b'{"text": "\xc3\xa4\\n"}')]),
    ],
)
def test_a_stream_means_its_events(stream: bytes, events: list[ServerSentEvent]) -> None:
    """Line ends, fields, comments and types are read as the standard says, whole or byte by byte."""
    assert read(stream) == events
    slow = EventStream(max_event_bytes=4096)
    assert [event for byte in stream for event in slow.feed(bytes((byte,)))] == events


@pytest.mark.parametrize(
    "flood",
    [
        b"data: " + b"a" * 100,
        b"data: a\n" * 20,
        b"a" * 101,
        b"event: a\n" * 20,
        b": " + b"a" * 100,
        b"id: x\n" * 21,
    ],
)
def test_an_event_has_a_bound(flood: bytes) -> None:
    """One long line, many lines, and lines that say nothing are all counted, before the event ends."""
    with pytest.raises(UpstreamFault) as caught:
        read(flood, limit=100)
    assert (caught.value.sent, caught.value.code) == (True, "upstream-too-large")


def test_a_long_stream_of_small_events_and_comments_has_no_bound() -> None:
    """The bound is on each event; comments that keep a stream open never fill it."""
    stream = EventStream(max_event_bytes=50)
    assert len(stream.feed(b"data: a\n\n" * 1000)) == 1000
    assert stream.feed(b": still here\n" * 1000 + b"data: b\n\n") == [event(b"b")]
