# SPDX-License-Identifier: Apache-2.0
"""Fetching an export into a file, completely or not at all."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from remit.cli.evidence.known_logs import trusted_key
from remit.cli.output import terminal
from remit.cli.rest_client import Client, Unreachable, connect
from remit.core.errors import NotFound
from remit.core.json_value import Json

#: One line before the events, and one after them.
_AROUND = 2
#: What only lines of pruned events have.
_PRUNED = b',"pruned":["'


@contextlib.contextmanager
def evidence_file(place: Path | None, *, task: str = "") -> Iterator[Path]:
    """Yield a file of evidence; without one, that of the running remit, fetched for the block alone."""
    if place is not None:
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="remit-") as folder:
        fetched = Path(folder) / "evidence.jsonl"
        fetch(connect(), fetched, task=task)
        yield fetched


def fetch(client: Client, place: Path, *, task: str = "", values: bool = True, under: str = "") -> Json:
    """Write the export to a file that only this user can read, and return a summary of it.

    `under` is the key that will verify the export; without one, the log's key must be the one that was seen
    here before.
    """
    head = client.get("events", "head")
    key = under or str(trusted_key(client.base_url, head["verifier"]))
    fresh = place.with_name(f".{place.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    lines = pruned = 0
    last = b""
    try:
        with (
            os.fdopen(descriptor, "wb") as opened,
            progress("fetching", 0 if task else head["size"]) as advance,
            client.stream("events", "export", task=task or None, values=values) as response,
        ):
            for chunk in response.iter_bytes():
                opened.write(chunk)
                count = chunk.count(b"\n")
                lines += count
                pruned += (last[-len(_PRUNED) + 1 :] + chunk).count(_PRUNED)
                last = (last + chunk)[-65536:]
                advance(count)
        if b'\n{"checkpoint"' not in last:
            raise Unreachable("the evidence ended before its signature", remediation="try again")
        if task and lines == _AROUND:
            # A file without events verifies too: a misspelt name must not look like a proof.
            raise NotFound(f"no event belongs to task `{task[:80]}`", remediation="see `remit task list`")
        fresh.replace(place)
    finally:
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
    return {
        "file": str(place),
        "events": lines - pruned - _AROUND,
        "task": task,
        "origin": head["origin"],
        "verifier": key,
    }


class ExportProgress:
    """Advances a progress bar; does nothing if no bar is visible."""

    def __init__(self, bar: Progress | None, total: int) -> None:
        """Keep the bar and the total amount of work (0: unknown)."""
        self._bar = bar
        self._task = bar.add_task("", total=total or None) if bar is not None else None

    def __call__(self, count: int) -> None:
        """Add completed work."""
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, count)


@contextlib.contextmanager
def progress(what: str, total: int) -> Iterator[ExportProgress]:
    """Show the progress of a long operation, on a terminal."""
    console = terminal.err()
    # Not `is_terminal`: colours may be requested where no bar is visible.
    if not sys.stderr.isatty() or terminal.is_json():
        yield ExportProgress(None, total)
        return
    columns = (TextColumn(what), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        yield ExportProgress(bar, total)
