# SPDX-License-Identifier: Apache-2.0
"""Events of the log as rows of a page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from remit.core.evidence.event import EventKind
from remit.core.json_value import Json
from remit.services.evidence.event_search import Entry

_RECORD: Final = msgspec.json.Decoder(dict[str, Any])


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """One event: its readable facts, and its sealed values where they can still be read.

    Of an event that was changed in the store there is only the index, and in `damaged` what is wrong.
    """

    index: int
    kind: str
    at: datetime
    task: str
    agent: str
    call: str
    facts: dict[str, Any]
    values: dict[str, Json]
    damaged: str = ""


class CallRow(msgspec.Struct, frozen=True, kw_only=True):
    """One decided call. `ended` is its outcome and `ended_at` its end, where the call was made."""

    decision: EventRow
    ended: str
    ended_at: datetime | None
    result_bytes: int | None


def event_row(entry: Entry) -> EventRow:
    """Return an event as a row."""
    record = _RECORD.decode(entry.leaf)
    return EventRow(
        index=entry.index,
        kind=entry.kind,
        at=datetime.fromisoformat(record["at"]),
        task=entry.task,
        agent=str(record.get("agent", "")),
        call=str(record.get("call", "")),
        facts=record["facts"],
        values=entry.opened or {},
    )


def checked_row(shown: dict[str, Any]) -> EventRow:
    """Return an event as a row, from the form in which the log shows it (`LogAudit.shown`)."""
    record = shown if "damaged" not in shown else {"kind": "", "at": "1970-01-01", "facts": {}, **shown}
    return EventRow(
        index=record["index"],
        kind=record["kind"],
        at=datetime.fromisoformat(record["at"]),
        task=record.get("task", ""),
        agent=record.get("agent", ""),
        call=record.get("call", ""),
        facts=record["facts"],
        values=record.get("values", {}),
        damaged=record.get("damaged", ""),
    )


def call_rows(entries: Iterable[Entry]) -> list[CallRow]:
    """Return the decided calls among events, newest first, each with its outcome."""
    made: dict[str, EventRow] = {}
    ended: dict[str, EventRow] = {}
    for entry in entries:
        if entry.kind == EventKind.DECISION_MADE:
            row = event_row(entry)
            made[row.call] = row
        elif entry.kind == EventKind.TOOL_CALLED:
            row = event_row(entry)
            ended[row.call] = row
    return [_call(row, ended.get(call)) for call, row in reversed(made.items())]


def _call(row: EventRow, end: EventRow | None) -> CallRow:
    return CallRow(
        decision=row,
        ended=str(end.facts["outcome"]) if end else "",
        ended_at=end.at if end else None,
        result_bytes=end.facts.get("result_bytes") if end else None,
    )
