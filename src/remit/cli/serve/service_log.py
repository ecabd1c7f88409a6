# SPDX-License-Identifier: Apache-2.0
"""The log of the service: one JSON object per line, for each call and each warning.

It holds names, outcomes and times, never the value of an argument. It is rotated: remit keeps `KEPT` older
files. Warnings also go to standard error, or more, as a `LogStyle` says. Where the log cannot be written,
standard error gets everything.
"""

from __future__ import annotations

import logging
import os
import queue
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from remit.core.evidence.event import timestamp
from remit.core.safe_text import escaped, plain
from remit.gateway.access_log import ACCESS
from remit.services.mediation.call_log import CALLS

#: The logger of starts and stops.
SERVICE: Final = "remit.service"
MAX_BYTES: Final = 10 * 1024 * 1024
KEPT: Final = 5
#: Seconds for which lines are collected.
PAUSE_S: Final = 0.1
_SEPARATES: Final = re.compile(r'[\s="]')


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
        return escaped(msgspec.json.encode(line).decode())


class _Text(logging.Formatter):
    """A record as one line for people; the facts of a call or a request are `name=value`.

    Names come from agents and upstreams: none begins a new line, or another fact.
    """

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record.msg, dict):
            text = " ".join(f"{name}={_fact(value)}" for name, value in record.msg.items())
        else:
            text = plain(record.getMessage())
            if record.exc_info:
                trace = plain(self.formatException(record.exc_info), lines=True)
                text += "\n  " + trace.replace("\n", "\n  ")
        return f"{record.levelname} {record.name}: {text}"


def _fact(value: object) -> str:
    text = plain(value)
    return msgspec.json.encode(text).decode() if not text or _SEPARATES.search(text) else text


class _LogFile(RotatingFileHandler):
    """A file that only its owner can read. Standard error follows it where it goes there, too."""

    def __init__(self, place: Path) -> None:
        super().__init__(place, maxBytes=MAX_BYTES, backupCount=KEPT, encoding="utf-8")
        self.also = self._is_open(2)

    def write(self, lines: list[bytes]) -> None:
        """Write whole lines, in another file where this one would become too long."""
        self._follow()
        size = os.stat(self.baseFilename).st_size
        part: list[bytes] = []
        for line in lines:
            if size + len(line) > self.maxBytes:
                self._append(part)
                self.doRollover()
                size = 0
            part.append(line)
            size += len(line)
        self._append(part)

    def _follow(self) -> None:
        """Open the file again if another worker has begun another one."""
        assert self.stream is not None
        if not self._is_open(self.stream.fileno()):
            self.stream.close()
            self.stream = self._open()

    def _append(self, part: list[bytes]) -> None:
        assert self.stream is not None
        self.stream.buffer.write(b"".join(part))
        self.stream.buffer.flush()
        part.clear()

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding="utf-8", opener=_private)

    def _is_open(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.stat(self.baseFilename), os.fstat(descriptor))
        except OSError:
            return False

    def doRollover(self) -> None:  # noqa: N802 - the name of the base class
        """Begin another file."""
        super().doRollover()
        if self.also and self.stream is not None:
            for number in (1, 2):
                os.dup2(self.stream.fileno(), number)


class _LogWriter(logging.Handler):
    """Writes lines to a file on a separate thread, many at a time: a slow disk delays no call."""

    def __init__(self, file: _LogFile) -> None:
        super().__init__()
        self._file = file
        self._lines = _Lines()
        self._waiting: queue.SimpleQueue[logging.LogRecord | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="remit-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record. Only the facts of a call are left as they are: other arguments may change."""
        if not isinstance(record.msg, dict):
            record.msg, record.args = record.getMessage(), None
        self._waiting.put(record)

    def close(self) -> None:
        """Write what is left."""
        self._waiting.put(None)
        self._thread.join()
        self._file.close()
        super().close()

    def _write(self) -> None:
        last = False
        while not last:
            records = [self._waiting.get()]
            time.sleep(PAUSE_S)
            while not self._waiting.empty():
                records.append(self._waiting.get())
            last = None in records
            lines = [f"{self._lines.format(one)}\n".encode() for one in records if one is not None]
            try:
                self._file.write(lines)
            except OSError as fault:
                sys.stderr.write(f"the log cannot be written: {fault}\n")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)


class LogStyle(NamedTuple):
    """What standard error gets: lines from a level on, as `text` or `json`; and whether requests are logged.

    Without a level, text begins at warnings, and JSON at the lines of calls.
    """

    form: str = "text"
    level: str = ""
    access: bool = False

    @property
    def words(self) -> list[str]:
        """The options of `remit up` that say so."""
        level = ["--log-level", self.level] if self.level else []
        return ["--log-format", self.form, *level, *(["--access-log"] if self.access else [])]


@contextmanager
def logging_to(place: Path, style: LogStyle | None = None) -> Iterator[None]:
    """Write the log there, and to standard error what the style says: as text, warnings alone by default."""
    style = style or LogStyle()
    shown = logging.StreamHandler(sys.stderr)
    shown.setFormatter(_Lines() if style.form == "json" else _Text())
    level = (style.level or ("info" if style.form == "json" else "warning")).upper()
    shown.setLevel(level)
    handlers: list[logging.Handler] = [shown]
    try:
        file = _LogFile(place)
    except OSError:
        shown.setFormatter(_Lines())
        shown.setLevel(min(shown.level, logging.INFO))
    else:
        handlers = [_LogWriter(file), *([] if file.also else [shown])]
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    if shown.level < logging.INFO:
        logging.getLogger("remit").setLevel(shown.level)
    for name in (CALLS, SERVICE, *((ACCESS,) if style.access else ())):
        logging.getLogger(name).setLevel(logging.INFO)
    # Errors in client requests are reported in answers; the rest of its log is noise.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
