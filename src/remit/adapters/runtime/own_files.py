# SPDX-License-Identifier: Apache-2.0
"""Whether an argument names one of remit's own files: by the text, by its links, or by the file itself.

A server may read a value in more than one way (a path, a `file:` URL, with percent-encoding, in another case,
relative to its folder or to one that it was given), so each of them counts. Two paths are of one file if the
file system says so (device and inode), whatever links, mounts or cases lead there.

What this does not see: a program that the agent wrote and another call runs, and a call that names a folder
above remit's. Agents under another user than remit's, or in a container, are kept out by the system.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from remit.core.cooperative_steps import Steps, WorkCount
from remit.core.json_value import Json

#: A longer text is no path (PATH_MAX); it may be a command.
_MAX_PATH: Final = 4096
#: A server or a shell may decode a text this many times.
_DECODINGS: Final = 3
_FILE_URL: Final = re.compile(r"file:(?://(?:localhost|127\.0\.0\.1)?)?(?=[/\\])", re.IGNORECASE)
_OWN_FOLDER: Final = re.compile(r"/proc/(?:self|thread-self|[0-9]+)(?:/task/[0-9]+)?/cwd(?=/|$)")
#: What separates the words of a command, an option or an address.
_BETWEEN: Final = re.compile(r"[\s'\"`=:;,|&<>(){}\[\]$]+")
_WILD: Final = re.compile(r"[*?\[{]")
#: Arguments that servers run: each word in them may be a path.
_RUN: Final = re.compile(r"command|cmd|code|script|shell|args?|argv|arguments", re.IGNORECASE)
#: Names of arguments that take files or folders.
_OF_FILES: Final = re.compile(
    r"path|file|dir|folder|root|cwd|location|uri|source|src|destination|dest|dst|target", re.IGNORECASE
)
_WORD: Final = re.compile(r"[A-Za-z0-9_-]+")

Identity = tuple[int, int]


class PathsOfRemit:
    """`ports.runtime.OwnFiles` for the places of one configuration."""

    def __init__(self, places: Iterable[Path], bases: Mapping[str, Iterable[Path]]) -> None:
        """Keep the places, and for each upstream the folders in which it looks for relative paths."""
        self._places = tuple(dict.fromkeys(str(place) for place in places))
        self._folded = tuple(
            dict.fromkeys(
                _folded(form)
                for place in self._places
                for form in (os.path.abspath(place), os.path.realpath(place))
            )
        )
        self._bases = {name: tuple(dict.fromkeys(str(one) for one in found)) for name, found in bases.items()}
        self._home = os.path.expanduser("~")

    def reached_by(self, upstream: str, arguments: Mapping[str, Json]) -> Steps[str]:
        """Return the first argument that names one of the places."""
        bases = self._bases.get(upstream, ()) or (self._home,)
        identities = {found for place in self._places if (found := _identity(place)) is not None}
        count = WorkCount()
        for name, value in arguments.items():
            runs, names_files = _RUN.fullmatch(name) is not None, _OF_FILES.search(name) is not None
            for text in _texts(value):
                # A folder of remit may have a common word as its name (`tasks`): where the argument is not of
                # files, the word is only its name if a link says so.
                word = not names_files and _WORD.fullmatch(text) is not None
                if word and not any(os.path.islink(os.path.join(base, text)) for base in bases):
                    continue
                if any(self._is_own(one, bases, identities) for one in _candidates(text, runs=runs)):
                    return name
                if count.over(text):
                    yield
        return ""

    def _is_own(self, text: str, bases: tuple[str, ...], identities: set[Identity]) -> bool:
        if text == "~" or text.startswith(("~/", "~\\")):
            text = self._home + text[1:]
        for base in bases if not text.startswith("/") or "/proc/" in text else bases[:1]:
            path = os.path.join(base, _OWN_FOLDER.sub(base, text))
            if self._below(os.path.normpath(path)):
                return True
            if _WILD.search(path):
                if self._matches(os.path.normpath(path)):
                    return True
                continue
            if "/" not in text and not os.path.lexists(path):
                continue  # a word that names no file: nothing is read through it
            real = _real(path)
            if self._below(real) or _leads_to(real, identities) or self._has_name_here(real):
                return True
        return False

    def _below(self, path: str) -> bool:
        folded = _folded(path)
        # The store's companions (`remit.db-wal`) and drafts have its name with an ending.
        return any(folded == place or folded.startswith((place + "/", place + "-")) for place in self._folded)

    def _has_name_here(self, path: str) -> bool:
        """Return whether a file with several names (hard links) has one of them below a place."""
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return False
        if status.st_nlink < 2 or not stat.S_ISREG(status.st_mode):
            return False
        wanted = {(status.st_dev, status.st_ino)}
        return any(
            _identity(os.path.join(folder, name)) in wanted
            for place in self._places
            for folder, _, names in os.walk(place)
            for name in names
        )

    def _matches(self, pattern: str) -> bool:
        """Return whether a pattern names a place or something below it; not a search from further above."""
        names = _folded(re.sub(r"\{[^/]*\}", "*", pattern)).split("/")
        for place in self._folded:
            wanted = place.split("/")
            above = names[: len(wanted)]
            if len(above) == len(wanted) and "**" not in above:
                pairs = zip(wanted, above, strict=True)
                if all(fnmatch.fnmatchcase(one, name) for one, name in pairs):
                    return True
        return False


def _texts(value: Json) -> Iterator[str]:
    """Yield every text in a value, names of members too."""
    rest = [value]
    while rest:
        one = rest.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            rest += [*one, *one.values()]
        elif isinstance(one, list):
            rest += one


def _candidates(text: str, *, runs: bool) -> Iterator[str]:
    """Yield the readings of a text as a path."""
    words = [text.strip(" \t\r\n'\"")]
    if runs or (len(text) <= _MAX_PATH and _FILE_URL.search(text)):
        expanded = os.path.expandvars(text)
        words += [word for word in _BETWEEN.split(expanded) if word]
        words += [expanded.strip(), *(word for word in expanded.split() if word)]
    seen = set()
    for written in words:
        word = written
        for _ in range(_DECODINGS):
            found = _FILE_URL.match(word)
            for path in (word[found.end() :] if found else word, os.path.expandvars(word)):
                for form in (path, path.replace("\\", "/"), unicodedata.normalize("NFKC", path)):
                    if 0 < len(form) <= _MAX_PATH and "\0" not in form and form not in seen:
                        seen.add(form)
                        yield form
            decoded = unquote(word)
            if decoded == word:
                break
            word = decoded


def _real(path: str) -> str:
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return os.path.normpath(path)


def _leads_to(path: str, identities: set[Identity]) -> bool:
    """Return whether a path, or a folder above it, is one of the files."""
    while True:
        if _identity(path) in identities:
            return True
        above = os.path.dirname(path)
        if above == path:
            return False
        path = above


def _identity(path: str) -> Identity | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _folded(path: str) -> str:
    return unicodedata.normalize("NFKC", path).casefold()
