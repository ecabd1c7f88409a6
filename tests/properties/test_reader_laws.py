# SPDX-License-Identifier: Apache-2.0
"""What holds for readers of files, whatever the files hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.discovered import FilePlace, Piece, SourceKind
from remit.core.discovery.sources.readers import read
from remit.core.discovery.sources.text import MAX_PIECE, OVERLAP, pieces
from tests.clients.file_reads import line_of, piece_with, pieces_of
from tests.samples.conversations import CONVERSATIONS
from tests.samples.secret_files import SECRET_FILES, WORD

FILES = {**SECRET_FILES, **CONVERSATIONS}
NAMES = st.sampled_from([*FILES, "x.dump", "x.jsonl", "x.html", "history"])
#: What the forms are made of: signs, beginnings and ends.
PARTS = [
    *(bytes([one]) for one in b"{}[]\"'`,:;()\\\n\r\t \0#|>-=*&!%"),
b'"role":"user"', b'{"messages":[', b'"content":"', b"INSERT INTO t VALUES (",
    b"COPY t (a) FROM stdin;\n", b"\\.\n", b"CREATE TABLE t (", b'"""', b"prompt = ", b"value: ",
    b"name: DB_PASSWORD\n", b"- cmd: ", b"machine a login b password ",
    b"apiVersion: v1\nkind: Secret\ndata:\n  a: ", b'"nbformat":4,"cells":[', b"jsonencode({", b"<<EOF\n",
    b"&a [*a, *a]\n", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"1e999",
    b"NaN", b'"Statement":', b'"key":"k","value":', b": 1700000000:0;", b"Statement",
    b"aws_iam_policy_document", b"id,role,content\n", b"---\n", b"? ", b"!!python/object:os.system",
]  # fmt: skip


def _sound(chunk: FileChunk) -> None:
    """Read a chunk, and hold what is read to the laws of every form."""
    found = [one for one in read(chunk) if isinstance(one, Piece)]
    last = chunk.line + chunk.content.count(b"\n")
    for one in found:
        assert 0 < len(one.text) <= MAX_PIECE
        assert chunk.line <= one.place.line <= last
        assert (one.place.file, one.place.commit) == (chunk.file, chunk.commit)
    # Names of columns and fields stand before values, but no form makes much of little.
    assert sum(len(one.text) for one in found) <= 60 * len(chunk.content) + 100


@given(NAMES, st.binary(max_size=400), st.booleans(), st.integers(1, 10**6))
def test_any_bytes_under_any_name_are_read_without_a_fault(
    name: str, content: bytes, whole: bool, line: int
) -> None:
    """Noise is text, or nothing; its lines are those of the chunk."""
    _sound(FileChunk(file=name, content=content, line=line, first=whole, last=whole))


@given(NAMES, st.lists(st.sampled_from(PARTS) | st.binary(max_size=4), max_size=60), st.booleans())
def test_any_mixture_of_the_forms_is_read_without_a_fault(name: str, parts: list[bytes], whole: bool) -> None:
    """Beginnings without ends, and ends without beginnings."""
    _sound(FileChunk(file=name, content=b"".join(parts), first=whole, last=whole))


@given(st.sampled_from(sorted(FILES)), st.data())
def test_cut_and_changed_files_are_read_without_a_fault(name: str, data: st.DataObject) -> None:
    """A file may end anywhere, begin anywhere, and have other bytes anywhere."""
    content = FILES[name].encode()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    at = data.draw(st.integers(0, end - start))
    part = content[start:end]
    changed = part[:at] + data.draw(st.sampled_from(PARTS)) + part[at + data.draw(st.integers(0, 5)) :]
    _sound(FileChunk(file=name, content=changed))


@pytest.mark.parametrize("name", SECRET_FILES)
@given(above=st.integers(0, 40), end=st.sampled_from(["\n", "\r\n"]))
def test_a_word_is_found_once_and_on_its_line(name: str, above: int, end: str) -> None:
    """Empty lines before it move it; the ends of lines do not matter."""
    text = (
        ("\n" * above + SECRET_FILES[name]).replace("\n", end) if name != "dump.sql" else SECRET_FILES[name]
    )
    found = pieces_of(name, text, line=7)
    assert line_of(WORD, piece_with(WORD, found)) == 7 + text[: text.index(WORD)].count("\n")


@pytest.mark.parametrize("name", SECRET_FILES)
@given(data=st.data())
def test_no_cut_loses_a_word(name: str, data: st.DataObject) -> None:
    """A part of a file that holds the word whole gives it, whatever is broken around it."""
    text = SECRET_FILES[name]
    at = text.index(WORD)
    start, end = data.draw(st.integers(0, at)), data.draw(st.integers(at + len(WORD), len(text)))
    assert any(WORD in one.text for one in pieces_of(name, text[start:end], whole=False))


@given(st.lists(st.integers(0, 60_000), min_size=1, max_size=20), st.integers(1, 100))
def test_parts_of_a_long_text_share_enough_and_keep_their_lines(widths: list[int], line: int) -> None:
    """Each stretch as long as the overlap is whole in a part, at its own line."""
    text = "\n".join(f"{number:05d}" + "x" * width for number, width in enumerate(widths))
    parts = list(pieces(text, FilePlace(file="a", line=line), SourceKind.PROSE))
    for at in range(0, len(text) - OVERLAP, OVERLAP):
        stretch = text[at : at + OVERLAP]
        assert any(stretch in one.text for one in parts)
    for number in range(len(widths)):
        assert {line_of(f"{number:05d}", one) for one in parts if f"{number:05d}" in one.text} == {
            line + number
        }
