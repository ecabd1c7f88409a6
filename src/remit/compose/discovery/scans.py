# SPDX-License-Identifier: Apache-2.0
"""What scans use on this machine: its files, processes that read them, and a memory of the user."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from threading import Event
from typing import Final

import remit
from remit.adapters.discovery.examiner import ProcessExaminer
from remit.adapters.discovery.file_owners import CodeOwners
from remit.adapters.discovery.file_tree import OsFileTree, working_trees
from remit.adapters.discovery.git_history import GitHistories, repositories
from remit.adapters.discovery.reading_process import Examination
from remit.adapters.discovery.scan_memory import SqliteScanMemory
from remit.adapters.discovery.staged_files import StagedFiles
from remit.adapters.keys.secret_files import check_folder, create_secret, read_secret
from remit.adapters.runtime.system import SystemClock
from remit.core.discovery.baseline import KEY_BYTES
from remit.core.discovery.discovered import Discovered
from remit.core.discovery.scan import ScanReport
from remit.core.discovery.secrets.detectors import SecretDetectors
from remit.core.discovery.sources.readers import read
from remit.core.errors import KeyUnavailable
from remit.core.user_folders import state_folder
from remit.ports.discovery.scans import HistorySource
from remit.services.discovery.live_use import GovernedNames
from remit.services.discovery.scans import DiscoveryScans, ScanProgress, ScanRequest

_EXAMINATION: Final = Examination(read=read, detectors=SecretDetectors)


def discovery_folder() -> Path:
    """Return the folder of the user's key and memory of scans; make it if it is missing."""
    folder = Path(state_folder(os.environ, os.path.expanduser("~"))) / "discovery"
    check_folder(folder)
    return folder


def fingerprint_key(folder: Path) -> bytes:
    """Return this user's key of fingerprints; make it at the first scan. Raises `KeyUnavailable`."""
    place = folder / "fingerprint.key"
    if not place.exists():
        create_secret(place, secrets.token_bytes(KEY_BYTES))
    key = read_secret(place)
    if len(key) != KEY_BYTES:
        raise KeyUnavailable(f"`{place}` is damaged", remediation="delete it: findings then get other ids")
    return key


def discovery_scans(
    *, key: bytes, folder: Path | None, all_files: bool = False, processes: int = 0
) -> DiscoveryScans:
    """Return the service of scans; without `folder` it remembers nothing. Raises `StoreUnavailable`."""
    memory = None
    if folder is not None:
        # Fingerprints under another key are other fingerprints: each key has its own memory.
        name = hashlib.blake2b(b"memory of scans", key=key, digest_size=6).hexdigest()
        memory = SqliteScanMemory(folder / f"scans-{name}.db", _edition())
    return DiscoveryScans(
        tree=OsFileTree(all_files=all_files),
        examiner=ProcessExaminer(key, _EXAMINATION, processes=processes),
        memory=memory,
        owners=CodeOwners(),
        clock=SystemClock(),
        detectors=SecretDetectors(key),
    )


def staged_files(folder: Path) -> StagedFiles:
    """Return what the next commit of the repository around a folder would hold."""
    return StagedFiles(folder)


def histories(roots: Sequence[str], base: str) -> HistorySource:
    """Return the histories of the repositories at and below these paths, with places below the base."""
    found: list[tuple[Path, Path, str]] = []
    for root in roots:
        for tree in working_trees(root):
            place = os.path.relpath(tree, base)
            prefix = "" if place == "." else f"{place}/"
            folders = (Path(tree), *repositories(Path(tree)))
            found += ((one, Path(tree), prefix) for one in folders)
    return GitHistories("\n".join((base, *roots)), found)


class ConfiguredScan:
    """`services.discovery.scan_loop.FileScan` of configured paths, with remit's own key and memory.

    It runs in a thread, and ends soon after its task was cancelled; the next scan goes on where it was.
    """

    def __init__(self, state: Path, paths: Sequence[str]) -> None:
        """Take the folder of remit's state, and absolute paths."""
        self._state, self._paths = state, tuple(paths)

    async def found(self, governed: GovernedNames) -> tuple[tuple[Discovered, ...], bool]:
        """Return what was found, and whether everything was read."""
        names, ended = governed.agents | governed.upstreams, Event()
        try:
            report = await asyncio.to_thread(self._scanned, names, ended)
        finally:
            ended.set()
        return tuple(one.finding for one in report.found), report.complete

    def _scanned(self, names: frozenset[str], ended: Event) -> ScanReport:
        folder = self._state / "discovery"
        check_folder(folder)
        service = discovery_scans(key=fingerprint_key(folder), folder=folder)
        roots = tuple(os.path.realpath(one) for one in self._paths)
        base = os.path.commonpath(roots)
        request = ScanRequest(
            base=base if os.path.isdir(base) else os.path.dirname(base),
            roots=roots,
            scope="\n".join(roots),
            governed=names,
        )

        def step(progress: ScanProgress) -> None:
            if ended.is_set():
                raise asyncio.CancelledError

        return service.scan(request, step)


def _edition() -> str:
    """Return a name for the readers and detectors as they are: another version may find more."""
    stamps = hashlib.blake2b(remit.__version__.encode(), digest_size=12)
    for file in sorted(_modules(Path(str(files("remit") / "core" / "discovery")))):
        status = file.stat()
        stamps.update(f"{file} {status.st_size} {status.st_mtime_ns}\n".encode())
    return stamps.hexdigest()


def _modules(folder: Path) -> Iterable[Path]:
    return folder.rglob("*.py")
