# SPDX-License-Identifier: Apache-2.0
"""An event stream means the same however the network cuts it."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.upstream.http1 import EventStream, ServerSentEvent
from remit.core.errors import UpstreamFault

FRAGMENT = st.one_of(
    st.sampled_from(
        [
            b"data",
            b"data: a",
            b"event: e",
            b"id: 1",
            b"id",
            b"retry: 5",
            b":",
            b": c",
            b" ",
            b"\xef\xbb\xbf",
            b"\0",
        ]
    ),
    st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n"]),
    st.binary(max_size=4),
)
STREAM = st.tuples(st.sampled_from([b"", b"\xef\xbb\xbf", b"\xef\xbb"]), st.lists(FRAGMENT, max_size=40)).map(
    lambda parts: parts[0] + b"".join(parts[1])
)


def read(pieces: list[bytes], limit: int) -> list[ServerSentEvent] | None:
    """Read a stream in pieces; None stands for a stream that broke the bound."""
    stream = EventStream(max_event_bytes=limit)
    events: list[ServerSentEvent] = []
    try:
        for piece in pieces:
            events += stream.feed(piece)
    except UpstreamFault:
        return None
    return events


@given(stream=STREAM, cuts=st.lists(st.integers(0, 200)), limit=st.sampled_from([8, 32, 4096]))
def test_any_cut_gives_the_same_events(stream: bytes, cuts: list[int], limit: int) -> None:
    """Whole, in any pieces (empty ones too), and byte by byte: the same events and refusal."""
    ends = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(ends)]
    whole = read([stream], limit)
    assert read(pieces, limit) == whole
    assert read([stream[i : i + 1] for i in range(len(stream))], limit) == whole


@given(
    data=st.lists(st.binary().filter(lambda raw: b"\r" not in raw), min_size=1),
    end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
)
def test_what_was_written_is_read(data: list[bytes], end: bytes) -> None:
    """Data written as the standard says, a `data` line for each of its lines, comes back byte for byte."""
    written = b"".join(b"".join(b"data: " + line + end for line in raw.split(b"\n")) + end for raw in data)
    assert [event.data for event in EventStream(max_event_bytes=1 << 20).feed(written)] == data
