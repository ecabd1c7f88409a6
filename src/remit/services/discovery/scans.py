# SPDX-License-Identifier: Apache-2.0
"""One scan, from files to a report.

1. Walk the trees, a little ahead of the readers, and look up what is known of each file.
2. Have new and changed files read; take the rest from memory.
3. Remember what was read, every now and then: a scan that is stopped goes on where it was.
4. Judge everything together, and name the owners.
5. Compare with the scope's history and with what was accepted.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Final

import msgspec

from remit.core.discovery.baseline import Acceptance
from remit.core.discovery.boundary import DeclaredThings
from remit.core.discovery.contents import FileContents, FindsSecrets, masked, scrubbed, secret_texts
from remit.core.discovery.discovered import Discovered, ExposedSecret, SourceKind
from remit.core.discovery.history import continued
from remit.core.discovery.judging import JUDGES, Judge, SeenThings, merged, tools_to_keep
from remit.core.discovery.owners import HomeFolders, one_owner
from remit.core.discovery.scan import INCOMPLETE, ScanCounts, ScanReport, SkippedFile, SkipReason
from remit.ports.discovery.scans import (
    ChunkSource,
    ExaminedFile,
    FileExaminer,
    FileOwners,
    FileTree,
    FoundFile,
    HistorySource,
    KnownFile,
    KnownHistory,
    Outcome,
    ScanBounds,
    ScanMemory,
    Work,
)
from remit.ports.runtime import Clock

#: Files that are walked ahead of the readers, so that progress has a total.
_AHEAD: Final = 100_000
_LOOKED_UP_AT_ONCE: Final = 500
#: What is read before it is remembered: this many files, or bytes.
_KEPT_AT_ONCE: Final = 1_000
_KEPT_BYTES: Final = 64 << 20
_MOST_SKIPPED: Final = 200
#: Places of a finding whose owners are looked for.
_OWNED_PLACES: Final = 8


class ScanRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to scan: absolute paths, other sources of chunks, and histories.

    `scope` names the history of findings to continue.
    """

    base: str
    roots: tuple[str, ...] = ()
    sources: tuple[ChunkSource, ...] = ()
    histories: HistorySource | None = None
    bounds: ScanBounds = ScanBounds()
    scope: str = ""
    accepted: Mapping[str, Acceptance] = {}
    governed: frozenset[str] = frozenset()


class ScanProgress(msgspec.Struct, frozen=True):
    """How far a scan is. The totals grow until the walk has seen everything."""

    files: int
    size_bytes: int
    of_files: int
    of_bytes: int


class DiscoveryScans:
    """Scans trees of files."""

    def __init__(
        self,
        *,
        tree: FileTree,
        examiner: FileExaminer,
        memory: ScanMemory | None,
        owners: FileOwners,
        clock: Clock,
        detectors: FindsSecrets,
        judges: Mapping[str, Judge] = JUDGES,
    ) -> None:
        """Take the ports. Without `memory`, every file is read, and there is no history.

        `detectors` look at the names of files.
        """
        self._tree, self._examiner, self._memory = tree, examiner, memory
        self._owners, self._clock, self._judges = owners, clock, judges
        self._detectors = detectors

    def scan(
        self, request: ScanRequest, progress: Callable[[ScanProgress], None] | None = None
    ) -> ScanReport:
        """Return the report of one scan; raises `Busy`, `StoreUnavailable` and `SourceUnavailable`.

        What was read is remembered even if the caller stops the scan with an exception.
        """
        started = self._clock.now()
        run = _Run(self._tree, self._examiner, self._memory, request, progress, started)
        run.read()
        memory = self._memory
        run.seen.earlier = memory.tools(request.scope) if memory is not None else {}
        findings, faults = self._judged(run.seen)
        run.skip(SkippedFile(file=one, why=SkipReason.PART) for one in dict.fromkeys(run.seen.cut))
        homes = run.seen.homes
        findings = [self._owned(one, request.base, homes) for one in findings]
        named = self._secrets_of_names(findings, run.unread)
        findings = merged(masked(scrubbed(findings, named)))
        run.unread = set(masked(scrubbed([*run.unread], named)))
        run.skipped = masked(scrubbed(run.skipped, named))
        now, was_read = self._clock.now(), _was_read(run.unread, faults)
        seen = memory.seen(request.scope) if memory is not None else {}
        history = continued(findings, seen, request.accepted, now, was_read)
        if memory is not None:
            tools = tools_to_keep(run.seen, history.found, was_read)
            memory.settle(request.scope, history.remembered, tools)
        return ScanReport(
            base=request.base,
            roots=request.roots,
            started=started,
            ended=now,
            complete=not run.unread and not faults,
            found=history.found,
            fixed=history.fixed,
            counts=run.counts,
            skipped=tuple(run.skipped),
            faults=tuple(faults),
        )

    def declared(
        self, request: ScanRequest, progress: Callable[[ScanProgress], None] | None = None
    ) -> DeclaredThings:
        """Return what the files declare, not judged; raises as `scan` does."""
        run = _Run(self._tree, self._examiner, self._memory, request, progress, self._clock.now())
        run.read()
        seen, unread = run.seen, sorted(run.unread)
        files = {one.place.file for things in (seen.agents, seen.servers, seen.tools) for one in things}
        named = secret_texts(sorted({*files, *unread}), self._detectors, SourceKind.CONFIG)
        made = DeclaredThings(
            agents=tuple(seen.agents),
            servers=tuple(seen.servers),
            tools=tuple(seen.tools),
            unread=tuple(unread),
            complete=not unread,
        )
        return scrubbed(made, named) if named else made

    def _judged(self, seen: SeenThings) -> tuple[list[Discovered], list[str]]:
        findings: list[Discovered] = []
        faults: list[str] = []
        for name, judge in self._judges.items():
            try:
                findings += judge(seen)
            except Exception as fault:  # noqa: BLE001 - its rules are told as not applied, the others count
                faults.append(f"{name}: {type(fault).__name__}")
        return merged(findings), faults

    def _secrets_of_names(self, findings: list[Discovered], unread: set[str]) -> dict[str, str]:
        """Return the secrets in names of files, such as an address with a token, that would be told."""
        names = {place.file for one in findings for place in one.places} | unread
        return secret_texts(sorted(names), self._detectors, SourceKind.CONFIG)

    def _owned(self, finding: Discovered, base: str, homes: HomeFolders) -> Discovered:
        if finding.owner:
            return finding
        files = dict.fromkeys(place.file for place in finding.places[:_OWNED_PLACES])
        owner = one_owner(
            homes.person_of(one) or self._owners.owner_of(os.path.join(base, one)) for one in files
        )
        return msgspec.structs.replace(finding, owner=owner) if owner else finding


