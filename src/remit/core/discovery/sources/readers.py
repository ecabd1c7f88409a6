# SPDX-License-Identifier: Apache-2.0
"""The readers in their order: the first that fits reads a chunk, plain text is the last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from remit.core.discovery.chunk import FileChunk, FileReader
from remit.core.discovery.declared import Read
from remit.core.discovery.sources.document_readers import JsonReader, YamlReader
from remit.core.discovery.sources.infrastructure import TerraformReader
from remit.core.discovery.sources.json_lines import JsonLinesReader
from remit.core.discovery.sources.prompts import CodeReader
from remit.core.discovery.sources.settings import PlainReader, PositionsReader, ShellHistoryReader
from remit.core.discovery.sources.sql_dumps import SqlReader
from remit.core.discovery.sources.tables import DelimitedReader

READERS: Final[tuple[FileReader, ...]] = (
    # Readers of clients' configurations and of agents' code come first: they know more of their files.
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
    """Yield what the first fitting reader reads in a chunk; nothing for a binary one."""
    for reader in READERS:
        if reader.fits(chunk):
            yield from reader.read(chunk)
            return
