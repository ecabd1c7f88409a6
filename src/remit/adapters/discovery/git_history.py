# SPDX-License-Identifier: Apache-2.0
"""The history of a Git repository: each version of each file once, also of what was deleted or left dangling.

A repository's own configuration, hooks, attributes, references and replacements can name programs and other
repositories. None of them is read: `git` runs with an empty repository of ours, which borrows the objects of
the scanned one. A `.git` file, linked objects and alternates are followed only below the scanned root.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Final, NamedTuple

import msgspec

from remit.adapters.discovery.streams import stream_chunks
from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.scan import SkippedFile, SkipReason
from remit.core.errors import SourceUnavailable

#: Largest version of a file that is read.
MAX_BLOB: Final = 16 << 20
#: The file that stands for the message of a commit.
MESSAGE: Final = ".git/COMMIT_EDITMSG"
#: Versions of files that are remembered while a history is read: 8 bytes and their box each.
MAX_BLOBS: Final = 1_500_000
_GIT: Final = ("git", "--no-pager", "--no-optional-locks", "--literal-pathspecs")
_LOG: Final = (
    "log", "--stdin", "--no-walk", "--raw", "-z", "-c", "--root", "--no-abbrev", "--no-renames",
    "--no-ext-diff", "--no-textconv",
    "--no-show-signature", "--no-notes", "--no-decorate", "--no-color", "--ignore-submodules=all",
    "--format=tformat:%x01%H%n%B",
)  # fmt: skip
_SETTINGS: Final = """[core]
    repositoryformatversion = {version}
    bare = true
    bigFileThreshold = 16m
    packedGitLimit = 256m
    packedGitWindowSize = 8m
    deltaBaseCacheLimit = 32m
    attributesFile = /dev/null
    fsmonitor = false
[protocol]
    allow = never