def _was_read(unread: set[str], faults: list[str]) -> Callable[[str], bool]:
    """Return what tells whether a scan has looked at a file, and every rule at what it held."""

    def told(file: str) -> bool:
        if faults or "." in unread:
            return False
        # A member of an archive, or a table, was read if its file was.
        folder = file.partition("!/")[0]
        while folder:
            if folder in unread:
                return False
            folder = folder.rpartition("/")[0]
        return True

    return told


class _Run:
    """The reading part of one scan."""

    def __init__(
        self,
        tree: FileTree,
        examiner: FileExaminer,
        memory: ScanMemory | None,
        request: ScanRequest,
        progress: Callable[[ScanProgress], None] | None,
        now: datetime,
    ) -> None:
        self._tree, self._examiner, self._memory = tree, examiner, memory
        self._request, self._progress = request, progress
        self.seen = SeenThings(now=now, governed=request.governed)
        self.counts = ScanCounts()
        self.skipped: list[SkippedFile] = []
        self.unread: set[str] = set()
        self._places: dict[str, FoundFile] = {}
        self._paths: set[int] = set()
        self._kept: list[KnownFile] = []
        self._of_history: set[str] = set()
        self._history_secrets: list[ExposedSecret] = []
        self._history_whole = True
        self._kept_bytes = self._of_files = self._of_bytes = 0

    def read(self) -> None:
        """Read everything; what was read is remembered however this ends."""
        try:
            for outcome in self._examiner.examine(self._work(), self._request.bounds):
                self._take(outcome)
                self._tell()
        finally:
            self._keep()
        self._keep_history()
        if self._memory is not None and not self.unread:
            for root in self._request.roots:
                self._memory.forget(root, except_for=lambda path: hash(path) in self._paths)

    def skip(self, some: Iterable[SkippedFile]) -> None:
        """Tell files that were not read, or not judged, to their end."""
        for one in some:
            self._skip(one)

    def _work(self) -> Iterator[Work]:
        for some in _batches(self._walked(), _LOOKED_UP_AT_ONCE):
            known = self._memory.known(one.path for one in some) if self._memory is not None else {}
            for found in some:
                before = known.get(found.path)
                if before is None or before.declares:
                    self._places[found.path] = found
                    yield found, None
                elif before.stamp == found.stamp:
                    self._unchanged(before, found)
                else:
                    self._places[found.path] = found
                    yield found, before
            self._tell()
        for source in self._request.sources:
            for chunk in source.chunks():
                if isinstance(chunk, SkippedFile):
                    self._skip(chunk)
                else:
                    self._count_found(len(chunk.content))
                    yield chunk
        yield from self._versions()

    def _versions(self) -> Iterator[Work]:
        """Yield the versions of files that no earlier scan has read; take the secrets of the others."""
        source = self._request.histories
        if source is None:
            return
        known = self._memory.history(source.name) if self._memory is not None else None
        if known is not None and source.resume(known.seen):
            self._history_secrets += known.secrets
            self._add(FileContents(secrets=known.secrets))
        for chunk in source.chunks():
            if isinstance(chunk, SkippedFile):
                self._skip(chunk)
            else:
                self._of_history.add(chunk.file)
                self._count_found(len(chunk.content))
                yield chunk

    def _keep_history(self) -> None:
        source = self._request.histories
        if source is not None and self._memory is not None and self._history_whole:
            known = KnownHistory(seen=source.seen, secrets=tuple(self._history_secrets))
            self._memory.keep_history(source.name, known)

    def _walked(self) -> Iterator[FoundFile]:
        request = self._request
        walk = self._tree.files(request.roots, request.base, request.bounds)
        while ahead := list(islice(walk, _AHEAD)):
            for one in ahead:
                if isinstance(one, FoundFile):
                    self._count_found(one.stamp.size)
                    self._paths.add(hash(one.path))
                else:
                    self._skip(one)
            yield from (one for one in ahead if isinstance(one, FoundFile))

    def _count_found(self, size: int) -> None:
        self._of_files += 1
        self._of_bytes += size

    def _take(self, outcome: Outcome) -> None:
        if isinstance(outcome, SkippedFile):
            if outcome.file in self._of_history:
                self._history_whole = False
            self._skip(outcome)
        elif isinstance(outcome, KnownFile):
            self._unchanged(outcome, self._places.pop(outcome.path))
            self._remember(outcome)
        else:
            self._examined(outcome)

    def _examined(self, one: ExaminedFile) -> None:
        contents = one.contents
        if one.binary:
            self._skip(SkippedFile(file=one.file, why=SkipReason.BINARY))
        self.counts.files += not one.binary
        self.counts.size_bytes += one.read_bytes
        self.counts.read_bytes += one.read_bytes
        self.counts.left_out += contents.left_out
        self._add(contents)
        if not one.path and one.file in self._of_history:
            self._history_secrets += contents.secrets
            self._history_whole = self._history_whole and not contents.left_out
        if one.cut or contents.left_out:
            self._skip(SkippedFile(file=one.file, why=one.cut or SkipReason.MANY))
        if one.path and one.stamp is not None:
            self._places.pop(one.path, None)
            self._remember(
                KnownFile(
                    path=one.path,
                    stamp=one.stamp,
                    digest=one.digest,
                    secrets=contents.secrets,
                    declares=contents.declares or one.cut is not None or bool(contents.left_out),
                )
            )

    def _unchanged(self, known: KnownFile, found: FoundFile) -> None:
        self.counts.files += 1
        self.counts.unchanged += 1
        self.counts.size_bytes += found.stamp.size
        # Its place may be told from another base than before.
        self._add(FileContents(secrets=tuple(_placed(one, found.file) for one in known.secrets)))

    def _add(self, contents: FileContents) -> None:
        seen, counts = self.seen, self.counts
        seen.secrets += contents.secrets
        counts.secrets += len(contents.secrets)
        seen.servers += contents.servers
        seen.agents += contents.agents
        seen.tools += contents.tools
        seen.exports += contents.exports
        counts.servers += len(contents.servers)
        counts.agents += len(contents.agents)
        counts.exports += len(contents.exports)

    def _skip(self, one: SkippedFile) -> None:
        skipped = self.counts.skipped
        skipped[one.why] = skipped.get(one.why, 0) + 1
        if one.why in INCOMPLETE:
            self.unread.add("." if one.why is SkipReason.BOUND else one.file)
            if len(self.skipped) < _MOST_SKIPPED:
                self.skipped.append(one)

    def _remember(self, known: KnownFile) -> None:
        self._kept.append(known)
        self._kept_bytes += known.stamp.size
        if len(self._kept) >= _KEPT_AT_ONCE or self._kept_bytes >= _KEPT_BYTES:
            self._keep()

    def _keep(self) -> None:
        if self._memory is not None and self._kept:
            self._memory.keep(self._kept)
        self._kept, self._kept_bytes = [], 0

    def _tell(self) -> None:
        if self._progress is not None:
            counts = self.counts
            self._progress(ScanProgress(counts.files, counts.size_bytes, self._of_files, self._of_bytes))


def _placed(secret: ExposedSecret, file: str) -> ExposedSecret:
    """Return a remembered secret with the place of its file as it is told now."""
    known = secret.place.file
    if known == file:
        return secret
    # A member of an archive, or a table, stands behind the file's name.
    _, inside, member = known.partition(f"{os.path.basename(file)}!/")
    place = msgspec.structs.replace(secret.place, file=f"{file}!/{member}" if inside else file)
    return msgspec.structs.replace(secret, place=place)


def _batches(walked: Iterable[FoundFile], size: int) -> Iterator[list[FoundFile]]:
    files = iter(walked)
    while some := list(islice(files, size)):
        yield some
