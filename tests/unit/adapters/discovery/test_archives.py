# SPDX-License-Identifier: Apache-2.0
"""Archives are read as a stream, within bounds; a hostile one costs itself alone."""

import bz2
import gzip
import io
import tarfile
import tracemalloc
import zipfile
from collections.abc import Iterator

from remit.adapters.discovery import archives
from remit.adapters.discovery.archives import archive_chunks
from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.scan import SkipReason

TEXT = b"API_TOKEN=swordfish-77\n"


def _chunks(data: bytes, file: str = "a") -> Iterator[FileChunk]:
    return archive_chunks(io.BytesIO(data), file, len(data))


def _texts(data: bytes, file: str = "a") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for one in _chunks(data, file):
        found[one.file] = found.get(one.file, b"") + one.content
    return found


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip file."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return held.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w") -> bytes:
    """Return a tar file with a link, a device and a folder beside its members."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=mode) as archive:  # type: ignore[call-overload]
        for name, kind in (("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("null", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return held.getvalue()


def test_each_form_gives_its_members() -> None:
    """Zip, tar, and what gzip or bzip2 compress; an archive in an archive, too."""
    members = {"a/.env": TEXT, "b.txt": b"hello\n"}
    for data in (zipped(members), tarred(members), tarred(members, "w:gz"), tarred(members, "w:bz2")):
        assert _texts(data) == {"a!/a/.env": TEXT, "a!/b.txt": b"hello\n"}
    assert _texts(gzip.compress(TEXT), "x/log.jsonl.gz") == {"x/log.jsonl.gz!/log.jsonl": TEXT}
    assert _texts(bz2.compress(TEXT), "log.bz2") == {"log.bz2!/log": TEXT}
    assert _texts(zipped({"in.tgz": tarred(members, "w:gz")}))["a!/in.tgz!/a/.env"] == TEXT


def test_members_that_climb_or_hide_are_only_names() -> None:
    """No member is opened by its name, and no place leads out of the archive."""
    names = {"../../etc/x": TEXT, "/abs": TEXT, "a\\..\\b": TEXT, "line\nbreak\x1b[2J": TEXT}
    found = _texts(zipped(names))
    assert len(found) == 4
    assert not [one for one in found if ".." in one or "\n" in one or "\x1b" in one or "//" in one]


def test_large_members_come_in_chunks_that_end_at_lines() -> None:
    """The lines of the chunks follow each other."""
    content = b"".join(b"line %07d of a log\n" % n for n in range(150_000))
    chunks = list(_chunks(gzip.compress(content)))
    assert len(chunks) > 2
    assert b"".join(one.content for one in chunks) == content
    line = 1
    for number, one in enumerate(chunks):
        assert (one.line, one.first, one.last) == (line, number == 0, number == len(chunks) - 1)
        line += one.content.count(b"\n")


def test_binary_and_encrypted_members_are_left_out() -> None:
    """The others are read."""
    assert _texts(zipped({"a.bin": b"\0\1\2" * 100, "b": TEXT})) == {"a!/b": TEXT}
    data = bytearray(zipped({"a": TEXT}))
    data[data.index(b"PK\1\2") + 8] |= 1
    missed: set[SkipReason] = set()
    assert not list(archive_chunks(io.BytesIO(data), "a", len(data), missed))
    assert missed == {SkipReason.ENCRYPTED}


def test_a_bomb_is_read_up_to_its_bound_in_little_memory() -> None:
    """A stream of zeros, members without end, and archives in archives all stop."""
    bomb = gzip.compress(b"a" * (200 << 20), 9)
    wide = zipped({f"{n}": b"b" * (8 << 20) for n in range(40)})
    deep = TEXT
    for _ in range(8):
        deep = zipped({"x.zip": deep}, zipfile.ZIP_STORED)
    tracemalloc.start()
    for data, most in ((bomb, 64 << 20), (wide, 64 << 20), (deep, 0)):
        assert sum(len(one.content) for one in _chunks(data)) <= most
    assert tracemalloc.get_traced_memory()[1] < 100 << 20
    tracemalloc.stop()


def test_long_headers_of_a_tar_are_not_held() -> None:
    """A header may say that a name is as long as the file."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 80 << 20
    data = gzip.compress(info.tobuf() + bytes(80 << 20), 9)
    tracemalloc.start()
    assert _texts(data) == {}
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


def test_more_members_than_the_bound_are_not_looked_at() -> None:
    """A tar of empty members ends, too."""
    info = tarfile.TarInfo("x")
    data = info.tobuf() * (archives.MAX_MEMBERS + 10) + tarred({"late": TEXT})
    assert "a!/late" not in _texts(gzip.compress(data, 1))


def test_broken_archives_end_where_they_break() -> None:
    """What was read before the fault counts."""
    noise = b"".join(b"%d\n" % (n * 7919 % 1_000_003) for n in range(600_000))
    cut = gzip.compress(noise)[:-200_000]
    assert 0 < sum(len(one.content) for one in _chunks(cut)) < len(noise)
    for data in (b"PK\3\4", b"\x1f\x8b\x08", b"BZh9", zipped({"a": TEXT})[:40], tarred({"a": TEXT})[:700]):
        missed: set[SkipReason] = set()
        list(archive_chunks(io.BytesIO(data), "a", len(data), missed))
        assert missed == {SkipReason.DAMAGED}
