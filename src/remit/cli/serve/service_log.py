# SPDX-License-Identifier: Apache-2.0
"""The log of the service: one JSON object per line, for each call and each warning.

It holds names, outcomes and times, never the value of an argument. It is rotated: remit keeps `KEPT` older
files. Warnings also go to standard error. Where the log cannot be written, standard error gets everything.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from typing import Final

import msgspec

from remit.core.evidence.event import timestamp
from remit.services.mediation.call_log import CALLS

#: The logger of starts and stops.
SERVICE: Final = "remit.service"
MAX_BYTES: Final = 10 * 1024 * 1024
KEPT: Final = 5


class _Lines(logging.Formatter):
    """A record as one line of JSON; the facts of a call are members."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": timestamp(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
        }
        if isinstance(record.msg, dict):
            line |= record.msg
        else:
            line |= {"from": record.name, "message": record.getMessage()}
            if record.exc_info:
                line["trace"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


class _LogFile(RotatingFileHandler):
    """A file that only its owner can read. Standard error follows it where it goes there, too."""

    def __init__(self, place: Path) -> None:
        super().__init__(place, maxBytes=MAX_BYTES, backupCount=KEPT, encoding="utf-8")
        self.also = self._is_stderr()

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding="utf-8", opener=_private)

    def _is_stderr(self) -> bool:
        try:
            return os.path.samestat(os.stat(self.baseFilename), os.fstat(2))
        except OSError:
            return False

    def doRollover(self) -> None:  # noqa: N802 - the name of the base class
        """Begin another file."""
        super().doRollover()
        if self.also and self.stream is not None:
            for number in (1, 2):
                os.dup2(self.stream.fileno(), number)


class _ToQueue(QueueHandler):
    """Keeps the facts of a call as they are: only the file's thread writes them as text."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        if not isinstance(record.msg, dict):
            record.msg, record.args = record.getMessage(), None
        return record


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)


@contextmanager
def logging_to(place: Path) -> Iterator[None]:
    """Write the log there; a separate thread does it, so that a slow disk delays no call."""
    shown = logging.StreamHandler(sys.stderr)
    shown.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    shown.setLevel(logging.WARNING)
    sinks: list[logging.Handler] = [shown]
    try:
        file = _LogFile(place)
    except OSError:
        shown.setFormatter(_Lines())
        shown.setLevel(logging.INFO)
    else:
        file.setFormatter(_Lines())
        sinks = [file] if file.also else [file, shown]
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    handler = _ToQueue(waiting)
    listener = QueueListener(waiting, *sinks, respect_handler_level=True)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in (CALLS, SERVICE):
        logging.getLogger(name).setLevel(logging.INFO)
    # Errors in client requests are reported in answers; the rest of its log is noise.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    listener.start()
    try:
        yield
    finally:
        listener.stop()
        root.removeHandler(handler)
        for sink in sinks:
            sink.close()
