# SPDX-License-Identifier: Apache-2.0
"""Events as they are recorded, a line each."""

from __future__ import annotations

import time
from typing import Final

from rich.text import Text

from remit.cli.evidence.event_line import saying
from remit.cli.output import terminal
from remit.cli.rest_client import Client
from remit.core.json_value import Json
from remit.core.safe_text import plain

#: Seconds between two questions for new events.
PAUSE_S: Final = 0.5
PAGE: Final = 1000


def follow_events(client: Client, items: list[Json], at: int, wanted: dict[str, str | None]) -> int:
    """Show events and then each further one from index `at` on.

    Returns when no event can follow, with 4 if one was changed.
    """
    damaged = False
    until = wanted["until"]
    while True:
        for one in items:
            damaged = damaged or "damaged" in one
            _show(one)
        page = client.get("events", start=at, limit=PAGE, **wanted)
        items = page["items"]
        # What was searched is not searched again; an event may be newer than the page's size of the log.
        seen = items[-1]["index"] + 1 if items else at
        at = page["next"] if page["next"] is not None else max(at, seen, page["size"] if not items else seen)
        if until is not None and not items and page["next"] is None and _past(until):
            return 4 if damaged else 0
        if page["next"] is None and not items:
            time.sleep(PAUSE_S)


def _past(until: str) -> bool:
    from datetime import UTC, datetime

    return datetime.fromisoformat(until) < datetime.now(UTC)


def _show(event: Json) -> None:
    if terminal.is_json():
        terminal.answer_line(event)
        return
    if "damaged" in event:
        terminal.copyable(f"{event['index']}  ", terminal.text(event["damaged"], "red"))
        return
    who = event.get("agent", "")
    line = Text.assemble(
        (f"{event['index']:>7}  ", "dim"),
        terminal.clock(event["at"]),
        (f"  {plain(event['kind']):<18} ", "bold"),
        f"{plain(who):<16} ",
        (f"{plain(event.get('task', '')):<26} ", "dim"),
    )
    terminal.copyable(line.append_text(saying(event)))
