# SPDX-License-Identifier: Apache-2.0
"""Streams in chunks: nothing is lost, and no word is cut."""

import io

from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.discovery.file_chunks import split
from remit.adapters.discovery.streams import CHUNK_BYTES, stream_chunks


@given(st.lists(st.sampled_from([b"token", b" ", b"\n", b"x" * 9, b";"])).map(b"".join), st.integers(1, 40))
def test_chunks_joined_are_what_was_read(content: bytes, step: int) -> None:
    """Each chunk but the last ends where a line or a part of a long one ends, and tells its line."""
    parts = list(split(io.BytesIO(content).read, "a", step))
    assert b"".join(part.content for part in parts) == content
    assert [part.first for part in parts] == [True] + [False] * (len(parts) - 1)
    assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
    for number, part in enumerate(parts):
        assert part.line == 1 + b"".join(one.content for one in parts[:number]).count(b"\n")


def test_a_line_longer_than_a_chunk_is_cut_behind_a_word() -> None:
    """A secret in a member of an archive that is one line is in one chunk, wherever the cut comes."""
    word = b"sommer-in-leipzig-2024 "
    content = word * (6 * CHUNK_BYTES // len(word))
    parts = [part.content for part in stream_chunks(io.BytesIO(content).read, "a.zip!/b")]
    assert len(parts) > 1
    assert b"".join(parts) == content
    assert all(part.startswith(b"sommer") and part.endswith(b" ") for part in parts)


def test_a_short_stream_is_one_chunk_and_a_binary_one_is_none() -> None:
    """What is not longer than a chunk comes whole."""
    assert [(one.first, one.last) for one in stream_chunks(io.BytesIO(b"a\nb").read, "a")] == [(True, True)]
    assert not list(stream_chunks(io.BytesIO(b"\x7fELF\0\0\1").read, "a"))
