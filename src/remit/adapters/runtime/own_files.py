# SPDX-License-Identifier: Apache-2.0
"""Whether an argument names one of remit's own files: by the text, by its links, or by the file itself.

A server may read a value in more than one way (a path, a `file:` URL, with percent-encoding, in another case,
relative to its folder or to one that the call names), so each of them counts. Two paths are of one file if
the file system says so (device and inode), whatever links, mounts or cases lead there. A whole path of remit
that stands anywhere in a text counts too, except in what a person would read: a query may open it.

What this does not see: a program that the agent wrote and another call runs, and a call that names a folder
above remit's. Agents under another user than remit's, or in a container, are kept out by the system.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote

from remit.core.cooperative_steps import LAP, PIECE, Steps, WorkCount
from remit.core.json_value import Json

#: A longer text is no path (PATH_MAX); it may be a command.
_MAX_PATH: Final = 4096
#: A server or a shell may decode a text this many times.
_DECODINGS: Final = 3
_MAX_ENCODED: Final = 3**_DECODINGS * _MAX_PATH
_FILE_URL: Final = re.compile(r"file:(?://(?:localhost|127\.0\.0\.1)?)?(?=[/\\])", re.IGNORECASE)
_OWN_FOLDER: Final = re.compile(r"/proc/(?:self|thread-self|[0-9]+)(?:/task/[0-9]+)?/cwd(?=/|$)")
#: What separates the words of a command, an option or an address.
_BETWEEN: Final = re.compile(r"[\s'\"`=:;,|&<>(){}\[\]$]+")
_WILD: Final = re.compile(r"[*?\[{]")
#: Marks of a shell that it removes from a word.
_QUOTES: Final = re.compile(r"['\"`\\]")
#: A text without these characters spells no whole path, however a server or a shell decodes it.
_OF_PATHS: Final = re.compile(r"[/%$]|[^\x00-\x7f]")
#: A text without these, that no server runs, has one reading: itself.
_READ_OTHERWISE: Final = re.compile(r"[/\\%$~*?\[{'\"\0]|[^\x00-\x7f]|^\s|\s$")
_BEGIN: Final = re.compile(r"(?<=[^~./])(?:~|\.{1,2})?/")
_STEPS: Final = re.compile(r"/(?:\./|/)+")
#: Words in the names of arguments that servers run: each word of such a text may be a path.
_RUN: Final = frozenset(
    ("arg", "args", "arguments", "argv", "bash", "cmd", "cmdline", "cmds", "code", "command", "commands",
     "exec", "script", "scripts", "sh", "shell", "sql", "stdin")
)  # fmt: skip
_NAME_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
#: Names of arguments with texts that people read, or that are written down.
_SAID: Final = re.compile(
    r"(?:content|text|body|message|description|comment|note|title|summary|prompt|thought|observation|string|"
    r"reason|question|answer|intent|goal)s?$",
    re.IGNORECASE,
)
#: Names of arguments that take files or folders.
_OF_FILES: Final = re.compile(
    r"path|file|dir|folder|root|cwd|location|uri|source|src|destination|dest|dst|target", re.IGNORECASE
)
_WORD: Final = re.compile(r"[A-Za-z0-9_-]+")

#: What SQLite adds to the name of a store for its companions.
_COMPANION: Final = r"(?:-(?:wal|shm|journal))?"

Identity = tuple[int, int]


class _Reader(NamedTuple):
    """How a text in an argument is read, by the names on the way to it."""

    runs: bool = False
    of_files: bool = False
    said: bool = False

    def below(self, name: str) -> _Reader:
        runs = self.runs or not _RUN.isdisjoint(word.lower() for word in _NAME_WORD.findall(name))
        of_files = self.of_files or _OF_FILES.search(name) is not None
        return _Reader(runs, of_files, not runs and _SAID.search(name) is not None)


class _Identities:
    """The places that exist now, as the file system knows them.

    The file system is asked at most once, and only for a value that names a file.
    """

    def __init__(self, places: Iterable[str]) -> None:
        self._places = places
        self._found: set[Identity] | None = None

    def __call__(self) -> set[Identity]:
        if self._found is None:
            self._found = {found for place in self._places if (found := _identity(place)) is not None}
        return self._found


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
        self._above = frozenset(above for place in self._folded for above in _folders_above(place))
        self._bases = {name: tuple(dict.fromkeys(str(one) for one in found)) for name, found in bases.items()}
        self._home = os.path.expanduser("~")
        home = _folded(self._home) + "/"
        spelled = [*self._folded, *(f"~/{one[len(home) :]}" for one in self._folded if one.startswith(home))]
        self._spelled = re.compile(rf"(?:{'|'.join(map(re.escape, spelled))}){_COMPANION}(?![-.]?\w)")
        self._own = re.compile(
            rf"(?:{'|'.join(map(re.escape, self._folded))})(?:{_COMPANION}|/.*)", re.DOTALL
        )

    def reached_by(self, upstream: str, arguments: Mapping[str, Json]) -> Steps[str]:
        """Return the first argument that names one of the places."""
        bases = self._bases.get(upstream, ()) or (self._home,)
        identities = _Identities(self._places)
        count = WorkCount()
        named: dict[str, None] = {}
        # First from the server's own folders, then from those above remit's that the call itself names: a
        # program changes to a folder, or joins two arguments.
        for places in (bases, named):
            for name, value in arguments.items():
                for text, reader in _texts(value, _Reader().below(name)):
                    if not reader.said and (yield from self._is_spelled(text, count)):
                        return name
                    if count.over(text):
                        yield
                    if self._is_only_a_word(text, reader, bases) or self._names_nothing(
                        text, reader, tuple(places)
                    ):
                        continue
                    for one in _candidates(text, runs=reader.runs):
                        if self._is_own(one, tuple(places), identities, named):
                            return name
                        # It has asked the system for each part of a path.
                        yield
            for base in bases:
                named.pop(base, None)
            if not named:
                break
        return ""

    def _is_spelled(self, text: str, count: WorkCount) -> Steps[bool]:
        """Return whether a whole path of remit stands in a text, as written or as a shell would read it."""
        if _OF_PATHS.search(text) is None:
            return False
        for start in range(0, len(text), PIECE):
            piece = text[start : start + PIECE + LAP]
            for _ in range(_DECODINGS):
                for form in {piece, os.path.expandvars(_QUOTES.sub("", piece))}:
                    if self._spelled.search(_STEPS.sub("/", _folded(form))):
                        return True
                decoded = unquote(piece)
                if decoded == piece:
                    break
                piece = decoded
            if count.over(piece):
                yield
        return False

    @staticmethod
    def _is_only_a_word(text: str, reader: _Reader, bases: tuple[str, ...]) -> bool:
        """Return whether a text is a word that no server takes for a file.

        A folder of remit may have a common word as its name (`tasks`): where the argument is not of files,
        the word is only its name if a link says so.
        """
        if reader.of_files or _WORD.fullmatch(text) is None:
            return False
        return not any(os.path.islink(os.path.join(base, text)) for base in bases)

    def _names_nothing(self, text: str, reader: _Reader, bases: tuple[str, ...]) -> bool:
        """Return whether a text can only be the name of a file right in a base, and none has it.

        It says in one step what reading the text as a path says of most texts.
        """
        if reader.runs or len(text) > _MAX_PATH or _READ_OTHERWISE.search(text) is not None:
            return False
        return not any(
            self._below(os.path.normpath(path)) or _WILD.search(path) or os.path.lexists(path)
            for path in (os.path.join(base, text) for base in bases)
        )

    def _is_own(
        self,
        text: str,
        bases: tuple[str, ...],
        identities: Callable[[], set[Identity]],
        named: dict[str, None],
    ) -> bool:
        """Return whether a text names a place, seen from a base; add a folder above the places to `named`."""
        if text.startswith("~"):
            text = os.path.expanduser(text.replace("\\", "/"))
        for base in bases if not text.startswith("/") or "/proc/" in text else bases[:1]:
            # The folder of a process: of the server, or of another one.
            for path in dict.fromkeys(
                (os.path.join(base, text), os.path.join(base, _OWN_FOLDER.sub(base, text)))
            ):
                if self._names_own(path, text, identities, named):
                    return True
        return False

    def _names_own(
        self, path: str, text: str, identities: Callable[[], set[Identity]], named: dict[str, None]
    ) -> bool:
        plain = os.path.normpath(path)
        if self._below(plain):
            return True
        if _WILD.search(path):
            return self._matches(plain)
        if "/" not in text and not os.path.lexists(path):
            return False  # a word that names no file: nothing is read through it
        real = _real(path)
        if _folded(real) in self._above:
            named[real] = None
        return self._below(real) or _leads_to(real, identities()) or self._has_name_here(real)

    def _below(self, path: str) -> bool:
        return self._own.fullmatch(_folded(path)) is not None

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


def _texts(value: Json, reader: _Reader) -> Iterator[tuple[str, _Reader]]:
    """Yield every text in a value, names of members too, with how it is read."""
    rest = [(value, reader)]
    while rest:
        one, how = rest.pop()
        if isinstance(one, str):
            yield one, how
        elif isinstance(one, dict):
            rest += [(name, how) for name in one]
            rest += [(member, how.below(name)) for name, member in one.items()]
        elif isinstance(one, list):
            rest += [(member, how) for member in one]


def _folders_above(place: str) -> Iterator[str]:
    while (above := os.path.dirname(place)) != place:
        yield above
        place = above


def _candidates(text: str, *, runs: bool) -> Iterator[str]:
    """Yield the readings of a text as a path."""
    words = [text.strip(" \t\r\n'\"")]
    if runs or (len(text) <= _MAX_PATH and _FILE_URL.search(text)):
        expanded = os.path.expandvars(text)
        bare = _QUOTES.sub("", expanded)
        words += [word for word in (*_BETWEEN.split(expanded), *_BETWEEN.split(bare)) if word]
        words += [expanded.strip(), *expanded.split(), *bare.split()]
        # A path directly behind an option or a mark: `-C/etc`, `@/etc/hosts`.
        words += [word[found.start() :] for word in bare.split() if (found := _BEGIN.search(word))]
    seen = set()
    for written in dict.fromkeys(words):
        word = written
        for _ in range(_DECODINGS):
            found = _FILE_URL.match(word)
            for path in (word[found.end() :] if found else word, os.path.expandvars(word)):
                for form in map(
                    _shortened, (path, path.replace("\\", "/"), unicodedata.normalize("NFKC", path))
                ):
                    if 0 < len(form) <= _MAX_PATH and form not in seen:
                        seen.add(form)
                        yield form
            decoded = unquote(word) if len(word) <= _MAX_ENCODED else word
            if decoded == word:
                break
            word = decoded


def _shortened(path: str) -> str:
    """Return a path as a program passes it to the system: up to a NUL, and without `./` where it is long."""
    path = path.partition("\0")[0]
    return path if len(path) <= _MAX_PATH else os.path.normpath(path)


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
    return path.lower() if path.isascii() else unicodedata.normalize("NFKC", path).casefold()
