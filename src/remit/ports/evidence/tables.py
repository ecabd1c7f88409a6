# SPDX-License-Identifier: Apache-2.0
"""Evidence as tables, for questions in SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from remit.core.json_value import Json

Value = str | int | float | bool | None


class AnswerColumns(msgspec.Struct, frozen=True):
    """The answer to a question: names of columns, and rows in order. `more` rows were left out."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Json, ...], ...]
    more: bool = False


class EvidenceTables(Protocol):
    """The tables of one export (`core.evidence.event_tables`), and the views of `templates/questions`.

    For one thread. A question reads these tables and nothing else: no other file, no network, no setting.
    """

    def write(self, folder: Path) -> list[str]:
        """Write each table into a new folder, as a Parquet file; return the files' names.

        Raises `StoreUnavailable` if the folder cannot be written.
        """
        ...

    def ask(self, sql: str, given: Mapping[str, Value], *, limit: int) -> AnswerColumns:
        """Return the answer of one `SELECT`; `given` are its parameters by name.

        Raises `Malformed` for what is no single question, or is wrong; the message is the database's own.
        """
        ...

    def hashes(self, start: int, count: int) -> list[bytes]:
        """Return leaf hashes in the order of the log."""
        ...

    def leaves(self, indexes: list[int]) -> Iterator[tuple[int, bytes, dict[str, list[Json]] | None]]:
        """Yield events by index: index, leaf, and openings where the export has them."""
        ...

    def close(self) -> None:
        """Release the memory and the temporary files."""
        ...