[extensions]
{extensions}"""
_ID: Final = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SHA256: Final = re.compile(r"(?im)^\s*objectformat\s*=\s*sha256\s*$")
_REGULAR: Final = (b"100644", b"100755", b"100664", b"120000")
_MOST_TEXT: Final = 1 << 20
_SEEN: Final = msgspec.msgpack.Decoder(dict[str, bytes])


class _Version(NamedTuple):
    blob: bytes
    path: str
    commit: str


class _Commit(NamedTuple):
    id: bytes
    message: bytes


class GitHistory:
    """Reads one history. `seen` are, after it was read, marks of the commits and versions that it holds."""

    def __init__(
        self, repository: Path, root: Path, *, prefix: str = "", known: frozenset[int] = frozenset()
    ) -> None:
        """Take a working tree or a bare repository, and the root that nothing may leave.

        `prefix` begins the places of files. `known` are what an earlier scan has `seen`: it is not read
        again, whichever references lead to it.
        """
        self._repository, self._root = repository, root.resolve()
        self._prefix, self._known = prefix, known
        self.seen: frozenset[int] = frozenset()

    def holds(self, known: frozenset[int]) -> bool:
        """Return whether everything that an earlier scan has seen is still there."""
        with self._borrowed() as git:
            commits, versions = git.listed()
            return known <= {_mark(one) for one in commits} | versions

    def chunks(self) -> Iterator[FileChunk | SkippedFile]:
        """Yield the versions of files, newest commits first, and those too large or broken to be read.

        Raises `SourceUnavailable` if there is no history.
        """
        with self._borrowed() as git:
            yield from self._versions(git)

    @contextlib.contextmanager
    def _borrowed(self) -> Iterator[_Git]:
        objects = self._objects()
        with tempfile.TemporaryDirectory(prefix="remit-history-") as folder:
            self._prepare(Path(folder), objects)
            yield _Git(Path(folder), objects)

    def _objects(self) -> Path:
        """Return the folder of objects; raises `SourceUnavailable` if it leads out of the root."""
        place = self._repository / ".git"
        if not os.path.lexists(place):
            place = self._repository
        if place.is_file() and not place.is_symlink():
            told = _text(place).removeprefix("gitdir:").strip()
            place = (self._repository / told).resolve()
        if (common := place / "commondir").is_file():
            place = (place / _text(common).strip()).resolve()
        objects = place / "objects"
        if not objects.is_dir():
            raise SourceUnavailable(
                f"`{self._repository}` has no history of Git", remediation="name the folder that holds `.git`"
            )
        for one in (place, objects, *self._alternates(objects)):
            if one != place and not _is_plain(one):
                raise SourceUnavailable(
                    f"the objects of `{self._repository}` hold a link, a pipe or a device",
                    remediation="clone the repository, and scan the clone",
                )
            if not one.resolve().is_relative_to(self._root):
                raise SourceUnavailable(
                    f"the history of `{self._repository}` leads out of the scanned folder",
                    remediation="scan the folder that holds the main repository and its alternates",
                )
        return objects.resolve()

    def _alternates(self, objects: Path) -> list[Path]:
        """Return the other folders of objects that `git` would read, and theirs."""
        found: list[Path] = []
        waiting = [objects]
        while waiting and len(found) < 64:
            folder = waiting.pop()
            listed = folder / "info" / "alternates"
            if not os.path.lexists(listed):
                continue
            for line in _text(listed).splitlines():
                if line.strip() and not line.startswith("#"):
                    # `git` also reads quoted lines; such a path is no path below the root.
                    found.append((folder / line.strip()).resolve() if line[0] != '"' else Path("/"))
                    waiting.append(found[-1])
        return [*found, Path("/")] if waiting else found

    def _prepare(self, folder: Path, objects: Path) -> None:
        sha256 = _SHA256.search(_text(objects.parent / "config")) is not None
        extensions = "    objectFormat = sha256\n" if sha256 else ""
        (folder / "refs").mkdir()
        (folder / "objects").mkdir()
        (folder / "HEAD").write_text("ref: refs/heads/none\n", encoding="ascii")
        settings = _SETTINGS.format(version=int(sha256), extensions=extensions)
        (folder / "config").write_text(settings, encoding="ascii")
        ends = [one for one in _text(objects.parent / "shallow").split() if _ID.fullmatch(one.encode())]
        if ends:
            (folder / "shallow").write_text("".join(f"{one}\n" for one in ends), encoding="ascii")

    def _versions(self, git: _Git) -> Iterator[FileChunk | SkippedFile]:
        commits, versions = git.listed()
        if not commits and not versions and any(git.objects.glob("pack/*.pack")):
            raise SourceUnavailable(
                f"the history of `{self._repository}` is damaged", remediation="run `git fsck` there"
            )
        if git.cut:
            yield SkippedFile(file=f"{self._prefix}.git", why=SkipReason.MANY)
        seen = versions | {_mark(one) for one in commits}
        unread = versions - self._known
        with git.blobs() as reader:
            for one in git.introduced([one for one in commits if _mark(one) not in self._known]):
                if isinstance(one, _Commit):
                    if one.message:
                        file, commit = f"{self._prefix}{MESSAGE}", one.id.decode("ascii")
                        yield from stream_chunks(_Bytes(one.message).read, file, commit=commit)
                elif (mark := _mark(one.blob)) in unread:
                    unread.discard(mark)
                    yield from self._version(reader, one, seen)
            for blob in git.dangling(unread):
                name = f".git/objects/{blob[:12].decode('ascii')}"
                yield from self._version(reader, _Version(blob, name, ""), seen)
        self.seen = frozenset(seen)

    def _version(
        self, reader: _Blobs, version: _Version, seen: set[int]
    ) -> Iterator[FileChunk | SkippedFile]:
        file = f"{self._prefix}{version.path}"
        content = reader.content(version.blob)
        if content is None:
            # Not seen: the next scan tells it again.
            seen.discard(_mark(version.blob))
            yield SkippedFile(file=file, why=SkipReason.LARGE)
            return
        yield from stream_chunks(_Bytes(content).read, file, commit=version.commit)


class GitHistories:
    """`ports.discovery.scans.HistorySource`: several histories as one."""

    def __init__(self, name: str, histories: Sequence[tuple[Path, Path, str]]) -> None:
        """Take a name that tells apart what is remembered, and each repository, its root and its prefix."""
        self.name = name
        self._histories = {
            str(repository): GitHistory(repository, root, prefix=prefix)
            for repository, root, prefix in histories
        }
        self._places = {str(one[0]): one for one in histories}

    def resume(self, known: bytes) -> bool:
        """Go on from what an earlier scan has seen; false, and everything is read, if some of it is gone."""
        try:
            seen = _SEEN.decode(known)
        except msgspec.DecodeError:
            return False
        if seen.keys() != self._histories.keys():
            return False
        marks = {name: frozenset(array("Q", one)) for name, one in seen.items()}
        if not all(one.holds(marks[name]) for name, one in self._histories.items()):
            return False
        self._histories = {
            name: GitHistory(repository, root, prefix=prefix, known=marks[name])
            for name, (repository, root, prefix) in self._places.items()
        }
        return True

    def chunks(self) -> Iterator[FileChunk | SkippedFile]:
        """Yield what `resume` has not left out; raises `SourceUnavailable`."""
        for one in self._histories.values():
            yield from one.chunks()

    @property
    def seen(self) -> bytes:
        """What `resume` takes, after everything was read."""
        return msgspec.msgpack.encode(
            {name: array("Q", one.seen).tobytes() for name, one in self._histories.items()}
        )


class _Bytes:
    """Reads bytes that are at hand."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def read(self, count: int) -> bytes:
        part = self._content[self._at : self._at + count]
        self._at += len(part)
        return part


