# SPDX-License-Identifier: Apache-2.0
"""Transcripts below a folder, found and read line by line. Links are not followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from remit.core.coding.calls import CLAUDE_CODE, CODEX, GEMINI
from remit.core.transcripts.claude_code import ClaudeCodeReader
from remit.core.transcripts.codex import CodexReader
from remit.core.transcripts.gemini import GeminiReader
from remit.core.transcripts.turns import TranscriptReader

MAX_LINE: Final = 16 * 1024 * 1024
"""Longest line that is read, in bytes; a longer one is passed over and counted."""
MAX_FILES: Final = 200_000
#: The folders in a home that hold transcripts, by client.
PLACES: Final = {
    CLAUDE_CODE: (".claude", "projects"),
    CODEX: (".codex", "sessions"),
    GEMINI: (".gemini", "tmp"),
}
_SUBAGENTS: Final = "subagents"
_CHUNK: Final = 256 * 1024


class TranscriptFile(NamedTuple):
    """A transcript by its client and path; `parent` is the session of a subagent's file."""

    client: str
    path: Path
    size_bytes: int
    parent: str

    def reader(self, seen: set[int]) -> TranscriptReader:
        """Return a reader of this file; `seen` are the entries of earlier files."""
        name = self.path.stem
        if self.client == CODEX:
            return CodexReader(name)
        if self.client == GEMINI:
            return GeminiReader(name, _project_root(self.path))
        return ClaudeCodeReader(name, seen, subagent=bool(self.parent))


class FoundFiles(msgspec.Struct):
    """The transcripts found, and what was passed over."""

    files: list[TranscriptFile] = []
    links: int = 0
    unreadable: int = 0
    too_many: bool = False


def find(paths: list[Path]) -> FoundFiles:
    """Find the transcripts at these paths: files, folders of transcripts, or homes with clients' folders."""
    found = FoundFiles(files=[])
    for path in paths:
        if path.is_file():
            _add(path, path, found)
            continue
        homes = [path.joinpath(*place) for place in PLACES.values()]
        known = [one for one in homes if one.is_dir()]
        for folder in known or [path]:
            _walk(folder, found)
    unique = {one.path: one for one in found.files}
    # A session comes before its subagents, which take on the words of its person.
    found.files = sorted(unique.values(), key=lambda one: (one.client, bool(one.parent), str(one.path)))
    return found


def _walk(folder: Path, found: FoundFiles) -> None:
    def failed(fault: OSError) -> None:
        found.unreadable += 1

    for at, folders, names in os.walk(folder, onerror=failed, followlinks=False):
        folders.sort()
        found.links += sum(os.path.islink(os.path.join(at, one)) for one in folders)
        for name in sorted(names):
            if len(found.files) >= MAX_FILES:
                found.too_many = True
                return
            if name.endswith((".jsonl", ".json")):
                _add(Path(at, name), folder, found)


def _add(path: Path, root: Path, found: FoundFiles) -> None:
    try:
        status = path.lstat()
    except OSError:
        found.unreadable += 1
        return
    if stat.S_ISLNK(status.st_mode):
        found.links += 1
        return
    client = _client(path)
    if client and stat.S_ISREG(status.st_mode):
        parent = path.parent.parent.name if client == CLAUDE_CODE and path.parent.name == _SUBAGENTS else ""
        found.files.append(TranscriptFile(client, path, status.st_size, parent))


def _client(path: Path) -> str:
    """Return whose transcript a file is, by its name and folder; empty for another file."""
    if path.name.startswith("rollout-"):
        return CODEX
    if ".gemini" in path.parts or (path.name.startswith("session-") and "chats" in path.parts):
        return GEMINI if "chats" in path.parts else ""
    return CLAUDE_CODE if path.suffix == ".jsonl" else ""


def lines(path: Path) -> Iterator[bytes | None]:
    """Yield the lines of a file without holding more than one; None for one that is too long or unreadable.

    Raises `OSError` if the file cannot be opened, or is not a file any more.
    """
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
    with open(opened, "rb", buffering=_CHUNK) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("is not a file")
        while line := file.readline(MAX_LINE):
            if len(line) == MAX_LINE and not line.endswith(b"\n"):
                while (rest := file.readline(_CHUNK)) and not rest.endswith(b"\n"):
                    pass
                yield None
            elif line.strip():
                yield line


def _project_root(path: Path) -> str:
    """Return the folder that a Gemini project's folder names; empty where it names none."""
    for folder in path.parents:
        if folder.name == "chats":
            marker = folder.parent / ".project_root"
            try:
                return next((one for one in lines(marker) if one), b"").decode("utf-8", "replace").strip()
            except OSError:
                return ""
    return ""
