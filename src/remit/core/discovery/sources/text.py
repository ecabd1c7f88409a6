# SPDX-License-Identifier: Apache-2.0
"""Text of a file as pieces: its encoding, its kind, its parts, and the values that are taken out of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.discovered import FilePlace, Piece, SourceKind

#: Longest text of a piece, in characters.
MAX_PIECE: Final = 200_000
#: How much two neighboring pieces share, so that a secret at their border is whole in one of them.
OVERLAP: Final = 4_096
#: How many bytes tell what a file is.
SNIFFED: Final = 8_192

#: Names of fields whose values are worth a closer look.
TELLING: Final = re.compile(
    r"(?i)pass|pwd|secret|token|key|auth|cred|dsn|conn|ur[il]|private|cert|login|cookie|session|bearer|sign"
    r"|salt|webhook|_pat\b|\bpat\b|\bpin\b"
)

_PROSE: Final = "md mdx markdown txt text rst adoc org prompt prompty html htm xml eml tex chat vtt srt"
_CODE: Final = (
    "py pyi ipy js mjs cjs jsx ts tsx go rs rb java kt kts scala c h cc cpp hpp cs php pl pm lua r jl swift m"
    " dart ex exs erl clj hs ml vue svelte sh bash zsh fish ps1 psm1 bat cmd sql graphql groovy gradle awk"
    " proto sol zig nim"
)
_CONFIG: Final = (
    "env yaml yml json jsonc json5 toml ini cfg conf config properties tf tfvars hcl nomad service socket"
    " timer mount plist netrc pgpass npmrc pypirc envrc editorconfig cnf j2 tpl tmpl lock pem key crt cer pub"
    " ovpn rdp xcconfig credentials dockerfile jenkinsfile makefile mk cmake"
)
_LOG: Final = "log out err trace"
_EXPORT: Final = "csv tsv dump"

_KINDS: Final = {
    extension: kind
    for extensions, kind in (
        (_PROSE, SourceKind.PROSE),
        (_CODE, SourceKind.CODE),
        (_CONFIG, SourceKind.CONFIG),
        (_LOG, SourceKind.LOG),
        (_EXPORT, SourceKind.EXPORT),
    )
    for extension in extensions.split()
}
#: Names of files that have no telling extension, or begin with a dot.
_CONFIG_NAMES: Final = re.compile(
    r"(?i)^(?:\.?env(?:\..+|rc)?|.+\.env\..+|dockerfile.*|containerfile|jenkinsfile.*|makefile|procfile|vagrantfile"
    r"|\.\w+rc|_?\.?netrc|\.pgpass|\.my\.cnf|credentials|config|kubeconfig|hosts|authorized_keys|id_\w+"
    r"|\.git-credentials|\.htpasswd|\.s3cfg|\.boto|\.dockercfg)$"
)
_STAMPED: Final = re.compile(
    rb"(?:^|\n)(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\w{3} +\d+ \d\d:\d\d:\d\d |\S+ - \S+ \[\d\d/\w{3}/)"
)


def extension_of(file: str) -> str:
    """Return the extension of a path in lower case, without its dot; empty for none."""
    name = file.rpartition("/")[2]
    stem, _, extension = name.rpartition(".")
    return extension.lower() if stem or name.startswith(".") else ""


def base_name(file: str) -> str:
    """Return the last part of a path in lower case."""
    return file.rpartition("/")[2].lower()


def kind_of(chunk: FileChunk) -> SourceKind:
    """Return what a file's text is, by its name, else by its first bytes."""
    name = base_name(chunk.file)
    if _CONFIG_NAMES.match(name):
        return SourceKind.CONFIG
    if (kind := _KINDS.get(extension_of(chunk.file))) is not None:
        return kind
    begin = chunk.content[:SNIFFED]
    if begin.startswith(b"#!"):
        return SourceKind.CODE
    return SourceKind.LOG if len(_STAMPED.findall(begin)) > 2 else SourceKind.PROSE