class _Git:
    """Runs `git` in the borrowed repository."""

    def __init__(self, folder: Path, objects: Path) -> None:
        self._folder, self.objects = folder, objects
        #: Whether there are more versions than are read.
        self.cut = False
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "LC_ALL": "C",
            "GIT_DIR": str(folder),
            "GIT_OBJECT_DIRECTORY": str(objects),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_ALLOW_PROTOCOL": "",
            "GIT_TERMINAL_PROMPT": "0",
        }

    def start(self, *arguments: str, stdin: int | IO[bytes] = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start a command of `git`; raises `SourceUnavailable` if there is no `git`."""
        try:
            return subprocess.Popen(  # noqa: S603 - fixed arguments; ids go to standard input
                (*_GIT, *arguments),
                cwd=self._folder,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment,
            )
        except FileNotFoundError:
            raise SourceUnavailable(
                "`git` is not installed", remediation="install it, or scan without the history"
            ) from None

    def _objects(self, kinds: tuple[bytes, ...]) -> Iterator[tuple[bytes, bytes]]:
        """Yield kind and id of every object that is stored."""
        arguments = (
            "cat-file",
            "--batch-all-objects",
            "--unordered",
            "--batch-check=%(objecttype) %(objectname)",
        )
        with _ended(self.start(*arguments)) as process:
            assert process.stdout is not None
            for line in process.stdout:
                kind, _, name = line.strip().partition(b" ")
                if kind in kinds and _ID.fullmatch(name):
                    yield kind, name

    def listed(self) -> tuple[set[bytes], set[int]]:
        """Return the ids of all commits, and marks of all blobs."""
        commits: set[bytes] = set()
        blobs: set[int] = set()
        for kind, name in self._objects((b"commit", b"blob")):
            if kind == b"commit":
                commits.add(name)
            elif len(blobs) < MAX_BLOBS:
                blobs.add(_mark(name))
            else:
                self.cut = True
        return commits, blobs

    def dangling(self, marks: set[int]) -> Iterator[bytes]:
        """Yield the blobs of these marks, which no commit holds."""
        if marks:
            for _, name in self._objects((b"blob",)):
                if _mark(name) in marks:
                    yield name

    def introduced(self, commits: Iterable[bytes]) -> Iterator[_Commit | _Version]:
        """Yield each of the commits, newest first, and after it what it adds or changes."""
        with tempfile.TemporaryFile() as asked:
            asked.write(b"".join(one + b"\n" for one in commits))
            if not asked.tell():
                return
            asked.seek(0)
            with _ended(self.start(*_LOG, stdin=asked)) as process:
                assert process.stdout is not None
                commit = ""
                fields = _fields(process.stdout)
                for field in fields:
                    begin = field.lstrip(b"\n")
                    if begin.startswith(b"\x01"):
                        line, _, message = begin[1:].partition(b"\n")
                        ids = [one for one in line.split() if _ID.fullmatch(one)]
                        commit = ids[0].decode("ascii") if ids else ""
                        if ids:
                            yield _Commit(ids[0], message.strip())
                    elif begin.startswith(b":"):
                        path = next(fields, None)
                        parts = begin.lstrip(b":").split()
                        # For n parents: n + 1 modes, n + 1 ids, and the changes; the last id is the result.
                        many = len(parts) // 2
                        if path is not None and len(parts) > 2 and parts[many - 1] in _REGULAR:
                            yield _Version(
                                parts[2 * many - 1], path.decode("utf-8", "backslashreplace"), commit
                            )

    @contextlib.contextmanager
    def blobs(self) -> Iterator[_Blobs]:
        """Return a reader of blobs, for as long as the context is open."""
        with _ended(self.start("cat-file", "--batch-command", "--buffer", stdin=subprocess.PIPE)) as process:
            yield _Blobs(process)


class _Blobs:
    """Asks one process for one blob after the other."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._asks, self._answers = process.stdin, process.stdout

    def content(self, blob: bytes) -> bytes | None:
        """Return a blob; nothing if it is too large or broken."""
        size = self._ask(b"info", blob)
        if size is None or size > MAX_BLOB or self._ask(b"contents", blob) != size:
            return None
        content = self._answers.read(size + 1)
        return content[:-1] if len(content) == size + 1 else None

    def _ask(self, command: bytes, blob: bytes) -> int | None:
        if not _ID.fullmatch(blob):
            return None
        try:
            self._asks.write(command + b" " + blob + b"\nflush\n")
            self._asks.flush()
        except OSError:
            return None
        header = self._answers.readline().split()
        return int(header[2]) if len(header) == 3 and header[1] == b"blob" and header[2].isdigit() else None


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """End a process with its context, whether or not all of it was read."""
    try:
        yield process
    finally:
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait()


def _fields(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield what stands between NUL bytes; a field of more than a mebibyte ends the stream."""
    rest = b""
    while data := stream.read(1 << 16):
        *whole, rest = (rest + data).split(b"\0")
        yield from whole
        if len(rest) > _MOST_TEXT:
            return
    if rest:
        yield rest


def _mark(name: bytes) -> int:
    return int(name[:16], 16)


def _is_plain(folder: Path) -> bool:
    """Return whether objects are files and folders alone: `git` would wait at a pipe."""
    waiting = [(folder, 0)]
    while waiting:
        place, depth = waiting.pop()
        try:
            with os.scandir(place) as entries:
                for one in entries:
                    if one.is_dir(follow_symlinks=False):
                        if depth < 3:
                            waiting.append((Path(one.path), depth + 1))
                    elif not one.is_file(follow_symlinks=False):
                        return False
        except OSError:
            continue
    return True


def _text(path: Path) -> str:
    """Return a short text file that is no link; empty if there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            return file.read(_MOST_TEXT).decode("utf-8", "replace")
    except OSError:
        return ""


def repositories(tree: Path) -> Iterator[Path]:
    """Yield the repositories that a working tree holds in `.git/modules`: those of its submodules."""
    waiting = [(tree / ".git" / "modules", 0)]
    while waiting:
        folder, depth = waiting.pop()
        if depth > 8 or not folder.is_dir() or folder.is_symlink():
            continue
        if (folder / "objects").is_dir() and (folder / "HEAD").is_file():
            yield folder
            folder /= "modules"
        waiting += [(one, depth + 1) for one in sorted(folder.iterdir())] if folder.is_dir() else []
