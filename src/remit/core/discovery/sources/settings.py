# SPDX-License-Identifier: Apache-2.0
"""Plain text, and the few settings whose form hides what a value is: by its position, or by its encoding."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.declared import Read
from remit.core.discovery.discovered import SourceKind
from remit.core.discovery.sources.taken_values import decoded_base64
from remit.core.discovery.sources.text import (
    Taken,
    base_name,
    extension_of,
    kind_of,
    pieces,
    pieces_apart,
    place_of,
    text_of_bytes,
)

_NETRC: Final = re.compile(
    r"\b(?:machine\s+(?P<host>\S{1,255})|default)\s+login\s+(?P<user>\S{1,255})\s+(?:account\s+\S{1,255}\s+)?"
    r"password\s+(?P<password>\S{1,4096})"
)
_PGPASS: Final = re.compile(
    r"^(?P<host>[^:#\s][^:\n]{0,255}):(?:\d{1,5}|\*):(?P<base>(?:[^:\\\n]|\\.){1,255}):(?P<user>(?:[^:\\\n]|\\.){1,255})"
    r":(?P<password>[^\n\r]{1,4096})",
    re.MULTILINE,
)
_NPM: Final = re.compile(
    r"(?m)^(?P<scope>[^\n=]{0,255}?)\b(?P<field>_auth|_password)[ \t]*=[ \t]*\"?"
    r"(?P<coded>[A-Za-z0-9+/]{4,4096}={0,2})"
)
_ESCAPED_CMD: Final = re.compile(r"(?m)^- cmd: (?P<command>[^\n]*\\[^\n]*)$")
_HISTORY_NAMES: Final = re.compile(
    r"^\.?(?:\w+_history|fish_history|histfile|history)$|^consolehost_history\.txt$", re.IGNORECASE
)
#: What zsh and bash write before a command.
_STAMP: Final = re.compile(
    r"(?m)^: \d{9,11}:\d{1,9};|^#\d{9,11}$|^  when: \d{9,11}$|^[ \t]*\d{1,6}[ \t]{2,}(?=\S)"
)


class PlainReader:
    """Reads any other text as it stands."""

    def fits(self, chunk: FileChunk) -> bool:
        """Return True: what is binary yields nothing."""
        return True

    def read(self, chunk: FileChunk) -> Iterator[Read]:
        """Yield the text, in parts if it is long."""
        text = text_of_bytes(chunk.content)
        if text:
            yield from pieces(text, place_of(chunk), kind_of(chunk))


class PositionsReader:
    """Reads `.netrc`, `.pgpass` and `.npmrc`, whose values stand in places or are base64."""

    def fits(self, chunk: FileChunk) -> bool:
        """Return whether the name says so."""
        return _form_of(chunk.file) is not None

    def read(self, chunk: FileChunk) -> Iterator[Read]:
        """Yield the passwords with the host and the user as their names, and the rest as it stands."""
        text, form = text_of_bytes(chunk.content), _form_of(chunk.file)
        if text and form is not None:
            yield from pieces_apart(text, form(text), chunk, SourceKind.CONFIG)


class ShellHistoryReader:
    """Reads the history of bash, zsh, fish, PowerShell and database shells: commands that a person typed."""

    def fits(self, chunk: FileChunk) -> bool:
        """Return whether the name says so."""
        return _HISTORY_NAMES.match(base_name(chunk.file)) is not None

    def read(self, chunk: FileChunk) -> Iterator[Read]:
        """Yield the commands without their times; lines stay where they are."""
        text = text_of_bytes(chunk.content)
        if not text:
            return
        text = _STAMP.sub(lambda found: " " * len(found[0]), text)
        taken = (
            Taken(
                *one.span("command"), one["command"].replace("\\n", "\n").replace("\\\\", "\\"), ("command",)
            )
            for one in _ESCAPED_CMD.finditer(text)
        )
        yield from pieces_apart(text, taken, chunk, SourceKind.CONFIG)


def _form_of(file: str) -> Callable[[str], Iterator[Taken]] | None:
    name = base_name(file)
    if name.lstrip("._") in ("netrc", "authinfo") or extension_of(file) == "netrc":
        return _netrc
    if name.lstrip(".") in ("pgpass", "pgpass.conf") or extension_of(file) == "pgpass":
        return _pgpass
    return _npm if name.endswith("npmrc") else None


def _netrc(text: str) -> Iterator[Taken]:
    for one in _NETRC.finditer(text):
        yield Taken(
            *one.span("password"), one["password"], (one["host"] or "default", one["user"], "password")
        )


def _pgpass(text: str) -> Iterator[Taken]:
    for one in _PGPASS.finditer(text):
        password = re.sub(r"\\(.)", r"\1", one["password"])
        names = (f"{one['host']}/{one['base']}", one["user"], "password")
        yield Taken(*one.span("password"), password, names)


def _npm(text: str) -> Iterator[Taken]:
    for one in _NPM.finditer(text):
        if (plain := decoded_base64(one["coded"])) is not None:
            yield Taken(*one.span("coded"), plain, (one["scope"].strip(" :/") or "npm", one["field"]))
