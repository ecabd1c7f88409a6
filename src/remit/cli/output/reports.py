# SPDX-License-Identifier: Apache-2.0
"""A report in one of its forms: shown at the terminal, or written to a file that only this user can read."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from pathlib import Path

from remit.cli.output import terminal
from remit.cli.private_files import open_private


def deliver(form: str, place: Path | None, *, show: Callable[[], None], text: Callable[[], str]) -> None:
    """Show a report, or write it to a file.

    `show` draws the form `text` at the terminal; `text` returns the report in `form`.
    """
    if place is None and form == "text":
        show()
        return
    made = text()
    if place is None:
        sys.stdout.write(made)
        sys.stdout.flush()
        return
    with open_private(place) as out:
        out.write(made.encode())
    terminal.remark(f"written to {place}")


def drawn(show: Callable[[], None]) -> str:
    """Return what `show` would draw at the terminal."""
    kept = io.StringIO()
    with contextlib.redirect_stdout(kept):
        show()
    return kept.getvalue()