def text_of_bytes(content: bytes) -> str | None:
    """Return the text of bytes, or nothing for binary ones. Wrong bytes become replacement characters."""
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
    elif content.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return content.decode("utf-32", "replace")
    elif content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    begin = content[:SNIFFED]
    if b"\0" in begin:
        # UTF-16 of mostly Latin text: each second byte is 0. A chunk may begin in the middle of a character.
        half = max(len(begin) // 2, 1)
        if begin[1::2].count(0) > half * 0.4 and begin[::2].count(0) < half * 0.1:
            return content.decode("utf-16-le", "replace")
        if begin[::2].count(0) > half * 0.4 and begin[1::2].count(0) < half * 0.1:
            return content.decode("utf-16-be", "replace")
        return None
    return content.decode("utf-8", "replace")


def pieces(
    text: str,
    place: FilePlace,
    kind: SourceKind,
    *,
    names: tuple[str, ...] = (),
    speaker: str = "",
    agent: str = "",
    one_line: bool = False,
) -> Iterator[Piece]:
    """Yield a text as pieces that share `OVERLAP` characters.

    The parts of a text have the lines, and in a giant line the columns, where they begin.
    """
    rest = {"names": names, "speaker": speaker, "agent": agent, "one_line": one_line}
    if len(text) <= MAX_PIECE:
        if text and not text.isspace():
            yield Piece(text=text, place=place, kind=kind, **rest)  # type: ignore[arg-type]
        return
    start, line, column = 0, place.line, max(place.column, 1)
    while True:
        end = start + MAX_PIECE
        if end < len(text) and (cut := text.rfind("\n", end - OVERLAP, end)) > 0:
            end = cut + 1
        part = text[start:end]
        here = place if one_line else msgspec.structs.replace(place, line=line, column=column)
        yield Piece(text=part, place=here, kind=kind, **rest)  # type: ignore[arg-type]
        if end >= len(text):
            return
        begin = end - OVERLAP
        if (cut := text.rfind("\n", begin - OVERLAP, begin)) > 0:
            begin = cut + 1
        if newlines := text.count("\n", start, begin):
            line += newlines
            column = begin - text.rfind("\n", start, begin)
        else:
            column += begin - start
        start = begin


class Taken(NamedTuple):
    """A value of a text: where it stands, what it means, the keys that lead to it, and its kind."""

    start: int
    end: int
    text: str
    names: tuple[str, ...]
    inside: str = ""
    kind: SourceKind | None = None


def pieces_apart(text: str, taken: Iterable[Taken], chunk: FileChunk, kind: SourceKind) -> Iterator[Piece]:
    """Yield each taken value as a piece, then the text around them, with blanks in their places."""
    rest: list[str] = []
    at = counted = begun = 0
    line = chunk.line
    for one in sorted(taken, key=lambda found: found.start):
        if one.start < at:
            continue  # inside another value
        if newlines := text.count("\n", counted, one.start):
            line += newlines
            begun = text.rfind("\n", counted, one.start) + 1
        counted = one.start
        if not one.text:
            rest += (text[at : one.start], _blank(text[one.start : one.end]))
            at = one.end
            continue
        place = FilePlace(
            file=chunk.file,
            line=line,
            column=one.start - begun + 1,
            inside=one.inside or ".".join(one.names),
            commit=chunk.commit,
        )
        raw = text[one.start : one.end]
        yield from pieces(one.text, place, one.kind or kind, names=one.names, one_line="\n" not in raw)
        rest += (text[at : one.start], _blank(raw))
        at = one.end
    around = "".join((*rest, text[at:])) if rest else text
    yield from pieces(around, place_of(chunk), kind)


def _blank(text: str) -> str:
    return "\n".join(" " * len(line) for line in text.split("\n"))


def place_of(chunk: FileChunk, *, line: int = 0, inside: str = "") -> FilePlace:
    """Return a place in a chunk; its first line unless one is given."""
    return FilePlace(file=chunk.file, line=line or chunk.line, inside=inside, commit=chunk.commit)


class LineBatch:
    """Collects short texts of many lines into few pieces whose lines are those of the file."""

    def __init__(self, chunk: FileChunk, kind: SourceKind, names: tuple[str, ...] = ()) -> None:
        self._chunk = chunk
        self._kind = kind
        self._names = names
        self._parts: list[str] = []
        self._first = self._line = 0
        self._size = 0

    def add(self, line: int, text: str) -> Iterator[Piece]:
        """Add a text that stands at a line; yield a piece when enough came together."""
        gap = line - self._line
        if self._parts and (self._size > MAX_PIECE // 2 or not 0 <= gap <= 1_000):
            yield from self.flush()
        if not self._parts:
            self._first = self._line = line
            gap = 0
        text = text.replace("\n", " ")
        self._parts.append("\n" * gap + text if gap or not self._parts else "\t" + text)
        self._size += len(text) + gap
        self._line = line

    def flush(self) -> Iterator[Piece]:
        """Yield what is left."""
        if self._parts:
            text = "".join(self._parts)
            self._parts, self._size = [], 0
            yield from pieces(text, place_of(self._chunk, line=self._first), self._kind, names=self._names)
