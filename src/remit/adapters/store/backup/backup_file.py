# SPDX-License-Identifier: Apache-2.0
"""The file of a backup: frames of rows, the sealed keys, the manifest, its signature, and where these are.

    remit-backup 1\\n
    frame*      kind (1 byte), length (4), payload: `K` sealed keys (first), `T` a table, `R` rows (zlib)
    manifest    JSON (`core.evidence.backup_manifest`)
    note        its signature
    end         offset of the manifest (8), lengths of manifest and note (4 each), `remitbk1`

The end is written last: a file without it is torn. It is read first, so that no rows of a file that no
trusted key signed are ever read. The file names no path, so reading it writes nowhere. Every length is
bounded before its bytes are read, and so is what a frame may unpack to.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec

from remit.core.errors import VerificationFailed
from remit.core.evidence.backup_manifest import MAX_MANIFEST_BYTES, BackupManifest, changed
from remit.core.evidence.checkpoint import MAX_NOTE_BYTES

_MAGIC: Final = b"remit-backup 1\n"
_FRAME: Final = struct.Struct(">cI")
_END: Final = struct.Struct(">QII8s")
_END_MAGIC: Final = b"remitbk1"
#: Most bytes of a frame, packed or not. No row is larger: a result is bounded far below.
MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
#: Most bytes of the sealed keys, which are read before the signature.
MAX_KEYS_BYTES: Final = 1024 * 1024
#: A frame of rows is closed at this size, or at this many rows.
FRAME_BYTES: Final = 256 * 1024
FRAME_ROWS: Final = 500
#: How hard rows are packed: most bytes are sealed or hashes, which do not shrink.
_PACKING: Final = 1

Row = Sequence[Any]


class TableBegins(NamedTuple):
    """From here on, rows are of this table, with these columns."""

    name: str
    columns: tuple[str, ...]


class SomeRows(NamedTuple):
    """Some rows, and how many bytes of the file they took."""

    rows: list[list[Any]]
    size_bytes: int


class SealedKeys(NamedTuple):
    """Remit's own keys, sealed under a passphrase."""

    blob: bytes


