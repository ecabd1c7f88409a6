# SPDX-License-Identifier: Apache-2.0
"""The readers in their order: the first that fits reads a chunk, plain text is the last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from remit.core.discovery.chunk import FileChunk, FileReader
from remit.core.discovery.declared import Read
from remit.core.discovery.discovered import Piece
from remit.core.discovery.sources.clients import CLIENT_READERS
from remit.core.discovery.sources.document_readers import JsonReader, YamlReader
from remit.core.discovery.sources.frameworks import FRAMEWORK_READERS
from remit.core.discovery.sources.infrastructure import TerraformReader
from remit.core.discovery.sources.json_lines import JsonLinesReader
from remit.core.discovery.sources.prompts import CodeReader
from remit.core.discovery.sources.settings import PlainReader, PositionsReader, ShellHistoryReader
from remit.core.discovery.sources.sql_dumps import SqlReader
from remit.core.discovery.sources.tables import DelimitedReader

READERS: Final[tuple[FileReader, ...]] = (
    # They know more of their files than the others.
    *CLIENT_READERS,
    PositionsReader(),
    ShellHistoryReader(),
    YamlReader(),
    TerraformReader(),
    DelimitedReader(),
    SqlReader(),
    JsonLinesReader(),
    JsonReader(),
    CodeReader(),
    PlainReader(),
)


def read(chunk: FileChunk) -> Iterator[Read]:
    """Yield what the first fitting reader reads in a chunk, and before it what declares agents there.

    Nothing for a binary chunk. Pieces of the readers of agents count where they know whose text it is.
    """
    for declaring in FRAMEWORK_READERS:
        if declaring.fits(chunk):
            yield from (one for one in declaring.read(chunk) if not isinstance(one, Piece) or one.agent)
    for reader in READERS:
        if reader.fits(chunk):
            yield from reader.read(chunk)
            return
