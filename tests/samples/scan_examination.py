# SPDX-License-Identifier: Apache-2.0
"""A reader and a detector for tests of scans: small, and hostile where a file asks for it.

They are named by reference, so that a new process can import them.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import time
from collections.abc import Iterator

from remit.adapters.discovery.reading_process import Examination
from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.declared import DeclaredServer, Read
from remit.core.discovery.discovered import ExposedSecret, FilePlace, Piece, SourceKind

KEY = b"k" * 32
#: Files with these words do what a hostile file would.
DIES, HANGS, RAISES, EATS = b"KILL-THE-READER", b"HANG-THE-READER", b"RAISE-IN-THE-READER", b"EAT-ALL-MEMORY"
SURROGATE = b"HALF-A-PAIR"
_SECRET = re.compile(r"demo-[a-z0-9]{8,}")
_SERVER = re.compile(r"server: (\w+)(?: (.*))?")


def read(chunk: FileChunk) -> Iterator[Read]:
    """Yield the text as one piece, and a server for each line `server: NAME ARGUMENTS`."""
    content = chunk.content
    if DIES in content:
        os.kill(os.getpid(), signal.SIGKILL)
    if HANGS in content:
        time.sleep(3600)
    if EATS in content:
        bytearray(1 << 40)
    secret = content.decode("utf-8", "replace")
    if RAISES in content:
        raise RuntimeError(secret)
    place = FilePlace(file=chunk.file, line=chunk.line)
    yield Piece(text=secret, place=place, kind=SourceKind.PROSE)
    for found in _SERVER.finditer(secret):
        yield DeclaredServer(name=found[1], place=place, client="test", arguments=((found[2] or "").strip(),))
    if SURROGATE in content:
        yield DeclaredServer(name="\ud800", place=place, client="test")


class Detectors:
    """Finds `demo-...`."""

    left_out = 0

    def __init__(self, key: bytes) -> None:
        self._key = key

    def find(self, piece: Piece) -> list[ExposedSecret]:
        """Return the secrets of a piece."""
        return [
            ExposedSecret(
                rule="demo",
                type="demo",
                fingerprint=hashlib.blake2b(found[0].encode(), key=self._key, digest_size=8).hexdigest(),
                tail=found[0][-4:],
                place=FilePlace(
                    file=piece.place.file, line=piece.place.line + piece.text.count("\n", 0, found.start())
                ),
                start=found.start(),
                end=found.end(),
                confidence=1.0,
            )
            for found in _SECRET.finditer(piece.text)
        ]


EXAMINATION = Examination(read=read, detectors=Detectors)