class BackupWriter:
    """Writes the frames of a backup, and at last its end."""

    def __init__(self, out: BinaryIO) -> None:
        """Begin the file."""
        self._out = out
        self._hash = hashlib.sha256()
        self._encoder = msgspec.msgpack.Encoder()
        self._rows: list[Row] = []
        self._held = 0
        self.size_bytes = 0
        self._put(_MAGIC)

    @property
    def sha256(self) -> str:
        """The digest of everything so far."""
        return self._hash.hexdigest()

    def table(self, name: str, columns: Sequence[str]) -> None:
        """Begin a table."""
        self.flush()
        self._frame(b"T", self._encoder.encode((name, columns)))

    def row(self, row: Row) -> None:
        """Add a row of the table."""
        self._rows.append(row)
        self._held += sum(len(one) for one in row if isinstance(one, bytes | str))
        if self._held >= FRAME_BYTES or len(self._rows) >= FRAME_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are held."""
        if self._rows:
            self._frame(b"R", zlib.compress(self._encoder.encode(self._rows), _PACKING))
            self._rows, self._held = [], 0

    def keys(self, blob: bytes) -> None:
        """Add the sealed keys."""
        self.flush()
        self._frame(b"K", blob)

    def end(self, manifest: bytes, note: bytes) -> None:
        """Write manifest, signature and end, durably."""
        self._out.write(manifest + note + _END.pack(self.size_bytes, len(manifest), len(note), _END_MAGIC))
        self._out.flush()
        os.fsync(self._out.fileno())

    def _frame(self, kind: bytes, payload: bytes) -> None:
        if len(payload) > MAX_FRAME_BYTES:
            raise VerificationFailed(
                f"{len(payload)} bytes are too many for one frame of a backup", code="backup-too-large"
            )
        self._put(_FRAME.pack(kind, len(payload)))
        self._put(payload)

    def _put(self, data: bytes) -> None:
        self._out.write(data)
        self._hash.update(data)
        self.size_bytes += len(data)


class BackupReader:
    """Reads a backup: manifest and signature at once, the frames on request."""

    def __init__(self, place: Path) -> None:
        """Open the file and read its end; raises `VerificationFailed` (`backup-torn`), or `OSError`."""
        self._file = open_regular(place)
        try:
            self._size, self.manifest, self.note = self._read_end()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def sealed_keys(self) -> bytes:
        """Return the sealed keys, which come first; empty if there are none. They authenticate themselves."""
        self._file.seek(len(_MAGIC))
        head = self._file.read(_FRAME.size)
        if len(head) < _FRAME.size:
            raise changed("a frame is cut off")
        kind, length = _FRAME.unpack(head)
        if kind != b"K":
            return b""
        if length > MAX_KEYS_BYTES:
            raise changed("a frame is longer than permitted")
        return self._file.read(length)

    def frames(self, manifest: BackupManifest) -> Iterator[TableBegins | SomeRows | SealedKeys]:
        """Yield the frames; raises `VerificationFailed` at the first that cannot be read.

        At the end it raises unless the bytes are those that the manifest names. INVARIANT (the caller's):
        nothing that was read counts before that.
        """
        if manifest.content_bytes != self._size:
            raise changed(f"it has {self._size} bytes of content, not {manifest.content_bytes}")
        self._file.seek(0)
        hashed = hashlib.sha256()
        left = self._size - len(_MAGIC)
        hashed.update(self._file.read(len(_MAGIC)))
        while left:
            head = self._file.read(min(left, _FRAME.size))
            if len(head) < _FRAME.size:
                raise changed("a frame is cut off")
            kind, length = _FRAME.unpack(head)
            left -= _FRAME.size
            if length > min(left, MAX_FRAME_BYTES):
                raise changed("a frame is longer than permitted")
            payload = self._file.read(length)
            left -= length
            hashed.update(head)
            hashed.update(payload)
            yield _opened(kind, payload)
        if hashed.hexdigest() != manifest.content_sha256:
            raise changed("its digest is another one")

    def _read_end(self) -> tuple[int, bytes, bytes]:
        whole = os.fstat(self._file.fileno()).st_size
        magic = self._file.read(len(_MAGIC))
        if magic != _MAGIC[: len(magic)] or not magic:
            raise VerificationFailed(
                "the file is not a backup of remit", code="backup-foreign", remediation="give another file"
            )
        at = whole - _END.size
        if at < len(_MAGIC):
            raise _torn()
        self._file.seek(at)
        offset, manifest, note, end = _END.unpack(self._file.read(_END.size))
        if end != _END_MAGIC or offset + manifest + note != at or offset < len(_MAGIC):
            raise _torn()
        if manifest > MAX_MANIFEST_BYTES or note > MAX_NOTE_BYTES:
            raise changed("its manifest is too large")
        self._file.seek(offset)
        return offset, self._file.read(manifest), self._file.read(note)


def open_regular(place: Path) -> BinaryIO:
    """Open a regular file for reading; raises `VerificationFailed` for anything else, `OSError`."""
    # Without waiting: a pipe in the place of a backup would hold the command up forever.
    opened = os.fdopen(os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
        opened.close()
        raise VerificationFailed(
            f"`{place}` is not a file", code="backup-foreign", remediation="give the file of a backup"
        )
    return opened


def _torn() -> VerificationFailed:
    return VerificationFailed(
        "the backup is torn: its end is missing",
        code="backup-torn",
        remediation="copy it again completely, or use another backup",
    )


_row_decoder = msgspec.msgpack.Decoder(list[list[Any]])
_table_decoder = msgspec.msgpack.Decoder(tuple[str, tuple[str, ...]])


def _opened(kind: bytes, payload: bytes) -> TableBegins | SomeRows | SealedKeys:
    try:
        if kind == b"R":
            unpacking = zlib.decompressobj()
            plain = unpacking.decompress(payload, MAX_FRAME_BYTES)
            if not unpacking.eof or unpacking.unused_data:
                raise changed("a frame unpacks to more than permitted")
            return SomeRows(_row_decoder.decode(plain), len(payload) + _FRAME.size)
        if kind == b"T":
            return TableBegins(*_table_decoder.decode(payload))
    except (zlib.error, msgspec.DecodeError, MemoryError) as fault:
        raise changed("a frame cannot be read", str(fault)) from None
    if kind == b"K":
        return SealedKeys(payload)
    raise changed("a frame has an unknown kind")
